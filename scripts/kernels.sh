#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# kernels.sh - try xdplace on Debian's kernels and on QEMU's network cards, in virtual machines.
#
# usage: kernels.sh [-lqvw] [-b BUILD] [-t TEST,...] [-s SHAPE,...] [-p SUITE,...] [-n NET,...] [KERNEL...]
#	-q  quick: do the verifiers of 6.1 and 6.12 accept the programs
#	-l  long: also what is left out for its time alone
#	-v  the whole console	-w  write the table of README.md anew from what was seen
#	BUILD	directory with what was built [build]
#	TEST	function test_TEST of tests/kernels/guest.sh
#	SHAPE	configuration that load_object knows: for `load`
#	SUITE	of tests/prog, out: the egress program: for `prog`
#	NET	test of tests/net without its t_: for `net`
#	KERNEL	6.1-generic 6.1-cloud 6.1-rt 6.12-generic 6.12-cloud [all]; 6.1, 6.12: the cloud kernels
#	What is not named: all of it but for what LEFT_OUT names below.
#	Environment: JOBS machines at a time [half as many as there are processors]; TIMEOUT, seconds
#	for a machine [7200]
#
# In: a Debian 12 machine. What is missing of QEMU and the like is installed as far as that can be
# done; kernel packages, and a newer QEMU for the cards that Debian 12's does not emulate (igb), come
# from the mirrors that this machine's apt is configured for, and are kept in
# ${XDG_CACHE_HOME:-~/.cache}/xdplace; nothing of these is installed.
# Out: lines "ok KERNEL NAME", "not ok KERNEL NAME", "skip KERNEL NAME: WHY", as the last one
# "N passed, N failed, N skipped"; the whole console in BUILD/kernels/KERNEL.log; what was seen of
# drivers in BUILD/kernels/KERNEL.seen. Exit code 1 if anything was not ok, 2 for usage.
# Promises: needs no KVM and no network but apt's, and root only for the card with several queues
# (in a network namespace that ends with the machine); changes nothing but packages, BUILD and the
# cache; ends each machine after $TIMEOUT seconds, and all of them when it is ended itself.

set -u -o pipefail
cd "$(dirname "$0")/.." || exit 1

CACHE=${XDG_CACHE_HOME:-$HOME/.cache}/xdplace
TIMEOUT=${TIMEOUT:-7200}
JOBS=${JOBS:-$((($(nproc) + 1) / 2))}

# name, suite, package that depends on the newest kernel
KERNELS="
6.1-generic   bookworm            linux-image-amd64
6.12-generic  bookworm-backports  linux-image-amd64
6.1-rt        bookworm            linux-image-rt-amd64
6.1-cloud     bookworm            linux-image-cloud-amd64
6.12-cloud    bookworm-backports  linux-image-cloud-amd64
"

# All there is, in this order.
ALL_TESTS=boot,load,open,doctor,follow_native,follow_skb,follow_jumbo,follow_dispatcher,frames_native,frames_skb
ALL_TESTS+=,commands,beside_filter,virtio,virtio_queues,vmxnet3,e1000e,igb,tap,bond,vlan,netem,net,prog
ALL_SHAPES=default,lanes2,nocsum,nopickup,xsk,csum,own,large,small,plain
ALL_SUITES=$(sed -n 's/^\tX(\([a-z_]*\)).*/\1/p' tests/prog/suites.h | paste -sd ,),out
ALL_NETS=$(basename -a -s .sh tests/net/t_*.sh | sed 's/^t_//' | paste -sd ,)
QUICK_TESTS=boot,load,doctor
QUICK_SHAPES=default,lanes2

