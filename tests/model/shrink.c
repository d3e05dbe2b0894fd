/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * shrink.c - see shrink.h. Delta debugging (ddmin): leave out ever smaller portions.
 */
#include <stdlib.h>
#include <string.h>

#include "shrink.h"

#define TRIALS 300 /* most: each may load the program anew */

struct shrinking {
	struct driver *d;
	struct schedule *best, *trial;
	unsigned tried;
	char why[sizeof(((struct driver *)0)->why)]; /* of the best */
	size_t at;
};

/* Does the trial differ? Then it is the best so far. */
static bool differs(struct shrinking *k)
{
	const struct setup *setup = k->d->setup;
	enum driver_result result;

	if (k->tried++ > TRIALS)
		return false;
	k->d->careful = true;
	result = driver_run(k->d, k->trial);
	if (result == DRIVER_SAME)
		return false;
	if (result == DRIVER_DIFFERENT) {
		/* Nothing behind the step that shows it matters. */
		if (k->d->at < k->trial->steps)
			k->trial->steps = k->d->at + 1;
		*k->best = *k->trial;
		memcpy(k->why, k->d->why, sizeof(k->why));
		k->at = k->d->at;
	}
	driver_close(k->d);
	if (driver_open(k->d, setup))
		return false;
	return result == DRIVER_DIFFERENT;
}

static bool without(struct shrinking *k, size_t first, size_t count)
{
	struct schedule *t = k->trial;

	*t = *k->best;
	if (count > t->steps - first)
		count = t->steps - first;
	memmove(&t->step[first], &t->step[first + count],
		(t->steps - first - count) * sizeof(t->step[0]));
	t->steps -= count;
	return differs(k);
}

static void leave_out(struct shrinking *k)
{
	size_t portion, first;
	bool progress = true;

	for (portion = k->best->steps / 2; portion || progress; portion /= 2) {
		portion = portion ? portion : 1;
		progress = false;
		for (first = 0; first < k->best->steps;) {
			if (without(k, first, portion))
				progress = true;
			else
				first += portion;
		}
		if (portion == 1 && !progress)
			break;
	}
}

/* One simplification of a step; false: it is that simple already. */
static bool simplify(struct step *step, unsigned which)
{
	struct packet old = step->p, *p = &step->p;
	struct step before = *step;

	switch (which) {
	case 0:
		p->ip_options = p->tcp_options = p->extension = 0;
		break;
	case 1:
		p->padding = 0;
		step->cut = 0;
		break;
	case 2:
		p->wrap = WRAP_NONE;
		p->vnet = 0;
		break;
	case 3:
		p->ip_options = p->v6 ? 0 : p->ip_options;
		p->v6 = 0;
		break;
	case 4:
		p->salt = 0;
		break;
	case 5:
		p->ack = 0;
		p->flags &= ~(URG | PSH);
		break;
	case 6:
		step->lane = 0;
		break;
	case 7:
		if (step->rtp.on)
			p->len = 12 + 4u * step->rtp.csrcs + 4u * step->rtp.extension +
				 step->rtp.padding + 1;
		else if (!step->part &&
			 !step->shared) /* else its place in its datagram would be another */
			p->len = p->len > 10 ? 10 : p->len;
		break;
	case 8:
		p->udp_more = 0;
		break;
	default:
		step->poke_bits = 0;
	}
	return memcmp(&old, p, sizeof(old)) || memcmp(&before, step, sizeof(before));
}
#define SIMPLIFICATIONS 10

static void make_simple(struct shrinking *k)
{
	unsigned which;
	size_t i;

	/* In all packets at once, as keys have to stay the same; then in one after the other. */
	for (which = 0; which < SIMPLIFICATIONS; which++) {
		bool any = false;

		*k->trial = *k->best;
		for (i = 0; i < k->trial->steps; i++)
			any |= simplify(&k->trial->step[i], which);
		if (any && differs(k))
			continue;
		for (i = 0; any && i < k->best->steps; i++) {
			*k->trial = *k->best;
			if (simplify(&k->trial->step[i], which))
				differs(k);
		}
	}
}

unsigned shrink(struct driver *d, struct schedule *s)
{
	const struct setup *setup = d->setup;
	struct shrinking k = {.d = d, .best = s, .trial = malloc(sizeof(*s))};
	unsigned tried = 0;

	driver_close(d);
	if (!k.trial || driver_open(d, setup))
		goto out;
	*k.trial = *s;
	if (!differs(&k))
		goto out;
	leave_out(&k);
	make_simple(&k);
	leave_out(&k);
	memcpy(d->why, k.why, sizeof(k.why));
	d->at = k.at;
	tried = k.tried;
out:
	free(k.trial);
	return tried;
}
