/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * families.c - which kinds of schedules there are, and how each is made.
 *
 * Most begin with conversations as their senders meant them, in order; what the network does to
 * them (loss, repetition, reordering) is done to the list afterwards.
 */
#include <string.h>

#include "schedule.h"

/* ---- building blocks ---- */

static struct step *add_step(struct schedule *s, enum step_kind kind)
{
	struct step *step = &s->step[s->steps < MAX_STEPS - 1 ? s->steps++ : MAX_STEPS - 1];

	memset(step, 0, sizeof(*step));
	step->kind = kind;
	return step;
}

static struct packet *add_packet(struct schedule *s, const struct packet *like)
{
	struct step *step = add_step(s, STEP_PACKET);

	step->p = *like;
	return &step->p;
}

static struct packet *segment(struct schedule *s, const struct packet *like, uint8_t flags,
			      uint32_t seq, uint32_t len)
{
	struct packet *p = add_packet(s, like);

	p->flags = flags;
	p->seq = seq;
	p->len = len;
	return p;
}

/* A few ports only: that keys come back is part of the trial. */
static struct packet someone(struct rng *r)
{
	struct packet p = {.port = 5000 + below(r, 40), .v6 = chance(r, 30)};

	return p;
}

static uint32_t some_length(struct rng *r, const struct setup *setup)
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

static uint32_t some_isn(struct rng *r)
{
	return chance(r, 15) ? -below(r, 20000) : rng_next(r);
}

/* What the network does with the packets from step `first` on. */
struct network {
	unsigned loss, repeat, reorder; /* percent */
	unsigned distance;		/* steps that a reordered packet may be late */
};

static struct network some_network(struct rng *r)
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

static void remove_step(struct schedule *s, size_t at)
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

static void disturb(struct schedule *s, size_t first, struct rng *r, const struct network *n)
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

/* The steps from `first` on, which are of several senders one after the other, take turns. */
static void interleave(struct schedule *s, size_t first, struct rng *r)
{
	size_t i;

	/* Coarse, but nothing depends on how senders share the link. */
	for (i = first; i < s->steps; i++)
		if (chance(r, 50))
			delay_step(s, i, below(r, (s->steps - first) / 2 + 1));
}

static struct step *insert_step(struct schedule *s, size_t at, enum step_kind kind)
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

/* How a sender cuts `total` bytes, perhaps sending some of them again in other pieces. */
struct sender {
	struct packet p;
	uint32_t isn;
	uint32_t total;
	unsigned again; /* percent of segments that are sent again, cut otherwise */
	unsigned salts; /* percent of these that hold other bytes */
	bool syn, fin;
};

static struct sender some_sender(struct rng *r, const struct packet *p)
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

