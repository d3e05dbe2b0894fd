/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * abi.h - every byte that the XDP program, the library and the consumers share.
 *
 * Indexes and offsets cross this boundary, pointers never. Each map is written by one side or
 * split by field: (k) is written by the BPF programs alone, (u) by user space alone. What is (u)
 * is untrusted for the BPF side; what is mapped into user space is untrusted for it even when
 * marked (k), so every (k) word it acts on has a private twin in xp_cursors.
 *
 *   UMEM (map xp_umem, `banks` elements of 1 << bank_shift bytes, mapped back to back)
 *   +--------+--------+--------+--------+ ... +--------+--------+
 *   | area 0 | area 1 | area 2 | area 3 |     |        | guard  |   last area of each bank is
 *   +--------+--------+--------+--------+ ... +--------+--------+   never placed into
 *
 *   header / hybrid area: 256-byte cells      re-assembly area: payload of one flow, no header
 *   +---------+---------+---- ... -+          frame area: whole packets, one after the other
 *   | cell 0  | cell 1  |          |
 *   +---------+---------+---- ... -+  a packet starts 2 bytes into its cell, so that behind a
 *                                     14-byte Ethernet header the IP header is 4-byte aligned
 *
 * Numbers in this file are published: they are never reused with another meaning. Anything that
 * changes a layout raises XP_ABI.
 */
#ifndef XDPLACE_ABI_H
#define XDPLACE_ABI_H

#include <linux/types.h>

#ifdef __cplusplus
#define _Static_assert static_assert
#endif

#define XP_ABI 1

#define XP_NONE 0xffffffffu /* no area, no flow, no block */

/* Limits; xdplace_open() checks what is asked for against them. */
#define XP_CELL 256u		 /* bytes of a header or hybrid cell */
#define XP_PAD 2u		 /* bytes between the start of a cell and its packet */
#define XP_MIN_AREA_SHIFT 12u	 /* 4 KiB */
#define XP_MAX_AREA_SHIFT 15u	 /* 32 KiB: two areas of data fit a completion */
#define XP_MAX_BANK_SHIFT 28u	 /* 256 MiB: the verifier's limit for one map value is 512 */
#define XP_MAX_UMEM (1ull << 32) /* offsets are 32 bit */
#define XP_MAX_LANES 64u
#define XP_MAX_FLOWS (1u << 20)
#define XP_MAX_WINDOW 256u /* areas that the data of one flow may span */
#define XP_MAX_RUNS 128u   /* early runs (holes) that one flow may have */
#define XP_MIN_RING 1024u  /* completions: one packet may need XP_SLOW_ROOM */
#define XP_MAX_RING (1u << 20)
#define XP_MAX_RULES 64u
#define XP_MAX_HEADER 510u	/* bytes of headers: two cells less the pad */
#define XP_MAX_DATAGRAMS 16384u /* in fragments at a time */
#define XP_MIN_THRESHOLD 64u
#define XP_MAX_THRESHOLD 2048u
#define XP_FREE_GROUP 4u  /* free areas that are read at once: one cache line */
#define XP_SLOW_ROOM 720u /* completions that the rarest packet may need at most */
#define XP_PART_ROOM 128u /* more of them: the rarest fragment */
#define XP_MAX_RTP 16384u /* RTP flows at a time */

/*
 * Op-codes: what was decided for a packet. X(NAME, name, meaning)
 */
#define XP_OPCODES(X)                                                                              \
	X(FOREIGN, foreign, "outside the protocol set, or its rule does not want it re-assembled") \
	X(NODATA, nodata, "of a flow, carries no data")                                            \
	X(TEARDOWN, teardown, "ends the flow without data of its own (RST, age, command)")         \
	X(WHOLE, whole, "has data, not re-assembled, flow unchanged or not set up")                \
	X(APPEND, append, "next in sequence")                                                      \
	X(LAST, last, "next in sequence, ends the flow (FIN)")                                     \
	X(FIRST, first, "sets up a new flow")                                                      \
	X(REPLACE, replace, "sets up a flow in the place of the least recently active one")        \
	X(EARLY, early, "out of sequence, placed at its stream offset")                            \
	X(REPEAT, repeat, "retransmission, nothing new in it")                                     \
	X(FRAGMENT, fragment, "part of a fragmented datagram")                                     \
	X(TAGGED, tagged, "carries a placement tag")                                               \
	X(STALE, stale, "carries an invalid tag, data discarded")

