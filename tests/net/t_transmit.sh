#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# seconds: 200
#
# Gathered transmit, by each engine. In: writes to many destinations over veth. Out: order, lengths
# and bytes on the wire, looked at by tcpdump and by `follow` at the other end; what a write says
# when the link goes down, the interface goes away, the peer's ring is full, or it is killed.
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

WRITE="$TOOLS/tx_write"

# The stack of the receiver answers nothing, and takes frames for XDP.
wire()
{
	topology_direct "${1:-1}" "${2:-1500}" || return
	in_ns server ethtool -K s0 gro on >/dev/null
	in_ns server sysctl -qw net.ipv4.icmp_ratelimit=0 net.ipv4.icmp_ratemask=8
	in_ns client ping -c 1 -W 5 10.77.0.1 >/dev/null || no "no way to the server"
}

ended()
{
	! runs "$1"
}

# COUNT: so many packets to UDP ports from 5000 on are written to $WORK/wire.
capture_start()
{
	spawn_in capture server tcpdump -Z root -i s0 -n -U -s 128 -c "$1" -w "$WORK/wire" udp and dst portrange 5000-9999
	wait_ready capture 10 grep -q listening "$WORK/capture.err" || no "tcpdump: $(cat "$WORK/capture.err")"
}

# What was captured: PORT LENGTH of each packet's data.
captured()
{
	wait_for 20 ended capture || no "packets are missing: $(tcpdump -nr "$WORK/wire" 2>/dev/null | wc -l) came" || return
	tcpdump -nqtr "$WORK/wire" 2>/dev/null | sed -n 's/.*[.]\([0-9]*\): UDP, length \([0-9]*\)$/\1 \2/p'
}

# ENGINE ARG...: what it said is in $WORK/said.
written()
{
	in_ns client "$WRITE" "$@" >"$WORK/said" 2>&1 || no "tx_write: $(cat "$WORK/said")" || return
	grep -q '^open: OK' "$WORK/said" || no "$(cat "$WORK/said")"
}

# The last write's packets, and that nothing went wrong in any.
all_went()
{
	awk '/^[0-9]/ && ($3 || $4 || $5 != "0") { bad = 1; print }
	     END { exit bad }' "$WORK/said" >"$WORK/bad" || no "not all went: $(head -n 3 "$WORK/bad")"
}

# ENGINE ADDRESS: the n-th packets of all destinations before the (n+1)-th of any.
order()
{
	local n i

	wire && capture_start 640 && written "$1" "$WORK/file" 14000 1 0 "$2:5000-5063" 1400 &&
		all_went || return
	captured >"$WORK/got" || return
	for ((n = 0; n < 10; n++)); do
		for ((i = 5000; i < 5064; i++)); do echo "$i 1400"; done
	done >"$WORK/want"
	cmp "$WORK/got" "$WORK/want"
}

# ENGINE: bytes of its longest IP packet at an MTU of 9000; what frames hold that the kernel lends to
# `run` is its own matter.
longest()
{
	local full=9000

	if wire 1 9000 >&2 && [ "$1" = run ]; then
		capture_start 2 >&2 && written run "$WORK/file" 4000 1 0 10.77.0.1:5000 >&2
		full=$(($(captured | sed -n 's/^5000 //p' | head -n 1) + 28))
	fi
	stop_all
	echo "$full"
}

# ENGINE MTU MOST: a byte, exactly a packet, a byte more.
lengths()
{
	local full=$(($3 - 28)) length

	wire 1 "$(($2 < 1500 ? 1500 : $2))" || return
	in_ns client ip link set c0 mtu "$2" # below 1280 it loses IPv6
	for length in 1 $full $((full + 1)); do
		capture_start $((1 + (length > full))) && written "$1" "$WORK/file" "$length" 1 0 10.77.0.1:5000 &&
			all_went || return
		captured >"$WORK/got" || return
		{
			[ "$length" -gt "$full" ] && echo "5000 $full"
			echo "5000 $(((length - 1) % full + 1))"
		} >"$WORK/want"
		cmp "$WORK/got" "$WORK/want" || no "length $length: $(cat "$WORK/got")" || return
	done
}

