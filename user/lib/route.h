/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * route.h - what the kernel's tables say of the way to an address: route, link, neighbour. Asked
 * over one netlink socket that is kept, as thousands of destinations may ask; netlink.h has the
 * single questions of the receive side.
 */
#ifndef XP_ROUTE_H
#define XP_ROUTE_H

#include <linux/netlink.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* An address as on the wire; IPv4's is the first four bytes and the others are zero. */
struct xp_ip {
	uint8_t byte[16];
	uint16_t family; /* AF_INET, AF_INET6; 0: none */
};

static inline size_t xp_ip_bytes(const struct xp_ip *ip)
{
	return ip->family == 2 ? 4 : 16;
}

struct xp_route_query {
	struct xp_ip to;
	struct xp_ip from; /* may be none */
	uint32_t ifindex;  /* 0: as routed */
	uint16_t sport;	   /* both as on the wire: rules and multipath routes may look at them */
	uint16_t dport;
	uint8_t tos;
};

struct xp_route {
	struct xp_ip from; /* the address that the kernel chooses */
	struct xp_ip next; /* of the next hop: a gateway, or whom the route leads to */
	uint32_t ifindex;
	uint32_t mtu; /* 0: the route has none of its own */
	uint8_t type; /* RTN_* */
	bool encapsulated;
	bool expires; /* it, or a path's MTU that was learned */
};

struct xp_nic {
	uint32_t ifindex;
	uint32_t flags; /* IFF_* */
	uint32_t mtu;
	uint32_t lower;	      /* what a stacked interface stands on; 0: nothing */
	uint16_t type;	      /* ARPHRD_* */
	uint16_t vlan;	      /* of kind "vlan" */
	uint16_t ethertype;   /* of its tag, as on the wire */
	bool lower_elsewhere; /* in another network namespace */
	uint8_t mac[6];
	char name[16];
	char kind[16];
};

struct xp_neighbour {
	struct xp_ip ip;
	uint32_t ifindex;
	uint16_t state; /* NUD_* */
	uint8_t mac[6]; /* if the state is one of XP_NUD_VALID */
};
#define XP_NUD_VALID 0xdeu /* permanent, noarp, reachable, probe, stale, delay */

struct mnl_socket;
struct xp_ask {
	struct mnl_socket *socket;
	uint32_t sequence;
	char *buffer;
};

/* In the network namespace of the calling thread, for good. */
int xp_ask_open(struct xp_ask *ask);
void xp_ask_close(struct xp_ask *ask);

/* 0, or what the kernel says: -ENETUNREACH and others, -ENODEV, -ENOENT no such neighbour. */
int xp_ask_route(struct xp_ask *ask, const struct xp_route_query *query, struct xp_route *route);
/* By number, or (0) by name or alternative name. */
int xp_ask_link(struct xp_ask *ask, uint32_t ifindex, const char *name, struct xp_nic *nic);
int xp_ask_neighbour(struct xp_ask *ask, uint32_t ifindex, const struct xp_ip *ip,
		     struct xp_neighbour *neighbour);
/*
 * As if a packet were sent to it: an unknown neighbour is looked for, a stale one is asked whether
 * it is still there. -ENOBUFS: the neighbour table is full.
 */
int xp_ask_use(struct xp_ask *ask, uint32_t ifindex, const struct xp_ip *ip);

/* Messages of RTM_*NEIGH: false, it is not one of a neighbour that packets are sent to. */
bool xp_read_neighbour(const struct nlmsghdr *head, struct xp_neighbour *neighbour);
/* The prefix that a message of RTM_*ROUTE is of: false, packets that are sent don't care. */
bool xp_read_prefix(const struct nlmsghdr *head, struct xp_ip *prefix, uint8_t *bits);

#endif
