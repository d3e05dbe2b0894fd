#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# seconds: 300
#
# Downloads over HTTP: one of 1 GiB, and 200 at once of all sizes around a segment and an area.
# In: veth, nginx, curl. Out: every stream that was placed has the hash of the file that was sent,
# and curl, on the kernel's own connection, got the same.
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

PORT=8080
PARALLEL=200
SIZES=(0 1 2 100 1000 1200 1447 1448 1449 1460 2895 2896 2897 4095 4096 4097 8191 8192 8193
	10000 20000 30001 65535 65536 65537 100000 131072 200001 262143 262145 300000 400001
	500000 524288 600001 700000 800001 1048575 1048577 3000000)

sha256()
{
	openssl dgst -sha256 -r "$@" | cut -d ' ' -f 1
}

# MODE FAMILY FILE
single()
{
	local key delivered placed file=$WORK/www/$3 header

	topology_direct && http_start $PORT || return
	follow_start f client c0 "$1" "tap tcp src port $PORT" || return
	# A tap does not slow the sender down: leave the consumer a chance on a small machine.
	delivered=$(in_ns client curl -sS --local-port 40001 -m $((60 * SLOW)) --limit-rate 100M \
		"http://$(bracketed "$2"):$PORT/$3" | sha256)
	follow_stop f client c0 || return
	[ "$delivered" = "${HASH[$3]}" ] || no "curl's own copy differs" || return
	key=tcp_$(server_of "$2")_$PORT-$(client_of "$2")_40001
	[ -s "$WORK/f/$key" ] || no "no stream $key, there is: $(ls "$WORK/f")" || return
	no_gaps f || return
	header=$(($(size_of "$WORK/f/$key") - $(size_of "$file")))
	[ "$header" -gt 0 ] || no "$((-header)) bytes and the header are missing" || return
	placed=$(tail -c "+$((header + 1))" "$WORK/f/$key" | sha256)
	[ "$placed" = "${HASH[$3]}" ] || "$TOOLS/same" -b "$WORK/f/$key" "$file"
}

# Which file a response is of, it says itself.
file_of()
{
	head -c 1024 "$1" | tr -d '\0' | sed -n 's/^X-File: \([^\r]*\)\r*$/\1/p' | head -n 1
}

# MODE FAMILY
parallel()
{
	local i stream file count=0

	topology_direct && http_start $PORT || return
	follow_start f client c0 "$1" "tap tcp src port $PORT" || return
	for ((i = 0; i < PARALLEL; i++)); do
		file=${SIZES[i % ${#SIZES[@]}]}
		printf 'url = "http://%s:%d/%s"\noutput = "%s"\n' "$(bracketed "$2")" $PORT \
			"m$file" "$WORK/got/$i"
	done >"$WORK/urls"
	rm -rf "${WORK:?}/got"
	mkdir "$WORK/got"
	in_ns client curl -sS --no-progress-meter -m $((60 * SLOW)) -Z --parallel-max $PARALLEL --parallel-immediate \
		-K "$WORK/urls" || no "curl failed" || return
	follow_stop f client c0 || return
	for ((i = 0; i < PARALLEL; i++)); do
		file=$WORK/www/m${SIZES[i % ${#SIZES[@]}]}
		[ -e "$WORK/got/$i" ] || : >"$WORK/got/$i" # curl makes none for an empty body
		cmp "$WORK/got/$i" "$file" || no "curl's own copy differs" || return
	done
	no_gaps f || return
	for stream in "$WORK"/f/tcp_*; do
		file=$(file_of "$stream")
		[ -n "$file" ] || no "$stream is no response" || return
		"$TOOLS/same" -b "$stream" "$WORK/www$file" || return
		count=$((count + 1))
	done
	[ $count -eq $PARALLEL ] || no "$count streams for $PARALLEL connections" || return
	[ "$(jq -s length "$WORK/f.out")" -eq $PARALLEL ] ||
		no "$(jq -s length "$WORK/f.out") flows reported"
}

setup 3221225472
declare -A HASH
make_file "$WORK/www/big" $((1 << 30)) 1
make_file "$WORK/www/middle" $((1 << 27)) 2
for size in "${SIZES[@]}"; do
	make_file "$WORK/www/m$size" "$size" "$((size + 3))"
done
for name in big middle; do
	HASH[$name]=$(sha256 "$WORK/www/$name")
done
ids="R2 R3 R4 R11 R16"
run_case download_1gib_native_ipv4 "$ids" single native 4 big
run_case download_1gib_skb_ipv6 "$ids" single skb 6 big
run_case download_native_ipv6 "$ids" single native 6 middle
run_case download_skb_ipv4 "$ids" single skb 4 middle
for mode in native skb; do
	for family in 4 6; do
		run_case "parallel_200_${mode}_ipv$family" "$ids" parallel $mode $family
	done
done
