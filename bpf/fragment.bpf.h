/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * fragment.bpf.h - datagrams that come in fragments (R14): each fragment is placed where it
 * belongs in its datagram, and with the last to come the datagram goes the long way as one packet
 * whose bytes lie in the UMEM (cur->whole, xp_fetch()).
 *
 * A datagram has a home lane, that of its first arrival, as flows have. Each lane has its share of
 * entries, and of areas that they may hold; for a new one the oldest is given up. Promises: an
 * area of a datagram is handed over by a completion, whatever becomes of the datagram; who has
 * overlapping fragments gets them in no other order than his rule says.
 */
#ifndef FRAGMENT_BPF_H
#define FRAGMENT_BPF_H

#include "fragment.h"
#include "stream.bpf.h"
#include "verdict.bpf.h"

#define XP_PART_EVICTIONS 32 /* datagrams given up for one fragment at most */

/* ---- the end of a datagram ---- */

struct xp_yielding {
	__u32 lane;
	__u32 index;
	__u32 reason;
};

/* Two areas of the datagram to the consumer of the lane. */
static long xp_yield_one(__u32 i, struct xp_yielding *y)
{
	struct xp_cursor *cur = xp_cursor_at(y->lane);
	struct xp_datagram *d = xp_datagram_at(y->index);
	__u32 at = 2 * i & (XP_DATAGRAM_AREAS - 2), first, second;
	struct xp_completion *c;

	if (!cur || !d)
		return 1;
	first = d->slot[at];
	second = d->slot[at + 1];
	if (!first && !second)
		return 0;
	c = xp_emit(cur, y->lane, XP_FRAGMENT, y->reason, XP_NONE);
	if (!c)
		return 1;
	if (first) {
		c->data = (first - 1) << xp_config.area_shift;
		c->flags |= XP_RELEASE_DATA;
		xp_give_area(first - 1);
	}
	if (second) {
		c->data2 = (second - 1) << xp_config.area_shift;
		c->flags |= XP_RELEASE_DATA2;
		xp_give_area(second - 1);
	}
	d->slot[at] = d->slot[at + 1] = 0;
	return 0;
}

/* What areas a datagram still has are handed over, in the ring of a locked lane. */
__attribute__((noinline)) int xp_datagram_yield(__u32 lane, __u32 index, __u32 reason)
{
	struct xp_yielding y = {.lane = lane, .index = index, .reason = reason};

	bpf_loop(XP_DATAGRAM_AREAS / 2, xp_yield_one, &y, 0);
	return 0;
}

/* Give up a datagram of this lane; its entry stays, so that later fragments are known. */
__attribute__((noinline)) int xp_datagram_give_up(__u32 lane, __u32 index, __u32 reason)
{
	struct xp_cursor *cur = xp_cursor_at(lane);
	struct xp_datagram *d = xp_datagram_at(index);

	if (!cur || !d)
		return 0;
	xp_datagram_yield(lane, index, reason);
	cur->datagram_areas -= d->areas;
	d->areas = 0;
	d->state = XP_DATAGRAM_DEAD;
	d->reason = reason;
	return 0;
}

static __always_inline void xp_datagram_join(struct xp_list *list, __u32 newer, __u32 older)
{
	struct xp_datagram *d;

	if (newer) {
		d = xp_datagram_at(newer - 1);
		if (d)
			d->older = older;
	} else {
		list->head = older;
	}
	if (older) {
		d = xp_datagram_at(older - 1);
		if (d)
			d->newer = newer;
	} else {
		list->tail = newer;
	}
}

/* Eight words of each map, 4096 bytes of the datagram. */
static long xp_wipe_one(__u32 i, __u32 *index)
{
	struct xp_datagram *d = xp_datagram_at(*index);
	__u32 word = 8 * i & (XP_UNIT_WORDS - 8);
	int k;

	if (!d)
		return 1;
	xp_unroll for (k = 0; k < 8; k++)
	{
		d->have[word + k] = 0;
		d->start[word + k] = 0;
	}
	return 0;
}

