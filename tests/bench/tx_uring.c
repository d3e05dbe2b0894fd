/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * tx_uring.c - the peer io-uring-zc: io_uring's send without a copy, from registered memory.
 *
 * In: the traffic. Out: packets whose completion says that all of them was sent. As fast as it
 * goes: one system call for 256 packets, and nobody but this thread uses the ring, which the
 * kernel is told.
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tx.h"

#if __has_include(<liburing.h>)
#include <liburing.h>

#define BATCH 256u
#define COMPLETIONS 8192u
#define MOST_WAITING 4096u
#define SEND_BUFFER (64 << 20)

struct tx_uring {
	struct io_uring ring;
	int fd;
	bool connected;
	uint64_t results; /* that are to come */
	uint64_t notices; /* that are to come: the memory is the kernel's still */
	int error;
	struct tx_cursor cursor;
	struct sockaddr_in address[TX_DESTINATIONS_MAX];
};

static int open_socket(struct tx_uring *uring)
{
	const int buffer = SEND_BUFFER;

	uring->fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (uring->fd < 0 ||
	    setsockopt(uring->fd, SOL_SOCKET, SO_SNDBUFFORCE, &buffer, sizeof(buffer)))
		return -errno;
	if (uring->connected &&
	    connect(uring->fd, (const void *)&uring->address[0], sizeof(uring->address[0])))
		return -errno;
	return 0;
}

static int open_ring(struct tx_uring *uring)
{
	struct io_uring_params params = {
		.flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN |
			 IORING_SETUP_CQSIZE,
		.cq_entries = COMPLETIONS,
	};
	struct iovec memory;
	uint32_t size;
	int err;

	memory.iov_base = tx_data(&size);
	memory.iov_len = size;
	err = io_uring_queue_init_params(BATCH, &uring->ring, &params);
	if (err)
		return err;
	err = io_uring_register_buffers(&uring->ring, &memory, 1);
	if (err)
		io_uring_queue_exit(&uring->ring);
	return err;
}

static int uring_open(struct tx_system *system, const struct tx_traffic *traffic)
{
	struct tx_uring *uring = calloc(1, sizeof(*uring));
	uint32_t i;
	int err;

	if (!uring)
		return -ENOMEM;
	system->uring = uring;
	uring->connected = traffic->destinations == 1;
	tx_begin(&uring->cursor, traffic);
	for (i = 0; i < traffic->destinations; i++)
		uring->address[i] = tx_address(i);
	err = open_socket(uring);
	if (!err)
		err = open_ring(uring);
	if (!err)
		return 0;
	if (uring->fd >= 0)
		close(uring->fd);
	free(uring);
	return err;
}

static void uring_close(struct tx_system *system)
{
	io_uring_queue_exit(&system->uring->ring);
	close(system->uring->fd);
	free(system->uring);
}

/* Each send has a result, and if that says so a notice later. */
static void take(struct tx_system *system, const struct io_uring_cqe *cqe)
{
	struct tx_uring *uring = system->uring;

	if (cqe->flags & IORING_CQE_F_NOTIF) {
		uring->notices--;
		return;
	}
	uring->results--;
	uring->notices += !!(cqe->flags & IORING_CQE_F_MORE);
	if (cqe->res == (int)uring->cursor.traffic.size)
		system->sent++;
	else
		uring->error = cqe->res < 0 ? cqe->res : -EMSGSIZE;
}

static void take_all(struct tx_system *system)
{
	struct io_uring *ring = &system->uring->ring;
	struct io_uring_cqe *cqe;
	unsigned int head, count = 0;

	io_uring_for_each_cqe(ring, head, cqe)
	{
		take(system, cqe);
		count++;
	}
	io_uring_cq_advance(ring, count);
}

static void fill(struct tx_uring *uring)
{
	struct io_uring_sqe *sqe;
	uint32_t i, destination;
	uint8_t *payload;

	for (i = 0; i < BATCH; i++) {
		destination = tx_next(&uring->cursor, &payload);
		sqe = io_uring_get_sqe(&uring->ring);
		io_uring_prep_send_zc_fixed(sqe, uring->fd, payload, uring->cursor.traffic.size, 0,
					    0, 0);
		if (!uring->connected)
			io_uring_prep_send_set_addr(sqe, (const void *)&uring->address[destination],
						    sizeof(uring->address[0]));
	}
	uring->results += BATCH;
}

static int uring_send(struct tx_system *system)
{
	struct tx_uring *uring = system->uring;
	int err;

	fill(uring);
	do {
		err = io_uring_submit_and_wait(&uring->ring, BATCH);
		take_all(system);
	} while (err >= 0 && !uring->error && uring->results + uring->notices > MOST_WAITING);
	return err < 0 ? err : uring->error;
}

static int uring_finish(struct tx_system *system)
{
	struct tx_uring *uring = system->uring;
	int err = 0;

	while (err >= 0 && uring->results + uring->notices) {
		err = io_uring_submit_and_wait(&uring->ring, 1);
		take_all(system);
	}
	return err < 0 ? err : uring->error;
}

const struct tx_ops tx_uring_ops = {
	.open = uring_open,
	.close = uring_close,
	.send = uring_send,
	.finish = uring_finish,
};

#else /* without liburing */

static int uring_open(struct tx_system *system, const struct tx_traffic *traffic)
{
	snprintf(system->why, sizeof(system->why),
		 "it was not built: liburing.h is missing (scripts/dependencies.sh bench)");
	return -ENOTSUP;
}

const struct tx_ops tx_uring_ops = {.open = uring_open};

#endif
