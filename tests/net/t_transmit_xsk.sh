#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# seconds: 120
#
# What the engine `xsk` does in a way of its own: payload that is copied, and payload that is sent
# where it lies; who makes checksums; an interface that takes nothing for a while, or not in time;
# interfaces that come and go.
# What both engines have to do is in t_transmit.sh.
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

WRITE="$TOOLS/tx_write"

# MTU, and what the sender's checksum offload is.
wire()
{
	topology_direct 1 "$1" || return
	in_ns client ethtool -K c0 tx "$2" >/dev/null 2>&1
	in_ns server sysctl -qw net.ipv4.icmp_ratelimit=0 net.ipv4.icmp_ratemask=8
	in_ns client ping -c 1 -W 5 10.77.0.1 >/dev/null || no "no way to the server"
}

# LENGTH WRITES PAUSE_MS WHERE [PAYLOAD]
written()
{
	in_ns client "$WRITE" xsk "$WORK/file" "$@" >"$WORK/said" 2>&1
	grep -q '^open: OK' "$WORK/said" || no "$(cat "$WORK/said")"
}

total()
{
	sed -n 's/^total //p' "$WORK/said"
}

all_went()
{
	[[ "$(total)" == *" 0 0 0 "* ]] || no "not all went: $(tail -n 3 "$WORK/said")"
}

# MTU PAYLOAD ADDRESS: 4 destinations with 10 packets each and one that is shorter.
checksums()
{
	wire "$1" off || return
	spawn_in capture server tcpdump -Z root -i s0 -n -vv -l -c 44 udp and dst portrange 5000-5003
	wait_ready capture 10 grep -q listening "$WORK/capture.err" || no "no tcpdump" || return
	written $(($2 * 10 + 7)) 1 0 "$3:5000-5003" "$2" && all_went || return
	wait_for 20 ended capture || no "packets are missing" || return
	[ "$(grep -c 'udp sum ok' "$WORK/capture.out")" -eq 44 ] ||
		no "$(grep -v 'udp sum ok' "$WORK/capture.out" | head -n 4)"
}

ended()
{
	! runs "$1"
}

placed_bytes()
{
	[ "$(cat "$WORK"/f/* 2>/dev/null | wc -c)" -ge "$1" ]
}

# MTU PAYLOAD: bytes as they were, of fragments whose checksums nobody finished.
bytes()
{
	local port

	wire "$1" on && follow_start f server s0 skb 'take udp' --umem-size 128M || return
	written 1000001 1 0 10.77.0.1:5000-5003 "$2" && all_went || return
	wait_for 20 placed_bytes 4000004
	follow_stop f server s0 || return
	head -c 1000001 "$WORK/file" >"$WORK/sent"
	for port in 5000 5001 5002 5003; do
		cmp "$WORK/sent" "$WORK"/f/udp_*-10.77.0.1_$port || return
	done
}

# A tap interface whose reader can be stopped: it holds 500 packets, and says of others that it
# dropped them. What was read is in $WORK/tap.out.
tap()
{
	topology_down
	make_namespace client && in_ns client sysctl -qw net.ipv6.conf.default.disable_ipv6=1 || return
	spawn_in tap client socat -b 2000 -u TUN:10.88.0.1/24,tun-type=tap,tun-name=t0,iff-no-pi,iff-up -
	wait_ready tap 5 tap_is_up || no "no tap: $(cat "$WORK/tap.err")" || return
	in_ns client ip neigh replace 10.88.0.2 lladdr 02:00:00:00:00:02 dev t0 nud permanent
}

tap_is_up()
{
	in_ns client ip -j addr show dev t0 up | jq -e '.[0].addr_info[0].local == "10.88.0.1"'
}

# Packets that the reader has got, all of them: 1000 bytes of UDP payload in 1042 of frame.
read_packets()
{
	local size before=-1

	while size=$(stat -c %s "$WORK/tap.out") && [ "$size" -ne "$before" ]; do
		before=$size
		sleep 0.3
	done
	echo $((size / 1042))
}

# The reader sleeps for less than the engine waits: everything comes, once, in its order.
refused_for_a_while()
{
	local n

	tap || return
	kill -STOP "${PIDS[tap]}"
	spawn waker sh -c "sleep 0.4; kill -CONT ${PIDS[tap]}"
	written 2000000 1 0 10.88.0.2:5000 1000 || return
	n=$(read_packets)
	counts_refused && { all_went || return; }
	[ "$n" -eq "$(total | cut -d ' ' -f 1)" ] || no "$n came of those taken: $(total)" || return
	[ "$(total | awk '{ print $1 + $3 }')" -eq 2000 ] || no "not all accounted for: $(total)" || return
	counts_refused || return 0
	[ "$(total | cut -d ' ' -f 6)" -gt 0 ] || no "nothing was ever refused" || return
	in_order || no "out of order"
}

# IPv4's ids, of the tap's packets, go up by one.
in_order()
{
	local id next=

	for id in $(xxd -p -c 1042 "$WORK/tap.out" | cut -c 37-40); do
		[ "${next:-$((0x$id))}" -eq $((0x$id)) ] || return 1
		next=$(((0x$id + 1) % 65536))
	done
}

