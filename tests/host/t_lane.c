/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * t_lane.c - the consumer's side of a lane on plain memory: the test plays the XDP program.
 *
 * What is in kernel maps otherwise (completions, free rings, indexes) is a few arrays here.
 */
#include <errno.h>
#include <string.h>

#include <xdplace/ring.h>

#include "lane.h"
#include "suites.h"

#define RING 1024u
#define HOT 4u
#define COLD 64u
#define AREAS 256u

static struct xp_lane shared;
static struct xp_completion ring[RING];
static struct xp_free_group groups[HOT + COLD];
static uint8_t keep[RING];
static uint64_t kept[AREAS / 64];
static struct xdplace ctx;
static struct xdplace_lane lane;

static void set_up(void)
{
	memset(&shared, 0, sizeof(shared));
	memset(ring, 0, sizeof(ring));
	memset(groups, 0, sizeof(groups));
	memset(keep, 0, sizeof(keep));
	memset(kept, 0, sizeof(kept));
	ctx = (struct xdplace){
		.kept = kept,
		.config = {.ring = RING,
			   .hot = HOT,
			   .cold = COLD,
			   .areas = AREAS,
			   .lanes = 1,
			   .area_shift = 12,
			   .bank_shift = 20,
			   .banks = 1},
	};
	xp_layout(&ctx.config, &ctx.layout);
	lane = (struct xdplace_lane){.ctx = &ctx,
				     .shared = &shared,
				     .ring = ring,
				     .hot = groups,
				     .cold = groups + HOT,
				     .keep = keep};
}

/* Start all indexes just before they wrap. */
static void start_at(uint32_t index)
{
	shared.produced = shared.consumed = lane.consumed = lane.polled = index;
	shared.hot_produced = shared.hot_consumed = index;
	shared.cold_produced = shared.cold_consumed = index;
}

static void produce(uint8_t flags, uint32_t header_area, uint32_t data_area, uint32_t data2_area)
{
	struct xp_completion *c = &ring[shared.produced & (RING - 1)];

	*c = (struct xp_completion){.flags = flags,
				    .header = header_area << 12 | 514,
				    .data = data_area << 12 | 77,
				    .data2 = data2_area << 12};
	shared.produced++;
}

static void produce_areas(uint32_t first, uint32_t count)
{
	for (; count; count--)
		produce(XP_RELEASE_DATA, 0, first++, 0);
}

static int poll_all(void)
{
	struct xp_completion completions[RING];

	return xdplace_lane_poll(&lane, completions, RING);
}

static void check_group(const struct xp_free_group *group, uint32_t a, uint32_t b, uint32_t c,
			uint32_t d)
{
	const uint32_t areas[XP_FREE_GROUP] = {a, b, c, d};
	unsigned i;

	for (i = 0; i < XP_FREE_GROUP; i++) {
		ck_assert_uint_eq(group->free[i].area, areas[i]);
		ck_assert_uint_eq(group->free[i].zero, 0);
		ck_assert_uint_eq(group->free[i].address, (uint64_t)areas[i] << 12);
	}
}

START_TEST(poll_in_order_in_portions)
{
	struct xp_completion c[2];

	produce(0, 1, 0, 0);
	produce(0, 2, 0, 0);
	produce(0, 3, 0, 0);
	ck_assert_int_eq(xdplace_lane_poll(&lane, c, 2), 2);
	ck_assert_uint_eq(c[0].header >> 12, 1);
	ck_assert_uint_eq(c[1].header >> 12, 2);
	ck_assert_int_eq(xdplace_lane_poll(&lane, c, 2), 1);
	ck_assert_uint_eq(c[0].header >> 12, 3);
	ck_assert_int_eq(xdplace_lane_poll(&lane, c, 2), 0);
	ck_assert_uint_eq(shared.consumed, 0);
}
END_TEST

START_TEST(poll_full_ring_across_the_wrap)
{
	start_at(0xfffffff0u);
	produce_areas(1, RING);
	ck_assert_int_eq(poll_all(), RING);
	ck_assert_int_eq(xdplace_lane_release(&lane, RING), 0);
	ck_assert_uint_eq(shared.consumed, 0xfffffff0u + RING);
}
END_TEST

