// SPDX-License-Identifier: Apache-2.0

package sensor

import (
	"fmt"
	"os"
	"runtime"
	"strings"
	"testing"

	"github.com/kubearmor/kubearmor-operator/internal/policy"
	"github.com/kubearmor/kubearmor-operator/internal/policy/compile"
	"github.com/kubearmor/kubearmor-operator/internal/sensor/table"
)

// scaled is a node with so many policies of so many rules, and containers of which each is selected by one.
type scaled struct{ policies, containers, rules int }

func (s scaled) policy(number int) *policy.Policy {
	p := &policy.Policy{Ref: policy.Ref{Kind: policy.KindPolicy, Namespace: "n", Name: fmt.Sprintf("p%d", number)}}
	for i := range s.rules {
		r := policy.Rule{At: fmt.Sprintf("rule[%d]", i), Action: policy.ActionBlock, Domain: policy.DomainFile}
		switch {
		case i == s.rules-1:
			r.Pattern = fmt.Sprintf("/opt/app-%d/**/*.so", number)
		case i%3 == 0:
			r.Path = fmt.Sprintf("/etc/app-%d/file-%d", number, i)
		case i%3 == 1:
			r.Directory, r.Recursive = fmt.Sprintf("/var/lib/app-%d/%d/", number, i), true
		default:
			r.Domain, r.Path = policy.DomainProcess, fmt.Sprintf("/usr/bin/tool-%d", i)
		}
		p.Rules = append(p.Rules, r)
	}
	return p
}

func (s scaled) workloads() []compile.Workload {
	policies := make([]*policy.Policy, s.policies)
	for i := range policies {
		policies[i] = s.policy(i)
	}
	workloads := make([]compile.Workload, s.containers)
	for i := range workloads {
		workloads[i] = compile.Workload{
			Cgroup: compile.Cgroup{ID: compile.CgroupID(i + 1), Level: 4}, Selections: []compile.Selection{{Policy: policies[i%s.policies]}},
		}
	}
	return workloads
}

// BenchmarkGeneration is all that an agent computes for a new generation: profiles and tables. It reports what stays on the
// heap (policies, profiles, one set of tables), and the most that the process ever had, of which this test is a part.
func BenchmarkGeneration(b *testing.B) {
	for _, s := range []scaled{{100, 100, 10}, {100, 100, 100}, {1000, 2000, 100}} {
		name := fmt.Sprintf("%d policies, %d containers, %d rules", s.policies, s.containers, s.policies*s.rules)
		key := table.Key{1, 2}
		b.Run(name, func(b *testing.B) {
			var kept []any
			for b.Loop() {
				compiler := compile.Compiler{Abilities: compile.Everything()}
				workloads := s.workloads()
				out := compiler.Compile(workloads)
				next, err := encode(out.Set, key, nil)
				if err != nil {
					b.Fatal(err)
				}
				kept = []any{&compiler, workloads, out, next}
			}
			reportMemory(b)
			runtime.KeepAlive(kept)
		})
		b.Run(name+", one policy changes", func(b *testing.B) {
			compiler := compile.Compiler{Abilities: compile.Everything()}
			workloads := s.workloads()
			first, err := encode(compiler.Compile(workloads).Set, key, nil)
			if err != nil {
				b.Fatal(err)
			}
			for changes := 0; b.Loop(); changes++ {
				changed := s.policy(0)
				changed.Rules[0].Path += fmt.Sprint(changes)
				workloads[0].Selections = []compile.Selection{{Policy: changed}}
				next, err := encode(compiler.Compile(workloads).Set, key, first.bindings)
				if err != nil || next.layout == nil {
					b.Fatalf("laid out: %v, %v", next.layout != nil, err)
				}
			}
			reportMemory(b)
		})
	}
}

func reportMemory(b *testing.B) {
	b.Helper()
	var stats runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&stats)
	b.ReportMetric(float64(stats.HeapAlloc)/(1<<20), "MiB-kept")
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		b.Fatal(err)
	}
	for line := range strings.Lines(string(status)) {
		var most float64
		if _, err := fmt.Sscanf(line, "VmHWM: %f kB", &most); err == nil {
			b.ReportMetric(most/1024, "MiB-most")
		}
	}
}
