# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# shellcheck shell=dash
#
# guest.sh - what is tried on each kernel, in the guest (see init).
#
# In: programs in /xdplace, where they were built. Out: lines "ok NAME", "not ok NAME" and
# "skip NAME: WHY". Promises: each test cleans up after itself, none needs the one before.

# What the host had not built can not be tried.
need() { # NAME PROGRAM
	[ -x "/xdplace/$2" ] || [ -x "/xdplace/tests/$2" ] || [ -x "/usr/bin/$2" ] && return 0
	echo "skip $1: $2 is not built, or not installed"
	return 1
}

# The machine itself: it boots, has BTF (for CO-RE and named fields), and the bpf file system.
test_boot() {
	if [ -r /sys/kernel/btf/vmlinux ] && grep -q ' /sys/fs/bpf bpf ' /proc/mounts; then
		echo "ok boot"
	else
		echo "not ok boot: no BTF, or no bpf file system"
	fi
}

# The verifier accepts every program in every shape.
test_load() {
	need load load_object || return
	# shellcheck disable=SC2046,SC2154 # words wanted; a kernel parameter
	load_object $(echo "$shapes" | tr , ' ')
}

# The library's way to load: sizes, knobs and steps as it finds them here, and its self-test.
test_open() {
	need open open_context || return
	open_context
}

# What xdplace says of the kernel itself.
test_doctor() {
	need doctor xdplace || return
	if xdplace doctor > /tmp/doctor; then
		echo "ok doctor"
	else
		echo "not ok doctor: exit code $?"
	fi
	grep -v ^ok /tmp/doctor
}

# Not busybox' own, which it prefers and which knows no veth.
ip() {
	/usr/bin/ip "$@"
}

# Once a second: here looking is dear.
wait_for() { # SECONDS COMMAND...
	local left=$1
	shift
	while ! "$@" > /dev/null 2>&1; do
		left=$((left - 1))
		[ $left -gt 0 ] || return 1
		sleep 1
	done
}

# ---- wires: place0 here, peer0 in a namespace of its own, in $WIRE's way ----

# What is left of another one is gone as well: cards come back from a namespace by themselves.
wire_down() {
	[ -n "$RELAY" ] && kill "$RELAY" && wait "$RELAY"
	RELAY=
	for name in place0 base0 v0 v1; do
		case $(readlink "/sys/class/net/$name/device/driver") in
		'') ip link del "$name" 2> /dev/null ;;
		*)
			# Linux 6.1 renames no interface that is up.
			ip address flush dev "$name" && ip link set "$name" down
			ip link set "$name" name "near$KIND"
			;;
		esac
	done
	if ip -n peer link set peer0 down 2> /dev/null; then
		ip -n peer link set peer0 name "far$KIND" netns 1 2> /dev/null
	fi
	ip netns del peer 2> /dev/null
}

wire_veth() {
	ip link add place0 type veth peer name peer0 && ip link set peer0 netns peer
}

# Two slaves each; the one in use is switched off while traffic runs.
wire_bond() {
	local i
	ip link add place0 type bond mode active-backup miimon 100 &&
		ip -n peer link add peer0 type bond mode active-backup miimon 100 || return
	for i in 0 1; do
		ip link add v$i type veth peer name p$i netns peer &&
			ip link set v$i master place0 && ip -n peer link set p$i master peer0 || return
	done
}

wire_vlan() {
	ip link add base0 type veth peer name base1 && ip link set base1 netns peer &&
		ip link add link base0 name place0 type vlan id 7 &&
		ip -n peer link add link base1 name peer0 type vlan id 7 &&
		ip link set base0 up && ip -n peer link set base1 up
}

# Two taps, and a process that carries frames from one to the other.
wire_tap() {
	/usr/bin/socat -b 65536 TUN,tun-type=tap,iff-no-pi,tun-name=place0,iff-up \
		TUN,tun-type=tap,iff-no-pi,tun-name=peer0 > /tmp/relay 2>&1 &
	RELAY=$!
	wait_for 60 ip link show peer0 && ip link set peer0 netns peer
}

