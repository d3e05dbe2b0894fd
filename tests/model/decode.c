/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * decode.c - see decode.h. Each layer narrows the range of bytes that belongs to it; a header that
 * does not fit its range ends the reading.
 */
#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <netinet/in.h>
#include <string.h>

#include "decode.h"

/* The bytes [at, end) of a frame are what is left of the present layer. */
struct range {
	const uint8_t *frame;
	uint32_t at;
	uint32_t end;
	uint32_t protocols;
	unsigned tunnels; /* opened */
	uint32_t l3;
	uint32_t l4;
	uint8_t vnet_kind;
	uint32_t vnet;
	bool part;
	bool more;
	uint32_t part_at;
	uint32_t base;
	uint32_t id;
};

static uint32_t get16(const struct range *r, uint32_t at)
{
	return r->frame[at] << 8 | r->frame[at + 1];
}

static uint32_t get32(const struct range *r, uint32_t at)
{
	return get16(r, at) << 16 | get16(r, at + 2);
}

static bool has(const struct range *r, uint32_t bytes)
{
	return r->end - r->at >= bytes;
}

static bool wanted(const struct range *r, uint32_t protocol)
{
	return r->protocols & protocol;
}

static enum xp_reason decode_ip(struct range *r, uint32_t type, struct decoded *d);

/* ---- checksums: RFC 1071, big-endian words in 64 bits ---- */

static uint64_t add(const struct range *r, uint32_t at, uint32_t bytes)
{
	uint64_t sum = 0;

	for (; bytes > 1; bytes -= 2, at += 2)
		sum += get16(r, at);
	return bytes ? sum + (r->frame[at] << 8) : sum;
}

static uint32_t fold(uint64_t sum)
{
	while (sum > 0xffff)
		sum = (sum >> 16) + (sum & 0xffff);
	return sum;
}

/* `field`: where the checksum is. One that holds the pseudo-header's sum is unfinished (R1). */
static bool good(const struct range *r, struct decoded *d, uint8_t proto, uint32_t field)
{
	uint32_t length = r->end - r->l4;
	uint64_t pseudo = proto + length;

	pseudo += d->v6 ? add(r, r->l3 + 8, 32) : add(r, r->l3 + 12, 8);
	d->unfinished = fold(pseudo) == get16(r, field);
	if (d->unfinished)
		return true;
	return fold(pseudo + add(r, r->l4, length)) == 0xffff;
}

/* ---- transport ---- */

static enum xp_reason finish(const struct range *r, struct decoded *d, uint32_t header)
{
	uint8_t proto = d->tcp ? IPPROTO_TCP : IPPROTO_UDP;
	uint32_t ports = header ? 4 : 0; /* known */

	if (r->l4 + header > XP_MAX_HEADER)
		return XP_R_HEADER_LONG;
	if (d->v6) {
		memcpy(&d->key.v6.sport, r->frame + r->l4, ports);
		d->key.v6.proto = proto;
		d->key.v6.vnet = r->vnet;
		d->key.v6.vnet_kind = r->vnet_kind;
	} else {
		memcpy(&d->key.v4.sport, r->frame + r->l4, ports);
		d->key.v4.proto = proto;
		d->key.v4.vnet = r->vnet;
		d->key.v4.vnet_kind = r->vnet_kind;
	}
	d->headers = r->l4 + header;
	d->payload = r->end - d->headers;
	d->l3 = r->l3;
	d->l4 = r->l4;
	d->part = r->part;
	d->more = r->more;
	d->at = r->part_at;
	d->base = r->base;
	d->id = r->id;
	return XP_R_OK;
}

static enum xp_reason decode_tcp(struct range *r, struct decoded *d)
{
	uint32_t header;

	if (!wanted(r, XP_P_TCP))
		return XP_R_PROTOCOL;
	if (!has(r, 20))
		return XP_R_SHORT;
	header = (r->frame[r->at + 12] >> 4) * 4;
	if (header < 20 || !has(r, header))
		return XP_R_L4_HEADER;
	d->tcp = true;
	d->seq = get32(r, r->at + 4);
	d->ack = get32(r, r->at + 8);
	d->flags = r->frame[r->at + 13];
	d->damaged = !good(r, d, IPPROTO_TCP, r->at + 16);
	return finish(r, d, header);
}

