/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * family_datagrams.c - UDP datagrams, and whatever comes in fragments.
 */
#include "families.h"

/* ---- datagrams [R15] ---- */

static uint32_t datagram_length(struct rng *r, const struct setup *setup)
{
	return chance(r, 10) ? 0 : some_length(r, setup);
}

void make_udp(struct schedule *s, struct rng *r, const struct setup *setup)
{
	struct network n = some_network(r);
	unsigned i, k, flows = 1 + below(r, 4), count;

	for (k = 0; k < flows; k++) {
		struct packet p = someone(r);
		uint32_t at = 0;

		p.udp = 1;
		count = 1 + below(r, 30);
		for (i = 0; i < count; i++) {
			struct packet *q = add_packet(s, &p);

			q->seq = at;
			q->len = datagram_length(r, setup);
			q->padding = q->len < 18 ? 18u - q->len : 0;
			q->fault = chance(r, 5) ? FAULT_NO_CHECKSUM : FAULT_NONE;
			at += q->len;
		}
	}
	interleave(s, 0, r);
	disturb(s, 0, r, &n);
}

/* ---- fragments [R14] ---- */

/* How a router cuts, and what an attacker adds. */
struct cutter {
	unsigned share;	  /* percent of packets that are cut */
	unsigned loss;	  /* percent of fragments that never come */
	unsigned overlap; /* percent of datagrams with more fragments at any place of it */
	unsigned odd;	  /* percent of datagrams with an impossible fragment */
	uint32_t least;	  /* bytes of a fragment: with less of TCP's header it is none */
	bool same_ids;
	uint32_t id;
};

static uint32_t carried(const struct packet *p)
{
	return (p->udp ? 8 : 20 + p->tcp_options) + p->len;
}

static struct step *insert_part(struct schedule *s, size_t at, const struct step *like,
				uint32_t from, uint32_t bytes)
{
	struct step step = *like, *part = insert_step(s, at, STEP_PACKET);

	*part = step;
	part->part = true;
	part->at = from;
	part->bytes = bytes;
	part->more = from + bytes < carried(&step.p);
	return part;
}

static uint32_t some_part(struct rng *r, const struct setup *setup)
{
	switch (below(r, 8)) {
	case 0:
		return 8 * (1 + below(r, 4));
	case 1:
		return 552;
	case 2:
		return 8 * (1 + below(r, 1000));
	case 3:
		return setup->area ? setup->area : 4096;
	default:
		return 1480;
	}
}

/* More of a datagram than it has: again in other pieces, with other bytes, to other ends. */
static void overlap_parts(struct schedule *s, size_t at, const struct step *like, struct rng *r)
{
	uint32_t total = carried(&like->p), from, bytes, n = 1 + below(r, 3);
	struct step *part;

	for (; n; n--) {
		from = below(r, total / 8 + 1) * 8;
		bytes = 8 * (1 + below(r, chance(r, 50) ? 10 : 300));
		if (from + bytes > total && chance(r, 90))
			bytes = total - from;
		part = insert_part(s, at + below(r, 3), like, from, bytes);
		part->p.salt = chance(r, 60) ? below(r, 4) : part->p.salt;
	}
}

static void odd_part(struct step *part, struct rng *r)
{
	switch (below(r, 8)) {
	case 0:
		part->bytes = 0;
		break;
	case 1:
		part->bytes -= 1 + below(r, 7);
		break;
	case 2:
		part->at = 65528 - 8 * below(r, 200);
		break;
	case 3:
		part->more = !part->more;
		break;
	case 4:
		part->bytes = 8 * below(r, 4);
		part->more = true;
		break;
	case 5:
		part->at += 8;
		break;
	default: /* a header of its own */
		part->poke = below(r, 60);
		part->poke_bits = 1u << below(r, 8);
		part->mend = chance(r, 70);
	}
}

/* Returns how many steps it has become. */
static size_t cut_step(struct schedule *s, size_t at, struct rng *r, const struct setup *setup,
		       struct cutter *c)
{
	struct step whole = s->step[at];
	uint32_t total = carried(&whole.p), from, bytes, size = some_part(r, setup);
	bool varied = chance(r, 30), backwards = chance(r, 20);
	size_t first = s->steps, n;

	if (total / size > 60)
		size = total / 60 / 8 * 8 + 8;
	whole.id = c->same_ids ? below(r, 3) : ++c->id;
	remove_step(s, at);
	first = s->steps;
	for (from = 0; from < total && s->steps < MAX_STEPS - 8; from += bytes) {
		bytes = varied ? 8 * (1 + below(r, size / 8)) : size;
		bytes = bytes > c->least ? bytes : c->least;
		bytes = bytes < total - from ? bytes : total - from;
		if (!chance(r, c->loss))
			insert_part(s, backwards ? at : at + s->steps - first, &whole, from, bytes);
	}
	if (chance(r, c->overlap))
		overlap_parts(s, at, &whole, r);
	n = s->steps - first;
	if (n && chance(r, c->odd))
		odd_part(&s->step[at + below(r, n)], r);
	return n;
}

static void cut_steps(struct schedule *s, size_t first, struct rng *r, const struct setup *setup,
		      struct cutter *c)
{
	size_t i;

