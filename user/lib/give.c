/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * give.c - areas on their way back to the program: one by one in, groups of four out.
 *
 * What makes no group yet waits in shared memory (xp_lane.rest), so that it is accounted for in
 * every process and the lane's next consumer goes on with it. An area is entered there before it
 * counts and taken out before its group is offered: one that dies in between loses areas, which
 * recovery finds, and never offers one twice.
 */
#include <string.h>

#include <xdplace/ring.h>

#include "lane.h"

unsigned xp_completion_areas(const struct xp_config *config, const struct xp_completion *c,
			     uint8_t flags, uint32_t areas[3])
{
	const uint32_t offset[3] = {c->header, c->data, c->data2};
	unsigned i, n = 0;

	flags &= c->flags;
	if (c->flags & XP_GAP)
		flags &= ~XP_RELEASE_DATA; /* `data` is a length */
	for (i = 0; i < 3; i++) {
		if (!(flags & XP_RELEASE_HEADER << i) || offset[i] == XP_NONE)
			continue;
		if (offset[i] >> config->area_shift < config->areas)
			areas[n++] = offset[i] >> config->area_shift;
	}
	return n;
}

/*
 * The fewer areas go round, the nearer the cache that payload is copied into. As many are needed
 * as the program takes while the consumer is away: if the hot ring runs dry it takes cold ones, and
 * those come back hot. What it left there every time, over some absences, is too many: an eighth
 * of these, so that one busy moment is not forgotten at once, retires. The last seven groups
 * stay: coming and going parts areas that are neighbours.
 */
#define JUDGE_CATCHES 16u
#define JUDGE_OFFERS 64u

void xp_give_pause(struct xdplace_lane *lane)
{
	if (++lane->catches < JUDGE_CATCHES || lane->offers < JUDGE_OFFERS)
		return;
	lane->retire = lane->least / 8;
	lane->least = lane->ctx->config.hot;
	lane->catches = 0;
	lane->offers = 0;
}

/* True if this group goes to the cold pool. */
static bool retires(struct xdplace_lane *lane)
{
	const struct xp_lane *shared = lane->shared;
	uint32_t ready = shared->hot_produced - xp_ring_load(&shared->hot_consumed);

	lane->offers++;
	if (ready < lane->least)
		lane->least = ready;
	if (!lane->retire)
		return false;
	lane->retire--;
	return true;
}

static void offer(struct xdplace_lane *lane, const struct xp_free_group *group)
{
	const struct xp_config *config = &lane->ctx->config;
	struct xp_lane *shared = lane->shared;

	if (!retires(lane) && xp_free_offer(lane->hot, config->hot, &shared->hot_produced,
					    &shared->hot_consumed, group))
		return;
	/* Last released is first used as long as the hot ring has room; the rest waits its turn. */
	if (xp_free_offer(lane->cold, config->cold, &shared->cold_produced, &shared->cold_consumed,
			  group))
		return;
	if (lane->told_full)
		return;
	lane->told_full = true;
	xp_log(&lane->ctx->logger, XDPLACE_LOG_WARN,
	       "lane %u: free rings are full, their indexes are damaged; areas are lost until "
	       "the lane is opened again",
	       lane->index);
}

/* Own areas are the application's all the time, guards nobody's, others the sockets'. */
static bool placed_into(const struct xdplace *ctx, uint32_t area)
{
	return area < ctx->layout.usable && !xp_area_guard(&ctx->config, &ctx->layout, area);
}

void xp_give(struct xdplace_lane *lane, uint32_t area)
{
	uint32_t shift = lane->ctx->config.area_shift;
	struct xp_lane *shared = lane->shared;
	struct xp_free_group group;
	unsigned i;

	if (!placed_into(lane->ctx, area))
		return;
	if (lane->rest_count < XP_FREE_GROUP - 1) {
		xp_ring_store(&shared->rest[lane->rest_count++], area + 1);
		return;
	}
	/* In order of release: neighbours that a stream filled one after the other stay neighbours,
	 * and the program copies what straddles such a pair at once. */
	for (i = 0; i < XP_FREE_GROUP - 1; i++) {
		group.free[i] = xp_free_entry(shared->rest[i] - 1, shift);
		xp_ring_store(&shared->rest[i], 0);
	}
	group.free[i] = xp_free_entry(area, shift);
	lane->rest_count = 0;
	offer(lane, &group);
}
