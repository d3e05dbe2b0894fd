/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * t_rtp.c - RTP packets in their slots: R15, and R3, R12, R17 for what they mean here.
 *
 * The tests keep all areas that are handed over, so that at the end of each (close_stand()) every
 * slot is looked at once more: the payload that was told, nothing behind it, and in slots that
 * were given up nothing at all. The requirements that a test shows stand in brackets above it.
 */
#include <errno.h>
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <bpf/bpf.h>

#include "context.h"
#include "stand.h"
#include "suites.h"

#define SLOT 1024u
#define PORT 5004	/* slots of 1024 bytes, a deadline that no test waits for */
#define HASTY_PORT 5006 /* a deadline of HASTY_MS */
#define TAKE_PORT 5008
#define HASTY_MS 30
#define SSRC 0x51ce0001u
#define KEPT 4096u /* numbers of one stream that are followed */

struct rtp {
	uint16_t seq;
	uint16_t len; /* of the media */
	uint32_t ssrc;
	uint8_t csrcs;
	uint8_t extension; /* words + 1, 0: none */
	uint8_t padding;   /* bytes */
	uint8_t lie;	   /* what the last byte of the padding says instead */
	uint8_t second;	   /* marker and payload type, 0: type 96 */
	uint8_t other;	   /* other bytes under the same number */
	uint16_t to;	   /* port, 0: PORT */
	uint16_t from;
	uint8_t v6;
	enum wrap wrap;
};
#define R(seq_, len_, ...)                                                                         \
	{                                                                                          \
		.seq = seq_, .len = len_, ##__VA_ARGS__                                            \
	}

struct rtp_want {
	uint8_t op; /* op-code + 1; 0: no more */
	uint8_t reason;
	uint8_t flags; /* without XP_MORE and those that hand over areas */
	uint64_t at;
	uint32_t len; /* bytes, or packets of a gap */
};
#define W(opcode, reason_, flags_, at_, len_)                                                      \
	{                                                                                          \
		1 + XP_##opcode, XP_R_##reason_, flags_, at_, len_                                 \
	}
#define STARTS(at, len) W(FIRST, RTP, 0, at, len)
#define NEXT(at, len) W(APPEND, RTP, 0, at, len)
#define AHEAD(at, len) W(EARLY, RTP, 0, at, len)
#define UP(at, len) W(APPEND, RTP, XP_CAUGHT_UP, at, len)
#define LOST(at, packets, reason) W(APPEND, reason, XP_GAP, at, packets)
#define WHOLE(reason) W(WHOLE, reason, 0, 0, 0)
#define RTP_WANTS 8

struct rtp_step {
	struct rtp in;
	struct rtp_want out[RTP_WANTS];
};

static struct frame work;
static struct xp_completion seen[XP_MIN_RING * 4];
static size_t polled; /* and not released */

/* What is known of each number of the stream of PORT: FILL bytes beyond `len` of its slot. */
static struct {
	enum { UNKNOWN, TOLD, GIVEN_UP } state;
	uint16_t len;
	uint8_t other;
} kept[KEPT];
static uint64_t kept_first;
static uint32_t kept_base[KEPT]; /* UMEM offset + 1 of the area that begins with this slot */
static uint32_t kept_ssrc;
static uint64_t told_next; /* number that must be told next, of the only stream */
static uint8_t told_other[KEPT];

/* ---- packets ---- */

static uint8_t media(uint32_t ssrc, uint16_t seq, uint8_t other, uint32_t i)
{
	return (ssrc ^ seq * 31u ^ other * 77u) + i * 7u + (i >> 8);
}

static uint32_t rtp_header(const struct rtp *r, uint8_t *b)
{
	uint32_t ssrc = r->ssrc ? r->ssrc : SSRC, n = 12 + 4u * r->csrcs;

	b[0] = 0x80 | (r->padding ? 0x20 : 0) | (r->extension ? 0x10 : 0) | r->csrcs;
	b[1] = r->second ? r->second : 96;
	b[2] = r->seq >> 8;
	b[3] = r->seq;
	memset(b + 4, 0x44, 4);
	b[8] = ssrc >> 24;
	b[9] = ssrc >> 16;
	b[10] = ssrc >> 8;
	b[11] = ssrc;
	if (!r->extension)
		return n;
	b[n + 2] = 0;
	b[n + 3] = r->extension - 1;
	return n + 4u * r->extension;
}

static void build(const struct rtp *r)
{
	struct packet p = {.udp = 1, .v6 = r->v6, .wrap = r->wrap, .port = r->from};
	uint32_t header = 12 + 4u * r->csrcs + 4u * r->extension, i;
	uint8_t *b;

	p.bob_port = r->to ? r->to : PORT;
	p.len = header + r->len + r->padding;
	packet_build(&p, &work);
	b = work.bytes + work.headers;
	rtp_header(r, b);
	for (i = 0; i < r->len; i++)
		b[header + i] = media(r->ssrc ? r->ssrc : SSRC, r->seq, r->other, i);
	if (r->padding)
		b[p.len - 1] = r->lie ? r->lie : r->padding;
	frame_fix_l4(&work);
}

static int feed(uint32_t lane, const struct rtp *r)
{
	build(r);
	told_other[r->seq % KEPT] = r->other;
	return stand_feed_frame(lane, work.bytes, work.len);
}

/* ---- completions ---- */

static bool in_sequence(const struct xp_completion *c)
{
	return c->reason == XP_R_RTP && c->opcode != XP_EARLY;
}

static void learn(const struct xp_completion *c)
{
	uint64_t i = c->offset - kept_first, per_area = 4096 / SLOT;
	uint32_t k;

	if (c->opcode == XP_FIRST || c->opcode == XP_REPLACE) {
		memset(kept, 0, sizeof(kept));
		memset(kept_base, 0, sizeof(kept_base));
		kept_first = told_next = c->offset;
		i = 0;
	}
	if (c->data_len && i < KEPT)
		kept_base[i - i % per_area] = 1 + (c->data & ~4095u);
	if (c->data_len && i < KEPT)
		ck_assert_uint_eq(c->data & 4095, i % per_area * SLOT);
	if (!in_sequence(c) && !(c->flags & XP_GAP))
		return;
	ck_assert_msg(c->offset == told_next, "%s: number %llu told, not %llu", stand.where,
		      (unsigned long long)c->offset, (unsigned long long)told_next);
	told_next += c->flags & XP_GAP ? c->gap : 1;
	for (k = 0; k < (c->flags & XP_GAP ? c->gap : 1) && i + k < KEPT; k++) {
		kept[i + k].state = c->flags & XP_GAP ? GIVEN_UP : TOLD;
		kept[i + k].len = c->flags & XP_GAP ? 0 : c->data_len;
		/* A packet caught up has the bytes it had when it came. */
		if (!(c->flags & XP_CAUGHT_UP))
			kept[i + k].other = told_other[c->offset % KEPT];
	}
}

