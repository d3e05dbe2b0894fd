#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# seconds: 240
#
# Processes that die. A consumer of a pinned context, killed under load and restarted, goes on where
# the last one stopped; a loader that is killed leaves the interface as it was and nothing pinned.
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

PORT=8080
FETCHES=3
PIN=/sys/fs/bpf/xdplace/$CONTEXT

pin_context()
{
	in_ns client "$XDPLACE" load -p "$CONTEXT" -m "$1" --rule "tap tcp src port $PORT" \
		--umem-size 512M --ring 131072 "${@:2}" c0 >"$WORK/load.out" 2>"$WORK/load.err" ||
		no "load --pin: $(cat "$WORK/load.err")" || return
	has_program client c0 || no "load --pin has ended, and the program with it"
}

consumer_start()
{
	spawn_in consumer client "$TOOLS/consumer" "$CONTEXT" "$WORK/flows"
	wait_ready consumer 5 grep -q ready "$WORK/consumer.out" ||
		no "the consumer does not come up: $(cat "$WORK/consumer.err")"
}

fetches_start()
{
	local i

	for ((i = 0; i < FETCHES; i++)); do
		spawn_in "fetch$i" client curl -sS -i -m $((50 * SLOW)) --limit-rate "$1" -o "$WORK/got$i" \
			"http://$(bracketed $((4 + i % 2 * 2))):$PORT/f$i"
	done
}

fetches_wait()
{
	local i

	for ((i = 0; i < FETCHES; i++)); do
		wait "${PIDS[fetch$i]}" || no "curl: $(cat "$WORK/fetch$i.err")" || return
		unset "PIDS[fetch$i]"
		"$TOOLS/same" -b "$WORK/got$i" "$WORK/www/f$i" || return
	done
}

# The consumer names files by flow: which is which says the response itself.
streams_complete()
{
	local stream name count=0

	for stream in "$WORK"/flows/????????; do
		name=$(head -c 1024 "$stream" | tr -d '\0' | sed -n 's/^X-File: .f\([0-9]\).*/\1/p')
		[ -n "$name" ] || no "$stream is no response" || return
		[ -s "$stream.gaps" ] && no "gaps: $(head -n 3 "$stream.gaps")" && return 1
		"$TOOLS/same" "$stream" "$WORK/got$name" || return
		count=$((count + 1))
	done
	[ $count -eq $FETCHES ] || no "$count streams for $FETCHES connections"
}

audit_clean()
{
	in_ns client "$XDPLACE" area audit -n "$CONTEXT" >"$WORK/audit" 2>&1 ||
		no "audit: $(tail -n 3 "$WORK/audit")"
}

unload_clean()
{
	in_ns client "$XDPLACE" unload -n "$CONTEXT" >/dev/null 2>"$WORK/unload.err" ||
		no "unload: $(cat "$WORK/unload.err")" || return
	gone
}

# Nothing attached, nothing pinned.
gone()
{
	wait_for 5 detached || no "the program is still attached" || return
	[ ! -e "$PIN" ] || no "pins are left: $(ls "$PIN")"
}

detached()
{
	! has_program client c0
}

# MODE ROUNDS: SIGKILL again and again while data arrive.
consumer_killed()
{
	local round

	rm -rf "${WORK:?}/flows"
	mkdir "$WORK/flows"
	topology_direct && http_start $PORT && pin_context "$1" || return
	consumer_start && fetches_start 15M || return
	for ((round = 1; round <= $2; round++)); do
		sleep "0.$((RANDOM % 4 + 2))"
		stop consumer KILL
		sleep "0.$((RANDOM % 2 + 1))"
		consumer_start || return
	done
	fetches_wait || return
	stop consumer TERM 10 || no "the consumer: $(cat "$WORK/consumer.err")" || return
	streams_complete && audit_clean && unload_clean
}

