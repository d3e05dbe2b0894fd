/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * t_holes.c - segments out of order, again, overlapping, beyond the window: R12 and R13.
 *
 * Stream offset 0 is sequence number 1000. The requirements that a test shows stand in brackets.
 */
#include <linux/bpf.h>

#include "stand.h"
#include "suites.h"

/* [R12] */
START_TEST(hole_opened_and_filled)
{
	static const struct step steps[] = {
		OPEN,
		{P(ACK, 1100, 100), {C(EARLY, .at = 100, .len = 100)}},
		{P(ACK, 1000, 100),
		 {C(APPEND, .len = 100), C(APPEND, .at = 100, .len = 100, CAUGHT_UP)}},
		{P(ACK, 1200, 100), {C(APPEND, .at = 200, .len = 100)}},
	};

	TABLE(steps);
	ck_assert_uint_eq(stand_flow(&steps[0].in).earlies, 1);
	ck_assert_uint_eq(stand_flow(&steps[0].in).early, XP_NONE);
}
END_TEST

/* [R12] */
START_TEST(first_segments_in_reverse)
{
	static const struct step steps[] = {
		OPEN,
		{P(ACK, 1300, 100), {C(EARLY, .at = 300, .len = 100)}},
		{P(ACK, 1200, 100), {C(EARLY, .at = 200, .len = 100)}},
		{P(ACK, 1100, 100), {C(EARLY, .at = 100, .len = 100)}},
		{P(ACK, 1000, 100),
		 {C(APPEND, .len = 100), C(APPEND, .at = 100, .len = 300, CAUGHT_UP)}},
	};

	TABLE(steps);
}
END_TEST

/* [R12] */
START_TEST(hole_filled_in_two_parts)
{
	static const struct step steps[] = {
		OPEN,
		{P(ACK, 1200, 100), {C(EARLY, .at = 200, .len = 100)}},
		{P(ACK, 1000, 50), {C(APPEND, .len = 50)}},
		{P(ACK, 1050, 150),
		 {C(APPEND, .at = 50, .len = 150), C(APPEND, .at = 200, .len = 100, CAUGHT_UP)}},
	};

	TABLE(steps);
}
END_TEST

/* [R12] */
START_TEST(hole_filled_from_behind)
{
	static const struct step steps[] = {
		OPEN,
		{P(ACK, 1200, 100), {C(EARLY, .at = 200, .len = 100)}},
		{P(ACK, 1150, 50), {C(EARLY, .at = 150, .len = 50)}},
		{P(ACK, 1000, 150),
		 {C(APPEND, .len = 150), C(APPEND, .at = 150, .len = 150, CAUGHT_UP)}},
	};

	TABLE(steps);
}
END_TEST

/* [R12] */
START_TEST(two_holes)
{
	static const struct step steps[] = {
		OPEN,
		{P(ACK, 1100, 100), {C(EARLY, .at = 100, .len = 100)}},
		{P(ACK, 1300, 100), {C(EARLY, .at = 300, .len = 100)}},
		{P(ACK, 1000, 100),
		 {C(APPEND, .len = 100), C(APPEND, .at = 100, .len = 100, CAUGHT_UP)}},
		{P(ACK, 1200, 100),
		 {C(APPEND, .at = 200, .len = 100), C(APPEND, .at = 300, .len = 100, CAUGHT_UP)}},
	};

	TABLE(steps);
}
END_TEST

/* The bytes placed first win. [R12] */
START_TEST(retransmission_with_other_bytes)
{
	static const struct step steps[] = {
		OPEN,
		{P(ACK, 1000, 100), {C(APPEND, .len = 100)}},
		{P(ACK, 1000, 100, .salt = 1), {C(REPEAT, .reason = XP_R_REPEATED)}},
		{P(ACK, 1200, 100), {C(EARLY, .at = 200, .len = 100)}},
		{P(ACK, 1100, 200, .salt = 1),
		 {C(APPEND, .at = 100, .len = 100, .salt = 1),
		  C(APPEND, .at = 200, .len = 100, CAUGHT_UP)}},
	};

	TABLE(steps);
}
END_TEST

/* [R12] */
START_TEST(overlap_at_the_front)
{
	static const struct step steps[] = {
		OPEN,
		{P(ACK, 1000, 100), {C(APPEND, .len = 100)}},
		{P(ACK, 1050, 100, .salt = 1), {C(APPEND, .at = 100, .len = 50, .salt = 1)}},
	};

	TABLE(steps);
}
END_TEST

/* [R12] */
START_TEST(overlap_at_the_back)
{
	static const struct step steps[] = {
		OPEN,
		{P(ACK, 1100, 100), {C(EARLY, .at = 100, .len = 100)}},
		{P(ACK, 1000, 150, .salt = 1),
		 {C(APPEND, .len = 100, .salt = 1), C(APPEND, .at = 100, .len = 100, CAUGHT_UP)}},
	};

	TABLE(steps);
}
END_TEST

/* [R12] */
START_TEST(overlap_at_both_ends)
{
	static const struct step steps[] = {
		OPEN,
		{P(ACK, 1000, 100), {C(APPEND, .len = 100)}},
		{P(ACK, 1200, 100), {C(EARLY, .at = 200, .len = 100)}},
		{P(ACK, 1050, 200, .salt = 1),
		 {C(APPEND, .at = 100, .len = 100, .salt = 1),
		  C(APPEND, .at = 200, .len = 100, CAUGHT_UP)}},
	};

	TABLE(steps);
}
END_TEST

/* Front, back and both ends of runs that have arrived. [R12] */
START_TEST(early_overlaps_early)
{
	static const struct step steps[] = {
		OPEN,
		{P(ACK, 1200, 100), {C(EARLY, .at = 200, .len = 100)}},
		{P(ACK, 1150, 100, .salt = 1), {C(EARLY, .at = 150, .len = 50, .salt = 1)}},
		{P(ACK, 1250, 100, .salt = 2), {C(EARLY, .at = 300, .len = 50, .salt = 2)}},
		{P(ACK, 1100, 300, .salt = 3),
		 {C(EARLY, .at = 100, .len = 50, .salt = 3),
		  C(EARLY, .at = 350, .len = 50, .salt = 3)}},
		{P(ACK, 1000, 100),
		 {C(APPEND, .len = 100), C(APPEND, .at = 100, .len = 300, CAUGHT_UP)}},
	};

	TABLE(steps);
}
END_TEST

