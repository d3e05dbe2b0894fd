/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * pair.c - see pair.h. The program runs first, on two threads; the model takes CPU 0's packets,
 * then CPU 1's. Then both tell what they have made of all of them.
 */
#include <linux/bpf.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <bpf/bpf.h>

#include "../prog/out.h"
#include "compare.h"
#include "context.h"
#include "pair.h"

#define CPUS 2
#define MOST 1024     /* packets of a CPU */
#define STREAM 400000 /* bytes of a flow of both CPUs, at most */
#define SHARED 16     /* such flows */

struct shot {
	const struct step *step;
	uint8_t *bytes;
	uint32_t len;
	int action; /* or -errno */
};

struct cpu {
	pthread_t thread;
	struct xdplace *ctx;
	unsigned number;
	size_t count;
	struct shot shot[MOST];
};

static struct cpu cpus[CPUS];
static atomic_int waiting;

/* ---- running ---- */

bool pair_possible(void)
{
	cpu_set_t set, old;
	bool possible;

	sched_getaffinity(0, sizeof(old), &old);
	CPU_ZERO(&set);
	CPU_SET(0, &set);
	possible = !sched_setaffinity(0, sizeof(set), &set);
	CPU_ZERO(&set);
	CPU_SET(1, &set);
	possible = possible && !sched_setaffinity(0, sizeof(set), &set);
	sched_setaffinity(0, sizeof(old), &old);
	return possible;
}

/* CPU 0 has the packets of the loopback device, CPU 1 those of the other: their lanes differ. */
static int run_shot(const struct cpu *cpu, const struct shot *shot)
{
	struct xdp_md md = {.ingress_ifindex = out_device(), .data_end = shot->len};
	LIBBPF_OPTS(bpf_test_run_opts, run, .data_in = shot->bytes, .data_size_in = shot->len,
		    .repeat = 1);
	int err;

	if (shot->step->out)
		return out_run(cpu->ctx, shot->bytes, shot->len, 0, false);
	if (cpu->number) {
		run.ctx_in = &md;
		run.ctx_size_in = sizeof(md);
	}
	err = bpf_prog_test_run_opts(cpu->ctx->prog, &run);
	return err ? err : (int)run.retval;
}

static void *run_cpu(void *arg)
{
	struct cpu *cpu = arg;
	cpu_set_t set;
	size_t i;

	CPU_ZERO(&set);
	CPU_SET(cpu->number, &set);
	sched_setaffinity(0, sizeof(set), &set);
	/* Both begin at the same time, as far as they can. */
	atomic_fetch_add(&waiting, 1);
	while (atomic_load(&waiting) < CPUS)
		sched_yield();
	for (i = 0; i < cpu->count; i++)
		cpu->shot[i].action = run_shot(cpu, &cpu->shot[i]);
	return NULL;
}

static void load_cpu(struct cpu *cpu, struct driver *d, const struct step *step)
{
	struct shot *shot = &cpu->shot[cpu->count];

	if (cpu->count == MOST || !step_frame(step, &d->frame))
		return;
	shot->bytes = malloc(d->frame.len);
	if (!shot->bytes)
		abort();
	memcpy(shot->bytes, d->frame.bytes, d->frame.len);
	shot->len = d->frame.len;
	shot->step = step;
	cpu->count++;
}

static void unload(void)
{
	size_t i, k;

	for (k = 0; k < CPUS; k++)
		for (i = 0; i < cpus[k].count; i++)
			free(cpus[k].shot[i].bytes);
	cpus[0].count = cpus[1].count = 0;
}

/* Each CPU's packets arrive in the lane of its first one. */
static int choose_lanes(struct driver *d)
{
	struct xp_port port = {.ifindex = 1, .lanes = 1};
	uint32_t loopback = 1;
	int err;

	port.lane = cpus[0].count ? cpus[0].shot[0].step->lane : 0;
	err = bpf_map_update_elem(d->ctx->map[XP_MAP_PORTS], &loopback, &port, BPF_ANY);
	d->ctx->run_lane = port.lane;
	if (!err && cpus[1].count)
		err = out_lane(d->ctx, cpus[1].shot[0].step->lane);
	return err ? differ(d, "lanes: %s", strerror(-err)) : 0;
}

static int run_both(struct driver *d)
{
	size_t k;

	atomic_store(&waiting, 0);
	for (k = 0; k < CPUS; k++) {
		cpus[k].number = k;
		cpus[k].ctx = d->ctx;
		if (pthread_create(&cpus[k].thread, NULL, run_cpu, &cpus[k]))
			abort();
	}
	for (k = 0; k < CPUS; k++)
		pthread_join(cpus[k].thread, NULL);
	return 0;
}

/* ---- what was told ---- */

