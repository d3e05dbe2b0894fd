/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * ring.c - fuzz target: a consumer and the audit on shared memory that lies [R8 R9].
 *
 * Input: the shape of a context, what stands in its shared memory and its maps, then what a
 * consumer does: take completions, look at what they name, keep, release, ask for an account; and
 * what somebody else meanwhile writes into the memory.
 *
 * Holds: nothing outside of the mappings is touched (each is an allocation of exactly its size);
 * no more completions come than the ring has; data and headers lie in the UMEM; only areas that may
 * be placed into are offered, as many as were handed over at most; the account names each area
 * once.
 *
 * The kernel's side (maps, locks, ring buffers) is replaced by the linker: see FUZZ_WRAP.
 */
#include <errno.h>
#include <unistd.h>

#include <xdplace/ring.h>

#include "cursor.h"
#include "datagram.h"
#include "fuzz.h"
#include "lane.h"

#define RING 16u
#define FLOWS 4u
#define COMMANDS 200

static struct xdplace ctx;
static struct input in;
static struct xp_cursor *cursors;
static struct xp_flow *flows;
static struct xp_early *early;
static struct xp_rtp *rtp;
static struct xp_datagram *datagrams;
static uint32_t *kinds;
static uint32_t busy; /* lanes, by bit, that another process has */
static size_t handed; /* areas, at most, that released completions have handed over */
static int rest_written;

/* ---- in the kernel's place ---- */

int __wrap_xp_lock(const struct xdplace *c, const char *what, bool wait);
int __wrap_xp_lock(const struct xdplace *c, const char *what, bool wait)
{
	return 100;
}

void __wrap_xp_unlock(const struct xdplace *c, const char *what, int fd);
void __wrap_xp_unlock(const struct xdplace *c, const char *what, int fd)
{
}

int __wrap_xp_lock_lane(const struct xdplace *c, uint32_t lane);
int __wrap_xp_lock_lane(const struct xdplace *c, uint32_t lane)
{
	holds(lane < ctx.config.lanes, "lane %u", lane);
	return busy >> lane & 1 ? -EBUSY : 100;
}

void __wrap_xp_unlock_lane(const struct xdplace *c, uint32_t lane, int fd);
void __wrap_xp_unlock_lane(const struct xdplace *c, uint32_t lane, int fd)
{
}

struct ring_buffer *__wrap_ring_buffer__new(int fd, void *sample, void *arg, const void *opts);
struct ring_buffer *__wrap_ring_buffer__new(int fd, void *sample, void *arg, const void *opts)
{
	return (struct ring_buffer *)&ctx;
}

void __wrap_ring_buffer__free(struct ring_buffer *events);
void __wrap_ring_buffer__free(struct ring_buffer *events)
{
}

int __wrap_usleep(unsigned us);
int __wrap_usleep(unsigned us)
{
	return 0;
}

/* Map numbers are their descriptors here. */
static const void *map_element(int fd, uint32_t key, size_t *size)
{
	const struct xp_config *c = &ctx.config;

	switch (fd) {
	case XP_MAP_CURSORS:
		*size = sizeof(*cursors);
		return key < c->lanes ? &cursors[key] : NULL;
	case XP_MAP_AREAS:
		*size = sizeof(*kinds);
		return key < c->areas ? &kinds[key] : NULL;
	case XP_MAP_FLOW:
		*size = sizeof(*flows);
		return key < FLOWS * c->lanes ? &flows[key] : NULL;
	case XP_MAP_EARLY:
		*size = sizeof(*early);
		return key < c->lanes ? &early[key] : NULL;
	case XP_MAP_RTP:
		*size = sizeof(*rtp);
		return key < c->lanes ? &rtp[key] : NULL;
	case XP_MAP_DATAGRAM:
		*size = sizeof(*datagrams);
		return key < c->lanes ? &datagrams[key] : NULL;
	}
	holds(0, "map %d is read", fd);
	return NULL;
}

