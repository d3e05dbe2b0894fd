/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * pacer.c - streams with a rate over a transmitter. In: streams, time. Out: a write for each
 * interval, with the packets of all streams that are due in it; what became of each stream.
 *
 * Which packets these are is pace.c's; here are the clock, writes and their completions. The
 * pacer's own time is the machine's less `offset`, which grows when time stood still for it.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "pace.h"
#include "tx.h"

#define NS_PER_S 1000000000ull
#define LOOK_NS NS_PER_S /* between looks at how long packets may be */
#define POLL 64
#define BUSY_MS 10 /* to wait for a write, at a time */

struct xdplace_pacer {
	struct xdplace_tx *tx;
	struct xp_pace pace;
	struct xdplace_tx_entry *entries; /* of the next write: tx->opts.entries */
	struct xp_pace_due *due;
	bool *has_stream;	 /* by destination */
	uint64_t given_interval; /* ns, 0: it follows from the rates */
	uint64_t interval;	 /* ns */
	uint64_t most;		 /* ns that a write covers */
	uint64_t offset;
	uint64_t wake; /* of the machine's time: the next write */
	uint64_t look; /* likewise */
	uint64_t writes;
	uint64_t completed;
	bool changed; /* the streams: their interval may be another one */
	bool running; /* there were data at the last step: `wake` is in the future */
	bool begun;   /* there was a step: time goes */
};

/* ---- the pacer ---- */

struct xdplace_pacer *xdplace_pacer_open(struct xdplace_tx *tx,
					 const struct xdplace_pacer_opts *opts)
{
	struct xdplace_pacer *pacer;
	uint64_t interval = opts ? opts->interval_us * 1000ull : 0;

	if (!tx || (opts && opts->size != sizeof(*opts))) {
		xp_fail(EINVAL, "pacer: no transmitter, or options of another version");
		return NULL;
	}
	if (interval && (interval < XP_PACE_LEAST || interval > XP_PACE_MOST)) {
		xp_fail(EINVAL, "pacer: interval %u us is not in %u..%u", opts->interval_us,
			XP_PACE_LEAST / 1000, XP_PACE_MOST / 1000);
		return NULL;
	}
	pacer = calloc(1, sizeof(*pacer));
	if (pacer) {
		pacer->entries = calloc(tx->opts.entries, sizeof(*pacer->entries));
		pacer->due = calloc(tx->opts.entries, sizeof(*pacer->due));
		pacer->has_stream = calloc(tx->opts.destinations, sizeof(*pacer->has_stream));
	}
	if (!pacer || !pacer->entries || !pacer->due || !pacer->has_stream) {
		xdplace_pacer_close(pacer);
		xp_fail(ENOMEM, "pacer: no memory");
		return NULL;
	}
	pacer->tx = tx;
	pacer->given_interval = interval;
	pacer->changed = true;
	return pacer;
}

void xdplace_pacer_close(struct xdplace_pacer *pacer)
{
	if (!pacer)
		return;
	xp_pace_free(&pacer->pace);
	free(pacer->has_stream);
	free(pacer->entries);
	free(pacer->due);
	free(pacer);
}

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * NS_PER_S + (uint64_t)now.tv_nsec;
}

static uint64_t interval_of(const struct xdplace_pacer *pacer)
{
	if (pacer->given_interval)
		return pacer->given_interval;
	return pacer->changed ? xp_pace_interval(&pacer->pace) : pacer->interval;
}

uint32_t xdplace_pacer_interval(const struct xdplace_pacer *pacer)
{
	return (uint32_t)((interval_of(pacer) + 500) / 1000);
}

/*
 * While no stream had data the horizon stood still. What comes now begins now, and what was due
 * in between was starved.
 */
static void wake_up(struct xdplace_pacer *pacer)
{
	uint64_t now = now_ns();

	if (pacer->running || !pacer->begun)
		return;
	pacer->wake = now;
	if (now - pacer->offset > pacer->pace.horizon)
		pacer->pace.horizon = now - pacer->offset;
}

/* ---- streams ---- */

static struct xp_pace_stream *find(const struct xdplace_pacer *pacer, uint32_t number)
{
	struct xp_pace_stream *stream = xp_pace_stream(&pacer->pace, number);

	if (!stream)
		xp_fail(ENOENT, "pacer: there is no stream %u", number);
	return stream;
}

static int check_piece(const struct xdplace_pacer *pacer, const void *data, uint64_t length)
{
	if (xp_tx_in_memory(pacer->tx, data, length))
		return 0;
	return xp_fail(EINVAL,
		       "stream: its data are not in the transmitter's memory, or reach into "
		       "a bank's last area");
}

