/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * context.c - making, opening and closing a context.
 *
 * Making: options -> configuration -> object file with its maps sized -> programs and maps in the
 * kernel -> mappings -> areas offered -> self-test -> pins -> settings, from when on others find
 * it. A failure undoes all that went before.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include <linux/capability.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "context.h"
#include "cursor.h"
#include "xdplace.skel.h"

#ifndef CAP_BPF
#define CAP_PERFMON 38
#define CAP_BPF 39
#endif

struct xdplace *xp_context_new(xdplace_log_fn log, void *arg)
{
	struct xdplace *ctx = calloc(1, sizeof(*ctx));
	unsigned i;

	if (!ctx) {
		xp_fail(ENOMEM, "no memory for a context");
		return NULL;
	}
	pthread_mutex_init(&ctx->mutex, NULL);
	for (i = 0; i < XP_MAP_COUNT; i++)
		ctx->map[i] = -1;
	for (i = 0; i < XP_MAX_LANES; i++)
		ctx->event[i] = -1;
	ctx->prog = ctx->control = ctx->egress = -1;
	ctx->run_lane = XP_NONE;
	ctx->logger = (struct xp_logger){log, arg};
	return ctx;
}

int xp_map_id(int fd, uint32_t *id)
{
	struct bpf_map_info info = {0};
	uint32_t size = sizeof(info);
	int err;

	err = bpf_obj_get_info_by_fd(fd, &info, &size);
	*id = info.id;
	return err;
}

/* AF_XDP memory, and on old kernels maps, count against the limit; what can't be raised stays. */
static void raise_memlock(void)
{
	struct rlimit limit = {RLIM_INFINITY, RLIM_INFINITY};

	if (!setrlimit(RLIMIT_MEMLOCK, &limit) || getrlimit(RLIMIT_MEMLOCK, &limit))
		return;
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_MEMLOCK, &limit);
}

static int size_maps(struct xdplace_bpf *skel, const struct xp_config *c)
{
	const struct {
		struct bpf_map *map;
		uint32_t entries;
	} sizes[] = {
		{skel->maps.xp_umem, c->banks},
		{skel->maps.xp_lanes, c->lanes},
		{skel->maps.xp_ring, c->lanes * c->ring},
		{skel->maps.xp_free, c->lanes * (c->hot + c->cold)},
		{skel->maps.xp_cursors, c->lanes},
		{skel->maps.xp_recent, c->lanes * XP_RECENT},
		{skel->maps.xp_flows4, c->lanes * c->flows},
		{skel->maps.xp_flows6, c->lanes * c->flows},
		{skel->maps.xp_flow, c->lanes * c->flows},
		{skel->maps.xp_early, c->lanes * c->early},
		{skel->maps.xp_rtp, c->lanes * c->rtp},
		{skel->maps.xp_areas, c->areas},
		{skel->maps.xp_datagram, c->lanes * c->datagrams},
		{skel->maps.xp_datagrams, c->lanes * c->datagrams},
		{skel->maps.xp_reasons, c->lanes},
		{skel->maps.xp_xsks, c->knobs & XP_KNOB_XSK ? XP_XSK_PLACES : 1},
	};
	size_t i;
	int err;

	err = bpf_map__set_value_size(skel->maps.xp_umem, 1u << c->bank_shift);
	for (i = 0; i < sizeof(sizes) / sizeof(sizes[0]) && !err; i++)
		err = bpf_map__set_max_entries(sizes[i].map, sizes[i].entries);
	return err ? xp_fail(-err, "size the maps: %s", strerror(-err)) : 0;
}

/*
 * Without CAP_PERFMON the verifier follows what a CPU may do by speculation as well, and gives up
 * on programs of this length, with an error that says nothing of it.
 */
int xp_explain_caps(int err)
{
	const uint64_t needed = 1ull << CAP_BPF | 1ull << CAP_NET_ADMIN | 1ull << CAP_PERFMON;
	char caps[96];

	xp_missing_caps(needed, caps, sizeof(caps));
	if (caps[0])
		return xp_fail(EPERM, "load the BPF programs: not permitted%s", caps);
	if (err == -EPERM)
		return xp_fail(EPERM, "load the BPF programs: not permitted in spite of CAP_BPF, "
				      "CAP_NET_ADMIN and CAP_PERFMON: a security module or "
				      "lock-down forbids it");
	return 0;
}

