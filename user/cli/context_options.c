/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * context_options.c - the options that make a context, shared by load, watch and follow.
 *
 * In: options and interface names. Out: a context that is open, has its rules and is attached; or
 * the end of the process with a message, its exit code, and nothing left behind.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"

enum option_key {
	KEY_UMEM_SIZE = CLI_LONG,
	KEY_AREA_SIZE,
	KEY_THRESHOLD,
	KEY_WINDOW,
	KEY_FLOWS,
	KEY_EARLY,
	KEY_RTP,
	KEY_LANES,
	KEY_RING,
	KEY_HOT,
	KEY_OWN_SIZE,
	KEY_FLOW_AGE,
	KEY_CLOSED_AGE,
	KEY_HOLE_AGE,
	KEY_DATAGRAMS,
	KEY_FRAGMENT_AGE,
	KEY_NO_CHECKSUM,
	KEY_NO_PICKUP,
	KEY_NO_SELFTEST,
	KEY_PROTOCOLS,
	KEY_FRAMES,
	KEY_DISPATCHER,
	KEY_FORCE,
	KEY_EGRESS,
	KEY_EGRESS_CLSACT,
};

static const struct cli_option context_list[] = {
	{"mode", 'm', "MODE", "native (default), skb, or unspecified: native, else skb"},
	{"rule", 'r', "RULE", "which packets; may be repeated, the first match decides"},
	{"umem-size", KEY_UMEM_SIZE, "SIZE", "memory, power of two, 1M to 4G (64M)"},
	{"area-size", KEY_AREA_SIZE, "SIZE", "power of two, 4K to 32K (4K)"},
	{"threshold", KEY_THRESHOLD, "N", "smaller whole packets share areas, 64 to 2048 (256)"},
	{"window", KEY_WINDOW, "SIZE", "how far ahead data may land, 16 to 256 areas (1M)"},
	{"flows", KEY_FLOWS, "N", "connections at a time, 1 to 1048576 (16384)"},
	{"early", KEY_EARLY, "N", "connections with holes at a time (1024)"},
	{"rtp", KEY_RTP, "N", "RTP flows at a time, 1 to 16384 (256)"},
	{"lanes", KEY_LANES, "N", "receive queues served side by side, 1 to 64 (CPUs)"},
	{"ring", KEY_RING, "N", "completions of a lane, power of two, 1024 to 1M (4096)"},
	{"hot", KEY_HOT, "N", "areas reused first, power of two, 16 to 4096 (4096)"},
	{"own-size", KEY_OWN_SIZE, "SIZE", "memory kept for own areas (0)"},
	{"flow-age", KEY_FLOW_AGE, "TIME", "idle connections end after this, or never (300s)"},
	{"closed-age", KEY_CLOSED_AGE, "TIME", "entries of ended ones are kept so long (5s)"},
	{"hole-age", KEY_HOLE_AGE, "TIME", "holes are given up after this, or never (10s)"},
	{"datagrams", KEY_DATAGRAMS, "N", "in fragments at a time, 1 to 16384 (256)"},
	{"fragment-age", KEY_FRAGMENT_AGE, "TIME", "those are given up after this, or never (30s)"},
	{"no-checksum", KEY_NO_CHECKSUM, NULL, "do not verify: the NIC drops bad packets"},
	{"no-pickup", KEY_NO_PICKUP, NULL, "only connections whose SYN is seen"},
	{"no-selftest", KEY_NO_SELFTEST, NULL, "skip the test of memory and program at the start"},
	{"protocols", KEY_PROTOCOLS, "LIST", "vlan,ipv4,ipv6,tcp,udp,vxlan,geneve,gre,ipip (all)"},
	{"frames", KEY_FRAMES, "xsk|place",
	 "large whole packets: AF_XDP sockets or placed (place)"},
	{"dispatcher", KEY_DISPATCHER, NULL, "attach beside other programs, through libxdp"},
	{"egress", KEY_EGRESS, NULL, "place what the interfaces send as well"},
	{"egress-clsact", KEY_EGRESS_CLSACT, NULL, "the same, by clsact even if there is tcx"},
	{"force", KEY_FORCE, NULL, "in spite of a warning: attach, or take ssh's packets"},
	{NULL, 0, NULL, NULL},
};

