#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# seconds: 180
#
# Ways to destinations of a transmitter: found by the kernel's tables, and followed when links,
# routes and neighbours change.
#
#   client c0 ---- p0 path p1 ---- s0 server      path routes; c1 ---- p2: a second way
#
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

NEAR4=10.77.0.1 NEAR6=fd77::1 # path
FAR4=10.78.0.2 FAR6=fd78::2   # server
ids="T5"

# The engine `run` sends to a veth only if the other end takes what XDP sends.
takes_frames()
{
	in_ns "$1" ethtool -K "$2" gro on >/dev/null
}

default_routes()
{
	ip -n "$PREFIX-client" route replace default via "$NEAR4" &&
		ip -n "$PREFIX-client" -6 route replace default via "$NEAR6"
}

topology_routed()
{
	topology_down
	make_namespace client && make_namespace path && make_namespace server || return
	in_ns path sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1
	make_veth client c0 path p0 1 1500 && make_veth path p1 server s0 1 1500 &&
		add_addresses client c0 77 2 && add_addresses path p0 77 1 &&
		add_addresses path p1 78 1 && add_addresses server s0 78 2 &&
		default_routes && takes_frames path p0 && takes_frames server s0 || return
	ip -n "$PREFIX-server" route add default via 10.78.0.1 &&
		ip -n "$PREFIX-server" -6 route add default via fd78::1
}

client()
{
	ip -n "$PREFIX-client" "$@"
}

mac_of()
{
	ip -j -n "$PREFIX-$1" link show "$2" | jq -r '.[0].address'
}

# OPTION|ADDRESS...
watch()
{
	spawn_in ways client "$TOOLS/tx_ways" "$@"
	wait_ready ways 20 grep -q '"opened"' "$WORK/ways.out" ||
		no "no transmitter: $(cat "$WORK/ways.err")"
}

# NUMBER FILTER: of what was told of a destination last.
now()
{
	jq -ncr "[inputs | select(.number == $1)] | last | $2" "$WORK/ways.out" 2>/dev/null
}

is()
{
	[ "$(now "$1" "$2")" = "$3" ]
}

# NUMBER FILTER WANTED: within five seconds.
becomes()
{
	wait_for 5 is "$@" || no "destination $1: $2 is $(now "$1" "$2"), not $3: $(now "$1" .)"
}

# All of the first two destinations, one of each family.
both_become()
{
	becomes 0 "$1" "$2" && becomes 1 "$1" "$2"
}

watch_far()
{
	topology_routed && watch "$FAR4" "$FAR6" && both_become .error ''
}

# ADDRESS ERROR WORDS: it could not be opened, and the words say why.
refused()
{
	local line

	line=$(jq -nc --arg to "$1" '[inputs | select(.to == $to)] | first' "$WORK/ways.out")
	[ "$(jq -r .failed <<<"$line")" = "$2" ] && grep -q "$3" <<<"$line" ||
		no "$1: $line, not $2 $3"
}

# ---- found ----

on_link()
{
	topology_routed && watch "$NEAR4" "$NEAR6" || return
	both_become '[.error, .ifname, .mtu, .mac, .source_mac] | join(" ")' \
		" c0 1500 $(mac_of path p0) $(mac_of client c0)" &&
		becomes 0 '[.from, .payload] | join(" ")' "10.77.0.2 1472" &&
		becomes 1 '[.from, .payload] | join(" ")' "fd77::2 1452"
}

by_gateway()
{
	watch_far && both_become '[.ifname, .mac] | join(" ")' "c0 $(mac_of path p0)"
}

by_gateway_of_the_other_family()
{
	topology_routed && client route replace 10.78.0.0/24 via inet6 "$NEAR6" &&
		watch "$FAR4" && becomes 0 '[.error, .mac] | join(" ")' " $(mac_of path p0)"
}

link_local()
{
	local address

	topology_routed || return
	address=$(ip -n "$PREFIX-path" -6 addr show dev p0 scope link | grep -o 'fe80:[0-9a-f:]*')
	watch -t 3000 "$address%c0" && becomes 0 '[.error, .ifname, .mac] | join(" ")' \
		" c0 $(mac_of path p0)" && is 0 '.from | startswith("fe80:")' true
}

