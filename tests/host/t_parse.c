/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * t_parse.c - from bytes to struct xp_packet: every chain, every truncation, lengths that lie
 * [R1 R2]. Frames lie in memory of exactly their size, so that a sanitizer sees what is read
 * beyond them.
 */
#include <stdlib.h>
#include <string.h>

#pragma GCC diagnostic ignored "-Wunknown-pragmas" /* unroll is for clang */
#include "parse.h"
#include "suites.h"

/* The builder of tests/prog: each test program is made of the files of one directory. */
#include "../prog/packet.c"

static struct frame frame;

static const char *reason_names[] = {
#define X(NAME, name, meaning) #NAME,
	XP_REASONS(X)
#undef X
};

static const char *result_name(int r)
{
	return r <= 0 && -r < XP_REASON_COUNT ? reason_names[-r] : "?";
}

/* Parse `linear` bytes of the frame at hand, which says it has `len`. */
static int parse_part(uint32_t linear, uint32_t len, uint32_t protocols, struct xp_packet *p)
{
	uint8_t *copy = malloc(linear ? linear : 1);
	int r, plain;
	struct xp_packet q;

	ck_assert(copy != NULL);
	memcpy(copy, frame.bytes, linear);
	r = xp_parse(copy, copy + linear, len, protocols, p);
	memset(&q, 0xff, sizeof(q));
	plain = linear == len ? xp_parse_plain(copy, copy + linear, protocols, &q) : 1;
	free(copy);
	if (!r || (r == -XP_R_IP_FRAGMENT && p->fragment)) {
		ck_assert_uint_le(p->data, XP_MAX_HEADER);
		ck_assert_uint_le(p->data, linear);
		ck_assert_uint_le(p->data + p->payload, len);
		ck_assert(p->l3 >= ETH_HLEN && p->l3 < p->l4 && p->l4 <= p->data);
		ck_assert(r || p->l4 < p->data);
	}
	if (plain)
		return r;
	/* What both accept they read alike; the short one leaves the rest of a short key alone. */
	ck_assert_msg(!r, "plain accepts what is %s", result_name(r));
	if (!q.v6)
		q.key.word[3] = q.key.word[4] = q.key.word[5] = 0;
	ck_assert_mem_eq(&p->key, &q.key, sizeof(q.key));
	ck_assert(p->payload == q.payload && p->seq == q.seq && p->ack == q.ack &&
		  p->data == q.data && p->l3 == q.l3 && p->l4 == q.l4 && p->v6 == q.v6 &&
		  p->tcp_flags == q.tcp_flags && p->proto == q.proto &&
		  p->no_checksum == q.no_checksum);
	return r;
}

static int parse(struct xp_packet *p)
{
	return parse_part(frame.len, frame.len, XP_P_ALL, p);
}

static void expect(int reason, const char *what, uint32_t value)
{
	struct xp_packet p;
	int r = parse(&p);

	ck_assert_msg(r == -reason, "%s %u: %s, not %s", what, value, result_name(r),
		      reason_names[reason]);
}

/* Packet number i of every chain, both families, both protocols. */
#define PACKETS (WRAP_COUNT * 4)
static struct packet any_packet(int i)
{
	struct packet p = {.flags = ACK, .seq = 0x01020304, .ack = 0x05060708, .len = 33};

	p.wrap = i / 4;
	p.v6 = i & 1;
	p.udp = i >> 1 & 1;
	if (p.udp)
		p.flags = 0;
	return p;
}

START_TEST(every_chain)
{
	struct packet in = any_packet(_i);
	struct xp_packet p;
	union xp_key key;
	int r;

	packet_build(&in, &frame);
	packet_key(&in, &key);
	r = parse(&p);
	ck_assert_msg(!r, "%s", result_name(r));
	ck_assert_mem_eq(&p.key, &key, sizeof(key));
	ck_assert_uint_eq(p.l3, frame.l3);
	ck_assert_uint_eq(p.l4, frame.l4);
	ck_assert_uint_eq(p.data, frame.headers);
	ck_assert_uint_eq(p.payload, 33);
	ck_assert_uint_eq(p.v6, in.v6);
	ck_assert_uint_eq(p.seq, in.udp ? 0 : 0x01020304);
	ck_assert_uint_eq(p.ack, in.udp ? 0 : 0x05060708);
	ck_assert_uint_eq(p.tcp_flags, in.flags);
}
END_TEST

