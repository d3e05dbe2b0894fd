/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * audit.c - where every area is: the account of it, and the recovery of those that are nowhere.
 *
 * An account is put together from what all parties say: the program (the mark of each area in
 * xp_areas, and the lanes and flows that hold it), the free rings and the rests of groups, the
 * completions not yet released, and this process (areas kept).
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <bpf/bpf.h>

#include <xdplace/ring.h>

#include "cursor.h"
#include "lane.h"

#define LOOKS 9	     /* at areas that seem lost or in two places, before it is believed */
#define PAUSE_US 500 /* longer than a packet's turn; doubled with each look: 255 ms in all */

#define BATCH 256u /* flows that are read at once */

/* Who says that he has an area, and how often (up to 255): there may be contradictions. */
struct account {
	uint32_t *kind;	  /* the program's mark */
	uint8_t *held;	  /* by lanes and flows, for placing */
	uint8_t *offered; /* in free rings */
	uint8_t *named;	  /* by completions not released */
	struct xp_cursor *cursor;
};

static void count(uint8_t *counter, const struct xp_config *config, uint32_t area)
{
	if (area < config->areas && counter[area] < 255)
		counter[area]++;
}

static void account_free(struct account *account)
{
	free(account->kind);
	free(account->held);
	free(account->offered);
	free(account->named);
	free(account->cursor);
}

static int account_alloc(struct account *account, const struct xp_config *config)
{
	account->kind = calloc(config->areas, sizeof(*account->kind));
	account->held = calloc(config->areas, 1);
	account->offered = calloc(config->areas, 1);
	account->named = calloc(config->areas, 1);
	account->cursor = calloc(config->lanes, sizeof(*account->cursor));
	if (account->kind && account->held && account->offered && account->named && account->cursor)
		return 0;
	account_free(account);
	return xp_fail(ENOMEM, "no memory to account for %u areas", config->areas);
}

static int read_kinds(struct xdplace *ctx, uint32_t *kind)
{
	int err = xp_map_read(ctx->map[XP_MAP_AREAS], 0, ctx->config.areas, kind, sizeof(*kind));

	return err ? xp_fail(-err, "read the areas' states: %s", strerror(-err)) : 0;
}

static int read_cursors(struct xdplace *ctx, struct xp_cursor *cursor)
{
	int err = xp_map_read(ctx->map[XP_MAP_CURSORS], 0, ctx->config.lanes, cursor,
			      sizeof(*cursor));

	return err ? xp_fail(-err, "read the lanes' cursors: %s", strerror(-err)) : 0;
}

/* Groups between the program's private index and what user space has offered. */
static void count_groups(const struct xp_config *config, const struct xp_free_group *ring,
			 uint32_t size, uint32_t from, uint32_t to, uint8_t *offered)
{
	unsigned i;

	if (to - from > size)
		return;
	for (; from != to; from++)
		for (i = 0; i < XP_FREE_GROUP; i++)
			count(offered, config, ring[from & (size - 1)].free[i].area);
}

static void count_offered(struct xdplace *ctx, struct account *account)
{
	const struct xp_config *config = &ctx->config;
	const struct xp_free_group *hot;
	const struct xp_lane *lane;
	uint32_t i, k;

	memset(account->offered, 0, config->areas);
	for (i = 0; i < config->lanes; i++) {
		lane = &ctx->lanes[i];
		hot = ctx->free + (size_t)i * (config->hot + config->cold);
		count_groups(config, hot, config->hot, account->cursor[i].hot_consumed,
			     xp_ring_load(&lane->hot_produced), account->offered);
		count_groups(config, hot + config->hot, config->cold,
			     account->cursor[i].cold_consumed, xp_ring_load(&lane->cold_produced),
			     account->offered);
		for (k = 0; k < XP_FREE_GROUP - 1; k++)
			if (lane->rest[k])
				count(account->offered, config, lane->rest[k] - 1);
	}
}

/* Up to what is written, told or not: an area is handed over when it is written. */
static void count_named(struct xdplace *ctx, struct account *account)
{
	const struct xp_config *config = &ctx->config;
	const struct xp_completion *ring;
	uint32_t i, n, at, areas[3];

	memset(account->named, 0, config->areas);
	for (i = 0; i < config->lanes; i++) {
		ring = ctx->ring + (size_t)i * config->ring;
		at = xp_ring_load(&ctx->lanes[i].consumed);
		if (account->cursor[i].written - at > config->ring)
			continue;
		for (; at != account->cursor[i].written; at++)
			for (n = xp_completion_areas(config, &ring[at & (config->ring - 1)],
						     XP_RELEASE_AREAS, areas);
			     n; n--)
				count(account->named, config, areas[n - 1]);
	}
}

