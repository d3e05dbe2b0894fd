#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# seconds: 180
# alone: compares a rate with and without us
#
# iperf3 in both directions, its receiver being tapped: as many bytes are placed, without a gap, as
# iperf3 says it has moved, and the kernel's connection is still a fast one.
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

PORT=5201
COOKIE=37 # bytes that iperf3 sends in front of each stream, from client to server

# LOW BYTES HIGH WHAT
between()
{
	[ "$1" -le "$2" ] && [ "$2" -le "$3" ] ||
		no "$4: $2 bytes placed, iperf3 received $1 and sent $3"
}

# MODE FAMILY DIRECTION: "back" is server to client
transfer()
{
	local role=client interface=c0 rule="tap tcp src port $PORT" reverse=(-R) cookie=0
	local i port sent received placed key

	if [ "$3" = forward ]; then
		role=server interface=s0 rule="tap tcp dst port $PORT" reverse=() cookie=$COOKIE
	fi
	topology_direct && iperf_start $PORT || return
	follow_start f "$role" "$interface" "$1" "$rule" || return
	in_ns client iperf3 -J -c "$(server_of "$2")" -p $PORT -n 192M -P 2 "${reverse[@]}" \
		>"$WORK/iperf.json" || no "iperf3: $(jq -r .error "$WORK/iperf.json")" || return
	follow_stop f "$role" "$interface" || return
	no_gaps f || return
	for i in 0 1; do
		port=$(jq ".start.connected[$i].local_port" "$WORK/iperf.json")
		sent=$(jq ".end.streams[$i].sender.bytes" "$WORK/iperf.json")
		received=$(jq ".end.streams[$i].receiver.bytes" "$WORK/iperf.json")
		key=tcp_$(server_of "$2")_$PORT-$(client_of "$2")_$port
		[ "$3" = forward ] && key=tcp_$(client_of "$2")_$port-$(server_of "$2")_$PORT
		[ -s "$WORK/f/$key" ] || no "no stream $key, there is: $(ls "$WORK/f")" || return
		placed=$(($(size_of "$WORK/f/$key") - cookie))
		between "$received" "$placed" "$sent" "$key" || return
	done
}

megabits()
{
	in_ns client iperf3 -J -c $SERVER4 -p $PORT -t 1 -R |
		jq '.end.sum_received.bits_per_second / 1e6 | floor'
}

# What a tap costs the kernel's own connection: with offloads off in both cases, because a veth
# loses them as soon as any XDP program is attached.
throughput()
{
	local alone tapped

	topology_direct && iperf_start $PORT && offloads_off client c0 && offloads_off server s0 || return
	alone=$(megabits)
	follow_start f client c0 native "tap tcp src port $PORT" || return
	tapped=$(megabits)
	follow_stop f client c0 || return
	[ "$(cat "$WORK"/f/tcp_* | wc -c)" -gt 1000000 ] || no "hardly anything was placed" || return
	[ "${tapped:-0}" -gt $((${alone:-0} / 6)) ] && [ "${alone:-0}" -gt 0 ] ||
		no "$alone Mbit/s alone, $tapped Mbit/s tapped and written to files"
}

setup 1610612736
ids="R3 R4 R11 R16"
run_case iperf_back_native_ipv4 "$ids" transfer native 4 back
run_case iperf_back_skb_ipv6 "$ids" transfer skb 6 back
run_case iperf_forward_native_ipv6 "$ids" transfer native 6 forward
run_case iperf_forward_skb_ipv4 "$ids" transfer skb 4 forward
run_case iperf_throughput_tapped "R16" throughput