static int check_stream(const struct xdplace_pacer *pacer, const struct xdplace_stream_opts *opts)
{
	if (!opts || opts->size != sizeof(*opts))
		return xp_fail(EINVAL, "stream: options of another version");
	if (!xp_destination_valid(pacer->tx, opts->destination))
		return xp_fail(EINVAL, "stream: there is no destination %u", opts->destination);
	if (pacer->has_stream[opts->destination])
		return xp_fail(EBUSY, "stream: destination %u has one already", opts->destination);
	return check_piece(pacer, opts->data, opts->length);
}

int xdplace_stream_open(struct xdplace_pacer *pacer, const struct xdplace_stream_opts *opts)
{
	const struct xp_tx_destination *d;
	struct xp_pace_stream *stream;
	uint32_t room;
	int number;

	number = check_stream(pacer, opts);
	if (number)
		return number;
	d = &pacer->tx->destinations[opts->destination];
	room = xp_tx_face(d)->room;
	wake_up(pacer);
	number = xp_pace_open(&pacer->pace, opts, room);
	if (number == -EINVAL)
		return xp_fail(EINVAL,
			       "stream: rate %llu is not in 1..%llu, or unit %u is longer than a "
			       "packet (%u)",
			       (unsigned long long)opts->rate, XP_PACE_RATE, opts->unit, room);
	if (number < 0)
		return xp_fail(-number, "stream: no memory");
	stream = xp_pace_stream(&pacer->pace, (uint32_t)number);
	stream->packets_before = d->packets;
	stream->bytes_before = d->bytes;
	stream->refused_before = d->refused;
	stream->refused_bytes_before = d->refused_bytes;
	pacer->has_stream[opts->destination] = true;
	pacer->changed = true;
	return number;
}

int xdplace_stream_feed(struct xdplace_pacer *pacer, uint32_t number, const void *data,
			uint64_t length)
{
	struct xp_pace_stream *stream = find(pacer, number);

	if (!stream)
		return -ENOENT;
	if (check_piece(pacer, data, length))
		return -EINVAL;
	wake_up(pacer);
	if (xp_pace_feed(&pacer->pace, stream, data, length, interval_of(pacer)))
		return xp_fail(EAGAIN, "stream %u: a piece waits already", number);
	return 0;
}

int xdplace_stream_close(struct xdplace_pacer *pacer, uint32_t number)
{
	struct xp_pace_stream *stream = find(pacer, number);

	if (!stream)
		return -ENOENT;
	pacer->has_stream[stream->destination] = false;
	xp_pace_close(&pacer->pace, stream);
	pacer->changed = true;
	return 0;
}

/* Bytes taken for writes that are done. */
static uint64_t settled(const struct xdplace_pacer *pacer, const struct xp_pace_stream *stream)
{
	return stream->write <= pacer->completed ? stream->taken : stream->settled;
}

static void collect(struct xdplace_pacer *pacer)
{
	struct xdplace_tx_completion completions[POLL];
	int n;

	do {
		n = xdplace_tx_poll(pacer->tx, completions, POLL);
		if (n > 0)
			pacer->completed = completions[n - 1].user;
	} while (n == POLL);
}

int xdplace_stream_get(struct xdplace_pacer *pacer, uint32_t number, struct xdplace_stream *info)
{
	const struct xp_pace_stream *stream = find(pacer, number);
	const struct xp_tx_destination *d;
	uint64_t done, made;

	if (!stream)
		return -ENOENT;
	collect(pacer);
	d = &pacer->tx->destinations[stream->destination];
	done = settled(pacer, stream);
	made = d->bytes - stream->bytes_before;
	*info = (struct xdplace_stream){
		.refused = d->refused - stream->refused_before,
		.bytes = made - (d->refused_bytes - stream->refused_bytes_before),
		.unsent = done > made ? done - made : 0,
		.late = stream->late,
		.starved = stream->starved,
		.jitter_us = (uint32_t)((stream->jitter >> 4) / 1000),
		.max_late_us = (uint32_t)(stream->max_late / 1000),
		.waiting = stream->given - done,
		.finished = stream->given == done,
		.error = xp_tx_face(d)->error,
	};
	info->packets = d->packets - stream->packets_before - info->refused;
	return 0;
}

/* ---- writing ---- */

/* Has the way of any stream become one for shorter or longer packets? */
static void look(struct xdplace_pacer *pacer, uint64_t now)
{
	struct xp_pace_stream *stream;
	uint32_t i, room;

	pacer->look = now + LOOK_NS;
	for (i = 0; i < pacer->pace.end; i++) {
		stream = xp_pace_stream(&pacer->pace, i);
		if (!stream)
			continue;
		room = xp_tx_face(&pacer->tx->destinations[stream->destination])->room;
		if (!room || room == stream->room)
			continue;
		xp_pace_resize(stream, room);
		pacer->changed = true;
	}
}

