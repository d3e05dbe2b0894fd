/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * stand.c - see stand.h. Packets in, completions out, and a second opinion on all that the
 * requirements say of them; nothing here is taken from the program's own code.
 */
#include <check.h>
#include <errno.h>
#include <linux/bpf.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <bpf/bpf.h>

#include "context.h"
#include "out.h"
#include "stand.h"

struct stand stand;
static struct frame frame;
static struct xp_completion seen[XP_MIN_RING * 4];
static struct xdplace *shared; /* stand_share() */
static bool sends;	       /* stand_send() */

static size_t poll_all(uint32_t lane);
static void release_all(uint32_t lane, size_t n);

static const char *where(void)
{
	return stand.where ? stand.where : "";
}

/* ---- opening and closing ---- */

static void log_line(void *arg, enum xdplace_log_level level, const char *text)
{
	if (getenv("STAND_LOG"))
		fprintf(stderr, "%s\n", text);
}

struct xdplace_opts stand_opts(void)
{
	struct xdplace_opts opts = {
		.size = sizeof(opts),
		.umem_size = 4 << 20,
		.flows = 256,
		.early = 64,
		.lanes = 1,
		.ring = 4096,
		.no_selftest = true,
		.log = log_line,
		.egress = sends ? XP_EGRESS_AUTO : XP_EGRESS_OFF,
	};

	return opts;
}

void stand_rule(const char *text)
{
	struct xp_rule rule;
	size_t at = 0;

	ck_assert_msg(!xdplace_rule_parse(text, &rule, &at), "rule '%s': %s", text,
		      xdplace_error());
	ck_assert_msg(xdplace_rule_add(stand.ctx, &rule) > 0, "rule '%s': %s", text,
		      xdplace_error());
}

static void use_context(struct xdplace *ctx)
{
	uint32_t i;

	memset(&stand, 0, sizeof(stand));
	stand.action = XDP_PASS;
	stand.ctx = ctx;
	ck_assert_msg(stand.ctx != NULL, "open: %s", xdplace_error());
	stand.config = xdplace_config(stand.ctx);
	stand.umem = xdplace_umem(stand.ctx, &stand.umem_size);
	memset(stand.umem, FILL, stand.umem_size);
	for (i = 0; i < stand.config->lanes; i++) {
		stand.lane[i] = xdplace_lane_open(stand.ctx, i);
		ck_assert_msg(stand.lane[i] != NULL, "lane %u: %s", i, xdplace_error());
	}
}

void stand_open(const struct xdplace_opts *opts)
{
	struct xdplace_opts standard = stand_opts();

	use_context(xdplace_open(opts ? opts : &standard));
	if (!opts)
		stand_rule("tap stream any");
}

/* The test before may have failed: what it left goes, unseen. False: it left too much. */
static bool clean_up(void)
{
	struct xdplace_audit audit;
	size_t n;
	int left;

	do {
		left = xdplace_lane_flush(stand.lane[0]);
		n = poll_all(0);
		release_all(0, n);
	} while (left > 0 || n);
	stand.before = stand_counters();
	return !left && !xdplace_audit(stand.ctx, &audit) && !audit.state[XDPLACE_AREA_LOST] &&
	       !audit.state[XDPLACE_AREA_TWICE];
}

void stand_send(bool out)
{
	sends = out;
}

bool stand_sends(void)
{
	return sends;
}

void stand_share(void)
{
	int err = sends ? out_open() : 0;

	ck_assert_msg(!err, "namespace, tap, packet socket: %s", strerror(-err));
	stand_open(NULL);
	if (sends)
		ck_assert_msg(!out_attach(stand.ctx), "%s", xdplace_error());
	xdplace_lane_close(stand.lane[0]);
	shared = stand.ctx;
	stand.ctx = NULL;
}

void stand_unshare(void)
{
	xdplace_close(shared);
	shared = NULL;
	if (sends)
		ck_assert_int_eq(out_close(), 0);
}

void stand_setup(void)
{
	if (!shared) {
		stand_open(NULL);
		return;
	}
	use_context(shared);
	if (clean_up())
		return;
	xdplace_lane_close(stand.lane[0]);
	stand_open(NULL);
}

