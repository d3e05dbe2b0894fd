/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * transmit.h - what the transmit program and the library share, and the arithmetic of a packet's
 * headers. Pure C, also built for the host. Not ABI: both are built of one tree.
 *
 * A destination has a block of headers, made once: all that its packets have in common. Lengths,
 * ids, checksums and RTP's numbers are zero in it and patched into each packet's copy; sums of the
 * rest are taken beforehand.
 */
#ifndef TRANSMIT_H
#define TRANSMIT_H

#include <linux/types.h>
#include <stddef.h>

#include "checksum.h"

#define XP_TX_BLOCK 96u	 /* Ethernet, two VLAN tags, IPv6, UDP, RTP: 82 bytes; in words */
#define XP_TX_LEAST 128u /* bytes of a frame while it is made */
#define XP_TX_MOST 3520u /* bytes of a frame that the kernel lends to a run, at most */
#define XP_TX_BATCH 16u	 /* frames between two flushes: as many as the kernel hands on at once */
#define XP_TX_LENGTH (16u << 20) /* bytes of an entry, at most */
#define XP_TX_NONE 0xffffffffu

#define XP_TX_V6 1u /* of a face */
#define XP_TX_RTP 2u
#define XP_TX_NO_CHECKSUM 4u /* of UDP over IPv4 */

#define XP_TX_MARKER 1u /* of an entry: RTP's marker in its last packet */

#define XP_RTP_BYTES 12u

/* How packets to a destination look at present (u). Offsets and lengths in bytes. */
struct xp_tx_face {
	__u8 block[XP_TX_BLOCK];
	__u32 ifindex;
	__u32 sum_ip; /* xp_tx_sums() */
	__u32 sum_udp;
	__u16 room;  /* payload in a packet, at most; at least 1 */
	__u16 error; /* errno: nothing can be sent; 0 */
	__u8 front;  /* of the block: up to the payload */
	__u8 l3;
	__u8 l4;
	__u8 flags;
	__u8 zero[12];
};
_Static_assert(sizeof(struct xp_tx_face) == 128, "two cache lines");

/*
 * A destination. Its face is changed by writing the other one and then `active`; a packet in the
 * making goes on with the one that it began with.
 */
struct xp_tx_destination {
	struct xp_tx_face face[2]; /* (u) */
	__u32 active;		   /* (u) counts changes: the lowest bit says which */
	__u32 weight;		   /* (u) packets in a turn */
	__u32 id;		   /* (k) IPv4's, of the next packet */
	__u32 sequence;		   /* (k) RTP's, of the next packet; (u) at first */
	__u64 packets;		   /* (k) made, also those that a driver refused later */
	__u64 bytes;		   /* (k) of payload in them */
	__u64 refused;		   /* packets of them that failed (k), or were given up (u) */
	__u64 refused_bytes;	   /* of payload in those */
	__u64 zero[2];
};
_Static_assert(sizeof(struct xp_tx_destination) == 320, "five cache lines");

/* An entry of a write (u); the program makes packets of its front and moves that on (k). */
struct xp_tx_entry {
	__u64 at;    /* (k) offset in the memory */
	__u32 left;  /* (k) bytes */
	__u32 next;  /* (k) entry of the next destination: those that take turns are a ring */
	__u32 chain; /* next entry of this destination, XP_TX_NONE: none */
	__u32 destination;
	__u32 timestamp;
	__u16 flags;
	__u16 error; /* (k) errno: what is left can't be sent */
};
_Static_assert(sizeof(struct xp_tx_entry) == 32, "two in a cache line");

/* A packet, by what it takes to make it again. */
struct xp_tx_packet {
	__u64 at;
	__u32 entry;
	__u32 ifindex;
	__u16 length; /* of its payload */
	__u16 id;
	__u16 sequence;
	__u8 last;  /* of its entry */
	__u8 state; /* XP_TX_* */
};
enum xp_tx_state {
	XP_TX_IDLE,
	XP_TX_OUT,	 /* made; what the driver says is to come */
	XP_TX_OUT_AGAIN, /* the same, at a later try */
};

