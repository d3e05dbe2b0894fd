/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * long_way.bpf.h - a packet that is not simply the next one of a flow without holes: it starts or
 * ends a flow, fills or opens a hole, repeats, is damaged, or is delivered whole.
 *
 * In: a locked lane with its parsed packet, the flow's handle or XP_NONE. Out: the XDP action; the
 * lane is left, whatever happened. The order: rule, room, checksum, flow, op-code, areas.
 */
#ifndef LONG_WAY_BPF_H
#define LONG_WAY_BPF_H

#include "fragment.bpf.h"
#include "redirect.bpf.h"
#include "rtp.bpf.h"

/* The whole packet: hybrid cells if small, else the frame area. */
__attribute__((noinline)) int xp_put_whole(struct xp_ctx *ctx, __u32 lane, __u32 bytes)
{
	struct xp_cursor *cur = xp_cursor_at(lane);
	int r = 0, i;

	if (!cur)
		return 0;
	if (XP_CTX_BIG && bytes > XP_MAX_HEADER + XP_MAX_IP_BYTES) {
		cur->job.reason = XP_R_BIG;
		return 0;
	}
	if (bytes < xp_config.threshold) {
		r = xp_put_header(ctx, lane, bytes, 1);
		if (r)
			cur->job.reason = r;
		xp_tell(cur, lane, cur->job.opcode, cur->job.reason);
		return 0;
	}
	cur->job.at = 0;
	cur->job.end = bytes;
	cur->job.from = 0;
	for (i = 0; i < 20; i++) {
		r = xp_frame_piece(ctx, lane);
		if (r <= 0)
			break;
	}
	if (r < 0) {
		cur->job.reason = XP_R_NO_AREA;
		xp_tell(cur, lane, cur->job.opcode, XP_R_NO_AREA);
	}
	return 0;
}

/* Headers in a hybrid cell. */
static __always_inline void xp_put_hybrid(struct xp_ctx *ctx, struct xp_cursor *cur, __u32 lane,
					  const struct xp_flow *f, __u32 bytes)
{
	int r = xp_put_header(ctx, lane, bytes, 1);
	struct xp_completion *c;

	if (r)
		cur->job.reason = r;
	c = xp_tell(cur, lane, cur->job.opcode, cur->job.reason);
	if (c && f)
		c->offset = xp_told_edge(f);
}

/* Give up holes until stream offset `end` fits the window, or everything before `jump_to`. */
static __always_inline void xp_make_way(struct xp_cursor *cur, __u32 lane, struct xp_flow *f,
					const struct xp_decision *d)
{
	__u64 end = d->offset + d->length;

	if (d->jump)
		xp_drain(lane, XP_R_GAP_WINDOW, 0);
	else
		xp_drain_until(lane, XP_R_GAP_WINDOW, end);
	if (d->jump || end - f->edge > xp_window(f)) {
		if (f->early != XP_NONE)
			xp_early_drop(cur, f);
		if (d->offset > f->edge)
			xp_gap(cur, lane, f, NULL, d->offset - f->edge, XP_R_GAP_WINDOW);
	}
}

/* Headers in a header cell, new data at their stream offset. */
static __always_inline void xp_put_stream(struct xp_ctx *ctx, struct xp_cursor *cur, __u32 lane,
					  struct xp_flow *f, const struct xp_packet *p,
					  const struct xp_decision *d)
{
	struct xp_job *job = &cur->job;
	int r;

	r = xp_put_header(ctx, lane, p->data, 0);
	if (r)
		job->reason = r;
	if (d->give_up || d->jump)
		xp_make_way(cur, lane, f, d);
	/* The hole before it is given up: early no more, and told as such it would go missing. */
	if (job->opcode == XP_EARLY && d->offset <= f->edge)
		job->opcode = XP_APPEND;
	/* Data behind it have been seen: such a FIN is damaged or forged. */
	if (d->fin && !(f->flags & XP_FLOW_FIN) &&
	    !xp_data_beyond(job->flow, d->offset + d->length)) {
		f->flags |= XP_FLOW_FIN;
		f->fin = d->offset + d->length;
	}
	job->at = d->offset;
	job->end = d->offset + d->length;
	job->from = p->data + d->skip;
	r = cur->whole ? xp_deliver(lane) : 1;
	if (r > 0)
		r = xp_steps(ctx, lane);
	if (r < 0)
		job->reason = -r;
	if (job->opcode == XP_EARLY) {
		f->earlies++;
		xp_hole_check(cur, lane, f);
	}
	if (f->flags & XP_FLOW_FIN && f->edge == f->fin) {
		xp_flow_last(cur, lane, f);
		job->opcode = job->opcode == XP_FIRST || job->opcode == XP_REPLACE ? job->opcode
										   : XP_LAST;
	} else if (job->header != XP_NONE) {
		/* Nothing was placed: an early FIN, a SYN, or no area. */
		xp_tell(cur, lane, job->opcode, job->reason);
	} else if (job->reason && !job->placed) {
		/* Neither its header nor its data, if it has any; nothing else tells of it. */
		xp_tell(cur, lane, XP_WHOLE, job->reason);
	}
	if (f->early != XP_NONE) {
		struct xp_early *e = xp_early_at(f->early);

		if (e && !e->count)
			xp_early_drop(cur, f);
	}
	f->bytes += job->placed;
}

