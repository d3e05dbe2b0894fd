#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# seconds: 180
#
# Several queues and several interfaces in one context: one UMEM, one flow database. Also a flow
# that moves from one interface to the other in the middle of its stream, back and forth.
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

PORT=8080
FETCHES=16

# A second pair, 10.78.0.x, beside the first.
second_pair()
{
	make_veth client c1 server s1 "$1" 1500 && add_addresses client c1 78 2 &&
		add_addresses server s1 78 1
}

# NET...: FETCHES downloads from 10.NET.0.1 in turn.
fetch_all()
{
	local i nets=("$@")

	rm -rf "${WORK:?}/got"
	mkdir "$WORK/got"
	for ((i = 0; i < FETCHES; i++)); do
		printf 'url = "http://10.%s.0.1:%d/f%d"\noutput = "%s"\n' "${nets[i % $#]}" $PORT \
			$((i % 3)) "$WORK/got/$i"
	done >"$WORK/urls"
	in_ns client curl -sS --no-progress-meter -i -m $((40 * SLOW)) -Z --parallel-max $FETCHES --parallel-immediate \
		-w '%{filename_effective} tcp_%{remote_ip}_%{remote_port}-%{local_ip}_%{local_port}\n' \
		-K "$WORK/urls" >"$WORK/keys" || no "curl failed"
}

streams_right()
{
	local got key i

	for ((i = 0; i < FETCHES; i++)); do
		"$TOOLS/same" -b "$WORK/got/$i" "$WORK/www/f$((i % 3))" || return
	done
	no_gaps f || return
	while read -r got key; do
		"$TOOLS/same" "$WORK/f/$key" "$got" || return
	done <"$WORK/keys"
	[ "$(jq -s length "$WORK/f.out")" -eq "$(wc -l <"$WORK/keys")" ] ||
		no "$(jq -s length "$WORK/f.out") flows for $(wc -l <"$WORK/keys") connections"
}

# MODE
queues()
{
	topology_direct 4 && http_start $PORT || return
	spawn_in load client "$XDPLACE" load -n "$CONTEXT" -m "$1" "${FOLLOW_OPTIONS[@]}" \
		--lanes 4 --rule "tap tcp src port $PORT" c0
	wait_ready load 15 has_program client c0 || no "load: $(cat "$WORK/load.err")" || return
	rm -rf "${WORK:?}/f"
	mkdir "$WORK/f"
	spawn_in f client "$XDPLACE" follow -n "$CONTEXT" -o "$WORK/f" --json
	fetch_all 77 || return
	wait_for 15 all_reported
	lanes_used || return
	in_ns client "$XDPLACE" area audit -n "$CONTEXT" >"$WORK/audit" 2>&1 ||
		no "audit: $(tail -n 3 "$WORK/audit")" || return
	stop f INT || no "follow: exit status $?: $(cat "$WORK/f.err")" || return
	streams_right && { stop load INT || no "load: exit status $?"; }
}

all_reported()
{
	[ "$(jq -s length "$WORK/f.out")" -eq $FETCHES ]
}

# More than one lane has had packets.
lanes_used()
{
	local lane packets used=0

	for lane in 0 1 2 3; do
		packets=$(in_ns client "$XDPLACE" stats -n "$CONTEXT" --lane $lane --json |
			jq '[.. | objects | .packets? // empty | numbers] | max // 0')
		[ "${packets:-0}" -gt 0 ] && used=$((used + 1))
	done
	[ $used -gt 1 ] || no "only $used lane had packets"
}

