/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * place.bpf.h - stage 5: bytes from the packet into the UMEM.
 *
 * In: a packet and where it belongs. Out: bytes there, sums of them where asked. Promise: nothing
 * is written outside the area named; what turns out to be damaged is not counted as placed.
 */
#ifndef PLACE_BPF_H
#define PLACE_BPF_H

#include "checksum.h"
#include "flow_table.bpf.h"
#include "rtp.h"

#define XP_SHORT_HEADER 96u /* longest header of a packet on the short way */
#define XP_CSUM_STEP 512u   /* what bpf_csum_diff() takes on every kernel */

/* A UMEM offset as memory, with `size` bytes (a constant, at most an area) known to be there. */
static __always_inline char *xp_umem_at(__u32 offset, __u32 size)
{
	__u32 bank = xp_config.banks == 1 ? 0 : offset >> xp_config.bank_shift;
	__u32 bank_bytes = 1u << xp_config.bank_shift;
	__u64 in_bank = offset & (bank_bytes - 1);
	char *base = bpf_map_lookup_elem(&xp_umem, &bank);

	if (!base)
		return NULL;
	xp_opaque(base); /* no arithmetic before the test: 6.1 refuses it */
	/*
	 * Never true: the last area of a bank is a guard. The verifier does not know, and has to
	 * see it of the very register that is added.
	 */
	xp_opaque(in_bank);
	if (in_bank > bank_bytes - size)
		return NULL;
	return base + in_bank;
}

/* Copy packet bytes to a UMEM offset, within one area: 0 or -1. */
static __always_inline int xp_copy(struct xp_ctx *ctx, __u32 from, char *to, __u64 length)
{
	/* The 6.1 verifier learns the lower bound only this way. */
	length -= 1;
	xp_opaque(length);
	if (length >= xp_area_bytes())
		return -1;
	length += 1;
	return xp_ctx_load(ctx, from, to, length) ? -1 : 0;
}

/*
 * Up to `left` bytes of the datagram in work as the packet that it is, `from` bytes behind its
 * start, out of one source: its headers, or one of its areas. How many, or -1. A dynptr is the way
 * to have the kernel copy from one map value to another; 6.1 wants a function for each.
 */
__attribute__((noinline)) int xp_fetch_part(__u32 lane, __u32 from, __u32 to, __u32 left)
{
	__u32 size = xp_area_bytes(), room, bytes = XP_HEADER_ROOM;
	struct xp_cursor *cur = xp_cursor_at(lane);
	struct bpf_dynptr dynptr;
	struct xp_datagram *d;
	void *memory;
	__u64 n;

	d = cur ? xp_datagram_at(cur->whole - 1) : NULL;
	if (!d)
		return -1;
	if (from < d->packet.data) {
		room = d->packet.data - from;
		memory = d->header;
	} else {
		from += d->data_at - d->packet.data;
		room = d->slot[from >> xp_config.area_shift & (XP_DATAGRAM_AREAS - 1)] - 1;
		memory = xp_umem_at(room << xp_config.area_shift, size);
		from &= size - 1;
		room = size - from;
		bytes = size;
	}
	n = left < room ? left : room;
	n -= 1;
	xp_opaque(n);
	if (!memory || n >= size)
		return -1;
	n += 1;
	bpf_dynptr_from_mem(memory, bytes, 0, &dynptr);
	memory = xp_umem_at(to, size);
	return !memory || bpf_dynptr_read(memory, n, &dynptr, from, 0) ? -1 : (int)n;
}

/* xp_fetch() of a packet that came in fragments: headers, and not more than lies in two areas. */
static __always_inline int xp_fetch_whole(__u32 lane, __u32 from, __u32 to, __u32 length)
{
	int i, n;

	for (i = 0; i < 3 && length; i++) {
		n = xp_fetch_part(lane, from, to, length);
		if (n <= 0)
			return -1;
		from += n;
		to += n;
		length -= n;
	}
	return length ? -1 : 0;
}

