/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * lane.c - the consumer: completions out, the areas they hand over back in.
 *
 * Promises: at most one consumer per lane on the machine; a completion that was not released is
 * seen again by the lane's next consumer; whatever stands in the shared memory, nothing outside
 * of the mappings is touched.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include <xdplace/ring.h>

#include "cursor.h"
#include "lane.h"

/* Completions are looked at in such portions, so that their areas fit the stack. */
#define PORTION 64u
#define FEW 16u
#define FEW_NS 1000u

static uint32_t slot(const struct xdplace_lane *lane, uint32_t index)
{
	return index & (lane->ctx->config.ring - 1);
}

/*
 * Each look at `produced` takes its cache line away from the program, which then waits for it with
 * the next packet. Who keeps looking finds one or two at a time: after such a look let some more
 * come. Idle consumers look as often as they like: nobody is hindered.
 */
static void pause_looking(struct xdplace_lane *lane, uint32_t found)
{
	if (found && found < FEW)
		lane->next_look = xp_now_ns() + FEW_NS;
}

static void wait_to_look(const struct xdplace_lane *lane)
{
	if (lane->next_look)
		while (xp_now_ns() < lane->next_look)
			;
}

int xdplace_lane_poll(struct xdplace_lane *lane, struct xp_completion *completions, size_t count)
{
	uint32_t ring = lane->ctx->config.ring;
	uint32_t n, i;

	wait_to_look(lane);
	n = xp_ring_ready(lane->shared, lane->polled, lane->consumed, ring);
	if (n > count)
		n = count;
	for (i = 0; i < n; i++) {
		completions[i] = lane->ring[slot(lane, lane->polled + i)];
		lane->keep[slot(lane, lane->polled + i)] = 0;
	}
	lane->polled += n;
	lane->next_look = 0;
	if (n < count) {
		pause_looking(lane, n);
		xp_give_pause(lane);
	}
	return n;
}

static void set_kept(struct xdplace *ctx, uint32_t area)
{
	__atomic_fetch_or(&ctx->kept[area / 64], 1ull << area % 64, __ATOMIC_RELAXED);
}

/* Read what n completions hand over, before their slots may be written again. */
static unsigned collect(struct xdplace_lane *lane, uint32_t n, uint32_t *areas)
{
	const struct xp_config *config = &lane->ctx->config;
	const struct xp_completion *c;
	uint32_t i, kept[3], count = 0;
	unsigned k;
	uint8_t keep;

	for (i = 0; i < n; i++) {
		c = &lane->ring[slot(lane, lane->consumed + i)];
		if (!(c->flags & XP_RELEASE_AREAS))
			continue;
		keep = lane->keep[slot(lane, lane->consumed + i)];
		count += xp_completion_areas(config, c, ~keep, areas + count);
		if (!keep)
			continue;
		for (k = xp_completion_areas(config, c, keep, kept); k; k--)
			set_kept(lane->ctx, kept[k - 1]);
	}
	return count;
}

/*
 * First the completions are given up, then their areas: a consumer that dies in between leaves
 * areas that nobody has, which are found and offered again. The other way round its successor
 * would see the completions again and give the same areas back twice.
 */
static void release_portion(struct xdplace_lane *lane, uint32_t n)
{
	uint32_t areas[3 * PORTION];
	unsigned i, count;

	count = collect(lane, n, areas);
	lane->consumed += n;
	/* Release: the slots have been read before the program may write them again. */
	xp_ring_store(&lane->shared->consumed, lane->consumed);
	for (i = 0; i < count; i++)
		xp_give(lane, areas[i]);
}

int xdplace_lane_release(struct xdplace_lane *lane, size_t n)
{
	uint32_t portion;

	if (n > lane->polled - lane->consumed)
		return xp_fail(EINVAL, "release %zu completions of lane %u: %u are polled", n,
			       lane->index, lane->polled - lane->consumed);
	for (; n; n -= portion) {
		portion = n < PORTION ? n : PORTION;
		release_portion(lane, portion);
	}
	return 0;
}

