/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * flow_table.bpf.h - stage 3: key -> flow. Look-up, rules, setting up, the order of activity.
 *
 * Each lane has its share of the flow entries, kept in a list by activity, so that the least
 * recently active one is known when the share is full (R3). Entries of ended flows stay in the
 * list and under their key until they are needed or have aged: stragglers are recognised.
 */
#ifndef FLOW_TABLE_BPF_H
#define FLOW_TABLE_BPF_H

#include "complete.bpf.h"
#include "opcode.h"

/* Kernel ticks, 32 bit: ages are differences. */
static __always_inline __u32 xp_now(void)
{
	return (__u32)bpf_jiffies64();
}

static __always_inline __u32 xp_area_bytes(void)
{
	return 1u << xp_config.area_shift;
}

/* ---- rules ---- */

static __always_inline int xp_prefix_covers(const __u8 *prefix, __u32 bits, const __u8 *address)
{
	int i;

	xp_unroll for (i = 0; i < 4; i++)
	{
		__u32 want, have, take = bits > 32 ? 32 : bits;

		if (!take)
			return 1;
		want = xp_get32(prefix + 4 * i);
		have = xp_get32(address + 4 * i);
		if (bpf_ntohl(want ^ have) >> (32 - take))
			return 0;
		bits -= take;
	}
	return 1;
}

/* What rules look at, the same for both families. */
struct xp_subject {
	__u8 src[16];
	__u8 dst[16];
	__u32 vnet;
	__u16 sport;
	__u16 dport;
	__u8 proto;
	__u8 vnet_kind;
	__u8 v6;
	__u8 part; /* of a datagram, without ports, and perhaps without protocol */
};

static __always_inline void xp_subject_of(const union xp_key *key, int v6, struct xp_subject *s)
{
	__builtin_memset(s, 0, sizeof(*s));
	s->v6 = v6;
	if (v6) {
		__builtin_memcpy(s->src, key->v6.src, 32);
		s->sport = bpf_ntohs(key->v6.sport);
		s->dport = bpf_ntohs(key->v6.dport);
		s->vnet = key->v6.vnet;
		s->vnet_kind = key->v6.vnet_kind;
		s->proto = key->v6.proto;
	} else {
		__builtin_memcpy(s->src, &key->v4.src, 4);
		__builtin_memcpy(s->dst, &key->v4.dst, 4);
		s->sport = bpf_ntohs(key->v4.sport);
		s->dport = bpf_ntohs(key->v4.dport);
		s->vnet = key->v4.vnet;
		s->vnet_kind = key->v4.vnet_kind;
		s->proto = key->v4.proto;
	}
}

static __always_inline int xp_rule_ends(const struct xp_rule *rule, const __u8 *src, __u16 sport,
					const __u8 *dst, __u16 dport, int part)
{
	if (!part && (sport < rule->sport_min || sport > rule->sport_max ||
		      dport < rule->dport_min || dport > rule->dport_max))
		return 0;
	return xp_prefix_covers(rule->src, rule->src_bits, src) &&
	       xp_prefix_covers(rule->dst, rule->dst_bits, dst);
}

static __always_inline int xp_rule_matches(const struct xp_rule *rule, const struct xp_subject *s)
{
	if (rule->proto && rule->proto != s->proto && !(s->part && !s->proto))
		return 0;
	if (rule->flags & XP_RULE_V4 && s->v6)
		return 0;
	if (rule->flags & XP_RULE_V6 && !s->v6)
		return 0;
	if (rule->vnet_kind && rule->vnet_kind != s->vnet_kind)
		return 0;
	if (rule->vnet_kind && !rule->any_vnet && rule->vnet != s->vnet)
		return 0;
	if (xp_rule_ends(rule, s->src, s->sport, s->dst, s->dport, s->part))
		return 1;
	return rule->flags & XP_RULE_EITHER &&
	       xp_rule_ends(rule, s->dst, s->dport, s->src, s->sport, s->part);
}

