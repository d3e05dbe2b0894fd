#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# seconds: 120
#
# RTP through a path that loses, reorders and repeats: what follow writes is what was sent, in media
# order, without exactly those packets that it reports as missing.
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

PORT=5004
LOCAL=40004
SEQUENCE=64000 # wraps on the way
COUNT=3000

send()
{
	in_ns server "$TOOLS/rtp_talk" send "$(client_of "$1")" $PORT $LOCAL $SEQUENCE "$2" "$3" ||
		no "sending failed"
}

key_of()
{
	echo "rtp_$(server_of "$1")_$LOCAL-$(client_of "$1")_$PORT"
}

# NAME KEY COUNT: the file is the stream without what the report calls missing.
media_order()
{
	local first packets lost

	mapfile -t missing < <(flow_report "$1" "$2" '.rtp.missing[] | "\(.first):\(.count)"')
	first=$(flow_report "$1" "$2" .rtp.first)
	packets=$(flow_report "$1" "$2" .rtp.packets)
	lost=$(flow_report "$1" "$2" .rtp.lost)
	[ "$first" = $SEQUENCE ] || no "the stream begins with '$first': $(head -c 300 "$WORK/$1.out")" || return
	[ $((packets + lost)) -eq "$3" ] || no "$packets packets and $lost lost are not $3" || return
	"$TOOLS/rtp_talk" check "$WORK/$1/$2" $SEQUENCE "$3" "${missing[@]}"
}

# MODE FAMILY FAULT...
follow_faulty()
{
	local mode=$1 family=$2 faults=() names=() fault

	shift 2
	for fault in "$@"; do
		faults+=("--$fault" 5)
		case $fault in
		loss) names+=(lost) ;;
		reorder) names+=(reordered) ;;
		*) names+=("${fault}d") ;;
		esac
	done
	topology_path && injector_start --seed 42 --hold-us 20000 "${faults[@]}" || return
	follow_start f client c0 "$mode" "take udp dst port $PORT rtp slot 2048 deadline 60" || return
	send "$family" $COUNT 300 || return
	sleep 0.3
	follow_stop f client c0 && injector_stop && injector_did "${names[@]}" || return
	media_order f "$(key_of "$family")" $COUNT || return
	[ "$1" != loss ] || [ "$(flow_report f "$(key_of "$family")" .rtp.lost)" -gt 0 ] ||
		no "packets were lost, none is missing"
}

# In order and complete: nothing is missing, and the flow says so.
complete()
{
	topology_direct || return
	# On a busy machine a wire may hold a packet up for longer than a deadline of 50 ms.
	follow_start f client c0 "$1" "take rtp dst port $PORT deadline 2000" || return
	send "$2" 500 200 || return
	sleep 0.2
	follow_stop f client c0 || return
	media_order f "$(key_of "$2")" 500 || return
	[ "$(flow_report f "$(key_of "$2")" .rtp.lost)" = 0 ] || no "packets are missing on a wire without loss"
}

# The example writes the media, and names what is missing.
example()
{
	topology_direct || return
	spawn_in example client "$BUILD/examples/rtp" c0 "rtp dst port $PORT deadline 2000"
	wait_ready example 15 has_program client c0 || no "rtp: $(cat "$WORK/example.err")" || return
	send 4 300 200 || return
	sleep 0.2
	stop example INT || no "rtp: exit status $?: $(cat "$WORK/example.err")" || return
	grep -q '^missing' "$WORK/example.err" && no "$(cat "$WORK/example.err")" && return 1
	[ "$(grep -c '^marker' "$WORK/example.err")" -eq 10 ] ||
		no "not 10 markers: $(head -n 3 "$WORK/example.err")" || return
	"$TOOLS/rtp_talk" check "$WORK/example.out" $SEQUENCE 300
}

# A sender that we have not written, over a path that reorders: what it sent is what was placed.
gstreamer()
{
	topology_path && injector_start --seed 11 --hold-us 20000 --reorder 5 || return
	follow_start f client c0 native "take rtp dst port $PORT slot 2048 deadline 2000" || return
	# The samples of L16 are its payload, in network byte order.
	in_ns server timeout 60 gst-launch-1.0 -q audiotestsrc num-buffers=400 is-live=true wave=white-noise \
		! audio/x-raw,format=S16BE,rate=48000,channels=2,layout=interleaved ! tee name=t \
		t. ! queue ! filesink location="$WORK/sent" \
		t. ! queue ! rtpL16pay ! udpsink host="$CLIENT4" port=$PORT bind-port=$LOCAL \
		>"$WORK/gst" 2>&1 || no "gst-launch: $(tail -n 3 "$WORK/gst")" || return
	sleep 0.3
	follow_stop f client c0 && injector_stop || return
	[ "$(flow_report f "$(key_of 4)" .rtp.lost)" = 0 ] ||
		no "packets are missing: $(head -c 300 "$WORK/f.out")" || return
	head -c "$(size_of "$WORK/f/$(key_of 4)")" "$WORK/sent" | cmp - "$WORK/f/$(key_of 4)" || return
	# What does not fill a packet at the end is not sent.
	[ $(($(size_of "$WORK/sent") - $(size_of "$WORK/f/$(key_of 4)"))) -lt 1500 ] ||
		no "$(size_of "$WORK/f/$(key_of 4)") bytes placed of $(size_of "$WORK/sent")"
}

setup
run_case rtp_complete_native "R15" complete native 4
run_case rtp_complete_skb_ipv6 "R15" complete skb 6
run_case rtp_loss_native "R13 R15" follow_faulty native 4 loss
run_case rtp_reorder_native_ipv6 "R12 R15" follow_faulty native 6 reorder
run_case rtp_all_faults_skb "R12 R13 R15" follow_faulty skb 4 loss reorder duplicate
run_case rtp_example "R15" example
if command -v gst-launch-1.0 >/dev/null && gst-inspect-1.0 rtpL16pay >/dev/null 2>&1; then
	run_case rtp_gstreamer "R12 R15" gstreamer
else
	skip rtp_gstreamer "R12 R15" "needs gst-launch-1.0 and GStreamer's plugins 'good'"
fi
