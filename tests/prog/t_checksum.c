/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * t_checksum.c - what is damaged on the path is never placed: R1.
 *
 * The requirements that a test shows stand in brackets above it.
 */
#include <linux/bpf.h>
#include <stdlib.h>

#include "stand.h"
#include "suites.h"

/* Not placed, delivered whole with its reason; the good one is. [R1 R12] */
START_TEST(damaged_segment_loses_to_its_retransmission)
{
	static const struct step steps[] = {
		OPEN,
		{P(ACK, 1000, 1000), {C(APPEND, .len = 1000)}},
		{P(ACK, 2000, 1000, .salt = 1, .fault = FAULT_CHECKSUM),
		 {C(WHOLE, .reason = XP_R_CHECKSUM)}},
		{P(ACK, 2000, 1000), {C(APPEND, .at = 1000, .len = 1000)}},
	};

	TABLE(steps);
	ck_assert_uint_eq(stand_flow(&steps[0].in).bad_checksums, 1);
	ck_assert_uint_eq(stand_counters().checksum, 1);
}
END_TEST

/* At the start of an area: neither is it taken. [R1 R12] */
START_TEST(damaged_segment_takes_a_new_area_in_vain)
{
	static const struct step steps[] = {
		OPEN,
		{P(ACK, 1000, 4096), {C(APPEND, .len = 4096)}},
		{P(ACK, 5096, 1000, .salt = 1, .fault = FAULT_CHECKSUM),
		 {C(WHOLE, .reason = XP_R_CHECKSUM)}},
		{P(ACK, 5096, 5000, .salt = 1, .fault = FAULT_CHECKSUM),
		 {C(WHOLE, .reason = XP_R_CHECKSUM)}},
		{P(ACK, 5096, 5000),
		 {C(APPEND, .at = 4096, .len = 4096), C(APPEND, .at = 8192, .len = 904)}},
	};

	TABLE(steps);
}
END_TEST

/* [R1 R12] */
START_TEST(damaged_early_segment)
{
	static const struct step steps[] = {
		OPEN,
		{P(ACK, 2000, 100, .salt = 1, .fault = FAULT_CHECKSUM),
		 {C(WHOLE, .reason = XP_R_CHECKSUM)}},
		{P(ACK, 2000, 100), {C(EARLY, .at = 1000, .len = 100)}},
		{P(ACK, 1000, 1000),
		 {C(APPEND, .len = 1000), C(APPEND, .at = 1000, .len = 100, CAUGHT_UP)}},
	};

	TABLE(steps);
}
END_TEST

/* [R1 R12] */
START_TEST(damaged_segment_that_straddles)
{
	static const struct step steps[] = {
		OPEN,
		{P(ACK, 1000, 4000), {C(APPEND, .len = 4000)}},
		{P(ACK, 5000, 1000, .salt = 1, .fault = FAULT_CHECKSUM),
		 {C(WHOLE, .reason = XP_R_CHECKSUM)}},
		{P(ACK, 5000, 1000), {C(APPEND, .at = 4000, .len = 1000)}},
	};

	if (!stand_sends())
		TABLE(steps);
}
END_TEST

/* None of them starts or ends anything. [R1 R3] */
START_TEST(damaged_syn_fin_and_rst)
{
	static const struct step steps[] = {
		{P(SYN, 999, 0, .fault = FAULT_CHECKSUM), {C(FOREIGN, .reason = XP_R_CHECKSUM)}},
		OPEN,
		{P(ACK | FIN, 1000, 0, .fault = FAULT_CHECKSUM),
		 {C(WHOLE, .reason = XP_R_CHECKSUM)}},
		{P(RST, 1000, 0, .fault = FAULT_CHECKSUM), {C(WHOLE, .reason = XP_R_CHECKSUM)}},
		{P(SYN, 5000, 0, .fault = FAULT_CHECKSUM), {C(WHOLE, .reason = XP_R_CHECKSUM)}},
		{P(ACK, 1000, 10), {C(APPEND, .len = 10)}},
	};

	TABLE(steps);
}
END_TEST

