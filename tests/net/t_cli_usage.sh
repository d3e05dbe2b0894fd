#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# seconds: 120
#
# Wrong input: what each verb says to it, its exit code, and that nothing is left behind. No
# traffic. Exit codes: 0 done, 1 failed, 2 usage, 3 unsupported, 4 busy, 5 permission, 6 not found.
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

VERBS="load unload status clean rule flow area stats watch top follow send doctor"
NAME=xpt-$$ # names of contexts have 15 characters at most
FAILED=0

# As in lib.sh, and remembered for the exit status.
not_ok()
{
	FAILED=1
	echo "not ok $1 [$2]: $(tr -s '\n\t ' ' ' <<<"$3" | head -c 700)"
}

xdp()
{
	in_ns client timeout 30 "$XDPLACE" "$@"
}

# CODE PATTERN ARG...: the exit code; the pattern is on stderr, and stdout is empty.
refused()
{
	local code=$1 pattern=$2 got

	shift 2
	xdp "$@" >"$WORK/out" 2>"$WORK/err" </dev/null
	got=$?
	[ "$got" -eq "$code" ] || no "exit code $got instead of $code: $(cat "$WORK/err")" || return
	grep -Eq -- "$pattern" "$WORK/err" || no "no '$pattern' in: $(cat "$WORK/err")" || return
	[ ! -s "$WORK/out" ] || no "stdout is not empty: $(head -n 3 "$WORK/out")"
}

# PATTERN ARG...: exit code 0, the pattern on stdout, stderr empty.
accepted()
{
	local pattern=$1 got

	shift
	xdp "$@" >"$WORK/out" 2>"$WORK/err" </dev/null
	got=$?
	[ "$got" -eq 0 ] || no "exit code $got: $(cat "$WORK/err")" || return
	grep -Eq -- "$pattern" "$WORK/out" || no "no '$pattern' in: $(cat "$WORK/out")" || return
	[ ! -s "$WORK/err" ] || no "stderr is not empty: $(cat "$WORK/err")"
}

# FILTER ARG...: one JSON document for which the filter is true.
json()
{
	local filter=$1

	shift
	xdp "$@" --json >"$WORK/out" 2>"$WORK/err" || no "exit code $?: $(cat "$WORK/err")" || return
	[ "$(jq -s length "$WORK/out" 2>/dev/null)" = 1 ] || no "not one document" || return
	jq -e "$filter" "$WORK/out" >/dev/null || no "$filter is not true of: $(cat "$WORK/out")"
}

case_refused()
{
	local name=$1

	shift
	run_case "cli_$name" - refused "$@"
}

case_accepted()
{
	local name=$1

	shift
	run_case "cli_$name" - accepted "$@"
}

case_json()
{
	local name=$1

	shift
	run_case "cli_json_$name" - json "$@"
}

# ---- help and options of each verb ----

every_verb()
{
	local verb

	case_accepted help '^Verbs:' --help
	case_accepted help_word '^Verbs:' help
	case_accepted version '^xdplace [0-9]+\.[0-9]+\.[0-9]+ ' --version
	case_refused no_verb 2 '^Usage:'
	case_refused unknown_verb 2 "no verb 'lode'" lode
	case_refused unknown_verb_points_to_help 2 "^try 'xdplace --help'$" lode
	for verb in $VERBS; do
		case_accepted "${verb}_listed" "^  $verb  *[a-z]" --help
		case_accepted "${verb}_help" "^Usage: xdplace $verb" "$verb" --help
		case_accepted "help_$verb" "^Usage: xdplace $verb" help "$verb"
		case_refused "${verb}_unknown_option" 2 "no option '--bogus'" "$verb" --bogus
		case_refused "${verb}_unknown_letter" 2 "no option '-Q'" "$verb" -Q
		case_refused "${verb}_points_to_help" 2 "^try 'xdplace $verb --help'$" "$verb" --bogus
		case_refused "${verb}_missing_argument" 2 "option '-n' needs an argument" "$verb" -n
		case_refused "${verb}_no_argument_wanted" 2 "'--json=x' takes no argument" \
			"$verb" --json=x
	done
}

