/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * ctx_xdp.bpf.h - ctx.bpf.h for packets that come in: XDP.
 */
#ifndef CTX_XDP_BPF_H
#define CTX_XDP_BPF_H

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include "compiler.h"
#include "parsed.h"

#define xp_ctx xdp_md

/* What only one of the hooks has to do with; the compiler takes out the rest. */
#define XP_CTX_TAKES 1	 /* packets can be kept from the stack */
#define XP_CTX_SOCKETS 1 /* ... and redirected to AF_XDP sockets */
#define XP_CTX_SHORT 1	 /* data are linear as a rule, and take the short way */
#define XP_CTX_BIG 0	 /* packets may be longer than IP can say */

/* The linear part. Not kept across calls that may move it. */
static __always_inline void *xp_ctx_data(const struct xp_ctx *ctx)
{
	return (void *)(long)ctx->data;
}

static __always_inline void *xp_ctx_end(const struct xp_ctx *ctx)
{
	return (void *)(long)ctx->data_end;
}

/* Bytes of the packet, linear or not. */
static __always_inline __u32 xp_ctx_length(struct xp_ctx *ctx)
{
	return bpf_xdp_get_buff_len(ctx);
}

/* Copy bytes of the packet, linear or not: 0 or -errno. `length` is not 0. */
static __always_inline long xp_ctx_load(struct xp_ctx *ctx, __u32 from, void *to, __u32 length)
{
	return bpf_xdp_load_bytes(ctx, from, to, length);
}

/* The interface, and what spreads its packets over lanes. */
static __always_inline __u32 xp_ctx_ifindex(const struct xp_ctx *ctx)
{
	return ctx->ingress_ifindex;
}

static __always_inline __u32 xp_ctx_queue(const struct xp_ctx *ctx)
{
	return ctx->rx_queue_index;
}

/* Bytes that a checksum's pseudo-header counts, of a packet that has `length` of them. */
static __always_inline __u32 xp_ctx_summed(const struct xp_ctx *ctx, __u32 length)
{
	return length;
}

/* Bring more of the headers into the linear part: 1 done, 0 there is no way. */
static __always_inline int xp_ctx_mend(struct xp_ctx *ctx)
{
	return 0;
}

/* What is known of a packet beside its bytes, into what was parsed of these: 0 or -reason. */
static __always_inline int xp_ctx_complete(struct xp_ctx *ctx, struct xp_packet *p)
{
	return 0;
}

#endif
