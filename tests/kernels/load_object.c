/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * load_object - does this kernel's verifier accept the programs?
 *
 * In: the BPF objects in their skeletons; arguments: names of the shapes below to try [all].
 * Out: a line for each shape and program, "ok load SHAPE PROGRAM: ..." or "not ok ...", the latter
 * followed by the end of the verifier's log as comment lines ("# ...").
 * Promises: touches no interface, pins nothing, and needs neither the library nor AF_XDP, so that
 * what fails here is the verifier's doing. Exit code 0 if all were accepted, 1 if not, 2 for usage.
 *
 * What is switched off by a knob is dead code for the verifier, and what it sees of sizes are
 * constants. So each program is loaded in several shapes.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include <xdplace/abi.h>
#include "cursor.h"
#include "transmit.h"
#include "transmit.skel.h"
#include "xdplace.skel.h"
#include "xdplace_egress.skel.h"

#define LOG_STATS 4u	    /* BPF_LOG_STATS of the kernel: one line, no trace */
#define LOG_TRACE (4u | 1u) /* and every instruction looked at */
#define STATS_SIZE (64u << 10)
#define TRACE_SIZE (768u << 20) /* a log that does not fit loses its end, which is what counts */
#define TAIL_LINES 80u

struct shape {
	const char *name;
	__u32 knobs;
	__u32 protocols;
	__u32 lanes;
	__u32 area_shift;
	__u32 bank_shift;
	__u32 banks;
	__u32 window;
	__u32 threshold;
	__u32 csum_step;
	__u32 own_areas;
};

#define KNOBS (XP_KNOB_CHECKSUM | XP_KNOB_PICKUP)
#define PLAIN (XP_P_IPV4 | XP_P_IPV6 | XP_P_TCP | XP_P_UDP)

static const struct shape shapes[] = {
	{"default", KNOBS, XP_P_ALL, 1, 12, 26, 1, 256, 256, 512, 0},
	{"lanes2", KNOBS, XP_P_ALL, 2, 12, 26, 1, 256, 256, 512, 0},
	{"nocsum", XP_KNOB_PICKUP, XP_P_ALL, 1, 12, 26, 1, 256, 256, 512, 0},
	{"nopickup", XP_KNOB_CHECKSUM, XP_P_ALL, 1, 12, 26, 1, 256, 256, 512, 0},
	{"xsk", KNOBS | XP_KNOB_XSK, XP_P_ALL, 2, 12, 26, 1, 256, 256, 512, 0},
	{"csum", KNOBS, XP_P_ALL, 1, 12, 26, 1, 256, 256, 32768, 0},
	{"own", KNOBS, XP_P_ALL, 1, 12, 26, 1, 256, 256, 512, 4096},
	{"large", KNOBS, XP_P_ALL, 2, 15, 28, 1, 32, XP_MAX_THRESHOLD, 512, 0},
	{"small", KNOBS, XP_P_ALL, 1, 12, 20, 4, 16, XP_MIN_THRESHOLD, 512, 0},
	{"plain", KNOBS, PLAIN, 1, 12, 26, 1, 256, 256, 512, 0},
};
#define SHAPES (sizeof(shapes) / sizeof(shapes[0]))

static int quiet(enum libbpf_print_level level, const char *format, va_list args)
{
	if (level != LIBBPF_WARN || !getenv("LOAD_OBJECT_VERBOSE"))
		return 0;
	return vfprintf(stderr, format, args);
}

static __u32 areas(const struct shape *shape)
{
	return shape->banks << (shape->bank_shift - shape->area_shift);
}

static struct xp_config configuration(const struct shape *shape)
{
	return (struct xp_config){
		.abi = XP_ABI,
		.knobs = shape->knobs,
		.protocols = shape->protocols,
		.lanes = shape->lanes,
		.area_shift = shape->area_shift,
		.areas = areas(shape),
		.bank_shift = shape->bank_shift,
		.banks = shape->banks,
		.ring = 4096,
		.hot = 16,
		.cold = areas(shape) / XP_FREE_GROUP,
		.flows = 16384 / shape->lanes,
		.early = 256 / shape->lanes,
		.window = shape->window,
		.threshold = shape->threshold,
		.csum_step = shape->csum_step,
		.own_areas = shape->own_areas,
		.flow_ticks = 75000,
		.closed_ticks = 1250,
		.hole_ticks = 2500,
		.rtp = 16,
		.tick_us = 4000,
		.name = "load_object",
	};
}

