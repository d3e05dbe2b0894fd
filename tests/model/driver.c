/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * driver.c - see driver.h. Each step goes to the program, then to the model, then both are
 * compared; at the end of a schedule so are tables, areas, and what ending all flows tells.
 *
 * A schedule leaves no flow behind, so that thousands of them can share a context: loading takes
 * far longer than running. What does stay (partly used areas, remembered keys) stays in the model
 * as well.
 */
#include <errno.h>
#include <linux/bpf.h>
#include <linux/pkt_cls.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "../prog/out.h"
#include "compare.h"
#include "decode.h"
#include "pair.h"

#define FEW (1u << 20)	 /* bytes of a UMEM whose areas run out */
#define PLAIN_HEADERS 54 /* Ethernet, IPv4, TCP */
#define DEFAULT_AREA 4096u
#define AUDITS 8     /* one for so many schedules */
#define RTP_SHIFT 10 /* of flows that are added: slots of 1024 bytes */
#define RTP_DEADLINE 30000
#define MANY 8192 /* completions: more than a ring of the setups has */

static struct xp_completion seen[MANY];

/* ---- contexts ---- */

static struct xdplace_opts options(const struct setup *s)
{
	struct xdplace_opts opts = {
		.size = sizeof(opts),
		.umem_size = s->umem ? s->umem : 4 << 20,
		.area_size = s->area,
		.window = s->window,
		.flows = s->flows ? s->flows : 256,
		.early = s->early,
		.lanes = s->lanes ? s->lanes : 1,
		.ring = s->ring,
		.threshold = s->threshold,
		.flow_age_ms = s->flow_age,
		.closed_age_ms = s->closed_age,
		.hole_age_ms = s->hole_age,
		.datagrams = s->datagrams,
		.fragment_age_ms = s->fragment_age,
		.rtp = s->rtp,
		.own_size = s->own * (s->area ? s->area : DEFAULT_AREA),
		.egress = s->out ? XP_EGRESS_AUTO : XP_EGRESS_OFF,
		.no_checksum = s->no_checksum,
		.no_pickup = s->no_pickup,
		.no_selftest = true,
	};

	return opts;
}

static int add_rules(struct driver *d, const struct setup *setup)
{
	static const char *const standard[] = {"tap stream any", NULL};
	const char *const *text = setup->rules[0] ? setup->rules : standard;
	struct xp_rule rule;
	size_t where;
	int n, err;

	for (; *text; text++) {
		err = xdplace_rule_parse(*text, &rule, &where);
		if (!err)
			err = xdplace_rule_add(d->ctx, &rule);
		if (err < 0)
			return err;
	}
	n = xdplace_rules(d->ctx, d->rule, XP_MAX_RULES);
	if (n < 0)
		return n;
	model_open(&d->m, d->config, d->rule, n);
	return 0;
}

static int open_lanes(struct driver *d)
{
	uint32_t i;

	for (i = 0; i < d->config->lanes; i++) {
		d->lane[i] = xdplace_lane_open(d->ctx, i);
		if (!d->lane[i])
			return -errno;
	}
	return 0;
}

int driver_open(struct driver *d, const struct setup *setup)
{
	struct xdplace_opts opts = options(setup);
	int err;

	memset(d, 0, sizeof(*d));
	d->setup = setup;
	d->ctx = xdplace_open(&opts);
	err = d->ctx ? 0 : -errno;
	if (!err) {
		d->config = xdplace_config(d->ctx);
		d->umem = xdplace_umem(d->ctx, &d->umem_size);
		err = add_rules(d, setup);
	}
	if (!err && d->config->own_areas)
		memset(d->umem + d->m.own_base, 0, d->umem_size - d->m.own_base);
	if (!err)
		err = open_lanes(d);
	if (!err && setup->out)
		err = out_attach(d->ctx);
	if (err)
		differ(d, "%s", xdplace_error());
	return err;
}

