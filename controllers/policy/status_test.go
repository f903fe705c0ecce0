// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	opv1 "github.com/kubearmor/kubearmor-operator/api/operator/v1"
	v1 "github.com/kubearmor/kubearmor-operator/api/security/v1"
	"github.com/kubearmor/kubearmor-operator/internal/conditions"
)

// selecting is a policy of generation 2 that selects one Pod on each of these nodes.
func selecting(kans ...*opv1.KubeArmorNode) world {
	p := &v1.KubeArmorPolicy{}
	p.Namespace, p.Name, p.Generation = "shop", "p", 2
	w := world{policy: p, kind: "KubeArmorPolicy", installed: true, pods: len(kans), desired: map[string]bool{}, kans: map[string]*opv1.KubeArmorNode{}}
	for _, kan := range kans {
		w.desired[kan.Name] = true
		w.kans[kan.Name] = kan
	}
	return w
}

// node whose agent reports this of the policy.
func node(name string, state opv1.PolicyState, generation int64) *opv1.KubeArmorNode {
	kan := &opv1.KubeArmorNode{}
	kan.Name = name
	kan.Status.Heartbeat = &metav1.Time{}
	conditions.Set(&kan.Status.Conditions, opv1.NodeReady, 1, conditions.True(opv1.ReasonAsExpected, ""))
	if state != "" {
		kan.Status.Policies = []opv1.NodePolicy{
			{Kind: "KubeArmorClusterPolicy", Name: "p", Generation: 9, State: opv1.PolicyRefused},
			{Kind: "KubeArmorPolicy", Namespace: "other", Name: "p", Generation: 9, State: opv1.PolicyRefused},
			{Kind: "KubeArmorPolicy", Namespace: "shop", Name: "p", Generation: generation, State: state, Reason: v1.ReasonRuleUnsupported},
		}
	}
	return kan
}

func silent(name string) *opv1.KubeArmorNode {
	kan := node(name, opv1.PolicyEnforced, 2)
	conditions.Set(&kan.Status.Conditions, opv1.NodeReady, 1, conditions.False(opv1.ReasonAgentNotReporting, "the node is not Ready"))
	return kan
}

// ignorant does not know all of its containers.
func ignorant(name, reason string) *opv1.KubeArmorNode {
	kan := node(name, opv1.PolicyEnforced, 2)
	conditions.Set(&kan.Status.Conditions, opv1.NodeReady, 1, conditions.False(reason, "not all containers are known"))
	return kan
}

