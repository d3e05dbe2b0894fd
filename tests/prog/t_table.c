/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * t_table.c - the flow database: full, aged, by command [R3]. What ends is told, what it held
 * comes back.
 */
#include <errno.h>
#include <linux/bpf.h>
#include <string.h>

#include "stand.h"
#include "suites.h"

static const struct want first[WANTS] = {C(FIRST)};

static struct packet syn_of(uint16_t port)
{
	struct packet p = {.flags = SYN, .seq = 999, .port = port};

	return p;
}

static struct packet data_of(uint16_t port, uint32_t at, uint32_t len)
{
	struct packet p = {.flags = ACK, .seq = 1000 + at, .len = len, .port = port};

	return p;
}

static void open_with(struct xdplace_opts opts)
{
	stand_open(&opts);
	stand_rule("tap stream any");
}

static void run(struct packet p, struct want a, struct want b)
{
	struct want want[WANTS] = {a, b};

	stand_run(0, &p, want);
}

static const struct want no_more;

static void open_flows(unsigned count)
{
	unsigned i;

	for (i = 1; i <= count; i++) {
		struct packet p = syn_of(i);

		stand_run(0, &p, first);
	}
}

/* The n-th flow opened goes, this one comes. */
static void replaces(uint16_t port, unsigned n, uint64_t at)
{
	struct want gone = C(TEARDOWN, .reason = XP_R_REPLACED, .flow = n, .at = at, END_FLOW);
	struct want came = C(REPLACE, );

	run(syn_of(port), gone, came);
}

/* [R3] */
START_TEST(least_recently_active_flow_is_replaced)
{
	struct xdplace_opts opts = stand_opts();

	opts.flows = opts.early = 4;
	open_with(opts);
	open_flows(4);
	run(data_of(1, 0, 10), (struct want)C(APPEND, .len = 10), no_more);
	run(data_of(3, 0, 10), (struct want)C(APPEND, .len = 10), no_more);
	run(data_of(2, 0, 0), (struct want)C(NODATA, ), no_more);
	replaces(5, 4, 0);
	replaces(6, 1, 10);
	run(data_of(3, 10, 10), (struct want)C(APPEND, .at = 10, .len = 10), no_more);
	replaces(7, 2, 0);
	replaces(8, 5, 0);
	replaces(9, 6, 0);
	replaces(10, 3, 20);
	ck_assert_uint_eq(stand_flows(), 4);
	ck_assert_uint_eq(stand_counters().replaced, 6);
	ck_assert_uint_eq(stand_counters().op_replace, 6);
}
END_TEST

/* Packets that are not placed are activity as well. [R3] */
START_TEST(repetition_is_activity)
{
	struct xdplace_opts opts = stand_opts();

	opts.flows = opts.early = 2;
	open_with(opts);
	open_flows(2);
	run(syn_of(1), (struct want)C(NODATA, ), no_more);
	replaces(3, 2, 0);
}
END_TEST

/* [R3 R13] */
START_TEST(replaced_flow_with_holes)
{
	struct xdplace_opts opts = stand_opts();
	struct packet p = syn_of(2);
	struct want want[WANTS] = {
		C(TEARDOWN, .reason = XP_R_REPLACED, .gap = 100, .flow = 1),
		C(APPEND, .at = 100, .len = 10, .flow = 1, CAUGHT_UP),
		C(TEARDOWN, .reason = XP_R_REPLACED, .at = 110, .flow = 1, END_FLOW),
		C(REPLACE, ),
	};

	opts.flows = opts.early = 1;
	open_with(opts);
	open_flows(1);
	run(data_of(1, 100, 10), (struct want)C(EARLY, .at = 100, .len = 10), no_more);
	stand_run(0, &p, want);
}
END_TEST

