/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * sequence.c - fuzz target: the runs of bpf/sequence.h against a map of bytes [R3 R13].
 *
 * Input: where the stream's edge is (four bytes: it wraps), then commands: place a range, give up
 * the first hole, or ask. Ranges lie within REACH bytes from the edge.
 *
 * Holds: what is said to be uncovered is the first such range; a byte is placed once; runs are
 * disjoint, touch neither each other nor the edge, and cover what was placed, all of it and nothing
 * else; a full block refuses only what needs a run of its own.
 */
#include "fuzz.h"
#include "sequence.h"

#define REACH 1024u
#define COMMANDS 400

static struct xp_early early;
static uint32_t edge;
static uint8_t map[2 * REACH]; /* [i]: the byte at edge + i was placed; beyond REACH: never */

static void check_runs(void)
{
	static uint8_t seen[2 * REACH];
	uint32_t i, start, end;

	holds(early.count <= XP_MAX_RUNS, "%u runs", early.count);
	memset(seen, 0, sizeof(seen));
	for (i = 0; i < early.count; i++) {
		start = early.run[i].start - edge;
		end = early.run[i].end - edge;
		holds(start && start < end && end <= 2 * REACH, "run %u: %u to %u", i, start, end);
		holds(!seen[start - 1] && (end == 2 * REACH || !seen[end]),
		      "run %u touches another", i);
		holds(!memchr(seen + start, 1, end - start), "run %u overlaps another", i);
		memset(seen + start, 1, end - start);
	}
	holds(!memcmp(seen, map, sizeof(map)), "runs are not what was placed");
}

static void check_uncovered(uint32_t from, uint32_t to)
{
	uint32_t at = from + edge, upto = to + edge, first = from, past;
	int r = xp_runs_uncovered(&early, edge, &at, &upto);

	while (first < to && map[first])
		first++;
	holds(r == (first < to), "[%u, %u): %d", from, to, r);
	if (!r)
		return;
	for (past = first; past < to && !map[past]; past++)
		;
	holds(at - edge == first && upto - edge == past, "[%u, %u): [%u, %u), not [%u, %u)", from,
	      to, at - edge, upto - edge, first, past);
}

static void move_edge(uint32_t by)
{
	memmove(map, map + by, sizeof(map) - by);
	memset(map + sizeof(map) - by, 0, by);
	edge += by;
}

/* A run that begins at the edge is in sequence: it goes, as xp_catch_up() does it. */
static void catch_up(void)
{
	uint32_t i, length;

	if (!xp_runs_find(&early, edge, 0))
		return;
	i = XP_RUN(xp_found(&early));
	length = early.run[i].end - early.run[i].start;
	xp_runs_remove(&early, i);
	move_edge(length);
	holds(!xp_runs_find(&early, edge, 0), "two runs touched");
}

/* Place what is new of a range, piece by piece, as xp_piece() does it. */
static void place(uint32_t from, uint32_t to)
{
	uint32_t at = from + edge, past = to + edge;
	uint32_t end = past, i;
	int alone;

	while ((int32_t)(end - at) > 0 && xp_runs_uncovered(&early, edge, &at, &past)) {
		holds(past - edge <= 2 * REACH, "to %u", past - edge);
		holds(!memchr(map + (at - edge), 1, past - at), "some bytes are placed twice");
		memset(map + (at - edge), 1, past - at);
		if (at == edge) {
			i = past - edge;
			at = past;
			move_edge(i);
			catch_up();
			if ((int32_t)(edge - at) > 0)
				at = edge;
		} else {
			alone = !xp_runs_find(&early, at, 1) && !xp_runs_find(&early, past, 0);
			if (xp_runs_add(&early, at, past)) {
				holds(early.count == XP_MAX_RUNS && alone, "%u runs, refused",
				      early.count);
				memset(map + (at - edge), 0, past - at);
			}
			at = past;
		}
		past = end;
	}
}

static void give_up(void)
{
	uint32_t hole = xp_runs_hole(&early, edge), first = 0;

	while (first < sizeof(map) && !map[first])
		first++;
	holds(hole == (early.count ? first : 0), "the first hole is %u, not %u", hole, first);
	if (!early.count)
		return;
	move_edge(hole);
	catch_up();
}

static void check_beyond(uint32_t o)
{
	uint32_t at = sizeof(map);

	while (at && !map[at - 1])
		at--;
	holds(xp_runs_beyond(&early, edge, o + edge) == (at > o), "beyond %u, the last is %u", o,
	      at);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = {data, size};
	uint32_t n, from, length;
	uint8_t command;

	memset(&early, 0, sizeof(early));
	memset(map, 0, sizeof(map));
	edge = take32(&in);
	for (n = 0; in.left && n < COMMANDS; n++) {
		command = take8(&in);
		from = (take8(&in) << 2 | command >> 6) % REACH;
		length = 1 + take8(&in);
		if (command & 16)
			length *= 2;
		switch (command & 7) {
		case 0:
			give_up();
			break;
		case 1:
			check_beyond(from);
			check_uncovered(from, from + length);
			break;
		default:
			place(from, from + length);
		}
		check_runs();
	}
	return 0;
}