/*
 * Bytes of the packet in work to a UMEM offset, within one area: 0 or -1. The packet is in its
 * frame, or, if it came in fragments, where those were placed.
 */
static __always_inline int xp_fetch(struct xp_ctx *ctx, const struct xp_cursor *cur, __u32 lane,
				    __u32 from, __u32 to, __u32 length)
{
	char *memory;

	if (xp_unlikely(cur->whole))
		return xp_fetch_whole(lane, from, to, length);
	memory = xp_umem_at(to, xp_area_bytes());
	return memory ? xp_copy(ctx, from, memory, length) : -1;
}

/*
 * Sum of bytes already placed at a UMEM offset, within one area, folded to 16 bits. -1: not to be
 * had. User space may write there at the same time: then it fools nobody but itself.
 */
__attribute__((noinline)) int xp_sum_placed(__u32 offset, __u32 length)
{
	__u32 done, words, i;
	__u64 sum;
	__s64 r = 0;
	char *p;

	if (xp_config.csum_step >= xp_area_bytes()) {
		done = length & ~3u;
		words = done;
		p = xp_umem_at(offset, xp_area_bytes());
		xp_opaque(words);
		if (!p || words > xp_area_bytes())
			return -1;
	} else {
		for (i = 0; i < (1u << XP_MAX_AREA_SHIFT) / XP_CSUM_STEP; i++) {
			if (i >= length / XP_CSUM_STEP)
				break;
			p = xp_umem_at(offset + i * XP_CSUM_STEP, XP_CSUM_STEP);
			if (!p)
				return -1;
			r = bpf_csum_diff(NULL, 0, (void *)p, XP_CSUM_STEP, r);
		}
		words = length & (XP_CSUM_STEP - 4);
		done = length & ~3u;
		p = xp_umem_at(offset + (length & ~(XP_CSUM_STEP - 1)), XP_CSUM_STEP);
		if (!p)
			return -1;
	}
	r = bpf_csum_diff(NULL, 0, (void *)p, words, r);
	if (r < 0)
		return -1;
	sum = (__u32)r;
	if (length & 3) {
		p = xp_umem_at(offset + done, 4);
		if (!p)
			return -1;
		sum += xp_sum_tail((void *)p, length & 3);
	}
	return xp_fold(sum);
}

/* ---- verifying, looking ---- */

/* Where a segment beside a hole goes, gathered before anything is changed. */
struct xp_beside {
	__u64 at;      /* stream offset */
	__u32 part;    /* bytes up to the end of the area of `at`, at most all of them */
	__u32 area[2]; /* of these, and of the rest; XP_NONE: there is none */
	__u32 fresh;   /* bit i: area[i] is in the hand still */
};

/*
 * Room to work in, one per lane, too large for the stack: what xp_verify() and xp_peek() look at
 * (the packet need not be linear), and what was decided.
 */
struct xp_scratch {
	struct xp_decision decision;
	struct xp_beside beside;
	struct xp_rtp_header rtp;
	union xp_key key;
	__u64 sum;
	__u8 bytes[XP_CSUM_STEP];
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__type(key, __u32);
	__type(value, struct xp_scratch);
	__uint(max_entries, XP_MAX_LANES);
} xp_scratch SEC(".maps");

/* Packet bytes to where they can be looked at, the start of scratch->bytes: 0 or -1. */
__attribute__((noinline)) int xp_peek(struct xp_ctx *ctx, __u32 lane, __u32 from, __u32 length)
{
	struct xp_scratch *scratch = bpf_map_lookup_elem(&xp_scratch, &lane);
	__u64 n = length;

	n -= 1;
	xp_opaque(n);
	if (!scratch || n >= XP_CSUM_STEP)
		return -1;
	n += 1;
	return xp_ctx_load(ctx, from, scratch->bytes, n) ? -1 : 0;
}

