/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * short_way.bpf.h - the packets that there are most of, in as few instructions as we know how:
 * the next segment or datagram of a flow without holes, and the pure acknowledgement.
 *
 * In: a plain packet, its locked lane, its flow. Out: the XDP action with the lane left, or -1
 * with nothing changed: then the long way judges. Everything that can fail comes before anything
 * that is remembered.
 */
#ifndef SHORT_WAY_BPF_H
#define SHORT_WAY_BPF_H

#include "long_way.bpf.h"

/* Does the packet's checksum hold, given the sum of its payload? */
static __always_inline int xp_short_good(struct xp_ctx *ctx, const struct xp_packet *p,
					 __u64 payload)
{
	return xp_plain_good(xp_ctx_data(ctx), xp_ctx_end(ctx), p, payload);
}

/* Where a packet goes, gathered before anything is changed. */
struct xp_short {
	struct xp_cursor *cur;
	struct xp_lane *shared;
	struct xp_completion *c;
	char *bank; /* the only bank, NULL where there are several */
	__u32 lane;
	__u32 size; /* of an area */
};

/* The lane's side of a short packet; -1: not to be had, or the ring is full. */
static __always_inline int xp_short_begin(struct xp_short *s, struct xp_cursor *cur, __u32 lane)
{
	__u32 first_bank = 0;

	/* At most two areas of data and one of headers. */
	if (xp_in_hand(&cur->hand) < 3 && xp_refill(lane) < 3)
		return -1;
	s->cur = cur;
	s->lane = lane;
	s->size = xp_area_bytes();
	s->shared = xp_lane_at(lane);
	if (!s->shared || !xp_room(cur, s->shared))
		return -1;
	s->c = xp_ring_at(lane, cur->written);
	s->bank = NULL;
	if (!s->c)
		return -1;
	if (xp_config.banks > 1)
		return 0;
	s->bank = bpf_map_lookup_elem(&xp_umem, &first_bank);
	return s->bank ? 0 : -1;
}

/* xp_umem_at() with one look-up for all places of a packet where there is one bank. */
static __always_inline char *xp_short_at(const struct xp_short *s, __u32 offset)
{
	__u32 bank_bytes = 1u << xp_config.bank_shift;
	__u64 in_bank = offset & (bank_bytes - 1);

	if (xp_config.banks > 1)
		return xp_umem_at(offset, xp_area_bytes());
	if (in_bank > bank_bytes - xp_area_bytes())
		return NULL;
	return s->bank + in_bank;
}

/* Copy and, where asked, sum what goes to one piece of memory: the sum, 32 bits, or -1. */
static __always_inline __s64 xp_short_place(struct xp_ctx *ctx, const struct xp_short *s,
					    __u32 from, __u32 to, __u32 length)
{
	char *memory = xp_short_at(s, to);
	__u32 words = length & ~3u;
	__s64 sum;

	if (!memory || xp_copy(ctx, from, memory, length))
		return -1;
	if (!(xp_config.knobs & XP_KNOB_CHECKSUM))
		return 0;
	if (xp_config.csum_step < s->size || length & 3)
		return xp_sum_placed(to, length);
	xp_opaque(words);
	if (words > xp_area_bytes())
		return -1;
	sum = bpf_csum_diff(NULL, 0, (void *)memory, words, 0);
	return sum < 0 ? -1 : (__u32)sum;
}

/*
 * The completion is written in words of 8 bytes, each as soon as it is known: what is not told yet
 * may stay half written. Stream offset and data here ...
 */
static __always_inline void xp_short_data(const struct xp_short *s, const struct xp_flow *f,
					  __u32 data, __u32 data2)
{
	__u64 *word = (__u64 *)s->c;

	word[1] = f->edge;
	word[3] = xp_pair(data, data2);
}

/* ... and the headers, into a cell; `flags`: what is handed over with the data. */
static __always_inline void xp_short_header(struct xp_ctx *ctx, const struct xp_short *s,
					    const struct xp_packet *p, const struct xp_flow *f,
					    enum xp_cell_kind kind, __u32 opcode, __u32 flags)
{
	__u32 release = 0, cell = xp_take_cell(s->cur, s->lane, kind, s->size - 1, &release);
	__u64 *word = (__u64 *)s->c;
	char *to = xp_short_at(s, cell);

	if (to)
		xp_copy_header(ctx, to + XP_PAD, p->data);
	word[0] = xp_pair(xp_quad(opcode, XP_R_OK, flags | release, s->lane), f->handle);
	word[2] = xp_pair(cell + XP_PAD, xp_halves(p->data, p->payload));
	s->cur->written++;
}

/* Count, tell, leave the lane. */
static __always_inline int xp_short_end(const struct xp_short *s, const struct xp_packet *p,
					struct xp_flow *f)
{
	/* A copy: with the address of a member taken, all of `s` would have to be in memory. */
	__u32 lane = s->lane;
	struct xp_counters *counters;

