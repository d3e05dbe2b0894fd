#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# seconds: 180
#
# The same packets, live and from a capture file: the streams that `follow` places from the wire and
# those that the same program places from tcpdump's file, by BPF_PROG_TEST_RUN, are the same files.
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

PORT=8080
CONNECTIONS=6

dump_start()
{
	spawn_in dump client tcpdump -i c0 -w "$WORK/c0.pcap" -s 0 -B 65536 -Z root -U \
		--immediate-mode "tcp port $PORT"
	wait_ready dump 10 grep -q 'listening on' "$WORK/dump.err" ||
		no "tcpdump: $(cat "$WORK/dump.err")"
}

# tcpdump has seen what it was told to see: no packet is missing in the file.
dump_stop()
{
	local before=-1 now=0

	while [ "$before" -ne "$now" ]; do
		before=$now
		sleep 0.5
		now=$(size_of "$WORK/c0.pcap")
	done
	stop dump INT
	grep -q '^0 packets dropped by kernel' "$WORK/dump.err" ||
		no "tcpdump dropped packets: $(grep dropped "$WORK/dump.err")"
}

fetch_all()
{
	local i

	rm -rf "${WORK:?}/got"
	mkdir "$WORK/got"
	for ((i = 0; i < CONNECTIONS; i++)); do
		printf 'url = "http://%s:%d/f%d"\noutput = "%s"\n' "$(bracketed "$1")" $PORT \
			$((i % 2)) "$WORK/got/$i"
	done >"$WORK/urls"
	in_ns client curl -sS --no-progress-meter -i -m $((30 * SLOW)) -Z --parallel-max $CONNECTIONS \
		--parallel-immediate -w '%{filename_effective} %{local_port}\n' -K "$WORK/urls" \
		>"$WORK/ports" || no "curl failed"
}

# MODE FAMILY
live_and_read()
{
	local got port key

	topology_path && http_start $PORT || return
	injector_start --seed 41 --loss 2 --reorder 3 --duplicate 2 --corrupt 2 && dump_start || return
	follow_start f client c0 "$1" "tap tcp src port $PORT" || return
	fetch_all "$2" || return
	follow_stop f client c0 && dump_stop && injector_stop && injector_did lost corrupted || return
	rm -rf "${WORK:?}/read"
	"$XDPLACE" follow -r "$WORK/c0.pcap" -o "$WORK/read" --json >"$WORK/read.out" \
		2>"$WORK/read.err" || no "follow -r: $(cat "$WORK/read.err")" || return
	while read -r got port; do
		key=tcp_$(server_of "$2")_$PORT-$(client_of "$2")_$port
		"$TOOLS/same" "$WORK/f/$key" "$got" && "$TOOLS/same" "$WORK/read/$key" "$got" || return
		# The other direction, which only the capture has: the request.
		key=tcp_$(client_of "$2")_$port-$(server_of "$2")_$PORT
		grep -q '^GET /f' "$WORK/read/$key" || no "$key is no request" || return
	done <"$WORK/ports"
	[ "$(find "$WORK/read" -type f | wc -l)" -eq $((2 * CONNECTIONS)) ] ||
		no "$(find "$WORK/read" -type f | wc -l) files of $CONNECTIONS connections"
}

# The same file twice, from standard input as well: the same result to the byte.
repeatable()
{
	local round

	for round in 1 2; do
		rm -rf "${WORK:?}/read$round"
		"$XDPLACE" follow -r - -o "$WORK/read$round" --json <"$WORK/c0.pcap" |
			sort >"$WORK/report$round" || no "follow -r - failed" || return
	done
	diff -r "$WORK/read1" "$WORK/read2" && diff "$WORK/report1" "$WORK/report2"
}

# A rule selects from a capture as it does from a wire.
rule_selects()
{
	rm -rf "${WORK:?}/read"
	"$XDPLACE" follow -r "$WORK/c0.pcap" -o "$WORK/read" --rule "tap tcp dst port $PORT" \
		>"$WORK/read.out" || no "follow -r failed" || return
	[ "$(find "$WORK/read" -type f | wc -l)" -eq $CONNECTIONS ] ||
		no "$(find "$WORK/read" -type f | wc -l) files of $CONNECTIONS requests"
}

setup 268435456
make_file "$WORK/www/f0" 3000000 1
make_file "$WORK/www/f1" 1000 2
run_case capture_native_ipv4 "R12 R18" live_and_read native 4
run_case capture_repeatable "R18" repeatable
run_case capture_rule_selects "R16 R18" rule_selects
run_case capture_skb_ipv6 "R12 R18" live_and_read skb 6
