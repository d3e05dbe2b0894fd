/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * family_rtp.c - RTP: numbers, sources, windows, deadlines.
 */
#include "families.h"

/* ---- RTP [R15] ---- */

static struct step *media(struct schedule *s, struct rng *r, const struct packet *like,
			  const struct rtp *source, uint16_t seq)
{
	uint32_t len = chance(r, 10) ? 0 : chance(r, 60) ? 160 + below(r, 20) : 1 + below(r, 1024);
	struct step *step = add_step(s, STEP_PACKET);

	step->p = *like;
	step->rtp = *source;
	step->rtp.seq = seq;
	step->p.seq = seq * 1500;
	if (chance(r, 5))
		step->rtp.second |= 0x80;
	if (chance(r, 10))
		step->rtp.csrcs = below(r, 16);
	if (chance(r, 10))
		step->rtp.extension = 1 + below(r, chance(r, 90) ? 12 : 130);
	if (chance(r, 10))
		step->rtp.padding = 1 + below(r, 255);
	step->p.len =
		12 + 4u * step->rtp.csrcs + 4u * step->rtp.extension + len + step->rtp.padding;
	return step;
}

/* What is no media, or says wrong things of itself. */
static void odd_media(struct step *step, struct rng *r)
{
	switch (below(r, 7)) {
	case 0:
		step->rtp.first = 1u << below(r, 8);
		break;
	case 1:
		step->rtp.second = chance(r, 50) ? 200 + below(r, 5) : 60 + below(r, 40);
		break;
	case 2:
		step->p.len = below(r, 20);
		break;
	case 3:
		step->rtp.lie = 1 + below(r, 255);
		break;
	case 4:
		step->p.len += 1000 + below(r, 400);
		break;
	case 5:
		step->p.fault = chance(r, 50) ? FAULT_CHECKSUM : FAULT_NO_CHECKSUM;
		break;
	default:
		step->p.salt = 1;
	}
}

static uint16_t some_leap(struct rng *r)
{
	static const uint16_t leaps[] = {510, 511, 512, 513, 600, 1023, 1500, 2999, 3000, 3001};

	if (chance(r, 15))
		return -(uint16_t)(below(r, 3) + (chance(r, 50) ? 1023 : 511));
	return chance(r, 20) ? below(r, 65536) : leaps[below(r, 10)] + below(r, 3) - 1;
}

/* One sender's packets; `odd` percent of them are. */
static void one_source(struct schedule *s, struct rng *r, const struct packet *p, uint32_t n,
		       unsigned odd)
{
	struct rtp source = {.on = true, .second = 96, .ssrc = 1 + below(r, 5)};
	uint16_t seq = chance(r, 40) ? -below(r, 300) : rng_next(r);
	unsigned leaps = chance(r, 30) ? 3 : 0, strays = chance(r, 30) ? 10 : 0;
	struct rtp other;

	for (; n; n--, seq++) {
		if (chance(r, leaps))
			seq += some_leap(r);
		if (chance(r, odd))
			odd_media(media(s, r, p, &source, seq), r);
		else
			media(s, r, p, &source, seq);
		if (!chance(r, strays))
			continue;
		other = source;
		other.ssrc += chance(r, 60);
		media(s, r, p, &other, seq + 2000 + below(r, 2000));
		if (chance(r, 40))
			media(s, r, p, &other, s->step[s->steps - 1].rtp.seq + 1 + chance(r, 10));
		if (chance(r, 20))
			source = other;
	}
}

void make_rtp(struct schedule *s, struct rng *r, const struct setup *setup)
{
	struct network n = some_network(r);
	unsigned flows = 1 + below(r, 3), odd = chance(r, 40) ? 10 : 0;

	for (; flows; flows--) {
		struct packet p = someone(r);

		p.udp = 1;
		p.bob_port = chance(r, 90) ? 5004 : 5005 + below(r, 3);
		if (chance(r, 10))
			p.wrap = below(r, WRAP_COUNT);
		one_source(s, r, &p, 1 + below(r, 80), odd);
	}
	interleave(s, 0, r);
	disturb(s, 0, r, &n);
}

/* Numbers that leap about the window and round it; every other packet of it. */
void make_rtp_window(struct schedule *s, struct rng *r, const struct setup *setup)
{
	struct rtp source = {.on = true, .second = 96, .ssrc = 9};
	struct packet p = {.udp = 1, .bob_port = 5004};
	uint16_t seq = rng_next(r), base;
	unsigned i, k, step, rounds = 1 + below(r, 3);
	struct network n = {.reorder = 30, .distance = 20, .repeat = 5};

	for (k = 0; k < rounds; k++) {
		step = 1 + below(r, 4);
		for (i = 0; i < 600 / step && i < 300; i++, seq += step)
			media(s, r, &p, &source, seq);
		base = seq;
		for (i = below(r, 20); i; i--)
			media(s, r, &p, &source, base + below(r, 1100) - 550);
		seq += chance(r, 50) ? some_leap(r) : below(r, 10);
	}
	disturb(s, 1, r, &n);
}

void make_rtp_late(struct schedule *s, struct rng *r, const struct setup *setup)
{
	size_t at;

	make_rtp(s, r, setup);
	for (at = 0; at < s->steps; at++)
		s->step[at].p.bob_port += s->step[at].p.bob_port == 5004 ? 2 : 0;
	at = below(r, s->steps + 1);
	if (chance(r, 40))
		insert_step(s, at, STEP_TICK);
	insert_step(s, at, STEP_SLEEP)->ms = 70;
}

/* Media in fragments: an rtp rule leaves them alone, others do not care what they are. */
void make_rtp_parts(struct schedule *s, struct rng *r, const struct setup *setup)
{
	size_t i;

	make_rtp(s, r, setup);
	for (i = 0; i < s->steps; i++)
		if (chance(r, 50))
			s->step[i].p.bob_port = 80;
	part_all(s, r, setup);
}
