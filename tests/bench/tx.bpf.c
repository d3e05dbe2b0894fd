/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * tx.bpf.c - the dropping peer: at the far end of a veth, native mode.
 *
 * In: frames. Out: how many have the right length and are for a destination that there is and have
 * its data, for each destination too, so that no sender can leave one out, send fewer, longer
 * packets, or frames with what was in them before; and where asked the time from each packet to
 * the next one of its destination.
 */
#include <stdbool.h>

#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/ip.h>
#include <linux/udp.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "tx_shared.h"

struct tx_count tx_count;
__u32 tx_gap[TX_GAPS_MAX]; /* ns */

/* The number of its destination; TX_DESTINATIONS_MAX: it is none of ours. */
static __always_inline __u32 destination_of(struct xdp_md *ctx)
{
	const void *end = (void *)(long)ctx->data_end;
	const struct ethhdr *eth = (void *)(long)ctx->data;
	const struct iphdr *ip = (void *)(eth + 1);
	const struct udphdr *udp = (void *)(ip + 1);
	const __u8 *payload = (void *)(udp + 1);
	__u32 address, number;

	if ((void *)(payload + 1) > end || eth->h_proto != bpf_htons(ETH_P_IP))
		return TX_DESTINATIONS_MAX;
	address = bpf_ntohl(ip->daddr) - TX_FIRST_ADDRESS;
	number = (__u16)(bpf_ntohs(udp->dest) - TX_PORT) * TX_ADDRESSES + address;
	if (address >= TX_ADDRESSES || *payload != tx_mark(number))
		return TX_DESTINATIONS_MAX;
	return number;
}

/* Most are in one piece: no helper for them. */
static __always_inline bool right_length(struct xdp_md *ctx)
{
	return ctx->data_end - ctx->data == tx_count.length ||
	       bpf_xdp_get_buff_len(ctx) == tx_count.length;
}

static __always_inline __u32 count_frame(struct xdp_md *ctx)
{
	__u32 number = destination_of(ctx);

	/* A veth's queue is run by one CPU at a time: nothing here is atomic. */
	if (number >= TX_DESTINATIONS_MAX || !right_length(ctx)) {
		tx_count.strange++;
		return TX_DESTINATIONS_MAX;
	}
	tx_count.arrived++;
	tx_count.to[number]++;
	return number;
}

SEC("xdp.frags")
int tx_drop(struct xdp_md *ctx)
{
	count_frame(ctx);
	return XDP_DROP;
}

SEC("xdp.frags")
int tx_time(struct xdp_md *ctx)
{
	__u64 now = bpf_ktime_get_ns();
	__u32 number = count_frame(ctx);
	__u32 at = tx_count.gap_count;
	__u64 last;

	if (number >= TX_DESTINATIONS_MAX)
		return XDP_DROP;
	last = tx_count.last[number];
	tx_count.last[number] = now;
	if (!last || at >= TX_GAPS_MAX)
		return XDP_DROP;
	tx_gap[at] = now - last;
	tx_count.gap_count = at + 1;
	return XDP_DROP;
}

char _license[] SEC("license") = "Dual BSD/GPL";
