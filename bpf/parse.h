/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * parse.h - stage 1: from the bytes of a frame to struct xp_packet. Pure C, also built for the
 * host; reads only between `data` and `end`.
 *
 * In: the linear part of the frame, the length of the whole frame (fragments included), the
 * protocol set. Out: 0 and a filled packet whose lengths agree with each other, or -reason.
 * Promise: where it returns 0, data <= XP_MAX_HEADER, and header bytes [0, data) lie in the
 * linear part; payload bytes [data, data + payload) lie in the frame. The same holds of a part of
 * a fragmented TCP or UDP datagram: that is -XP_R_IP_FRAGMENT with xp_packet.fragment set.
 *
 * Two ways lead through it: xp_parse_plain() knows Ethernet, IP without options, TCP or UDP and
 * nothing else; what it refuses to judge goes to xp_parse(), which walks every supported chain.
 */
#ifndef PARSE_H
#define PARSE_H

#include <stddef.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/tcp.h>
#include <linux/udp.h>
#include <bpf/bpf_endian.h>

#include <xdplace/abi.h>
#include "compiler.h"
#include "parsed.h"

#define XP_TCP_FIN 0x01
#define XP_TCP_SYN 0x02
#define XP_TCP_RST 0x04
#define XP_TCP_ACK 0x10

#define XP_MAX_EXT_HEADERS 8
#define XP_MAX_IP_BYTES 65535u

/* The linear part of the frame. */
struct xp_view {
	const void *data;
	const void *end;
};

/* Where the walk stands. `limit`: offset at which the enclosing layer ends. */
struct xp_walk {
	__u32 off;
	__u32 limit;
	__u32 protocols;
	__u32 next;  /* EtherType or XP_ETHERNET_FOLLOWS */
	__u32 proto; /* IP protocol */
};

#define XP_ETHERNET_FOLLOWS 0x10000u

/* Beside the protocol set: the packet is longer than its IP header can say, which then says 0. */
#define XP_P_BIG 0x80000000u

/* The next `size` bytes, NULL if the linear part ends before. */
static __always_inline const void *xp_at(const struct xp_view *v, const struct xp_walk *w,
					 __u32 size)
{
	const char *p;
	__u32 off = w->off;

	xp_opaque(off);
	if (off > XP_MAX_HEADER)
		return NULL;
	p = (const char *)v->data + off;
	if (p + size > (const char *)v->end)
		return NULL;
	return p;
}

/* The 16 and 32 bit loads of the walk: headers behind options may be unaligned on the host. */
static __always_inline __u16 xp_load16(const void *p)
{
	return bpf_ntohs(xp_get16(p));
}

static __always_inline __u32 xp_load32(const void *p)
{
	return bpf_ntohl(xp_get32(p));
}

static __always_inline void xp_copy_words32(void *to, const void *from, const int words)
{
	__u32 *out = to;
	int i;

	xp_unroll for (i = 0; i < words; i++) out[i] = xp_get32((const char *)from + 4 * i);
}

/* Why a header could not be read: too long a chain, or too short a frame. */
static __always_inline int xp_missing(const struct xp_walk *w, __u32 size)
{
	if (w->off + size > XP_MAX_HEADER)
		return -XP_R_HEADER_LONG;
	return w->off + size <= w->limit ? -XP_R_HEADER_SPLIT : -XP_R_SHORT;
}

static __always_inline void xp_set_vnet(struct xp_packet *p, __u8 kind, __u32 id)
{
	p->key.v4.vnet = id; /* moved to its IPv6 place once the family is known */
	p->key.v4.vnet_kind = kind;
}

/* Ethernet and up to two VLAN tags (802.1Q, 802.1ad). */
static __always_inline int xp_parse_ethernet(const struct xp_view *v, struct xp_walk *w,
					     struct xp_packet *p)
{
	const __u8 *eth = xp_at(v, w, ETH_HLEN);
	__u32 id = 0;
	int tag;

