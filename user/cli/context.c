/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * context.c - which context a verb is about. In: -n, or nothing. Out: an open context, or the end
 * of the process with a message that names the contexts there are.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"

struct names {
	size_t count;
	char first[16];
	char all[1024]; /* "a, b, c" */
};

static int add_name(void *arg, const struct xdplace_found *found)
{
	struct names *names = arg;
	size_t used = strlen(names->all);

	if (!names->count++)
		snprintf(names->first, sizeof(names->first), "%s", found->name);
	snprintf(names->all + used, sizeof(names->all) - used, "%s%s", used ? ", " : "",
		 found->name);
	return 0;
}

/* The only context there is, into names->first. */
static void choose(struct names *names)
{
	int err = xdplace_each(add_name, names);

	/* Pinned ones are seen without the right to look for those of running processes. */
	if (err < 0 && !names->count)
		exit(cli_error(err, "look for contexts"));
	if (!names->count) {
		cli_warn("no context is loaded; 'xdplace load IF' makes one");
		exit(CLI_NOT_FOUND);
	}
	if (names->count > 1)
		cli_usage("there are %zu contexts: %s; name one with -n", names->count, names->all);
}

static _Noreturn void not_open(const char *name, int err)
{
	struct names names = {0};
	int code = cli_error(err, "open context '%s'", name);

	if (code == CLI_NOT_FOUND && xdplace_each(add_name, &names) >= 0 && names.count)
		cli_warn("there are: %s", names.all);
	exit(code);
}

struct xdplace *cli_open(void)
{
	struct names names = {0};
	const char *name = cli.context;
	struct xdplace *ctx;

	if (!name) {
		choose(&names);
		name = names.first;
	}
	ctx = xdplace_open_existing(name, cli_log, NULL);
	if (!ctx)
		not_open(name, -errno);
	return ctx;
}

const char *cli_context_name(const struct xdplace *ctx)
{
	return xdplace_config(ctx)->name;
}

const char *context_mode_name(enum xdplace_mode mode)
{
	return mode == XDPLACE_SKB ? "skb" : "native";
}

const char *context_egress_name(enum xp_egress egress)
{
	static const char *const names[] = {
		[XP_EGRESS_OFF] = "off",
		[XP_EGRESS_AUTO] = "auto",
		[XP_EGRESS_TCX] = "tcx",
		[XP_EGRESS_CLSACT] = "clsact",
	};

	return names[egress];
}

void context_print_interface(const struct xdplace_interface *interface)
{
	uint32_t last = interface->lane + interface->lanes - 1;

	printf("%s: %s mode, %u queue%s on ", interface->name, context_mode_name(interface->mode),
	       interface->queues, interface->queues == 1 ? "" : "s");
	if (interface->lanes > 1)
		printf("lanes %u-%u", interface->lane, last);
	else
		printf("lane %u", interface->lane);
	printf("%s", interface->xsk ? ", frames to AF_XDP sockets" : "");
	if (interface->egress)
		printf(", sent as well (%s)", context_egress_name(interface->egress));
	printf("\n");
}
