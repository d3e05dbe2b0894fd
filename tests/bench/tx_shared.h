/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * tx_shared.h - what the peer's BPF programs, the peers in programs of their own, and the
 * benchmark of transmitting share.
 *
 * Destination number D is address TX_FIRST_ADDRESS + D % 256, port TX_PORT + D / 256: all behind
 * one neighbour.
 */
#ifndef BENCH_TX_SHARED_H
#define BENCH_TX_SHARED_H

#include <linux/types.h>

#define TX_DESTINATIONS_MAX 1024u    /* a power of two */
#define TX_FIRST_ADDRESS 0x0a4e0100u /* 10.78.1.0 */
#define TX_ADDRESSES 256u
#define TX_PORT 9000u
#define TX_HEADERS 42u	    /* Ethernet, IPv4, UDP */
#define TX_DATA (64u << 10) /* bytes of its own that each destination is sent, over and over */
#define TX_GAPS_MAX (1u << 20)

/* What each byte is that a destination is sent: the peer looks. */
static inline __u8 tx_mark(__u32 destination)
{
	return destination * 7 + 1;
}

/* What arrived at the dropping peer. */
struct tx_count {
	__u64 arrived; /* of the right length, for a destination that there is, and its data */
	__u64 strange; /* others */
	__u32 length;  /* the right one, of the whole frame */
	__u32 gap_count;
	__u64 to[TX_DESTINATIONS_MAX];	 /* arrived, by destination */
	__u64 last[TX_DESTINATIONS_MAX]; /* ns, by destination, if gaps are measured */
};

/* A peer in a program of its own: peer-NAME INTERFACE FD, where FD is a file of one of these. */
struct tx_order {
	__u32 size; /* of a payload */
	__u32 destinations;
	__u32 burst; /* packets of a destination in a row */
	__u32 ready; /* by the peer: it can begin */
	__u32 begin; /* send for `seconds`, each time that this is another number */
	__u32 done;  /* `begin` of what was done last */
	double seconds;
	double took;
	__u64 sent;
	__u8 header[TX_DESTINATIONS_MAX][TX_HEADERS];
};

#endif