/* [R12] */
START_TEST(early_spans_several_runs)
{
	static const struct step steps[] = {
		OPEN,
		{P(ACK, 1100, 100), {C(EARLY, .at = 100, .len = 100)}},
		{P(ACK, 1300, 100), {C(EARLY, .at = 300, .len = 100)}},
		{P(ACK, 1500, 100), {C(EARLY, .at = 500, .len = 100)}},
		{P(ACK, 1050, 600, .salt = 1),
		 {C(EARLY, .at = 50, .len = 50, .salt = 1),
		  C(EARLY, .at = 200, .len = 100, .salt = 1),
		  C(EARLY, .at = 400, .len = 100, .salt = 1),
		  C(EARLY, .at = 600, .len = 50, .salt = 1)}},
		{P(ACK, 1000, 50),
		 {C(APPEND, .len = 50), C(APPEND, .at = 50, .len = 600, CAUGHT_UP)}},
	};

	TABLE(steps);
}
END_TEST

/* [R12] */
START_TEST(append_spans_several_runs)
{
	static const struct step steps[] = {
		OPEN,
		{P(ACK, 1100, 100), {C(EARLY, .at = 100, .len = 100)}},
		{P(ACK, 1300, 100), {C(EARLY, .at = 300, .len = 100)}},
		{P(ACK, 1500, 100), {C(EARLY, .at = 500, .len = 100)}},
		{P(ACK, 1000, 700, .salt = 1),
		 {C(APPEND, .at = 0, .len = 100, .salt = 1),
		  C(APPEND, .at = 100, .len = 100, CAUGHT_UP),
		  C(APPEND, .at = 200, .len = 100, .salt = 1),
		  C(APPEND, .at = 300, .len = 100, CAUGHT_UP),
		  C(APPEND, .at = 400, .len = 100, .salt = 1),
		  C(APPEND, .at = 500, .len = 100, CAUGHT_UP),
		  C(APPEND, .at = 600, .len = 100, .salt = 1)}},
	};

	TABLE(steps);
}
END_TEST

/* Nothing new in it, though the hole before it is still there. [R4 R12] */
START_TEST(early_segment_repeated)
{
	static const struct step steps[] = {
		OPEN,
		{P(ACK, 1100, 100), {C(EARLY, .at = 100, .len = 100)}},
		{P(ACK, 1100, 100, .salt = 1), {C(REPEAT, .reason = XP_R_REPEATED)}},
		{P(ACK, 1120, 10, .salt = 1), {C(REPEAT, .reason = XP_R_REPEATED)}},
		{P(ACK, 1000, 100),
		 {C(APPEND, .len = 100), C(APPEND, .at = 100, .len = 100, CAUGHT_UP)}},
	};

	TABLE(steps);
	ck_assert_uint_eq(stand_flow(&steps[0].in).repeats, 2);
	ck_assert_uint_eq(stand_counters().op_repeat, 2);
}
END_TEST

/* Pieces end where areas end. [R9 R12] */
START_TEST(hole_over_two_areas)
{
	static const struct step steps[] = {
		OPEN,
		{P(ACK, 6000, 1000), {C(EARLY, .at = 5000, .len = 1000)}},
		{P(ACK, 1000, 1460), {C(APPEND, .len = 1460)}},
		{P(ACK, 2460, 1460), {C(APPEND, .at = 1460, .len = 1460)}},
		{P(ACK, 3920, 2080),
		 {C(APPEND, .at = 2920, .len = 1176), C(APPEND, .at = 4096, .len = 904),
		  C(APPEND, .at = 5000, .len = 1000, CAUGHT_UP)}},
	};

	TABLE(steps);
}
END_TEST

/* [R9 R12] */
START_TEST(early_data_over_two_areas)
{
	static const struct step steps[] = {
		OPEN,
		{P(ACK, 5000, 1000),
		 {C(EARLY, .at = 4000, .len = 96), C(EARLY, .at = 4096, .len = 904)}},
		{P(ACK, 1000, 4000),
		 {C(APPEND, .len = 4000), C(APPEND, .at = 4000, .len = 96, CAUGHT_UP),
		  C(APPEND, .at = 4096, .len = 904, CAUGHT_UP)}},
	};

	TABLE(steps);
}
END_TEST

/* [R9 R12] */
START_TEST(early_data_fill_an_area)
{
	static const struct step steps[] = {
		OPEN,
		{P(ACK, 5096, 4096), {C(EARLY, .at = 4096, .len = 4096)}},
		{P(ACK, 1000, 4096),
		 {C(APPEND, .len = 4096), C(APPEND, .at = 4096, .len = 4096, CAUGHT_UP)}},
		{P(ACK, 9192, 10), {C(APPEND, .at = 8192, .len = 10)}},
	};

	TABLE(steps);
}
END_TEST

/* Far beyond the window: delivered whole, the stream goes on. [R13] */
START_TEST(stray_far_segment)
{
	static const struct step steps[] = {
		OPEN,
		{P(ACK, 1000, 10), {C(APPEND, .len = 10)}},
		{P(ACK, 0x10000000, 10), {C(WHOLE, .reason = XP_R_OUT_OF_WINDOW)}},
		{P(ACK, 0x10000000, 10), {C(WHOLE, .reason = XP_R_OUT_OF_WINDOW)}},
		{P(ACK, 1010, 10), {C(APPEND, .at = 10, .len = 10)}},
		{P(ACK, 0x10000000, 10), {C(WHOLE, .reason = XP_R_OUT_OF_WINDOW)}},
		{P(ACK, 0x10000000, 1000), {C(WHOLE, .reason = XP_R_OUT_OF_WINDOW)}},
		{P(ACK, 1020, 10), {C(APPEND, .at = 20, .len = 10)}},
	};

	TABLE(steps);
	ck_assert_uint_eq(stand_counters().out_of_window, 4);
}
END_TEST

