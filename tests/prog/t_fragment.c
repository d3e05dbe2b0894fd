/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * t_fragment.c - datagrams in fragments: put together whatever their order, bounded whatever they
 * pretend [R14]. Streams are compared byte by byte by the stand, and the account of areas at the
 * end of each test.
 */
#include <bpf/bpf.h>
#include <linux/bpf.h>
#include <pthread.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "context.h"
#include "stand.h"
#include "suites.h"

static struct frame whole, part;
static uint32_t id;

static uint32_t state = 2463534242u;

static uint32_t random_below(uint32_t n)
{
	state ^= state << 13;
	state ^= state >> 17;
	state ^= state << 5;
	return state % n;
}

static void open_with(struct xdplace_opts opts, const char *rule)
{
	stand_open(&opts);
	stand_rule(rule);
	stand.moved = true;
}

static void setup(void)
{
	stand_setup();
	stand.moved = true;
}

/* A packet that will come in fragments, with an identification of its own. */
static void begin(const struct packet *p)
{
	stand_of(p);
	packet_build(p, &whole);
	id++;
}

/* Bytes of it that IP carries. */
static uint32_t total(void)
{
	return whole.headers - whole.l4 + whole.payload;
}

static int feed_on(uint32_t lane, uint32_t at, uint32_t bytes)
{
	packet_cut(&whole, at, bytes, at + bytes < total(), id, &part);
	return stand_feed_frame(lane, part.bytes, part.len);
}

static int feed(uint32_t at, uint32_t bytes)
{
	return feed_on(0, at, bytes);
}

/* The n-th of the fragments of `size` bytes. */
static int feed_nth(uint32_t n, uint32_t size)
{
	uint32_t at = n * size, bytes = total() - at < size ? total() - at : size;

	return feed(at, bytes);
}

static uint32_t parts_of(uint32_t size)
{
	return (total() + size - 1) / size;
}

/* All of it, in order, as an IP stack sends it. */
static void feed_all(const struct packet *p, uint32_t size)
{
	uint32_t i;

	begin(p);
	for (i = 0; i < parts_of(size); i++)
		ck_assert_int_eq(feed_nth(i, size), stand.action);
}

static uint64_t counted(enum xp_reason reason)
{
	struct xp_counters counters = stand_counters();

	return ((const __u64 *)&counters)[XP_COUNTER_REASON + reason];
}

static uint64_t counted_op(enum xp_opcode opcode)
{
	struct xp_counters counters = stand_counters();

	return ((const __u64 *)&counters)[opcode];
}

/* The stream of the packet's flow has come so far, in sequence. */
static void told(const struct packet *p, uint64_t bytes)
{
	struct stream *s;

	stand_drain(0);
	s = stand_stream(p);
	ck_assert_msg(bytes ? s != NULL : 1, "no flow");
	ck_assert_msg(!s || s->next == bytes, "%llu bytes of %llu are told",
		      (unsigned long long)(s ? s->next : 0), (unsigned long long)bytes);
}

static struct packet datagram(uint32_t offset, uint32_t len)
{
	struct packet p = {.udp = 1, .seq = offset, .len = len};

	return p;
}

/* ---- one datagram ---- */

/* Every order of four fragments, a whole datagram before and behind them. */
START_TEST(every_order)
{
	static const uint8_t orders[24][4] = {
		{0, 1, 2, 3}, {0, 1, 3, 2}, {0, 2, 1, 3}, {0, 2, 3, 1}, {0, 3, 1, 2}, {0, 3, 2, 1},
		{1, 0, 2, 3}, {1, 0, 3, 2}, {1, 2, 0, 3}, {1, 2, 3, 0}, {1, 3, 0, 2}, {1, 3, 2, 0},
		{2, 0, 1, 3}, {2, 0, 3, 1}, {2, 1, 0, 3}, {2, 1, 3, 0}, {2, 3, 0, 1}, {2, 3, 1, 0},
		{3, 0, 1, 2}, {3, 0, 2, 1}, {3, 1, 0, 2}, {3, 1, 2, 0}, {3, 2, 0, 1}, {3, 2, 1, 0}};
	struct packet p = datagram(0, 100);
	uint32_t round, i, at = 100;

	p.v6 = _i;
	stand_feed(0, &p);
	told(&p, 100);
	for (round = 0; round < 24; round++) {
		p.len = 5000 + round; /* also odd lengths */
		p.seq = at;
		begin(&p);
		for (i = 0; i < 4; i++) {
			told(&p, at);
			feed_nth(orders[round][i], 1480);
		}
		at += p.len;
		told(&p, at);
		p.len = 50;
		p.seq = at;
		stand_feed(0, &p);
		at += 50;
		told(&p, at);
	}
	ck_assert_uint_eq(counted_op(XP_FRAGMENT), 24 * 4);
}
END_TEST

/* A flow may begin with one. */
START_TEST(first_of_its_flow)
{
	struct packet p = datagram(0, 3000);

	feed_all(&p, 1480);
	told(&p, 3000);
	ck_assert_uint_eq(stand_flow(&p).packets, 1);
	ck_assert_uint_eq(stand_flow(&p).bytes, 3000);
}
END_TEST

/* What the consumer sees: advance notice of each fragment, then the datagram as one. [R9] */
START_TEST(completions_of_a_datagram)
{
	struct packet p = datagram(0, 3000);
	struct xp_completion c[16];
	uint32_t i, n, at = 0;

	begin(&p);
	feed_nth(2, 1480);
	feed_nth(0, 1480);
	feed_nth(1, 1480);
	n = xdplace_lane_poll(stand.lane[0], c, 16);
	ck_assert_uint_eq(n, 4);
	for (i = 0; i < 3; i++) {
		static const uint32_t offset[] = {2960, 8, 1480}, length[] = {48, 1472, 1480};

		ck_assert_uint_eq(c[i].opcode, XP_FRAGMENT);
		ck_assert_uint_eq(c[i].flow, XP_NONE);
		ck_assert_uint_eq(c[i].offset, offset[i]);
		ck_assert_uint_eq(c[i].data_len, length[i]);
		ck_assert_uint_eq(c[i].flags & XP_RELEASE_DATA, 0);
		ck_assert_uint_eq(!!(c[i].flags & XP_MORE), i == 2);
		ck_assert_uint_eq(c[i].header_len, i == 1 ? 42 : 34);
	}
	/* One piece of memory, with the first fragment's header. */
	ck_assert_uint_eq(c[3].opcode, XP_FIRST);
	ck_assert_uint_eq(c[3].data_len, 3000);
	ck_assert_uint_eq(c[3].data, c[1].data);
	ck_assert_uint_eq(c[3].flags & (XP_RELEASE_DATA | XP_MORE), XP_RELEASE_DATA);
	ck_assert_uint_eq(c[3].header_len, 42);
	packet_cut(&whole, 0, 1480, 1, id, &part);
	ck_assert_mem_eq(stand.umem + c[3].header, part.bytes, 42);
	for (i = 0; i < 3000; i++)
		at += stand.umem[c[3].data + i] == packet_byte(&p, i);
	ck_assert_uint_eq(at, 3000);
	/* Take them again, by the stand's rules. */
	xdplace_lane_close(stand.lane[0]);
	stand.lane[0] = xdplace_lane_open(stand.ctx, 0);
	told(&p, 3000);
}
END_TEST

