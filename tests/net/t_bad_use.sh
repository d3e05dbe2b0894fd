#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# seconds: 180
#
# Bad use and bad luck: a message that says what failed and why, the exit code of xdplace(8), and
# nothing left behind: no program on the interface, no pin, no context.
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

PORT=8080
FAILED=1 USAGE=2 UNSUPPORTED=3 BUSY=4 PERMISSION=5 NOT_FOUND=6

left_behind()
{
	local interface

	for interface in c0 t0; do
		ip -n "$PREFIX-client" link show $interface >/dev/null 2>&1 || continue
		has_program client $interface && no "a program is left on $interface" && return 0
	done
	[ -e "/sys/fs/bpf/xdplace/$CONTEXT" ] && no "pins are left" && return 0
	return 1
}

# CODE PATTERN COMMAND...: must fail with this exit code, in words that match, without leftovers.
refused()
{
	local want=$1 pattern=$2 code

	shift 2
	timeout $((20 * SLOW)) nsenter --net="/run/netns/$PREFIX-client" "$@" >"$WORK/out" 2>"$WORK/err" </dev/null
	code=$?
	[ $code -eq "$want" ] ||
		no "${*##*/}: exit code $code, not $want: $(tail -n 2 "$WORK/err")" || return
	grep -qiE -- "$pattern" "$WORK/err" ||
		no "${*##*/}: not in words of '$pattern': $(tail -n 3 "$WORK/err")" || return
	[ -n "${KEEPS_PROGRAM:-}" ] || ! left_behind
}

load()
{
	refused "$1" "$2" "$XDPLACE" load -n "$CONTEXT" "${@:3}"
}

unknown_interface()
{
	load $FAILED nosuch0 nosuch0 &&
		refused $FAILED nosuch0 "$XDPLACE" follow -o "$WORK/d" c0 nosuch0 &&
		load $FAILED nosuch0 -p "$CONTEXT" c0 nosuch0
}

usage()
{
	refused $USAGE 'verb' "$XDPLACE" frobnicate &&
		refused $USAGE 'option' "$XDPLACE" load --frobnicate c0 &&
		refused $USAGE 'output|-o|directory' "$XDPLACE" follow c0 &&
		load $USAGE mode -m fast c0 && load $USAGE protocol --protocols tcp,sctp c0
}

not_loaded()
{
	local verb

	for verb in stats area flow rule top; do
		refused $NOT_FOUND nosuchcontext "$XDPLACE" $verb -n nosuchcontext || return
	done
	refused $NOT_FOUND nosuchcontext "$XDPLACE" unload -n nosuchcontext
}

