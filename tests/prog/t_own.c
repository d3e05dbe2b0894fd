/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * t_own.c - an area of the application's own for one connection [R10].
 */
#include <errno.h>
#include <linux/bpf.h>
#include <string.h>

#include "context.h"
#include "stand.h"
#include "suites.h"

#define AREA 4096u
#define OWN (16 * AREA) /* bytes kept for own areas */

static uint32_t own_address(void)
{
	return stand.ctx->layout.own << stand.config->area_shift;
}

static void open_stand(void)
{
	struct xdplace_opts opts = stand_opts();

	opts.own_size = OWN;
	stand_open(&opts);
	stand_rule("tap stream any");
	stand.own_used = true;
}

static struct packet syn_of(uint16_t port)
{
	struct packet p = {.flags = SYN, .seq = 999, .port = port};

	return p;
}

static int add(uint16_t port, uint64_t start, uint32_t length, uint32_t offset, uint32_t *handle)
{
	struct xdplace_flow_opts opts = {.size = sizeof(opts),
					 .own_start = start,
					 .own_length = length,
					 .own_address = own_address() + offset};
	struct packet p = syn_of(port);
	union xp_key key;

	packet_key(&p, &key);
	return xdplace_flow_add(stand.ctx, &key, false, &opts, handle);
}

static int own(uint32_t handle, uint64_t start, uint32_t length, uint32_t offset)
{
	struct xdplace_flow_opts opts = {.size = sizeof(opts),
					 .own_start = start,
					 .own_length = length,
					 .own_address = own_address() + offset};

	return xdplace_flow_own(stand.ctx, handle, &opts);
}

static void feed(uint16_t port, uint32_t at, uint32_t len)
{
	struct packet p = {.flags = ACK, .seq = 1000 + at, .len = len, .port = port};

	stand_feed(0, &p);
	stand_drain(0);
}

static void open_flow(uint16_t port)
{
	struct packet p = syn_of(port);

	stand_feed(0, &p);
	stand_drain(0);
}

/* Stream offsets [from, to) lie in the own area, one byte behind the other, `offset` into it. */
static void lies_contiguous(uint16_t port, uint64_t from, uint64_t to, uint32_t offset)
{
	struct packet p = syn_of(port);
	uint64_t at;

	for (at = from; at < to; at++)
		if (stand.umem[own_address() + offset + (at - from)] != packet_byte(&p, 1000 + at))
			ck_abort_msg("byte %llu of the own area is not the stream's",
				     (unsigned long long)(at - from));
}

static void edge_is(uint16_t port, uint64_t edge)
{
	struct packet p = syn_of(port);

	ck_assert_uint_eq(stand_stream(&p)->next, edge);
}

START_TEST(own_area_from_the_start)
{
	struct xp_completion c[8];
	struct packet p = {.flags = ACK, .seq = 1000 + 9000, .len = 3000, .port = 1};
	struct iovec iov[2];
	uint32_t handle, at;
	int i, n;

	open_stand();
	ck_assert_int_eq(add(1, 0, OWN, 0, &handle), 0);
	open_flow(1);
	for (at = 0; at < 9000; at += 1500)
		feed(1, at, 1500);
	/* Each completion's data are one piece. */
	stand_feed(0, &p);
	n = xdplace_lane_poll(stand.lane[0], c, 8);
	for (i = 0, at = 9000; i < n; i++) {
		ck_assert_int_eq(xdplace_data(stand.ctx, &c[i], iov), 1);
		ck_assert_ptr_eq(iov[0].iov_base, stand.umem + own_address() + at);
		at += iov[0].iov_len;
		stand.told_bytes += iov[0].iov_len;
	}
	ck_assert_uint_eq(at, 12000);
	ck_assert_int_eq(xdplace_lane_release(stand.lane[0], n), 0);
	stand_stream(&p)->next = 12000;
	for (; at + 1460 <= OWN; at += 1460)
		feed(1, at, 1460);
	lies_contiguous(1, 0, at, 0);
	edge_is(1, at);
}
END_TEST

/* Beyond its end data go where all others go. */
START_TEST(own_area_ends)
{
	uint32_t handle, at;

	open_stand();
	ck_assert_int_eq(add(1, 0, 2 * AREA, AREA, &handle), 0);
	open_flow(1);
	for (at = 0; at < 20000; at += 1000)
		feed(1, at, 1000);
	lies_contiguous(1, 0, 2 * AREA, AREA);
	edge_is(1, 20000);
	ck_assert_uint_eq(stand.umem[own_address()], FILL);
	ck_assert_uint_eq(stand.umem[own_address() + 3 * AREA], FILL);
}
END_TEST

