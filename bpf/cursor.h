/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * cursor.h - what the XDP program alone knows of a lane (map xp_cursors, k). Not ABI: the library
 * zeroes it and, for the audit, reads which areas a lane has in hand.
 */
#ifndef CURSOR_H
#define CURSOR_H

#include <xdplace/abi.h>
#include "datagram.h"
#include "parsed.h"
#include "train.h"

/* Areas taken from the free ring, not used yet: area[taken & (XP_HAND - 1)] is the next. */
#define XP_HAND 16u
struct xp_hand {
	__u32 filled; /* both run free */
	__u32 taken;
	__u32 area[XP_HAND];
};

/*
 * Flows that a lane remembers besides its last one (map xp_recent, k), by a hash of their key. An
 * entry is never removed: it names a flow whose key is compared.
 */
#define XP_RECENT 16384u
struct xp_recent {
	__u32 tag; /* more of the hash */
	__u32 handle;
};

/*
 * The packet in work, while it takes the long way (place.bpf.h). `at` and `end` are stream
 * offsets (`at` of RTP: the packet's number), `from` is the place of the byte at `at` in the frame.
 */
struct xp_job {
	__u64 at;
	__u64 end;
	__u32 from;
	__u32 flow; /* index in xp_flow; XP_NONE */
	__u32 opcode;
	__u32 reason;
	__u32 header; /* UMEM offset of the header cell, XP_NONE: told already, or none */
	__u32 header_len;
	__u32 header_flags; /* XP_RELEASE_HEADER */
	__u32 placed;	    /* payload bytes placed so far */
	__u32 rtp;	    /* XP_RTP() of a flow that is being set up */
};

/* Ends of a list of flows or datagrams: index + 1, 0: none. */
struct xp_list {
	__u32 head;
	__u32 tail;
};

struct xp_cursor {
	__u32 lock;	      /* 0 free, 1 held by a packet, 2 + CPU: held by a command */
	__u32 produced;	      /* completions written and told; the authority for xp_lane.produced */
	__u32 written;	      /* completions written, told or not */
	struct xp_hand hand;  /* free areas for data, first taken first used: neighbours stay so */
	struct xp_hand cells; /* free areas that held cells before */
	__u32 cells_empty;    /* scratch of xp_hand_fill(): 6.1 has no stack left there */
	__u32 hot_consumed;   /* groups */
	__u32 cold_consumed;
	__u32 cell_next[2]; /* UMEM offset of the next header and hybrid cell; at the start of an
			     * area: none */

	struct xp_train train; /* what the next packet of the last flow looks like */
	__u32 found;	       /* handle that the key of the packet in work led to; XP_NONE */
	__u32 last;	  /* handle of the last packet's flow: the second in a row is a train */
	__u32 frame_next; /* UMEM offset of the next frame, as cell_next */

	__u32 moves;	       /* of flows to the head of the list */
	struct xp_list live;   /* flows, most recently active first */
	struct xp_list closed; /* entries of ended flows, ended last first */
	__u32 free_flow;       /* first free entry, linked by lru_next; index + 1, 0: none */
	__u32 used_flows;      /* entries of this lane ever used: those beyond are free as well */
	__u32 free_early;      /* first free early block; index + 1 */
	__u32 used_early;
	__u32 free_rtp; /* the same of RTP blocks */
	__u32 used_rtp;
	__u32 sweep_rtp;
	__u32 sweep;		 /* where the search for aged holes goes on */
	struct xp_packet packet; /* in work, as parsed: too large for the stack */
	struct xp_job job;

	/* Datagrams in fragments (fragment.bpf.h). */
	struct xp_list datagrams; /* the last to begin first */
	__u32 free_datagram;	  /* index + 1 */
	__u32 used_datagrams;
	__u32 datagram_areas; /* areas that they have */
	__u32 whole;	      /* the packet in work is this one: index + 1, 0: it is in its frame */
	struct xp_part part;
};

#endif
