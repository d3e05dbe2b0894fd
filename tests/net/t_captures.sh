#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# seconds: 240
#
# Captures as others make them: overlaps and evasion, link types, forms of the file, offload. What
# `follow -r` makes of them is what was sent, and what tshark and tcpflow make of them where those
# agree.
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

# CAPTURE: into $WORK/streams
follow_capture()
{
	rm -rf "${WORK:?}/streams"
	"$XDPLACE" follow -r "$WORK/captures/$1.pcap" -o "$WORK/streams" --umem-size 64M --json \
		>"$WORK/report" 2>"$WORK/err" || no "follow -r $1.pcap: $(cat "$WORK/err")"
}

# CAPTURE EXPECTED PORT: the first stream of alice's port.
same_as_expected()
{
	local stream

	stream=$(find "$WORK/streams" -name "tcp_*_$3-*_80*" ! -name '*.2' 2>/dev/null | head -n 1)
	cmp "$WORK/captures/$2.expected" "${stream:-/none}" || no "$2: $(grep "_$3-" "$WORK/report")"
}

# CAPTURE: each case of it.
cases()
{
	local expected name port

	follow_capture "$1" || return
	for expected in "$WORK/captures/$1".*.expected; do
		name=$(basename "$expected" .expected)
		port=${name#*.}
		same_as_expected "$1" "$name" "${port%%.*}" || return
	done
}

# CAPTURE...: one conversation each.
captures()
{
	local name

	for name in "$@"; do
		follow_capture "$name" && same_as_expected "$name" "$name" 4711 || return
	done
}

# What the capture has of each packet, and nothing made up.
cut_short()
{
	follow_capture cut || return
	grep -q 'cut short' "$WORK/err" || no "it does not say so: $(cat "$WORK/err")" || return
	# 128 bytes of each frame, 54 of them headers; alice sends three segments.
	[ "$(cat "$WORK"/streams/tcp_10.0.0.1_4711-* | wc -c)" -eq $((3 * 74)) ] ||
		no "$(cat "$WORK/report")"
}

others()
{
	"$ROOT/scripts/compare-captures" -x "$XDPLACE" "$WORK/captures/cases.pcap" \
		"$WORK/captures/offload.pcap" "$WORK/captures/datagrams.pcap" >"$WORK/compared" ||
		no "$(cat "$WORK/compared")" || return
	grep -qE '^ +same +[1-9]' "$WORK/compared" || no "$(cat "$WORK/compared")" || return
	# Two families, two directions.
	grep -q 'datagrams.pcap: 4 same' "$WORK/compared" || no "$(cat "$WORK/compared")"
}

setup 268435456
"$TOOLS/make_captures" "$WORK/captures" || exit 1
run_case captures_cases "R12 R13 R18" cases cases
run_case captures_offload "R1 R18" cases offload
run_case captures_links "R18" captures link_ipv6 link_raw link_null_big link_sll_vlan link_sll2 \
	link_ppp_hdlc link_vlan_pppoe6 link_mpls link_snap link_three_tags link_nflog link_radiotap
run_case captures_forms "R18" captures form_nano_big form_ng_big
run_case captures_super "R18" captures super_tso6 super_big
run_case captures_cut "R18" cut_short
if command -v tshark >/dev/null && command -v tcpflow >/dev/null; then
	run_case captures_as_others "R18" others
else
	skip captures_as_others "R18" "tshark and tcpflow are not both there: apt-get install tshark tcpflow"
fi
