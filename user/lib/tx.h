/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * tx.h - what the files of the transmit side share: transmit.c (writes, completions), an engine
 * each in transmit_run.c and transmit_xsk.c, destination.c. Private to the library.
 *
 * Destinations, entries and the job lie in memory that the engine makes: for `run` these are
 * maps of its program and else are plain memory: the same structures and the same arithmetic
 * (transmit.h) either way.
 */
#ifndef XP_TX_H
#define XP_TX_H

#include <xdplace/transmit.h>

#include "context.h"
#include "transmit.h"

#define XP_TX_COMPLETIONS 1024u /* writes without a polled completion, at most */

struct xp_tx_ways; /* destination.c: how each destination was found, and what follows changes */

struct xp_tx_engine {
	enum xdplace_tx_engine id;
	/* Makes destinations, entries and job, sets `most`. What failed half-way close() closes. */
	int (*open)(struct xdplace_tx *tx);
	void (*close)(struct xdplace_tx *tx);
	/*
	 * Can, and will, this interface send? Called once for each interface that a destination
	 * uses, and again when it has changed; by the thread that follows changes, too, while
	 * others write.
	 */
	int (*prepare)(struct xdplace_tx *tx, uint32_t ifindex, const char *ifname);
	/*
	 * Send what tx->entries and tx->job say, and xp_tx_complete(). `packets`: how many that
	 * makes as things are, `frame`: bytes of the longest.
	 */
	int (*write)(struct xdplace_tx *tx, uint64_t packets, uint32_t frame);
};
extern const struct xp_tx_engine xp_tx_run, xp_tx_xsk;

struct xdplace_tx {
	struct xdplace *ctx; /* NULL: memory of its own */
	struct xdplace_tx_opts opts;
	struct xp_logger logger;
	const struct xp_tx_engine *engine;
	uint32_t engines; /* opened so far: what one has prepared another has not */
	bool can_run;	  /* where the engine may be chosen, `run` is a choice */
	void *private;	  /* the engine's */

	/* The memory: a map's or a file's, so that it can be mapped again. */
	int memory_fd;
	bool memory_map; /* it is a BPF map */
	uint8_t *memory;
	size_t memory_size; /* that entries may use, but for guards */
	uint32_t bank_shift;
	uint32_t guard; /* bytes at the end of each bank that entries must not touch */

	uint32_t most; /* bytes of a frame, at most */
	struct xp_tx_destination *destinations;
	struct xp_tx_entry *entries;
	struct xp_tx_job *job;
	struct xp_tx_ways *ways;

	/* The write in work, and each destination's last entry in it. */
	uint32_t count; /* entries */
	uint64_t user;
	uint64_t number;   /* of writes */
	uint64_t *written; /* number of the write that `last` is of */
	uint32_t *last;	   /* entry */

	struct xdplace_tx_completion completions[XP_TX_COMPLETIONS];
	uint32_t completed; /* both run free */
	uint32_t polled;

	struct xdplace_tx_stats stats;
};

/* ---- transmit.c ---- */

/* The write in work is done; beside what the job says, `refused` packets were given up. */
void xp_tx_complete(struct xdplace_tx *tx, uint64_t refused);
uint64_t xp_tx_now_us(void); /* of a clock that only goes forward */
/* Do so many bytes lie where entries may, in one bank? */
bool xp_tx_in_memory(const struct xdplace_tx *tx, const void *data, uint64_t length);
/* engine->prepare(); where the engine may be chosen, the first interface decides. */
int xp_tx_prepare(struct xdplace_tx *tx, uint32_t ifindex, const char *ifname);

/* ---- destination.c ---- */

int xp_ways_open(struct xdplace_tx *tx);
void xp_ways_close(struct xdplace_tx *tx);
bool xp_destination_valid(const struct xdplace_tx *tx, uint32_t destination);

/*
 * How packets to a destination look from now on. One thread at a time does this for a destination
 * (destination.c's lock); packets may be made meanwhile, of the face that was.
 */
static inline void xp_tx_set_face(struct xp_tx_destination *d, const struct xp_tx_face *face)
{
	uint32_t next = d->active + 1;

	__atomic_thread_fence(__ATOMIC_RELEASE);
	d->face[next & 1] = *face;
	__atomic_store_n(&d->active, next, __ATOMIC_RELEASE);
}

/* The face in use. */
static inline const struct xp_tx_face *xp_tx_face(const struct xp_tx_destination *d)
{
	return &d->face[__atomic_load_n(&d->active, __ATOMIC_ACQUIRE) & 1];
}

#endif