void stand_audit(void)
{
	struct xdplace_audit audit;

	ck_assert_msg(!xdplace_audit(stand.ctx, &audit), "audit: %s", xdplace_error());
	ck_assert_msg(!audit.state[XDPLACE_AREA_LOST] && !audit.state[XDPLACE_AREA_TWICE],
		      "%s: audit: %u areas lost, %u twice", where(), audit.state[XDPLACE_AREA_LOST],
		      audit.state[XDPLACE_AREA_TWICE]);
}

struct xp_counters stand_counters(void)
{
	struct xp_counters counters;
	size_t i;

	ck_assert_msg(!xdplace_stats(stand.ctx, XP_NONE, &counters), "%s", xdplace_error());
	for (i = 0; i < sizeof(counters) / sizeof(__u64); i++)
		((__u64 *)&counters)[i] -= ((__u64 *)&stand.before)[i];
	return counters;
}

static void check_counters(void)
{
	struct xp_counters counters = stand_counters();
	const __u64 *op = (const __u64 *)&counters;
	uint64_t packets = 0;
	int i;

	for (i = 0; i < XP_OPCODE_COUNT; i++)
		packets += op[i];
	ck_assert_msg(packets == stand.frames, "%llu packets have an op-code, %llu were run",
		      (unsigned long long)packets, (unsigned long long)stand.frames);
	ck_assert_msg(counters.placed_bytes == stand.told_bytes,
		      "placed_bytes is %llu, %llu bytes were told",
		      (unsigned long long)counters.placed_bytes,
		      (unsigned long long)stand.told_bytes);
	ck_assert_msg(counters.gap_bytes == stand.gap_bytes,
		      "gap_bytes is %llu, gaps of %llu bytes were told",
		      (unsigned long long)counters.gap_bytes, (unsigned long long)stand.gap_bytes);
}

/* Areas into which nothing may ever be placed still hold what they held. */
static void check_canaries(void)
{
	const struct xp_config *config = stand.config;
	uint32_t size = 1u << config->area_shift, area, first = stand.ctx->layout.usable;
	uint32_t i;

	for (area = 0; area < config->areas; area++) {
		if (area < first && !xp_area_guard(config, &stand.ctx->layout, area))
			continue;
		if (stand.own_used && area >= stand.ctx->layout.own && area < config->areas - 1)
			continue;
		for (i = 0; i < size; i++)
			if (stand.umem[(size_t)area * size + i] != FILL)
				ck_abort_msg(
					"area %u, where nothing may be placed, was written at %u",
					area, i);
	}
}

static void flush_all(void)
{
	uint32_t lane;
	int left;

	for (lane = 0; lane < stand.config->lanes; lane++) {
		do {
			left = xdplace_lane_flush(stand.lane[lane]);
			stand_drain(lane);
		} while (left > 0);
		ck_assert_msg(left == 0, "flush: %s", xdplace_error());
	}
}

static void stream_free(struct stream *s)
{
	free(s->early);
	free(s);
}

void stand_close(void)
{
	uint32_t i;

	if (!stand.ctx)
		return;
	stand.where = "at the end";
	check_canaries();
	if (!stand.broken) {
		for (i = 0; i < stand.config->lanes; i++)
			stand_drain(i);
		stand_audit();
		flush_all();
		stand_audit();
		check_counters();
	}
	for (i = 0; i < stand.config->lanes; i++)
		xdplace_lane_close(stand.lane[i]);
	if (stand.ctx != shared)
		xdplace_close(stand.ctx);
	stand.ctx = NULL;
	for (i = 0; i < stand.streams; i++)
		stream_free(stand.stream[i]);
	free(stand.start);
}

/* ---- streams ---- */

struct stream *stand_stream(const struct packet *p)
{
	uint32_t i;

	for (i = stand.streams; i; i--)
		if (packet_same_flow(&stand.stream[i - 1]->packet, p))
			return stand.stream[i - 1];
	return NULL;
}

static struct stream *stream_of(uint32_t handle)
{
	uint32_t i;

	for (i = stand.streams; i; i--)
		if (stand.stream[i - 1]->handle == handle)
			return stand.stream[i - 1];
	return NULL;
}

static struct stream *stream_new(uint32_t handle, const struct packet *p)
{
	struct stream *s = calloc(1, sizeof(*s));