placed_bytes()
{
	[ "$(cat "$WORK"/f/* 2>/dev/null | wc -c)" -ge "$1" ]
}

# ENGINE LENGTH LAST_PORT: the other end places what was sent.
placed()
{
	local port bytes=0

	wire && follow_start f server s0 native 'take udp' --umem-size 256M --area-size 32K || return
	written "$1" "$WORK/file" "$2" 1 0 "10.77.0.1:5000-$3" && all_went || return
	wait_for 20 placed_bytes $(($2 * ($3 - 4999)))
	follow_stop f server s0 || return
	head -c "$2" "$WORK/file" >"$WORK/sent"
	for ((port = 5000; port <= $3; port++)); do
		cmp "$WORK/sent" "$WORK"/f/udp_*-10.77.0.1_$port || return
		bytes=$((bytes + $2))
	done
	[ "$(cat "$WORK"/f/* | wc -c)" -eq "$bytes" ] || no "more was placed than sent"
}

# ENGINE: 20 writes of 64 packets, the link is down for some of them.
link_down()
{
	wire || return
	spawn_in tx client "$WRITE" "$1" "$WORK/file" 1400 40 50 10.77.0.1:5000-5063
	wait_ready tx 10 grep -q '^64 ' "$WORK/tx.out" || no "nothing sent: $(cat "$WORK/tx.out")" || return
	in_ns client ip link set c0 down
	wait_for 5 grep -q ENETDOWN "$WORK/tx.out" || no "not told: $(cat "$WORK/tx.out")" || return
	in_ns client ip link set c0 up
	wait "${PIDS[tx]}" || no "exit status $?"
	tail -n 2 "$WORK/tx.out" | grep -q '^64 89600 0 0 0$' || no "not again: $(tail -n 3 "$WORK/tx.out")" || return
	# Every packet is accounted for once.
	awk '/^[0-9]/ { n += $1 + $3 + $4 / 1400 } END { exit n != 40 * 64 }' "$WORK/tx.out" ||
		no "not all are accounted for: $(cat "$WORK/tx.out")"
}

# ENGINE: the interface is removed while writes go on.
removed()
{
	wire || return
	spawn_in tx client "$WRITE" "$1" "$WORK/file" 1400 20 50 10.77.0.1:5000-5003
	wait_ready tx 10 grep -q '^4 ' "$WORK/tx.out" || no "nothing sent: $(cat "$WORK/tx.out")" || return
	in_ns client ip link del c0
	wait "${PIDS[tx]}" || no "exit status $?: $(tail -n 2 "$WORK/tx.err")" || return
	tail -n 2 "$WORK/tx.out" | grep -q '^0 0 .* E[A-Z]*@[0-9]*$' || no "not told: $(tail -n 3 "$WORK/tx.out")"
}

# ENGINE: the receiver's poll is a thread that has to share its CPU; all packets come, in their order.
ring_full()
{
	local k

	wire && follow_start f server s0 native 'take udp' --umem-size 256M --area-size 32K || return
	ip netns exec "$PREFIX-server" sh -c 'echo 1 >/sys/class/net/s0/threaded' ||
		no "no threaded polling" || return
	written "$1" "$WORK/file" 1400000 20 0 10.77.0.1:5000 1400 && all_went || return
	wait_for 20 placed_bytes 28000000
	follow_stop f server s0 || return
	for ((k = 0; k < 20; k++)); do
		tail -c "+$((k * 1400000 % 15377217 + 1))" "$WORK/file" | head -c 1400000
	done >"$WORK/sent"
	cmp "$WORK/sent" "$WORK"/f/udp_*-10.77.0.1_5000 || return
	[ "$1" != run ] || [ "$(awk '/^total/ { print $7 }' "$WORK/said")" -gt 0 ] ||
		echo "(the ring was never full)"
}

