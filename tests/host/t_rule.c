/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * t_rule.c - rules as text: what is understood, what is refused and where, and that what is
 * written reads back as the same rule.
 */
#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <ifaddrs.h>
#include <netinet/in.h>
#include <string.h>

#include <xdplace/xdplace.h>
#include "suites.h"

static struct xp_rule parsed(const char *text)
{
	struct xp_rule rule;
	size_t where = 0;
	int err = xdplace_rule_parse(text, &rule, &where);

	ck_assert_msg(!err, "'%s': %s (at %zu)", text, xdplace_error(), where);
	return rule;
}

/* ---- the canonical text of each rule, which must read back as the same bytes ---- */

static const struct {
	const char *text;
	const char *canonical;
} texts[] = {
	{"any", "tap stream any"},
	{"tap any", "tap stream any"},
	{"take stream any", "take stream any"},
	{"whole any", "tap whole any"},
	{"overlap drop any", "tap stream any"},
	{"overlap first any", "tap stream overlap first any"},
	{"take overlap first udp", "take stream overlap first udp"},
	{"take whole udp", "take whole udp"},
	{"ip", "tap stream ip"},
	{"ip6", "tap stream ip6"},
	{"ip tcp", "tap stream ip tcp"},
	{"  tcp\t port 80 ", "tap stream tcp port 80"},
	{"tcp dst port 80", "tap stream tcp dst port 80"},
	{"tcp src port 80-90", "tap stream tcp src port 80-90"},
	{"port 0-65535", "tap stream any"},
	{"host 10.0.0.1", "tap stream host 10.0.0.1"},
	{"ip host 10.0.0.1", "tap stream host 10.0.0.1"},
	{"host 10.0.0.1 port 80", "tap stream host 10.0.0.1 port 80"},
	{"port 80 host 10.0.0.1", "tap stream host 10.0.0.1 port 80"},
	{"host 10.0.0.1 host 10.0.0.2", "tap stream host 10.0.0.1 host 10.0.0.2"},
	{"host 10.0.0.1 host 10.0.0.2 port 80", "tap stream host 10.0.0.1 host 10.0.0.2 port 80"},
	{"host 10.0.0.1 port 80 host 10.0.0.2", "tap stream host 10.0.0.1 port 80 host 10.0.0.2"},
	{"host 10.0.0.1 port 80 host 10.0.0.2 port 99",
	 "tap stream host 10.0.0.1 port 80 host 10.0.0.2 port 99"},
	{"port 80 port 99", "tap stream port 80 port 99"},
	{"host 10.0.0.1 port 0-65535 port 80", "tap stream host 10.0.0.1 port 0-65535 port 80"},
	{"net 0.0.0.0/0 host 10.0.0.2", "tap stream host 10.0.0.2"},
	{"net 0.0.0.0/0", "tap stream ip"},
	{"net ::/0", "tap stream ip6"},
	{"src host 10.0.0.1 dst port 80", "tap stream dst port 80 src host 10.0.0.1"},
	{"dst host 10.0.0.1 dst port 1-2 src net 10.1.0.0/16 src port 3",
	 "tap stream dst host 10.0.0.1 dst port 1-2 src net 10.1.0.0/16 src port 3"},
	{"net 10.1.2.3/8", "tap stream net 10.0.0.0/8"},
	{"net 10.1.2.3/31", "tap stream net 10.1.2.2/31"},
	{"net 10.1.2.3/32", "tap stream host 10.1.2.3"},
	{"net 2001:db8:ffff::1/33", "tap stream net 2001:db8:8000::/33"},
	{"udp host 2001:db8::1", "tap stream udp host 2001:db8::1"},
	{"vlan", "tap stream vlan"},
	{"vlan 7 tcp", "tap stream tcp vlan 7"},
	{"vlan 0", "tap stream vlan 0"},
	{"vlan 0xfff", "tap stream vlan 4095"},
	{"qinq 3.4", "tap stream qinq 3.4"},
	{"qinq", "tap stream qinq"},
	{"vni 5000", "tap stream vxlan 5000"},
	{"vni", "tap stream vxlan"},
	{"geneve 1", "tap stream geneve 1"},
	{"gre", "tap stream gre"},
	{"gre 0xffffffff", "tap stream gre 4294967295"},
	{"ipip udp", "tap stream udp ipip"},
	{"rtp", "tap stream udp rtp slot 2048 deadline 50"},
	{"take udp dst port 5004 rtp", "take stream udp dst port 5004 rtp slot 2048 deadline 50"},
	{"rtp slot 64 deadline 32767 port 5004 vlan 7",
	 "tap stream udp port 5004 vlan 7 rtp slot 64 deadline 32767"},
	{"ip6 rtp deadline 1 slot 32768", "tap stream ip6 udp rtp slot 32768 deadline 1"},
};

