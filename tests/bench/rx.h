/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * rx.h - receiving from a veth: traffic, systems, trials. For the cases rx-* and veth-*.
 */
#ifndef BENCH_RX_H
#define BENCH_RX_H

#include <pthread.h>
#include <sys/types.h>

#include "bench.h"

#define RX_SENDER "xpbench0"
#define RX_RECEIVER "xpbench1"
#define RX_SYSTEMS_MAX 16u

struct program_bpf;
struct rx_system;

/* What is sent. */
struct rx_traffic {
	bool udp;
	uint32_t flows;
	uint32_t train; /* packets of a flow in a row */
	uint32_t payload;
	uint32_t late; /* packets by which every `late_each`th comes late; 0: all in order */
	uint32_t late_each;
};

/* How the consumer waits when there is nothing. */
enum rx_wait { RX_NAP, RX_LONG_NAP, RX_BUSY, RX_SLEEP };

struct rx_ops {
	/* Attaches it to the receiving end. -errno, and system->why if there is more to say. */
	int (*open)(struct rx_system *system, const struct rx_traffic *traffic, enum rx_wait wait);
	void (*close)(struct rx_system *system);
	/* New flows are about to come, to this port on; NULL: it needs not know. */
	int (*prepare)(struct rx_system *system, const struct rx_traffic *traffic, uint16_t port);
	int (*consume)(struct rx_system *system);    /* NULL: has no consumer in this process */
	int (*sleep)(struct rx_system *system);	     /* until there is something, or for 100 ms */
	uint64_t (*bytes)(struct rx_system *system); /* in place so far */
	uint64_t (*whole)(struct rx_system *system); /* the same, looked at closely; or NULL */
	void (*reset)(struct rx_system *system); /* by the consumer: forget all flows; or NULL */
	pid_t (*process)(const struct rx_system *system); /* that consumes; NULL: this one */
};

struct rx_system {
	const char *name;
	const struct rx_ops *ops;
	const char *program; /* of a peer: what to execute */
	bool verify;	     /* checksums */
	bool copy;	     /* of a floor: the payload; else it only counts */
	bool mute;	     /* the generator sends nothing */
	bool host;	     /* no system: what this machine does to a thread */
	bool handshake;	     /* wants to see one */
	bool stack;	     /* gets its packets from the kernel's stack */
	bool broken;	     /* it can not be opened: nothing to be tried again */
	char why[200];	     /* it was not measured */

	/* What each kind of system is made of. */
	uint32_t payload;
	struct bench_placed placed;
	struct program_bpf *floor;
	struct bench_reassembler *reassembler;
	struct rx_sockets *sockets;
	struct rx_child *child;
};

extern struct rx_system rx_systems[];
extern const size_t rx_system_count;
extern int rx_xsks; /* the map of the program to_socket; and programs */
extern int rx_to_socket;
extern int rx_only_pass;

extern const struct rx_ops rx_socket_ops; /* rx_sockets.c */
extern const struct rx_ops rx_child_ops;  /* rx_child.c */
extern const struct rx_ops rx_tcpflow_ops;
extern const struct rx_ops rx_mute_ops; /* rx_trial.c */
extern const struct rx_ops rx_host_ops; /* rx_latency.c */
struct peer_shared *rx_child_shared(const struct rx_system *system);

/* ---- rx_trial.c ---- */

struct rx_trial {
	double packets_per_s; /* really offered */
	double gbit_per_s;    /* in place */
	double gigabytes;
	double cpu0_s;	  /* of CPU: the generator and all that happens in its context */
	double cpu1_s;	  /* of CPU: the consumer, thread or process */
	double machine_s; /* of CPU: all that was not idle, without the generator's waiting */
	double seconds;
	double stopped; /* seconds that the consumer could not run for others */
	double lost;	/* 0 .. 1 */
	bool good;
};

struct rx_run {
	struct rx_system *system;
	struct rx_traffic traffic;
	enum rx_wait wait;
	bool stamp;	/* packets carry the time at which they were sent */
	bool keep;	/* the same flows in every trial */
	uint32_t batch; /* packets sent at once */
	bool started;	/* flows that are kept */
	bool gone;	/* could not be started again */
	struct bench_turn turn;
	pthread_t thread;
	clockid_t clock;
	pid_t consumer; /* the thread */
	bool stop;
	bool reset;  /* asked of the consumer */
	double done; /* when it last ran out of work */
};

bool rx_possible(const char *name);
/* Loads the generator and pins this thread to CPU 0; the second call does nothing. */
int rx_stand_open(void);
void rx_stand_close(void);

int rx_start(struct rx_run *run, struct rx_system *system, const struct rx_traffic *traffic,
	     enum rx_wait wait);
void rx_stop(struct rx_run *run);
/* Send so many packets, at a rate (0: as fast as can be), and see what is in place. */
int rx_try(struct rx_run *run, double rate, uint32_t packets, struct rx_trial *trial);
/*
 * Up to `tries` times, until nothing is lost. Another process on this machine may spoil one; those
 * in which the consumer was seen to wait for others do not count, up to a limit.
 */
int rx_try_again(struct rx_run *run, double rate, uint32_t packets, unsigned int tries,
		 struct rx_trial *trial);
/* Open the kept flows: the first packet of each. */
int rx_warm(struct rx_run *run, double rate);
/* Times of the packets that were stamped, as they are taken. */
const struct bench_stamps *rx_stamps(void);
/* Packets that were made and not sent, in bytes of payload. */
uint64_t rx_mute_bytes(struct rx_system *system);
/* The highest rate without loss. *hint: of the round before, 0 for none. */
int rx_search(struct rx_run *run, double *hint, struct rx_trial *best);

#endif
