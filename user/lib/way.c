/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * way.c - the way to a destination: route, interfaces, next hop; and the face that follows.
 *
 * In: what was asked for, and the kernel's tables. Out: a face in the transmitter's destination,
 * with headers, or with the errno that says why nothing can be sent.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_arp.h>
#include <linux/rtnetlink.h>
#include <linux/if.h>
#include <stdlib.h>
#include <string.h>

#include "ways.h"

struct address {
	char text[INET6_ADDRSTRLEN];
};

static const char *text_of(const struct xp_ip *ip, struct address *address)
{
	inet_ntop(ip->family, ip->byte, address->text, sizeof(address->text));
	return address->text;
}

/* ---- interfaces ---- */

struct xp_device *xp_device_find(struct xp_tx_ways *ways, uint32_t ifindex)
{
	struct xp_device *device;

	LIST_FOREACH (device, &ways->device[ifindex % XP_WAYS_DEVICES], of_bucket)
		if (device->ifindex == ifindex)
			return device;
	return NULL;
}

static struct xp_device *device_make(struct xp_tx_ways *ways, uint32_t ifindex)
{
	struct xp_device *device = xp_device_find(ways, ifindex);

	if (device)
		return device;
	device = calloc(1, sizeof(*device));
	if (!device)
		return NULL;
	device->ifindex = ifindex;
	LIST_INSERT_HEAD(&ways->device[ifindex % XP_WAYS_DEVICES], device, of_bucket);
	return device;
}

static int device_get(struct xp_tx_ways *ways, uint32_t ifindex, struct xp_device **found)
{
	struct xp_device *device = device_make(ways, ifindex);
	int err;

	*found = device;
	if (!device)
		return xp_fail(ENOMEM, "no memory for an interface");
	if (device->fresh)
		return 0;
	err = xp_ask_link(&ways->ask, ifindex, NULL, &device->nic);
	if (err == -ENODEV)
		memset(&device->nic, 0, sizeof(device->nic));
	else if (err)
		return xp_fail(-err, "ask for interface %u: %s", ifindex, strerror(-err));
	device->fresh = true;
	return 0;
}

/* Is it there, and does it carry packets? */
static int device_check(struct xp_tx_ways *ways, uint32_t ifindex, struct xp_device **found)
{
	int err = device_get(ways, ifindex, found);
	const struct xp_nic *nic;

	if (err)
		return err;
	nic = &(*found)->nic;
	if (!nic->ifindex)
		return xp_fail(ENODEV, "interface %u is gone", ifindex);
	if (!(nic->flags & IFF_UP))
		return xp_fail(ENETDOWN, "%s is down: `ip link set %s up`", nic->name, nic->name);
	if (!(nic->flags & IFF_RUNNING))
		return xp_fail(ENETDOWN, "%s has no carrier", nic->name);
	return 0;
}

/* ---- route ---- */

/* The interface that was asked for, by number; 0: none was. */
static int interface_wanted(struct xp_tx_ways *ways, const struct xp_way *w, uint32_t *ifindex)
{
	struct xp_device *device;
	struct xp_nic nic;
	int err;

	*ifindex = w->scope;
	if (!w->ifname[0])
		return 0;
	device = w->through[0] ? xp_device_find(ways, w->through[0]) : NULL;
	if (device && device->fresh && !strcmp(device->nic.name, w->ifname)) {
		*ifindex = device->ifindex;
		return 0;
	}
	err = xp_ask_link(&ways->ask, 0, w->ifname, &nic);
	if (err)
		return xp_fail(-err, "interface %s: %s; `ip link` lists them", w->ifname,
			       strerror(-err));
	*ifindex = nic.ifindex;
	return 0;
}

/* The kernel has no route: because of the interface, the one that it was or was to be? */
static int why_no_route(struct xp_tx_ways *ways, const struct xp_way *w, uint32_t wanted, int err)
{
	uint32_t ifindex = wanted ? wanted : w->through[0];
	struct address to;
	struct xp_device *device;
	int fault = ifindex ? device_check(ways, ifindex, &device) : 0;

	if (fault)
		return fault;
	if (err == -EPERM || err == -ENOMEM || err == -ENOBUFS)
		return xp_fail(-err, "ask for the route to %s: %s", text_of(&w->to, &to),
			       strerror(-err));
	return xp_fail(ENETUNREACH, "no route to %s: %s; `ip route get %s`", text_of(&w->to, &to),
		       strerror(-err), to.text);
}

static int route_check(const struct xp_way *w, const struct xp_route *route)
{
	struct address to;

	text_of(&w->to, &to);
	if (route->type == RTN_LOCAL)
		return xp_fail(EOPNOTSUPP,
			       "%s is this host itself: its packets leave by no interface; send to "
			       "it from a socket",
			       to.text);
	if (route->type != RTN_UNICAST && route->type != RTN_MULTICAST &&
	    route->type != RTN_BROADCAST && route->type != RTN_ANYCAST)
		return xp_fail(ENETUNREACH, "the route to %s discards packets; `ip route get %s`",
			       to.text, to.text);
	if (route->encapsulated)
		return xp_fail(EOPNOTSUPP,
			       "the route to %s puts packets into a tunnel (encap), which the "
			       "transmitter does not do",
			       to.text);
	if (!route->from.family)
		return xp_fail(EADDRNOTAVAIL, "no address of this host to send to %s from",
			       to.text);
	return 0;
}

