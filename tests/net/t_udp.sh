#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# seconds: 180
#
# UDP: request and response, bulk, and the two verdicts of a rule. What the kernel's socket was
# given is what was placed, datagram behind datagram; what a rule takes, the socket never sees.
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

PORT=9000
LOCAL=40002

server_start()
{
	spawn_in talk server "$TOOLS/udp_talk" server "$(server_of "$1")" $PORT
	wait_ready talk 5 grep -q ready "$WORK/talk.out" || no "udp_talk: $(cat "$WORK/talk.err")"
}

# FAMILY REQUESTS COUNT SIZE WAIT_MS; the answers are in $WORK/got, the result in $WORK/talk.json
talk()
{
	in_ns client "$TOOLS/udp_talk" client "$(server_of "$1")" $PORT $LOCAL "$WORK/got" \
		"$2" "$3" "$4" "$5" >"$WORK/talk.json"
}

key_of()
{
	echo "udp_$(server_of "$1")_$PORT-$(client_of "$1")_$LOCAL"
}

# MODE FAMILY REQUESTS COUNT SIZE
exchange()
{
	topology_direct && server_start "$2" || return
	follow_start f client c0 "$1" "tap udp src port $PORT" || return
	talk "$2" "$3" "$4" "$5" 2000 || no "the exchange failed" || return
	follow_stop f client c0 || return
	jq -e '.received == .asked and .wrong == 0' "$WORK/talk.json" >/dev/null ||
		no "the kernel delivered less: $(cat "$WORK/talk.json")" || return
	no_gaps f || return
	"$TOOLS/same" "$WORK/f/$(key_of "$2")" "$WORK/got"
}

# MODE: a taken flow is placed, and the stack never sees it; another flow goes on.
taken()
{
	topology_direct && server_start 4 || return
	follow_start f client c0 "$1" "take udp src port $PORT" || return
	talk 4 3 10 1000 200 || return
	in_ns client ping -c 1 -W 2 -q $SERVER4 >/dev/null || no "ping is not answered any more" || return
	follow_stop f client c0 || return
	jq -e '.received == 0' "$WORK/talk.json" >/dev/null ||
		no "the socket got what was taken: $(cat "$WORK/talk.json")" || return
	[ "$(size_of "$WORK/f/$(key_of 4)")" -eq 30000 ] ||
		no "$(size_of "$WORK/f/$(key_of 4)") bytes placed of 30000" || return
	talk 4 3 10 1000 500
	jq -e '.received == 30' "$WORK/talk.json" >/dev/null ||
		no "not as before after follow has ended: $(cat "$WORK/talk.json")"
}

# MODE: with the program attached and no rule, nothing changes for anybody.
no_rule()
{
	topology_direct && server_start 4 || return
	spawn_in load client "$XDPLACE" load -n "$CONTEXT" -m "$1" c0
	wait_ready load 15 has_program client c0 || no "load: $(cat "$WORK/load.err")" || return
	talk 4 20 20 0 1000 || return
	jq -e '.received == .asked and .wrong == 0' "$WORK/talk.json" >/dev/null ||
		no "traffic suffers: $(cat "$WORK/talk.json")" || return
	in_ns client ping -c 1 -W 2 -q $SERVER6 >/dev/null || no "no IPv6 neighbours" || return
	in_ns client "$XDPLACE" stats -n "$CONTEXT" --json >"$WORK/stats.json" ||
		no "stats failed" || return
	in_ns client "$XDPLACE" flow -n "$CONTEXT" list >"$WORK/flows" || no "flow list failed" || return
	grep -q "$PORT" "$WORK/flows" && no "a flow without a rule: $(cat "$WORK/flows")" && return 1
	stop load INT || no "load: exit status $?: $(cat "$WORK/load.err")"
}

setup
run_case udp_request_response_native_ipv4 "R1 R2 R15 R16" exchange native 4 $((500 / SLOW)) 1 100
run_case udp_request_response_skb_ipv6 "R1 R2 R15 R16" exchange skb 6 $((500 / SLOW)) 1 0
run_case udp_bulk_native_ipv6 "R15 R16" exchange native 6 $((200 / SLOW)) 100 1400
run_case udp_bulk_skb_ipv4 "R15 R16" exchange skb 4 $((200 / SLOW)) 100 0
for mode in native skb; do
	run_case "udp_taken_$mode" "R15 R16" taken $mode
	run_case "no_rule_no_change_$mode" "R16" no_rule $mode
done