	if (!eth)
		return xp_missing(w, ETH_HLEN);
	w->next = xp_load16(eth + 12);
	w->off += ETH_HLEN;
	for (tag = 0; tag < 2; tag++) {
		const __u8 *vlan;

		if (w->next != ETH_P_8021Q && w->next != ETH_P_8021AD)
			return 0;
		if (!(w->protocols & XP_P_VLAN))
			return -XP_R_PROTOCOL;
		vlan = xp_at(v, w, 4);
		if (!vlan)
			return xp_missing(w, 4);
		id = id << 12 | (xp_load16(vlan) & 0xfff);
		w->next = xp_load16(vlan + 2);
		w->off += 4;
		/* Inside a tunnel the flow belongs to the tunnel's network. */
		if (p->key.v4.vnet_kind <= XP_VNET_QINQ)
			xp_set_vnet(p, tag ? XP_VNET_QINQ : XP_VNET_VLAN, id);
	}
	if (w->next == ETH_P_8021Q || w->next == ETH_P_8021AD)
		return -XP_R_PROTOCOL;
	return 0;
}

/* IPv4 with options (RFC 791). Ends at its total length: Ethernet padding is left out. */
static __always_inline int xp_parse_ipv4(const struct xp_view *v, struct xp_walk *w,
					 struct xp_packet *p)
{
	const __u8 *ip = xp_at(v, w, sizeof(struct iphdr));
	__u32 header, total, field;

	if (!(w->protocols & XP_P_IPV4))
		return -XP_R_PROTOCOL;
	if (!ip)
		return xp_missing(w, sizeof(struct iphdr));
	header = (ip[0] & 0x0f) * 4;
	total = xp_load16(ip + 2);
	if (!total && w->protocols & XP_P_BIG)
		total = w->limit - w->off;
	if (ip[0] >> 4 != 4 || header < sizeof(struct iphdr))
		return -XP_R_IP_HEADER;
	if (total < header || w->off + total > w->limit)
		return -XP_R_IP_LENGTH;
	field = xp_load16(ip + 6);
	if (xp_unlikely(field & 0x3fff)) {
		p->fragment = field & 0x2000 ? XP_PART | XP_PART_MORE : XP_PART;
		p->at = (field & 0x1fff) * 8;
		p->id = xp_get16(ip + 4);
		p->base = w->off + header;
	}
	w->proto = ip[9];
	p->v6 = 0;
	p->l3 = w->off;
	p->key.v4.src = xp_get32(ip + 12);
	p->key.v4.dst = xp_get32(ip + 16);
	w->limit = w->off + total;
	w->off += header;
	return 0;
}

/*
 * A fragment header: 1 no extension header of this packet follows, 0 go on. The whole of a
 * datagram is no fragment (RFC 6946).
 */
static __always_inline int xp_parse_fragment_header(const __u8 *ext, const struct xp_walk *w,
						    struct xp_packet *p)
{
	__u32 field = xp_load16(ext + 2);

	if (p->fragment)
		return -XP_R_EXT_HEADERS;
	if (!(field & 0xfff9))
		return 0;
	p->fragment = field & 1 ? XP_PART | XP_PART_MORE : XP_PART;
	p->at = field & 0xfff8;
	p->id = xp_get32(ext + 4);
	p->base = w->off + 8;
	return p->at != 0;
}

/* IPv6 (RFC 8200) and its extension headers. */
static __always_inline int xp_parse_ipv6(const struct xp_view *v, struct xp_walk *w,
					 struct xp_packet *p)
{
	const __u8 *ip = xp_at(v, w, sizeof(struct ipv6hdr));
	__u32 payload, vnet = p->key.v4.vnet;
	__u8 kind = p->key.v4.vnet_kind;
	int i, part = 0;

