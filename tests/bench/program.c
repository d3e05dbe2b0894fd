/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * program.c - the cases program-*: what placing a packet costs, beside programs that do less.
 *
 * In: nothing but the names of the cases asked for. Out: ns_per_packet of each system. All
 * systems get the same packets through the same program that takes turns; the cost of that one,
 * which is the difference of the empty program with and without it, is taken off every system.
 */
#include <errno.h>
#include <math.h>
#include <string.h>

#include "program.h"
#include "program.skel.h"

#define ROUNDS 25u
#define SLICES 250u
#define LATE_ALLOWED 4u /* packets early at the end of a measurement */

struct program_case {
	const char *name;
	struct program_traffic traffic;
	uint32_t pages; /* that the floors copy into: as many as xdplace has in use */
	uint64_t umem;	/* bytes; 0: default */
	uint32_t table; /* flows that the table holds; 0: default */
	bool floors;
};

static const struct program_case cases[] = {
	{"program-tcp1514-1flow", {1, 1514, 1460, 0, 0}, 64, 0, 0, true},
	{"program-tcp1514-late-1in100", {1, 1514, 1460, 3, 100}, 64, 0, 0, true},
	{"program-tcp1514-late-1in20", {1, 1514, 1460, 3, 20}, 64, 0, 0, true},
	{"program-tcp1514-late-1in5", {1, 1514, 1460, 3, 5}, 64, 0, 0, true},
	{"program-ack64", {1, 64, 0, 0, 0}, 64, 0, 0, false},
	{"program-tcp1514-1000flows", {1000, 1514, 1460, 0, 0}, 1000, 0, 0, true},
	{"program-tcp1514-100000flows",
	 {100000, 1514, 1460, 0, 0},
	 100000,
	 512u << 20,
	 131072,
	 true},
};

enum { EMPTY, COPY, COPY_CSUM, NOCSUM, XDPLACE, SYSTEMS };

struct program_run {
	const struct program_case *what;
	struct program_stand stand;
	struct program_system system[SYSTEMS];
	struct bench_placed placed;
	struct bench_placed placed_nocsum;
	struct bench_series alone; /* the empty program without taking turns */
};

static int open_placed(struct program_run *run, struct program_system *system,
		       struct bench_placed *placed, bool no_checksum)
{
	struct xdplace_opts opts = {
		.size = sizeof(opts),
		.umem_size = run->what->umem,
		.flows = run->what->table,
		.flow_age_ms = UINT32_MAX,
		.lanes = 1,
		.no_checksum = no_checksum,
	};
	int err = bench_placed_open(placed, &opts, "take tcp");

	if (err) {
		bench_note("%s: %s not measured: %s", run->what->name, system->name,
			   xdplace_error());
		return err;
	}
	system->prog = bench_placed_prog(placed);
	system->placed = placed;
	return 0;
}

static int start(struct program_run *run, struct program_system *system)
{
	int err = program_start(&run->stand, system, &run->what->traffic);

	if (!err)
		return 0;
	bench_note("%s: %s not measured: %s", run->what->name, system->name, strerror(-err));
	system->prog = -1;
	return err;
}

static int open_systems(struct program_run *run)
{
	static const char *const names[SYSTEMS] = {
		[EMPTY] = "empty",	     [COPY] = "copy-floor", [COPY_CSUM] = "copy-csum-floor",
		[NOCSUM] = "xdplace-nocsum", [XDPLACE] = "xdplace",
	};
	struct program_system *system = run->system;
	struct program_bpf *skel = run->stand.skel;
	int i;

	for (i = 0; i < SYSTEMS; i++) {
		system[i].name = names[i];
		system[i].prog = -1;
	}
	system[EMPTY].prog = bpf_program__fd(skel->progs.empty);
	if (run->what->floors) {
		system[COPY].prog = bpf_program__fd(skel->progs.copy_floor);
		system[COPY_CSUM].prog = bpf_program__fd(skel->progs.copy_csum_floor);
		open_placed(run, &system[NOCSUM], &run->placed_nocsum, true);
	}
	open_placed(run, &system[XDPLACE], &run->placed, false);
	for (i = 0; i < SYSTEMS; i++)
		if (system[i].prog >= 0)
			start(run, &system[i]);
	return system[EMPTY].prog < 0 ? -EIO : 0;
}

/* What fails for one system is no reason not to measure the others. */
static void measure_system(struct program_run *run, struct program_system *system)
{
	double ns;

	if (system->prog < 0)
		return;
	ns = program_measure(&run->stand, system, SLICES);
	if (ns >= 0) {
		bench_sample(&system->series, ns);
		return;
	}
	bench_note("%s: %s failed: %s", run->what->name, system->name, strerror((int)-ns));
	system->prog = -1;
	system->series.count = 0;
}

