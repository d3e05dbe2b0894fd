/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * measure.c - clocks, medians, and where a thread runs. Nothing here knows what is measured.
 */
#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "bench.h"

static double clock_seconds(clockid_t clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	return ts.tv_sec + ts.tv_nsec / 1e9;
}

double bench_now(void)
{
	return clock_seconds(CLOCK_MONOTONIC);
}

double bench_waited_of(pid_t thread)
{
	unsigned long long ran, waited = 0;
	char path[64];
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/schedstat", thread);
	file = fopen(path, "re");
	if (!file)
		return 0;
	if (fscanf(file, "%llu %llu", &ran, &waited) != 2)
		waited = 0;
	fclose(file);
	return waited / 1e9;
}

double bench_waited(void)
{
	return bench_waited_of(gettid());
}

/* All processors' time less what they were idle or not ours; proc(5), /proc/stat. */
double bench_machine_busy(void)
{
	unsigned long long idle, iowait, steal;
	double busy = 0;
	unsigned int cpu;
	char line[512];
	FILE *file = fopen("/proc/stat", "re");

	if (!file)
		return 0;
	while (fgets(line, sizeof(line), file))
		/* Not the sum of all, which has no number. */
		if (isdigit(line[3]) && sscanf(line, "cpu%u %*u %*u %*u %llu %llu %*u %*u %llu",
					       &cpu, &idle, &iowait, &steal) == 4)
			busy += bench_now() -
				(double)(idle + iowait + steal) / sysconf(_SC_CLK_TCK);
	fclose(file);
	return busy;
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a;
	double y = *(const double *)b;

	return (x > y) - (x < y);
}

double bench_median(double *samples, size_t count)
{
	if (!count)
		return NAN;
	qsort(samples, count, sizeof(*samples), compare);
	if (count % 2)
		return samples[count / 2];
	return (samples[count / 2 - 1] + samples[count / 2]) / 2;
}

int bench_pin_cpu(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	return sched_setaffinity(0, sizeof(set), &set) ? -errno : 0;
}

void bench_real_time(void)
{
	const struct sched_param param = {.sched_priority = 10};

	if (sched_setscheduler(0, SCHED_FIFO, &param))
		setpriority(PRIO_PROCESS, gettid(), -20);
}

uint64_t bench_memory_free(void)
{
	unsigned long long kib = 0;
	char line[128];
	FILE *file = fopen("/proc/meminfo", "re");

	if (!file)
		return 0;
	while (fgets(line, sizeof(line), file))
		if (sscanf(line, "MemAvailable: %llu", &kib) == 1)
			break;
	fclose(file);
	return kib * 1024;
}
