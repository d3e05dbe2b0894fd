/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * main.c - run the cases that are asked for, print the table, write the report.
 *
 * Exit: 0 measured (whatever came out), 1 could not measure, 2 usage.
 */
#include <getopt.h>
#include <libgen.h>
#include <stdlib.h>
#include <string.h>

#include <bpf/libbpf.h>

#include "bench.h"
#include "rx.h"

static const char help[] =
	"Usage: bench [-r FILE] [-p] [-s SYSTEM] [-n ROUNDS] [CASE...]\n"
	"\n"
	"Measures the cases whose name contains one of CASE; all of them without any.\n"
	"As root. Cases veth-*, rx-* and tx-* want interfaces that scripts/bench.sh makes.\n"
	"\n"
	"  -r, --report FILE  write the results there as JSON as well, and pictures beside it\n"
	"  -s, --system NAME  of the cases rx-* and tx-* only those systems whose name contains "
	"NAME\n"
	"  -n, --rounds N     of the cases rx-* no more than N rounds: to see that all works\n"
	"  -p, --profile      tell what a packet's time is made of, by switching stages off\n"
	"  -h, --help         this\n";

static const struct option options[] = {
	{"report", required_argument, NULL, 'r'}, {"system", required_argument, NULL, 's'},
	{"rounds", required_argument, NULL, 'n'}, {"profile", no_argument, NULL, 'p'},
	{"help", no_argument, NULL, 'h'},	  {NULL, 0, NULL, 0},
};

static char *const *wanted;
static bool found; /* a case of such a name */
static char known[4096];
const char *bench_only;
static unsigned int most_rounds = BENCH_ROUNDS_MAX;

unsigned int bench_rounds(unsigned int rounds)
{
	return rounds < most_rounds ? rounds : most_rounds;
}

bool bench_wanted(const char *name)
{
	char *const *text;

	if (!strstr(known, name))
		snprintf(known + strlen(known), sizeof(known) - strlen(known), " %s", name);
	for (text = wanted; *text; text++)
		if (strstr(name, *text))
			break;
	if (!*text && text != wanted)
		return false;
	found = true;
	return true;
}

static int say_warnings(enum libbpf_print_level level, const char *format, va_list args)
{
	return level == LIBBPF_WARN ? vfprintf(stderr, format, args) : 0;
}

static int measure(bool profile)
{
	int err;

	if (profile)
		return bench_profile();
	err = bench_program();
	if (!err)
		err = bench_rx();
	if (!err)
		err = bench_rx_latency();
	if (!err)
		err = bench_rx_tap();
	if (!err)
		err = bench_tx();
	if (!err)
		err = bench_tx_paced();
	rx_stand_close();
	return err;
}

static int fail(const char *what, int err)
{
	fprintf(stderr, "bench: %s: %s\n", what, strerror(-err));
	return 1;
}

/* The report, and pictures in its directory. */
static int write_down(const char *report)
{
	char directory[256];
	int err = bench_report_json(report);

	if (err)
		return fail(report, err);
	snprintf(directory, sizeof(directory), "%s", report);
	err = bench_pictures(dirname(directory));
	return err ? fail("pictures", err) : 0;
}

static int run(bool profile, const char *report)
{
	int err = measure(profile);

	if (err)
		return fail("measure", err);
	if (profile)
		return 0;
	if (!found) {
		fprintf(stderr, "bench: no such case; there are:%s\n", known);
		return 2;
	}
	bench_report_table(stdout);
	bench_report_notes(stdout);
	return report ? write_down(report) : 0;
}

int main(int argc, char **argv)
{
	const char *report = NULL;
	bool profile = false;
	int c;

	while ((c = getopt_long(argc, argv, "r:s:n:ph", options, NULL)) != -1) {
		switch (c) {
		case 'r':
			report = optarg;
			break;
		case 's':
			bench_only = optarg;
			break;
		case 'n':
			most_rounds = atoi(optarg);
			break;
		case 'p':
			profile = true;
			break;
		case 'h':
			fputs(help, stdout);
			return 0;
		default:
			fputs(help, stderr);
			return 2;
		}
	}
	wanted = argv + optind;
	libbpf_set_print(say_warnings);
	return run(profile, report);
}
