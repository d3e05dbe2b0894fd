/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * t_full.c - what runs out: the completion ring, free areas, blocks for holes. Each has its reason
 * and its counter, harms nothing that was placed, and is over once the consumer goes on [R3 R8 R9].
 */
#include <errno.h>
#include <linux/bpf.h>
#include <string.h>

#include "context.h"
#include "stand.h"
#include "suites.h"

static struct packet segment(uint32_t at, uint32_t len)
{
	struct packet p = {.flags = ACK, .seq = 1000 + at, .len = len};

	return p;
}

static void open_with(struct xdplace_opts opts)
{
	struct packet syn = {.flags = SYN, .seq = 999};

	stand_open(&opts);
	stand_rule("tap stream any");
	stand_feed(0, &syn);
	stand_drain(0);
}

static uint64_t told_up_to(void)
{
	struct packet p = segment(0, 0);

	return stand_stream(&p)->next;
}

/* Send on from where the stream was told, as a sender does that gets no acknowledgement. */
static void retransmit_up_to(uint64_t end, uint32_t size)
{
	struct packet p;
	uint64_t at;
	unsigned turns;

	for (turns = 0; told_up_to() < end && turns < 100000; turns++) {
		at = told_up_to();
		p = segment(at, end - at < size ? end - at : size);
		stand_feed(0, &p);
		stand_drain(0);
	}
	ck_assert_uint_eq(told_up_to(), end);
}

/* The consumer stops, then goes on: what was told is there, the rest comes again. */
START_TEST(complete_ring_full)
{
	struct xdplace_opts opts = stand_opts();
	struct xp_counters counters;
	struct packet p;
	uint32_t i;

	opts.ring = XP_MIN_RING;
	open_with(opts);
	for (i = 0; i < 3000; i++) {
		p = segment(10 * i, 10);
		ck_assert_int_eq(stand_feed(0, &p), XDP_PASS);
	}
	counters = stand_counters();
	ck_assert_uint_eq(counters.op_append, XP_MIN_RING);
	ck_assert_uint_eq(counters.ring_full, 3000 - XP_MIN_RING);
	stand_audit();
	ck_assert_uint_eq(stand_drain(0), XP_MIN_RING);
	ck_assert_uint_eq(told_up_to(), 10 * XP_MIN_RING);
	retransmit_up_to(30000, 1000);
	ck_assert_uint_eq(stand_counters().ring_full, counters.ring_full);
}
END_TEST

/* Nothing of a packet is done if there is no room to tell all of it. */
START_TEST(complete_ring_full_for_new_flows)
{
	struct xdplace_opts opts = stand_opts();
	struct packet p = {.flags = SYN, .seq = 999};
	uint32_t i, told;

	opts.ring = XP_MIN_RING;
	opts.flows = 4096;
	open_with(opts);
	for (i = 1; i <= 2000; i++) {
		p.port = i;
		stand_feed(0, &p);
	}
	told = stand_counters().op_first;
	ck_assert_uint_eq(stand_flows(), told);
	ck_assert_uint_eq(stand_counters().ring_full, 2001 - told);
	ck_assert_uint_eq(told, 1 + XP_MIN_RING - XP_SLOW_ROOM + 1);
	ck_assert_uint_eq(stand_drain(0), told - 1);
	stand_feed(0, &p);
	ck_assert_uint_eq(stand_drain(0), 1);
}
END_TEST

/* A command that has something to tell says that the ring is full, and does nothing. */
START_TEST(complete_ring_full_for_commands)
{
	struct xdplace_opts opts = stand_opts();
	struct packet p = segment(0, 10);
	uint32_t i, handle;

	opts.ring = XP_MIN_RING;
	open_with(opts);
	handle = stand_flow(&p).handle;
	for (i = 0; i < XP_MIN_RING; i++) {
		p = segment(10 * i, 10);
		stand_feed(0, &p);
	}
	ck_assert_int_eq(xdplace_flow_del(stand.ctx, handle), -EAGAIN);
	ck_assert_uint_eq(stand_flow(&p).state, XP_FLOW_OPEN);
	stand_drain(0);
	ck_assert_int_eq(xdplace_flow_del(stand.ctx, handle), 0);
	stand_drain(0);
	ck_assert(stand.stream[0]->ended);
}
END_TEST

static struct xdplace_opts small_umem(void)
{
	struct xdplace_opts opts = stand_opts();

	opts.umem_size = 1 << 20;
	return opts;
}

/* Every area is with the consumer: 1 MiB of stream fills them, more finds none. */
START_TEST(free_areas_exhausted)
{
	struct xp_counters counters;
	struct packet p;
	uint32_t i;

	open_with(small_umem());
	for (i = 0; i < 600; i++) {
		p = segment(2048 * i, 2048);
		stand_feed(0, &p);
	}
	counters = stand_counters();
	ck_assert_uint_gt(counters.no_area, 0);
	ck_assert_uint_lt(counters.placed_bytes, 1 << 20);
	ck_assert_uint_gt(counters.placed_bytes, 800 << 10);
	stand_audit();
	stand_drain(0);
	ck_assert_uint_eq(told_up_to(), counters.placed_bytes);
	retransmit_up_to(2048 * 600, 2048);
}
END_TEST

