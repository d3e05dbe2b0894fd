/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * verb_top.c - in: samples of the flow table. Out: the busiest flows, on the whole terminal until
 * `q`, or in lines (--batch, --json, no terminal).
 */
#include <ncurses.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cli.h"
#include "top.h"

#define TOP_LINE 512
#define TOP_BATCH_ROWS 20

static const struct cli_option top_list[] = {
	{"batch", 'b', NULL, "print lines, do not use the terminal"},
	{"count", 'c', "N", "end after so many samples"},
	{"delay", 'd', "TIME", "between samples (1s)"},
	{"sort", 's', "KEY", "rate (default), packets, bytes or gaps"},
	{"rows", 'l', "N", "flows to print with --batch or --json (20)"},
	{NULL, 0, NULL, NULL},
};

struct top_options {
	bool batch;
	uint64_t count;
	uint32_t delay_ms;
	size_t rows;
	enum top_sort sort;
};

/* Where lines go: the screen, or stdout. */
struct top_page {
	bool screen;
	int line;
};

static enum top_sort parse_sort(const char *name)
{
	enum top_sort sort;

	for (sort = 0; sort < TOP_SORTS; sort++) {
		if (!strcmp(name, top_sort_name(sort)))
			return sort;
	}
	cli_usage("--sort '%s': must be rate, packets, bytes or gaps", name);
}

static void set_top(void *to, int key, const char *argument)
{
	struct top_options *options = to;

	switch (key) {
	case 'b':
		options->batch = true;
		break;
	case 'c':
		options->count = cli_number("--count", argument, 1, UINT64_MAX - 1);
		break;
	case 'd':
		options->delay_ms = cli_age("--delay", argument);
		if (options->delay_ms < 10 || options->delay_ms > 3600000)
			cli_usage("--delay %s: must be 10ms to 1h", argument);
		break;
	case 's':
		options->sort = parse_sort(argument);
		break;
	case 'l':
		options->rows = cli_number("--rows", argument, 1, XP_MAX_FLOWS);
		break;
	}
}

/* ---- text ---- */