static void send_all(struct schedule *s, const struct sender *from, struct rng *r,
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

/* ---- streams [R12] ---- */

static void make_order(struct schedule *s, struct rng *r, const struct setup *setup)
{
	struct network n = some_network(r);
	unsigned i, senders = 1 + below(r, 3);

	for (i = 0; i < senders; i++) {
		struct packet p = someone(r);
		struct sender sender = some_sender(r, &p);

		send_all(s, &sender, r, setup);
	}
	if (senders > 1)
		interleave(s, 0, r);
	disturb(s, 0, r, &n);
}

static void overlap(struct schedule *s, struct rng *r, const struct setup *setup,
		    const struct packet *p, uint32_t isn, bool begun)
{
	struct network n = some_network(r);
	struct sender sender = some_sender(r, p);
	size_t first = s->steps;

	sender.isn = isn;
	sender.syn &= !begun;
	sender.again = 20 + below(r, 60);
	sender.salts = chance(r, 80) ? 100 : 50;
	n.reorder += 20;
	send_all(s, &sender, r, setup);
	disturb(s, first, r, &n);
}

static void make_overlap(struct schedule *s, struct rng *r, const struct setup *setup)
{
	struct packet p = someone(r);

	overlap(s, r, setup, &p, some_isn(r), false);
}

/*
 * Numbers that wrap: sequence numbers soon, or (after leaps of the sender that the flow follows)
 * the low half of the stream offset.
 */
static void make_wrap(struct schedule *s, struct rng *r, const struct setup *setup)
{
	struct packet p = someone(r);
	uint32_t isn = -below(r, 15000), at = 0, leap = (1u << 30) - 1, i, k;

	if (chance(r, 50)) {
		overlap(s, r, setup, &p, isn, false);
		return;
	}
	isn = some_isn(r);
	segment(s, &p, SYN, isn, 0);
	for (i = 0; i < 4; i++) {
		at += i < 3 ? leap : leap - 8000 - below(r, 8000);
		for (k = 0; k < 3; k++)
			segment(s, &p, ACK, isn + 1 + at, 100);
		at += 100;
	}
	overlap(s, r, setup, &p, isn + at, true);
}

/* ---- any packet at any time [R3 R12 R13] ---- */

static const uint8_t flag_sets[] = {ACK,       ACK,	  ACK, ACK,	 ACK | PSH, SYN,
				    SYN | ACK, FIN | ACK, FIN, RST,	 RST | ACK, SYN | FIN,
				    SYN | RST, FIN | RST, 0,   URG | ACK};

/* A number that is interesting for a stream that began at `isn` and has come to about `edge`. */
static uint32_t some_number(struct rng *r, uint32_t isn, uint32_t edge, const struct setup *setup)
{
	uint32_t window = setup->window ? setup->window : 1 << 20;
	uint32_t near = below(r, 5) - 2, at = isn + 1 + edge;

	switch (below(r, 16)) {
	case 0:
		return isn;
	case 1:
		return isn + 1;
	case 2:
		return at + window + near;
	case 3:
		return at + window / 2 + below(r, window);
	case 4:
		return at + 2 * window + near;
	case 5:
		return at + window - below(r, setup->area ? setup->area : 4096);
	case 6:
		return at + (1u << 30) + near;
	case 7:
		return at + (1u << 31) + near;
	case 8:
		return rng_next(r);
	case 9:
		return at - 1;
	default:
		return at + below(r, 6000) - 2000;
	}
}

static void make_chaos(struct schedule *s, struct rng *r, const struct setup *setup)
{
	struct packet p = someone(r), *q;
	uint32_t isn = some_isn(r), edge = 0, i, n = 2 + below(r, 40), seq, len;
	bool calm = chance(r, 50);

	if (chance(r, 70))
		segment(s, &p, SYN, isn, 0);
	for (i = 0; i < n; i++) {
		len = chance(r, 30) ? 0 : chance(r, 70) ? 1 + below(r, 300) : some_length(r, setup);
		seq = chance(r, calm ? 60 : 20) ? isn + 1 + edge : some_number(r, isn, edge, setup);
		q = segment(s, &p, flag_sets[below(r, calm ? 6 : sizeof(flag_sets))], seq, len);
		q->salt = chance(r, 30) ? below(r, 4) : 0;
		q->ack = chance(r, 50) ? some_number(r, isn, edge, setup) : 0;
		q->reverse = chance(r, 10);
		if (seq == isn + 1 + edge)
			edge += len;
	}
}

/* ---- lives of connections [R3 R13] ---- */

/* Two ends of a connection, as far as the one that speaks knows. */
struct life {
	struct packet p;
	uint32_t isn[2];
	uint32_t sent[2]; /* bytes */
	bool fin[2];
};

static struct packet *speak(struct schedule *s, struct life *l, bool back, uint8_t flags,
			    uint32_t offset, uint32_t len)
{
	struct packet *p = segment(s, &l->p, flags, l->isn[back] + 1 + offset, len);

	p->reverse = back;
	if (flags & ACK)
		p->ack = l->isn[!back] + 1 + l->sent[!back] + l->fin[!back];
	return p;
}

/* What may happen at any time; the names are in the order of the cases. */
enum happening {
	OPENS,
	OPENS_AGAIN,
	ANSWERS,
	OPENS_WITH_DATA,
	SPEAKS,
	SPEAKS_MORE,
	ENDS,
	ENDS_WITH_DATA,
	ENDS_EARLY,
	RESETS,
	RESETS_AHEAD,
	RESETS_OUTSIDE,
	KEEPS_ALIVE,
	HAS_NO_WINDOW,
	ASKS_WINDOW,
	REPEATS,
	OTHER_STREAM,
	SPEAKS_BEHIND_END,
	LOSES,
	HAPPENINGS
};

static void happen_open(struct schedule *s, struct life *l, struct rng *r, bool back, uint8_t flags,
			uint32_t len)
{
	speak(s, l, back, SYN | flags, -1, len);
	if (len) /* data of a SYN begin behind its number */
		l->sent[back] = len;
}

static void happen(struct schedule *s, struct life *l, struct rng *r, const struct setup *setup,
		   enum happening what)
{
	uint32_t window = setup->window ? setup->window : 1 << 20, len = 1 + below(r, 2000);
	bool back = chance(r, 30);
	uint32_t *sent = &l->sent[back];

	switch (what) {
	case OPENS:
		happen_open(s, l, r, back, 0, 0);
		break;
	case OPENS_AGAIN:
		l->isn[back] = some_isn(r);
		*sent = 0;
		l->fin[back] = false;
		happen_open(s, l, r, back, 0, 0);
		break;
	case ANSWERS:
		happen_open(s, l, r, back, ACK, 0);
		break;
	case OPENS_WITH_DATA:
		happen_open(s, l, r, back, 0, len);
		break;
	case ENDS:
	case ENDS_WITH_DATA:
		len = what == ENDS ? 0 : len;
		speak(s, l, back, FIN | ACK, *sent, len);
		*sent += len;
		l->fin[back] = true;
		break;
	case ENDS_EARLY:
		speak(s, l, back, FIN | ACK, *sent + 1 + below(r, 4000), chance(r, 50) ? len : 0);
		break;
	case RESETS:
		speak(s, l, back, chance(r, 50) ? RST : RST | ACK, *sent, chance(r, 10) ? len : 0);
		break;
	case RESETS_AHEAD:
		speak(s, l, back, RST, *sent + window - below(r, 3) - below(r, 2) * 4096, 0);
		break;
	case RESETS_OUTSIDE:
		speak(s, l, back, RST | ACK, chance(r, 50) ? *sent - 1 : *sent + window + 1, 0);
		break;
	case KEEPS_ALIVE:
		speak(s, l, back, ACK, *sent - 1, below(r, 2));
		break;
	case HAS_NO_WINDOW:
	case ASKS_WINDOW:
		speak(s, l, back, ACK, *sent, what == ASKS_WINDOW);
		break;
	case REPEATS:
		speak(s, l, back, ACK, *sent - below(r, *sent + 1), len)->salt = below(r, 3);
		break;
	case OTHER_STREAM:
		speak(s, l, back, ACK, rng_next(r), len);
		break;
	case SPEAKS_BEHIND_END:
		speak(s, l, back, ACK, *sent + 1, len);
		break;
	case LOSES:
		*sent += len;
		break;
	default:
		speak(s, l, back, ACK | PSH, *sent, len);
		*sent += len;
	}
}

static void make_states(struct schedule *s, struct rng *r, const struct setup *setup)
{
	struct life life[2] = {{.p = someone(r)}, {.p = someone(r)}};
	unsigned i, n = 3 + below(r, 40);

	for (i = 0; i < 4; i++)
		life[i / 2].isn[i % 2] = some_isn(r);
	if (chance(r, 60)) {
		happen(s, &life[0], r, setup, OPENS);
		if (chance(r, 30))
			happen(s, &life[0], r, setup, ANSWERS); /* both open at once, perhaps */
	}
	for (i = 0; i < n; i++)
		happen(s, &life[chance(r, 25)], r, setup,
		       chance(r, 45) ? SPEAKS : below(r, HAPPENINGS));
}

/* ---- windows, holes, gaps [R12 R13] ---- */

static void make_window(struct schedule *s, struct rng *r, const struct setup *setup)
{
	uint32_t window = setup->window ? setup->window : 1 << 20, isn = some_isn(r), edge = 0, i;
	uint32_t seq, len, n = 5 + below(r, 40), area = setup->area ? setup->area : 4096;
	struct packet p = someone(r);

	segment(s, &p, SYN, isn, 0);
	for (i = 0; i < n; i++) {
		len = 1 + below(r, 1500);
		switch (below(r, 8)) {
		case 0: /* about the end of the window */
			seq = edge + window - below(r, 2) * area - len + below(r, 7) - 3;
			break;
		case 1:
			seq = edge + window - below(r, 3 * len);
			break;
		case 2:
			seq = edge + below(r, 2 * window + 3);
			break;
		case 3:
			seq = edge + 2 * window - below(r, area + 3);
			break;
		case 4:
			seq = edge + below(r, window);
			break;
		default:
			seq = edge;
			edge += len;
		}
		segment(s, &p, chance(r, 3) ? FIN | ACK : ACK, isn + 1 + seq, len);
		while (seq > edge && chance(r, 25)) /* the sender is there: more of it follows */
			segment(s, &p, ACK, isn + 1 + (seq += len), len);
		if (chance(r, 10))
			edge = seq + len;
		if (chance(r, 2)) /* another connection, whose SYN is missed */
			isn = rng_next(r);
	}
}

/* More holes than can be remembered, filled in no order. */
static void make_holes(struct schedule *s, struct rng *r, const struct setup *setup)
{
	uint32_t isn, i, k, flows = 1 + below(r, 4), n = 20 + below(r, 160), step;
	struct network net = {.reorder = 60, .distance = 100, .repeat = 10};

	for (k = 0; k < flows; k++) {
		struct packet p = someone(r);

		isn = some_isn(r);
		step = 2 + below(r, 300);
		segment(s, &p, SYN, isn, 0);
		for (i = 1; i < n; i++)
			segment(s, &p, ACK, isn + 1 + i * step, 1 + below(r, step));
		for (i = 0; chance(r, 70) && i < n; i++)
			segment(s, &p, ACK, isn + 1 + i * step, step + below(r, 2 * step));
		if (chance(r, 30))
			segment(s, &p, FIN | ACK, isn + 1 + n * step, 0);
	}
	interleave(s, 0, r);
	disturb(s, 1, r, &net);
}

/* Segments that we miss and the receiver does not: it acknowledges them. */
static void make_acks(struct schedule *s, struct rng *r, const struct setup *setup)
{
	struct life l = {.p = someone(r), .isn = {some_isn(r), some_isn(r)}};
	struct network n = {.loss = 5 + below(r, 15), .reorder = below(r, 20), .distance = 4};
	unsigned i, count = 10 + below(r, 60);

	speak(s, &l, false, SYN, -1, 0);
	speak(s, &l, true, SYN | ACK, -1, 0);
	for (i = 0; i < count; i++) {
		bool back = chance(r, 15);
		uint32_t len = 1 + below(r, 1460);

		speak(s, &l, back, ACK, l.sent[back], len);
		l.sent[back] += len;
		if (chance(r, 40))
			speak(s, &l, !back, ACK, l.sent[!back], 0);
		if (chance(r, 2)) { /* half-close */
			speak(s, &l, back, FIN | ACK, l.sent[back], 0);
			l.fin[back] = true;
		}
	}
	disturb(s, 2, r, &n);
}

/* ---- datagrams [R15] ---- */

static uint32_t datagram_length(struct rng *r, const struct setup *setup)
{
	return chance(r, 10) ? 0 : some_length(r, setup);
}

static void make_udp(struct schedule *s, struct rng *r, const struct setup *setup)
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

static void cut_steps(struct schedule *s, struct rng *r, const struct setup *setup,
		      struct cutter *c)
{
	size_t i;

	for (i = 0; i < s->steps; i++)
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

/* ---- what lies around the packets [R1 R2] ---- */

static void dress(struct rng *r, struct packet *p)
{
	p->wrap = below(r, WRAP_COUNT);
	p->vnet = chance(r, 50) ? 1 + below(r, 4000) : 0;
	p->ip_options = p->v6 ? below(r, 9) : 4 * below(r, 11);
	p->pure_fragment = p->v6 && p->ip_options < 8 && chance(r, 20);
	if (p->v6 && p->ip_options && chance(r, 30))
		p->extension = chance(r, 50) ? 8 * below(r, 20) : 8 * (44 + below(r, 16));
	p->tcp_options = 4 * below(r, 11);
}

static void make_wrapped(struct schedule *s, struct rng *r, const struct setup *setup)
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
static void misplace_end(struct rng *r, struct packet *p)
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

static void make_damage(struct schedule *s, struct rng *r, const struct setup *setup)
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

/* ---- whatever comes in fragments [R14] ---- */

/* The packets of a schedule in fragments, and what the network does to those. */
static void part_all(struct schedule *s, struct rng *r, const struct setup *setup)
{
	struct network n = some_network(r);
	struct cutter c = some_cutter(r);

	cut_steps(s, r, setup, &c);
	n.distance = 1 + below(r, chance(r, 30) ? 60 : 8);
	disturb(s, 0, r, &n);
}

static void make_udp_parts(struct schedule *s, struct rng *r, const struct setup *setup)
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

static void make_tcp_parts(struct schedule *s, struct rng *r, const struct setup *setup)
{
	static void (*const streams[])(struct schedule *, struct rng *, const struct setup *) = {
		make_order, make_overlap, make_states, make_window, make_acks, make_chaos};

	streams[below(r, 6)](s, r, setup);
	part_all(s, r, setup);
}

/* In all networks; sometimes it is the tunnel's packets that are cut. */
static void make_wrapped_parts(struct schedule *s, struct rng *r, const struct setup *setup)
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
static void make_rules_parts(struct schedule *s, struct rng *r, const struct setup *setup)
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
static void make_many_parts(struct schedule *s, struct rng *r, const struct setup *setup)
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
	cut_steps(s, r, setup, &c);
	if (chance(r, 70))
		interleave(s, 0, r);
	for (i = below(r, 3); i; i--)
		insert_step(s, below(r, s->steps + 1), chance(r, 60) ? STEP_HOLD : STEP_LET_GO);
}

static void make_old_parts(struct schedule *s, struct rng *r, const struct setup *setup)
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

static void make_rtp(struct schedule *s, struct rng *r, const struct setup *setup)
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
static void make_rtp_window(struct schedule *s, struct rng *r, const struct setup *setup)
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

static void make_rtp_late(struct schedule *s, struct rng *r, const struct setup *setup)
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
static void make_rtp_parts(struct schedule *s, struct rng *r, const struct setup *setup)
{
	size_t i;

	make_rtp(s, r, setup);
	for (i = 0; i < s->steps; i++)
		if (chance(r, 50))
			s->step[i].p.bob_port = 80;
	part_all(s, r, setup);
}

/* ---- tables and commands [R3] ---- */

static void make_table(struct schedule *s, struct rng *r, const struct setup *setup)
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

static void make_lanes(struct schedule *s, struct rng *r, const struct setup *setup)
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

static void make_rules(struct schedule *s, struct rng *r, const struct setup *setup)
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
static void make_short(struct schedule *s, struct rng *r, const struct setup *setup)
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
			s->step[i].p.flags = flag_sets[below(r, sizeof(flag_sets))];
	for (i = 0; i < n; i++) {
		/* Early on, and for a while. */
		at = i ? below(r, s->steps + 1) : below(r, s->steps / 3 + 1);
		if (!i && chance(r, 70))
			hog(s, at, r);
		insert_step(s, at, i && chance(r, 50) ? STEP_LET_GO : STEP_HOLD);
	}
}

