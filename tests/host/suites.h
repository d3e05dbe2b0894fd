/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * suites.h - the suites of the host tests: one line here for each file t_NAME.c, which defines
 * `Suite *suite_NAME(void)`.
 */
#ifndef SUITES_H
#define SUITES_H

#include <check.h>

#define SUITES(X)                                                                                  \
	X(rule)                                                                                    \
	X(key)                                                                                     \
	X(lib)                                                                                     \
	X(lane)                                                                                    \
	X(parse)                                                                                   \
	X(train)                                                                                   \
	X(fragment)                                                                                \
	X(sequence)                                                                                \
	X(opcode)                                                                                  \
	X(rtp)                                                                                     \
	X(pacer)                                                                                   \
	X(face)                                                                                    \
	X(way)

#define X(name) Suite *suite_##name(void);
SUITES(X)
#undef X

#define COUNT(array) ((int)(sizeof(array) / sizeof((array)[0])))

#endif