static void put(struct top_page *page, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
static void put(struct top_page *page, const char *format, ...)
{
	char text[TOP_LINE];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	if (page->screen)
		mvaddnstr(page->line++, 0, text, COLS);
	else
		puts(text);
}

/* 1500 -> "1.50k": rates in decimal units, as networks have them. */
static const char *human_rate(double value, char *text, size_t size)
{
	static const char units[] = " kMGT";
	int unit = 0;

	while (value >= 1000 && unit < 4) {
		value /= 1000;
		unit++;
	}
	if (!unit)
		snprintf(text, size, "%.0f", value);
	else
		snprintf(text, size, "%.*f%c",
			 value < 10    ? 2
			 : value < 100 ? 1
				       : 0,
			 value, units[unit]);
	return text;
}

/* "append 812k nodata 400k": what was counted since the last sample. */
static void list_rates(const struct top *top, double (*get)(const struct top *top, unsigned index),
		       const char *(*name)(unsigned index), unsigned from, unsigned to, char *text,
		       size_t size)
{
	char value[16];
	size_t used = 0;
	unsigned i;
	double rate;

	snprintf(text, size, "-");
	for (i = from; i < to && used + 1 < size; i++) {
		rate = get(top, i);
		if (rate <= 0)
			continue;
		used += (size_t)snprintf(text + used, size - used, "%s%s %s", used ? "  " : "",
					 name(i), human_rate(rate, value, sizeof(value)));
	}
}

static void put_header(struct top_page *page, const struct top *top)
{
	char bits[16], packets[16], list[TOP_LINE - 32];

	put(page,
	    "xdplace %s  %.0fs  interfaces: %d  flows: %zu, %zu active  %sbit/s  %s packets/s",
	    cli_context_name(top->ctx), top->elapsed, top->interfaces, top->count, top->active,
	    human_rate(8 * top->bytes_per_s, bits, sizeof(bits)),
	    human_rate(top->packets_per_s, packets, sizeof(packets)));
	list_rates(top, top_opcode_rate, xdplace_opcode_name, 0, XP_OPCODE_COUNT, list,
		   sizeof(list));
	put(page, "op-codes/s: %s", list);
	list_rates(top, top_reason_rate, xdplace_reason_name, XP_R_OK + 1, XP_REASON_COUNT, list,
		   sizeof(list));
	put(page, "reasons/s:  %s", list);
}

static void put_row(struct top_page *page, const struct top_row *row)
{
	char bits[16], packets[16], bytes[16], gaps[16], key[128];

	xdplace_key_format(&row->flow.key, row->flow.flags & XP_FLOW_V6, key, sizeof(key));
	put(page, "%8s %9s %8s %10llu %7s %7u  %-8s %s",
	    human_rate(8 * row->bytes_per_s, bits, sizeof(bits)),
	    human_rate(row->packets_per_s, packets, sizeof(packets)),
	    cli_human(row->flow.bytes, bytes, sizeof(bytes)), (unsigned long long)row->flow.packets,
	    cli_human(row->flow.gap_bytes, gaps, sizeof(gaps)), row->flow.repeats,
	    flow_state_name(row->flow.state), key);
}

static void put_page(struct top_page *page, const struct top *top, size_t rows)
{
	size_t i;

	put_header(page, top);
	put(page, " ");
	put(page, "%8s %9s %8s %10s %7s %7s  %-8s %s", "BIT/S", "PACKETS/S", "BYTES", "PACKETS",
	    "GAPS", "REPEATS", "STATE", "FLOW");
	for (i = 0; i < top->count && i < rows; i++)
		put_row(page, &top->rows[i]);
}

/* ---- lines ---- */

static void json_rates(struct json_object *object, const char *key, const struct top *top,
		       double (*get)(const struct top *top, unsigned index),
		       const char *(*name)(unsigned index), unsigned count)
{
	struct json_object *rates = json_add_object(object, key);
	unsigned i;

	for (i = 0; i < count; i++) {
		if (get(top, i) > 0)
			json_object_object_add(rates, name(i), json_object_new_double(get(top, i)));
	}
}

static void print_json(const struct top *top, size_t rows)
{
	struct json_object *object = json_add_object(NULL, NULL);
	struct json_object *array, *flow;
	size_t i;

	json_object_object_add(object, "time", json_object_new_double(top->elapsed));
	json_add_u64(object, "interfaces", top->interfaces > 0 ? (uint64_t)top->interfaces : 0);
	json_add_u64(object, "flow_count", top->count);
	json_add_u64(object, "active", top->active);
	json_object_object_add(object, "bytes_per_s", json_object_new_double(top->bytes_per_s));
	json_object_object_add(object, "packets_per_s", json_object_new_double(top->packets_per_s));
	json_rates(object, "opcodes_per_s", top, top_opcode_rate, xdplace_opcode_name,
		   XP_OPCODE_COUNT);
	json_rates(object, "reasons_per_s", top, top_reason_rate, xdplace_reason_name,
		   XP_REASON_COUNT);
	array = json_add_array(object, "flows");
	for (i = 0; i < top->count && i < rows; i++) {
		flow = json_flow(top->ctx, &top->rows[i].flow);
		json_object_object_add(flow, "bytes_per_s",
				       json_object_new_double(top->rows[i].bytes_per_s));
		json_object_object_add(flow, "packets_per_s",
				       json_object_new_double(top->rows[i].packets_per_s));
		json_append(array, flow);
	}
	json_line(object);
}

static int run_lines(struct top *top, const struct top_options *options)
{
	const struct timespec delay = {options->delay_ms / 1000,
				       options->delay_ms % 1000 * 1000000};
	struct top_page page = {0};
	uint64_t i;
	int err;

	/* The first sample has no rates: it is only what the second is compared with. */
	err = top_sample(top);
	for (i = 0; !err && i < options->count; i++) {
		nanosleep(&delay, NULL);
		if (cli_stop)
			return 0;
		err = top_sample(top);
		if (err)
			break;
		if (cli.json)
			print_json(top, options->rows);
		else
			put_page(&page, top, options->rows);
		if (!cli.json && i + 1 < options->count)
			putchar('\n');
		if (!cli_flush())
			return 0;
	}
	return err ? cli_error(err, "read the flow table") : 0;
}

/* ---- screen ---- */

static void draw(struct top *top, bool paused)
{
	struct top_page page = {.screen = true};

	erase();
	put_page(&page, top, LINES > 6 ? (size_t)LINES - 6 : 0);
	mvprintw(LINES - 1, 0, "q quit  s sort (%s)  p %s", top_sort_name(top->sort),
		 paused ? "go on" : "pause");
	refresh();
}

/* Until a key that changes what is shown, or the time for the next sample. False: quit. */
static bool handle_key(struct top *top, int key, bool *paused)
{
	switch (key) {
	case 'q':
		return false;
	case 's':
		top->sort = (top->sort + 1) % TOP_SORTS;
		top_order(top);
		break;
	case 'p':
		*paused = !*paused;
		break;
	}
	return !cli_stop;
}

static int run_screen(struct top *top, const struct top_options *options)
{
	bool paused = false;
	uint64_t left = options->count;
	int key, err = 0;

	timeout((int)options->delay_ms);
	do {
		err = paused ? 0 : top_sample(top);
		if (err)
			break;
		/* A key is answered at once, the next sample comes in its own time. */
		do {
			draw(top, paused);
			key = getch();
			if (!handle_key(top, key, &paused))
				return 0;
		} while (key != ERR);
	} while (paused || --left);
	return err;
}

static int with_screen(struct top *top, const struct top_options *options)
{
	const char *term = getenv("TERM");
	SCREEN *screen = term && *term ? newterm(NULL, stdout, stdin) : NULL;
	int err;

	if (!screen) {
		cli_warn("terminal '%s' is not known here: set TERM, or use --batch",
			 term ? term : "");
		return CLI_FAILED;
	}
	set_term(screen);
	noecho();
	cbreak();
	curs_set(0);
	err = run_screen(top, options);
	endwin();
	delscreen(screen);
	return err ? cli_error(err, "read the flow table") : 0;
}

int verb_top(int argc, char **argv)
{
	struct top_options options = {
		.count = UINT64_MAX, .delay_ms = 1000, .rows = TOP_BATCH_ROWS};
	struct cli_set sets[] = {{top_list, set_top, &options, NULL}};
	struct xdplace *ctx;
	struct top top;
	int first, code;

	first = cli_parse(argc, argv, sets, 1);
	if (first < argc)
		cli_usage("'%s': takes no operand", argv[first]);
	ctx = cli_open();
	cli_catch_signals();
	code = top_open(&top, ctx);
	if (code)
		code = cli_errno(code, "start");
	top.sort = options.sort;
	if (!code && (options.batch || cli.json || !isatty(STDOUT_FILENO)))
		code = run_lines(&top, &options);
	else if (!code)
		code = with_screen(&top, &options);
	top_close(&top);
	xdplace_close(ctx);
	return cli_finish(code);
}
