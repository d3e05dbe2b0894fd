/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * verb_stats.c - packets by op-code, reason and lane. In: the counters of a context. Out: a table
 * (-v: with what each counter tells), JSON with every counter, or OpenMetrics text.
 *
 * Keys, metric names and labels are published: more may come, none is renamed.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "cli.h"
#include "lane_state.h"

#define MAX_INTERFACES 256

enum {
	KEY_LANE = CLI_LONG,
	KEY_OPENMETRICS,
};

struct stats_options {
	uint32_t lane; /* XP_NONE: all */
	bool openmetrics;
	bool all;
};

/* Counters of the lanes asked for, and their sum. */
struct stats {
	struct xdplace *ctx;
	uint32_t first, end; /* lanes */
	struct xp_counters lane[XP_MAX_LANES];
	struct xp_counters sum;
	struct xdplace_interface interfaces[MAX_INTERFACES];
	int interface_count;
};

static void set(void *to, int key, const char *argument)
{
	struct stats_options *options = to;

	switch (key) {
	case 'a':
		options->all = true;
		break;
	case KEY_LANE:
		options->lane = (uint32_t)cli_number("--lane", argument, 0, XP_MAX_LANES - 1);
		break;
	case KEY_OPENMETRICS:
		options->openmetrics = true;
		break;
	}
}

static uint64_t opcode_count(const struct xp_counters *counters, unsigned opcode)
{
	return ((const __u64 *)counters)[opcode];
}

static uint64_t reason_count(const struct xp_counters *counters, unsigned reason)
{
	return ((const __u64 *)counters)[XP_COUNTER_REASON + reason];
}

/* Each packet has exactly one op-code. */
static uint64_t packet_count(const struct xp_counters *counters)
{
	uint64_t sum = 0;
	unsigned i;

	for (i = 0; i < XP_OPCODE_COUNT; i++)
		sum += opcode_count(counters, i);
	return sum;
}

static void add_counters(struct xp_counters *sum, const struct xp_counters *one)
{
	size_t i;

	for (i = 0; i < sizeof(*sum) / sizeof(__u64); i++)
		((__u64 *)sum)[i] += ((const __u64 *)one)[i];
}

static int collect(struct stats *stats, uint32_t only)
{
	uint32_t lane, lanes = xdplace_config(stats->ctx)->lanes;
	int err;

	if (only != XP_NONE && only >= lanes)
		cli_usage("--lane %u: there are 0 to %u", only, lanes - 1);
	stats->first = only == XP_NONE ? 0 : only;
	stats->end = only == XP_NONE ? lanes : only + 1;
	for (lane = stats->first; lane < stats->end; lane++) {
		err = xdplace_stats(stats->ctx, lane, &stats->lane[lane]);
		if (err)
			return cli_error(err, "read the counters of lane %u", lane);
		add_counters(&stats->sum, &stats->lane[lane]);
	}
	stats->interface_count = xdplace_interfaces(stats->ctx, stats->interfaces, MAX_INTERFACES);
	return CLI_DONE;
}

/* ---- text ---- */

static void print_row(const char *name, uint64_t count, const char *meaning, bool all)
{
	if (!count && !all)
		return;
	if (cli.verbose)
		printf("%-14s %14" PRIu64 "  %s\n", name, count, meaning);
	else
		printf("%-14s %14" PRIu64 "\n", name, count);
}

static void print_lanes(const struct stats *stats)
{
	const struct xp_counters *one;
	uint32_t lane;

	printf("%-14s %14s %14s %14s %14s\n", "LANE", "PACKETS", "PLACED BYTES", "GAP BYTES",
	       "WAKE-UPS");
	for (lane = stats->first; lane < stats->end; lane++) {
		one = &stats->lane[lane];
		printf("%-14u %14" PRIu64 " %14" PRIu64 " %14" PRIu64 " %14" PRIu64 "\n", lane,
		       packet_count(one), (uint64_t)one->placed_bytes, (uint64_t)one->gap_bytes,
		       (uint64_t)one->wakeups);
	}
}

