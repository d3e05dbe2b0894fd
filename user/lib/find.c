/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * find.c - contexts on this machine, pinned or held by running processes.
 *
 * Running ones are found by walking the kernel's programs, which takes CAP_SYS_ADMIN: a context
 * is a program named `xdplace` whose read-only data are a struct xp_config. Its other maps are
 * those that the program uses, by name; its control program is the one that shares xp_lanes.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <linux/capability.h>

#include <bpf/bpf.h>

#include "context.h"

#define MAX_MAPS 32u
#define EGRESS "xdplace_egress"
/* Of links by tcx; Debian 12's headers do not have it yet. Its info begins as that of XDP links. */
#define LINK_TYPE_TCX 11u

struct program {
	struct bpf_prog_info info;
	uint32_t maps[MAX_MAPS];
};

static int describe(int fd, struct program *program)
{
	uint32_t size = sizeof(program->info);
	int err;

	memset(program, 0, sizeof(*program));
	program->info.map_ids = (uintptr_t)program->maps;
	program->info.nr_map_ids = MAX_MAPS;
	err = bpf_obj_get_info_by_fd(fd, &program->info, &size);
	if (!err && program->info.nr_map_ids > MAX_MAPS)
		program->info.nr_map_ids = MAX_MAPS;
	return err;
}

static bool uses_map(const struct program *program, uint32_t id)
{
	uint32_t i;

	for (i = 0; i < program->info.nr_map_ids; i++)
		if (program->maps[i] == id)
			return true;
	return false;
}

static int no_programs(void)
{
	char caps[96];
	int err = errno;

	return xp_fail(err, "look for contexts among the kernel's BPF programs: %s%s",
		       strerror(err), xp_missing_caps(1ull << CAP_SYS_ADMIN, caps, sizeof(caps)));
}

/*
 * Calls fn with each program of a type named `name` until it returns non-zero; returns that, or
 * -errno. fn owns fd.
 */
static int each_program(enum bpf_prog_type type, const char *name,
			int (*fn)(void *arg, int fd, const struct program *p), void *arg)
{
	struct program program;
	uint32_t id = 0;
	int fd, result = 0;

	while (!result) {
		if (bpf_prog_get_next_id(id, &id))
			return errno == ENOENT ? 0 : no_programs();
		fd = bpf_prog_get_fd_by_id(id);
		if (fd < 0)
			continue;
		if (describe(fd, &program) || program.info.type != type ||
		    strcmp(program.info.name, name))
			close(fd);
		else
			result = fn(arg, fd, &program);
	}
	return result;
}

static enum xp_map map_by_name(const char *name)
{
	size_t len = strlen(name), tail = strlen(".rodata");
	unsigned i;

	for (i = 0; i < XP_MAP_CONFIG; i++)
		if (!strcmp(name, xp_map_names[i]))
			return i;
	if (len >= tail && !strcmp(name + len - tail, ".rodata"))
		return XP_MAP_CONFIG;
	return XP_MAP_COUNT;
}

static void take_maps(struct xdplace *ctx, const struct program *program)
{
	struct bpf_map_info info;
	uint32_t i, size;
	enum xp_map map;
	int fd;

	for (i = 0; i < program->info.nr_map_ids; i++) {
		fd = bpf_map_get_fd_by_id(program->maps[i]);
		if (fd < 0)
			continue;
		size = sizeof(info);
		memset(&info, 0, sizeof(info));
		map = bpf_obj_get_info_by_fd(fd, &info, &size) ? XP_MAP_COUNT
							       : map_by_name(info.name);
		if (map == XP_MAP_COUNT || ctx->map[map] >= 0)
			close(fd);
		else
			ctx->map[map] = fd;
	}
}

struct search {
	struct xdplace *ctx; /* what is being looked at */
	const char *name;
	xdplace_log_fn log;
	void *log_arg;
};

