// SPDX-License-Identifier: Apache-2.0

package compile

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	securityv1 "github.com/kubearmor/kubearmor-operator/api/security/v1"
	"github.com/kubearmor/kubearmor-operator/internal/policy"
)

func TestTooManyVariantsOfOneThing(t *testing.T) {
	var paths []securityv1.ProcessPath
	for i := range MaxVariants + 1 {
		paths = append(paths, securityv1.ProcessPath{Path: "/x", AllowedArgs: []string{fmt.Sprint(i)}, Report: action(securityv1.ActionBlock)})
	}
	paths[0].Action, paths[4].Severity = securityv1.ActionAudit, 9
	out := Compile(on(ksp("p", processes(securityv1.Report{}, securityv1.Process{MatchPaths: paths}))), Everything())
	if diff := cmp.Diff([]string{"spec.process.matchPaths[0] TooManyVariants"}, left(out)); diff != "" {
		t.Errorf("what blocks is kept (-want +got):\n%s", diff)
	}
	if got := out.Policies[0]; got.InForce != MaxVariants || got.State != StateDegraded {
		t.Errorf("result = %+v", got)
	}
	rules := lines(out)
	if len(rules) != MaxVariants || rules[0] != "process Block path /x args 4" || rules[1] != "process Block path /x args 1" {
		t.Errorf("the higher severity comes first, then the place: %v", rules)
	}
}

func TestVeryManyVariantsOfOneThingCostLittle(t *testing.T) {
	var paths []securityv1.ProcessPath
	for i := range 5000 {
		paths = append(paths, securityv1.ProcessPath{Path: "/x", AllowedArgs: []string{fmt.Sprint(i)}, Report: securityv1.Report{Severity: 9}})
	}
	started := time.Now()
	out := Compile(on(ksp("p", processes(securityv1.Report{}, securityv1.Process{MatchPaths: paths}))), Everything())
	if got := out.Policies[0]; got.InForce != MaxVariants || len(got.Unsupported) != len(paths)-MaxVariants {
		t.Errorf("%d rules in force, %d not", got.InForce, len(got.Unsupported))
	}
	paths = append(paths, securityv1.ProcessPath{Path: "/x"})
	out = Compile(on(ksp("p", processes(securityv1.Report{}, securityv1.Process{MatchPaths: paths}))), Everything())
	if took := time.Since(started); took > 20*time.Second {
		t.Errorf("it took %s", took)
	}
	rules := lines(out)
	if len(rules) != MaxVariants || !slices.Contains(rules, "process Block path /x") {
		t.Errorf("the rule that blocks whatever the arguments are must stay: %v", rules)
	}
}

func TestCovers(t *testing.T) {
	rule := func(a Action, args ...string) entry {
		return entry{candidate: newCandidate(&policy.Rule{Action: a, Path: "/x", AllowedArgs: args}, Ref{}, false)}
	}
	direct := rule(ActionBlock)
	direct.direct = true
	for name, tt := range map[string]struct {
		a, b  entry
		first bool
		want  bool
	}{
		"the stronger one":                              {rule(ActionBlock), rule(ActionAudit), false, true},
		"not the weaker one":                            {rule(ActionAudit), rule(ActionBlock), true, false},
		"the first of two that are as strong":           {rule(ActionBlock), rule(ActionBlock, "1"), true, true},
		"not the second of them":                        {rule(ActionBlock), rule(ActionBlock, "1"), false, false},
		"which of two lets pass does not matter":        {rule(ActionAllow), rule(ActionAllow, "1"), false, true},
		"an Allow rule that permits more":               {rule(ActionAllow, "1", "2"), rule(ActionAllow, "2"), true, true},
		"not one that permits less":                     {rule(ActionAllow, "1"), rule(ActionAllow, "1", "2"), true, false},
		"a Block rule that spares less":                 {rule(ActionBlock, "1"), rule(ActionBlock, "1", "2"), true, true},
		"not one that spares more":                      {rule(ActionBlock, "1", "2"), rule(ActionBlock, "1"), true, false},
		"not one that spares the same and audits":       {rule(ActionAudit, "1"), rule(ActionBlock, "1"), true, false},
		"a Block rule does what no Allow rule can undo": {rule(ActionBlock, "1"), rule(ActionAllow, "1"), false, true},
		"not a directory's direct entries all below it": {direct, rule(ActionBlock, "1"), true, false},
		"but the other way round":                       {rule(ActionBlock), direct, true, true},
	} {
		t.Run(name, func(t *testing.T) {
			if got := covers(tt.a, tt.b, tt.first); got != tt.want {
				t.Errorf("covers = %v, want %v", got, tt.want)
			}
		})
	}
}
