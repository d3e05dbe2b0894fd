/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * management.c - do not lock the administrator out. In: a rule. Out: nothing, or the end of the
 * process when the rule would take packets that ssh to this machine needs.
 *
 * A rule takes them when it is `take`, wants TCP, port 22 or the port of the ssh session this
 * command runs in, and one of this machine's addresses. ARP, neighbour discovery and ICMP are never
 * taken: rules match TCP and UDP only.
 */
#include <arpa/inet.h>
#include <ifaddrs.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"

#define SSH_PORT 22

/* The server's port is the last of the four words of SSH_CONNECTION. */
static uint16_t session_port(void)
{
	const char *connection = getenv("SSH_CONNECTION");
	const char *last = connection ? strrchr(connection, ' ') : NULL;

	return last ? (uint16_t)strtoul(last + 1, NULL, 10) : 0;
}

static bool port_in(uint16_t port, uint16_t min, uint16_t max)
{
	return port && port >= min && port <= max;
}

static bool takes_port(const struct xp_rule *rule, uint16_t port)
{
	return port_in(port, rule->dport_min, rule->dport_max) ||
	       (rule->flags & XP_RULE_EITHER && port_in(port, rule->sport_min, rule->sport_max));
}

static bool in_prefix(const uint8_t *address, const uint8_t *prefix, unsigned bits)
{
	unsigned bytes = bits / 8, rest = bits % 8;

	if (memcmp(address, prefix, bytes))
		return false;
	return !rest || !((address[bytes] ^ prefix[bytes]) >> (8 - rest));
}

static bool takes_address(const struct xp_rule *rule, const struct sockaddr *address)
{
	const uint8_t *bytes;

	if (address->sa_family == AF_INET && !(rule->flags & XP_RULE_V6))
		bytes = (const uint8_t *)&((const struct sockaddr_in *)address)->sin_addr;
	else if (address->sa_family == AF_INET6 && !(rule->flags & XP_RULE_V4))
		bytes = (const uint8_t *)&((const struct sockaddr_in6 *)address)->sin6_addr;
	else
		return false;
	if (address->sa_family == AF_INET && (rule->src_bits > 32 || rule->dst_bits > 32))
		return false;
	return in_prefix(bytes, rule->dst, rule->dst_bits) ||
	       (rule->flags & XP_RULE_EITHER && in_prefix(bytes, rule->src, rule->src_bits));
}

static bool takes_this_machine(const struct xp_rule *rule)
{
	struct ifaddrs *all, *one;
	bool takes = false;

	if (!rule->dst_bits)
		return true;
	if (getifaddrs(&all))
		return true; /* can't tell: better ask */
	for (one = all; one && !takes; one = one->ifa_next)
		takes = one->ifa_addr && takes_address(rule, one->ifa_addr);
	freeifaddrs(all);
	return takes;
}

/* Tunnels end in the stack, not in sshd; a VLAN may well be the one that is managed. */
static bool takes_plain(const struct xp_rule *rule)
{
	return rule->vnet_kind <= XP_VNET_QINQ;
}

void context_keep_management(const char *text, const struct xp_rule *rule, bool force)
{
	uint16_t session = session_port();

	if (force || rule->verdict != XP_RULE_TAKE || rule->proto == IPPROTO_UDP)
		return;
	if (!takes_port(rule, SSH_PORT) && !takes_port(rule, session))
		return;
	if (!takes_plain(rule) || !takes_this_machine(rule))
		return;
	cli_warn("rule '%s' would take ssh's packets from this machine (TCP port %u)", text,
		 takes_port(rule, SSH_PORT) ? SSH_PORT : session);
	cli_usage("narrow it (tcp port 80), use 'tap', or say --force if that is meant");
}