static int measure_round(struct program_run *run)
{
	double ns = program_measure_empty(&run->stand, &run->system[EMPTY]);
	int i;

	if (ns < 0)
		return ns;
	bench_sample(&run->alone, ns);
	for (i = 0; i < SYSTEMS; i++)
		measure_system(run, &run->system[i]);
	return 0;
}

/* What taking turns costs is taken off all samples; returns it. */
static double subtract_turn(struct program_run *run)
{
	struct bench_series with = run->system[EMPTY].series;
	double turn = bench_median(with.sample, with.count) -
		      bench_median(run->alone.sample, run->alone.count);
	size_t i, j;

	for (i = 0; i < SYSTEMS; i++)
		for (j = 0; j < run->system[i].series.count; j++)
			run->system[i].series.sample[j] -= turn;
	return turn;
}

/* Op-codes and reasons of all packets of a system, in words. */
static void fates(const struct bench_placed *placed, char *text, size_t size)
{
	struct xp_counters counters;
	const uint64_t *count = (const uint64_t *)&counters;
	unsigned int i;
	size_t at = 0;

	*text = 0;
	if (xdplace_stats(placed->ctx, XP_NONE, &counters) < 0)
		return;
	for (i = 0; i < XP_OPCODE_COUNT + XP_REASON_COUNT && at < size; i++)
		if (count[i])
			at += snprintf(text + at, size - at, " %s %llu",
				       i < XP_OPCODE_COUNT
					       ? xdplace_opcode_name(i)
					       : xdplace_reason_name(i - XP_COUNTER_REASON),
				       (unsigned long long)count[i]);
}

/*
 * Were they the packets that the case is about? What comes early is told again in sequence, in
 * other pieces, so that there bytes count; the last of them may still be waited for.
 */
static bool as_meant(const struct program_run *run, const struct program_system *system)
{
	const struct bench_placed *placed = system->placed;
	const uint64_t *opcode = placed->opcode;

	if (placed->gaps)
		return false;
	if (run->what->traffic.late)
		return placed->bytes >=
		       (system->packets - LATE_ALLOWED) * run->what->traffic.payload;
	return opcode[XP_FIRST] + opcode[XP_APPEND] + opcode[XP_NODATA] == system->packets;
}

static void check_placed(const struct program_run *run, const struct program_system *system)
{
	char text[160];

	if (!system->placed || system->prog < 0 || as_meant(run, system))
		return;
	fates(system->placed, text, sizeof(text));
	bench_note("%s: %s: not as meant: of %llu packets%s", run->what->name, system->name,
		   (unsigned long long)system->packets, text);
}

static void report(struct program_run *run)
{
	double turn = subtract_turn(run);
	int i;

	for (i = 0; i < SYSTEMS; i++) {
		if (!run->what->floors && (i == COPY || i == COPY_CSUM || i == NOCSUM))
			continue;
		bench_report(run->what->name, run->system[i].name, "ns_per_packet", "ns",
			     &run->system[i].series);
		check_placed(run, &run->system[i]);
	}
	bench_note("%s: %.1f ns for taking turns were taken off every value", run->what->name,
		   turn);
}

static int run_case(const struct program_case *what)
{
	static struct program_run run;
	unsigned int i;
	int err;

	memset(&run, 0, sizeof(run));
	run.what = what;
	err = program_stand_open(&run.stand, what->pages, what->traffic.flows > 1);
	if (err)
		return err;
	err = open_systems(&run);
	for (i = 0; !err && i < ROUNDS; i++)
		err = measure_round(&run);
	if (!err)
		report(&run);
	bench_placed_close(&run.placed);
	bench_placed_close(&run.placed_nocsum);
	program_stand_close(&run.stand);
	return err;
}

/* Three memories of that size, and something for the rest of the machine. */
static bool enough_memory(const struct program_case *what)
{
	uint64_t need = 3 * what->umem + (256u << 20);

	if (bench_memory_free() >= need)
		return true;
	bench_note("%s: skipped, it needs %llu MiB of memory", what->name,
		   (unsigned long long)(need >> 20));
	return false;
}

int bench_program(void)
{
	size_t i;
	int err = 0;

	bench_pin_cpu(0);
	for (i = 0; !err && i < sizeof(cases) / sizeof(cases[0]); i++)
		if (bench_wanted(cases[i].name) && enough_memory(&cases[i]))
			err = run_case(&cases[i]);
	return err;
}
