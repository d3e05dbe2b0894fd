/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * interface.c - attach the placement program to interfaces, and tell where it is.
 *
 * In: a context and an interface's name. Out: a bpf_link (pinned if the context is), one more for
 * what goes out where the context has a program for that (egress.c), and the interface's entry in
 * xp_ports, which gives its queues their lanes. The entry is written before the program runs and
 * cleared after it has stopped, so no packet meets a wrong one.
 *
 * What is attached is told by the kernel, not by our memory: an entry whose interface is gone,
 * or has no program of ours any more, is stale and counts as empty. A lock between processes
 * keeps two of them from taking the same entry.
 */
#include <errno.h>
#include <linux/bpf.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "context.h"
#include "interface.h"

#define LOCK "interfaces"

/* What this process attached. */
struct attached {
	struct attached *next;
	uint32_t ifindex;
	int link;   /* -1: through a dispatcher */
	int egress; /* -1: none, or a filter */
};

/* ---- xp_ports ---- */

static int read_port(const struct xdplace *ctx, uint32_t slot, struct xp_port *port)
{
	if (bpf_map_lookup_elem(ctx->map[XP_MAP_PORTS], &slot, port))
		return xp_fail(errno, "read interface table: %s", strerror(errno));
	return 0;
}

static int write_port(const struct xdplace *ctx, uint32_t slot, const struct xp_port *port)
{
	if (bpf_map_update_elem(ctx->map[XP_MAP_PORTS], &slot, port, BPF_ANY))
		return xp_fail(errno, "write interface table: %s", strerror(errno));
	return 0;
}

static void clear_port(const struct xdplace *ctx, uint32_t slot)
{
	static const struct xp_port empty;

	write_port(ctx, slot, &empty);
}

/*
 * The lock between processes; -1: without. Who may not make lock files can not be root, and has
 * the context for itself unless it gave it away.
 */
static int lock_ports(const struct xdplace *ctx)
{
	int lock = xp_lock(ctx, LOCK, true);

	if (lock < 0)
		xp_log(&ctx->logger, XDPLACE_LOG_DEBUG, "%s; going on without", xdplace_error());
	return lock;
}

/* True if the interface exists and runs the context's program; *mode is how. */
static bool runs_ours(const struct xdplace *ctx, const struct xp_port *port,
		      enum xdplace_mode *mode)
{
	LIBBPF_OPTS(bpf_xdp_query_opts, query);

	if (!port->ifindex)
		return false;
	if (port->flags & XP_PORT_DISPATCHER)
		return xp_dispatched_on(ctx, port->ifindex, mode);
	if (bpf_xdp_query(port->ifindex, 0, &query))
		return false;
	*mode = query.skb_prog_id == ctx->prog_id ? XDPLACE_SKB : XDPLACE_NATIVE;
	return query.drv_prog_id == ctx->prog_id || query.skb_prog_id == ctx->prog_id;
}

/* ---- lanes ---- */

static void count_users(struct xdplace *ctx, uint32_t users[XP_MAX_LANES])
{
	enum xdplace_mode mode;
	struct xp_port port;
	uint32_t slot, i;

	memset(users, 0, XP_MAX_LANES * sizeof(*users));
	for (slot = 0; slot < XP_MAX_PORTS; slot++) {
		if (read_port(ctx, slot, &port) || !runs_ours(ctx, &port, &mode))
			continue;
		for (i = port.lane; i < port.lane + port.lanes && i < XP_MAX_LANES; i++)
			users[i]++;
	}
}

/*
 * Where `lanes` consecutive lanes are used least, the first such place. So interfaces get lanes
 * of their own as long as there are some, then share them evenly.
 */
static uint32_t least_used(const uint32_t users[XP_MAX_LANES], uint32_t all, uint32_t lanes)
{
	uint32_t first, best = 0, sum, least = UINT32_MAX, i;

	for (first = 0; first + lanes <= all; first++) {
		for (sum = 0, i = 0; i < lanes; i++)
			sum += users[first + i];
		if (sum >= least)
			continue;
		least = sum;
		best = first;
	}
	return best;
}

static void choose_lanes(struct xdplace *ctx, const struct xp_link *link, enum xdplace_mode mode,
			 struct xp_port *port)
{
	uint32_t queues = xp_link_queues(link), all = ctx->config.lanes;
	uint32_t users[XP_MAX_LANES];

	/* In generic mode the queue says little of the CPU; all lanes are as good as any. */
	if (mode == XDPLACE_SKB) {
		port->lane = 0;
		port->lanes = all;
		return;
	}
	count_users(ctx, users);
	port->lanes = queues < all ? queues : all;
	port->lane = least_used(users, all, port->lanes);
	if (queues > all)
		xp_log(&ctx->logger, XDPLACE_LOG_INFO, "%s: %u queues share %u lanes", link->name,
		       queues, all);
}