static bool kept(const struct xdplace *ctx, uint32_t area)
{
	return __atomic_load_n(&ctx->kept[area / 64], __ATOMIC_RELAXED) >> area % 64 & 1;
}

/* ---- recovery ---- */

static bool taken(struct xdplace *ctx, uint32_t lane)
{
	int fd = xp_lock_lane(ctx, lane);

	xp_unlock_lane(ctx, lane, fd);
	return fd == -EBUSY;
}

static bool others_taken(struct xdplace *ctx, uint32_t mine)
{
	uint32_t i;

	for (i = 0; i < ctx->config.lanes; i++)
		if (i != mine && taken(ctx, i))
			return true;
	return false;
}

/*
 * While no lane has a consumer nothing is offered and no completion is released: free areas only
 * become fewer, named ones only more. So an area that is user space's in the first look and in
 * the second, is not offered in between, and is named by nothing afterwards, was nowhere all
 * the time: one that was taken meanwhile is the program's in the second look, or named.
 */
static int find_lost(struct xdplace *ctx, struct account *account, uint32_t *again)
{
	int err;

	err = read_kinds(ctx, account->kind);
	if (!err)
		err = read_cursors(ctx, account->cursor);
	if (err)
		return err;
	count_offered(ctx, account);
	err = read_kinds(ctx, again);
	if (err)
		return err;
	usleep(PAUSE_US);
	err = read_cursors(ctx, account->cursor);
	if (!err)
		count_named(ctx, account);
	return err;
}

static int give_lost(struct xdplace_lane *lane, const struct account *account,
		     const uint32_t *again)
{
	struct xdplace *ctx = lane->ctx;
	uint32_t area;
	int n = 0;

	for (area = 0; area < ctx->layout.usable; area++) {
		if (XP_AREA_KIND(account->kind[area]) || XP_AREA_KIND(again[area]) ||
		    account->offered[area] || account->named[area] || kept(ctx, area) ||
		    xp_area_guard(&ctx->config, &ctx->layout, area))
			continue;
		xp_give(lane, area);
		n++;
	}
	return n;
}

static int recover(struct xdplace_lane *lane)
{
	struct account account;
	uint32_t *again;
	int err;

	err = account_alloc(&account, &lane->ctx->config);
	if (err)
		return err;
	again = calloc(lane->ctx->config.areas, sizeof(*again));
	err = again ? find_lost(lane->ctx, &account, again) : xp_fail(ENOMEM, "no memory");
	if (!err)
		err = give_lost(lane, &account, again);
	free(again);
	account_free(&account);
	return err;
}

/*
 * A consumer that lives keeps what it keeps: only when this is the only one can areas that nobody
 * names be told from those that are kept. The caller sees to it that no other gets a lane.
 */
int xp_areas_recover(struct xdplace_lane *lane)
{
	return others_taken(lane->ctx, lane->index) ? 0 : recover(lane);
}

/* ---- what the program has in work ---- */

/* Places in the UMEM that cursors keep; at the start of an area: none. */
static void count_place(uint8_t *held, const struct xp_config *config, uint32_t place)
{
	if (place & ((1u << config->area_shift) - 1))
		count(held, config, place >> config->area_shift);
}

static void count_hand(uint8_t *held, const struct xp_config *config, const struct xp_hand *hand)
{
	uint32_t k;

	for (k = hand->taken; k != hand->filled && k - hand->taken < XP_HAND; k++)
		count(held, config, hand->area[k & (XP_HAND - 1)]);
}

static void count_lanes(const struct xp_config *config, struct account *account)
{
	const struct xp_cursor *cursor;
	uint32_t i;

	for (i = 0; i < config->lanes; i++) {
		cursor = &account->cursor[i];
		count_hand(account->held, config, &cursor->hand);
		count_hand(account->held, config, &cursor->cells);
		count_place(account->held, config, cursor->cell_next[0]);
		count_place(account->held, config, cursor->cell_next[1]);
		count_place(account->held, config, cursor->frame_next);
	}
}

