/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * rtp.c - UDP that is RTP (R15): packets by their numbers.
 *
 *	 first       edge                  highest
 *	---|----------|--------|====|-------|==|------> extended sequence number
 *	     told, or   missing  here  missing
 *	     given up
 */
#include <stdlib.h>
#include <string.h>

#include "stream.h"

#define RTCP_LEAST 4 /* bytes: BYE of no source (RFC 3550, 6.6) */

/* RFC 3550, 5.1, of the packet in work. */
struct media {
	uint16_t seq;
	uint32_t ssrc;
	uint32_t header; /* bytes */
	uint32_t bytes;	 /* of the media, behind it */
};

static uint8_t media_of(const struct turn *t, uint32_t slot, struct media *r)
{
	const uint8_t *p = t->frame + t->d.headers;
	uint32_t size = t->d.payload, padding = 0;

	if (size < RTCP_LEAST || p[0] >> 6 != 2)
		return XP_R_RTP_HEADER;
	if ((p[1] & 0x7f) >= 64 && (p[1] & 0x7f) < 96) /* RFC 5761, 4 */
		return XP_R_RTCP;
	if (size < 12)
		return XP_R_RTP_HEADER;
	r->seq = p[2] << 8 | p[3];
	r->ssrc = (uint32_t)p[8] << 24 | p[9] << 16 | p[10] << 8 | p[11];
	r->header = 12 + 4 * (p[0] & 15);
	if (p[0] & 0x10) {
		if (r->header + 4 > size)
			return XP_R_RTP_HEADER;
		r->header += 4 + 4 * (p[r->header + 2] << 8 | p[r->header + 3]);
	}
	if (p[0] & 0x20) {
		padding = p[size - 1];
		if (!padding)
			return XP_R_RTP_HEADER;
	}
	if (r->header + padding > size)
		return XP_R_RTP_HEADER;
	if (t->d.headers + r->header > XP_MAX_HEADER)
		return XP_R_HEADER_LONG;
	r->bytes = size - r->header - padding;
	return r->bytes > slot ? XP_R_RTP_SLOT : XP_R_OK;
}

/* ---- the numbers of a flow ---- */

static struct rtp_number *number(const struct model_flow *f, int64_t n)
{
	return &f->rtp->number[n % XP_RTP_WINDOW];
}

static uint32_t slot_of(const struct model_flow *f)
{
	return 1u << f->rtp->shift;
}

/* Stream offset of a packet's slot. */
static uint64_t place_of(const struct model_flow *f, int64_t n)
{
	return (uint64_t)(n - f->rtp->first) << f->rtp->shift;
}

static bool *area_of(const struct model *m, const struct model_flow *f, uint64_t offset)
{
	return &f->rtp->held[(offset >> m->config.area_shift) % XP_RTP_WINDOW];
}

/* Areas that the edge leaves are the consumer's. */
static void go_on(const struct model *m, struct model_flow *f, int64_t to)
{
	uint64_t size = area_size(m), at = f->edge, end = place_of(f, to);

	for (at = at / size; at < end / size; at++)
		*area_of(m, f, at * size) = false;
	f->edge = end;
	f->rtp->edge = to;
}

static void tell_packet(struct turn *t, struct model_flow *f, uint8_t opcode, uint8_t flags,
			int64_t n)
{
	struct rtp_number *here = number(f, n);
	struct event event = {.opcode = opcode,
			      .reason = XP_R_RTP,
			      .flags = flags,
			      .flow = f->id,
			      .offset = n,
			      .length = here->length};

	tell_event(t, &event, here->bytes);
}

static void catch_up(struct turn *t, struct model_flow *f)
{
	while (f->rtp->edge <= f->rtp->highest && number(f, f->rtp->edge)->there) {
		tell_packet(t, f, XP_APPEND, XP_CAUGHT_UP, f->rtp->edge);
		go_on(t->m, f, f->rtp->edge + 1);
	}
}