# OPTION ARG...: what these ask to be shown does not list it.
not_listed()
{
	local option=$1

	shift
	xdp "$@" >"$WORK/out" 2>&1 || no "exit code $?" || return
	! grep -q -- "$option\b" "$WORK/out" || no "$(grep -- "$option\b" "$WORK/out")"
}

# Help lists what works.
no_idle_options()
{
	run_case cli_watch_no_pin - not_listed --pin watch --help
	run_case cli_follow_no_pin - not_listed --pin follow --help
	run_case cli_doctor_no_context - not_listed --context doctor --help
	run_case cli_doctor_no_pin - not_listed --pin doctor --help
	run_case cli_send_no_context - not_listed --context send --help
	case_refused send_context 2 "needs no context" send -n "$NAME-1"
	case_accepted load_has_pin ' --pin NAME ' load --help
	case_refused watch_pin 2 "xdplace load --pin" watch c0 --pin "$NAME-1"
	case_refused follow_pin 2 "xdplace load --pin" follow c0 -o nowhere -p "$NAME-1"
	case_refused doctor_context 2 "not about a context" doctor -n "$NAME-1"
}

# Every option of the verb's help is in the manual.
documented()
{
	local option missing=''

	for option in $(xdp "$1" --help | grep -Eo '^  (-., |    )--[a-z-]+' | grep -Eo -- '--.*'); do
		sed 's/\\//g' "$ROOT/user/man/xdplace.8" | grep -q -- "$option\b" || missing+=" $option"
	done
	[ -z "$missing" ] || no "not in xdplace(8):$missing"
}

# WANTED WORD...: what the shell offers for the last word contains the wanted one.
completed()
(
	wanted=$1
	shift
	# shellcheck source=../../scripts/xdplace.bash-completion
	. "$ROOT/scripts/xdplace.bash-completion"
	COMP_WORDS=("$XDPLACE" "$@") COMP_CWORD=$#
	_xdplace
	printf '%s\n' "${COMPREPLY[@]}" | grep -Fxq -- "$wanted" ||
		no "no '$wanted' among: ${COMPREPLY[*]}"
)

words()
{
	local verb

	for verb in $VERBS; do
		run_case "cli_${verb}_documented" - documented "$verb"
		run_case "cli_${verb}_completed" - completed "$verb" "${verb%?}"
		run_case "cli_${verb}_option_completed" - completed --json "$verb" --js
	done
	run_case cli_action_completed - completed dump area du
	run_case cli_mode_completed - completed skb load c0 -m s
	run_case cli_engine_completed - completed xsk send --engine x
}

# ---- values ----

# NAME PATTERN OPTION VALUE
bad_value()
{
	case_refused "load_$1" 2 "$2" load c0 "$3" "$4"
}