/* Add up to XP_CSUM_STEP of the `left` bytes at `at` to the lane's sum: 0 or -1. */
__attribute__((noinline)) int xp_sum_chunk(struct xp_ctx *ctx, __u32 lane, __u32 at, __u32 left)
{
	struct xp_scratch *scratch = bpf_map_lookup_elem(&xp_scratch, &lane);
	__u64 n = left < XP_CSUM_STEP ? left : XP_CSUM_STEP, last;
	__s64 sum;

	if (!scratch)
		return -1;
	n -= 1;
	xp_opaque(n);
	if (n >= XP_CSUM_STEP)
		return -1;
	n += 1;
	/* Zeroes behind the last bytes make them whole words. */
	last = (n - 1) & (XP_CSUM_STEP - 4);
	*(__u32 *)&scratch->bytes[last] = 0;
	if (xp_ctx_load(ctx, at, scratch->bytes, n))
		return -1;
	n = last + 4;
	xp_opaque(n);
	if (n > XP_CSUM_STEP)
		return -1;
	sum = bpf_csum_diff(NULL, 0, (void *)scratch->bytes, n, 0);
	if (sum < 0)
		return -1;
	scratch->sum += (__u32)sum;
	return 0;
}

/*
 * Verify a packet before anything is done with it: XP_R_OK, or the reason. The long way's
 * counterpart of summing the bytes once they are placed.
 */
__attribute__((noinline)) int xp_verify(struct xp_ctx *ctx, const struct xp_packet *p, __u32 lane)
{
	struct xp_scratch *scratch = bpf_map_lookup_elem(&xp_scratch, &lane);
	const void *data = xp_ctx_data(ctx), *end = xp_ctx_end(ctx);
	__u32 i, length;
	__u64 pseudo;
	__u16 check;

	if (!p || !scratch)
		return XP_R_CHECKSUM;
	if (!xp_ip_good(data, end, p))
		return XP_R_IP_CHECKSUM;
	if (p->no_checksum)
		return XP_R_OK;
	if (xp_check_field(data, end, p, &check))
		return XP_R_CHECKSUM;
	length = p->data - p->l4 + p->payload;
	pseudo = xp_sum_pseudo(p, xp_ctx_summed(ctx, length));
	if (xp_sum_unfinished(pseudo, check))
		return XP_R_OK;
	scratch->sum = pseudo;
	for (i = 0; i <= XP_MAX_IP_BYTES; i += XP_CSUM_STEP) {
		if (i >= length)
			break;
		if (xp_sum_chunk(ctx, lane, p->l4 + i, length - i))
			return XP_R_COPY;
	}
	return xp_fold(scratch->sum) == 0xffff ? XP_R_OK : XP_R_CHECKSUM;
}

/* Add what the n-th area of a datagram has of its payload to its sum. */
static long xp_sum_area(__u32 n, __u32 *index)
{
	__u32 size = xp_area_bytes(), from = n * size, to = from + size;
	struct xp_datagram *d = xp_datagram_at(*index);
	int sum;

	if (!d || from >= d->total)
		return 1;
	if (from < d->data_at)
		from = d->data_at;
	if (to > d->total)
		to = d->total;
	if (from >= to)
		return 0;
	n = d->slot[n & (XP_DATAGRAM_AREAS - 1)] - 1;
	sum = xp_sum_placed((n << xp_config.area_shift) + (from & (size - 1)), to - from);
	if (sum < 0)
		return 1;
	d->sum += sum;
	return 0;
}

/*
 * xp_verify() of a datagram that came in fragments, which were summed as they were placed (and
 * their IP headers verified). What UDP does not count as its own is to be left out of the sum.
 */
