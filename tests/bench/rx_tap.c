/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * rx_tap.c - the case rx-tap-iperf3: what a tap costs the kernel's own TCP.
 *
 * In: a veth whose other end is in a namespace of its own, made by scripts/bench.sh; iperf3. Out:
 * gbit_per_s as the receiver has it, with nothing attached to the receiving interface, with an XDP
 * program that passes all packets, with one that copies the payload as well, and with xdplace
 * placing them and a consumer that releases; and the CPU time of each of the three who share two
 * CPUs, for a packet of 1448 bytes: the sender, in whose context the packet is also received up
 * to the socket, the receiver, and xdplace's consumer.
 * Sender on CPU 0, receiver and consumer on CPU 1.
 *
 * A veth whose peer has any XDP program gets no super-packets: the first two differ by that.
 */
#include <errno.h>
#include <net/if.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <bpf/libbpf.h>
#include <json-c/json.h>
#include <linux/if_link.h>

#include "rx.h"
#include "program.skel.h"

#define CASE "rx-tap-iperf3"
#define INTERFACE "xptap1"
#define ADDRESS "10.77.9.1"
#define PORT "5201"
#define SECONDS "1"   /* many short ones: the host moves the CPUs about */
#define PACKET 1448.0 /* bytes of payload of each: MTU 1500, time stamps */
#define ROUNDS 10u
#define OUTPUT_MAX (1 << 20)
#define PRIORITY 5 /* before what else the machine does */
#define PRIORITY_TEXT "5"
/* A tenth of it takes three times the CPU time; the ring has room for some ten of it. */
#define NAP_NS 1000000
#define RING 16384u
#define COPY_PAGES 64u

enum { NO_XDP, PASS_ONLY, COPY_PASS, XDPLACE, SYSTEMS };

static const char *const names[SYSTEMS] = {
	[NO_XDP] = "no-xdp",
	[PASS_ONLY] = "pass-only",
	[COPY_PASS] = "copy-pass",
	[XDPLACE] = "xdplace",
};

enum metric { RATE, SENDER, RECEIVER, CONSUMER, METRICS };

static const struct {
	const char *name;
	const char *unit;
} metrics[METRICS] = {
	[RATE] = {"gbit_per_s", "Gbit/s"},
	[SENDER] = {"sender_ns_per_packet", "ns"},
	[RECEIVER] = {"receiver_ns_per_packet", "ns"},
	[CONSUMER] = {"consumer_ns_per_packet", "ns"},
};

struct tap {
	struct bench_placed placed;
	struct program_bpf *copy;
	pthread_t thread;
	clockid_t clock; /* of the thread */
	bool stop;
	pid_t server;
	struct bench_series series[METRICS][SYSTEMS];
	char why[SYSTEMS][160];
};

static struct tap tap;

/* ---- iperf3 ---- */

static pid_t start_server(void)
{
	static char *const argv[] = {"chrt", "-f", PRIORITY_TEXT, "taskset", "-c", "1", "iperf3",
				     "-s",   "-B", ADDRESS,	  "-p",	     PORT, NULL};
	pid_t pid = fork();

	if (pid)
		return pid;
	if (!freopen("/dev/null", "w", stdout) || !freopen("/dev/null", "w", stderr))
		_exit(127);
	execvp(argv[0], argv);
	_exit(127);
}

static double rate_of(const char *text)
{
	struct json_object *all = json_tokener_parse(text);
	struct json_object *at = all;
	static const char *const path[] = {"end", "sum_received", "bits_per_second"};
	double rate;
	size_t i;

	for (i = 0; at && i < sizeof(path) / sizeof(path[0]); i++)
		if (!json_object_object_get_ex(at, path[i], &at))
			at = NULL;
	rate = at ? json_object_get_double(at) / 1e9 : 0;
	json_object_put(all);
	return rate;
}

/* 0: it failed. */
static double run_client(void)
{
	char command[256];
	static char text[OUTPUT_MAX];
	size_t len;
	FILE *pipe;

	snprintf(command, sizeof(command),
		 "nsenter --net=%s chrt -f " PRIORITY_TEXT " taskset -c 0 iperf3 -J -c " ADDRESS
		 " -p " PORT " -t " SECONDS " 2>/dev/null",
		 getenv("XPBENCH_FAR"));
	pipe = popen(command, "re");
	if (!pipe)
		return 0;
	len = fread(text, 1, sizeof(text) - 1, pipe);
	text[len] = 0;
	pclose(pipe);
	return rate_of(text);
}

/* ---- CPU time ---- */

static double clock_of(clockid_t clock)
{
	struct timespec ts;

	return clock_gettime(clock, &ts) ? 0 : ts.tv_sec + ts.tv_nsec / 1e9;
}

static double seconds(struct timeval tv)
{
	return tv.tv_sec + tv.tv_usec / 1e6;
}

/* Of sender, receiver and consumer so far. The receiver is no child yet that was waited for. */
static void cpu_times(int system, double cpu[METRICS])
{
	struct rusage usage;
	clockid_t clock;

	getrusage(RUSAGE_CHILDREN, &usage);
	cpu[SENDER] = seconds(usage.ru_utime) + seconds(usage.ru_stime);
	cpu[RECEIVER] = clock_getcpuclockid(tap.server, &clock) ? 0 : clock_of(clock);
	cpu[CONSUMER] = system == XDPLACE ? clock_of(tap.clock) : 0;
}

/* ---- the systems ---- */

