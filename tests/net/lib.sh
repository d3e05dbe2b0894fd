# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# lib.sh - what the tests with real traffic share; sourced by each t_*.sh.
#
#   direct:     client c0 ------------------------------ s0 server
#   with path:  client c0 ---- p0 path (injector) p1 ---- s0 server
#
#   client 10.77.0.2 fd77::2, server 10.77.0.1 fd77::1; placement happens on c0 unless said
#   otherwise, so that what the server sends is what gets placed.
#
# In:  BUILD, the build directory; XPT_SLOW, by which limits of time are multiplied [1].
# Out: lines "ok NAME [R1 R2]", "not ok NAME [R1]: why", "skip NAME [R1]: why".
# Promises: everything made here carries the prefix xpt-PID (namespaces, contexts, pins,
# directories) and is gone when the test ends, also by signal; what a killed test left behind is
# removed by the next one, never what belongs to a test still running.
#
# A test case is a function that returns 0, or says why not on stdout and returns something else:
#	run_case curl_native_ipv4 "R4 R11" download native 4

set -u

TESTS_NET=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
ROOT=$(cd "$TESTS_NET/../.." && pwd)
BUILD=${BUILD:-build}
case $BUILD in /*) ;; *) BUILD=$ROOT/$BUILD ;; esac
TOOLS=$BUILD/tests
XDPLACE=${XDPLACE:-$BUILD/xdplace}
export LC_ALL=C
export PATH=$PATH:/usr/sbin:/sbin

# How many times slower than usual this machine may be: an emulated one is. It is also looked less
# often at what is waited for, or looking is all it does, and large volumes are so much smaller.
SLOW=${XPT_SLOW:-1}
PAUSE=$((SLOW / 10)).$((SLOW % 10))

PREFIX=xpt-$$
CONTEXT=$PREFIX
# shellcheck disable=SC2034  # for the tests
CLIENT4=10.77.0.2 CLIENT6=fd77::2
SERVER4=10.77.0.1 SERVER6=fd77::1
WORK=

# ---- results ----

ok()
{
	echo "ok $1 [$2]"
}

not_ok()
{
	echo "not ok $1 [$2]: $(tr -s '\n\t ' ' ' <<<"$3" | head -c 700)"
}

skip()
{
	echo "skip $1 [$2]: $3"
}

# NAME IDS FUNCTION [ARG...]: the function runs in this shell, so that it may set variables.
run_case()
{
	local name=$1 ids=$2

	shift 2
	if "$@" >"$WORK/why" 2>&1; then
		ok "$name" "$ids"
	else
		not_ok "$name" "$ids" "$(grep -v '^[[:space:]]*$' "$WORK/why" | tail -n 12)"
		# What it has pinned is in the way of the next one.
		rm -rf "/sys/fs/bpf/xdplace/$CONTEXT"
		[ -n "${XPT_KEEP:-}" ] && cp -r "$WORK" "/tmp/$PREFIX-$name"
	fi
	stop_all
	return 0
}

# For the middle of a case: say why and fail it.
no()
{
	echo "$*"
	return 1
}

# ---- leftovers ----

# Is this the number of a test that is still running?
test_runs()
{
	[ -r "/proc/$1/cmdline" ] && tr '\0' ' ' <"/proc/$1/cmdline" | grep -q 'tests/net\|/t_[a-z_]*\.sh'
}

remove_namespace()
{
	local pid

	for pid in $(ip netns pids "$1" 2>/dev/null); do
		kill -KILL "$pid" 2>/dev/null
	done
	ip netns del "$1" 2>/dev/null
}

# What belongs to xpt-PID: $1.
remove_all()
{
	local name

	for name in $(ip netns list 2>/dev/null | grep -o "^$1-[a-z0-9]*"); do
		remove_namespace "$name"
	done
	for name in /sys/fs/bpf/xdplace/"$1"*; do
		[ -e "$name" ] && rm -rf "$name"
	done
	mountpoint -q "/tmp/$1/small" && umount -l "/tmp/$1/small"
	rm -rf "/tmp/$1" "/dev/shm/$1"
}

remove_leftovers()
{
	local pid

	for pid in $( { ip netns list 2>/dev/null; ls /tmp /dev/shm /sys/fs/bpf/xdplace 2>/dev/null; } |
		sed -n 's/^xpt-\([0-9]*\).*/\1/p' | sort -u); do
		[ "$pid" = "$$" ] || test_runs "$pid" || remove_all "xpt-$pid"
	done
}

# ---- processes ----

