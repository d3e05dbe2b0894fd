/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * rx_trial.c - send, consume, and see what arrived: one trial, and the search for the highest
 * rate without a loss.
 *
 * In: two ends of a veth, made by scripts/bench.sh. A thread on CPU 0 generates by live frames;
 * in its context the peer's driver runs the program under test, or the kernel's stack. What
 * consumes runs on CPU 1: a thread of this process or another process.
 *
 * A trial runs at one rate. It is good if every byte sent was found in place.
 */
#include <errno.h>
#include <math.h>
#include <net/if.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/bpf.h>

#include "rx.h"
#include "rx.skel.h"

#define BATCH 64u
#define FIRST_PORT 2000u
#define LAST_PORT 60000u
#define HALVINGS 5u
#define TRIES 2u
#define SPOILT_MOST 3u
#define STOPPED_SECONDS 0.002 /* rings have room for a few milliseconds */
#define TRIAL_SECONDS 0.15
#define TRIAL_LEAST 4096u     /* packets */
#define PROBE_PACKETS 400000u /* of the trial that finds out how fast the generator is */
#define SLOWEST 10000.0	      /* packets a second: who loses some at this rate has none */
#define OPEN_RATE 400000.0    /* packets a second, of handshakes and first packets */
/* Of a consumer that finds nothing: shorter ones made no system faster, only CPU 1 busier. */
#define NAP_NS 100000
#define LONG_NAP_NS 500000
#define SETTLE_SECONDS 0.05 /* for the consumer to finish after the last packet */

struct stand {
	struct rx_bpf *skel;
	uint16_t port; /* of the next trial: every trial has flows of its own */
	uint64_t made; /* packets, by a generator that sends nothing */
};

static struct stand stand;
int rx_xsks = -1;
int rx_to_socket = -1;
int rx_only_pass = -1;

/* ---- the consumer's thread ---- */

static void rest(struct rx_run *run)
{
	const struct timespec nap = {.tv_nsec = run->wait == RX_NAP ? NAP_NS : LONG_NAP_NS};

	if (run->wait == RX_SLEEP)
		run->system->ops->sleep(run->system);
	else if (run->wait != RX_BUSY)
		nanosleep(&nap, NULL);
}

static void *consume(void *arg)
{
	struct rx_run *run = arg;
	struct rx_system *system = run->system;
	bool busy = false;

	run->consumer = gettid();
	bench_pin_cpu(1);
	bench_real_time();
	prctl(PR_SET_TIMERSLACK, 1);
	while (!__atomic_load_n(&run->stop, __ATOMIC_RELAXED)) {
		if (system->ops->consume(system) > 0) {
			busy = true;
			continue;
		}
		if (busy)
			run->done = bench_now();
		busy = false;
		if (__atomic_load_n(&run->reset, __ATOMIC_ACQUIRE)) {
			system->ops->reset(system);
			__atomic_store_n(&run->reset, false, __ATOMIC_RELEASE);
		}
		rest(run);
	}
	return NULL;
}

int rx_start(struct rx_run *run, struct rx_system *system, const struct rx_traffic *traffic,
	     enum rx_wait wait)
{
	int err;

	memset(run, 0, sizeof(*run));
	run->system = system;
	run->traffic = *traffic;
	run->wait = wait;
	run->batch = BATCH;
	system->payload = traffic->payload;
	err = system->ops->open(system, traffic, wait);
	system->broken = err;
	if (err || !system->ops->consume)
		return err;
	err = pthread_create(&run->thread, NULL, consume, run);
	if (!err)
		return -pthread_getcpuclockid(run->thread, &run->clock);
	system->ops->close(system);
	return -err;
}

void rx_stop(struct rx_run *run)
{
	__atomic_store_n(&run->stop, true, __ATOMIC_RELAXED);
	if (run->system->ops->consume)
		pthread_join(run->thread, NULL);
	if (!run->gone)
		run->system->ops->close(run->system);
}

/*
 * DPDK's AF_XDP driver may not receive another packet once it has lost some: no rate is too high
 * for that, its process has to be started anew.
 */
