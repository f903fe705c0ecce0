// SPDX-License-Identifier: Apache-2.0

package sensor

import (
	"errors"
	"maps"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/cilium/ebpf/features"
	"github.com/cilium/ebpf/ringbuf"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

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

// seenCalls is the program that sees calls by this process, bound to a profile by the root of the hierarchy.
type seenCalls struct {
	*ebpf.Collection
	events *ringbuf.Reader
}

func seeCalls(t *testing.T, r *TestRun) seenCalls {
	t.Helper()
	spec, err := syscall.LoadSyscall()
	r.must(t, err)
	maps.DeleteFunc(spec.Programs, func(name string, _ *ebpf.ProgramSpec) bool { return name != "call_seen" })
	neverUsed(spec.Maps[tableTasks])
	cpus, err := ebpf.PossibleCPU()
	r.must(t, err)
	for _, perCPU := range []string{tableSlots, tableReports} {
		spec.Maps[perCPU].MaxEntries *= uint32(cpus)
	}
	helper := features.HaveProgramHelper(ebpf.SocketFilter, asm.FnGetCurrentAncestorCgroupId) == nil
	for name, value := range map[string]any{"hash_key": r.key, "call_codes": syscalls.Of(runtime.GOARCH).Codes(), "ancestor_helper": helper} {
		r.must(t, spec.Variables[name].Set(value))
	}
	inner := spec.Maps[tableBindings].InnerMap
	c, err := ebpf.NewCollectionWithOptions(spec, ebpf.CollectionOptions{MapReplacements: map[string]*ebpf.Map{tableRules: r.objects.Rules}})
	r.must(t, err)
	t.Cleanup(c.Close)
	shape := inner.Copy()
	shape.MaxEntries = 2
	table, err := ebpf.NewMap(shape)
	r.must(t, err)
	defer table.Close()
	const root = 1 // The id of the hierarchy's root, at level 0.
	r.must(t, table.Put(uint64(0), match.MatchBinding{LevelCount: 1}))
	r.must(t, table.Put(uint64(root), r.binding))
	r.must(t, c.Maps[tableBindings].Put(uint32(0), table))
	events, err := ringbuf.NewReader(c.Maps[tableAudits])
	r.must(t, err)
	t.Cleanup(func() { events.Close() })
	return seenCalls{c, events}
}

// call makes one, and gives its event if there is one.
func (c seenCalls) call(t *testing.T, number int) (Event, bool) {
	t.Helper()
	const header = 14 // of Ethernet, which does not count
	if _, err := c.Programs["call_seen"].Run(&ebpf.RunOptions{Data: make([]byte, header+number)}); err != nil {
		t.Fatal(err)
	}
	c.events.SetDeadline(time.Now())
	record, err := c.events.Read()
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return Event{}, false
	}
	if err != nil {
		t.Fatal(err)
	}
	e, err := decode(record.RawSample, bootTime())
	if err != nil {
		t.Fatal(err)
	}
	return e, true
}

func TestACallWithARuleHasAnEvent(t *testing.T) {
	r := openTestRun(t)
	call := func(id compile.RuleID, name, source string) compile.Rule {
		return compile.Rule{ID: id, Domain: compile.DomainSyscalls, Match: compile.MatchSyscall, Action: compile.ActionAudit, Path: name, Source: source}
	}
	r.must(t, r.Hold(compile.Profile{ID: 7, Rules: []compile.Rule{call(1, "ptrace", ""), call(2, "bpf", "/nobody")}}))
	calls := seeCalls(t, r)
	number := func(name string) int {
		code, known := syscalls.Of(runtime.GOARCH).Code(name)
		if !known {
			t.Fatalf("this machine has no %s", name)
		}
		return int(code)
	}
	exe, err := os.Readlink("/proc/self/exe")
	r.must(t, err)
	got, seen := calls.call(t, number("ptrace"))
	want := Event{
		Domain: compile.DomainSyscalls, Operation: OperationSyscall, Action: compile.ActionAudit, Rule: 1, Profile: 7, Cgroup: 1,
		Resource: "ptrace", Source: exe, Mode: uint32(number("ptrace")), HostPID: got.HostPID, HostPPID: got.HostPPID, PID: uint32(os.Getpid()),
		PPID: uint32(os.Getppid()), ParentSource: got.ParentSource, UID: uint32(os.Getuid()), Comm: got.Comm, Time: got.Time,
	}
	if diff := cmp.Diff(want, got, cmpopts.EquateComparable(netip.AddrPort{})); diff != "" || !seen {
		t.Errorf("event (-want +got):\n%s", diff)
	}
	for name, number := range map[string]int{
		"another call":                           number("read"),
		"a call with a rule for somebody else":   number("bpf"),
		"a call whose code shares the last bits": number("ptrace") + 64,
		"a number that is no call":               1000,
		"a number out of the table":              syscalls.Numbers + number("ptrace"),
	} {
		if e, seen := calls.call(t, number); seen {
			t.Errorf("%s: %+v", name, e)
		}
	}
}
