/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * families.h - the kinds of schedules, and what they are made of.
 *
 * Most begin with conversations as their senders meant them, in order; what the network does to
 * them (loss, repetition, reordering) is done to the list afterwards.
 *
 *	families.c          the list, and the contexts that each is for
 *	family_tcp.c        streams, lives of connections, windows, acknowledgements
 *	family_datagrams.c  UDP; whatever comes in fragments
 *	family_frames.c     networks, tunnels, options; damage
 *	family_rtp.c        RTP
 *	family_out.c        what this host sends
 *	family_pair.c       two CPUs at a time
 *	family_own.c        commands beside packets; own areas
 *	family_table.c      the flow table, commands, lanes, rules
 *	family_short.c      areas, completions and time run short
 *	steps.c             lists of steps, senders, networks
 */
#ifndef MODEL_FAMILIES_H
#define MODEL_FAMILIES_H

#include "schedule.h"

/* ---- steps.c ---- */

struct step *add_step(struct schedule *s, enum step_kind kind);
struct step *insert_step(struct schedule *s, size_t at, enum step_kind kind);
void remove_step(struct schedule *s, size_t at);
struct packet *add_packet(struct schedule *s, const struct packet *like);
struct packet *segment(struct schedule *s, const struct packet *like, uint8_t flags, uint32_t seq,
		       uint32_t len);

/* A few ports only: that keys come back is part of the trial. */
struct packet someone(struct rng *r);
uint32_t some_length(struct rng *r, const struct setup *setup);
uint32_t some_isn(struct rng *r);

/* How a sender cuts `total` bytes, perhaps sending some of them again in other pieces. */
struct sender {
	struct packet p;
	uint32_t isn;
	uint32_t total;
	unsigned again; /* percent of segments that are sent again, cut otherwise */
	unsigned salts; /* percent of these that hold other bytes */
	bool syn, fin;
};
struct sender some_sender(struct rng *r, const struct packet *p);
void send_all(struct schedule *s, const struct sender *from, struct rng *r,
	      const struct setup *setup);

/* What the network does with packets. */
struct network {
	unsigned loss, repeat, reorder; /* percent */
	unsigned distance;		/* steps that a reordered packet may be late */
};
struct network some_network(struct rng *r);
/* To the packets from step `first` on. */
void disturb(struct schedule *s, size_t first, struct rng *r, const struct network *n);
/* The steps from `first` on, which are of several senders one after the other, take turns. */
void interleave(struct schedule *s, size_t first, struct rng *r);

/* ---- pieces of families that others use ---- */

uint8_t any_flags(struct rng *r); /* of TCP */
/* Networks, tunnels, options around a packet. */
void dress(struct rng *r, struct packet *p);
/* UDP's length is made to differ from what its packet has. */
void misplace_end(struct rng *r, struct packet *p);
/* Some of the packets from step `first` on in fragments that all come, each once. */
void part_some(struct schedule *s, size_t first, struct rng *r, const struct setup *setup);
/* The packets of a schedule in fragments, and what the network does to those. */
void part_all(struct schedule *s, struct rng *r, const struct setup *setup);

/* ---- the families ---- */

typedef void make_fn(struct schedule *s, struct rng *r, const struct setup *setup);

make_fn make_order, make_overlap, make_wrap, make_states, make_window, make_holes, make_acks,
	make_chaos;
make_fn make_udp, make_udp_parts, make_tcp_parts, make_wrapped_parts, make_rules_parts,
	make_many_parts, make_old_parts;
make_fn make_wrapped, make_damage;
make_fn make_rtp, make_rtp_parts, make_rtp_window, make_rtp_late;
make_fn make_own;
make_fn make_pair, make_shared;
make_fn make_out, make_halves, make_super, make_trains, make_tags, make_out_short;
make_fn make_table, make_lanes, make_rules;
make_fn make_short, make_rtp_short, make_ring, make_ages;

#endif
