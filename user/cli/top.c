/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * top.c - in: the flow table and the counters, sample by sample. Out: flows with their rates, in
 * order.
 *
 * A flow entry is copied while packets may change it, so a rate may be off by a packet; the next
 * sample makes up for it.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "top.h"

int top_open(struct top *top, struct xdplace *ctx)
{
	const struct xp_config *config = xdplace_config(ctx);

	memset(top, 0, sizeof(*top));
	top->ctx = ctx;
	top->before_count = config->flows * config->lanes;
	top->before = calloc(top->before_count, sizeof(*top->before));
	return top->before ? 0 : -ENOMEM;
}

void top_close(struct top *top)
{
	free(top->before);
	free(top->rows);
	top->before = NULL;
	top->rows = NULL;
}

static void rate_flow(struct top *top, struct top_row *row)
{
	const struct xp_flow *flow = &row->flow;
	uint32_t index = XP_FLOW_INDEX(flow->handle);
	struct top_before *before;
	uint64_t bytes = flow->bytes;
	uint64_t packets = flow->packets;

	if (index >= top->before_count)
		return;
	before = &top->before[index];
	if (before->known && before->handle == flow->handle) {
		bytes -= before->bytes;
		packets -= before->packets;
	}
	*before = (struct top_before){flow->handle, true, flow->bytes, flow->packets};
	if (top->seconds <= 0)
		return;
	row->bytes_per_s = (double)bytes / top->seconds;
	row->packets_per_s = (double)packets / top->seconds;
	if (packets)
		top->active++;
}

static int add_row(void *arg, const struct xp_flow *flow)
{
	struct top *top = arg;
	struct top_row *rows;
	size_t room;

	if (top->count == top->room) {
		room = top->room ? 2 * top->room : 256;
		rows = realloc(top->rows, room * sizeof(*rows));
		if (!rows)
			return -ENOMEM;
		top->rows = rows;
		top->room = room;
	}
	top->rows[top->count] = (struct top_row){.flow = *flow};
	rate_flow(top, &top->rows[top->count++]);
	return 0;
}

static int descending(double a, double b)
{
	return a < b ? 1 : a > b ? -1 : 0;
}

static int by_handle(const struct top_row *a, const struct top_row *b)
{
	return a->flow.handle < b->flow.handle ? -1 : a->flow.handle > b->flow.handle;
}

static int by_rate(const void *left, const void *right)
{
	const struct top_row *a = left, *b = right;
	int order = descending(a->bytes_per_s, b->bytes_per_s);

	if (!order)
		order = descending(a->packets_per_s, b->packets_per_s);
	return order ? order : by_handle(a, b);
}

static int by_packets(const void *left, const void *right)
{
	const struct top_row *a = left, *b = right;
	int order = descending(a->packets_per_s, b->packets_per_s);

	return order ? order : by_handle(a, b);
}

static int by_bytes(const void *left, const void *right)
{
	const struct top_row *a = left, *b = right;
	int order = descending((double)a->flow.bytes, (double)b->flow.bytes);

	return order ? order : by_handle(a, b);
}

static int by_gaps(const void *left, const void *right)
{
	const struct top_row *a = left, *b = right;
	int order = descending((double)a->flow.gap_bytes, (double)b->flow.gap_bytes);

	return order ? order : by_handle(a, b);
}

static const struct {
	const char *name;
	int (*compare)(const void *left, const void *right);
} sorts[TOP_SORTS] = {
	[TOP_BY_RATE] = {"rate", by_rate},
	[TOP_BY_PACKETS] = {"packets", by_packets},
	[TOP_BY_BYTES] = {"bytes", by_bytes},
	[TOP_BY_GAPS] = {"gaps", by_gaps},
};

const char *top_sort_name(enum top_sort sort)
{
	return sorts[sort].name;
}

void top_order(struct top *top)
{
	if (top->count)
		qsort(top->rows, top->count, sizeof(*top->rows), sorts[top->sort].compare);
}

static void take_time(struct top *top)
{
	struct timespec now;
	uint64_t ns;

	clock_gettime(CLOCK_MONOTONIC, &now);
	ns = (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
	if (!top->first_ns)
		top->first_ns = ns;
	top->seconds = top->last_ns ? (double)(ns - top->last_ns) / 1e9 : 0;
	top->elapsed = (double)(ns - top->first_ns) / 1e9;
	top->last_ns = ns;
}

static double rate(const struct top *top, uint64_t now, uint64_t last)
{
	return top->seconds > 0 ? (double)(now - last) / top->seconds : 0;
}

static double counter_rate(const struct top *top, unsigned index)
{
	return rate(top, ((const uint64_t *)&top->now)[index],
		    ((const uint64_t *)&top->last)[index]);
}

double top_opcode_rate(const struct top *top, unsigned opcode)
{
	return counter_rate(top, opcode);
}

double top_reason_rate(const struct top *top, unsigned reason)
{
	return counter_rate(top, XP_COUNTER_REASON + reason);
}

/* Each packet has exactly one op-code. */
static double packet_rate(const struct top *top)
{
	double sum = 0;
	unsigned i;

	for (i = 0; i < XP_OPCODE_COUNT; i++)
		sum += top_opcode_rate(top, i);
	return sum;
}

int top_sample(struct top *top)
{
	int err;

	take_time(top);
	top->last = top->now;
	err = xdplace_stats(top->ctx, XP_NONE, &top->now);
	if (err)
		return err;
	top->bytes_per_s = rate(top, top->now.placed_bytes, top->last.placed_bytes);
	top->packets_per_s = packet_rate(top);
	top->interfaces = xdplace_interfaces(top->ctx, NULL, 0);
	top->count = 0;
	top->active = 0;
	err = xdplace_flow_each(top->ctx, add_row, top);
	if (err)
		return err;
	top_order(top);
	return 0;
}
