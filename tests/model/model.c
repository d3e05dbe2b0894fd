/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * model.c - see model.h: the table of flows, and what becomes of a packet as a whole. Streams are
 * in stream.c.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/bpf.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "decode.h"
#include "stream.h"

/* ---- flows ---- */

struct model_flow *model_find(const struct model *m, const union xp_key *key)
{
	uint32_t i;

	for (i = 0; i < m->flows; i++)
		if (!memcmp(&m->flow[i]->key, key, sizeof(*key)))
			return m->flow[i];
	return NULL;
}

static void forget(struct model *m, struct model_flow *f)
{
	uint32_t i;

	for (i = 0; m->flow[i] != f; i++)
		;
	m->flow[i] = m->flow[--m->flows];
	if (f->rtp && f->rtp->block)
		m->lane[f->lane].rtp--;
	rtp_forget(f);
	free(f->ahead);
	free(f);
}

/* The lane's flow that was first to be active (or to end, among the ended ones) of them all. */
static struct model_flow *oldest(const struct model *m, uint32_t lane, bool ended)
{
	struct model_flow *found = NULL;
	uint32_t i;

	for (i = 0; i < m->flows; i++)
		if (m->flow[i]->lane == lane && (m->flow[i]->state == XP_FLOW_CLOSED) == ended &&
		    (!found || m->flow[i]->turn < found->turn))
			found = m->flow[i];
	return found;
}

static uint32_t flows_of(const struct model *m, uint32_t lane)
{
	uint32_t i, n = 0;

	for (i = 0; i < m->flows; i++)
		n += m->flow[i]->lane == lane;
	return n;
}

/* Is it longer ago than `limit` ticks? Ticks may be counted a little apart on both sides. */
bool ticks_older(struct model *m, uint32_t since, uint32_t limit)
{
	int32_t beyond = (int32_t)(m->now - since - limit);

	if (beyond >= -1 && beyond <= 2)
		m->unsure = true;
	return beyond > 0;
}

/* An entry for one more flow; the op-code of the packet that sets it up. */
static uint8_t make_room(struct turn *t)
{
	struct model *m = t->m;
	struct model_flow *f = oldest(m, t->lane, true);
	uint8_t opcode = XP_FIRST;

	if (flows_of(m, t->lane) < m->config.flows)
		return XP_FIRST;
	if (!f) {
		f = oldest(m, t->lane, false);
		if (m->config.flow_ticks && ticks_older(m, f->active, m->config.flow_ticks)) {
			stream_end(t, f, XP_R_AGED);
		} else {
			stream_end(t, f, XP_R_REPLACED);
			opcode = XP_REPLACE;
		}
	}
	forget(m, f);
	return opcode;
}

static struct model_flow *new_flow(struct turn *t, const union xp_key *key, uint8_t flags)
{
	struct model *m = t->m;
	struct model_flow *f = calloc(1, sizeof(*f));

	if (m->flows == m->flow_room) {
		m->flow_room = 2 * m->flow_room + 64;
		m->flow = realloc(m->flow, m->flow_room * sizeof(*m->flow));
	}
	if (!f || !m->flow)
		abort();
	m->flow[m->flows++] = f;
	f->id = ++m->ids;
	f->key = *key;
	f->flags = flags;
	f->lane = t->lane;
	f->state = XP_FLOW_EXPECTED;
	f->turn = ++m->turns;
	f->active = m->now;
	return f;
}

/* ---- rules ---- */

static bool covers(const uint8_t *prefix, unsigned bits, const uint8_t *address)
{
	unsigned i;

	for (i = 0; i < bits; i++)
		if ((prefix[i / 8] ^ address[i / 8]) >> (7 - i % 8) & 1)
			return false;
	return true;
}

struct ends {
	const uint8_t *src, *dst;
	uint16_t sport, dport;
};