/* One of the objects below, as its skeleton has it. */
struct object {
	struct bpf_object *obj;
	struct xdplace_bpf *in;
	struct xdplace_egress_bpf *out;
	struct transmit_bpf *transmit;
};

static int open_in(struct object *o, const struct shape *shape)
{
	o->in = xdplace_bpf__open();
	if (!o->in)
		return -errno;
	o->obj = o->in->obj;
	*(struct xp_config *)&o->in->rodata->xp_config = configuration(shape);
	return 0;
}

static int open_out(struct object *o, const struct shape *shape)
{
	o->out = xdplace_egress_bpf__open();
	if (!o->out)
		return -errno;
	o->obj = o->out->obj;
	*(struct xp_config *)&o->out->rodata->xp_config = configuration(shape);
	return 0;
}

static int open_transmit(struct object *o, const struct shape *shape)
{
	o->transmit = transmit_bpf__open();
	if (!o->transmit)
		return -errno;
	o->obj = o->transmit->obj;
	*(struct xp_tx_config *)&o->transmit->rodata->xp_tx_config = (struct xp_tx_config){
		.bank_shift = shape->bank_shift,
		.csum_step = shape->csum_step,
		.counted = 1,
	};
	return 0;
}

/* All that the library loads. */
static int (*const openers[])(struct object *o, const struct shape *shape) = {
	open_in,
	open_out,
	open_transmit,
};
#define OBJECTS (sizeof(openers) / sizeof(openers[0]))
#define PROGRAMS 16 /* of an object, at most */

static void close_object(struct object *o)
{
	xdplace_bpf__destroy(o->in);
	xdplace_egress_bpf__destroy(o->out);
	transmit_bpf__destroy(o->transmit);
}

/* No object has all of these maps. */
static int size_maps(const struct object *o, const struct shape *shape)
{
	const struct xp_config config = configuration(shape);
	const struct {
		const char *map;
		__u32 entries;
	} sizes[] = {
		{"xp_umem", config.banks},
		{"xp_lanes", config.lanes},
		{"xp_ring", config.lanes * config.ring},
		{"xp_free", config.lanes * (config.hot + config.cold)},
		{"xp_cursors", config.lanes},
		{"xp_flows4", config.lanes * config.flows},
		{"xp_flows6", config.lanes * config.flows},
		{"xp_flow", config.lanes * config.flows},
		{"xp_early", config.lanes * config.early},
		{"xp_rtp", config.lanes * config.rtp},
		{"xp_areas", config.areas},
		{"xp_reasons", config.lanes},
		{"xp_tx_dests", 64},
		{"xp_tx_entries", 4096},
	};
	struct bpf_map *map;

	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		map = bpf_object__find_map_by_name(o->obj, sizes[i].map);
		if (map && bpf_map__set_max_entries(map, sizes[i].entries))
			return -EINVAL;
	}
	map = bpf_object__find_map_by_name(o->obj, "xp_umem");
	return map ? bpf_map__set_value_size(map, 1u << config.bank_shift) : -ENOENT;
}

/* The number behind `word` in the verifier's last line, or -1. */
static long statistic(const char *log, const char *word)
{
	const char *line = strstr(log, "\nprocessed "), *found;

	if (!line && !strncmp(log, "processed ", 10))
		line = log;
	found = line ? strstr(line, word) : NULL;
	return found ? strtol(found + strlen(word), NULL, 10) : -1;
}

static void print_tail(const char *log)
{
	const char *end = log + strlen(log), *start = end;
	unsigned int lines = 0;

	while (start > log && lines <= TAIL_LINES)
		lines += *--start == '\n';
	while (start < end) {
		size_t length = strcspn(start, "\n");

		if (length)
			printf("# %.*s\n", (int)length, start);
		start += length + 1;
	}
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec + t.tv_nsec / 1e9;
}

