#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# seconds: 240
#
# Frames by AF_XDP in copy mode: large whole packets of `take` rules come through the sockets of
# the lanes' consumer, small ones through its lanes; what no socket takes is placed by copying.
# What the kernel delivers without us is what has to come with us, byte for byte.
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

PORT=9000
LOCAL=40002

server_start()
{
	spawn_in talk server "$TOOLS/udp_talk" server $SERVER4 $PORT
	wait_ready talk 5 grep -q ready "$WORK/talk.out" || no "udp_talk: $(cat "$WORK/talk.err")"
}

# FILE REQUESTS COUNT SIZE [WAIT_MS]: what the kernel delivers is in FILE
talk()
{
	in_ns client "$TOOLS/udp_talk" client $SERVER4 $PORT "$LOCAL" "$1" "$2" "$3" "$4" "${5:-20}" \
		>"$WORK/talk.json"
}

# The same without xdplace; nothing may be missing.
reference()
{
	talk "$1" "$2" "$3" "$4" 2000 && jq -e '.received == .asked' "$WORK/talk.json" >/dev/null ||
		no "the kernel delivers less: $(cat "$WORK/talk.json")"
}

# MODE RULE [OPTION...]
load_start()
{
	local mode=$1 rule=$2

	shift 2
	spawn_in load client "$XDPLACE" load -n "$CONTEXT" -m "$mode" --frames xsk --rule "$rule" \
		"$@" c0
	wait_ready load 15 has_program client c0 || no "load: $(cat "$WORK/load.err")"
}

consumer_start()
{
	spawn_in consumer client "$TOOLS/xsk_consumer" "$CONTEXT" "$WORK" "$@"
	wait_ready consumer 5 grep -q ready "$WORK/consumer.out" ||
		no "consumer: $(cat "$WORK/consumer.err")"
}

# Its report is in $WORK/report.json then.
consumer_stop()
{
	stop consumer TERM 5 || no "consumer: status $?: $(cat "$WORK/consumer.err")" || return
	grep '^{' "$WORK/consumer.out" >"$WORK/report.json" || no "consumer: no report"
}

reported()
{
	jq -e "$1" "$WORK/report.json" >/dev/null || no "not $1: $(cat "$WORK/report.json")"
}

same()
{
	cmp -s "$1" "$2" || no "$1 and $2 differ: $(size_of "$1") and $(size_of "$2") bytes"
}

# Every area in one place, those of the sockets among them.
audit()
{
	in_ns client "$XDPLACE" area -n "$CONTEXT" --audit --json >"$WORK/audit.json" ||
		no "audit: $(cat "$WORK/audit.json")" || return
	jq -e '[.. | .xsk? // empty] | add > 0' "$WORK/audit.json" >/dev/null ||
		no "the audit knows no areas of sockets: $(cat "$WORK/audit.json")"
}

load_stop()
{
	stop load INT || no "load: exit status $?: $(cat "$WORK/load.err")" || return
	has_program client c0 && no "program still on c0"
	return 0
}

# MODE: large ones by sockets, small ones by lanes, nobody else's traffic disturbed.
frames()
{
	topology_direct && server_start || return
	reference "$WORK/large.ref" 20 100 1400 && reference "$WORK/small.ref" 10 100 100 || return
	load_start "$1" "take whole udp src port $PORT" && consumer_start || return
	talk "$WORK/got" 20 100 1400 && talk "$WORK/got" 10 100 100 || return
	in_ns client ping -c 1 -W 2 -q $SERVER4 >/dev/null || no "ping is not answered" || return
	audit && consumer_stop && audit && load_stop || return
	[ "$(size_of "$WORK/got")" -eq 0 ] || no "the stack got what was taken" || return
	reported '.large == 2000 and .redirected == 2000 and .placed == 1000' &&
		reported '.dropped == 0 and .no_socket == 0 and .held == 0' &&
		reported '.zero_copy == 0 and .sockets == 1' || return
	same "$WORK/large" "$WORK/large.ref" && same "$WORK/placed" "$WORK/small.ref"
}

