/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * veth.h - the systems that receive from a veth: for veth.c, which sends to them and searches.
 */
#ifndef BENCH_VETH_H
#define BENCH_VETH_H

#include "bench.h"

#define VETH_SENDER "xpbench0"
#define VETH_RECEIVER "xpbench1"
#define VETH_PAYLOAD 1400u

struct program_bpf;
struct veth_system;

struct veth_ops {
	int (*open)(struct veth_system *system); /* attaches it to the receiving end; -errno */
	void (*close)(struct veth_system *system);
	int (*consume)(struct veth_system *system);    /* NULL: has no consumer */
	uint64_t (*bytes)(struct veth_system *system); /* in place so far */
	void (*reset)(struct veth_system *system);     /* by the consumer, after a trial; or NULL */
};

struct veth_system {
	const char *name;
	const struct veth_ops *ops;
	bool verify; /* checksums */
	bool copy;   /* of a floor: the payload; else it only counts */
	int failed;
	struct bench_series rate;
	struct bench_series cpu;

	/* What each kind of system is made of. */
	struct bench_placed placed;
	struct program_bpf *floor;
	struct bench_reassembler *reassembler;
};

extern struct veth_system veth_systems[];
extern const size_t veth_system_count;
extern int veth_xsks; /* the map of the program to_socket, and that program */
extern int veth_to_socket;

#endif
