/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * suites.h - the suites of the program tests: one line here for each file t_NAME.c, which defines
 * `Suite *suite_NAME(void)`.
 */
#ifndef SUITES_H
#define SUITES_H

#include <check.h>

#define SUITES(X)                                                                                  \
	X(tcp)                                                                                     \
	X(holes)                                                                                   \
	X(areas)                                                                                   \
	X(udp)                                                                                     \
	X(fragment)                                                                                \
	X(rtp)                                                                                     \
	X(checksum)                                                                                \
	X(rules)                                                                                   \
	X(table)                                                                                   \
	X(own)                                                                                     \
	X(full)                                                                                    \
	X(lanes)                                                                                   \
	X(hostile)                                                                                 \
	X(egress)                                                                                  \
	X(transmit)                                                                                \
	X(abuse)

#define X(name) Suite *suite_##name(void);
SUITES(X)
#undef X

#define COUNT(array) ((int)(sizeof(array) / sizeof((array)[0])))

#endif
