/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * t_way.c - from the routed interface down to the one that packets leave by, next hops, and faces
 * that follow [T5]. What the kernel would say of interfaces and neighbours is laid down here, so
 * that nobody asks it: VLAN interfaces need no kernel that has them.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if.h>
#include <linux/if_arp.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <string.h>

#include "suites.h"
#include "ways.h"

enum { ETH = 2, VLAN, INNER, INNERMOST }; /* interfaces, each on the one before */

static struct xp_tx_destination destination;
static struct xdplace_tx tx;
static struct xp_tx_ways ways;
static struct xp_device devices[8];
static struct xp_way way;
static int prepared, prepare_result;

static int prepare(struct xdplace_tx *of, uint32_t ifindex, const char *ifname)
{
	prepared++;
	return prepare_result ? xp_fail(-prepare_result, "%s: no", ifname) : 0;
}

static const struct xp_tx_engine engine = {.prepare = prepare};

static struct xp_nic *add(uint32_t ifindex, const char *name, const char *kind)
{
	struct xp_device *device = &devices[ifindex];

	*device = (struct xp_device){
		.ifindex = ifindex,
		.fresh = true,
		.nic = {.ifindex = ifindex,
			.flags = IFF_UP | IFF_RUNNING,
			.mtu = 1500,
			.type = ARPHRD_ETHER,
			.mac = {2, 0, 0, 0, 0, ifindex}},
	};
	strcpy(device->nic.name, name);
	strcpy(device->nic.kind, kind);
	LIST_INSERT_HEAD(&ways.device[ifindex % XP_WAYS_DEVICES], device, of_bucket);
	return &device->nic;
}

static void add_vlan(uint32_t ifindex, const char *name, uint16_t ethertype, uint16_t vlan)
{
	struct xp_nic *nic = add(ifindex, name, "vlan");

	nic->lower = ifindex - 1;
	nic->ethertype = htons(ethertype);
	nic->vlan = vlan;
}

/* The neighbour as the kernel would tell of it; the last byte is that of its MAC. */
static struct xp_neighbour neighbour(uint16_t state, uint8_t last)
{
	return (struct xp_neighbour){
		.ip = way.to,
		.ifindex = way.route.ifindex,
		.state = state,
		.mac = {2, 0, 0, 0, 1, last},
	};
}

static void tell(uint16_t state, uint8_t last)
{
	struct xp_neighbour n = neighbour(state, last);

	xp_hop_take(&ways, xp_hop_get(&ways, n.ifindex, &n.ip), &n);
}

/* Routed by this interface, on the link, to a neighbour that is known. */
static void route_by(uint32_t ifindex)
{
	way.route.ifindex = ifindex;
	tell(NUD_REACHABLE, 9);
}

static void set_up(void)
{
	uint32_t i;

	memset(&ways, 0, sizeof(ways));
	memset(&way, 0, sizeof(way));
	memset(&destination, 0, sizeof(destination));
	prepared = prepare_result = 0;
	tx = (struct xdplace_tx){
		.most = 3520,
		.engine = &engine,
		.engines = 1,
		.destinations = &destination,
	};
	ways.tx = &tx;
	ways.way = &way;
	ways.begun = 1;
	ways.hop_mask = 3;
	ways.hop = calloc(4, sizeof(*ways.hop));
	TAILQ_INIT(&ways.dirty);
	pthread_cond_init(&ways.settled, NULL);
	for (i = 0; i < XP_WAYS_DEVICES; i++)
		LIST_INIT(&ways.device[i]);
	way.to = (struct xp_ip){.byte = {10, 80, 0, 2}, .family = AF_INET};
	way.route = (struct xp_route){.type = RTN_UNICAST, .next = way.to, .from = way.to};
	way.ttl = 64;
	way.used = way.open = true;
	add(ETH, "eth0", "");
	add_vlan(VLAN, "eth0.100", 0x8100, 100);
	add_vlan(INNER, "eth0.100.7", 0x8100, 7);
	add_vlan(INNERMOST, "eth0.100.7.8", 0x8100, 8);
}

static void tear_down(void)
{
	uint32_t i;
	struct xp_hop *hop;

	xp_hop_use(&ways, &way, NULL);
	for (i = 0; i <= ways.hop_mask; i++)
		while ((hop = LIST_FIRST(&ways.hop[i]))) {
			LIST_REMOVE(hop, of_bucket);
			free(hop);
		}
	free(ways.hop);
}

static int look(void)
{
	int err = xp_way_look(&ways, &way, XP_LOOK_FACE);

	xp_way_show(&ways, &way, err);
	return err;
}

