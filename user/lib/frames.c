/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * frames.c - large whole packets by AF_XDP: the sockets of a lane's consumer.
 *
 * In: a lane, and the attached interfaces. Out: a socket for each queue that feeds the lane, over
 * the lane's share of the areas set aside. Promises: all sockets or none; what a consumer has
 * polled stays untouched until it releases it; polling costs a system call only where a driver
 * asks to be woken.
 *
 * Sockets are the consumer's, not the context's: with nobody to read them packets would be lost,
 * and the kernel closes them with their process. Without a socket the program places by copying.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lane.h"
#include "xsk.h"

#ifndef SOL_XDP
#define SOL_XDP 283
#endif

struct xp_frames {
	uint32_t count;
	uint32_t first; /* whose turn it is */
	int epoll;	/* sockets, and the lane's events */
	struct xp_xsk *socket;
};

/* ---- which queues ---- */

/* The same arithmetic as the program's. */
static uint32_t lane_of(const struct xp_config *config, const struct xdplace_interface *interface,
			uint32_t queue)
{
	uint32_t lane = interface->lane + queue % interface->lanes;

	return config->lanes == 1 || lane >= config->lanes ? 0 : lane;
}

static uint32_t each_queue(struct xdplace_lane *lane, const struct xdplace_interface *interfaces,
			   int count, struct xp_xsk *sockets)
{
	const struct xdplace_interface *interface;
	uint32_t queue, n = 0;

	for (interface = interfaces; interface < interfaces + count; interface++) {
		if (!interface->xsk)
			continue;
		for (queue = 0; queue < interface->queues && queue < XP_XSK_QUEUES; queue++) {
			if (lane_of(&lane->ctx->config, interface, queue) != lane->index)
				continue;
			if (sockets) {
				sockets[n].ifindex = interface->ifindex;
				sockets[n].queue = queue;
				memcpy(sockets[n].name, interface->name, sizeof(sockets[n].name));
			}
			n++;
		}
	}
	return n;
}

/* The lane's share of what is set aside, in equal parts; a socket's memory begins at a page. */
static void divide(struct xdplace_lane *lane, struct xp_frames *frames)
{
	const struct xp_layout *layout = &lane->ctx->layout;
	uint32_t shift = lane->ctx->config.area_shift, i;
	uint64_t page = sysconf(_SC_PAGESIZE), from, to, part;

	from = (uint64_t)(layout->xsk + lane->index * layout->xsk_per_lane) << shift;
	part = ((uint64_t)layout->xsk_per_lane << shift) / (frames->count ? frames->count : 1);
	for (i = 0; i < frames->count; i++) {
		to = (from + part) & ~(page - 1);
		frames->socket[i].start = (from + page - 1) & ~(page - 1);
		if (to > frames->socket[i].start)
			frames->socket[i].slots = (to - frames->socket[i].start) / XP_XSK_CHUNK;
		from += part;
	}
}

/* ---- open and close ---- */

static int watch(const struct xp_frames *frames, int fd)
{
	struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};

	if (epoll_ctl(frames->epoll, EPOLL_CTL_ADD, fd, &event))
		return xp_fail(errno, "wait for sockets: %s", strerror(errno));
	return 0;
}

static bool copies_only(const struct xdplace_interface *interfaces, int count, uint32_t ifindex)
{
	int i;

	for (i = 0; i < count; i++)
		if (interfaces[i].ifindex == ifindex)
			return interfaces[i].mode == XDPLACE_SKB;
	return true;
}

static int open_one(struct xdplace_lane *lane, struct xp_xsk *xsk, bool copy)
{
	int err;

	xp_libbpf_begin(&lane->ctx->logger);
	err = xp_xsk_open(lane->ctx, xsk, copy);
	xp_libbpf_end();
	if (err)
		return err;
	xp_log(&lane->ctx->logger, XDPLACE_LOG_INFO,
	       "lane %u: AF_XDP socket on %s queue %u, %s, room for %u frames", lane->index,
	       xsk->name, xsk->queue, xsk->zero_copy ? "zero-copy" : "copy mode", xsk->chunks);
	return watch(lane->frames, xsk_socket__fd(xsk->socket));
}

static int open_all(struct xdplace_lane *lane, const struct xdplace_interface *interfaces,
		    int count)
{
	struct xp_frames *frames = lane->frames;
	struct xp_xsk *xsk;
	uint32_t i;
	int err;

	frames->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (frames->epoll < 0)
		return xp_fail(errno, "wait for sockets: %s", strerror(errno));
	err = watch(frames, lane->ctx->event[lane->index]);
	frames->count = each_queue(lane, interfaces, count, NULL);
	frames->socket = calloc(frames->count + 1, sizeof(*frames->socket));
	if (!frames->socket)
		return xp_fail(ENOMEM, "no memory for sockets");
	each_queue(lane, interfaces, count, frames->socket);
	divide(lane, frames);
	for (i = 0; i < frames->count && !err; i++) {
		xsk = &frames->socket[i];
		err = open_one(lane, xsk, copies_only(interfaces, count, xsk->ifindex));
	}
	return err;
}

