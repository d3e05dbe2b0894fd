/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * interface_check.c - what an interface's settings will do to placement.
 *
 * In: an interface and the mode to attach in. Out: findings, each with the one line that puts it
 * right. Fatal are those with which attaching fails, or with which nothing is placed as it was
 * sent; the others change what is seen, and the user should know. Reads only, changes nothing.
 */
#include <errno.h>
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "context.h"
#include "interface.h"

#define MAX_MTU 65535u /* what is longer does not fit a completion's 16 bits */
/* A page less XDP's head room, the skb_shared_info behind it and the Ethernet header. */
#define ONE_BUFFER_MTU 3498u

#define IN_NATIVE (1 << XDPLACE_NATIVE)
#define IN_SKB (1 << XDPLACE_SKB)

struct check {
	const struct xp_link *link;
	enum xdplace_mode mode;
	int fd; /* any socket, for ioctls */
	struct xp_finding *findings;
	int count;
};

static void find(struct check *c, int err, const char *remedy, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

/* err 0: not fatal. The remedy's %s is the interface's name. */
static void find(struct check *c, int err, const char *remedy, const char *fmt, ...)
{
	struct xp_finding *f = &c->findings[c->count];
	va_list args;

	if (c->count == XP_MAX_FINDINGS)
		return;
	c->count++;
	f->err = err;
	f->say.fatal = err != 0;
	va_start(args, fmt);
	vsnprintf(f->say.what, sizeof(f->say.what), fmt, args);
	va_end(args);
	snprintf(f->say.remedy, sizeof(f->say.remedy), remedy, c->link->name);
}

/* What was found last is how things are, and nothing to change. */
static void just_note(struct check *c)
{
	c->findings[c->count - 1].say.note = true;
}

static int ethtool(int fd, const char *name, void *command)
{
	struct ifreq request = {.ifr_data = command};

	snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", name);
	return ioctl(fd, SIOCETHTOOL, &request) ? -errno : 0;
}

/* ---- features, by the names that ethtool -k has for the kernel's bits ---- */

struct features {
	uint32_t count;
	char (*name)[ETH_GSTRING_LEN];
	struct ethtool_gfeatures *state;
};

static void features_free(struct features *f)
{
	free(f->name);
	free(f->state);
}

static uint32_t feature_count(int fd, const char *ifname)
{
	union {
		struct ethtool_sset_info info;
		char room[sizeof(struct ethtool_sset_info) + sizeof(uint32_t)];
	} set;

	memset(&set, 0, sizeof(set));
	set.info.cmd = ETHTOOL_GSSET_INFO;
	set.info.sset_mask = 1ull << ETH_SS_FEATURES;
	if (ethtool(fd, ifname, &set) || !set.info.sset_mask)
		return 0;
	return set.info.data[0];
}

static int features_get(int fd, const char *ifname, struct features *f)
{
	uint32_t blocks, count = feature_count(fd, ifname);
	struct ethtool_gstrings *strings;
	int err;

	memset(f, 0, sizeof(*f));
	if (!count)
		return -EOPNOTSUPP;
	blocks = (count + 31) / 32;
	strings = calloc(1, sizeof(*strings) + count * ETH_GSTRING_LEN);
	f->name = calloc(count, ETH_GSTRING_LEN);
	f->state = calloc(1, sizeof(*f->state) + blocks * sizeof(f->state->features[0]));
	err = -ENOMEM;
	if (!strings || !f->name || !f->state)
		goto out;
	strings->cmd = ETHTOOL_GSTRINGS;
	strings->string_set = ETH_SS_FEATURES;
	strings->len = count;
	err = ethtool(fd, ifname, strings);
	if (err)
		goto out;
	memcpy(f->name, strings->data, count * ETH_GSTRING_LEN);
	f->state->cmd = ETHTOOL_GFEATURES;
	f->state->size = blocks;
	err = ethtool(fd, ifname, f->state);
	f->count = count;
out:
	free(strings);
	if (err)
		features_free(f);
	return err;
}

static bool feature_on(const struct features *f, const char *name)
{
	uint32_t i;

	for (i = 0; i < f->count; i++)
		if (!strncmp(f->name[i], name, ETH_GSTRING_LEN))
			return f->state->features[i / 32].active >> i % 32 & 1;
	return false;
}

/* What a feature that is on means, and for whom. */
static const struct {
	const char *feature;
	int modes;
	int err;
	const char *what;
	const char *remedy;
} feature_rules[] = {
	{"rx-lro", IN_NATIVE, EOPNOTSUPP, "large-receive-offload is on: packets arrive merged",
	 "ethtool -K %s lro off"},
	{"rx-gro-hw", IN_NATIVE, EOPNOTSUPP, "rx-gro-hw is on: packets arrive merged",
	 "ethtool -K %s rx-gro-hw off"},
	{"rx-vlan-hw-parse", IN_NATIVE | IN_SKB, 0,
	 "rx-vlan-offload is on: VLAN tags are gone before the program sees a packet",
	 "ethtool -K %s rxvlan off"},
	{"rx-gro", IN_SKB, 0,
	 "generic-receive-offload is on: segments arrive merged, placed up to 64 KiB at once",
	 "nothing to do; to see packets as they were sent: ethtool -K %s gro off"},
	{"rx-udp-gro-forwarding", IN_SKB, 0,
	 "rx-udp-gro-forwarding is on: UDP datagrams arrive merged, boundaries are lost",
	 "ethtool -K %s rx-udp-gro-forwarding off"},
	{"rx-gro-list", IN_SKB, 0, "rx-gro-list is on: UDP datagrams arrive in lists",
	 "ethtool -K %s rx-gro-list off"},
};

static void check_features(struct check *c)
{
	struct features f;
	size_t i;

	if (features_get(c->fd, c->link->name, &f))
		return; /* no ethtool at all: nothing that could be on */
	for (i = 0; i < sizeof(feature_rules) / sizeof(feature_rules[0]); i++)
		if (feature_rules[i].modes >> c->mode & 1 &&
		    feature_on(&f, feature_rules[i].feature))
			find(c, feature_rules[i].err, feature_rules[i].remedy, "%s",
			     feature_rules[i].what);
	features_free(&f);
}

/* ---- the driver: XDP at all, and in more than one buffer ---- */

static bool is_veth(const struct check *c)
{
	return !strcmp(c->link->kind, "veth");
}

/*
 * Of drivers that announce nothing, those from outside the kernel tree may do XDP all the same:
 * the kernel has the last word when it is asked to attach. What others announce can be trusted.
 */
static void check_announced(struct check *c, uint64_t features)
{
	if (!(features & XP_XDP_BASIC))
		find(c, 0, "if attaching to %s is refused: --mode skb",
		     "driver announces no XDP support");
	else if (!(features & XP_XDP_RX_SG) && c->link->mtu > ONE_BUFFER_MTU)
		find(c, ERANGE, "ip link set dev %s mtu 3498, or --mode skb",
		     "MTU %u, but the driver does XDP in one buffer only", c->link->mtu);
}

static void check_driver(struct check *c)
{
	uint64_t features;

	if (c->mode != XDPLACE_NATIVE || is_veth(c))
		return;
	if (!xp_link_xdp_features(c->link->ifindex, &features))
		check_announced(c, features);
	else if (c->link->mtu > ONE_BUFFER_MTU)
		find(c, 0, "if attaching is refused: ip link set dev %s mtu 3498, or --mode skb",
		     "MTU %u needs a driver that does XDP in several buffers", c->link->mtu);
}

/* The loopback device has such an MTU from the start, and hardly ever such packets. */
static void check_mtu(struct check *c)
{
	if (c->link->mtu > MAX_MTU)
		find(c, c->link->flags & IFF_LOOPBACK ? 0 : ERANGE, "ip link set dev %s mtu 65521",
		     "MTU %u: packets may be longer than the 65535 bytes that can be placed",
		     c->link->mtu);
}

static void check_carrier(struct check *c)
{
	if (!(c->link->flags & IFF_UP))
		find(c, 0, "ip link set dev %s up", "interface is down");
	else if (!(c->link->flags & IFF_RUNNING))
		find(c, 0, "check the cable, or what %s is connected to", "no carrier");
}

/* ---- queues ---- */

/* Queues that carry `kind` (0: receive, 1: transmit) as ethtool -l counts them; 0: unknown. */
static uint32_t channels(int fd, const char *ifname, bool transmit)
{
	struct ethtool_channels ch = {.cmd = ETHTOOL_GCHANNELS};

	if (ethtool(fd, ifname, &ch))
		return 0;
	return ch.combined_count + (transmit ? ch.tx_count : ch.rx_count);
}

/* A file of the interface below /sys; -1 as well if /sys shows another network namespace. */
static int sysfs(const struct xp_link *link, const char *file, char *text, size_t size)
{
	char path[128];
	FILE *f;
	char *got;

	snprintf(path, sizeof(path), "/sys/class/net/%s/%s", link->name, file);
	f = fopen(path, "re");
	if (!f)
		return -1;
	got = fgets(text, size, f);
	fclose(f);
	return got ? 0 : -1;
}

static bool sysfs_is_ours(const struct xp_link *link)
{
	char text[32];

	return !sysfs(link, "ifindex", text, sizeof(text)) &&
	       strtoul(text, NULL, 10) == link->ifindex;
}

static uint32_t sysfs_queues(const struct xp_link *link)
{
	char path[128];
	uint32_t n;

	if (!sysfs_is_ours(link))
		return 0;
	for (n = 0; n < 4096; n++) {
		snprintf(path, sizeof(path), "/sys/class/net/%s/queues/rx-%u", link->name, n);
		if (access(path, F_OK))
			break;
	}
	return n;
}

uint32_t xp_link_queues(const struct xp_link *link)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	uint32_t n = 0;

	if (fd >= 0) {
		n = channels(fd, link->name, false);
		close(fd);
	}
	if (!n)
		n = sysfs_queues(link);
	return n ? n : 1;
}

