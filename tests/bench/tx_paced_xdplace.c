/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * tx_paced_xdplace.c - paced streams by xdplace's pacer over the engine `run`.
 *
 * In: as many streams as there are, each with data of its own that are sent
 * over and over. Out: packets that drivers took. It sleeps for as long as the
 * pacer says, and steps.
 */
#include <errno.h>
#include <time.h>

#include <xdplace/transmit.h>

#include "tx.h"

static struct xdplace_tx *tx;
static struct xdplace_pacer *pacer;

static int excuse(struct tx_paced *paced, int err)
{
	snprintf(paced->why, sizeof(paced->why), "%s", xdplace_error());
	return err;
}

static int open_stream(uint32_t number, uint8_t *memory)
{
	const struct sockaddr_in to = tx_address(number);
	const struct xdplace_destination_opts destination = {
		.size = sizeof(destination), .to = (const void *)&to, .payload = TX_STREAM_SIZE};
	struct xdplace_stream_opts stream = {
		.size = sizeof(stream),
		.rate = TX_STREAM_RATE,
		.data = memory + number * TX_DATA,
		.length = TX_DATA - TX_DATA % TX_STREAM_SIZE,
		.loop = true,
	};
	int err = xdplace_destination_open(tx, &destination);

	if (err < 0)
		return err;
	stream.destination = err;
	err = xdplace_stream_open(pacer, &stream);
	return err < 0 ? err : 0;
}

int tx_paced_open_pacer(struct tx_paced *paced)
{
	const struct xdplace_tx_opts opts = {
		.size = sizeof(opts),
		.engine = XDPLACE_TX_RUN,
		.no_checksum = true,
	};
	const struct xdplace_pacer_opts pacer_opts = {.size = sizeof(pacer_opts)};
	uint8_t *memory;
	size_t size;
	uint32_t i;
	int err = 0;

	tx = xdplace_tx_open(NULL, &opts);
	if (!tx)
		return excuse(paced, -errno);
	memory = xdplace_tx_memory(tx, &size);
	if (size < (size_t)TX_STREAMS * TX_DATA)
		return -ENOBUFS;
	tx_fill(memory, TX_STREAMS);
	pacer = xdplace_pacer_open(tx, &pacer_opts);
	if (!pacer)
		return excuse(paced, -errno);
	for (i = 0; !err && i < TX_STREAMS; i++)
		err = open_stream(i, memory);
	paced->tick = xdplace_pacer_interval(pacer) / 1e6;
	return err ? excuse(paced, err) : 0;
}

void tx_paced_close_pacer(struct tx_paced *paced)
{
	xdplace_pacer_close(pacer);
	xdplace_tx_close(tx);
	pacer = NULL;
	tx = NULL;
}

static void sleep_us(int us)
{
	const struct timespec ts = {us / 1000000, us % 1000000 * 1000l};

	clock_nanosleep(CLOCK_MONOTONIC, 0, &ts, NULL);
}

int tx_paced_run_pacer(struct tx_paced *paced, double seconds)
{
	double until = bench_now() + seconds;
	struct xdplace_tx_stats stats;
	uint64_t before;
	int us;

	xdplace_tx_stats(tx, &stats);
	before = stats.packets;
	while (bench_now() < until) {
		us = xdplace_pacer_step(pacer);
		if (us < 0)
			return excuse(paced, us);
		sleep_us(us);
	}
	xdplace_tx_stats(tx, &stats);
	paced->sent = stats.packets - before;
	return 0;
}
