// SPDX-License-Identifier: Apache-2.0

package sensor

import (
	"encoding/binary"
	"net/netip"

	"github.com/kubearmor/kubearmor-operator/bpf/socket"
)

// enum ends_known
const (
	endLocal  = 1
	endRemote = 2
)

// endsOf reads struct ends of bpf/include/core/ends.h; an event without one has none.
func endsOf(raw []byte) (local, remote netip.AddrPort) {
	var e socket.SocketEnds
	if _, err := binary.Decode(raw, binary.LittleEndian, &e); err != nil {
		return local, remote
	}
	if e.Known&endLocal != 0 {
		local = netip.AddrPortFrom(netip.AddrFrom16(e.Local).Unmap(), e.LocalPort)
	}
	if e.Known&endRemote != 0 {
		remote = netip.AddrPortFrom(netip.AddrFrom16(e.Remote).Unmap(), e.RemotePort)
	}
	return local, remote
}

// endsName is what is known of them, as it follows the kind of a socket.
func endsName(local, remote netip.AddrPort) string {
	name := ""
	if local.IsValid() {
		name = " local=" + local.String()
	}
	if remote.IsValid() {
		name += " remote=" + remote.String()
	}
	return name
}
