/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * tx_xsk.c - the peer afxdp: an AF_XDP socket in copy mode, as it is usually written, well.
 *
 * In: the traffic. Out: frames that the kernel gave back. Each packet is made in a frame of the
 * UMEM: a header that was prepared for its destination, and the payload, copied. As fast as this
 * way goes: batches of as many descriptors as one call of sendto() takes in copy mode (32), frames
 * given back are the next to be used, so that few of them are in use and those in the cache, huge
 * pages where there are some, no call while the kernel does not want one. A packet that is longer
 * than a frame is sent in several (XDP_USE_SG, Linux 6.6).
 */
#include <errno.h>
#include <linux/if_xdp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include <xdp/xsk.h>

#include "tx.h"

#define FRAME 2048u
#define FRAME_LONG 4096u
#define FRAMES 4096u
#define UMEM ((size_t)FRAME_LONG * FRAMES)
#define BATCH 32u
#define RING 2048u
#define FINISH_SECONDS 1.0

/* linux/if_xdp.h of 6.6 */
#ifndef XDP_USE_SG
#define XDP_USE_SG (1 << 4)
#endif
#ifndef XDP_PKT_CONTD
#define XDP_PKT_CONTD (1 << 0)
#endif

struct tx_xsk {
	struct xsk_ring_prod fill;
	struct xsk_ring_cons completion;
	struct xsk_ring_cons rx;
	struct xsk_ring_prod tx;
	struct xsk_umem *umem;
	struct xsk_socket *socket;
	uint8_t *memory;
	uint32_t frame;	       /* bytes of each */
	uint32_t pieces;       /* frames of a packet */
	uint32_t per_batch;    /* packets */
	uint64_t free[FRAMES]; /* the last is the one that was used last */
	uint32_t free_count;
	uint64_t returned; /* frames */
	struct tx_cursor cursor;
	bool checksum;
	uint64_t pseudo[TX_DESTINATIONS_MAX];
	uint8_t header[TX_DESTINATIONS_MAX][TX_HEADERS];
};

/* ---- opening ---- */

