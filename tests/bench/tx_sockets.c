/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * tx_sockets.c - the peers sendmmsg, udp-gso and msg-zerocopy: one UDP socket of the kernel's.
 *
 * In: the traffic. Out: packets that the system call took. As fast as a socket goes: 256 messages
 * a call, no call for an address where there is only one destination, notifications of zero copy
 * read for many messages at once.
 */
#include <errno.h>
#include <time.h>
#include <linux/errqueue.h>
#include <linux/udp.h>
#include <netinet/ip.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tx.h"

#define MESSAGES 256u
#define SEND_BUFFER (64 << 20)
#define NOTICES 16u
#define FINISH_SECONDS 1.0

struct tx_sockets {
	int fd;
	bool connected;
	bool zero_copy;
	uint32_t segments; /* packets in a message */
	uint32_t flags;
	uint64_t waiting; /* messages whose memory is the kernel's still */
	struct tx_cursor cursor;
	struct sockaddr_in address[TX_DESTINATIONS_MAX];
	struct mmsghdr message[MESSAGES];
	struct iovec piece[MESSAGES];
};

/* ---- the socket ---- */

static int set(int fd, int level, int name, int value)
{
	return setsockopt(fd, level, name, &value, sizeof(value)) ? -errno : 0;
}

static int set_up(struct tx_sockets *sockets, const struct tx_traffic *traffic)
{
	int err;

	sockets->fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (sockets->fd < 0)
		return -errno;
	err = set(sockets->fd, SOL_SOCKET, SO_SNDBUFFORCE, SEND_BUFFER);
	if (!err && sockets->zero_copy)
		err = set(sockets->fd, SOL_SOCKET, SO_ZEROCOPY, 1);
	if (!err && sockets->segments > 1)
		err = set(sockets->fd, IPPROTO_UDP, UDP_SEGMENT, traffic->size);
	if (!err && sockets->connected &&
	    connect(sockets->fd, (const void *)&sockets->address[0], sizeof(sockets->address[0])))
		err = -errno;
	return err;
}

static void sockets_close(struct tx_system *system)
{
	if (system->sockets->fd >= 0)
		close(system->sockets->fd);
	free(system->sockets);
}

static int sockets_open(struct tx_system *system, const struct tx_traffic *traffic)
{
	struct tx_sockets *sockets = calloc(1, sizeof(*sockets));
	uint32_t i;
	int err;

	if (!sockets)
		return -ENOMEM;
	system->sockets = sockets;
	sockets->connected = traffic->destinations == 1;
	sockets->segments = system->segments ? traffic->burst : 1;
	sockets->zero_copy = system->zero_copy;
	sockets->flags = system->zero_copy ? MSG_ZEROCOPY : 0;
	tx_begin(&sockets->cursor, traffic);
	for (i = 0; i < traffic->destinations; i++)
		sockets->address[i] = tx_address(i);
	err = set_up(sockets, traffic);
	if (err)
		sockets_close(system);
	return err;
}

/* ---- notifications of zero copy ---- */

/* A notice tells of a range of messages: linux/errqueue.h. */
static void take_notice(struct tx_sockets *sockets, struct msghdr *message)
{
	struct cmsghdr *part;
	struct sock_extended_err error;

	for (part = CMSG_FIRSTHDR(message); part; part = CMSG_NXTHDR(message, part)) {
		if (part->cmsg_level != SOL_IP || part->cmsg_type != IP_RECVERR)
			continue;
		memcpy(&error, CMSG_DATA(part), sizeof(error));
		if (error.ee_origin == SO_EE_ORIGIN_ZEROCOPY)
			sockets->waiting -= (uint64_t)error.ee_data - error.ee_info + 1;
	}
}

static int take_notices(struct tx_sockets *sockets)
{
	struct mmsghdr message[NOTICES];
	char control[NOTICES][128];
	int i, count;

	memset(message, 0, sizeof(message));
	for (i = 0; i < (int)NOTICES; i++) {
		message[i].msg_hdr.msg_control = control[i];
		message[i].msg_hdr.msg_controllen = sizeof(control[i]);
	}
	count = recvmmsg(sockets->fd, message, NOTICES, MSG_ERRQUEUE | MSG_DONTWAIT, NULL);
	for (i = 0; i < count; i++)
		take_notice(sockets, &message[i].msg_hdr);
	return count;
}

/* ---- sending ---- */

static void fill(struct tx_sockets *sockets)
{
	size_t len = (size_t)sockets->cursor.traffic.size * sockets->segments;
	struct msghdr *header;
	uint32_t i, destination;
	uint8_t *payload;

	for (i = 0; i < MESSAGES; i++) {
		destination = sockets->segments > 1 ? tx_next_burst(&sockets->cursor, &payload)
						    : tx_next(&sockets->cursor, &payload);
		header = &sockets->message[i].msg_hdr;
		sockets->piece[i] = (struct iovec){payload, len};
		header->msg_iov = &sockets->piece[i];
		header->msg_iovlen = 1;
		if (sockets->connected)
			continue;
		header->msg_name = &sockets->address[destination];
		header->msg_namelen = sizeof(sockets->address[0]);
	}
}

/* ENOBUFS: too many messages are waiting for their notices. */
static int send_from(struct tx_sockets *sockets, uint32_t at)
{
	int count = sendmmsg(sockets->fd, sockets->message + at, MESSAGES - at, sockets->flags);

	if (count >= 0)
		return count;
	if (errno != ENOBUFS || !sockets->zero_copy)
		return -errno;
	take_notices(sockets);
	return 0;
}

static int sockets_send(struct tx_system *system)
{
	struct tx_sockets *sockets = system->sockets;
	uint32_t at = 0;
	int count;

	fill(sockets);
	while (at < MESSAGES) {
		count = send_from(sockets, at);
		if (count < 0)
			return count;
		at += count;
		system->sent += (uint64_t)count * sockets->segments;
		if (!sockets->zero_copy)
			continue;
		sockets->waiting += count;
		take_notices(sockets);
	}
	return 0;
}

static int sockets_finish(struct tx_system *system)
{
	struct tx_sockets *sockets = system->sockets;
	double until = bench_now() + FINISH_SECONDS;

	while (sockets->waiting && bench_now() < until)
		if (take_notices(sockets) <= 0)
			usleep(10);
	return sockets->waiting ? -ETIMEDOUT : 0;
}

const struct tx_ops tx_socket_ops = {
	.open = sockets_open,
	.close = sockets_close,
	.send = sockets_send,
	.finish = sockets_finish,
};
