/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * xdplace.bpf.c - the life of a packet, as a list of stages.
 *
 *   parse ─► lane ─► flow ─► op-code ─► place ─► complete ─► verdict
 *
 *   parse    parse.h             headers, lengths, key; what does not conform passes with a reason
 *   lane     lane.bpf.h          enter the queue's lane; its areas and cells
 *   flow     flow_table.bpf.h    the lane's last flow, or look-up; move to the flow's home lane
 *   op-code  opcode.h            what the packet is to its flow; sequence.h for holes
 *   place    place.bpf.h         bytes into the UMEM; stream.bpf.h for the pieces of a stream
 *   complete complete.bpf.h      descriptors, publishing, waking
 *   verdict  verdict.bpf.h       counters, XDP action
 *
 * short_way.bpf.h does flow to verdict for the two commonest kinds of packet, long_way.bpf.h for
 * all others. xp_control changes the same state by command (control.bpf.h).
 */
#include "short_way.bpf.h"
#include "control.bpf.h"

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
	struct xp_walk w;
	int r;

	xp_walk_start(&w, xp_ctx_length(ctx), xp_config.protocols);
	r = xp_parse_one(ctx, &w, p);
	return r == 1 ? xp_inner_result(xp_parse_one(ctx, &w, p)) : r;
}

/* The packet of a locked lane: 0 plain, 1 any other chain, -reason. */
static __always_inline int xp_read(struct xp_ctx *ctx, struct xp_packet *p)
{
	const void *data = xp_ctx_data(ctx), *end = xp_ctx_end(ctx);
	int r;

	if (!xp_parse_plain(data, end, xp_config.protocols, p))
		return 0;
	__builtin_memset(p, 0, sizeof(*p));
	r = xp_parse_any(ctx, p);
	return r ? r : 1;
}

/* The packet's flow: the lane's last one, one it has seen lately, or by look-up; NULL: none. */
static __always_inline struct xp_flow *xp_find(const struct xp_cursor *cur,
					       const struct xp_packet *p, __u32 lane)
{
	struct xp_flow *f = NULL;

	if (xp_key_equal(&cur->key, &p->key, p->v6))
		f = xp_flow_remembered(cur->handle, p->v6);
	return f ? f : xp_flow_recent(&p->key, p->v6, lane);
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

static __always_inline int xp_packet(struct xp_ctx *ctx)
{
	__u32 lane = xp_lane_of(ctx);
	struct xp_cursor *cur = xp_lock(lane, XP_HELD);
	struct xp_flow *f;
	__u32 handle, home;
	int plain, r;

	if (!cur)
		return xp_pass(XP_R_LANE_BUSY);
	plain = xp_read(ctx, &cur->packet);
	if (plain < 0) {
		xp_unlock(cur);
		return xp_pass(-plain);
	}
	f = xp_find(cur, &cur->packet, lane);
	handle = f ? f->handle : XP_NONE;
	if (f && f->lane != lane) {
		home = f->lane; /* a flow never changes it */
		r = xp_move(ctx, lane, home, handle);
		if (r < 0)
			return XDP_PASS;
		return xp_long_way(ctx, home, r ? handle : XP_NONE);
	}
	if (f && !plain) {
		r = xp_short_way(ctx, &cur->packet, cur, lane, f);
		if (r >= 0)
			return r;
	}
	return xp_long_way(ctx, lane, handle);
}

SEC("xdp.frags")
int xdplace(struct xdp_md *ctx)
{
	long meta = xp_meta_open(ctx);
	int action = xp_packet(ctx);

	xp_meta_close(ctx, meta, action);
	return action;
}

char _license[] SEC("license") = "Dual BSD/GPL";