/* ---- attach ---- */

static int check_findings(struct xdplace *ctx, const struct xp_link *link,
			  const struct xdplace_attach_opts *opts)
{
	struct xp_finding findings[XP_MAX_FINDINGS];
	int i, n = xp_check_link(link, opts->mode, findings);

	for (i = 0; i < n; i++) {
		if (findings[i].say.fatal && !opts->force)
			return xp_fail(findings[i].err, "attach to %s in %s mode: %s; %s",
				       link->name, xp_mode_name(opts->mode), findings[i].say.what,
				       findings[i].say.remedy);
		xp_log(&ctx->logger, findings[i].say.fatal ? XDPLACE_LOG_WARN : XDPLACE_LOG_INFO,
		       "%s: %s; %s", link->name, findings[i].say.what, findings[i].say.remedy);
	}
	return 0;
}

/* What links are pinned as: PREFIX_IFNAME. */
#define LINK "link"
#define EGRESS "egress"

static int link_path(const struct xdplace *ctx, const char *prefix, const char *ifname, char *path,
		     size_t size)
{
	char file[32];

	snprintf(file, sizeof(file), "%s_%s", prefix, ifname);
	return xp_pin_path(ctx->pin, file, path, size);
}

static int pin_link(struct xdplace *ctx, const char *prefix, const struct xp_link *link, int fd)
{
	char path[256];
	int err;

	err = link_path(ctx, prefix, link->name, path, sizeof(path));
	if (err)
		return err;
	/* What a removed interface of that name has left: its link leads nowhere. */
	unlink(path);
	if (bpf_obj_pin(fd, path))
		return xp_fail(errno, "pin the link of %s as %s: %s", link->name, path,
			       strerror(errno));
	return 0;
}

static int attach_link(struct xdplace *ctx, const struct xp_link *link, enum xdplace_mode mode)
{
	LIBBPF_OPTS(bpf_link_create_opts, opts, .flags = xp_mode_flags(mode));
	int fd, err;

	fd = bpf_link_create(ctx->prog, link->ifindex, BPF_XDP, &opts);
	if (fd < 0)
		return xp_refused(ctx, link, mode, errno);
	err = ctx->pinned ? pin_link(ctx, LINK, link, fd) : 0;
	if (err) {
		bpf_link_detach(fd);
		close(fd);
		return err;
	}
	return fd;
}

/* What goes out, beside what comes in. */
static int attach_egress(struct xdplace *ctx, const struct xp_link *link, struct attached *a)
{
	int err;

	err = xp_egress_attach(ctx, link, &a->egress);
	if (!err && a->egress >= 0 && ctx->pinned)
		err = pin_link(ctx, EGRESS, link, a->egress);
	if (err && a->egress >= 0) {
		bpf_link_detach(a->egress);
		close(a->egress);
	}
	return err;
}

static int attach_either(struct xdplace *ctx, const struct xp_link *link,
			 const struct xdplace_attach_opts *opts, struct attached *a)
{
	if (opts->dispatcher)
		return xp_dispatch(ctx, link, opts->mode);
	a->link = attach_link(ctx, link, opts->mode);
	return a->link < 0 ? a->link : 0;
}

static int claim_port(struct xdplace *ctx, const struct xp_link *link)
{
	uint32_t slot = link->ifindex % XP_MAX_PORTS;
	enum xdplace_mode mode;
	struct xp_port port;
	int err;

	err = read_port(ctx, slot, &port);
	if (err)
		return err;
	if (!runs_ours(ctx, &port, &mode))
		return 0;
	if (port.ifindex == link->ifindex)
		return xp_fail(EEXIST, "attach to %s: it is attached to this context already",
			       link->name);
	return xp_fail(EADDRINUSE,
		       "attach to %s: its entry is taken by %s (interface numbers %u and %u are "
		       "equal modulo %u); use another context for one of them",
		       link->name, port.name, link->ifindex, port.ifindex, XP_MAX_PORTS);
}

static void close_attached(struct xdplace *ctx);

static void remember(struct xdplace *ctx, struct attached *a)
{
	a->next = ctx->attached;
	ctx->attached = a;
	ctx->close_attached = close_attached;
}

static void log_attached(struct xdplace *ctx, const struct xp_link *link,
			 const struct xp_port *port, enum xdplace_mode asked)
{
	enum xdplace_mode mode = asked;

	if (!runs_ours(ctx, port, &mode)) {
		xp_log(&ctx->logger, XDPLACE_LOG_WARN,
		       "%s: the kernel does not show the program attached", link->name);
		return;
	}
	xp_log(&ctx->logger, mode == asked ? XDPLACE_LOG_INFO : XDPLACE_LOG_WARN,
	       "attached to %s in %s mode, lanes %u to %u", link->name, xp_mode_name(mode),
	       port->lane, port->lane + port->lanes - 1);
}

