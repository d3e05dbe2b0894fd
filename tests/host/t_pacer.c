/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * t_pacer.c - the pacer's arithmetic: which packet is due when [T7], with which timestamp [T8].
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "pace.h"
#include "suites.h"

#define MS 1000000ull
#define SECOND (1000 * MS)
#define MOST 4096
#define PACKET 1472u
#define TS_UNIT 188u
#define TS_PACKET (7 * TS_UNIT)

static struct xp_pace pace;
static uint8_t media[1 << 20];
static struct xdplace_tx_entry entries[MOST];
static struct xp_pace_due due[MOST];

static void setup(void)
{
	memset(&pace, 0, sizeof(pace));
}

static void teardown(void)
{
	xp_pace_free(&pace);
}

static struct xdplace_stream_opts options(uint64_t rate, uint64_t length)
{
	return (struct xdplace_stream_opts){
		.size = sizeof(struct xdplace_stream_opts),
		.rate = rate,
		.data = media,
		.length = length,
	};
}

static struct xp_pace_stream *open_with(struct xdplace_stream_opts opts, uint32_t packet)
{
	int number = xp_pace_open(&pace, &opts, packet);

	ck_assert_int_ge(number, 0);
	return xp_pace_stream(&pace, number);
}

static struct xp_pace_stream *open_stream(uint64_t rate, uint64_t length, uint32_t packet)
{
	return open_with(options(rate, length), packet);
}

/* Whole packets only, if `length` is some. */
static struct xp_pace_stream *open_loop(uint64_t rate, uint64_t length, uint32_t packet)
{
	struct xdplace_stream_opts opts = options(rate, length);

	opts.loop = true;
	return open_with(opts, packet);
}

static uint64_t exactly(uint64_t a, uint64_t b, uint64_t c)
{
	return (unsigned __int128)a * b / c;
}

/* ---- due times ---- */

/* A stream whose packet time is no whole number of anything: the k-th is due at k / rate. */
START_TEST(pacer_no_drift)
{
	static const uint64_t rates[] = {64000, 2000000, 8000001, 999999937, 38810700};
	struct xp_pace_stream *stream = open_loop(rates[_i], 10 * PACKET, PACKET);
	uint64_t k = 0, until, first = stream->due.whole, at = PACKET * 8 * SECOND, wrong = 0;
	uint32_t i, n;

	for (until = 10 * MS; until < 3600 * SECOND && k < 1000000; until += 10 * MS) {
		n = xp_pace_take(&pace, until, entries, due, MOST);
		for (i = 0; i < n; i++, k++) {
			wrong += due[i].due != first + exactly(k, at, rates[_i]);
			wrong += due[i].due >= until || due[i].due + 10 * MS < until;
		}
	}
	ck_assert_uint_gt(k, 10000);
	ck_assert_uint_eq(wrong, 0);
}
END_TEST

/* A thousand streams of 2 Mb/s for a minute: rate x time within a packet, never in heaps. */
START_TEST(pacer_thousand)
{
	const uint64_t rate = 2000000, wanted = 60 * rate / 8;
	uint64_t until, last = 0, disorder = 0;
	struct xp_pace_stream *stream;
	uint32_t i, n, worst = 0;

	for (i = 0; i < 1000; i++)
		open_loop(rate, 100 * TS_PACKET, TS_PACKET);
	for (until = 5 * MS; until <= 60 * SECOND; until += 5 * MS) {
		n = xp_pace_take(&pace, until, entries, due, MOST);
		worst = n > worst ? n : worst;
		for (i = 0; i < n; i++) {
			disorder += due[i].due < last;
			last = due[i].due;
		}
	}
	for (i = 0; i < 1000; i++) {
		stream = xp_pace_stream(&pace, i);
		ck_assert_msg(stream->taken <= wanted + TS_PACKET &&
				      stream->taken + TS_PACKET >= wanted,
			      "stream %u: %lu bytes", i, (unsigned long)stream->taken);
	}
	ck_assert_uint_eq(disorder, 0);
	ck_assert_uint_le(worst, 960); /* a packet takes 5.264 ms: 950 are due in 5 */
}
END_TEST

