/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * t_tcp.c - the life of a TCP stream: how it starts, goes on and ends.
 *
 * Stream offset 0 is sequence number 1000 unless a table says otherwise. The requirements that a
 * test shows stand in brackets above it.
 */
#include <linux/bpf.h>

#include "stand.h"
#include "suites.h"

/* [R3 R4 R9 R18] */
START_TEST(stream_from_syn_to_fin)
{
	static const struct step steps[] = {
		OPEN,
		{P(ACK, 1000, 100), {C(APPEND, .len = 100)}},
		{P(ACK, 1100, 0), {C(NODATA)}},
		{P(ACK | PSH, 1100, 1460), {C(APPEND, .at = 100, .len = 1460)}},
		{P(ACK | FIN, 2560, 40),
		 {C(LAST, .reason = XP_R_FINISHED, .at = 1560, .len = 40, END_FLOW)}},
	};

	TABLE(steps);
	ck_assert_uint_eq(stand_counters().finished, 1);
	ck_assert_uint_eq(stand_counters().op_last, 1);
}
END_TEST

/* [R3 R4] */
START_TEST(fin_without_data)
{
	static const struct step steps[] = {
		OPEN,
		{P(ACK, 1000, 100), {C(APPEND, .len = 100)}},
		{P(ACK | FIN, 1100, 0), {C(LAST, .reason = XP_R_FINISHED, .at = 100, END_FLOW)}},
	};

	TABLE(steps);
}
END_TEST

/* A stream of no bytes at all. [R3 R4] */
START_TEST(fin_right_after_syn)
{
	static const struct step steps[] = {
		OPEN,
		{P(ACK | FIN, 1000, 0), {C(LAST, .reason = XP_R_FINISHED, END_FLOW)}},
	};

	TABLE(steps);
}
END_TEST

/* Begins and ends in one segment, with its bytes in it. [R3 R4] */
START_TEST(fin_in_the_syn)
{
	static const struct step steps[] = {
		{P(SYN | FIN, 999, 10),
		 {C(FIRST, .len = 10), C(LAST, .reason = XP_R_FINISHED, .at = 10, END_FLOW)}},
		{P(ACK, 1010, 0), {C(NODATA)}},
	};

	TABLE(steps);
}
END_TEST

/* The FIN comes again, with and without the last data; an ACK straggles. [R3 R12] */
START_TEST(fin_retransmitted)
{
	static const struct step steps[] = {
		OPEN,
		{P(ACK | FIN, 1000, 100), {C(LAST, .reason = XP_R_FINISHED, .len = 100, END_FLOW)}},
		{P(ACK | FIN, 1000, 100), {C(REPEAT, .reason = XP_R_REPEATED)}},
		{P(ACK | FIN, 1100, 0), {C(REPEAT, .reason = XP_R_REPEATED)}},
		{P(ACK, 1101, 0), {C(NODATA)}},
	};

	TABLE(steps);
	ck_assert_uint_eq(stand_counters().finished, 1);
}
END_TEST

/* The last byte of the stream is the last of its area: no area is left to hand over. [R3 R9] */
START_TEST(fin_fills_the_area)
{
	static const struct step steps[] = {
		OPEN,
		{P(ACK, 1000, 4000), {C(APPEND, .len = 4000)}},
		{P(ACK | FIN, 5000, 96),
		 {C(LAST, .reason = XP_R_FINISHED, .at = 4000, .len = 96, END_FLOW)}},
	};

	TABLE(steps);
}
END_TEST

/* The FIN overtakes the data before it. [R12] */
START_TEST(fin_before_the_data)
{
	static const struct step steps[] = {
		OPEN,
		{P(ACK | FIN, 1100, 0), {C(EARLY)}},
		{P(ACK, 1000, 40), {C(APPEND, .len = 40)}},
		{P(ACK, 1040, 60),
		 {C(LAST, .reason = XP_R_FINISHED, .at = 40, .len = 60, END_FLOW)}},
	};

	TABLE(steps);
}
END_TEST

