/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * stream.bpf.h - the long way of stages 3 to 5: flows set up and ended, holes opened, filled and
 * given up, segments cut into pieces.
 *
 * A segment is placed piece by piece; a piece lies in one area and touches no byte that was
 * placed before. After each piece at the edge, runs that now touch the edge are told in sequence
 * ("caught up") before the next piece. So the loops below are all the same loop over one step.
 */
#ifndef STREAM_BPF_H
#define STREAM_BPF_H

#include "rtp_window.bpf.h"

#define XP_STEPS 640 /* pieces, catch-ups and gaps of one packet: see XP_SLOW_ROOM */
/* Early segments after the acknowledgement of a hole before it is believed to be lost: the two
 * directions are not seen in the order in which they passed the host. */
#define XP_ACKED_ENOUGH 4

/* The area of stream offset `o`: where its index is kept, + 1. */
static __always_inline __u32 xp_area_kept(struct xp_flow *f, struct xp_early *e, __u64 o)
{
	return e ? *xp_slot(e, o) : f->area + 1;
}

static __always_inline void xp_area_keep(struct xp_flow *f, struct xp_early *e, __u64 o, __u32 kept)
{
	if (e)
		*xp_slot(e, o) = kept;
	else
		f->area = kept - 1;
}

/* Move the edge; an area that it has passed is the consumer's: returns its release flag. */
static __always_inline __u32 xp_advance(struct xp_flow *f, struct xp_early *e, __u32 n)
{
	__u64 from = f->edge;
	__u32 kept, shift = xp_config.area_shift;

	f->edge += n;
	f->next += n;
	if (from >> shift == f->edge >> shift || xp_in_own(f, from))
		return 0;
	kept = xp_area_kept(f, e, from);
	if (!kept)
		return 0;
	xp_area_keep(f, e, from, 0);
	xp_give_area(kept - 1);
	return XP_RELEASE_DATA;
}

/* Bytes that a flow may place from its edge on. */
static __always_inline __u32 xp_window(const struct xp_flow *f)
{
	return (xp_config.window << xp_config.area_shift) -
	       ((__u32)f->edge & (xp_area_bytes() - 1));
}

/* Does the flow in work have stream offset `end` in its window? */
__attribute__((noinline)) int xp_in_window(__u32 lane, __u64 end)
{
	struct xp_cursor *cur = xp_cursor_at(lane);
	struct xp_flow *f = cur ? xp_flow_at(cur->job.flow) : NULL;

	return !f || end - f->edge <= xp_window(f);
}

/* The run that begins at the edge (e->found) is in sequence now: tell a piece of it. */
static __always_inline int xp_catch_up(struct xp_cursor *cur, __u32 lane, struct xp_flow *f,
				       struct xp_early *e)
{
	__u32 hit = XP_RUN(xp_found(e)), size = xp_area_bytes();
	__u32 in_area = f->edge & (size - 1), n = e->run[hit].end - e->run[hit].start;
	struct xp_completion *c;

	if (n > size - in_area)
		n = size - in_area;
	c = xp_tell(cur, lane, XP_APPEND, XP_R_OK);
	if (!c)
		return -XP_R_RING_FULL;
	c->flags |= XP_CAUGHT_UP;
	c->offset = f->edge;
	c->data_len = n;
	if (xp_in_own(f, f->edge))
		c->data = f->own_address + (__u32)(f->edge - f->own_start);
	else
		c->data = ((*xp_slot(e, f->edge) - 1) << xp_config.area_shift) + in_area;
	c->flags |= xp_advance(f, e, n);
	e->run[hit].start += n;
	if (e->run[hit].start != e->run[hit].end)
		return 1;
	xp_runs_remove(e, hit);
	/* Another hole is the first now: it has its own age, and its own acknowledgement. */
	f->hole_tick = xp_now();
	f->acked = 0;
	return 1;
}

/* The stream goes on `bytes` later: what lies between will not come (R13). */
static __always_inline void xp_gap(struct xp_cursor *cur, __u32 lane, struct xp_flow *f,
				   struct xp_early *e, __u32 bytes, __u32 reason)
{
	struct xp_completion *c = xp_tell(cur, lane, cur->job.opcode, reason);
	__u32 kept = xp_area_kept(f, e, f->edge);

