#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# peers.sh [-w] [REPORT] - what `make bench CASES=rx` or CASES=tx measured, as tables for the README.
#
# In:  REPORT [build/bench/report.json].
# Out: Markdown; with -w in README.md instead, between the lines "peers: begin" and "peers: end"
#      what is of rx cases, between "tx: begin" and "tx: end" what is of tx cases.
# Promises: changes nothing but that; a report without such cases is refused.
# shellcheck disable=SC2016  # what begins with $ in single quotes is jq's
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

# What all tables share. Three digits, the same number of them behind the point in a whole cell.
jq_library='
	def places: if . == null or . >= 100 then 0 elif . >= 10 then 1 else 2 end;
	def fixed($places): . as $x | pow(10; $places) as $scale | ($x * $scale | round) as $n
		| ($n | fabs) as $abs | if $places == 0 then "\($n)" else
		(if $n < 0 then "-" else "" end) + "\($abs / $scale | floor)." +
		("\($abs % $scale + $scale)"[1:]) end;
	def short: if . == null then "" else fixed(fabs | places) end;
	def median: sort | if length == 0 then null
		else (.[(length - 1) / 2 | floor] + .[length / 2 | floor]) / 2 end;
	def find($system; $case; $metric):
		first(.[] | select(.system == $system and .case == $case and .metric == $metric))
		// null;
	def value($system; $case; $metric): find($system; $case; $metric) | .value;
	def trials($case; $metric): [.[] | select(.case == $case and .metric == $metric)
		| .samples | length] | max;
	# Round by round, as systems were measured one after the other.
	def ratios($x; $base): [range($x.samples | length) as $i
		| select($x.samples[$i] != null and ($base.samples[$i] // 0) > 0)
		| $x.samples[$i] / $base.samples[$i]];
	# Against an aim: the median of the ratios, their spread, by how much it is missed.
	def against($ratios; $least; $factor): ($ratios | median) as $r
		| "\($r | fixed(2)) x" + (if ($ratios | length) < 2 then "" else
		" (\($ratios | min | fixed(2))-\($ratios | max | fixed(2)))" end) +
		(if (if $least then $r >= $factor else $r <= $factor end) then ""
		else (($r / $factor - 1) * 100 | fabs | round) as $by
		| ", **missed by \(if $by < 1 then "less than 1" else $by end) %**" end);
'

# FILTER ARGUMENT...: of the report.
query()
{
	local filter=$1

	shift
	jq -r "$jq_library $filter" "$report" --args "$@"
}

# TITLE COLUMN...: a table; a column is LABEL=CASE=METRIC.
table()
{
	query '
		def cell($most): if . == null then "" elif .value == null then "-" else
			(.value | places) as $places
			| "\(.value | fixed($places)) (\(.min | fixed($places))-\(
			.max | fixed($places))\(if .trials < $most then "; \(.trials) of \($most)"
			else "" end))" end;
		$ARGS.positional[0] as $title
		| [$ARGS.positional[1:][] | split("=") | {label: .[0], case: .[1], metric: .[2]}]
			as $columns
		| . as $all
		| [.[] | select(. as $r | any($columns[]; .case == $r.case and .metric == $r.metric))
			| .system] as $seen
		| (reduce $seen[] as $s ([]; if index([$s]) then . else . + [$s] end)) as $systems
		| select($systems != [])
		| "| \($title) | \([$columns[].label] | join(" | ")) |",
		  "|---|\([$columns[] | "---"] | join("|"))|",
		  ($systems[] as $s | "| \($s) | \([$columns[] as $c | $all
			| trials($c.case; $c.metric) as $most
			| find($s; $c.case; $c.metric) | cell($most)] | join(" | ")) |"),
		  "", "Median (least-greatest) of \([$columns[] as $c | $all
			| trials($c.case; $c.metric) | select(. != null)] | unique
			| map(tostring) | join(" or ")) trials.", ""' "$@"
}

# What of the cases PREFIX could not be measured, or not always, and why: each reason once.
excuses()
{
	query '$ARGS.positional[0] as $prefix
		| [.[] | select((.case | startswith($prefix)) and .error
			and .trials < (.samples | length))
		| {system, case, error, some: (if .value == null then "not measured"
			else "\(.trials) of \(.samples | length) trials" end)}]
		| unique | group_by([.system, .some, .error])[]
		| "- \(.[0].system), \(.[0].some): \([.[].case] | join(", ")): \(.[0].error)"' "$1"
}

# How far each aim was: SYSTEM's value as a multiple of what it is compared with.
rx_aims()
{
	query '
		. as $all
		| def line($c; $m; $bs; $least; $f):
			($all | find("xdplace"; $c; $m)) as $x | ($all | find($bs; $c; $m)) as $b
			| select($x != null and $b != null) | ratios($x; $b) | select(length > 0)
			| "\($bs) \(against(.; $least; $f))";
		def aim($c; $text; lines): [lines] | select(length > 0)
			| "| \($c) | \($text) | \(join("; ")) |";
		["dpdk-gro", "libnids", "tcpflow", "kernel-socket"] as $others
		| "| aim | wanted | seen |", "|---|---|---|",
		(("tcp1400-1flow", "tcp1400-1000flows", "udp64", "udp512", "udp1400")
			| "rx-rate-\(.)" as $c
			| aim($c; "rate at least 1.5 x afxdp-reassembler, 3 x others";
				line($c; "gbit_per_s"; "afxdp-reassembler"; true; 1.5),
				($others[] as $o | line($c; "gbit_per_s"; $o; true; 3)))),
		(("2gbit", "11gbit") | "rx-cpu-tcp1400-\(.)" as $c
			| aim($c; "CPU at most 0.6 x";
				(("afxdp-reassembler", $others[]) as $o
				| line($c; "net_s_per_gb"; $o; false; 0.6)))),
		(("1pct", "5pct") | "rx-reorder-\(.)" as $c
			| ($all | value("xdplace"; $c; "net_s_per_gb")) as $x
			| ($all | value("xdplace"; "rx-reorder-0pct"; "net_s_per_gb")) as $b
			| select($x != null and $b != null)
			| aim($c; "CPU at most 1.1 x in order"; against([$x / $b]; false; 1.1))),
		aim("rx-tap-iperf3"; "rate at least 0.9 x pass-only";
			line("rx-tap-iperf3"; "gbit_per_s"; "pass-only"; true; 0.9)),
		""'
}