static bool rule_fits(const struct xp_rule *rule, const struct ends *e, bool any_port)
{
	if (!any_port && (e->sport < rule->sport_min || e->sport > rule->sport_max ||
			  e->dport < rule->dport_min || e->dport > rule->dport_max))
		return false;
	return covers(rule->src, rule->src_bits, e->src) &&
	       covers(rule->dst, rule->dst_bits, e->dst);
}

static bool rule_wants(const struct xp_rule *rule, const struct decoded *d, bool any_port)
{
	const union xp_key *k = &d->key;
	uint8_t kind = d->v6 ? k->v6.vnet_kind : k->v4.vnet_kind;
	uint32_t vnet = d->v6 ? k->v6.vnet : k->v4.vnet;
	struct ends there =
			    {
				    .src = d->v6 ? k->v6.src : (const uint8_t *)&k->v4.src,
				    .dst = d->v6 ? k->v6.dst : (const uint8_t *)&k->v4.dst,
				    .sport = ntohs(d->v6 ? k->v6.sport : k->v4.sport),
				    .dport = ntohs(d->v6 ? k->v6.dport : k->v4.dport),
			    },
		    back = {there.dst, there.src, there.dport, there.sport};

	if (!d->unknown && rule->proto && (rule->proto == IPPROTO_TCP) != d->tcp)
		return false;
	if (rule->flags & (d->v6 ? XP_RULE_V4 : XP_RULE_V6))
		return false;
	if (rule->vnet_kind && (rule->vnet_kind != kind || (!rule->any_vnet && rule->vnet != vnet)))
		return false;
	return rule_fits(rule, &there, any_port) ||
	       (rule->flags & XP_RULE_EITHER && rule_fits(rule, &back, any_port));
}

static const struct xp_rule *rule_for(const struct model *m, const struct decoded *d)
{
	uint32_t i;

	for (i = 0; i < m->rules; i++)
		if (rule_wants(&m->rule[i], d, false))
			return &m->rule[i];
	return NULL;
}

/* ---- a packet ---- */

/* Delivered as it came: in a hybrid cell if it is small, else in the frame area. */
void put_whole(struct turn *t, uint8_t opcode, uint8_t reason)
{
	uint32_t bytes = t->d.headers + t->d.payload, size = area_size(t->m), done = 0, n;
	struct model_lane *lane = &t->m->lane[t->lane];

	t->opcode = opcode;
	t->reason = reason;
	if (bytes < t->m->config.threshold) {
		take_header(t, bytes, true);
		tell(t, t->f, opcode, t->reason, 0);
		return;
	}
	for (; done < bytes; done += n) {
		if (!lane->frame || lane->frame + XP_PAD + bytes - done > size) {
			if (!take_area(t)) {
				t->reason = XP_R_NO_AREA;
				tell(t, t->f, opcode, XP_R_NO_AREA, 0);
				return;
			}
			lane->frame = 0;
		}
		n = size - lane->frame - XP_PAD;
		if (n > bytes - done)
			n = bytes - done;
		tell_frame(t, t->f, opcode, t->reason, done, n);
		lane->frame = (lane->frame + XP_PAD + n + 63) / 64 * 64 % size;
	}
}

void put_hybrid(struct turn *t, uint8_t opcode, uint8_t reason)
{
	t->opcode = opcode;
	t->reason = reason;
	take_header(t, t->d.headers, true);
	tell(t, t->f, opcode, t->reason, t->f ? t->f->edge : 0);
}

/* May it set up a flow? (R3, R13) */
static bool eligible(const struct turn *t)
{
	const struct decoded *d = &t->d;

	if (!d->tcp)
		return d->payload;
	if (d->flags & TCP_RST)
		return false;
	return d->flags & TCP_SYN || (t->m->config.knobs & XP_KNOB_PICKUP && d->payload);
}

static void begin(struct turn *t)
{
	struct model_flow *f = t->f;

	f->state = XP_FLOW_OPEN;
	if (!t->d.tcp)
		return;
	if (!(t->d.flags & TCP_SYN))
		f->flags |= XP_FLOW_PICKED;
	f->isn = t->d.seq + !!(t->d.flags & TCP_SYN);
}

