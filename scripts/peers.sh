#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# peers.sh [-w] [REPORT] - what `make bench CASES=rx` or CASES=tx measured, as tables for the README.
#
# In:  REPORT [build/bench/report.json].
# Out: Markdown; with -w in README.md instead, between the lines "peers: begin" and "peers: end"
#      what is of rx cases, between "tx: begin" and "tx: end" what is of tx cases.
# Promises: changes nothing but that; a report without such cases is refused.
set -eu
cd "$(dirname "$0")/.."

write=
if [ "${1:-}" = -w ]; then
	write=yes
	shift
fi
report=${1:-${BUILD:-build}/bench/report.json}

fail()
{
	echo "peers.sh: $*" >&2
	exit 1
}

[ -r "$report" ] || fail "no $report: sudo make bench CASES=rx"

# PREFIX: are there cases of it?
has()
{
	jq -e --arg prefix "$1" 'any(.[]; .case | startswith($prefix))' "$report" >/dev/null
}

# TITLE COLUMN...: a table; a column is LABEL=CASE=METRIC.
table()
{
	local title=$1

	shift
	jq -r --arg title "$title" '
		def digits: if . >= 100 then round elif . >= 10 then . * 10 | round / 10
			else . * 100 | round / 100 end;
		def cell: if . == null then "" elif .value == null then "-" else
			"\(.value | digits) (\(.min | digits)-\(.max | digits))" end;
		[$ARGS.positional[] | split("=") | {label: .[0], case: .[1], metric: .[2]}] as $columns
		| . as $all
		| [.[] | select(.case as $c | any($columns[]; .case == $c)) | .system] as $seen
		| (reduce $seen[] as $s ([]; if index([$s]) then . else . + [$s] end)) as $systems
		| select($systems != [])
		| "| \($title) | \([$columns[].label] | join(" | ")) |",
		  "|---|\([$columns[] | "---"] | join("|"))|",
		  ($systems[] as $s | "| \($s) | \([$columns[] as $c
			| [$all[] | select(.system == $s and .case == $c.case
				and .metric == $c.metric)][0] | cell] | join(" | ")) |"),
		  ""' "$report" --args "$@"
}

# What of the cases PREFIX could not be measured, and why: each reason once.
excuses()
{
	jq -r --arg prefix "$1" '[.[] | select((.case | startswith($prefix)) and .value == null)
		| {system, case, error}] | unique | group_by([.system, .error])[]
		| "- \(.[0].system) not measured: \([.[].case] | join(", ")): \(.[0].error)"' "$report"
}

# How far each aim was: SYSTEM's value as a multiple of what it is compared with.
rx_aims()
{
	jq -r '
		. as $all
		| def value($s; $c; $m): [$all[] | select(.system == $s and .case == $c
			and .metric == $m)][0].value;
		def line($c; $m; $bs; $bc; $least; $f):
			value("xdplace"; $c; $m) as $x | value($bs; $bc; $m) as $b
			| select($x != null and $b != null and $b != 0)
			| ($x / $b * 100 | round / 100) as $r
			| "\($r) x \(if $bc != $c then $bc else $bs end)\(
				if (if $least then $r >= $f else $r <= $f end) then ""
				else " **missed**" end)";
		def aim($c; $m; $text; lines): [lines] | select(length > 0)
			| "| \($c) | \($text) | \(join(", ")) |";
		["dpdk-gro", "libnids", "tcpflow", "kernel-socket"] as $others
		| "| aim | wanted | seen |", "|---|---|---|",
		(("tcp1400-1flow", "tcp1400-1000flows", "udp64", "udp512", "udp1400")
			| "rx-rate-\(.)" as $c
			| aim($c; "gbit_per_s"; "rate at least 1.5 x afxdp-reassembler, 3 x others";
				line($c; "gbit_per_s"; "afxdp-reassembler"; $c; true; 1.5),
				($others[] as $o | line($c; "gbit_per_s"; $o; $c; true; 3)))),
		(("2gbit", "11gbit") | "rx-cpu-tcp1400-\(.)" as $c
			| aim($c; "net_s_per_gb"; "CPU at most 0.6 x";
				(("afxdp-reassembler", $others[]) as $o
				| line($c; "net_s_per_gb"; $o; $c; false; 0.6)))),
		(("1pct", "5pct") | "rx-reorder-\(.)" as $c
			| aim($c; "net_s_per_gb"; "CPU at most 1.1 x in order";
				line($c; "net_s_per_gb"; "xdplace"; "rx-reorder-0pct"; false; 1.1))),
		aim("rx-tap-iperf3"; "gbit_per_s"; "rate at least 0.9 x pass-only";
			line("rx-tap-iperf3"; "gbit_per_s"; "pass-only"; "rx-tap-iperf3"; true; 0.9)),
		""' "$report"
}

