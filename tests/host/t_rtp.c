/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * t_rtp.c - the RTP header byte by byte, numbers that wrap, who is believed [R15].
 */
#include <string.h>

#include "rtp.h"
#include "suites.h"

static __u8 bytes[XP_RTP_LOOK];
static struct xp_rtp_header h;

/* Version 2, payload type 96, number 0x1234, and so on; csrcs words behind the fixed part. */
static void build(__u8 first, __u8 second, unsigned csrcs, unsigned extension_words)
{
	unsigned at = XP_RTP_FIXED + 4 * csrcs;

	memset(bytes, 0, sizeof(bytes));
	memcpy(bytes, (const __u8[]){first, second, 0x12, 0x34, 1, 2, 3, 4, 5, 6, 7, 8}, 12);
	bytes[0] |= csrcs;
	if (first & 0x10) {
		bytes[at + 2] = extension_words >> 8;
		bytes[at + 3] = extension_words;
	}
}

START_TEST(rtp_fields)
{
	build(0x80, 0xe0, 0, 0);
	ck_assert_int_eq(xp_rtp_parse(bytes, 172, &h), XP_R_OK);
	ck_assert_uint_eq(h.length, 12);
	ck_assert_uint_eq(h.payload, 160);
	ck_assert_uint_eq(h.sequence, 0x1234);
	ck_assert_uint_eq(h.timestamp, 0x01020304);
	ck_assert_uint_eq(h.ssrc, 0x05060708);
	ck_assert_uint_eq(h.type, 96);
	ck_assert(h.marker && !h.padded && !h.csrcs);
}
END_TEST

/* Every length of every count of sources and every short extension: it fits, or it is refused. */
START_TEST(rtp_lengths)
{
	unsigned csrcs, words, length, header;
	int extension, reason;

	for (csrcs = 0; csrcs < 16; csrcs++) {
		for (words = 0; words < 12; words++) {
			for (length = 0; length < 160; length++) {
				extension = words % 3; /* 0: none */
				build(extension ? 0x90 : 0x80, 96, csrcs, words);
				if (length < sizeof(bytes))
					memset(bytes + length, 0, sizeof(bytes) - length);
				header = 12 + 4 * csrcs + (extension ? 4 + 4 * words : 0);
				reason = xp_rtp_parse(bytes, length, &h);
				if (reason != (length < header ? XP_R_RTP_HEADER : 0))
					ck_abort_msg("%u of %u bytes: %d", length, header, reason);
				if (reason)
					continue;
				if (h.length != header || h.payload != length - header)
					ck_abort_msg("%u of %u bytes: %u and %u", length, header,
						     h.length, h.payload);
			}
		}
	}
}
END_TEST

START_TEST(rtp_extension_longer_than_the_packet)
{
	build(0x90, 96, 15, 0xffff);
	ck_assert_int_eq(xp_rtp_parse(bytes, 1400, &h), XP_R_RTP_HEADER);
	ck_assert_int_eq(xp_rtp_parse(bytes, 0xffff, &h), XP_R_RTP_HEADER);
}
END_TEST

START_TEST(rtp_other_versions)
{
	int first;

	for (first = 0; first < 256; first++) {
		build(first & 0xe0, 96, 0, 0);
		ck_assert_int_eq(xp_rtp_parse(bytes, 100, &h),
				 first >> 6 == 2 ? XP_R_OK : XP_R_RTP_HEADER);
	}
}
END_TEST

/* RFC 5761, 4. */
START_TEST(rtp_is_told_from_rtcp)
{
	int second, rtcp;

	for (second = 0; second < 256; second++) {
		build(0x80, second, 0, 0);
		rtcp = (second >= 64 && second < 96) || (second >= 192 && second < 224);
		ck_assert_int_eq(xp_rtp_parse(bytes, 100, &h), rtcp ? XP_R_RTCP : XP_R_OK);
	}
	/* A receiver report without a block, a goodbye without a source: shorter than RTP. */
	build(0x80, 201, 0, 0);
	ck_assert_int_eq(xp_rtp_parse(bytes, 8, &h), XP_R_RTCP);
	ck_assert_int_eq(xp_rtp_parse(bytes, 4, &h), XP_R_RTCP);
}
END_TEST

START_TEST(rtp_padding)
{
	int count;

	for (count = 0; count < 256; count++) {
		build(0xa0, 96, 0, 0);
		ck_assert_int_eq(xp_rtp_parse(bytes, 112, &h), XP_R_OK);
		ck_assert(h.padded);
		if (!count || count > 100) {
			ck_assert_int_eq(xp_rtp_unpad(&h, count), XP_R_RTP_HEADER);
			continue;
		}
		ck_assert_int_eq(xp_rtp_unpad(&h, count), XP_R_OK);
		ck_assert_uint_eq(h.payload, 100 - count);
	}
}
END_TEST

