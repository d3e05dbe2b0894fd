/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * packet.c - struct packet in, struct frame out: layer by layer from the outside, lengths and
 * checksums filled in once what lies behind them is there.
 */
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/in6.h>
#include <string.h>

#include <bpf/bpf_endian.h>

#include "packet.h"

static const uint8_t alice_mac[6] = {2, 0, 0, 0, 0, 1}, bob_mac[6] = {2, 0, 0, 0, 0, 2};
static const uint8_t alice4[4] = {10, 0, 0, 1}, bob4[4] = {10, 0, 0, 2};
static const uint8_t tunnel_a4[4] = {192, 0, 2, 1}, tunnel_b4[4] = {192, 0, 2, 2};
static const uint8_t alice6[16] = {0x20, 0x01, 0x0d, 0xb8, [15] = 1};
static const uint8_t bob6[16] = {0x20, 0x01, 0x0d, 0xb8, [15] = 2};
static const uint8_t tunnel_a6[16] = {0x20, 0x01, 0x0d, 0xb8, 0, 7, [15] = 1};
static const uint8_t tunnel_b6[16] = {0x20, 0x01, 0x0d, 0xb8, 0, 7, [15] = 2};

static void put8(struct frame *f, uint8_t v)
{
	f->bytes[f->len++] = v;
}

static void put16(struct frame *f, uint16_t v)
{
	put8(f, v >> 8);
	put8(f, v);
}

static void put32(struct frame *f, uint32_t v)
{
	put16(f, v >> 16);
	put16(f, v);
}

static void put(struct frame *f, const void *bytes, size_t n)
{
	memcpy(f->bytes + f->len, bytes, n);
	f->len += n;
}

static void set16(struct frame *f, uint32_t at, uint16_t v)
{
	f->bytes[at] = v >> 8;
	f->bytes[at + 1] = v;
}

static uint16_t get16(const struct frame *f, uint32_t at)
{
	return f->bytes[at] << 8 | f->bytes[at + 1];
}

/* RFC 1071 */
static uint32_t add_up(uint32_t sum, const uint8_t *p, uint32_t n)
{
	uint32_t i;

	for (i = 0; i + 1 < n; i += 2)
		sum += p[i] << 8 | p[i + 1];
	if (n & 1)
		sum += p[n - 1] << 8;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return sum;
}

static void ethernet(struct frame *f, uint16_t type)
{
	put(f, bob_mac, 6);
	put(f, alice_mac, 6);
	put16(f, type);
}

static void tag(struct frame *f, uint16_t id, uint16_t type)
{
	put16(f, id);
	put16(f, type);
}

/* Returns where the header starts; its length is set by end_ip(). */
static uint32_t ip4(struct frame *f, uint8_t proto, const uint8_t *src, const uint8_t *dst,
		    unsigned options)
{
	uint32_t at = f->len;

	put8(f, 0x40 | (5 + options / 4));
	put8(f, 0);
	put32(f, 0x1234);
	put16(f, 0x4000); /* do not fragment */
	put8(f, 64);
	put8(f, proto);
	put16(f, 0);
	put(f, src, 4);
	put(f, dst, 4);
	for (; options; options--)
		put8(f, 1); /* no operation */
	return at;
}

/*
 * Extension headers of 8 bytes, the first `longer`: destination options, then perhaps an atomic
 * fragment.
 */
static uint32_t ip6(struct frame *f, uint8_t proto, const uint8_t *src, const uint8_t *dst,
		    unsigned extensions, unsigned longer, int fragment)
{
	uint32_t at = f->len;
	uint8_t last = fragment ? IPPROTO_FRAGMENT : proto;

	put32(f, 0x60000000);
	put16(f, 0);
	put8(f, extensions ? IPPROTO_DSTOPTS : last);
	put8(f, 64);
	put(f, src, 16);
	put(f, dst, 16);
	for (; extensions; extensions--) {
		put8(f, extensions > 1 ? IPPROTO_DSTOPTS : last);
		put8(f, longer / 8);
		put16(f, 0x0104); /* PadN */
		put32(f, 0);
		for (; longer; longer--)
			put8(f, 0); /* Pad1 */
	}
	if (fragment) {
		put8(f, proto);
		put8(f, 0);
		put16(f, 0);
		put32(f, 0xabcd);
	}
	return at;
}

