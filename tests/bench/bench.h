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
#include <sys/types.h>

#include <xdplace/xdplace.h>

#include "turn.h"

#define BENCH_ROUNDS_MAX 64

/* ---- measure.c: clocks and medians ---- */

double bench_now(void);	   /* seconds, monotonic */
double bench_waited(void); /* seconds that this thread could not run for others */
double bench_waited_of(pid_t thread);
double bench_machine_busy(void); /* seconds of CPU that were not idle, since the start */
double bench_median(double *samples, size_t count); /* sorts them; NAN if there are none */
int bench_pin_cpu(int cpu);			    /* this thread, 0 or -errno */
void bench_real_time(void);	  /* this thread before all others of its CPU, if allowed */
uint64_t bench_memory_free(void); /* bytes that can be had without swapping */

/* ---- memory.c ---- */

/* Bytes of a process and of its BPF maps; 0: this one. */
uint64_t bench_memory_of(pid_t pid);
uint64_t bench_memory_sockets(void); /* of all sockets of the machine; 0: the kernel does not say */

/* ---- report.c ---- */

struct bench_series {
	double sample[BENCH_ROUNDS_MAX]; /* of each round; NAN: it failed in this one */
	size_t count;
};
void bench_sample(struct bench_series *series, double value);
/* Samples up to this round: what is missing has failed. */
void bench_fill_up(struct bench_series *series, size_t rounds);
/* The series without what failed. */
struct bench_series bench_measured(const struct bench_series *series);
/* A series without any value is reported as not measured. Names must be literals: they are kept. */
void bench_report(const char *name, const char *system, const char *metric, const char *unit,
		  const struct bench_series *series);
/* Why the series that was reported last is empty, or lacks some. */
void bench_report_why(const char *why);
/* A line for the foot of the table; each text once. */
void bench_note(const char *format, ...) __attribute__((format(printf, 1, 2)));
struct bench_value {
	double value; /* NAN: not measured */
	double min;
	double max;
};
bool bench_look_up(const char *name, const char *system, const char *metric,
		   struct bench_value *value);
void bench_report_table(FILE *out); /* what was reported since the last time */
void bench_report_notes(FILE *out);
int bench_report_json(const char *path);

/* ---- picture.c ---- */

int bench_pictures(const char *directory); /* of what was reported; 0 or -errno */

/* ---- child.c: peers that are programs of their own ---- */

/* PROGRAM beside this one; path has PATH_MAX bytes. False: it is not there, and `why`. */
bool bench_child_find(const char *program, char *path, char *why, size_t why_size);
/* On that CPU; what it says goes to the file `say`. The process, or -1 and errno. */
pid_t bench_child_spawn(char *const argv[], int cpu, int say);
void bench_child_hurry(pid_t pid); /* before all others of its CPU */
void bench_child_stop(pid_t pid);
/* The last line of what it said. */
void bench_child_last_words(int say, char *why, size_t why_size);

/* ---- packet.c: the frames ---- */

#define BENCH_FRAME_MAX 1600u
#define BENCH_FRAME_MIN 60u
#define BENCH_SOURCE 0xc6336401u /* 198.51.100.1, RFC 5737 */
#define BENCH_DEST 0xcb007101u	 /* 203.0.113.1, RFC 5737 */
/* Of a stream's first byte, and what its receiver has acknowledged. */
#define BENCH_SEQUENCE 0x10000000u

struct bench_packet {
	bool udp;
	bool syn;     /* with the window scale that lets a stream go on unacknowledged */
	bool reverse; /* from the receiver */
	size_t payload;
	uint16_t dport;
};
/* Returns the frame's length. Fills what `turn` has of the packet. */
size_t bench_frame_of(uint8_t *frame, const struct bench_packet *packet, struct bench_turn *turn);
/* A TCP segment, padded to frame_len; returns that. Fills what `turn` has of the packet. */
size_t bench_frame(uint8_t *frame, size_t frame_len, size_t payload, uint16_t dport,
		   struct bench_turn *turn);

/* The sum of words in network byte order (RFC 1071), folded, not complemented. */
uint16_t bench_checksum(const uint8_t *data, size_t len, uint64_t sum);

/* ---- placed.c: xdplace as one of the systems ---- */

struct bench_placed {
	struct xdplace *ctx;
	struct xdplace_lane *lane;
	uint64_t opcode[XP_OPCODE_COUNT]; /* completions seen */
	uint64_t bytes;			  /* in sequence */
	uint64_t gaps;
};
/* Opens a context of one lane with that rule and becomes its consumer. */
int bench_placed_open(struct bench_placed *placed, const struct xdplace_opts *opts,
		      const char *rule);
void bench_placed_close(struct bench_placed *placed);
int bench_placed_prog(const struct bench_placed *placed); /* its program's descriptor */
/* Poll and release once, up to some hundred completions; returns how many. */
int bench_placed_drain(struct bench_placed *placed);

/* ---- main.c ---- */

bool bench_wanted(const char *name); /* is this case asked for? */
extern const char *bench_only;	     /* only systems whose name contains this; NULL: all */
unsigned int bench_rounds(unsigned int rounds); /* that many, or what was asked for if less */

/* ---- latency: consumers call it with the payload of each packet ---- */

extern bool bench_latency_on;
void bench_latency_saw(const void *payload); /* rx_latency.c */
static inline void bench_saw(const void *payload)
{
	if (__builtin_expect(bench_latency_on, 0))
		bench_latency_saw(payload);
}

/* ---- program.c, profile.c, rx*.c: 0 or -errno where nothing could be measured ---- */

int bench_program(void);
int bench_profile(void);
int bench_rx(void);	    /* the cases veth-* and rx-* but those: */
int bench_rx_latency(void); /* rx-latency-* */
int bench_rx_tap(void);	    /* rx-tap-* */
int bench_tx(void);	    /* tx-* but those: */
int bench_tx_paced(void);   /* tx-paced-* */

/* ---- reassembler.c: AF_XDP and a consumer that does the same job ---- */

struct bench_reassembler;
/* Opens the socket on queue 0 and enters it in the map; NULL and errno. */
struct bench_reassembler *bench_reassembler_open(const char *ifname, int xsks_map, bool verify,
						 uint32_t flows);
void bench_reassembler_close(struct bench_reassembler *r);
/* Take and put in order what has arrived, up to some hundred packets; returns how many. */
int bench_reassembler_run(struct bench_reassembler *r);
/* Forget all flows. */
void bench_reassembler_forget(struct bench_reassembler *r);
void bench_reassembler_sleep(struct bench_reassembler *r);	     /* until a packet or 100 ms */
uint64_t bench_reassembler_bytes(const struct bench_reassembler *r); /* in sequence, in place */

#endif