static int explain_load(int err, const struct xp_config *config)
{
	if (err == -ENOMEM)
		return xp_fail(ENOMEM,
			       "load the BPF programs: no memory; the UMEM alone takes %llu MiB",
			       (unsigned long long)config->banks << config->bank_shift >> 20);
	if (xp_explain_caps(err))
		return -EPERM;
	/* What the verifier answers is about the program, not about what was asked for. */
	if (err == -EINVAL || err == -EACCES || err == -E2BIG || err == -EFAULT)
		err = -EOPNOTSUPP;
	return xp_fail(-err, "load the BPF programs: %s", xp_libbpf_said());
}

static int keep_fd(int fd)
{
	int copy = fcntl(fd, F_DUPFD_CLOEXEC, 3);

	return copy < 0 ? -errno : copy;
}

/* The skeleton goes once it has loaded: a context is descriptors. */
static int keep_fds(struct xdplace *ctx, struct xdplace_bpf *skel)
{
	struct bpf_map *const maps[XP_MAP_COUNT] = {
		[XP_MAP_UMEM] = skel->maps.xp_umem,
		[XP_MAP_LANES] = skel->maps.xp_lanes,
		[XP_MAP_RING] = skel->maps.xp_ring,
		[XP_MAP_FREE] = skel->maps.xp_free,
		[XP_MAP_CURSORS] = skel->maps.xp_cursors,
		[XP_MAP_FLOWS4] = skel->maps.xp_flows4,
		[XP_MAP_FLOWS6] = skel->maps.xp_flows6,
		[XP_MAP_FLOW] = skel->maps.xp_flow,
		[XP_MAP_EARLY] = skel->maps.xp_early,
		[XP_MAP_RTP] = skel->maps.xp_rtp,
		[XP_MAP_AREAS] = skel->maps.xp_areas,
		[XP_MAP_DATAGRAM] = skel->maps.xp_datagram,
		[XP_MAP_DATAGRAMS] = skel->maps.xp_datagrams,
		[XP_MAP_RULES] = skel->maps.xp_rules,
		[XP_MAP_SETTINGS] = skel->maps.xp_settings,
		[XP_MAP_PORTS] = skel->maps.xp_ports,
		[XP_MAP_REASONS] = skel->maps.xp_reasons,
		[XP_MAP_ANSWERS] = skel->maps.xp_answers,
		[XP_MAP_EVENTS] = skel->maps.xp_events,
		[XP_MAP_XSKS] = skel->maps.xp_xsks,
		[XP_MAP_CONFIG] = skel->maps.rodata,
	};
	unsigned i;

	ctx->prog = keep_fd(bpf_program__fd(skel->progs.xdplace));
	ctx->control = keep_fd(bpf_program__fd(skel->progs.xp_control));
	if (ctx->prog < 0 || ctx->control < 0)
		return xp_fail(EMFILE, "no descriptor left for the programs");
	for (i = 0; i < XP_MAP_COUNT; i++) {
		ctx->map[i] = keep_fd(bpf_map__fd(maps[i]));
		if (ctx->map[i] < 0)
			return xp_fail(-ctx->map[i], "keep map %s: %s", xp_map_names[i],
				       strerror(-ctx->map[i]));
	}
	return 0;
}

static int load(struct xdplace *ctx)
{
	struct xdplace_bpf *skel;
	int err;

	raise_memlock();
	ctx->config.csum_step = xp_probe_csum_step();
	skel = xdplace_bpf__open();
	if (!skel)
		return xp_fail(errno, "open the BPF object: %s (%s)", strerror(errno),
			       xp_libbpf_said());
	skel->rodata->xp_config = ctx->config;
	err = size_maps(skel, &ctx->config);
	if (!err && !(ctx->config.knobs & XP_KNOB_XSK))
		err = xp_without_meta(skel->progs.xdplace);
	if (!err) {
		err = xdplace_bpf__load(skel);
		if (!err && ctx->config.egress)
			err = xp_egress_load(ctx, skel->obj);
		err = err ? explain_load(err, &ctx->config) : keep_fds(ctx, skel);
	}
	xdplace_bpf__destroy(skel);
	return err;
}