__attribute__((noinline)) int xp_verify_whole(__u32 index)
{
	struct xp_datagram *d = xp_datagram_at(index);
	__u32 l4, words;
	__u16 check;
	__u64 pseudo;
	__s64 sum;

	if (!d)
		return XP_R_COPY;
	if (d->packet.no_checksum)
		return XP_R_OK;
	if (d->high > d->total) {
		d->sum = 0;
		bpf_loop(XP_DATAGRAM_AREAS, xp_sum_area, &index, 0);
	}
	l4 = d->packet.l4 & 0x1ff;
	words = (d->packet.data - d->packet.l4) & 0x3c;
	check = xp_get16(&d->header[l4 + (d->packet.proto == IPPROTO_TCP ? 16 : 6)]);
	sum = bpf_csum_diff(NULL, 0, (void *)&d->header[l4], words, 0);
	if (sum < 0)
		return XP_R_CHECKSUM;
	pseudo = xp_sum_pseudo(&d->packet, d->total - d->l4_at);
	return xp_sum_good(d->sum + (__u32)sum + pseudo, pseudo, check) ? XP_R_OK : XP_R_CHECKSUM;
}

/* ---- headers and whole packets ---- */

/*
 * Copy the first `length` bytes, less than `words` words that are all there, and zeroes up to the
 * next word. No plain packet has fewer than five words of headers.
 */
static __always_inline void xp_copy_first(char *to, const char *from, __u32 length, const int words)
{
	int i;

	xp_unroll for (i = 0; i < words; i++)
	{
		if (i >= 5 && length < 8u * i + 8) {
			((__u64 *)to)[i] = ((const __u64 *)from)[i] & xp_first_bytes(length & 7);
			return;
		}
		((__u64 *)to)[i] = ((const __u64 *)from)[i];
	}
}

/*
 * Headers from the linear part to `to` by 8-byte words, nothing of the payload behind them; a
 * helper call costs more than these few words.
 */
static __always_inline int xp_copy_header(struct xp_ctx *ctx, char *to, __u32 length)
{
	const char *from = xp_ctx_data(ctx), *end = xp_ctx_end(ctx);
	__u64 n = length;

	if (length < 64 && from + 64 <= end) {
		xp_copy_first(to, from, length, 8);
		return 0;
	}
	if (length < XP_SHORT_HEADER && from + XP_SHORT_HEADER <= end) {
		xp_copy_first(to, from, length, XP_SHORT_HEADER / 8);
		return 0;
	}
	n -= 1;
	xp_opaque(n);
	if (n >= XP_SHORT_HEADER)
		return -1;
	return xp_ctx_load(ctx, 0, to, n + 1);
}

/* What is left of an area of cells is handed over by a completion of its own. */
__attribute__((noinline)) int xp_give_rest(__u32 lane, __u32 at)
{
	struct xp_cursor *cur = xp_cursor_at(lane);
	struct xp_completion *c;

	if (!cur)
		return 0;
	c = xp_emit(cur, lane, cur->job.opcode, XP_R_OK, XP_NONE);
	if (c) {
		c->flags = XP_RELEASE_HEADER;
		c->header = at & ~(xp_area_bytes() - 1);
	}
	xp_give_cells(xp_area_of(at));
	return 0;
}

/*
 * Cells in a row for `bytes` bytes, perhaps in a new area; what is left of the old area is handed
 * over by a completion of its own. 0, or -1: no area. Where they are: job.header.
 */
static __always_inline int xp_take_cells(struct xp_cursor *cur, __u32 lane, enum xp_cell_kind kind,
					 __u32 bytes)
{
	__u32 need = (XP_PAD + bytes + XP_CELL - 1) & ~(XP_CELL - 1);
	__u32 at = cur->cell_next[kind], mask = xp_area_bytes() - 1, area;

	if (!(at & mask) || (at & mask) + need > xp_area_bytes()) {
		area = xp_take_area(cur, lane, xp_cell_state(kind, lane), 1);
		if (area == XP_NONE)
			return -1;
		if (at & mask)
			xp_give_rest(lane, at);
		at = area << xp_config.area_shift;
	}
	cur->job.header = at;
	cur->job.header_len = bytes;
	cur->job.header_flags = 0;
	cur->cell_next[kind] = at + need;
	if (!((at + need) & mask)) {
		cur->job.header_flags = XP_RELEASE_HEADER;
		xp_give_cells(xp_area_of(at));
	}
	return 0;
}

