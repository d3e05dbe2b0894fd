# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# shellcheck shell=dash
#
# guest.sh - what is tried on each kernel, in the guest (see init).
#
# In: programs in /xdplace, where they were built. Out: lines "ok NAME", "not ok NAME" and
# "skip NAME: WHY". Promises: each test cleans up after itself, none needs the one before.

# What the host had not built can not be tried.
need() { # NAME PROGRAM
	[ -x "/xdplace/$2" ] && return 0
	echo "skip $1: $2 is not built"
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
	/xdplace/ip "$@"
}

# A pair of interfaces, the other end in a namespace of its own: 10.9.0.1 here, 10.9.0.2 there.
pair_up() {
	ip netns add peer && ip link add place0 type veth peer name peer0 &&
		ip link set peer0 netns peer && ip address add 10.9.0.1/24 dev place0 &&
		ip link set place0 up && ip -n peer address add 10.9.0.2/24 dev peer0 &&
		ip -n peer link set peer0 up
}

pair_down() {
	ip link del place0
	ip netns del peer
}

# A file in /tmp/streams with the very bytes of another.
placed() { # NAME PATTERN FILE
	local sum file
	sum=$(sha256sum < "$3")
	for file in /tmp/streams/$2; do
		[ -r "$file" ] && [ "$(sha256sum < "$file")" = "$sum" ] && echo "ok $1" && return
	done
	echo "not ok $1: no file like $2 with these bytes; there are:" /tmp/streams/*
	bad=1
}

same() { # NAME FILE FILE
	if cmp "$2" "$3"; then
		echo "ok $1"
	else
		echo "not ok $1: what the kernel's stack delivered is not what was sent"
		bad=1
	fi
}

wait_for() { # SECONDS COMMAND...
	local left=$(($1 * 5))
	shift
	while ! "$@" > /dev/null 2>&1; do
		left=$((left - 1))
		[ $left -gt 0 ] || return 1
		usleep 200000
	done
}

attached() {
	ip link show place0 | grep -q xdp
}

listening() {
	netstat -ltn | grep -q :9000
}

# Real traffic in tap mode: TCP and UDP from the peer to here, followed into files. Placed and
# delivered by the kernel's stack, both have to be what was sent.
follow() { # NAME MTU OPTION...
	local name=follow_$1 mtu=$2 bad='' placing
	shift 2
	need "$name" xdplace && need "$name" datagrams || return
	if ! pair_up; then
		pair_down
		echo "skip $name: no veth"
		return
	fi
	ip link set place0 mtu "$mtu"
	ip -n peer link set peer0 mtu "$mtu"
	rm -rf /tmp/streams /tmp/got_*
	dd if=/dev/urandom of=/tmp/tcp bs=1M count=8 2> /dev/null
	dd if=/dev/urandom of=/tmp/udp bs=1000 count=1000 2> /dev/null
	xdplace follow "$@" -o /tmp/streams --idle 8s --stats-at-end place0 > /tmp/follow 2>&1 &
	placing=$!
	if ! wait_for 30 attached; then
		echo "not ok $name: not attached"
		kill $placing
		cat /tmp/follow
		pair_down
		return
	fi
	# nc ends the connection when its input ends: this one never does.
	mkfifo /tmp/endless 2> /dev/null
	nc -l -p 9000 > /tmp/got_tcp 0<> /tmp/endless &
	datagrams receive /tmp/got_udp 9001 1000000 &
	wait_for 10 listening
	ip netns exec peer /bin/busybox nc -w 5 10.9.0.1 9000 < /tmp/tcp
	ip netns exec peer /xdplace/datagrams send /tmp/udp 10.9.0.1 9001
	wait
	placed "${name}_tcp" 'tcp_10.9.0.2_*-10.9.0.1_9000' /tmp/tcp
	placed "${name}_udp" 'udp_10.9.0.2_*-10.9.0.1_9001' /tmp/udp
	same "${name}_stack_tcp" /tmp/tcp /tmp/got_tcp
	same "${name}_stack_udp" /tmp/udp /tmp/got_udp
	if [ -n "$bad" ]; then
		cat /tmp/follow
	else
		grep '^xdplace follow' /tmp/follow
	fi
	pair_down
}

test_follow_native() {
	follow native 1500 -m native
}

test_follow_skb() {
	follow skb 1500 -m skb
}

# Packets that arrive in several buffers.
test_follow_jumbo() {
	follow jumbo 9000 -m native
}

# The program once more, as an extension: what the verifier thinks of it then is another matter.
test_follow_dispatcher() {
	follow dispatcher 1500 -m native --dispatcher
}

# Whole datagrams of a take rule through an AF_XDP socket, with their completions in front.
frames() { # MODE
	local name=frames_$1 loading consuming
	need "$name" xdplace && need "$name" datagrams && need "$name" xsk_consumer || return
	if ! pair_up; then
		pair_down
		echo "skip $name: no veth"
		return
	fi
	dd if=/dev/urandom of=/tmp/udp bs=1000 count=1000 2> /dev/null
	xdplace load -n frames --frames xsk --lanes 1 -m "$1" \
		--rule 'take whole udp dst port 9001' place0 > /tmp/load 2>&1 &
	loading=$!
	wait_for 30 attached
	xsk_consumer frames /tmp > /tmp/consumer 2>&1 &
	consuming=$!
	wait_for 30 grep -q ready /tmp/consumer
	ip netns exec peer /xdplace/datagrams send /tmp/udp 10.9.0.1 9001
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
	pair_down
}

test_frames_native() {
	frames native
}

test_frames_skb() {
	frames skb
}

# Packets by BPF_PROG_TEST_RUN: what the programs do, not only whether they load. Last, as it takes
# longest; in one process, as emulation makes each fork dear, and without libcheck's time limits,
# which would judge the emulation.
test_prog() {
	need prog prog || return
	if CK_FORK=no CK_DEFAULT_TIMEOUT=0 CK_VERBOSITY=normal prog > /tmp/prog 2>&1; then
		echo "ok prog: $(grep -m 1 '^[0-9]*%' /tmp/prog)"
	else
		echo "not ok prog: exit code $?, $(grep -m 1 '^[0-9]*%' /tmp/prog)"
		grep -E '^[^ ]+:[0-9]+:[FE]:' /tmp/prog || tail -n 20 /tmp/prog
	fi
}