# MODE: the consumer releases nothing for a while: what is lost is counted, then all is well again.
exhausted()
{
	topology_direct && server_start || return
	reference "$WORK/ref" 1 50 1000 || return
	load_start "$1" "take whole udp src port $PORT" --umem-size 4M --lanes 1 || return
	consumer_start hold || return
	talk "$WORK/got" 4 100 1000 || return
	kill -USR1 "${PIDS[consumer]}"
	sleep 0.3
	talk "$WORK/got" 1 50 1000 || return
	consumer_stop && audit && load_stop || return
	reported '.dropped == 400 - .room and .large == .room + 50 and .held == 0' &&
		reported '.fill_empty > 0 and .redirected == 450' || return
	tail -c 50000 "$WORK/large" >"$WORK/last"
	same "$WORK/last" "$WORK/ref"
}

# Nobody has opened sockets: placed by copying, and there for the consumer that comes.
no_consumer()
{
	topology_direct && server_start && reference "$WORK/ref" 5 100 1400 || return
	load_start native "take whole udp src port $PORT" --lanes 1 || return
	talk "$WORK/got" 5 100 1400 && consumer_start && consumer_stop && audit && load_stop || return
	reported '.large == 0 and .redirected == 0 and .placed == 500 and .no_socket == 500' &&
		same "$WORK/placed" "$WORK/ref"
}

# Sockets die with their process; the context goes on, and so does the next consumer.
killed()
{
	topology_direct && server_start && reference "$WORK/ref" 3 100 1400 || return
	in_ns client "$XDPLACE" load --pin "$CONTEXT" --frames xsk --lanes 1 \
		--rule "take whole udp src port $PORT" c0 >"$WORK/load.out" 2>&1 ||
		no "load: $(cat "$WORK/load.out")" || return
	consumer_start && talk "$WORK/got" 3 100 1400 || return
	stop consumer KILL
	same "$WORK/large" "$WORK/ref" || return
	talk "$WORK/got" 3 100 1400 && consumer_start && wait_for 5 cmp "$WORK/placed" "$WORK/ref" ||
		no "what came in between is not what was sent" || return
	talk "$WORK/got" 3 100 1400 && consumer_stop && audit || return
	reported '.large == 300 and .placed == 300 and .no_socket == 300' || return
	same "$WORK/large" "$WORK/ref" || return
	in_ns client "$XDPLACE" unload -n "$CONTEXT" >/dev/null || no "unload failed" || return
	has_program client c0 && no "program still on c0"
	return 0
}

# What the driver delivers in several buffers no socket takes.
jumbo()
{
	topology_direct 1 9000 && server_start && reference "$WORK/ref" 5 20 8000 || return
	load_start native "take whole udp src port $PORT" && consumer_start || return
	talk "$WORK/got" 5 20 8000 && consumer_stop && audit && load_stop || return
	reported '.large == 0 and .placed == 100 and .no_socket == 100 and .dropped == 0' || return
	same "$WORK/placed" "$WORK/ref"
}

# A socket for each queue, each with the consumer of the queue's lane.
queues()
{
	local port

	topology_direct 2 && server_start || return
	load_start native "take whole udp src port $PORT" --lanes 2 && consumer_start || return
	for port in 1 2 3 4 5 6 7 8; do
		LOCAL=$((41000 + port)) talk "$WORK/got" 1 100 1000
	done
	consumer_stop && audit && load_stop || return
	reported '.sockets == 2 and .large == 800 and .dropped == 0 and .no_socket == 0'
}

# A consumer that does not sleep makes no system call, but those that write its files.
busy()
{
	topology_direct && server_start && reference "$WORK/ref" 5 100 1400 || return
	load_start native "take whole udp src port $PORT" --lanes 1 && consumer_start busy || return
	spawn trace strace -f -qq -e 'trace=!write,?newfstatat,?fstat' -o "$WORK/trace" \
		-p "${PIDS[consumer]}"
	sleep 0.5
	talk "$WORK/got" 5 100 1400
	stop trace INT 5
	consumer_stop && load_stop || return
	reported '.large == 500 and .dropped == 0' && same "$WORK/large" "$WORK/ref" || return
	[ -f "$WORK/trace" ] || no "no trace: $(cat "$WORK/trace.err")" || return
	[ "$(grep -c '(' "$WORK/trace")" -eq 0 ] || no "system calls: $(head -n 5 "$WORK/trace")"
}

