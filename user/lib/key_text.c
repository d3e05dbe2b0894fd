/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * key_text.c - flow keys as text: "tcp 10.0.0.1:80 > 10.0.0.2:4711 vlan 7".
 *
 * In: a key, or its text. Out: the other one. IPv6 addresses stand in brackets. Everything that
 * is written reads back as the same key.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include <xdplace/xdplace.h>
#include "context.h"
#include "text.h"

static void format_end(struct xp_out *o, const void *address, __be16 port, bool v6)
{
	char text[INET6_ADDRSTRLEN];

	inet_ntop(v6 ? AF_INET6 : AF_INET, address, text, sizeof(text));
	xp_out(o, v6 ? "[%s]:%u" : "%s:%u", text, ntohs(port));
}

static void format_proto(struct xp_out *o, uint8_t proto)
{
	if (proto == IPPROTO_TCP)
		xp_out(o, "tcp ");
	else if (proto == IPPROTO_UDP)
		xp_out(o, "udp ");
	else
		xp_out(o, "%u ", proto);
}

int xdplace_key_format(const union xp_key *key, bool v6, char *text, size_t size)
{
	struct xp_out o = {.text = text, .size = size};

	format_proto(&o, v6 ? key->v6.proto : key->v4.proto);
	if (v6) {
		format_end(&o, key->v6.src, key->v6.sport, true);
		xp_out(&o, " > ");
		format_end(&o, key->v6.dst, key->v6.dport, true);
		xp_out_vnet(&o, key->v6.vnet_kind, key->v6.vnet, true);
	} else {
		format_end(&o, &key->v4.src, key->v4.sport, false);
		xp_out(&o, " > ");
		format_end(&o, &key->v4.dst, key->v4.dport, false);
		xp_out_vnet(&o, key->v4.vnet_kind, key->v4.vnet, true);
	}
	return o.len;
}

/* One end as it is read: an address of either family and a port. */
struct end {
	uint8_t address[16];
	uint16_t port;
	bool v6;
};

static int parse_proto(struct xp_text *t, uint8_t *proto)
{
	const char *end = t->word + t->len;
	const char *at = t->word;
	uint32_t number;

	if (xp_text_is(t, "tcp"))
		number = IPPROTO_TCP;
	else if (xp_text_is(t, "udp"))
		number = IPPROTO_UDP;
	else if (xp_text_number(&at, end, 255, &number) || at != end)
		return xp_text_fault(t, t->word, "expected tcp or udp");
	*proto = number;
	return 0;
}

/* 10.0.0.1:80 or [2001:db8::1]:80 */
static int parse_end(struct xp_text *t, struct end *e)
{
	const char *end = t->word + t->len;
	const char *colon = memrchr(t->word, ':', t->len);
	const char *at = t->word, *stop = colon;
	bool brackets;
	uint32_t port;

	if (!t->len)
		return xp_text_fault(t, t->word, "expected ADDRESS:PORT");
	brackets = *at == '[';
	if (!colon || (brackets && colon[-1] != ']'))
		return xp_text_fault(t, brackets ? at : end, "expected :PORT behind the address");
	if (brackets) {
		at++;
		stop--;
	}
	if (xp_text_address(at, stop, e->address, &e->v6) || e->v6 != brackets)
		return xp_text_fault(t, at,
				     "expected an IPv4 address, or an IPv6 address in brackets");
	at = colon + 1;
	if (xp_text_number(&at, end, 65535, &port) || at != end)
		return xp_text_fault(t, at, "expected a port number up to 65535");
	e->port = port;
	return 0;
}

static int parse_vnet(struct xp_text *t, uint8_t *kind, uint32_t *vnet)
{
	bool has_id;
	int err;

	if (!xp_text_next(t))
		return 0;
	err = xp_text_vnet(t, kind, vnet, &has_id);
	if (err < 0)
		return err;
	if (!err)
		return xp_text_fault(t, t->word,
				     "expected vlan, qinq, vxlan, geneve, gre, ipip or the end");
	if (!has_id && *kind != XP_VNET_IPIP)
		return xp_text_fault(t, t->word + t->len, "expected the number of the network");
	if (xp_text_next(t))
		return xp_text_fault(t, t->word, "expected the end");
	return 0;
}

static void fill(union xp_key *key, uint8_t proto, const struct end *src, const struct end *dst)
{
	if (src->v6) {
		key->v6.proto = proto;
		memcpy(key->v6.src, src->address, 16);
		memcpy(key->v6.dst, dst->address, 16);
		key->v6.sport = htons(src->port);
		key->v6.dport = htons(dst->port);
		return;
	}
	key->v4.proto = proto;
	memcpy(&key->v4.src, src->address, 4);
	memcpy(&key->v4.dst, dst->address, 4);
	key->v4.sport = htons(src->port);
	key->v4.dport = htons(dst->port);
}

int xdplace_key_parse(const char *text, union xp_key *key, bool *v6, size_t *where)
{
	struct end src, dst;
	struct xp_text t;
	uint8_t proto = 0;
	int err;

	memset(key, 0, sizeof(*key));
	xp_text_begin(&t, "flow", text, where);
	xp_text_next(&t);
	err = parse_proto(&t, &proto);
	if (err)
		return err;
	xp_text_next(&t);
	err = parse_end(&t, &src);
	if (err)
		return err;
	if (!xp_text_next(&t) || !xp_text_is(&t, ">"))
		return xp_text_fault(&t, t.word, "expected '>' between the two ends");
	xp_text_next(&t);
	err = parse_end(&t, &dst);
	if (err)
		return err;
	if (src.v6 != dst.v6)
		return xp_text_fault(&t, t.word, "IPv4 and IPv6 can not meet in one flow");
	fill(key, proto, &src, &dst);
	*v6 = src.v6;
	return src.v6 ? parse_vnet(&t, &key->v6.vnet_kind, &key->v6.vnet)
		      : parse_vnet(&t, &key->v4.vnet_kind, &key->v4.vnet);
}

void xdplace_key_reverse(const union xp_key *key, bool v6, union xp_key *reverse)
{
	union xp_key old = *key; /* `reverse` may be `key` */

	*reverse = old;
	if (v6) {
		memcpy(reverse->v6.src, old.v6.dst, 16);
		memcpy(reverse->v6.dst, old.v6.src, 16);
		reverse->v6.sport = old.v6.dport;
		reverse->v6.dport = old.v6.sport;
		return;
	}
	reverse->v4.src = old.v4.dst;
	reverse->v4.dst = old.v4.src;
	reverse->v4.sport = old.v4.dport;
	reverse->v4.dport = old.v4.sport;
}