static void sum_ip4(struct frame *f, uint32_t at)
{
	set16(f, at + 10, 0);
	set16(f, at + 10, ~add_up(0, f->bytes + at, (f->bytes[at] & 15) * 4));
}

static void end_ip(struct frame *f, uint32_t at)
{
	if (f->bytes[at] >> 4 == 6) {
		set16(f, at + 4, f->len - at - 40);
		return;
	}
	set16(f, at + 2, f->len - at);
	sum_ip4(f, at);
}

static uint32_t pseudo(const struct frame *f, uint8_t proto, uint32_t length)
{
	const uint8_t *ip = f->bytes + f->l3;
	uint32_t sum = proto + (length >> 16) + (length & 0xffff);

	return ip[0] >> 4 == 6 ? add_up(sum, ip + 8, 32) : add_up(sum, ip + 12, 8);
}

static uint8_t l4_proto(const struct frame *f)
{
	return f->headers - f->l4 == 8 ? IPPROTO_UDP : IPPROTO_TCP;
}

static uint32_t check_at(const struct frame *f)
{
	return f->l4 + (l4_proto(f) == IPPROTO_UDP ? 6 : 16);
}

/* What the checksum covers: UDP may end before IP does. */
static uint32_t l4_length(const struct frame *f)
{
	uint32_t length = f->headers - f->l4 + f->payload;

	if (l4_proto(f) == IPPROTO_UDP && get16(f, f->l4 + 4) < length)
		return get16(f, f->l4 + 4);
	return length;
}

void frame_fix_l4(struct frame *f)
{
	uint32_t length = l4_length(f), sum;

	set16(f, check_at(f), 0);
	sum = add_up(pseudo(f, l4_proto(f), length), f->bytes + f->l4, length);
	sum = ~sum & 0xffff;
	set16(f, check_at(f), !sum && l4_proto(f) == IPPROTO_UDP ? 0xffff : sum);
}

void frame_fix_ip(struct frame *f)
{
	if (f->bytes[f->l3] >> 4 == 4)
		sum_ip4(f, f->l3);
}

static void tcp(const struct packet *p, struct frame *f)
{
	unsigned i;

	put32(f, p->seq);
	put32(f, p->ack);
	put8(f, (5 + p->tcp_options / 4) << 4);
	put8(f, p->flags);
	put16(f, 0xffff);
	put16(f, 0);
	put16(f, p->urgent);
	for (i = 0; i < p->tcp_options; i++)
		put8(f, 1);
}

static uint16_t alice_port(const struct packet *p)
{
	return p->port ? p->port : ALICE_PORT;
}

static uint16_t bob_port(const struct packet *p)
{
	return p->bob_port ? p->bob_port : BOB_PORT;
}

uint8_t packet_byte(const struct packet *p, uint32_t seq)
{
	uint32_t x = seq + (p->udp ? 1u << 30 : 0);

	/* Without the ports in it, bytes of one flow in another's stream would not be noticed. */
	x ^= (uint32_t)alice_port(p) << 16 ^ (uint32_t)bob_port(p) << 4 ^ p->carol << 24;
	x ^= (uint32_t)p->salt << 27 ^ (p->reverse ? 0x5bd1e995 : 0);
	x = (x ^ x >> 15) * 0x2c1b3c6d;
	x = (x ^ x >> 12) * 0x297a2d39;
	return x ^ x >> 15;
}

static void l4(const struct packet *p, struct frame *f)
{
	uint32_t i, first = p->seq + !!(p->flags & SYN);

	f->l4 = f->len;
	put16(f, p->reverse ? bob_port(p) : alice_port(p));
	put16(f, p->reverse ? alice_port(p) : bob_port(p));
	if (p->udp) {
		put16(f, 8 + p->len + p->udp_more);
		put16(f, 0);
	} else {
		tcp(p, f);
	}
	f->headers = f->len;
	f->payload = p->len;
	for (i = 0; i < p->len; i++)
		put8(f, packet_byte(p, first + i));
}

