/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * control.bpf.h - commands of user space: the second program, run by BPF_PROG_TEST_RUN with a
 * struct xp_command as its packet. What it changes it changes under the lane's lock, by the same
 * functions that packets use; what it is told it checks as if it came from the network.
 */
#ifndef CONTROL_BPF_H
#define CONTROL_BPF_H

#include <linux/errno.h>
#include "long_way.bpf.h"

/* ---- own areas (R10) ---- */

struct xp_own {
	__u32 first;
	__u32 state; /* what each area is to become */
	__u32 taken; /* areas marked so far */
};

static long xp_own_take_one(__u32 i, struct xp_own *own)
{
	__u32 area = own->first + i;
	__u32 bank_areas = 1u << (xp_config.bank_shift - xp_config.area_shift);
	__u32 *mark;

	if ((area & (bank_areas - 1)) == bank_areas - 1) /* guard */
		return 1;
	mark = bpf_map_lookup_elem(&xp_areas, &area);
	if (!mark || __sync_val_compare_and_swap(mark, XP_AREA(XP_AREA_USER, 0), own->state))
		return 1;
	own->taken = i + 1;
	return 0;
}

/*
 * Mark a range of areas as a flow's own: 0 or -errno. Only areas kept for this purpose, at the
 * end of the UMEM, may be named, and none that something is being placed into.
 */
__attribute__((noinline)) int xp_own_take(__u32 index, __u32 address, __u32 length)
{
	__u32 areas = length >> xp_config.area_shift;
	struct xp_own own = {
		.first = xp_area_of(address),
		.state = XP_AREA(XP_AREA_OWN, index),
	};

	if (!length || (address | length) & (xp_area_bytes() - 1))
		return -EINVAL;
	if (own.first < xp_config.areas - xp_config.own_areas || own.first >= xp_config.areas ||
	    areas > xp_config.areas - own.first)
		return -ERANGE;
	bpf_loop(areas, xp_own_take_one, &own, 0);
	if (own.taken == areas)
		return 0;
	bpf_loop(own.taken, xp_own_release_one, &own.first, 0);
	return -EBUSY;
}

static __always_inline int xp_own_set(struct xp_flow *f, const struct xp_command *command)
{
	int r;

	if (f->state == XP_FLOW_CLOSED)
		return -ENOENT;
	if (f->flags & XP_FLOW_OWN)
		return -EEXIST;
	if (command->own_start & (xp_area_bytes() - 1))
		return -EINVAL;
	/* Neither placed nor waiting beyond a hole. */
	if (f->state == XP_FLOW_OPEN &&
	    (f->edge > command->own_start || f->early != XP_NONE || f->flags & XP_FLOW_RTP))
		return -EBUSY;
	r = xp_own_take(XP_FLOW_INDEX(f->handle), command->own_address, command->own_length);
	if (r)
		return r;
	f->own_start = command->own_start;
	f->own_length = command->own_length;
	f->own_address = command->own_address;
	f->flags |= XP_FLOW_OWN;
	return 0;
}

/* ---- age ---- */

/* Flows that may be moved to the head before the tail is looked at: see xp_lru_slack(). */
#define XP_ROTATE 256

static __always_inline int xp_flow_aged(const struct xp_flow *f)
{
	return xp_config.flow_ticks && xp_now() - f->active > xp_config.flow_ticks;
}

/*
 * A flow at the tail that was active since it was moved hides older ones before it. It is moved
 * once for that: what stays idle comes back to the tail and ends there.
 */
static long xp_rotate_one(__u32 i, __u32 *lane)
{
	struct xp_cursor *cur = xp_cursor_at(*lane);
	struct xp_flow *f = cur ? xp_flow_at(cur->live.tail - 1) : NULL;

	if (!f || (__s32)(f->active - f->moved_tick) <= 0 || xp_flow_aged(f) ||
	    xp_now() - f->moved_tick <= xp_config.closed_ticks)
		return 1;
	xp_lru_front(*lane, cur->live.tail - 1);
	return 0;
}

/*
 * Forget the entry that was closed first if it has aged: 1 done, 0 it has not. Half a connection
 * stays, among the last to go: the other half wants to know what it acknowledges.
 */
static __always_inline int xp_age_closed(struct xp_cursor *cur)
{
	__u32 index = cur->closed.tail - 1;
	struct xp_flow *f = xp_flow_at(index);

	if (!cur->closed.tail || !f || xp_now() - f->active <= xp_config.closed_ticks)
		return 0;
	if (!xp_half_closed(index)) {
		xp_flow_free(cur, f, index);
		return 1;
	}
	xp_lru_unlink(cur, f);
	f->active = xp_now();
	xp_lru_push(cur, &cur->closed, f, index);
	return 1;
}

