/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * pace.c - in: streams and a time. Out: the packets that are due. See pace.h.
 *
 * Times and timestamps are sums of a whole number and a part of which `rate` make one: adding a
 * packet's share is two additions and a comparison, and nothing is ever rounded.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "pace.h"

#define NS_PER_S 1000000000ull
#define LATEST NS_PER_S /* of a stall, ns: above it, time stands still */

/* ---- sums ---- */

static struct xp_pace_sum share(uint64_t amount, uint64_t rate)
{
	return (struct xp_pace_sum){amount / rate, amount % rate};
}

static void add(struct xp_pace_sum *sum, struct xp_pace_sum step, uint64_t rate)
{
	sum->whole += step.whole;
	sum->part += step.part;
	if (sum->part < rate)
		return;
	sum->part -= rate;
	sum->whole++;
}

static struct xp_pace_sum due_share(const struct xp_pace_stream *stream, uint32_t bytes)
{
	return share(bytes * 8 * NS_PER_S, stream->rate);
}

static struct xp_pace_sum ticks_share(const struct xp_pace_stream *stream, uint32_t bytes)
{
	return share(bytes * 8ull * stream->clock, stream->rate);
}

/* ---- heap ---- */

static void put(struct xp_pace *pace, uint32_t at, struct xp_pace_slot slot)
{
	pace->heap[at] = slot;
	pace->streams[slot.stream].at = at;
}

static void sift_up(struct xp_pace *pace, uint32_t at, struct xp_pace_slot slot)
{
	for (; at && pace->heap[(at - 1) / 2].due > slot.due; at = (at - 1) / 2)
		put(pace, at, pace->heap[(at - 1) / 2]);
	put(pace, at, slot);
}

static void sift_down(struct xp_pace *pace, uint32_t at, struct xp_pace_slot slot)
{
	uint32_t child;

	for (child = 2 * at + 1; child < pace->queued; child = 2 * at + 1) {
		if (child + 1 < pace->queued && pace->heap[child + 1].due < pace->heap[child].due)
			child++;
		if (pace->heap[child].due >= slot.due)
			break;
		put(pace, at, pace->heap[child]);
		at = child;
	}
	put(pace, at, slot);
}

static void enqueue(struct xp_pace *pace, struct xp_pace_stream *stream)
{
	struct xp_pace_slot slot = {stream->due.whole, (uint32_t)(stream - pace->streams)};

	sift_up(pace, pace->queued++, slot);
}

static void dequeue(struct xp_pace *pace, struct xp_pace_stream *stream)
{
	uint32_t at = stream->at;
	struct xp_pace_slot last;

	stream->at = XP_PACE_NONE;
	last = pace->heap[--pace->queued];
	if (at == pace->queued)
		return;
	if (at && pace->heap[(at - 1) / 2].due > last.due)
		sift_up(pace, at, last);
	else
		sift_down(pace, at, last);
}

/* ---- streams ---- */

void xp_pace_free(struct xp_pace *pace)
{
	free(pace->streams);
	free(pace->heap);
	memset(pace, 0, sizeof(*pace));
}

static int grow(struct xp_pace *pace)
{
	uint32_t room = pace->room ? 2 * pace->room : 16;
	struct xp_pace_stream *streams;
	struct xp_pace_slot *heap;

	streams = realloc(pace->streams, room * sizeof(*streams));
	if (!streams)
		return -ENOMEM;
	pace->streams = streams;
	heap = realloc(pace->heap, room * sizeof(*heap));
	if (!heap)
		return -ENOMEM;
	pace->heap = heap;
	pace->room = room;
	return 0;
}

/* A stream that is not used; they are as many as were open at a time. */
static struct xp_pace_stream *find_free(struct xp_pace *pace)
{
	struct xp_pace_stream *stream = pace->streams;

	if (pace->used == pace->end) {
		if (pace->end == pace->room && grow(pace))
			return NULL;
		return &pace->streams[pace->end++];
	}
	while (stream->used)
		stream++;
	return stream;
}

struct xp_pace_stream *xp_pace_stream(const struct xp_pace *pace, uint32_t number)
{
	if (number >= pace->end || !pace->streams[number].used)
		return NULL;
	return &pace->streams[number];
}

/*
 * Streams of one rate that begin together would be due together for ever: the n-th begins after
 * the n-th multiple of the golden section, of the time of a packet.
 */
static uint64_t phase(uint32_t n, uint64_t packet_ns)
{
	if (packet_ns > XP_PACE_SPREAD)
		packet_ns = XP_PACE_SPREAD;
	return packet_ns * (n * 2654435769u) >> 32;
}

