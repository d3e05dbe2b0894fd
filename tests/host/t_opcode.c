/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * t_opcode.c - the op-code decisions as tables: what is known of the flow, what the packet says,
 * what is decided [R3 R4 R12 R13 R15].
 */
#include <string.h>

#pragma GCC diagnostic ignored "-Wunknown-pragmas" /* unroll is for clang */
#include "opcode.h"
#include "suites.h"

#define FIN XP_TCP_FIN
#define SYN XP_TCP_SYN
#define RST XP_TCP_RST
#define ACK XP_TCP_ACK
#define WINDOW 65536u
#define NEXT 1000u /* sequence number at the edge */
#define EDGE 500u  /* stream offset of the edge */

struct row {
	const char *name;
	/* the flow */
	__u8 state; /* 0: open */
	__u8 holes; /* it has some */
	__u8 strays;
	__u32 fin; /* stream offset of a FIN already seen, 0: none */
	/* the packet */
	__u8 flags;
	__u32 seq;
	__u32 payload;
	/* the decision */
	__u32 opcode;
	__u32 reason;
	__u64 offset;
	__u32 length;
	__u32 skip;
	__u8 sees_fin, give_up, jump, stray;
};

static const struct row rows[] = {
	{.name = "next",
	 .flags = ACK,
	 .seq = NEXT,
	 .payload = 10,
	 .opcode = XP_APPEND,
	 .offset = EDGE,
	 .length = 10},
	{.name = "next and last",
	 .flags = ACK | FIN,
	 .seq = NEXT,
	 .payload = 10,
	 .opcode = XP_APPEND,
	 .offset = EDGE,
	 .length = 10,
	 .sees_fin = 1},
	{.name = "bare FIN",
	 .flags = ACK | FIN,
	 .seq = NEXT,
	 .opcode = XP_APPEND,
	 .offset = EDGE,
	 .sees_fin = 1},
	{.name = "bare ACK", .flags = ACK, .seq = NEXT, .opcode = XP_NODATA},
	{.name = "bare ACK far away", .flags = ACK, .seq = NEXT + 0x60000000, .opcode = XP_NODATA},
	{.name = "early",
	 .flags = ACK,
	 .seq = NEXT + 1,
	 .payload = 10,
	 .opcode = XP_EARLY,
	 .offset = EDGE + 1,
	 .length = 10},
	{.name = "early FIN",
	 .flags = ACK | FIN,
	 .seq = NEXT + 9,
	 .opcode = XP_EARLY,
	 .offset = EDGE + 9,
	 .sees_fin = 1},
	{.name = "up to the window's end",
	 .flags = ACK,
	 .seq = NEXT + WINDOW - 10,
	 .payload = 10,
	 .opcode = XP_EARLY,
	 .offset = EDGE + WINDOW - 10,
	 .length = 10},
	{.name = "beyond the window's end",
	 .flags = ACK,
	 .seq = NEXT + WINDOW - 9,
	 .payload = 10,
	 .opcode = XP_WHOLE,
	 .reason = XP_R_OUT_OF_WINDOW,
	 .offset = EDGE + WINDOW - 9,
	 .length = 10,
	 .stray = 1},
	{.name = "beyond the window's end, holes",
	 .holes = 1,
	 .flags = ACK,
	 .seq = NEXT + WINDOW - 9,
	 .payload = 10,
	 .opcode = XP_EARLY,
	 .offset = EDGE + WINDOW - 9,
	 .length = 10,
	 .give_up = 1},
	{.name = "beyond twice the window, holes",
	 .holes = 1,
	 .flags = ACK,
	 .seq = NEXT + 2 * WINDOW + 1,
	 .payload = 10,
	 .opcode = XP_WHOLE,
	 .reason = XP_R_OUT_OF_WINDOW,
	 .offset = EDGE + 2 * WINDOW + 1,
	 .length = 10,
	 .stray = 1},
	{.name = "second stray",
	 .strays = 1,
	 .flags = ACK,
	 .seq = NEXT + (1 << 20),
	 .payload = 10,
	 .opcode = XP_WHOLE,
	 .reason = XP_R_OUT_OF_WINDOW,
	 .offset = EDGE + (1 << 20),
	 .length = 10,
	 .stray = 1},
	{.name = "third stray",
	 .strays = 2,
	 .flags = ACK,
	 .seq = NEXT + (1 << 20),
	 .payload = 10,
	 .opcode = XP_APPEND,
	 .offset = EDGE + (1 << 20),
	 .length = 10,
	 .stray = 1,
	 .jump = 1},
	{.name = "third stray, too far",
	 .strays = 2,
	 .flags = ACK,
	 .seq = NEXT + (1 << 30),
	 .payload = 10,
	 .opcode = XP_TEARDOWN,
	 .reason = XP_R_LOST_SYNC,
	 .offset = EDGE + (1 << 30),
	 .length = 10,
	 .stray = 1},
	{.name = "all old",
	 .flags = ACK,
	 .seq = NEXT - 10,
	 .payload = 10,
	 .opcode = XP_REPEAT,
	 .reason = XP_R_REPEATED},
	{.name = "far behind",
	 .flags = ACK,
	 .seq = NEXT - (1 << 26) - 10,
	 .payload = 10,
	 .opcode = XP_REPEAT,
	 .reason = XP_R_REPEATED},
	{.name = "too far behind",
	 .flags = ACK,
	 .seq = NEXT - (1 << 26) - 11,
	 .payload = 10,
	 .opcode = XP_WHOLE,
	 .reason = XP_R_OUT_OF_WINDOW,
	 .stray = 1},
	{.name = "too far behind, the third",
	 .strays = 2,
	 .flags = ACK,
	 .seq = NEXT - 0x40000000,
	 .payload = 10,
	 .opcode = XP_TEARDOWN,
	 .reason = XP_R_LOST_SYNC,
	 .stray = 1},
	{.name = "partly old",
	 .flags = ACK,
	 .seq = NEXT - 4,
	 .payload = 10,
	 .opcode = XP_APPEND,
	 .offset = EDGE,
	 .length = 6,
	 .skip = 4},
	{.name = "old data, new FIN",
	 .flags = ACK | FIN,
	 .seq = NEXT - 10,
	 .payload = 10,
	 .opcode = XP_APPEND,
	 .offset = EDGE,
	 .skip = 10,
	 .sees_fin = 1},
	{.name = "old data, old FIN",
	 .flags = ACK | FIN,
	 .seq = NEXT - 11,
	 .payload = 10,
	 .opcode = XP_REPEAT,
	 .reason = XP_R_REPEATED},
	{.name = "SYN with the next data",
	 .flags = SYN,
	 .seq = NEXT - 1,
	 .payload = 10,
	 .opcode = XP_APPEND,
	 .offset = EDGE,
	 .length = 10},
	{.name = "SYN again", .flags = SYN, .seq = NEXT - 1, .opcode = XP_NODATA},
	{.name = "behind the FIN",
	 .fin = EDGE + 20,
	 .flags = ACK,
	 .seq = NEXT + 20,
	 .payload = 10,
	 .opcode = XP_WHOLE,
	 .reason = XP_R_CLOSED,
	 .offset = EDGE + 20,
	 .length = 10},
	{.name = "reaches beyond the FIN",
	 .fin = EDGE + 20,
	 .flags = ACK | FIN,
	 .seq = NEXT + 15,
	 .payload = 10,
	 .opcode = XP_EARLY,
	 .offset = EDGE + 15,
	 .length = 5},
	{.name = "up to the FIN",
	 .fin = EDGE + 20,
	 .flags = ACK,
	 .seq = NEXT,
	 .payload = 20,
	 .opcode = XP_APPEND,
	 .offset = EDGE,
	 .length = 20},
	{.name = "closed, new data",
	 .state = XP_FLOW_CLOSED,
	 .flags = ACK,
	 .seq = NEXT,
	 .payload = 10,
	 .opcode = XP_WHOLE,
	 .reason = XP_R_CLOSED},
	{.name = "closed, old data",
	 .state = XP_FLOW_CLOSED,
	 .flags = ACK,
	 .seq = NEXT - 10,
	 .payload = 10,
	 .opcode = XP_REPEAT,
	 .reason = XP_R_REPEATED},
	{.name = "closed, ACK",
	 .state = XP_FLOW_CLOSED,
	 .flags = ACK,
	 .seq = NEXT + 1,
	 .opcode = XP_NODATA},
	{.name = "closed, RST",
	 .state = XP_FLOW_CLOSED,
	 .flags = RST,
	 .seq = NEXT + 1,
	 .opcode = XP_NODATA,
	 .reason = XP_R_CLOSED},
	{.name = "RST at the edge",
	 .flags = RST,
	 .seq = NEXT,
	 .opcode = XP_TEARDOWN,
	 .reason = XP_R_RESET},
	{.name = "RST at the window's end",
	 .flags = RST | ACK,
	 .seq = NEXT + WINDOW - 1,
	 .opcode = XP_TEARDOWN,
	 .reason = XP_R_RESET},
	{.name = "RST beyond the window",
	 .flags = RST,
	 .seq = NEXT + WINDOW,
	 .opcode = XP_NODATA,
	 .reason = XP_R_RST_WINDOW},
	{.name = "RST behind the edge",
	 .flags = RST,
	 .seq = NEXT - 1,
	 .opcode = XP_NODATA,
	 .reason = XP_R_RST_WINDOW},
};

