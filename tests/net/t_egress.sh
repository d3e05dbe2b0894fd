#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# seconds: 240
#
# Both halves of a conversation, on the interface of the host that has it: what comes in by XDP,
# what goes out by tc egress. In: veth; connections that send files both ways at once. Out: each
# half is placed as what was sent, with and without segmentation by the stack; what one half
# acknowledges gives up the holes of the other; nothing stays attached that should not.
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

PORT=9000
LOCAL=40001

# PORT: a connection gets $WORK/down, what it brings goes to $WORK/up.PORT.
exchange_start()
{
	spawn_in "exchange$1" server socat -t 30 "TCP6-LISTEN:$1,ipv6only=0,reuseaddr" \
		"OPEN:$WORK/down,rdonly!!CREATE:$WORK/up.$1"
	wait_ready "exchange$1" 10 port_open server "$1" ||
		no "socat: $(cat "$WORK/exchange$1.err")"
}

# FAMILY PORT LOCAL_PORT: $WORK/upload goes there, what comes is in $WORK/got.PORT.
exchange_spawn()
{
	spawn_in "client$2" client socat -t 30 "OPEN:$WORK/upload,rdonly!!CREATE:$WORK/got.$2" \
		"TCP:$(bracketed "$1"):$2,sourceport=$3"
}

exchange()
{
	exchange_spawn "$@"
	wait "${PIDS[client$2]}" || no "socat: $(cat "$WORK/client$2.err")"
}

# FAMILY PORT LOCAL_PORT: the two files that `follow` wrote are those that were exchanged.
both_same()
{
	local there here

	there=$(server_of "$1")_$2 here=$(client_of "$1")_$3
	cmp "$WORK/upload" "$WORK/up.$2" && cmp "$WORK/down" "$WORK/got.$2" ||
		no "the exchange itself failed" || return
	"$TOOLS/same" "$WORK/f/tcp_$here-$there" "$WORK/upload" || no "what was sent" || return
	"$TOOLS/same" "$WORK/f/tcp_$there-$here" "$WORK/down" || no "what was received"
}

# HOW: by which the kernel says that c0 is attached.
attached_by()
{
	local how

	how=$(in_ns client "$XDPLACE" status --json -n "$2" |
		jq -r '.contexts[].interfaces[].egress' 2>/dev/null)
	[ "$how" = "$1" ] || no "egress is '$how', not $1"
}

has_tcx()
{
	"$XDPLACE" doctor 2>/dev/null | grep -q 'egress.*tcx'
}

default_hook()
{
	has_tcx && echo tcx || echo clsact
}

# What tc egress of c0 runs of ours.
egress_programs()
{
	bpftool -j prog show 2>/dev/null | jq "[.[] | select(.name == \"xdplace_egress\")] | length"
}

# MODE FAMILY TSO OPTION HOOK
halves()
{
	topology_direct && exchange_start $PORT || return
	in_ns client ethtool -K c0 tso "$3" gso "$3" >/dev/null
	follow_start f client c0 "$1" "tap tcp port $PORT" "$4" || return
	attached_by "$5" "$CONTEXT-f" || return
	exchange "$2" $PORT $LOCAL || return
	wait_for 30 all_told 2
	follow_stop f client c0 || return
	no_gaps f && both_same "$2" $PORT $LOCAL || return
	[ "$(jq -s length "$WORK/f.out")" -eq 2 ] || no "$(jq -s length "$WORK/f.out") flows"
}

# Two CPUs, lanes shared by what comes in and what goes out, RPS handing packets over.
two_cpus()
{
	local i

	topology_direct 2 || return
	in_ns client ethtool -K c0 gro on >/dev/null
	# shellcheck disable=SC2016  # the inner shell expands it
	ip netns exec "$PREFIX-client" sh -c 'for q in /sys/class/net/c0/queues/rx-*; do
		echo 3 >$q/rps_cpus; done'
	follow_start f client c0 skb "tap tcp" --egress || return
	for i in 0 1 2 3; do
		exchange_start $((PORT + i)) || return
	done
	for i in 0 1 2 3; do
		exchange_spawn 4 $((PORT + i)) $((LOCAL + i))
	done
	for i in 0 1 2 3; do
		wait "${PIDS[client$((PORT + i))]}" || no "socat failed" || return
	done
	wait_for 30 all_told 8
	follow_stop f client c0 || return
	no_gaps f || return
	for i in 0 1 2 3; do
		both_same 4 $((PORT + i)) $((LOCAL + i)) || return
	done
}

all_told()
{
	[ "$(jq -s length "$WORK/f.out")" -ge "$1" ]
}

