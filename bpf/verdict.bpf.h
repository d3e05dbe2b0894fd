/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * verdict.bpf.h - the last stage: count the packet's one fate and choose the XDP action.
 *
 * PASS for tap and for whatever nobody asked for, DROP for take. No other stage counts op-codes.
 */
#ifndef VERDICT_BPF_H
#define VERDICT_BPF_H

#include "lane.bpf.h"

static __always_inline int xp_action(int take)
{
	return take ? XDP_DROP : XDP_PASS;
}

static __always_inline int xp_verdict(__u32 lane, __u32 opcode, __u32 reason, __u32 placed,
				      int take)
{
	struct xp_counters *counters = bpf_map_lookup_elem(&xp_reasons, &lane);
	__u64 *count;

	if (!counters)
		return xp_action(take);
	xp_opaque(counters); /* no arithmetic before the test: 6.1 refuses it */
	count = (__u64 *)counters;
	xp_count(count, opcode, XP_OPCODE_COUNT);
	if (reason)
		xp_count(count + XP_COUNTER_REASON, reason, XP_REASON_COUNT);
	counters->placed_bytes += placed;
	return xp_action(take);
}

/* A packet that no lane works on: it passes; its reason is counted with the first lane's. */
static __always_inline int xp_pass(__u32 reason)
{
	return xp_verdict(0, XP_FOREIGN, reason, 0, 0);
}

#endif