static void check_rps(struct check *c)
{
	char cpus[256];

	if (c->mode != XDPLACE_SKB || !sysfs_is_ours(c->link) ||
	    sysfs(c->link, "queues/rx-0/rps_cpus", cpus, sizeof(cpus)))
		return;
	if (strspn(cpus, "0,\n") == strlen(cpus))
		return;
	find(c, 0, "nothing to do: lanes are locked against each other (%s)",
	     "RPS spreads queue 0 over several CPUs");
	just_note(c);
}

/* A veth can do XDP when it has a receive queue for each transmit queue of its peer. */
static void check_veth_queues(struct check *c)
{
	uint32_t rx = channels(c->fd, c->link->name, false), tx;
	uint64_t features;
	struct xp_link peer;

	if (c->link->peer && !xp_link_by_index(c->link->peer, &peer)) {
		tx = channels(c->fd, peer.name, true);
		if (rx && rx < tx)
			find(c, ENOSPC, "ethtool -L %s rx N for more, or --mode skb",
			     "veth: too few receive queues (%u) for the peer's transmit queues "
			     "(%s: %u)",
			     rx, peer.name, tx);
		return;
	}
	/* The peer is in another namespace, but the driver knows: it takes back its support. */
	if (!xp_link_xdp_features(c->link->ifindex, &features) && !(features & XP_XDP_BASIC))
		find(c, ENOSPC,
		     "ethtool -L %s rx N for more, ethtool -L ... tx N at the peer for less, or "
		     "--mode skb",
		     "veth: too few receive queues (%u) for the peer's transmit queues", rx);
}