enum xp_opcode {
#define X(NAME, name, meaning) XP_##NAME,
	XP_OPCODES(X)
#undef X
		XP_OPCODE_COUNT
};

/*
 * Reasons: why a packet was not placed as stream data, why a gap was given up, why a flow ended.
 * X(NAME, name, what it tells the operator). The number is the return value of the stages
 * (negated), the counter's place in xp_reasons and the `reason` of a completion.
 */
#define XP_REASONS(X)                                                                              \
	X(OK, placed, "placed as its op-code says")                                                \
	X(SHORT, short_frame, "frame ends inside a header")                                        \
	X(NOT_IP, not_ip, "neither IPv4 nor IPv6 (ARP and the like): normal in small numbers")     \
	X(IP_HEADER, ip_header, "malformed IP header")                                             \
	X(IP_LENGTH, ip_length, "IP length disagrees with the frame")                              \
	X(IP_CHECKSUM, ip_checksum, "IPv4 header checksum wrong: damaged on the path, or forged")  \
	X(IP_FRAGMENT, ip_fragment, "IP fragment of what is not put together: tunnels, ICMP ...")  \
	X(EXT_HEADERS, ext_headers, "too many or unknown IPv6 extension headers")                  \
	X(HEADER_LONG, header_long, "headers longer than 510 bytes")                               \
	X(HEADER_SPLIT, header_split, "headers reach beyond the driver's first buffer")            \
	X(PROTOCOL, protocol, "neither TCP nor UDP, or switched off in the protocol set")          \
	X(L4_HEADER, l4_header, "TCP data offset or UDP length impossible")                        \
	X(TUNNEL, tunnel, "malformed tunnel header, or a tunnel inside a tunnel")                  \
	X(CHECKSUM, checksum, "TCP or UDP checksum wrong: damaged on the path, not placed")        \
	X(NO_RULE, no_rule, "no rule wants it: passed on untouched")                               \
	X(RULE_WHOLE, rule_whole, "its rule wants whole packets")                                  \
	X(NO_FLOW, no_flow, "of no known flow and can not start one (pure ACK, no pick-up)")       \
	X(REPEATED, repeated, "all of its data were placed before")                                \
	X(OUT_OF_WINDOW, out_of_window, "far outside the flow's window: stray or forged")          \
	X(RST_WINDOW, rst_window, "RST outside the window, ignored: probably forged")              \
	X(CLOSED, closed, "data after the flow has ended")                                         \
	X(EARLY_FULL, early_full,                                                                  \
	  "no block left to remember holes: more flows with loss than "                            \
	  "`early` allows")                                                                        \
	X(HOLES_FULL, holes_full, "hole given up: more than 128 of them in one flow")              \
	X(RING_FULL, ring_full, "completion ring full: the consumer is too slow or has stopped")   \
	X(NO_AREA, no_area, "no free area: the consumer holds them, or the UMEM is too small")     \
	X(BAD_FREE, bad_free, "user space offered an area that does not exist or is in use")       \
	X(LANE_BUSY, lane_busy, "another CPU held the lane too long")                              \
	X(COPY, copy, "the kernel refused to copy packet bytes: a bug, please report")             \
	X(FINISHED, finished, "flow ended by FIN")                                                 \
	X(RESET, reset, "flow ended by RST")                                                       \
	X(REOPENED, reopened, "flow ended by a new SYN on the same key")                           \
	X(AGED, aged, "flow ended, or hole given up, by age")                                      \
	X(REPLACED, replaced, "flow ended because the table was full: raise `flows`")              \
	X(DELETED, deleted, "flow ended by command")                                               \
	X(FLUSHED, flushed, "flow ended, or hole given up, because the capture ended")             \
	X(LOST_SYNC, lost_sync, "flow ended: sequence numbers went elsewhere")                     \
	X(GAP_ACKED, gap_acked, "hole given up: the receiver has acknowledged past it")            \
	X(GAP_WINDOW, gap_window, "hole given up: data arrived beyond the window")                 \
	X(REDIRECTED, redirected, "redirected to an AF_XDP socket")                                \
	X(NO_SOCKET, no_socket,                                                                    \
	  "placed by copying though meant for an AF_XDP socket: nobody has opened one at its "     \
	  "queue, the frame is too large for it, or the driver has no room for metadata")          \
	X(FRAG_TINY, frag_tiny,                                                                    \
	  "first fragment without the whole TCP or UDP header: an attempt to get past filters")    \
	X(FRAG_LENGTH, frag_length, "fragment empty, or not the last and no multiple of 8 bytes")  \
	X(FRAG_OVERLONG, frag_overlong, "fragment that ends beyond 65535 bytes: an attack")        \
	X(FRAG_OVERLAP, frag_overlap,                                                              \
	  "fragments that overlap or disagree about the end: dropped, or (rule) marked")           \
	X(FRAG_AGED, frag_aged, "datagram given up by age: a fragment got lost")                   \
	X(FRAG_FULL, frag_full,                                                                    \
	  "datagram given up for a newer one: raise `datagrams`, or a flood of fragments")         \
	X(FORWARDED, forwarded, "going out, and placed when it came in: not once more")            \
	X(BIG, big, "going out, longer than 64 KiB (BIG TCP) and to be placed whole: left out")    \
	X(RTP, rtp, "placed by its RTP sequence number: normal")                                   \
	X(RTP_HEADER, rtp_header,                                                                  \
	  "on an RTP flow, but not RTP: version, lengths or padding wrong")                        \
	X(RTCP, rtcp, "RTCP on the port of an RTP flow (RFC 5761): delivered whole, normal")       \
	X(RTP_SLOT, rtp_slot,                                                                      \
	  "RTP payload longer than the flow's slots: raise `slot` in the rule")                    \
	X(RTP_SOURCE, rtp_source,                                                                  \
	  "RTP of another source, or far out of sequence: a single one is a stray, two in a row "  \
	  "start a new stream")                                                                    \
	X(RTP_FULL, rtp_full, "no block left to place an RTP flow with: raise `rtp`")              \
	X(LATE, late, "RTP packet came after its place was given up or before the first: refused") \
	X(GAP_DEADLINE, gap_deadline, "missing RTP packets given up: their deadline has passed")   \
	X(NEW_SOURCE, new_source, "RTP stream ended: another source, or its numbers went elsewhere")