	ck_assert(s != NULL && stand.streams < MAX_STREAMS);
	s->handle = handle;
	s->packet = *p;
	s->isn = p->seq + !!(p->flags & SYN);
	stand.stream[stand.streams++] = s;
	return s;
}

struct xp_flow stand_flow(const struct packet *p)
{
	struct xp_flow flow;
	union xp_key key;
	uint32_t handle;

	packet_key(p, &key);
	ck_assert_msg(!xdplace_flow_find(stand.ctx, &key, p->v6, &handle), "%s: %s", where(),
		      xdplace_error());
	ck_assert_msg(!xdplace_flow_get(stand.ctx, handle, &flow), "%s: %s", where(),
		      xdplace_error());
	return flow;
}

static int count_flow(void *arg, const struct xp_flow *flow)
{
	++*(unsigned *)arg;
	return 0;
}

unsigned stand_flows(void)
{
	unsigned n = 0;

	ck_assert_msg(!xdplace_flow_each(stand.ctx, count_flow, &n), "%s", xdplace_error());
	return n;
}

/* ---- one completion ---- */

static bool in_sequence_op(uint8_t opcode)
{
	return opcode == XP_APPEND || opcode == XP_LAST || opcode == XP_FIRST ||
	       opcode == XP_REPLACE;
}

static bool whole_op(uint8_t opcode)
{
	return opcode == XP_FOREIGN || opcode == XP_TEARDOWN || opcode == XP_WHOLE;
}

static uint32_t area_size(void)
{
	return 1u << stand.config->area_shift;
}

/* Where a byte of the completion's data is. */
static uint32_t place_of(const struct xp_completion *c, uint32_t i)
{
	uint32_t room = area_size() - (c->data & (area_size() - 1));

	return i < room ? c->data + i : c->data2 + (i - room);
}

static void check_bytes(const struct stream *s, const struct xp_completion *c, uint8_t salt)
{
	struct packet p = s->packet;
	uint32_t i, place;

	p.salt = salt;
	for (i = 0; i < c->data_len; i++) {
		place = place_of(c, i);
		if ((stand.moved ||
		     (place & (area_size() - 1)) == ((c->offset + i) & (area_size() - 1))) &&
		    (s->any_salt ||
		     stand.umem[place] == packet_byte(&p, s->isn + (uint32_t)c->offset + i)))
			continue;
		ck_abort_msg(
			"%s: wrong byte at stream offset %llu (of %u from %llu), %u in its area",
			where(), (unsigned long long)c->offset + i, c->data_len,
			(unsigned long long)c->offset, place & (area_size() - 1));
	}
}

static void told_early(struct stream *s, const struct xp_completion *c, uint8_t salt)
{
	uint32_t i;

	for (i = 0; i < s->early_count; i++)
		ck_assert_msg(c->offset >= s->early[i].at + s->early[i].len ||
				      c->offset + c->data_len <= s->early[i].at,
			      "%s: bytes at %llu are told early twice", where(),
			      (unsigned long long)c->offset);
	ck_assert_msg(c->offset > s->next, "%s: EARLY at %llu, the edge is at %llu", where(),
		      (unsigned long long)c->offset, (unsigned long long)s->next);
	if (s->early_count == s->early_room) {
		s->early_room = 2 * s->early_room + 64;
		s->early = realloc(s->early, s->early_room * sizeof(*s->early));
		ck_assert(s->early != NULL);
	}
	s->early[s->early_count].at = c->offset;
	s->early[s->early_count].len = c->data_len;
	s->early[s->early_count].place = c->data;
	s->early[s->early_count].salt = salt;
	s->early_count++;
	s->told += c->data_len;
}