/* The last segment overtakes the one before it. [R12] */
START_TEST(fin_with_early_data)
{
	static const struct step steps[] = {
		OPEN,
		{P(ACK | FIN, 1100, 50), {C(EARLY, .at = 100, .len = 50)}},
		{P(ACK, 1000, 100),
		 {C(APPEND, .len = 100), C(LAST, .reason = XP_R_FINISHED, .at = 100, .len = 50,
					   .flags = XP_CAUGHT_UP | XP_RELEASE_FLOW)}},
	};

	TABLE(steps);
}
END_TEST

/* What claims to lie behind the end of the stream is not part of it. [R12] */
START_TEST(data_behind_an_early_fin)
{
	static const struct step steps[] = {
		OPEN,
		{P(ACK | FIN, 1100, 0), {C(EARLY)}},
		{P(ACK, 1100, 10), {C(WHOLE, .reason = XP_R_CLOSED)}},
		{P(ACK, 1150, 10), {C(WHOLE, .reason = XP_R_CLOSED)}},
		{P(ACK, 1050, 80), {C(EARLY, .at = 50, .len = 50)}},
		{P(ACK, 1000, 50),
		 {C(APPEND, .len = 50), C(LAST, .reason = XP_R_FINISHED, .at = 50, .len = 50,
					  .flags = XP_CAUGHT_UP | XP_RELEASE_FLOW)}},
	};

	TABLE(steps);
}
END_TEST

/* [R3] */
START_TEST(data_after_fin)
{
	static const struct step steps[] = {
		OPEN,
		{P(ACK | FIN, 1000, 10), {C(LAST, .reason = XP_R_FINISHED, .len = 10, END_FLOW)}},
		{P(ACK, 1010, 100), {C(WHOLE, .reason = XP_R_CLOSED)}},
		{P(ACK, 1011, 1000), {C(WHOLE, .reason = XP_R_CLOSED)}},
		{P(ACK, 1005, 10), {C(WHOLE, .reason = XP_R_CLOSED)}},
	};

	TABLE(steps);
	ck_assert_uint_eq(stand_counters().closed, 3);
}
END_TEST

/* [R3] */
START_TEST(data_after_rst)
{
	static const struct step steps[] = {
		OPEN,
		{P(RST, 1000, 0),
		 {C(TEARDOWN, .reason = XP_R_RESET), C(TEARDOWN, .reason = XP_R_RESET, END_FLOW)}},
		{P(ACK, 1000, 100), {C(WHOLE, .reason = XP_R_CLOSED)}},
		{P(ACK | FIN, 1001, 0), {C(NODATA, .reason = XP_R_CLOSED)}},
	};

	TABLE(steps);
}
END_TEST

/* One direction ends, the other goes on. [R3] */
START_TEST(half_close)
{
	static const struct step steps[] = {
		OPEN,
		{P(SYN | ACK, 4999, 0, .reverse = 1), {C(FIRST)}},
		{P(ACK | FIN, 1000, 10, .ack = 5000),
		 {C(LAST, .reason = XP_R_FINISHED, .len = 10, END_FLOW)}},
		{P(ACK, 5000, 1000, .reverse = 1), {C(APPEND, .len = 1000)}},
		{P(ACK, 1011, 0, .ack = 6000), {C(NODATA)}},
		{P(ACK, 6000, 1000, .reverse = 1), {C(APPEND, .at = 1000, .len = 1000)}},
		{P(ACK | FIN, 7000, 0, .reverse = 1),
		 {C(LAST, .reason = XP_R_FINISHED, .at = 2000, END_FLOW)}},
		{P(ACK, 1011, 0, .ack = 7001), {C(NODATA)}},
	};

	TABLE(steps);
}
END_TEST

