/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * checksum.h - Internet checksums (RFC 1071). Pure C, also built for the host.
 *
 * Sums are taken of 32-bit words in native byte order into 64 bits and folded at the end; the
 * order of bytes does not matter as long as all agree.
 */
#ifndef CHECKSUM_H
#define CHECKSUM_H

#include "parse.h"

/* To 16 bits: after the steps there are at most 33, 18, 17 and 16 bits left. */
static __always_inline __u32 xp_fold(__u64 sum)
{
	sum = (sum >> 32) + (sum & 0xffffffff);
	sum = (sum >> 16) + (sum & 0xffff);
	sum = (sum >> 16) + (sum & 0xffff);
	sum = (sum >> 16) + (sum & 0xffff);
	return sum;
}

/* Up to three bytes behind the last whole word. */
static __always_inline __u64 xp_sum_tail(const unsigned char *p, __u32 bytes)
{
	__u64 sum = 0;

	if (bytes > 0)
		sum += bpf_ntohs((__u16)(p[0] << 8));
	if (bytes > 1)
		sum += bpf_ntohs((__u16)p[1]);
	if (bytes > 2)
		sum += bpf_ntohs((__u16)(p[2] << 8));
	return sum;
}

/* The pseudo-header (RFC 9293, 3.1; RFC 768; RFC 8200, 8.1). `length`: of header and data. */
static __always_inline __u64 xp_sum_pseudo(const struct xp_packet *p, __u32 length)
{
	__u64 sum = bpf_htonl(length) + (__u64)bpf_htonl(p->proto);
	__u64 w0 = p->key.word[0];

	sum += (w0 >> 32) + (w0 & 0xffffffff);
	if (p->v6) {
		__u64 w1 = p->key.word[1], w2 = p->key.word[2], w3 = p->key.word[3];

		sum += (w1 >> 32) + (w1 & 0xffffffff) + (w2 >> 32) + (w2 & 0xffffffff) +
		       (w3 >> 32) + (w3 & 0xffffffff);
	}
	return sum;
}

/* A local sender's unfinished checksum: the field holds just the pseudo-header's sum. */
static __always_inline int xp_sum_unfinished(__u64 pseudo, __u16 check)
{
	return xp_fold(pseudo) == check;
}

/* Does a sum over everything mean that the packet is whole? `check`: the field as it is. */
static __always_inline int xp_sum_good(__u64 total, __u64 pseudo, __u16 check)
{
	return xp_fold(total) == 0xffff || xp_sum_unfinished(pseudo, check);
}

/* The IPv4 header's own checksum (RFC 791); true for IPv6. */
static __always_inline int xp_ip_good(const void *data, const void *end, const struct xp_packet *p)
{
	const char *ip = (const char *)data + (p->l3 & 0x1ff);
	__u64 sum = 0;
	__u32 i;

	if (p->v6)
		return 1;
	for (i = 0; i < 60; i += 4) {
		if (i >= 20 && i + p->l3 >= p->l4)
			break;
		if (ip + i + 4 > (const char *)end)
			return 0;
		sum += xp_get32(ip + i);
	}
	return xp_fold(sum) == 0xffff;
}

/* The checksum field of the L4 header. */
static __always_inline int xp_check_field(const void *data, const void *end,
					  const struct xp_packet *p, __u16 *check)
{
	const char *field = (const char *)data + (p->l4 & 0x1ff);

	field += p->proto == IPPROTO_TCP ? 16 : 6;
	if (field + 2 > (const char *)end)
		return -1;
	*check = xp_get16(field);
	return 0;
}

/*
 * A plain packet (xp_parse_plain()) whose payload has the sum `payload`: are its IPv4
 * header and its TCP or UDP checksum good? The headers' words are few and known to be there, so
 * that this costs a fraction of the general way.
 */
static __always_inline int xp_plain_good(const void *data, const void *end,
					 const struct xp_packet *p, __u64 payload)
{
	const char *ip = (const char *)data + ETH_HLEN, *l4 = (const char *)data + (p->l4 & 0x7f);
	__u32 header = p->data - p->l4, words = header / 4, i;
	__u64 sum, pseudo;
	__u16 check;

	if (l4 + sizeof(struct tcphdr) > (const char *)end)
		return 0;
	/* The pseudo-header's addresses lie where they are summed. */
	pseudo = bpf_htonl(header + p->payload) + (__u64)bpf_htonl(p->proto);
	if (p->v6) {
		if (ip + sizeof(struct ipv6hdr) > (const char *)end)
			return 0;
		xp_unroll for (i = 8; i < 40; i += 4) pseudo += xp_get32(ip + i);
	} else {
		if (ip + sizeof(struct iphdr) > (const char *)end)
			return 0;
		sum = (__u64)xp_get32(ip + 12) + xp_get32(ip + 16);
		pseudo += sum;
		sum += (__u64)xp_get32(ip) + xp_get32(ip + 4) + xp_get32(ip + 8);
		if (xp_fold(sum) != 0xffff)
			return 0;
	}
	if (p->no_checksum)
		return 1;
	sum = (__u64)xp_get32(l4) + xp_get32(l4 + 4);
	check = xp_get16(l4 + 6);
	if (p->proto == IPPROTO_TCP) {
		sum += (__u64)xp_get32(l4 + 8) + xp_get32(l4 + 12) + xp_get32(l4 + 16);
		check = xp_get16(l4 + 16);
		for (i = 5; i < 15; i++) {
			if (i >= words || l4 + 4 * i + 4 > (const char *)end)
				break;
			sum += xp_get32(l4 + 4 * i);
		}
	}
	return xp_sum_good(sum + pseudo + payload, pseudo, check);
}

#endif