static void note_early(const struct xp_completion *c)
{
	uint64_t i = c->offset - kept_first;

	if (c->opcode == XP_EARLY && i < KEPT)
		kept[i].other = told_other[c->offset % KEPT];
}

static void check_bytes(const struct xp_completion *c)
{
	uint64_t n = c->offset - kept_first;
	uint8_t other = n < KEPT ? kept[n].other : 0;
	uint32_t i;

	for (i = 0; i < c->data_len; i++)
		if (stand.umem[c->data + i] != media(kept_ssrc, (uint16_t)c->offset, other, i))
			ck_abort_msg("%s: number %llu: byte %u is wrong", stand.where,
				     (unsigned long long)c->offset, i);
}

static size_t poll_lane(uint32_t lane)
{
	int n = xdplace_lane_poll(stand.lane[lane], seen, sizeof(seen) / sizeof(seen[0]));
	int i;

	ck_assert_int_ge(n, 0);
	for (i = 0; i < n; i++) {
		if (seen[i].flags & XP_GAP)
			stand.gap_bytes += seen[i].gap * (uint64_t)SLOT;
		else if (seen[i].reason == XP_R_RTP && !(seen[i].flags & XP_CAUGHT_UP))
			stand.told_bytes += seen[i].data_len;
	}
	polled += n;
	return n;
}

/* Polled by the book-keeping of this file: each stream in order, all bytes right. */
static size_t follow(uint32_t lane)
{
	size_t i, n = poll_lane(lane);

	for (i = 0; i < n; i++) {
		if (seen[i].flow == XP_NONE)
			continue;
		note_early(&seen[i]);
		learn(&seen[i]);
		if (seen[i].reason == XP_R_RTP)
			check_bytes(&seen[i]);
	}
	return n;
}

static void release(uint32_t lane)
{
	ck_assert_int_eq(xdplace_lane_release(stand.lane[lane], polled), 0);
	polled = 0;
}

static const char *describe(const struct xp_completion *c)
{
	static char text[160];

	snprintf(text, sizeof(text), "%s/%s flags %02x number %llu length %u gap %u",
		 xdplace_opcode_name(c->opcode), xdplace_reason_name(c->reason), c->flags,
		 (unsigned long long)c->offset, c->data_len, c->gap);
	return text;
}

#define AREA_FLAGS (XP_MORE | XP_RELEASE_HEADER | XP_RELEASE_DATA | XP_RELEASE_DATA2 | XP_FRAME)

static void compare(const struct xp_completion *c, const struct rtp_want *w)
{
	ck_assert_msg(w->op, "%s: %s: one more than expected", stand.where, describe(c));
	ck_assert_msg(c->opcode == w->op - 1 && c->reason == w->reason &&
			      (c->flags & ~AREA_FLAGS) == w->flags,
		      "%s: %s, not %s/%s flags %02x", stand.where, describe(c),
		      xdplace_opcode_name(w->op - 1), xdplace_reason_name(w->reason), w->flags);
	if (c->opcode == XP_WHOLE || c->opcode == XP_FOREIGN || c->opcode == XP_REPEAT)
		return;
	ck_assert_msg(c->offset == w->at, "%s: %s, not number %llu", stand.where, describe(c),
		      (unsigned long long)w->at);
	ck_assert_msg((c->flags & XP_GAP ? c->gap : c->data_len) == w->len, "%s: %s, not %u",
		      stand.where, describe(c), w->len);
}

/* Of a packet that was placed the header ends with the RTP header. */
static void check_header(const struct xp_completion *c, const struct rtp *r)
{
	uint32_t len = work.headers + 12 + 4u * r->csrcs + 4u * r->extension;

	if (c->header == XP_NONE || c->reason != XP_R_RTP)
		return;
	ck_assert_uint_eq(c->header_len, len);
	ck_assert_mem_eq(stand.umem + c->header, work.bytes, len);
}

static void expect(uint32_t lane, const struct rtp *r, const struct rtp_want *want)
{
	size_t i, k = 0, n = poll_lane(lane);

	for (i = 0; i < n; i++) {
		if (seen[i].flow == XP_NONE && !seen[i].header_len && !seen[i].data_len)
			continue; /* only hands over cells */
		compare(&seen[i], &want[k++]);
		if (seen[i].flags & XP_RELEASE_FLOW)
			kept_ssrc = r && r->ssrc ? r->ssrc : SSRC;
		if (seen[i].flow == XP_NONE)
			continue;
		note_early(&seen[i]);
		learn(&seen[i]);
		if (seen[i].reason == XP_R_RTP)
			check_bytes(&seen[i]);
		if (r)
			check_header(&seen[i], r);
	}
	ck_assert_msg(k == RTP_WANTS || !want[k].op, "%s: %zu completions, then expected: %s",
		      stand.where, n, xdplace_opcode_name(want[k].op - 1));
}

static void run(const struct rtp_step *step)
{
	int action = feed(0, &step->in);

	ck_assert_int_eq(action, step->in.to == TAKE_PORT ? XDP_DROP : XDP_PASS);
	expect(0, &step->in, step->out);
}

static void run_table(const char *name, const struct rtp_step *steps, size_t count)
{
	static char row[80];
	size_t i;

	for (i = 0; i < count; i++) {
		snprintf(row, sizeof(row), "%s[%zu]", name, i);
		stand.where = row;
		run(&steps[i]);
	}
}
#define RUN(steps) run_table(#steps, steps, sizeof(steps) / sizeof((steps)[0]))

/* ---- opening and closing ---- */

static void rules(void)
{
	struct xp_rule rule[XP_MAX_RULES];
	int i, n = xdplace_rules(stand.ctx, rule, XP_MAX_RULES);

	for (i = 0; i < n; i++)
		xdplace_rule_del(stand.ctx, rule[i].id);
	stand_rule("tap udp dst port 5004 rtp slot 1024 deadline 30000");
	stand_rule("tap udp dst port 5006 rtp slot 1024 deadline 30");
	stand_rule("take udp dst port 5008 rtp slot 1024 deadline 30000");
}

static void begin(void)
{
	stand.anonymous = true;
	stand.where = "";
	polled = 0;
	kept_ssrc = SSRC;
	told_next = 0;
	memset(kept, 0, sizeof(kept));
	memset(kept_base, 0, sizeof(kept_base));
	memset(told_other, 0, sizeof(told_other));
}