/* Bytes caught up were told early, in one piece or several, and lie where they were. */
static void caught_up(struct stream *s, const struct xp_completion *c)
{
	uint64_t at = c->offset, end = c->offset + c->data_len;
	struct xp_completion part = *c;
	uint32_t i;

	while (at < end) {
		for (i = 0; i < s->early_count; i++)
			if (s->early[i].at <= at && at < s->early[i].at + s->early[i].len)
				break;
		ck_assert_msg(i < s->early_count, "%s: caught up at %llu, never told early",
			      where(), (unsigned long long)at);
		ck_assert_msg(s->early[i].place + (at - s->early[i].at) ==
				      c->data + (at - c->offset),
			      "%s: caught up at %llu, but in another place", where(),
			      (unsigned long long)at);
		part.offset = at;
		part.data = c->data + (at - c->offset);
		part.data_len = s->early[i].at + s->early[i].len - at;
		if (part.data_len > end - at)
			part.data_len = end - at;
		check_bytes(s, &part, s->early[i].salt);
		at += part.data_len;
	}
	/* Forget what is passed, so that it can not be caught up again. */
	for (i = 0; i < s->early_count;) {
		if (s->early[i].at + s->early[i].len <= end)
			s->early[i] = s->early[--s->early_count];
		else
			i++;
	}
}

static void check_order(struct stream *s, const struct xp_completion *c, uint8_t salt)
{
	/* Stragglers still name their flow; its stream is over. */
	ck_assert_msg(!s->ended || (!(c->flags & (XP_GAP | XP_RELEASE_FLOW)) &&
				    (!c->data_len || c->flags & XP_FRAME)),
		      "%s: %s told of a flow that has ended", where(),
		      xdplace_opcode_name(c->opcode));
	if (c->flags & XP_GAP) {
		ck_assert_msg(c->offset == s->next, "%s: gap at %llu, the edge is at %llu", where(),
			      (unsigned long long)c->offset, (unsigned long long)s->next);
		s->next += c->gap;
		s->gaps += c->gap;
	} else if (c->opcode == XP_EARLY && c->data_len && !(c->flags & XP_FRAME)) {
		told_early(s, c, salt);
		check_bytes(s, c, salt);
	} else if (in_sequence_op(c->opcode) && c->data_len) {
		ck_assert_msg(c->offset == s->next, "%s: %s at %llu, the edge is at %llu", where(),
			      xdplace_opcode_name(c->opcode), (unsigned long long)c->offset,
			      (unsigned long long)s->next);
		if (c->flags & XP_CAUGHT_UP) {
			caught_up(s, c);
		} else {
			check_bytes(s, c, salt);
			s->told += c->data_len;
		}
		s->next += c->data_len;
	}
	if (c->flags & XP_RELEASE_FLOW)
		s->ended = true;
}

/*
 * An area is handed over with its last byte, or with the end of its flow; never before, never
 * later. Own areas never are.
 */
static void check_release(const struct xp_completion *c)
{
	uint32_t size = area_size(), end = (c->data & (size - 1)) + c->data_len, want = 0;
	uint64_t own = (uint64_t)stand.ctx->layout.own << stand.config->area_shift;

	if (c->flags & (XP_GAP | XP_FRAME) || !c->data_len || !in_sequence_op(c->opcode))
		return;
	if (stand.moved) /* whole areas, or parts of them: the audit tells */
		return;
	if (c->data >= own) {
		ck_assert_msg(!(c->flags & XP_RELEASE_DATA), "%s: own area released", where());
		return;
	}
	if (end >= size || (c->flags & XP_RELEASE_FLOW && end < size))
		want |= XP_RELEASE_DATA;
	ck_assert_msg((c->flags & XP_RELEASE_DATA) == want,
		      "%s: %s of %u bytes at %u of an area: data area released %d", where(),
		      xdplace_opcode_name(c->opcode), c->data_len, c->data & (size - 1),
		      !!(c->flags & XP_RELEASE_DATA));
	if (end >= 2 * size)
		ck_assert_msg(c->flags & XP_RELEASE_DATA2, "%s: full second area not released",
			      where());
}

static void check_fields(uint32_t lane, const struct xp_completion *c)
{
	ck_assert_msg(c->opcode < XP_OPCODE_COUNT && c->reason < XP_REASON_COUNT && c->lane == lane,
		      "%s: op-code %u, reason %u, lane %u", where(), c->opcode, c->reason, c->lane);
	if (c->header == XP_NONE)
		ck_assert_msg(!c->header_len, "%s: no header, but %u bytes", where(),
			      c->header_len);
	else
		ck_assert_msg((c->header & (XP_CELL - 1)) == XP_PAD ||
				      (c->flags & XP_RELEASE_HEADER && !c->header_len),
			      "%s: header at %u of its cell", where(), c->header & (XP_CELL - 1));
	if (c->data_len)
		ck_assert_msg(c->data < stand.umem_size, "%s: data at %u", where(), c->data);
	if (c->data_len && (c->data & (area_size() - 1)) + c->data_len > area_size())
		ck_assert_msg(c->data2 != XP_NONE && !(c->data2 & (area_size() - 1)),
			      "%s: %u bytes at %u, second area %u", where(), c->data_len, c->data,
			      c->data2);
}

