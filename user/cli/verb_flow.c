/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * verb_flow.c - the connections of a context. In: list, show, add, del, with a handle or a key as
 * `flow list` prints them. Out: the flows, the handle of a new one.
 */
#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"

enum {
	KEY_TAKE = CLI_LONG,
	KEY_LANE,
	KEY_OWN_ADDRESS,
	KEY_OWN_LENGTH,
	KEY_OWN_START,
	KEY_RTP,
	KEY_SLOT,
	KEY_DEADLINE,
};

static const struct cli_option flow_options[] = {
	{"take", KEY_TAKE, NULL, "add: its packets do not go on to the kernel's stack"},
	{"lane", KEY_LANE, "N", "add: home lane (0)"},
	{"own-address", KEY_OWN_ADDRESS, "SIZE", "add: own area begins here in the UMEM"},
	{"own-length", KEY_OWN_LENGTH, "SIZE", "add: bytes of its own area"},
	{"own-start", KEY_OWN_START, "SIZE", "add: stream offset of the own area's start (0)"},
	{"rtp", KEY_RTP, NULL, "add: UDP that carries RTP, placed by its sequence numbers"},
	{"slot", KEY_SLOT, "SIZE", "add: with --rtp, room for a packet's payload (2K)"},
	{"deadline", KEY_DEADLINE, "MS", "add: with --rtp, when missing packets are given up (50)"},
	{NULL, 0, NULL, NULL},
};

static void set(void *to, int key, const char *argument)
{
	struct xdplace_flow_opts *opts = to;

	switch (key) {
	case KEY_TAKE:
		opts->take = true;
		break;
	case KEY_LANE:
		opts->lane = (uint32_t)cli_number("--lane", argument, 0, XP_MAX_LANES - 1);
		break;
	case KEY_OWN_ADDRESS:
		opts->own_address = cli_size32("--own-address", argument);
		break;
	case KEY_OWN_LENGTH:
		opts->own_length = cli_size32("--own-length", argument);
		break;
	case KEY_OWN_START:
		opts->own_start = cli_size("--own-start", argument);
		break;
	case KEY_RTP:
		opts->rtp = true;
		break;
	case KEY_SLOT:
		opts->slot = cli_size32("--slot", argument);
		break;
	case KEY_DEADLINE:
		opts->deadline_ms =
			(uint32_t)cli_number("--deadline", argument, 1, XP_MAX_DEADLINE);
		break;
	}
}

/* A flow as the user names it: by handle, or by key. */
struct wanted {
	bool by_key;
	uint32_t handle;
	union xp_key key;
	bool v6;
};

static void parse_key(const char *text, union xp_key *key, bool *v6)
{
	size_t where = 0;

	if (xdplace_key_parse(text, key, v6, &where))
		cli_syntax("key", text, where);
}

static void parse_wanted(const char *text, struct wanted *wanted)
{
	wanted->by_key = !isdigit((unsigned char)text[0]);
	if (wanted->by_key)
		parse_key(text, &wanted->key, &wanted->v6);
	else
		wanted->handle = (uint32_t)cli_number("handle", text, 0, UINT32_MAX);
}

static int find(struct xdplace *ctx, struct wanted *wanted)
{
	if (!wanted->by_key)
		return 0;
	return xdplace_flow_find(ctx, &wanted->key, wanted->v6, &wanted->handle);
}

/* ---- list ---- */

struct list {
	struct xdplace *ctx;
	struct json_object *array;
	uint64_t count;
};

static void print_row(struct xdplace *ctx, const struct xp_flow *flow)
{
	char key[160], age[16], idle[16];

	xdplace_key_format(&flow->key, flow->flags & XP_FLOW_V6, key, sizeof(key));
	printf("%10u %-8s %4u %4s %12" PRIu64 " %10" PRIu64 " %12" PRIu64 " %-5s %5u %8s %8s  %s\n",
	       flow->handle, flow_state_name(flow->state), flow->lane,
	       flow->flags & XP_FLOW_TAKE ? "take" : "tap", (uint64_t)flow->bytes,
	       (uint64_t)flow->packets, (uint64_t)flow->edge, flow->early == XP_NONE ? "-" : "yes",
	       flow->gaps, cli_human_ms(flow_age_ms(ctx, flow->started), age, sizeof(age)),
	       cli_human_ms(flow_age_ms(ctx, flow->active), idle, sizeof(idle)), key);
}

static int list_one(void *arg, const struct xp_flow *flow)
{
	struct list *list = arg;

	if (cli.json) {
		json_append(list->array, json_flow(list->ctx, flow));
		return 0;
	}
	if (!list->count++)
		printf("%10s %-8s %4s %4s %12s %10s %12s %-5s %5s %8s %8s  %s\n", "HANDLE", "STATE",
		       "LANE", "RULE", "BYTES", "PACKETS", "EDGE", "HOLES", "GAPS", "AGE", "IDLE",
		       "KEY");
	print_row(list->ctx, flow);
	return ferror(stdout);
}

static int list_flows(struct xdplace *ctx)
{
	struct json_object *document = json_add_object(NULL, NULL);
	struct list list = {.ctx = ctx, .array = json_add_array(document, "flows")};
	int err = xdplace_flow_each(ctx, list_one, &list);

	if (err < 0)
		return cli_error(err, "read the flows");
	if (cli.json)
		json_print(document);
	else if (!list.count)
		printf("no flow\n");
	return CLI_DONE;
}

