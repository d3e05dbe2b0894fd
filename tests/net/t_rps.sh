#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# seconds: 180
#
# Two CPUs on one flow: in generic mode RPS hands the packets of one queue to another CPU, and here
# to another one again and again while they are still being worked on. No byte is placed twice or
# wrong, no area gets lost.
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

PORT=8080
FETCHES=4

# Both CPUs, then each alone, for as long as the test runs. sysfs shows the namespace's own
# interfaces only to those who enter it the way ip does.
flip_cpus()
{
	# shellcheck disable=SC2016  # the inner shell expands it
	spawn flip ip netns exec "$PREFIX-client" bash -c '
		while :; do
			for mask in 1 2 3; do
				echo $mask >/sys/class/net/c0/queues/rx-0/rps_cpus || exit
				sleep 0.02
			done
		done'
}

# Packets that each CPU was handed by another one.
handed_over()
{
	awk '{print $10}' /proc/net/softnet_stat | tr '\n' ' '
}

# FAMILY
download()
{
	local i before

	topology_direct && http_start $PORT || return
	spawn_in load client "$XDPLACE" load -n "$CONTEXT" -m skb --rule "tap tcp src port $PORT" \
		"${FOLLOW_OPTIONS[@]}" c0
	wait_ready load 15 has_program client c0 || no "load: $(cat "$WORK/load.err")" || return
	rm -rf "${WORK:?}/f"
	mkdir "$WORK/f"
	spawn_in f client "$XDPLACE" follow -n "$CONTEXT" -o "$WORK/f" --json
	flip_cpus
	before=$(handed_over)
	for ((i = 0; i < FETCHES; i++)); do
		spawn_in "fetch$i" client curl -sS -i -m $((40 * SLOW)) --local-port $((40010 + i)) --limit-rate 25M \
			-o "$WORK/got$i" "http://$(bracketed "$1"):$PORT/f"
	done
	for ((i = 0; i < FETCHES; i++)); do
		wait "${PIDS[fetch$i]}" || no "curl: $(cat "$WORK/fetch$i.err")" || return
		unset "PIDS[fetch$i]"
	done
	runs flip || no "RPS can not be set: $(cat "$WORK/flip.err")" || return
	stop flip
	[ "$(handed_over)" != "$before" ] || no "RPS has handed nothing over" || return
	wait_for 15 all_reported
	in_ns client "$XDPLACE" area audit -n "$CONTEXT" >"$WORK/audit" 2>&1 ||
		no "audit: $(tail -n 3 "$WORK/audit")" || return
	stop f INT || no "follow: exit status $?: $(cat "$WORK/f.err")" || return
	no_gaps f || return
	for ((i = 0; i < FETCHES; i++)); do
		"$TOOLS/same" -b "$WORK/got$i" "$WORK/www/f" || return
		"$TOOLS/same" "$WORK/f/tcp_$(server_of "$1")_$PORT-$(client_of "$1")_$((40010 + i))" \
			"$WORK/got$i" || return
	done
	stop load INT || no "load: exit status $?"
}

all_reported()
{
	[ "$(jq -s length "$WORK/f.out")" -eq $FETCHES ]
}

setup 805306368
if [ "$(nproc)" -lt 2 ]; then
	skip rps_ipv4 "R17" "one CPU only"
	exit 0
fi
make_file "$WORK/www/f" 60000000 1
run_case rps_ipv4 "R3 R12 R17" download 4
run_case rps_ipv6 "R3 R12 R17" download 6