enum xp_reason {
#define X(NAME, name, meaning) XP_R_##NAME,
	XP_REASONS(X)
#undef X
		XP_REASON_COUNT
};

/*
 * One element of xp_reasons (k, per CPU, indexed by lane): packets by op-code (each packet has
 * exactly one, so their sum is the number of packets seen), and events by reason.
 */
struct xp_counters {
#define X(NAME, name, meaning) __u64 op_##name;
	XP_OPCODES(X)
#undef X
#define X(NAME, name, meaning) __u64 name;
	XP_REASONS(X)
#undef X
	__u64 placed_bytes; /* payload bytes placed in re-assembly areas */
	__u64 gap_bytes;    /* stream bytes given up */
	__u64 wakeups;	    /* wake-ups sent to a sleeping consumer */
};
#define XP_COUNTER_REASON XP_OPCODE_COUNT /* first reason, counted in __u64 from the start */

_Static_assert(sizeof(struct xp_counters) == 8 * (XP_OPCODE_COUNT + XP_REASON_COUNT + 3),
	       "counters are one __u64 each");

/*
 * Flags of a completion: what more there is, and what the consumer now owns.
 *
 * Behind XP_RELEASE_FLOW no data, gap or end of its handle will follow. Stragglers (NODATA, REPEAT,
 * WHOLE, with reason `closed`) may still name the handle until its entry is used again.
 */
#define XP_RELEASE_HEADER 0x01 /* the area of `header`: its last cell has been used */
#define XP_RELEASE_DATA 0x02   /* the area of `data`: nothing more will be placed in it */
#define XP_RELEASE_DATA2 0x04  /* the area of `data2` */
#define XP_RELEASE_FLOW 0x08   /* the flow has ended */
#define XP_MORE 0x10	       /* the next completion is of the same packet */
#define XP_GAP 0x20	       /* no data: `gap` stream bytes from `offset` on are given up */
#define XP_CAUGHT_UP 0x40      /* these bytes were told before as EARLY, now are in sequence */
#define XP_FRAME 0x80	       /* `data` is the whole packet (frame area), not stream data */

