/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * stats.c - counters: a per-CPU array in, sums out.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "context.h"

#define COUNTERS (sizeof(struct xp_counters) / sizeof(uint64_t))

static int add_lane(struct xdplace *ctx, uint32_t lane, struct xp_counters *values, int cpus,
		    struct xp_counters *sum)
{
	uint64_t *to = (uint64_t *)sum;
	const uint64_t *from;
	size_t i;
	int cpu, err;

	err = bpf_map_lookup_elem(ctx->map[XP_MAP_REASONS], &lane, values);
	if (err)
		return xp_fail(-err, "read counters of lane %u: %s", lane, strerror(-err));
	for (cpu = 0; cpu < cpus; cpu++) {
		from = (const uint64_t *)&values[cpu];
		for (i = 0; i < COUNTERS; i++)
			to[i] += from[i];
	}
	return 0;
}

int xdplace_stats(struct xdplace *ctx, uint32_t lane, struct xp_counters *counters)
{
	uint32_t first = lane, end = lane + 1;
	struct xp_counters *values;
	int cpus, err = 0;

	if (lane == XP_NONE) {
		first = 0;
		end = ctx->config.lanes;
	} else if (lane >= ctx->config.lanes) {
		return xp_fail(EINVAL, "lane %u: the context has %u", lane, ctx->config.lanes);
	}
	cpus = libbpf_num_possible_cpus();
	if (cpus < 0)
		return xp_fail(-cpus, "count CPUs: %s", strerror(-cpus));
	values = calloc(cpus, sizeof(*values));
	if (!values)
		return xp_fail(ENOMEM, "no memory for counters");
	memset(counters, 0, sizeof(*counters));
	for (; first < end && !err; first++)
		err = add_lane(ctx, first, values, cpus, counters);
	free(values);
	return err;
}
