#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# The long run: many short connections and a few long ones, TCP and UDP, both families, through a
# path with faults, placed in a pinned context and taken by `xdplace follow`. Nothing may grow.
#
# In:  soak.sh [-m MINUTES] [--json] [--record]. MINUTES [30] of traffic.
# Out: progress on standard error; a table of what was counted, or one JSON object; "ok soak [ids]"
#      or "not ok soak [ids]: why"; "N passed, N failed, N skipped". --record also puts the table into
#      the README. Exit status 1 if it failed.
# Promises: what is counted is judged by the medians of the first and the last quarter of the run,
# after a warm-up, and once more when all is quiet; everything made here is gone at the end.
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

IDS="R3 R4 R8 R9 R11 R12 R13 R15"
MINUTES=30
PORT=8080
UDP_PORT=9000
PROBES=45000 # ports of the connections whose bytes are compared
WARM_UP=20   # seconds until ended flows leave the table as fast as new ones come
FLOW_AGE=10  # seconds
EVERY=5      # seconds between samples
SLACK=1
json='' record=''
probes=0 probe_errors=0

# What is counted: NAME, what it is, by how much percent and units the last quarter may exceed the
# first. What depends on how much traffic there is just now may move, the rest may not. (In a run of
# a few minutes the traffic itself has hardly settled: twice as much.)
COUNTED="areas|areas not free|25|64
lost|areas lost or in two places|0|0
entries|entries in the flow maps|25|64
flows|flows not ended|25|48
fds|descriptors of the consumer|25|48
rss|KiB resident in the consumer|3|1024
threads|threads of the consumer|0|0
pins|pins|0|0
processes|processes of the context|0|0"

usage()
{
	echo "usage: tests/net/soak.sh [-m MINUTES] [--json] [--record]" >&2
	exit 2
}

say()
{
	echo "$*" >&2
}

# ---- traffic ----

going_on()
{
	[ ! -e "$WORK/stop" ]
}

# Connections of 300 bytes to 700 kB, eight at a time, both families in turn.
short_connections()
{
	local family=4 i

	while going_on; do
		for i in {1..200}; do
			printf 'url = "http://%s:%d/f%d"\noutput = "/dev/null"\n' "$(bracketed $family)" \
				$PORT $((RANDOM % 4))
		done >"$WORK/urls"
		in_ns client curl -sS --no-progress-meter -m 60 -Z --parallel-max 8 --local-port 20000-44000 \
			-K "$WORK/urls"
		family=$((10 - family))
	done
}

# NUMBER: connections of about two minutes, one after the other.
long_connections()
{
	while going_on; do
		in_ns client curl -sS -m 120 --limit-rate 400k --local-port 20000-44000 -o /dev/null \
			"http://$(bracketed $((4 + 2 * ($1 % 2)))):$PORT/large"
	done
}

# Flows of a few hundred datagrams, and one that lasts.
datagrams()
{
	local port=46000

	while going_on; do
		port=$((46000 + (port + 1) % 4000))
		in_ns client "$TOOLS/udp_talk" client "$SERVER4" $UDP_PORT $port /dev/null 4 60 0 40
	done
}

long_datagrams()
{
	in_ns client "$TOOLS/udp_talk" client "$SERVER4" $UDP_PORT 45999 /dev/null 100000000 20 0 60
}

# Now and then a download of which every byte is compared.
probe()
{
	local port=$((PROBES + probes % 900)) key

	key=tcp_${SERVER4}_$PORT-${CLIENT4}_$port
	rm -f "$WORK/follow/$key" "$WORK/probe"
	probes=$((probes + 1))
	in_ns client curl -sS -i -m 20 --local-port $port -o "$WORK/probe" \
		"http://$SERVER4:$PORT/f$((probes % 4))" || return
	sleep 1
	tail -n 4000 "$WORK/follow.out" | grep -F "$key\"" | tail -n 1 >"$WORK/probe.out"
	mapfile -t gaps < <(jq -r '(.gaps // [])[] | "\(.offset):\(.length)"' "$WORK/probe.out")
	"$TOOLS/same" "$WORK/follow/$key" "$WORK/probe" "${gaps[@]}" && return
	probe_errors=$((probe_errors + 1))
	say "probe $probes: $key: not the same: $(cat "$WORK/probe.out")"
}

