/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * make_captures.c - in: a directory. Out: captures in it, of conversations between alice and bob:
 * cases.pcap with what TCP, an attacker or a bad network can do to a stream, offload.pcap of a host
 * whose NIC computes checksums, link_*.pcap with link types, form_*.pcap with forms of the file,
 * super_*.pcap with packets before segmentation, cut.pcap with packets cut short, datagrams.pcap
 * with UDP, some of it in fragments. Where every
 * follower must give the same, CAPTURE.expected has what alice has sent, or
 * CAPTURE.PORT.CASE.expected.
 *
 * The overlaps are those of "Insertion, Evasion, and Denial of Service" (Ptacek, Newsham 1998) and
 * of "Target-Based TCP Stream Reassembly" (Novak, Sturges 2007): packets of our own, from
 * the rules that those papers describe. Bytes sent twice with another value have salt 1.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sys/stat.h>

#include "packet.h"

#define COUNT(a) (sizeof(a) / sizeof(*(a)))

/* ---- what the packets are ---- */

#define ISN 1000u /* of alice's first byte */
#define BOB 5000u /* of bob's */

/* clang-format off */
#define HELLO \
	{.flags = SYN, .seq = ISN - 1}, \
	{.flags = SYN | ACK, .seq = BOB - 1, .ack = ISN, .reverse = 1}, \
	{.flags = ACK, .seq = ISN, .ack = BOB}
