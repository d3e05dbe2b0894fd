/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * rx.c - the cases of receiving: how fast, at what cost, how many flows, how much out of order.
 *
 * In: the names of the cases asked for. Out: for each system
 *   veth-*, rx-rate-*  gbit_per_s: payload that was in place in order, at the highest rate at which
 *                      nothing was lost
 *   rx-cpu-*           cpu_s_per_gb: time that both CPUs were not idle, for 10^9 bytes, at one rate
 *                      for all; and without what the same traffic takes if it is thrown away by an
 *                      XDP program, which is the generator and the driver (net_s_per_gb)
 *   rx-reorder-*       both, with packets that come late
 *   rx-flows-*         net_ns_per_packet at one rate, flows in turn; mib: memory that the system
 *                      holds once they are all open
 * and where a packet's time goes, at the same rate: cpu0_ns_per_packet in the context in which it
 * comes in, generator and driver included, cpu1_ns_per_packet in the consumer.
 */
#include <errno.h>
#include <malloc.h>
#include <math.h>
#include <string.h>
#include <unistd.h>

#include "rx.h"

#define BUSY_LOAD 0.1	      /* processors */
#define FLOWS_PACKETS 100000u /* each of another flow, after the first of each */

enum metric { GBIT, CPU, NET, NS, MIB, CPU0, CPU1, METRICS };

struct metric_name {
	const char *name;
	const char *unit;
};

static const struct metric_name metrics[METRICS] = {
	[GBIT] = {"gbit_per_s", "Gbit/s"},
	[CPU] = {"cpu_s_per_gb", "s/GB"},
	[NET] = {"net_s_per_gb", "s/GB"},
	[NS] = {"net_ns_per_packet", "ns"},
	[MIB] = {"mib", "MiB"},
	[CPU0] = {"cpu0_ns_per_packet", "ns"},
	[CPU1] = {"cpu1_ns_per_packet", "ns"},
};

enum { SEARCH = 1, COST = 2, FLOWS = 4 };

struct rx_case {
	const char *name;
	struct rx_traffic traffic;
	unsigned int rounds;
	double rate;	      /* packets a second, where it is the same for all */
	bool peers;	      /* other people's programs as well */
	unsigned int measure; /* SEARCH ... */
};

#define CPU_RATE 180000.0 /* 2 Gbit/s */
#define FAST_CPU_RATE 1000000.0
#define COST_TRIES 3u
#define CPU_SECONDS 0.7
#define CPU_PACKETS 250000u /* at least: the machine counts in hundredths of a second */
#define FLOWS_RATE 100000.0
#define FLOWS_WARM_RATE 250000.0
#define MANY_FLOWS 1000000u
#define FLOWS_SLOWER 0.4
#define FLOWS_WARM_LEAST 10000.0
#define FLOWS_PATIENCE 10.1 /* seconds for the first packets of all */

#define TCP(flows, train)                                                                          \
	{                                                                                          \
		false, flows, train, 1400, 0, 0                                                    \
	}
#define TCP_LATE(each)                                                                             \
	{                                                                                          \
		false, 16, 100, 1400, 3, each                                                      \
	} /* by three packets */
#define UDP(payload)                                                                               \
	{                                                                                          \
		true, 16, 16, payload, 0, 0                                                        \
	}

static const struct rx_case cases[] = {
	{"veth-tcp1400", TCP(16, 16), 5, 0, false, SEARCH},
	{"rx-rate-tcp1400-1flow", TCP(1, 16), 5, 0, true, SEARCH},
	{"rx-rate-tcp1400-1000flows", TCP(1000, 16), 3, 0, true, SEARCH},
	{"rx-rate-udp64", UDP(64), 3, 0, true, SEARCH},
	{"rx-rate-udp512", UDP(512), 3, 0, true, SEARCH},
	{"rx-rate-udp1400", UDP(1400), 3, 0, true, SEARCH},
	{"rx-cpu-tcp1400-2gbit", TCP(16, 16), 3, CPU_RATE, true, COST},
	{"rx-cpu-tcp1400-11gbit", TCP(16, 16), 3, FAST_CPU_RATE, true, COST},
	{"rx-reorder-0pct", TCP(16, 100), 3, FAST_CPU_RATE, true, SEARCH | COST},
	{"rx-reorder-1pct", TCP_LATE(100), 3, FAST_CPU_RATE, true, SEARCH | COST},
	{"rx-reorder-5pct", TCP_LATE(20), 3, FAST_CPU_RATE, true, SEARCH | COST},
	{"rx-flows-1000", TCP(1000, 1), 3, FLOWS_RATE, true, FLOWS},
	{"rx-flows-10000", TCP(10000, 1), 3, FLOWS_RATE, true, FLOWS},
	{"rx-flows-100000", TCP(100000, 1), 3, FLOWS_RATE, true, FLOWS},
	{"rx-flows-1000000", TCP(1000000, 1), 2, FLOWS_RATE, true, FLOWS},
};