/* It begins in mid-stream: what comes before it goes where all others go. */
START_TEST(own_area_begins_later)
{
	struct packet p = syn_of(1);
	uint32_t at;

	open_stand();
	open_flow(1);
	feed(1, 0, 3000);
	ck_assert_int_eq(own(stand_flow(&p).handle, 2 * AREA, 3 * AREA, 0), 0);
	for (at = 3000; at < 30000; at += 1000)
		feed(1, at, 1000);
	lies_contiguous(1, 2 * AREA, 5 * AREA, 0);
	edge_is(1, 30000);
}
END_TEST

/* Out of order, overlapping, across both of its ends. [R10 R12] */
START_TEST(own_area_with_holes)
{
	uint32_t handle;

	open_stand();
	ck_assert_int_eq(add(1, 2 * AREA, 2 * AREA, 0, &handle), 0);
	open_flow(1);
	feed(1, 10000, 1000);
	feed(1, 15000, 3000);
	feed(1, 7000, 2000);
	feed(1, 0, 8000);
	feed(1, 10500, 1000);
	feed(1, 9000, 1000);
	feed(1, 11000, 9000);
	lies_contiguous(1, 2 * AREA, 4 * AREA, 0);
	edge_is(1, 20000);
}
END_TEST

/* A gap in it, and over it. [R10 R13] */
START_TEST(own_area_with_a_gap)
{
	struct packet rst = {.flags = RST, .seq = 1000 + 1000, .port = 1};
	uint32_t handle;

	open_stand();
	ck_assert_int_eq(add(1, 0, 2 * AREA, 0, &handle), 0);
	open_flow(1);
	feed(1, 0, 1000);
	feed(1, 2000, 1000);
	feed(1, 30000, 1000);
	stand_feed(0, &rst);
	stand_drain(0);
	edge_is(1, 31000);
	ck_assert_uint_eq(stand_stream(&rst)->gaps, 1000 + 27000);
	lies_contiguous(1, 0, 1000, 0);
}
END_TEST

/* A damaged segment must not count there either. [R1 R10] */
START_TEST(own_area_and_damaged_segments)
{
	struct packet bad = {.flags = ACK,
			     .seq = 1000,
			     .len = 1000,
			     .port = 1,
			     .salt = 1,
			     .fault = FAULT_CHECKSUM};
	uint32_t handle;

	open_stand();
	ck_assert_int_eq(add(1, 0, OWN, 0, &handle), 0);
	open_flow(1);
	stand_feed(0, &bad);
	stand_drain(0);
	feed(1, 0, 1000);
	lies_contiguous(1, 0, 1000, 0);
	edge_is(1, 1000);
}
END_TEST

/* With the end of the flow it may be given to another one. */
START_TEST(own_area_used_again)
{
	struct packet fin = {.flags = ACK | FIN, .seq = 1000 + 100, .port = 1};
	uint32_t first, second;

	open_stand();
	ck_assert_int_eq(add(1, 0, OWN, 0, &first), 0);
	open_flow(1);
	feed(1, 0, 100);
	ck_assert_int_eq(add(2, 0, AREA, 3 * AREA, &second), -EBUSY);
	stand_feed(0, &fin);
	stand_drain(0);
	ck_assert_int_eq(add(2, 0, AREA, 0, &second), 0);
	open_flow(2);
	feed(2, 0, 5000);
	lies_contiguous(2, 0, AREA, 0);
	edge_is(2, 5000);
}
END_TEST

/* A flow that could not have its own area is not added at all. */
START_TEST(own_area_refused_adds_no_flow)
{
	uint32_t handle;

	open_stand();
	ck_assert_int_eq(add(1, 0, 2 * AREA, 0, &handle), 0);
	ck_assert_int_eq(add(2, 0, 2 * AREA, AREA, &handle), -EBUSY);
	ck_assert_uint_eq(stand_flows(), 1);
	ck_assert_int_eq(add(2, 0, 2 * AREA, 2 * AREA, &handle), 0);
}
END_TEST

