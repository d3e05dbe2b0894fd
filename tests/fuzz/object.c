/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * object.c - changed packets through the real programs, for as long as one likes
 * [R1 R3 R8 R12 R14 R15 R19].
 *
 * In:  object [-t SECONDS] [-r ROUND]: how long; one round alone, to see it again.
 * Out: a line for each ten seconds, what was met, executions and time.
 *
 * What comes is not guided by coverage but knows what packets are made of: valid ones of every
 * chain, in living flows with holes and acknowledgements, RTP among them, in one piece or in
 * fragments that come in any order, repeated, overlapping or not at all; some of whose fields get
 * a value that matters, are cut, lengthened, put into one another or exchanged, and then as a rule
 * get right checksums again, so that they are believed. A round is ROUND_FRAMES of them in a
 * context of its own, and depends on its number alone. In every fourth they are sent by this host,
 * through the egress program, with offloads that are nonsense as a rule.
 *
 * Holds: areas into which nothing may be placed (guards, own areas of nobody, those that are free)
 * are untouched; no two completions tell the same byte of an area; every area is in one place;
 * each frame has one op-code; the bytes told are those counted (stand.h).
 */
#include <getopt.h>
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "../random.h"
#include "../prog/out.h"
#include "../prog/stand.h"
#include "../runner.h"
#include "context.h"
#include "parse.h"
#include "sum.h"

#ifndef VIRTIO_NET_HDR_GSO_UDP_L4 /* Debian 12: headers of 6.1 */
#define VIRTIO_NET_HDR_GSO_UDP_L4 5
#endif
#define ROUND_FRAMES 100000u
#define SECONDS 60

static struct frame work, other, whole;
static uint64_t state;
static unsigned seconds = SECONDS, only;
static bool outward, with_rtp; /* of this round */
static uint64_t executions;
static time_t began;
static uint64_t met[sizeof(struct xp_counters) / sizeof(__u64)]; /* counters of all rounds */

static uint32_t random32(void)
{
	return random_next(&state);
}

static uint32_t below(uint32_t n)
{
	return random_below(&state, n);
}

static bool one_in(uint32_t n)
{
	return below(n) == 0;
}

/* ---- valid packets ---- */

#define FLOWS 64u
#define RTP_PORT 5004 /* bob's */

/* Numbers go on in a few flows, so that many are next, some early, some late. */
static uint32_t next_of[FLOWS];

/* The beginning of the payload of an RTP packet, near the last one of its flow as a rule. */
static void make_rtp(struct frame *f, uint32_t flow)
{
	uint32_t seq = ++next_of[flow] + (one_in(4) ? below(40) - 20 : 0);
	uint8_t *b = f->bytes + f->headers;

	if (one_in(200))
		seq = random32();
	memset(b, 0, 12);
	b[0] = 0x80 | (one_in(16) ? below(0x40) : 0);
	b[1] = one_in(32) ? random32() : 96;
	b[2] = seq >> 8;
	b[3] = seq;
	b[11] = flow + (one_in(64) ? 1 : 0);
	frame_fix_l4(f);
}

static uint8_t some_flags(void)
{
	static const uint8_t rare[] = {SYN, ACK | FIN, RST, SYN | ACK};

	return one_in(20) ? rare[below(sizeof(rare))] : ACK | (one_in(4) ? PSH : 0);
}