/* Both send a SYN, then both a SYN+ACK with the same number (RFC 9293, 3.5). [R3] */
START_TEST(simultaneous_open)
{
	static const struct step steps[] = {
		OPEN,
		{P(SYN, 4999, 0, .reverse = 1), {C(FIRST)}},
		{P(SYN | ACK, 999, 0, .ack = 5000), {C(NODATA)}},
		{P(SYN | ACK, 4999, 0, .ack = 1000, .reverse = 1), {C(NODATA)}},
		{P(ACK, 1000, 10, .ack = 5000), {C(APPEND, .len = 10)}},
		{P(ACK, 5000, 20, .ack = 1000, .reverse = 1), {C(APPEND, .len = 20)}},
	};

	TABLE(steps);
	ck_assert_uint_eq(stand_flows(), 2);
}
END_TEST

/* The same number: the same stream. [R13] */
START_TEST(syn_retransmitted)
{
	static const struct step steps[] = {
		OPEN,
		{P(SYN, 999, 0), {C(NODATA)}},
		{P(ACK, 1000, 10), {C(APPEND, .len = 10)}},
		{P(SYN, 999, 0), {C(NODATA)}},
		{P(ACK, 1010, 10), {C(APPEND, .at = 10, .len = 10)}},
	};

	TABLE(steps);
	ck_assert_uint_eq(stand_flows(), 1);
}
END_TEST

/* TCP Fast Open (RFC 7413). [R3 R4] */
START_TEST(syn_with_data)
{
	static const struct step steps[] = {
		{P(SYN, 999, 50), {C(FIRST, .len = 50)}},
		{P(SYN, 999, 50), {C(REPEAT, .reason = XP_R_REPEATED)}},
		{P(ACK, 1050, 10), {C(APPEND, .at = 50, .len = 10)}},
	};

	TABLE(steps);
}
END_TEST

/* The server did not take the data in the SYN: they come again behind it. [R12] */
START_TEST(syn_data_sent_again_without_syn)
{
	static const struct step steps[] = {
		{P(SYN, 999, 50), {C(FIRST, .len = 50)}},
		{P(ACK, 1000, 60), {C(APPEND, .at = 50, .len = 10)}},
	};

	TABLE(steps);
}
END_TEST

/* Port reuse while the old stream is open. [R13] */
START_TEST(syn_on_a_live_key)
{
	static const struct step steps[] = {
		OPEN,
		{P(ACK, 1000, 10), {C(APPEND, .len = 10)}},
		{P(SYN, 70000, 0),
		 {C(TEARDOWN, .reason = XP_R_REOPENED, .at = 10, .flow = 1, END_FLOW),
		  C(FIRST, .flow = 2)}},
		{P(ACK, 70001, 10), {C(APPEND, .len = 10)}},
		{P(ACK, 1010, 10), {C(REPEAT, .reason = XP_R_REPEATED)}},
	};

	TABLE(steps);
	ck_assert_uint_eq(stand_counters().reopened, 1);
	ck_assert_uint_eq(stand_flows(), 1);
}
END_TEST

/* What had arrived behind the holes is told before the old stream ends. [R13] */
START_TEST(syn_on_a_live_key_with_holes)
{
	static const struct step steps[] = {
		OPEN,
		{P(ACK, 1100, 10), {C(EARLY, .at = 100, .len = 10)}},
		{P(SYN, 70000, 5),
		 {C(TEARDOWN, .reason = XP_R_REOPENED, .gap = 100, .flow = 1),
		  C(APPEND, .at = 100, .len = 10, .flow = 1, CAUGHT_UP),
		  C(TEARDOWN, .reason = XP_R_REOPENED, .at = 110, .flow = 1, END_FLOW),
		  C(FIRST, .len = 5, .flow = 2)}},
		{P(ACK, 70006, 10), {C(APPEND, .at = 5, .len = 10)}},
	};

	TABLE(steps);
}
END_TEST

