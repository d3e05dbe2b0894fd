/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * complete.bpf.h - stage 6: tell the consumer. Completions are written into the lane's ring as a
 * packet goes along, and told all at once at the end of its turn.
 */
#ifndef COMPLETE_BPF_H
#define COMPLETE_BPF_H

#include "lane.bpf.h"

/*
 * Completions that the ring has room for. `consumed` is the consumer's word: nonsense in it makes
 * the ring look full, never larger than it is.
 */
static __always_inline __u32 xp_room(const struct xp_cursor *cur, const struct xp_lane *shared)
{
	__u32 used = cur->written - *(volatile __u32 *)&shared->consumed;

	return used > xp_config.ring ? 0 : xp_config.ring - used;
}

static __always_inline struct xp_completion *xp_ring_at(__u32 lane, __u32 index)
{
	__u32 at = lane * xp_config.ring + (index & (xp_config.ring - 1));

	return bpf_map_lookup_elem(&xp_ring, &at);
}

/* The next completion, all fields written; the one before it in this turn gets XP_MORE. */
static __always_inline struct xp_completion *xp_emit(struct xp_cursor *cur, __u32 lane,
						     __u32 opcode, __u32 reason, __u32 flow)
{
	struct xp_completion *c;

	if (cur->written != cur->produced) {
		c = xp_ring_at(lane, cur->written - 1);
		if (c)
			c->flags |= XP_MORE;
	}
	c = xp_ring_at(lane, cur->written);
	if (!c)
		return NULL;
	cur->written++;
	c->opcode = opcode;
	c->reason = reason;
	c->flags = 0;
	c->lane = lane;
	c->flow = flow;
	c->offset = 0;
	c->header = XP_NONE;
	c->header_len = 0;
	c->data_len = 0;
	c->data = XP_NONE;
	c->data2 = XP_NONE;
	return c;
}

/* The consumer sleeps and wants to be told. */
__attribute__((noinline)) int xp_wake(__u32 lane)
{
	struct xp_lane *shared = xp_lane_at(lane);
	struct xp_counters *counters = bpf_map_lookup_elem(&xp_reasons, &lane);
	void *ring = bpf_map_lookup_elem(&xp_events, &lane);
	struct xp_event event = {.lane = lane};

	if (!shared || !ring)
		return 0;
	shared->need_wakeup = 0;
	event.produced = shared->produced;
	if (counters)
		counters->wakeups++;
	/* A full event ring is one that the consumer has not looked at: it is readable already. */
	bpf_ringbuf_output(ring, &event, sizeof(event), BPF_RB_FORCE_WAKEUP);
	return 0;
}

/*
 * Tell the completions of this turn and leave the lane.
 */
static __always_inline void xp_publish(struct xp_cursor *cur, struct xp_lane *shared, __u32 lane)
{
	__u32 told = cur->written, asleep;

	cur->produced = told;
	/*
	 * Full barrier: areas and completions are written before `produced` moves, and it moves
	 * before need_wakeup is read; the consumer sets need_wakeup before it reads `produced`
	 * for the last time, so one of the two sees the other.
	 */
	__sync_lock_test_and_set(&shared->produced, told);
	asleep = *(volatile __u32 *)&shared->need_wakeup;
	/* A plain store may end the turn: the barrier above has ordered all that came before. */
	*(volatile __u32 *)&cur->lock = 0;
	if (xp_unlikely(asleep))
		xp_wake(lane);
}

/* End a turn that may have told nothing. */
static __always_inline void xp_leave(struct xp_cursor *cur, __u32 lane)
{
	struct xp_lane *shared = xp_lane_at(lane);

	if (shared && cur->written != cur->produced)
		xp_publish(cur, shared, lane);
	else
		xp_unlock(cur);
}

#endif
