/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * rule_text.c - rules as text.
 *
 * In: what a person typed, xdplace-rule(3). Out: the struct xp_rule that the XDP program
 * compares with packets, and back. A text that is refused says where and what was expected; a
 * rule that is written reads back as the same rule, byte by byte, if the parser made it.
 *
 * A rule has two ends, src and dst. Words with `src` or `dst` say which end they mean. Words
 * without fill the dst end first, then the src end, and the program tries the rule with its ends
 * exchanged as well (XP_RULE_EITHER): "port 80" is either end's port 80, "host A host B" the
 * conversation of A and B, "host A port 80 host B" that of B with A's port 80. Exchange is all or
 * nothing, which is why the two ways of speaking do not mix in one rule.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include <xdplace/xdplace.h>
#include "context.h"
#include "text.h"

#define ANY_PORT 65535u
#define SSH_PORT 22u
#define FIRST_CLIENT_PORT 32768u /* where Linux begins to draw source ports */

enum side { DST, SRC, UNDIRECTED };

struct rule_parser {
	struct xp_text text;
	struct xp_rule *rule;
	bool host[2], port[2]; /* by side: was given */
	enum side end;	       /* the end that undirected words fill */
	bool directed, undirected;
	unsigned matches;
	bool any;
};

static bool no_port(uint16_t min, uint16_t max)
{
	return min == 0 && max == ANY_PORT;
}

static int set_family(struct rule_parser *p, const char *at, uint8_t family)
{
	uint8_t other = family ^ (XP_RULE_V4 | XP_RULE_V6);

	if (p->rule->flags & other)
		return xp_text_fault(&p->text, at, "IPv4 and IPv6 can not meet in one rule");
	p->rule->flags |= family;
	return 0;
}

static int parse_ip(struct rule_parser *p)
{
	return set_family(p, p->text.word, XP_RULE_V4);
}

static int parse_ip6(struct rule_parser *p)
{
	return set_family(p, p->text.word, XP_RULE_V6);
}

static int set_proto(struct rule_parser *p, uint8_t proto)
{
	if (p->rule->proto && p->rule->proto != proto)
		return xp_text_fault(&p->text, p->text.word,
				     "no packet is both tcp and udp; leave both away for either");
	p->rule->proto = proto;
	return 0;
}

static int parse_tcp(struct rule_parser *p)
{
	return set_proto(p, IPPROTO_TCP);
}

static int parse_udp(struct rule_parser *p)
{
	return set_proto(p, IPPROTO_UDP);
}

static int parse_any(struct rule_parser *p)
{
	p->any = true;
	return 0;
}

static int note_direction(struct rule_parser *p, const char *at, enum side side)
{
	if (side == UNDIRECTED)
		p->undirected = true;
	else
		p->directed = true;
	if (p->directed && p->undirected)
		return xp_text_fault(&p->text, at,
				     "words with and without src or dst can not meet in one rule");
	return 0;
}

/* Which end a host or port is for; given[] tells what the ends have of its sort. */
static int pick_end(struct rule_parser *p, const char *at, enum side side, bool given[2],
		    const char *sort, enum side *end)
{
	if (side != UNDIRECTED && given[side])
		return xp_text_fault(&p->text, at, "a second %s for the same end", sort);
	if (side == UNDIRECTED && given[p->end]) {
		if (p->end == SRC)
			return xp_text_fault(&p->text, at,
					     "a packet has only two ends: a %s too many", sort);
		p->end = SRC;
	}
	*end = side == UNDIRECTED ? p->end : side;
	given[*end] = true;
	return 0;
}

static int parse_host(struct rule_parser *p, enum side side, bool net)
{
	const char *at = p->text.word, *end, *slash;
	uint8_t address[16];
	enum side which;
	uint32_t bits, max;
	bool v6;
	int err;

	if (note_direction(p, at, side) ||
	    pick_end(p, at, side, p->host, net ? "net" : "host", &which))
		return -EINVAL;
	xp_text_next(&p->text);
	at = p->text.word;
	end = at + p->text.len;
	slash = net ? memchr(at, '/', p->text.len) : NULL;
	if (xp_text_address(at, slash ? slash : end, address, &v6))
		return xp_text_fault(&p->text, at, "expected an IPv4 or IPv6 address%s",
				     net ? "/BITS" : "");
	if (net && !slash)
		return xp_text_fault(&p->text, end, "expected /BITS behind the address of a net");
	bits = max = v6 ? 128 : 32;
	err = set_family(p, at, v6 ? XP_RULE_V6 : XP_RULE_V4);
	if (err)
		return err;
	if (net) {
		at = slash + 1;
		if (xp_text_number(&at, end, max, &bits) || at != end)
			return xp_text_fault(&p->text, at, "expected a prefix length up to %u",
					     max);
	}
	xp_text_mask(address, bits);
	memcpy(which == DST ? p->rule->dst : p->rule->src, address, sizeof(address));
	if (which == DST)
		p->rule->dst_bits = bits;
	else
		p->rule->src_bits = bits;
	return 0;
}