static void drop_fds(struct xdplace *ctx)
{
	unsigned i;

	for (i = 0; i < XP_MAP_COUNT; i++) {
		if (ctx->map[i] >= 0)
			close(ctx->map[i]);
		ctx->map[i] = -1;
	}
	if (ctx->prog >= 0)
		close(ctx->prog);
	ctx->prog = -1;
}

/* Settings are written last: before that, areas that are not offered yet would look lost. */
static bool complete(const struct xdplace *ctx)
{
	struct xp_settings settings;
	uint32_t key = 0;

	return ctx->map[XP_MAP_SETTINGS] >= 0 &&
	       !bpf_map_lookup_elem(ctx->map[XP_MAP_SETTINGS], &key, &settings) &&
	       settings.next_rule;
}

/* 1: this is it, and the context has its program and maps. */
static int try_program(void *arg, int fd, const struct program *program)
{
	struct search *search = arg;
	struct xdplace *ctx = search->ctx;

	ctx->prog = fd;
	take_maps(ctx, program);
	if (ctx->map[XP_MAP_CONFIG] >= 0 && !xp_context_config(ctx) && complete(ctx) &&
	    !strcmp(ctx->config.name, search->name))
		return 1;
	drop_fds(ctx);
	return 0;
}

/* Maps that the placement program does not use are found through the control program. */
static int try_control(void *arg, int fd, const struct program *program)
{
	struct xdplace *ctx = arg;

	if (!uses_map(program, ctx->lanes_id)) {
		close(fd);
		return 0;
	}
	ctx->control = fd;
	take_maps(ctx, program);
	return 1;
}

static int try_egress(void *arg, int fd, const struct program *program)
{
	struct xdplace *ctx = arg;

	if (!uses_map(program, ctx->lanes_id)) {
		close(fd);
		return 0;
	}
	ctx->egress = fd;
	return 1;
}

static int take_events(struct xdplace *ctx)
{
	uint32_t lane, id;

	for (lane = 0; lane < ctx->config.lanes; lane++) {
		if (bpf_map_lookup_elem(ctx->map[XP_MAP_EVENTS], &lane, &id))
			return xp_fail(errno, "find the ring buffer of lane %u: %s", lane,
				       strerror(errno));
		ctx->event[lane] = bpf_map_get_fd_by_id(id);
		if (ctx->event[lane] < 0)
			return xp_fail(-ctx->event[lane], "open the ring buffer of lane %u: %s",
				       lane, strerror(-ctx->event[lane]));
	}
	return 0;
}

/* Programs that redirect to no socket do not know of the sockets' map. */
static int check_maps(const struct xdplace *ctx)
{
	unsigned i;

	for (i = 0; i < XP_MAP_COUNT; i++)
		if (ctx->map[i] < 0 && i != XP_MAP_XSKS)
			return xp_fail(EPROTO, "open context '%s': its programs do not use map %s",
				       ctx->config.name, xp_map_names[i]);
	return 0;
}

int xp_find_open(struct xdplace *ctx, const char *name)
{
	struct search search = {.ctx = ctx, .name = name};
	int found;

	found = each_program(BPF_PROG_TYPE_XDP, "xdplace", try_program, &search);
	if (found < 0)
		return found;
	if (!found)
		return xp_fail(ENOENT, "context '%s': there is none of that name", name);
	if (ctx->map[XP_MAP_LANES] < 0 || xp_map_id(ctx->map[XP_MAP_LANES], &ctx->lanes_id))
		return xp_fail(EPROTO, "open context '%s': it has no lanes", name);
	found = each_program(BPF_PROG_TYPE_XDP, "xp_control", try_control, ctx);
	if (found <= 0)
		return found ? found
			     : xp_fail(EPROTO, "open context '%s': no control program", name);
	found = 1;
	if (ctx->config.egress)
		found = each_program(BPF_PROG_TYPE_SCHED_CLS, EGRESS, try_egress, ctx);
	if (found <= 0)
		return found ? found
			     : xp_fail(EPROTO, "open context '%s': no egress program", name);
	if (check_maps(ctx))
		return -errno;
	return take_events(ctx);
}

