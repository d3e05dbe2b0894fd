/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * schedule.h - a schedule: a list of packets and commands, made from a seed.
 *
 * The same family and seed give the same schedule on every machine, and the seed chooses the setup
 * of the context that it is for.
 */
#ifndef MODEL_SCHEDULE_H
#define MODEL_SCHEDULE_H

#include <stdbool.h>
#include <stdio.h>

#include "../prog/packet.h"

enum step_kind {
	STEP_PACKET,
	STEP_ADD,    /* expect a flow of the packet's key; with FIN: take; perhaps RTP */
	STEP_OWN,    /* give a flow an own area */
	STEP_DELETE, /* end it */
	STEP_SLEEP,
	STEP_TICK,
	STEP_HOLD,   /* the consumer stops to release */
	STEP_LET_GO, /* and goes on */
	STEP_PAIR,   /* the packets from here on go to two CPUs at a time */
	STEP_FLUSH,  /* end all flows, as the end of a schedule does */
};

/* What the payload begins and ends with (RFC 3550); the rest of it is as ever. */
struct rtp {
	bool on;
	uint8_t first;	   /* bits of the first byte that are changed */
	uint8_t second;	   /* marker and payload type */
	uint8_t csrcs;	   /* contributing sources */
	uint8_t extension; /* words and 1; 0: none */
	uint8_t padding;   /* bytes */
	uint8_t lie;	   /* bits of the padding's length that are changed */
	uint16_t seq;
	uint32_t ssrc;
};

struct step {
	enum step_kind kind;
	uint8_t lane;
	uint8_t poke;	   /* this byte of the frame ... */
	uint8_t poke_bits; /* ... has these bits changed */
	uint16_t cut;	   /* bytes missing at the end of the frame */
	uint16_t ms;	   /* to sleep */
	bool mend;	   /* the IPv4 checksum is right in spite of poke */
	bool part;	   /* a fragment: bytes [at, at + bytes) behind the IP header */
	bool outer;	   /* of the tunnel's packet, not of that in it */
	bool more;	   /* not the last */
	uint32_t at, bytes;
	uint32_t id;
	uint8_t cpu;  /* behind a STEP_PAIR */
	bool shared;  /* of a flow that has packets on both */
	bool out;     /* this host sends it (R19) */
	bool came_in; /* and it had come in through the same interface */
	uint16_t gso; /* payload of each packet that it is still to be cut into; 0: it is one */
	uint16_t tag; /* beside it: VLAN id; 0: none */
	uint8_t own_at, own_areas; /* own area: which of them, how many; 0: none */
	uint8_t own_start;	   /* its first byte of the stream, in areas */
	struct packet p;
	struct rtp rtp;
};

#define MAX_STEPS 4096

struct schedule {
	const struct family *family;
	uint64_t seed;
	size_t steps;
	struct step step[MAX_STEPS];
};

/* What a context is made of; 0: the default of the tests (4 MiB, one lane, 256 flows). */
struct setup {
	const char *rules[6]; /* none: "tap stream any" */
	uint32_t umem, area, window, flows, early, lanes, ring, threshold;
	uint32_t flow_age, closed_age, hole_age; /* ms */
	uint32_t datagrams, fragment_age, rtp;
	uint32_t own; /* areas */
	bool pair;    /* two CPUs: how full cells and frames are depends on them */
	bool out;     /* with the egress program */
	bool no_checksum, no_pickup;
};
#define SETUPS 8

struct rng {
	uint64_t state;
};

struct family {
	const char *name;
	const char *ids; /* requirements */
	void (*make)(struct schedule *s, struct rng *r, const struct setup *setup);
	unsigned share; /* of all schedules, beside those of the others */
	const struct setup *setups[SETUPS];
};
extern const struct family families[];

uint64_t rng_next(struct rng *r);
uint32_t below(struct rng *r, uint32_t n); /* 0 .. n - 1 */
bool chance(struct rng *r, unsigned percent);

const struct setup *schedule_setup(const struct family *family, uint64_t seed);
void schedule_make(struct schedule *s, const struct family *family, uint64_t seed);
/* Steps of `before` and their end in front of those of `s`; false: there are too many. */
bool schedule_prepend(struct schedule *s, const struct schedule *before);
/* The frame of a step; false: it is none. */
bool step_frame(const struct step *step, struct frame *frame);
/* In one line, readable. */
void step_text(const struct step *step, char *text, size_t size);
void schedule_print(const struct schedule *s, FILE *to);
/* As a capture file: 0 or -errno. */
int schedule_pcap(const struct schedule *s, const char *path);

#endif
