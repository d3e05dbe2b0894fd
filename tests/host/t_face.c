/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * t_face.c - the block of headers of a destination, and packets made of it [T5].
 *
 * Packets are made as engines make them: block, xp_tx_patch(), payload. A reader of its own, byte
 * by byte and in the order of the wire, says what is in them and whether the checksums are good.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "../random.h"
#include "face.h"
#include "suites.h"

#define SEQUENCE 0xfffe
#define ID 0x8001
#define TIMESTAMP 0xdeadbeef
#define SSRC 0x01020304

static uint8_t packet[16384];
static uint32_t packet_length;

/* ---- the way that is asked for ---- */

static struct xp_ip ip4(uint8_t a, uint8_t b, uint8_t c, uint8_t d)
{
	return (struct xp_ip){.byte = {a, b, c, d}, .family = AF_INET};
}

static struct xp_ip ip6(uint8_t first, uint8_t last)
{
	struct xp_ip ip = {.family = AF_INET6};

	ip.byte[0] = first;
	ip.byte[7] = 0x99;
	ip.byte[15] = last;
	return ip;
}

static struct xp_face_plan plan_of(bool v6, uint32_t tags, bool rtp)
{
	return (struct xp_face_plan){
		.to = v6 ? ip6(0xfd, 2) : ip4(10, 80, 0, 2),
		.from = v6 ? ip6(0xfd, 1) : ip4(10, 80, 0, 1),
		.sport = htons(40000),
		.dport = htons(5004),
		.ttl = 64,
		.tos = 0xb8,
		.mac = {2, 0, 0, 0, 0, 2},
		.source_mac = {2, 0, 0, 0, 0, 1},
		.tags = tags,
		.tag = {{htons(tags == 2 ? 0x88a8 : 0x8100), 100}, {htons(0x8100), 7}},
		.ifindex = 3,
		.mtu = 9000,
		.frame = sizeof(packet),
		.rtp = rtp,
		.rtp_type = 33,
		.rtp_ssrc = SSRC,
	};
}

static void make(const struct xp_face_plan *plan, const uint8_t *payload, uint32_t length)
{
	struct xp_tx_packet p = {.length = length, .id = ID, .sequence = SEQUENCE};
	struct xp_tx_face face;

	ck_assert_int_eq(xp_face_build(plan, &face), 0);
	memcpy(packet, face.block, face.front);
	memcpy(packet + face.front, payload, length);
	xp_tx_patch(packet + face.l3, packet + face.l4, &face, &p, TIMESTAMP, 1,
		    xp_tx_sum(payload, length));
	packet_length = face.front + length;
}

/* ---- the reader ---- */

static uint32_t get16(uint32_t at)
{
	return packet[at] << 8 | packet[at + 1];
}

static uint32_t get32(uint32_t at)
{
	return get16(at) << 16 | get16(at + 2);
}

/* RFC 1071: the sum of 16-bit words, the last one filled up with zero. */
static uint32_t add(uint32_t sum, uint32_t at, uint32_t bytes)
{
	uint32_t i;

	for (i = 0; i < bytes; i++)
		sum += i & 1 ? packet[at + i] : packet[at + i] << 8;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return sum;
}

static void check_tags(const struct xp_face_plan *plan)
{
	uint32_t i;

	ck_assert(!memcmp(packet, plan->mac, 6));
	ck_assert(!memcmp(packet + 6, plan->source_mac, 6));
	for (i = 0; i < plan->tags; i++) {
		ck_assert_uint_eq(get16(12 + 4 * i), ntohs(plan->tag[i].ethertype));
		ck_assert_uint_eq(get16(14 + 4 * i), plan->tag[i].vlan);
	}
	ck_assert_uint_eq(get16(12 + 4 * i), plan->to.family == AF_INET ? 0x0800 : 0x86dd);
}

/* Returns where UDP begins. */
static uint32_t check_ipv4(const struct xp_face_plan *plan, uint32_t at)
{
	ck_assert_uint_eq(packet[at], 0x45);
	ck_assert_uint_eq(packet[at + 1], plan->tos);
	ck_assert_uint_eq(get16(at + 2), packet_length - at);
	ck_assert_uint_eq(get16(at + 4), ID);
	ck_assert_uint_eq(get16(at + 6), 0x4000);
	ck_assert_uint_eq(packet[at + 8], plan->ttl);
	ck_assert_uint_eq(packet[at + 9], 17);
	ck_assert(!memcmp(packet + at + 12, plan->from.byte, 4));
	ck_assert(!memcmp(packet + at + 16, plan->to.byte, 4));
	ck_assert_uint_eq(add(0, at, 20), 0xffff);
	return at + 20;
}