static int parse_port(struct rule_parser *p, enum side side)
{
	const char *at = p->text.word, *end;
	uint32_t min, max;
	enum side which;

	if (note_direction(p, at, side) || pick_end(p, at, side, p->port, "port", &which))
		return -EINVAL;
	xp_text_next(&p->text);
	at = p->text.word;
	end = at + p->text.len;
	if (xp_text_number(&at, end, ANY_PORT, &min) || (at != end && *at != '-'))
		return xp_text_fault(&p->text, at, "expected a port number up to 65535, or N-M");
	max = min;
	if (at != end) {
		at++;
		if (xp_text_number(&at, end, ANY_PORT, &max) || at != end)
			return xp_text_fault(&p->text, at, "expected the last port of the range");
		if (max < min)
			return xp_text_fault(&p->text, p->text.word, "the range runs backwards");
	}
	if (which == DST) {
		p->rule->dport_min = min;
		p->rule->dport_max = max;
	} else {
		p->rule->sport_min = min;
		p->rule->sport_max = max;
	}
	return 0;
}

static int parse_end(struct rule_parser *p, enum side side)
{
	if (xp_text_is(&p->text, "host"))
		return parse_host(p, side, false);
	if (xp_text_is(&p->text, "net"))
		return parse_host(p, side, true);
	if (xp_text_is(&p->text, "port"))
		return parse_port(p, side);
	return xp_text_fault(&p->text, p->text.word, "expected host, net or port");
}

static int parse_undirected(struct rule_parser *p)
{
	return parse_end(p, UNDIRECTED);
}

static int parse_src(struct rule_parser *p)
{
	xp_text_next(&p->text);
	return parse_end(p, SRC);
}

static int parse_dst(struct rule_parser *p)
{
	xp_text_next(&p->text);
	return parse_end(p, DST);
}

static int parse_vnet(struct rule_parser *p)
{
	const char *at = p->text.word;
	bool has_id, second = p->rule->vnet_kind;
	int err;

	err = xp_text_vnet(&p->text, &p->rule->vnet_kind, &p->rule->vnet, &has_id);
	if (err < 0)
		return err;
	if (!err)
		return xp_text_fault(&p->text, at,
				     "expected ip, ip6, tcp, udp, src, dst, host, net, port, vlan, "
				     "vxlan, gre, rtp or any");
	if (second)
		return xp_text_fault(&p->text, at, "a second virtual network");
	p->rule->any_vnet = !has_id;
	return 0;
}

/* UDP, placed by RTP sequence number; slot and deadline may follow. */
static int parse_rtp(struct rule_parser *p)
{
	if (p->rule->flags & XP_RULE_WHOLE)
		return xp_text_fault(&p->text, p->text.word,
				     "whole packets are not placed by number: rtp or whole");
	if (p->rule->proto && p->rule->proto != IPPROTO_UDP)
		return xp_text_fault(&p->text, p->text.word, "rtp is carried by udp");
	p->rule->proto = IPPROTO_UDP;
	if (!p->rule->rtp)
		p->rule->rtp = XP_RTP((uint32_t)__builtin_ctz(XP_RTP_SLOT), XP_RTP_DEADLINE_MS);
	return 0;
}

/* The number behind `slot` or `deadline`, which only rtp has. */
static int parse_rtp_number(struct rule_parser *p, uint32_t max, const char *expected,
			    uint32_t *number)
{
	const char *at = p->text.word, *end;

	if (!p->rule->rtp)
		return xp_text_fault(&p->text, at, "%.*s belongs behind rtp", (int)p->text.len, at);
	xp_text_next(&p->text);
	at = p->text.word;
	end = at + p->text.len;
	if (xp_text_number(&at, end, max, number) || at != end || !*number)
		return xp_text_fault(&p->text, p->text.word, "expected %s", expected);
	return 0;
}

