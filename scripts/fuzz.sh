#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# In:  what `make fuzz-build` built under BUILD [build]; the corpora tests/fuzz/corpus-NAME.
#        run [SECONDS [NAME...]]   fuzz each target for SECONDS [60], one after the other
#        replay [NAME...]          each corpus, and a few thousand inputs more, always the same ones
#        coverage [NAME...]        lines and branches of what is fuzzed that the corpora reach
#        minimise [NAME...]        what `run` has found goes into the corpora, what adds nothing out
# Out: run: a line for each target with executions, and what was found. replay: "ok NAME [ids]",
#      "not ok NAME [ids]: why", "skip NAME [ids]: why". Exit status 1 if an input broke a promise;
#      it is in BUILD/fuzz/found then: give it to BUILD/fuzz/NAME to see.
# Promises: only `minimise` changes the tree; what `run` finds waits in BUILD/fuzz/new.
set -u
cd "$(dirname "$0")/.." || exit 1
BUILD=${BUILD:-build}
FUZZ=$BUILD/fuzz
FOUND=$FUZZ/found
REPLAY_RUNS=3000
LONGEST=1200 # bytes of an input
export ASAN_OPTIONS=${ASAN_OPTIONS:-detect_leaks=1:allocator_may_return_null=1}

child=
trap '[ -n "$child" ] && kill "$child" 2>/dev/null' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