/*
 * Load program number `index` of an object alone, so that each is judged whatever becomes of the
 * others.
 */
static int load(const struct shape *shape, size_t object, int index, __u32 level, char *log,
		size_t size, const char **name)
{
	struct object o = {};
	struct bpf_program *prog;
	int i = 0, err;

	*name = NULL;
	err = openers[object](&o, shape);
	if (err)
		return err;
	bpf_object__for_each_program(prog, o.obj)
	{
		bpf_program__set_autoload(prog, i == index);
		if (i++ != index)
			continue;
		*name = strdup(bpf_program__name(prog));
		bpf_program__set_log_level(prog, level);
		bpf_program__set_log_buf(prog, log, size);
	}
	log[0] = 0;
	err = *name ? size_maps(&o, shape) : -ENOENT;
	if (!err)
		err = bpf_object__load(o.obj);
	close_object(&o);
	return err;
}

/*
 * A program's first failure is told with its whole trace, later ones with the verifier's last
 * words, which `log` holds already: a trace takes minutes in a guest. Where the program is too
 * large, the place where the verifier gave up means nothing.
 */
static void complain(const struct shape *shape, size_t object, int index, int err, const char *log)
{
	static bool traced[OBJECTS][PROGRAMS];
	const char *name;
	char *trace;

	if (err == -E2BIG || index >= PROGRAMS || traced[object][index]) {
		print_tail(log);
		return;
	}
	traced[object][index] = true;
	trace = mmap(NULL, TRACE_SIZE, PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (trace == MAP_FAILED)
		return;
	load(shape, object, index, LOG_TRACE, trace, TRACE_SIZE, &name);
	print_tail(trace);
	munmap(trace, TRACE_SIZE);
	free((char *)name);
}

/* Returns 1 accepted, 0 refused, -ENOENT no such program. */
static int judge(const struct shape *shape, size_t object, int index)
{
	static char log[STATS_SIZE];
	double begin = now();
	const char *name;
	int err = load(shape, object, index, LOG_STATS, log, sizeof(log), &name);

	if (!name)
		return err;
	if (err)
		printf("not ok load %s %s: %s\n", shape->name, name, strerror(-err));
	else
		printf("ok load %s %s: %ld instructions, %ld states, %ld at the peak, %.1f s\n",
		       shape->name, name, statistic(log, "processed "),
		       statistic(log, "total_states "), statistic(log, "peak_states "),
		       now() - begin);
	if (err)
		complain(shape, object, index, err, log);
	fflush(stdout);
	free((char *)name);
	return !err;
}

static int judge_shape(const struct shape *shape)
{
	int all = 1, result = -ENOENT;

	for (size_t object = 0; object < OBJECTS && result == -ENOENT; object++)
		for (int i = 0; (result = judge(shape, object, i)) >= 0; i++)
			all &= result;
	if (result != -ENOENT)
		printf("not ok load %s: %s\n", shape->name, strerror(-result));
	return all && result == -ENOENT;
}

static const struct shape *find_shape(const char *name)
{
	for (size_t i = 0; i < SHAPES; i++) {
		if (!strcmp(shapes[i].name, name))
			return &shapes[i];
	}
	return NULL;
}

static int usage(const char *wrong)
{
	fprintf(stderr, "load_object: no shape %s; there are", wrong);
	for (size_t i = 0; i < SHAPES; i++)
		fprintf(stderr, " %s", shapes[i].name);
	fprintf(stderr, "\n");
	return 2;
}

int main(int argc, char **argv)
{
	int all = 1;

	libbpf_set_print(quiet);
	for (int i = 1; i < argc; i++) {
		if (!find_shape(argv[i]))
			return usage(argv[i]);
		all &= judge_shape(find_shape(argv[i]));
	}
	for (size_t i = 0; argc == 1 && i < SHAPES; i++)
		all &= judge_shape(&shapes[i]);
	return !all;
}