declare -A PIDS=()

# NAME COMMAND...: in the background, output in $WORK/NAME.out and .err; $! is the program itself.
spawn()
{
	local name=$1

	shift
	rm -f "$WORK/$name.out" "$WORK/$name.err" # or "ready" is read that an earlier one has said
	"$@" >"$WORK/$name.out" 2>"$WORK/$name.err" </dev/null &
	PIDS[$name]=$!
}

# The same in a namespace of ours. Only the network is another one: the BPF file system stays.
spawn_in()
{
	local name=$1 role=$2

	shift 2
	spawn "$name" nsenter --net="/run/netns/$PREFIX-$role" "$@"
}

in_ns()
{
	local role=$1

	shift
	nsenter --net="/run/netns/$PREFIX-$role" "$@"
}

runs()
{
	[ -n "${PIDS[$1]:-}" ] && kill -0 "${PIDS[$1]}" 2>/dev/null
}

# NAME [SIGNAL [SECONDS]]: end it, wait, return its exit status; 124 if it had to be killed.
stop()
{
	local pid=${PIDS[$1]:-} signal=${2:-TERM} looks=$((10 * ${3:-30})) killed='' status

	[ -n "$pid" ] || return 0
	unset "PIDS[$1]"
	kill "-$signal" "$pid" 2>/dev/null
	while kill -0 "$pid" 2>/dev/null; do
		if [ $((looks--)) -le 0 ]; then
			kill -KILL "$pid" 2>/dev/null
			killed=yes
			break
		fi
		sleep $PAUSE
	done
	wait "$pid" 2>/dev/null
	status=$?
	[ -z "$killed" ] || status=124
	return "$status"
}

stop_all()
{
	local name

	for name in "${!PIDS[@]}"; do
		kill -CONT "${PIDS[$name]}" 2>/dev/null
		stop "$name" TERM 3
	done
	return 0
}

# SECONDS COMMAND...: try until it succeeds.
wait_for()
{
	local looks=$((10 * $1))

	shift
	until "$@" >/dev/null 2>&1; do
		[ $((looks--)) -gt 0 ] || return 1
		sleep $PAUSE
	done
}

# NAME SECONDS COMMAND...: the same, but give up when NAME has ended.
wait_ready()
{
	local name=$1 looks=$((10 * $2))

	shift 2
	until "$@" >/dev/null 2>&1; do
		[ $((looks--)) -gt 0 ] && runs "$name" || return 1
		sleep $PAUSE
	done
}

# ---- start and end of a test ----

finish()
{
	local status=$?

	trap - EXIT INT TERM HUP
	stop_all
	remove_all "$PREFIX"
	exit "$status"
}

# Bytes of memory that a test may fill with files, else they go to disk. What tests beside this one
# have been promised counts as taken: they may not have filled it yet.
shared_memory_has()
{
	local available room want

	want=$(cat /dev/shm/xpt-*/wanted 2>/dev/null | awk -v own="$1" '{n += $1} END {printf "%.0f\n", n + own}')
	available=$(awk '/^MemAvailable/ {print $2}' /proc/meminfo)
	room=$(df -k --output=avail /dev/shm 2>/dev/null | tail -n 1)
	[ "${available:-0}" -gt $((want * 2 / 1024)) ] && [ "${room:-0}" -gt $((want / 1024)) ]
}

# [BYTES of files this test makes]
setup()
{
	local bytes=${1:-268435456}

	if [ "$(id -u)" -ne 0 ]; then
		skip "$(basename "$0" .sh)" - "needs root"
		exit 0
	fi
	remove_leftovers
	WORK=/tmp/$PREFIX
	shared_memory_has "$bytes" && WORK=/dev/shm/$PREFIX
	rm -rf "$WORK"
	mkdir -m 700 "$WORK" || exit 1
	[ "$WORK" = "/tmp/$PREFIX" ] || echo "$bytes" >"$WORK/wanted"
	trap finish EXIT
	trap 'exit 130' INT
	trap 'exit 143' TERM HUP
	if [ ! -x "$XDPLACE" ]; then
		not_ok "$(basename "$0" .sh)" - "$XDPLACE is not built"
		exit 1
	fi
}

# ---- topologies ----

