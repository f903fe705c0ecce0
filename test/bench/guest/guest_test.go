// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kubearmor/kubearmor-operator/internal/policy/compile"
	"github.com/kubearmor/kubearmor-operator/internal/policy/parse"
	"github.com/kubearmor/kubearmor-operator/test/bench/report"
)

func TestThePolicyHasTheRulesThatItsNameSays(t *testing.T) {
	for _, n := range []int{10, 1000, 10_000} {
		if network := policyOf("x", n).Spec.Network.MatchProtocols; len(network) != 1 {
			t.Errorf("%d rules: %d are for protocols", n, len(network))
		}
		policy := parse.KubeArmorPolicy(policyOf("x", n))
		if len(policy.Rules) != n || len(policy.Problems) != 0 {
			t.Errorf("%d rules: got %d and %d problems", n, len(policy.Rules), len(policy.Problems))
		}
		out := compile.Compile([]compile.Workload{workload(compile.Cgroup{ID: 1, Level: 2}, "x", n)}, compile.Everything())
		p := inForce(out, "x", report.SettingFew)
		if p.Rules != n || p.InForce != n || len(p.Left) > 0 {
			t.Errorf("%d rules: got %+v", n, p)
		}
		paths := []compile.Match{compile.MatchPath, compile.MatchDirectory, compile.MatchRecursive}
		few := compile.Compile([]compile.Workload{workload(compile.Cgroup{ID: 1, Level: 2}, "x", n)}, compile.Abilities{
			Matches: map[compile.Domain][]compile.Match{compile.DomainProcess: paths, compile.DomainFile: paths},
		})
		if p := inForce(few, "x", report.SettingFew); p.Rules != n || p.InForce != n*7/10 || len(p.Left) < 3 {
			t.Errorf("%d rules for a core that holds paths and directories alone: got %+v", n, p)
		}
	}
}

func TestTheOpenedPathIsThatOfTheNativeBound(t *testing.T) {
	if len(openedFile) != 64 {
		t.Errorf("%s has %d bytes", openedFile, len(openedFile))
	}
}

// TestEveryOperationWorks on this machine, without any core.
func TestEveryOperationWorks(t *testing.T) {
	c, err := newConnector()
	if err != nil {
		t.Fatal(err)
	}
	// More than the queue of connections holds.
	if took, err := c.times(3 * queue); err != nil || took <= 0 {
		t.Errorf("connect: %s, %v", took, err)
	}
	var out bytes.Buffer
	err = work(strings.NewReader(fmt.Sprintf("3 %s\n0 %s\n3 nonsense\n", report.OperationConnect, report.OperationStat)), &out)
	if lines := strings.Fields(out.String()); len(lines) != 2 || err == nil {
		t.Errorf("answers %q, error %v", lines, err)
	}
}

func TestNumbersOfADescriptor(t *testing.T) {
	got := fields("pos:\t0\nprog_id:\t17\nprog_tag:\tf00d\nmemlock:\t4096\nVmRSS:\t    12 kB\n")
	want := map[string]uint64{"pos": 0, "prog_id": 17, "memlock": 4096, "VmRSS": 12}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestOnlyTheRunsOfTheOperationCount(t *testing.T) {
	got, ran := cost(runs{10, 1000}, runs{210, 41_000}, 100)
	if diff := cmp.Diff(report.ProgramCost{Runs: 2, Nanoseconds: 200}, got); !ran || diff != "" {
		t.Errorf("ran %v (-want +got):\n%s", ran, diff)
	}
	for name, all := range map[string]runs{"none": {10, 1000}, "fewer": {9, 900}} {
		if _, ran := cost(runs{10, 1000}, all, 100); ran {
			t.Errorf("%s of its own: ran", name)
		}
	}
}
