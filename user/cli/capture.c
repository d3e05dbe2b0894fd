/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * capture.c - in: a capture file of any link type listed below. Out: Ethernet frames.
 *
 * Promises: a link type that is not listed is refused by name, never guessed at; a file that
 * ends in the middle of a packet gives every packet before that, then the fault.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <sys/socket.h>

#include <pcap/pcap.h>

#include "capture.h"

#define CAPTURE_MAX (ETH_HLEN + 262144) /* libpcap's largest packet */

/* Ethernet type of the packet behind a foreign link header, host byte order. */
typedef uint16_t link_type_fn(const uint8_t *link);

struct capture_link {
	int dlt;
	size_t header;	    /* bytes of the link header that the file has */
	link_type_fn *type; /* NULL: it is Ethernet */
};

struct capture {
	pcap_t *pcap;
	const struct capture_link *link;
	uint64_t truncated;
	uint8_t frame[CAPTURE_MAX];
};

static uint16_t type_of_version(const uint8_t *ip)
{
	return *ip >> 4 == 6 ? ETH_P_IPV6 : ETH_P_IP;
}

/* DLT_NULL has the family in the byte order of the machine that captured: look at the packet. */
static uint16_t type_behind_family(const uint8_t *link)
{
	return type_of_version(link + 4);
}

static uint16_t type_at(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

static uint16_t type_of_sll(const uint8_t *link)
{
	return type_at(link + 14);
}

static uint16_t type_of_sll2(const uint8_t *link)
{
	return type_at(link);
}

static const struct capture_link links[] = {
	{DLT_EN10MB, 0, NULL},
	{DLT_RAW, 0, type_of_version},
	{DLT_IPV4, 0, type_of_version},
	{DLT_IPV6, 0, type_of_version},
	{DLT_LINUX_SLL, 16, type_of_sll},
	{DLT_LINUX_SLL2, 20, type_of_sll2},
	{DLT_NULL, 4, type_behind_family},
	{DLT_LOOP, 4, type_behind_family},
};

static const struct capture_link *find_link(int dlt)
{
	size_t i;

	for (i = 0; i < sizeof(links) / sizeof(*links); i++) {
		if (links[i].dlt == dlt)
			return &links[i];
	}
	return NULL;
}

static void explain_link(int dlt, char *error)
{
	const char *name = pcap_datalink_val_to_name(dlt);

	snprintf(error, CAPTURE_ERROR,
		 "link type %s (%d) is not supported: use Ethernet, raw IP, Linux cooked or BSD "
		 "loopback",
		 name ? name : "unknown", dlt);
}

/* libpcap names the file in some of its messages: the caller does so in all. */
static const char *without_path(const char *reason, const char *path)
{
	size_t len = strlen(path);

	if (strncmp(reason, path, len) || strncmp(reason + len, ": ", 2))
		return reason;
	return reason + len + 2;
}

struct capture *capture_open(const char *path, char *error)
{
	char reason[PCAP_ERRBUF_SIZE] = "";
	struct capture *capture;

	capture = malloc(sizeof(*capture));
	if (!capture) {
		snprintf(error, CAPTURE_ERROR, "%s", strerror(ENOMEM));
		return NULL;
	}
	capture->truncated = 0;
	capture->pcap = pcap_open_offline(path, reason);
	if (!capture->pcap) {
		snprintf(error, CAPTURE_ERROR, "%s", without_path(reason, path));
		goto fail;
	}
	capture->link = find_link(pcap_datalink(capture->pcap));
	if (!capture->link) {
		explain_link(pcap_datalink(capture->pcap), error);
		goto fail;
	}
	return capture;

fail:
	capture_close(capture);
	return NULL;
}

void capture_close(struct capture *capture)
{
	if (!capture)
		return;
	if (capture->pcap)
		pcap_close(capture->pcap);
	free(capture);
}

static size_t make_ethernet(struct capture *capture, const uint8_t *packet, size_t len)
{
	const struct capture_link *link = capture->link;
	struct ethhdr *eth = (struct ethhdr *)capture->frame;

	memset(eth, 0, sizeof(*eth));
	eth->h_proto = htons(link->type(packet));
	len -= link->header;
	if (len > CAPTURE_MAX - ETH_HLEN)
		len = CAPTURE_MAX - ETH_HLEN;
	memcpy(capture->frame + ETH_HLEN, packet + link->header, len);
	return ETH_HLEN + len;
}

int capture_next(struct capture *capture, const void **frame, size_t *len)
{
	struct pcap_pkthdr *header;
	const uint8_t *packet;
	int err;

	do {
		err = pcap_next_ex(capture->pcap, &header, &packet);
		if (err == PCAP_ERROR_BREAK)
			return 0;
		if (err != 1)
			return -1;
		if (header->caplen < header->len)
			capture->truncated++;
	} while (header->caplen <= capture->link->header);
	*frame = packet;
	*len = header->caplen;
	if (capture->link->type) {
		*len = make_ethernet(capture, packet, header->caplen);
		*frame = capture->frame;
	}
	return 1;
}

const char *capture_fault(struct capture *capture)
{
	return pcap_geterr(capture->pcap);
}

uint64_t capture_truncated(const struct capture *capture)
{
	return capture->truncated;
}