/* Does a SYN begin another stream on this flow's key? (R13) */
static bool starts_anew(const struct turn *t)
{
	return t->f->state != XP_FLOW_EXPECTED && t->d.tcp && t->d.flags & TCP_SYN &&
	       !(t->d.flags & TCP_RST) && t->d.seq + 1 != t->f->isn;
}

static void set_up(struct turn *t, const struct xp_rule *rule, uint8_t inherited)
{
	uint8_t flags = inherited, opcode;

	if (rule)
		flags = rule->verdict == XP_RULE_TAKE && !t->out ? XP_FLOW_TAKE : 0;
	flags |= t->d.v6 ? XP_FLOW_V6 : 0;
	opcode = make_room(t);
	t->f = new_flow(t, &t->d.key, flags);
	t->f->state = XP_FLOW_EXPECTED;
	t->opcode = opcode;
	if (rule && rule->rtp && !t->d.tcp)
		rtp_set_up(t, t->f, rule->rtp);
}

void start_anew(struct turn *t, uint8_t reason)
{
	uint8_t inherited = t->f->flags & XP_FLOW_TAKE;
	uint32_t rtp = t->f->rtp ? t->f->rtp->rtp : 0;

	stream_end(t, t->f, reason);
	forget(t->m, t->f);
	set_up(t, NULL, inherited);
	if (rtp)
		rtp_set_up(t, t->f, rtp);
}

static void saw_ack(struct turn *t)
{
	struct model_flow *f = t->f;

	if (!t->d.tcp || !(t->d.flags & TCP_ACK))
		return;
	if (f->flags & XP_FLOW_ACKS && (int32_t)(t->d.ack - f->ack) <= 0)
		return;
	f->flags |= XP_FLOW_ACKS;
	f->ack = t->d.ack;
}

/* A packet of flow t->f, which is new if t->opcode says so. */
static void of_flow(struct turn *t)
{
	struct model_flow *f = t->f;
	bool opens = f->state == XP_FLOW_EXPECTED;
	struct verdict v;

	if (opens && !eligible(t)) {
		f->whole += !!t->d.payload;
		if (t->d.payload)
			put_whole(t, XP_WHOLE, XP_R_NO_FLOW);
		else
			put_hybrid(t, XP_NODATA, XP_R_NO_FLOW);
		return;
	}
	if (opens)
		begin(t);
	stream_judge(t, &v);
	if (v.opcode != XP_NODATA)
		f->strays = v.stray ? f->strays + 1 : 0;
	f->repeats += v.opcode == XP_REPEAT;
	saw_ack(t);
	if (opens)
		v.opcode = t->opcode == XP_REPLACE ? XP_REPLACE : XP_FIRST;
	switch (v.opcode) {
	case XP_NODATA:
	case XP_REPEAT:
		put_hybrid(t, v.opcode, v.reason);
		break;
	case XP_WHOLE:
	case XP_TEARDOWN:
		f->whole++;
		put_whole(t, v.opcode, v.reason);
		break;
	default:
		stream_place(t, &v);
	}
	if (v.opcode == XP_TEARDOWN) {
		stream_end(t, f, v.reason);
		t->opcode = XP_TEARDOWN;
		t->reason = XP_R_OK;
	}
}