/* Indexes that the program would never write: nothing is read from beyond the ring. */
START_TEST(poll_damaged_produced)
{
	shared.produced = RING + 1;
	ck_assert_int_eq(poll_all(), 0);
	shared.produced = 0xffffffffu;
	ck_assert_int_eq(poll_all(), 0);
	shared.produced = 2;
	ck_assert_int_eq(poll_all(), 2);
	shared.produced = 1; /* runs backwards */
	ck_assert_int_eq(poll_all(), 0);
}
END_TEST

START_TEST(release_more_than_polled)
{
	produce(0, 1, 0, 0);
	ck_assert_int_eq(xdplace_lane_release(&lane, 1), -EINVAL);
	ck_assert_int_eq(poll_all(), 1);
	ck_assert_int_eq(xdplace_lane_release(&lane, 2), -EINVAL);
	ck_assert_int_eq(xdplace_lane_release(&lane, 1), 0);
	ck_assert_int_eq(xdplace_lane_release(&lane, 0), 0);
}
END_TEST

START_TEST(release_gives_only_what_is_flagged)
{
	produce(0, 1, 2, 3);
	produce(XP_RELEASE_FLOW, 1, 2, 3);
	produce(XP_RELEASE_HEADER, 4, 5, 6);
	produce(XP_RELEASE_DATA, 7, 8, 9);
	produce(XP_RELEASE_DATA2, 10, 11, 12);
	produce(XP_GAP | XP_RELEASE_DATA | XP_RELEASE_HEADER, 13, 14, 15); /* data is a length */
	poll_all();
	xdplace_lane_release(&lane, 6);
	ck_assert_uint_eq(shared.hot_produced, 1);
	check_group(&groups[0], 4, 8, 12, 13); /* in order of address */
	ck_assert_uint_eq(lane.rest_count, 0);
}
END_TEST

START_TEST(release_rest_waits_in_shared_memory)
{
	produce_areas(20, 3);
	poll_all();
	xdplace_lane_release(&lane, 3);
	ck_assert_uint_eq(shared.hot_produced, 0);
	ck_assert_uint_eq(shared.rest[0], 21);
	ck_assert_uint_eq(shared.rest[1], 22);
	ck_assert_uint_eq(shared.rest[2], 23);
	produce_areas(40, 1);
	poll_all();
	xdplace_lane_release(&lane, 1);
	check_group(&groups[0], 20, 21, 22, 40); /* what waited comes first */
	ck_assert_uint_eq(shared.rest[0] | shared.rest[1] | shared.rest[2], 0);
}
END_TEST

START_TEST(release_hot_full_goes_cold)
{
	produce_areas(0, 4 * (HOT + 2));
	poll_all();
	xdplace_lane_release(&lane, 4 * (HOT + 2));
	ck_assert_uint_eq(shared.hot_produced, HOT);
	ck_assert_uint_eq(shared.cold_produced, 2);
	check_group(&groups[HOT + 1], 20, 21, 22, 23);

	shared.hot_consumed = 1; /* the program has taken one: there is room again */
	produce_areas(100, 4);
	poll_all();
	xdplace_lane_release(&lane, 4);
	ck_assert_uint_eq(shared.hot_produced, HOT + 1);
	check_group(&groups[0], 100, 101, 102, 103);
}
END_TEST

/* The program takes one group for each that comes back, of the `ready` in the hot ring. */
static void go_round(unsigned ready)
{
	unsigned i;

	shared.hot_produced = shared.hot_consumed + ready;
	for (i = 0; i < 64; i++) {
		produce_areas(0, 4);
		poll_all();
		xdplace_lane_release(&lane, 4);
		shared.hot_consumed = shared.hot_produced - ready;
	}
	poll_all();
}

START_TEST(release_surplus_retires)
{
	ctx.config.hot = 16;
	lane.cold = groups + 16;
	go_round(7); /* left in the ring: not many */
	ck_assert_uint_eq(lane.retire, 0);
	go_round(15);
	ck_assert_uint_eq(shared.cold_produced, 0);
	produce_areas(100, 8);
	poll_all();
	xdplace_lane_release(&lane, 8);
	ck_assert_uint_eq(shared.cold_produced, 1); /* what comes next is hot */
	check_group(&groups[16], 100, 101, 102, 103);
}
END_TEST

