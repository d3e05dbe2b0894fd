#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# bench.sh [-p] [-s SYSTEM] [-n ROUNDS] [CASE...] - measure the cases whose name contains one of CASE, or all of them.
#
# In: build/bench/bench (make bench-build), root. Out: a table, and build/bench/report.json.
# All of it happens in namespaces that belong to this process alone and are gone with it, however
# it ends: no interface is left behind and none of the machine's is touched.
set -eu

root=$(cd "$(dirname "$0")/.." && pwd)
build=${BUILD:-$root/build}

if [ "$(id -u)" != 0 ]; then
	echo "bench.sh: needs root: sudo make bench" >&2
	exit 1
fi
if [ "${1:-}" != --inside ]; then
	exec unshare --net --mount "$0" --inside "$@"
fi
shift

# A view of /sys for this network namespace, with room for pins.
mount -t sysfs sysfs /sys
mount -t bpf bpf /sys/fs/bpf

# Nobody speaks on this wire but the generator: no IPv6, so no neighbour discovery.
sysctl -qw net.ipv6.conf.all.disable_ipv6=1 net.ipv6.conf.default.disable_ipv6=1 || true
ip link add xpbench0 mtu 1500 type veth peer name xpbench1 mtu 1500
# For traffic of the kernel's own: the other end of a second one is in a namespace of its own.
unshare --net sleep infinity &
far=$!
trap 'kill $far 2>/dev/null; ip link del xpbench0 2>/dev/null' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP
ip link set xpbench0 up
# The address that the generator writes, and room for what GRO merges: for the kernel's own stack.
ip link set xpbench1 address 02:00:00:00:00:01 up
ethtool -K xpbench1 gro on

while [ "$(readlink "/proc/$far/ns/net")" = "$(readlink /proc/self/ns/net)" ]; do sleep 0.01; done
ip link add xptap1 type veth peer name xptap0 netns $far
ip addr add 10.77.9.1/30 dev xptap1
ip link set xptap1 up
nsenter --net="/proc/$far/ns/net" ip addr add 10.77.9.2/30 dev xptap0
nsenter --net="/proc/$far/ns/net" ip link set xptap0 up
# For what is sent: 10.78.1.0/24 is all behind the one neighbour, and nobody has to be asked for it.
ip link add xptx0 address 02:00:00:00:78:01 type veth peer name xptx1 address 02:00:00:00:78:02 netns $far
ip addr add 10.78.0.1/30 dev xptx0
ip link set xptx0 up
nsenter --net="/proc/$far/ns/net" sh -eu <<'END'
sysctl -qw net.ipv6.conf.all.disable_ipv6=1 net.ipv6.conf.default.disable_ipv6=1 || true
ip link set lo up
ip addr add 10.78.0.2/30 dev xptx1
ip link set xptx1 up
ip route add local 10.78.1.0/24 dev lo
ip neigh replace 10.78.0.1 lladdr 02:00:00:00:78:01 dev xptx1 nud permanent
ethtool -K xptx1 gro on
END
ip neigh replace 10.78.0.2 lladdr 02:00:00:00:78:02 dev xptx0 nud permanent
ip route add 10.78.1.0/24 via 10.78.0.2
# The veth would hand on what UDP_SEGMENT made as one long packet that nobody ever cuts.
ethtool -K xptx0 tx-udp-segmentation off
export XPBENCH_FAR="/proc/$far/ns/net"

"$build/bench/bench" --report "$build/bench/report.json" "$@"