/* Media for which there is nothing left, nor completions in the end. */
static void make_rtp_short(struct schedule *s, struct rng *r, const struct setup *setup)
{
	unsigned i;

	for (i = 1 + below(r, 3); i; i--)
		make_rtp(s, r, setup);
	for (i = 1 + below(r, 3); i; i--)
		insert_step(s, below(r, s->steps + 1), chance(r, 30) ? STEP_LET_GO : STEP_HOLD);
	hog(s, below(r, s->steps + 1), r);
}

/* Many small packets, so that completions run out before areas do. */
static void make_ring(struct schedule *s, struct rng *r, const struct setup *setup)
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

static void make_ages(struct schedule *s, struct rng *r, const struct setup *setup)
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

/* ---- */

static const struct setup
	standard = {0},
	narrow = {.window = 65536},
	wide = {.umem = 16 << 20, .area = 32768, .window = 1 << 20, .flows = 64},
	table = {.flows = 5},
	lanes = {.lanes = 3,
		 .flows = 96,
		 .early = 6,
		 .rules = {"tap udp dst port 5004 rtp slot 1024 deadline 30000", "tap stream any"}},
	rules = {.rules = {"take stream tcp port 443", "tap whole udp",
			   "tap stream tcp port 80 vlan 7", "take whole tcp src port 5001",
			   "tap stream ip6"},
		 .threshold = 512,
		 .no_pickup = true},
	tiny = {.umem = 1 << 20, .area = 32768, .window = 1 << 19, .early = 4, .threshold = 128},
	small = {.umem = 1 << 20, .ring = 1024, .early = 2, .window = 65536},
	ages = {.flow_age = 100, .closed_age = 40, .hole_age = 40},
	parts = {.datagrams = 6, .rules = {"tap stream overlap first any"}},
	some_parts = {.datagrams = 12,
		      .rules = {"take stream overlap first udp dst port 81",
				"tap whole udp port 82", "tap stream tcp port 80",
				"take stream udp port 5007", "tap stream ip6 tcp"}},
	few = {.umem = 1 << 20,
	       .datagrams = 40,
	       .window = 65536,
	       .ring = 1024,
	       .rules = {"tap udp dst port 5004 rtp slot 1024 deadline 30000", "tap stream any"}},
	rtp = {.flows = 40,
	       .rules = {"tap udp dst port 5004 rtp slot 1024 deadline 30000",
			 "take udp dst port 5005 rtp slot 128 deadline 30000",
			 "tap udp dst port 5006 rtp slot 2048 deadline 30000", "tap stream any"}},
	few_rtp = {.flows = 4,
		   .rtp = 2,
		   .area = 8192,
		   .rules = {"tap udp rtp slot 1024 deadline 30000"}},
	old = {.fragment_age = 40,
	       .datagrams = 20,
	       .hole_age = 5000,
	       .rules = {"tap udp dst port 5006 rtp slot 1024 deadline 40", "tap stream any"}},
	trusting = {.no_checksum = true, .flows = 16, .area = 8192};

