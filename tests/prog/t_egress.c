/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * t_egress.c - what only packets that go out can be: longer than the wire takes, several datagrams
 * in one, their VLAN tag beside them, their checksum left to the NIC. R19. That all else is as for
 * packets that come in, `prog out` shows with the tables of other suites.
 *
 * The requirements that a test shows stand in brackets above it.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/bpf.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <bpf/bpf.h>

#include "context.h"
#include "out.h"
#include "stand.h"
#include "suites.h"

#define MSS 1448
#define VLAN 7
#define OUTER 5 /* as packet.h has it */

static struct frame frame;
static uint8_t sent[FRAME_MAX];

static void share(void)
{
	stand_send(true);
	stand_share();
}

static void unshare_all(void)
{
	stand_unshare();
	stand_send(false);
}

static void start(void)
{
	static uint8_t old[FRAME_MAX];

	stand_setup();
	while (out_receive(old, sizeof(old)))
		;
}

/* The packet as the stack would send it: checksum and cutting left to others. */
static int send_super(const struct packet *p, uint8_t kind, uint16_t size)
{
	struct virtio_net_hdr offload = {
		.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
		.gso_type = kind,
		.gso_size = size,
	};

	packet_build(p, &frame);
	offload.hdr_len = frame.headers; /* only these are linear */
	offload.csum_start = frame.l4;
	offload.csum_offset = p->udp ? 6 : 16;
	stand.frames++;
	stand.salt = p->salt;
	stand.last = *p;
	return out_send(frame.bytes, frame.len, &offload);
}

static void super_packets(uint8_t v6)
{
	uint8_t kind = v6 ? VIRTIO_NET_HDR_GSO_TCPV6 : VIRTIO_NET_HDR_GSO_TCPV4;
	struct packet syn = {.flags = SYN, .seq = 999, .v6 = v6};
	struct packet data = {
		.flags = ACK, .seq = 1000, .len = 64000, .v6 = v6, .fault = FAULT_PSEUDO};
	struct xp_counters counters;
	int i;

	ck_assert_int_eq(stand_feed(0, &syn), XDP_PASS);
	for (i = 0; i < 20; i++) {
		ck_assert_int_eq(send_super(&data, kind, MSS), 0);
		ck_assert(stand_drain(0) >= 64000 / 4096);
		data.seq += data.len;
	}
	counters = stand_counters();
	ck_assert_uint_eq(counters.op_append, 20);
	ck_assert_uint_eq(counters.placed_bytes, 20 * 64000);
	ck_assert_uint_eq(stand_stream(&data)->next, 20 * 64000);
}

/* 64000 bytes at once, in as many areas as that takes; every byte is looked at. [R12 R19] */
START_TEST(super_packet_ipv4)
{
	super_packets(0);
}
END_TEST

/* [R12 R19] */
START_TEST(super_packet_ipv6)
{
	super_packets(1);
}
END_TEST

/* Sent again in other pieces, and ahead of a hole that then is filled. [R12 R19] */
START_TEST(super_packets_overlap)
{
	struct packet p = {.flags = ACK, .fault = FAULT_PSEUDO};
	static const struct {
		uint32_t seq, len;
	} pieces[] = {{1000, 30000}, {61000, 40000}, {21000, 20000}, {1000, 60000}, {31000, 50000}};
	struct packet syn = {.flags = SYN, .seq = 999};
	int i;

	stand_feed(0, &syn);
	for (i = 0; i < COUNT(pieces); i++) {
		p.seq = pieces[i].seq;
		p.len = pieces[i].len;
		ck_assert_int_eq(send_super(&p, VIRTIO_NET_HDR_GSO_TCPV4, MSS), 0);
		stand_drain(0);
	}
	ck_assert_uint_eq(stand_stream(&p)->next, 100000);
	ck_assert_uint_eq(stand_counters().placed_bytes, 100000);
}
END_TEST