/* One side's: of flows of both CPUs, and of what is of no flow. */
struct summary {
	struct outcome rest; /* all other events */
	size_t begun;
	struct begun {
		uint64_t header;
		uint32_t flow;
	} flow[MOST];	  /* set up meanwhile, and the headers of what did that */
	uint64_t no_flow; /* sums of hashes: any order gives the same */
	uint64_t headers;
	struct shared {
		uint32_t flow;
		uint64_t next;	  /* stream offset, or number */
		uint64_t packets; /* datagrams, packets of media: sum of hashes */
		uint64_t gaps;	  /* the same of these */
		uint32_t ends, reason;
		uint8_t *bytes; /* of TCP */
		uint8_t *early;
		bool *is_early;
	} shared[SHARED];
	size_t count;
};

static uint64_t hash(uint64_t seed, const uint8_t *bytes, size_t n)
{
	uint64_t h = (seed ^ 0xcbf29ce484222325u) * 0x100000001b3u;

	for (; n; n--)
		h = (h ^ *bytes++) * 0x100000001b3u;
	return h ^ h >> 29;
}

static struct shared *shared_of(struct summary *s, uint32_t flow)
{
	size_t i;

	for (i = 0; i < s->count; i++)
		if (s->shared[i].flow == flow)
			return &s->shared[i];
	return NULL;
}

static int add_bytes(struct driver *d, struct shared *s, const struct event *e, const uint8_t *data)
{
	if (e->offset + e->length > STREAM)
		return differ(d, "%u bytes at %llu of a stream", e->length,
			      (unsigned long long)e->offset);
	if (e->opcode == XP_EARLY) {
		memcpy(s->early + e->offset, data, e->length);
		memset(s->is_early + e->offset, 1, e->length);
	} else {
		memcpy(s->bytes + e->offset, data, e->length);
	}
	return 0;
}

/* An event of a flow of both CPUs. */
static int add_shared(struct driver *d, struct shared *s, const struct event *e,
		      const uint8_t *data)
{
	bool rtp = e->reason == XP_R_RTP, gap = e->flags & XP_GAP;

	if (e->flags & XP_RELEASE_FLOW) {
		s->ends++;
		s->reason = e->reason;
	}
	if (s->bytes && e->length && !gap && add_bytes(d, s, e, data))
		return -1;
	if (e->opcode == XP_EARLY || e->opcode == XP_REPEAT || (!e->length && !rtp))
		return 0;
	if (e->offset != s->next)
		return differ(d, "%s: told at %llu instead of %llu", xdplace_opcode_name(e->opcode),
			      (unsigned long long)e->offset, (unsigned long long)s->next);
	s->next += rtp ? 1 : e->length;
	if (gap)
		s->gaps += hash(e->offset, NULL, 0) + e->length;
	else if (!s->bytes)
		s->packets += hash(rtp ? e->offset : 0, data, e->length);
	return 0;
}

static void add_no_flow(struct summary *s, const struct event *e, const uint8_t *data)
{
	uint64_t seed = e->opcode | e->reason << 8 | e->flags << 16 | (uint64_t)e->length << 32;

	/* Of a segment that came twice, once in fragments: either may be the repetition. */
	if (e->opcode == XP_FRAGMENT && e->reason == XP_R_REPEATED)
		return;
	/* Which lane a datagram's fragments are in, the first to come decides. */
	if (e->opcode != XP_FRAGMENT)
		seed |= e->lane << 24;
	s->no_flow += hash(seed + (e->opcode == XP_FRAGMENT ? e->offset : 0), data, e->length);
}

/* Has a flow been named by both, or was it set up by a packet before this one? */
static bool is_known(const struct driver *d, const struct summary *s, uint32_t flow, bool theirs)
{
	size_t i;

	for (i = 0; i < s->begun; i++)
		if (s->flow[i].flow == flow)
			return true;
	if (!theirs)
		return d->handle[flow] != XP_NONE;
	for (i = 1; i < d->handles; i++)
		if (d->handle[i] + 1 == flow)
			return true;
	return false;
}

/* Flows of which this packet's events are the first. */
static void note_begun(const struct driver *d, struct summary *s, const struct outcome *out,
		       bool theirs)
{
	uint64_t header = hash(0, out->cells, out->header);
	size_t i;

	for (i = 0; i < out->events && s->begun < MOST; i++) {
		if (!out->event[i].flow || is_known(d, s, out->event[i].flow, theirs))
			continue;
		s->flow[s->begun].header = header;
		s->flow[s->begun++].flow = out->event[i].flow;
	}
	s->headers += out->header ? header : 0;
}

