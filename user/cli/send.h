/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * send.h - what the files of `xdplace send` share.
 *
 * The transmitter's memory is a ring: a thread reads the input straight into it (send_input.c),
 * the verb sends what is there to all destinations, with or without a rate (send_run.c), and
 * gives back what all of them have had. A byte of the input is touched by nobody else.
 */
#ifndef SEND_H
#define SEND_H

#include <netinet/in.h>
#include <pthread.h>

#include <xdplace/transmit.h>

#include "cli.h"

#define SEND_FOREVER UINT64_MAX

/* ---- input (send_input.c) ---- */

struct send_input {
	char **files; /* "-": standard input */
	int count;
	uint64_t loops;
	uint64_t total; /* bytes of all loops, 0: not known */

	uint8_t *ring;
	uint64_t size;
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t filled;
	pthread_cond_t emptied;
	uint64_t head;	    /* bytes read */
	uint64_t tail;	    /* bytes given back */
	bool ended;	    /* nothing follows */
	int error;	    /* errno: reading failed */
	const char *failed; /* of this file */
	bool stop;
};

/* A file can not be opened: says so, ends the process. */
_Noreturn void send_refuse(const char *name, int err);
/* Are the files there? Ends the process if not. */
void send_input_check(struct send_input *input);
int send_input_start(struct send_input *input, uint8_t *ring, uint64_t size); /* 0 or -errno */
void send_input_stop(struct send_input *input);
/*
 * Bytes from stream offset `at` on that lie one behind the other; waits up to `ms` until there are
 * `least`. `end`: they are the input's last ones.
 */
uint64_t send_input_have(struct send_input *input, uint64_t at, uint64_t least, uint32_t ms,
			 const uint8_t **data, bool *end);
/* What lies before stream offset `to` may be overwritten. */
void send_input_release(struct send_input *input, uint64_t to);
/* Does reading wait for that? */
bool send_input_full(struct send_input *input);

/* ---- the verb ---- */

struct send_destination {
	struct sockaddr_storage to;
	uint32_t number; /* the transmitter's */
	uint32_t stream; /* the pacer's */
};

struct send {
	/* Options. */
	struct xdplace_tx_opts open;
	struct xdplace_destination_opts destination;
	struct sockaddr_storage from;
	struct send_destination *destinations;
	uint32_t count;
	uint32_t clock;
	uint64_t rate; /* bits a second, 0: as fast as it goes */
	uint32_t interval_us;
	uint32_t unit;
	bool progress;
	bool terminal; /* stderr is one */

	struct send_input input;
	struct xdplace_tx *tx;
	struct xdplace_pacer *pacer; /* NULL: without a rate */
	uint32_t packet;	     /* bytes of the first destination's packets */
	uint64_t sent;		     /* bytes of the input that went to all */
	uint64_t start_ns;
	uint64_t told_ns; /* progress */
};

uint64_t send_now_ns(void);
uint32_t send_random(void);

/* ---- sending (send_run.c): exit code ---- */

int send_fast(struct send *send);
int send_paced(struct send *send);

/* ---- words (send_report.c) ---- */

/* "10.0.0.1:5004", "[fd00::1]:5004" */
const char *send_address(const struct sockaddr_storage *address, char *text, size_t size);
void send_progress(struct send *send); /* once a second */
/* Everything went out? */
bool send_summary(struct send *send);

#endif
