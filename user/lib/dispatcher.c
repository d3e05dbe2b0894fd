/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * dispatcher.c - the placement program beside other XDP programs, through libxdp.
 *
 * libxdp's dispatcher calls its programs one after the other; each is loaded once more for it, as
 * an extension of the dispatcher. So the object file is opened again here and bound to the
 * context's maps: the copy places into the same memory by the same rules. What libxdp attaches it
 * pins by itself; it stays until it is detached, also when this process dies.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <xdp/libxdp.h>

#include "context.h"
#include "cursor.h"
#include "interface.h"
#include "xdplace.skel.h"

static __thread const struct xp_logger *speaker;

static int libxdp_says(enum libxdp_print_level level, const char *format, va_list args)
{
	static const enum xdplace_log_level levels[] = {
		[LIBXDP_WARN] = XDPLACE_LOG_WARN,
		[LIBXDP_INFO] = XDPLACE_LOG_INFO,
		[LIBXDP_DEBUG] = XDPLACE_LOG_DEBUG,
	};
	char text[512];

	if (!speaker || !speaker->log)
		return 0;
	vsnprintf(text, sizeof(text), format, args);
	text[strcspn(text, "\n")] = '\0';
	xp_log(speaker, levels[level], "%s", text);
	return 0;
}

/* Between these two, libxdp and libbpf speak to the context's log instead of stderr. */
static libxdp_print_fn_t listen(const struct xdplace *ctx)
{
	speaker = &ctx->logger;
	xp_libbpf_begin(&ctx->logger);
	return libxdp_set_print(libxdp_says);
}

static void stop_listening(libxdp_print_fn_t previous)
{
	libxdp_set_print(previous);
	xp_libbpf_end();
	speaker = NULL;
}

/* Let the object use the context's maps instead of making its own. */
static int share_maps(const struct xdplace *ctx, struct xdplace_bpf *skel)
{
	const struct {
		struct bpf_map *map;
		enum xp_map which;
	} shared[] = {
		{skel->maps.xp_umem, XP_MAP_UMEM},
		{skel->maps.xp_lanes, XP_MAP_LANES},
		{skel->maps.xp_ring, XP_MAP_RING},
		{skel->maps.xp_free, XP_MAP_FREE},
		{skel->maps.xp_cursors, XP_MAP_CURSORS},
		{skel->maps.xp_flows4, XP_MAP_FLOWS4},
		{skel->maps.xp_flows6, XP_MAP_FLOWS6},
		{skel->maps.xp_flow, XP_MAP_FLOW},
		{skel->maps.xp_early, XP_MAP_EARLY},
		{skel->maps.xp_rtp, XP_MAP_RTP},
		{skel->maps.xp_areas, XP_MAP_AREAS},
		{skel->maps.xp_datagram, XP_MAP_DATAGRAM},
		{skel->maps.xp_datagrams, XP_MAP_DATAGRAMS},
		{skel->maps.xp_rules, XP_MAP_RULES},
		{skel->maps.xp_settings, XP_MAP_SETTINGS},
		{skel->maps.xp_ports, XP_MAP_PORTS},
		{skel->maps.xp_reasons, XP_MAP_REASONS},
		{skel->maps.xp_answers, XP_MAP_ANSWERS},
		{skel->maps.xp_events, XP_MAP_EVENTS},
		{skel->maps.xp_xsks, XP_MAP_XSKS},
		{skel->maps.rodata, XP_MAP_CONFIG},
	};
	size_t i;
	int err;

	/* A memory of its own, as large as the context's. */
	err = bpf_map__set_max_entries(skel->maps.xp_recent, ctx->config.lanes * XP_RECENT);
	if (err)
		return xp_fail(-err, "size map xp_recent: %s", strerror(-err));
	for (i = 0; i < sizeof(shared) / sizeof(shared[0]); i++) {
		err = bpf_map__reuse_fd(shared[i].map, ctx->map[shared[i].which]);
		if (err)
			return xp_fail(-err, "share map %s: %s", bpf_map__name(shared[i].map),
				       strerror(-err));
	}
	return 0;
}

static enum xdp_attach_mode libxdp_mode(enum xdplace_mode mode)
{
	return mode == XDPLACE_SKB ? XDP_MODE_SKB : XDP_MODE_NATIVE;
}

static const struct {
	int err;
	const char *remedy;
} remedies[] = {
	{EPERM, "the kernel refuses BPF extension programs, or CAP_SYS_ADMIN is missing; attach "
		"without --dispatcher"},
	{EOPNOTSUPP, "driver or kernel does not support it; try --mode skb, or attach without "
		     "--dispatcher"},
	{ERANGE, "lower the MTU, or try --mode skb"},
};

/* libbpf passes on the kernel's words as a warning. */
static const char *kernel_said(void)
{
	static const char intro[] = "Kernel error message: ";
	const char *said = xp_libbpf_said();

	return strncmp(said, intro, sizeof(intro) - 1) ? said : said + sizeof(intro) - 1;
}

static int explain(struct xdplace *ctx, const struct xp_link *link, enum xdplace_mode mode, int err)
{
	const char *remedy = "attach without --dispatcher, or see the log", *said = kernel_said();
	size_t i;

	if (err == EBUSY || err == EEXIST)
		return xp_refused(ctx, link, mode, err);
	for (i = 0; i < sizeof(remedies) / sizeof(remedies[0]); i++)
		if (remedies[i].err == err)
			remedy = remedies[i].remedy;
	return xp_fail(err, "attach to %s through a dispatcher: %s%s%s%s; %s", link->name,
		       strerror(err), said[0] ? " (" : "", said, said[0] ? ")" : "", remedy);
}

