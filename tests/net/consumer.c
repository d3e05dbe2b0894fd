/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * consumer.c - a consumer that may be killed at any moment: it writes each piece of a stream at
 * its stream offset, then releases, so that what comes a second time does no harm.
 *
 * In:  consumer CONTEXT DIR [LANE]: the context, pinned or held by a running process; one lane of
 *      it, or all.
 * Out: DIR/HANDLE, the stream of each flow; DIR/HANDLE.gaps, a line "OFFSET:LENGTH" for each gap;
 *      DIR/HANDLE.end once the flow has ended. On standard output "ready".
 * Promises: a completion is released only when what it says is in the file. Ends by SIGTERM or
 * SIGINT, when nothing is left to take.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <xdplace/xdplace.h>

#define BATCH 256

static volatile sig_atomic_t stop;
static struct xdplace *ctx;
static int dir;

static void on_signal(int signo)
{
	stop = signo;
}

static _Noreturn void die(const char *what)
{
	fprintf(stderr, "consumer: %s: %s\n", what, strerror(errno));
	exit(1);
}

static int open_file(uint32_t flow, const char *suffix, int flags)
{
	char name[32];
	int fd;

	snprintf(name, sizeof(name), "%08x%s", flow, suffix);
	fd = openat(dir, name, O_WRONLY | O_CREAT | O_CLOEXEC | flags, 0644);
	if (fd < 0)
		die(name);
	return fd;
}

/* The file of the last flow stays open: packets come in trains. */
static int stream_file(uint32_t flow)
{
	static uint32_t open_flow = XP_NONE;
	static int fd = -1;

	if (flow == open_flow)
		return fd;
	if (fd >= 0)
		close(fd);
	fd = open_file(flow, "", 0);
	open_flow = flow;
	return fd;
}

static void write_data(const struct xp_completion *c)
{
	struct iovec iov[2];
	off_t at = c->offset;
	ssize_t n;
	int i, count;

	count = xdplace_data(ctx, c, iov);
	for (i = 0; i < count; i++) {
		n = pwrite(stream_file(c->flow), iov[i].iov_base, iov[i].iov_len, at);
		if (n != (ssize_t)iov[i].iov_len)
			die("write");
		at += n;
	}
}

/* Told twice after a crash, it stands there twice: the reader sorts. */
static void write_gap(const struct xp_completion *c)
{
	int fd = open_file(c->flow, ".gaps", O_APPEND);

	dprintf(fd, "%llu:%u\n", (unsigned long long)c->offset, c->gap);
	close(fd);
}

static void take(const struct xp_completion *c)
{
	if (c->flow == XP_NONE)
		return;
	if (c->flags & XP_GAP)
		write_gap(c);
	else if (xdplace_in_sequence(c))
		write_data(c);
	if (c->flags & XP_RELEASE_FLOW)
		close(open_file(c->flow, ".end", 0));
}

static int drain(struct xdplace_lane *lane)
{
	struct xp_completion completions[BATCH];
	int i, n, err;

	n = xdplace_lane_poll(lane, completions, BATCH);
	for (i = 0; i < n; i++)
		take(&completions[i]);
	err = n > 0 ? xdplace_lane_release(lane, n) : 0;
	if (n < 0 || err < 0) {
		fprintf(stderr, "consumer: %s\n", xdplace_error());
		exit(1);
	}
	return n;
}

static int drain_all(struct xdplace_lane **lanes, unsigned count)
{
	unsigned i;
	int n = 0;

	for (i = 0; i < count; i++)
		n += drain(lanes[i]);
	return n;
}

static void sleep_all(struct xdplace_lane **lanes, struct pollfd *fds, unsigned count)
{
	unsigned i;
	int ready = 0;

	for (i = 0; i < count; i++)
		ready += xdplace_lane_sleep(lanes[i]) > 0;
	if (!ready)
		poll(fds, count, 200);
	for (i = 0; i < count; i++) {
		xdplace_lane_awake(lanes[i]);
		xdplace_lane_tick(lanes[i]);
	}
}

/* Lane `wanted`, or all of them for -1; returns how many. */
static unsigned open_lanes(struct xdplace_lane **lanes, int wanted)
{
	unsigned i, count = 0;

	for (i = 0; i < xdplace_config(ctx)->lanes; i++) {
		if (wanted >= 0 && i != (unsigned)wanted)
			continue;
		lanes[count] = xdplace_lane_open(ctx, i);
		if (!lanes[count++]) {
			fprintf(stderr, "consumer: lane %u: %s\n", i, xdplace_error());
			exit(1);
		}
	}
	return count;
}

int main(int argc, char **argv)
{
	struct sigaction action = {.sa_handler = on_signal};
	struct xdplace_lane *lanes[XP_MAX_LANES];
	struct pollfd fds[XP_MAX_LANES];
	unsigned i, count;

	if (argc != 3 && argc != 4) {
		fputs("usage: consumer CONTEXT DIR [LANE]\n", stderr);
		return 2;
	}
	dir = open(argv[2], O_RDONLY | O_DIRECTORY);
	if (dir < 0)
		die(argv[2]);
	ctx = xdplace_open_existing(argv[1], NULL, NULL);
	if (!ctx) {
		fprintf(stderr, "consumer: %s\n", xdplace_error());
		return 1;
	}
	count = open_lanes(lanes, argc == 4 ? atoi(argv[3]) : -1);
	for (i = 0; i < count; i++)
		fds[i] = (struct pollfd){.fd = xdplace_lane_fd(lanes[i]), .events = POLLIN};
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	puts("ready");
	fflush(stdout);
	while (drain_all(lanes, count) || !stop)
		if (!stop)
			sleep_all(lanes, fds, count);
	for (i = 0; i < count; i++)
		xdplace_lane_close(lanes[i]);
	xdplace_close(ctx);
	return 0;
}
