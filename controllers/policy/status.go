// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"cmp"
	"fmt"
	"slices"

	opv1 "github.com/kubearmor/kubearmor-operator/api/operator/v1"
	v1 "github.com/kubearmor/kubearmor-operator/api/security/v1"
	"github.com/kubearmor/kubearmor-operator/internal/conditions"
	"github.com/kubearmor/kubearmor-operator/internal/policy"
	"github.com/kubearmor/kubearmor-operator/internal/policy/lint"
)

// maxFailingMessage is the bound of FailingNode.Message.
const maxFailingMessage = 512

// conclude draws the whole status from the world.
func conclude(status *v1.PolicyStatus, w world) {
	generation := w.policy.GetGeneration()
	status.ObservedGeneration = generation
	status.Pods = int32(w.pods)
	accepted := conditions.True(v1.ReasonValid, understood(problemsOf(w.policy)))
	if err := lint.Validate(w.policy); err != nil {
		accepted = conditions.False(v1.ReasonInvalid, err.Error())
	}
	nodes, failing, waiting := w.survey()
	status.Nodes = nodes
	status.FailingNodes = failing[:min(len(failing), v1.MaxFailingNodes)]
	status.FailingNodesOmitted = int32(len(failing) - len(status.FailingNodes))
	conditions.Set(&status.Conditions, v1.PolicyAccepted, generation, accepted)
	conditions.Set(&status.Conditions, v1.PolicyEnforced, generation, w.enforced(accepted, nodes, failing, waiting))
}

func understood(problems []policy.Problem) string {
	if len(problems) == 0 {
		return "every rule was understood"
	}
	return fmt.Sprintf("rules that can never match, and are in force nowhere: %d; the first is %s: %s", len(problems), problems[0].At, problems[0].Message)
}

// survey asks every desired node. The failing ones are sorted by name; waiting counts those that have not reported yet.
func (w world) survey() (nodes v1.PolicyNodes, failing []v1.FailingNode, waiting int32) {
	nodes.Desired = int32(len(w.desired))
	if !w.installed {
		nodes = v1.PolicyNodes{}
		return nodes, nil, 0
	}
	for name := range w.desired {
		switch a := w.account(name); {
		case a.enforced:
			nodes.Enforced++
		default:
			if a.degraded {
				nodes.Degraded++
			} else {
				waiting++
			}
			failing = append(failing, v1.FailingNode{Name: name, Reason: a.reason, Message: conditions.Clip(a.message, maxFailingMessage)})
		}
	}
	nodes.Summary = fmt.Sprintf("%d/%d", nodes.Enforced, nodes.Desired)
	slices.SortFunc(failing, func(a, b v1.FailingNode) int { return cmp.Compare(a.Name, b.Name) })
	return nodes, failing, waiting
}

// account of one node about the policy. What is neither enforced nor degraded is awaited.
type account struct {
	enforced, degraded bool
	reason, message    string
}

func (w world) account(node string) account {
	kan := w.kans[node]
	if kan == nil {
		return account{reason: opv1.ReasonAgentNotReporting, message: "the node has no KubeArmorNode: the selectors of the KubeArmorConfig leave it out, or it is new"}
	}
	if ready := conditions.Get(kan.Status.Conditions, opv1.NodeReady); ready.Reason == opv1.ReasonAgentNotReporting || kan.Status.Heartbeat == nil {
		return account{reason: cmp.Or(ready.Reason, opv1.ReasonAgentNotReporting), message: ready.Message}
	}
	report := w.reportOf(kan)
	if report == nil || report.Generation < w.policy.GetGeneration() {
		return account{reason: v1.ReasonWaitingForNodes, message: awaited(kan, report)}
	}
	switch report.State {
	case opv1.PolicyEnforced:
		return accountOfContainers(kan)
	case opv1.PolicyObserved:
		return account{degraded: true, reason: v1.ReasonNodeObservesOnly, message: cmp.Or(report.Message,
			conditions.Get(kan.Status.Conditions, opv1.NodeEnforcing).Message)}
	default:
		return account{degraded: true, reason: cmp.Or(report.Reason, string(report.State)), message: report.Message}
	}
}

// accountOfContainers doubts what a node says is in force while it does not know all of its containers: the policy may
// select one of the others.
func accountOfContainers(kan *opv1.KubeArmorNode) account {
	switch ready := conditions.Get(kan.Status.Conditions, opv1.NodeReady); ready.Reason {
	case opv1.ReasonCgroupNotFound:
		return account{degraded: true, reason: ready.Reason, message: ready.Message}
	case opv1.ReasonRuntimeUnknown:
		return account{reason: ready.Reason, message: ready.Message}
	default:
		return account{enforced: true}
	}
}

func awaited(kan *opv1.KubeArmorNode, report *opv1.NodePolicy) string {
	switch {
	case report != nil:
		return fmt.Sprintf("the node has generation %d of the policy", report.Generation)
	case kan.Status.PoliciesOmitted > 0:
		return fmt.Sprintf("the node's list of policies is full and leaves out %d", kan.Status.PoliciesOmitted)
	default:
		return "the node does not list the policy yet"
	}
}

func (w world) reportOf(kan *opv1.KubeArmorNode) *opv1.NodePolicy {
	for i := range kan.Status.Policies {
		p := &kan.Status.Policies[i]
		if p.Kind == w.kind && p.Name == w.policy.GetName() && p.Namespace == w.policy.GetNamespace() {
			return p
		}
	}
	return nil
}

// enforced summarises. A policy that selects nothing is neither in force nor out of it.
func (w world) enforced(accepted conditions.Verdict, nodes v1.PolicyNodes, failing []v1.FailingNode, waiting int32) conditions.Verdict {
	switch {
	case !w.installed:
		return conditions.Unknown(v1.ReasonNotInstalled, "no KubeArmorConfig is in force, so no node has the policy")
	case accepted.Status != "True":
		return conditions.False(v1.ReasonNotAccepted, "the policy is not valid, so no node has it; see the condition Accepted")
	case nodes.Desired == 0:
		return conditions.Unknown(v1.ReasonSelectsNothing, w.selectsNothing())
	case nodes.Degraded > 0:
		return conditions.False(v1.ReasonNotEnforcedOnNodes, fmt.Sprintf("in force on %d of %d nodes; the first that has it not in full is %s",
			nodes.Enforced, nodes.Desired, firstOf(failing)))
	case waiting > 0:
		return conditions.False(v1.ReasonWaitingForNodes, fmt.Sprintf("in force on %d of %d nodes; the first that is awaited is %s",
			nodes.Enforced, nodes.Desired, firstOf(failing)))
	default:
		return conditions.True(v1.ReasonEnforcedEverywhere, fmt.Sprintf("every rule is in force on all %d nodes", nodes.Desired))
	}
}

func firstOf(failing []v1.FailingNode) string {
	return fmt.Sprintf("%s: %s", failing[0].Name, failing[0].Reason)
}

func (w world) selectsNothing() string {
	switch {
	case w.kind == "KubeArmorHostPolicy":
		return "selects 0 nodes"
	case w.pods > 0:
		return fmt.Sprintf("selects %d Pods, of which none runs yet", w.pods)
	case w.untracked > 0:
		return fmt.Sprintf("selects 0 Pods that are tracked: %d more are in system namespaces or carry the annotation %s: disabled; "+
			"the annotation with the value enabled makes a Pod tracked", w.untracked, opv1.AnnotationPolicy)
	default:
		return "selects 0 Pods"
	}
}
