/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * ring.h - the arithmetic of the rings, and the barriers of the consumer's hot path.
 *
 * In: the mapped indexes and slots of one lane. Out: how many completions are ready, areas given
 * back. The library uses exactly these; an application that maps the rings itself can as well.
 *
 * Indexes run free in 32 bits and are masked when a slot is named, so that `produced - consumed`
 * is the fill level, wrapped or not, and a full ring differs from an empty one.
 *
 *   completions  XDP program writes   slot, then produced     consumer writes   consumed
 *   free groups  consumer writes      slot, then produced     program writes    consumed
 */
#ifndef XDPLACE_RING_H
#define XDPLACE_RING_H

#include <stdbool.h>
#include <stdint.h>

#include <xdplace/abi.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Acquire: what the other side wrote before it advanced the index is seen by reads after this. */
static inline uint32_t xp_ring_load(const __u32 *index)
{
	return __atomic_load_n(index, __ATOMIC_ACQUIRE);
}

/* Release: what this side read or wrote before this is done before the index is seen. */
static inline void xp_ring_store(__u32 *index, uint32_t value)
{
	__atomic_store_n(index, value, __ATOMIC_RELEASE);
}

/*
 * Completions from `from` on that may be read. `consumed` is the consumer's own index: a lane
 * never holds more than `ring` beyond it, so a damaged index can't lead past what exists.
 */
static inline uint32_t xp_ring_ready(const struct xp_lane *lane, uint32_t from, uint32_t consumed,
				     uint32_t ring)
{
	uint32_t produced = xp_ring_load(&lane->produced);

	if (produced - consumed > ring)
		return 0;
	return produced - consumed < from - consumed ? 0 : produced - from;
}

/*
 * Ask for a wake-up. The full barrier keeps the check of `produced` that must follow behind the
 * store: the program publishes a completion, then reads need_wakeup, so one of both sees the other.
 */
static inline void xp_ring_sleep(struct xp_lane *lane)
{
	__atomic_store_n(&lane->need_wakeup, 1, __ATOMIC_RELAXED);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
}

/* No barrier: a wake-up too many does no harm. */
static inline void xp_ring_awake(struct xp_lane *lane)
{
	__atomic_store_n(&lane->need_wakeup, 0, __ATOMIC_RELAXED);
}

static inline struct xp_free xp_free_entry(uint32_t area, uint32_t area_shift)
{
	struct xp_free entry = {area, 0, (uint64_t)area << area_shift};

	return entry;
}

/*
 * Offer a group in one free ring of `size` groups. False: no room. Acquire on `consumed`: the
 * program has read the old content of a slot before it is overwritten here; release on `produced`:
 * the program sees the group before the index that makes it its own.
 */
static inline bool xp_free_offer(struct xp_free_group *ring, uint32_t size, __u32 *produced,
				 const __u32 *consumed, const struct xp_free_group *group)
{
	uint32_t next = *produced;

	if (next - xp_ring_load(consumed) >= size)
		return false;
	ring[next & (size - 1)] = *group;
	xp_ring_store(produced, next + 1);
	return true;
}

#ifdef __cplusplus
}
#endif
#endif
