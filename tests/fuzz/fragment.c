/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * fragment.c - fuzz target: bpf/fragment.h against a map of bytes [R14].
 *
 * Input: IP version and policy (one byte: bit 0 IPv6, bit 1 overlaps are taken as far as they are
 * new, bit 2 TCP), what UDP says is its length, two packets' identifications; then fragments: where
 * they belong, how long they are, whether they are the last.
 *
 * Holds: a byte is taken once, all bytes of an accepted fragment are taken, each piece lies in one
 * area; the verdict is that of the map; what is an exact repetition is called one; the datagram is
 * whole when all bytes up to its end have come and not before; the steps depend on the fragment's
 * length alone. A whole datagram ends where UDP says, if that is in it. Keys are equal for parts of
 * one datagram and no others.
 */
#include "fragment.h"
#include "fuzz.h"

#define AREA 4096u
#define FRAGMENTS 300

static struct xp_datagram datagram;
static uint8_t map[65536 + 64];
static uint32_t high, total; /* of what was taken; total 0: not known */
static int overlapped;	     /* parts are no longer what came: a repeat is not to be told */
static struct {
	uint32_t at, end;
	int last;
} parts[FRAGMENTS];
static uint32_t count;

static int covered(uint32_t at, uint32_t end, uint8_t with)
{
	return memchr(map + at, with, end - at) != NULL;
}

static uint32_t units_end(uint32_t end)
{
	return (end + XP_UNIT - 1) / XP_UNIT * XP_UNIT;
}

static enum xp_part_is judge(const struct xp_packet *p, struct xp_span *s)
{
	uint32_t i;

	xp_span_of(s, p->at, xp_fragment_bytes(p));
	for (i = 0; i < XP_UNIT_WORDS && !xp_span_look(&datagram, s, i); i++)
		;
	return xp_part_judge(&datagram, s, p);
}

static void take(const struct xp_packet *p, const struct xp_span *s)
{
	struct xp_taking t = {.at = s->first, .past = s->past};
	uint32_t steps = 0, first, past;
	enum xp_take r;

	xp_part_note(&datagram, s, p);
	while ((r = xp_units_take(&datagram, &t, AREA)) != XP_TAKE_DONE) {
		/* Each unit may begin a piece, each word and each area may end one. */
		holds(++steps <= 3 * (s->past - s->first) + 8, "%u steps for %u units", steps,
		      s->past - s->first);
		if (r != XP_TAKE_PIECE)
			continue;
		first = t.run * XP_UNIT;
		past = t.at * XP_UNIT;
		holds(first < past && past <= 65536, "piece [%u, %u)", first, past);
		holds(first / AREA == (past - 1) / AREA, "[%u, %u) is in two areas", first, past);
		holds(!covered(first, past, 1), "some of [%u, %u) is taken twice", first, past);
		memset(map + first, 1, past - first);
		t.open = 0;
	}
	holds(!covered(s->first * XP_UNIT, s->past * XP_UNIT, 0), "some of [%u, %u) was left out",
	      s->first * XP_UNIT, s->past * XP_UNIT);
}

static int came_before(uint32_t at, uint32_t end, int last)
{
	uint32_t i;

	for (i = 0; i < count; i++)
		if (parts[i].at == at && parts[i].end == end && parts[i].last == last)
			return 1;
	return 0;
}

static void check_verdict(enum xp_part_is is, uint32_t at, uint32_t end, int last)
{
	int any = covered(at, units_end(end), 1), all = !covered(at, units_end(end), 0);
	int disputed = last ? (total && total != end) || high > end : total && end >= total;

	if (is == XP_PART_REPEAT)
		holds(all && (!last || total == end), "[%u, %u) is no repeat", at, end);
	if (is == XP_PART_NEW)
		holds(!any && !disputed, "[%u, %u) is not new", at, end);
	if (is == XP_PART_OVERLAP)
		holds(any && !disputed, "[%u, %u) overlaps nothing", at, end);
	if (is == XP_PART_DISPUTE)
		holds(disputed || !at, "[%u, %u) is disputed by nothing", at, end);
	if (!any && !disputed)
		holds(is == XP_PART_NEW, "[%u, %u) is new, not %d", at, end, is);
	if (!overlapped && came_before(at, end, last))
		holds(is == XP_PART_REPEAT, "[%u, %u) is a repeat, not %d", at, end, is);
}

static void accept(const struct xp_packet *p, const struct xp_span *s, uint32_t end, int last)
{
	take(p, s);
	if (end > high)
		high = end;
	if (last)
		total = end;
	parts[count].at = p->at;
	parts[count].end = end;
	parts[count++].last = last;
}

