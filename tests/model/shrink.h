/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * shrink.h - from a schedule that shows a difference to a short one that does.
 */
#ifndef MODEL_SHRINK_H
#define MODEL_SHRINK_H

#include "driver.h"

/*
 * Leave out steps, then simplify those left, as long as a difference remains; `d` is opened afresh
 * where needed. Returns how many schedules were tried, 0 if the whole one shows no difference in a
 * fresh context: then what ran before it matters. d->why and d->at are those of the result.
 */
unsigned shrink(struct driver *d, struct schedule *s);

#endif
