/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * t_key.c - flow keys as text: both ways, where a fault is, and a key turned round.
 */
#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>

#include <xdplace/xdplace.h>
#include "suites.h"

#define KEY4 "tcp 10.0.0.1:80 > 10.0.0.2:4711 vlan 7"
#define KEY6 "udp [2001:db8::1]:53 > [2001:db8::2]:65535 vxlan 9"

static union xp_key parsed(const char *text, bool *v6)
{
	union xp_key key;
	size_t where = 0;
	int err = xdplace_key_parse(text, &key, v6, &where);

	ck_assert_msg(!err, "'%s': %s (at %zu)", text, xdplace_error(), where);
	return key;
}

START_TEST(key_ipv4_fields)
{
	union xp_key want = {.v4 = {.src = htonl(0x0a000001),
				    .dst = htonl(0x0a000002),
				    .sport = htons(80),
				    .dport = htons(4711),
				    .vnet = 7,
				    .proto = IPPROTO_TCP,
				    .vnet_kind = XP_VNET_VLAN}};
	union xp_key key, whole;
	bool v6 = true;

	memset(&whole, 0, sizeof(whole));
	whole.v4 = want.v4;
	key = parsed(KEY4, &v6);
	ck_assert(!v6);
	ck_assert_mem_eq(&key, &whole, sizeof(key));
}
END_TEST

START_TEST(key_ipv6_fields)
{
	union xp_key want = {.v6 = {.src = {0x20, 0x01, 0x0d, 0xb8, [15] = 1},
				    .dst = {0x20, 0x01, 0x0d, 0xb8, [15] = 2},
				    .sport = htons(53),
				    .dport = htons(65535),
				    .vnet = 9,
				    .proto = IPPROTO_UDP,
				    .vnet_kind = XP_VNET_VXLAN}};
	union xp_key key;
	bool v6 = false;

	key = parsed(KEY6, &v6);
	ck_assert(v6);
	ck_assert_mem_eq(&key, &want, sizeof(key));
}
END_TEST

static const struct {
	const char *text;
	const char *canonical;
} texts[] = {
	{KEY4, KEY4},
	{KEY6, KEY6},
	{"tcp 10.0.0.1:80 > 10.0.0.2:4711", "tcp 10.0.0.1:80 > 10.0.0.2:4711"},
	{" tcp  0.0.0.0:0\t>  255.255.255.255:65535 ", "tcp 0.0.0.0:0 > 255.255.255.255:65535"},
	{"udp [::]:0 > [::ffff:1.2.3.4]:1", "udp [::]:0 > [::ffff:1.2.3.4]:1"},
	{"132 1.1.1.1:1 > 2.2.2.2:2", "132 1.1.1.1:1 > 2.2.2.2:2"},
	{"17 1.1.1.1:1 > 2.2.2.2:2", "udp 1.1.1.1:1 > 2.2.2.2:2"},
	{"udp 1.1.1.1:1 > 2.2.2.2:2 vlan 0", "udp 1.1.1.1:1 > 2.2.2.2:2 vlan 0"},
	{"udp 1.1.1.1:1 > 2.2.2.2:2 qinq 4095.1", "udp 1.1.1.1:1 > 2.2.2.2:2 qinq 4095.1"},
	{"udp 1.1.1.1:1 > 2.2.2.2:2 vni 1", "udp 1.1.1.1:1 > 2.2.2.2:2 vxlan 1"},
	{"udp 1.1.1.1:1 > 2.2.2.2:2 geneve 1", "udp 1.1.1.1:1 > 2.2.2.2:2 geneve 1"},
	{"udp 1.1.1.1:1 > 2.2.2.2:2 gre 0", "udp 1.1.1.1:1 > 2.2.2.2:2 gre 0"},
	{"udp 1.1.1.1:1 > 2.2.2.2:2 gre 0xffffffff", "udp 1.1.1.1:1 > 2.2.2.2:2 gre 4294967295"},
	{"udp 1.1.1.1:1 > 2.2.2.2:2 ipip", "udp 1.1.1.1:1 > 2.2.2.2:2 ipip"},
};

START_TEST(key_text_round_trip)
{
	bool v6, v6_again;
	union xp_key key = parsed(texts[_i].text, &v6), again;
	char text[160];

	ck_assert_int_eq(xdplace_key_format(&key, v6, text, sizeof(text)), strlen(text));
	ck_assert_str_eq(text, texts[_i].canonical);
	again = parsed(text, &v6_again);
	ck_assert_int_eq(v6, v6_again);
	ck_assert_mem_eq(&key, &again, sizeof(key));
}
END_TEST

START_TEST(key_format_never_overruns)
{
	bool v6;
	union xp_key key = parsed(KEY6, &v6);
	char text[80];
	size_t size;

	for (size = 0; size < sizeof(text) - 1; size++) {
		memset(text, '#', sizeof(text));
		ck_assert_int_eq(xdplace_key_format(&key, v6, text, size), strlen(KEY6));
		ck_assert_int_eq(text[size], '#');
	}
}
END_TEST