static struct xp_packet packet_of(const struct row *row, __u32 shift)
{
	struct xp_packet p;

	memset(&p, 0, sizeof(p));
	p.proto = IPPROTO_TCP;
	p.tcp_flags = row->flags;
	p.seq = row->seq + shift;
	p.payload = row->payload;
	return p;
}

static struct xp_flow flow_of(const struct row *row, __u32 shift)
{
	struct xp_flow f;

	memset(&f, 0, sizeof(f));
	f.state = row->state ? row->state : XP_FLOW_OPEN;
	f.edge = EDGE;
	f.next = NEXT + shift;
	f.early = row->holes ? 0 : XP_NONE;
	f.strays = row->strays;
	f.fin = row->fin;
	f.flags = row->fin ? XP_FLOW_FIN : 0;
	return f;
}

/* Sequence numbers wrap: the same decision wherever the stream is. */
static void decide_at(const struct row *row, __u32 shift)
{
	struct xp_packet p = packet_of(row, shift);
	struct xp_flow f = flow_of(row, shift);
	struct xp_decision d;
	int reassembly;

	memset(&d, 0, sizeof(d));
	xp_decide(&f, &p, WINDOW, &d);
	ck_assert_msg(d.opcode == row->opcode, "%s: op-code %u", row->name, d.opcode);
	ck_assert_msg(d.reason == row->reason, "%s: reason %u", row->name, d.reason);
	ck_assert_msg(d.give_up == row->give_up && d.jump == row->jump && d.stray == row->stray,
		      "%s: give_up %u jump %u stray %u", row->name, d.give_up, d.jump, d.stray);
	reassembly = xp_opcode_areas(d.opcode) == XP_TO_REASSEMBLY;
	if (!reassembly)
		return;
	ck_assert_msg(d.offset == row->offset && d.length == row->length && d.skip == row->skip,
		      "%s: offset %llu length %u skip %u", row->name, (unsigned long long)d.offset,
		      d.length, d.skip);
	ck_assert_msg(!!d.fin == row->sees_fin, "%s: fin %u", row->name, d.fin);
}

