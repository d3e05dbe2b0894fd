/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * decode.h - the model's own reading of a frame.
 *
 * In: the bytes of a frame and the protocol set. Out: whose packet it is and where its data are,
 * or why it is foreign. Written from the RFCs and requirement R1, not from bpf/parse.h: what the
 * two make of a frame is part of what is compared.
 */
#ifndef MODEL_DECODE_H
#define MODEL_DECODE_H

#include <stdbool.h>
#include <stdint.h>

#include <xdplace/abi.h>

struct decoded {
	union xp_key key;
	bool v6;
	bool tcp;
	bool ip_damaged; /* IPv4 header checksum */
	bool damaged;	 /* TCP or UDP checksum */
	bool unfinished; /* it holds the pseudo-header's sum */
	uint8_t flags;	 /* TCP, as on the wire: FIN 1, SYN 2, RST 4, ACK 16 */
	uint32_t seq;
	uint32_t ack;
	uint32_t headers; /* bytes in front of the payload */
	uint32_t payload;
	uint32_t l3, l4; /* where the innermost IP header is, and what it carries */
	/* A fragment (R14): bytes [at, at + payload) behind the IP header, or those of a header. */
	bool part;
	uint8_t wrong; /* why it can not be one */
	uint32_t base; /* where what it has of the datagram begins */
	bool unknown;  /* whether TCP or UDP, only the first says */
	bool tunnel;   /* the first of a tunnel's own packet */
	bool more;     /* not the last */
	uint32_t at;
	uint32_t id;
};

/* XP_R_OK, or the reason why it is none of ours. */
enum xp_reason decode(const uint8_t *frame, uint32_t len, uint32_t protocols, struct decoded *d);
/*
 * What fragments have come to: `size` bytes behind the IP header, which are in the frame now, the
 * first fragment's `d` in front of them. XP_R_OK, or why it is not to be delivered.
 */
enum xp_reason decode_together(const uint8_t *frame, uint32_t size, struct decoded *d);

#endif
