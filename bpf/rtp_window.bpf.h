/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * rtp_window.bpf.h - the window of an RTP flow: blocks, the areas of its slots, what is told when
 * the edge moves.
 *
 * A packet has a slot of fixed size in the stream, by its number, so that slot to area and byte is
 * the arithmetic of all streams. Promise: once the edge has passed a slot, told or given up,
 * nothing is written there any more.
 */
#ifndef RTP_WINDOW_BPF_H
#define RTP_WINDOW_BPF_H

#include "place.bpf.h"
#include "rtp.h"

#define XP_RTP_STEPS (XP_RTP_WINDOW + 8) /* each slot of a window is told of once */

static __always_inline struct xp_rtp *xp_rtp_at(__u32 block)
{
	return bpf_map_lookup_elem(&xp_rtp, &block);
}

/* ---- blocks ---- */

/* A block for the flow, to be placed as job.rtp says: 0, or -1 if the lane has none left. */
static __always_inline int xp_rtp_take(struct xp_cursor *cur, struct xp_flow *f, __u32 index,
				       __u32 lane)
{
	__u32 block, rtp = cur->job.rtp;
	struct xp_rtp *r;

	if (cur->free_rtp)
		block = cur->free_rtp - 1;
	else if (cur->used_rtp < xp_config.rtp)
		block = lane * xp_config.rtp + cur->used_rtp;
	else
		return -1;
	r = xp_rtp_at(block);
	if (!r)
		return -1;
	if (cur->free_rtp)
		cur->free_rtp = r->link;
	else
		cur->used_rtp++;
	r->highest = -1;
	r->rtp = rtp;
	r->deadline = (XP_RTP_DEADLINE(rtp) * 1000 + xp_config.tick_us - 1) / xp_config.tick_us;
	r->flow = index;
	r->other = 0;
	f->slot_shift = xp_rtp_shift(rtp, xp_config.area_shift);
	f->block = block;
	return 0;
}

/* Is there none? */
static __always_inline int xp_rtp_none(const struct xp_cursor *cur)
{
	return !cur->free_rtp && cur->used_rtp >= xp_config.rtp;
}

/* Where the index of the area of stream offset `o` is kept, + 1. Free blocks keep none. */
static __always_inline __u32 *xp_rtp_area(struct xp_rtp *r, __u64 o)
{
	return &r->area[(o >> xp_config.area_shift) & (XP_RTP_WINDOW - 1)];
}

/* Nothing waits behind a hole: the block goes back, the flow keeps the area of its edge. */
static __always_inline void xp_rtp_drop(struct xp_cursor *cur, struct xp_flow *f)
{
	struct xp_rtp *r = xp_rtp_at(f->block);
	__u32 *kept;

	if (!r)
		return;
	kept = xp_rtp_area(r, f->edge);
	f->area = *kept - 1; /* 0: none */
	*kept = 0;
	r->link = cur->free_rtp;
	cur->free_rtp = f->block + 1;
	f->block = XP_NONE;
}

/* ---- slots ---- */

/* Where stream offset `o` lies in the UMEM, in a new area if it has to be; XP_NONE. */
static __always_inline __u32 xp_rtp_place(struct xp_cursor *cur, __u32 lane, struct xp_flow *f,
					  struct xp_rtp *r, __u64 o, int take)
{
	__u32 *kept, area;

	if (xp_in_own(f, o))
		return f->own_address + (__u32)(o - f->own_start);
	kept = xp_rtp_area(r, o);
	if (!*kept) {
		if (!take)
			return XP_NONE;
		area = xp_take_area(cur, lane, XP_AREA(XP_AREA_REASSEMBLY, cur->job.flow), 0);
		if (area == XP_NONE)
			return XP_NONE;
		*kept = area + 1;
	}
	return ((*kept - 1) << xp_config.area_shift) + (o & (xp_area_bytes() - 1));
}

/* Move the edge by packets; an area that it leaves is the consumer's: returns its release flag. */
static __always_inline __u32 xp_rtp_advance(struct xp_flow *f, struct xp_rtp *r, __u64 packets)
{
	__u32 *kept, shift = xp_config.area_shift;
	__u64 from = f->edge;

	f->edge += packets << f->slot_shift;
	f->next = xp_told_edge(f);
	if (from >> shift == f->edge >> shift || xp_in_own(f, from))
		return 0;
	kept = xp_rtp_area(r, from);
	if (!*kept)
		return 0;
	xp_give_area(*kept - 1);
	*kept = 0;
	return XP_RELEASE_DATA;
}

/* The packet at the edge came early and is in sequence now. */
static __always_inline int xp_rtp_catch_up(struct xp_cursor *cur, __u32 lane, struct xp_flow *f,
					   struct xp_rtp *r)
{
	struct xp_completion *c = xp_tell(cur, lane, XP_APPEND, XP_R_RTP);
	__u64 number = xp_told_edge(f);

	if (!c)
		return 0;
	c->flags |= XP_CAUGHT_UP;
	c->offset = number;
	c->data_len = xp_rtp_slot(r, number)->length;
	c->data = xp_rtp_place(cur, lane, f, r, f->edge, 0);
	c->flags |= xp_rtp_advance(f, r, 1);
	return 1;
}