/* What is missing from the edge to `to` will not come. */
static void gap(struct turn *t, struct model_flow *f, int64_t to, uint8_t reason)
{
	struct event event = {.opcode = XP_APPEND, .reason = reason, .flags = XP_GAP};

	event.flow = f->id;
	event.offset = f->rtp->edge;
	event.length = to - f->rtp->edge;
	tell_event(t, &event, NULL);
	f->gaps++;
	f->gap_bytes += (uint64_t)event.length << f->rtp->shift;
	t->m->counters.gap_bytes += (uint64_t)event.length << f->rtp->shift;
	if (reason == XP_R_GAP_WINDOW || reason == XP_R_GAP_DEADLINE || reason == XP_R_AGED ||
	    reason == XP_R_FLUSHED)
		count_reason(t->m, reason);
	go_on(t->m, f, to);
}

/* The first number from the edge on that is there, below `end`. */
static int64_t next_there(const struct model_flow *f, int64_t end)
{
	int64_t n = f->rtp->edge;

	while (n < end && !(n <= f->rtp->highest && number(f, n)->there))
		n++;
	return n;
}

static void give_up(struct turn *t, struct model_flow *f, int64_t to, uint8_t reason)
{
	for (catch_up(t, f); f->rtp->edge < to; catch_up(t, f))
		gap(t, f, next_there(f, to), reason);
}

void rtp_give_up(struct turn *t, struct model_flow *f, uint8_t reason)
{
	give_up(t, f, f->rtp->highest + 1, reason);
}

void rtp_leave(struct turn *t, struct model_flow *f)
{
	memset(f->rtp->held, 0, sizeof(f->rtp->held));
	if (f->rtp->block)
		t->m->lane[f->lane].rtp--;
	f->rtp->block = false;
}

/* Each missing packet has a deadline of its own, from when it was noticed. */
bool rtp_age(struct turn *t, struct model_flow *f)
{
	struct model_rtp *r = f->rtp;
	bool any = false;
	int64_t to;

	if (!t->m->config.hole_ticks)
		return false;
	while (r->edge <= r->highest && f->state == XP_FLOW_OPEN) {
		for (to = r->edge; to <= r->highest && !number(f, to)->there; to++)
			if (!ticks_older(t->m, number(f, to)->noticed, r->deadline))
				break;
		if (to == r->edge)
			break;
		gap(t, f, to, XP_R_GAP_DEADLINE);
		catch_up(t, f);
		any = true;
	}
	return any;
}

/* ---- packets ---- */

static void begin(struct turn *t, const struct media *r)
{
	struct model_rtp *rtp = t->f->rtp;

	t->f->state = XP_FLOW_OPEN;
	t->f->isn = r->seq;
	rtp->first = rtp->edge = r->seq;
	rtp->highest = (int64_t)r->seq - 1;
	rtp->ssrc = r->ssrc;
}

/* Of another source, or from elsewhere: XP_R_RTP_SOURCE, and XP_R_NEW_SOURCE if it is believed. */
static uint8_t judge_source(struct model_flow *f, const struct media *r, int64_t *n)
{
	struct model_rtp *rtp = f->rtp;
	int16_t ahead = r->seq - (uint16_t)rtp->highest;
	bool again = rtp->other && rtp->other_ssrc == r->ssrc && rtp->other_next == r->seq;

	*n = rtp->highest + ahead;
	if (r->ssrc == rtp->ssrc && ahead <= 3000 && ahead >= -1024) {
		rtp->other = false;
		return XP_R_OK;
	}
	rtp->other = true;
	rtp->other_ssrc = r->ssrc;
	rtp->other_next = r->seq + 1;
	return again ? XP_R_NEW_SOURCE : XP_R_RTP_SOURCE;
}

/* Numbers up to `n` are seen to be missing. */
static void rise(struct turn *t, struct model_flow *f, int64_t n)
{
	struct rtp_number *here;

	while (f->rtp->highest < n) {
		here = number(f, ++f->rtp->highest);
		free(here->bytes);
		*here = (struct rtp_number){.noticed = t->m->now};
	}
}

static void keep(struct model_flow *f, const uint8_t *bytes, uint32_t length, int64_t n)
{
	struct rtp_number *here = number(f, n);

	here->there = true;
	here->length = length;
	here->bytes = malloc(length + 1);
	if (!here->bytes)
		abort();
	memcpy(here->bytes, bytes, length);
}