static int start_again(struct rx_run *run)
{
	struct rx_system *system = run->system;
	int err;

	if (!system->program)
		return 0;
	system->ops->close(system);
	err = system->ops->open(system, &run->traffic, run->wait);
	system->broken = run->gone = err;
	return err;
}

static void consumer_reset(struct rx_run *run)
{
	if (!run->system->ops->reset)
		return;
	__atomic_store_n(&run->reset, true, __ATOMIC_RELEASE);
	while (__atomic_load_n(&run->reset, __ATOMIC_ACQUIRE))
		usleep(NAP_NS / 1000);
}

static double consumer_cpu(const struct rx_run *run)
{
	const struct rx_system *system = run->system;
	clockid_t clock = run->clock;
	struct timespec ts;

	if (system->ops->process && clock_getcpuclockid(system->ops->process(system), &clock))
		return 0;
	if ((!system->ops->process && !system->ops->consume) || clock_gettime(clock, &ts))
		return 0;
	return ts.tv_sec + ts.tv_nsec / 1e9;
}

static double consumer_waited(const struct rx_run *run)
{
	const struct rx_system *system = run->system;

	if (system->ops->process)
		return bench_waited_of(system->ops->process(system));
	return system->ops->consume ? bench_waited_of(run->consumer) : 0;
}

/* ---- sending ---- */

/* The turn is set up; its frame is sent `packets` times. */
static int send_frame(const struct rx_run *run, uint8_t *frame, size_t len, uint32_t packets,
		      double rate)
{
	struct bench_generator *g = &stand.skel->bss->bench_generator;
	uint32_t batch = packets < run->batch ? packets : run->batch;
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = frame, .data_size_in = len,
		    .repeat = packets, .flags = BPF_F_TEST_XDP_LIVE_FRAMES, .batch_size = batch);

	memcpy(g->template, frame, sizeof(g->template));
	g->batch = batch;
	g->gap = rate > 0 ? batch * 1e9 / rate : 0;
	g->due = g->started = g->stopped = g->idle = g->sent = 0;
	g->in_batch = 0;
	return bpf_prog_test_run_opts(bpf_program__fd(run->traffic.udp
							      ? stand.skel->progs.generate_udp
							      : stand.skel->progs.generate),
				      &opts);
}

static struct bench_generator *generator_reset(const struct rx_run *run)
{
	struct bench_generator *g = &stand.skel->bss->bench_generator;

	memset(g, 0, sizeof(*g));
	g->turn.flows = run->traffic.flows;
	g->whole = run->system->stack;
	g->mute = run->system->mute;
	return g;
}

/* SYN, SYN and ACK, ACK: of all flows one after the other. */
static int shake_hands(const struct rx_run *run)
{
	const struct bench_packet step[] = {
		{.syn = true, .dport = stand.port},
		{.syn = true, .reverse = true, .dport = stand.port},
		{.dport = stand.port},
	};
	uint8_t frame[BENCH_FRAME_MAX];
	struct bench_generator *g;
	int err = 0;
	size_t i, len;

	for (i = 0; !err && i < sizeof(step) / sizeof(step[0]); i++) {
		g = generator_reset(run);
		len = bench_frame_of(frame, &step[i], &g->turn);
		g->turn.train = 1;
		g->reverse = step[i].reverse;
		err = send_frame(run, frame, len, run->traffic.flows, OPEN_RATE);
	}
	usleep(20000);
	return err;
}

/* Flows of its own for each trial, unless they are kept. */
static int new_flows(struct rx_run *run)
{
	struct rx_system *system = run->system;
	int err = 0;

	if (run->keep && run->started)
		return 0;
	run->started = true;
	stand.port += (run->traffic.flows >> BENCH_PORT_BITS) + 1;
	if (stand.port > LAST_PORT)
		stand.port = FIRST_PORT;
	consumer_reset(run);
	if (system->ops->prepare)
		err = system->ops->prepare(system, &run->traffic, stand.port);
	if (!err && system->handshake && !run->traffic.udp)
		err = shake_hands(run);
	return err;
}

