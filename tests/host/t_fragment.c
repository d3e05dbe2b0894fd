/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * t_fragment.c - what a fragment is to its datagram: the bits for units against a map with a list
 * of fragments [R14].
 */
#include <string.h>

#pragma GCC diagnostic ignored "-Wunknown-pragmas" /* unroll is for clang */
#include "fragment.h"
#include "suites.h"

#define HEADER 20u /* of IPv4 */
#define UDP 8u

static struct xp_datagram datagram;

static struct part {
	__u32 at, bytes;
	int last;
} parts[8192];
static __u32 part_count;
static unsigned char map[65536]; /* 1: has come */

static __u32 state = 2463534242u;

static __u32 random_below(__u32 n)
{
	state ^= state << 13;
	state ^= state >> 17;
	state ^= state << 5;
	return state % n;
}

static void start(void)
{
	memset(&datagram, 0, sizeof(datagram));
	memset(map, 0, sizeof(map));
	part_count = 0;
}

static struct xp_packet fragment(__u32 at, __u32 bytes, int last)
{
	struct xp_packet p = {.l3 = 54, .base = 54 + HEADER, .data = 54 + HEADER, .at = at};

	p.fragment = last ? XP_PART : XP_PART | XP_PART_MORE;
	if (!at && bytes >= UDP)
		p.data += UDP;
	p.payload = bytes - (p.data - p.base);
	return p;
}

static enum xp_part_is judge(const struct xp_packet *p, struct xp_span *s)
{
	__u32 i;

	xp_span_of(s, p->at, xp_fragment_bytes(p));
	for (i = 0; i < XP_UNIT_WORDS && !xp_span_look(&datagram, s, i); i++)
		;
	return xp_part_judge(&datagram, s, p);
}

/* Take what is new, as the program does; each piece in one area, each byte once. */
static void take(const struct xp_packet *p, const struct xp_span *s, __u32 area)
{
	struct xp_taking t = {.at = s->first, .past = s->past};
	enum xp_take r;
	__u32 u, steps = 0;

	xp_part_note(&datagram, s, p);
	while ((r = xp_units_take(&datagram, &t, area)) != XP_TAKE_DONE) {
		if (++steps > 4 * XP_UNIT_WORDS * 64)
			ck_abort_msg("it never ends");
		if (r != XP_TAKE_PIECE)
			continue;
		if (t.run * XP_UNIT / area != (t.at * XP_UNIT - 1) / area)
			ck_abort_msg("a piece lies in two areas");
		for (u = t.run * XP_UNIT; u < t.at * XP_UNIT; u++) {
			if (map[u]) /* each assertion is a system call: not one for each byte */
				ck_abort_msg("byte %u is taken twice", u);
			map[u] = 1;
		}
		t.open = 0;
	}
	for (u = s->first * XP_UNIT; u < s->past * XP_UNIT; u++)
		if (!map[u])
			ck_abort_msg("byte %u was left out", u);
}

static enum xp_part_is add(__u32 at, __u32 bytes, int last)
{
	struct xp_packet p = fragment(at, bytes, last);
	struct xp_span s;
	enum xp_part_is is;

	ck_assert_uint_eq(xp_fragment_fault(&p), XP_R_OK);
	is = judge(&p, &s);
	if (is == XP_PART_NEW)
		take(&p, &s, 4096);
	return is;
}

/* In any order of the parts the datagram is whole with the last to come, not before. */
START_TEST(every_order_of_four)
{
	static const struct part four[] = {
		{0, 1480, 0}, {1480, 1480, 0}, {2960, 8, 0}, {2968, 3, 1}};
	int order[4] = {_i % 4, _i / 4 % 4, _i / 16 % 4, _i / 64};
	int i, seen = 0;

	for (i = 0; i < 4; i++)
		seen |= 1 << order[i];
	if (seen != 15)
		return;
	start();
	for (i = 0; i < 4; i++) {
		ck_assert(!xp_datagram_whole(&datagram));
		ck_assert_int_eq(add(four[order[i]].at, four[order[i]].bytes, four[order[i]].last),
				 XP_PART_NEW);
	}
	ck_assert(xp_datagram_whole(&datagram));
	ck_assert_uint_eq(datagram.total, 2971);
}
END_TEST

/* As many as fit, and none costs more steps than another. */
START_TEST(most_fragments)
{
	__u32 i;

	start();
	for (i = 0; i < 8189; i++) {
		ck_assert(!xp_datagram_whole(&datagram));
		ck_assert_int_eq(add(i * 8, 8, i == 8188), XP_PART_NEW);
	}
	ck_assert(xp_datagram_whole(&datagram));
	ck_assert_uint_eq(datagram.total, 65512);
}
END_TEST

