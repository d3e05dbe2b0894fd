/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * capture_link.c - in: a packet as a capture file has it. Out: where its network layer begins.
 *
 * Two steps: the link type's own header, then what may lie between it and IP whatever the link
 * is: VLAN tags, LLC/SNAP, PPPoE, MPLS. Nothing is guessed: what does not say that IP comes next
 * is no IP. Each reader moves layer->offset over what it understands, never beyond `len`.
 */
#include <string.h>

#include <linux/if_ether.h>
#include <sys/socket.h>

#include <pcap/pcap.h>

#include "capture_link.h"

#define MAX_LAYERS 16	/* between link and network layer */
#define TYPE_LLC 0x0001 /* "type" of what begins with an LLC header: none of Ethernet's */

struct view {
	const uint8_t *packet;
	size_t len;
};

typedef int link_fn(const struct view *v, struct capture_layer *layer);

/* The next `size` bytes, NULL: not all of them are there. */
static const uint8_t *next(const struct view *v, const struct capture_layer *layer, size_t size)
{
	if (layer->offset > v->len || v->len - layer->offset < size)
		return NULL;
	return v->packet + layer->offset;
}

static uint16_t be16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

static uint16_t le16(const uint8_t *p)
{
	return (uint16_t)(p[1] << 8 | p[0]);
}

/* What begins with an IP header: its version says which. */
static int ip_follows(const struct view *v, struct capture_layer *layer)
{
	const uint8_t *ip = next(v, layer, 1);

	if (!ip || (*ip >> 4 != 4 && *ip >> 4 != 6))
		return -1;
	layer->type = *ip >> 4 == 4 ? ETH_P_IP : ETH_P_IPV6;
	return 0;
}

static int skip(const struct view *v, struct capture_layer *layer, size_t size)
{
	if (!next(v, layer, size))
		return -1;
	layer->offset += size;
	return 0;
}

/* ---- between link and network layer ---- */

static int read_tag(const struct view *v, struct capture_layer *layer)
{
	const uint8_t *tag = next(v, layer, 4);

	if (!tag)
		return -1;
	if (layer->tags < CAPTURE_MAX_TAGS)
		layer->tag[layer->tags++] = be16(tag);
	else
		layer->unchanged = 0;
	layer->type = be16(tag + 2);
	return skip(v, layer, 4);
}

/* IEEE 802.2 with SNAP (RFC 1042); of other service points only IP's. */
static int read_llc(const struct view *v, struct capture_layer *layer)
{
	const uint8_t *llc = next(v, layer, 8);

	if (!llc || memcmp(llc, "\xaa\xaa\x03", 3))
		return -1;
	layer->type = be16(llc + 6);
	return skip(v, layer, 8);
}

/* The protocol field of PPP: one byte if its lowest bit is set (RFC 1661, 2). */
static int read_ppp(const struct view *v, struct capture_layer *layer)
{
	const uint8_t *p = next(v, layer, 2);
	unsigned protocol;

	if (p && p[0] == 0xff && p[1] == 0x03) {
		layer->offset += 2;
		p = next(v, layer, 2);
	}
	if (!p)
		return -1;
	protocol = p[0] & 1 ? p[0] : be16(p);
	layer->offset += p[0] & 1 ? 1 : 2;
	switch (protocol) {
	case 0x0021:
		layer->type = ETH_P_IP;
		return 0;
	case 0x0057:
		layer->type = ETH_P_IPV6;
		return 0;
	case 0x0281:
		layer->type = ETH_P_MPLS_UC;
		return 0;
	default:
		return -1;
	}
}

static int read_pppoe(const struct view *v, struct capture_layer *layer)
{
	return skip(v, layer, 6) ? -1 : read_ppp(v, layer);
}

/* RFC 3032: the last label's bottom-of-stack bit is set; IP begins behind it. */
static int read_mpls(const struct view *v, struct capture_layer *layer)
{
	const uint8_t *label;

	do {
		label = next(v, layer, 4);
		if (!label)
			return -1;
		layer->offset += 4;
	} while (!(label[2] & 1));
	return ip_follows(v, layer);
}