rx_tables()
{
	table "highest loss-free rate, Gbit/s of payload" \
		"TCP, 1 stream=rx-rate-tcp1400-1flow=gbit_per_s" \
		"TCP, 1,000 streams=rx-rate-tcp1400-1000flows=gbit_per_s" \
		"UDP 64=rx-rate-udp64=gbit_per_s" "UDP 512=rx-rate-udp512=gbit_per_s" \
		"UDP 1400=rx-rate-udp1400=gbit_per_s"
	table "CPU seconds per GB" \
		"2 Gbit/s, all=rx-cpu-tcp1400-2gbit=cpu_s_per_gb" \
		"without generator and driver=rx-cpu-tcp1400-2gbit=net_s_per_gb" \
		"11 Gbit/s, all=rx-cpu-tcp1400-11gbit=cpu_s_per_gb" \
		"without generator and driver=rx-cpu-tcp1400-11gbit=net_s_per_gb"
	table "flows in turn: ns of CPU a packet" \
		"1,000=rx-flows-1000=net_ns_per_packet" "10,000=rx-flows-10000=net_ns_per_packet" \
		"100,000=rx-flows-100000=net_ns_per_packet" \
		"1,000,000=rx-flows-1000000=net_ns_per_packet"
	table "flows in turn: memory, MiB" \
		"1,000=rx-flows-1000=mib" "10,000=rx-flows-10000=mib" \
		"100,000=rx-flows-100000=mib" "1,000,000=rx-flows-1000000=mib"
	table "reordering: CPU seconds per GB" \
		"in order=rx-reorder-0pct=net_s_per_gb" "1 % late=rx-reorder-1pct=net_s_per_gb" \
		"5 % late=rx-reorder-5pct=net_s_per_gb"
	table "reordering: loss-free Gbit/s" \
		"in order=rx-reorder-0pct=gbit_per_s" "1 % late=rx-reorder-1pct=gbit_per_s" \
		"5 % late=rx-reorder-5pct=gbit_per_s"
	table "latency, microseconds" \
		"busy, median=rx-latency-busy=us_median" "busy, 99.9 %=rx-latency-busy=us_p999" \
		"asleep, median=rx-latency-sleep=us_median" "asleep, 99.9 %=rx-latency-sleep=us_p999"
	table "iperf3, Gbit/s" "one stream=rx-tap-iperf3=gbit_per_s"
	rx_aims
	excuses rx-
}

# The same of what is sent, and what the same engine does with checksums.
tx_aims()
{
	jq -r '
		. as $all | "tx-1400-64dest-burst1" as $case
		| def value($s): [$all[] | select(.system == $s and .case == $case
			and .metric == "mpps")][0].value;
		def line($s; $b; $f):
			value($s) as $x | value($b) as $y
			| select($x != null and $y != null and $y != 0)
			| ($x / $y * 100 | round / 100) as $r
			| "| \($s) beside \($b) | \(if $f == 0 then "reported" else "at least \($f) x" end) | \($r) x\(
				if $r >= $f then "" else " **missed**" end) |";
		[line("run"; "sendmmsg"; 6), line("run"; "afxdp"; 2.5),
			line("run"; "udp-gso-best"; 1.5), line("xsk"; "afxdp"; 1),
			line("run-csum"; "sendmmsg"; 0), line("run-csum"; "afxdp-csum"; 0),
			line("run-csum"; "udp-gso-best"; 0)]
		| select(length > 0)
		| "| 1400 bytes, 64 destinations, packet by packet | wanted | seen |", "|---|---|---|",
		  .[], ""' "$report"
}