static void build(struct frame *f)
{
	struct packet p = {.flags = some_flags()};
	uint32_t flow = below(FLOWS);
	bool rtp = flow % 10 == 5;

	p.port = 1 + flow;
	p.v6 = flow & 2;
	p.udp = flow % 5 == 0;
	p.wrap = flow % 3 ? WRAP_NONE : below(WRAP_COUNT);
	p.reverse = one_in(8);
	p.len = one_in(4) ? 0 : below(one_in(16) ? 9000 : 1460);
	p.seq = next_of[flow] + (one_in(4) ? below(60000) - 20000 : 0);
	/* Both directions go on together. */
	p.ack = one_in(4) ? below(100000) : next_of[flow] - below(3000);
	p.tcp_options = one_in(4) ? 4 * below(11) : 0;
	p.ip_options = one_in(8) ? 4 * below(p.v6 ? 3 : 11) : 0;
	p.padding = one_in(8) ? below(40) : 0;
	p.pure_fragment = p.v6 && one_in(16);
	if (p.udp)
		p.flags = 0;
	if (p.udp && one_in(32))
		p.udp_more = -(int)below(p.len + 9);
	if (rtp) {
		p.bob_port = RTP_PORT;
		p.len += 12;
		p.udp_more = 0;
	} else {
		next_of[flow] += p.len;
	}
	packet_build(&p, f);
	if (rtp)
		make_rtp(f, flow);
}

/* ---- fragments ---- */

#define PARTS 24u

static struct frame parts[PARTS]; /* that are still to come, in any order */
static uint32_t waiting, ids;

/* All or most of a packet, and now and then something of it twice or from somewhere else. */
static void cut_up(const struct frame *f)
{
	uint32_t total = f->headers - f->l4 + f->payload, at, bytes, size = 8 * (1 + below(180));

	if (size * 8 < total)
		size = total / 64 * 8 + 8;
	ids += 1 + below(2);
	for (at = 0; at < total && waiting < PARTS; at += bytes) {
		bytes = total - at < size ? total - at : size;
		if (one_in(30))
			continue;
		if (one_in(20) && at >= 8 && bytes > 8)
			packet_cut(f, at - 8, bytes + 8, at + bytes < total, ids, &parts[waiting]);
		else
			packet_cut(f, at, bytes, at + bytes < total, ids, &parts[waiting]);
		waiting++;
	}
}

/* Tunnels over IPv6 are more than packet_cut() can cut. */
static bool can_be_cut(const struct frame *f)
{
	bool v6 = f->bytes[12] == 0x86 && f->bytes[13] == 0xdd;

	return f->payload && (!v6 || f->l3 == ETH_HLEN);
}

/* The next frame: one that was built whole, or (true) a fragment. */
static bool next_frame(void)
{
	uint32_t i;

	if (!waiting || one_in(3)) {
		build(&work);
		if (waiting > PARTS / 2 || one_in(3) || !can_be_cut(&work))
			return false;
		whole = work;
		cut_up(&whole);
		if (!waiting)
			return false;
	}
	i = below(waiting);
	work = parts[i];
	if (!one_in(16)) /* else it comes again */
		parts[i] = parts[--waiting];
	return true;
}

/* ---- changes ---- */

static uint32_t at_header(void)
{
	return below(work.headers < work.len ? work.headers + 1 : work.len);
}

static uint32_t matters(void)
{
	static const uint16_t values[] = {
		0,	1,	5,	7,	8,	19,	20,	0x45,	0x4f,	0x60,
		40,	255,	256,	1460,	1500,	0x1fff, 0x2000, 0x2001, 0x3fff, 0x4000,
		0x7fff, 0x8000, 0x8100, 0x0800, 0x86dd, 4789,	6081,	0xfff8, 0xffff};
	uint32_t len = work.len;

	return one_in(3) ? len - below(64) : values[below(sizeof(values) / sizeof(values[0]))];
}

static void change_bit(void)
{
	work.bytes[at_header()] ^= 1 << below(8);
}

static void change_byte(void)
{
	static const uint8_t values[] = {0, 1, 4, 5, 6, 17, 41, 43, 44, 47, 50, 51, 60, 0x7f, 0xff};

	work.bytes[at_header()] = values[below(sizeof(values))];
}

/* At an even offset, where fields of two bytes are. */
static void change_word(void)
{
	sum_put(work.bytes + (at_header() & ~1u), matters());
}

static void cut(void)
{
	work.len = ETH_HLEN + below(work.len);
}

static void lengthen(void)
{
	uint32_t n = below(200);

	if (work.len + n > 9000)
		return;
	memset(work.bytes + work.len, random32(), n);
	work.len += n;
}

