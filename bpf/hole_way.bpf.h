/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * hole_way.bpf.h - a segment beside a hole: it opens one, makes what lies behind it longer, or
 * fills it. With a few packets in a hundred out of order most others of their flow are such.
 *
 * In: a plain data segment of an open flow, its locked lane. Out: the XDP action with the lane
 * left, or -1 with nothing told or remembered: then the long way judges. Here are only segments
 * that touch no byte that has arrived, so that they can be summed where they are placed, as on the
 * short way; what is told of them is what the long way would tell.
 */
#ifndef HOLE_WAY_BPF_H
#define HOLE_WAY_BPF_H

#include "short_way.bpf.h"

/* The area that stream offset `o` has, XP_NONE: it gets one. A flow without holes has one area. */
static __always_inline __u32 xp_beside_kept(struct xp_flow *f, struct xp_early *e, __u64 o)
{
	__u32 shift = xp_config.area_shift;

	if (!e && o >> shift != f->edge >> shift)
		return XP_NONE;
	return xp_area_kept(f, e, o) - 1;
}

/* Area `i` of the segment, that of stream offset `o`: looked at in the hand if it is a new one. */
static __always_inline void xp_beside_area(const struct xp_hand *hand, struct xp_flow *f,
					   struct xp_early *e, struct xp_beside *b, int i, __u64 o)
{
	__u32 taken = b->fresh & 1;

	b->area[i] = xp_beside_kept(f, e, o);
	if (b->area[i] != XP_NONE)
		return;
	b->area[i] = hand->area[(hand->taken + taken) & (XP_HAND - 1)];
	b->fresh |= 1u << i;
}

/* Find out where the segment goes: 0, or -1: not beside a hole, or more than a hole's side. */
static __always_inline int xp_beside_find(const struct xp_short *s, const struct xp_packet *p,
					  struct xp_flow *f, struct xp_early *e,
					  struct xp_beside *b)
{
	__u32 ahead = p->seq - f->next, in_area;

	if ((__s32)ahead < 0 || ahead + p->payload > xp_window(f))
		return -1;
	b->at = f->edge + ahead;
	b->fresh = 0;
	if (e && (xp_runs(e) >= XP_MAX_RUNS ||
		  xp_runs_overlap(e, (__u32)f->edge, (__u32)b->at, (__u32)b->at + p->payload)))
		return -1;
	in_area = (__u32)b->at & (s->size - 1);
	b->part = s->size - in_area;
	b->area[1] = XP_NONE;
	xp_beside_area(&s->cur->hand, f, e, b, 0, b->at);
	if (b->part >= p->payload)
		b->part = p->payload;
	else
		xp_beside_area(&s->cur->hand, f, e, b, 1, b->at + b->part);
	return 0;
}

/* Its bytes into the areas, summed: 0, or -1: damaged, or not to be had. */
static __always_inline int xp_beside_place(struct xp_ctx *ctx, const struct xp_short *s,
					   const struct xp_packet *p, const struct xp_beside *b)
{
	__u32 to = (b->area[0] << xp_config.area_shift) + ((__u32)b->at & (s->size - 1));
	__s64 sum;

	if (b->area[1] == XP_NONE || b->area[1] == b->area[0] + 1)
		sum = xp_short_place(ctx, s, p->data, to, p->payload);
	else
		sum = xp_short_straddle(ctx, s, p, to, b->area[1]);
	if (sum < 0)
		return -1;
	return xp_config.knobs & XP_KNOB_CHECKSUM && !xp_short_good(ctx, p, sum) ? -1 : 0;
}

/* The areas that were only looked at are the flow's. */
static __always_inline void xp_beside_take(struct xp_cursor *cur, struct xp_flow *f,
					   struct xp_early *e, const struct xp_beside *b)
{
	__u32 state = XP_AREA(XP_AREA_REASSEMBLY, XP_FLOW_INDEX(f->handle));

	if (b->fresh & 1)
		xp_area_keep(f, e, b->at, xp_hand_take(cur, state, 0) + 1);
	if (b->fresh & 2)
		xp_area_keep(f, e, b->at + b->part, xp_hand_take(cur, state, 0) + 1);
}

/* A completion for `length` bytes in area `i`; in sequence they move the edge. */
static __always_inline struct xp_completion *xp_beside_tell(const struct xp_short *s,
							    struct xp_flow *f, struct xp_early *e,
							    const struct xp_beside *b, int i,
							    __u32 length)
{
	__u32 opcode = f->edge == b->at + (i ? b->part : 0) ? XP_APPEND : XP_EARLY;
	struct xp_completion *c = xp_emit(s->cur, s->lane, opcode, XP_R_OK, f->handle);

	if (!c)
		return NULL;
	c->offset = b->at + (i ? b->part : 0);
	c->data = b->area[i] << xp_config.area_shift;
	if (!i)
		c->data += (__u32)b->at & (s->size - 1);
	c->data_len = length;
	if (opcode == XP_APPEND)
		c->flags = xp_advance(f, e, length);
	return c;
}