/* The longest that there can be, in every area size; boundaries are kept. */
START_TEST(longest_datagrams)
{
	struct xdplace_opts opts = stand_opts();
	struct packet p = datagram(0, 65507);
	struct xp_completion c[4096];
	uint32_t n, i, ends = 0;

	opts.area_size = 4096u << _i;
	opts.window = 16 * opts.area_size;
	opts.datagrams = 4;
	open_with(opts, "tap any");
	feed_all(&p, 1480);
	told(&p, 65507);
	p.seq = 65507;
	p.len = 65507;
	begin(&p);
	for (i = parts_of(4000); i; i--)
		feed_nth(i - 1, 4000);
	n = xdplace_lane_poll(stand.lane[0], c, 4096);
	for (i = 0; i < n; i++)
		ends += c[i].opcode == XP_APPEND && !(c[i].flags & XP_MORE);
	ck_assert_uint_eq(ends, 1);
	xdplace_lane_close(stand.lane[0]);
	stand.lane[0] = xdplace_lane_open(stand.ctx, 0);
	told(&p, 2 * 65507);
	p.v6 = 1;
	p.seq = 0;
	p.len = 65527;
	feed_all(&p, 1448);
	told(&p, 65527);
}
END_TEST

/* VLAN tags, and fragments inside of tunnels. [R1 R2] */
START_TEST(behind_tags_and_in_tunnels)
{
	static const enum wrap wraps[] = {WRAP_VLAN, WRAP_QINQ, WRAP_VXLAN,   WRAP_GENEVE,
					  WRAP_GRE,  WRAP_IPIP, WRAP_GRE_KEY, WRAP_VLAN_VXLAN};
	struct packet p = datagram(0, 4000), other;
	uint32_t i;

	p.wrap = wraps[_i / 2];
	p.v6 = _i & 1;
	other = p;
	other.vnet = 8;
	/* The same identification in another network is another datagram. */
	begin(&p);
	for (i = 0; i < 3; i++) {
		stand_of(&p);
		packet_build(&p, &whole);
		feed_nth(2 - i, 1480);
		if (p.wrap == WRAP_GRE || p.wrap == WRAP_IPIP)
			continue;
		stand_of(&other);
		packet_build(&other, &whole);
		feed_nth(2 - i, 1480);
	}
	told(&p, 4000);
	if (p.wrap != WRAP_GRE && p.wrap != WRAP_IPIP)
		told(&other, 4000);
}
END_TEST

/* Fragments of a tunnel's own packets are left to the tunnel's end, in any order. */
START_TEST(fragmented_tunnels_pass)
{
	static const enum wrap wraps[] = {WRAP_VXLAN, WRAP_GENEVE, WRAP_GRE, WRAP_IPIP};
	struct packet p = datagram(0, 2000);
	uint32_t i;

	p.wrap = wraps[_i / 2];
	begin(&p);
	whole.payload = whole.len - whole.headers;
	whole.l3 = 14;
	whole.l4 = 34;
	whole.headers = 42;
	whole.payload = whole.len - 42;
	for (i = 0; i < 2; i++)
		ck_assert_int_eq(feed_nth(_i & 1 ? 1 - i : i, 1480), XDP_PASS);
	stand_drain(0);
	ck_assert_uint_eq(stand_flows(), 0);
	ck_assert_uint_eq(counted(XP_R_IP_FRAGMENT), _i == 1 || _i == 3 ? 1 : 2);
}
END_TEST

/* IPv4 options are each fragment's own; UDP without a checksum needs none. */
START_TEST(options_and_no_checksum)
{
	struct packet p = datagram(0, 3000);

	p.ip_options = 8;
	feed_all(&p, 1480);
	told(&p, 3000);
	p.ip_options = 0;
	p.seq = 3000;
	p.fault = FAULT_NO_CHECKSUM;
	feed_all(&p, 1480);
	told(&p, 6000);
	p.seq = 6000;
	p.fault = FAULT_PSEUDO;
	feed_all(&p, 1480);
	told(&p, 9000);
}
END_TEST

/* Damage to any fragment shows in the sum of all. */
START_TEST(damage)
{
	struct packet p = datagram(0, 3000);
	uint32_t i;

	for (i = 0; i < 3; i++) {
		begin(&p);
		whole.bytes[whole.l4 + 100 + i * 1480 - 10 * (i == 2) * 9] ^= 4;
		feed_nth(0, 1480);
		feed_nth(1, 1480);
		feed_nth(2, 1480);
	}
	p.fault = FAULT_CHECKSUM;
	feed_all(&p, 1480);
	told(&p, 0);
	ck_assert_uint_eq(counted(XP_R_CHECKSUM), 4);
	p.fault = FAULT_NONE;
	feed_all(&p, 1480);
	told(&p, 3000);
	/* A fragment with a damaged IP header is not one; the others wait for it. */
	p.seq = 3000;
	begin(&p);
	feed_nth(0, 1480);
	packet_cut(&whole, 1480, 1480, 1, id, &part);
	part.bytes[part.l3 + 10] ^= 1;
	stand_feed_frame(0, part.bytes, part.len);
	feed_nth(2, 1480);
	told(&p, 3000);
	feed_nth(1, 1480);
	told(&p, 6000);
	ck_assert_uint_eq(counted(XP_R_IP_CHECKSUM), 1);
}
END_TEST

static uint32_t damaged_bytes; /* told as such, and whose they are */
static uint32_t damaged_flow;

static void look_for_damage(const struct xp_completion *c)
{
	if (c->reason != XP_R_CHECKSUM || c->opcode == XP_FRAGMENT)
		return;
	ck_assert_uint_eq(c->opcode, c->flow == XP_NONE ? XP_FOREIGN : XP_WHOLE);
	ck_assert_uint_eq(c->flags & XP_FRAME, XP_FRAME);
	damaged_bytes += c->data_len;
	damaged_flow = c->flow;
}

/*
 * A damaged datagram is a damaged packet, in one piece or in fragments: delivered whole, counted
 * with its flow, which goes on; without a flow it sets up none. [R1 R3 R14]
 */
START_TEST(damage_as_in_one_piece)
{
	struct packet p = {.udp = _i & 1, .v6 = _i >> 1 & 1, .len = 3000, .fault = FAULT_CHECKSUM};
	uint32_t first = p.udp ? 0 : 1000, i;

	p.seq = first;
	p.flags = p.udp ? 0 : ACK;
	stand.each = look_for_damage;
	for (i = 0; i < 4; i++) {
		damaged_bytes = 0;
		damaged_flow = 0;
		if (i & 1)
			feed_all(&p, 1480);
		else
			stand_feed(0, &p);
		stand_drain(0);
		packet_build(&p, &whole);
		ck_assert_uint_eq(damaged_bytes,
				  whole.headers + whole.payload + (i & 1) * 8 * p.v6);
		ck_assert_int_eq(damaged_flow == XP_NONE, i < 2);
		ck_assert_uint_eq(counted(XP_R_CHECKSUM), i + 1);
		ck_assert_uint_eq(stand_flows(), i >= 2);
		if (i >= 2) {
			ck_assert_uint_eq(stand_flow(&p).bad_checksums, i - 1);
			ck_assert_uint_eq(stand_flow(&p).whole, 0);
		}
		if (i != 1)
			continue;
		p.fault = FAULT_NONE;
		feed_all(&p, 1480);
		told(&p, 3000);
		p.fault = FAULT_CHECKSUM;
		p.seq += 3000;
	}
	p.fault = FAULT_NONE;
	feed_all(&p, 1480);
	told(&p, 6000);
}
END_TEST

/*
 * UDP ends before IP does: what is behind is none of it, and no checksum covers it, whether it came
 * in one piece or in fragments; areas that have nothing else are given back. [R1 R14 R15]
 */
