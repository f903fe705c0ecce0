// SPDX-License-Identifier: Apache-2.0

package compile

import (
	"testing"

	securityv1 "github.com/kubearmor/kubearmor-operator/api/security/v1"
	"github.com/kubearmor/kubearmor-operator/internal/policy"
)

func TestRuleIDsSurviveAnEditOfOtherRules(t *testing.T) {
	paths := func(names ...securityv1.AbsolutePath) securityv1.Process {
		var p securityv1.Process
		for _, n := range names {
			p.MatchPaths = append(p.MatchPaths, securityv1.ProcessPath{Path: n})
		}
		return p
	}
	before := Compile(on(ksp("a", processes(securityv1.Report{Message: "old"}, paths("/x", "/y")))), Everything())
	after := Compile(on(ksp("a", processes(securityv1.Report{Message: "new"}, paths("/z", "/y")))), Everything())
	kept := 0
	for id := range before.Rules {
		if _, found := after.Rules[id]; found {
			kept++
		}
	}
	if kept != 1 {
		t.Errorf("%d of the ids are the same, want 1 (the one of /y)", kept)
	}
}

func TestRuleIDsTellAllContentApart(t *testing.T) {
	rules := []policy.Rule{
		{Path: "/x"},
		{Directory: "/x/"},
		{Directory: "/x/", Recursive: true},
		{Pattern: "/x"},
		{ExecName: "x"},
		{Path: "/x", OwnerOnly: true},
		{Path: "/x", ReadOnly: true},
		{Path: "/x", NoTerminal: true},
		{Path: "/x", AllowedArgs: []string{"a", "b"}},
		{Path: "/x", AllowedArgs: []string{"ab"}},
		{Path: "/x", Sources: []policy.Source{{Path: "/s"}}},
		{Path: "/x", Sources: []policy.Source{{Path: "/s"}, {Path: "/t"}}},
		{Path: "/x", Action: ActionAudit},
		{Path: "/x", Domain: DomainProcess},
	}
	seen := map[RuleID]policy.Rule{}
	for _, r := range rules {
		id := newCandidate(&r, Ref{Name: "p"}, false).id
		if other, found := seen[id]; found {
			t.Errorf("%+v and %+v have the same id", r, other)
		}
		seen[id] = r
	}
	if a, b := newCandidate(&rules[0], Ref{Name: "p"}, false).id, newCandidate(&rules[0], Ref{Name: "q"}, false).id; a == b {
		t.Error("rules of two policies have the same id")
	}
	unordered := policy.Rule{Path: "/x", AllowedArgs: []string{"b", "a", "b"}}
	if newCandidate(&unordered, Ref{Name: "p"}, false).id != newCandidate(&rules[8], Ref{Name: "p"}, false).id || unordered.AllowedArgs[0] != "b" {
		t.Error("the order of arguments is part of the id, or was changed")
	}
	if a := newCandidate(&policy.Rule{Path: "/x", At: "elsewhere", Severity: 4}, Ref{Name: "p"}, false).id; a != newCandidate(&rules[0], Ref{Name: "p"}, false).id {
		t.Error("the place of a rule is part of its id")
	}
}

func TestProfilesAreNamedByAllOfTheirContent(t *testing.T) {
	p := ksp("p", files(securityv1.Report{}, securityv1.File{MatchPaths: []securityv1.FilePath{{Path: "/x", FromSource: from("/s")}}}))
	var workloads []Workload
	for i, root := range []Root{links{"/s": "/1"}, links{"/s": "/2"}, links{"/x": "/3"}, links{"/x": "/4"}} {
		workloads = append(workloads, Workload{Cgroup: Cgroup{ID: CgroupID(i + 1)}, Selections: on(p)[0].Selections, Root: root})
	}
	if got := len(Compile(workloads, Everything()).Set.Profiles); got != 4 {
		t.Errorf("%d profiles, want 4: each has another rule", got)
	}
}