	xp_saw_ack(f, p);
	xp_touch(s->cur, f, s->lane);
	counters = bpf_map_lookup_elem(&xp_reasons, &lane);
	if (counters) {
		if (p->payload)
			counters->op_append++;
		else
			counters->op_nodata++;
		counters->placed_bytes += p->payload;
	}
	xp_publish(s->cur, s->shared, s->lane);
	return xp_action(f->flags & XP_FLOW_TAKE);
}

/* Pure acknowledgement of an open flow. */
static __always_inline int xp_short_ack(struct xp_ctx *ctx, const struct xp_packet *p,
					struct xp_cursor *cur, __u32 lane, struct xp_flow *f)
{
	struct xp_short s;

	if (xp_short_begin(&s, cur, lane))
		return -1;
	if (xp_config.knobs & XP_KNOB_CHECKSUM && !xp_short_good(ctx, p, 0))
		return -1;
	xp_short_data(&s, f, XP_NONE, XP_NONE);
	xp_short_header(ctx, &s, p, f, XP_HYBRID_CELL, XP_NODATA, 0);
	return xp_short_end(&s, p, f);
}

/*
 * The areas of a segment: the one that holds the edge, or a new one, and a second where it ends
 * in the next. New ones are looked at in the hand, not taken yet; returns how many.
 */
static __always_inline __u32 xp_short_areas(const struct xp_cursor *cur, const struct xp_flow *f,
					    int straddles, __u32 *first, __u32 *second)
{
	const struct xp_hand *hand = &cur->hand;
	__u32 taken = 0;

	*first = f->area;
	*second = XP_NONE;
	if (*first == XP_NONE)
		*first = hand->area[(hand->taken + taken++) & (XP_HAND - 1)];
	if (straddles)
		*second = hand->area[(hand->taken + taken++) & (XP_HAND - 1)];
	return taken;
}

/* What a segment of which bytes [in_area, end) go to `first` and on to `second` leaves behind. */
static __always_inline __u32 xp_short_pass(struct xp_flow *f, __u32 first, __u32 second, __u32 end,
					   __u32 size)
{
	__u32 mine = XP_AREA(XP_AREA_REASSEMBLY, XP_FLOW_INDEX(f->handle));

	if (end < size) {
		if (f->area == XP_NONE)
			xp_area_mark(first, mine);
		f->area = first;
		return 0;
	}
	/* A segment is no longer than an area: it does not fill the second. */
	xp_give_area(first);
	f->area = second;
	if (second != XP_NONE)
		xp_area_mark(second, mine);
	return XP_RELEASE_DATA;
}

/* Place what goes on in a second area as well: the sum of both parts, or -1. */
static __always_inline __s64 xp_short_straddle(struct xp_ctx *ctx, const struct xp_short *s,
					       const struct xp_packet *p, __u32 to, __u32 second)
{
	__u32 part = s->size - (to & (s->size - 1));
	__s64 sum, more;

	sum = xp_short_place(ctx, s, p->data, to, part);
	if (sum < 0)
		return -1;
	more = xp_short_place(ctx, s, p->data + part, second << xp_config.area_shift,
			      p->payload - part);
	if (more < 0)
		return -1;
	/* Behind an odd number of bytes the halves of each word change places. */
	more = xp_fold(more);
	return sum + (part & 1 ? (more & 0xff) << 8 | more >> 8 : more);
}

/* Next in sequence, no hole, at most two areas. */
static __always_inline int xp_short_append(struct xp_ctx *ctx, const struct xp_packet *p,
					   struct xp_cursor *cur, __u32 lane, struct xp_flow *f)
{
	__u32 in_area, end, first, second, taken, to;
	struct xp_short s;
	__s64 sum;

	if (xp_short_begin(&s, cur, lane))
		return -1;
	in_area = f->edge & (s.size - 1);
	end = in_area + p->payload;
	taken = xp_short_areas(cur, f, end > s.size, &first, &second);
	to = (first << xp_config.area_shift) + in_area;
	xp_short_data(&s, f, to, second == XP_NONE ? XP_NONE : second << xp_config.area_shift);
	/* Neighbours are one piece of memory, and more often than not the next is one. */
	if (end <= s.size || second == first + 1)
		sum = xp_short_place(ctx, &s, p->data, to, p->payload);
	else
		sum = xp_short_straddle(ctx, &s, p, to, second);
	if (sum < 0)
		return -1;
	if (xp_config.knobs & XP_KNOB_CHECKSUM && !xp_short_good(ctx, p, sum))
		return -1;
	cur->hand.taken += taken;
	xp_short_header(ctx, &s, p, f, XP_HEADER_CELL, XP_APPEND,
			xp_short_pass(f, first, second, end, s.size));
	f->edge += p->payload;
	f->next += p->payload;
	f->bytes += p->payload;
	return xp_short_end(&s, p, f);
}

#endif