static __always_inline void xp_datagram_unkey(struct xp_datagram *d)
{
	if (d->flags & XP_DATAGRAM_KEYED)
		bpf_map_delete_elem(&xp_datagrams, &d->key);
	d->flags &= ~XP_DATAGRAM_KEYED;
}

/* Forget a datagram of this lane that has no areas any more. */
__attribute__((noinline)) int xp_datagram_free(__u32 lane, __u32 index)
{
	struct xp_cursor *cur = xp_cursor_at(lane);
	struct xp_datagram *d = xp_datagram_at(index);

	if (!cur || !d)
		return 0;
	xp_datagram_unkey(d);
	xp_datagram_join(&cur->datagrams, d->newer, d->older);
	bpf_loop(d->high / 4096 + 1, xp_wipe_one, &index, 0);
	cur->datagram_areas -= d->areas;
	d->areas = 0;
	d->state = XP_DATAGRAM_FREE;
	d->older = cur->free_datagram;
	cur->free_datagram = index + 1;
	return 0;
}

/*
 * Make the entry of a datagram of this lane free, whatever its state: 0, or -1: another lane has
 * it at this moment.
 */
static __always_inline int xp_datagram_drop(__u32 lane, __u32 index, __u32 reason)
{
	struct xp_datagram *d = xp_datagram_at(index);

	if (!d || d->state == XP_DATAGRAM_LEAVING)
		return -1;
	if (d->state == XP_DATAGRAM_OPEN) {
		xp_datagram_give_up(lane, index, reason);
		xp_count_reason(lane, reason);
	}
	xp_datagram_free(lane, index);
	return 0;
}

/* ---- age ---- */

static __always_inline int xp_datagram_aged(const struct xp_datagram *d)
{
	__u32 age = xp_now() - d->since;

	/* An IPv4 identification comes again before long: the dead are not remembered for it. */
	if (d->state == XP_DATAGRAM_DEAD && age > xp_config.acked_ticks * 10)
		return 1;
	return xp_config.fragment_ticks && age > xp_config.fragment_ticks;
}

/* Give up the lane's oldest datagram if that has aged: 1 done, 0 it has not. */
static __always_inline int xp_age_datagram(__u32 lane)
{
	struct xp_cursor *cur = xp_cursor_at(lane);
	struct xp_datagram *d;
	__u32 index;

	if (!cur || !cur->datagrams.tail)
		return 0;
	index = cur->datagrams.tail - 1;
	d = xp_datagram_at(index);
	if (!d || !xp_datagram_aged(d))
		return 0;
	return !xp_datagram_drop(lane, index, XP_R_FRAG_AGED);
}

/* ---- the start of a datagram ---- */

/* An entry for the fragment in work, under cur->part.key: its index, or -reason. */
__attribute__((noinline)) int xp_datagram_new(__u32 lane)
{
	struct xp_cursor *cur = xp_cursor_at(lane);
	struct xp_datagram *d;
	__u32 index;

	if (!cur)
		return -XP_R_FRAG_FULL;
	xp_age_datagram(lane);
	if (!cur->free_datagram && cur->used_datagrams >= xp_config.datagrams &&
	    (!cur->datagrams.tail ||
	     xp_datagram_drop(lane, cur->datagrams.tail - 1, XP_R_FRAG_FULL)))
		return -XP_R_FRAG_FULL;
	index = cur->free_datagram ? cur->free_datagram - 1
				   : lane * xp_config.datagrams + cur->used_datagrams;
	d = xp_datagram_at(index);
	/* Another lane was quicker with the same datagram, or the kernel is out of memory. */
	if (!d || bpf_map_update_elem(&xp_datagrams, &cur->part.key, &index, BPF_NOEXIST))
		return -XP_R_LANE_BUSY;
	if (cur->free_datagram)
		cur->free_datagram = d->older;
	else
		cur->used_datagrams++;
	d->key = cur->part.key;
	d->sum = 0;
	d->state = XP_DATAGRAM_OPEN;
	d->flags = XP_DATAGRAM_KEYED;
	d->reason = XP_R_OK;
	d->since = xp_now();
	d->units = d->total = d->high = 0;
	d->l4_at = d->data_at = d->areas = 0;
	d->newer = 0;
	d->older = cur->datagrams.head;
	xp_datagram_join(&cur->datagrams, index + 1, d->older);
	cur->datagrams.head = index + 1;
	return index;
}

