/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * neighbour.c - next hops: who they are, and that the kernel goes on knowing them.
 *
 * In: what the kernel says of neighbours. Out: addresses on Ethernet for the ways that lead there.
 * The kernel does not see our packets, so it would take a neighbour that only we send to for
 * unused, and forget it: it is told (poked) that a stale one is in use, which makes it ask the
 * neighbour again. One that does not answer is poked again at growing intervals.
 *
 * Promises: an address that was good is used until the kernel says that the neighbour does not
 * answer, also while the kernel has forgotten it for a moment; a neighbour is not poked more than
 * once in POKE_MS, all of them together not more than POKES in TURN_MS.
 */
#include <errno.h>
#include <linux/neighbour.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "ways.h"

#define POKE_MS 1000
#define POKE_MOST_MS 8000
#define POKES 64
#define TURN_MS 20

int64_t xp_now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static struct xp_hop_bucket *bucket(struct xp_tx_ways *ways, uint32_t ifindex,
				    const struct xp_ip *ip)
{
	uint32_t hash = ifindex * 0x9e3779b1u, i, word;

	for (i = 0; i < sizeof(ip->byte); i += 4) {
		memcpy(&word, ip->byte + i, sizeof(word));
		hash = (hash ^ word) * 0x85ebca6bu;
		hash ^= hash >> 15;
	}
	return &ways->hop[hash & ways->hop_mask];
}

static bool same_ip(const struct xp_ip *a, const struct xp_ip *b)
{
	return a->family == b->family && !memcmp(a->byte, b->byte, sizeof(a->byte));
}

struct xp_hop *xp_hop_find(struct xp_tx_ways *ways, uint32_t ifindex, const struct xp_ip *ip)
{
	struct xp_hop *hop;

	LIST_FOREACH (hop, bucket(ways, ifindex, ip), of_bucket)
		if (hop->ifindex == ifindex && same_ip(&hop->ip, ip))
			return hop;
	return NULL;
}

struct xp_hop *xp_hop_get(struct xp_tx_ways *ways, uint32_t ifindex, const struct xp_ip *ip)
{
	struct xp_hop *hop = xp_hop_find(ways, ifindex, ip);

	if (hop)
		return hop;
	hop = calloc(1, sizeof(*hop));
	if (!hop)
		return NULL;
	hop->ip = *ip;
	hop->ifindex = ifindex;
	hop->poked = -POKE_MS;
	LIST_INIT(&hop->ways);
	LIST_INSERT_HEAD(bucket(ways, ifindex, ip), hop, of_bucket);
	return hop;
}

static void untend(struct xp_hop *hop)
{
	if (hop->tended)
		LIST_REMOVE(hop, of_tended);
	hop->tended = false;
}

static void tend(struct xp_tx_ways *ways, struct xp_hop *hop, int64_t due)
{
	if (!hop->tended)
		LIST_INSERT_HEAD(&ways->tended, hop, of_tended);
	hop->tended = true;
	hop->due = due;
	if (due < ways->next_tending)
		ways->next_tending = due;
}

void xp_hop_use(struct xp_tx_ways *ways, struct xp_way *w, struct xp_hop *hop)
{
	struct xp_hop *before = w->hop;

	if (before == hop)
		return;
	if (before)
		LIST_REMOVE(w, of_hop);
	if (hop)
		LIST_INSERT_HEAD(&hop->ways, w, of_hop);
	w->hop = hop;
	if (!before || !LIST_EMPTY(&before->ways))
		return;
	untend(before);
	LIST_REMOVE(before, of_bucket);
	free(before);
}

/* When to poke it, as it is. */
static void plan(struct xp_tx_ways *ways, struct xp_hop *hop)
{
	int64_t wait = POKE_MS;

	if (hop->state & NUD_FAILED)
		wait = hop->failures < 4 ? POKE_MS << (hop->failures - !!hop->failures)
					 : POKE_MOST_MS;
	if (hop->state == NUD_NONE || hop->state & (NUD_STALE | NUD_FAILED))
		tend(ways, hop, hop->poked + wait);
	else
		untend(hop);
}

void xp_hop_take(struct xp_tx_ways *ways, struct xp_hop *hop, const struct xp_neighbour *n)
{
	bool was_known = hop->known, was_failed = hop->failed, differs = false;
	struct xp_way *w;

	hop->state = n->state;
	if (n->state & XP_NUD_VALID) {
		differs = !was_known || memcmp(hop->mac, n->mac, sizeof(hop->mac));
		memcpy(hop->mac, n->mac, sizeof(hop->mac));
		hop->known = true;
		hop->failed = false;
		hop->failures = 0;
	} else if (n->state & NUD_FAILED) {
		hop->known = false;
		hop->failed = true;
		hop->failures++;
	}
	plan(ways, hop);
	if (!differs && hop->failed == was_failed)
		return;
	pthread_cond_broadcast(&ways->settled);
	LIST_FOREACH (w, &hop->ways, of_hop)
		xp_way_mark(ways, w, XP_LOOK_FACE);
}

int xp_hop_ask(struct xp_tx_ways *ways, struct xp_hop *hop)
{
	struct xp_neighbour n;
	int err;

	err = xp_ask_neighbour(&ways->ask, hop->ifindex, &hop->ip, &n);
	if (err && err != -ENOENT)
		return err;
	if (err)
		n.state = NUD_NONE;
	xp_hop_take(ways, hop, &n);
	return 0;
}

int xp_hop_poke(struct xp_tx_ways *ways, struct xp_hop *hop)
{
	untend(hop);
	hop->poked = xp_now_ms();
	return xp_ask_use(&ways->ask, hop->ifindex, &hop->ip);
}

/*
 * An event is to follow. Where none does, as nothing changed or the kernel could not even begin,
 * the next look at the neighbour tells.
 */
static void poke_and_look(struct xp_tx_ways *ways, struct xp_hop *hop)
{
	if (xp_hop_poke(ways, hop) || xp_hop_ask(ways, hop))
		tend(ways, hop, xp_now_ms() + POKE_MOST_MS);
}

int xp_hops_tend(struct xp_tx_ways *ways)
{
	int64_t now = xp_now_ms(), next = INT64_MAX;
	struct xp_hop *hop, *after;
	uint32_t pokes = 0;

	if (LIST_EMPTY(&ways->tended)) {
		ways->next_tending = INT64_MAX;
		return -1;
	}
	if (now < ways->next_tending)
		return ways->next_tending - now;
	ways->next_tending = INT64_MAX;
	for (hop = LIST_FIRST(&ways->tended); hop; hop = after) {
		after = LIST_NEXT(hop, of_tended);
		if (hop->due <= now && pokes++ < POKES)
			poke_and_look(ways, hop);
		if (hop->tended && hop->due < next)
			next = hop->due;
	}
	if (next < now + TURN_MS)
		next = now + TURN_MS;
	ways->next_tending = next;
	return next - now > INT32_MAX ? -1 : next - now;
}