START_TEST(udp_ends_before_ip)
{
	static const int16_t less[] = {-1,  -8,	   -39,	  -40,	 -41,	-48,
				       -49, -1000, -1520, -1521, -4097, -8999};
	struct packet p = datagram(0, 9000);
	uint32_t i;

	p.v6 = _i & 1;
	for (i = 0; i < 2 * sizeof(less) / sizeof(*less); i++) {
		p.udp_more = less[i / 2];
		p.fault = _i & 2 && !p.v6 ? FAULT_NO_CHECKSUM : FAULT_NONE;
		if (i & 1)
			feed_all(&p, 1480);
		else
			stand_feed(0, &p);
		p.seq += p.len + p.udp_more;
		told(&p, p.seq);
		/* What it does not cover may be damaged, nothing else. */
		begin(&p);
		whole.bytes[whole.l4 + 8 + p.len - 1] ^= 1;
		if (p.fault || p.udp_more < -1480)
			continue;
		whole.bytes[whole.l4 + 8] ^= 1;
		feed_nth(6, 1480);
		feed(0, 6 * 1480);
	}
	told(&p, p.seq);
	ck_assert_uint_eq(counted(XP_R_L4_HEADER), 0);
	ck_assert_uint_eq(stand_flow(&p).bytes, p.seq);
	ck_assert_uint_eq(counted(XP_R_CHECKSUM), stand_flow(&p).bad_checksums);
	p.udp_more = 0;
	feed_all(&p, 1480);
	told(&p, p.seq + 9000);
}
END_TEST

/* Not even a byte of its own: no data, as in one piece. */
START_TEST(udp_of_no_length)
{
	struct packet p = datagram(0, 3000), empty = datagram(3000, 3000);

	feed_all(&p, 1480);
	told(&p, 3000);
	empty.udp_more = -3000;
	stand_feed(0, &empty);
	feed_all(&empty, 1480);
	told(&p, 3000);
	ck_assert_uint_eq(counted_op(XP_NODATA), 1);
	ck_assert_uint_eq(stand_flow(&p).packets, 3);
	p.seq = 3000;
	feed_all(&p, 1480);
	told(&p, 6000);
}
END_TEST

/*
 * UDP says more than IP has, or less than its own header: no datagram, in one piece or in
 * fragments, and of no flow. Nothing of it is remembered.
 */
START_TEST(udp_ends_behind_ip)
{
	static const int16_t more[] = {1, 8, 3000, 32000, -3001, -3008};
	struct packet p = datagram(0, 3000);
	uint32_t i;

	p.v6 = _i;
	feed_all(&p, 1480);
	told(&p, 3000);
	p.seq = 3000;
	for (i = 0; i < sizeof(more) / sizeof(*more); i++) {
		p.udp_more = more[i];
		stand_feed(0, &p);
		feed_all(&p, 1480);
		told(&p, 3000);
		ck_assert_uint_eq(counted(XP_R_L4_HEADER), 2 * i + 2);
	}
	ck_assert_uint_eq(stand_flow(&p).packets, 1);
	p.udp_more = 0;
	id--;
	feed_all(&p, 1480);
	told(&p, 6000);
}
END_TEST

/* One header of an atomic fragment, and it is none, whatever else has its number (RFC 6946). */
START_TEST(atomic_fragments)
{
	struct packet p = datagram(0, 3000), atomic = datagram(0, 500);

	p.v6 = atomic.v6 = 1;
	atomic.pure_fragment = 1;
	begin(&p);
	id = 0xabcd;
	feed_nth(0, 1448);
	feed_nth(2, 1448);
	stand_feed(0, &atomic);
	told(&p, 500);
	p.seq = 500; /* the bytes that are to come in the end */
	begin(&p);
	id = 0xabce;
	feed_nth(0, 1448);
	feed_nth(2, 1448);
	atomic.seq = 3500;
	id = 0xabce;
	feed_nth(1, 1448);
	told(&p, 3500);
	stand_feed(0, &atomic);
	told(&p, 4000);
	ck_assert_uint_eq(counted_op(XP_FRAGMENT), 5);
	ck_assert_uint_eq(counted(XP_R_FRAG_OVERLAP), 0);
}
END_TEST

/* So with a packet over IPv4 that is not cut. */
START_TEST(same_number_in_one_piece)
{
	struct packet p = datagram(500, 3000), other = datagram(0, 500);

	stand_of(&other); /* the flow begins with it */
	begin(&p);
	id = 0x1234;
	feed_nth(0, 1480);
	feed_nth(2, 1480);
	stand_of(&other);
	packet_build(&other, &part);
	part.bytes[part.l3 + 4] = id >> 8;
	part.bytes[part.l3 + 5] = id;
	frame_fix_ip(&part);
	stand_feed_frame(0, part.bytes, part.len);
	told(&p, 500);
	feed_nth(1, 1480);
	told(&p, 3500);
}
END_TEST

/* ---- what is said twice ---- */

START_TEST(exact_repeats)
{
	struct packet p = datagram(0, 5000);
	uint32_t i;

	begin(&p);
	for (i = 0; i < 3; i++) {
		feed_nth(i, 1480);
		feed_nth(i, 1480);
		feed_nth(0, 1480);
	}
	told(&p, 0);
	feed_nth(3, 1480);
	told(&p, 5000);
	ck_assert_uint_eq(counted_op(XP_REPEAT), 6);
	ck_assert_uint_eq(counted(XP_R_FRAG_OVERLAP), 0);
}
END_TEST

/* What comes again when all is delivered begins a datagram that never ends. */
START_TEST(repeats_of_what_is_delivered)
{
	struct packet p = datagram(0, 5000);
	uint32_t i;

	p.v6 = _i;
	feed_all(&p, 1480);
	told(&p, 5000);
	for (i = 0; i < 3; i++)
		feed_nth(i, 1480);
	told(&p, 5000);
	p.seq = 5000;
	feed_all(&p, 1480);
	told(&p, 10000);
}
END_TEST

/* By default nothing of an overlapping datagram is delivered, whatever comes of it (RFC 5722). */
START_TEST(overlap_drops)
{
	static const struct {
		uint32_t at, bytes;
	} bad[] = {{1472, 1480}, {1480, 1488}, {8, 1472}, {2960, 1480}, {1480, 8}};
	struct packet p = datagram(0, 5000);
	uint32_t i;

	p.v6 = _i;
	for (i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		begin(&p);
		feed_nth(0, 1480);
		feed_nth(1, 1480);
		feed(2960, 8);
		feed(bad[i].at, bad[i].bytes);
		feed(2960, 1480);
		feed(2968, 1472);
		feed_nth(3, 1480);
		feed_nth(0, 1480);
		feed_nth(1, 1480);
		feed_nth(2, 1480);
		told(&p, 0);
	}
	ck_assert_uint_eq(counted(XP_R_FRAG_OVERLAP), i * 7);
	feed_all(&p, 1480);
	told(&p, 5000);
}
END_TEST

/* By rule the first bytes win. Later ones of another content change nothing. */
START_TEST(overlap_first_wins)
{
	struct packet p = datagram(0, 5000);
	uint32_t round, at, bytes;

	open_with(stand_opts(), "tap stream overlap first any");
	for (round = 0; round < 50; round++) {
		begin(&p);
		feed_nth(0, 1480);
		for (at = 1480; at < total(); at += bytes) {
			bytes = 8 * (1 + random_below(180));
			if (bytes > total() - at)
				bytes = total() - at;
			feed(at, bytes);
			/* The same from a liar, longer to the front and to the back. */
			whole.bytes[whole.l4 + at - 8] ^= 0xff;
			whole.bytes[whole.l4 + at] ^= 0xff;
			if (at + bytes < total())
				feed(at - 8, bytes + 8);
			whole.bytes[whole.l4 + at - 8] ^= 0xff;
			whole.bytes[whole.l4 + at] ^= 0xff;
		}
		p.seq += 5000;
		told(&p, p.seq);
	}
	ck_assert_uint_ge(counted(XP_R_FRAG_OVERLAP), 50);
}
END_TEST