/* Undo attach_either(). */
static int detach_own(struct xdplace *ctx, const struct attached *a, const struct xp_port *port)
{
	char path[256];

	if (a->link < 0)
		return xp_dispatch_remove(ctx, a->ifindex, port->name);
	bpf_link_detach(a->link);
	close(a->link);
	if (ctx->pinned && !link_path(ctx, LINK, port->name, path, sizeof(path)))
		unlink(path);
	return 0;
}

static int attach_locked(struct xdplace *ctx, const struct xp_link *link,
			 const struct xdplace_attach_opts *opts, struct attached *a)
{
	uint32_t slot = link->ifindex % XP_MAX_PORTS;
	struct xp_port port = {.ifindex = link->ifindex};
	int err;

	err = claim_port(ctx, link);
	if (err)
		return err;
	if (!opts->dispatcher && xp_program_on(link->ifindex))
		return xp_refused(ctx, link, opts->mode, EBUSY);
	err = check_findings(ctx, link, opts);
	if (err)
		return err;
	choose_lanes(ctx, link, opts->mode, &port);
	memcpy(port.name, link->name, sizeof(port.name));
	if (opts->dispatcher)
		port.flags = XP_PORT_DISPATCHER;
	else if (ctx->config.knobs & XP_KNOB_XSK)
		port.flags = XP_PORT_XSK;
	/* What loopback sends it receives as well. */
	if (ctx->egress >= 0 && !(link->flags & IFF_LOOPBACK))
		port.flags |= XP_PORT_EGRESS;
	err = write_port(ctx, slot, &port);
	if (err)
		return err;
	err = attach_either(ctx, link, opts, a);
	if (!err && port.flags & XP_PORT_EGRESS) {
		err = attach_egress(ctx, link, a);
		if (err)
			detach_own(ctx, a, &port);
	}
	if (err) {
		clear_port(ctx, slot);
		return err;
	}
	log_attached(ctx, link, &port, opts->mode);
	return 0;
}

int xdplace_attach(struct xdplace *ctx, const char *ifname, const struct xdplace_attach_opts *opts)
{
	static const struct xdplace_attach_opts defaults = {.size = sizeof(defaults)};
	struct attached *a;
	struct xp_link link;
	int lock, err;

	if (!opts)
		opts = &defaults;
	if (opts->size != sizeof(*opts) || opts->mode > XDPLACE_SKB)
		return xp_fail(EINVAL, "attach to %s: bad options", ifname);
	err = xp_link_by_name(ifname, &link);
	if (err == -ENODEV)
		return xp_fail(ENODEV, "attach to %s: no such interface; `ip link` lists them",
			       ifname);
	if (err)
		return xp_fail(-err, "attach to %s: look it up: %s", ifname, strerror(-err));
	a = calloc(1, sizeof(*a));
	if (!a)
		return xp_fail(ENOMEM, "attach to %s: out of memory", ifname);
	a->ifindex = link.ifindex;
	a->link = a->egress = -1;
	lock = lock_ports(ctx);
	err = attach_locked(ctx, &link, opts, a);
	if (err)
		free(a);
	else
		remember(ctx, a);
	xp_unlock(ctx, LOCK, lock);
	return err;
}

/* ---- detach ---- */

/* Take what this process attached to the interface out of its list; NULL: nothing. */
static struct attached *forget(struct xdplace *ctx, uint32_t ifindex)
{
	struct attached **at = (struct attached **)&ctx->attached, *a;

	for (; *at && (*at)->ifindex != ifindex; at = &(*at)->next)
		;
	a = *at;
	if (a)
		*at = a->next;
	return a;
}

int xp_link_on(uint32_t ifindex, uint32_t program, uint32_t *id)
{
	struct bpf_link_info info;
	uint32_t len;
	int fd;

	*id = 0;
	while (!bpf_link_get_next_id(*id, id)) {
		fd = bpf_link_get_fd_by_id(*id);
		if (fd < 0)
			continue;
		memset(&info, 0, sizeof(info));
		len = sizeof(info);
		/* Info of tcx links begins as that of XDP links; a program is of one type. */
		if (!bpf_obj_get_info_by_fd(fd, &info, &len) && info.prog_id == program &&
		    info.xdp.ifindex == ifindex)
			return fd;
		close(fd);
	}
	return -ENOENT;
}

