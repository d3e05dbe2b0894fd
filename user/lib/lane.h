/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * lane.h - the consumer's private side of a lane, for lane.c (completions), give.c (areas),
 * wait.c (sleeping, housekeeping) and the audit.
 */
#ifndef LANE_H
#define LANE_H

#include "context.h"

#define XP_RELEASE_AREAS (XP_RELEASE_HEADER | XP_RELEASE_DATA | XP_RELEASE_DATA2)

struct ring_buffer;

/*
 *   consumed ........ polled ........ produced (shared, written by the program)
 *   | copied to the   | ready, not    |
 *   | caller, not     | looked at     |
 *   | released        |               |
 */
struct xdplace_lane {
	struct xdplace *ctx;
	struct xp_lane *shared;
	struct xp_completion *ring;
	struct xp_free_group *hot;
	struct xp_free_group *cold;
	uint8_t *keep; /* by ring slot: XP_RELEASE_* that stay with the caller */
	uint32_t index;
	uint32_t consumed;
	uint32_t polled;
	uint32_t rest_count; /* entries of shared->rest in use */
	/* Since it was last judged how many areas go round (give.c): */
	uint32_t least;	  /* groups in the hot ring when there were fewest */
	uint32_t offers;  /* groups given back */
	uint32_t catches; /* times that no completion was left */
	uint32_t retire;  /* groups that are still to go to the cold pool */
	/* How fast completions come (wait.c): polled so far, at a time in ns. */
	uint64_t pace_since;
	uint32_t pace_polled;
	bool fast;
	uint64_t next_look; /* ns: not before this at `produced`; 0: at any time */
	bool told_full;	    /* that the free rings are full: once is enough */
	int lock;
	int64_t next_tick; /* ms */
	struct ring_buffer *events;
	struct xp_frames *frames; /* AF_XDP sockets, NULL: none are open */
};

/* Areas of a completion that pass to the consumer; returns how many. Indexes are checked. */
unsigned xp_completion_areas(const struct xp_config *config, const struct xp_completion *c,
			     uint8_t flags, uint32_t areas[3]);
/* Give an area to the program. The caller has made sure that it is this consumer's. */
void xp_give(struct xdplace_lane *lane, uint32_t area);

/* No completion is left to poll: a time to judge how many areas go round. */
void xp_give_pause(struct xdplace_lane *lane);

/* ---- wait.c ---- */

uint64_t xp_now_ns(void);
/* Do completions come so fast that a nap brings several? As seen over a while, up to `now`. */
bool xp_comes_fast(struct xdplace_lane *lane, uint64_t now);

/* ---- frames.c ---- */

/* Frames that have come and were not polled. */
uint32_t xp_frames_ready(const struct xdplace_lane *lane);
/* Readable when there are frames or the lane is woken; -1: no sockets. */
int xp_frames_fd(const struct xdplace_lane *lane);

#endif