/* Options, extension headers and padding move what they should. */
START_TEST(options_and_padding)
{
	static const struct packet variants[] = {
		{.flags = ACK, .len = 7, .tcp_options = 40},
		{.flags = ACK, .len = 7, .ip_options = 40, .tcp_options = 12},
		{.flags = ACK, .len = 0, .padding = 6},
		{.flags = SYN, .len = 7, .padding = 1400},
		{.udp = 1, .len = 7, .ip_options = 4, .padding = 3},
		{.flags = ACK, .len = 7, .v6 = 1, .ip_options = 8, .tcp_options = 8},
		{.flags = ACK, .len = 7, .v6 = 1, .pure_fragment = 1},
		{.udp = 1, .len = 7, .v6 = 1, .ip_options = 3, .pure_fragment = 1, .padding = 9},
	};
	struct xp_packet p;
	unsigned i;
	int r;

	for (i = 0; i < sizeof(variants) / sizeof(variants[0]); i++) {
		packet_build(&variants[i], &frame);
		r = parse(&p);
		ck_assert_msg(!r, "variant %u: %s", i, result_name(r));
		ck_assert_uint_eq(p.data, frame.headers);
		ck_assert_uint_eq(p.payload, variants[i].len);
	}
}
END_TEST

/*
 * The frame is cut off: what is missing is a header, or, once the outermost IP header is there,
 * the bytes that it promises.
 */
START_TEST(every_truncation)
{
	struct packet in = any_packet(_i);
	uint32_t n, ip = ETH_HLEN, header;
	struct xp_packet p;
	int r, want;

	packet_build(&in, &frame);
	if (in.wrap == WRAP_VLAN || in.wrap == WRAP_VLAN_VXLAN)
		ip += 4;
	if (in.wrap == WRAP_QINQ)
		ip += 8;
	header = frame.bytes[ip] >> 4 == 6 ? 40 : 20;
	for (n = 0; n < frame.len; n++) {
		want = n < ip + header ? XP_R_SHORT : XP_R_IP_LENGTH;
		r = parse_part(n, n, XP_P_ALL, &p);
		ck_assert_msg(r == -want, "%u bytes: %s", n, result_name(r));
	}
}
END_TEST

/* The driver's first buffer ends inside the headers: that is said; behind them all is well. */
START_TEST(every_split)
{
	struct packet in = any_packet(_i);
	struct xp_packet p;
	uint32_t n;
	int r;

	packet_build(&in, &frame);
	for (n = 0; n < frame.len; n++) {
		r = parse_part(n, frame.len, XP_P_ALL, &p);
		ck_assert_msg(r == (n < frame.headers ? -XP_R_HEADER_SPLIT : 0),
			      "%u of %u bytes linear: %s", n, frame.headers, result_name(r));
	}
}
END_TEST

START_TEST(ipv4_total_length)
{
	struct packet in = {.flags = ACK, .len = 40, .tcp_options = 12, .padding = 20};
	struct xp_packet p;
	uint32_t total;

	for (total = 0; total <= 0xffff; total++) {
		packet_build(&in, &frame);
		set16(&frame, ETH_HLEN + 2, total);
		if (total < 20 || ETH_HLEN + total > frame.len)
			expect(XP_R_IP_LENGTH, "total length", total);
		else if (total < 40)
			expect(XP_R_SHORT, "total length", total);
		else if (total < 52)
			expect(XP_R_L4_HEADER, "total length", total);
		else
			ck_assert(!parse(&p) && p.payload == total - 52);
	}
}
END_TEST