# Emulation takes five to twenty times as long, and most of that is the verifier's, for each context
# anew. So what a kernel has no part in is left out, and what kernels have in common is tried on one
# of them. A pattern of kernels; what: a test, or load/SHAPE, prog/SUITE, net/NET; and why. What is
# left out for its time alone, "long", is what -l is for.
LEFT_OUT="
*        net/captures,net/cli_usage,net/bad_use     no packet comes from a kernel there
*        net/curl,net/iperf,net/ssh,net/capture     volume and rates: emulation has none to show
*        net/send,net/transmit,net/fragments,net/rtp,net/interface,net/pinned,net/queues,net/jumbo,net/rps,net/vlan_tunnel,net/faults   long
6.1-*    net/xsk                                    tried on 6.12-generic
6.12-*   net/destination,net/udp                    tried on 6.1-generic
*        prog/rules,prog/table,prog/hostile,prog/abuse,prog/full,prog/areas,prog/rtp,prog/lanes   long
6.12-*   prog/fragment,prog/own                     tried on 6.1-generic
6.1-*    prog/checksum                              tried on 6.12-generic
6.1-rt   prog/fragment,prog/own                     tried on 6.1-generic
*        load/nocsum,load/nopickup,load/csum,load/own,load/small,load/plain                 long
*-rt     load/large                                 the verifier is that of 6.1-generic
*-cloud  load/large,load/xsk                        the verifier is that of generic
*        open                                       long
*-rt     follow_skb,follow_jumbo,follow_dispatcher,frames_skb                               tried on 6.1-generic
*-cloud  follow_skb,follow_jumbo,follow_dispatcher,frames_native,frames_skb                 tried on generic
*-cloud  net,prog                                   tried on generic, whose sources it has
*-rt     net                                        tried on 6.1-generic
*-cloud  commands,beside_filter,virtio,virtio_queues,vmxnet3,e1000e,igb,tap,bond,vlan,netem          tried on generic
*-rt     beside_filter,virtio,virtio_queues,vmxnet3,e1000e,igb,tap,bond,vlan,netem          tried on 6.1-generic
"

MODULES=(veth tun bonding 8021q vxlan geneve ip_gre ipip sch_netem sch_ingress cls_bpf macvlan bridge failover
	net_failover virtio_pci virtio_net vmxnet3 e1000e igb xsk_diag)
# Our programs as far as they are built, and what the tests use of the host.
OURS=(xdplace tests/load_object tests/open_context tests/datagrams tests/hold_context tests/prog tests/xsk_consumer
	tests/consumer tests/same tests/injector tests/udp_talk tests/rtp_talk tests/tx_ways tests/tx_write
	examples/rtp examples/send)
TOOLS=(bash ip tc ss nstat ethtool nsenter unshare setpriv mountpoint jq curl nginx socat openssl iperf3 awk
	grep sed find xargs ps sysctl cmp xxd capsh chrt strace tcpdump bpftool xdp-filter)
BUILD=build
TESTS=
SHAPES=
SUITES=
NETS=
VERBOSE=
QUICK=
LONG=
WRITE=
WORK=
MACHINE=

usage() {
	sed -n '/^# usage: /,/^#$/s/^# *//p' "$0" >&2
	exit 2
}

# shellcheck disable=SC2317 # the trap calls it
cleanup() {
	# shellcheck disable=SC2046 # words wanted
	kill $(jobs -p) 2> /dev/null && wait
	rm -rf "$WORK"
}

# apt with lists and sources of its own, for a suite the host may not be configured for.
apt_for() { # SUITE COMMAND...
	local suite=$1 apt=$WORK/apt-$1 uri
	shift
	if [ ! -d "$apt" ]; then
		# shellcheck disable=SC2016 # apt expands it
		uri=$(apt-get indextargets --format '$(REPO_URI)' \
			'Created-By: Packages' 'Codename: bookworm' | head -n 1)
		[ -n "$uri" ] || return 1
		mkdir -p "$apt/lists/partial" "$apt/cache/archives/partial"
		printf 'deb [signed-by=%s] %s %s main\n' \
			/usr/share/keyrings/debian-archive-keyring.gpg "$uri" "$suite" \
			> "$apt/sources.list"
	fi
	"$1" -o Dir::Etc::SourceList="$apt/sources.list" -o Dir::Etc::SourceParts=/dev/null \
		-o Dir::State::Lists="$apt/lists" -o Dir::Cache="$apt/cache" \
		-o APT::Sandbox::User=root -o Acquire::Retries=2 "${@:2}"
}

# COLUMN of a kernel's row.
column() { # KERNEL COLUMN
	awk -v kernel="$1" -v column="$2" '$1 == kernel {print $column}' <<< "$KERNELS"
}

# The newest package that PACKAGE of a suite depends on; prints nothing.
download() { # DIRECTORY SUITE PACKAGE...
	mkdir -p "$1" && apt_for "$2" apt-get -qq update >&2 &&
		(cd "$1" && apt_for "$2" apt-get -qq download "${@:3}") >&2
}