/*
 * Completion: 32 bytes, host byte order, written by the XDP program and not changed after
 * `produced` has passed it.
 *
 * Every byte of a stream is told in sequence exactly once, by FIRST, REPLACE, APPEND and LAST:
 * a consumer that reads only those sees the stream in order. EARLY tells of bytes ahead of their
 * turn; they come again, flagged XP_CAUGHT_UP, when the hole before them is filled or given up.
 *
 * FRAGMENT, of no flow, tells where a fragment was placed; `offset` is that in its datagram. When
 * that is whole, its payload is told as one packet: UDP at those very places, which need not be
 * `offset` modulo the area size, all but the last completion with XP_MORE. FRAGMENT without data
 * hands over areas; its reason says what became of the datagram.
 *
 * Data begin at `data` and run to the end of that area; what is left begins at `data2`, always
 * the start of an area. Areas are named by the byte offset of the data in the UMEM; the area's
 * index is offset >> area_shift. `data2` may name an area without holding data of this packet,
 * just to hand it over (XP_RELEASE_DATA2).
 *
 * Completions of RTP flows count in packets: `offset` is the extended sequence number (RFC 3550,
 * A.1; its low 16 bits are those on the wire), `gap` the number of packets that are missing from
 * there on, and `reason` is XP_R_RTP where it would be XP_R_OK. Each packet is one completion, its
 * payload in one piece at the start of a slot; EARLY and XP_CAUGHT_UP as above.
 */
struct xp_completion {
	__u8 opcode;	  /* enum xp_opcode */
	__u8 reason;	  /* enum xp_reason */
	__u8 flags;	  /* XP_RELEASE_HEADER ... */
	__u8 lane;	  /* whose ring this is: area hand-over between processes */
	__u32 flow;	  /* flow handle, or XP_NONE */
	__u64 offset;	  /* stream offset of the first data byte */
	__u32 header;	  /* UMEM offset of the header, or of a whole small packet; XP_NONE */
	__u16 header_len; /* bytes there */
	__u16 data_len;	  /* bytes at data and data2 together */
	union {
		__u32 data; /* UMEM offset of the first data byte; XP_NONE */
		__u32 gap;  /* with XP_GAP: bytes given up */
	};
	__u32 data2; /* UMEM offset of the second area; XP_NONE */
};
_Static_assert(sizeof(struct xp_completion) == 32, "completion is ABI");

/* Free area, as user space offers it: four of them are read at once. */
struct xp_free {
	__u32 area; /* index */
	__u32 zero;
	__u64 address; /* UMEM offset: area << area_shift, checked */
};
struct xp_free_group {
	struct xp_free free[XP_FREE_GROUP];
} __attribute__((aligned(64)));
_Static_assert(sizeof(struct xp_free_group) == 64, "a group is one cache line");

/*
 * Shared part of a lane (map xp_lanes, mapped into user space). All indexes run free, 32 bit.
 * Completions: xp_ring[lane * ring + (index & (ring - 1))].
 * Free groups: xp_free[lane * (hot + cold) + (index & (hot - 1))] for the hot ring,
 * behind them `+ hot + (index & (cold - 1))` for the cold pool.
 */
struct xp_lane {
	__u32 produced; /* (k) completions written */
	__u32 pad0[15];
	__u32 consumed;	   /* (u) completions the consumer has finished with */
	__u32 need_wakeup; /* (u) 1: the consumer sleeps; (k) cleared with the wake-up */
	__u32 rest[3];	   /* (u) areas given back that make no group yet: index + 1, 0: none */
	__u32 pad1[11];
	__u32 hot_produced;  /* (u) groups offered in the hot ring: released last, still in cache */
	__u32 cold_produced; /* (u) groups offered in the cold pool */
	__u32 pad2[14];
	__u32 hot_consumed;  /* (k) groups taken */
	__u32 cold_consumed; /* (k) */
	__u32 pad3[14];
};
_Static_assert(sizeof(struct xp_lane) == 256, "four cache lines");

/* What one wake-up event in xp_events holds. */
struct xp_event {
	__u32 lane;
	__u32 produced;
};

/* Virtual network that a flow belongs to (R2). */
enum xp_vnet {
	XP_VNET_NONE,
	XP_VNET_VLAN,	/* id: VLAN id, 802.1Q */
	XP_VNET_QINQ,	/* id: outer VLAN id << 12 | inner, 802.1ad */
	XP_VNET_VXLAN,	/* id: VNI, RFC 7348 */
	XP_VNET_GENEVE, /* id: VNI, RFC 8926 */
	XP_VNET_GRE,	/* id: key, RFC 2890, or 0 */
	XP_VNET_IPIP,	/* id: 0, RFC 2003, RFC 2473, RFC 4213 */
};