static void add_up(const struct xp_completion *c)
{
	if (c->flags & XP_GAP)
		stand.gap_bytes += c->gap;
	else if ((in_sequence_op(c->opcode) || c->opcode == XP_EARLY) &&
		 !(c->flags & (XP_FRAME | XP_CAUGHT_UP)))
		stand.told_bytes += c->data_len;
}

/* Whose flow a handle is that no completion has named yet: by its key, among the packets fed. */
static struct stream *stream_find(uint32_t handle)
{
	struct xp_flow flow;
	union xp_key key;
	uint32_t i;

	if (xdplace_flow_get(stand.ctx, handle, &flow))
		return NULL;
	/* Most likely the one just fed: it may be a pick-up, whose number no SYN tells. */
	packet_key(&stand.last, &key);
	if (!memcmp(&key, &flow.key, sizeof(key)))
		return stream_new(handle, &stand.last);
	for (i = 0; i < stand.starts; i++) {
		packet_key(&stand.start[i], &key);
		if (!memcmp(&key, &flow.key, sizeof(key)))
			return stream_new(handle, &stand.start[i]);
	}
	return NULL;
}

/* All that holds of a completion, whatever was expected. */
static void check_completion(uint32_t lane, const struct xp_completion *c, uint8_t salt)
{
	struct stream *s;

	check_fields(lane, c);
	add_up(c);
	if (stand.each)
		stand.each(c);
	if (c->flow == XP_NONE || stand.anonymous)
		return;
	s = stream_of(c->flow);
	if (!s)
		s = stream_find(c->flow);
	if (!s)
		return;
	check_order(s, c, salt);
	check_release(c);
}

/* ---- a packet's completions ---- */

static uint32_t expected_header(uint8_t opcode)
{
	uint32_t ip = frame.headers + frame.payload;

	if (!whole_op(opcode))
		return frame.headers;
	return ip < stand.config->threshold ? ip : 0;
}

/* One completion of a packet names its header, or its frame holds all of it. */
static void check_header(const struct xp_completion *c, const struct want *w)
{
	uint32_t len = expected_header(c->opcode), cell = c->header - XP_PAD, l3;
	uint32_t cells = (XP_PAD + len + XP_CELL - 1) / XP_CELL;
	uint32_t last = ((cell & (area_size() - 1)) / XP_CELL + cells) == area_size() / XP_CELL;

	ck_assert_msg(!w->no_header && len, "%s: a header nobody expects", where());
	ck_assert_msg(c->header_len == len, "%s: %s names %u bytes of header, not %u", where(),
		      xdplace_opcode_name(c->opcode), c->header_len, len);
	ck_assert_msg(!memcmp(stand.umem + c->header, frame.bytes, len),
		      "%s: header bytes differ from the frame's", where());
	l3 = c->header + frame.l3;
	ck_assert_msg((frame.l3 & 3) != 2 || !(l3 & 3), "%s: network header at %u: not aligned",
		      where(), l3);
	ck_assert_msg(!!(c->flags & XP_RELEASE_HEADER) == last,
		      "%s: header in cell %u of its area: released %d", where(),
		      (cell & (area_size() - 1)) / XP_CELL, !!(c->flags & XP_RELEASE_HEADER));
}

static uint32_t wanted_flow(const struct packet *p, const struct xp_completion *c,
			    const struct want *w)
{
	struct stream *s;

	if (w->no_flow || w->op == 1 + XP_FOREIGN)
		return XP_NONE;
	if ((c->opcode == XP_FIRST || c->opcode == XP_REPLACE) && !stream_of(c->flow) &&
	    !(c->flags & XP_GAP))
		stream_new(c->flow, p);
	if (w->flow)
		return w->flow <= stand.streams ? stand.stream[w->flow - 1]->handle : XP_NONE;
	s = stand_stream(p);
	return s ? s->handle : XP_NONE;
}

