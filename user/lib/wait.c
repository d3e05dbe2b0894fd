/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * wait.c - a lane's consumer asleep, and the housekeeping that it does in between.
 *
 * A consumer that does not sleep costs the program no wake-up: it is told only if it has asked.
 */
#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <time.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include <xdplace/ring.h>

#include "lane.h"

#define TICK_MS 250
/*
 * A command does one flow's work, so that packets never wait long for the lane. This many follow
 * one another; what is left then has time until the next tick.
 */
#define TICK_TURNS 1024
#define NAP_NS 20000u /* the kernel makes some 70 us of it: PR_SET_TIMERSLACK */
#define PACE_NS 100000u

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static uint32_t completions_ready(const struct xdplace_lane *lane)
{
	return xp_ring_ready(lane->shared, lane->polled, lane->consumed, lane->ctx->config.ring);
}

static uint32_t ready(const struct xdplace_lane *lane)
{
	return completions_ready(lane) + xp_frames_ready(lane);
}

int xdplace_lane_fd(struct xdplace_lane *lane)
{
	int fd = xp_frames_fd(lane);

	return fd < 0 ? lane->ctx->event[lane->index] : fd;
}

int xdplace_lane_sleep(struct xdplace_lane *lane)
{
	uint32_t n;

	xp_ring_sleep(lane->shared);
	n = ready(lane);
	if (n)
		xp_ring_awake(lane->shared);
	return n;
}

/* The events say nothing that the ring does not: they are read so that the next one wakes. */
void xdplace_lane_awake(struct xdplace_lane *lane)
{
	xp_ring_awake(lane->shared);
	ring_buffer__consume(lane->events);
}

static int lane_command(struct xdplace_lane *lane, enum xp_command_code code)
{
	struct xp_command command = {.code = code, .lane = lane->index};

	return xp_command(lane->ctx, &command);
}

int xdplace_lane_tick(struct xdplace_lane *lane)
{
	int turn, result = 1;

	lane->next_tick = now_ms() + TICK_MS;
	for (turn = 0; turn < TICK_TURNS && result > 0; turn++)
		result = lane_command(lane, XP_CMD_TICK);
	/* A full ring is the consumer's turn, a busy lane the next tick's. */
	return result == -EAGAIN || result == -EBUSY || result > 0 ? 0 : result;
}

/*
 * More turns than the lane has flows are not needed, unless packets go on setting up new ones:
 * the caller is to see that this does not end.
 */
int xdplace_lane_flush(struct xdplace_lane *lane)
{
	uint32_t turn;
	int left = 1;

	for (turn = 0; turn <= lane->ctx->config.flows && left > 0; turn++)
		left = lane_command(lane, XP_CMD_FLUSH);
	if (left != -EAGAIN)
		return left;
	if (completions_ready(lane))
		return completions_ready(lane);
	return xp_fail(EAGAIN,
		       "end the flows of lane %u: its ring is full of completions that "
		       "were polled, release them first",
		       lane->index);
}

static int sleep_once(struct xdplace_lane *lane, int timeout_ms)
{
	struct pollfd fd = {.fd = xdplace_lane_fd(lane), .events = POLLIN};
	int n;

	n = xdplace_lane_sleep(lane);
	if (n)
		return n;
	if (poll(&fd, 1, timeout_ms) < 0)
		n = -errno;
	xdplace_lane_awake(lane);
	return n;
}

uint64_t xp_now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000000ull + now.tv_nsec;
}

bool xp_comes_fast(struct xdplace_lane *lane, uint64_t now)
{
	uint32_t came = lane->polled - lane->pace_polled;

	if (now - lane->pace_since >= PACE_NS) {
		lane->fast = (uint64_t)came * NAP_NS >= 2 * (now - lane->pace_since);
		lane->pace_since = now;
		lane->pace_polled = lane->polled;
	}
	return lane->fast;
}

/*
 * Being woken for each packet or two costs the program three times what placing them does. In a
 * fast stream they are let come for a moment first. > 0 they have, 0, -EINTR.
 */
static int nap(struct xdplace_lane *lane)
{
	const struct timespec moment = {.tv_nsec = NAP_NS};

	if (!xp_comes_fast(lane, xp_now_ns()))
		return 0;
	return nanosleep(&moment, NULL) ? -errno : (int)ready(lane);
}

static int housekeeping(struct xdplace_lane *lane)
{
	return now_ms() < lane->next_tick ? 0 : xdplace_lane_tick(lane);
}

int xdplace_lane_wait(struct xdplace_lane *lane, int timeout_ms)
{
	int64_t now = now_ms(), end = timeout_ms < 0 ? INT64_MAX : now + timeout_ms;
	int64_t until;
	int n;

	for (;;) {
		n = housekeeping(lane);
		if (n < 0)
			return n;
		n = ready(lane);
		now = now_ms();
		if (n || now >= end)
			return n;
		n = nap(lane);
		if (n)
			return n;
		until = end < lane->next_tick ? end : lane->next_tick;
		n = sleep_once(lane, until > now ? until - now : 1);
		if (n)
			return n;
	}
}
