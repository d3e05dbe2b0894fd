/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * stream.c - one flow's bytes: what is new, what waits behind a hole, what is given up.
 *
 *	    edge            run[0]        run[1]         window_end
 *	------|--- hole ---|=======|-----|======|-------------|
 */
#include <stdlib.h>
#include <string.h>

#include <xdplace/xdplace.h>

#include "stream.h"

static uint64_t window_bytes(const struct model *m)
{
	return (uint64_t)m->config.window << m->config.area_shift;
}

/* Behind the last byte that may be placed: areas are counted from the edge's own on. */
static uint64_t window_end(const struct model *m, const struct model_flow *f)
{
	return f->edge / area_size(m) * area_size(m) + window_bytes(m);
}

/* ---- areas and cells ---- */

bool take_area(struct turn *t)
{
	struct model_lane *lane = &t->m->lane[t->lane];

	if (!lane->areas)
		return false;
	lane->areas--;
	return true;
}

void take_header(struct turn *t, uint32_t bytes, bool hybrid)
{
	uint32_t need = (XP_PAD + bytes + XP_CELL - 1) / XP_CELL * XP_CELL;
	uint32_t *left = &t->m->lane[t->lane].cells[hybrid];

	if (need > *left) {
		if (!take_area(t)) {
			t->reason = XP_R_NO_AREA;
			return;
		}
		*left = area_size(t->m);
	}
	*left -= need;
	t->header = true;
	memcpy(t->m->out.cells + t->m->out.header, t->frame, bytes);
	t->m->out.header += bytes;
}

/* The area of a stream offset: there already, or taken. */
static bool hold(struct turn *t, struct model_flow *f, uint64_t at)
{
	bool *held = &f->held[at / area_size(t->m) % t->m->config.window];

	if (own_has(f, at))
		return true;
	if (!*held)
		*held = take_area(t);
	return *held;
}

/* ---- telling ---- */

static struct event *add(struct turn *t, const struct event *event, const uint8_t *data)
{
	struct outcome *out = &t->m->out;
	struct event here = *event;

	here.lane = t->lane;
	t->header = false;
	outcome_add(out, &here, data);
	return &out->event[out->events - 1];
}

struct event *tell(struct turn *t, const struct model_flow *f, uint8_t opcode, uint8_t reason,
		   uint64_t offset)
{
	struct event event = {.opcode = opcode, .reason = reason, .offset = offset};

	event.flow = f ? f->id : 0;
	return add(t, &event, NULL);
}

void tell_frame(struct turn *t, const struct model_flow *f, uint8_t opcode, uint8_t reason,
		uint32_t at, uint32_t bytes)
{
	struct event event = {
		.opcode = opcode, .reason = reason, .flags = XP_FRAME, .length = bytes};

	event.flow = f ? f->id : 0;
	add(t, &event, t->frame + at);
}

static void tell_data(struct turn *t, const struct model_flow *f, uint8_t opcode, uint8_t flags,
		      uint64_t at, uint32_t bytes, const uint8_t *data)
{
	struct event event = {
		.opcode = opcode, .flags = flags, .flow = f->id, .offset = at, .length = bytes};

	add(t, &event, data);
}

void tell_event(struct turn *t, const struct event *event, const uint8_t *data)
{
	add(t, event, data);
}

/* ---- the edge ---- */

/* An area that the edge has left is the consumer's. */
static void advance(const struct model *m, struct model_flow *f, uint64_t bytes)
{
	uint64_t area = f->edge / area_size(m);

	f->edge += bytes;
	if (f->edge / area_size(m) != area)
		f->held[area % m->config.window] = false;
}

static void new_first_hole(struct turn *t, struct model_flow *f)
{
	f->opened = t->m->now;
	f->patience = 0;
}

static void gap(struct turn *t, struct model_flow *f, uint64_t bytes, uint8_t reason)
{
	struct event *event = tell(t, f, t->opcode, reason, f->edge);

	event->flags = XP_GAP;
	event->length = bytes;
	f->gaps++;
	f->gap_bytes += bytes;
	t->m->counters.gap_bytes += bytes;
	/* Reasons of a flow's end are counted with that. */
	if (reason == XP_R_AGED || reason == XP_R_FLUSHED || reason == XP_R_GAP_ACKED ||
	    reason == XP_R_GAP_WINDOW || reason == XP_R_HOLES_FULL)
		count_reason(t->m, reason);
	advance(t->m, f, bytes);
	new_first_hole(t, f);
}