/* Flow keys: addresses and ports in network byte order, vnet in host byte order. */
struct xp_key4 {
	__be32 src;
	__be32 dst;
	__be16 sport;
	__be16 dport;
	__u32 vnet;
	__u8 proto;	/* IPPROTO_TCP, IPPROTO_UDP */
	__u8 vnet_kind; /* enum xp_vnet */
	__u8 zero[6];
};
_Static_assert(sizeof(struct xp_key4) == 24, "key is ABI");

struct xp_key6 {
	__u8 src[16];
	__u8 dst[16];
	__be16 sport;
	__be16 dport;
	__u32 vnet;
	__u8 proto;
	__u8 vnet_kind;
	__u8 zero[6];
};
_Static_assert(sizeof(struct xp_key6) == 48, "key is ABI");

union xp_key {
	struct xp_key4 v4; /* the rest zero */
	struct xp_key6 v6;
	__u64 word[6];
};

/*
 * A flow handle is its index in xp_flow (low 20 bits) and a generation (high 12 bits) that
 * tells successive flows at one index apart.
 */
#define XP_FLOW_INDEX(handle) ((handle)&0xfffffu)
#define XP_FLOW_GENERATION(handle) ((handle) >> 20)

enum xp_flow_state {
	XP_FLOW_FREE,
	XP_FLOW_EXPECTED, /* added by command, no packet yet */
	XP_FLOW_OPEN,
	XP_FLOW_CLOSED, /* ended, entry kept for a while so that stragglers are recognised */
};

#define XP_FLOW_TAKE 0x01   /* packets do not go on to the kernel's stack */
#define XP_FLOW_V6 0x02	    /* key is IPv6 */
#define XP_FLOW_PICKED 0x04 /* picked up in mid-stream: offset 0 is not the start */
#define XP_FLOW_FIN 0x08    /* FIN seen, stream ends at offset `fin` */
#define XP_FLOW_OWN 0x10    /* has an own area (R10) */
#define XP_FLOW_PEER 0x20   /* `peer` was looked up */
#define XP_FLOW_ACKS 0x40   /* `ack` is valid: this side has acknowledged something */
#define XP_FLOW_RTP 0x80    /* placed by RTP sequence number (R15): see struct xp_rtp */

/*
 * Flow state (map xp_flow, k). The first cache line is all that an in-order packet touches.
 * Sequence and acknowledgement numbers in host byte order; times in kernel ticks. RTP flows: stream
 * offsets count slots of 1 << slot_shift bytes from the first packet on, whose number is `isn`.
 */
struct xp_flow {
	__u64 edge; /* stream offset below which data are complete */
	__u32 next; /* TCP sequence number of the byte at edge */
	__u32 handle;
	__u8 state;   /* enum xp_flow_state */
	__u8 flags;   /* XP_FLOW_TAKE ... */
	__u8 strays;  /* segments out of window in a row */
	__u8 lane;    /* home lane: whose ring tells of it, whose lock guards it */
	__u32 area;   /* area that holds the byte at edge, XP_NONE: none yet; see early */
	__u32 early;  /* block in xp_early, XP_NONE: no hole; else its slots name the areas */
	__u32 active; /* tick of the last packet */
	__u64 packets;
	__u64 bytes;	/* payload bytes placed */
	__u32 ack;	/* highest acknowledgement number sent by this side */
	__u32 lru_prev; /* towards more recently active: index + 1, 0: none */
	__u32 lru_next; /* towards less recently active; also links free entries */
	__u32 moved;	/* count of the lane's moves in the list when this one was last moved */

	union {
		__u64 fin; /* TCP: stream offset at which FIN ends it */
		struct {
			__u32 ssrc; /* RTP: source */
			__u32 late; /* packets refused */
		} rtp;
	};
	__u64 gap_bytes; /* RTP: of slots */
	__u32 gaps;
	__u32 repeats;
	__u32 earlies;
	__u32 bad_checksums;
	__u32 whole;	   /* packets of the flow that were delivered whole */
	__u32 started;	   /* tick */
	__u64 own_start;   /* (R10) stream offset of the own area's first byte */
	__u32 own_length;  /* bytes */
	__u32 own_address; /* UMEM offset */
	__u32 peer;	   /* handle of the opposite direction */
	__u32 hole_tick;   /* when the first hole became that */