/* A datagram with overlaps says so where it is delivered. */
START_TEST(overlap_is_marked)
{
	struct packet p = datagram(0, 3000);
	struct xp_completion c[16];
	int n;

	open_with(stand_opts(), "tap stream overlap first any");
	begin(&p);
	feed_nth(0, 1480);
	feed(1472, 1488);
	feed_nth(2, 1480);
	n = xdplace_lane_poll(stand.lane[0], c, 16);
	ck_assert_int_eq(n, 4);
	ck_assert_uint_eq(c[1].opcode, XP_FRAGMENT);
	ck_assert_uint_eq(c[1].reason, XP_R_FRAG_OVERLAP);
	ck_assert_uint_eq(c[1].offset, 1480);
	ck_assert_uint_eq(c[1].data_len, 1480);
	ck_assert_uint_eq(c[3].opcode, XP_FIRST);
	ck_assert_uint_eq(c[3].reason, XP_R_FRAG_OVERLAP);
	xdplace_lane_close(stand.lane[0]);
	stand.lane[0] = xdplace_lane_open(stand.ctx, 0);
	told(&p, 3000);
}
END_TEST

/* No rule lets a header be told in two ways, or two ends. */
START_TEST(disputes_drop_under_any_rule)
{
	struct packet tcp = {.flags = ACK, .seq = 1000, .len = 3000}, p = datagram(0, 3000);

	open_with(stand_opts(), "tap stream overlap first any");
	begin(&tcp); /* 8 bytes, then the whole header (RFC 1858) */
	feed(8, 16);
	feed(0, 1480);
	begin(&tcp); /* the other way round (RFC 3128) */
	feed(0, 1480);
	feed(8, 16);
	begin(&p);
	feed(1480, 1480);
	packet_cut(&whole, 1480, 1000, 0, id, &part);
	stand_feed_frame(0, part.bytes, part.len);
	stand_drain(0);
	ck_assert_uint_eq(counted(XP_R_FRAG_OVERLAP), 3);
	ck_assert_uint_eq(stand_flows(), 0);
}
END_TEST

/*
 * Two ends, data behind the end, an end before data: one of them is a lie, and nobody knows which.
 * The datagram is dropped, as Linux does, also where first bytes win. [R14]
 */
START_TEST(ends_that_contradict)
{
	static const struct {
		uint32_t at, bytes;
		int more;
	} parts[][3] = {
		{{0, 1480, 1}, {2960, 48, 0}, {2960, 40, 0}},	  /* an earlier end */
		{{0, 1480, 1}, {2960, 40, 0}, {2960, 48, 0}},	  /* a later one */
		{{1480, 1480, 0}, {2960, 48, 0}, {0, 1480, 1}},	  /* another one behind it */
		{{1480, 1480, 0}, {2960, 48, 1}, {0, 1480, 1}},	  /* data behind it */
		{{0, 1480, 1}, {2960, 48, 1}, {1480, 1480, 0}},	  /* an end before data */
		{{2960, 48, 1}, {1480, 1000, 0}, {0, 1480, 1}},	  /* also if the first comes last */
		{{1480, 1480, 0}, {1480, 1480, 1}, {0, 1480, 1}}, /* an end that is none */
	};
	struct packet p = datagram(0, 3000);
	uint32_t i, k;

	p.v6 = _i & 1;
	open_with(stand_opts(), _i & 2 ? "tap stream overlap first any" : "tap stream any");
	for (i = 0; i < sizeof(parts) / sizeof(*parts); i++) {
		begin(&p);
		for (k = 0; k < 3; k++) {
			packet_cut(&whole, parts[i][k].at, parts[i][k].bytes, parts[i][k].more, id,
				   &part);
			stand_feed_frame(0, part.bytes, part.len);
		}
		ck_assert_msg(counted(XP_R_FRAG_OVERLAP), "row %u", i);
		/* All that comes later goes the same way. */
		for (k = 0; k < 3; k++)
			feed_nth(k, 1480);
		told(&p, 0);
		ck_assert_uint_ge(counted(XP_R_FRAG_OVERLAP), 4 * i + 4);
	}
	feed_all(&p, 1480);
	told(&p, 3000);
}
END_TEST

/* The rule is known with the first fragment. If it allows no overlaps, none are delivered. */
START_TEST(overlap_before_its_rule_is_known)
{
	struct packet p = datagram(0, 3000);

	open_with(stand_opts(), "tap stream overlap first udp port 81");
	stand_rule("take stream udp port 80");
	begin(&p);
	feed(1480, 1480);
	feed(1472, 16);
	feed(2960, 48);
	stand.action = XDP_DROP;
	ck_assert_int_eq(feed(0, 1472), XDP_DROP);
	stand_drain(0);
	ck_assert_uint_eq(counted(XP_R_FRAG_OVERLAP), 2);
	ck_assert_uint_eq(stand_flows(), 0);
	p.bob_port = 81;
	stand.action = XDP_PASS;
	begin(&p);
	feed(1480, 1480);
	feed(1472, 16);
	feed(2960, 48);
	feed(0, 1472);
	told(&p, 3000);
}
END_TEST

/* Whatever the Next Header of later fragments says, before the first and behind it (RFC 8200, 4.5).
 */
START_TEST(next_header_of_the_first)
{
	static const uint8_t other[] = {IPPROTO_HOPOPTS, IPPROTO_IPV6, IPPROTO_ESP, IPPROTO_ICMPV6,
					IPPROTO_NONE,	 IPPROTO_SCTP, 253};
	struct packet p = datagram(0, 2000);
	size_t i;

	p.v6 = 1;
	for (i = 0; i < sizeof(other); i++) {
		p.seq = 2000 * i;
		begin(&p);
		if (!_i)
			feed(0, 1000);
		packet_cut(&whole, 1000, total() - 1000, 0, id, &part);
		part.bytes[part.l4 - 8] = other[i];
		stand_feed_frame(0, part.bytes, part.len);
		if (_i)
			feed(0, 1000);
		told(&p, 2000 * (i + 1));
	}
}
END_TEST

/* ---- what is malformed ---- */

/* A fragment whose header says something else of its place than is true. */
static void feed_lie(uint32_t at, uint32_t bytes, int more, uint32_t says)
{
	uint32_t field = whole.bytes[whole.l3] >> 4 == 6 ? says | !!more : says / 8 | !!more << 13;
	uint32_t where;

	packet_cut(&whole, at, bytes, more, id, &part);
	where = part.bytes[part.l3] >> 4 == 6 ? part.l4 - 6 : part.l3 + 6;
	part.bytes[where] = field >> 8;
	part.bytes[where + 1] = field;
	frame_fix_ip(&part);
	stand_feed_frame(0, part.bytes, part.len);
}

/*
 * What can be no fragment is nobody's: it is dropped by name and the datagram whose number it has
 * goes on (RFC 8200, 4.5), before its first fragment has come, in the middle, and at its end.
 */