static int make_events(struct xdplace *ctx)
{
	uint32_t i;
	int err;

	for (i = 0; i < ctx->config.lanes; i++) {
		ctx->event[i] = bpf_map_create(BPF_MAP_TYPE_RINGBUF, "xp_event", 0, 0, 4096, NULL);
		if (ctx->event[i] < 0)
			return xp_fail(-ctx->event[i], "make the ring buffer of lane %u: %s", i,
				       strerror(-ctx->event[i]));
		err = bpf_map_update_elem(ctx->map[XP_MAP_EVENTS], &i, &ctx->event[i], BPF_ANY);
		if (err)
			return xp_fail(-err, "enter the ring buffer of lane %u: %s", i,
				       strerror(-err));
	}
	return 0;
}

static int make_settings(struct xdplace *ctx)
{
	struct xp_settings settings = {.next_rule = 1};
	uint32_t key = 0;
	int err;

	err = bpf_map_update_elem(ctx->map[XP_MAP_SETTINGS], &key, &settings, BPF_ANY);
	return err ? xp_fail(-err, "write settings: %s", strerror(-err)) : 0;
}

static size_t page_up(size_t size)
{
	size_t page = sysconf(_SC_PAGESIZE);

	return (size + page - 1) & ~(page - 1);
}

static size_t lanes_size(const struct xp_config *c)
{
	return page_up(c->lanes * sizeof(struct xp_lane));
}

static size_t ring_size(const struct xp_config *c)
{
	return page_up((size_t)c->lanes * c->ring * sizeof(struct xp_completion));
}

static size_t free_size(const struct xp_config *c)
{
	return page_up((size_t)c->lanes * (c->hot + c->cold) * sizeof(struct xp_free_group));
}

static int map_one(struct xdplace *ctx, enum xp_map map, size_t size, void *where)
{
	void *at = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, ctx->map[map], 0);

	if (at == MAP_FAILED)
		return xp_fail(errno, "map %s, %zu bytes: %s", xp_map_names[map], size,
			       strerror(errno));
	memcpy(where, &at, sizeof(at));
	return 0;
}

int xp_context_map(struct xdplace *ctx)
{
	const struct xp_config *c = &ctx->config;
	struct bpf_prog_info info = {0};
	uint32_t size = sizeof(info);
	int err;

	xp_layout(c, &ctx->layout);
	ctx->umem_size = (size_t)c->banks << c->bank_shift;
	ctx->kept = calloc((c->areas + 63) / 64, sizeof(*ctx->kept));
	if (!ctx->kept)
		return xp_fail(ENOMEM, "no memory for a context");
	err = xp_map_id(ctx->map[XP_MAP_LANES], &ctx->lanes_id);
	if (!err)
		err = bpf_obj_get_info_by_fd(ctx->prog, &info, &size);
	if (err)
		return xp_fail(-err, "ask for the ids of the context: %s", strerror(-err));
	ctx->prog_id = info.id;
	err = map_one(ctx, XP_MAP_UMEM, ctx->umem_size, &ctx->umem);
	if (!err)
		err = map_one(ctx, XP_MAP_LANES, lanes_size(c), &ctx->lanes);
	if (!err)
		err = map_one(ctx, XP_MAP_RING, ring_size(c), &ctx->ring);
	if (!err)
		err = map_one(ctx, XP_MAP_FREE, free_size(c), &ctx->free);
	return err;
}

