/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * options.c - struct xdplace_opts in, struct xp_config out: defaults, limits, units.
 *
 * Promises: a configuration that comes out fits the maps and the program, and every lane has
 * areas enough to place something. What does not is refused with the option, its value and the
 * limits in the message.
 */
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <bpf/libbpf.h>

#include "context.h"

/* Areas that a lane needs to have some of each kind and some in hand. */
#define MIN_LANE_AREAS 16u
/* Own areas lie in one bank, where they can be contiguous, and leave the other half alone. */
#define OWN_SHARE 2
/* RTP flows at a time, unless said otherwise: six KiB each. */
#define RTP_FLOWS 256u
#define MAX_HOT 4096u
/* How much later than its acknowledgement a segment may be seen: it may be on another CPU. */
#define ACKED_AGE_MS 100u
#define XP_DATAGRAM_BYTES 65536u

static bool power_of_two(uint64_t value)
{
	return value && !(value & (value - 1));
}

static uint32_t round_up_power(uint32_t value)
{
	uint32_t power = 1;

	while (power < value)
		power <<= 1;
	return power;
}

static unsigned shift_of(uint64_t power)
{
	return 63 - __builtin_clzll(power);
}

static int check(const char *option, uint64_t value, uint64_t min, uint64_t max, bool power)
{
	if (value >= min && value <= max && (!power || power_of_two(value)))
		return 0;
	return xp_fail(EINVAL, "%s %" PRIu64 ": must be %s%" PRIu64 " .. %" PRIu64, option, value,
		       power ? "a power of two, " : "", min, max);
}

bool xp_name_valid(const char *name)
{
	size_t i, len = strlen(name);

	if (!len || len > 15)
		return false;
	for (i = 0; i < len; i++)
		if (!isalnum((unsigned char)name[i]) && name[i] != '-' && name[i] != '_')
			return false;
	return true;
}

static int same_name(void *arg, const struct xdplace_found *found)
{
	const struct xp_config *config = arg;

	return !strcmp(found->name, config->name);
}

/*
 * The number of the process, its further contexts with a number behind it. Another process may
 * have that name in a PID namespace of its own; who may not look for it goes without.
 */
static void default_name(struct xp_config *config)
{
	static uint32_t made;
	uint32_t n;

	do {
		n = __atomic_add_fetch(&made, 1, __ATOMIC_RELAXED);
		if (n == 1)
			snprintf(config->name, sizeof(config->name), "%d", getpid());
		else
			snprintf(config->name, sizeof(config->name), "%d-%u", getpid(),
				 n % 1000000);
	} while (xdplace_each(same_name, config) == 1);
}

static int set_name(struct xp_config *config, const struct xdplace_opts *opts)
{
	if (opts->pin && !xp_name_valid(opts->pin))
		return xp_fail(EINVAL, "pin '%s': must be 1 .. 15 letters, digits, '-' or '_'",
			       opts->pin);
	if (opts->name && !xp_name_valid(opts->name))
		return xp_fail(EINVAL, "name '%s': must be 1 .. 15 letters, digits, '-' or '_'",
			       opts->name);
	if (opts->name || opts->pin)
		snprintf(config->name, sizeof(config->name), "%s",
			 opts->name ? opts->name : opts->pin);
	else
		default_name(config);
	return 0;
}

/* Banks, areas, and where the own areas are: at the end, with the last guard behind them. */
static int set_memory(struct xp_config *config, const struct xdplace_opts *opts)
{
	uint64_t umem = opts->umem_size ? opts->umem_size : 64ull << 20;
	uint64_t area = opts->area_size ? opts->area_size : 1u << XP_MIN_AREA_SHIFT;
	uint64_t bank, own_max;
	int err;

	err = check("umem_size", umem, 1 << 20, XP_MAX_UMEM, true);
	if (!err)
		err = check("area_size", area, 1 << XP_MIN_AREA_SHIFT, 1 << XP_MAX_AREA_SHIFT,
			    true);
	if (err)
		return err;
	bank = umem < 1ull << XP_MAX_BANK_SHIFT ? umem : 1ull << XP_MAX_BANK_SHIFT;
	config->bank_shift = shift_of(bank);
	config->banks = umem >> config->bank_shift;
	config->area_shift = shift_of(area);
	config->areas = umem >> config->area_shift;

	own_max = config->banks > 1 ? bank - area : bank / OWN_SHARE;
	if (opts->own_size % area)
		return xp_fail(EINVAL,
			       "own_size %" PRIu64 ": must be a multiple of area_size %" PRIu64,
			       opts->own_size, area);
	if (opts->own_size > own_max)
		return xp_fail(EINVAL,
			       "own_size %" PRIu64 ": must be 0 .. %" PRIu64
			       " with umem_size %" PRIu64,
			       opts->own_size, own_max, umem);
	config->own_areas = opts->own_size ? (opts->own_size >> config->area_shift) + 1 : 0;
	return 0;
}

