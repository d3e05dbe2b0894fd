/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * peer.h - what the programs of this directory share with the benchmark that starts them.
 *
 *	peer-NAME INTERFACE FD FLOWS nap|long-nap|busy|sleep
 *
 * FD is a file of one struct peer_shared. They end with SIGTERM. What they complain of goes to
 * standard error, as one line.
 */
#ifndef BENCH_PEER_H
#define BENCH_PEER_H

#include <stdint.h>
#include <string.h>
#include <time.h>

#define PEER_SAMPLES (1u << 16)

struct peer_shared {
	uint32_t ready;	  /* packets may come */
	uint32_t stamped; /* payloads begin with the time at which they were sent; or 0 */
	uint64_t bytes;	  /* in place, in order */
	uint32_t samples; /* times taken so far; the first PEER_SAMPLES of them are kept */
	uint32_t forget; /* 1: other flows are about to come; 0 again: those before are forgotten */
	uint32_t ns[PEER_SAMPLES];
};

/* Is it to forget its flows? */
static inline int peer_asked(const struct peer_shared *shared)
{
	return __atomic_load_n(&shared->forget, __ATOMIC_ACQUIRE);
}

static inline void peer_forgot(struct peer_shared *shared)
{
	__atomic_store_n(&shared->forget, 0, __ATOMIC_RELEASE);
}

/* Payload that begins with the time at which it was sent has come. */
static inline void peer_saw(struct peer_shared *shared, const void *payload)
{
	struct timespec now;
	uint64_t sent;

	memcpy(&sent, payload, sizeof(sent));
	clock_gettime(CLOCK_MONOTONIC, &now);
	if (shared->samples < PEER_SAMPLES)
		shared->ns[shared->samples] = now.tv_sec * 1000000000ull + now.tv_nsec - sent;
	shared->samples++;
}

#endif