static struct bench_series series[METRICS][RX_SYSTEMS_MAX];
static double hints[RX_SYSTEMS_MAX];
static char excuses[RX_SYSTEMS_MAX][sizeof(rx_systems->why)]; /* of the last round that failed */
/* Flows that were too many for it, and why: there is no use in trying more. */
static uint32_t too_many[RX_SYSTEMS_MAX];
static char too_many_why[RX_SYSTEMS_MAX][sizeof(rx_systems->why)];
static double warm_rates[RX_SYSTEMS_MAX]; /* at which first packets are not lost */
static double
	idle_load; /* seconds of CPU that this machine takes in a second for nothing of ours */

static struct bench_series *series_of(enum metric metric, const struct rx_system *system)
{
	return &series[metric][system - rx_systems];
}

static void excuse(struct rx_system *system, const char *why)
{
	if (!*system->why)
		snprintf(system->why, sizeof(system->why), "%s", why);
}

/* Throws the packets away, or never sends them: it has no part of its own. */
static bool is_base(const struct rx_system *system)
{
	return !system->ops->consume && !system->program && !system->stack;
}

/*
 * Of all CPUs. If the machine has other work to do, what it does beside that work can not be told
 * from what it does for us: then only the two threads' time counts.
 */
static double cpu_seconds(const struct rx_trial *trial)
{
	if (idle_load > BUSY_LOAD)
		return trial->cpu0_s + trial->cpu1_s;
	return trial->machine_s - idle_load * trial->seconds;
}

static void sample_parts(const struct rx_system *system, const struct rx_trial *trial,
			 uint32_t payload)
{
	double packets = trial->gigabytes * 1e9 / payload;

	bench_sample(series_of(CPU0, system), trial->cpu0_s * 1e9 / packets);
	if (!is_base(system))
		bench_sample(series_of(CPU1, system), trial->cpu1_s * 1e9 / packets);
}

/* ---- the highest rate ---- */

static int measure_rate(const struct rx_case *what, struct rx_system *system)
{
	struct rx_trial best = {0};
	struct rx_run run;
	int err = rx_start(&run, system, &what->traffic, RX_NAP);

	if (err)
		return err;
	err = rx_search(&run, &hints[system - rx_systems], &best);
	rx_stop(&run);
	if (err)
		return err;
	if (!best.good) {
		excuse(system, "lost packets at every rate down to 10,000 a second");
		return -EIO;
	}
	bench_sample(series_of(GBIT, system), best.gbit_per_s);
	if (!(what->measure & COST))
		sample_parts(system, &best, what->traffic.payload);
	if (!what->peers)
		bench_sample(series_of(CPU, system), (best.cpu0_s + best.cpu1_s) / best.gigabytes);
	return 0;
}

/* ---- cost at a rate that all can do ---- */

static int trial_at_rate(const struct rx_case *what, struct rx_run *run, uint32_t packets,
			 struct rx_trial *trial)
{
	int err = rx_try_again(run, what->rate, packets, COST_TRIES, trial);

	if (err || !trial->lost)
		return err;
	snprintf(run->system->why, sizeof(run->system->why), "lost packets at %.0f Gbit/s",
		 what->rate * what->traffic.payload * 8 / 1e9);
	return -EIO;
}

static int measure_cpu(const struct rx_case *what, struct rx_system *system)
{
	struct rx_trial trial;
	struct rx_run run;
	int err = rx_start(&run, system, &what->traffic, RX_LONG_NAP);

	if (err)
		return err;
	err = trial_at_rate(what, &run, fmax(what->rate * CPU_SECONDS, CPU_PACKETS), &trial);
	rx_stop(&run);
	if (err)
		return err;
	bench_sample(series_of(NET, system), cpu_seconds(&trial) / trial.gigabytes);
	sample_parts(system, &trial, what->traffic.payload);
	return 0;
}

/* ---- many flows ---- */

