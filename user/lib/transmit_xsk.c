/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * transmit_xsk.c - the engine `xsk`: packets are made here and sent through AF_XDP sockets, one
 * for each interface.
 *
 * In: a write laid down in plain memory. Out: for each packet a frame with its headers, and as
 * further descriptors its payload where that lies, or, if that is short or the kernel takes one
 * descriptor only (before 6.6), a copy of it behind the headers. Sockets register a mapping of
 * their own, in which the memory lies behind the frames:
 *
 *	| frames: headers, copies | chunks to receive into | the transmitter's memory |
 *	0                         only for zero-copy       memory_at
 *
 * Promises: when write() returns, the write is done: every frame is back, or its socket is closed.
 * Packets of a destination leave in order. In copy mode the kernel says of each packet that the
 * interface did not take it; such a one is sent again before any other, until it is taken or the
 * time is over. Nothing else is ever given to the kernel twice.
 */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include "netlink.h"
#include "tx.h"
#include "tx_socket.h"

#define PORTS 64u
#define FRAMES 1024u
#define CHUNKS 1024u /* to receive into, (2) */
#define FRAGMENTS 16u
#define FRAGMENT (XP_TX_CHUNK - XP_TX_METADATA) /* bytes, at most */
#define HEAD 64u				/* first byte of a packet in its frame */
#define NOWHERE 0u				/* address of a descriptor that was withdrawn */
#define HEADS 16u				/* frames whose heads share no cache set */
#define HEADS_ROOM 2048u			/* bytes of packets that leave room for that */
#define HUGE_PAGE (2u << 20)			/* that memory may be made of */
#define CAREFUL 4096u /* packets sent one by one after a refused one, before Linux 6.17 */

#define TAKEN_US 500000u   /* to wait for a queue: one that was closed is free a little later */
#define LEAST_PAUSE_US 20u /* between calls while an interface takes nothing */
#define MOST_PAUSE_US 500u

/*
 * Bytes of payload that are rather copied than sent as a fragment, in copy mode: there each
 * fragment costs the kernel a page of its own (README, "Sending, beside others").
 */
#define COPY_MOST 2048u

/* What a packet in a frame is. */
struct frame {
	uint32_t entry;
	uint16_t length; /* of the payload */
	uint8_t due;	 /* times that it has to come back */
	bool again;	 /* it was refused before */
	bool waited;	 /* for, by the write: what became of it is not counted yet */
};

/* An interface that destinations use. */
struct port {
	struct xp_tx_socket socket;
	struct xp_tx_umem umem;
	uint64_t memory_at;
	uint32_t most; /* bytes of a frame */
	uint32_t careful;
	uint64_t failed; /* number of the write in which it did */
	int error;	 /* and why */
	struct frame frame[FRAMES];
	uint16_t free[FRAMES]; /* the last one is that which was used last */
	uint32_t free_count;
	uint32_t waited;    /* frames */
	uint32_t under_way; /* descriptors that have to come back */
	uint32_t withdrawn; /* descriptors that the kernel still has to skip */
};

struct xsk {
	pthread_rwlock_t lock; /* writes share it; who takes ports away has it alone */
	struct port *port[PORTS];
	uint32_t count;	   /* of them; more come without the lock */
	struct port *last; /* that the write has used */
};

/* Waiting for something that may not come. */
struct patience {
	uint64_t since; /* us, 0: it just came */
	uint32_t pause;
};

/* ---- time ---- */

/* Sleep, longer each time; false: it took longer than `most` us. */
static bool wait_on(struct patience *patience, uint64_t most)
{
	struct timespec t = {0};

	if (!patience->since) {
		patience->since = xp_tx_now_us();
		patience->pause = LEAST_PAUSE_US;
	} else if (xp_tx_now_us() - patience->since > most) {
		return false;
	}
	t.tv_nsec = patience->pause * 1000l;
	nanosleep(&t, NULL);
	if (patience->pause < MOST_PAUSE_US)
		patience->pause *= 2;
	return true;
}