groups_and_broadcast()
{
	topology_routed && watch 239.129.2.3 ff02::fb%c0 255.255.255.255 10.77.0.255 || return
	becomes 0 .mac 01:00:5e:01:02:03 && becomes 1 .mac 33:33:00:00:00:fb &&
		becomes 2 .mac ff:ff:ff:ff:ff:ff && becomes 3 .mac ff:ff:ff:ff:ff:ff
}

source_as_asked()
{
	topology_routed && client addr add 10.77.0.99/24 dev c0 &&
		watch "$FAR4/10.77.0.99" "$FAR4/192.0.2.7" "$FAR6/fd00::7" &&
		becomes 0 .from 10.77.0.99 && becomes 1 .from 192.0.2.7 && becomes 2 .from fd00::7
}

# Of several addresses the kernel takes what the route says.
source_as_routed()
{
	topology_routed && client addr add 10.77.0.99/24 dev c0 &&
		client route replace default via "$NEAR4" src 10.77.0.99 &&
		watch "$FAR4" && becomes 0 .from 10.77.0.99 &&
		client route replace default via "$NEAR4" src 10.77.0.2 &&
		becomes 0 .from 10.77.0.2
}

# What it chose nobody else gets; both families have one port each.
port_is_kept()
{
	local port

	watch_far || return
	for port in $(now 0 .from_port) $(now 1 .from_port); do
		in_ns client ss -Hlun "sport = :$port" | grep -q . || no "port $port is anybody's" || return
	done
	[ "$(in_ns client ss -Hlun | wc -l)" -eq 2 ] || no "more sockets than ports: $(in_ns client ss -lun)"
}

# A payload is what the MTU leaves, up to what the engine's frames hold.
mtus()
{
	local mtu

	for mtu in 576 1280 9000; do
		topology_routed && client link set c0 mtu "$mtu" &&
			ip -n "$PREFIX-path" link set p0 mtu "$mtu" && watch "$NEAR4" || return
		becomes 0 .mtu "$mtu" && is 0 ".payload == $mtu - 28 or (.payload > 3000 and $mtu == 9000)" true ||
			no "MTU $mtu: $(now 0 .)" || return
		stop ways
	done
}

# ---- arrives ----

# ROLE FIELD FAMILY: a counter of UDP there. Nobody listens: a good datagram is one for no port.
# shellcheck disable=SC2016 # awk expands it
udp_counter()
{
	if [ "$3" = 4 ]; then
		in_ns "$1" awk -v want="$2" '$1 == "Udp:" && !n {n = split($0, name); next}
			$1 == "Udp:" {for (i = 2; i <= n; i++) if (name[i] == want) print $i}' \
			/proc/net/snmp
	else
		in_ns "$1" awk -v want="Udp6$2" '$1 == want {print $2}' /proc/net/snmp6
	fi
}

good_datagrams()
{
	[ "$(udp_counter "$1" NoPorts "$2")" -ge 10 ]
}

# ROLE: datagrams of both families come to its stack, which finds nothing wrong with them.
arrive()
{
	local family

	for family in 4 6; do
		wait_for 10 good_datagrams "$1" "$family" ||
			no "$1: $(udp_counter "$1" NoPorts "$family") good IPv$family datagrams" || return
		[ "$(udp_counter "$1" InErrors "$family")" -eq 0 ] ||
			no "$1: $(udp_counter "$1" InErrors "$family") bad IPv$family datagrams" || return
	done
}

on_link_arrives()
{
	topology_routed && watch -w "$NEAR4" "$NEAR6" && arrive path
}

by_gateway_arrives()
{
	topology_routed && watch -w "$FAR4" "$FAR6" && arrive server
}

# ROLE LOWER NAME ID [PROTOCOL]
add_vlan()
{
	ip -n "$PREFIX-$1" link add link "$2" name "$3" type vlan protocol "${5:-802.1Q}" id "$4" &&
		ip -n "$PREFIX-$1" link set "$3" up
}

# Not on lo, which never has any.
has_vlans()
{
	unshare -n bash -c 'ip link add v0 type veth peer name v1 && ip link add link v0 name v2 type vlan id 9' \
		2>/dev/null
}

# As a router on a stick has it. Without other routes: else there would be a way without the tag.
vlan_arrives()
{
	topology_routed && client route del default && client -6 route del default &&
		add_vlan client c0 c0.100 100 && add_vlan path p0 p0.100 100 &&
		add_addresses client c0.100 85 2 && add_addresses path p0.100 85 1 &&
		watch -w 10.85.0.1 fd85::1 || return
	both_become '[.error, .ifname, .vlan, .payload + 8 + if .to == "fd85::1" then 40 else 20 end] |
		join(" ")' " c0 100 1500" && arrive path && client link set c0.100 down &&
		both_become .error ENETDOWN && client link set c0.100 up && becomes 0 .error '' &&
		client link set c0 down && becomes 0 .error ENETDOWN
}