static void setup(void)
{
	stand_setup();
	rules();
	begin();
}

static void open_stand(const struct xdplace_opts *opts)
{
	stand_open(opts);
	rules();
	begin();
}

/* One slot of the stream that was told last: what was told is still there, and nothing else. */
static void check_slot(uint64_t i)
{
	uint32_t base = kept_base[i - i % (4096 / SLOT)], k;
	const uint8_t *slot;

	if (kept[i].state == UNKNOWN || !base)
		return;
	slot = stand.umem + base - 1 + i % (4096 / SLOT) * SLOT;
	for (k = 0; k < SLOT; k++)
		if (slot[k] !=
		    (k < kept[i].len ? media(kept_ssrc, kept_first + i, kept[i].other, k) : FILL))
			ck_abort_msg("number %llu, %s: byte %u of its slot was written",
				     (unsigned long long)(kept_first + i),
				     kept[i].state == TOLD ? "told" : "given up", k);
}

static void check_slots(void)
{
	uint64_t i;

	for (i = 0; i < KEPT; i++)
		check_slot(i);
}

static void close_stand(void)
{
	uint32_t lane;
	int left;

	if (!stand.ctx)
		return;
	check_slots();
	stand_audit();
	for (lane = 0; lane < stand.config->lanes; lane++) {
		do {
			left = xdplace_lane_flush(stand.lane[lane]);
			poll_lane(lane);
			if (polled && stand.config->lanes == 1)
				release(0);
		} while (left > 0);
	}
	stand_audit();
	stand_close();
}

/* ---- order ---- */

/* Each packet in its slot, a completion for each, with the RTP header. [R15] */
START_TEST(rtp_in_order)
{
	static const struct rtp_step steps[] = {
		{R(100, 700), {STARTS(100, 700)}},
		{R(101, 1024), {NEXT(101, 1024)}},
		{R(102, 1, .second = 0xe0), {NEXT(102, 1)}},
		{R(103, 1000), {NEXT(103, 1000)}},
		{R(104, 160), {NEXT(104, 160)}},
	};

	RUN(steps);
	ck_assert_uint_eq(stand_counters().rtp, 5);
	ck_assert_uint_eq(kept_base[4] && kept_base[4] != kept_base[0], 1);
}
END_TEST

/* [R12 R15] */
START_TEST(rtp_early_and_caught_up)
{
	static const struct rtp_step steps[] = {
		{R(100, 10), {STARTS(100, 10)}},
		{R(103, 30), {AHEAD(103, 30)}},
		{R(102, 20), {AHEAD(102, 20)}},
		{R(106, 60), {AHEAD(106, 60)}},
		{R(101, 11), {NEXT(101, 11), UP(102, 20), UP(103, 30)}},
		{R(105, 50), {AHEAD(105, 50)}},
		{R(104, 40), {NEXT(104, 40), UP(105, 50), UP(106, 60)}},
		{R(107, 70), {NEXT(107, 70)}},
	};

	RUN(steps);
	ck_assert_uint_eq(stand_counters().gap_bytes, 0);
}
END_TEST

/* Nothing is placed twice, whatever the second one holds. [R12 R15] */
START_TEST(rtp_duplicates)
{
	static const struct rtp_step steps[] = {
		{R(100, 10), {STARTS(100, 10)}},
		{R(101, 10), {NEXT(101, 10)}},
		{R(101, 10), {W(REPEAT, REPEATED, 0, 0, 0)}},
		{R(100, 500), {W(REPEAT, REPEATED, 0, 0, 0)}},
		{R(103, 10), {AHEAD(103, 10)}},
	};
	static const struct rtp_step others[] = {
		{R(103, 900, .second = 98), {W(REPEAT, REPEATED, 0, 0, 0)}},
		{R(102, 10), {NEXT(102, 10), UP(103, 10)}},
	};

	RUN(steps);
	RUN(others);
	ck_assert_uint_eq(stand_counters().repeated, 3);
}
END_TEST

/* [R12 R15] */
START_TEST(rtp_numbers_wrap)
{
	static const struct rtp_step steps[] = {
		{R(65533, 10), {STARTS(65533, 10)}},
		{R(65534, 10), {NEXT(65534, 10)}},
		{R(0, 30), {AHEAD(65536, 30)}},
		{R(2, 32), {AHEAD(65538, 32)}},
		{R(65535, 20), {NEXT(65535, 20), UP(65536, 30)}},
		{R(65534, 10), {W(REPEAT, REPEATED, 0, 0, 0)}},
		{R(1, 31), {NEXT(65537, 31), UP(65538, 32)}},
		{R(3, 33), {NEXT(65539, 33)}},
	};

	RUN(steps);
}
END_TEST

/* Ten times round. [R12 R15] */
START_TEST(rtp_numbers_go_on)
{
	struct rtp r = {.seq = 1};
	uint32_t i;

	for (i = 0; i < 10 * 65536 / 2500; i++) {
		feed(0, &r);
		r.seq += 2500;
	}
	follow(0);
	ck_assert_uint_eq(told_next, 1 + (i - 1) * 2500 - 511);
}
END_TEST

/* The library's reader: media order, headers of early packets remembered, what is missing. [R15] */
START_TEST(rtp_reader)
{
	static struct xdplace_rtp reader;
	const struct rtp in[] = {R(65534, 9), R(1, 7, .second = 0xe1, .csrcs = 3, .extension = 4),
				 R(65535, 8), R(800, 5)};
	const struct {
		uint64_t number;
		uint32_t missing, len;
	} want[] = {{65534, 0, 9}, {65535, 0, 8}, {65536, 1, 0}, {65537, 0, 7}, {65538, 287, 0}};
	struct xdplace_rtp_packet packet;
	struct xdplace_rtp_header header;
	size_t i, k = 0, n;

	for (i = 0; i < sizeof(in) / sizeof(in[0]); i++)
		feed(0, &in[i]);
	n = poll_lane(0);
	for (i = 0; i < n; i++) {
		if (seen[i].opcode == XP_EARLY && seen[i].offset == 65537) {
			ck_assert_int_eq(xdplace_rtp_header(stand.ctx, &seen[i], &header), 0);
			ck_assert(header.csrcs == 3 && header.extension_len == 16 && header.marker);
		}
		if (!xdplace_rtp_read(&reader, stand.ctx, &seen[i], &packet))
			continue;
		ck_assert_uint_lt(k, sizeof(want) / sizeof(want[0]));
		ck_assert_uint_eq(packet.number, want[k].number);
		ck_assert_uint_eq(packet.missing, want[k].missing);
		ck_assert_uint_eq(packet.payload.iov_len, want[k].len);
		ck_assert(packet.header_known == !packet.missing);
		ck_assert(packet.missing ||
			  (packet.ssrc == SSRC && packet.timestamp == 0x44444444));
		ck_assert_int_eq(packet.marker, want[k++].number == 65537);
	}
	ck_assert_uint_eq(k, sizeof(want) / sizeof(want[0]));
}
END_TEST

