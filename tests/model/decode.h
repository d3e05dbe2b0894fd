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
	uint8_t flags;	 /* TCP, as on the wire: FIN 1, SYN 2, RST 4, ACK 16 */
	uint32_t seq;
	uint32_t ack;
	uint32_t headers; /* bytes in front of the payload */
	uint32_t payload;
};

/* XP_R_OK, or the reason why it is none of ours. */
enum xp_reason decode(const uint8_t *frame, uint32_t len, uint32_t protocols, struct decoded *d);

#endif