names()
{
	local file name

	if [ $# -gt 0 ]; then
		printf '%s\n' "$@"
		return
	fi
	for file in tests/fuzz/*.c; do
		name=$(basename "$file" .c)
		case $name in fuzz | seeds | object) ;; *) echo "$name" ;; esac
	done
}

# The requirements that a target's opening comment names.
ids()
{
	sed -n '2,/\*\//s/.*\[\([RT][RT0-9 ]*\)\].*/\1/p' "tests/fuzz/$1.c" | head -n 1
}

built()
{
	[ -x "$FUZZ/$1" ]
}

why_not_built()
{
	local runtime

	runtime=$(${CLANG:-clang} -print-runtime-dir 2>/dev/null)
	if ! compgen -G "$runtime/libclang_rt.fuzzer-*.a" >/dev/null; then
		echo "clang has no libFuzzer here (Debian: libclang-rt-14-dev)"
	else
		echo "not built: make fuzz-build"
	fi
}

# LOG COMMAND...: in the background, so that a signal is heard at once.
run_logged()
{
	local log=$1 status

	shift
	"$@" >"$log" 2>&1 </dev/null &
	child=$!
	wait "$child"
	status=$?
	child=
	return $status
}

# What libFuzzer or a sanitizer said last, in one line.
complaint()
{
	grep -m 1 -E 'does not hold|runtime error|ERROR: (Address|Leak|libFuzzer)' "$1" | head -c 300 ||
		tail -n 1 "$1"
}

executions()
{
	sed -n 's/^stat::number_of_executed_units: *//p' "$1" | tail -n 1
}

run_one()
{
	local name=$1 seconds=$2 log=$FUZZ/$1.log before=$SECONDS status runs reached corpora

	mkdir -p "$FUZZ/new/$name" "$FOUND"
	corpora=("$FUZZ/new/$name")
	[ -d "tests/fuzz/corpus-$name" ] && corpora+=("tests/fuzz/corpus-$name")
	run_logged "$log" nice "$FUZZ/$name" -max_total_time="$seconds" -max_len=$LONGEST \
		-print_final_stats=1 -artifact_prefix="$FOUND/$name-" "${corpora[@]}"
	status=$?
	runs=$(executions "$log")
	reached=$(grep -oE 'cov: [0-9]+ ft: [0-9]+ corp: [0-9]+' "$log" | tail -n 1)
	echo "$name ${runs:-0} $((SECONDS - before))" >>"$FUZZ/executions"
	printf '%-12s %12s executions in %5d s, %s\n' "$name" "${runs:-?}" $((SECONDS - before)) \
		"$reached"
	[ "$status" -eq 0 ] && return 0
	echo "not ok $name: $(complaint "$log"); $(grep -o 'Test unit written to .*' "$log")"
	return 1
}

run()
{
	local seconds=${1:-60} name status=0

	[ $# -gt 0 ] && shift
	while read -r name; do
		if built "$name"; then
			run_one "$name" "$seconds" || status=1
		else
			echo "skip $name: $(why_not_built)"
		fi
	done < <(names "$@")
	awk '{n += $2; s += $3} END {printf "in all %d executions in %d s\n", n, s}' \
		"$FUZZ/executions" 2>/dev/null
	return $status
}

replay_one()
{
	local name=$1 log=$FUZZ/$1.replay.log files

	files=$(find "tests/fuzz/corpus-$name" -type f 2>/dev/null | wc -l)
	if [ "$files" -eq 0 ]; then
		echo "not ok fuzz_$name [$(ids "$name")]: its corpus is empty"
		return 1
	fi
	mkdir -p "$FOUND"
	# Inputs beyond the corpus are not kept: its directory is only read.
	if ! run_logged "$log" "$FUZZ/$name" -runs=0 -artifact_prefix="$FOUND/$name-" \
		"tests/fuzz/corpus-$name" ||
		! run_logged "$log" "$FUZZ/$name" -runs=$REPLAY_RUNS -seed=1 -max_len=$LONGEST \
			-artifact_prefix="$FOUND/$name-" "$FUZZ/empty" "tests/fuzz/corpus-$name"; then
		echo "not ok fuzz_$name [$(ids "$name")]: $(complaint "$log")"
		return 1
	fi
	echo "ok fuzz_$name [$(ids "$name")]"
}

replay()
{
	local name status=0

	while read -r name; do
		if built "$name"; then
			rm -rf "$FUZZ/empty" && mkdir -p "$FUZZ/empty"
			replay_one "$name" || status=1
		else
			echo "skip fuzz_$name [$(ids "$name")]: $(why_not_built)"
		fi
	done < <(names "$@")
	rm -rf "$FUZZ/empty"
	return $status
}

coverage()
{
	local directory=$BUILD/fuzz-coverage name version programs=() profiles=()

	version=$(${CLANG:-clang} -dumpversion | cut -d . -f 1)
	make -s --no-print-directory fuzz-build FUZZ_DIR="$directory" \
		FUZZ_EXTRA="-fprofile-instr-generate -fcoverage-mapping" || return
	rm -f "$directory"/*.profraw
	while read -r name; do
		[ -x "$directory/$name" ] || { echo "skip $name: $(why_not_built)"; continue; }
		LLVM_PROFILE_FILE=$directory/$name.profraw run_logged "$directory/$name.log" \
			"$directory/$name" -runs=0 "tests/fuzz/corpus-$name" || complaint "$directory/$name.log"
		profiles+=("$directory/$name.profraw")
		programs+=(-object "$directory/$name")
	done < <(names "$@")
	[ ${#profiles[@]} -gt 0 ] || return
	"llvm-profdata-$version" merge -sparse "${profiles[@]}" -o "$directory/all.profdata" || return
	"llvm-cov-$version" report "${programs[@]:1}" -instr-profile "$directory/all.profdata" \
		-ignore-filename-regex='tests/|/usr/|skel' | covered_table
}

# llvm-cov's table, of files that were reached at all: lines and branches.
covered_table()
{
	awk 'BEGIN { printf "%-32s %8s %8s %9s %9s\n", "file", "lines", "reached", "branches", "reached" }
		/^(bpf|include|user)\// && $8 > 0 && $10 != "0.00%" {
			printf "%-32s %8d %8s %9d %9s\n", $1, $8, $10, $11, $13 }'
}

minimise()
{
	local name

	while read -r name; do
		built "$name" || { echo "skip $name: $(why_not_built)"; continue; }
		rm -rf "$FUZZ/merged" && mkdir -p "$FUZZ/merged" "$FOUND" "$FUZZ/new/$name" "tests/fuzz/corpus-$name"
		# Edges alone, not how often: the corpus stays small enough to be read.
		run_logged "$FUZZ/$name.log" "$FUZZ/$name" -merge=1 -use_counters=0 -max_len=$LONGEST \
			-artifact_prefix="$FOUND/$name-" \
			"$FUZZ/merged" "tests/fuzz/corpus-$name" "$FUZZ/new/$name" || {
			complaint "$FUZZ/$name.log"
			return 1
		}
		if ! compgen -G "$FUZZ/merged/*" >/dev/null; then
			echo "$name: nothing is left: it fails at once? $(complaint "$FUZZ/$name.log")"
			return 1
		fi
		rm -rf "tests/fuzz/corpus-$name"
		cp -r "$FUZZ/merged" "tests/fuzz/corpus-$name"
		echo "$name: $(find "tests/fuzz/corpus-$name" -type f | wc -l) inputs," \
			"$(cat "tests/fuzz/corpus-$name"/* | wc -c) bytes"
	done < <(names "$@")
}

command=${1:-}
[ $# -gt 0 ] && shift
case $command in
run | replay | coverage | minimise) "$command" "$@" ;;
*)
	echo "usage: scripts/fuzz.sh run [SECONDS [NAME...]] | replay | coverage | minimise [NAME...]" >&2
	exit 2
	;;
esac