bad_values()
{
	bad_value umem_no_size "a size is wanted" --umem-size 3x
	bad_value umem_negative "a size is wanted" --umem-size -1
	bad_value umem_empty "a size is wanted" --umem-size ''
	bad_value umem_overflow "a size is wanted" --umem-size 99999999999G
	bad_value umem_zero "out of range" --umem-size 0
	bad_value umem_no_power "umem_size.*power of two" --umem-size 3M
	bad_value umem_small "umem_size.*1048576 \.\." --umem-size 512K
	bad_value umem_large "umem_size.*\.\. 4294967296" --umem-size 8G
	bad_value area_small "area_size.*4096" --area-size 1024
	bad_value area_large "area_size.*32768" --area-size 64K
	bad_value area_no_power "area_size" --area-size 5000
	bad_value threshold_small "threshold.*64" --threshold 10
	bad_value threshold_large "threshold.*2048" --threshold 4K
	bad_value window_small "window" --window 4K
	bad_value window_large "window" --window 1G
	bad_value flows_large "flows.*1048576" --flows 2M
	bad_value flows_zero "out of range" --flows 0
	bad_value lanes_large "lanes.*64" --lanes 65
	bad_value ring_no_power "ring" --ring 1500
	bad_value ring_small "ring.*1024" --ring 512
	bad_value hot_small "hot.*16" --hot 8
	bad_value hot_no_power "hot" --hot 100
	bad_value own_large "own_size" --own-size 64M
	bad_value flow_age_word "a time is wanted" --flow-age soon
	bad_value flow_age_unit "a time is wanted" --flow-age 5y
	bad_value hole_age_zero "must be 1ms to" --hole-age 0
	bad_value fragment_age_zero "must be 1ms to" --fragment-age 0
	bad_value datagrams_beyond "must be 1 .. 16384" --datagrams 16385
	bad_value closed_age_long "must be 1ms to" --closed-age 99999h
	bad_value protocol_unknown "no protocol 'sctp'" --protocols tcp,sctp
	bad_value protocol_empty "list is empty" --protocols ,
	bad_value frames_unknown "must be xsk or place" --frames zc
	bad_value mode_unknown "must be native, skb or unspecified" --mode offload
	bad_value pin_slash "name|pin" --pin a/b
	bad_value pin_long "name|pin" --pin a-name-longer-than-15
	case_refused load_two_names 2 "names the context already" load c0 --pin "$NAME-1" -n other
	case_refused load_ambiguous_option 2 "'--flow' may be several" load c0 --flow 3
	case_refused load_no_interface 2 "which interface" load
	case_refused load_interface_twice 2 "c0 is named twice" load c0 s1 c0
	case_refused watch_interface_twice 2 "c0 is named twice" watch c0 c0
	case_refused load_unknown_interface 1 "nosuch0" load nosuch0
	case_refused load_second_unknown 1 "nosuch0" load c0 nosuch0
}

# NAME PATTERN OPTION VALUE
bad_send()
{
	case_refused "send_$1" 2 "$2" send "$WORK/input" --to 10.77.0.9:5004 "$3" "$4"
}

