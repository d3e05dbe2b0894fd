/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * compare.c - see compare.h.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "compare.h"

int differ(struct driver *d, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(d->why, sizeof(d->why), format, args);
	va_end(args);
	return -1;
}

/* ---- one completion ---- */

static uint32_t size_of_area(const struct driver *d)
{
	return 1u << d->config->area_shift;
}

/* Its header is in a cell. */
static int read_header(struct driver *d, const struct xp_completion *c)
{
	if ((c->header & (XP_CELL - 1)) != XP_PAD || c->header_len > MAX_CELLS - d->told.header ||
	    (uint64_t)c->header + c->header_len > d->umem_size)
		return differ(d, "header of %u bytes at %u", c->header_len, c->header);
	memcpy(d->told.cells + d->told.header, d->umem + c->header, c->header_len);
	d->told.header += c->header_len;
	d->headers++;
	return 0;
}

/* Areas of a completion that come back with it. */
static uint32_t handed_over(const struct xp_completion *c)
{
	uint32_t n = 0;

	n += c->flags & XP_RELEASE_HEADER && c->header != XP_NONE;
	n += c->flags & XP_RELEASE_DATA && !(c->flags & XP_GAP) && c->data != XP_NONE;
	n += c->flags & XP_RELEASE_DATA2 && c->data2 != XP_NONE;
	return n;
}

static const struct model_flow *flow_of(const struct driver *d, uint32_t handle)
{
	uint32_t i;

	for (i = 0; i < d->m.flows; i++)
		if (d->handle[d->m.flow[i]->id] == handle)
			return d->m.flow[i];
	return NULL;
}

/* In an own area they lie one behind the other, in one piece (R10). */
static int check_own(struct driver *d, const struct xp_completion *c)
{
	const struct model_flow *f = d->m.config.own_areas ? flow_of(d, c->flow) : NULL;
	uint64_t at = c->offset, in;

	if (!f || !f->own.length || c->flags & XP_FRAME)
		return 0;
	if (f->rtp)
		at = f->state == XP_FLOW_EXPECTED ? 0 : (at - f->rtp->first) << f->rtp->shift;
	in = at - f->own.start;
	if (in >= f->own.length) /* also what lies before it */
		return c->data >= d->m.own_base && c->opcode != XP_FRAGMENT
			       ? differ(d, "stream offset %llu is in an own area",
					(unsigned long long)at)
			       : 0;
	if (c->data != f->own.address + in || in + c->data_len > f->own.length ||
	    (c->data2 != XP_NONE && c->data2 < d->m.own_base) ||
	    c->flags & (XP_RELEASE_DATA | XP_RELEASE_DATA2))
		return differ(d, "stream offset %llu + %u lies at %u, own area: %llu at %u",
			      (unsigned long long)at, c->data_len, c->data,
			      (unsigned long long)f->own.start, f->own.address);
	return 0;
}

/* Stream data lie where their offset says; the second area begins with the bytes behind. */
static int check_place(struct driver *d, const struct xp_completion *c)
{
	uint32_t mask = size_of_area(d) - 1;

	if (check_own(d, c))
		return -1;
	if (c->flags & XP_FRAME || d->part || c->reason == XP_R_RTP)
		return 0;
	if ((c->data & mask) != (c->offset & mask))
		return differ(d, "%s: stream offset %llu lies at %u of its area",
			      xdplace_opcode_name(c->opcode), (unsigned long long)c->offset,
			      c->data & mask);
	return 0;
}

static int add_data(struct driver *d, const struct xp_completion *c, struct event *event)
{
	struct iovec iov[2];
	uint64_t offset = event->offset;
	int i, n = xdplace_data(d->ctx, c, iov);

	if (!n)
		return differ(d, "%s: %u bytes at %u and %u are nowhere",
			      xdplace_opcode_name(c->opcode), c->data_len, c->data, c->data2);
	for (i = 0; i < n; i++) {
		event->offset = offset;
		event->length = iov[i].iov_len;
		outcome_add(&d->told, event, iov[i].iov_base);
		offset += c->flags & XP_FRAME ? 0 : iov[i].iov_len;
	}
	return 0;
}

