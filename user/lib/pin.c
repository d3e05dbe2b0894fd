/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * pin.c - contexts that outlive their processes: /sys/fs/bpf/xdplace/NAME.
 *
 *   xp_umem ... xp_xsks   maps            events_N       ring buffer of lane N
 *   config                .rodata         prog, control, egress  programs
 *   link_IFNAME           made by attaching; egress_IFNAME as well, for what goes out
 *
 * Making the directory claims the name: of two processes one gets it.
 */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <linux/capability.h>
#include <linux/magic.h>

#include <bpf/bpf.h>

#include "context.h"

const char *const xp_map_names[XP_MAP_COUNT] = {
	[XP_MAP_UMEM] = "xp_umem",	     [XP_MAP_LANES] = "xp_lanes",
	[XP_MAP_RING] = "xp_ring",	     [XP_MAP_FREE] = "xp_free",
	[XP_MAP_CURSORS] = "xp_cursors",     [XP_MAP_FLOWS4] = "xp_flows4",
	[XP_MAP_FLOWS6] = "xp_flows6",	     [XP_MAP_FLOW] = "xp_flow",
	[XP_MAP_EARLY] = "xp_early",	     [XP_MAP_RTP] = "xp_rtp",
	[XP_MAP_AREAS] = "xp_areas",	     [XP_MAP_DATAGRAM] = "xp_datagram",
	[XP_MAP_DATAGRAMS] = "xp_datagrams", [XP_MAP_RULES] = "xp_rules",
	[XP_MAP_SETTINGS] = "xp_settings",   [XP_MAP_PORTS] = "xp_ports",
	[XP_MAP_REASONS] = "xp_reasons",     [XP_MAP_ANSWERS] = "xp_answers",
	[XP_MAP_EVENTS] = "xp_events",	     [XP_MAP_XSKS] = "xp_xsks",
	[XP_MAP_CONFIG] = "config",
};

int xp_pin_path(const char *name, const char *file, char *path, size_t size)
{
	char *dot;
	int n;

	n = snprintf(path, size, XP_PIN_ROOT "/%s%s%s", name, file ? "/" : "", file ? file : "");
	if (n < 0 || (size_t)n >= size)
		return -ENAMETOOLONG;
	if (!file)
		return 0;
	for (dot = path + strlen(path) - strlen(file); *dot; dot++)
		if (*dot == '.')
			*dot = ':';
	return 0;
}

static bool is_bpffs(void)
{
	struct statfs fs;

	return !statfs(XP_BPFFS, &fs) && (uint32_t)fs.f_type == BPF_FS_MAGIC;
}

/* 1: the process has the same file system there, 0: another, -1: not to be seen. */
static int shares_bpffs(pid_t pid)
{
	struct stat ours, theirs;
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/root" XP_BPFFS, (int)pid);
	if (stat(XP_BPFFS, &ours) || stat(path, &theirs))
		return -1;
	return ours.st_dev == theirs.st_dev;
}

static pid_t parent_of(pid_t pid)
{
	char path[64], line[128];
	int parent = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	f = fopen(path, "re");
	if (!f)
		return 0;
	while (fgets(line, sizeof(line), f) && sscanf(line, "PPid: %d", &parent) != 1)
		;
	fclose(f);
	return parent;
}

/* Our oldest ancestor that can be asked knows what will be there when we have gone. */
bool xp_pins_private(void)
{
	int asked, shared = 1;
	pid_t pid;

	for (pid = getppid(); pid > 0; pid = parent_of(pid)) {
		asked = shares_bpffs(pid);
		if (asked >= 0)
			shared = asked;
	}
	return !shared;
}

static int make_root(void)
{
	char caps[96];

	if (!is_bpffs() && mount("bpf", XP_BPFFS, "bpf", 0, "mode=0700"))
		return xp_fail(errno, "mount the BPF file system at " XP_BPFFS ": %s%s",
			       strerror(errno),
			       xp_missing_caps(1ull << CAP_SYS_ADMIN, caps, sizeof(caps)));
	if (mkdir(XP_PIN_ROOT, 0700) && errno != EEXIST)
		return xp_fail(errno, "make directory " XP_PIN_ROOT ": %s", strerror(errno));
	return 0;
}

int xp_pin_claim(struct xdplace *ctx, const char *name)
{
	char path[128];
	int err;

	err = make_root();
	if (err)
		return err;
	err = xp_pin_path(name, NULL, path, sizeof(path));
	if (err)
		return xp_fail(-err, "pin '%s': name too long", name);
	if (!mkdir(path, 0700)) {
		if (xp_pins_private())
			xp_log(&ctx->logger, XDPLACE_LOG_WARN,
			       "pin '%s' lives in a private mount namespace and ends with it; "
			       "instead of `ip netns exec NS` use `nsenter --net=/run/netns/NS`",
			       name);
		return 0;
	}
	if (errno == EEXIST)
		return xp_fail(EEXIST,
			       "pin '%s': taken; use it, choose another name, or remove it with "
			       "xdplace unload -n %s or xdplace clean %s",
			       name, name, name);
	return xp_fail(errno, "make directory %s: %s", path, strerror(errno));
}

static int pin_one(const struct xdplace *ctx, int fd, const char *file)
{
	char path[128];
	int err;

	xp_pin_path(ctx->pin, file, path, sizeof(path));
	err = bpf_obj_pin(fd, path);
	return err ? xp_fail(-err, "pin %s: %s", path, strerror(-err)) : 0;
}