#define XP_MATCH_VERDICT 0xff
#define XP_MATCH_WHOLE 0x100
#define XP_MATCH_OVERLAP 0x200

struct xp_match {
	struct xp_subject subject;
	__u32 base;
	__u32 count;
	__u32 result; /* verdict | XP_MATCH_WHOLE | XP_MATCH_OVERLAP | XP_RTP(); 0: no rule */
};

static long xp_match_one(__u32 i, struct xp_match *m)
{
	__u32 at = m->base + i;
	struct xp_rule *rule;

	rule = bpf_map_lookup_elem(&xp_rules, &at);
	if (!rule || i >= m->count || !rule->verdict)
		return 1;
	if (!xp_rule_matches(rule, &m->subject))
		return 0;
	/* What the host itself sends is not taken from it. */
	m->result = (XP_CTX_TAKES ? rule->verdict : XP_RULE_TAP) |
		    (rule->flags & XP_RULE_WHOLE ? XP_MATCH_WHOLE : 0) |
		    (rule->flags & XP_RULE_OVERLAP ? XP_MATCH_OVERLAP : 0);
	if (m->subject.proto == IPPROTO_UDP)
		m->result |= rule->rtp & XP_RTP_MASK;
	return 1;
}

/*
 * The first rule that wants this packet: its verdict, with XP_MATCH_WHOLE, _OVERLAP, XP_RTP(); 0:
 * none does. `part`: the first that may want the datagram of which it is a part.
 */
__attribute__((noinline)) int xp_match_rules(const struct xp_packet *p, int part)
{
	struct xp_settings *settings;
	struct xp_match m = {};
	__u32 zero = 0;

	settings = bpf_map_lookup_elem(&xp_settings, &zero);
	if (!settings || !p || settings->stopped || !settings->rule_count)
		return 0;
	m.base = settings->rule_half ? XP_MAX_RULES : 0;
	m.count = settings->rule_count;
	xp_subject_of(&p->key, p->v6, &m.subject);
	m.subject.part = part;
	bpf_loop(XP_MAX_RULES, xp_match_one, &m, 0);
	return m.result;
}

/* ---- order of activity ---- */

static __always_inline void xp_lru_join(struct xp_list *list, __u32 prev, __u32 next)
{
	struct xp_flow *f;

	if (prev) {
		f = xp_flow_at(prev - 1);
		if (f)
			f->lru_next = next;
	} else {
		list->head = next;
	}
	if (next) {
		f = xp_flow_at(next - 1);
		if (f)
			f->lru_prev = prev;
	} else {
		list->tail = prev;
	}
}

static __always_inline void xp_lru_unlink(struct xp_cursor *cur, struct xp_flow *f)
{
	xp_lru_join(f->state == XP_FLOW_CLOSED ? &cur->closed : &cur->live, f->lru_prev,
		    f->lru_next);
	f->lru_prev = f->lru_next = 0;
}

static __always_inline void xp_lru_push(struct xp_cursor *cur, struct xp_list *list,
					struct xp_flow *f, __u32 index)
{
	__u32 head = list->head;

	f->lru_prev = 0;
	xp_lru_join(list, index + 1, head);
	f->lru_next = head;
	list->head = index + 1;
	f->moved = ++cur->moves;
	f->moved_tick = xp_now();
}

/* A flow has ended: its entry waits among the closed ones, which are the first to go. */
__attribute__((noinline)) int xp_lru_close(__u32 lane, __u32 index)
{
	struct xp_cursor *cur = xp_cursor_at(lane);
	struct xp_flow *f = xp_flow_at(index);

	if (!cur || !f || f->state == XP_FLOW_CLOSED)
		return 0;
	xp_lru_unlink(cur, f);
	f->state = XP_FLOW_CLOSED;
	f->active = xp_now();
	xp_lru_push(cur, &cur->closed, f, index);
	return 0;
}