/* Wanted, whole, with room: set up what has to be, place, remember. */
static void sound(struct turn *t, const struct xp_rule *rule)
{
	uint8_t refused;

	if (t->f && (starts_anew(t) || elsewhere(t))) {
		start_anew(t, t->d.flags & TCP_SYN ? XP_R_REOPENED : XP_R_LOST_SYNC);
	} else if (!t->f) {
		if (rule->flags & XP_RULE_WHOLE) {
			put_whole(t, XP_FOREIGN, XP_R_RULE_WHOLE);
			return;
		}
		refused = eligible(t) ? XP_R_OK : XP_R_NO_FLOW;
		if (rule->rtp && !t->d.tcp)
			refused = rtp_refused(t, rule->rtp);
		if (refused) {
			put_whole(t, t->d.payload ? XP_WHOLE : XP_FOREIGN, refused);
			return;
		}
		set_up(t, rule, 0);
	}
	if (t->f->rtp)
		rtp_packet(t);
	else
		of_flow(t);
	t->f->packets++;
	if (t->f->state == XP_FLOW_CLOSED)
		return;
	t->f->active = t->m->now;
	t->f->turn = ++t->m->turns;
}

static void wanted(struct turn *t, const struct xp_rule *rule, bool ring_full)
{
	bool verify = t->m->config.knobs & XP_KNOB_CHECKSUM;

	if (ring_full) {
		t->opcode = t->f ? XP_WHOLE : XP_FOREIGN;
		t->reason = XP_R_RING_FULL;
	} else if (verify && (t->d.ip_damaged || t->d.damaged)) {
		if (t->f)
			t->f->damaged++;
		put_whole(t, t->f ? XP_WHOLE : XP_FOREIGN,
			  t->d.ip_damaged ? XP_R_IP_CHECKSUM : XP_R_CHECKSUM);
	} else {
		sound(t, rule);
	}
}

static uint64_t *counter_of_reason(struct model *m, unsigned reason)
{
	return (uint64_t *)&m->counters + XP_COUNTER_REASON + reason;
}

void count_reason(struct model *m, unsigned reason)
{
	++*counter_of_reason(m, reason);
}

static void turn_end(struct turn *t, bool take)
{
	++((uint64_t *)&t->m->counters)[t->opcode];
	if (t->reason)
		count_reason(t->m, t->reason);
	t->m->counters.placed_bytes += t->placed;
	t->m->out.action = take ? XDP_DROP : XDP_PASS;
}

static struct turn turn_start(struct model *m, uint32_t lane)
{
	struct turn t = {.m = m, .lane = lane};

	outcome_clear(&m->out);
	return t;
}

/* t->d and t->frame are those of one packet. */
static void one_packet(struct turn *t, bool ring_full)
{
	const struct xp_rule *rule = NULL;
	bool take;

	t->opcode = XP_FOREIGN;
	t->reason = XP_R_OK;
	if (t->d.part) {
		part_packet(t, ring_full);
		turn_end(t, t->take);
		return;
	}
	t->f = model_find(t->m, &t->d.key);
	if (t->f)
		t->lane = t->f->lane;
	else
		rule = rule_for(t->m, &t->d);
	if (!t->f && !rule) {
		t->reason = XP_R_NO_RULE;
		turn_end(t, false);
		return;
	}
	take = t->f ? t->f->flags & XP_FLOW_TAKE : rule->verdict == XP_RULE_TAKE;
	wanted(t, rule, ring_full);
	turn_end(t, take);
}

/* The tag beside a packet is its outermost; in a tunnel tags say nothing (R2, IEEE 802.1ad). */
static uint8_t put_tag(struct decoded *d, uint32_t tag)
{
	uint8_t *kind = d->v6 ? &d->key.v6.vnet_kind : &d->key.v4.vnet_kind;
	uint32_t vnet = d->v6 ? d->key.v6.vnet : d->key.v4.vnet;

	if (!tag)
		return XP_R_OK;
	if (*kind == XP_VNET_QINQ)
		return XP_R_PROTOCOL;
	if (*kind != XP_VNET_NONE && *kind != XP_VNET_VLAN)
		return XP_R_OK;
	vnet = *kind == XP_VNET_VLAN ? tag << 12 | vnet : tag;
	*kind = *kind == XP_VNET_VLAN ? XP_VNET_QINQ : XP_VNET_VLAN;
	if (d->v6)
		d->key.v6.vnet = vnet;
	else
		d->key.v4.vnet = vnet;
	return XP_R_OK;
}

