/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * send_report.c - what `xdplace send` tells: on stdout a line for each destination (or a JSON
 * document), on stderr progress, the summary and what went wrong.
 */
#include <arpa/inet.h>
#include <inttypes.h>
#include <net/if.h>
#include <string.h>
#include <stdio.h>

#include "send.h"

#define PROGRESS_NS 1000000000ull

/* What became of a destination's data; of times there are some with a rate only. */
struct outcome {
	struct xdplace_destination way;
	uint64_t packets;
	uint64_t bytes;
	uint64_t refused;
	uint64_t unsent;
	struct xdplace_stream stream;
};

const char *send_address(const struct sockaddr_storage *address, char *text, size_t size)
{
	const struct sockaddr_in6 *in6 = (const void *)address;
	const struct sockaddr_in *in = (const void *)address;
	char host[INET6_ADDRSTRLEN], scope[IF_NAMESIZE] = "";

	if (address->ss_family == AF_INET) {
		inet_ntop(AF_INET, &in->sin_addr, host, sizeof(host));
		snprintf(text, size, "%s:%u", host, ntohs(in->sin_port));
		return text;
	}
	inet_ntop(AF_INET6, &in6->sin6_addr, host, sizeof(host));
	if (in6->sin6_scope_id)
		if_indextoname(in6->sin6_scope_id, scope);
	snprintf(text, size, "[%s%s%s]:%u", host, *scope ? "%" : "", scope, ntohs(in6->sin6_port));
	return text;
}

static struct outcome outcome_of(struct send *send, const struct send_destination *destination)
{
	struct outcome o = {0};

	if (xdplace_destination_get(send->tx, destination->number, &o.way))
		return o;
	if (!send->pacer) {
		o.packets = o.way.packets;
		o.bytes = o.way.bytes;
		o.refused = o.way.refused;
		o.unsent = send->sent - o.way.bytes - o.way.refused_bytes;
		return o;
	}
	if (xdplace_stream_get(send->pacer, destination->stream, &o.stream))
		return o;
	o.packets = o.stream.packets;
	o.bytes = o.stream.bytes;
	o.refused = o.stream.refused;
	o.unsent = o.stream.unsent;
	return o;
}

/* ---- progress ---- */

/* 1500000 -> "1.50 Mbit/s" */
static const char *rate_text(double bits, char *text, size_t size)
{
	static const char *const units[] = {"", "k", "M", "G", "T"};
	size_t unit = 0;

	for (; bits >= 1000 && unit < 4; unit++)
		bits /= 1000;
	snprintf(text, size, "%.*f %sbit/s",
		 bits < 10 && unit    ? 2
		 : bits < 100 && unit ? 1
				      : 0,
		 bits, units[unit]);
	return text;
}

void send_progress(struct send *send)
{
	static uint64_t bytes_before;
	struct xdplace_tx_stats stats;
	char bytes[16], rate[32];
	uint64_t now;

	if (!send->progress)
		return;
	now = send_now_ns();
	if (now - send->told_ns < PROGRESS_NS)
		return;
	xdplace_tx_stats(send->tx, &stats);
	rate_text((double)(stats.bytes - bytes_before) * 8e9 / (double)(now - send->told_ns), rate,
		  sizeof(rate));
	fprintf(stderr, "%s%.1fs  %" PRIu64 " packets  %s  %s", send->terminal ? "\r\033[K" : "",
		(double)(now - send->start_ns) / 1e9, stats.packets,
		cli_human(stats.bytes, bytes, sizeof(bytes)), rate);
	if (send->input.total)
		fprintf(stderr, "  %.0f %%",
			100.0 * (double)stats.bytes / send->count / (double)send->input.total);
	if (stats.refused || stats.unsent)
		fprintf(stderr, "  %" PRIu64 " packets refused, %" PRIu64 " bytes unsent",
			stats.refused, stats.unsent);
	if (!send->terminal)
		fputc('\n', stderr);
	fflush(stderr);
	send->told_ns = now;
	bytes_before = stats.bytes;
}

/* ---- summary ---- */

