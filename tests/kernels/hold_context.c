/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * hold_context - one context for many wires: what takes an emulated machine longest is the
 * verifier.
 *
 * In: the context's name; on standard input lines "attach IF native|skb", "detach IF" and "stir
 * SECONDS": on the first CPU, a flow is added and ended again and again.
 * Out: "ready"; for each line one on standard output: "done", with how many times where that was
 * asked for, or the error's number and what the library says of it. Promises: all of TCP and UDP is
 * tapped; ends, and detaches, when its input does.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <xdplace/xdplace.h>

static void answer(int err)
{
	if (err)
		printf("%d %s\n", -err, xdplace_error());
	else
		printf("done\n");
}

/* Its lane is that of the first queue. < 0 or how often. */
static int stir(struct xdplace *ctx, int seconds)
{
	union xp_key key = {.v4 = {.src = htonl(0x0a0a0a0a), .dst = htonl(0x0a0a0a0b)}};
	time_t end = time(NULL) + seconds;
	uint32_t handle;
	cpu_set_t first;
	int n, err = 0;

	CPU_ZERO(&first);
	CPU_SET(0, &first);
	if (sched_setaffinity(0, sizeof(first), &first))
		return -errno;
	key.v4.proto = IPPROTO_TCP;
	for (n = 0; !err && time(NULL) < end; n++) {
		err = xdplace_flow_add(ctx, &key, false, NULL, &handle);
		if (!err)
			err = xdplace_flow_del(ctx, handle);
		if (err == -EAGAIN) /* the ring is full: the consumer's turn */
			err = usleep(1000) ? -errno : 0;
	}
	return err ? err : n;
}

static void obey(struct xdplace *ctx, const char *line)
{
	struct xdplace_attach_opts opts = {.size = sizeof(opts)};
	char ifname[64], mode[16] = "native";
	int n;

	if (sscanf(line, "attach %63s %15s", ifname, mode) >= 1) {
		opts.mode = strcmp(mode, "skb") ? XDPLACE_NATIVE : XDPLACE_SKB;
		answer(xdplace_attach(ctx, ifname, &opts));
	} else if (sscanf(line, "detach %63s", ifname) == 1) {
		answer(xdplace_detach(ctx, ifname));
	} else if (sscanf(line, "stir %d", &n) == 1) {
		n = stir(ctx, n);
		if (n < 0)
			answer(n);
		else
			printf("done %d\n", n);
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
