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

/* One cell holds so many bytes of headers. */
#define XP_SHORT_HEADER (XP_CELL - XP_PAD)

/* Does the packet's checksum hold, given the folded sum of its payload? */
static __always_inline int xp_short_good(struct xdp_md *ctx, const struct xp_packet *p,
					 __u32 payload)
{
	return xp_plain_good((void *)(long)ctx->data, (void *)(long)ctx->data_end, p, payload);
}

/* Sum of bytes just placed at `memory`: at once where the kernel can, else in steps. */
static __always_inline int xp_short_sum(char *memory, __u32 offset, __u32 length)
{
	__u32 words = length & ~3u, size = xp_area_bytes();
	__s64 sum;

	if (xp_config.csum_step < size || length & 3)
		return xp_sum_placed(offset, length);
	xp_opaque(words);
	if (words > size)
		return -1;
	sum = bpf_csum_diff(NULL, 0, (void *)memory, words, 0);
	return sum < 0 ? -1 : (int)xp_fold(sum);
}

/* The header into its cell, and the completion that names it. */
static __always_inline struct xp_completion *
xp_short_header(struct xdp_md *ctx, struct xp_cursor *cur, __u32 lane, const struct xp_packet *p,
		enum xp_cell_kind kind, __u32 opcode, __u32 handle)
{
	struct xp_completion *c;
	__u32 flags = 0, cell;

	cell = xp_take_cell(cur, lane, kind, &flags);
	if (cell == XP_NONE)
		return NULL;
	c = xp_ring_at(lane, cur->written);
	if (!c) /* never: the index is masked */
		return NULL;
	xp_copy_header(ctx, cell, p->data);
	cur->written++;
	c->opcode = opcode;
	c->reason = XP_R_OK;
	c->flags = flags;
	c->lane = lane;
	c->flow = handle;
	c->header = cell + XP_PAD;
	c->header_len = p->data;
	return c;
}

/* Pure acknowledgement of an open flow. */
static __always_inline int xp_short_ack(struct xdp_md *ctx, const struct xp_packet *p,
					struct xp_cursor *cur, __u32 lane, struct xp_flow *f)
{
	struct xp_lane *shared = xp_lane_at(lane);
	struct xp_completion *c;
	int r;

	if (!shared || !xp_room(cur, shared))
		return -1;
	if (xp_config.knobs & XP_KNOB_CHECKSUM && !xp_short_good(ctx, p, 0))
		return -1;
	c = xp_short_header(ctx, cur, lane, p, XP_HYBRID_CELL, XP_NODATA, f->handle);
	if (!c)
		return -1;
	c->offset = f->edge;
	c->data_len = 0;
	c->data = c->data2 = XP_NONE;
	xp_saw_ack(f, p);
	xp_touch(cur, f, lane);
	r = xp_verdict(lane, XP_NODATA, XP_R_OK, 0, f->flags & XP_FLOW_TAKE);
	xp_publish(cur, shared, lane);
	return r;
}

/* Next in sequence, no hole, at most two areas. */
static __always_inline int xp_short_append(struct xdp_md *ctx, const struct xp_packet *p,
					   struct xp_cursor *cur, __u32 lane, struct xp_flow *f)
{
	struct xp_lane *shared = xp_lane_at(lane);
	__u32 size = xp_area_bytes(), length = p->payload, in_area = f->edge & (size - 1);
	__u32 first = f->area, second = XP_NONE, taken = 0, part = length, to, flags = 0;
	struct xp_completion *c;
	char *memory;
	int r, sum = 0, more;

