/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * flow_text.c - words and times for flows.
 */
#include <time.h>

#include "cli.h"

const char *flow_state_name(unsigned state)
{
	static const char *const names[] = {
		[XP_FLOW_FREE] = "free",
		[XP_FLOW_EXPECTED] = "expected",
		[XP_FLOW_OPEN] = "open",
		[XP_FLOW_CLOSED] = "closed",
	};

	return state < sizeof(names) / sizeof(names[0]) ? names[state] : "unknown";
}

/*
 * The program stamps flows with the kernel's jiffies, which user space can not read. They began at
 * minus five minutes and have run with the monotonic clock since.
 */
static uint32_t ticks_now(uint32_t tick_us)
{
	struct timespec now;
	uint64_t us;

	clock_gettime(CLOCK_MONOTONIC, &now);
	us = (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
	return (uint32_t)(us / tick_us) - (uint32_t)(300 * 1000000ull / tick_us);
}

uint64_t flow_age_ms(const struct xdplace *ctx, uint32_t then)
{
	uint32_t tick_us = xdplace_config(ctx)->tick_us;
	int32_t ticks;

	if (!tick_us)
		return 0;
	ticks = (int32_t)(ticks_now(tick_us) - then);
	/* The two clocks started a fraction of a second apart: never show a negative age. */
	return ticks > 0 ? (uint64_t)ticks * tick_us / 1000 : 0;
}
