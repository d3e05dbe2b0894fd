/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * text.c - words in, words out; see text.h.
 */
#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <xdplace/abi.h>
#include "context.h"
#include "text.h"

/* Longest that inet_pton() takes, and a NUL. */
#define ADDRESS_TEXT INET6_ADDRSTRLEN

static const char *skip_space(const char *at)
{
	while (isspace((unsigned char)*at))
		at++;
	return at;
}

static size_t word_length(const char *at)
{
	size_t len = 0;

	while (at[len] && !isspace((unsigned char)at[len]))
		len++;
	return len;
}

void xp_text_begin(struct xp_text *t, const char *kind, const char *text, size_t *where)
{
	t->kind = kind;
	t->text = text;
	t->word = text;
	t->len = 0;
	t->where = where;
	if (where)
		*where = 0;
}

const char *xp_text_peek(const struct xp_text *t, size_t *len)
{
	const char *at = skip_space(t->word + t->len);

	*len = word_length(at);
	return at;
}

bool xp_text_next(struct xp_text *t)
{
	t->word = xp_text_peek(t, &t->len);
	return t->len > 0;
}

bool xp_text_is(const struct xp_text *t, const char *word)
{
	return t->len == strlen(word) && !memcmp(t->word, word, t->len);
}

int xp_text_fault(struct xp_text *t, const char *at, const char *fmt, ...)
{
	size_t len = word_length(at);
	char what[160];
	va_list args;

	va_start(args, fmt);
	vsnprintf(what, sizeof(what), fmt, args);
	va_end(args);
	if (t->where)
		*t->where = at - t->text;
	if (len)
		return xp_fail(EINVAL, "%s, at '%.*s': %s", t->kind, len > 40 ? 40 : (int)len, at,
			       what);
	if (t->len)
		return xp_fail(EINVAL, "%s, behind '%.*s': %s", t->kind,
			       t->len > 40 ? 40 : (int)t->len, t->word, what);
	return xp_fail(EINVAL, "%s, at its end: %s", t->kind, what);
}

static int digit_of(char c, unsigned base)
{
	int digit;

	if (c >= '0' && c <= '9')
		return c - '0';
	if (base == 10 || !isxdigit((unsigned char)c))
		return -1;
	digit = tolower((unsigned char)c) - 'a';
	return digit + 10;
}

int xp_text_number(const char **at, const char *end, uint32_t max, uint32_t *number)
{
	const char *start = *at;
	unsigned base = 10;
	const char *p = start;
	uint64_t value = 0;

	if (end - p > 2 && p[0] == '0' && (p[1] == 'x' || p[1] == 'X')) {
		base = 16;
		p += 2;
		start = p;
	}
	for (; p < end && digit_of(*p, base) >= 0; p++) {
		value = value * base + digit_of(*p, base);
		if (value > max)
			return -EINVAL;
	}
	if (p == start)
		return -EINVAL;
	*number = value;
	*at = p;
	return 0;
}

int xp_text_address(const char *at, const char *end, uint8_t address[16], bool *v6)
{
	char text[ADDRESS_TEXT];
	size_t len = end - at;

	if (len >= sizeof(text))
		return -EINVAL;
	memcpy(text, at, len);
	text[len] = '\0';
	memset(address, 0, 16);
	*v6 = memchr(text, ':', len) != NULL;
	return inet_pton(*v6 ? AF_INET6 : AF_INET, text, address) == 1 ? 0 : -EINVAL;
}

void xp_text_mask(uint8_t address[16], unsigned bits)
{
	unsigned i;

	for (i = 0; i < 16; i++) {
		if (bits >= 8 * (i + 1))
			continue;
		address[i] &= bits > 8 * i ? 0xff00 >> (bits - 8 * i) : 0;
	}
}

/* The words for virtual networks; the first of a kind is the one that is written. */
static const struct vnet_word {
	const char *word;
	uint8_t kind;
	uint32_t max; /* largest id; 0: takes none */
} vnet_words[] = {
	{"vlan", XP_VNET_VLAN, 0xfff},
	{"qinq", XP_VNET_QINQ, 0xffffff},
	{"vxlan", XP_VNET_VXLAN, 0xffffff},
	{"vni", XP_VNET_VXLAN, 0xffffff},
	{"geneve", XP_VNET_GENEVE, 0xffffff},
	{"gre", XP_VNET_GRE, 0xffffffff},
	{"ipip", XP_VNET_IPIP, 0},
};
#define VNET_WORDS (sizeof(vnet_words) / sizeof(vnet_words[0]))

/* OUTER.INNER, each a VLAN id. */
static int read_qinq(struct xp_text *t, uint32_t *id)
{
	const char *end = t->word + t->len;
	const char *at = t->word;
	uint32_t outer, inner;

	if (xp_text_number(&at, end, 0xfff, &outer) || at == end || *at != '.')
		return xp_text_fault(t, at, "expected OUTER.INNER, two VLAN ids up to 4095");
	at++;
	if (xp_text_number(&at, end, 0xfff, &inner) || at != end)
		return xp_text_fault(t, at, "expected an inner VLAN id up to 4095");
	*id = outer << 12 | inner;
	return 0;
}

static int read_vnet_id(struct xp_text *t, const struct vnet_word *v, uint32_t *id)
{
	const char *end = t->word + t->len;
	const char *at = t->word;

	if (v->kind == XP_VNET_QINQ)
		return read_qinq(t, id);
	if (xp_text_number(&at, end, v->max, id) || at != end)
		return xp_text_fault(t, at, "expected the number of a %s, up to %u", v->word,
				     v->max);
	return 0;
}

int xp_text_vnet(struct xp_text *t, uint8_t *kind, uint32_t *id, bool *has_id)
{
	const struct vnet_word *v;
	const char *next;
	size_t len;
	int err;

	for (v = vnet_words; v < vnet_words + VNET_WORDS && !xp_text_is(t, v->word); v++)
		;
	if (v == vnet_words + VNET_WORDS)
		return 0;
	*kind = v->kind;
	*id = 0;
	next = xp_text_peek(t, &len);
	*has_id = v->max && len && isdigit((unsigned char)*next);
	if (!*has_id)
		return 1;
	xp_text_next(t);
	err = read_vnet_id(t, v, id);
	return err ? err : 1;
}

void xp_out(struct xp_out *o, const char *fmt, ...)
{
	size_t room = o->len < o->size ? o->size - o->len : 0;
	va_list args;
	int len;

	va_start(args, fmt);
	len = vsnprintf(room ? o->text + o->len : NULL, room, fmt, args);
	va_end(args);
	if (len > 0)
		o->len += len;
}

/* How the kind is written; NULL: it is none. */
static const struct vnet_word *find_vnet(unsigned kind)
{
	const struct vnet_word *v;

	for (v = vnet_words; v < vnet_words + VNET_WORDS; v++)
		if (v->kind == kind)
			return v;
	return NULL;
}

bool xp_vnet_valid(unsigned kind, uint32_t id)
{
	const struct vnet_word *v = find_vnet(kind);

	return v ? id <= v->max : kind == XP_VNET_NONE && !id;
}

void xp_out_vnet(struct xp_out *o, unsigned kind, uint32_t id, bool has_id)
{
	const struct vnet_word *v = find_vnet(kind);

	if (!v)
		return;
	xp_out(o, " %s", v->word);
	if (!has_id || !v->max)
		return;
	if (kind == XP_VNET_QINQ)
		xp_out(o, " %u.%u", id >> 12, id & 0xfff);
	else
		xp_out(o, " %u", id);
}
