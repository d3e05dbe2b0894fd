/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * follow.c - the thread of a transmitter that follows what changes on the ways to its
 * destinations.
 *
 * In: the kernel's notices of links, neighbours, routes, rules and addresses; ICMP errors that say
 * that packets are too long for their path. Out: faces.
 * Notices only say where to look: what is true now is asked for. Those of a burst are gathered
 * before anything is looked at; where some were lost, or are too many, all ways are looked at.
 *
 * Promises: a notice that touches no destination costs no question; the lock is given back after
 * each way that was looked at.
 */
#include <errno.h>
#include <linux/rtnetlink.h>
#include <poll.h>
#include <signal.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <time.h>

#include <linux/errqueue.h>

#include <libmnl/libmnl.h>

#include "ways.h"

#define BUFFER_SIZE 65536
#define RECEIVE_SIZE (1 << 20) /* of the socket: notices that wait */
#define QUIET_MS 2	       /* that end a burst, */
#define BURST_MS 20	       /* which is no longer than this */
#define MOST_PREFIXES 32       /* in a burst, or all ways of the family are looked at */
#define LOOKS 256	       /* at ways, between two looks for notices */
#define ERRORS 16	       /* of a socket, at a time */
#define ROUND_MS 1000
#define ROUND 64 /* ways */
#define STACK_SIZE (128 << 10)

/* What the notices of a burst were about. */
struct burst {
	bool links;
	bool all; /* or those of one family: */
	bool all4;
	bool all6;
	uint32_t prefixes;
	struct {
		struct xp_ip ip;
		uint8_t bits;
	} prefix[MOST_PREFIXES];
};

/* ---- which ways are to be looked at ---- */

void xp_way_mark(struct xp_tx_ways *ways, struct xp_way *w, uint32_t look)
{
	if (!w->look)
		TAILQ_INSERT_TAIL(&ways->dirty, w, of_dirty);
	w->look |= look;
}

void xp_way_unmark(struct xp_tx_ways *ways, struct xp_way *w)
{
	if (w->look)
		TAILQ_REMOVE(&ways->dirty, w, of_dirty);
	w->look = 0;
}

static bool in_prefix(const struct xp_ip *ip, const struct xp_ip *prefix, uint8_t bits)
{
	uint32_t bytes = bits / 8;

	if (ip->family != prefix->family || bytes > xp_ip_bytes(ip))
		return false;
	if (memcmp(ip->byte, prefix->byte, bytes))
		return false;
	return !(bits % 8) || !((ip->byte[bytes] ^ prefix->byte[bytes]) >> (8 - bits % 8));
}

static bool through_changed(struct xp_tx_ways *ways, const struct xp_way *w)
{
	const struct xp_device *device;
	int i;

	/* One that is not there may have come back under another number. */
	if (w->error == ENODEV)
		return true;
	for (i = 0; i <= (int)XP_FACE_TAGS && w->through[i]; i++) {
		device = xp_device_find(ways, w->through[i]);
		if (device && device->changed)
			return true;
	}
	return false;
}

static bool touched(struct xp_tx_ways *ways, const struct burst *burst, const struct xp_way *w)
{
	uint32_t i;

	if (burst->all || (w->to.family == AF_INET ? burst->all4 : burst->all6))
		return true;
	for (i = 0; i < burst->prefixes; i++)
		if (in_prefix(&w->to, &burst->prefix[i].ip, burst->prefix[i].bits))
			return true;
	return burst->links && through_changed(ways, w);
}

static void spread(struct xp_tx_ways *ways, const struct burst *burst)
{
	struct xp_device *device;
	uint32_t i;

	if (burst->links || burst->all || burst->all4 || burst->all6 || burst->prefixes)
		for (i = 0; i < ways->begun; i++)
			if (ways->way[i].used && touched(ways, burst, &ways->way[i]))
				xp_way_mark(ways, &ways->way[i], XP_LOOK_ROUTE);
	for (i = 0; burst->links && i < XP_WAYS_DEVICES; i++)
		LIST_FOREACH (device, &ways->device[i], of_bucket)
			device->changed = false;
}

/* ---- notices ---- */

