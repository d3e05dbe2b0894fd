/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * rx_latency.c - the cases rx-latency-*: from the moment that a frame is sent until the consumer
 * has its payload in hand.
 *
 * In: frames one at a time, of one TCP stream, each with the time in its payload. Out: median, 99th
 * and 99.9th percentile, in microseconds, of consumers that poll all the time (busy) and of such
 * that sleep until they are woken.
 *
 * The system `host` is none: nothing is sent. Busy, its thread looks for the generator's next time
 * in memory that both see; asleep, a timer wakes it as often as packets would come. What that
 * takes, be it a CPU that the host has taken away for a while, is in all the others' figures.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "peers/peer.h"
#include "rx.h"

#define RATE 10000.0 /* packets a second: each has the machine for itself */
#define PACKETS 10000u
#define WARM_PACKETS 500u
#define ROUNDS 3u

bool bench_latency_on;

static struct peer_shared own; /* of the consumers in this process */

enum metric { HALF, MANY, MOST, METRICS };

static const struct {
	const char *name;
	uint32_t beyond; /* one sample in so many is greater */
} metrics[METRICS] = {
	[HALF] = {"us_median", 2},
	[MANY] = {"us_p99", 100},
	[MOST] = {"us_p999", 1000},
};

static struct bench_series series[METRICS][RX_SYSTEMS_MAX];
static char excuses[RX_SYSTEMS_MAX][sizeof(rx_systems->why)]; /* of the last round that failed */

void bench_latency_saw(const void *payload)
{
	struct timespec now;
	uint64_t sent;

	memcpy(&sent, payload, sizeof(sent));
	clock_gettime(CLOCK_MONOTONIC, &now);
	if (own.samples < PEER_SAMPLES)
		own.ns[own.samples] = now.tv_sec * 1000000000ull + now.tv_nsec - sent;
	own.samples++;
}

/* ---- host ---- */

static struct {
	uint64_t seen; /* stamps */
	uint64_t due;  /* ns: when the timer is to wake it */
} host;

static int host_open(struct rx_system *system, const struct rx_traffic *traffic, enum rx_wait wait)
{
	host.seen = rx_stamps()->count;
	host.due = bench_now() * 1e9;
	return 0;
}

static void host_close(struct rx_system *system)
{
}

/* Those that came while it was stopped are late by as much as packets would be. */
static int host_consume(struct rx_system *system)
{
	const struct bench_stamps *stamps = rx_stamps();
	uint64_t count = __atomic_load_n(&stamps->count, __ATOMIC_ACQUIRE);

	if (!bench_latency_on || host.seen > count)
		host.seen = count;
	for (; host.seen < count; host.seen++)
		bench_latency_saw(&stamps->ns[host.seen % BENCH_STAMPS]);
	return 0;
}

static int host_sleep(struct rx_system *system)
{
	struct timespec until;

	if (!bench_latency_on)
		host.due = bench_now() * 1e9;
	host.due += 1e9 / RATE;
	until = (struct timespec){host.due / 1000000000, host.due % 1000000000};
	clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL);
	if (bench_latency_on)
		bench_latency_saw(&host.due);
	return 0;
}

const struct rx_ops rx_host_ops = {
	.open = host_open,
	.close = host_close,
	.consume = host_consume,
	.sleep = host_sleep,
	.bytes = rx_mute_bytes,
};

/* ---- samples ---- */

static int compare(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a;
	uint32_t y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

static int take_samples(struct rx_system *system, struct peer_shared *shared)
{
	size_t i = system - rx_systems;
	int metric;
	uint32_t count = shared->samples < PEER_SAMPLES ? shared->samples : PEER_SAMPLES;

	if (count < PACKETS * 9 / 10) {
		snprintf(system->why, sizeof(system->why), "it saw %u of %u packets one by one",
			 count, PACKETS);
		return -EIO;
	}
	qsort(shared->ns, count, sizeof(shared->ns[0]), compare);
	for (metric = 0; metric < METRICS; metric++)
		bench_sample(&series[metric][i],
			     shared->ns[count - 1 - count / metrics[metric].beyond] / 1e3);
	return 0;
}

static struct peer_shared *shared_of(const struct rx_system *system)
{
	return system->program ? rx_child_shared(system) : &own;
}

static int measure_run(struct rx_run *run)
{
	struct peer_shared *shared = shared_of(run->system);
	struct rx_trial trial;
	int err;

	run->batch = 1;
	run->stamp = true;
	run->keep = true;
	err = rx_try(run, RATE, WARM_PACKETS, &trial);
	if (err)
		return err;
	shared->samples = 0;
	shared->stamped = 1;
	bench_latency_on = !run->system->program;
	err = rx_try(run, RATE, PACKETS, &trial);
	bench_latency_on = false;
	return err ? err : take_samples(run->system, shared);
}

static int measure(struct rx_system *system, enum rx_wait wait)
{
	static const struct rx_traffic traffic = {.flows = 1, .train = 1, .payload = 1400};
	struct rx_run run;
	int err;

	if (system->ops == &rx_tcpflow_ops) {
		snprintf(system->why, sizeof(system->why),
			 "its consumer is a file: nobody is told");
		return -ENOTSUP;
	}
	err = rx_start(&run, system, &traffic, wait);
	if (err)
		return err;
	err = measure_run(&run);
	rx_stop(&run);
	return err;
}

static bool takes_part(const struct rx_system *system)
{
	if (system->host)
		return true;
	if ((bench_only && !strstr(system->name, bench_only)) || strstr(system->name, "-nocsum"))
		return false;
	return system->ops->consume || system->program || system->stack;
}

static void report(const char *name)
{
	int metric;
	size_t i;

	for (metric = 0; metric < METRICS; metric++)
		for (i = 0; i < rx_system_count; i++) {
			if (!takes_part(&rx_systems[i]))
				continue;
			bench_report(name, rx_systems[i].name, metrics[metric].name, "us",
				     &series[metric][i]);
			bench_report_why(excuses[i]);
		}
	bench_report_table(stdout);
}

static void measure_system(struct rx_system *system, enum rx_wait wait)
{
	int err;

	*system->why = 0;
	err = measure(system, wait);
	if (err)
		snprintf(excuses[system - rx_systems], sizeof(excuses[0]), "%s",
			 *system->why ? system->why : strerror(-err));
}

/* In each round another system begins. Who can not be opened is not asked again. */
static void run_round(unsigned int round, enum rx_wait wait)
{
	size_t i, k;
	int metric;

	for (k = 0; k < rx_system_count; k++) {
		i = (round + k) % rx_system_count;
		if (takes_part(&rx_systems[i]) && !rx_systems[i].broken)
			measure_system(&rx_systems[i], wait);
	}
	for (i = 0; i < rx_system_count; i++)
		for (metric = 0; metric < METRICS; metric++)
			bench_fill_up(&series[metric][i], round + 1);
}

static int run_case(const char *name, enum rx_wait wait)
{
	unsigned int round;
	size_t i;
	int err;

	if (!bench_wanted(name) || !rx_possible(name))
		return 0;
	err = rx_stand_open();
	if (err)
		return err;
	memset(series, 0, sizeof(series));
	memset(excuses, 0, sizeof(excuses));
	for (i = 0; i < rx_system_count; i++)
		rx_systems[i].broken = false;
	for (round = 0; round < bench_rounds(ROUNDS); round++)
		run_round(round, wait);
	report(name);
	return 0;
}

int bench_rx_latency(void)
{
	int err = run_case("rx-latency-busy", RX_BUSY);

	return err ? err : run_case("rx-latency-sleep", RX_SLEEP);
}
