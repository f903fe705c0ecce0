// SPDX-License-Identifier: Apache-2.0

package sensor

import (
	"errors"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/go-logr/logr/testr"
	"golang.org/x/sys/unix"
)

// maxVerified is far below the million that kernels allow; each program costs its share of the agent's start.
const maxVerified = 100_000

// maxCallPaths of a program: the kernel follows each of them, instruction by instruction, to know how deep its stack gets
// (check_max_stack_depth). There were 250,000 once, which took most of the load's time.
const maxCallPaths = 1_500

func TestFewPathsOfCallsLeadThroughAProgram(t *testing.T) {
	for _, mode := range []Mode{ModeEnforce, ModeObserve} {
		s, err := loadSpecs(mode)
		if err != nil {
			t.Fatal(err)
		}
		count := 0
		for _, object := range slices.Concat(s.objects, s.presets[:], []*ebpf.CollectionSpec{s.calls, s.owners}) {
			if object == nil {
				continue
			}
			for name, program := range object.Programs {
				count++
				if paths := callPaths(program.Instructions); paths > maxCallPaths {
					t.Errorf("%s: %d paths, over %d", name, paths, maxCallPaths)
				}
			}
		}
		if count < 20 {
			t.Errorf("%s: only %d programs were looked at", mode, count)
		}
	}
}

// callPaths counts the ways from a program's beginning into its functions, the program itself included.
func callPaths(program asm.Instructions) int {
	calls := map[string][]string{}
	function := ""
	for _, i := range program {
		if symbol := i.Symbol(); symbol != "" {
			function = symbol
		}
		if i.IsFunctionCall() {
			calls[function] = append(calls[function], i.Reference())
		}
	}
	known := map[string]int{}
	var paths func(function string) int
	paths = func(function string) int {
		if n, ok := known[function]; ok {
			return n
		}
		n := 1
		for _, callee := range calls[function] {
			n += paths(callee)
		}
		known[function] = n
		return n
	}
	return paths(program[0].Symbol())
}

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
		core := &Core{mode: mode, log: testr.New(t), cgroups: cgroups, maps: map[string]*ebpf.Map{}, inner: map[string]*ebpf.MapSpec{}}
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