static void on_link(struct xp_tx_ways *ways, struct burst *burst, const struct nlmsghdr *head)
{
	const struct ifinfomsg *info = mnl_nlmsg_get_payload(head);
	struct xp_device *device;

	if (mnl_nlmsg_get_payload_len(head) < sizeof(*info))
		return;
	/* A new one may be what somebody waits for. */
	burst->links = true;
	device = xp_device_find(ways, info->ifi_index);
	if (!device)
		return;
	device->fresh = false;
	device->prepared = 0;
	device->changed = true;
}

/*
 * A notice may be older than what was asked for: one that would change anything is asked for
 * again.
 */
static void on_neighbour(struct xp_tx_ways *ways, struct burst *burst, const struct nlmsghdr *head)
{
	struct xp_neighbour n;
	struct xp_hop *hop;
	bool valid;

	if (!xp_read_neighbour(head, &n))
		return;
	hop = xp_hop_find(ways, n.ifindex, &n.ip);
	if (!hop)
		return;
	valid = n.state & XP_NUD_VALID;
	if (valid && hop->known && !memcmp(n.mac, hop->mac, sizeof(n.mac)))
		xp_hop_take(ways, hop, &n);
	else
		xp_hop_ask(ways, hop);
}

static void on_route(struct xp_tx_ways *ways, struct burst *burst, const struct nlmsghdr *head)
{
	struct xp_ip ip;
	uint8_t bits;

	if (!xp_read_prefix(head, &ip, &bits))
		return;
	if (burst->prefixes < MOST_PREFIXES) {
		burst->prefix[burst->prefixes].ip = ip;
		burst->prefix[burst->prefixes++].bits = bits;
	} else if (ip.family == AF_INET) {
		burst->all4 = true;
	} else {
		burst->all6 = true;
	}
}

static void on_address(struct xp_tx_ways *ways, struct burst *burst, const struct nlmsghdr *head)
{
	const struct ifaddrmsg *info = mnl_nlmsg_get_payload(head);

	if (mnl_nlmsg_get_payload_len(head) < sizeof(*info))
		return;
	burst->all4 |= info->ifa_family == AF_INET;
	burst->all6 |= info->ifa_family == AF_INET6;
}

static void on_rule(struct xp_tx_ways *ways, struct burst *burst, const struct nlmsghdr *head)
{
	burst->all = true;
}

static const struct {
	uint16_t type;
	void (*take)(struct xp_tx_ways *ways, struct burst *burst, const struct nlmsghdr *head);
} notices[] = {
	{RTM_NEWLINK, on_link},	      {RTM_DELLINK, on_link},	 {RTM_NEWNEIGH, on_neighbour},
	{RTM_DELNEIGH, on_neighbour}, {RTM_NEWROUTE, on_route},	 {RTM_DELROUTE, on_route},
	{RTM_NEWADDR, on_address},    {RTM_DELADDR, on_address}, {RTM_NEWRULE, on_rule},
	{RTM_DELRULE, on_rule},	      {RTM_NEWNEXTHOP, on_rule}, {RTM_DELNEXTHOP, on_rule},
};

static void take_notice(struct xp_tx_ways *ways, struct burst *burst, const struct nlmsghdr *head)
{
	size_t i;

	for (i = 0; i < sizeof(notices) / sizeof(notices[0]); i++)
		if (notices[i].type == head->nlmsg_type)
			notices[i].take(ways, burst, head);
}

/* Notices were lost: nothing that is known is sure. */
static void on_loss(struct xp_tx_ways *ways, struct burst *burst)
{
	struct xp_device *device;
	struct xp_hop *hop;
	uint32_t i;

	burst->links = burst->all = true;
	for (i = 0; i < XP_WAYS_DEVICES; i++)
		LIST_FOREACH (device, &ways->device[i], of_bucket) {
			device->fresh = false;
			device->prepared = 0;
		}
	for (i = 0; i <= ways->hop_mask; i++)
		LIST_FOREACH (hop, &ways->hop[i], of_bucket)
			xp_hop_ask(ways, hop);
}

