/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * datagram.c - fragments (R14): where each of them goes, when they are one, what is given up.
 *
 * In: a packet's turn whose t->d says that it is a fragment. Out: what it is told as; with the last
 * to come, what becomes of the whole, which is judged as a packet that came as one.
 */
#include <stdlib.h>
#include <string.h>

#include "stream.h"

#define NEAR 25 /* ticks: steps of a schedule on a busy machine */

static union xp_key without_ports(const struct decoded *d)
{
	union xp_key key = d->key;

	/* What IPv6 carries, only the first says (RFC 8200, 4.5). */
	if (d->v6)
		key.v6.sport = key.v6.dport = key.v6.proto = 0;
	else
		key.v4.sport = key.v4.dport = 0;
	return key;
}

struct model_datagram *datagram_find(const struct model *m, const struct decoded *d)
{
	union xp_key key = without_ports(d);
	struct model_datagram *g;
	uint32_t i;

	for (i = 0; i < m->datagrams; i++) {
		g = m->datagram[i];
		if (g->id == d->id && g->d.v6 == d->v6 && !memcmp(&g->key, &key, sizeof(key)))
			return g;
	}
	return NULL;
}

static void forget(struct model *m, struct model_datagram *g)
{
	uint32_t i;

	for (i = 0; m->datagram[i] != g; i++)
		;
	memmove(&m->datagram[i], &m->datagram[i + 1],
		(--m->datagrams - i) * sizeof(m->datagram[0]));
	free(g);
}

static uint32_t leave_areas(struct model *m, struct model_datagram *g)
{
	uint32_t i, n = 0;

	for (i = 0; i < MAX_DATAGRAM >> XP_MIN_AREA_SHIFT; i++) {
		n += g->held[i];
		g->held[i] = false;
	}
	m->lane[g->lane].parts -= n;
	return n;
}

void part_keep(struct model *m, struct model_datagram *g)
{
	leave_areas(m, g);
}

/* Its areas are the consumer's; told of, where there is a reason. */
static void hand_over(struct turn *t, struct model_datagram *g, uint8_t reason)
{
	if (leave_areas(t->m, g) && reason)
		tell(t, NULL, XP_FRAGMENT, reason, 0);
}

/* Fragments that are still to come go the same way. */
static void give_up(struct turn *t, struct model_datagram *g, uint8_t reason)
{
	hand_over(t, g, reason);
	g->given_up = reason;
	t->opcode = XP_FOREIGN;
	count_reason(t->m, reason);
}

static struct model_datagram *oldest(const struct model *m, uint32_t lane)
{
	uint32_t i;

	for (i = 0; i < m->datagrams; i++)
		if (m->datagram[i]->lane == lane)
			return m->datagram[i];
	return NULL;
}

static void drop(struct turn *t, struct model_datagram *g, uint8_t reason)
{
	if (!g->given_up)
		give_up(t, g, reason);
	forget(t->m, g);
}

/* The dead are remembered for as long as ten times what an acknowledged hole is. */
static bool aged(struct model *m, const struct model_datagram *g)
{
	int32_t beyond = (int32_t)(m->now - g->began - m->config.acked_ticks * 10);

	if (g->given_up && beyond > -NEAR && beyond < NEAR)
		m->slow = true;
	if (g->given_up && beyond > 0)
		return true;
	return m->config.fragment_ticks && ticks_older(m, g->began, m->config.fragment_ticks);
}

bool part_age(struct turn *t)
{
	struct model_datagram *g = oldest(t->m, t->lane);

	if (!g || !aged(t->m, g))
		return false;
	drop(t, g, XP_R_FRAG_AGED);
	return true;
}

static struct model_datagram *begin(struct turn *t)
{
	struct model *m = t->m;
	struct model_datagram *g;
	uint32_t i, n = 0;