	if (!c)
		return;
	c->flags |= XP_GAP;
	c->offset = f->edge;
	c->gap = bytes;
	if (xp_advance(f, e, bytes)) {
		c->data2 = (kept - 1) << xp_config.area_shift;
		c->flags |= XP_RELEASE_DATA2;
	}
	f->hole_tick = xp_now();
	f->acked = 0;
	xp_count_gap_bytes(lane, f, bytes);
	xp_count_gap(lane, f, reason);
}

/*
 * One step towards a flow without holes, giving up what is missing unless `keep`: 1 more, 0 done.
 */
__attribute__((noinline)) int xp_drain_step(__u32 lane, __u32 reason, int keep)
{
	struct xp_cursor *cur = xp_cursor_at(lane);
	struct xp_flow *f;
	struct xp_early *e;
	__u32 hole, ahead;

	if (!cur)
		return 0;
	f = xp_flow_at(cur->job.flow);
	if (!f || f->early == XP_NONE)
		return 0;
	e = xp_early_at(f->early);
	if (!e || !e->count)
		return 0;
	if (xp_runs_find(e, (__u32)f->edge, 0))
		return xp_catch_up(cur, lane, f, e);
	if (keep)
		return 0;
	hole = xp_runs_hole(e, (__u32)f->edge);
	/* It makes room for the packet in work, which may lie in this very hole. */
	ahead = cur->job.at - f->edge;
	if (reason == XP_R_HOLES_FULL && ahead < hole)
		hole = ahead;
	xp_gap(cur, lane, f, e, hole, reason);
	return 1;
}

struct xp_draining {
	__u64 fit; /* stream offset that is to come into the window, 0: none */
	__u32 lane;
	__u32 reason;
	int once;
};

static long xp_drain_one(__u32 i, struct xp_draining *draining)
{
	int keep = draining->once && i;

	if (draining->fit && xp_in_window(draining->lane, draining->fit))
		return 1;
	return xp_drain_step(draining->lane, draining->reason, keep) <= 0;
}

/*
 * Give up holes, the nearest first: all of them, or (once) one, with what has arrived behind
 * each caught up.
 */
static __always_inline void xp_drain(__u32 lane, __u32 reason, int once)
{
	struct xp_draining draining = {.lane = lane, .reason = reason, .once = once};

	bpf_loop(XP_STEPS, xp_drain_one, &draining, 0);
}

/* The same until stream offset `end` is in the window. */
static __always_inline void xp_drain_until(__u32 lane, __u32 reason, __u64 end)
{
	struct xp_draining draining = {.lane = lane, .reason = reason, .fit = end};

	bpf_loop(XP_STEPS, xp_drain_one, &draining, 0);
}

/* Where a piece goes: its UMEM offset, XP_NONE if there is no area. */
static __always_inline __u32 xp_destination(struct xp_cursor *cur, struct xp_flow *f,
					    struct xp_early *e, __u64 at)
{
	__u32 kept;

	if (xp_in_own(f, at))
		return f->own_address + (__u32)(at - f->own_start);
	kept = xp_area_kept(f, e, at);
	if (!kept) {
		/* xp_step_one() has filled the hand. */
		if (xp_hands_empty(cur))
			return XP_NONE;
		kept = xp_hand_take(cur, XP_AREA(XP_AREA_REASSEMBLY, cur->job.flow), 0) + 1;
		xp_area_keep(f, e, at, kept);
	}
	return ((kept - 1) << xp_config.area_shift) + (at & (xp_area_bytes() - 1));
}

/* Early data that were caught up reach into the packet: 1 if nothing behind them is left of it. */
static __always_inline int xp_skip_caught_up(struct xp_job *job, __u64 edge)
{
	__u32 old = edge - job->at;

	if (job->end <= edge) {
		job->at = job->end;
		return 1;
	}
	job->from += old;
	job->at += old;
	return 0;
}

/* Is there no way to remember one more run? A run that touches another needs no room. */
static __always_inline int xp_runs_full(struct xp_early *e, __u32 start, __u32 end)
{
	return xp_runs(e) >= XP_MAX_RUNS && !xp_runs_find(e, start, 1) && !xp_runs_find(e, end, 0);
}

/* The next piece of the packet in work. */
static __always_inline int xp_piece(struct xp_ctx *ctx, struct xp_cursor *cur, __u32 lane,
				    struct xp_flow *f, struct xp_early *e)
{
	struct xp_job *job = &cur->job;
	__u32 size = xp_area_bytes(), first, past, n, to;
	struct xp_completion *c;
	int ahead;

