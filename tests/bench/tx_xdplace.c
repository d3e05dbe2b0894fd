/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * tx_xdplace.c - xdplace as the systems run and xsk: a transmitter and its
 * writes.
 *
 * In: the traffic. Out: packets that its completions say drivers took. One
 * write has an entry for each destination, of as many packets as make some
 * thousands in all; the library lets them take turns. Data lie in the
 * transmitter's memory, as long for each destination as with all systems.
 */
#include <errno.h>
#include <stdlib.h>

#include <xdplace/transmit.h>

#include "tx.h"

#define PACKETS 4096u /* in a write, about */
#define FINISH_MS 2000

struct tx_xdplace {
	struct xdplace_tx *tx;
	uint8_t *memory;
	struct tx_traffic traffic;
	uint32_t whole; /* packets that a destination's data are */
	uint32_t each;	/* packets of an entry */
	uint32_t at;	/* the next entry's first */
	uint32_t count; /* entries of a write */
	uint64_t under_way;
	struct xdplace_tx_entry entry[PACKETS];
};

static int excuse(struct tx_system *system, int err)
{
	snprintf(system->why, sizeof(system->why), "%s", xdplace_error());
	return err;
}

/* ---- opening ---- */

static int open_transmitter(struct tx_system *system)
{
	const struct xdplace_tx_opts opts = {
		.size = sizeof(opts),
		.engine = system->xsk_engine ? XDPLACE_TX_XSK : XDPLACE_TX_RUN,
		.destinations = TX_DESTINATIONS_MAX,
		.entries = PACKETS,
		.no_checksum = !system->checksum,
	};
	struct tx_xdplace *gather = system->xdplace;
	size_t size;

	gather->tx = xdplace_tx_open(NULL, &opts);
	if (!gather->tx)
		return excuse(system, -errno);
	gather->memory = xdplace_tx_memory(gather->tx, &size);
	if (size < (size_t)gather->traffic.destinations * TX_DATA)
		return -ENOBUFS;
	tx_fill(gather->memory, gather->traffic.destinations);
	return 0;
}

static int open_destination(struct tx_system *system, uint32_t number)
{
	const struct tx_traffic *traffic = &system->xdplace->traffic;
	const struct sockaddr_in to = tx_address(number);
	const struct xdplace_destination_opts opts = {
		.size = sizeof(opts), .to = (const void *)&to, .payload = traffic->size};
	struct xdplace_destination info;
	int destination = xdplace_destination_open(system->xdplace->tx, &opts);

	if (destination < 0)
		return excuse(system, destination);
	if (destination != (int)number)
		return -EINVAL;
	xdplace_destination_get(system->xdplace->tx, number, &info);
	if (info.payload == traffic->size)
		return 0;
	snprintf(system->why, sizeof(system->why), "its packets have at most %u bytes of payload",
		 info.payload);
	return -EMSGSIZE;
}

/* Some thousands of packets; several entries for a destination that is the only
 * one. */
static void plan(struct tx_xdplace *gather)
{
	const struct tx_traffic *traffic = &gather->traffic;
	uint32_t share = PACKETS / traffic->destinations;

	gather->whole = TX_DATA / traffic->size;
	gather->each = share < gather->whole ? share : gather->whole;
	gather->count = traffic->destinations * (share / gather->each);
}

static void gather_close(struct tx_system *system)
{
	if (system->xdplace->tx)
		xdplace_tx_close(system->xdplace->tx);
	free(system->xdplace);
}

static int gather_open(struct tx_system *system, const struct tx_traffic *traffic)
{
	struct tx_xdplace *gather = calloc(1, sizeof(*gather));
	uint32_t i;
	int err;

	if (!gather)
		return -ENOMEM;
	system->xdplace = gather;
	gather->traffic = *traffic;
	plan(gather);
	err = open_transmitter(system);
	for (i = 0; !err && i < traffic->destinations; i++)
		err = open_destination(system, i);
	if (err)
		gather_close(system);
	return err;
}

/* ---- sending ---- */

static void fill(struct tx_xdplace *gather)
{
	const struct tx_traffic *traffic = &gather->traffic;
	uint32_t i, destination;

	for (i = 0; i < gather->count; i++) {
		destination = i % traffic->destinations;
		gather->entry[i] = (struct xdplace_tx_entry){
			.data = gather->memory + destination * TX_DATA + gather->at * traffic->size,
			.length = gather->each * traffic->size,
			.destination = destination,
		};
		if (destination + 1 < traffic->destinations)
			continue;
		gather->at += gather->each;
		if (gather->at + gather->each > gather->whole)
			gather->at = 0;
	}
}

static int take_completions(struct tx_system *system)
{
	struct xdplace_tx_completion completion[16];
	int i, count = xdplace_tx_poll(system->xdplace->tx, completion, 16);
	int err = 0;

	for (i = 0; i < count; i++) {
		system->sent += completion[i].packets;
		system->xdplace->under_way--;
		/* What a driver refused is told, and is no error here. */
		if (completion[i].error && !completion[i].packets)
			err = completion[i].error;
	}
	return count < 0 ? count : err;
}

static int gather_send(struct tx_system *system)
{
	struct tx_xdplace *gather = system->xdplace;
	int err;

	fill(gather);
	err = xdplace_tx_write(gather->tx, gather->entry, gather->count, 0);
	while (err == -EAGAIN) {
		xdplace_tx_wait(gather->tx, FINISH_MS);
		err = take_completions(system);
		if (!err)
			err = xdplace_tx_write(gather->tx, gather->entry, gather->count, 0);
	}
	if (err)
		return excuse(system, err);
	gather->under_way++;
	return take_completions(system);
}

static int gather_finish(struct tx_system *system)
{
	struct tx_xdplace *gather = system->xdplace;
	int err = 0;

	while (!err && gather->under_way) {
		if (xdplace_tx_wait(gather->tx, FINISH_MS) <= 0)
			return -ETIMEDOUT;
		err = take_completions(system);
	}
	return err;
}

const struct tx_ops tx_xdplace_ops = {
	.open = gather_open,
	.close = gather_close,
	.send = gather_send,
	.finish = gather_finish,
};