/* A packet without media has its place too. [R15] */
START_TEST(rtp_empty_packets)
{
	static const struct rtp_step steps[] = {
		{R(7, 0), {STARTS(7, 0)}},
		{R(9, 0), {AHEAD(9, 0)}},
		{R(8, 0, .padding = 4), {NEXT(8, 0), UP(9, 0)}},
		{R(10, 5), {NEXT(10, 5)}},
		{R(11, 0), {NEXT(11, 0)}},
		{R(11, 0), {W(REPEAT, REPEATED, 0, 0, 0)}},
	};

	RUN(steps);
}
END_TEST

/* ---- deadlines ---- */

/* The next packet gives up what is past its deadline; what comes then is refused. [R13 R15] */
START_TEST(rtp_deadline_by_the_next_packet)
{
	static const struct rtp_step before[] = {
		{R(100, 10, .to = HASTY_PORT), {STARTS(100, 10)}},
		{R(103, 30, .to = HASTY_PORT), {AHEAD(103, 30)}},
	};
	static const struct rtp_step after[] = {
		{R(104, 40, .to = HASTY_PORT),
		 {LOST(101, 2, GAP_DEADLINE), UP(103, 30), NEXT(104, 40)}},
		{R(101, 1000, .to = HASTY_PORT), {WHOLE(LATE)}},
		{R(102, 1000, .to = HASTY_PORT), {WHOLE(LATE)}},
		{R(105, 50, .to = HASTY_PORT), {NEXT(105, 50)}},
	};

	RUN(before);
	stand_sleep_ms(2 * HASTY_MS);
	RUN(after);
	ck_assert_uint_eq(stand_counters().late, 2);
	ck_assert_uint_eq(stand_counters().gap_deadline, 1);
	ck_assert_uint_eq(stand_counters().gap_bytes, 2 * SLOT);
}
END_TEST

/* The missing packet itself, too late: it is given up, then refused. [R13 R15] */
START_TEST(rtp_deadline_by_the_late_packet)
{
	static const struct rtp_step before[] = {
		{R(100, 10, .to = HASTY_PORT), {STARTS(100, 10)}},
		{R(102, 20, .to = HASTY_PORT), {AHEAD(102, 20)}},
	};
	static const struct rtp_step after[] = {
		{R(101, 1000, .to = HASTY_PORT),
		 {LOST(101, 1, GAP_DEADLINE), UP(102, 20), WHOLE(LATE)}},
	};

	RUN(before);
	stand_sleep_ms(2 * HASTY_MS);
	RUN(after);
}
END_TEST

/* Without a further packet the consumer's housekeeping does it. [R13 R15] */
START_TEST(rtp_deadline_by_the_tick)
{
	static const struct rtp_step before[] = {
		{R(100, 10, .to = HASTY_PORT), {STARTS(100, 10)}},
		{R(102, 20, .to = HASTY_PORT), {AHEAD(102, 20)}},
		{R(104, 40, .to = HASTY_PORT), {AHEAD(104, 40)}},
	};
	static const struct rtp_want given_up[RTP_WANTS] = {
		LOST(101, 1, GAP_DEADLINE),
		UP(102, 20),
		LOST(103, 1, GAP_DEADLINE),
		UP(104, 40),
	};
	static const struct rtp_want nothing[RTP_WANTS];

	RUN(before);
	xdplace_lane_tick(stand.lane[0]);
	expect(0, NULL, nothing);
	stand_sleep_ms(2 * HASTY_MS);
	xdplace_lane_tick(stand.lane[0]);
	expect(0, NULL, given_up);
}
END_TEST

/* Holes do not wait for each other, nor are they given up together. [R13 R15] */
START_TEST(rtp_deadline_of_each_hole)
{
	static const struct rtp_step first[] = {
		{R(100, 10, .to = HASTY_PORT), {STARTS(100, 10)}},
		{R(102, 20, .to = HASTY_PORT), {AHEAD(102, 20)}},
	};
	static const struct rtp_step second[] = {
		{R(104, 40, .to = HASTY_PORT),
		 {LOST(101, 1, GAP_DEADLINE), UP(102, 20), AHEAD(104, 40)}},
		{R(103, 30, .to = HASTY_PORT), {NEXT(103, 30), UP(104, 40)}},
	};

	RUN(first);
	stand_sleep_ms(2 * HASTY_MS);
	RUN(second);
}
END_TEST

/* What came before the first packet was sent before it: there is no place for it. [R15] */
START_TEST(rtp_before_the_first)
{
	static const struct rtp_step steps[] = {
		{R(5, 10), {STARTS(5, 10)}},
		{R(4, 10), {WHOLE(LATE)}},
		{R(65535, 10), {WHOLE(LATE)}},
		{R(6, 10), {NEXT(6, 10)}},
	};

	RUN(steps);
}
END_TEST

/* ---- the window ---- */

/* The window is full: the oldest hole is given up. [R12 R13 R15] */
START_TEST(rtp_window_gives_up_the_oldest)
{
	struct rtp r = {.seq = 101, .len = 4};
	static const struct rtp_step first[] = {{R(99, 4), {STARTS(99, 4)}}};
	static const struct rtp_want lost[2] = {LOST(100, 1, GAP_WINDOW)};
	uint32_t i;

	RUN(first);
	for (; r.seq < 100 + XP_RTP_WINDOW; r.seq++)
		feed(0, &r);
	follow(0);
	ck_assert_uint_eq(told_next, 100);
	feed(0, &r);
	i = poll_lane(0);
	ck_assert_uint_eq(i, 1 + XP_RTP_WINDOW);
	compare(&seen[0], &lost[0]);
	ck_assert(seen[1].flags & XP_CAUGHT_UP && seen[1].offset == 101);
	ck_assert(seen[i - 1].opcode == XP_APPEND && seen[i - 1].offset == 100 + XP_RTP_WINDOW);
}
END_TEST

/* A jump beyond the window: the numbers within it stay open. [R13 R15] */
START_TEST(rtp_jump_beyond_the_window)
{
	static const struct rtp_step steps[] = {
		{R(100, 10), {STARTS(100, 10)}},
		{R(102, 10), {AHEAD(102, 10)}},
		{R(1102, 10),
		 {LOST(101, 1, GAP_WINDOW), UP(102, 10), LOST(103, 488, GAP_WINDOW),
		  AHEAD(1102, 10)}},
		{R(590, 10), {WHOLE(LATE)}},
		{R(591, 10), {NEXT(591, 10)}},
		{R(593, 10), {AHEAD(593, 10)}},
		{R(592, 10), {NEXT(592, 10), UP(593, 10)}},
	};

	RUN(steps);
}
END_TEST

