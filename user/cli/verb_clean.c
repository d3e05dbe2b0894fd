/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * verb_clean.c - remove what a crash left. In: nothing (orphans: pinned, but attached nowhere),
 * -a (everything pinned), or names. Out: what was removed.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"

#define MAX_FOUND 1024

/* Names are collected first: removing pins while they are listed would disturb the list. */
struct found {
	size_t count;
	struct xdplace_found list[MAX_FOUND];
};

static int collect(void *arg, const struct xdplace_found *found)
{
	struct found *all = arg;

	if (all->count == MAX_FOUND)
		return 1;
	all->list[all->count++] = *found;
	return 0;
}

static int clean_one(const char *name, struct json_object *removed)
{
	int err = xdplace_clean(name);

	if (err)
		return cli_error(err, "clean '%s'", name);
	json_append(removed, json_object_new_string(name));
	if (!cli.json)
		printf("removed %s\n", name);
	return CLI_DONE;
}

static int clean_found(bool all, struct json_object *removed)
{
	static struct found found;
	int err, code = CLI_DONE, one;
	size_t i;

	err = xdplace_each(collect, &found);
	if (err < 0)
		return cli_error(err, "look for contexts");
	for (i = 0; i < found.count; i++) {
		if (!found.list[i].leftover &&
		    (!found.list[i].pinned || !(all || found.list[i].orphan)))
			continue;
		one = clean_one(found.list[i].name, removed);
		code = code ? code : one;
	}
	return code;
}

static int clean_named(char **names, int count, struct json_object *removed)
{
	int i, one, code = CLI_DONE;

	for (i = 0; i < count; i++) {
		one = clean_one(names[i], removed);
		code = code ? code : one;
	}
	return code;
}

static void set_all(void *to, int key, const char *argument)
{
	*(bool *)to = true;
}

int verb_clean(int argc, char **argv)
{
	static const struct cli_option options[] = {
		{"all", 'a', NULL, "every pinned context, also those in use"},
		{NULL, 0, NULL, NULL},
	};
	struct json_object *document = json_add_object(NULL, NULL), *removed;
	bool all = false;
	struct cli_set sets[] = {{options, set_all, &all, NULL}};
	int code, first = cli_parse(argc, argv, sets, 1);

	if (all && first < argc)
		cli_usage("--all and names exclude one another");
	removed = json_add_array(document, "removed");
	if (cli.context)
		code = clean_one(cli.context, removed);
	else if (first < argc)
		code = clean_named(argv + first, argc - first, removed);
	else
		code = clean_found(all, removed);
	if (cli.json)
		json_print(document);
	else if (!code && !json_object_array_length(removed))
		printf("nothing to clean\n");
	return code;
}
