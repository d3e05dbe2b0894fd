#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# In:  what `make tests fuzz-build` built under BUILD [build]; names of parts to run (host, prog,
#      model, fuzz, t_curl ...), none: all of them; how many at a time, JOBS [two for each CPU, 4 at most].
# Out: each result as it comes, then the names of what failed, and as the last line
#      "N passed, N failed, N skipped". Exit status 1 if anything failed.
# Promises: every part ends within its time, and leaves no process, namespace or pin behind, also
#      when this script is interrupted.
#
# Most of a test's time is waiting. Parts run side by side, the long ones first; each has names of
# its own for whatever it makes (tests/net/lib.sh). One that can not bear company says "# alone" in
# its head and comes last.
set -u
cd "$(dirname "$0")/.." || exit 1
export BUILD=${BUILD:-build}
export PATH=$PATH:/usr/sbin:/sbin
export CK_TIMEOUT_MULTIPLIER=5 # libcheck's limit of 4 s for a test is for one that has a CPU to itself

DEFAULT_SECONDS=180 # against hanging; a test that may need longer says so: "# seconds: 300"
PROGRAM_SECONDS=400
cpus=$(nproc)
JOBS=${JOBS:-$((cpus < 2 ? 2 : 4))}
passed=0 failed=0 skipped=0
failures=()
declare -A name_of=() shower_of=() began=() # of the parts that run, by process
work=$(mktemp -d) || exit 1

end()
{
	trap - EXIT INT TERM HUP
	if [ "${#name_of[@]}" -gt 0 ]; then
		kill -TERM "${!name_of[@]}" 2>/dev/null
		wait "${!name_of[@]}" 2>/dev/null
	fi
	rm -rf "$work"
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

# ---- what a part is ----

is_libcheck()
{
	[ "$1" = host ] || [ "$1" = prog ]
}

# The script of any other part, and its arguments.
is_program()
{
	is_libcheck "$1" || [ "$1" = model ]
}

script_of()
{
	[ "$1" = fuzz ] && echo scripts/fuzz.sh replay || echo "tests/net/$1.sh"
}

seconds_of()
{
	local seconds

	is_program "$1" && echo $PROGRAM_SECONDS && return
	seconds=$(sed -n 's/^# seconds: \([0-9]*\).*/\1/p' "$(script_of "$1" | cut -d ' ' -f 1)" |
		head -n 1)
	echo "${seconds:-$DEFAULT_SECONDS}"
}

is_alone()
{
	! is_program "$1" && head -n 15 "$(script_of "$1" | cut -d ' ' -f 1)" | grep -q '^# alone'
}

# ---- its results ----

# What a person wants to see of a running part: results, not the talk in between; of the model also
# the packets that show a difference.
show()
{
	grep --line-buffered -E '^(ok|not ok|skip) |^[^ ]+:[0-9]+:[FE]:|^#  '
}

# libcheck: "97%: Checks: 40, Failures: 1, Errors: 0", and a line for each failure:
# file.c:123:F:case:test:0: why
count_libcheck() # NAME STATUS LOG
{
	local checks bad line

	while read -r line; do
		fail "$1: $line"
	done < <(grep -E '^[^ ]+:[0-9]+:[FE]:' "$3")
	checks=$(sed -n 's/^[0-9]*%: Checks: \([0-9]*\), .*/\1/p' "$3" | awk '{n += $1} END {print n + 0}')
	bad=$(sed -n 's/^[0-9]*%: .*Failures: \([0-9]*\), Errors: \([0-9]*\).*/\1 \2/p' "$3" |
		awk '{n += $1 + $2} END {print n + 0}')
	passed=$((passed + checks - bad))
	[ "$2" -eq 0 ] && [ "$checks" -gt 0 ] && return
	[ "$bad" -gt 0 ] || fail_ending "$@"
}

# Scripts and the model print "ok NAME [R1]", "not ok NAME [R1]: why", "skip NAME [R1]: why".
count_script() # NAME STATUS LOG
{
	local line

	while read -r line; do
		case $line in
		"ok "*) passed=$((passed + 1)) ;;
		"skip "*) skipped=$((skipped + 1)) ;;
		"not ok "*) fail "$1: ${line#not ok }" ;;
		esac
	done < <(grep -E '^(ok|not ok|skip) ' "$3")
	[ "$2" -eq 0 ] || { [ "$2" -lt 124 ] && grep -q '^not ok ' "$3"; } || fail_ending "$@"
}

# Not a test's failure, but the part's.
fail_ending() # NAME STATUS LOG
{
	case $2 in
	124 | 137) fail "$1: took longer than $(seconds_of "$1") seconds" ;;
	*)
		tail -n 5 "$3"
		fail "$1: ended with status $2: $(tail -n 1 "$3" | head -c 200)"
		;;
	esac
}

# ---- running ----

begin() # NAME
{
	local log=$work/$1 pid command=("$BUILD/tests/$1")

	is_program "$1" || read -ra command <<<"bash $(script_of "$1")"
	: >"$log"
	# In the background, so that a signal to this script is heard at once.
	CK_VERBOSITY=normal timeout -k 15 "$(seconds_of "$1")" "${command[@]}" >"$log" 2>&1 </dev/null &
	pid=$!
	name_of[$pid]=$1
	began[$pid]=$SECONDS
	tail -s 0.2 -n +1 --pid="$pid" -f "$log" 2>/dev/null | show &
	shower_of[$pid]=$!
}

# Until there are fewer than N parts running.
wait_until_fewer() # N
{
	local pid status name

	while [ "${#name_of[@]}" -ge "$1" ]; do
		wait -n -p pid "${!name_of[@]}"
		status=$?
		name=${name_of[$pid]}
		unset "name_of[$pid]"
		wait "${shower_of[$pid]}"
		if is_libcheck "$name"; then
			count_libcheck "$name" "$status" "$work/$name"
		else
			count_script "$name" "$status" "$work/$name"
		fi
		echo "# $name: $((SECONDS - began[$pid])) s"
	done
}

# Names of parts from stdin, JOBS at a time.
run()
{
	local name

	while read -r name; do
		wait_until_fewer "$1"
		begin "$name"
	done
	wait_until_fewer 1
}

# Who may take longest begins first: else the last one runs with nobody beside it.
by_limit() # NAME...
{
	local name

	for name; do
		echo "$(seconds_of "$name") $name"
	done | sort -s -k 1,1 -rn | cut -d ' ' -f 2
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
together=() alone=()
for name in host prog model fuzz $(basename -s .sh tests/net/t_*.sh); do
	wanted "$name" || continue
	if is_alone "$name"; then
		alone+=("$name")
	else
		together+=("$name")
	fi
done

# The first `ip netns add` of a machine sets up a mount: not by two at once.
[ "$(id -u)" -ne 0 ] || { ip netns add "xpt-$$-first" && ip netns del "xpt-$$-first"; }

if [ "${#together[@]}" -gt 0 ]; then
	run "$JOBS" < <(by_limit "${together[@]}")
fi
if [ "${#alone[@]}" -gt 0 ]; then
	run 1 < <(printf '%s\n' "${alone[@]}")
fi

if [ "$failed" -gt 0 ]; then
	echo
	echo "Failed:"
	printf '  %s\n' "${failures[@]}"
fi
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