int compare_read(struct driver *d, uint32_t lane, const struct xp_completion *c)
{
	struct event event = {
		.opcode = c->opcode,
		.reason = c->reason,
		.flags = c->flags & (XP_GAP | XP_CAUGHT_UP | XP_RELEASE_FLOW | XP_FRAME),
		.lane = lane,
		.flow = c->flow == XP_NONE ? 0 : c->flow + 1,
		.offset = c->offset,
	};

	d->areas[lane] += handed_over(c);
	if (c->opcode >= XP_OPCODE_COUNT || c->reason >= XP_REASON_COUNT || c->lane != lane)
		return differ(d, "completion: op-code %u, reason %u, lane %u", c->opcode, c->reason,
			      c->lane);
	/* What hands over an area of headers whose last cells were too few tells nothing else. */
	if (c->flags & XP_RELEASE_HEADER && !c->header_len && !c->data_len)
		return 0;
	if (c->header != XP_NONE && read_header(d, c))
		return -1;
	/* So does what hands over the areas of a datagram. */
	if (c->opcode == XP_FRAGMENT && !c->data_len && c->header == XP_NONE && !c->reason)
		return 0;
	if (c->flags & XP_GAP) {
		event.length = c->gap;
		outcome_add(&d->told, &event, NULL);
		return 0;
	}
	if (c->data_len)
		return check_place(d, c) ? -1 : add_data(d, c, &event);
	outcome_add(&d->told, &event, NULL);
	return 0;
}

/* ---- events ---- */

static void event_text(const struct event *e, char *text, size_t size)
{
	int at = snprintf(text, size, "%s", xdplace_opcode_name(e->opcode));

	if (e->reason)
		at += snprintf(text + at, size - at, "/%s", xdplace_reason_name(e->reason));
	at += snprintf(text + at, size - at, "%s%s%s", e->flags & XP_CAUGHT_UP ? " caught-up" : "",
		       e->flags & XP_RELEASE_FLOW ? " end-of-flow" : "",
		       e->flags & XP_FRAME ? " frame" : "");
	if (e->flags & XP_GAP)
		snprintf(text + at, size - at, " gap of %u at %llu", e->length,
			 (unsigned long long)e->offset);
	else if (e->length)
		snprintf(text + at, size - at, " %u bytes at %llu", e->length,
			 (unsigned long long)e->offset);
}

/* Program and model name flows in their own ways: the first time that both do settles it. */
static int same_flow(struct driver *d, uint32_t ours, uint32_t theirs)
{
	uint32_t i, handle = theirs - 1;

	if (!ours || !theirs)
		return ours == theirs ? 0 : -1;
	if (ours >= d->handles)
		return -1;
	for (i = 1; d->handle[ours] == XP_NONE && i < d->handles; i++)
		if (d->handle[i] == handle)
			return -1;
	if (d->handle[ours] == XP_NONE)
		d->handle[ours] = handle;
	return d->handle[ours] == handle ? 0 : -1;
}

/* Where there is nothing to tell of, there is no place to tell it of. */
static bool has_offset(const struct event *e)
{
	return !(e->flags & XP_FRAME) &&
	       (e->length || e->reason == XP_R_RTP || e->flags & (XP_GAP | XP_RELEASE_FLOW));
}

static bool same_event(const struct event *a, const struct event *b)
{
	return a->opcode == b->opcode && a->reason == b->reason && a->flags == b->flags &&
	       a->length == b->length && (!has_offset(a) || a->offset == b->offset);
}

static int compare_bytes(struct driver *d, const struct event *ours, const struct event *theirs)
{
	uint32_t i;
	char text[200];

	if (ours->flags & XP_GAP || !ours->length ||
	    !memcmp(d->m.out.bytes + ours->bytes, d->told.bytes + theirs->bytes, ours->length))
		return 0;
	for (i = 0; d->m.out.bytes[ours->bytes + i] == d->told.bytes[theirs->bytes + i]; i++)
		;
	event_text(ours, text, sizeof(text));
	return differ(d, "%s: byte %u of them is %02x, should be %02x", text, i,
		      d->told.bytes[theirs->bytes + i], d->m.out.bytes[ours->bytes + i]);
}

