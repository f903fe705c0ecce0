// SPDX-License-Identifier: Apache-2.0

package sensor

import (
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/cilium/ebpf"
	"github.com/go-logr/logr"
	"golang.org/x/sys/unix"
)

// maxVerified is far below the million that kernels allow; each program costs its share of the agent's start.
const maxVerified = 100_000

// TestThisKernelAcceptsEveryProgram without attaching one, and what that costs its verifier.
func TestThisKernelAcceptsEveryProgram(t *testing.T) {
	if os.Geteuid() != 0 {
		skip(t, "needs root")
	}
	for _, mode := range []Mode{ModeEnforce, ModeObserve} {
		s, err := loadSpecs(mode)
		if err != nil {
			t.Fatal(err)
		}
		core := &Core{mode: mode, log: logr.Discard(), cgroups: cgroups, maps: map[string]*ebpf.Map{}, inner: map[string]*ebpf.MapSpec{}}
		err = core.load(s)
		if errors.Is(err, unix.EPERM) {
			skip(t, "needs a kernel that lets programs of these types be loaded")
		}
		var verifier *ebpf.VerifierError
		if errors.As(err, &verifier) {
			t.Log(strings.Join(verifier.Log[max(0, len(verifier.Log)-60):], "\n"))
		}
		if err != nil {
			t.Fatalf("%s: %v", mode, err)
		}
		programs, err := core.programs()
		if err != nil {
			t.Fatal(err)
		}
		if core.calls == nil {
			t.Errorf("%s: the program of system calls was not taken; missing are %v", mode, core.missing)
		}
		for _, p := range programs {
			t.Logf("%s: %d verified instructions", p.Hook, p.VerifiedInstructions)
			if p.VerifiedInstructions > maxVerified {
				t.Errorf("%s costs the verifier %d instructions, over %d", p.Hook, p.VerifiedInstructions, maxVerified)
			}
		}
		if err := core.Close(); err != nil {
			t.Error(err)
		}
	}
}
