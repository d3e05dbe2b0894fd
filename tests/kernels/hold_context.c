/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * hold_context - one context for many wires: what takes an emulated machine longest is the
 * verifier.
 *
 * In: the context's name; on standard input lines "attach IF native|skb" and "detach IF".
 * Out: "ready"; for each line one on standard output: "done", or the error's number and what the
 * library says of it. Promises: all of TCP and UDP is tapped; ends, and detaches, when its input
 * does.
 */
#include <stdio.h>
#include <string.h>

#include <xdplace/xdplace.h>

static void answer(int err)
{
	if (err)
		printf("%d %s\n", -err, xdplace_error());
	else
		printf("done\n");
}

static void obey(struct xdplace *ctx, const char *line)
{
	struct xdplace_attach_opts opts = {.size = sizeof(opts)};
	char ifname[64], mode[16] = "native";

	if (sscanf(line, "attach %63s %15s", ifname, mode) >= 1) {
		opts.mode = strcmp(mode, "skb") ? XDPLACE_NATIVE : XDPLACE_SKB;
		answer(xdplace_attach(ctx, ifname, &opts));
	} else if (sscanf(line, "detach %63s", ifname) == 1) {
		answer(xdplace_detach(ctx, ifname));
	} else {
		printf("no command: %s", line);
	}
}

int main(int argc, char **argv)
{
	struct xdplace_opts opts = {
		.size = sizeof(opts),
		.lanes = 2,
		.ring = 16384,
		.umem_size = 128 << 20,
		.area_size = 32 << 10,
		.window = 8 << 20,    /* what a TCP receiver may have open */
		.hole_age_ms = 60000, /* emulated timers go off late */
	};
	struct xdplace *ctx;
	struct xp_rule rule;
	char line[128];
	size_t at;

	if (argc != 2) {
		fprintf(stderr, "usage: hold_context NAME\n");
		return 2;
	}
	setvbuf(stdout, NULL, _IOLBF, 0);
	opts.name = argv[1];
	ctx = xdplace_open(&opts);
	if (!ctx || xdplace_rule_parse("tap any", &rule, &at) || xdplace_rule_add(ctx, &rule) < 0) {
		printf("1 %s\n", xdplace_error());
		return 1;
	}
	printf("ready\n");
	while (fgets(line, sizeof(line), stdin))
		obey(ctx, line);
	xdplace_close(ctx);
	return 0;
}
