/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * main.c - run the host tests: `host` runs all suites, `host NAME...` those named.
 */
#include "../runner.h"
#include "suites.h"

static const struct named_suite suites[] = {
#define X(name) {#name, suite_##name},
	SUITES(X)
#undef X
};

int main(int argc, char **argv)
{
	return run_suites(argc, argv, suites, COUNT(suites));
}
