/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * ctx.bpf.h - the packet as the kernel hands it over: the one place where the stages touch a
 * program's context.
 *
 * In: what the hook gives. Out: the linear part, the length of the whole packet, its bytes, where
 * it passes. `struct xp_ctx` is the kernel's own structure, under the name that all hooks share:
 * the verifier knows contexts by their type.
 */
#ifndef CTX_BPF_H
#define CTX_BPF_H

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include "compiler.h"

#define xp_ctx xdp_md

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

#endif