/* Three in a row from far ahead: the stream is there now. [R13] */
START_TEST(stream_jumps_ahead)
{
	static const struct step steps[] = {
		OPEN,
		{P(ACK, 1000, 10), {C(APPEND, .len = 10)}},
		{P(ACK, 10001000, 10), {C(WHOLE, .reason = XP_R_OUT_OF_WINDOW)}},
		{P(ACK, 10001010, 10), {C(WHOLE, .reason = XP_R_OUT_OF_WINDOW)}},
		{P(ACK, 10001020, 10),
		 {C(APPEND, .reason = XP_R_GAP_WINDOW, .at = 10, .gap = 10000010),
		  C(APPEND, .at = 10000020, .len = 10)}},
		{P(ACK, 10001030, 10), {C(APPEND, .at = 10000030, .len = 10)}},
	};

	TABLE(steps);
	ck_assert_uint_eq(stand_counters().gap_window, 1);
	ck_assert_uint_eq(stand_flow(&steps[0].in).gap_bytes, 10000010);
}
END_TEST

/* What had arrived beyond the hole is told first. [R13] */
START_TEST(stream_jumps_ahead_over_holes)
{
	static const struct step steps[] = {
		OPEN,
		{P(ACK, 1100, 10), {C(EARLY, .at = 100, .len = 10)}},
		{P(ACK, 10001000, 10), {C(WHOLE, .reason = XP_R_OUT_OF_WINDOW)}},
		{P(ACK, 10001010, 10), {C(WHOLE, .reason = XP_R_OUT_OF_WINDOW)}},
		{P(ACK, 10001020, 10),
		 {C(APPEND, .reason = XP_R_GAP_WINDOW, .gap = 100),
		  C(APPEND, .at = 100, .len = 10, CAUGHT_UP),
		  C(APPEND, .reason = XP_R_GAP_WINDOW, .at = 110, .gap = 9999910),
		  C(APPEND, .at = 10000020, .len = 10)}},
	};

	TABLE(steps);
}
END_TEST

/* Farther than any jump: another connection, whose SYN was missed. [R13] */
START_TEST(sequence_numbers_went_elsewhere)
{
	static const struct step steps[] = {
		OPEN,
		{P(ACK, 1000, 10), {C(APPEND, .len = 10)}},
		{P(ACK, 0x60000000, 10), {C(WHOLE, .reason = XP_R_OUT_OF_WINDOW)}},
		{P(ACK, 0x60000000, 10), {C(WHOLE, .reason = XP_R_OUT_OF_WINDOW)}},
		{P(ACK, 0x60000000, 10),
		 {C(TEARDOWN, .reason = XP_R_LOST_SYNC, .at = 10, .flow = 1, END_FLOW),
		  C(FIRST, .len = 10, .flow = 2)}},
		{P(ACK, 0x6000000a, 10), {C(APPEND, .at = 10, .len = 10)}},
	};

	TABLE(steps);
	ck_assert_uint_eq(stand_counters().lost_sync, 1);
	ck_assert_uint_eq(stand_flow(&steps[0].in).flags & XP_FLOW_PICKED, XP_FLOW_PICKED);
}
END_TEST

/* So far behind the edge nobody repeats anything: the same, from the other side. [R13] */
START_TEST(sequence_numbers_behind_the_edge)
{
	static const struct step steps[] = {
		OPEN,
		{P(ACK, 1000, 10), {C(APPEND, .len = 10)}},
		{P(ACK, 1300, 10), {C(EARLY, .at = 300, .len = 10)}},
		{P(ACK, 1000 - 0x5000000, 10), {C(WHOLE, .reason = XP_R_OUT_OF_WINDOW)}},
		{P(ACK, 1000 - 0x5000000, 0), {C(NODATA, .at = 10)}},
		{P(ACK, 1010 - 0x5000000, 10), {C(WHOLE, .reason = XP_R_OUT_OF_WINDOW)}},
		{P(ACK, 1020 - 0x5000000, 10),
		 {C(TEARDOWN, .reason = XP_R_LOST_SYNC, .at = 10, .gap = 290, .flow = 1),
		  C(APPEND, .at = 300, .len = 10, .flow = 1, CAUGHT_UP),
		  C(TEARDOWN, .reason = XP_R_LOST_SYNC, .at = 310, .flow = 1, END_FLOW),
		  C(FIRST, .len = 10, .flow = 2)}},
		{P(ACK | FIN, 1030 - 0x5000000, 10),
		 {C(LAST, .reason = XP_R_FINISHED, .at = 10, .len = 10, END_FLOW)}},
	};

	TABLE(steps);
	ck_assert_uint_eq(stand_counters().out_of_window, 2);
	ck_assert_uint_eq(stand_counters().lost_sync, 1);
}
END_TEST

/* Where the bound is; and anything that belongs to the stream interrupts the row. [R12 R13] */
START_TEST(retransmission_from_far_behind)
{
	static const struct step steps[] = {
		OPEN,
		{P(ACK, 1000, 10), {C(APPEND, .len = 10)}},
		{P(ACK, 1000 - 0x4000000, 10), {C(REPEAT, .reason = XP_R_REPEATED)}},
		{P(ACK, 1000 - 0x4000000, 10), {C(REPEAT, .reason = XP_R_REPEATED)}},
		{P(ACK, 1000 - 0x4000000, 10), {C(REPEAT, .reason = XP_R_REPEATED)}},
		{P(ACK, 999 - 0x4000000, 10), {C(WHOLE, .reason = XP_R_OUT_OF_WINDOW)}},
		{P(ACK, 999 - 0x4000000, 10), {C(WHOLE, .reason = XP_R_OUT_OF_WINDOW)}},
		{P(ACK, 1000, 10), {C(REPEAT, .reason = XP_R_REPEATED)}},
		{P(ACK, 999 - 0x4000000, 10), {C(WHOLE, .reason = XP_R_OUT_OF_WINDOW)}},
		{P(ACK, 999 - 0x4000000, 10), {C(WHOLE, .reason = XP_R_OUT_OF_WINDOW)}},
		{P(ACK, 1010, 10), {C(APPEND, .at = 10, .len = 10)}},
	};

	TABLE(steps);
	ck_assert_uint_eq(stand_counters().lost_sync, 0);
}
END_TEST

