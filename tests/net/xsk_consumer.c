/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * xsk_consumer.c - a consumer of frames by AF_XDP and of completions, all lanes in one loop.
 *
 * In:  xsk_consumer CONTEXT DIR [hold|busy]: the context, pinned or held by a running process,
 *      made with frames_xsk. With `hold` nothing that comes through sockets is released until
 *      SIGUSR1; with `busy` it never sleeps.
 * Out: DIR/large, the UDP payloads that came through sockets, DIR/placed, those of whole packets
 *      that came through lanes, one behind the other. On standard output "ready", and at the end
 *      (SIGTERM, SIGINT) a JSON object.
 * Promises: a frame's completion, its bytes and its release are checked; what is wrong ends it
 *      with status 1 and words.
 */
#include <arpa/inet.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <net/ethernet.h>
#include <netinet/ip.h>

#include <xdplace/xdplace.h>

#define BATCH 64
#define HELD 65536

static volatile sig_atomic_t stop, hold;
static struct xdplace *ctx;
static bool busy;
static FILE *large, *placed;
static uint64_t large_count, placed_count;

static struct {
	struct xdplace_lane *lane;
	struct xdplace_frame *held;
	size_t held_count;
	bool more; /* the next completion is of the same packet */
} lanes[XP_MAX_LANES];

static void on_signal(int signo)
{
	if (signo == SIGUSR1)
		hold = 0;
	else
		stop = 1;
}

static _Noreturn void die(const char *what)
{
	fprintf(stderr, "xsk_consumer: %s: %s\n", what, xdplace_error());
	exit(1);
}

/* UDP payload of an Ethernet frame, IPv4 without options. */
static void write_payload(FILE *file, const uint8_t *packet, uint32_t length)
{
	const uint32_t headers = ETHER_HDR_LEN + sizeof(struct iphdr) + 8;

	if (length <= headers || packet[ETHER_HDR_LEN] != 0x45)
		die("not UDP in IPv4");
	if (fwrite(packet + headers, 1, length - headers, file) != length - headers)
		die("write");
}

static void take_frame(const struct xdplace_frame *frame)
{
	const struct xp_completion *c = &frame->completion;
	struct iovec iov[2];

	if (c->opcode != XP_FOREIGN || c->reason != XP_R_REDIRECTED || c->flags != XP_FRAME)
		die("the completion is not a frame's");
	if (xdplace_data(ctx, c, iov) != 1 || iov->iov_base != frame->data ||
	    iov->iov_len != c->data_len)
		die("the completion does not name the frame");
	write_payload(large, frame->data, c->data_len);
	large_count++;
}

static int drain_frames(unsigned i)
{
	struct xdplace_frame frames[BATCH];
	int k, n;

	n = xdplace_frames_poll(lanes[i].lane, frames, BATCH);
	if (n < 0)
		die("poll frames");
	for (k = 0; k < n; k++)
		take_frame(&frames[k]);
	if (hold && lanes[i].held_count + n <= HELD) {
		memcpy(lanes[i].held + lanes[i].held_count, frames, n * sizeof(*frames));
		lanes[i].held_count += n;
		return n;
	}
	if (xdplace_frames_release(lanes[i].lane, frames, n))
		die("release frames");
	if (n && !xdplace_frames_release(lanes[i].lane, frames, 1))
		die("a frame could be released twice");
	return n;
}

static void release_held(unsigned i)
{
	if (hold || !lanes[i].held_count)
		return;
	if (xdplace_frames_release(lanes[i].lane, lanes[i].held, lanes[i].held_count))
		die("release held frames");
	lanes[i].held_count = 0;
}

/* A packet larger than an area comes in pieces, all but the last with XP_MORE. */
static void take_placed(unsigned i, const struct xp_completion *c)
{
	bool begins = !lanes[i].more;
	struct iovec iov[2];
	const void *packet;
	size_t length;

	if (c->opcode != XP_FOREIGN)
		return;
	packet = xdplace_header(ctx, c, &length);
	if (c->flags & XP_FRAME && xdplace_data(ctx, c, iov) == 1) {
		packet = iov->iov_base;
		length = iov->iov_len;
	}
	if (!packet)
		return;
	lanes[i].more = c->flags & XP_MORE;
	if (begins)
		write_payload(placed, packet, length);
	else if (fwrite(packet, 1, length, placed) != length)
		die("write");
	placed_count += begins;
}