START_TEST(invalid_fragments_alone)
{
	static const struct {
		uint32_t at, bytes, more, says;
		enum xp_reason reason;
	} bad[] = {
		{1480, 1479, 1, 1480, XP_R_FRAG_LENGTH}, /* no multiple of 8 */
		{1480, 1, 1, 1480, XP_R_FRAG_LENGTH},
		{1480, 0, 1, 1480, XP_R_FRAG_LENGTH}, /* nothing */
		{3020, 0, 0, 3024, XP_R_FRAG_LENGTH},
		{0, 1476, 1, 0, XP_R_FRAG_LENGTH},	    /* a first one */
		{1480, 768, 0, 65520, XP_R_FRAG_OVERLONG},  /* an end beyond all datagrams */
		{1480, 1480, 1, 65528, XP_R_FRAG_OVERLONG}, /* not even an end */
		{0, 16, 1, 0, XP_R_FRAG_TINY},		    /* a part of the header (RFC 1858) */
	};
	const uint32_t rows = sizeof(bad) / sizeof(*bad);
	struct packet p = {.flags = ACK, .seq = 1000, .len = 3000};
	uint32_t i, k, when;

	p.v6 = _i & 1;
	p.udp = _i >> 1 & 1;
	if (p.udp)
		p = (struct packet){.udp = 1, .len = 3012, .v6 = p.v6};
	for (when = 0; when < 4; when++) {
		for (i = 0; i < (p.udp ? rows - 1 : rows); i++) {
			begin(&p);
			for (k = 0; k < 4; k++) {
				uint64_t before = counted(bad[i].reason);

				if (k == when) {
					feed_lie(bad[i].at, bad[i].bytes, bad[i].more, bad[i].says);
					ck_assert_uint_eq(counted(bad[i].reason), before + 1);
				}
				if (k < 3)
					feed_nth((k + 1) % 3, 1480);
			}
			p.seq += p.len;
			told(&p, p.udp ? p.seq : p.seq - 1000);
		}
	}
	ck_assert_uint_eq(counted(XP_R_FRAG_OVERLAP), 0);
	stand_audit();
}
END_TEST

/* As long as a datagram may be, and beyond. */
START_TEST(ping_of_death)
{
	struct packet p = datagram(0, 60000);
	uint32_t i;

	begin(&p);
	for (i = 0; i < 40; i++)
		feed_nth(i, 1480);
	feed_lie(59200, 768, 0, 65520);
	told(&p, 0);
	ck_assert_uint_eq(counted(XP_R_FRAG_OVERLONG), 1);
	feed_nth(40, 1480);
	told(&p, 60000);
}
END_TEST

/* All of a TCP header is in the first fragment, or there is none. */
START_TEST(tiny)
{
	struct packet tcp = {.flags = ACK, .seq = 1000, .len = 1000, .tcp_options = 12};
	uint32_t at;

	tcp.v6 = _i;
	for (at = 8; at < 32; at += 8) {
		begin(&tcp);
		feed(0, at);
		feed(at, total() - at);
	}
	ck_assert_uint_eq(counted(XP_R_FRAG_TINY), 3);
	stand_drain(0);
	ck_assert_uint_eq(stand_flows(), 0);
	/* Nor may another fragment begin within it, whichever comes first (RFC 1858, RFC 3128). */
	begin(&tcp);
	feed(0, 40);
	feed(8, total() - 8);
	begin(&tcp);
	feed(8, total() - 8);
	feed(0, 40);
	stand_drain(0);
	ck_assert_uint_eq(stand_flows(), 0);
	ck_assert_uint_eq(counted(XP_R_FRAG_OVERLAP), 2);
	begin(&tcp);
	feed(0, 32);
	feed(32, total() - 32);
	told(&tcp, 1000);
}
END_TEST

/* Headers that end where no header is read any more, as in one piece: the first one passes. [R1] */
START_TEST(headers_too_long)
{
	struct packet p = datagram(0, 2000);

	p.v6 = 1;
	p.ip_options = 1;
	p.extension = 432; /* UDP's header ends at 510, XP_MAX_HEADER */
	feed_all(&p, 1000);
	told(&p, 2000);
	p.seq = 2000;
	p.extension = 440;
	feed_all(&p, 1000);
	told(&p, 2000);
	ck_assert_uint_eq(counted(XP_R_HEADER_LONG), 1);
	ck_assert_uint_eq(counted(XP_R_COPY), 0);
}
END_TEST

/* ---- what never ends ---- */

/* Given up by age, also without a newer one; its areas come back. */
START_TEST(never_completed)
{
	struct xdplace_opts opts = stand_opts();
	struct packet p = datagram(0, 5000);
	struct xdplace_audit audit;

	opts.fragment_age_ms = 1000; /* an emulated machine's audit takes a while */
	open_with(opts, "tap any");
	begin(&p);
	feed_nth(0, 1480);
	feed_nth(2, 1480);
	ck_assert(!xdplace_audit(stand.ctx, &audit));
	ck_assert_uint_ge(audit.kind[XP_AREA_DATAGRAM], 1);
	ck_assert_int_ge(xdplace_lane_tick(stand.lane[0]), 0);
	ck_assert_uint_eq(counted(XP_R_FRAG_AGED), 0);
	stand_sleep_ms(1200);
	ck_assert_int_ge(xdplace_lane_tick(stand.lane[0]), 0);
	stand_drain(0);
	ck_assert_uint_eq(counted(XP_R_FRAG_AGED), 1);
	ck_assert(!xdplace_audit(stand.ctx, &audit));
	ck_assert_uint_eq(audit.kind[XP_AREA_DATAGRAM], 0);
	/* The rest begins a datagram that never ends. */
	feed_nth(1, 1480);
	feed_nth(3, 1480);
	told(&p, 0);
}
END_TEST

/* More at a time than there are entries: the oldest go, memory is bounded, others live on. */
START_TEST(flood)
{
	struct xdplace_opts opts = stand_opts();
	struct packet p = datagram(0, 5000), stream = {.flags = ACK, .seq = 1000, .len = 100};
	struct xdplace_audit audit;
	uint32_t i, most = 0;

	opts.datagrams = 16 << 4 * _i; /* bounded by entries, then by areas */
	open_with(opts, "tap any");
	for (i = 0; i < 3000; i++) {
		p.port = 1 + random_below(60000);
		begin(&p);
		feed_nth(random_below(4), 1480);
		if (i % 8)
			continue;
		stream.seq = 1000 + i / 8 * 100;
		stand_feed(0, &stream);
		stand_of(&p);
		stand_drain(0);
		if (i % 512)
			continue;
		ck_assert(!xdplace_audit(stand.ctx, &audit));
		ck_assert_uint_eq(audit.state[XDPLACE_AREA_LOST], 0);
		ck_assert_uint_eq(audit.state[XDPLACE_AREA_TWICE], 0);
		if (audit.kind[XP_AREA_DATAGRAM] > most)
			most = audit.kind[XP_AREA_DATAGRAM];
	}
	/* A fragment may lie in two. */
	ck_assert_uint_le(most, _i ? stand.config->datagram_areas : 32);
	ck_assert_uint_ge(most, _i ? stand.config->datagram_areas / 2 : 16);
	ck_assert_uint_ge(counted(XP_R_FRAG_FULL), 2000);
	told(&stream, 375 * 100);
	p.port = 0;
	feed_all(&p, 1480);
	told(&p, 5000);
}
END_TEST

/* The consumer stops: the ring fills up, nothing is overwritten, areas are accounted for. */
START_TEST(flood_without_a_consumer)
{
	struct xdplace_opts opts = stand_opts();
	struct packet p = datagram(0, 5000);
	uint32_t i;

	opts.ring = 1024;
	open_with(opts, "tap any");
	for (i = 0; i < 2000; i++) {
		begin(&p);
		feed_nth(random_below(4), 1480);
	}
	ck_assert_uint_ge(counted(XP_R_RING_FULL), 100);
	stand_audit();
	stand_drain(0);
	stand_audit();
}
END_TEST

/* ---- what it costs ---- */

#define TIMED 100u /* fragments of which the median is taken */

static int by_size(const void *a, const void *b)
{
	return *(const uint32_t *)a > *(const uint32_t *)b ? 1 : -1;
}

