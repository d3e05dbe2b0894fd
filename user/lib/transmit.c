/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * transmit.c - transmitters: their memory, writes and completions; what goes on the wire is an
 * engine's (transmit_run.c, transmit_xsk.c), where to is destination.c's.
 *
 * In: a vector of {destination, data, length}. Out: the tables that engines work on: entries of
 * one destination in a chain, first entries of all destinations in a ring, in which they take
 * turns. This costs a few stores for each entry, whatever its length. Promises: nothing is sent
 * of a write that is refused, and each other one has one completion.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <bpf/bpf.h>

#include "tx.h"

#define LEAST_MEMORY (64u << 10)
#define MOST_MEMORY (256u << 20)
#define DEFAULT_MEMORY (64u << 20)
#define OWN_GUARD 4096u /* at the end of memory of our own: the program reads in whole steps */
#define MOST_TABLE 65536u

/* ---- options ---- */

static int number_in(const char *what, uint64_t value, uint64_t least, uint64_t most)
{
	if (value >= least && value <= most)
		return 0;
	return xp_fail(EINVAL, "transmitter: %s %llu is not in %llu..%llu", what,
		       (unsigned long long)value, (unsigned long long)least,
		       (unsigned long long)most);
}

static int check_memory(const struct xdplace_tx *tx)
{
	uint64_t size = tx->opts.memory;

	if (size & (size - 1))
		return xp_fail(EINVAL, "transmitter: memory %llu is not a power of two",
			       (unsigned long long)size);
	return number_in("memory", size, LEAST_MEMORY, MOST_MEMORY);
}

static int take_opts(struct xdplace_tx *tx, const struct xdplace_tx_opts *opts)
{
	struct xdplace_tx_opts *o = &tx->opts;

	if (opts && opts->size != sizeof(*opts))
		return xp_fail(EINVAL, "transmitter: options of another version (size %zu)",
			       opts->size);
	if (opts)
		*o = *opts;
	tx->logger = (struct xp_logger){o->log, o->log_arg};
	o->memory = o->memory ?: DEFAULT_MEMORY;
	o->destinations = o->destinations ?: 1024;
	o->entries = o->entries ?: 4096;
	o->timeout_ms = o->timeout_ms ?: 1000;
	if (check_memory(tx) || number_in("destinations", o->destinations, 1, MOST_TABLE) ||
	    number_in("entries", o->entries, 1, MOST_TABLE) ||
	    number_in("engine", o->engine, XDPLACE_TX_AUTO, XDPLACE_TX_XSK))
		return -EINVAL;
	return 0;
}

/* ---- memory ---- */

/* A BPF map, if that may be made; for the engine `xsk` a file in memory does as well. */
static int make_memory(struct xdplace_tx *tx)
{
	LIBBPF_OPTS(bpf_map_create_opts, opts, .map_flags = BPF_F_MMAPABLE);

	tx->memory_fd = bpf_map_create(BPF_MAP_TYPE_ARRAY, "xp_umem", 4, tx->opts.memory, 1, &opts);
	tx->memory_map = tx->memory_fd >= 0;
	if (tx->memory_map)
		return 0;
	if (tx->opts.engine == XDPLACE_TX_RUN)
		return xp_fail(errno, "transmitter: make memory of %llu KiB: %s",
			       (unsigned long long)tx->opts.memory >> 10, strerror(errno));
	tx->memory_fd = memfd_create("xp_umem", MFD_CLOEXEC);
	if (tx->memory_fd < 0 || ftruncate(tx->memory_fd, tx->opts.memory))
		return xp_fail(errno, "transmitter: make memory: %s", strerror(errno));
	return 0;
}

/* The application's: a map's or a file's, of a size that ours might have. */
static int take_memory(struct xdplace_tx *tx)
{
	struct bpf_map_info info = {0};
	uint32_t size = sizeof(info);
	struct stat file;

	tx->memory_fd = fcntl(tx->opts.memory_fd, F_DUPFD_CLOEXEC, 3);
	if (tx->memory_fd < 0)
		return xp_fail(errno, "transmitter: memory_fd: %s", strerror(errno));
	tx->memory_map = !bpf_obj_get_info_by_fd(tx->memory_fd, &info, &size);
	if (tx->memory_map) {
		if (info.type != BPF_MAP_TYPE_ARRAY || !(info.map_flags & BPF_F_MMAPABLE) ||
		    info.max_entries != 1)
			return xp_fail(EINVAL,
				       "transmitter: memory_fd: not a mappable BPF array of "
				       "one element");
		tx->opts.memory = info.value_size;
	} else {
		if (tx->opts.engine == XDPLACE_TX_RUN)
			return xp_fail(EOPNOTSUPP,
				       "transmitter: memory_fd: the engine run can send "
				       "from BPF arrays only");
		if (fstat(tx->memory_fd, &file))
			return xp_fail(errno, "transmitter: memory_fd: %s", strerror(errno));
		tx->opts.memory = file.st_size;
	}
	return check_memory(tx);
}

