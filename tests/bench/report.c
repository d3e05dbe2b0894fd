/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * report.c - results in the order in which they were measured, as a table and as JSON.
 *
 * In: series of samples. Out: median, least and greatest of each, and beside it the ratio that
 * the project wants to reach, where there is one. A target that is missed is said, not punished:
 * a measurement is not a test.
 */
#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <json-c/json.h>

#include "bench.h"

#define MAX_RESULTS 64
#define MAX_NOTES 32

struct result {
	const char *name;
	const char *system;
	const char *metric;
	const char *unit;
	double value;
	double min;
	double max;
};

/* What to reach, as a multiple of another system's value in the same case. */
struct target {
	const char *name;
	const char *system;
	const char *metric;
	const char *base;
	double factor;
	bool at_least;
};

static const struct target targets[] = {
	{"program-tcp1514-1flow", "xdplace-nocsum", "ns_per_packet", "copy-floor", 1.4, false},
	{"program-tcp1514-1flow", "xdplace", "ns_per_packet", "copy-csum-floor", 1.4, false},
	{"program-ack64", "xdplace", "ns_per_packet", "empty", 2.5, false},
	{"program-tcp1514-1000flows", "xdplace-nocsum", "ns_per_packet", "copy-floor", 2.2, false},
	{"veth-tcp1400", "xdplace", "gbit_per_s", "afxdp-reassembler", 1.5, true},
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

void bench_report(const char *name, const char *system, const char *metric, const char *unit,
		  struct bench_series *series)
{
	struct result *result = &results[result_count];

	if (result_count == MAX_RESULTS)
		return;
	result_count++;
	*result = (struct result){name, system, metric, unit, NAN, NAN, NAN};
	if (!series->count)
		return;
	result->value = bench_median(series->sample, series->count);
	result->min = series->sample[0];
	result->max = series->sample[series->count - 1];
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

double bench_reported(const char *name, const char *system, const char *metric)
{
	size_t i;

	for (i = 0; i < result_count; i++)
		if (!strcmp(results[i].name, name) && !strcmp(results[i].system, system) &&
		    !strcmp(results[i].metric, metric))
			return results[i].value;
	return NAN;
}

static const struct target *find_target(const struct result *result)
{
	size_t i;

	for (i = 0; i < TARGETS; i++)
		if (!strcmp(targets[i].name, result->name) &&
		    !strcmp(targets[i].system, result->system) &&
		    !strcmp(targets[i].metric, result->metric))
			return &targets[i];
	return NULL;
}

static void target_text(const struct result *result, char *text, size_t size)
{
	const struct target *target = find_target(result);
	double ratio;
	bool reached;

	*text = 0;
	if (!target)
		return;
	ratio = result->value / bench_reported(target->name, target->base, target->metric);
	reached = target->at_least ? ratio >= target->factor : ratio <= target->factor;
	snprintf(text, size, "%.2f x %s, want %s %.1f: %s", ratio, target->base,
		 target->at_least ? "at least" : "at most", target->factor,
		 isnan(ratio) ? "not measured"
		 : reached    ? "reached"
			      : "missed");
}

static void print_result(FILE *out, const struct result *result)
{
	char target[128];

	if (isnan(result->value)) {
		fprintf(out, "%-27s %-22s %-14s not measured\n", result->name, result->system,
			result->metric);
		return;
	}
	target_text(result, target, sizeof(target));
	fprintf(out, "%-27s %-22s %-14s %9.2f %9.2f %9.2f%s%s\n", result->name, result->system,
		result->metric, result->value, result->min, result->max, *target ? "  " : "",
		target);
}

void bench_report_table(FILE *out)
{
	size_t i;

	fprintf(out, "%-27s %-22s %-14s %9s %9s %9s  %s\n", "case", "system", "metric", "median",
		"min", "max", "target");
	for (i = 0; i < result_count; i++) {
		if (i && strcmp(results[i].name, results[i - 1].name))
			fputc('\n', out);
		print_result(out, &results[i]);
	}
	for (i = 0; i < note_count; i++)
		fprintf(out, "%s%s\n", i ? "" : "\n", notes[i]);
}

static struct json_object *number(double value)
{
	char text[32];

	snprintf(text, sizeof(text), "%.3f", value);
	return json_object_new_double_s(value, text);
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
	return object;
}

int bench_report_json(const char *path)
{
	struct json_object *list = json_object_new_array();
	int err = 0;
	size_t i;

	for (i = 0; i < result_count; i++)
		if (!isnan(results[i].value))
			json_object_array_add(list, result_json(&results[i]));
	if (json_object_to_file_ext(path, list,
				    JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_NOSLASHESCAPE))
		err = -EIO;
	json_object_put(list);
	return err;
}
