/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * capture.c - in: a capture file of a link type that capture_link.c knows. Out: Ethernet frames.
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

#include <pcap/pcap.h>

#include "capture.h"
#include "capture_link.h"

/* Room for libpcap's largest packet behind a header that is made here. */
#define MADE_HEADER (ETH_HLEN + 4 * CAPTURE_MAX_TAGS)
#define CAPTURE_MAX (MADE_HEADER + 262144)

struct capture {
	pcap_t *pcap;
	const struct capture_link *link;
	uint8_t frame[CAPTURE_MAX];
};

static void explain_link(int dlt, char *error)
{
	const char *name = pcap_datalink_val_to_name(dlt);

	snprintf(error, CAPTURE_ERROR, "link type %s (%d) is not supported: use %s",
		 name ? name : "unknown", dlt, capture_link_names());
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
	capture->pcap = pcap_open_offline(path, reason);
	if (!capture->pcap) {
		snprintf(error, CAPTURE_ERROR, "%s", without_path(reason, path));
		goto fail;
	}
	capture->link = capture_link_find(pcap_datalink(capture->pcap));
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

/* The frame with an Ethernet header of ours, and the tags that it had. */
static void make_ethernet(struct capture *capture, const struct capture_layer *layer,
			  struct capture_packet *packet)
{
	size_t rest = packet->len - layer->offset;
	uint8_t *to = capture->frame;
	uint16_t i, word;

	memset(to, 0, ETH_HLEN - 2);
	to += ETH_HLEN - 2;
	for (i = 0; i < layer->tags; i++) {
		word = htons(ETH_P_8021Q);
		memcpy(to, &word, 2);
		word = htons(layer->tag[i]);
		memcpy(to + 2, &word, 2);
		to += 4;
	}
	word = htons(layer->type);
	memcpy(to, &word, 2);
	to += 2;
	if (rest > CAPTURE_MAX - MADE_HEADER)
		rest = CAPTURE_MAX - MADE_HEADER;
	memcpy(to, packet->frame + layer->offset, rest);
	packet->frame = capture->frame;
	packet->len = (size_t)(to - capture->frame) + rest;
	packet->wire += (size_t)(to - capture->frame) - layer->offset;
}

int capture_next(struct capture *capture, struct capture_packet *packet)
{
	struct capture_layer layer;
	struct pcap_pkthdr *header;
	int err;

	do {
		err = pcap_next_ex(capture->pcap, &header, &packet->frame);
		if (err == PCAP_ERROR_BREAK)
			return 0;
		if (err != 1)
			return -1;
		packet->len = header->caplen;
		packet->wire = header->len > header->caplen ? header->len : header->caplen;
		err = capture_link_read(capture->link, packet->frame, packet->len, &layer);
		/* An Ethernet frame that is not understood goes to the program, which counts it. */
	} while (err && (!layer.unchanged || packet->len < ETH_HLEN));
	if (!layer.unchanged)
		make_ethernet(capture, &layer, packet);
	return 1;
}

const char *capture_fault(struct capture *capture)
{
	return pcap_geterr(capture->pcap);
}
