/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * main.c - run the program tests: `prog` runs all suites, `prog NAME...` those named.
 *
 * Exit code 0 if every test passed, 1 if one failed, 2 if there is no suite of that name.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "suites.h"

static const struct {
	const char *name;
	Suite *(*make)(void);
} suites[] = {
#define X(name) {#name, suite_##name},
	SUITES(X)
#undef X
};

static int add(SRunner *runner, const char *name)
{
	int i;

	for (i = 0; i < COUNT(suites); i++) {
		if (strcmp(suites[i].name, name))
			continue;
		srunner_add_suite(runner, suites[i].make());
		return 0;
	}
	fprintf(stderr, "no suite '%s'\n", name);
	return -1;
}

int main(int argc, char **argv)
{
	SRunner *runner = srunner_create(NULL);
	int i, failed;

	for (i = 1; i < argc; i++)
		if (add(runner, argv[i]))
			return 2;
	for (i = 0; argc == 1 && i < COUNT(suites); i++)
		add(runner, suites[i].name);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
