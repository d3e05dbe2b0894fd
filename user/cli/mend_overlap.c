/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * mend_overlap.c - in: all segments of a capture. Out: which of their bytes do not count, because
 * others with different values do.
 *
 * The program keeps the bytes that were placed first, also beyond a hole, as they were told to the
 * consumer. A receiver's stack has handed out nothing there, and what fills the hole replaces what
 * waits behind it: so do Linux and tshark. A file is read twice, so here we can do as they do:
 * segments beyond a hole wait in the order in which they came; what fills the hole counts with all
 * of its bytes, then the first that waits and reaches the new edge, with those beyond it, and so
 * on. A hole is given up when the other side has acknowledged bytes beyond it.
 *
 * Promise: bytes are cut only if another packet of the capture has others for the same place, and
 * is given. What waits is bounded; beyond that the bytes placed first stay.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "mend_overlap.h"

#define MAX_WAITING (1u << 26) /* bytes that wait, of all directions */
#define MAX_SEGMENTS 2048u     /* that wait, of one direction */

struct waiting {
	struct waiting *next;
	struct overlap_segment segment;
	uint8_t bytes[];
};

/* Segments beyond a hole, in the order of the capture. */
struct overlap_early {
	int64_t edge;
	struct waiting *first;
	struct waiting **last; /* where the next one is linked */
	uint32_t count;
	bool again;  /* of those waiting some have the same place */
	bool beyond; /* too many: nothing is cut any more */
};

struct overlap {
	uint64_t bytes;	  /* that wait */
	uint64_t waiting; /* segments */
	struct overlap_cut *cuts;
	size_t count;
	size_t at; /* first cut that was not asked for */
};

struct overlap *overlap_new(void)
{
	return calloc(1, sizeof(struct overlap));
}

void overlap_free(struct overlap *overlap)
{
	if (!overlap)
		return;
	free(overlap->cuts);
	free(overlap);
}

int overlap_begin(struct overlap_early **early, int64_t edge)
{
	*early = calloc(1, sizeof(**early));
	if (!*early)
		return -ENOMEM;
	(*early)->edge = edge;
	(*early)->last = &(*early)->first;
	return 0;
}

/* Unlinks what *link points to. */
static void take_out(struct overlap *overlap, struct overlap_early *early, struct waiting **link)
{
	struct waiting *waiting = *link;

	*link = waiting->next;
	if (!waiting->next)
		early->last = link;
	early->count--;
	overlap->waiting--;
	overlap->bytes -= (uint64_t)(waiting->segment.past - waiting->segment.start);
	if (!early->first)
		early->again = false;
}

static void take_out_all(struct overlap *overlap, struct overlap_early *early)
{
	struct waiting *waiting;

	while ((waiting = early->first)) {
		take_out(overlap, early, &early->first);
		free(waiting);
	}
}

void overlap_end(struct overlap *overlap, struct overlap_early *early)
{
	if (!early)
		return;
	take_out_all(overlap, early);
	free(early);
}

static int wait_for_hole(struct overlap *overlap, struct overlap_early *early,
			 const struct overlap_segment *segment)
{
	size_t size = (size_t)(segment->past - segment->start);
	struct waiting *waiting;

	if (early->count >= MAX_SEGMENTS || overlap->bytes + size > MAX_WAITING) {
		take_out_all(overlap, early);
		early->beyond = true;
		return 0;
	}
	waiting = malloc(sizeof(*waiting) + size);
	if (!waiting)
		return -ENOMEM;
	waiting->next = NULL;
	waiting->segment = *segment;
	waiting->segment.bytes = waiting->bytes;
	memcpy(waiting->bytes, segment->bytes, size);
	*early->last = waiting;
	early->last = &waiting->next;
	early->count++;
	early->again |= segment->again;
	overlap->waiting++;
	overlap->bytes += size;
	return 0;
}