/* The write in work. */
struct xp_tx_job {
	__u32 at;	/* (k) entry whose turn it is */
	__u32 before;	/* (k) the one before it in the ring */
	__u32 ring;	/* (k) entries in the ring; 0: all was made */
	__u32 turn;	/* (k) packets of this turn so far */
	__u32 made;	/* (k) packets made, runs free: the next one's place in `out` */
	__u32 again;	/* (k) refused, runs free: the next one's place in `refused` */
	__u32 retried;	/* (k) of them made again, runs free */
	__u32 cpu;	/* (k) where packets are being made: those of others are not ours */
	__u32 error;	/* (k) the first -errno, negated: from a driver or the way to it */
	__u32 at_entry; /* (k) that it befell */
	__u64 packets;	/* (k) that drivers took */
	__u64 bytes;	/* (k) of payload in them */
	__u64 failed;	/* (k) packets that met an error, and will not be made again */
	__u64 retries;	/* (k) packets taken at a later try */
	struct xp_tx_packet out[XP_TX_BATCH];	  /* (k) */
	struct xp_tx_packet refused[XP_TX_BATCH]; /* (k) */
};

/* What the program is loaded with. */
struct xp_tx_config {
	__u32 bank_shift; /* of the memory */
	__u32 csum_step;  /* bytes that bpf_csum_diff() takes at once */
	__u32 counted;	  /* the kernel says what drivers refuse */
};

/* ---- turns ---- */

#ifdef __bpf__
/* Entry i of the write; NULL: there is none. Defined where the map is: transmit.bpf.c. */
#pragma clang diagnostic ignored "-Wundefined-internal"
static __always_inline struct xp_tx_entry *xp_tx_entry_at(void *entries, __u32 i);
#else
static inline struct xp_tx_entry *xp_tx_entry_at(void *entries, __u32 i)
{
	return i == XP_TX_NONE ? NULL : (struct xp_tx_entry *)entries + i;
}
#endif

/* The entry whose turn it is ends, and its destination's next one takes its place in the ring. */
static __always_inline void xp_tx_succeed(void *entries, struct xp_tx_job *job,
					  const struct xp_tx_entry *e)
{
	struct xp_tx_entry *next = xp_tx_entry_at(entries, e->chain);
	struct xp_tx_entry *before = xp_tx_entry_at(entries, job->before);

	if (!next || !before) {
		job->ring = 0;
		return;
	}
	if (job->ring == 1) {
		next->next = e->chain;
		job->before = e->chain;
	} else {
		next->next = e->next;
		before->next = e->chain;
	}
	job->at = e->chain;
}

/* The entry whose turn it is leaves the ring, and what is chained to it never gets there. */
static __always_inline void xp_tx_leave(void *entries, struct xp_tx_job *job,
					const struct xp_tx_entry *e)
{
	struct xp_tx_entry *before = xp_tx_entry_at(entries, job->before);

	if (!before || !job->ring) {
		job->ring = 0;
		return;
	}
	before->next = e->next;
	job->at = e->next;
	job->turn = 0;
	job->ring--;
}

/* `length` bytes of the entry whose turn it is were made into a packet: whose turn is it now? */
static __always_inline void xp_tx_advance(void *entries, struct xp_tx_job *job,
					  struct xp_tx_entry *e, __u32 length, __u32 weight)
{
	__u32 next = e->next;

	e->at += length;
	e->left -= length;
	job->turn++;
	if (!e->left) {
		if (e->chain == XP_TX_NONE) {
			xp_tx_leave(entries, job, e);
			return;
		}
		xp_tx_succeed(entries, job, e);
	}
	if (job->turn < weight)
		return;
	job->turn = 0;
	if (job->ring > 1) {
		job->before = job->at;
		job->at = next;
	}
}

