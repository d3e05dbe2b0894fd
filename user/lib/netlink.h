/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * netlink.h - what only netlink tells of an interface: its real name behind an alternative one,
 * what its driver can do with XDP, and in the kernel's words why attaching was refused.
 */
#ifndef XP_NETLINK_H
#define XP_NETLINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct xp_link {
	char name[16];
	uint32_t ifindex;
	uint32_t flags; /* IFF_* */
	uint32_t mtu;
	uint32_t peer; /* ifindex of the other end of a veth; 0: none, or in another namespace */
	uint32_t rx_queues; /* that it may have at most */
	uint32_t tx_queues;
	char kind[16]; /* "veth", "bond"; empty: hardware */
};

/* Look up by name or alternative name; `text` may be longer than a name. -ENODEV */
int xp_link_by_name(const char *text, struct xp_link *link);
int xp_link_by_index(uint32_t ifindex, struct xp_link *link);

/* Bits of the netdev family's xdp-features; Debian 12's headers do not have them yet. */
#define XP_XDP_BASIC 0x01u
#define XP_XDP_NDO_XMIT 0x04u
#define XP_XDP_ZEROCOPY 0x08u
#define XP_XDP_RX_SG 0x20u
/* -EOPNOTSUPP: the kernel can not tell (before 6.3). */
int xp_link_xdp_features(uint32_t ifindex, uint64_t *features);

/*
 * Ask once more, over netlink, for an attachment that bpf(2) has just refused: only there the
 * kernel gives its reason in words. An attachment that succeeds this time is undone at once.
 * Writes the reason, or an empty text.
 */
void xp_link_why_refused(uint32_t ifindex, int prog, uint32_t xdp_flags, char *why, size_t size);

#endif
