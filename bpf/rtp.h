/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * rtp.h - RTP (RFC 3550): the header, whose packet it is, and its number. Pure C, also built for
 * the host.
 *
 * In: the first bytes of a UDP payload, what is known of the stream. Out: where the media begin
 * and end, with every length checked; whether the packet belongs to the stream, is a stray, or
 * starts a new one; its number, 64 bits that do not wrap.
 */
#ifndef RTP_H
#define RTP_H

#include <linux/types.h>
#include <bpf/bpf_endian.h>

#include <xdplace/abi.h>
#include "compiler.h"

#define XP_RTP_FIXED 12u
/* All that tells the header's length: fixed part, 15 CSRCs, first word of the extension. */
#define XP_RTP_LOOK (XP_RTP_FIXED + 15 * 4 + 4)

/*
 * A number this far ahead, or behind, is of the same stream (MAX_DROPOUT, MAX_MISORDER). RFC 3550
 * suggests 100 behind; here late packets are expected for as long as a window.
 */
#define XP_RTP_DROPOUT 3000
#define XP_RTP_MISORDER (2 * (int)XP_RTP_WINDOW)

struct xp_rtp_header {
	__u32 timestamp;
	__u32 ssrc;
	__u16 sequence;
	__u8 type;
	__u8 marker;
	__u32 length;  /* fixed part, CSRC list, extension */
	__u32 payload; /* bytes behind it; with `padded` the padding is still among them */
	__u32 csrcs;
	__u32 padded; /* the last byte says how much of it is padding */
	__u32 place;  /* UMEM offset of the payload, once placed */
};

/*
 * Is it RTCP? RFC 5761, 4: where both share a port, RTP does not use the payload types 64 to 95,
 * because RTCP's packet types look like these with the marker.
 */
static __always_inline int xp_rtp_is_rtcp(const __u8 *bytes, __u32 length)
{
	return length >= 4 && bytes[0] >> 6 == 2 && (bytes[1] & 0x60) == 0x40;
}

/*
 * The header of a UDP payload of `length` bytes, of which the first XP_RTP_LOOK are at `bytes`
 * (what there is not is zero): XP_R_OK or the reason.
 */
static __always_inline int xp_rtp_parse(const __u8 *bytes, __u32 length, struct xp_rtp_header *h)
{
	__u32 at;

	if (xp_rtp_is_rtcp(bytes, length))
		return XP_R_RTCP;
	if (length < XP_RTP_FIXED || bytes[0] >> 6 != 2)
		return XP_R_RTP_HEADER;
	h->csrcs = bytes[0] & 0x0f;
	at = XP_RTP_FIXED + 4 * h->csrcs;
	h->length = at;
	if (bytes[0] & 0x10) { /* extension: profile, length in words, words */
		at &= 0x7f;    /* at most 72: the verifier forgets */
		h->length += 4 + 4 * bpf_ntohs(xp_get16(bytes + at + 2));
		if (at + 4 > length)
			return XP_R_RTP_HEADER;
	}
	if (h->length > length)
		return XP_R_RTP_HEADER;
	h->payload = length - h->length;
	h->padded = bytes[0] & 0x20;
	h->marker = bytes[1] >> 7;
	h->type = bytes[1] & 0x7f;
	h->sequence = bpf_ntohs(xp_get16(bytes + 2));
	h->timestamp = bpf_ntohl(xp_get32(bytes + 4));
	h->ssrc = bpf_ntohl(xp_get32(bytes + 8));
	return XP_R_OK;
}

/* Leave the padding out, whose last byte is `count`: XP_R_OK, or it is a lie. */
static __always_inline int xp_rtp_unpad(struct xp_rtp_header *h, __u8 count)
{
	if (!count || count > h->payload)
		return XP_R_RTP_HEADER;
	h->payload -= count;
	return XP_R_OK;
}

/* The number of a packet near the highest one: the wire has its low 16 bits. */
static __always_inline __s64 xp_rtp_number(__s64 highest, __u16 sequence)
{
	return highest + (__s16)(sequence - (__u16)highest);
}

enum xp_rtp_belongs {
	XP_RTP_BELONGS,
	XP_RTP_STRAY,	/* not believed yet */
	XP_RTP_RESTART, /* a new stream begins with it */
};

/*
 * Does a packet belong to the stream of `ssrc`? Another source, or a jump, is believed with the
 * second packet in sequence (RFC 3550, A.1), with none of the stream between the two: sources
 * that take turns on one flow do not end each other's streams with every burst.
 */
static __always_inline enum xp_rtp_belongs xp_rtp_judge(struct xp_rtp *r, __u32 ssrc,
							const struct xp_rtp_header *h)
{
	__s32 ahead = (__s16)(h->sequence - (__u16)r->highest);

	if (h->ssrc == ssrc && ahead <= XP_RTP_DROPOUT && ahead >= -XP_RTP_MISORDER) {
		r->other = 0;
		return XP_RTP_BELONGS;
	}
	if (r->other && r->other_ssrc == h->ssrc && r->other_next == h->sequence)
		return XP_RTP_RESTART;
	r->other = 1;
	r->other_ssrc = h->ssrc;
	r->other_next = h->sequence + 1;
	return XP_RTP_STRAY;
}

/* The slot of a packet number. */
static __always_inline struct xp_rtp_slot *xp_rtp_slot(struct xp_rtp *r, __u64 number)
{
	return &r->slot[number & (XP_RTP_WINDOW - 1)];
}

/*
 * Did a packet of this number arrive? Asked of numbers that may lie behind the edge: what is too
 * long ago, or before the stream's first packet, has not.
 */
static __always_inline int xp_rtp_arrived(struct xp_rtp *r, __s64 first, __s64 number)
{
	return number >= first && number <= r->highest &&
	       number > r->highest - (__s64)XP_RTP_WINDOW && xp_rtp_slot(r, number)->there;
}

/* Slot size as a power of two: what a rule says, within what an area allows. */
static __always_inline __u32 xp_rtp_shift(__u32 rtp, __u32 area_shift)
{
	__u32 shift = XP_RTP_SLOT_SHIFT(rtp);

	if (shift < XP_MIN_RTP_SHIFT)
		return XP_MIN_RTP_SHIFT;
	return shift < area_shift ? shift : area_shift;
}

#endif