static uint64_t memory_now(const struct rx_system *system)
{
	const struct rx_ops *ops = system->ops;

	malloc_trim(0);
	return bench_memory_of(ops->process ? ops->process(system) : 0) +
	       (ops == &rx_socket_ops ? bench_memory_sockets() : 0);
}

static int try_flows(const struct rx_case *what, struct rx_run *run, struct rx_trial *trial,
		     bool *too_fast)
{
	double rate = warm_rates[run->system - rx_systems];
	int err = is_base(run->system) ? 0 : rx_warm(run, rate);

	*too_fast = err == -EIO;
	if (!err)
		err = rx_try(run, what->rate, FLOWS_PACKETS, trial);
	if (!err && trial->lost) {
		snprintf(run->system->why, sizeof(run->system->why),
			 "lost packets at %.0f a second", what->rate);
		return -EIO;
	}
	return err;
}

static int run_flows(const struct rx_case *what, struct rx_system *system, struct rx_trial *trial,
		     double *mib, bool *too_fast)
{
	uint64_t before = system->ops->process ? 0 : memory_now(system);
	struct rx_run run;
	int err = rx_start(&run, system, &what->traffic, RX_LONG_NAP);

	*too_fast = false;
	if (err)
		return err;
	err = try_flows(what, &run, trial, too_fast);
	*mib = ((double)memory_now(system) - before) / (1 << 20);
	rx_stop(&run);
	return err;
}

/*
 * Flows that have lost something are of no more use: all begins anew, and slower, as who opens
 * files may take long for a flow's first packet.
 */
static int run_flows_slowly(const struct rx_case *what, struct rx_system *system,
			    struct rx_trial *trial, double *mib)
{
	double *rate = &warm_rates[system - rx_systems];
	double slower;
	bool too_fast;
	int err;

	for (;;) {
		*system->why = 0;
		err = run_flows(what, system, trial, mib, &too_fast);
		slower = *rate * FLOWS_SLOWER;
		if (!too_fast || slower < FLOWS_WARM_LEAST ||
		    what->traffic.flows / slower > FLOWS_PATIENCE)
			return err;
		*rate = slower;
	}
}

static int measure_flows(const struct rx_case *what, struct rx_system *system)
{
	size_t i = system - rx_systems;
	struct rx_trial trial;
	double mib = 0;
	int err;

	if (too_many[i] && too_many[i] < what->traffic.flows) {
		snprintf(system->why, sizeof(system->why), "%.150s, with %u flows already",
			 too_many_why[i], too_many[i]);
		return -EIO;
	}
	err = run_flows_slowly(what, system, &trial, &mib);
	/* Each try takes long. */
	system->broken |= err && what->traffic.flows >= MANY_FLOWS &&
			  !bench_measured(series_of(NS, system)).count;
	if (err)
		return err;
	if (!is_base(system))
		bench_sample(series_of(MIB, system), mib);
	bench_sample(series_of(NS, system),
		     cpu_seconds(&trial) / trial.gigabytes * what->traffic.payload);
	return 0;
}

/* ---- rounds, and what comes out ---- */

static bool takes_part(const struct rx_case *what, const struct rx_system *system)
{
	/* Which has no flows. */
	bool pointless = what->measure == FLOWS && system->copy;
	bool nocsum = strstr(system->name, "-nocsum");
	bool peer = system->program || system->stack || system->mute;

	if (system->host)
		return false;
	if (bench_only && !strstr(system->name, bench_only) && strcmp(system->name, "drop"))
		return false;
	if (nocsum || system->mute)
		return (what->measure == SEARCH || what->measure == COST) && (!peer || what->peers);
	return !pointless && (!peer || what->peers);
}

static void measure_system(const struct rx_case *what, struct rx_system *system)
{
	int err = 0;

	*system->why = 0;
	if (what->measure & SEARCH)
		err = measure_rate(what, system);
	if (!err && what->measure & COST)
		err = measure_cpu(what, system);
	if (!err && what->measure & FLOWS)
		err = measure_flows(what, system);
	if (!err)
		return;
	excuse(system, strerror(-err));
	strcpy(excuses[system - rx_systems], system->why);
}

/* In each round another system begins, and those that could not be opened are left out. */
static void run_round(const struct rx_case *what, unsigned int round)
{
	size_t i, k;
	int metric;

	for (k = 0; k < rx_system_count; k++) {
		i = (round + k) % rx_system_count;
		if (takes_part(what, &rx_systems[i]) && !rx_systems[i].broken)
			measure_system(what, &rx_systems[i]);
	}
	for (i = 0; i < rx_system_count; i++)
		for (metric = 0; metric < METRICS; metric++)
			bench_fill_up(&series[metric][i], round + 1);
}

