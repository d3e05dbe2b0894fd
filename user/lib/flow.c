/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * flow.c - the flow database as an application sees it.
 *
 * Looking is done in the maps, while packets may change them: a copy may be half old, half new.
 * Changing is done by commands, in the kernel, under the lane's lock.
 */
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include <bpf/bpf.h>

#include "context.h"

#define BATCH 256u

/* (R10) What the program checks again: here it gets words. */
static int check_own(const struct xdplace *ctx, const struct xdplace_flow_opts *opts)
{
	const struct xp_config *config = &ctx->config;
	uint32_t area = 1u << config->area_shift;
	uint64_t first, end;

	if (!opts->own_length)
		return 0;
	/* Of the own areas the last is the bank's guard. */
	first = (uint64_t)(config->areas - config->own_areas) << config->area_shift;
	end = ((uint64_t)config->areas << config->area_shift) - area;
	if (!config->own_areas)
		return xp_fail(EINVAL, "own area: the context was made without own_size");
	if (opts->own_length % area || opts->own_address % area || opts->own_start % area)
		return xp_fail(EINVAL,
			       "own area of %u bytes at %u, from stream offset %llu: must be "
			       "multiples of %u",
			       opts->own_length, opts->own_address,
			       (unsigned long long)opts->own_start, area);
	if (opts->own_address < first || opts->own_length > end ||
	    opts->own_address > end - opts->own_length)
		return xp_fail(EINVAL, "own area of %u bytes at %u: must lie within %llu .. %llu",
			       opts->own_length, opts->own_address, (unsigned long long)first,
			       (unsigned long long)end);
	return 0;
}

static int fill_command(struct xdplace *ctx, struct xp_command *command,
			const struct xdplace_flow_opts *opts)
{
	if (!opts)
		return 0;
	if (opts->size != sizeof(*opts))
		return xp_fail(EINVAL, "flow options of %zu bytes: must be %zu", opts->size,
			       sizeof(*opts));
	if (opts->lane >= ctx->config.lanes)
		return xp_fail(EINVAL, "lane %u: the context has %u", opts->lane,
			       ctx->config.lanes);
	command->lane = opts->lane;
	command->flags |= opts->take ? XP_FLOW_TAKE : 0;
	command->own_start = opts->own_start;
	command->own_length = opts->own_length;
	command->own_address = opts->own_address;
	return check_own(ctx, opts);
}

int xp_check_slot(const struct xdplace *ctx, uint32_t rtp)
{
	if (!rtp || XP_RTP_SLOT_SHIFT(rtp) <= ctx->config.area_shift)
		return 0;
	return xp_fail(EINVAL, "slot %u: larger than the areas, which have %u bytes (area_size)",
		       1u << XP_RTP_SLOT_SHIFT(rtp), 1u << ctx->config.area_shift);
}

static int fill_rtp(const struct xdplace *ctx, struct xp_command *command,
		    const struct xdplace_flow_opts *opts)
{
	uint32_t slot = opts->slot ? opts->slot : XP_RTP_SLOT;

	if (!opts->rtp && (opts->slot || opts->deadline_ms))
		return xp_fail(EINVAL, "slot and deadline are for RTP flows");
	if (!opts->rtp)
		return 0;
	if ((command->flags & XP_FLOW_V6 ? command->key.v6.proto : command->key.v4.proto) !=
	    IPPROTO_UDP)
		return xp_fail(EINVAL, "an RTP flow is UDP");
	if (slot < 1u << XP_MIN_RTP_SHIFT || slot & (slot - 1) || slot > 1u << XP_MAX_AREA_SHIFT)
		return xp_fail(EINVAL, "slot %u: must be a power of two, %u .. %u", slot,
			       1u << XP_MIN_RTP_SHIFT, 1u << XP_MAX_AREA_SHIFT);
	if (opts->deadline_ms > XP_MAX_DEADLINE)
		return xp_fail(EINVAL, "deadline %u: must be 1 .. %u", opts->deadline_ms,
			       XP_MAX_DEADLINE);
	command->flags |= XP_FLOW_RTP;
	command->rtp = XP_RTP((uint32_t)__builtin_ctz(slot),
			      opts->deadline_ms ? opts->deadline_ms : XP_RTP_DEADLINE_MS);
	return xp_check_slot(ctx, command->rtp);
}