/* Port reuse after the old stream has ended: nothing more is told of that. [R13] */
START_TEST(syn_on_an_ended_key)
{
	static const struct step steps[] = {
		OPEN,
		{P(ACK | FIN, 1000, 10), {C(LAST, .reason = XP_R_FINISHED, .len = 10, END_FLOW)}},
		{P(SYN, 5000, 0), {C(FIRST, .flow = 2)}},
		{P(ACK, 5001, 10), {C(APPEND, .len = 10)}},
	};

	TABLE(steps);
	ck_assert_uint_eq(stand_flows(), 1);
}
END_TEST

/* [R13] */
START_TEST(syn_after_rst)
{
	static const struct step steps[] = {
		OPEN,
		{P(RST, 1000, 0),
		 {C(TEARDOWN, .reason = XP_R_RESET), C(TEARDOWN, .reason = XP_R_RESET, END_FLOW)}},
		{P(SYN, 5000, 0), {C(FIRST, .flow = 2)}},
	};

	TABLE(steps);
}
END_TEST

/* [R3] */
START_TEST(rst_right_after_syn)
{
	static const struct step steps[] = {
		OPEN,
		{P(RST | ACK, 1000, 0),
		 {C(TEARDOWN, .reason = XP_R_RESET), C(TEARDOWN, .reason = XP_R_RESET, END_FLOW)}},
	};

	TABLE(steps);
	ck_assert_uint_eq(stand_counters().reset, 1);
	ck_assert_uint_eq(stand_counters().op_teardown, 1);
}
END_TEST

/* [R13] */
START_TEST(rst_ahead_inside_the_window)
{
	static const struct step steps[] = {
		OPEN,
		{P(ACK, 1000, 10), {C(APPEND, .len = 10)}},
		{P(RST, 5000, 0),
		 {C(TEARDOWN, .reason = XP_R_RESET),
		  C(TEARDOWN, .reason = XP_R_RESET, .at = 10, END_FLOW)}},
	};

	TABLE(steps);
}
END_TEST

/* Behind the edge, or too far ahead: ignored. [R13] */
START_TEST(rst_outside_the_window)
{
	static const struct step steps[] = {
		OPEN,
		{P(ACK, 1000, 10), {C(APPEND, .len = 10)}},
		{P(RST, 1009, 0), {C(NODATA, .reason = XP_R_RST_WINDOW)}},
		{P(RST, 0x70000000, 0), {C(NODATA, .reason = XP_R_RST_WINDOW)}},
		{P(RST, 0x90000000, 0), {C(NODATA, .reason = XP_R_RST_WINDOW)}},
		{P(RST | ACK, 1010 + (1 << 20) + 1, 0), {C(NODATA, .reason = XP_R_RST_WINDOW)}},
		{P(ACK, 1010, 10), {C(APPEND, .at = 10, .len = 10)}},
	};

	TABLE(steps);
	ck_assert_uint_eq(stand_counters().rst_window, 4);
}
END_TEST

/* What had arrived early is told, then the end. [R13] */
START_TEST(rst_with_holes)
{
	static const struct step steps[] = {
		OPEN,
		{P(ACK, 1100, 10), {C(EARLY, .at = 100, .len = 10)}},
		{P(RST, 1000, 0),
		 {C(TEARDOWN, .reason = XP_R_RESET), C(TEARDOWN, .reason = XP_R_RESET, .gap = 100),
		  C(APPEND, .at = 100, .len = 10, CAUGHT_UP),
		  C(TEARDOWN, .reason = XP_R_RESET, .at = 110, END_FLOW)}},
	};

	TABLE(steps);
}
END_TEST

/* A RST may carry a text that says why (RFC 9293, 3.10.7.4): no stream data. [R13] */
START_TEST(rst_with_data)
{
	static const struct step steps[] = {
		OPEN,
		{P(RST, 1000, 20),
		 {C(TEARDOWN, .reason = XP_R_RESET), C(TEARDOWN, .reason = XP_R_RESET, END_FLOW)}},
	};

	TABLE(steps);
}
END_TEST

