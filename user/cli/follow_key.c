/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * follow_key.c - in: the completion that tells of a flow first. Out: the flow's key.
 *
 * The flow table has it, unless the flow ended and its entry is another's by the time that its
 * first completion is read; then the packet's headers have it, and the program's own parser
 * reads them.
 */
#include "parse.h"

#include "follow.h"

#define FRAME_MAX (2u << 16)

static bool key_of_header(const struct xdplace *ctx, const struct xp_completion *c,
			  struct follow_stream *stream)
{
	struct xp_packet packet;
	const char *header;
	size_t len;

	header = xdplace_header(ctx, c, &len);
	if (!header)
		return false;
	/* What follows the headers is not looked at, and may lie elsewhere. */
	if (xp_parse(header, header + len, FRAME_MAX, XP_P_ALL, &packet))
		return false;
	stream->key = packet.key;
	stream->v6 = packet.v6;
	return true;
}

void follow_key(struct follow_worker *worker, const struct xp_completion *c,
		struct follow_stream *stream)
{
	struct xdplace *ctx = worker->follow->ctx;
	struct xdplace_rtp_header rtp;
	struct xp_flow flow;

	stream->rtp = !xdplace_rtp_header(ctx, c, &rtp);
	stream->ssrc = rtp.ssrc;
	if (xdplace_flow_get(ctx, c->flow, &flow)) {
		stream->known = key_of_header(ctx, c, stream);
		return;
	}
	stream->key = flow.key;
	stream->v6 = flow.flags & XP_FLOW_V6;
	stream->known = true;
	stream->gapless = !flow.gap_bytes;
	if (flow.flags & XP_FLOW_RTP) {
		stream->rtp = true;
		stream->ssrc = flow.rtp.ssrc;
	}
}