int __wrap_bpf_map_lookup_elem(int fd, const void *key, void *value);
int __wrap_bpf_map_lookup_elem(int fd, const void *key, void *value)
{
	const void *element;
	size_t size;

	element = map_element(fd, *(const uint32_t *)key, &size);
	if (!element)
		return -ENOENT;
	memcpy(value, element, size);
	return 0;
}

int __wrap_xp_map_read(int fd, uint32_t first, uint32_t count, void *values, size_t value_size);
int __wrap_xp_map_read(int fd, uint32_t first, uint32_t count, void *values, size_t value_size)
{
	uint32_t i, key;

	for (i = 0; i < count; i++) {
		key = first + i;
		if (__wrap_bpf_map_lookup_elem(fd, &key, (uint8_t *)values + i * value_size))
			return -ENOENT;
	}
	return 0;
}

/* ---- the context ---- */

/* Of the input, or all alike: most of such memory is alike. */
static void *filled(size_t size, size_t most)
{
	uint8_t *memory = malloc(size), with = take8(&in);
	size_t i;

	holds(memory, "no memory");
	memset(memory, with & 1 ? 0 : with, size);
	for (i = 0; i < size && i < most && in.left && !(with & 2); i++)
		memory[i] = take8(&in);
	return memory;
}

static void make_config(void)
{
	struct xp_config *c = &ctx.config;
	uint8_t shape = take8(&in);

	memset(c, 0, sizeof(*c));
	c->area_shift = XP_MIN_AREA_SHIFT + (shape & 3);
	c->bank_shift = c->area_shift + 5;
	c->banks = 1 + (shape >> 2 & 1);
	c->areas = c->banks << 5;
	c->lanes = 1 + (shape >> 3 & 1);
	c->ring = RING;
	c->hot = 2;
	c->cold = 16;
	c->flows = FLOWS;
	c->early = c->rtp = c->datagrams = 1;
	c->window = 16;
	c->own_areas = shape >> 4 & 7;
	c->knobs = shape & 0x80 ? XP_KNOB_XSK : 0;
	xp_layout(c, &ctx.layout);
}

static void context_open(void)
{
	struct xp_config *c = &ctx.config;
	uint32_t i;

	memset(&ctx, 0, sizeof(ctx));
	pthread_mutex_init(&ctx.mutex, NULL);
	make_config();
	for (i = 0; i < XP_MAP_COUNT; i++)
		ctx.map[i] = i;
	/* Its bytes are nobody's business here: a place that is never looked at. */
	ctx.umem = (uint8_t *)(uintptr_t)0x100000000ull;
	ctx.umem_size = (size_t)c->areas << c->area_shift;
	ctx.lanes = filled(c->lanes * sizeof(*ctx.lanes), 300);
	ctx.ring = filled(c->lanes * RING * sizeof(*ctx.ring), 128);
	ctx.free = filled(c->lanes * (c->hot + c->cold) * sizeof(*ctx.free), 64);
	ctx.kept = calloc((c->areas + 63) / 64, sizeof(*ctx.kept));
	cursors = filled(c->lanes * sizeof(*cursors), 160);
	kinds = filled(c->areas * sizeof(*kinds), 32);
	flows = filled(c->lanes * FLOWS * sizeof(*flows), 64);
	early = filled(c->lanes * sizeof(*early), 32);
	rtp = filled(c->lanes * sizeof(*rtp), 32);
	datagrams = filled(c->lanes * sizeof(*datagrams), 64);
	for (i = 0; i < c->lanes * FLOWS; i++) {
		flows[i].early = flows[i].early & 1 ? XP_NONE : flows[i].early % c->lanes;
		flows[i].block = flows[i].block & 3 ? XP_NONE : flows[i].block % c->lanes;
	}
	busy = take8(&in) & 2; /* lane 0 is ours */
	handed = 0;
	rest_written = 0;
}

