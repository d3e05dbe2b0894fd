/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * driver.h - one context of the real program beside one model, fed the same schedules.
 */
#ifndef MODEL_DRIVER_H
#define MODEL_DRIVER_H

#include <xdplace/xdplace.h>

#include "model.h"
#include "schedule.h"

struct driver {
	const struct setup *setup;
	struct xdplace *ctx;
	const struct xp_config *config;
	struct xdplace_lane *lane[XP_MAX_LANES];
	uint8_t *umem;
	size_t umem_size;
	struct xp_rule rule[XP_MAX_RULES];
	struct model m;
	struct outcome told; /* by the program, of the step in work; event.flow: handle */
	uint32_t headers;    /* completions of this step that name a header */
	struct frame frame;  /* of the step in work */
	bool part;	     /* which is a fragment */
	uint32_t packets;    /* that it is */
	uint32_t unreleased[XP_MAX_LANES]; /* completions */
	uint32_t areas[XP_MAX_LANES];	   /* that these hand over */
	bool holding;
	struct xp_counters counted; /* by the program, when the last step ended */
	uint32_t *handle;	    /* by the model's number of a flow */
	uint32_t handles;
	uint64_t steps; /* run in all */
	uint64_t runs;	/* schedules */
	bool careful;	/* audit after each */
	size_t at;	/* step in work */
	char why[600];
};

/* 0, or -errno with d->why. */
int driver_open(struct driver *d, const struct setup *setup);
void driver_close(struct driver *d);

/* For pair.c: flows that the model has named by now have a place; events in order of flows. */
void driver_number(struct driver *d);
void driver_renumber(struct driver *d);

enum driver_result {
	DRIVER_SAME,
	DRIVER_DIFFERENT, /* d->why, at step d->at; the context has to be opened again */
	DRIVER_UNSURE,	  /* an age was too near its limit; the same */
};
enum driver_result driver_run(struct driver *d, const struct schedule *s);

#endif
