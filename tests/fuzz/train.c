/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * train.c - fuzz target: bpf/train.h and the key of bpf/parse.h's plain way against a reading byte
 * by byte [R2 R3].
 *
 * Input: changes to a plain packet (where, which bits; 0 ends them) that the train begins with, how
 * long that is; then packets of the same kind, each made of the first by further changes.
 *
 * Holds: a packet continues a train exactly if it is a plain one over IPv4, long enough to be
 * compared, with the same addresses, ports and protocol; what is no plain packet has no plain key;
 * nothing is read beside the packet.
 */
#include "fuzz.h"
#include "train.h"

#define FRAME 64u
#define PACKETS 64
#define HANDLE 7

/* Ethernet, IPv4 and TCP without options; the rest is payload. */
static const uint8_t plain[FRAME] = {
	[0] = 2,     [6] = 2,	  [12] = 0x08, [14] = 0x45, [17] = 50, [20] = 0x40,
	[22] = 64,   [23] = 6,	  [26] = 10,   [29] = 1,    [30] = 10, [33] = 2,
	[34] = 0x12, [35] = 0x67, [37] = 0x50, [46] = 80,   [47] = 16};

static int is_plain(const uint8_t *f, uint32_t length)
{
	return length >= 38 && f[12] == 0x08 && !f[13] && f[14] == 0x45 &&
	       !((f[20] & 0x3f) | f[21]);
}

static int same_flow(const uint8_t *a, const uint8_t *b)
{
	return a[23] == b[23] && !memcmp(a + 26, b + 26, 12);
}

/* Fields that count are likelier to be changed than others. */
static void change(struct input *in, uint8_t *frame)
{
	uint8_t where, bits;

	for (where = take8(in); where; where = take8(in)) {
		bits = take8(in);
		if (where & 0x80)
			frame[where % FRAME] ^= 1 << (bits & 7);
		else
			frame[where % FRAME] = bits;
	}
}

static uint32_t some_length(struct input *in)
{
	uint8_t cut = take8(in);

	return cut < FRAME && cut & 1 ? FRAME - cut : FRAME;
}

static void check_key(const uint8_t *frame, uint32_t length, union xp_key *key)
{
	const uint8_t *p = fenced(frame, length);
	int version;

	memset(key, 0, sizeof(*key));
	version = xp_plain_key(p, p + length, XP_P_ALL, key);
	holds((version == 4) == is_plain(frame, length), "version %d of %u bytes", version, length);
	holds(version != 6 || (length >= 58 && frame[12] == 0x86 && frame[13] == 0xdd &&
			       frame[14] >> 4 == 6),
	      "IPv6 of %u bytes", length);
	holds(!xp_plain_key(p, p + length, XP_P_ALL & ~XP_P_VLAN, key), "without VLANs");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = {data, size};
	uint8_t first[FRAME], next[FRAME];
	uint32_t length, n;
	union xp_key key;
	struct xp_train t;
	const uint8_t *p;
	int goes_on;

	memcpy(first, plain, FRAME);
	change(&in, first);
	length = some_length(&in);
	check_key(first, length, &key);
	memset(&t, 0, sizeof(t));
	t.handle = XP_NONE;
	p = fenced(first, length);
	xp_train_begin(p, p + length, &t, HANDLE);
	holds((t.handle == HANDLE) == (length >= XP_TRAIN_BYTES), "%u bytes begin a train", length);
	if (t.handle != HANDLE || !is_plain(first, length))
		return 0;
	for (n = 0; in.left && n < PACKETS; n++) {
		memcpy(next, first, FRAME);
		change(&in, next);
		length = some_length(&in);
		check_key(next, length, &key);
		p = fenced(next, length);
		goes_on = xp_train_goes_on(p, p + length, &t);
		holds(!goes_on == !(length >= XP_TRAIN_BYTES && is_plain(next, length) &&
				    same_flow(first, next)),
		      "goes on: %d, %u bytes", goes_on, length);
	}
	return 0;
}