/* Put in or take out some bytes of the headers: everything behind them moves. */
static void shift_headers(void)
{
	uint32_t at = at_header(), n = 1 + below(one_in(2) ? 8 : 60);

	if (one_in(2) && at + n < work.len) {
		memmove(work.bytes + at, work.bytes + at + n, work.len - at - n);
		work.len -= n;
	} else if (work.len + n <= 9000 && at < work.len) {
		memmove(work.bytes + at + n, work.bytes + at, work.len - at);
		work.len += n;
	}
}

/* The beginning of one packet, the end of another. */
static void splice(void)
{
	uint32_t at = at_header(), from, n;

	build(&other);
	from = below(other.headers);
	n = other.len - from;
	if (at + n > 9000)
		n = 9000 - at;
	memcpy(work.bytes + at, other.bytes + from, n);
	work.len = at + n;
}

/* A fragment of it, whatever it is: lengths fit, so that it is taken for one. */
static void make_fragment(void)
{
	uint32_t field = below(4) ? below(64) : below(0x2000);

	if (work.bytes[work.l3] >> 4 != 4 || work.len < work.l3 + 20)
		return;
	sum_put(work.bytes + work.l3 + 4, below(8));
	sum_put(work.bytes + work.l3 + 6, field | (one_in(3) ? 0 : 0x2000));
	sum_put(work.bytes + work.l3 + 10, 0);
	sum_put(work.bytes + work.l3 + 10,
		~sum_add(0, work.bytes + work.l3, (work.bytes[work.l3] & 15) * 4));
}

static void change(void)
{
	static void (*const changes[])(void) = {
		change_bit, change_bit, change_byte,   change_byte, change_word,   change_word,
		cut,	    lengthen,	shift_headers, splice,	    make_fragment, change_word,
	};
	uint32_t n;

	for (n = below(4); n; n--)
		changes[below(sizeof(changes) / sizeof(changes[0]))]();
}

/* As the parser under test sees it: where it is wrong, the checksum is, and the packet is refused.
 */
static void make_right(void)
{
	struct xp_packet p;
	int r = xp_parse(work.bytes, work.bytes + work.len, work.len, XP_P_ALL, &p);

	if (!r)
		sum_make_right(work.bytes, &p, one_in(16));
	else if (r == -XP_R_IP_FRAGMENT && p.fragment && !p.v6) {
		sum_put(work.bytes + p.l3 + 10, 0);
		sum_put(work.bytes + p.l3 + 10, ~sum_ip(work.bytes, &p));
	}
}

/* ---- this host sends ---- */

/* What is refused nobody has seen; one may be several packets (R19). */
static void send_out(void)
{
	static const uint8_t kinds[] = {VIRTIO_NET_HDR_GSO_NONE, VIRTIO_NET_HDR_GSO_TCPV4,
					VIRTIO_NET_HDR_GSO_TCPV6, VIRTIO_NET_HDR_GSO_UDP_L4};
	struct virtio_net_hdr offload = {.gso_type = kinds[below(sizeof(kinds))]};

	offload.flags = offload.gso_type ? VIRTIO_NET_HDR_F_NEEDS_CSUM : below(2);
	offload.gso_size = one_in(3) ? 1 + below(40) : 1 + below(3000);
	offload.hdr_len = work.headers;
	offload.csum_start = work.l4;
	offload.csum_offset = work.headers - work.l4 == 8 ? 6 : 16;
	out_send(work.bytes, work.len, one_in(2) ? &offload : NULL);
}

/* What only the program can know is taken from it: the rest is compared. */
static void believe(void)
{
	struct xp_counters counters = stand_counters();
	unsigned i;

	/* Gaps of RTP are told in packets and counted in bytes of slots. */
	if (with_rtp)
		stand.gap_bytes = counters.gap_bytes;
	if (!outward)
		return;
	stand.frames = 0;
	for (i = 0; i < XP_OPCODE_COUNT; i++)
		stand.frames += ((__u64 *)&counters)[i];
}