	union xp_key key;
	__u32 isn; /* sequence number of stream offset 0 */
	union {
		__u32 acked;	  /* early segments seen since the peer acknowledged the hole */
		__u32 slot_shift; /* RTP */
	};
	__u32 moved_tick; /* when this one was last moved in the list */
	__u32 block;	  /* RTP: in xp_rtp, XP_NONE: none (any more) */
};
_Static_assert(sizeof(struct xp_flow) == 192, "three cache lines");

/* Ranges of stream offsets (low 32 bits) that arrived beyond a hole: [start, end). */
struct xp_run {
	__u32 start;
	__u32 end;
};

/*
 * Early block (map xp_early, k): what a flow with holes needs besides struct xp_flow. Runs are
 * disjoint, do not touch, and are in no order. slot[(offset >> area_shift) & (window - 1)]
 * names the area of that part of the stream: index + 1, 0: none.
 */
struct xp_early {
	__u32 count; /* runs */
	__u32 found; /* scratch of the run searches */
	__u32 link;  /* next free block: index + 1, 0: none */
	__u32 flow;  /* index of the flow that has it, or had it last */
	struct xp_run run[XP_MAX_RUNS];
	__u32 slot[XP_MAX_WINDOW];
};

/*
 * How an RTP flow is placed, as one word: slot size as a power of two, deadline for holes in
 * milliseconds. 0: not RTP.
 */
#define XP_RTP(slot_shift, deadline_ms) ((slot_shift) << 12 | (deadline_ms) << 16)
#define XP_RTP_MASK 0x7ffff000u
#define XP_RTP_SLOT_SHIFT(rtp) ((rtp) >> 12 & 0xf)
#define XP_RTP_DEADLINE(rtp) ((rtp) >> 16 & 0x7fff)
#define XP_MIN_RTP_SHIFT 6u	/* 64 bytes; at most an area */
#define XP_MAX_DEADLINE 0x7fffu /* milliseconds */
#define XP_RTP_WINDOW 512u	/* packets that a flow may have ahead of a hole */

/* One packet number of an RTP flow's window. */
struct xp_rtp_slot {
	__u16 length; /* payload bytes */
	__u16 there;  /* 1: has arrived */
	__u32 tick;   /* missing: when that was noticed */
};

/*
 * RTP block (map xp_rtp, k): the window of an RTP flow.
 *
 *	 edge                highest
 *	---|--------|===|-----|===|--------------> packet number (extended sequence number)
 *	told| missing |EARLY|   |EARLY|  not seen yet
 *
 * slot[number & 511] is right for the last 512 numbers up to `highest`, which has always arrived;
 * area[offset >> area_shift & 511] names the area of a stream offset: index + 1, 0: none.
 */
struct xp_rtp {
	__s64 highest;	  /* highest number placed; before the first packet: isn - 1 */
	__u32 rtp;	  /* XP_RTP() */
	__u32 deadline;	  /* ticks */
	__u32 flow;	  /* index of the flow that has it, or had it last */
	__u32 link;	  /* next free block: index + 1, 0: none */
	__u32 other_ssrc; /* a packet that did not fit in: another one in sequence is believed */
	__u16 other_next; /* the number that would be in sequence */
	__u16 other;	  /* 1: there was such a packet */
	struct xp_rtp_slot slot[XP_RTP_WINDOW];
	__u32 area[XP_RTP_WINDOW];
};
_Static_assert(sizeof(struct xp_rtp) == 32 + 12 * XP_RTP_WINDOW, "no padding");

/* State of an area (map xp_areas, k): kind in the high byte, lane or flow index below. */
enum xp_area_kind {
	XP_AREA_USER,	    /* user space's: offered, held by a consumer, or out of use; low
			     * bits: XP_HELD_CELLS or 0 */
	XP_AREA_LANE,	    /* taken from the free ring, not used yet; low bits: lane */
	XP_AREA_HEADER,	    /* low bits: lane */
	XP_AREA_HYBRID,	    /* low bits: lane */
	XP_AREA_FRAME,	    /* low bits: lane */
	XP_AREA_REASSEMBLY, /* low bits: flow index */
	XP_AREA_OWN,	    /* own area of a flow (R10); low bits: flow index */
	XP_AREA_DATAGRAM,   /* of a datagram in fragments; low bits: its index in xp_datagram */
	XP_AREA_KINDS
};
#define XP_HELD_CELLS 1u /* it held cells, and will again */
#define XP_AREA(kind, owner) ((__u32)(kind) << 24 | (owner))
#define XP_AREA_KIND(state) ((state) >> 24)
#define XP_AREA_OWNER(state) ((state)&0xffffffu)

