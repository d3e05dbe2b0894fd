/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * t_abuse.c - user space that writes garbage where it may write: free rings, indexes, rules,
 * settings, commands [R8 R10].
 *
 * Nothing is ever placed outside of areas that were offered (own areas and guards are the
 * canaries), and once the garbage has ended the lane's next consumer finds all in order. What
 * user space does to itself meanwhile, such as offering an area that it still reads, is its own.
 */
#include <errno.h>
#include <linux/bpf.h>
#include <string.h>

#include <bpf/bpf.h>

#include "context.h"
#include "stand.h"
#include "../random.h"
#include "suites.h"

static uint64_t state = 362436069521288629ull;

static uint32_t random32(void)
{
	return random_next(&state);
}

static uint32_t below(uint32_t n)
{
	return random_below(&state, n);
}

static void open_stand(uint32_t lanes)
{
	struct xdplace_opts opts = stand_opts();

	opts.umem_size = 2 << 20;
	opts.own_size = 512 << 10;
	opts.lanes = lanes;
	stand_open(&opts);
	stand_rule("tap stream any");
}

static uint32_t port = 1;
static uint32_t sent;

/* Some of everything: flows, data in order and not, whole packets. */
static void traffic(unsigned packets)
{
	struct packet p;
	unsigned i;

	for (i = 0; i < packets; i++) {
		p = (struct packet){.flags = ACK, .port = port, .seq = 1000 + sent, .len = 1000};
		if (i % 100 == 0) {
			port++;
			sent = 0;
			p = (struct packet){.flags = SYN, .port = port, .seq = 999};
		} else if (i % 10 == 5) {
			p.seq += 50000;
		} else if (i % 10 == 7) {
			p = (struct packet){.flags = RST, .seq = 1, .len = 1300, .port = 60000};
		} else {
			sent += 1000;
		}
		stand_feed(i % stand.config->lanes, &p);
	}
}

static void consume(void)
{
	static struct xp_completion c[4096];
	uint32_t i;
	int n;

	for (i = 0; i < stand.config->lanes; i++) {
		n = xdplace_lane_poll(stand.lane[i], c, 4096);
		ck_assert_int_ge(n, 0);
		ck_assert_int_eq(xdplace_lane_release(stand.lane[i], n), 0);
	}
}

/* The next consumers set right what can be; then a stream is placed as ever. */
static void goes_on(void)
{
	struct packet p = {.flags = SYN, .seq = 999, .port = 50000};
	struct xp_completion c[64];
	uint32_t i, told = 0;
	int k, n;

	for (i = 0; i < stand.config->lanes; i++)
		xdplace_lane_close(stand.lane[i]);
	for (i = 0; i < stand.config->lanes; i++) {
		stand.lane[i] = xdplace_lane_open(stand.ctx, i);
		ck_assert_msg(stand.lane[i] != NULL, "%s", xdplace_error());
	}
	consume();
	for (i = 0; i < stand.config->lanes; i++)
		while (xdplace_lane_flush(stand.lane[i]) > 0)
			consume();
	consume();
	stand_feed(0, &p);
	consume();
	for (i = 0; i < 300; i++) {
		p = (struct packet){
			.flags = ACK, .seq = 1000 + 1000 * i, .port = 50000, .len = 1000};
		stand_feed(0, &p);
		n = xdplace_lane_poll(stand.lane[0], c, 64);
		for (k = 0; k < n; k++)
			if (xdplace_in_sequence(&c[k]))
				told += c[k].data_len;
		ck_assert_int_eq(xdplace_lane_release(stand.lane[0], n), 0);
	}
	ck_assert_uint_eq(told, 300000);
	stand.broken = true; /* sums and areas of what went before are user space's doing */
}

static struct xp_free_group *groups(void)
{
	return stand.ctx->free;
}

static uint32_t group_count(void)
{
	const struct xp_config *config = stand.config;

	return config->lanes * (config->hot + config->cold);
}