/* ---- headers ---- */

static __always_inline void xp_tx_put16(void *p, __u16 value)
{
#ifdef __bpf__
	*(__u16 *)p = value;
#else
	__builtin_memcpy(p, &value, sizeof(value));
#endif
}

static __always_inline void xp_tx_put32(void *p, __u32 value)
{
#ifdef __bpf__
	*(__u32 *)p = value;
#else
	__builtin_memcpy(p, &value, sizeof(value));
#endif
}

/* The first of RTP's words (RFC 3550, 5.1): the marker and the number; the rest is in the block. */
static __always_inline __u32 xp_tx_rtp_word(const struct xp_tx_packet *p, __u32 marker)
{
	return bpf_htonl((marker ? 1u << 23 : 0) | p->sequence);
}

/*
 * Complete the headers in a copy of the face's block, IP's at `ip` and UDP's at `udp`: lengths,
 * IPv4's id and checksum (RFC 791), RTP's number, marker and timestamp, UDP's checksum (RFC 768,
 * RFC 8200). `sum`: of the payload.
 */
static __always_inline void xp_tx_patch(unsigned char *ip, unsigned char *udp,
					const struct xp_tx_face *face, const struct xp_tx_packet *p,
					__u32 timestamp, __u32 marker, __u64 sum)
{
	__u32 rtp = face->flags & XP_TX_RTP ? XP_RTP_BYTES : 0;
	__u32 udp_length = 8 + rtp + p->length, word;
	__u64 total = face->sum_udp + sum + 2ull * bpf_htons(udp_length);
	__u32 check;

	if (rtp) {
		word = xp_tx_rtp_word(p, marker);
		xp_tx_put32(udp + 8, xp_get32(udp + 8) | word);
		xp_tx_put32(udp + 12, bpf_htonl(timestamp));
		total += word;
		total += bpf_htonl(timestamp);
	}
	if (face->flags & XP_TX_V6) {
		xp_tx_put16(ip + 4, bpf_htons(udp_length));
	} else {
		xp_tx_put16(ip + 2, bpf_htons(20 + udp_length));
		xp_tx_put16(ip + 4, bpf_htons(p->id));
		check = xp_fold((__u64)face->sum_ip + bpf_htons(20 + udp_length) +
				bpf_htons(p->id));
		xp_tx_put16(ip + 10, ~check);
	}
	xp_tx_put16(udp + 4, bpf_htons(udp_length));
	if (face->flags & XP_TX_NO_CHECKSUM)
		return;
	check = ~xp_fold(total) & 0xffff;
	xp_tx_put16(udp + 6, check ? check : 0xffff);
}

#ifndef __bpf__

/* A sum of 16-bit words in memory; an odd byte at the end counts as the first of a word. */
static inline __u64 xp_tx_sum(const unsigned char *p, __u32 bytes)
{
	__u64 sum = 0;

	for (; bytes >= 4; p += 4, bytes -= 4)
		sum += xp_get32(p);
	return sum + xp_sum_tail(p, bytes);
}

/*
 * The sums of what does not change, of a face whose block, offsets and flags are set: of the IPv4
 * header, and of UDP's ports, pseudo-header without lengths, and RTP header.
 */
static inline void xp_tx_sums(struct xp_tx_face *face)
{
	const unsigned char *ip = face->block + face->l3, *udp = face->block + face->l4;
	__u64 sum = bpf_htonl(17);

	if (face->flags & XP_TX_V6)
		sum += xp_tx_sum(ip + 8, 32);
	else
		sum += xp_tx_sum(ip + 12, 8);
	sum += xp_tx_sum(udp, face->front - face->l4);
	face->sum_ip = face->flags & XP_TX_V6 ? 0 : xp_fold(xp_tx_sum(ip, 20));
	face->sum_udp = xp_fold(sum);
}

#endif
#endif
