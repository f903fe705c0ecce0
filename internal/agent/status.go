// SPDX-License-Identifier: Apache-2.0

package agent

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	operatorv1 "github.com/kubearmor/kubearmor-operator/api/operator/v1"
	"github.com/kubearmor/kubearmor-operator/internal/enforcer"
	"github.com/kubearmor/kubearmor-operator/internal/policy/compile"
)

// facet is all that the status is made of.
type facet struct {
	state
	observing bool
	version   string
	bootID    string
	// runtime is why the containers are not known in full.
	runtime error
	// alertsDropped by this process, beside what the kernel dropped.
	alertsDropped uint64
}

// Bounds of KubeArmorNodeStatus.
const (
	maxPolicies = 1000
	maxMessage  = 512
	maxTables   = 32
	maxPrograms = 128
)

// statusOf is the status of the node, without its heartbeat. Conditions keep the times of before where they are equal.
func statusOf(f facet, before []metav1.Condition) operatorv1.KubeArmorNodeStatus {
	s := operatorv1.KubeArmorNodeStatus{
		Conditions: slices.Clone(before), ObservedGeneration: f.observedGeneration,
		AgentVersion: f.version, BootID: f.bootID,
		PolicyGeneration: int64(f.generation), Containers: int32(f.containers),
		EventsDropped: int64(f.lost()),
	}
	if f.open && !f.detached {
		s.Enforcer = operatorv1.EnforcerBPF
		if f.observing {
			s.Enforcer = operatorv1.EnforcerNone
		}
	}
	for _, p := range f.stats.Programs[:min(len(f.stats.Programs), maxPrograms)] {
		s.Programs = append(s.Programs, p.Name)
	}
	slices.Sort(s.Programs)
	for _, t := range f.stats.Tables[:min(len(f.stats.Tables), maxTables)] {
		s.Tables = append(s.Tables, operatorv1.TableFill{Name: t.Name, Entries: int64(t.Used), Capacity: int64(t.Capacity)})
	}
	slices.SortFunc(s.Tables, func(a, b operatorv1.TableFill) int { return cmp.Compare(a.Name, b.Name) })
	policies := f.policies()
	s.Policies = policies
	if over := len(s.Policies) - maxPolicies; over > 0 {
		s.Policies, s.PoliciesOmitted = s.Policies[:maxPolicies], int32(over)
	}
	for _, c := range []metav1.Condition{f.ready(), f.enforcing(), f.policiesApplied(policies)} {
		c.ObservedGeneration = f.observedGeneration
		c.Message = bound(c.Message)
		meta.SetStatusCondition(&s.Conditions, c)
	}
	return s
}

// lost counts the events that no reader got.
func (f facet) lost() uint64 { return enforcer.Lost(f.stats) + f.alertsDropped }

func condition(kind string, status metav1.ConditionStatus, reason, message string) metav1.Condition {
	return metav1.Condition{Type: kind, Status: status, Reason: reason, Message: message}
}

func (f facet) ready() metav1.Condition {
	no := func(reason, message string) metav1.Condition {
		return condition(operatorv1.NodeReady, metav1.ConditionFalse, reason, message)
	}
	switch {
	case f.detached:
		return no(operatorv1.ReasonDetached, "the core was taken off the node")
	case f.openError != nil:
		return no(enforcer.Reason(f.openError), f.openError.Error())
	case f.runtime != nil:
		return no(runtimeReason(f.runtime), f.runtime.Error())
	case f.applyError != nil:
		return no(enforcer.Reason(f.applyError), f.applyError.Error())
	case !f.open || !f.settled:
		return no(operatorv1.ReasonSyncing, cmp.Or(f.waiting, "the agent is starting"))
	default:
		return condition(operatorv1.NodeReady, metav1.ConditionTrue, operatorv1.ReasonAsExpected, "the agent runs and follows policies and containers")
	}
}

