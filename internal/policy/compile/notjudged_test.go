// SPDX-License-Identifier: Apache-2.0

package compile

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kubearmor/kubearmor-operator/internal/policy"
)

func TestRulesSayWhichOperationsTheyDoNotHoldFor(t *testing.T) {
	all := []string{"chown", "rename"}
	tests := map[string]struct {
		rule      policy.Rule
		notJudged []string
		posture   policy.Posture
		want      string
		state     State
	}{
		"a file rule that blocks":                {policy.Rule{Domain: DomainFile, Action: ActionBlock, Path: "/a"}, all, "", "chown, rename", StateDegraded},
		"one that audits":                        {policy.Rule{Domain: DomainFile, Action: ActionAudit, Path: "/a"}, all, "", "chown, rename", StateDegraded},
		"one of an allow-list":                   {policy.Rule{Domain: DomainFile, Action: ActionAllow, Path: "/a"}, all, policy.PostureBlock, "chown, rename", StateDegraded},
		"one that only makes exceptions":         {policy.Rule{Domain: DomainFile, Action: ActionAllow, Path: "/a"}, all, policy.PostureAllow, "", StateEnforced},
		"a program that may get another name":    {policy.Rule{Domain: DomainProcess, Action: ActionBlock, Path: "/a"}, all, "", "rename", StateDegraded},
		"a program whose owner alone may change": {policy.Rule{Domain: DomainProcess, Action: ActionBlock, Path: "/a"}, all[:1], "", "", StateEnforced},
		"a program that is only audited":         {policy.Rule{Domain: DomainProcess, Action: ActionAudit, Path: "/a"}, all, "", "", StateEnforced},
		"another domain":                         {policy.Rule{Domain: DomainNetwork, Action: ActionBlock, Protocol: "tcp"}, all, "", "", StateEnforced},
		"a kernel that judges everything":        {policy.Rule{Domain: DomainFile, Action: ActionBlock, Path: "/a"}, nil, "", "", StateEnforced},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			test.rule.At = "spec.x[0]"
			p := &policy.Policy{Ref: Ref{Kind: policy.KindPolicy, Namespace: "n", Name: "p"}, Rules: []policy.Rule{test.rule}}
			abilities := Everything()
			abilities.NotJudged = test.notJudged
			out := Compile([]Workload{{
				Cgroup: Cgroup{ID: 7, Level: 1}, Selections: []Selection{{Policy: p}},
				Postures: map[Domain]policy.Posture{DomainFile: test.posture},
			}}, abilities)
			want := Result{Ref: p.Ref, State: test.state, Containers: 1, InForce: 1}
			if test.want != "" {
				want.Unsupported = []Unsupported{{
					Rule: "spec.x[0]", Reason: ReasonNotJudged,
					Message: "the rule is in force, but not for " + test.want + ": this node's kernel has no hook for that",
				}}
			}
			if diff := cmp.Diff([]Result{want}, out.Policies); diff != "" {
				t.Errorf("results (-want +got):\n%s", diff)
			}
		})
	}
}