traffic_start()
{
	local i

	spawn short short_connections
	for i in 1 2 3; do
		spawn "long$i" long_connections $i
	done
	spawn datagrams datagrams
	spawn long_datagrams long_datagrams
}

# Only what is ours: what runs in the client's namespace.
traffic_stop()
{
	local pid

	touch "$WORK/stop"
	for pid in $(ip netns pids "$PREFIX-client"); do
		case $(cat "/proc/$pid/comm" 2>/dev/null) in
		curl | udp_talk) kill "$pid" 2>/dev/null ;;
		esac
	done
	for pid in short long1 long2 long3 datagrams long_datagrams; do
		stop $pid TERM 10
	done
}

# Files of streams that have ended, and of those that go on: their descriptors stay.
reap()
{
	find "$WORK/follow" -type f ! -name "*_${PROBES:0:2}[0-9][0-9][0-9]*" -mmin +0.1 -delete
}

# ---- what is counted ----

keys_in()
{
	bpftool -j map dump pinned "/sys/fs/bpf/xdplace/$CONTEXT/$1" | jq length
}

# An account made while areas move may name a few that moved each time it looked: asked again, it
# does not name any, unless they are lost.
status_now()
{
	local try

	for try in 1 2 3 4; do
		"$XDPLACE" status -n "$CONTEXT" --json >"$WORK/status" || return
		jq -e '.contexts[0].umem.states | .lost + .twice == 0' "$WORK/status" >/dev/null && return
		say "areas lost or in two places, look $try: $(jq -c '.contexts[0].umem.states' "$WORK/status")"
	done
}