static void inject_fault(const struct packet *p, struct frame *f)
{
	uint32_t at = check_at(f);
	uint32_t sum = pseudo(f, l4_proto(f), l4_length(f));

	if (p->fault == FAULT_CHECKSUM)
		set16(f, at, get16(f, at) ^ 0x0400);
	if (p->fault == FAULT_IP_CHECKSUM)
		set16(f, f->l3 + 10, get16(f, f->l3 + 10) ^ 0x0400);
	if (p->fault == FAULT_PSEUDO)
		set16(f, at, sum);
	if (p->fault == FAULT_NO_CHECKSUM)
		set16(f, at, 0);
}

static void address4(uint8_t *to, const uint8_t *from, uint8_t last)
{
	memcpy(to, from, 4);
	if (last)
		to[3] = last;
}

static void address6(uint8_t *to, const uint8_t *from, uint8_t last)
{
	memcpy(to, from, 16);
	if (last)
		to[15] = last;
}

/* The packet of alice itself, from its IP header on. */
static void inner(const struct packet *p, struct frame *f)
{
	uint8_t proto = p->udp ? IPPROTO_UDP : IPPROTO_TCP, a[16], b[16];

	if (p->v6) {
		address6(a, alice6, 0);
		address6(b, bob6, p->carol);
		f->l3 = ip6(f, proto, p->reverse ? b : a, p->reverse ? a : b, p->ip_options,
			    p->extension, p->pure_fragment);
	} else {
		address4(a, alice4, 0);
		address4(b, bob4, p->carol);
		f->l3 = ip4(f, proto, p->reverse ? b : a, p->reverse ? a : b, p->ip_options);
	}
	l4(p, f);
	end_ip(f, f->l3);
	frame_fix_l4(f);
	inject_fault(p, f);
}

static uint16_t ip_type(const struct packet *p)
{
	return p->v6 ? ETH_P_IPV6 : ETH_P_IP;
}

static uint32_t vnet(const struct packet *p)
{
	return p->vnet ? p->vnet : 7;
}

static uint32_t outer_ip(struct frame *f, int v6, uint8_t proto)
{
	ethernet(f, v6 ? ETH_P_IPV6 : ETH_P_IP);
	return v6 ? ip6(f, proto, tunnel_a6, tunnel_b6, 0, 0, 0)
		  : ip4(f, proto, tunnel_a4, tunnel_b4, 0);
}

/* Returns where the outer UDP header is; most tunnels send no checksum over IPv4. */
static uint32_t outer_udp(struct frame *f, uint16_t port)
{
	uint32_t at = f->len;

	put16(f, 50000);
	put16(f, port);
	put32(f, 0);
	return at;
}

static void vxlan(const struct packet *p, struct frame *f, int v6, int tagged)
{
	uint32_t ip = outer_ip(f, v6, IPPROTO_UDP), udp = outer_udp(f, 4789);

	put32(f, 0x08000000);
	put32(f, vnet(p) << 8);
	ethernet(f, tagged ? ETH_P_8021Q : ip_type(p));
	if (tagged)
		tag(f, 99, ip_type(p));
	inner(p, f);
	set16(f, udp + 4, f->len - udp);
	end_ip(f, ip);
}

static void geneve(const struct packet *p, struct frame *f)
{
	uint32_t ip = outer_ip(f, 0, IPPROTO_UDP), udp = outer_udp(f, 6081);
	int bare = p->wrap == WRAP_GENEVE_IP, options = p->wrap == WRAP_GENEVE_OPTIONS ? 2 : 0;

	put8(f, options);
	put8(f, 0);
	put16(f, bare ? ip_type(p) : ETH_P_TEB);
	put32(f, vnet(p) << 8);
	if (options) {
		put32(f, 0x01028001);
		put32(f, 0xdeadbeef);
	}
	if (!bare)
		ethernet(f, ip_type(p));
	inner(p, f);
	set16(f, udp + 4, f->len - udp);
	end_ip(f, ip);
}

