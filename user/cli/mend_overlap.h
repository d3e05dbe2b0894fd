/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * mend_overlap.h - which of different bytes count where a capture has a place of a stream twice.
 */
#ifndef MEND_OVERLAP_H
#define MEND_OVERLAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A segment: its stream offsets, and the packet's number in the capture. */
struct overlap_segment {
	uint64_t packet;
	int64_t start;
	int64_t past;
	const uint8_t *bytes;
	bool good;  /* its checksum holds */
	bool again; /* some of it has come before */
};

/* Bytes [from, past) of a packet's data that do not count. */
struct overlap_cut {
	uint64_t packet;
	uint32_t from;
	uint32_t past;
};

struct overlap;	      /* of a capture */
struct overlap_early; /* of one direction of a connection: NULL at first */

struct overlap *overlap_new(void);
void overlap_free(struct overlap *overlap);
void overlap_end(struct overlap *overlap, struct overlap_early *early);

/* A direction begins: offset of its first byte. 0 or -ENOMEM. */
int overlap_begin(struct overlap_early **early, int64_t edge);
/* A segment of it, in the order of the capture. 0 or -ENOMEM. */
int overlap_add(struct overlap *overlap, struct overlap_early *early,
		const struct overlap_segment *segment);
/* Do any segments of any direction wait for a hole to be filled? */
bool overlap_waits(const struct overlap *overlap);
/* The other side has all up to this offset. 0 or -ENOMEM. */
int overlap_acknowledge(struct overlap *overlap, struct overlap_early *early, int64_t upto);

/* All was added: false if nothing is to be cut. */
bool overlap_sort(struct overlap *overlap);
/* The packet's cuts, in order; NULL: none. Packets are asked for in the order of the capture. */
const struct overlap_cut *overlap_cuts(struct overlap *overlap, uint64_t packet, size_t *count);

#endif
