/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * key.c - fuzz target: flow keys as text [R2].
 *
 * Input: what it is (one byte), then a text, or the bytes of a key.
 *
 * Holds: a text that is refused is refused at a place within it; one that is accepted, and each key
 * that is written, reads back as the same key; no text is written beyond its buffer, and the length
 * told is the length needed.
 */
#include <errno.h>

#include <xdplace/xdplace.h>

#include "fuzz.h"

/* Into a buffer of exactly `size` bytes, so that one more is seen. */
static void check_short(const union xp_key *key, bool v6, const char *whole, int length,
			uint32_t size)
{
	char *text = malloc(size ? size : 1);

	holds(text, "no memory");
	holds(xdplace_key_format(key, v6, size ? text : NULL, size) == length, "size %u", size);
	if (size) {
		holds(memchr(text, 0, size), "not terminated");
		holds(!strncmp(whole, text, strlen(text)), "%s, %s", whole, text);
	}
	free(text);
}

static void check_written(const union xp_key *key, bool v6, uint32_t size)
{
	union xp_key again;
	char text[256];
	bool again_v6;
	int length;

	length = xdplace_key_format(key, v6, text, sizeof(text));
	holds(length > 0 && (size_t)length == strlen(text), "%d: %s", length, text);
	holds(!xdplace_key_parse(text, &again, &again_v6, NULL), "%s: %s", text, xdplace_error());
	holds(again_v6 == v6 && !memcmp(&again, key, sizeof(again)), "%s", text);
	check_short(key, v6, text, length, size);
}

static void read_text(const char *text, uint32_t size)
{
	union xp_key key;
	size_t where = ~0u;
	bool v6 = false;
	int err;

	err = xdplace_key_parse(text, &key, &v6, &where);
	if (!err) {
		check_written(&key, v6, size);
		return;
	}
	holds(err == -EINVAL, "%d", err);
	holds(where <= strlen(text), "fault at %zu of %zu", where, strlen(text));
	holds(*xdplace_error(), "no message");
}

/* A key that a packet may have. */
static void write_key(struct input *in, bool v6, uint32_t size)
{
	static const uint32_t max[] = {0, 0xfff, 0xffffff, 0xffffff, 0xffffff, ~0u, 0};
	union xp_key key;
	uint8_t kind = take8(in) % 7, i;
	uint32_t id = take32(in) & max[kind];

	memset(&key, 0, sizeof(key));
	if (v6) {
		for (i = 0; i < 36; i++)
			((uint8_t *)&key)[i] = take8(in);
		key.v6.vnet_kind = kind;
		key.v6.vnet = id;
		key.v6.proto = take8(in);
	} else {
		for (i = 0; i < 12; i++)
			((uint8_t *)&key)[i] = take8(in);
		key.v4.vnet_kind = kind;
		key.v4.vnet = id;
		key.v4.proto = take8(in);
	}
	check_written(&key, v6, size);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = {data, size};
	uint8_t what = take8(&in);
	char *text;

	if (what & 1) {
		write_key(&in, what & 2, what >> 2);
		return 0;
	}
	text = strndup((const char *)in.at, in.left);
	holds(text, "no memory");
	read_text(text, what >> 1);
	free(text);
	return 0;
}