/*
 * Which streams this write is of, so that it is known when their data may be changed: if nothing
 * else of a stream is on its way, all that it had sent before.
 */
static void note(struct xdplace_pacer *pacer, uint32_t count)
{
	struct xp_pace_stream *stream;
	uint32_t i;

	for (i = 0; i < count; i++) {
		stream = &pacer->pace.streams[pacer->due[i].stream];
		if (stream->write != pacer->writes) {
			stream->settling = stream->write <= pacer->completed;
			if (stream->settling)
				stream->settled = stream->taken;
			stream->write = pacer->writes;
		}
		if (stream->settling)
			stream->settled -= pacer->entries[i].length;
	}
}

/* Some engines do one write at a time. */
static int write_once(struct xdplace_pacer *pacer, uint32_t count)
{
	int err;

	for (;;) {
		err = xdplace_tx_write(pacer->tx, pacer->entries, count, pacer->writes);
		if (err != -EAGAIN)
			return err;
		err = xdplace_tx_wait(pacer->tx, BUSY_MS);
		if (err < 0 && err != -EINTR)
			return err;
		collect(pacer);
	}
}

static int write_due(struct xdplace_pacer *pacer, uint64_t until)
{
	uint64_t now;
	uint32_t i, count;
	int err;

	do {
		count = xp_pace_take(&pacer->pace, until, pacer->entries, pacer->due,
				     pacer->tx->opts.entries);
		if (!count)
			return 0;
		pacer->writes++;
		note(pacer, count);
		err = write_once(pacer, count);
		if (err)
			return err;
		now = now_ns() - pacer->offset;
		for (i = 0; i < count; i++)
			xp_pace_account(&pacer->pace.streams[pacer->due[i].stream],
					pacer->due[i].due, now, pacer->interval);
	} while (count == pacer->tx->opts.entries);
	return 0;
}

static void begin(struct xdplace_pacer *pacer, uint64_t now)
{
	if (!pacer->begun) {
		pacer->begun = true;
		pacer->offset = now - pacer->pace.horizon;
		pacer->wake = now;
		pacer->look = now + LOOK_NS;
	}
	if (pacer->changed) {
		pacer->interval = interval_of(pacer);
		pacer->most = xp_pace_most(&pacer->pace, pacer->interval);
	}
	pacer->changed = false;
	pacer->running = true;
}

/* All data are with the transmitter: is it done with them? */
static int rest(struct xdplace_pacer *pacer)
{
	int err;

	pacer->running = false;
	if (pacer->completed == pacer->writes)
		return -ENODATA;
	err = xdplace_tx_wait(pacer->tx, BUSY_MS);
	return err < 0 ? err : 0;
}

static int until_wake(const struct xdplace_pacer *pacer)
{
	uint64_t now = now_ns();

	return now < pacer->wake ? (int)((pacer->wake - now + 999) / 1000) : 0;
}

/* Behind by more than an interval, the pacer does not run after the times of its past writes. */
static uint64_t next_until(struct xdplace_pacer *pacer, uint64_t now)
{
	uint64_t until, skip;

	if (now - pacer->wake >= pacer->interval)
		pacer->wake += (now - pacer->wake) / pacer->interval * pacer->interval;
	until = xp_pace_advance(pacer->pace.horizon, pacer->wake + pacer->interval - pacer->offset,
				pacer->most, &skip);
	pacer->offset += skip;
	return until;
}

int xdplace_pacer_step(struct xdplace_pacer *pacer)
{
	uint64_t now = now_ns();
	int err;

	collect(pacer);
	if (!pacer->pace.queued)
		return rest(pacer);
	begin(pacer, now);
	if (now < pacer->wake)
		return until_wake(pacer);
	if (now >= pacer->look)
		look(pacer, now);
	err = write_due(pacer, next_until(pacer, now));
	if (err)
		return err;
	collect(pacer);
	pacer->wake += pacer->interval;
	return until_wake(pacer);
}

int xdplace_pacer_run(struct xdplace_pacer *pacer, const volatile int *stop)
{
	struct timespec wake;
	int left;

	while (!stop || !*stop) {
		left = xdplace_pacer_step(pacer);
		if (left == -ENODATA)
			return 0;
		if (left < 0 && left != -EINTR)
			return left;
		if (left <= 0)
			continue;
		wake.tv_sec = (time_t)(pacer->wake / NS_PER_S);
		wake.tv_nsec = (long)(pacer->wake % NS_PER_S);
		/* Interrupted by a signal, `stop` may be set. */
		clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &wake, NULL);
	}
	return 1;
}