/* The rarest packet: every other number of a full window is missing. [R13 R15] */
START_TEST(rtp_every_other_packet)
{
	struct rtp r = {.seq = 0, .len = 4};
	size_t n;

	for (; r.seq < XP_RTP_WINDOW + 1; r.seq += 2)
		feed(0, &r);
	follow(0);
	r.seq = 2000;
	feed(0, &r);
	n = follow(0);
	/* One gap and one packet for every two numbers, a long gap, and the packet. */
	ck_assert_uint_eq(n, XP_RTP_WINDOW + 2);
	ck_assert_uint_eq(stand_counters().gap_window, XP_RTP_WINDOW / 2 + 1);
}
END_TEST

/* ---- sources ---- */

/* One stray packet changes nothing. [R13 R15] */
START_TEST(rtp_stray_source)
{
	static const struct rtp_step steps[] = {
		{R(100, 10), {STARTS(100, 10)}},
		{R(500, 10, .ssrc = 7), {WHOLE(RTP_SOURCE)}},
		{R(101, 10), {NEXT(101, 10)}},
		{R(501, 10, .ssrc = 7), {WHOLE(RTP_SOURCE)}},
		{R(102, 10), {NEXT(102, 10)}},
		{R(102, 10, .ssrc = 8), {WHOLE(RTP_SOURCE)}},
		{R(104, 10, .ssrc = 8), {WHOLE(RTP_SOURCE)}},
		{R(103, 10), {NEXT(103, 10)}},
	};

	RUN(steps);
	ck_assert_uint_eq(stand_flows(), 1);
	ck_assert_uint_eq(stand_counters().rtp_source, 4);
}
END_TEST

/* Two in a row are believed: the old stream is told to its end, a new one begins. [R13 R15] */
START_TEST(rtp_another_source)
{
	static const struct rtp_step steps[] = {
		{R(100, 10), {STARTS(100, 10)}},
		{R(102, 20), {AHEAD(102, 20)}},
		{R(7, 70, .ssrc = 0xabcdef), {WHOLE(RTP_SOURCE)}},
		{R(8, 80, .ssrc = 0xabcdef),
		 {LOST(101, 1, NEW_SOURCE), UP(102, 20),
		  W(TEARDOWN, NEW_SOURCE, XP_RELEASE_FLOW, 103, 0), STARTS(8, 80)}},
		{R(9, 90, .ssrc = 0xabcdef), {NEXT(9, 90)}},
		{R(103, 10), {WHOLE(RTP_SOURCE)}},
		{R(10, 90, .ssrc = 0xabcdef), {NEXT(10, 90)}},
	};

	RUN(steps);
	ck_assert_uint_eq(stand_flows(), 1);
	ck_assert_uint_eq(stand_counters().new_source, 1);
}
END_TEST

/* The source has begun anew, with other numbers. [R13 R15] */
START_TEST(rtp_numbers_elsewhere)
{
	static const struct rtp_step steps[] = {
		{R(100, 10), {STARTS(100, 10)}},
		{R(30000, 10), {WHOLE(RTP_SOURCE)}},
		{R(101, 10), {NEXT(101, 10)}},
		{R(30001, 10), {WHOLE(RTP_SOURCE)}},
		{R(30002, 10),
		 {W(TEARDOWN, NEW_SOURCE, XP_RELEASE_FLOW, 102, 0), STARTS(30002, 10)}},
		{R(30003, 10), {NEXT(30003, 10)}},
	};

	RUN(steps);
}
END_TEST

/* ---- headers ---- */

/* [R1 R15] */
START_TEST(rtp_header_parts)
{
	static const struct rtp_step steps[] = {
		{R(1, 100, .csrcs = 15), {STARTS(1, 100)}},
		{R(2, 100, .extension = 1), {NEXT(2, 100)}},
		{R(3, 100, .csrcs = 3, .extension = 11), {NEXT(3, 100)}},
		{R(4, 100, .padding = 1), {NEXT(4, 100)}},
		{R(5, 100, .csrcs = 1, .extension = 2, .padding = 255), {NEXT(5, 100)}},
	};

	RUN(steps);
}
END_TEST

/* What says that it is longer than it is. [R1 R15] */
START_TEST(rtp_header_lies)
{
	static const struct rtp_step steps[] = {
		{R(1, 3, .padding = 1, .lie = 5), {WHOLE(RTP_HEADER)}},
		{R(1, 100), {STARTS(1, 100)}},
		{R(2, 100, .padding = 1, .lie = 102), {WHOLE(RTP_HEADER)}},
		{R(2, 100, .padding = 1, .lie = 255), {WHOLE(RTP_HEADER)}},
		{R(2, 100, .padding = 1, .lie = 101), {NEXT(2, 0)}},
		{R(3, 100), {NEXT(3, 100)}},
	};
	struct rtp r = R(4, 20);
	static const struct rtp_want whole[2] = {WHOLE(RTP_HEADER)};
	int i;

	RUN(steps);
	for (i = 0; i < 5; i++) {
		build(&r);
		if (i == 0)
			work.bytes[work.headers] = 0x40; /* version 1 */
		if (i == 1)
			work.bytes[work.headers] = 0x8f; /* 60 bytes of CSRCs in 20 */
		if (i == 2)
			work.bytes[work.headers] = 0x90; /* an extension of 0x.. words */
		if (i == 3)
			work.bytes[work.headers] = 0x9f; /* its first word beyond the end */
		if (i == 4)
			work.bytes[work.headers] = 0x00; /* STUN, RFC 8489 */
		frame_fix_l4(&work);
		stand_feed_frame(0, work.bytes, work.len);
		expect(0, NULL, whole);
	}
	ck_assert_uint_eq(stand_counters().rtp_header, 8);
}
END_TEST

/* Every truncation of the datagram, its lengths right. [R1 R15] */
START_TEST(rtp_truncated)
{
	struct rtp r = R(1, 0, .csrcs = 2, .extension = 3);
	struct packet p = {.udp = 1, .bob_port = PORT};
	uint8_t header[32] = {0};

	rtp_header(&r, header);
	for (p.len = 1; p.len < sizeof(header); p.len++) {
		packet_build(&p, &work);
		memcpy(work.bytes + work.headers, header, p.len);
		frame_fix_l4(&work);
		stand_feed_frame(0, work.bytes, work.len);
	}
	poll_lane(0);
	ck_assert_uint_eq(stand_counters().rtp_header, sizeof(header) - 1);
	ck_assert_uint_eq(stand_flows(), 0);
}
END_TEST

