/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * verb_unload.c - end a context, or take some interfaces from it. In: -n, interfaces. Out: what was
 * detached. A context that loses its last interface is unpinned as well.
 */
#include <stdio.h>

#include "cli.h"

#define MAX_SHOWN 256

static int detach_some(struct xdplace *ctx, char **interfaces, int count,
		       struct json_object *detached)
{
	int i, err;

	for (i = 0; i < count; i++) {
		err = xdplace_detach(ctx, interfaces[i]);
		if (err)
			return cli_error(err, "detach from %s", interfaces[i]);
		json_append(detached, json_object_new_string(interfaces[i]));
		if (!cli.json)
			printf("%s: detached\n", interfaces[i]);
	}
	return CLI_DONE;
}

static int unload_all(struct xdplace *ctx, struct json_object *detached)
{
	struct xdplace_interface interfaces[MAX_SHOWN];
	int i, err, count = xdplace_interfaces(ctx, interfaces, MAX_SHOWN);

	err = xdplace_unload(ctx);
	if (err)
		return cli_error(err, "unload context '%s'", cli_context_name(ctx));
	for (i = 0; i < count && i < MAX_SHOWN; i++) {
		json_append(detached, json_object_new_string(interfaces[i].name));
		if (!cli.json)
			printf("%s: detached\n", interfaces[i].name);
	}
	if (!cli.json)
		printf("context %s: unloaded\n", cli_context_name(ctx));
	return CLI_DONE;
}

int verb_unload(int argc, char **argv)
{
	int first = cli_parse(argc, argv, NULL, 0);
	struct xdplace *ctx = cli_open();
	struct json_object *document = json_add_object(NULL, NULL), *detached;
	bool all = first == argc;
	int code = CLI_DONE;

	json_add_string(document, "context", cli_context_name(ctx));
	detached = json_add_array(document, "detached");
	if (!all)
		code = detach_some(ctx, argv + first, argc - first, detached);
	if (!code && (all || !xdplace_interfaces(ctx, NULL, 0))) {
		code = unload_all(ctx, detached);
		all = true;
	}
	json_add_bool(document, "unloaded", all && !code);
	if (cli.json)
		json_print(document);
	xdplace_close(ctx);
	return code;
}