/* [R13] */
START_TEST(rst_after_fin)
{
	static const struct step steps[] = {
		OPEN,
		{P(ACK | FIN, 1000, 0), {C(LAST, .reason = XP_R_FINISHED, END_FLOW)}},
		{P(RST, 1001, 0), {C(NODATA, .reason = XP_R_CLOSED)}},
	};

	TABLE(steps);
}
END_TEST

/* [R13] */
START_TEST(rst_while_the_fin_is_early)
{
	static const struct step steps[] = {
		OPEN,
		{P(ACK | FIN, 1100, 0), {C(EARLY)}},
		{P(RST, 1000, 0),
		 {C(TEARDOWN, .reason = XP_R_RESET),
		  C(TEARDOWN, .reason = XP_R_RESET, .flags = XP_GAP, .gap = 100),
		  C(TEARDOWN, .reason = XP_R_RESET, .at = 100, END_FLOW)}},
	};

	TABLE(steps);
}
END_TEST

/* [R3] */
START_TEST(rst_of_no_flow)
{
	static const struct step steps[] = {
		{P(RST, 1000, 0), {C(FOREIGN, .reason = XP_R_NO_FLOW)}},
	};

	TABLE(steps);
	ck_assert_uint_eq(stand_flows(), 0);
}
END_TEST

/* [R13] */
START_TEST(picked_up_in_midstream)
{
	static const struct step steps[] = {
		{P(ACK, 1000, 100), {C(FIRST, .len = 100)}},
		{P(ACK, 1100, 100), {C(APPEND, .at = 100, .len = 100)}},
	};

	TABLE(steps);
	ck_assert(stand_flow(&steps[0].in).flags & XP_FLOW_PICKED);
}
END_TEST

/* Neither a pure ACK nor a FIN of an unknown stream starts one. [R13] */
START_TEST(nothing_to_pick_up)
{
	static const struct step steps[] = {
		{P(ACK, 1000, 0), {C(FOREIGN, .reason = XP_R_NO_FLOW)}},
		{P(ACK | FIN, 1000, 0), {C(FOREIGN, .reason = XP_R_NO_FLOW)}},
	};

	TABLE(steps);
	ck_assert_uint_eq(stand_flows(), 0);
}
END_TEST

/* [R13] */
START_TEST(picked_up_with_the_last_segment)
{
	static const struct step steps[] = {
		{P(ACK | FIN, 1000, 100),
		 {C(FIRST, .len = 100), C(LAST, .reason = XP_R_FINISHED, .at = 100, END_FLOW)}},
	};

	TABLE(steps);
}
END_TEST

/* Offset 0 is where we came in: what lies before it is old. [R12 R13] */
START_TEST(data_before_the_pick_up)
{
	static const struct step steps[] = {
		{P(ACK, 1000, 100), {C(FIRST, .len = 100)}},
		{P(ACK, 900, 100), {C(REPEAT, .reason = XP_R_REPEATED)}},
		{P(ACK, 900, 300), {C(APPEND, .at = 100, .len = 100)}},
	};

	TABLE(steps);
}
END_TEST

/* One byte before the edge, with and without a byte of garbage in it (RFC 9293, 3.8.4). [R12] */
START_TEST(keep_alive)
{
	static const struct step steps[] = {
		OPEN,
		{P(ACK, 1000, 10), {C(APPEND, .len = 10)}},
		{P(ACK, 1009, 0), {C(NODATA)}},
		{P(ACK, 1009, 1, .salt = 1), {C(REPEAT, .reason = XP_R_REPEATED)}},
		{P(ACK, 1010, 10), {C(APPEND, .at = 10, .len = 10)}},
	};

	TABLE(steps);
	ck_assert_uint_eq(stand_flow(&steps[0].in).repeats, 1);
}
END_TEST

