/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * route.c - questions to the kernel's routing, link and neighbour tables; see route.h.
 *
 * One request, one answer. An answer that was left behind by an earlier request is known by its
 * number and skipped (libmnl does).
 */
#include <errno.h>
#include <linux/if_link.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <libmnl/libmnl.h>

#include "route.h"

#define BUFFER_SIZE 32768
#define MAX_ALTNAME 127

/* ---- attributes ---- */

struct table {
	const struct nlattr **at;
	unsigned int most;
};

static int collect_one(const struct nlattr *a, void *data)
{
	const struct table *table = data;
	unsigned int type = mnl_attr_get_type(a);

	if (type <= table->most)
		table->at[type] = a;
	return MNL_CB_OK;
}

/* at[0 .. most] by number, behind `fixed` bytes of the message. */
static void collect(const struct nlmsghdr *head, size_t fixed, const struct nlattr **at,
		    unsigned int most)
{
	struct table table = {at, most};

	memset(at, 0, (most + 1) * sizeof(*at));
	mnl_attr_parse(head, fixed, collect_one, &table);
}

static void collect_nested(const struct nlattr *nest, const struct nlattr **at, unsigned int most)
{
	struct table table = {at, most};

	memset(at, 0, (most + 1) * sizeof(*at));
	if (nest)
		mnl_attr_parse_nested(nest, collect_one, &table);
}

static uint32_t get_u32(const struct nlattr *a)
{
	return a && mnl_attr_get_payload_len(a) >= sizeof(uint32_t) ? mnl_attr_get_u32(a) : 0;
}

static uint16_t get_u16(const struct nlattr *a)
{
	return a && mnl_attr_get_payload_len(a) >= sizeof(uint16_t) ? mnl_attr_get_u16(a) : 0;
}

static void get_text(const struct nlattr *a, char *text, size_t size)
{
	size_t len = a ? strnlen(mnl_attr_get_str(a), mnl_attr_get_payload_len(a)) : 0;

	if (len >= size)
		len = size - 1;
	if (len)
		memcpy(text, mnl_attr_get_str(a), len);
	text[len] = '\0';
}

static bool get_bytes(const void *from, size_t have, void *to, size_t want)
{
	if (have < want)
		return false;
	memcpy(to, from, want);
	return true;
}

static bool get_ip(const struct nlattr *a, uint16_t family, struct xp_ip *ip)
{
	struct xp_ip got = {.family = family};

	if (!a || (family != AF_INET && family != AF_INET6))
		return false;
	if (!get_bytes(mnl_attr_get_payload(a), mnl_attr_get_payload_len(a), got.byte,
		       xp_ip_bytes(&got)))
		return false;
	*ip = got;
	return true;
}

static void put_ip(struct nlmsghdr *head, uint16_t type, const struct xp_ip *ip)
{
	mnl_attr_put(head, type, xp_ip_bytes(ip), ip->byte);
}

/* ---- the socket ---- */

int xp_ask_open(struct xp_ask *ask)
{
	int err;

	ask->sequence = 0;
	ask->buffer = malloc(BUFFER_SIZE);
	if (!ask->buffer)
		return -ENOMEM;
	ask->socket = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);
	if (ask->socket && !mnl_socket_bind(ask->socket, 0, MNL_SOCKET_AUTOPID))
		return 0;
	err = -errno;
	xp_ask_close(ask);
	return err;
}

void xp_ask_close(struct xp_ask *ask)
{
	if (ask->socket)
		mnl_socket_close(ask->socket);
	free(ask->buffer);
	ask->socket = NULL;
	ask->buffer = NULL;
}

static struct nlmsghdr *begin(struct xp_ask *ask, uint16_t type, uint16_t flags)
{
	struct nlmsghdr *head = mnl_nlmsg_put_header(ask->buffer);

	head->nlmsg_type = type;
	head->nlmsg_flags = NLM_F_REQUEST | flags;
	head->nlmsg_seq = ++ask->sequence;
	return head;
}

/* Send what was begun, and give its answer to fn. */
static int talk(struct xp_ask *ask, mnl_cb_t fn, void *data)
{
	const struct nlmsghdr *head = (const void *)ask->buffer;
	uint32_t portid = mnl_socket_get_portid(ask->socket);
	ssize_t len;

	if (mnl_socket_sendto(ask->socket, head, head->nlmsg_len) < 0)
		return -errno;
	do {
		len = mnl_socket_recvfrom(ask->socket, ask->buffer, BUFFER_SIZE);
		if (len < 0 && errno != EINTR)
			return -errno;
	} while (len < 0 || (len >= (ssize_t)sizeof(*head) && head->nlmsg_seq != ask->sequence));
	return mnl_cb_run(ask->buffer, len, ask->sequence, portid, fn, data) < 0 ? -errno : 0;
}