static int compare_event(struct driver *d, size_t i)
{
	const struct event *ours = i < d->m.out.events ? &d->m.out.event[i] : NULL;
	const struct event *theirs = i < d->told.events ? &d->told.event[i] : NULL;
	char should[200] = "nothing", is[200] = "nothing";

	if (ours)
		event_text(ours, should, sizeof(should));
	if (theirs)
		event_text(theirs, is, sizeof(is));
	if (!ours || !theirs || !same_event(ours, theirs))
		return differ(d, "event %zu: told %s, should be %s", i, is, should);
	if (ours->lane != theirs->lane)
		return differ(d, "event %zu: %s is told in lane %u, should be %u", i, is,
			      theirs->lane, ours->lane);
	if (same_flow(d, ours->flow, theirs->flow))
		return differ(d, "event %zu: %s is told of handle %#x, of another flow", i, is,
			      theirs->flow - 1);
	return compare_bytes(d, ours, theirs);
}

int compare_events(struct driver *d)
{
	size_t i, n = d->m.out.events > d->told.events ? d->m.out.events : d->told.events;

	for (i = 0; i < n; i++)
		if (compare_event(d, i))
			return -1;
	if (d->told.header != d->m.out.header || d->headers > d->packets + d->part)
		return differ(d, "%u bytes of headers in %u cells, should be %u", d->told.header,
			      d->headers, d->m.out.header);
	if (memcmp(d->told.cells, d->m.out.cells, d->told.header))
		return differ(d, "the bytes in cells are not the frame's");
	return 0;
}

/* ---- counters ---- */

static const char *counter_name(size_t i)
{
	if (i < XP_OPCODE_COUNT)
		return xdplace_opcode_name(i);
	i -= XP_OPCODE_COUNT;
	if (i < XP_REASON_COUNT)
		return xdplace_reason_name(i);
	return i == XP_REASON_COUNT ? "placed_bytes" : "gap_bytes";
}

/* What is wrong in several ways may be called by any of them. */
static const uint8_t malformed[] = {
	XP_R_SHORT,	   XP_R_IP_HEADER, XP_R_IP_LENGTH, XP_R_EXT_HEADERS, XP_R_HEADER_LONG,
	XP_R_HEADER_SPLIT, XP_R_L4_HEADER, XP_R_TUNNEL,	   XP_R_FRAG_TINY,   XP_R_FRAG_LENGTH};

static struct xp_counters malformed_as_one(const struct xp_counters *counters)
{
	struct xp_counters one = *counters;
	uint64_t *reason = (uint64_t *)&one + XP_COUNTER_REASON;
	size_t i;

	for (i = 1; i < sizeof(malformed); i++) {
		reason[malformed[0]] += reason[malformed[i]];
		reason[malformed[i]] = 0;
	}
	return one;
}

int compare_counters(struct driver *d)
{
	struct xp_counters ours = malformed_as_one(&d->m.counters);
	struct xp_counters theirs = malformed_as_one(&d->counted);
	const uint64_t *is = (const uint64_t *)&theirs, *should = (const uint64_t *)&ours;
	size_t i, n = sizeof(ours) / sizeof(*is) - 1; /* wake-ups are not the model's */
	char text[300] = "";
	int at = 0;

	for (i = 0; i < n; i++)
		if (is[i] != should[i])
			at += snprintf(text + at, at < 250 ? 300 - at : 0, " %s by %lld",
				       counter_name(i), (long long)(is[i] - should[i]));
	return at ? differ(d, "counted too much:%s", text) : 0;
}

/* ---- flows ---- */

struct flow_list {
	struct driver *d;
	uint32_t count;
};

struct field {
	const char *name;
	uint64_t is;
	uint64_t should;
};

static int compare_fields(struct driver *d, const struct model_flow *f, const struct field *fields,
			  size_t count)
{
	char key[128] = "";
	size_t i;

	xdplace_key_format(&f->key, f->flags & XP_FLOW_V6, key, sizeof(key));
	for (i = 0; i < count; i++)
		if (fields[i].is != fields[i].should)
			return differ(d, "flow %s: %s is %llu, should be %llu", key, fields[i].name,
				      (unsigned long long)fields[i].is,
				      (unsigned long long)fields[i].should);
	return 0;
}

#define FLAGS                                                                                      \
	(XP_FLOW_TAKE | XP_FLOW_V6 | XP_FLOW_PICKED | XP_FLOW_FIN | XP_FLOW_OWN | XP_FLOW_ACKS |   \
	 XP_FLOW_RTP)