static int parse_slot(struct rule_parser *p)
{
	static const char expected[] = "bytes, a power of two from 64 to 32768";
	uint32_t slot;
	int err;

	err = parse_rtp_number(p, 1u << XP_MAX_AREA_SHIFT, expected, &slot);
	if (err)
		return err;
	if (slot & (slot - 1) || slot < 1u << XP_MIN_RTP_SHIFT)
		return xp_text_fault(&p->text, p->text.word, "expected %s", expected);
	p->rule->rtp = XP_RTP((uint32_t)__builtin_ctz(slot), XP_RTP_DEADLINE(p->rule->rtp));
	return 0;
}

static int parse_deadline(struct rule_parser *p)
{
	uint32_t ms;
	int err;

	err = parse_rtp_number(p, XP_MAX_DEADLINE, "milliseconds, 1 to 32767", &ms);
	if (!err)
		p->rule->rtp = XP_RTP(XP_RTP_SLOT_SHIFT(p->rule->rtp), ms);
	return err;
}

static const struct match_word {
	const char *word;
	int (*parse)(struct rule_parser *p);
} match_words[] = {
	{"ip", parse_ip},
	{"ip6", parse_ip6},
	{"tcp", parse_tcp},
	{"udp", parse_udp},
	{"src", parse_src},
	{"dst", parse_dst},
	{"host", parse_undirected},
	{"net", parse_undirected},
	{"port", parse_undirected},
	{"any", parse_any},
	{"rtp", parse_rtp},
	{"slot", parse_slot},
	{"deadline", parse_deadline},
};
#define MATCH_WORDS (sizeof(match_words) / sizeof(match_words[0]))

static int parse_match(struct rule_parser *p)
{
	const char *at = p->text.word;
	size_t i;
	int err;

	for (i = 0; i < MATCH_WORDS && !xp_text_is(&p->text, match_words[i].word); i++)
		;
	err = i < MATCH_WORDS ? match_words[i].parse(p) : parse_vnet(p);
	if (err)
		return err;
	p->matches++;
	if (p->any && p->matches > 1)
		return xp_text_fault(&p->text, at, "any stands alone");
	return 0;
}

/* [ overlap first | overlap drop ], for datagrams that come in fragments. */
static int parse_overlap(struct rule_parser *p)
{
	struct xp_text *t = &p->text;

	if (!xp_text_is(t, "overlap"))
		return 0;
	if (p->rule->flags & XP_RULE_WHOLE)
		return xp_text_fault(t, t->word, "what is delivered whole is not put together");
	xp_text_next(t);
	if (xp_text_is(t, "first"))
		p->rule->flags |= XP_RULE_OVERLAP;
	else if (!xp_text_is(t, "drop"))
		return xp_text_fault(t, t->word, "expected first or drop behind overlap");
	xp_text_next(t);
	return 0;
}

/* [ tap | take ] [ stream | whole ] and overlap; afterwards the current word is the first match. */
static int parse_verdict(struct rule_parser *p)
{
	struct xp_text *t = &p->text;

	p->rule->verdict = XP_RULE_TAP;
	xp_text_next(t);
	if (xp_text_is(t, "tap") || xp_text_is(t, "take")) {
		if (xp_text_is(t, "take"))
			p->rule->verdict = XP_RULE_TAKE;
		xp_text_next(t);
	}
	if (xp_text_is(t, "stream") || xp_text_is(t, "whole")) {
		if (xp_text_is(t, "whole"))
			p->rule->flags |= XP_RULE_WHOLE;
		xp_text_next(t);
	}
	return parse_overlap(p);
}

static void swap_ends(struct xp_rule *rule)
{
	struct xp_rule old = *rule;

	memcpy(rule->src, old.dst, sizeof(rule->src));
	memcpy(rule->dst, old.src, sizeof(rule->dst));
	rule->src_bits = old.dst_bits;
	rule->dst_bits = old.src_bits;
	rule->sport_min = old.dport_min;
	rule->sport_max = old.dport_max;
	rule->dport_min = old.sport_min;
	rule->dport_max = old.sport_max;
}

/*
 * Of two undirected rules that mean the same, make the one that can be written: an address at
 * the dst end if there is one at all, else a port there.
 */
static void normalise(struct xp_rule *rule)
{
	bool sport = !no_port(rule->sport_min, rule->sport_max);
	bool dport = !no_port(rule->dport_min, rule->dport_max);

	if (!(rule->flags & XP_RULE_EITHER) || rule->dst_bits)
		return;
	if (rule->src_bits || (sport && !dport))
		swap_ends(rule);
	else if (!sport && !dport)
		rule->flags &= ~XP_RULE_EITHER;
}