/* The entry of an ended flow is taken without a word. [R3] */
START_TEST(ended_flow_makes_room)
{
	struct xdplace_opts opts = stand_opts();
	struct packet fin = data_of(1, 0, 0);
	struct packet p = syn_of(3);

	opts.flows = opts.early = 2;
	open_with(opts);
	open_flows(2);
	fin.flags |= FIN;
	run(fin, (struct want)C(LAST, .reason = XP_R_FINISHED, END_FLOW), no_more);
	run(data_of(2, 0, 10), (struct want)C(APPEND, .len = 10), no_more);
	stand_run(0, &p, first);
	ck_assert_uint_eq(stand_counters().replaced, 0);
}
END_TEST

/* The entry of an ended flow goes before a flow that lives, however idle that is. [R3] */
START_TEST(ended_flow_goes_before_an_idle_one)
{
	struct xdplace_opts opts = stand_opts();
	struct packet fin = data_of(2, 0, 0);
	struct packet p = syn_of(3);

	opts.flows = opts.early = 2;
	open_with(opts);
	open_flows(2);
	fin.flags |= FIN;
	run(fin, (struct want)C(LAST, .reason = XP_R_FINISHED, END_FLOW), no_more);
	stand_run(0, &p, first);
	ck_assert_uint_eq(stand_counters().replaced, 0);
	run(data_of(1, 0, 10), (struct want)C(APPEND, .len = 10), no_more);
}
END_TEST

/* Far more flows than there is room for, all with data, some with holes. [R3] */
START_TEST(many_more_flows_than_room)
{
	struct xdplace_opts opts = stand_opts();
	struct packet p;
	unsigned i;

	opts.flows = 64;
	opts.early = 16;
	open_with(opts);
	for (i = 1; i <= 2000; i++) {
		p = syn_of(i);
		p.v6 = i & 1;
		stand_feed(0, &p);
		stand_drain(0);
		p = data_of(i, i % 3 ? 0 : 100, 500);
		p.v6 = i & 1;
		stand_feed(0, &p);
		stand_drain(0);
	}
	ck_assert_uint_eq(stand_flows(), 64);
	ck_assert_uint_eq(stand_counters().replaced, 2000 - 64);
	for (i = 0; i < stand.streams - 64; i++)
		ck_assert(stand.stream[i]->ended);
}
END_TEST

static void tick(void)
{
	ck_assert_msg(!xdplace_lane_tick(stand.lane[0]), "%s", xdplace_error());
}

/* [R3] */
START_TEST(idle_flow_ages)
{
	struct want want[WANTS] = {C(TEARDOWN, .reason = XP_R_AGED, .at = 10, END_FLOW)};
	struct xdplace_opts opts = stand_opts();
	struct packet p = syn_of(1);

	opts.flow_age_ms = 300;
	open_with(opts);
	open_flows(2);
	run(data_of(1, 0, 10), (struct want)C(APPEND, .len = 10), no_more);
	stand_sleep_ms(200);
	run(data_of(2, 0, 10), (struct want)C(APPEND, .len = 10), no_more);
	stand_sleep_ms(200);
	tick();
	stand_expect(0, &p, want);
	ck_assert_uint_eq(stand_flows(), 1);
	run(data_of(2, 10, 10), (struct want)C(APPEND, .at = 10, .len = 10), no_more);
	ck_assert_uint_eq(stand_counters().aged, 1);
}
END_TEST

/* [R3] */
START_TEST(idle_flows_age_behind_a_busy_one_in_a_large_table)
{
	struct xdplace_opts opts = stand_opts();
	unsigned i;

	opts.flows = 1024;
	opts.flow_age_ms = 300;
	opts.closed_age_ms = 20;
	open_with(opts);
	open_flows(6);
	for (i = 0; i < 8; i++) {
		stand_sleep_ms(50);
		run(data_of(1, 10 * i, 10), (struct want)C(APPEND, .at = 10 * i, .len = 10),
		    no_more);
	}
	while (xdplace_lane_tick(stand.lane[0]) > 0)
		stand_drain(0);
	stand_drain(0);
	ck_assert_uint_eq(stand_counters().aged, 5);
	ck_assert_uint_eq(stand_flows(), 1);
}
END_TEST