/* ---- where bytes may be ---- */

static uint8_t *taken; /* of the UMEM: bytes that a completion told, until their area comes back */

static uint32_t area_size(void)
{
	return 1u << stand.config->area_shift;
}

static void note_told(uint32_t at, uint32_t bytes, const struct xp_completion *c)
{
	const uint8_t *before = memchr(taken + at, 1, bytes);
	uint32_t place = before ? before - taken : 0;

	if (before)
		ck_abort_msg("%s: %s tells of byte %u of area %u: told before", stand.where,
			     xdplace_opcode_name(c->opcode), place & (area_size() - 1),
			     place >> stand.config->area_shift);
	memset(taken + at, 1, bytes);
}

/* It is free again, and looks like that. */
static void handed_over(uint32_t at)
{
	at &= ~(area_size() - 1);
	memset(taken + at, 0, area_size());
	memset(stand.umem + at, FILL, area_size());
}

static void look_at(const struct xp_completion *c)
{
	uint32_t room = area_size() - (c->data & (area_size() - 1)), first = c->data_len;

	if (first > room)
		first = room;
	if (c->header_len)
		note_told(c->header, c->header_len, c);
	/* Both are told twice: EARLY before, or once more when the datagram is whole. */
	if (c->data_len && !(c->flags & XP_CAUGHT_UP) && c->opcode != XP_FRAGMENT) {
		note_told(c->data, first, c);
		if (c->data_len > first)
			note_told(c->data2, c->data_len - first, c);
	}
	if (c->flags & XP_RELEASE_HEADER)
		handed_over(c->header);
	if (c->flags & XP_RELEASE_DATA)
		handed_over(c->data);
	if (c->flags & XP_RELEASE_DATA2)
		handed_over(c->data2);
}

/* Nothing is written to areas that are user space's. */
static void check_free(void)
{
	static uint8_t fill[1 << XP_MAX_AREA_SHIFT];
	static uint32_t kind[1024];
	uint32_t area, areas = stand.ctx->layout.usable;

	memset(fill, FILL, sizeof(fill));
	ck_assert(areas <= sizeof(kind) / sizeof(kind[0]));
	ck_assert_int_eq(xp_map_read(stand.ctx->map[XP_MAP_AREAS], 0, areas, kind, sizeof(kind[0])),
			 0);
	for (area = 0; area < areas; area++)
		if (XP_AREA_KIND(kind[area]) == XP_AREA_USER &&
		    memcmp(stand.umem + area * area_size(), fill, area_size()))
			ck_abort_msg("%s: area %u is free and was written to", stand.where, area);
}

/* ---- rounds ---- */

static void open_round(unsigned round)
{
	struct xdplace_opts opts = stand_opts();

	state = 88172645463325252ull * (2 * round + 1);
	memset(next_of, 0, sizeof(next_of));
	waiting = ids = 0;
	outward = round % 4 == 2;
	if (outward)
		out_open();
	opts.egress = outward ? XP_EGRESS_AUTO : XP_EGRESS_OFF;
	opts.lanes = outward ? 1 : 1 + round % 2;
	opts.rtp = 4;
	opts.datagrams = 32;
	opts.fragment_age_ms = 300;
	opts.own_size = 1 << 20;
	opts.flows = 32 << round % 3;
	opts.early = 16;
	opts.area_size = 4096u << round / 2 % 3;
	opts.no_checksum = round % 5 == 4;
	opts.threshold = round % 7 == 6 ? 2048 : 0;
	opts.flow_age_ms = 2000;
	opts.hole_age_ms = 500;
	stand_open(&opts);
	stand.anonymous = true;
	with_rtp = round % 3;
	if (with_rtp)
		stand_rule("tap udp dst port 5004 rtp slot 1024 deadline 50");
	if (round % 4 == 3)
		stand_rule("take whole udp");
	stand_rule(round % 3 == 1 ? "tap stream overlap first any" : "tap stream any");
	if (outward)
		out_attach(stand.ctx);
	stand.action = -1;
	stand.each = look_at;
	taken = calloc(1, stand.umem_size);
	ck_assert(taken != NULL);
}