# The flow list and `top` name both halves.
both_listed()
{
	local key there=$SERVER4:$PORT here=$CLIENT4:$LOCAL

	topology_direct && exchange_start $PORT || return
	in_ns client "$XDPLACE" load c0 --pin "$CONTEXT" --egress --ring 65536 --umem-size 256M \
		--closed-age 60s --rule "tap tcp port $PORT" >/dev/null || return
	exchange 4 $PORT $LOCAL || return
	in_ns client "$XDPLACE" flow list -n "$CONTEXT" >"$WORK/list" || return
	in_ns client "$XDPLACE" top -n "$CONTEXT" --batch -c 1 >"$WORK/top" || return
	for key in "$here > $there" "$there > $here"; do
		grep -q "tcp $key" "$WORK/list" || no "not in flow list: $key" || return
		grep -q "tcp $key" "$WORK/top" || no "not in top: $key" || return
	done
	in_ns client "$XDPLACE" area audit -n "$CONTEXT" >"$WORK/audit" ||
		no "audit: $(tail -n 3 "$WORK/audit")" || return
	in_ns client "$XDPLACE" unload -n "$CONTEXT" >/dev/null
}

# Sends three parts, the second and the third when it is told to.
parts_start()
{
	cat >"$WORK/parts.sh" <<-END
		cd "$WORK"
		for part in 1 2 3; do
			until [ -e go\$part ]; do sleep 0.1; done
			cat part\$part
		done
	END
	rm -f "$WORK"/go?
	spawn_in parts server socat -t 30 "TCP-LISTEN:$PORT,reuseaddr" "SYSTEM:sh $WORK/parts.sh"
	wait_ready parts 10 port_open server $PORT || no "socat: $(cat "$WORK/parts.err")"
}

# PARTS: that many have been received.
received()
{
	local i all=0

	for ((i = 1; i <= $1; i++)); do
		all=$((all + $(size_of "$WORK/part$i")))
	done
	[ "$(size_of "$WORK/got")" -eq $all ]
}

# While follow sleeps its ring fills, and packets are missed that the host's stack gets and
# acknowledges.
gap_acked()
{
	local FOLLOW_OPTIONS=(--lanes 1 --ring 1024 --umem-size 256M --hole-age 60s)
	local key=tcp_${SERVER4}_$PORT-${CLIENT4}_$LOCAL

	topology_direct && parts_start || return
	rm -f "$WORK/got"
	follow_start f client c0 native "tap tcp port $PORT" --egress || return
	spawn_in fetch client socat -u "TCP:$SERVER4:$PORT,sourceport=$LOCAL" "CREATE:$WORK/got"
	touch "$WORK/go1"
	wait_for 20 received 1 || no "part 1 does not arrive" || return
	kill -STOP "${PIDS[f]}"
	touch "$WORK/go2"
	wait_for 20 received 2 || no "part 2 does not arrive" || return
	kill -CONT "${PIDS[f]}"
	wait_for 20 ring_empty
	touch "$WORK/go3"
	wait_for 20 received 3 || no "part 3 does not arrive" || return
	wait_for 20 all_told 2
	stats "$CONTEXT-f" && follow_stop f client c0 || return
	[ "$(reason_of ring_full)" -gt 0 ] || no "nothing was missed" || return
	[ "$(reason_of gap_acked)" -gt 0 ] || no "no gap_acked: $(tr -d '\n' <"$WORK/stats")" || return
	same_or_gap f "$key" "$WORK/got"
}

ring_empty()
{
	in_ns client "$XDPLACE" status --json -n "$CONTEXT-f" |
		jq -e '[.contexts[].lanes[].waiting] | add == 0'
}

stats()
{
	in_ns client "$XDPLACE" stats --json -n "$1" >"$WORK/stats"
}

reason_of()
{
	jq ".. | objects | select(has(\"$1\")) | .$1" "$WORK/stats" | head -n 1
}

# A killed process leaves nothing that goes on placing.
killed_tcx()
{
	local pid

	has_tcx || { echo "skip"; return 0; }
	topology_direct || return
	spawn_in load client "$XDPLACE" load -n "$CONTEXT" --egress --rule "tap any" c0
	wait_ready load 15 has_program client c0 && attached_by tcx "$CONTEXT" || return
	pid=${PIDS[load]}
	unset "PIDS[load]"
	kill -KILL "$pid"
	wait "$pid" 2>/dev/null
	wait_for 5 nothing_left || no "$(egress_programs) egress programs are left"
}

nothing_left()
{
	[ "$(egress_programs)" -eq "$others" ]
}

filters()
{
	in_ns client tc filter show dev c0 egress | grep -c 'xdplace_egress:'
}

kill_with_filter()
{
	local pid

	spawn_in load client "$XDPLACE" load -n "$CONTEXT" --egress-clsact --rule "tap any" c0
	wait_ready load 15 has_program client c0 && attached_by clsact "$CONTEXT" || return
	pid=${PIDS[load]}
	unset "PIDS[load]"
	kill -KILL "$pid"
	wait "$pid" 2>/dev/null
	wait_for 5 program_gone || no "XDP is still attached" || return
	[ "$(filters)" -eq 1 ] || no "$(filters) filters after the kill"
}

