/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * t_areas.c - which area, which cell, which byte of it: R4 to R7, R9.
 *
 * Stream offset 0 is sequence number 1000. The requirements that a test shows stand in brackets.
 */
#include <linux/bpf.h>
#include <stdlib.h>
#include <string.h>

#include "stand.h"
#include "suites.h"

/* One byte below the threshold. [R4 R6] */
START_TEST(small_whole_packet_goes_to_a_hybrid_area)
{
	static const struct step steps[] = {
		{P(RST, 1, 201), {C(WHOLE, .reason = XP_R_NO_FLOW, .no_flow = 1)}},
	};

	TABLE(steps);
}
END_TEST

/* At the threshold, and larger. [R4 R6] */
START_TEST(large_whole_packet_goes_to_a_frame_area)
{
	static const struct step steps[] = {
		{P(RST, 1, 202), {C(WHOLE, .reason = XP_R_NO_FLOW, .no_flow = 1)}},
		{P(RST, 1, 1000), {C(WHOLE, .reason = XP_R_NO_FLOW, .no_flow = 1)}},
		{P(RST, 1, 1446), {C(WHOLE, .reason = XP_R_NO_FLOW, .no_flow = 1)}},
	};

	TABLE(steps);
}
END_TEST

/* Three share an area of 4096 bytes, the fourth begins the next and hands over the first. [R5 R9]
 */
START_TEST(frames_side_by_side)
{
	static const struct step steps[] = {
		{P(RST, 1, 1200), {C(WHOLE, .reason = XP_R_NO_FLOW, .no_flow = 1)}},
		{P(RST, 1, 1200), {C(WHOLE, .reason = XP_R_NO_FLOW, .no_flow = 1)}},
		{P(RST, 1, 1200), {C(WHOLE, .reason = XP_R_NO_FLOW, .no_flow = 1)}},
		{P(RST, 1, 1200), {C(WHOLE, .reason = XP_R_NO_FLOW, .no_flow = 1)}},
		{P(RST, 1, 4000), {C(WHOLE, .reason = XP_R_NO_FLOW, .no_flow = 1)}},
		{P(RST, 1, 300), {C(WHOLE, .reason = XP_R_NO_FLOW, .no_flow = 1)}},
	};

	TABLE(steps);
}
END_TEST

/* In pieces, each in an area of its own. [R5 R9] */
START_TEST(frame_larger_than_an_area)
{
	static const struct step steps[] = {
		{P(RST, 1, 8946), {C(WHOLE, .reason = XP_R_NO_FLOW, .no_flow = 1)}},
		{P(RST, 1, 100), {C(WHOLE, .reason = XP_R_NO_FLOW, .no_flow = 1)}},
		{P(RST, 1, 60000), {C(WHOLE, .reason = XP_R_NO_FLOW, .no_flow = 1)}},
		{P(RST, 1, 500), {C(WHOLE, .reason = XP_R_NO_FLOW, .no_flow = 1)}},
	};

	TABLE(steps);
}
END_TEST

/* Exactly full: handed over at once, the next begins a new one. [R9 R11] */
START_TEST(segment_ends_with_the_area)
{
	static const struct step steps[] = {
		OPEN,
		{P(ACK, 1000, 4096), {C(APPEND, .len = 4096)}},
		{P(ACK, 5096, 100), {C(APPEND, .at = 4096, .len = 100)}},
		{P(ACK, 5196, 3996), {C(APPEND, .at = 4196, .len = 3996)}},
		{P(ACK, 9192, 1), {C(APPEND, .at = 8192, .len = 1)}},
	};

	TABLE(steps);
}
END_TEST

/* Two copies, one completion. [R9 R11] */
START_TEST(segment_straddles_two_areas)
{
	static const struct step steps[] = {
		OPEN,
		{P(ACK, 1000, 3000), {C(APPEND, .len = 3000)}},
		{P(ACK, 4000, 3000), {C(APPEND, .at = 3000, .len = 3000)}},
		{P(ACK, 7000, 3000), {C(APPEND, .at = 6000, .len = 3000)}},
		{P(ACK, 10000, 1), {C(APPEND, .at = 9000, .len = 1)}},
	};

	TABLE(steps);
}
END_TEST