static uint32_t protocols(const char *list)
{
	static const struct {
		const char *name;
		uint32_t bit;
	} names[] = {{"vlan", XP_P_VLAN},     {"ipv4", XP_P_IPV4}, {"ipv6", XP_P_IPV6},
		     {"tcp", XP_P_TCP},	      {"udp", XP_P_UDP},   {"vxlan", XP_P_VXLAN},
		     {"geneve", XP_P_GENEVE}, {"gre", XP_P_GRE},   {"ipip", XP_P_IPIP},
		     {"all", XP_P_ALL}};
	char *copy = strdup(list), *save = NULL, *name;
	uint32_t bits = 0;
	size_t i;

	for (name = strtok_r(copy, ",", &save); name; name = strtok_r(NULL, ",", &save)) {
		for (i = 0; i < sizeof(names) / sizeof(names[0]); i++)
			if (!strcmp(name, names[i].name))
				break;
		if (i == sizeof(names) / sizeof(names[0]))
			cli_usage("--protocols: no protocol '%s'; there are vlan, ipv4, ipv6, tcp, "
				  "udp, vxlan, geneve, gre, ipip, all",
				  name);
		bits |= names[i].bit;
	}
	free(copy);
	if (!bits)
		cli_usage("--protocols: the list is empty");
	return bits;
}

static void set_mode(struct context_options *options, const char *mode)
{
	options->fall_back = !strcmp(mode, "unspecified");
	options->attach.mode = strcmp(mode, "skb") ? XDPLACE_NATIVE : XDPLACE_SKB;
	if (strcmp(mode, "native") && strcmp(mode, "skb") && !options->fall_back)
		cli_usage("--mode '%s': must be native, skb or unspecified", mode);
}

static void set_frames(struct context_options *options, const char *where)
{
	options->open.frames_xsk = !strcmp(where, "xsk");
	if (strcmp(where, "xsk") && strcmp(where, "place"))
		cli_usage("--frames '%s': must be xsk or place", where);
}

static void add_rule(struct context_options *options, const char *text)
{
	if (options->rule_count == XP_MAX_RULES)
		cli_usage("more than %u rules", XP_MAX_RULES);
	context_rule(text, &options->rules[options->rule_count]);
	options->rule_text[options->rule_count++] = text;
}

/* Bytes for a field of 32 bits; the library knows the limits. 0 would mean the default: refuse. */
static uint32_t size32(const char *option, const char *text)
{
	uint32_t value = cli_size32(option, text);

	if (!value)
		cli_usage("%s 0: out of range", option);
	return value;
}

static uint64_t size64(const char *option, const char *text)
{
	uint64_t value = cli_size(option, text);

	if (!value)
		cli_usage("%s 0: out of range", option);
	return value;
}

static void set_size(struct xdplace_opts *open, int key, const char *argument)
{
	switch (key) {
	case KEY_UMEM_SIZE:
		open->umem_size = size64("--umem-size", argument);
		break;
	case KEY_AREA_SIZE:
		open->area_size = size32("--area-size", argument);
		break;
	case KEY_THRESHOLD:
		open->threshold = size32("--threshold", argument);
		break;
	case KEY_WINDOW:
		open->window = size32("--window", argument);
		break;
	case KEY_OWN_SIZE:
		open->own_size = cli_size("--own-size", argument);
		break;
	}
}

static void set_count(struct xdplace_opts *open, int key, const char *argument)
{
	switch (key) {
	case KEY_FLOWS:
		open->flows = size32("--flows", argument);
		break;
	case KEY_EARLY:
		open->early = size32("--early", argument);
		break;
	case KEY_RTP:
		open->rtp = size32("--rtp", argument);
		break;
	case KEY_LANES:
		open->lanes = size32("--lanes", argument);
		break;
	case KEY_RING:
		open->ring = size32("--ring", argument);
		break;
	case KEY_HOT:
		open->hot = size32("--hot", argument);
		break;
	case KEY_DATAGRAMS:
		open->datagrams = size32("--datagrams", argument);
		break;
	}
}

static void set_age(struct xdplace_opts *open, int key, const char *argument)
{
	switch (key) {
	case KEY_FLOW_AGE:
		open->flow_age_ms = cli_age("--flow-age", argument);
		break;
	case KEY_CLOSED_AGE:
		open->closed_age_ms = cli_age("--closed-age", argument);
		break;
	case KEY_HOLE_AGE:
		open->hole_age_ms = cli_age("--hole-age", argument);
		break;
	case KEY_FRAGMENT_AGE:
		open->fragment_age_ms = cli_age("--fragment-age", argument);
		break;
	}
}