	if (job->at < f->edge && xp_skip_caught_up(job, f->edge))
		return 1;
	if (!e && job->at != f->edge) {
		if (xp_early_take(cur, f, lane))
			return -XP_R_EARLY_FULL;
		e = xp_early_at(f->early);
		if (!e)
			return -XP_R_EARLY_FULL;
	}
	first = job->at;
	past = job->end;
	if (e && !xp_runs_uncovered(e, (__u32)f->edge, &first, &past)) {
		job->at = job->end;
		return 1;
	}
	n = first - (__u32)job->at;
	job->from += n;
	job->at += n;
	ahead = job->at != f->edge;
	n = past - first;
	if (n > size - (first & (size - 1)))
		n = size - (first & (size - 1));
	/* Before an area is taken: none may be kept where no run is. */
	if (ahead && (!e || xp_runs_full(e, first, first + n)))
		return -XP_R_HOLES_FULL;
	to = xp_destination(cur, f, e, job->at);
	if (to == XP_NONE)
		return -XP_R_NO_AREA;
	if (xp_fetch(ctx, cur, lane, job->from, to, n))
		return -XP_R_COPY;
	if (ahead && (!e || xp_runs_add(e, first, first + n)))
		return -XP_R_HOLES_FULL;
	/* Early when it came, in sequence by now: holes were given up for it. */
	if (!ahead && job->opcode == XP_EARLY)
		job->opcode = XP_APPEND;
	c = xp_tell(cur, lane, ahead ? XP_EARLY : job->opcode, XP_R_OK);
	if (!c)
		return -XP_R_RING_FULL;
	c->offset = job->at;
	c->data = to;
	c->data_len = n;
	if (!ahead)
		c->flags |= xp_advance(f, e, n);
	job->at += n;
	job->from += n;
	job->placed += n;
	return 1;
}

/* One step of placing a segment: 1 more to do, 0 done, -reason. */
__attribute__((noinline)) int xp_step(struct xp_ctx *ctx, __u32 lane)
{
	struct xp_cursor *cur = xp_cursor_at(lane);
	struct xp_early *e = NULL;
	struct xp_flow *f;

	if (!cur)
		return 0;
	f = xp_flow_at(cur->job.flow);
	if (!f)
		return 0;
	if (f->early != XP_NONE) {
		e = xp_early_at(f->early);
		if (!e)
			return 0;
		if (xp_runs_find(e, (__u32)f->edge, 0))
			return xp_catch_up(cur, lane, f, e);
	}
	if (cur->job.at >= cur->job.end)
		return 0;
	return xp_piece(ctx, cur, lane, f, e);
}

struct xp_stepping {
	struct xp_ctx *ctx;
	__u32 lane;
	int result;
};

/* A piece takes one area at most; those it finds in hand need no deeper stack. */
static long xp_step_one(__u32 i, struct xp_stepping *stepping)
{
	struct xp_cursor *cur = xp_cursor_at(stepping->lane);

	if (cur && !xp_in_hand(&cur->hand))
		xp_refill(stepping->lane);
	stepping->result = xp_step(stepping->ctx, stepping->lane);
	/* One hole too many: the nearest, which has waited longest, is given up (R13). */
	if (stepping->result == -XP_R_HOLES_FULL)
		stepping->result = xp_drain_step(stepping->lane, XP_R_HOLES_FULL, 0);
	return stepping->result <= 0;
}

/* Were all bytes from stream offset `first` to `past` placed ahead of their turn? */
__attribute__((noinline)) int xp_all_early(__u32 index, __u32 first, __u32 past)
{
	struct xp_flow *f = xp_flow_at(index);
	struct xp_early *e;

	if (!f || f->early == XP_NONE)
		return 0;
	e = xp_early_at(f->early);
	return e && !xp_runs_uncovered(e, (__u32)f->edge, &first, &past);
}

/* Have data arrived beyond stream offset `o`? */
__attribute__((noinline)) int xp_data_beyond(__u32 index, __u64 o)
{
	struct xp_flow *f = xp_flow_at(index);
	struct xp_early *e;

	if (!f || f->early == XP_NONE)
		return 0;
	e = xp_early_at(f->early);
	return e && xp_runs_beyond(e, (__u32)f->edge, (__u32)o);
}