/* A tunnel: the flow belongs to its network, whatever led here. */
static bool enter(struct range *r, uint32_t header, uint8_t kind, uint32_t vnet)
{
	if (r->tunnels++ || !has(r, header))
		return false;
	r->at += header;
	r->vnet_kind = kind;
	r->vnet = vnet;
	return true;
}

static enum xp_reason inside(struct range *r, uint32_t type, struct decoded *d)
{
	enum xp_reason reason = decode_ip(r, type, d);

	return reason == XP_R_NOT_IP ? XP_R_TUNNEL : reason;
}

/* RFC 7348 */
static enum xp_reason decode_vxlan(struct range *r, struct decoded *d)
{
	if (!has(r, 8) || !(r->frame[r->at] & 0x08))
		return XP_R_TUNNEL;
	if (!enter(r, 8, XP_VNET_VXLAN, get32(r, r->at + 4) >> 8))
		return XP_R_TUNNEL;
	return inside(r, ETH_P_TEB, d);
}

/* RFC 8926 */
static enum xp_reason decode_geneve(struct range *r, struct decoded *d)
{
	uint32_t options, type;

	if (!has(r, 8) || r->frame[r->at] >> 6)
		return XP_R_TUNNEL;
	options = (r->frame[r->at] & 0x3f) * 4;
	type = get16(r, r->at + 2);
	if (!enter(r, 8 + options, XP_VNET_GENEVE, get32(r, r->at + 4) >> 8))
		return XP_R_TUNNEL;
	return inside(r, type, d);
}

/* RFC 2784 and 2890: checksum, key and sequence number; nothing else. */
static enum xp_reason decode_gre(struct range *r, struct decoded *d)
{
	uint32_t flags, type, header = 4, key = 0;

	if (!has(r, 4))
		return XP_R_SHORT;
	flags = get16(r, r->at);
	type = get16(r, r->at + 2);
	if (flags & ~0xb000u)
		return XP_R_TUNNEL;
	header += flags & 0x8000 ? 4 : 0;
	if (flags & 0x2000) {
		if (!has(r, header + 4))
			return XP_R_TUNNEL;
		key = get32(r, r->at + header);
		header += 4;
	}
	header += flags & 0x1000 ? 4 : 0;
	return enter(r, header, XP_VNET_GRE, key) ? inside(r, type, d) : XP_R_TUNNEL;
}

static enum xp_reason decode_ipip(struct range *r, uint32_t type, struct decoded *d)
{
	return enter(r, 0, XP_VNET_IPIP, 0) ? inside(r, type, d) : XP_R_TUNNEL;
}

static enum xp_reason decode_udp(struct range *r, struct decoded *d)
{
	uint32_t length, port;

	if (!has(r, 8))
		return XP_R_SHORT;
	port = get16(r, r->at + 2);
	length = get16(r, r->at + 4);
	if (length < 8 || !has(r, length))
		return XP_R_L4_HEADER;
	r->end = r->at + length;
	if ((port == 4789 && wanted(r, XP_P_VXLAN)) || (port == 6081 && wanted(r, XP_P_GENEVE))) {
		r->at += 8;
		return port == 4789 ? decode_vxlan(r, d) : decode_geneve(r, d);
	}
	if (!wanted(r, XP_P_UDP))
		return XP_R_PROTOCOL;
	d->damaged = !good(r, d, IPPROTO_UDP, r->at + 6);
	if (!d->v6 && !get16(r, r->at + 6)) /* RFC 768: sent without */
		d->damaged = false;
	return finish(r, d, 8);
}

static bool extension(uint8_t proto)
{
	return proto == IPPROTO_HOPOPTS || proto == IPPROTO_ROUTING || proto == IPPROTO_DSTOPTS ||
	       proto == IPPROTO_AH || proto == IPPROTO_FRAGMENT;
}

/* RFC 791, RFC 8200: what a fragment can say alone, and what is wrong with it. */
static uint8_t wrong_part(const struct range *r, const struct decoded *d)
{
	uint32_t bytes = r->end - r->base, header = d->tcp ? 20 : 8;

	if (!r->part_at && !has(r, header))
		return XP_R_FRAG_TINY;
	if (!bytes || (r->more && bytes % 8))
		return XP_R_FRAG_LENGTH;
	/* IPv4's length includes its header; IPv6's the extensions, but not that of fragments. */
	if (r->base - r->l3 - (d->v6 ? 40 + 8 : 0) + r->part_at + bytes > 65535)
		return XP_R_FRAG_OVERLONG;
	if (r->part_at)
		return XP_R_OK;
	if (!d->tcp)
		return XP_R_OK;
	header = (r->frame[r->at + 12] >> 4) * 4;
	if (header < 20)
		return XP_R_L4_HEADER;
	return !has(r, header) ? XP_R_FRAG_TINY : XP_R_OK;
}