/* One datagram of notices: false, there is none at present. */
static bool receive(struct xp_tx_ways *ways, struct burst *burst)
{
	ssize_t got = recv(ways->events, ways->buffer, BUFFER_SIZE, MSG_DONTWAIT);
	const struct nlmsghdr *head = (const void *)ways->buffer;
	int len = got;

	if (got < 0 && errno == ENOBUFS) {
		on_loss(ways, burst);
		return true;
	}
	for (; got > 0 && mnl_nlmsg_ok(head, len); head = mnl_nlmsg_next(head, &len))
		take_notice(ways, burst, head);
	return got > 0;
}

static void gather(struct xp_tx_ways *ways)
{
	struct pollfd events = {.fd = ways->events, .events = POLLIN};
	struct burst burst = {0};
	int64_t end = xp_now_ms() + BURST_MS;

	do {
		pthread_mutex_lock(&ways->lock);
		while (receive(ways, &burst) && xp_now_ms() < end)
			;
		pthread_mutex_unlock(&ways->lock);
	} while (xp_now_ms() < end && poll(&events, 1, QUIET_MS) > 0);
	pthread_mutex_lock(&ways->lock);
	spread(ways, &burst);
	pthread_mutex_unlock(&ways->lock);
}

/* ---- what no notice tells ---- */

static void mark_address(struct xp_tx_ways *ways, const struct sockaddr_storage *address)
{
	bool v6 = address->ss_family == AF_INET6;
	struct xp_ip ip = {.family = address->ss_family};
	uint32_t i;

	if (v6)
		memcpy(ip.byte, &((const struct sockaddr_in6 *)address)->sin6_addr, 16);
	else
		memcpy(ip.byte, &((const struct sockaddr_in *)address)->sin_addr, 4);
	for (i = 0; i < ways->begun; i++)
		if (ways->way[i].open && in_prefix(&ways->way[i].to, &ip, v6 ? 128 : 32))
			xp_way_mark(ways, &ways->way[i], XP_LOOK_ROUTE);
}

/* One error of a socket that keeps a port: where packets were too long, the route says so now. */
static bool take_error(struct xp_tx_ways *ways, int keeper)
{
	struct sockaddr_storage to = {0};
	char control[512];
	struct msghdr message = {
		.msg_name = &to,
		.msg_namelen = sizeof(to),
		.msg_control = control,
		.msg_controllen = sizeof(control),
	};
	const struct sock_extended_err *error;
	struct cmsghdr *c;

	if (recvmsg(keeper, &message, MSG_ERRQUEUE | MSG_DONTWAIT) < 0)
		return false;
	for (c = CMSG_FIRSTHDR(&message); c; c = CMSG_NXTHDR(&message, c)) {
		error = (const void *)CMSG_DATA(c);
		if (((c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_RECVERR) ||
		     (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_RECVERR)) &&
		    error->ee_errno == EMSGSIZE)
			mark_address(ways, &to);
	}
	return true;
}

static void take_errors(struct xp_tx_ways *ways, int keeper)
{
	socklen_t size = sizeof(int);
	int i, error;

	pthread_mutex_lock(&ways->lock);
	for (i = 0; i < ERRORS && take_error(ways, keeper); i++)
		;
	pthread_mutex_unlock(&ways->lock);
	/* One that is in no queue (`ss -K` leaves such) would wake us for ever. */
	getsockopt(keeper, SOL_SOCKET, SO_ERROR, &error, &size);
}

/* Some of the ways that may get better without a notice, once in ROUND_MS. */
static int look_round(struct xp_tx_ways *ways)
{
	int64_t now = xp_now_ms();
	uint32_t i, marked = 0;
	struct xp_way *w;

	if (!ways->ailing)
		return -1;
	if (now < ways->next_round)
		return ways->next_round - now;
	ways->next_round = now + ROUND_MS;
	for (i = 0; i < ways->begun && marked < ROUND; i++) {
		ways->round = ways->round + 1 < ways->begun ? ways->round + 1 : 0;
		w = &ways->way[ways->round];
		if (!w->ailing)
			continue;
		xp_way_mark(ways, w, XP_LOOK_ROUTE);
		marked++;
	}
	return ROUND_MS;
}

/* ---- the thread ---- */

/*
 * While a new next hop's address is looked for, packets go on as before: one that was good
 * until now is better than none.
 */