static int compare_flow(void *arg, const struct xp_flow *flow)
{
	struct flow_list *list = arg;
	struct driver *d = list->d;
	const struct model_flow *f = model_find(&d->m, &flow->key);
	uint32_t i, held = 0;

	list->count++;
	if (!f)
		return differ(d, "flow %#x: there should be none of its key", flow->handle);
	for (i = 0; !f->rtp && i < d->config->window; i++)
		held += f->held[i];
	const struct field fields[] = {
		{"handle", flow->handle, d->handle[f->id]},
		{"state", flow->state, f->state},
		{"flags", flow->flags & FLAGS, f->flags},
		{"lane", flow->lane, f->lane},
		{"edge", flow->edge, f->edge},
		{"next", f->rtp ? 0 : flow->next,
		 f->rtp || f->state == XP_FLOW_EXPECTED ? 0 : f->isn + (uint32_t)f->edge},
		{"source", f->rtp ? flow->rtp.ssrc : 0, f->rtp ? f->rtp->ssrc : 0},
		{"late", f->rtp ? flow->rtp.late : 0, f->rtp ? f->rtp->late : 0},
		{"slot", f->rtp ? flow->slot_shift : 0, f->rtp ? f->rtp->shift : 0},

		{"isn", flow->isn, f->isn},
		{"fin", f->flags & XP_FLOW_FIN ? flow->fin : 0, f->fin},
		{"ack", flow->ack, f->ack},
		{"packets", flow->packets, f->packets},
		{"bytes", flow->bytes, f->bytes},
		{"gap bytes", flow->gap_bytes, f->gap_bytes},
		{"gaps", flow->gaps, f->gaps},
		{"repeats", flow->repeats, f->repeats},
		{"earlies", f->shared ? 0 : flow->earlies, f->shared ? 0 : f->earlies},
		{"bad checksums", flow->bad_checksums, f->damaged},
		{"whole", flow->whole, f->whole},
		{"strays", flow->strays, f->strays},
		{"has holes", flow->early != XP_NONE, f->runs != 0},
		{"has an area", flow->early == XP_NONE && flow->area != XP_NONE && !f->shared,
		 !f->runs && held && !f->shared},
	};
	return compare_fields(d, f, fields, sizeof(fields) / sizeof(fields[0]));
}

int compare_flows(struct driver *d)
{
	struct flow_list list = {.d = d};
	int r = xdplace_flow_each(d->ctx, compare_flow, &list);

	if (r == -1)
		return -1;
	if (r)
		return differ(d, "%s", xdplace_error());
	if (list.count != d->m.flows)
		return differ(d, "%u flows, should be %u", list.count, d->m.flows);
	return 0;
}

/* ---- areas ---- */

int compare_own(struct driver *d)
{
	size_t i, bytes = d->umem_size - d->m.own_base;

	if (!d->config->own_areas || !memcmp(d->umem + d->m.own_base, d->m.own, bytes))
		return 0;
	for (i = 0; d->umem[d->m.own_base + i] == d->m.own[i]; i++)
		;
	return differ(d, "own areas: byte %zu is %02x, should be %02x", i,
		      d->umem[d->m.own_base + i], d->m.own[i]);
}

int compare_areas(struct driver *d)
{
	uint32_t kind[XP_AREA_KINDS], i = XP_AREA_HEADER;
	struct xdplace_audit audit;

	if (xdplace_audit(d->ctx, &audit))
		return differ(d, "%s", xdplace_error());
	if (audit.state[XDPLACE_AREA_LOST] || audit.state[XDPLACE_AREA_TWICE])
		return differ(d, "%u areas are lost, %u twice", audit.state[XDPLACE_AREA_LOST],
			      audit.state[XDPLACE_AREA_TWICE]);
	model_areas(&d->m, kind);
	/* How full each lane's are, chance decided; what flows had comes back with their end. */
	if (d->setup->pair)
		i = d->m.flows ? XP_AREA_KINDS : XP_AREA_REASSEMBLY;
	for (; i < XP_AREA_KINDS; i++)
		if (audit.kind[i] != kind[i])
			return differ(d, "%u %s areas in use, should be %u", audit.kind[i],
				      xdplace_area_kind_name(i), kind[i]);
	return 0;
}
