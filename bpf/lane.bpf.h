/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * lane.bpf.h - a lane's lock, and the areas and cells that it has in hand.
 *
 * Who may be in a lane at the same time: two CPUs, when an interface is in generic mode, when RSS
 * moves a flow away from its home lane, or when a command runs. So each turn in a lane is
 * guarded by a word that is taken by one atomic compare-and-swap (about 6 ns; bpf_spin_lock costs
 * 55 and forbids helper calls). The holder never sleeps and holds it for less than a microsecond.
 * A flow is told of in the ring of its home lane only, and its state changes under the lock of
 * that lane only: that is what keeps a stream's completions in order, wherever packets arrive.
 */
#ifndef LANE_BPF_H
#define LANE_BPF_H

#include "ctx.bpf.h"
#include "maps.bpf.h"

#define XP_SPINS (1u << 20)
#define XP_HELD 1u

static __always_inline struct xp_cursor *xp_cursor_at(__u32 lane)
{
	return bpf_map_lookup_elem(&xp_cursors, &lane);
}

static __always_inline struct xp_flow *xp_flow_at(__u32 index)
{
	return bpf_map_lookup_elem(&xp_flow, &index);
}

static __always_inline struct xp_early *xp_early_at(__u32 block)
{
	return bpf_map_lookup_elem(&xp_early, &block);
}

static __always_inline struct xp_datagram *xp_datagram_at(__u32 index)
{
	return bpf_map_lookup_elem(&xp_datagram, &index);
}

static __always_inline struct xp_lane *xp_lane_at(__u32 lane)
{
	return bpf_map_lookup_elem(&xp_lanes, &lane);
}

/* Which lane a packet's queue feeds. */
static __always_inline __u32 xp_lane_of(struct xp_ctx *ctx)
{
	__u32 queue, slot, lane;
	struct xp_port *port;

	if (xp_config.lanes == 1)
		return 0;
	slot = xp_ctx_ifindex(ctx) % XP_MAX_PORTS;
	queue = xp_ctx_queue(ctx);
	port = bpf_map_lookup_elem(&xp_ports, &slot);
	if (!port)
		return 0;
	if (queue >= port->lanes)
		queue %= port->lanes;
	lane = port->lane + queue;
	return lane < xp_config.lanes ? lane : 0;
}

struct xp_spin {
	__u32 lane;
	__u32 word;
	__u32 got;
};

static long xp_spin_once(__u32 i, struct xp_spin *s)
{
	struct xp_cursor *cur = xp_cursor_at(s->lane);
	__u32 held;

	if (!cur)
		return 1;
	held = *(volatile __u32 *)&cur->lock;
	if (!held && !__sync_val_compare_and_swap(&cur->lock, 0, s->word)) {
		s->got = 1;
		return 1;
	}
	/* A command on this very CPU can't go on before we return. */
	return held == 2 + bpf_get_smp_processor_id();
}

/* Wait for the lane's other visitor: 1 locked, 0 given up. */
__attribute__((noinline)) int xp_lock_wait(__u32 lane, __u32 word)
{
	struct xp_spin s = {.lane = lane, .word = word};

	bpf_loop(XP_SPINS, xp_spin_once, &s, 0);
	return s.got;
}

/* Enter a lane; NULL if that took too long. `word`: XP_HELD or 2 + CPU. */
static __always_inline struct xp_cursor *xp_lock(__u32 lane, __u32 word)
{
	struct xp_cursor *cur = xp_cursor_at(lane);

	if (!cur)
		return NULL;
	/* Full barrier: what the previous holder wrote is seen from here on. */
	if (__sync_val_compare_and_swap(&cur->lock, 0, word) && !xp_lock_wait(lane, word))
		return NULL;
	return cur;
}

/* Leave a lane. The exchange is a full barrier: all that was written here comes before. */
static __always_inline void xp_unlock(struct xp_cursor *cur)
{
	__sync_lock_test_and_set(&cur->lock, 0);
}

/* Count one of the numbered counters at `first`, of which there are `count`. */
static __always_inline void xp_count(__u64 *first, __u64 which, __u64 count)
{
	xp_opaque(which);
	if (which < count)
		first[which]++;
}