void driver_close(struct driver *d)
{
	uint32_t i;

	for (i = 0; i < XP_MAX_LANES; i++)
		xdplace_lane_close(d->lane[i]);
	xdplace_close(d->ctx);
	model_close(&d->m);
	outcome_free(&d->told);
	free(d->handle);
	memset(d, 0, sizeof(*d));
}

/* ---- the consumer ---- */

static int release(struct driver *d, uint32_t lane)
{
	if (xdplace_lane_release(d->lane[lane], d->unreleased[lane]))
		return differ(d, "%s", xdplace_error());
	model_release(&d->m, lane, d->areas[lane]);
	d->unreleased[lane] = d->areas[lane] = 0;
	return 0;
}

static int release_all(struct driver *d)
{
	uint32_t lane;

	for (lane = 0; lane < d->config->lanes; lane++)
		if (release(d, lane))
			return -1;
	return 0;
}

/* Completions of one packet hang together: all but the last say that there are more. */
static int check_more(struct driver *d, int n)
{
	uint32_t packets = 0;
	int i;

	for (i = 0; i < n; i++)
		packets += !(seen[i].flags & XP_MORE);
	if (packets <= d->packets && !(seen[n - 1].flags & XP_MORE))
		return 0;
	return differ(d, "%d completions of %u packets: %u say that they are the last of one", n,
		      d->packets, packets);
}

/* Read what is new in all lanes, in that of the packet first. */
static int poll_lanes(struct driver *d, bool packet, uint32_t first)
{
	uint32_t lane, k;
	int i, n;

	for (k = 0; k < d->config->lanes; k++) {
		lane = (first + k) % d->config->lanes;
		n = xdplace_lane_poll(d->lane[lane], seen, MANY);
		if (n <= 0)
			continue;
		if (packet && check_more(d, n))
			return -1;
		for (i = 0; i < n; i++) {
			if (compare_read(d, lane, &seen[i]))
				return -1;
			d->told.sealed = packet && !(seen[i].flags & XP_MORE);
		}
		d->unreleased[lane] += n;
	}
	return 0;
}

/* ---- steps ---- */

static uint32_t ticks(const struct driver *d)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
	return ((uint64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000) / d->config->tick_us;
}

static void sleep_ms(unsigned ms)
{
	struct timespec time = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000l};

	nanosleep(&time, NULL);
}

static int read_counters(struct driver *d, struct xp_counters *before)
{
	*before = d->counted;
	if (xdplace_stats(d->ctx, XP_NONE, &d->counted))
		return differ(d, "%s", xdplace_error());
	return 0;
}

/* Numbers of flows that the model has given out by now have a place for their handles. */
void driver_number(struct driver *d)
{
	uint32_t room = d->m.ids + 1;

	if (room <= d->handles)
		return;
	d->handle = realloc(d->handle, 2 * room * sizeof(*d->handle));
	if (!d->handle)
		abort();
	for (; d->handles < 2 * room; d->handles++)
		d->handle[d->handles] = XP_NONE;
}

/* In the model's numbers, if known: by this time each flow has been told of. */
void driver_renumber(struct driver *d)
{
	uint32_t i;
	size_t k;

	for (k = 0; k < d->told.events; k++) {
		for (i = 1; i < d->handles; i++)
			if (d->told.event[k].flow == d->handle[i] + 1)
				break;
		if (d->told.event[k].flow)
			d->told.event[k].flow = i;
	}
	outcome_sort(&d->told);
	outcome_sort(&d->m.out);
	for (k = 0; k < d->told.events; k++)
		d->told.event[k].flow = d->told.event[k].flow < d->handles
						? d->handle[d->told.event[k].flow] + 1
						: 0;
}