tap_is_up()
{
	in_ns client ip -j addr show dev t0 up | jq -e '.[0].addr_info[0].local == "10.88.0.1"'
}

# ENGINE: nobody reads what one of two interfaces is given; what goes by the other goes.
stuck()
{
	wire || return
	spawn_in tap client socat -b 2000 -u TUN:10.88.0.1/24,tun-type=tap,tun-name=t0,iff-no-pi,iff-up -
	wait_ready tap 5 tap_is_up || no "no tap: $(cat "$WORK/tap.err")" || return
	in_ns client ip neigh replace 10.88.0.2 lladdr 02:00:00:00:00:02 dev t0 nud permanent || return
	kill -STOP "${PIDS[tap]}"
	capture_start 2000
	written "$1" "$WORK/file" 1400000 2 0 10.77.0.1:5000,10.88.0.2:6000 1400
	kill -CONT "${PIDS[tap]}"
	captured | awk '$1 == 5000 { n++ } END { exit n != 2000 }' ||
		no "the other's packets: $(cat "$WORK/said")" || return
	# Those that were refused, and are told as such, are the tap's.
	awk '/^[0-9]/ { if ($5 !~ /@1$/ || !($3 + $4) || $1 + $3 + $4 / 1400 != 2000) bad = 1 }
	     END { exit bad }' "$WORK/said" || no "the account: $(cat "$WORK/said")"
}

# ENGINE: killed in the middle of writes; nothing of it stays.
killed()
{
	local programs

	programs=$(ours)
	wire || return
	spawn_in tx client "$WRITE" "$1" "$WORK/file" 16000000 100 0 10.77.0.1:5000-5063
	wait_ready tx 20 grep -q '^open: OK' "$WORK/tx.out" || no "not opened: $(cat "$WORK/tx.out")" || return
	sleep 0.3
	stop tx KILL 10
	wait_for 5 ours_are "$programs" || no "programs stay: $(ours), were $programs" || return
	written "$1" "$WORK/file" 1400 1 0 10.77.0.1:5000 && all_went
}

# From own areas of a context, of which none gets lost.
from_context()
{
	placed context 1000000 5003 || return
	grep -q '^areas: 0 lost, 0 twice$' "$WORK/said" || no "$(cat "$WORK/said")"
}

ours()
{
	bpftool -j prog show 2>/dev/null | jq '[.[] | select(.name == "xp_transmit" or .name == "xp_sent")] | length'
}

ours_are()
{
	[ "$(ours)" -eq "$1" ]
}

setup 402653184
make_file "$WORK/file" 16777216 1
run_case from_context "T2" from_context
for engine in ${ENGINES:-run xsk}; do
	run_case "order_v4_$engine" "T1 T4" order "$engine" 10.77.0.1
	run_case "order_v6_$engine" "T1 T4" order "$engine" "[fd77::1]"
	run_case "lengths_576_$engine" "T3" lengths "$engine" 576 576
	run_case "lengths_1500_$engine" "T3" lengths "$engine" 1500 1500
	run_case "lengths_9000_$engine" "T3" lengths "$engine" 9000 "$(longest "$engine")"
	run_case "placed_16M_$engine" "T1 T2 T3" placed "$engine" 16777216 5000
	run_case "placed_1024_destinations_$engine" "T1 T4" placed "$engine" 4000 6023
	run_case "link_down_$engine" "T6" link_down "$engine"
	run_case "removed_$engine" "T6" removed "$engine"
	run_case "ring_full_$engine" "T6" ring_full "$engine"
	run_case "stuck_$engine" "T6" stuck "$engine"
	run_case "killed_$engine" "T6" killed "$engine"
done
