// SPDX-License-Identifier: Apache-2.0

package sensor

import (
	"testing"
)

func TestLoadProbe(t *testing.T) {
	c, err := Open(t.Context(), Options{Mode: ModeEnforce})
	if err != nil {
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
