/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * family_frames.c - what lies around packets: networks, tunnels, options; and damage.
 */
#include "families.h"

/* ---- what lies around the packets [R1 R2] ---- */

void dress(struct rng *r, struct packet *p)
{
	p->wrap = below(r, WRAP_COUNT);
	p->vnet = chance(r, 50) ? 1 + below(r, 4000) : 0;
	p->ip_options = p->v6 ? below(r, 9) : 4 * below(r, 11);
	p->pure_fragment = p->v6 && p->ip_options < 8 && chance(r, 20);
	if (p->v6 && p->ip_options && chance(r, 30))
		p->extension = chance(r, 50) ? 8 * below(r, 20) : 8 * (44 + below(r, 16));
	p->tcp_options = 4 * below(r, 11);
}

void make_wrapped(struct schedule *s, struct rng *r, const struct setup *setup)
{
	struct network n = some_network(r);
	unsigned i, k, flows = 1 + below(r, 3);
	struct packet p = someone(r);

	for (k = 0; k < flows; k++) {
		struct sender sender;
		size_t first = s->steps;

		/* Often the same addresses and ports in another network. */
		p = chance(r, 50) ? p : someone(r);
		dress(r, &p);
		p.udp = chance(r, 30);
		sender = some_sender(r, &p);
		sender.total = below(r, 8000);
		send_all(s, &sender, r, setup);
		for (i = first; chance(r, 30) && i < s->steps; i++) {
			s->step[i].p.padding = below(r, 50);
			s->step[i].p.tcp_options = 4 * below(r, 11);
		}
	}
	interleave(s, 0, r);
	disturb(s, 0, r, &n);
}

/* ---- damage [R1] ---- */

/* UDP and IP do not agree on where the datagram ends. */
void misplace_end(struct rng *r, struct packet *p)
{
	uint32_t has = 8 + p->len;

	if (chance(r, 30))
		p->udp_more = 1 + below(r, 20);
	else
		p->udp_more = -(int)(1 + below(r, chance(r, 40) ? has : has < 40 ? has : 40));
}

static void damage(struct rng *r, struct step *step)
{
	switch (below(r, 7)) {
	case 0:
		step->cut = 1 + below(r, chance(r, 50) ? 60 : 1500);
		break;
	case 1:
	case 2:
		step->poke = below(r, chance(r, 70) ? 60 : 140);
		step->poke_bits = chance(r, 50) ? 1u << below(r, 8) : 1 + below(r, 255);
		break;
	case 3:
		if (step->p.udp) {
			misplace_end(r, &step->p);
			break;
		}
		/* fallthrough */
	default:
		step->p.fault = 1 + below(r, 4);
	}
}

void make_damage(struct schedule *s, struct rng *r, const struct setup *setup)
{
	struct packet p = someone(r);
	struct sender sender;
	size_t i;

	if (chance(r, 60))
		dress(r, &p);
	p.udp = chance(r, 30);
	sender = some_sender(r, &p);
	sender.again = 40;
	send_all(s, &sender, r, setup);
	for (i = 0; i < s->steps; i++)
		if (chance(r, 40))
			damage(r, &s->step[i]);
}
