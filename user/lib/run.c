/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * run.c - frames without a device (R18): BPF_PROG_TEST_RUN of the placement program itself.
 *
 * To the program such a frame came in on the loopback device, queue 0: its lane is set there.
 * So this is for contexts whose interfaces are not fed at the same time through loopback, and for
 * one thread at a time.
 */
#include <errno.h>
#include <string.h>

#include <bpf/bpf.h>

#include "context.h"

#define LOOPBACK 1u   /* ifindex, in every network namespace */
#define MIN_FRAME 14u /* an Ethernet header: the kernel wants that much */
#define MAX_FRAME 65535u

/* A name-less port, which is how xdplace_interfaces() knows that nothing is attached. */
static int choose_lane(struct xdplace *ctx, uint32_t lane)
{
	struct xp_port port = {.ifindex = LOOPBACK, .lane = lane, .lanes = 1};
	uint32_t key = LOOPBACK % XP_MAX_PORTS;
	int err;

	if (ctx->run_lane == lane)
		return 0;
	if (lane >= ctx->config.lanes)
		return xp_fail(EINVAL, "lane %u: the context has %u", lane, ctx->config.lanes);
	err = bpf_map_update_elem(ctx->map[XP_MAP_PORTS], &key, &port, BPF_ANY);
	if (err)
		return xp_fail(-err, "choose lane %u: %s", lane, strerror(-err));
	ctx->run_lane = lane;
	return 0;
}

int xdplace_run(struct xdplace *ctx, uint32_t lane, const void *frame, size_t len)
{
	LIBBPF_OPTS(bpf_test_run_opts, run, .data_in = frame, .data_size_in = len, .repeat = 1);
	int err;

	if (len < MIN_FRAME)
		return xp_fail(EINVAL, "frame of %zu bytes: must be %u or more", len, MIN_FRAME);
	if (len > MAX_FRAME)
		return xp_fail(E2BIG, "frame of %zu bytes: must be %u or less", len, MAX_FRAME);
	err = choose_lane(ctx, lane);
	if (err)
		return err;
	err = bpf_prog_test_run_opts(ctx->prog, &run);
	if (err == -EINVAL && len > 3500)
		return xp_fail(E2BIG, "frame of %zu bytes: this kernel takes one page", len);
	if (err)
		return xp_fail(-err, "run a frame of %zu bytes through the program: %s", len,
			       strerror(-err));
	return run.retval;
}
