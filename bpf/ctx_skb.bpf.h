/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * ctx_skb.bpf.h - ctx.bpf.h for packets that go out: tc egress.
 *
 * Here packets are as the stack made them. Checksums are unfinished (the field holds the
 * pseudo-header's sum), VLAN tags lie beside the bytes, only the headers are linear as a rule, and
 * one packet may be what the NIC, or the stack behind us, will cut into many (GSO). TCP is placed
 * in one piece all the same. Datagrams are shown to the stages one after the other, each as if it
 * were a packet of its own:
 *
 *	| headers | datagram 1 | datagram 2 | ...      what the packet is
 *	| headers |              datagram 2 |          what the accessors show in the second turn
 *	           `---- at ---'
 *
 * Where we are in such a packet is kept in its cb[], which the stack lends to tc programs.
 */
#ifndef CTX_SKB_BPF_H
#define CTX_SKB_BPF_H

#include <linux/in.h>

#include "maps.bpf.h"

#define xp_ctx __sk_buff

#define XP_CTX_TAKES 0
#define XP_CTX_SOCKETS 0
#define XP_CTX_SHORT 0
#define XP_CTX_BIG 1

/* Words of cb[]. */
#define XP_CUT_HEAD 0  /* bytes of headers; 0: the packet is one */
#define XP_CUT_AT 1    /* where in the payload the datagram begins */
#define XP_CUT_TOTAL 2 /* bytes of payload of all of them */
#define XP_CUT_WORDS 3

static __always_inline void *xp_ctx_data(const struct xp_ctx *ctx)
{
	return (void *)(long)ctx->data;
}

static __always_inline void *xp_ctx_end(const struct xp_ctx *ctx)
{
	return (void *)(long)ctx->data_end;
}

static __always_inline __u32 xp_ctx_length(struct xp_ctx *ctx)
{
	return ctx->len;
}

/* Headers and a datagram behind them that is farther back in the packet. */
static __always_inline long xp_ctx_load_cut(struct xp_ctx *ctx, __u32 from, void *to, __u32 length)
{
	__u64 head = ctx->cb[XP_CUT_HEAD];
	long r;

	/* The bytes in the place of headers are those of the datagram before. */
	r = bpf_skb_load_bytes(ctx, from + ctx->cb[XP_CUT_AT], to, length);
	if (r || from >= head)
		return r;
	head -= from;
	if (head > length)
		head = length;
	head -= 1;
	xp_opaque(head);
	if (head >= XP_MAX_HEADER)
		return -1;
	return bpf_skb_load_bytes(ctx, from, to, head + 1);
}

/* `to` has room for all headers, whatever the length. */
static __always_inline long xp_ctx_load(struct xp_ctx *ctx, __u32 from, void *to, __u32 length)
{
	if (ctx->cb[XP_CUT_HEAD])
		return xp_ctx_load_cut(ctx, from, to, length);
	return bpf_skb_load_bytes(ctx, from, to, length);
}

static __always_inline __u32 xp_ctx_ifindex(const struct xp_ctx *ctx)
{
	return ctx->ifindex;
}

/* The queue is chosen behind us; a hash keeps the packets of a connection together. */
static __always_inline __u32 xp_ctx_queue(struct xp_ctx *ctx)
{
	return bpf_get_hash_recalc(ctx);
}

/* An unfinished checksum counts all datagrams together. */
static __always_inline __u32 xp_ctx_summed(const struct xp_ctx *ctx, __u32 length)
{
	__u32 total = ctx->cb[XP_CUT_TOTAL], at = ctx->cb[XP_CUT_AT], size = ctx->gso_size;

	if (!ctx->cb[XP_CUT_HEAD])
		return length;
	return length + total - (total - at < size ? total - at : size);
}

static __always_inline int xp_ctx_mend(struct xp_ctx *ctx)
{
	__u32 length = ctx->len;

	return !bpf_skb_pull_data(ctx, length < XP_MAX_HEADER ? length : XP_MAX_HEADER);
}

/* The tag beside the bytes is the outermost one. */
static __always_inline int xp_ctx_tag(const struct xp_ctx *ctx, struct xp_packet *p)
{
	__u32 *vnet = p->v6 ? &p->key.v6.vnet : &p->key.v4.vnet, id = ctx->vlan_tci & 0xfff;
	__u8 *kind = p->v6 ? &p->key.v6.vnet_kind : &p->key.v4.vnet_kind;

	if (!ctx->vlan_present)
		return 0;
	if (!(xp_config.protocols & XP_P_VLAN) || *kind == XP_VNET_QINQ)
		return -XP_R_PROTOCOL;
	if (*kind == XP_VNET_NONE) {
		*kind = XP_VNET_VLAN;
		*vnet = id;
	} else if (*kind == XP_VNET_VLAN) {
		*kind = XP_VNET_QINQ;
		*vnet |= id << 12;
	}
	return 0;
}

/* Of several datagrams, the one whose turn it is. */
static __always_inline void xp_ctx_cut(struct xp_ctx *ctx, struct xp_packet *p)
{
	__u32 size = ctx->gso_size;

	if (!size || p->proto != IPPROTO_UDP || p->payload <= size)
		return;
	ctx->cb[XP_CUT_HEAD] = p->data;
	ctx->cb[XP_CUT_TOTAL] = p->payload;
	p->payload -= ctx->cb[XP_CUT_AT];
	if (p->payload > size)
		p->payload = size;
}

static __always_inline int xp_ctx_complete(struct xp_ctx *ctx, struct xp_packet *p)
{
	xp_ctx_cut(ctx, p);
	return xp_ctx_tag(ctx, p);
}

/* On to the next datagram: 1, or 0 if there is none. */
static __always_inline int xp_ctx_next(struct xp_ctx *ctx)
{
	__u32 at = ctx->cb[XP_CUT_AT] + ctx->gso_size;

	if (!ctx->cb[XP_CUT_HEAD] || at >= ctx->cb[XP_CUT_TOTAL])
		return 0;
	ctx->cb[XP_CUT_AT] = at;
	return 1;
}

#endif
