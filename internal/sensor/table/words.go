// SPDX-License-Identifier: Apache-2.0

package table

// Protocol is the code of a protocol's word; the values are shared with bpf/include/core.
type Protocol uint8

// The codes. The first eight are protocols, the next four types of sockets, which are less specific.
const (
	ProtocolTCP       Protocol = 1
	ProtocolUDP       Protocol = 2
	ProtocolICMP      Protocol = 3
	ProtocolICMPv6    Protocol = 4
	ProtocolSCTP      Protocol = 5
	ProtocolDCCP      Protocol = 6
	ProtocolRaw       Protocol = 7
	ProtocolPacket    Protocol = 8
	ProtocolStream    Protocol = 9
	ProtocolDgram     Protocol = 10
	ProtocolRDM       Protocol = 11
	ProtocolSeqpacket Protocol = 12
	ProtocolAll       Protocol = 13
)

// ProtocolCode of a policy's word.
func ProtocolCode(word string) (Protocol, bool) {
	words := [...]string{
		"tcp", "udp", "icmp", "icmpv6", "sctp", "dccp", "raw", "packet", "stream", "dgram", "rdm", "seqpacket", "all",
	}
	for i, w := range words {
		if w == word {
			return Protocol(i + 1), true
		}
	}
	return 0, false
}

// CapabilityNumber is the kernel's number of a capability, which is named without CAP_ and in lower case.
func CapabilityNumber(word string) (uint8, bool) {
	for i, w := range capabilities() {
		if w == word {
			return uint8(i), true
		}
	}
	return 0, false
}

// CapabilityWord is the name of a capability by its number.
func CapabilityWord(number uint32) (string, bool) {
	words := capabilities()
	if int(number) >= len(words) {
		return "", false
	}
	return words[number], true
}

func capabilities() []string {
	return []string{
		"chown", "dac_override", "dac_read_search", "fowner", "fsetid", "kill", "setgid", "setuid", "setpcap",
		"linux_immutable", "net_bind_service", "net_broadcast", "net_admin", "net_raw", "ipc_lock", "ipc_owner",
		"sys_module", "sys_rawio", "sys_chroot", "sys_ptrace", "sys_pacct", "sys_admin", "sys_boot", "sys_nice",
		"sys_resource", "sys_time", "sys_tty_config", "mknod", "lease", "audit_write", "audit_control", "setfcap",
		"mac_override", "mac_admin", "syslog", "wake_alarm", "block_suspend", "audit_read", "perfmon", "bpf",
		"checkpoint_restore",
	}
}
