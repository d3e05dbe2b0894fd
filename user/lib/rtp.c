/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * rtp.c - RTP flows as a consumer sees them.
 *
 * In: completions of one RTP flow, in order. Out: packets in the order of their numbers, with what
 * the header says of each, and those that are missing. A packet that came early is told twice, and
 * only the first time with its header: the reader remembers what that said.
 */
#include <errno.h>
#include <string.h>

#include "context.h"
#include "parse.h"
#include "rtp.h"

#define FRAME_MAX (2u << 16) /* no length in a header is wrong for want of the bytes it counts */

int xdplace_rtp_header(const struct xdplace *ctx, const struct xp_completion *c,
		       struct xdplace_rtp_header *header)
{
	uint8_t bytes[XP_RTP_LOOK] = {0};
	struct xp_packet packet;
	struct xp_rtp_header h;
	const uint8_t *at;
	size_t len, rtp;

	memset(header, 0, sizeof(*header));
	at = xdplace_header(ctx, c, &len);
	if (!at || c->reason != XP_R_RTP)
		return -ENOENT;
	if (xp_parse(at, at + len, FRAME_MAX, XP_P_ALL, &packet) || packet.data > len)
		return -ENOENT;
	at += packet.data;
	rtp = len - packet.data;
	memcpy(bytes, at, rtp < sizeof(bytes) ? rtp : sizeof(bytes));
	if (xp_rtp_parse(bytes, rtp, &h))
		return -ENOENT;
	header->timestamp = h.timestamp;
	header->ssrc = h.ssrc;
	header->sequence = h.sequence;
	header->type = h.type;
	header->marker = h.marker;
	header->csrcs = h.csrcs;
	header->csrc = at + XP_RTP_FIXED;
	header->extension_len = h.length - XP_RTP_FIXED - 4 * h.csrcs;
	if (header->extension_len)
		header->extension = at + XP_RTP_FIXED + 4 * h.csrcs;
	return 0;
}

static struct xdplace_rtp_early *early_of(struct xdplace_rtp *rtp, uint64_t number)
{
	return &rtp->early[number % XP_RTP_WINDOW];
}

static void remember(struct xdplace_rtp *rtp, const struct xdplace *ctx,
		     const struct xp_completion *c)
{
	struct xdplace_rtp_early *early = early_of(rtp, c->offset);
	struct xdplace_rtp_header h;

	if (xdplace_rtp_header(ctx, c, &h))
		return;
	*early = (struct xdplace_rtp_early){
		c->offset + 1, h.timestamp, h.ssrc, h.type, h.marker,
	};
}

static void describe(struct xdplace_rtp *rtp, const struct xdplace *ctx,
		     const struct xp_completion *c, struct xdplace_rtp_packet *packet)
{
	const struct xdplace_rtp_early *early = early_of(rtp, c->offset);
	struct xdplace_rtp_header h;

	if (!xdplace_rtp_header(ctx, c, &h)) {
		packet->header_known = true;
		packet->timestamp = h.timestamp;
		packet->ssrc = h.ssrc;
		packet->type = h.type;
		packet->marker = h.marker;
	} else if (early->number == c->offset + 1) {
		packet->header_known = true;
		packet->timestamp = early->timestamp;
		packet->ssrc = early->ssrc;
		packet->type = early->type;
		packet->marker = early->marker;
	}
}

int xdplace_rtp_read(struct xdplace_rtp *rtp, const struct xdplace *ctx,
		     const struct xp_completion *c, struct xdplace_rtp_packet *packet)
{
	struct iovec iov[2];

	memset(packet, 0, sizeof(*packet));
	packet->number = c->offset;
	if (c->flags & XP_GAP) {
		packet->missing = c->gap;
		return 1;
	}
	if (c->reason != XP_R_RTP)
		return 0;
	if (c->opcode == XP_EARLY) {
		remember(rtp, ctx, c);
		return 0;
	}
	describe(rtp, ctx, c, packet);
	/* A slot is in one area: there is no second piece. */
	if (xdplace_data(ctx, c, iov) == 1)
		packet->payload = iov[0];
	return 1;
}
