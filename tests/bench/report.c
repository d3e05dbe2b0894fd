/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * report.c - results in the order in which they were measured, as a table and as JSON.
 *
 * In: series of samples. Out: median, least and greatest of each, all samples in the order of the
 * rounds, and beside it the ratio that the project wants to reach, where there is one. A target
 * that is missed is said, not punished: a measurement is not a test.
 */
#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <json-c/json.h>

#include "bench.h"

#define MAX_RESULTS 1024
#define MAX_NOTES 64
/* Under the first of several. */
#define TARGET_INDENT                                                                              \
	"\n                                                                                      " \
	"                       "

struct result {
	const char *name;
	const char *system;
	const char *metric;
	const char *unit;
	double value;
	double min;
	double max;
	struct bench_series series;
	size_t trials; /* of these that gave a value */
	char why[200]; /* it was not measured, or not in every round */
};

/* What to reach, as a multiple of another system's value, in the same case unless it is named. */
struct target {
	const char *name; /* with a '-' at its end: of all that begin like this */
	const char *system;
	const char *metric;
	const char *base;
	double factor;
	bool at_least;
	const char *base_name;
};

#define NET "net_s_per_gb"
#define TX "tx-1400-64dest-burst1"
static const struct target targets[] = {
	{"program-tcp1514-1flow", "xdplace-nocsum", "ns_per_packet", "copy-floor", 1.4, false,
	 NULL},
	{"program-tcp1514-1flow", "xdplace", "ns_per_packet", "copy-csum-floor", 1.4, false, NULL},
	{"program-ack64", "xdplace", "ns_per_packet", "empty", 2.5, false, NULL},
	{"program-tcp1514-1000flows", "xdplace-nocsum", "ns_per_packet", "copy-floor", 2.2, false,
	 NULL},
	{"veth-tcp1400", "xdplace", "gbit_per_s", "afxdp-reassembler", 1.5, true, NULL},
	{"rx-rate-", "xdplace", "gbit_per_s", "afxdp-reassembler", 1.5, true, NULL},
	{"rx-rate-", "xdplace", "gbit_per_s", "dpdk-gro", 3, true, NULL},
	{"rx-rate-", "xdplace", "gbit_per_s", "libnids", 3, true, NULL},
	{"rx-rate-", "xdplace", "gbit_per_s", "tcpflow", 3, true, NULL},
	{"rx-rate-", "xdplace", "gbit_per_s", "kernel-socket", 3, true, NULL},
	{"rx-cpu-", "xdplace", NET, "afxdp-reassembler", 0.6, false, NULL},
	{"rx-cpu-", "xdplace", NET, "dpdk-gro", 0.6, false, NULL},
	{"rx-cpu-", "xdplace", NET, "libnids", 0.6, false, NULL},
	{"rx-cpu-", "xdplace", NET, "tcpflow", 0.6, false, NULL},
	{"rx-cpu-", "xdplace", NET, "kernel-socket", 0.6, false, NULL},
	{"rx-reorder-1pct", "xdplace", NET, "xdplace", 1.1, false, "rx-reorder-0pct"},
	{"rx-reorder-5pct", "xdplace", NET, "xdplace", 1.1, false, "rx-reorder-0pct"},
	{"rx-tap-iperf3", "xdplace", "gbit_per_s", "pass-only", 0.9, true, NULL},
	{TX, "run", "mpps", "sendmmsg", 6, true, NULL},
	{TX, "run", "mpps", "afxdp", 2.5, true, NULL},
	{TX, "run", "mpps", "udp-gso-best", 1.5, true, NULL},
	{TX, "xsk", "mpps", "afxdp", 1, true, NULL},
};
#define TARGETS (sizeof(targets) / sizeof(targets[0]))

static struct result results[MAX_RESULTS];
static size_t result_count;
static char notes[MAX_NOTES][256];
static size_t note_count;

void bench_sample(struct bench_series *series, double value)
{
	if (series->count < BENCH_ROUNDS_MAX)
		series->sample[series->count++] = value;
}

void bench_fill_up(struct bench_series *series, size_t rounds)
{
	while (series->count < rounds && series->count < BENCH_ROUNDS_MAX)
		bench_sample(series, NAN);
}

struct bench_series bench_measured(const struct bench_series *series)
{
	struct bench_series measured = {.count = 0};
	size_t i;

	for (i = 0; i < series->count; i++)
		if (!isnan(series->sample[i]))
			bench_sample(&measured, series->sample[i]);
	return measured;
}

void bench_report(const char *name, const char *system, const char *metric, const char *unit,
		  const struct bench_series *series)
{
	struct result *result = &results[result_count];
	struct bench_series measured = bench_measured(series);

	if (result_count == MAX_RESULTS)
		return;
	result_count++;
	*result = (struct result){.name = name,
				  .system = system,
				  .metric = metric,
				  .unit = unit,
				  .value = bench_median(measured.sample, measured.count),
				  .min = NAN,
				  .max = NAN,
				  .series = *series,
				  .trials = measured.count};
	if (!measured.count)
		return;
	result->min = measured.sample[0];
	result->max = measured.sample[measured.count - 1];
}