# What can not be had is said, and nothing is left behind.
refused()
{
	topology_direct || return
	spawn_in load client "$XDPLACE" load -n "$CONTEXT" c0
	wait_ready load 15 has_program client c0 || no "load: $(cat "$WORK/load.err")" || return
	in_ns client "$TOOLS/xsk_consumer" "$CONTEXT" "$WORK" 2>"$WORK/err" &&
		no "no sockets, no error" && return 1
	grep -q 'without frames_xsk' "$WORK/err" || no "it says $(cat "$WORK/err")" || return
	load_stop || return
	in_ns client "$XDPLACE" watch -n "$CONTEXT" --frames xsk --umem-size 1M --lanes 2 c0 \
		2>"$WORK/err" &&
		no "room for a handful of frames, and no error" && return 1
	grep -q 'make the UMEM larger' "$WORK/err" || no "it says $(cat "$WORK/err")" || return
	load_start native "take whole udp" --lanes 1 || return
	in_ns client capsh --drop=cap_net_raw -- -c "exec '$TOOLS/xsk_consumer' '$CONTEXT' '$WORK'" \
		2>"$WORK/err" && no "no CAP_NET_RAW, and no error" && return 1
	grep -q CAP_NET_RAW "$WORK/err" || no "it says $(cat "$WORK/err")" || return
	load_stop
}

# The packets of a tap rule are the stack's: never redirected, and no metadata left on them.
tapped()
{
	topology_direct && server_start && reference "$WORK/ref" 5 100 1400 || return
	load_start "$1" "tap whole udp src port $PORT" --lanes 1 && consumer_start || return
	talk "$WORK/got" 5 100 1400 && consumer_stop && audit && load_stop || return
	reported '.large == 0 and .placed == 500 and .no_socket == 0 and .redirected == 0' &&
		same "$WORK/got" "$WORK/ref" && same "$WORK/placed" "$WORK/ref"
}

watched()
{
	topology_direct && server_start && reference "$WORK/ref" 1 20 1400 || return
	spawn_in watch client "$XDPLACE" watch -n "$CONTEXT" --json --payload --bytes 2000 --count 20 \
		--frames xsk --rule "take whole udp src port $PORT" c0
	wait_ready watch 15 has_program client c0 || no "watch: $(cat "$WORK/watch.err")" || return
	sleep 0.5
	talk "$WORK/got" 1 20 1400 && wait_for 5 bash -c "! kill -0 ${PIDS[watch]}" ||
		no "watch does not end: $(tail -n 3 "$WORK/watch.out" "$WORK/watch.err")" || return
	stop watch TERM || no "watch: exit status $?: $(cat "$WORK/watch.err")" || return
	jq -r 'select(.reason == "redirected") | .payload[84:]' "$WORK/watch.out" |
		xxd -r -p >"$WORK/seen"
	same "$WORK/seen" "$WORK/ref"
}

setup
for mode in native skb; do
	run_case "xsk_frames_$mode" "R5 R6 R16" frames $mode
	run_case "xsk_exhausted_$mode" "R5 R16" exhausted $mode
	run_case "xsk_tap_$mode" "R16" tapped $mode
done
run_case xsk_no_consumer "R5 R16" no_consumer
run_case xsk_killed "R5 R16" killed
run_case xsk_jumbo "R5 R16" jumbo
run_case xsk_queues "R16 R17" queues
run_case xsk_watch "R16" watched
run_case xsk_refused "R5" refused
if command -v strace >/dev/null; then
	run_case xsk_busy "R16" busy
else
	skip xsk_busy "R16" "strace is not installed"
fi