START_TEST(tcp_decisions)
{
	static const __u32 shifts[] = {0, 0x7ffffc00, 0x80000000, -NEXT, -NEXT - 5, -NEXT - 20};
	int i;

	for (i = 0; i < COUNT(shifts); i++)
		decide_at(&rows[_i], shifts[i]);
}
END_TEST

START_TEST(udp_decisions)
{
	struct xp_packet p = {.proto = IPPROTO_UDP, .payload = 100};
	struct xp_flow f = {.state = XP_FLOW_OPEN, .edge = EDGE, .early = XP_NONE};
	struct xp_decision d = {0};

	xp_decide(&f, &p, WINDOW, &d);
	ck_assert_uint_eq(d.opcode, XP_APPEND);
	ck_assert_uint_eq(d.offset, EDGE);
	ck_assert_uint_eq(d.length, 100);
	memset(&d, 0, sizeof(d));
	p.payload = 0;
	xp_decide(&f, &p, WINDOW, &d);
	ck_assert_uint_eq(d.opcode, XP_NODATA);
}
END_TEST

static const struct {
	const char *name;
	__u8 proto;
	__u8 flags;
	__u32 payload;
	int with_pickup, without;
} eligible[] = {
	{"SYN", IPPROTO_TCP, SYN, 0, 1, 1},
	{"SYN with data", IPPROTO_TCP, SYN, 9, 1, 1},
	{"SYN+ACK", IPPROTO_TCP, SYN | ACK, 0, 1, 1},
	{"data", IPPROTO_TCP, ACK, 9, 1, 0},
	{"data and FIN", IPPROTO_TCP, ACK | FIN, 9, 1, 0},
	{"ACK", IPPROTO_TCP, ACK, 0, 0, 0},
	{"FIN", IPPROTO_TCP, ACK | FIN, 0, 0, 0},
	{"RST", IPPROTO_TCP, RST, 0, 0, 0},
	{"RST with data", IPPROTO_TCP, RST, 9, 0, 0},
	{"SYN and RST", IPPROTO_TCP, SYN | RST, 0, 0, 0},
	{"datagram", IPPROTO_UDP, 0, 9, 1, 1},
	{"empty datagram", IPPROTO_UDP, 0, 0, 0, 0},
};