/* The same, or end the least recently active flow if that has aged. */
__attribute__((noinline)) int xp_age_one(__u32 lane)
{
	struct xp_cursor *cur = xp_cursor_at(lane);
	struct xp_flow *f;
	__u32 index;

	if (!cur)
		return 0;
	if (xp_age_closed(cur))
		return 1;
	index = cur->live.tail - 1;
	f = xp_flow_at(index);
	if (!f || !xp_flow_aged(f))
		return 0;
	xp_flow_end(lane, index, XP_R_AGED);
	xp_flow_free(cur, f, index);
	return 1;
}

/* Give up the holes of one flow if the first of them has aged or was acknowledged. */
__attribute__((noinline)) int xp_age_holes(__u32 lane, __u32 index)
{
	struct xp_cursor *cur = xp_cursor_at(lane);
	struct xp_flow *f = xp_flow_at(index);
	struct xp_early *e;
	__u32 reason, age;

	if (!cur || !f || f->state != XP_FLOW_OPEN || f->early == XP_NONE)
		return 0;
	age = xp_now() - f->hole_tick;
	reason = XP_R_AGED;
	if (!xp_config.hole_ticks || age <= xp_config.hole_ticks) {
		/* An acknowledgement may overtake the data on the way here. */
		if (age <= xp_config.acked_ticks || !xp_hole_acked(index))
			return 0;
		reason = XP_R_GAP_ACKED;
	}
	cur->job.flow = index;
	cur->job.opcode = XP_APPEND;
	cur->job.placed = 0;
	/* One hole: the next one has its own time. */
	xp_drain(lane, reason, 1);
	e = xp_early_at(f->early);
	if (e && !e->count)
		xp_early_drop(cur, f);
	if (f->flags & XP_FLOW_FIN && f->edge == f->fin)
		xp_flow_last(cur, lane, f);
	return 1;
}

/* How many early blocks one command looks through for aged holes. */
#define XP_SWEEP 512

struct xp_sweep {
	__u32 lane;
	__u32 done;
};

static long xp_sweep_one(__u32 i, struct xp_sweep *sweep)
{
	struct xp_cursor *cur = xp_cursor_at(sweep->lane);
	struct xp_early *e;
	struct xp_flow *f;
	__u32 block;

	if (!cur)
		return 1;
	if (cur->sweep >= cur->used_early)
		cur->sweep = 0;
	block = sweep->lane * xp_config.early + cur->sweep++;
	e = xp_early_at(block);
	f = e ? xp_flow_at(e->flow) : NULL;
	if (!f || f->early != block || !xp_age_holes(sweep->lane, e->flow))
		return 0;
	/* One flow's completions at a time: the next command has room again. */
	sweep->done = 1;
	return 1;
}

/* Packets of an RTP flow that are missing past their deadline: 1 some were given up. */
__attribute__((noinline)) int xp_age_rtp(__u32 lane, __u32 block)
{
	struct xp_cursor *cur = xp_cursor_at(lane);
	struct xp_rtp *r = xp_rtp_at(block);
	struct xp_flow *f;
	__u32 before;

	if (!cur || !r)
		return 0;
	f = xp_flow_at(r->flow);
	if (!f || f->block != block || (__s64)xp_told_edge(f) > r->highest)
		return 0;
	before = cur->written;
	cur->job.flow = r->flow;
	xp_rtp_drain(lane, 0, XP_R_OK);
	return cur->written != before;
}

static long xp_sweep_rtp_one(__u32 i, struct xp_sweep *sweep)
{
	struct xp_cursor *cur = xp_cursor_at(sweep->lane);
	__u32 block;

	if (!cur || i >= cur->used_rtp)
		return 1;
	if (cur->sweep_rtp >= cur->used_rtp)
		cur->sweep_rtp = 0;
	block = sweep->lane * xp_config.rtp + cur->sweep_rtp++;
	if (!xp_age_rtp(sweep->lane, block))
		return 0;
	sweep->done = 1;
	return 1;
}

/* 1 there may be more to do at once, 0 nothing for now. */
__attribute__((noinline)) int xp_tick(__u32 lane)
{
	struct xp_sweep sweep = {.lane = lane};

	bpf_loop(XP_ROTATE, xp_rotate_one, &lane, 0);
	if (xp_age_datagram(lane) || xp_age_one(lane))
		return 1;
	bpf_loop(XP_SWEEP, xp_sweep_one, &sweep, 0);
	if (!sweep.done)
		bpf_loop(XP_SWEEP, xp_sweep_rtp_one, &sweep, 0);
	return sweep.done;
}

/* ---- commands ---- */

/* End one flow of the lane, oldest first: 1 there may be more, 0 none is left. */
__attribute__((noinline)) int xp_flush_one(__u32 lane)
{
	struct xp_cursor *cur = xp_cursor_at(lane);
	struct xp_flow *f;
	__u32 index;

	if (!cur)
		return 0;
	if (cur->datagrams.tail && !xp_datagram_drop(lane, cur->datagrams.tail - 1, XP_R_FLUSHED))
		return 1;
	index = (cur->live.tail ? cur->live.tail : cur->closed.tail) - 1;
	f = xp_flow_at(index);
	if (!f)
		return 0;
	xp_flow_end(lane, index, XP_R_FLUSHED);
	xp_flow_free(cur, f, index);
	return 1;
}

