/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * tx_paced.c - the case tx-paced-1000x2mbit: 1,000 streams of 2 Mbit/s, packets of 1400 bytes.
 *
 * In: the peer, which takes the time of each packet in its XDP program. Out: for each system
 *   cpus       processors that were busy, of all
 *   us_median, us_p999  how far the time between two packets of a stream was from 5.6 ms, over
 *              all packets of all streams
 *   gbit_per_s that arrived; and lost, as in the other cases
 *
 * All streams begin one after the other within 5.6 ms, and are due at even distances.
 */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>

#include "tx.h"

#define CASE "tx-paced-1000x2mbit"
#define SECONDS 2.0
#define WARM_SECONDS 0.1
#define ROUNDS 3u

static const struct tx_traffic traffic = {TX_STREAM_SIZE, TX_STREAMS, 1};

enum metric { CPUS, MEDIAN, P999, GBIT, LOST, METRICS };
_Static_assert(METRICS == TX_PACED_METRICS, "a series for each");

static const struct {
	const char *name;
	const char *unit;
} metrics[METRICS] = {
	[CPUS] = {"cpus", "CPUs"},  [MEDIAN] = {"us_median", "us"},
	[P999] = {"us_p999", "us"}, [GBIT] = {"gbit_per_s", "Gbit/s"},
	[LOST] = {"lost", "ppm"},
};

static struct tx_paced systems[] = {
	{.name = "run",
	 .open = tx_paced_open_pacer,
	 .run = tx_paced_run_pacer,
	 .close = tx_paced_close_pacer},
	{.name = "sendmmsg-timer",
	 .tick = 0.001,
	 .open = tx_paced_open_sockets,
	 .run = tx_paced_run_sockets,
	 .close = tx_paced_close_sockets},
	{.name = "sendmmsg-interval",
	 .tick = TX_STREAM_GAP / 4,
	 .as = &systems[0],
	 .open = tx_paced_open_sockets,
	 .run = tx_paced_run_sockets,
	 .close = tx_paced_close_sockets},
	{.name = "so-max-pacing-rate",
	 .tick = 0.02,
	 .kernel = true,
	 .open = tx_paced_open_sockets,
	 .run = tx_paced_run_sockets,
	 .close = tx_paced_close_sockets},
};
#define SYSTEMS (sizeof(systems) / sizeof(systems[0]))

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a;
	double y = *(const double *)b;

	return (x > y) - (x < y);
}

static int take_gaps(struct tx_paced *paced)
{
	uint32_t i, count;
	const uint32_t *gap = tx_peer_gaps(&count);
	double *off = calloc(count, sizeof(*off));

	if (!count || !off) {
		free(off);
		return -EIO;
	}
	for (i = 0; i < count; i++)
		off[i] = fabs(gap[i] / 1e3 - TX_STREAM_GAP * 1e6);
	qsort(off, count, sizeof(*off), compare);
	bench_sample(&paced->series[MEDIAN], off[count / 2]);
	bench_sample(&paced->series[P999], off[count - 1 - count / 1000]);
	free(off);
	return 0;
}

/* What one run shows. */
struct shown {
	double cpus;
	double gbit_per_s;
	double lost;
};

static int try(struct tx_paced *paced, struct shown *shown, bool *spoilt)
{
	double waited = tx_waited(0), busy = tx_cpu_seconds(0), start = bench_now();
	uint64_t before = tx_peer_arrived();
	double took, arrived;
	int err = paced->run(paced, SECONDS);

	took = bench_now() - start;
	busy = tx_cpu_seconds(0) - busy;
	*spoilt = (tx_waited(0) - waited) / took > TX_SPOILT;
	if (err)
		return err;
	tx_settle(before + paced->sent);
	arrived = tx_peer_arrived() - before;
	*shown = (struct shown){
		.cpus = busy / took,
		.gbit_per_s = arrived * TX_STREAM_SIZE * 8 / took / 1e9,
		.lost = (1 - arrived / paced->sent) * 1e6,
	};
	return 0;
}

static int measure_open(struct tx_paced *paced)
{
	uint64_t before = tx_peer_arrived();
	bool spoilt = true;
	struct shown shown;
	unsigned int tries;
	int err = paced->run(paced, WARM_SECONDS);

	tx_settle(before + paced->sent);
	for (tries = 0; !err && spoilt && tries < TX_TRIES; tries++) {
		tx_peer_forget();
		err = try(paced, &shown, &spoilt);
	}
	if (err)
		return err;
	if (spoilt)
		tx_say_spoilt();
	bench_sample(&paced->series[CPUS], shown.cpus);
	bench_sample(&paced->series[GBIT], shown.gbit_per_s);
	bench_sample(&paced->series[LOST], shown.lost);
	return take_gaps(paced);
}

static void measure(struct tx_paced *paced)
{
	int err;

	if (paced->as && paced->as->tick > 0)
		paced->tick = paced->as->tick;
	err = paced->open(paced);
	if (!err)
		err = measure_open(paced);
	paced->close(paced);
	if (!err)
		return;
	paced->failed = true;
	if (!*paced->why)
		snprintf(paced->why, sizeof(paced->why), "%s", strerror(-err));
}

static void report(void)
{
	size_t metric;
	struct tx_paced *paced;

	for (metric = 0; metric < METRICS; metric++) {
		for (paced = systems; paced < systems + SYSTEMS; paced++) {
			if (bench_only && !strstr(paced->name, bench_only))
				continue;
			bench_report(CASE, paced->name, metrics[metric].name, metrics[metric].unit,
				     &paced->series[metric]);
			if (paced->failed)
				bench_report_why(paced->why);
		}
	}
	bench_report_table(stdout);
}

static void run_rounds(void)
{
	struct tx_paced *paced;
	unsigned int round;

	for (round = 0; round < ROUNDS; round++)
		for (paced = systems; paced < systems + SYSTEMS; paced++)
			if (!paced->failed && (!bench_only || strstr(paced->name, bench_only)))
				measure(paced);
}

int bench_tx_paced(void)
{
	struct tx_paced *paced;
	int err;

	if (!bench_wanted(CASE) || !tx_possible(CASE))
		return 0;
	err = tx_data_open();
	bench_pin_cpu(0);
	bench_real_time();
	prctl(PR_SET_TIMERSLACK, 1);
	if (!err)
		err = tx_peer_open(TX_TIMES, &traffic);
	if (err)
		return err;
	run_rounds();
	tx_peer_close();
	tx_data_close();
	report();
	for (paced = systems; paced < systems + SYSTEMS; paced++)
		if (!paced->failed)
			bench_note(CASE ": %s looks every %.1f ms at what is due", paced->name,
				   paced->tick * 1e3);
	return 0;
}
