/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * egress.c - the program behind tc egress, which sees what the host itself sends (R19).
 *
 * In: a context that was made with `egress`, an interface. Out: the program on the same maps as
 * the placement program, and attached in front of all other tc programs, because those may end
 * the row.
 *
 * By tcx (Linux 6.6) it is held by a link, which goes with the process unless it is pinned. Where
 * the kernel has none it is a filter of a clsact qdisc, known by the number of our map of lanes,
 * and stays until somebody takes it away: we do, with the interface, with `clean`, and before the
 * next one is attached (xp_leftovers()). The qdisc stays, it may be in use; empty, it does nothing.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <linux/capability.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "context.h"
#include "interface.h"
#include "xdplace_egress.skel.h"

/* Linux 6.6; Debian 12's headers do not have it yet. */
#define ATTACH_TCX_EGRESS ((enum bpf_attach_type)47)
#define FLAG_BEFORE (1u << 3)

/* The first of these that no filter of another kind has; in it, the newest comes first. */
#define FIRST_PRIORITY 1u
#define LAST_PRIORITY 8u

/* ---- the program ---- */

static int share_maps(const struct bpf_object *placement, struct bpf_object *object)
{
	struct bpf_map *map, *theirs;
	int err = 0;

	bpf_object__for_each_map(map, object)
	{
		if (bpf_map__is_internal(map))
			continue;
		theirs = bpf_object__find_map_by_name(placement, bpf_map__name(map));
		err = theirs ? bpf_map__reuse_fd(map, bpf_map__fd(theirs)) : -ENOENT;
		if (err)
			break;
	}
	return err;
}

int xp_egress_load(struct xdplace *ctx, const struct bpf_object *placement)
{
	struct xdplace_egress_bpf *skel = xdplace_egress_bpf__open();
	int err;

	if (!skel)
		return -errno;
	skel->rodata->xp_config = ctx->config;
	err = share_maps(placement, skel->obj);
	if (!err)
		err = xdplace_egress_bpf__load(skel);
	if (!err) {
		ctx->egress = dup(bpf_program__fd(skel->progs.xdplace_egress));
		err = ctx->egress < 0 ? -errno : 0;
	}
	xdplace_egress_bpf__destroy(skel);
	return err;
}

int xp_egress_config(int rodata, struct xp_config *config)
{
	struct xdplace_egress_bpf__rodata data;
	struct bpf_map_info info = {0};
	uint32_t size = sizeof(info), key = 0;
	int err;

	err = bpf_obj_get_info_by_fd(rodata, &info, &size);
	if (!err && info.value_size != sizeof(data))
		err = -EPROTO;
	if (!err)
		err = bpf_map_lookup_elem(rodata, &key, &data);
	if (!err)
		*config = data.xp_config;
	return err;
}

uint32_t xp_program_id(int fd)
{
	struct bpf_prog_info info = {0};
	uint32_t size = sizeof(info);

	return bpf_obj_get_info_by_fd(fd, &info, &size) ? 0 : info.id;
}

/* ---- tcx ---- */

static bool tcx_on(uint32_t ifindex, uint32_t program)
{
	uint32_t ids[64], i;
	LIBBPF_OPTS(bpf_prog_query_opts, query, .prog_ids = ids,
		    .prog_cnt = sizeof(ids) / sizeof(ids[0]));

	if (bpf_prog_query_opts((int)ifindex, ATTACH_TCX_EGRESS, &query))
		return false;
	for (i = 0; i < query.prog_cnt; i++)
		if (ids[i] == program)
			return true;
	return false;
}

bool xp_egress_tcx(void)
{
	LIBBPF_OPTS(bpf_prog_query_opts, query);

	/* Nothing may be there, and no such interface: only not to know the question is a no. */
	return !bpf_prog_query_opts(1, ATTACH_TCX_EGRESS, &query) || errno != EINVAL;
}

/* ---- clsact ---- */

/* libbpf complains of each question that is answered with no. */
static const struct xp_logger silent;

/* The priority of the filter, 0: there is none. */
static uint32_t filter_on(uint32_t ifindex, uint32_t program, uint32_t lanes_id)
{
	LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = (int)ifindex, .attach_point = BPF_TC_EGRESS);
	uint32_t priority, found = 0;

	xp_libbpf_begin(&silent);
	for (priority = FIRST_PRIORITY; priority <= LAST_PRIORITY && !found; priority++) {
		LIBBPF_OPTS(bpf_tc_opts, filter, .handle = lanes_id, .priority = priority);

		if (!bpf_tc_query(&hook, &filter) && filter.prog_id == program)
			found = priority;
	}
	xp_libbpf_end();
	return found;
}