START_TEST(who_may_set_up_a_flow)
{
	struct xp_packet p = {.proto = eligible[_i].proto,
			      .tcp_flags = eligible[_i].flags,
			      .payload = eligible[_i].payload};

	ck_assert_msg(!!xp_eligible(&p, 1) == eligible[_i].with_pickup, "%s", eligible[_i].name);
	ck_assert_msg(!!xp_eligible(&p, 0) == eligible[_i].without, "%s", eligible[_i].name);
}
END_TEST

START_TEST(which_syn_starts_anew)
{
	struct xp_flow f = {.state = XP_FLOW_OPEN, .isn = NEXT};
	struct xp_packet p = {.proto = IPPROTO_TCP, .tcp_flags = SYN, .seq = NEXT - 1};

	ck_assert(!xp_starts_anew(&f, &p));
	p.seq = NEXT;
	ck_assert(xp_starts_anew(&f, &p));
	f.state = XP_FLOW_CLOSED;
	ck_assert(xp_starts_anew(&f, &p));
	p.tcp_flags = SYN | RST;
	ck_assert(!xp_starts_anew(&f, &p));
	p.tcp_flags = ACK;
	ck_assert(!xp_starts_anew(&f, &p));
	p.tcp_flags = SYN;
	f.state = XP_FLOW_EXPECTED;
	ck_assert(!xp_starts_anew(&f, &p));
}
END_TEST

/* R13: a third segment in a row from elsewhere. */
START_TEST(which_segment_is_of_another_stream)
{
	struct xp_flow f = {.state = XP_FLOW_OPEN, .next = NEXT, .strays = 2};
	struct xp_packet p = {.proto = IPPROTO_TCP, .tcp_flags = ACK, .payload = 10};

	p.seq = NEXT + (1 << 30);
	ck_assert(xp_went_elsewhere(&f, &p));
	p.seq--;
	ck_assert(!xp_went_elsewhere(&f, &p));
	p.seq = NEXT - (1 << 26) - 10;
	ck_assert(!xp_went_elsewhere(&f, &p));
	p.seq--;
	ck_assert(xp_went_elsewhere(&f, &p));
	p.tcp_flags = RST;
	ck_assert(!xp_went_elsewhere(&f, &p));
	p.tcp_flags = ACK;
	p.payload = 0;
	ck_assert(!xp_went_elsewhere(&f, &p));
	p.payload = 10;
	f.strays = 1;
	ck_assert(!xp_went_elsewhere(&f, &p));
	f.strays = 2;
	f.state = XP_FLOW_CLOSED;
	ck_assert(!xp_went_elsewhere(&f, &p));
}
END_TEST

/* R4: areas by op-code alone. */
START_TEST(areas_by_opcode)
{
	static const enum xp_where where[XP_OPCODE_COUNT] = {
		[XP_FOREIGN] = XP_TO_WHOLE,	  [XP_NODATA] = XP_TO_HYBRID,
		[XP_TEARDOWN] = XP_TO_WHOLE,	  [XP_WHOLE] = XP_TO_WHOLE,
		[XP_APPEND] = XP_TO_REASSEMBLY,	  [XP_LAST] = XP_TO_REASSEMBLY,
		[XP_FIRST] = XP_TO_REASSEMBLY,	  [XP_REPLACE] = XP_TO_REASSEMBLY,
		[XP_EARLY] = XP_TO_REASSEMBLY,	  [XP_REPEAT] = XP_TO_HYBRID,
		[XP_FRAGMENT] = XP_TO_REASSEMBLY, [XP_TAGGED] = XP_TO_REASSEMBLY,
		[XP_STALE] = XP_TO_HYBRID,
	};
	unsigned op;

	for (op = 0; op < XP_OPCODE_COUNT; op++)
		ck_assert_int_eq(xp_opcode_areas(op), where[op]);
	ck_assert_int_eq(xp_opcode_areas(XP_OPCODE_COUNT), XP_TO_NOTHING);
}
END_TEST

Suite *suite_opcode(void)
{
	Suite *suite = suite_create("opcode");
	TCase *tc = tcase_create("decisions");

	tcase_add_loop_test(tc, tcp_decisions, 0, COUNT(rows));
	tcase_add_test(tc, udp_decisions);
	tcase_add_loop_test(tc, who_may_set_up_a_flow, 0, COUNT(eligible));
	tcase_add_test(tc, which_syn_starts_anew);
	tcase_add_test(tc, which_segment_is_of_another_stream);
	tcase_add_test(tc, areas_by_opcode);
	suite_add_tcase(suite, tc);
	return suite;
}