/* Its ports, and whether it is of a tunnel, are known if it is the first. */
static enum xp_reason decode_part(struct range *r, uint8_t proto, struct decoded *d)
{
	uint32_t port;

	d->tcp = proto == IPPROTO_TCP;
	d->unknown = d->v6 && r->part_at && proto != IPPROTO_TCP && proto != IPPROTO_UDP;
	if (!d->unknown &&
	    ((!d->tcp && proto != IPPROTO_UDP) || !wanted(r, d->tcp ? XP_P_TCP : XP_P_UDP)))
		return XP_R_IP_FRAGMENT;
	d->wrong = wrong_part(r, d);
	if (r->part_at || d->wrong)
		return finish(r, d, 0);
	port = get16(r, r->at + 2);
	if (!d->tcp &&
	    ((port == 4789 && wanted(r, XP_P_VXLAN)) || (port == 6081 && wanted(r, XP_P_GENEVE))))
		d->tunnel = true;
	d->seq = d->tcp ? get32(r, r->at + 4) : 0;
	d->ack = d->tcp ? get32(r, r->at + 8) : 0;
	d->flags = d->tcp ? r->frame[r->at + 13] : 0;
	return finish(r, d, d->tcp ? (r->frame[r->at + 12] >> 4) * 4 : 8);
}

enum xp_reason decode_together(const uint8_t *frame, uint32_t size, struct decoded *d)
{
	struct range r = {.frame = frame, .l3 = d->l3, .l4 = d->l4};
	uint32_t length;

	r.end = d->base + size;
	if (!d->tcp) {
		length = get16(&r, d->l4 + 4);
		if (length < 8 || d->l4 + length > r.end)
			return XP_R_L4_HEADER;
		r.end = d->l4 + length;
	}
	d->payload = r.end - d->headers;
	d->damaged = !good(&r, d, d->tcp ? IPPROTO_TCP : IPPROTO_UDP, d->l4 + (d->tcp ? 16 : 6));
	if (!d->tcp && !d->v6 && !get16(&r, d->l4 + 6))
		d->damaged = false;
	return XP_R_OK;
}

static enum xp_reason decode_carried(struct range *r, uint8_t proto, struct decoded *d)
{
	r->l4 = r->at;
	if (r->part)
		return decode_part(r, proto, d);
	switch (proto) {
	case IPPROTO_TCP:
		return decode_tcp(r, d);
	case IPPROTO_UDP:
		return decode_udp(r, d);
	case IPPROTO_GRE:
		return wanted(r, XP_P_GRE) ? decode_gre(r, d) : XP_R_PROTOCOL;
	case IPPROTO_IPIP:
		return wanted(r, XP_P_IPIP) ? decode_ipip(r, ETH_P_IP, d) : XP_R_PROTOCOL;
	case IPPROTO_IPV6:
		return wanted(r, XP_P_IPIP) ? decode_ipip(r, ETH_P_IPV6, d) : XP_R_PROTOCOL;
	default:
		return XP_R_PROTOCOL;
	}
}

/* ---- network ---- */

/* RFC 791 */
static enum xp_reason decode_ipv4(struct range *r, struct decoded *d)
{
	uint32_t header, total;

	if (!wanted(r, XP_P_IPV4))
		return XP_R_PROTOCOL;
	if (!has(r, 20))
		return XP_R_SHORT;
	header = (r->frame[r->at] & 15) * 4;
	total = get16(r, r->at + 2);
	if (r->frame[r->at] >> 4 != 4 || header < 20)
		return XP_R_IP_HEADER;
	if (total < header || !has(r, total))
		return XP_R_IP_LENGTH;
	r->part = get16(r, r->at + 6) & 0x3fff;
	r->more = get16(r, r->at + 6) & 0x2000;
	r->part_at = (get16(r, r->at + 6) & 0x1fff) * 8;
	r->id = get16(r, r->at + 4);
	memset(d, 0, sizeof(*d));
	memcpy(&d->key.v4.src, r->frame + r->at + 12, 8);
	d->ip_damaged = fold(add(r, r->at, header)) != 0xffff;
	r->l3 = r->at;
	r->end = r->at + total;
	r->base = r->at += header;
	return decode_carried(r, r->frame[r->l3 + 9], d);
}