START_TEST(own_area_of_bytes_placed_already)
{
	struct packet p = syn_of(1);
	uint32_t handle;

	open_stand();
	open_flow(1);
	feed(1, 0, AREA + 1);
	handle = stand_flow(&p).handle;
	ck_assert_int_eq(own(handle, 0, AREA, 0), -EBUSY);
	ck_assert_int_eq(own(handle, AREA, AREA, 0), -EBUSY);
	feed(1, 10000, 100);
	ck_assert_int_eq(own(handle, 5 * AREA, AREA, 0), -EBUSY); /* a hole */
	feed(1, AREA + 1, 10000 - AREA - 1);
	ck_assert_int_eq(own(handle, 5 * AREA, AREA, 0), 0);
	ck_assert_int_eq(own(handle, 8 * AREA, AREA, AREA), -EEXIST);
}
END_TEST

/* Settings out of range, by the library and, past its checks, by the program. */
START_TEST(own_area_out_of_range)
{
	static const struct {
		uint64_t start;
		uint32_t address, length;
	} bad[] = {
		{0, 0, AREA},	       /* areas that packets are placed into */
		{0, 0x7ffff000, AREA}, /* beyond the UMEM */
		{0, 0xfffff000, AREA}, {0, 0xfffff000, 0xfffff000}, {0, 1, AREA}, {0, 0, 1},
		{1, 0, AREA},	       {0, 0, 0xfffff000},
	};
	struct packet p = syn_of(1);
	struct xp_command command;
	uint32_t handle;
	int i;

	open_stand();
	open_flow(1);
	handle = stand_flow(&p).handle;
	for (i = 0; i < COUNT(bad); i++) {
		struct xdplace_flow_opts opts = {.size = sizeof(opts),
						 .own_start = bad[i].start,
						 .own_length = bad[i].length,
						 .own_address = bad[i].address};

		ck_assert_int_eq(xdplace_flow_own(stand.ctx, handle, &opts), -EINVAL);
		command = (struct xp_command){.code = XP_CMD_OWN,
					      .handle = handle,
					      .own_start = bad[i].start,
					      .own_length = bad[i].length,
					      .own_address = bad[i].address};
		ck_assert_int_lt(xp_command(stand.ctx, &command), 0);
	}
	/* The guard behind the last one, and one area too many. */
	ck_assert_int_eq(own(handle, 0, OWN + AREA, 0), -EINVAL);
	ck_assert_int_eq(own(handle, 0, AREA, OWN), -EINVAL);
	command = (struct xp_command){.code = XP_CMD_OWN,
				      .handle = handle,
				      .own_length = OWN + AREA,
				      .own_address = own_address()};
	ck_assert_int_lt(xp_command(stand.ctx, &command), 0);
	stand.own_used = false; /* nothing was placed there */
	feed(1, 0, 5000);
	edge_is(1, 5000);
}
END_TEST

/* Datagrams as well. [R10 R15] */
START_TEST(own_area_for_datagrams)
{
	struct xdplace_flow_opts opts = {.size = sizeof(opts), .own_length = OWN};
	struct packet p = {.udp = 1, .len = 1000};
	union xp_key key;
	uint32_t handle, i;

	open_stand();
	opts.own_address = own_address();
	packet_key(&p, &key);
	ck_assert_int_eq(xdplace_flow_add(stand.ctx, &key, false, &opts, &handle), 0);
	for (i = 0; i < 100; i++) {
		p.seq = 1000 * i;
		stand_feed(0, &p);
		stand_drain(0);
	}
	ck_assert_uint_eq(stand_stream(&p)->next, 100000);
	for (i = 0; i < OWN; i++)
		if (stand.umem[own_address() + i] != packet_byte(&p, i))
			ck_abort_msg("byte %u of the own area is not the stream's", i);
}
END_TEST

Suite *suite_own(void)
{
	Suite *suite = suite_create("own");
	TCase *tc = tcase_create("own areas");

	tcase_set_timeout(tc, 60);
	tcase_add_checked_fixture(tc, NULL, stand_close);
	tcase_add_test(tc, own_area_from_the_start);
	tcase_add_test(tc, own_area_ends);
	tcase_add_test(tc, own_area_begins_later);
	tcase_add_test(tc, own_area_with_holes);
	tcase_add_test(tc, own_area_with_a_gap);
	tcase_add_test(tc, own_area_and_damaged_segments);
	tcase_add_test(tc, own_area_used_again);
	tcase_add_test(tc, own_area_refused_adds_no_flow);
	tcase_add_test(tc, own_area_of_bytes_placed_already);
	tcase_add_test(tc, own_area_out_of_range);
	tcase_add_test(tc, own_area_for_datagrams);
	suite_add_tcase(suite, tc);
	return suite;
}
