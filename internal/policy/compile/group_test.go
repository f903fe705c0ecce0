// SPDX-License-Identifier: Apache-2.0

package compile

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	securityv1 "github.com/kubearmor/kubearmor-operator/api/security/v1"
)

func TestExemptWorkloadIsBoundWithoutRules(t *testing.T) {
	out := Compile([]Workload{{Cgroup: Cgroup{ID: 9}, Exempt: true}, {Cgroup: Cgroup{ID: 10}}}, Everything())
	if len(out.Set.Bindings) != 1 || len(out.Set.Profiles) != 1 || len(out.Set.Profiles[0].Rules) != 0 {
		t.Fatalf("want one binding to an empty profile, got %+v", out.Set)
	}
}

func TestAVisibleWorkloadIsBoundWithoutRules(t *testing.T) {
	visible := DomainsOf([]string{"file", "dns", "ima", "syscalls"})
	if !visible.Has(DomainFile) || !visible.Has(DomainDNS) || visible.Has(DomainProcess) || visible.Has(DomainSyscalls) {
		t.Errorf("domains of words: %b", visible)
	}
	p := ksp("p", processes(securityv1.Report{}, securityv1.Process{MatchPaths: []securityv1.ProcessPath{{Path: "/x"}}}))
	workloads := []Workload{
		{Cgroup: Cgroup{ID: 1}, Visible: visible},
		{Cgroup: Cgroup{ID: 2}},
		{Cgroup: Cgroup{ID: 3}, Selections: on(p)[0].Selections},
		{Cgroup: Cgroup{ID: 4}, Selections: on(p)[0].Selections, Visible: visible},
	}
	out := Compile(workloads, Everything())
	var got []string
	for cgroup, id := range out.Set.Bindings {
		for _, profile := range out.Set.Profiles {
			if profile.ID == id {
				got = append(got, fmt.Sprintf("%d: %d rules, visible %06b", cgroup.ID, len(profile.Rules), profile.Visible))
			}
		}
	}
	slices.Sort(got)
	want := []string{"1: 0 rules, visible 100100", "3: 1 rules, visible 000000", "4: 1 rules, visible 100100"}
	if diff := cmp.Diff(want, got); diff != "" || len(out.Set.Profiles) != 3 {
		t.Errorf("%d profiles, bindings (-want +got):\n%s", len(out.Set.Profiles), diff)
	}
}

func TestRefusedPolicyIsLeftOutAndSaysSo(t *testing.T) {
	rule := processes(securityv1.Report{}, securityv1.Process{MatchPaths: []securityv1.ProcessPath{{Path: "/x"}}})
	workloads := on(ksp("good", rule), ksp("odd", rule))
	workloads[0].Selections[1].Refused = "it is odd"
	out := Compile(workloads, Everything())
	if len(lines(out)) != 1 || out.Policies[0].State != StateEnforced || out.Policies[1].State != StateRefused {
		t.Errorf("rules %v, policies %+v", lines(out), out.Policies)
	}
	want := []Unsupported{{Rule: "spec.process.matchPaths[0]", Reason: ReasonRefused, Message: "it is odd"}}
	if diff := cmp.Diff(want, out.Policies[1].Unsupported); diff != "" {
		t.Errorf("unsupported (-want +got):\n%s", diff)
	}
}

func TestWorkloadsShareAProfileWhereTheirRootsResolveAlike(t *testing.T) {
	p := ksp("p", processes(securityv1.Report{}, securityv1.Process{MatchPaths: []securityv1.ProcessPath{{Path: "/bin/sh"}}}))
	var workloads []Workload
	for i, root := range []Root{nil, links{}, links{"/other": "/thing"}, links{"/bin/sh": "/usr/bin/sh"}, links{"/bin/sh": "/usr/bin/sh"}, links{"/bin/sh": "/bin/busybox"}} {
		workloads = append(workloads, Workload{Cgroup: Cgroup{ID: CgroupID(i + 1)}, Selections: on(p)[0].Selections, Root: root})
	}
	out := Compile(workloads, Everything())
	if len(out.Set.Profiles) != 2 {
		t.Errorf("%d profiles, want one with and one without the object behind the link", len(out.Set.Profiles))
	}
	if len(out.Rules) != 1 {
		t.Errorf("%d ids, want one: the alias is the same rule", len(out.Rules))
	}
	if got := out.Policies[0]; got.State != StateRefused || len(got.Unsupported) != 1 || got.Containers != 6 {
		t.Errorf("one rule does not hold on one of six containers; result = %+v", got)
	}
}

func TestCompilerRemembersWhatDidNotChange(t *testing.T) {
	p := ksp("p", processes(securityv1.Report{}, securityv1.Process{MatchPaths: []securityv1.ProcessPath{{Path: "/x"}}}))
	c := Compiler{Abilities: Everything()}
	first := c.Compile(on(p))
	held := slices.Collect(func(yield func(*group) bool) {
		for _, g := range c.built {
			yield(g)
		}
	})[0]
	second := c.Compile(append(on(p), Workload{Cgroup: Cgroup{ID: 8}, Selections: []Selection{{Policy: p}}}))
	for _, g := range c.built {
		if g != held {
			t.Error("the same profile was built twice")
		}
	}
	if first.Policies[0].Containers != 1 || second.Policies[0].Containers != 2 {
		t.Errorf("containers: %d, then %d", first.Policies[0].Containers, second.Policies[0].Containers)
	}
	if diff := cmp.Diff(first.Set.Profiles, second.Set.Profiles); diff != "" {
		t.Errorf("profiles (-first +second):\n%s", diff)
	}
	changed := ksp("p", processes(securityv1.Report{}, securityv1.Process{MatchPaths: []securityv1.ProcessPath{{Path: "/y"}}}))
	if got := lines(c.Compile(on(changed))); len(got) != 1 || got[0] != "process Block path /y" {
		t.Errorf("a policy that was made anew gives %v", got)
	}
}

func TestObjectsThatTheKernelCannotNameAreNoAliases(t *testing.T) {
	p := ksp("p", files(securityv1.Report{}, securityv1.File{MatchPaths: []securityv1.FilePath{{Path: "/l/x"}}}))
	for _, object := range []string{"", "x", "/a//b", "/a/../b", "/" + strings.Repeat("n", 256), strings.Repeat("/p", 2048)} {
		if got := lines(Compile(rooted(on(p), links{"/l/x": object}), Everything())); len(got) != 1 {
			t.Errorf("%q: %v", object, got)
		}
	}
	if got := lines(Compile(rooted(on(p), links{"/l/x": "/"}), Everything())); len(got) != 2 {
		t.Errorf("a link to the root means the root: %v", got)
	}
}
