/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * cursor.h - what the XDP program alone knows of a lane (map xp_cursors, k). Not ABI: the library
 * zeroes it and, for the audit, reads which areas a lane has in hand.
 */
#ifndef CURSOR_H
#define CURSOR_H

#include <xdplace/abi.h>

#define XP_HAND 8u /* areas taken from the free ring, not used yet */

struct xp_cursor {
	__u32 lock;	     /* 0 free, 1 held by a packet, 2 + CPU: held by a command */
	__u32 produced;	     /* completions written and told; the authority for xp_lane.produced */
	__u32 written;	     /* completions written, told or not */
	__u32 hand_count;    /* areas in hand[] */
	__u32 hand[XP_HAND];
	__u32 hot_consumed;  /* groups */
	__u32 cold_consumed;
	__u32 header_next;   /* UMEM offset of the next header cell; XP_CELL-aligned; 0: none */
	__u32 hybrid_next;   /* the same for hybrid cells */

	union xp_key key; /* of the last flow, so that a train of packets needs no look-up */
	__u32 handle;	  /* its handle; 0 with key zero: none */
	__u32 frame_next; /* UMEM offset of the next frame; 0: none */

	__u32 lru_head; /* flows, most recently active first; index + 1, 0: none */
	__u32 lru_tail;
	__u32 free_flow;   /* first free entry, linked by lru_next; index + 1, 0: none */
	__u32 used_flows;  /* entries of this lane ever used: those beyond are free as well */
	__u32 free_early;  /* first free early block; index + 1 */
	__u32 used_early;
	__u32 sweep;	   /* where the search for aged holes goes on */
	__u32 spare;
};

#endif
