/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * family_short.c - what runs short: areas, completions, time.
 */
#include "families.h"

/* ---- consumers that are slow [R8] ---- */

/* Datagrams of somebody else that leave few areas to all others, or none. */
static void hog(struct schedule *s, size_t at, struct rng *r)
{
	unsigned i, n = 5 + below(r, 25);

	for (i = 0; i < n; i++) {
		struct step *step = insert_step(s, at, STEP_PACKET);

		step->p.udp = 1;
		step->p.port = 7777;
		step->p.len = 20000 + below(r, 40000);
	}
}

/* Holds are long enough for areas or completions to run out, if the setup is small. */
void make_short(struct schedule *s, struct rng *r, const struct setup *setup)
{
	unsigned i, n = 1 + below(r, 3);
	size_t at;

	switch (below(r, 8)) {
	case 0:
		make_udp(s, r, setup);
		break;
	case 1:
		make_wrapped(s, r, setup);
		break;
	case 2:
		make_rules(s, r, setup);
		break;
	case 3:
		make_damage(s, r, setup);
		make_states(s, r, setup);
		break;
	case 4:
		make_states(s, r, setup);
		make_window(s, r, setup);
		break;
	case 5:
		make_acks(s, r, setup);
		make_chaos(s, r, setup);
		break;
	default:
		/* Holes all over their windows: an area for each piece. */
		for (i = 0; i < 4; i++)
			make_window(s, r, setup);
		make_order(s, r, setup);
		interleave(s, 0, r);
	}
	for (i = 0; i < s->steps; i++)
		if (s->step[i].kind == STEP_PACKET && chance(r, 8))
			s->step[i].p.flags = any_flags(r);
	for (i = 0; i < n; i++) {
		/* Early on, and for a while. */
		at = i ? below(r, s->steps + 1) : below(r, s->steps / 3 + 1);
		if (!i && chance(r, 70))
			hog(s, at, r);
		insert_step(s, at, i && chance(r, 50) ? STEP_LET_GO : STEP_HOLD);
	}
}

/* Media for which there is nothing left, nor completions in the end. */
void make_rtp_short(struct schedule *s, struct rng *r, const struct setup *setup)
{
	unsigned i;

	for (i = 1 + below(r, 3); i; i--)
		make_rtp(s, r, setup);
	for (i = 1 + below(r, 3); i; i--)
		insert_step(s, below(r, s->steps + 1), chance(r, 30) ? STEP_LET_GO : STEP_HOLD);
	hog(s, below(r, s->steps + 1), r);
}

/* Many small packets, so that completions run out before areas do. */
void make_ring(struct schedule *s, struct rng *r, const struct setup *setup)
{
	unsigned i, n = 320 + below(r, 900);
	uint32_t isn = some_isn(r), at = 0;
	struct packet p = someone(r);

	add_step(s, STEP_HOLD);
	segment(s, &p, SYN, isn, 0);
	for (i = 0; i < n; i++) {
		uint32_t len = below(r, 20);

		p.udp = chance(r, 5);
		segment(s, &p, ACK, isn + 1 + at + (chance(r, 20) ? below(r, 100) : 0), len);
		at += p.udp || chance(r, 5) ? 0 : len;
		if (chance(r, 1) && chance(r, 30)) {
			add_step(s, STEP_LET_GO);
			add_step(s, STEP_HOLD);
		}
	}
}

/* ---- ages [R3 R13] ---- */

void make_ages(struct schedule *s, struct rng *r, const struct setup *setup)
{
	unsigned i, naps = 1 + below(r, 2);
	size_t at;

	for (i = 0; i < 5; i++)
		make_acks(s, r, setup);
	for (i = 0; i < 2; i++)
		make_states(s, r, setup);
	interleave(s, 0, r);
	for (i = 0; i <= naps; i++) {
		at = below(r, s->steps + 1);
		insert_step(s, at, STEP_TICK);
		insert_step(s, at, STEP_SLEEP)->ms = chance(r, 60) ? 60 : 150;
	}
}