# Where a packet's time goes: differences of medians.
rx_parts()
{
	query '
		. as $all
		| def ns($s; $c; $cpu): $all | value($s; $c; "cpu\($cpu)_ns_per_packet");
		def less($a; $b): if $a == null or $b == null then null else $a - $b end;
		def sum($a; $b): if $a == null or $b == null then null else $a + $b end;
		def elsewhere($c): $all | value("xdplace"; $c; "cpu_s_per_gb") as $cpu
			| less(if $cpu == null then null else $cpu * 1400 end;
			sum(ns("xdplace"; $c; 0); ns("xdplace"; $c; 1)));
		[("rx-rate-tcp1400-1flow", "rx-rate-tcp1400-1000flows", "rx-rate-udp64",
		"rx-rate-udp512", "rx-rate-udp1400", "rx-cpu-tcp1400-2gbit",
		"rx-cpu-tcp1400-11gbit") as $c | select(ns("xdplace"; $c; 0) != null)
		| [$c, ns("generator"; $c; 0), less(ns("drop"; $c; 0); ns("generator"; $c; 0)),
		less(ns("copy-floor"; $c; 0); ns("drop"; $c; 0)),
		less(ns("xdplace-nocsum"; $c; 0); ns("copy-floor"; $c; 0)),
		less(ns("xdplace"; $c; 0); ns("xdplace-nocsum"; $c; 0)),
		ns("xdplace"; $c; 0), ns("xdplace"; $c; 1), elsewhere($c),
		ns("afxdp-reassembler"; $c; 0), ns("afxdp-reassembler"; $c; 1)]]
		| select(length > 0)
		| "| xdplace, ns a packet | generator | driver | copy | parse, flow, header, areas, completion | checksum | CPU 0 in all | consumer, CPU 1 | elsewhere | re-assembler: CPU 0 | CPU 1 |",
		"|---|---|---|---|---|---|---|---|---|---|---|",
		(.[] | "| \(.[0]) | \([.[1:][] | if . == null then "" else "\(round)" end]
			| join(" | ")) |"), ""'
	query '
		. as $all
		| def ns($s; $p; $cpu): $all
			| value($s; "rx-reorder-\($p)pct"; "cpu\($cpu)_ns_per_packet");
		def both($s; $p): ns($s; $p; 0) + ns($s; $p; 1);
		[("xdplace", "afxdp-reassembler") | select(ns(.; 0; 0) != null and
			ns(.; 1; 0) != null and ns(.; 5; 0) != null)]
		| select(length > 0)
		| "| reordering, ns a packet at 11 Gbit/s | in order: CPU 0 | CPU 1 | 1 % late: CPU 0 | CPU 1 | 5 % late: CPU 0 | CPU 1 | more for each late packet, of 1 % | of 5 % |",
		"|---|---|---|---|---|---|---|---|---|",
		(.[] as $s | "| \($s) | \([(0, 1, 5) as $p | ns($s; $p; 0, 1) | round | tostring]
			| join(" | ")) | \((both($s; 1) - both($s; 0)) * 100 | round) | \(
			(both($s; 5) - both($s; 0)) * 20 | round) |"), ""'
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
	table "flows open: memory, MiB" \
		"1,000=rx-flows-1000=mib" "10,000=rx-flows-10000=mib" \
		"100,000=rx-flows-100000=mib" "1,000,000=rx-flows-1000000=mib"
	table "reordering: CPU seconds per GB at 11 Gbit/s, without generator and driver" \
		"in order=rx-reorder-0pct=net_s_per_gb" "1 % late=rx-reorder-1pct=net_s_per_gb" \
		"5 % late=rx-reorder-5pct=net_s_per_gb"
	table "reordering: loss-free Gbit/s" \
		"in order=rx-reorder-0pct=gbit_per_s" "1 % late=rx-reorder-1pct=gbit_per_s" \
		"5 % late=rx-reorder-5pct=gbit_per_s"
	table "latency of a busy consumer, microseconds" "median=rx-latency-busy=us_median" \
		"99 %=rx-latency-busy=us_p99" "99.9 %=rx-latency-busy=us_p999"
	table "latency of a sleeping consumer, microseconds" "median=rx-latency-sleep=us_median" \
		"99 %=rx-latency-sleep=us_p99" "99.9 %=rx-latency-sleep=us_p999"
	table "iperf3, one stream, tapped" "Gbit/s=rx-tap-iperf3=gbit_per_s" \
		"sender and stack, ns a packet=rx-tap-iperf3=sender_ns_per_packet" \
		"receiver, ns=rx-tap-iperf3=receiver_ns_per_packet" \
		"xdplace's consumer, ns=rx-tap-iperf3=consumer_ns_per_packet"
	rx_aims
	rx_parts
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