/* ---- is the fragment wanted? ---- */

/* The verdict on it: the flow's if the first fragment tells its ports, else of the rules. */
static __always_inline __u32 xp_part_match(const struct xp_packet *p)
{
	__u32 match = xp_match_rules(p, p->at != 0);
	struct xp_flow *f;

	if (p->at)
		return match;
	f = xp_flow_of(xp_handle_of(&p->key, p->v6));
	if (!f)
		return match;
	return (match & ~(XP_MATCH_VERDICT | XP_MATCH_WHOLE)) |
	       (f->flags & XP_FLOW_RTP ? XP_RTP_MASK : 0) |
	       (f->flags & XP_FLOW_TAKE ? XP_RULE_TAKE : XP_RULE_TAP);
}

/* What keeps a fragment from being put together with others, as far as a rule has to do with it. */
static __always_inline __u32 xp_part_refused(const struct xp_packet *p, __u32 match)
{
	if (!(match & XP_MATCH_VERDICT))
		return XP_R_NO_RULE;
	/* What else a rule may ask for does not know datagrams in the UMEM (xp_fetch()). */
	if (match & ~(XP_MATCH_VERDICT | XP_MATCH_OVERLAP) || p->fragment & XP_PART_TUNNEL)
		return XP_R_IP_FRAGMENT;
	return XP_R_OK;
}

/* The datagram that the fragment in work is of: index, XP_NONE: none yet. */
static __always_inline __u32 xp_part_known(const struct xp_cursor *cur)
{
	__u32 *index = bpf_map_lookup_elem(&xp_datagrams, &cur->part.key);

	return index ? *index : XP_NONE;
}

/* What is wrong with the fragment itself. */
static __always_inline __u32 xp_part_fault(struct xp_ctx *ctx, const struct xp_packet *p)
{
	if (xp_config.knobs & XP_KNOB_CHECKSUM && !xp_ip_good(xp_ctx_data(ctx), xp_ctx_end(ctx), p))
		return XP_R_IP_CHECKSUM;
	return xp_fragment_fault(p);
}

/* The first fragment decides for all: XP_R_OK, or the reason to give the datagram up. */
static __always_inline __u32 xp_part_decide(struct xp_datagram *d, const struct xp_packet *p,
					    __u32 match)
{
	__u32 refused = xp_part_refused(p, match);

	if (match & XP_MATCH_OVERLAP)
		d->flags |= XP_DATAGRAM_WIN;
	else
		d->flags &= ~XP_DATAGRAM_WIN;
	if (p->at)
		return refused;
	d->flags |= XP_DATAGRAM_FIRST;
	if (refused)
		return refused;
	if ((match & XP_MATCH_VERDICT) == XP_RULE_TAKE)
		d->flags |= XP_DATAGRAM_TAKE;
	/* Overlaps in what came before: another rule might have allowed them. */
	return d->flags & XP_DATAGRAM_MARKED && !(d->flags & XP_DATAGRAM_WIN) ? XP_R_FRAG_OVERLAP
									      : XP_R_OK;
}