START_TEST(ipv6_payload_length)
{
	struct packet in = {.flags = ACK, .len = 40, .v6 = 1, .padding = 20};
	struct xp_packet p;
	uint32_t length;

	for (length = 0; length <= 0xffff; length++) {
		packet_build(&in, &frame);
		set16(&frame, ETH_HLEN + 4, length);
		if (ETH_HLEN + 40 + length > frame.len)
			expect(XP_R_IP_LENGTH, "payload length", length);
		else if (length < 20)
			expect(XP_R_SHORT, "payload length", length);
		else
			ck_assert(!parse(&p) && p.payload == length - 20);
	}
}
END_TEST

START_TEST(udp_length)
{
	struct packet in = {.udp = 1, .len = 40, .v6 = _i, .padding = 20};
	struct xp_packet p;
	uint32_t length;

	for (length = 0; length <= 0xffff; length++) {
		packet_build(&in, &frame);
		set16(&frame, frame.l4 + 4, length);
		if (length < 8 || length > 48)
			expect(XP_R_L4_HEADER, "UDP length", length);
		else
			ck_assert(!parse(&p) && p.payload == length - 8);
	}
}
END_TEST

START_TEST(tcp_data_offset)
{
	struct packet in = {.flags = ACK, .len = 12, .v6 = _i, .padding = 60};
	struct xp_packet p;
	uint32_t words;

	for (words = 0; words < 16; words++) {
		packet_build(&in, &frame);
		frame.bytes[frame.l4 + 12] = words << 4;
		if (words < 5 || words > 8)
			expect(XP_R_L4_HEADER, "data offset", words);
		else
			ck_assert(!parse(&p) && p.payload == 32 - 4 * words);
	}
}
END_TEST

START_TEST(ip_version_and_header_length)
{
	struct packet in = {.flags = ACK, .len = 100};
	uint32_t first;

	for (first = 0; first < 256; first++) {
		packet_build(&in, &frame);
		frame.bytes[ETH_HLEN] = first;
		if (first >> 4 != 4 || (first & 15) < 5)
			expect(XP_R_IP_HEADER, "first byte", first);
	}
	in.v6 = 1;
	for (first = 0; first < 256; first++) {
		packet_build(&in, &frame);
		frame.bytes[ETH_HLEN] = first;
		expect(first >> 4 == 6 ? XP_R_OK : XP_R_IP_HEADER, "first byte", first);
	}
}
END_TEST

START_TEST(fragments)
{
	struct packet in = {.flags = ACK, .len = 100};
	struct packet in6 = {.flags = ACK, .len = 100, .v6 = 1, .pure_fragment = 1};
	static const uint16_t fields4[] = {0x2000, 0x0001, 0x1fff, 0x2001};
	static const uint16_t fields6[] = {0x0001, 0x0008, 0xfff8, 0xfff9};
	int i;

	for (i = 0; i < 4; i++) {
		packet_build(&in, &frame);
		set16(&frame, ETH_HLEN + 6, fields4[i]);
		expect(XP_R_IP_FRAGMENT, "IPv4 fragment field", fields4[i]);
		packet_build(&in6, &frame);
		set16(&frame, ETH_HLEN + 42, fields6[i]);
		expect(XP_R_IP_FRAGMENT, "IPv6 fragment field", fields6[i]);
	}
}
END_TEST

/* What is told of a fragment: where it belongs, whose it is. [R14] */
START_TEST(parts_of_datagrams)
{
	struct packet in = any_packet(_i);
	uint32_t field, base;
	struct xp_packet p;
	union xp_key key;

	in.pure_fragment = in.v6;
	packet_build(&in, &frame);
	packet_key(&in, &key);
	base = frame.l4;
	field = in.v6 ? frame.l3 + 42 : frame.l3 + 6;
	for (int at = 0; at <= 0x1fff; at += 0x7ff) {
		set16(&frame, field, in.v6 ? at << 3 | 1 : at | 0x2000);
		ck_assert_int_eq(parse(&p), -XP_R_IP_FRAGMENT);
		ck_assert_uint_eq(p.fragment, XP_PART | XP_PART_MORE);
		ck_assert_uint_eq(p.at, at * 8);
		ck_assert_uint_eq(p.base, base);
		ck_assert_uint_eq(p.data, at ? base : frame.headers);
		ck_assert_uint_eq(p.data + p.payload, frame.headers + frame.payload);
		ck_assert_uint_eq(p.proto, in.udp ? IPPROTO_UDP : IPPROTO_TCP);
		ck_assert_uint_eq(bpf_ntohl(p.id), in.v6 ? 0xabcd : bpf_ntohl(bpf_htons(0x1234)));
		if (!at)
			ck_assert_mem_eq(&p.key, &key, sizeof(key));
	}
}
END_TEST

