// SPDX-License-Identifier: Apache-2.0

package sensor

import (
	"errors"
	"strings"
	"testing"

	"github.com/cilium/ebpf"
)

func TestLoadProbe(t *testing.T) {
	c, err := Open(t.Context(), Options{Mode: ModeEnforce})
	if err != nil {
		var v *ebpf.VerifierError
		if errors.As(err, &v) {
			t.Logf("%s", strings.Join(v.Log[max(0, len(v.Log)-40):], "\n"))
		}
		t.Fatal(err)
	}
	s, err := c.Stats()
	t.Logf("%+v %v", s, err)
	c.Close()
	c, err = Open(t.Context(), Options{Mode: ModeObserve})
	if err != nil {
		t.Fatal(err)
	}
	s, err = c.Stats()
	t.Logf("%+v %v", s, err)
	c.Close()
	t.Log(Canary(t.Context(), ModeEnforce, t.TempDir()))
	t.Log(Canary(t.Context(), ModeObserve, t.TempDir()))
}
