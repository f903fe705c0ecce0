// SPDX-License-Identifier: Apache-2.0

package sensor

import (
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/cilium/ebpf"
	"github.com/google/go-cmp/cmp"

	"github.com/kubearmor/kubearmor-operator/bpf/match"
	"github.com/kubearmor/kubearmor-operator/bpf/syscall"
	"github.com/kubearmor/kubearmor-operator/internal/policy/compile"
	"github.com/kubearmor/kubearmor-operator/internal/policy/syscalls"
	"github.com/kubearmor/kubearmor-operator/internal/sensor/table"
)

// callRun loads the program that answers on one call by this process, over the tables of a test run.
func callRun(t *testing.T, r *TestRun) *ebpf.Program {
	t.Helper()
	spec, err := syscall.LoadSyscall()
	r.must(t, err)
	neverUsed(spec.Maps[tableTasks])
	r.must(t, spec.Variables["hash_key"].Set(r.key))
	program, err := loadProgram(spec, "call_run", &ebpf.CollectionOptions{
		MapReplacements: map[string]*ebpf.Map{tableRules: r.objects.Rules, tableSlots: r.objects.Slots},
	})
	r.must(t, err)
	t.Cleanup(func() { program.Close() })
	return program
}

// TestTheKernelNamesTheMostExactRuleOnACall by this process, whose executable the kernel finds out itself.
func TestTheKernelNamesTheMostExactRuleOnACall(t *testing.T) {
	r := openTestRun(t)
	program := callRun(t, r)
	exe, err := os.Readlink("/proc/self/exe")
	r.must(t, err)
	in, above := filepath.Dir(exe)+"/", filepath.Dir(filepath.Dir(exe))+"/"
	tests := map[string]struct {
		// sources of the rules 1, 2 and so on, all on the call.
		sources []string
		call    string
		rule    compile.RuleID
	}{
		"for all executables":               {[]string{""}, "ptrace", 1},
		"on another call":                   {[]string{""}, "bpf", 0},
		"for this executable, above all":    {[]string{"", in, above + "**", exe}, "ptrace", 4},
		"for another one":                   {[]string{exe + "x"}, "ptrace", 0},
		"for another one, and one for all":  {[]string{exe + "x", ""}, "ptrace", 2},
		"for its directory":                 {[]string{"", "/**", above + "**", in}, "ptrace", 4},
		"plain above recursive":             {[]string{in, in + "**"}, "ptrace", 1},
		"for what is directly in another":   {[]string{above}, "ptrace", 0},
		"for a directory above it":          {[]string{above, "/**", above + "**"}, "ptrace", 3},
		"for the root's":                    {[]string{"/**"}, "ptrace", 1},
		"for this executable, another call": {[]string{exe}, "bpf", 0},
		"for its directory, another call":   {[]string{in}, "bpf", 0},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			profile := compile.Profile{ID: 7}
			for i, source := range test.sources {
				profile.Rules = append(profile.Rules, compile.Rule{
					ID: compile.RuleID(i + 1), Domain: compile.DomainSyscalls, Match: compile.MatchSyscall,
					Action: compile.ActionAudit, Path: "ptrace", Source: source,
				})
			}
			r.must(t, r.Hold(profile))
			code, _ := syscalls.Of(runtime.GOARCH).Code(test.call)
			r.slot = match.MatchScratch{Binding: r.binding, Domain: uint32(compile.DomainSyscalls), Words: [4]uint32{uint32(code) + 1}}
			r.must(t, r.put())
			r.must(t, r.run(program))
			got := table.Answer{Action: compile.Action(r.slot.Action), Rule: compile.RuleID(r.slot.Rule)}
			want := table.Answer{Action: compile.ActionAudit, Rule: test.rule}
			if test.rule == 0 {
				want = table.Answer{Rule: RulePosture}
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%s by %s (-want +got):\n%s", test.call, exe, diff)
			}
		})
	}
}