/* The fragment's datagram, of this lane, in cur->part.datagram: XP_R_OK or a reason. */
__attribute__((noinline)) int xp_part_admit(struct xp_ctx *ctx, __u32 lane)
{
	struct xp_cursor *cur = xp_cursor_at(lane);
	const struct xp_packet *p = &cur->packet;
	__u32 index, fault, match;
	struct xp_datagram *d;
	int r;

	if (!cur)
		return XP_R_LANE_BUSY;
	fault = xp_part_fault(ctx, p);
	index = xp_part_known(cur);
	d = xp_datagram_at(index);
	if (d && index / xp_config.datagrams != lane) /* it has begun elsewhere meanwhile */
		return XP_R_LANE_BUSY;
	if (d && xp_datagram_aged(d)) {
		xp_datagram_drop(lane, index, XP_R_FRAG_AGED);
		d = NULL;
	}
	if (d)
		cur->part.datagram = index;
	if (d && d->state == XP_DATAGRAM_DEAD)
		return d->reason;
	/* It alone (RFC 8200, 4.5): none of its bytes is used, and anybody may have sent it. */
	if (fault)
		return fault;
	if (d && (p->at || d->flags & XP_DATAGRAM_FIRST))
		return XP_R_OK;
	match = xp_part_match(p);
	if (!d) {
		fault = xp_part_refused(p, match);
		/* A tunnel's first fragment has to be remembered for the others. */
		if (fault == XP_R_NO_RULE || (fault && !(p->fragment & XP_PART_TUNNEL)))
			return fault;
		r = xp_datagram_new(lane);
		if (r < 0)
			return -r;
		index = r;
		cur->part.datagram = index;
		d = xp_datagram_at(index);
		if (!d)
			return XP_R_LANE_BUSY;
	}
	fault = xp_part_decide(d, p, match);
	if (fault)
		xp_datagram_give_up(lane, index, fault);
	return fault;
}

/* ---- room for it ---- */

/* Give up the oldest datagram while those of the lane have too many areas. */
static long xp_part_room_one(__u32 i, __u32 *lane)
{
	struct xp_cursor *cur = xp_cursor_at(*lane);
	__u32 oldest;

	if (!cur || cur->datagram_areas + cur->part.need <= xp_config.datagram_areas)
		return 1;
	oldest = cur->datagrams.tail - 1;
	if (oldest == cur->part.datagram || xp_datagram_drop(*lane, oldest, XP_R_FRAG_FULL))
		return 1;
	return 0;
}

/* Areas for the fragment in work: XP_R_OK, or it and its datagram can not stay. */
static __always_inline __u32 xp_part_room(struct xp_cursor *cur, __u32 lane)
{
	const struct xp_packet *p = &cur->packet;
	__u32 shift = xp_config.area_shift, end = p->at + xp_fragment_bytes(p);

	cur->part.need = ((end - 1) >> shift) - (p->at >> shift) + 1;
	bpf_loop(XP_PART_EVICTIONS, xp_part_room_one, &lane, 0);
	return cur->datagram_areas + cur->part.need <= xp_config.datagram_areas ? XP_R_OK
										: XP_R_FRAG_FULL;
}

/* ---- placing it ---- */

/* The area for offset `at` of the datagram: index + 1, or 0. */
static __always_inline __u32 xp_part_area(struct xp_cursor *cur, __u32 lane, struct xp_datagram *d,
					  __u32 at)
{
	__u32 *slot = &d->slot[at >> xp_config.area_shift & (XP_DATAGRAM_AREAS - 1)], area;

	if (*slot)
		return *slot;
	area = xp_take_area(cur, lane, XP_AREA(XP_AREA_DATAGRAM, cur->part.datagram), 0);
	if (area == XP_NONE)
		return 0;
	*slot = area + 1;
	d->areas++;
	cur->datagram_areas++;
	return area + 1;
}

/* Place the new units [run, at) of the fragment in work, and tell of them: XP_R_OK or a reason. */
__attribute__((noinline)) int xp_part_piece(struct xp_ctx *ctx, __u32 lane)
{
	struct xp_cursor *cur = xp_cursor_at(lane);
	__u32 from, end, area, to, size = xp_area_bytes();
	struct xp_completion *c;
	struct xp_datagram *d;
	struct xp_packet *p;
	char *memory;
	int sum = 0;

	d = cur ? xp_datagram_at(cur->part.datagram) : NULL;
	if (!d)
		return XP_R_COPY;
	p = &cur->packet;
	from = cur->part.taking.run * XP_UNIT;
	end = cur->part.taking.at * XP_UNIT;
	/* The headers stay with the datagram; the last unit may be cut short. */
	if (from < p->at + p->data - p->base)
		from = p->at + p->data - p->base;
	if (end > p->at + xp_fragment_bytes(p))
		end = p->at + xp_fragment_bytes(p);
	if (from >= end)
		return XP_R_OK;
	area = xp_part_area(cur, lane, d, from);
	if (!area)
		return XP_R_NO_AREA;
	to = ((area - 1) << xp_config.area_shift) + (from & (size - 1));
	memory = xp_umem_at(to, size);
	if (!memory || xp_copy(ctx, p->base + from - p->at, memory, end - from))
		return XP_R_COPY;
	if (xp_config.knobs & XP_KNOB_CHECKSUM)
		sum = xp_sum_placed(to, end - from);
	if (sum < 0)
		return XP_R_COPY;
	d->sum += sum;
	c = xp_tell(cur, lane, XP_FRAGMENT, cur->job.reason);
	if (!c)
		return XP_R_RING_FULL;
	c->offset = from;
	c->data = to;
	c->data_len = end - from;
	return XP_R_OK;
}