	part_age(t);
	for (i = 0; i < m->datagrams; i++)
		n += m->datagram[i]->lane == t->lane;
	if (n >= m->config.datagrams)
		drop(t, oldest(m, t->lane), XP_R_FRAG_FULL);
	g = calloc(1, sizeof(*g));
	m->datagram = realloc(m->datagram, (m->datagrams + 1) * sizeof(m->datagram[0]));
	if (!g || !m->datagram)
		abort();
	m->datagram[m->datagrams++] = g;
	g->key = without_ports(&t->d);
	g->id = t->d.id;
	g->lane = t->lane;
	g->d = t->d;
	g->began = m->now;
	return g;
}

/* ---- what is there ---- */

static bool there(const struct model_datagram *g, uint32_t from, uint32_t to)
{
	for (; from < to; from++)
		if (g->got[from])
			return true;
	return false;
}

/*
 * This fragment has come before: it is all there, as one. After overlaps, where that is not to be
 * told from one which began there and went on, it makes no difference any more.
 */
static bool repeated(const struct model_datagram *g, const struct decoded *d, uint32_t from,
		     uint32_t to)
{
	uint32_t i;

	if (!g->starts[from / 8] || (d->more ? g->size && to >= g->size : to != g->size))
		return false;
	for (i = from; i < to; i++)
		if (!g->got[i] || (i > from && g->starts[i / 8] && i % 8 == 0))
			return false;
	return !d->more || g->starts[to / 8] || !g->got[to];
}

/* Two that can not both be true, whatever the rule. */
static bool disputed(const struct model_datagram *g, const struct decoded *d, uint32_t from,
		     uint32_t to)
{
	uint32_t header = d->at ? (g->first ? g->d.headers - g->d.base : 0) : d->headers - d->base;

	if (!d->more && (g->size ? g->size != to : there(g, to, MAX_DATAGRAM)))
		return true;
	if (d->more && g->size && to >= g->size)
		return true;
	return d->at ? d->at < header : there(g, from, header);
}

/* The oldest ones go until there is room for as many areas as this fragment may need. */
static bool room(struct turn *t, struct model_datagram *g, uint32_t from, uint32_t to)
{
	uint32_t size = area_size(t->m), need = (to - 1) / size - from / size + 1;
	struct model_lane *lane = &t->m->lane[t->lane];

	while (lane->parts + need > t->m->config.datagram_areas && oldest(t->m, t->lane) != g)
		drop(t, oldest(t->m, t->lane), XP_R_FRAG_FULL);
	return lane->parts + need <= t->m->config.datagram_areas;
}

static bool hold(struct turn *t, struct model_datagram *g, uint32_t at)
{
	bool *held = &g->held[at / area_size(t->m)];

	if (*held)
		return true;
	if (!take_area(t))
		return false;
	t->m->lane[t->lane].parts++;
	return *held = true;
}

static void put(struct turn *t, struct model_datagram *g, uint32_t at, uint32_t bytes,
		const uint8_t *data)
{
	uint32_t i;

	memcpy(g->bytes + at, data, bytes);
	for (i = at; i < at + bytes; i++)
		g->got[i] = true;
	g->have += bytes;
}

/* New bytes of [at, to), which begin `data`. */
static bool place(struct turn *t, struct model_datagram *g, uint32_t at, uint32_t to,
		  const uint8_t *data)
{
	uint32_t size = area_size(t->m), n, start = at;
	struct event event = {.opcode = XP_FRAGMENT};

	for (; at < to; at += n) {
		n = 1;
		if (g->got[at])
			continue;
		while (at + n < to && (at + n) % size && !g->got[at + n])
			n++;
		if (!hold(t, g, at))
			return false;
		put(t, g, at, n, data + at - start);
		event.reason = t->reason;
		event.offset = at;
		event.length = n;
		tell_event(t, &event, data + at - start);
	}
	return true;
}

/* ---- the whole ---- */

static void deliver(struct turn *t, struct model_datagram *g)
{
	static uint8_t frame[XP_MAX_HEADER + MAX_DATAGRAM];

	memcpy(frame, g->head, g->d.headers);
	memcpy(frame + g->d.headers, g->bytes + g->d.headers - g->d.base,
	       g->size - (g->d.headers - g->d.base));
	t->frame = frame;
	t->d = g->d;
	t->d.part = false;
	t->reason = decode_together(frame, g->size, &t->d);
	t->g = g;
	if (t->reason) {
		hand_over(t, g, t->reason);
	} else {
		packet_together(t);
		hand_over(t, g, g->overlaps ? XP_R_FRAG_OVERLAP : t->reason);
	}
	forget(t->m, g);
}