/* Stream offsets have 64 bits, holes are kept in 32. [R12 R13] */
START_TEST(stream_offset_beyond_4_gib)
{
	static const struct step steps[] = {
		OPEN,
		{P(ACK, 1000001000, 10), {C(WHOLE, .reason = XP_R_OUT_OF_WINDOW)}},
		{P(ACK, 1000001000, 10), {C(WHOLE, .reason = XP_R_OUT_OF_WINDOW)}},
		{P(ACK, 1000001000, 10),
		 {C(APPEND, .reason = XP_R_GAP_WINDOW, .at = 0, .gap = 1000000000),
		  C(APPEND, .at = 1000000000, .len = 10)}},
		{P(ACK, 2000001000, 10), {C(WHOLE, .reason = XP_R_OUT_OF_WINDOW)}},
		{P(ACK, 2000001000, 10), {C(WHOLE, .reason = XP_R_OUT_OF_WINDOW)}},
		{P(ACK, 2000001000, 10),
		 {C(APPEND, .reason = XP_R_GAP_WINDOW, .at = 1000000010, .gap = 999999990),
		  C(APPEND, .at = 2000000000, .len = 10)}},
		{P(ACK, 3000001000, 10), {C(WHOLE, .reason = XP_R_OUT_OF_WINDOW)}},
		{P(ACK, 3000001000, 10), {C(WHOLE, .reason = XP_R_OUT_OF_WINDOW)}},
		{P(ACK, 3000001000, 10),
		 {C(APPEND, .reason = XP_R_GAP_WINDOW, .at = 2000000010, .gap = 999999990),
		  C(APPEND, .at = 3000000000, .len = 10)}},
		{P(ACK, 4000001000, 10), {C(WHOLE, .reason = XP_R_OUT_OF_WINDOW)}},
		{P(ACK, 4000001000, 10), {C(WHOLE, .reason = XP_R_OUT_OF_WINDOW)}},
		{P(ACK, 4000001000, 10),
		 {C(APPEND, .reason = XP_R_GAP_WINDOW, .at = 3000000010, .gap = 999999990),
		  C(APPEND, .at = 4000000000, .len = 10)}},
		{P(ACK, 904, 10), {C(WHOLE, .reason = XP_R_OUT_OF_WINDOW)}},
		{P(ACK, 904, 10), {C(WHOLE, .reason = XP_R_OUT_OF_WINDOW)}},
		{P(ACK, 904, 10),
		 {C(APPEND, .reason = XP_R_GAP_WINDOW, .at = 4000000010, .gap = 294967190),
		  C(APPEND, .at = 4294967200, .len = 10)}},
		{P(ACK, 1100, 100), {C(EARLY, .at = 4294967396, .len = 100)}},
		{P(ACK, 914, 186),
		 {C(APPEND, .at = 4294967210, .len = 86), C(APPEND, .at = 4294967296, .len = 100),
		  C(APPEND, .at = 4294967396, .len = 100, CAUGHT_UP)}},
		{P(ACK | FIN, 1200, 1),
		 {C(LAST, .reason = XP_R_FINISHED, .at = 4294967496, .len = 1, END_FLOW)}},
	};

	TABLE(steps);
}
END_TEST

/* The other direction has acknowledged what we never saw: it went past us. [R13] */
START_TEST(hole_acknowledged_by_the_receiver)
{
	static const struct step steps[] = {
		OPEN,
		{P(SYN | ACK, 4999, 0, .ack = 1000, .reverse = 1), {C(FIRST)}},
		{P(ACK, 1100, 10), {C(EARLY, .at = 100, .len = 10)}},
		{P(ACK, 5000, 0, .ack = 1110, .reverse = 1), {C(NODATA)}},
		{P(ACK, 1110, 10), {C(EARLY, .at = 110, .len = 10)}},
		{P(ACK, 1120, 10), {C(EARLY, .at = 120, .len = 10)}},
		{P(ACK, 1130, 10), {C(EARLY, .at = 130, .len = 10)}},
		{P(ACK, 1140, 10),
		 {C(EARLY, .at = 140, .len = 10), C(EARLY, .reason = XP_R_GAP_ACKED, .gap = 100),
		  C(APPEND, .at = 100, .len = 50, CAUGHT_UP)}},
		{P(ACK, 1150, 10), {C(APPEND, .at = 150, .len = 10)}},
	};

	TABLE(steps);
	ck_assert_uint_eq(stand_counters().gap_acked, 1);
}
END_TEST

/* Acknowledged up to the middle of the hole: the rest may still come. [R13] */
START_TEST(hole_not_yet_acknowledged)
{
	static const struct step steps[] = {
		OPEN,
		{P(SYN | ACK, 4999, 0, .ack = 1000, .reverse = 1), {C(FIRST)}},
		{P(ACK, 5000, 0, .ack = 1099, .reverse = 1), {C(NODATA)}},
		{P(ACK, 1100, 10), {C(EARLY, .at = 100, .len = 10)}},
		{P(ACK, 1110, 10), {C(EARLY, .at = 110, .len = 10)}},
		{P(ACK, 1120, 10), {C(EARLY, .at = 120, .len = 10)}},
		{P(ACK, 1130, 10), {C(EARLY, .at = 130, .len = 10)}},
		{P(ACK, 1140, 10), {C(EARLY, .at = 140, .len = 10)}},
		{P(ACK, 1150, 10), {C(EARLY, .at = 150, .len = 10)}},
		{P(ACK, 1000, 100),
		 {C(APPEND, .len = 100), C(APPEND, .at = 100, .len = 60, CAUGHT_UP)}},
	};

	TABLE(steps);
}
END_TEST

