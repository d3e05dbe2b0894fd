/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * veth.bpf.c - the generator, and the redirect program of the AF_XDP reassembler.
 *
 * generate is run by BPF_PROG_TEST_RUN with live frames: what it returns XDP_REDIRECT for is
 * really sent. It paces itself between two batches, because a system call for each batch would
 * cost more than the batch. While it waits no packet is under way: the frames of the batch before
 * were received when that batch ended.
 */
#include "turn.bpf.h"

#define WAIT_LOOKS (1u << 22) /* at the clock, some 20 ns each: a bound for the verifier */

const volatile __u32 bench_ifindex = 0;

struct bench_generator bench_generator;

struct {
	__uint(type, BPF_MAP_TYPE_XSKMAP);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} bench_xsks SEC(".maps");

static long wait_look(__u32 index, void *due)
{
	return bpf_ktime_get_ns() >= *(__u64 *)due;
}

static __always_inline void wait_turn(struct bench_generator *g)
{
	__u64 now = bpf_ktime_get_ns();
	__u64 due = g->due;

	if (!due) {
		due = now;
		g->started = now;
	}
	if (now < due) {
		g->idle += due - now;
		bpf_loop(WAIT_LOOKS, wait_look, &due, 0);
	}
	g->stopped = now < due ? due : now;
	/* Time lost to the rest of the machine is not made up for by a burst. */
	if (now > due + 16 * g->gap)
		due = now;
	g->due = due + g->gap;
}

SEC("xdp")
int generate(struct xdp_md *ctx)
{
	struct bench_generator *g = &bench_generator;
	struct tcphdr *tcp = turn_tcp(ctx);

	if (!tcp)
		return XDP_ABORTED;
	if (!g->in_batch) {
		wait_turn(g);
		g->in_batch = g->batch;
	}
	g->in_batch--;
	g->sent++;
	turn_write(&g->turn, tcp);
	return bpf_redirect(bench_ifindex, 0);
}

SEC("xdp")
int to_socket(struct xdp_md *ctx)
{
	return bpf_redirect_map(&bench_xsks, 0, XDP_DROP);
}

char _license[] SEC("license") = "Dual BSD/GPL";