bad_sends()
{
	echo input >"$WORK/input"
	case_refused send_nowhere 2 "where shall it go" send "$WORK/input"
	bad_send to_no_port "ADDR:PORT is wanted" --to 10.77.0.9
	bad_send to_port_zero "ADDR:PORT is wanted" --to 10.77.0.9:0
	bad_send to_port_large "ADDR:PORT is wanted" --to 10.77.0.9:65536
	bad_send to_port_word "ADDR:PORT is wanted" --to 10.77.0.9:rtp
	bad_send to_address "ADDR:PORT is wanted" --to 10.77.0.256:5004
	bad_send to_name "ADDR:PORT is wanted" --to localhost:5004
	bad_send to_bare_v6 "ADDR:PORT is wanted" --to fd77::9:5004
	bad_send to_open_bracket "ADDR:PORT is wanted" --to '[fd77::9:5004'
	bad_send to_scope "ADDR:PORT is wanted" --to '[fe80::1%nosuch0]:5004'
	bad_send to_empty "ADDR:PORT is wanted" --to ''
	bad_send from_word "an address is wanted" --from here
	bad_send from_family "another address family" --from fd77::2
	bad_send rate_word "bits a second are wanted" --rate fast
	bad_send rate_unit "bits a second are wanted" --rate 8Mb
	bad_send rate_zero "must be 1 to 1T" --rate 0
	bad_send rate_large "must be 1 to 1T" --rate 2T
	bad_send rate_negative "bits a second are wanted" --rate -5
	bad_send rtp_type "must be 0 to 127" --rtp 128
	bad_send rtp_clock "must be 1 to" --rtp 96,0
	bad_send rtp_clock_word "a number is wanted" --rtp 96,fast
	bad_send rtp_no_rate "needs --rate" --rtp 33
	bad_send interval_no_rate "needs --rate" --interval 2ms
	bad_send interval_short "must be 500us to 100ms" --interval 499us
	bad_send interval_long "must be 500us to 100ms" --interval 101ms
	bad_send interval_unit "a time is wanted" --interval 2
	bad_send engine_unknown "must be run, xsk or auto" --engine dpdk
	bad_send queue_word "a number is wanted" --queue first
	bad_send payload_zero "must be 1 to 65535" --payload 0
	bad_send payload_large "must be 1 to 65535" --payload 70000
	bad_send unit_zero "must be 1 to 65535" --unit 0
	case_refused send_unit_payload 2 "does not fit in --payload" \
		send "$WORK/input" --to 10.77.0.9:5004 --payload 100 --unit 188
	bad_send loop_zero "must be 1 to" --loop 0
	bad_send loop_word "a number is wanted" --loop always
	case_refused send_loop_stdin 2 "standard input can be read only once" \
		send --to 10.77.0.9:5004 --loop 2
	bad_send ttl_zero "must be 1 to 255" --ttl 0
	bad_send ttl_large "must be 1 to 255" --ttl 256
	bad_send tos_large "must be 0 to 255" --tos 256
	bad_send weight_zero "must be 1 to 255" --weight 0
	bad_send weight_large "must be 1 to 255" --weight 256
	bad_send memory_word "a size is wanted" --memory much
	bad_send memory_no_power "power of two" --memory 100000
	bad_send memory_small "not in 65536" --memory 32K
	case_refused send_no_file 1 "open .*nothere: No such file" \
		send "$WORK/nothere" --to 10.77.0.9:5004
	case_refused send_directory 1 "Is a directory" send "$WORK" --to 10.77.0.9:5004
	case_refused send_no_list 1 "open .*nothere: No such file" \
		send "$WORK/input" --to-file "$WORK/nothere"
	printf '# streams\n10.77.0.9:5004\n10.77.0.9 # no port\n' >"$WORK/list"
	case_refused send_list_line 2 "list, line 3: '10.77.0.9'" send "$WORK/input" --to-file "$WORK/list"
	case_refused send_no_route 1 "10\.78\.0\.1|[Uu]nreachable|no route" \
		send "$WORK/input" --to 10.78.0.1:5004
	in_ns client ethtool -K s1 gro on >/dev/null 2>&1 # or c0 can not send for XDP
	case_refused send_no_neighbour 1 "10\.77\.0\.9" send "$WORK/input" --to 10.77.0.9:5004
}

# ---- rules ----

# PATTERN COLUMN RULE: the caret stands below that column of the rule.
caret()
{
	refused 2 "$1" rule add "$3" || return
	grep -Fxq "  $3" "$WORK/err" || no "the rule is not shown: $(cat "$WORK/err")" || return
	grep -Exq " {$(($2 + 2))}\^" "$WORK/err" || no "the caret is elsewhere: $(cat "$WORK/err")"
}

bad_rules()
{
	run_case cli_rule_word - caret "expected" 4 "tcp prt 80"
	run_case cli_rule_port - caret "port" 9 "tcp port 99999"
	run_case cli_rule_port_missing - caret "port" 8 "tcp port"
	run_case cli_rule_address - caret "address" 9 "src host 10.0.0.256"
	run_case cli_rule_prefix - caret "prefix" 13 "net 10.0.0.0/33"
	run_case cli_rule_vlan - caret "vlan" 5 "vlan 5000"
	case_refused rule_missing 2 "which rule" rule add
	case_refused rule_unknown_action 2 "no action 'insert'" rule insert tcp
	case_refused rule_del_nothing 2 "which rule" rule del
	case_refused rule_del_word 2 "a number is wanted" rule del first
	case_refused rule_del_zero 2 "must be 1 to" rule del 0
	case_refused rule_list_word 2 "one word too many" rule list tcp
	case_refused rule_takes_ssh 2 "ssh.*--force" rule add take tcp
	case_refused load_takes_ssh 2 "ssh.*--force" load c0 -r "take any"
	case_refused load_bad_rule 2 "expected" load c0 -r "tcp prt 80"
}