void bench_report_why(const char *why)
{
	struct result *result = &results[result_count - 1];

	if (result->trials && result->trials == result->series.count)
		return;
	snprintf(result->why, sizeof(result->why), "%s", why);
}

void bench_note(const char *format, ...)
{
	char text[sizeof(notes[0])];
	va_list args;
	size_t i;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	for (i = 0; i < note_count; i++)
		if (!strcmp(notes[i], text))
			return;
	if (note_count < MAX_NOTES)
		strcpy(notes[note_count++], text);
}

bool bench_look_up(const char *name, const char *system, const char *metric,
		   struct bench_value *value)
{
	const struct result *result;

	for (result = results; result < results + result_count; result++) {
		if (strcmp(result->name, name) || strcmp(result->system, system) ||
		    strcmp(result->metric, metric))
			continue;
		*value = (struct bench_value){result->value, result->min, result->max};
		return true;
	}
	return false;
}

static bool is_about(const struct target *target, const struct result *result)
{
	size_t len = strlen(target->name);

	return !strncmp(target->name, result->name, len) &&
	       (target->name[len - 1] == '-' || !result->name[len]) &&
	       !strcmp(target->system, result->system) && !strcmp(target->metric, result->metric);
}

/* False: there is nothing to compare with. */
static bool target_text(const struct target *target, const struct result *result, char *text,
			size_t size)
{
	const char *name = target->base_name ? target->base_name : result->name;
	struct bench_value base;
	double ratio;
	bool reached;

	if (!bench_look_up(name, target->base, target->metric, &base) || isnan(base.value))
		return false;
	ratio = result->value / base.value;
	reached = target->at_least ? ratio >= target->factor : ratio <= target->factor;
	snprintf(text, size, "%.2f x %s%s%s, want %s %.1f: %s", ratio, target->base,
		 target->base_name ? " of " : "", target->base_name ? target->base_name : "",
		 target->at_least ? "at least" : "at most", target->factor,
		 reached ? "reached" : "missed");
	return true;
}

static void print_targets(FILE *out, const struct result *result)
{
	const char *before = "  ";
	char text[160];
	size_t i;

	for (i = 0; i < TARGETS; i++) {
		if (!is_about(&targets[i], result) ||
		    !target_text(&targets[i], result, text, sizeof(text)))
			continue;
		fprintf(out, "%s%s", before, text);
		before = TARGET_INDENT;
	}
	fputc('\n', out);
}

static void print_result(FILE *out, const struct result *result)
{
	if (isnan(result->value)) {
		fprintf(out, "%-33s %-24s %-17s not measured%s%s\n", result->name, result->system,
			result->metric, *result->why ? ": " : "", result->why);
		return;
	}
	fprintf(out, "%-33s %-24s %-17s %9.2f %9.2f %9.2f", result->name, result->system,
		result->metric, result->value, result->min, result->max);
	print_targets(out, result);
}

void bench_report_table(FILE *out)
{
	static size_t printed;

	if (!printed && result_count)
		fprintf(out, "%-33s %-24s %-17s %9s %9s %9s  %s\n", "case", "system", "metric",
			"median", "min", "max", "target");
	for (; printed < result_count; printed++) {
		if (printed && strcmp(results[printed].name, results[printed - 1].name))
			fputc('\n', out);
		print_result(out, &results[printed]);
	}
	fflush(out);
}

void bench_report_notes(FILE *out)
{
	size_t i;

	for (i = 0; i < note_count; i++)
		fprintf(out, "%s%s\n", i ? "" : "\n", notes[i]);
}

static struct json_object *number(double value)
{
	char text[32];

	if (isnan(value))
		return NULL; /* null */
	snprintf(text, sizeof(text), "%.3f", value);
	return json_object_new_double_s(value, text);
}

static struct json_object *samples(const struct bench_series *series)
{
	struct json_object *list = json_object_new_array();
	size_t i;

	for (i = 0; i < series->count; i++)
		json_object_array_add(list, number(series->sample[i]));
	return list;
}

static struct json_object *result_json(const struct result *result)
{
	struct json_object *object = json_object_new_object();

	json_object_object_add(object, "case", json_object_new_string(result->name));
	json_object_object_add(object, "system", json_object_new_string(result->system));
	json_object_object_add(object, "metric", json_object_new_string(result->metric));
	json_object_object_add(object, "unit", json_object_new_string(result->unit));
	json_object_object_add(object, "value", number(result->value));
	json_object_object_add(object, "min", number(result->min));
	json_object_object_add(object, "max", number(result->max));
	json_object_object_add(object, "trials", json_object_new_int(result->trials));
	json_object_object_add(object, "samples", samples(&result->series));
	if (*result->why || isnan(result->value))
		json_object_object_add(object, "error", json_object_new_string(result->why));
	return object;
}

int bench_report_json(const char *path)
{
	struct json_object *list = json_object_new_array();
	int err = 0;
	size_t i;

	for (i = 0; i < result_count; i++)
		json_object_array_add(list, result_json(&results[i]));
	if (json_object_to_file_ext(path, list,
				    JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_NOSLASHESCAPE))
		err = -EIO;
	json_object_put(list);
	return err;
}
