/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * rx_tap.c - the case rx-tap-iperf3: what a tap costs the kernel's own TCP.
 *
 * In: a veth whose other end is in a namespace of its own, made by scripts/bench.sh; iperf3. Out:
 * gbit_per_s as the receiver has it, with nothing attached to the receiving interface, with an XDP
 * program that passes all packets, and with xdplace placing them and a consumer that releases.
 * Sender on CPU 0, receiver on CPU 1; the consumer is an ordinary thread where there is room.
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
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <bpf/libbpf.h>
#include <json-c/json.h>
#include <linux/if_link.h>

#include "rx.h"

#define CASE "rx-tap-iperf3"
#define INTERFACE "xptap1"
#define ADDRESS "10.77.9.1"
#define PORT "5201"
#define SECONDS "2"
#define ROUNDS 3u
#define OUTPUT_MAX (1 << 20)
#define NAP_NS 100000

enum { NO_XDP, PASS_ONLY, XDPLACE, SYSTEMS };

static const char *const names[SYSTEMS] = {
	[NO_XDP] = "no-xdp",
	[PASS_ONLY] = "pass-only",
	[XDPLACE] = "xdplace",
};

struct tap {
	struct bench_placed placed;
	pthread_t thread;
	bool stop;
	struct bench_series rate[SYSTEMS];
	char why[SYSTEMS][160];
};

static struct tap tap;

/* ---- iperf3 ---- */

static pid_t start_server(void)
{
	static char *const argv[] = {"chrt", "-o", "0",	    "taskset", "-c", "1", "iperf3",
				     "-s",   "-B", ADDRESS, "-p",      PORT, NULL};
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
		 "nsenter --net=%s chrt -o 0 taskset -c 0 iperf3 -J -c " ADDRESS " -p " PORT
		 " -t " SECONDS " 2>/dev/null",
		 getenv("XPBENCH_FAR"));
	pipe = popen(command, "re");
	if (!pipe)
		return 0;
	len = fread(text, 1, sizeof(text) - 1, pipe);
	text[len] = 0;
	pclose(pipe);
	return rate_of(text);
}

/* ---- the three systems ---- */

static void *consume(void *arg)
{
	const struct timespec nap = {.tv_nsec = NAP_NS};
	const struct sched_param param = {0};
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(0, &set);
	CPU_SET(1, &set);
	sched_setaffinity(0, sizeof(set), &set);
	sched_setscheduler(0, SCHED_OTHER, &param);
	while (!__atomic_load_n(&tap.stop, __ATOMIC_RELAXED))
		if (bench_placed_drain(&tap.placed) <= 0)
			nanosleep(&nap, NULL);
	return NULL;
}

static int xdplace_start(void)
{
	const struct xdplace_opts opts = {.size = sizeof(opts), .lanes = 1, .hot = 1024};
	const struct xdplace_attach_opts attach_opts = {.size = sizeof(attach_opts)};
	int err = bench_placed_open(&tap.placed, &opts, "tap tcp port " PORT);

	if (!err)
		err = xdplace_attach(tap.placed.ctx, INTERFACE, &attach_opts);
	tap.stop = false;
	if (!err)
		err = -pthread_create(&tap.thread, NULL, consume, NULL);
	if (!err)
		return 0;
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

static int attach(int system)
{
	if (system == PASS_ONLY)
		return bpf_xdp_attach(if_nametoindex(INTERFACE), rx_only_pass, XDP_FLAGS_DRV_MODE,
				      NULL);
	return system == XDPLACE ? xdplace_start() : 0;
}

static void detach(int system)
{
	if (system == PASS_ONLY)
		bpf_xdp_detach(if_nametoindex(INTERFACE), XDP_FLAGS_DRV_MODE, NULL);
	else if (system == XDPLACE)
		xdplace_stop();
}

static void measure(int system)
{
	double rate;
	int err = attach(system);

	if (err) {
		if (!*tap.why[system])
			strcpy(tap.why[system], strerror(-err));
		return;
	}
	rate = run_client();
	detach(system);
	if (rate > 0)
		bench_sample(&tap.rate[system], rate);
	else
		strcpy(tap.why[system], "iperf3 failed");
}

static void measure_all(void)
{
	unsigned int round;
	int i;

	for (round = 0; round < ROUNDS; round++)
		for (i = 0; i < SYSTEMS; i++)
			measure(i);
	for (i = 0; i < SYSTEMS; i++) {
		bench_report(CASE, names[i], "gbit_per_s", "Gbit/s", &tap.rate[i]);
		if (!tap.rate[i].count)
			bench_report_why(tap.why[i]);
	}
	bench_report_table(stdout);
}

int bench_rx_tap(void)
{
	pid_t server;
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
	server = start_server();
	usleep(300000);
	measure_all();
	kill(server, SIGTERM);
	waitpid(server, NULL, 0);
	return 0;
}