	if (!shared || !xp_room(cur, shared))
		return -1;
	/* At most two areas of data and one of headers. */
	if (cur->hand_count < 3 && xp_refill(lane) < 3)
		return -1;
	if (first == XP_NONE)
		first = cur->hand[(cur->hand_count - ++taken) & (XP_HAND - 1)];
	if (length > size - in_area) {
		second = cur->hand[(cur->hand_count - ++taken) & (XP_HAND - 1)];
		/* Neighbours are one piece of memory, and often enough the next is one. */
		if (second != first + 1)
			part = size - in_area;
	}
	to = (first << xp_config.area_shift) + in_area;
	memory = xp_umem_at(to, size);
	if (!memory || xp_copy(ctx, p->data, memory, part))
		return -1;
	if (xp_config.knobs & XP_KNOB_CHECKSUM) {
		sum = xp_short_sum(memory, to, part);
		if (sum < 0)
			return -1;
	}
	if (part < length) {
		to = second << xp_config.area_shift;
		memory = xp_umem_at(to, size);
		if (!memory || xp_copy(ctx, p->data + part, memory, length - part))
			return -1;
		if (xp_config.knobs & XP_KNOB_CHECKSUM) {
			more = xp_short_sum(memory, to, length - part);
			if (more < 0)
				return -1;
			/* Behind an odd number of bytes the halves of each word change places. */
			sum += part & 1 ? (more & 0xff) << 8 | more >> 8 : more;
		}
	}
	if (xp_config.knobs & XP_KNOB_CHECKSUM && !xp_short_good(ctx, p, sum))
		return -1;
	/* The header's area is taken from below the data's: those are not taken yet. */
	cur->hand_count -= taken;
	c = xp_short_header(ctx, cur, lane, p, XP_HEADER_CELL, XP_APPEND, f->handle);
	if (!c) {
		cur->hand_count += taken;
		return -1;
	}
	c->offset = f->edge;
	c->data = (first << xp_config.area_shift) + in_area;
	c->data_len = length;
	c->data2 = XP_NONE;
	if (f->area == XP_NONE)
		xp_area_mark(first, XP_AREA(XP_AREA_REASSEMBLY, XP_FLOW_INDEX(f->handle)));
	f->area = first;
	if (in_area + length >= size) {
		flags = XP_RELEASE_DATA;
		xp_give_area(first);
		f->area = second;
	}
	if (second != XP_NONE) {
		c->data2 = second << xp_config.area_shift;
		xp_area_mark(second, XP_AREA(XP_AREA_REASSEMBLY, XP_FLOW_INDEX(f->handle)));
		if (in_area + length == 2 * size) { /* both are full */
			flags |= XP_RELEASE_DATA2;
			xp_give_area(second);
			f->area = XP_NONE;
		}
	}
	c->flags |= flags;
	f->edge += length;
	f->next += length;
	f->bytes += length;
	xp_saw_ack(f, p);
	xp_touch(cur, f, lane);
	r = xp_verdict(lane, XP_APPEND, XP_R_OK, length, f->flags & XP_FLOW_TAKE);
	xp_publish(cur, shared, lane);
	return r;
}

/*
 * Choose between the two, or neither: -1. A function of its own so that its stack is not there
 * any more when the long way needs it.
 */
static __attribute__((noinline)) int xp_short_way(struct xdp_md *ctx, const struct xp_packet *p,
						  struct xp_cursor *cur, __u32 lane,
						  struct xp_flow *f)
{
	if (f->state != XP_FLOW_OPEN || p->data > XP_SHORT_HEADER)
		return -1;
	if (p->proto == IPPROTO_TCP) {
		if (p->tcp_flags & (XP_TCP_FIN | XP_TCP_SYN | XP_TCP_RST))
			return -1;
		if (!p->payload)
			return xp_short_ack(ctx, p, cur, lane, f);
		if (p->seq != f->next)
			return -1;
	}
	if (f->early != XP_NONE || f->flags & (XP_FLOW_OWN | XP_FLOW_FIN) || f->strays)
		return -1;
	if (!p->payload || p->payload > xp_area_bytes())
		return -1;
	return xp_short_append(ctx, p, cur, lane, f);
}

#endif
