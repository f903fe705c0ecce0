// SPDX-License-Identifier: Apache-2.0

package sensor

import (
	"debug/elf"
	"encoding/binary"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kubearmor/kubearmor-operator/internal/policy/compile"
)

// caller is a program that makes one system call and ends. The call is getsid, which nothing else here makes: as the
// machine's own programs do, or on amd64 also as i386 programs do (number 147, where sched_get_priority_min is else) or
// as x32 ones do.
func caller(how string) []byte {
	if runtime.GOARCH == "arm64" {
		return programOf(elf.EM_AARCH64, []byte{
			0x88, 0x13, 0x80, 0xd2, // mov x8, 156
			0x00, 0x00, 0x80, 0xd2, // mov x0, 0
			0x01, 0x00, 0x00, 0xd4, // svc 0
			0xa8, 0x0b, 0x80, 0xd2, // mov x8, 93
			0x00, 0x00, 0x80, 0xd2, // mov x0, 0
			0x01, 0x00, 0x00, 0xd4, // svc 0
		})
	}
	number := map[string]uint32{"native": 124, "i386": 147, "x32": 1<<30 | 124}[how]
	code := binary.LittleEndian.AppendUint32([]byte{0x31, 0xff, 0x31, 0xdb, 0xb8}, number) // xor edi, edi; xor ebx, ebx; mov eax
	if how == "i386" {
		code = append(code, 0xcd, 0x80) // int 0x80
	} else {
		code = append(code, 0x0f, 0x05) // syscall
	}
	return programOf(elf.EM_X86_64, append(code, 0xb8, 60, 0, 0, 0, 0x31, 0xff, 0x0f, 0x05))
}

func TestSystemCallsAreSeenHoweverTheyAreMade(t *testing.T) {
	r := newRig(t, Options{Mode: ModeEnforce})
	w := r.workload("confined")
	program := map[string]string{}
	for _, how := range []string{"native", "i386", "x32"} {
		program[how] = touch(t, filepath.Join(r.dir, "bin", "deep", how))
		if err := os.WriteFile(program[how], caller(how), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	call := func(name, source string) compile.Rule {
		return with(rule(compile.ActionAudit, compile.DomainSyscalls, compile.MatchSyscall, name), func(r *compile.Rule) { r.Source = source })
	}
	at := func(name string) string { return filepath.Join(r.dir, name) }
	all := call("getsid", "")
	exe, plain, tree := call("getsid", program["native"]), call("getsid", at("bin/deep")+"/"), call("getsid", at("bin")+"/**")
	other := call("getsid", at("bin")+"/")
	only := func(rules ...compile.Rule) []compile.Rule { return rules }
	tests := map[string]languageCase{
		"by name":                              {only(all), nil, []string{"run", program["native"]}, 0, all.ID, OperationSyscall},
		"another one":                          {only(call("getpgid", "")), nil, []string{"run", program["native"]}, 0, 0, ""},
		"one whose code shares the last bits":  {only(call("semget", ""), call("setfsuid", "")), nil, []string{"run", program["native"]}, 0, 0, ""},
		"of one executable":                    {only(all, tree, plain, exe), nil, []string{"run", program["native"]}, 0, exe.ID, OperationSyscall},
		"of another one":                       {only(call("getsid", at("bin/deep/other"))), nil, []string{"run", program["native"]}, 0, 0, ""},
		"of those in a directory":              {only(all, tree, plain), nil, []string{"run", program["native"]}, 0, plain.ID, OperationSyscall},
		"of those at any depth":                {only(all, tree, other), nil, []string{"run", program["native"]}, 0, tree.ID, OperationSyscall},
		"of those in a directory that is not":  {only(other), nil, []string{"run", program["native"]}, 0, 0, ""},
		"beside a rule for other executables":  {only(all, other), nil, []string{"run", program["native"]}, 0, all.ID, OperationSyscall},
		"as i386 programs do":                  {only(all), nil, []string{"run", program["i386"]}, 0, all.ID, OperationSyscall},
		"a number that means another one else": {only(call("sched_get_priority_min", "")), nil, []string{"run", program["i386"]}, 0, 0, ""},
		"as x32 programs do":                   {only(all), nil, []string{"run", program["x32"]}, 0, all.ID, OperationSyscall},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) { r.check(t, w, test) })
	}
	t.Run("the event names the call and who made it", func(t *testing.T) {
		w.t, r.t = t, t
		r.confine(map[*workload][]compile.Rule{w: {all}})
		r.take()
		if got := w.do("run", program["i386"]); got != 0 {
			t.Errorf("the call fails: %v", got)
		}
		events := r.take()
		if len(events) != 1 || events[0].Resource != "getsid" || events[0].Source != program["i386"] || events[0].Denied || events[0].Action != compile.ActionAudit {
			t.Errorf("events: %+v", events)
		}
	})
}

func TestSystemCallsCostNothingWithoutARule(t *testing.T) {
	requireMode(t, ModeEnforce)
	watched := func(core *Core) bool {
		return slices.ContainsFunc(stats(t, core).Programs, func(p Program) bool { return p.Hook == HookCall })
	}
	core := openCore(t, Options{Mode: ModeEnforce, BPFFS: bpffs})
	t.Cleanup(func() {
		if err := DetachAll(bpffs); err != nil {
			t.Error(err)
		}
	})
	r := &rig{t: t, core: core, dir: realDir(t)}
	w := r.workload("confined")
	calls := []compile.Rule{rule(compile.ActionAudit, compile.DomainSyscalls, compile.MatchSyscall, "getsid")}
	opens := []compile.Rule{block(files, exact, "/nothing")}
	var got []bool
	for _, rules := range [][]compile.Rule{opens, calls, calls, opens, calls} {
		r.confine(map[*workload][]compile.Rule{w: rules})
		got = append(got, watched(core))
	}
	if err := core.Close(); err != nil {
		t.Fatal(err)
	}
	// The one that adopts the rules watches from the beginning, and stops when there is nothing to watch.
	r.core = openCore(t, Options{Mode: ModeEnforce, BPFFS: bpffs})
	got = append(got, watched(r.core))
	r.confine(map[*workload][]compile.Rule{w: opens})
	got = append(got, watched(r.core))
	if diff := cmp.Diff([]bool{false, true, true, false, true, true, false}, got); diff != "" {
		t.Errorf("watched (-want +got):\n%s", diff)
	}
}