/* The directions are not seen in the order in which they passed: no hurry. [R13] */
START_TEST(acknowledgement_seen_before_the_data)
{
	static const struct step steps[] = {
		OPEN,
		{P(SYN | ACK, 4999, 0, .ack = 1000, .reverse = 1), {C(FIRST)}},
		{P(ACK, 5000, 0, .ack = 1400, .reverse = 1), {C(NODATA)}},
		{P(ACK, 1300, 100), {C(EARLY, .at = 300, .len = 100)}},
		{P(ACK, 1200, 100), {C(EARLY, .at = 200, .len = 100)}},
		{P(ACK, 1100, 100), {C(EARLY, .at = 100, .len = 100)}},
		{P(ACK, 1000, 100),
		 {C(APPEND, .len = 100), C(APPEND, .at = 100, .len = 300, CAUGHT_UP)}},
	};

	TABLE(steps);
}
END_TEST

/* Two holes, of which the receiver has acknowledged the first. [R13] */
START_TEST(only_the_acknowledged_hole_is_given_up)
{
	static const struct step steps[] = {
		OPEN,
		{P(SYN | ACK, 4999, 0, .ack = 1000, .reverse = 1), {C(FIRST)}},
		{P(ACK, 5000, 0, .ack = 1110, .reverse = 1), {C(NODATA)}},
		{P(ACK, 1100, 10), {C(EARLY, .at = 100, .len = 10)}},
		{P(ACK, 1200, 10), {C(EARLY, .at = 200, .len = 10)}},
		{P(ACK, 1210, 10), {C(EARLY, .at = 210, .len = 10)}},
		{P(ACK, 1220, 10),
		 {C(EARLY, .at = 220, .len = 10), C(EARLY, .reason = XP_R_GAP_ACKED, .gap = 100),
		  C(APPEND, .at = 100, .len = 10, CAUGHT_UP)}},
		{P(ACK, 1230, 10), {C(EARLY, .at = 230, .len = 10)}},
		{P(ACK, 1110, 90),
		 {C(APPEND, .at = 110, .len = 90), C(APPEND, .at = 200, .len = 40, CAUGHT_UP)}},
	};

	TABLE(steps);
}
END_TEST

/* Its own stream has ended, it receives still: half of a connection acknowledges. [R13] */
START_TEST(hole_acknowledged_by_a_closed_half)
{
	static const struct step steps[] = {
		OPEN,
		{P(SYN | ACK, 4999, 0, .ack = 1000, .reverse = 1), {C(FIRST)}},
		{P(ACK | FIN, 5000, 10, .ack = 1000, .reverse = 1),
		 {C(LAST, .reason = XP_R_FINISHED, .len = 10, END_FLOW)}},
		{P(ACK, 1100, 10), {C(EARLY, .at = 100, .len = 10)}},
		{P(ACK, 5011, 0, .ack = 1110, .reverse = 1), {C(NODATA, .at = 10)}},
		{P(ACK, 1110, 10), {C(EARLY, .at = 110, .len = 10)}},
		{P(ACK, 1120, 10), {C(EARLY, .at = 120, .len = 10)}},
		{P(ACK, 1130, 10), {C(EARLY, .at = 130, .len = 10)}},
		{P(ACK, 1140, 10),
		 {C(EARLY, .at = 140, .len = 10), C(EARLY, .reason = XP_R_GAP_ACKED, .gap = 100),
		  C(APPEND, .at = 100, .len = 50, CAUGHT_UP)}},
	};

	TABLE(steps);
}
END_TEST

/* What an ended flow acknowledged may be of the connection before: far off, it is. [R13] */
START_TEST(hole_acknowledged_by_the_connection_before)
{
	static const struct step steps[] = {
		{P(SYN | ACK, 4999, 0, .ack = 1000 + 0x5000000, .reverse = 1), {C(FIRST)}},
		{P(ACK | FIN, 5000, 10, .ack = 1000 + 0x5000000, .reverse = 1),
		 {C(LAST, .reason = XP_R_FINISHED, .len = 10, END_FLOW)}},
		OPEN,
		{P(ACK, 1100, 10), {C(EARLY, .at = 100, .len = 10)}},
		{P(ACK, 1110, 10), {C(EARLY, .at = 110, .len = 10)}},
		{P(ACK, 1120, 10), {C(EARLY, .at = 120, .len = 10)}},
		{P(ACK, 1130, 10), {C(EARLY, .at = 130, .len = 10)}},
		{P(ACK, 1140, 10), {C(EARLY, .at = 140, .len = 10)}},
		{P(ACK, 1000, 100),
		 {C(APPEND, .len = 100), C(APPEND, .at = 100, .len = 50, CAUGHT_UP)}},
	};

	TABLE(steps);
}
END_TEST

/* The stream ends with the gap before its last bytes. [R13] */
START_TEST(fin_behind_a_hole_given_up)
{
	static const struct step steps[] = {
		OPEN,
		{P(SYN | ACK, 4999, 0, .ack = 1000, .reverse = 1), {C(FIRST)}},
		{P(ACK | FIN, 1130, 10), {C(EARLY, .at = 130, .len = 10)}},
		{P(ACK, 5000, 0, .ack = 1141, .reverse = 1), {C(NODATA)}},
		{P(ACK, 1120, 10), {C(EARLY, .at = 120, .len = 10)}},
		{P(ACK, 1110, 10), {C(EARLY, .at = 110, .len = 10)}},
		{P(ACK, 1100, 5), {C(EARLY, .at = 100, .len = 5)}},
		{P(ACK, 1105, 5),
		 {C(EARLY, .at = 105, .len = 5), C(EARLY, .reason = XP_R_GAP_ACKED, .gap = 100),
		  C(LAST, .reason = XP_R_FINISHED, .at = 100, .len = 40,
		    .flags = XP_CAUGHT_UP | XP_RELEASE_FLOW)}},
	};

	TABLE(steps);
}
END_TEST

