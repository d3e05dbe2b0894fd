/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * model.h - what xdplace has to make of a list of packets, said a second time.
 *
 * In: frames, commands and the time. Out: what the consumer has to be told (struct event), op-code
 * and reason of each packet, the flow table, the counters. Plain C on plain memory: streams are
 * sorted lists of ranges, flows an array that is searched. Nothing here is shared with bpf/, and
 * nothing was taken from there: it was written from README, xdplace(7), abi.h and the requirements.
 *
 * Where those are silent, these are the rules (found out, judged right, and kept since):
 *
 *  Segments
 *   - A flow may place from its edge to the end of the window: areas are counted, the edge's own
 *     is the first of them. So the window is up to one area less than its size in bytes.
 *   - What ends at the edge or up to 2^26 before it is a repetition. Farther back it is out of
 *     window.
 *   - A segment that starts at the edge or before it is in sequence even if it ends beyond the
 *     window. One that starts ahead and ends beyond the window gives holes up, the nearest first,
 *     until it fits, if the flow has holes and it starts at most two windows ahead of the edge;
 *     where giving up all holes is not enough, everything before it is a gap. Else it is out of
 *     window. Of three such in a row the third is followed: all holes and what is before it are
 *     given up; from 2^30 ahead on, and behind the edge, the flow ends instead (lost_sync), and
 *     where streams are picked up the segment begins a new one. Packets that carry no data do not
 *     interrupt the row, all others do.
 *   - Bytes behind a known end of stream are not part of it: a segment is cut there; one that
 *     lies behind it altogether is delivered whole (closed).
 *   - The first FIN whose place has no data behind it tells the end. One with data behind it is
 *     forged or damaged and its data count like any other's. A FIN that has been told before is
 *     nothing new.
 *   - A segment is placed in pieces that end with their areas. The piece that finds no area or no
 *     early block ends the packet: pieces before it stay placed. Where nothing was placed and the
 *     header found no area either (or a gap has told it), a WHOLE without bytes tells the reason:
 *     also of a SYN.
 *   - A piece for which there is one hole too many gives up what is missing at the edge, though
 *     not beyond itself.
 *  Flows
 *   - RST counts where its number lies in the window; data that it carries count for nothing.
 *   - A SYN starts a new flow unless its number is the one with which the flow began, also where
 *     that was picked up and also if the flow has ended. It keeps lane and verdict.
 *   - Behind the end: what ends at the edge is a repetition, other data are whole (closed), a FIN
 *     alone is nodata (closed), so is a RST.
 *   - Every ACK field of a direction counts, also that of a RST which does not. Whether it moves
 *     forward is judged by its distance. It gives up the other direction's holes; where its own
 *     flow has ended only up to 2^26 before it, as that may be of an earlier connection.
 *   - The entry of a flow that ended by FIN does not age while the other direction is open.
 *   - A hole that was acknowledged goes with the fourth early segment since it became the first.
 *   - A hole's age is counted from when it became the first: when it opened, or when the one
 *     before it was filled or given up.
 *   - A flow is active with each packet that is its own, unless damaged or refused. Entries of
 *     ended flows go in the order in which they ended, before any live flow does.
 *  Damage
 *   - Order of judgement: rule, room in the ring, IPv4 checksum, TCP or UDP checksum, flow. Damaged
 *     packets are whole if their flow is known, else foreign; they change nothing else.
 *  Fragments
 *   - A datagram is known by addresses, network, identification, and for IPv4 the protocol. A
 *     fragment that can not be (tiny, of no length, overlong) is nobody's: it alone is discarded.
 *   - What was given up is remembered, and its fragments go the same way, ten times as long as an
 *     acknowledged hole is waited for; a datagram that was delivered is not.
 *   - Order of judgement: ring, age, given up before, IPv4 checksum, form, rule, repetition,
 *     dispute, overlap, room. Who disputes: two ends; anything in the place of the headers but the
 *     very same fragment.
 *   - Before the first fragment has come the first rule that differs in ports alone is taken for
 *     its own. What its own rule forbids then has not been: overlaps drop the datagram.
 *   - For the areas that a fragment spans, held or not, the oldest datagrams go until they fit;
 *     with no older ones left it goes itself. What finds no area ends its datagram.
 *   - Where UDP says that it ends, it does, also if its fragments have more (which no checksum
 *     covers); if they have less, or it does not hold its own header, the datagram is none. It is
 *     dropped in its own lane and not remembered.
 *   - The last fragment is told in the lane of the datagram, the whole in that of its flow, and
 *     judged as any packet, also if it is damaged.
 *   - A UDP datagram put together leaves the rest of the flow's area unused.
 *  RTP
 *   - Order of judgement: RTCP (from 4 bytes on), header, length of headers, room for one more
 * flow, slot, source and number, deadlines, repetition, lateness, window, area. What fails up to
 *     the slot leaves deadlines and stray sources as they are. Whole if it has any payload.
 *   - The last 512 numbers up to the highest are remembered: what has arrived of them and comes
 *     again is a repetition, also if it was told long ago; what comes from below the edge else is
 *     late. So is a packet from before the first.
 *   - Up to 3000 numbers ahead of the highest, and 1024 behind, is near; any packet that is near
 *     and of the source is of the stream, and a stray before it is forgotten.
 *   - A window is 512 numbers from the edge on: for one beyond, gaps are told up to where it fits.
 *   - Without an area a packet is told (no_area), and has not come; what was given up for it stays
 *     so. An empty one needs no area.
 *  Areas
 *   - Headers take whole cells; those that do not fit what is left of an area begin a new one.
 *     Frames begin 2 bytes behind a multiple of 64; one that does not fit the rest begins an area.
 *   - Areas given back count in fours.
 */
