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
__attribute__((noinline)) int xp_parse_one(struct xdp_md *ctx, struct xp_walk *w,
					   struct xp_packet *p)
{
	struct xp_view view = {
		.data = (void *)(long)ctx->data,
		.end = (void *)(long)ctx->data_end,
	};

	return w && p ? xp_parse_layer(&view, w, p) : -XP_R_SHORT;
}

/* xp_parse() in these pieces. */
__attribute__((noinline)) int xp_parse_any(struct xdp_md *ctx, struct xp_packet *p)
{
	struct xp_walk w;
	int r;

	xp_walk_start(&w, bpf_xdp_get_buff_len(ctx), xp_config.protocols);
	r = xp_parse_one(ctx, &w, p);
	return r == 1 ? xp_inner_result(xp_parse_one(ctx, &w, p)) : r;
}

/* 0 plain, 1 any other chain, -reason. Leaves all of *p initialised. */
static __always_inline int xp_read(struct xdp_md *ctx, struct xp_packet *p)
{
	const void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	int r;

	if (!xp_parse_plain(data, end, xp_config.protocols, p))
		return 0;
	__builtin_memset(p, 0, sizeof(*p));
	r = xp_parse_any(ctx, p);
	return r ? r : 1;
}

/* The packet's flow by the lane's memory of the last one, or by look-up: handle or XP_NONE. */
static __always_inline __u32 xp_find(struct xp_cursor *cur, const struct xp_packet *p)
{
	if (xp_key_equal(&cur->key, &p->key, p->v6) && xp_flow_of(cur->handle))
		return cur->handle;
	return xp_handle_of(&p->key, p->v6);
}

static __always_inline int xp_packet(struct xdp_md *ctx)
{
	struct xp_cursor *cur;
	struct xp_packet p;
	struct xp_flow *f;
	__u32 lane, handle;
	int plain, r;

	plain = xp_read(ctx, &p);
	if (plain < 0)
		return xp_pass(-plain);
	lane = xp_lane_of(ctx);
	cur = xp_lock(lane, XP_HELD);
	if (!cur)
		return xp_pass(XP_R_LANE_BUSY);
	handle = xp_find(cur, &p);
	f = handle == XP_NONE ? NULL : xp_flow_of(handle);
	if (f && f->lane != lane) {
		/* It lives elsewhere. On the way there it may end: then the long way finds out. */
		lane = f->lane;
		xp_unlock(cur);
		cur = xp_lock(lane, XP_HELD);
		if (!cur)
			return xp_pass(XP_R_LANE_BUSY);
		f = xp_flow_of(handle);
	}
	if (f && !plain) {
		r = xp_short_way(ctx, &p, cur, lane, f);
		if (r >= 0)
			return r;
	}
	if (!p.v6)
		p.key.word[3] = p.key.word[4] = p.key.word[5] = 0;
	return xp_long_way(ctx, &p, lane, f ? handle : XP_NONE);
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