/* The completion that a further gap continues; NULL: it needs one of its own. */
static __always_inline struct xp_completion *
xp_rtp_gap_before(const struct xp_cursor *cur, __u32 lane, const struct xp_flow *f, __u32 reason)
{
	struct xp_completion *c;

	if (cur->written == cur->produced)
		return NULL;
	c = xp_ring_at(lane, cur->written - 1);
	if (!c || !(c->flags & XP_GAP) || c->flow != f->handle || c->reason != reason ||
	    c->offset + c->gap != xp_told_edge(f))
		return NULL;
	return c;
}

/*
 * So many packets from the edge on will not come. What is missing in a row is one gap; there is at
 * most one area to hand over with it: any behind the first has a packet that ends the row.
 */
static __always_inline int xp_rtp_gap(struct xp_cursor *cur, __u32 lane, struct xp_flow *f,
				      struct xp_rtp *r, __u32 packets, __u32 reason)
{
	__u32 area = xp_rtp_place(cur, lane, f, r, f->edge & ~(__u64)(xp_area_bytes() - 1), 0);
	struct xp_completion *c = xp_rtp_gap_before(cur, lane, f, reason);

	if (c) {
		c->gap += packets;
	} else {
		c = xp_tell(cur, lane, XP_APPEND, reason);
		if (!c)
			return 0;
		c->flags |= XP_GAP;
		c->offset = xp_told_edge(f);
		c->gap = packets;
		xp_count_gap(lane, f, reason);
	}
	xp_count_gap_bytes(lane, f, (__u64)packets << f->slot_shift);
	if (xp_rtp_advance(f, r, packets)) {
		c->data2 = area;
		c->flags |= XP_RELEASE_DATA2;
	}
	return 1;
}

/*
 * One step of the edge: 1 more, 0 done. What has arrived is told. What is missing is given up for
 * `reason` if it lies below `upto`, or because its deadline has passed.
 */
__attribute__((noinline)) int xp_rtp_step(__u32 lane, __u64 upto, __u32 reason)
{
	struct xp_cursor *cur = xp_cursor_at(lane);
	struct xp_rtp_slot *slot;
	struct xp_flow *f;
	struct xp_rtp *r;
	__u64 number;

	if (!cur)
		return 0;
	f = xp_flow_at(cur->job.flow);
	if (!f)
		return 0;
	r = xp_rtp_at(f->block);
	if (!r)
		return 0;
	number = xp_told_edge(f);
	if ((__s64)number > r->highest) /* nothing has arrived from there on */
		return number < upto ? xp_rtp_gap(cur, lane, f, r, upto - number, reason) : 0;
	slot = xp_rtp_slot(r, number);
	if (slot->there)
		return xp_rtp_catch_up(cur, lane, f, r);
	if (number >= upto) {
		/* A capture's time is not ours: where holes do not age, there are no deadlines. */
		if (!xp_config.hole_ticks || xp_now() - slot->tick <= r->deadline)
			return 0;
		reason = XP_R_GAP_DEADLINE;
	}
	return xp_rtp_gap(cur, lane, f, r, 1, reason);
}

struct xp_rtp_draining {
	__u64 upto;
	__u32 lane;
	__u32 reason;
};

static long xp_rtp_drain_one(__u32 i, struct xp_rtp_draining *draining)
{
	return xp_rtp_step(draining->lane, draining->upto, draining->reason) <= 0;
}

/* Tell what is in sequence, give up what is below number `upto` or past its deadline. */
static __always_inline void xp_rtp_drain(__u32 lane, __u64 upto, __u32 reason)
{
	struct xp_rtp_draining draining = {.upto = upto, .lane = lane, .reason = reason};

	bpf_loop(XP_RTP_STEPS, xp_rtp_drain_one, &draining, 0);
}

/* The stream of the flow in work ends: all of it is told. */
static __always_inline void xp_rtp_end(struct xp_cursor *cur, __u32 lane, struct xp_flow *f,
				       __u32 reason)
{
	struct xp_rtp *r = xp_rtp_at(f->block);

	if (!r)
		return;
	xp_rtp_drain(lane, r->highest + 1, reason);
	xp_rtp_drop(cur, f);
}

struct xp_rtp_marking {
	__u64 first;
	__u32 block;
	__u32 now;
};

static long xp_rtp_mark_one(__u32 i, struct xp_rtp_marking *marking)
{
	struct xp_rtp *r = xp_rtp_at(marking->block);
	struct xp_rtp_slot *slot;

	if (!r)
		return 1;
	slot = xp_rtp_slot(r, marking->first + i);
	slot->there = 0;
	slot->tick = marking->now;
	return 0;
}

/* A packet of a higher number than any before: those between are missing from now on. */
static __always_inline void xp_rtp_rise(struct xp_flow *f, struct xp_rtp *r, __u64 number)
{
	__u64 edge = xp_told_edge(f), first = r->highest + 1;
	struct xp_rtp_marking marking = {.block = f->block, .now = xp_now()};

	/* Below the edge they were given up. */
	marking.first = first > edge ? first : edge;
	if (number > marking.first)
		bpf_loop(number - marking.first, xp_rtp_mark_one, &marking, 0);
	r->highest = number;
}

#endif
