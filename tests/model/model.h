/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * model.h - what xdplace has to make of a list of packets, said a second time.
 *
 * In: frames, commands and the time. Out: what the consumer has to be told (struct event), op-code
 * and reason of each packet, the flow table, the counters. Plain C on plain memory: streams are
 * sorted lists of ranges, flows an array that is searched. Nothing here is shared with bpf/, and
 * nothing was taken from there: it was written from README (its fine print above all), xdplace(7),
 * abi.h, the requirements and the RFCs.
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