download_kernel() { # KERNEL
	local suite package
	suite=$(column "$1" 2)
	apt_for "$suite" apt-get -qq update >&2 || return 1
	package=$(apt_for "$suite" apt-cache depends "$(column "$1" 3)" |
		sed -n 's/^ *Depends: \(linux-image-'"${1%%-*}"'\..*\)/\1/p' | head -n 1)
	[ -n "$package" ] && download "$CACHE/$1" "$suite" "$package"
}

# Unpacks the kernel's package, fetching it first if it is not there; prints its directory. Of the
# modules only what may be wanted: unpacking is slow.
unpack() { # KERNEL
	local root=$CACHE/$1/root package
	[ ! -e "$root/complete" ] || { echo "$root" && return; }
	package=$(find "$CACHE/$1" -name 'linux-image-*.deb' 2> /dev/null | sort -V | tail -n 1)
	if [ -z "$package" ]; then
		download_kernel "$1" || return 1
		package=$(find "$CACHE/$1" -name 'linux-image-*.deb' | head -n 1)
	fi
	mkdir -p "$root" && dpkg-deb --fsys-tarfile "$package" |
		tar -x -C "$root" --exclude='*/drivers/net/wireless/*' --exclude='*/drivers/gpu/*' \
			--exclude='*/drivers/media/*' --exclude='*/sound/*' --exclude='*/kernel/fs/*' \
			--exclude='./usr/*' && touch "$root/complete" && echo "$root"
}

# Debian 12's QEMU has no igb, the one of its backports has; unpacked, not installed, beside the
# libraries of the one that is. Without it that card is skipped.
find_qemu() {
	local file
	QEMU=(qemu-system-x86_64)
	NEWER=
	if [ ! -e "$CACHE/qemu/usr/bin/qemu-system-x86_64" ]; then
		case ,${TESTS:-$ALL_TESTS}, in *,igb,*) ;; *) return ;; esac
		download "$WORK/qemu" bookworm-backports qemu-system-x86 qemu-system-common \
			qemu-system-data 2> /dev/null || return
		for file in "$WORK"/qemu/*.deb; do
			dpkg -x "$file" "$CACHE/qemu" || return
		done
	fi
	QEMU_NEWER=("$CACHE/qemu/usr/bin/qemu-system-x86_64" -L "$CACHE/qemu/usr/share/qemu"
		-L /usr/share/seabios -L /usr/lib/ipxe/qemu)
	"${QEMU_NEWER[@]}" -version > /dev/null 2>&1 || return
	QEMU=("${QEMU_NEWER[@]}")
	NEWER=1
}

# A program and the shared libraries it needs, at the paths where the loader looks for them.
add_program() { # ROOT PROGRAM PATH
	local library
	install -D -m 755 "$2" "$1$3"
	ldd "$2" 2> /dev/null | grep -o '/[^ ]*' | while read -r library; do
		[ -e "$1$library" ] || install -D -m 755 "$library" "$1$library"
	done
}

# The host's own tools: busybox' know less than the tests want. What is not installed is not there.
add_tools() { # ROOT
	local tool path
	for tool in "${TOOLS[@]}" $(dpkg -L coreutils procps | sed -n 's|^\(/usr\)*/s*bin/||p'); do
		path=$(type -P "$tool") || continue
		add_program "$1" "$(readlink -f "$path")" "/usr/bin/$tool"
	done
}

# A module behind those it depends on, in the order they are to be loaded.
add_module() { # ROOT KERNEL_DIRECTORY MODULE
	local file name=$3 dependency
	[ -e "$1/modules/$name.ko" ] && return
	file=$(find "$2/lib/modules" -name "${name//_/[-_]}.ko*" | head -n 1)
	[ -n "$file" ] || return # built in, or this kernel has none: the test will tell
	case $file in
	*.xz) xz -dc "$file" > "$1/modules/$name.ko" ;;
	*.zst) zstd -qdc "$file" > "$1/modules/$name.ko" ;;
	*) cp "$file" "$1/modules/$name.ko" ;;
	esac
	for dependency in $(tr '\0' '\n' < "$1/modules/$name.ko" |
		sed -n 's/^depends=//p' | tr ',-' ' _'); do
		add_module "$1" "$2" "$dependency"
	done
	echo "$name.ko" >> "$1/modules/order"
}

