/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * pair.h - packets on two CPUs at the same time.
 *
 * In: the steps behind a STEP_PAIR, each of CPU 0 or 1. Each CPU runs its own in order; how the two
 * lists meet is left to chance. Out: what holds in whichever order they did:
 *   - flows whose packets are all of one CPU are told exactly what the model says, event by event
 *     and in order, whatever lane they live in, and whatever the other CPU does there
 *   - flows of both CPUs: the same stream, each byte told in sequence once, and where it lies early
 *     as it was told; the same datagrams or packets of media; the same end
 *   - what is of no flow: the same, in any order
 *   - each packet has one fate, told in the lane that is its own; counters add up
 */
#ifndef MODEL_PAIR_H
#define MODEL_PAIR_H

#include "driver.h"

/* 0 and *behind the step behind them; -1 and d->why. */
int pair_run(struct driver *d, const struct schedule *s, size_t first, size_t *behind);
/* Can this process use two CPUs? */
bool pair_possible(void);

#endif
