/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * program.bpf.c - what a placement program is compared with: nothing, a copy, a copy and a sum.
 *
 * All are of the same kind as xdplace's program (xdp.frags), so that one prog array can hold any
 * of them, and copy with the same helper: the floors differ from it in what they leave out only.
 */
#include "turn.bpf.h"

/* Set before loading. */
const volatile __u32 bench_pages = 1;	    /* that the floors copy into, in turn */
const volatile __u32 bench_page_each = 0;   /* 1: each packet the next page, as flows in turn do;
					     * 0: a page is filled before the next, as one flow does
					     */
const volatile __u32 bench_csum_step = 512; /* bytes that bpf_csum_diff() takes at once */

struct bench_turn bench_turn;
struct bench_place bench_copy;
struct bench_place bench_csum;

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} bench_target SEC(".maps");

struct bench_page {
	__u8 byte[BENCH_PAGE];
};

/* Mappable, because such an array is made of single pages, as the UMEM is. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct bench_page);
} bench_memory SEC(".maps");

SEC("xdp.frags")
int turn(struct xdp_md *ctx)
{
	struct bench_turn *turn = &bench_turn;
	struct tcphdr *tcp = turn_tcp(ctx);
	__u32 count = turn->count++;

	if (count == turn->first)
		turn->begin = bpf_ktime_get_ns();
	else if (count == turn->last)
		turn->end = bpf_ktime_get_ns();
	if (!tcp)
		return XDP_ABORTED;
	turn_write(turn, tcp);
	bpf_tail_call_static(ctx, &bench_target, 0);
	return XDP_ABORTED;
}

SEC("xdp.frags")
int empty(struct xdp_md *ctx)
{
	return XDP_DROP;
}

static __always_inline void place_advance(struct bench_place *place, __u32 page, __u32 third)
{
	if (bench_page_each) {
		if (++page >= bench_pages) {
			page = 0;
			third = third == 2 ? 0 : third + 1;
		}
	} else if (++third == 3) {
		third = 0;
		page = page + 1 < bench_pages ? page + 1 : 0;
	}
	place->page = page;
	place->third = third;
	place->packets++;
}

/* The place of the next payload: up to BENCH_MAX_PAYLOAD bytes from there on are in the page. */
static __always_inline void *place_next(struct bench_place *place)
{
	__u32 page = place->page;
	__u32 third = place->third;
	struct bench_page *memory = bpf_map_lookup_elem(&bench_memory, &page);

	if (!memory || third > 2)
		return NULL;
	place_advance(place, page, third);
	return memory->byte + third * BENCH_THIRD;
}

/* What is left of a case on a wire when nothing is done with a packet. */
SEC("xdp.frags")
int count(struct xdp_md *ctx)
{
	bench_copy.packets++;
	return XDP_DROP;
}

/* 1 .. BENCH_MAX_PAYLOAD, or 0; in terms that the verifier follows on 6.1. */
static __always_inline __u64 payload_length(struct xdp_md *ctx)
{
	__u64 len = ctx->data_end - ctx->data;

	len -= BENCH_HEADERS + 1;
	barrier_var(len);
	if (len >= BENCH_MAX_PAYLOAD)
		return 0;
	return len + 1;
}

SEC("xdp.frags")
int copy_floor(struct xdp_md *ctx)
{
	void *to = place_next(&bench_copy);
	__u64 len = payload_length(ctx);

	if (!to || !len)
		return XDP_ABORTED;
	if (bpf_xdp_load_bytes(ctx, BENCH_HEADERS, to, len))
		return XDP_ABORTED;
	return XDP_DROP;
}

/* A tap that does nothing but its copy. */
SEC("xdp.frags")
int copy_pass(struct xdp_md *ctx)
{
	void *to = place_next(&bench_copy);
	__u64 len = payload_length(ctx);

	if (to && len)
		bpf_xdp_load_bytes(ctx, BENCH_HEADERS, to, len);
	return XDP_PASS;
}

SEC("xdp.frags")
int copy_csum_floor(struct xdp_md *ctx)
{
	void *to = place_next(&bench_csum);
	__u64 len = payload_length(ctx);
	__s64 sum = 0;
	__u64 at = 0;
	__u64 rest;

	if (!to || !len)
		return XDP_ABORTED;
	if (bpf_xdp_load_bytes(ctx, BENCH_HEADERS, to, len))
		return XDP_ABORTED;
	if (bench_csum_step >= BENCH_MAX_PAYLOAD) {
		sum = bpf_csum_diff(NULL, 0, to, len & ~3ull, 0);
		return sum < 0 ? XDP_ABORTED : XDP_DROP;
	}
	for (; at + 512 <= BENCH_MAX_PAYLOAD && at + 512 <= len; at += 512)
		sum = bpf_csum_diff(NULL, 0, to + at, 512, sum);
	rest = (len - at) & 508;
	barrier_var(rest);
	if (rest > BENCH_MAX_PAYLOAD - at)
		return XDP_ABORTED;
	sum = bpf_csum_diff(NULL, 0, to + at, rest, sum);
	return sum < 0 ? XDP_ABORTED : XDP_DROP;
}

char _license[] SEC("license") = "Dual BSD/GPL";