/* Make a flow the most recently active one. */
__attribute__((noinline)) int xp_lru_front(__u32 lane, __u32 index)
{
	struct xp_cursor *cur = xp_cursor_at(lane);
	struct xp_flow *f = xp_flow_at(index);

	if (!cur || !f)
		return 0;
	xp_lru_unlink(cur, f);
	xp_lru_push(cur, &cur->live, f, index);
	return 0;
}

/*
 * How far from the head a flow may be without being moved there: an eighth of a large table. The
 * flow at the tail is still one that was not active for seven eighths of all moves.
 */
static __always_inline __u32 xp_lru_slack(void)
{
	return xp_config.flows >= 512 ? xp_config.flows / 8 : 1;
}

static __always_inline void xp_touch(struct xp_cursor *cur, struct xp_flow *f, __u32 lane)
{
	f->active = xp_now();
	f->packets++;
	if (cur->moves - f->moved >= xp_lru_slack())
		xp_lru_front(lane, XP_FLOW_INDEX(f->handle));
}

/* ---- look-up ---- */

static __always_inline int xp_key_equal(const union xp_key *a, const union xp_key *b, int v6)
{
	if ((a->word[0] ^ b->word[0]) | (a->word[1] ^ b->word[1]) | (a->word[2] ^ b->word[2]))
		return 0;
	return !v6 ||
	       !((a->word[3] ^ b->word[3]) | (a->word[4] ^ b->word[4]) | (a->word[5] ^ b->word[5]));
}

static __always_inline void xp_key_copy(union xp_key *to, const union xp_key *from, int v6)
{
	to->word[0] = from->word[0];
	to->word[1] = from->word[1];
	to->word[2] = from->word[2];
	to->word[3] = v6 ? from->word[3] : 0;
	to->word[4] = v6 ? from->word[4] : 0;
	to->word[5] = v6 ? from->word[5] : 0;
}

/* Handle under a key; XP_NONE. */
static __always_inline __u32 xp_handle_of(const union xp_key *key, int v6)
{
	__u32 *handle;

	if (v6)
		handle = bpf_map_lookup_elem(&xp_flows6, &key->v6);
	else
		handle = bpf_map_lookup_elem(&xp_flows4, &key->v4);
	return handle ? *handle : XP_NONE;
}

static __always_inline struct xp_flow *xp_flow_of(__u32 handle)
{
	struct xp_flow *f = xp_flow_at(XP_FLOW_INDEX(handle));

	return f && f->handle == handle && f->state != XP_FLOW_FREE ? f : NULL;
}

/*
 * The flow of a handle that was remembered with a key, if it lives still. The first words of an
 * IPv6 key may be made to look like an IPv4 key.
 */
static __always_inline struct xp_flow *xp_flow_remembered(__u32 handle, int v6)
{
	struct xp_flow *f = xp_flow_of(handle);

	return f && !(f->flags & XP_FLOW_V6) == !v6 ? f : NULL;
}

static __always_inline __u64 xp_key_mix(const union xp_key *key, int v6)
{
	__u64 mix = key->word[0] ^ key->word[1] * 0x9e3779b97f4a7c15ull ^ key->word[2];

	if (v6)
		mix ^= key->word[3] + key->word[4] * 0xc2b2ae3d27d4eb4full;
	return mix * 0x9e3779b97f4a7c15ull;
}

/* Look-up through the lane's memory of recent flows: two cache lines less than the hash table. */
static __always_inline struct xp_flow *xp_flow_recent(const union xp_key *key, int v6, __u32 lane)
{
	__u64 mix = xp_key_mix(key, v6);
	__u32 at = lane * XP_RECENT + (mix >> 48 & (XP_RECENT - 1)), tag = mix >> 16;
	struct xp_recent *recent = bpf_map_lookup_elem(&xp_recent, &at);
	struct xp_flow *f;

	if (!recent)
		return NULL;
	if (recent->tag == tag) {
		f = xp_flow_remembered(recent->handle, v6);
		if (f && xp_key_equal(&f->key, key, v6))
			return f;
	}
	f = xp_flow_of(xp_handle_of(key, v6));
	if (f) {
		recent->tag = tag;
		recent->handle = f->handle;
	}
	return f;
}

