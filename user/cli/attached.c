/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * attached.c - in: a context. Out: its interfaces, news of those that have gone, their detaching.
 */
#include <errno.h>
#include <net/if.h>
#include <stdlib.h>

#include "attached.h"
#include "cli.h"

int attached_list(struct attached *attached, struct xdplace *ctx, bool own)
{
	int count = xdplace_interfaces(ctx, NULL, 0);

	*attached = (struct attached){.ctx = ctx, .own = own};
	if (count < 0)
		return cli_error(count, "list interfaces");
	attached->interfaces = calloc((size_t)count + 1, sizeof(*attached->interfaces));
	if (!attached->interfaces)
		return cli_errno(-ENOMEM, "list interfaces");
	attached->count = xdplace_interfaces(ctx, attached->interfaces, (size_t)count);
	if (attached->count < 0)
		return cli_error(attached->count, "list interfaces");
	if (attached->count > count)
		attached->count = count;
	return 0;
}

static bool exists(const struct xdplace_interface *interface)
{
	return if_nametoindex(interface->name) == interface->ifindex;
}

/* The first that has gone, NULL: all are there. */
static const struct xdplace_interface *find_gone(const struct attached *attached)
{
	int i;

	for (i = 0; i < attached->count; i++) {
		if (!exists(&attached->interfaces[i]))
			return &attached->interfaces[i];
	}
	return NULL;
}

bool attached_over(const struct attached *attached, int *code)
{
	const struct xdplace_interface *gone;

	if (!attached->count)
		return false;
	if (!attached->own && xdplace_interfaces(attached->ctx, NULL, 0))
		return false;
	gone = find_gone(attached);
	if (!gone && attached->own)
		return false;
	if (gone)
		cli_warn("interface %s has gone", gone->name);
	else
		cli_warn("the context was unloaded");
	*code = gone ? CLI_FAILED : CLI_DONE;
	return true;
}

void attached_detach(struct attached *attached)
{
	int i, err;

	for (i = 0; attached->own && i < attached->count; i++) {
		err = xdplace_detach(attached->ctx, attached->interfaces[i].name);
		if (err && err != -ENODEV && err != -ENOENT)
			cli_error(err, "detach from %s", attached->interfaces[i].name);
	}
}

void attached_free(struct attached *attached)
{
	free(attached->interfaces);
	attached->interfaces = NULL;
}