wire_netem() {
	wire_veth && ip netns exec peer /usr/bin/ethtool -K peer0 tx off tso off gso off > /dev/null &&
		ip netns exec peer /usr/bin/tc qdisc add dev peer0 root netem limit 10000 \
			delay 4ms 2ms reorder 5% 50% loss 1% duplicate 1%
}

# The two cards that QEMU has given addresses which end in KIND:00 and KIND:01.
card() { # LAST BYTE
	local address
	for address in /sys/class/net/*/address; do
		grep -q "52:54:00:00:0$KIND:0$1" "$address" && basename "$(dirname "$address")" && return
	done
	return 1
}

wire_card() {
	local near far
	near=$(card 0) && far=$(card 1) || return
	ip link set "$near" down && ip link set "$far" down && ip link set "$near" name place0 &&
		ip link set "$far" name peer0 netns peer
}

# 10.9.0.1 here, 10.9.0.2 there. Merging is off, as doctor wants it: cards and bonds begin with it.
wire_up() {
	ip netns add peer && "wire_$WIRE" || return
	/usr/bin/ethtool -K place0 lro off rx-gro-hw off > /dev/null 2>&1
	ip address add 10.9.0.1/24 dev place0 &&
		ip link set place0 mtu "${1:-1500}" up &&
		ip -n peer address add 10.9.0.2/24 dev peer0 &&
		ip -n peer link set peer0 mtu "${1:-1500}" up && wait_for 120 ping -c 1 -W 1 10.9.0.2
}

# ---- traffic ----

same() { # NAME FILE FILE
	if cmp "$2" "$3"; then
		echo "ok $1"
	else
		echo "not ok $1: $2 and $3 are not the same"
		bad=1
	fi
}

# One of the streams has the bytes of FILE: others may be those of flows before.
placed() { # NAME PATTERN FILE
	local file
	for file in /tmp/streams/$2; do
		cmp -s "$file" "$3" && echo "ok $1" && return
	done
	echo "not ok $1: none like $2 is the same as $3, $(wc -c < "$3") bytes:" /tmp/streams/*
	bad=1
}

# In generic mode each CPU shows a packet to the program and takes it to its socket by itself: two
# that arrive on two CPUs may change places in between, and nobody is wrong.
placed_datagrams() { # NAME MODE PATTERN FILE
	local file moved
	for file in /tmp/streams/$3; do
		[ "$2" = skb ] && ! cmp -s "$file" "$4" && moved=$(datagrams compare "$file" "$4") &&
			echo "ok $1: $moved" && return
	done
	placed "$1" "$3" "$4"
}

attached() {
	ip link show place0 | grep -q xdp
}

ended() {
	! kill -0 "$1" 2> /dev/null
}

attached_or_ended() {
	attached || ended "$1"
}

# Is there a socket of this kind (t, u) with this port?
bound() { # KIND PORT
	netstat -"$1"an | grep -q ":$2 "
}

# Is what status tells what the kernel has?
mode_is() { # MODE
	xdplace status > /tmp/status 2>&1
	grep -q "interface place0: $1 mode" /tmp/status || return
	case $1 in
	native) ip link show place0 | grep -q ' xdp[ /]' ;;
	skb) ip link show place0 | grep -q xdpgeneric ;;
	esac
}

seen() { # MODE WHAT
	[ -n "$DRIVER" ] && echo "# seen $DRIVER $1$2"
}

# ---- the context that places on every wire: see hold_context ----

HOLDER=

hold() {
	[ -z "$HOLDER" ] || return 0
	rm -f /tmp/asked
	mkfifo /tmp/asked
	hold_context wires < /tmp/asked > /tmp/answers 2>&1 &
	HOLDER=$!
	exec 7<> /tmp/asked # both: to write must not end us when nobody reads
	wait_for 300 grep -q . /tmp/answers
	grep -q '^ready' /tmp/answers
}

answered() { # LINES BEFORE
	[ "$(wc -l < /tmp/answers)" -gt "$1" ]
}

# The answer is the last line of /tmp/answers then.
ask() { # COMMAND
	local lines
	lines=$(wc -l < /tmp/answers)
	echo "$1" >&7
	wait_for 300 answered "$lines"
	tail -n 1 /tmp/answers | grep -q '^done'
}

# Real traffic in tap mode: TCP and UDP from the peer to here, followed into files. What was placed
# is what the kernel's stack delivered, and of TCP, what was sent; of UDP too, if the wire is a good
# one.
traffic() { # NAME
	rm -rf /tmp/got_*
	dd if=/dev/urandom of=/tmp/tcp bs=1M count="$MEGABYTES" 2> /dev/null
	dd if=/dev/urandom of=/tmp/udp bs=1000 count=1000 2> /dev/null
	# Attaching may take the link down for a while.
	wait_for 120 ping -c 1 -W 1 10.9.0.2
	exchange
}

# What MODE said, what was followed, what the stack got.
judge() { # NAME MODE
	bad=''
	placed "$1_tcp" 'tcp_10.9.0.2_*-10.9.0.1_9000*' /tmp/tcp
	placed_datagrams "$1_udp" "$2" 'udp_10.9.0.2_*-10.9.0.1_9001*' /tmp/got_udp
	same "$1_stack_tcp" /tmp/tcp /tmp/got_tcp
	[ -n "$LOSSY" ] || same "$1_stack_udp" /tmp/udp /tmp/got_udp
	grep -q 'gaps: 0 ' /tmp/follow || { echo "not ok $1_gaps: $(tail -n 4 /tmp/follow)" && bad=1; }
	if [ -n "$bad" ]; then
		cat /tmp/follow
		xdplace stats -v 2>&1 | grep -E 'gap|ring_full|no_area|busy|checksum'
		seen "$2" ": FAILED"
	else
		grep '^xdplace follow' /tmp/follow
		seen "$2" "$SEEN"
	fi
}

# A context of its own, as a user has it.
follow() { # NAME MTU MODE OPTION...
	local name=$1 mtu=$2 mode=$3 placing
	shift 3
	need "$name" xdplace && need "$name" datagrams || return
	if ! wire_up "$mtu" 2> /tmp/wire; then
		echo "skip $name: no $WIRE: $(tail -n 1 /tmp/wire)"
		wire_down
		return
	fi
	rm -rf /tmp/streams
	xdplace follow -m "$mode" --hole-age 60s "$@" -o /tmp/streams --stats-at-end place0 > /tmp/follow 2>&1 &
	placing=$!
	wait_for 300 attached_or_ended $placing
	if attached; then
		traffic
		kill -INT $placing
		wait $placing
		judge "$name" "$mode"
	else
		kill $placing 2> /dev/null
		echo "not ok $name: not attached: $(tail -n 3 /tmp/follow | tr '\n' ' ')"
		seen "$mode" ": FAILED"
	fi
	wire_down
}

# The shared context, on this wire for as long as it takes.
place() { # NAME MODE
	local placing
	if ! hold; then
		echo "not ok $1: no context: $(tail -n 1 /tmp/answers)"
		return
	fi
	if ! wire_up 2> /tmp/wire; then
		echo "skip $1: no $WIRE: $(tail -n 1 /tmp/wire)"
		wire_down
		return
	fi
	if ! ask "attach place0 $2"; then
		not_attached "$1" "$2"
		wire_down
		return
	fi
	mode_is "$2" || echo "not ok $1_status: $(grep place0 /tmp/status)"
	rm -rf /tmp/streams
	xdplace follow -n wires -o /tmp/streams > /tmp/follow 2>&1 &
	placing=$!
	traffic
	kill -INT $placing
	wait $placing
	judge "$1" "$2"
	ask 'detach place0' || echo "not ok $1_detach: $(tail -n 1 /tmp/answers)"
	wire_down
}

# In the middle of it, however fast this machine is. At the far end: a veth that goes down takes its
# program off first, and hands what is in its ring to the stack past it.
lose_slave() {
	until [ -s /tmp/got_tcp ]; do
		usleep 50000
	done
	ip -n peer link set p0 down
}

complete() {
	cmp -s /tmp/tcp /tmp/got_tcp
}

exchange() {
	# nc ends the connection when its input ends: this one never does.
	mkfifo /tmp/endless 2> /dev/null
	nc -l -p 9000 > /tmp/got_tcp 0<> /tmp/endless &
	listener=$!
	wait_for 300 bound t 9000
	[ "$WIRE" != bond ] || { lose_slave & }
	ip netns exec peer /bin/busybox nc -w 5 10.9.0.1 9000 < /tmp/tcp
	# Not before: its patience is not for what TCP takes. A wire that doubles packets brings more
	# than was sent: then silence is the end.
	datagrams receive /tmp/got_udp 9001 "${LOSSY:+10000}1000000" &
	receiving=$!
	wait_for 300 bound u 9001
	ip netns exec peer /xdplace/tests/datagrams send /tmp/udp 10.9.0.1 9001
	wait $receiving
	wait_for 120 complete # whoever receives may have had no turn yet
	kill $listener 2> /dev/null
}

# A driver without native XDP (95 is EOPNOTSUPP) has to be named as such, and what helps as well.
not_attached() { # NAME MODE
	local answer
	answer=$(tail -n 1 /tmp/answers)
	if [ "$2" = native ] && [ -n "$NATIVE_MAY_FAIL" ] && echo "$answer" | grep -q '^95 .*skb'; then
		echo "ok $1_refused: ${answer#95 }"
		seen native ": refused"
	else
		echo "not ok $1: not attached: $answer"
		seen "$2" ": FAILED"
	fi
}

# Nothing needed is missing on this interface.
doctor_of() { # NAME
	if ! wire_up 2> /dev/null; then
		wire_down
		return
	fi
	xdplace doctor place0 > /tmp/doctor 2>&1
	case $? in
	0 | 3) echo "ok $1_doctor: $(sed -n '/place0/,$p' /tmp/doctor | grep -v '^ok' | tr -s ' \n' ' ' | cut -c 1-400)" ;;
	*) echo "not ok $1_doctor: $(tail -n 5 /tmp/doctor | tr '\n' ' ')" ;;
	esac
	wire_down
}

both_modes() { # NAME
	doctor_of "$1"
	place "$1_native" native
	place "$1_skb" skb
}

# What the tests below change for one of them.
plain() {
	WIRE=veth KIND='' DRIVER='' LOSSY='' NATIVE_MAY_FAIL='' SEEN='' MEGABYTES=3
}
plain
RELAY=

test_follow_native() {
	DRIVER=veth
	follow follow_native 1500 native
	plain
}

test_follow_skb() {
	DRIVER=veth
	follow follow_skb 1500 skb
	plain
}

# Packets that arrive in several buffers.
test_follow_jumbo() {
	DRIVER=veth SEEN=' (MTU 9000)'
	follow follow_jumbo 9000 native
	plain
}

# The program once more, as an extension: what the verifier thinks of it then is another matter.
test_follow_dispatcher() {
	DRIVER=veth SEEN=' (dispatcher)'
	follow follow_dispatcher 1500 native --dispatcher
	plain
}

# cards NAME KIND [y: native XDP may be refused]
cards() {
	WIRE=card KIND=$2 DRIVER=$1 NATIVE_MAY_FAIL=$3 MEGABYTES=2
	card 0 > /dev/null || {
		echo "skip $1: this QEMU has no such card, or this kernel no driver"
		plain
		return
	}
	both_modes "$1"
	plain
}

test_virtio() {
	cards virtio_net 1
}

test_vmxnet3() {
	case $(uname -r) in 6.1.*) cards vmxnet3 2 y ;; *) cards vmxnet3 2 ;; esac
}

test_e1000e() {
	cards e1000e 3 y
}

test_igb() {
	cards igb 4
}

test_tap() {
	WIRE=tap DRIVER=tap MEGABYTES=2
	both_modes tap
	plain
}

# The bond has the slaves' native XDP.
test_bond() {
	WIRE=bond DRIVER=bond LOSSY=y
	both_modes bond
	plain
}

test_vlan() {
	WIRE=vlan DRIVER=vlan NATIVE_MAY_FAIL=y
	both_modes vlan
	plain
}

test_netem() {
	WIRE=netem DRIVER='veth+netem' LOSSY=y MEGABYTES=2
	both_modes netem
	plain
}

# ---- two lanes ----

lane_bytes() { # LANE
	xdplace stats -n wires --lane "$1" --json |
		jq '[.. | objects | .placed_bytes? // empty | numbers] | max // 0'
}

# Connections spread over the two queues of a card, each on its lane.
test_virtio_queues() {
	local mode first second i
	WIRE=card KIND=5 DRIVER=virtio_net
	for mode in native skb; do
		hold || echo "not ok virtio_queues_$mode: no context: $(tail -n 1 /tmp/answers)"
		if ! wire_up 2> /tmp/wire; then
			echo "skip virtio_queues_$mode: no card with several queues: $(tail -n 1 /tmp/wire)"
			wire_down
			continue
		fi
		/usr/bin/ethtool -L place0 combined 2
		ask "attach place0 $mode" || echo "not ok virtio_queues_$mode: $(tail -n 1 /tmp/answers)"
		wait_for 120 ping -c 1 -W 1 10.9.0.2
		first=$(lane_bytes 0) second=$(lane_bytes 1)
		dd if=/dev/urandom of=/tmp/udp bs=1000 count=20 2> /dev/null
		for i in 1 2 3 4 5 6 7 8 9 10 11 12; do
			ip netns exec peer /xdplace/tests/datagrams send /tmp/udp 10.9.0.1 9001
		done
		first=$(($(lane_bytes 0) - first)) second=$(($(lane_bytes 1) - second))
		if [ $first -gt 0 ] && [ $second -gt 0 ] && [ $((first + second)) -eq 240000 ]; then
			echo "ok virtio_queues_$mode: $first bytes on lane 0, $second on lane 1"
			seen $mode ' (2 queues)'
		else
			echo "not ok virtio_queues_$mode: bytes on lanes: $first, $second"
			seen $mode ' (2 queues): FAILED'
		fi
		ask 'detach place0'
		wire_down
	done
	plain
}

# ---- commands ----

busy() {
	xdplace stats -n wires --json | jq '[.. | objects | .lane_busy? // empty | numbers] | add // 0'
}

# A timer of netem's hands over packets: an interrupt, also in the midst of a command.
wire_delay() {
	wire_veth && ip netns exec peer /usr/bin/tc qdisc add dev peer0 root netem limit 10000 delay 1ms
}

# Flows are added and ended on the CPU that packets come in on. Nobody has to wait for somebody who
# can not go on: that would be lane_busy, and a gap.
test_commands() {
	local before consuming sending
	need commands xdplace && need commands datagrams && need commands hold_context || return
	WIRE=delay
	if ! hold || ! wire_up 2> /tmp/wire || ! ask 'attach place0 native'; then
		echo "not ok commands: $(tail -n 1 /tmp/answers) $(tail -n 1 /tmp/wire)"
		wire_down
		plain
		return
	fi
	wait_for 120 ping -c 1 -W 1 10.9.0.2
	rm -rf /tmp/streams
	xdplace follow -n wires -o /tmp/streams > /tmp/follow 2>&1 &
	consuming=$!
	before=$(busy)
	dd if=/dev/urandom of=/tmp/udp bs=1000 count=4000 2> /dev/null
	taskset 1 /usr/bin/ip netns exec peer /xdplace/tests/datagrams send /tmp/udp 10.9.0.1 9001 &
	sending=$!
	ask 'stir 10' || echo "not ok commands_run: $(tail -n 1 /tmp/answers)"
	wait $sending
	sleep 1
	kill -INT $consuming
	wait $consuming
	bad=''
	placed commands_udp 'udp_10.9.0.2_*-10.9.0.1_9001*' /tmp/udp
	if [ "$(busy)" = "$before" ]; then
		echo "ok commands: $(tail -n 1 /tmp/answers | cut -d ' ' -f 2) times a flow, and nobody met a held lane"
	else
		echo "not ok commands: $(tail -n 1 /tmp/answers), lane_busy: $before before, $(busy) now"
	fi
	ask 'detach place0'
	wire_down
	plain
}

# ---- beside another program ----

# xdp-filter first, then ours beside it: both see the traffic, and each goes without the other.
test_beside_filter() {
	need beside_filter xdp-filter || return
	wire_up || return
	if ! xdp-filter load -m native -f udp place0 > /tmp/filter 2>&1 || ! xdp-filter port -m dst -p udp 9002 \
		>> /tmp/filter 2>&1; then
		echo "skip beside_filter: xdp-filter: $(tail -n 2 /tmp/filter | tr '\n' ' ')"
		wire_down
		return
	fi
	xdplace load -n beside -m native --dispatcher --lanes 1 --rule 'tap udp dst port 9001' place0 > /tmp/load 2>&1 &
	loading=$!
	wait_for 300 grep -q '^rule' /tmp/load || ended $loading
	dd if=/dev/urandom of=/tmp/udp bs=1000 count=50 2> /dev/null
	ip netns exec peer /xdplace/tests/datagrams send /tmp/udp 10.9.0.1 9001
	ip netns exec peer /xdplace/tests/datagrams send /tmp/udp 10.9.0.1 9002
	placed=$(xdplace stats -n beside --json | jq '[.. | objects | .placed_bytes? // empty | numbers] | max // 0')
	dropped=$(xdp-filter status | awk '/XDP_DROP/ {print $2}')
	kill -INT $loading
	wait $loading
	if [ "$placed" = 50000 ] && [ "${dropped:-0}" -ge 50 ] && xdp-filter status | grep -q place0; then
		echo "ok beside_filter: $placed bytes placed, $dropped packets dropped by xdp-filter, which is still there"
	else
		echo "not ok beside_filter: $placed bytes placed, ${dropped:-none} dropped: $(cat /tmp/load)"
		xdp-filter status
	fi
	xdp-filter unload place0
	wire_down
}

# ---- sockets ----

# Whole datagrams of a take rule through an AF_XDP socket, with their completions in front.
frames() { # MODE
	local name=frames_$1 loading consuming
	need "$name" xdplace && need "$name" datagrams && need "$name" xsk_consumer || return
	if ! wire_up; then
		wire_down
		echo "skip $name: no veth"
		return
	fi
	dd if=/dev/urandom of=/tmp/udp bs=1000 count=1000 2> /dev/null
	xdplace load -n frames --frames xsk --lanes 1 -m "$1" \
		--rule 'take whole udp dst port 9001' place0 > /tmp/load 2>&1 &
	loading=$!
	wait_for 300 attached
	xsk_consumer frames /tmp > /tmp/consumer 2>&1 &
	consuming=$!
	wait_for 300 grep -q ready /tmp/consumer
	ip netns exec peer /xdplace/tests/datagrams send /tmp/udp 10.9.0.1 9001
	kill $consuming
	wait $consuming
	kill $loading
	wait $loading
	if cmp /tmp/large /tmp/udp; then
		echo "ok $name"
	else
		echo "not ok $name: what came through the socket is not what was sent"
		cat /tmp/load /tmp/consumer
	fi
	wire_down
}

test_frames_native() {
	frames native
}

test_frames_skb() {
	frames skb
}

# ---- tests/net, as they are, with patience ----

test_net() {
	local name
	# shellcheck disable=SC2154 # a kernel parameter
	for name in $(echo "$nets" | tr , ' '); do
		began=$(seconds_up)
		BUILD=/xdplace XPT_SLOW=10 timeout 1200 /usr/bin/bash "/tests/net/t_$name.sh" 2>&1
		[ $? -ne 124 ] || echo "not ok t_$name: took longer than 20 minutes"
		echo "# t_$name: $(($(seconds_up) - began)) s"
	done
}

# Packets by BPF_PROG_TEST_RUN: what the programs do, not only whether they load. Last, as it takes
# longest; in one process for each suite, as emulation makes each fork dear, and without libcheck's
# time limits, which would judge the emulation. "out": the egress program.
test_prog() {
	local suite arguments
	need prog prog || return
	# shellcheck disable=SC2154 # a kernel parameter
	for suite in $(echo "$suites" | tr , ' '); do
		began=$(seconds_up)
		arguments=$suite
		[ "$suite" != out ] || arguments='out tcp udp'
		# shellcheck disable=SC2086 # words wanted
		if CK_FORK=no CK_DEFAULT_TIMEOUT=0 CK_VERBOSITY=normal prog $arguments > /tmp/prog 2>&1; then
			echo "ok prog_$suite: $(grep -m 1 '^[0-9]*%' /tmp/prog), $(($(seconds_up) - began)) s"
		else
			echo "not ok prog_$suite: exit code $?, $(grep -m 1 '^[0-9]*%' /tmp/prog)"
			grep -E '^[^ ]+:[0-9]+:[FE]:' /tmp/prog || tail -n 20 /tmp/prog
		fi
	done
}
