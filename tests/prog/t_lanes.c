/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * t_lanes.c - several lanes, one flow database, and CPUs that meet on a flow [R9 R17].
 */
#include <linux/bpf.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include <bpf/bpf.h>

#include "context.h"
#include "stand.h"
#include "suites.h"

static void open_lanes(uint32_t lanes)
{
	struct xdplace_opts opts = stand_opts();

	opts.lanes = lanes;
	stand_open(&opts);
	stand_rule("tap stream any");
}

static struct packet segment(uint16_t port, uint32_t at, uint32_t len)
{
	struct packet p = {.flags = ACK, .seq = 1000 + at, .len = len, .port = port};

	return p;
}

static void run_on(uint32_t lane, uint32_t told_on, const struct packet *p, struct want w)
{
	struct want want[WANTS] = {w};
	uint32_t i;

	stand_feed(lane, p);
	for (i = 0; i < stand.config->lanes; i++)
		if (i != told_on)
			ck_assert_uint_eq(stand_drain(i), 0);
	stand_expect(told_on, p, want);
}

/* It is told of on the lane on which it began, wherever its packets arrive. */
START_TEST(flow_keeps_its_home_lane)
{
	struct packet syn = {.flags = SYN, .seq = 999, .port = 1}, p = segment(1, 0, 100);
	uint32_t i;

	open_lanes(4);
	run_on(2, 2, &syn, (struct want)C(FIRST, ));
	for (i = 0; i < 40; i++) {
		p = segment(1, 100 * i, 100);
		run_on(i % 4, 2, &p, (struct want)C(APPEND, .at = 100 * i, .len = 100));
	}
	ck_assert_uint_eq(stand_flow(&syn).lane, 2);
	p = segment(1, 5000, 100);
	run_on(0, 2, &p, (struct want)C(EARLY, .at = 5000, .len = 100));
	p = segment(1, 4000, 0);
	run_on(1, 2, &p, (struct want)C(NODATA, ));
	p = segment(1, 100, 100);
	run_on(3, 2, &p, (struct want)C(REPEAT, .reason = XP_R_REPEATED));
}
END_TEST

/* What belongs to no flow is told where it arrived. */
START_TEST(whole_packets_stay_on_their_lane)
{
	struct packet p = {.flags = RST, .seq = 1};
	uint32_t i;

	open_lanes(4);
	for (i = 0; i < 8; i++)
		run_on(i % 4, i % 4, &p, (struct want)C(FOREIGN, .reason = XP_R_NO_FLOW));
}
END_TEST

/* Each lane has its share of the table, and replaces in it. [R3 R17] */
START_TEST(each_lane_has_its_share_of_flows)
{
	struct want want[WANTS] = {C(TEARDOWN, .reason = XP_R_REPLACED, .flow = 1, END_FLOW),
				   C(REPLACE, )};
	struct xdplace_opts opts = stand_opts();
	struct packet p = {.flags = SYN, .seq = 999};
	uint32_t i;

	opts.lanes = 2;
	opts.flows = opts.early = 8;
	stand_open(&opts);
	stand_rule("tap stream any");
	for (i = 0; i < 4; i++) {
		p.port = 10 + i;
		run_on(0, 0, &p, (struct want)C(FIRST, ));
		p.port = 20 + i;
		run_on(1, 1, &p, (struct want)C(FIRST, ));
	}
	p.port = 30;
	stand_feed(0, &p);
	stand_expect(0, &p, want);
	ck_assert_uint_eq(stand_flows(), 8);
}
END_TEST

/* The other direction lives on another lane; its acknowledgements are known. [R13 R17] */
START_TEST(acknowledgements_across_lanes)
{
	struct packet syn = {.flags = SYN, .seq = 999}, p;
	struct packet back = {.flags = SYN | ACK, .seq = 4999, .ack = 1000, .reverse = 1};
	struct want gap[WANTS] = {C(EARLY, .at = 400, .len = 100),
				  C(EARLY, .reason = XP_R_GAP_ACKED, .gap = 100),
				  C(APPEND, .at = 100, .len = 400, CAUGHT_UP)};
	uint32_t i;

	open_lanes(2);
	run_on(0, 0, &syn, (struct want)C(FIRST, ));
	run_on(1, 1, &back, (struct want)C(FIRST, ));
	back = (struct packet){.flags = ACK, .seq = 5000, .ack = 1500, .reverse = 1};
	run_on(1, 1, &back, (struct want)C(NODATA, ));
	for (i = 1; i < 4; i++) {
		p = segment(0, 100 * i, 100);
		run_on(0, 0, &p, (struct want)C(EARLY, .at = 100 * i, .len = 100));
	}
	p = segment(0, 400, 100);
	stand_feed(0, &p);
	stand_expect(0, &p, gap);
}
END_TEST

/* A flow expected on a lane of its own choice. [R3 R17] */
START_TEST(flow_added_to_a_lane)
{
	struct xdplace_flow_opts opts = {.size = sizeof(opts), .lane = 3};
	struct packet p = {.flags = SYN, .seq = 999};
	union xp_key key;
	uint32_t handle;

	open_lanes(4);
	packet_key(&p, &key);
	ck_assert_int_eq(xdplace_flow_add(stand.ctx, &key, false, &opts, &handle), 0);
	run_on(0, 3, &p, (struct want)C(FIRST, ));
	ck_assert_int_eq(xdplace_flow_del(stand.ctx, handle), 0);
	ck_assert_uint_eq(stand_drain(3), 1);
}
END_TEST