static uint32_t median(uint32_t ns[TIMED])
{
	qsort(ns, TIMED, sizeof(*ns), by_size);
	return ns[TIMED / 2];
}

/* ns that the program takes for the n-th fragment of 48 bytes. */
static uint32_t timed(uint32_t n)
{
	LIBBPF_OPTS(bpf_test_run_opts, run, .data_in = part.bytes, .repeat = 1);

	packet_cut(&whole, n * 48, 48, (n + 1) * 48 < total(), id, &part);
	run.data_size_in = part.len;
	ck_assert_int_eq(bpf_prog_test_run_opts(stand.ctx->prog, &run), 0);
	stand.frames++;
	if (n % 100 == 99)
		stand_drain(0);
	return run.duration;
}

/*
 * One datagram of 1,252 fragments: the last of them cost what the first ones did, and what those of
 * small datagrams do. [R14]
 */
START_TEST(many_fragments_cost_the_same)
{
	struct packet p = datagram(0, 1252 * 48 - 8);
	uint32_t early[TIMED], middle[TIMED], late[TIMED], small[TIMED], i, ns, at = 0;

	begin(&p);
	for (i = 0; i < 1252; i++) {
		ns = timed(i);
		if (i - 1 < TIMED)
			early[i - 1] = ns;
		if (i - 576 < TIMED)
			middle[i - 576] = ns;
		if (i - 1151 < TIMED)
			late[i - 1151] = ns;
	}
	told(&p, p.len);
	for (i = 0; i < TIMED; i++) {
		at += p.len;
		p = datagram(at, 3 * 48 - 8);
		begin(&p);
		timed(0);
		small[i] = timed(1);
		timed(2);
		told(&p, at + p.len);
	}
	printf("a fragment of 48 bytes, ns (median of %u): of a datagram of 1252 the 2nd to 101st "
	       "%u, the 577th on %u, the 1152nd on %u; the 2nd of 3 %u\n",
	       TIMED, median(early), median(middle), median(late), median(small));
	/* A list to be walked would make it twelve times as much. */
	ck_assert_uint_le(median(late), 2 * median(early));
	ck_assert_uint_le(median(late), 2 * median(small));
}
END_TEST

/* ---- rules ---- */

START_TEST(no_rule_no_change)
{
	struct packet p = datagram(0, 5000);

	open_with(stand_opts(), "tap tcp");
	feed_all(&p, 1480);
	ck_assert_uint_eq(stand_drain(0), 0);
	ck_assert_uint_eq(counted(XP_R_NO_RULE), 4);
}
END_TEST

/* The ports are in the first fragment alone: others wait for it, and are given back. */
START_TEST(rule_with_ports)
{
	struct packet p = datagram(0, 5000), other = datagram(0, 5000);

	open_with(stand_opts(), "tap udp dst port 80");
	other.bob_port = 81;
	begin(&other);
	feed_nth(1, 1480);
	feed_nth(0, 1480);
	feed_nth(2, 1480);
	feed_nth(3, 1480);
	stand_drain(0);
	ck_assert_uint_eq(stand_flows(), 0);
	ck_assert_uint_eq(counted(XP_R_NO_RULE), 3);
	begin(&p);
	feed_nth(1, 1480);
	feed_nth(0, 1480);
	feed_nth(2, 1480);
	feed_nth(3, 1480);
	told(&p, 5000);
}
END_TEST

/* Taken from the first fragment on; those before it have passed. */
START_TEST(taken)
{
	struct packet p = datagram(0, 5000);

	open_with(stand_opts(), "take udp dst port 80");
	stand.action = XDP_DROP;
	feed_all(&p, 1480);
	told(&p, 5000);
	p.seq = 5000;
	begin(&p);
	ck_assert_int_eq(feed_nth(2, 1480), XDP_PASS);
	ck_assert_int_eq(feed_nth(0, 1480), XDP_DROP);
	ck_assert_int_eq(feed_nth(1, 1480), XDP_DROP);
	ck_assert_int_eq(feed_nth(3, 1480), XDP_DROP);
	told(&p, 10000);
	/* Also what is given up. */
	begin(&p);
	ck_assert_int_eq(feed_nth(0, 1480), XDP_DROP);
	ck_assert_int_eq(feed(8, 800), XDP_DROP);
	ck_assert_int_eq(feed_nth(1, 1480), XDP_DROP);
	stand_drain(0);
}
END_TEST

/* Of rules that want whole packets fragments are none: they pass. */
START_TEST(whole_rule)
{
	struct packet p = datagram(0, 5000);

	open_with(stand_opts(), "tap whole any");
	feed_all(&p, 1480);
	ck_assert_uint_eq(stand_drain(0), 0);
	ck_assert_uint_eq(counted(XP_R_IP_FRAGMENT), 4);
}
END_TEST

/* A flow that a command has added has no rule; its own area takes the bytes. [R10] */
START_TEST(own_area)
{
	struct xdplace_flow_opts own = {.size = sizeof(own), .own_length = 64 << 10};
	struct xdplace_opts opts = stand_opts();
	struct packet p = datagram(0, 30000);
	union xp_key key;
	uint32_t handle, i;

	opts.own_size = 128 << 10;
	open_with(opts, "tap tcp");
	stand.own_used = true;
	own.own_address = stand.ctx->layout.own << stand.config->area_shift;
	packet_key(&p, &key);
	ck_assert_int_eq(xdplace_flow_add(stand.ctx, &key, false, &own, &handle), 0);
	stand_known(handle, &p);
	feed_all(&p, 1480);
	told(&p, 30000);
	p.seq = 30000;
	p.len = 20000;
	feed_all(&p, 1480);
	told(&p, 50000);
	for (i = 0; i < 50000; i++)
		if (stand.umem[own.own_address + i] != packet_byte(&p, i))
			ck_abort_msg("wrong byte at %u of the own area", i);
}
END_TEST

/* ---- TCP ---- */

/* Segments in fragments are segments: in order, early, repeated, overlapping, with FIN. */
START_TEST(tcp_segments)
{
	struct packet syn = {.flags = SYN, .seq = 999}, p = {.flags = ACK};

	syn.v6 = p.v6 = _i;
	syn.tcp_options = 20;
	p.tcp_options = 12;
	stand_feed(0, &syn);
	p.seq = 1000;
	p.len = 3000;
	feed_all(&p, 1480);
	told(&syn, 3000);
	p.seq = 1000 + 8000; /* early, beyond a hole */
	feed_all(&p, 1000);
	told(&syn, 3000);
	p.seq = 1000 + 2000; /* overlaps what is placed, ends in the hole */
	feed_all(&p, 1480);
	told(&syn, 5000);
	p.seq = 1000 + 500;
	feed_all(&p, 1480); /* repeated */
	told(&syn, 5000);
	p.seq = 1000 + 5000; /* fills the hole */
	p.len = 4000;
	begin(&p);
	feed_nth(2, 1480);
	feed_nth(1, 1480);
	told(&syn, 5000);
	feed_nth(0, 1480);
	told(&syn, 11000);
	p.seq = 1000 + 11000;
	p.len = 2000;
	p.flags = FIN | ACK;
	feed_all(&p, 1480);
	told(&syn, 13000);
	ck_assert(stand_stream(&syn)->ended);
	ck_assert_uint_eq(counted(XP_R_FINISHED), 1);
	/* A straggler, whole. */
	feed_all(&p, 1480);
	stand_drain(0);
}
END_TEST

