/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * checksum.c - fuzz target: bpf/checksum.h against sums made byte by byte [R1].
 *
 * Input: what to do to the frame (one byte), the frame. Bit 0: its checksums are set right before,
 * so that good packets are met as often as bad ones; bit 1: one byte of the IP packet is changed
 * afterwards; bit 2: the field holds the pseudo-header's sum alone.
 *
 * Holds: both ways of verifying give the answer of the reference, for each frame that the plain
 * parser accepts; a single changed byte of a packet whose checksum was right is noticed.
 */
#include "checksum.h"
#include "fuzz.h"
#include "sum.h"

static uint8_t frame[FENCED_MAX];
static uint32_t length;
static struct xp_packet packet;

static int good_ip(void)
{
	return packet.v6 || sum_ip(frame, &packet) == 0xffff;
}

static int whole_l4(void)
{
	return sum_both(sum_pseudo(frame, &packet), sum_l4(frame, &packet)) == 0xffff;
}

static int good_l4(void)
{
	const uint8_t *field = sum_field(frame, &packet);

	return packet.no_checksum || whole_l4() ||
	       sum_pseudo(frame, &packet) == (uint32_t)(field[0] << 8 | field[1]);
}

/* The payload's sum as the program hands it over: folded, of 32-bit words and a tail. */
static uint32_t payload_sum(void)
{
	const uint8_t *p = frame + packet.data;
	uint32_t i, words = packet.payload / 4 * 4;
	uint64_t sum = 0;

	for (i = 0; i < words; i += 4)
		sum += xp_get32(p + i);
	return xp_fold(sum + xp_sum_tail(p + words, packet.payload - words));
}

/* The general way, as place.bpf.h puts it together. */
static int general_good(const uint8_t *first, const uint8_t *end)
{
	uint32_t header = packet.data - packet.l4, i;
	uint64_t sum = 0, pseudo;
	uint16_t check;

	if (!xp_ip_good(first, end, &packet))
		return 0;
	if (packet.no_checksum)
		return 1;
	if (xp_check_field(first, end, &packet, &check))
		return 0;
	for (i = 0; i < header; i += 4)
		sum += xp_get32(first + packet.l4 + i);
	pseudo = xp_sum_pseudo(&packet, header + packet.payload);
	return xp_sum_good(sum + payload_sum() + pseudo, pseudo, check);
}

static void compare(const char *what)
{
	const uint8_t *first = fenced(frame, length), *end = first + length;
	int good = good_ip() && good_l4();

	holds(general_good(first, end) == good, "%s: general, reference %d", what, good);
	holds(xp_plain_good(first, end, &packet, payload_sum()) == good, "%s: plain, reference %d",
	      what, good);
}

static int parsed(void)
{
	memset(&packet, 0, sizeof(packet));
	return !xp_parse_plain(frame, frame + length, XP_P_ALL, &packet);
}

/*
 * Not of the pseudo-header's kind: an unfinished checksum covers nothing of the packet. Not where
 * the change makes another packet of it, or one without a checksum.
 */
static void change_a_byte(uint32_t at, uint8_t by)
{
	struct xp_packet before = packet;

	if (at < packet.l3 || at >= packet.data + packet.payload || !by || packet.no_checksum)
		return;
	if (packet.v6 && at < packet.l3 + 8)
		return; /* traffic class, flow label, lengths: RFC 8200 covers them by nothing */
	frame[at] ^= by;
	if (!parsed() || packet.no_checksum || packet.l4 != before.l4 ||
	    packet.data != before.data || packet.payload != before.payload ||
	    packet.proto != before.proto)
		return;
	compare("changed");
	holds(!good_ip() || !whole_l4(), "a changed byte at %u goes unnoticed", at);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = {data, size};
	uint8_t todo = take8(&in);
	uint32_t at = take16(&in);
	uint8_t by = take8(&in);

	if (in.left > sizeof(frame) || in.left < ETH_HLEN)
		return -1;
	length = in.left;
	memcpy(frame, in.at, length);
	if (!parsed())
		return -1;
	compare("as it is");
	if (!(todo & 1))
		return 0;
	sum_make_right(frame, &packet, todo & 4);
	compare("made right");
	holds(good_ip() && good_l4(), "the reference contradicts itself");
	if (todo & 2 && !(todo & 4))
		change_a_byte(at % length, by);
	return 0;
}