/* One byte beyond what the receiver takes; it comes again until all comes. [R12] */
START_TEST(zero_window_probe)
{
	static const struct step steps[] = {
		OPEN,
		{P(ACK, 1000, 10), {C(APPEND, .len = 10)}},
		{P(ACK, 1010, 1), {C(APPEND, .at = 10, .len = 1)}},
		{P(ACK, 1010, 1), {C(REPEAT, .reason = XP_R_REPEATED)}},
		{P(ACK, 1010, 100), {C(APPEND, .at = 11, .len = 99)}},
	};

	TABLE(steps);
}
END_TEST

/* [R12] */
START_TEST(sequence_wraps)
{
	static const struct step steps[] = {
		{P(SYN, 0xffffff00, 0), {C(FIRST)}},
		{P(ACK, 0xffffff01, 200), {C(APPEND, .len = 200)}},
		{P(ACK, 0xffffffc9, 200), {C(APPEND, .at = 200, .len = 200)}},
		{P(ACK, 0xffffffc9, 200), {C(REPEAT, .reason = XP_R_REPEATED)}},
		{P(ACK, 0x91, 200), {C(APPEND, .at = 400, .len = 200)}},
		{P(ACK | FIN, 0x159, 0), {C(LAST, .reason = XP_R_FINISHED, .at = 600, END_FLOW)}},
	};

	TABLE(steps);
}
END_TEST

/* [R12] */
START_TEST(sequence_wraps_in_a_hole)
{
	static const struct step steps[] = {
		{P(SYN, 0xfffffffe, 0), {C(FIRST)}},
		{P(ACK, 99, 100), {C(EARLY, .at = 100, .len = 100)}},
		{P(ACK, 0xffffffff, 100),
		 {C(APPEND, .len = 100), C(APPEND, .at = 100, .len = 100, CAUGHT_UP)}},
	};

	TABLE(steps);
}
END_TEST

/* [R12] */
START_TEST(syn_is_the_last_number)
{
	static const struct step steps[] = {
		{P(SYN, 0xffffffff, 10), {C(FIRST, .len = 10)}},
		{P(ACK, 10, 10), {C(APPEND, .at = 10, .len = 10)}},
	};

	TABLE(steps);
}
END_TEST

/* RFC 9293, 3.8.5; RFC 6093: in line, whatever the pointer says. [R12] */
START_TEST(urgent_data_stay_in_line)
{
	static const struct step steps[] = {
		OPEN,
		{P(ACK | URG, 1000, 100, .urgent = 1), {C(APPEND, .len = 100)}},
		{P(ACK | URG, 1100, 100, .urgent = 60000), {C(APPEND, .at = 100, .len = 100)}},
	};

	TABLE(steps);
}
END_TEST

/* [R1 R9] */
START_TEST(headers_with_options)
{
	static const struct step steps[] = {
		OPEN,
		{P(ACK, 1000, 100, .tcp_options = 40), {C(APPEND, .len = 100)}},
		{P(ACK, 1100, 100, .ip_options = 40), {C(APPEND, .at = 100, .len = 100)}},
		{P(ACK, 1200, 100, .ip_options = 40, .tcp_options = 40),
		 {C(APPEND, .at = 200, .len = 100)}},
		{P(ACK, 1300, 0, .ip_options = 8, .tcp_options = 12), {C(NODATA)}},
	};

	TABLE(steps);
}
END_TEST

/* Ethernet pads short frames. [R1] */
START_TEST(padding_is_no_data)
{
	static const struct step steps[] = {
		OPEN,
		{P(ACK, 1000, 0, .padding = 6), {C(NODATA)}},
		{P(ACK, 1000, 2, .padding = 4), {C(APPEND, .len = 2)}},
		{P(ACK, 1002, 10, .padding = 100), {C(APPEND, .at = 2, .len = 10)}},
		{P(ACK | FIN, 1012, 0, .padding = 6),
		 {C(LAST, .reason = XP_R_FINISHED, .at = 12, END_FLOW)}},
	};

	TABLE(steps);
}
END_TEST