/* The default is what fits; a number that was asked for must fit. */
static int set_lanes(struct xp_config *config, const struct xdplace_opts *opts)
{
	uint32_t areas = config->areas - config->own_areas - config->banks;
	uint32_t max = areas / MIN_LANE_AREAS;
	int cpus;

	if (!max)
		return xp_fail(EINVAL, "umem_size and own_size leave %u areas: must be %u or more",
			       areas, MIN_LANE_AREAS);
	if (max > XP_MAX_LANES)
		max = XP_MAX_LANES;
	config->lanes = opts->lanes;
	if (opts->lanes > max && opts->lanes <= XP_MAX_LANES)
		return xp_fail(EINVAL, "lanes %u: must be 1 .. %u, so that each has %u areas",
			       opts->lanes, max, MIN_LANE_AREAS);
	if (opts->lanes)
		return check("lanes", opts->lanes, 1, XP_MAX_LANES, false);
	cpus = libbpf_num_possible_cpus();
	config->lanes = cpus < 1 ? 1 : (uint32_t)cpus > max ? max : (uint32_t)cpus;
	return 0;
}

static int set_rings(struct xp_config *config, const struct xdplace_opts *opts)
{
	/* Room for all that may ever go round: how many do is up to the consumer (give.c). */
	uint32_t most = config->areas < MAX_HOT ? config->areas : MAX_HOT;
	uint32_t hot = opts->hot ? opts->hot : most;
	int err;

	config->ring = opts->ring ? opts->ring : 4096;
	err = check("ring", config->ring, XP_MIN_RING, XP_MAX_RING, true);
	if (!err)
		err = check("hot", hot, 16, MAX_HOT, true);
	if (err)
		return err;
	config->hot = hot / XP_FREE_GROUP;
	/* All areas fit the pool of one lane: giving back never finds it full. */
	config->cold = round_up_power((config->areas + XP_FREE_GROUP - 1) / XP_FREE_GROUP);
	return 0;
}

static uint32_t share(uint32_t total, uint32_t lanes, uint32_t max)
{
	uint32_t each = (total + lanes - 1) / lanes;

	return each < max / lanes ? each : max / lanes;
}

static int set_flows(struct xp_config *config, const struct xdplace_opts *opts)
{
	uint32_t flows = opts->flows ? opts->flows : 16384;
	uint32_t early = opts->early ? opts->early : flows < 1024 ? flows : 1024;
	uint32_t area = 1u << config->area_shift;
	uint32_t window = opts->window ? opts->window : 1 << 20;
	int err;

	err = check("flows", flows, 1, XP_MAX_FLOWS, false);
	if (!err)
		err = check("early", early, 1, flows, false);
	if (!err)
		err = check("window", window, 16 * area, XP_MAX_WINDOW * area, true);
	if (err)
		return err;
	config->flows = share(flows, config->lanes, XP_MAX_FLOWS);
	config->early = share(early, config->lanes, XP_MAX_FLOWS);
	config->window = window >> config->area_shift;
	config->rtp = share(opts->rtp ? opts->rtp : RTP_FLOWS, config->lanes, XP_MAX_RTP);
	return opts->rtp ? check("rtp", opts->rtp, 1, XP_MAX_RTP, false) : 0;
}

/*
 * Those in fragments may hold a quarter of the areas; but one of the largest must be possible, if
 * that leaves others as many.
 */