static void drain(void)
{
	uint32_t lane;

	for (lane = 0; lane < stand.config->lanes; lane++) {
		xdplace_lane_tick(stand.lane[lane]);
		stand_drain(lane);
	}
}

static void end_flows(void)
{
	uint32_t lane;

	drain();
	for (lane = 0; lane < stand.config->lanes; lane++)
		while (xdplace_lane_flush(stand.lane[lane]) > 0)
			stand_drain(lane);
	drain();
}

static void note_met(void)
{
	struct xp_counters counters = stand_counters();
	size_t i;

	for (i = 0; i < sizeof(counters) / sizeof(__u64); i++)
		met[i] += ((__u64 *)&counters)[i];
}

static void tell_met(void)
{
	unsigned i;

	fputs("op-codes:", stdout);
	for (i = 0; i < XP_OPCODE_COUNT; i++)
		if (met[i])
			printf(" %s %llu", xdplace_opcode_name(i), (unsigned long long)met[i]);
	fputs("\nreasons:", stdout);
	for (i = 0; i < XP_REASON_COUNT; i++)
		if (met[XP_COUNTER_REASON + i])
			printf(" %s %llu", xdplace_reason_name(i),
			       (unsigned long long)met[XP_COUNTER_REASON + i]);
	putchar('\n');
}

static void run_round(unsigned round)
{
	static char name[32];
	uint32_t i;

	open_round(round);
	snprintf(name, sizeof(name), "round %u", round);
	stand.where = name;
	for (i = 0; i < ROUND_FRAMES; i++) {
		/* Of a datagram with a changed fragment little more comes. */
		if (!next_frame() || one_in(8))
			change();
		if (!one_in(8))
			make_right();
		if (work.len < ETH_HLEN)
			work.len = ETH_HLEN;
		if (outward)
			send_out();
		else
			stand_feed_frame(below(stand.config->lanes), work.bytes, work.len);
		if (i % 256 == 255)
			drain();
		if (i % 2048 == 2047)
			check_free();
		if (i % 20000 == 19999)
			stand_audit();
	}
	executions += ROUND_FRAMES;
	end_flows();
	believe();
	note_met();
	stand_close();
	if (outward)
		out_close();
	free(taken);
}

START_TEST(changed_packets)
{
	time_t told = began;
	unsigned round;

	for (round = only ? only : 1; !executions || time(NULL) - began < (time_t)seconds;
	     round++) {
		run_round(round);
		if (only)
			break;
		if (time(NULL) - told < 10)
			continue;
		told = time(NULL);
		printf("%u rounds, %llu executions in %ld s\n", round,
		       (unsigned long long)executions, (long)(told - began));
		fflush(stdout);
	}
	tell_met();
	printf("in all %llu executions in %ld s\n", (unsigned long long)executions,
	       (long)(time(NULL) - began));
}
END_TEST

static Suite *suite_object(void)
{
	Suite *suite = suite_create("object");
	TCase *tc = tcase_create("packets");

	tcase_set_timeout(tc, 0);
	tcase_add_test(tc, changed_packets);
	suite_add_tcase(suite, tc);
	return suite;
}

int main(int argc, char **argv)
{
	static const struct named_suite suites[] = {{"object", suite_object}};
	char *own[] = {argv[0], NULL};
	int c;

	while ((c = getopt(argc, argv, "t:r:")) != -1) {
		if (c == 't' && atoi(optarg) > 0)
			seconds = atoi(optarg);
		else if (c == 'r' && atoi(optarg) > 0)
			only = atoi(optarg);
		else
			return fputs("usage: object [-t SECONDS] [-r ROUND]\n", stderr), 2;
	}
	began = time(NULL);
	/* In this process: a line on where it stands is worth more than to go on after a failure.
	 */
	setenv("CK_FORK", "no", 1);
	return run_suites(1, own, suites, 1);
}