/* Place the packet in work, step by step: 0 or -reason. */
__attribute__((noinline)) int xp_steps(struct xp_ctx *ctx, __u32 lane)
{
	struct xp_stepping stepping = {.ctx = ctx, .lane = lane};

	bpf_loop(XP_STEPS, xp_step_one, &stepping, 0);
	return stepping.result;
}

/* ---- the end of a flow ---- */

/* What a command did to `own` areas is undone: they are user space's again. */
static long xp_own_release_one(__u32 i, __u32 *first)
{
	xp_area_mark(*first + i, XP_AREA(XP_AREA_USER, 0));
	return 0;
}

static __always_inline void xp_own_release(struct xp_flow *f)
{
	__u32 first = xp_area_of(f->own_address);

	if (!(f->flags & XP_FLOW_OWN))
		return;
	f->flags &= ~XP_FLOW_OWN;
	bpf_loop(f->own_length >> xp_config.area_shift, xp_own_release_one, &first, 0);
}

/* The flow is over; `c` says so and hands over the last area. */
static __always_inline void xp_flow_close(__u32 lane, struct xp_flow *f, struct xp_completion *c)
{
	c->flags |= XP_RELEASE_FLOW;
	if (f->area != XP_NONE) {
		if (c->data_len && !(c->flags & XP_FRAME) && xp_area_of(c->data) == f->area) {
			c->flags |= XP_RELEASE_DATA;
		} else {
			c->data2 = f->area << xp_config.area_shift;
			c->flags |= XP_RELEASE_DATA2;
		}
		xp_give_area(f->area);
		f->area = XP_NONE;
	}
	xp_lru_close(lane, XP_FLOW_INDEX(f->handle));
}

/* End a flow for a reason that is not its FIN; its holes are given up first. */
__attribute__((noinline)) int xp_flow_end(__u32 lane, __u32 index, __u32 reason)
{
	struct xp_cursor *cur = xp_cursor_at(lane);
	struct xp_flow *f = xp_flow_at(index);
	struct xp_completion *c;
	__u32 opcode, work;

	if (!cur || !f || (f->state != XP_FLOW_OPEN && f->state != XP_FLOW_EXPECTED))
		return 0;
	opcode = cur->job.opcode;
	work = cur->job.flow;
	cur->job.opcode = XP_TEARDOWN;
	cur->job.flow = index;
	if (f->flags & XP_FLOW_RTP)
		xp_rtp_end(cur, lane, f, reason);
	else
		xp_drain(lane, reason, 0);
	if (f->early != XP_NONE)
		xp_early_drop(cur, f);
	/* A FIN has told where the stream ends: what is missing before it is a gap, too. */
	if (f->flags & XP_FLOW_FIN && f->edge < f->fin)
		xp_gap(cur, lane, f, NULL, f->fin - f->edge, reason);
	c = xp_emit(cur, lane, XP_TEARDOWN, reason, f->handle);
	if (c) {
		c->offset = xp_told_edge(f);
		xp_flow_close(lane, f, c);
		xp_own_release(f);
	}
	xp_count_reason(lane, reason);
	cur->job.opcode = opcode;
	cur->job.flow = work;
	return 0;
}

/* The stream has reached its FIN: the last completion of this packet says so. */
static __always_inline void xp_flow_last(struct xp_cursor *cur, __u32 lane, struct xp_flow *f)
{
	struct xp_completion *c = NULL;

	if (f->early != XP_NONE)
		xp_early_drop(cur, f);
	if (cur->job.placed && cur->written != cur->produced)
		c = xp_ring_at(lane, cur->written - 1);
	if (!c || c->opcode != XP_APPEND) {
		c = xp_tell(cur, lane, XP_LAST, XP_R_FINISHED);
		if (!c)
			return;
		c->offset = f->edge;
	}
	c->opcode = XP_LAST;
	c->reason = XP_R_FINISHED;
	xp_flow_close(lane, f, c);
	xp_own_release(f);
	xp_count_reason(lane, XP_R_FINISHED);
}

/* ---- the start of a flow ---- */

