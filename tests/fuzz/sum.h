/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * sum.h - checksums made byte by byte, of a frame as it was parsed: a second opinion, and the way
 * to make a changed frame right again.
 */
#ifndef SUM_H
#define SUM_H

#include <stdint.h>

#include "parsed.h"

/* RFC 1071 as it is written: 16-bit words, most significant byte first, an odd byte padded. */
static inline uint32_t sum_add(uint32_t sum, const uint8_t *p, uint32_t bytes)
{
	uint32_t i;

	for (i = 0; i + 1 < bytes; i += 2)
		sum += p[i] << 8 | p[i + 1];
	if (bytes & 1)
		sum += p[bytes - 1] << 8;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return sum;
}

static inline uint32_t sum_both(uint32_t a, uint32_t b)
{
	return sum_add(a, (uint8_t[]){b >> 8, b}, 2);
}

static inline uint32_t sum_pseudo(const uint8_t *frame, const struct xp_packet *p)
{
	uint32_t bytes = p->data - p->l4 + p->payload;
	uint8_t tail[4] = {bytes >> 8, bytes, 0, p->proto};
	uint32_t sum =
		p->v6 ? sum_add(0, frame + p->l3 + 8, 32) : sum_add(0, frame + p->l3 + 12, 8);

	return sum_add(sum, tail, 4);
}

static inline uint32_t sum_l4(const uint8_t *frame, const struct xp_packet *p)
{
	return sum_add(0, frame + p->l4, p->data - p->l4 + p->payload);
}

static inline uint32_t sum_ip(const uint8_t *frame, const struct xp_packet *p)
{
	return sum_add(0, frame + p->l3, (frame[p->l3] & 15) * 4);
}

static inline uint8_t *sum_field(uint8_t *frame, const struct xp_packet *p)
{
	return frame + p->l4 + (p->proto == 6 ? 16 : 6);
}

static inline void sum_put(uint8_t *p, uint32_t value)
{
	p[0] = value >> 8;
	p[1] = value;
}

/* Set the (inner) packet's checksums right; `unfinished`: to the pseudo-header's sum. */
static inline void sum_make_right(uint8_t *frame, const struct xp_packet *p, int unfinished)
{
	uint32_t sum, pseudo = sum_pseudo(frame, p);

	if (!p->v6) {
		sum_put(frame + p->l3 + 10, 0);
		sum_put(frame + p->l3 + 10, ~sum_ip(frame, p));
	}
	if (p->no_checksum)
		return;
	sum_put(sum_field(frame, p), 0);
	sum = ~sum_both(pseudo, sum_l4(frame, p)) & 0xffff;
	if (p->proto == 17 && !sum)
		sum = 0xffff; /* RFC 768: zero would mean none */
	sum_put(sum_field(frame, p), unfinished ? pseudo : sum);
}

#endif
