// SPDX-License-Identifier: Apache-2.0

package agent

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	securityv1 "github.com/kubearmor/kubearmor-operator/api/security/v1"
	"github.com/kubearmor/kubearmor-operator/internal/agent/containers"
	"github.com/kubearmor/kubearmor-operator/internal/enforcer"
	"github.com/kubearmor/kubearmor-operator/internal/policy"
	"github.com/kubearmor/kubearmor-operator/internal/policy/compile"
	"github.com/kubearmor/kubearmor-operator/internal/policy/model"
	"github.com/kubearmor/kubearmor-operator/internal/telemetry"
)

// overlapping policies select the same Pods and name the same few files, each with another action, severity and text.
func overlapping(count int) []securityv1.KubeArmorPolicy {
	random := rand.New(rand.NewPCG(1, 2))
	policies := make([]securityv1.KubeArmorPolicy, count)
	for i := range policies {
		p := &policies[i]
		p.ObjectMeta = metav1.ObjectMeta{Namespace: "shop", Name: fmt.Sprintf("p%03d", i), UID: types.UID(fmt.Sprint(i)), Generation: 1}
		for j := range 5 {
			path := securityv1.AbsolutePath(fmt.Sprintf("/etc/file%d", random.IntN(400)))
			report := securityv1.Report{
				Action:   []securityv1.Action{"Audit", "Block", "Allow"}[random.IntN(3)],
				Severity: securityv1.Severity(1 + random.IntN(3)), Message: fmt.Sprintf("message %d of %d", j, i), Tags: []string{fmt.Sprintf("t%d-%d", i, j)},
			}
			p.Spec.File.MatchPaths = append(p.Spec.File.MatchPaths, securityv1.FilePath{Path: path, Report: report})
		}
	}
	random.Shuffle(count, func(i, j int) { policies[i], policies[j] = policies[j], policies[i] })
	return policies
}

// TestAlertsOfFiveHundredOverlappingPoliciesNameTheirRule: the kernel names the rule of the profile that it found by the
// path, and the alert says what the reference model says of the same operation.
func TestAlertsOfFiveHundredOverlappingPoliciesNameTheirRule(t *testing.T) {
	in := inputs{containers: []containers.Container{running("shop", "web", "app", 11)}, policies: overlapping(500)}
	p := planner{system: "kubearmor", parsed: map[policyKey]*parsedPolicy{}}
	workloads := p.workloads(in)
	out := compile.Compile(workloads, enforcer.Abilities())
	rules := newRuleTable()
	rules.add(out.Rules)
	reference := model.Workload{}
	for _, s := range workloads[0].Selections {
		reference.Policies = append(reference.Policies, model.Selected{Policy: *s.Policy})
	}
	alerts := 0
	for _, r := range out.Set.Profiles[0].Rules {
		verdict := reference.Judge(model.Operation{Kind: model.Read, Path: r.Path})
		if verdict.Action <= policy.ActionAllow {
			continue
		}
		alerts++
		event := enforcer.Event{Domain: compile.DomainFile, Operation: enforcer.OperationOpen, Rule: r.ID, Action: r.Action, Resource: r.Path}
		a := telemetry.New(telemetry.Node{}, event, telemetry.Workload{}, rules.lookup(r.ID))
		want := []string{verdict.Ref.Name, verdict.Rule, fmt.Sprint(verdict.Severity), verdict.Message, strings.Join(verdict.Tags, ",")}
		if diff := cmp.Diff(want, []string{a.PolicyName, a.EventData["RulePath"], a.Severity, a.Message, a.Tags}); diff != "" {
			t.Errorf("%s (-model +alert):\n%s", r.Path, diff)
		}
	}
	paths := slices.Collect(func(yield func(string) bool) {
		for _, r := range out.Set.Profiles[0].Rules {
			yield(r.Path)
		}
	})
	if slices.Sort(paths); len(slices.Compact(slices.Clone(paths))) != len(paths) || alerts < 300 {
		t.Errorf("%d alerts; each path has one rule: %v", alerts, paths)
	}
}