static uint8_t read_frame(const struct model *m, const struct model_frame *frame, struct decoded *d)
{
	uint8_t reason;

	if (frame->came_in)
		return XP_R_FORWARDED;
	reason = decode(frame->bytes, frame->len, m->config.protocols, d);
	return reason ? reason : put_tag(d, frame->tag);
}

static uint32_t packets_of(const struct model_frame *frame, const struct decoded *d)
{
	if (!frame->gso || d->tcp || d->part || d->payload <= frame->gso)
		return 1;
	return (d->payload + frame->gso - 1) / frame->gso;
}

uint32_t model_packets(const struct model *m, const struct model_frame *frame)
{
	struct decoded d;

	return read_frame(m, frame, &d) ? 1 : packets_of(frame, &d);
}

/* The n-th of several datagrams, behind the headers of all of them. */
static void cut(struct turn *t, const struct model_frame *frame, const struct decoded *all,
		uint32_t n)
{
	static uint8_t one[XP_MAX_HEADER + MAX_DATAGRAM];
	uint32_t at = n * frame->gso, left = all->payload - at;
	bool v4_without = !all->v6 && !frame->bytes[all->l4 + 6] && !frame->bytes[all->l4 + 7];

	t->d = *all;
	t->d.payload = left < frame->gso ? left : frame->gso;
	/* A sum that counts all of them and is finished is that of none. */
	t->d.damaged = !all->unfinished && !v4_without;
	memcpy(one, frame->bytes, all->headers);
	memcpy(one + all->headers, frame->bytes + all->headers + at, t->d.payload);
	t->frame = one;
}

void model_packet(struct model *m, const struct model_frame *frame, uint32_t refused)
{
	struct turn t = turn_start(m, frame->lane), start;
	struct decoded d;
	uint32_t i, n;

	t.frame = frame->bytes;
	t.opcode = XP_FOREIGN;
	t.out = frame->out;
	t.reason = read_frame(m, frame, &d);
	if (t.reason) {
		turn_end(&t, false);
		return;
	}
	t.d = d;
	start = t;
	n = packets_of(frame, &d);
	for (i = 0; i < n; i++) {
		t = start;
		if (n > 1)
			cut(&t, frame, &d, i);
		one_packet(&t, i + refused >= n);
		m->out.sealed = true;
	}
}

void packet_together(struct turn *t)
{
	const struct xp_rule *rule = NULL;

	t->f = model_find(t->m, &t->d.key);
	if (t->f)
		t->lane = t->f->lane;
	else
		rule = rule_for(t->m, &t->d);
	t->take = false;
	if (!t->f && !rule) {
		t->reason = XP_R_NO_RULE;
		return;
	}
	t->take = t->f ? t->f->flags & XP_FLOW_TAKE : rule->verdict == XP_RULE_TAKE;
	wanted(t, rule, false);
}

/*
 * Ports are only in the first fragment: any other may be wanted by the first rule that has the rest
 * right, and nothing is taken for it.
 */
struct wish part_wish(const struct turn *t)
{
	struct model *m = t->m;
	struct wish wish = {.reason = XP_R_NO_RULE};
	const struct model_flow *f = t->d.at ? NULL : model_find(m, &t->d.key);
	const struct xp_rule *rule = NULL;
	uint32_t i;

	for (i = 0; i < m->rules && !rule; i++)
		if (rule_wants(&m->rule[i], &t->d, t->d.at))
			rule = &m->rule[i];
	if (rule) {
		wish.reason = rule->flags & XP_RULE_WHOLE ? XP_R_IP_FRAGMENT : XP_R_OK;
		wish.take = rule->verdict == XP_RULE_TAKE && !t->d.at;
		wish.overlap_first = rule->flags & XP_RULE_OVERLAP;
	}
	if (f) {
		wish.reason = XP_R_OK;
		wish.take = f->flags & XP_FLOW_TAKE;
	}
	if (f ? f->rtp != NULL : rule && rule->rtp)
		wish.reason = XP_R_IP_FRAGMENT;
	if (t->d.tunnel && !wish.reason)
		wish.reason = XP_R_IP_FRAGMENT;
	return wish;
}