/* Checksums over pieces of odd length. [R1 R9] */
START_TEST(odd_straddles)
{
	static const struct step steps[] = {
		OPEN,
		{P(ACK, 1000, 4095), {C(APPEND, .len = 4095)}},
		{P(ACK, 5095, 1460), {C(APPEND, .at = 4095, .len = 1460)}},
		{P(ACK, 6555, 1461), {C(APPEND, .at = 5555, .len = 1461)}},
		{P(ACK, 8016, 1459), {C(APPEND, .at = 7016, .len = 1459)}},
		{P(ACK, 9475, 3813), {C(APPEND, .at = 8475, .len = 3813)}},
		{P(ACK, 13288, 3), {C(APPEND, .at = 12288, .len = 3)}},
	};

	TABLE(steps);
}
END_TEST

/* 9000 bytes from a fragmented frame: a completion for each area. [R9] */
START_TEST(jumbo_segment)
{
	static const struct step steps[] = {
		OPEN,
		{P(ACK, 1000, 8948),
		 {C(APPEND, .len = 4096), C(APPEND, .at = 4096, .len = 4096),
		  C(APPEND, .at = 8192, .len = 756)}},
		{P(ACK, 9948, 8948),
		 {C(APPEND, .at = 8948, .len = 3340), C(APPEND, .at = 12288, .len = 4096),
		  C(APPEND, .at = 16384, .len = 1512)}},
		{P(ACK | FIN, 18896, 8948),
		 {C(APPEND, .at = 17896, .len = 2584), C(APPEND, .at = 20480, .len = 4096),
		  C(LAST, .reason = XP_R_FINISHED, .at = 24576, .len = 2268, END_FLOW)}},
	};

	TABLE(steps);
}
END_TEST

/* [R9 R12] */
START_TEST(jumbo_segment_early)
{
	static const struct step steps[] = {
		OPEN,
		{P(ACK, 9948, 8948),
		 {C(EARLY, .at = 8948, .len = 3340), C(EARLY, .at = 12288, .len = 4096),
		  C(EARLY, .at = 16384, .len = 1512)}},
		{P(ACK, 1000, 8948),
		 {C(APPEND, .len = 4096), C(APPEND, .at = 4096, .len = 4096),
		  C(APPEND, .at = 8192, .len = 756), C(APPEND, .at = 8948, .len = 3340, CAUGHT_UP),
		  C(APPEND, .at = 12288, .len = 4096, CAUGHT_UP),
		  C(APPEND, .at = 16384, .len = 1512, CAUGHT_UP)}},
	};

	TABLE(steps);
}
END_TEST

static struct packet segment(uint32_t offset, uint32_t len)
{
	struct packet p = {.flags = ACK, .seq = 1000 + offset, .len = len};

	return p;
}

static void open_stream(void)
{
	struct packet syn = {.flags = SYN, .seq = 999};

	stand_feed(0, &syn);
	stand_drain(0);
}

/* The largest packets that IP knows, in sequence and early. [R9] */
START_TEST(segments_of_60000_bytes)
{
	struct packet p;

	open_stream();
	p = segment(60000, 60000);
	stand_feed(0, &p);
	stand_drain(0);
	p = segment(0, 60000);
	stand_feed(0, &p);
	stand_drain(0);
	p = segment(120000, 65535 - 60);
	stand_feed(0, &p);
	stand_drain(0);
	ck_assert_uint_eq(stand_stream(&p)->next, 120000 + 65535 - 60);
	ck_assert_uint_eq(stand_stream(&p)->gaps, 0);
}
END_TEST

/* Segment sizes that fall on every place of an area, in all of their lengths modulo 4. [R1 R9] */
START_TEST(segments_of_any_size)
{
	uint32_t i, at = 0, len;
	struct packet p;

	open_stream();
	for (i = 0; i < 3000; i++) {
		len = 1 + i * 7919 % 4300;
		p = segment(at, len);
		at += len;
		stand_feed(0, &p);
		stand_drain(0);
	}
	ck_assert_uint_eq(stand_stream(&p)->next, at);
}
END_TEST