START_TEST(rule_text_round_trip)
{
	struct xp_rule rule = parsed(texts[_i].text), again;
	char text[256];
	int len;

	len = xdplace_rule_format(&rule, text, sizeof(text));
	ck_assert_int_eq(len, strlen(text));
	ck_assert_str_eq(text, texts[_i].canonical);
	again = parsed(text);
	ck_assert_mem_eq(&rule, &again, sizeof(rule));
}
END_TEST

/* ---- what the fields say ---- */

START_TEST(rule_default_is_tap_stream)
{
	struct xp_rule rule = parsed("any");
	struct xp_rule want = {.verdict = XP_RULE_TAP, .sport_max = 65535, .dport_max = 65535};

	ck_assert_mem_eq(&rule, &want, sizeof(rule));
}
END_TEST

START_TEST(rule_undirected_port_is_dst_either)
{
	struct xp_rule rule = parsed("take whole tcp port 80-81");
	struct xp_rule want = {.verdict = XP_RULE_TAKE,
			       .flags = XP_RULE_WHOLE | XP_RULE_EITHER,
			       .proto = IPPROTO_TCP,
			       .sport_max = 65535,
			       .dport_min = 80,
			       .dport_max = 81};

	ck_assert_mem_eq(&rule, &want, sizeof(rule));
}
END_TEST

START_TEST(rule_undirected_host_and_port_share_an_end)
{
	struct xp_rule rule = parsed("host 192.0.2.1 port 53");
	struct xp_rule want = {.verdict = XP_RULE_TAP,
			       .flags = XP_RULE_V4 | XP_RULE_EITHER,
			       .dst_bits = 32,
			       .sport_max = 65535,
			       .dport_min = 53,
			       .dport_max = 53,
			       .dst = {192, 0, 2, 1}};

	ck_assert_mem_eq(&rule, &want, sizeof(rule));
}
END_TEST

START_TEST(rule_directed_has_no_either)
{
	struct xp_rule rule = parsed("src net 2001:db8::/32 dst port 53 vlan 7");
	struct xp_rule want = {.verdict = XP_RULE_TAP,
			       .flags = XP_RULE_V6,
			       .vnet_kind = XP_VNET_VLAN,
			       .vnet = 7,
			       .src_bits = 32,
			       .sport_max = 65535,
			       .dport_min = 53,
			       .dport_max = 53,
			       .src = {0x20, 0x01, 0x0d, 0xb8}};

	ck_assert_mem_eq(&rule, &want, sizeof(rule));
}
END_TEST

START_TEST(rule_vnet_without_id_compares_kind_only)
{
	struct xp_rule rule = parsed("gre");

	ck_assert_uint_eq(rule.vnet_kind, XP_VNET_GRE);
	ck_assert_uint_eq(rule.any_vnet, 1);
	rule = parsed("qinq 3.4");
	ck_assert_uint_eq(rule.vnet, 3 << 12 | 4);
	ck_assert_uint_eq(rule.any_vnet, 0);
}
END_TEST

