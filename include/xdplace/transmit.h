/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * transmit.h - gathered transmit: one write, many destinations.
 *
 * A transmitter sends UDP datagrams (RFC 768), with RTP headers where asked for (RFC 3550), whose
 * payload lies in memory that the kernel's side can read by itself: the UMEM of a context, or
 * memory of the transmitter's own. A write is a vector of {destination, data, length}; each entry
 * is cut into packets that the destination's MTU allows, and packets of different destinations
 * take turns. No payload byte is copied in user space, but those of short packets by the engine
 * `xsk` in copy mode.
 *
 * Functions return 0 or a positive number on success and -errno on failure, those that return a
 * pointer NULL with errno set; xdplace_error() has the words. A transmitter is used by one thread
 * at a time.
 */
#ifndef XDPLACE_TRANSMIT_H
#define XDPLACE_TRANSMIT_H

#include <sys/socket.h>

#include <xdplace/xdplace.h>

#ifdef __cplusplus
extern "C" {
#endif

struct xdplace_tx; /* a transmitter */

/* ---- transmitter (xdplace-transmit(3)) ---- */

enum xdplace_tx_engine {
	XDPLACE_TX_AUTO, /* `run` where the kernel and the driver can do it, else `xsk` */
	XDPLACE_TX_RUN,	 /* packets are made in the kernel, one system call for a write */
	XDPLACE_TX_XSK,	 /* AF_XDP: packets are made here, of header and payload as fragments */
};

/* Zero means the default, given in brackets. `size` must be sizeof(struct xdplace_tx_opts). */
struct xdplace_tx_opts {
	size_t size;
	enum xdplace_tx_engine engine; /* [XDPLACE_TX_AUTO] */
	uint64_t memory;       /* bytes, (2), 64 KiB .. 256 MiB, without a context [64 MiB] */
	int memory_fd;	       /* take this memory instead of making some [none] */
	uint32_t destinations; /* open at a time, 1 .. 65536 [1024] */
	uint32_t entries;      /* in one write, 1 .. 65536 [4096] */
	uint32_t timeout_ms;   /* what a driver refuses for so long is given up [1000] */
	uint32_t queue;	       /* of the interfaces, for XDPLACE_TX_XSK [0] */
	bool no_checksum;      /* UDP over IPv4 goes without a checksum (RFC 768 allows it) */
	bool copy;	       /* XDPLACE_TX_XSK without zero-copy */
	xdplace_log_fn log;    /* [none] */
	void *log_arg;
};

/*
 * `ctx`: its UMEM is the memory to send from; it must outlive the transmitter. NULL: the
 * transmitter makes memory of its own, or takes the application's: `memory_fd` is of a BPF array
 * (BPF_F_MMAPABLE, one element, of a size as `memory` may have), which any engine can send from, or
 * of a file that can be mapped and written (memfd, hugetlbfs), which only `xsk` can. It is mapped,
 * and may be closed. Errors: EINVAL a value out of range, EPERM a capability is missing,
 * EOPNOTSUPP this kernel or the engine can't do it, ENOMEM.
 */
struct xdplace_tx *xdplace_tx_open(struct xdplace *ctx, const struct xdplace_tx_opts *opts);
/* Waits for nothing: what was written and has no completion yet may or may not be sent. */
void xdplace_tx_close(struct xdplace_tx *tx);
/*
 * The memory that entries may lie in: `size` bytes, mapped read and write. Of a context's UMEM the
 * last area of each bank can't be used: entries must not touch it.
 */
void *xdplace_tx_memory(const struct xdplace_tx *tx, size_t *size);
enum xdplace_tx_engine xdplace_tx_engine(const struct xdplace_tx *tx);
const char *xdplace_tx_engine_name(enum xdplace_tx_engine engine); /* "run", "xsk", "auto" */

/* ---- destinations ---- */

/* Zero means the default, given in brackets. */
struct xdplace_destination_opts {
	size_t size;
	const struct sockaddr *to;   /* address and port: struct sockaddr_in or sockaddr_in6 */
	const struct sockaddr *from; /* [the address and a port that the kernel chooses] */
	const char *ifname;	     /* send through this interface [as routed] */
	uint8_t ttl;		     /* or hop limit [64; 1 to groups] */
	uint8_t tos;		     /* or traffic class */
	uint16_t payload;	     /* bytes in a packet, at most [what the MTU allows] */
	uint32_t weight;	     /* packets in a turn, 1 .. 255 [1] */
	uint32_t timeout_ms;	     /* to wait for the neighbour's address [1000] */
	bool rtp;		     /* put RTP headers in front of the payload */
	uint8_t rtp_type;	     /* of the payload, 0 .. 127 */
	uint16_t rtp_sequence;	     /* of the first packet */
	uint32_t rtp_ssrc;
};
/*
 * Find the way to a destination by the kernel's own tables: route, source address, VLAN,
 * neighbour, MTU. From then on changes are followed. Returns its number. Errors: ENETUNREACH no
 * route, EHOSTUNREACH the neighbour does not answer, ENETDOWN the link is down, EOPNOTSUPP the
 * interface can't send this way, ENOSPC as many as `destinations`, EINVAL.
 */
int xdplace_destination_open(struct xdplace_tx *tx, const struct xdplace_destination_opts *opts);
int xdplace_destination_close(struct xdplace_tx *tx, uint32_t destination); /* ENOENT */

/* What is known of a destination. Addresses are as on the wire. */
struct xdplace_destination {
	int error;	 /* 0: can be sent to; or the errno why not, now */
	char ifname[16]; /* that packets leave by */
	uint32_t ifindex;
	uint32_t mtu;	  /* of the way, bytes of IP packet */
	uint32_t payload; /* bytes of payload in a full packet */
	uint16_t vlan;	  /* 0: none */
	uint8_t source_mac[6];
	uint8_t mac[6]; /* of the next hop */
	struct sockaddr_storage to;
	struct sockaddr_storage from;
	uint32_t changes; /* times that the way to it changed */
	uint64_t packets; /* handed to the driver */
	uint64_t bytes;	  /* of payload in them */
	uint64_t refused; /* packets that it did not take, and that were given up */
	uint64_t refused_bytes;
	uint16_t rtp_sequence; /* of the next packet */
};
int xdplace_destination_get(struct xdplace_tx *tx, uint32_t destination,
			    struct xdplace_destination *info);

/* ---- write ---- */

#define XDPLACE_TX_MARKER 1u /* RTP: set the marker bit in the entry's last packet */

struct xdplace_tx_entry {
	const void *data; /* in the transmitter's memory */
	uint32_t length;  /* bytes, 0 .. 16 MiB; 0 is one datagram without payload */
	uint32_t destination;
	uint32_t timestamp; /* RTP, of all packets of the entry */
	uint32_t flags;	    /* XDPLACE_TX_MARKER */
};

/* What became of a write. */
struct xdplace_tx_completion {
	uint64_t user;	  /* as given to xdplace_tx_write() */
	uint64_t packets; /* that drivers took */
	uint64_t bytes;	  /* of payload in them */
	uint64_t refused; /* packets that a driver refused until the time was over */
	uint64_t unsent;  /* bytes of entries that were not, or not wholly, made into packets */
	int error;	  /* 0: all went out; or the first -errno */
	uint32_t entry;	  /* that it befell */
};

/*
 * Send all entries. Entries of one destination go one after the other, each in packets of its own;
 * destinations take turns, packet by packet, in the order of their first entries. Data must not
 * change until the write's completion was polled. One destination's trouble does not keep the
 * others' entries back; the completion tells. Errors, nothing was sent: EINVAL an entry lies
 * outside the memory, is too long or names no destination; E2BIG more than `entries`; EAGAIN
 * completions have to be polled first.
 */
int xdplace_tx_write(struct xdplace_tx *tx, const struct xdplace_tx_entry *entries, size_t count,
		     uint64_t user);
/* Up to `count` completions, one for each write, in the order of the writes, without waiting. */
int xdplace_tx_poll(struct xdplace_tx *tx, struct xdplace_tx_completion *completions, size_t count);
/* Wait until there is one: 1, 0 timeout, -EINTR. timeout_ms < 0: for ever. */
int xdplace_tx_wait(struct xdplace_tx *tx, int timeout_ms);

/* Since the transmitter was opened. */
struct xdplace_tx_stats {
	uint64_t writes;
	uint64_t packets; /* that drivers took */
	uint64_t bytes;	  /* of payload in them */
	uint64_t refused; /* packets given up */
	uint64_t unsent;  /* bytes never made into packets */
	uint64_t retries; /* packets that a driver took at a later try */
	uint64_t calls;	  /* system calls that sent */
	bool counted;	  /* false: this kernel does not say what drivers refuse */
};
void xdplace_tx_stats(struct xdplace_tx *tx, struct xdplace_tx_stats *stats);

/* ---- pacer (xdplace-pacer(3)) ---- */

/*
 * Streams with a bit rate each, over one transmitter. Time is cut into intervals; what is due of
 * all streams in an interval goes in one write at its beginning (in several, if it is more than
 * `entries`). Meanwhile the transmitter is the pacer's: the program neither writes nor polls.
 */
struct xdplace_pacer;

/*
 * The interval, unless it is given: a stream of mean packet rate has one packet in it; or it is a
 * whole part of that time, so that the fastest stream has no more than 8 packets in it and all
 * streams together no more than 256; or a multiple, if that time is shorter than the least. 500 us
 * .. 100 ms. It is chosen anew when a stream is opened or closed.
 */
struct xdplace_pacer_opts {
	size_t size;
	uint32_t interval_us; /* between writes, 500 .. 100000 [from the streams' rates] */
};
struct xdplace_pacer *xdplace_pacer_open(struct xdplace_tx *tx,
					 const struct xdplace_pacer_opts *opts);
void xdplace_pacer_close(struct xdplace_pacer *pacer);

struct xdplace_stream_opts {
	size_t size;
	uint32_t destination; /* no other stream's */
	uint64_t rate;	      /* bits of payload in a second, up to 10^12 */
	uint32_t clock;	      /* RTP: ticks in a second, as of the payload's type [90000] */
	uint32_t timestamp;   /* RTP: of the first packet */
	const void *data;     /* in the transmitter's memory */
	uint64_t length;      /* bytes; what comes next is given by xdplace_stream_feed() */
	bool loop;	      /* begin again at the last piece's beginning when nothing waits */
	bool marker;	      /* RTP: set the marker in the last packet of each piece */
	uint32_t unit;	      /* bytes that packets must not divide, 188 say [1] */
};
/*
 * Returns the stream's number. It begins with the next interval, and within it after a part of its
 * packet's time that differs from the other streams'. Packets are as long as the destination takes
 * them, less what would divide a unit; this is looked at again once a second. Errors: EINVAL a
 * value out of range, a unit longer than a packet, or no such destination; EBUSY the destination
 * has a stream; ENOMEM.
 */
int xdplace_stream_open(struct xdplace_pacer *pacer, const struct xdplace_stream_opts *opts);
/*
 * More data behind the present ones, which are finished first: one piece can wait. Data that lie
 * directly behind the last piece lengthen it, so a ring needs no waiting; else a piece's last
 * packet may be short. EAGAIN: one piece waits already.
 */
int xdplace_stream_feed(struct xdplace_pacer *pacer, uint32_t stream, const void *data,
			uint64_t length);
/*
 * What was not sent yet is not sent any more. The destination stays open; close it later than its
 * stream. ENOENT.
 */
int xdplace_stream_close(struct xdplace_pacer *pacer, uint32_t stream);

/*
 * Packets, bytes, `refused` and `unsent` are the destination's since the stream was opened. Times
 * are between that at which a packet was due and the return of the write that it was in.
 */
struct xdplace_stream {
	uint64_t packets; /* that drivers took */
	uint64_t bytes;	  /* of payload in them */
	uint64_t refused;
	uint64_t unsent;    /* bytes that were due and could not be made into packets */
	uint64_t late;	    /* packets sent more than an interval after they were due */
	uint64_t starved;   /* intervals without data before more were fed */
	uint32_t jitter_us; /* mean deviation, as RFC 3550, 6.4.1 */
	uint32_t max_late_us;
	uint64_t waiting; /* last bytes whose write is not completed: the others may be changed */
	bool finished;	  /* nothing waits */
	int error;	  /* 0: the destination can be sent to; or the errno why not, now */
};
int xdplace_stream_get(struct xdplace_pacer *pacer, uint32_t stream, struct xdplace_stream *info);
/*
 * Write what is due: one write for all streams. Returns microseconds until the next is, 0 if that
 * is now, or -errno of the transmitter; -ENODATA: no stream has anything left.
 *
 * A pacer that was kept from running makes up for it, in writes of two intervals, or of 8 packets
 * of a stream and 256 of all if that is longer. If it misses more than a second, all streams go on
 * from where they are, that much later.
 */
int xdplace_pacer_step(struct xdplace_pacer *pacer);
/*
 * Step and sleep until all streams have finished: 0; or until `stop` (may be NULL) is non-zero,
 * which a signal handler may set: 1.
 */
int xdplace_pacer_run(struct xdplace_pacer *pacer, const volatile int *stop);
uint32_t xdplace_pacer_interval(const struct xdplace_pacer *pacer); /* microseconds */

#ifdef __cplusplus
}
#endif
#endif
