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
