/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * tx_socket.h - an AF_XDP socket that only sends, its rings and what it can do; for
 * transmit_xsk.c.
 */
#ifndef XP_TX_SOCKET_H
#define XP_TX_SOCKET_H

#include <linux/if_xdp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define XP_TX_RING 2048u   /* descriptors, (2) */
#define XP_TX_DONE 4096u   /* completions, (2): no fewer descriptors may be under way */
#define XP_TX_CHUNK 4096u  /* bytes: a descriptor, with its metadata, is no longer */
#define XP_TX_METADATA 24u /* bytes in front of a descriptor's, if the socket has `metadata` */

/* Of Linux 6.6 and 6.8; Debian 12's headers do not have them yet. */
#ifndef XDP_PKT_CONTD
#define XDP_PKT_CONTD (1 << 0)
#endif
#ifndef XDP_TX_METADATA
#define XDP_TX_METADATA (1 << 1)
#endif
#ifndef XDP_TXMD_FLAGS_CHECKSUM
#define XDP_TXMD_FLAGS_CHECKSUM (1 << 1)
#endif

/* In front of a packet: have its checksum finished. */
struct xp_tx_metadata {
	uint64_t flags;	      /* XDP_TXMD_FLAGS_* */
	uint16_t csum_start;  /* bytes of the packet */
	uint16_t csum_offset; /* bytes from there on */
	uint8_t zero[XP_TX_METADATA - 12];
};
_Static_assert(sizeof(struct xp_tx_metadata) == XP_TX_METADATA, "as registered");

/* All positions in rings run free. */
struct xp_tx_socket {
	int fd; /* -1: closed */
	char name[16];
	uint32_t ifindex;
	uint32_t queue;

	bool zero_copy;
	bool fragments;	   /* a packet may be several descriptors (Linux 6.6) */
	bool metadata;	   /* checksums are finished by kernel or device (Linux 6.11, copy mode) */
	bool exact;	   /* `consumer` is true after each call (Linux 6.17) */
	uint32_t per_call; /* descriptors that one call takes, in copy mode */

	/* The ring of descriptors to be sent: taken <= told <= next. */
	uint32_t *producer;
	uint32_t *consumer;
	uint32_t *flags;
	struct xdp_desc *desc;
	uint32_t next;	/* where we write */
	uint32_t told;	/* the kernel knows of those below */
	uint32_t taken; /* those below are the kernel's */

	/* The ring of descriptors that came back. */
	uint32_t *done_producer;
	uint32_t *done_consumer;
	uint64_t *done;
	uint32_t reaped; /* those below were taken out */

	void *map[3]; /* rings */
	size_t map_size[3];
};

struct xp_tx_umem {
	void *start;
	size_t size;
	uint64_t fill;	 /* offset of chunks for a driver that receives in zero-copy mode */
	uint32_t chunks; /* of them */
};

/* Can this kernel send packets of several descriptors? */
bool xp_tx_socket_fragments(void);
/*
 * Open one for s->name, s->ifindex and s->queue; what it can do is tried out, best first.
 * `no_copy_first`: zero-copy is tried; `longest`: bytes of frames to be expected. 0 or -errno.
 */
int xp_tx_socket_open(struct xp_tx_socket *s, const struct xp_tx_umem *umem, bool no_copy_first,
		      uint32_t longest);
void xp_tx_socket_close(struct xp_tx_socket *s);
/* Tell the kernel of descriptors below `upto`. */
void xp_tx_socket_tell(struct xp_tx_socket *s, uint32_t upto);
/* Have it send: 0 or -errno. */
int xp_tx_socket_call(const struct xp_tx_socket *s);
bool xp_tx_socket_wants_call(const struct xp_tx_socket *s);

static inline struct xdp_desc *xp_tx_desc(const struct xp_tx_socket *s, uint32_t at)
{
	return &s->desc[at & (XP_TX_RING - 1)];
}

#endif