static void garbage_in_groups(void (*make)(struct xp_free *))
{
	uint32_t i, k;

	for (i = 0; i < group_count(); i++)
		for (k = 0; k < XP_FREE_GROUP; k++)
			make(&groups()[i].free[k]);
}

static void anything(struct xp_free *f)
{
	f->area = random32();
	f->zero = random32();
	f->address = (uint64_t)random32() << 32 | random32();
}

/* Areas that exist, at addresses that are not theirs. */
static void wrong_address(struct xp_free *f)
{
	f->area = below(stand.config->areas);
	f->address = ((uint64_t)f->area << stand.config->area_shift) + 1 + below(1 << 30);
}

static void beyond_the_umem(struct xp_free *f)
{
	f->area = stand.config->areas + below(1000);
	f->address = (uint64_t)f->area << stand.config->area_shift;
}

static void guard(struct xp_free *f)
{
	f->area = stand.config->areas - 1;
	f->address = (uint64_t)f->area << stand.config->area_shift;
}

static void high_bits(struct xp_free *f)
{
	f->area = below(64);
	f->address = ((uint64_t)f->area << stand.config->area_shift) | 1ull << (33 + below(30));
}

static void (*const makers[])(struct xp_free *) = {anything, wrong_address, beyond_the_umem, guard,
						   high_bits};

/* Not one of them is taken, each is counted. */
START_TEST(garbage_in_free_rings)
{
	struct xp_counters counters;
	unsigned i;

	open_stand(2);
	garbage_in_groups(makers[_i]);
	for (i = 0; i < 10; i++)
		traffic(200);
	counters = stand_counters();
	ck_assert_uint_eq(counters.placed_bytes, 0);
	ck_assert_uint_gt(counters.bad_free, 0);
	ck_assert_uint_gt(counters.no_area, 0);
	consume();
	goes_on();
}
END_TEST

/* Garbage while packets come, again and again, between good groups. */
START_TEST(garbage_among_good_areas)
{
	unsigned i, k;

	open_stand(2);
	for (i = 0; i < 300; i++) {
		for (k = 0; k < 8; k++)
			makers[below(COUNT(makers))](
				&groups()[below(group_count())].free[below(XP_FREE_GROUP)]);
		traffic(50);
		consume();
	}
	goes_on();
}
END_TEST

/* Areas that the program is placing into are offered again: they are refused. [R8] */
START_TEST(area_in_use_offered_again)
{
	struct packet syn = {.flags = SYN, .seq = 999}, p;
	struct xp_flow flow;
	uint32_t i, k, at = 0;

	open_stand(1);
	stand_feed(0, &syn);
	p = (struct packet){.flags = ACK, .seq = 1000, .len = 100};
	stand_feed(0, &p);
	stand_drain(0);
	flow = stand_flow(&p);
	ck_assert_uint_ne(flow.area, XP_NONE);
	for (i = 0; i < group_count(); i++)
		for (k = 0; k < XP_FREE_GROUP; k++)
			groups()[i].free[k] = (struct xp_free){
				flow.area, 0, (uint64_t)flow.area << stand.config->area_shift};
	/* Other traffic wants areas and gets none; the stream's own bytes stay. */
	for (i = 0; i < 200; i++) {
		p = (struct packet){.flags = RST, .seq = 1, .len = 1400, .port = 9};
		stand_feed(0, &p);
	}
	ck_assert_uint_gt(stand_counters().bad_free, 0);
	p = (struct packet){.flags = ACK, .seq = 1000};
	for (at = 0; at < 100; at++)
		ck_assert_uint_eq(stand.umem[(flow.area << 12) + at], packet_byte(&p, 1000 + at));
	consume();
	goes_on();
}
END_TEST

/* Indexes out of all reason, in all of the shared words. */
START_TEST(garbage_in_indexes)
{
	__u32 *words;
	unsigned i, k;

	open_stand(2);
	for (i = 0; i < 300; i++) {
		words = (__u32 *)&stand.ctx->lanes[i & 1];
		for (k = 0; k < 3; k++)
			words[below(sizeof(struct xp_lane) / 4)] =
				below(2) ? random32() : below(4096);
		traffic(20);
	}
	goes_on();
}
END_TEST

