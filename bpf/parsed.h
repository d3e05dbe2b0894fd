/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * parsed.h - what the first stage tells the others of a packet.
 */
#ifndef PARSED_H
#define PARSED_H

#include <xdplace/abi.h>

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
};

#endif