/* A stream picked up by one, a segment far out of the window, RST. */
START_TEST(tcp_odd_segments)
{
	struct packet p = {.flags = ACK, .seq = 1000, .len = 3000};
	struct packet rst = {.flags = RST, .seq = 4000, .len = 1000}, far = p;

	feed_all(&p, 1480);
	told(&p, 3000);
	far.seq = 1000 + (64 << 20);
	feed_all(&far, 1480);
	ck_assert_uint_eq(counted(XP_R_OUT_OF_WINDOW), 1);
	told(&p, 3000);
	feed_all(&rst, 504);
	stand_drain(0);
	ck_assert(stand_stream(&p)->ended);
	ck_assert_uint_eq(counted(XP_R_RESET), 1);
}
END_TEST

/* ---- lanes ---- */

static void drain_lanes(void)
{
	uint32_t i;

	for (i = 0; i < stand.config->lanes; i++)
		stand_drain(i);
}

/* The fragments of one datagram, and its flow, in lanes of any kind. [R17] */
START_TEST(across_lanes)
{
	struct xdplace_opts opts = stand_opts();
	struct packet p = datagram(0, 5000);
	uint32_t round, i, home;

	opts.lanes = 4;
	open_with(opts, "tap any");
	for (round = 0; round < 200; round++) {
		p.port = 1 + round % 10;
		p.udp = round % 10 < 7;
		p.flags = p.udp ? 0 : ACK;
		p.seq = round / 10 * 5000 + (p.udp ? 0 : 1000);
		home = round % 4;
		if (round < 10) {
			p.len = 5000;
			begin(&p);
			for (i = 0; i < 4; i++)
				feed_on(home, i * 1480, i < 3 ? 1480 : total() - 3 * 1480);
		} else {
			begin(&p);
			for (i = 4; i; i--)
				feed_on(random_below(4), (i - 1) * 1480,
					i < 4 ? 1480 : total() - 3 * 1480);
		}
		drain_lanes();
		ck_assert_uint_eq(stand_stream(&p)->next, round / 10 * 5000 + 5000);
	}
	ck_assert_uint_eq(counted(XP_R_LANE_BUSY), 0);
	stand_audit();
}
END_TEST

/*
 * Each way in which two fragments and their flow can meet in three lanes: the datagram's home is
 * that of the fragment that came first, it is told in that of its flow, and it is one. [R14 R17]
 */
START_TEST(lanes_that_meet)
{
	struct xdplace_opts opts = stand_opts();
	struct packet p = datagram(0, 2000);
	uint32_t way, at[3], i;

	opts.lanes = 3;
	open_with(opts, "tap any");
	for (way = 0; way < 2 * 27; way++) {
		uint32_t home = way % 3, lane[2] = {way / 3 % 3, way / 9 % 3}, last = way / 27;

		p.port = 1 + way;
		p.udp = _i;
		p.flags = p.udp ? 0 : ACK;
		p.seq = p.udp ? 0 : 1000;
		stand_feed(home, &p);
		drain_lanes();
		p.seq += 2000;
		begin(&p);
		for (i = 0; i < 3; i++)
			at[i] = stand.ctx->lanes[i].produced;
		/* The first one first, or the last one. */
		feed_on(lane[0], last ? 1000 : 0, last ? total() - 1000 : 1000);
		for (i = 0; i < 3; i++)
			ck_assert_uint_eq(stand.ctx->lanes[i].produced - at[i], i == lane[0]);
		feed_on(lane[1], last ? 0 : 1000, last ? 1000 : total() - 1000);
		/* The other one, there; the whole, with an area that is left over, at the flow's.
		 */
		for (i = 0; i < 3; i++)
			ck_assert_msg(stand.ctx->lanes[i].produced - at[i] ==
					      (i == lane[0] ? 2u : 0u) + (i == home ? 2u : 0u),
				      "flow in %u, fragments in %u and %u: %u completions in %u",
				      home, lane[0], lane[1], stand.ctx->lanes[i].produced - at[i],
				      i);
		drain_lanes();
		ck_assert_uint_eq(stand_stream(&p)->next, 4000);
		ck_assert_uint_eq(stand_flow(&p).lane, home);
	}
	ck_assert_uint_eq(counted(XP_R_LANE_BUSY), 0);
	ck_assert_uint_eq(counted_op(XP_FRAGMENT), 2 * way);
	/* A datagram of no flow yet: that of the lane in which it came together. */
	for (way = 0; way < 9; way++) {
		p.port = 100 + way;
		p.seq = p.udp ? 0 : 1000;
		begin(&p);
		feed_on(way % 3, 0, 1000);
		feed_on(way / 3, 1000, total() - 1000);
		drain_lanes();
		ck_assert_uint_eq(stand_stream(&p)->next, 2000);
		ck_assert_uint_eq(stand_flow(&p).lane, way % 3);
	}
	stand_audit();
}
END_TEST

/* What is damaged, or lies about its length, also where its flow is elsewhere. */
START_TEST(damage_in_another_lane)
{
	struct xdplace_opts opts = stand_opts();
	struct packet p = datagram(0, 2000);
	uint32_t way;

	opts.lanes = 3;
	open_with(opts, "tap any");
	stand_feed(2, &p);
	drain_lanes();
	p.seq = 2000;
	for (way = 0; way < 9; way++) {
		p.fault = FAULT_CHECKSUM;
		begin(&p);
		feed_on(way % 3, 1000, total() - 1000);
		feed_on(way / 3, 0, 1000);
		p.fault = FAULT_NONE;
		p.udp_more = 8;
		begin(&p);
		feed_on(way % 3, 1000, total() - 1000);
		feed_on(way / 3, 0, 1000);
		p.udp_more = 0;
	}
	drain_lanes();
	ck_assert_uint_eq(stand_stream(&p)->next, 2000);
	ck_assert_uint_eq(stand_flow(&p).bad_checksums, 9);
	ck_assert_uint_eq(counted(XP_R_CHECKSUM), 9);
	ck_assert_uint_eq(counted(XP_R_L4_HEADER), 9);
	stand_audit();
}
END_TEST

#define ROUNDS 20
#define DATAGRAMS 16 /* of a round; the ring has room for what they cause */
#define SEGMENT 4000

static pthread_barrier_t barrier;

struct sender {
	pthread_t thread;
	uint32_t number;
	uint32_t run;
	struct frame whole, part;
};

static struct packet segment(uint32_t n)
{
	struct packet p = {.flags = ACK, .seq = 1000 + n * SEGMENT, .len = SEGMENT};

	return p;
}

/* One of two CPUs sends the odd fragments of each segment, the other the even ones. */
static void *sending(void *arg)
{
	struct sender *s = arg;
	uint32_t round, n, at, bytes;
	struct packet p;

	for (round = 0; round < ROUNDS; round++) {
		pthread_barrier_wait(&barrier);
		for (n = round * DATAGRAMS; n < (round + 1) * DATAGRAMS; n++) {
			p = segment(n);
			packet_build(&p, &s->whole);
			bytes = s->whole.headers - s->whole.l4 + s->whole.payload;
			for (at = s->number * 504; at < bytes; at += 2 * 504) {
				packet_cut(&s->whole, at, bytes - at < 504 ? bytes - at : 504,
					   at + 504 < bytes, n, &s->part);
				LIBBPF_OPTS(bpf_test_run_opts, run, .data_in = s->part.bytes,
					    .data_size_in = s->part.len, .repeat = 1);
				s->run += !bpf_prog_test_run_opts(stand.ctx->prog, &run);
			}
		}
		pthread_barrier_wait(&barrier);
	}
	return NULL;
}

/*
 * Fragments of one datagram on two CPUs and two lanes at once: each segment comes together in one
 * of them, or is given up (lane_busy) and sent again.
 */