# ---- other operands ----

bad_operands()
{
	case_refused flow_unknown_action 2 "no action 'kill'" flow kill 5
	case_refused flow_show_nothing 2 "which flow" flow show
	case_refused flow_show_bad_key 2 "flow" flow show "tcp 10.0.0.1:80"
	case_refused flow_show_bad_handle 2 "a number is wanted" flow show 12x
	case_refused flow_add_nothing 2 "which flow" flow add
	case_refused flow_add_bad_key 2 "address" flow add tcp 10.0.0.1:80 '>' 10.0.0:4711
	case_refused flow_add_own_no_length 2 "needs --own-length" \
		flow add tcp 10.0.0.1:80 '>' 10.0.0.2:4711 --own-address 4096
	case_refused flow_del_nothing 2 "which flow" flow del
	case_refused flow_list_word 2 "one word too many" flow list tcp
	case_refused area_unknown_action 2 "no action 'erase'" area erase
	case_refused area_dump_nothing 2 "wants one index" area dump
	case_refused area_dump_word 2 "a number is wanted" area dump first
	case_refused area_list_word 2 "one word too many" area list 3
	case_refused stats_word 2 "takes no operand" stats eth0
	case_refused stats_both_formats 2 "exclude one another" stats --json --openmetrics
	case_refused stats_lane 2 "must be 0 to 63" stats --lane 64
	case_refused status_word 2 "takes no operand" status eth0
	case_refused clean_all_and_name 2 "exclude one another" clean --all some
	case_refused follow_no_directory 2 "" follow c0
	case_refused doctor_mode 2 "must be native or skb" doctor -m auto
}

# ---- contexts that are not there ----

# The kernel's checks are still shown.
doctor_says()
{
	xdp doctor "$1" >"$WORK/out" 2>"$WORK/err"
	[ $? -eq 1 ] || no "exit code is not 1" || return
	grep -q "$1" "$WORK/err" || no "no '$1' in: $(cat "$WORK/err")"
}

no_context()
{
	local verb

	for verb in unload "rule list" "rule add tcp" "rule del 1" "flow list" "flow show 5" \
		"area list" "area audit" stats status top; do
		# shellcheck disable=SC2086  # two words
		case_refused "${verb// /_}_not_found" 6 "$NAME-0" $verb -n "$NAME-0"
	done
	case_refused clean_not_found 6 "$NAME-0" clean "$NAME-0"
	run_case cli_doctor_unknown_interface - doctor_says nosuch0
}

# ---- privileges ----

# A root that may do nothing: uid 0 without a capability.
powerless()
{
	refused_as 5 "$1" setpriv --bounding-set=-all --inh-caps=-all "$XDPLACE" load c0
}

refused_as()
{
	local code=$1 pattern=$2 got

	shift 2
	in_ns client timeout 30 "$@" >"$WORK/out" 2>"$WORK/err" </dev/null
	got=$?
	[ "$got" -eq "$code" ] || no "exit code $got instead of $code: $(cat "$WORK/err")" || return
	grep -Eq -- "$pattern" "$WORK/err" || no "no '$pattern' in: $(cat "$WORK/err")"
}

# ---- with contexts ----

pinned()
{
	[ -d "/sys/fs/bpf/xdplace/$1" ]
}

attached()
{
	ip -n "$PREFIX-client" -d link show dev c0 | grep -q 'prog/xdp'
}

nothing_left()
{
	! attached || no "a program is still attached" || return
	! pinned "$NAME-1" || no "pins are still there"
}

loaded()
{
	accepted "c0: (native|skb) mode" load c0 --pin "$NAME-1" -m unspecified --umem-size 4M \
		--own-size 64K --lanes 1 --no-selftest || return
	pinned "$NAME-1" || no "not pinned" || return
	attached || no "not attached"
}

several()
{
	xdp load s1 --pin "$NAME-2" -m skb --umem-size 1M --lanes 1 >/dev/null 2>"$WORK/err" ||
		no "$(cat "$WORK/err")" || return
	refused 2 "there are [0-9]+ contexts: .*$NAME-.*; name one with -n" stats
}

