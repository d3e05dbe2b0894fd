/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * stream.h - what model.c and stream.c share: one packet's or command's turn, and one flow's
 * stream of bytes.
 */
#ifndef MODEL_STREAM_H
#define MODEL_STREAM_H

#include "decode.h"
#include "model.h"

#define TCP_FIN 0x01
#define TCP_SYN 0x02
#define TCP_RST 0x04
#define TCP_ACK 0x10
#define FAR_BACK (1 << 26) /* farther behind the edge nothing is a repetition */

struct turn {
	struct model *m;
	uint32_t lane;
	const uint8_t *frame;
	struct decoded d;
	struct model_flow *f;
	uint8_t opcode;
	uint8_t reason;
	uint32_t placed;
	struct model_datagram *g; /* the packet came in fragments */
	bool take;
	bool out;    /* sent by this host: nothing is taken from it */
	bool header; /* put into a cell, not named by a completion yet */
};

/* What a segment is to its flow. Stream offsets; `start`: of its first byte, old or not. */
struct verdict {
	uint8_t opcode;
	uint8_t reason;
	int64_t start;
	uint64_t from, to; /* what of it may be new */
	bool fin;	   /* the stream ends at `to` */
	bool give_up;	   /* holes have to go until `to` fits the window */
	bool follow;	   /* everything before `from` has to go */
	bool stray;
};

static inline uint32_t area_size(const struct model *m)
{
	return 1u << m->config.area_shift;
}

/* Is it longer ago than `limit` ticks? */
bool ticks_older(struct model *m, uint32_t since, uint32_t limit);
void count_reason(struct model *m, unsigned reason);
bool take_area(struct turn *t);
/* Is stream offset `at` in the flow's own area? What belongs there is written down. */
bool own_has(const struct model_flow *f, uint64_t at);
void own_put(struct model *m, const struct model_flow *f, uint64_t at, uint32_t bytes,
	     const uint8_t *data);
void own_leave(struct model_flow *f);
/* Cells for `bytes` of the packet; without an area t->reason says so. */
void take_header(struct turn *t, uint32_t bytes, bool hybrid);
struct event *tell(struct turn *t, const struct model_flow *f, uint8_t opcode, uint8_t reason,
		   uint64_t offset);
/* `bytes` of the frame, from `at` on, as a frame. */
void tell_frame(struct turn *t, const struct model_flow *f, uint8_t opcode, uint8_t reason,
		uint32_t at, uint32_t bytes);

void put_whole(struct turn *t, uint8_t opcode, uint8_t reason);
void put_hybrid(struct turn *t, uint8_t opcode, uint8_t reason);

/* What rules and flows say of a fragment; `reason`: why it is not wanted. */
struct wish {
	uint8_t reason;
	bool take;
	bool overlap_first;
};
struct wish part_wish(const struct turn *t);
/* A fragment; with the last one, packet_together() for the whole. */
void part_packet(struct turn *t, bool ring_full);
/* Its areas are those of a stream now. */
void part_keep(struct model *m, struct model_datagram *g);
/* The oldest of the turn's lane has aged: given up. */
bool part_age(struct turn *t);
/* Give up those of the turn's lane. */
void part_flush(struct turn *t);
void packet_together(struct turn *t);
struct model_datagram *datagram_find(const struct model *m, const struct decoded *d);

/* An event as it is. */
void tell_event(struct turn *t, const struct event *event, const uint8_t *data);
/* End t->f for `reason` and set up another on its key. */
void start_anew(struct turn *t, uint8_t reason);
void rtp_set_up(struct turn *t, struct model_flow *f, uint32_t rtp);
uint8_t rtp_refused(const struct turn *t, uint32_t rtp);
/* A packet of t->f; t->opcode: REPLACE if it set that up so. */
void rtp_packet(struct turn *t);
/* Give up all that is missing; what the flow has is left; what is past its deadline. */
void rtp_give_up(struct turn *t, struct model_flow *f, uint8_t reason);
void rtp_leave(struct turn *t, struct model_flow *f);
bool rtp_age(struct turn *t, struct model_flow *f);
void rtp_forget(struct model_flow *f);

void stream_judge(const struct turn *t, struct verdict *v);
/* Headers in a header cell, new data at their places. */
void stream_place(struct turn *t, const struct verdict *v);
/* Give up what is missing, tell the rest and the end. */
void stream_end(struct turn *t, struct model_flow *f, uint8_t reason);
/* Give up the first hole. */
void stream_give_up(struct turn *t, struct model_flow *f, uint8_t reason);
/* A third segment in a row from so far off that another stream begins with it? */
bool elsewhere(const struct turn *t);
/* The flow of the opposite direction; NULL. */
const struct model_flow *other_half(const struct model *m, const struct model_flow *f);
/* Has the other direction acknowledged all of the first hole? */
bool hole_acked(const struct model *m, const struct model_flow *f);

#endif
