/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * bench.h - what the files of the benchmark share.
 *
 * A case has systems; in each round every system is measured once, one after the other, so that
 * whatever else the machine does hits all of them. The result is the median over the rounds, the
 * spread their least and greatest.
 */
#ifndef BENCH_H
#define BENCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <xdplace/xdplace.h>

#include "turn.h"

#define BENCH_ROUNDS_MAX 64

/* ---- measure.c: clocks and medians ---- */

double bench_now(void);	   /* seconds, monotonic */
double bench_waited(void); /* seconds that this thread could not run for others */
double bench_median(double *samples, size_t count); /* sorts them; NAN if there are none */
int bench_pin_cpu(int cpu);			    /* this thread, 0 or -errno */
void bench_real_time(void);	  /* this thread before all others of its CPU, if allowed */
uint64_t bench_memory_free(void); /* bytes that can be had without swapping */

/* ---- report.c ---- */

struct bench_series {
	double sample[BENCH_ROUNDS_MAX];
	size_t count;
};
void bench_sample(struct bench_series *series, double value);
/* An empty series is reported as not measured. Names must be literals: they are kept. */
void bench_report(const char *name, const char *system, const char *metric, const char *unit,
		  struct bench_series *series);
/* A line for the foot of the table; each text once. */
void bench_note(const char *format, ...) __attribute__((format(printf, 1, 2)));
double bench_reported(const char *name, const char *system, const char *metric);
void bench_report_table(FILE *out);
int bench_report_json(const char *path);

/* ---- packet.c: the frames ---- */

#define BENCH_FRAME_MAX 1600u
/* A TCP segment, padded to frame_len; returns that. Fills what `turn` has of the packet. */
size_t bench_frame(uint8_t *frame, size_t frame_len, size_t payload, uint16_t dport,
		   struct bench_turn *turn);

/* ---- placed.c: xdplace as one of the systems ---- */

struct bench_placed {
	struct xdplace *ctx;
	struct xdplace_lane *lane;
	uint64_t opcode[XP_OPCODE_COUNT]; /* completions seen */
	uint64_t bytes;			  /* in sequence */
	uint64_t gaps;
};
/* Opens a context of one lane with the rule `take tcp` and becomes its consumer. */
int bench_placed_open(struct bench_placed *placed, const struct xdplace_opts *opts);
void bench_placed_close(struct bench_placed *placed);
int bench_placed_prog(const struct bench_placed *placed); /* its program's descriptor */
/* Poll and release once, up to some hundred completions; returns how many. */
int bench_placed_drain(struct bench_placed *placed);

/* ---- main.c ---- */

bool bench_wanted(const char *name); /* is this case asked for? */

/* ---- program.c, profile.c, veth.c: 0 or -errno where nothing could be measured ---- */

int bench_program(void);
int bench_profile(void);
int bench_veth(void);

/* ---- reassembler.c: AF_XDP and a consumer that does the same job ---- */

struct bench_reassembler;
/* Opens the socket on queue 0 and enters it in the map; NULL and errno. */
struct bench_reassembler *bench_reassembler_open(const char *ifname, int xsks_map, bool verify);
void bench_reassembler_close(struct bench_reassembler *r);
/* Take and put in order what has arrived, up to some hundred packets; returns how many. */
int bench_reassembler_run(struct bench_reassembler *r);
uint64_t bench_reassembler_bytes(const struct bench_reassembler *r); /* in sequence, in place */

#endif
