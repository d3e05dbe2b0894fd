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

static uint8_t frame[FENCED_MAX];
static uint32_t length;
static struct xp_packet packet;

/* RFC 1071 as it is written: 16-bit words, most significant byte first, an odd byte padded. */
static uint32_t add(uint32_t sum, const uint8_t *p, uint32_t bytes)
{
	uint32_t i;

	for (i = 0; i + 1 < bytes; i += 2)
		sum += p[i] << 8 | p[i + 1];
	if (bytes & 1)
		sum += p[bytes - 1] << 8;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return sum;
}

static uint32_t pseudo_sum(void)
{
	uint32_t bytes = packet.data - packet.l4 + packet.payload;
	uint8_t tail[4] = {bytes >> 8, bytes, 0, packet.proto};
	uint32_t sum;

	if (packet.v6)
		sum = add(0, frame + packet.l3 + 8, 32);
	else
		sum = add(0, frame + packet.l3 + 12, 8);
	return add(sum, tail, 4);
}

static uint8_t *field(void)
{
	return frame + packet.l4 + (packet.proto == IPPROTO_TCP ? 16 : 6);
}

static uint32_t l4_sum(void)
{
	return add(0, frame + packet.l4, packet.data - packet.l4 + packet.payload);
}

static int good_ip(void)
{
	return packet.v6 || add(0, frame + packet.l3, packet.l4 - packet.l3) == 0xffff;
}

static int good_l4(void)
{
	uint32_t pseudo = pseudo_sum();

	if (packet.no_checksum)
		return 1;
	return add(pseudo, (uint8_t[]){l4_sum() >> 8, l4_sum()}, 2) == 0xffff ||
	       pseudo == (uint32_t)(field()[0] << 8 | field()[1]);
}

static void put16(uint8_t *p, uint32_t value)
{
	p[0] = value >> 8;
	p[1] = value;
}

static void make_right(int unfinished)
{
	uint32_t sum, pseudo = pseudo_sum();

	if (!packet.v6) {
		put16(frame + packet.l3 + 10, 0);
		put16(frame + packet.l3 + 10, ~add(0, frame + packet.l3, packet.l4 - packet.l3));
	}
	if (packet.no_checksum)
		return;
	put16(field(), 0);
	sum = ~add(pseudo, (uint8_t[]){l4_sum() >> 8, l4_sum()}, 2) & 0xffff;
	if (packet.proto == IPPROTO_UDP && !sum)
		sum = 0xffff; /* RFC 768: zero would mean none */
	put16(field(), unfinished ? pseudo : sum);
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
	holds(!good_ip() || add(pseudo_sum(), (uint8_t[]){l4_sum() >> 8, l4_sum()}, 2) != 0xffff,
	      "a changed byte at %u goes unnoticed", at);
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
	make_right(todo & 4);
	compare("made right");
	holds(good_ip() && good_l4(), "the reference contradicts itself");
	if (todo & 2 && !(todo & 4))
		change_a_byte(at % length, by);
	return 0;
}