/* Data were seen behind it: it is not believed, or what is behind it would be lost. [R3 R12] */
START_TEST(fin_in_front_of_early_data)
{
	static const struct step steps[] = {
		OPEN,
		{P(ACK, 1500, 100), {C(EARLY, .at = 500, .len = 100)}},
		{P(ACK, 10000, 100), {C(EARLY, .at = 9000, .len = 100)}},
		{P(ACK | FIN, 1000, 100), {C(APPEND, .len = 100)}},
		{P(ACK, 1100, 400),
		 {C(APPEND, .at = 100, .len = 400), C(APPEND, .at = 500, .len = 100, CAUGHT_UP)}},
	};

	TABLE(steps);
}
END_TEST

#define ISN 1000

static struct packet segment(uint32_t offset, uint32_t len)
{
	struct packet p = {.flags = ACK, .seq = ISN + offset, .len = len};

	return p;
}

static void open_stream(void)
{
	struct packet syn = {.flags = SYN, .seq = ISN - 1};
	struct want want[WANTS] = {C(FIRST)};

	stand_run(0, &syn, want);
}

static void run_early(uint32_t offset, uint32_t len)
{
	struct want want[WANTS] = {C(EARLY, .at = offset, .len = len)};
	struct packet p = segment(offset, len);

	stand_run(0, &p, want);
}

static void feed(uint32_t offset, uint32_t len)
{
	struct packet p = segment(offset, len);

	stand_feed(0, &p);
	stand_drain(0);
}

/* The stream was told up to `end`, `gaps` bytes of it as gaps, the rest once each. */
static void told_up_to(uint64_t end, uint64_t gaps)
{
	struct packet p = segment(0, 0);
	const struct stream *s = stand_stream(&p);
	uint64_t early = 0;
	uint32_t i;

	for (i = 0; i < s->early_count; i++)
		early += s->early[i].len;
	ck_assert_uint_eq(s->next, end);
	ck_assert_uint_eq(s->gaps, gaps);
	ck_assert_uint_eq(s->told, end - gaps + early);
	ck_assert_uint_eq(stand_flow(&p).edge, end);
}

static struct xdplace_opts small_window(void)
{
	struct xdplace_opts opts = stand_opts();

	opts.window = 65536;
	return opts;
}

static void open_with(const struct xdplace_opts *opts)
{
	stand_open(opts);
	stand_rule("tap stream any");
	open_stream();
}

/* Segments of 10 bytes, 10 bytes between them, from the far end; then what is between. [R12] */
static void many_holes(unsigned count)
{
	unsigned i;

	open_stream();
	for (i = count; i; i--)
		run_early(20 * i - 10, 10);
	for (i = 0; i < count; i += 2)
		feed(20 * i, 10);
	for (i = 1; i < count; i += 2)
		feed(20 * i, 10);
	told_up_to(20 * count, 0);
}

START_TEST(holes_64_at_once)
{
	many_holes(64);
}
END_TEST

START_TEST(holes_128_at_once)
{
	many_holes(128);
}
END_TEST

/* 128 segments of 10 bytes, with 10 bytes missing before each. */
static void all_holes(uint32_t first)
{
	unsigned i;

	open_stream();
	for (i = 0; i < 128; i++)
		run_early(first + 20 * i, 10);
}

/* One hole more than a flow can have: the nearest is given up for it. [R12 R13] */
START_TEST(holes_full)
{
	struct want want[WANTS] = {C(EARLY, .reason = XP_R_HOLES_FULL, .gap = 10),
				   C(APPEND, .at = 10, .len = 10, CAUGHT_UP),
				   C(EARLY, .at = 20 * 129 - 10, .len = 10)};
	struct want late[WANTS] = {C(REPEAT, .reason = XP_R_REPEATED)};
	struct packet p = segment(20 * 129 - 10, 10), missed = segment(0, 10);
	unsigned i;

	all_holes(10);
	stand_run(0, &p, want);
	ck_assert_uint_eq(stand_counters().holes_full, 1);
	ck_assert_uint_eq(stand_flow(&p).gaps, 1);
	stand_run(0, &missed, late);
	for (i = 1; i < 129; i++)
		feed(20 * i, 10);
	told_up_to(20 * 129, 10);
	ck_assert_uint_eq(stand_counters().gap_bytes, 10);
	stand_audit();
}
END_TEST

/* Data that lie in the nearest hole are not given up with it. [R12 R13] */
START_TEST(holes_full_spares_what_it_is_for)
{
	struct want want[WANTS] = {C(EARLY, .reason = XP_R_HOLES_FULL, .gap = 40),
				   C(APPEND, .at = 40, .len = 10)};
	struct packet p = segment(40, 10);
	unsigned i;

	all_holes(100);
	stand_run(0, &p, want);
	told_up_to(50, 40);
	feed(50, 50);
	for (i = 0; i < 128; i++)
		feed(110 + 20 * i, 10);
	told_up_to(110 + 20 * 128 - 10, 40);
	stand_audit();
}
END_TEST

/* A segment over two areas and some runs: one hole is given up, not one for each piece. [R12] */
START_TEST(holes_full_over_two_areas)
{
	struct want want[WANTS] = {C(EARLY, .reason = XP_R_HOLES_FULL, .gap = 1600),
				   C(APPEND, .at = 1600, .len = 10, CAUGHT_UP),
				   C(EARLY, .at = 4092, .len = 4),
				   C(EARLY, .at = 4096, .len = 4),
				   C(EARLY, .at = 4110, .len = 10),
				   C(EARLY, .at = 4130, .len = 10),
				   C(EARLY, .at = 4150, .len = 50)};
	struct packet p = segment(4092, 108);

	all_holes(1600); /* the last of them at 4140 */
	stand_run(0, &p, want);
	told_up_to(1610, 1600);
	stand_audit();
}
END_TEST

/* A stream of which every other segment is missed goes on, and its FIN ends it. [R13] */
START_TEST(holes_without_end)
{
	struct packet fin = segment(20 * 1000, 0);
	unsigned i;

	open_stream();
	for (i = 1; i <= 1000; i++)
		feed(20 * i - 10, 10);
	told_up_to(20 * (1000 - 128), 10 * (1000 - 128));
	ck_assert_uint_eq(stand_counters().holes_full, 1000 - 128);
	for (i = 1000 - 128; i < 1000; i++)
		feed(20 * i, 10);
	fin.flags |= FIN;
	stand_feed(0, &fin);
	stand_drain(0);
	ck_assert(stand_stream(&fin)->ended);
	ck_assert_uint_eq(stand_stream(&fin)->next, 20 * 1000);
	ck_assert_uint_eq(stand_stream(&fin)->gaps, 10 * (1000 - 128));
	stand_audit();
}
END_TEST