static void part(struct turn *t, struct model_datagram *g)
{
	const struct decoded *d = &t->d;
	uint32_t from = d->at, header = d->headers - d->base, to = from + header + d->payload;
	bool overlaps, placed;

	if (repeated(g, d, from, to)) {
		put_hybrid(t, XP_REPEAT, XP_R_REPEATED);
		return;
	}
	overlaps = there(g, from, to);
	if (disputed(g, d, from, to) || (overlaps && !g->overlap_first)) {
		give_up(t, g, XP_R_FRAG_OVERLAP);
		return;
	}
	if (overlaps) {
		g->overlaps = true;
		t->reason = XP_R_FRAG_OVERLAP;
	}
	if (!room(t, g, from, to)) {
		t->reason = XP_R_OK;
		give_up(t, g, XP_R_FRAG_FULL);
		return;
	}
	take_header(t, d->headers, false);
	if (t->reason == XP_R_NO_AREA) {
		t->reason = XP_R_OK;
		give_up(t, g, XP_R_NO_AREA);
		return;
	}
	t->opcode = XP_FRAGMENT;
	g->starts[from / 8] = true;
	if (!d->more)
		g->size = to;
	if (!from) {
		memcpy(g->head, t->frame, d->headers);
		g->first = true;
		g->d = *d;
		put(t, g, 0, header, t->frame + d->base);
	}
	placed = place(t, g, from + header, to, t->frame + d->headers);
	if (t->header)
		tell(t, NULL, XP_FRAGMENT, t->reason, from);
	if (!placed) {
		t->reason = XP_R_OK;
		give_up(t, g, XP_R_NO_AREA);
		return;
	}
	if (g->first && g->size && g->have == g->size)
		deliver(t, g);
	t->opcode = XP_FRAGMENT;
}

/* The datagram of a fragment; NULL: t->reason says why there is none. */
static struct model_datagram *admit(struct turn *t, struct model_datagram *g)
{
	struct wish wish;

	if (g && g->given_up)
		t->reason = g->given_up;
	else if (t->m->config.knobs & XP_KNOB_CHECKSUM && t->d.ip_damaged)
		t->reason = XP_R_IP_CHECKSUM;
	else if (t->d.wrong) /* RFC 8200, 4.5: "that fragment" is discarded */
		t->reason = t->d.wrong;
	else if (g && (t->d.at || g->first))
		return g;
	else {
		wish = part_wish(t);
		if (!g && wish.reason && !t->d.tunnel) {
			t->reason = wish.reason;
			return NULL;
		}
		if (!g)
			g = begin(t);
		t->take = g->take |= wish.take && !wish.reason;
		g->overlap_first = wish.overlap_first;
		if (!wish.reason && g->overlaps && !g->overlap_first)
			wish.reason = XP_R_FRAG_OVERLAP;
		if (!wish.reason)
			return g;
		give_up(t, g, wish.reason);
	}
	return NULL;
}

void part_packet(struct turn *t, bool ring_full)
{
	struct model_datagram *g = datagram_find(t->m, &t->d);

	t->reason = XP_R_OK;
	if (g)
		t->lane = g->lane;
	t->take = g && g->take;
	if (ring_full) {
		t->reason = XP_R_RING_FULL;
		return;
	}
	if (g && aged(t->m, g)) {
		drop(t, g, XP_R_FRAG_AGED);
		g = NULL;
	}
	g = admit(t, g);
	if (!g)
		return;
	t->take = g->take;
	part(t, g);
}

void part_flush(struct turn *t)
{
	uint32_t i;

	for (i = 0; i < t->m->datagrams; i++) {
		if (t->m->datagram[i]->lane == t->lane)
			drop(t, t->m->datagram[i--], XP_R_FLUSHED);
	}
}
