/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * lane_state.h - what an onlooker can tell of a lane without becoming its consumer.
 */
#ifndef LANE_STATE_H
#define LANE_STATE_H

#include <sys/types.h>

#include <xdplace/xdplace.h>

struct lane_state {
	uint32_t waiting;  /* completions written, not yet released */
	pid_t consumer;	   /* 0: none, or it can't be told */
	bool sleeping;	   /* the consumer waits for a wake-up */
	uint32_t free_hot; /* areas offered in the hot ring */
	uint32_t free_cold;
};
void lane_state(const struct xdplace *ctx, uint32_t lane, struct lane_state *state);

#endif
