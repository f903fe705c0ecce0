// SPDX-License-Identifier: Apache-2.0

package sensor

import (
	"encoding/binary"
	"net/netip"
	"testing"

	"github.com/kubearmor/kubearmor-operator/bpf/socket"
)

func TestEndsInWords(t *testing.T) {
	raw := func(e socket.SocketEnds) []byte {
		out, err := binary.Append(nil, binary.LittleEndian, &e)
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	v4, v6 := netip.MustParseAddr("::ffff:10.0.0.7").As16(), netip.MustParseAddr("2001:db8::1").As16()
	for name, tt := range map[string]struct {
		raw  []byte
		want string
	}{
		"none in an event without any": {nil, ""},
		"none that is not known":       {raw(socket.SocketEnds{Local: v4, LocalPort: 1}), ""},
		"none in what is too short":    {raw(socket.SocketEnds{Known: 3})[:39], ""},
		"where a socket is bound":      {raw(socket.SocketEnds{Known: endLocal, Local: v4, LocalPort: 53}), " local=10.0.0.7:53"},
		"bound to any address":         {raw(socket.SocketEnds{Known: endLocal, LocalPort: 80}), " local=[::]:80"},
		"where it sends to":            {raw(socket.SocketEnds{Known: endRemote, Remote: v6, RemotePort: 443}), " remote=[2001:db8::1]:443"},
		"both ends of a connection":    {raw(socket.SocketEnds{Known: 3, Local: v4, LocalPort: 40000, Remote: v4, RemotePort: 1}), " local=10.0.0.7:40000 remote=10.0.0.7:1"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := endsName(endsOf(tt.raw)); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}