static void gre(const struct packet *p, struct frame *f)
{
	int key = p->wrap != WRAP_GRE, all = p->wrap == WRAP_GRE_ALL;
	int eth = p->wrap == WRAP_GRE_ETHERNET;
	uint32_t ip = outer_ip(f, 0, IPPROTO_GRE);

	put16(f, (key ? 0x2000 : 0) | (all ? 0x9000 : 0));
	put16(f, eth ? ETH_P_TEB : ip_type(p));
	if (all)
		put32(f, 0);
	if (key)
		put32(f, vnet(p));
	if (all)
		put32(f, 1);
	if (eth)
		ethernet(f, ip_type(p));
	inner(p, f);
	end_ip(f, ip);
}

static void ipip(const struct packet *p, struct frame *f)
{
	uint32_t ip = outer_ip(f, p->wrap == WRAP_IPIP6, p->v6 ? IPPROTO_IPV6 : IPPROTO_IPIP);

	inner(p, f);
	end_ip(f, ip);
}

/* A tag put behind the addresses of a frame that is there already. */
static void insert_tag(struct frame *f, uint16_t id)
{
	memmove(f->bytes + 16, f->bytes + 12, f->len - 12);
	set16(f, 12, ETH_P_8021Q);
	set16(f, 14, id);
	f->len += 4;
	f->l3 += 4;
	f->l4 += 4;
	f->headers += 4;
}

static void wrapped(const struct packet *p, struct frame *f)
{
	switch (p->wrap) {
	case WRAP_VLAN:
		ethernet(f, ETH_P_8021Q);
		tag(f, vnet(p), ip_type(p));
		inner(p, f);
		break;
	case WRAP_QINQ:
		ethernet(f, ETH_P_8021AD);
		tag(f, 5, ETH_P_8021Q);
		tag(f, vnet(p), ip_type(p));
		inner(p, f);
		break;
	case WRAP_VXLAN:
	case WRAP_VXLAN6:
	case WRAP_VXLAN_VLAN:
		vxlan(p, f, p->wrap == WRAP_VXLAN6, p->wrap == WRAP_VXLAN_VLAN);
		break;
	case WRAP_VLAN_VXLAN:
		vxlan(p, f, 0, 0);
		insert_tag(f, 33);
		break;
	case WRAP_GENEVE:
	case WRAP_GENEVE_OPTIONS:
	case WRAP_GENEVE_IP:
		geneve(p, f);
		break;
	case WRAP_GRE:
	case WRAP_GRE_KEY:
	case WRAP_GRE_ALL:
	case WRAP_GRE_ETHERNET:
		gre(p, f);
		break;
	case WRAP_IPIP:
	case WRAP_IPIP6:
		ipip(p, f);
		break;
	default:
		ethernet(f, ip_type(p));
		inner(p, f);
	}
}

void packet_build(const struct packet *p, struct frame *f)
{
	f->len = 0;
	wrapped(p, f);
	memset(f->bytes + f->len, 0xee, p->padding);
	f->len += p->padding;
}

/* The outer packet of a tunnel has become shorter, too. */
static void shorten_outer(const struct frame *f, struct frame *part)
{
	uint32_t ip = 14;

	while (get16(f, ip - 2) == ETH_P_8021Q || get16(f, ip - 2) == ETH_P_8021AD)
		ip += 4;
	if (ip >= f->l3 || f->bytes[ip] >> 4 != 4)
		return;
	set16(part, ip + 2, part->len - ip);
	sum_ip4(part, ip);
	if (part->bytes[ip + 9] == IPPROTO_UDP)
		set16(part, ip + 24, part->len - ip - 20);
}

/* Where the IPv6 header says, or its last extension, what is carried. */
static uint32_t next_header_at(const struct frame *f)
{
	uint32_t at = f->l3 + 6, next = f->l3 + 40;

	for (; next < f->l4; next += (f->bytes[next + 1] + 1) * 8)
		at = next;
	return at;
}

void packet_cut(const struct frame *f, uint32_t at, uint32_t bytes, int more, uint32_t id,
		struct frame *part)
{
	uint32_t ip = f->l3;