make_namespace()
{
	local ns=$PREFIX-$1

	ip netns add "$ns" || return
	ip -n "$ns" link set lo up
	ip netns exec "$ns" sysctl -qw net.ipv6.conf.all.accept_dad=0 \
		net.ipv6.conf.default.accept_dad=0 net.ipv6.conf.all.router_solicitations=0 \
		net.ipv6.conf.default.router_solicitations=0 2>/dev/null
	# Receivers never have more than half of our window open: then every hole can be waited for, and
	# a gap in a test without overload is a fault.
	ip netns exec "$ns" sysctl -qw net.ipv4.tcp_rmem="4096 131072 524288"
	return 0
}

# ROLE IF ROLE IF QUEUES MTU
make_veth()
{
	ip -n "$PREFIX-$1" link add "$2" numrxqueues "$5" numtxqueues "$5" mtu "$6" type veth \
		peer name "$4" netns "$PREFIX-$3" numrxqueues "$5" numtxqueues "$5" mtu "$6" || return
	ip -n "$PREFIX-$1" link set "$2" up && ip -n "$PREFIX-$3" link set "$4" up
}

# ROLE IF NET HOST: addresses 10.NET.0.HOST and fdNET::HOST
add_addresses()
{
	ip -n "$PREFIX-$1" addr add "10.$3.0.$4/24" dev "$2" &&
		ip -n "$PREFIX-$1" addr add "fd$3::$4/64" dev "$2" nodad
}

# ROLE IF: whole packets with whole checksums leave here, as from a machine of its own.
offloads_off()
{
	in_ns "$1" ethtool -K "$2" tx off tso off gso off gro off >/dev/null 2>&1
}

topology_down()
{
	local role

	stop_all
	for role in client server path; do
		ip netns list | grep -q "^$PREFIX-$role\b" && remove_namespace "$PREFIX-$role"
	done
	return 0
}

# [QUEUES [MTU]]
topology_direct()
{
	topology_down
	make_namespace client && make_namespace server &&
		make_veth client c0 server s0 "${1:-1}" "${2:-1500}" &&
		add_addresses client c0 77 2 && add_addresses server s0 77 1
}

# [MTU]; the injector is started by each case: injector_start.
topology_path()
{
	topology_down
	make_namespace client && make_namespace path && make_namespace server || return
	ip netns exec "$PREFIX-path" sysctl -qw net.ipv6.conf.all.disable_ipv6=1 \
		net.ipv6.conf.default.disable_ipv6=1
	make_veth client c0 path p0 1 "${1:-1500}" && make_veth server s0 path p1 1 "${1:-1500}" &&
		add_addresses client c0 77 2 && add_addresses server s0 77 1 &&
		offloads_off client c0 && offloads_off server s0 &&
		offloads_off path p0 && offloads_off path p1
}

# Options of the injector; "forward" is client to server, "back" what gets placed.
injector_start()
{
	spawn_in injector path "$TOOLS/injector" "$@" p0 p1
	wait_ready injector 5 grep -q ready "$WORK/injector.out" || no "injector: $(cat "$WORK/injector.err")"
}

# Its counts are in $WORK/injector.json then.
injector_stop()
{
	stop injector TERM 5
	grep '^{' "$WORK/injector.out" >"$WORK/injector.json" || no "injector: no report"
}

# A faulty path that was not faulty proves nothing.
injector_did()
{
	local fault

	for fault; do
		jq -e ".back.$fault > 0" "$WORK/injector.json" >/dev/null ||
			no "the injector had no $fault packet: $(cat "$WORK/injector.json")" || return
	done
}

server_of()
{
	[ "$1" = 4 ] && echo "$SERVER4" || echo "$SERVER6"
}

client_of()
{
	[ "$1" = 4 ] && echo "$CLIENT4" || echo "$CLIENT6"
}

# As curl, ssh and socat want it within an address with a port.
bracketed()
{
	[ "$1" = 4 ] && echo "$SERVER4" || echo "[$SERVER6]"
}

# ---- files ----

# NAME BYTES SEED: the same bytes every time, none like another.
make_file()
{
	mkdir -p "$(dirname "$1")"
	head -c "$2" /dev/zero | openssl enc -aes-128-ctr -nosalt \
		-K "$(printf '%032x' "$3")" -iv 00000000000000000000000000000000 >"$1"
}

size_of()
{
	stat -c %s "$1" 2>/dev/null || echo 0
}

# ---- servers ----

port_open()
{
	in_ns "$1" ss -Hltn "sport = :$2" | grep -q .
}

