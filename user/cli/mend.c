/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * mend.c - in: packets as a capture has them. Out: frames that the program takes.
 *
 * Nothing is made up: a checksum that is set says "unfinished" (the pseudo-header's sum, as
 * a local sender leaves it), a packet that was cut is given with the length that is there, and its
 * FIN, if it had one, by itself at its place. What can not be read is given as it is: the program
 * counts it under its own reason.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <arpa/inet.h>
#include <linux/if_ether.h>

#include "mend.h"
#include "mend_survey.h"

#define MAX_FRAME 65535u /* the kernel's test run takes no more */
#define PIECE 32768u	 /* of the data of what is longer */
#define ANY_LENGTH (1u << 20)

struct mend {
	struct mend_counts counts;
	struct survey *survey; /* NULL: nothing that needs to be asked */
	struct capture_packet packet;
	struct xp_packet parsed;
	bool as_is;			/* give packet.frame unchanged */
	bool done;			/* nothing more to give */
	uint32_t have;			/* bytes of payload that the capture has */
	uint32_t given;			/* of those, or left out */
	uint64_t number;		/* of the packet in the capture */
	const struct overlap_cut *cuts; /* what of the payload is left out */
	size_t cut_count;
	uint8_t end; /* FIN or RST that is still to be given */
	uint8_t patched[XP_MAX_HEADER + 2];
	uint8_t frame[MAX_FRAME];
};

struct mend *mend_new(void)
{
	struct mend *mend = calloc(1, sizeof(*mend));

	if (!mend)
		return NULL;
	mend->survey = survey_new();
	if (mend->survey)
		return mend;
	free(mend);
	return NULL;
}

void mend_free(struct mend *mend)
{
	if (!mend)
		return;
	survey_free(mend->survey);
	free(mend);
}

const struct mend_counts *mend_counts(const struct mend *mend)
{
	return &mend->counts;
}

/* ---- reading ---- */

static uint16_t get16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

