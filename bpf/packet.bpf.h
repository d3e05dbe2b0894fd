/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * packet.bpf.h - a packet's way through the stages, the same for each hook.
 *
 * In: the context of a packet. Out: the XDP action. xdplace.bpf.c tells the stages.
 */
#ifndef PACKET_BPF_H
#define PACKET_BPF_H

#include "hole_way.bpf.h"

/* One layer of any header chain (parse.h): a function of its own, to be verified once. */
__attribute__((noinline)) int xp_parse_one(struct xp_ctx *ctx, struct xp_walk *w,
					   struct xp_packet *p)
{
	struct xp_view view = {
		.data = xp_ctx_data(ctx),
		.end = xp_ctx_end(ctx),
	};

	return w && p ? xp_parse_layer(&view, w, p) : -XP_R_SHORT;
}

/* xp_parse() in these pieces. */
__attribute__((noinline)) int xp_parse_any(struct xp_ctx *ctx, struct xp_packet *p)
{
	__u32 length = xp_ctx_length(ctx), protocols = xp_config.protocols;
	struct xp_walk w;
	int r;

	if (XP_CTX_BIG && length > XP_MAX_IP_BYTES)
		protocols |= XP_P_BIG;
	xp_walk_start(&w, length, protocols);
	r = xp_parse_one(ctx, &w, p);
	return r == 1 ? xp_inner_result(xp_parse_one(ctx, &w, p)) : r;
}

/* The packet of a locked lane: 0 plain, 1 any other chain, -reason. */
static __always_inline int xp_read(struct xp_ctx *ctx, struct xp_packet *p)
{
	const void *data = xp_ctx_data(ctx), *end = xp_ctx_end(ctx);
	int r, more;

	if (!xp_parse_plain(data, end, xp_config.protocols, p))
		return xp_ctx_complete(ctx, p);
	__builtin_memset(p, 0, sizeof(*p));
	r = xp_parse_any(ctx, p);
	if (r && r != -XP_R_IP_FRAGMENT)
		return r;
	more = xp_ctx_complete(ctx, p);
	if (more)
		return more;
	return r ? r : 1;
}

/*
 * A packet whose flow lives in another lane: leave `from`, enter `lane`, read it again there. 1: in
 * it, with the flow; 0: in it, but the flow has ended on the way; -1: the packet passed.
 */
__attribute__((noinline)) int xp_move(struct xp_ctx *ctx, __u32 from, __u32 lane, __u32 handle)
{
	struct xp_cursor *here = xp_cursor_at(from), *home;
	struct xp_flow *f;

	if (here)
		xp_unlock(here);
	home = xp_lock(lane, XP_HELD);
	if (!home) {
		xp_pass(XP_R_LANE_BUSY);
		return -1;
	}
	if (xp_read(ctx, &home->packet) < 0) { /* never: it was read before */
		xp_unlock(home);
		xp_pass(XP_R_COPY);
		return -1;
	}
	f = xp_flow_of(handle);
	/* Its entry may be another flow's by now. */
	return f && xp_key_equal(&f->key, &home->packet.key, home->packet.v6);
}

/* A fragment, in the lane of its arrival. The last of a datagram goes on with all of it. */
static __always_inline int xp_fragmented(struct xp_ctx *ctx, __u32 lane)
{
	struct xp_datagram *d;
	struct xp_cursor *cur;
	struct xp_flow *f;
	__u32 index;
	int home, r;

	home = xp_part_home(lane);
	if (home < 0)
		return XDP_PASS;
	r = xp_fragment(ctx, home);
	if (r >= 0)
		return r;
	home = xp_whole_home(home);
	cur = xp_cursor_at(home);
	if (home < 0 || !cur)
		return XDP_PASS;
	index = cur->whole - 1;
	f = xp_flow_of(xp_handle_of(&cur->packet.key, cur->packet.v6));
	r = xp_long_way(ctx, home, f && f->lane == home ? f->handle : XP_NONE);
	d = xp_datagram_at(index);
	if (d && index / xp_config.datagrams != (__u32)home)
		xp_whole_back(index);
	return r;
}

/* The flow of a packet that continues the lane's train; NULL: it does not. */
static __always_inline struct xp_flow *xp_train_flow(struct xp_ctx *ctx,
						     const struct xp_cursor *cur)
{
	if (!xp_train_goes_on(xp_ctx_data(ctx), xp_ctx_end(ctx), &cur->train))
		return NULL;
	return xp_flow_of(cur->train.handle);
}