int xp_pin_all(struct xdplace *ctx)
{
	char file[32];
	uint32_t i;
	int err = 0;

	for (i = 0; i < XP_MAP_COUNT && !err; i++)
		err = pin_one(ctx, ctx->map[i], xp_map_names[i]);
	for (i = 0; i < ctx->config.lanes && !err; i++) {
		snprintf(file, sizeof(file), "events_%u", i);
		err = pin_one(ctx, ctx->event[i], file);
	}
	if (!err)
		err = pin_one(ctx, ctx->control, "control");
	if (!err && ctx->egress >= 0)
		err = pin_one(ctx, ctx->egress, "egress");
	/* Last: a context is complete when it has this. */
	return err ? err : pin_one(ctx, ctx->prog, "prog");
}

static int open_one(const char *name, const char *file, int *fd)
{
	char path[128];

	xp_pin_path(name, file, path, sizeof(path));
	*fd = bpf_obj_get(path);
	if (*fd >= 0)
		return 0;
	if (errno == ENOENT)
		return xp_fail(
			EPROTO,
			"open context '%s': %s is missing; it is being made at this moment, or "
			"was left half made, or made by another version: xdplace clean %s",
			name, path, name);
	return xp_fail(errno, "open %s: %s", path, strerror(errno));
}

int xp_pin_open(struct xdplace *ctx, const char *name)
{
	char path[128], file[32];
	uint32_t i;
	int err;

	if (!xp_name_valid(name))
		return xp_fail(ENOENT, "context '%s': there is none of that name", name);
	xp_pin_path(name, NULL, path, sizeof(path));
	if (access(path, F_OK))
		return xp_fail(ENOENT, "context '%s': there is none of that name", name);
	err = open_one(name, "prog", &ctx->prog);
	if (!err)
		err = open_one(name, "control", &ctx->control);
	for (i = 0; i < XP_MAP_COUNT && !err; i++)
		err = open_one(name, xp_map_names[i], &ctx->map[i]);
	if (!err)
		err = xp_context_config(ctx);
	if (!err && ctx->config.egress)
		err = open_one(name, "egress", &ctx->egress);
	for (i = 0; !err && i < ctx->config.lanes; i++) {
		snprintf(file, sizeof(file), "events_%u", i);
		err = open_one(name, file, &ctx->event[i]);
	}
	if (err)
		return err;
	snprintf(ctx->pin, sizeof(ctx->pin), "%s", name);
	ctx->pinned = true;
	return 0;
}

int xp_pin_each(const char *name, int (*fn)(void *arg, const char *file), void *arg)
{
	char path[128] = XP_PIN_ROOT;
	struct dirent *entry;
	int result = 0;
	DIR *dir;

	if (name)
		xp_pin_path(name, NULL, path, sizeof(path));
	dir = opendir(path);
	if (!dir)
		return errno == ENOENT ? 0 : xp_fail(errno, "list %s: %s", path, strerror(errno));
	while (!result && (entry = readdir(dir)))
		if (entry->d_name[0] != '.')
			result = fn(arg, entry->d_name);
	closedir(dir);
	return result;
}

/* A link goes when its last name and descriptor have gone: detaching does not wait for them. */
static int detach_one(void *arg, const char *file)
{
	const char *name = arg;
	char path[400];
	int fd;

	if (strncmp(file, "link_", 5) && strncmp(file, "egress_", 7))
		return 0;
	snprintf(path, sizeof(path), XP_PIN_ROOT "/%s/%s", name, file);
	fd = bpf_obj_get(path);
	if (fd < 0)
		return 0;
	bpf_link_detach(fd);
	close(fd);
	return 0;
}

int xp_pin_detach(const char *name)
{
	return xp_pin_each(name, detach_one, (void *)name);
}

struct removal {
	const char *name;
	int err;
};

/* Names change under readdir(): what is left over is seen on the next turn. */
static int remove_one(void *arg, const char *file)
{
	struct removal *removal = arg;
	char path[400];

	snprintf(path, sizeof(path), XP_PIN_ROOT "/%s/%s", removal->name, file);
	if (unlink(path) && errno != ENOENT)
		removal->err = xp_fail(errno, "remove %s: %s", path, strerror(errno));
	return 0;
}

static int open_pin(const char *name, const char *file)
{
	char path[128];

	return xp_pin_path(name, file, path, sizeof(path)) ? -1 : bpf_obj_get(path);
}

/* Filters would keep what was pinned alive, and go on placing. */
static void remove_filters(const char *name)
{
	int egress = open_pin(name, "egress"), lanes = open_pin(name, "xp_lanes");
	int ports = open_pin(name, "xp_ports");
	uint32_t lanes_id;

	if (egress >= 0 && lanes >= 0 && ports >= 0 && !xp_map_id(lanes, &lanes_id))
		xp_egress_remove(xp_program_id(egress), lanes_id, ports);
	if (egress >= 0)
		close(egress);
	if (lanes >= 0)
		close(lanes);
	if (ports >= 0)
		close(ports);
}

int xdplace_clean(const char *name)
{
	struct removal removal = {.name = name};
	char path[128];
	int err, turn;

	if (!xp_name_valid(name))
		return xp_fail(ENOENT, "clean '%s': nothing is pinned under that name", name);
	xp_pin_path(name, NULL, path, sizeof(path));
	if (access(path, F_OK)) {
		err = xp_leftovers(name);
		if (err)
			return err < 0 ? err : 0;
		return xp_fail(ENOENT, "clean '%s': nothing is pinned under that name", name);
	}
	remove_filters(name);
	for (turn = 0; turn < 4; turn++) {
		err = xp_pin_each(name, remove_one, &removal);
		if (err || removal.err)
			return err ? err : removal.err;
		if (!rmdir(path))
			return 0;
		if (errno != ENOTEMPTY)
			break;
	}
	return xp_fail(errno, "remove %s: %s", path, strerror(errno));
}