static const struct {
	const char *text;
	const char *caret;
	const char *says;
} faults[] = {
	{"", "^", "tcp or udp"},
	{"icmp 1.1.1.1:1 > 2.2.2.2:2", "^", "tcp or udp"},
	{"256 1.1.1.1:1 > 2.2.2.2:2", "^", "tcp or udp"},
	{"tcp", "   ^", "ADDRESS:PORT"},
	{"tcp 1.1.1.1 > 2.2.2.2:2", "           ^", "expected :PORT"},
	{"tcp 1.1.1.256:1 > 2.2.2.2:2", "    ^", "expected an IPv4"},
	{"tcp :1 > 2.2.2.2:2", "    ^", "expected an IPv4"},
	{"tcp ::1:1 > ::2:2", "    ^", "in brackets"},
	{"tcp [1.1.1.1]:1 > 2.2.2.2:2", "     ^", "in brackets"},
	{"tcp [::1] > [::2]:2", "    ^", "expected :PORT"},
	{"tcp [::1 > [::2]:2", "    ^", "expected :PORT"},
	{"tcp [:80 > [::2]:2", "    ^", "expected :PORT"},
	{"tcp ]:80 > [::2]:2", "    ^", "expected an IPv4"},
	{"tcp []:80 > [::2]:2", "     ^", "expected an IPv4"},
	{"tcp 1.1.1.1: > 2.2.2.2:2", "            ^", "port number"},
	{"tcp 1.1.1.1:65536 > 2.2.2.2:2", "            ^", "port number"},
	{"tcp 1.1.1.1:1x > 2.2.2.2:2", "             ^", "port number"},
	{"tcp 1.1.1.1:1", "             ^", "expected '>'"},
	{"tcp 1.1.1.1:1 2.2.2.2:2", "              ^", "expected '>'"},
	{"tcp 1.1.1.1:1 >", "               ^", "ADDRESS:PORT"},
	{"tcp 1.1.1.1:1 > [::2]:2", "                ^", "IPv4 and IPv6"},
	{"tcp 1.1.1.1:1 > 2.2.2.2:2 foo", "                          ^", "expected vlan"},
	{"tcp 1.1.1.1:1 > 2.2.2.2:2 vlan", "                              ^", "number of the"},
	{"tcp 1.1.1.1:1 > 2.2.2.2:2 vlan x", "                              ^", "number of the"},
	{"tcp 1.1.1.1:1 > 2.2.2.2:2 vlan 4096", "                               ^", "number of a"},
	{"tcp 1.1.1.1:1 > 2.2.2.2:2 ipip 1", "                               ^", "the end"},
};

START_TEST(key_fault_is_located)
{
	size_t where = 1000, want = strlen(faults[_i].caret) - 1;
	union xp_key key;
	bool v6;

	ck_assert_int_eq(xdplace_key_parse(faults[_i].text, &key, &v6, &where), -EINVAL);
	ck_assert_msg(where == want, "'%s': caret at %zu, not %zu (%s)", faults[_i].text, where,
		      want, xdplace_error());
	ck_assert_msg(strstr(xdplace_error(), faults[_i].says), "'%s': '%s' does not say '%s'",
		      faults[_i].text, xdplace_error(), faults[_i].says);
	ck_assert_int_eq(xdplace_key_parse(faults[_i].text, &key, &v6, NULL), -EINVAL);
}
END_TEST

static const struct {
	const char *text;
	const char *reverse;
} turned[] = {
	{KEY4, "tcp 10.0.0.2:4711 > 10.0.0.1:80 vlan 7"},
	{KEY6, "udp [2001:db8::2]:65535 > [2001:db8::1]:53 vxlan 9"},
};

START_TEST(key_reverse_keeps_the_network)
{
	bool v6;
	union xp_key key = parsed(turned[_i].text, &v6), reverse;
	char text[160];

	xdplace_key_reverse(&key, v6, &reverse);
	xdplace_key_format(&reverse, v6, text, sizeof(text));
	ck_assert_str_eq(text, turned[_i].reverse);
	xdplace_key_reverse(&reverse, v6, &reverse); /* in place */
	ck_assert_mem_eq(&key, &reverse, sizeof(key));
}
END_TEST

Suite *suite_key(void)
{
	Suite *suite = suite_create("key");
	TCase *text = tcase_create("text");

	tcase_add_test(text, key_ipv4_fields);
	tcase_add_test(text, key_ipv6_fields);
	tcase_add_loop_test(text, key_text_round_trip, 0, COUNT(texts));
	tcase_add_test(text, key_format_never_overruns);
	tcase_add_loop_test(text, key_fault_is_located, 0, COUNT(faults));
	tcase_add_loop_test(text, key_reverse_keeps_the_network, 0, COUNT(turned));
	suite_add_tcase(suite, text);
	return suite;
}