/* Detach by the pin if there is one: it needs no right to look at other links. */
static int detach_foreign(struct xdplace *ctx, const struct xp_port *port, const char *path)
{
	uint32_t id;
	int fd, err;

	if (port->flags & XP_PORT_DISPATCHER)
		return xp_dispatch_remove(ctx, port->ifindex, port->name);
	fd = path[0] ? bpf_obj_get(path) : -1;
	if (fd < 0)
		fd = xp_link_on(port->ifindex, ctx->prog_id, &id);
	if (fd < 0)
		return xp_fail(ENOENT,
			       "detach from %s: its link is not to be found; links of other "
			       "processes need CAP_SYS_ADMIN",
			       port->name);
	err = bpf_link_detach(fd) ? -errno : 0;
	close(fd);
	return err ? xp_fail(-err, "detach from %s: %s", port->name, strerror(-err)) : 0;
}

static int detach_port(struct xdplace *ctx, uint32_t slot, const struct xp_port *port)
{
	struct attached *a = forget(ctx, port->ifindex);
	enum xdplace_mode mode;
	char path[256] = "", egress[256] = "";
	int err = 0;

	if (ctx->pinned) {
		link_path(ctx, LINK, port->name, path, sizeof(path));
		link_path(ctx, EGRESS, port->name, egress, sizeof(egress));
	}
	if (port->flags & XP_PORT_EGRESS)
		xp_egress_detach(ctx, port->ifindex, egress);
	if (a && a->egress >= 0)
		close(a->egress);
	if (a)
		err = detach_own(ctx, a, port);
	else if (runs_ours(ctx, port, &mode))
		err = detach_foreign(ctx, port, path);
	free(a);
	if (err)
		return err;
	if (egress[0])
		unlink(egress);
	if (path[0])
		unlink(path);
	clear_port(ctx, slot);
	return 0;
}

/* The entry of an interface that may have gone, or been renamed, since it was attached. */
static int find_port(struct xdplace *ctx, const char *ifname, uint32_t *slot, struct xp_port *port)
{
	struct xp_link link = {0};

	xp_link_by_name(ifname, &link);
	for (*slot = 0; *slot < XP_MAX_PORTS; (*slot)++) {
		if (read_port(ctx, *slot, port) || !port->ifindex)
			continue;
		if (link.ifindex ? port->ifindex == link.ifindex : !strcmp(port->name, ifname))
			return 0;
	}
	if (!link.ifindex)
		return xp_fail(ENODEV, "detach from %s: no such interface", ifname);
	return xp_fail(ENOENT, "detach from %s: it is not attached to this context", ifname);
}

int xdplace_detach(struct xdplace *ctx, const char *ifname)
{
	struct xp_port port;
	uint32_t slot;
	int lock, err;

	lock = lock_ports(ctx);
	err = find_port(ctx, ifname, &slot, &port);
	if (!err)
		err = detach_port(ctx, slot, &port);
	xp_unlock(ctx, LOCK, lock);
	return err;
}

/* Pinned links go on without us, and so do their entries. */
static void close_attached(struct xdplace *ctx)
{
	struct attached *a;
	struct xp_port port;
	uint32_t slot;

	while ((a = ctx->attached)) {
		slot = a->ifindex % XP_MAX_PORTS;
		if (!ctx->pinned && !read_port(ctx, slot, &port) && port.ifindex == a->ifindex) {
			detach_port(ctx, slot, &port);
			continue;
		}
		ctx->attached = a->next;
		if (a->link >= 0)
			close(a->link);
		if (a->egress >= 0)
			close(a->egress);
		free(a);
	}
}

/* ---- list ---- */

static void describe(const struct xdplace *ctx, const struct xp_port *port, enum xdplace_mode mode,
		     struct xdplace_interface *i)
{
	struct xp_link link;

	memset(i, 0, sizeof(*i));
	i->ifindex = port->ifindex;
	i->mode = mode;
	i->lane = port->lane;
	i->lanes = port->lanes;
	i->pinned = ctx->pinned;
	i->xsk = port->flags & XP_PORT_XSK;
	if (port->flags & XP_PORT_EGRESS)
		i->egress = xp_egress_on(ctx, port->ifindex);
	memcpy(i->name, port->name, sizeof(i->name));
	if (xp_link_by_index(port->ifindex, &link))
		return;
	memcpy(i->name, link.name, sizeof(i->name)); /* it may have been renamed */
	i->queues = xp_link_queues(&link);
}

int xdplace_interfaces(struct xdplace *ctx, struct xdplace_interface *interfaces, size_t count)
{
	enum xdplace_mode mode;
	struct xp_port port;
	uint32_t slot;
	size_t n = 0;
	int err;

	for (slot = 0; slot < XP_MAX_PORTS; slot++) {
		err = read_port(ctx, slot, &port);
		if (err)
			return err;
		if (!runs_ours(ctx, &port, &mode))
			continue;
		if (n < count)
			describe(ctx, &port, mode, &interfaces[n]);
		n++;
	}
	return n;
}