static int open_umem(struct tx_xsk *xsk)
{
	const struct xsk_umem_config config = {
		.fill_size = RING,
		.comp_size = RING,
		.frame_size = xsk->frame,
	};

	xsk->memory = mmap(NULL, UMEM, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (xsk->memory == MAP_FAILED)
		return -errno;
	madvise(xsk->memory, UMEM, MADV_HUGEPAGE);
	memset(xsk->memory, 0, UMEM);
	return xsk_umem__create(&xsk->umem, xsk->memory, (uint64_t)xsk->frame * FRAMES, &xsk->fill,
				&xsk->completion, &config);
}

static int open_socket(struct tx_xsk *xsk)
{
	const struct xsk_socket_config config = {
		.rx_size = RING,
		.tx_size = RING,
		.libxdp_flags = XSK_LIBXDP_FLAGS__INHIBIT_PROG_LOAD,
		.bind_flags = XDP_COPY | XDP_USE_NEED_WAKEUP | (xsk->pieces > 1 ? XDP_USE_SG : 0),
	};

	return xsk_socket__create(&xsk->socket, TX_NEAR, 0, xsk->umem, &xsk->rx, &xsk->tx, &config);
}

static void xsk_close(struct tx_system *system)
{
	struct tx_xsk *xsk = system->xsk;

	if (xsk->socket)
		xsk_socket__delete(xsk->socket);
	if (xsk->umem)
		xsk_umem__delete(xsk->umem);
	if (xsk->memory != MAP_FAILED)
		munmap(xsk->memory, UMEM);
	free(xsk);
}

static int xsk_open(struct tx_system *system, const struct tx_traffic *traffic)
{
	struct tx_xsk *xsk = calloc(1, sizeof(*xsk));
	uint32_t len = TX_HEADERS + traffic->size;
	uint32_t i;
	int err;

	if (!xsk)
		return -ENOMEM;
	system->xsk = xsk;
	xsk->frame = len > FRAME ? FRAME_LONG : FRAME;
	xsk->pieces = (len + xsk->frame - 1) / xsk->frame;
	xsk->per_batch = BATCH / xsk->pieces;
	tx_begin(&xsk->cursor, traffic);
	xsk->checksum = system->checksum;
	for (i = 0; i < traffic->destinations; i++) {
		tx_header(xsk->header[i], i, traffic->size);
		xsk->pseudo[i] = tx_pseudo_sum(xsk->header[i], traffic->size);
	}
	while (xsk->free_count < FRAMES) {
		xsk->free[xsk->free_count] = (uint64_t)xsk->frame * xsk->free_count;
		xsk->free_count++;
	}
	err = open_umem(xsk);
	if (!err)
		err = open_socket(xsk);
	if (err)
		xsk_close(system);
	return err;
}

/* ---- sending ---- */

static void take_back(struct tx_xsk *xsk)
{
	uint32_t at, i;
	uint32_t count = xsk_ring_cons__peek(&xsk->completion, RING, &at);

	for (i = 0; i < count; i++)
		xsk->free[xsk->free_count++] = *xsk_ring_cons__comp_addr(&xsk->completion, at + i);
	xsk_ring_cons__release(&xsk->completion, count);
	xsk->returned += count;
}

/* What it says of one queue that is full for now is not an error: the next call goes on. */
static int kick(struct tx_xsk *xsk)
{
	if (!xsk_ring_prod__needs_wakeup(&xsk->tx))
		return 0;
	if (sendto(xsk_socket__fd(xsk->socket), NULL, 0, MSG_DONTWAIT, NULL, 0) >= 0 ||
	    errno == EAGAIN || errno == EBUSY || errno == ENOBUFS)
		return 0;
	return -errno;
}

/* Zero would mean that there is none (RFC 768). */
static void write_checksum(struct tx_xsk *xsk, uint32_t destination, uint8_t *frame,
			   const uint8_t *payload)
{
	uint16_t sum = ~bench_checksum(payload, xsk->cursor.traffic.size, xsk->pseudo[destination]);

	if (!sum)
		sum = 0xffff;
	memcpy(frame + TX_HEADERS - sizeof(sum), &sum, sizeof(sum));
}

static void write_packet(struct tx_xsk *xsk, uint32_t at)
{
	uint32_t left = xsk->cursor.traffic.size;
	uint32_t room = xsk->frame - TX_HEADERS;
	uint32_t offset = TX_HEADERS;
	struct xdp_desc *desc;
	uint8_t *payload, *frame;
	uint32_t destination = tx_next(&xsk->cursor, &payload);
	uint32_t i, len;

	for (i = 0; i < xsk->pieces; i++) {
		desc = xsk_ring_prod__tx_desc(&xsk->tx, at + i);
		desc->addr = xsk->free[--xsk->free_count];
		frame = xsk->memory + desc->addr;
		len = left < room ? left : room;
		if (!i)
			memcpy(frame, xsk->header[destination], TX_HEADERS);
		if (!i && xsk->checksum)
			write_checksum(xsk, destination, frame, payload);
		memcpy(frame + offset, payload, len);
		desc->len = offset + len;
		left -= len;
		desc->options = left ? XDP_PKT_CONTD : 0;
		payload += len;
		offset = 0;
		room = xsk->frame;
	}
}

static int xsk_send(struct tx_system *system)
{
	struct tx_xsk *xsk = system->xsk;
	uint32_t frames = xsk->per_batch * xsk->pieces;
	uint32_t at, i;
	int err = 0;

	while (!err && (xsk->free_count < frames ||
			xsk_ring_prod__reserve(&xsk->tx, frames, &at) != frames)) {
		err = kick(xsk);
		take_back(xsk);
	}
	if (err)
		return err;
	for (i = 0; i < xsk->per_batch; i++)
		write_packet(xsk, at + i * xsk->pieces);
	xsk_ring_prod__submit(&xsk->tx, frames);
	err = kick(xsk);
	take_back(xsk);
	system->sent = xsk->returned / xsk->pieces;
	return err;
}

static int xsk_finish(struct tx_system *system)
{
	struct tx_xsk *xsk = system->xsk;
	double until = bench_now() + FINISH_SECONDS;
	int err = 0;

	while (!err && xsk->free_count < FRAMES && bench_now() < until) {
		err = kick(xsk);
		take_back(xsk);
	}
	system->sent = xsk->returned / xsk->pieces;
	if (!err && xsk->free_count < FRAMES)
		err = -ETIMEDOUT;
	return err;
}

const struct tx_ops tx_xsk_ops = {
	.open = xsk_open,
	.close = xsk_close,
	.send = xsk_send,
	.finish = xsk_finish,
};