program_gone()
{
	! has_program client c0
}

killed_clsact()
{
	topology_direct && kill_with_filter || return
	"$XDPLACE" status | grep -q "$CONTEXT: LEFTOVER" || no "status does not tell" || return
	"$XDPLACE" clean "$CONTEXT" 2>/dev/null && no "cleaned from elsewhere" && return 1
	in_ns client "$XDPLACE" clean "$CONTEXT" || return
	[ "$(filters)" -eq 0 ] || no "a filter is left after clean" || return
	kill_with_filter || return
	in_ns client "$XDPLACE" load --pin "$CONTEXT" --egress-clsact --rule "tap any" c0 || return
	[ "$(filters)" -eq 1 ] || no "$(filters) filters after the next start" || return
	in_ns client "$XDPLACE" clean "$CONTEXT" || return
	[ "$(filters)" -eq 0 ] || no "a filter is left after clean of the pinned one" || return
	wait_for 5 nothing_left || no "$(egress_programs) egress programs are left"
}

# Pinned: seen and detached by other processes, of interfaces by name.
pinned()
{
	topology_direct || return
	in_ns client "$XDPLACE" load --pin "$CONTEXT" --egress --rule "tap any" c0 >/dev/null || return
	attached_by "$(default_hook)" "$CONTEXT" || return
	in_ns client "$XDPLACE" unload -n "$CONTEXT" c0 >/dev/null || return
	wait_for 5 nothing_left || no "$(egress_programs) egress programs are left"
}

# Nobody has to ask who has ADDRESS, which is DEVICE's in NS: few packets wait for an answer.
know_neighbour() # NAMESPACE INTERFACE ADDRESS NS DEVICE
{
	ip -n "$PREFIX-$1" neigh replace "$3" dev "$2" nud permanent \
		lladdr "$(ip -j -n "$PREFIX-$4" link show "$5" | jq -r '.[0].address')"
}

# Datagrams that come in through one interface of the context and go out through another.
forwarded()
{
	local sent=200

	topology_down
	make_namespace client && make_namespace path && make_namespace server &&
		make_veth client c0 path p0 1 1500 && make_veth server s0 path p1 1 1500 &&
		add_addresses client c0 77 2 && add_addresses path p0 77 1 &&
		add_addresses path p1 78 1 && add_addresses server s0 78 2 || return
	ip netns exec "$PREFIX-path" sysctl -qw net.ipv4.ip_forward=1
	ip -n "$PREFIX-client" route add 10.78.0.0/24 via 10.77.0.1
	know_neighbour client c0 10.77.0.1 path p0 &&
		know_neighbour path p1 10.78.0.2 server s0 || return
	in_ns path "$XDPLACE" load --pin "$CONTEXT" --egress --rule "tap udp port 7000" p0 p1 \
		>/dev/null || return
	in_ns client bash -c "for ((i = 0; i < $sent; i++)); do echo \$i; done >/dev/udp/10.78.0.2/7000" ||
		return
	wait_for 5 all_forwarded "$sent" ||
		no "forwarded: $(reason_of forwarded)" || return
	[ "$(in_ns path "$XDPLACE" flow list -n "$CONTEXT" --json | jq '.flows[0].packets')" -eq "$sent" ] ||
		no "placed more than once" || return
	in_ns path "$XDPLACE" unload -n "$CONTEXT" >/dev/null
}

all_forwarded()
{
	in_ns path "$XDPLACE" stats --json -n "$CONTEXT" >"$WORK/stats" &&
		[ "$(reason_of forwarded)" -ge "$1" ]
}

setup 402653184
others=$(egress_programs)
make_file "$WORK/upload" $((30000001 / SLOW)) 1
make_file "$WORK/down" $((20000003 / SLOW)) 2
make_file "$WORK/part1" 300000 3
make_file "$WORK/part2" 2500000 4
make_file "$WORK/part3" 300000 5
hook=$(default_hook)
run_case egress_native_ipv4_tso "R19 R4" halves native 4 on --egress "$hook"
run_case egress_skb_ipv6_tso "R19 R4" halves skb 6 on --egress "$hook"
run_case egress_native_ipv6 "R19 R4" halves native 6 off --egress "$hook"
run_case egress_skb_ipv4_clsact "R19 R4" halves skb 4 on --egress-clsact clsact
run_case egress_two_cpus "R17 R19" two_cpus
run_case egress_flow_list_and_top "R19" both_listed
run_case egress_gap_acked "R13 R19" gap_acked
run_case egress_killed_tcx "R19" killed_tcx
run_case egress_killed_clsact "R19" killed_clsact
run_case egress_pinned "R19" pinned
run_case egress_forwarded_once "R17 R19" forwarded
