/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * context.h - what the files of the library share: struct xdplace and the functions with prefix
 * xp_. Private to the library.
 *
 * A context holds descriptors, never libbpf objects: one that this process made and one that
 * another process made are used in the same way.
 */
#ifndef CONTEXT_H
#define CONTEXT_H

#include <pthread.h>
#include <stdarg.h>

#include <xdplace/xdplace.h>

/* Maps by number, so that pinning, looking up and closing are loops. Names: xp_map_names. */
enum xp_map {
	XP_MAP_UMEM,
	XP_MAP_LANES,
	XP_MAP_RING,
	XP_MAP_FREE,
	XP_MAP_CURSORS,
	XP_MAP_FLOWS4,
	XP_MAP_FLOWS6,
	XP_MAP_FLOW,
	XP_MAP_EARLY,
	XP_MAP_RTP,
	XP_MAP_AREAS,
	XP_MAP_DATAGRAM,
	XP_MAP_DATAGRAMS,
	XP_MAP_RULES,
	XP_MAP_SETTINGS,
	XP_MAP_PORTS,
	XP_MAP_REASONS,
	XP_MAP_ANSWERS,
	XP_MAP_EVENTS,
	XP_MAP_XSKS,
	XP_MAP_CONFIG, /* .rodata of the programs: struct xp_config */
	XP_MAP_COUNT
};
extern const char *const xp_map_names[XP_MAP_COUNT]; /* as pinned */

/*
 * From area 0 on: areas to place into, areas of AF_XDP sockets, own areas. The last area of each
 * bank, and up to three that are left over when groups of four are made, are guards.
 */
struct xp_layout {
	uint32_t usable;       /* areas below it are placed into, unless guards */
	uint32_t xsk;	       /* first area of AF_XDP sockets; usable + up to three guards */
	uint32_t own;	       /* first area of the own areas */
	uint32_t groups;       /* groups of four that are placed into */
	uint32_t xsk_per_lane; /* areas of one lane's socket */
};

/* Where to say things in words: an application's callback, or NULL. */
struct xp_logger {
	xdplace_log_fn log;
	void *arg;
};

struct xdplace {
	struct xp_config config;
	struct xp_layout layout; /* follows from config */
	int map[XP_MAP_COUNT];
	int prog;		 /* xdplace, the placement program */
	int control;		 /* xp_control */
	int egress;		 /* xdplace_egress; -1: the context is without */
	int event[XP_MAX_LANES]; /* each lane's ring buffer */
	uint32_t prog_id;
	uint32_t lanes_id; /* id of the map xp_lanes: names the context on this machine */
	bool made_here;	   /* by xdplace_open(): closing detaches unless pinned */
	bool pinned;
	char pin[16]; /* directory below XP_PIN_ROOT, if pinned */

	/* Mapped from the maps of the same names. */
	uint8_t *umem;
	size_t umem_size;
	struct xp_lane *lanes;
	struct xp_completion *ring;
	struct xp_free_group *free;

	pthread_mutex_t mutex;			 /* guards lane[] against the audit */
	struct xdplace_lane *lane[XP_MAX_LANES]; /* lanes that this process consumes */
	uint64_t *kept;				 /* bit per area: kept by this process (atomic) */
	uint32_t run_lane; /* lane that xdplace_run() fed last, XP_NONE: not yet */

	/* interface.c: its own state, and how to detach and free it; NULL: nothing attached. */
	void *attached;
	void (*close_attached)(struct xdplace *ctx);

	struct xp_logger logger;
};

/* ---- error.c ---- */

