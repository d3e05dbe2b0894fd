/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * count.c - the smallest consumer: counts completions by op-code until interrupted.
 *
 *	count INTERFACE
 *
 * In: what arrives at the interface, which the kernel's stack gets all the same (tap). Out: a
 * table. One lane, so all queues' completions come from one place.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>

#include <xdplace/xdplace.h>

static volatile bool stop;

static void on_signal(int number)
{
	stop = true;
}

static int fail(const char *what)
{
	fprintf(stderr, "count: %s: %s\n", what, xdplace_error());
	return 1;
}

static int add_rule(struct xdplace *ctx, const char *text)
{
	struct xp_rule rule;
	size_t where;
	int err = xdplace_rule_parse(text, &rule, &where);

	return err ? err : xdplace_rule_add(ctx, &rule);
}

static int count(struct xdplace_lane *lane, uint64_t *counts)
{
	struct xp_completion completions[64];
	int i, n = 0;

	while (!stop) {
		n = xdplace_lane_poll(lane, completions, 64);
		for (i = 0; i < n; i++)
			counts[completions[i].opcode]++;
		if (n > 0)
			n = xdplace_lane_release(lane, (size_t)n);
		else if (!n)
			n = xdplace_lane_wait(lane, -1);
		if (n < 0 && n != -EINTR)
			return n;
	}
	return 0;
}

int main(int argc, char **argv)
{
	struct xdplace_opts opts = {.size = sizeof(opts), .lanes = 1};
	struct sigaction action = {.sa_handler = on_signal};
	uint64_t counts[256] = {0};
	struct xdplace_lane *lane;
	struct xdplace *ctx;
	unsigned i;
	int code = 0;

	if (argc != 2)
		return fprintf(stderr, "usage: count INTERFACE\n"), 2;
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	ctx = xdplace_open(&opts);
	if (!ctx)
		return fail("open");
	lane = xdplace_lane_open(ctx, 0);
	if (!lane || add_rule(ctx, "tap any") < 0 || xdplace_attach(ctx, argv[1], NULL))
		code = fail(argv[1]);
	else if (count(lane, counts))
		code = fail("take completions");
	for (i = 0; i < XP_OPCODE_COUNT && !code; i++)
		printf("%-9s %12llu  %s\n", xdplace_opcode_name(i), (unsigned long long)counts[i],
		       xdplace_opcode_meaning(i));
	xdplace_lane_close(lane);
	xdplace_close(ctx);
	return code;
}
