/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * family_out.c - what this host sends, beside what it receives (R19): both halves of connections,
 * packets that are still to be cut, checksums and tags that are still to be put into them.
 *
 * Other families make the conversations; here some of their packets are sent.
 */
#include "families.h"

enum who { ALL, ONE_HALF, SOME, PORTS, WHO };

/* One offload and no more: what the kernel would refuse has not been tried. */
static void offload(struct step *step, struct rng *r)
{
	struct packet *p = &step->p;
	uint32_t least = p->len / 60 + 1, most = p->len < 1460 ? p->len : 1460;

	if (p->fault || step->part || step->cut || step->poke_bits)
		return;
	p->fault = chance(r, 90) ? FAULT_PSEUDO : p->udp ? FAULT_CHECKSUM : FAULT_NONE;
	if (p->wrap || p->padding || most <= least || !chance(r, 70))
		return;
	step->gso = step->rtp.on ? most : least + below(r, most - least);
}

static void send_some(struct schedule *s, struct rng *r, const struct setup *setup)
{
	unsigned lanes = setup->lanes ? setup->lanes : 1;
	uint8_t in = below(r, lanes), out = below(r, lanes);
	enum who who = below(r, WHO);
	size_t i;

	for (i = 0; i < s->steps; i++) {
		struct step *step = &s->step[i];

		if (step->kind != STEP_PACKET)
			continue;
		step->out = who == ALL	      ? true
			    : who == ONE_HALF ? step->p.reverse
			    : who == PORTS    ? step->p.port % 2
					      : chance(r, 50);
		step->lane = step->out ? out : in;
		if (step->out && chance(r, 70))
			offload(step, r);
	}
}

void make_out(struct schedule *s, struct rng *r, const struct setup *setup)
{
	static make_fn *const makers[] = {make_order,	  make_overlap,	  make_states,	make_window,
					  make_chaos,	  make_udp,	  make_wrapped, make_damage,
					  make_udp_parts, make_tcp_parts, make_rules};

	makers[below(r, sizeof(makers) / sizeof(makers[0]))](s, r, setup);
	send_some(s, r, setup);
}

/* One half comes in, the other goes out, and acknowledges what we missed of the first. */
void make_halves(struct schedule *s, struct rng *r, const struct setup *setup)
{
	size_t i;

	if (chance(r, 80))
		make_acks(s, r, setup);
	else
		make_states(s, r, setup);
	for (i = 0; i < s->steps; i++) {
		s->step[i].out = s->step[i].p.reverse;
		if (s->step[i].out)
			offload(&s->step[i], r);
	}
}

/* Up to 64 KiB in one packet, sent again in other pieces. */
void make_super(struct schedule *s, struct rng *r, const struct setup *setup)
{
	struct network n = {.loss = below(r, 15), .reorder = below(r, 40), .distance = 6};
	uint32_t isn = some_isn(r), at = 0, len, count = 2 + below(r, 12);
	struct packet p = someone(r), *q;

	segment(s, &p, SYN, isn, 0);
	for (; count; count--, at += len) {
		len = 1 + below(r, chance(r, 60) ? 64000 : 4000);
		segment(s, &p, ACK, isn + 1 + at, len);
		if (!at || !chance(r, 30))
			continue;
		q = segment(s, &p, ACK, isn + 1 + below(r, at), 1 + below(r, 60000));
		q->salt = below(r, 3);
	}
	if (chance(r, 50))
		segment(s, &p, FIN | ACK, isn + 1 + at, 0);
	disturb(s, 1, r, &n);
	send_some(s, r, setup);
}

/* Many datagrams, or packets of media, in one. */
void make_trains(struct schedule *s, struct rng *r, const struct setup *setup)
{
	struct packet p = someone(r);
	unsigned i, n = 1 + below(r, 12);
	uint16_t seq = rng_next(r);
	uint32_t at = 0;

	p.udp = 1;
	if (chance(r, 40))
		p.bob_port = 5004;
	for (i = 0; i < n; i++) {
		struct step *step = add_step(s, STEP_PACKET);

		step->p = p;
		step->out = chance(r, 90);
		step->p.seq = at;
		step->p.len = 1 + below(r, chance(r, 50) ? 60000 : 9000);
		at += step->p.len;
		if (p.bob_port == 5004) {
			step->rtp.on = true;
			step->rtp.second = 96;
			step->rtp.ssrc = 7;
			step->rtp.seq = seq;
		}
		if (step->out)
			offload(step, r);
		seq += step->gso ? step->p.len / step->gso + 1 : 1;
		seq += chance(r, 10) ? below(r, 5) : 0;
		if (step->p.v6 == 0 && chance(r, 5))
			step->p.fault = FAULT_NO_CHECKSUM;
	}
}

/* The tag lies beside the packet, or in it, or one there and one here: the network is the same. */
void make_tags(struct schedule *s, struct rng *r, const struct setup *setup)
{
	size_t i;

	if (chance(r, 60))
		make_states(s, r, setup);
	else
		make_wrapped(s, r, setup);
	for (i = 0; i < s->steps; i++) {
		struct step *step = &s->step[i];

		step->p.len = step->p.len > 1500 ? 1500 : step->p.len;
		step->out = chance(r, 70);
		if (!step->out && step->p.wrap == WRAP_NONE && chance(r, 70))
			step->p.wrap = WRAP_VLAN;
		if (!step->out)
			continue;
		step->tag = chance(r, 70) ? 7 : chance(r, 80) ? 5 : 1 + below(r, 4094);
		if (chance(r, 10) && step->p.wrap == WRAP_NONE)
			step->p.wrap = chance(r, 60) ? WRAP_VLAN : WRAP_QINQ;
		step->came_in = chance(r, 5);
	}
}

/* Areas run out for both directions alike. */
void make_out_short(struct schedule *s, struct rng *r, const struct setup *setup)
{
	make_short(s, r, setup);
	send_some(s, r, setup);
}