static bool link_is_ours(const struct bpf_link_info *link, uint32_t lanes_id)
{
	struct program program;
	int fd, err;

	if (link->type != BPF_LINK_TYPE_XDP && link->type != BPF_LINK_TYPE_TRACING &&
	    link->type != LINK_TYPE_TCX)
		return false;
	fd = bpf_prog_get_fd_by_id(link->prog_id);
	if (fd < 0)
		return false;
	err = describe(fd, &program);
	close(fd);
	return !err && uses_map(&program, lanes_id);
}

/* An interface that has gone leaves its link behind, without an index. */
static bool link_attached(const struct bpf_link_info *link)
{
	return link->type == BPF_LINK_TYPE_TRACING || link->xdp.ifindex;
}

int xp_links(uint32_t lanes_id, bool detach)
{
	struct bpf_link_info info;
	uint32_t id = 0, size;
	int fd, count = 0;

	for (;;) {
		if (bpf_link_get_next_id(id, &id))
			return errno == ENOENT ? count : -errno;
		fd = bpf_link_get_fd_by_id(id);
		if (fd < 0)
			continue;
		size = sizeof(info);
		memset(&info, 0, sizeof(info));
		if (!bpf_obj_get_info_by_fd(fd, &info, &size) && link_attached(&info) &&
		    link_is_ours(&info, lanes_id)) {
			count += info.type != LINK_TYPE_TCX;
			if (detach)
				bpf_link_detach(fd);
		}
		close(fd);
	}
}

struct listing {
	int (*fn)(void *arg, const struct xdplace_found *found);
	void *arg;
	uint32_t pinned_ids[256]; /* so that running ones are not listed twice */
	unsigned pinned_count;
};

static uint32_t pinned_id(const char *name, const char *file, bool program)
{
	struct program info;
	char path[128];
	uint32_t id = 0;
	int fd;

	if (xp_pin_path(name, file, path, sizeof(path)))
		return 0;
	fd = bpf_obj_get(path);
	if (fd < 0)
		return 0;
	if (!program)
		xp_map_id(fd, &id);
	else if (!describe(fd, &info))
		id = info.info.id;
	close(fd);
	return id;
}

static int list_pinned(void *arg, const char *name)
{
	struct listing *listing = arg;
	struct xdplace_found found = {.pinned = true};
	uint32_t lanes_id;
	int links;

	snprintf(found.name, sizeof(found.name), "%s", name);
	found.prog_id = pinned_id(found.name, "prog", true);
	lanes_id = pinned_id(found.name, "xp_lanes", false);
	links = lanes_id ? xp_links(lanes_id, false) : 0;
	found.interfaces = links > 0 ? links : 0;
	found.orphan = !links;
	if (listing->pinned_count < sizeof(listing->pinned_ids) / sizeof(uint32_t))
		listing->pinned_ids[listing->pinned_count++] = found.prog_id;
	return listing->fn(listing->arg, &found);
}

static bool listed(const struct listing *listing, uint32_t prog_id)
{
	unsigned i;

	for (i = 0; i < listing->pinned_count; i++)
		if (listing->pinned_ids[i] == prog_id)
			return true;
	return false;
}

static int list_running(void *arg, int fd, const struct program *program)
{
	struct listing *listing = arg;
	struct xdplace_found found = {.prog_id = program->info.id};
	struct xdplace *ctx;
	uint32_t lanes_id;
	bool known;
	int links;

	if (listed(listing, program->info.id)) {
		close(fd);
		return 0;
	}
	ctx = xp_context_new(NULL, NULL);
	if (!ctx) {
		close(fd);
		return -ENOMEM;
	}
	ctx->prog = fd;
	take_maps(ctx, program);
	known = ctx->map[XP_MAP_CONFIG] >= 0 && !xp_context_config(ctx) && complete(ctx) &&
		ctx->map[XP_MAP_LANES] >= 0 && !xp_map_id(ctx->map[XP_MAP_LANES], &lanes_id);
	snprintf(found.name, sizeof(found.name), "%s", ctx->config.name);
	xdplace_close(ctx);
	if (!known)
		return 0;
	links = xp_links(lanes_id, false);
	found.interfaces = links > 0 ? links : 0;
	found.pins_hidden = xp_pins_private();
	return listing->fn(listing->arg, &found);
}