START_TEST(release_all_areas_fit_one_lane)
{
	unsigned i;

	for (i = 0; i < AREAS; i++)
		xp_give(&lane, i);
	/* All but the guard and the three left over. */
	ck_assert_uint_eq(shared.hot_produced + shared.cold_produced, AREAS / 4 - 1);
}
END_TEST

static void count_log(void *arg, enum xdplace_log_level level, const char *text)
{
	++*(unsigned *)arg;
}

/* Damaged rings lose areas; they never write beyond the rings, and it is told once. */
START_TEST(release_damaged_rings)
{
	unsigned told = 0;

	ctx.logger = (struct xp_logger){count_log, &told};
	shared.hot_consumed = 7;
	shared.cold_consumed = 7;
	produce_areas(0, 12);
	poll_all();
	xdplace_lane_release(&lane, 12);
	ck_assert_uint_eq(shared.hot_produced, 0);
	ck_assert_uint_eq(shared.cold_produced, 0);
	ck_assert_uint_eq(told, 1);
}
END_TEST

START_TEST(release_damaged_completions)
{
	unsigned i;

	for (i = 0; i < 8; i++)
		produce(XP_RELEASE_HEADER | XP_RELEASE_DATA | XP_RELEASE_DATA2, AREAS, AREAS + 1,
			0xfffff);
	ring[7].header = ring[7].data = ring[7].data2 = XP_NONE;
	poll_all();
	ck_assert_int_eq(xdplace_lane_release(&lane, 8), 0);
	ck_assert_uint_eq(shared.hot_produced, 0);
	ck_assert_uint_eq(lane.rest_count, 0);
}
END_TEST

START_TEST(release_guard_and_own_areas_stay)
{
	ctx.config.own_areas = 17; /* 239 .. 254, and the guard 255 */
	xp_layout(&ctx.config, &ctx.layout);
	produce_areas(AREAS - 1, 1);
	produce_areas(240, 1);
	produce_areas(238, 1); /* left over when groups were made: 239 usable are not 4 x n */
	produce_areas(5, 1);
	poll_all();
	xdplace_lane_release(&lane, 4);
	ck_assert_uint_eq(lane.rest_count, 1);
	ck_assert_uint_eq(shared.rest[0], 6);
}
END_TEST

START_TEST(keep_until_released)
{
	produce(XP_RELEASE_HEADER | XP_RELEASE_DATA, 1, 2, 0);
	produce(XP_RELEASE_DATA, 0, 3, 0);
	poll_all();
	ck_assert_int_eq(xdplace_lane_keep(&lane, 0, XP_RELEASE_DATA), 0);
	ck_assert_int_eq(xdplace_area_release(&lane, 2), -EINVAL); /* not before its release */
	xdplace_lane_release(&lane, 2);
	ck_assert_uint_eq(lane.rest_count, 2);
	ck_assert_uint_eq(shared.rest[0], 2);
	ck_assert_uint_eq(shared.rest[1], 4);
	ck_assert_uint_eq(kept[0], 1 << 2);
	ck_assert_int_eq(xdplace_area_release(&lane, 2), 0);
	ck_assert_uint_eq(shared.rest[2], 3);
	ck_assert_int_eq(xdplace_area_release(&lane, 2), -EINVAL); /* only once */
	ck_assert_int_eq(xdplace_area_release(&lane, AREAS), -EINVAL);
}
END_TEST

START_TEST(keep_what_is_not_handed_over)
{
	produce(XP_RELEASE_DATA, 1, 2, 3);
	ck_assert_int_eq(xdplace_lane_keep(&lane, 0, XP_RELEASE_DATA), -EINVAL); /* not polled */
	poll_all();
	ck_assert_int_eq(xdplace_lane_keep(&lane, 0, XP_RELEASE_HEADER), -EINVAL);
	ck_assert_int_eq(xdplace_lane_keep(&lane, 0, 0), -EINVAL);
	ck_assert_int_eq(xdplace_lane_keep(&lane, 0, XP_RELEASE_FLOW), -EINVAL);
	ck_assert_int_eq(xdplace_lane_keep(&lane, 1, XP_RELEASE_DATA), -EINVAL);
}
END_TEST