/* Nothing of it can be verified, and all of it has to go out. [R1 R19] */
START_TEST(super_packet_with_wrong_checksum)
{
	struct packet p = {.flags = ACK, .seq = 1000, .len = 60000, .fault = FAULT_CHECKSUM};
	struct packet syn = {.flags = SYN, .seq = 999};

	stand_feed(0, &syn);
	while (out_receive(sent, sizeof(sent)))
		;
	/* The kernel finishes the checksum from what is in its field: the pseudo-header's sum. */
	packet_build(&p, &frame);
	ck_assert_int_eq(stand_feed(0, &p), XDP_PASS);
	stand_drain(0);
	ck_assert_uint_eq(stand_counters().checksum, 1);
	ck_assert_uint_eq(stand_counters().placed_bytes, 0);
	ck_assert_uint_eq(out_receive(sent, sizeof(sent)), frame.len);
}
END_TEST

/* The completions of one packet's datagrams: each begins and ends where it does. */
static void check_boundaries(uint32_t payload, uint16_t size)
{
	uint32_t length = 0, all = 0, headers = 0, i;
	const struct xp_completion *c;

	for (i = stand.ctx->lanes[0].consumed; i != stand.ctx->lanes[0].produced; i++) {
		c = &stand.ctx->ring[i & (stand.config->ring - 1)];
		length += c->data_len;
		if (c->header != XP_NONE && c->header_len) {
			ck_assert_uint_eq(c->header_len, frame.headers);
			ck_assert(!memcmp(stand.umem + c->header, frame.bytes, frame.headers));
			headers++;
		}
		if (c->flags & XP_MORE)
			continue;
		all += length;
		ck_assert_msg(length == size || all == payload, "a datagram of %u bytes", length);
		length = 0;
	}
	ck_assert_uint_eq(all, payload);
	ck_assert_uint_eq(headers, (payload + size - 1) / size);
}

static void datagrams(uint8_t v6)
{
	struct packet p = {.udp = 1, .len = 20300, .v6 = v6, .fault = FAULT_PSEUDO};
	int err = send_super(&p, VIRTIO_NET_HDR_GSO_UDP_L4, 1000), i;

	if (err == -EINVAL) { /* packet sockets can not ask for it before Linux 6.2 */
		stand.frames--;
		return;
	}
	ck_assert_int_eq(err, 0);
	check_boundaries(p.len, 1000);
	stand_drain(0);
	for (i = 1; i < 4; i++) {
		p.seq = i * p.len;
		ck_assert_int_eq(send_super(&p, VIRTIO_NET_HDR_GSO_UDP_L4, 1000), 0);
		check_boundaries(p.len, 1000);
		stand_drain(0);
	}
	stand.frames += 4 * 20; /* each datagram is a packet */
	ck_assert_uint_eq(stand_counters().op_append + stand_counters().op_first, 4 * 21);
	ck_assert_uint_eq(stand_counters().placed_bytes, 4 * p.len);
}

/* 21 datagrams in one packet: 21 completions with a header each, every byte right. [R15 R19] */
START_TEST(datagrams_in_one_packet_ipv4)
{
	datagrams(0);
}
END_TEST

/* [R15 R19] */
START_TEST(datagrams_in_one_packet_ipv6)
{
	datagrams(1);
}
END_TEST

/* Send `p` with a tag beside it; its flow is then that of `as`. */
static void tagged(uint16_t id, const struct packet *p, const struct packet *as)
{
	union xp_key key;
	uint32_t handle;
	int r;

	packet_build(p, &frame);
	r = out_run(stand.ctx, frame.bytes, frame.len, OUT_TAG(id), false);
	ck_assert_msg(r == -1, "%d instead of 'next, please'", r);
	stand.frames++;
	packet_key(as, &key);
	ck_assert_msg(!xdplace_flow_find(stand.ctx, &key, as->v6, &handle), "no such flow");
	stand.last = *as;
	stand_drain(0);
}

/* The tag is part of the key, and the outermost of two. [R2 R19] */
START_TEST(tag_beside_the_packet)
{
	struct packet p = {.udp = 1, .len = 100}, as = p;

	as.wrap = WRAP_VLAN;
	as.vnet = VLAN;
	tagged(VLAN, &p, &as);
	p.v6 = as.v6 = 1;
	tagged(VLAN, &p, &as);
	p.wrap = WRAP_VLAN;
	as.wrap = WRAP_QINQ;
	p.vnet = as.vnet = VLAN;
	tagged(OUTER, &p, &as);
}
END_TEST