static void print_destination(const struct send *send, const struct outcome *o)
{
	char text[128];

	printf("%s: %" PRIu64 " bytes in %" PRIu64 " packets",
	       send_address(&o->way.to, text, sizeof(text)), o->bytes, o->packets);
	if (send->pacer)
		printf(", jitter %u us, late %" PRIu64 ", starved %" PRIu64, o->stream.jitter_us,
		       o->stream.late, o->stream.starved);
	if (o->refused || o->unsent)
		printf(", refused %" PRIu64 " packets, unsent %" PRIu64 " bytes", o->refused,
		       o->unsent);
	if (o->way.error)
		printf(", %s", strerror(o->way.error));
	putchar('\n');
}

static void json_pace(struct json_object *destination, const struct xdplace_stream *stream)
{
	struct json_object *object = json_add_object(destination, "pace");

	json_add_u64(object, "late", stream->late);
	json_add_u64(object, "starved", stream->starved);
	json_add_u64(object, "jitter_us", stream->jitter_us);
	json_add_u64(object, "max_late_us", stream->max_late_us);
}

static struct json_object *json_destination(const struct send *send, const struct outcome *o)
{
	struct json_object *object = json_add_object(NULL, NULL);
	char text[128];

	json_add_string(object, "to", send_address(&o->way.to, text, sizeof(text)));
	json_add_string(object, "from", send_address(&o->way.from, text, sizeof(text)));
	json_add_string(object, "interface", o->way.ifname);
	json_add_u64(object, "payload", o->way.payload);
	json_add_string(object, "error", o->way.error ? strerror(o->way.error) : NULL);
	json_add_u64(object, "packets", o->packets);
	json_add_u64(object, "bytes", o->bytes);
	json_add_u64(object, "refused", o->refused);
	json_add_u64(object, "unsent", o->unsent);
	if (send->pacer)
		json_pace(object, &o->stream);
	else
		json_add_string(object, "pace", NULL);
	return object;
}

static void json_totals(struct json_object *document, const struct send *send,
			const struct xdplace_tx_stats *stats, double seconds)
{
	json_add_string(document, "engine", xdplace_tx_engine_name(xdplace_tx_engine(send->tx)));
	json_add_u64(document, "milliseconds", (uint64_t)(seconds * 1e3));
	json_add_bool(document, "interrupted", cli_stop);
	json_add_u64(document, "packets", stats->packets);
	json_add_u64(document, "bytes", stats->bytes);
	json_add_u64(document, "refused", stats->refused);
	json_add_u64(document, "unsent", stats->unsent);
	json_add_u64(document, "retries", stats->retries);
	json_add_u64(document, "writes", stats->writes);
	json_add_u64(document, "calls", stats->calls);
	json_add_bool(document, "counted", stats->counted);
	if (send->pacer)
		json_add_u64(document, "interval_us", xdplace_pacer_interval(send->pacer));
	else
		json_add_string(document, "interval_us", NULL);
}

bool send_summary(struct send *send)
{
	double seconds = (double)(send_now_ns() - send->start_ns) / 1e9;
	struct json_object *document = json_add_object(NULL, NULL), *array;
	struct xdplace_tx_stats stats;
	struct outcome o;
	char rate[32];
	uint32_t i;

	if (send->progress && send->terminal)
		fputs("\r\033[K", stderr);
	xdplace_tx_stats(send->tx, &stats);
	json_totals(document, send, &stats, seconds);
	array = json_add_array(document, "destinations");
	for (i = 0; i < send->count; i++) {
		o = outcome_of(send, &send->destinations[i]);
		if (cli.json)
			json_append(array, json_destination(send, &o));
		else
			print_destination(send, &o);
	}
	if (cli.json)
		json_print(document);
	else
		json_object_put(document);
	cli_warn("engine: %s, destinations: %u, packets: %" PRIu64 ", bytes: %" PRIu64
		 ", refused: %" PRIu64 ", unsent: %" PRIu64 " bytes, %.1f s, %s",
		 xdplace_tx_engine_name(xdplace_tx_engine(send->tx)), send->count, stats.packets,
		 stats.bytes, stats.refused, stats.unsent, seconds,
		 rate_text((double)stats.bytes * 8 / seconds, rate, sizeof(rate)));
	if (!stats.counted)
		cli_warn("this kernel does not tell what drivers refuse: some may be missing");
	return !stats.refused && !stats.unsent;
}