/* Forget a flow that has ended or has not begun: key, place in the list, handle. */
static __always_inline void xp_flow_free(struct xp_cursor *cur, struct xp_flow *f, __u32 index)
{
	if (f->block != XP_NONE)
		xp_rtp_drop(cur, f);
	xp_key_delete(f);
	if (cur->train.handle == f->handle) /* generations come round again */
		cur->train.handle = XP_NONE;
	xp_lru_unlink(cur, f);
	f->state = XP_FLOW_FREE;
	f->handle += 1u << 20;
	if (f->handle == XP_NONE)
		f->handle += 1u << 20;
	f->lru_next = cur->free_flow;
	cur->free_flow = index + 1;
}

/*
 * Make room for one more flow: the entry of one that has ended goes first, else the least recently
 * active one is ended and forgotten. The op-code
 * for the flow that comes is REPLACE if it was alive, else FIRST. -1: there is none.
 */
static __always_inline int xp_flow_make_room(struct xp_cursor *cur, __u32 lane)
{
	__u32 index = (cur->closed.tail ? cur->closed.tail : cur->live.tail) - 1, idle;
	struct xp_flow *f;

	cur->job.opcode = XP_FIRST;
	if (cur->free_flow || cur->used_flows < xp_config.flows)
		return 0;
	f = xp_flow_at(index);
	if (!f)
		return -1;
	if (f->state != XP_FLOW_CLOSED) {
		idle = xp_now() - f->active;
		if (xp_config.flow_ticks && idle > xp_config.flow_ticks) {
			xp_flow_end(lane, index, XP_R_AGED);
		} else {
			xp_flow_end(lane, index, XP_R_REPLACED);
			cur->job.opcode = XP_REPLACE;
		}
	}
	xp_flow_free(cur, f, index);
	return 0;
}

/*
 * Set up a flow under a key, with room made for it: its index, or -reason. The sequence numbers
 * come with its first packet. With XP_FLOW_RTP: as job.rtp says.
 */
__attribute__((noinline)) int xp_flow_open(__u32 lane, const union xp_key *wanted, __u32 flags)
{
	struct xp_scratch *scratch = bpf_map_lookup_elem(&xp_scratch, &lane);
	struct xp_cursor *cur = xp_cursor_at(lane);
	struct xp_flow *f;
	__u32 index, handle;
	int r;

	if (!cur || !wanted || !scratch)
		return -XP_R_NO_FLOW;
	/* 6.1 takes no key that is an argument of a function like this. */
	xp_key_copy(&scratch->key, wanted, flags & XP_FLOW_V6);
	if (!cur->free_flow && cur->used_flows >= xp_config.flows)
		return -XP_R_NO_FLOW;
	if (flags & XP_FLOW_RTP && xp_rtp_none(cur))
		return -XP_R_RTP_FULL;
	index = cur->free_flow ? cur->free_flow - 1 : lane * xp_config.flows + cur->used_flows;
	f = xp_flow_at(index);
	if (!f)
		return -XP_R_NO_FLOW;
	handle = (f->handle & ~0xfffffu) | index;
	if (flags & XP_FLOW_V6)
		r = bpf_map_update_elem(&xp_flows6, &scratch->key.v6, &handle, BPF_NOEXIST);
	else
		r = bpf_map_update_elem(&xp_flows4, &scratch->key.v4, &handle, BPF_NOEXIST);
	if (r) /* another lane was quicker, or the kernel is out of memory */
		return -XP_R_NO_FLOW;
	if (cur->free_flow)
		cur->free_flow = f->lru_next;
	else
		cur->used_flows++;
	/* `lane` is never cleared: other lanes read it without our lock. */
	f->lane = lane;
	f->edge = 0;
	f->next = 0;
	f->flags = flags;
	f->strays = 0;
	f->area = XP_NONE;
	f->early = XP_NONE;
	__builtin_memset(&f->active, 0, sizeof(*f) - offsetof(struct xp_flow, active));
	f->peer = XP_NONE;
	f->block = XP_NONE;
	if (flags & XP_FLOW_RTP)
		xp_rtp_take(cur, f, index, lane);
	f->started = f->active = xp_now();
	xp_key_copy(&f->key, &scratch->key, 1);
	xp_lru_push(cur, &cur->live, f, index);
	/* Full barrier: who sees the state sees the rest. */
	__sync_lock_test_and_set(&f->handle, handle);
	f->state = XP_FLOW_EXPECTED;
	return index;
}

