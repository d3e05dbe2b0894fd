/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * t_rules.c - which packets are wanted, and what becomes of them: R1, R2, R16.
 *
 * The requirements that a test shows stand in brackets above it.
 */
#include <linux/bpf.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "stand.h"
#include "suites.h"

static void open_with(const char *rule)
{
	struct xdplace_opts opts = stand_opts();

	stand_open(&opts);
	if (rule)
		stand_rule(rule);
}

static const struct packet syn = {.flags = SYN, .seq = 999};
static const struct want nothing[WANTS];
static const struct want first[WANTS] = {C(FIRST)};

static void expect_none(struct packet p)
{
	stand.action = XDP_PASS;
	stand_run(0, &p, nothing);
}

static void expect_first(struct packet p, int action)
{
	stand.action = action;
	stand_run(0, &p, first);
}

/* Without a rule every packet passes, nothing is placed, nothing is remembered. [R16] */
START_TEST(no_rule_changes_nothing)
{
	struct packet p = syn;
	unsigned i, wrap;

	open_with(NULL);
	for (wrap = 0; wrap < WRAP_COUNT; wrap++) {
		for (i = 0; i < 8; i++) {
			p.wrap = wrap;
			p.v6 = i & 1;
			p.udp = i >> 1 & 1;
			p.flags = i & 4 ? ACK : SYN;
			p.len = i * 100;
			expect_none(p);
		}
	}
	ck_assert_uint_eq(stand_flows(), 0);
	ck_assert_uint_eq(stand_counters().no_rule, 8 * WRAP_COUNT);
	for (i = 0; i < stand.umem_size; i++)
		if (stand.umem[i] != FILL)
			ck_abort_msg("byte %u of the UMEM was written", i);
}
END_TEST

/* What is no IP passes whatever the rules: ARP is nobody's stream. [R16] */
START_TEST(arp_passes)
{
	uint8_t arp[60] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2, 0, 0, 0, 0, 1, 0x08, 0x06};

	open_with("take stream any");
	ck_assert_int_eq(stand_feed_frame(0, arp, sizeof(arp)), XDP_PASS);
	ck_assert_uint_eq(stand_drain(0), 0);
	ck_assert_uint_eq(stand_counters().not_ip, 1);
}
END_TEST

/* Tap passes, take drops, from the first packet of a flow to its stragglers. [R16] */
static void verdict_of(const char *rule, int action)
{
	static const struct step steps[] = {
		{P(SYN, 999, 0), {C(FIRST)}},
		{P(ACK, 1000, 100), {C(APPEND, .len = 100)}},
		{P(ACK, 1100, 0), {C(NODATA)}},
		{P(ACK, 1200, 100), {C(EARLY, .at = 200, .len = 100)}},
		{P(ACK, 1100, 100, .fault = FAULT_CHECKSUM), {C(WHOLE, .reason = XP_R_CHECKSUM)}},
		{P(ACK, 1100, 100),
		 {C(APPEND, .at = 100, .len = 100), C(APPEND, .at = 200, .len = 100, CAUGHT_UP)}},
		{P(ACK, 1000, 100), {C(REPEAT, .reason = XP_R_REPEATED)}},
		{P(ACK | FIN, 1300, 0), {C(LAST, .reason = XP_R_FINISHED, .at = 300, END_FLOW)}},
		{P(ACK, 1301, 10), {C(WHOLE, .reason = XP_R_CLOSED)}},
		{P(SYN, 5000, 0), {C(FIRST)}},
		{P(SYN, 999, 0, .v6 = 1), {C(FIRST)}},
		{P(RST, 1, 0, .port = 9), {C(FOREIGN, .reason = XP_R_NO_FLOW)}},
		{UDP(0, 10), {C(FIRST, .len = 10)}},
	};

	open_with(rule);
	stand.action = action;
	TABLE(steps);
}

START_TEST(tap_passes)
{
	verdict_of("tap stream any", XDP_PASS);
}
END_TEST

START_TEST(take_drops)
{
	verdict_of("take stream any", XDP_DROP);
}
END_TEST

/* Whole packets, no flow. [R16] */
START_TEST(whole_packets)
{
	static const struct step steps[] = {
		{P(SYN, 999, 0), {C(FOREIGN, .reason = XP_R_RULE_WHOLE)}},
		{P(ACK, 1000, 100), {C(FOREIGN, .reason = XP_R_RULE_WHOLE)}},
		{P(ACK, 1100, 1000), {C(FOREIGN, .reason = XP_R_RULE_WHOLE)}},
		{UDP(0, 5000), {C(FOREIGN, .reason = XP_R_RULE_WHOLE)}},
	};

	open_with("take whole any");
	stand.action = XDP_DROP;
	TABLE(steps);
	ck_assert_uint_eq(stand_flows(), 0);
}
END_TEST

