/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * t_train.c - a packet continues a train exactly if it is a plain one with the same key [R2 R3].
 */
#include <stdlib.h>
#include <string.h>

#pragma GCC diagnostic ignored "-Wunknown-pragmas" /* unroll is for clang */
#include "suites.h"
#include "train.h"

#define FRAME 60 /* Ethernet, IPv4 and TCP without options, six bytes of payload */
#define HANDLE 7
#define ROUNDS 200000

static const char first[FRAME + 1] =
	"\x02\0\0\0\0\x01\x02\0\0\0\0\x02\x08\0"     /* Ethernet */
	"\x45\0\0\x2e\x12\x34\x40\0\x40\x06\xab\xcd" /* IPv4, TCP inside */
	"\x0a\0\0\x01\x0a\0\0\x02\x04\xd2\0\x50"     /* addresses, ports */
	"\0\0\0\x01\0\0\0\x02\x50\x10\x01\0\0\0\0\0" /* the rest of TCP */
	"abcdef";

static struct xp_train train;
static uint8_t frame[FRAME];

static void setup(void)
{
	memset(&train, 0, sizeof(train));
	memcpy(frame, first, FRAME);
	xp_train_begin(first, first + FRAME, &train, HANDLE);
	ck_assert_uint_eq(train.handle, HANDLE);
}

static int goes_on(void)
{
	return xp_train_goes_on(frame, frame + FRAME, &train);
}

START_TEST(train_same_packet)
{
	ck_assert(goes_on());
}
END_TEST

/* Each byte that makes the key, or makes the packet plain, ends the train; the others do not. */
START_TEST(train_each_byte)
{
	/* EtherType and 0x45; fragment and protocol; addresses; ports. */
	static const uint8_t counts[FRAME] = {
		[12] = 0xff, [13] = 0xff, [14] = 0xff, [20] = 0x3f, [21] = 0xff, [23] = 0xff,
		[26] = 0xff, [27] = 0xff, [28] = 0xff, [29] = 0xff, [30] = 0xff, [31] = 0xff,
		[32] = 0xff, [33] = 0xff, [34] = 0xff, [35] = 0xff, [36] = 0xff, [37] = 0xff,
	};
	int i, bit;

	for (i = 0; i < FRAME; i++) {
		for (bit = 0; bit < 8; bit++) {
			frame[i] ^= 1 << bit;
			ck_assert_msg(goes_on() == !(counts[i] & 1 << bit), "byte %d, bit %d", i,
				      bit);
			frame[i] ^= 1 << bit;
		}
	}
}
END_TEST

START_TEST(train_short_frame)
{
	int length;

	for (length = 0; length < XP_TRAIN_BYTES; length++) {
		uint8_t *copy = malloc(length + 1);

		memcpy(copy, first, length);
		ck_assert(!xp_train_goes_on(copy, copy + length, &train));
		free(copy);
	}
}
END_TEST

/* What has been seen of no packet is no train, not even for a frame of zeroes. */
START_TEST(train_none)
{
	memset(&train, 0, sizeof(train));
	memset(frame, 0, FRAME);
	ck_assert(!goes_on());
}
END_TEST

/* Whatever else a frame is: if it goes on and parses, then its key is that of the first. */
START_TEST(train_random)
{
	struct xp_packet p, q;
	int i, changes, went_on = 0;

	memset(&p, 0, sizeof(p));
	ck_assert(!xp_parse_plain(first, first + FRAME, XP_P_ALL, &p));
	srand(1);
	for (i = 0; i < ROUNDS; i++) {
		memcpy(frame, first, FRAME);
		for (changes = rand() % 4; changes >= 0; changes--)
			frame[rand() % FRAME] ^= 1 << rand() % 8;
		memset(&q, 0, sizeof(q));
		if (!goes_on() || xp_plain_rest(frame, frame + FRAME, 0, &q))
			continue;
		went_on++;
		memset(&q, 0, sizeof(q));
		ck_assert(!xp_parse(frame, frame + FRAME, FRAME, XP_P_ALL, &q));
		ck_assert_mem_eq(&p.key, &q.key, sizeof(p.key));
	}
	ck_assert_int_gt(went_on, ROUNDS / 20);
}
END_TEST

Suite *suite_train(void)
{
	Suite *suite = suite_create("train");
	TCase *tests = tcase_create("train");

	tcase_add_checked_fixture(tests, setup, NULL);
	tcase_add_test(tests, train_same_packet);
	tcase_add_test(tests, train_each_byte);
	tcase_add_test(tests, train_short_frame);
	tcase_add_test(tests, train_none);
	tcase_add_test(tests, train_random);
	suite_add_tcase(suite, tests);
	return suite;
}