static void context_close(void)
{
	pthread_mutex_destroy(&ctx.mutex);
	free(ctx.lanes);
	free(ctx.ring);
	free(ctx.free);
	free(ctx.kept);
	free(cursors);
	free(kinds);
	free(flows);
	free(early);
	free(rtp);
	free(datagrams);
}

/* ---- what is looked at ---- */

static void check_in_umem(const void *base, size_t length)
{
	size_t at = (const uint8_t *)base - ctx.umem;

	holds(at <= ctx.umem_size && length <= ctx.umem_size - at, "%zu bytes at %zu of %zu",
	      length, at, ctx.umem_size);
}

static void check_completion(const struct xp_completion *c)
{
	struct iovec iov[2];
	const void *header;
	size_t length;
	int i, n;

	header = xdplace_header(&ctx, c, &length);
	if (header)
		check_in_umem(header, length);
	n = xdplace_data(&ctx, c, iov);
	holds(n >= 0 && n <= 2, "%d pieces", n);
	for (i = 0, length = 0; i < n; i++) {
		check_in_umem(iov[i].iov_base, iov[i].iov_len);
		length += iov[i].iov_len;
	}
	holds(!n || length == c->data_len, "%zu of %u bytes", length, c->data_len);
}

static bool placed_into(uint32_t area)
{
	return area < ctx.layout.usable && !xp_area_guard(&ctx.config, &ctx.layout, area);
}

/* Groups offered since the consumer began. Nobody else writes to the free rings here. */
static void check_offered(const struct xdplace_lane *lane, uint32_t hot, uint32_t cold)
{
	const struct xp_free_group *group;
	size_t n = 0;
	unsigned i;

	for (; hot != lane->shared->hot_produced || cold != lane->shared->cold_produced; n++) {
		if (hot != lane->shared->hot_produced)
			group = &lane->hot[hot++ & (ctx.config.hot - 1)];
		else
			group = &lane->cold[cold++ & (ctx.config.cold - 1)];
		for (i = 0; i < XP_FREE_GROUP; i++) {
			holds(placed_into(group->free[i].area), "area %u is offered",
			      group->free[i].area);
			holds(group->free[i].address == (uint64_t)group->free[i].area
								<< ctx.config.area_shift,
			      "address of area %u", group->free[i].area);
		}
	}
	holds(n * XP_FREE_GROUP + lane->rest_count <= handed, "%zu groups and %u, %zu handed over",
	      n, lane->rest_count, handed);
}

static void check_account(void)
{
	struct xdplace_audit audit;
	enum xdplace_area_state state;
	uint32_t i, sum = 0, by_kind = 0, kind;

	holds(!xdplace_audit(&ctx, &audit), "%s", xdplace_error());
	for (i = 0; i < XDPLACE_AREA_STATES; i++)
		sum += audit.state[i];
	holds(sum == ctx.config.areas, "%u of %u areas", sum, ctx.config.areas);
	for (i = 0; i < XP_AREA_KINDS; i++)
		by_kind += audit.kind[i];
	holds(by_kind <= audit.state[XDPLACE_AREA_PLACING], "%u kinds", by_kind);
	i = take8(&in) % ctx.config.areas;
	holds(!xdplace_area_get(&ctx, i, &state, &kind), "%s", xdplace_error());
	holds(state < XDPLACE_AREA_STATES && audit.state[state], "area %u: state %d", i, state);
	holds(xdplace_area_get(&ctx, ctx.config.areas, &state, &kind) == -EINVAL,
	      "an area too many");
}

/* ---- what a consumer does ---- */

static void take_some(struct xdplace_lane *lane)
{
	struct xp_completion *c;
	uint32_t count = take8(&in) % (2 * RING);
	int i, n;

	c = malloc((count ? count : 1) * sizeof(*c));
	holds(c, "no memory");
	n = xdplace_lane_poll(lane, c, count);
	holds(n >= 0 && (uint32_t)n <= count && (uint32_t)n <= RING, "%d of %u", n, count);
	holds(lane->polled - lane->consumed <= RING, "%u are polled",
	      lane->polled - lane->consumed);
	for (i = 0; i < n; i++)
		check_completion(&c[i]);
	free(c);
}