/* The first rule that matches decides. [R16] */
START_TEST(first_match_decides)
{
	struct packet p = syn;
	struct want whole[WANTS] = {C(FOREIGN, .reason = XP_R_RULE_WHOLE)};

	open_with("take stream tcp dst port 443");
	stand_rule("tap whole tcp dst port 400-499");
	stand_rule("tap stream tcp");
	p.bob_port = 443;
	expect_first(p, XDP_DROP);
	p.bob_port = 442;
	stand.action = XDP_PASS;
	stand_run(0, &p, whole);
	p.bob_port = 500;
	expect_first(p, XDP_PASS);
	p.udp = 1;
	p.flags = 0;
	p.len = 9;
	expect_none(p);
}
END_TEST

/* A rule, packets that match and packets that do not. [R16] */
static const struct {
	const char *rule;
	struct packet in[4];  /* placed */
	struct packet out[4]; /* not placed */
} matches[] = {
	{"take stream tcp", {P(SYN, 1, 0), P(SYN, 1, 0, .v6 = 1)}, {UDP(0, 9), UDP(0, 9, .v6 = 1)}},
	{"take stream udp", {UDP(0, 9), UDP(0, 9, .v6 = 1)}, {P(SYN, 1, 0)}},
	{"take stream ip", {P(SYN, 1, 0), UDP(0, 9)}, {P(SYN, 1, 0, .v6 = 1)}},
	{"take stream ip6", {P(SYN, 1, 0, .v6 = 1)}, {P(SYN, 1, 0), UDP(0, 9)}},
	{"take stream host 10.0.0.2",
	 {P(SYN, 1, 0), P(SYN, 1, 0, .reverse = 1)},
	 {P(SYN, 1, 0, .carol = 3), P(SYN, 1, 0, .v6 = 1)}},
	{"take stream src host 10.0.0.2", {P(SYN, 1, 0, .reverse = 1)}, {P(SYN, 1, 0)}},
	{"take stream dst host 10.0.0.2", {P(SYN, 1, 0)}, {P(SYN, 1, 0, .reverse = 1)}},
	{"take stream dst net 10.0.0.128/25",
	 {P(SYN, 1, 0, .carol = 128), P(SYN, 1, 0, .carol = 255)},
	 {P(SYN, 1, 0, .carol = 127), P(SYN, 1, 0)}},
	{"take stream dst net 2001:db8::80/121",
	 {P(SYN, 1, 0, .v6 = 1, .carol = 128), P(SYN, 1, 0, .v6 = 1, .carol = 255)},
	 {P(SYN, 1, 0, .v6 = 1, .carol = 127), P(SYN, 1, 0, .carol = 128)}},
	{"take stream net 0.0.0.0/0", {P(SYN, 1, 0)}, {P(SYN, 1, 0, .v6 = 1)}},
	{"take stream port 80",
	 {P(SYN, 1, 0), P(SYN, 1, 0, .reverse = 1), UDP(0, 9)},
	 {P(SYN, 1, 0, .bob_port = 81)}},
	{"take stream src port 4711", {P(SYN, 1, 0)}, {P(SYN, 1, 0, .reverse = 1)}},
	{"take stream dst port 80-90",
	 {P(SYN, 1, 0), P(SYN, 1, 0, .bob_port = 90)},
	 {P(SYN, 1, 0, .bob_port = 79), P(SYN, 1, 0, .bob_port = 91)}},
	{"take stream vlan 7",
	 {P(SYN, 1, 0, .wrap = WRAP_VLAN)},
	 {P(SYN, 1, 0), P(SYN, 1, 0, .wrap = WRAP_VLAN, .vnet = 8),
	  P(SYN, 1, 0, .wrap = WRAP_VXLAN)}},
	{"take stream vlan",
	 {P(SYN, 1, 0, .wrap = WRAP_VLAN), P(SYN, 1, 0, .wrap = WRAP_VLAN, .vnet = 8)},
	 {P(SYN, 1, 0), P(SYN, 1, 0, .wrap = WRAP_VXLAN)}},
	{"take stream qinq 5.7",
	 {P(SYN, 1, 0, .wrap = WRAP_QINQ)},
	 {P(SYN, 1, 0, .wrap = WRAP_QINQ, .vnet = 8), P(SYN, 1, 0, .wrap = WRAP_VLAN)}},
	{"take stream vxlan 7",
	 {P(SYN, 1, 0, .wrap = WRAP_VXLAN)},
	 {P(SYN, 1, 0, .wrap = WRAP_VXLAN, .vnet = 8), P(SYN, 1, 0),
	  P(SYN, 1, 0, .wrap = WRAP_GENEVE)}},
	{"take stream geneve 7",
	 {P(SYN, 1, 0, .wrap = WRAP_GENEVE)},
	 {P(SYN, 1, 0, .wrap = WRAP_VXLAN)}},
	{"take stream gre 7",
	 {P(SYN, 1, 0, .wrap = WRAP_GRE_KEY)},
	 {P(SYN, 1, 0, .wrap = WRAP_GRE_KEY, .vnet = 9), P(SYN, 1, 0, .wrap = WRAP_GRE)}},
	{"take stream gre",
	 {P(SYN, 1, 0, .wrap = WRAP_GRE), P(SYN, 1, 0, .wrap = WRAP_GRE_ALL)},
	 {P(SYN, 1, 0)}},
	{"take stream ipip", {P(SYN, 1, 0, .wrap = WRAP_IPIP)}, {P(SYN, 1, 0)}},
	{"take stream tcp host 10.0.0.2 port 80",
	 {P(SYN, 1, 0), P(SYN, 1, 0, .reverse = 1), P(SYN, 1, 0, .wrap = WRAP_VXLAN)},
	 {P(SYN, 1, 0, .bob_port = 8), UDP(0, 9)}},
};

