/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * random.h - numbers that look random and are the same in each run: xorshift (Marsaglia 2003).
 *
 * In: a state of the test's own, not 0. Out: 32 bits of it, or a number below `n`.
 */
#ifndef RANDOM_H
#define RANDOM_H

#include <stdint.h>

static inline uint32_t random_next(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state >> 16;
}

static inline uint32_t random_below(uint64_t *state, uint32_t n)
{
	return random_next(state) % n;
}

#endif
