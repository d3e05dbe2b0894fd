/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * rtp.bpf.h - what is different for a packet of an RTP flow (R15): whose it is, its op-code, its
 * place by sequence number. The steps of the long way, which calls them in this order: each is a
 * function of its own, so that the stack stays flat.
 *
 * In: a verified packet of a locked lane whose flow is placed by RTP, or whose rule says so. Out:
 * what to do with it; then the packet in its slot, and told.
 */
#ifndef RTP_BPF_H
#define RTP_BPF_H

#include "stream.bpf.h"

/* Read the RTP header of the packet in work into the lane's scratch: XP_R_OK or the reason. */
static __always_inline int xp_rtp_look(struct xp_ctx *ctx, struct xp_scratch *scratch, __u32 lane,
				       const struct xp_packet *p)
{
	struct xp_rtp_header *h = &scratch->rtp;
	int reason;

	__builtin_memset(scratch->bytes, 0, XP_RTP_LOOK);
	if (!p->payload)
		return XP_R_RTP_HEADER;
	if (xp_peek(ctx, lane, p->data, p->payload < XP_RTP_LOOK ? p->payload : XP_RTP_LOOK))
		return XP_R_COPY;
	reason = xp_rtp_parse(scratch->bytes, p->payload, h);
	if (reason)
		return reason;
	if (p->data + h->length > XP_MAX_HEADER)
		return XP_R_HEADER_LONG;
	if (!h->padded)
		return XP_R_OK;
	if (xp_peek(ctx, lane, p->data + p->payload - 1, 1))
		return XP_R_COPY;
	return xp_rtp_unpad(h, scratch->bytes[0]);
}

/*
 * May the packet in work be placed? 0 it may, 1 it starts a new stream on the flow's key, -reason.
 * `match`: of the rule that wants it, where it has no flow yet. job.rtp is that of a new stream.
 */
__attribute__((noinline)) int xp_rtp_read(struct xp_ctx *ctx, __u32 lane, __u32 match)
{
	struct xp_scratch *scratch = bpf_map_lookup_elem(&xp_scratch, &lane);
	struct xp_cursor *cur = xp_cursor_at(lane);
	enum xp_rtp_belongs belongs;
	struct xp_flow *f;
	struct xp_rtp *r;
	__u32 shift;
	int reason;

	if (!scratch || !cur)
		return -XP_R_COPY;
	reason = xp_rtp_look(ctx, scratch, lane, &cur->packet);
	if (reason)
		return -reason;
	cur->job.from = cur->packet.data + scratch->rtp.length;
	f = xp_flow_at(cur->job.flow);
	if (!f) {
		/* Before another flow has to go for it. */
		if (xp_rtp_none(cur))
			return -XP_R_RTP_FULL;
		cur->job.rtp = match & XP_RTP_MASK;
		shift = xp_rtp_shift(match, xp_config.area_shift);
		return scratch->rtp.payload > 1u << shift ? -XP_R_RTP_SLOT : 0;
	}
	r = xp_rtp_at(f->block);
	if (!r)
		return -XP_R_CLOSED;
	if (scratch->rtp.payload > 1u << f->slot_shift)
		return -XP_R_RTP_SLOT;
	if (f->state != XP_FLOW_OPEN)
		return 0;
	belongs = xp_rtp_judge(r, f->rtp.ssrc, &scratch->rtp);
	if (belongs == XP_RTP_STRAY)
		return -XP_R_RTP_SOURCE;
	cur->job.rtp = r->rtp;
	return belongs == XP_RTP_RESTART;
}

/* The first packet: its number is where the stream begins. */
static __always_inline void xp_rtp_begin(struct xp_cursor *cur, struct xp_flow *f, struct xp_rtp *r,
					 const struct xp_rtp_header *h)
{
	f->state = XP_FLOW_OPEN;
	f->isn = f->next = h->sequence;
	f->rtp.ssrc = h->ssrc;
	r->highest = (__s64)h->sequence - 1;
	if (cur->job.opcode != XP_REPLACE)
		cur->job.opcode = XP_FIRST;
}