/* Flows that were active more than once, among busy ones, with ticks all the time. [R3] */
START_TEST(idle_flows_age_among_busy_ones_in_a_large_table)
{
	enum { FLOWS = 60, BUSY = 6 };
	struct xdplace_opts opts = stand_opts();
	unsigned i, round;

	opts.flows = 1024;
	opts.flow_age_ms = 300;
	opts.closed_age_ms = 100;
	open_with(opts);
	open_flows(FLOWS);
	stand_sleep_ms(40);
	for (round = 0; round < 25; round++) {
		for (i = 1; i <= FLOWS; i += round ? FLOWS / BUSY : 1)
			run(data_of(i, 10 * round, 10),
			    (struct want)C(APPEND, .at = 10 * round, .len = 10), no_more);
		stand_sleep_ms(40);
		tick();
		stand_drain(0);
	}
	ck_assert_uint_eq(stand_flows(), BUSY);
	ck_assert_uint_eq(stand_counters().aged, FLOWS - BUSY);
}
END_TEST

/* [R3] */
START_TEST(idle_flow_never_ages_if_not_wanted)
{
	struct xdplace_opts opts = stand_opts();

	opts.flow_age_ms = UINT32_MAX;
	open_with(opts);
	open_flows(1);
	stand_sleep_ms(100);
	tick();
	ck_assert_uint_eq(stand_drain(0), 0);
	ck_assert_uint_eq(stand_flows(), 1);
}
END_TEST

/* The entry of an ended flow recognises stragglers for a while, then goes without a word. [R3] */
START_TEST(ended_flow_is_forgotten)
{
	struct xdplace_opts opts = stand_opts();
	struct packet fin = data_of(1, 0, 10);

	opts.closed_age_ms = 100;
	open_with(opts);
	open_flows(1);
	fin.flags |= FIN;
	run(fin, (struct want)C(LAST, .reason = XP_R_FINISHED, .len = 10, END_FLOW), no_more);
	tick();
	ck_assert_uint_eq(stand_flows(), 1);
	stand_sleep_ms(200);
	tick();
	ck_assert_uint_eq(stand_flows(), 0);
	ck_assert_uint_eq(stand_drain(0), 0);
	/* A stray data segment now is of no known flow. */
	run(data_of(1, 10, 10), (struct want)C(FIRST, .len = 10), no_more);
}
END_TEST

static uint32_t handle_of(const struct packet *p)
{
	return stand_flow(p).handle;
}

/* [R3] */
START_TEST(flow_deleted_by_command)
{
	struct want want[WANTS] = {C(TEARDOWN, .reason = XP_R_DELETED, .gap = 100),
				   C(APPEND, .at = 100, .len = 10, CAUGHT_UP),
				   C(TEARDOWN, .reason = XP_R_DELETED, .at = 110, END_FLOW)};
	struct packet p = syn_of(1);
	struct xp_flow flow;
	uint32_t handle;

	stand_open(NULL);
	open_flows(1);
	run(data_of(1, 100, 10), (struct want)C(EARLY, .at = 100, .len = 10), no_more);
	handle = handle_of(&p);
	ck_assert_int_eq(xdplace_flow_del(stand.ctx, handle), 0);
	stand_expect(0, &p, want);
	ck_assert_int_eq(xdplace_flow_get(stand.ctx, handle, &flow), -ENOENT);
	ck_assert_int_eq(xdplace_flow_del(stand.ctx, handle), -ENOENT);
	ck_assert_uint_eq(stand_flows(), 0);
	/* The key is free: the next packet starts another flow, under another handle. */
	stand_run(0, &p, first);
	ck_assert_uint_ne(handle_of(&p), handle);
	ck_assert_int_eq(xdplace_flow_get(stand.ctx, handle, &flow), -ENOENT);
}
END_TEST

