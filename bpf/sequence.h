/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * sequence.h - stage 4a: where a segment stands in its stream, and which ranges beyond a hole
 * have arrived. Pure C, also built for the host.
 *
 *	     edge                                  window
 *	-------|----------|=====run=====|-----|=run=|----|--> stream offset
 *	 told  |   hole   |  told EARLY | hole|
 *
 * Promise: runs are disjoint and never touch each other or the edge, so that one byte is placed
 * once, whatever overlaps. All comparisons are of differences: numbers wrap (RFC 9293, 3.4).
 */
#ifndef SEQUENCE_H
#define SEQUENCE_H

#include <xdplace/abi.h>
#include "compiler.h"

/* Signed distance from sequence number `from` to `to`. */
static __always_inline __s32 xp_distance(__u32 from, __u32 to)
{
	return (__s32)(to - from);
}

/*
 * What a search found. Read back from memory: the compiler would put the loop's counter in its
 * place, and the verifier would then follow each of its values to the end of the program.
 */
static __always_inline __u32 xp_found(const struct xp_early *e)
{
	return *(const volatile __u32 *)&e->found;
}

/* How many runs there are; from memory each time, for the same reason. */
static __always_inline __u32 xp_runs(const struct xp_early *e)
{
	return *(const volatile __u32 *)&e->count;
}

/* Index of a run, safe to use whatever user space or a bug left in memory. */
#define XP_RUN(i) ((i) & (XP_MAX_RUNS - 1))

/*
 * The first range of [*at, end) that no run covers: 1 and [*at, *upto), or 0 if all is covered.
 * Offsets relative to `edge` order them, so that wrapping does no harm.
 */
static __always_inline int xp_runs_uncovered(struct xp_early *e, __u32 edge, __u32 *at, __u32 *upto)
{
	__u32 a = *at - edge, end = *upto - edge, i;

	/* Runs do not touch: where `at` lies in one, that one's end lies in none. */
	for (i = 0; i < XP_MAX_RUNS; i++) {
		__u32 start, stop;

		if (i >= xp_runs(e))
			break;
		start = e->run[i].start - edge;
		stop = e->run[i].end - edge;
		if (start <= a && a < stop) {
			a = stop;
			break;
		}
	}
	if (a >= end)
		return 0;
	/* What the loop finds is kept in memory: the verifier would follow each value it may have.
	 */
	e->found = end;
	for (i = 0; i < XP_MAX_RUNS; i++) {
		__u32 start;

		if (i >= xp_runs(e))
			break;
		start = e->run[i].start - edge;
		if (start > a && start < xp_found(e))
			e->found = start;
	}
	end = xp_found(e);
	*at = a + edge;
	*upto = end + edge;
	return 1;
}

/* Does any run cover a byte of [at, end)? */
static __always_inline int xp_runs_overlap(struct xp_early *e, __u32 edge, __u32 at, __u32 end)
{
	__u32 i;

	for (i = 0; i < XP_MAX_RUNS; i++) {
		if (i >= xp_runs(e))
			break;
		if (e->run[i].start - edge < end - edge && at - edge < e->run[i].end - edge)
			return 1;
	}
	return 0;
}

/* Run that starts (at = 0) or ends (at = 1) at offset `o`: 1 and its index in e->found, or 0. */
static __always_inline int xp_runs_find(struct xp_early *e, __u32 o, int at)
{
	__u32 i;

	for (i = 0; i < XP_MAX_RUNS; i++) {
		if (i >= xp_runs(e))
			break;
		if ((at ? e->run[i].end : e->run[i].start) == o) {
			e->found = i;
			return 1;
		}
	}
	return 0;
}

static __always_inline void xp_runs_remove(struct xp_early *e, __u32 i)
{
	__u32 last = XP_RUN(e->count - 1);

	e->run[XP_RUN(i)].start = e->run[last].start;
	e->run[XP_RUN(i)].end = e->run[last].end;
	e->count--;
}

/* Add an uncovered range; joins the runs that it touches. -1: XP_MAX_RUNS are in use. */
static __always_inline int xp_runs_add(struct xp_early *e, __u32 start, __u32 end)
{
	__u32 left;

	if (xp_runs_find(e, start, 1)) {
		left = XP_RUN(xp_found(e));
		e->run[left].end = end;
		if (xp_runs_find(e, end, 0)) {
			e->run[left].end = e->run[XP_RUN(xp_found(e))].end;
			xp_runs_remove(e, xp_found(e));
		}
		return 0;
	}
	if (xp_runs_find(e, end, 0)) {
		e->run[XP_RUN(xp_found(e))].start = start;
		return 0;
	}
	if (e->count >= XP_MAX_RUNS)
		return -1;
	e->run[XP_RUN(e->count)].start = start;
	e->run[XP_RUN(e->count)].end = end;
	e->count++;
	return 0;
}

/* Bytes from the edge to the nearest run: the length of the first hole. 0: no run. */
static __always_inline __u32 xp_runs_hole(struct xp_early *e, __u32 edge)
{
	__u32 i;

	if (!e->count)
		return 0;
	e->found = ~0u;
	for (i = 0; i < XP_MAX_RUNS; i++) {
		__u32 hole;

		if (i >= xp_runs(e))
			break;
		hole = e->run[i].start - edge;
		if (hole < xp_found(e))
			e->found = hole;
	}
	return xp_found(e);
}

/* Does any run reach beyond offset `o`? */
static __always_inline int xp_runs_beyond(struct xp_early *e, __u32 edge, __u32 o)
{
	__u32 i;

	for (i = 0; i < XP_MAX_RUNS; i++) {
		if (i >= xp_runs(e))
			break;
		if (e->run[i].end - edge > o - edge)
			return 1;
	}
	return 0;
}

#endif
