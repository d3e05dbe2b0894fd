#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# seconds: 300
#
# A path that loses, reorders, repeats and damages packets, both ways. What the kernel's TCP and UDP
# delivered and what was placed are the same bytes; where a consumer was too slow, a gap of exactly
# the missing bytes is reported.
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

PORT=8080
UDP_PORT=9000
UDP_LOCAL=40003
CONNECTIONS=12

# FAULTS as options of the injector, SEED; the fault kinds that must have happened stand in KINDS.
faulty_path()
{
	local fault rate=$1 options=()

	for fault in $KINDS; do
		options+=("--$fault" "$rate")
	done
	injector_start --seed "$2" "${options[@]}"
}

kinds_happened()
{
	local kind names=()

	for kind in $KINDS; do
		case $kind in
		loss) names+=(lost) ;;
		reorder) names+=(reordered) ;;
		duplicate) names+=(duplicated) ;;
		corrupt) names+=(corrupted) ;;
		esac
	done
	injector_did "${names[@]}"
}

# FAMILY: several downloads at once; what curl was delivered, header and all, is in $WORK/got/N,
# the connections' own ports in $WORK/ports.
fetch_all()
{
	local i

	rm -rf "${WORK:?}/got"
	mkdir "$WORK/got"
	for ((i = 0; i < CONNECTIONS; i++)); do
		printf 'url = "http://%s:%d/%s"\noutput = "%s"\n' "$(bracketed "$1")" $PORT \
			"f$((i % 4))" "$WORK/got/$i"
	done >"$WORK/urls"
	in_ns client curl -sS --no-progress-meter -i -m $((40 * SLOW)) -Z --parallel-max $CONNECTIONS --parallel-immediate \
		-w '%{filename_effective} %{local_port}\n' -K "$WORK/urls" >"$WORK/ports" ||
		no "curl failed"
}

files_arrived()
{
	local i

	for ((i = 0; i < CONNECTIONS; i++)); do
		"$TOOLS/same" -b "$WORK/got/$i" "$WORK/www/f$((i % 4))" ||
			no "the kernel's own connection was disturbed" || return
	done
}

# MODE FAMILY RATE SEED KINDS...
downloads()
{
	local mode=$1 family=$2 rate=$3 seed=$4 got port
	KINDS=${*:5}

	topology_path && http_start $PORT || return
	faulty_path "$rate" "$seed" && follow_start f client c0 "$mode" "tap tcp src port $PORT" || return
	fetch_all "$family" || return
	follow_stop f client c0 && injector_stop && kinds_happened && files_arrived || return
	while read -r got port; do
		same_or_gap f "tcp_$(server_of "$family")_$PORT-$(client_of "$family")_$port" "$got" ||
			return
	done <"$WORK/ports"
	# Nothing was overrun, so nothing has to be missing.
	no_gaps f || return
	[ "$(wc -l <"$WORK/ports")" -eq $CONNECTIONS ] || no "curl names too few ports" || return
	# A packet with a damaged port is no flow of its own.
	[ "$(jq -s length "$WORK/f.out")" -eq $CONNECTIONS ] ||
		no "$(jq -s length "$WORK/f.out") flows for $CONNECTIONS connections"
}

# MODE FAMILY RATE SEED KINDS...: UDP as it came, in the order in which it came.
datagrams()
{
	local mode=$1 family=$2 rate=$3 seed=$4
	KINDS=${*:5}

	topology_path && faulty_path "$rate" "$seed" || return
	spawn_in talk server "$TOOLS/udp_talk" server "$(server_of "$family")" $UDP_PORT
	wait_ready talk 5 grep -q ready "$WORK/talk.out" || no "no server" || return
	follow_start f client c0 "$mode" "tap udp src port $UDP_PORT" || return
	in_ns client "$TOOLS/udp_talk" client "$(server_of "$family")" $UDP_PORT $UDP_LOCAL \
		"$WORK/talked" 40 100 0 60 >"$WORK/talk.json" || no "the exchange failed" || return
	follow_stop f client c0 && injector_stop && kinds_happened || return
	jq -e '.wrong == 0 and .received > 2000' "$WORK/talk.json" >/dev/null ||
		no "the kernel delivered: $(cat "$WORK/talk.json")" || return
	no_gaps f || return
	"$TOOLS/same" "$WORK/f/udp_$(server_of "$family")_$UDP_PORT-$(client_of "$family")_$UDP_LOCAL" \
		"$WORK/talked"
}