static int set_datagrams(struct xp_config *config, const struct xdplace_opts *opts)
{
	uint32_t datagrams = opts->datagrams ? opts->datagrams : 256;
	uint32_t lane_areas = config->areas / config->lanes;
	uint32_t largest = XP_DATAGRAM_BYTES >> config->area_shift;
	int err;

	err = check("datagrams", datagrams, 1, XP_MAX_DATAGRAMS, false);
	if (err)
		return err;
	config->datagrams = share(datagrams, config->lanes, XP_MAX_DATAGRAMS);
	config->datagram_areas = lane_areas / 4;
	if (config->datagram_areas < largest)
		config->datagram_areas = largest < lane_areas / 2 ? largest : lane_areas / 2;
	return 0;
}

/* Ticks are compared by their difference in 32 bits: keep well within half of it. */
static uint32_t ticks(uint32_t ms, uint32_t standard_ms, uint32_t tick_us)
{
	uint64_t n = ((uint64_t)(ms ? ms : standard_ms) * 1000 + tick_us - 1) / tick_us;

	return n < INT32_MAX / 2 ? n : INT32_MAX / 2;
}

/* The coarse clock advances with the kernel's tick, which user space can't ask for otherwise. */
static uint32_t kernel_tick_us(void)
{
	struct timespec resolution;

	if (clock_getres(CLOCK_MONOTONIC_COARSE, &resolution) || resolution.tv_sec ||
	    resolution.tv_nsec < 1000)
		return 4000;
	return resolution.tv_nsec / 1000;
}

static void set_ages(struct xp_config *config, const struct xdplace_opts *opts)
{
	uint32_t tick = kernel_tick_us();

	config->tick_us = tick;
	config->closed_ticks = ticks(opts->closed_age_ms, 5000, tick);
	if (opts->flow_age_ms != UINT32_MAX)
		config->flow_ticks = ticks(opts->flow_age_ms, 300000, tick);
	if (opts->hole_age_ms != UINT32_MAX)
		config->hole_ticks = ticks(opts->hole_age_ms, 10000, tick);
	if (opts->fragment_age_ms != UINT32_MAX)
		config->fragment_ticks = ticks(opts->fragment_age_ms, 30000, tick);
	config->acked_ticks = ticks(0, ACKED_AGE_MS, tick);
}

static int set_program(struct xp_config *config, const struct xdplace_opts *opts)
{
	config->protocols = opts->protocols ? opts->protocols : XP_P_ALL;
	if (config->protocols & ~XP_P_ALL)
		return xp_fail(EINVAL, "protocols 0x%x: must be of 0x%x", config->protocols,
			       XP_P_ALL);
	if (!opts->no_checksum)
		config->knobs |= XP_KNOB_CHECKSUM;
	if (!opts->no_pickup)
		config->knobs |= XP_KNOB_PICKUP;
	if (opts->frames_xsk)
		config->knobs |= XP_KNOB_XSK;
	config->egress = opts->egress;
	if (opts->egress > XP_EGRESS_CLSACT)
		return xp_fail(EINVAL, "egress %u: must be %u .. %u", opts->egress, XP_EGRESS_OFF,
			       XP_EGRESS_CLSACT);
	config->threshold = opts->threshold ? opts->threshold : 256;
	return check("threshold", config->threshold, XP_MIN_THRESHOLD, XP_MAX_THRESHOLD, false);
}

int xp_config_from_opts(struct xp_config *config, const struct xdplace_opts *opts)
{
	int err;

	if (opts->size != sizeof(*opts))
		return xp_fail(EINVAL,
			       "options of %zu bytes, this library's have %zu: it is another "
			       "version, compile again",
			       opts->size, sizeof(*opts));
	memset(config, 0, sizeof(*config));
	config->abi = XP_ABI;
	err = set_name(config, opts);
	if (!err)
		err = set_memory(config, opts);
	if (!err)
		err = set_lanes(config, opts);
	if (!err)
		err = set_rings(config, opts);
	if (!err)
		err = set_flows(config, opts);
	if (!err)
		err = set_datagrams(config, opts);
	if (!err)
		err = set_program(config, opts);
	set_ages(config, opts);
	return err;
}
