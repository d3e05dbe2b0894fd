/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * follow_stream.c - in: the completions of one lane. Out: for each flow its bytes in sequence,
 * the gaps between them, and its end.
 *
 * The pieces of one flow that a batch of completions has are collected and written together,
 * straight from the UMEM; only then is the batch released. So a consumer that is killed writes
 * a batch again when it comes back, but loses none.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "follow.h"

static void count(_Atomic uint64_t *counter, uint64_t n)
{
	atomic_store_explicit(counter, atomic_load_explicit(counter, memory_order_relaxed) + n,
			      memory_order_relaxed);
}

static struct follow_stream **stream_slot(struct follow_worker *worker, uint32_t handle)
{
	uint32_t index = XP_FLOW_INDEX(handle);

	if (handle == XP_NONE || index >= worker->follow->stream_count)
		return NULL;
	return &worker->follow->streams[index];
}

static void touch(struct follow_worker *worker, struct follow_stream *stream)
{
	if (stream->is_touched)
		return;
	stream->is_touched = true;
	STAILQ_INSERT_TAIL(&worker->touched, stream, touched);
}

/* Its file and its report wait for the end of the batch: pieces may be left to write. */
static void stream_end(struct follow_worker *worker, struct follow_stream *stream, int reason)
{
	struct follow_stream **slot = stream_slot(worker, stream->handle);

	stream->ended = true;
	stream->reason = reason;
	touch(worker, stream);
	if (slot && *slot == stream)
		*slot = NULL;
}

static struct follow_stream *stream_new(struct follow_worker *worker, const struct xp_completion *c)
{
	struct follow_stream *stream = calloc(1, sizeof(*stream));

	if (!stream) {
		follow_fail(worker->follow, NULL, "remember a flow", ENOMEM);
		return NULL;
	}
	stream->handle = c->flow;
	stream->fd = -1;
	stream->reason = FOLLOW_OPEN;
	stream->first_piece = -1;
	/* Now, not at the end: another flow may have the entry by then. */
	follow_key(worker, c, stream);
	TAILQ_INSERT_TAIL(&worker->streams, stream, all);
	count(&worker->flows, 1);
	return stream;
}

static bool sets_up(const struct xp_completion *c)
{
	return c->opcode == XP_FIRST || c->opcode == XP_REPLACE;
}

/* An RTP packet in sequence, which may be without a byte. */
static bool rtp_packet(const struct xp_completion *c)
{
	return c->reason == XP_R_RTP && c->opcode != XP_EARLY;
}

/*
 * Which stream a completion is about. A flow that is first seen in the middle (its earlier bytes
 * went to a consumer before this one) begins where that completion does.
 */
static struct follow_stream *stream_of(struct follow_worker *worker, const struct xp_completion *c)
{
	struct follow_stream **slot = stream_slot(worker, c->flow);
	struct follow_stream *stream;

	if (!slot)
		return NULL;
	stream = *slot;
	if (stream && stream->handle != c->flow) {
		stream_end(worker, stream, FOLLOW_OPEN);
		stream = NULL;
	}
	if (stream)
		return stream;
	if (!sets_up(c) && !xdplace_in_sequence(c) && !(c->flags & XP_GAP) && !rtp_packet(c))
		return NULL;
	stream = stream_new(worker, c);
	if (!stream)
		return NULL;
	*slot = stream;
	stream->from = sets_up(c) && !stream->rtp ? 0 : c->offset;
	stream->next = stream->from;
	return stream;
}

static void add_gap(struct follow_worker *worker, struct follow_stream *stream, uint64_t offset,
		    uint64_t length)
{
	struct follow_gap *last, *gaps;

	count(stream->rtp ? &worker->missing : &worker->gap_bytes, length);
	last = stream->gap_count ? &stream->gaps[stream->gap_count - 1] : NULL;
	if (last && last->offset + last->length == offset) {
		last->length += length;
		return;
	}
	gaps = stream->gaps;
	if (!(stream->gap_count & (stream->gap_count - 1)))
		gaps = realloc(gaps,
			       sizeof(*gaps) * (stream->gap_count ? 2 * stream->gap_count : 1));
	if (!gaps) {
		follow_fail(worker->follow, stream->name, "remember a gap", ENOMEM);
		return;
	}
	gaps[stream->gap_count++] = (struct follow_gap){offset, length};
	stream->gaps = gaps;
	count(&worker->gaps, 1);
}

/*
 * Every byte is told exactly once, in order. Should that ever not be so, the file must not lie:
 * what is missing is a gap, what comes again is left out, and the summary tells of it.
 */
static bool in_order(struct follow_worker *worker, struct follow_stream *stream,
		     const struct xp_completion *c)
{
	if (c->offset == stream->next)
		return true;
	count(&worker->disorder, 1);
	if (c->offset < stream->next)
		return false;
	add_gap(worker, stream, stream->next, c->offset - stream->next);
	stream->next = c->offset;
	return true;
}

