/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * verb_area.c - the pages of the UMEM. In: list, dump INDEX, audit. Out: areas by state and kind,
 * the bytes of one, or the account of all: exit code 1 if any is lost or named twice.
 */
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli.h"

enum {
	KEY_AUDIT = CLI_LONG,
	KEY_OFFSET,
	KEY_LENGTH,
};

struct area_options {
	bool all;
	bool audit;
	uint64_t offset;
	uint64_t length; /* UINT64_MAX: to the end of the area */
	const char *write;
};

static void set(void *to, int key, const char *argument)
{
	struct area_options *options = to;

	switch (key) {
	case 'a':
		options->all = true;
		break;
	case 'w':
		options->write = argument;
		break;
	case KEY_AUDIT:
		options->audit = true;
		break;
	case KEY_OFFSET:
		options->offset = cli_size("--offset", argument);
		break;
	case KEY_LENGTH:
		options->length = cli_size("--length", argument);
		break;
	}
}

/* ---- list and audit ---- */

static void json_counts(struct json_object *document, const struct xdplace_audit *audit)
{
	struct json_object *object = json_add_object(document, "states");
	int i;

	for (i = 0; i < XDPLACE_AREA_STATES; i++)
		json_add_u64(object, xdplace_area_state_name(i), audit->state[i]);
	object = json_add_object(document, "kinds");
	for (i = 0; i < XP_AREA_KINDS; i++)
		json_add_u64(object, xdplace_area_kind_name(i), audit->kind[i]);
}

static void print_counts(const struct xdplace_audit *audit)
{
	int i;

	printf("%-12s %10s\n", "STATE", "AREAS");
	for (i = 0; i < XDPLACE_AREA_STATES; i++)
		printf("%-12s %10u\n", xdplace_area_state_name(i), audit->state[i]);
	printf("\n%-12s %10s\n", "PLACED INTO", "AREAS");
	for (i = 0; i < XP_AREA_KINDS; i++)
		if (i != XP_AREA_USER)
			printf("%-12s %10u\n", xdplace_area_kind_name(i), audit->kind[i]);
}

static bool is_bad(enum xdplace_area_state state)
{
	return state == XDPLACE_AREA_LOST || state == XDPLACE_AREA_TWICE;
}

static struct json_object *json_area(uint32_t area, enum xdplace_area_state state, uint32_t kind)
{
	struct json_object *object = json_add_object(NULL, NULL);

	json_add_u64(object, "area", area);
	json_add_string(object, "state", xdplace_area_state_name(state));
	json_add_string(object, "kind", xdplace_area_kind_name(XP_AREA_KIND(kind)));
	json_add_u64(object, "owner", XP_AREA_OWNER(kind));
	return object;
}

struct printing {
	struct json_object *array;
	bool only_bad;
};

static int print_area(void *arg, uint32_t area, enum xdplace_area_state state, uint32_t kind)
{
	const struct printing *printing = arg;

	if (printing->only_bad && !is_bad(state))
		return 0;
	if (cli.json)
		json_append(printing->array, json_area(area, state, kind));
	else
		printf("area %u: %s, %s, owner %u\n", area, xdplace_area_state_name(state),
		       xdplace_area_kind_name(XP_AREA_KIND(kind)), XP_AREA_OWNER(kind));
	return 0;
}

static int print_areas(struct xdplace *ctx, struct json_object *array, bool only_bad)
{
	struct printing printing = {array, only_bad};
	int err = xdplace_area_each(ctx, print_area, &printing);

	return err ? cli_error(err, "look at the areas") : CLI_DONE;
}

static int list(struct xdplace *ctx, const struct area_options *options)
{
	struct json_object *document = json_add_object(NULL, NULL);
	struct xdplace_audit audit;
	int code = CLI_DONE, err = xdplace_audit(ctx, &audit);

	if (err)
		return cli_error(err, "account for the areas");
	json_add_u64(document, "areas", xdplace_config(ctx)->areas);
	json_add_u64(document, "area_size", 1ull << xdplace_config(ctx)->area_shift);
	json_counts(document, &audit);
	if (!cli.json)
		print_counts(&audit);
	if (options->all)
		code = print_areas(ctx, json_add_array(document, "list"), false);
	if (cli.json)
		json_print(document);
	return code;
}

static int audit_areas(struct xdplace *ctx)
{
	struct json_object *document = json_add_object(NULL, NULL), *bad;
	struct xdplace_audit audit;
	uint32_t lost, twice;
	int err = xdplace_audit(ctx, &audit), code = CLI_DONE;

	if (err)
		return cli_error(err, "account for the areas");
	lost = audit.state[XDPLACE_AREA_LOST];
	twice = audit.state[XDPLACE_AREA_TWICE];
	json_add_u64(document, "areas", xdplace_config(ctx)->areas);
	json_add_bool(document, "clean", !lost && !twice);
	json_counts(document, &audit);
	bad = json_add_array(document, "bad");
	if (lost || twice)
		code = print_areas(ctx, bad, true);
	if (cli.json)
		json_print(document);
	else if (lost || twice)
		printf("%u areas: %u lost, %u twice\n", xdplace_config(ctx)->areas, lost, twice);
	else
		printf("%u areas, each in exactly one place\n", xdplace_config(ctx)->areas);
	if (code)
		return code;
	return lost || twice ? CLI_FAILED : CLI_DONE;
}

