/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * tx_paced_sockets.c - paced streams by the kernel's sockets.
 *
 * In: streams that are due one after the other at even distances. Out: their packets: either all
 * that are due by one sendmmsg() whenever a timer rings, or a little ahead, each stream by a
 * socket of its own whose packets fq holds back (SO_MAX_PACING_RATE).
 */
#include <errno.h>
#include <math.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "tx.h"

#define MESSAGES 256u
#define FQ "tc qdisc replace dev " TX_NEAR " root fq limit 20000 flow_limit 200"

static int fds[TX_STREAMS]; /* one for all, or one each */
static uint32_t fd_count;

/* Why a command failed is its last line. */
static int run_command(struct tx_paced *paced, const char *command)
{
	char line[160] = "";
	FILE *pipe;

	snprintf(line, sizeof(line), "%s 2>&1", command);
	pipe = popen(line, "re");
	if (!pipe)
		return -errno;
	*line = 0;
	while (fgets(line, sizeof(line), pipe))
		line[strcspn(line, "\n")] = 0;
	if (!pclose(pipe))
		return 0;
	snprintf(paced->why, sizeof(paced->why), "%s: %.140s", command, line);
	return -ENOTSUP;
}

/* With its headers, as fq counts. */
static int open_stream(uint32_t stream)
{
	const unsigned int rate = (TX_STREAM_SIZE + TX_HEADERS) / TX_STREAM_GAP;
	const struct sockaddr_in to = tx_address(stream);
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -errno;
	fds[fd_count++] = fd;
	if (setsockopt(fd, SOL_SOCKET, SO_MAX_PACING_RATE, &rate, sizeof(rate)) ||
	    connect(fd, (const void *)&to, sizeof(to)))
		return -errno;
	return 0;
}

int tx_paced_open_sockets(struct tx_paced *paced)
{
	int err = 0;

	if (!paced->kernel) {
		fds[0] = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
		fd_count = fds[0] >= 0;
		return fd_count ? 0 : -errno;
	}
	err = run_command(paced, FQ);
	while (!err && fd_count < TX_STREAMS)
		err = open_stream(fd_count);
	return err;
}

void tx_paced_close_sockets(struct tx_paced *paced)
{
	struct tx_paced unused;

	while (fd_count)
		close(fds[--fd_count]);
	if (paced->kernel)
		run_command(&unused, "tc qdisc del dev " TX_NEAR " root");
}

/* Packet `number` of all streams, in the order in which they are due. */
static void fill(struct mmsghdr *message, struct iovec *piece, struct sockaddr_in *to,
		 uint64_t number)
{
	uint32_t size;
	uint32_t stream = number % TX_STREAMS;

	*piece = (struct iovec){tx_data(&size) + stream * TX_DATA, TX_STREAM_SIZE};
	*to = tx_address(stream);
	message->msg_hdr = (struct msghdr){
		.msg_name = to, .msg_namelen = sizeof(*to), .msg_iov = piece, .msg_iovlen = 1};
}

static int send_together(struct tx_paced *paced, uint32_t count)
{
	struct mmsghdr message[MESSAGES];
	struct iovec piece[MESSAGES];
	struct sockaddr_in to[MESSAGES];
	uint32_t i;
	int done;

	for (i = 0; i < count; i++)
		fill(&message[i], &piece[i], &to[i], paced->sent + i);
	done = sendmmsg(fds[0], message, count, 0);
	if (done < 0)
		return -errno;
	paced->sent += done;
	return 0;
}

static int send_one(struct tx_paced *paced)
{
	uint32_t stream = paced->sent % TX_STREAMS;
	uint32_t size;

	if (send(fds[stream], tx_data(&size) + stream * TX_DATA, TX_STREAM_SIZE, 0) < 0)
		return -errno;
	paced->sent++;
	return 0;
}

static int send_due(struct tx_paced *paced, uint64_t due)
{
	uint64_t left;
	int err = 0;

	while (!err && paced->sent < due) {
		left = due - paced->sent;
		err = paced->kernel ? send_one(paced)
				    : send_together(paced, left < MESSAGES ? left : MESSAGES);
	}
	return err;
}

static void sleep_until(double when)
{
	const struct timespec ts = {when, fmod(when, 1) * 1e9};

	clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &ts, NULL);
}

int tx_paced_run_sockets(struct tx_paced *paced, double seconds)
{
	double start = bench_now();
	double when = start;
	int err = 0;

	paced->sent = 0;
	while (!err && when < start + seconds) {
		when += paced->tick;
		sleep_until(when);
		err = send_due(paced, (when - start) * TX_STREAMS / TX_STREAM_GAP);
	}
	/* What the kernel holds back for its time. */
	if (!err && paced->kernel)
		usleep(paced->tick * 2e6);
	return err;
}
