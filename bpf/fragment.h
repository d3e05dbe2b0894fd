/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * fragment.h - what a fragment is to its datagram. Pure C, also built for the host.
 *
 * In: the fragment as parsed, the datagram as far as it has come. Out: a verdict, and which of
 * the fragment's bytes are new. Promises: a byte is new once; neither time nor memory depend on
 * how many fragments there were, only on the bytes of this one.
 *
 * The loops are steps of one word (64 units, 512 bytes), for the program to walk by bpf_loop().
 */
#ifndef FRAGMENT_H
#define FRAGMENT_H

#include "compiler.h"
#include "datagram.h"
#include "parse.h"

/* Bytes of the datagram that this fragment has, headers behind the IP header included. */
static __always_inline __u32 xp_fragment_bytes(const struct xp_packet *p)
{
	return p->data - p->base + p->payload;
}

/* What is wrong with a fragment, whatever came before it. */
static __always_inline __u32 xp_fragment_fault(const struct xp_packet *p)
{
	/* IPv4 counts its header, IPv6 extensions (RFC 8200, 4.5), but not that of fragments. */
	__u32 bytes = xp_fragment_bytes(p), header = p->base - p->l3 - (p->v6 ? 40 + 8 : 0);

	if (p->fragment & XP_PART_TINY)
		return XP_R_FRAG_TINY;
	if (!bytes || (p->fragment & XP_PART_MORE && bytes % XP_UNIT))
		return XP_R_FRAG_LENGTH;
	if (p->at + bytes + header > XP_MAX_IP_BYTES)
		return XP_R_FRAG_OVERLONG;
	return XP_R_OK;
}

/*
 * The key that all parts of a datagram have: addresses, network, identification in the place of
 * the ports; for IPv4 the protocol (RFC 791), for IPv6 none (RFC 8200, 4.5).
 */
static __always_inline void xp_fragment_key(const struct xp_packet *p, union xp_key *key)
{
	key->word[0] = p->key.word[0];
	key->word[1] = p->v6 ? p->key.word[1] : xp_pair(p->id, p->key.v4.vnet);
	key->word[2] = p->key.word[2];
	key->word[3] = key->word[4] = key->word[5] = 0;
	if (!p->v6)
		return;
	key->word[3] = p->key.word[3];
	key->word[4] = xp_pair(p->id, p->key.v6.vnet);
	key->v6.proto = IPPROTO_FRAGMENT;
	key->v6.vnet_kind = p->key.v6.vnet_kind;
}

static __always_inline void xp_span_of(struct xp_span *s, __u32 at, __u32 bytes)
{
	s->first = at / XP_UNIT;
	s->past = (at + bytes + XP_UNIT - 1) / XP_UNIT;
	s->any = s->gaps = s->starts = 0;
}

#define XP_WORD(i) ((i) & (XP_UNIT_WORDS - 1))

static __always_inline __u64 xp_unit_bit(__u32 unit)
{
	return 1ull << (unit & 63);
}

static __always_inline int xp_unit_set(const __u64 *map, __u32 unit)
{
	return !!(map[XP_WORD(unit / 64)] & xp_unit_bit(unit));
}

/* Look at the span's word number i: 1 it was the last. */
static __always_inline int xp_span_look(const struct xp_datagram *d, struct xp_span *s, __u32 i)
{
	__u32 word = s->first / 64 + i, last = (s->past - 1) / 64;
	__u64 mask = ~0ull, starts;

	if (word > last)
		return 1;
	if (!i)
		mask <<= s->first & 63;
	if (word == last)
		mask &= ~0ull >> (63 - ((s->past - 1) & 63));
	starts = d->start[XP_WORD(word)] & mask;
	if (!i)
		starts &= ~xp_unit_bit(s->first);
	s->any |= !!(d->have[XP_WORD(word)] & mask);
	s->gaps |= !!(~d->have[XP_WORD(word)] & mask);
	s->starts |= !!starts;
	return word == last;
}

enum xp_part_is {
	XP_PART_NEW,
	XP_PART_REPEAT,	 /* the very same range came before */
	XP_PART_OVERLAP, /* some of it did */
	XP_PART_DISPUTE, /* the parts can not be of one datagram, or only with a forged header */
};

/* Do the fragment's end and the datagram's contradict each other? */
static __always_inline int xp_end_disputed(const struct xp_datagram *d, __u32 end, int last)
{
	if (last)
		return (d->total && d->total != end) || d->high > end;
	return d->total && end >= d->total;
}