static int generate(struct rx_run *run, uint32_t packets, double rate)
{
	const struct rx_traffic *traffic = &run->traffic;
	const struct bench_packet packet = {
		.udp = traffic->udp, .payload = traffic->payload, .dport = stand.port};
	bool go_on = run->keep && run->turn.flows;
	struct bench_generator *g = generator_reset(run);
	uint8_t frame[BENCH_FRAME_MAX];
	size_t len = bench_frame_of(frame, &packet, &g->turn);
	int err;

	g->turn.train = traffic->train;
	g->turn.late = traffic->late;
	g->turn.late_each = traffic->late_each;
	if (go_on)
		g->turn = run->turn;
	g->stamp = run->stamp;
	err = send_frame(run, frame, len, packets, rate);
	run->turn = g->turn;
	stand.made += g->mute ? g->sent : 0;
	return err;
}

/* Until all is in place, or nothing has come for a while. Returns when the last came. */
static double settle(struct rx_system *system, uint64_t expected)
{
	double last = bench_now();
	uint64_t bytes = system->ops->bytes(system);
	uint64_t before;

	while (bytes < expected && bench_now() < last + SETTLE_SECONDS) {
		usleep(100);
		before = bytes;
		bytes = system->ops->bytes(system);
		if (bytes != before)
			last = bench_now();
	}
	/* A consumer that naps takes note of the time before it does. */
	if (system->ops->consume)
		usleep(2 * NAP_NS / 1000);
	return last;
}

static void judge(struct rx_run *run, uint64_t bytes, double done, struct rx_trial *trial)
{
	const struct bench_generator *g = &stand.skel->bss->bench_generator;
	uint64_t sent = g->sent * run->traffic.payload;
	double sending;

	/* The last batch is taken to last as long as the others did. */
	sending = (g->stopped - g->started) / 1e9 * g->sent / (g->sent - g->batch);
	if (run->system->ops->consume)
		done = run->done;
	trial->good = bytes == sent;
	trial->lost = 1 - (double)bytes / sent;
	trial->gigabytes = bytes / 1e9;
	trial->seconds = fmax(sending, done - g->started / 1e9);
	trial->packets_per_s = g->sent / sending;
	trial->gbit_per_s = trial->gigabytes * 8 / trial->seconds;
	trial->cpu0_s += sending - g->idle / 1e9;
	trial->machine_s -= g->idle / 1e9;
}

int rx_try(struct rx_run *run, double rate, uint32_t packets, struct rx_trial *trial)
{
	const struct bench_generator *g = &stand.skel->bss->bench_generator;
	struct rx_system *system = run->system;
	/* No train that is not in order may stay without its late packet. */
	uint32_t unit = run->traffic.late ? run->traffic.flows * run->traffic.train : run->batch;
	double cpu, waited, stopped, busy, done;
	uint64_t before, bytes;
	int err;

	packets -= packets % unit;
	err = new_flows(run);
	if (err)
		return err;
	before = system->ops->bytes(system);
	busy = bench_machine_busy();
	cpu = consumer_cpu(run);
	stopped = consumer_waited(run);
	waited = bench_waited();
	err = generate(run, packets, rate);
	if (err)
		return err;
	waited = bench_waited() - waited;
	done = settle(system, before + g->sent * run->traffic.payload);
	trial->cpu0_s = -waited;
	trial->cpu1_s = consumer_cpu(run) - cpu;
	trial->stopped = consumer_waited(run) - stopped;
	trial->machine_s = bench_machine_busy() - busy;
	bytes = system->ops->whole ? system->ops->whole(system) : system->ops->bytes(system);
	judge(run, bytes - before, done, trial);
	return bytes == before ? start_again(run) : 0;
}

int rx_warm(struct rx_run *run, double rate)
{
	uint32_t flows = run->traffic.flows + run->batch - 1;
	struct rx_system *system = run->system;
	struct rx_trial trial;
	int err;

	run->keep = true;
	err = rx_try(run, rate, flows * run->traffic.train, &trial);
	if (err || trial.good)
		return err;
	snprintf(system->why, sizeof(system->why),
		 "lost the first packets of %.2g %% of the flows at %.0f a second",
		 trial.lost * 100, rate);
	return -EIO;
}