/* The first `bytes` bytes of the packet into header or hybrid cells: XP_R_OK or a reason. */
__attribute__((noinline)) int xp_put_header(struct xp_ctx *ctx, __u32 lane, __u32 bytes, int hybrid)
{
	struct xp_cursor *cur = xp_cursor_at(lane);
	__u64 n = bytes;
	char *to;

	if (!cur || bytes - 1 >= XP_MAX_THRESHOLD)
		return XP_R_COPY;
	if (xp_take_cells(cur, lane, hybrid ? XP_HYBRID_CELL : XP_HEADER_CELL, bytes))
		return XP_R_NO_AREA;
	if (xp_unlikely(cur->whole))
		return xp_fetch_whole(lane, 0, cur->job.header + XP_PAD, bytes) ? XP_R_COPY
										: XP_R_OK;
	to = xp_umem_at(cur->job.header + XP_PAD, XP_MAX_THRESHOLD);
	/* Once more, of the register that the call gets. */
	n -= 1;
	xp_opaque(n);
	if (!to || n >= XP_MAX_THRESHOLD || xp_ctx_load(ctx, 0, to, n + 1))
		return XP_R_COPY;
	return XP_R_OK;
}

/* A completion of the packet in work; the first one names its header. */
static __always_inline struct xp_completion *xp_tell(struct xp_cursor *cur, __u32 lane,
						     __u32 opcode, __u32 reason)
{
	struct xp_flow *f = xp_flow_at(cur->job.flow);
	struct xp_completion *c = xp_emit(cur, lane, opcode, reason, f ? f->handle : XP_NONE);

	if (c && cur->job.header != XP_NONE) {
		c->header = cur->job.header + XP_PAD;
		c->header_len = cur->job.header_len;
		c->flags = cur->job.header_flags;
		cur->job.header = XP_NONE;
	}
	return c;
}

/*
 * A piece of a whole packet into the frame area: all of it if an area can hold it, packets side
 * by side; else a fresh area for each piece. 1: more to do, 0 done, -1 no area.
 */
__attribute__((noinline)) int xp_frame_piece(struct xp_ctx *ctx, __u32 lane)
{
	struct xp_cursor *cur = xp_cursor_at(lane);
	__u32 size = xp_area_bytes(), left, used, at, old = XP_NONE, area;
	struct xp_completion *c;

	if (!cur || cur->job.at >= cur->job.end)
		return 0;
	left = cur->job.end - cur->job.at;
	at = cur->frame_next;
	used = at & (size - 1);
	if (!used || used + XP_PAD + left > size) {
		area = xp_take_area(cur, lane, XP_AREA(XP_AREA_FRAME, lane), 0);
		if (area == XP_NONE)
			return -1;
		if (used)
			old = xp_area_of(at);
		at = area << xp_config.area_shift;
		used = 0;
	}
	if (left > size - used - XP_PAD)
		left = size - used - XP_PAD;
	cur->frame_next = at + ((XP_PAD + left + 63) & ~63u);
	at += XP_PAD;
	if (xp_fetch(ctx, cur, lane, cur->job.from, at, left))
		cur->job.reason = XP_R_COPY;
	c = xp_tell(cur, lane, cur->job.opcode, cur->job.reason);
	if (!c)
		return -1;
	c->flags |= XP_FRAME;
	c->data = at;
	c->data_len = left;
	if (old != XP_NONE) {
		c->data2 = old << xp_config.area_shift;
		c->flags |= XP_RELEASE_DATA2;
		xp_give_area(old);
	}
	if (!(cur->frame_next & (size - 1))) {
		c->flags |= XP_RELEASE_DATA;
		xp_give_area(xp_area_of(at));
	}
	cur->job.at += left;
	cur->job.from += left;
	return cur->job.at < cur->job.end;
}

#endif