/* Areas run out in the middle of a segment of many: what is told stays told. */
START_TEST(free_areas_exhausted_inside_a_segment)
{
	struct packet p;
	uint32_t i;

	open_with(small_umem());
	for (i = 0; i < 30; i++) {
		p = segment(60000 * i, 60000);
		stand_feed(0, &p);
	}
	ck_assert_uint_gt(stand_counters().no_area, 0);
	stand_audit();
	stand_drain(0);
	retransmit_up_to(60000 * 30, 60000);
}
END_TEST

/* Early data take areas as well; with the hole filled all is told. */
START_TEST(free_areas_exhausted_by_early_data)
{
	struct xdplace_opts opts = small_umem();
	struct packet p;
	uint32_t i;

	open_with(opts);
	for (i = 1; i < 250; i++) {
		p = segment(4096 * i, 4000);
		stand_feed(0, &p);
	}
	for (; i < 256; i++) {
		p = segment(4096 * i, 100);
		stand_feed(0, &p);
	}
	stand_drain(0);
	stand_audit();
	retransmit_up_to(4096 * 256, 4096);
}
END_TEST

/* Whole packets, small and large, and headers. */
START_TEST(free_areas_exhausted_by_whole_packets)
{
	struct packet p = {.flags = RST, .seq = 1, .port = 9};
	uint32_t i, no_area;

	open_with(small_umem());
	for (i = 0; i < 2000; i++) {
		p.len = i % 3 ? 1400 : i % 100;
		stand_feed(0, &p);
	}
	for (i = 0; i < 20; i++) {
		p.len = 30000;
		stand_feed(0, &p);
	}
	no_area = stand_counters().no_area;
	ck_assert_uint_gt(no_area, 0);
	stand_audit();
	stand_drain(0);
	p.len = 30000;
	stand_feed(0, &p);
	stand_drain(0);
	ck_assert_uint_eq(stand_counters().no_area, no_area);
}
END_TEST

/* Areas that the consumer keeps beyond the release are its own until it gives them back. */
START_TEST(areas_kept_by_the_consumer)
{
	struct xp_completion c[64];
	struct xdplace_audit audit;
	uint32_t area[64], i, n = 0, at = 0;
	struct packet p;
	int k, got;

	open_with(small_umem());
	for (i = 0; i < 40; i++) {
		p = segment(at, 4096);
		at += 4096;
		stand_feed(0, &p);
		got = xdplace_lane_poll(stand.lane[0], c, 64);
		for (k = 0; k < got; k++) {
			if (!(c[k].flags & XP_RELEASE_DATA))
				continue;
			ck_assert_int_eq(xdplace_lane_keep(stand.lane[0], k, XP_RELEASE_DATA), 0);
			area[n++] = c[k].data >> 12;
		}
		stand.told_bytes += 4096;
		ck_assert_int_eq(xdplace_lane_release(stand.lane[0], got), 0);
	}
	stand_stream(&p)->next = at;
	ck_assert_uint_eq(n, 40);
	ck_assert_int_eq(xdplace_audit(stand.ctx, &audit), 0);
	ck_assert_uint_eq(audit.state[XDPLACE_AREA_CONSUMER], 40);
	/* Used by nobody else, however much comes. */
	for (i = 0; i < 500; i++) {
		p = segment(at, 4000);
		at += 4000;
		stand_feed(0, &p);
		stand_drain(0);
	}
	for (i = 0; i < n; i++)
		for (k = 0; k < 4096; k++)
			if (stand.umem[area[i] * 4096u + k] != packet_byte(&p, 1000 + 4096 * i + k))
				ck_abort_msg("kept area %u was written at %d", area[i], k);
	for (i = 0; i < n; i++)
		ck_assert_int_eq(xdplace_area_release(stand.lane[0], area[i]), 0);
	ck_assert_int_eq(xdplace_area_release(stand.lane[0], area[0]), -EINVAL);
	ck_assert_int_eq(xdplace_audit(stand.ctx, &audit), 0);
	ck_assert_uint_eq(audit.state[XDPLACE_AREA_CONSUMER], 0);
}
END_TEST

/* More flows with holes than there are blocks to remember them in. [R12] */
START_TEST(early_blocks_exhausted)
{
	struct want early[WANTS] = {C(EARLY, .at = 100, .len = 100)};
	struct want full[WANTS] = {C(EARLY, .reason = XP_R_EARLY_FULL)};
	struct want fill[WANTS] = {C(APPEND, .len = 100),
				   C(APPEND, .at = 100, .len = 100, CAUGHT_UP)};
	struct xdplace_opts opts = stand_opts();
	struct packet p;
	unsigned i;

	opts.early = 2;
	open_with(opts);
	for (i = 1; i <= 3; i++) {
		p = (struct packet){.flags = SYN, .seq = 999, .port = i};
		stand_feed(0, &p);
		stand_drain(0);
	}
	for (i = 1; i <= 3; i++) {
		p = segment(100, 100);
		p.port = i;
		stand_run(0, &p, i < 3 ? early : full);
	}
	ck_assert_uint_eq(stand_counters().early_full, 1);
	p = segment(0, 100);
	p.port = 1;
	stand_run(0, &p, fill);
	p = segment(100, 100);
	p.port = 3;
	stand_run(0, &p, early);
	p.seq = 1000;
	stand_run(0, &p, fill);
}
END_TEST

