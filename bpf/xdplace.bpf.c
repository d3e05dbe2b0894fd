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
 * packet.bpf.h calls them one after the other; short_way.bpf.h does flow to verdict for the two
 * commonest kinds of packet, long_way.bpf.h for all others. xp_control changes the same state by
 * command (control.bpf.h).
 */
#include "control.bpf.h"
#include "packet.bpf.h"

/* Make room in front of the packet: 0, or the driver has none. */
static __always_inline long xp_meta_open(struct xdp_md *ctx)
{
	if (!(xp_config.knobs & XP_KNOB_XSK))
		return -1;
	return bpf_xdp_adjust_meta(ctx, -XP_META);
}

/* The stack is not to see our metadata: it would keep such packets apart from all others. */
static __always_inline void xp_meta_close(struct xdp_md *ctx, long opened, int action)
{
	if (xp_config.knobs & XP_KNOB_XSK && !opened && action == XDP_PASS)
		bpf_xdp_adjust_meta(ctx, XP_META);
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