static uint32_t log2_of(uint64_t value)
{
	return 63 - __builtin_clzll(value);
}

static int open_memory(struct xdplace_tx *tx)
{
	struct xdplace *ctx = tx->ctx;
	int err;

	if (ctx) {
		tx->memory_fd = ctx->map[XP_MAP_UMEM];
		tx->memory_map = true;
		tx->memory = ctx->umem;
		tx->memory_size = ctx->umem_size;
		tx->bank_shift = ctx->config.bank_shift;
		tx->guard = 1u << ctx->config.area_shift;
		return 0;
	}
	err = tx->opts.memory_fd ? take_memory(tx) : make_memory(tx);
	if (err)
		return err;
	tx->memory =
		mmap(NULL, tx->opts.memory, PROT_READ | PROT_WRITE, MAP_SHARED, tx->memory_fd, 0);
	if (tx->memory == MAP_FAILED) {
		tx->memory = NULL;
		return xp_fail(errno, "transmitter: map memory: %s", strerror(errno));
	}
	tx->memory_size = tx->opts.memory;
	tx->bank_shift = log2_of(tx->opts.memory);
	tx->guard = OWN_GUARD;
	return 0;
}

static void close_memory(struct xdplace_tx *tx)
{
	if (tx->ctx)
		return;
	if (tx->memory)
		munmap(tx->memory, tx->memory_size);
	if (tx->memory_fd >= 0)
		close(tx->memory_fd);
}

void *xdplace_tx_memory(const struct xdplace_tx *tx, size_t *size)
{
	if (size)
		*size = tx->memory_size - (tx->ctx ? 0 : tx->guard);
	return tx->memory;
}

/* ---- open and close ---- */

static int open_engine(struct xdplace_tx *tx, const struct xp_tx_engine *engine)
{
	int err;

	tx->engine = engine;
	tx->engines++;
	err = engine->open(tx);
	if (err) {
		engine->close(tx);
		tx->engine = NULL;
	}
	return err;
}

static int choose_engine(struct xdplace_tx *tx)
{
	int err;

	if (tx->opts.engine == XDPLACE_TX_XSK)
		return open_engine(tx, &xp_tx_xsk);
	err = open_engine(tx, &xp_tx_run);
	tx->can_run = !err;
	if (!err || tx->opts.engine == XDPLACE_TX_RUN)
		return err;
	xp_log(&tx->logger, XDPLACE_LOG_INFO, "engine run: %s", xdplace_error());
	return open_engine(tx, &xp_tx_xsk);
}

/* Engines differ in what they need of a driver: the first destination's one decides. */
static bool may_change_engine(const struct xdplace_tx *tx)
{
	uint32_t i;

	if (tx->opts.engine != XDPLACE_TX_AUTO || !tx->can_run)
		return false;
	for (i = 0; i < tx->opts.destinations; i++)
		if (xp_destination_valid(tx, i))
			return false;
	return true;
}

/* What an engine makes; the new one's are made before the old one's go. */
struct made {
	const struct xp_tx_engine *engine;
	void *private;
	struct xp_tx_destination *destinations;
	struct xp_tx_entry *entries;
	struct xp_tx_job *job;
	uint32_t most;
};

static struct made swap_made(struct xdplace_tx *tx, struct made with)
{
	struct made before = {tx->engine,  tx->private, tx->destinations,
			      tx->entries, tx->job,	tx->most};

	tx->engine = with.engine;
	tx->private = with.private;
	tx->destinations = with.destinations;
	tx->entries = with.entries;
	tx->job = with.job;
	tx->most = with.most;
	return before;
}

static int change_engine(struct xdplace_tx *tx, const struct xp_tx_engine *engine)
{
	struct made old = swap_made(tx, (struct made){0}), new;
	int err;

	err = open_engine(tx, engine);
	new = swap_made(tx, old);
	if (err)
		return err;
	tx->engine->close(tx);
	swap_made(tx, new);
	return 0;
}