static void release_some(struct xdplace_lane *lane)
{
	uint32_t polled = lane->polled - lane->consumed, n = take8(&in) % (2 * RING);
	int err = xdplace_lane_release(lane, n);

	holds(err == (n > polled ? -EINVAL : 0), "%d: %u of %u", err, n, polled);
	if (!err) {
		handed += 3 * n;
		polled -= n;
	}
	holds(lane->polled - lane->consumed == polled, "%u are left", polled);
	holds(lane->shared->consumed == lane->consumed, "consumed");
}

static void keep_one(struct xdplace_lane *lane)
{
	uint32_t index = take8(&in) % (2 * RING), flags = take8(&in);
	int err = xdplace_lane_keep(lane, index, flags);

	holds(!err || err == -EINVAL, "%d", err);
	holds(err || index < lane->polled - lane->consumed, "kept what was not polled");
}

static void give_back(struct xdplace_lane *lane)
{
	uint32_t area = take8(&in);
	int err = xdplace_area_release(lane, area);

	holds(!err || err == -EINVAL, "%d", err);
	holds(err || area < ctx.config.areas, "area %u", area);
	holds(!err || area >= ctx.config.areas || !(ctx.kept[area / 64] >> area % 64 & 1),
	      "area %u is kept", area);
}

/* A completion, more or less as the program writes it; and what the program never does. */
static void somebody_writes(struct xdplace_lane *lane)
{
	struct xp_completion *c = &lane->ring[take8(&in) & (RING - 1)];
	uint32_t shift = ctx.config.area_shift;
	uint8_t how = take8(&in);

	if (how & 1) {
		c->flags = take8(&in);
		c->header = (uint32_t)take8(&in) << shift | (how >> 1 & 0x42);
		c->data = (uint32_t)take8(&in) << shift;
		c->data2 = how & 2 ? XP_NONE : (uint32_t)take8(&in) << shift;
		c->header_len = take16(&in);
		c->data_len = take16(&in);
	}
	if (how & 4)
		lane->shared->produced += take8(&in);
	if (how & 8)
		lane->shared->produced = take32(&in);
	if (how & 16)
		lane->shared->hot_consumed = take32(&in);
	if (how & 32)
		lane->shared->cold_consumed = take32(&in);
	if (how & 64)
		c->data = take32(&in);
	if (how & 128)
		c->data2 = take32(&in);
}

static void consume(struct xdplace_lane *lane)
{
	uint32_t hot = lane->shared->hot_produced, cold = lane->shared->cold_produced, n;
	void (*const does[])(struct xdplace_lane * l) = {
		take_some, take_some, release_some,    release_some,
		keep_one,  give_back, somebody_writes, somebody_writes,
	};

	handed = lane->rest_count;
	for (n = 0; in.left && n < COMMANDS; n++) {
		does[take8(&in) & 7](lane);
		/* A full turn of a ring has overwritten what was offered first. */
		if (lane->shared->hot_produced - hot <= ctx.config.hot &&
		    lane->shared->cold_produced - cold <= ctx.config.cold && !rest_written)
			check_offered(lane, hot, cold);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct xdplace_lane *lane;
	uint32_t i;

	in = (struct input){data, size};
	context_open();
	lane = xdplace_lane_open(&ctx, 0);
	holds(lane, "%s", xdplace_error());
	holds(!xdplace_lane_open(&ctx, ctx.config.lanes), "a lane too many");
	/* What the memory said of a rest was only checked to be areas. */
	for (i = 0; i < lane->rest_count; i++)
		rest_written |= !placed_into(lane->shared->rest[i] - 1);
	consume(lane);
	check_account();
	xdplace_lane_close(lane);
	context_close();
	return 0;
}