START_TEST(rtp_number_wraps)
{
	__s64 number;

	ck_assert_int_eq(xp_rtp_number(65535, 0), 65536);
	ck_assert_int_eq(xp_rtp_number(65536, 65535), 65535);
	ck_assert_int_eq(xp_rtp_number(-1, 0), 0);
	ck_assert_int_eq(xp_rtp_number(-1, 65535), -1);
	ck_assert_int_eq(xp_rtp_number(5, 65530), -6);
	ck_assert_int_eq(xp_rtp_number(0x7fffffff0000, 3), 0x7fffffff0003);
	for (number = 0; number < 300000; number++)
		if (xp_rtp_number(number, (__u16)(number + 500)) != number + 500 ||
		    xp_rtp_number(number, (__u16)(number - 500)) != number - 500)
			ck_abort_msg("near %lld", number);
}
END_TEST

static struct xp_rtp rtp;

static int judge(__u32 ssrc, __u16 sequence)
{
	h.ssrc = ssrc;
	h.sequence = sequence;
	return xp_rtp_judge(&rtp, 1, &h);
}

static void judge_from(__s64 highest)
{
	memset(&rtp, 0, sizeof(rtp));
	rtp.highest = highest;
}

START_TEST(rtp_near_numbers_belong)
{
	judge_from(70000);
	ck_assert_int_eq(judge(1, (__u16)70001), XP_RTP_BELONGS);
	ck_assert_int_eq(judge(1, (__u16)(70000 + XP_RTP_DROPOUT)), XP_RTP_BELONGS);
	ck_assert_int_eq(judge(1, (__u16)(70000 - XP_RTP_MISORDER)), XP_RTP_BELONGS);
	ck_assert_int_eq(judge(1, (__u16)(70001 + XP_RTP_DROPOUT)), XP_RTP_STRAY);
	ck_assert_int_eq(judge(1, (__u16)(69999 - XP_RTP_MISORDER)), XP_RTP_STRAY);
}
END_TEST

START_TEST(rtp_two_in_sequence_are_believed)
{
	judge_from(10);
	ck_assert_int_eq(judge(2, 65535), XP_RTP_STRAY);
	ck_assert_int_eq(judge(2, 0), XP_RTP_RESTART);
	judge_from(10);
	ck_assert_int_eq(judge(1, 30000), XP_RTP_STRAY);
	ck_assert_int_eq(judge(1, 30001), XP_RTP_RESTART);
}
END_TEST

START_TEST(rtp_strays_are_not_believed)
{
	judge_from(10);
	ck_assert_int_eq(judge(2, 7), XP_RTP_STRAY);
	ck_assert_int_eq(judge(2, 7), XP_RTP_STRAY);
	ck_assert_int_eq(judge(2, 9), XP_RTP_STRAY);
	ck_assert_int_eq(judge(3, 10), XP_RTP_STRAY);
	/* One of the stream between the two: the stream goes on. */
	ck_assert_int_eq(judge(1, 11), XP_RTP_BELONGS);
	ck_assert_int_eq(judge(3, 11), XP_RTP_STRAY);
}
END_TEST

START_TEST(rtp_slot_sizes_are_kept_within_an_area)
{
	ck_assert_uint_eq(xp_rtp_shift(XP_RTP(11u, 50u), 12), 11);
	ck_assert_uint_eq(xp_rtp_shift(XP_RTP(15u, 50u), 12), 12);
	ck_assert_uint_eq(xp_rtp_shift(XP_RTP(0u, 50u), 12), XP_MIN_RTP_SHIFT);
	ck_assert_uint_eq(XP_RTP_DEADLINE(XP_RTP(15u, XP_MAX_DEADLINE)), XP_MAX_DEADLINE);
	ck_assert_uint_eq(XP_RTP(15u, XP_MAX_DEADLINE) & ~XP_RTP_MASK, 0);
}
END_TEST

Suite *suite_rtp(void)
{
	Suite *suite = suite_create("rtp");
	TCase *tc = tcase_create("rtp");

	tcase_add_test(tc, rtp_fields);
	tcase_add_test(tc, rtp_lengths);
	tcase_add_test(tc, rtp_extension_longer_than_the_packet);
	tcase_add_test(tc, rtp_other_versions);
	tcase_add_test(tc, rtp_is_told_from_rtcp);
	tcase_add_test(tc, rtp_padding);
	tcase_add_test(tc, rtp_number_wraps);
	tcase_add_test(tc, rtp_near_numbers_belong);
	tcase_add_test(tc, rtp_two_in_sequence_are_believed);
	tcase_add_test(tc, rtp_strays_are_not_believed);
	tcase_add_test(tc, rtp_slot_sizes_are_kept_within_an_area);
	suite_add_tcase(suite, tc);
	return suite;
}
