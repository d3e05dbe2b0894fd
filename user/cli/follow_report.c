/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * follow_report.c - in: streams and counters. Out: a line for each flow on stdout (text, or one
 * JSON object); progress, summary and what went wrong on stderr.
 */
#include <unistd.h>

#include "cli.h"
#include "follow.h"

static const char *reason_name(int reason)
{
	return reason == FOLLOW_OPEN ? NULL : xdplace_reason_name((unsigned)reason);
}

/*
 * Counted here from completions, and by the program in the flow's entry: the entry may be
 * another flow's by now, and a consumer that came late has not seen every completion.
 */
static void counts(const struct follow_worker *worker, const struct follow_stream *stream,
		   uint64_t *repeats, uint64_t *bad_checksums)
{
	struct xp_flow flow;

	*repeats = stream->repeats;
	*bad_checksums = stream->bad_checksums;
	if (xdplace_flow_get(worker->follow->ctx, stream->handle, &flow))
		return;
	if (flow.repeats > *repeats)
		*repeats = flow.repeats;
	if (flow.bad_checksums > *bad_checksums)
		*bad_checksums = flow.bad_checksums;
}

static uint64_t missing(const struct follow_stream *stream)
{
	uint64_t n = 0;
	size_t i;

	for (i = 0; i < stream->gap_count; i++)
		n += stream->gaps[i].length;
	return n;
}

/* Extended sequence numbers: the low 16 bits are those on the wire. */
static void json_rtp(struct json_object *line, const struct follow_stream *stream)
{
	struct json_object *rtp, *array, *gap;
	size_t i;

	if (!stream->rtp) {
		json_add_string(line, "rtp", NULL);
		return;
	}
	rtp = json_add_object(line, "rtp");
	json_add_u64(rtp, "ssrc", stream->ssrc);
	json_add_u64(rtp, "first", stream->from);
	json_add_u64(rtp, "packets", stream->packets);
	json_add_u64(rtp, "lost", missing(stream));
	json_add_u64(rtp, "late", stream->late);
	array = json_add_array(rtp, "missing");
	for (i = 0; i < stream->gap_count; i++) {
		gap = json_add_object(NULL, NULL);
		json_add_u64(gap, "first", stream->gaps[i].offset);
		json_add_u64(gap, "count", stream->gaps[i].length);
		json_append(array, gap);
	}
}

static struct json_object *json_gaps(struct json_object *line, const struct follow_stream *stream)
{
	struct json_object *array = json_add_array(line, "gaps");
	struct json_object *gap;
	size_t i;

	for (i = 0; i < stream->gap_count && !stream->rtp; i++) {
		gap = json_add_object(NULL, NULL);
		json_add_u64(gap, "offset", stream->gaps[i].offset);
		json_add_u64(gap, "length", stream->gaps[i].length);
		json_append(array, gap);
	}
	return array;
}

static void report_json(const struct follow_stream *stream, const char *key, uint64_t repeats,
			uint64_t bad_checksums)
{
	struct json_object *line = json_add_object(NULL, NULL);

	json_add_string(line, "file", stream->name);
	json_add_string(line, "flow", key);
	json_add_u64(line, "bytes", stream->bytes);
	json_add_u64(line, "from", stream->rtp ? 0 : stream->from);
	json_gaps(line, stream);
	json_rtp(line, stream);
	json_add_u64(line, "repeats", repeats);
	json_add_u64(line, "bad_checksums", bad_checksums);
	if (stream->unwritten)
		json_add_u64(line, "unwritten", stream->unwritten);
	json_add_string(line, "reason", reason_name(stream->reason));
	json_line(line);
}

static void report_text(const struct follow_stream *stream, const char *key, uint64_t repeats,
			uint64_t bad_checksums)
{
	const char *reason = reason_name(stream->reason);

	printf("%s: %llu bytes", stream->name ? stream->name : key,
	       (unsigned long long)stream->bytes);
	if (stream->rtp)
		printf(" in %llu packets from number %llu, %llu missing, %llu late",
		       (unsigned long long)stream->packets, (unsigned long long)stream->from,
		       (unsigned long long)missing(stream), (unsigned long long)stream->late);
	else if (stream->from && !stream->continued)
		printf(", joined late (first %llu bytes were not seen)",
		       (unsigned long long)stream->from);
	if (stream->gap_count && !stream->rtp)
		printf(", %zu gaps (%llu bytes missing)", stream->gap_count,
		       (unsigned long long)missing(stream));
	if (repeats)
		printf(", %llu repeats", (unsigned long long)repeats);
	if (bad_checksums)
		printf(", %llu bad checksums", (unsigned long long)bad_checksums);
	if (stream->unwritten)
		printf(", %llu bytes NOT WRITTEN", (unsigned long long)stream->unwritten);
	printf(", %s\n", reason ? reason : "open");
}

void follow_report(struct follow_worker *worker, const struct follow_stream *stream)
{
	struct follow *follow = worker->follow;
	uint64_t repeats, bad_checksums;
	char key[160] = "unknown";

	counts(worker, stream, &repeats, &bad_checksums);
	if (stream->known)
		xdplace_key_format(&stream->key, stream->v6, key, sizeof(key));
	pthread_mutex_lock(&follow->lock);
	if (follow->progress)
		follow_progress_end();
	if (follow->json)
		report_json(stream, key, repeats, bad_checksums);
	else
		report_text(stream, key, repeats, bad_checksums);
	if (follow->live && !cli_flush())
		cli_stop = true;
	pthread_mutex_unlock(&follow->lock);
}