# Before 6.17 nobody knows which packet was dropped: it is counted, and not sent again.
counts_refused()
{
	local major minor

	IFS=. read -r major minor _ < <(uname -r)
	[ "$major" -gt 6 ] || { [ "$major" -eq 6 ] && [ "${minor%%[!0-9]*}" -ge 17 ]; }
}

# The reader sleeps for longer: the write says how many were refused; the next one goes through.
refused_too_long()
{
	local n

	tap || return
	spawn_in tx client "$WRITE" xsk "$WORK/file" 1500000 4 700 10.88.0.2:5000 1000
	wait_ready tx 10 grep -q '^1500 ' "$WORK/tx.out" || no "nothing went: $(cat "$WORK/tx.out")" || return
	kill -STOP "${PIDS[tap]}"
	wait_for 10 grep -q ENOBUFS "$WORK/tx.out" || no "not told: $(cat "$WORK/tx.out")" || return
	kill -CONT "${PIDS[tap]}"
	wait "${PIDS[tx]}" || no "exit status $?" || return
	mv "$WORK/tx.out" "$WORK/said"
	n=$(read_packets)
	[ "$(tail -n 2 "$WORK/said" | head -n 1)" = "1500 1500000 0 0 0" ] || no "not again: $(cat "$WORK/said")" || return
	[ "$n" -eq "$(total | cut -d ' ' -f 1)" ] || no "$n came of those taken: $(cat "$WORK/said")" || return
	[ "$(total | awk '{ print $1 + $3 + $4 / 1000 }')" -eq 6000 ] || no "not all accounted for: $(cat "$WORK/said")"
}

# One socket has the queue; the other's owner is told so.
queue_taken()
{
	wire 1500 on || return
	spawn_in tx client "$WRITE" xsk "$WORK/file" 1000 100 100 10.77.0.1:5000
	wait_ready tx 10 grep -q '^1 ' "$WORK/tx.out" || no "nothing sent: $(cat "$WORK/tx.out")" || return
	in_ns client "$WRITE" xsk "$WORK/file" 1000 1 0 10.77.0.1:5000 >"$WORK/said" 2>&1 &&
		no "a queue was taken twice" && return 1
	grep -q 'c0 queue 0: another AF_XDP socket has it' "$WORK/said" || no "$(cat "$WORK/said")"
}

# NUMBER: the way to 10.89.0.2 leads through an interface that was not there before, and the one
# before has gone.
move_on()
{
	in_ns client ip -batch - <<-END
		link add d$1 type veth peer name e$1
		link set e$1 up
		link set d$1 up
		addr add 10.89.$1.1/24 dev d$1
		neigh add 10.99.0.2 lladdr 02:00:00:00:00:02 dev d$1 nud permanent
		route replace 10.99.0.2/32 dev d$1
		$([ "$1" -eq 0 ] || echo "link del d$(($1 - 1))")
	END
}

sent_by()
{
	in_ns client ip -j -s link show "d$1" | jq -e '.[0].stats64.tx.packets > 0'
}

# Through more interfaces, one after the other, than can be sent through at a time.
interfaces_come_and_go()
{
	local i

	topology_down
	make_namespace client && in_ns client sysctl -qw net.ipv6.conf.default.disable_ipv6=1 &&
		move_on 0 || return
	spawn_in tx client "$WRITE" xsk "$WORK/file" 1000 1000000 2 10.99.0.2:5000
	wait_ready tx 10 grep -q '^1 ' "$WORK/tx.out" || no "nothing sent: $(cat "$WORK/tx.out")" || return
	for ((i = 1; i < 70; i++)); do
		move_on $i || return
		PAUSE=0.02 wait_for 50 sent_by $i || # 10 s
			no "nothing goes through interface $i: $(tail -n 1 "$WORK/tx.out")" || return
	done
	[ "$(ports_mapped)" -le 4 ] || no "$(ports_mapped) times the memory stays mapped"
}

# Once by the transmitter itself, and for each interface; those that have gone go with the next one.
ports_mapped()
{
	grep -cE 'bpf-map|xp_umem' "/proc/${PIDS[tx]}/maps"
}

# Nobody said which engine, and the driver's other end takes no frames from XDP.
chosen()
{
	wire 1500 on && in_ns server ethtool -K s0 gro off >/dev/null || return
	in_ns client "$WRITE" run "$WORK/file" 1000 1 0 10.77.0.1:5000 >"$WORK/said" 2>&1 &&
		echo "(the engine run can send here as well)"
	in_ns client "$WRITE" auto "$WORK/file" 1000 1 0 10.77.0.1:5000 >"$WORK/said" 2>&1 && all_went
}

setup 134217728
make_file "$WORK/file" 4194304 1
run_case checksums_copied_v4 "T3 T5" checksums 1500 1400 10.77.0.1
run_case checksums_copied_v6 "T3 T5" checksums 1500 1400 "[fd77::1]"
run_case checksums_fragments_v4 "T3 T5" checksums 9000 8901 10.77.0.1
run_case checksums_fragments_v6 "T3 T5" checksums 9000 4201 "[fd77::1]"
run_case bytes_copied "T2 T3" bytes 1500 1399
run_case bytes_fragments "T2 T3" bytes 9000 8951
run_case refused_for_a_while "T6" refused_for_a_while
run_case refused_too_long "T6" refused_too_long
run_case queue_taken "T6" queue_taken
run_case interfaces_come_and_go "T6" interfaces_come_and_go
run_case engine_chosen "T1" chosen
