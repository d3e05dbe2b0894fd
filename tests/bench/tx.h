/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * tx.h - sending on a veth: traffic, peers, systems, trials. For the cases tx-*.
 */
#ifndef BENCH_TX_H
#define BENCH_TX_H

#include <netinet/in.h>

#include "bench.h"
#include "tx_shared.h"

#define TX_NEAR "xptx0"
#define TX_FAR "xptx1" /* in the namespace that XPBENCH_FAR names */
#define TX_SYSTEMS_MAX 16u

struct tx_system;

/* What is sent: to each destination `burst` packets in a row, then it is the next one's turn. */
struct tx_traffic {
	uint32_t size; /* of a payload */
	uint32_t destinations;
	uint32_t burst;
};

struct tx_ops {
	/* -errno, and system->why if there is more to say */
	int (*open)(struct tx_system *system, const struct tx_traffic *traffic);
	void (*close)(struct tx_system *system);
	/* Some more packets, added to system->sent. */
	int (*send)(struct tx_system *system);
	/* Until nothing is under way any more; NULL: nothing ever is. */
	int (*finish)(struct tx_system *system);
	/* Instead of both, for a system that runs elsewhere; *took: how long. */
	int (*send_for)(struct tx_system *system, double seconds, double *took);
};

struct tx_system {
	const char *name;
	const struct tx_ops *ops;
	const char *program; /* of a peer: what to execute */
	bool xsk_engine;     /* of xdplace; else its engine `run` */
	bool segments;	     /* leaves a burst to the kernel as one piece: bursts matter to it */
	bool zero_copy;	     /* of a socket */
	bool checksum;	     /* of UDP is computed by it */
	bool broken;	     /* it can not be opened: nothing to be tried again */
	char why[200];	     /* it was not measured */
	uint64_t sent;	     /* packets, by the system's own account */

	/* What each kind of system is made of. */
	struct tx_sockets *sockets;
	struct tx_uring *uring;
	struct tx_xsk *xsk;
	struct tx_child *child;
	struct tx_xdplace *xdplace;
	pid_t pid; /* of a peer in a process of its own */
};

extern struct tx_system tx_systems[];
extern const size_t tx_system_count;

extern const struct tx_ops tx_socket_ops;  /* tx_sockets.c */
extern const struct tx_ops tx_uring_ops;   /* tx_uring.c */
extern const struct tx_ops tx_xsk_ops;	   /* tx_xsk.c */
extern const struct tx_ops tx_child_ops;   /* tx_child.c */
extern const struct tx_ops tx_xdplace_ops; /* tx_xdplace.c */

/* ---- tx_data.c: what is sent, in which order ---- */

struct tx_cursor {
	struct tx_traffic traffic;
	uint32_t packets; /* that a destination's data are */
	uint32_t destination;
	uint32_t packet; /* first of the burst */
	uint32_t passed; /* of the burst */
};

int tx_data_open(void); /* the second call does nothing */
void tx_data_close(void);
/* TX_DATA bytes for each destination, one behind the other. */
void tx_fill(uint8_t *memory, uint32_t destinations);
uint8_t *tx_data(uint32_t *size);
void tx_begin(struct tx_cursor *cursor, const struct tx_traffic *traffic);
/* The next packet: its destination, and where its payload is. */
uint32_t tx_next(struct tx_cursor *cursor, uint8_t **payload);
/* The next burst, of cursor->traffic.burst packets one after the other. */
uint32_t tx_next_burst(struct tx_cursor *cursor, uint8_t **payload);
struct sockaddr_in tx_address(uint32_t destination);
/*
 * Ethernet, IPv4 and UDP, TX_HEADERS bytes, of a payload of that size; without UDP's checksum,
 * which IPv4 allows.
 */
void tx_header(uint8_t *header, uint32_t destination, uint32_t size);
/* Of UDP's checksum, all but the payload. */
uint64_t tx_pseudo_sum(const uint8_t *header, uint32_t size);

/* ---- tx_peer.c ---- */

enum tx_peer { TX_DROPS, TX_RECEIVES, TX_TIMES };

bool tx_possible(const char *name);
/* Links and the peer for that traffic; counts from zero. */
int tx_peer_open(enum tx_peer peer, const struct tx_traffic *traffic);
void tx_peer_close(void);
uint64_t tx_peer_arrived(void);
/* How often it has looked and found nothing; a reader that others keep from running does not. */
uint64_t tx_peer_passes(void);
/* Destinations that have received something; the receiving peer does not know: all. */
uint32_t tx_peer_reached(void);
/* Which destinations were reached, and gaps. */
void tx_peer_forget(void);
const uint32_t *tx_peer_gaps(uint32_t *count); /* ns */

/* ---- tx_paced.c: streams that are held to a rate ---- */

#define TX_STREAMS 1000u
#define TX_STREAM_SIZE 1400u				    /* bytes of payload in a packet */
#define TX_STREAM_RATE 2e6				    /* bits of payload a second */
#define TX_STREAM_GAP (TX_STREAM_SIZE * 8 / TX_STREAM_RATE) /* seconds */
#define TX_PACED_METRICS 5u

struct tx_paced {
	const char *name;
	double tick;		   /* seconds from one look at what is due to the next */
	const struct tx_paced *as; /* the tick of that one, if it was ever open */
	bool kernel;		   /* paces: each stream has a socket that is told its rate */
	int (*open)(struct tx_paced *paced);
	int (*run)(struct tx_paced *paced, double seconds);
	void (*close)(struct tx_paced *paced); /* also after open() failed */
	uint64_t sent;			       /* by the last run */
	bool failed;
	char why[200];
	struct bench_series series[TX_PACED_METRICS];
};

/* tx_paced_sockets.c */
int tx_paced_open_sockets(struct tx_paced *paced);
int tx_paced_run_sockets(struct tx_paced *paced, double seconds);
void tx_paced_close_sockets(struct tx_paced *paced);
/* tx_paced_xdplace.c; open() sets paced->tick to the pacer's */
int tx_paced_open_pacer(struct tx_paced *paced);
int tx_paced_run_pacer(struct tx_paced *paced, double seconds);
void tx_paced_close_pacer(struct tx_paced *paced);

/* ---- tx_trial.c ---- */

struct tx_trial {
	double mpps; /* that arrived */
	double cpu_s_per_gb;
	double lost; /* of a million that the system says it sent */
	bool spoilt; /* others used CPU 0 meanwhile */
};

/* Of CPU, so far: of this process, of the peer's if there is one, and of ksoftirqd. */
double tx_cpu_seconds(pid_t peer);
/* What others spoil is measured again, so many times. */
#define TX_TRIES 3u
#define TX_SPOILT 0.01 /* of the time the sender had to wait for CPU 0 */
double tx_waited(pid_t peer);
void tx_say_spoilt(void);
int tx_try(struct tx_system *system, const struct tx_traffic *traffic, struct tx_trial *trial);
/* Waits until no more arrive of `expected`. */
void tx_settle(uint64_t expected);

#endif
