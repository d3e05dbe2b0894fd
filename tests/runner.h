/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * runner.h - the main() of a libcheck binary: all suites without arguments, else those named.
 *
 * Exit code 0 if every test passed, 1 if one failed, 2 if there is no suite of that name.
 */
#ifndef RUNNER_H
#define RUNNER_H

#include <check.h>
#include <stdio.h>
#include <string.h>

struct named_suite {
	const char *name;
	Suite *(*make)(void);
};

static int add_suite(SRunner *runner, const struct named_suite *suites, int count, const char *name)
{
	int i;

	for (i = 0; i < count; i++) {
		if (strcmp(suites[i].name, name))
			continue;
		srunner_add_suite(runner, suites[i].make());
		return 0;
	}
	fprintf(stderr, "no suite '%s'\n", name);
	return -1;
}

static int run_suites(int argc, char **argv, const struct named_suite *suites, int count)
{
	SRunner *runner = srunner_create(NULL);
	int i, failed;

	for (i = 1; i < argc; i++)
		if (add_suite(runner, suites, count, argv[i]))
			return 2;
	for (i = 0; argc == 1 && i < count; i++)
		add_suite(runner, suites, count, suites[i].name);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}

#endif
