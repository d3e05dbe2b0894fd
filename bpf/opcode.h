/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * opcode.h - stage 4b: which op-code a packet gets. Pure C, also built for the host.
 *
 * In: what is known of the flow and what the packet says. Out: a decision: op-code, reason, which
 * part of its payload is new. The table below is the only place that says which areas an op-code
 * uses.
 */
#ifndef OPCODE_H
#define OPCODE_H

#include <xdplace/abi.h>
#include "parse.h"
#include "sequence.h"

/* Where header and data of an op-code go. */
enum xp_where {
	XP_TO_NOTHING,
	XP_TO_WHOLE,	  /* whole packet: hybrid if small, else frame */
	XP_TO_HYBRID,	  /* headers in a hybrid cell */
	XP_TO_REASSEMBLY, /* headers in a header cell, data at their stream offset */
};

static __always_inline enum xp_where xp_opcode_areas(__u32 opcode)
{
	switch (opcode) {
	case XP_FOREIGN:
	case XP_TEARDOWN:
	case XP_WHOLE:
		return XP_TO_WHOLE;
	case XP_NODATA:
	case XP_REPEAT:
	case XP_STALE:
		return XP_TO_HYBRID;
	case XP_APPEND:
	case XP_LAST:
	case XP_FIRST:
	case XP_REPLACE:
	case XP_EARLY:
	case XP_FRAGMENT:
	case XP_TAGGED:
		return XP_TO_REASSEMBLY;
	default:
		return XP_TO_NOTHING;
	}
}

struct xp_decision {
	__u32 opcode;
	__u32 reason;
	__u32 skip;    /* payload bytes at the front that are old */
	__u64 offset;  /* stream offset of the first new byte */
	__u32 length;  /* new bytes, perhaps partly covered by runs */
	__u32 fin;     /* FIN to be remembered, at offset + length */
	__u32 give_up; /* holes must go first: the data lie beyond the window */
	__u32 jump;    /* even that is not enough: go on at offset, everything before is lost */
	__u32 stray;   /* count it against the flow's synchronisation */
};

/* Segments out of window in a row after which the flow follows them. */
#define XP_MAX_STRAYS 3
/* Nearer than this an out-of-window segment is a jump, farther it is another stream. */
#define XP_MAX_JUMP (1 << 30)

/* Larger than the windows that receivers offer: what lies farther behind the edge is no
 * retransmission, what is acknowledged farther ahead of it is of another connection. */
#define XP_MAX_BACK (1 << 26)

static __always_inline int xp_decide_as(struct xp_decision *d, __u32 opcode, __u32 reason)
{
	d->opcode = opcode;
	d->reason = reason;
	return 0;
}

/* RST: counts at the edge or ahead of it inside the window (RFC 5961, 3, but for the ACK). */
static __always_inline int xp_decide_rst(const struct xp_flow *f, const struct xp_packet *p,
					 __u32 window, struct xp_decision *d)
{
	__s32 ahead = xp_distance(f->next, p->seq);

	if (f->state == XP_FLOW_CLOSED)
		return xp_decide_as(d, XP_NODATA, XP_R_CLOSED);
	if (ahead < 0 || ahead >= (__s32)window)
		return xp_decide_as(d, XP_NODATA, XP_R_RST_WINDOW);
	return xp_decide_as(d, XP_TEARDOWN, XP_R_RESET);
}

/* Data or FIN beyond the window. */
static __always_inline int xp_decide_beyond(const struct xp_flow *f, __s32 ahead, __u32 window,
					    struct xp_decision *d)
{
	/* A hole has held the stream up until the window was full: it is given up (R13). */
	if (f->early != XP_NONE && (__u32)ahead <= 2 * window) {
		d->give_up = 1;
		return xp_decide_as(d, XP_EARLY, XP_R_OK);
	}
	d->stray = 1;
	if (f->strays + 1 < XP_MAX_STRAYS)
		return xp_decide_as(d, XP_WHOLE, XP_R_OUT_OF_WINDOW);
	if (ahead >= XP_MAX_JUMP)
		return xp_decide_as(d, XP_TEARDOWN, XP_R_LOST_SYNC);
	d->jump = 1;
	return xp_decide_as(d, XP_APPEND, XP_R_OK);
}