# TIME AREAS LOST ENTRIES FLOWS FDS RSS THREADS PINS PROCESSES
sample()
{
	local pid=${PIDS[follow]} status entries

	status_now || return
	entries=$(($(keys_in xp_flows4) + $(keys_in xp_flows6)))
	status=$(jq -r '.contexts[0] | "\(.umem.states.placing + .umem.states.consumer) " +
		"\(.umem.states.lost + .umem.states.twice) ENTRIES \(.flows.open)"' "$WORK/status")
	echo "$1 ${status/ENTRIES/$entries}" \
		"$(find "/proc/$pid/fd" -mindepth 1 | wc -l)" \
		"$(awk '/^VmRSS/ {print $2}' "/proc/$pid/status")" \
		"$(find "/proc/$pid/task" -mindepth 1 -maxdepth 1 | wc -l)" \
		"$(find "/sys/fs/bpf/xdplace/$CONTEXT" -type f | wc -l)" \
		"$(pgrep -fc -- "xdplace .*$CONTEXT")"
}

# COLUMN FROM TO (seconds): the median of what was counted then.
median()
{
	awk -v c="$1" -v from="$2" -v to="$3" '$1 >= from && $1 <= to {print $c}' "$WORK/samples" |
		sort -n | awk '{v[NR] = $1} END {print NR ? v[int((NR + 1) / 2)] : -1}'
}

# NAME TEXT PERCENT UNITS COLUMN: a row: name, first, last, least, most, quiet, verdict
judge_one()
{
	local seconds=$((MINUTES * 60)) first last range verdict=flat span
	local column=$5

	span=$(((seconds - WARM_UP) / 4))
	first=$(median "$column" $WARM_UP $((WARM_UP + span)))
	last=$(median "$column" $((seconds - span)) $((seconds + EVERY)))
	range=$(awk -v c="$column" -v from=$WARM_UP '$1 >= from {
		if (least == "" || $c < least) least = $c
		if ($c > most) most = $c } END {print least + 0, most + 0}' "$WORK/samples")
	[ "$last" -le $((first + (first * $3 / 100 + $4) * SLACK)) ] || verdict=GROWS
	[ "$first" -ge 0 ] || verdict=NOTHING-COUNTED
	[ "$1" != lost ] || [ "${range#* }" -eq 0 ] || verdict=LOST
	echo "$1|$2|$first|$last|${range% *}|${range#* }|$(cut -d ' ' -f "$column" "$WORK/quiet")|$verdict"
}

judge()
{
	local column=2 name text percent units

	while IFS='|' read -r name text percent units; do
		judge_one "$name" "$text" "$percent" "$units" $column
		column=$((column + 1))
	done <<<"$COUNTED" >"$WORK/judged"
}

# When nothing goes on any more, nothing is held any more.
judge_quiet()
{
	local entries flows areas lost before now

	read -r _ areas lost entries flows _ <"$WORK/quiet"
	before=$(cut -d ' ' -f 6,8- "$WORK/before") now=$(cut -d ' ' -f 6,8- "$WORK/quiet")
	[ "$before" = "$now" ] ||
		no "descriptors, threads, pins, processes: $before before, $now when all was quiet" || return
	[ "$entries" -eq 0 ] && [ "$flows" -eq 0 ] ||
		no "when all was quiet: $entries entries, $flows flows" || return
	# What the lane has in hand (16 for data, 16 for cells), and what is begun: two of cells, one of
	# frames.
	[ "$areas" -le 35 ] && [ "$lost" -eq 0 ] ||
		no "when all was quiet: $areas areas not free, $lost lost" || return
	jq -e '.total.reasons.early_full == 0 and .total.reasons.bad_free == 0' "$WORK/stats" \
		>/dev/null || no "early blocks ran out, or areas were offered twice"
}

# ---- the run ----

start()
{
	topology_path && http_start $PORT || return
	injector_start --seed 3 --loss 1 --reorder 1 --duplicate 1 --corrupt 0.5
	spawn_in talk server "$TOOLS/udp_talk" server "$SERVER4" $UDP_PORT
	in_ns client "$XDPLACE" load c0 --pin "$CONTEXT" --lanes 1 --umem-size 64M --ring 65536 \
		--flows 4096 --early 512 --flow-age ${FLOW_AGE}s --closed-age 2s --hole-age 8s \
		--rule "tap tcp src port $PORT" --rule "tap udp src port $UDP_PORT" >"$WORK/load" ||
		no "load: $(cat "$WORK/load")" || return
	mkdir -p "$WORK/follow"
	spawn follow "$XDPLACE" follow -n "$CONTEXT" -o "$WORK/follow" --json
	sleep 1
	runs follow || no "follow: $(cat "$WORK/follow.err")" || return
	sample 0 >"$WORK/before"
}

progress()
{
	tail -n 1 "$WORK/samples" | awk -v of=$((MINUTES * 60)) -v ended="$(wc -l <"$WORK/follow.out")" '{
		print $1 " of " of " s: " ended " flows ended, " $5 " open; " $2 " areas in use, " $3 \
			" lost; " $4 " entries, " $6 " descriptors, " $7 " KiB" }' >&2
}

watch_it()
{
	local began=$SECONDS seconds=$((MINUTES * 60)) now=0 n=0

	while [ $now -lt $seconds ]; do
		sleep $EVERY
		now=$((SECONDS - began))
		sample $now >>"$WORK/samples" || no "a sample could not be taken" || return
		runs follow || no "follow ended: $(tail -n 3 "$WORK/follow.err")" || return
		reap
		n=$((n + 1))
		[ $((n % 4)) -ne 0 ] || probe
		[ $((n % 12)) -ne 1 ] || progress
	done
}

calm_down()
{
	traffic_stop
	sleep $((FLOW_AGE + 6))
	reap
	sample 0 >"$WORK/quiet" || no "the last sample could not be taken" || return
	"$XDPLACE" stats -n "$CONTEXT" --json >"$WORK/stats"
	stop follow INT 20 || no "follow: exit status $?: $(tail -n 3 "$WORK/follow.err")" || return
	"$XDPLACE" area audit -n "$CONTEXT" >"$WORK/audit" || no "$(cat "$WORK/audit")" || return
	"$XDPLACE" unload -n "$CONTEXT" >/dev/null || no "unload failed" || return
	[ ! -e "/sys/fs/bpf/xdplace/$CONTEXT" ] || no "pins are left" || return
	! has_program client c0 || no "a program is left on c0" || return
	injector_stop && injector_did lost reordered duplicated corrupted
}