int xdplace_lane_keep(struct xdplace_lane *lane, size_t index, uint8_t flags)
{
	const struct xp_completion *c;
	uint32_t at;

	if (index >= lane->polled - lane->consumed)
		return xp_fail(EINVAL, "keep areas of completion %zu: %u are polled", index,
			       lane->polled - lane->consumed);
	at = slot(lane, lane->consumed + index);
	c = &lane->ring[at];
	if (!flags || flags & ~(c->flags & XP_RELEASE_AREAS))
		return xp_fail(EINVAL, "keep areas 0x%x: the completion hands over 0x%x", flags,
			       c->flags & XP_RELEASE_AREAS);
	lane->keep[at] |= flags;
	return 0;
}

int xdplace_area_release(struct xdplace_lane *lane, uint32_t area)
{
	struct xdplace *ctx = lane->ctx;
	uint64_t bit = 1ull << area % 64;

	if (area >= ctx->config.areas ||
	    !(__atomic_fetch_and(&ctx->kept[area / 64], ~bit, __ATOMIC_RELAXED) & bit))
		return xp_fail(EINVAL, "release area %u: it is not kept", area);
	xp_give(lane, area);
	return 0;
}

/*
 * An index that can't be is set to where the program is; recovery finds what it stood for.
 * `distance` is how far it is from there in the direction in which it may be.
 */
static uint32_t repair(const struct xdplace_lane *lane, const char *what, uint32_t mine,
		       uint32_t distance, uint32_t size, uint32_t theirs)
{
	if (distance <= size)
		return mine;
	xp_log(&lane->ctx->logger, XDPLACE_LOG_WARN, "lane %u: index `%s` %u is damaged, set to %u",
	       lane->index, what, mine, theirs);
	return theirs;
}

/*
 * The mapped copy of an index that the program keeps in private. The exchange fails when the
 * program has just moved it, which repairs it as well.
 */
static void repair_copy(__u32 *copy, uint32_t truth)
{
	uint32_t seen = __atomic_load_n(copy, __ATOMIC_RELAXED);

	if (seen != truth)
		__atomic_compare_exchange_n(copy, &seen, truth, false, __ATOMIC_RELAXED,
					    __ATOMIC_RELAXED);
}

static void read_rest(struct xdplace_lane *lane)
{
	const struct xp_config *config = &lane->ctx->config;
	__u32 *rest = lane->shared->rest;
	uint32_t value;
	unsigned i;

	for (i = 0; i < XP_FREE_GROUP - 1; i++) {
		value = rest[i];
		rest[i] = 0;
		if (value && value <= config->areas)
			rest[lane->rest_count++] = value;
	}
}

/* Go on where the last consumer stopped. The program's private indexes are the authority. */
static int resume(struct xdplace_lane *lane)
{
	const struct xp_config *config = &lane->ctx->config;
	struct xp_lane *shared = lane->shared;
	struct xp_cursor cursor;
	int err;

	err = bpf_map_lookup_elem(lane->ctx->map[XP_MAP_CURSORS], &lane->index, &cursor);
	if (err)
		return xp_fail(-err, "read the cursor of lane %u: %s", lane->index, strerror(-err));
	lane->consumed = repair(lane, "consumed", shared->consumed,
				cursor.written - shared->consumed, config->ring, cursor.written);
	lane->polled = lane->consumed;
	xp_ring_store(&shared->consumed, lane->consumed);
	shared->hot_produced = repair(lane, "hot_produced", shared->hot_produced,
				      shared->hot_produced - cursor.hot_consumed, config->hot,
				      cursor.hot_consumed);
	shared->cold_produced = repair(lane, "cold_produced", shared->cold_produced,
				       shared->cold_produced - cursor.cold_consumed, config->cold,
				       cursor.cold_consumed);
	repair_copy(&shared->produced, cursor.produced);
	repair_copy(&shared->hot_consumed, cursor.hot_consumed);
	repair_copy(&shared->cold_consumed, cursor.cold_consumed);
	read_rest(lane);
	return 0;
}