int xp_tx_prepare(struct xdplace_tx *tx, uint32_t ifindex, const char *ifname)
{
	const struct xp_tx_engine *better = &xp_tx_run;
	int err;

	if (!may_change_engine(tx))
		return tx->engine->prepare(tx, ifindex, ifname);
	if (xp_tx_run.prepare(tx, ifindex, ifname)) {
		xp_log(&tx->logger, XDPLACE_LOG_INFO, "engine run: %s", xdplace_error());
		better = &xp_tx_xsk;
	}
	err = better != tx->engine ? change_engine(tx, better) : 0;
	return err ? err : tx->engine->prepare(tx, ifindex, ifname);
}

static int open_all(struct xdplace_tx *tx, const struct xdplace_tx_opts *opts)
{
	int err = take_opts(tx, opts);

	if (!err)
		err = open_memory(tx);
	if (err)
		return err;
	tx->last = calloc(tx->opts.destinations, sizeof(*tx->last));
	tx->written = calloc(tx->opts.destinations, sizeof(*tx->written));
	if (!tx->last || !tx->written)
		return xp_fail(ENOMEM, "transmitter: no memory");
	err = choose_engine(tx);
	return err ? err : xp_ways_open(tx);
}

struct xdplace_tx *xdplace_tx_open(struct xdplace *ctx, const struct xdplace_tx_opts *opts)
{
	struct xdplace_tx *tx = calloc(1, sizeof(*tx));
	int err;

	if (!tx) {
		xp_fail(ENOMEM, "transmitter: no memory");
		return NULL;
	}
	tx->ctx = ctx;
	tx->memory_fd = -1;
	err = open_all(tx, opts);
	if (!err)
		return tx;
	xdplace_tx_close(tx);
	errno = -err;
	return NULL;
}

void xdplace_tx_close(struct xdplace_tx *tx)
{
	if (!tx)
		return;
	xp_ways_close(tx);
	if (tx->engine)
		tx->engine->close(tx);
	close_memory(tx);
	free(tx->written);
	free(tx->last);
	free(tx);
}

enum xdplace_tx_engine xdplace_tx_engine(const struct xdplace_tx *tx)
{
	return tx->engine->id;
}

const char *xdplace_tx_engine_name(enum xdplace_tx_engine engine)
{
	static const char *const names[] = {
		[XDPLACE_TX_AUTO] = "auto",
		[XDPLACE_TX_RUN] = "run",
		[XDPLACE_TX_XSK] = "xsk",
	};

	return (unsigned)engine < sizeof(names) / sizeof(names[0]) ? names[engine] : "unknown";
}

/* ---- write ---- */

bool xp_tx_in_memory(const struct xdplace_tx *tx, const void *start, uint64_t length)
{
	const uint8_t *data = start;
	uint64_t bank = 1ull << tx->bank_shift, at = data - tx->memory;

	if (!length)
		return true;
	return data >= tx->memory && at < tx->memory_size && length <= bank &&
	       (at & (bank - 1)) + length <= bank - tx->guard;
}

static int check(const struct xdplace_tx *tx, const struct xdplace_tx_entry *entries, size_t count)
{
	const struct xdplace_tx_entry *e;

	if (!count || count > tx->opts.entries)
		return xp_fail(count ? E2BIG : EINVAL, "write: %zu entries, not 1..%u", count,
			       tx->opts.entries);
	if (tx->completed - tx->polled >= XP_TX_COMPLETIONS)
		return xp_fail(EAGAIN, "write: %u completions wait to be polled",
			       XP_TX_COMPLETIONS);
	for (e = entries; e < entries + count; e++) {
		if (!xp_destination_valid(tx, e->destination))
			return xp_fail(EINVAL, "write: entry %zu: there is no destination %u",
				       (size_t)(e - entries), e->destination);
		if (e->length > XP_TX_LENGTH)
			return xp_fail(EINVAL, "write: entry %zu: %u bytes are more than 16 MiB",
				       (size_t)(e - entries), e->length);
		if (!xp_tx_in_memory(tx, e->data, e->length))
			return xp_fail(EINVAL,
				       "write: entry %zu: its data are not in the transmitter's "
				       "memory, or reach into a bank's last area",
				       (size_t)(e - entries));
	}
	return 0;
}

/* Where a write's entries have got to while they are laid down. */
struct layout {
	uint32_t first; /* of the ring */
	uint32_t newest;
	uint32_t ring; /* destinations */
	uint64_t packets;
	uint32_t frame; /* bytes of the longest */
};