/* Set xdplace_error() and errno; returns -err, so that callers can return it. err is positive. */
int xp_fail(int err, const char *format, ...) __attribute__((format(printf, 2, 3)));
void xp_log(const struct xp_logger *logger, enum xdplace_log_level level, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
/*
 * Between these two, what libbpf says in this thread goes to the logger; outside it goes
 * where the application sent it. xp_libbpf_said() is the first warning since xp_libbpf_begin().
 */
void xp_libbpf_begin(const struct xp_logger *logger);
void xp_libbpf_end(void);
const char *xp_libbpf_said(void);
/* " (missing: CAP_BPF, CAP_NET_ADMIN)" for those of `mask` (1 << CAP_*) not in effect, or "". */
const char *xp_missing_caps(uint64_t mask, char *text, size_t size);

/* ---- options.c: what is asked for -> struct xp_config ---- */

int xp_config_from_opts(struct xp_config *config, const struct xdplace_opts *opts);
bool xp_name_valid(const char *name);

/* ---- flow.c: RTP flows ---- */

#define XP_RTP_SLOT 2048u /* bytes, unless said otherwise */
#define XP_RTP_DEADLINE_MS 50u
/* Does a slot of XP_RTP() fit an area? */
int xp_check_slot(const struct xdplace *ctx, uint32_t rtp);

/* ---- area.c, audit.c ---- */

void xp_layout(const struct xp_config *config, struct xp_layout *layout);
bool xp_area_guard(const struct xp_config *config, const struct xp_layout *layout, uint32_t area);
/* Offer all areas to the lanes, once, before anything runs. */
void xp_areas_seed(struct xdplace *ctx);
/* Offer again the areas that no consumer, ring or program has; returns how many. */
int xp_areas_recover(struct xdplace_lane *lane);

/* ---- pin.c ---- */

#define XP_BPFFS "/sys/fs/bpf"
#define XP_PIN_ROOT XP_BPFFS "/xdplace"
/*
 * Path of `file` (NULL: the directory) of the context pinned as `name`. bpffs refuses dots in
 * names, which interface names may have: they become colons, which those can't have.
 */
int xp_pin_path(const char *name, const char *file, char *path, size_t size);
int xp_pin_claim(struct xdplace *ctx, const char *name); /* makes the directory: EEXIST */
bool xp_pins_private(void); /* the BPF file system is not that of our ancestors */
int xp_pin_all(struct xdplace *ctx);
int xp_pin_detach(const char *name);			/* what link_* attach */
int xp_pin_open(struct xdplace *ctx, const char *name); /* opens all that is pinned */
/* Calls fn with each file of the directory (NULL: each context) until it returns non-zero. */
int xp_pin_each(const char *name, int (*fn)(void *arg, const char *file), void *arg);

/* ---- find.c: contexts of running processes ---- */

int xp_find_open(struct xdplace *ctx, const char *name);
/*
 * Links whose program uses the map `lanes_id`; detaches them if asked to. -errno or how many,
 * those for egress not counted.
 */
int xp_links(uint32_t lanes_id, bool detach);
/*
 * Remove the filters of egress programs that have outlived their contexts, of context `name` or
 * (NULL) of all, in this network namespace: how many programs they were of. -EBUSY: of the named
 * one there are more in another.
 */
int xp_leftovers(const char *name);

/* ---- egress.c ---- */

struct bpf_object;
/* Load the program on the maps of the placement object, which is loaded: 0 or -errno. */
int xp_egress_load(struct xdplace *ctx, const struct bpf_object *placement);
/* What a program was configured with, read from its .rodata. */
int xp_egress_config(int rodata, struct xp_config *config);
/* Take the program `id` of the context `lanes_id` from all interfaces of `ports` (xp_ports). */
void xp_egress_remove(uint32_t id, uint32_t lanes_id, int ports);
/* The id of a program, 0: it has none. */
uint32_t xp_program_id(int fd);

/* ---- context.c ---- */

struct xdplace *xp_context_new(xdplace_log_fn log, void *arg);
int xp_context_map(struct xdplace *ctx); /* mmap what is shared */
int xp_map_id(int fd, uint32_t *id);
/* Loading failed with `err`: if for want of capabilities, xdplace_error() says so; else 0. */
int xp_explain_caps(int err);
int xp_context_config(struct xdplace *ctx); /* reads and checks it: EPROTO another version */

/* ---- lock.c: locks between processes, files below /run/xdplace ---- */

/* Lock `what` of the context: descriptor, or -errno (-EBUSY: held, unless `wait`). */
int xp_lock(const struct xdplace *ctx, const char *what, bool wait);
void xp_unlock(const struct xdplace *ctx, const char *what, int fd);
void xp_lock_sweep(void); /* remove files that nobody holds */
/* Held while someone becomes a lane's consumer, or looks whether a lane has one. */
#define XP_LOCK_CONSUMERS "consumers"
/* The lock of a lane's consumer. */
int xp_lock_lane(const struct xdplace *ctx, uint32_t lane);
void xp_unlock_lane(const struct xdplace *ctx, uint32_t lane, int fd);

/* ---- command.c ---- */

/* Run the command in the kernel; returns its result. */
int xp_command(struct xdplace *ctx, struct xp_command *command);
/* Copy `count` elements of an array map from `first` on; value_size as the map's. */
int xp_map_read(int fd, uint32_t first, uint32_t count, void *values, size_t value_size);

/* ---- xsk.c ---- */

struct bpf_program;
/* Before loading a program that does without sockets: 0 or -errno. */
int xp_without_meta(struct bpf_program *program);

/* ---- selftest.c ---- */

int xp_selftest(struct xdplace *ctx, bool frames_xsk);
/* Bytes that bpf_csum_diff() takes at once on this kernel: 512 or more. */
uint32_t xp_probe_csum_step(void);

#endif