/* Beside the receiver: on CPU 0 it would take from the one who has most to do. */
static void *consume(void *arg)
{
	const struct timespec nap = {.tv_nsec = NAP_NS};
	const struct sched_param param = {.sched_priority = PRIORITY};

	bench_pin_cpu(1);
	sched_setscheduler(0, SCHED_FIFO, &param);
	while (!__atomic_load_n(&tap.stop, __ATOMIC_RELAXED))
		if (bench_placed_drain(&tap.placed) <= 0)
			nanosleep(&nap, NULL);
	return NULL;
}

static int xdplace_start(void)
{
	const struct xdplace_opts opts = {.size = sizeof(opts), .lanes = 1, .ring = RING};
	const struct xdplace_attach_opts attach_opts = {.size = sizeof(attach_opts)};
	int err = bench_placed_open(&tap.placed, &opts, "tap tcp port " PORT);

	if (!err)
		err = xdplace_attach(tap.placed.ctx, INTERFACE, &attach_opts);
	tap.stop = false;
	if (!err)
		err = -pthread_create(&tap.thread, NULL, consume, NULL);
	if (!err)
		return -pthread_getcpuclockid(tap.thread, &tap.clock);
	snprintf(tap.why[XDPLACE], sizeof(tap.why[XDPLACE]), "%s", xdplace_error());
	bench_placed_close(&tap.placed);
	return err;
}

static void xdplace_stop(void)
{
	__atomic_store_n(&tap.stop, true, __ATOMIC_RELAXED);
	pthread_join(tap.thread, NULL);
	if (tap.placed.gaps)
		bench_note(CASE ": xdplace reported %llu gaps",
			   (unsigned long long)tap.placed.gaps);
	bench_placed_close(&tap.placed);
}

static int attach_program(int prog)
{
	return bpf_xdp_attach(if_nametoindex(INTERFACE), prog, XDP_FLAGS_DRV_MODE, NULL);
}

static int copy_start(void)
{
	int err;

	tap.copy = program_bpf__open();
	if (!tap.copy)
		return -errno;
	tap.copy->rodata->bench_pages = COPY_PAGES;
	bpf_map__set_max_entries(tap.copy->maps.bench_memory, COPY_PAGES);
	err = program_bpf__load(tap.copy);
	if (!err)
		err = attach_program(bpf_program__fd(tap.copy->progs.copy_pass));
	if (err)
		program_bpf__destroy(tap.copy);
	return err;
}

static int attach(int system)
{
	switch (system) {
	case PASS_ONLY:
		return attach_program(rx_only_pass);
	case COPY_PASS:
		return copy_start();
	case XDPLACE:
		return xdplace_start();
	default:
		return 0;
	}
}

static void detach(int system)
{
	if (system == XDPLACE)
		xdplace_stop();
	else if (system != NO_XDP)
		bpf_xdp_detach(if_nametoindex(INTERFACE), XDP_FLAGS_DRV_MODE, NULL);
	if (system == COPY_PASS)
		program_bpf__destroy(tap.copy);
}

/* For a packet of the time that iperf3 sent, not of its first and last words. */
static void sample(int system, double rate, const double *before, const double *after)
{
	double packets = rate * 1e9 / 8 / PACKET * atoi(SECONDS);
	int i;

	bench_sample(&tap.series[RATE][system], rate);
	for (i = SENDER; i < METRICS; i++)
		if (i != CONSUMER || system == XDPLACE)
			bench_sample(&tap.series[i][system],
				     (after[i] - before[i]) * 1e9 / packets);
}

static void measure(int system)
{
	double before[METRICS], after[METRICS];
	double rate;
	int err = attach(system);

	if (err) {
		if (!*tap.why[system])
			strcpy(tap.why[system], strerror(-err));
		return;
	}
	cpu_times(system, before);
	rate = run_client();
	cpu_times(system, after);
	detach(system);
	if (rate > 0)
		sample(system, rate, before, after);
	else
		strcpy(tap.why[system], "iperf3 failed");
}

/* Each round begins with another one. */
static void measure_round(unsigned int round)
{
	int i, j;

	for (i = 0; i < SYSTEMS; i++)
		measure((round + i) % SYSTEMS);
	for (i = 0; i < SYSTEMS; i++)
		for (j = 0; j < METRICS; j++)
			bench_fill_up(&tap.series[j][i], round + 1);
}

static void report(void)
{
	int i, j;

	for (j = 0; j < METRICS; j++)
		for (i = 0; i < SYSTEMS; i++) {
			if (j == CONSUMER && i != XDPLACE)
				continue;
			bench_report(CASE, names[i], metrics[j].name, metrics[j].unit,
				     &tap.series[j][i]);
			bench_report_why(tap.why[i]);
		}
	bench_report_table(stdout);
}

int bench_rx_tap(void)
{
	unsigned int round;
	int err;

	if (!bench_wanted(CASE))
		return 0;
	if (!getenv("XPBENCH_FAR") || !if_nametoindex(INTERFACE)) {
		bench_note(CASE ": skipped, there is no %s: run scripts/bench.sh", INTERFACE);
		return 0;
	}
	err = rx_stand_open();
	if (err)
		return err;
	tap.server = start_server();
	usleep(300000);
	for (round = 0; round < bench_rounds(ROUNDS); round++)
		measure_round(round);
	report();
	kill(tap.server, SIGTERM);
	waitpid(tap.server, NULL, 0);
	return 0;
}