/* Is there a flow of this key? 6.1 takes no key that is an argument: it is copied. */
static __always_inline int xp_key_known(__u32 lane, const union xp_key *key, int v6)
{
	struct xp_scratch *scratch = bpf_map_lookup_elem(&xp_scratch, &lane);

	if (!scratch)
		return 0;
	xp_key_copy(&scratch->key, key, v6);
	return xp_handle_of(&scratch->key, v6) != XP_NONE;
}

static __always_inline int xp_command_add(struct xp_cursor *cur, __u32 lane,
					  struct xp_command *command)
{
	__u32 flags = command->flags & (XP_FLOW_TAKE | XP_FLOW_V6 | XP_FLOW_RTP);
	struct xp_flow *f;
	int index, r;

	if (flags & XP_FLOW_RTP &&
	    (flags & XP_FLOW_V6 ? command->key.v6.proto : command->key.v4.proto) != IPPROTO_UDP)
		return -EINVAL;
	/* Before another flow has to go for it. */
	if (xp_key_known(lane, &command->key, command->flags & XP_FLOW_V6))
		return -EEXIST;
	if (flags & XP_FLOW_RTP && xp_rtp_none(cur))
		return -ENOBUFS;
	if (xp_flow_make_room(cur, lane))
		return -ENOSPC;
	cur->job.rtp = command->rtp;
	index = xp_flow_open(lane, &command->key, flags);
	if (index < 0)
		return -EEXIST;
	f = xp_flow_at(index);
	if (!f)
		return -EEXIST;
	command->handle = f->handle;
	if (!command->own_length)
		return 0;
	r = xp_own_set(f, command);
	if (r)
		xp_flow_free(cur, f, index);
	return r;
}

static __always_inline int xp_command_on_flow(struct xp_cursor *cur, __u32 lane,
					      const struct xp_command *command)
{
	struct xp_flow *f = xp_flow_of(command->handle);
	__u32 index = XP_FLOW_INDEX(command->handle);

	if (!f || f->lane != lane)
		return -ENOENT;
	if (command->code == XP_CMD_OWN)
		return xp_own_set(f, command);
	xp_flow_end(lane, index, XP_R_DELETED);
	xp_flow_free(cur, f, index);
	return 0;
}

/* With the lane locked. */
__attribute__((noinline)) int xp_command_run(struct xp_command *command, __u32 lane)
{
	struct xp_cursor *cur = xp_cursor_at(lane);
	struct xp_lane *shared = xp_lane_at(lane);

	if (!command || !cur || !shared)
		return -EINVAL;
	cur->job.header = XP_NONE;
	cur->job.flow = XP_NONE;
	cur->job.opcode = XP_TEARDOWN;
	cur->job.placed = 0;
	if (xp_room(cur, shared) < XP_SLOW_ROOM)
		return -EAGAIN;
	switch (command->code) {
	case XP_CMD_ADD:
		return xp_command_add(cur, lane, command);
	case XP_CMD_DELETE:
	case XP_CMD_OWN:
		return xp_command_on_flow(cur, lane, command);
	case XP_CMD_TICK:
		return xp_tick(lane);
	case XP_CMD_FLUSH:
		return xp_flush_one(lane);
	default:
		return -EINVAL;
	}
}

/* 0 or more, or -errno. */
static __always_inline int xp_command_in_lane(struct xp_command *command)
{
	__u32 lane = command->lane;
	struct xp_cursor *cur;
	int r;

	if (command->code == XP_CMD_PING)
		return XP_ABI;
	if (lane >= xp_config.lanes)
		return -EINVAL;
	cur = xp_lock(lane, 2 + bpf_get_smp_processor_id());
	if (!cur)
		return -EBUSY;
	r = xp_command_run(command, lane);
	xp_leave(cur, lane);
	return r;
}

/* For who can't have the packet back. */
__attribute__((noinline)) int xp_answer(__u32 token, int result, __u32 handle)
{
	struct xp_answer answer = {.result = result, .handle = handle};
	__u32 key = token; /* 6.1 takes no argument */

	return bpf_map_update_elem(&xp_answers, &key, &answer, BPF_ANY);
}

SEC("xdp")
int xp_control(struct xdp_md *ctx)
{
	struct xp_command *packet = (void *)(long)ctx->data, command;

	if ((void *)(packet + 1) > (void *)(long)ctx->data_end)
		return XDP_ABORTED;
	__builtin_memcpy(&command, packet, sizeof(command));
	command.result = xp_command_in_lane(&command);
	if (command.token)
		xp_answer(command.token, command.result, command.handle);
	packet = (void *)(long)ctx->data;
	if ((void *)(packet + 1) > (void *)(long)ctx->data_end)
		return XDP_ABORTED;
	packet->result = command.result;
	packet->handle = command.handle;
	return XDP_DROP;
}

#endif