START_TEST(two_cpus_meet_on_one_datagram)
{
	struct sender *senders = calloc(2, sizeof(*senders));
	struct packet syn = {.flags = SYN, .seq = 999}, p;
	struct xdplace_opts opts = stand_opts();
	uint32_t round, turns, i;

	ck_assert(senders != NULL);
	opts.lanes = 2;
	open_with(opts, "tap any");
	stand_feed(0, &syn);
	stand_drain(0);
	pthread_barrier_init(&barrier, NULL, 3);
	stand_move(true);
	for (i = 0; i < 2; i++) {
		senders[i].number = i;
		pthread_create(&senders[i].thread, NULL, sending, &senders[i]);
	}
	for (round = 0; round < ROUNDS; round++) {
		uint64_t end = (uint64_t)(round + 1) * DATAGRAMS * SEGMENT;

		pthread_barrier_wait(&barrier);
		pthread_barrier_wait(&barrier);
		drain_lanes();
		for (turns = 0; stand_stream(&syn)->next < end && turns < 1000; turns++) {
			p = segment(stand_stream(&syn)->next / SEGMENT);
			stand_feed(0, &p);
			drain_lanes();
		}
		ck_assert_uint_eq(stand_stream(&syn)->next, end);
	}
	stand_move(false);
	for (i = 0; i < 2; i++) {
		pthread_join(senders[i].thread, NULL);
		stand.frames += senders[i].run;
		ck_assert_uint_eq(senders[i].run, ROUNDS * DATAGRAMS * 4);
	}
	ck_assert_uint_eq(stand_stream(&syn)->gaps, 0);
	/* All but a few came together. */
	ck_assert_uint_ge(counted_op(XP_FRAGMENT), ROUNDS * DATAGRAMS * 8 / 2);
	free(senders);
}
END_TEST

/* A consumer that dies loses nothing of a datagram that is not whole yet. [R8] */
START_TEST(consumer_dies_in_between)
{
	struct packet p = datagram(0, 20000);
	struct xp_completion c[64];
	uint32_t i;

	begin(&p);
	for (i = 0; i < 10; i++)
		feed_nth(i, 1480);
	ck_assert_int_gt(xdplace_lane_poll(stand.lane[0], c, 64), 0);
	xdplace_lane_close(stand.lane[0]);
	stand.lane[0] = xdplace_lane_open(stand.ctx, 0);
	ck_assert(stand.lane[0] != NULL);
	stand_audit();
	for (; i < parts_of(1480); i++)
		feed_nth(i, 1480);
	told(&p, 20000);
}
END_TEST

/* ---- anything at all ---- */

/* Random fragments of random packets: no stream is wrong, nothing is written elsewhere. */
START_TEST(hostile_fragments)
{
	struct xdplace_opts opts = stand_opts();
	struct packet p;
	uint32_t i, k, at, bytes, n;

	opts.datagrams = 8;
	opts.area_size = 4096u << (_i & 3);
	opts.window = 16 * opts.area_size;
	open_with(opts, _i & 4 ? "tap stream overlap first any" : "tap any");
	for (i = 0; i < 600; i++) {
		p = datagram(0, 1 + random_below(random_below(4) ? 6000 : 60000));
		p.udp = random_below(2);
		p.flags = p.udp ? 0 : ACK;
		p.seq = p.udp ? 0 : 1000;
		p.v6 = random_below(2);
		p.port = 1000 + i;
		begin(&p);
		if (random_below(2))
			id = random_below(4);
		n = random_below(12);
		for (k = 0; k < n; k++) {
			at = random_below(2) ? 0 : 8 * random_below(total() / 8 + 1);
			bytes = random_below(total() - at + 1);
			if (random_below(8))
				bytes &= ~7u;
			packet_cut(&whole, at, bytes, random_below(4), id, &part);
			if (!random_below(4))
				part.bytes[part.l3 + random_below(part.len - part.l3)] ^=
					1 << random_below(8);
			if (random_below(2))
				frame_fix_ip(&part);
			stand_feed_frame(0, part.bytes, part.len);
		}
		/* What such datagrams carry is no stream to be compared. */
		stand.anonymous = true;
		stand_drain(0);
	}
	stand_audit();
}
END_TEST

Suite *suite_fragment(void)
{
	Suite *suite = suite_create("fragment");
	TCase *tc = tcase_create("shared"), *own = tcase_create("contexts");
	TCase *cost = tcase_create("cost"); /* alone: CK_RUN_CASE=cost build/tests/prog fragment */

	tcase_set_timeout(tc, 60);
	tcase_add_unchecked_fixture(tc, stand_share, stand_unshare);
	tcase_add_checked_fixture(tc, setup, stand_close);
	tcase_add_loop_test(tc, every_order, 0, 2);
	tcase_add_test(tc, first_of_its_flow);
	tcase_add_test(tc, completions_of_a_datagram);
	tcase_add_loop_test(tc, behind_tags_and_in_tunnels, 0, 16);
	tcase_add_loop_test(tc, fragmented_tunnels_pass, 0, 8);
	tcase_add_test(tc, options_and_no_checksum);
	tcase_add_test(tc, damage);
	tcase_add_loop_test(tc, damage_as_in_one_piece, 0, 4);
	tcase_add_loop_test(tc, udp_ends_before_ip, 0, 4);
	tcase_add_test(tc, udp_of_no_length);
	tcase_add_loop_test(tc, udp_ends_behind_ip, 0, 2);
	tcase_add_test(tc, atomic_fragments);
	tcase_add_test(tc, same_number_in_one_piece);
	tcase_add_test(tc, exact_repeats);
	tcase_add_loop_test(tc, overlap_drops, 0, 2);
	tcase_add_loop_test(tc, repeats_of_what_is_delivered, 0, 2);
	tcase_add_loop_test(tc, invalid_fragments_alone, 0, 4);
	tcase_add_test(tc, ping_of_death);
	tcase_add_loop_test(tc, tiny, 0, 2);
	tcase_add_test(tc, headers_too_long);
	tcase_add_loop_test(tc, next_header_of_the_first, 0, 2);
	tcase_add_loop_test(tc, tcp_segments, 0, 2);
	tcase_add_test(tc, tcp_odd_segments);
	tcase_add_test(tc, consumer_dies_in_between);
	suite_add_tcase(suite, tc);

	tcase_set_timeout(cost, 60);
	tcase_add_unchecked_fixture(cost, stand_share, stand_unshare);
	tcase_add_checked_fixture(cost, setup, stand_close);
	tcase_add_test(cost, many_fragments_cost_the_same);
	suite_add_tcase(suite, cost);

	tcase_set_timeout(own, 60);
	tcase_add_checked_fixture(own, NULL, stand_close);
	tcase_add_loop_test(own, longest_datagrams, 0, 4);
	tcase_add_test(own, overlap_first_wins);
	tcase_add_test(own, overlap_is_marked);
	tcase_add_test(own, disputes_drop_under_any_rule);
	tcase_add_loop_test(own, ends_that_contradict, 0, 4);
	tcase_add_test(own, overlap_before_its_rule_is_known);
	tcase_add_test(own, never_completed);
	tcase_add_loop_test(own, flood, 0, 2);
	tcase_add_test(own, flood_without_a_consumer);
	tcase_add_test(own, no_rule_no_change);
	tcase_add_test(own, rule_with_ports);
	tcase_add_test(own, taken);
	tcase_add_test(own, whole_rule);
	tcase_add_test(own, own_area);
	tcase_add_test(own, across_lanes);
	tcase_add_loop_test(own, lanes_that_meet, 0, 2);
	tcase_add_test(own, damage_in_another_lane);
	tcase_add_test(own, two_cpus_meet_on_one_datagram);
	tcase_add_loop_test(own, hostile_fragments, 0, 8);
	suite_add_tcase(suite, own);
	return suite;
}
