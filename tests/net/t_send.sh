#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# seconds: 600
#
# xdplace send, by each engine: what kernel sockets, programs of others and `xdplace follow` get at
# the other end of a veth is what was sent; what is on the wire is right; streams keep their rate;
# payload costs no CPU time in user space.
#
# SIZE=10G scripts/check.sh t_send: so many bytes through `follow`, by each engine, at RATE bits a
# second [800000000]; a minute or two each. Without: 32 MiB, as fast as it goes.
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

SIZE=$(numfmt --from=iec "${SIZE:-32M}") || exit 1
RATE=${RATE:-800000000}
PORT=5004
DESTINATIONS=8
CODE=0 # of the last send

# What the server sends the client gets: by XDP, so that its own end has to be able to.
wire()
{
	topology_direct 1 "${1:-1500}" && in_ns client ethtool -K c0 gro on >/dev/null || return
	in_ns client sysctl -qw net.ipv4.icmp_ratemask=8 # nobody there is not worth a word
}

# ARG...: its document is in $WORK/sent.json.
send()
{
	in_ns server timeout $((SLOW * 300)) "$XDPLACE" send "$@" --json >"$WORK/sent.json" 2>"$WORK/send.err"
	CODE=$?
}

# ARG...: and all of it went out.
send_all()
{
	send "$@"
	[ "$CODE" -eq 0 ] || no "send: exit code $CODE: $(tail -n 3 "$WORK/send.err")" || return
	said '.refused == 0 and .unsent == 0 and (.interrupted | not)'
}

# FILTER: true of the document.
said()
{
	jq -e "$1" "$WORK/sent.json" >/dev/null || no "not '$1': $(jq -c . "$WORK/sent.json" | head -c 500)"
}

arrived()
{
	[ "$(size_of "$1")" -ge "$2" ]
}

# FILE WANTED: once all bytes are there.
same_file()
{
	wait_for 10 arrived "$1" "$(size_of "$2")"
	cmp "$1" "$2" || no "$(size_of "$1") bytes came of $(size_of "$2")"
}

# ---- sockets ----

# NAME ADDRESS_FAMILY PORT: a kernel socket; its buffer holds what it is too slow for.
receiver()
{
	spawn_in "$1" client socat -u "UDP$2-RECV:$3,setsockopt-listen=1:33:i67108864" "OPEN:$WORK/$1.got,creat,trunc"
	wait_ready "$1" 10 bound "$3" || no "socat: $(cat "$WORK/$1.err")"
}

bound()
{
	in_ns client ss -Hlun "sport = :$1" | grep -q .
}

# ENGINE: two receivers, a memory that the input fits into twenty times.
sockets()
{
	wire && make_file "$WORK/input" 5000001 1 && receiver four 4 $PORT && receiver six 6 5006 || return
	send_all "$WORK/input" --to "$CLIENT4:$PORT" --to "[$CLIENT6]:5006" --engine "$1" \
		--rate 40M --memory 256K || return
	same_file "$WORK/four.got" "$WORK/input" && same_file "$WORK/six.got" "$WORK/input"
}

# Standard input, that comes in pieces; several times; to a file of destinations.
piped()
{
	wire && make_file "$WORK/input" 300001 2 && receiver got 4 $PORT || return
	{
		head -c 100000 "$WORK/input"
		sleep 0.3
		tail -c +100001 "$WORK/input"
	} | in_ns server "$XDPLACE" send --to "$CLIENT4:$PORT" --engine "$1" >/dev/null 2>"$WORK/send.err" ||
		no "send: $(cat "$WORK/send.err")" || return
	same_file "$WORK/got.got" "$WORK/input"
}

looped()
{
	wire && make_file "$WORK/input" 50001 3 && make_file "$WORK/second" 20000 4 &&
		receiver got 4 $PORT || return
	echo "$CLIENT4:$PORT # the only one" >"$WORK/list"
	send_all "$WORK/input" "$WORK/second" --to-file "$WORK/list" --engine "$1" --loop 3 --rate 20M || return
	cat "$WORK/input" "$WORK/second" "$WORK/input" "$WORK/second" "$WORK/input" "$WORK/second" >"$WORK/want"
	same_file "$WORK/got.got" "$WORK/want"
}

