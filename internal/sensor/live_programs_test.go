// SPDX-License-Identifier: Apache-2.0

package sensor

import (
	"encoding/json"
	"testing"
)

// TestWhatTheVerifierMadeOfThePrograms prints it for test/vm/matrix.
func TestWhatTheVerifierMadeOfThePrograms(t *testing.T) {
	type program struct {
		Name         string `json:"name"`
		Hook         string `json:"hook"`
		Instructions uint32 `json:"instructions"`
	}
	for _, mode := range []Mode{ModeEnforce, ModeObserve} {
		t.Run(string(mode), func(t *testing.T) {
			requireMode(t, mode)
			core := openCore(t, Options{Mode: mode})
			var report []program
			for _, p := range stats(t, core).Programs {
				report = append(report, program{p.Name, p.Hook, p.VerifiedInstructions})
			}
			if len(report) == 0 {
				t.Error("the core has no programs")
			}
			text, err := json.Marshal(report)
			if err != nil {
				t.Fatal(err)
			}
			t.Logf("core programs: %s", text)
		})
	}
}