/* Headers that the completion could not name are not cut short. [R1 R15] */
START_TEST(rtp_header_too_long)
{
	static const struct rtp_step steps[] = {
		{R(1, 100), {STARTS(1, 100)}},
		{R(2, 100, .extension = 110), {NEXT(2, 100)}},
		{R(3, 100, .extension = 115), {WHOLE(HEADER_LONG)}},
		{R(3, 100), {NEXT(3, 100)}},
	};

	RUN(steps);
}
END_TEST

/* [R1 R15] */
START_TEST(rtcp_is_not_media)
{
	static const struct rtp_step steps[] = {
		{R(1, 20, .second = 200), {WHOLE(RTCP)}},
		{R(1, 100), {STARTS(1, 100)}},
		{R(2, 20, .second = 201), {WHOLE(RTCP)}},
		{R(2, 20, .second = 72), {WHOLE(RTCP)}},
		{R(2, 100), {NEXT(2, 100)}},
	};

	RUN(steps);
	ck_assert_uint_eq(stand_counters().rtcp, 3);
}
END_TEST

/* [R15] */
START_TEST(rtp_slot_too_small)
{
	static const struct rtp_step steps[] = {
		{R(1, 1025), {WHOLE(RTP_SLOT)}},
		{R(1, 1024), {STARTS(1, 1024)}},
		{R(2, 1025), {WHOLE(RTP_SLOT)}},
		{R(3, 1024, .padding = 200), {AHEAD(3, 1024)}},
		{R(2, 1024), {NEXT(2, 1024), UP(3, 1024)}},
	};

	RUN(steps);
}
END_TEST

/* A damaged packet is no media. [R1 R15] */
START_TEST(rtp_checksum)
{
	static const struct rtp_step steps[] = {{R(1, 100), {STARTS(1, 100)}}};
	static const struct rtp_want whole[2] = {WHOLE(CHECKSUM)};
	struct rtp r = R(2, 100);

	RUN(steps);
	build(&r);
	work.bytes[work.headers + 30] ^= 1;
	stand_feed_frame(0, work.bytes, work.len);
	expect(0, NULL, whole);
}
END_TEST

/* Whatever lies in front of it. [R1 R2 R15] */
START_TEST(rtp_in_all_networks)
{
	struct rtp r = {.len = 100};
	static struct rtp_want first[2], next[2];
	int i;

	for (i = 0; i < WRAP_COUNT * 2; i++) {
		r.wrap = i / 2;
		r.v6 = i & 1;
		r.seq = 10 * i + 1;
		r.from = 1000 + i;
		first[0] = (struct rtp_want)STARTS(r.seq, 100);
		next[0] = (struct rtp_want)NEXT(r.seq + 1u, 100);
		feed(0, &r);
		expect(0, &r, first);
		r.seq++;
		feed(0, &r);
		expect(0, &r, next);
	}
	ck_assert_uint_eq(stand_flows(), WRAP_COUNT * 2);
}
END_TEST

/* ---- rules, commands ---- */

/* What a rule takes the stack does not see, also when it is late, RTCP, or of nobody. [R15 R16] */
START_TEST(rtp_taken)
{
	static const struct rtp_step steps[] = {
		{R(1, 100, .to = TAKE_PORT), {STARTS(1, 100)}},
		{R(2, 100, .to = TAKE_PORT, .second = 200), {WHOLE(RTCP)}},
		{R(9, 100, .to = TAKE_PORT, .ssrc = 5), {WHOLE(RTP_SOURCE)}},
		{R(10, 100, .to = TAKE_PORT, .ssrc = 5),
		 {W(TEARDOWN, NEW_SOURCE, XP_RELEASE_FLOW, 2, 0), STARTS(10, 100)}},
		{R(9, 100, .to = TAKE_PORT, .ssrc = 5), {WHOLE(LATE)}},
	};

	RUN(steps);
}
END_TEST

/* The same sequence numbers on another key are another stream. [R2 R15] */
START_TEST(rtp_flows_side_by_side)
{
	struct rtp a = R(1, 10, .from = 1111), b = R(3, 10, .from = 2222);
	static const struct rtp_want a1[2] = {STARTS(1, 10)}, b3[2] = {STARTS(3, 10)};
	uint16_t i;

	feed(0, &a);
	expect(0, &a, a1);
	feed(0, &b);
	expect(0, &b, b3);
	for (i = 0; i < 500; i++) {
		a.seq++;
		b.seq += 2;
		feed(0, &a);
		feed(0, &b);
	}
	poll_lane(0);
	ck_assert_uint_eq(stand_counters().op_append, 500);
	ck_assert_uint_eq(stand_counters().op_early, 500);
	/* They were told of here, but followed nowhere. */
	begin();
	polled = 1002;
}
END_TEST

/* Rules are user space's: nonsense in one does no harm. [R8 R15] */
START_TEST(rtp_rules_of_nonsense)
{
	struct xp_rule rule;
	uint32_t half, i;
	struct rtp r = {.len = 60};

	ck_assert_int_eq(xdplace_rule_parse("tap udp", &rule, NULL), 0);
	for (i = 0; i < 64; i++) {
		rule.rtp = i * 0x04104105u;
		rule.id = 1;
		for (half = 0; half < 2 * XP_MAX_RULES; half += XP_MAX_RULES)
			ck_assert_int_eq(bpf_map_update_elem(stand.ctx->map[XP_MAP_RULES], &half,
							     &rule, BPF_ANY),
					 0);
		r.from = 1000 + i;
		r.seq = i;
		feed(0, &r);
		r.seq += 2;
		r.len = 1400;
		feed(0, &r);
		r.seq--;
		feed(0, &r);
		r.len = 60;
	}
	stand.told_bytes = stand_counters().placed_bytes;
	stand_audit();
	polled += xdplace_lane_poll(stand.lane[0], seen, sizeof(seen) / sizeof(seen[0]));
	begin();
	polled = 0;
	stand.broken = true; /* slots are of all sizes: sums in bytes are not known here */
}
END_TEST

static void rtp_key(const struct rtp *r, union xp_key *key)
{
	struct packet p = {.udp = 1, .v6 = r->v6, .port = r->from};

	p.bob_port = r->to ? r->to : PORT;
	packet_key(&p, key);
}