/* 0 with the type of the network layer, which may be one that nobody wants, or -1. */
static int read_layers(const struct view *v, struct capture_layer *layer)
{
	int i, err = 0;

	for (i = 0; i < MAX_LAYERS && !err; i++) {
		switch (layer->type) {
		case ETH_P_8021Q:
		case ETH_P_8021AD:
			err = read_tag(v, layer);
			continue;
		case ETH_P_QINQ1:
		case ETH_P_QINQ2:
			layer->unchanged = 0;
			err = read_tag(v, layer);
			continue;
		case ETH_P_PPP_SES:
			layer->unchanged = 0;
			err = read_pppoe(v, layer);
			continue;
		case ETH_P_MPLS_UC:
		case ETH_P_MPLS_MC:
			layer->unchanged = 0;
			err = read_mpls(v, layer);
			continue;
		}
		/* Below 1536 it is the length of an IEEE 802.3 frame. */
		if (layer->type >= ETH_P_802_3_MIN)
			return 0;
		layer->unchanged = 0;
		err = read_llc(v, layer);
	}
	return -1;
}

/* ---- link types ---- */

static int link_ethernet(const struct view *v, struct capture_layer *layer)
{
	const uint8_t *eth = next(v, layer, ETH_HLEN);

	if (!eth)
		return -1;
	layer->type = be16(eth + 12);
	layer->unchanged = 1;
	return skip(v, layer, ETH_HLEN);
}

static int link_raw(const struct view *v, struct capture_layer *layer)
{
	return ip_follows(v, layer);
}

/* The family is in the byte order of the machine that captured: look at the packet. */
static int link_null(const struct view *v, struct capture_layer *layer)
{
	return skip(v, layer, 4) ? -1 : ip_follows(v, layer);
}

static int link_enc(const struct view *v, struct capture_layer *layer)
{
	return skip(v, layer, 12) ? -1 : ip_follows(v, layer);
}

/* OpenBSD's packet filter log: the first byte is the header's length, padded to words. */
static int link_pflog(const struct view *v, struct capture_layer *layer)
{
	const uint8_t *p = next(v, layer, 1);

	return !p || skip(v, layer, (size_t)(*p + 3) & ~3u) ? -1 : ip_follows(v, layer);
}

static int link_sll(const struct view *v, struct capture_layer *layer)
{
	const uint8_t *p = next(v, layer, 16);

	if (!p)
		return -1;
	layer->type = be16(p + 14);
	return skip(v, layer, 16);
}

static int link_sll2(const struct view *v, struct capture_layer *layer)
{
	const uint8_t *p = next(v, layer, 20);

	if (!p)
		return -1;
	layer->type = be16(p);
	return skip(v, layer, 20);
}

static int link_ppp(const struct view *v, struct capture_layer *layer)
{
	return read_ppp(v, layer);
}

/* Cisco HDLC has an Ethernet type; PPP in HDLC-like framing starts with 0xff. */
static int link_hdlc(const struct view *v, struct capture_layer *layer)
{
	const uint8_t *p = next(v, layer, 4);

	if (!p)
		return -1;
	if (p[0] == 0xff)
		return read_ppp(v, layer);
	layer->type = be16(p + 2);
	return skip(v, layer, 4);
}

static int link_pppoe(const struct view *v, struct capture_layer *layer)
{
	return read_pppoe(v, layer);
}

static int link_mpls(const struct view *v, struct capture_layer *layer)
{
	return read_mpls(v, layer);
}

static int link_llc(const struct view *v, struct capture_layer *layer)
{
	layer->type = TYPE_LLC;
	return 0;
}

/* Frame control and two addresses. */
static int link_fddi(const struct view *v, struct capture_layer *layer)
{
	layer->type = TYPE_LLC;
	return skip(v, layer, 13);
}