static uint32_t check_ipv6(const struct xp_face_plan *plan, uint32_t at)
{
	ck_assert_uint_eq(get32(at), 0x60000000 | (uint32_t)plan->tos << 20);
	ck_assert_uint_eq(get16(at + 4), packet_length - at - 40);
	ck_assert_uint_eq(packet[at + 6], 17);
	ck_assert_uint_eq(packet[at + 7], plan->ttl);
	ck_assert(!memcmp(packet + at + 8, plan->from.byte, 16));
	ck_assert(!memcmp(packet + at + 24, plan->to.byte, 16));
	return at + 40;
}

static bool has_checksum(const struct xp_face_plan *plan)
{
	return !plan->no_checksum || plan->to.family == AF_INET6;
}

static void check_udp(const struct xp_face_plan *plan, uint32_t at)
{
	uint32_t bytes = packet_length - at;
	uint32_t addresses = plan->to.family == AF_INET ? 8 : 32;

	ck_assert_uint_eq(get16(at), ntohs(plan->sport));
	ck_assert_uint_eq(get16(at + 2), ntohs(plan->dport));
	ck_assert_uint_eq(get16(at + 4), bytes);
	if (!has_checksum(plan)) {
		ck_assert_uint_eq(get16(at + 6), 0);
		return;
	}
	ck_assert_uint_ne(get16(at + 6), 0);
	ck_assert_uint_eq(add(add(17 + bytes, at - addresses, addresses), at, bytes), 0xffff);
}

static void check_rtp(const struct xp_face_plan *plan, uint32_t at)
{
	ck_assert_uint_eq(packet[at], 0x80);
	ck_assert_uint_eq(packet[at + 1], 0x80 | plan->rtp_type);
	ck_assert_uint_eq(get16(at + 2), SEQUENCE);
	ck_assert_uint_eq(get32(at + 4), TIMESTAMP);
	ck_assert_uint_eq(get32(at + 8), plan->rtp_ssrc);
}

static void check_packet(const struct xp_face_plan *plan, const uint8_t *payload, uint32_t length)
{
	uint32_t at = 14 + 4 * plan->tags;

	check_tags(plan);
	at = plan->to.family == AF_INET ? check_ipv4(plan, at) : check_ipv6(plan, at);
	check_udp(plan, at);
	at += 8;
	if (plan->rtp)
		check_rtp(plan, at);
	at += plan->rtp ? 12 : 0;
	ck_assert_uint_eq(packet_length - at, length);
	ck_assert(!memcmp(packet + at, payload, length));
}

/* ---- packets ---- */

static const uint32_t lengths[] = {0, 1, 2, 3, 4, 5, 63, 512, 1399, 1400, 1472, 8899, 8900};

/* [T5 T8] Every kind: family, tags, RTP, checksum; with even and odd lengths. */
START_TEST(packets_of_every_kind)
{
	struct xp_face_plan plan = plan_of(_i & 1, _i / 8, _i & 2);
	uint8_t payload[9000];
	uint64_t seed = 1 + _i;
	uint32_t i, n;

	plan.no_checksum = _i & 4;
	for (n = 0; n < sizeof(lengths) / sizeof(*lengths); n++) {
		for (i = 0; i < lengths[n]; i++)
			payload[i] = random_next(&seed);
		make(&plan, payload, lengths[n]);
		check_packet(&plan, payload, lengths[n]);
	}
}
END_TEST

/* Bytes that make sums carry again and again. */
START_TEST(packets_of_ones)
{
	struct xp_face_plan plan = plan_of(_i & 1, 0, _i & 2);
	uint8_t payload[9000];

	memset(payload, 0xff, sizeof(payload));
	memset(plan.to.byte, 0xff, xp_ip_bytes(&plan.to));
	memset(plan.from.byte, 0xff, xp_ip_bytes(&plan.from));
	plan.rtp_ssrc = 0xffffffff;
	plan.tos = plan.ttl = 0xff;
	make(&plan, payload, 8900);
	check_packet(&plan, payload, 8900);
	make(&plan, payload, 8899);
	check_packet(&plan, payload, 8899);
}
END_TEST

/*
 * RFC 768, RFC 8200: zero means that there is no checksum, so that a sum of zero goes as ones. Of
 * all payloads of two bytes, one has it.
 */
START_TEST(checksum_of_zero_goes_as_ones)
{
	struct xp_face_plan plan = plan_of(_i, 0, false);
	uint32_t value, ones = 0, udp = _i ? 54 : 34;

	for (value = 0; value < 0x10000; value++) {
		uint8_t payload[2] = {value >> 8, value};

		make(&plan, payload, 2);
		ck_assert_uint_ne(get16(udp + 6), 0);
		ones += get16(udp + 6) == 0xffff;
	}
	ck_assert_uint_eq(ones, 1);
}
END_TEST

/* ---- room ---- */