vlan_over_vlan_arrives()
{
	topology_routed && add_vlan client c0 c0.100 100 802.1ad && add_vlan path p0 p0.100 100 802.1ad &&
		add_vlan client c0.100 q0 7 && add_vlan path p0.100 q0 7 &&
		add_addresses client q0 86 2 && add_addresses path q0 86 1 &&
		watch -w 10.86.0.1 fd86::1 &&
		becomes 0 '[.error, .ifname, .vlan, .payload] | join(" ")' " c0 7 1468" && arrive path
}

# ---- refused ----

refusals()
{
	topology_routed || return
	watch -t 300 10.77.0.2 ::1 10.78.0.2%lo 10.77.0.9 fd77::9 10.77.0.1%nix fe80::1 0.0.0.0 \
		10.77.0.1/fd77::2 || return
	refused 10.77.0.2 EOPNOTSUPP "this host itself" &&
		refused ::1 EOPNOTSUPP "this host itself" &&
		refused 10.78.0.2%lo EOPNOTSUPP "socket" &&
		refused 10.77.0.9 EHOSTUNREACH "10.77.0.9 does not answer on c0" &&
		refused fd77::9 EHOSTUNREACH "fd77::9 does not answer on c0" &&
		refused 10.77.0.1%nix ENODEV "interface nix" &&
		refused fe80::1 EINVAL "by which interface" &&
		refused 0.0.0.0 EINVAL "zero" &&
		refused 10.77.0.1/fd77::2 EINVAL "families"
}

routes_refused()
{
	topology_routed && client route del default && client -6 route add unreachable fd78::/64 &&
		client route add blackhole 10.80.0.0/24 && client route add prohibit 10.81.0.0/24 &&
		watch "$FAR4" "$FAR6" 10.80.0.1 10.81.0.1 && refused "$FAR4" ENETUNREACH "no route to" &&
		refused "$FAR6" ENETUNREACH "no route to" && refused 10.80.0.1 ENETUNREACH "no route to" &&
		refused 10.81.0.1 ENETUNREACH "no route to" && stop ways || return
	client link set c0 down && watch "$NEAR4%c0" && refused "$NEAR4%c0" ENETDOWN "c0 is down"
}

# No Ethernet, no header to make.
tunnel_refused()
{
	topology_routed || return
	spawn_in tun client socat TUN:10.79.0.1/24,tun-name=t0,iff-up,iff-no-pi PIPE
	wait_ready tun 5 client link show t0 up && watch 10.79.0.2 &&
		refused 10.79.0.2 EOPNOTSUPP "no Ethernet"
}

# ---- followed ----

link_down_and_up()
{
	watch_far && client link set c0 down && both_become .error ENETDOWN || return
	client link set c0 up && client addr replace fd77::2/64 dev c0 nodad && default_routes &&
		both_become .error '' && [ "$(now 0 .changes)" -ge 2 ] ||
		no "changes: $(now 0 .changes)"
}

carrier_lost_and_back()
{
	watch_far && ip -n "$PREFIX-path" link set p0 down && both_become .error ENETDOWN || return
	ip -n "$PREFIX-path" link set p0 up &&
		ip -n "$PREFIX-path" addr replace fd77::1/64 dev p0 nodad &&
		both_become .error ''
}

interface_removed()
{
	watch_far && client link del c0 && both_become .error ENODEV
}

mtu_changed()
{
	watch_far && client link set c0 mtu 1400 && becomes 0 .payload 1372 &&
		becomes 1 .payload 1352 || return
	client route replace default via "$NEAR4" mtu 1300 && becomes 0 .payload 1272 || return
	client link set c0 mtu 1500 && client route replace default via "$NEAR4" &&
		becomes 0 .payload 1472
}

# A router says that packets are too long (RFC 1191, RFC 8201).
path_mtu_learned()
{
	topology_routed && ip -n "$PREFIX-path" link set p1 mtu 1300 &&
		ip -n "$PREFIX-server" link set s0 mtu 1300 &&
		watch -w "$FAR4" "$FAR6" && becomes 0 .payload 1272 && becomes 1 .payload 1252
}