/* An event that is not a packet's fate: a gap, the end of a flow. */
static __always_inline void xp_count_reason(__u32 lane, __u32 reason)
{
	__u64 *counters = bpf_map_lookup_elem(&xp_reasons, &lane);

	if (!counters)
		return;
	xp_opaque(counters); /* no arithmetic before the test: 6.1 refuses it */
	xp_count(counters + XP_COUNTER_REASON, reason, XP_REASON_COUNT);
}

/* Say what an area is used for now. */
static __always_inline void xp_area_mark(__u32 area, __u32 state)
{
	__u32 *mark = bpf_map_lookup_elem(&xp_areas, &area);

	if (mark)
		*mark = state;
}

/* The area that a UMEM offset lies in. */
static __always_inline __u32 xp_area_of(__u32 offset)
{
	return offset >> xp_config.area_shift;
}

/* May an area be taken that is offered with an address? (R8: bad indexes do no harm) */
static __always_inline int xp_offer_good(__u32 area, __u64 address)
{
	__u32 bank_areas = 1u << (xp_config.bank_shift - xp_config.area_shift);

	return area < xp_config.areas && address == (__u64)area << xp_config.area_shift &&
	       (area & (bank_areas - 1)) != bank_areas - 1; /* guard */
}

/* Make an area that user space holds the lane's: what it held last, or -1: not to be had. */
static __always_inline int xp_area_claim(__u32 area, __u32 lane)
{
	__u32 *mark = bpf_map_lookup_elem(&xp_areas, &area), had;

	if (!mark)
		return -1;
	had = *(volatile __u32 *)mark;
	if (had > XP_AREA(XP_AREA_USER, XP_HELD_CELLS))
		return -1;
	/* Two lanes may be offered the same area at the same time: one of them gets it. */
	if (xp_config.lanes > 1) {
		if (__sync_val_compare_and_swap(mark, had, XP_AREA(XP_AREA_LANE, lane)) != had)
			return -1;
	} else {
		*mark = XP_AREA(XP_AREA_LANE, lane);
	}
	return had;
}

static __always_inline __u32 xp_in_hand(const struct xp_hand *hand)
{
	return hand->filled - hand->taken;
}

static __always_inline void xp_hand_put(struct xp_hand *hand, __u32 area)
{
	hand->area[hand->filled & (XP_HAND - 1)] = area;
	hand->filled++;
}

/*
 * Take what is good of a group into the hands. What held cells goes on doing so: taken out of the
 * midst of data areas, it would part neighbours, more of them each time round.
 */
static __always_inline void xp_hand_fill(struct xp_cursor *cur, const struct xp_free_group *group,
					 __u32 lane)
{
	int held, k;

	cur->cells_empty = !xp_in_hand(&cur->cells);
	xp_unroll for (k = 0; k < (int)XP_FREE_GROUP; k++)
	{
		/* Read once: user space may write it at the same time. */
		__u32 area = *(const volatile __u32 *)&group->free[k].area;

		held = xp_offer_good(area, group->free[k].address) ? xp_area_claim(area, lane) : -1;
		if (held < 0)
			xp_count_reason(lane, XP_R_BAD_FREE);
		else if ((*(volatile __u32 *)&cur->cells_empty || held == (int)XP_HELD_CELLS) &&
			 xp_in_hand(&cur->cells) < XP_HAND)
			xp_hand_put(&cur->cells, area);
		else
			xp_hand_put(&cur->hand, area);
	}
}

/* The next free group, hot ones first; NULL if user space offers none. */
static __always_inline struct xp_free_group *xp_next_group(struct xp_cursor *cur, __u32 lane)
{
	__u32 hot = xp_config.hot, cold = xp_config.cold, at = lane * (hot + cold);
	struct xp_lane *shared = xp_lane_at(lane);

	if (!shared)
		return NULL;
	/* A produced index out of all reason is a full ring of old entries: each is checked. */
	if (*(volatile __u32 *)&shared->hot_produced != cur->hot_consumed) {
		at += cur->hot_consumed & (hot - 1);
		cur->hot_consumed++;
	} else if (*(volatile __u32 *)&shared->cold_produced != cur->cold_consumed) {
		at += hot + (cur->cold_consumed & (cold - 1));
		cur->cold_consumed++;
	} else {
		return NULL;
	}
	return bpf_map_lookup_elem(&xp_free, &at);
}

