/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * face.c - Ethernet, VLAN tags, IPv4 or IPv6, UDP, RTP as one block; see face.h.
 *
 * What differs from packet to packet is zero here, and xp_tx_patch() puts it in.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "face.h"

#define RTP_VERSION 0x80 /* 2, no padding, no extension, no CSRC (RFC 3550, 5.1) */

bool xp_ip_multicast(const struct xp_ip *ip)
{
	return ip->family == AF_INET ? (ip->byte[0] & 0xf0) == 0xe0 : ip->byte[0] == 0xff;
}

void xp_face_group_mac(const struct xp_ip *group, uint8_t *mac)
{
	if (group->family == AF_INET6) {
		memset(mac, 0x33, 2);
		memcpy(mac + 2, group->byte + 12, 4);
		return;
	}
	mac[0] = 0x01;
	mac[1] = 0x00;
	mac[2] = 0x5e;
	mac[3] = group->byte[1] & 0x7f;
	memcpy(mac + 4, group->byte + 2, 2);
}

/* Each of these puts a header at p and returns where the next one begins. */

static uint8_t *put_ethernet(uint8_t *p, const struct xp_face_plan *plan)
{
	uint16_t type = htons(plan->to.family == AF_INET ? ETH_P_IP : ETH_P_IPV6), tci;
	uint32_t i;

	memcpy(p, plan->mac, 6);
	memcpy(p + 6, plan->source_mac, 6);
	p += 12;
	for (i = 0; i < plan->tags; i++, p += 4) {
		tci = htons(plan->tag[i].vlan);
		memcpy(p, &plan->tag[i].ethertype, 2);
		memcpy(p + 2, &tci, 2);
	}
	memcpy(p, &type, 2);
	return p + 2;
}

static uint8_t *put_ipv4(uint8_t *p, const struct xp_face_plan *plan)
{
	struct iphdr ip = {
		.version = 4,
		.ihl = 5,
		.tos = plan->tos,
		.frag_off = htons(0x4000), /* don't fragment */
		.ttl = plan->ttl,
		.protocol = IPPROTO_UDP,
	};

	memcpy(&ip.saddr, plan->from.byte, 4);
	memcpy(&ip.daddr, plan->to.byte, 4);
	memcpy(p, &ip, sizeof(ip));
	return p + sizeof(ip);
}

static uint8_t *put_ipv6(uint8_t *p, const struct xp_face_plan *plan)
{
	p[0] = 0x60 | plan->tos >> 4;
	p[1] = plan->tos << 4;
	p[6] = IPPROTO_UDP;
	p[7] = plan->ttl;
	memcpy(p + 8, plan->from.byte, 16);
	memcpy(p + 24, plan->to.byte, 16);
	return p + sizeof(struct ipv6hdr);
}

static uint8_t *put_udp(uint8_t *p, const struct xp_face_plan *plan)
{
	memcpy(p, &plan->sport, 2);
	memcpy(p + 2, &plan->dport, 2);
	return p + sizeof(struct udphdr);
}

static uint8_t *put_rtp(uint8_t *p, const struct xp_face_plan *plan)
{
	uint32_t ssrc = htonl(plan->rtp_ssrc);

	p[0] = RTP_VERSION;
	p[1] = plan->rtp_type;
	memcpy(p + 8, &ssrc, sizeof(ssrc));
	return p + XP_RTP_BYTES;
}

static uint32_t least(uint32_t a, uint32_t b)
{
	return a < b ? a : b;
}

static int set_room(const struct xp_face_plan *plan, struct xp_tx_face *face)
{
	uint32_t headers = face->front - face->l3; /* within the IP packet */
	uint32_t mtu = least(plan->mtu, 65535), room;

	if (mtu <= headers || plan->frame <= face->front)
		return -EMSGSIZE;
	room = least(mtu - headers, plan->frame - face->front);
	face->room = plan->payload ? least(room, plan->payload) : room;
	return 0;
}

int xp_face_build(const struct xp_face_plan *plan, struct xp_tx_face *face)
{
	bool v6 = plan->to.family == AF_INET6;
	uint8_t *p;

	memset(face, 0, sizeof(*face));
	face->ifindex = plan->ifindex;
	face->flags = (v6 ? XP_TX_V6 : 0) | (plan->rtp ? XP_TX_RTP : 0) |
		      (plan->no_checksum && !v6 ? XP_TX_NO_CHECKSUM : 0);
	p = put_ethernet(face->block, plan);
	face->l3 = p - face->block;
	p = v6 ? put_ipv6(p, plan) : put_ipv4(p, plan);
	face->l4 = p - face->block;
	p = put_udp(p, plan);
	if (plan->rtp)
		p = put_rtp(p, plan);
	face->front = p - face->block;
	xp_tx_sums(face);
	return set_room(plan, face);
}