int xdplace_rule_parse(const char *text, struct xp_rule *rule, size_t *where)
{
	struct rule_parser p = {.rule = rule};
	int err;

	memset(rule, 0, sizeof(*rule));
	rule->sport_max = ANY_PORT;
	rule->dport_max = ANY_PORT;
	xp_text_begin(&p.text, "rule", text, where);
	if (parse_verdict(&p))
		return -EINVAL;
	if (!p.text.len)
		return xp_text_fault(
			&p.text, p.text.word,
			"expected what to match: any, tcp, udp, host ADDR, port N ...");
	do {
		err = parse_match(&p);
		if (err)
			return err;
	} while (xp_text_next(&p.text));
	if (p.undirected)
		rule->flags |= XP_RULE_EITHER;
	normalise(rule);
	return 0;
}

static bool valid_bits(const struct xp_rule *rule)
{
	unsigned max = rule->flags & XP_RULE_V6 ? 128 : 32;

	if (!rule->src_bits && !rule->dst_bits)
		return true;
	return rule->flags & (XP_RULE_V4 | XP_RULE_V6) && rule->src_bits <= max &&
	       rule->dst_bits <= max;
}

static bool valid_rtp(const struct xp_rule *rule)
{
	return rule->proto == IPPROTO_UDP && !(rule->flags & XP_RULE_WHOLE) &&
	       !(rule->rtp & ~XP_RTP_MASK) && XP_RTP_SLOT_SHIFT(rule->rtp) >= XP_MIN_RTP_SHIFT &&
	       XP_RTP_DEADLINE(rule->rtp);
}

static bool valid(const struct xp_rule *rule)
{
	unsigned families = rule->flags & (XP_RULE_V4 | XP_RULE_V6);

	if (rule->verdict != XP_RULE_TAP && rule->verdict != XP_RULE_TAKE)
		return false;
	if (families == (XP_RULE_V4 | XP_RULE_V6) || !xp_vnet_valid(rule->vnet_kind, rule->vnet))
		return false;
	if (rule->flags & XP_RULE_OVERLAP && rule->flags & XP_RULE_WHOLE)
		return false;
	if (rule->proto && rule->proto != IPPROTO_TCP && rule->proto != IPPROTO_UDP)
		return false;
	if (rule->rtp && !valid_rtp(rule))
		return false;
	return valid_bits(rule) && rule->sport_min <= rule->sport_max &&
	       rule->dport_min <= rule->dport_max;
}

static void format_host(struct xp_out *o, const char *direction, const uint8_t *address,
			unsigned bits, bool v6)
{
	char text[INET6_ADDRSTRLEN];

	if (!bits)
		return;
	inet_ntop(v6 ? AF_INET6 : AF_INET, address, text, sizeof(text));
	if (bits == (v6 ? 128 : 32))
		xp_out(o, " %shost %s", direction, text);
	else
		xp_out(o, " %snet %s/%u", direction, text, bits);
}

static void format_port(struct xp_out *o, const char *direction, unsigned min, unsigned max)
{
	if (no_port(min, max))
		return;
	if (min == max)
		xp_out(o, " %sport %u", direction, min);
	else
		xp_out(o, " %sport %u-%u", direction, min, max);
}

static void format_ends(struct xp_out *o, const struct xp_rule *rule)
{
	bool either = rule->flags & XP_RULE_EITHER;
	const char *src = either ? "" : "src ";
	const char *dst = either ? "" : "dst ";
	bool v6 = rule->flags & XP_RULE_V6;
	bool sport = !no_port(rule->sport_min, rule->sport_max);
	bool dport = !no_port(rule->dport_min, rule->dport_max);

	format_host(o, dst, rule->dst, rule->dst_bits, v6);
	format_port(o, dst, rule->dport_min, rule->dport_max);
	/* Without this the port that follows would be read as the dst end's. */
	if (either && sport && !dport && !rule->src_bits)
		xp_out(o, " port 0-%u", ANY_PORT);
	format_host(o, src, rule->src, rule->src_bits, v6);
	format_port(o, src, rule->sport_min, rule->sport_max);
}

static void format_rtp(struct xp_out *o, uint32_t rtp)
{
	if (rtp)
		xp_out(o, " rtp slot %u deadline %u", 1u << XP_RTP_SLOT_SHIFT(rtp),
		       XP_RTP_DEADLINE(rtp));
}

