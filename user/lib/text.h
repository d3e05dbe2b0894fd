/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * text.h - words in, words out: what the texts of rules and of flow keys have in common.
 *
 * In: a NUL-terminated text that a person typed. Out: its words, numbers and addresses, or the
 * place and the name of what was expected there. A text being written never overruns its buffer
 * and always tells the length that it needs.
 */
#ifndef XP_TEXT_H
#define XP_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct xp_text {
	const char *kind; /* what is read, for messages: "rule" */
	const char *text;
	const char *word; /* the current word; at the end of the text: the terminating NUL */
	size_t len;
	size_t *where; /* gets the offset of a fault; may be NULL */
};

/* Begin in front of the first word. */
void xp_text_begin(struct xp_text *t, const char *kind, const char *text, size_t *where);
/* Go to the next word; false: there is none. */
bool xp_text_next(struct xp_text *t);
/* The word after the current one without going there; *len 0: there is none. */
const char *xp_text_peek(const struct xp_text *t, size_t *len);
bool xp_text_is(const struct xp_text *t, const char *word);
/* Remember `at` as the fault; sets xdplace_error(), returns -EINVAL. */
int xp_text_fault(struct xp_text *t, const char *at, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/*
 * Read an unsigned number, decimal or 0x, at *at and before `end`; *at moves behind it.
 * -EINVAL: no digit there, or more than max; *at stays.
 */
int xp_text_number(const char **at, const char *end, uint32_t max, uint32_t *number);
/* Read an IPv4 or IPv6 address that ends exactly at `end` into 16 bytes, the rest zero. */
int xp_text_address(const char *at, const char *end, uint8_t address[16], bool *v6);
/* Clear the bits of an address behind its first `bits`. */
void xp_text_mask(uint8_t address[16], unsigned bits);

/*
 * Read the virtual network that the current word names, with its id if the next word is one.
 * 0: the current word names none. > 0: *kind is set; *has_id tells whether *id is.
 */
int xp_text_vnet(struct xp_text *t, uint8_t *kind, uint32_t *id, bool *has_id);

/* Is there such a virtual network? */
bool xp_vnet_valid(unsigned kind, uint32_t id);

struct xp_out {
	char *text;
	size_t size;
	size_t len; /* needed so far, without the NUL */
};
void xp_out(struct xp_out *o, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* " vlan 7", " vlan" without an id; nothing for XP_VNET_NONE. */
void xp_out_vnet(struct xp_out *o, unsigned kind, uint32_t id, bool has_id);

#endif
