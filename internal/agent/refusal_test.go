// SPDX-License-Identifier: Apache-2.0

package agent

import (
	"context"
	"strings"
	"testing"

	securityv1 "github.com/kubearmor/kubearmor-operator/api/security/v1"

	operatorv1 "github.com/kubearmor/kubearmor-operator/api/operator/v1"
)

// policyStates are those of the node's status: "large Refused TableFull, small Enforced ".
func (n *node) policyStates() string {
	var got []string
	for _, p := range n.status().Policies {
		got = append(got, p.Name+" "+string(p.State)+" "+p.Reason)
	}
	return strings.Join(got, ", ")
}

func (n *node) eventuallyPolicies(want string) {
	n.t.Helper()
	eventually(n.t, want, func() bool { return n.policyStates() == want }, func() any { return n.policyStates() })
}

func TestPolicyThatTheCoreRefusesCostsNoOtherPolicy(t *testing.T) {
	n := newNode(t, bpf)
	n.pod("web-1", 11, web)
	n.kernel.refusedPath = "/odd"
	n.policy("good", web, "/bin/sh")
	odd := n.policy("odd", web, "/bin/ash", "/odd")
	n.run(bpf)
	n.eventuallyBlocked(11, "/bin/sh")
	n.eventuallyPolicies("good Enforced , odd Refused RuleUnsupported")
	n.eventuallyReason(operatorv1.NodePoliciesApplied, "False PoliciesDegraded")
	n.eventuallyReason(operatorv1.NodeReady, "True AsExpected")
	for _, p := range n.status().Policies {
		if p.Name == "odd" && !strings.Contains(p.Message, "spec.process.matchPaths[1], and with it the policy: it is odd") {
			t.Errorf("message = %s", p.Message)
		}
	}
	odd.Spec.Process.MatchPaths = []securityv1.ProcessPath{{Path: "/bin/ash"}}
	if err := n.client.Update(context.Background(), odd); err != nil {
		t.Fatal(err)
	}
	n.eventuallyBlocked(11, "/bin/ash", "/bin/sh")
	n.eventuallyPolicies("good Enforced , odd Enforced ")
}