START_TEST(exact_repeat_is_no_overlap)
{
	start();
	ck_assert_int_eq(add(1480, 1480, 0), XP_PART_NEW);
	ck_assert_int_eq(add(1480, 1480, 0), XP_PART_REPEAT);
	ck_assert_int_eq(add(2960, 100, 1), XP_PART_NEW);
	ck_assert_int_eq(add(1480, 1480, 0), XP_PART_REPEAT);
	ck_assert_int_eq(add(2960, 100, 1), XP_PART_REPEAT);
	ck_assert_int_eq(add(0, 1480, 0), XP_PART_NEW);
	ck_assert_int_eq(add(0, 1480, 0), XP_PART_REPEAT);
	ck_assert(xp_datagram_whole(&datagram));
}
END_TEST

START_TEST(overlaps)
{
	start();
	ck_assert_int_eq(add(800, 800, 0), XP_PART_NEW);
	ck_assert_int_eq(add(1600, 800, 0), XP_PART_NEW);
	ck_assert_int_eq(add(800, 792, 0), XP_PART_OVERLAP);  /* shorter */
	ck_assert_int_eq(add(800, 808, 0), XP_PART_OVERLAP);  /* longer */
	ck_assert_int_eq(add(808, 792, 0), XP_PART_OVERLAP);  /* the end of one */
	ck_assert_int_eq(add(800, 1600, 0), XP_PART_OVERLAP); /* two at once */
	ck_assert_int_eq(add(792, 16, 0), XP_PART_OVERLAP);   /* before and into */
	ck_assert_int_eq(add(0, 808, 0), XP_PART_OVERLAP);    /* the first, behind its header */
	ck_assert_int_eq(add(80, 4000, 1), XP_PART_OVERLAP);  /* over all */
}
END_TEST

/* Ends that contradict each other, headers that came in two ways: no rule lets them pass. */
START_TEST(disputes)
{
	start();
	ck_assert_int_eq(add(800, 801, 1), XP_PART_NEW);
	ck_assert_int_eq(add(800, 800, 1), XP_PART_DISPUTE); /* another end */
	ck_assert_int_eq(add(1608, 8, 1), XP_PART_DISPUTE);  /* a later one */
	ck_assert_int_eq(add(1600, 8, 0), XP_PART_DISPUTE);  /* beyond the end */
	ck_assert_int_eq(add(16, 16, 1), XP_PART_DISPUTE);   /* before what has come */
	start();
	ck_assert_int_eq(add(8, 8, 0), XP_PART_NEW);
	ck_assert_int_eq(add(0, 16, 0), XP_PART_OVERLAP); /* UDP's header is not touched */
	start();
	ck_assert_int_eq(add(16, 8, 0), XP_PART_NEW);
	{
		struct xp_packet tcp = fragment(0, 32, 0);
		struct xp_span s;

		tcp.data = tcp.base + 20;
		tcp.payload = 12;
		ck_assert_int_eq(judge(&tcp, &s), XP_PART_DISPUTE); /* TCP's is */
	}
	start();
	ck_assert_int_eq(add(0, 800, 0), XP_PART_NEW);
	datagram.data_at = 20;
	ck_assert_int_eq(add(16, 16, 0), XP_PART_DISPUTE); /* also behind the first fragment */
	ck_assert_int_eq(add(24, 16, 0), XP_PART_OVERLAP);
}
END_TEST

START_TEST(faults)
{
	struct xp_packet p = fragment(8, 7, 0);

	ck_assert_uint_eq(xp_fragment_fault(&p), XP_R_FRAG_LENGTH);
	p = fragment(8, 7, 1);
	ck_assert_uint_eq(xp_fragment_fault(&p), XP_R_OK);
	p = fragment(8, 0, 1);
	ck_assert_uint_eq(xp_fragment_fault(&p), XP_R_FRAG_LENGTH);
	p = fragment(65528, 8, 0);
	ck_assert_uint_eq(xp_fragment_fault(&p), XP_R_FRAG_OVERLONG);
	p = fragment(65520, 1480, 1);
	ck_assert_uint_eq(xp_fragment_fault(&p), XP_R_FRAG_OVERLONG);
	p = fragment(65528, 7, 1); /* IPv4's total length counts its header */
	ck_assert_uint_eq(xp_fragment_fault(&p), XP_R_FRAG_OVERLONG);
	p.v6 = 1;
	p.l3 = p.base - 48; /* IPv6's payload length not, but extensions */
	ck_assert_uint_eq(xp_fragment_fault(&p), XP_R_OK);
	p.l3 -= 8;
	ck_assert_uint_eq(xp_fragment_fault(&p), XP_R_FRAG_OVERLONG);
	p = fragment(65512, 3, 1);
	ck_assert_uint_eq(xp_fragment_fault(&p), XP_R_OK);
	p = fragment(0, 1480, 0);
	p.fragment |= XP_PART_TINY;
	ck_assert_uint_eq(xp_fragment_fault(&p), XP_R_FRAG_TINY);
}
END_TEST