static bool look_at_one(struct xp_tx_ways *ways)
{
	struct xp_way *w;
	uint32_t look;
	int err;

	pthread_mutex_lock(&ways->lock);
	w = TAILQ_FIRST(&ways->dirty);
	if (w) {
		look = w->look;
		xp_way_unmark(ways, w);
		err = xp_way_look(ways, w, look);
		if (w->open && err != -EAGAIN)
			xp_way_show(ways, w, err);
	}
	pthread_mutex_unlock(&ways->lock);
	return w;
}

/* Milliseconds until there is something to do, -1: nobody knows; -2: the end. */
static int next_wait(struct xp_tx_ways *ways)
{
	int wait, round;

	pthread_mutex_lock(&ways->lock);
	wait = xp_hops_tend(ways);
	round = look_round(ways);
	if (round >= 0 && (wait < 0 || round < wait))
		wait = round;
	if (!TAILQ_EMPTY(&ways->dirty))
		wait = 0;
	if (ways->ending)
		wait = -2;
	pthread_mutex_unlock(&ways->lock);
	return wait;
}

static void *follow(void *arg)
{
	struct xp_tx_ways *ways = arg;
	struct pollfd poll_for[] = {
		{.fd = ways->waker, .events = POLLIN},
		{.fd = ways->events, .events = POLLIN},
		{.fd = ways->keeper[0]}, /* errors */
		{.fd = ways->keeper[1]},
	};
	eventfd_t woken;
	int wait, i;

	while ((wait = next_wait(ways)) > -2) {
		poll(poll_for, 4, wait);
		if (poll_for[0].revents)
			eventfd_read(ways->waker, &woken);
		if (poll_for[1].revents)
			gather(ways);
		for (i = 0; i < 2; i++)
			if (poll_for[2 + i].revents)
				take_errors(ways, ways->keeper[i]);
		for (i = 0; i < LOOKS && look_at_one(ways); i++)
			;
	}
	return NULL;
}

void xp_follow_wake(struct xp_tx_ways *ways)
{
	eventfd_write(ways->waker, 1);
}

static int begin_thread(struct xp_tx_ways *ways)
{
	sigset_t all, before;
	pthread_attr_t attr;
	int err;

	sigfillset(&all);
	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, STACK_SIZE);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	err = pthread_create(&ways->follower, &attr, follow, ways);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	pthread_attr_destroy(&attr);
	return err;
}

int xp_follow_start(struct xp_tx_ways *ways)
{
	int err;

	if (ways->following)
		return 0;
	err = begin_thread(ways);
	if (err)
		return xp_fail(err, "begin a thread: %s", strerror(err));
	ways->following = true;
	return 0;
}

int xp_follow_open(struct xp_tx_ways *ways)
{
	static const int groups[] = {
		RTNLGRP_LINK,	    RTNLGRP_NEIGH,	 RTNLGRP_IPV4_ROUTE,
		RTNLGRP_IPV6_ROUTE, RTNLGRP_IPV4_IFADDR, RTNLGRP_IPV6_IFADDR,
		RTNLGRP_IPV4_RULE,  RTNLGRP_IPV6_RULE,	 RTNLGRP_NEXTHOP,
	};
	struct sockaddr_nl any = {.nl_family = AF_NETLINK};
	int size = RECEIVE_SIZE;
	size_t i;

	ways->buffer = malloc(BUFFER_SIZE);
	ways->waker = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	ways->events = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
	if (!ways->buffer || ways->waker < 0 || ways->events < 0)
		return -errno;
	/* Without a number of its own, the kernel would take it for the notices' sender. */
	if (bind(ways->events, (void *)&any, sizeof(any)))
		return -errno;
	if (setsockopt(ways->events, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)))
		setsockopt(ways->events, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	for (i = 0; i < sizeof(groups) / sizeof(groups[0]); i++)
		if (setsockopt(ways->events, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &groups[i],
			       sizeof(groups[i])))
			return -errno;
	return 0;
}

void xp_follow_close(struct xp_tx_ways *ways)
{
	if (ways->following) {
		pthread_mutex_lock(&ways->lock);
		ways->ending = true;
		pthread_mutex_unlock(&ways->lock);
		xp_follow_wake(ways);
		pthread_join(ways->follower, NULL);
	}
	if (ways->waker >= 0)
		close(ways->waker);
	if (ways->events >= 0)
		close(ways->events);
	free(ways->buffer);
}
