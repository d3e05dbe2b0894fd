/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * main.c - run the program tests: `prog` runs all suites, `prog NAME...` those named, `prog out`
 * and `prog out NAME...` those that packets going out must pass as well.
 */
#include "../runner.h"
#include "stand.h"
#include "suites.h"

static const struct named_suite suites[] = {
#define X(name) {#name, suite_##name},
	SUITES(X)
#undef X
};

/* What is the same for packets that go out, through the egress program. */
static const struct named_suite out_suites[] = {
	{"tcp", suite_tcp},
	{"holes", suite_holes},
	{"udp", suite_udp},
	{"checksum", suite_checksum},
};

int main(int argc, char **argv)
{
	/* The quick ones; `prog out` takes its time. */
	char *quick[] = {argv[0], "tcp", "udp"};
	int failed;

	if (argc > 1 && !strcmp(argv[1], "out")) {
		stand_send(true);
		return run_suites(argc - 1, argv + 1, out_suites, COUNT(out_suites));
	}
	failed = run_suites(argc, argv, suites, COUNT(suites));
	if (argc > 1)
		return failed;
	printf("The same, going out:\n");
	stand_send(true);
	return run_suites(COUNT(quick), quick, out_suites, COUNT(out_suites)) || failed;
}