static void check_frame_piece(const struct xp_completion *c, uint32_t *done)
{
	uint32_t ip = frame.headers + frame.payload;

	ck_assert_msg((c->data & 63) == XP_PAD, "%s: frame at %u", where(), c->data);
	ck_assert_msg(*done + c->data_len <= ip, "%s: more of the frame than there is", where());
	ck_assert_msg(!memcmp(stand.umem + c->data, frame.bytes + *done, c->data_len),
		      "%s: bytes of the frame differ", where());
	*done += c->data_len;
}

static const char *describe(const struct xp_completion *c)
{
	static char text[200];

	snprintf(text, sizeof(text),
		 "%s/%s flags %02x flow %x offset %llu header %x+%u data %x+%u data2 %x",
		 xdplace_opcode_name(c->opcode), xdplace_reason_name(c->reason), c->flags, c->flow,
		 (unsigned long long)c->offset, c->header, c->header_len, c->data, c->data_len,
		 c->data2);
	return text;
}

#define FOLLOWS (XP_MORE | XP_RELEASE_HEADER | XP_FRAME | XP_RELEASE_DATA | XP_RELEASE_DATA2)

static void compare(const struct packet *p, const struct xp_completion *c, const struct want *w)
{
	uint32_t flow = wanted_flow(p, c, w);

	ck_assert_msg(c->opcode == w->op - 1, "%s: %s, not %s", where(), describe(c),
		      xdplace_opcode_name(w->op - 1));
	ck_assert_msg(c->reason == w->reason, "%s: %s: reason not %s", where(), describe(c),
		      xdplace_reason_name(w->reason));
	ck_assert_msg(c->flow == flow, "%s: %s: flow not %x", where(), describe(c), flow);
	ck_assert_msg((c->flags & ~FOLLOWS) == (w->gap ? w->flags | XP_GAP : w->flags),
		      "%s: %s: flags not %02x", where(), describe(c), w->flags);
	if (c->flags & XP_FRAME)
		return;
	/* Without data, without a gap and before its end a stream has no place to tell. */
	if (!c->data_len && !(c->flags & (XP_GAP | XP_RELEASE_FLOW)) && !w->at)
		return;
	ck_assert_msg(c->offset == w->at, "%s: %s: offset not %llu", where(), describe(c),
		      (unsigned long long)w->at);
	ck_assert_msg(c->data_len == w->len, "%s: %s: length not %u", where(), describe(c), w->len);
	if (w->gap)
		ck_assert_msg(c->gap == w->gap, "%s: %s: gap not %u", where(), describe(c), w->gap);
}

/* What hands over an area of headers whose last cells were too few stands alone. */
static bool only_hands_over(const struct xp_completion *c)
{
	return c->flags & XP_RELEASE_HEADER && !c->header_len && !c->data_len;
}

static size_t poll_all(uint32_t lane)
{
	int n = xdplace_lane_poll(stand.lane[lane], seen, sizeof(seen) / sizeof(seen[0]));

	ck_assert_msg(n >= 0, "poll: %s", xdplace_error());
	return n;
}

static void release_all(uint32_t lane, size_t n)
{
	ck_assert_msg(!xdplace_lane_release(stand.lane[lane], n), "%s", xdplace_error());
}

static void check_more(size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		ck_assert_msg(!!(seen[i].flags & XP_MORE) == (i + 1 < n),
			      "%s: completion %zu of %zu: MORE is %d", where(), i, n,
			      !!(seen[i].flags & XP_MORE));
}

