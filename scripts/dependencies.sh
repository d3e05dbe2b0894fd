#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# In:  nothing, or names of sets of packages beside the usual ones: kernels, bench. Installs the
#      Debian packages that building, testing and linting need and that are not there yet. Says
#      nothing when nothing is missing.
# Out: exit status 0, all is there; 1, something is missing and can not be installed.
# Promises: never starts or enables a service, touches nothing besides packages.
set -u

PACKAGES="
	clang llvm libclang-rt-14-dev gcc g++ make pkg-config libbpf-dev libxdp-dev libmnl-dev bpftool libelf-dev zlib1g-dev
	libjson-c-dev libpcap-dev libncurses-dev libssl-dev check
	iproute2 iputils-ping ethtool procps util-linux nginx-light curl iperf3 socat openssl
	openssh-client openssh-server jq tcpdump strace xxd
	clang-format shellcheck mandoc git ca-certificates
"
# What `make check-kernels` needs as well.
KERNEL_PACKAGES="
	qemu-system-x86 seabios ipxe-qemu busybox-static cpio xz-utils zstd xdp-tools libcap2-bin
"
# Those that `make bench` compares with: it does without what can not be had.
BENCH_PACKAGES="
	libnids-dev tcpflow libdpdk-dev liburing-dev
"
for set; do
	case $set in
	kernels) PACKAGES+=$KERNEL_PACKAGES ;;
	bench) PACKAGES+=$BENCH_PACKAGES ;;
	*)
		echo "dependencies: no set of packages '$set'; there are: kernels bench" >&2
		exit 1
		;;
	esac
done

fail()
{
	echo "dependencies: $*" >&2
	exit 1
}

missing()
{
	local present package

	# shellcheck disable=SC2086,SC2016  # a list of words; a format of dpkg's
	present=$(dpkg-query -W -f='${Package} ${db:Status-Status}\n' $PACKAGES 2>/dev/null |
		sed -n 's/ installed$//p')
	for package in $PACKAGES; do
		grep -qxF "$package" <<<"$present" || echo "$package"
	done
}

if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
	echo "dependencies: not a Debian system, installing nothing; the equivalents are needed of:" >&2
	# shellcheck disable=SC2086
	echo $PACKAGES | fold -s -w 90 | sed 's/^/  /' >&2
	exit 0
fi

mapfile -t wanted < <(missing)
[ "${#wanted[@]}" -eq 0 ] && exit 0

as_root=()
if [ "$(id -u)" -ne 0 ]; then
	command -v sudo >/dev/null ||
		fail "these packages are missing, and installing them needs root: ${wanted[*]}"
	as_root=(sudo)
	[ -t 0 ] || as_root=(sudo -n)
	"${as_root[@]}" true ||
		fail "sudo refuses; as root: apt-get install --no-install-recommends ${wanted[*]}"
fi

# Packages of daemons start them when installed, unless a policy says no (policy-rc.d, Debian
# Policy 9.3.3). One that is there already is the administrator's and says no more than ours.
policy=/usr/sbin/policy-rc.d
made_policy=
undo()
{
	[ -n "$made_policy" ] && "${as_root[@]}" rm -f "$policy"
	made_policy=
}
trap undo EXIT
trap 'exit 1' INT TERM
if [ ! -e "$policy" ]; then
	printf '#!/bin/sh\nexit 101\n' | "${as_root[@]}" tee "$policy" >/dev/null
	made_policy=yes
	"${as_root[@]}" chmod 755 "$policy"
fi

apt=("${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -q
	-o DPkg::Lock::Timeout=300 -o Acquire::Retries=3)
log=$(mktemp) || fail "no room for a temporary file"
echo "dependencies: installing ${wanted[*]}"
if ! { "${apt[@]}" update && "${apt[@]}" install -y --no-install-recommends "${wanted[@]}"; } \
	>"$log" 2>&1 </dev/null; then
	tail -n 20 "$log" >&2
	rm -f "$log"
	fail "apt-get failed (its last words are above); wanted: ${wanted[*]}"
fi
rm -f "$log"

# What the tests start, they start themselves: a machine that reboots gets no new daemon from us.
if [ -d /run/systemd/system ]; then
	for package in "${wanted[@]}"; do
		case $package in
		nginx-light) "${as_root[@]}" systemctl --quiet disable nginx.service ;;
		openssh-server) "${as_root[@]}" systemctl --quiet disable ssh.service ;;
		esac
	done
fi

mapfile -t wanted < <(missing)
[ "${#wanted[@]}" -eq 0 ] || fail "still missing after installation: ${wanted[*]}"