/* Streams of one rate, and an interval that is a tenth of their packet's time: each has its share.
 */
START_TEST(pacer_phases)
{
	const uint64_t packet_time = exactly(TS_PACKET, 8 * SECOND, 2000000);
	uint32_t i, n, least = MOST, most = 0;

	for (i = 0; i < 200; i++)
		open_loop(2000000, TS_PACKET, TS_PACKET);
	for (i = 1; i <= 100; i++) {
		n = xp_pace_take(&pace, i * packet_time / 10, entries, due, MOST);
		least = n < least ? n : least;
		most = n > most ? n : most;
	}
	ck_assert_uint_ge(least, 17);
	ck_assert_uint_le(most, 23);
}
END_TEST

static uint32_t heap_faults(void)
{
	uint32_t i, faults = 0;

	for (i = 1; i < pace.queued; i++)
		faults += pace.heap[i].due < pace.heap[(i - 1) / 2].due;
	for (i = 0; i < pace.queued; i++)
		faults += pace.streams[pace.heap[i].stream].at != i;
	return faults;
}

/* Whatever is opened, fed and closed: packets come in the order in which they are due. */
START_TEST(pacer_order)
{
	uint64_t until = 0, last = 0, wrong = 0;
	struct xp_pace_stream *stream;
	uint32_t i, n, round;

	srand(1);
	for (round = 0; round < 20000; round++) {
		stream = xp_pace_stream(&pace, (uint32_t)rand() % 300);
		if (stream && rand() % 2)
			xp_pace_close(&pace, stream);
		else if (stream)
			xp_pace_feed(&pace, stream, media, 5000, MS);
		else
			open_stream(1000 * (1 + (uint64_t)rand() % 100000), 1 + rand() % 20000,
				    PACKET);
		until += (uint64_t)rand() % (2 * MS);
		n = xp_pace_take(&pace, until, entries, due, MOST);
		for (i = 0; i < n; i++) {
			wrong += due[i].due < last || due[i].due >= until;
			last = due[i].due;
		}
		wrong += pace.horizon != until || heap_faults();
	}
	ck_assert_uint_gt(last, 10 * SECOND);
	ck_assert_uint_eq(wrong, 0);
}
END_TEST

/* Of more than fits, the rest comes next, and time does not go on before. */
START_TEST(pacer_full)
{
	open_stream(80000000, 10000, 1000); /* ten packets of 100 us */
	ck_assert_uint_eq(xp_pace_take(&pace, MS, entries, due, 4), 4);
	ck_assert_uint_eq(pace.horizon, 0);
	ck_assert_uint_eq(xp_pace_take(&pace, MS, entries, due, MOST), 6);
	ck_assert_uint_eq(pace.horizon, MS);
	ck_assert_ptr_eq(entries[0].data, media + 4000);
}
END_TEST

/* ---- data ---- */

START_TEST(pacer_units)
{
	struct xdplace_stream_opts opts = options(10000000, 100 * TS_UNIT + 50);
	uint32_t i, n;

	opts.unit = TS_UNIT;
	open_with(opts, PACKET);
	n = xp_pace_take(&pace, SECOND, entries, due, MOST);
	ck_assert_uint_eq(n, 15);
	for (i = 0; i < 14; i++) {
		ck_assert_uint_eq(entries[i].length, TS_PACKET);
		ck_assert_ptr_eq(entries[i].data, media + i * TS_PACKET);
	}
	/* Two units and what is no unit: the data end so. */
	ck_assert_uint_eq(entries[14].length, 2 * TS_UNIT + 50);
	ck_assert_uint_eq(pace.queued, 0);
}
END_TEST