static void subtract_drop(enum metric metric, const struct rx_system *drop)
{
	struct bench_series base = bench_measured(series_of(metric, drop));
	double less = bench_median(base.sample, base.count);
	size_t i, j;

	for (i = 0; i < rx_system_count; i++)
		for (j = 0; j < series[metric][i].count; j++)
			series[metric][i].sample[j] -= less;
}

static bool has_metric(const struct rx_case *what, const struct rx_system *system,
		       enum metric metric)
{
	switch (metric) {
	case GBIT:
		return what->measure & SEARCH;
	case CPU:
		return what->measure & COST || !what->peers;
	case NET:
		return what->measure & COST && !is_base(system);
	case NS:
	case MIB:
		return what->measure & FLOWS && !is_base(system);
	case CPU0:
		return what->measure != FLOWS;
	case CPU1:
		return what->measure != FLOWS && !is_base(system);
	default:
		return true;
	}
}

static void report_metric(const struct rx_case *what, enum metric metric)
{
	struct rx_system *system = rx_systems;
	size_t i;

	for (i = 0; i < rx_system_count; i++, system++) {
		if (!takes_part(what, system) || !has_metric(what, system, metric))
			continue;
		bench_report(what->name, system->name, metrics[metric].name, metrics[metric].unit,
			     &series[metric][i]);
		bench_report_why(excuses[i]);
	}
}

static void report(const struct rx_case *what)
{
	const struct rx_system *drop = rx_systems;
	int metric;

	while (strcmp(drop->name, "drop"))
		drop++;
	if (what->measure & COST)
		memcpy(series[CPU], series[NET], sizeof(series[CPU]));
	subtract_drop(NET, drop);
	subtract_drop(NS, drop);
	for (metric = 0; metric < METRICS; metric++)
		report_metric(what, metric);
}

/* Nothing of it in any round. */
static void note_too_many(const struct rx_case *what)
{
	size_t i;

	for (i = 0; i < rx_system_count; i++) {
		if (!takes_part(what, &rx_systems[i]) || bench_measured(&series[NS][i]).count ||
		    too_many[i])
			continue;
		too_many[i] = what->traffic.flows;
		strcpy(too_many_why[i], excuses[i]);
	}
}

static void reset(void)
{
	size_t i;

	memset(series, 0, sizeof(series));
	memset(hints, 0, sizeof(hints));
	memset(excuses, 0, sizeof(excuses));
	for (i = 0; i < rx_system_count; i++) {
		rx_systems[i].broken = false;
		warm_rates[i] = FLOWS_WARM_RATE;
	}
}

static void run_case(const struct rx_case *what)
{
	unsigned int round;

	reset();
	for (round = 0; round < bench_rounds(what->rounds); round++)
		run_round(what, round);
	report(what);
	if (what->measure & FLOWS)
		note_too_many(what);
}

/* Two processors that others use as well tell little of what anything costs. */
static void measure_idle(void)
{
	double start = bench_now();
	double busy = bench_machine_busy();

	sleep(1);
	idle_load = (bench_machine_busy() - busy) / (bench_now() - start);
	if (idle_load > BUSY_LOAD)
		bench_note(
			"rx-*: other work took %.2f processors before this began: CPU time is that "
			"of generator and consumer alone, and losses may not be the system's",
			idle_load);
}

static void explain(void)
{
	bench_note("rx-*, veth-*: generator, driver, program and stack on CPU 0, consumers on CPU "
		   "1; rates are of payload in place, in order; drop does nothing with a packet");
	bench_note("rx-*: in turns of 16 packets of a flow (rx-reorder 100, rx-flows 1)");
	bench_note("rx-*: kernel-socket gets the generator's frames too: TCP by TCP_REPAIR");
	bench_note(
		"rx-*: libnids, tcpflow, kernel-socket with GRO; libnids with a ring of 128 MiB");
	bench_note("rx-*: dpdk-gro leaves payload in chains of mbufs and verifies no checksum");
	bench_note("rx-*: net_* is without what drop takes");
}

int bench_rx(void)
{
	size_t i;
	int err;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		if (!bench_wanted(cases[i].name) || !rx_possible(cases[i].name))
			continue;
		err = rx_stand_open();
		if (err)
			return err;
		if (!idle_load)
			measure_idle();
		run_case(&cases[i]);
		bench_report_table(stdout);
		explain();
	}
	return 0;
}