	if (!(w->protocols & XP_P_IPV6))
		return -XP_R_PROTOCOL;
	if (!ip)
		return xp_missing(w, sizeof(struct ipv6hdr));
	payload = xp_load16(ip + 4);
	if (!payload && w->protocols & XP_P_BIG && w->off + sizeof(struct ipv6hdr) < w->limit)
		payload = w->limit - w->off - sizeof(struct ipv6hdr);
	if (ip[0] >> 4 != 6)
		return -XP_R_IP_HEADER;
	if (w->off + sizeof(struct ipv6hdr) + payload > w->limit)
		return -XP_R_IP_LENGTH;
	w->proto = ip[6];
	p->v6 = 1;
	p->l3 = w->off;
	__builtin_memset(&p->key, 0, sizeof(p->key));
	xp_copy_words32(p->key.v6.src, ip + 8, 8);
	p->key.v6.vnet = vnet;
	p->key.v6.vnet_kind = kind;
	w->off += sizeof(struct ipv6hdr);
	w->limit = w->off + payload;
	for (i = 0; i <= XP_MAX_EXT_HEADERS; i++) {
		const __u8 *ext;
		__u32 size;

		if (w->proto != IPPROTO_HOPOPTS && w->proto != IPPROTO_ROUTING &&
		    w->proto != IPPROTO_DSTOPTS && w->proto != IPPROTO_AH &&
		    w->proto != IPPROTO_FRAGMENT)
			return 0;
		if (i == XP_MAX_EXT_HEADERS) /* that of a fragment counts as all others do */
			break;
		ext = xp_at(v, w, 8);
		if (!ext)
			return xp_missing(w, 8);
		size = (ext[1] + 1) * 8;
		if (w->proto == IPPROTO_AH)
			size = (ext[1] + 2) * 4;
		if (w->proto == IPPROTO_FRAGMENT) {
			part = xp_parse_fragment_header(ext, w, p);
			if (part < 0)
				return part;
			size = 8;
		}
		w->proto = ext[0];
		w->off += size;
		if (w->off > w->limit)
			return -XP_R_IP_LENGTH;
		if (part)
			return 0;
	}
	return -XP_R_EXT_HEADERS;
}

static __always_inline void xp_set_ports(struct xp_packet *p, const void *ports, __u8 proto)
{
	if (p->v6) {
		xp_copy_words32(&p->key.v6.sport, ports, 1);
		p->key.v6.proto = proto;
	} else {
		xp_copy_words32(&p->key.v4.sport, ports, 1);
		p->key.v4.proto = proto;
	}
	p->proto = proto;
}

/* TCP (RFC 9293). */
static __always_inline int xp_parse_tcp(const struct xp_view *v, struct xp_walk *w,
					struct xp_packet *p)
{
	const __u8 *tcp = xp_at(v, w, sizeof(struct tcphdr));
	__u32 header;

	if (!(w->protocols & XP_P_TCP))
		return -XP_R_PROTOCOL;
	if (!tcp || w->off + sizeof(struct tcphdr) > w->limit)
		return xp_missing(w, sizeof(struct tcphdr));
	header = (tcp[12] >> 4) * 4;
	if (header < sizeof(struct tcphdr) || w->off + header > w->limit)
		return -XP_R_L4_HEADER;
	if (w->off + header > XP_MAX_HEADER)
		return -XP_R_HEADER_LONG;
	if ((const __u8 *)v->data + w->off + header > (const __u8 *)v->end)
		return -XP_R_HEADER_SPLIT;
	xp_set_ports(p, tcp, IPPROTO_TCP);
	p->seq = xp_load32(tcp + 4);
	p->ack = xp_load32(tcp + 8);
	p->tcp_flags = tcp[13];
	p->no_checksum = 0;
	p->l4 = w->off;
	p->data = w->off + header;
	p->payload = w->limit - w->off - header;
	return 0;
}

/* UDP (RFC 768); bytes of the IP packet behind the UDP length are not part of the datagram. */
static __always_inline int xp_parse_udp(const struct xp_view *v, struct xp_walk *w,
					struct xp_packet *p, __u16 *dport)
{
	const __u8 *udp = xp_at(v, w, sizeof(struct udphdr));
	__u32 length;