verdict()
{
	local bad

	judge
	bad=$(grep -v '|flat$' "$WORK/judged" | cut -d '|' -f 2- | tr '\n' ';')
	[ -z "$bad" ] || no "$bad" || return
	judge_quiet || return
	[ "$probes" -gt 0 ] && [ "$probe_errors" -eq 0 ] ||
		no "$probe_errors of $probes downloads were not placed as they were delivered"
}

soak()
{
	start || return
	traffic_start
	watch_it && calm_down && verdict
}

# ---- what came of it ----

summary()
{
	local flows packets bytes gaps faults

	flows=$(wc -l <"$WORK/follow.out")
	read -r packets bytes gaps < <(jq -r '.total | "\(.packets) \(.placed_bytes / 1048576 | floor) " +
		"\(.gap_bytes)"' "$WORK/stats")
	faults=$(jq -r '.back | "\(.lost) lost, \(.reordered) reordered, \(.duplicated) duplicated, " +
		"\(.corrupted) damaged"' "$WORK/injector.json")
	echo "$MINUTES minutes, $(uname -r | cut -d . -f 1,2), $(date -u +%F): $flows flows, $packets" \
		"packets ($faults), $bytes MiB placed, $gaps bytes of gaps; $probes downloads compared byte" \
		"by byte, $probe_errors different."
}

table()
{
	summary | fold -s -w 120 | sed 's/ *$//'
	echo
	echo "| counted | first quarter | last quarter | least | most | when quiet | |"
	echo "|---|---|---|---|---|---|---|"
	awk -F '|' '{printf "| %s | %s | %s | %s | %s | %s | %s |\n", $2, $3, $4, $5, $6, $7, $8}' \
		"$WORK/judged"
}

as_json()
{
	jq -R -s --arg summary "$(summary)" --argjson minutes "$MINUTES" '{minutes: $minutes,
		summary: $summary, counted: [split("\n")[] | select(. != "") | split("|") | {name: .[0],
		what: .[1], first: .[2] | tonumber, last: .[3] | tonumber, least: .[4] | tonumber,
		most: .[5] | tonumber, quiet: .[6] | tonumber, verdict: .[7]}]}' "$WORK/judged"
}

write_readme()
{
	local readme=$ROOT/README.md

	table >"$WORK/table"
	awk -v table="$WORK/table" '
		/^<!-- soak: end -->/ { skip = 0 }
		!skip { print }
		/^<!-- soak: begin -->/ { skip = 1; while ((getline line < table) > 0) print line }
		' "$readme" >"$WORK/readme" && cp "$WORK/readme" "$readme"
}

while [ $# -gt 0 ]; do
	case $1 in
	-m) MINUTES=${2:-} && shift ;;
	--json) json=yes ;;
	--record) record=yes ;;
	*) usage ;;
	esac
	shift || usage
done
[[ $MINUTES =~ ^[1-9][0-9]*$ ]] || usage
[ "$MINUTES" -ge 5 ] || { EVERY=2 SLACK=2; }

setup 1073741824
make_file "$WORK/www/f0" 700000 1
make_file "$WORK/www/f1" 100001 2
make_file "$WORK/www/f2" 300 3
make_file "$WORK/www/f3" 30007 4
truncate -s 200M "$WORK/www/large"
touch "$WORK/probe.out"
soak >"$WORK/why"
status=$?
if [ -s "$WORK/judged" ]; then
	if [ -n "$json" ]; then as_json; else table; fi
	[ -n "$record" ] && write_readme
fi
if [ "$status" -ne 0 ]; then
	not_ok soak "$IDS" "$(tail -n 12 "$WORK/why")"
	echo "0 passed, 1 failed, 0 skipped"
	exit 1
fi
ok soak "$IDS"
echo "1 passed, 0 failed, 0 skipped"