	part->len = 0;
	put(part, f->bytes, f->l4);
	part->l3 = ip;
	if (f->bytes[ip] >> 4 == 6) {
		put8(part, f->bytes[next_header_at(f)]);
		put8(part, 0);
		put16(part, at | !!more);
		put32(part, id);
		part->bytes[next_header_at(f)] = IPPROTO_FRAGMENT;
	} else {
		set16(part, ip + 4, id);
		set16(part, ip + 6, at / 8 | (more ? 0x2000 : 0));
	}
	part->l4 = part->len;
	part->headers = part->len + (at ? 0 : f->headers - f->l4);
	put(part, f->bytes + f->l4 + at, bytes);
	part->payload = part->len - part->headers;
	end_ip(part, ip);
	shorten_outer(f, part);
}

int packet_same_flow(const struct packet *a, const struct packet *b)
{
	return a->udp == b->udp && a->v6 == b->v6 && a->reverse == b->reverse &&
	       alice_port(a) == alice_port(b) && bob_port(a) == bob_port(b) &&
	       a->carol == b->carol && a->wrap == b->wrap && vnet(a) == vnet(b);
}

static const struct {
	uint8_t kind;
	uint8_t id; /* the key has the packet's vnet */
} vnets[WRAP_COUNT] = {
	[WRAP_VLAN] = {XP_VNET_VLAN, 1},	[WRAP_QINQ] = {XP_VNET_QINQ, 1},
	[WRAP_VXLAN] = {XP_VNET_VXLAN, 1},	[WRAP_VXLAN6] = {XP_VNET_VXLAN, 1},
	[WRAP_VXLAN_VLAN] = {XP_VNET_VXLAN, 1}, [WRAP_VLAN_VXLAN] = {XP_VNET_VXLAN, 1},
	[WRAP_GENEVE] = {XP_VNET_GENEVE, 1},	[WRAP_GENEVE_OPTIONS] = {XP_VNET_GENEVE, 1},
	[WRAP_GENEVE_IP] = {XP_VNET_GENEVE, 1}, [WRAP_GRE] = {XP_VNET_GRE, 0},
	[WRAP_GRE_KEY] = {XP_VNET_GRE, 1},	[WRAP_GRE_ALL] = {XP_VNET_GRE, 1},
	[WRAP_GRE_ETHERNET] = {XP_VNET_GRE, 1}, [WRAP_IPIP] = {XP_VNET_IPIP, 0},
	[WRAP_IPIP6] = {XP_VNET_IPIP, 0},
};

void packet_key(const struct packet *p, union xp_key *key)
{
	uint16_t sport = p->reverse ? bob_port(p) : alice_port(p);
	uint16_t dport = p->reverse ? alice_port(p) : bob_port(p);
	uint32_t id = vnets[p->wrap].id ? vnet(p) : 0;
	uint8_t a[16], b[16];

	if (p->wrap == WRAP_QINQ)
		id |= 5 << 12;
	memset(key, 0, sizeof(*key));
	if (p->v6) {
		address6(a, alice6, 0);
		address6(b, bob6, p->carol);
		memcpy(key->v6.src, p->reverse ? b : a, 16);
		memcpy(key->v6.dst, p->reverse ? a : b, 16);
		key->v6.sport = bpf_htons(sport);
		key->v6.dport = bpf_htons(dport);
		key->v6.vnet = id;
		key->v6.vnet_kind = vnets[p->wrap].kind;
		key->v6.proto = p->udp ? IPPROTO_UDP : IPPROTO_TCP;
		return;
	}
	address4(a, alice4, 0);
	address4(b, bob4, p->carol);
	memcpy(&key->v4.src, p->reverse ? b : a, 4);
	memcpy(&key->v4.dst, p->reverse ? a : b, 4);
	key->v4.sport = bpf_htons(sport);
	key->v4.dport = bpf_htons(dport);
	key->v4.vnet = id;
	key->v4.vnet_kind = vnets[p->wrap].kind;
	key->v4.proto = p->udp ? IPPROTO_UDP : IPPROTO_TCP;
}
