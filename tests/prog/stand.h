/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * stand.h - the test stand: a context without a device, fed by xdplace_run(), whose completions
 * and placed bytes are compared whole.
 *
 * What is compared for every completion of every test, so that tables need not say it:
 *   - op-code, reason, flow, lane, stream offset and length, gap, flags
 *   - the header: in the kind of area that R4 wants, cell and alignment (R5, R7), its bytes those
 *     of the frame, exactly the headers or the whole small packet
 *   - data: where the stream offset says, every byte the one that belongs there
 *   - each stream told in sequence without a hole or an overlap; what was told EARLY comes again
 *     once, at the same place, unchanged
 * And at the end of each test (stand_close()): the audit is clean, each packet has one op-code,
 * the counters of bytes are those told, guards and own areas nobody gave away are untouched.
 */
#ifndef STAND_H
#define STAND_H

#include <stdbool.h>

#include <xdplace/xdplace.h>

#include "packet.h"

#define FILL 0xc5 /* what the UMEM holds before anything is placed */

/* An expected completion. Written C(APPEND, .at = 100, .len = 10). */
struct want {
	uint8_t op; /* op-code + 1; 0: no more */
	uint8_t reason;
	/*
	 * XP_RELEASE_DATA ... XP_CAUGHT_UP. Left out, because they follow from the rest: XP_MORE,
	 * XP_RELEASE_HEADER, XP_FRAME, and XP_RELEASE_DATA/DATA2 unless `exact`.
	 */
	uint8_t flags;
	uint64_t at; /* stream offset */
	uint32_t len;
	uint32_t gap;
	uint8_t salt;	   /* of the packet whose bytes are there */
	uint8_t flow;	   /* n-th flow set up in this test; 0: the packet's */
	uint8_t no_flow;   /* XP_NONE */
	uint8_t no_header; /* the packet's header did not find an area */
};
#define C(opcode, ...)                                                                             \
	{                                                                                          \
		.op = 1 + XP_##opcode, __VA_ARGS__                                                 \
	}
#define END_FLOW .flags = XP_RELEASE_FLOW
#define CAUGHT_UP .flags = XP_CAUGHT_UP
#define WANTS 8

struct step {
	struct packet in;
	struct want out[WANTS];
};
/* A TCP segment: P(flags, seq, len, more fields). */
#define P(flags_, seq_, len_, ...)                                                                 \
	{                                                                                          \
		.flags = flags_, .seq = seq_, .len = len_, ##__VA_ARGS__                           \
	}
#define UDP(offset_, len_, ...)                                                                    \
	{                                                                                          \
		.udp = 1, .seq = offset_, .len = len_, ##__VA_ARGS__                               \
	}

/* The step that sets up the flow: a SYN, so that stream offset 0 is sequence number 1000. */
#define OPEN                                                                                       \
	{                                                                                          \
		P(SYN, 999, 0),                                                                    \
		{                                                                                  \
			C(FIRST)                                                                   \
		}                                                                                  \
	}

#define MAX_STREAMS 4096

/* What the consumer has been told of a flow. */
struct stream {
	uint32_t handle;
	struct packet packet; /* the one that set it up */
	uint32_t isn;
	uint64_t next; /* stream offset that must be told next */
	uint64_t told; /* bytes, in sequence or early, each once */
	uint64_t gaps; /* bytes */
	bool ended;
	bool any_salt; /* bytes are not looked at */
	uint32_t early_count;
	uint32_t early_room;
	struct told {
		uint64_t at;
		uint32_t len;
		uint32_t place;
		uint8_t salt;
	} * early;
};

struct stand {
	struct xdplace *ctx;
	const struct xp_config *config;
	struct xdplace_lane *lane[XP_MAX_LANES];
	uint8_t *umem;
	size_t umem_size;
	int action;	 /* XDP action expected: XDP_PASS unless set */
	uint64_t frames; /* run */
	uint64_t told_bytes;
	uint64_t gap_bytes;
	uint32_t streams;
	struct stream *stream[MAX_STREAMS];
	uint32_t starts;
	struct packet *start; /* of each flow fed, the packet that began it */
	bool anonymous;	      /* flows are not followed, their bytes only counted */
	uint8_t salt;	      /* of the packet fed last */
	struct packet last;
	struct xp_counters before; /* counters when the test began */
	bool moved;		   /* datagrams lie where their fragments were placed */
	bool own_used;		   /* own areas are written to on purpose */
	bool broken;		   /* user space did harm to itself: no audit, no sums */
	const char *where;	   /* table and row, for messages */
	void (*each)(const struct xp_completion *c); /* looks at every completion; NULL */
};
extern struct stand stand;

/* Open a context: NULL: 4 MiB, one lane, 256 flows, ages long, a `tap stream` rule for all. */
void stand_open(const struct xdplace_opts *opts);
/* As stand_open(NULL), to be changed. */
struct xdplace_opts stand_opts(void);
void stand_rule(const char *text);
/*
 * Unchecked fixtures: one context as of stand_open(NULL) for all tests of a case. Loading takes
 * far longer than a test; each still has its consumer, its flows and its sums to itself.
 */
void stand_share(void);
void stand_unshare(void);
/* From now on what is shared sends: packets reach the egress program (out.h). */
void stand_send(bool out);
/* True then: data take the long way, which tells of a segment in two areas by two completions. */
bool stand_sends(void);
/* Checked fixtures: open as NULL, close with all the checks. */
void stand_setup(void);
void stand_close(void);

/* Run one packet on a lane and compare. */
void stand_run(uint32_t lane, const struct packet *p, const struct want *want);
/* Run all rows on lane 0. */
void stand_table(const char *name, const struct step *steps, size_t count);
#define TABLE(steps) stand_table(#steps, steps, sizeof(steps) / sizeof((steps)[0]))

/* Run without looking at what comes of it; returns the action. */
int stand_feed(uint32_t lane, const struct packet *p);
/* What comes now, in frames of the test's own, is of this packet. */
void stand_of(const struct packet *p);
int stand_feed_frame(uint32_t lane, const void *bytes, size_t len);
/* Look at completions as far as every stream's order and bytes go; release them. Returns how many.
 */
size_t stand_drain(uint32_t lane);
/* Compare the completions that a command has caused. `p`: whose flow they are about. */
void stand_expect(uint32_t lane, const struct packet *p, const struct want *want);

/* A flow set up by a command: its handle, and its first packet to come. */
void stand_known(uint32_t handle, const struct packet *p);

struct xp_counters stand_counters(void);
struct stream *stand_stream(const struct packet *p); /* the last one of its key; NULL */
struct xp_flow stand_flow(const struct packet *p);
/* Number of flows that are not free. */
unsigned stand_flows(void);
void stand_audit(void);
void stand_sleep_ms(unsigned ms);
/* While on, a thread moves what arrives between the lanes 0 and 1 all the time. */
void stand_move(bool on);

#endif