START_TEST(keep_is_forgotten_with_its_slot)
{
	produce(XP_RELEASE_DATA, 0, 2, 0);
	poll_all();
	xdplace_lane_keep(&lane, 0, XP_RELEASE_DATA);
	xdplace_lane_release(&lane, 1);
	start_at(RING); /* once around: the same slot */
	produce(XP_RELEASE_DATA, 0, 9, 0);
	poll_all();
	xdplace_lane_release(&lane, 1);
	ck_assert_uint_eq(shared.rest[0], 10);
}
END_TEST

/* Only who is looking all the time while completions come is held up, and not for long. */
START_TEST(poll_lets_some_come)
{
	uint64_t begin = xp_now_ns();

	ck_assert_int_eq(poll_all(), 0);
	ck_assert_uint_eq(lane.next_look, 0);
	produce_areas(0, 1);
	ck_assert_int_eq(poll_all(), 1);
	ck_assert_uint_ge(lane.next_look, begin + 1000);
	begin = lane.next_look;
	ck_assert_int_eq(poll_all(), 0);
	ck_assert_uint_ge(xp_now_ns(), begin);
	ck_assert_uint_eq(lane.next_look, 0);
	produce_areas(1, 2); /* nor who takes them one by one */
	ck_assert_int_eq(xdplace_lane_poll(&lane, &(struct xp_completion){0}, 1), 1);
	ck_assert_uint_eq(lane.next_look, 0);
}
END_TEST

START_TEST(sleep_later_in_a_fast_stream)
{
	const uint64_t ms = 1000000;

	ck_assert(!xp_comes_fast(&lane, 1000 * ms));
	lane.polled += 90; /* in a millisecond */
	ck_assert(!xp_comes_fast(&lane, 1001 * ms));
	lane.polled += 110;
	ck_assert(xp_comes_fast(&lane, 1002 * ms));
	ck_assert(xp_comes_fast(&lane, 1002 * ms + 1)); /* too soon to know better */
	ck_assert(!xp_comes_fast(&lane, 1003 * ms));
}
END_TEST

START_TEST(sleep_only_if_nothing_is_there)
{
	ck_assert_int_eq(xdplace_lane_sleep(&lane), 0);
	ck_assert_uint_eq(shared.need_wakeup, 1);
	produce(0, 1, 0, 0);
	ck_assert_int_eq(xdplace_lane_sleep(&lane), 1);
	ck_assert_uint_eq(shared.need_wakeup, 0);
}
END_TEST

Suite *suite_lane(void)
{
	Suite *suite = suite_create("lane");
	TCase *tcase = tcase_create("lane");

	tcase_add_checked_fixture(tcase, set_up, NULL);
	tcase_add_test(tcase, poll_in_order_in_portions);
	tcase_add_test(tcase, poll_full_ring_across_the_wrap);
	tcase_add_test(tcase, poll_damaged_produced);
	tcase_add_test(tcase, release_more_than_polled);
	tcase_add_test(tcase, release_gives_only_what_is_flagged);
	tcase_add_test(tcase, release_rest_waits_in_shared_memory);
	tcase_add_test(tcase, release_hot_full_goes_cold);
	tcase_add_test(tcase, release_surplus_retires);
	tcase_add_test(tcase, release_all_areas_fit_one_lane);
	tcase_add_test(tcase, release_damaged_rings);
	tcase_add_test(tcase, release_damaged_completions);
	tcase_add_test(tcase, release_guard_and_own_areas_stay);
	tcase_add_test(tcase, keep_until_released);
	tcase_add_test(tcase, keep_what_is_not_handed_over);
	tcase_add_test(tcase, keep_is_forgotten_with_its_slot);
	tcase_add_test(tcase, poll_lets_some_come);
	tcase_add_test(tcase, sleep_later_in_a_fast_stream);
	tcase_add_test(tcase, sleep_only_if_nothing_is_there);
	suite_add_tcase(suite, tcase);
	return suite;
}
