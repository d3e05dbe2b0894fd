/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * top.h - what `xdplace top` shows: the flow table twice, and what changed between.
 *
 * It reads counters and flow entries only, and is no consumer: it may run beside one.
 */
#ifndef TOP_H
#define TOP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <xdplace/xdplace.h>

enum top_sort { TOP_BY_RATE, TOP_BY_PACKETS, TOP_BY_BYTES, TOP_BY_GAPS, TOP_SORTS };

struct top_row {
	struct xp_flow flow;
	double bytes_per_s;
	double packets_per_s;
};

/* The last values of a flow. */
struct top_before {
	uint32_t handle;
	bool known;
	uint64_t bytes;
	uint64_t packets;
};

struct top {
	struct xdplace *ctx;
	enum top_sort sort;
	struct top_row *rows; /* sorted */
	size_t count, room;
	size_t active; /* rows with packets since the last sample */
	int interfaces;
	double seconds;			   /* since the last sample, 0: this is the first */
	double elapsed;			   /* since the first */
	double bytes_per_s, packets_per_s; /* placed; seen by the program */
	struct xp_counters now, last;
	uint64_t first_ns, last_ns;
	struct top_before *before; /* by flow index */
	uint32_t before_count;
};

int top_open(struct top *top, struct xdplace *ctx); /* 0 or -errno */
void top_close(struct top *top);
/* Read everything again. 0 or -errno. */
int top_sample(struct top *top);
/* Sort again: the order has changed, the values have not. */
void top_order(struct top *top);
const char *top_sort_name(enum top_sort sort);
/* Packets per second that were counted under an op-code, or a reason. */
double top_opcode_rate(const struct top *top, unsigned opcode);
double top_reason_rate(const struct top *top, unsigned reason);

#endif
