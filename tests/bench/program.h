/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * program.h - one placement program measured by BPF_PROG_TEST_RUN: for program.c, which compares
 * systems, and profile.c, which switches stages off.
 */
#ifndef BENCH_PROGRAM_H
#define BENCH_PROGRAM_H

#include "bench.h"

struct program_bpf;

/* What arrives. */
struct program_traffic {
	uint32_t flows;
	size_t frame;	/* bytes */
	size_t payload; /* bytes; 0: a pure ACK of a flow that is set up by data first */
	uint32_t late;	/* packets by which every `late_each`th comes late; 0: all in order */
	uint32_t late_each;
};

/* One program, and where its stream is. */
struct program_system {
	const char *name;
	int prog;		     /* what the turn goes on to; -1: not to be measured */
	struct bench_placed *placed; /* NULL: has no consumer */
	struct bench_turn turn;
	uint8_t frame[BENCH_FRAME_MAX];
	size_t frame_len;
	uint64_t packets;
	struct bench_series series;
};

/* A namespace, the programs in it, and the program that takes turns. */
struct program_stand {
	struct program_bpf *skel;
	int home; /* network namespace that we came from */
};

/*
 * The floors copy into `pages` pages. -errno. While the stand is open this thread is in a network
 * namespace of its own.
 */
int program_stand_open(struct program_stand *stand, uint32_t pages, bool page_each);
void program_stand_close(struct program_stand *stand);

/* Begin `system` with `traffic`: its flows are set up and its memory is touched. */
int program_start(struct program_stand *stand, struct program_system *system,
		  const struct program_traffic *traffic);
/* ns of a packet, turn included: the median of `slices` runs. Negative: -errno. */
double program_measure(struct program_stand *stand, struct program_system *system,
		       unsigned int slices);
/* ns of the empty program by itself. Negative: -errno. */
double program_measure_empty(struct program_stand *stand, struct program_system *system);

#endif
