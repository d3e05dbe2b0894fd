/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * xdplace_egress.bpf.c - the direction that the host itself sends (R19): the stages of
 * xdplace.bpf.c behind tc egress, on the same maps.
 *
 * In: packets as the stack hands them to an interface, before its queueing discipline, and before
 * anybody has cut them or finished their checksums (ctx_skb.bpf.h). Out: always "next, please":
 * whatever the rule says, nothing is kept from the wire, and other tc programs get their turn.
 *
 * tc runs with bottom halves disabled, so neither XDP nor another tc program of this CPU comes
 * between; where they can (PREEMPT_RT), waiting for a lane ends as ever: see lane.bpf.h.
 */
#define XP_EGRESS
#include <linux/pkt_cls.h>

#include "packet.bpf.h"

#define XP_MAX_SEGMENTS 512 /* in one packet: the kernel's limit is 128 */

/* Came in through an interface of this context: XDP has seen it there. */
static __always_inline int xp_seen(const struct __sk_buff *ctx)
{
	__u32 ifindex = ctx->ingress_ifindex, slot = ifindex % XP_MAX_PORTS;
	struct xp_port *port;

	if (!ifindex)
		return 0;
	port = bpf_map_lookup_elem(&xp_ports, &slot);
	return port && port->ifindex == ifindex;
}

/* A function of its own, so that the loop over datagrams is verified once. */
__attribute__((noinline)) int xp_one_packet(struct __sk_buff *ctx)
{
	return xp_packet(ctx);
}

SEC("tc")
int xdplace_egress(struct __sk_buff *ctx)
{
	__u32 cb[XP_CUT_WORDS];
	int i;

	if (xp_seen(ctx)) {
		xp_pass(XP_R_FORWARDED);
		return TC_ACT_UNSPEC;
	}
	xp_unroll for (i = 0; i < XP_CUT_WORDS; i++)
	{
		cb[i] = ctx->cb[i];
		ctx->cb[i] = 0;
	}
	for (i = 0; i < XP_MAX_SEGMENTS; i++) {
		xp_one_packet(ctx);
		if (!xp_ctx_next(ctx))
			break;
	}
	xp_unroll for (i = 0; i < XP_CUT_WORDS; i++) ctx->cb[i] = cb[i];
	return TC_ACT_UNSPEC;
}

char _license[] SEC("license") = "Dual BSD/GPL";