/* Nothing of it, up to `end`, is new: a retransmission, or, far behind, another stream. */
static __always_inline int xp_decide_behind(const struct xp_flow *f, __s32 end,
					    struct xp_decision *d)
{
	if (end >= -XP_MAX_BACK)
		return xp_decide_as(d, XP_REPEAT, XP_R_REPEATED);
	d->stray = 1;
	if (f->strays + 1 < XP_MAX_STRAYS)
		return xp_decide_as(d, XP_WHOLE, XP_R_OUT_OF_WINDOW);
	return xp_decide_as(d, XP_TEARDOWN, XP_R_LOST_SYNC);
}

/*
 * TCP segment of an open or closed flow (never a SYN that starts another one). `window`: bytes
 * that may be placed from the edge on.
 */
static __always_inline int xp_decide_tcp(const struct xp_flow *f, const struct xp_packet *p,
					 __u32 window, struct xp_decision *d)
{
	__u32 syn = !!(p->tcp_flags & XP_TCP_SYN), fin = !!(p->tcp_flags & XP_TCP_FIN);
	__s32 start = xp_distance(f->next, p->seq + syn);
	__s32 end = (__s32)((__u32)start + p->payload);

	if (p->tcp_flags & XP_TCP_RST)
		return xp_decide_rst(f, p, window, d);
	if (!p->payload && !fin)
		return xp_decide_as(d, XP_NODATA, XP_R_OK);
	if (f->state == XP_FLOW_CLOSED) {
		if (end <= 0)
			return xp_decide_as(d, XP_REPEAT, XP_R_REPEATED);
		return xp_decide_as(d, p->payload ? XP_WHOLE : XP_NODATA, XP_R_CLOSED);
	}
	if (end < 0 || (end == 0 && !fin))
		return xp_decide_behind(f, end, d);
	d->skip = start < 0 ? -start : 0;
	d->offset = f->edge + (start > 0 ? start : 0);
	d->length = p->payload - d->skip;
	d->fin = fin;
	/* What claims to lie behind the end of the stream is not part of it. */
	if (f->flags & XP_FLOW_FIN && d->offset + d->length > f->fin) {
		if (d->offset >= f->fin)
			return xp_decide_as(d, XP_WHOLE, XP_R_CLOSED);
		d->length = f->fin - d->offset;
		d->fin = 0;
	}
	if (start > 0 && start + (__s32)d->length > (__s32)window)
		return xp_decide_beyond(f, start, window, d);
	return xp_decide_as(d, start > 0 ? XP_EARLY : XP_APPEND, XP_R_OK);
}

/* UDP datagrams follow each other in order of arrival (R15). */
static __always_inline int xp_decide_udp(const struct xp_flow *f, const struct xp_packet *p,
					 struct xp_decision *d)
{
	d->offset = f->edge;
	d->length = p->payload;
	return xp_decide_as(d, p->payload ? XP_APPEND : XP_NODATA, XP_R_OK);
}

static __always_inline int xp_decide(const struct xp_flow *f, const struct xp_packet *p,
				     __u32 window, struct xp_decision *d)
{
	return p->proto == IPPROTO_TCP ? xp_decide_tcp(f, p, window, d) : xp_decide_udp(f, p, d);
}

/* A SYN whose number is not the one this flow began with starts a new stream. */
static __always_inline int xp_starts_anew(const struct xp_flow *f, const struct xp_packet *p)
{
	return f->state != XP_FLOW_EXPECTED && p->proto == IPPROTO_TCP &&
	       p->tcp_flags & XP_TCP_SYN && !(p->tcp_flags & XP_TCP_RST) && f->isn != p->seq + 1;
}

/*
 * The last of a row of segments so far off that they are of another connection, whose SYN was not
 * seen: they start a new stream, where that may be picked up.
 */
static __always_inline int xp_went_elsewhere(const struct xp_flow *f, const struct xp_packet *p)
{
	__s32 start = xp_distance(f->next, p->seq);

	if (f->strays + 1 < XP_MAX_STRAYS || f->state != XP_FLOW_OPEN || !p->payload ||
	    p->proto != IPPROTO_TCP || p->tcp_flags & (XP_TCP_SYN | XP_TCP_RST))
		return 0;
	return start >= XP_MAX_JUMP || xp_distance(f->next, p->seq + p->payload) < -XP_MAX_BACK;
}

/* May this packet set up a flow? (R3, R13) */
static __always_inline int xp_eligible(const struct xp_packet *p, int pickup)
{
	if (p->proto != IPPROTO_TCP)
		return p->payload != 0;
	if (p->tcp_flags & XP_TCP_RST)
		return 0;
	return p->tcp_flags & XP_TCP_SYN || (pickup && p->payload);
}

#endif