/* What the packet in work is to its flow: job.opcode, job.reason, its number in job.at. */
__attribute__((noinline)) int xp_rtp_choose(__u32 lane)
{
	struct xp_scratch *scratch = bpf_map_lookup_elem(&xp_scratch, &lane);
	struct xp_cursor *cur = xp_cursor_at(lane);
	struct xp_flow *f = cur ? xp_flow_at(cur->job.flow) : NULL;
	struct xp_rtp *r = f ? xp_rtp_at(f->block) : NULL;
	struct xp_job *job;

	if (!scratch || !r)
		return 0;
	job = &cur->job;
	if (f->state == XP_FLOW_EXPECTED)
		xp_rtp_begin(cur, f, r, &scratch->rtp);
	/* What has waited too long is given up first, so that this one may be too late. */
	if (xp_told_edge(f) <= (__u64)r->highest)
		xp_rtp_drain(lane, 0, XP_R_OK);
	job->at = xp_rtp_number(r->highest, scratch->rtp.sequence);
	if (xp_rtp_arrived(r, f->isn, job->at)) {
		job->opcode = XP_REPEAT;
		job->reason = XP_R_REPEATED;
		f->repeats++;
		return 0;
	}
	if ((__s64)job->at < (__s64)xp_told_edge(f)) {
		job->opcode = XP_WHOLE;
		job->reason = XP_R_LATE;
		f->rtp.late++;
		return 0;
	}
	if (job->at - xp_told_edge(f) >= XP_RTP_WINDOW)
		xp_rtp_drain(lane, job->at - XP_RTP_WINDOW + 1, XP_R_GAP_WINDOW);
	if (job->opcode == XP_WHOLE)
		job->opcode = job->at == xp_told_edge(f) ? XP_APPEND : XP_EARLY;
	job->reason = XP_R_RTP;
	return 0;
}

/*
 * The payload of the packet in work to its slot: where that is, in scratch->rtp.place; XP_NONE if
 * there is no area, or no payload to need one.
 */
__attribute__((noinline)) int xp_rtp_store(struct xp_ctx *ctx, __u32 lane)
{
	struct xp_scratch *scratch = bpf_map_lookup_elem(&xp_scratch, &lane);
	struct xp_cursor *cur = xp_cursor_at(lane);
	struct xp_flow *f = cur ? xp_flow_at(cur->job.flow) : NULL;
	struct xp_rtp *r = f ? xp_rtp_at(f->block) : NULL;
	__u64 ahead;
	__u32 to;
	char *memory;

	if (!scratch || !r)
		return 0;
	ahead = cur->job.at - xp_told_edge(f);
	to = xp_rtp_place(cur, lane, f, r, f->edge + (ahead << f->slot_shift),
			  scratch->rtp.payload);
	scratch->rtp.place = to;
	if (!scratch->rtp.payload)
		return 0;
	if (to == XP_NONE) {
		cur->job.reason = XP_R_NO_AREA;
		return 0;
	}
	memory = xp_umem_at(to, xp_area_bytes());
	if (!memory || xp_copy(ctx, cur->job.from, memory, scratch->rtp.payload)) {
		/* Arrived without a byte: each area that is kept has a slot that has arrived. */
		cur->job.reason = XP_R_COPY;
		scratch->rtp.payload = 0;
	}
	cur->job.placed = scratch->rtp.payload;
	return 0;
}

/* Tell of the packet in work, which is where xp_rtp_store() says, and of what waited for it. */
__attribute__((noinline)) int xp_rtp_tell(__u32 lane)
{
	struct xp_scratch *scratch = bpf_map_lookup_elem(&xp_scratch, &lane);
	struct xp_cursor *cur = xp_cursor_at(lane);
	struct xp_flow *f = cur ? xp_flow_at(cur->job.flow) : NULL;
	struct xp_rtp *r = f ? xp_rtp_at(f->block) : NULL;
	struct xp_rtp_slot *slot;
	struct xp_completion *c;

	if (!scratch || !r)
		return 0;
	c = xp_tell(cur, lane, cur->job.opcode, cur->job.reason);
	if (!c)
		return 0;
	c->offset = cur->job.at;
	if (cur->job.reason == XP_R_NO_AREA) /* as if it had not come */
		return 0;
	c->data = scratch->rtp.place;
	c->data_len = scratch->rtp.payload;
	if ((__s64)cur->job.at > r->highest)
		xp_rtp_rise(f, r, cur->job.at);
	slot = xp_rtp_slot(r, cur->job.at);
	slot->length = scratch->rtp.payload;
	slot->there = 1;
	f->bytes += scratch->rtp.payload;
	if (cur->job.opcode == XP_EARLY) {
		f->earlies++;
		return 0;
	}
	c->flags |= xp_rtp_advance(f, r, 1);
	if ((__s64)cur->job.at < r->highest)
		xp_rtp_drain(lane, 0, XP_R_OK);
	return 0;
}

/* Headers, RTP's among them, in a header cell; the payload in its slot. */
static __always_inline void xp_put_rtp(struct xp_ctx *ctx, struct xp_cursor *cur, __u32 lane)
{
	int r;

	xp_rtp_store(ctx, lane);
	r = xp_put_header(ctx, lane, cur->job.from, 0);
	xp_rtp_tell(lane);
	if (r)
		cur->job.reason = r;
}

#endif