# The same seed deals out the same fate: who received what is equal, twice.
reproducible()
{
	local round

	KINDS="loss reorder duplicate corrupt"
	for round in 1 2; do
		topology_path && injector_start --seed 77 --hold-us 10000000 --loss 3 --reorder 3 \
			--duplicate 3 --corrupt 3 || return
		spawn_in talk server "$TOOLS/udp_talk" server $SERVER4 $UDP_PORT
		wait_ready talk 5 grep -q ready "$WORK/talk.out" || no "no server" || return
		in_ns client "$TOOLS/udp_talk" client $SERVER4 $UDP_PORT $UDP_LOCAL \
			"$WORK/got$round" 6 300 0 250 >/dev/null || no "the exchange failed" || return
		injector_stop && kinds_happened || return
	done
	"$TOOLS/same" "$WORK/got1" "$WORK/got2"
}

# MODE: a consumer that stops for a while, with little memory: its bytes are missing, no others,
# and when it goes on, so does the placement.
stalled()
{
	local key first

	topology_direct && http_start $PORT || return
	follow_start f client c0 "$1" "tap tcp src port $PORT" --umem-size 16M --ring 4096 \
		--hole-age 1s || return
	spawn_in fetch client curl -sS -i -m $((40 * SLOW)) --local-port 40004 --limit-rate 30M \
		-o "$WORK/got0" "http://$SERVER4:$PORT/large"
	sleep 0.5
	kill -STOP "${PIDS[f]}"
	sleep 1
	kill -CONT "${PIDS[f]}"
	wait "${PIDS[fetch]}" || no "curl: $(cat "$WORK/fetch.err")" || return
	unset "PIDS[fetch]"
	follow_stop f client c0 || return
	"$TOOLS/same" -b "$WORK/got0" "$WORK/www/large" || return
	key=tcp_${SERVER4}_$PORT-${CLIENT4}_40004
	[ -n "$(gaps_of f "$key")" ] || no "no gap, though the consumer stood still" || return
	# Overrun again at its very end, a stream is not "finished", and what it has is the beginning.
	if [ "$(flow_report f "$key" .reason)" != finished ]; then
		truncate -s "$(flow_report f "$key" '.bytes + ([.gaps[].length] | add)')" "$WORK/got0"
	fi
	same_or_gap f "$key" "$WORK/got0" || return
	first=$(gaps_of f "$key" | head -n 1)
	[ $(($(size_of "$WORK/f/$key") - ${first%:*})) -gt 1000000 ] ||
		no "hardly anything was placed after the first gap, $first" || return
	grep -q 'ring_full\|no_area' "$WORK/f.err" || no "follow does not say why: $(cat "$WORK/f.err")"
}

setup 805306368
make_file "$WORK/www/f0" 700000 1
make_file "$WORK/www/f1" 1000001 2
make_file "$WORK/www/f2" 300 3
make_file "$WORK/www/f3" 300007 4
make_file "$WORK/www/large" 100000000 5
run_case injector_reproducible - reproducible
ids="R3 R4 R11 R12 R16"
run_case faults_loss_native_ipv4 "$ids" downloads native 4 5 11 loss
run_case faults_loss_skb_ipv6 "$ids" downloads skb 6 5 12 loss
run_case faults_reorder_native_ipv6 "$ids" downloads native 6 5 13 reorder
run_case faults_reorder_skb_ipv4 "$ids" downloads skb 4 5 14 reorder
run_case faults_duplicate_native_ipv4 "$ids" downloads native 4 5 15 duplicate
run_case faults_duplicate_skb_ipv6 "$ids" downloads skb 6 5 16 duplicate
run_case faults_corrupt_native_ipv6 "R1 $ids" downloads native 6 5 17 corrupt
run_case faults_corrupt_skb_ipv4 "R1 $ids" downloads skb 4 5 18 corrupt
run_case faults_all_native_ipv4 "R1 $ids" downloads native 4 2 19 loss reorder duplicate corrupt
run_case faults_all_skb_ipv6 "R1 $ids" downloads skb 6 2 20 loss reorder duplicate corrupt
run_case faults_udp_native_ipv4 "R1 R15 R16" datagrams native 4 5 21 loss reorder duplicate corrupt
run_case faults_udp_skb_ipv6 "R1 R15 R16" datagrams skb 6 5 22 loss reorder duplicate corrupt
run_case consumer_stalled_native "R8 R12 R13" stalled native
run_case consumer_stalled_skb "R8 R12 R13" stalled skb