/* The consumer's end of a lane belongs to one. */
START_TEST(lane_has_one_consumer)
{
	open_with(stand_opts());
	ck_assert_ptr_null(xdplace_lane_open(stand.ctx, 0));
	ck_assert_int_eq(errno, EBUSY);
	ck_assert_ptr_null(xdplace_lane_open(stand.ctx, 1));
	ck_assert_int_eq(errno, EINVAL);
	ck_assert_int_eq(xdplace_lane_release(stand.lane[0], 1), -EINVAL);
}
END_TEST

/* The next consumer sees again what the one before it had not released. */
START_TEST(next_consumer_goes_on)
{
	struct xp_completion a[64], b[64];
	struct packet p;
	int i, n;

	open_with(stand_opts());
	for (i = 0; i < 40; i++) {
		p = segment(1000 * i, 1000);
		stand_feed(0, &p);
	}
	n = xdplace_lane_poll(stand.lane[0], a, 64);
	ck_assert_int_eq(n, 40);
	xdplace_lane_close(stand.lane[0]);
	stand.lane[0] = xdplace_lane_open(stand.ctx, 0);
	ck_assert_ptr_nonnull(stand.lane[0]);
	ck_assert_int_eq(xdplace_lane_poll(stand.lane[0], b, 64), 40);
	ck_assert_mem_eq(a, b, sizeof(a[0]) * n);
	xdplace_lane_close(stand.lane[0]);
	stand.lane[0] = xdplace_lane_open(stand.ctx, 0);
	stand_audit();
	ck_assert_uint_eq(stand_drain(0), 40);
	ck_assert_uint_eq(told_up_to(), 40000);
}
END_TEST

/* The rings' indexes wrap in 32 bits: as many turns as can be had, all of small rings. */
START_TEST(rings_turn_many_times)
{
	struct xdplace_opts opts = small_umem();
	uint32_t i, at = 0;
	struct packet p;

	opts.ring = XP_MIN_RING;
	opts.hot = 16;
	open_with(opts);
	for (i = 0; i < 20000; i++) {
		p = segment(at, 1400);
		at += 1400;
		stand_feed(0, &p);
		if (i % 7 == 0)
			stand_drain(0);
	}
	stand_drain(0);
	ck_assert_uint_eq(told_up_to(), at);
	ck_assert_uint_eq(stand_counters().no_area, 0);
}
END_TEST

/* A consumer that sleeps is woken once; one that does not costs nothing. */
START_TEST(wake_up_only_the_sleeper)
{
	struct packet p = segment(0, 10);

	open_with(stand_opts());
	stand_feed(0, &p);
	ck_assert_uint_eq(stand_counters().wakeups, 0);
	stand_drain(0);
	ck_assert_int_eq(xdplace_lane_sleep(stand.lane[0]), 0);
	p = segment(10, 10);
	stand_feed(0, &p);
	p = segment(20, 10);
	stand_feed(0, &p);
	ck_assert_uint_eq(stand_counters().wakeups, 1);
	ck_assert_int_gt(xdplace_lane_wait(stand.lane[0], 1000), 0);
	xdplace_lane_awake(stand.lane[0]);
	stand_drain(0);
	ck_assert_int_eq(xdplace_lane_wait(stand.lane[0], 20), 0);
}
END_TEST

Suite *suite_full(void)
{
	Suite *suite = suite_create("full");
	TCase *tc = tcase_create("what runs out");

	tcase_set_timeout(tc, 60);
	tcase_add_checked_fixture(tc, NULL, stand_close);
	tcase_add_test(tc, complete_ring_full);
	tcase_add_test(tc, complete_ring_full_for_new_flows);
	tcase_add_test(tc, complete_ring_full_for_commands);
	tcase_add_test(tc, free_areas_exhausted);
	tcase_add_test(tc, free_areas_exhausted_inside_a_segment);
	tcase_add_test(tc, free_areas_exhausted_by_early_data);
	tcase_add_test(tc, free_areas_exhausted_by_whole_packets);
	tcase_add_test(tc, areas_kept_by_the_consumer);
	tcase_add_test(tc, early_blocks_exhausted);
	tcase_add_test(tc, lane_has_one_consumer);
	tcase_add_test(tc, next_consumer_goes_on);
	tcase_add_test(tc, rings_turn_many_times);
	tcase_add_test(tc, wake_up_only_the_sleeper);
	suite_add_tcase(suite, tc);
	return suite;
}