/* Flows of a key follow each other on one CPU: those that began alike did so in one order. */
static int name_begun(struct driver *d, struct summary *is, const struct summary *should)
{
	size_t i, k;

	for (i = 0; i < should->begun; i++) {
		for (k = 0; k < is->begun; k++)
			if (is->flow[k].flow && is->flow[k].header == should->flow[i].header)
				break;
		if (k == is->begun)
			return differ(d, "a flow that should be set up is not");
		d->handle[should->flow[i].flow] = is->flow[k].flow - 1;
		is->flow[k].flow = 0;
	}
	return is->begun == should->begun ? 0 : differ(d, "a flow too many is set up");
}

/* Events of a step, for the sum of all. */
static int summarise(struct driver *d, struct summary *s, const struct outcome *out)
{
	const struct event *e = out->event;
	struct shared *shared;
	const uint8_t *data;

	for (; e < out->event + out->events; e++) {
		data = out->bytes + e->bytes;
		shared = shared_of(s, e->flow);
		if (shared && !(e->flags & XP_FRAME)) {
			if (add_shared(d, shared, e, data))
				return -1;
			continue;
		}
		if (!e->flow) {
			add_no_flow(s, e, data);
			continue;
		}
		s->rest.sealed = true;
		outcome_add(&s->rest, e, data);
	}
	return 0;
}

static int share(struct driver *d, struct summary *s, uint32_t flow, const struct model_flow *f)
{
	struct shared *shared = &s->shared[s->count];
	bool tcp = f->flags & XP_FLOW_V6 ? f->key.v6.proto == 6 : f->key.v4.proto == 6;

	if (shared_of(s, flow))
		return 0;
	if (s->count == SHARED)
		return differ(d, "too many flows of both CPUs");
	memset(shared, 0, sizeof(*shared));
	shared->flow = flow;
	shared->next = f->rtp ? (uint64_t)f->rtp->edge : f->edge;
	s->count++;
	if (!tcp)
		return 0;
	shared->bytes = calloc(3, STREAM);
	if (!shared->bytes)
		abort();
	shared->early = shared->bytes + STREAM;
	shared->is_early = (bool *)shared->early + STREAM;
	return 0;
}

/* Flows of both CPUs are there before it begins. */
static int find_shared(struct driver *d, struct summary *is, struct summary *should)
{
	struct model_flow *f;
	union xp_key key;
	size_t i, k;

	for (k = 0; k < CPUS; k++)
		for (i = 0; i < cpus[k].count; i++) {
			if (!cpus[k].shot[i].step->shared)
				continue;
			packet_key(&cpus[k].shot[i].step->p, &key);
			f = model_find(&d->m, &key);
			if (!f) { /* a schedule that is being shortened */
				d->m.slow = true;
				return differ(d, "a flow of both CPUs has not been set up");
			}
			f->shared = true;
			if (share(d, should, f->id, f) || share(d, is, d->handle[f->id] + 1, f))
				return -1;
		}
	return 0;
}

static void summary_free(struct summary *s)
{
	size_t i;

	for (i = 0; i < s->count; i++)
		free(s->shared[i].bytes);
	outcome_free(&s->rest);
	memset(s, 0, sizeof(*s));
}

/* ---- both sides ---- */

/* One of the program's completions; with the last of a packet, all of them. */
static int read_one(struct driver *d, struct summary *is, uint32_t lane,
		    const struct xp_completion *c)
{
	if (compare_read(d, lane, c))
		return -1;
	if (c->flags & XP_MORE)
		return 0;
	note_begun(d, is, &d->told, true);
	if (summarise(d, is, &d->told))
		return -1;
	outcome_clear(&d->told);
	return 0;
}

static int read_program(struct driver *d, struct summary *is)
{
	static struct xp_completion seen[64];
	uint32_t lane;
	int i, n;

	for (lane = 0; lane < d->config->lanes; lane++) {
		while ((n = xdplace_lane_poll(d->lane[lane], seen, 64)) > 0) {
			for (i = 0; i < n; i++)
				if (read_one(d, is, lane, &seen[i]))
					return -1;
			d->unreleased[lane] += n;
		}
		if (n < 0)
			return differ(d, "%s", xdplace_error());
	}
	return 0;
}

static int run_model(struct driver *d, struct summary *should)
{
	struct model_frame frame;
	const struct shot *shot;
	size_t i, k;

	for (k = 0; k < CPUS; k++)
		for (i = 0; i < cpus[k].count; i++) {
			shot = &cpus[k].shot[i];
			frame = (struct model_frame){.bytes = shot->bytes,
						     .len = shot->len,
						     .lane = cpus[k].shot[0].step->lane,
						     .out = shot->step->out};
			model_packet(&d->m, &frame, 0);
			driver_number(d);
			note_begun(d, should, &d->m.out, false);
			if (summarise(d, should, &d->m.out))
				return -1;
			/* Which fragment is the last one, and decides for all, is not said. */
			if (shot->action < 0 && !shot->step->out)
				return differ(d, "run: %s", strerror(-shot->action));
			if (!shot->step->part && !shot->step->out &&
			    shot->action != d->m.out.action)
				return differ(d, "CPU %zu, packet %zu: XDP action %d, should be %d",
					      k, i, shot->action, d->m.out.action);
		}
	return 0;
}

