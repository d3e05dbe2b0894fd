/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * turn.h - what the benchmark's BPF programs and its user space share.
 *
 * A BPF_PROG_TEST_RUN gives every repetition the same packet, and a stream in order wants every
 * packet to be the next one. So a small program takes its turn before each measured program: it
 * writes ports, sequence number and checksum of the next packet, takes the time at two of the
 * repetitions, and goes on to the measured program by a tail call. What that costs is measured
 * with the empty program and taken off.
 */
#ifndef BENCH_TURN_H
#define BENCH_TURN_H

#include <linux/types.h>

#define BENCH_HEADERS 54u /* Ethernet, IPv4, TCP, none with options */
#define BENCH_PAGE 4096u  /* what the floors copy into, as an area of xdplace */
#define BENCH_MAX_PAYLOAD 1460u
#define BENCH_THIRD 1316u   /* three payloads cover a page and each is in one piece */
#define BENCH_PORT 1024u    /* source port of flow 0 */
#define BENCH_PORT_BITS 15u /* flows from here on differ in the destination port */
#define BENCH_PORT_MASK ((1u << BENCH_PORT_BITS) - 1)

/* Where the packets of one system are: kept for each system while another one is measured. */
struct bench_turn {
	__u32 flows;   /* in turn */
	__u32 train;   /* packets of a flow before it is the next flow's turn */
	__u32 payload; /* bytes */
	__u32 flow;    /* of the next packet */
	__u32 passed;  /* packets of its train */
	__u32 seq;     /* of the first packet of its train */
	__u32 sum;     /* of the TCP checksum, without ports and sequence number */
	__u16 dport;   /* of flow 0, host byte order */
	__u16 late;    /* packets by which every `late_each`th of a train comes late; 0: none */
	__u32 late_each;
	__u32 count; /* repetitions so far */
	__u32 first; /* the time is taken at this repetition */
	__u32 last;  /* and at this one */
	__u64 begin; /* ns */
	__u64 end;
} __attribute__((aligned(64)));

/* Where a floor copies to next. */
struct bench_place {
	__u32 page;
	__u32 third; /* packets a page takes: three */
	__u64 packets;
} __attribute__((aligned(64)));

#define BENCH_TEMPLATE 56u /* the longest headers, in whole words */

/* The generator on a veth, paced by itself. */
struct bench_generator {
	struct bench_turn turn;
	__u64 template[BENCH_TEMPLATE / 8]; /* headers and what follows, as user space made them */
	__u64 gap;     /* ns from one batch to the next; 0: as fast as it can */
	__u64 due;     /* when the next batch may start */
	__u64 started; /* ns, first packet */
	__u64 stopped; /* ns, start of the last batch */
	__u64 idle;    /* ns spent waiting for `due` */
	__u64 sent;
	__u32 batch; /* packets sent between two looks at the clock */
	__u32 in_batch;
	__u8 whole;   /* write all headers: GRO leaves its own in frames that come back */
	__u8 reverse; /* ports: packets of the other direction */
	__u8 stamp;   /* write the time into the payload */
	__u8 mute;    /* nothing is sent: what generating takes by itself */
	__u8 zero[4];
};

/* When packets were made whose time is taken, in turn. */
#define BENCH_STAMPS 65536u
struct bench_stamps {
	__u64 count;
	__u64 ns[BENCH_STAMPS];
};

#endif