/* Is a whole fragment of these units, and of this end, there already? */
static __always_inline int xp_part_repeats(const struct xp_datagram *d, const struct xp_span *s,
					   __u32 end, int last)
{
	if (s->gaps || s->starts || !xp_unit_set(d->start, s->first))
		return 0;
	if (last || end == d->total)
		return last && end == d->total;
	return !xp_unit_set(d->have, s->past) || xp_unit_set(d->start, s->past);
}

/*
 * The verdict on a fragment at `at`, after its span has been looked at. The headers, up to
 * `data_at`, must come in one piece, the first.
 */
static __always_inline enum xp_part_is
xp_part_judge(const struct xp_datagram *d, const struct xp_span *s, const struct xp_packet *p)
{
	__u32 end = p->at + xp_fragment_bytes(p), units;
	int last = !(p->fragment & XP_PART_MORE);

	if (xp_part_repeats(d, s, end, last))
		return XP_PART_REPEAT;
	if (xp_end_disputed(d, end, last))
		return XP_PART_DISPUTE;
	if (!s->any)
		return XP_PART_NEW;
	if (p->at && p->at < d->data_at)
		return XP_PART_DISPUTE;
	units = (p->data - p->base + XP_UNIT - 1) / XP_UNIT;
	if (!p->at && d->have[0] & ~(units < 64 ? ~0ull << units : 0))
		return XP_PART_DISPUTE;
	return XP_PART_OVERLAP;
}

/* Note the fragment as come, before its units are taken. */
static __always_inline void xp_part_note(struct xp_datagram *d, const struct xp_span *s,
					 const struct xp_packet *p)
{
	__u32 end = p->at + xp_fragment_bytes(p);

	d->start[XP_WORD(s->first / 64)] |= xp_unit_bit(s->first);
	if (end > d->high)
		d->high = end;
	if (!(p->fragment & XP_PART_MORE))
		d->total = end;
}

enum xp_take { XP_TAKE_MORE, XP_TAKE_PIECE, XP_TAKE_DONE };

/* Zeros below the lowest one of a word that has any. The builtin makes clang 14 crash for BPF. */
static __always_inline __u32 xp_low_zeros(__u64 word)
{
	__u32 n = 0;
	int half;

	xp_unroll for (half = 32; half; half /= 2)
	{
		if (word & ((1ull << half) - 1))
			continue;
		word >>= half;
		n += half;
	}
	return n;
}

/* Units up to the next that is unlike the one at bit 0, at most `room`. */
static __always_inline __u32 xp_units_alike(__u64 word, __u32 room)
{
	__u32 n = 64;

	if (word & 1)
		word = ~word;
	if (word)
		n = xp_low_zeros(word);
	return n < room ? n : room;
}

/*
 * One step of taking what is new in a span: PIECE: [run, at) is to be placed, it lies in one area
 * of `area` bytes. Whoever takes the piece clears `open`.
 */
static __always_inline enum xp_take xp_units_take(struct xp_datagram *d, struct xp_taking *t,
						  __u32 area)
{
	__u32 shift = t->at & 63, room = 64 - shift, i = XP_WORD(t->at / 64), n;
	__u64 word = d->have[i] >> shift;

	if (t->at >= t->past)
		return t->open ? XP_TAKE_PIECE : XP_TAKE_DONE;
	if (t->open && (word & 1 || !(t->at * XP_UNIT & (area - 1))))
		return XP_TAKE_PIECE;
	if (room > t->past - t->at)
		room = t->past - t->at;
	n = xp_units_alike(word, room);
	if (!(word & 1)) {
		if (!t->open)
			t->run = t->at;
		t->open = 1;
		d->have[i] |= (~0ull >> (64 - n)) << shift;
		d->units += n;
	}
	t->at += n;
	return XP_TAKE_MORE;
}

/* Has all of the datagram come? */
static __always_inline int xp_datagram_whole(const struct xp_datagram *d)
{
	return d->total && d->units == (d->total + XP_UNIT - 1) / XP_UNIT;
}

/*
 * A whole datagram ends where UDP says; what IP carries behind that is none of it, as in a packet
 * that came in one piece (RFC 768). XP_R_OK, or UDP says more than has come.
 */
static __always_inline __u32 xp_datagram_trim(struct xp_datagram *d)
{
	__u32 length = xp_load16(&d->header[(d->packet.l4 & 0x1ff) + 4]);

	if (d->packet.proto != IPPROTO_UDP)
		return XP_R_OK;
	if (length < sizeof(struct udphdr) || d->l4_at + length > d->total)
		return XP_R_L4_HEADER;
	d->total = d->l4_at + length;
	return XP_R_OK;
}

#endif