#ifndef MODEL_H
#define MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <xdplace/abi.h>

#include "decode.h"

#define MAX_CELLS 4096 /* bytes that one packet may have in cells */
#define MAX_DATAGRAM 65536u

/* What a completion means, without the places; pieces that continue each other are one. */
struct event {
	uint8_t opcode;
	uint8_t reason;
	uint8_t flags; /* XP_GAP, XP_CAUGHT_UP, XP_RELEASE_FLOW, XP_FRAME */
	uint8_t lane;
	uint32_t flow; /* model's number, from 1; 0: none */
	uint64_t offset;
	uint32_t length; /* of the data, or of the gap */
	size_t bytes;	 /* the data: place in outcome.bytes */
};

struct outcome {
	int action;	 /* XDP action */
	uint32_t header; /* bytes in cells: of headers, or of a whole small packet */
	uint8_t cells[MAX_CELLS];
	struct event *event;
	size_t events, event_room;
	uint8_t *bytes;
	size_t used, byte_room;
	bool sealed; /* what follows is of another packet: no event goes on */
};

/* A frame, and what is known of it beside its bytes. */
struct model_frame {
	const uint8_t *bytes;
	uint32_t len;
	uint32_t lane;
	/* Sent by this host (R19): not cut yet, its tag not in it yet, or seen when it came in. */
	bool out;
	bool came_in;
	uint32_t gso; /* payload of the packets that it will be; 0: it is one */
	uint32_t tag; /* VLAN id; 0: none */
};

struct range64 {
	uint64_t start;
	uint64_t end;
};

struct rtp_number {
	bool there;
	uint32_t noticed; /* ticks: that it was missing */
	uint32_t length;
	uint8_t *bytes;
};

/* What an RTP flow has besides (R15); packets are named by their extended sequence numbers. */
struct model_rtp {
	uint32_t rtp; /* XP_RTP(), of its rule */
	uint32_t shift;
	uint32_t deadline; /* ticks */
	uint32_t ssrc;
	uint32_t late;
	int64_t first, edge, highest;
	bool block;
	bool other; /* the last packet was of this source, this number would be next */
	uint16_t other_next;
	uint32_t other_ssrc;
	struct rtp_number number[XP_RTP_WINDOW]; /* the last ones up to `highest` */
	bool held[XP_RTP_WINDOW];		 /* areas */
};

/* A piece of memory for the bytes of one stream from `start` on (R10). */
struct model_own {
	uint64_t start;
	uint32_t length; /* 0: none */
	uint32_t address;
};

struct model_flow {
	uint32_t id;
	union xp_key key;
	uint8_t state; /* enum xp_flow_state */
	uint8_t flags; /* XP_FLOW_TAKE, _V6, _PICKED, _FIN, _ACKS, _OWN, _RTP */
	uint8_t lane;
	uint8_t strays;
	uint32_t isn;
	uint64_t edge;
	uint64_t fin;
	uint32_t ack;
	uint64_t packets, bytes, gap_bytes;
	uint32_t gaps, repeats, earlies, damaged, whole;
	uint64_t turn;			     /* when it was last active, in turns; when it ended */
	uint32_t active;		     /* the same in ticks */
	uint32_t opened;		     /* ticks: when the first hole became the first */
	uint32_t patience;		     /* early segments since that hole was acknowledged */
	bool block;			     /* has an early block */
	struct range64 run[XP_MAX_RUNS + 1]; /* sorted: what is placed ahead */
	uint32_t runs;
	uint8_t *ahead;		  /* its bytes, at offset modulo the window's size */
	bool held[XP_MAX_WINDOW]; /* areas, at their number modulo the window */
	struct model_rtp *rtp;
	struct model_own own;
	bool shared; /* packets came on two CPUs: in which order is not known */
};