static int no_event(void *arg, void *data, size_t size)
{
	return 0;
}

static int prepare(struct xdplace_lane *lane)
{
	struct xdplace *ctx = lane->ctx;
	int err;

	lane->keep = calloc(ctx->config.ring, 1);
	if (!lane->keep)
		return xp_fail(ENOMEM, "no memory for lane %u", lane->index);
	xp_libbpf_begin(&ctx->logger);
	lane->events = ring_buffer__new(ctx->event[lane->index], no_event, NULL, NULL);
	err = errno;
	xp_libbpf_end();
	if (!lane->events)
		return xp_fail(err, "map the events of lane %u: %s", lane->index, strerror(err));
	return resume(lane);
}

static void set_open(struct xdplace *ctx, uint32_t index, struct xdplace_lane *lane)
{
	pthread_mutex_lock(&ctx->mutex);
	ctx->lane[index] = lane;
	pthread_mutex_unlock(&ctx->mutex);
}

static struct xdplace_lane *lane_new(struct xdplace *ctx, uint32_t index)
{
	const struct xp_config *config = &ctx->config;
	struct xdplace_lane *lane = calloc(1, sizeof(*lane));

	if (!lane) {
		xp_fail(ENOMEM, "no memory for lane %u", index);
		return NULL;
	}
	lane->ctx = ctx;
	lane->index = index;
	lane->shared = &ctx->lanes[index];
	lane->ring = ctx->ring + (size_t)index * config->ring;
	lane->hot = ctx->free + (size_t)index * (config->hot + config->cold);
	lane->cold = lane->hot + config->hot;
	lane->lock = -1;
	return lane;
}

/* With XP_LOCK_CONSUMERS held. */
static int take_over(struct xdplace_lane *lane)
{
	int n;

	lane->lock = xp_lock_lane(lane->ctx, lane->index);
	if (lane->lock == -EBUSY)
		return xp_fail(EBUSY, "lane %u has a consumer already", lane->index);
	if (lane->lock < 0)
		return lane->lock;
	n = prepare(lane);
	if (!n)
		n = xp_areas_recover(lane);
	if (n > 0)
		xp_log(&lane->ctx->logger, XDPLACE_LOG_INFO,
		       "lane %u: %d areas that a consumer held when it died are offered again",
		       lane->index, n);
	return n < 0 ? n : 0;
}

struct xdplace_lane *xdplace_lane_open(struct xdplace *ctx, uint32_t index)
{
	struct xdplace_lane *lane;
	int lock, err;

	if (index >= ctx->config.lanes) {
		xp_fail(EINVAL, "lane %u: the context has %u", index, ctx->config.lanes);
		return NULL;
	}
	lane = lane_new(ctx, index);
	if (!lane)
		return NULL;
	lock = xp_lock(ctx, XP_LOCK_CONSUMERS, true);
	err = lock < 0 ? lock : take_over(lane);
	if (!err)
		set_open(ctx, index, lane);
	xp_unlock(ctx, XP_LOCK_CONSUMERS, lock);
	if (!err)
		return lane;
	xdplace_lane_close(lane);
	errno = -err;
	return NULL;
}

void xdplace_lane_close(struct xdplace_lane *lane)
{
	struct xdplace *ctx;

	if (!lane)
		return;
	ctx = lane->ctx;
	xdplace_frames_close(lane);
	if (ctx->lane[lane->index] == lane)
		set_open(ctx, lane->index, NULL);
	ring_buffer__free(lane->events);
	xp_unlock_lane(ctx, lane->index, lane->lock);
	free(lane->keep);
	free(lane);
}