/* It acknowledges nothing. [R1 R13] */
START_TEST(damaged_acknowledgement)
{
	static const struct step steps[] = {
		OPEN,
		{P(ACK, 1000, 0, .ack = 0x7000000, .fault = FAULT_CHECKSUM),
		 {C(WHOLE, .reason = XP_R_CHECKSUM)}},
		{P(ACK, 1000, 0, .ack = 5), {C(NODATA)}},
	};

	TABLE(steps);
	ck_assert_uint_eq(stand_flow(&steps[0].in).ack, 5);
}
END_TEST

/* [R1] */
START_TEST(damaged_ip_header)
{
	static const struct step steps[] = {
		OPEN,
		{P(ACK, 1000, 100, .fault = FAULT_IP_CHECKSUM),
		 {C(WHOLE, .reason = XP_R_IP_CHECKSUM)}},
		{P(ACK, 1000, 0, .fault = FAULT_IP_CHECKSUM),
		 {C(WHOLE, .reason = XP_R_IP_CHECKSUM)}},
		{P(ACK, 1000, 100, .ip_options = 20, .fault = FAULT_IP_CHECKSUM),
		 {C(WHOLE, .reason = XP_R_IP_CHECKSUM)}},
		{P(ACK, 1000, 100), {C(APPEND, .len = 100)}},
	};

	TABLE(steps);
	ck_assert_uint_eq(stand_counters().ip_checksum, 3);
}
END_TEST

/* The field holds the pseudo-header's sum: accepted, as the network card would finish it. [R1] */
START_TEST(unfinished_checksum_of_a_local_sender)
{
	static const struct step steps[] = {
		{P(SYN, 999, 0, .fault = FAULT_PSEUDO), {C(FIRST)}},
		{P(ACK, 1000, 1000, .fault = FAULT_PSEUDO), {C(APPEND, .len = 1000)}},
		{P(ACK, 2000, 0, .fault = FAULT_PSEUDO), {C(NODATA)}},
		{P(ACK, 2100, 50, .fault = FAULT_PSEUDO), {C(EARLY, .at = 1100, .len = 50)}},
		{P(ACK, 2000, 100, .fault = FAULT_PSEUDO),
		 {C(APPEND, .at = 1000, .len = 100), C(APPEND, .at = 1100, .len = 50, CAUGHT_UP)}},
		{P(SYN, 999, 0, .v6 = 1, .fault = FAULT_PSEUDO), {C(FIRST)}},
		{P(ACK, 1000, 1000, .v6 = 1, .fault = FAULT_PSEUDO), {C(APPEND, .len = 1000)}},
		{UDP(0, 77, .fault = FAULT_PSEUDO), {C(FIRST, .len = 77)}},
		{UDP(77, 777, .fault = FAULT_PSEUDO), {C(APPEND, .at = 77, .len = 777)}},
	};

	TABLE(steps);
}
END_TEST

/* [R1] */
START_TEST(damaged_inside_a_tunnel)
{
	static const struct step steps[] = {
		{P(SYN, 999, 0, .wrap = WRAP_VXLAN), {C(FIRST)}},
		{P(ACK, 1000, 100, .salt = 1, .wrap = WRAP_VXLAN, .fault = FAULT_CHECKSUM),
		 {C(WHOLE, .reason = XP_R_CHECKSUM)}},
		{P(ACK, 1000, 100, .wrap = WRAP_VXLAN, .fault = FAULT_IP_CHECKSUM),
		 {C(WHOLE, .reason = XP_R_IP_CHECKSUM)}},
		{P(ACK, 1000, 100, .wrap = WRAP_VXLAN), {C(APPEND, .len = 100)}},
	};

	TABLE(steps);
}
END_TEST

/* For cards that drop bad packets themselves. [R1] */
START_TEST(checksums_not_verified_when_switched_off)
{
	static const struct step steps[] = {
		OPEN,
		{P(ACK, 1000, 100, .fault = FAULT_CHECKSUM), {C(APPEND, .len = 100)}},
		{P(ACK, 1100, 100, .fault = FAULT_IP_CHECKSUM), {C(APPEND, .at = 100, .len = 100)}},
		{P(ACK, 1300, 100, .fault = FAULT_CHECKSUM), {C(EARLY, .at = 300, .len = 100)}},
		{P(ACK, 1200, 0, .fault = FAULT_CHECKSUM), {C(NODATA)}},
	};
	struct xdplace_opts opts = stand_opts();

	opts.no_checksum = true;
	stand_open(&opts);
	stand_rule("tap stream any");
	TABLE(steps);
	ck_assert_uint_eq(stand_counters().checksum, 0);
}
END_TEST

