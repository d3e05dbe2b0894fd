/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * xsk.h - one AF_XDP socket that receives into its own slice of the UMEM, for frames.c; and what
 * tx_socket.c shares with it.
 */
#ifndef XSK_H
#define XSK_H

#include <xdp/xsk.h>

#include "context.h"

#ifndef SOL_XDP
#define SOL_XDP 283
#endif

#define XP_XSK_FEWEST 64u /* chunks that make a socket worth opening */

/*
 * Each chunk is in exactly one place: the fill ring, the kernel's hands, the rx ring, or with the
 * caller. The fill ring and the rx ring have room for all of them.
 */
struct xp_xsk {
	struct xsk_ring_prod fill;
	struct xsk_ring_cons sent; /* nothing is sent, but no socket binds without it */
	struct xsk_ring_cons rx;
	struct xsk_umem *umem;
	struct xsk_socket *socket;
	char name[16]; /* of the interface */
	uint32_t ifindex;
	uint32_t queue;
	uint64_t start;	 /* UMEM offset of the slice */
	uint32_t slots;	 /* chunks in the slice */
	uint32_t chunks; /* those of them that are used: no guards */
	uint32_t held;	 /* by the caller */
	uint32_t given;	 /* written into the fill ring, not told to the kernel yet */
	uint64_t *mine;	 /* bit per slot: held by the caller */
	bool entered;	 /* in xp_xsks */
	bool zero_copy;
};

/*
 * Open a socket for ifindex, queue and name, with the UMEM from start on, slots chunks of it; all
 * other fields are zero. On failure nothing is left but what xp_xsk_close() takes.
 */
int xp_xsk_open(struct xdplace *ctx, struct xp_xsk *xsk, bool copy);
void xp_xsk_close(struct xdplace *ctx, struct xp_xsk *xsk);
/* Up to `count` frames that have come. */
uint32_t xp_xsk_take(struct xdplace *ctx, struct xp_xsk *xsk, struct xdplace_frame *frames,
		     size_t count);
/* A frame of this socket's slice comes back; told to the kernel by the flush. -EINVAL: not held. */
int xp_xsk_give(struct xp_xsk *xsk, uint32_t offset);
void xp_xsk_flush(struct xp_xsk *xsk);
uint32_t xp_xsk_ready(const struct xp_xsk *xsk);

/* What could not be done with a socket of an interface's queue, in words: -err. err is positive. */
int xp_xsk_refused(const char *name, uint32_t queue, const char *what, int err);

#endif