/* ---- refusals: a caret marks where ---- */

static const struct {
	const char *text;
	const char *caret;
	const char *says;
} faults[] = {
	{"", "^", "expected what to match"},
	{"   ", "   ^", "at its end"},
	{"tap", "   ^", "expected what to match"},
	{"take whole", "          ^", "expected what to match"},
	{"tap overlap udp", "            ^", "expected first or drop"},
	{"tap overlap first", "                 ^", "expected what to match"},
	{"tap whole overlap first udp", "          ^", "not put together"},
	{"tcpp", "^", "expected ip"},
	{"TCP", "^", "expected ip"},
	{"stream tap tcp", "       ^", "expected ip"},
	{"tap take tcp", "    ^", "expected ip"},
	{"tcp udp", "    ^", "both tcp and udp"},
	{"ip ip6", "   ^", "IPv4 and IPv6"},
	{"ip host ::1", "        ^", "IPv4 and IPv6"},
	{"ip6 net 10.0.0.0/8", "        ^", "IPv4 and IPv6"},
	{"host 10.0.0.1 host ::1", "                   ^", "IPv4 and IPv6"},
	{"host", "    ^", "expected an IPv4 or IPv6 address"},
	{"host 10.0.0.256", "     ^", "address"},
	{"host 10.0.0.1/8", "     ^", "address"},
	{"host www.example.org", "     ^", "address"},
	{"host 1111:2222:3333:4444:5555:6666:7777:8888:9999:aaaa:bbbb", "     ^", "address"},
	{"net 10.0.0.0", "            ^", "expected /BITS"},
	{"net 10.0.0.0 tcp", "            ^", "behind '10.0.0.0'"},
	{"net 10.0.0.0/", "             ^", "prefix length up to 32"},
	{"net 10.0.0.0/33", "             ^", "prefix length up to 32"},
	{"net 10.0.0.0/8x", "              ^", "prefix length up to 32"},
	{"net ::/129", "       ^", "prefix length up to 128"},
	{"port", "    ^", "port number"},
	{"port http", "     ^", "port number"},
	{"port -1", "     ^", "port number"},
	{"port 65536", "     ^", "port number"},
	{"port 99999999999999999999", "     ^", "port number"},
	{"port 80x", "       ^", "port number"},
	{"port 80-", "        ^", "last port"},
	{"port 80-x", "        ^", "last port"},
	{"port 80-70000", "        ^", "last port"},
	{"port 90-80", "     ^", "backwards"},
	{"src", "   ^", "expected host, net or port"},
	{"dst 10.0.0.1", "    ^", "expected host, net or port"},
	{"src src port 1", "    ^", "expected host, net or port"},
	{"src host 10.0.0.1 port 80", "                  ^", "with and without src or dst"},
	{"port 80 dst host 10.0.0.1", "            ^", "with and without src or dst"},
	{"dst port 1 dst port 2", "               ^", "a second port"},
	{"src host 1.1.1.1 src net 2.0.0.0/8", "                     ^", "a second net"},
	{"port 1 port 2 port 3", "              ^", "only two ends"},
	{"host 1.1.1.1 host 2.2.2.2 host 3.3.3.3", "                          ^", "only two ends"},
	{"any tcp", "    ^", "any stands alone"},
	{"any rtp", "    ^", "any stands alone"},
	{"tcp rtp", "    ^", "rtp is carried by udp"},
	{"rtp tcp", "    ^", "both tcp and udp"},
	{"whole rtp", "      ^", "rtp or whole"},
	{"udp slot 2048", "    ^", "slot belongs behind rtp"},
	{"deadline 5 rtp", "^", "deadline belongs behind rtp"},
	{"rtp slot", "        ^", "a power of two from 64 to 32768"},
	{"rtp slot 1500", "         ^", "a power of two from 64 to 32768"},
	{"rtp slot 32", "         ^", "a power of two from 64 to 32768"},
	{"rtp slot 65536", "         ^", "a power of two from 64 to 32768"},
	{"rtp deadline 0", "             ^", "milliseconds, 1 to 32767"},
	{"rtp deadline 32768", "             ^", "milliseconds, 1 to 32767"},
	{"rtp deadline soon", "             ^", "milliseconds, 1 to 32767"},
	{"tcp any", "    ^", "any stands alone"},
	{"vlan 4096", "     ^", "number of a vlan"},
	{"vlan 7x", "      ^", "number of a vlan"},
	{"vlan 7 vlan 8", "       ^", "second virtual network"},
	{"vlan gre", "     ^", "second virtual network"},
	{"vni 16777216", "    ^", "number of a vni"},
	{"qinq 3", "      ^", "OUTER.INNER"},
	{"qinq 4096.1", "     ^", "OUTER.INNER"},
	{"qinq 3.4096", "       ^", "inner VLAN"},
	{"gre 4294967296", "    ^", "number of a gre"},
	{"ipip 3", "     ^", "expected ip"},
};