uint32_t model_lane_of(const struct model *m, const struct model_frame *frame)
{
	struct model_datagram *g = NULL;
	struct model_flow *f = NULL;
	struct decoded d;

	if (read_frame(m, frame, &d))
		return frame->lane;
	if (d.part)
		g = datagram_find(m, &d);
	else
		f = model_find(m, &d.key);
	return g ? g->lane : f ? f->lane : frame->lane;
}

/* ---- own areas ---- */

bool own_has(const struct model_flow *f, uint64_t at)
{
	return at >= f->own.start && at - f->own.start < f->own.length;
}

void own_put(struct model *m, const struct model_flow *f, uint64_t at, uint32_t bytes,
	     const uint8_t *data)
{
	if (own_has(f, at))
		memcpy(m->own + (f->own.address - m->own_base) + (at - f->own.start), data, bytes);
}

void own_leave(struct model_flow *f)
{
	f->own.length = 0;
	f->flags &= ~XP_FLOW_OWN;
}

static int own_take(struct model *m, struct model_flow *f, const struct model_own *own)
{
	const struct model_own *other;
	uint32_t i;

	for (i = 0; i < m->flows; i++) {
		other = &m->flow[i]->own;
		if (own->address < other->address + other->length &&
		    other->address < own->address + own->length)
			return -EBUSY;
	}
	f->own = *own;
	f->flags |= XP_FLOW_OWN;
	return 0;
}

/* ---- commands ---- */

int model_add(struct model *m, uint32_t lane, const struct model_add *add)
{
	struct turn t = turn_start(m, lane);
	int err = 0;

	if (model_find(m, &add->key))
		return -EEXIST;
	if (add->rtp && m->lane[lane].rtp >= m->config.rtp)
		return -ENOBUFS;
	make_room(&t);
	t.f = new_flow(&t, &add->key, (add->take ? XP_FLOW_TAKE : 0) | (add->v6 ? XP_FLOW_V6 : 0));
	if (add->rtp)
		rtp_set_up(&t, t.f, add->rtp);
	if (add->own.length)
		err = own_take(m, t.f, &add->own);
	if (err)
		forget(m, t.f);
	return err;
}

int model_own(struct model *m, const union xp_key *key, const struct model_own *own)
{
	struct model_flow *f = model_find(m, key);

	turn_start(m, f ? f->lane : 0);
	if (!f || f->state == XP_FLOW_CLOSED)
		return -ENOENT;
	if (f->own.length)
		return -EEXIST;
	if (f->state == XP_FLOW_OPEN && (f->edge > own->start || f->runs || f->rtp))
		return -EBUSY;
	return own_take(m, f, own);
}

int model_delete(struct model *m, const union xp_key *key)
{
	struct model_flow *f = model_find(m, key);
	struct turn t = turn_start(m, f ? f->lane : 0);

	if (!f)
		return -ENOENT;
	stream_end(&t, f, XP_R_DELETED);
	forget(m, f);
	return 0;
}

/* It has sent its FIN, and what the other direction sends is acknowledged by it still. */
static bool half_closed(const struct model *m, const struct model_flow *f)
{
	const struct model_flow *peer = other_half(m, f);

	return f->flags & XP_FLOW_FIN && peer && peer->state == XP_FLOW_OPEN;
}