# PORT: serves $WORK/www to IPv4 and IPv6; each response names its file and ends its connection.
http_start()
{
	mkdir -p "$WORK/www" "$WORK/nginx"
	cat >"$WORK/nginx.conf" <<-END
		daemon off;
		master_process off;
		pid $WORK/nginx/pid;
		error_log $WORK/nginx/error;
		events { worker_connections 2048; }
		http {
			access_log off;
			sendfile on;
			keepalive_timeout 0;
			client_body_temp_path $WORK/nginx/body;
			proxy_temp_path $WORK/nginx/proxy;
			fastcgi_temp_path $WORK/nginx/fastcgi;
			uwsgi_temp_path $WORK/nginx/uwsgi;
			scgi_temp_path $WORK/nginx/scgi;
			server {
				listen $1 backlog=1024;
				listen [::]:$1 ipv6only=on backlog=1024;
				root $WORK/www;
				add_header X-File \$uri;
			}
		}
	END
	spawn_in nginx server nginx -p "$WORK/nginx" -e "$WORK/nginx/error" -c "$WORK/nginx.conf"
	wait_ready nginx 10 port_open server "$1" ||
		no "nginx does not start: $(tail -n 3 "$WORK/nginx/error" "$WORK/nginx.err" 2>&1)"
}

iperf_start()
{
	spawn_in iperf server iperf3 -s -p "$1"
	wait_ready iperf 10 port_open server "$1" || no "iperf3 does not start: $(cat "$WORK/iperf.err")"
}

# ---- placing ----

# So that a machine with many CPUs does not divide the memory into small shares, and a slow one has
# room for whole downloads.
FOLLOW_OPTIONS=(--lanes 2 --umem-size 512M --ring 262144)

has_program()
{
	ip -n "$PREFIX-$1" -d link show "$2" | grep -q 'prog/xdp'
}

program_mode()
{
	case $(ip -n "$PREFIX-$1" link show "$2") in
	*xdpgeneric*) echo skb ;;
	*xdpoffload*) echo offload ;;
	*xdp*) echo native ;;
	*) echo none ;;
	esac
}

# NAME ROLE IF MODE RULE [OPTION...]: streams appear in $WORK/NAME/, the report in
# $WORK/NAME.out, one line of JSON for each flow.
follow_start()
{
	local name=$1 role=$2 interface=$3 mode=$4 rule=$5

	shift 5
	rm -rf "${WORK:?}/$name"
	mkdir "$WORK/$name"
	spawn_in "$name" "$role" "$XDPLACE" follow -n "$CONTEXT-${name:0:3}" -o "$WORK/$name" --json -m "$mode" \
		--rule "$rule" "${FOLLOW_OPTIONS[@]}" "$@" "$interface"
	if ! wait_ready "$name" 15 has_program "$role" "$interface"; then
		no "follow did not attach to $interface: $(tail -n 3 "$WORK/$name.err")"
		return
	fi
	[ "$(program_mode "$role" "$interface")" = "$mode" ] ||
		no "asked for $mode mode, the kernel says $(program_mode "$role" "$interface")"
}

# NAME ROLE IF: ends it the way a person does, and looks at what it leaves.
follow_stop()
{
	local status

	runs "$1" || no "follow ended early: $(tail -n 3 "$WORK/$1.err")" || return
	stop "$1" INT 30
	status=$?
	[ "$status" -eq 0 ] || no "follow: exit status $status: $(tail -n 3 "$WORK/$1.err")" || return
	has_program "$2" "$3" && no "program still on $3 after follow" && return 1
	return 0
}

# NAME KEY [FILTER]: of the flow whose file is KEY, what the filter picks of its report.
flow_report()
{
	jq -r --arg file "$2" "select((.file // \"\") | sub(\".*/\"; \"\") == \$file) | ${3:-.}" \
		"$WORK/$1.out" 2>/dev/null
}

# NAME [GLOB]: no flow of the report has a gap.
no_gaps()
{
	local gaps

	gaps=$(jq -c 'select((.gaps // []) | length > 0) | {file, gaps}' "$WORK/$1.out") ||
		no "follow's report is not JSON: $(head -c 200 "$WORK/$1.out")" || return
	[ -z "$gaps" ] || no "gaps: $(head -c 400 <<<"$gaps")"
}

# NAME KEY: its gaps as the words OFFSET:LENGTH
gaps_of()
{
	flow_report "$1" "$2" '(.gaps // [])[] | "\(.offset):\(.length)"'
}

# NAME KEY DELIVERED: what was placed is what was delivered, less the gaps that are reported.
same_or_gap()
{
	local gaps

	mapfile -t gaps < <(gaps_of "$1" "$2")
	"$TOOLS/same" "$WORK/$1/$2" "$3" "${gaps[@]}"
}