/* What was placed ahead and now follows the edge is told in sequence. */
static void catch_up(struct turn *t, struct model_flow *f)
{
	uint32_t size = area_size(t->m), n;
	struct range64 *run = f->run;

	while (f->runs && run->start == f->edge) {
		n = size - f->edge % size;
		if (n > run->end - run->start)
			n = run->end - run->start;
		tell_data(t, f, XP_APPEND, XP_CAUGHT_UP, f->edge, n,
			  f->ahead + f->edge % window_bytes(t->m));
		advance(t->m, f, n);
		run->start += n;
		if (run->start < run->end)
			continue;
		memmove(run, run + 1, --f->runs * sizeof(*run));
		new_first_hole(t, f);
	}
}

/* Until `to` fits the window; 0: all holes. */
static void give_up(struct turn *t, struct model_flow *f, uint64_t to, uint8_t reason)
{
	while (f->runs && (!to || to > window_end(t->m, f))) {
		if (f->run[0].start > f->edge)
			gap(t, f, f->run[0].start - f->edge, reason);
		catch_up(t, f);
	}
}

static void drop_block(struct turn *t, struct model_flow *f)
{
	if (f->block)
		t->m->lane[f->lane].blocks--;
	f->block = false;
}

/* ---- runs ---- */

/* First run that ends behind `at`. */
static uint32_t run_behind(const struct model_flow *f, uint64_t at)
{
	uint32_t i;

	for (i = 0; i < f->runs && f->run[i].end <= at; i++)
		;
	return i;
}

static bool covered(const struct model_flow *f, uint64_t from, uint64_t to)
{
	uint32_t i = run_behind(f, from);

	return from == to || (i < f->runs && f->run[i].start <= from && to <= f->run[i].end);
}

static bool data_behind(const struct model_flow *f, uint64_t at)
{
	return f->runs && f->run[f->runs - 1].end > at;
}

/* Put [from, to), of which nothing is there, among the runs. False: there are too many. */
static bool add_run(struct model_flow *f, uint64_t from, uint64_t to)
{
	uint32_t i = run_behind(f, from);
	bool left = i && f->run[i - 1].end == from, right = i < f->runs && f->run[i].start == to;

	if (left && right) {
		f->run[i - 1].end = f->run[i].end;
		memmove(&f->run[i], &f->run[i + 1], (--f->runs - i) * sizeof(f->run[0]));
	} else if (left) {
		f->run[i - 1].end = to;
	} else if (right) {
		f->run[i].start = from;
	} else if (f->runs == XP_MAX_RUNS) {
		return false;
	} else {
		memmove(&f->run[i + 1], &f->run[i], (f->runs++ - i) * sizeof(f->run[0]));
		f->run[i] = (struct range64){from, to};
	}
	return true;
}

static bool run_fits(const struct model_flow *f, uint64_t from, uint64_t to)
{
	uint32_t i = run_behind(f, from);

	return f->runs < XP_MAX_RUNS || (i && f->run[i - 1].end == from) ||
	       (i < f->runs && f->run[i].start == to);
}

/* ---- judging ---- */

static void verdict_is(struct verdict *v, uint8_t opcode, uint8_t reason)
{
	v->opcode = opcode;
	v->reason = reason;
}

static void judge_reset(const struct turn *t, struct verdict *v)
{
	const struct model_flow *f = t->f;
	int32_t ahead = (int32_t)(t->d.seq - (f->isn + (uint32_t)f->edge));

	if (f->state == XP_FLOW_CLOSED)
		verdict_is(v, XP_NODATA, XP_R_CLOSED);
	else if (ahead < 0 || f->edge + ahead >= window_end(t->m, f))
		verdict_is(v, XP_NODATA, XP_R_RST_WINDOW);
	else
		verdict_is(v, XP_TEARDOWN, XP_R_RESET);
}

static void judge_closed(const struct turn *t, struct verdict *v, int64_t end)
{
	if (end <= (int64_t)t->f->edge)
		verdict_is(v, XP_REPEAT, XP_R_REPEATED);
	else
		verdict_is(v, t->d.payload ? XP_WHOLE : XP_NODATA, XP_R_CLOSED);
}