/* A field of 0 and one of 0xffff are both right where the sum makes them so (RFC 1624). [R1] */
START_TEST(checksums_at_both_zeroes)
{
	struct frame *f = malloc(sizeof(*f));
	struct packet p = {.flags = ACK, .seq = 1000, .len = 1000};
	struct want want[WANTS] = {C(APPEND, .at = 0, .len = 1000)};
	uint32_t i, found = 0;

	ck_assert(f != NULL);
	stand_open(NULL);
	p.flags = SYN;
	p.len = 0;
	p.seq = 999;
	stand_feed(0, &p);
	stand_drain(0);
	p.flags = ACK;
	p.len = 10;
	for (i = 0; i < 70000 && found < 2; i++) {
		p.seq = 1000;
		p.ack = i;
		packet_build(&p, f);
		if (f->bytes[f->l4 + 16] || f->bytes[f->l4 + 17])
			continue;
		want[0] = (struct want)C(APPEND, .len = 10);
		if (found)
			want[0] = (struct want)C(REPEAT, .reason = XP_R_REPEATED);
		stand_run(0, &p, want);
		found++;
	}
	ck_assert_uint_ge(found, 1);
	free(f);
}
END_TEST

/* Each bit of headers and payload matters: none may be flipped unnoticed. [R1] */
static void flip_every_bit(uint32_t len, int v6, int udp)
{
	struct packet p = {.flags = udp ? 0 : ACK, .seq = 1000, .len = len, .v6 = v6, .udp = udp};
	struct frame *f = malloc(sizeof(*f));
	struct xp_counters before, after;
	struct stream *s;
	uint32_t bit, first;

	ck_assert(f != NULL);
	stand_open(NULL);
	stand_feed(0, &p);
	stand_drain(0);
	s = stand_stream(&p);
	p.seq += len;
	packet_build(&p, f);
	/* From the ports on: of IPv6 no more is covered but the addresses. */
	first = f->l4 * 8;
	before = stand_counters();
	for (bit = first; bit < (f->headers + f->payload) * 8; bit++) {
		f->bytes[bit / 8] ^= 1 << bit % 8;
		stand_feed_frame(0, f->bytes, f->len);
		f->bytes[bit / 8] ^= 1 << bit % 8;
		stand_drain(0);
	}
	after = stand_counters();
	ck_assert_uint_eq(s->next, len);
	ck_assert_uint_eq(after.placed_bytes, before.placed_bytes);
	free(f);
}

START_TEST(every_bit_flipped)
{
	flip_every_bit(101 + _i, _i & 1, _i >> 1);
}
END_TEST

Suite *suite_checksum(void)
{
	Suite *suite = suite_create("checksum");
	TCase *tc = tcase_create("checksums");

	tcase_set_timeout(tc, 60);
	tcase_add_unchecked_fixture(tc, stand_share, stand_unshare);
	tcase_add_checked_fixture(tc, stand_setup, stand_close);
	tcase_add_test(tc, damaged_segment_loses_to_its_retransmission);
	tcase_add_test(tc, damaged_segment_takes_a_new_area_in_vain);
	tcase_add_test(tc, damaged_early_segment);
	tcase_add_test(tc, damaged_segment_that_straddles);
	tcase_add_test(tc, damaged_syn_fin_and_rst);
	tcase_add_test(tc, damaged_acknowledgement);
	tcase_add_test(tc, damaged_ip_header);
	tcase_add_test(tc, unfinished_checksum_of_a_local_sender);
	tcase_add_test(tc, damaged_inside_a_tunnel);
	suite_add_tcase(suite, tc);

	tc = tcase_create("options");
	tcase_set_timeout(tc, 60);
	tcase_add_checked_fixture(tc, NULL, stand_close);
	tcase_add_test(tc, checksums_not_verified_when_switched_off);
	tcase_add_test(tc, checksums_at_both_zeroes);
	tcase_add_loop_test(tc, every_bit_flipped, 0, 4);
	suite_add_tcase(suite, tc);
	return suite;
}