/* RFC 8200; a fragment header without a fragment is one more extension (RFC 6946). */
static enum xp_reason decode_ipv6(struct range *r, struct decoded *d)
{
	uint32_t size, count = 0;
	bool fragment;
	uint8_t proto;

	if (!wanted(r, XP_P_IPV6))
		return XP_R_PROTOCOL;
	if (!has(r, 40))
		return XP_R_SHORT;
	if (r->frame[r->at] >> 4 != 6)
		return XP_R_IP_HEADER;
	if (!has(r, 40 + get16(r, r->at + 4)))
		return XP_R_IP_LENGTH;
	memset(d, 0, sizeof(*d));
	memcpy(d->key.v6.src, r->frame + r->at + 8, 32);
	d->v6 = true;
	r->l3 = r->at;
	r->end = r->at + 40 + get16(r, r->at + 4);
	proto = r->frame[r->at + 6];
	for (r->at += 40; extension(proto);) {
		if (++count > 8)
			return XP_R_EXT_HEADERS;
		if (!has(r, 8))
			return XP_R_SHORT;
		fragment = proto == IPPROTO_FRAGMENT && get16(r, r->at + 2) & 0xfff9;
		if (fragment && r->part)
			return XP_R_EXT_HEADERS;
		if (r->at + 8 > XP_MAX_HEADER)
			return XP_R_HEADER_LONG;
		size = (r->frame[r->at + 1] + 1) * 8;
		if (proto == IPPROTO_AH)
			size = (r->frame[r->at + 1] + 2) * 4;
		if (proto == IPPROTO_FRAGMENT)
			size = 8;
		if (!has(r, size))
			return XP_R_IP_LENGTH;
		if (fragment) {
			r->part = true;
			r->more = r->frame[r->at + 3] & 1;
			r->part_at = get16(r, r->at + 2) & 0xfff8;
			r->id = get32(r, r->at + 4);
			r->base = r->at + 8;
		}
		proto = r->frame[r->at];
		r->at += size;
		/* What follows is a piece of something. */
		if (r->part && r->part_at)
			break;
	}
	return decode_carried(r, proto, d);
}

/* ---- link ---- */

/* Up to two tags. In a tunnel they say nothing: the tunnel's network is the flow's. */
static enum xp_reason decode_ethernet(struct range *r, struct decoded *d)
{
	uint32_t type, id = 0, tags;

	if (!has(r, ETH_HLEN))
		return XP_R_SHORT;
	type = get16(r, r->at + 12);
	r->at += ETH_HLEN;
	for (tags = 0; type == ETH_P_8021Q || type == ETH_P_8021AD; tags++) {
		if (tags == 2 || !wanted(r, XP_P_VLAN))
			return XP_R_PROTOCOL;
		if (!has(r, 4))
			return XP_R_SHORT;
		id = id << 12 | (get16(r, r->at) & 0xfff);
		type = get16(r, r->at + 2);
		r->at += 4;
	}
	if (tags && !r->tunnels) {
		r->vnet_kind = tags == 1 ? XP_VNET_VLAN : XP_VNET_QINQ;
		r->vnet = id;
	}
	return type == ETH_P_TEB ? XP_R_NOT_IP : decode_ip(r, type, d);
}

static enum xp_reason decode_ip(struct range *r, uint32_t type, struct decoded *d)
{
	switch (type) {
	case ETH_P_TEB:
		return decode_ethernet(r, d);
	case ETH_P_IP:
		return decode_ipv4(r, d);
	case ETH_P_IPV6:
		return decode_ipv6(r, d);
	default:
		return XP_R_NOT_IP;
	}
}

enum xp_reason decode(const uint8_t *frame, uint32_t len, uint32_t protocols, struct decoded *d)
{
	struct range r = {.frame = frame, .end = len, .protocols = protocols};

	memset(d, 0, sizeof(*d));
	return decode_ethernet(&r, d);
}
