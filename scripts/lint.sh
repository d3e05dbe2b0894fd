#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# In:  the source tree, and what `make lint` built under BUILD [build].
#      --record: write the verifier's counts to tests/verifier.txt.
# Out: a line for each check, what it complains of, and as the last line "N passed, N failed,
#      N skipped". Exit status 1 if anything failed.
# Promises: changes no file, save with --record; builds in a directory of its own.
set -u
cd "$(dirname "$0")/.." || exit 1
export PATH=$PATH:/usr/sbin:/sbin
BUILD=${BUILD:-build}
MOST_INSTRUCTIONS=900000 # the kernel's limit is 1000000
RECORD=tests/verifier.txt
passed=0 failed=0 skipped=0
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

# NAME COMMAND...: passes if the command succeeds; else shows what it said.
lint()
{
	local name=$1

	shift
	if "$@" >"$work/out" 2>&1; then
		echo "ok $name"
		passed=$((passed + 1))
	else
		echo "not ok $name"
		sed 's/^/    /' "$work/out" | tail -n 40
		failed=$((failed + 1))
	fi
}

skip()
{
	echo "skip $1: $2"
	skipped=$((skipped + 1))
}

# Files of the project whose name matches; outside git, all that are there.
files()
{
	{ git ls-files 2>/dev/null || find . -name build -prune -o -type f -print | sed 's|^\./||'; } |
		grep -E "$1" | while read -r file; do [ -f "$file" ] && echo "$file"; done
}

# A whole build that must not say "warning", also not of the BPF programs.
build()
{
	local compiler=$1

	nice make -s --no-print-directory BUILD="$work/$compiler" CC="$compiler" \
		CFLAGS="-O2 -g -Werror" all tests bench-build || return
	! grep -q "warning:" "$work/out"
}

# COMPILER... LANGUAGE HEADER: nothing but the header.
alone()
{
	local header=${*: -1} language=${*: -2:1} compiler=("${@:1:$#-2}") multiarch

	multiarch=$(gcc -print-multiarch)
	printf '#include "%s"\n' "$header" |
		"${compiler[@]}" -x "$language" -fsyntax-only -Wall -Wextra -Werror \
			-Wno-unused-parameter -Wno-unused-function -D_GNU_SOURCE \
			-I. -Iinclude -Ibpf -Iuser/lib -Iuser/cli -I"$BUILD" -I"/usr/include/$multiarch" -
}

headers()
{
	local header status=0

	for header in $(files '^include/.*\.h$'); do
		alone gcc -std=gnu11 c "$header" || status=1
		alone g++ -std=c++17 c++ "$header" || status=1
		alone clang -std=gnu11 c "$header" || status=1
	done
	alone clang -target bpf -mcpu=v3 c include/xdplace/abi.h || status=1
	for header in $(files '^bpf/.*\.h$'); do
		alone clang -target bpf -mcpu=v3 -O2 c "$header" || status=1
		case $header in
		*.bpf.h) ;; # maps and helpers: nothing for a host
		*) alone gcc -std=gnu11 c "$header" && alone clang -std=gnu11 c "$header" || status=1 ;;
		esac
	done
	for header in $(files '^(user|tests)/.*\.h$' | grep -v '\.bpf\.h$' | grep -v '^tests/bench/'); do
		(alone gcc -std=gnu11 -I"$(dirname "$header")" c "$header") || status=1
	done
	return $status
}

scripts()
{
	local file

	for file in $(files '.'); do
		case $file in
		*.sh | *.bash-completion) echo "$file" ;;
		*.*) [ "$file" = .ci/run ] && echo "$file" ;;
		*) head -n 1 "$file" | grep -qE '^#!.*\b(ba)?sh\b' && echo "$file" ;;
		esac
	done
}

# Every file of ours says what may be done with it.
licences()
{
	local file status=0

	for file in $(files '\.(c|h|sh)$|^Makefile$|^user/man/.*\.[378]$'); do
		head -n 3 "$file" | grep -q 'SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause' || {
			echo "$file: no SPDX line"
			status=1
		}
	done
	return $status
}

kernel_series()
{
	uname -r | cut -d . -f 1,2
}

# Counts are those of one kernel: on another one the limit alone is checked.
verifier()
{
	local configuration program count before status=0 kernel

	kernel=$(kernel_series)
	"$BUILD/tests/verifier_counts" >"$work/counts" || status=1
	[ -s "$work/counts" ] || { echo "no counts"; return 1; }
	while read -r configuration program count; do
		before=$(awk -v k="$kernel" -v c="$configuration" -v p="$program" \
			'$1 == k && $2 == c && $3 == p {print $4}' "$RECORD" 2>/dev/null)
		echo "$configuration $program: $count instructions${before:+, recorded $before}"
		if [ "$count" -gt "$MOST_INSTRUCTIONS" ]; then
			echo "  more than $MOST_INSTRUCTIONS"
			status=1
		elif [ -n "$before" ] && [ "$count" -gt $((before * 5 / 4 + 1000)) ]; then
			echo "  a quarter more than recorded: look why, then scripts/lint.sh --record"
			status=1
		fi
	done <"$work/counts"
	return $status
}

record()
{
	"$BUILD/tests/verifier_counts" >"$work/counts" || exit 1
	{
		echo "# Instructions the verifier walks: kernel, configuration, program, count."
		echo "# Written by scripts/lint.sh --record; its limit is 1000000."
		grep -v '^#' "$RECORD" 2>/dev/null | grep -v "^$(kernel_series) "
		sed "s/^/$(kernel_series) /" "$work/counts"
	} >"$work/record"
	cp "$work/record" "$RECORD"
}

if [ "${1:-}" = --record ]; then
	record
	exit
fi

mapfile -t sources < <(files '\.[ch]$')
mapfile -t shell < <(scripts)
mapfile -t pages < <(files '^user/man/.*\.[378]$')

lint clang-format clang-format --dry-run -Werror "${sources[@]}"
lint licences licences
lint headers headers
# "a && b || no 'why'" is how a test case says why; optional arguments are no slips,
# and run_case is told functions by name.
lint shellcheck shellcheck -x -P SCRIPTDIR -s bash -e SC2015,SC2119,SC2120,SC2317 "${shell[@]}"
if [ "${#pages[@]}" -gt 0 ]; then
	lint mandoc mandoc -T lint -W warning "${pages[@]}"
else
	skip mandoc "no man pages yet"
fi
lint requirements scripts/requirements.sh --check
lint build-gcc build gcc
lint build-clang build clang
if [ "$(id -u)" -ne 0 ]; then
	skip verifier "loading needs root"
else
	lint verifier verifier
	sed 's/^/    /' "$work/out"
fi

echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ]