void xp_pace_resize(struct xp_pace_stream *stream, uint32_t room)
{
	stream->room = room;
	stream->packet = room < stream->unit ? room : room - room % stream->unit;
	stream->due_step = due_share(stream, stream->packet);
	stream->ticks_step = ticks_share(stream, stream->packet);
}

static bool valid(const struct xdplace_stream_opts *opts, uint32_t room)
{
	return opts->rate && opts->rate <= XP_PACE_RATE && room && room <= UINT16_MAX &&
	       opts->unit <= room;
}

int xp_pace_open(struct xp_pace *pace, const struct xdplace_stream_opts *opts, uint32_t room)
{
	struct xp_pace_stream *stream;

	if (!valid(opts, room))
		return -EINVAL;
	stream = find_free(pace);
	if (!stream)
		return -ENOMEM;
	*stream = (struct xp_pace_stream){
		.rate = opts->rate,
		.clock = opts->clock ? opts->clock : 90000,
		.timestamp = opts->timestamp,
		.unit = opts->unit ? opts->unit : 1,
		.destination = opts->destination,
		.at = XP_PACE_NONE,
		.used = true,
		.loop = opts->loop,
		.marker = opts->marker,
	};
	xp_pace_resize(stream, room);
	stream->due.whole = pace->horizon + phase(pace->opened++, stream->due_step.whole);
	pace->used++;
	if (opts->length)
		xp_pace_feed(pace, stream, opts->data, opts->length, 0);
	return (int)(stream - pace->streams);
}

void xp_pace_close(struct xp_pace *pace, struct xp_pace_stream *stream)
{
	if (stream->at != XP_PACE_NONE)
		dequeue(pace, stream);
	stream->used = false;
	pace->used--;
}

/* ---- data ---- */

/* The stream had nothing to send when it was due: it goes on from the horizon. */
static void go_on(struct xp_pace *pace, struct xp_pace_stream *stream, uint64_t interval)
{
	uint64_t behind;

	if (pace->horizon > stream->due.whole) {
		behind = pace->horizon - stream->due.whole;
		if (interval)
			stream->starved += (behind + interval - 1) / interval;
		stream->due.whole = pace->horizon;
		stream->ticks.whole += (unsigned __int128)behind * stream->clock / NS_PER_S;
	}
	enqueue(pace, stream);
}

static void begin_piece(struct xp_pace_stream *stream, const uint8_t *data, uint64_t length)
{
	stream->piece = data;
	stream->length = length;
	stream->data = data;
	stream->left = length;
}

/* Do the data lie behind those that the stream has? Then they are one piece. */
static bool join(struct xp_pace_stream *stream, const uint8_t *data, uint64_t length)
{
	if (stream->loop)
		return false;
	if (stream->next_length) {
		if (stream->next + stream->next_length != data)
			return false;
		stream->next_length += length;
		return true;
	}
	if (!stream->left || stream->data + stream->left != data)
		return false;
	stream->left += length;
	stream->length += length;
	return true;
}

int xp_pace_feed(struct xp_pace *pace, struct xp_pace_stream *stream, const void *data,
		 uint64_t length, uint64_t interval)
{
	if (!length)
		return 0;
	if (!join(stream, data, length)) {
		if (stream->next_length)
			return -EAGAIN;
		if (stream->at == XP_PACE_NONE) {
			begin_piece(stream, data, length);
			go_on(pace, stream, interval);
		} else {
			stream->next = data;
			stream->next_length = length;
		}
	}
	stream->given += length;
	return 0;
}

/* The piece is taken: the next one, or the same again. False: there is none. */
static bool next_piece(struct xp_pace_stream *stream)
{
	if (stream->next_length) {
		begin_piece(stream, stream->next, stream->next_length);
		stream->next_length = 0;
		return true;
	}
	if (!stream->loop)
		return false;
	begin_piece(stream, stream->piece, stream->length);
	stream->given += stream->length;
	return true;
}

/* ---- packets ---- */

static void fill(const struct xp_pace_stream *stream, uint32_t bytes,
		 struct xdplace_tx_entry *entry)
{
	*entry = (struct xdplace_tx_entry){
		.data = stream->data,
		.length = bytes,
		.destination = stream->destination,
		.timestamp = stream->timestamp + (uint32_t)stream->ticks.whole,
		.flags = stream->marker && bytes == stream->left ? XDPLACE_TX_MARKER : 0,
	};
}