# RULE WORD: exit code 2, and a caret under the word.
caret()
{
	local shown at want

	load $USAGE rule --rule "$1" c0 || return
	shown=$(grep -n -- "^ *\^" "$WORK/err" | head -n 1)
	[ -n "$shown" ] || no "no caret: $(cat "$WORK/err")" || return
	at=${shown#*:}
	at=${at%%^*}
	want=${1%%"$2"*}
	[ $((${#at} - 2)) -eq ${#want} ] || no "caret not under '$2': $(cat "$WORK/err")"
}

rule_syntax()
{
	caret "tap tcp prot 80" prot && caret "take host 10.1.2.300" 10.1.2.300 &&
		caret "tap udp port 70000" 70000 && caret "tap net 10.0.0.0/40 tcp" 40 &&
		caret "tap tcp port 80 sideways" sideways
}

# OPTION VALUE...
sizes()
{
	load $USAGE 'umem' --umem-size 3M c0 && load $USAGE 'umem' --umem-size 8G c0 &&
		load $USAGE 'umem' --umem-size 64K c0 && load $USAGE 'umem' --umem-size big c0 &&
		load $USAGE 'area' --area-size 100 c0 && load $USAGE 'area' --area-size 64K c0 &&
		load $USAGE 'threshold' --threshold 10 c0 && load $USAGE 'flows' --flows 0 c0 &&
		load $USAGE 'flows' --flows 1048577 c0 && load $USAGE 'lanes' --lanes 65 c0 &&
		load $USAGE 'ring' --ring 1000 c0 && load $USAGE 'ring' --ring 1500 c0 &&
		load $USAGE 'window' --window 4K c0 && load $USAGE 'hot' --hot 5 c0
}

# The program is a copy in a directory of root's: without the right to override permissions, root
# can not look into other people's.

# CAPABILITIES NAME [OPTION...]: with these alone it is refused, in words that name what is missing.
lacks()
{
	refused $PERMISSION "$2" setpriv --bounding-set="-all,+${1//,/,+}" \
		--inh-caps="-all,+${1//,/,+}" "$WORK/xdplace" load -n "$CONTEXT" --rule "tap tcp" \
		"${@:3}" c0
}

capabilities()
{
	cp "$XDPLACE" "$WORK/xdplace"
	lacks net_admin,perfmon,net_raw CAP_BPF && lacks bpf,perfmon,net_raw CAP_NET_ADMIN &&
		lacks bpf,net_admin,net_raw CAP_PERFMON &&
		lacks bpf,net_admin,perfmon CAP_NET_RAW --frames xsk && lacks chown CAP_BPF
}

# These are enough, as the README says.
enough_capabilities()
{
	local caps=-all,+bpf,+net_admin,+perfmon,+net_raw

	cp "$XDPLACE" "$WORK/xdplace"
	spawn_in load client setpriv --bounding-set=$caps --inh-caps=$caps \
		"$WORK/xdplace" load -n "$CONTEXT" --rule "tap tcp" c0
	wait_ready load 15 has_program client c0 || no "load: $(cat "$WORK/load.err")" || return
	stop load INT || no "load: exit status $?: $(cat "$WORK/load.err")" || return
	! left_behind
}

already_attached()
{
	local mode

	for mode in native skb; do
		spawn_in first client "$XDPLACE" load -n "$CONTEXT" -m $mode c0
		wait_ready first 15 has_program client c0 || no "load: $(cat "$WORK/first.err")" || return
		KEEPS_PROGRAM=1 refused $BUSY "program 'xdplace' .*unload -n $CONTEXT c0" \
			"$XDPLACE" load -n "$CONTEXT-b" c0 || return
		runs first && has_program client c0 || no "the first one suffered" || return
		stop first INT || no "load: exit status $?" || return
	done
	! left_behind
}

pin_taken()
{
	in_ns client "$XDPLACE" load -p "$CONTEXT" c0 >/dev/null || no "load --pin fails" || return
	KEEPS_PROGRAM=1 refused $BUSY "$CONTEXT" "$XDPLACE" load -p "$CONTEXT" c0 || return
	in_ns client "$XDPLACE" unload -n "$CONTEXT" >/dev/null || no "unload fails" || return
	! left_behind
}

driver_without_xdp()
{
	load $UNSUPPORTED 'skb' -m native lo
}

# A driver that does XDP in one buffer, and packets that do not fit one.
mtu_too_large()
{
	ip -n "$PREFIX-client" link set t0 mtu 9000 up || return
	load $UNSUPPORTED 'mtu' -m native t0
}

disk_full()
{
	local code

	mkdir -p "/tmp/$PREFIX/small" && mount -t tmpfs -o size=4m xpt "/tmp/$PREFIX/small" || return
	http_start $PORT || return
	spawn_in f client "$XDPLACE" follow -n "$CONTEXT" -o "/tmp/$PREFIX/small/d" --json \
		--rule "tap tcp src port $PORT" c0
	wait_ready f 15 has_program client c0 || no "follow: $(cat "$WORK/f.err")" || return
	in_ns client curl -sS -m $((20 * SLOW)) --limit-rate 60M "http://$SERVER4:$PORT/f" |
		cmp - "$WORK/www/f" || no "the kernel's connection was disturbed" || return
	wait_for 10 ended f || no "follow goes on without a disk" || return
	wait "${PIDS[f]}"
	code=$?
	unset "PIDS[f]"
	umount "/tmp/$PREFIX/small"
	[ $code -eq $FAILED ] || no "follow: exit code $code" || return
	grep -qi 'no space' "$WORK/f.err" || no "follow says: $(cat "$WORK/f.err")" || return
	! left_behind
}

ended()
{
	! runs "$1"
}

output_unwritable()
{
	refused $NOT_FOUND 'nosuch' "$XDPLACE" follow -n "$CONTEXT" -o /nosuch/d --rule "tap tcp" c0 &&
		refused $FAILED 'nosuch.pcap' "$XDPLACE" follow -o "$WORK/d" -r /nosuch.pcap &&
		refused $FAILED 'null' "$XDPLACE" follow -o "$WORK/d" -r /dev/null
}

# VERB MODE
interface_removed()
{
	local code command=(load)

	topology_direct && http_start $PORT || return
	[ "$1" = follow ] && command=(follow -o "$WORK/gone" --json)
	spawn_in v client "$XDPLACE" "${command[@]}" -n "$CONTEXT" -m "$2" \
		--rule "tap tcp src port $PORT" c0
	wait_ready v 15 has_program client c0 || no "$1: $(cat "$WORK/v.err")" || return
	spawn_in fetch client curl -sS -m 3 --limit-rate 5M -o /dev/null "http://$SERVER4:$PORT/f"
	sleep 0.5
	ip -n "$PREFIX-client" link del c0
	wait_for 10 ended v || no "$1 goes on without its interface" || return
	wait "${PIDS[v]}"
	code=$?
	unset "PIDS[v]"
	[ $code -eq $FAILED ] || no "$1: exit code $code: $(tail -n 2 "$WORK/v.err")" || return
	grep -q 'c0' "$WORK/v.err" || no "$1 does not say which: $(cat "$WORK/v.err")" || return
	[ "$1" = load ] || jq -es 'length == 1 and .[0].bytes > 0' "$WORK/v.out" >/dev/null ||
		no "follow has forgotten what it had: $(cat "$WORK/v.out")"
}

setup
make_file "$WORK/www/f" 50000000 1
topology_direct
has_tun=
ip -n "$PREFIX-client" tuntap add t0 mode tap 2>/dev/null && has_tun=yes
run_case unknown_interface "R17" unknown_interface
run_case usage - usage
run_case not_loaded - not_loaded
run_case rule_syntax_caret "R16" rule_syntax
run_case sizes_out_of_range "R5 R6" sizes
run_case missing_capability_named - capabilities
run_case enough_capabilities - enough_capabilities
run_case already_attached - already_attached
run_case pin_taken - pin_taken
run_case driver_without_xdp - driver_without_xdp
if [ -n "$has_tun" ]; then
	run_case mtu_too_large - mtu_too_large
else
	skip mtu_too_large - "this kernel has no tap devices, and veth takes any MTU"
fi
run_case output_unwritable - output_unwritable
run_case disk_full - disk_full
run_case interface_removed_follow_native "R17" interface_removed follow native
run_case interface_removed_load_skb "R17" interface_removed load skb