/* ---- show ---- */

static void print_name(const char *name)
{
	printf("%-14s ", name);
}

static void print_u64(const char *name, uint64_t value)
{
	print_name(name);
	printf("%" PRIu64 "\n", value);
}

/* One line a member, members of members indented by their parent's name. */
static void print_members(const char *prefix, struct json_object *object)
{
	char name[64];

	json_object_object_foreach(object, key, value)
	{
		snprintf(name, sizeof(name), "%s%s%s", prefix, prefix[0] ? "." : "", key);
		if (json_object_is_type(value, json_type_object)) {
			print_members(name, value);
			continue;
		}
		print_name(name);
		printf("%s\n", value ? json_object_get_string(value) : "-");
	}
}

static int show(struct xdplace *ctx, const char *text, struct wanted *wanted)
{
	struct json_object *document;
	struct xp_flow flow;
	int err = find(ctx, wanted);

	if (!err)
		err = xdplace_flow_get(ctx, wanted->handle, &flow);
	if (err)
		return cli_error(err, "show flow '%s'", text);
	document = json_flow(ctx, &flow);
	if (cli.json) {
		json_print(document);
		return CLI_DONE;
	}
	print_members("", document);
	print_u64("generation", XP_FLOW_GENERATION(flow.handle));
	return CLI_DONE;
}

/* ---- add, del ---- */

static int add(struct xdplace *ctx, const char *text, const struct wanted *wanted,
	       const struct xdplace_flow_opts *opts)
{
	struct json_object *document;
	uint32_t handle;
	int err = xdplace_flow_add(ctx, &wanted->key, wanted->v6, opts, &handle);

	if (err)
		return cli_error(err, "add flow '%s'", text);
	if (cli.json) {
		document = json_add_object(NULL, NULL);
		json_add_u64(document, "handle", handle);
		json_print(document);
	} else {
		printf("flow %u added\n", handle);
	}
	return CLI_DONE;
}

static int del(struct xdplace *ctx, const char *text, struct json_object *deleted)
{
	struct wanted wanted;
	int err;

	parse_wanted(text, &wanted);
	err = find(ctx, &wanted);
	if (!err)
		err = xdplace_flow_del(ctx, wanted.handle);
	if (err)
		return cli_error(err, "delete flow '%s'", text);
	json_append(deleted, json_object_new_uint64(wanted.handle));
	if (!cli.json)
		printf("flow %u deleted\n", wanted.handle);
	return CLI_DONE;
}

static int del_all(struct xdplace *ctx, char **texts, int count)
{
	struct json_object *document = json_add_object(NULL, NULL), *deleted;
	int i, one, code = CLI_DONE;

	deleted = json_add_array(document, "deleted");
	for (i = 0; i < count; i++) {
		one = del(ctx, texts[i], deleted);
		code = code ? code : one;
	}
	if (cli.json)
		json_print(document);
	return code;
}

/* ---- actions ---- */

static int do_list(char **words, int count, struct xdplace_flow_opts *opts)
{
	if (count)
		cli_usage("'%s' is one word too many", words[0]);
	return list_flows(cli_open());
}

/* Without quotes a key is several words. */
static int do_show(char **words, int count, struct xdplace_flow_opts *opts)
{
	const char *text = cli_join(words, count);
	struct wanted wanted;

	if (!count)
		cli_usage("which flow? 'xdplace flow list' shows handles and keys");
	parse_wanted(text, &wanted);
	return show(cli_open(), text, &wanted);
}

static int do_add(char **words, int count, struct xdplace_flow_opts *opts)
{
	const char *text = cli_join(words, count);
	struct wanted wanted;

	if (!count)
		cli_usage("which flow? for example: tcp 10.0.0.1:80 > 10.0.0.2:4711");
	parse_key(text, &wanted.key, &wanted.v6);
	if (!opts->own_length && (opts->own_address || opts->own_start))
		cli_usage("an own area needs --own-length");
	return add(cli_open(), text, &wanted, opts);
}

/* Several handles or quoted keys, or one key without quotes: its words are not flows. */
static int do_del(char **words, int count, struct xdplace_flow_opts *opts)
{
	struct wanted wanted;
	char *text;
	int i;

	if (!count)
		cli_usage("which flow? 'xdplace flow list' shows handles and keys");
	if (count > 1 && !isdigit((unsigned char)words[0][0]) && !strchr(words[0], ' ')) {
		text = cli_join(words, count);
		words = &text;
		count = 1;
	}
	for (i = 0; i < count; i++)
		parse_wanted(words[i], &wanted);
	return del_all(cli_open(), words, count);
}

int verb_flow(int argc, char **argv)
{
	static const struct {
		const char *name;
		int (*run)(char **words, int count, struct xdplace_flow_opts *opts);
	} actions[] = {{"list", do_list}, {"show", do_show}, {"add", do_add}, {"del", do_del}};
	struct xdplace_flow_opts opts = {.size = sizeof(opts)};
	struct cli_set sets[] = {{flow_options, set, &opts, NULL}};
	int first = cli_parse(argc, argv, sets, 1);
	const char *action = first < argc ? argv[first++] : "list";
	size_t i;

	for (i = 0; i < sizeof(actions) / sizeof(actions[0]); i++)
		if (!strcmp(action, actions[i].name))
			return actions[i].run(argv + first, argc - first, &opts);
	cli_usage("no action '%s': list, show, add or del", action);
}