# The guest's file system but for the modules, once for all kernels: FILE, as a kernel unpacks it
# into memory.
make_base() { # FILE
	local root=$WORK/base program file
	mkdir -p "$root"/{bin,sbin,xdplace,etc,tests,var/log/nginx,usr/bin,usr/sbin}
	cp "$(command -v busybox)" "$root/bin/busybox"
	install -m 755 tests/kernels/init "$root/init"
	cp tests/kernels/guest.sh "$root/guest.sh"
	cp -r tests/net "$root/tests/net"
	printf '%s\n' 'root:x:0:0::/:/bin/sh' 'nobody:x:65534:65534::/:/bin/sh' \
		'tcpdump:x:100:65534::/:/bin/sh' > "$root/etc/passwd" # which tcpdump becomes
	printf '%s\n' 'root:x:0:' 'nogroup:x:65534:' > "$root/etc/group"
	cp /etc/nsswitch.conf /etc/protocols "$root/etc/" 2> /dev/null
	for program in "${OURS[@]}"; do
		[ -x "$BUILD/$program" ] &&
			add_program "$root" "$BUILD/$program" "/xdplace/$program"
	done
	add_tools "$root"
	# libxdp loads its dispatcher, and xdp-filter its programs, from where Debian puts them.
	for file in /usr/lib/*/bpf/*.o; do
		[ -e "$file" ] && install -D -m 644 "$file" "$root$file"
	done
	pack "$root" > "$1"
}

pack() { # ROOT
	(cd "$1" && find . | cpio --quiet -o -H newc)
}

# Archives behind one another are unpacked over one another.
make_initramfs() { # KERNEL_DIRECTORY FILE
	local root=$WORK/modules-${2##*/} module
	[ -e "$WORK/base.cpio" ] || make_base "$WORK/base.cpio" || return
	rm -rf "$root"
	mkdir -p "$root/modules"
	: > "$root/modules/order"
	for module in "${MODULES[@]}"; do
		add_module "$root" "$1" "$module"
	done
	pack "$root" | cat "$WORK/base.cpio" - > "$2"
}

# Passes on the guest's results and counts them; no end is a failure as well.
results() { # KERNEL
	local line ended=''
	while IFS= read -r line; do
		line=${line%$'\r'}
		[ -n "$VERBOSE" ] && echo "$line" >&2
		case $line in
		'@@ end') ended=1 ;;
		'@@ ok '* | '@@ skip '* | '@@ not ok '*)
			line=${line#@@ }
			[ "${line%% *}" = not ] && echo "not ok $1 ${line#not ok }" ||
				echo "${line%% *} $1 ${line#* }"
			;;
		'@@ # seen '*) echo "$1 ${line#@@ \# seen }" >> "$BUILD/kernels/$1.seen" ;;
		'@@ #'*) echo "${line#@@ }" ;;
		esac
	done
	[ -n "$ended" ] || echo "not ok $1 end: the guest died or took longer than $TIMEOUT s"
}

# ---- network cards ----

# Two cards of a kind, joined by a hub: what leaves one arrives at the other. Their addresses tell
# them apart in the guest: 52:54:00:00:KIND:0 and 1.
two_cards() { # KIND DEVICE
	local side
	for side in 0 1; do
		CARDS+=(-netdev "hubport,id=n$1$side,hubid=$((1 + $1))"
			-device "pcie-root-port,id=port$1$side,chassis=$1$side"
			-device "$2,netdev=n$1$side,mac=52:54:00:00:0$1:0$side,bus=port$1$side")
	done
}

# A card with several queues has to be a tap device out there; two of them on a bridge.
two_cards_with_queues() { # KIND
	local side
	for side in 0 1; do
		CARDS+=(-netdev "tap,id=q$side,ifname=xpq$side,queues=2,script=no,downscript=no"
			-device "virtio-net-pci,netdev=q$side,mq=on,vectors=6,mac=52:54:00:00:0$1:0$side")
	done
	# shellcheck disable=SC2016 # the inner shell expands it
	WRAP=(unshare -n bash -c '
		ip link add xpq type bridge mcast_snooping 0 && ip link set xpq up || exit
		for side in 0 1; do
			ip tuntap add xpq$side mode tap multi_queue && ip link set xpq$side master xpq up || exit
		done
		exec "$@"' cards)
}

can_tap() {
	[ "$(id -u)" -eq 0 ] && unshare -n bash -c 'ip link add xpq type bridge &&
		ip tuntap add xpq0 mode tap multi_queue' > /dev/null 2>&1
}

# What of the tests asks for cards gets them.
choose_cards() { # TESTS
	CARDS=() WRAP=()
	case ,$1, in *,virtio,* | *,netem,*) two_cards 1 virtio-net-pci ;; esac
	case ,$1, in *,vmxnet3,*) two_cards 2 vmxnet3 ;; esac
	case ,$1, in *,e1000e,*) two_cards 3 e1000e ;; esac
	case ,$1, in *,igb,*) [ -n "$NEWER" ] && two_cards 4 igb ;; esac
	case ,$1, in *,virtio_queues,*) can_tap && two_cards_with_queues 5 ;; esac
	[ "${#CARDS[@]}" -gt 0 ] || CARDS=(-nic none)
}

