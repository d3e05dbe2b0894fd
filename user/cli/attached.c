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

const char *attached_lost(const struct attached *attached)
{
	const struct xdplace_interface *interface = attached->interfaces;
	int i;

	if (!attached->own) {
		if (attached->count && !xdplace_interfaces(attached->ctx, NULL, 0))
			return interface->name;
		return NULL;
	}
	for (i = 0; i < attached->count; i++, interface++) {
		if (if_nametoindex(interface->name) != interface->ifindex)
			return interface->name;
	}
	return NULL;
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
