/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * netlink.c - a few questions to the kernel; see netlink.h.
 *
 * One request, one answer, a socket for each: nothing here is on a fast path. What comes from
 * the kernel is bounded by the length of the message that was received.
 */
#include <errno.h>
#include <linux/genetlink.h>
#include <linux/if_link.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "netlink.h"

#define REPLY_SIZE 32768
#define MAX_ALTNAME 127

/* The netdev generic netlink family (Linux 6.3), as far as it is used here. */
#define NETDEV_CMD_DEV_GET 1
#define NETDEV_A_DEV_IFINDEX 1
#define NETDEV_A_DEV_XDP_FEATURES 3

struct request {
	struct nlmsghdr head;
	char body[512];
};

struct reply {
	char *why; /* gets the kernel's words, may be NULL */
	size_t why_size;
	const void *payload; /* behind the netlink header */
	size_t len;
	char buffer[REPLY_SIZE] __attribute__((aligned(NLMSG_ALIGNTO)));
};

static void begin(struct request *r, uint16_t type, uint16_t flags, const void *fixed, size_t len)
{
	memset(r, 0, sizeof(*r));
	r->head.nlmsg_len = NLMSG_LENGTH(len);
	r->head.nlmsg_type = type;
	r->head.nlmsg_flags = NLM_F_REQUEST | flags;
	memcpy(NLMSG_DATA(&r->head), fixed, len);
}

/* Room is never short: every request here is made of a few small attributes. */
static struct nlattr *put(struct request *r, uint16_t type, const void *data, size_t len)
{
	struct nlattr *a = (void *)((char *)r + NLMSG_ALIGN(r->head.nlmsg_len));

	a->nla_type = type;
	a->nla_len = NLA_HDRLEN + len;
	if (len)
		memcpy((char *)a + NLA_HDRLEN, data, len);
	r->head.nlmsg_len = NLMSG_ALIGN(r->head.nlmsg_len) + NLA_ALIGN(a->nla_len);
	return a;
}

static void end_nest(struct request *r, struct nlattr *nest)
{
	nest->nla_len = (char *)r + r->head.nlmsg_len - (char *)nest;
}

/* Find an attribute in `len` bytes; *got gets its length. */
static const void *find(const void *attrs, size_t len, uint16_t type, size_t *got)
{
	const struct nlattr *a = attrs;

	while (len >= sizeof(*a) && a->nla_len >= sizeof(*a) && a->nla_len <= len) {
		if ((a->nla_type & NLA_TYPE_MASK) == type) {
			*got = a->nla_len - NLA_HDRLEN;
			return (const char *)a + NLA_HDRLEN;
		}
		if ((size_t)NLA_ALIGN(a->nla_len) >= len)
			break;
		len -= NLA_ALIGN(a->nla_len);
		a = (const void *)((const char *)a + NLA_ALIGN(a->nla_len));
	}
	return NULL;
}

static uint32_t find_u32(const void *attrs, size_t len, uint16_t type)
{
	uint32_t value = 0;
	size_t got;
	const void *data = find(attrs, len, type, &got);

	if (data && got >= sizeof(value))
		memcpy(&value, data, sizeof(value));
	return value;
}

static void find_text(const void *attrs, size_t len, uint16_t type, char *text, size_t size)
{
	size_t got;
	const char *data = find(attrs, len, type, &got);

	text[0] = '\0';
	if (data)
		snprintf(text, size, "%.*s", (int)got, data);
}

/* The error of an NLMSG_ERROR, 0 for an acknowledgement, and what the kernel says of it. */
static int read_error(const struct nlmsghdr *head, struct reply *reply)
{
	const struct nlmsgerr *error = NLMSG_DATA(head);
	size_t skip = NLMSG_HDRLEN + sizeof(*error);

	if (head->nlmsg_len < skip)
		return -EPROTO;
	if (!(head->nlmsg_flags & NLM_F_CAPPED))
		skip += error->msg.nlmsg_len - NLMSG_HDRLEN;
	if (reply->why && head->nlmsg_flags & NLM_F_ACK_TLVS && skip < head->nlmsg_len)
		find_text((const char *)head + skip, head->nlmsg_len - skip, NLMSGERR_ATTR_MSG,
			  reply->why, reply->why_size);
	return error->error;
}

static int exchange(int fd, const struct request *r, struct reply *reply)
{
	const struct nlmsghdr *head = (const void *)reply->buffer;
	ssize_t len;

	if (send(fd, r, r->head.nlmsg_len, 0) < 0)
		return -errno;
	len = recv(fd, reply->buffer, sizeof(reply->buffer), 0);
	if (len < 0)
		return -errno;
	if ((size_t)len < sizeof(*head) || head->nlmsg_len > (size_t)len ||
	    head->nlmsg_len < sizeof(*head))
		return -EPROTO;
	if (head->nlmsg_type == NLMSG_ERROR)
		return read_error(head, reply);
	reply->payload = NLMSG_DATA(head);
	reply->len = head->nlmsg_len - NLMSG_HDRLEN;
	return 0;
}

static int talk(int protocol, const struct request *r, struct reply *reply)
{
	int fd, err, on = 1;

	reply->payload = NULL;
	reply->len = 0;
	fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, protocol);
	if (fd < 0)
		return -errno;
	setsockopt(fd, SOL_NETLINK, NETLINK_EXT_ACK, &on, sizeof(on));
	setsockopt(fd, SOL_NETLINK, NETLINK_CAP_ACK, &on, sizeof(on));
	err = exchange(fd, r, reply);
	close(fd);
	return err;
}