static void format_matches(struct xp_out *o, const struct xp_rule *rule)
{
	if (rule->flags & XP_RULE_V4 && !rule->src_bits && !rule->dst_bits)
		xp_out(o, " ip");
	if (rule->flags & XP_RULE_V6 && !rule->src_bits && !rule->dst_bits)
		xp_out(o, " ip6");
	if (rule->proto)
		xp_out(o, " %s", rule->proto == IPPROTO_TCP ? "tcp" : "udp");
	format_ends(o, rule);
	xp_out_vnet(o, rule->vnet_kind, rule->vnet, !rule->any_vnet);
	format_rtp(o, rule->rtp);
}

int xdplace_rule_format(const struct xp_rule *rule, char *text, size_t size)
{
	struct xp_out o = {.text = text, .size = size};
	struct xp_rule r = *rule;
	size_t before;

	if (!valid(rule))
		return xp_fail(EINVAL, "rule %u: its fields contradict each other", rule->id);
	normalise(&r);
	xp_out(&o, "%s %s%s", r.verdict == XP_RULE_TAKE ? "take" : "tap",
	       r.flags & XP_RULE_WHOLE ? "whole" : "stream",
	       r.flags & XP_RULE_OVERLAP ? " overlap first" : "");
	before = o.len;
	format_matches(&o, &r);
	if (o.len == before)
		xp_out(&o, " any");
	return o.len;
}

/* ---- does a rule take the machine's own management traffic? ---- */

static bool in_net(const uint8_t *address, const uint8_t *net, unsigned bits)
{
	uint8_t masked[16];

	memcpy(masked, address, sizeof(masked));
	xp_text_mask(masked, bits);
	return !memcmp(masked, net, sizeof(masked));
}

static bool in_ports(unsigned port, unsigned min, unsigned max)
{
	return port >= min && port <= max;
}

/*
 * Whether the ports of the far end are such as ssh clients draw theirs from. A single one is a
 * service: that "take tcp port 8080" hits the client that happens to have 8080 is no concern.
 */
static bool client_ports(unsigned min, unsigned max)
{
	return max > min && max > FIRST_CLIENT_PORT;
}

static bool takes_ssh_to(const struct xp_rule *rule, const uint8_t *address, bool v6)
{
	if (rule->flags & (v6 ? XP_RULE_V4 : XP_RULE_V6))
		return false;
	if (in_net(address, rule->dst, rule->dst_bits) &&
	    in_ports(SSH_PORT, rule->dport_min, rule->dport_max) &&
	    client_ports(rule->sport_min, rule->sport_max))
		return true;
	return rule->flags & XP_RULE_EITHER && in_net(address, rule->src, rule->src_bits) &&
	       in_ports(SSH_PORT, rule->sport_min, rule->sport_max) &&
	       client_ports(rule->dport_min, rule->dport_max);
}

/* The address of an interface in 16 bytes; false: it can not come in from outside. */
static bool outside_address(const struct ifaddrs *ifa, uint8_t address[16], bool *v6)
{
	const struct sockaddr_in *in4 = (const void *)ifa->ifa_addr;
	const struct sockaddr_in6 *in6 = (const void *)ifa->ifa_addr;

	memset(address, 0, 16);
	if (!ifa->ifa_addr)
		return false;
	if (ifa->ifa_addr->sa_family == AF_INET) {
		memcpy(address, &in4->sin_addr, sizeof(in4->sin_addr));
		*v6 = false;
		return address[0] != IN_LOOPBACKNET;
	}
	if (ifa->ifa_addr->sa_family != AF_INET6)
		return false;
	memcpy(address, &in6->sin6_addr, sizeof(in6->sin6_addr));
	*v6 = true;
	return !IN6_IS_ADDR_LOOPBACK(&in6->sin6_addr);
}

int xdplace_rule_takes_management(const struct xp_rule *rule)
{
	struct ifaddrs *all, *ifa;
	uint8_t address[16];
	bool v6, taken = false;

	if (rule->verdict != XP_RULE_TAKE || (rule->proto && rule->proto != IPPROTO_TCP))
		return 0;
	/* A VLAN may well be the management network; what comes in a tunnel is somebody's guest. */
	if (rule->vnet_kind > XP_VNET_QINQ)
		return 0;
	if (getifaddrs(&all))
		return xp_fail(errno, "list local addresses: %s", strerror(errno));
	for (ifa = all; ifa && !taken; ifa = ifa->ifa_next)
		taken = outside_address(ifa, address, &v6) && takes_ssh_to(rule, address, v6);
	freeifaddrs(all);
	return taken;
}
