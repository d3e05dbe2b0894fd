/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * tx_ways.c - destinations of a transmitter, held open and watched.
 *
 * In:  [-n COUNT] [-t MS] [-w] TO[%IF][/FROM]...: open a destination for each, or COUNT of
 *      them from each address on; wait MS for neighbours; -w: send a datagram to each of them ten
 *      times a second. SIGTERM ends it.
 * Out: a line of JSON for each that can't be opened, one "opened", and one for each destination
 *      whenever what is known of it changes.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <xdplace/transmit.h>

#define MOST 65536
#define SHOWN 64 /* more are counted only */
#define PORT 5004
#define LOOK_US 10000

static struct xdplace_tx *tx;
static struct xdplace_destination last[SHOWN];
static int opened;
static volatile sig_atomic_t ended;

static void end(int signal)
{
	ended = 1;
}

static double now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1e3 + now.tv_nsec / 1e6;
}

static bool parse(const char *text, struct sockaddr_storage *address)
{
	struct sockaddr_in6 *in6 = (void *)address;
	struct sockaddr_in *in = (void *)address;

	memset(address, 0, sizeof(*address));
	if (inet_pton(AF_INET, text, &in->sin_addr) == 1) {
		in->sin_family = AF_INET;
		in->sin_port = htons(PORT);
		return true;
	}
	in6->sin6_family = AF_INET6;
	in6->sin6_port = htons(PORT);
	return inet_pton(AF_INET6, text, &in6->sin6_addr) == 1;
}

/* The next address, the next network of 65536 included. */
static void step(struct sockaddr_storage *address)
{
	uint8_t *end_of = address->ss_family == AF_INET
				  ? (uint8_t *)&((struct sockaddr_in *)address)->sin_addr + 4
				  : (uint8_t *)&((struct sockaddr_in6 *)address)->sin6_addr + 16;

	if (!++end_of[-1])
		++end_of[-2];
}

static void print_address(const char *name, const struct sockaddr_storage *address)
{
	const struct sockaddr_in6 *in6 = (const void *)address;
	const struct sockaddr_in *in = (const void *)address;
	bool v4 = address->ss_family == AF_INET;
	char text[INET6_ADDRSTRLEN] = "";

	inet_ntop(address->ss_family, v4 ? (void *)&in->sin_addr : (void *)&in6->sin6_addr, text,
		  sizeof(text));
	printf("\"%s\":\"%s\",\"%s_port\":%u,", name, text, name,
	       ntohs(v4 ? in->sin_port : in6->sin6_port));
}

static void print_mac(const char *name, const uint8_t *mac)
{
	printf("\"%s\":\"%02x:%02x:%02x:%02x:%02x:%02x\",", name, mac[0], mac[1], mac[2], mac[3],
	       mac[4], mac[5]);
}

static void show(int number, const struct xdplace_destination *d)
{
	printf("{\"number\":%d,\"error\":\"%s\",\"ifname\":\"%s\",\"mtu\":%u,\"payload\":%u,"
	       "\"vlan\":%u,",
	       number, d->error ? strerrorname_np(d->error) : "", d->ifname, d->mtu, d->payload,
	       d->vlan);
	print_address("to", &d->to);
	print_address("from", &d->from);
	print_mac("mac", d->mac);
	print_mac("source_mac", d->source_mac);
	printf("\"changes\":%u}\n", d->changes);
}

static void look(void)
{
	struct xdplace_destination d;
	int i;

	for (i = 0; i < opened && i < SHOWN; i++) {
		if (xdplace_destination_get(tx, i, &d))
			continue;
		d.packets = d.bytes = d.rtp_sequence = 0;
		if (!memcmp(&d, &last[i], sizeof(d)))
			continue;
		last[i] = d;
		show(i, &d);
	}
	fflush(stdout);
}

static void open_all(const char *text, int count, uint32_t timeout_ms)
{
	struct xdplace_destination_opts opts = {.size = sizeof(opts), .timeout_ms = timeout_ms};
	struct sockaddr_storage to, from;
	char *copy = strdup(text), *ifname, *source;
	int result;

	source = strchr(copy, '/');
	if (source)
		*source++ = '\0';
	ifname = strchr(copy, '%');
	if (ifname)
		*ifname++ = '\0';
	if (!parse(copy, &to) || (source && !parse(source, &from))) {
		fprintf(stderr, "tx_ways: %s: not an address\n", text);
		exit(2);
	}
	opts.to = (void *)&to;
	opts.from = source ? (void *)&from : NULL;
	opts.ifname = ifname;
	for (; count--; step(&to)) {
		result = xdplace_destination_open(tx, &opts);
		if (result < 0)
			printf("{\"failed\":\"%s\",\"to\":\"%s\",\"why\":\"%s\"}\n",
			       strerrorname_np(-result), text, xdplace_error());
		else
			opened++;
	}
	free(copy);
}

static void send_to_all(void)
{
	static struct xdplace_tx_entry entries[SHOWN];
	struct xdplace_tx_completion done;
	size_t size;
	void *memory = xdplace_tx_memory(tx, &size);
	int i;

	for (i = 0; i < opened && i < SHOWN; i++)
		entries[i] =
			(struct xdplace_tx_entry){.data = memory, .length = 4000, .destination = i};
	if (!xdplace_tx_write(tx, entries, i, 0) && xdplace_tx_wait(tx, 1000) > 0)
		xdplace_tx_poll(tx, &done, 1);
}

int main(int argc, char **argv)
{
	struct xdplace_tx_opts opts = {.size = sizeof(opts), .destinations = MOST};
	int option, count = 1, turn;
	uint32_t timeout_ms = 0;
	bool sends = false;
	double begin;

	signal(SIGTERM, end);
	while ((option = getopt(argc, argv, "n:t:w")) != -1) {
		if (option == '?')
			return 2;
		if (option == 'n')
			count = atoi(optarg);
		if (option == 't')
			timeout_ms = atoi(optarg);
		sends |= option == 'w';
	}
	tx = xdplace_tx_open(NULL, &opts);
	if (!tx) {
		fprintf(stderr, "tx_ways: %s\n", xdplace_error());
		return 1;
	}
	begin = now_ms();
	for (; optind < argc; optind++)
		open_all(argv[optind], count, timeout_ms);
	printf("{\"opened\":%d,\"ms\":%.1f}\n", opened, now_ms() - begin);
	for (turn = 0; !ended; turn++) {
		look();
		if (sends && turn % 10 == 0)
			send_to_all();
		usleep(LOOK_US);
	}
	xdplace_tx_close(tx);
	return 0;
}