# Pins made below `ip netns exec` end with it, others do not.
private_pin()
{
	ip netns exec "$PREFIX-client" "$XDPLACE" load s1 --pin "$NAME-3" -m skb --umem-size 1M \
		--lanes 1 >/dev/null 2>"$WORK/err" || no "$(cat "$WORK/err")" || return
	grep -q 'private mount namespace.*nsenter --net=' "$WORK/err" ||
		no "no warning: $(cat "$WORK/err")" || return
	! pinned "$NAME-3" || no "the pin is not private"
}

# COMMAND...: what status, run by it, tells of the first context outside of its network namespace.
seen_from_outside()
{
	"$@" "$XDPLACE" status -n "$NAME-1" >"$WORK/out" 2>&1 || no "exit code $?" || return
	grep -q '^  1 interface in another network namespace$' "$WORK/out" || no "$(cat "$WORK/out")"
}

# A mount namespace where the pins are not to be seen.
seen_without_pins()
{
	seen_from_outside unshare -m sh -c 'mount -t tmpfs tmpfs /sys/fs/bpf && exec "$@"' sh || return
	grep -q 'or pinned in another mount namespace' "$WORK/out" || no "$(cat "$WORK/out")"
}

# Beside others, or refused: never alone, where it would be in the way of the next program.
dispatcher()
{
	xdp load s1 -p "$NAME-4" --umem-size 1M --lanes 1 -m skb --dispatcher >"$WORK/out" 2>"$WORK/err"
	case $? in
	0)
		ip -n "$PREFIX-client" -d link show dev s1 | grep -q xdp_dispatcher ||
			no "attached, but not by a dispatcher"
		xdp unload -n "$NAME-4" >/dev/null
		;;
	3)
		grep -q 'through a dispatcher' "$WORK/err" || no "$(cat "$WORK/err")" || return
		! ip -n "$PREFIX-client" -d link show dev s1 | grep -q 'prog/xdp' || no "left behind"
		;;
	*) no "$(cat "$WORK/err")" ;;
	esac
}

reader_leaves()
{
	xdp stats -n "$NAME-1" -a -v 2>"$WORK/err" | true
	[ "${PIPESTATUS[0]}" -eq 0 ] || no "exit code ${PIPESTATUS[0]}" || return
	[ ! -s "$WORK/err" ] || no "it complains: $(cat "$WORK/err")"
}

disk_full()
{
	local status

	xdp stats -n "$NAME-1" >/dev/full 2>"$WORK/err"
	status=$?
	[ "$status" -eq 1 ] || no "exit code $status" || return
	grep -q 'No space left' "$WORK/err" || no "$(cat "$WORK/err")"
}

# Names of samples are those of a family, each family has its lines, the last line is # EOF.
openmetrics()
{
	xdp stats -n "$NAME-1" --openmetrics >"$WORK/out" || no "exit code $?" || return
	awk '
		done { bad("something behind # EOF") }
		/^# EOF$/ { done = 1; next }
		/^# TYPE / { if ($3 in type) bad("family twice: " $3); type[$3] = $4; next }
		/^# (HELP|UNIT) / { if (!($3 in type)) bad("before its TYPE: " $0); next }
		/^[a-z_]+\{([a-z]+="[^"]*",?)+\} [0-9]+$/ {
			split($0, part, "{"); family = part[1]
			want = sub(/_total$/, "", family) ? "counter" : "gauge"
			if (type[family] != want) bad("no " want ": " $0)
			if ($0 in seen) bad("sample twice: " $0)
			seen[$0] = 1; next
		}
		{ bad("no line of OpenMetrics: " $0) }
		function bad(why) { print why; failed = 1 }
		END { if (!done) bad("no # EOF"); exit failed }
	' "$WORK/out"
}