int xdplace_frames_open(struct xdplace_lane *lane)
{
	struct xdplace_interface *interfaces;
	int count, err;

	if (!(lane->ctx->config.knobs & XP_KNOB_XSK))
		return xp_fail(EOPNOTSUPP, "the context was made without frames_xsk");
	if (lane->frames)
		return xp_fail(EEXIST, "lane %u has its sockets already", lane->index);
	interfaces = calloc(XP_MAX_PORTS, sizeof(*interfaces));
	lane->frames = calloc(1, sizeof(*lane->frames));
	if (!interfaces || !lane->frames) {
		free(interfaces);
		free(lane->frames);
		lane->frames = NULL;
		return xp_fail(ENOMEM, "no memory for sockets");
	}
	lane->frames->epoll = -1;
	count = xdplace_interfaces(lane->ctx, interfaces, XP_MAX_PORTS);
	err = count < 0 ? count : open_all(lane, interfaces, count);
	free(interfaces);
	if (!err)
		return lane->frames->count;
	xdplace_frames_close(lane);
	return err;
}

void xdplace_frames_close(struct xdplace_lane *lane)
{
	struct xp_frames *frames = lane->frames;

	if (!frames)
		return;
	lane->frames = NULL;
	while (frames->socket && frames->count)
		xp_xsk_close(lane->ctx, &frames->socket[--frames->count]);
	if (frames->epoll >= 0)
		close(frames->epoll);
	free(frames->socket);
	free(frames);
}

/* ---- consume ---- */

int xdplace_frames_poll(struct xdplace_lane *lane, struct xdplace_frame *frames, size_t count)
{
	struct xp_frames *all = lane->frames;
	struct xp_xsk *xsk;
	uint32_t i, got;
	size_t n = 0;

	if (!all)
		return xp_fail(EINVAL, "lane %u has no sockets", lane->index);
	for (i = 0; i < all->count && n < count; i++) {
		xsk = &all->socket[(all->first + i) % all->count];
		got = xp_xsk_take(lane->ctx, xsk, frames + n, count - n);
		if (!got)
			xp_xsk_flush(xsk);
		n += got;
	}
	all->first++;
	return n;
}

static struct xp_xsk *socket_of(const struct xp_frames *all, uint32_t offset)
{
	struct xp_xsk *xsk;

	for (xsk = all->socket; xsk < all->socket + all->count; xsk++)
		if (offset >= xsk->start && (offset - xsk->start) / XP_XSK_CHUNK < xsk->slots)
			return xsk;
	return NULL;
}

int xdplace_frames_release(struct xdplace_lane *lane, const struct xdplace_frame *frames,
			   size_t count)
{
	struct xp_frames *all = lane->frames;
	struct xp_xsk *xsk;
	uint32_t i;
	size_t n;

	if (!all)
		return xp_fail(EINVAL, "lane %u has no sockets", lane->index);
	for (n = 0; n < count; n++) {
		xsk = socket_of(all, frames[n].completion.data);
		if (!xsk || xp_xsk_give(xsk, frames[n].completion.data))
			break;
	}
	for (i = 0; i < all->count; i++)
		if (all->socket[i].given)
			xp_xsk_flush(&all->socket[i]);
	return n == count ? 0
			  : xp_fail(EINVAL, "release frame %zu of %zu of lane %u: it is not held",
				    n, count, lane->index);
}

static int describe(const struct xp_xsk *xsk, struct xdplace_frames_socket *socket)
{
	struct xdp_statistics statistics = {0};
	socklen_t size = sizeof(statistics);

	memset(socket, 0, sizeof(*socket));
	memcpy(socket->name, xsk->name, sizeof(socket->name));
	socket->ifindex = xsk->ifindex;
	socket->queue = xsk->queue;
	socket->zero_copy = xsk->zero_copy;
	socket->room = xsk->chunks;
	socket->held = xsk->held;
	if (getsockopt(xsk_socket__fd(xsk->socket), SOL_XDP, XDP_STATISTICS, &statistics, &size))
		return xp_fail(errno, "statistics of the socket on %s queue %u: %s", xsk->name,
			       xsk->queue, strerror(errno));
	socket->dropped = statistics.rx_dropped;
	socket->fill_empty = statistics.rx_fill_ring_empty_descs;
	return 0;
}

int xdplace_frames_sockets(struct xdplace_lane *lane, struct xdplace_frames_socket *sockets,
			   size_t count)
{
	struct xp_frames *all = lane->frames;
	uint32_t i;
	int err;

	if (!all)
		return 0;
	for (i = 0; i < all->count && i < count; i++) {
		err = describe(&all->socket[i], &sockets[i]);
		if (err)
			return err;
	}
	return all->count;
}

/* ---- for wait.c ---- */

uint32_t xp_frames_ready(const struct xdplace_lane *lane)
{
	const struct xp_frames *all = lane->frames;
	uint32_t i, n = 0;

	for (i = 0; all && i < all->count; i++)
		n += xp_xsk_ready(&all->socket[i]);
	return n;
}

int xp_frames_fd(const struct xdplace_lane *lane)
{
	return lane->frames ? lane->frames->epoll : -1;
}