static void check_veth(struct check *c)
{
	if (!is_veth(c) || c->mode != XDPLACE_NATIVE)
		return;
	find(c, 0, "nothing to do: senders behind %s segment in software meanwhile",
	     "veth: the peer loses TSO while the program is attached");
	just_note(c);
	check_veth_queues(c);
}

int xp_check_link(const struct xp_link *link, enum xdplace_mode mode,
		  struct xp_finding findings[XP_MAX_FINDINGS])
{
	struct check c = {.link = link, .mode = mode, .findings = findings};

	memset(findings, 0, XP_MAX_FINDINGS * sizeof(*findings));
	c.fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	check_driver(&c);
	check_mtu(&c);
	check_carrier(&c);
	if (c.fd < 0)
		return c.count;
	check_features(&c);
	check_veth(&c);
	check_rps(&c);
	close(c.fd);
	return c.count;
}

int xdplace_check_interface(const char *ifname, enum xdplace_mode mode,
			    struct xdplace_finding *findings, size_t count)
{
	struct xp_finding found[XP_MAX_FINDINGS];
	struct xp_link link;
	int i, n, err;

	err = xp_link_by_name(ifname, &link);
	if (err == -ENODEV)
		return xp_fail(ENODEV, "check %s: no such interface; `ip link` lists them", ifname);
	if (err)
		return xp_fail(-err, "check %s: %s", ifname, strerror(-err));
	n = xp_check_link(&link, mode, found);
	for (i = 0; i < n && (size_t)i < count; i++)
		findings[i] = found[i].say;
	return n;
}