static __always_inline __u32 xp_key_delete(struct xp_flow *f)
{
	if (f->flags & XP_FLOW_V6)
		return bpf_map_delete_elem(&xp_flows6, &f->key.v6);
	return bpf_map_delete_elem(&xp_flows4, &f->key.v4);
}

/* ---- the edge ---- */

/* Is stream offset `o` in the flow's own area? (R10) */
static __always_inline int xp_in_own(const struct xp_flow *f, __u64 o)
{
	return f->flags & XP_FLOW_OWN && o >= f->own_start && o - f->own_start < f->own_length;
}

/* The flow's edge as completions tell it: RTP flows count in packets. */
static __always_inline __u64 xp_told_edge(const struct xp_flow *f)
{
	return f->flags & XP_FLOW_RTP ? f->isn + (f->edge >> f->slot_shift) : f->edge;
}

/* `bytes` of the stream are given up. */
static __always_inline void xp_count_gap_bytes(__u32 lane, struct xp_flow *f, __u64 bytes)
{
	struct xp_counters *counters = bpf_map_lookup_elem(&xp_reasons, &lane);

	f->gap_bytes += bytes;
	if (counters)
		counters->gap_bytes += bytes;
}

/* A gap is told of. */
static __always_inline void xp_count_gap(__u32 lane, struct xp_flow *f, __u32 reason)
{
	f->gaps++;
	/* The other reasons are those of a flow's end, counted there. */
	if (reason == XP_R_AGED || reason == XP_R_FLUSHED || reason == XP_R_GAP_ACKED ||
	    reason == XP_R_GAP_WINDOW || reason == XP_R_GAP_DEADLINE || reason == XP_R_HOLES_FULL)
		xp_count_reason(lane, reason);
}

/* ---- early blocks ---- */

/* The slot of a block that names the area of stream offset `o`. Free blocks have all slots 0. */
static __always_inline __u32 *xp_slot(struct xp_early *e, __u64 o)
{
	__u32 i = (__u32)(o >> xp_config.area_shift) & (xp_config.window - 1);

	return &e->slot[i & (XP_MAX_WINDOW - 1)];
}

/* Give the flow a block to remember holes in: 0, or -1 if the lane has none left. */
static __always_inline int xp_early_take(struct xp_cursor *cur, struct xp_flow *f, __u32 lane)
{
	struct xp_early *e;
	__u32 block;

	if (cur->free_early)
		block = cur->free_early - 1;
	else if (cur->used_early < xp_config.early)
		block = lane * xp_config.early + cur->used_early;
	else
		return -1;
	e = xp_early_at(block);
	if (!e)
		return -1;
	if (cur->free_early)
		cur->free_early = e->link;
	else
		cur->used_early++;
	e->count = 0;
	e->flow = XP_FLOW_INDEX(f->handle);
	*xp_slot(e, f->edge) = f->area + 1; /* XP_NONE + 1 is 0: none */
	f->early = block;
	f->hole_tick = xp_now();
	f->acked = 0;
	return 0;
}

/* No hole is left: the block goes back, the flow keeps the area that holds its edge. */
static __always_inline void xp_early_drop(struct xp_cursor *cur, struct xp_flow *f)
{
	struct xp_early *e = xp_early_at(f->early);
	__u32 *slot;

	if (!e)
		return;
	slot = xp_slot(e, f->edge);
	f->area = *slot - 1;
	*slot = 0;
	e->link = cur->free_early;
	cur->free_early = f->early + 1;
	f->early = XP_NONE;
}

#endif