/* A flow by command, with an own area: slot behind slot in memory. [R10 R15] */
START_TEST(rtp_by_command_with_an_own_area)
{
	struct xdplace_opts opts = stand_opts();
	struct xdplace_flow_opts flow = {.size = sizeof(flow), .rtp = true, .slot = SLOT};
	struct rtp r = R(50, 10, .to = 7777);
	union xp_key key;
	uint32_t handle, i;
	int n;

	opts.own_size = 1 << 20;
	open_stand(&opts);
	stand.own_used = true;
	flow.own_length = 64 << 10;
	flow.own_address = (3 << 20) - 4096;
	rtp_key(&r, &key);
	ck_assert_msg(!xdplace_flow_add(stand.ctx, &key, false, &flow, &handle), "%s",
		      xdplace_error());
	for (i = 0; i < 100; i++) {
		r.seq = 50 + (i ^ 1);
		feed(0, &r);
	}
	n = poll_lane(0);
	for (i = 0; i < (uint32_t)n; i++)
		if (seen[i].reason == XP_R_RTP && seen[i].offset < 51 + 64)
			ck_assert_uint_eq(seen[i].data,
					  flow.own_address + (seen[i].offset - 51) * SLOT);
	ck_assert_uint_eq(stand_counters().op_early, 49);
	stand.told_bytes = stand_counters().placed_bytes;
}
END_TEST

/* [R15] */
START_TEST(rtp_commands_refused)
{
	struct xdplace_flow_opts flow = {.size = sizeof(flow), .rtp = true, .slot = 1500};
	struct rtp r = {.to = 7777};
	struct packet tcp = {.flags = SYN};
	struct xp_rule rule;
	union xp_key key;
	uint32_t handle;

	rtp_key(&r, &key);
	ck_assert_int_eq(xdplace_flow_add(stand.ctx, &key, false, &flow, &handle), -EINVAL);
	flow.slot = 8192; /* areas have 4096 */
	ck_assert_int_eq(xdplace_flow_add(stand.ctx, &key, false, &flow, &handle), -EINVAL);
	flow.slot = 0;
	flow.deadline_ms = XP_MAX_DEADLINE + 1;
	ck_assert_int_eq(xdplace_flow_add(stand.ctx, &key, false, &flow, &handle), -EINVAL);
	flow.deadline_ms = 0;
	packet_key(&tcp, &key);
	ck_assert_int_eq(xdplace_flow_add(stand.ctx, &key, false, &flow, &handle), -EINVAL);
	flow.rtp = false;
	flow.slot = 1024;
	ck_assert_int_eq(xdplace_flow_add(stand.ctx, &key, false, &flow, &handle), -EINVAL);
	ck_assert_int_eq(xdplace_rule_parse("rtp slot 8192", &rule, NULL), 0);
	ck_assert_int_eq(xdplace_rule_add(stand.ctx, &rule), -EINVAL);
	ck_assert_uint_eq(stand_flows(), 0);
}
END_TEST

/* ---- full ---- */

/* No block left: whole, by reason; with the end of a flow there is one again. [R3 R15] */
START_TEST(rtp_pool_full)
{
	struct xdplace_opts opts = stand_opts();
	struct xdplace_flow_opts flow = {.size = sizeof(flow), .rtp = true};
	struct rtp r = R(1, 10, .from = 1001);
	static const struct rtp_want first[2] = {STARTS(1, 10)}, full[2] = {WHOLE(RTP_FULL)};
	static const struct rtp_want end[2] = {W(TEARDOWN, DELETED, XP_RELEASE_FLOW, 2, 0)};
	union xp_key key;
	uint32_t handle;

	opts.rtp = 2;
	open_stand(&opts);
	feed(0, &r);
	expect(0, &r, first);
	r.from = 1002;
	feed(0, &r);
	expect(0, &r, first);
	r.from = 1003;
	feed(0, &r);
	expect(0, &r, full);
	rtp_key(&r, &key);
	ck_assert_int_eq(xdplace_flow_add(stand.ctx, &key, false, &flow, &handle), -ENOBUFS);
	ck_assert_uint_eq(stand_flows(), 2);
	r.from = 1002;
	rtp_key(&r, &key);
	ck_assert_int_eq(xdplace_flow_find(stand.ctx, &key, false, &handle), 0);
	ck_assert_int_eq(xdplace_flow_del(stand.ctx, handle), 0);
	expect(0, NULL, end);
	r.from = 1003;
	feed(0, &r);
	expect(0, &r, first);
	begin();
	polled = 5;
}
END_TEST

/* No flow goes for one that can not be set up. [R3 R15] */
START_TEST(rtp_table_full)
{
	struct xdplace_opts opts = stand_opts();
	struct rtp r = {.len = 10};
	uint32_t i;

	opts.flows = opts.early = opts.rtp = 8;
	open_stand(&opts);
	for (i = 0; i < 8; i++) {
		r.from = 2000 + i;
		r.seq = 1;
		feed(0, &r);
		r.seq = 3;
		feed(0, &r);
	}
	ck_assert_uint_eq(stand_counters().op_first, 8);
	r.from = 3000;
	feed(0, &r);
	ck_assert_uint_eq(stand_counters().rtp_full, 1);
	poll_lane(0);
}
END_TEST

/* No area: the packet is as good as lost, and fits in when it comes again. [R3 R15] */
START_TEST(rtp_no_area)
{
	struct xdplace_opts opts = stand_opts();
	struct rtp r = R(1, 1000);
	uint32_t i;
	int n;

	opts.umem_size = 1 << 20;
	open_stand(&opts);
	for (i = 0; i < 1200; i++, r.seq++)
		feed(0, &r);
	n = follow(0);
	ck_assert_uint_gt(stand_counters().no_area, 0);
	ck_assert_int_gt(n, 0);
	check_slots();
	memset(kept, 0, sizeof(kept)); /* areas are used again from here on */
	release(0);
	stand_audit();
	feed(0, &r);
	r.seq--;
	feed(0, &r);
	ck_assert_uint_gt(follow(0), 0);
	memset(kept, 0, sizeof(kept));
}
END_TEST

/* The ring is full: nothing is placed, nothing is lost but the packet. [R9 R15] */
START_TEST(rtp_ring_full)
{
	struct xdplace_opts opts = stand_opts();
	struct rtp r = R(1, 10);
	uint32_t i;

	opts.ring = XP_MIN_RING;
	open_stand(&opts);
	for (i = 0; i < 400; i++, r.seq++)
		feed(0, &r);
	ck_assert_uint_eq(stand_counters().ring_full, 400 - (XP_MIN_RING - XP_SLOW_ROOM + 1));
	follow(0);
	release(0);
	memset(kept, 0, sizeof(kept));
	feed(0, &r);
	follow(0);
	memset(kept, 0, sizeof(kept));
}
END_TEST