static uint64_t timeout_us(const struct xdplace_tx *tx)
{
	return tx->opts.timeout_ms * 1000ull;
}

/* ---- open and close ---- */

/* Who wants it alone comes before the next write, however close writes follow one another. */
static void make_lock(pthread_rwlock_t *lock)
{
	pthread_rwlockattr_t attr;

	pthread_rwlockattr_init(&attr);
	pthread_rwlockattr_setkind_np(&attr, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
	pthread_rwlock_init(lock, &attr);
	pthread_rwlockattr_destroy(&attr);
}

static int xsk_open(struct xdplace_tx *tx)
{
	struct xsk *xsk = calloc(1, sizeof(*xsk));

	tx->private = xsk;
	tx->destinations = calloc(tx->opts.destinations, sizeof(*tx->destinations));
	tx->entries = calloc(tx->opts.entries, sizeof(*tx->entries));
	tx->job = calloc(1, sizeof(*tx->job));
	if (xsk)
		make_lock(&xsk->lock);
	if (!xsk || !tx->destinations || !tx->entries || !tx->job)
		return xp_fail(ENOMEM, "transmitter: no memory");
	/* Fragments came with Linux 6.6. */
	tx->most = xp_tx_socket_fragments() ? FRAGMENTS * FRAGMENT : XP_TX_CHUNK - HEAD;
	tx->stats.counted = true;
	return 0;
}

static void close_port(struct port *port)
{
	xp_tx_socket_close(&port->socket);
	if (port->umem.start)
		munmap(port->umem.start, port->umem.size);
	free(port);
}

static void xsk_close(struct xdplace_tx *tx)
{
	struct xsk *xsk = tx->private;
	uint32_t i;

	for (i = 0; xsk && i < xsk->count; i++)
		close_port(xsk->port[i]);
	if (xsk)
		pthread_rwlock_destroy(&xsk->lock);
	free(tx->destinations);
	free(tx->entries);
	free(tx->job);
	free(xsk);
	tx->destinations = NULL;
	tx->entries = NULL;
	tx->job = NULL;
	tx->private = NULL;
}

/*
 * Address space that begins at a multiple of huge pages, as does what is behind the frames: memory
 * of huge pages can be mapped nowhere else.
 */
static uint8_t *map_aligned(size_t size)
{
	uint8_t *p, *from;

	p = mmap(NULL, size + HUGE_PAGE, PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (p == MAP_FAILED)
		return NULL;
	from = p + (-(uintptr_t)p & (HUGE_PAGE - 1));
	if (from != p)
		munmap(p, from - p);
	munmap(from + size, p + HUGE_PAGE - from);
	return from;
}

/* Frames, then the memory once more, in one piece of address space. */
static int map_port(const struct xdplace_tx *tx, struct port *port, bool zero_copy)
{
	uint64_t frames = (uint64_t)FRAMES * XP_TX_CHUNK;
	uint64_t chunks = zero_copy ? (uint64_t)CHUNKS * XP_TX_CHUNK : 0;
	size_t size = frames + chunks + tx->memory_size;
	uint8_t *p;

	p = map_aligned(size);
	if (!p)
		return xp_fail(errno, "%s: no memory for frames", port->socket.name);
	port->memory_at = frames + chunks;
	port->umem = (struct xp_tx_umem){p, size, frames, CHUNKS};
	if (mmap(p + port->memory_at, tx->memory_size, PROT_READ | PROT_WRITE,
		 MAP_SHARED | MAP_FIXED, tx->memory_fd, 0) == MAP_FAILED)
		return xp_fail(errno, "%s: map the memory once more: %s", port->socket.name,
			       strerror(errno));
	return 0;
}

static void free_frames(struct port *port)
{
	memset(port->frame, 0, sizeof(port->frame));
	port->waited = port->under_way = port->withdrawn = 0;
	for (port->free_count = 0; port->free_count < FRAMES; port->free_count++)
		port->free[port->free_count] = FRAMES - 1 - port->free_count;
}

static void tell_how(const struct xdplace_tx *tx, const struct xp_tx_socket *s)
{
	char payload[64] = "as fragments";

	if (!s->fragments)
		snprintf(payload, sizeof(payload), "one copy behind the header");
	else if (!s->zero_copy)
		snprintf(payload, sizeof(payload), "as fragments, up to %u bytes copied",
			 COPY_MOST);
	xp_log(&tx->logger, XDPLACE_LOG_INFO,
	       "%s queue %u: AF_XDP, %s; payload %s; UDP checksums made %s", s->name, s->queue,
	       s->zero_copy ? "zero-copy" : "copy mode", payload,
	       s->metadata && s->fragments ? "here for copies, else by kernel or device" : "here");
}

static int open_socket(struct xdplace_tx *tx, struct port *port)
{
	struct xp_tx_socket *s = &port->socket;
	bool zero_copy = port->memory_at > port->umem.fill;
	struct patience patience = {0};
	struct xp_link link;
	int err;

	err = xp_link_by_index(s->ifindex, &link);
	if (err)
		return xp_fail(-err, "%s: %s", s->name, strerror(-err));
	do {
		err = xp_tx_socket_open(s, &port->umem, zero_copy, link.mtu + 22);
	} while (err == -EBUSY && wait_on(&patience, TAKEN_US));
	if (err)
		return err;
	free_frames(port);
	port->most = s->fragments ? FRAGMENTS * FRAGMENT : XP_TX_CHUNK - HEAD;
	tell_how(tx, s);
	return 0;
}

static struct port *find_port(struct xsk *xsk, uint32_t ifindex)
{
	uint32_t i, count = __atomic_load_n(&xsk->count, __ATOMIC_ACQUIRE);

	for (i = 0; i < count; i++)
		if (xsk->port[i]->socket.ifindex == ifindex)
			return xsk->port[i];
	return NULL;
}

/* Of a kernel that does not tell (before 6.3), it is tried. */
static bool may_be_zero_copy(const struct xdplace_tx *tx, uint32_t ifindex)
{
	uint64_t features;

	if (tx->opts.copy)
		return false;
	return xp_link_xdp_features(ifindex, &features) || features & XP_XDP_ZEROCOPY;
}

static bool is_gone(uint32_t ifindex)
{
	struct xp_link link;

	return xp_link_by_index(ifindex, &link) == -ENODEV;
}

/*
 * Ports of interfaces that have gone are closed while no write is in work. Only where there is no
 * place for another one is the end of a write waited for.
 */
static void drop_gone(struct xsk *xsk)
{
	struct port *gone;
	uint32_t i = 0;

	while (i < xsk->count) {
		gone = xsk->port[i];
		if (!is_gone(gone->socket.ifindex)) {
			i++;
			continue;
		}
		if (xsk->count == PORTS ? pthread_rwlock_wrlock(&xsk->lock)
					: pthread_rwlock_trywrlock(&xsk->lock))
			return;
		xsk->port[i] = xsk->port[--xsk->count];
		xsk->last = NULL;
		pthread_rwlock_unlock(&xsk->lock);
		close_port(gone);
	}
}

static int xsk_prepare(struct xdplace_tx *tx, uint32_t ifindex, const char *ifname)
{
	struct xsk *xsk = tx->private;
	struct port *port;
	int err;

	if (find_port(xsk, ifindex))
		return 0;
	/* Or we are in another network namespace, in which there is none of them. */
	if (is_gone(ifindex))
		return xp_fail(ENODEV, "%s: there is no such interface here", ifname);
	drop_gone(xsk);
	if (xsk->count == PORTS)
		return xp_fail(ENOSPC, "%s: %u interfaces are sent through already", ifname, PORTS);
	port = calloc(1, sizeof(*port));
	if (!port)
		return xp_fail(ENOMEM, "%s: no memory for frames", ifname);
	port->socket.fd = -1;
	port->socket.ifindex = ifindex;
	port->socket.queue = tx->opts.queue;
	snprintf(port->socket.name, sizeof(port->socket.name), "%s", ifname);
	err = map_port(tx, port, may_be_zero_copy(tx, ifindex));
	if (!err)
		err = open_socket(tx, port);
	if (err) {
		close_port(port);
		return err;
	}
	xsk->port[xsk->count] = port;
	__atomic_store_n(&xsk->count, xsk->count + 1, __ATOMIC_RELEASE);
	return 0;
}

/* ---- what became of packets ---- */

static void count_taken(struct xdplace_tx *tx, struct port *port, struct frame *frame)
{
	frame->waited = false;
	port->waited--;
	tx->job->packets++;
	tx->job->bytes += frame->length;
	tx->job->retries += frame->again;
}

static void count_failed(struct xdplace_tx *tx, struct port *port, struct frame *frame, int err)
{
	struct xp_tx_destination *d = &tx->destinations[tx->entries[frame->entry].destination];

	frame->waited = false;
	port->waited--;
	d->refused++;
	d->refused_bytes += frame->length;
	tx->job->failed++;
	if (tx->job->error)
		return;
	tx->job->error = err;
	tx->job->at_entry = frame->entry;
}

/* A descriptor is not under way any more. Some kernels forget, others return, what was in part. */
static void landed(struct port *port)
{
	if (port->under_way)
		port->under_way--;
}

/* What came back: frames are free again. What the ring says is not trusted. */
static uint32_t reap(struct xdplace_tx *tx, struct port *port)
{
	struct xp_tx_socket *s = &port->socket;
	uint32_t i, upto = __atomic_load_n(s->done_producer, __ATOMIC_ACQUIRE);
	uint32_t count = upto - s->reaped;
	struct frame *frame;
	uint64_t at;

	for (i = 0; i < count; i++) {
		at = s->done[s->reaped++ & (XP_TX_DONE - 1)];
		if (at == NOWHERE)
			continue;
		landed(port);
		frame = at < FRAMES * XP_TX_CHUNK ? &port->frame[at / XP_TX_CHUNK] : NULL;
		if (!frame || !frame->due || --frame->due)
			continue;
		if (frame->waited)
			count_taken(tx, port, frame);
		port->free[port->free_count++] = at / XP_TX_CHUNK;
	}
	if (count)
		__atomic_store_n(s->done_consumer, s->reaped, __ATOMIC_RELEASE);
	return count;
}

static struct frame *frame_of(struct port *port, uint32_t at)
{
	uint64_t number = xp_tx_desc(&port->socket, at)->addr / XP_TX_CHUNK;

	return number < FRAMES ? &port->frame[number] : NULL;
}

/*
 * What the kernel has not taken of the ring is taken back: descriptors without a length, which the
 * kernel skips at the next call; some kernels say that these came back.
 * Closing the socket would do as well, but its queue is not free
 * before all packets that are still under way have arrived.
 */
static void withdraw(struct xdplace_tx *tx, struct port *port, int err)
{
	struct xp_tx_socket *s = &port->socket;
	struct frame *frame;
	uint32_t at;

	/* Of a packet that it has taken in part, it forgets that part. */
	for (at = s->taken; xp_tx_desc(s, at - 1)->options & XDP_PKT_CONTD; at--)
		;
	for (; at != s->next; at++) {
		frame = frame_of(port, at);
		if (frame && frame->waited) {
			count_failed(tx, port, frame, err);
			if (!--frame->due)
				port->free[port->free_count++] = frame - port->frame;
		}
		*xp_tx_desc(s, at) = (struct xdp_desc){.addr = NOWHERE};
		landed(port);
	}
	s->next = s->told;
	port->withdrawn = s->told - s->taken;
}

/*
 * It can't be sent through this interface any more, in this write. In copy mode what the kernel
 * has taken went to the driver long ago. Where it is not known what it has taken, nothing but
 * closing makes sure that none of the others is sent later.
 */
static int give_up(struct xdplace_tx *tx, struct port *port, int err)
{
	struct xp_tx_socket *s = &port->socket;
	bool closes = s->zero_copy || !s->exact || err == ENXIO || err == ENODEV;
	uint32_t i;

	xp_log(&tx->logger, XDPLACE_LOG_WARN, "%s queue %u: given up for this write: %s", s->name,
	       s->queue, strerror(err));
	withdraw(tx, port, err);
	for (i = 0; port->waited && i < FRAMES; i++) {
		if (!port->frame[i].waited)
			continue;
		if (s->zero_copy)
			count_failed(tx, port, &port->frame[i], err);
		else
			count_taken(tx, port, &port->frame[i]);
	}
	if (closes) {
		xp_tx_socket_close(s);
		free_frames(port);
	}
	port->failed = tx->number;
	port->error = err;
	return -err;
}

/* ---- giving descriptors to the kernel ---- */

static uint32_t packet_end(const struct xp_tx_socket *s, uint32_t at)
{
	while (xp_tx_desc(s, at)->options & XDP_PKT_CONTD)
		at++;
	return at + 1;
}

static uint32_t packet_start(const struct xp_tx_socket *s, uint32_t end)
{
	uint32_t at = end - 1;

	while (xp_tx_desc(s, at - 1)->options & XDP_PKT_CONTD)
		at--;
	return at;
}

/*
 * A call has ended with a packet that the interface did not take. Which? The kernel's position is
 * true after a call that sent something; else it was the first of those it knew.
 */
static uint32_t refused_end(struct xp_tx_socket *s, uint32_t consumer)
{
	if ((int32_t)(consumer - s->taken) > 0)
		return consumer;
	return packet_end(s, s->taken);
}

/*
 * Once more, before all others. Until it is called again, the kernel does not look at descriptors
 * that it has not taken: they can be moved. Its frame comes back for the first try as well.
 */
static void send_again(struct port *port, uint32_t start, uint32_t end)
{
	struct xp_tx_socket *s = &port->socket;
	struct frame *frame = frame_of(port, start);
	struct xdp_desc packet[1 + FRAGMENTS];
	uint32_t count = end - start, i;

	for (i = 0; i < count; i++)
		packet[i] = *xp_tx_desc(s, start + i);
	frame->due++;
	frame->again = true;
	for (i = s->next; i != end; i--)
		*xp_tx_desc(s, i - 1 + count) = *xp_tx_desc(s, i - 1);
	for (i = 0; i < count; i++)
		*xp_tx_desc(s, end + i) = packet[i];
	s->next += count;
	port->under_way += count;
}

/* The first of the call that stands for one that was lost; there is one more to be found. */
static void fail_one(struct xdplace_tx *tx, struct port *port)
{
	struct xp_tx_socket *s = &port->socket;
	struct frame *frame;
	uint32_t at;

	for (at = s->taken; at != s->told; at = packet_end(s, at)) {
		frame = frame_of(port, at);
		if (!frame->waited)
			continue;
		count_failed(tx, port, frame, ENOBUFS);
		return;
	}
}

/*
 * Were packets before it taken? Where it can't be known which packet it was, before
 * Linux 6.17, the first of the call stands for it, it is not sent again, and the following ones
 * are sent one by one.
 */
static bool refused(struct xdplace_tx *tx, struct port *port, uint32_t consumer)
{
	struct xp_tx_socket *s = &port->socket;
	uint32_t before = s->taken, start;

	if (!s->exact && s->told != packet_end(s, s->taken)) {
		port->careful = CAREFUL;
		fail_one(tx, port);
		return true;
	}
	port->careful = s->exact ? 0 : CAREFUL;
	s->taken = refused_end(s, consumer);
	start = packet_start(s, s->taken);
	send_again(port, start, s->taken);
	return start != before;
}

/* Nothing worse than that there is no room at the moment? */
static bool is_full(int err)
{
	return !err || err == -EAGAIN || err == -EBUSY || err == -ENOBUFS || err == -ENOMEM ||
	       err == -EINTR;
}

static void tell(struct port *port)
{
	struct xp_tx_socket *s = &port->socket;

	if (port->careful && s->told == s->taken && !s->zero_copy) {
		port->careful--;
		xp_tx_socket_tell(s, packet_end(s, s->taken));
	} else if (!port->careful || s->zero_copy) {
		xp_tx_socket_tell(s, s->next);
	}
}

/* One call: does it go on? *err: what it answered. */
static bool call(struct xdplace_tx *tx, struct port *port, int *err)
{
	struct xp_tx_socket *s = &port->socket;
	uint32_t before = s->taken, consumer;

	tx->stats.calls++;
	*err = xp_tx_socket_call(s);
	consumer = __atomic_load_n(s->consumer, __ATOMIC_ACQUIRE);
	if (*err == -EBUSY && !s->zero_copy)
		return refused(tx, port, consumer);
	if ((int32_t)(consumer - s->taken) > 0 && (int32_t)(s->told - consumer) >= 0)
		s->taken = consumer;
	return s->taken != before;
}

/* Until the kernel has taken all descriptors; in zero-copy mode: knows them. */
static int push(struct xdplace_tx *tx, struct port *port)
{
	struct xp_tx_socket *s = &port->socket;
	struct patience patience = {0};
	bool goes_on;
	int err;

	while (s->taken != s->next) {
		tell(port);
		if (s->zero_copy && !xp_tx_socket_wants_call(s))
			return 0;
		goes_on = call(tx, port, &err);
		if (!is_full(err)) {
			reap(tx, port);
			return give_up(tx, port, -err);
		}
		goes_on |= reap(tx, port) > 0 && err != -EBUSY;
		if (s->zero_copy && !err)
			return 0;
		if (goes_on)
			patience.since = 0;
		else if (!wait_on(&patience, timeout_us(tx)))
			return give_up(tx, port, ENOBUFS);
	}
	return 0;
}

static bool has_room(const struct port *port, uint32_t pieces)
{
	const struct xp_tx_socket *s = &port->socket;

	return port->free_count && s->next - s->taken + pieces <= XP_TX_RING &&
	       port->under_way + pieces <= XP_TX_DONE;
}

/* Until all is pushed, and there is room for a packet; 0 pieces: until all packets are back. */
static int make_room(struct xdplace_tx *tx, struct port *port, uint32_t pieces)
{
	struct xp_tx_socket *s = &port->socket;
	struct patience patience = {0};
	int err;

	for (;;) {
		err = push(tx, port);
		if (err)
			return err;
		if (reap(tx, port))
			patience.since = 0;
		if (s->zero_copy)
			s->taken = __atomic_load_n(s->consumer, __ATOMIC_ACQUIRE);
		if (has_room(port, pieces) && (pieces || !port->waited))
			return 0;
		if (!wait_on(&patience, timeout_us(tx)))
			return give_up(tx, port, ETIMEDOUT);
	}
}

/* ---- a packet ---- */

/* Sums of words with the carries added at the end, as xp_tx_sum(), some words at a time. */
static uint64_t sum_payload(const uint8_t *p, uint32_t bytes)
{
	uint64_t sum[4] = {0}, word[4];
	uint32_t i;

	for (; bytes >= sizeof(word); p += sizeof(word), bytes -= sizeof(word)) {
		memcpy(word, p, sizeof(word));
		for (i = 0; i < 4; i++)
			sum[i] += (word[i] & 0xffffffff) + (word[i] >> 32);
	}
	return sum[0] + sum[1] + sum[2] + sum[3] + xp_tx_sum(p, bytes);
}

/* Descriptors of so many bytes of memory. In zero-copy mode pages may lie apart. */
static uint32_t fragment(const struct port *port, uint64_t at, uint32_t left)
{
	uint32_t most = port->socket.zero_copy ? XP_TX_CHUNK - at % XP_TX_CHUNK : FRAGMENT;

	return left < most ? left : most;
}

static uint32_t fragments(const struct port *port, uint64_t at, uint32_t length)
{
	uint32_t count = 0, n;

	for (; length; length -= n, at += n, count++)
		n = fragment(port, at, length);
	return count;
}

static bool is_copied(const struct port *port, uint32_t length)
{
	return !port->socket.fragments || (length <= COPY_MOST && !port->socket.zero_copy);
}

static void put(struct port *port, uint64_t at, uint32_t length, uint32_t options)
{
	*xp_tx_desc(&port->socket, port->socket.next++) = (struct xdp_desc){at, length, options};
	port->under_way++;
}

/* The kernel or the device finishes the checksum, of which the pseudo-header's is the beginning. */
static void leave_checksum(uint8_t *packet, const struct xp_tx_face *face)
{
	struct xp_tx_metadata *metadata = (struct xp_tx_metadata *)packet - 1;
	uint8_t *udp = packet + face->l4;
	uint16_t length, check;
	uint64_t sum;

	memcpy(&length, udp + 4, sizeof(length));
	sum = bpf_htonl(17) + length;
	sum += face->flags & XP_TX_V6 ? xp_tx_sum(packet + face->l3 + 8, 32)
				      : xp_tx_sum(packet + face->l3 + 12, 8);
	check = xp_fold(sum);
	memcpy(udp + 6, &check, sizeof(check));
	*metadata = (struct xp_tx_metadata){
		.flags = XDP_TXMD_FLAGS_CHECKSUM,
		.csum_start = face->l4,
		.csum_offset = 6,
	};
}

static void make(struct xdplace_tx *tx, struct port *port, const struct xp_tx_face *face,
		 const struct xp_tx_packet *p, const struct xp_tx_entry *e)
{
	uint32_t number = port->free[--port->free_count], length = p->length, n;
	uint32_t head = face->front + length <= HEADS_ROOM ? HEAD * (1 + number % HEADS) : HEAD;
	uint64_t frame_at = (uint64_t)number * XP_TX_CHUNK + head, at = port->memory_at + p->at;
	uint8_t *packet = (uint8_t *)port->umem.start + frame_at;
	bool copied = is_copied(port, length), summed = !(face->flags & XP_TX_NO_CHECKSUM), left;
	uint64_t sum = 0;

	left = summed && !copied && port->socket.metadata;
	memcpy(packet, face->block, XP_TX_BLOCK);
	if (copied)
		memcpy(packet + face->front, tx->memory + p->at, length);
	if (summed && !left)
		sum = sum_payload(copied ? packet + face->front : tx->memory + p->at, length);
	xp_tx_patch(packet + face->l3, packet + face->l4, face, p, e->timestamp,
		    p->last & e->flags & XP_TX_MARKER, sum);
	if (left)
		leave_checksum(packet, face);
	port->frame[number] = (struct frame){p->entry, length, .due = 1, .waited = true};
	port->waited++;
	if (copied || !length) {
		put(port, frame_at, face->front + length, 0);
		return;
	}
	put(port, frame_at, face->front, XDP_PKT_CONTD | (left ? XDP_TX_METADATA : 0));
	for (; length; length -= n, at += n) {
		n = fragment(port, at, length);
		put(port, at, n, n < length ? XDP_PKT_CONTD : 0);
	}
}

/* ---- write ---- */

/* The destination can't be sent to: its entries are left as they are. */
static void leave(struct xdplace_tx *tx, struct xp_tx_entry *e, int err)
{
	e->error = err;
	xp_tx_leave(tx->entries, tx->job, e);
}

/*
 * Descriptors that were withdrawn are skipped, one with each call; none of them is ever seen to
 * be taken before the last is.
 */
static int skip_withdrawn(struct xdplace_tx *tx, struct port *port)
{
	struct xp_tx_socket *s = &port->socket;
	uint32_t i;
	int err;

	for (i = 0; i < port->withdrawn + 2; i++) {
		tx->stats.calls++;
		err = xp_tx_socket_call(s);
		if (!is_full(err))
			return err;
		if (__atomic_load_n(s->consumer, __ATOMIC_ACQUIRE) == s->told)
			break;
	}
	if (i == port->withdrawn + 2)
		return -ENOBUFS;
	s->taken = s->told;
	port->withdrawn = 0;
	return 0;
}

/* After it failed in an earlier write. */
static int revive(struct xdplace_tx *tx, struct port *port)
{
	int err = 0;

	if (port->withdrawn)
		err = skip_withdrawn(tx, port);
	if (err == -ENXIO || err == -ENODEV) {
		xp_tx_socket_close(&port->socket);
		err = 0;
	}
	if (!err && port->socket.fd < 0)
		err = open_socket(tx, port);
	port->failed = err ? tx->number : 0;
	port->error = -err;
	return err;
}

/* The interface's, if it can be sent through; NULL: *err. */
static struct port *working_port(struct xdplace_tx *tx, uint32_t ifindex, int *err)
{
	struct xsk *xsk = tx->private;
	struct port *port = xsk->last;

	if (!port || port->socket.ifindex != ifindex)
		port = find_port(xsk, ifindex);
	*err = ENODEV;
	if (!port)
		return NULL;
	xsk->last = port;
	if (port->failed && port->failed != tx->number)
		revive(tx, port);
	*err = port->error;
	return *err ? NULL : port;
}

/* The face in use, as one that nobody changes any more. */
static void copy_face(const struct xp_tx_destination *d, struct xp_tx_face *face)
{
	uint32_t active;

	do {
		active = __atomic_load_n(&d->active, __ATOMIC_ACQUIRE);
		memcpy(face, &d->face[active & 1], sizeof(*face));
		__atomic_thread_fence(__ATOMIC_ACQUIRE);
	} while (__atomic_load_n(&d->active, __ATOMIC_RELAXED) != active);
}

static bool is_room_now(const struct port *port, uint32_t pieces)
{
	const struct xp_tx_socket *s = &port->socket;

	return s->next - s->told + pieces <= s->per_call && has_room(port, pieces);
}

/*
 * The next packet, of the entry whose turn it is. Where there is no room, that is made, and the
 * packet later: its face may be another one by then.
 */
static void next(struct xdplace_tx *tx)
{
	struct xp_tx_entry *e = &tx->entries[tx->job->at];
	struct xp_tx_destination *d = &tx->destinations[e->destination];
	struct xp_tx_face face;
	struct xp_tx_packet p;
	struct port *port;
	uint32_t room, pieces = 1;
	int err = 0;

	copy_face(d, &face);
	if (face.error || !face.room || face.front > XP_TX_BLOCK)
		return leave(tx, e, face.error ?: EINVAL);
	port = working_port(tx, face.ifindex, &err);
	if (!port)
		return leave(tx, e, err);
	room = face.room < port->most - face.front ? face.room : port->most - face.front;
	p = (struct xp_tx_packet){
		.at = e->at,
		.entry = tx->job->at,
		.ifindex = face.ifindex,
		.length = e->left < room ? e->left : room,
		.id = d->id,
		.sequence = d->sequence,
	};
	p.last = p.length == e->left;
	if (!is_copied(port, p.length))
		pieces += fragments(port, port->memory_at + p.at, p.length);
	if (!is_room_now(port, pieces)) {
		err = make_room(tx, port, pieces);
		if (err)
			leave(tx, e, -err);
		return;
	}
	make(tx, port, &face, &p, e);
	d->id++;
	d->sequence++;
	d->packets++;
	d->bytes += p.length;
	xp_tx_advance(tx->entries, tx->job, e, p.length, d->weight);
}

static int xsk_write(struct xdplace_tx *tx, uint64_t packets, uint32_t frame)
{
	struct xsk *xsk = tx->private;
	uint32_t i;

	pthread_rwlock_rdlock(&xsk->lock);
	while (tx->job->ring)
		next(tx);
	for (i = 0; i < __atomic_load_n(&xsk->count, __ATOMIC_ACQUIRE); i++)
		if (xsk->port[i]->waited)
			make_room(tx, xsk->port[i], 0);
	pthread_rwlock_unlock(&xsk->lock);
	xp_tx_complete(tx, 0);
	return 0;
}

const struct xp_tx_engine xp_tx_xsk = {
	.id = XDPLACE_TX_XSK,
	.open = xsk_open,
	.close = xsk_close,
	.prepare = xsk_prepare,
	.write = xsk_write,
};
