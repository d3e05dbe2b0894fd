#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# kernels.sh - try xdplace on Debian's kernels, in virtual machines.
#
# usage: kernels.sh [-v] [-b BUILD] [-t TEST,TEST...] [-s SHAPE,SHAPE...] [KERNEL...]
#	-v  the whole console		BUILD	directory with what was built [build]
#	TEST	function test_TEST of tests/kernels/guest.sh [all of them, in order]
#	SHAPE	configuration that load_object knows [all of them]
#	KERNEL	6.1 or 6.12 [both]
#
# In: a Debian 12 machine with qemu-system-x86, busybox-static and cpio. Kernel packages come from
# the mirrors that this machine's apt is configured for, and are kept in
# ${XDG_CACHE_HOME:-~/.cache}/xdplace; nothing is installed.
# Out: lines "ok KERNEL NAME", "not ok KERNEL NAME", "skip KERNEL NAME: WHY", the whole console in
# BUILD/kernels/KERNEL.log. Exit code 1 if anything was not ok, 2 for usage.
# Promises: needs no root, no KVM and no network but apt's; changes nothing outside BUILD and the
# cache; ends each machine after $TIMEOUT seconds [1800].

set -u -o pipefail
cd "$(dirname "$0")/.." || exit 1

CACHE=${XDG_CACHE_HOME:-$HOME/.cache}/xdplace
TIMEOUT=${TIMEOUT:-1800}
GUEST_MODULES=(veth)
# What the tests use of the host: our programs as far as they are built, and iproute2's ip, as
# busybox' knows no veth.
GUEST_PROGRAMS=(xdplace tests/load_object tests/open_context tests/datagrams tests/prog
	tests/xsk_consumer)
BUILD=build
TESTS=
SHAPES=
VERBOSE=
WORK=
MACHINE=

usage() {
	sed -n 's/^# usage: /usage: /p' "$0" >&2
	exit 2
}