func TestEnforced(t *testing.T) {
	missing := selecting(node("a", opv1.PolicyEnforced, 2))
	delete(missing.kans, "a")
	removed := selecting(node("a", opv1.PolicyEnforced, 2))
	removed.installed = false
	untracked, starting, full := selecting(), selecting(), selecting(node("a", "", 0))
	untracked.untracked = 3
	starting.pods = 2
	full.kans["a"].Status.PoliciesOmitted = 7
	invalid := selecting(node("a", opv1.PolicyEnforced, 2))
	invalid.policy.(*v1.KubeArmorPolicy).Spec.Selector.MatchLabels = map[string]string{opv1.LabelContainerName: "[a"}
	cases := []struct {
		name           string
		give           world
		status, reason string
		nodes          v1.PolicyNodes
		words, failing string
	}{
		{
			"in force where every node says so", selecting(node("a", opv1.PolicyEnforced, 2), node("b", opv1.PolicyEnforced, 3)),
			"True", v1.ReasonEnforcedEverywhere,
			v1.PolicyNodes{Desired: 2, Enforced: 2, Summary: "2/2"},
			"all 2 nodes", "",
		},
		{
			"a node that has an older generation is awaited", selecting(node("a", opv1.PolicyEnforced, 1)),
			"False", v1.ReasonWaitingForNodes,
			v1.PolicyNodes{Desired: 1, Summary: "0/1"},
			"a: WaitingForNodes", "generation 1",
		},
		{
			"a node that does not list it is awaited", selecting(node("a", "", 0)),
			"False", v1.ReasonWaitingForNodes,
			v1.PolicyNodes{Desired: 1, Summary: "0/1"},
			"", "does not list",
		},
		{
			"a list that is full says so", full,
			"False", v1.ReasonWaitingForNodes,
			v1.PolicyNodes{Desired: 1, Summary: "0/1"},
			"", "leaves out 7",
		},
		{
			"a node that observes does not enforce", selecting(node("a", opv1.PolicyObserved, 2)),
			"False", v1.ReasonNotEnforcedOnNodes,
			v1.PolicyNodes{Desired: 1, Degraded: 1, Summary: "0/1"},
			"a: NodeObservesOnly", "",
		},
		{
			"a degraded one says why", selecting(node("a", opv1.PolicyEnforced, 2), node("b", opv1.PolicyDegraded, 2)),
			"False", v1.ReasonNotEnforcedOnNodes,
			v1.PolicyNodes{Desired: 2, Enforced: 1, Degraded: 1, Summary: "1/2"},
			"b: RuleUnsupported", "",
		},
		{
			"what a silent node said does not count", selecting(silent("a")),
			"False", v1.ReasonWaitingForNodes,
			v1.PolicyNodes{Desired: 1, Summary: "0/1"},
			"a: AgentNotReporting", "not Ready",
		},
		{
			"a node of which a container runs without policies does not enforce it in full", selecting(ignorant("a", opv1.ReasonCgroupNotFound)),
			"False", v1.ReasonNotEnforcedOnNodes,
			v1.PolicyNodes{Desired: 1, Degraded: 1, Summary: "0/1"},
			"a: CgroupNotFound", "not all containers",
		},
		{
			"a node that may have more containers than it knows is awaited", selecting(ignorant("a", opv1.ReasonRuntimeUnknown)),
			"False", v1.ReasonWaitingForNodes,
			v1.PolicyNodes{Desired: 1, Summary: "0/1"},
			"a: RuntimeUnknown", "not all containers",
		},
		{
			"a node without an object is awaited", missing,
			"False", v1.ReasonWaitingForNodes,
			v1.PolicyNodes{Desired: 1, Summary: "0/1"},
			"a: AgentNotReporting", "no KubeArmorNode",
		},
		{"nothing selected is neither", selecting(), "Unknown", v1.ReasonSelectsNothing, v1.PolicyNodes{Summary: "0/0"}, "selects 0 Pods", ""},
		{"only untracked Pods are named as such", untracked, "Unknown", v1.ReasonSelectsNothing, v1.PolicyNodes{Summary: "0/0"}, "3 more are in system namespaces", ""},
		{"Pods that do not run yet are named as such", starting, "Unknown", v1.ReasonSelectsNothing, v1.PolicyNodes{Summary: "0/0"}, "2 Pods, of which none runs", ""},
		{"nothing installed, nothing known", removed, "Unknown", v1.ReasonNotInstalled, v1.PolicyNodes{}, "no KubeArmorConfig", ""},
		{"what is not valid is nowhere", invalid, "False", v1.ReasonNotAccepted, v1.PolicyNodes{Desired: 1, Enforced: 1, Summary: "1/1"}, "not valid", ""},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			st := &v1.PolicyStatus{}
			conclude(st, c.give)
			got := conditions.Get(st.Conditions, v1.PolicyEnforced)
			if string(got.Status) != c.status || got.Reason != c.reason || !strings.Contains(got.Message, c.words) {
				t.Errorf("got %+v", got)
			}
			if diff := cmp.Diff(c.nodes, st.Nodes); diff != "" {
				t.Error(diff)
			}
			if c.failing != "" && (len(st.FailingNodes) != 1 || !strings.Contains(st.FailingNodes[0].Message, c.failing)) {
				t.Errorf("failing nodes: %v", st.FailingNodes)
			}
			if st.ObservedGeneration != 2 {
				t.Errorf("observedGeneration is %d", st.ObservedGeneration)
			}
		})
	}
}

func TestRulesThatCanNeverMatchAreNamedAlsoWhereNoNodeSeesThem(t *testing.T) {
	rules := v1.Rules{File: v1.File{MatchPaths: []v1.FilePath{{Path: "/ok"}, {Path: "/a/../b"}}}}
	ksp, csp, hsp := &v1.KubeArmorPolicy{}, &v1.KubeArmorClusterPolicy{}, &v1.KubeArmorHostPolicy{}
	ksp.Spec.Rules, csp.Spec.Rules, hsp.Spec.Rules = rules, rules, rules
	hsp.Spec.NodeSelector.MatchLabels = map[string]string{"a": "b"}
	for _, policy := range []client.Object{ksp, csp, hsp} {
		st := &v1.PolicyStatus{}
		conclude(st, world{policy: policy, installed: true})
		got := conditions.Get(st.Conditions, v1.PolicyAccepted)
		if got.Status != "True" || !strings.Contains(got.Message, "can never match, and are in force nowhere: 1") || !strings.Contains(got.Message, `spec.file.matchPaths[1]: path "/a/../b"`) {
			t.Errorf("%T: %+v", policy, got)
		}
	}
}

func TestStatusOfAPolicyStaysSmall(t *testing.T) {
	var kans []*opv1.KubeArmorNode
	for i := range 5000 {
		kans = append(kans, node(fmt.Sprintf("n%04d", i), opv1.PolicyObserved, 2))
	}
	st := &v1.PolicyStatus{}
	conclude(st, selecting(kans...))
	if len(st.FailingNodes) != v1.MaxFailingNodes || st.FailingNodes[0].Name != "n0000" || st.FailingNodesOmitted != 4980 {
		t.Errorf("%d failing nodes from %s, %d omitted", len(st.FailingNodes), st.FailingNodes[0].Name, st.FailingNodesOmitted)
	}
}