/* A hole holds the stream up until the window is full: it is given up, nothing else. [R13] */
START_TEST(window_exhausted)
{
	struct xdplace_opts opts = small_window();
	uint32_t at;

	open_with(&opts);
	for (at = 100; at + 1000 <= 65536; at += 1000)
		feed(at, 1000);
	told_up_to(0, 0);
	feed(at, 1000);
	told_up_to(at + 1000, 100);
	ck_assert_uint_eq(stand_counters().gap_window, 1);
}
END_TEST

/* Two holes: the first makes enough room, the second stays. [R13] */
START_TEST(window_exhausted_spares_the_second_hole)
{
	struct xdplace_opts opts = small_window();
	uint32_t at;

	open_with(&opts);
	feed(10000, 1000);
	for (at = 12000; at + 1000 <= 65536; at += 1000)
		feed(at, 1000);
	feed(at, 1000);
	told_up_to(11000, 10000);
	feed(11000, 1000);
	told_up_to(at + 1000, 10000);
}
END_TEST

/* Beyond the window even when all holes are given up: the gap reaches to the new data. [R13] */
START_TEST(window_exhausted_by_far)
{
	struct xdplace_opts opts = small_window();

	open_with(&opts);
	feed(100, 100);
	feed(120000, 1000);
	told_up_to(121000, 100 + 120000 - 200);
}
END_TEST

/* The last byte of the window is taken as early, the first one beyond is not. [R12] */
START_TEST(window_edge)
{
	struct xdplace_opts opts = small_window();
	struct want whole[WANTS] = {C(WHOLE, .reason = XP_R_OUT_OF_WINDOW)};
	struct packet p = segment(65526, 11);

	open_with(&opts);
	stand_run(0, &p, whole);
	run_early(65526, 10);
	feed(0, 4096);
	run_early(65536, 4096);
	told_up_to(4096, 0);
}
END_TEST

/* A gap over many areas hands over the one that was begun. [R9 R13] */
START_TEST(gap_over_areas)
{
	struct packet rst = {.flags = RST, .seq = ISN + 500};

	open_stream();
	feed(0, 500);
	feed(30000, 500);
	feed(60000, 8000);
	stand_feed(0, &rst);
	stand_drain(0);
	ck_assert(stand_stream(&rst)->ended);
	ck_assert_uint_eq(stand_stream(&rst)->next, 68000);
	ck_assert_uint_eq(stand_stream(&rst)->gaps, 29500 + 29500);
}
END_TEST

static void tick(void)
{
	ck_assert_msg(!xdplace_lane_tick(stand.lane[0]), "%s", xdplace_error());
}

/* [R13] */
START_TEST(hole_aged)
{
	struct want want[WANTS] = {C(APPEND, .reason = XP_R_AGED, .gap = 100),
				   C(APPEND, .at = 100, .len = 100, CAUGHT_UP)};
	struct xdplace_opts opts = stand_opts();
	struct packet p = segment(0, 0);

	opts.hole_age_ms = 100;
	open_with(&opts);
	run_early(100, 100);
	tick();
	ck_assert_uint_eq(stand_drain(0), 0);
	stand_sleep_ms(200);
	tick();
	stand_expect(0, &p, want);
	ck_assert_uint_eq(stand_counters().aged, 1);
	feed(200, 10);
	told_up_to(210, 100);
}
END_TEST

/* The FIN was there, a hole before it: with the hole's age the stream ends. [R3 R13] */
START_TEST(hole_aged_before_the_fin)
{
	struct want want[WANTS] = {C(APPEND, .reason = XP_R_AGED, .gap = 100),
				   C(APPEND, .at = 100, .len = 100, CAUGHT_UP),
				   C(LAST, .reason = XP_R_FINISHED, .at = 200, END_FLOW)};
	struct packet p = {.flags = ACK | FIN, .seq = ISN + 100, .len = 100};
	struct xdplace_opts opts = stand_opts();

	opts.hole_age_ms = 100;
	open_with(&opts);
	stand_feed(0, &p);
	stand_drain(0);
	stand_sleep_ms(200);
	tick();
	stand_expect(0, &p, want);
}
END_TEST

/* Each hole has its time: a young one is not given up with an old one. [R13] */
START_TEST(young_hole_outlives_the_aged_one)
{
	struct xdplace_opts opts = stand_opts();

	opts.hole_age_ms = 300;
	open_with(&opts);
	feed(100, 100);
	stand_sleep_ms(400);
	feed(300, 100);
	tick();
	stand_drain(0);
	told_up_to(200, 100);
	feed(200, 100);
	told_up_to(400, 100);
}
END_TEST

/* Nor is one that the receiver has not acknowledged given up with one that it has. [R13] */
START_TEST(tick_gives_up_only_acknowledged_holes)
{
	struct packet ack = {.flags = ACK | SYN, .seq = 4999, .ack = ISN + 110, .reverse = 1};

	open_stream();
	stand_feed(0, &ack);
	feed(100, 10);
	feed(200, 10);
	stand_sleep_ms(300);
	tick();
	stand_drain(0);
	told_up_to(110, 100);
	feed(110, 90);
	told_up_to(210, 100);
}
END_TEST