/* First fragments that do not hold all of the header (RFC 1858). [R14] */
START_TEST(tiny_fragments)
{
	struct packet in = {.flags = ACK, .len = 0, .tcp_options = 12};
	struct xp_packet p;
	uint32_t n, header;

	in.udp = _i;
	header = in.udp ? 8 : 32;
	for (n = 0; n <= header; n++) {
		packet_build(&in, &frame);
		set16(&frame, frame.l3 + 2, 20 + n);
		set16(&frame, frame.l3 + 6, 0x2000);
		ck_assert_int_eq(parse(&p), -XP_R_IP_FRAGMENT);
		ck_assert_msg(!!(p.fragment & XP_PART_TINY) == (n < header), "%u of %u bytes", n,
			      header);
	}
}
END_TEST

/* What a tunnel carries in fragments is put together inside of it, not here. [R14] */
START_TEST(parts_of_tunnel_packets)
{
	static const enum wrap wraps[] = {WRAP_VXLAN, WRAP_GENEVE, WRAP_GRE, WRAP_IPIP};
	struct packet in = {.flags = ACK, .len = 100, .wrap = wraps[_i]};
	struct xp_packet p;

	packet_build(&in, &frame);
	set16(&frame, ETH_HLEN + 6, 0x2000);
	ck_assert_int_eq(parse(&p), -XP_R_IP_FRAGMENT);
	ck_assert_uint_eq(p.fragment, _i < 2 ? XP_PART | XP_PART_MORE | XP_PART_TUNNEL : 0);
}
END_TEST

/* As many extension headers as the program follows, and one more. */
START_TEST(extension_headers)
{
	struct packet in = {.flags = ACK, .len = 10, .v6 = 1};
	int n;

	for (n = 0; n <= 40; n++) {
		in.ip_options = n;
		packet_build(&in, &frame);
		expect(n <= XP_MAX_EXT_HEADERS ? XP_R_OK : XP_R_EXT_HEADERS, "headers", n);
	}
}
END_TEST

/* That of a fragment is one, of the first fragment as of all others. [R14] */
START_TEST(extension_headers_of_fragments)
{
	struct packet in = {.udp = 1, .len = 100, .v6 = 1};
	static struct frame whole;
	uint32_t n, at;

	for (n = 0; n <= XP_MAX_EXT_HEADERS; n++)
		for (at = 0; at <= 16; at += 16) {
			in.ip_options = n;
			packet_build(&in, &whole);
			packet_cut(&whole, at, 32, 1, 7, &frame);
			expect(n < XP_MAX_EXT_HEADERS ? XP_R_IP_FRAGMENT : XP_R_EXT_HEADERS,
			       "headers", n);
		}
}
END_TEST

/* One extension header of every length that the field can say. */
START_TEST(extension_header_length)
{
	struct packet in = {.flags = ACK, .len = 1400, .v6 = 1, .ip_options = 1};
	uint32_t words, end;
	struct xp_packet p;
	int r;

	for (words = 0; words < 256; words++) {
		packet_build(&in, &frame);
		frame.bytes[ETH_HLEN + 41] = words;
		end = ETH_HLEN + 40 + 8 * (words + 1);
		r = parse(&p);
		if (end > frame.len)
			ck_assert_int_eq(r, -XP_R_IP_LENGTH);
		else if (end + 20 > XP_MAX_HEADER)
			ck_assert_msg(r == -XP_R_HEADER_LONG || r == -XP_R_L4_HEADER, "%u: %s",
				      words, result_name(r));
	}
}
END_TEST