static void filter_remove(uint32_t ifindex, uint32_t program, uint32_t lanes_id)
{
	LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = (int)ifindex, .attach_point = BPF_TC_EGRESS);
	LIBBPF_OPTS(bpf_tc_opts, filter, .handle = lanes_id);

	filter.priority = filter_on(ifindex, program, lanes_id);
	if (filter.priority)
		bpf_tc_detach(&hook, &filter);
}

static int filter_attach(const struct xdplace *ctx, uint32_t ifindex)
{
	LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = (int)ifindex, .attach_point = BPF_TC_EGRESS);
	uint32_t priority;
	bool there;
	int err;

	xp_leftovers(NULL);
	xp_libbpf_begin(&silent);
	err = bpf_tc_hook_create(&hook);
	there = !err || err == -EEXIST;
	for (priority = FIRST_PRIORITY; there && priority <= LAST_PRIORITY; priority++) {
		LIBBPF_OPTS(bpf_tc_opts, filter, .handle = ctx->lanes_id, .priority = priority,
			    .prog_fd = ctx->egress);

		err = bpf_tc_attach(&hook, &filter);
		if (err != -EINVAL)
			break;
	}
	xp_libbpf_end();
	return err;
}

void xp_egress_remove(uint32_t id, uint32_t lanes_id, int ports)
{
	struct xp_port port;
	uint32_t slot;

	for (slot = 0; slot < XP_MAX_PORTS; slot++)
		if (!bpf_map_lookup_elem(ports, &slot, &port) && port.flags & XP_PORT_EGRESS)
			filter_remove(port.ifindex, id, lanes_id);
}

/* ---- either ---- */

static int refused(const struct xp_link *link, int err)
{
	const uint64_t needed = 1ull << CAP_NET_ADMIN;
	const char *remedy = "attach without --egress, or see dmesg";
	char caps[96] = "";

	if (err == -EPERM)
		xp_missing_caps(needed, caps, sizeof(caps));
	if (err == -ENOENT || err == -EOPNOTSUPP)
		remedy = "this kernel has neither tcx (Linux 6.6) nor the modules sch_ingress and "
			 "cls_bpf; attach without --egress";
	return xp_fail(-err, "attach to %s, what it sends: %s%s; %s", link->name, strerror(-err),
		       caps, remedy);
}

int xp_egress_attach(struct xdplace *ctx, const struct xp_link *link, int *fd)
{
	LIBBPF_OPTS(bpf_link_create_opts, opts, .flags = FLAG_BEFORE);
	int err;

	xp_egress_detach(ctx, link->ifindex, NULL);
	*fd = -1;
	err = -EINVAL;
	if (ctx->config.egress != XP_EGRESS_CLSACT) {
		*fd = bpf_link_create(ctx->egress, (int)link->ifindex, ATTACH_TCX_EGRESS, &opts);
		err = *fd < 0 ? -errno : 0;
	}
	/* What a kernel does not know it calls invalid. */
	if (err == -EINVAL && ctx->config.egress != XP_EGRESS_TCX)
		err = filter_attach(ctx, link->ifindex);
	return err ? refused(link, err) : 0;
}

enum xp_egress xp_egress_on(const struct xdplace *ctx, uint32_t ifindex)
{
	uint32_t id = ctx->egress < 0 ? 0 : xp_program_id(ctx->egress);

	if (!id)
		return XP_EGRESS_OFF;
	if (tcx_on(ifindex, id))
		return XP_EGRESS_TCX;
	return filter_on(ifindex, id, ctx->lanes_id) ? XP_EGRESS_CLSACT : XP_EGRESS_OFF;
}

void xp_egress_detach(const struct xdplace *ctx, uint32_t ifindex, const char *path)
{
	enum xp_egress how = xp_egress_on(ctx, ifindex);
	uint32_t program, id;
	int fd;

	if (how == XP_EGRESS_OFF)
		return;
	program = xp_program_id(ctx->egress);
	if (how == XP_EGRESS_CLSACT) {
		filter_remove(ifindex, program, ctx->lanes_id);
		return;
	}
	/* By the pin if there is one: it needs no right to look at other links. */
	fd = path && path[0] ? bpf_obj_get(path) : -1;
	if (fd < 0)
		fd = xp_link_on(ifindex, program, &id);
	if (fd < 0)
		return;
	bpf_link_detach(fd);
	close(fd);
}