/* What this side has acknowledged. Its first packet may be a SYN, whose field says nothing. */
static __always_inline void xp_saw_ack(struct xp_flow *f, const struct xp_packet *p)
{
	if (!(p->tcp_flags & XP_TCP_ACK))
		return;
	if (f->flags & XP_FLOW_ACKS && xp_distance(f->ack, p->ack) <= 0)
		return;
	f->ack = p->ack;
	f->flags |= XP_FLOW_ACKS;
}

/* The first packet of a flow fixes where its stream begins. */
static __always_inline void xp_flow_begin(struct xp_flow *f, const struct xp_packet *p)
{
	f->state = XP_FLOW_OPEN;
	if (p->proto != IPPROTO_TCP)
		return;
	if (!(p->tcp_flags & XP_TCP_SYN))
		f->flags |= XP_FLOW_PICKED;
	f->isn = p->seq + !!(p->tcp_flags & XP_TCP_SYN);
	f->next = f->isn;
	xp_saw_ack(f, p);
}

/* ---- holes that will not fill ---- */

/*
 * The opposite direction, looked up once a hole makes it interesting. It may live in another
 * lane: only its `ack` is read, a single word, so that reading it while it changes does no harm.
 */
static __always_inline struct xp_flow *xp_peer_of(struct xp_flow *f)
{
	union xp_key key = {};

	if (!(f->flags & XP_FLOW_PEER) || !xp_flow_of(f->peer)) {
		if (f->flags & XP_FLOW_V6) {
			__builtin_memcpy(key.v6.src, f->key.v6.dst, 16);
			__builtin_memcpy(key.v6.dst, f->key.v6.src, 16);
			key.v6.sport = f->key.v6.dport;
			key.v6.dport = f->key.v6.sport;
			key.v6.vnet = f->key.v6.vnet;
			key.word[5] = f->key.word[5];
		} else {
			key.v4.src = f->key.v4.dst;
			key.v4.dst = f->key.v4.src;
			key.v4.sport = f->key.v4.dport;
			key.v4.dport = f->key.v4.sport;
			key.v4.vnet = f->key.v4.vnet;
			key.word[2] = f->key.word[2];
		}
		f->peer = xp_handle_of(&key, f->flags & XP_FLOW_V6);
		f->flags |= XP_FLOW_PEER;
	}
	return xp_flow_of(f->peer);
}

/*
 * Has `peer` acknowledged sequence number `seq`? It may have ended before us: half of a connection
 * goes on acknowledging. Its entry may as well be of the connection before ours, with numbers of
 * that one.
 */
static __always_inline int xp_acked_by(const struct xp_flow *peer, __u32 seq)
{
	__s32 past;

	if (!peer || !(peer->flags & XP_FLOW_ACKS))
		return 0;
	past = xp_distance(seq, peer->ack);
	if (peer->state == XP_FLOW_CLOSED)
		return past >= 0 && past <= XP_MAX_BACK;
	return peer->state == XP_FLOW_OPEN && past >= 0;
}

/* Has the flow ended by FIN while the opposite direction goes on? */
__attribute__((noinline)) int xp_half_closed(__u32 index)
{
	struct xp_flow *f = xp_flow_at(index), *peer;

	if (!f || f->state != XP_FLOW_CLOSED || !(f->flags & XP_FLOW_FIN))
		return 0;
	peer = xp_peer_of(f);
	return peer && peer->state == XP_FLOW_OPEN;
}

/* Has the receiver acknowledged the whole first hole? */
__attribute__((noinline)) int xp_hole_acked(__u32 index)
{
	struct xp_flow *f = xp_flow_at(index);
	struct xp_early *e;
	__u32 hole;

	if (!f || f->early == XP_NONE)
		return 0;
	e = xp_early_at(f->early);
	if (!e)
		return 0;
	hole = xp_runs_hole(e, (__u32)f->edge);
	return hole && xp_acked_by(xp_peer_of(f), f->next + hole);
}

/* After an early segment: a hole that was acknowledged long enough ago is given up. */
static __always_inline void xp_hole_check(struct xp_cursor *cur, __u32 lane, struct xp_flow *f)
{
	if (xp_hole_acked(cur->job.flow) && ++f->acked >= XP_ACKED_ENOUGH)
		xp_drain(lane, XP_R_GAP_ACKED, 1);
}

#endif
