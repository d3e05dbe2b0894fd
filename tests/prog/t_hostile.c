/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * t_hostile.c - packets that nobody would send who means well [R1 R3 R12].
 *
 * More than a million frames through the program. Own areas are offered to nobody and given to no
 * flow: they and the guards are the canaries, which stand_close() looks at, with the audit and
 * the sums of all counters.
 */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <stdlib.h>
#include <string.h>

#include "stand.h"
#include "../random.h"
#include "suites.h"

static struct frame work;
static uint64_t state = 88172645463325252ull;

static uint32_t random32(void)
{
	return random_next(&state);
}

static uint32_t below(uint32_t n)
{
	return random_below(&state, n);
}

static struct xdplace_opts hostile_opts(void)
{
	struct xdplace_opts opts = stand_opts();

	opts.own_size = 1 << 20;
	opts.flows = 64;
	opts.early = 16;
	return opts;
}

static void open_stand(const struct xdplace_opts *opts)
{
	stand_open(opts);
	stand_rule("tap stream any");
	stand.anonymous = true;
}

static uint32_t undrained;

static void feed_work(void)
{
	if (work.len < ETH_HLEN)
		work.len = ETH_HLEN;
	stand_feed_frame(0, work.bytes, work.len);
	if (++undrained == 128) {
		stand_drain(0);
		undrained = 0;
	}
}

/* Packet number i of every chain, both families, both protocols. */
#define PACKETS (WRAP_COUNT * 4)
static struct packet any_packet(uint32_t i)
{
	struct packet p = {.flags = ACK, .seq = 1000, .len = 33};

	p.wrap = i / 4 % WRAP_COUNT;
	p.v6 = i & 1;
	p.udp = i >> 1 & 1;
	if (p.udp)
		p.flags = 0;
	return p;
}

static void build_any(uint32_t i)
{
	struct packet p = any_packet(i);

	packet_build(&p, &work);
}

/* Every truncation of every supported chain: not one byte of them is placed as stream data. */
START_TEST(every_truncation)
{
	struct xdplace_opts opts = hostile_opts();
	uint32_t i, n, len;

	open_stand(&opts);
	for (i = 0; i < PACKETS; i++) {
		build_any(i);
		len = work.len;
		for (n = ETH_HLEN; n < len; n++) {
			work.len = n;
			feed_work();
		}
	}
	stand_drain(0);
	ck_assert_uint_eq(stand_counters().placed_bytes, 0);
	ck_assert_uint_eq(stand_flows(), 0);
}
END_TEST

static void put16(uint32_t at, uint16_t v)
{
	work.bytes[at] = v >> 8;
	work.bytes[at + 1] = v;
}

/* Every value of every length field, in frames with and without room for the lie. */
static void every_value(uint32_t field, int v6, int udp, uint32_t step)
{
	struct packet p = {.flags = udp ? 0 : ACK, .seq = 1000, .len = 100, .v6 = v6, .udp = udp};
	uint32_t value;

	for (value = 0; value <= 0xffff; value += value < 300 ? 1 : step) {
		p.padding = value & 1 ? 1200 : 0;
		packet_build(&p, &work);
		put16(work.l3 + (field == 6 ? 0 : field) + (field == 6 ? 20 + 20 * v6 + 4 : 0),
		      value);
		frame_fix_ip(&work);
		feed_work();
	}
}

START_TEST(lengths_that_lie)
{
	struct xdplace_opts opts = hostile_opts();
	uint32_t i, value;

	open_stand(&opts);
	every_value(2, 0, 0, 3);
	every_value(2, 0, 1, 3);
	every_value(4, 1, 0, 3);
	every_value(4, 1, 1, 3);
	every_value(6, 0, 1, 3);
	every_value(6, 1, 1, 3);
	/* Data offset, IP header length, with and without options. */
	for (i = 0; i < PACKETS; i++) {
		for (value = 0; value < 256; value++) {
			build_any(i);
			work.bytes[work.l4 + 12] = value;
			feed_work();
			build_any(i);
			work.bytes[work.l3] = value;
			frame_fix_ip(&work);
			feed_work();
		}
	}
}
END_TEST