/* The lane's flow of any other plain packet, by its key; NULL: none here, or not plain. */
static __always_inline struct xp_flow *xp_plain_flow(struct xp_ctx *ctx, struct xp_cursor *cur,
						     __u32 lane)
{
	const void *data = xp_ctx_data(ctx), *end = xp_ctx_end(ctx);
	int version = xp_plain_key(data, end, xp_config.protocols, &cur->packet.key);
	struct xp_flow *f;

	cur->found = XP_NONE;
	if (!version)
		return NULL;
	f = xp_flow_recent(&cur->packet.key, version == 6, lane);
	if (!f)
		return NULL;
	cur->found = f->handle;
	if (f->lane != lane)
		return NULL;
	if (cur->last == f->handle && version == 4)
		xp_train_begin(data, end, &cur->train, f->handle);
	cur->last = f->handle;
	return f;
}

/*
 * Choose among the quick ways, or none: -1. Part of its caller: where returns are protected against
 * speculation, each call costs as much as fifteen lines here.
 */
static __always_inline int xp_short_way(struct xp_ctx *ctx, const struct xp_packet *p,
					struct xp_cursor *cur, __u32 lane, struct xp_flow *f)
{
	if (f->state != XP_FLOW_OPEN || p->data > XP_SHORT_HEADER)
		return -1;
	if (p->proto == IPPROTO_TCP) {
		if (p->tcp_flags & (XP_TCP_FIN | XP_TCP_SYN | XP_TCP_RST))
			return -1;
		if (!p->payload)
			return xp_short_ack(ctx, p, cur, lane, f);
	}
	if (!XP_CTX_SHORT)
		return -1;
	if (f->flags & (XP_FLOW_OWN | XP_FLOW_FIN | XP_FLOW_RTP) || f->strays)
		return -1;
	if (!p->payload || p->payload > xp_area_bytes())
		return -1;
	if (xp_unlikely(f->early != XP_NONE || (p->proto == IPPROTO_TCP && p->seq != f->next)))
		return xp_hole_way(ctx, lane, f->handle);
	return xp_short_append(ctx, p, cur, lane, f);
}

/* A packet that is not done with in the short way, in its locked lane. */
static __always_inline int xp_packet_long(struct xp_ctx *ctx, struct xp_cursor *cur, __u32 lane)
{
	int read = xp_read(ctx, &cur->packet), moved;
	struct xp_flow *f;
	__u32 handle, home;

	if (read == -XP_R_HEADER_SPLIT && xp_ctx_mend(ctx))
		read = xp_read(ctx, &cur->packet);
	if (read == -XP_R_IP_FRAGMENT && cur->packet.fragment)
		return xp_fragmented(ctx, lane);
	if (read < 0) {
		xp_unlock(cur);
		return xp_pass(-read);
	}
	/* Plain packets were looked up on the short way already. */
	if (XP_CTX_SHORT && !read)
		f = xp_flow_of(cur->found);
	else
		f = xp_flow_recent(&cur->packet.key, cur->packet.v6, lane);
	if (!f)
		return xp_long_way(ctx, lane, XP_NONE);
	handle = f->handle;
	home = f->lane; /* a flow never changes it */
	if (home == lane) {
		/* Behind the stack a VLAN tag is not among the bytes that a train compares. */
		if (!XP_CTX_SHORT && !read) {
			moved = xp_short_way(ctx, &cur->packet, cur, lane, f);
			if (moved >= 0)
				return moved;
		}
		return xp_long_way(ctx, lane, handle);
	}
	moved = xp_move(ctx, lane, home, handle);
	if (moved < 0)
		return XDP_PASS;
	return xp_long_way(ctx, home, moved ? handle : XP_NONE);
}

/* The short way, if the packet is one for it: the XDP action, or -1 and nothing is changed. */
static __always_inline int xp_packet_short(struct xp_ctx *ctx, struct xp_cursor *cur, __u32 lane)
{
	struct xp_flow *f = xp_train_flow(ctx, cur);

	if (f)
		cur->found = f->handle;
	else
		f = xp_plain_flow(ctx, cur, lane);
	if (!f ||
	    xp_plain_rest(xp_ctx_data(ctx), xp_ctx_end(ctx), f->flags & XP_FLOW_V6, &cur->packet))
		return -1;
	return xp_short_way(ctx, &cur->packet, cur, lane, f);
}

static __always_inline int xp_packet(struct xp_ctx *ctx)
{
	__u32 lane = xp_lane_of(ctx);
	struct xp_cursor *cur = xp_lock(lane, XP_HELD);
	int r;

	if (!cur)
		return xp_pass(XP_R_LANE_BUSY);
	if (XP_CTX_SHORT) {
		r = xp_packet_short(ctx, cur, lane);
		if (r >= 0)
			return r;
	}
	return xp_packet_long(ctx, cur, lane);
}

#endif