/* Rules (map xp_rules, u): the first that matches decides; see xdplace-rule(3). */
#define XP_RULE_TAP 1	     /* place, and let the kernel's stack have the packet too */
#define XP_RULE_TAKE 2	     /* place, and the stack never sees it */
#define XP_RULE_WHOLE 0x01   /* flags: whole packets, no re-assembly */
#define XP_RULE_V4 0x02	     /* flags: IPv4 only */
#define XP_RULE_V6 0x04	     /* flags: IPv6 only */
#define XP_RULE_EITHER 0x08  /* flags: source and destination may be exchanged */
#define XP_RULE_OVERLAP 0x10 /* flags: of overlapping fragments the first bytes win; else drop */
struct xp_rule {
	__u8 verdict; /* XP_RULE_TAP, XP_RULE_TAKE; 0 ends the list */
	__u8 flags;
	__u8 proto;	/* IPPROTO_TCP, IPPROTO_UDP, 0: both */
	__u8 vnet_kind; /* enum xp_vnet; 0 with vnet 0: any */
	__u32 vnet;	/* id, host byte order */
	__u8 src_bits;	/* prefix length, 0: any address */
	__u8 dst_bits;
	__u8 any_vnet; /* 1: vnet_kind is compared, vnet is not */
	__u8 zero;
	__u16 sport_min, sport_max; /* host byte order; 0 and 65535: any */
	__u16 dport_min, dport_max;
	__u32 id;     /* names the rule in the CLI, never 0 */
	__u8 src[16]; /* network byte order; an IPv4 address in the first four bytes */
	__u8 dst[16];
	__u32 rtp; /* XP_RTP(): UDP is RTP and placed by its sequence numbers; 0: it is not */
};
_Static_assert(sizeof(struct xp_rule) == 60, "rule is ABI");

/*
 * Settings that change while running (map xp_settings, u, one element). Rules are written to
 * the half that is not in use, then rule_half is flipped: a packet sees the old list or the new.
 */
struct xp_settings {
	__u32 rule_half;  /* 0: xp_rules[0..63], 1: xp_rules[64..127] */
	__u32 rule_count; /* rules in that half; 0: every packet passes */
	__u32 next_rule;  /* id for the next rule */
	__u32 stopped;	  /* 1: no rule matches any more, flows go on until they end (unloading) */
};

/* Interfaces (map xp_ports, u), direct mapped by ifindex: which lanes its queues use. */
#define XP_MAX_PORTS 256u
struct xp_port {
	__u32 ifindex; /* 0: empty */
	__u32 lane;    /* first lane */
	__u32 lanes;   /* number of lanes: lane + queue % lanes */
	__u32 flags;   /* XP_PORT_XSK ... */
	char name[16];
};
#define XP_PORT_XSK 1u	      /* large whole packets of `take` rules go to AF_XDP sockets */
#define XP_PORT_DISPATCHER 2u /* attached through libxdp, beside other programs */
#define XP_PORT_EGRESS 4u     /* what goes out is placed as well */

/*
 * AF_XDP sockets (map xp_xsks, u): a socket takes the packets of one queue of one interface. Their
 * part of the UMEM is divided into chunks, one frame in each.
 */
#define XP_XSK_QUEUES 64u  /* of an interface; packets of further ones are placed by copying */
#define XP_XSK_CHUNK 4096u /* bytes */
#define XP_XSK_PLACES (XP_MAX_PORTS * XP_XSK_QUEUES)
#define XP_XSK_PLACE(slot, queue) ((slot)*XP_XSK_QUEUES + (queue))

/* Protocol set: what is not in it is foreign. */
#define XP_P_VLAN 0x0001u
#define XP_P_IPV4 0x0002u
#define XP_P_IPV6 0x0004u
#define XP_P_TCP 0x0008u
#define XP_P_UDP 0x0010u
#define XP_P_VXLAN 0x0020u
#define XP_P_GENEVE 0x0040u
#define XP_P_GRE 0x0080u
#define XP_P_IPIP 0x0100u
#define XP_P_ALL 0x01ffu

