/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * names.c - numbers of the ABI in words. Any number is taken; those unknown are "?".
 */
#include <xdplace/xdplace.h>

#define NAME(table, i) ((size_t)(i) < sizeof(table) / sizeof((table)[0]) ? (table)[i] : "?")

const char *xdplace_opcode_name(unsigned opcode)
{
#define X(NAME, name, meaning) #name,
	static const char *const names[] = {XP_OPCODES(X)};
#undef X

	return NAME(names, opcode);
}

const char *xdplace_opcode_meaning(unsigned opcode)
{
#define X(NAME, name, meaning) meaning,
	static const char *const meanings[] = {XP_OPCODES(X)};
#undef X

	return NAME(meanings, opcode);
}

const char *xdplace_reason_name(unsigned reason)
{
#define X(NAME, name, meaning) #name,
	static const char *const names[] = {XP_REASONS(X)};
#undef X

	return NAME(names, reason);
}

const char *xdplace_reason_meaning(unsigned reason)
{
#define X(NAME, name, meaning) meaning,
	static const char *const meanings[] = {XP_REASONS(X)};
#undef X

	return NAME(meanings, reason);
}

const char *xdplace_area_state_name(enum xdplace_area_state state)
{
	static const char *const names[] = {
		[XDPLACE_AREA_FREE] = "free",	      [XDPLACE_AREA_PLACING] = "placing",
		[XDPLACE_AREA_CONSUMER] = "consumer", [XDPLACE_AREA_OWN] = "own",
		[XDPLACE_AREA_GUARD] = "guard",	      [XDPLACE_AREA_XSK] = "xsk",
		[XDPLACE_AREA_LOST] = "lost",	      [XDPLACE_AREA_TWICE] = "twice",
	};

	return NAME(names, state);
}

const char *xdplace_area_kind_name(enum xp_area_kind kind)
{
	static const char *const names[] = {
		[XP_AREA_USER] = "user",     [XP_AREA_LANE] = "lane",
		[XP_AREA_HEADER] = "header", [XP_AREA_HYBRID] = "hybrid",
		[XP_AREA_FRAME] = "frame",   [XP_AREA_REASSEMBLY] = "re-assembly",
		[XP_AREA_OWN] = "own",	     [XP_AREA_DATAGRAM] = "datagram",
	};

	return NAME(names, kind);
}