/* The stream offset of a packet without data is the edge, whichever way it was judged. [R9] */
START_TEST(acknowledgements_tell_the_edge)
{
	static const struct step steps[] = {
		OPEN,
		{P(ACK, 1000, 100), {C(APPEND, .len = 100)}},
		{P(ACK, 1100, 0), {C(NODATA, .at = 100)}},
		{P(ACK, 1100, 0, .ip_options = 4), {C(NODATA, .at = 100)}},
		{P(ACK, 1000, 100), {C(REPEAT, .reason = XP_R_REPEATED, .at = 100)}},
	};

	TABLE(steps);
}
END_TEST

/* [R2 R3] */
START_TEST(two_directions_are_two_flows)
{
	static const struct step steps[] = {
		OPEN,
		{P(SYN | ACK, 4999, 0, .reverse = 1), {C(FIRST)}},
		{P(ACK, 1000, 500), {C(APPEND, .len = 500)}},
		{P(ACK, 5000, 500, .reverse = 1), {C(APPEND, .len = 500)}},
		{P(ACK, 1500, 500), {C(APPEND, .at = 500, .len = 500)}},
		{P(ACK, 5500, 500, .reverse = 1), {C(APPEND, .at = 500, .len = 500)}},
	};

	TABLE(steps);
	ck_assert_uint_eq(stand_flows(), 2);
}
END_TEST

/* [R1 R3] */
START_TEST(ipv6_stream)
{
	static const struct step steps[] = {
		{P(SYN, 999, 0, .v6 = 1), {C(FIRST)}},
		{P(ACK, 1000, 1440, .v6 = 1), {C(APPEND, .len = 1440)}},
		{P(ACK, 2440, 0, .v6 = 1), {C(NODATA)}},
		{P(ACK, 2540, 10, .v6 = 1), {C(EARLY, .at = 1540, .len = 10)}},
		{P(ACK, 2440, 100, .v6 = 1),
		 {C(APPEND, .at = 1440, .len = 100), C(APPEND, .at = 1540, .len = 10, CAUGHT_UP)}},
		{P(ACK, 2440, 100, .v6 = 1), {C(REPEAT, .reason = XP_R_REPEATED)}},
		{P(ACK | FIN, 2550, 10, .v6 = 1),
		 {C(LAST, .reason = XP_R_FINISHED, .at = 1550, .len = 10, END_FLOW)}},
		{P(RST, 2561, 0, .v6 = 1), {C(NODATA, .reason = XP_R_CLOSED)}},
		{P(SYN, 70000, 0, .v6 = 1), {C(FIRST, .flow = 2)}},
	};

	TABLE(steps);
}
END_TEST

/* [R1] */
START_TEST(ipv6_extension_headers)
{
	static const struct step steps[] = {
		{P(SYN, 999, 0, .v6 = 1, .ip_options = 3), {C(FIRST)}},
		{P(ACK, 1000, 100, .v6 = 1, .ip_options = 7), {C(APPEND, .len = 100)}},
		{P(ACK, 1100, 100, .v6 = 1, .pure_fragment = 1),
		 {C(APPEND, .at = 100, .len = 100)}},
		{P(ACK, 1200, 100, .v6 = 1, .ip_options = 2, .pure_fragment = 1),
		 {C(APPEND, .at = 200, .len = 100)}},
	};

	TABLE(steps);
}
END_TEST