/* Knobs, fixed when the program is loaded; the verifier removes what is switched off. */
#define XP_KNOB_CHECKSUM 0x01u /* verify IPv4, TCP and UDP checksums */
#define XP_KNOB_PICKUP 0x02u   /* set up flows whose SYN was not seen */
#define XP_KNOB_XSK 0x04u      /* AF_XDP sockets take large whole packets */

/* The direction that the host itself sends (R19): a program behind tc egress, and what holds it. */
enum xp_egress {
	XP_EGRESS_OFF,
	XP_EGRESS_AUTO,	  /* tcx where the kernel has it, else clsact */
	XP_EGRESS_TCX,	  /* a link, which ends with its process unless pinned (Linux 6.6) */
	XP_EGRESS_CLSACT, /* a filter, which stays until it is taken away */
};

/* Read-only data of the program: what xdplace_open() was asked for, in the units used here. */
struct xp_config {
	__u32 abi;
	__u32 knobs;
	__u32 protocols;
	__u32 lanes;
	__u32 area_shift;
	__u32 areas; /* in all banks, guards included */
	__u32 bank_shift;
	__u32 banks;
	__u32 ring;	      /* completions of a lane, power of two */
	__u32 hot;	      /* free groups of a lane's hot ring, power of two */
	__u32 cold;	      /* free groups of a lane's cold pool, power of two */
	__u32 flows;	      /* of one lane */
	__u32 early;	      /* early blocks of one lane */
	__u32 window;	      /* areas, power of two */
	__u32 threshold;      /* bytes: smaller whole packets go to hybrid areas */
	__u32 csum_step;      /* bytes that bpf_csum_diff() takes at once on this kernel */
	__u32 flow_ticks;     /* idle flows end after this; 0: never */
	__u32 closed_ticks;   /* entries of ended flows are kept so long */
	__u32 hole_ticks;     /* holes are given up after this; 0: never */
	__u32 tick_us;	      /* length of a kernel tick, for display */
	__u32 own_areas;      /* areas at the end of the UMEM kept for own areas (R10) */
	__u32 acked_ticks;    /* acknowledged holes are given up after this */
	char name[16];	      /* of the context */
	__u32 datagrams;      /* in fragments at a time, of one lane */
	__u32 datagram_areas; /* that those of one lane may have */
	__u32 fragment_ticks; /* they are given up after this; 0: never */
	__u32 egress;	      /* enum xp_egress: how what the host sends is seen */
	__u32 rtp;	      /* RTP blocks of one lane */
};

/*
 * Commands to xp_control, the second program: changes of (k) state that user space asks for are
 * made by BPF code, under the lane's lock, as those that packets cause are. The command is the
 * "packet" of a BPF_PROG_TEST_RUN and comes back with its result. One that is run as a live frame
 * does not come back: it has a token, and its result is left in map xp_answers, at this token,
 * until user space takes it.
 */
enum xp_command_code {
	XP_CMD_PING,   /* nothing: result is XP_ABI */
	XP_CMD_ADD,    /* key, flags, own_*: add a flow in lane; handle comes back */
	XP_CMD_DELETE, /* handle: end the flow, reason deleted */
	XP_CMD_OWN,    /* handle, own_*: set the own area */
	XP_CMD_TICK,   /* lane: end an aged flow or give up an aged hole; result 1: again */
	XP_CMD_FLUSH,  /* lane: end a flow, reason flushed; result 1: there may be more */
};
struct xp_command {
	__u8 ethernet[14]; /* zero: BPF_PROG_TEST_RUN wants a frame */
	__u16 code;
	__s32 result; /* >= 0 or -errno */
	__u32 lane;
	__u32 handle;
	__u32 flags; /* XP_FLOW_TAKE, XP_FLOW_V6, XP_FLOW_RTP */
	__u32 token; /* 0: comes back, needs no answer in xp_answers */
	__u32 own_length;
	__u64 own_start;
	__u32 own_address;
	__u32 rtp; /* XP_RTP(), with XP_FLOW_RTP */
	union xp_key key;
};
_Static_assert(sizeof(struct xp_command) == 104, "command is ABI");

/*
 * How many answers may wait in xp_answers. One that nobody takes stays: that of a process that was
 * killed between the call that runs a command and the next one.
 */
#define XP_ANSWERS 1024
struct xp_answer {
	__s32 result;
	__u32 handle;
};

#endif