/* One thing that age asks for. */
static bool tick_once(struct turn *t)
{
	struct model *m = t->m;
	struct model_flow *f = oldest(m, t->lane, true);
	uint32_t i;

	if (part_age(t))
		return true;
	if (f && ticks_older(m, f->active, m->config.closed_ticks)) {
		if (half_closed(m, f)) {
			f->active = m->now;
			f->turn = ++m->turns;
		} else {
			forget(m, f);
		}
		return true;
	}
	f = oldest(m, t->lane, false);
	if (f && m->config.flow_ticks && ticks_older(m, f->active, m->config.flow_ticks)) {
		stream_end(t, f, XP_R_AGED);
		forget(m, f);
		return true;
	}
	for (i = 0; i < m->flows; i++) {
		f = m->flow[i];
		if (f->lane == t->lane && f->rtp && rtp_age(t, f))
			return true;
		if (f->lane != t->lane || f->state != XP_FLOW_OPEN || !f->runs)
			continue;
		if (m->config.hole_ticks && ticks_older(m, f->opened, m->config.hole_ticks))
			stream_give_up(t, f, XP_R_AGED);
		else if (hole_acked(m, f) && ticks_older(m, f->opened, m->config.acked_ticks))
			stream_give_up(t, f, XP_R_GAP_ACKED);
		else
			continue;
		return true;
	}
	return false;
}

void model_tick(struct model *m, uint32_t lane)
{
	struct turn t = turn_start(m, lane);

	while (tick_once(&t))
		;
}

void model_flush(struct model *m, uint32_t lane)
{
	struct turn t = turn_start(m, lane);
	struct model_flow *f;

	part_flush(&t);
	while ((f = oldest(m, lane, false)) || (f = oldest(m, lane, true))) {
		stream_end(&t, f, XP_R_FLUSHED);
		forget(m, f);
	}
}

/* ---- areas ---- */

void model_release(struct model *m, uint32_t lane, uint32_t areas)
{
	uint32_t all = m->lane[lane].rest + areas;

	m->lane[lane].areas += all / XP_FREE_GROUP * XP_FREE_GROUP;
	m->lane[lane].rest = all % XP_FREE_GROUP;
}

void model_areas(const struct model *m, uint32_t kind[XP_AREA_KINDS])
{
	uint32_t i, k;

	memset(kind, 0, XP_AREA_KINDS * sizeof(*kind));
	for (i = 0; i < m->config.lanes; i++) {
		kind[XP_AREA_HEADER] += m->lane[i].cells[0] > 0;
		kind[XP_AREA_HYBRID] += m->lane[i].cells[1] > 0;
		kind[XP_AREA_FRAME] += m->lane[i].frame > 0;
	}
	for (i = 0; i < m->config.lanes; i++)
		kind[XP_AREA_DATAGRAM] += m->lane[i].parts;
	for (i = 0; i < m->flows; i++)
		for (k = 0; k < XP_RTP_WINDOW; k++)
			kind[XP_AREA_REASSEMBLY] += m->flow[i]->rtp ? m->flow[i]->rtp->held[k]
						    : k < m->config.window ? m->flow[i]->held[k]
									   : 0;
}

/* Areas are dealt out to the lanes in groups; the last of each bank is a guard. */
static void deal(struct model *m)
{
	uint32_t i, groups;

	groups = (m->config.areas - m->config.own_areas -
		  (m->config.areas - m->config.own_areas) /
			  (1u << (m->config.bank_shift - m->config.area_shift))) /
		 XP_FREE_GROUP;
	for (i = 0; i < groups; i++)
		m->lane[i % m->config.lanes].areas += XP_FREE_GROUP;
}

void model_open(struct model *m, const struct xp_config *config, const struct xp_rule *rule,
		uint32_t rules)
{
	memset(m, 0, sizeof(*m));
	m->config = *config;
	m->rule = rule;
	m->rules = rules;
	m->own_base = (config->areas - config->own_areas) << config->area_shift;
	m->own = calloc(config->own_areas + 1, 1u << config->area_shift);
	if (!m->own)
		abort();
	deal(m);
}

void model_close(struct model *m)
{
	while (m->flows)
		forget(m, m->flow[0]);
	free(m->flow);
	while (m->datagrams)
		free(m->datagram[--m->datagrams]);
	free(m->datagram);
	free(m->own);
	outcome_free(&m->out);
}
