#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# seconds: 180
#
# An interactive protocol: a shell over ssh, typed into with pauses, small packets both ways. What
# the server said is recorded by a relay in front of it and must be the stream that was placed.
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

PORT=2222
INNER=2223

sshd_start()
{
	local pam=no

	# With PAM sshd lets in an account without a password as well, without PAM more machines work.
	case $(getent shadow root | cut -d : -f 2) in "!"*) pam=yes ;; esac
	mkdir -p /run/sshd
	ssh-keygen -q -t ed25519 -N '' -f "$WORK/host" && ssh-keygen -q -t ed25519 -N '' -f "$WORK/user"
	cat >"$WORK/sshd_config" <<-END
		Port $INNER
		ListenAddress 127.0.0.1
		HostKey $WORK/host
		AuthorizedKeysFile $WORK/user.pub
		StrictModes no
		PermitRootLogin yes
		PasswordAuthentication no
		UsePAM $pam
		PidFile none
		LogLevel ERROR
	END
	spawn_in sshd server /usr/sbin/sshd -D -e -f "$WORK/sshd_config"
	wait_ready sshd 10 port_open server $INNER || no "sshd: $(cat "$WORK/sshd.err")"
}

# -r and -R record what passes, which is what the placed streams are compared with.
relay_start()
{
	rm -f "$WORK/asked" "$WORK/said"
	spawn_in relay server socat -r "$WORK/asked" -R "$WORK/said" \
		"TCP6-LISTEN:$PORT,ipv6only=0,reuseaddr" "TCP4:127.0.0.1:$INNER"
	wait_ready relay 10 port_open server $PORT || no "socat: $(cat "$WORK/relay.err")"
}

type_slowly()
{
	local line

	# shellcheck disable=SC2016  # the other side expands it
	for line in 'echo $((6 * 7))' 'seq 1 2000' 'stty size' 'head -c 300000 /dev/zero | tr "\0" x' 'exit'; do
		sleep 0.15
		echo "$line"
	done
}

# MODE FAMILY PTY
session()
{
	local key status

	topology_direct && sshd_start && relay_start || return
	follow_start f client c0 "$1" "tap tcp src port $PORT" || return
	type_slowly | in_ns client timeout $((20 * SLOW)) ssh "$3" -F none -i "$WORK/user" -p $PORT \
		-o UserKnownHostsFile=/dev/null -o StrictHostKeyChecking=no -o LogLevel=ERROR \
		-o BatchMode=yes -o BindAddress="$(client_of "$2")" "root@$(server_of "$2")" \
		>"$WORK/session" 2>"$WORK/ssh.err"
	status=$?
	wait_for 5 relay_ended
	follow_stop f client c0 || return
	[ $status -eq 0 ] || no "ssh: status $status: $(tail -n 3 "$WORK/ssh.err")" || return
	grep -q '^42' "$WORK/session" || no "the session is not undisturbed" || return
	key=$(basename "$(ls "$WORK"/f/tcp_*_$PORT-* 2>/dev/null)")
	[ -n "$key" ] || no "no stream was placed" || return
	no_gaps f || return
	"$TOOLS/same" "$WORK/f/$key" "$WORK/said"
}

relay_ended()
{
	! runs relay
}

setup
had_run_sshd=$([ -d /run/sshd ] && echo yes)
run_case ssh_pty_native_ipv4 "R4 R6 R11 R16" session native 4 -tt
rm -f "$WORK"/host* "$WORK"/user*
run_case ssh_pipe_skb_ipv6 "R4 R6 R11 R16" session skb 6 -T
[ -n "$had_run_sshd" ] || rmdir /run/sshd 2>/dev/null
true