/* Set up a flow for a packet without one, if its rule and its kind allow: NULL and job.reason. */
static __always_inline struct xp_flow *xp_set_up(struct xp_cursor *cur, __u32 lane,
						 const struct xp_packet *p, __u32 match)
{
	__u32 flags = 0;
	struct xp_flow *f;
	int index;

	if (match & XP_MATCH_WHOLE) {
		cur->job.reason = XP_R_RULE_WHOLE;
		return NULL;
	}
	if (!xp_eligible(p, xp_config.knobs & XP_KNOB_PICKUP)) {
		cur->job.opcode = p->payload ? XP_WHOLE : XP_FOREIGN;
		cur->job.reason = XP_R_NO_FLOW;
		return NULL;
	}
	if ((match & 0xff) == XP_RULE_TAKE)
		flags |= XP_FLOW_TAKE;
	if (p->v6)
		flags |= XP_FLOW_V6;
	if (cur->job.rtp)
		flags |= XP_FLOW_RTP;
	index = xp_flow_make_room(cur, lane) ? -XP_R_NO_FLOW : xp_flow_open(lane, &p->key, flags);
	if (index < 0) {
		cur->job.opcode = XP_WHOLE;
		cur->job.reason = -index;
		return NULL;
	}
	f = xp_flow_at(index);
	if (f)
		cur->job.flow = index;
	return f;
}

/* A flow that is there, or must be there: what is to be done with the packet. */
static __always_inline void xp_choose(struct xp_cursor *cur, __u32 lane, struct xp_flow *f,
				      const struct xp_packet *p, struct xp_decision *d)
{
	__u32 opened = f->state == XP_FLOW_EXPECTED;

	if (opened) {
		if (!xp_eligible(p, xp_config.knobs & XP_KNOB_PICKUP)) {
			xp_decide_as(d, p->payload ? XP_WHOLE : XP_NODATA, XP_R_NO_FLOW);
			cur->job.opcode = d->opcode;
			cur->job.reason = d->reason;
			return;
		}
		xp_flow_begin(f, p);
		if (cur->job.opcode != XP_REPLACE)
			cur->job.opcode = XP_FIRST;
	}
	xp_decide(f, p, xp_window(f), d);
	/* A FIN is news once. */
	if (d->opcode == XP_EARLY && (!d->fin || f->flags & XP_FLOW_FIN) &&
	    (!d->length || xp_all_early(cur->job.flow, d->offset, d->offset + d->length)))
		xp_decide_as(d, XP_REPEAT, XP_R_REPEATED);
	cur->job.reason = d->reason;
	if (!opened)
		cur->job.opcode = d->opcode;
	/* Acknowledgements say nothing of where the data are (and take the short way as a rule). */
	if (d->opcode != XP_NODATA)
		f->strays = d->stray && !d->jump ? f->strays + 1 : 0;
	if (d->opcode == XP_REPEAT)
		f->repeats++;
	xp_saw_ack(f, p);
}

/* Put the packet where its op-code says: XDP_REDIRECT if that is a socket, else 0. */
static __always_inline int xp_put(struct xp_ctx *ctx, struct xp_cursor *cur, __u32 lane,
				  struct xp_flow *f, const struct xp_packet *p,
				  const struct xp_decision *d, int take)
{
	__u32 bytes = p->data + p->payload;
	int action = 0;

	switch (xp_opcode_areas(cur->job.opcode)) {
	case XP_TO_REASSEMBLY:
		if (f && f->flags & XP_FLOW_RTP)
			xp_put_rtp(ctx, cur, lane);
		else if (f)
			xp_put_stream(ctx, cur, lane, f, p, d);
		break;
	case XP_TO_HYBRID:
		xp_put_hybrid(ctx, cur, lane, f, p->data);
		break;
	default:
		if (take && !cur->whole && xp_socket_wanted(cur, bytes))
			action = xp_to_socket(ctx, lane, bytes);
		if (!action)
			xp_put_whole(ctx, lane, bytes);
		if (f)
			f->whole++;
	}
	if (f && cur->job.opcode == XP_TEARDOWN) {
		xp_flow_end(lane, cur->job.flow, d->reason);
		cur->job.reason = XP_R_OK; /* counted as the flow's end */
	}
	return action;
}

/* A fresh job for the packet of a lane. */
static __always_inline void xp_job_start(struct xp_cursor *cur, struct xp_decision *d,
					 const struct xp_flow *f, __u32 handle)
{
	if (!cur->packet.v6) /* the plain way leaves them */
		cur->packet.key.word[3] = cur->packet.key.word[4] = cur->packet.key.word[5] = 0;
	__builtin_memset(d, 0, sizeof(*d));
	cur->job.flow = f ? XP_FLOW_INDEX(handle) : XP_NONE;
	cur->job.opcode = f ? XP_WHOLE : XP_FOREIGN;
	cur->job.reason = XP_R_OK;
	cur->job.header = XP_NONE;
	cur->job.placed = 0;
	cur->job.rtp = 0;
}

