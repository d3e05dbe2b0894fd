/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * redirect.bpf.h - frames by AF_XDP: a large whole packet goes to the socket of its queue, its
 * completion as metadata in front of it. Only in contexts with XP_KNOB_XSK.
 *
 * In: a packet that would be placed whole. Out: it is on its way to a socket, or nothing has
 * happened and it is to be placed by copying. Promises: a packet for which there is no socket, or
 * that its socket could not take, is not lost; each of these is counted (no_socket).
 *
 * Room for the metadata is made before the packet is looked at, in the entry program alone
 * (xdplace.bpf.c): the library takes these calls out of programs that do without sockets (xsk.c),
 * because libxdp's dispatcher refuses programs that move packet pointers even if they never do.
 */
#ifndef REDIRECT_BPF_H
#define REDIRECT_BPF_H

#include "lane.bpf.h"

#define XP_META ((int)sizeof(struct xp_completion))

/* What a chunk has room for behind the kernel's headroom, in which the metadata are put. */
#define XP_FRAME_ROOM (XP_XSK_CHUNK - 256)

/* Of the packets that are delivered whole, those that sockets are for; taken ones only. */
static __always_inline int xp_socket_wanted(const struct xp_cursor *cur, __u32 bytes)
{
	return xp_config.knobs & XP_KNOB_XSK && bytes >= xp_config.threshold &&
	       (cur->job.opcode == XP_FOREIGN || cur->job.opcode == XP_WHOLE);
}

/* The packet's place in xp_xsks; XP_NONE if its interface has no business with sockets. */
static __always_inline __u32 xp_socket_place(struct xp_ctx *ctx)
{
	__u32 ifindex = xp_ctx_ifindex(ctx), slot = ifindex % XP_MAX_PORTS;
	struct xp_port *port = bpf_map_lookup_elem(&xp_ports, &slot);

	if (!port || port->ifindex != ifindex || !(port->flags & XP_PORT_XSK))
		return XP_NONE;
	return XP_XSK_PLACE(slot, xp_ctx_queue(ctx));
}

/* The completion of a redirected packet; all of it is in front of the packet. */
static __always_inline void xp_meta_write(struct xp_ctx *ctx, struct xp_completion *c,
					  const struct xp_cursor *cur, __u32 bytes)
{
	struct xp_flow *f = xp_flow_at(cur->job.flow);

	c->opcode = cur->job.opcode;
	c->reason = XP_R_REDIRECTED;
	c->flags = XP_FRAME;
	c->lane = xp_lane_of(ctx);
	c->flow = f ? f->handle : XP_NONE;
	c->offset = 0;
	c->header = XP_NONE;
	c->header_len = 0;
	c->data_len = bytes;
	c->data = XP_NONE;
	c->data2 = XP_NONE;
}

/* To the packet's socket: XDP_REDIRECT, or 0: the packet is to be placed by copying. */
__attribute__((noinline)) int xp_to_socket(struct xp_ctx *ctx, __u32 lane, __u32 bytes)
{
	struct xp_completion *c = (void *)(long)ctx->data_meta;
	void *data = xp_ctx_data(ctx);
	struct xp_cursor *cur = xp_cursor_at(lane);
	__u32 place = xp_socket_place(ctx), linear = ctx->data_end - ctx->data;

	if (!XP_CTX_SOCKETS || !cur || place == XP_NONE)
		return 0;
	/* Sockets are bound without XDP_USE_SG: they drop what comes in more than one buffer. */
	if (xp_ctx_queue(ctx) >= XP_XSK_QUEUES || xp_ctx_length(ctx) != linear ||
	    linear > XP_FRAME_ROOM || ctx->data - ctx->data_meta != XP_META ||
	    (void *)(c + 1) > data || !bpf_map_lookup_elem(&xp_xsks, &place)) {
		xp_count_reason(lane, XP_R_NO_SOCKET);
		return 0;
	}
	xp_meta_write(ctx, c, cur, bytes);
	/* Its consumer may have died since the look-up. */
	if (bpf_redirect_map(&xp_xsks, place, 0) != XDP_REDIRECT) {
		xp_count_reason(lane, XP_R_NO_SOCKET);
		return 0;
	}
	cur->job.reason = XP_R_REDIRECTED;
	return XDP_REDIRECT;
}

#endif