static void judge_beyond(const struct turn *t, struct verdict *v)
{
	const struct model_flow *f = t->f;
	uint64_t window = window_end(t->m, f) - f->edge, ahead = v->from - f->edge;

	if (f->runs && ahead <= 2 * window) {
		v->give_up = true;
		verdict_is(v, XP_EARLY, XP_R_OK);
		return;
	}
	v->stray = f->strays < 2;
	if (v->stray) {
		verdict_is(v, XP_WHOLE, XP_R_OUT_OF_WINDOW);
	} else if (ahead >= 1 << 30) {
		v->stray = true;
		verdict_is(v, XP_TEARDOWN, XP_R_LOST_SYNC);
	} else {
		v->follow = true;
		verdict_is(v, XP_APPEND, XP_R_OK);
	}
}

static void judge_behind(const struct turn *t, struct verdict *v, int64_t end)
{
	if (end + FAR_BACK >= (int64_t)t->f->edge) {
		verdict_is(v, XP_REPEAT, XP_R_REPEATED);
		return;
	}
	v->stray = true;
	if (t->f->strays < 2)
		verdict_is(v, XP_WHOLE, XP_R_OUT_OF_WINDOW);
	else
		verdict_is(v, XP_TEARDOWN, XP_R_LOST_SYNC);
}

bool elsewhere(const struct turn *t)
{
	const struct model_flow *f = t->f;
	uint32_t edge = f->isn + (uint32_t)f->edge;

	if (f->state != XP_FLOW_OPEN || f->strays < 2 || !t->d.tcp || !t->d.payload ||
	    t->d.flags & (TCP_SYN | TCP_RST) || !(t->m->config.knobs & XP_KNOB_PICKUP))
		return false;
	return (int32_t)(t->d.seq - edge) >= 1 << 30 ||
	       (int32_t)(t->d.seq + t->d.payload - edge) < -FAR_BACK;
}

static void judge_data(const struct turn *t, struct verdict *v, int64_t end)
{
	const struct model_flow *f = t->f;

	v->fin = t->d.flags & TCP_FIN;
	if (end < (int64_t)f->edge || (end == (int64_t)f->edge && !v->fin)) {
		judge_behind(t, v, end);
		return;
	}
	v->from = v->start > (int64_t)f->edge ? (uint64_t)v->start : f->edge;
	v->to = end;
	if (f->flags & XP_FLOW_FIN && v->to > f->fin) {
		if (v->from >= f->fin) {
			verdict_is(v, XP_WHOLE, XP_R_CLOSED);
			return;
		}
		v->to = f->fin;
		v->fin = false;
	}
	if (v->from == f->edge)
		verdict_is(v, XP_APPEND, XP_R_OK);
	else if (v->to > window_end(t->m, f))
		judge_beyond(t, v);
	else if (covered(f, v->from, v->to) && (!v->fin || f->flags & XP_FLOW_FIN))
		verdict_is(v, XP_REPEAT, XP_R_REPEATED);
	else
		verdict_is(v, XP_EARLY, XP_R_OK);
}

void stream_judge(const struct turn *t, struct verdict *v)
{
	const struct model_flow *f = t->f;
	uint32_t seq = t->d.seq + !!(t->d.flags & TCP_SYN);
	int64_t end;

	memset(v, 0, sizeof(*v));
	v->from = v->to = v->start = f->edge;
	if (!t->d.tcp) {
		v->to += t->d.payload;
		verdict_is(v, t->d.payload ? XP_APPEND : XP_NODATA, XP_R_OK);
		return;
	}
	v->start += (int32_t)(seq - (f->isn + (uint32_t)f->edge));
	end = (int64_t)f->edge + (int32_t)(seq + t->d.payload - (f->isn + (uint32_t)f->edge));
	if (t->d.flags & TCP_RST)
		judge_reset(t, v);
	else if (!t->d.payload && !(t->d.flags & TCP_FIN))
		verdict_is(v, XP_NODATA, XP_R_OK);
	else if (f->state == XP_FLOW_CLOSED)
		judge_closed(t, v, end);
	else
		judge_data(t, v, end);
}

/* ---- placing ---- */

/* One early block for each flow with holes. */
static bool have_block(struct turn *t)
{
	struct model_lane *lane = &t->m->lane[t->lane];

	if (t->f->block)
		return true;
	if (lane->blocks >= t->m->config.early)
		return false;
	lane->blocks++;
	t->f->block = true;
	new_first_hole(t, t->f);
	return true;
}