	for (i = first; i < s->steps; i++)
		if (s->step[i].kind == STEP_PACKET && !s->step[i].part && chance(r, c->share) &&
		    carried(&s->step[i].p) > 24)
			i += cut_step(s, i, r, setup, c) - 1;
}

static struct cutter some_cutter(struct rng *r)
{
	struct cutter c = {.share = 20 + below(r, 80), .same_ids = chance(r, 5)};

	c.id = rng_next(r);
	if (chance(r, 40))
		c.loss = below(r, chance(r, 20) ? 50 : 6);
	if (chance(r, 50))
		c.overlap = below(r, 60);
	if (chance(r, 30))
		c.odd = below(r, 40);
	return c;
}

/* ---- whatever comes in fragments [R14] ---- */

void part_some(struct schedule *s, size_t first, struct rng *r, const struct setup *setup)
{
	struct cutter c = {.share = 30, .least = 64, .id = rng_next(r)};

	cut_steps(s, first, r, setup, &c);
}

void part_all(struct schedule *s, struct rng *r, const struct setup *setup)
{
	struct network n = some_network(r);
	struct cutter c = some_cutter(r);

	cut_steps(s, 0, r, setup, &c);
	n.distance = 1 + below(r, chance(r, 30) ? 60 : 8);
	disturb(s, 0, r, &n);
}

void make_udp_parts(struct schedule *s, struct rng *r, const struct setup *setup)
{
	size_t i;

	make_udp(s, r, setup);
	for (i = 0; i < s->steps; i++) {
		struct packet *p = &s->step[i].p;

		if (chance(r, 30) && !p->v6)
			p->fault = FAULT_NO_CHECKSUM;
		else if (chance(r, 5))
			p->fault = FAULT_CHECKSUM;
		if (p->udp && chance(r, 8))
			misplace_end(r, p);
	}
	part_all(s, r, setup);
}

void make_tcp_parts(struct schedule *s, struct rng *r, const struct setup *setup)
{
	static void (*const streams[])(struct schedule *, struct rng *, const struct setup *) = {
		make_order, make_overlap, make_states, make_window, make_acks, make_chaos};

	streams[below(r, 6)](s, r, setup);
	part_all(s, r, setup);
}

/* In all networks; sometimes it is the tunnel's packets that are cut. */
void make_wrapped_parts(struct schedule *s, struct rng *r, const struct setup *setup)
{
	size_t i;

	if (chance(r, 70))
		make_wrapped(s, r, setup);
	else
		make_damage(s, r, setup);
	part_all(s, r, setup);
	for (i = 0; i < s->steps; i++) {
		enum wrap wrap = s->step[i].p.wrap;

		s->step[i].outer = s->step[i].part && wrap >= WRAP_VXLAN && wrap <= WRAP_IPIP &&
				   wrap != WRAP_VXLAN6 && chance(r, 10);
	}
}

/* Ports are in the first fragment alone, and often it is not the first to come. */
void make_rules_parts(struct schedule *s, struct rng *r, const struct setup *setup)
{
	unsigned i, n = 3 + below(r, 15);
	uint32_t isn = some_isn(r), sent[8] = {0};

	for (i = 0; i < n; i++) {
		unsigned who = below(r, 8);
		struct packet p = {.port = 5000 + who, .bob_port = 80 + who % 3};
		uint32_t len = 1 + below(r, chance(r, 50) ? 600 : 6000);

		p.udp = who % 2;
		p.v6 = who == 2 || who == 3;
		p.wrap = who == 5 ? WRAP_VLAN : WRAP_NONE;
		p.reverse = who == 7;
		if (chance(r, 10))
			add_step(s, STEP_ADD)->p = p;
		segment(s, &p, ACK, isn + 1 + sent[who], len);
		sent[who] += len;
	}
	part_all(s, r, setup);
}

/* More at a time than there is room for, in whatever is short. */
void make_many_parts(struct schedule *s, struct rng *r, const struct setup *setup)
{
	unsigned i, n = 10 + below(r, 60);
	struct cutter c = some_cutter(r);

	c.share = 100;
	c.loss = 10 + below(r, 60);
	for (i = 0; i < n; i++) {
		struct packet p = someone(r);

		p.udp = chance(r, 80);
		segment(s, &p, ACK, 1000 + below(r, 3) * 1000,
			1 + below(r, chance(r, 10)   ? 60000
				     : chance(r, 50) ? 9000
						     : 2000));
	}
	cut_steps(s, 0, r, setup, &c);
	if (chance(r, 70))
		interleave(s, 0, r);
	for (i = below(r, 3); i; i--)
		insert_step(s, below(r, s->steps + 1), chance(r, 60) ? STEP_HOLD : STEP_LET_GO);
}

void make_old_parts(struct schedule *s, struct rng *r, const struct setup *setup)
{
	unsigned i, naps = 1;
	size_t at;

	make_udp_parts(s, r, setup);
	for (i = 0; i < naps; i++) {
		at = below(r, s->steps + 1);
		if (chance(r, 70))
			insert_step(s, at, STEP_TICK);
		insert_step(s, at, STEP_SLEEP)->ms = 60;
	}
}
