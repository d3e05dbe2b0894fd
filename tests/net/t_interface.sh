#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# seconds: 180
#
# Interfaces that come, go, change their names and have several queues: what `status` tells of
# them is what the kernel has, and what is in the way is named before anything is attached.
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

FAILED=1

pinned_load()
{
	in_ns client "$XDPLACE" load -p "$CONTEXT" "$@" >"$WORK/load.out" 2>"$WORK/load.err" ||
		no "load: $(cat "$WORK/load.err")"
}

unload()
{
	in_ns client "$XDPLACE" unload -n "$CONTEXT" "$@" >"$WORK/unload.out" 2>&1 ||
		no "unload: $(cat "$WORK/unload.out")"
}

# FILTER: of the interfaces, as status tells them.
interfaces()
{
	in_ns client "$XDPLACE" status -n "$CONTEXT" --json |
		jq -c "[.. | objects | .interfaces? // empty | .[]] | $1"
}

# FILTER WANTED
interfaces_are()
{
	local is

	is=$(interfaces "$1")
	[ "$is" = "$2" ] || no "$1: $is, not $2"
}

second_pair()
{
	make_veth client c1 server s1 "$1" 1500
}

# Queues get lanes of their own as long as there are some.
lanes_of_queues()
{
	topology_direct 4 && second_pair 2 && pinned_load --lanes 8 c0 c1 || return
	interfaces_are 'map([.name, .mode, .queues, .lane, .lanes]) | sort' \
		'[["c0","native",4,0,4],["c1","native",2,4,2]]' && unload
}

lanes_shared()
{
	topology_direct 4 && second_pair 2 && pinned_load --lanes 2 c0 c1 || return
	interfaces_are 'map([.name, .lane, .lanes]) | sort' '[["c0",0,2],["c1",0,2]]' && unload
}

lanes_in_skb_mode()
{
	topology_direct 1 && pinned_load --lanes 3 -m skb c0 || return
	interfaces_are 'map([.name, .mode, .lane, .lanes])' '[["c0","skb",0,3]]' && unload
}

alternative_name()
{
	topology_direct && ip -n "$PREFIX-client" link property add c0 \
		altname a-name-longer-than-an-interface-may-have || return
	pinned_load a-name-longer-than-an-interface-may-have || return
	interfaces_are 'map(.name)' '["c0"]' && unload
}

renamed()
{
	topology_direct && pinned_load c0 || return
	ip -n "$PREFIX-client" link set c0 down name c9 2>"$WORK/rename" ||
		no "rename: $(cat "$WORK/rename")" || return
	interfaces_are 'map(.name)' '["c9"]' && unload c9 || return
	has_program client c9 && no "still on c9" && return 1
	return 0
}

# The link that was pinned leads nowhere then, and is in nobody's way.
removed_and_made_again()
{
	topology_direct && pinned_load c0 || return
	ip -n "$PREFIX-client" link del c0
	interfaces_are length 0 || return
	make_veth client c0 server s0 1 1500 || return
	in_ns client "$XDPLACE" unload -n "$CONTEXT" >/dev/null 2>&1
	pinned_load c0 && interfaces_are 'map(.name)' '["c0"]' && unload
}

# Who detaches need not be who attached.
detached_by_another()
{
	topology_direct || return
	spawn_in v client "$XDPLACE" load -n "$CONTEXT" c0
	wait_ready v 15 has_program client c0 || no "load: $(cat "$WORK/v.err")" || return
	unload c0 || return
	has_program client c0 && no "still on c0" && return 1
	return 0
}

# The table of interfaces is indexed by their number, modulo 256.
numbers_collide()
{
	local ns=$PREFIX-client

	topology_direct && ip -n "$ns" link add x0 index 300 type veth peer name y0 &&
		ip -n "$ns" link add x1 index 556 type veth peer name y1 || return
	in_ns client "$XDPLACE" load -n "$CONTEXT" x0 x1 >"$WORK/out" 2>"$WORK/err" </dev/null &&
		no "load takes both" && return 1
	grep -q '300.*556\|556.*300' "$WORK/err" || no "load says: $(cat "$WORK/err")" || return
	has_program client x0 && no "left on x0" && return 1
	return 0
}

too_few_queues()
{
	local ns=$PREFIX-client code

	topology_direct && ip -n "$ns" link add x0 numrxqueues 1 numtxqueues 1 type veth \
		peer name y0 numrxqueues 4 numtxqueues 4 || return
	in_ns client "$XDPLACE" load -n "$CONTEXT" x0 >"$WORK/out" 2>"$WORK/err" </dev/null
	code=$?
	[ $code -eq $FAILED ] || no "exit code $code: $(cat "$WORK/err")" || return
	grep -q 'receive queues (1).*y0: 4' "$WORK/err" || no "$(cat "$WORK/err")" || return
	ip -n "$ns" link set y0 netns "$PREFIX-server"
	in_ns client "$XDPLACE" load -n "$CONTEXT" x0 >"$WORK/out" 2>"$WORK/err" </dev/null
	grep -q 'receive queues (1)' "$WORK/err" || no "peer elsewhere: $(cat "$WORK/err")"
}

# WORD REMEDY [MODE]: doctor says it of c0.
doctor_says()
{
	in_ns client "$XDPLACE" doctor "${@:3}" c0 >"$WORK/doctor" 2>&1
	tr -s ' \n' ' ' <"$WORK/doctor" | grep -q -- "$1.*-> $2" || no "doctor says: $(cat "$WORK/doctor")"
}

doctor_tells_what_to_change()
{
	topology_direct || return
	in_ns client "$XDPLACE" doctor c0 | grep -q '^note .*peer loses TSO' ||
		no "TSO of the peer is no note" || return
	in_ns client ethtool -K c0 rxvlan on gro on >/dev/null 2>&1
	doctor_says rx-vlan-offload 'ethtool -K c0 rxvlan off' || return
	in_ns client ethtool -K c0 rxvlan off
	in_ns client "$XDPLACE" doctor c0 | grep -q rx-vlan && no "still says rx-vlan" && return 1
	ip -n "$PREFIX-client" link set c0 down
	doctor_says 'interface is down' 'ip link set dev c0 up'
}

setup
run_case lanes_of_queues "R17" lanes_of_queues
run_case lanes_shared "R17" lanes_shared
run_case lanes_in_skb_mode "R17" lanes_in_skb_mode
run_case alternative_name "R17" alternative_name
run_case renamed "R17" renamed
run_case removed_and_made_again "R17" removed_and_made_again
run_case detached_by_another "R17" detached_by_another
run_case numbers_collide "R17" numbers_collide
run_case too_few_queues "R17" too_few_queues
run_case doctor_tells_what_to_change "R17" doctor_tells_what_to_change
