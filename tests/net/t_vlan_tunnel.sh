#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# seconds: 180
#
# Virtual networks that this kernel can make: the same addresses and ports in each of them are
# flows of their own, named by the network.
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

PORT=8080

# KIND: a device v0 of this kind on both ends, 10.78.0.2 to 10.78.0.1.
virtual_device()
{
	case $1 in
	vlan)
		ip -n "$PREFIX-client" link add link c0 name v0 type vlan id 7 &&
			ip -n "$PREFIX-server" link add link s0 name v0 type vlan id 7 || return
		# veth carries the tag beside the packet, where no XDP program sees it.
		in_ns server ethtool -K s0 txvlan off >/dev/null 2>&1
		in_ns client ethtool -K c0 rxvlan off >/dev/null 2>&1
		;;
	qinq)
		ip -n "$PREFIX-client" link add link c0 name o0 type vlan proto 802.1ad id 3 &&
			ip -n "$PREFIX-server" link add link s0 name o0 type vlan proto 802.1ad id 3 &&
			ip -n "$PREFIX-client" link add link o0 name v0 type vlan id 7 &&
			ip -n "$PREFIX-server" link add link o0 name v0 type vlan id 7 || return
		in_ns server ethtool -K s0 txvlan off tx-vlan-stag-hw-insert off >/dev/null 2>&1
		in_ns client ethtool -K c0 rxvlan off rx-vlan-stag-hw-parse off >/dev/null 2>&1
		ip -n "$PREFIX-client" link set o0 up && ip -n "$PREFIX-server" link set o0 up
		;;
	vxlan)
		ip -n "$PREFIX-client" link add v0 type vxlan id 42 dstport 4789 dev c0 \
			local $CLIENT4 remote $SERVER4 &&
			ip -n "$PREFIX-server" link add v0 type vxlan id 42 dstport 4789 dev s0 \
				local $SERVER4 remote $CLIENT4
		;;
	geneve)
		ip -n "$PREFIX-client" link add v0 type geneve id 42 remote $SERVER4 &&
			ip -n "$PREFIX-server" link add v0 type geneve id 42 remote $CLIENT4
		;;
	gre)
		ip -n "$PREFIX-client" link add v0 type gre key 42 local $CLIENT4 remote $SERVER4 &&
			ip -n "$PREFIX-server" link add v0 type gre key 42 local $SERVER4 remote $CLIENT4
		;;
	ipip)
		ip -n "$PREFIX-client" link add v0 type ipip local $CLIENT4 remote $SERVER4 &&
			ip -n "$PREFIX-server" link add v0 type ipip local $SERVER4 remote $CLIENT4
		;;
	esac >/dev/null 2>&1
}

# MODE KIND SUFFIX RULE: one download inside, one outside, from and to the same ports.
inside()
{
	local mode=$1 suffix=$3 rule=$4 network address

	add_addresses client v0 78 2 && add_addresses server v0 78 1 || return
	ip -n "$PREFIX-client" link set v0 up && ip -n "$PREFIX-server" link set v0 up || return
	http_start $PORT && follow_start f client c0 "$mode" "$rule" --rule "tap tcp src port $PORT" ||
		return
	for network in 78 77; do
		in_ns client curl -sS -i -m $((20 * SLOW)) --local-port 40001 -o "$WORK/got$network" \
			"http://10.$network.0.1:$PORT/f" || no "curl failed" || return
	done
	follow_stop f client c0 && no_gaps f || return
	"$TOOLS/same" -b "$WORK/got78" "$WORK/www/f" || return
	"$TOOLS/same" "$WORK/f/tcp_10.77.0.1_$PORT-10.77.0.2_40001" "$WORK/got77" || return
	address=tcp_10.78.0.1_$PORT-10.78.0.2_40001
	[ -e "$WORK/f/$address$suffix" ] || no "no $address$suffix, there is: $(ls "$WORK/f")" || return
	"$TOOLS/same" "$WORK/f/$address$suffix" "$WORK/got78"
}

# KIND SUFFIX RULE
kind()
{
	local mode

	for mode in native skb; do
		topology_direct || return
		if virtual_device "$1"; then
			run_case "inside_${1}_$mode" "R1 R2" inside $mode "$@"
		else
			skip "inside_${1}_$mode" "R1 R2" \
				"this kernel has no $1 devices; packets of this kind are tested by tests/prog"
		fi
	done
}

setup
make_file "$WORK/www/f" $((20000000 / SLOW)) 1
kind vlan @vlan7 "tap tcp vlan 7"
kind qinq @vlan3.7 "tap tcp vlan"
kind vxlan @vxlan42 "tap tcp vni 42"
kind geneve @geneve42 "tap tcp vni 42"
kind gre @gre42 "tap tcp gre 42"
kind ipip @ipip "tap tcp host 10.78.0.1"