# ---- one kernel ----

# The rows of LEFT_OUT that are this kernel's: WHAT,... WHY...
left_out() { # KERNEL
	local pattern row
	while read -r pattern row; do
		# shellcheck disable=SC2254 # a pattern
		case $1 in $pattern) [ -n "$LONG" ] && [ "${row##* }" = long ] || echo "$row" ;; esac
	done <<< "$LEFT_OUT"
}

# Of LIST, whose items LEFT_OUT calls PREFIX..., what is not left out.
wanted() { # KERNEL PREFIX LIST
	tr , '\n' <<< "$3" | sed "s|^|$2|" | grep -vxF -f <(left_out "$1" | cut -d ' ' -f 1 | tr , '\n') |
		sed "s|^$2||" | paste -sd ,
}

# Nobody who has chosen needs to be told; nor of parts of what is left out as a whole.
tell_left_out() { # KERNEL
	local what why
	[ -z "$TESTS" ] || return
	while read -r what why; do
		case $what in */*) [ -n "$(wanted "$1" '' "${what%%/*}")" ] || continue ;; esac
		echo "skip $1 $what: ${why/#long/long, see -l}"
	done < <(left_out "$1")
}

# What the kernel's machine needs, before any of them runs; false: skipped.
prepare() { # KERNEL
	local directory
	if ! directory=$(unpack "$1"); then
		echo "skip $1: no kernel package in $CACHE/$1, and none to download"
		return 1
	fi
	make_initramfs "$directory" "$WORK/$1.initramfs"
}

# A shell of its own for each of them.
run() { # KERNEL
	local kernel=$1 log=$BUILD/kernels/$1.log tests shapes suites nets
	trap '[ -z "$MACHINE" ] || kill "$MACHINE" 2> /dev/null' EXIT
	trap 'exit 1' INT TERM
	tests=${TESTS:-$(wanted "$1" '' "$ALL_TESTS")}
	shapes=${SHAPES:-$(wanted "$1" load/ "$ALL_SHAPES")}
	suites=${SUITES:-$(wanted "$1" prog/ "$ALL_SUITES")}
	nets=${NETS:-$(wanted "$1" net/ "$ALL_NETS")}
	tell_left_out "$kernel"
	choose_cards "$tests"
	: > "$log" # a new one, before anybody reads it
	# Without cmpxchg16b: when an interrupt comes right behind it, QEMU 7.2 gives it a flags
	# register full of garbage, and the kernel, whose allocator lives on it, dies now and then.
	# As many processors as there are, two at most: two that have to take turns wait for each other.
	# What only costs time in an emulation, where nothing leaks, is off; as is a look whether timers
	# keep time, which those of a machine that waits for its turn do not.
	# In the background, so that a signal to this script is heard at once, and in a session of its
	# own, so that no terminal ends it before this script does.
	setsid timeout -k 5 "$TIMEOUT" "${WRAP[@]}" "${QEMU[@]}" -M q35 -accel tcg -cpu max,-cx16 \
		-smp "$(($(nproc) > 1 ? 2 : 1))" -m 3072 \
		-nodefaults -no-reboot -display none -monitor none -serial stdio "${CARDS[@]}" \
		-kernel "$CACHE/$kernel"/root/boot/vmlinuz-* -initrd "$WORK/$kernel.initramfs" \
		-append "console=ttyS0 quiet panic=-1 no_timer_check no5lvl mitigations=off tests=$tests shapes=$shapes suites=$suites nets=$nets" \
		< /dev/null > "$log" 2>&1 &
	MACHINE=$!
	tail -s 0.2 -n +1 -f --pid="$MACHINE" "$log" 2> /dev/null | results "$kernel" &
	wait $!
	wait "$MACHINE" || tail -n 2 "$log"
	MACHINE=
	grep -q '^@@ end' "$log" && ! grep -q '^@@ not ok ' "$log" || echo "# the whole console is in $log"
}

# All of them, JOBS at a time.
run_all() { # KERNEL...
	local kernel
	trap 'kill $(jobs -p) 2> /dev/null && wait' EXIT
	trap 'exit 1' INT TERM
	for kernel; do
		rm -f "$BUILD/kernels/$kernel.seen"
		prepare "$kernel" || continue
		while [ "$(jobs -rp | wc -l)" -ge "$JOBS" ]; do
			wait -n
		done
		run "$kernel" &
	done
	wait
}

# ---- the table ----

# What was last seen of each kernel, also by earlier runs.
seen() {
	local kernel
	awk '{print $1}' <<< "$KERNELS" | while read -r kernel; do
		cat "$BUILD/kernels/$kernel.seen" 2> /dev/null
	done
}

# Rows are drivers, columns kernels, a cell what each mode did there.
table() {
	awk '
	{
		if (!($1 in k)) { k[$1] = 1; kernels[++nk] = $1 }
		if (!($2 in d)) { d[$2] = 1; drivers[++nd] = $2 }
		what = $3; for (i = 4; i <= NF; i++) what = what " " $i
		if (index(", " cell[$2, $1] ",", ", " what ",")) next
		cell[$2, $1] = cell[$2, $1] (cell[$2, $1] == "" ? "" : ", ") what
	}
	END {
		printf "| driver |"; for (i = 1; i <= nk; i++) printf " %s |", kernels[i]
		printf "\n|---|"; for (i = 1; i <= nk; i++) printf "---|"; print ""
		for (j = 1; j <= nd; j++) {
			printf "| %s |", drivers[j]
			for (i = 1; i <= nk; i++)
				printf " %s |", cell[drivers[j], kernels[i]] == "" ? "-" : cell[drivers[j], kernels[i]]
			print ""
		}
	}'
}

# Between its markers in README.md.
write_table() {
	seen | table > "$WORK/table"
	sed -i -e '/<!-- matrix: begin -->/,/<!-- matrix: end -->/{//!d}' \
		-e "/<!-- matrix: begin -->/r $WORK/table" README.md
}

# All of this file is read before anything of it runs: it may change in the meantime.
main() {
	local option kernel program names=()

	while getopts lqvwb:t:s:p:n: option; do
		case $option in
		l) LONG=1 ;;
		q) QUICK=1 ;;
		v) VERBOSE=1 ;;
		w) WRITE=1 ;;
		b) BUILD=$OPTARG ;;
		t) TESTS=$OPTARG ;;
		s) SHAPES=$OPTARG ;;
		p) SUITES=$OPTARG ;;
		n) NETS=$OPTARG ;;
		*) usage ;;
		esac
	done
	shift $((OPTIND - 1))
	if [ -n "$QUICK" ]; then
		TESTS=${TESTS:-$QUICK_TESTS} SHAPES=${SHAPES:-$QUICK_SHAPES}
		[ $# -gt 0 ] || set -- 6.1 6.12
	fi
	# shellcheck disable=SC2046 # words wanted
	[ $# -gt 0 ] || set -- $(awk '{print $1}' <<< "$KERNELS")
	for kernel; do
		case $kernel in 6.1 | 6.12) kernel=$kernel-cloud ;; esac
		[ -n "$(column "$kernel" 1)" ] || usage
		names+=("$kernel")
	done
	export PATH=$PATH:/usr/sbin:/sbin
	scripts/dependencies.sh kernels || echo "# going on with what is there"
	for program in qemu-system-x86_64 busybox cpio xz ip; do
		if ! command -v "$program" > /dev/null; then
			echo "skip kernels: $program is not installed"
			echo "0 passed, 0 failed, 1 skipped"
			exit 0
		fi
	done

	trap cleanup EXIT
	trap 'exit 1' INT TERM
	WORK=$(mktemp -d)
	find_qemu
	mkdir -p "$BUILD/kernels"
	run_all "${names[@]}" | tee "$WORK/results" &
	wait $!
	[ -z "$WRITE" ] || write_table
	awk '{n[$1]++} END {printf "%d passed, %d failed, %d skipped\n", n["ok"], n["not"], n["skip"]; exit n["not"] > 0}' \
		"$WORK/results"
}

main "$@"; exit # and nothing behind it is read when the file has changed