START_TEST(rule_fault_is_located)
{
	size_t where = 1000, want = strlen(faults[_i].caret) - 1;
	struct xp_rule rule;

	ck_assert_int_eq(xdplace_rule_parse(faults[_i].text, &rule, &where), -EINVAL);
	ck_assert_msg(where == want, "'%s': caret at %zu, not %zu (%s)", faults[_i].text, where,
		      want, xdplace_error());
	ck_assert_msg(strstr(xdplace_error(), faults[_i].says), "'%s': '%s' does not say '%s'",
		      faults[_i].text, xdplace_error(), faults[_i].says);
	ck_assert_int_eq(xdplace_rule_parse(faults[_i].text, &rule, NULL), -EINVAL);
}
END_TEST

/* ---- writing ---- */

START_TEST(rule_format_tells_the_length_it_needs)
{
	struct xp_rule rule = parsed("take whole tcp host 10.0.0.1 port 80");
	const char *whole = "take whole tcp host 10.0.0.1 port 80";
	size_t size, want;
	char text[64];

	for (size = 0; size < strlen(whole) + 2; size++) {
		memset(text, '#', sizeof(text));
		ck_assert_int_eq(xdplace_rule_format(&rule, text, size), strlen(whole));
		ck_assert_int_eq(text[size], '#');
		if (!size)
			continue;
		want = size - 1 < strlen(whole) ? size - 1 : strlen(whole);
		ck_assert_int_eq(strlen(text), want);
		ck_assert_mem_eq(text, whole, want);
	}
}
END_TEST

START_TEST(rule_format_swaps_what_only_src_has)
{
	struct xp_rule rule = parsed("src host 10.0.0.1 dst port 80");
	char text[128];

	rule.flags |= XP_RULE_EITHER; /* made by hand: the parser has no words for it */
	xdplace_rule_format(&rule, text, sizeof(text));
	ck_assert_str_eq(text, "tap stream host 10.0.0.1 port 0-65535 port 80");
}
END_TEST

START_TEST(rule_format_refuses_nonsense)
{
	static const struct xp_rule bad[] = {
		{.verdict = 0, .sport_max = 65535, .dport_max = 65535},
		{.verdict = 3, .sport_max = 65535, .dport_max = 65535},
		{.verdict = 1, .flags = XP_RULE_V4 | XP_RULE_V6, .sport_max = 9, .dport_max = 9},
		{.verdict = 1,
		 .flags = XP_RULE_WHOLE | XP_RULE_OVERLAP,
		 .sport_max = 9,
		 .dport_max = 9},
		{.verdict = 1, .flags = XP_RULE_V4, .src_bits = 33, .sport_max = 9, .dport_max = 9},
		{.verdict = 1, .src_bits = 8, .sport_max = 9, .dport_max = 9},
		{.verdict = 1, .proto = IPPROTO_ICMP, .sport_max = 9, .dport_max = 9},
		{.verdict = 1, .vnet_kind = 99, .sport_max = 9, .dport_max = 9},
		{.verdict = 1, .sport_min = 9, .sport_max = 8, .dport_max = 9},
		{.verdict = 1, .vnet_kind = XP_VNET_QINQ, .vnet = 1 << 24, .sport_max = 9},
	};
	char text[128];

	ck_assert_int_eq(xdplace_rule_format(&bad[_i], text, sizeof(text)), -EINVAL);
}
END_TEST

