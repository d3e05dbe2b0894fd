/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * face.h - the block of headers of a destination, from what is known of the way to it. Pure: asks
 * nobody.
 */
#ifndef XP_FACE_H
#define XP_FACE_H

#include "route.h"
#include "transmit.h"

#define XP_FACE_TAGS 2u

struct xp_face_plan {
	struct xp_ip to;
	struct xp_ip from;
	uint16_t sport; /* ports as on the wire */
	uint16_t dport;
	uint8_t ttl; /* or hop limit */
	uint8_t tos; /* or traffic class */
	uint8_t mac[6];
	uint8_t source_mac[6];
	uint32_t tags;
	struct {
		uint16_t ethertype; /* as on the wire */
		uint16_t vlan;
	} tag[XP_FACE_TAGS]; /* the outermost first */
	uint32_t ifindex;
	uint32_t mtu;	  /* bytes of IP packet */
	uint32_t frame;	  /* bytes of a frame that the engine can make */
	uint32_t payload; /* bytes in a packet that are wanted at most; 0: as fit */
	bool no_checksum;
	bool rtp;
	uint8_t rtp_type;
	uint32_t rtp_ssrc;
};

/* A face without error; -EMSGSIZE: no byte of payload fits. */
int xp_face_build(const struct xp_face_plan *plan, struct xp_tx_face *face);
bool xp_ip_multicast(const struct xp_ip *ip);
/* The group's address on Ethernet (RFC 1112, 6.4; RFC 2464, 7). */
void xp_face_group_mac(const struct xp_ip *group, uint8_t *mac);

#endif