# What did not arrive though its sender says that it was sent.
tx_losses()
{
	jq -r '[.[] | select((.case | startswith("tx-")) and .metric == "lost" and .value != null)]
		| map(select(.max > 0)) as $lost
		| if length == 0 then empty elif ($lost | length) == 0
		  then "Lost: nothing, in \(length) cases and systems.", ""
		  else "Lost in \($lost | length) of \(length) cases and systems, of a million packets:", "",
		  ($lost | group_by(.system)[] | "- \(.[0].system): \([.[]
			| "\(.case) \(.value | round) (\(.min | round)-\(.max | round))"] | join(", "))"), ""
		  end' "$report"
}

# TITLE DESTINATIONS TAIL: millions of packets a second, by size.
tx_sizes()
{
	table "$1" "64 bytes=tx-64-$2dest-burst1$3=mpps" "512=tx-512-$2dest-burst1$3=mpps" \
		"1400=tx-1400-$2dest-burst1$3=mpps" "8900=tx-8900-$2dest-burst1$3=mpps"
}

tx_tables()
{
	table "1400 bytes to 64 destinations in turn" \
		"dropping peer, Mpacket/s=tx-1400-64dest-burst1=mpps" \
		"CPU s/GB=tx-1400-64dest-burst1=cpu_s_per_gb" \
		"receiving peer, Mpacket/s=tx-1400-64dest-burst1-received=mpps" \
		"CPU s/GB=tx-1400-64dest-burst1-received=cpu_s_per_gb"
	table "udp-gso by length of bursts, Mpacket/s" "1=tx-1400-64dest-burst1=mpps" \
		"4=tx-1400-64dest-burst4=mpps" "16=tx-1400-64dest-burst16=mpps" \
		"45=tx-1400-64dest-burst45=mpps" | grep -E '^$|^\|[- ]*udp-gso |^\|---'
	tx_sizes "one destination, dropping peer, Mpacket/s" 1 ""
	tx_sizes "256 destinations, dropping peer, Mpacket/s" 256 ""
	tx_sizes "one destination, receiving peer, Mpacket/s" 1 -received
	tx_sizes "256 destinations, receiving peer, Mpacket/s" 256 -received
	table "1,000 streams of 2 Mbit/s" "CPUs in use=tx-paced-1000x2mbit=cpus" \
		"off, median, us=tx-paced-1000x2mbit=us_median" \
		"off, 99.9 %, us=tx-paced-1000x2mbit=us_p999" \
		"Gbit/s that arrived=tx-paced-1000x2mbit=gbit_per_s"
	tx_losses
	tx_aims
	excuses tx-
}

# Parts of the README: its mark, and the cases that it is about.
parts=()
has rx- && parts+=("peers rx")
has tx- && parts+=("tx tx")
[ "${#parts[@]}" -gt 0 ] || fail "$report has no rx and no tx cases: sudo make bench CASES=rx"

if [ -z "$write" ]; then
	for part in "${parts[@]}"; do "${part#* }_tables"; done
	exit 0
fi
new=$(mktemp)
trap 'rm -f "$new"' EXIT
for part in "${parts[@]}"; do
	mark=${part% *}
	grep -q "^<!-- $mark: begin -->\$" README.md ||
		fail "README.md has no line <!-- $mark: begin -->"
	"${part#* }_tables" >"$new"
	sed -i -e "/^<!-- $mark: begin -->\$/r $new" \
		-e "/^<!-- $mark: begin -->\$/,/^<!-- $mark: end -->\$/{/^<!-- $mark: /!d}" README.md
done
