#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# In:  the ids that stand at the tests: "[R3 R12]" in the comment before a START_TEST or in the
#      comment that opens its file, the second string of a family of the model, the second word of
#      run_case in tests/net.
# Out: tests/requirements.md on standard output; with --check, nothing, but exit status 1 if that
#      file is not what would be written or a requirement has no test.
set -u
cd "$(dirname "$0")/.." || exit 1

TITLES="R1 parsing, lengths, checksums
R2 flow keys, virtual networks
R3 flow database: set up, ended, replaced
R4 one op-code for every packet
R5 four kinds of area
R6 small packets in hybrid areas
R7 cells, alignment
R8 free areas in groups, bad indexes
R9 what a completion says
R10 own area for a connection
R11 re-assembly areas
R12 beyond in-order arrival
R13 holes that will not fill, RST, SYN, pick-up
R14 IP fragments
R15 UDP flows
R16 tap, take, no rule no change
R17 several interfaces and queues
R18 the same from a capture file
R19 the direction that the host sends
T1 one write, many destinations
T2 no copy in user space
T3 packets as the MTU allows
T4 destinations take turns
T5 headers as a block, patched
T6 one completion, what drivers refuse
T7 streams with a rate
T8 RTP headers"

# "ID FILE TEST" for each test in C. A tag that opens the file stands for all that is in it.
in_c()
{
	awk '
	function tags(text,    found, list) {
		list = ""
		while (match(text, /\[([RT][0-9]+ ?)+\]/)) {
			found = substr(text, RSTART + 1, RLENGTH - 2)
			list = list " " found
			text = substr(text, RSTART + RLENGTH)
		}
		return list
	}
	FNR == 1 { whole = ""; own = ""; opening = 1; comment = 0 }
	opening && FNR < 30 { whole = whole tags($0) }
	/\*\// && FNR > 2 { opening = 0 }
	/^\/\*/ { own = "" }
	/^\/\*/ || /^ \*/ { own = own tags($0) }
	/^}/ { own = "" }
	/^START_TEST\(/ {
		name = $0
		sub(/^START_TEST\(/, "", name)
		sub(/\).*/, "", name)
		count = split(own != "" ? own : whole, ids, " ")
		for (i = 1; i <= count; i++)
			print ids[i], FILENAME, name
		own = ""
	}' "$@"
}

# The same for the scripts; what a name has from variables is shown as a star.
in_shell()
{
	awk '
	FNR == 1 { common = "" }
	/^[ \t]*ids="/ { common = $0; sub(/^[ \t]*ids="/, "", common); sub(/".*/, "", common) }
	/^[ \t]*run_case / {
		line = $0
		sub(/^[ \t]*run_case /, "", line)
		name = line
		if (name ~ /^"/) { sub(/^"/, "", name); sub(/".*/, "", name) } else sub(/ .*/, "", name)
		rest = substr(line, index(line, name) + length(name))
		sub(/^"? */, "", rest)
		if (rest ~ /^"/) { sub(/^"/, "", rest); sub(/".*/, "", rest) } else sub(/ .*/, "", rest)
		gsub(/\$\{?ids\}?/, common, rest)
		gsub(/\$\{[^}]*\}|\$[A-Za-z0-9_]+/, "*", name)
		count = split(rest, ids, " ")
		for (i = 1; i <= count; i++)
			if (ids[i] ~ /^[RT][0-9]+$/)
				print ids[i], FILENAME, name
	}' "$@"
}

# A fuzz target is a test; what it shows stands in the comment that opens it.
in_fuzz()
{
	awk '
	FNR == 1 { opening = 1; name = FILENAME; sub(/.*\//, "", name); sub(/\.c$/, "", name) }
	opening && FNR > 1 && match($0, /\[([RT][0-9]+ ?)+\]/) {
		count = split(substr($0, RSTART + 1, RLENGTH - 2), ids, " ")
		for (i = 1; i <= count; i++)
			print ids[i], FILENAME, "fuzz_" name
	}
	/\*\// && FNR > 1 { opening = 0 }' "$@"
}

# A family of the model's schedules: the first two strings of its line in the table of families.
in_model()
{
	awk -F '"' '/^\t\{"[a-z_]+", "(R[0-9]+ ?)+"/ {
		count = split($4, ids, " ")
		for (i = 1; i <= count; i++)
			print ids[i], FILENAME, "model_" $2
	}' "$@"
}

tests()
{
	{
		in_c tests/host/*.c tests/prog/*.c
		in_model tests/model/families*.c
		in_fuzz tests/fuzz/*.c
		in_shell tests/net/t_*.sh
	} | awk '!seen[$0]++'
}

table()
{
	local id title file names

	cat <<-'END'
		# Which tests show which requirement

		Written by `scripts/requirements.sh` from the ids that stand at the tests; `make lint` fails when
		this file is out of date or a requirement has no test. `make check` runs them all:
		`tests/host` needs no BPF, `tests/prog` runs the program by BPF_PROG_TEST_RUN, `tests/model` feeds it
		and a second re-assembler the same schedules, `tests/net` has real traffic in network namespaces.

		| id | what | file | tests |
		|---|---|---|---|
	END
	while read -r id title; do
		while read -r file; do
			names=$(awk -v id="$id" -v file="$file" '$1 == id && $2 == file {print "`" $3 "`"}' \
				<<<"$all" | paste -sd ' ')
			echo "| $id | $title | \`$file\` | $names |"
		done < <(awk -v id="$id" '$1 == id && !seen[$2]++ {print $2}' <<<"$all")
	done <<<"$TITLES"
	for id in S{1..6}; do echo "| $id | network and storage | | later issue |"; done
	for id in H{1..7}; do echo "| $id | tags and hand-over | | later issue |"; done
	for id in O{1..4}; do echo "| $id | sockets for unmodified programs | | later issue |"; done
}

all=$(tests)
if [ "${1:-}" != --check ]; then
	table
	exit
fi
status=0
while read -r id title; do
	grep -q "^$id " <<<"$all" || {
		echo "$id ($title): no test"
		status=1
	}
done <<<"$TITLES"
table | diff -q - tests/requirements.md >/dev/null 2>&1 || {
	echo "tests/requirements.md is out of date: scripts/requirements.sh >tests/requirements.md"
	status=1
}
exit $status