/* An index of the consumer's that makes no sense is a full ring, not a larger one. [R8] */
START_TEST(consumed_beyond_produced)
{
	struct xp_lane *lane;
	uint32_t before, produced;

	open_stand(1);
	lane = stand.ctx->lanes;
	traffic(10);
	consume();
	before = lane->consumed;
	produced = lane->produced;
	lane->consumed = before + 1000;
	traffic(300);
	ck_assert_uint_eq(lane->produced, produced);
	ck_assert_uint_gt(stand_counters().ring_full, 0);
	lane->consumed = before;
	traffic(300);
	ck_assert_uint_ne(lane->produced, produced);
	consume();
	goes_on();
}
END_TEST

/* Wake-ups are asked for by anything but 0; nobody is hurt. */
START_TEST(garbage_in_need_wakeup)
{
	unsigned i;

	open_stand(1);
	for (i = 0; i < 300; i++) {
		stand.ctx->lanes->need_wakeup = random32() | 1;
		traffic(3);
		consume();
	}
	ck_assert_uint_gt(stand_counters().wakeups, 0);
	goes_on();
}
END_TEST

/* The ring of completions and the UMEM itself are writable as well. */
START_TEST(garbage_in_completions_and_memory)
{
	uint32_t ring, i, k, *words;

	open_stand(2);
	ring = 2 * stand.config->ring;
	words = (uint32_t *)stand.ctx->ring;
	for (i = 0; i < 200; i++) {
		for (k = 0; k < 200; k++)
			words[below(ring * sizeof(struct xp_completion) / 4)] = random32();
		memset(stand.umem + 4096 * below(256), random32(), 4096);
		traffic(10);
	}
	/* What garbage names as released is not looked at: only indexes are set right. */
	for (i = 0; i < 2; i++)
		stand.ctx->lanes[i].consumed = stand.ctx->lanes[i].produced;
	goes_on();
}
END_TEST

/* Rules and settings of random bytes: whatever they then mean, nothing is harmed. [R16] */
START_TEST(garbage_in_rules_and_settings)
{
	struct xp_settings settings;
	struct xp_rule rule;
	uint32_t i, k, key, *words = (uint32_t *)&rule;

	open_stand(2);
	for (i = 0; i < 100; i++) {
		for (key = 0; key < 2 * XP_MAX_RULES; key += 1 + below(20)) {
			for (k = 0; k < sizeof(rule) / 4; k++)
				words[k] = random32();
			ck_assert(
				!bpf_map_update_elem(stand.ctx->map[XP_MAP_RULES], &key, &rule, 0));
		}
		settings = (struct xp_settings){random32(), random32(), random32(), random32() & 1};
		key = 0;
		ck_assert(
			!bpf_map_update_elem(stand.ctx->map[XP_MAP_SETTINGS], &key, &settings, 0));
		traffic(30);
		consume();
	}
	memset(&rule, 0, sizeof(rule));
	rule.verdict = XP_RULE_TAP;
	rule.sport_max = rule.dport_max = 65535;
	key = 0;
	ck_assert(!bpf_map_update_elem(stand.ctx->map[XP_MAP_RULES], &key, &rule, 0));
	settings = (struct xp_settings){.rule_count = 1, .next_rule = 2};
	ck_assert(!bpf_map_update_elem(stand.ctx->map[XP_MAP_SETTINGS], &key, &settings, 0));
	goes_on();
}
END_TEST

static uint32_t plausible(uint32_t limit)
{
	return below(3) ? below(limit) : random32();
}

/*
 * Commands of random content, past all checks of the library, with traffic in between. Own areas
 * are named by some: here they may be written, the guards may not.
 */