static const struct xp_tx_face *face(void)
{
	return xp_tx_face(&destination);
}

/* ---- interfaces ---- */

START_TEST(plain_interface)
{
	route_by(ETH);
	ck_assert_int_eq(look(), 0);
	ck_assert_uint_eq(face()->ifindex, ETH);
	ck_assert_uint_eq(face()->l3, 14);
	ck_assert_uint_eq(face()->room, 1472);
	ck_assert_uint_eq(face()->block[5], 9);
	ck_assert_uint_eq(face()->block[11], ETH);
	ck_assert_str_eq(way.by, "eth0");
}
END_TEST

/* By the lower interface, with the upper one's address; a tag is no part of the MTU. */
START_TEST(vlan_interface)
{
	static const uint8_t tag[4] = {0x81, 0x00, 0, 100};

	route_by(VLAN);
	ck_assert_int_eq(look(), 0);
	ck_assert_uint_eq(face()->ifindex, ETH);
	ck_assert_uint_eq(face()->l3, 18);
	ck_assert_uint_eq(face()->room, 1472);
	ck_assert(!memcmp(face()->block + 12, tag, 4));
	ck_assert_uint_eq(face()->block[11], VLAN);
	ck_assert_str_eq(way.by, "eth0");
}
END_TEST

/* IEEE 802.1ad: the outer tag first; the second one takes its bytes from the packet. */
START_TEST(vlan_over_vlan)
{
	static const uint8_t tags[8] = {0x88, 0xa8, 0, 100, 0x81, 0x00, 0, 7};

	devices[VLAN].nic.ethertype = htons(0x88a8);
	route_by(INNER);
	ck_assert_int_eq(look(), 0);
	ck_assert_uint_eq(face()->ifindex, ETH);
	ck_assert_uint_eq(face()->l3, 22);
	ck_assert_uint_eq(face()->room, 1468);
	ck_assert(!memcmp(face()->block + 12, tags, 8));
	ck_assert_uint_eq(face()->block[11], INNER);
}
END_TEST

START_TEST(vlan_over_vlan_on_a_larger_mtu)
{
	devices[ETH].nic.mtu = 1504;
	route_by(INNER);
	ck_assert_int_eq(look(), 0);
	ck_assert_uint_eq(face()->room, 1472);
}
END_TEST

START_TEST(three_tags_are_refused)
{
	route_by(INNERMOST);
	ck_assert_int_eq(look(), -EOPNOTSUPP);
	ck_assert_uint_eq(face()->error, EOPNOTSUPP);
}
END_TEST

START_TEST(vlan_of_another_namespace_is_refused)
{
	devices[VLAN].nic.lower_elsewhere = true;
	route_by(VLAN);
	ck_assert_int_eq(look(), -EOPNOTSUPP);
}
END_TEST

START_TEST(least_mtu_on_the_way)
{
	devices[VLAN].nic.mtu = 1400;
	devices[ETH].nic.mtu = 1300;
	route_by(VLAN);
	ck_assert_int_eq(look(), 0);
	ck_assert_uint_eq(face()->room, 1272);
	way.route.mtu = 1000;
	ck_assert_int_eq(look(), 0);
	ck_assert_uint_eq(face()->room, 972);
	ck_assert_uint_eq(way.shown.mtu, 1000);
}
END_TEST

/* The tagged interface may be fine: what it stands on is not. */
START_TEST(lower_interface_is_down)
{
	route_by(VLAN);
	devices[ETH].nic.flags = IFF_UP;
	ck_assert_int_eq(look(), -ENETDOWN);
	devices[ETH].nic.flags = 0;
	ck_assert_int_eq(look(), -ENETDOWN);
	devices[ETH].nic.ifindex = 0;
	ck_assert_int_eq(look(), -ENODEV);
	ck_assert_uint_eq(way.through[1], ETH);
}
END_TEST

START_TEST(without_ethernet_headers)
{
	devices[ETH].nic.type = ARPHRD_NONE;
	route_by(ETH);
	ck_assert_int_eq(look(), -EOPNOTSUPP);
	devices[ETH].nic.type = ARPHRD_ETHER;
	devices[ETH].nic.flags |= IFF_LOOPBACK;
	ck_assert_int_eq(look(), -EOPNOTSUPP);
}
END_TEST