static int drain_completions(unsigned i)
{
	struct xp_completion completions[BATCH];
	int k, n;

	n = xdplace_lane_poll(lanes[i].lane, completions, BATCH);
	for (k = 0; k < n; k++)
		take_placed(i, &completions[k]);
	if (n < 0 || xdplace_lane_release(lanes[i].lane, n))
		die("completions");
	return n;
}

static int drain(unsigned count)
{
	unsigned i;
	int n = 0;

	for (i = 0; i < count; i++) {
		release_held(i);
		n += drain_frames(i) + drain_completions(i);
	}
	return n;
}

static void sleep_all(unsigned count)
{
	struct pollfd fds[XP_MAX_LANES];
	int ready = 0;
	unsigned i;

	for (i = 0; i < count; i++) {
		fds[i] = (struct pollfd){.fd = xdplace_lane_fd(lanes[i].lane), .events = POLLIN};
		ready += xdplace_lane_sleep(lanes[i].lane) > 0;
	}
	/* Half a minute: who is not woken is late, and the test sees it. */
	if (!ready)
		poll(fds, count, 30000);
	for (i = 0; i < count; i++)
		xdplace_lane_awake(lanes[i].lane);
}

static void report(unsigned count)
{
	uint64_t dropped = 0, empty = 0, held = 0, room = 0;
	struct xdplace_frames_socket sockets[64];
	struct xp_counters counters;
	unsigned i, zero_copy = 0, all = 0;
	int k, n;

	for (i = 0; i < count; i++) {
		n = xdplace_frames_sockets(lanes[i].lane, sockets, 64);
		if (n < 0)
			die("sockets");
		for (k = 0; k < n && k < 64; k++) {
			dropped += sockets[k].dropped;
			empty += sockets[k].fill_empty;
			held += sockets[k].held;
			room += sockets[k].room;
			zero_copy += sockets[k].zero_copy;
			all++;
		}
	}
	if (xdplace_stats(ctx, XP_NONE, &counters))
		die("statistics");
	printf("{\"large\":%llu,\"placed\":%llu,\"dropped\":%llu,\"fill_empty\":%llu,"
	       "\"held\":%llu,\"room\":%llu,\"sockets\":%u,\"zero_copy\":%u,\"redirected\":%llu,"
	       "\"no_socket\":%llu}\n",
	       (unsigned long long)large_count, (unsigned long long)placed_count,
	       (unsigned long long)dropped, (unsigned long long)empty, (unsigned long long)held,
	       (unsigned long long)room, all, zero_copy, (unsigned long long)counters.redirected,
	       (unsigned long long)counters.no_socket);
}

static void open_lane(unsigned i)
{
	int n;

	lanes[i].held = calloc(HELD, sizeof(*lanes[i].held));
	lanes[i].lane = xdplace_lane_open(ctx, i);
	if (!lanes[i].lane || !lanes[i].held)
		die("open a lane");
	n = xdplace_frames_open(lanes[i].lane);
	if (n < 0)
		die("open sockets");
}

static FILE *open_file(const char *dir, const char *name)
{
	char path[4096];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	file = fopen(path, "w");
	if (!file)
		die(path);
	return file;
}

int main(int argc, char **argv)
{
	struct sigaction action = {.sa_handler = on_signal};
	unsigned i, count;

	if (argc < 3) {
		fputs("usage: xsk_consumer CONTEXT DIR [hold|busy]\n", stderr);
		return 2;
	}
	hold = argc > 3 && !strcmp(argv[3], "hold");
	busy = argc > 3 && !strcmp(argv[3], "busy");
	large = open_file(argv[2], "large");
	placed = open_file(argv[2], "placed");
	ctx = xdplace_open_existing(argv[1], NULL, NULL);
	if (!ctx)
		die(argv[1]);
	count = xdplace_config(ctx)->lanes;
	for (i = 0; i < count; i++)
		open_lane(i);
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGUSR1, &action, NULL);
	puts("ready");
	fflush(stdout);
	while (drain(count) || !stop) {
		if (busy)
			continue;
		fflush(large);
		fflush(placed);
		if (!stop)
			sleep_all(count);
	}
	report(count);
	fclose(large);
	fclose(placed);
	for (i = 0; i < count; i++) {
		xdplace_lane_close(lanes[i].lane);
		free(lanes[i].held);
	}
	xdplace_close(ctx);
	return 0;
}