/* Maps whose elements this library reads: made with the same structures? */
static int check_elements(const struct xdplace *ctx)
{
	const struct {
		enum xp_map map;
		uint32_t size;
	} maps[] = {
		{XP_MAP_LANES, sizeof(struct xp_lane)},
		{XP_MAP_CURSORS, sizeof(struct xp_cursor)},
		{XP_MAP_FLOW, sizeof(struct xp_flow)},
		{XP_MAP_EARLY, sizeof(struct xp_early)},
		{XP_MAP_DATAGRAM, sizeof(struct xp_datagram)},
		{XP_MAP_RTP, sizeof(struct xp_rtp)},
		{XP_MAP_REASONS, sizeof(struct xp_counters)},
	};
	struct bpf_map_info info;
	uint32_t size;
	size_t i;

	for (i = 0; i < sizeof(maps) / sizeof(maps[0]); i++) {
		memset(&info, 0, sizeof(info));
		size = sizeof(info);
		if (bpf_obj_get_info_by_fd(ctx->map[maps[i].map], &info, &size) ||
		    info.value_size != maps[i].size)
			return xp_fail(EPROTO,
				       "open the context: made by another build of xdplace");
	}
	return 0;
}

/* Where the configuration lies in the programs' read-only data is part of the version. */
int xp_context_config(struct xdplace *ctx)
{
	struct xdplace_bpf__rodata data;
	struct bpf_map_info info = {0};
	uint32_t size = sizeof(info), key = 0;
	int err;

	err = bpf_obj_get_info_by_fd(ctx->map[XP_MAP_CONFIG], &info, &size);
	if (!err && info.value_size != sizeof(data))
		return xp_fail(EPROTO, "open the context: made by another version of xdplace");
	if (!err)
		err = bpf_map_lookup_elem(ctx->map[XP_MAP_CONFIG], &key, &data);
	if (err)
		return xp_fail(-err, "read the configuration of the context: %s", strerror(-err));
	if (data.xp_config.abi != XP_ABI || data.xp_config.lanes > XP_MAX_LANES)
		return xp_fail(EPROTO, "open the context: it has version %u, this is version %u",
			       data.xp_config.abi, XP_ABI);
	ctx->config = data.xp_config;
	return check_elements(ctx);
}

static int make(struct xdplace *ctx, const struct xdplace_opts *opts)
{
	int err;

	err = load(ctx);
	if (!err)
		err = make_events(ctx);
	if (!err)
		err = xp_context_map(ctx);
	if (err)
		return err;
	xp_lock_sweep();
	xp_areas_seed(ctx);
	if (!opts->no_selftest)
		err = xp_selftest(ctx, opts->frames_xsk);
	return err;
}

static int claim_pin(struct xdplace *ctx, const char *pin)
{
	int err;

	if (!pin)
		return 0;
	err = xp_pin_claim(ctx, pin);
	if (err)
		return err;
	strncpy(ctx->pin, pin, sizeof(ctx->pin) - 1);
	return 0;
}

static void unmap(void *at, size_t size)
{
	if (at)
		munmap(at, size);
}

static void close_fd(int fd)
{
	if (fd >= 0)
		close(fd);
}

/* What is attached through links goes with this process's last descriptor unless pinned. */
void xdplace_close(struct xdplace *ctx)
{
	unsigned i;

	if (!ctx)
		return;
	if (ctx->close_attached)
		ctx->close_attached(ctx);
	unmap(ctx->umem, ctx->umem_size);
	unmap(ctx->lanes, lanes_size(&ctx->config));
	unmap(ctx->ring, ring_size(&ctx->config));
	unmap(ctx->free, free_size(&ctx->config));
	for (i = 0; i < XP_MAX_LANES; i++)
		close_fd(ctx->event[i]);
	for (i = 0; i < XP_MAP_COUNT; i++)
		close_fd(ctx->map[i]);
	close_fd(ctx->egress);
	close_fd(ctx->control);
	close_fd(ctx->prog);
	free(ctx->kept);
	pthread_mutex_destroy(&ctx->mutex);
	free(ctx);
}

/* The complaint is to be about what failed, not about the undoing of it. */
static void undo(struct xdplace *ctx, int err)
{
	if (ctx->pin[0] && !ctx->pinned)
		xdplace_clean(ctx->pin);
	xdplace_close(ctx);
	errno = -err;
}