example()
{
	local full

	wire && make_file "$WORK/input" $((188 * 5000)) 5 && capture_start 1430 || return
	in_ns server timeout 60 "$BUILD/examples/send" "$WORK/input" 20000000 "$CLIENT4:$PORT" "$CLIENT4:5006" \
		>"$WORK/example" 2>&1 || no "$(cat "$WORK/example")" || return
	[ "$(grep -c '940000 bytes in 715 packets' "$WORK/example")" -eq 2 ] || no "$(cat "$WORK/example")" || return
	wait_for 10 capture_ended || no "packets are missing" || return
	full=$(tcpdump -nr "$WORK/wire" 2>/dev/null | grep -c 'length 1328')
	[ "$full" -eq 1428 ] || no "$full packets of seven units, not 1428"
}

# ---- follow ----

placed_bytes()
{
	[ "$(cat "$WORK"/f/* 2>/dev/null | wc -c)" -ge "$1" ]
}

# ENGINE: SIZE bytes in all, to ports of both address families.
placed()
{
	local each=$((SIZE / DESTINATIONS)) to=() i paced=()

	wire || return
	for ((i = 0; i < DESTINATIONS; i++)); do
		to+=(--to "$([ $((i % 2)) -eq 0 ] && echo "$CLIENT4" || echo "[$CLIENT6]"):$((6000 + i))")
	done
	[ "$SIZE" -le 134217728 ] || paced=(--rate $((RATE / DESTINATIONS)))
	[ "$(size_of "$WORK/input")" -eq "$each" ] || make_file "$WORK/input" $each 6
	follow_start f client c0 native "take udp dst port 6000-6999" || return
	send_all "$WORK/input" "${to[@]}" --engine "$1" "${paced[@]}" || return
	wait_for 30 placed_bytes $((each * DESTINATIONS))
	follow_stop f client c0 && no_gaps f || return
	[ "$(find "$WORK/f" -type f | wc -l)" -eq $DESTINATIONS ] || no "$(find "$WORK/f" -type f | wc -l) streams" || return
	(cd "$WORK" && sha256sum input f/*) | cut -d ' ' -f 1 | sort | uniq -c >"$WORK/hashes"
	[ "$(awk '{print $1}' "$WORK/hashes")" = $((DESTINATIONS + 1)) ] ||
		no "placed is not what was sent: $(cd "$WORK" && wc -c input f/*)" || return
	rm -rf "${WORK:?}/f"
}

# ---- RTP ----

# ENGINE: GStreamer plays 16-bit samples; buffers that do not follow the one before have a flag.
gstreamer()
{
	wire && make_file "$WORK/input" 384000 8 || return
	spawn_in gst client gst-launch-1.0 -v -e udpsrc port=$PORT buffer-size=8000000 \
		caps="application/x-rtp,media=audio,clock-rate=48000,encoding-name=L16,channels=2,payload=96" \
		! rtpjitterbuffer latency=1000 ! rtpL16depay ! identity name=i silent=false ! filesink \
		location="$WORK/played" buffer-mode=unbuffered
	wait_ready gst 20 bound $PORT || no "gst-launch: $(tail -n 3 "$WORK/gst.err")" || return
	send_all "$WORK/input" --to "$CLIENT4:$PORT" --engine "$1" --rtp 96,48000 --rate 1536k --unit 4 || return
	wait_for 10 arrived "$WORK/played" 384000
	stop gst INT
	cmp "$WORK/played" "$WORK/input" || no "$(size_of "$WORK/played") bytes played" || return
	[ "$(grep -c 'chain.*discont' "$WORK/gst.out")" -le 1 ] || no "$(grep -m 3 'chain.*discont' "$WORK/gst.out")"
}

# ---- the wire ----

# FILTER: packets of the capture for which it is true.
wire_count()
{
	tshark -r "$WORK/wire" -d "udp.port==$PORT,rtp" -o ip.check_checksum:TRUE -o udp.check_checksum:TRUE \
		-Y "$1" 2>/dev/null | wc -l
}

# PACKETS: so many, and then it ends.
capture_start()
{
	spawn_in wire client tcpdump -i c0 -n -U -c "$1" -w "$WORK/wire" udp
	wait_ready wire 10 grep -q listening "$WORK/wire.err" || no "tcpdump: $(cat "$WORK/wire.err")"
}

capture_ended()
{
	! runs wire
}

# Checksums and lengths by others' reckoning; odd lengths, RTP, both families, all options.
checked()
{
	wire && make_file "$WORK/input" 20001 9 && capture_start 144 || return
	send_all "$WORK/input" --to "$CLIENT4:$PORT" --to "[$CLIENT6]:$PORT" --engine "$1" --rtp 33 --rate 10M \
		--payload 571 --ttl 7 --tos 184 --weight 2 || return
	send_all "$WORK/input" --to "$CLIENT4:$PORT" --engine "$1" --payload 571 --from "$SERVER4:4444" \
		--rate 10M --no-checksum || return
	send_all "$WORK/input" --to "[$CLIENT6]:$PORT" --engine "$1" --payload 571 --no-checksum --rate 10M || return
	wait_for 10 capture_ended || no "packets are missing: $(tcpdump -nr "$WORK/wire" 2>/dev/null | wc -l) of 144" || return
	tcpdump -vvnr "$WORK/wire" 2>/dev/null >"$WORK/text"
	[ "$(grep -c 'udp sum ok' "$WORK/text")" -eq 108 ] || no "tcpdump: not 108 good checksums" || return
	[ "$(grep -c 'bad.*cksum\|bad length\|truncated' "$WORK/text")" -eq 0 ] ||
		no "tcpdump: $(grep -m 1 'bad.*cksum\|bad length\|truncated' "$WORK/text")" || return
	! command -v tshark >/dev/null || dissected
}

dissected()
{
	local bad='ip.checksum.status == 0 || udp.checksum.status == 0 || udp.length.bad || _ws.malformed || ip.len_past_end'

	[ "$(wire_count "$bad")" -eq 0 ] || no "$(wire_count "$bad") bad packets" || return
	[ "$(wire_count 'ip.ttl == 7 && ip.dsfield == 184 && udp.checksum.status == 1')" -eq 36 ] ||
		no "not 36 of IPv4 with these options" || return
	[ "$(wire_count 'ipv6.hlim == 7 && ipv6.tclass == 184 && udp.checksum.status == 1')" -eq 36 ] ||
		no "not 36 of IPv6 with these options" || return
	[ "$(wire_count 'ip && udp.srcport == 4444 && udp.checksum == 0')" -eq 36 ] ||
		no "not 36 from port 4444 without a checksum" || return
	[ "$(wire_count 'ipv6.hlim == 64 && udp.checksum.status == 1')" -eq 36 ] || no "IPv6 without a checksum" || return
	rtp_field rtp.seq | awk 'NR > 1 && $1 != (last + 1) % 65536 { exit 1 } { last = $1 }' ||
		no "RTP's numbers are not in order" || return
	# 571 bytes at 10 Mb/s are 456.8 us, and of 90000 Hz 41.112 ticks.
	rtp_field rtp.timestamp |
		awk 'NR > 1 { d = ($1 - last + 4294967296) % 4294967296; if (d < 41 || d > 42) exit 1 } { last = $1 }' ||
		no "RTP's timestamps are not those of the rate"
}

rtp_field()
{
	tshark -r "$WORK/wire" -d "udp.port==$PORT,rtp" -Y 'ip.ttl == 7' -T fields -e "$1" 2>/dev/null
}

# ---- costs ----

# FILE: test runs that sending it takes; what was sent is in $WORK/sent.json.
strace_runs()
{
	in_ns server strace -f -e trace=bpf -e signal=none -o "$WORK/strace" "$XDPLACE" send "$1" \
		--to "$CLIENT4:$PORT" --to "[$CLIENT6]:$PORT" --to "$CLIENT4:5006" --engine run --rate 40M --json \
		>"$WORK/sent.json" 2>"$WORK/send.err" || no "send: $(cat "$WORK/send.err")" || return
	grep -c 'BPF_PROG_TEST_RUN\|bpf(0xa,' "$WORK/strace"
}

# One system call for a write, whatever is in it, beside those that try at the start what there is.
calls()
{
	local none some

	wire && make_file "$WORK/input" 4000000 10 && : >"$WORK/nothing" || return
	none=$(strace_runs "$WORK/nothing") || no "nothing can not be sent: $none" || return
	some=$(strace_runs "$WORK/input") || no "$some" || return
	# What a driver had no room for is sent again.
	said '.writes > 50 and .calls >= .writes and .calls - .writes <= .retries' || return
	[ $((some - none)) -eq "$(jq .calls "$WORK/sent.json")" ] ||
		no "$((some - none)) calls for $(jq .writes "$WORK/sent.json") writes"
}

# ARG...: milliseconds of user CPU time for a send: the least of three.
user_ms()
{
	local best=1000000 ms i TIMEFORMAT=%U

	for i in 1 2 3; do
		ms=$({ time in_ns server "$XDPLACE" send "$@" >/dev/null 2>&1; } 2>&1 | tr -d .)
		ms=$((10#$ms))
		[ "$ms" -ge "$best" ] || best=$ms
	done
	echo "$best"
}

# As many packets of 64 bytes and of 1400: 280 MB of payload are 70 ms if they are touched once.
user_time()
{
	local short long

	wire && make_file "$WORK/input" 2800000 11 && make_file "$WORK/short" 128000 12 || return
	short=$(user_ms "$WORK/short" --to "$CLIENT4:$PORT" --engine run --payload 64 --loop 100 --no-checksum)
	long=$(user_ms "$WORK/input" --to "$CLIENT4:$PORT" --engine run --payload 1400 --loop 100 --no-checksum)
	echo "user time: $short ms for 64 bytes, $long ms for 1400" >&2
	[ "$long" -le $((short + 40 * SLOW)) ] || no "200000 packets: $short ms of 64 bytes, $long ms of 1400"
}

# ---- rates ----

# ENGINE: 64 streams of 2 Mb/s take the time that their bytes take, and all have the same.
paced()
{
	local to=() i

	wire && make_file "$WORK/input" 500000 13 || return
	for ((i = 0; i < 64; i++)); do to+=(--to "$CLIENT4:$((7000 + i))"); done
	send_all "$WORK/input" "${to[@]}" --engine "$1" --rate 2M --unit 188 || return
	said '.milliseconds >= 1950' && said ".milliseconds < $((2000 + 1500 * SLOW))" || return
	said '.destinations | map(.bytes == 500000 and .packets == 380 and .payload == 1316) | all'
}

# What was missed while the process was stopped is made up for, if it is less than a second: the
# stream ends when it would have ended.
stalled()
{
	wire && make_file "$WORK/input" 2000000 16 || return
	spawn_in send server chrt -f 10 "$XDPLACE" send "$WORK/input" --to "$CLIENT4:$PORT" --rate 8M --json --progress
	wait_ready send 10 grep -q ' packets ' "$WORK/send.err" || no "$(cat "$WORK/send.err")" || return
	kill -STOP "${PIDS[send]}"
	sleep 0.6
	kill -CONT "${PIDS[send]}"
	wait "${PIDS[send]}" || no "exit code $?: $(cat "$WORK/send.err")" || return
	cp "$WORK/send.out" "$WORK/sent.json"
	said '.bytes == 2000000 and .destinations[0].pace.max_late_us > 300000' || return
	said ".milliseconds >= 1950 and .milliseconds < $((2000 + 350 * SLOW))"
}

# A person's end: what has gone is told, nothing is wrong.
interrupted()
{
	wire && make_file "$WORK/input" 100000 14 || return
	spawn_in send server "$XDPLACE" send "$WORK/input" --to "$CLIENT4:$PORT" --rate 1M --loop forever --json --progress
	wait_ready send 10 grep -q ' packets ' "$WORK/send.err" || no "no progress: $(cat "$WORK/send.err")" || return
	stop send INT 10 || no "exit code $?: $(cat "$WORK/send.err")" || return
	cp "$WORK/send.out" "$WORK/sent.json"
	said '.interrupted and .bytes > 50000 and .unsent == 0'
}

# Nobody reads the pipe's silence as the end, and it is interrupted all the same.
silent_pipe()
{
	wire || return
	mkfifo "$WORK/fifo"
	spawn_in send server "$XDPLACE" send "$WORK/fifo" --to "$CLIENT4:$PORT" --json
	exec 3>"$WORK/fifo"
	head -c 10000 /dev/zero >&3
	sleep 0.5
	runs send || no "it ended: $(cat "$WORK/send.err")" || return
	stop send INT 10 || no "exit code $?: $(cat "$WORK/send.err")" || return
	exec 3>&-
	jq -e '.bytes == 8832' "$WORK/send.out" >/dev/null || no "$(jq .bytes "$WORK/send.out") bytes of whole packets"
}

# ---- what goes wrong ----

# The link goes down on the way: told of, exit code 1.
link_down()
{
	wire && make_file "$WORK/input" 1000000 15 || return
	spawn_in send server "$XDPLACE" send "$WORK/input" --to "$CLIENT4:$PORT" --rate 4M --json --engine "$1"
	sleep 0.7
	in_ns server ip link set s0 down
	stop send NONE 30
	CODE=$?
	[ "$CODE" -eq 1 ] || no "exit code $CODE" || return
	cp "$WORK/send.out" "$WORK/sent.json"
	said '.unsent > 0 and .bytes + .unsent <= 1000000 and .destinations[0].error == "Network is down"'
}

# ARG...: an engine is there on this machine.
has_engine()
{
	wire && echo 1234 >"$WORK/little" && send "$WORK/little" --to "$CLIENT4:$PORT" --engine "$1"
	[ "$CODE" -eq 0 ]
}

# NAME IDS FUNCTION: by each engine.
by_each()
{
	local engine

	for engine in run xsk; do
		case " $ENGINES " in
		*" $engine "*) run_case "$1_$engine" "$2" "$3" "$engine" ;;
		*) skip "$1_$engine" "$2" "no engine $engine here: $(tail -n 1 "$WORK/send.err")" ;;
		esac
	done
}

setup $((SIZE * 5 / 4 + 67108864))
ENGINES=
for engine in run xsk; do has_engine $engine >/dev/null 2>&1 && ENGINES+=" $engine"; done
stop_all
[ -n "$ENGINES" ] || not_ok send_engines "T1" "none works: $(cat "$WORK/send.err")"
by_each send_placed "T1 T3" placed
[ "$SIZE" -le 134217728 ] || exit 0
by_each send_sockets "T1 T3 T6" sockets
run_case send_piped "T1" piped run
run_case send_looped "T1" looped run
by_each send_paced "T7" paced
run_case send_stalled "T7" stalled
run_case send_interrupted "T7" interrupted
run_case send_silent_pipe "T1" silent_pipe
run_case send_link_down "T6" link_down run
run_case send_user_time "T2" user_time
run_case send_example "T7 T8" example
by_each send_checked "T5 T8" checked
command -v tshark >/dev/null || skip send_dissected "T5 T8" "needs tshark; tcpdump has looked at checksums"
if command -v strace >/dev/null; then
	run_case send_calls "T1 T7" calls
else
	skip send_calls "T1 T7" "needs strace"
fi
if command -v gst-launch-1.0 >/dev/null && gst-inspect-1.0 rtpL16depay >/dev/null 2>&1; then
	by_each send_gstreamer "T8" gstreamer
else
	skip send_gstreamer "T8" "needs gst-launch-1.0 and GStreamer's plugins 'good'"
fi
