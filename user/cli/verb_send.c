/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * verb_send.c - in: files or standard input, and destinations. Out: the whole input to each of
 * them, as UDP datagrams or RTP packets; a line for each destination.
 *
 * Here are the options and what is opened; see send.h for the rest.
 */
#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include "send.h"

#define MOST_DESTINATIONS 65536u
#define LEAST_PACKETS 8 /* in the ring */

enum option_key {
	KEY_TO_FILE = CLI_LONG + 100,
	KEY_FROM,
	KEY_RTP,
	KEY_RATE,
	KEY_INTERVAL,
	KEY_ENGINE,
	KEY_QUEUE,
	KEY_COPY,
	KEY_PAYLOAD,
	KEY_UNIT,
	KEY_LOOP,
	KEY_TTL,
	KEY_TOS,
	KEY_WEIGHT,
	KEY_NO_CHECKSUM,
	KEY_MEMORY,
	KEY_PROGRESS,
};

static const struct cli_option send_list[] = {
	{"to", 't', "ADDR:PORT", "send there; may be repeated"},
	{"to-file", KEY_TO_FILE, "FILE", "and to those in a file, one a line"},
	{"from", KEY_FROM, "ADDR[:PORT]", "from this address of ours"},
	{"interface", 'i', "IF", "through this interface, not as routed"},
	{"rate", KEY_RATE, "BITS", "bits of payload a second to each, such as 8M"},
	{"rtp", KEY_RTP, "TYPE[,CLOCK]", "RTP packets of this payload type (with --rate)"},
	{"unit", KEY_UNIT, "BYTES", "never divided by packets: 188 for MPEG-TS"},
	{"payload", KEY_PAYLOAD, "BYTES", "in a packet, at most (what the MTU allows)"},
	{"loop", KEY_LOOP, "N", "send the input N times, or 'forever'"},
	{"interval", KEY_INTERVAL, "TIME", "between writes, 500us to 100ms (from the rate)"},
	{"engine", KEY_ENGINE, "ENGINE", "run, xsk or auto (auto)"},
	{"queue", KEY_QUEUE, "N", "of the interface, for xsk (0)"},
	{"copy", KEY_COPY, NULL, "xsk without zero-copy"},
	{"ttl", KEY_TTL, "N", "or hop limit (64; 1 to groups)"},
	{"tos", KEY_TOS, "N", "or traffic class (0)"},
	{"weight", KEY_WEIGHT, "N", "packets of a destination in a turn (1)"},
	{"no-checksum", KEY_NO_CHECKSUM, NULL, "UDP over IPv4 without checksums"},
	{"memory", KEY_MEMORY, "SIZE", "for the input, a power of two (64M)"},
	{"progress", KEY_PROGRESS, NULL, "tell each second, also if stderr is no terminal"},
	{"context", 'n', "NAME", NULL},
	{"pin", 'p', "NAME", NULL},
	{NULL, 0, NULL, NULL},
};

uint64_t send_now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

/* ---- addresses ---- */

static bool parse_port(const char *text, uint16_t *port)
{
	unsigned long value;
	char *end;

	if (!isdigit((unsigned char)*text))
		return false;
	value = strtoul(text, &end, 10);
	*port = htons((uint16_t)value);
	return !*end && value && value <= UINT16_MAX;
}

/* "fe80::1%eth0" */
static bool parse_v6(char *host, struct sockaddr_in6 *in6)
{
	char *scope = strchr(host, '%');

	in6->sin6_family = AF_INET6;
	if (scope) {
		*scope++ = 0;
		in6->sin6_scope_id = if_nametoindex(scope);
		if (!in6->sin6_scope_id)
			return false;
	}
	return inet_pton(AF_INET6, host, &in6->sin6_addr) == 1;
}

/* ADDR:PORT, [ADDR6]:PORT; where the port may be left out also ADDR and ADDR6. */
static bool parse_address(const char *text, bool port_optional, struct sockaddr_storage *address)
{
	struct sockaddr_in6 *in6 = (void *)address;
	struct sockaddr_in *in = (void *)address;
	char host[96], *colon;

	memset(address, 0, sizeof(*address));
	if (snprintf(host, sizeof(host), "%s", text) >= (int)sizeof(host))
		return false;
	if (port_optional && strchr(host, ':') != strrchr(host, ':') && *host != '[')
		return parse_v6(host, in6);
	colon = strrchr(host, ':');
	if (*host == '[' && host[strlen(host) - 1] == ']')
		colon = NULL;
	if (!colon && !port_optional)
		return false;
	if (colon && !parse_port(colon + 1, &in->sin_port)) /* in6's is in the same place */
		return false;
	if (colon)
		*colon = 0;
	if (*host == '[') {
		if (host[strlen(host) - 1] != ']')
			return false;
		host[strlen(host) - 1] = 0;
		return parse_v6(host + 1, in6);
	}
	in->sin_family = AF_INET;
	return inet_pton(AF_INET, host, &in->sin_addr) == 1;
}

