/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * parsed.h - what the first stage tells the others of a packet.
 */
#ifndef PARSED_H
#define PARSED_H

#include <xdplace/abi.h>

/* xp_packet.fragment */
#define XP_PART 1u	  /* part of a TCP or UDP datagram */
#define XP_PART_MORE 2u	  /* not its end */
#define XP_PART_TINY 4u	  /* its beginning, without the whole TCP or UDP header */
#define XP_PART_TUNNEL 8u /* its beginning, which opens a tunnel */

/*
 * Of a fragment, other than the first of its datagram, ports are 0 and `data` is `base`; `proto`
 * is 0 where extension headers come first.
 */
struct xp_packet {
	union xp_key key;
	__u32 payload; /* bytes of TCP or UDP payload */
	__u32 seq;     /* TCP, host byte order */
	__u32 ack;
	__u16 data; /* offset of the payload: length of all headers */
	__u16 l3;   /* offset of the (inner) IP header */
	__u16 l4;   /* offset of the TCP or UDP header */
	__u8 v6;
	__u8 tcp_flags;
	__u8 proto;
	__u8 no_checksum; /* UDP over IPv4 without one */

	/* Meaningful only where the parser answers -XP_R_IP_FRAGMENT. */
	__be32 id;     /* that all parts of the datagram have */
	__u16 base;    /* offset of this part of the datagram */
	__u16 at;      /* where it belongs there, bytes */
	__u8 fragment; /* XP_PART ..., 0: of no datagram that is put together */
};

#endif
