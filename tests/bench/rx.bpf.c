/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * rx.bpf.c - the generator of TCP and of UDP, the redirect program of the AF_XDP re-assembler, and
 * a program that only passes.
 *
 * The generators are run by BPF_PROG_TEST_RUN with live frames: what they return XDP_REDIRECT for
 * is really sent. They pace themselves between two batches, because a system call for each batch
 * would cost more than the batch. While they wait no packet is under way: the frames of the batch
 * before were received when that batch ended.
 */
#include <linux/udp.h>

#include "turn.bpf.h"

#define WAIT_LOOKS (1u << 22) /* at the clock, some 20 ns each: a bound for the verifier */
#define UDP_HEADERS 42u
#define SHORTEST_FRAME 60u

const volatile __u32 bench_ifindex = 0;

struct bench_generator bench_generator;
struct bench_stamps bench_stamps;

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

/* Waits for the packet's time. NULL: the frame is too short to be one of ours. */
static __always_inline void *next_frame(struct xdp_md *ctx, struct bench_generator *g)
{
	void *data = (void *)(long)ctx->data;
	void *end = (void *)(long)ctx->data_end;
	__u64 *word = data;
	__u32 i;

	if (data + SHORTEST_FRAME > end)
		return NULL;
	if (!g->in_batch) {
		wait_turn(g);
		g->in_batch = g->batch;
	}
	g->in_batch--;
	g->sent++;
	if (g->whole)
		for (i = 0; i < BENCH_TEMPLATE / 8; i++)
			word[i] = g->template[i];
	return data;
}

/* Of a packet that is made. */
static __always_inline int send(const struct bench_generator *g)
{
	return g->mute ? XDP_DROP : bpf_redirect(bench_ifindex, 0);
}

static __always_inline void swap(__be16 *a, __be16 *b)
{
	__be16 old = *a;

	*a = *b;
	*b = old;
}

/* For who looks at nothing but the time. */
static __always_inline void keep_stamp(__u64 now)
{
	bench_stamps.ns[bench_stamps.count % BENCH_STAMPS] = now;
	barrier();
	bench_stamps.count++;
}

/* The payload begins with eight bytes of zero: what is written there is all the sum lacks. */
static __always_inline void write_stamp(struct xdp_md *ctx, struct tcphdr *tcp)
{
	void *end = (void *)(long)ctx->data_end;
	__u16 *stamp = (void *)(tcp + 1);
	__u64 now;
	__u32 sum;

	if ((void *)(stamp + 4) > end)
		return;
	now = bpf_ktime_get_ns();
	keep_stamp(now);
	stamp[0] = now;
	stamp[1] = now >> 16;
	stamp[2] = now >> 32;
	stamp[3] = now >> 48;
	sum = (__u16)~tcp->check + (__u32)stamp[0] + stamp[1] + stamp[2] + stamp[3];
	tcp->check = ~turn_fold(sum);
}

SEC("xdp")
int generate(struct xdp_md *ctx)
{
	struct bench_generator *g = &bench_generator;
	struct tcphdr *tcp;
	void *frame = next_frame(ctx, g);

	if (!frame)
		return XDP_ABORTED;
	tcp = frame + sizeof(struct ethhdr) + sizeof(struct iphdr);
	turn_write(&g->turn, tcp);
	if (g->reverse)
		swap(&tcp->source, &tcp->dest);
	if (g->stamp)
		write_stamp(ctx, tcp);
	return send(g);
}

SEC("xdp")
int generate_udp(struct xdp_md *ctx)
{
	struct bench_generator *g = &bench_generator;
	struct bench_turn *turn = &g->turn;
	struct udphdr *udp;
	__u16 sum;
	void *frame = next_frame(ctx, g);

	if (!frame)
		return XDP_ABORTED;
	udp = frame + UDP_HEADERS - sizeof(*udp);
	udp->source = bpf_htons(BENCH_PORT + (turn->flow & BENCH_PORT_MASK));
	udp->dest = bpf_htons(turn->dport);
	sum = ~turn_fold(turn->sum + udp->source + udp->dest);
	udp->check = sum ? sum : 0xffff; /* RFC 768: zero would mean none */
	turn_advance(turn);
	return send(g);
}

SEC("xdp")
int to_socket(struct xdp_md *ctx)
{
	return bpf_redirect_map(&bench_xsks, 0, XDP_DROP);
}

SEC("xdp.frags")
int only_pass(struct xdp_md *ctx)
{
	return XDP_PASS;
}

char _license[] SEC("license") = "Dual BSD/GPL";