/*
 * A new SYN, segments of a connection whose SYN was missed, or another RTP source on the key of a
 * live flow end that one (R13).
 */
static __always_inline void xp_end_for_new(struct xp_cursor *cur, __u32 lane, struct xp_flow *f)
{
	__u32 index = XP_FLOW_INDEX(f->handle), reason = XP_R_REOPENED;

	if (f->flags & XP_FLOW_RTP)
		reason = XP_R_NEW_SOURCE;
	else if (!(cur->packet.tcp_flags & XP_TCP_SYN))
		reason = XP_R_LOST_SYNC;
	xp_flow_end(lane, index, reason);
	xp_flow_free(cur, f, index);
	cur->job.flow = XP_NONE;
}

/*
 * The stream that the packet may be part of: what it ends is ended, what it starts is set up.
 * NULL: it goes whole, for job.reason.
 */
static __always_inline struct xp_flow *xp_stream_of(struct xp_ctx *ctx, struct xp_cursor *cur,
						    __u32 lane, struct xp_flow *f, __u32 match)
{
	const struct xp_packet *p = &cur->packet;
	int anew;

	if (f ? f->flags & XP_FLOW_RTP : match & XP_RTP_MASK) {
		anew = xp_rtp_read(ctx, lane, match);
		if (anew < 0) {
			cur->job.opcode = p->payload ? XP_WHOLE : XP_FOREIGN;
			cur->job.reason = -anew;
			return NULL;
		}
	} else {
		anew = f && (xp_starts_anew(f, p) ||
			     (xp_config.knobs & XP_KNOB_PICKUP && xp_went_elsewhere(f, p)));
	}
	if (f && !anew)
		return f;
	if (f)
		xp_end_for_new(cur, lane, f);
	return xp_set_up(cur, lane, p, match);
}

/* A packet that is wanted, with room to tell of it: XDP_REDIRECT or 0. */
static __always_inline int xp_long_place(struct xp_ctx *ctx, struct xp_cursor *cur, __u32 lane,
					 struct xp_flow *f, struct xp_decision *d, __u32 match)
{
	const struct xp_packet *p = &cur->packet;
	int reason, action;

	if (xp_config.knobs & XP_KNOB_CHECKSUM) {
		reason = cur->whole ? xp_verify_whole(cur->whole - 1) : xp_verify(ctx, p, lane);
		if (reason) {
			cur->job.reason = reason;
			if (f)
				f->bad_checksums++;
			xp_put_whole(ctx, lane, p->data + p->payload);
			return 0;
		}
	}
	f = xp_stream_of(ctx, cur, lane, f, match);
	if (f && f->flags & XP_FLOW_RTP)
		xp_rtp_choose(lane);
	else if (f)
		xp_choose(cur, lane, f, p, d);
	f = xp_flow_at(cur->job.flow); /* whole packets have theirs, too */
	action = xp_put(ctx, cur, lane, f, p, d, (match & 0xff) == XP_RULE_TAKE);
	if (f) {
		if (f->state == XP_FLOW_CLOSED) /* stragglers do not keep an entry */
			f->packets++;
		else
			xp_touch(cur, f, lane);
		cur->last = f->handle;
	}
	return action;
}

__attribute__((noinline)) int xp_long_way(struct xp_ctx *ctx, __u32 lane, __u32 handle)
{
	struct xp_cursor *cur = xp_cursor_at(lane);
	struct xp_lane *shared = xp_lane_at(lane);
	struct xp_scratch *scratch = bpf_map_lookup_elem(&xp_scratch, &lane);
	int verdict, action = 0;
	struct xp_flow *f;
	__u32 match;

	if (!cur || !shared || !scratch) /* never: the lane exists */
		return XDP_PASS;
	f = handle == XP_NONE ? NULL : xp_flow_of(handle);
	xp_job_start(cur, &scratch->decision, f, handle);
	/* A flow keeps the verdict of the rule that wanted it. */
	if (f)
		match = f->flags & XP_FLOW_TAKE ? XP_RULE_TAKE : XP_RULE_TAP;
	else
		match = xp_match_rules(&cur->packet, 0);
	if (!match)
		cur->job.reason = XP_R_NO_RULE;
	else if (xp_room(cur, shared) < XP_SLOW_ROOM)
		cur->job.reason = XP_R_RING_FULL;
	else
		action = xp_long_place(ctx, cur, lane, f, &scratch->decision, match);
	if (cur->whole)
		xp_datagram_done(lane);
	verdict = xp_verdict(lane, cur->job.opcode, cur->job.reason, cur->job.placed,
			     (match & 0xff) == XP_RULE_TAKE);
	xp_leave(cur, lane);
	return action ? action : verdict;
}

#endif