/* ---- management traffic: whatever addresses this machine has ---- */

START_TEST(rule_tap_never_takes_management)
{
	struct xp_rule rule = parsed("tap any");

	ck_assert_int_eq(xdplace_rule_takes_management(&rule), 0);
}
END_TEST

static const char *const harmless[] = {
	"take udp",
	"take tcp dst port 23-65535",
	"take tcp port 80",
	"take tcp port 8080",
	"take dst host 203.0.113.77",
	"take src port 22 dst port 80",
	"take tcp dst host 127.0.0.1 dst port 22",
	"take gre",
};

START_TEST(rule_that_spares_ssh_is_harmless)
{
	struct xp_rule rule = parsed(harmless[_i]);

	ck_assert_int_eq(xdplace_rule_takes_management(&rule), 0);
}
END_TEST

static bool reachable_by_ipv4(void)
{
	const struct sockaddr_in *in;
	struct ifaddrs *all, *ifa;
	bool found = false;

	ck_assert_int_eq(getifaddrs(&all), 0);
	for (ifa = all; ifa; ifa = ifa->ifa_next) {
		in = (const void *)ifa->ifa_addr;
		if (in && in->sin_family == AF_INET && ntohl(in->sin_addr.s_addr) >> 24 != 127)
			found = true;
	}
	freeifaddrs(all);
	return found;
}

static const char *const harmful[] = {
	"take any",
	"take whole tcp",
	"take ip",
	"take port 22",
	"take tcp dst port 1-1023",
	"take tcp port 23-65535", /* exchanged: from a client's port to our 22 */
	"take net 0.0.0.0/0",
	"take vlan 7",
};

START_TEST(rule_that_takes_ssh_is_told)
{
	struct xp_rule rule = parsed(harmful[_i]);

	/* On a machine without an address there is no management traffic to be taken. */
	ck_assert_int_eq(xdplace_rule_takes_management(&rule), reachable_by_ipv4());
}
END_TEST

Suite *suite_rule(void)
{
	Suite *suite = suite_create("rule");
	TCase *text = tcase_create("text");
	TCase *management = tcase_create("management");

	tcase_add_loop_test(text, rule_text_round_trip, 0, COUNT(texts));
	tcase_add_test(text, rule_default_is_tap_stream);
	tcase_add_test(text, rule_undirected_port_is_dst_either);
	tcase_add_test(text, rule_undirected_host_and_port_share_an_end);
	tcase_add_test(text, rule_directed_has_no_either);
	tcase_add_test(text, rule_vnet_without_id_compares_kind_only);
	tcase_add_loop_test(text, rule_fault_is_located, 0, COUNT(faults));
	tcase_add_test(text, rule_format_tells_the_length_it_needs);
	tcase_add_test(text, rule_format_swaps_what_only_src_has);
	tcase_add_loop_test(text, rule_format_refuses_nonsense, 0, 9);
	suite_add_tcase(suite, text);
	tcase_add_test(management, rule_tap_never_takes_management);
	tcase_add_loop_test(management, rule_that_spares_ssh_is_harmless, 0, COUNT(harmless));
	tcase_add_loop_test(management, rule_that_takes_ssh_is_told, 0, COUNT(harmful));
	suite_add_tcase(suite, management);
	return suite;
}
