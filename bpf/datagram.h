/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * datagram.h - a datagram that comes in fragments, as far as it has come (map xp_datagram, k).
 * Not ABI: the library sizes the map and, for the audit, reads which areas a datagram has.
 *
 *   0      l4_at   data_at                                              total
 *   |options|TCP/UDP|==== payload, in slot[0], slot[1] ... at these offsets ===|
 *    `header` has these
 *
 * Offsets are those in the datagram's IP payload: a byte's place in an area is its offset modulo
 * the area size. What has come is kept by units of 8 bytes, in which IP counts, so that a fragment
 * costs the same however many came before.
 */
#ifndef DATAGRAM_H
#define DATAGRAM_H

#include <xdplace/abi.h>
#include "parsed.h"

#define XP_UNIT 8u
#define XP_UNIT_WORDS (65536u / XP_UNIT / 64)
#define XP_DATAGRAM_AREAS (65536u >> XP_MIN_AREA_SHIFT)

enum xp_datagram_state {
	XP_DATAGRAM_FREE,
	XP_DATAGRAM_OPEN,
	XP_DATAGRAM_DEAD,    /* given up; remembered so that later parts start no other */
	XP_DATAGRAM_LEAVING, /* whole, on its way through another lane, which has it alone */
	XP_DATAGRAM_GONE,    /* back from there: free as soon as its own lane looks */
};

/* The last of the headers begins within 512 bytes and has up to 60: no test is needed to read it.
 */
#define XP_HEADER_ROOM 576u

#define XP_DATAGRAM_FIRST 1u  /* the first fragment has come: ports and rule are known */
#define XP_DATAGRAM_TAKE 2u   /* its rule's verdict */
#define XP_DATAGRAM_WIN 4u    /* overlap: first bytes win */
#define XP_DATAGRAM_MARKED 8u /* there was some */
#define XP_DATAGRAM_KEYED 16u /* its key leads to it */

struct xp_datagram {
	__u64 sum;    /* of the payload that has come, not folded */
	__u32 state;  /* enum xp_datagram_state */
	__u32 flags;  /* XP_DATAGRAM_FIRST ... */
	__u32 reason; /* why it is dead */
	__u32 since;  /* tick of its first arrival */
	__u32 newer;  /* list of the lane, by arrival: index + 1, 0: none */
	__u32 older;  /* also links free entries */
	__u32 units;  /* that have come */
	__u32 total;  /* bytes, 0: the end is not known yet */
	__u32 high;   /* end of what has come */
	__u32 l4_at;
	__u32 data_at;
	__u32 areas;		       /* counted in its lane's cursor */
	__u32 slot[XP_DATAGRAM_AREAS]; /* area of each part: index + 1, 0: none */
	union xp_key key;	       /* under which the parts find it: see xp_fragment_key() */
	struct xp_packet packet;       /* as the first fragment says */
	__u8 header[XP_HEADER_ROOM];
	__u64 have[XP_UNIT_WORDS];  /* bit for each unit: has come */
	__u64 start[XP_UNIT_WORDS]; /* bit for each unit: a fragment began there */
};

/* Units [first, past), never empty, and what is found there. */
struct xp_span {
	__u32 first;
	__u32 past;
	__u32 any;    /* some have come */
	__u32 gaps;   /* some have not */
	__u32 starts; /* a fragment began behind the first */
};

/* Where the taking of new units stands: [run, at) is new and not placed yet, if open. */
struct xp_taking {
	__u32 at;
	__u32 past;
	__u32 run;
	__u32 open;
};

/* The fragment in work, of a lane. */
struct xp_part {
	union xp_key key;
	struct xp_span span;
	struct xp_taking taking;
	__u32 datagram; /* index in xp_datagram */
	__u32 failed;	/* reason for which a piece was not placed */
	__u32 need;	/* areas that it may take */
};

#endif
