/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * rx_latency.c - the cases rx-latency-*: from the moment that a frame is sent until the consumer
 * has its payload in hand.
 *
 * In: frames one at a time, of one TCP stream, each with the time in its payload. Out: median and
 * 99.9th percentile, in microseconds, of consumers that poll all the time (busy) and of such that
 * sleep until they are woken.
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
static struct bench_series half[RX_SYSTEMS_MAX];
static struct bench_series most[RX_SYSTEMS_MAX];

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

static int compare(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a;
	uint32_t y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

static int take_samples(struct rx_system *system, struct peer_shared *shared)
{
	size_t i = system - rx_systems;
	uint32_t count = shared->samples < PEER_SAMPLES ? shared->samples : PEER_SAMPLES;

	if (count < PACKETS * 9 / 10) {
		snprintf(system->why, sizeof(system->why), "it saw %u of %u packets one by one",
			 count, PACKETS);
		return -EIO;
	}
	qsort(shared->ns, count, sizeof(shared->ns[0]), compare);
	bench_sample(&half[i], shared->ns[count / 2] / 1e3);
	bench_sample(&most[i], shared->ns[count - 1 - count / 1000] / 1e3);
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
	if ((bench_only && !strstr(system->name, bench_only)) || strstr(system->name, "-nocsum"))
		return false;
	return system->ops->consume || system->program || system->stack;
}

static void report(const char *name, struct bench_series *series, const char *metric)
{
	size_t i;

	for (i = 0; i < rx_system_count; i++) {
		if (!takes_part(&rx_systems[i]))
			continue;
		bench_report(name, rx_systems[i].name, metric, "us", &series[i]);
		if (!series[i].count)
			bench_report_why(rx_systems[i].why);
	}
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
	memset(half, 0, sizeof(half));
	memset(most, 0, sizeof(most));
	for (i = 0; i < rx_system_count; i++) {
		rx_systems[i].broken = false;
		*rx_systems[i].why = 0;
	}
	for (round = 0; round < ROUNDS; round++) {
		for (i = 0; i < rx_system_count; i++) {
			if (!takes_part(&rx_systems[i]) || *rx_systems[i].why)
				continue;
			err = measure(&rx_systems[i], wait);
			if (err && !*rx_systems[i].why)
				snprintf(rx_systems[i].why, sizeof(rx_systems[i].why), "%s",
					 strerror(-err));
		}
	}
	report(name, half, "us_median");
	report(name, most, "us_p999");
	bench_report_table(stdout);
	return 0;
}

int bench_rx_latency(void)
{
	int err = run_case("rx-latency-busy", RX_BUSY);

	return err ? err : run_case("rx-latency-sleep", RX_SLEEP);
}