/* ---- routes ---- */

static int read_route(const struct nlmsghdr *head, void *data)
{
	const struct nlattr *at[RTA_MAX + 1], *metric[RTAX_MAX + 1];
	const struct rtmsg *fixed = mnl_nlmsg_get_payload(head);
	const struct rta_cacheinfo *cache;
	const struct rtvia *via;
	struct xp_route *route = data;
	size_t len;

	if (head->nlmsg_type != RTM_NEWROUTE)
		return MNL_CB_OK;
	collect(head, sizeof(*fixed), at, RTA_MAX);
	collect_nested(at[RTA_METRICS], metric, RTAX_MAX);
	route->type = fixed->rtm_type;
	route->ifindex = get_u32(at[RTA_OIF]);
	route->mtu = get_u32(metric[RTAX_MTU]);
	route->encapsulated = at[RTA_ENCAP] || at[RTA_ENCAP_TYPE];
	if (at[RTA_CACHEINFO] && mnl_attr_get_payload_len(at[RTA_CACHEINFO]) >= sizeof(*cache)) {
		cache = mnl_attr_get_payload(at[RTA_CACHEINFO]);
		route->expires = cache->rta_expires != 0;
	}
	get_ip(at[RTA_PREFSRC], fixed->rtm_family, &route->from);
	get_ip(at[RTA_GATEWAY], fixed->rtm_family, &route->next);
	if (!at[RTA_VIA])
		return MNL_CB_OK;
	via = mnl_attr_get_payload(at[RTA_VIA]);
	len = mnl_attr_get_payload_len(at[RTA_VIA]);
	if (len < sizeof(*via))
		return MNL_CB_OK;
	route->next = (struct xp_ip){.family = via->rtvia_family};
	get_bytes(via->rtvia_addr, len - sizeof(*via), route->next.byte, xp_ip_bytes(&route->next));
	return MNL_CB_OK;
}

int xp_ask_route(struct xp_ask *ask, const struct xp_route_query *query, struct xp_route *route)
{
	struct nlmsghdr *head = begin(ask, RTM_GETROUTE, 0);
	struct rtmsg *fixed = mnl_nlmsg_put_extra_header(head, sizeof(*fixed));
	int err;

	fixed->rtm_family = query->to.family;
	fixed->rtm_dst_len = 8 * xp_ip_bytes(&query->to);
	fixed->rtm_tos = query->tos & 0xfc;
	put_ip(head, RTA_DST, &query->to);
	if (query->from.family) {
		fixed->rtm_src_len = 8 * xp_ip_bytes(&query->from);
		put_ip(head, RTA_SRC, &query->from);
	}
	if (query->ifindex)
		mnl_attr_put_u32(head, RTA_OIF, query->ifindex);
	mnl_attr_put_u8(head, RTA_IP_PROTO, IPPROTO_UDP);
	mnl_attr_put_u16(head, RTA_SPORT, query->sport);
	mnl_attr_put_u16(head, RTA_DPORT, query->dport);
	memset(route, 0, sizeof(*route));
	err = talk(ask, read_route, route);
	if (err)
		return err;
	if (!route->next.family)
		route->next = query->to;
	if (query->from.family)
		route->from = query->from;
	return route->type == RTN_UNSPEC ? -EPROTO : 0;
}

bool xp_read_prefix(const struct nlmsghdr *head, struct xp_ip *prefix, uint8_t *bits)
{
	const struct rtmsg *fixed = mnl_nlmsg_get_payload(head);
	const struct nlattr *at[RTA_MAX + 1];

	if (mnl_nlmsg_get_payload_len(head) < sizeof(*fixed) || fixed->rtm_flags & RTM_F_CLONED)
		return false;
	if (fixed->rtm_family != AF_INET && fixed->rtm_family != AF_INET6)
		return false;
	collect(head, sizeof(*fixed), at, RTA_MAX);
	*prefix = (struct xp_ip){.family = fixed->rtm_family};
	*bits = get_ip(at[RTA_DST], fixed->rtm_family, prefix) ? fixed->rtm_dst_len : 0;
	return true;
}

/* ---- links ---- */

static void read_vlan(const struct nlattr *data, struct xp_nic *nic)
{
	const struct nlattr *at[IFLA_VLAN_MAX + 1];

	collect_nested(data, at, IFLA_VLAN_MAX);
	nic->vlan = get_u16(at[IFLA_VLAN_ID]);
	nic->ethertype = get_u16(at[IFLA_VLAN_PROTOCOL]);
}

