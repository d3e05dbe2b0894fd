/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * steps.c - see families.h: steps of schedules, senders, and what networks do to them.
 */
#include <string.h>

#include "families.h"

struct step *add_step(struct schedule *s, enum step_kind kind)
{
	struct step *step = &s->step[s->steps < MAX_STEPS - 1 ? s->steps++ : MAX_STEPS - 1];

	memset(step, 0, sizeof(*step));
	step->kind = kind;
	return step;
}

struct packet *add_packet(struct schedule *s, const struct packet *like)
{
	struct step *step = add_step(s, STEP_PACKET);

	step->p = *like;
	return &step->p;
}

struct packet *segment(struct schedule *s, const struct packet *like, uint8_t flags, uint32_t seq,
		       uint32_t len)
{
	struct packet *p = add_packet(s, like);

	p->flags = flags;
	p->seq = seq;
	p->len = len;
	return p;
}

struct packet someone(struct rng *r)
{
	struct packet p = {.port = 5000 + below(r, 40), .v6 = chance(r, 30)};

	return p;
}

uint32_t some_length(struct rng *r, const struct setup *setup)
{
	uint32_t area = setup->area ? setup->area : 4096;

	switch (below(r, 12)) {
	case 0:
		return 1 + below(r, 3);
	case 1:
	case 2:
		return 1 + below(r, 100);
	case 3:
		return 1460;
	case 4:
		return 1448;
	case 5:
		return area - 2 + below(r, 5);
	case 6:
		return chance(r, 20) ? 1 + below(r, 3 * area < 60000 ? 3 * area : 60000)
				     : 1 + below(r, 9000);
	default:
		return 1 + below(r, 1500);
	}
}

uint32_t some_isn(struct rng *r)
{
	return chance(r, 15) ? -below(r, 20000) : rng_next(r);
}

struct network some_network(struct rng *r)
{
	struct network n = {0};

	if (chance(r, 70))
		n.loss = below(r, chance(r, 20) ? 40 : 8);
	if (chance(r, 50))
		n.repeat = below(r, 15);
	if (chance(r, 70))
		n.reorder = below(r, chance(r, 30) ? 90 : 15);
	n.distance = 1 + below(r, chance(r, 20) ? 60 : 8);
	return n;
}

void remove_step(struct schedule *s, size_t at)
{
	memmove(&s->step[at], &s->step[at + 1], (--s->steps - at) * sizeof(s->step[0]));
}

static void delay_step(struct schedule *s, size_t at, size_t by)
{
	size_t to = at + by < s->steps ? at + by : s->steps - 1;
	struct step step = s->step[at];

	memmove(&s->step[at], &s->step[at + 1], (to - at) * sizeof(step));
	s->step[to] = step;
}

static void repeat_step(struct schedule *s, size_t at, size_t later)
{
	if (s->steps >= MAX_STEPS - 1)
		return;
	memmove(&s->step[at + 1], &s->step[at], (s->steps++ - at) * sizeof(s->step[0]));
	delay_step(s, at + 1, later);
}

void disturb(struct schedule *s, size_t first, struct rng *r, const struct network *n)
{
	size_t i;

	for (i = first; i < s->steps; i++) {
		if (s->step[i].kind != STEP_PACKET)
			continue;
		if (chance(r, n->loss))
			remove_step(s, i--);
		else if (chance(r, n->repeat))
			repeat_step(s, i++, below(r, 1 + n->distance));
		else if (chance(r, n->reorder))
			delay_step(s, i, 1 + below(r, n->distance));
	}
}

void interleave(struct schedule *s, size_t first, struct rng *r)
{
	size_t i;

	/* Coarse, but nothing depends on how senders share the link. */
	for (i = first; i < s->steps; i++)
		if (chance(r, 50))
			delay_step(s, i, below(r, (s->steps - first) / 2 + 1));
}

struct step *insert_step(struct schedule *s, size_t at, enum step_kind kind)
{
	struct step *step = &s->step[at < s->steps ? at : s->steps];

	if (s->steps == MAX_STEPS)
		step = &s->step[MAX_STEPS - 1];
	else
		memmove(step + 1, step, (&s->step[s->steps++] - step) * sizeof(*step));
	memset(step, 0, sizeof(*step));
	step->kind = kind;
	return step;
}

struct sender some_sender(struct rng *r, const struct packet *p)
{
	struct sender sender = {.p = *p, .isn = some_isn(r)};

	sender.total = below(r, chance(r, 20) ? 60000 : 12000);
	sender.syn = chance(r, 80);
	sender.fin = chance(r, 60);
	return sender;
}

static void send_again(struct schedule *s, const struct sender *from, struct rng *r, uint32_t done)
{
	uint32_t start = below(r, done), len = 1 + below(r, 3000);
	struct packet *p;

	if (chance(r, 50))
		start = done - (done < 4000 ? done : 4000) + below(r, 4000);
	if (start >= from->total)
		return;
	if (len > from->total - start)
		len = from->total - start;
	p = segment(s, &from->p, ACK, from->isn + 1 + start, len);
	if (chance(r, from->salts))
		p->salt = 1 + below(r, 3);
}

void send_all(struct schedule *s, const struct sender *from, struct rng *r,
	      const struct setup *setup)
{
	uint32_t done = 0, len;
	struct packet *p;

	if (from->syn)
		segment(s, &from->p, SYN, from->isn, 0);
	while (done < from->total) {
		len = some_length(r, setup);
		if (len > from->total - done)
			len = from->total - done;
		p = segment(s, &from->p, ACK, from->isn + 1 + done, len);
		done += len;
		if (from->fin && done == from->total && chance(r, 60))
			p->flags |= FIN;
		if (chance(r, from->again))
			send_again(s, from, r, done);
	}
	if (from->fin)
		segment(s, &from->p, FIN | ACK, from->isn + 1 + from->total, 0);
}