	if (!udp || w->off + sizeof(struct udphdr) > w->limit)
		return xp_missing(w, sizeof(struct udphdr));
	length = xp_load16(udp + 4);
	if (length < sizeof(struct udphdr) || w->off + length > w->limit)
		return -XP_R_L4_HEADER;
	if (w->off + sizeof(struct udphdr) > XP_MAX_HEADER)
		return -XP_R_HEADER_LONG;
	xp_set_ports(p, udp, IPPROTO_UDP);
	p->seq = p->ack = 0;
	p->tcp_flags = 0;
	p->no_checksum = !p->v6 && !udp[6] && !udp[7];
	p->l4 = w->off;
	p->data = w->off + sizeof(struct udphdr);
	p->payload = length - sizeof(struct udphdr);
	w->limit = w->off + length;
	*dport = xp_load16(udp + 2);
	return 0;
}

/* Tunnels: each leaves `off` at the inner packet and says what that is. */

static __always_inline int xp_parse_vxlan(const struct xp_view *v, struct xp_walk *w,
					  struct xp_packet *p)
{
	const __u8 *vx;

	w->off += sizeof(struct udphdr);
	vx = xp_at(v, w, 8);
	if (!vx)
		return xp_missing(w, 8);
	if (w->off + 8 > w->limit)
		return -XP_R_TUNNEL;
	if (!(vx[0] & 0x08)) /* RFC 7348: the I flag must be set */
		return -XP_R_TUNNEL;
	__builtin_memset(&p->key, 0, sizeof(p->key));
	xp_set_vnet(p, XP_VNET_VXLAN, xp_load32(vx + 4) >> 8);
	w->off += 8;
	w->next = XP_ETHERNET_FOLLOWS;
	return 0;
}

static __always_inline int xp_parse_geneve(const struct xp_view *v, struct xp_walk *w,
					   struct xp_packet *p)
{
	const __u8 *gnv;
	__u32 protocol;

	w->off += sizeof(struct udphdr);
	gnv = xp_at(v, w, 8);
	if (!gnv)
		return xp_missing(w, 8);
	if (w->off + 8 > w->limit || gnv[0] >> 6) /* RFC 8926: version 0 */
		return -XP_R_TUNNEL;
	protocol = xp_load16(gnv + 2);
	__builtin_memset(&p->key, 0, sizeof(p->key));
	xp_set_vnet(p, XP_VNET_GENEVE, xp_load32(gnv + 4) >> 8);
	w->off += 8 + (gnv[0] & 0x3f) * 4;
	w->next = protocol == ETH_P_TEB ? XP_ETHERNET_FOLLOWS : protocol;
	return w->off > w->limit ? -XP_R_TUNNEL : 0;
}

/* GRE (RFC 2784) with key (RFC 2890); routing and version 1 (PPTP) are refused. */
static __always_inline int xp_parse_gre(const struct xp_view *v, struct xp_walk *w,
					struct xp_packet *p)
{
	const __u8 *gre = xp_at(v, w, 4);
	__u32 flags, protocol, key = 0;

	if (!gre)
		return xp_missing(w, 4);
	if (w->off + 4 > w->limit)
		return -XP_R_TUNNEL;
	flags = xp_load16(gre);
	protocol = xp_load16(gre + 2);
	if (flags & 0x4fff)
		return -XP_R_TUNNEL;
	w->off += 4;
	if (flags & 0x8000)
		w->off += 4; /* checksum */
	if (flags & 0x2000) {
		gre = xp_at(v, w, 4);
		if (!gre)
			return xp_missing(w, 4);
		key = xp_load32(gre);
		w->off += 4;
	}
	if (flags & 0x1000)
		w->off += 4; /* sequence number */
	__builtin_memset(&p->key, 0, sizeof(p->key));
	xp_set_vnet(p, XP_VNET_GRE, key);
	w->next = protocol == ETH_P_TEB ? XP_ETHERNET_FOLLOWS : protocol;
	return w->off > w->limit ? -XP_R_TUNNEL : 0;
}

static __always_inline int xp_parse_ipip(struct xp_walk *w, struct xp_packet *p)
{
	w->next = w->proto == IPPROTO_IPIP ? ETH_P_IP : ETH_P_IPV6;
	__builtin_memset(&p->key, 0, sizeof(p->key));
	xp_set_vnet(p, XP_VNET_IPIP, 0);
	return 0;
}