START_TEST(headers_too_long)
{
	struct packet in = {.flags = ACK, .len = 600, .v6 = 1, .ip_options = 1};

	packet_build(&in, &frame);
	frame.bytes[ETH_HLEN + 41] = 57; /* 464 bytes: TCP would begin at 518 */
	expect(XP_R_HEADER_LONG, "extension words", 57);
}
END_TEST

static void expect_protocols(uint32_t protocols, int reason, enum wrap wrap, int udp, int v6)
{
	struct packet in = {.wrap = wrap, .udp = udp, .v6 = v6, .len = 5};
	struct xp_packet p;
	int r;

	packet_build(&in, &frame);
	r = parse_part(frame.len, frame.len, protocols, &p);
	ck_assert_msg(r == -reason, "chain %u, protocols %x: %s", wrap, protocols, result_name(r));
}

/* What is not in the protocol set is foreign, never guessed at. */
START_TEST(protocols_switched_off)
{
	static const struct {
		uint32_t protocol;
		enum wrap wrap;
		int udp, v6;
	} off[] = {
		{XP_P_VLAN, WRAP_VLAN, 0, 0}, {XP_P_IPV4, WRAP_NONE, 0, 0},
		{XP_P_IPV6, WRAP_NONE, 0, 1}, {XP_P_TCP, WRAP_NONE, 0, 0},
		{XP_P_TCP, WRAP_NONE, 0, 1},  {XP_P_UDP, WRAP_NONE, 1, 0},
		{XP_P_GRE, WRAP_GRE, 0, 0},   {XP_P_IPIP, WRAP_IPIP, 0, 0},
		{XP_P_IPIP, WRAP_IPIP, 0, 1}, {XP_P_IPIP, WRAP_IPIP6, 0, 0},
	};
	int i;

	for (i = 0; i < COUNT(off); i++) {
		expect_protocols(XP_P_ALL, XP_R_OK, off[i].wrap, off[i].udp, off[i].v6);
		expect_protocols(XP_P_ALL & ~off[i].protocol, XP_R_PROTOCOL, off[i].wrap,
				 off[i].udp, off[i].v6);
	}
}
END_TEST

/* Without its tunnel protocol a tunnel's packet is the UDP datagram that it looks like. */
START_TEST(tunnel_switched_off_is_udp)
{
	struct packet in = {.wrap = _i ? WRAP_GENEVE : WRAP_VXLAN, .flags = ACK, .len = 5};
	struct xp_packet p;

	packet_build(&in, &frame);
	ck_assert(
		!parse_part(frame.len, frame.len, XP_P_ALL & ~(_i ? XP_P_GENEVE : XP_P_VXLAN), &p));
	ck_assert_uint_eq(p.proto, IPPROTO_UDP);
	ck_assert_uint_eq(p.key.v4.vnet_kind, XP_VNET_NONE);
	ck_assert_uint_eq(p.data, ETH_HLEN + 28);
	ck_assert_uint_eq(p.payload, frame.len - ETH_HLEN - 28);
}
END_TEST

static void expect_change(enum wrap wrap, uint32_t at, uint8_t value, int reason)
{
	struct packet in = {.wrap = wrap, .flags = ACK, .len = 5};

	packet_build(&in, &frame);
	frame.bytes[at] = value;
	expect(reason, "changed byte", at);
}

START_TEST(tunnel_headers)
{
	uint32_t udp = ETH_HLEN + 20, vx = udp + 8, gre = ETH_HLEN + 20, flags;

	expect_change(WRAP_VXLAN, vx, 0, XP_R_TUNNEL);	    /* no VNI */
	expect_change(WRAP_GENEVE, vx, 0x40, XP_R_TUNNEL);  /* version 1 */
	expect_change(WRAP_GENEVE, vx, 0x3f, XP_R_TUNNEL);  /* options beyond the datagram */
	expect_change(WRAP_GENEVE, vx + 2, 0, XP_R_TUNNEL); /* neither Ethernet nor IP inside */
	expect_change(WRAP_GRE, gre + 2, 1, XP_R_TUNNEL);
	for (flags = 0; flags < 16; flags++) {
		if (flags & 4) /* routing */
			expect_change(WRAP_GRE, gre, flags << 4, XP_R_TUNNEL);
		if (flags & 7) /* version */
			expect_change(WRAP_GRE, gre + 1, flags & 7, XP_R_TUNNEL);
	}
}
END_TEST