static int make_pinned(struct xdplace *ctx, const struct xdplace_opts *opts)
{
	int err;

	err = xp_config_from_opts(&ctx->config, opts);
	if (!err)
		err = claim_pin(ctx, opts->pin);
	if (!err)
		err = make(ctx, opts);
	if (!err && opts->pin)
		err = xp_pin_all(ctx);
	return err ? err : make_settings(ctx);
}

struct xdplace *xdplace_open(const struct xdplace_opts *opts)
{
	static const struct xdplace_opts defaults = {.size = sizeof(defaults)};
	struct xdplace *ctx;
	bool readable;
	int err;

	if (!opts)
		opts = &defaults;
	readable = opts->size == sizeof(*opts);
	ctx = xp_context_new(readable ? opts->log : NULL, readable ? opts->log_arg : NULL);
	if (!ctx)
		return NULL;
	ctx->made_here = true;
	xp_libbpf_begin(&ctx->logger);
	err = make_pinned(ctx, opts);
	xp_libbpf_end();
	if (err) {
		undo(ctx, err);
		return NULL;
	}
	ctx->pinned = opts->pin;
	return ctx;
}

static bool is_pinned(const char *name)
{
	char path[128];

	return xp_name_valid(name) && !xp_pin_path(name, NULL, path, sizeof(path)) &&
	       !access(path, F_OK);
}

struct xdplace *xdplace_open_existing(const char *name, xdplace_log_fn log, void *log_arg)
{
	struct xdplace *ctx = xp_context_new(log, log_arg);
	int err;

	if (!ctx)
		return NULL;
	xp_libbpf_begin(&ctx->logger);
	err = is_pinned(name) ? xp_pin_open(ctx, name) : xp_find_open(ctx, name);
	if (!err)
		err = xp_context_map(ctx);
	xp_libbpf_end();
	if (err) {
		xdplace_close(ctx);
		errno = -err;
		return NULL;
	}
	return ctx;
}

/* From here on no packet starts a flow, also of those on their way through a dispatcher. */
static int stop(struct xdplace *ctx)
{
	struct xp_settings settings;
	uint32_t key = 0;
	int err;

	err = bpf_map_lookup_elem(ctx->map[XP_MAP_SETTINGS], &key, &settings);
	if (err)
		return xp_fail(-err, "stop placing: %s", strerror(-err));
	settings.stopped = 1;
	err = bpf_map_update_elem(ctx->map[XP_MAP_SETTINGS], &key, &settings, BPF_ANY);
	return err ? xp_fail(-err, "stop placing: %s", strerror(-err)) : 0;
}

static int detach_all(struct xdplace *ctx)
{
	struct xdplace_interface *list;
	int i, n, err = 0;

	list = calloc(XP_MAX_PORTS, sizeof(*list));
	if (!list)
		return xp_fail(ENOMEM, "no memory to list interfaces");
	n = xdplace_interfaces(ctx, list, XP_MAX_PORTS);
	for (i = 0; i < n && !err; i++)
		err = xdplace_detach(ctx, list[i].name);
	free(list);
	return n < 0 ? n : err;
}

/*
 * Interfaces of this network namespace are detached by name; what is attached in others is found
 * by its pin, or among the links of the machine, which takes CAP_SYS_ADMIN.
 */
int xdplace_unload(struct xdplace *ctx)
{
	int err, links;

	err = stop(ctx);
	if (!err)
		err = detach_all(ctx);
	if (!err && ctx->pinned)
		err = xp_pin_detach(ctx->pin);
	if (!err && ctx->pinned)
		err = xdplace_clean(ctx->pin);
	if (err)
		return err;
	ctx->pinned = false;
	links = xp_links(ctx->lanes_id, true);
	return links < 0 && links != -EPERM ? xp_fail(-links, "detach: %s", strerror(-links)) : 0;
}

const struct xp_config *xdplace_config(const struct xdplace *ctx)
{
	return &ctx->config;
}

void *xdplace_umem(const struct xdplace *ctx, size_t *size)
{
	if (size)
		*size = ctx->umem_size;
	return ctx->umem;
}

bool xdplace_pinned(const struct xdplace *ctx)
{
	return ctx->pinned;
}