START_TEST(pacer_unit_too_long)
{
	struct xdplace_stream_opts opts = options(10000000, 10000);

	opts.unit = PACKET + 1;
	ck_assert_int_eq(xp_pace_open(&pace, &opts, PACKET), -EINVAL);
	opts.unit = PACKET;
	ck_assert_int_eq(xp_pace_open(&pace, &opts, PACKET), 0);
}
END_TEST

START_TEST(pacer_rate_range)
{
	struct xdplace_stream_opts opts = options(0, 10000);

	ck_assert_int_eq(xp_pace_open(&pace, &opts, PACKET), -EINVAL);
	opts.rate = XP_PACE_RATE + 1;
	ck_assert_int_eq(xp_pace_open(&pace, &opts, PACKET), -EINVAL);
	opts.rate = XP_PACE_RATE;
	ck_assert_int_eq(xp_pace_open(&pace, &opts, 0), -EINVAL);
	ck_assert_int_eq(xp_pace_open(&pace, &opts, PACKET), 0);
}
END_TEST

START_TEST(pacer_loop)
{
	struct xp_pace_stream *stream = open_loop(8000000, 2500, 1000);
	uint32_t i, n = xp_pace_take(&pace, 10 * MS, entries, due, MOST);

	ck_assert_uint_eq(n, 12);
	for (i = 0; i < n; i++) {
		ck_assert_ptr_eq(entries[i].data, media + i % 3 * 1000);
		ck_assert_uint_eq(entries[i].length, i % 3 == 2 ? 500 : 1000);
		ck_assert_uint_eq(due[i].due, i / 3 * 2500000 + i % 3 * MS);
	}
	ck_assert_uint_eq(stream->taken, 4 * 2500);
	ck_assert_uint_eq(stream->given, 5 * 2500);
}
END_TEST

/* What is fed to a loop takes its place. */
START_TEST(pacer_loop_fed)
{
	struct xp_pace_stream *stream = open_loop(8000000, 2000, 1000);

	ck_assert_int_eq(xp_pace_feed(&pace, stream, media + 2000, 1000, MS), 0);
	ck_assert_uint_eq(xp_pace_take(&pace, 4 * MS, entries, due, MOST), 4);
	ck_assert_ptr_eq(entries[1].data, media + 1000);
	ck_assert_ptr_eq(entries[2].data, media + 2000);
	ck_assert_ptr_eq(entries[3].data, media + 2000);
}
END_TEST

/* One piece can wait; it begins with a packet of its own. */
START_TEST(pacer_feed)
{
	struct xp_pace_stream *stream = open_stream(8000000, 1500, 1000);

	ck_assert_int_eq(xp_pace_feed(&pace, stream, media + 5000, 1000, MS), 0);
	ck_assert_int_eq(xp_pace_feed(&pace, stream, media + 9000, 1000, MS), -EAGAIN);
	ck_assert_uint_eq(stream->given, 2500);
	ck_assert_uint_eq(xp_pace_take(&pace, 2 * MS, entries, due, MOST), 3);
	ck_assert_uint_eq(entries[1].length, 500);
	ck_assert_ptr_eq(entries[2].data, media + 5000);
	ck_assert_uint_eq(due[2].due, 1500000);
}
END_TEST

/* Pieces that lie one behind the other are one: no short packets, and as many as one likes. */
START_TEST(pacer_feed_joins)
{
	struct xp_pace_stream *stream = open_stream(8000000, 700, 1000);
	uint32_t i;

	for (i = 1; i < 10; i++)
		ck_assert_int_eq(xp_pace_feed(&pace, stream, media + 700 * i, 700, MS), 0);
	ck_assert_int_eq(xp_pace_feed(&pace, stream, media, 300, MS), 0);
	ck_assert_int_eq(xp_pace_feed(&pace, stream, media + 300, 700, MS), 0);
	ck_assert_uint_eq(xp_pace_take(&pace, SECOND, entries, due, MOST), 8);
	for (i = 0; i < 8; i++) {
		ck_assert_ptr_eq(entries[i].data, media + i % 7 * 1000);
		ck_assert_uint_eq(entries[i].length, 1000);
	}
}
END_TEST

