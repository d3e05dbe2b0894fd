/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * family_tcp.c - TCP: streams, lives of connections, windows, acknowledgements.
 */
#include "families.h"

/* ---- streams [R12] ---- */

void make_order(struct schedule *s, struct rng *r, const struct setup *setup)
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

void make_overlap(struct schedule *s, struct rng *r, const struct setup *setup)
{
	struct packet p = someone(r);

	overlap(s, r, setup, &p, some_isn(r), false);
}

/*
 * Numbers that wrap: sequence numbers soon, or (after leaps of the sender that the flow follows)
 * the low half of the stream offset.
 */
void make_wrap(struct schedule *s, struct rng *r, const struct setup *setup)
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

uint8_t any_flags(struct rng *r)
{
	return flag_sets[below(r, sizeof(flag_sets))];
}

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

void make_chaos(struct schedule *s, struct rng *r, const struct setup *setup)
{
	struct packet p = someone(r), *q;
	uint32_t isn = some_isn(r), edge = 0, i, n = 2 + below(r, 40), seq, len;
	bool calm = chance(r, 50);

	if (chance(r, 70))
		segment(s, &p, SYN, isn, 0);
	for (i = 0; i < n; i++) {
		len = chance(r, 30) ? 0 : chance(r, 70) ? 1 + below(r, 300) : some_length(r, setup);
		seq = chance(r, calm ? 60 : 20) ? isn + 1 + edge : some_number(r, isn, edge, setup);
		q = segment(s, &p, calm ? flag_sets[below(r, 6)] : any_flags(r), seq, len);
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

void make_states(struct schedule *s, struct rng *r, const struct setup *setup)
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

void make_window(struct schedule *s, struct rng *r, const struct setup *setup)
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
void make_holes(struct schedule *s, struct rng *r, const struct setup *setup)
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
void make_acks(struct schedule *s, struct rng *r, const struct setup *setup)
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