/* An RTP flow has its areas in its block, index + 1. */
static int count_rtp(struct xdplace *ctx, uint32_t block, uint8_t *held)
{
	struct xp_rtp rtp;
	uint32_t i;
	int err;

	err = bpf_map_lookup_elem(ctx->map[XP_MAP_RTP], &block, &rtp);
	for (i = 0; i < XP_RTP_WINDOW && !err; i++)
		if (rtp.area[i])
			count(held, &ctx->config, rtp.area[i] - 1);
	return err;
}

/* A flow with holes has its areas in the slots of an early block, index + 1. */
static int count_flow(struct xdplace *ctx, const struct xp_flow *flow, uint8_t *held)
{
	const struct xp_config *config = &ctx->config;
	struct xp_early early;
	uint32_t i;
	int err;

	if (flow->state == XP_FLOW_FREE)
		return 0;
	if (flow->block != XP_NONE)
		return count_rtp(ctx, flow->block, held);
	if (flow->early == XP_NONE) {
		count(held, config, flow->area);
		return 0;
	}
	err = bpf_map_lookup_elem(ctx->map[XP_MAP_EARLY], &flow->early, &early);
	for (i = 0; i < config->window && !err; i++)
		if (early.slot[i])
			count(held, config, early.slot[i] - 1);
	return err;
}

static int count_flows(struct xdplace *ctx, uint8_t *held)
{
	uint32_t i, n, first, total = ctx->config.flows * ctx->config.lanes;
	struct xp_flow *flows;
	int err = 0;

	flows = calloc(BATCH, sizeof(*flows));
	if (!flows)
		return xp_fail(ENOMEM, "no memory to read flows");
	for (first = 0; first < total && !err; first += n) {
		n = total - first < BATCH ? total - first : BATCH;
		err = xp_map_read(ctx->map[XP_MAP_FLOW], first, n, flows, sizeof(*flows));
		for (i = 0; i < n && !err; i++)
			err = count_flow(ctx, &flows[i], held);
	}
	free(flows);
	return err ? xp_fail(-err, "read the flows' areas: %s", strerror(-err)) : 0;
}

static int count_datagrams(struct xdplace *ctx, uint8_t *held)
{
	const struct xp_config *config = &ctx->config;
	uint32_t i, k, n, first, total = config->datagrams * config->lanes;
	struct xp_datagram *datagrams;
	int err = 0;

	datagrams = calloc(BATCH, sizeof(*datagrams));
	if (!datagrams)
		return xp_fail(ENOMEM, "no memory to read datagrams");
	for (first = 0; first < total && !err; first += n) {
		n = total - first < BATCH ? total - first : BATCH;
		err = xp_map_read(ctx->map[XP_MAP_DATAGRAM], first, n, datagrams,
				  sizeof(*datagrams));
		for (i = 0; i < n && !err; i++)
			for (k = 0; k < XP_DATAGRAM_AREAS; k++)
				if (datagrams[i].slot[k])
					count(held, config, datagrams[i].slot[k] - 1);
	}
	free(datagrams);
	return err ? xp_fail(-err, "read the datagrams' areas: %s", strerror(-err)) : 0;
}

/* ---- audit ---- */

/* Does a lane belong to another process? Areas that it keeps are known to that one alone. */
static bool foreign_consumer(struct xdplace *ctx)
{
	bool foreign = false;
	uint32_t i;
	int lock;

	/* Or looking at a lane's lock would be in the way of one who wants the lane. */
	lock = xp_lock(ctx, XP_LOCK_CONSUMERS, true);
	pthread_mutex_lock(&ctx->mutex);
	for (i = 0; i < ctx->config.lanes && !foreign; i++)
		foreign = !ctx->lane[i] && taken(ctx, i);
	pthread_mutex_unlock(&ctx->mutex);
	xp_unlock(ctx, XP_LOCK_CONSUMERS, lock);
	return foreign;
}