#define DATA(from, length, ...) \
	{.flags = ACK | PSH, .seq = ISN + (from), .len = length, .ack = BOB, ##__VA_ARGS__}
#define REPLY(from, length, upto) \
	{.flags = ACK, .seq = BOB + (from), .len = length, .ack = ISN + (upto), .reverse = 1}
#define END(length, reply) \
	{.flags = ACK | FIN, .seq = ISN + (length), .ack = BOB}, \
	{.flags = ACK | FIN, .seq = BOB + (reply), .ack = ISN + (length) + 1, .reverse = 1}, \
	{.flags = ACK, .seq = ISN + (length) + 1, .ack = BOB + (reply) + 1}

static const struct packet plain[] = {
	HELLO, DATA(0, 600), REPLY(0, 500, 600), DATA(600, 600), DATA(1200, 300),
	REPLY(500, 70, 1500), END(1500, 570)};
static const struct packet out_of_order[] = {
	HELLO, DATA(900, 300), DATA(300, 300), DATA(600, 300), DATA(0, 300), REPLY(0, 10, 1200),
	END(1200, 10)};
static const struct packet repeated[] = {
	HELLO, DATA(0, 300), DATA(0, 300), DATA(300, 300), DATA(0, 600), DATA(500, 400),
	REPLY(0, 10, 900), END(900, 10)};
static const struct packet one_byte[] = {
	HELLO, DATA(0, 1), DATA(1, 1), DATA(3, 1), DATA(2, 1), DATA(4, 1), DATA(5, 1), DATA(6, 200),
	END(206, 0)};
static const struct packet keep_alive[] = {
	HELLO, DATA(0, 300), REPLY(0, 0, 300), DATA(299, 1), REPLY(0, 0, 300), DATA(299, 1, .salt = 1),
	REPLY(0, 0, 300), DATA(300, 300), END(600, 0)};
static const struct packet middle[] = { /* no SYN, no FIN */
	DATA(7000, 300), REPLY(300, 200, 7300), DATA(7300, 300), REPLY(500, 200, 7600)};
static const struct packet one_side[] = {
	{.flags = SYN, .seq = ISN - 1}, DATA(0, 300), DATA(600, 300), DATA(300, 300), DATA(900, 300),
	{.flags = ACK | FIN, .seq = ISN + 1200, .ack = BOB}};
static const struct packet late_syn[] = {
	DATA(0, 300), {.flags = SYN, .seq = ISN - 1},
	{.flags = SYN | ACK, .seq = BOB - 1, .ack = ISN, .reverse = 1}, DATA(300, 300), END(600, 0)};
static const struct packet missing[] = {
	HELLO, DATA(0, 300), DATA(600, 300), REPLY(0, 0, 300), DATA(900, 300), REPLY(0, 10, 1200),
	DATA(1200, 300), REPLY(10, 0, 1500), DATA(1500, 300), DATA(1800, 300), REPLY(10, 0, 2100),
	DATA(2100, 300), END(2400, 10)};
static const struct packet missing_end[] = {
	HELLO, DATA(0, 300), REPLY(0, 0, 300), DATA(600, 300)};
static const struct packet again[] = { /* the ports once more, and the stream's numbers far away */
	HELLO, DATA(0, 300), END(300, 0),
	{.flags = SYN, .seq = 90000999}, {.flags = SYN | ACK, .seq = 70000999, .ack = 90001000, .reverse = 1},
	{.flags = ACK | PSH, .seq = 90001000, .len = 400, .ack = 70001000},
	{.flags = ACK | FIN, .seq = 90001400, .ack = 70001000}};
static const struct packet again_at_once[] = { /* no end before the second SYN */
	HELLO, DATA(0, 300),
	{.flags = SYN, .seq = 90000999}, {.flags = SYN | ACK, .seq = 70000999, .ack = 90001000, .reverse = 1},
	{.flags = ACK | PSH, .seq = 90001000, .len = 400, .ack = 70001000}};
static const struct packet syn_again[] = { /* repeated SYN, data in between */
	{.flags = SYN, .seq = ISN - 1}, HELLO, DATA(0, 300), {.flags = SYN, .seq = ISN - 1}, DATA(300, 300),
	END(600, 0)};
static const struct packet fast_open[] = {
	{.flags = SYN, .seq = ISN - 1, .len = 300},
	{.flags = SYN | ACK, .seq = BOB - 1, .ack = ISN + 300, .reverse = 1}, DATA(300, 300), END(600, 0)};
static const struct packet urgent[] = {
	HELLO, DATA(0, 300), {.flags = ACK | URG, .seq = ISN + 300, .len = 300, .ack = BOB, .urgent = 1},
	DATA(600, 300), END(900, 0)};
static const struct packet wrap[] = {
	{.flags = SYN, .seq = 0xfffffe00u},
	{.flags = ACK, .seq = 0xfffffe01u, .len = 300, .ack = BOB},
	{.flags = ACK, .seq = 0xfffffe01u + 600, .len = 300, .ack = BOB},
	{.flags = ACK, .seq = 0xfffffe01u + 300, .len = 300, .ack = BOB},
	{.flags = ACK | FIN, .seq = 0xfffffe01u + 900, .ack = BOB}};
static const struct packet padded[] = {
	HELLO, DATA(0, 1, .padding = 5), REPLY(0, 3, 1), DATA(1, 2, .padding = 4), END(3, 3)};

/* Overlaps: what comes later with other bytes. */
static const struct packet overlap_exact[] = {
	HELLO, DATA(0, 300), DATA(0, 300, .salt = 1), DATA(300, 300), END(600, 0)};
static const struct packet overlap_before[] = { /* the later one begins earlier, in a hole */
	HELLO, DATA(0, 100), DATA(300, 300), DATA(200, 200, .salt = 1), DATA(100, 300), END(600, 0)};
static const struct packet overlap_after[] = {
	HELLO, DATA(0, 100), DATA(300, 300), DATA(500, 200, .salt = 1), DATA(100, 200), DATA(600, 100),
	END(700, 0)};
static const struct packet overlap_inside[] = {
	HELLO, DATA(0, 100), DATA(200, 400), DATA(300, 100, .salt = 1), DATA(100, 100), END(600, 0)};
static const struct packet overlap_around[] = {
	HELLO, DATA(0, 100), DATA(300, 100), DATA(200, 300, .salt = 1), DATA(100, 500), END(600, 0)};
static const struct packet overlap_tail[] = { /* old bytes with other values, and new ones */
	HELLO, DATA(0, 300), DATA(200, 200, .salt = 1), DATA(400, 200), END(600, 0)};
static const struct packet overlap_filled[] = { /* what fills the hole counts, whatever waits */
	HELLO, DATA(0, 50), DATA(100, 50, .salt = 1), DATA(200, 50, .salt = 1), DATA(120, 100, .salt = 1),
	DATA(300, 50), DATA(40, 280), DATA(350, 50), END(400, 0)};
static const struct packet overlap_pieces[] = {
	HELLO, DATA(0, 50), DATA(100, 50), DATA(200, 50), DATA(300, 50), DATA(40, 280, .salt = 1),
	DATA(0, 400), END(400, 0)};

/* What a receiver would not take, to make an observer see another stream. */
static const struct packet bad_checksum_first[] = {
	HELLO, DATA(0, 300), DATA(300, 300, .salt = 1, .fault = FAULT_CHECKSUM), DATA(300, 300),
	END(600, 0)};
static const struct packet bad_checksum_later[] = {
	HELLO, DATA(0, 300), DATA(300, 300), DATA(300, 300, .salt = 1, .fault = FAULT_CHECKSUM),
	DATA(600, 300), END(900, 0)};
static const struct packet bad_syn[] = { /* a damaged flag begins no connection */
	HELLO, DATA(0, 300), DATA(300, 300, .salt = 1, .fault = FAULT_CHECKSUM), DATA(600, 300),
	{.flags = SYN | ACK, .seq = ISN + 900, .len = 300, .ack = BOB, .salt = 1, .fault = FAULT_CHECKSUM},
	DATA(900, 300), DATA(300, 300), END(1200, 0)};
static const struct packet bad_only[] = { /* nobody sends it again: it was not damaged */
	HELLO, DATA(0, 300, .fault = FAULT_CHECKSUM), REPLY(0, 10, 300), END(300, 10)};
static const struct packet bad_part[] = { /* some of it has come otherwise */
	HELLO, DATA(0, 300), DATA(200, 200, .fault = FAULT_CHECKSUM), DATA(400, 200), END(600, 0)};
static const struct packet bad_rst[] = { /* far outside the window */
	HELLO, DATA(0, 300), {.flags = RST, .seq = ISN + 1500000000u}, DATA(300, 300), END(600, 0)};
static const struct packet bad_rst_checksum[] = {
	HELLO, DATA(0, 300), {.flags = RST, .seq = ISN + 300, .fault = FAULT_CHECKSUM}, DATA(300, 300),
	END(600, 0)};
static const struct packet early_fin[] = { /* data lie behind it already: it is none */
	HELLO, DATA(0, 300), DATA(600, 300), {.flags = FIN | ACK, .seq = ISN + 450, .ack = BOB},
	DATA(300, 300), END(900, 0)};
static const struct packet stray_fin[] = { /* data have its number, and go on */
	HELLO, DATA(0, 300), {.flags = FIN | ACK, .seq = ISN + 300, .ack = BOB}, DATA(300, 300),
	{.flags = FIN | ACK, .seq = ISN + 700, .ack = BOB}, DATA(600, 300), END(900, 0)};
static const struct packet stray_fin_data[] = {
	HELLO, DATA(0, 300), {.flags = FIN | ACK, .seq = ISN + 300, .len = 200, .ack = BOB}, DATA(300, 300),
	DATA(600, 300), END(900, 0)};
static const struct packet after_rst[] = {
	HELLO, DATA(0, 300), {.flags = RST, .seq = ISN + 300}, DATA(300, 300), DATA(600, 300)};
static const struct packet after_fin[] = {
	HELLO, DATA(0, 300), {.flags = FIN | ACK, .seq = ISN + 300, .ack = BOB}, DATA(301, 300), DATA(601, 300)};
static const struct packet out_of_window[] = {
	HELLO, DATA(0, 300), DATA(1000000000, 300, .salt = 1), DATA(300, 300), END(600, 0)};

/* A host that captures what it sends: alice's NIC computes the checksums. */
static const struct packet offload[] = {
	{.flags = SYN, .seq = ISN - 1, .fault = FAULT_CHECKSUM},
	{.flags = SYN | ACK, .seq = BOB - 1, .ack = ISN, .reverse = 1},
	{.flags = ACK, .seq = ISN, .ack = BOB, .fault = FAULT_CHECKSUM},
	DATA(0, 600, .fault = FAULT_CHECKSUM), REPLY(0, 500, 600),
	DATA(600, 600, .fault = FAULT_CHECKSUM), DATA(1200, 300, .fault = FAULT_CHECKSUM), REPLY(500, 70, 1500),
	{.flags = ACK | FIN, .seq = ISN + 1500, .ack = BOB, .fault = FAULT_CHECKSUM}};
static const struct packet offload_data[] = { /* the same, but what has no data is whole */
	HELLO, DATA(0, 600, .fault = FAULT_CHECKSUM), REPLY(0, 500, 600),
	DATA(600, 600, .fault = FAULT_CHECKSUM), DATA(1200, 300, .fault = FAULT_CHECKSUM), REPLY(500, 70, 1500),
	END(1500, 570)};
static const struct packet offload_ip[] = {
	HELLO, DATA(0, 600, .fault = FAULT_IP_CHECKSUM), REPLY(0, 500, 600),
	DATA(600, 900, .fault = FAULT_IP_CHECKSUM), REPLY(500, 70, 1500), END(1500, 570)};
static const struct packet unfinished[] = {
	HELLO, DATA(0, 600, .fault = FAULT_PSEUDO), DATA(600, 600, .fault = FAULT_PSEUDO), END(1200, 0)};
/* clang-format on */

static const struct {
	const char *name;
	const struct packet *packets;
	size_t count;
	uint32_t from;	   /* first byte that is expected, offset from ISN */
	uint32_t expected; /* bytes of alice that every follower must give, 0: they may differ */
	bool nic;	   /* her NIC was to compute checksums */
} cases[] = {
#define CASE(name, from, expected)                                                                 \
	{                                                                                          \
#name, name, COUNT(name), from, expected, false                                    \
	}
#define NIC(name, from, expected)                                                                  \
	{                                                                                          \
#name, name, COUNT(name), from, expected, true                                     \
	}
	CASE(plain, 0, 1500),
	CASE(out_of_order, 0, 1200),
	CASE(repeated, 0, 900),
	CASE(one_byte, 0, 206),
	CASE(keep_alive, 0, 600),
	CASE(middle, 7000, 600),
	CASE(one_side, 0, 1200),
	CASE(late_syn, 0, 0),
	CASE(missing, 0, 0),
	CASE(missing_end, 0, 0),
	CASE(again, 0, 300),
	CASE(again_at_once, 0, 300),
	CASE(syn_again, 0, 600),
	CASE(fast_open, 0, 600),
	CASE(urgent, 0, 900),
	CASE(wrap, 0xfffffe01u - ISN, 900),
	CASE(padded, 0, 3),
	CASE(overlap_exact, 0, 600),
	CASE(overlap_before, 0, 600),
	CASE(overlap_after, 0, 0),
	CASE(overlap_inside, 0, 600),
	CASE(overlap_around, 0, 600),
	CASE(overlap_tail, 0, 0),
	CASE(overlap_filled, 0, 400),
	CASE(overlap_pieces, 0, 0),
	CASE(bad_checksum_first, 0, 600),
	CASE(bad_checksum_later, 0, 900),
	CASE(bad_syn, 0, 1200),
	CASE(bad_only, 0, 300),
	CASE(bad_part, 0, 600),
	CASE(bad_rst, 0, 600),
	CASE(bad_rst_checksum, 0, 600),
	CASE(early_fin, 0, 900),
	CASE(stray_fin, 0, 900),
	CASE(stray_fin_data, 0, 900),
	CASE(after_rst, 0, 900),
	CASE(after_fin, 0, 0),
	CASE(out_of_window, 0, 600),
	NIC(offload, 0, 1500),
	NIC(offload_data, 0, 1500),
	NIC(offload_ip, 0, 1500),
	NIC(unfinished, 0, 1200),
#undef CASE
#undef NIC
};

/* ---- files ---- */

static const char *directory;

/* Form of a file. */
struct form {
	bool big;  /* the other byte order, as seen from a little-endian machine */
	bool nano; /* nanoseconds */
	bool ng;   /* pcapng */
	uint32_t link;
	uint32_t snap; /* bytes that are kept, 0: all */
};

struct out {
	FILE *file;
	struct form form;
	uint32_t packets;
};

static void die(const char *what)
{
	fprintf(stderr, "make_captures: %s: %s\n", what, strerror(errno));
	exit(1);
}

static FILE *open_file(const char *name, const char *suffix)
{
	char path[512];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s%s", directory, name, suffix);
	file = fopen(path, "wb");
	if (!file)
		die(path);
	return file;
}

static void put(struct out *out, const void *bytes, size_t n)
{
	if (n && fwrite(bytes, n, 1, out->file) != 1)
		die("write");
}

static void put32(struct out *out, uint32_t v)
{
	uint8_t b[4] = {(uint8_t)v, (uint8_t)(v >> 8), (uint8_t)(v >> 16), (uint8_t)(v >> 24)};
	uint8_t r[4] = {b[3], b[2], b[1], b[0]};

	put(out, out->form.big ? r : b, 4);
}

static void put16(struct out *out, uint16_t v)
{
	uint8_t b[2] = {(uint8_t)v, (uint8_t)(v >> 8)}, r[2] = {b[1], b[0]};

	put(out, out->form.big ? r : b, 2);
}

static void begin_ng(struct out *out)
{
	put32(out, 0x0a0d0d0a); /* section header */
	put32(out, 28);
	put32(out, 0x1a2b3c4d);
	put16(out, 1);
	put16(out, 0);
	put32(out, 0xffffffff);
	put32(out, 0xffffffff);
	put32(out, 28);
	put32(out, 1); /* interface description */
	put32(out, 20);
	put16(out, (uint16_t)out->form.link);
	put16(out, 0);
	put32(out, out->form.snap);
	put32(out, 20);
}

static void begin_file(struct out *out, const char *name, struct form form)
{
	out->form = form;
	out->packets = 0;
	out->file = open_file(name, ".pcap");
	if (form.ng) {
		begin_ng(out);
		return;
	}
	put32(out, form.nano ? 0xa1b23c4d : 0xa1b2c3d4);
	put16(out, 2);
	put16(out, 4);
	put32(out, 0);
	put32(out, 0);
	put32(out, form.snap ? form.snap : 262144);
	put32(out, form.link);
}

static void end_file(struct out *out)
{
	if (fclose(out->file))
		die("close");
}

static void write_packet(struct out *out, const uint8_t *bytes, uint32_t len)
{
	uint32_t kept = out->form.snap && out->form.snap < len ? out->form.snap : len;
	uint32_t pad = (4 - kept % 4) % 4, time = 1700000000u + out->packets;

	if (out->form.ng) {
		put32(out, 6); /* enhanced packet */
		put32(out, 32 + kept + pad);
		put32(out, 0);
		put32(out, 0);
		put32(out, out->packets * 1000);
		put32(out, kept);
		put32(out, len);
		put(out, bytes, kept);
		put(out, "\0\0\0", pad);
		put32(out, 32 + kept + pad);
	} else {
		put32(out, time);
		put32(out, out->form.nano ? 999999999 : 999999);
		put32(out, kept);
		put32(out, len);
		put(out, bytes, kept);
	}
	out->packets++;
}

static void write_expected(const char *name, const struct packet *like, uint32_t from,
			   uint32_t length)
{
	FILE *file = open_file(name, ".expected");
	uint32_t i;

	for (i = 0; i < length; i++)
		fputc(packet_byte(like, ISN + from + i), file);
	if (fclose(file))
		die("close");
}

static const struct form ethernet = {.link = 1};
static struct frame frame;

/*
 * All cases in one file, each on a port of alice's own; those where her NIC was to compute the
 * checksums in another: which is which shows by what most of a sender's packets are like.
 */
static void make_cases(const char *file, bool nic)
{
	struct packet packet = {0};
	char name[64];
	struct out out;
	size_t i, k;

	begin_file(&out, file, ethernet);
	for (i = 0; i < COUNT(cases); i++) {
		if (cases[i].nic != nic)
			continue;
		for (k = 0; k < cases[i].count; k++) {
			packet = cases[i].packets[k];
			packet.port = (uint16_t)(20000 + i);
			packet_build(&packet, &frame);
			write_packet(&out, frame.bytes, frame.len);
		}
		packet = (struct packet){.port = (uint16_t)(20000 + i)};
		snprintf(name, sizeof(name), "%s.%u.%s", file, packet.port, cases[i].name);
		if (cases[i].expected)
			write_expected(name, &packet, cases[i].from, cases[i].expected);
	}
	end_file(&out);
}

/* ---- link types: `plain` behind another header ---- */

static const struct {
	const char *name;
	struct form form;
	uint8_t v6;
	uint8_t size; /* of the header, which is instead of Ethernet's 14 bytes */
	uint8_t header[48];
} links[] = {
	{"link_ethernet6", {.link = 1}, 1, 14, {[12] = 0x86, 0xdd}},
	{"link_raw", {.link = 101}, 0, 0, {0}},
	{"link_raw6", {.link = 101}, 1, 0, {0}},
	{"link_raw12", {.link = 12}, 0, 0, {0}},
	{"link_raw14", {.link = 14}, 0, 0, {0}},
	{"link_ipv4", {.link = 228}, 0, 0, {0}},
	{"link_ipv6", {.link = 229}, 1, 0, {0}},
	{"link_null", {.link = 0}, 0, 4, {2, 0, 0, 0}},
	{"link_null_big", {.big = true, .link = 0}, 0, 4, {0, 0, 0, 2}},
	{"link_null6", {.link = 0}, 1, 4, {30, 0, 0, 0}},
	{"link_loop", {.link = 108}, 0, 4, {0, 0, 0, 2}},
	{"link_sll", {.link = 113}, 0, 16, {0, 0, 0, 1, 0, 6, [14] = 8, 0}},
	{"link_sll_vlan", {.link = 113}, 0, 20, {0, 0, 0, 1, 0, 6, [14] = 0x81, 0, 0, 9, 8, 0}},
	{"link_sll2", {.link = 276}, 0, 20, {8, 0, 0, 0, 0, 0, 0, 2, 0, 1, 0, 6}},
	{"link_ppp", {.link = 9}, 0, 4, {0xff, 3, 0, 0x21}},
	{"link_ppp_short", {.link = 9}, 0, 1, {0x21}},
	{"link_ppp_hdlc", {.link = 50}, 0, 4, {0xff, 3, 0, 0x21}},
	{"link_hdlc", {.link = 104}, 0, 4, {0x0f, 0, 8, 0}},
	{"link_pppoe", {.link = 1}, 0, 22, {[12] = 0x88, 0x64, 0x11, 0, 0, 1, 0, 0, 0, 0x21}},
	{"link_vlan_pppoe6",
	 {.link = 1},
	 1,
	 26,
	 {[12] = 0x81, 0, 0, 9, 0x88, 0x64, 0x11, 0, 0, 1, 0, 0, 0, 0x57}},
	{"link_mpls", {.link = 1}, 0, 22, {[12] = 0x88, 0x47, 0, 0x01, 0, 64, 0, 0x02, 1, 64}},
	{"link_snap", {.link = 1}, 0, 22, {[12] = 0, 200, 0xaa, 0xaa, 3, 0, 0, 0, 8, 0}},
	{"link_three_tags",
	 {.link = 1},
	 0,
	 26,
	 {[12] = 0x88, 0xa8, 0, 5, 0x81, 0, 0, 7, 0x81, 0, 0, 9, 8, 0}},
	{"link_nflog", {.link = 239}, 0, 16, {2, 0, 0, 0, 8, 0, 1, 0, 8, 0, 1, 0, 0, 0, 9, 0}},
	{"link_wifi", {.link = 105}, 0, 34, {0x88, 1, [24] = 0, 0, 0xaa, 0xaa, 3, 0, 0, 0, 8, 0}},
	{"link_radiotap",
	 {.link = 127},
	 0,
	 41,
	 {0, 0, 9, 0, 2, 0, 0, 0, 0, 8, 1, [33] = 0xaa, 0xaa, 3, 0, 0, 0, 8, 0}},
	/* forms of the file */
	{"form_big", {.big = true, .link = 1}, 0, 14, {[12] = 8, 0}},
	{"form_nano", {.nano = true, .link = 1}, 0, 14, {[12] = 8, 0}},
	{"form_nano_big", {.nano = true, .big = true, .link = 1}, 0, 14, {[12] = 8, 0}},
	{"form_ng", {.ng = true, .link = 1}, 0, 14, {[12] = 8, 0}},
	{"form_ng_big", {.ng = true, .big = true, .link = 1}, 0, 14, {[12] = 8, 0}},
	{"form_ng_raw", {.ng = true, .link = 101}, 0, 0, {0}},
};

static void make_links(void)
{
	static uint8_t bytes[FRAME_MAX + 64];
	struct packet packet, alice = {0};
	struct out out;
	size_t i, k;

	for (i = 0; i < COUNT(links); i++) {
		begin_file(&out, links[i].name, links[i].form);
		for (k = 0; k < COUNT(plain); k++) {
			packet = plain[k];
			packet.v6 = links[i].v6;
			packet_build(&packet, &frame);
			memcpy(bytes, links[i].header, links[i].size);
			memcpy(bytes + links[i].size, frame.bytes + 14, frame.len - 14);
			/* nflog: the attribute's length, of header and packet */
			if (links[i].form.link == 239) {
				bytes[12] = (uint8_t)(frame.len - 14 + 4);
				bytes[13] = (uint8_t)((frame.len - 14 + 4) >> 8);
			}
			write_packet(&out, bytes, links[i].size + frame.len - 14);
		}
		end_file(&out);
		write_expected(links[i].name, &alice, 0, 1500);
	}
}

/* ---- datagrams ---- */

static void write_fragment(struct out *out, uint32_t at, uint32_t bytes, uint32_t id)
{
	static struct frame part;
	uint32_t all = 8 + frame.payload;

	packet_cut(&frame, at, at + bytes < all ? bytes : all - at, at + bytes < all, id, &part);
	write_packet(out, part.bytes, part.len);
}

/* Both families and directions, empty ones among them, the larger in fragments out of order. */
static void make_datagrams(void)
{
	struct packet packet = {.udp = 1};
	struct out out;
	uint32_t i;

	begin_file(&out, "datagrams", ethernet);
	for (i = 0; i < 60; i++) {
		packet.v6 = i & 1;
		packet.reverse = i % 3 == 0;
		packet.len = i % 4 > 1 ? 2000 + i * 10 : i * 97 % 1400;
		packet.seq += packet.len;
		packet_build(&packet, &frame);
		if (packet.len < 1400) {
			write_packet(&out, frame.bytes, frame.len);
			continue;
		}
		write_fragment(&out, 2000, 2000, i);
		write_fragment(&out, 0, 1000, i);
		write_fragment(&out, 1000, 1000, i);
	}
	end_file(&out);
}

/* ---- what capturing does ---- */

/* Only the first bytes of each packet were kept. */
static void make_cut(void)
{
	static const struct form form = {.link = 1, .snap = 128};
	struct out out;
	size_t k;

	begin_file(&out, "cut", form);
	for (k = 0; k < COUNT(plain); k++) {
		packet_build(&plain[k], &frame);
		write_packet(&out, frame.bytes, frame.len);
	}
	end_file(&out);
}

/* A super-packet before segmentation: the length field is 0. */
static void make_super(const char *name, uint32_t length, uint8_t v6)
{
	static uint8_t bytes[262144];
	struct packet alice = {.flags = ACK, .seq = ISN, .ack = BOB, .v6 = v6};
	struct packet fin = {.flags = ACK | FIN, .seq = ISN + length, .ack = BOB, .v6 = v6};
	struct packet syn = {.flags = SYN, .seq = ISN - 1, .v6 = v6};
	struct out out;
	uint32_t i;

	begin_file(&out, name, ethernet);
	packet_build(&syn, &frame);
	write_packet(&out, frame.bytes, frame.len);
	packet_build(&alice, &frame);
	memcpy(bytes, frame.bytes, frame.len);
	memset(bytes + (v6 ? 18 : 16), 0, 2);
	for (i = 0; i < length; i++)
		bytes[frame.len + i] = packet_byte(&alice, ISN + i);
	write_packet(&out, bytes, frame.len + length);
	packet_build(&fin, &frame);
	write_packet(&out, frame.bytes, frame.len);
	end_file(&out);
	write_expected(name, &alice, 0, length);
}

int main(int argc, char **argv)
{
	if (argc != 2) {
		fprintf(stderr, "usage: make_captures DIR\n");
		return 2;
	}
	directory = argv[1];
	if (mkdir(directory, 0777) && errno != EEXIST)
		die(directory);
	make_cases("cases", false);
	make_cases("offload", true);
	make_links();
	make_datagrams();
	make_cut();
	make_super("super_tso", 20000, 0);
	make_super("super_tso6", 20000, 1);
	make_super("super_64k", 65000, 0);
	make_super("super_big", 150000, 0);
	make_super("super_big6", 150000, 1);
	return 0;
}