static void room_is(struct xp_face_plan plan, uint32_t want)
{
	struct xp_tx_face face;

	ck_assert_int_eq(xp_face_build(&plan, &face), 0);
	ck_assert_uint_eq(face.room, want);
	ck_assert_uint_eq(face.error, 0);
	ck_assert_uint_eq(face.ifindex, 3);
}

/* [T3] Tags are no part of the MTU. */
START_TEST(room_follows_the_mtu)
{
	static const uint32_t mtus[] = {576, 1280, 1500, 9000};
	struct xp_face_plan plan;
	uint32_t i;

	for (i = 0; i < 4; i++) {
		plan = plan_of(false, _i, false);
		plan.mtu = mtus[i];
		room_is(plan, mtus[i] - 28);
		plan = plan_of(false, _i, true);
		plan.mtu = mtus[i];
		room_is(plan, mtus[i] - 40);
		plan = plan_of(true, _i, true);
		plan.mtu = mtus[i];
		room_is(plan, mtus[i] - 60);
	}
}
END_TEST

START_TEST(room_fits_the_engine_frame)
{
	struct xp_face_plan plan = plan_of(true, 2, true);

	plan.frame = 3520;
	room_is(plan, 3520 - 14 - 8 - 40 - 8 - 12);
	plan.mtu = 1500;
	room_is(plan, 1440);
}
END_TEST

START_TEST(room_is_no_more_than_wanted)
{
	struct xp_face_plan plan = plan_of(false, 0, true);

	plan.payload = 1316;
	room_is(plan, 1316);
	plan.payload = 1;
	room_is(plan, 1);
	plan.payload = 65535;
	room_is(plan, 9000 - 40);
}
END_TEST

/* An IPv4 packet has at most 65535 bytes, whatever the interface says. */
START_TEST(room_of_the_longest_packet)
{
	struct xp_face_plan plan = plan_of(false, 0, false);

	plan.mtu = 70000;
	plan.frame = 100000;
	room_is(plan, 65535 - 28);
}
END_TEST

START_TEST(room_for_not_a_byte_is_refused)
{
	struct xp_face_plan plan = plan_of(false, 0, true);
	struct xp_tx_face face;

	plan.mtu = 40;
	ck_assert_int_eq(xp_face_build(&plan, &face), -EMSGSIZE);
	plan.mtu = 41;
	room_is(plan, 1);
	plan.frame = 54;
	ck_assert_int_eq(xp_face_build(&plan, &face), -EMSGSIZE);
}
END_TEST

/* ---- addresses ---- */

/* RFC 1112, 6.4: 23 bits of the group. */
START_TEST(group_mac_of_ipv4)
{
	static const uint8_t want[6] = {0x01, 0x00, 0x5e, 0x7f, 0x02, 0x03};
	struct xp_ip group = ip4(239, 255, 2, 3), last = ip4(239, 255, 255, 255);
	struct xp_ip first = ip4(224, 0, 0, 0), above = ip4(240, 0, 0, 0);
	struct xp_ip below = ip4(223, 255, 255, 255);
	uint8_t mac[6];

	xp_face_group_mac(&group, mac);
	ck_assert(!memcmp(mac, want, 6));
	ck_assert(xp_ip_multicast(&group) && xp_ip_multicast(&first) && xp_ip_multicast(&last));
	ck_assert(!xp_ip_multicast(&above) && !xp_ip_multicast(&below));
}
END_TEST

/* RFC 2464, 7: the last four bytes. */
START_TEST(group_mac_of_ipv6)
{
	static const uint8_t want[6] = {0x33, 0x33, 0x00, 0x00, 0x00, 0xfb};
	struct xp_ip group = ip6(0xff, 0xfb), other = ip6(0xfe, 0xfb);
	uint8_t mac[6];

	xp_face_group_mac(&group, mac);
	ck_assert(!memcmp(mac, want, 6));
	ck_assert(xp_ip_multicast(&group));
	ck_assert(!xp_ip_multicast(&other));
}
END_TEST

Suite *suite_face(void)
{
	Suite *suite = suite_create("face");
	TCase *tc = tcase_create("face");

	tcase_add_loop_test(tc, packets_of_every_kind, 0, 24);
	tcase_add_loop_test(tc, packets_of_ones, 0, 4);
	tcase_add_loop_test(tc, checksum_of_zero_goes_as_ones, 0, 2);
	tcase_add_loop_test(tc, room_follows_the_mtu, 0, 3);
	tcase_add_test(tc, room_fits_the_engine_frame);
	tcase_add_test(tc, room_is_no_more_than_wanted);
	tcase_add_test(tc, room_of_the_longest_packet);
	tcase_add_test(tc, room_for_not_a_byte_is_refused);
	tcase_add_test(tc, group_mac_of_ipv4);
	tcase_add_test(tc, group_mac_of_ipv6);
	suite_add_tcase(suite, tc);
	return suite;
}