static void place_ahead(struct turn *t, uint64_t at, uint32_t bytes, const uint8_t *data)
{
	struct model_flow *f = t->f;

	if (!f->ahead)
		f->ahead = malloc(window_bytes(t->m));
	if (!f->ahead || !add_run(f, at, at + bytes))
		abort();
	memcpy(f->ahead + at % window_bytes(t->m), data, bytes);
	own_put(t->m, f, at, bytes, data);
	tell_data(t, f, XP_EARLY, 0, at, bytes, data);
}

static void place_next(struct turn *t, uint32_t bytes, const uint8_t *data)
{
	/* It came early, but what was before it has been given up. */
	if (t->opcode == XP_EARLY)
		t->opcode = XP_APPEND;
	own_put(t->m, t->f, t->f->edge, bytes, data);
	tell_data(t, t->f, t->opcode, 0, t->f->edge, bytes, data);
	advance(t->m, t->f, bytes);
}

/* How much of [at, to) is one piece: within an area and up to the next run. */
static uint32_t piece(const struct turn *t, uint64_t at, uint64_t to)
{
	const struct model_flow *f = t->f;
	uint32_t i = run_behind(f, at), n = area_size(t->m) - at % area_size(t->m);

	if (i < f->runs && f->run[i].start < to)
		to = f->run[i].start;
	return n < to - at ? n : to - at;
}

/* One hole too many: what is missing at the edge goes, up to `at` at most. */
static void make_room(struct turn *t, uint64_t at)
{
	struct model_flow *f = t->f;
	uint64_t to = f->run[0].start < at ? f->run[0].start : at;

	gap(t, f, to - f->edge, XP_R_HOLES_FULL);
}

/* A datagram keeps the areas in which it was put together; that of the edge is done with. */
static void place_together(struct turn *t, uint64_t at, uint64_t to, const uint8_t *data)
{
	t->f->held[at / area_size(t->m) % t->m->config.window] = false;
	tell_data(t, t->f, t->opcode, 0, at, to - at, data);
	if (t->g->overlaps)
		t->m->out.event[t->m->out.events - 1].reason = XP_R_FRAG_OVERLAP;
	t->placed += to - at;
	part_keep(t->m, t->g);
	advance(t->m, t->f, to - at);
}

/* The bytes [at, to) of the stream, which begin `data`: XP_R_OK, or why some are missing. */
static uint8_t place(struct turn *t, uint64_t at, uint64_t to, const uint8_t *data)
{
	struct model_flow *f = t->f;
	uint64_t skip;
	uint32_t i, n;

	for (catch_up(t, f); at < to; at += n, data += n, t->placed += n, catch_up(t, f)) {
		if (at > f->edge && !have_block(t))
			return XP_R_EARLY_FULL;
		i = run_behind(f, at);
		skip = at < f->edge			      ? f->edge
		       : i < f->runs && f->run[i].start <= at ? f->run[i].end
							      : at;
		if (skip >= to)
			break;
		data += skip - at;
		at = skip;
		n = piece(t, at, to);
		if (at > f->edge && !run_fits(f, at, at + n)) {
			make_room(t, at);
			n = 0;
			continue;
		}
		if (!hold(t, f, at))
			return XP_R_NO_AREA;
		if (at > f->edge)
			place_ahead(t, at, n, data);
		else
			place_next(t, n, data);
	}
	return XP_R_OK;
}

const struct model_flow *other_half(const struct model *m, const struct model_flow *f)
{
	union xp_key key;

	xdplace_key_reverse(&f->key, f->flags & XP_FLOW_V6, &key);
	return model_find(m, &key);
}

bool hole_acked(const struct model *m, const struct model_flow *f)
{
	const struct model_flow *peer = other_half(m, f);
	int32_t past;

	if (!f->runs)
		return false;
	if (!peer || !(peer->flags & XP_FLOW_ACKS))
		return false;
	past = (int32_t)(peer->ack - (f->isn + (uint32_t)f->run[0].start));
	return past >= 0 &&
	       (peer->state == XP_FLOW_OPEN || (peer->state == XP_FLOW_CLOSED && past <= FAR_BACK));
}

/* Patience with a hole that the receiver does not have (R13). */
static void lose_patience(struct turn *t)
{
	struct model_flow *f = t->f;

	if (!hole_acked(t->m, f) || ++f->patience < 4)
		return;
	gap(t, f, f->run[0].start - f->edge, XP_R_GAP_ACKED);
	catch_up(t, f);
}