# A lane has one consumer; the second is told so.
second_consumer()
{
	rm -rf "${WORK:?}/flows"
	mkdir "$WORK/flows"
	topology_direct && pin_context native && consumer_start || return
	in_ns client timeout 5 "$TOOLS/consumer" "$CONTEXT" "$WORK/flows" >"$WORK/second" 2>&1 &&
		no "a second consumer was let in" && return 1
	grep -q lane "$WORK/second" || no "not told why: $(cat "$WORK/second")" || return
	stop consumer TERM 10
	unload_clean
}

# MODE: xdplace follow as the consumer of a context that somebody else has loaded.
follow_pinned()
{
	local key=tcp_${SERVER4}_$PORT-${CLIENT4}_40005

	topology_direct && http_start $PORT && pin_context "$1" || return
	rm -rf "${WORK:?}/followed"
	mkdir "$WORK/followed"
	spawn_in f client "$XDPLACE" follow -n "$CONTEXT" -o "$WORK/followed" --json
	sleep 0.3
	in_ns client curl -sS -i -m $((20 * SLOW)) --local-port 40005 -o "$WORK/got0" \
		"http://$SERVER4:$PORT/f0" || no "curl failed" || return
	wait_for 5 jq -e . "$WORK/f.out"
	stop f INT || no "follow: exit status $?: $(cat "$WORK/f.err")" || return
	has_program client c0 || no "follow has taken the program with it" || return
	"$TOOLS/same" "$WORK/followed/$key" "$WORK/got0" && audit_clean && unload_clean
}

# VERB MODE: the process that attached is killed under load.
loader_killed()
{
	topology_direct && http_start $PORT || return
	mkdir -p "$WORK/f"
	case $1 in
	follow) spawn_in loader client "$XDPLACE" follow -n "$CONTEXT" -o "$WORK/f" -m "$2" \
		--rule "tap tcp src port $PORT" c0 ;;
	load) spawn_in loader client "$XDPLACE" load -n "$CONTEXT" -m "$2" \
		--rule "take tcp src port 9" --rule "tap tcp src port $PORT" c0 ;;
	esac
	wait_ready loader 15 has_program client c0 || no "$1: $(cat "$WORK/loader.err")" || return
	fetches_start 30M
	sleep 0.5
	stop loader KILL
	gone && fetches_wait || return
	# By name: other contexts on this machine are none of ours.
	in_ns client "$XDPLACE" status -n "$CONTEXT" >"$WORK/status" 2>&1
	[ $? -eq 6 ] || no "status still knows it: $(cat "$WORK/status")"
}

# What a crash can leave is a pinned context whose interface has gone: status says so, clean
# removes it.
orphan()
{
	topology_direct && pin_context native || return
	ip -n "$PREFIX-client" link del c0
	in_ns client "$XDPLACE" status -n "$CONTEXT" --json >"$WORK/status.json" ||
		no "status fails" || return
	jq -e --arg name "$CONTEXT" '.contexts[] | select(.name == $name) | .orphan' \
		"$WORK/status.json" >/dev/null ||
		no "status does not call it an orphan: $(tr -d ' \n' <"$WORK/status.json")" || return
	in_ns client "$XDPLACE" clean "$CONTEXT" >/dev/null || no "clean fails" || return
	[ ! -e "$PIN" ] || no "clean leaves $(ls "$PIN")"
}

setup 1073741824
for i in 0 1 2; do
	make_file "$WORK/www/f$i" $((70000000 + i * 1000001)) "$((i + 1))"
done
run_case consumer_killed_native "R3 R8 R9 R12" consumer_killed native 8
run_case consumer_killed_skb "R3 R8 R9 R12" consumer_killed skb 5
run_case second_consumer_refused "R8" second_consumer
run_case follow_pinned_native "R9 R16" follow_pinned native
run_case follow_pinned_skb "R9 R16" follow_pinned skb
run_case loader_killed_follow_native "R16" loader_killed follow native
run_case loader_killed_load_skb "R16" loader_killed load skb
run_case orphan_is_cleaned "R17" orphan