static void add_piece(struct follow_worker *worker, struct follow_stream *stream,
		      const struct iovec *iov)
{
	struct follow_piece *last = &worker->pieces[stream->last_piece];
	int32_t index = (int32_t)worker->piece_count;

	if (stream->first_piece >= 0 &&
	    (char *)last->iov.iov_base + last->iov.iov_len == iov->iov_base) {
		last->iov.iov_len += iov->iov_len;
		return;
	}
	worker->pieces[index] = (struct follow_piece){*iov, -1};
	worker->piece_count++;
	if (stream->first_piece < 0)
		stream->first_piece = index;
	else
		last->next = index;
	stream->last_piece = index;
	touch(worker, stream);
}

static void take_data(struct follow_worker *worker, struct follow_stream *stream,
		      const struct xp_completion *c)
{
	struct iovec iov[2];
	int i, pieces;

	if (!in_order(worker, stream, c))
		return;
	pieces = xdplace_data(worker->follow->ctx, c, iov);
	if (pieces < 0) {
		count(&worker->disorder, 1);
		return;
	}
	for (i = 0; i < pieces; i++)
		add_piece(worker, stream, &iov[i]);
	stream->next += stream->rtp ? 1 : c->data_len;
	stream->packets++;
}

static void take_gap(struct follow_worker *worker, struct follow_stream *stream,
		     const struct xp_completion *c)
{
	if (!in_order(worker, stream, c))
		return;
	add_gap(worker, stream, c->offset, c->gap);
	stream->next += c->gap;
}

/* What counts once for a packet, which may be told in pieces. */
static void count_packet(struct follow_worker *worker, struct follow_stream *stream,
			 const struct xp_completion *c)
{
	if (stream && c->reason == XP_R_CHECKSUM && !worker->damaged) {
		stream->bad_checksums++;
		worker->damaged = true;
	}
	if (c->flags & XP_MORE)
		return;
	count(&worker->packets, 1);
	worker->damaged = false;
}

static void take(struct follow_worker *worker, const struct xp_completion *c)
{
	struct follow_stream *stream = stream_of(worker, c);

	count_packet(worker, stream, c);
	if (!stream)
		return;
	if (c->opcode == XP_REPEAT)
		stream->repeats++;
	if (c->reason == XP_R_LATE)
		stream->late++;
	if (c->flags & XP_GAP)
		take_gap(worker, stream, c);
	else if (stream->rtp ? rtp_packet(c) : xdplace_in_sequence(c))
		take_data(worker, stream, c);
	if (c->flags & XP_RELEASE_FLOW)
		stream_end(worker, stream, c->reason);
}

static void stream_free(struct follow_worker *worker, struct follow_stream *stream)
{
	follow_close(worker, stream);
	follow_report(worker, stream);
	TAILQ_REMOVE(&worker->streams, stream, all);
	free(stream->gaps);
	free(stream->name);
	free(stream);
}

static void write_pieces(struct follow_worker *worker, struct follow_stream *stream)
{
	uint64_t before = stream->bytes;
	uint64_t bytes = 0;
	int32_t index;
	int n = 0;

	for (index = stream->first_piece; index >= 0; index = worker->pieces[index].next) {
		worker->iov[n] = worker->pieces[index].iov;
		bytes += worker->iov[n++].iov_len;
	}
	stream->first_piece = -1;
	if (!n)
		return;
	if (!atomic_load(&worker->follow->failed))
		follow_write(worker, stream, worker->iov, n);
	count(&worker->bytes, stream->bytes - before);
	bytes -= stream->bytes - before;
	stream->unwritten += bytes;
	count(&worker->unwritten, bytes);
}

static void write_batch(struct follow_worker *worker)
{
	struct follow_stream *stream;

	while ((stream = STAILQ_FIRST(&worker->touched))) {
		STAILQ_REMOVE_HEAD(&worker->touched, touched);
		stream->is_touched = false;
		write_pieces(worker, stream);
		if (stream->ended)
			stream_free(worker, stream);
	}
	worker->piece_count = 0;
}

int follow_batch(struct follow_worker *worker)
{
	int i, n;

	n = xdplace_lane_poll(worker->lane, worker->completions, FOLLOW_BATCH);
	if (n <= 0)
		return n;
	for (i = 0; i < n; i++)
		take(worker, &worker->completions[i]);
	write_batch(worker);
	i = xdplace_lane_release(worker->lane, (size_t)n);
	return i < 0 ? i : n;
}

void follow_leave(struct follow_worker *worker)
{
	struct follow_stream *stream;

	while ((stream = TAILQ_FIRST(&worker->streams))) {
		stream_end(worker, stream, FOLLOW_OPEN);
		write_batch(worker);
	}
}
