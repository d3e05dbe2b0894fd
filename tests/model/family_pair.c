/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * family_pair.c - two CPUs at a time: what each does alone, meeting in lanes, and flows that have
 * packets on both. Nothing runs short here: who would be the one to get the last, chance decides.
 */
#include "families.h"

/* Conversations of one CPU each; some of them have begun in the other's lane. */
void make_pair(struct schedule *s, struct rng *r, const struct setup *setup)
{
	static make_fn *const makers[] = {make_order, make_overlap, make_states,
					  make_acks,  make_udp,	    make_chaos,
					  make_rtp,   make_wrapped, make_rules};
	unsigned i, n = 2 + below(r, 3), lane[2] = {below(r, 2), below(r, 2)};
	bool sends = chance(r, 30);
	size_t at, begin;

	for (i = 0; i < n; i++)
		makers[below(r, sizeof(makers) / sizeof(makers[0]))](s, r, setup);
	interleave(s, 0, r);
	begin = below(r, s->steps / 4 + 1);
	for (at = 0; at < s->steps; at++) {
		struct step *step = &s->step[at];

		step->cpu = step->p.port & 1;
		step->lane = at < begin ? below(r, 2) : lane[step->cpu];
		/* Less than a page, or it can not be sent on a CPU of choice. */
		step->out = sends && step->cpu && at >= begin && step->p.len < 2000;
	}
	insert_step(s, begin, STEP_PAIR);
}

/* ---- flows of both ---- */

enum kind { SEGMENTS, DATAGRAMS, MEDIA, KINDS };

static void share_segments(struct schedule *s, struct rng *r, const struct packet *p, uint32_t seq)
{
	uint32_t len, total = 0;
	unsigned n = 20 + below(r, 100);

	for (; n && total < 200000; n--, total += len) {
		len = 1 + below(r, chance(r, 10) ? 9000 : 1460);
		segment(s, p, ACK, seq + total, len);
		total += chance(r, 2) ? below(r, 2000) : 0; /* lost on its way to either */
	}
	if (chance(r, 50))
		segment(s, p, FIN | ACK, seq + total, 0);
}

static void share_datagrams(struct schedule *s, struct rng *r, const struct packet *p)
{
	unsigned n = 10 + below(r, 100);
	struct packet *q;
	uint32_t at = 0;

	for (; n; n--, at += q->len) {
		q = add_packet(s, p);
		q->seq = at;
		q->len = 1 + below(r, chance(r, 20) ? 5000 : 1400);
	}
}

static void share_media(struct schedule *s, struct rng *r, const struct packet *p, uint16_t seq)
{
	unsigned n = 10 + below(r, 100);

	for (; n; n--, seq++) {
		struct step *step = add_step(s, STEP_PACKET);

		step->p = *p;
		step->rtp = (struct rtp){.on = true, .second = 96, .ssrc = 9, .seq = seq};
		step->p.seq = seq * 1500;
		step->p.len = 12 + below(r, 1000);
	}
}

static void share_flow(struct schedule *s, struct rng *r, unsigned number, enum kind kind)
{
	struct packet p = {.port = 5100 + number, .udp = kind != SEGMENTS, .v6 = chance(r, 30)};
	uint32_t isn = some_isn(r);

	if (kind == DATAGRAMS)
		share_datagrams(s, r, &p);
	if (kind == SEGMENTS) {
		segment(s, &p, SYN, isn, 0);
		share_segments(s, r, &p, isn + 1);
	}
	if (kind == MEDIA) {
		p.bob_port = 5004;
		share_media(s, r, &p, isn);
	}
}

/* Copies of segments and media go to both CPUs; a datagram that comes twice is two. */
static void deal(struct schedule *s, struct rng *r, size_t first, enum kind kind)
{
	size_t i, steps = s->steps;
	struct step *step;

	for (i = first; i < steps; i++) {
		s->step[i].shared = true;
		s->step[i].cpu = below(r, 2);
		if (kind == DATAGRAMS || !chance(r, 50))
			continue;
		step = add_step(s, STEP_PACKET);
		*step = s->step[i];
		step->cpu = !step->cpu;
	}
}

void make_shared(struct schedule *s, struct rng *r, const struct setup *setup)
{
	unsigned i, flows = 1 + below(r, 3), lane[2] = {below(r, 2), below(r, 2)};
	bool parts = setup->datagrams; /* rules that know ports would want them by chance */
	size_t first, begin = 0, at;

	for (i = 0; i < flows; i++) {
		enum kind kind = below(r, parts ? MEDIA : KINDS);
		struct step opens;

		/* The first packet comes before all others: else the order would matter. */
		first = s->steps;
		share_flow(s, r, i, kind);
		opens = s->step[first];
		remove_step(s, first);
		deal(s, r, first, kind);
		*insert_step(s, begin++, STEP_PACKET) = opens;
	}
	interleave(s, begin, r);
	if (parts)
		part_some(s, begin, r, setup);
	for (at = 0; at < s->steps; at++) {
		struct step *step = &s->step[at];

		step->cpu = step->part ? below(r, 2) : step->cpu;
		step->lane = at < begin ? below(r, 2) : lane[step->cpu];
	}
	insert_step(s, begin, STEP_PAIR);
}
