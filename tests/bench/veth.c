/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * veth.c - the case veth-tcp1400: the highest rate of in-order TCP at which nothing is lost.
 *
 * In: two ends of a veth, made by scripts/bench.sh. A thread on CPU 0 generates by live frames;
 * in its context the peer's driver runs the program under test. A thread on CPU 1 is the consumer.
 * Out: gbit_per_s of payload that was in place in order, and cpu_s_per_gb: the time both CPUs
 * worked for 10^9 bytes, without what the generator waited for its turn.
 *
 * A trial runs at one rate. It is good if every byte sent was found in place. From the rate that
 * the generator reaches unpaced the search goes by halves to the highest good one.
 */
#include <errno.h>
#include <math.h>
#include <net/if.h>
#include <pthread.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/bpf.h>

#include "veth.h"
#include "veth.skel.h"

#define CASE "veth-tcp1400"
#define FLOWS 16u
#define TRAIN 16u /* segments of a flow in a row: a third of what TSO makes at once */
#define BATCH 64u
#define FIRST_PORT 2000u
#define ROUNDS 5u
#define HALVINGS 6u
#define TRIES 3u
#define TRIAL_SECONDS 0.2
#define PROBE_PACKETS 400000u /* of the trial that finds out how fast the generator is */
/* Of a consumer that finds nothing: shorter ones made no system faster, only CPU 1 busier. */
#define NAP_NS 100000
#define SETTLE_SECONDS 0.05 /* for the consumer to finish after the last packet */

struct trial {
	double packets_per_s; /* really offered */
	double gbit_per_s;
	double cpu_s_per_gb;
	bool good;
};

struct consumer {
	struct veth_system *system;
	pthread_t thread;
	clockid_t clock;
	bool stop;
	bool reset;  /* asked of it */
	double done; /* when it last ran out of work */
};

struct stand {
	struct veth_bpf *skel;
	uint16_t port; /* of the next trial: every trial has flows of its own */
};

static struct stand stand;

/* ---- the consumer's thread ---- */

static void *consume(void *arg)
{
	const struct timespec nap = {.tv_nsec = NAP_NS};
	struct consumer *consumer = arg;
	bool busy = false;

	bench_pin_cpu(1);
	bench_real_time();
	prctl(PR_SET_TIMERSLACK, 1);
	while (!__atomic_load_n(&consumer->stop, __ATOMIC_RELAXED)) {
		if (consumer->system->ops->consume(consumer->system) > 0) {
			busy = true;
			continue;
		}
		if (busy)
			consumer->done = bench_now();
		busy = false;
		if (__atomic_load_n(&consumer->reset, __ATOMIC_ACQUIRE)) {
			consumer->system->ops->reset(consumer->system);
			__atomic_store_n(&consumer->reset, false, __ATOMIC_RELEASE);
		}
		nanosleep(&nap, NULL);
	}
	return NULL;
}

static int consumer_start(struct consumer *consumer, struct veth_system *system)
{
	int err;

	memset(consumer, 0, sizeof(*consumer));
	consumer->system = system;
	if (!system->ops->consume)
		return 0;
	err = pthread_create(&consumer->thread, NULL, consume, consumer);
	if (!err)
		err = pthread_getcpuclockid(consumer->thread, &consumer->clock);
	return -err;
}

static void consumer_stop(struct consumer *consumer)
{
	__atomic_store_n(&consumer->stop, true, __ATOMIC_RELAXED);
	if (consumer->system->ops->consume)
		pthread_join(consumer->thread, NULL);
}

static void consumer_reset(struct consumer *consumer)
{
	if (!consumer->system->ops->reset)
		return;
	__atomic_store_n(&consumer->reset, true, __ATOMIC_RELEASE);
	while (__atomic_load_n(&consumer->reset, __ATOMIC_ACQUIRE))
		usleep(NAP_NS / 1000);
}

static double consumer_cpu(const struct consumer *consumer)
{
	struct timespec ts;

	if (!consumer->system->ops->consume || clock_gettime(consumer->clock, &ts))
		return 0;
	return ts.tv_sec + ts.tv_nsec / 1e9;
}

/* ---- trials ---- */

static int generate(uint32_t packets, double rate)
{
	struct bench_generator *g = &stand.skel->bss->bench_generator;
	uint8_t frame[BENCH_FRAME_MAX];
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = frame, .repeat = packets,
		    .flags = BPF_F_TEST_XDP_LIVE_FRAMES, .batch_size = BATCH);

	memset(g, 0, sizeof(*g));
	g->turn.flows = FLOWS;
	g->turn.train = TRAIN;
	g->batch = BATCH;
	g->gap = rate > 0 ? BATCH * 1e9 / rate : 0;
	opts.data_size_in = bench_frame(frame, BENCH_HEADERS + VETH_PAYLOAD, VETH_PAYLOAD,
					stand.port++, &g->turn);
	return bpf_prog_test_run_opts(bpf_program__fd(stand.skel->progs.generate), &opts);
}

/* Until all is in place, or nothing has come for a while. */
static void settle(struct veth_system *system, uint64_t expected)
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
	usleep(2 * NAP_NS / 1000);
}

