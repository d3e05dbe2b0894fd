/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * ways.h - how the destinations of a transmitter are reached: what destination.c (open, close,
 * get), way.c (find a way, make its face), neighbour.c (next hops) and follow.c (the thread that
 * follows changes) share.
 *
 * Everything here is guarded by xp_tx_ways.lock, which is never held while waiting for the network.
 */
#ifndef XP_WAYS_H
#define XP_WAYS_H

#include <pthread.h>
#include <sys/queue.h>

#include "face.h"
#include "tx.h"

/* An interface that a way leads through. */
struct xp_device {
	LIST_ENTRY(xp_device) of_bucket;
	uint32_t ifindex;
	bool fresh;	   /* nic is what the kernel has, as far as events told */
	uint32_t prepared; /* tx->engines: that engine can send there; 0 */
	bool changed;	   /* follow.c: look at its ways */
	struct xp_nic nic; /* nic.ifindex 0: it is gone */
};

/* A neighbour that packets are sent to; many destinations may lie behind one gateway. */
struct xp_hop {
	LIST_ENTRY(xp_hop) of_bucket;
	LIST_ENTRY(xp_hop) of_tended;
	LIST_HEAD(, xp_way) ways;
	struct xp_ip ip;
	uint32_t ifindex;
	uint16_t state; /* NUD_*, as last told */
	bool known;	/* mac is, or was a moment ago, its address */
	bool failed;	/* it was asked for, and did not answer */
	bool tended;	/* in the list of those to be poked at `due` */
	uint8_t mac[6];
	uint32_t failures; /* in a row */
	int64_t poked;	   /* ms; when the kernel was told that it is in use */
	int64_t due;
};

/* What has to be looked at again. */
#define XP_LOOK_ROUTE 1u /* and all that follows from it */
#define XP_LOOK_FACE 2u	 /* interfaces and next hop */

/* A destination. */
struct xp_way {
	LIST_ENTRY(xp_way) of_hop;
	TAILQ_ENTRY(xp_way) of_dirty;
	uint32_t next_free;
	uint8_t look; /* XP_LOOK_*, in the list of the dirty if not 0 */
	bool used;    /* has a number, or is about to get one */
	bool open;    /* its number is valid */
	bool ailing;  /* no notice may tell when its way gets better */

	/* As asked for. */
	struct xp_ip to;
	struct xp_ip from; /* none: the kernel's choice */
	uint16_t sport;	   /* as on the wire */
	uint16_t dport;
	uint32_t scope;	 /* interface that a link-local address is of; 0: any */
	char ifname[16]; /* empty: as routed */
	uint8_t ttl;
	uint8_t tos;
	uint16_t payload;
	bool rtp;
	uint8_t rtp_type;
	uint32_t rtp_ssrc;

	/* As found. */
	struct xp_route route;
	struct xp_hop *hop;		    /* NULL: needs none */
	uint32_t through[1 + XP_FACE_TAGS]; /* interfaces, the routed one first; 0: no more */
	struct xp_face_plan plan;

	/* As shown to those who send. */
	struct xp_face_plan shown; /* of the last face without error */
	char by[16];		   /* name of its interface */
	int error;		   /* errno, of the face */
	uint32_t changes;
};

#define XP_WAYS_DEVICES 256u /* buckets */

struct xp_tx_ways {
	struct xdplace_tx *tx;
	pthread_mutex_t lock;
	pthread_cond_t settled; /* a next hop has answered, or has not */
	struct xp_ask ask;
	struct xp_way *way; /* opts.destinations of them */
	uint32_t free;	    /* number, the first of a list; XP_TX_NONE */
	uint32_t begun;	    /* numbers from here on were never used */
	LIST_HEAD(, xp_device) device[XP_WAYS_DEVICES];
	LIST_HEAD(xp_hop_bucket, xp_hop) * hop;
	uint32_t hop_mask;
	TAILQ_HEAD(, xp_way) dirty;
	LIST_HEAD(, xp_hop) tended;
	int64_t next_tending; /* not before */

	/* Sockets that keep the ports that were chosen, for IPv4 and IPv6. */
	int keeper[2];
	uint16_t kept[2]; /* as on the wire; 0: none was wanted yet */

	uint32_t ailing; /* ways that are */

	/* follow.c */
	uint32_t round; /* number of the ailing one that is looked at next */
	int64_t next_round;
	int events;
	int waker;
	bool following;
	bool ending;
	pthread_t follower;
	char *buffer;
};

int64_t xp_now_ms(void);

/* ---- way.c ---- */

/*
 * Find the way, or what has changed of it: 0, -errno with words, -EAGAIN: the next hop's address
 * is not known yet.
 */
int xp_way_look(struct xp_tx_ways *ways, struct xp_way *w, uint32_t look);
/* Publish what was found (err 0) or why (-errno) nothing can be sent. */
void xp_way_show(struct xp_tx_ways *ways, struct xp_way *w, int err);
/* -EHOSTUNREACH with words. */
int xp_hop_fail(struct xp_tx_ways *ways, const struct xp_hop *hop);
void xp_way_ails(struct xp_tx_ways *ways, struct xp_way *w, bool ailing);
struct xp_device *xp_device_find(struct xp_tx_ways *ways, uint32_t ifindex); /* NULL: never used */

/* ---- neighbour.c ---- */

struct xp_hop *xp_hop_get(struct xp_tx_ways *ways, uint32_t ifindex, const struct xp_ip *ip);
struct xp_hop *xp_hop_find(struct xp_tx_ways *ways, uint32_t ifindex, const struct xp_ip *ip);
/* The way goes by this hop from now on (NULL: by none); the last to leave a hop removes it. */
void xp_hop_use(struct xp_tx_ways *ways, struct xp_way *w, struct xp_hop *hop);
/* What the kernel says of it now. */
void xp_hop_take(struct xp_tx_ways *ways, struct xp_hop *hop, const struct xp_neighbour *n);
int xp_hop_ask(struct xp_tx_ways *ways, struct xp_hop *hop);
int xp_hop_poke(struct xp_tx_ways *ways, struct xp_hop *hop);
/* Poke those that are due; milliseconds until the next are, -1: none. */
int xp_hops_tend(struct xp_tx_ways *ways);

/* ---- follow.c ---- */

int xp_follow_open(struct xp_tx_ways *ways);
int xp_follow_start(struct xp_tx_ways *ways);
void xp_follow_close(struct xp_tx_ways *ways);
/* Something was marked, or a hop is to be tended. */
void xp_follow_wake(struct xp_tx_ways *ways);
/* Have it looked at by and by. */
void xp_way_mark(struct xp_tx_ways *ways, struct xp_way *w, uint32_t look);
void xp_way_unmark(struct xp_tx_ways *ways, struct xp_way *w);

#endif