static void print_text(const struct stats *stats, bool all)
{
	unsigned i;

	print_lanes(stats);
	printf("\n%-14s %14s\n", "OP-CODE", "PACKETS");
	for (i = 0; i < XP_OPCODE_COUNT; i++)
		print_row(xdplace_opcode_name(i), opcode_count(&stats->sum, i),
			  xdplace_opcode_meaning(i), all);
	printf("\n%-14s %14s\n", "REASON", "COUNT");
	for (i = 0; i < XP_REASON_COUNT; i++)
		print_row(xdplace_reason_name(i), reason_count(&stats->sum, i),
			  xdplace_reason_meaning(i), all);
}

/* ---- JSON ---- */

static void json_counters(struct json_object *object, const struct xp_counters *counters)
{
	struct json_object *part;
	unsigned i;

	json_add_u64(object, "packets", packet_count(counters));
	json_add_u64(object, "placed_bytes", counters->placed_bytes);
	json_add_u64(object, "gap_bytes", counters->gap_bytes);
	json_add_u64(object, "wakeups", counters->wakeups);
	part = json_add_object(object, "opcodes");
	for (i = 0; i < XP_OPCODE_COUNT; i++)
		json_add_u64(part, xdplace_opcode_name(i), opcode_count(counters, i));
	part = json_add_object(object, "reasons");
	for (i = 0; i < XP_REASON_COUNT; i++)
		json_add_u64(part, xdplace_reason_name(i), reason_count(counters, i));
}

static void print_json(const struct stats *stats)
{
	struct json_object *document = json_add_object(NULL, NULL), *array, *object;
	uint32_t lane;

	json_add_string(document, "context", cli_context_name(stats->ctx));
	json_counters(json_add_object(document, "total"), &stats->sum);
	array = json_add_array(document, "lanes");
	for (lane = stats->first; lane < stats->end; lane++) {
		object = json_add_object(NULL, NULL);
		json_add_u64(object, "lane", lane);
		json_counters(object, &stats->lane[lane]);
		json_append(array, object);
	}
	json_print(document);
}

/* ---- OpenMetrics 1.0 ---- */

static void print_family(const char *name, const char *type, const char *unit, const char *help)
{
	printf("# TYPE %s %s\n", name, type);
	if (unit)
		printf("# UNIT %s %s\n", name, unit);
	printf("# HELP %s %s\n", name, help);
}

/* The interface whose queues a lane serves; "" where it serves several, or none. */
static const char *lane_interface(const struct stats *stats, uint32_t lane)
{
	const char *name = "";
	int i;

	for (i = 0; i < stats->interface_count && i < MAX_INTERFACES; i++) {
		if (lane - stats->interfaces[i].lane >= stats->interfaces[i].lanes)
			continue;
		if (name[0])
			return "";
		name = stats->interfaces[i].name;
	}
	return name;
}

/* Names of contexts and interfaces may hold what a label value may not. */
static void print_escaped(const char *text)
{
	for (; *text; text++) {
		if (*text == '\\' || *text == '"')
			putchar('\\');
		if (*text == '\n')
			printf("\\n");
		else
			putchar(*text);
	}
}

static void print_labels(const struct stats *stats, uint32_t lane)
{
	const char *interface = lane_interface(stats, lane);

	printf("{context=\"");
	print_escaped(cli_context_name(stats->ctx));
	printf("\",lane=\"%u\"", lane);
	if (interface[0]) {
		printf(",interface=\"");
		print_escaped(interface);
		printf("\"");
	}
}

static void print_sample(const struct stats *stats, uint32_t lane, const char *name, uint64_t value)
{
	printf("%s_total", name);
	print_labels(stats, lane);
	printf("} %" PRIu64 "\n", value);
}

static void print_labelled(const struct stats *stats, uint32_t lane, const char *name,
			   const char *label, const char *which, uint64_t value)
{
	printf("%s_total", name);
	print_labels(stats, lane);
	printf(",%s=\"%s\"} %" PRIu64 "\n", label, which, value);
}

static void print_opcodes(const struct stats *stats)
{
	const char *name = "xdplace_opcode_packets";
	uint32_t lane;
	unsigned i;

	print_family(name, "counter", NULL, "Packets by what was decided for them.");
	for (lane = stats->first; lane < stats->end; lane++)
		for (i = 0; i < XP_OPCODE_COUNT; i++)
			print_labelled(stats, lane, name, "opcode", xdplace_opcode_name(i),
				       opcode_count(&stats->lane[lane], i));
}