static void expect(uint32_t lane, const struct packet *p, const struct want *want, bool packet)
{
	uint32_t done = 0, k = 0, of_frame = 0;
	bool header = !packet || want[0].no_header || !want[0].op;
	size_t i, n = poll_all(lane);

	if (packet)
		check_more(n);
	for (i = 0; i < n; i++) {
		if (only_hands_over(&seen[i]))
			continue;
		ck_assert_msg(k < WANTS && want[k].op, "%s: %s: one more than expected", where(),
			      describe(&seen[i]));
		compare(p, &seen[i], &want[k]);
		check_completion(lane, &seen[i], want[k].salt);
		if (packet && seen[i].header != XP_NONE) {
			ck_assert_msg(!header || want[0].no_header, "%s: a second header", where());
			check_header(&seen[i], &want[k]);
			header = true;
		}
		if (seen[i].flags & XP_FRAME) {
			of_frame = frame.headers + frame.payload;
			check_frame_piece(&seen[i], &done);
			header = true;
		}
		/* A large frame is as many completions as it has pieces: one row for all. */
		if (!(seen[i].flags & XP_FRAME) || done == of_frame)
			k++;
	}
	ck_assert_msg(k == WANTS || !want[k].op, "%s: %zu completions, then expected: %s", where(),
		      n, xdplace_opcode_name(want[k].op - 1));
	ck_assert_msg(header, "%s: no completion names the packet's header", where());
	release_all(lane, n);
}

void stand_run(uint32_t lane, const struct packet *p, const struct want *want)
{
	int action = stand_feed(lane, p);

	ck_assert_msg(action == stand.action, "%s: XDP action %d, not %d", where(), action,
		      stand.action);
	expect(lane, p, want, true);
}

void stand_expect(uint32_t lane, const struct packet *p, const struct want *want)
{
	expect(lane, p, want, false);
}

void stand_table(const char *name, const struct step *steps, size_t count)
{
	static char row[80];
	size_t i;

	for (i = 0; i < count; i++) {
		snprintf(row, sizeof(row), "%s[%zu]", name, i);
		stand.where = row;
		stand_run(0, &steps[i].in, steps[i].out);
	}
	stand.where = NULL;
}

/* Nothing is kept from the wire. */
static int send_frame(const void *bytes, size_t len)
{
	int err = out_send(bytes, len, NULL);

	ck_assert_msg(!err, "%s: send %zu bytes: %s", where(), len, strerror(-err));
	return XDP_PASS;
}

int stand_feed_frame(uint32_t lane, const void *bytes, size_t len)
{
	bool out = sends && stand.ctx == shared;
	int action = out ? send_frame(bytes, len) : xdplace_run(stand.ctx, lane, bytes, len);

	ck_assert_msg(action >= 0, "%s: run: %s", where(), xdplace_error());
	stand.frames++;
	return action;
}

/* The packet that a flow began with, or began again with. */
static void remember_start(const struct packet *p)
{
	uint32_t i;

	for (i = 0; i < stand.starts; i++)
		if (packet_same_flow(&stand.start[i], p))
			break;
	if (i < stand.starts && !(p->flags & SYN))
		return;
	if (i == stand.starts) {
		stand.start = realloc(stand.start, (i + 1) * sizeof(*stand.start));
		ck_assert(stand.start != NULL);
		stand.starts++;
	}
	stand.start[i] = *p;
}

void stand_known(uint32_t handle, const struct packet *p)
{
	stream_new(handle, p);
}

void stand_of(const struct packet *p)
{
	remember_start(p);
	stand.salt = p->salt;
	stand.last = *p;
}

int stand_feed(uint32_t lane, const struct packet *p)
{
	stand_of(p);
	packet_build(p, &frame);
	return stand_feed_frame(lane, frame.bytes, frame.len);
}

size_t stand_drain(uint32_t lane)
{
	size_t i, n, all = 0;

	do {
		n = poll_all(lane);
		for (i = 0; i < n; i++)
			check_completion(lane, &seen[i], stand.salt);
		release_all(lane, n);
		all += n;
	} while (n);
	return all;
}

void stand_sleep_ms(unsigned ms)
{
	struct timespec time = {ms / 1000, ms % 1000 * 1000000L};

	nanosleep(&time, NULL);
}

static atomic_bool moving;
static pthread_t mover;

static void *move_lanes(void *arg)
{
	struct xp_port port = {.ifindex = 1, .lanes = 1};
	uint32_t key = 1;

	while (moving) {
		port.lane = !port.lane;
		bpf_map_update_elem(stand.ctx->map[XP_MAP_PORTS], &key, &port, 0);
	}
	return NULL;
}

void stand_move(bool on)
{
	moving = on;
	if (on)
		ck_assert_int_eq(pthread_create(&mover, NULL, move_lanes, NULL), 0);
	else
		pthread_join(mover, NULL);
}