# shellcheck disable=SC2317 # the trap calls it
cleanup() {
	[ -n "$MACHINE" ] && kill "$MACHINE" 2> /dev/null
	[ -n "$WORK" ] && rm -rf "$WORK"
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

# The newest cloud kernel of a suite; prints its package file.
download() { # KERNEL SUITE
	local kernel=$1 suite=$2 package
	apt_for "$suite" apt-get -qq update >&2 || return 1
	package=$(apt_for "$suite" apt-cache depends linux-image-cloud-amd64 |
		sed -n 's/^ *Depends: \(linux-image-'"${kernel//./\\.}"'\..*\)/\1/p' | head -n 1)
	[ -n "$package" ] || return 1
	mkdir -p "$CACHE/$kernel" &&
		(cd "$CACHE/$kernel" && apt_for "$suite" apt-get -qq download "$package") >&2
}

# Unpacks the kernel's package, fetching it first if it is not there; prints its directory.
unpack() { # KERNEL
	local kernel=$1 suite package
	local -A suites=([6.1]=bookworm [6.12]=bookworm-backports)
	suite=${suites[$kernel]}
	package=$(find "$CACHE/$kernel" -name 'linux-image-*.deb' 2> /dev/null | sort -V | tail -n 1)
	if [ -z "$package" ]; then
		download "$kernel" "$suite" || return 1
		package=$(find "$CACHE/$kernel" -name 'linux-image-*.deb' | head -n 1)
	fi
	dpkg -x "$package" "$WORK/$kernel" && echo "$WORK/$kernel"
}

# A program and the shared libraries it needs, at the paths where the loader looks for them.
add_program() { # ROOT PROGRAM
	local library
	install -D -m 755 "$2" "$1/xdplace/$(basename "$2")"
	ldd "$2" 2> /dev/null | grep -o '/[^ ]*' | while read -r library; do
		[ -e "$1$library" ] || install -D -m 755 "$library" "$1$library"
	done
}

# A module behind those it depends on, in the order they are to be loaded.
add_module() { # ROOT KERNEL_DIRECTORY MODULE
	local file name=$3 dependency
	[ -e "$1/modules/$name.ko" ] && return
	file=$(find "$2/lib/modules" -name "$name.ko*" | head -n 1)
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

# The guest's whole file system, as the kernel unpacks it into memory.
make_initramfs() { # KERNEL_DIRECTORY FILE
	local root=$1/root program module file
	mkdir -p "$root/bin" "$root/modules" "$root/xdplace"
	: > "$root/modules/order"
	cp "$(command -v busybox)" "$root/bin/busybox"
	install -m 755 tests/kernels/init "$root/init"
	cp tests/kernels/guest.sh "$root/guest.sh"
	for program in "${GUEST_PROGRAMS[@]}"; do
		[ -x "$BUILD/$program" ] && add_program "$root" "$BUILD/$program"
	done
	add_program "$root" "$(readlink -f "$(command -v ip)")"
	# libxdp loads its dispatcher from where Debian puts it.
	for file in /usr/lib/*/bpf/xdp-dispatcher.o; do
		[ -e "$file" ] && install -D -m 644 "$file" "$root$file"
	done
	for module in "${GUEST_MODULES[@]}"; do
		add_module "$root" "$1" "$module"
	done
	(cd "$root" && find . | cpio --quiet -o -H newc) > "$2"
}

# Passes on the guest's results; fails if there is a failure, or no end.
results() { # KERNEL
	local line ended='' failed=''
	while IFS= read -r line; do
		line=${line%$'\r'}
		[ -n "$VERBOSE" ] && echo "$line" >&2
		case $line in
		'@@ end') ended=1 ;;
		'@@ ok '*) echo "ok $1 ${line#@@ ok }" ;;
		'@@ skip '*) echo "skip $1 ${line#@@ skip }" ;;
		'@@ not ok '*)
			echo "not ok $1 ${line#@@ not ok }"
			failed=1
			;;
		'@@ #'*) echo "${line#@@ }" ;;
		esac
	done
	if [ -z "$ended" ]; then
		echo "not ok $1 end: the guest died or took longer than $TIMEOUT s"
		failed=1
	fi
	[ -z "$failed" ]
}

run() { # KERNEL
	local kernel=$1 directory log=$BUILD/kernels/$1.log status=0
	if ! directory=$(unpack "$kernel"); then
		echo "skip $kernel: no kernel package in $CACHE/$kernel, and none to download"
		return 0
	fi
	make_initramfs "$directory" "$directory/initramfs" || return 1
	mkdir -p "$BUILD/kernels" && : > "$log" # a new one, before anybody reads it
	# Without cmpxchg16b: when an interrupt comes right behind it, QEMU 7.2 gives it a flags
	# register full of garbage, and the kernel, whose allocator lives on it, dies now and then.
	# In the background, so that a signal to this script is heard at once.
	timeout -k 5 "$TIMEOUT" nice qemu-system-x86_64 -accel tcg -cpu max,-cx16 -smp 2 -m 2048 \
		-nodefaults -no-reboot -display none -monitor none -serial stdio -nic none \
		-kernel "$directory"/boot/vmlinuz-* -initrd "$directory/initramfs" \
		-append "console=ttyS0 quiet panic=-1 tests=$TESTS shapes=$SHAPES" \
		< /dev/null > "$log" 2>&1 &
	MACHINE=$!
	tail -s 0.2 -n +1 -f --pid="$MACHINE" "$log" 2> /dev/null | results "$kernel" &
	wait $! || status=1
	wait "$MACHINE"
	MACHINE=
	[ "$status" -eq 0 ] || echo "# the whole console is in $log"
	return "$status"
}

# All of this file is read before anything of it runs: it may change in the meantime.
main() {
	local option kernel program status=0

	while getopts vb:t:s: option; do
		case $option in
		v) VERBOSE=1 ;;
		b) BUILD=$OPTARG ;;
		t) TESTS=$OPTARG ;;
		s) SHAPES=$OPTARG ;;
		*) usage ;;
		esac
	done
	shift $((OPTIND - 1))
	[ $# -gt 0 ] || set -- 6.1 6.12
	[ -n "$TESTS" ] ||
		TESTS=$(sed -n 's/^test_\([a-z_]*\)().*/\1/p' tests/kernels/guest.sh | paste -sd,)

	for kernel; do
		case $kernel in
		6.1 | 6.12) ;;
		*) usage ;;
		esac
	done
	for program in qemu-system-x86_64 busybox cpio ip; do
		if ! command -v "$program" > /dev/null; then
			echo "skip kernels: $program is not installed"
			exit 0
		fi
	done

	trap cleanup EXIT
	trap 'exit 1' INT TERM
	WORK=$(mktemp -d)
	for kernel; do
		run "$kernel" || status=1
	done
	exit $status
}

main "$@"
