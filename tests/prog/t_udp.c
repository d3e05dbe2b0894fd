/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * t_udp.c - datagrams back to back, each with its boundaries: R15.
 *
 * The requirements that a test shows stand in brackets above it.
 */
#include <linux/bpf.h>

#include "stand.h"
#include "suites.h"

/* Placed one behind the other, a completion for each. [R15] */
START_TEST(datagrams_back_to_back)
{
	static const struct step steps[] = {
		{UDP(0, 100), {C(FIRST, .len = 100)}},
		{UDP(100, 1), {C(APPEND, .at = 100, .len = 1)}},
		{UDP(101, 1472), {C(APPEND, .at = 101, .len = 1472)}},
		{UDP(1573, 33), {C(APPEND, .at = 1573, .len = 33)}},
	};

	TABLE(steps);
}
END_TEST

/* [R9 R15] */
START_TEST(datagrams_straddle_areas)
{
	static const struct step steps[] = {
		{UDP(0, 4000), {C(FIRST, .len = 4000)}},
		{UDP(4000, 96), {C(APPEND, .at = 4000, .len = 96)}},
		{UDP(4096, 4000), {C(APPEND, .at = 4096, .len = 4000)}},
		{UDP(8096, 1001), {C(APPEND, .at = 8096, .len = 1001)}},
		{UDP(9097, 1), {C(APPEND, .at = 9097, .len = 1)}},
	};

	if (!stand_sends())
		TABLE(steps);
}
END_TEST

/* It has a boundary, and no data; it does not set up a flow. [R15] */
START_TEST(empty_datagram)
{
	static const struct step steps[] = {
		{UDP(0, 0), {C(FOREIGN, .reason = XP_R_NO_FLOW)}},
		{UDP(0, 10), {C(FIRST, .len = 10)}},
		{UDP(10, 0), {C(NODATA)}},
		{UDP(10, 10), {C(APPEND, .at = 10, .len = 10)}},
	};

	TABLE(steps);
}
END_TEST

/* From fragmented frames: MORE until the datagram ends. [R15] */
START_TEST(large_datagrams)
{
	static const struct step steps[] = {
		{UDP(0, 8972),
		 {C(FIRST, .len = 4096), C(FIRST, .at = 4096, .len = 4096),
		  C(FIRST, .at = 8192, .len = 780)}},
		{UDP(8972, 8972),
		 {C(APPEND, .at = 8972, .len = 3316), C(APPEND, .at = 12288, .len = 4096),
		  C(APPEND, .at = 16384, .len = 1560)}},
	};

	TABLE(steps);
}
END_TEST

/* [R1 R15] */
START_TEST(udp_over_ipv6)
{
	static const struct step steps[] = {
		{UDP(0, 100, .v6 = 1), {C(FIRST, .len = 100)}},
		{UDP(100, 1000, .v6 = 1), {C(APPEND, .at = 100, .len = 1000)}},
		{UDP(1100, 10, .v6 = 1, .ip_options = 2), {C(APPEND, .at = 1100, .len = 10)}},
	};

	TABLE(steps);
}
END_TEST

/* [R1 R15] */
START_TEST(udp_padding_is_no_data)
{
	static const struct step steps[] = {
		{UDP(0, 5, .padding = 13), {C(FIRST, .len = 5)}},
		{UDP(5, 5, .padding = 13), {C(APPEND, .at = 5, .len = 5)}},
	};

	TABLE(steps);
}
END_TEST

/* [R2] */
START_TEST(udp_and_tcp_on_the_same_ports)
{
	static const struct step steps[] = {
		{UDP(0, 5), {C(FIRST, .len = 5)}},
		{P(ACK, 1000, 6), {C(FIRST, .len = 6)}},
		{UDP(5, 7), {C(APPEND, .at = 5, .len = 7)}},
		{P(ACK, 1006, 8), {C(APPEND, .at = 6, .len = 8)}},
	};

	TABLE(steps);
	ck_assert_uint_eq(stand_flows(), 2);
}
END_TEST

/* UDP over IPv4 may do without (RFC 768). [R1] */
START_TEST(checksum_left_out)
{
	static const struct step steps[] = {
		{UDP(0, 100, .fault = FAULT_NO_CHECKSUM), {C(FIRST, .len = 100)}},
		{UDP(100, 100, .fault = FAULT_NO_CHECKSUM), {C(APPEND, .at = 100, .len = 100)}},
	};

	TABLE(steps);
}
END_TEST

/* There it must be (RFC 8200, 8.1). [R1] */
START_TEST(checksum_left_out_over_ipv6)
{
	static const struct step steps[] = {
		{UDP(0, 100, .v6 = 1), {C(FIRST, .len = 100)}},
		{UDP(100, 100, .v6 = 1, .fault = FAULT_NO_CHECKSUM),
		 {C(WHOLE, .reason = XP_R_CHECKSUM)}},
		{UDP(100, 100, .v6 = 1), {C(APPEND, .at = 100, .len = 100)}},
	};

	TABLE(steps);
}
END_TEST

Suite *suite_udp(void)
{
	Suite *suite = suite_create("udp");
	TCase *tc = tcase_create("datagrams");

	tcase_set_timeout(tc, 60);
	tcase_add_unchecked_fixture(tc, stand_share, stand_unshare);
	tcase_add_checked_fixture(tc, stand_setup, stand_close);
	tcase_add_test(tc, datagrams_back_to_back);
	tcase_add_test(tc, datagrams_straddle_areas);
	tcase_add_test(tc, empty_datagram);
	tcase_add_test(tc, large_datagrams);
	tcase_add_test(tc, udp_over_ipv6);
	tcase_add_test(tc, udp_padding_is_no_data);
	tcase_add_test(tc, udp_and_tcp_on_the_same_ports);
	tcase_add_test(tc, checksum_left_out);
	tcase_add_test(tc, checksum_left_out_over_ipv6);
	suite_add_tcase(suite, tc);
	return suite;
}