static void print_reasons(const struct stats *stats)
{
	const char *name = "xdplace_reason_events";
	uint32_t lane;
	unsigned i;

	print_family(name, "counter", NULL,
		     "Packets, holes and flows by why they were not placed or ended.");
	for (lane = stats->first; lane < stats->end; lane++)
		for (i = 0; i < XP_REASON_COUNT; i++)
			print_labelled(stats, lane, name, "reason", xdplace_reason_name(i),
				       reason_count(&stats->lane[lane], i));
}

static void print_packets(const struct stats *stats)
{
	const char *name = "xdplace_packets";
	uint32_t lane;

	print_family(name, "counter", NULL, "Packets seen by the placement program.");
	for (lane = stats->first; lane < stats->end; lane++)
		print_sample(stats, lane, name, packet_count(&stats->lane[lane]));
}

static void print_sums(const struct stats *stats)
{
	static const struct {
		const char *name, *unit, *help;
		size_t offset;
	} families[] = {
		{"xdplace_placed_bytes", "bytes", "Payload placed in re-assembly areas.",
		 offsetof(struct xp_counters, placed_bytes)},
		{"xdplace_gap_bytes", "bytes", "Stream bytes given up.",
		 offsetof(struct xp_counters, gap_bytes)},
		{"xdplace_wakeups", NULL, "Wake-ups sent to sleeping consumers.",
		 offsetof(struct xp_counters, wakeups)},
	};
	const char *counters;
	uint32_t lane;
	size_t i;

	for (i = 0; i < sizeof(families) / sizeof(families[0]); i++) {
		print_family(families[i].name, "counter", families[i].unit, families[i].help);
		for (lane = stats->first; lane < stats->end; lane++) {
			counters = (const char *)&stats->lane[lane];
			print_sample(stats, lane, families[i].name,
				     *(const __u64 *)(counters + families[i].offset));
		}
	}
}

static void print_gauge(const struct stats *stats, uint32_t lane, const char *name, uint64_t value)
{
	printf("%s", name);
	print_labels(stats, lane);
	printf("} %" PRIu64 "\n", value);
}

static void print_gauges(const struct stats *stats)
{
	struct lane_state state;
	uint32_t lane;

	print_family("xdplace_completions_waiting", "gauge", NULL,
		     "Completions that the consumer has not released yet.");
	for (lane = stats->first; lane < stats->end; lane++) {
		lane_state(stats->ctx, lane, &state);
		print_gauge(stats, lane, "xdplace_completions_waiting", state.waiting);
	}
	print_family("xdplace_areas_free", "gauge", NULL, "Areas offered for placement.");
	for (lane = stats->first; lane < stats->end; lane++) {
		lane_state(stats->ctx, lane, &state);
		print_gauge(stats, lane, "xdplace_areas_free",
			    (uint64_t)state.free_hot + state.free_cold);
	}
}

static void print_openmetrics(const struct stats *stats)
{
	print_packets(stats);
	print_sums(stats);
	print_opcodes(stats);
	print_reasons(stats);
	print_gauges(stats);
	printf("# EOF\n");
}

int verb_stats(int argc, char **argv)
{
	static const struct cli_option list[] = {
		{"all", 'a', NULL, "counters that are zero, too"},
		{"lane", KEY_LANE, "N", "of this lane alone"},
		{"openmetrics", KEY_OPENMETRICS, NULL, "print OpenMetrics text, for Prometheus"},
		{NULL, 0, NULL, NULL},
	};
	struct stats_options options = {.lane = XP_NONE};
	struct cli_set sets[] = {{list, set, &options, NULL}};
	static struct stats stats;
	int code;

	if (cli_parse(argc, argv, sets, 1) < argc)
		cli_usage("stats takes no operand; name a context with -n");
	if (options.openmetrics && cli.json)
		cli_usage("--json and --openmetrics exclude one another");
	stats.ctx = cli_open();
	code = collect(&stats, options.lane);
	if (code)
		return code;
	if (options.openmetrics)
		print_openmetrics(&stats);
	else if (cli.json)
		print_json(&stats);
	else
		print_text(&stats, options.all);
	return CLI_DONE;
}
