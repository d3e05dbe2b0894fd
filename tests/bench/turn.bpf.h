/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * turn.bpf.h - write the variable fields of the next packet of a TCP stream.
 *
 * In: a frame of BENCH_HEADERS bytes of headers and its payload. Out: the same frame as the next
 * packet of the next flow. Nothing of the frame's former ports, sequence number or checksum is
 * read, so it does not matter which packet the buffer held before.
 */
#ifndef BENCH_TURN_BPF_H
#define BENCH_TURN_BPF_H

#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/tcp.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "turn.h"

static __always_inline __u16 turn_fold(__u32 sum)
{
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return sum;
}

/*
 * Which packet of its train is the next one. In the middle of every `late_each` the one that is
 * due waits until `late` others have gone: not at the beginning, where a stream's first packet
 * would be taken for an old one.
 */
static __always_inline __u32 turn_place(const struct bench_turn *turn)
{
	__u32 at = turn->passed;
	__u32 in;

	if (!turn->late || !turn->late_each)
		return at;
	in = (at + turn->late_each / 2) % turn->late_each;
	if (in > turn->late)
		return at;
	return in == turn->late ? at - in : at + 1;
}

static __always_inline void turn_advance(struct bench_turn *turn)
{
	if (++turn->passed < turn->train)
		return;
	turn->passed = 0;
	if (++turn->flow < turn->flows)
		return;
	turn->flow = 0;
	turn->seq += turn->train * turn->payload;
}

/* The sum is of 16-bit words in network byte order, whatever that is on this machine. */
static __always_inline void turn_write(struct bench_turn *turn, struct tcphdr *tcp)
{
	__be32 seq = bpf_htonl(turn->seq + turn_place(turn) * turn->payload);
	__be16 sport = bpf_htons(BENCH_PORT + (turn->flow & BENCH_PORT_MASK));
	__be16 dport = bpf_htons(turn->dport + (turn->flow >> BENCH_PORT_BITS));

	tcp->source = sport;
	tcp->dest = dport;
	tcp->seq = seq;
	tcp->check = ~turn_fold(turn->sum + sport + dport + (seq & 0xffff) + (seq >> 16));
	turn_advance(turn);
}

static __always_inline struct tcphdr *turn_tcp(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data;
	void *end = (void *)(long)ctx->data_end;

	if (data + BENCH_HEADERS > end)
		return NULL;
	return data + sizeof(struct ethhdr) + sizeof(struct iphdr);
}

#endif