/* ---- lanes ---- */

/* Packets of one stream on two queues: one ring tells, in order. [R17 R15] */
START_TEST(rtp_on_two_lanes)
{
	struct xdplace_opts opts = stand_opts();
	struct rtp r = {.len = 500};
	uint32_t i;

	opts.lanes = 2;
	open_stand(&opts);
	for (i = 0; i < 400; i++) {
		r.seq = 10 + (i ? i ^ 1 : 0);
		if (i == 1)
			continue;
		feed(i & 1, &r);
	}
	ck_assert_int_eq(xdplace_lane_poll(stand.lane[1], seen, 1), 0);
	follow(0);
	ck_assert_uint_eq(told_next, 11); /* number 11 is the one left out */
	r.seq = 11;
	feed(1, &r);
	follow(0);
	ck_assert_uint_eq(told_next, 10 + 400);
	ck_assert_uint_eq(stand_counters().gap_bytes, 0);
	check_slots();
	memset(kept, 0, sizeof(kept));
	release(0);
}
END_TEST

/* ---- random ---- */

static uint64_t state = 88172645463325252ull;

static uint32_t below(uint32_t n)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (state >> 16) % n;
}

/* Loss, reordering, repetition with other bytes: each slot is written once at most. [R12 R15] */
START_TEST(rtp_random_schedule)
{
	uint16_t order[1200], t;
	bool sent[1200] = {false};
	struct rtp r = {0};
	uint32_t i, k, n = sizeof(order) / sizeof(order[0]);
	uint64_t placed;

	for (i = 0; i < n; i++)
		order[i] = 65000 + i;
	for (i = 1; i < n - 1; i++) {
		k = i + below(below(10) ? 3 : 300);
		if (k >= n)
			continue;
		t = order[i];
		order[i] = order[k];
		order[k] = t;
	}
	for (i = 0; i < n; i++) {
		sent[i] = !i || below(20);
		if (!sent[i])
			continue;
		r.seq = order[i];
		r.len = order[i] % 1025;
		r.other = 0;
		feed(0, &r);
		follow(0);
		/* One of the last again, with other bytes. */
		k = i - below(i < 400 ? i + 1 : 400);
		if (below(5) || !sent[k])
			continue;
		placed = stand_counters().placed_bytes;
		r.seq = order[k];
		r.len = below(1025);
		build(&r);
		memset(work.bytes + work.headers + 12, 0xee, r.len);
		frame_fix_l4(&work);
		stand_feed_frame(0, work.bytes, work.len);
		follow(0);
		ck_assert_uint_eq(stand_counters().placed_bytes, placed);
	}
	check_slots();
}
END_TEST

/* Random bytes behind the UDP header, and random bits of good packets. [R1 R15] */
START_TEST(rtp_hostile)
{
	struct xdplace_opts opts = stand_opts();
	struct rtp r = {0};
	uint32_t i, k;

	opts.own_size = 1 << 20;
	opts.flows = 64;
	opts.rtp = 16;
	open_stand(&opts);
	for (i = 0; i < 100000; i++) {
		r.seq = below(8) ? i : below(65536);
		r.len = below(1030);
		r.ssrc = below(50) ? 0 : below(4);
		r.csrcs = below(16);
		r.extension = below(3) ? 0 : below(40);
		r.padding = below(4) ? 0 : below(256);
		r.lie = below(4) ? 0 : below(256);
		r.from = 1000 + below(below(10) ? 4 : 100);
		r.to = below(2) ? PORT : HASTY_PORT;
		build(&r);
		for (k = below(3); k; k--)
			work.bytes[work.headers + below(40)] = below(256);
		frame_fix_l4(&work);
		stand_feed_frame(0, work.bytes, work.len);
		if (i % 128)
			continue;
		poll_lane(0);
		release(0);
	}
	poll_lane(0);
	release(0);
	stand_audit();
}
END_TEST

Suite *suite_rtp(void)
{
	Suite *suite = suite_create("rtp");
	TCase *tc = tcase_create("shared"), *own = tcase_create("own");

	tcase_set_timeout(tc, 60);
	tcase_add_unchecked_fixture(tc, stand_share, stand_unshare);
	tcase_add_checked_fixture(tc, setup, close_stand);
	tcase_add_test(tc, rtp_in_order);
	tcase_add_test(tc, rtp_early_and_caught_up);
	tcase_add_test(tc, rtp_duplicates);
	tcase_add_test(tc, rtp_numbers_wrap);
	tcase_add_test(tc, rtp_numbers_go_on);
	tcase_add_test(tc, rtp_reader);
	tcase_add_test(tc, rtp_empty_packets);
	tcase_add_test(tc, rtp_deadline_by_the_next_packet);
	tcase_add_test(tc, rtp_deadline_by_the_late_packet);
	tcase_add_test(tc, rtp_deadline_by_the_tick);
	tcase_add_test(tc, rtp_deadline_of_each_hole);
	tcase_add_test(tc, rtp_before_the_first);
	tcase_add_test(tc, rtp_window_gives_up_the_oldest);
	tcase_add_test(tc, rtp_jump_beyond_the_window);
	tcase_add_test(tc, rtp_every_other_packet);
	tcase_add_test(tc, rtp_stray_source);
	tcase_add_test(tc, rtp_another_source);
	tcase_add_test(tc, rtp_numbers_elsewhere);
	tcase_add_test(tc, rtp_header_parts);
	tcase_add_test(tc, rtp_header_lies);
	tcase_add_test(tc, rtp_truncated);
	tcase_add_test(tc, rtp_header_too_long);
	tcase_add_test(tc, rtcp_is_not_media);
	tcase_add_test(tc, rtp_slot_too_small);
	tcase_add_test(tc, rtp_checksum);
	tcase_add_test(tc, rtp_in_all_networks);
	tcase_add_test(tc, rtp_taken);
	tcase_add_test(tc, rtp_flows_side_by_side);
	tcase_add_test(tc, rtp_rules_of_nonsense);
	tcase_add_test(tc, rtp_commands_refused);
	tcase_add_test(tc, rtp_random_schedule);
	suite_add_tcase(suite, tc);

	tcase_set_timeout(own, 60);
	tcase_add_checked_fixture(own, NULL, close_stand);
	tcase_add_test(own, rtp_by_command_with_an_own_area);
	tcase_add_test(own, rtp_pool_full);
	tcase_add_test(own, rtp_table_full);
	tcase_add_test(own, rtp_no_area);
	tcase_add_test(own, rtp_ring_full);
	tcase_add_test(own, rtp_on_two_lanes);
	tcase_add_test(own, rtp_hostile);
	suite_add_tcase(suite, own);
	return suite;
}