/*
 * Tell the consumer that it may fill the slots of the groups that were read. Not before: it would
 * overwrite them, and what is then read twice would be placed into twice. The exchange is a full
 * barrier: the reading comes before.
 */
static __always_inline void xp_groups_read(const struct xp_cursor *cur, __u32 lane)
{
	struct xp_lane *shared = xp_lane_at(lane);

	if (!shared)
		return;
	__sync_lock_test_and_set(&shared->hot_consumed, cur->hot_consumed);
	*(volatile __u32 *)&shared->cold_consumed = cur->cold_consumed;
}

/*
 * Take free areas until the hand is full or none are offered; returns how many are in it. Bad
 * offers are counted and forgotten, at most eight groups of them at a time.
 */
__attribute__((noinline)) int xp_refill(__u32 lane)
{
	struct xp_cursor *cur = xp_cursor_at(lane);
	int i;

	if (!cur)
		return 0;
	for (i = 0; i < 8 && xp_in_hand(&cur->hand) <= XP_HAND - XP_FREE_GROUP; i++) {
		struct xp_free_group *group = xp_next_group(cur, lane);

		if (!group)
			break;
		xp_hand_fill(cur, group, lane);
	}
	if (i)
		xp_groups_read(cur, lane);
	return xp_in_hand(&cur->hand);
}

/* Take an area: for cells one that held them, if there is one. A hand must not be empty. */
static __always_inline __u32 xp_hand_take(struct xp_cursor *cur, __u32 state, int cells)
{
	struct xp_hand *hand = &cur->hand;
	__u32 area;

	if (cells ? xp_in_hand(&cur->cells) : !xp_in_hand(hand))
		hand = &cur->cells;
	area = hand->area[hand->taken & (XP_HAND - 1)];
	hand->taken++;
	xp_area_mark(area, state);
	return area;
}

static __always_inline int xp_hands_empty(const struct xp_cursor *cur)
{
	return !xp_in_hand(&cur->hand) && !xp_in_hand(&cur->cells);
}

/* Take an area; XP_NONE if none is to be had. */
static __always_inline __u32 xp_take_area(struct xp_cursor *cur, __u32 lane, __u32 state, int cells)
{
	if (!xp_in_hand(&cur->hand) && !xp_refill(lane) && xp_hands_empty(cur))
		return XP_NONE;
	return xp_hand_take(cur, state, cells);
}

/* Hand an area over to the consumer; a completion of the same turn tells it so. */
static __always_inline void xp_give_area(__u32 area)
{
	xp_area_mark(area, XP_AREA(XP_AREA_USER, 0));
}

static __always_inline void xp_give_cells(__u32 area)
{
	xp_area_mark(area, XP_AREA(XP_AREA_USER, XP_HELD_CELLS));
}

enum xp_cell_kind { XP_HEADER_CELL, XP_HYBRID_CELL };

static __always_inline __u32 xp_cell_state(enum xp_cell_kind kind, __u32 lane)
{
	return XP_AREA(kind == XP_HEADER_CELL ? XP_AREA_HEADER : XP_AREA_HYBRID, lane);
}

/*
 * The next cell of a kind, with an area in hand in case it is needed: its UMEM offset. *flags gets
 * XP_RELEASE_HEADER when it is the last of its area.
 */
static __always_inline __u32 xp_take_cell(struct xp_cursor *cur, __u32 lane, enum xp_cell_kind kind,
					  __u32 area_mask, __u32 *flags)
{
	__u32 at = cur->cell_next[kind];

	/* Past the last cell of an area, and before the first area of all. */
	if (!(at & area_mask))
		at = xp_hand_take(cur, xp_cell_state(kind, lane), 1) << xp_config.area_shift;
	cur->cell_next[kind] = at + XP_CELL;
	if (!((at + XP_CELL) & area_mask)) {
		*flags = XP_RELEASE_HEADER;
		xp_give_cells(xp_area_of(at));
	}
	return at;
}

#endif