int rx_try_again(struct rx_run *run, double rate, uint32_t packets, unsigned int tries,
		 struct rx_trial *trial)
{
	unsigned int count, spoilt = 0;
	int err = 0;

	for (count = 0; !err && count < tries;) {
		err = rx_try(run, rate, packets, trial);
		if (trial->good && trial->packets_per_s >= 0.95 * rate)
			break;
		if (trial->stopped > STOPPED_SECONDS && spoilt < SPOILT_MOST)
			spoilt++;
		else
			count++;
	}
	return err;
}

/* A rate is too high only if it is so every time. */
static int try_rate(struct rx_run *run, double rate, struct rx_trial *trial)
{
	uint32_t packets = rate > 0 ? rate * TRIAL_SECONDS : PROBE_PACKETS;

	if (packets < TRIAL_LEAST)
		packets = TRIAL_LEAST;
	return rx_try_again(run, rate, packets, TRIES, trial);
}

/* From the generator's own speed downwards, by halves, until nothing is lost. */
static int find_good(struct rx_run *run, double start, struct rx_trial *trial, double *high)
{
	double rate;
	int err = try_rate(run, start, trial);

	*high = 0;
	for (rate = trial->packets_per_s; !err && !trial->good && rate > SLOWEST;) {
		*high = rate;
		rate /= 2;
		err = try_rate(run, rate, trial);
	}
	return err;
}

int rx_search(struct rx_run *run, double *hint, struct rx_trial *best)
{
	struct rx_trial trial = {0};
	double low, high, rate;
	unsigned int i;
	int err;

	err = find_good(run, *hint * 1.25, best, &high);
	/* Better than the round before: how good is it really? */
	if (!err && best->good && !high && *hint)
		err = find_good(run, 0, best, &high);
	if (err || !best->good)
		return err;
	low = best->packets_per_s;
	for (i = 0; high && i < HALVINGS; i++) {
		rate = (low + high) / 2;
		err = try_rate(run, rate, &trial);
		if (err)
			return err;
		if (trial.good) {
			*best = trial;
			low = rate;
		} else {
			high = rate;
		}
	}
	*hint = low;
	return 0;
}

/* ---- the generator by itself ---- */

static int mute_open(struct rx_system *system, const struct rx_traffic *traffic, enum rx_wait wait)
{
	return 0;
}

static void mute_close(struct rx_system *system)
{
}

uint64_t rx_mute_bytes(struct rx_system *system)
{
	return stand.made * system->payload;
}

const struct rx_ops rx_mute_ops = {
	.open = mute_open,
	.close = mute_close,
	.bytes = rx_mute_bytes,
};

/* ---- the stand ---- */

const struct bench_stamps *rx_stamps(void)
{
	return &stand.skel->bss->bench_stamps;
}

bool rx_possible(const char *name)
{
	if (!if_nametoindex(RX_SENDER) || !if_nametoindex(RX_RECEIVER)) {
		bench_note("%s: skipped, there is no %s: run scripts/bench.sh", name, RX_SENDER);
		return false;
	}
	if (sysconf(_SC_NPROCESSORS_ONLN) < 2) {
		bench_note("%s: skipped, two CPUs are needed", name);
		return false;
	}
	return true;
}

int rx_stand_open(void)
{
	int err;

	if (stand.skel)
		return 0;
	stand.skel = rx_bpf__open();
	if (!stand.skel)
		return -errno;
	stand.port = FIRST_PORT;
	stand.skel->rodata->bench_ifindex = if_nametoindex(RX_SENDER);
	err = rx_bpf__load(stand.skel);
	if (err) {
		rx_stand_close();
		return err;
	}
	rx_xsks = bpf_map__fd(stand.skel->maps.bench_xsks);
	rx_to_socket = bpf_program__fd(stand.skel->progs.to_socket);
	rx_only_pass = bpf_program__fd(stand.skel->progs.only_pass);
	bench_pin_cpu(0);
	bench_real_time();
	return 0;
}

void rx_stand_close(void)
{
	rx_bpf__destroy(stand.skel);
	stand.skel = NULL;
}