struct model_lane {
	uint32_t areas;	   /* free */
	uint32_t rest;	   /* given back, no group yet */
	uint32_t cells[2]; /* bytes left in the header area and in the hybrid area */
	uint32_t frame;	   /* bytes used of the frame area */
	uint32_t blocks;   /* early blocks in use */
	uint32_t rtp;	   /* RTP blocks in use */
	uint32_t parts;	   /* areas that datagrams in fragments have */
};

/* A datagram that comes in fragments (R14). */
struct model_datagram {
	union xp_key key; /* without ports */
	uint32_t id;
	uint8_t lane;
	uint8_t given_up; /* the reason: its fragments go the same way */
	bool first;	  /* has come: these are its headers, and what was decided by them */
	bool take;
	bool overlap_first;
	bool overlaps;
	uint32_t size; /* 0: the last fragment has not come */
	uint32_t have; /* bytes */
	uint32_t began;
	uint64_t turn;
	bool got[MAX_DATAGRAM];
	bool starts[MAX_DATAGRAM / 8];		      /* a fragment did */
	bool held[MAX_DATAGRAM >> XP_MIN_AREA_SHIFT]; /* areas */
	struct decoded d;
	uint8_t head[XP_MAX_HEADER];
	uint8_t bytes[MAX_DATAGRAM];
};

struct model {
	struct xp_config config;
	const struct xp_rule *rule;
	uint32_t rules;
	uint32_t now; /* ticks */
	bool unsure;  /* an age was too near its limit to be judged */
	bool slow;    /* and that also where nothing is meant to age */
	uint64_t turns;
	uint32_t ids;
	struct model_flow **flow;
	uint32_t flows, flow_room;
	struct model_datagram **datagram; /* in the order in which they began */
	uint32_t datagrams;
	struct model_lane lane[XP_MAX_LANES];
	uint32_t own_base; /* UMEM offset of the own areas */
	uint8_t *own;	   /* what has to be in them; the rest 0 */
	struct xp_counters counters;
	struct outcome out; /* of the last call */
};

void model_open(struct model *m, const struct xp_config *config, const struct xp_rule *rule,
		uint32_t rules);
void model_close(struct model *m);

/* Packets that a frame is: datagrams are told of one by one, TCP is one. */
uint32_t model_packets(const struct model *m, const struct model_frame *frame);
/* A frame; for the last `refused` of its packets there is no room in the ring. */
void model_packet(struct model *m, const struct model_frame *frame, uint32_t refused);
/* Commands: as xdplace_flow_add(), _own(), _del(), xdplace_lane_tick(), _flush(). 0 or -errno. */
struct model_add {
	union xp_key key;
	bool v6, take;
	uint32_t rtp; /* XP_RTP() or 0 */
	struct model_own own;
};
int model_add(struct model *m, uint32_t lane, const struct model_add *add);
int model_own(struct model *m, const union xp_key *key, const struct model_own *own);
int model_delete(struct model *m, const union xp_key *key);
void model_tick(struct model *m, uint32_t lane);
void model_flush(struct model *m, uint32_t lane);
/* The consumer gives areas back. */
void model_release(struct model *m, uint32_t lane, uint32_t areas);

struct model_flow *model_find(const struct model *m, const union xp_key *key);
/* The lane that a frame's completions will be told in; of a fragment's, the first ones. */
uint32_t model_lane_of(const struct model *m, const struct model_frame *frame);
/* Areas of the lane that are placed into, by kind. */
void model_areas(const struct model *m, uint32_t kind[XP_AREA_KINDS]);

/* Add an event, merged into the one before it where it only continues it. `data`: may be NULL. */
void outcome_add(struct outcome *out, const struct event *event, const uint8_t *data);
void outcome_clear(struct outcome *out);
/* Events in order of their flows; each flow's stay in order. */
void outcome_sort(struct outcome *out);
void outcome_free(struct outcome *out);

#endif