/* Data that come too late: counted in intervals, and sent from then on without a burst. */
START_TEST(pacer_starved)
{
	struct xp_pace_stream *stream = open_stream(8000000, 2000, 1000);

	stream->timestamp = 1000;
	ck_assert_uint_eq(xp_pace_take(&pace, 3 * MS, entries, due, MOST), 2);
	ck_assert_uint_eq(pace.queued, 0);
	ck_assert_uint_eq(xp_pace_take(&pace, 12 * MS, entries, due, MOST), 0);
	ck_assert_int_eq(xp_pace_feed(&pace, stream, media, 5000, 4 * MS), 0);
	ck_assert_uint_eq(stream->starved, 3); /* 2 ms to 12 ms */
	ck_assert_uint_eq(xp_pace_take(&pace, 14 * MS, entries, due, MOST), 2);
	ck_assert_uint_eq(due[0].due, 12 * MS);
	ck_assert_uint_eq(entries[0].timestamp, 1000 + 12 * 90);
}
END_TEST

/* In time, though nothing was there for a while: as if it had been. */
START_TEST(pacer_fed_in_time)
{
	struct xp_pace_stream *stream = open_stream(8000, 1000, 1000); /* a packet a second */

	ck_assert_uint_eq(xp_pace_take(&pace, 900 * MS, entries, due, MOST), 1);
	ck_assert_int_eq(xp_pace_feed(&pace, stream, media, 1000, MS), 0);
	ck_assert_uint_eq(stream->starved, 0);
	ck_assert_uint_eq(xp_pace_take(&pace, 1001 * MS, entries, due, MOST), 1);
	ck_assert_uint_eq(due[0].due, 1000 * MS);
}
END_TEST

START_TEST(pacer_resize)
{
	struct xdplace_stream_opts opts = options(10000000, 100000);

	opts.unit = TS_UNIT;
	xp_pace_resize(open_with(opts, PACKET), 548);
	ck_assert_uint_eq(xp_pace_take(&pace, MS, entries, due, MOST), 4);
	ck_assert_uint_eq(entries[0].length, 2 * TS_UNIT);
	ck_assert_uint_eq(due[1].due, 300800);
}
END_TEST

/* ---- RTP ---- */

/* Exactly those of the time, for a clock that does not divide anything, through the wrap. */
START_TEST(pacer_timestamps)
{
	static const uint32_t clocks[] = {90000, 8000, 44100, 48000};
	struct xdplace_stream_opts opts = options(3333333, 100 * PACKET);
	uint64_t k = 0, until, ticks = PACKET * 8ull * clocks[_i], wrong = 0;
	uint32_t i, n;

	opts.loop = true;
	opts.clock = clocks[_i];
	opts.timestamp = 0xfffff000;
	open_with(opts, PACKET);
	for (until = 10 * MS; k < 100000; until += 10 * MS) {
		n = xp_pace_take(&pace, until, entries, due, MOST);
		for (i = 0; i < n; i++, k++)
			wrong += entries[i].timestamp !=
				 (uint32_t)(opts.timestamp + exactly(k, ticks, opts.rate));
	}
	ck_assert_uint_eq(wrong, 0);
	ck_assert_uint_lt(entries[0].timestamp, opts.timestamp); /* it has wrapped */
}
END_TEST

START_TEST(pacer_marker)
{
	struct xdplace_stream_opts opts = options(8000000, 2000);

	opts.marker = true;
	xp_pace_feed(&pace, open_with(opts, 1000), media + 4000, 1500, MS);
	ck_assert_uint_eq(xp_pace_take(&pace, 10 * MS, entries, due, MOST), 4);
	ck_assert_uint_eq(entries[0].flags, 0);
	ck_assert_uint_eq(entries[1].flags, XDPLACE_TX_MARKER);
	ck_assert_uint_eq(entries[2].flags, 0);
	ck_assert_uint_eq(entries[3].flags, XDPLACE_TX_MARKER);
}
END_TEST