/* The engine is asked for each interface until it says yes. */
START_TEST(engine_is_asked_once)
{
	route_by(VLAN);
	prepare_result = -EOPNOTSUPP;
	ck_assert_int_eq(look(), -EOPNOTSUPP);
	ck_assert_int_eq(look(), -EOPNOTSUPP);
	prepare_result = 0;
	ck_assert_int_eq(look(), 0);
	ck_assert_int_eq(look(), 0);
	ck_assert_int_eq(prepared, 3);
	ck_assert(devices[ETH].prepared && !devices[VLAN].prepared);
}
END_TEST

/* ---- next hops ---- */

START_TEST(neighbour_with_another_address)
{
	route_by(ETH);
	look();
	tell(NUD_STALE, 10);
	ck_assert_uint_eq(way.look, XP_LOOK_FACE);
	look();
	ck_assert_uint_eq(face()->block[5], 10);
	ck_assert_uint_eq(way.changes, 2);
}
END_TEST

/* It is asked whether it is still there: that is nothing to those who send. */
START_TEST(neighbour_in_doubt)
{
	static const uint16_t states[] = {NUD_STALE, NUD_DELAY, NUD_PROBE, NUD_REACHABLE};
	uint32_t i;

	route_by(ETH);
	look();
	xp_way_unmark(&ways, &way);
	for (i = 0; i < 4; i++) {
		tell(states[i], 9);
		ck_assert_uint_eq(way.look, 0);
		ck_assert_int_eq(way.hop->tended, states[i] == NUD_STALE);
	}
}
END_TEST

START_TEST(neighbour_forgotten_is_used_on)
{
	route_by(ETH);
	look();
	tell(NUD_NONE, 0);
	ck_assert(way.hop->tended);
	tell(NUD_INCOMPLETE, 0);
	ck_assert_int_eq(look(), 0);
	ck_assert_uint_eq(face()->block[5], 9);
}
END_TEST

/* Its headers are kept for when it is back. */
START_TEST(neighbour_failed_and_back)
{
	route_by(ETH);
	look();
	tell(NUD_FAILED, 0);
	ck_assert_int_eq(look(), -EHOSTUNREACH);
	ck_assert_uint_eq(face()->error, EHOSTUNREACH);
	ck_assert_uint_eq(face()->block[5], 9);
	ck_assert_uint_eq(face()->room, 1472);
	tell(NUD_INCOMPLETE, 0);
	ck_assert_int_eq(look(), -EHOSTUNREACH);
	tell(NUD_REACHABLE, 9);
	ck_assert_int_eq(look(), 0);
	ck_assert_uint_eq(face()->error, 0);
	ck_assert_uint_eq(way.changes, 3);
}
END_TEST

/* 1, 2, 4, 8, 8 seconds from one poke to the next. */
START_TEST(failed_neighbour_is_asked_less_and_less)
{
	static const int64_t seconds[] = {1, 2, 4, 8, 8};
	uint32_t i;

	route_by(ETH);
	look();
	for (i = 0; i < 5; i++) {
		tell(NUD_FAILED, 0);
		ck_assert_int_eq(way.hop->due - way.hop->poked, 1000 * seconds[i]);
	}
}
END_TEST

START_TEST(nothing_changed_is_no_change)
{
	route_by(ETH);
	look();
	look();
	ck_assert_uint_eq(way.changes, 1);
	ck_assert_uint_eq(destination.active, 1);
}
END_TEST

Suite *suite_way(void)
{
	Suite *suite = suite_create("way");
	TCase *tc = tcase_create("way");

	tcase_add_checked_fixture(tc, set_up, tear_down);
	tcase_add_test(tc, plain_interface);
	tcase_add_test(tc, vlan_interface);
	tcase_add_test(tc, vlan_over_vlan);
	tcase_add_test(tc, vlan_over_vlan_on_a_larger_mtu);
	tcase_add_test(tc, three_tags_are_refused);
	tcase_add_test(tc, vlan_of_another_namespace_is_refused);
	tcase_add_test(tc, least_mtu_on_the_way);
	tcase_add_test(tc, lower_interface_is_down);
	tcase_add_test(tc, without_ethernet_headers);
	tcase_add_test(tc, engine_is_asked_once);
	tcase_add_test(tc, neighbour_with_another_address);
	tcase_add_test(tc, neighbour_in_doubt);
	tcase_add_test(tc, neighbour_forgotten_is_used_on);
	tcase_add_test(tc, neighbour_failed_and_back);
	tcase_add_test(tc, failed_neighbour_is_asked_less_and_less);
	tcase_add_test(tc, nothing_changed_is_no_change);
	suite_add_tcase(suite, tc);
	return suite;
}