/* As the stack would hand it over: what is left to the NIC, beside it. */
static int send_out(struct driver *d, const struct step *step)
{
	bool v6 = step->p.v6, udp = step->p.udp;
	struct virtio_net_hdr offload = {
		.flags = step->p.fault == FAULT_PSEUDO ? VIRTIO_NET_HDR_F_NEEDS_CSUM : 0,
		.gso_size = step->gso,
		.hdr_len = d->frame.headers, /* only these are linear */
		.csum_start = d->frame.l4,
		.csum_offset = udp ? 6 : 16,
	};

	if (step->tag || step->came_in)
		return out_run(d->ctx, d->frame.bytes, d->frame.len,
			       step->tag ? OUT_TAG(step->tag) : 0, step->came_in);
	if (step->gso)
		offload.gso_type = udp	? VIRTIO_NET_HDR_GSO_UDP_L4
				   : v6 ? VIRTIO_NET_HDR_GSO_TCPV6
					: VIRTIO_NET_HDR_GSO_TCPV4;
	return out_send(d->frame.bytes, d->frame.len, step->gso ? &offload : NULL);
}

/* Show the frame to a program: 0, 1 the kernel refused it, -1. */
static int show(struct driver *d, const struct step *step, int *action)
{
	int r;

	*action = XDP_PASS;
	if (!step->out) {
		*action = xdplace_run(d->ctx, step->lane, d->frame.bytes, d->frame.len);
		return *action < 0 ? differ(d, "%s", xdplace_error()) : 0;
	}
	r = out_lane(d->ctx, step->lane);
	if (!r)
		r = send_out(d, step);
	if (step->tag || step->came_in) /* "next, please" */
		return r == TC_ACT_UNSPEC ? 0 : differ(d, "egress program: %d", r);
	/* Which offloads a packet socket can ask for is the kernel's business. */
	if (r == -EINVAL && step->gso)
		return 1;
	return r ? differ(d, "send: %s", strerror(-r)) : 0;
}

static int step_packet(struct driver *d, const struct step *step)
{
	struct model_frame frame = {.bytes = d->frame.bytes,
				    .len = d->frame.len,
				    .lane = step->lane,
				    .out = step->out,
				    .came_in = step->came_in,
				    .gso = step->gso,
				    .tag = step->tag};
	struct xp_counters before;
	uint32_t lane, room, refused;
	int action, r;

	d->packets = model_packets(&d->m, &frame);
	r = show(d, step, &action);
	if (r)
		return r < 0 ? r : 0;
	lane = model_lane_of(&d->m, &frame);
	room = d->config->ring - d->unreleased[lane];
	if (poll_lanes(d, true, lane) || read_counters(d, &before))
		return -1;
	if (d->unreleased[lane] > d->config->ring)
		return differ(d, "%u completions in a ring of %u", d->unreleased[lane],
			      d->config->ring);
	/* With less room than the rarest packet needs, each one may be refused. */
	refused = d->counted.ring_full - before.ring_full;
	if (d->packets == 1 && room >= XP_SLOW_ROOM + (d->part ? XP_PART_ROOM : 0))
		refused = 0;
	model_packet(&d->m, &frame, refused);
	driver_number(d);
	if (compare_events(d))
		return -1;
	if (action != (step->out ? XDP_PASS : d->m.out.action))
		return differ(d, "XDP action %d, should be %d", action, d->m.out.action);
	return compare_counters(d);
}

static struct model_own own_of(const struct driver *d, const struct step *step)
{
	uint32_t shift = d->config->area_shift;
	struct model_own own = {.start = (uint64_t)step->own_start << shift,
				.length = (uint32_t)step->own_areas << shift,
				.address = d->m.own_base + ((uint32_t)step->own_at << shift)};

	return own;
}

static struct xdplace_flow_opts flow_opts(const struct step *step, const struct model_own *own)
{
	struct xdplace_flow_opts opts = {.size = sizeof(opts), .lane = step->lane};

	opts.take = step->p.flags & FIN;
	if (own->length) {
		opts.own_start = own->start;
		opts.own_length = own->length;
		opts.own_address = own->address;
	}
	return opts;
}