/* The headers of the segment go with its first completion. */
static __always_inline void xp_beside_header(struct xp_ctx *ctx, const struct xp_short *s,
					     const struct xp_packet *p, struct xp_completion *c)
{
	__u32 release = 0,
	      cell = xp_take_cell(s->cur, s->lane, XP_HEADER_CELL, s->size - 1, &release);
	char *to = xp_short_at(s, cell);

	if (to)
		xp_copy_header(ctx, to + XP_PAD, p->data);
	if (!c)
		return;
	c->header = cell + XP_PAD;
	c->header_len = p->data;
	c->flags |= release;
}

/* All that is remembered of a segment that was placed: its op-code. */
static __always_inline __u32 xp_beside_keep(struct xp_ctx *ctx, const struct xp_short *s,
					    const struct xp_packet *p, struct xp_flow *f,
					    struct xp_early *e, const struct xp_beside *b)
{
	__u32 opcode = b->at == f->edge ? XP_APPEND : XP_EARLY;
	struct xp_completion *c;

	xp_beside_take(s->cur, f, e, b);
	if (opcode == XP_EARLY)
		xp_runs_add(e, (__u32)b->at, (__u32)b->at + p->payload);
	c = xp_beside_tell(s, f, e, b, 0, b->part);
	xp_beside_header(ctx, s, p, c);
	if (b->area[1] != XP_NONE)
		xp_beside_tell(s, f, e, b, 1, p->payload - b->part);
	f->bytes += p->payload;
	return opcode;
}

/*
 * Place the segment and write what is to be told of it: its op-code, or -1. A function of its own:
 * the stack that it needs is free again when the steps that may follow need theirs (6.1: 512
 * bytes).
 */
__attribute__((noinline)) int xp_hole_place(struct xp_ctx *ctx, __u32 lane, __u32 handle)
{
	struct xp_scratch *scratch = bpf_map_lookup_elem(&xp_scratch, &lane);
	struct xp_cursor *cur = xp_cursor_at(lane);
	struct xp_flow *f = xp_flow_of(handle);
	struct xp_early *e = NULL;
	const struct xp_packet *p;
	struct xp_beside *b;
	struct xp_short s;

	if (!cur || !f || !scratch || xp_short_begin(&s, cur, lane) ||
	    xp_room(cur, s.shared) < XP_SLOW_ROOM)
		return -1;
	p = &cur->packet;
	b = &scratch->beside;
	if (f->early != XP_NONE) {
		e = xp_early_at(f->early);
		if (!e)
			return -1;
	}
	if (xp_beside_find(&s, p, f, e, b) || xp_beside_place(ctx, &s, p, b))
		return -1;
	if (!e) {
		if (xp_early_take(cur, f, lane))
			return -1;
		e = xp_early_at(f->early);
		if (!e)
			return -1;
	}
	return xp_beside_keep(ctx, &s, p, f, e, b);
}

/*
 * What comes of it: a hole may have been acknowledged long enough, or be filled. Nothing of the
 * packet itself is left to be told.
 */
static __always_inline void xp_hole_after(struct xp_ctx *ctx, struct xp_cursor *cur, __u32 lane,
					  struct xp_flow *f, __u32 opcode)
{
	struct xp_early *e;

	cur->job.flow = XP_FLOW_INDEX(f->handle);
	cur->job.opcode = opcode;
	cur->job.header = XP_NONE;
	cur->job.at = cur->job.end = 0;
	if (opcode == XP_EARLY) {
		f->earlies++;
		xp_hole_check(cur, lane, f);
	} else {
		xp_steps(ctx, lane);
	}
	e = xp_early_at(f->early);
	if (e && !e->count)
		xp_early_drop(cur, f);
}

/* The XDP action, or -1. */
__attribute__((noinline)) int xp_hole_way(struct xp_ctx *ctx, __u32 lane, __u32 handle)
{
	struct xp_cursor *cur = xp_cursor_at(lane);
	struct xp_lane *shared = xp_lane_at(lane);
	struct xp_flow *f = xp_flow_of(handle);
	int opcode, action;

	if (!cur || !shared || !f)
		return -1;
	opcode = xp_hole_place(ctx, lane, handle);
	if (opcode < 0)
		return -1;
	xp_hole_after(ctx, cur, lane, f, opcode);
	xp_saw_ack(f, &cur->packet);
	xp_touch(cur, f, lane);
	action = xp_verdict(lane, opcode, XP_R_OK, cur->packet.payload, f->flags & XP_FLOW_TAKE);
	xp_publish(cur, shared, lane);
	return action;
}

#endif
