/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * send_run.c - in: the input's ring. Out: its bytes, to each destination, as fast as the path takes
 * them or by the pacer. Promises: what is in the ring is given back when all destinations have
 * had it, and packets end within the input only where it ends.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "send.h"

#define WAIT_MS 100		 /* for input, until it is looked whether to stop */
#define PIECE (16u << 20)	 /* bytes of an entry */
#define WRITE (64u << 20)	 /* bytes of all entries of a write: Ctrl-C waits for them */
#define SUPPLY_NS (10 * 1000000) /* between looks at the input */

/* What of so many bytes is to be sent now: whole packets, but at the end. */
static uint64_t whole(const struct send *send, uint64_t have, bool end)
{
	return end ? have : have - have % send->packet;
}

/* ---- as fast as it goes ---- */

static uint64_t piece_limit(const struct send *send)
{
	uint64_t limit = send->input.size / 4;

	if (limit > PIECE)
		limit = PIECE;
	if (limit > WRITE / send->count)
		limit = WRITE / send->count;
	limit -= limit % send->packet;
	return limit ? limit : send->packet;
}

static int wait_done(struct send *send, struct xdplace_tx_completion *done)
{
	int n, err;

	for (;;) {
		n = xdplace_tx_poll(send->tx, done, 1);
		if (n)
			return n < 0 ? cli_error(n, "poll") : 0;
		err = xdplace_tx_wait(send->tx, WAIT_MS);
		if (err < 0 && err != -EINTR)
			return cli_error(err, "wait for the driver");
	}
}

static int send_piece(struct send *send, struct xdplace_tx_entry *entries, const uint8_t *data,
		      uint64_t length)
{
	struct xdplace_tx_completion done;
	char text[128];
	uint32_t i;
	int err;

	for (i = 0; i < send->count; i++)
		entries[i] = (struct xdplace_tx_entry){
			.data = data,
			.length = (uint32_t)length,
			.destination = send->destinations[i].number,
		};
	err = xdplace_tx_write(send->tx, entries, send->count, 0);
	if (err)
		return cli_error(err, "send");
	err = wait_done(send, &done);
	if (err)
		return err;
	send->sent += length;
	if (!done.error || done.packets)
		return 0;
	cli_warn("nothing can be sent: %s: %s",
		 send_address(&send->destinations[done.entry].to, text, sizeof(text)),
		 strerror(-done.error));
	return CLI_FAILED;
}

int send_fast(struct send *send)
{
	struct xdplace_tx_entry *entries = calloc(send->count, sizeof(*entries));
	uint64_t limit = piece_limit(send), length;
	const uint8_t *data;
	bool end;
	int code = 0;

	if (!entries)
		return cli_errno(ENOMEM, "start");
	while (!cli_stop && !code) {
		length = send_input_have(&send->input, send->sent, send->packet, WAIT_MS, &data,
					 &end);
		if (!length && end)
			break;
		if (length > limit) {
			length = limit;
			end = false;
		}
		length = whole(send, length, end);
		if (!length)
			continue;
		code = send_piece(send, entries, data, length);
		send_input_release(&send->input, send->sent);
		send_progress(send);
	}
	free(entries);
	return code;
}

/* ---- by the pacer ---- */

static int open_streams(struct send *send)
{
	struct xdplace_pacer_opts pacer = {.size = sizeof(pacer), .interval_us = send->interval_us};
	struct xdplace_stream_opts stream = {
		.size = sizeof(stream),
		.rate = send->rate,
		.clock = send->clock,
		.unit = send->unit,
	};
	uint32_t i;
	int number;

	send->pacer = xdplace_pacer_open(send->tx, &pacer);
	if (!send->pacer)
		return cli_error(-errno, "start the pacer");
	for (i = 0; i < send->count; i++) {
		stream.destination = send->destinations[i].number;
		stream.timestamp = send_random();
		number = xdplace_stream_open(send->pacer, &stream);
		if (number < 0)
			return cli_error(number, "open a stream");
		send->destinations[i].stream = (uint32_t)number;
	}
	return 0;
}

/* Give back what all streams have sent. */
static void release(struct send *send)
{
	struct xdplace_stream stream;
	uint64_t waiting = 0;
	uint32_t i;

	for (i = 0; i < send->count; i++)
		if (!xdplace_stream_get(send->pacer, send->destinations[i].stream, &stream) &&
		    stream.waiting > waiting)
			waiting = stream.waiting;
	send_input_release(&send->input, send->sent - waiting);
}

/* What has been read goes to all streams. `over`: that was all. */
static int supply(struct send *send, uint32_t wait_ms, bool *over)
{
	const uint8_t *data;
	uint64_t length;
	bool end;
	uint32_t i;
	int err;

	for (;;) {
		length = send_input_have(&send->input, send->sent, send->packet, wait_ms, &data,
					 &end);
		*over = end && !length;
		length = whole(send, length, end);
		if (!length)
			break;
		for (i = 0; i < send->count; i++) {
			err = xdplace_stream_feed(send->pacer, send->destinations[i].stream, data,
						  length);
			if (err)
				return cli_error(err, "feed a stream");
		}
		send->sent += length;
		wait_ms = 0;
	}
	if (send_input_full(&send->input))
		release(send);
	return 0;
}

static void sleep_us(int us)
{
	const struct timespec time = {us / 1000000, us % 1000000 * 1000};

	nanosleep(&time, NULL);
}

int send_paced(struct send *send)
{
	int left = -ENODATA, code = open_streams(send);
	uint64_t supplied = 0, now;
	bool over = false;

	while (!cli_stop && !code) {
		now = send_now_ns();
		if (!over && (left == -ENODATA || now - supplied > SUPPLY_NS)) {
			code = supply(send, left == -ENODATA ? WAIT_MS : 0, &over);
			supplied = now;
		}
		left = xdplace_pacer_step(send->pacer);
		if (left == -ENODATA && over)
			break;
		if (left < 0 && left != -ENODATA && left != -EINTR)
			return cli_error(left, "send");
		send_progress(send);
		if (left > 0)
			sleep_us(left);
	}
	return code;
}
