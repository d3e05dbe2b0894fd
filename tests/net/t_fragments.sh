#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# seconds: 120
#
# Datagrams longer than the MTU, which the sender's stack cuts into IP fragments, and TCP segments
# that a router cuts: what the kernel's sockets were given is what was placed, and what is read from
# a capture of the same packets; over paths that lose, reorder, repeat and damage fragments, too.
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

PORT=9000
HTTP=8080
LOCAL=40005
FAR=10.78.0.1

key_of()
{
	echo "udp_$(server_of "$1")_$PORT-$(client_of "$1")_$LOCAL"
}

server_start()
{
	spawn_in talk server "$TOOLS/udp_talk" server "$(server_of "$1")" $PORT
	wait_ready talk 5 grep -q ready "$WORK/talk.out" || no "udp_talk: $(cat "$WORK/talk.err")"
}

# FAMILY REQUESTS COUNT SIZE WAIT_MS
talk()
{
	in_ns client "$TOOLS/udp_talk" client "$(server_of "$1")" $PORT $LOCAL "$WORK/talked" \
		"$2" "$3" "$4" "$5" >"$WORK/talk.json" || no "the exchange failed"
}

dump_start()
{
	spawn_in dump client tcpdump -i c0 -w "$WORK/c0.pcap" -s 0 -B 65536 -Z root -U --immediate-mode
	wait_ready dump 10 grep -q 'listening on' "$WORK/dump.err" ||
		no "tcpdump: $(cat "$WORK/dump.err")"
}

# KEY: from the capture comes the same stream.
read_again()
{
	sleep 0.5
	stop dump INT
	rm -rf "$WORK/r"
	"$XDPLACE" follow -r "$WORK/c0.pcap" -o "$WORK/r" --rule "tap udp src port $PORT" \
		>/dev/null 2>"$WORK/r.err" || no "follow -r: $(tail -n 3 "$WORK/r.err")" || return
	"$TOOLS/same" "$WORK/r/$1" "$WORK/talked" || no "not the same from the capture"
}

fragments_came()
{
	in_ns client nstat -asz "$1" | awk -v name="$1" '$1 == name && $2 > 100 {found = 1} END {exit !found}' ||
		no "there were no fragments: $(in_ns client nstat -asz "$1" | tail -n 1)"
}

# MODE FAMILY REQUESTS COUNT SIZE
exchange()
{
	topology_direct && server_start "$2" && dump_start || return
	follow_start f client c0 "$1" "tap udp src port $PORT" || return
	talk "$2" "$3" "$4" "$5" 2000 || return
	follow_stop f client c0 || return
	jq -e '.received == .asked and .wrong == 0' "$WORK/talk.json" >/dev/null ||
		no "the kernel delivered less: $(cat "$WORK/talk.json")" || return
	fragments_came "$([ "$2" = 4 ] && echo IpReasmReqds || echo Ip6ReasmReqds)" && no_gaps f || return
	"$TOOLS/same" "$WORK/f/$(key_of "$2")" "$WORK/talked" && read_again "$(key_of "$2")"
}

# MODE FAMILY SEED: the path loses, reorders, repeats and damages fragments.
faults()
{
	topology_path && server_start "$2" && dump_start || return
	injector_start --seed "$3" --loss 1 --reorder 5 --duplicate 2 --corrupt 1 || return
	follow_start f client c0 "$1" "tap udp src port $PORT" || return
	talk "$2" 20 40 5000 100 || return
	follow_stop f client c0 && injector_stop || return
	injector_did lost reordered duplicated corrupted || return
	jq -e '.wrong == 0 and .received > 300 and .received < .asked' "$WORK/talk.json" >/dev/null ||
		no "the kernel delivered: $(cat "$WORK/talk.json")" || return
	no_gaps f || return
	"$TOOLS/same" "$WORK/f/$(key_of "$2")" "$WORK/talked" && read_again "$(key_of "$2")"
}

# MODE: taken datagrams come in whole and the socket gets none.
taken()
{
	topology_direct && server_start 4 || return
	follow_start f client c0 "$1" "take udp src port $PORT" || return
	talk 4 3 10 5000 200 || return
	follow_stop f client c0 || return
	jq -e '.received == 0' "$WORK/talk.json" >/dev/null ||
		no "the socket got what was taken: $(cat "$WORK/talk.json")" || return
	[ "$(size_of "$WORK/f/$(key_of 4)")" -eq 150000 ] ||
		no "$(size_of "$WORK/f/$(key_of 4)") bytes placed of 150000"
}

# A router between two networks, whose link to the client has a small MTU.
topology_router()
{
	topology_down
	make_namespace client && make_namespace path && make_namespace server || return
	make_veth client c0 path p0 1 1500 && make_veth server s0 path p1 1 1500 || return
	add_addresses client c0 77 2 && add_addresses path p0 77 1 &&
		add_addresses path p1 78 2 && add_addresses server s0 78 1 || return
	offloads_off client c0 && offloads_off server s0 && offloads_off path p0 &&
		offloads_off path p1 || return
	ip -n "$PREFIX-path" link set p0 mtu 576 &&
		ip -n "$PREFIX-client" route add 10.78.0.0/24 via 10.77.0.1 &&
		ip -n "$PREFIX-server" route add 10.77.0.0/24 via 10.78.0.2 || return
	ip netns exec "$PREFIX-path" sysctl -qw net.ipv4.ip_forward=1
	ip netns exec "$PREFIX-server" sysctl -qw net.ipv4.ip_no_pmtu_disc=1
}

# MODE: segments of 1500 bytes arrive in three pieces each.
tcp_fragments()
{
	local port

	topology_router && http_start $HTTP || return
	follow_start f client c0 "$1" "tap tcp src port $HTTP" || return
	port=$(in_ns client curl -sS -i -m 30 -o "$WORK/got0" -w '%{local_port}' "http://$FAR:$HTTP/f0") ||
		no "curl failed" || return
	follow_stop f client c0 && fragments_came IpReasmReqds && no_gaps f || return
	"$TOOLS/same" "$WORK/f/tcp_${FAR}_$HTTP-${CLIENT4}_$port" "$WORK/got0"
}

setup
make_file "$WORK/www/f0" 1000001 1
run_case fragments_native_ipv4 "R14 R16" exchange native 4 20 20 5000
run_case fragments_native_ipv6 "R14 R16" exchange native 6 20 20 5001
run_case fragments_skb_ipv4 "R14 R16" exchange skb 4 4 4 65000
run_case fragments_skb_ipv6 "R14 R16" exchange skb 6 20 20 9000
run_case fragments_faults_native_ipv4 "R14" faults native 4 31
run_case fragments_faults_skb_ipv6 "R14" faults skb 6 32
run_case fragments_taken_native "R14 R16" taken native
run_case fragments_tcp_native "R14" tcp_fragments native
run_case fragments_tcp_skb "R14" tcp_fragments skb