static int read_link(const struct nlmsghdr *head, void *data)
{
	const struct nlattr *at[IFLA_MAX + 1], *info[IFLA_INFO_MAX + 1], *mac;
	const struct ifinfomsg *fixed = mnl_nlmsg_get_payload(head);
	struct xp_nic *nic = data;

	if (head->nlmsg_type != RTM_NEWLINK)
		return MNL_CB_OK;
	collect(head, sizeof(*fixed), at, IFLA_MAX);
	collect_nested(at[IFLA_LINKINFO], info, IFLA_INFO_MAX);
	nic->ifindex = fixed->ifi_index;
	nic->flags = fixed->ifi_flags;
	nic->type = fixed->ifi_type;
	nic->mtu = get_u32(at[IFLA_MTU]);
	nic->lower = get_u32(at[IFLA_LINK]);
	nic->lower_elsewhere = at[IFLA_LINK_NETNSID] != NULL;
	get_text(at[IFLA_IFNAME], nic->name, sizeof(nic->name));
	get_text(info[IFLA_INFO_KIND], nic->kind, sizeof(nic->kind));
	mac = at[IFLA_ADDRESS];
	if (mac)
		get_bytes(mnl_attr_get_payload(mac), mnl_attr_get_payload_len(mac), nic->mac,
			  sizeof(nic->mac));
	if (!strcmp(nic->kind, "vlan"))
		read_vlan(info[IFLA_INFO_DATA], nic);
	return MNL_CB_OK;
}

int xp_ask_link(struct xp_ask *ask, uint32_t ifindex, const char *name, struct xp_nic *nic)
{
	size_t len = ifindex ? 0 : strlen(name);
	struct nlmsghdr *head = begin(ask, RTM_GETLINK, 0);
	struct ifinfomsg *fixed = mnl_nlmsg_put_extra_header(head, sizeof(*fixed));
	int err;

	if (!ifindex && (!len || len > MAX_ALTNAME))
		return -ENODEV;
	fixed->ifi_family = AF_UNSPEC;
	fixed->ifi_index = ifindex;
	mnl_attr_put_u32(head, IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS);
	if (!ifindex)
		mnl_attr_put_strz(head, len < sizeof(nic->name) ? IFLA_IFNAME : IFLA_ALT_IFNAME,
				  name);
	memset(nic, 0, sizeof(*nic));
	err = talk(ask, read_link, nic);
	return err || nic->ifindex ? err : -EPROTO;
}

/* ---- neighbours ---- */

bool xp_read_neighbour(const struct nlmsghdr *head, struct xp_neighbour *n)
{
	const struct ndmsg *fixed = mnl_nlmsg_get_payload(head);
	const struct nlattr *at[NDA_MAX + 1], *mac;

	memset(n, 0, sizeof(*n));
	if (mnl_nlmsg_get_payload_len(head) < sizeof(*fixed) || fixed->ndm_flags & NTF_PROXY)
		return false;
	collect(head, sizeof(*fixed), at, NDA_MAX);
	if (!get_ip(at[NDA_DST], fixed->ndm_family, &n->ip))
		return false;
	n->ifindex = fixed->ndm_ifindex;
	n->state = head->nlmsg_type == RTM_DELNEIGH ? NUD_NONE : fixed->ndm_state;
	mac = at[NDA_LLADDR];
	if (!mac || !get_bytes(mnl_attr_get_payload(mac), mnl_attr_get_payload_len(mac), n->mac,
			       sizeof(n->mac)))
		n->state &= ~XP_NUD_VALID;
	return true;
}

static int take_neighbour(const struct nlmsghdr *head, void *data)
{
	if (head->nlmsg_type == RTM_NEWNEIGH)
		xp_read_neighbour(head, data);
	return MNL_CB_OK;
}

static struct nlmsghdr *begin_neighbour(struct xp_ask *ask, uint16_t type, uint16_t flags,
					uint32_t ifindex, const struct xp_ip *ip, uint8_t ntf)
{
	struct nlmsghdr *head = begin(ask, type, flags);
	struct ndmsg *fixed = mnl_nlmsg_put_extra_header(head, sizeof(*fixed));

	fixed->ndm_family = ip->family;
	fixed->ndm_ifindex = ifindex;
	fixed->ndm_flags = ntf;
	put_ip(head, NDA_DST, ip);
	return head;
}

int xp_ask_neighbour(struct xp_ask *ask, uint32_t ifindex, const struct xp_ip *ip,
		     struct xp_neighbour *neighbour)
{
	int err;

	begin_neighbour(ask, RTM_GETNEIGH, 0, ifindex, ip, 0);
	memset(neighbour, 0, sizeof(*neighbour));
	err = talk(ask, take_neighbour, neighbour);
	return err || neighbour->ifindex ? err : -EPROTO;
}

int xp_ask_use(struct xp_ask *ask, uint32_t ifindex, const struct xp_ip *ip)
{
	begin_neighbour(ask, RTM_NEWNEIGH, NLM_F_ACK | NLM_F_CREATE, ifindex, ip, NTF_USE);
	return talk(ask, NULL, NULL);
}