/* A queue beyond the lanes of its interface, and an interface nobody knows: lane 0 or within. */
START_TEST(lane_settings_that_are_none)
{
	static const struct xp_port bad[] = {
		{.ifindex = 1, .lane = 77, .lanes = 1},
		{.ifindex = 1, .lane = 0, .lanes = 0},
		{.ifindex = 1, .lane = 0xffffffff, .lanes = 0xffffffff},
		{.ifindex = 0, .lane = 0, .lanes = 0},
	};
	struct packet p = {.flags = SYN, .seq = 999};
	uint32_t key = 1;
	int i;

	open_lanes(2);
	for (i = 0; i < COUNT(bad); i++) {
		p.port = 1 + i;
		stand.ctx->run_lane = 0; /* or the library would set it right */
		ck_assert(!bpf_map_update_elem(stand.ctx->map[XP_MAP_PORTS], &key, &bad[i], 0));
		run_on(0, 0, &p, (struct want)C(FIRST, ));
	}
}
END_TEST

/* ---- two CPUs ---- */

#define SEGMENT 700u
#define BLOCK 90u /* segments: less than the window */
#define BLOCKS 40u

struct sender {
	pthread_t thread;
	unsigned number;
	uint64_t run;
	struct frame frame;
};

static pthread_barrier_t barrier;

static void send_segment(struct sender *s, uint32_t n)
{
	struct packet p = segment(1, n * SEGMENT, SEGMENT);
	LIBBPF_OPTS(bpf_test_run_opts, run, .data_in = s->frame.bytes, .repeat = 1);

	packet_build(&p, &s->frame);
	run.data_size_in = s->frame.len;
	if (!bpf_prog_test_run_opts(stand.ctx->prog, &run))
		s->run++;
}

/* One sender goes up, the other down: each sends every segment of a block. */
static void *sending(void *arg)
{
	struct sender *s = arg;
	uint32_t block, i;

	for (block = 0; block < BLOCKS; block++) {
		pthread_barrier_wait(&barrier);
		for (i = 0; i < BLOCK; i++)
			send_segment(s, block * BLOCK + (s->number ? BLOCK - 1 - i : i));
		pthread_barrier_wait(&barrier);
	}
	return NULL;
}

static void drain_both(void)
{
	uint32_t i;

	for (i = 0; i < stand.config->lanes; i++)
		stand_drain(i);
}

/*
 * Every byte is placed once, in its place, and told once, though two CPUs are in the same flow
 * from two lanes: told equals placed, and the stream has no gap. A sender that loses its CPU
 * inside of a lane keeps others waiting in vain: then their packets pass, and are sent again.
 */
START_TEST(two_cpus_meet_on_one_flow)
{
	struct sender *senders = calloc(2, sizeof(*senders));
	struct packet syn = {.flags = SYN, .seq = 999, .port = 1}, p;
	uint32_t block, i, turns;

	ck_assert(senders != NULL);
	open_lanes(2);
	stand_feed(0, &syn);
	stand_drain(0);
	pthread_barrier_init(&barrier, NULL, 3);
	stand_move(true);
	for (i = 0; i < 2; i++) {
		senders[i].number = i;
		pthread_create(&senders[i].thread, NULL, sending, &senders[i]);
	}
	for (block = 0; block < BLOCKS; block++) {
		uint64_t end = (uint64_t)(block + 1) * BLOCK * SEGMENT;

		pthread_barrier_wait(&barrier);
		pthread_barrier_wait(&barrier);
		drain_both();
		for (turns = 0; stand_stream(&syn)->next < end && turns < 1000; turns++) {
			p = segment(1, stand_stream(&syn)->next, SEGMENT);
			stand_feed(0, &p);
			drain_both();
		}
		ck_assert_uint_eq(stand_stream(&syn)->next, end);
	}
	stand_move(false);
	for (i = 0; i < 2; i++) {
		pthread_join(senders[i].thread, NULL);
		stand.frames += senders[i].run;
		ck_assert_uint_eq(senders[i].run, BLOCKS * BLOCK);
	}
	ck_assert_uint_eq(stand_stream(&syn)->gaps, 0);
	ck_assert_uint_eq(stand_stream(&syn)->told, (uint64_t)BLOCKS * BLOCK * SEGMENT);
	ck_assert_uint_eq(stand_flow(&syn).lane, 0);
	free(senders);
}
END_TEST

Suite *suite_lanes(void)
{
	Suite *suite = suite_create("lanes");
	TCase *tc = tcase_create("lanes");

	tcase_set_timeout(tc, 60);
	tcase_add_checked_fixture(tc, NULL, stand_close);
	tcase_add_test(tc, flow_keeps_its_home_lane);
	tcase_add_test(tc, whole_packets_stay_on_their_lane);
	tcase_add_test(tc, each_lane_has_its_share_of_flows);
	tcase_add_test(tc, acknowledgements_across_lanes);
	tcase_add_test(tc, flow_added_to_a_lane);
	tcase_add_test(tc, lane_settings_that_are_none);
	tcase_add_test(tc, two_cpus_meet_on_one_flow);
	suite_add_tcase(suite, tc);
	return suite;
}