static uint32_t add_flow(const struct packet *p, const struct xdplace_flow_opts *opts)
{
	union xp_key key;
	uint32_t handle;

	packet_key(p, &key);
	ck_assert_msg(!xdplace_flow_add(stand.ctx, &key, p->v6, opts, &handle), "%s",
		      xdplace_error());
	return handle;
}

/* Its packets are placed without a rule; those of others are not. [R3 R16] */
START_TEST(flow_added_by_command)
{
	struct xdplace_flow_opts take = {.size = sizeof(take), .take = true};
	struct xdplace_opts opts = stand_opts();
	struct packet p = syn_of(1), other = syn_of(2), p6 = syn_of(3);
	const struct want nothing[WANTS] = {{0}};
	uint32_t handle, twice;
	union xp_key key;

	stand_open(&opts);
	handle = add_flow(&p, &take);
	p6.v6 = 1;
	add_flow(&p6, NULL);
	packet_key(&p, &key);
	ck_assert_int_eq(xdplace_flow_add(stand.ctx, &key, false, NULL, &twice), -EEXIST);
	stand.action = XDP_DROP;
	stand_run(0, &p, first);
	ck_assert_uint_eq(handle_of(&p), handle);
	run(data_of(1, 0, 10), (struct want)C(APPEND, .len = 10), no_more);
	stand.action = XDP_PASS;
	stand_run(0, &p6, first);
	stand_run(0, &other, nothing);
}
END_TEST

/* An expected flow may begin in mid-stream; an ACK alone does not begin it. [R3 R13] */
START_TEST(expected_flow_is_picked_up)
{
	struct xdplace_opts opts = stand_opts();
	struct packet p = data_of(1, 0, 10), ack = data_of(1, 0, 0);
	uint32_t handle;

	stand_open(&opts);
	handle = add_flow(&p, NULL);
	stand_known(handle, &p);
	run(ack, (struct want)C(NODATA, .reason = XP_R_NO_FLOW), no_more);
	run(p, (struct want)C(FIRST, .len = 10), no_more);
}
END_TEST

/* [R3] */
START_TEST(expected_flow_deleted)
{
	struct want want[WANTS] = {C(TEARDOWN, .reason = XP_R_DELETED, END_FLOW)};
	struct packet p = syn_of(1);
	uint32_t handle;

	stand_open(NULL);
	handle = add_flow(&p, NULL);
	stand_known(handle, &p);
	ck_assert_int_eq(xdplace_flow_del(stand.ctx, handle), 0);
	stand_expect(0, &p, want);
	stand_run(0, &p, first);
}
END_TEST

/* Commands with names that are none. [R3 R8] */
START_TEST(handles_that_are_none)
{
	static const uint32_t handles[] = {0, 1, 255, 256, 0xfffff, 1u << 20, XP_NONE};
	struct xp_flow flow;
	int i;

	stand_open(NULL);
	for (i = 0; i < COUNT(handles); i++) {
		ck_assert_int_eq(xdplace_flow_get(stand.ctx, handles[i], &flow), -ENOENT);
		ck_assert_int_eq(xdplace_flow_del(stand.ctx, handles[i]), -ENOENT);
	}
}
END_TEST

/* The end of a capture: everything is told, everything comes back. [R3 R13] */
START_TEST(flush_ends_all_flows)
{
	struct packet p = syn_of(1), q = data_of(2, 5000, 3000);
	unsigned i;

	stand_open(NULL);
	open_flows(40);
	for (i = 1; i <= 40; i++) {
		p = data_of(i, 0, 100 * i);
		stand_feed(0, &p);
	}
	stand_feed(0, &q);
	while (xdplace_lane_flush(stand.lane[0]) > 0)
		stand_drain(0);
	stand_drain(0);
	ck_assert_uint_eq(stand_flows(), 0);
	ck_assert_uint_eq(stand_counters().flushed, 40 + 1);
	for (i = 0; i < stand.streams; i++)
		ck_assert(stand.stream[i]->ended);
	ck_assert_uint_eq(stand_stream(&q)->gaps, 5000 - 200);
	ck_assert_uint_eq(stand_stream(&q)->next, 8000);
}
END_TEST