static void set_flag(struct context_options *options, int key)
{
	switch (key) {
	case KEY_NO_CHECKSUM:
		options->open.no_checksum = true;
		break;
	case KEY_NO_PICKUP:
		options->open.no_pickup = true;
		break;
	case KEY_NO_SELFTEST:
		options->open.no_selftest = true;
		break;
	case KEY_DISPATCHER:
		options->attach.dispatcher = true;
		break;
	case KEY_FORCE:
		options->attach.force = true;
		break;
	case KEY_EGRESS:
		options->open.egress = XP_EGRESS_AUTO;
		break;
	case KEY_EGRESS_CLSACT:
		options->open.egress = XP_EGRESS_CLSACT;
		break;
	}
}

static void set_context(void *to, int key, const char *argument)
{
	struct context_options *options = to;

	switch (key) {
	case 'm':
		set_mode(options, argument);
		break;
	case 'r':
		add_rule(options, argument);
		break;
	case KEY_PROTOCOLS:
		options->open.protocols = protocols(argument);
		break;
	case KEY_FRAMES:
		set_frames(options, argument);
		break;
	default:
		set_size(&options->open, key, argument);
		set_count(&options->open, key, argument);
		set_age(&options->open, key, argument);
		set_flag(options, key);
	}
}

struct cli_set context_set(struct context_options *options)
{
	memset(options, 0, sizeof(*options));
	options->open.size = sizeof(options->open);
	options->open.log = cli_log;
	options->attach.size = sizeof(options->attach);
	return (struct cli_set){context_list, set_context, options, "Options of the context"};
}

void context_rule(const char *text, struct xp_rule *rule)
{
	size_t where = 0;

	if (xdplace_rule_parse(text, rule, &where))
		cli_syntax("rule", text, where);
}

void context_keep_management(const char *text, const struct xp_rule *rule, bool force)
{
	if (!force && xdplace_rule_takes_management(rule))
		cli_usage("rule '%s' would keep ssh to this machine from its stack: narrow it "
			  "(tcp port 80), use 'tap', or say --force if that is meant",
			  text);
}

static void add_rules(struct xdplace *ctx, struct context_options *options)
{
	size_t i;
	int id;

	for (i = 0; i < options->rule_count; i++) {
		id = xdplace_rule_add(ctx, &options->rules[i]);
		if (id >= 0) {
			options->rules[i].id = (uint32_t)id;
			continue;
		}
		xdplace_unload(ctx);
		exit(cli_error(id, "add rule '%s'", options->rule_text[i]));
	}
}

/* As asked for; with -m unspecified in generic mode where the driver can't. */
static int attach(struct xdplace *ctx, const struct context_options *options, const char *interface)
{
	struct xdplace_attach_opts attach = options->attach;
	int err = xdplace_attach(ctx, interface, &attach);

	if (err != -EOPNOTSUPP || !options->fall_back)
		return err;
	cli_warn("%s: %s", interface, xdplace_error());
	cli_warn("%s: going on in skb mode", interface);
	attach.mode = XDPLACE_SKB;
	return xdplace_attach(ctx, interface, &attach);
}

/* A pinned context is found by the name of its pin: it has no other. */
static void set_name(struct xdplace_opts *open)
{
	if (cli.context && open->pin && strcmp(cli.context, open->pin))
		cli_usage("--pin names the context already: leave out --context");
	if (!open->name)
		open->name = open->pin ? open->pin : cli.context;
}

static void refuse_twice(char **interfaces, int count)
{
	int i, k;

	for (i = 1; i < count; i++)
		for (k = 0; k < i; k++)
			if (!strcmp(interfaces[i], interfaces[k]))
				cli_usage("interface %s is named twice", interfaces[i]);
}

struct xdplace *context_open(struct context_options *options, char **interfaces, int count,
			     const char *otherwise)
{
	struct xdplace *ctx;
	size_t r;
	int i, err;

	refuse_twice(interfaces, count);
	if (!options->rule_count && otherwise)
		add_rule(options, otherwise);
	/* Without an interface (a capture is read) nothing can be taken from this machine. */
	for (r = 0; count && r < options->rule_count; r++)
		context_keep_management(options->rule_text[r], &options->rules[r],
					options->attach.force);
	set_name(&options->open);
	ctx = xdplace_open(&options->open);
	if (!ctx)
		exit(cli_error(-errno, "make the context"));
	/* Rules first: no interface is ever attached without those asked for. */
	add_rules(ctx, options);
	for (i = 0; i < count; i++) {
		err = attach(ctx, options, interfaces[i]);
		if (!err)
			continue;
		err = cli_error(err, "attach to %s", interfaces[i]);
		xdplace_unload(ctx);
		exit(err);
	}
	return ctx;
}
