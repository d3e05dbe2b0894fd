/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * family_table.c - the flow table and commands to it, lanes, rules.
 */
#include "families.h"

/* ---- tables and commands [R3] ---- */

void make_table(struct schedule *s, struct rng *r, const struct setup *setup)
{
	unsigned i, n = 10 + below(r, 80), ports = setup->flows + 1 + below(r, setup->flows);
	uint32_t sent[64] = {0}, isn = some_isn(r);
	struct packet *q;

	for (i = 0; i < n; i++) {
		unsigned port = below(r, ports);
		struct packet p = {.port = 6000 + port, .udp = port % 4 == 0, .v6 = port % 3 == 0};
		uint32_t len = chance(r, 20) ? 0 : 1 + below(r, 700);

		if (chance(r, 12)) {
			struct step *step = add_step(s, chance(r, 50) ? STEP_DELETE : STEP_ADD);

			step->p = p;
			step->p.flags = chance(r, 30) ? FIN : 0;
			continue;
		}
		if (chance(r, 15)) {
			segment(s, &p, SYN, isn, 0);
			sent[port] = 0;
			continue;
		}
		q = segment(s, &p,
			    chance(r, 10)  ? FIN | ACK
			    : chance(r, 5) ? RST
					   : ACK,
			    isn + 1 + sent[port] + (chance(r, 20) ? below(r, 3000) : 0), len);
		if (q->seq == isn + 1 + sent[port])
			sent[port] += len;
	}
}

/* ---- lanes [R17] ---- */

void make_lanes(struct schedule *s, struct rng *r, const struct setup *setup)
{
	unsigned lane = 0, moves = chance(r, 50) ? 5 : 60;
	size_t i;

	switch (below(r, 6)) {
	case 0:
		make_acks(s, r, setup);
		break;
	case 4:
		make_rtp(s, r, setup);
		break;
	case 1:
		make_states(s, r, setup);
		break;
	case 2:
		make_udp(s, r, setup);
		break;
	case 3:
		make_udp_parts(s, r, setup);
		break;
	default:
		make_order(s, r, setup);
	}
	for (i = 0; i < s->steps; i++) {
		if (chance(r, moves))
			lane = below(r, setup->lanes);
		s->step[i].lane = lane;
	}
}

/* ---- rules [R16] ---- */

void make_rules(struct schedule *s, struct rng *r, const struct setup *setup)
{
	unsigned i, n = 5 + below(r, 30);
	uint32_t isn = some_isn(r), sent[8] = {0};

	for (i = 0; i < n; i++) {
		unsigned who = below(r, 8);
		struct packet p = {.port = 5000 + who, .bob_port = who % 2 ? 80 : 443};
		uint32_t len = below(r, chance(r, 50) ? 200 : 1400);

		p.udp = who == 3 || who == 6;
		p.v6 = who == 2 || who == 6;
		p.wrap = who == 5 ? WRAP_VLAN : WRAP_NONE;
		p.reverse = who == 7;
		p.fault = chance(r, 5) ? FAULT_CHECKSUM : FAULT_NONE;
		segment(s, &p, chance(r, 15) ? SYN : ACK, isn + !!sent[who] + sent[who], len);
		sent[who] += len + 1;
	}
}