/* ---- dump ---- */

static void print_line(uint64_t offset, const uint8_t *bytes, size_t count)
{
	size_t i;

	printf("%08" PRIx64 " ", offset);
	for (i = 0; i < 16; i++) {
		if (i < count)
			printf("%s%02x", i == 8 ? "  " : " ", bytes[i]);
		else
			printf("%s", i == 8 ? "    " : "   ");
	}
	printf("  |");
	for (i = 0; i < count; i++)
		putchar(isprint(bytes[i]) ? bytes[i] : '.');
	printf("|\n");
}

static void print_hex(uint64_t address, const uint8_t *bytes, size_t count)
{
	size_t at, n;

	for (at = 0; at < count; at += n) {
		n = count - at < 16 ? count - at : 16;
		print_line(address + at, bytes + at, n);
	}
}

static void print_json_bytes(uint32_t area, uint64_t address, const uint8_t *bytes, size_t count)
{
	struct json_object *document = json_add_object(NULL, NULL);
	char *hex = calloc(count + 1, 2);
	size_t i;

	if (!hex)
		exit(cli_errno(ENOMEM, "dump area %u", area));
	for (i = 0; i < count; i++)
		snprintf(hex + 2 * i, 3, "%02x", bytes[i]);
	json_add_u64(document, "area", area);
	json_add_u64(document, "address", address);
	json_add_u64(document, "length", count);
	json_add_string(document, "bytes", hex);
	free(hex);
	json_print(document);
}

static int write_raw(const char *path, const uint8_t *bytes, size_t count)
{
	bool standard = !strcmp(path, "-");
	FILE *out = standard ? stdout : fopen(path, "we");
	int err = 0;

	if (!out)
		return cli_errno(errno, "open %s", path);
	if (standard && isatty(STDOUT_FILENO))
		cli_usage("raw bytes would spoil the terminal: redirect them");
	errno = 0;
	if (fwrite(bytes, 1, count, out) != count)
		err = errno;
	/* What goes to stdout is looked after at the end of the process. */
	if (standard)
		return CLI_DONE;
	if (fclose(out) && !err)
		err = errno;
	return err ? cli_errno(err, "write %s", path) : CLI_DONE;
}

static int dump(struct xdplace *ctx, uint32_t area, const struct area_options *options)
{
	const struct xp_config *config = xdplace_config(ctx);
	uint64_t size = 1ull << config->area_shift, address, length = options->length;
	const uint8_t *bytes;
	size_t umem_size;

	if (area >= config->areas)
		cli_usage("area %u: there are 0 to %u", area, config->areas - 1);
	if (options->offset >= size)
		cli_usage("--offset %" PRIu64 ": an area has %" PRIu64 " bytes", options->offset,
			  size);
	if (length == UINT64_MAX)
		length = size - options->offset;
	if (length > size - options->offset)
		cli_usage("--length %" PRIu64 ": %" PRIu64 " bytes are left in the area", length,
			  size - options->offset);
	address = ((uint64_t)area << config->area_shift) + options->offset;
	bytes = (const uint8_t *)xdplace_umem(ctx, &umem_size) + address;
	if (options->write)
		return write_raw(options->write, bytes, length);
	if (cli.json)
		print_json_bytes(area, address, bytes, length);
	else
		print_hex(address, bytes, length);
	return CLI_DONE;
}

int verb_area(int argc, char **argv)
{
	static const struct cli_option list_of_options[] = {
		{"all", 'a', NULL, "list: each area, too"},
		{"audit", KEY_AUDIT, NULL, "the same as the action 'audit'"},
		{"offset", KEY_OFFSET, "SIZE", "dump: from this byte of the area (0)"},
		{"length", KEY_LENGTH, "SIZE", "dump: so many bytes (to the end)"},
		{"write", 'w', "FILE", "dump: raw bytes into FILE, '-' is standard output"},
		{NULL, 0, NULL, NULL},
	};
	struct area_options options = {.length = UINT64_MAX};
	struct cli_set sets[] = {{list_of_options, set, &options, NULL}};
	int first = cli_parse(argc, argv, sets, 1);
	const char *action = first < argc ? argv[first++] : options.audit ? "audit" : "list";
	uint32_t area;

	if (!strcmp(action, "dump")) {
		if (argc - first != 1)
			cli_usage("dump wants one index");
		area = (uint32_t)cli_number("area", argv[first], 0, UINT32_MAX);
		return dump(cli_open(), area, &options);
	}
	if (strcmp(action, "audit") && strcmp(action, "list"))
		cli_usage("no action '%s': list, dump or audit", action);
	if (first < argc)
		cli_usage("'%s' is one word too many", argv[first]);
	if (options.audit || !strcmp(action, "audit"))
		return audit_areas(cli_open());
	return list(cli_open(), &options);
}