static void present_rows(const struct packet *rows, int placed)
{
	struct want want[WANTS] = {C(FIRST)};
	int i;

	for (i = 0; i < 4 && (rows[i].flags || rows[i].udp); i++) {
		struct packet p = rows[i];

		/* Another port than the row before it used would be another rule's business. */
		want[0].len = p.len;
		stand.action = placed ? XDP_DROP : XDP_PASS;
		stand_run(0, &p, placed ? want : nothing);
	}
}

START_TEST(matches_as_written)
{
	stand.where = matches[_i].rule;
	open_with(matches[_i].rule);
	stand.where = matches[_i].rule;
	present_rows(matches[_i].in, 1);
	present_rows(matches[_i].out, 0);
}
END_TEST

/* Flows go on as they began when rules change; new ones follow the new rules. [R16] */
START_TEST(rules_change_while_flows_live)
{
	struct packet p = syn, other = syn;
	struct want append[WANTS] = {C(APPEND, .len = 10)};
	struct want second[WANTS] = {C(APPEND, .at = 10, .len = 10)};
	struct xp_rule rules[2];

	open_with("take stream any");
	expect_first(p, XDP_DROP);
	ck_assert_int_eq(xdplace_rules(stand.ctx, rules, 2), 1);
	ck_assert_int_eq(xdplace_rule_del(stand.ctx, rules[0].id), 0);
	p.flags = ACK;
	p.seq = 1000;
	p.len = 10;
	stand_run(0, &p, append);
	other.port = 5;
	expect_none(other);
	stand_rule("tap stream any");
	stand.action = XDP_DROP;
	p.seq = 1010;
	stand_run(0, &p, second);
	expect_first(other, XDP_PASS);
}
END_TEST

/* The last of as many rules as there can be. [R16] */
START_TEST(as_many_rules_as_there_can_be)
{
	struct packet p = syn;
	struct xp_rule rule;
	size_t where;
	char text[64];
	unsigned i;

	open_with(NULL);
	for (i = 0; i < XP_MAX_RULES; i++) {
		snprintf(text, sizeof(text), "take stream dst port %u", 1000 + i);
		stand_rule(text);
	}
	ck_assert(!xdplace_rule_parse("tap stream any", &rule, &where));
	ck_assert_int_eq(xdplace_rule_add(stand.ctx, &rule), -ENOSPC);
	for (i = 0; i < XP_MAX_RULES; i++) {
		p.bob_port = 1000 + i;
		expect_first(p, XDP_DROP);
	}
	p.bob_port = 1000 + i;
	expect_none(p);
}
END_TEST