static bool is_own(struct xp_tx_ways *ways, const struct xp_ip *ip)
{
	struct xp_route_query query = {.to = *ip};
	struct xp_route route;

	return !xp_ask_route(&ways->ask, &query, &route) && route.type == RTN_LOCAL;
}

/* The kernel has no routes from IPv4 addresses that are not this host's; we send from any. */
static int ask_route(struct xp_tx_ways *ways, const struct xp_way *w, uint32_t ifindex,
		     struct xp_route *route)
{
	struct xp_route_query query = {
		.to = w->to,
		.from = w->from,
		.ifindex = ifindex,
		.sport = w->sport,
		.dport = w->dport,
		.tos = w->tos,
	};
	int err = xp_ask_route(&ways->ask, &query, route);

	if (!err || w->from.family != AF_INET || is_own(ways, &w->from))
		return err;
	query.from.family = 0;
	err = xp_ask_route(&ways->ask, &query, route);
	route->from = w->from;
	return err;
}

static int look_route(struct xp_tx_ways *ways, struct xp_way *w)
{
	struct xp_route route;
	uint32_t ifindex;
	int err;

	err = interface_wanted(ways, w, &ifindex);
	if (err)
		return err;
	err = ask_route(ways, w, ifindex, &route);
	if (err)
		return why_no_route(ways, w, ifindex, err);
	err = route_check(w, &route);
	if (err)
		return err;
	w->route = route;
	return 0;
}

/* ---- from the routed interface down to the one that packets leave by ---- */

static uint32_t least(uint32_t a, uint32_t b)
{
	return a && a < b ? a : b;
}

/* One VLAN interface: its tag lies outside of those that are there. */
static int add_tag(struct xp_face_plan *plan, const struct xp_nic *nic)
{
	if (plan->tags == XP_FACE_TAGS)
		return xp_fail(EOPNOTSUPP, "%s: more than %u VLAN tags", nic->name, XP_FACE_TAGS);
	if (nic->lower_elsewhere || !nic->lower)
		return xp_fail(EOPNOTSUPP,
			       "%s: what it stands on is in another network namespace: send from "
			       "there",
			       nic->name);
	plan->tag[1] = plan->tag[0];
	plan->tag[0].ethertype = nic->ethertype;
	plan->tag[0].vlan = nic->vlan;
	plan->tags++;
	return 0;
}

static int ethernet_check(const struct xp_nic *nic)
{
	if (nic->flags & IFF_LOOPBACK)
		return xp_fail(EOPNOTSUPP, "%s: packets don't leave by it; send from a socket",
			       nic->name);
	if (nic->type != ARPHRD_ETHER)
		return xp_fail(
			EOPNOTSUPP,
			"%s%s%s has no Ethernet headers, and packets can be sent by Ethernet "
			"interfaces only; route through one, or send from a socket",
			nic->name, nic->kind[0] ? ", of kind " : "", nic->kind);
	return 0;
}

/*
 * Walk down the VLAN interfaces. One tag may make a frame longer than the device's MTU (IEEE
 * 802.3, 3.2.7; drivers agree); of more, the second one's bytes are the packet's.
 */
static int walk_down(struct xp_tx_ways *ways, struct xp_way *w, struct xp_device **last)
{
	struct xp_face_plan *plan = &w->plan;
	uint32_t ifindex = w->route.ifindex, through[1 + XP_FACE_TAGS] = {0};
	struct xp_device *device;
	int err;

	plan->tags = 0;
	plan->mtu = least(w->route.mtu, 65535);
	for (;; ifindex = device->nic.lower) {
		through[plan->tags] = ifindex;
		memcpy(w->through, through, sizeof(through));
		err = device_check(ways, ifindex, &device);
		if (!err)
			err = ethernet_check(&device->nic);
		if (err)
			return err;
		plan->mtu = least(device->nic.mtu - (plan->tags > 1 ? 4 : 0), plan->mtu);
		if (!plan->tags)
			memcpy(plan->source_mac, device->nic.mac, sizeof(plan->source_mac));
		if (strcmp(device->nic.kind, "vlan"))
			break;
		err = add_tag(plan, &device->nic);
		if (err)
			return err;
	}
	plan->ifindex = ifindex;
	*last = device;
	return 0;
}

static int look_devices(struct xp_tx_ways *ways, struct xp_way *w)
{
	struct xp_device *device;
	int err;

	err = walk_down(ways, w, &device);
	if (err || device->prepared == ways->tx->engines)
		return err;
	err = xp_tx_prepare(ways->tx, device->ifindex, device->nic.name);
	device->prepared = err ? 0 : ways->tx->engines;
	return err;
}