/* A tunnel's UDP length that lies: below a header, beyond IP, or ending inside the tunnel. */
START_TEST(tunnel_lengths)
{
	struct packet in = {.wrap = WRAP_VXLAN, .flags = ACK, .len = 50};
	uint32_t udp = ETH_HLEN + 20, length, whole;
	struct xp_packet p;
	int r;

	packet_build(&in, &frame);
	whole = get16(&frame, udp + 4);
	for (length = 0; length <= 0xffff; length++) {
		set16(&frame, udp + 4, length);
		r = parse(&p);
		ck_assert_msg((r == 0) == (length == whole), "UDP length %u: %s", length,
			      result_name(r));
		if (length < 8 || length > whole)
			ck_assert_int_eq(r, -XP_R_L4_HEADER);
	}
}
END_TEST

/* One level of tunnel: a second one is refused, whatever it is. */
START_TEST(tunnel_in_a_tunnel)
{
	static const enum wrap outer[] = {WRAP_VXLAN, WRAP_GENEVE, WRAP_GRE_ETHERNET};
	static const enum wrap inner_wrap[] = {WRAP_VXLAN, WRAP_GENEVE, WRAP_GRE, WRAP_IPIP};
	struct packet in = {.flags = ACK, .len = 20};
	static struct frame carried;
	uint32_t head;
	int i, k;

	for (i = 0; i < COUNT(outer); i++) {
		for (k = 0; k < COUNT(inner_wrap); k++) {
			in.wrap = inner_wrap[k];
			packet_build(&in, &carried);
			in.wrap = outer[i];
			packet_build(&in, &frame);
			head = frame.l3 - ETH_HLEN; /* where the carried frame begins */
			memcpy(frame.bytes + head, carried.bytes, carried.len);
			frame.len = head + carried.len;
			set16(&frame, ETH_HLEN + 2, frame.len - ETH_HLEN);
			if (outer[i] != WRAP_GRE_ETHERNET)
				set16(&frame, ETH_HLEN + 24, frame.len - ETH_HLEN - 20);
			expect(XP_R_TUNNEL, "tunnel in a tunnel", i * 4 + k);
		}
	}
}
END_TEST

START_TEST(three_vlan_tags)
{
	struct packet in = {.wrap = WRAP_QINQ, .flags = ACK, .len = 20};

	packet_build(&in, &frame);
	insert_tag(&frame, 9);
	expect(XP_R_PROTOCOL, "tags", 3);
}
END_TEST

START_TEST(neither_ipv4_nor_ipv6)
{
	static const uint16_t types[] = {0x0806, 0x88cc, 0x8847, 0x0000, 0x05dc, 0xffff};
	struct packet in = {.flags = ACK, .len = 20};
	int i;

	for (i = 0; i < COUNT(types); i++) {
		packet_build(&in, &frame);
		set16(&frame, 12, types[i]);
		expect(XP_R_NOT_IP, "EtherType", types[i]);
	}
}
END_TEST

START_TEST(other_ip_protocols)
{
	struct packet in = {.flags = ACK, .len = 20};
	uint32_t proto;

	for (proto = 0; proto < 256; proto++) {
		if (proto == IPPROTO_TCP || proto == IPPROTO_UDP || proto == IPPROTO_GRE ||
		    proto == IPPROTO_IPIP || proto == IPPROTO_IPV6)
			continue;
		packet_build(&in, &frame);
		frame.bytes[ETH_HLEN + 9] = proto;
		expect(XP_R_PROTOCOL, "IP protocol", proto);
	}
}
END_TEST