START_TEST(random_commands)
{
	struct xp_command command;
	struct packet p = {.flags = SYN};
	uint32_t i, area = 4096, own;

	open_stand(2);
	stand.own_used = true;
	own = stand.ctx->layout.own * area;
	for (i = 0; i < 30000; i++) {
		memset(&command, 0, sizeof(command));
		command.code = plausible(10);
		command.lane = plausible(2);
		command.handle = plausible(256) | (below(2) ? 1u << 20 : 0);
		command.flags = below(4) ? below(4) : random32();
		command.token = random32();
		command.own_start = below(2) ? (uint64_t)area * below(4) : random32();
		command.own_length = below(2) ? area * below(20) : random32();
		command.own_address = below(2) ? own + area * below(128) : random32();
		p.port = below(100);
		p.seq = random32();
		p.v6 = below(2);
		packet_key(&p, &command.key);
		xp_command(stand.ctx, &command);
		p.len = below(4000);
		stand_feed(i & 1, &p);
		if (i % 64 == 0) {
			consume();
		}
	}
	consume();
	stand_audit();
	goes_on();
}
END_TEST

/* Commands shorter than one, or with nothing in them. */
START_TEST(short_commands)
{
	uint8_t bytes[sizeof(struct xp_command)] = {0};
	LIBBPF_OPTS(bpf_test_run_opts, run, .data_in = bytes, .repeat = 1);
	uint32_t len;

	open_stand(1);
	for (len = 14; len < sizeof(bytes); len++) {
		run.data_size_in = len;
		run.data_size_out = 0;
		ck_assert(!bpf_prog_test_run_opts(stand.ctx->control, &run));
		ck_assert_uint_eq(run.retval, XDP_ABORTED);
	}
	goes_on();
}
END_TEST

/* As kernels need it that let packets interrupt a command: it never comes back, its answer does. */
START_TEST(commands_as_live_frames)
{
	const struct {
		uint32_t token;
		int result;
	} adds[] = {{7, 0}, {8, -EEXIST}, {0, 0}, {0xffffffff, -EEXIST}};
	struct xp_command command = {.code = XP_CMD_ADD};
	LIBBPF_OPTS(bpf_test_run_opts, run, .data_in = &command, .data_size_in = sizeof(command),
		    .repeat = 1, .batch_size = 1, .flags = BPF_F_TEST_XDP_LIVE_FRAMES);
	const struct packet p = {.port = 1};
	struct xp_answer answer;
	uint32_t handle, token;
	int answers;
	size_t i;

	open_stand(1);
	answers = stand.ctx->map[XP_MAP_ANSWERS];
	packet_key(&p, &command.key);
	for (i = 0; i < COUNT(adds); i++) {
		command.token = adds[i].token;
		ck_assert(!bpf_prog_test_run_opts(stand.ctx->control, &run));
		ck_assert(!xdplace_flow_find(stand.ctx, &command.key, false, &handle));
		if (command.token) {
			ck_assert(
				!bpf_map_lookup_and_delete_elem(answers, &command.token, &answer));
			ck_assert_int_eq(answer.result, adds[i].result);
			ck_assert(answer.result || answer.handle == handle);
		}
		ck_assert(bpf_map_get_next_key(answers, NULL, &token));
	}
	ck_assert(!xdplace_flow_del(stand.ctx, handle));
	goes_on();
}
END_TEST

Suite *suite_abuse(void)
{
	Suite *suite = suite_create("abuse");
	TCase *tc = tcase_create("user space");

	tcase_set_timeout(tc, 60);
	tcase_add_checked_fixture(tc, NULL, stand_close);
	tcase_add_loop_test(tc, garbage_in_free_rings, 0, COUNT(makers));
	tcase_add_test(tc, commands_as_live_frames);
	tcase_add_test(tc, garbage_among_good_areas);
	tcase_add_test(tc, area_in_use_offered_again);
	tcase_add_test(tc, garbage_in_indexes);
	tcase_add_test(tc, consumed_beyond_produced);
	tcase_add_test(tc, garbage_in_need_wakeup);
	tcase_add_test(tc, garbage_in_completions_and_memory);
	tcase_add_test(tc, garbage_in_rules_and_settings);
	tcase_add_test(tc, random_commands);
	tcase_add_test(tc, short_commands);
	suite_add_tcase(suite, tc);
	return suite;
}
