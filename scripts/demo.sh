#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# In:  what `make` built under BUILD [build]; root; nginx, curl, socat, iproute2.
# Out: real traffic being placed while it goes on, then the SHA-256 of every file beside that of
#      its placed stream, and PASS or FAIL. Exit status 0 only if all are the same.
# Promises: works in two network namespaces of its own, touches no interface and no web server of
#      this machine, and leaves nothing behind, also when interrupted; what a killed run left is
#      removed by the next.
#
#      server namespace                        client namespace
#      nginx, socat ── demo0 ═══ veth ═══ demo1 ─┬─► kernel's stack: curl, socat
#                                                └─► xdplace follow: a file for each stream
set -u
cd "$(dirname "$0")/.." || exit 1
PATH=$PATH:/usr/sbin:/sbin
export LC_ALL=C

XDPLACE=$PWD/${BUILD:-build}/xdplace
case ${BUILD:-} in /*) XDPLACE=$BUILD/xdplace ;; esac
PREFIX=xpdemo
NAME=$PREFIX$$
SERVER=$NAME-server
CLIENT=$NAME-client
BASE=${TMPDIR:-/tmp}
DIR=$BASE/$NAME
SERVER4=10.99.0.1 CLIENT4=10.99.0.2
SERVER6=fd99::1 CLIENT6=fd99::2

# name:MiB:curl's rate limit:IP version. All at once; the limits make it last long enough to see.
DOWNLOADS="iso:132:18M:4 video:64:9M:6 archive:32:5M:4 image:16:3M:6 song:8:1500K:4 text:4:800K:6"
SMALL=24      # files of odd sizes, one connection each, as fast as they go
UDP_MIB=8     # over IPv4, and as much over IPv6
UDP_PORT=500  # and the IP version: 5004, 5006
STREAMS=0 SAME=0

say()
{
	if [ -t 1 ]; then
		printf '\n\033[1m%s\033[0m\n' "$*"
	else
		printf '\n%s\n' "$*"
	fi
}

die()
{
	echo "demo: $*" >&2
	exit 1
}

# remove NAME: what the run of that name made.
remove()
{
	local namespace pids

	for namespace in "$1-server" "$1-client"; do
		[ -e "/run/netns/$namespace" ] || continue
		pids=$(ip netns pids "$namespace")
		# shellcheck disable=SC2086
		[ -z "$pids" ] || kill -KILL $pids 2>/dev/null
		ip netns del "$namespace"
	done
	rm -rf "${BASE:?}/$1"
}

remove_leftovers()
{
	local left pid

	for left in /run/netns/"$PREFIX"*-server /run/netns/"$PREFIX"*-client \
		"$BASE/$PREFIX"[0-9]*; do
		[ -e "$left" ] || continue
		left=$(basename "$left")
		left=${left%-server}
		left=${left%-client}
		pid=${left#"$PREFIX"}
		[[ $pid =~ ^[0-9]+$ ]] || continue
		grep -qs demo.sh "/proc/$pid/cmdline" && continue
		echo "removing what an earlier run left: $left"
		remove "$left"
	done
}

# shellcheck disable=SC2317 # called by traps
finish()
{
	trap - EXIT INT TERM HUP
	[ -z "${FOLLOW:-}" ] || kill -TERM "$FOLLOW" 2>/dev/null
	[ -z "${FOLLOW:-}" ] || wait "$FOLLOW" 2>/dev/null
	remove "$NAME"
	exit "$1"
}

# Not ip netns exec, which hides the pins of contexts.
on_server()
{
	nsenter --net="/run/netns/$SERVER" "$@"
}

on_client()
{
	nsenter --net="/run/netns/$CLIENT" "$@"
}

check_tools()
{
	local tool

	[ "$(id -u)" = 0 ] || die "needs root: sudo make demo"
	[ -x "$XDPLACE" ] || die "$XDPLACE is not there: make"
	for tool in ip nginx curl socat sha256sum; do
		command -v "$tool" >/dev/null || die "$tool is not installed: make dependencies"
	done
	# Files, what curl got, what was placed.
	[ "$(df --output=avail -m "$BASE" | tail -1)" -gt 1200 ] ||
		die "$BASE needs 1200 MiB of room; or set TMPDIR"
}

make_network()
{
	ip netns add "$SERVER" || die "can not make a network namespace"
	ip netns add "$CLIENT" || die "can not make a network namespace"
	ip -n "$SERVER" link add demo0 type veth peer name demo1 netns "$CLIENT" ||
		die "can not make a veth pair"
	ip -n "$SERVER" addr add "$SERVER4/24" dev demo0
	ip -n "$CLIENT" addr add "$CLIENT4/24" dev demo1
	ip -n "$SERVER" addr add "$SERVER6/64" dev demo0 nodad
	ip -n "$CLIENT" addr add "$CLIENT6/64" dev demo1 nodad
	# A queue in front of the wire: where the kernel can, a burst waits instead of being lost.
	tc -n "$SERVER" qdisc replace dev demo0 root pfifo limit 10000 2>/dev/null
	ip -n "$SERVER" link set lo up
	ip -n "$SERVER" link set demo0 up
	ip -n "$CLIENT" link set lo up
	ip -n "$CLIENT" link set demo1 up
}

make_files()
{
	local download name mib i

	mkdir -p "$DIR"/{www,got,placed,nginx}
	for download in $DOWNLOADS; do
		IFS=: read -r name mib _ <<<"$download"
		head -c "${mib}M" /dev/urandom >"$DIR/www/$name"
	done
	for ((i = 1; i <= SMALL; i++)); do
		head -c $((i * i * 997)) /dev/urandom >"$DIR/www/small$i"
	done
	head -c "${UDP_MIB}M" /dev/urandom >"$DIR/www/udp4"
	head -c "${UDP_MIB}M" /dev/urandom >"$DIR/www/udp6"
}

start_server()
{
	local i

	cat >"$DIR/nginx/nginx.conf" <<-END
		user root;
		daemon off;
		worker_processes 1;
		pid $DIR/nginx/pid;
		error_log $DIR/nginx/error.log;
		events { worker_connections 512; }
		http {
			access_log off;
			sendfile on;
			client_body_temp_path $DIR/nginx/body;
			proxy_temp_path $DIR/nginx/proxy;
			fastcgi_temp_path $DIR/nginx/fastcgi;
			uwsgi_temp_path $DIR/nginx/uwsgi;
			scgi_temp_path $DIR/nginx/scgi;
			server {
				listen $SERVER4:80;
				listen [$SERVER6]:80;
				root $DIR/www;
			}
		}
	END
	nsenter --net="/run/netns/$SERVER" nginx -p "$DIR/nginx" -e "$DIR/nginx/error.log" \
		-c "$DIR/nginx/nginx.conf" &
	disown
	for ((i = 0; i < 50; i++)); do
		on_client curl -s -o /dev/null "http://$SERVER4/small1" && return
		sleep 0.1
	done
	cat "$DIR/nginx/error.log" >&2
	die "nginx does not answer"
}

start_follow()
{
	local i

	# Not by a function: a signal must reach follow itself.
	nsenter --net="/run/netns/$CLIENT" "$XDPLACE" follow demo1 -n "$NAME" -o "$DIR/placed" --json \
		--stats-at-end >"$DIR/flows.json" 2>"$DIR/follow.log" &
	FOLLOW=$!
	for ((i = 0; i < 100; i++)); do
		# The name of the context contains that of the interface.
		on_client "$XDPLACE" status -n "$NAME" 2>/dev/null | grep -q 'interface demo1:' && return
		kill -0 "$FOLLOW" 2>/dev/null || break
		sleep 0.1
	done
	cat "$DIR/follow.log" >&2
	FOLLOW=
	die "xdplace follow does not start"
}

# fetch NAME RATE VERSION: download, and note from which port.
fetch()
{
	local host=$SERVER4

	[ "$3" = 4 ] || host="[$SERVER6]"
	on_client curl -s -S -o "$DIR/got/$1" --limit-rate "$2" -w '%{local_port}' \
		"http://$host/$1" >"$DIR/got/$1.port"
}

fetch_small()
{
	local i

	for ((i = 1; i <= SMALL; i++)); do
		fetch "small$i" 100M $((i % 2 ? 4 : 6)) &
		# Eight at a time.
		((i % 8)) || wait
	done
	wait
}

# The sender has no one to slow it down: pace it, as any sane sender of datagrams would.
send_paced()
{
	local i

	for ((i = 0; i < UDP_MIB * 64; i++)); do
		dd if="$DIR/www/$1" bs=16k skip="$i" count=1 status=none
		sleep 0.004
	done
}

# transfer NAME ADDRESS VERSION: to the client by UDP. 1:33 is SO_RCVBUFFORCE: room for all of it.
transfer()
{
	on_client socat -u -T 3 "UDP$3-RECV:$UDP_PORT$3,setsockopt-listen=1:33:i33554432" \
		"CREATE:$DIR/got/$1" &
	sleep 0.3
	send_paced "$1" |
		on_server socat -u -b 1400 - "UDP$3-SENDTO:$2:$UDP_PORT$3,sourceport=$UDP_PORT$3"
	wait
}

start_traffic()
{
	local download name rate version

	TRAFFIC=()
	for download in $DOWNLOADS; do
		IFS=: read -r name _ rate version <<<"$download"
		fetch "$name" "$rate" "$version" &
		TRAFFIC+=($!)
	done
	fetch_small &
	TRAFFIC+=($!)
	transfer udp4 "$CLIENT4" 4 &
	TRAFFIC+=($!)
	transfer udp6 "[$CLIENT6]" 6 &
	TRAFFIC+=($!)
}

traffic_runs()
{
	local pid

	for pid in "${TRAFFIC[@]}"; do
		kill -0 "$pid" 2>/dev/null && return 0
	done
	return 1
}

# "NAME COUNT" lines below one that begins with $1, up to an empty one, as one line; zeroes left out.
one_line()
{
	awk -v title="$1" '$1 == title { on = 1; next } !NF { on = 0 }
		on && $2 > 0 { printf "  %s %s", $1, $2 } END { print "" }'
}

show_progress()
{
	say "--- after ${SECONDS}s: flow table, op-codes, areas"
	# One sample of top lasts a second.
	on_client "$XDPLACE" top -n "$NAME" --batch --count 1 --rows 8 || return
	printf 'op-codes:   %s\n' "$(on_client "$XDPLACE" stats -n "$NAME" | one_line OP-CODE)"
	on_client "$XDPLACE" area list -n "$NAME" >"$DIR/areas"
	printf 'areas:      %s\n' "$(one_line STATE <"$DIR/areas")"
	printf 'placed into:%s\n' "$(one_line PLACED <"$DIR/areas")"
}

stop_follow()
{
	kill -TERM "$FOLLOW"
	wait "$FOLLOW" || FAILED="xdplace follow ended with exit code $?"
	FOLLOW=
}

sum()
{
	sha256sum | cut -d' ' -f1
}

# A placed HTTP stream begins with the response's headers: its body comes after the empty line.
# shellcheck disable=SC2317 # called by name
body()
{
	local header

	header=$(head -c 65536 "$1" | sed '/^\r$/q' | wc -c)
	tail -c +$((header + 1)) "$1"
}

# row NAME FILE'S-SUM PLACED-SUM KERNEL'S-SUM
row()
{
	local verdict=DIFFERENT

	if [ "$2" != "$4" ]; then
		verdict="(what the kernel delivered is not the file)"
	elif [ "$2" = "$3" ]; then
		verdict=same
		SAME=$((SAME + 1))
	fi
	STREAMS=$((STREAMS + 1))
	printf '%-8s %s %s %s\n' "$1" "$2" "${3:-(no file)}" "$verdict"
}

# compare NAME PLACED-FILE COMMAND: COMMAND gives the bytes of the placed file to compare.
compare()
{
	local placed=$DIR/placed/$2 got

	got=$(sum <"$DIR/got/$1")
	[ -f "$placed" ] && placed=$("$3" "$placed" | sum) || placed=
	row "$1" "$(sum <"$DIR/www/$1")" "$placed" "$got"
}

compare_http()
{
	local source="${SERVER4}_80-${CLIENT4}"

	[ "$2" = 4 ] || source="${SERVER6}_80-${CLIENT6}"
	compare "$1" "tcp_${source}_$(cat "$DIR/got/$1.port")" body
}

compare_all()
{
	local download name version i

	printf '%-8s %-64s %s\n' NAME "SHA-256 OF THE FILE" "SHA-256 OF THE PLACED STREAM"
	for download in $DOWNLOADS; do
		IFS=: read -r name _ _ version <<<"$download"
		compare_http "$name" "$version"
	done
	for ((i = 1; i <= SMALL; i++)); do
		compare_http "small$i" $((i % 2 ? 4 : 6))
	done
	compare udp4 "udp_${SERVER4}_${UDP_PORT}4-${CLIENT4}_${UDP_PORT}4" cat
	compare udp6 "udp_${SERVER6}_${UDP_PORT}6-${CLIENT6}_${UDP_PORT}6" cat
}

gaps()
{
	grep -c '"gaps":\[{' "$DIR/flows.json"
}

summarize()
{
	local mib

	mib=$(($(cat "$DIR"/placed/* | wc -c) / 1048576))
	say "$SAME of $STREAMS streams are the same as file, as placed and as the kernel's stack" \
		"delivered them; $mib MiB placed, $(gaps) flows with gaps, in $SECONDS s"
	if [ -n "${FAILED:-}" ]; then
		cat "$DIR/follow.log" >&2
		echo "$FAILED"
	fi
	if [ -z "${FAILED:-}" ] && [ "$SAME" = "$STREAMS" ] && [ "$mib" -ge 256 ]; then
		echo "demo: PASS"
		return 0
	fi
	echo "demo: FAIL"
	return 1
}

check_tools
remove_leftovers
trap 'finish $?' EXIT
trap 'echo "demo: interrupted, cleaning up" >&2; finish 130' INT
trap 'finish 143' TERM HUP

say "Two network namespaces, a veth pair between them; nginx and socat on the server's side"
make_network
make_files
start_server

say "xdplace follow on the client's end, in tap mode: the client's programs notice nothing"
start_follow
on_client "$XDPLACE" status -n "$NAME"

say "curl downloads $((6 + SMALL)) files over IPv4 and IPv6, socat gets two by UDP"
start_traffic
while traffic_runs; do
	show_progress
done
wait "${TRAFFIC[@]}"

say "What follow said"
stop_follow
cat "$DIR/follow.log"

say "Side by side"
compare_all
summarize
exit $?
