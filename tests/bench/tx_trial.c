/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * tx_trial.c - send for a while on CPU 0 and see what arrived.
 *
 * In: a system, the traffic; the peer is there. Out: packets a second that arrived, CPU time for
 * them on all CPUs, and how many of those that the system says it sent did not arrive.
 *
 * The time is that of the threads that work here: this process with the reader and io_uring's
 * workers, the peer's process, and ksoftirqd. The kernel runs all the rest of it in their context.
 */
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "tx.h"

#define WARM_SECONDS 0.01
#define TRIAL_SECONDS 0.15
#define BUSY_SECONDS 1.0
#define SETTLE_SECONDS 0.02 /* nothing more has come for so long */
#define PATIENCE_SECONDS 3.0

#define KSOFTIRQD "ksoftirqd/"
#define CPUS_MAX 64u

static bool is_softirq(const char *pid)
{
	char path[280], name[32] = "";
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%s/comm", pid);
	file = fopen(path, "re");
	if (!file)
		return false;
	if (!fgets(name, sizeof(name), file))
		*name = 0;
	fclose(file);
	return !strncmp(name, KSOFTIRQD, strlen(KSOFTIRQD));
}

static size_t find_softirqs(int *pids)
{
	DIR *directory = opendir("/proc");
	struct dirent *entry;
	size_t count = 0;

	while (directory && count < CPUS_MAX && (entry = readdir(directory)))
		if (atoi(entry->d_name) && is_softirq(entry->d_name))
			pids[count++] = atoi(entry->d_name);
	if (directory)
		closedir(directory);
	return count;
}

static double softirq_seconds(void)
{
	static int pids[CPUS_MAX];
	static size_t count;
	unsigned long long ns;
	double seconds = 0;
	char path[64];
	FILE *file;
	size_t i;

	if (!count)
		count = find_softirqs(pids);
	for (i = 0; i < count; i++) {
		snprintf(path, sizeof(path), "/proc/%d/schedstat", pids[i]);
		file = fopen(path, "re");
		if (file && fscanf(file, "%llu", &ns) == 1)
			seconds += ns / 1e9;
		if (file)
			fclose(file);
	}
	return seconds;
}

static double clock_seconds(clockid_t clock)
{
	struct timespec ts;

	return clock_gettime(clock, &ts) ? 0 : ts.tv_sec + ts.tv_nsec / 1e9;
}

double tx_cpu_seconds(pid_t peer)
{
	double seconds = clock_seconds(CLOCK_PROCESS_CPUTIME_ID) + softirq_seconds();
	clockid_t clock;

	if (peer > 0 && !clock_getcpuclockid(peer, &clock))
		seconds += clock_seconds(clock);
	return seconds;
}

void tx_settle(uint64_t expected)
{
	double start = bench_now(), last = start;
	uint64_t passes = tx_peer_passes();
	uint64_t arrived = tx_peer_arrived();
	uint64_t before;

	while (arrived < expected && bench_now() < start + PATIENCE_SECONDS) {
		usleep(500);
		before = arrived;
		arrived = tx_peer_arrived();
		if (arrived != before) {
			last = bench_now();
			passes = tx_peer_passes();
		}
		if (bench_now() > last + SETTLE_SECONDS && tx_peer_passes() > passes + 1)
			break;
	}
}

static int send_for(struct tx_system *system, double seconds, double *took)
{
	const struct tx_ops *ops = system->ops;
	double start = bench_now();
	int err = 0;

	if (ops->send_for)
		return ops->send_for(system, seconds, took);
	while (!err && bench_now() < start + seconds)
		err = ops->send(system);
	if (!err && ops->finish)
		err = ops->finish(system);
	*took = bench_now() - start;
	return err;
}

/* The first packets find out about routes and touch memory for the first time. */
static int warm_up(struct tx_system *system)
{
	uint64_t arrived = tx_peer_arrived();
	uint64_t sent = system->sent;
	double took;
	int err = send_for(system, WARM_SECONDS, &took);

	tx_settle(arrived + system->sent - sent);
	tx_peer_forget();
	return err;
}

static int all_reached(struct tx_system *system, const struct tx_traffic *traffic)
{
	uint32_t reached = tx_peer_reached();

	if (reached == traffic->destinations)
		return 0;
	snprintf(system->why, sizeof(system->why), "packets came for %u of %u destinations",
		 reached, traffic->destinations);
	return -EIO;
}

/* Seconds for which this thread, or the peer's process, could not run for others. */
double tx_waited(pid_t peer)
{
	unsigned long long ran, waited;
	double seconds = bench_waited();
	char path[64];
	FILE *file;

	if (peer <= 0)
		return seconds;
	snprintf(path, sizeof(path), "/proc/%d/schedstat", peer);
	file = fopen(path, "re");
	if (file && fscanf(file, "%llu %llu", &ran, &waited) == 2)
		seconds = waited / 1e9;
	if (file)
		fclose(file);
	return seconds;
}

static int measure(struct tx_system *system, const struct tx_traffic *traffic,
		   struct tx_trial *trial)
{
	double waited = tx_waited(system->pid);
	uint64_t before = tx_peer_arrived();
	uint64_t said = system->sent;
	double busy = tx_cpu_seconds(system->pid);
	double took, sent, arrived;
	int err = send_for(system, TRIAL_SECONDS, &took);

	if (err)
		return err;
	sent = system->sent - said;
	tx_settle(before + system->sent - said);
	arrived = tx_peer_arrived() - before;
	busy = tx_cpu_seconds(system->pid) - busy;
	trial->spoilt = (tx_waited(system->pid) - waited) / took > TX_SPOILT;
	trial->mpps = arrived / took / 1e6;
	trial->cpu_s_per_gb = busy / (arrived * traffic->size) * 1e9;
	trial->lost = (1 - arrived / sent) * 1e6;
	return all_reached(system, traffic);
}

/* A queue is free some time after the socket that had it was closed. */
static int open_patiently(struct tx_system *system, const struct tx_traffic *traffic)
{
	double until = bench_now() + BUSY_SECONDS;
	int err;

	do {
		err = system->ops->open(system, traffic);
		if (err == -EBUSY)
			usleep(5000);
	} while (err == -EBUSY && bench_now() < until);
	return err;
}

void tx_say_spoilt(void)
{
	bench_note("tx-*: other work on CPU 0 kept senders waiting for more than %.0f %% of the "
		   "time, %u times in a row",
		   TX_SPOILT * 100, TX_TRIES);
}

int tx_try(struct tx_system *system, const struct tx_traffic *traffic, struct tx_trial *trial)
{
	unsigned int tries;
	int err;

	system->sent = 0;
	err = open_patiently(system, traffic);
	if (err)
		return err;
	err = warm_up(system);
	trial->spoilt = true;
	for (tries = 0; !err && trial->spoilt && tries < TX_TRIES; tries++)
		err = measure(system, traffic, trial);
	if (!err && trial->spoilt)
		tx_say_spoilt();
	system->ops->close(system);
	return err;
}