/* The packet that is due goes; false: no other one follows. */
static bool step(struct xp_pace_stream *stream, struct xdplace_tx_entry *entry)
{
	uint32_t bytes = stream->packet;

	if (stream->left < bytes)
		bytes = (uint32_t)stream->left;
	fill(stream, bytes, entry);
	if (bytes == stream->packet) {
		add(&stream->due, stream->due_step, stream->rate);
		add(&stream->ticks, stream->ticks_step, stream->rate);
	} else {
		add(&stream->due, due_share(stream, bytes), stream->rate);
		add(&stream->ticks, ticks_share(stream, bytes), stream->rate);
	}
	stream->data += bytes;
	stream->left -= bytes;
	stream->taken += bytes;
	return stream->left || next_piece(stream);
}

uint32_t xp_pace_take(struct xp_pace *pace, uint64_t until, struct xdplace_tx_entry *entries,
		      struct xp_pace_due *due, uint32_t most)
{
	struct xp_pace_stream *stream;
	struct xp_pace_slot slot;
	uint32_t n;

	for (n = 0; n < most; n++) {
		if (!pace->queued || pace->heap[0].due >= until) {
			pace->horizon = until;
			break;
		}
		slot = pace->heap[0];
		stream = &pace->streams[slot.stream];
		due[n] = (struct xp_pace_due){slot.due, slot.stream};
		if (step(stream, &entries[n])) {
			slot.due = stream->due.whole;
			sift_down(pace, 0, slot);
		} else {
			dequeue(pace, stream);
		}
	}
	return n;
}

/* ---- what became of them ---- */

void xp_pace_account(struct xp_pace_stream *stream, uint64_t due, uint64_t now, uint64_t interval)
{
	int64_t transit = (int64_t)(now - due), difference = transit - stream->transit;

	if (transit > (int64_t)interval)
		stream->late++;
	if (transit > 0 && (uint64_t)transit > stream->max_late)
		stream->max_late = (uint64_t)transit;
	stream->transit = transit;
	if (stream->begun) {
		if (difference < 0)
			difference = -difference;
		stream->jitter += (uint64_t)difference - ((stream->jitter + 8) >> 4);
	}
	stream->begun = true;
}

/* ---- the interval ---- */

/* Of all streams: packets in a ns, and the time of the fastest one's packet. */
static double packet_rate(const struct xp_pace *pace, double *fastest)
{
	double rate = 0, time;
	uint32_t i;

	*fastest = XP_PACE_MOST;
	for (i = 0; i < pace->end; i++) {
		if (!pace->streams[i].used)
			continue;
		time = (double)pace->streams[i].packet * 8e9 / (double)pace->streams[i].rate;
		rate += 1 / time;
		if (time < *fastest)
			*fastest = time;
	}
	return rate;
}

static double least_of(double a, double b)
{
	return a < b ? a : b;
}

/* The smallest whole number not below x, which is small. */
static uint32_t round_up(double x)
{
	uint32_t n = (uint32_t)x;

	return n < x ? n + 1 : n;
}

/* ns in which neither the fastest stream nor all streams together have too many packets. */
static double limit_of(double rate, double fastest)
{
	return least_of(least_of(XP_PACE_MOST, XP_PACE_BURST * fastest), XP_PACE_WRITE / rate);
}

uint64_t xp_pace_interval(const struct xp_pace *pace)
{
	double typical, fastest, limit, parts, rate = packet_rate(pace, &fastest);

	if (!pace->used)
		return XP_PACE_MOST;
	typical = pace->used / rate;
	limit = limit_of(rate, fastest);
	if (typical < XP_PACE_LEAST) {
		typical *= round_up(XP_PACE_LEAST / typical);
	} else if (typical > limit) {
		parts = least_of(typical / limit, typical / XP_PACE_LEAST);
		parts = least_of(parts, UINT32_MAX / 2);
		parts = least_of(round_up(parts), (uint32_t)(typical / XP_PACE_LEAST));
		typical /= parts;
	}
	return typical > XP_PACE_MOST ? XP_PACE_MOST : (uint64_t)typical;
}

uint64_t xp_pace_most(const struct xp_pace *pace, uint64_t interval)
{
	double fastest, rate = packet_rate(pace, &fastest);
	uint64_t limit = pace->used ? (uint64_t)limit_of(rate, fastest) : 0;

	return limit > 2 * interval ? limit : 2 * interval;
}

uint64_t xp_pace_advance(uint64_t horizon, uint64_t until, uint64_t most, uint64_t *skip)
{
	*skip = 0;
	if (until <= horizon + most)
		return until;
	if (until - horizon - most > LATEST)
		*skip = until - horizon - most;
	return horizon + most;
}
