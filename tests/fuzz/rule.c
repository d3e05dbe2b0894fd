/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * rule.c - fuzz target: rules as text [R16].
 *
 * Input: what it is (one byte), then a text, or the bytes of a struct xp_rule as anyone may have
 * left them in the map.
 *
 * Holds: a text that is refused is refused at a place within it; what is accepted is a rule that
 * the program understands, and reads back as the same rule, byte by byte; bytes that are no rule
 * are refused, or written as a text that is one; no text is written beyond its buffer.
 */
#include <errno.h>
#include <netinet/in.h>

#include <xdplace/xdplace.h>

#include "fuzz.h"

static void check_short(const struct xp_rule *rule, const char *whole, int length, uint32_t size)
{
	char *text = malloc(size ? size : 1);

	holds(text, "no memory");
	holds(xdplace_rule_format(rule, size ? text : NULL, size) == length, "size %u", size);
	if (size) {
		holds(memchr(text, 0, size), "not terminated");
		holds(!strncmp(whole, text, strlen(text)), "%s, %s", whole, text);
	}
	free(text);
}

static void check_net(const uint8_t *address, uint32_t bits, bool v6)
{
	uint32_t i;

	holds(bits <= (v6 ? 128 : 32), "%u bits", bits);
	for (i = 0; i < 128; i++)
		holds(i < bits || !(address[i / 8] >> (7 - i % 8) & 1), "bit %u of %u", i, bits);
}

static void check_rule(const struct xp_rule *rule)
{
	bool v6 = rule->flags & XP_RULE_V6;

	holds(rule->verdict == XP_RULE_TAP || rule->verdict == XP_RULE_TAKE, "verdict %u",
	      rule->verdict);
	holds(!(v6 && rule->flags & XP_RULE_V4), "both families");
	holds(!rule->proto || rule->proto == IPPROTO_TCP || rule->proto == IPPROTO_UDP,
	      "protocol %u", rule->proto);
	holds(rule->sport_min <= rule->sport_max && rule->dport_min <= rule->dport_max, "ports");
	holds(rule->vnet_kind <= XP_VNET_IPIP && rule->any_vnet <= 1 && !rule->zero && !rule->id,
	      "network %u", rule->vnet_kind);
	check_net(rule->src, rule->src_bits, v6);
	check_net(rule->dst, rule->dst_bits, v6);
}

static void read_text(const char *text, uint32_t size)
{
	struct xp_rule rule, again;
	size_t where = ~0u;
	char out[512];
	int err, length;

	err = xdplace_rule_parse(text, &rule, &where);
	if (err) {
		holds(err == -EINVAL, "%d", err);
		holds(where <= strlen(text), "fault at %zu of %zu", where, strlen(text));
		holds(*xdplace_error(), "no message");
		return;
	}
	check_rule(&rule);
	length = xdplace_rule_format(&rule, out, sizeof(out));
	holds(length > 0 && (size_t)length == strlen(out), "%s: %d", text, length);
	holds(!xdplace_rule_parse(out, &again, NULL), "%s: %s", out, xdplace_error());
	holds(!memcmp(&rule, &again, sizeof(rule)), "%s: %s", text, out);
	check_short(&rule, out, length, size);
}

static void write_rule(struct input *in, uint32_t size)
{
	struct xp_rule rule, again;
	char out[512];
	int length;

	memset(&rule, 0, sizeof(rule));
	memcpy(&rule, in->at, in->left < sizeof(rule) ? in->left : sizeof(rule));
	length = xdplace_rule_format(&rule, out, sizeof(out));
	if (length < 0) {
		holds(length == -EINVAL, "%d", length);
		return;
	}
	holds((size_t)length == strlen(out), "%d: %s", length, out);
	holds(!xdplace_rule_parse(out, &again, NULL), "%s: %s", out, xdplace_error());
	check_short(&rule, out, length, size);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = {data, size};
	uint8_t what = take8(&in);
	char *text;

	if (what & 1) {
		write_rule(&in, what >> 1);
		return 0;
	}
	text = strndup((const char *)in.at, in.left);
	holds(text, "no memory");
	read_text(text, what >> 1);
	free(text);
	return 0;
}
