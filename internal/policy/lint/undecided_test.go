// SPDX-License-Identifier: Apache-2.0

package lint

import (
	"fmt"
	"slices"
	"testing"

	"github.com/kubearmor/kubearmor-operator/internal/policy"
	"github.com/kubearmor/kubearmor-operator/internal/policy/model"
	"github.com/kubearmor/kubearmor-operator/internal/policy/model/generate"
)

// TestWhatNeverDecidesIsNeverMissed takes every rule that is said to decide nothing out of random policies, and asks
// whether any verdict changes. A rule still has two effects that the warnings do not speak of: it makes its domain an
// allow-list, so that the test leaves another Allow rule in its place; and a blocked directory keeps its name.
func TestWhatNeverDecidesIsNeverMissed(t *testing.T) {
	g := generate.New(7, generate.Options{
		Domains: []policy.Domain{
			policy.DomainProcess, policy.DomainFile, policy.DomainNetwork, policy.DomainCapabilities, policy.DomainDNS,
		},
		MostRules: 40,
	})
	flagged := map[string]int{}
	for range 250 {
		w := g.Workload()
		var rules []policy.Rule
		for i := range w.Policies {
			rules = append(rules, w.Policies[i].Policy.Rules...)
		}
		for i := range rules {
			rules[i].At = fmt.Sprintf("spec.rules[%d]", i)
		}
		var operations []model.Operation
		for range 60 {
			if op := g.Operation(w); !op.Directory {
				operations = append(operations, op)
			}
		}
		for _, warning := range undecided(rules) {
			kind := kindOf(warning.Message)
			flagged[kind]++
			i := slices.IndexFunc(rules, func(r policy.Rule) bool { return r.At == warning.Rule })
			without := slices.Delete(slices.Clone(rules), i, i+1)
			if rules[i].Action == policy.ActionAllow {
				without = append(without, policy.Rule{
					At: "spec.rules[9999]", Domain: rules[i].Domain, Action: policy.ActionAllow, Path: "/never/named/by/an/operation",
				})
			}
			for _, op := range operations {
				a, b := verdictOf(rules, w, op), verdictOf(without, w, op)
				if a.Action != b.Action {
					t.Fatalf("%s %s\nrule %+v\nwith %+v\nwithout %+v\noperation %+v", warning.Rule, warning.Message, rules[i], a, b, op)
				}
			}
		}
	}
	for _, kind := range []string{"unreachable", "redundant", "shadowed"} {
		if flagged[kind] < 5 {
			t.Errorf("only %d rules were %s: the test shows nothing", flagged[kind], kind)
		}
	}
}

func kindOf(message string) string {
	var kind string
	if _, err := fmt.Sscanf(message, "is %s", &kind); err != nil {
		return message
	}
	return kind[:len(kind)-1]
}

func verdictOf(rules []policy.Rule, w model.Workload, op model.Operation) model.Verdict {
	w.Policies = []model.Selected{{Policy: policy.Policy{Ref: policy.Ref{Kind: policy.KindPolicy, Name: "p"}, Rules: rules}}}
	return w.Judge(op)
}