static void measure(const struct xp_tx_destination *d, uint32_t length, struct layout *layout)
{
	const struct xp_tx_face *face = xp_tx_face(d);
	uint32_t room = face->room ?: 1, full = length < room ? length : room;

	if (face->error) {
		layout->packets++;
		return;
	}
	layout->packets += length ? (length + room - 1) / room : 1;
	if (face->front + full > layout->frame)
		layout->frame = face->front + full;
}

static void lay_down(struct xdplace_tx *tx, const struct xdplace_tx_entry *from, uint32_t i,
		     struct layout *layout)
{
	struct xp_tx_entry *e = &tx->entries[i];
	uint32_t d = from->destination;

	*e = (struct xp_tx_entry){
		.at = from->length ? (const uint8_t *)from->data - tx->memory : 0,
		.left = from->length,
		.chain = XP_TX_NONE,
		.destination = d,
		.timestamp = from->timestamp,
		.flags = from->flags & XDPLACE_TX_MARKER ? XP_TX_MARKER : 0,
	};
	measure(&tx->destinations[d], from->length, layout);
	if (tx->written[d] == tx->number) {
		tx->entries[tx->last[d]].chain = i;
	} else {
		if (layout->ring)
			tx->entries[layout->newest].next = i;
		else
			layout->first = i;
		layout->newest = i;
		layout->ring++;
		tx->written[d] = tx->number;
	}
	tx->last[d] = i;
}

int xdplace_tx_write(struct xdplace_tx *tx, const struct xdplace_tx_entry *entries, size_t count,
		     uint64_t user)
{
	struct layout layout = {0};
	uint32_t i;
	int err;

	err = check(tx, entries, count);
	if (err)
		return err;
	tx->number++;
	for (i = 0; i < count; i++)
		lay_down(tx, &entries[i], i, &layout);
	tx->entries[layout.newest].next = layout.first;
	*tx->job = (struct xp_tx_job){
		.at = layout.first,
		.before = layout.newest,
		.ring = layout.ring,
	};
	tx->count = count;
	tx->user = user;
	tx->stats.writes++;
	return tx->engine->write(tx, layout.packets, layout.frame);
}

uint64_t xp_tx_now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000ull + t.tv_nsec / 1000;
}

/* ---- completions ---- */

static void add_unsent(const struct xdplace_tx *tx, struct xdplace_tx_completion *c)
{
	const struct xp_tx_entry *e;
	uint32_t i, first = tx->count;

	for (i = 0; i < tx->count; i++) {
		e = &tx->entries[i];
		c->unsent += e->left;
		if (e->left && first == tx->count)
			first = i;
		if (!e->error || c->error)
			continue;
		c->error = -e->error;
		c->entry = i;
	}
	if (c->error || (!c->unsent && !tx->job->ring))
		return;
	c->error = -ETIMEDOUT;
	c->entry = first < tx->count ? first : tx->job->at % tx->count;
}

void xp_tx_complete(struct xdplace_tx *tx, uint64_t refused)
{
	struct xdplace_tx_completion *c =
		&tx->completions[tx->completed++ & (XP_TX_COMPLETIONS - 1)];
	const struct xp_tx_job *job = tx->job;

	*c = (struct xdplace_tx_completion){
		.user = tx->user,
		.packets = job->packets,
		.bytes = job->bytes,
		.refused = job->failed + refused,
		.error = -(int)job->error,
		.entry = job->at_entry % tx->count,
	};
	add_unsent(tx, c);
	tx->stats.packets += c->packets;
	tx->stats.bytes += c->bytes;
	tx->stats.refused += c->refused;
	tx->stats.unsent += c->unsent;
	tx->stats.retries += job->retries;
}

int xdplace_tx_poll(struct xdplace_tx *tx, struct xdplace_tx_completion *completions, size_t count)
{
	size_t n;

	for (n = 0; n < count && tx->polled != tx->completed; n++)
		completions[n] = tx->completions[tx->polled++ & (XP_TX_COMPLETIONS - 1)];
	return n;
}

int xdplace_tx_wait(struct xdplace_tx *tx, int timeout_ms)
{
	/* Either engine is done with a write when it returns: there is nothing to sleep for. */
	if (tx->polled != tx->completed)
		return 1;
	return xp_fail(ENODATA, "wait: nothing was written");
}

void xdplace_tx_stats(struct xdplace_tx *tx, struct xdplace_tx_stats *stats)
{
	*stats = tx->stats;
}