/* Every supported chain is a flow of its own. [R1 R2] */
START_TEST(every_chain_is_a_flow)
{
	struct packet p = {.flags = ACK};
	struct want want[WANTS];
	unsigned wrap, i, k;

	open_with("tap stream any");
	for (k = 0; k < 3; k++) {
		for (wrap = 0; wrap < WRAP_COUNT; wrap++) {
			for (i = 0; i < 4; i++) {
				p.wrap = wrap;
				/* Some chains lead to the same network: distinct ports. */
				p.port = 1000 + wrap;
				p.v6 = i & 1;
				p.udp = i >> 1 & 1;
				p.flags = p.udp ? 0 : ACK;
				p.seq = p.udp ? 700 * k : 1000 + 700 * k;
				p.len = 700;
				memset(want, 0, sizeof(want));
				want[0] = (struct want)C(FIRST, .len = 700);
				if (k)
					want[0] = (struct want)C(APPEND, .at = 700 * k, .len = 700);
				stand_run(0, &p, want);
			}
		}
	}
	ck_assert_uint_eq(stand_flows(), 4 * WRAP_COUNT);
}
END_TEST

/* The same addresses and ports in different virtual networks are different flows. [R2] */
START_TEST(virtual_networks_are_apart)
{
	static const struct step steps[] = {
		{P(SYN, 999, 0), {C(FIRST)}},
		{P(SYN, 999, 0, .wrap = WRAP_VLAN), {C(FIRST)}},
		{P(SYN, 999, 0, .wrap = WRAP_VLAN, .vnet = 8), {C(FIRST)}},
		{P(SYN, 999, 0, .wrap = WRAP_QINQ), {C(FIRST)}},
		{P(SYN, 999, 0, .wrap = WRAP_VXLAN), {C(FIRST)}},
		{P(SYN, 999, 0, .wrap = WRAP_VXLAN, .vnet = 0xffffff), {C(FIRST)}},
		{P(SYN, 999, 0, .wrap = WRAP_GENEVE), {C(FIRST)}},
		{P(SYN, 999, 0, .wrap = WRAP_GRE_KEY), {C(FIRST)}},
		{P(SYN, 999, 0, .wrap = WRAP_GRE), {C(FIRST)}},
		{P(SYN, 999, 0, .wrap = WRAP_IPIP), {C(FIRST)}},
		{P(ACK, 1000, 10, .wrap = WRAP_VLAN), {C(APPEND, .len = 10)}},
		{P(ACK, 1000, 20, .wrap = WRAP_VXLAN), {C(APPEND, .len = 20)}},
		{P(ACK, 1000, 30), {C(APPEND, .len = 30)}},
		{P(ACK, 1010, 10, .wrap = WRAP_VLAN), {C(APPEND, .at = 10, .len = 10)}},
		{P(ACK, 1020, 10, .wrap = WRAP_VXLAN), {C(APPEND, .at = 20, .len = 10)}},
	};

	open_with("tap stream any");
	TABLE(steps);
	ck_assert_uint_eq(stand_flows(), 10);
}
END_TEST

/* What is not in the protocol set is foreign. [R1] */
START_TEST(protocols_switched_off)
{
	struct xdplace_opts opts = stand_opts();
	struct packet p = syn;

	opts.protocols = XP_P_IPV4 | XP_P_TCP;
	stand_open(&opts);
	stand_rule("take stream any");
	expect_first(p, XDP_DROP);
	p.v6 = 1;
	expect_none(p);
	p.v6 = 0;
	p.wrap = WRAP_VLAN;
	expect_none(p);
	p.wrap = WRAP_VXLAN;
	expect_none(p);
	p.wrap = WRAP_NONE;
	p.udp = 1;
	expect_none(p);
	ck_assert_uint_eq(stand_counters().protocol, 4);
}
END_TEST

Suite *suite_rules(void)
{
	Suite *suite = suite_create("rules");
	TCase *tc = tcase_create("rules");

	tcase_set_timeout(tc, 60);
	tcase_add_checked_fixture(tc, NULL, stand_close);
	tcase_add_test(tc, no_rule_changes_nothing);
	tcase_add_test(tc, arp_passes);
	tcase_add_test(tc, tap_passes);
	tcase_add_test(tc, take_drops);
	tcase_add_test(tc, whole_packets);
	tcase_add_test(tc, first_match_decides);
	tcase_add_loop_test(tc, matches_as_written, 0, COUNT(matches));
	tcase_add_test(tc, rules_change_while_flows_live);
	tcase_add_test(tc, as_many_rules_as_there_can_be);
	tcase_add_test(tc, every_chain_is_a_flow);
	tcase_add_test(tc, virtual_networks_are_apart);
	tcase_add_test(tc, protocols_switched_off);
	suite_add_tcase(suite, tc);
	return suite;
}