/* Where the kernel can't do dispatchers, libxdp attaches a single program directly. */
static bool alone(uint32_t ifindex)
{
	struct xdp_multiprog *all = xdp_multiprog__get_from_ifindex(ifindex);
	bool legacy;

	if (libxdp_get_error(all))
		return false;
	legacy = xdp_multiprog__is_legacy(all);
	xdp_multiprog__close(all);
	return legacy;
}

/* Beside others is what was asked for: alone, it would be in the way of the next one. */
static int check_beside(const struct xp_link *link, struct xdp_program *program,
			enum xdplace_mode mode)
{
	if (!alone(link->ifindex))
		return 0;
	xdp_program__detach(program, link->ifindex, libxdp_mode(mode), 0);
	return xp_fail(EOPNOTSUPP,
		       "attach to %s through a dispatcher: this kernel does not take extension "
		       "programs, libxdp attached the program alone instead; attach without "
		       "--dispatcher",
		       link->name);
}

static int attach(struct xdplace *ctx, struct xdplace_bpf *skel, const struct xp_link *link,
		  enum xdplace_mode mode)
{
	DECLARE_LIBXDP_OPTS(xdp_program_opts, opts, .obj = skel->obj, .prog_name = "xdplace");
	struct xdp_program *program;
	int err;

	program = xdp_program__create(&opts);
	err = libxdp_get_error(program);
	if (err)
		return xp_fail(-err, "attach to %s through a dispatcher: %s", link->name,
			       strerror(-err));
	/* The section's name alone tells libbpf, but not libxdp, which loads the dispatcher by it.
	 */
	xdp_program__set_xdp_frags_support(program, true);
	err = xdp_program__attach(program, link->ifindex, libxdp_mode(mode), 0);
	err = err ? explain(ctx, link, mode, -err) : check_beside(link, program, mode);
	xdp_program__close(program);
	return err;
}

int xp_dispatch(struct xdplace *ctx, const struct xp_link *link, enum xdplace_mode mode)
{
	libxdp_print_fn_t previous = listen(ctx);
	struct xdplace_bpf *skel;
	int err;

	skel = xdplace_bpf__open();
	if (!skel) {
		err = xp_fail(errno, "open the BPF object: %s", strerror(errno));
		goto out;
	}
	bpf_program__set_autoload(skel->progs.xp_control, false);
	err = share_maps(ctx, skel);
	if (!err)
		err = xp_without_meta(skel->progs.xdplace);
	if (!err)
		err = attach(ctx, skel, link, mode);
	xdplace_bpf__destroy(skel);
out:
	stop_listening(previous);
	return err;
}

/* True if the loaded program uses the map that names the context. */
static bool uses_context(const struct xdplace *ctx, int prog)
{
	struct bpf_prog_info info = {0};
	uint32_t ids[64], len = sizeof(info), i;

	info.nr_map_ids = sizeof(ids) / sizeof(ids[0]);
	info.map_ids = (uintptr_t)ids;
	if (prog < 0 || bpf_obj_get_info_by_fd(prog, &info, &len))
		return false;
	for (i = 0; i < info.nr_map_ids && i < sizeof(ids) / sizeof(ids[0]); i++)
		if (ids[i] == ctx->lanes_id)
			return true;
	return false;
}

/* The context's program among those of the interface; NULL: not there. */
static struct xdp_program *find(const struct xdplace *ctx, struct xdp_multiprog *all)
{
	struct xdp_program *program = NULL;

	if (xdp_multiprog__is_legacy(all))
		return NULL;
	while ((program = xdp_multiprog__next_prog(program, all)))
		if (uses_context(ctx, xdp_program__fd(program)))
			break;
	return program;
}

bool xp_dispatched_on(const struct xdplace *ctx, uint32_t ifindex, enum xdplace_mode *mode)
{
	libxdp_print_fn_t previous = listen(ctx);
	struct xdp_multiprog *all;
	bool found = false;

	all = xdp_multiprog__get_from_ifindex(ifindex);
	if (!libxdp_get_error(all)) {
		found = find(ctx, all) != NULL;
		*mode = xdp_multiprog__attach_mode(all) == XDP_MODE_SKB ? XDPLACE_SKB
									: XDPLACE_NATIVE;
		xdp_multiprog__close(all);
	}
	stop_listening(previous);
	return found;
}

static int remove_from(struct xdplace *ctx, struct xdp_multiprog *all, uint32_t ifindex)
{
	struct xdp_program *program = find(ctx, all);

	if (!program)
		return 0;
	return xdp_program__detach(program, ifindex, xdp_multiprog__attach_mode(all), 0);
}

int xp_dispatch_remove(struct xdplace *ctx, uint32_t ifindex, const char *ifname)
{
	libxdp_print_fn_t previous = listen(ctx);
	struct xdp_multiprog *all;
	int err = 0;

	all = xdp_multiprog__get_from_ifindex(ifindex);
	if (!libxdp_get_error(all)) {
		err = remove_from(ctx, all, ifindex);
		xdp_multiprog__close(all);
	}
	stop_listening(previous);
	return err ? xp_fail(-err, "detach from the dispatcher of %s: %s", ifname, strerror(-err))
		   : 0;
}
