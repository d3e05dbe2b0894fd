/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * ctx.bpf.h - the packet as the kernel hands it over: the one place where the stages touch a
 * program's context.
 *
 * In: what the hook gives. Out: the linear part, the length of the whole packet, its bytes, where
 * it passes. `struct xp_ctx` is the kernel's own structure, under the name that all hooks share:
 * the verifier knows contexts by their type. Which hook it is, the translation unit says:
 * xdplace.bpf.c or xdplace_egress.bpf.c.
 */
#ifndef CTX_BPF_H
#define CTX_BPF_H

#ifdef XP_EGRESS
#include "ctx_skb.bpf.h"
#else
#include "ctx_xdp.bpf.h"
#endif

#endif