with_contexts()
{
	local c="-n $NAME-1"

	run_case cli_load - loaded
	# shellcheck disable=SC2086  # $c is two words
	{
		case_refused load_pin_taken 4 "$NAME-1" load s1 --pin "$NAME-1"
		case_refused load_attached_already 4 "c0" load c0 -m skb --umem-size 1M
		case_json status '.contexts | length == 1 and .[0].interfaces[0].name == "c0"' status $c
		case_json rules_empty '.rules == []' rule list $c
		case_json flows_empty '.flows == []' flow list $c
		case_json stats '.total.opcodes.append == 0 and (.lanes | length) == 1' stats $c
		case_json audit '.clean and .states.lost == 0 and .bad == []' area audit $c
		case_json audit_option '.clean' area --audit $c
		case_json area_list '.list | length == 1024' area list -a $c
		case_json area_dump '.length == 16 and (.bytes | length) == 32' \
			area dump 0 --length 16 $c
		run_case cli_openmetrics - openmetrics
		run_case cli_reader_leaves - reader_leaves
		run_case cli_disk_full - disk_full
		case_json rule_add '.id > 0' rule add tap tcp port 80 $c
		case_json rules '.rules | length == 1 and .[0].verdict == "tap"' rule list $c
		case_refused rule_del_unknown 6 "999" rule del 999 $c
		case_accepted rule_del "rule 1 deleted" rule del 1 $c
		case_json flow_add '.handle >= 0' flow add tcp 10.0.0.1:80 '>' 10.0.0.2:4711 $c
		case_json flows '.flows | length == 1 and .[0].state == "expected"' flow list $c
		case_json flow_show '.bytes == 0' flow show tcp 10.0.0.1:80 '>' 10.0.0.2:4711 $c
		case_refused flow_add_twice 4 "" flow add tcp 10.0.0.1:80 '>' 10.0.0.2:4711 $c
		case_refused flow_add_own_odd 2 "" flow add tcp 10.0.0.1:81 '>' 10.0.0.2:4711 \
			--own-address 1 --own-length 4096 $c
		case_refused flow_add_own_outside 2 "" flow add tcp 10.0.0.1:81 '>' 10.0.0.2:4711 \
			--own-address 0 --own-length 4096 $c
		case_refused flow_show_not_found 6 "" flow show tcp 10.9.9.9:1 '>' 10.0.0.2:1 $c
		case_refused flow_del_not_found 6 "" flow del 1048575 $c
		case_accepted flow_del "flow .* deleted" flow del "tcp 10.0.0.1:80 > 10.0.0.2:4711" $c
		case_refused area_dump_beyond 2 "there are 0 to 1023" area dump 1024 $c
		case_refused area_dump_offset 2 "an area has 4096 bytes" area dump 0 --offset 4K $c
		case_refused area_dump_length 2 "96 bytes are left" \
			area dump 0 --offset 4000 --length 97 $c
		case_refused stats_lane_beyond 2 "there are 0 to 0" stats --lane 1 $c
		case_refused unload_unknown_interface 1 "nosuch0" unload nosuch0 $c
		run_case cli_private_pin - private_pin
		run_case cli_dispatcher - dispatcher
		run_case cli_other_network - seen_from_outside env
		run_case cli_other_mounts - seen_without_pins
		run_case cli_several_contexts - several
		case_accepted unload_second "unloaded" unload -n "$NAME-2"
		case_accepted unload "unloaded" unload $c
	}
	run_case cli_unload_leaves_nothing - nothing_left
}

setup 1048576
make_namespace client && ip -n "$PREFIX-client" link add c0 type veth peer name s1 &&
	ip -n "$PREFIX-client" link set c0 up && ip -n "$PREFIX-client" link set s1 up &&
	ip -n "$PREFIX-client" addr add 10.77.0.2/24 dev c0 || exit 1
every_verb
no_idle_options
words
bad_values
bad_sends
bad_rules
bad_operands
no_context
run_case cli_load_no_privilege - powerless "CAP_"
run_case cli_failures_leave_nothing - nothing_left
with_contexts
exit "$FAILED"
