#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# What karmor run is to its caller: exit statuses, signals, what it leaves behind, and policies of the host.
cd "$(dirname "$0")" || exit
failures=0
alerts=/tmp/alerts.json

is() { # is WHAT WANT GOT
	if [ "$2" = "$3" ]; then
		echo "ok: $1"
	else
		echo "NOT ok: $1: want '$2', got '$3'"
		failures=$((failures + 1))
	fi
}

run() { karmor run -f command.yaml --alerts $alerts -- "$@" 2>/tmp/notes; }
# start is run in the background: its process is karmor itself.
start() { (exec karmor run -f command.yaml --alerts $alerts -- "$@" 2>/tmp/notes) & }
groups() { find /sys/fs/cgroup -name 'karmor-run-*' | wc -l; }
can_read() { cat "$1" >/dev/null 2>&1 && echo yes || echo no; }
until_there() { until [ -e "$1" ]; do sleep 0.1; done; }

mkdir -p /srv
cp /bin/busybox /srv/denied
echo content >/srv/secret
echo content >/srv/of-host

run sh -c 'exit 42'
is 'the exit status is the command'\''s' 42 $?
run sh -c 'kill -9 $$'
is 'a signal is 128 and its number' 137 $?
run /srv/no-such-program
is 'a command that is not there' 127 $?
run /srv/denied
is 'a command that a policy forbids' 126 $?
is 'it has an alert' 1 "$(grep -c '"Resource":"/srv/denied"' $alerts)"
is 'standard input and output are the command'\''s' 'hello' "$(echo hello | run cat)"
is 'what is not the command'\''s is not confined' yes "$(can_read /srv/secret)"

# What a command leaves running, and the cgroups that it makes.
run sh -c 'own=/sys/fs/cgroup$(sed s/0::// /proc/self/cgroup)
	mkdir -p $own/a/b && sh -c "echo \$\$ >$own/a/b/cgroup.procs; exec setsid sleep 4711" &
	setsid sleep 4712 & sleep 1; cat /proc/self/cgroup >/tmp/cgroup; exit 5'
is 'a command that leaves processes behind' 5 $?
is 'they are killed' 0 "$(ps | grep -c '[s]leep 471')"
is 'its cgroup was below ours' 1 "$(grep -c '^0::/karmor-run-[0-9]*$' /tmp/cgroup)"
is 'and is gone' 0 "$(groups)"

# Nested: the inner one's cgroup is below the outer one's, and both hold.
is 'a run inside of a run' 'no' "$(run karmor run -f command.yaml -- sh -c 'cat /srv/secret >/dev/null 2>&1 && echo yes || echo no')"

# Signals.
start sh -c 'trap "exit 7" TERM; touch /tmp/trap; while :; do sleep 0.1; done'
until_there /tmp/trap
kill -TERM $!
wait $!
is 'SIGTERM is the command'\''s' 7 $?
is 'nothing is left of it' 0 "$(groups)"
start sh -c 'touch /tmp/hang; exec sleep 4713'
until_there /tmp/hang
kill -KILL $!
wait $!
sleep 1
is 'a karmor that is killed takes the command along' 0 "$(ps | grep -c '[s]leep 4713')"
is 'and leaves an empty cgroup' 1 "$(groups)"
run true
is 'which the next run removes' 0 "$(groups)"

# The host.
mkdir -p /sys/fs/cgroup/kubepods/pod
karmor run -f host.yaml -- true 2>/tmp/notes
is 'a host policy without --host' 125 $?
karmor run --host -f host.yaml --alerts $alerts -- sh -c 'cat /srv/of-host 2>/dev/null && touch /tmp/leaked; touch /tmp/host; until [ -e /tmp/done ]; do sleep 0.1; done' &
until_there /tmp/host
is 'a host policy holds for the machine' no "$(can_read /srv/of-host)"
is 'not for its Pods' yes "$(echo 0 >/sys/fs/cgroup/kubepods/pod/cgroup.procs; can_read /srv/of-host)"
is 'and for the command' 0 "$(ls /tmp/leaked 2>/dev/null | wc -l)"
touch /tmp/done
wait $!
is 'until the command ends' yes "$(can_read /srv/of-host)"
is 'alerts of the host say so' yes "$(grep '"Resource":"/srv/of-host"' $alerts | grep -q MatchedHostPolicy && echo yes)"

is 'nothing is left behind' '0 0' "$(groups) $(ls /sys/fs/bpf | wc -l)"
exit $failures