/* Data frames that are not encrypted, fragmented or A-MSDU (IEEE 802.11, 9.2). */
static int link_wifi_padded(const struct view *v, struct capture_layer *layer, int padded)
{
	const uint8_t *p = next(v, layer, 24);
	size_t header = 24;

	if (!p || (p[0] & 0x0f) != 0x08 || p[0] & 0x40 || p[1] & 0x44 || p[22] & 0x0f)
		return -1;
	if ((p[1] & 3) == 3)
		header += 6;
	if (p[0] & 0x80) {
		p = next(v, layer, header + 2);
		if (!p || p[header] & 0x80)
			return -1;
		header += p[1] & 0x80 ? 6 : 2;
	}
	if (padded)
		header = (header + 3) & ~(size_t)3;
	layer->type = TYPE_LLC;
	return skip(v, layer, header);
}

static int link_wifi(const struct view *v, struct capture_layer *layer)
{
	return link_wifi_padded(v, layer, 0);
}

/* Is the header behind this radiotap header padded to words? Its flags say so, if there are any. */
static int radiotap_pads(const uint8_t *p, size_t length)
{
	size_t at = 8;
	unsigned present = p[4];

	if (!(present & 2))
		return 0;
	while (p[at - 1] & 0x80) { /* further words of what is present */
		at += 4;
		if (at > length)
			return 0;
	}
	if (present & 1) /* time: eight bytes, aligned */
		at = ((at + 7) & ~(size_t)7) + 8;
	return at < length && p[at] & 0x20;
}

static int link_radiotap(const struct view *v, struct capture_layer *layer)
{
	const uint8_t *p = next(v, layer, 8);
	size_t length;

	if (!p)
		return -1;
	length = le16(p + 2);
	if (length < 8 || skip(v, layer, length))
		return -1;
	return link_wifi_padded(v, layer, radiotap_pads(p, length));
}

/* The packet is one of the attributes (type 9) behind four bytes. */
static int link_nflog(const struct view *v, struct capture_layer *layer)
{
	const uint8_t *p;
	unsigned size;

	if (skip(v, layer, 4))
		return -1;
	while ((p = next(v, layer, 4))) {
		size = le16(p);
		if (le16(p + 2) == 9)
			return skip(v, layer, 4) ? -1 : ip_follows(v, layer);
		if (size < 4 || skip(v, layer, (size + 3) & ~3u))
			return -1;
	}
	return -1;
}

#define OPENBSD_RAW 14 /* what OpenBSD calls DLT_RAW, as a file may have it */

static const struct capture_link {
	int dlt;
	link_fn *read;
} links[] = {
	{DLT_EN10MB, link_ethernet},
	{DLT_RAW, link_raw},
	{OPENBSD_RAW, link_raw},
	{DLT_IPV4, link_raw},
	{DLT_IPV6, link_raw},
	{DLT_LINUX_SLL, link_sll},
	{DLT_LINUX_SLL2, link_sll2},
	{DLT_NULL, link_null},
	{DLT_LOOP, link_null},
	{DLT_ENC, link_enc},
	{DLT_PFLOG, link_pflog},
	{DLT_PPP, link_ppp},
	{DLT_PPP_SERIAL, link_hdlc},
	{DLT_C_HDLC, link_hdlc},
	{DLT_PPP_ETHER, link_pppoe},
	{DLT_ATM_RFC1483, link_llc},
	{DLT_FDDI, link_fddi},
	{DLT_MPLS, link_mpls},
	{DLT_NFLOG, link_nflog},
	{DLT_IEEE802_11, link_wifi},
	{DLT_IEEE802_11_RADIO, link_radiotap},
};

const struct capture_link *capture_link_find(int dlt)
{
	size_t i;

	for (i = 0; i < sizeof(links) / sizeof(*links); i++) {
		if (links[i].dlt == dlt)
			return &links[i];
	}
	return NULL;
}

const char *capture_link_names(void)
{
	return "Ethernet, raw IP, Linux cooked, BSD loopback, PPP, PPPoE, Cisco HDLC, MPLS, nflog, "
	       "pflog, enc, RFC 1483, FDDI or 802.11";
}

int capture_link_read(const struct capture_link *link, const uint8_t *packet, size_t len,
		      struct capture_layer *layer)
{
	struct view v = {packet, len};

	memset(layer, 0, sizeof(*layer));
	return link->read(&v, layer) ? -1 : read_layers(&v, layer);
}
