#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# seconds: 180
#
# A connection with an area of its own, named before it opens: its data lie there, contiguous, from
# the first byte on, whatever the path does to the packets; what is beyond the area goes on elsewhere.
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

PORT=8080
LOCAL=40001
UMEM=$((64 << 20))
OWN=$((2 << 20))
AREA=4096

# The first BYTES of the own area, area by area.
dump_own()
{
	local area first=$(((UMEM - OWN) / AREA)) areas=$((($1 + AREA - 1) / AREA))

	for ((area = first; area < first + areas; area++)); do
		in_ns client "$XDPLACE" area dump $area -n "$CONTEXT" -w - || return
	done | head -c "$1"
}

# MODE FILE LENGTH: length of the own area
own()
{
	local key="tcp $SERVER4:$PORT > $CLIENT4:$LOCAL" bytes

	topology_path && http_start $PORT || return
	injector_start --seed 51 --loss 2 --reorder 5 --duplicate 2 --corrupt 2 || return
	spawn_in load client "$XDPLACE" load -n "$CONTEXT" -m "$1" --umem-size $UMEM --own-size $OWN \
		--lanes 2 --ring 16384 c0
	wait_ready load 15 has_program client c0 || no "load: $(cat "$WORK/load.err")" || return
	in_ns client "$XDPLACE" flow add "$key" --own-address $((UMEM - OWN)) --own-length "$3" \
		-n "$CONTEXT" >/dev/null || no "flow add failed" || return
	rm -rf "${WORK:?}/f"
	mkdir "$WORK/f"
	spawn_in f client "$XDPLACE" follow -n "$CONTEXT" -o "$WORK/f" --json
	in_ns client curl -sS -i -m $((20 * SLOW)) --local-port $LOCAL -o "$WORK/got" \
		"http://$SERVER4:$PORT/$2" || no "curl failed" || return
	wait_for 10 test -s "$WORK/f.out"
	stop f INT || no "follow: exit status $?: $(cat "$WORK/f.err")" || return
	injector_stop && injector_did reordered || return
	"$TOOLS/same" "$WORK/f/tcp_${SERVER4}_$PORT-${CLIENT4}_$LOCAL" "$WORK/got" || return
	bytes=$(size_of "$WORK/got")
	[ "$bytes" -le "$3" ] || bytes=$3
	dump_own "$bytes" >"$WORK/own" || no "area dump failed" || return
	cmp "$WORK/own" <(head -c "$bytes" "$WORK/got") || return
	in_ns client "$XDPLACE" area audit -n "$CONTEXT" >"$WORK/audit" 2>&1 ||
		no "audit: $(tail -n 3 "$WORK/audit")" || return
	stop load INT || no "load: exit status $?"
}

setup 268435456
make_file "$WORK/www/small" 240000 1
make_file "$WORK/www/large" 5000000 2
run_case own_area_native "R10 R12" own native small $((256 << 10))
run_case own_area_skb "R10 R12" own skb small $((256 << 10))
run_case own_area_too_short "R10 R12" own native large $((128 << 10))