const struct family families[] = {
	{"tcp_order", "R4 R12", make_order, 120, {&standard, &narrow, &wide, &tiny}},
	{"tcp_overlap", "R12", make_overlap, 120, {&standard, &narrow, &trusting}},
	{"tcp_wrap", "R12", make_wrap, 80, {&standard, &narrow}},
	{"tcp_states", "R3 R13", make_states, 140, {&standard, &narrow, &rules}},
	{"tcp_window", "R12 R13", make_window, 80, {&narrow, &wide, &tiny}},
	{"tcp_holes", "R12", make_holes, 20, {&standard, &small, &lanes}},
	{"tcp_acks", "R13", make_acks, 60, {&standard, &narrow}},
	{"tcp_chaos", "R3 R12 R13", make_chaos, 140, {&standard, &narrow, &wide, &rules}},
	{"udp", "R15", make_udp, 60, {&standard, &trusting, &wide}},
	{"parts_udp", "R14", make_udp_parts, 30, {&standard, &parts, &trusting, &wide}},
	{"parts_tcp", "R12 R14", make_tcp_parts, 25, {&standard, &parts, &narrow}},
	{"parts_wrapped", "R1 R2 R14", make_wrapped_parts, 25, {&standard, &trusting}},
	{"parts_rules", "R14 R16", make_rules_parts, 25, {&some_parts}},
	{"parts_many", "R8 R14", make_many_parts, 8, {&few, &parts, &tiny}},
	{"parts_old", "R14", make_old_parts, 1, {&old}},
	{"rtp", "R1 R12 R13 R15", make_rtp, 40, {&rtp, &few_rtp}},
	{"rtp_parts", "R14 R15", make_rtp_parts, 5, {&rtp}},
	{"rtp_no_area", "R8 R15", make_rtp_short, 5, {&few}},
	{"rtp_window", "R12 R13 R15", make_rtp_window, 5, {&rtp}},
	{"rtp_late", "R13 R15", make_rtp_late, 1, {&old}},
	{"wrapped", "R1 R2", make_wrapped, 60, {&standard, &trusting}},
	{"damage", "R1", make_damage, 50, {&standard, &trusting}},
	{"table", "R3", make_table, 60, {&table}},
	{"lanes", "R17", make_lanes, 50, {&lanes}},
	{"rules", "R16", make_rules, 30, {&rules}},
	{"no_area", "R5 R8", make_short, 40, {&small, &tiny}},
	{"ring_full", "R9", make_ring, 8, {&small}},
	{"ages", "R3 R13", make_ages, 2, {&ages}},
	{0},
};