START_TEST(udp_without_checksum)
{
	struct packet in = {.udp = 1, .len = 20, .fault = FAULT_NO_CHECKSUM, .v6 = _i};
	struct xp_packet p;

	packet_build(&in, &frame);
	ck_assert(!parse(&p));
	ck_assert_uint_eq(p.no_checksum, !_i); /* IPv6 knows no such thing (RFC 8200, 8.1) */
}
END_TEST

static uint32_t state = 88172645;

static uint32_t random_below(uint32_t n)
{
	state ^= state << 13;
	state ^= state >> 17;
	state ^= state << 5;
	return state % n;
}

/* Valid packets with bytes changed, and cut: parse_part() holds what must be held to be so. */
START_TEST(damaged_packets)
{
	struct packet in = any_packet(_i);
	uint32_t i, k, linear;
	struct xp_packet p;

	for (i = 0; i < 3000; i++) {
		in.tcp_options = in.udp ? 0 : 4 * random_below(11);
		in.ip_options = in.v6 ? random_below(3) : 4 * random_below(11);
		packet_build(&in, &frame);
		for (k = random_below(5); k; k--)
			frame.bytes[random_below(frame.headers)] = random_below(256);
		if (!random_below(3))
			frame.len = random_below(frame.len + 1);
		linear = random_below(4) ? frame.len : random_below(frame.len + 1);
		parse_part(linear, frame.len, XP_P_ALL, &p);
	}
}
END_TEST

START_TEST(random_bytes)
{
	struct xp_packet p;
	uint32_t i, k;

	for (i = 0; i < 20000; i++) {
		frame.len = random_below(200);
		for (k = 0; k < frame.len; k++)
			frame.bytes[k] = random_below(256);
		if (random_below(2) && frame.len > 14)
			set16(&frame, 12, random_below(2) ? ETH_P_IP : ETH_P_IPV6);
		parse_part(frame.len, frame.len, XP_P_ALL, &p);
	}
}
END_TEST

Suite *suite_parse(void)
{
	Suite *suite = suite_create("parse");
	TCase *tc = tcase_create("headers");

	tcase_set_timeout(tc, 60);
	tcase_add_loop_test(tc, every_chain, 0, PACKETS);
	tcase_add_test(tc, options_and_padding);
	tcase_add_loop_test(tc, every_truncation, 0, PACKETS);
	tcase_add_loop_test(tc, every_split, 0, PACKETS);
	tcase_add_test(tc, ipv4_total_length);
	tcase_add_test(tc, ipv6_payload_length);
	tcase_add_loop_test(tc, udp_length, 0, 2);
	tcase_add_loop_test(tc, tcp_data_offset, 0, 2);
	tcase_add_test(tc, ip_version_and_header_length);
	tcase_add_test(tc, fragments);
	tcase_add_loop_test(tc, parts_of_datagrams, 0, PACKETS);
	tcase_add_loop_test(tc, tiny_fragments, 0, 2);
	tcase_add_loop_test(tc, parts_of_tunnel_packets, 0, 4);
	tcase_add_test(tc, extension_headers);
	tcase_add_test(tc, extension_headers_of_fragments);
	tcase_add_test(tc, extension_header_length);
	tcase_add_test(tc, headers_too_long);
	tcase_add_test(tc, protocols_switched_off);
	tcase_add_loop_test(tc, tunnel_switched_off_is_udp, 0, 2);
	tcase_add_test(tc, tunnel_headers);
	tcase_add_test(tc, tunnel_lengths);
	tcase_add_test(tc, tunnel_in_a_tunnel);
	tcase_add_test(tc, three_vlan_tags);
	tcase_add_test(tc, neither_ipv4_nor_ipv6);
	tcase_add_test(tc, other_ip_protocols);
	tcase_add_loop_test(tc, udp_without_checksum, 0, 2);
	tcase_add_loop_test(tc, damaged_packets, 0, PACKETS);
	tcase_add_test(tc, random_bytes);
	suite_add_tcase(suite, tc);
	return suite;
}