static int compare_shared(struct driver *d, const struct shared *is, const struct shared *should)
{
	uint64_t i;

	if (is->next != should->next || is->gaps != should->gaps)
		return differ(d, "a flow of both CPUs has come to %llu, should be %llu",
			      (unsigned long long)is->next, (unsigned long long)should->next);
	if (is->packets != should->packets)
		return differ(d, "datagrams of a flow of both CPUs are not those sent");
	if (is->ends != should->ends || is->reason != should->reason)
		return differ(d, "a flow of both CPUs ended %u times (%s), should be %u (%s)",
			      is->ends, xdplace_reason_name(is->reason), should->ends,
			      xdplace_reason_name(should->reason));
	if (!is->bytes)
		return 0;
	for (i = 0; i < STREAM; i++) {
		if (is->bytes[i] != should->bytes[i])
			return differ(d, "byte %llu of a flow of both CPUs is %02x, should be %02x",
				      (unsigned long long)i, is->bytes[i], should->bytes[i]);
		if (is->is_early[i] && i < is->next && is->early[i] != is->bytes[i])
			return differ(d, "byte %llu of a flow of both CPUs was %02x when early",
				      (unsigned long long)i, is->early[i]);
	}
	return 0;
}

/*
 * Whether a segment is early or in sequence depends on the other CPU, and which of two copies is
 * the repetition (one that came in fragments is counted as these); all else does not.
 */
static void forget_order(struct driver *d)
{
	uint64_t *is = (uint64_t *)&d->counted, *should = (uint64_t *)&d->m.counters;
	static const uint8_t any[] = {XP_APPEND, XP_EARLY, XP_LAST, XP_REPEAT};
	uint64_t more = 0;
	size_t i;

	for (i = 0; i < sizeof(any); i++)
		more += is[any[i]] - should[any[i]];
	for (i = 0; !more && i < sizeof(any); i++)
		should[any[i]] = is[any[i]];
}

static int compare_both(struct driver *d, struct summary *is, struct summary *should)
{
	struct outcome theirs = d->told, ours = d->m.out;
	size_t i;
	int r;

	for (i = 0; i < should->count; i++)
		if (compare_shared(d, &is->shared[i], &should->shared[i]))
			return -1;
	if (is->no_flow != should->no_flow)
		return differ(d, "what is of no flow is not told as it should be");
	/* Fragments: those of the last to come, which decides for all, are told together. */
	if (!d->part && is->headers != should->headers)
		return differ(d, "the headers are not those of the frames");
	/* The rest is in order within each flow. */
	if (name_begun(d, is, should))
		return -1;
	d->told = is->rest;
	d->m.out = should->rest;
	d->told.header = d->m.out.header = 0;
	d->headers = 0;
	driver_renumber(d);
	r = compare_events(d);
	is->rest = d->told;
	should->rest = d->m.out;
	d->told = theirs;
	d->m.out = ours;
	return r;
}

static int compare_pair(struct driver *d, struct summary *is, struct summary *should)
{
	struct xp_counters before = d->counted;

	if (read_program(d, is))
		return -1;
	if (xdplace_stats(d->ctx, XP_NONE, &d->counted))
		return differ(d, "%s", xdplace_error());
	/* Somebody else had the CPU in the middle of a packet: the other one did not wait. */
	if (d->counted.lane_busy != before.lane_busy) {
		d->m.slow = true;
		return differ(d, "a lane was busy");
	}
	if (run_model(d, should) || compare_both(d, is, should))
		return -1;
	/* Which lane has what is left of a datagram, chance decided: schedules leave nothing. */
	d->m.slow |= d->m.datagrams;
	forget_order(d);
	return compare_counters(d);
}

int pair_run(struct driver *d, const struct schedule *s, size_t first, size_t *behind)
{
	static struct summary is, should;
	size_t at;
	int r;

	outcome_clear(&d->told);
	d->part = false; /* else datagrams lie where they were put together */
	for (at = first; at < s->steps && s->step[at].kind == STEP_PACKET; at++) {
		load_cpu(&cpus[s->step[at].cpu], d, &s->step[at]);
		d->part |= s->step[at].part;
	}
	*behind = at;
	r = find_shared(d, &is, &should);
	if (!r)
		r = choose_lanes(d);
	if (!r)
		r = run_both(d);
	if (!r)
		r = compare_pair(d, &is, &should);
	summary_free(&is);
	summary_free(&should);
	unload();
	return r;
}
