#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The first process of a node, once the machine's own init has mounted everything: network, containerd, kubelet. What differs
# from node to node lies in /node; kubelet, modules and containerd's folder with the images lie on the second disk.
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root
. /node/env

say() { read -r uptime _ </proc/uptime; echo "[$uptime] node $NODE: $*" >/dev/console; }

mkdir -p /payload /etc/cni/net.d /etc/containerd /var/lib/kubelet /var/log
mount -t ext4 /dev/vdb /payload || say "cannot mount the payload disk"
mkdir -p /lib/modules
ln -sfn /payload/modules "/lib/modules/$(uname -r)"

printf '127.0.0.1 localhost\n%s %s\n' "$ADDRESS" "$NODE" >/etc/hosts
echo "$NODE" >/etc/hostname
echo "$MACHINE_ID" >/etc/machine-id
ip address add "$ADDRESS/24" dev eth0
ip link set eth0 up
ip route add default via "$GATEWAY"
# Each node gives its Pods addresses of a range of its own, which the others reach through it.
for route in $ROUTES; do ip route add "${route%@*}" via "${route#*@}"; done
echo 1 >/proc/sys/net/ipv4/ip_forward

# A line on the port named testbed.shell is "TOKEN COMMAND". The answer is "TOKEN", what the command wrote, then "TOKEN STATUS".
serve_shell() {
	for port in /sys/class/virtio-ports/*; do
		read -r name <"$port/name" && [ "$name" = testbed.shell ] && device=/dev/${port##*/}
	done
	exec 3<>"$device"
	while :; do
		if read -r token command <&3; then
			sh -c "$command" </dev/null >/run/shell.out 2>&1
			status=$?
			{ printf '\n%s\n' "$token"; cat /run/shell.out; printf '\n%s %s\n' "$token" "$status"; } >&3
		else
			sleep 0.2
		fi
	done
}
serve_shell &

keep_running() { # NAME COMMAND...: a file /run/hold-NAME keeps it from being started
	name=$1
	shift
	# As systemd does it: processes of the root's own cgroup would leave Pods next to no CPU on a busy machine.
	service=/sys/fs/cgroup/system.slice/$name.service
	mkdir -p "$service"
	while :; do
		while [ -e "/run/hold-$name" ]; do sleep 0.5; done
		sh -c 'echo 0 >"$0/cgroup.procs" && exec "$@"' "$service" "$@" >>"/var/log/$name.log" 2>&1
		say "$name ended with status $?; starting it again"
		sleep 1
	done
}

cp /node/containerd.toml /etc/containerd/config.toml
cp /node/cni.conflist /etc/cni/net.d/10-testbed.conflist
# Where two cores emulate three machines, memory is cheaper than CPU, and a signal for each 10 ms that a goroutine runs is dear.
export GOGC=300 GODEBUG=asyncpreemptoff=1
say "starting containerd"
keep_running containerd containerd &
until ctr version >/dev/null 2>&1; do sleep 0.2; done
say "containerd answers; starting kubelet"
keep_running kubelet /payload/kubelet --config=/node/kubelet.yaml --kubeconfig=/node/kubeconfig \
	--hostname-override="$NODE" --node-ip="$ADDRESS" --housekeeping-interval=1m -v=2 &
say "up"
# Processes whose parent is gone become this one's children.
while :; do
	wait
	sleep 1
done