func (f facet) enforcing() metav1.Condition {
	no := func(reason, message string) metav1.Condition {
		return condition(operatorv1.NodeEnforcing, metav1.ConditionFalse, reason, message)
	}
	switch {
	case f.detached:
		return no(operatorv1.ReasonDetached, "no program, link, map or pin is left on the node")
	case f.observing && f.verdict != nil && f.verdict.Reason != "" && f.verdict.Reason != operatorv1.ReasonEnforcing:
		return no(f.verdict.Reason, cmp.Or(f.verdict.Message, "operations are audited, nothing is denied"))
	case f.observing:
		return no(operatorv1.ReasonObserveOnly, "operations are audited, nothing is denied")
	case f.openError != nil:
		return no(enforcer.Reason(f.openError), f.openError.Error())
	case !f.open:
		return condition(operatorv1.NodeEnforcing, metav1.ConditionUnknown, operatorv1.ReasonSyncing, cmp.Or(f.waiting, "the agent is starting"))
	case f.generation == 0 && f.runtime != nil:
		return no(runtimeReason(f.runtime), f.runtime.Error()+"; no policy can be put in force")
	case f.generation == 0 && f.applyError != nil:
		return no(enforcer.Reason(f.applyError), f.applyError.Error()+"; no policy is in force")
	case f.generation == 0:
		return condition(operatorv1.NodeEnforcing, metav1.ConditionUnknown, operatorv1.ReasonSyncing,
			cmp.Or(f.waiting, "the core is attached, and no policy was put in force yet"))
	default:
		reason := operatorv1.ReasonEnforcing
		if len(f.stats.NotJudged()) > 0 {
			reason = operatorv1.ReasonOperationsNotJudged
		}
		return condition(operatorv1.NodeEnforcing, metav1.ConditionTrue, reason,
			"the core is attached to the kernel's LSM hooks"+blindSpots(f.stats.Missing))
	}
}

// blindSpots names the hooks that the node's kernel does not have: what only they see passes, whatever policies say.
func blindSpots(missing []string) string {
	// Kernels before 6.2 ask path_truncate in its place.
	missing = slices.DeleteFunc(slices.Clone(missing), func(hook string) bool { return hook == "lsm/file_truncate" })
	if len(missing) == 0 {
		return ""
	}
	return "; this kernel lacks " + strings.Join(missing, ", ") + ": what only these see is not judged, and no policy holds for it"
}

func (f facet) policiesApplied(policies []operatorv1.NodePolicy) metav1.Condition {
	is := func(status metav1.ConditionStatus, reason, message string) metav1.Condition {
		return condition(operatorv1.NodePoliciesApplied, status, reason, message)
	}
	short := shortOf(policies)
	switch {
	case f.detached:
		return is(metav1.ConditionFalse, operatorv1.ReasonDetached, "the core was taken off the node")
	case f.openError != nil:
		return is(metav1.ConditionUnknown, enforcer.Reason(f.openError), f.openError.Error())
	case f.applyError != nil:
		return is(metav1.ConditionFalse, enforcer.Reason(f.applyError), f.applyError.Error()+"; the previous policies stay in force")
	case !f.settled:
		return is(metav1.ConditionUnknown, operatorv1.ReasonSyncing, cmp.Or(f.waiting, "the agent is starting"))
	case f.runtime != nil:
		// Which policies the containers would have that are not known, nobody can say.
		return is(unknownContainers(f.runtime), runtimeReason(f.runtime), f.runtime.Error()+"; the containers that are known have their policies")
	case len(policies) == 0:
		return is(metav1.ConditionTrue, operatorv1.ReasonAsExpected, "no policy selects a Pod of this node")
	case f.observing:
		return is(metav1.ConditionFalse, operatorv1.ReasonObserveOnly, fmt.Sprintf("%d policies are observed, none is enforced", len(policies)))
	case len(short) > 0:
		return is(metav1.ConditionFalse, operatorv1.ReasonPoliciesDegraded,
			fmt.Sprintf("%d of %d policies have rules that are not in force: %s", len(short), len(policies), list(short)))
	default:
		return is(metav1.ConditionTrue, operatorv1.ReasonAsExpected, fmt.Sprintf("%d policies are in force", len(policies)))
	}
}

// unknownContainers is False where a container is known to run without its policies, and Unknown where there may be one.
func unknownContainers(problem error) metav1.ConditionStatus {
	if runtimeReason(problem) == operatorv1.ReasonCgroupNotFound {
		return metav1.ConditionFalse
	}
	return metav1.ConditionUnknown
}

func shortOf(policies []operatorv1.NodePolicy) []string {
	var names []string
	for _, p := range policies {
		if p.State == operatorv1.PolicyDegraded || p.State == operatorv1.PolicyRefused {
			names = append(names, compile.Ref{Kind: p.Kind, Namespace: p.Namespace, Name: p.Name}.String())
		}
	}
	return names
}

// list names the first few.
func list(names []string) string {
	const few = 3
	if len(names) <= few {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:few], ", "), len(names)-few)
}

// bound cuts a message to what the API takes, between characters.
func bound(message string) string {
	message = strings.ToValidUTF8(message, "\uFFFD")
	if runes := []rune(message); len(runes) > maxMessage {
		return string(runes[:maxMessage-1]) + "…"
	}
	return message
}