static void add_destination(struct send *send, const struct sockaddr_storage *to)
{
	if (send->count == MOST_DESTINATIONS)
		cli_usage("more than %u destinations", MOST_DESTINATIONS);
	if (!(send->count & (send->count - 1)))
		send->destinations =
			realloc(send->destinations,
				(send->count ? 2 * send->count : 1) * sizeof(*send->destinations));
	if (!send->destinations)
		exit(cli_errno(ENOMEM, "start"));
	send->destinations[send->count++] = (struct send_destination){.to = *to};
}

static void read_destinations(struct send *send, const char *name)
{
	struct sockaddr_storage to;
	char line[256], *text;
	unsigned number = 0;
	FILE *file;

	file = fopen(name, "re");
	if (!file)
		send_refuse(name, errno);
	while (fgets(line, sizeof(line), file)) {
		number++;
		line[strcspn(line, "#\r\n")] = 0;
		text = line + strspn(line, " \t");
		text[strcspn(text, " \t")] = 0;
		if (!*text)
			continue;
		if (!parse_address(text, false, &to))
			cli_usage("%s, line %u: '%s': ADDR:PORT is wanted, such as 10.0.0.2:5004 "
				  "or [fd00::2]:5004",
				  name, number, text);
		add_destination(send, &to);
	}
	fclose(file);
}

/* ---- values ---- */

/* "8M", "2.5M", "64000", in decimal units as rates are. */
static uint64_t parse_rate(const char *text)
{
	static const char units[] = "kmgt";
	const char *unit = NULL;
	double value;
	char *end;
	int i;

	if (!isdigit((unsigned char)*text))
		cli_usage("--rate '%s': bits a second are wanted, such as 64k, 2.5M or 1G", text);
	value = strtod(text, &end);
	if (*end)
		unit = strchr(units, tolower((unsigned char)*end));
	if (*end && (!unit || end[1]))
		cli_usage("--rate '%s': bits a second are wanted, such as 64k, 2.5M or 1G", text);
	for (i = 0; unit && i <= unit - units; i++)
		value *= 1000;
	if (value < 1 || value > 1e12)
		cli_usage("--rate %s: must be 1 to 1T", text);
	return (uint64_t)value;
}

/* "500us", "2ms" */
static uint32_t parse_interval(const char *text)
{
	unsigned long value = 0;
	char *end = NULL;

	if (isdigit((unsigned char)*text))
		value = strtoul(text, &end, 10);
	if (!end || (strcmp(end, "us") && strcmp(end, "ms")))
		cli_usage("--interval '%s': a time is wanted, such as 500us or 2ms", text);
	if (*end == 'm' && value <= 100)
		value *= 1000;
	else if (*end == 'm')
		value = UINT32_MAX;
	if (value < 500 || value > 100000)
		cli_usage("--interval %s: must be 500us to 100ms", text);
	return (uint32_t)value;
}