static int step_add(struct driver *d, const struct step *step)
{
	struct model_add add = {.v6 = step->p.v6, .own = own_of(d, step)};
	struct xdplace_flow_opts opts = flow_opts(step, &add.own);
	uint32_t handle = XP_NONE;
	int is, should;

	packet_key(&step->p, &add.key);
	add.take = opts.take;
	if (step->rtp.on) {
		opts.rtp = true;
		opts.slot = 1u << RTP_SHIFT;
		opts.deadline_ms = RTP_DEADLINE;
		add.rtp = XP_RTP(RTP_SHIFT, RTP_DEADLINE);
	}
	is = xdplace_flow_add(d->ctx, &add.key, add.v6, &opts, &handle);
	should = model_add(&d->m, step->lane, &add);
	driver_number(d);
	if (is != should)
		return differ(d, "add: %d, should be %d", is, should);
	if (!is)
		d->handle[d->m.ids] = handle;
	return 0;
}

static int step_own(struct driver *d, const struct step *step)
{
	struct model_own own = own_of(d, step);
	struct xdplace_flow_opts opts = flow_opts(step, &own);
	union xp_key key;
	uint32_t handle;
	int is, should;

	packet_key(&step->p, &key);
	is = xdplace_flow_find(d->ctx, &key, step->p.v6, &handle);
	if (!is)
		is = xdplace_flow_own(d->ctx, handle, &opts);
	should = model_own(&d->m, &key, &own);
	return is == should ? 0 : differ(d, "own: %d, should be %d", is, should);
}

static int step_delete(struct driver *d, const struct step *step)
{
	union xp_key key;
	uint32_t handle;
	int is, should;

	packet_key(&step->p, &key);
	is = xdplace_flow_find(d->ctx, &key, step->p.v6, &handle);
	if (!is)
		is = xdplace_flow_del(d->ctx, handle);
	should = model_delete(&d->m, &key);
	return is == should ? 0 : differ(d, "delete: %d, should be %d", is, should);
}

/* A command: what it does is told as a packet's doings are. */
static int step_command(struct driver *d, const struct step *step)
{
	struct xp_counters before;
	int r = 0;

	if (step->kind == STEP_ADD)
		r = step_add(d, step);
	if (step->kind == STEP_OWN)
		r = step_own(d, step);
	if (step->kind == STEP_DELETE)
		r = step_delete(d, step);
	if (step->kind == STEP_TICK) {
		r = xdplace_lane_tick(d->lane[step->lane]);
		model_tick(&d->m, step->lane);
	}
	if (r || poll_lanes(d, false, 0) || read_counters(d, &before))
		return -1;
	/* Which flow's holes are looked at first is nobody's business. */
	if (step->kind == STEP_TICK)
		driver_renumber(d);
	return compare_events(d) ? -1 : compare_counters(d);
}

/* End all flows of a lane: what they tell is the last to be compared. */
static int flush_lane(struct driver *d, uint32_t lane)
{
	struct xp_counters before;
	uint32_t rounds = 0;
	int left;

	outcome_clear(&d->told);
	d->headers = 0;
	d->m.now = ticks(d);
	do {
		left = xdplace_lane_flush(d->lane[lane]);
		if (left < 0)
			return differ(d, "%s", xdplace_error());
		if (rounds++ > d->config->flows)
			return differ(d, "ending all flows of lane %u does not end", lane);
		if (poll_lanes(d, false, 0) || release_all(d))
			return -1;
	} while (left);
	model_flush(&d->m, lane);
	/* Which flow was active last, two CPUs decided. */
	if (d->setup->pair)
		driver_renumber(d);
	if (read_counters(d, &before) || compare_events(d))
		return -1;
	return compare_counters(d);
}

static int flush(struct driver *d)
{
	uint32_t lane;

	d->holding = false;
	if (release_all(d))
		return -1;
	for (lane = 0; lane < d->config->lanes; lane++)
		if (flush_lane(d, lane))
			return -1;
	return 0;
}