/* The entry of half a connection stays while the other half goes on, and acknowledges. [R3 R13] */
START_TEST(closed_half_is_remembered)
{
	struct packet back = {.flags = SYN | ACK, .seq = 4999, .ack = ISN, .reverse = 1};
	struct packet rst = {.flags = RST | ACK, .seq = ISN + 110};
	struct xdplace_opts opts = stand_opts();

	opts.closed_age_ms = 100;
	open_with(&opts);
	stand_feed(0, &back);
	back.flags = FIN | ACK;
	back.seq++;
	stand_feed(0, &back);
	stand_sleep_ms(200);
	tick();
	ck_assert_uint_eq(stand_flows(), 2);
	feed(100, 10);
	back.flags = ACK;
	back.seq++;
	back.ack = ISN + 110;
	stand_feed(0, &back);
	stand_sleep_ms(300);
	tick();
	stand_drain(0);
	told_up_to(110, 100);
	ck_assert_uint_eq(stand_counters().gap_acked, 1);
	/* With the other half it goes, too. */
	stand_feed(0, &rst);
	stand_drain(0);
	stand_sleep_ms(200);
	tick();
	ck_assert_uint_eq(stand_flows(), 0);
}
END_TEST

/* A hole that has only just opened may be the directions' order: a tick is in no hurry. [R13] */
START_TEST(tick_spares_a_hole_just_opened)
{
	struct packet ack = {.flags = ACK | SYN, .seq = 4999, .ack = ISN + 200, .reverse = 1};

	open_stream();
	stand_feed(0, &ack);
	feed(100, 100);
	tick();
	stand_drain(0);
	told_up_to(0, 0);
	feed(0, 100);
	told_up_to(200, 0);
}
END_TEST

static uint32_t state = 1;

static uint32_t random_below(uint32_t n)
{
	state ^= state << 13;
	state ^= state >> 17;
	state ^= state << 5;
	return state % n;
}

/*
 * Segments of any size from any place near the edge, overlapping in every way, with other bytes
 * each time: every byte is told once, and stays. [R12]
 */
START_TEST(random_overlaps)
{
	struct packet p = segment(0, 0), fin;
	unsigned i;

	open_stream();
	for (i = 0; i < 20000; i++) {
		uint64_t edge = stand_stream(&p)->next;
		uint32_t from = edge > 3000 ? edge - 3000 : 0;

		p = segment(from + random_below(30000), 1 + random_below(1400));
		if (!random_below(4))
			p = segment(edge, 1 + random_below(1400));
		p.salt = i & 15;
		stand_feed(0, &p);
		stand_drain(0);
	}
	fin = segment(stand_stream(&p)->next, 40000);
	stand_feed(0, &fin);
	stand_drain(0);
	told_up_to(stand_stream(&p)->next, stand_stream(&p)->gaps);
	ck_assert_uint_eq(stand_stream(&p)->gaps, 0);
}
END_TEST

Suite *suite_holes(void)
{
	Suite *suite = suite_create("holes");
	TCase *tc = tcase_create("holes");

	tcase_set_timeout(tc, 60);
	tcase_add_unchecked_fixture(tc, stand_share, stand_unshare);
	tcase_add_checked_fixture(tc, stand_setup, stand_close);
	tcase_add_test(tc, hole_opened_and_filled);
	tcase_add_test(tc, first_segments_in_reverse);
	tcase_add_test(tc, hole_filled_in_two_parts);
	tcase_add_test(tc, hole_filled_from_behind);
	tcase_add_test(tc, two_holes);
	tcase_add_test(tc, retransmission_with_other_bytes);
	tcase_add_test(tc, overlap_at_the_front);
	tcase_add_test(tc, overlap_at_the_back);
	tcase_add_test(tc, overlap_at_both_ends);
	tcase_add_test(tc, early_overlaps_early);
	tcase_add_test(tc, early_spans_several_runs);
	tcase_add_test(tc, append_spans_several_runs);
	tcase_add_test(tc, early_segment_repeated);
	tcase_add_test(tc, hole_over_two_areas);
	tcase_add_test(tc, early_data_over_two_areas);
	tcase_add_test(tc, early_data_fill_an_area);
	tcase_add_test(tc, stray_far_segment);
	tcase_add_test(tc, stream_jumps_ahead);
	tcase_add_test(tc, stream_jumps_ahead_over_holes);
	tcase_add_test(tc, sequence_numbers_went_elsewhere);
	tcase_add_test(tc, sequence_numbers_behind_the_edge);
	tcase_add_test(tc, retransmission_from_far_behind);
	tcase_add_test(tc, stream_offset_beyond_4_gib);
	tcase_add_test(tc, hole_acknowledged_by_the_receiver);
	tcase_add_test(tc, hole_not_yet_acknowledged);
	tcase_add_test(tc, acknowledgement_seen_before_the_data);
	tcase_add_test(tc, only_the_acknowledged_hole_is_given_up);
	tcase_add_test(tc, hole_acknowledged_by_a_closed_half);
	tcase_add_test(tc, hole_acknowledged_by_the_connection_before);
	tcase_add_test(tc, fin_behind_a_hole_given_up);
	tcase_add_test(tc, fin_in_front_of_early_data);
	tcase_add_test(tc, holes_64_at_once);
	tcase_add_test(tc, holes_128_at_once);
	tcase_add_test(tc, holes_full);
	tcase_add_test(tc, holes_full_spares_what_it_is_for);
	tcase_add_test(tc, holes_full_over_two_areas);
	tcase_add_test(tc, holes_without_end);
	tcase_add_test(tc, gap_over_areas);
	tcase_add_test(tc, tick_gives_up_only_acknowledged_holes);
	tcase_add_test(tc, tick_spares_a_hole_just_opened);
	tcase_add_test(tc, random_overlaps);
	suite_add_tcase(suite, tc);

	tc = tcase_create("options");
	tcase_set_timeout(tc, 60);
	tcase_add_checked_fixture(tc, NULL, stand_close);
	tcase_add_test(tc, window_exhausted);
	tcase_add_test(tc, window_exhausted_spares_the_second_hole);
	tcase_add_test(tc, window_exhausted_by_far);
	tcase_add_test(tc, window_edge);
	tcase_add_test(tc, hole_aged);
	tcase_add_test(tc, hole_aged_before_the_fin);
	tcase_add_test(tc, young_hole_outlives_the_aged_one);
	tcase_add_test(tc, closed_half_is_remembered);
	suite_add_tcase(suite, tc);
	return suite;
}