static void fragment(struct input *in, int v6, int win)
{
	uint32_t kind = take8(in), at = take16(in) & 0x1fff, bytes = take16(in) >> (kind >> 4), end;
	struct xp_packet p = {.l3 = 14, .v6 = v6};
	int last = kind & 1;
	enum xp_part_is is;
	struct xp_span s;

	p.base = p.data = v6 ? 14 + 40 + 8 : 14 + 20;
	p.at = (kind & 2 ? at & 63 : at) * 8;
	p.fragment = last ? XP_PART : XP_PART | XP_PART_MORE;
	if (!last && kind & 4)
		bytes &= ~7u;
	if (!p.at && bytes >= 8)
		p.data += 8;
	p.payload = bytes - (p.data - p.base);
	if (xp_fragment_fault(&p) != XP_R_OK)
		return;
	end = p.at + bytes;
	holds(end <= 65535 && bytes && (last || !(bytes % 8)), "[%u, %u) is no fragment", p.at,
	      end);
	is = judge(&p, &s);
	check_verdict(is, p.at, end, last);
	if (is == XP_PART_OVERLAP && win)
		overlapped = 1;
	else if (is != XP_PART_NEW)
		return;
	accept(&p, &s, end, last);
}

/* A whole one, whose transport header is behind `before` bytes of options. */
static void check_trim(uint32_t length, int tcp, uint32_t before)
{
	uint32_t has = datagram.total - before, r;
	int good = tcp || (length >= 8 && length <= has);

	if (datagram.total < before + 8)
		return;
	datagram.l4_at = before;
	datagram.packet.proto = tcp ? IPPROTO_TCP : IPPROTO_UDP;
	datagram.packet.l4 = 34 + before;
	datagram.header[34 + before + 4] = length >> 8;
	datagram.header[34 + before + 5] = length;
	r = xp_datagram_trim(&datagram);
	holds(r == (good ? XP_R_OK : XP_R_L4_HEADER), "%u for %u of %u", r, length, has);
	holds(datagram.total - before == (good && !tcp ? length : has), "%u of %u, it says %u",
	      datagram.total - before, has, length);
	holds(datagram.high == high, "high %u, not %u", datagram.high, high);
}

/* What makes a part one of a datagram, and what does not (ports, and for IPv6 the protocol). */
static void some_packet(struct input *in, struct xp_packet *p, int v6)
{
	uint8_t bits = take8(in);

	memset(p, 0, sizeof(*p));
	p->v6 = v6;
	p->id = bits & 3 ? 5 : take32(in);
	p->key.word[0] = 1 + (bits >> 2 & 1);
	if (v6) {
		p->key.v6.proto = bits & 8 ? 6 : 17;
		p->key.v6.sport = bits & 16;
		p->key.v6.vnet_kind = bits >> 5 & 1;
		p->key.v6.vnet = bits >> 6 & 1;
	} else {
		p->id &= 0xffff;
		p->key.v4.proto = bits & 8 ? 6 : 17;
		p->key.v4.sport = bits & 16;
		p->key.v4.vnet_kind = bits >> 5 & 1;
		p->key.v4.vnet = bits >> 6 & 1;
	}
}

static void check_keys(struct input *in, int v6)
{
	struct xp_packet a, b;
	union xp_key x, y;
	int same;

	some_packet(in, &a, v6);
	some_packet(in, &b, v6);
	memset(&x, 0xa5, sizeof(x));
	memset(&y, 0x5a, sizeof(y));
	xp_fragment_key(&a, &x);
	xp_fragment_key(&b, &y);
	same = a.id == b.id && a.key.word[0] == b.key.word[0];
	if (v6)
		same = same && a.key.v6.vnet == b.key.v6.vnet &&
		       a.key.v6.vnet_kind == b.key.v6.vnet_kind;
	else
		same = same && a.key.v4.vnet == b.key.v4.vnet &&
		       a.key.v4.vnet_kind == b.key.v4.vnet_kind && a.key.v4.proto == b.key.v4.proto;
	holds(same == !memcmp(&x, &y, sizeof(x)), "ids %x %x, same %d", a.id, b.id, same);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = {data, size};
	uint8_t how = take8(&in);
	uint32_t length = take16(&in), n;
	int whole = 0;

	memset(&datagram, 0, sizeof(datagram));
	memset(map, 0, sizeof(map));
	high = total = count = overlapped = 0;
	check_keys(&in, how & 1);
	for (n = 0; in.left && n < FRAGMENTS; n++) {
		fragment(&in, how & 1, how & 2);
		whole = total && !covered(0, units_end(total), 0);
		holds(xp_datagram_whole(&datagram) == whole, "whole %d", whole);
		holds(datagram.high == high && datagram.total == total, "high %u, total %u",
		      datagram.high, datagram.total);
	}
	if (whole)
		check_trim(length, how & 4, how >> 3 & 0x18);
	return 0;
}