/* What the cell has behind the header is what was there before, or zeroes. [R5 R7] */
static void check_cell(const struct xp_completion *c)
{
	uint32_t cells = (XP_PAD + c->header_len + XP_CELL - 1) / XP_CELL, at;
	uint32_t start = c->header - XP_PAD;

	ck_assert_uint_eq(c->header % XP_CELL, XP_PAD);
	for (at = c->header + c->header_len; at < start + cells * XP_CELL; at++)
		ck_assert_msg(stand.umem[at] == FILL || !stand.umem[at],
			      "byte %u behind a header of %u is 0x%02x",
			      at - c->header - c->header_len, c->header_len, stand.umem[at]);
}

/*
 * Header areas hold headers and not a byte of payload, whatever their length and whichever way
 * they are copied. FILL and 0 do not occur in this payload. [R5]
 */
START_TEST(header_areas_hold_headers_only)
{
	static const uint8_t payload = 0x5a;
	struct xp_completion c[8];
	struct packet p;
	struct frame *f;
	unsigned options, ip, n, i;
	uint32_t at = 0, k;

	stand_open(NULL);
	open_stream();
	f = malloc(sizeof(*f));
	ck_assert(f != NULL);
	for (options = 0; options <= 40; options += 4) {
		for (ip = 0; ip <= 40; ip += 4) {
			p = segment(at, 300);
			p.tcp_options = options;
			p.ip_options = ip;
			packet_build(&p, f);
			memset(f->bytes + f->headers, payload, f->payload);
			frame_fix_l4(f);
			stand_feed_frame(0, f->bytes, f->len);
			at += 300;
			n = xdplace_lane_poll(stand.lane[0], c, 8);
			ck_assert_uint_ge(n, 1);
			check_cell(&c[0]);
			ck_assert_uint_eq(c[0].header_len, f->headers);
			stand.told_bytes += 300;
			/* Kept: no area is used again with payload in it. */
			for (i = 0; i < n; i++)
				for (k = 1; k <= XP_RELEASE_DATA2; k <<= 1)
					if (c[i].flags & k)
						ck_assert(!xdplace_lane_keep(stand.lane[0], i, k));
			ck_assert(!xdplace_lane_release(stand.lane[0], n));
		}
	}
	free(f);
	stand.anonymous = true;
}
END_TEST

/* Every chain's network header, inner and outermost, in whatever area. [R7] */
START_TEST(network_headers_are_aligned)
{
	struct packet p = {.flags = ACK, .seq = 1};
	struct xp_completion c;
	int i;

	for (i = 0; i < 64; i++) {
		p.len = i * 9;
		p.flags = i & 1 ? ACK : RST;
		p.port = 1000 + i;
		p.v6 = i >> 1 & 1;
		stand_feed(0, &p);
		ck_assert_int_eq(xdplace_lane_poll(stand.lane[0], &c, 1), 1);
		if (c.header != XP_NONE)
			ck_assert_uint_eq((c.header + 14) % 4, 0);
		if (c.flags & XP_FRAME)
			ck_assert_uint_eq((c.data + 14) % 4, 0);
		stand.told_bytes += c.flags & XP_FRAME ? 0 : c.data_len;
		ck_assert(!xdplace_lane_release(stand.lane[0], 1));
	}
	stand.anonymous = true;
}
END_TEST

/* Packets just below and at a threshold that is not the standard one. [R6] */
static void threshold_of(uint32_t threshold)
{
	struct xdplace_opts opts = stand_opts();
	struct packet p = {.flags = RST, .seq = 1};
	struct want want[WANTS] = {C(WHOLE, .reason = XP_R_NO_FLOW, .no_flow = 1)};
	struct xp_completion c;

	opts.threshold = threshold;
	stand_open(&opts);
	stand_rule("tap stream any");
	for (p.len = 1; p.len < 2200; p.len += 1 + p.len / 50)
		stand_run(0, &p, want);
	p.len = threshold - 54;
	stand_feed(0, &p);
	ck_assert_int_eq(xdplace_lane_poll(stand.lane[0], &c, 1), 1);
	ck_assert(c.flags & XP_FRAME);
	ck_assert(!xdplace_lane_release(stand.lane[0], 1));
}