route_lost_and_back()
{
	watch_far && client route del default && client -6 route del default &&
		both_become .error ENETUNREACH && default_routes && both_become .error '' || return
	client route add blackhole "$FAR4" && becomes 0 .error ENETUNREACH &&
		client route del blackhole "$FAR4" && becomes 0 .error '' || return
	client route add unreachable 10.78.0.0/16 && becomes 0 .error ENETUNREACH &&
		client route del unreachable 10.78.0.0/16 && becomes 0 .error ''
}

second_way()
{
	make_veth client c1 path p2 1 1500 && add_addresses client c1 79 2 &&
		add_addresses path p2 79 1 && takes_frames path p2
}

route_moved()
{
	watch_far && second_way && client route replace default via 10.79.0.1 &&
		client -6 route replace default via fd79::1 &&
		both_become '[.error, .ifname, .mac] | join(" ")' " c1 $(mac_of path p2)" || return
	is 0 .from 10.79.0.2 || no "from is $(now 0 .from)" || return
	client link del c1 && both_become .error ENODEV && default_routes &&
		both_become '[.error, .ifname] | join(" ")' " c0"
}

# A rule changes no route, and moves the destination all the same.
rule_added()
{
	watch_far && second_way && client route add default via 10.79.0.1 table 77 &&
		client rule add to "$FAR4" table 77 && becomes 0 .ifname c1 &&
		client rule del to "$FAR4" table 77 && becomes 0 .ifname c0
}

source_lost()
{
	topology_routed && client addr add 10.77.0.99/24 dev c0 &&
		client route replace 10.78.0.0/24 via "$NEAR4" src 10.77.0.99 && watch "$FAR4" &&
		becomes 0 .from 10.77.0.99 && client addr del 10.77.0.99/24 dev c0 &&
		becomes 0 '[.error, .from] | join(" ")' " 10.77.0.2"
}

own_mac_changed()
{
	watch_far && client link set c0 address 02:00:00:00:77:02 &&
		both_become .source_mac 02:00:00:00:77:02 && both_become .error ''
}

neighbour_mac_changed()
{
	watch_far && in_ns path sysctl -qw net.ipv4.conf.p0.arp_notify=1 \
		net.ipv6.conf.p0.ndisc_notify=1 &&
		ip -n "$PREFIX-path" link set p0 address 02:00:00:00:77:01 &&
		becomes 0 .mac 02:00:00:00:77:01 || return
	client neigh replace "$NEAR6" lladdr 02:00:00:00:77:03 nud permanent dev c0 &&
		becomes 1 .mac 02:00:00:00:77:03
}

# Those that the kernel would wait for are waited for shortly.
quick_neighbours()
{
	in_ns client sysctl -qw net.ipv4.neigh.c0.retrans_time_ms=200 \
		net.ipv4.neigh.c0.base_reachable_time_ms=1000 \
		net.ipv4.neigh.c0.delay_first_probe_time=1 \
		net.ipv6.neigh.c0.retrans_time_ms=200 \
		net.ipv6.neigh.c0.base_reachable_time_ms=1000 \
		net.ipv6.neigh.c0.delay_first_probe_time=1
}

# Nobody but us sends to it, and the kernel does not see that.
neighbour_kept_alive()
{
	local i states=''

	topology_routed && quick_neighbours && watch "$NEAR4" "$NEAR6" || return
	for i in {1..30}; do
		states+=" $(client neigh show to "$NEAR4" dev c0 | grep -oE '[A-Z]+ *$')"
		states+=" $(client neigh show to "$NEAR6" dev c0 | grep -oE '[A-Z]+ *$')"
		sleep 0.1
	done
	grep -q "REACHABLE.*\(DELAY\|PROBE\).*REACHABLE" <<<"$states" || no "never asked again:$states" || return
	grep -q "STALE.*STALE.*STALE.*STALE.*STALE.*STALE.*STALE" <<<"$states" && no "left stale:$states" && return 1
	is 0 .error '' && is 0 .changes 0 || no "$(now 0 .)"
}

neighbour_lost_and_back()
{
	topology_routed && quick_neighbours && watch "$FAR4" && becomes 0 .error '' &&
		ip -n "$PREFIX-path" link set p0 arp off && becomes 0 .error EHOSTUNREACH || return
	ip -n "$PREFIX-path" link set p0 arp on && becomes 0 .error ''
}

