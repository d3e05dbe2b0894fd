/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * send.c - sends a file to many destinations at a rate, as RTP packets of MPEG-TS.
 *
 *	send FILE BITS_PER_SECOND ADDRESS:PORT...
 *
 * In: a file of at most 64 MiB. Out: packets of seven times 188 bytes, until all destinations have
 * the whole file; a line for each. The file is read into the memory that packets are made from.
 */
#include <arpa/inet.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <xdplace/transmit.h>

static volatile int stop;

static void on_signal(int number)
{
	stop = 1;
}

static int fail(const char *what)
{
	fprintf(stderr, "send: %s: %s\n", what, xdplace_error());
	return 1;
}

/* Bytes of the file in the transmitter's memory; -1: it can't be read. */
static ssize_t load(const struct xdplace_tx *tx, const char *name)
{
	size_t size, have = 0;
	char *memory = xdplace_tx_memory(tx, &size);
	int fd = open(name, O_RDONLY);
	ssize_t n;

	for (n = 1; n > 0 && have<size; have += n> 0 ? (size_t)n : 0)
		n = read(fd, memory + have, size - have);
	close(fd);
	return n < 0 ? n : (ssize_t)have;
}

static int add(struct xdplace_tx *tx, struct xdplace_pacer *pacer, char *where, uint64_t rate,
	       size_t length)
{
	char *port = strchr(where, ':');
	struct sockaddr_in to = {.sin_family = AF_INET};
	struct xdplace_destination_opts way = {
		.size = sizeof(way), .to = (void *)&to, .rtp = true, .rtp_type = 33};
	struct xdplace_stream_opts stream = {.size = sizeof(stream),
					     .rate = rate,
					     .data = xdplace_tx_memory(tx, NULL),
					     .length = length,
					     .unit = 188};
	int number;

	if (!port)
		return -1;
	*port++ = 0;
	to.sin_port = htons((uint16_t)atoi(port));
	inet_pton(AF_INET, where, &to.sin_addr);
	way.rtp_ssrc = to.sin_addr.s_addr ^ to.sin_port;
	number = xdplace_destination_open(tx, &way);
	stream.destination = (uint32_t)number;
	return number < 0 ? number : xdplace_stream_open(pacer, &stream);
}

int main(int argc, char **argv)
{
	struct xdplace_tx *tx = argc > 3 ? xdplace_tx_open(NULL, NULL) : NULL;
	struct xdplace_pacer *pacer = tx ? xdplace_pacer_open(tx, NULL) : NULL;
	struct xdplace_stream stream;
	ssize_t length;
	int i, err;

	signal(SIGINT, on_signal);
	if (!pacer)
		return fail("FILE BITS_PER_SECOND ADDRESS:PORT...");
	length = load(tx, argv[1]);
	if (length < 0)
		return perror(argv[1]), 1;
	for (i = 3; i < argc; i++)
		if (add(tx, pacer, argv[i], strtoull(argv[2], NULL, 0), (size_t)length) < 0)
			return fail(argv[i]);
	err = xdplace_pacer_run(pacer, &stop);
	for (i = 0; !xdplace_stream_get(pacer, (uint32_t)i, &stream); i++)
		printf("%d: %llu bytes in %llu packets, jitter %u us\n", i,
		       (unsigned long long)stream.bytes, (unsigned long long)stream.packets,
		       stream.jitter_us);
	xdplace_pacer_close(pacer);
	xdplace_tx_close(tx);
	return err < 0 ? fail("send") : 0;
}
