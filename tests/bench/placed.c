/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * placed.c - xdplace as one of the systems: a context of one lane, and its consumer.
 *
 * In: options, a rule. Out: a context with a consumer.
 * The consumer does what the library asks of one and no more: it reads the completions, counts
 * what they say, and releases them.
 */
#include <errno.h>
#include <string.h>

#include "bench.h"
#include "context.h"

#define DRAIN 256

static int add_rule(struct xdplace *ctx, const char *text)
{
	struct xp_rule rule = {0};
	size_t where;
	int err;

	err = xdplace_rule_parse(text, &rule, &where);
	if (err < 0)
		return err;
	err = xdplace_rule_add(ctx, &rule);
	return err < 0 ? err : 0;
}

/* A first frame, no matter of what, tells the program which lane test runs belong to. */
static int choose_lane(struct xdplace *ctx)
{
	static const uint8_t frame[60];
	int err = xdplace_run(ctx, 0, frame, sizeof(frame));

	return err < 0 ? err : 0;
}

int bench_placed_open(struct bench_placed *placed, const struct xdplace_opts *opts,
		      const char *rule)
{
	int err;

	memset(placed, 0, sizeof(*placed));
	placed->ctx = xdplace_open(opts);
	if (!placed->ctx)
		return -errno;
	err = add_rule(placed->ctx, rule);
	if (!err)
		err = choose_lane(placed->ctx);
	if (err)
		goto fail;
	placed->lane = xdplace_lane_open(placed->ctx, 0);
	if (placed->lane)
		return 0;
	err = -errno;
fail:
	bench_placed_close(placed);
	return err;
}

void bench_placed_close(struct bench_placed *placed)
{
	xdplace_lane_close(placed->lane);
	xdplace_close(placed->ctx);
	placed->lane = NULL;
	placed->ctx = NULL;
}

int bench_placed_prog(const struct bench_placed *placed)
{
	return placed->ctx->prog;
}

static void in_sequence(struct bench_placed *placed, const struct xp_completion *completion)
{
	struct iovec data[2];

	if (bench_latency_on && xdplace_data(placed->ctx, completion, data) > 0)
		bench_latency_saw(data[0].iov_base);
	placed->bytes += completion->data_len;
}

int bench_placed_drain(struct bench_placed *placed)
{
	struct xp_completion completions[DRAIN];
	int count = xdplace_lane_poll(placed->lane, completions, DRAIN);
	int i;

	for (i = 0; i < count; i++) {
		placed->opcode[completions[i].opcode % XP_OPCODE_COUNT]++;
		if (xdplace_in_sequence(&completions[i]))
			in_sequence(placed, &completions[i]);
		else if (completions[i].flags & XP_GAP)
			placed->gaps++;
	}
	if (count > 0)
		xdplace_lane_release(placed->lane, count);
	return count;
}
