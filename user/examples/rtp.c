/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * rtp.c - writes the payload of one RTP stream to standard output, in media order.
 *
 *	rtp INTERFACE [RULE] > media
 *
 * In: completions of the first RTP flow that RULE wants. Out: each payload as it lies in the UMEM;
 *on standard error the packets that are missing, and a line for each marker.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <xdplace/xdplace.h>

static volatile bool stop;

static void on_signal(int number)
{
	stop = true;
}

static void take(struct xdplace *ctx, const struct xp_completion *c)
{
	static struct xdplace_rtp reader;
	static uint32_t flow = XP_NONE;
	struct xdplace_rtp_packet packet;

	if (flow == XP_NONE && c->reason == XP_R_RTP)
		flow = c->flow;
	if (flow == XP_NONE || c->flow != flow)
		return;
	if (c->flags & XP_RELEASE_FLOW)
		stop = true;
	if (!xdplace_rtp_read(&reader, ctx, c, &packet))
		return;
	if (packet.missing)
		fprintf(stderr, "missing: %llu to %llu\n", (unsigned long long)packet.number,
			(unsigned long long)packet.number + packet.missing - 1);
	else if (packet.marker)
		fprintf(stderr, "marker: %llu, timestamp %u\n", (unsigned long long)packet.number,
			packet.timestamp);
	if (packet.payload.iov_len && writev(STDOUT_FILENO, &packet.payload, 1) < 0)
		stop = true;
}

int main(int argc, char **argv)
{
	struct xdplace_opts opts = {.size = sizeof(opts), .lanes = 1, .ring = 16384};
	struct sigaction action = {.sa_handler = on_signal};
	struct xp_completion completions[256];
	struct xdplace *ctx = argc > 1 ? xdplace_open(&opts) : NULL;
	struct xdplace_lane *lane = ctx ? xdplace_lane_open(ctx, 0) : NULL;
	struct xp_rule rule;
	int i, n = 0;

	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	if (!lane || xdplace_rule_parse(argc > 2 ? argv[2] : "rtp", &rule, NULL) ||
	    xdplace_rule_add(ctx, &rule) < 0 || xdplace_attach(ctx, argv[1], NULL))
		return fprintf(stderr, "rtp INTERFACE [RULE]: %s\n", xdplace_error()), 1;
	while (!stop && (n >= 0 || n == -EINTR)) {
		n = xdplace_lane_poll(lane, completions, 256);
		for (i = 0; i < n; i++)
			take(ctx, &completions[i]);
		n = n ? xdplace_lane_release(lane, (size_t)n) : xdplace_lane_wait(lane, 20);
	}
	xdplace_lane_close(lane);
	xdplace_close(ctx);
	return 0;
}