/* What a list of all fragments says of one more. */
static enum xp_part_is naive(__u32 at, __u32 bytes, int last)
{
	__u32 i, end = at + bytes, high = 0, total = 0, any = 0, repeat = 0;

	for (i = 0; i < part_count; i++) {
		const struct part *q = &parts[i];

		if (q->at + q->bytes > high)
			high = q->at + q->bytes;
		if (q->last)
			total = q->at + q->bytes;
		any |= at < q->at + q->bytes && q->at < end;
		repeat |= at == q->at && bytes == q->bytes && last == q->last;
	}
	if (repeat)
		return XP_PART_REPEAT;
	if (last ? (total && total != end) || high > end : total && end >= total)
		return XP_PART_DISPUTE;
	if (!at && any)
		for (i = 0; i < UDP; i++)
			if (map[i])
				return XP_PART_DISPUTE;
	return any ? XP_PART_OVERLAP : XP_PART_NEW;
}

/* Random fragments, no overlap let in. */
START_TEST(random_fragments)
{
	__u32 round, i, at, bytes;
	enum xp_part_is is;
	int last;

	for (round = 0; round < 300; round++) {
		start();
		for (i = 0; i < 60; i++) {
			at = random_below(50) * 8;
			bytes = (1 + random_below(8)) * 8;
			last = !random_below(30);
			if (part_count && !random_below(3)) {
				const struct part *q = &parts[random_below(part_count)];

				at = q->at;
				bytes = q->bytes;
				last = q->last;
			}
			is = naive(at, bytes, last);
			ck_assert_int_eq(add(at, bytes, last), is);
			if (is == XP_PART_NEW)
				parts[part_count++] = (struct part){at, bytes, last};
		}
	}
}
END_TEST

/* Overlaps let in: each byte is taken once, by the first that brings it, whatever the areas. */
START_TEST(random_overlaps)
{
	struct xp_packet p;
	struct xp_span s;
	__u32 round, i, bytes, area = 4096u << _i, units, u;

	for (round = 0; round < 40; round++) {
		start();
		for (i = 0; i < 40; i++) {
			bytes = (1 + random_below(random_below(2) ? 1000 : 20)) * 8;
			p = fragment(random_below(7000) * 8, bytes, 0);
			judge(&p, &s);
			take(&p, &s, area);
		}
		for (units = u = 0; u < sizeof(map); u += XP_UNIT)
			units += map[u];
		ck_assert_uint_eq(datagram.units, units);
	}
}
END_TEST

START_TEST(keys)
{
	struct xp_packet p = fragment(0, 100, 0), q;
	union xp_key a, b;

	p.id = 0x1234;
	p.key.v4.src = 1;
	p.key.v4.dst = 2;
	p.key.v4.sport = 3;
	p.key.v4.dport = 4;
	p.key.v4.vnet = 5;
	p.key.v4.proto = IPPROTO_UDP;
	q = p;
	q.key.v4.sport = q.key.v4.dport = 0;
	xp_fragment_key(&p, &a);
	xp_fragment_key(&q, &b);
	ck_assert_mem_eq(&a, &b, sizeof(a));
	q.id++;
	xp_fragment_key(&q, &b);
	ck_assert_mem_ne(&a, &b, sizeof(a));
	q = p;
	q.key.v4.proto = IPPROTO_TCP;
	xp_fragment_key(&q, &b);
	ck_assert_mem_ne(&a, &b, sizeof(a));
	q = p;
	q.key.v4.vnet++;
	xp_fragment_key(&q, &b);
	ck_assert_mem_ne(&a, &b, sizeof(a));

	memset(&p.key, 7, sizeof(p.key));
	p.v6 = 1;
	q = p;
	q.key.v6.sport = q.key.v6.dport = 0;
	q.key.v6.proto = 0;
	xp_fragment_key(&p, &a);
	xp_fragment_key(&q, &b);
	ck_assert_mem_eq(&a, &b, sizeof(a));
	q.key.v6.dst[15]++;
	xp_fragment_key(&q, &b);
	ck_assert_mem_ne(&a, &b, sizeof(a));
}
END_TEST

Suite *suite_fragment(void)
{
	Suite *suite = suite_create("fragment");
	TCase *tc = tcase_create("parts");

	tcase_set_timeout(tc, 60);
	tcase_add_loop_test(tc, every_order_of_four, 0, 256);
	tcase_add_test(tc, most_fragments);
	tcase_add_test(tc, exact_repeat_is_no_overlap);
	tcase_add_test(tc, overlaps);
	tcase_add_test(tc, disputes);
	tcase_add_test(tc, faults);
	tcase_add_test(tc, random_fragments);
	tcase_add_loop_test(tc, random_overlaps, 0, 4);
	tcase_add_test(tc, keys);
	suite_add_tcase(suite, tc);
	return suite;
}
