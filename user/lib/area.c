/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * area.c - the layout of the UMEM, first offer of its areas, what a completion names.
 */
#include <errno.h>
#include <string.h>

#include <xdplace/ring.h>

#include "context.h"

/* Of the areas left beside the own ones, AF_XDP sockets get this share, if there are any. */
#define XSK_SHARE 8u
#define XSK_MAX 4096u

static bool bank_end(const struct xp_config *config, uint32_t area)
{
	uint32_t per_bank = 1u << (config->bank_shift - config->area_shift);

	return ((area + 1) & (per_bank - 1)) == 0;
}

static uint32_t count_usable(const struct xp_config *config, uint32_t end)
{
	return end - (end >> (config->bank_shift - config->area_shift));
}

void xp_layout(const struct xp_config *config, struct xp_layout *layout)
{
	memset(layout, 0, sizeof(*layout));
	layout->own = config->areas - config->own_areas;
	if (config->knobs & XP_KNOB_XSK) {
		layout->xsk_per_lane = layout->own / XSK_SHARE / config->lanes;
		if (layout->xsk_per_lane > XSK_MAX)
			layout->xsk_per_lane = XSK_MAX;
	}
	layout->xsk = layout->own - layout->xsk_per_lane * config->lanes;
	layout->usable = layout->xsk;
	while (count_usable(config, layout->usable) % XP_FREE_GROUP)
		layout->usable--;
	layout->groups = count_usable(config, layout->usable) / XP_FREE_GROUP;
}

bool xp_area_guard(const struct xp_config *config, const struct xp_layout *layout, uint32_t area)
{
	return bank_end(config, area) || (area >= layout->usable && area < layout->xsk);
}

static void next_group(const struct xp_config *config, uint32_t *area, struct xp_free_group *group)
{
	unsigned i;

	for (i = 0; i < XP_FREE_GROUP; i++) {
		if (bank_end(config, *area))
			++*area;
		group->free[i] = xp_free_entry((*area)++, config->area_shift);
	}
}

#define SEED_HOT 16u /* groups: to begin with, how many it takes will be seen (give.c) */

void xp_areas_seed(struct xdplace *ctx)
{
	const struct xp_config *config = &ctx->config;
	struct xp_free_group group, *hot, *cold;
	struct xp_lane *lane;
	uint32_t i, area = 0;

	for (i = 0; i < ctx->layout.groups; i++) {
		lane = &ctx->lanes[i % config->lanes];
		hot = ctx->free + (size_t)(i % config->lanes) * (config->hot + config->cold);
		cold = hot + config->hot;
		next_group(config, &area, &group);
		if (lane->hot_produced >= SEED_HOT ||
		    !xp_free_offer(hot, config->hot, &lane->hot_produced, &lane->hot_consumed,
				   &group))
			xp_free_offer(cold, config->cold, &lane->cold_produced,
				      &lane->cold_consumed, &group);
	}
}

const void *xdplace_header(const struct xdplace *ctx, const struct xp_completion *c, size_t *len)
{
	*len = 0;
	if (c->header == XP_NONE || (uint64_t)c->header + c->header_len > ctx->umem_size)
		return NULL;
	*len = c->header_len;
	return ctx->umem + c->header;
}

/* In an own area the second piece follows the first: that is one. */
int xdplace_data(const struct xdplace *ctx, const struct xp_completion *c, struct iovec iov[2])
{
	uint32_t area = 1u << ctx->config.area_shift;
	uint32_t room, left;

	if (!c->data_len || (c->flags & XP_GAP) || c->data == XP_NONE || c->data >= ctx->umem_size)
		return 0;
	room = area - (c->data & (area - 1));
	iov[0].iov_base = ctx->umem + c->data;
	iov[0].iov_len = c->data_len;
	if (c->data_len <= room)
		return 1;
	left = c->data_len - room;
	if (c->data2 == XP_NONE || (uint64_t)c->data2 + left > ctx->umem_size)
		return 0;
	if (c->data2 == c->data + room)
		return 1;
	iov[0].iov_len = room;
	iov[1].iov_base = ctx->umem + c->data2;
	iov[1].iov_len = left;
	return 2;
}
