/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * compare.h - what program and model say, side by side: 0 the same, -1 and d->why.
 */
#ifndef MODEL_COMPARE_H
#define MODEL_COMPARE_H

#include "driver.h"

/* Say what is different, once: returns -1. */
int differ(struct driver *d, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Add a completion to d->told, with its bytes; checks what holds of each one alone. */
int compare_read(struct driver *d, uint32_t lane, const struct xp_completion *c);
/* The events of a step, once they are all read. */
int compare_events(struct driver *d);
/* Op-codes, reasons and sums of bytes counted up to now. */
int compare_counters(struct driver *d);
/* Every field of every flow. */
int compare_flows(struct driver *d);
/* Own areas hold what was told of, and nothing else has been written there. */
int compare_own(struct driver *d);
/* Areas: none lost or twice, as many of each kind in use. */
int compare_areas(struct driver *d);

#endif