/* The clocks of RFC 3551's static types; dynamic ones are mostly video. */
static uint32_t default_clock(unsigned type)
{
	static const struct {
		unsigned type;
		uint32_t clock;
	} others[] = {{6, 16000}, {10, 44100}, {11, 44100}, {14, 90000}, {16, 11025}, {17, 22050}};
	size_t i;

	for (i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		if (others[i].type == type)
			return others[i].clock;
	return type < 19 ? 8000 : 90000;
}

static void parse_rtp(struct send *send, const char *text)
{
	char type[32];
	const char *comma = strchrnul(text, ',');

	snprintf(type, sizeof(type), "%.*s", (int)(comma - text), text);
	send->destination.rtp = true;
	send->destination.rtp_type = (uint8_t)cli_number("--rtp", type, 0, 127);
	send->clock = default_clock(send->destination.rtp_type);
	if (*comma)
		send->clock = (uint32_t)cli_number("--rtp, clock", comma + 1, 1, UINT32_MAX);
}

static enum xdplace_tx_engine parse_engine(const char *text)
{
	static const enum xdplace_tx_engine engines[] = {XDPLACE_TX_AUTO, XDPLACE_TX_RUN,
							 XDPLACE_TX_XSK};
	size_t i;

	for (i = 0; i < sizeof(engines) / sizeof(engines[0]); i++)
		if (!strcmp(text, xdplace_tx_engine_name(engines[i])))
			return engines[i];
	cli_usage("--engine '%s': must be run, xsk or auto", text);
}

/* Where packets go and how they look. */
static void set_way(struct send *send, int key, const char *argument)
{
	struct sockaddr_storage to;

	switch (key) {
	case 't':
		if (!parse_address(argument, false, &to))
			cli_usage("--to '%s': ADDR:PORT is wanted, such as 10.0.0.2:5004 or "
				  "[fd00::2]:5004",
				  argument);
		add_destination(send, &to);
		break;
	case KEY_TO_FILE:
		read_destinations(send, argument);
		break;
	case KEY_FROM:
		if (!parse_address(argument, true, &send->from))
			cli_usage("--from '%s': an address is wanted, such as 10.0.0.1, "
				  "10.0.0.1:5004 or [fd00::1]:5004",
				  argument);
		send->destination.from = (struct sockaddr *)&send->from;
		break;
	case 'i':
		send->destination.ifname = argument;
		break;
	case KEY_RTP:
		parse_rtp(send, argument);
		break;
	case KEY_PAYLOAD:
		send->destination.payload =
			(uint16_t)cli_number("--payload", argument, 1, UINT16_MAX);
		break;
	case KEY_TTL:
		send->destination.ttl = (uint8_t)cli_number("--ttl", argument, 1, 255);
		break;
	case KEY_TOS:
		send->destination.tos = (uint8_t)cli_number("--tos", argument, 0, 255);
		break;
	case KEY_WEIGHT:
		send->destination.weight = (uint32_t)cli_number("--weight", argument, 1, 255);
		break;
	}
}

static void set_send(void *to, int key, const char *argument)
{
	struct send *send = to;

	switch (key) {
	case 'n':
	case 'p':
		cli_usage("it has memory of its own, and needs no context");
	case KEY_RATE:
		send->rate = parse_rate(argument);
		break;
	case KEY_UNIT:
		send->unit = (uint32_t)cli_number("--unit", argument, 1, UINT16_MAX);
		break;
	case KEY_LOOP:
		send->input.loops = strcmp(argument, "forever")
					    ? cli_number("--loop", argument, 1, SEND_FOREVER - 1)
					    : SEND_FOREVER;
		break;
	case KEY_INTERVAL:
		send->interval_us = parse_interval(argument);
		break;
	case KEY_ENGINE:
		send->open.engine = parse_engine(argument);
		break;
	case KEY_QUEUE:
		send->open.queue = (uint32_t)cli_number("--queue", argument, 0, UINT16_MAX);
		break;
	case KEY_COPY:
		send->open.copy = true;
		break;
	case KEY_NO_CHECKSUM:
		send->open.no_checksum = true;
		break;
	case KEY_MEMORY:
		send->open.memory = cli_size("--memory", argument);
		break;
	case KEY_PROGRESS:
		send->progress = true;
		break;
	default:
		set_way(send, key, argument);
	}
}

/* What fits one by one may not fit together. */
static void check(struct send *send)
{
	uint32_t i;

	if (!send->count)
		cli_usage("--to ADDR:PORT: where shall it go?");
	if (send->destination.rtp && !send->rate)
		cli_usage("--rtp needs --rate: its timestamps follow from that");
	if (send->interval_us && !send->rate)
		cli_usage("--interval needs --rate: without, there is no pause between writes");
	if (send->destination.payload && send->unit > send->destination.payload)
		cli_usage("--unit %u does not fit in --payload %u", send->unit,
			  send->destination.payload);
	for (i = 0; i < send->count && send->destination.from; i++)
		if (send->destinations[i].to.ss_family != send->from.ss_family)
			cli_usage("--from is of another address family than --to number %u", i + 1);
}

/* ---- opening ---- */

uint32_t send_random(void)
{
	uint32_t number;

	if (getrandom(&number, sizeof(number), GRND_NONBLOCK) != sizeof(number))
		number = (uint32_t)send_now_ns();
	return number;
}

/* One destination; `payload` bytes in a packet at most, 0: what the MTU allows. */
static int open_way(struct send *send, struct send_destination *destination, uint16_t payload,
		    struct xdplace_destination *way)
{
	struct xdplace_destination_opts opts = send->destination;
	char text[128];
	int number;

	opts.to = (struct sockaddr *)&destination->to;
	opts.payload = payload;
	opts.rtp_sequence = (uint16_t)send_random();
	opts.rtp_ssrc = send_random();
	number = xdplace_destination_open(send->tx, &opts);
	if (number < 0)
		return cli_error(number, "find the way to %s",
				 send_address(&destination->to, text, sizeof(text)));
	destination->number = (uint32_t)number;
	number = xdplace_destination_get(send->tx, destination->number, way);
	return number ? cli_error(number, "destination") : 0;
}

/* Again, so that its packets hold whole units, whatever the MTU. */
static int open_for_units(struct send *send, struct send_destination *destination,
			  struct xdplace_destination *way)
{
	char text[128];

	if (way->payload < send->unit) {
		cli_warn("%s: --unit %u does not fit in its packets of %u bytes",
			 send_address(&destination->to, text, sizeof(text)), send->unit,
			 way->payload);
		return CLI_USAGE;
	}
	xdplace_destination_close(send->tx, destination->number);
	return open_way(send, destination, (uint16_t)(way->payload - way->payload % send->unit),
			way);
}

static int open_destination(struct send *send, struct send_destination *destination)
{
	struct xdplace_destination way;
	int code;

	code = open_way(send, destination, send->destination.payload, &way);
	if (!code && send->unit && way.payload % send->unit)
		code = open_for_units(send, destination, &way);
	if (!code && !send->packet)
		send->packet = way.payload;
	return code;
}

static int open_all(struct send *send)
{
	uint32_t i;
	int code = 0;

	send->open.size = sizeof(send->open);
	send->open.destinations = send->count;
	send->open.entries = send->count < 4096 ? 4096 : send->count;
	send->open.log = cli_log;
	send->destination.size = sizeof(send->destination);
	send->tx = xdplace_tx_open(NULL, &send->open);
	if (!send->tx)
		return cli_error(-errno, "open a transmitter");
	for (i = 0; i < send->count && !code && !cli_stop; i++)
		code = open_destination(send, &send->destinations[i]);
	return code;
}

static int start_input(struct send *send)
{
	size_t size;
	uint8_t *memory = xdplace_tx_memory(send->tx, &size);
	int err;

	if (size / send->packet < LEAST_PACKETS) {
		cli_warn("--memory: %zu bytes have no room for packets of %u", size, send->packet);
		return CLI_USAGE;
	}
	err = send_input_start(&send->input, memory, size - size % send->packet);
	return err ? cli_errno(err, "start reading") : 0;
}

static int run(struct send *send)
{
	int code = start_input(send);

	if (code)
		return code;
	/* Waking up 50 us late would be half of what is measured as jitter. */
	prctl(PR_SET_TIMERSLACK, 1ul, 0ul, 0ul, 0ul);
	send->start_ns = send->told_ns = send_now_ns();
	code = send->rate ? send_paced(send) : send_fast(send);
	send_input_stop(&send->input);
	if (!send_summary(send) && !code)
		code = CLI_FAILED;
	if (send->input.error && !code)
		code = cli_errno(send->input.error, "read %s", send->input.failed);
	return code;
}

int verb_send(int argc, char **argv)
{
	static struct send send;
	static char standard_input[] = "-", *only[] = {standard_input};
	struct cli_set sets[] = {{send_list, set_send, &send, NULL}};
	int first, code;

	send.input.loops = 1;
	first = cli_parse(argc, argv, sets, 1);
	check(&send);
	send.input.files = first < argc ? argv + first : only;
	send.input.count = first < argc ? argc - first : 1;
	if (first == argc && isatty(STDIN_FILENO))
		cli_usage("which file? (- is standard input)");
	send_input_check(&send.input);
	send.terminal = isatty(STDERR_FILENO);
	send.progress = send.progress || send.terminal;
	cli_catch_signals();
	code = open_all(&send);
	if (!code && !cli_stop)
		code = run(&send);
	xdplace_pacer_close(send.pacer);
	xdplace_tx_close(send.tx);
	free(send.destinations);
	return cli_finish(code);
}