/* Chains of extension headers of any number, and ones that say they are long. */
START_TEST(extension_headers_without_end)
{
	struct xdplace_opts opts = hostile_opts();
	struct packet p = {.flags = ACK, .seq = 1000, .len = 100, .v6 = 1};
	uint32_t value;

	open_stand(&opts);
	for (p.ip_options = 0; p.ip_options <= 120; p.ip_options++) {
		packet_build(&p, &work);
		feed_work();
	}
	p.ip_options = 40;
	for (value = 0; value < 256; value++) {
		packet_build(&p, &work);
		work.bytes[ETH_HLEN + 41] = value;
		feed_work();
		packet_build(&p, &work);
		work.bytes[ETH_HLEN + 40] = value;
		feed_work();
		packet_build(&p, &work);
		work.bytes[ETH_HLEN + 6] = value;
		feed_work();
	}
}
END_TEST

/* Tunnels in tunnels in tunnels, by wrapping a frame into itself again and again. */
START_TEST(nested_tunnels)
{
	static struct frame inside;
	struct xdplace_opts opts = hostile_opts();
	struct packet p = {.flags = ACK, .seq = 1000, .len = 10};
	uint32_t head, depth, wrap;

	open_stand(&opts);
	for (wrap = WRAP_VXLAN; wrap <= WRAP_VLAN_VXLAN; wrap++) {
		p.wrap = wrap;
		packet_build(&p, &inside);
		for (depth = 0; depth < 12; depth++) {
			packet_build(&p, &work);
			head = work.l3 - (wrap == WRAP_VXLAN ? ETH_HLEN : 0);
			memcpy(work.bytes + head, inside.bytes, inside.len);
			work.len = head + inside.len;
			put16(ETH_HLEN + 2, work.len - ETH_HLEN);
			if (wrap == WRAP_VXLAN)
				put16(ETH_HLEN + 24, work.len - ETH_HLEN - 20);
			work.l3 = ETH_HLEN;
			frame_fix_ip(&work);
			inside = work;
			feed_work();
		}
	}
}
END_TEST

/* Valid packets of living flows with bits flipped, bytes changed, cut and padded. */
START_TEST(damaged_packets)
{
	struct xdplace_opts opts = hostile_opts();
	struct packet p;
	uint32_t i, k, bit;

	state += _i;
	opts.no_checksum = _i; /* then even the damaged ones are taken for good */
	open_stand(&opts);
	for (i = 0; i < 150000; i++) {
		p = any_packet(below(PACKETS));
		p.seq = 1000 + below(5000);
		p.len = below(300);
		packet_build(&p, &work);
		for (k = below(6); k; k--) {
			bit = below(8 * (below(4) ? work.headers : work.len));
			work.bytes[bit / 8] ^= 1 << bit % 8;
		}
		if (!below(16))
			work.len = below(work.len + 1);
		feed_work();
	}
}
END_TEST

/* Anything at all, some of it with an Ethernet and an IP header to begin with. */
START_TEST(random_bytes)
{
	struct xdplace_opts opts = hostile_opts();
	uint32_t i, k;

	state += 7;
	opts.no_checksum = true;
	open_stand(&opts);
	for (i = 0; i < 150000; i++) {
		work.len = ETH_HLEN + below(120);
		for (k = 0; k < work.len; k++)
			work.bytes[k] = random32();
		if (i & 3) {
			put16(12, i & 1 ? ETH_P_IP : ETH_P_IPV6);
			work.bytes[ETH_HLEN] = i & 1 ? 0x45 : 0x60;
			work.bytes[ETH_HLEN + (i & 1 ? 9 : 6)] = i & 4 ? 6 : 17;
			put16(ETH_HLEN + (i & 1 ? 2 : 4), below(work.len));
			if (i & 1)
				put16(ETH_HLEN + 6, 0);
		}
		feed_work();
	}
}
END_TEST