struct xp_parting {
	struct xp_ctx *ctx;
	__u32 lane;
};

static long xp_part_take_one(__u32 i, struct xp_parting *parting)
{
	struct xp_cursor *cur = xp_cursor_at(parting->lane);
	struct xp_datagram *d = cur ? xp_datagram_at(cur->part.datagram) : NULL;
	enum xp_take step;
	int r;

	if (!d)
		return 1;
	step = xp_units_take(d, &cur->part.taking, xp_area_bytes());
	if (step != XP_TAKE_PIECE)
		return step == XP_TAKE_DONE;
	r = xp_part_piece(parting->ctx, parting->lane);
	cur->part.taking.open = 0;
	if (!r)
		return 0;
	cur->part.failed = r;
	return 1;
}

static long xp_part_look_one(__u32 i, __u32 *lane)
{
	struct xp_cursor *cur = xp_cursor_at(*lane);
	struct xp_datagram *d = cur ? xp_datagram_at(cur->part.datagram) : NULL;

	if (!d || xp_span_look(d, &cur->part.span, i))
		return 1;
	return 0;
}

/* Keep of the first fragment what the whole datagram is known by. */
__attribute__((noinline)) int xp_part_first(struct xp_ctx *ctx, __u32 lane)
{
	struct xp_cursor *cur = xp_cursor_at(lane);
	struct xp_datagram *d = cur ? xp_datagram_at(cur->part.datagram) : NULL;
	__u64 n;

	if (!d)
		return XP_R_COPY;
	__builtin_memcpy(&d->packet, &cur->packet, sizeof(d->packet));
	d->l4_at = d->packet.l4 - d->packet.base;
	d->data_at = d->packet.data - d->packet.base;
	n = d->packet.data;
	n -= 1;
	xp_opaque(n);
	if (n >= XP_MAX_HEADER)
		return XP_R_COPY;
	return xp_ctx_load(ctx, 0, d->header, n + 1) ? XP_R_COPY : XP_R_OK;
}

/* Its new bytes into the datagram's areas, told as FRAGMENT: XP_R_OK or a reason. */
__attribute__((noinline)) int xp_part_store(struct xp_ctx *ctx, __u32 lane)
{
	struct xp_parting parting = {.ctx = ctx, .lane = lane};
	struct xp_cursor *cur = xp_cursor_at(lane);
	struct xp_datagram *d = cur ? xp_datagram_at(cur->part.datagram) : NULL;
	int r;

	if (!d)
		return XP_R_COPY;
	r = xp_part_room(cur, lane);
	if (!r && !cur->packet.at)
		r = xp_part_first(ctx, lane);
	if (!r)
		r = xp_put_header(ctx, lane, cur->packet.data, 0);
	if (r)
		return r;
	xp_part_note(d, &cur->part.span, &cur->packet);
	cur->part.taking.at = cur->part.span.first;
	cur->part.taking.past = cur->part.span.past;
	cur->part.taking.open = 0;
	cur->part.failed = XP_R_OK;
	bpf_loop(2 * 65536 / XP_UNIT, xp_part_take_one, &parting, 0);
	if (cur->job.header != XP_NONE) /* nothing of it was new, or it was all headers */
		xp_tell(cur, lane, XP_FRAGMENT, cur->job.reason);
	return cur->part.failed;
}

