// SPDX-License-Identifier: Apache-2.0

package sensor

import (
	"fmt"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/kubearmor/kubearmor-operator/internal/sensor/table"
)

// socketName says which kind of socket an event is about.
func socketName(w wireEvent) string {
	family, kind := w.Flags&0xffff, w.Flags>>16
	return fmt.Sprintf("family=%s type=%s protocol=%d", familyName(family), typeName(kind), w.Mode)
}

func familyName(family uint32) string {
	names := map[uint32]string{
		unix.AF_UNIX: "AF_UNIX", unix.AF_INET: "AF_INET", unix.AF_INET6: "AF_INET6", unix.AF_NETLINK: "AF_NETLINK",
		unix.AF_PACKET: "AF_PACKET", unix.AF_VSOCK: "AF_VSOCK", unix.AF_ALG: "AF_ALG", unix.AF_BLUETOOTH: "AF_BLUETOOTH",
		unix.AF_CAN: "AF_CAN", unix.AF_TIPC: "AF_TIPC", unix.AF_XDP: "AF_XDP", unix.AF_SMC: "AF_SMC",
	}
	if name, ok := names[family]; ok {
		return name
	}
	return fmt.Sprint(family)
}

func typeName(kind uint32) string {
	names := map[uint32]string{
		unix.SOCK_STREAM: "SOCK_STREAM", unix.SOCK_DGRAM: "SOCK_DGRAM", unix.SOCK_RAW: "SOCK_RAW", unix.SOCK_RDM: "SOCK_RDM",
		unix.SOCK_SEQPACKET: "SOCK_SEQPACKET", unix.SOCK_DCCP: "SOCK_DCCP",
	}
	if name, ok := names[kind]; ok {
		return name
	}
	return fmt.Sprint(kind)
}

func capabilityName(number uint32) string {
	if word, ok := table.CapabilityWord(number); ok {
		return "CAP_" + strings.ToUpper(word)
	}
	return fmt.Sprintf("CAP_%d", number)
}