/* ---- interval ---- */

static uint64_t packet_time(uint64_t rate)
{
	return exactly(TS_PACKET, 8 * SECOND, rate);
}

static void expect_interval(uint64_t wanted)
{
	uint64_t interval = xp_pace_interval(&pace);

	ck_assert_uint_le(interval, wanted + 1);
	ck_assert_uint_ge(interval + 1, wanted);
}

/* A packet of the typical stream; parts of it for a slow one; several for a fast one. */
START_TEST(pacer_interval_one)
{
	static const struct {
		uint64_t rate;
		uint32_t times;
		uint32_t parts;
	} of[] = {{8000000, 1, 1},   {2000000, 1, 1},  {64000, 1, 2},
		  {100000000, 5, 1}, {30000000, 2, 1}, {1000000000, 48, 1}};

	open_loop(of[_i].rate, TS_PACKET, TS_PACKET);
	expect_interval(packet_time(of[_i].rate) * of[_i].times / of[_i].parts);
	ck_assert_uint_ge(xp_pace_interval(&pace), XP_PACE_LEAST);
	ck_assert_uint_le(xp_pace_interval(&pace), XP_PACE_MOST);
}
END_TEST

/* No more than 256 packets in a write, and each stream in every n-th. */
START_TEST(pacer_interval_many)
{
	uint32_t i;

	for (i = 0; i < 256; i++)
		open_loop(2000000, TS_PACKET, TS_PACKET);
	expect_interval(packet_time(2000000));
	for (; i < 1000; i++)
		open_loop(2000000, TS_PACKET, TS_PACKET);
	expect_interval(packet_time(2000000) / 4);
	for (; i < 10000; i++)
		open_loop(2000000, TS_PACKET, TS_PACKET);
	expect_interval(packet_time(2000000) / 10); /* the least is 500 us */
}
END_TEST

/* The fastest has no more than eight packets at a time. */
START_TEST(pacer_interval_mixed)
{
	uint32_t i;

	for (i = 0; i < 20; i++)
		open_loop(200000, TS_PACKET, TS_PACKET);
	open_loop(20000000, TS_PACKET, TS_PACKET);
	ck_assert_uint_le(xp_pace_interval(&pace), 8 * packet_time(20000000));
	ck_assert_uint_ge(xp_pace_interval(&pace), 4 * packet_time(20000000));
	xp_pace_close(&pace, xp_pace_stream(&pace, 20));
	expect_interval(packet_time(200000));
}
END_TEST

/* ---- stalls ---- */

START_TEST(pacer_stall)
{
	uint64_t skip, horizon = 100 * MS, until = horizon + 20 * MS;

	ck_assert_uint_eq(xp_pace_advance(horizon, until, 20 * MS, &skip), until);
	ck_assert_uint_eq(skip, 0);
	/* Half a second was missed: a step at a time, nothing is lost. */
	until = horizon + 500 * MS;
	ck_assert_uint_eq(xp_pace_advance(horizon, until, 20 * MS, &skip), horizon + 20 * MS);
	ck_assert_uint_eq(skip, 0);
	/* An hour: the clock has stood still. */
	until = horizon + 3600 * SECOND;
	ck_assert_uint_eq(xp_pace_advance(horizon, until, 20 * MS, &skip), horizon + 20 * MS);
	ck_assert_uint_eq(skip, 3600 * SECOND - 20 * MS);
}
END_TEST