/* What is said twice, in the very same fragment. */
static __always_inline void xp_part_repeated(struct xp_ctx *ctx, struct xp_cursor *cur, __u32 lane)
{
	int r = xp_put_header(ctx, lane, cur->packet.data, 1);

	cur->job.opcode = XP_REPEAT;
	cur->job.reason = r ? r : XP_R_REPEATED;
	xp_tell(cur, lane, XP_REPEAT, cur->job.reason);
}

/* The fragment in work into its datagram; job.opcode and job.reason say what became of it. */
static __always_inline void xp_part_place(struct xp_ctx *ctx, struct xp_cursor *cur, __u32 lane)
{
	struct xp_datagram *d = xp_datagram_at(cur->part.datagram);
	enum xp_part_is is;
	int r = XP_R_OK;

	if (!d)
		return;
	xp_span_of(&cur->part.span, cur->packet.at, xp_fragment_bytes(&cur->packet));
	bpf_loop(XP_UNIT_WORDS, xp_part_look_one, &lane, 0);
	is = xp_part_judge(d, &cur->part.span, &cur->packet);
	if (is == XP_PART_REPEAT) {
		xp_part_repeated(ctx, cur, lane);
		return;
	}
	if (is != XP_PART_NEW)
		cur->job.reason = XP_R_FRAG_OVERLAP;
	if (is == XP_PART_OVERLAP && d->flags & XP_DATAGRAM_WIN)
		d->flags |= XP_DATAGRAM_MARKED;
	else if (is != XP_PART_NEW)
		r = XP_R_FRAG_OVERLAP;
	if (!r) {
		cur->job.opcode = XP_FRAGMENT;
		r = xp_part_store(ctx, lane);
	}
	if (!r)
		return;
	cur->job.opcode = XP_FOREIGN;
	cur->job.reason = r;
	xp_datagram_give_up(lane, cur->part.datagram, r);
}

/* ---- the whole datagram ---- */

/* The datagram becomes the packet in work of a lane, which may be another than its own. */
static __always_inline void xp_datagram_enter(struct xp_cursor *cur, const struct xp_datagram *d,
					      __u32 index)
{
	__builtin_memcpy(&cur->packet, &d->packet, sizeof(cur->packet));
	cur->packet.payload = d->total - d->data_at;
	cur->whole = index + 1;
}

/*
 * It has gone its way as a packet, in the ring of `lane`: areas that are left, entry. What is
 * counted is the fragment that came last.
 */
__attribute__((noinline)) int xp_datagram_done(__u32 lane)
{
	struct xp_cursor *cur = xp_cursor_at(lane);
	__u32 index = cur ? cur->whole - 1 : XP_NONE, reason;
	struct xp_datagram *d = xp_datagram_at(index);

	if (!cur || !d)
		return 0;
	cur->whole = 0;
	cur->job.opcode = XP_FRAGMENT;
	reason = d->flags & XP_DATAGRAM_MARKED ? XP_R_FRAG_OVERLAP : cur->job.reason;
	xp_datagram_yield(lane, index, reason);
	if (index / xp_config.datagrams == lane) {
		xp_datagram_free(lane, index);
		return 0;
	}
	/* Full barrier: who sees this sees the slots empty. */
	__sync_lock_test_and_set(&d->state, XP_DATAGRAM_GONE);
	return 0;
}

struct xp_handing {
	__u32 lane;
	__u32 at; /* offset in the datagram */
	__u32 reason;
};