/* What a sender can do with flags and numbers, over few flows and little memory. */
static struct packet chaotic(void)
{
	static const uint8_t flags[] = {ACK, ACK, ACK,	     ACK,	ACK | PSH, SYN,
					FIN, RST, ACK | FIN, SYN | ACK, SYN | FIN, URG | ACK};
	static const uint32_t reach[] = {100, 3000, 60000, 200000, 1u << 30, 0xffffffff};
	struct packet p = {.flags = flags[below(sizeof(flags))], .port = 1 + below(24)};
	const struct stream *s;

	p.v6 = p.port & 1;
	p.reverse = below(4) == 0;
	p.salt = below(16);
	s = stand_stream(&p);
	p.seq = (s ? s->isn + (uint32_t)s->next : 1000) + below(reach[below(6)]) -
		below(reach[below(3)]);
	if (s && below(2))
		p.seq = s->isn + (uint32_t)s->next;
	p.ack = 1000 + below(100000);
	p.len = below(4) ? below(1460) : below(3) ? 0 : below(9000);
	if (!below(12))
		p.fault = FAULT_CHECKSUM;
	return p;
}

/* Every stream in order, every byte the one that was sent first, whatever happens. */
START_TEST(chaos)
{
	struct xdplace_opts opts = hostile_opts();
	struct packet p;
	uint32_t i;

	state += 100 + _i;
	opts.flows = 16;
	opts.early = 4;
	opts.window = 65536;
	opts.flow_age_ms = 200;
	opts.hole_age_ms = 50;
	open_stand(&opts);
	stand.anonymous = false;
	for (i = 0; i < 40000 && stand.streams < MAX_STREAMS - 10; i++) {
		p = chaotic();
		stand_feed(0, &p);
		stand_drain(0);
		if (i % 1000 == 0) {
			stand_audit();
			xdplace_lane_tick(stand.lane[0]);
			stand_drain(0);
		}
	}
}
END_TEST

/* The same with so little memory, and a consumer so slow, that all runs out all the time. */
START_TEST(chaos_with_nothing_left)
{
	struct xdplace_opts opts = hostile_opts();
	struct packet p;
	uint32_t i;

	state += 200 + _i;
	opts.umem_size = 1 << 20;
	opts.own_size = 512 << 10;
	opts.ring = XP_MIN_RING;
	opts.flows = 40;
	opts.early = 4;
	opts.hot = 16;
	open_stand(&opts);
	for (i = 0; i < 200000; i++) {
		p = chaotic();
		p.port = 1 + below(60);
		stand_feed(0, &p);
		if (!below(400))
			stand_drain(0);
		if (i % 5000 == 0)
			stand_audit();
	}
	ck_assert_uint_gt(stand_counters().no_area, 0);
	ck_assert_uint_gt(stand_counters().ring_full, 0);
}
END_TEST

Suite *suite_hostile(void)
{
	Suite *suite = suite_create("hostile");
	TCase *tc = tcase_create("packets");

	tcase_set_timeout(tc, 120);
	tcase_add_checked_fixture(tc, NULL, stand_close);
	tcase_add_test(tc, every_truncation);
	tcase_add_test(tc, lengths_that_lie);
	tcase_add_test(tc, extension_headers_without_end);
	tcase_add_test(tc, nested_tunnels);
	tcase_add_loop_test(tc, damaged_packets, 0, 2);
	tcase_add_test(tc, random_bytes);
	tcase_add_loop_test(tc, chaos, 0, 2);
	tcase_add_loop_test(tc, chaos_with_nothing_left, 0, 2);
	suite_add_tcase(suite, tc);
	return suite;
}