/* What a rule takes is placed, and goes out all the same. [R16 R19] */
START_TEST(nothing_is_taken_from_the_host)
{
	struct packet p = {.udp = 1, .len = 700};
	struct xp_rule rules[8];
	int n = xdplace_rules(stand.ctx, rules, COUNT(rules)), i;

	for (i = 0; i < n; i++)
		xdplace_rule_del(stand.ctx, rules[i].id);
	stand_rule("take udp");
	stand_feed(0, &p);
	stand_drain(0);
	ck_assert_uint_eq(stand_counters().placed_bytes, 700);
	ck_assert(!(stand_flow(&p).flags & XP_FLOW_TAKE));
	packet_build(&p, &frame);
	ck_assert_uint_eq(out_receive(sent, sizeof(sent)), frame.len);
	ck_assert(!memcmp(sent, frame.bytes, frame.len));
}
END_TEST

/* Frames of nonsense, with nonsense left to the NIC: no byte lands where it should not. [R8 R19] */
START_TEST(random_frames)
{
	static const uint8_t kinds[] = {VIRTIO_NET_HDR_GSO_NONE, VIRTIO_NET_HDR_GSO_TCPV4,
					VIRTIO_NET_HDR_GSO_TCPV6, VIRTIO_NET_HDR_GSO_UDP_L4};
	struct virtio_net_hdr offload;
	uint32_t i, k, went = 0;
	struct packet p;

	srand(19);
	stand.anonymous = true;
	for (i = 0; i < 3000; i++) {
		memset(&p, 0, sizeof(p));
		p.udp = rand() & 1;
		p.v6 = rand() & 1;
		p.flags = ACK;
		p.seq = rand() % 200000;
		p.len = rand() % (rand() & 1 ? 60000 : 2000);
		p.wrap = rand() % 4 ? WRAP_NONE : rand() % WRAP_COUNT;
		p.fault = FAULT_PSEUDO;
		packet_build(&p, &frame);
		for (k = rand() % 4; k; k--)
			frame.bytes[rand() % (frame.headers + 8)] = rand();
		memset(&offload, 0, sizeof(offload));
		offload.gso_type = kinds[rand() % COUNT(kinds)];
		offload.flags = rand() & 1;
		offload.gso_size = rand() % 3 ? 1 + rand() % 3000 : 1 + rand() % 40;
		offload.hdr_len = frame.headers;
		offload.csum_start = frame.l4;
		offload.csum_offset = p.udp ? 6 : 16;
		/* Many are refused: then nobody has seen them. */
		went += !out_send(frame.bytes, rand() % 8 ? frame.len : 14u + rand() % 100,
				  &offload);
		stand_drain(0);
	}
	ck_assert_msg(went > 300, "only %u were sent", went);
	stand.frames = 0; /* one may be several packets */
	stand.broken = true;
	stand_audit();
}
END_TEST

Suite *suite_egress(void)
{
	Suite *suite = suite_create("egress");
	TCase *tc = tcase_create("egress");

	tcase_set_timeout(tc, 60);
	tcase_add_unchecked_fixture(tc, share, unshare_all);
	tcase_add_checked_fixture(tc, start, stand_close);
	tcase_add_test(tc, super_packet_ipv4);
	tcase_add_test(tc, super_packet_ipv6);
	tcase_add_test(tc, super_packets_overlap);
	tcase_add_test(tc, super_packet_with_wrong_checksum);
	tcase_add_test(tc, datagrams_in_one_packet_ipv4);
	tcase_add_test(tc, datagrams_in_one_packet_ipv6);
	tcase_add_test(tc, tag_beside_the_packet);
	tcase_add_test(tc, random_frames);
	tcase_add_test(tc, nothing_is_taken_from_the_host);
	suite_add_tcase(suite, tc);
	return suite;
}