# MODE: a process for each lane, each with the streams of its own.
processes()
{
	local lane stream file count=0

	topology_direct 4 && http_start $PORT || return
	spawn_in load client "$XDPLACE" load -n "$CONTEXT" -m "$1" "${FOLLOW_OPTIONS[@]}" \
		--lanes 4 --rule "tap tcp src port $PORT" c0
	wait_ready load 15 has_program client c0 || no "load: $(cat "$WORK/load.err")" || return
	rm -rf "${WORK:?}/flows"
	mkdir "$WORK/flows"
	for lane in 0 1 2 3; do
		spawn_in "consumer$lane" client "$TOOLS/consumer" "$CONTEXT" "$WORK/flows" $lane
		wait_ready "consumer$lane" 5 grep -q ready "$WORK/consumer$lane.out" ||
			no "consumer: $(cat "$WORK/consumer$lane.err")" || return
	done
	fetch_all 77 && wait_for 10 all_ended && lanes_used || return
	for lane in 0 1 2 3; do
		stop "consumer$lane" TERM 10 ||
			no "consumer: $(cat "$WORK/consumer$lane.err")" || return
	done
	for stream in "$WORK"/flows/????????; do
		file=$(head -c 1024 "$stream" | tr -d '\0' | sed -n 's/^X-File: .\(f[0-9]\).*/\1/p')
		[ -n "$file" ] || no "$stream is no response" || return
		[ ! -e "$stream.gaps" ] || no "gaps: $(head -n 3 "$stream.gaps")" || return
		"$TOOLS/same" -b "$stream" "$WORK/www/$file" || return
		count=$((count + 1))
	done
	[ $count -eq $FETCHES ] || no "$count streams for $FETCHES connections" || return
	stop load INT || no "load: exit status $?"
}

all_ended()
{
	[ "$(find "$WORK/flows" -name '*.end' | wc -l)" -eq $FETCHES ]
}

# MODE
interfaces()
{
	topology_direct 2 && second_pair 1 && http_start $PORT || return
	follow_start f client c0 "$1" "tap tcp src port $PORT" c1 || return
	wait_for 5 has_program client c1 || no "nothing on c1" || return
	fetch_all 77 78 || return
	follow_stop f client c0 || return
	has_program client c1 && no "program still on c1 after follow" && return 1
	streams_right
}

# MODE: 10.99.0.1 and 10.99.0.2 live on the loopback devices, the way between them changes.
moving()
{
	local key=tcp_10.99.0.1_$PORT-10.99.0.2_40001 received

	topology_direct && second_pair 1 && http_start $PORT || return
	ip netns exec "$PREFIX-client" sysctl -qw net.ipv4.conf.all.rp_filter=0 \
		net.ipv4.conf.c0.rp_filter=0 net.ipv4.conf.c1.rp_filter=0
	ip -n "$PREFIX-client" addr add 10.99.0.2/32 dev lo
	ip -n "$PREFIX-server" addr add 10.99.0.1/32 dev lo
	ip -n "$PREFIX-client" route add 10.99.0.1/32 via 10.77.0.1 src 10.99.0.2
	ip -n "$PREFIX-server" route add 10.99.0.2/32 via 10.77.0.2 src 10.99.0.1
	follow_start f client c0 "$1" "tap tcp src port $PORT" c1 || return
	# shellcheck disable=SC2016  # the inner shell expands it
	spawn_in move server bash -c 'while :; do for net in 78 77; do
		ip route replace 10.99.0.2/32 via 10.$net.0.2 src 10.99.0.1 || exit
		sleep 0.03; done; done'
	in_ns client curl -sS -i -m $((40 * SLOW)) --interface 10.99.0.2 --local-port 40001 --limit-rate 80M \
		-o "$WORK/got0" "http://10.99.0.1:$PORT/large" || no "curl failed" || return
	received=$(ip -n "$PREFIX-client" -j -s link show c1 | jq '.[0].stats64.rx.bytes')
	stop move
	follow_stop f client c0 || return
	[ "${received:-0}" -gt 1000000 ] || no "hardly anything went over c1" || return
	"$TOOLS/same" -b "$WORK/got0" "$WORK/www/large" || return
	no_gaps f && "$TOOLS/same" "$WORK/f/$key" "$WORK/got0"
}

setup 805306368
make_file "$WORK/www/f0" 5000000 1
make_file "$WORK/www/f1" 1000 2
make_file "$WORK/www/f2" 8000001 3
make_file "$WORK/www/large" 120000000 4
for mode in native skb; do
	run_case "queues_$mode" "R3 R17" queues $mode
	run_case "processes_$mode" "R3 R17" processes $mode
	run_case "interfaces_$mode" "R3 R17" interfaces $mode
	run_case "flow_moves_$mode" "R3 R12 R17" moving $mode
done