static void finish(struct turn *t, struct model_flow *f)
{
	struct outcome *out = &t->m->out;
	struct event *last = out->events ? &out->event[out->events - 1] : NULL;

	drop_block(t, f);
	if (!t->placed || !last || last->opcode != XP_APPEND)
		last = tell(t, f, XP_LAST, XP_R_FINISHED, f->edge);
	last->opcode = XP_LAST;
	last->reason = XP_R_FINISHED;
	last->flags |= XP_RELEASE_FLOW;
	count_reason(t->m, XP_R_FINISHED);
}

/* The entry stays for a while. */
static void close_flow(struct turn *t, struct model_flow *f)
{
	f->state = XP_FLOW_CLOSED;
	f->runs = 0;
	own_leave(f);
	if (f->rtp)
		rtp_leave(t, f);
	memset(f->held, 0, sizeof(f->held));
	f->active = t->m->now;
	f->turn = ++t->m->turns;
}

static bool at_end(const struct model_flow *f)
{
	return f->flags & XP_FLOW_FIN && f->edge == f->fin;
}

static void make_way(struct turn *t, const struct verdict *v)
{
	struct model_flow *f = t->f;

	give_up(t, f, v->follow ? 0 : v->to, XP_R_GAP_WINDOW);
	if (!v->follow && v->to <= window_end(t->m, f))
		return;
	drop_block(t, f);
	if (v->from > f->edge)
		gap(t, f, v->from - f->edge, XP_R_GAP_WINDOW);
}

void stream_place(struct turn *t, const struct verdict *v)
{
	struct model_flow *f = t->f;
	uint8_t failed;

	t->opcode = v->opcode;
	t->reason = v->reason;
	take_header(t, t->d.headers, false);
	failed = t->reason;
	if (v->give_up || v->follow)
		make_way(t, v);
	if (t->opcode == XP_EARLY && v->from <= f->edge)
		t->opcode = XP_APPEND;
	if (v->fin && !(f->flags & XP_FLOW_FIN) && !data_behind(f, v->to)) {
		f->flags |= XP_FLOW_FIN;
		f->fin = v->to;
	}
	if (t->g && !t->d.tcp && !f->own.length)
		place_together(t, v->from, v->to, t->frame + t->d.headers);
	else
		t->reason = place(t, v->from, v->to,
				  t->frame + t->d.headers + ((int64_t)v->from - v->start));
	t->reason = failed = t->reason ? t->reason : failed;
	if (t->opcode == XP_EARLY) {
		f->earlies++;
		lose_patience(t);
	}
	if (at_end(f)) {
		finish(t, f);
		if (t->opcode != XP_FIRST && t->opcode != XP_REPLACE)
			t->opcode = XP_LAST;
		close_flow(t, f);
	} else if (t->header) {
		tell(t, f, t->opcode, t->reason, 0);
	} else if (failed && !t->placed) {
		tell(t, f, XP_WHOLE, t->reason, 0);
	}
	if (!f->runs)
		drop_block(t, f);
	f->bytes += t->placed;
}

void stream_give_up(struct turn *t, struct model_flow *f, uint8_t reason)
{
	t->opcode = XP_APPEND;
	gap(t, f, f->run[0].start - f->edge, reason);
	catch_up(t, f);
	if (!f->runs)
		drop_block(t, f);
	if (at_end(f)) {
		finish(t, f);
		close_flow(t, f);
	}
}

void stream_end(struct turn *t, struct model_flow *f, uint8_t reason)
{
	uint8_t opcode = t->opcode;
	struct event *event;

	if (f->state == XP_FLOW_CLOSED)
		return;
	t->opcode = XP_TEARDOWN;
	if (f->rtp)
		rtp_give_up(t, f, reason);
	give_up(t, f, 0, reason);
	drop_block(t, f);
	if (f->flags & XP_FLOW_FIN && f->edge < f->fin)
		gap(t, f, f->fin - f->edge, reason);
	event = tell(t, f, XP_TEARDOWN, reason, f->rtp ? (uint64_t)f->rtp->edge : f->edge);
	event->flags = XP_RELEASE_FLOW;
	count_reason(t->m, reason);
	close_flow(t, f);
	t->opcode = opcode;
}
