/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * pace.h - which packet of which stream is due when: the arithmetic of the pacer, without clock
 * and transmitter. Private to the library; host tests call it.
 *
 * In: streams, each with data, a rate and the size of its packets. Out: the packets that are due
 * before some time, in the order in which they are due, as entries of a write. Times are
 * nanoseconds of the pacer's own clock. Promises: no drift, each sum is exact; the cost is that
 * of the packets taken, a logarithm of the streams each; no packet divides a unit but where data
 * end within one.
 */
#ifndef XP_PACE_H
#define XP_PACE_H

#include <stdbool.h>
#include <stdint.h>

#include <xdplace/transmit.h>

#define XP_PACE_LEAST 500000u	/* ns of an interval */
#define XP_PACE_MOST 100000000u /* ns of an interval */
#define XP_PACE_BURST 8u	/* packets of a stream in an interval, at most, if it can be had */
#define XP_PACE_WRITE 256u	/* packets of all streams in an interval, likewise */
#define XP_PACE_RATE 1000000000000ull /* bits in a second, at most */
#define XP_PACE_SPREAD 1000000000u    /* ns over which streams begin, at most */
#define XP_PACE_NONE 0xffffffffu

/* whole + part / rate of the stream, exactly. */
struct xp_pace_sum {
	uint64_t whole;
	uint64_t part;
};

struct xp_pace_stream {
	/* When the next packet is due, and its timestamp; what a full packet adds to them. */
	struct xp_pace_sum due;
	struct xp_pace_sum ticks;
	struct xp_pace_sum due_step;
	struct xp_pace_sum ticks_step;
	uint64_t rate;
	uint32_t clock;
	uint32_t timestamp; /* of tick 0 */
	uint32_t room;	    /* bytes that the path takes in a packet */
	uint32_t packet;    /* bytes of a full one: a multiple of the unit */
	uint32_t unit;
	uint32_t destination;
	uint32_t at; /* in the heap; XP_PACE_NONE: it has no data */
	const uint8_t *data;
	uint64_t left; /* bytes from `data` on */
	const uint8_t *piece;
	uint64_t length; /* of the piece that `data` is in */
	const uint8_t *next;
	uint64_t next_length; /* 0: none waits */
	bool used;
	bool loop;
	bool marker;
	uint64_t given; /* bytes, to be sent in all; those of a loop when it begins again */
	uint64_t taken; /* bytes */

	/* What became of them. */
	uint64_t late;
	uint64_t starved;
	uint64_t max_late; /* ns */
	uint64_t jitter;   /* ns, times 16 */
	int64_t transit;   /* ns from due to handed over, of the packet before */
	bool begun;	   /* there was one */

	/* pacer.c's */
	uint64_t write;		 /* the last that has data of this stream */
	uint64_t settled;	 /* bytes taken for writes that are completed, at least */
	bool settling;		 /* it is known what was, before `write` */
	uint64_t packets_before; /* counters of the destination when the stream was opened */
	uint64_t bytes_before;
	uint64_t refused_before;
	uint64_t refused_bytes_before;
};

struct xp_pace_slot {
	uint64_t due;
	uint32_t stream;
};

struct xp_pace {
	struct xp_pace_stream *streams;
	struct xp_pace_slot *heap; /* of streams with data: the next one due is first */
	uint32_t room;		   /* of both */
	uint32_t end;		   /* streams from here on were never used */
	uint32_t used;
	uint32_t queued;
	uint32_t opened;  /* ever: spreads beginnings */
	uint64_t horizon; /* what is due before was taken */
};

/* A packet that was taken, beside its entry. */
struct xp_pace_due {
	uint64_t due;
	uint32_t stream;
};

void xp_pace_free(struct xp_pace *pace);

/* The path takes `room` bytes in a packet. A stream's number, or -EINVAL, -ENOMEM. */
int xp_pace_open(struct xp_pace *pace, const struct xdplace_stream_opts *opts, uint32_t room);
void xp_pace_close(struct xp_pace *pace, struct xp_pace_stream *stream);
struct xp_pace_stream *xp_pace_stream(const struct xp_pace *pace, uint32_t number); /* or NULL */
/*
 * More data. If the stream had none, it goes on from the horizon; what was due in vain is counted
 * in intervals. 0 or -EAGAIN.
 */
int xp_pace_feed(struct xp_pace *pace, struct xp_pace_stream *stream, const void *data,
		 uint64_t length, uint64_t interval);
/* The path takes `room` bytes in a packet now. */
void xp_pace_resize(struct xp_pace_stream *stream, uint32_t room);
/* Up to `most` packets that are due before `until`; fewer: that is the horizon now. */
uint32_t xp_pace_take(struct xp_pace *pace, uint64_t until, struct xdplace_tx_entry *entries,
		      struct xp_pace_due *due, uint32_t most);
/* A packet that was due at `due` was handed over at `now`, both on one clock. */
void xp_pace_account(struct xp_pace_stream *stream, uint64_t due, uint64_t now, uint64_t interval);
/*
 * The interval for these streams, ns. A stream of mean packet rate has one packet in it, or an
 * interval is a whole part of that time: so that the fastest stream has no more than XP_PACE_BURST
 * packets and all have no more than XP_PACE_WRITE. It is a multiple of that time if that is shorter
 * than the least.
 */
uint64_t xp_pace_interval(const struct xp_pace *pace);
/*
 * What a write covers at most, ns, when something was missed: two intervals, or as long as no
 * stream has more than XP_PACE_BURST packets and all have no more than XP_PACE_WRITE.
 */
uint64_t xp_pace_most(const struct xp_pace *pace, uint64_t interval);
/*
 * Where the horizon moves by a write that should cover all up to `until`. After a stall what was
 * missed is made good in steps of `most`. Above a second it is put off; `skip`: by so much.
 */
uint64_t xp_pace_advance(uint64_t horizon, uint64_t until, uint64_t most, uint64_t *skip);

#endif