/* What the program's answer means for this command, and what to do about it. */
static const char *explain(const struct xp_command *command, int err)
{
	switch (err) {
	case EAGAIN:
		return "the lane's completion ring is full; let its consumer go on, then try again";
	case EEXIST:
		return command->code == XP_CMD_ADD ? "there is one of this key already"
						   : "it has one already";
	case EBUSY:
		return command->own_length ? "bytes from there on were placed already, or the own "
					     "area is in use"
					   : "the lane is busy; try again";
	case ENOENT:
		return "there is none (any more)";
	case ENOBUFS:
		return "its lane has as many RTP flows as it can have; make the context with more "
		       "of them (rtp)";
	default:
		return strerror(err);
	}
}

static int flow_command(struct xdplace *ctx, struct xp_command *command, const char *what)
{
	int result = xp_command(ctx, command);

	return result < 0 ? xp_fail(-result, "%s: %s", what, explain(command, -result)) : 0;
}

int xdplace_flow_add(struct xdplace *ctx, const union xp_key *key, bool v6,
		     const struct xdplace_flow_opts *opts, uint32_t *handle)
{
	struct xp_command command = {.code = XP_CMD_ADD, .key = *key};
	int err;

	command.flags = v6 ? XP_FLOW_V6 : 0;
	err = fill_command(ctx, &command, opts);
	if (!err && opts)
		err = fill_rtp(ctx, &command, opts);
	if (err)
		return err;
	err = flow_command(ctx, &command, "add a flow");
	if (!err)
		*handle = command.handle;
	return err;
}

int xdplace_flow_del(struct xdplace *ctx, uint32_t handle)
{
	struct xp_command command = {.code = XP_CMD_DELETE, .handle = handle};
	struct xp_flow flow;
	int err;

	err = xdplace_flow_get(ctx, handle, &flow);
	if (err)
		return err;
	command.lane = flow.lane;
	return flow_command(ctx, &command, "end a flow");
}

int xdplace_flow_own(struct xdplace *ctx, uint32_t handle, const struct xdplace_flow_opts *opts)
{
	struct xp_command command = {.code = XP_CMD_OWN, .handle = handle};
	struct xp_flow flow;
	int err;

	err = xdplace_flow_get(ctx, handle, &flow);
	if (!err)
		err = fill_command(ctx, &command, opts);
	if (err)
		return err;
	command.lane = flow.lane;
	return flow_command(ctx, &command, "give a flow its own area");
}

int xdplace_flow_find(struct xdplace *ctx, const union xp_key *key, bool v6, uint32_t *handle)
{
	int err;

	if (v6)
		err = bpf_map_lookup_elem(ctx->map[XP_MAP_FLOWS6], &key->v6, handle);
	else
		err = bpf_map_lookup_elem(ctx->map[XP_MAP_FLOWS4], &key->v4, handle);
	return err ? xp_fail(-err, "find a flow: %s", strerror(-err)) : 0;
}

int xdplace_flow_get(struct xdplace *ctx, uint32_t handle, struct xp_flow *flow)
{
	uint32_t index = XP_FLOW_INDEX(handle);
	int err;

	err = bpf_map_lookup_elem(ctx->map[XP_MAP_FLOW], &index, flow);
	if (err && err != -ENOENT)
		return xp_fail(-err, "read flow %u: %s", handle, strerror(-err));
	if (err || flow->state == XP_FLOW_FREE || flow->handle != handle)
		return xp_fail(ENOENT, "flow %u: there is none (any more)", handle);
	return 0;
}

int xdplace_flow_each(struct xdplace *ctx, int (*fn)(void *arg, const struct xp_flow *flow),
		      void *arg)
{
	uint32_t total = ctx->config.flows * ctx->config.lanes;
	struct xp_flow *flows;
	uint32_t i, n, first;
	int err = 0;

	flows = calloc(BATCH, sizeof(*flows));
	if (!flows)
		return xp_fail(ENOMEM, "no memory to list flows");
	for (first = 0; first < total && !err; first += n) {
		n = total - first < BATCH ? total - first : BATCH;
		err = xp_map_read(ctx->map[XP_MAP_FLOW], first, n, flows, sizeof(*flows));
		if (err)
			err = xp_fail(-err, "list flows: %s", strerror(-err));
		for (i = 0; i < n && !err; i++)
			if (flows[i].state != XP_FLOW_FREE)
				err = fn(arg, &flows[i]);
	}
	free(flows);
	return err;
}