static int add_cut(struct overlap *overlap, uint64_t packet, int64_t from, int64_t past)
{
	struct overlap_cut *cuts = overlap->cuts;

	if (!(overlap->count & (overlap->count - 1))) {
		cuts = realloc(cuts, (overlap->count ? 2 * overlap->count : 1) * sizeof(*cuts));
		if (!cuts)
			return -ENOMEM;
		overlap->cuts = cuts;
	}
	cuts[overlap->count++] = (struct overlap_cut){packet, (uint32_t)from, (uint32_t)past};
	return 0;
}

/* Of what came before `taken`, and has other bytes where that one's from `start` on count. */
static int cut_others(struct overlap *overlap, const struct overlap_early *early,
		      const struct overlap_segment *taken, int64_t start)
{
	const struct waiting *waiting;
	int err = 0;

	for (waiting = early->first; waiting && !err; waiting = waiting->next) {
		const struct overlap_segment *other = &waiting->segment;
		int64_t from = other->start > start ? other->start : start;
		int64_t past = other->past < taken->past ? other->past : taken->past;

		if (other->packet >= taken->packet || from >= past ||
		    (other->good && !taken->good) ||
		    !memcmp(other->bytes + (from - other->start),
			    taken->bytes + (from - taken->start), (size_t)(past - from)))
			continue;
		err = add_cut(overlap, other->packet, from - other->start, past - other->start);
	}
	return err;
}

/* Its bytes from the edge on count. */
static int take(struct overlap *overlap, struct overlap_early *early,
		const struct overlap_segment *segment)
{
	int err = 0;

	if (segment->past <= early->edge)
		return 0;
	if (early->again || segment->again)
		err = cut_others(overlap, early, segment, early->edge);
	early->edge = segment->past;
	return err;
}

/* What waits no longer, since the edge has reached it. */
static int go_on(struct overlap *overlap, struct overlap_early *early)
{
	struct waiting **link = &early->first, *waiting;
	int err = 0;

	while (!err && (waiting = *link)) {
		if (waiting->segment.start > early->edge) {
			link = &waiting->next;
			continue;
		}
		take_out(overlap, early, link);
		err = take(overlap, early, &waiting->segment);
		free(waiting);
		link = &early->first;
	}
	return err;
}

int overlap_add(struct overlap *overlap, struct overlap_early *early,
		const struct overlap_segment *segment)
{
	int err;

	if (early->beyond || segment->past <= early->edge)
		return 0;
	if (segment->start > early->edge)
		return wait_for_hole(overlap, early, segment);
	err = take(overlap, early, segment);
	return err ? err : go_on(overlap, early);
}

bool overlap_waits(const struct overlap *overlap)
{
	return overlap->waiting;
}

int overlap_acknowledge(struct overlap *overlap, struct overlap_early *early, int64_t upto)
{
	const struct waiting *waiting;
	int64_t lowest;
	int err = 0;

	while (!err && early->first && upto > early->edge) {
		lowest = early->first->segment.start;
		for (waiting = early->first; waiting; waiting = waiting->next) {
			if (waiting->segment.start < lowest)
				lowest = waiting->segment.start;
		}
		if (upto <= lowest)
			break;
		early->edge = lowest;
		err = go_on(overlap, early);
	}
	return err;
}

static int in_order(const void *one, const void *two)
{
	const struct overlap_cut *a = one, *b = two;

	if (a->packet != b->packet)
		return a->packet < b->packet ? -1 : 1;
	return a->from < b->from ? -1 : a->from > b->from;
}

bool overlap_sort(struct overlap *overlap)
{
	if (overlap->count)
		qsort(overlap->cuts, overlap->count, sizeof(*overlap->cuts), in_order);
	overlap->at = 0;
	return overlap->count;
}

const struct overlap_cut *overlap_cuts(struct overlap *overlap, uint64_t packet, size_t *count)
{
	size_t first, past;

	while (overlap->at < overlap->count && overlap->cuts[overlap->at].packet < packet)
		overlap->at++;
	first = past = overlap->at;
	while (past < overlap->count && overlap->cuts[past].packet == packet)
		past++;
	*count = past - first;
	return *count ? overlap->cuts + first : NULL;
}
