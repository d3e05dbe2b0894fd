/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * own_area.c - one connection's data, placed one behind the other in an area of our own (R10).
 *
 *	own_area INTERFACE 'tcp 10.0.0.1:80 > 10.0.0.2:4711' BYTES
 *
 * In: that connection, from its first byte on. Out: its first BYTES bytes on stdout, written by
 * one call from one piece of memory; how far it is on stderr. No rule is needed: an expected flow
 * is placed, everything else passes.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <xdplace/xdplace.h>

static int fail(const char *what)
{
	fprintf(stderr, "own_area: %s: %s\n", what, xdplace_error());
	return 1;
}

/* Until all is there or the connection has ended: bytes from the start without a gap. */
static uint64_t watch(struct xdplace_lane *lane, uint32_t handle, uint64_t wanted)
{
	struct xp_completion c[64];
	uint64_t edge = 0;
	bool ended = false;
	int i, n = 0;

	while (edge < wanted && !ended && (n >= 0 || n == -EINTR)) {
		n = xdplace_lane_poll(lane, c, 64);
		for (i = 0; i < n; i++) {
			if (c[i].flow == handle && xdplace_in_sequence(&c[i]) &&
			    c[i].offset == edge)
				edge += c[i].data_len;
			ended |= c[i].flow == handle && c[i].flags & (XP_RELEASE_FLOW | XP_GAP);
		}
		if (n > 0)
			n = xdplace_lane_release(lane, (size_t)n);
		else
			n = xdplace_lane_wait(lane, 1000);
		fprintf(stderr, "\r%llu bytes", (unsigned long long)edge);
	}
	fputc('\n', stderr);
	return edge < wanted ? edge : wanted;
}

int main(int argc, char **argv)
{
	struct xdplace_opts opts = {.size = sizeof(opts), .lanes = 1};
	struct xdplace_flow_opts own = {.size = sizeof(own)};
	const struct xp_config *config;
	struct xdplace_lane *lane;
	struct xdplace *ctx;
	union xp_key key;
	uint64_t wanted, bytes;
	uint32_t handle;
	size_t where;
	char *place;
	bool v6;

	if (argc != 4 || !(wanted = strtoull(argv[3], NULL, 0)))
		return fprintf(stderr, "usage: own_area INTERFACE KEY BYTES\n"), 2;
	if (xdplace_key_parse(argv[2], &key, &v6, &where))
		return fail(argv[2]);
	opts.area_size = 4096;
	opts.own_size = (wanted + 4095) & ~4095ull;
	ctx = xdplace_open(&opts);
	lane = ctx ? xdplace_lane_open(ctx, 0) : NULL;
	if (!lane)
		return fail("open");

	/* Own areas are at the end of the memory. */
	config = xdplace_config(ctx);
	own.own_address = (config->areas - config->own_areas) << config->area_shift;
	own.own_length = (uint32_t)opts.own_size;
	place = (char *)xdplace_umem(ctx, NULL) + own.own_address;
	if (xdplace_flow_add(ctx, &key, v6, &own, &handle) || xdplace_attach(ctx, argv[1], NULL))
		return fail(argv[1]);
	bytes = watch(lane, handle, wanted);
	if (write(STDOUT_FILENO, place, bytes) != (ssize_t)bytes)
		perror("own_area: standard output");
	xdplace_lane_close(lane);
	xdplace_close(ctx);
	return bytes < wanted;
}