# The kernel forgets it; it is looked for again and nobody notices.
neighbour_forgotten()
{
	watch_far && client neigh flush dev c0 && sleep 1.5 || return
	client neigh show to "$NEAR4" dev c0 | grep -q REACHABLE ||
		no "not looked for again: $(client neigh show)" || return
	both_become '[.error, .changes] | join(" ")' " 0"
}

# More notices than the socket holds: nothing is missed.
notices_lost()
{
	watch_far || return
	kill -STOP "${PIDS[ways]}"
	for i in {1..20000}; do
		echo "route replace 10.$((100 + i / 250 % 100)).$((i % 250)).0/24 dev c0"
	done >"$WORK/routes"
	client -batch "$WORK/routes" && client link set c0 mtu 1400 || return
	for i in {1..20000}; do
		echo "route replace 10.$((100 + i / 250 % 100)).$((i % 250)).0/24 dev c0 mtu 1000"
	done >"$WORK/routes"
	client -batch "$WORK/routes" || return
	kill -CONT "${PIDS[ways]}"
	becomes 0 .payload 1372 && becomes 1 .payload 1352
}

# ---- many ----

# COUNT MOST_MS: they are opened in that time, and followed.
many()
{
	local ms

	topology_routed && watch -n "$1" "$FAR4" || return
	[ "$(jq -nr '[inputs | .opened // empty] | first' "$WORK/ways.out")" = "$1" ] ||
		no "opened: $(grep opened "$WORK/ways.out")" || return
	ms=$(jq -nr '[inputs | .ms // empty] | first | floor' "$WORK/ways.out")
	[ "$ms" -le $((SLOW * $2)) ] || no "$1 destinations took $ms ms" || return
	becomes 63 .error '' && client link set c0 mtu 1400 && becomes 63 .payload 1372
}

# Each on the link, with an address of its own on Ethernet to be asked for.
many_neighbours()
{
	topology_routed && ip -n "$PREFIX-path" addr add 10.90.0.1/16 dev lo &&
		client route add 10.90.0.0/16 dev c0 && watch -n 500 10.90.1.1 || return
	[ "$(jq -nr '[inputs | .opened // empty] | first' "$WORK/ways.out")" = 500 ] ||
		no "opened: $(grep -v number "$WORK/ways.out" | tail -n 2)"
}

setup
run_case on_link "$ids" on_link
run_case by_gateway "$ids" by_gateway
run_case by_gateway_of_the_other_family "$ids" by_gateway_of_the_other_family
run_case link_local "$ids" link_local
run_case groups_and_broadcast "$ids" groups_and_broadcast
run_case source_as_asked "$ids" source_as_asked
run_case source_as_routed "$ids" source_as_routed
run_case port_is_kept "$ids" port_is_kept
run_case mtus "T3" mtus
run_case on_link_arrives "$ids" on_link_arrives
run_case by_gateway_arrives "$ids" by_gateway_arrives
if has_vlans; then
	run_case vlan_arrives "$ids" vlan_arrives
	run_case vlan_over_vlan_arrives "$ids" vlan_over_vlan_arrives
else
	skip vlan_arrives "$ids" "this kernel has no VLAN interfaces"
	skip vlan_over_vlan_arrives "$ids" "this kernel has no VLAN interfaces"
fi
run_case refusals "$ids" refusals
run_case routes_refused "$ids" routes_refused
run_case tunnel_refused "$ids" tunnel_refused
run_case link_down_and_up "$ids" link_down_and_up
run_case carrier_lost_and_back "$ids" carrier_lost_and_back
run_case interface_removed "$ids" interface_removed
run_case mtu_changed "T3" mtu_changed
run_case path_mtu_learned "T3" path_mtu_learned
run_case route_lost_and_back "$ids" route_lost_and_back
run_case route_moved "$ids" route_moved
run_case rule_added "$ids" rule_added
run_case source_lost "$ids" source_lost
run_case own_mac_changed "$ids" own_mac_changed
run_case neighbour_mac_changed "$ids" neighbour_mac_changed
run_case neighbour_kept_alive "$ids" neighbour_kept_alive
run_case neighbour_lost_and_back "$ids" neighbour_lost_and_back
run_case neighbour_forgotten "$ids" neighbour_forgotten
run_case notices_lost "$ids" notices_lost
run_case destinations_1024 "$ids" many 1024 1000
run_case destinations_65536 "$ids" many 65536 20000
run_case many_neighbours "$ids" many_neighbours