/* A flow set up only by its SYN: no pick-up. [R13] */
START_TEST(no_pick_up_when_switched_off)
{
	static const struct step steps[] = {
		{P(ACK, 1000, 100), {C(WHOLE, .reason = XP_R_NO_FLOW, .no_flow = 1)}},
		{P(ACK, 1100, 0), {C(FOREIGN, .reason = XP_R_NO_FLOW)}},
		OPEN,
		{P(ACK, 1000, 100), {C(APPEND, .len = 100)}},
		{P(ACK, 0x60000000, 10), {C(WHOLE, .reason = XP_R_OUT_OF_WINDOW)}},
		{P(ACK, 0xf0000000, 10), {C(WHOLE, .reason = XP_R_OUT_OF_WINDOW)}},
		{P(ACK, 0xf0000000, 10),
		 {C(TEARDOWN, .reason = XP_R_LOST_SYNC),
		  C(TEARDOWN, .reason = XP_R_LOST_SYNC, .at = 100, END_FLOW)}},
	};
	struct xdplace_opts opts = stand_opts();

	opts.no_pickup = true;
	stand_open(&opts);
	stand_rule("tap stream any");
	TABLE(steps);
}
END_TEST

Suite *suite_tcp(void)
{
	Suite *suite = suite_create("tcp");
	TCase *tc = tcase_create("life");

	tcase_set_timeout(tc, 60);
	tcase_add_unchecked_fixture(tc, stand_share, stand_unshare);
	tcase_add_checked_fixture(tc, stand_setup, stand_close);
	tcase_add_test(tc, stream_from_syn_to_fin);
	tcase_add_test(tc, fin_without_data);
	tcase_add_test(tc, fin_right_after_syn);
	tcase_add_test(tc, fin_in_the_syn);
	tcase_add_test(tc, fin_retransmitted);
	tcase_add_test(tc, fin_fills_the_area);
	tcase_add_test(tc, fin_before_the_data);
	tcase_add_test(tc, fin_with_early_data);
	tcase_add_test(tc, data_behind_an_early_fin);
	tcase_add_test(tc, data_after_fin);
	tcase_add_test(tc, data_after_rst);
	tcase_add_test(tc, half_close);
	tcase_add_test(tc, simultaneous_open);
	tcase_add_test(tc, syn_retransmitted);
	tcase_add_test(tc, syn_with_data);
	tcase_add_test(tc, syn_data_sent_again_without_syn);
	tcase_add_test(tc, syn_on_a_live_key);
	tcase_add_test(tc, syn_on_a_live_key_with_holes);
	tcase_add_test(tc, syn_on_an_ended_key);
	tcase_add_test(tc, syn_after_rst);
	tcase_add_test(tc, rst_right_after_syn);
	tcase_add_test(tc, rst_ahead_inside_the_window);
	tcase_add_test(tc, rst_outside_the_window);
	tcase_add_test(tc, rst_with_holes);
	tcase_add_test(tc, rst_with_data);
	tcase_add_test(tc, rst_after_fin);
	tcase_add_test(tc, rst_while_the_fin_is_early);
	tcase_add_test(tc, rst_of_no_flow);
	tcase_add_test(tc, picked_up_in_midstream);
	tcase_add_test(tc, nothing_to_pick_up);
	tcase_add_test(tc, picked_up_with_the_last_segment);
	tcase_add_test(tc, data_before_the_pick_up);
	tcase_add_test(tc, keep_alive);
	tcase_add_test(tc, zero_window_probe);
	tcase_add_test(tc, sequence_wraps);
	tcase_add_test(tc, sequence_wraps_in_a_hole);
	tcase_add_test(tc, syn_is_the_last_number);
	tcase_add_test(tc, urgent_data_stay_in_line);
	tcase_add_test(tc, headers_with_options);
	tcase_add_test(tc, padding_is_no_data);
	tcase_add_test(tc, acknowledgements_tell_the_edge);
	tcase_add_test(tc, two_directions_are_two_flows);
	tcase_add_test(tc, ipv6_stream);
	tcase_add_test(tc, ipv6_extension_headers);
	suite_add_tcase(suite, tc);

	tc = tcase_create("options");
	tcase_set_timeout(tc, 60);
	tcase_add_checked_fixture(tc, NULL, stand_close);
	tcase_add_test(tc, no_pick_up_when_switched_off);
	suite_add_tcase(suite, tc);
	return suite;
}