/* A ring too full for the end of a flow is the consumer's turn, nothing is lost. [R3] */
START_TEST(flush_waits_for_the_consumer)
{
	struct xdplace_opts opts = stand_opts();
	unsigned turns = 0;
	int left;

	opts.flows = 1000;
	opts.ring = XP_MIN_RING;
	open_with(opts);
	open_flows(900);
	do {
		left = xdplace_lane_flush(stand.lane[0]);
		stand_drain(0);
		turns++;
	} while (left > 0);
	ck_assert_int_eq(left, 0);
	ck_assert_uint_gt(turns, 1);
	ck_assert_uint_eq(stand_flows(), 0);
	ck_assert_uint_eq(stand_counters().flushed, 900);
}
END_TEST

/* What a flow's entry says of it. [R3] */
START_TEST(flow_counts)
{
	struct packet p = syn_of(1);
	struct xp_flow flow;

	stand_open(NULL);
	open_flows(1);
	run(data_of(1, 0, 100), (struct want)C(APPEND, .len = 100), no_more);
	run(data_of(1, 0, 100), (struct want)C(REPEAT, .reason = XP_R_REPEATED), no_more);
	run(data_of(1, 200, 100), (struct want)C(EARLY, .at = 200, .len = 100), no_more);
	p.flags = ACK;
	p.seq = 1100;
	p.ack = 77;
	run(p, (struct want)C(NODATA, ), no_more);
	flow = stand_flow(&p);
	ck_assert_uint_eq(flow.state, XP_FLOW_OPEN);
	ck_assert_uint_eq(flow.packets, 5);
	ck_assert_uint_eq(flow.bytes, 200);
	ck_assert_uint_eq(flow.edge, 100);
	ck_assert_uint_eq(flow.next, 1100);
	ck_assert_uint_eq(flow.isn, 1000);
	ck_assert_uint_eq(flow.ack, 77);
	ck_assert_uint_eq(flow.repeats, 1);
	ck_assert_uint_eq(flow.earlies, 1);
	ck_assert_uint_eq(flow.lane, 0);
	ck_assert(!(flow.flags & XP_FLOW_PICKED));
}
END_TEST

Suite *suite_table(void)
{
	Suite *suite = suite_create("table");
	TCase *tc = tcase_create("flows");

	tcase_set_timeout(tc, 60);
	tcase_add_checked_fixture(tc, NULL, stand_close);
	tcase_add_test(tc, least_recently_active_flow_is_replaced);
	tcase_add_test(tc, repetition_is_activity);
	tcase_add_test(tc, replaced_flow_with_holes);
	tcase_add_test(tc, ended_flow_makes_room);
	tcase_add_test(tc, ended_flow_goes_before_an_idle_one);
	tcase_add_test(tc, many_more_flows_than_room);
	tcase_add_test(tc, idle_flow_ages);
	tcase_add_test(tc, idle_flows_age_behind_a_busy_one_in_a_large_table);
	tcase_add_test(tc, idle_flows_age_among_busy_ones_in_a_large_table);
	tcase_add_test(tc, idle_flow_never_ages_if_not_wanted);
	tcase_add_test(tc, ended_flow_is_forgotten);
	tcase_add_test(tc, flow_deleted_by_command);
	tcase_add_test(tc, flow_added_by_command);
	tcase_add_test(tc, expected_flow_is_picked_up);
	tcase_add_test(tc, expected_flow_deleted);
	tcase_add_test(tc, handles_that_are_none);
	tcase_add_test(tc, flush_ends_all_flows);
	tcase_add_test(tc, flush_waits_for_the_consumer);
	tcase_add_test(tc, flow_counts);
	suite_add_tcase(suite, tc);
	return suite;
}