/* ---- all workers ---- */

struct follow_totals {
	uint64_t packets, flows, files, bytes, gaps, gap_bytes, missing, unwritten, disorder;
};

static struct follow_totals totals(const struct follow_worker *workers, uint32_t count)
{
	struct follow_totals sum = {0};
	uint32_t i;

	for (i = 0; i < count; i++) {
		sum.packets += workers[i].packets;
		sum.flows += workers[i].flows;
		sum.files += workers[i].files;
		sum.bytes += workers[i].bytes;
		sum.gaps += workers[i].gaps;
		sum.gap_bytes += workers[i].gap_bytes;
		sum.missing += workers[i].missing;
		sum.unwritten += workers[i].unwritten;
		sum.disorder += workers[i].disorder;
	}
	return sum;
}

void follow_progress(const struct follow_worker *workers, uint32_t count, uint64_t elapsed_ms)
{
	static uint64_t last_ms, last_bytes;
	struct follow_totals sum = totals(workers, count);
	char bytes[16];
	double rate;

	if (elapsed_ms <= last_ms)
		return;
	rate = (double)(sum.bytes - last_bytes) * 8 / 1e6 / (double)(elapsed_ms - last_ms);
	last_ms = elapsed_ms;
	last_bytes = sum.bytes;
	fprintf(stderr, "\r\033[K%.1fs  %llu packets  %llu flows  %s in %llu files  %.2f Gbit/s",
		(double)elapsed_ms / 1e3, (unsigned long long)sum.packets,
		(unsigned long long)sum.flows, cli_human(sum.bytes, bytes, sizeof(bytes)),
		(unsigned long long)sum.files, rate);
	if (sum.gaps)
		fprintf(stderr, "  %llu gaps", (unsigned long long)sum.gaps);
	fflush(stderr);
}

void follow_progress_end(void)
{
	fputs("\r\033[K", stderr);
}

bool follow_summary(const struct follow_worker *workers, uint32_t count)
{
	struct follow_totals sum = totals(workers, count);

	cli_warn("flows: %llu, bytes: %llu, files: %llu, gaps: %llu (%llu bytes)",
		 (unsigned long long)sum.flows, (unsigned long long)sum.bytes,
		 (unsigned long long)sum.files, (unsigned long long)sum.gaps,
		 (unsigned long long)sum.gap_bytes);
	if (sum.missing)
		cli_warn("%llu RTP packets are missing", (unsigned long long)sum.missing);
	if (sum.unwritten)
		cli_warn("%llu bytes were placed but could not be written: lost",
			 (unsigned long long)sum.unwritten);
	if (sum.disorder)
		cli_warn("%llu completions did not follow the one before: a bug, please report",
			 (unsigned long long)sum.disorder);
	return !sum.unwritten && !sum.disorder;
}

/* ---- counters ---- */

static const struct {
	enum xp_reason reason;
	const char *more;
} shortages[] = {
	{XP_R_RING_FULL, "--ring"},    {XP_R_NO_AREA, "--umem-size"},
	{XP_R_EARLY_FULL, "--early"},  {XP_R_HOLES_FULL, NULL},
	{XP_R_REPLACED, NULL},	       {XP_R_LANE_BUSY, NULL},
	{XP_R_GAP_WINDOW, "--window"}, {XP_R_FRAG_FULL, "--datagrams"},
	{XP_R_RTP_FULL, "--rtp"},      {XP_R_RTP_SLOT, NULL},
};

static uint64_t reason_count(const struct xp_counters *counters, unsigned reason)
{
	return ((const uint64_t *)counters)[XP_COUNTER_REASON + reason];
}

static uint64_t opcode_count(const struct xp_counters *counters, unsigned opcode)
{
	return ((const uint64_t *)counters)[opcode];
}

void follow_shortages(const struct xp_counters *before, const struct xp_counters *after)
{
	uint64_t packets;
	size_t i;

	for (i = 0; i < sizeof(shortages) / sizeof(*shortages); i++) {
		packets = reason_count(after, shortages[i].reason) -
			  reason_count(before, shortages[i].reason);
		if (packets)
			cli_warn("%s: %llu times: %s%s%s", xdplace_reason_name(shortages[i].reason),
				 (unsigned long long)packets,
				 xdplace_reason_meaning(shortages[i].reason),
				 shortages[i].more ? "; raise " : "",
				 shortages[i].more ? shortages[i].more : "");
	}
}

void follow_stats(const struct xp_counters *before, const struct xp_counters *after)
{
	uint64_t n;
	unsigned i;

	for (i = 0; i < XP_OPCODE_COUNT; i++) {
		n = opcode_count(after, i) - opcode_count(before, i);
		if (n)
			fprintf(stderr, "%-16s %12llu  %s\n", xdplace_opcode_name(i),
				(unsigned long long)n, xdplace_opcode_meaning(i));
	}
	for (i = 0; i < XP_REASON_COUNT; i++) {
		n = reason_count(after, i) - reason_count(before, i);
		if (n)
			fprintf(stderr, "%-16s %12llu  %s\n", xdplace_reason_name(i),
				(unsigned long long)n, xdplace_reason_meaning(i));
	}
}
