/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * capture_link.h - which bytes of a captured packet are its link header, and what lies behind it.
 */
#ifndef CAPTURE_LINK_H
#define CAPTURE_LINK_H

#include <stddef.h>
#include <stdint.h>

#define CAPTURE_MAX_TAGS 2 /* VLAN tags that are kept: the program reads no more */

/* What there was before the network layer. */
struct capture_layer {
	size_t offset; /* of the network layer in the packet */
	uint16_t type; /* its Ethernet type, host byte order */
	uint16_t tags; /* how many VLAN tags there were, at most CAPTURE_MAX_TAGS */
	uint16_t tag[CAPTURE_MAX_TAGS];
	uint8_t unchanged; /* it is a plain Ethernet frame already: nothing to be made */
};

struct capture_link;

/* NULL: this link type is not known. */
const struct capture_link *capture_link_find(int dlt);
/* Names of those that are known, for messages. */
const char *capture_link_names(void);
/* 0, or -1: no packet of a network layer that is known (management frames, bad headers). */
int capture_link_read(const struct capture_link *link, const uint8_t *packet, size_t len,
		      struct capture_layer *layer);

#endif