/* ---- next hop ---- */

int xp_hop_fail(struct xp_tx_ways *ways, const struct xp_hop *hop)
{
	const struct xp_device *device = xp_device_find(ways, hop->ifindex);
	struct address next;

	return xp_fail(EHOSTUNREACH, "%s does not answer on %s (%s)", text_of(&hop->ip, &next),
		       device ? device->nic.name : "?",
		       hop->ip.family == AF_INET ? "ARP" : "neighbour discovery");
}

/* The neighbour is new to us: the kernel may know it, or has to look for it. */
static int hop_begin(struct xp_tx_ways *ways, struct xp_hop *hop)
{
	struct address next;
	int err = xp_hop_ask(ways, hop);

	if (!err && !hop->known)
		err = xp_hop_poke(ways, hop);
	if (err == -ENOBUFS || err == -ENOMEM)
		return xp_fail(ENOBUFS,
			       "look for %s: the kernel's neighbour table is full: `sysctl -w "
			       "net.ipv%c.neigh.default.gc_thresh3=...`",
			       text_of(&hop->ip, &next), hop->ip.family == AF_INET ? '4' : '6');
	if (err)
		return xp_fail(-err, "look for %s: %s", text_of(&hop->ip, &next), strerror(-err));
	return 0;
}

static int look_hop(struct xp_tx_ways *ways, struct xp_way *w)
{
	const struct xp_ip *next = &w->route.next;
	struct xp_hop *hop;
	int err = 0;

	if (w->route.type == RTN_BROADCAST || xp_ip_multicast(&w->to)) {
		xp_hop_use(ways, w, NULL);
		memset(w->plan.mac, 0xff, sizeof(w->plan.mac));
		if (w->route.type != RTN_BROADCAST)
			xp_face_group_mac(&w->to, w->plan.mac);
		return 0;
	}
	hop = xp_hop_get(ways, w->route.ifindex, next);
	if (!hop)
		return xp_fail(ENOMEM, "no memory for a neighbour");
	xp_hop_use(ways, w, hop);
	if (!hop->known && !hop->state)
		err = hop_begin(ways, hop);
	if (err)
		return err;
	memcpy(w->plan.mac, hop->mac, sizeof(w->plan.mac));
	if (hop->failed)
		return xp_hop_fail(ways, hop);
	return hop->known ? 0 : -EAGAIN;
}

/* ---- all of it ---- */

int xp_way_look(struct xp_tx_ways *ways, struct xp_way *w, uint32_t look)
{
	int err = 0;

	if (look & XP_LOOK_ROUTE)
		err = look_route(ways, w);
	if (!err)
		err = look_devices(ways, w);
	if (!err)
		err = look_hop(ways, w);
	return err;
}

static void fill_plan(const struct xdplace_tx *tx, struct xp_way *w)
{
	struct xp_face_plan *plan = &w->plan;

	plan->to = w->to;
	plan->from = w->route.from;
	plan->sport = w->sport;
	plan->dport = w->dport;
	plan->ttl = w->ttl;
	plan->tos = w->tos;
	plan->payload = w->payload;
	plan->frame = tx->most;
	plan->no_checksum = tx->opts.no_checksum;
	plan->rtp = w->rtp;
	plan->rtp_type = w->rtp_type;
	plan->rtp_ssrc = w->rtp_ssrc;
}

/*
 * A driver that begins to send for XDP, and a path's MTU that expires, are not told of. Where a
 * neighbour does not answer, neighbour.c sees to it.
 */
void xp_way_ails(struct xp_tx_ways *ways, struct xp_way *w, bool ailing)
{
	ways->ailing += ailing - w->ailing;
	w->ailing = ailing;
}

/* A face of what was found: 0 or -errno. */
static int make_face(struct xp_tx_ways *ways, struct xp_way *w, struct xp_tx_face *face)
{
	const struct xp_device *device = xp_device_find(ways, w->plan.ifindex);
	int err;

	fill_plan(ways->tx, w);
	err = xp_face_build(&w->plan, face);
	if (err)
		return err;
	w->shown = w->plan;
	if (device)
		memcpy(w->by, device->nic.name, sizeof(w->by));
	return 0;
}

void xp_way_show(struct xp_tx_ways *ways, struct xp_way *w, int err)
{
	struct xp_tx_destination *d = &ways->tx->destinations[w - ways->way];
	struct xp_tx_face face;

	if (!err)
		err = make_face(ways, w, &face);
	if (err) {
		face = *xp_tx_face(d);
		face.error = -err;
	}
	w->error = -err;
	xp_way_ails(ways, w, w->open && (err ? err != -EHOSTUNREACH : w->route.expires));
	if (!memcmp(&face, xp_tx_face(d), sizeof(face)))
		return;
	w->changes++;
	xp_tx_set_face(d, &face);
}