static void put16(uint8_t *p, uint32_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

static void put32(uint8_t *p, uint32_t v)
{
	put16(p, v >> 16);
	put16(p + 2, v);
}

/* Where IP begins behind Ethernet and its tags; 0: it does not, or is not all there. */
static uint32_t ip_offset(const uint8_t *frame, size_t len)
{
	uint32_t at = ETH_HLEN;

	while (at + 4 <= len && at < ETH_HLEN + 8 &&
	       (get16(frame + at - 2) == ETH_P_8021Q || get16(frame + at - 2) == ETH_P_8021AD))
		at += 4;
	if (at + 20 > len ||
	    (get16(frame + at - 2) != ETH_P_IP && get16(frame + at - 2) != ETH_P_IPV6))
		return 0;
	return at;
}

/*
 * Segmentation offload: a TCP super-packet's length does not fit the field, or is not known yet,
 * and the field is 0. Returns where the length's field is, 0: the packet has one.
 */
static uint32_t missing_length(const uint8_t *frame, size_t len)
{
	uint32_t at = ip_offset(frame, len);

	if (!at)
		return 0;
	if (frame[at] >> 4 == 4)
		return !get16(frame + at + 2) && frame[at + 9] == IPPROTO_TCP ? at + 2 : 0;
	if (at + 40 > len)
		return 0;
	return !get16(frame + at + 4) && frame[at + 6] == IPPROTO_TCP ? at + 4 : 0;
}

static int parse_with_length(const struct capture_packet *packet, uint32_t field, uint8_t *patched,
			     struct xp_packet *p)
{
	uint32_t ip = ip_offset(packet->frame, packet->len);
	uint32_t len = packet->len < XP_MAX_HEADER ? (uint32_t)packet->len : XP_MAX_HEADER;

	memcpy(patched, packet->frame, len);
	put16(patched + field, 0xffff);
	if (xp_parse(patched, patched + len, ANY_LENGTH, XP_P_ALL, p))
		return -1;
	if (p->l3 != ip || packet->wire < p->data)
		return -1;
	p->payload = (uint32_t)(packet->wire - p->data);
	return 0;
}

/* 0 and what the headers say, where payload may be more than the capture has; -1: no use. */
static int parse(const struct capture_packet *packet, uint8_t *patched, struct xp_packet *p)
{
	uint32_t field = missing_length(packet->frame, packet->len);
	int r;

	if (field)
		return parse_with_length(packet, field, patched, p);
	r = xp_parse(packet->frame, packet->frame + packet->len, (uint32_t)packet->wire, XP_P_ALL,
		     p);
	/* Some programs that cut packets forget how long they were. */
	if (r == -XP_R_IP_LENGTH)
		r = xp_parse(packet->frame, packet->frame + packet->len, ANY_LENGTH, XP_P_ALL, p);
	return r;
}

static uint64_t sum(const uint8_t *p, size_t len)
{
	uint64_t total = 0;
	size_t i;

	for (i = 0; i + 4 <= len; i += 4)
		total += xp_get32(p + i);
	return total + xp_sum_tail(p + i, (uint32_t)(len - i));
}

/* Of a packet that is all there. */
static bool checksums_hold(const struct capture_packet *packet, const struct xp_packet *p)
{
	const uint8_t *frame = packet->frame, *end = frame + packet->len;
	uint32_t length = p->data - p->l4 + p->payload;
	uint64_t pseudo;
	uint16_t check;

	if (!xp_ip_good(frame, end, p))
		return false;
	if (p->no_checksum)
		return true;
	if (xp_check_field(frame, end, p, &check))
		return false;
	pseudo = xp_sum_pseudo(p, length);
	return xp_sum_good(pseudo + sum(frame + p->l4, length), pseudo, check);
}

static bool is_whole(const struct capture_packet *packet, const struct xp_packet *p)
{
	return p->data + p->payload <= packet->len;
}

int mend_survey(struct mend *mend, const struct capture_packet *packet)
{
	struct survey_seen seen = {.number = mend->number++};
	struct xp_packet p;

	if (parse(packet, mend->patched, &p) || !is_whole(packet, &p) ||
	    missing_length(packet->frame, packet->len))
		return 0;
	seen.data = packet->frame + p.data;
	seen.good = checksums_hold(packet, &p);
	return survey_add(mend->survey, &p, &seen);
}

void mend_surveyed(struct mend *mend)
{
	mend->number = 0;
	if (survey_rewind(mend->survey))
		return;
	survey_free(mend->survey);
	mend->survey = NULL;
}

/* ---- giving ---- */

/* Length and checksum of the (only) IP header. */
static void set_ip(uint8_t *frame, const struct xp_packet *p, uint32_t len)
{
	uint8_t *ip = frame + p->l3;

	if (p->v6) {
		put16(ip + 4, len - p->l3 - 40);
		return;
	}
	put16(ip + 2, len - p->l3);
	put16(ip + 10, 0);
	put16(ip + 10, ntohs((uint16_t)~xp_fold(sum(ip, (ip[0] & 15) * 4u))));
}

/* "Unfinished": the sum of the pseudo-header. */
static void set_checksum(uint8_t *frame, const struct xp_packet *p, uint32_t length)
{
	uint16_t check = (uint16_t)xp_fold(xp_sum_pseudo(p, length));

	if (!p->no_checksum)
		memcpy(frame + p->l4 + (p->proto == IPPROTO_TCP ? 16 : 6), &check, 2);
}

/* A frame of headers and `length` bytes of data from `from` on. */
static size_t make(struct mend *mend, uint32_t from, uint32_t length, uint8_t end)
{
	const struct xp_packet *p = &mend->parsed;
	uint8_t *l4 = mend->frame + p->l4;
	uint32_t len = p->data + length;

	memcpy(mend->frame, mend->packet.frame, p->data);
	memcpy(mend->frame + p->data, mend->packet.frame + p->data + from, length);
	set_ip(mend->frame, p, len);
	if (p->proto == IPPROTO_TCP) {
		/* A SYN takes a number of its own, before the data. */
		put32(l4 + 4, p->seq + from + (from && p->tcp_flags & XP_TCP_SYN));
		if (from)
			l4[13] &= (uint8_t)~XP_TCP_SYN;
		l4[13] = (uint8_t)((l4[13] & ~(XP_TCP_FIN | XP_TCP_RST)) | end);
	} else {
		put16(l4 + 4, 8 + length);
	}
	set_checksum(mend->frame, p, len - p->l4);
	return len;
}

/* Behind data that the capture does not have, or that an RST carries. */
static size_t make_end(struct mend *mend)
{
	const struct xp_packet *p = &mend->parsed;
	size_t len = make(mend, 0, 0, mend->end);
	uint8_t *l4 = mend->frame + p->l4;

	put32(l4 + 4, p->seq + p->payload + !!(p->tcp_flags & XP_TCP_SYN));
	l4[13] &= (uint8_t)~XP_TCP_SYN;
	return len;
}

/* One with a wrong checksum that is trusted: the length stays, so that tunnels are no matter. */
static size_t make_trusted(struct mend *mend)
{
	const struct xp_packet *p = &mend->parsed;
	uint8_t *ip = mend->frame + p->l3;

	memcpy(mend->frame, mend->packet.frame, mend->packet.len);
	if (!p->v6) {
		put16(ip + 10, 0);
		put16(ip + 10, ntohs((uint16_t)~xp_fold(sum(ip, (ip[0] & 15) * 4u))));
	}
	set_checksum(mend->frame, p, p->data - p->l4 + p->payload);
	return mend->packet.len;
}

static void begin_pieces(struct mend *mend)
{
	const struct xp_packet *p = &mend->parsed;
	size_t there = mend->packet.len > p->data ? mend->packet.len - p->data : 0;

	mend->have = there < p->payload ? (uint32_t)there : p->payload;
	mend->end = p->proto == IPPROTO_TCP ? p->tcp_flags & (XP_TCP_FIN | XP_TCP_RST) : 0;
	/* Headers of a tunnel have lengths of their own: such a packet is not divided. */
	if (p->l3 != ip_offset(mend->packet.frame, mend->packet.len) ||
	    (!mend->have && !mend->end)) {
		mend->as_is = mend->packet.len <= MAX_FRAME;
		mend->done = !mend->as_is;
		mend->counts.lost += mend->have < p->payload;
		return;
	}
	if (mend->have < p->payload)
		mend->counts.cut++;
	else
		mend->counts.super += mend->packet.len > MAX_FRAME ||
				      missing_length(mend->packet.frame, mend->packet.len);
}

/* An RST may carry data (RFC 9293, 3.5.3), which other followers take for the stream's. */
static bool speaks_at_reset(const struct xp_packet *p)
{
	return p->proto == IPPROTO_TCP && p->payload &&
	       (p->tcp_flags & (XP_TCP_RST | XP_TCP_SYN)) == XP_TCP_RST;
}

/* An RST or FIN that its own direction does not heed was not its sender's, or did not arrive. */
static uint8_t unheeded(struct mend *mend)
{
	const struct xp_packet *p = &mend->parsed;

	if (!mend->survey || p->proto != IPPROTO_TCP)
		return 0;
	if (p->tcp_flags & XP_TCP_RST)
		return survey_goes_on(mend->survey, p) ? XP_TCP_RST : 0;
	if (p->tcp_flags & XP_TCP_FIN)
		return survey_does_not_end(mend->survey, p) ? XP_TCP_FIN : 0;
	return 0;
}

/* A SYN with another number in the middle of a connection, which goes on as if it had not been. */
static bool is_astray(struct mend *mend)
{
	const struct xp_packet *p = &mend->parsed;

	return mend->survey && p->proto == IPPROTO_TCP && p->tcp_flags & XP_TCP_SYN &&
	       !p->payload && survey_leads_nowhere(mend->survey, p);
}

/* What is no part of the conversation is left out: the packet, or if it has data, its flag. */
static void leave_out(struct mend *mend)
{
	uint8_t flag = unheeded(mend);

	if (flag) {
		mend->counts.unheeded++;
		mend->parsed.tcp_flags &= (uint8_t)~flag;
		mend->done = !mend->parsed.payload;
	} else if (is_astray(mend)) {
		mend->counts.astray++;
		mend->done = true;
	}
}

/* All of it is there: is it to be given as it is, and if not, is it to be trusted? */
static void begin_whole(struct mend *mend)
{
	const struct xp_packet *p = &mend->parsed;
	bool divided = speaks_at_reset(p), good, trusted;
	uint8_t flags = p->tcp_flags;

	if (!mend->survey && !divided)
		return;
	good = checksums_hold(&mend->packet, p);
	trusted = mend->survey && survey_trusts(mend->survey, p, good);
	if (mend->survey)
		mend->cuts = survey_cuts(mend->survey, mend->number, &mend->cut_count);
	mend->as_is = !trusted;
	mend->counts.unfinished += trusted;
	mend->counts.outdone += good && mend->cuts;
	leave_out(mend);
	divided |= mend->cuts || (p->payload && flags != p->tcp_flags);
	if (!divided || (!good && !trusted))
		return;
	mend->as_is = false;
	begin_pieces(mend);
}

void mend_begin(struct mend *mend, const struct capture_packet *packet)
{
	int r;

	mend->packet = *packet;
	mend->given = mend->have = 0;
	mend->cuts = NULL;
	mend->cut_count = 0;
	mend->done = false;
	mend->end = 0;
	mend->as_is = true;
	r = parse(packet, mend->patched, &mend->parsed);
	if (r) {
		mend->counts.lost +=
			(r == -XP_R_SHORT || r == -XP_R_HEADER_SPLIT) && packet->len < packet->wire;
	} else if (is_whole(packet, &mend->parsed) && packet->len <= MAX_FRAME &&
		   !missing_length(packet->frame, packet->len)) {
		begin_whole(mend);
	} else {
		mend->as_is = false;
		begin_pieces(mend);
	}
	mend->number++;
}

/* Leaves out what does not count. Returns where the piece that begins now has to end. */
static uint32_t skip_cuts(struct mend *mend)
{
	for (; mend->cut_count && mend->cuts->from <= mend->given;
	     mend->cuts++, mend->cut_count--) {
		if (mend->cuts->past > mend->given)
			mend->given = mend->cuts->past;
	}
	return mend->cut_count ? mend->cuts->from : mend->have;
}

static size_t next_piece(struct mend *mend, uint32_t past)
{
	uint32_t from = mend->given, length = past - from;
	uint8_t end = 0;

	if (mend->parsed.data + length > MAX_FRAME)
		length = PIECE;
	mend->given += length;
	if (mend->given == mend->have && mend->have == mend->parsed.payload)
		end = mend->end & XP_TCP_FIN;
	mend->end &= (uint8_t)~end;
	skip_cuts(mend);
	mend->done = mend->given == mend->have && !mend->end;
	return make(mend, from, length, end);
}

int mend_next(struct mend *mend, const void **frame, size_t *len)
{
	uint32_t past;

	if (mend->done)
		return 0;
	past = skip_cuts(mend);
	*frame = mend->frame;
	if (mend->as_is) {
		*frame = mend->packet.frame;
		*len = mend->packet.len;
		mend->done = true;
	} else if (!mend->have && !mend->end) {
		*len = make_trusted(mend);
		mend->done = true;
	} else if (mend->given < mend->have) {
		*len = next_piece(mend, past);
	} else {
		/* If nothing of its data counts, its acknowledgement does. */
		*len = mend->end ? make_end(mend) : make(mend, 0, 0, 0);
		mend->done = true;
	}
	return 1;
}