static int run_trial(struct consumer *consumer, double rate, struct trial *trial)
{
	const struct bench_generator *g = &stand.skel->bss->bench_generator;
	uint32_t packets = rate > 0 ? rate * TRIAL_SECONDS : PROBE_PACKETS;
	struct veth_system *system = consumer->system;
	uint64_t before = system->ops->bytes(system);
	double cpu = consumer_cpu(consumer);
	double waited = bench_waited();
	double sending, seconds, gigabytes;
	uint64_t bytes;
	int err;

	packets -= packets % BATCH;
	err = generate(packets, rate);
	if (err)
		return err;
	waited = bench_waited() - waited;
	settle(system, before + g->sent * VETH_PAYLOAD);
	bytes = system->ops->bytes(system) - before;
	gigabytes = bytes / 1e9;
	/* The last batch is taken to last as long as the others did. */
	sending = (g->stopped - g->started) / 1e9 * g->sent / (g->sent - BATCH);
	seconds = fmax(sending, consumer->done - g->started / 1e9);
	trial->good = bytes == g->sent * VETH_PAYLOAD;
	trial->packets_per_s = g->sent / sending;
	trial->gbit_per_s = gigabytes * 8 / seconds;
	cpu = consumer_cpu(consumer) - cpu;
	cpu += sending - g->idle / 1e9 - waited;
	trial->cpu_s_per_gb = cpu / gigabytes;
	return 0;
}

/*
 * A trial that another process on this machine spoilt says nothing: a rate is too high only if
 * it is so every time.
 */
static int try_rate(struct consumer *consumer, double rate, struct trial *trial)
{
	unsigned int i;
	int err = 0;

	for (i = 0; !err && i < TRIES; i++) {
		err = run_trial(consumer, rate, trial);
		if (trial->good && trial->packets_per_s >= 0.95 * rate)
			break;
		consumer_reset(consumer);
	}
	return err;
}

/* The best good trial of a search by halves; best->good is false if there was none. */
static int search(struct consumer *consumer, struct trial *best)
{
	struct trial trial = {0};
	double low = 0;
	double high, rate;
	unsigned int i;
	int err;

	err = try_rate(consumer, 0, best);
	if (err || best->good)
		return err;
	high = best->packets_per_s;
	for (i = 0; i < HALVINGS; i++) {
		rate = (low + high) / 2;
		err = try_rate(consumer, rate, &trial);
		if (err)
			return err;
		if (trial.good) {
			*best = trial;
			low = rate;
		} else {
			high = rate;
		}
	}
	return 0;
}

static int measure(struct veth_system *system)
{
	struct consumer consumer;
	struct trial best = {0};
	int err;

	err = system->ops->open(system);
	if (err)
		return err;
	err = consumer_start(&consumer, system);
	if (!err) {
		err = search(&consumer, &best);
		consumer_stop(&consumer);
	}
	system->ops->close(system);
	if (!err && best.good) {
		bench_sample(&system->rate, best.gbit_per_s);
		bench_sample(&system->cpu, best.cpu_s_per_gb);
	}
	return err;
}

static void measure_round(void)
{
	struct veth_system *system = veth_systems;
	size_t i;

	for (i = 0; i < veth_system_count; i++, system++) {
		if (system->failed)
			continue;
		system->failed = measure(system);
		if (system->failed)
			bench_note("%s: %s failed: %s", CASE, system->name,
				   strerror(-system->failed));
	}
}

static void report(void)
{
	struct veth_system *system = veth_systems;
	size_t i;

	for (i = 0; i < veth_system_count; i++)
		bench_report(CASE, system[i].name, "gbit_per_s", "Gbit/s", &system[i].rate);
	for (i = 0; i < veth_system_count; i++)
		bench_report(CASE, system[i].name, "cpu_s_per_gb", "s/GB", &system[i].cpu);
	bench_note(CASE ": %u flows, %u segments of each in turn; generator, driver and program on "
			"CPU 0, consumer on "
			"CPU 1; rates are of payload",
		   FLOWS, TRAIN);
	bench_note(CASE ": drop does nothing with a packet: what it costs is generator and driver");
	bench_note(CASE ": xdplace and afxdp-reassembler-csum verify checksums, afxdp-reassembler "
			"does not");
}

static bool possible(void)
{
	if (!if_nametoindex(VETH_SENDER) || !if_nametoindex(VETH_RECEIVER)) {
		bench_note(CASE ": skipped, there is no %s: run scripts/bench.sh", VETH_SENDER);
		return false;
	}
	if (sysconf(_SC_NPROCESSORS_ONLN) < 2) {
		bench_note(CASE ": skipped, two CPUs are needed");
		return false;
	}
	return true;
}

int bench_veth(void)
{
	unsigned int i;
	int err;

	if (!bench_wanted(CASE) || !possible())
		return 0;
	stand.skel = veth_bpf__open();
	if (!stand.skel)
		return -errno;
	stand.port = FIRST_PORT;
	stand.skel->rodata->bench_ifindex = if_nametoindex(VETH_SENDER);
	err = veth_bpf__load(stand.skel);
	veth_xsks = bpf_map__fd(stand.skel->maps.bench_xsks);
	veth_to_socket = bpf_program__fd(stand.skel->progs.to_socket);
	bench_pin_cpu(0);
	bench_real_time();
	for (i = 0; !err && i < ROUNDS; i++)
		measure_round();
	if (!err)
		report();
	veth_bpf__destroy(stand.skel);
	return err;
}
