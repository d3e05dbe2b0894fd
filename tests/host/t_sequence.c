/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * t_sequence.c - the runs beyond a hole against a map with a bit for each byte [R12].
 */
#include <string.h>

#include "sequence.h"
#include "suites.h"

#define SPAN 4096u /* bytes of the stream that the map covers */

static struct xp_early early;
static unsigned char map[SPAN]; /* 1: arrived */
static __u32 base; /* stream offset of map[0], low 32 bits; the edge is here or beyond */

static __u32 state = 2463534242u;

static __u32 random_below(__u32 n)
{
	state ^= state << 13;
	state ^= state >> 17;
	state ^= state << 5;
	return state % n;
}

static void start(__u32 offset)
{
	memset(&early, 0, sizeof(early));
	memset(map, 0, sizeof(map));
	base = offset;
}

/* Runs are exactly the stretches of ones, disjoint, not touching. */
static void runs_match_map(void)
{
	unsigned char seen[SPAN] = {0};
	__u32 i, k, from, to;

	for (i = 0; i < early.count; i++) {
		from = early.run[i].start - base;
		to = early.run[i].end - base;
		ck_assert_msg(from < to && to <= SPAN, "run %u: %u .. %u", i, from, to);
		ck_assert_msg(!from || !map[from - 1], "run %u begins inside arrived bytes", i);
		ck_assert_msg(to == SPAN || !map[to], "run %u ends inside arrived bytes", i);
		for (k = from; k < to; k++) {
			if (seen[k])
				ck_abort_msg("byte %u is in two runs", k);
			seen[k] = 1;
		}
	}
	ck_assert(!memcmp(seen, map, SPAN));
}

static int naive_uncovered(__u32 *at, __u32 *upto)
{
	__u32 from = *at, to;

	while (from < *upto && map[from])
		from++;
	if (from == *upto)
		return 0;
	for (to = from; to < *upto && !map[to]; to++)
		;
	*at = from;
	*upto = to;
	return 1;
}

static __u32 naive_hole(void)
{
	__u32 i;

	for (i = 0; i < SPAN; i++)
		if (map[i])
			return i;
	return 0;
}

/* Place a segment as the program does: every uncovered piece, in pieces of any size. */
static int place(__u32 from, __u32 to)
{
	__u32 at, upto, want_at, want_upto;
	int more, want;

	for (;;) {
		at = base + from;
		upto = base + to;
		want_at = from;
		want_upto = to;
		more = xp_runs_uncovered(&early, base, &at, &upto);
		want = naive_uncovered(&want_at, &want_upto);
		ck_assert_int_eq(more, want);
		if (!more)
			return 0;
		ck_assert_uint_eq(at - base, want_at);
		ck_assert_uint_eq(upto - base, want_upto);
		if (upto - at > 100)
			upto = at + 100;
		if (xp_runs_add(&early, at, upto))
			return -1;
		memset(map + (at - base), 1, upto - at);
	}
}

/* Any segments in any order, at offsets that wrap and that do not. */
static void random_runs(__u32 offset)
{
	__u32 i, from, len;

	start(offset);
	for (i = 0; i < 300; i++) {
		from = 1 + random_below(SPAN - 1);
		len = 1 + random_below(i & 1 ? 20 : 200);
		place(from, from + len < SPAN ? from + len : SPAN);
		if (i % 8 == 0)
			runs_match_map();
		ck_assert_uint_eq(xp_runs_hole(&early, base), naive_hole());
	}
	runs_match_map();
}

START_TEST(runs_as_a_naive_map)
{
	static const __u32 offsets[] = {0, 1, 0x7fffff00, 0x80000000, 0xfffff000, 0xffffffff};
	int i, k;

	for (k = 0; k < 3; k++)
		for (i = 0; i < COUNT(offsets); i++)
			random_runs(offsets[i]);
}
END_TEST

START_TEST(runs_of_adjacent_segments_are_one)
{
	start(0xfffffff0);
	ck_assert(!xp_runs_add(&early, base + 10, base + 20));
	ck_assert(!xp_runs_add(&early, base + 30, base + 40));
	ck_assert_uint_eq(early.count, 2);
	ck_assert(!xp_runs_add(&early, base + 20, base + 30));
	ck_assert_uint_eq(early.count, 1);
	ck_assert_uint_eq(early.run[0].start, base + 10);
	ck_assert_uint_eq(early.run[0].end, base + 40);
}
END_TEST

/* The 129th run is refused and changes nothing; one that joins another still fits. */
START_TEST(runs_full)
{
	__u32 i;

	start(5);
	for (i = 0; i < XP_MAX_RUNS; i++)
		ck_assert(!xp_runs_add(&early, base + 20 * i + 10, base + 20 * i + 20));
	ck_assert_int_eq(xp_runs_add(&early, base + 4000, base + 4010), -1);
	ck_assert_uint_eq(early.count, XP_MAX_RUNS);
	ck_assert(!xp_runs_add(&early, base + 20, base + 25));
	ck_assert(!xp_runs_add(&early, base + 25, base + 30));
	ck_assert_uint_eq(early.count, XP_MAX_RUNS - 1);
}
END_TEST

START_TEST(runs_find_start_and_end)
{
	start(0);
	ck_assert(!xp_runs_find(&early, 10, 0));
	ck_assert(!xp_runs_add(&early, 10, 20));
	ck_assert(!xp_runs_add(&early, 30, 40));
	ck_assert(xp_runs_find(&early, 30, 0));
	ck_assert_uint_eq(xp_found(&early), 1);
	ck_assert(xp_runs_find(&early, 20, 1));
	ck_assert_uint_eq(xp_found(&early), 0);
	ck_assert(!xp_runs_find(&early, 20, 0));
	ck_assert(!xp_runs_find(&early, 15, 0));
}
END_TEST

START_TEST(runs_hole_is_the_nearest)
{
	start(0xffffffc0);
	ck_assert_uint_eq(xp_runs_hole(&early, base), 0);
	ck_assert(!xp_runs_add(&early, base + 300, base + 310));
	ck_assert_uint_eq(xp_runs_hole(&early, base), 300);
	ck_assert(!xp_runs_add(&early, base + 100, base + 110));
	ck_assert_uint_eq(xp_runs_hole(&early, base), 100);
	xp_runs_remove(&early, 1);
	ck_assert_uint_eq(xp_runs_hole(&early, base), 300);
}
END_TEST

START_TEST(distance_wraps)
{
	ck_assert_int_eq(xp_distance(5, 9), 4);
	ck_assert_int_eq(xp_distance(9, 5), -4);
	ck_assert_int_eq(xp_distance(0xffffffff, 0), 1);
	ck_assert_int_eq(xp_distance(0, 0xffffffff), -1);
	ck_assert_int_eq(xp_distance(0, 0x7fffffff), 0x7fffffff);
}
END_TEST

Suite *suite_sequence(void)
{
	Suite *suite = suite_create("sequence");
	TCase *tc = tcase_create("runs");

	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, runs_as_a_naive_map);
	tcase_add_test(tc, runs_of_adjacent_segments_are_one);
	tcase_add_test(tc, runs_full);
	tcase_add_test(tc, runs_find_start_and_end);
	tcase_add_test(tc, runs_hole_is_the_nearest);
	tcase_add_test(tc, distance_wraps);
	suite_add_tcase(suite, tc);
	return suite;
}
