#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# In:  what `make tests` built under BUILD [build]; names of parts to run (host, prog, t_curl ...),
#      none: all of them.
# Out: each result as it comes, then the names of what failed, and as the last line
#      "N passed, N failed, N skipped". Exit status 1 if anything failed.
# Promises: every part ends within its time, and leaves no process, namespace or pin behind, also
#      when this script is interrupted.
set -u
cd "$(dirname "$0")/.." || exit 1
export BUILD=${BUILD:-build}

DEFAULT_SECONDS=180 # against hanging; a test that may need longer says so: "# seconds: 300"
passed=0 failed=0 skipped=0
failures=()
child=
log=$(mktemp) || exit 1

end()
{
	trap - EXIT INT TERM HUP
	if [ -n "$child" ]; then
		kill -TERM "$child" 2>/dev/null
		wait "$child" 2>/dev/null
	fi
	rm -f "$log"
	exit "$1"
}
trap 'end $?' EXIT
trap 'echo "check: interrupted, cleaning up" >&2; end 130' INT
trap 'end 143' TERM HUP

fail()
{
	failed=$((failed + 1))
	failures+=("$1")
}

# SECONDS COMMAND...: output to the log and, line by line, to FILTER; returns the exit status.
run()
{
	local seconds=$1 status

	shift
	: >"$log"
	# In the background, so that a signal to this script is heard at once.
	timeout -k 15 "$seconds" "$@" >"$log" 2>&1 </dev/null &
	child=$!
	tail -s 0.2 -n +1 --pid="$child" -f "$log" 2>/dev/null | show &
	wait "$child"
	status=$?
	child=
	wait
	return "$status"
}

# What a person wants to see of a running part: results, not the talk in between.
show()
{
	grep --line-buffered -E '^(ok|not ok|skip) |^[^ ]+:[0-9]+:[FE]:'
}

# libcheck: "97%: Checks: 40, Failures: 1, Errors: 0", and a line for each failure:
# file.c:123:F:case:test:0: why
run_libcheck()
{
	local name=$1 program=$BUILD/tests/$1 status checks bad line

	if [ ! -x "$program" ]; then
		echo "not ok $name: $program is not built"
		fail "$name: not built"
		return
	fi
	CK_VERBOSITY=normal run 150 "$program"
	status=$?
	while read -r line; do
		fail "$name: $line"
	done < <(grep -E '^[^ ]+:[0-9]+:[FE]:' "$log")
	checks=$(sed -n 's/^[0-9]*%: Checks: \([0-9]*\), .*/\1/p' "$log" | awk '{n += $1} END {print n + 0}')
	bad=$(sed -n 's/^[0-9]*%: .*Failures: \([0-9]*\), Errors: \([0-9]*\).*/\1 \2/p' "$log" |
		awk '{n += $1 + $2} END {print n + 0}')
	if [ "$checks" -eq 0 ] || { [ "$status" -ne 0 ] && [ "$bad" -eq 0 ]; }; then
		tail -n 5 "$log"
		fail "$name: ended with status $status and $checks checks"
		return
	fi
	passed=$((passed + checks - bad))
	echo "# $name: $checks checks, $bad failed"
}

# Scripts print "ok NAME [R1]", "not ok NAME [R1]: why", "skip NAME [R1]: why".
run_net()
{
	local script=$1 name seconds status line start=$SECONDS

	name=$(basename "$script" .sh)
	seconds=$(sed -n 's/^# seconds: \([0-9]*\).*/\1/p' "$script" | head -n 1)
	run "${seconds:-$DEFAULT_SECONDS}" bash "$script"
	status=$?
	while read -r line; do
		case $line in
		"ok "*) passed=$((passed + 1)) ;;
		"skip "*) skipped=$((skipped + 1)) ;;
		"not ok "*) fail "$name: ${line#not ok }" ;;
		esac
	done < <(grep -E '^(ok|not ok|skip) ' "$log")
	case $status in
	0) ;;
	124 | 137) fail "$name: took longer than ${seconds:-$DEFAULT_SECONDS} seconds" ;;
	*)
		grep -q '^not ok ' "$log" || {
			tail -n 5 "$log"
			fail "$name: ended with status $status: $(tail -n 1 "$log" | head -c 200)"
		}
		;;
	esac
	echo "# $name: $((SECONDS - start)) s"
}

wanted()
{
	local part

	[ "${#parts[@]}" -eq 0 ] && return 0
	for part in "${parts[@]}"; do
		[ "$part" = "$1" ] && return 0
	done
	return 1
}

parts=("$@")
for suite in host prog; do
	wanted "$suite" && run_libcheck "$suite"
done
for script in tests/net/t_*.sh; do
	wanted "$(basename "$script" .sh)" && run_net "$script"
done

if [ "$failed" -gt 0 ]; then
	echo
	echo "Failed:"
	printf '  %s\n' "${failures[@]}"
fi
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