/* What IP carries: 0 the packet is complete, 1 a tunnel was opened, < 0 a reason. */
static __always_inline int xp_parse_carried(const struct xp_view *v, struct xp_walk *w,
					    struct xp_packet *p)
{
	__u16 dport = 0;
	int r;

	if (w->proto == IPPROTO_TCP)
		return xp_parse_tcp(v, w, p);
	if (w->proto == IPPROTO_UDP) {
		r = xp_parse_udp(v, w, p, &dport);
		if (r)
			return r;
		if (dport == 4789 && w->protocols & XP_P_VXLAN)
			r = xp_parse_vxlan(v, w, p);
		else if (dport == 6081 && w->protocols & XP_P_GENEVE)
			r = xp_parse_geneve(v, w, p);
		else
			return w->protocols & XP_P_UDP ? 0 : -XP_R_PROTOCOL;
		return r ? r : 1;
	}
	if (w->proto == IPPROTO_GRE && w->protocols & XP_P_GRE)
		r = xp_parse_gre(v, w, p);
	else if ((w->proto == IPPROTO_IPIP || w->proto == IPPROTO_IPV6) && w->protocols & XP_P_IPIP)
		r = xp_parse_ipip(w, p);
	else
		return -XP_R_PROTOCOL;
	return r ? r : 1;
}

/* ---- parts of fragmented datagrams ---- */

static __always_inline void xp_set_proto(struct xp_packet *p, __u8 proto)
{
	if (p->v6)
		p->key.v6.proto = proto;
	else
		p->key.v4.proto = proto;
	p->proto = proto;
}

/* The beginning of a TCP datagram: it must hold the whole header (RFC 1858, RFC 7112). */
static __always_inline int xp_parse_first_tcp(const struct xp_view *v, struct xp_walk *w,
					      struct xp_packet *p)
{
	const __u8 *tcp = xp_at(v, w, sizeof(struct tcphdr));

	p->fragment |= XP_PART_TINY;
	if (w->off + sizeof(struct tcphdr) > w->limit)
		return 0;
	if (!tcp)
		return xp_missing(w, sizeof(struct tcphdr));
	if (w->off + (tcp[12] >> 4) * 4 > w->limit)
		return 0;
	p->fragment &= ~XP_PART_TINY;
	return xp_parse_tcp(v, w, p);
}

/* The beginning of a UDP datagram; its length is that of all parts. */
static __always_inline int xp_parse_first_udp(const struct xp_view *v, struct xp_walk *w,
					      struct xp_packet *p)
{
	const __u8 *udp = xp_at(v, w, sizeof(struct udphdr));
	__u32 dport;

	if (w->off + sizeof(struct udphdr) > w->limit) {
		p->fragment |= XP_PART_TINY;
		return 0;
	}
	if (!udp)
		return xp_missing(w, sizeof(struct udphdr));
	if (w->off + sizeof(struct udphdr) > XP_MAX_HEADER)
		return -XP_R_HEADER_LONG;
	xp_set_ports(p, udp, IPPROTO_UDP);
	dport = xp_load16(udp + 2);
	if ((dport == 4789 && w->protocols & XP_P_VXLAN) ||
	    (dport == 6081 && w->protocols & XP_P_GENEVE))
		p->fragment |= XP_PART_TUNNEL;
	p->no_checksum = !p->v6 && !udp[6] && !udp[7];
	p->data = w->off + sizeof(struct udphdr);
	p->payload = w->limit - p->data;
	return 0;
}

/*
 * What a fragment carries: -XP_R_IP_FRAGMENT, or another reason to have nothing to do with it.
 * Parts of a tunnel's packet are put together by the tunnel's end.
 */
static __always_inline int xp_parse_part(const struct xp_view *v, struct xp_walk *w,
					 struct xp_packet *p)
{
	int r = 0;

