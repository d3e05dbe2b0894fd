/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * verb_load.c - make a context and attach it. In: interfaces, options of a context. Out: what was
 * attached and how; then, unless pinned, nothing until a signal or the last interface's end.
 */
#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli.h"

#define MAX_SHOWN 256

static const struct cli_option load_list[] = {
	{"pin", 'p', "NAME", "pin as /sys/fs/bpf/xdplace/NAME: outlives the process"},
	{NULL, 0, NULL, NULL},
};

static void set_pin(void *to, int key, const char *argument)
{
	struct context_options *options = to;

	options->open.pin = argument;
}

static void print_rules(const struct context_options *options)
{
	size_t i;

	for (i = 0; i < options->rule_count; i++)
		printf("rule: %s\n", options->rule_text[i]);
	if (!options->rule_count)
		printf("no rule: every packet passes; 'xdplace rule add' changes that\n");
}

static void print_text(struct xdplace *ctx, const struct context_options *options,
		       const struct xdplace_interface *interfaces, int count)
{
	char umem[16], area[16];
	size_t size;
	int i;

	xdplace_umem(ctx, &size);
	printf("context %s", cli_context_name(ctx));
	if (options->open.pin)
		printf(", pinned as /sys/fs/bpf/xdplace/%s", options->open.pin);
	printf(": %s UMEM in areas of %s, %u lane%s\n", cli_human(size, umem, sizeof(umem)),
	       cli_human(1ull << xdplace_config(ctx)->area_shift, area, sizeof(area)),
	       xdplace_config(ctx)->lanes, xdplace_config(ctx)->lanes == 1 ? "" : "s");
	for (i = 0; i < count; i++)
		context_print_interface(&interfaces[i]);
	print_rules(options);
}

static void print_json(struct xdplace *ctx, const struct context_options *options,
		       const struct xdplace_interface *interfaces, int count)
{
	struct json_object *document = json_add_object(NULL, NULL), *array;
	size_t size, r;
	int i;

	xdplace_umem(ctx, &size);
	json_add_string(document, "context", cli_context_name(ctx));
	json_add_bool(document, "pinned", options->open.pin);
	json_add_u64(document, "umem_size", size);
	json_add_u64(document, "area_size", 1ull << xdplace_config(ctx)->area_shift);
	json_add_u64(document, "lanes", xdplace_config(ctx)->lanes);
	array = json_add_array(document, "interfaces");
	for (i = 0; i < count; i++)
		json_append(array, json_interface(&interfaces[i]));
	array = json_add_array(document, "rules");
	for (r = 0; r < options->rule_count; r++)
		json_append(array, json_rule(&options->rules[r]));
	json_print(document);
}

/* An interface whose index no name belongs to any more has been removed. */
static int still_there(const struct xdplace_interface *interfaces, int count, bool *told)
{
	char name[IF_NAMESIZE];
	int i, there = 0;

	for (i = 0; i < count; i++) {
		if (if_indextoname(interfaces[i].ifindex, name)) {
			there++;
		} else if (!told[i]) {
			cli_warn("%s: interface has been removed", interfaces[i].name);
			told[i] = true;
		}
	}
	return there;
}

static int stay(struct xdplace *ctx, const struct xdplace_interface *interfaces, int count)
{
	bool told[MAX_SHOWN] = {false};

	if (!cli.json)
		printf("in the foreground: interrupt (Ctrl-C) to detach\n");
	cli_flush();
	while (!cli_stop) {
		if (!still_there(interfaces, count, told)) {
			cli_warn("no interface is left");
			return CLI_FAILED;
		}
		if (!xdplace_interfaces(ctx, NULL, 0)) {
			cli_warn("unloaded by another process");
			return CLI_DONE;
		}
		sleep(1);
	}
	return CLI_DONE;
}

int verb_load(int argc, char **argv)
{
	struct xdplace_interface interfaces[MAX_SHOWN];
	struct context_options options;
	struct cli_set sets[] = {{load_list, set_pin, &options, NULL}, context_set(&options)};
	int first = cli_parse(argc, argv, sets, 2), count, code = CLI_DONE;
	struct xdplace *ctx;

	if (first == argc)
		cli_usage("which interface?");
	if (argc - first > MAX_SHOWN)
		cli_usage("more than %d interfaces", MAX_SHOWN);
	cli_catch_signals();
	ctx = context_open(&options, argv + first, argc - first, NULL);
	count = xdplace_interfaces(ctx, interfaces, MAX_SHOWN);
	if (cli.json)
		print_json(ctx, &options, interfaces, count);
	else
		print_text(ctx, &options, interfaces, count);
	if (!options.open.pin) {
		code = stay(ctx, interfaces, count);
		xdplace_unload(ctx);
	}
	xdplace_close(ctx);
	return code;
}