/* A step: eight packets of a stream, 256 of all, but two intervals at least. */
START_TEST(pacer_most)
{
	uint32_t i;

	open_loop(8000000, TS_PACKET, TS_PACKET);
	ck_assert_uint_eq(xp_pace_most(&pace, packet_time(8000000)), 8 * packet_time(8000000));
	for (i = 1; i < 64; i++)
		open_loop(8000000, TS_PACKET, TS_PACKET);
	ck_assert_uint_eq((xp_pace_most(&pace, packet_time(8000000)) + 1) / 1000,
			  packet_time(8000000) * 4 / 1000);
	for (; i < 256; i++)
		open_loop(8000000, TS_PACKET, TS_PACKET);
	ck_assert_uint_eq(xp_pace_most(&pace, packet_time(8000000)), 2 * packet_time(8000000));
}
END_TEST

/* ---- jitter ---- */

/* Early or late by the same every time is no jitter. */
START_TEST(pacer_jitter_none)
{
	struct xp_pace_stream *stream = open_stream(8000000, 1000, 1000);
	uint64_t k;

	for (k = 0; k < 100; k++)
		xp_pace_account(stream, k * MS, k * MS + 700000, MS);
	ck_assert_uint_eq(stream->jitter, 0);
	ck_assert_uint_eq(stream->late, 0);
	ck_assert_uint_eq(stream->max_late, 700000);
}
END_TEST

/* RFC 3550, A.8: now and then 400 us apart converges to 400 us. */
START_TEST(pacer_jitter_mean)
{
	struct xp_pace_stream *stream = open_stream(8000000, 1000, 1000);
	uint64_t k;

	for (k = 0; k < 1000; k++)
		xp_pace_account(stream, k * MS, k * MS - (k & 1 ? 400000 : 0), MS);
	ck_assert_uint_ge(stream->jitter >> 4, 399000);
	ck_assert_uint_le(stream->jitter >> 4, 401000);
	ck_assert_uint_eq(stream->max_late, 0);
}
END_TEST

START_TEST(pacer_late)
{
	struct xp_pace_stream *stream = open_stream(8000000, 1000, 1000);

	xp_pace_account(stream, 10 * MS, 11 * MS, MS);
	ck_assert_uint_eq(stream->late, 0);
	xp_pace_account(stream, 11 * MS, 12 * MS + 1, MS);
	ck_assert_uint_eq(stream->late, 1);
	ck_assert_uint_eq(stream->max_late, MS + 1);
}
END_TEST

Suite *suite_pacer(void)
{
	Suite *suite = suite_create("pacer");
	TCase *tests = tcase_create("pacer");

	tcase_add_checked_fixture(tests, setup, teardown);
	tcase_set_timeout(tests, 20);
	tcase_add_loop_test(tests, pacer_no_drift, 0, 5);
	tcase_add_test(tests, pacer_thousand);
	tcase_add_test(tests, pacer_phases);
	tcase_add_test(tests, pacer_order);
	tcase_add_test(tests, pacer_full);
	tcase_add_test(tests, pacer_units);
	tcase_add_test(tests, pacer_unit_too_long);
	tcase_add_test(tests, pacer_rate_range);
	tcase_add_test(tests, pacer_loop);
	tcase_add_test(tests, pacer_loop_fed);
	tcase_add_test(tests, pacer_feed);
	tcase_add_test(tests, pacer_feed_joins);
	tcase_add_test(tests, pacer_starved);
	tcase_add_test(tests, pacer_fed_in_time);
	tcase_add_test(tests, pacer_resize);
	tcase_add_loop_test(tests, pacer_timestamps, 0, 4);
	tcase_add_test(tests, pacer_marker);
	tcase_add_loop_test(tests, pacer_interval_one, 0, 6);
	tcase_add_test(tests, pacer_interval_many);
	tcase_add_test(tests, pacer_interval_mixed);
	tcase_add_test(tests, pacer_stall);
	tcase_add_test(tests, pacer_most);
	tcase_add_test(tests, pacer_jitter_none);
	tcase_add_test(tests, pacer_jitter_mean);
	tcase_add_test(tests, pacer_late);
	suite_add_tcase(suite, tests);
	return suite;
}