	if (w->off > XP_MAX_HEADER)
		return -XP_R_HEADER_LONG;
	if ((const char *)v->data + w->off > (const char *)v->end)
		return -XP_R_HEADER_SPLIT;
	p->l4 = p->data = w->off;
	p->payload = w->limit - w->off;
	if (w->proto == IPPROTO_TCP) {
		if (!(w->protocols & XP_P_TCP))
			return -XP_R_PROTOCOL;
		xp_set_proto(p, IPPROTO_TCP);
		if (!p->at)
			r = xp_parse_first_tcp(v, w, p);
	} else if (w->proto == IPPROTO_UDP) {
		if (!(w->protocols & XP_P_UDP))
			return -XP_R_PROTOCOL;
		xp_set_proto(p, IPPROTO_UDP);
		if (!p->at)
			r = xp_parse_first_udp(v, w, p);
	} else if (!p->v6 || !p->at) {
		/* Of IPv6's only the first one's Next Header counts (RFC 8200, 4.5). */
		p->fragment = 0;
	}
	return r ? r : -XP_R_IP_FRAGMENT;
}

/* One layer of IP with what leads to it. */
static __always_inline int xp_parse_layer(const struct xp_view *v, struct xp_walk *w,
					  struct xp_packet *p)
{
	int r;

	if (w->next == XP_ETHERNET_FOLLOWS) {
		r = xp_parse_ethernet(v, w, p);
		if (r)
			return r;
	}
	if (w->next == ETH_P_IP)
		r = xp_parse_ipv4(v, w, p);
	else if (w->next == ETH_P_IPV6)
		r = xp_parse_ipv6(v, w, p);
	else
		return -XP_R_NOT_IP;
	if (r)
		return r;
	return p->fragment ? xp_parse_part(v, w, p) : xp_parse_carried(v, w, p);
}

static __always_inline void xp_walk_start(struct xp_walk *w, __u32 frame_len, __u32 protocols)
{
	w->off = 0;
	w->limit = frame_len;
	w->protocols = protocols;
	w->next = XP_ETHERNET_FOLLOWS;
	w->proto = 0;
}

/* What the second layer's answer means: a tunnel in a tunnel is refused. */
static __always_inline int xp_inner_result(int r)
{
	return r == 1 || r == -XP_R_NOT_IP ? -XP_R_TUNNEL : r;
}

/* Every supported chain. `p` need not be initialised. */
static __always_inline int xp_parse(const void *data, const void *end, __u32 frame_len,
				    __u32 protocols, struct xp_packet *p)
{
	struct xp_view view = {.data = data, .end = end};
	struct xp_walk w;
	int r;

	__builtin_memset(p, 0, sizeof(*p));
	xp_walk_start(&w, frame_len, protocols);
	r = xp_parse_layer(&view, &w, p);
	return r == 1 ? xp_inner_result(xp_parse_layer(&view, &w, p)) : r;
}

/* Ports that open a tunnel: xp_parse_plain() leaves those to xp_parse(). */
static __always_inline int xp_tunnel_port(__be16 dport)
{
	return dport == bpf_htons(4789) || dport == bpf_htons(6081);
}

/* The rest of the plain way, behind an IP header that ends at `l4`. `limit`: end of IP. */
static __always_inline int xp_plain_l4(const void *data, const void *end, __u32 l4, __u32 limit,
				       __u8 proto, struct xp_packet *p)
{
	const struct tcphdr *tcp = (const void *)((const char *)data + l4);
	const __u8 *flags = (const __u8 *)tcp + 12;
	__u32 header;

	/* Twenty bytes are there for TCP; for UDP the frame's minimum of 60 makes them be. */
	if ((const void *)(tcp + 1) > end)
		return 1;
	p->l4 = l4;
	p->proto = proto;
	if (proto == IPPROTO_TCP) {
		header = (flags[0] >> 2) & 0x3c;
		if (header < sizeof(*tcp) || l4 + header > limit ||
		    (const char *)data + l4 + header > (const char *)end)
			return 1;
		p->seq = bpf_ntohl(tcp->seq);
		p->ack = bpf_ntohl(tcp->ack_seq);
		p->tcp_flags = flags[1];
		p->no_checksum = 0;
		p->data = l4 + header;
		p->payload = limit - l4 - header;
		return 0;
	}
	if (proto == IPPROTO_UDP) {
		const struct udphdr *udp = (const void *)tcp;

		header = bpf_ntohs(udp->len);
		if (header < sizeof(*udp) || l4 + header > limit || xp_tunnel_port(udp->dest))
			return 1;
		p->seq = p->ack = 0;
		p->tcp_flags = 0;
		p->no_checksum = !p->v6 && !udp->check;
		p->data = l4 + sizeof(*udp);
		p->payload = header - sizeof(*udp);
		return 0;
	}
	return 1;
}