static int read_link(const struct reply *reply, struct xp_link *link)
{
	const struct ifinfomsg *info = reply->payload;
	const char *attrs = (const char *)(info + 1);
	const void *linkinfo;
	size_t len, got;

	if (reply->len < sizeof(*info))
		return -EPROTO;
	len = reply->len - sizeof(*info);
	memset(link, 0, sizeof(*link));
	link->ifindex = info->ifi_index;
	link->flags = info->ifi_flags;
	link->mtu = find_u32(attrs, len, IFLA_MTU);
	link->rx_queues = find_u32(attrs, len, IFLA_NUM_RX_QUEUES);
	link->tx_queues = find_u32(attrs, len, IFLA_NUM_TX_QUEUES);
	find_text(attrs, len, IFLA_IFNAME, link->name, sizeof(link->name));
	if (!find(attrs, len, IFLA_LINK_NETNSID, &got))
		link->peer = find_u32(attrs, len, IFLA_LINK);
	linkinfo = find(attrs, len, IFLA_LINKINFO, &got);
	if (linkinfo)
		find_text(linkinfo, got, IFLA_INFO_KIND, link->kind, sizeof(link->kind));
	return 0;
}

static int get_link(struct request *r, struct xp_link *link)
{
	uint32_t mask = RTEXT_FILTER_SKIP_STATS;
	struct reply reply = {0};
	int err;

	put(r, IFLA_EXT_MASK, &mask, sizeof(mask));
	err = talk(NETLINK_ROUTE, r, &reply);
	return err ? err : read_link(&reply, link);
}

int xp_link_by_name(const char *text, struct xp_link *link)
{
	struct ifinfomsg info = {.ifi_family = AF_UNSPEC};
	size_t len = strlen(text);
	struct request r;

	if (!len || len > MAX_ALTNAME)
		return -ENODEV;
	begin(&r, RTM_GETLINK, 0, &info, sizeof(info));
	put(&r, len < IFNAMSIZ ? IFLA_IFNAME : IFLA_ALT_IFNAME, text, len + 1);
	return get_link(&r, link);
}

int xp_link_by_index(uint32_t ifindex, struct xp_link *link)
{
	struct ifinfomsg info = {.ifi_family = AF_UNSPEC, .ifi_index = ifindex};
	struct request r;

	begin(&r, RTM_GETLINK, 0, &info, sizeof(info));
	return get_link(&r, link);
}

/* Number of a generic netlink family. */
static int family(const char *name, struct reply *reply)
{
	struct genlmsghdr ctrl = {.cmd = CTRL_CMD_GETFAMILY, .version = 1};
	const void *id;
	struct request r;
	uint16_t number;
	size_t got;
	int err;

	begin(&r, GENL_ID_CTRL, 0, &ctrl, sizeof(ctrl));
	put(&r, CTRL_ATTR_FAMILY_NAME, name, strlen(name) + 1);
	err = talk(NETLINK_GENERIC, &r, reply);
	if (err)
		return err;
	if (reply->len < GENL_HDRLEN)
		return -EPROTO;
	id = find((const char *)reply->payload + GENL_HDRLEN, reply->len - GENL_HDRLEN,
		  CTRL_ATTR_FAMILY_ID, &got);
	if (!id || got < sizeof(number))
		return -EPROTO;
	memcpy(&number, id, sizeof(number));
	return number;
}

int xp_link_xdp_features(uint32_t ifindex, uint64_t *features)
{
	struct genlmsghdr get = {.cmd = NETDEV_CMD_DEV_GET, .version = 1};
	struct reply reply = {0};
	const void *data;
	struct request r;
	size_t got;
	int err;

	err = family("netdev", &reply);
	if (err == -ENOENT)
		return -EOPNOTSUPP;
	if (err < 0)
		return err;
	begin(&r, err, 0, &get, sizeof(get));
	put(&r, NETDEV_A_DEV_IFINDEX, &ifindex, sizeof(ifindex));
	err = talk(NETLINK_GENERIC, &r, &reply);
	if (err)
		return err;
	if (reply.len < GENL_HDRLEN)
		return -EPROTO;
	data = find((const char *)reply.payload + GENL_HDRLEN, reply.len - GENL_HDRLEN,
		    NETDEV_A_DEV_XDP_FEATURES, &got);
	if (!data || got < sizeof(*features))
		return -EPROTO;
	memcpy(features, data, sizeof(*features));
	return 0;
}

static int set_xdp(uint32_t ifindex, int prog, uint32_t flags, int expected, struct reply *reply)
{
	struct ifinfomsg info = {.ifi_family = AF_UNSPEC, .ifi_index = ifindex};
	struct nlattr *nest;
	struct request r;

	begin(&r, RTM_SETLINK, NLM_F_ACK, &info, sizeof(info));
	nest = put(&r, IFLA_XDP | NLA_F_NESTED, NULL, 0);
	put(&r, IFLA_XDP_FD, &prog, sizeof(prog));
	put(&r, IFLA_XDP_FLAGS, &flags, sizeof(flags));
	if (expected >= 0)
		put(&r, IFLA_XDP_EXPECTED_FD, &expected, sizeof(expected));
	end_nest(&r, nest);
	return talk(NETLINK_ROUTE, &r, reply);
}

void xp_link_why_refused(uint32_t ifindex, int prog, uint32_t xdp_flags, char *why, size_t size)
{
	struct reply reply = {.why = why, .why_size = size};

	why[0] = '\0';
	if (set_xdp(ifindex, prog, xdp_flags | XDP_FLAGS_UPDATE_IF_NOEXIST, -1, &reply))
		return;
	/* EXPECTED_FD: take away our own program and no other's. */
	set_xdp(ifindex, -1, xdp_flags | XDP_FLAGS_REPLACE, prog, &reply);
	why[0] = '\0';
}
