/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * train.h - does a packet continue the train, that is: is it of the same flow as the ones before?
 *
 * In: the linear part of a frame, and what was remembered of the train's. Out: yes or no, in three
 * words and a half instead of parsing, forming a key and comparing it. Pure C, also built for the
 * host. Plain IPv4 only (xp_parse_plain()); what else there is takes the ordinary way.
 *
 * Compared: EtherType, version and header length, MF and fragment offset, protocol, addresses,
 * ports. Not compared: TOS, total length, id, DF, TTL, header checksum, and all of TCP.
 */
#ifndef TRAIN_H
#define TRAIN_H

#include "parse.h"

struct xp_train {
	__u64 word[2]; /* bytes 20 .. 35 of the frame, what may differ masked out */
	__u32 dport;   /* bytes 36, 37 */
	__u32 handle;  /* of the flow; XP_NONE: no train */
};

#define XP_TRAIN_BYTES (ETH_HLEN + 20 + 20)

/* Bytes 12 .. 19: IPv4, no options. */
static __always_inline int xp_train_ipv4(const char *data)
{
	const __u64 mask = xp_pair(xp_quad(0xff, 0xff, 0xff, 0), 0);
	const __u64 want = xp_pair(xp_quad(0x08, 0x00, 0x45, 0), 0);

	return (xp_get64(data + 12) & mask) == want;
}

/* Fragment, protocol, source. */
static __always_inline __u64 xp_train_first(const char *data)
{
	return xp_get64(data + 20) &
	       xp_pair(xp_quad(0x3f, 0xff, 0, 0xff), xp_quad(0, 0, 0xff, 0xff));
}

static __always_inline int xp_train_goes_on(const void *data, const void *end,
					    const struct xp_train *t)
{
	const char *p = data;

	if (p + XP_TRAIN_BYTES > (const char *)end || !xp_train_ipv4(p))
		return 0;
	return !((xp_train_first(p) ^ t->word[0]) | (xp_get64(p + 28) ^ t->word[1]) |
		 (xp_get16(p + 36) ^ t->dport));
}

/* Remember a plain IPv4 packet of a flow. */
static __always_inline void xp_train_begin(const void *data, const void *end, struct xp_train *t,
					   __u32 handle)
{
	const char *p = data;

	if (p + XP_TRAIN_BYTES > (const char *)end)
		return;
	t->word[0] = xp_train_first(p);
	t->word[1] = xp_get64(p + 28);
	t->dport = xp_get16(p + 36);
	t->handle = handle;
}

#endif