/* Up to two areas of a datagram in sequence, as stream data. */
static long xp_hand_one(__u32 i, struct xp_handing *h)
{
	struct xp_cursor *cur = xp_cursor_at(h->lane);
	__u32 size = xp_area_bytes(), left, first, room, n;
	struct xp_completion *c;
	struct xp_datagram *d;
	struct xp_flow *f;

	d = cur ? xp_datagram_at(cur->whole - 1) : NULL;
	f = cur ? xp_flow_at(cur->job.flow) : NULL;
	if (!d || !f || h->at >= d->total)
		return 1;
	left = d->total - h->at;
	first = h->at >> xp_config.area_shift;
	room = size - (h->at & (size - 1));
	n = left < room + size ? left : room + size;
	c = xp_tell(cur, h->lane, cur->job.opcode, h->reason);
	if (!c)
		return 1;
	c->offset = f->edge;
	c->data_len = n;
	c->data = ((d->slot[first & (XP_DATAGRAM_AREAS - 1)] - 1) << xp_config.area_shift) +
		  (h->at & (size - 1));
	c->flags |= XP_RELEASE_DATA;
	xp_give_area(xp_area_of(c->data));
	d->slot[first & (XP_DATAGRAM_AREAS - 1)] = 0;
	if (n > room) {
		first++;
		c->data2 = (d->slot[first & (XP_DATAGRAM_AREAS - 1)] - 1) << xp_config.area_shift;
		c->flags |= XP_RELEASE_DATA2;
		xp_give_area(xp_area_of(c->data2));
		d->slot[first & (XP_DATAGRAM_AREAS - 1)] = 0;
	}
	f->edge += n;
	f->next += n;
	cur->job.placed += n;
	h->at += n;
	return 0;
}

/*
 * The UDP datagram in work to its flow without copying: its own areas are the stream's next. What
 * the flow has of an area that is not full goes first: the next datagram begins another.
 */
static __always_inline int xp_hand_over(struct xp_cursor *cur, __u32 lane, struct xp_flow *f)
{
	struct xp_datagram *d = xp_datagram_at(cur->whole - 1);
	struct xp_handing h = {.lane = lane};
	struct xp_completion *c;

	if (!d)
		return -XP_R_COPY;
	if (f->area != XP_NONE) {
		c = xp_emit(cur, lane, XP_FRAGMENT, XP_R_OK, f->handle);
		if (!c)
			return -XP_R_RING_FULL;
		c->offset = f->edge;
		c->data2 = f->area << xp_config.area_shift;
		c->flags |= XP_RELEASE_DATA2;
		xp_give_area(f->area);
		f->area = XP_NONE;
	}
	h.at = d->data_at;
	h.reason = d->flags & XP_DATAGRAM_MARKED ? XP_R_FRAG_OVERLAP : XP_R_OK;
	bpf_loop(XP_DATAGRAM_AREAS, xp_hand_one, &h, 0);
	return 0;
}

/*
 * The whole datagram in work, which is stream data, to its flow: 0 done, -reason, 1 it is to be
 * copied like any packet (xp_fetch()). This is where each protocol that has a way of its own with
 * datagrams takes them; areas that it leaves are given back by xp_datagram_done().
 */
__attribute__((noinline)) int xp_deliver(__u32 lane)
{
	struct xp_cursor *cur = xp_cursor_at(lane);
	struct xp_flow *f = cur ? xp_flow_at(cur->job.flow) : NULL;

	if (!f || cur->packet.proto != IPPROTO_UDP || f->flags & XP_FLOW_OWN)
		return 1;
	return xp_hand_over(cur, lane, f);
}

/* ---- lanes ---- */

/*
 * The lane that has the fragment's datagram, entered, with the packet; that of its arrival if
 * there is none yet. -1: the packet passed.
 */
__attribute__((noinline)) int xp_part_home(__u32 lane)
{
	struct xp_cursor *cur = xp_cursor_at(lane);
	struct xp_packet packet;
	__u32 index, home;

	if (!cur)
		return -1;
	xp_fragment_key(&cur->packet, &cur->part.key);
	index = xp_part_known(cur);
	home = index / xp_config.datagrams;
	if (index == XP_NONE || home == lane)
		return lane;
	__builtin_memcpy(&packet, &cur->packet, sizeof(packet));
	xp_unlock(cur);
	cur = xp_lock(home, XP_HELD);
	if (!cur) {
		xp_pass(XP_R_LANE_BUSY);
		return -1;
	}
	__builtin_memcpy(&cur->packet, &packet, sizeof(packet));
	xp_fragment_key(&cur->packet, &cur->part.key);
	return home;
}