/* The word of a key that holds the protocol, of no virtual network. */
static __always_inline __u32 xp_proto_word(__u8 proto)
{
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
	return proto;
#else
	return (__u32)proto << 24;
#endif
}

/*
 * A plain packet: Ethernet, IP without options or extension headers, TCP or UDP, all of the frame
 * linear. First its key: 4 or 6, the IP version, or 0: not plain. For IPv4 the last three words
 * are left as they were. It is written in words, as it is read: a load waits for narrower stores.
 */
static __always_inline int xp_plain_key(const void *data, const void *end, __u32 protocols,
					union xp_key *key)
{
	const struct ethhdr *eth = data;
	const struct iphdr *ip = (const void *)(eth + 1);
	const struct ipv6hdr *ip6 = (const void *)(eth + 1);

	/* The protocol set in one test: anything switched off goes the long way. */
	if ((protocols & XP_P_ALL) != XP_P_ALL)
		return 0;
	if ((const char *)(ip + 1) + 4 > (const char *)end)
		return 0;
	if (eth->h_proto == bpf_htons(ETH_P_IP)) {
		if (*(const __u8 *)ip != 0x45 || ip->frag_off & bpf_htons(0x3fff))
			return 0;
		key->word[0] = xp_pair(ip->saddr, ip->daddr);
		key->word[1] = xp_pair(xp_get32(ip + 1), 0);
		key->word[2] = xp_pair(xp_proto_word(ip->protocol), 0);
		return 4;
	}
	if (eth->h_proto != bpf_htons(ETH_P_IPV6) || *(const __u8 *)ip6 >> 4 != 6 ||
	    (const char *)(ip6 + 1) + 4 > (const char *)end)
		return 0;
	xp_copy_words32(key->v6.src, &ip6->saddr, 8);
	xp_copy_words32(&key->v6.sport, ip6 + 1, 1);
	key->v6.vnet = 0;
	key->word[5] = xp_pair(xp_proto_word(ip6->nexthdr), 0);
	return 6;
}

/* Then all of it but the key: 0, or 1: not plain after all. */
static __always_inline int xp_plain_rest(const void *data, const void *end, int v6,
					 struct xp_packet *p)
{
	const struct iphdr *ip = (const void *)((const char *)data + ETH_HLEN);
	const struct ipv6hdr *ip6 = (const void *)ip;
	__u32 l4, limit;
	__u8 proto;

	if ((const void *)(ip + 1) > end)
		return 1;
	if (v6) {
		l4 = ETH_HLEN + sizeof(*ip6);
		limit = l4 + bpf_ntohs(ip6->payload_len);
		proto = ip6->nexthdr;
	} else {
		l4 = ETH_HLEN + sizeof(*ip);
		limit = ETH_HLEN + bpf_ntohs(ip->tot_len);
		proto = ip->protocol;
	}
	if ((const char *)data + limit > (const char *)end)
		return 1;
	p->v6 = v6;
	p->l3 = ETH_HLEN;
	return xp_plain_l4(data, end, l4, limit, proto, p);
}

/* Both: 0 parsed, 1 anything else. */
static __always_inline int xp_parse_plain(const void *data, const void *end, __u32 protocols,
					  struct xp_packet *p)
{
	int version = xp_plain_key(data, end, protocols, &p->key);

	return version ? xp_plain_rest(data, end, version == 6, p) : 1;
}

#endif