START_TEST(threshold_smallest)
{
	threshold_of(XP_MIN_THRESHOLD);
}
END_TEST

/* Small packets of up to eight cells; those that do not fit what is left begin a new area. [R6] */
START_TEST(threshold_largest)
{
	threshold_of(XP_MAX_THRESHOLD);
}
END_TEST

/* The same stream through areas of other sizes and several banks' worth of them. [R5 R9] */
static void area_size_of(uint32_t size)
{
	struct xdplace_opts opts = stand_opts();
	uint32_t i, at = 0, len;
	struct packet p;

	opts.area_size = size;
	stand_open(&opts);
	stand_rule("tap stream any");
	open_stream();
	for (i = 0; i < 1500; i++) {
		len = 1 + i * 7919 % 9000;
		p = segment(at, len);
		if (i % 5 == 3) {
			p.seq += len;
			stand_feed(0, &p);
			stand_drain(0);
			p.seq -= len;
			at += len;
		}
		at += len;
		stand_feed(0, &p);
		stand_drain(0);
	}
	ck_assert_uint_eq(stand_stream(&p)->next, at);
	ck_assert_uint_eq(stand_stream(&p)->gaps, 0);
}

START_TEST(areas_of_8_kib)
{
	area_size_of(8192);
}
END_TEST

START_TEST(areas_of_32_kib)
{
	area_size_of(32768);
}
END_TEST

/* Which kinds of areas a mixture of traffic needs: all four, and no other. [R5] */
START_TEST(four_kinds_of_areas)
{
	struct packet whole = {.flags = RST, .seq = 1, .len = 1000, .port = 9};
	struct packet p = segment(0, 100), ack = segment(100, 0);
	struct xdplace_audit audit;

	stand_open(NULL);
	open_stream();
	stand_feed(0, &p);
	stand_feed(0, &ack);
	stand_feed(0, &whole);
	stand_drain(0);
	ck_assert(!xdplace_audit(stand.ctx, &audit));
	ck_assert_uint_eq(audit.kind[XP_AREA_HEADER], 1);
	ck_assert_uint_eq(audit.kind[XP_AREA_HYBRID], 1);
	ck_assert_uint_eq(audit.kind[XP_AREA_FRAME], 1);
	ck_assert_uint_eq(audit.kind[XP_AREA_REASSEMBLY], 1);
	ck_assert_uint_eq(audit.kind[XP_AREA_OWN], 0);
}
END_TEST

Suite *suite_areas(void)
{
	Suite *suite = suite_create("areas");
	TCase *tc = tcase_create("areas");

	tcase_set_timeout(tc, 60);
	tcase_add_unchecked_fixture(tc, stand_share, stand_unshare);
	tcase_add_checked_fixture(tc, stand_setup, stand_close);
	tcase_add_test(tc, small_whole_packet_goes_to_a_hybrid_area);
	tcase_add_test(tc, large_whole_packet_goes_to_a_frame_area);
	tcase_add_test(tc, frames_side_by_side);
	tcase_add_test(tc, frame_larger_than_an_area);
	tcase_add_test(tc, segment_ends_with_the_area);
	tcase_add_test(tc, segment_straddles_two_areas);
	tcase_add_test(tc, odd_straddles);
	tcase_add_test(tc, jumbo_segment);
	tcase_add_test(tc, jumbo_segment_early);
	tcase_add_test(tc, segments_of_60000_bytes);
	tcase_add_test(tc, segments_of_any_size);
	tcase_add_test(tc, network_headers_are_aligned);
	suite_add_tcase(suite, tc);

	tc = tcase_create("options");
	tcase_set_timeout(tc, 60);
	tcase_add_checked_fixture(tc, NULL, stand_close);
	tcase_add_test(tc, header_areas_hold_headers_only);
	tcase_add_test(tc, four_kinds_of_areas);
	tcase_add_test(tc, threshold_smallest);
	tcase_add_test(tc, threshold_largest);
	tcase_add_test(tc, areas_of_8_kib);
	tcase_add_test(tc, areas_of_32_kib);
	suite_add_tcase(suite, tc);
	return suite;
}
