#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# seconds: 180
#
# Frames of 9000 bytes, which reach the program in fragments: placed like small ones, two or three
# areas each, also when some get lost or damaged.
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

PORT=8080
UDP_PORT=9000

# Packets really were large: bytes per packet that c0 has received.
were_large()
{
	ip -n "$PREFIX-client" -j -s link show c0 |
		jq -e '.[0].stats64.rx | .bytes / .packets > 4000' >/dev/null ||
		no "no large packets arrived, this shows nothing"
}

# MODE FAMILY FILE
download()
{
	local key

	http_start $PORT && follow_start f client c0 "$1" "tap tcp src port $PORT" || return
	in_ns client curl -sS -i -m $((40 * SLOW)) --local-port 40001 -o "$WORK/got" \
		"http://$(bracketed "$2"):$PORT/$3" || no "curl failed" || return
	follow_stop f client c0 && were_large || return
	"$TOOLS/same" -b "$WORK/got" "$WORK/www/$3" || no "curl's own copy differs" || return
	key=tcp_$(server_of "$2")_$PORT-$(client_of "$2")_40001
	no_gaps f && "$TOOLS/same" "$WORK/f/$key" "$WORK/got"
}

clean_path()
{
	topology_direct 1 9000 && download "$1" "$2" large
}

faulty_path()
{
	topology_path 9000 && injector_start --seed 31 --loss 2 --reorder 2 --duplicate 2 --corrupt 2 &&
		download "$1" "$2" small && injector_stop && injector_did lost reordered corrupted
}

datagrams()
{
	topology_direct 1 9000 || return
	spawn_in talk server "$TOOLS/udp_talk" server "$(server_of "$2")" $UDP_PORT
	wait_ready talk 5 grep -q ready "$WORK/talk.out" || no "no server" || return
	follow_start f client c0 "$1" "tap udp src port $UDP_PORT" || return
	in_ns client "$TOOLS/udp_talk" client "$(server_of "$2")" $UDP_PORT 40002 "$WORK/got" \
		50 50 8900 2000 >"$WORK/talk.json" || no "the exchange failed" || return
	follow_stop f client c0 || return
	jq -e '.received == .asked' "$WORK/talk.json" >/dev/null || no "datagrams are missing" || return
	"$TOOLS/same" "$WORK/f/udp_$(server_of "$2")_$UDP_PORT-$(client_of "$2")_40002" "$WORK/got"
}

setup 805306368
make_file "$WORK/www/large" $((1 << 28)) 1
make_file "$WORK/www/small" 12000000 2
run_case jumbo_native_ipv4 "R1 R11" clean_path native 4
run_case jumbo_skb_ipv6 "R1 R11" clean_path skb 6
run_case jumbo_faults_native_ipv6 "R1 R11 R12" faulty_path native 6
run_case jumbo_faults_skb_ipv4 "R1 R11 R12" faulty_path skb 4
run_case jumbo_udp_native_ipv4 "R15" datagrams native 4
run_case jumbo_udp_skb_ipv6 "R15" datagrams skb 6