/*
 * A datagram that is whole, the packet in work of its own lane: the lane of its flow, entered with
 * it. -1: the packet passed, the datagram is given up.
 */
__attribute__((noinline)) int xp_whole_home(__u32 lane)
{
	struct xp_cursor *cur = xp_cursor_at(lane);
	__u32 index = cur ? cur->whole - 1 : XP_NONE, home, reason = XP_R_LANE_BUSY;
	struct xp_datagram *d = xp_datagram_at(index);
	struct xp_lane *shared;
	struct xp_flow *f;

	if (!cur || !d)
		return lane;
	xp_datagram_unkey(d);
	f = xp_flow_of(xp_handle_of(&cur->packet.key, cur->packet.v6));
	if (!f || f->lane == lane)
		return lane;
	home = f->lane;
	shared = xp_lane_at(home);
	d->state = XP_DATAGRAM_LEAVING;
	cur->whole = 0;
	xp_leave(cur, lane);
	cur = xp_lock(home, XP_HELD);
	if (cur && shared && xp_room(cur, shared) >= XP_SLOW_ROOM + XP_PART_ROOM) {
		xp_datagram_enter(cur, d, index);
		return home;
	}
	if (cur) {
		xp_unlock(cur);
		reason = XP_R_RING_FULL;
	}
	cur = xp_lock(lane, XP_HELD);
	if (cur) {
		xp_datagram_drop(lane, index, reason);
		xp_leave(cur, lane);
	} else { /* its age will end it */
		d->state = XP_DATAGRAM_OPEN;
	}
	xp_pass(reason);
	return -1;
}

/* A datagram that went through another lane: its entry is free. */
__attribute__((noinline)) int xp_whole_back(__u32 index)
{
	__u32 lane = index / xp_config.datagrams;
	struct xp_datagram *d = xp_datagram_at(index);
	struct xp_cursor *cur;

	if (!d)
		return 0;
	cur = xp_lock(lane, XP_HELD);
	if (!cur) /* found when the next datagram wants it */
		return 0;
	if (d->state == XP_DATAGRAM_GONE)
		xp_datagram_free(lane, index);
	xp_unlock(cur);
	return 0;
}

/*
 * A fragment in its datagram's lane: the XDP action, with the lane left; or -1: the datagram is
 * whole now and is the packet in work, the lane is still held.
 */
__attribute__((noinline)) int xp_fragment(struct xp_ctx *ctx, __u32 lane)
{
	struct xp_cursor *cur = xp_cursor_at(lane);
	struct xp_lane *shared = xp_lane_at(lane);
	struct xp_datagram *d;
	__u32 take = 0;
	int r = XP_R_RING_FULL;

	if (!cur || !shared)
		return XDP_PASS;
	cur->job.flow = XP_NONE;
	cur->job.opcode = XP_FOREIGN;
	cur->job.reason = XP_R_OK;
	cur->job.header = XP_NONE;
	cur->job.placed = 0;
	cur->part.datagram = XP_NONE;
	if (xp_room(cur, shared) >= XP_SLOW_ROOM + XP_PART_ROOM)
		r = xp_part_admit(ctx, lane);
	if (r)
		cur->job.reason = r;
	else
		xp_part_place(ctx, cur, lane);
	d = xp_datagram_at(cur->part.datagram);
	if (d) {
		take = d->flags & XP_DATAGRAM_TAKE;
		if (!r && d->state == XP_DATAGRAM_OPEN && xp_datagram_whole(d)) {
			cur->job.reason = xp_datagram_trim(d);
			if (!cur->job.reason) {
				xp_datagram_enter(cur, d, cur->part.datagram);
				return -1;
			}
			xp_datagram_give_up(lane, cur->part.datagram, cur->job.reason);
			xp_datagram_free(lane, cur->part.datagram);
		}
	}
	r = xp_verdict(lane, cur->job.opcode, cur->job.reason, 0, take);
	xp_leave(cur, lane);
	return r;
}

#endif
