/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * options.c - fuzz target: what xdplace_open() is asked for, and sizes as text [R5 R8].
 *
 * Input: what it is (one byte), then a text, or the numbers of struct xdplace_opts.
 *
 * Holds: what is accepted is a configuration in which all that the program relies on without
 * looking is true, with a layout in which each area has one use; a size that is accepted is the
 * number that stands there.
 */
#include <ctype.h>
#include <errno.h>
#include <setjmp.h>

#include "cli.h"
#include "context.h"
#include "fuzz.h"

/* The command line's parsers end the process when they refuse; here they come back. */
static jmp_buf refused;

_Noreturn void cli_usage(const char *format, ...)
{
	longjmp(refused, 1);
}

int cli_finish(int code)
{
	return code;
}

static bool power(uint64_t n)
{
	return n && !(n & (n - 1));
}

static void check_rings(const struct xp_config *c)
{
	holds(c->lanes >= 1 && c->lanes <= XP_MAX_LANES, "%u lanes", c->lanes);
	holds(power(c->ring) && c->ring >= XP_MIN_RING && c->ring <= XP_MAX_RING, "ring %u",
	      c->ring);
	holds(power(c->hot) && power(c->cold), "hot %u cold %u", c->hot, c->cold);
	holds((uint64_t)c->cold * XP_FREE_GROUP >= c->areas, "cold %u of %u areas", c->cold,
	      c->areas);
	holds(c->flows >= 1 && (uint64_t)c->flows * c->lanes <= XP_MAX_FLOWS, "%u flows", c->flows);
	holds(c->early >= 1 && c->early <= c->flows, "%u early of %u", c->early, c->flows);
	holds(power(c->window) && c->window >= 16 && c->window <= XP_MAX_WINDOW, "window %u",
	      c->window);
	holds(c->threshold >= XP_MIN_THRESHOLD && c->threshold <= XP_MAX_THRESHOLD, "threshold %u",
	      c->threshold);
	holds(!(c->protocols & ~XP_P_ALL) && c->tick_us, "protocols %x", c->protocols);
}

static void check_memory(const struct xp_config *c)
{
	uint64_t bytes = (uint64_t)c->banks << c->bank_shift;

	holds(c->area_shift >= XP_MIN_AREA_SHIFT && c->area_shift <= XP_MAX_AREA_SHIFT,
	      "area shift %u", c->area_shift);
	holds(c->bank_shift >= 20 && c->bank_shift <= XP_MAX_BANK_SHIFT && c->banks,
	      "bank shift %u", c->bank_shift);
	holds(bytes <= XP_MAX_UMEM && bytes >> c->area_shift == c->areas, "%u areas", c->areas);
	holds(c->banks == 1 || c->bank_shift == XP_MAX_BANK_SHIFT, "%u banks", c->banks);
}

/* Each area is a guard, or the program's, or a socket's, or an own one. */
static void check_layout(const struct xp_config *c)
{
	uint32_t per_bank = 1u << (c->bank_shift - c->area_shift), area, usable = 0;
	struct xp_layout layout;

	xp_layout(c, &layout);
	holds(layout.usable <= layout.xsk && layout.xsk <= layout.own && layout.own <= c->areas,
	      "usable %u xsk %u own %u of %u", layout.usable, layout.xsk, layout.own, c->areas);
	holds(layout.xsk - layout.usable < 4 + 4, "%u areas of no use", layout.xsk - layout.usable);
	holds(layout.own - layout.xsk == layout.xsk_per_lane * c->lanes, "sockets");
	holds(layout.groups >= c->lanes, "%u groups for %u lanes", layout.groups, c->lanes);
	if (c->areas > 4096)
		return;
	for (area = 0; area < c->areas; area++) {
		holds(xp_area_guard(c, &layout, area) || (area + 1) % per_bank, "no guard at %u",
		      area);
		usable += area < layout.usable && !xp_area_guard(c, &layout, area);
	}
	holds(usable == layout.groups * XP_FREE_GROUP, "%u areas, %u groups", usable,
	      layout.groups);
}

static uint32_t some(struct input *in)
{
	uint8_t how = take8(in);

	if (how & 0x80)
		return 1u << (how & 31);
	return how & 0x40 ? take32(in) : how;
}

static void open_with(struct input *in)
{
	struct xdplace_opts opts = {.size = sizeof(opts), .name = "fuzz"};
	struct xp_config config;
	uint8_t flags = take8(in);
	int err;

	opts.umem_size = flags & 1 ? (uint64_t)some(in) << 12 : some(in);
	opts.area_size = some(in);
	opts.own_size = flags & 2 ? (uint64_t)some(in) << 12 : some(in);
	opts.lanes = some(in);
	opts.ring = some(in);
	opts.hot = some(in);
	opts.flows = some(in);
	opts.early = some(in);
	opts.window = some(in);
	opts.threshold = some(in);
	opts.flow_age_ms = some(in);
	opts.closed_age_ms = some(in);
	opts.hole_age_ms = some(in);
	opts.frames_xsk = flags & 4;
	err = xp_config_from_opts(&config, &opts);
	holds(!err || (err == -EINVAL && *xdplace_error()), "%d", err);
	if (err)
		return;
	check_memory(&config);
	check_rings(&config);
	check_layout(&config);
}

/* What `text` begins with, without strtoull(): decimal, octal behind 0, hexadecimal behind 0x. */
static uint64_t number(const char **text)
{
	uint64_t base = 10, n = 0;
	const char *digits = "0123456789abcdef", *digit;

	if (**text == '0' && tolower((*text)[1]) == 'x' && isxdigit((*text)[2])) {
		base = 16;
		*text += 2;
	} else if (**text == '0') {
		base = 8;
	}
	for (; **text; ++*text) {
		digit = memchr(digits, tolower(**text), base);
		if (!digit)
			break;
		n = n * base + (digit - digits);
	}
	return n;
}

static void read_size(const char *text)
{
	uint64_t n, value;

	if (setjmp(refused))
		return;
	value = cli_size("--size", text);
	n = number(&text);
	switch (tolower(*text)) {
	case 'g':
		n <<= 10;
		/* fall through */
	case 'm':
		n <<= 10;
		/* fall through */
	case 'k':
		n <<= 10;
		text++;
	}
	holds(!*text || !strcasecmp(text, "ib"), "'%s' is accepted", text);
	holds(n == value, "%llu, not %llu", (unsigned long long)value, (unsigned long long)n);
}

static void read_age(const char *text)
{
	uint32_t ms;

	if (setjmp(refused))
		return;
	ms = cli_age("--age", text);
	holds(ms, "an age of nothing: '%s'", text);
	holds(ms != UINT32_MAX || !strcmp(text, "never"), "'%s' is never", text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = {data, size};
	uint8_t what = take8(&in);
	char *text;

	if (what & 1) {
		open_with(&in);
		return 0;
	}
	text = strndup((const char *)in.at, in.left);
	holds(text, "no memory");
	if (what & 2)
		read_size(text);
	else
		read_age(text);
	free(text);
	return 0;
}