/* Without an area it is as if the packet had not come, but for what it gave up. */
static void place(struct turn *t, const struct media *r, int64_t n)
{
	uint32_t headers = t->d.headers + r->header;
	struct model_flow *f = t->f;
	bool *held, own;

	if (n - f->rtp->edge >= XP_RTP_WINDOW)
		give_up(t, f, n - XP_RTP_WINDOW + 1, XP_R_GAP_WINDOW);
	if (n == f->rtp->edge && t->opcode == XP_EARLY)
		t->opcode = XP_APPEND;
	held = area_of(t->m, f, place_of(f, n));
	own = own_has(f, place_of(f, n));
	if (!*held && r->bytes && !own)
		*held = take_area(t);
	t->reason = XP_R_RTP;
	if (r->bytes && !*held && !own) {
		take_header(t, headers, false);
		t->reason = XP_R_NO_AREA;
		tell(t, f, t->opcode, t->reason, n);
		return;
	}
	take_header(t, headers, false);
	rise(t, f, n);
	keep(f, t->frame + headers, r->bytes, n);
	own_put(t->m, f, place_of(f, n), r->bytes, t->frame + headers);
	tell_packet(t, f, t->opcode, 0, n);
	t->placed = r->bytes;
	f->bytes += r->bytes;
	f->earlies += t->opcode == XP_EARLY;
	if (n != f->rtp->edge)
		return;
	go_on(t->m, f, n + 1);
	catch_up(t, f);
}

void rtp_packet(struct turn *t)
{
	struct model_flow *f = t->f;
	uint8_t opcode = t->opcode, reason;
	struct media r;
	int64_t n;

	reason = media_of(t, slot_of(f), &r);
	if (!reason && f->state == XP_FLOW_EXPECTED) {
		begin(t, &r);
		t->opcode = opcode == XP_REPLACE ? XP_REPLACE : XP_FIRST;
		place(t, &r, r.seq);
		return;
	}
	if (!reason)
		reason = judge_source(f, &r, &n);
	if (reason == XP_R_NEW_SOURCE) {
		t->opcode = XP_FIRST;
		start_anew(t, XP_R_NEW_SOURCE);
		begin(t, &r);
		t->opcode = XP_FIRST;
		place(t, &r, r.seq);
		return;
	}
	if (reason) {
		f->whole++;
		put_whole(t, t->d.payload ? XP_WHOLE : XP_FOREIGN, reason);
		return;
	}
	rtp_age(t, f);
	if (n <= f->rtp->highest && n > f->rtp->highest - (int)XP_RTP_WINDOW &&
	    n >= f->rtp->first && number(f, n)->there) {
		f->repeats++;
		put_hybrid(t, XP_REPEAT, XP_R_REPEATED);
		return;
	}
	if (n < f->rtp->edge) {
		f->rtp->late++;
		f->whole++;
		put_whole(t, XP_WHOLE, XP_R_LATE);
		return;
	}
	t->opcode = n == f->rtp->edge ? XP_APPEND : XP_EARLY;
	place(t, &r, n);
}

/* May it set up a flow under this rule? XP_R_OK, or why not. */
uint8_t rtp_refused(const struct turn *t, uint32_t rtp)
{
	uint8_t reason;
	struct media r;

	reason = media_of(t, 1u << XP_RTP_SLOT_SHIFT(rtp), &r);
	if ((!reason || reason == XP_R_RTP_SLOT) && t->m->lane[t->lane].rtp >= t->m->config.rtp)
		return XP_R_RTP_FULL;
	return reason;
}

void rtp_set_up(struct turn *t, struct model_flow *f, uint32_t rtp)
{
	uint64_t us = XP_RTP_DEADLINE(rtp) * 1000ull, tick = t->m->config.tick_us;

	f->rtp = calloc(1, sizeof(*f->rtp));
	if (!f->rtp)
		abort();
	f->flags |= XP_FLOW_RTP;
	f->rtp->rtp = rtp;
	f->rtp->shift = XP_RTP_SLOT_SHIFT(rtp);
	f->rtp->deadline = (us + tick - 1) / tick;
	f->rtp->highest = -1; /* nothing is missing */
	f->rtp->block = true;
	t->m->lane[t->lane].rtp++;
}

void rtp_forget(struct model_flow *f)
{
	size_t i;

	for (i = 0; f->rtp && i < XP_RTP_WINDOW; i++)
		free(f->rtp->number[i].bytes);
	free(f->rtp);
}