/* ---- what a killed process has left of XP_EGRESS_CLSACT ---- */

static int is_alive(void *arg, int fd, const struct program *program)
{
	const uint32_t *lanes_id = arg;

	close(fd);
	return uses_map(program, *lanes_id);
}

/*
 * An egress program whose context has no placement program any more: opens of it what is needed
 * to remove it. False: it is in use.
 */
static bool is_leftover(struct xdplace *ctx, const struct program *program)
{
	take_maps(ctx, program);
	if (ctx->map[XP_MAP_CONFIG] < 0 || ctx->map[XP_MAP_LANES] < 0 ||
	    ctx->map[XP_MAP_PORTS] < 0 || xp_map_id(ctx->map[XP_MAP_LANES], &ctx->lanes_id) ||
	    xp_egress_config(ctx->map[XP_MAP_CONFIG], &ctx->config))
		return false;
	return !each_program(BPF_PROG_TYPE_XDP, "xdplace", is_alive, &ctx->lanes_id);
}

static int list_leftover(void *arg, int fd, const struct program *program)
{
	struct listing *listing = arg;
	struct xdplace_found found = {.leftover = true};
	struct xdplace *ctx = xp_context_new(NULL, NULL);
	bool leftover;

	close(fd);
	if (!ctx)
		return -ENOMEM;
	leftover = is_leftover(ctx, program);
	snprintf(found.name, sizeof(found.name), "%s", ctx->config.name);
	xdplace_close(ctx);
	return leftover ? listing->fn(listing->arg, &found) : 0;
}

struct removal {
	const char *name; /* NULL: whatever its name */
	int count;
	int left; /* in other network namespaces */
};

/* A program goes a little after the last filter that has used it. */
static bool goes(uint32_t id)
{
	const struct timespec pause = {.tv_nsec = 10000000};
	int i, fd;

	for (i = 0; i < 100; i++) {
		fd = bpf_prog_get_fd_by_id(id);
		if (fd < 0)
			return true;
		close(fd);
		nanosleep(&pause, NULL);
	}
	return false;
}

static int remove_leftover(void *arg, int fd, const struct program *program)
{
	struct xdplace *ctx = xp_context_new(NULL, NULL);
	struct removal *removal = arg;
	bool ours;

	close(fd);
	if (!ctx)
		return -ENOMEM;
	ours = is_leftover(ctx, program) &&
	       (!removal->name || !strcmp(removal->name, ctx->config.name));
	if (ours)
		xp_egress_remove(program->info.id, ctx->lanes_id, ctx->map[XP_MAP_PORTS]);
	xdplace_close(ctx);
	if (ours && goes(program->info.id))
		removal->count++;
	else if (ours)
		removal->left++;
	return 0;
}

int xdplace_each(int (*fn)(void *arg, const struct xdplace_found *found), void *arg)
{
	struct listing listing = {.fn = fn, .arg = arg};
	int result;

	result = xp_pin_each(NULL, list_pinned, &listing);
	if (!result)
		result = each_program(BPF_PROG_TYPE_XDP, "xdplace", list_running, &listing);
	if (!result)
		result = each_program(BPF_PROG_TYPE_SCHED_CLS, EGRESS, list_leftover, &listing);
	return result;
}

int xp_leftovers(const char *name)
{
	struct removal removal = {.name = name};
	int err;

	err = each_program(BPF_PROG_TYPE_SCHED_CLS, EGRESS, remove_leftover, &removal);
	if (!err && removal.left && removal.name)
		return xp_fail(EBUSY, "clean '%s': its filters are in another network namespace",
			       name);
	return err ? err : removal.count;
}