static enum xdplace_area_state judge(const struct xdplace *ctx, const struct account *account,
				     uint32_t area, bool foreign)
{
	const struct xp_layout *layout = &ctx->layout;
	unsigned consumer;
	bool marked;

	if (xp_area_guard(&ctx->config, layout, area))
		return XDPLACE_AREA_GUARD;
	if (area >= layout->own)
		return XDPLACE_AREA_OWN;
	if (area >= layout->xsk)
		return XDPLACE_AREA_XSK;
	marked = XP_AREA_KIND(account->kind[area]) != XP_AREA_USER;
	consumer = account->named[area] + kept(ctx, area);
	if (consumer + account->offered[area] + (marked || account->held[area]) > 1 ||
	    account->held[area] > 1 || (account->held[area] && !marked))
		return XDPLACE_AREA_TWICE;
	if (consumer)
		return XDPLACE_AREA_CONSUMER;
	if (account->offered[area])
		return XDPLACE_AREA_FREE;
	if (account->held[area])
		return XDPLACE_AREA_PLACING;
	return foreign && !marked ? XDPLACE_AREA_CONSUMER : XDPLACE_AREA_LOST;
}

static int look(struct xdplace *ctx, struct account *account)
{
	int err;

	err = read_cursors(ctx, account->cursor);
	if (!err)
		err = read_kinds(ctx, account->kind);
	if (err)
		return err;
	count_offered(ctx, account);
	count_named(ctx, account);
	memset(account->held, 0, ctx->config.areas);
	count_lanes(&ctx->config, account);
	err = count_flows(ctx, account->held);
	return err ? err : count_datagrams(ctx, account->held);
}

static bool strange(enum xdplace_area_state state)
{
	return state == XDPLACE_AREA_LOST || state == XDPLACE_AREA_TWICE;
}

/* What is strange in one look and not in another was in motion. Returns how many stay strange. */
static uint32_t merge(const struct xdplace *ctx, const struct account *account, uint8_t *states,
		      bool first, bool foreign)
{
	enum xdplace_area_state state;
	uint32_t area, n = 0;

	for (area = 0; area < ctx->config.areas; area++) {
		if (!first && !strange(states[area]))
			continue;
		state = judge(ctx, account, area, foreign);
		states[area] = state;
		n += strange(state);
	}
	return n;
}

static int take_account(struct xdplace *ctx, struct account *account, uint8_t *states)
{
	bool foreign = foreign_consumer(ctx);
	uint32_t left = 1;
	int i, err;

	for (i = 0; i < LOOKS && left; i++) {
		if (i)
			usleep(PAUSE_US << i);
		err = look(ctx, account);
		if (err)
			return err;
		left = merge(ctx, account, states, !i, foreign);
	}
	return 0;
}

int xdplace_area_each(struct xdplace *ctx, xdplace_area_fn fn, void *arg)
{
	struct account account;
	uint8_t *states;
	uint32_t area;
	int err;

	err = account_alloc(&account, &ctx->config);
	if (err)
		return err;
	states = calloc(ctx->config.areas, 1);
	err = states ? take_account(ctx, &account, states) : xp_fail(ENOMEM, "no memory");
	for (area = 0; !err && area < ctx->config.areas; area++)
		err = fn(arg, area, states[area], account.kind[area]);
	free(states);
	account_free(&account);
	return err;
}

static int sum_up(void *arg, uint32_t area, enum xdplace_area_state state, uint32_t kind)
{
	struct xdplace_audit *audit = arg;

	audit->state[state]++;
	if (state == XDPLACE_AREA_PLACING && XP_AREA_KIND(kind) < XP_AREA_KINDS)
		audit->kind[XP_AREA_KIND(kind)]++;
	return 0;
}

int xdplace_audit(struct xdplace *ctx, struct xdplace_audit *audit)
{
	memset(audit, 0, sizeof(*audit));
	return xdplace_area_each(ctx, sum_up, audit);
}

struct wanted {
	uint32_t area;
	enum xdplace_area_state *state;
	uint32_t *kind;
};

static int pick(void *arg, uint32_t area, enum xdplace_area_state state, uint32_t kind)
{
	const struct wanted *wanted = arg;

	if (area != wanted->area)
		return 0;
	*wanted->state = state;
	*wanted->kind = kind;
	return 1;
}

int xdplace_area_get(struct xdplace *ctx, uint32_t area, enum xdplace_area_state *state,
		     uint32_t *kind)
{
	struct wanted wanted = {area, state, kind};
	int err;

	if (area >= ctx->config.areas)
		return xp_fail(EINVAL, "area %u: there are %u", area, ctx->config.areas);
	err = xdplace_area_each(ctx, pick, &wanted);
	return err < 0 ? err : 0;
}