static int step_run(struct driver *d, const struct step *step)
{
	uint32_t before = ticks(d);
	struct decoded known;
	int r = 0;

	outcome_clear(&d->told);
	d->headers = 0;
	d->packets = 1;
	d->steps++;
	d->m.now = before;
	switch (step->kind) {
	case STEP_PACKET:
		step_frame(step, &d->frame);
		d->part = !decode(d->frame.bytes, d->frame.len, XP_P_ALL, &known) && known.part;
		r = step_packet(d, step);
		break;
	case STEP_SLEEP:
		sleep_ms(step->ms);
		return 0;
	case STEP_HOLD:
	case STEP_LET_GO:
		d->holding = step->kind == STEP_HOLD;
		break;
	case STEP_FLUSH:
		r = flush(d);
		break;
	default:
		/* Commands need room in the ring: what happens without is tested elsewhere. */
		r = release_all(d);
		if (!r)
			r = step_command(d, step);
	}
	if (ticks(d) - before > 1)
		d->m.unsure = true;
	if (!r && !d->holding)
		r = release_all(d);
	return r;
}

/* This step and all packets behind it. */
static int step_pair(struct driver *d, const struct schedule *s)
{
	size_t behind;
	int r;

	d->headers = 0;
	d->packets = 1;
	d->m.now = ticks(d);
	r = pair_run(d, s, d->at + 1, &behind);

	d->at = behind - 1;
	return r ? r : release_all(d);
}

/* A packet that takes areas and leaves no flow behind. */
static int feed(struct driver *d, uint8_t flags, uint32_t seq, uint32_t len, enum fault fault)
{
	struct step step = {.kind = STEP_PACKET};

	step.p.flags = flags;
	step.p.seq = seq;
	step.p.len = len;
	step.p.fault = fault;
	return step_run(d, &step);
}

/*
 * Where areas are so few that they run out, each schedule begins as the first one does: with no
 * area in use. Else a difference would depend on all that ran before. One lane.
 */
static int settle(struct driver *d)
{
	const struct model_lane *lane = &d->m.lane[0];
	uint32_t left, seq = 0;
	int r = 0;

	while (!r && lane->cells[1])
		r = feed(d, ACK, 0, 0, FAULT_CHECKSUM);
	while (!r && lane->cells[0])
		r = feed(d, SYN, seq += 1000, 0, FAULT_NONE);
	while (!r && lane->frame) {
		left = (1u << d->config->area_shift) - lane->frame - XP_PAD - PLAIN_HEADERS;
		if (left < d->config->threshold || left > 8000)
			left = 2000;
		r = feed(d, ACK, 0, left, FAULT_CHECKSUM);
	}
	return r ? r : flush(d);
}

static int finish(struct driver *d)
{
	bool audit = d->careful || d->runs++ % AUDITS == 0;

	/* An audit takes as long as the schedule, and what is lost stays lost. */
	if (compare_flows(d) || compare_own(d) || release_all(d) || (audit && compare_areas(d)))
		return -1;
	if (flush(d))
		return -1;
	if (d->setup->umem && d->setup->umem <= FEW && settle(d))
		return -1;
	d->m.ids = 0;
	d->handles = 0;
	return audit ? compare_areas(d) : 0;
}

enum driver_result driver_run(struct driver *d, const struct schedule *s)
{
	int r = 0;

	d->m.unsure = d->m.slow = false;
	for (d->at = 0; d->at < s->steps && !r; d->at++)
		r = s->step[d->at].kind == STEP_PAIR ? step_pair(d, s)
						     : step_run(d, &s->step[d->at]);
	if (!r)
		r = finish(d);
	else
		d->at--;
	if (d->m.slow)
		return DRIVER_UNSURE;
	/* With ages that take no part nothing of this is heard of. */
	if (d->m.unsure && (d->setup->flow_age || d->setup->closed_age || d->setup->hole_age ||
			    d->setup->fragment_age))
		return DRIVER_UNSURE;
	return r ? DRIVER_DIFFERENT : DRIVER_SAME;
}
