/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * family_own.c - commands among the packets of conversations: flows that are added, get own areas
 * (before their first packet or in mid-stream), and are ended by command.
 */
#include "families.h"

/* A command to a flow of which the schedule has packets. */
static struct step *command(struct schedule *s, struct rng *r, size_t at, enum step_kind kind)
{
	struct step like = s->step[below(r, s->steps)];
	struct step *step = insert_step(s, at, kind);

	step->p = like.p;
	step->rtp = like.rtp;
	step->p.flags = chance(r, 20) ? FIN : 0;
	return step;
}

/* Some of the areas, which often are in use; from a place of the stream that may be past. */
static void some_own(struct step *step, struct rng *r, uint32_t areas)
{
	uint32_t most = areas - 1; /* the last one is a guard */

	step->own_at = below(r, most);
	step->own_areas = 1 + below(r, chance(r, 50) ? 3 : most);
	if (step->own_at + step->own_areas > most)
		step->own_areas = most - step->own_at;
	step->own_start = chance(r, 50) ? 0 : below(r, chance(r, 70) ? 4 : 40);
}

void make_own(struct schedule *s, struct rng *r, const struct setup *setup)
{
	static make_fn *const makers[] = {
		make_order, make_overlap,   make_states,    make_window, make_chaos,	 make_acks,
		make_udp,   make_udp_parts, make_tcp_parts, make_rtp,	 make_rtp_window};
	unsigned i, n = 1 + below(r, 6);

	makers[below(r, sizeof(makers) / sizeof(makers[0]))](s, r, setup);
	for (i = 0; s->steps && i < n; i++) {
		/* Most of them before the flow begins: later there is little that is still to come.
		 */
		size_t at = below(r, chance(r, 60) ? 1 + i : s->steps + 1);
		struct step *step = command(s, r, at, chance(r, 60) ? STEP_ADD : STEP_OWN);

		if (step->kind == STEP_OWN || chance(r, 90))
			some_own(step, r, setup->own);
		if (chance(r, 15))
			command(s, r, below(r, s->steps + 1), STEP_DELETE);
	}
}
