// SPDX-License-Identifier: Apache-2.0

package agent

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	operatorv1 "github.com/kubearmor/kubearmor-operator/api/operator/v1"
	securityv1 "github.com/kubearmor/kubearmor-operator/api/security/v1"
	"github.com/kubearmor/kubearmor-operator/internal/agent/containers"
	"github.com/kubearmor/kubearmor-operator/internal/enforcer"
	"github.com/kubearmor/kubearmor-operator/internal/policy/compile"
)

// policies are those in force; where the newest set was refused, those that it would have brought say so.
func (f facet) policies() []operatorv1.NodePolicy {
	if f.applyError == nil {
		return f.nodePolicies(f.results)
	}
	held := map[compile.Ref]int64{}
	for _, r := range f.results {
		held[r.Ref] = r.Generation
	}
	out := f.nodePolicies(f.wanted)
	for i := range out {
		p := &out[i]
		ref, why := compile.Ref{Kind: p.Kind, Namespace: p.Namespace, Name: p.Name}, f.applyError.Error()
		switch {
		case held[ref] != p.Generation:
			p.State, p.Reason, p.Message = operatorv1.PolicyRefused, enforcer.Reason(f.applyError), bound(why)
		case f.short[ref] > 0:
			p.State, p.Reason = operatorv1.PolicyDegraded, enforcer.Reason(f.applyError)
			p.Message = bound(fmt.Sprintf("not as it should be on %d of the workloads that it selects: %s", f.short[ref], why))
		}
	}
	return out
}

// shortfall counts, by policy, the workloads that lack a rule of it: the set that was wanted has it there, the one in
// force has not. A Pod that came after the last switch lacks all of them.
func shortfall(wanted compile.Output, inForce *compile.Set) map[compile.Ref]int {
	profiles, bound := map[compile.ProfileID]map[compile.RuleID]bool{}, map[compile.CgroupID]compile.ProfileID{}
	if inForce != nil {
		for _, p := range inForce.Profiles {
			profiles[p.ID] = map[compile.RuleID]bool{}
			for _, r := range p.Rules {
				profiles[p.ID][r.ID] = true
			}
		}
		for cgroup, id := range inForce.Bindings {
			bound[cgroup.ID] = id
		}
	}
	rules := map[compile.ProfileID][]compile.Rule{}
	for _, p := range wanted.Set.Profiles {
		rules[p.ID] = p.Rules
	}
	short := map[compile.Ref]int{}
	for cgroup, id := range wanted.Set.Bindings {
		held, lacks := profiles[bound[cgroup.ID]], map[compile.Ref]bool{}
		for _, r := range rules[id] {
			if !held[r.ID] {
				lacks[wanted.Rules[r.ID].Policy] = true
			}
		}
		for ref := range lacks {
			short[ref]++
		}
	}
	return short
}

func (f facet) nodePolicies(results []compile.Result) []operatorv1.NodePolicy {
	out := make([]operatorv1.NodePolicy, 0, len(results))
	for _, r := range results {
		p := operatorv1.NodePolicy{
			Kind: r.Ref.Kind, Namespace: r.Ref.Namespace, Name: r.Ref.Name, Generation: r.Generation,
			Containers: int32(r.Containers), State: operatorv1.PolicyState(r.State),
		}
		if len(r.Unsupported) > 0 {
			p.Reason, p.Message = unsupportedReason(r.Unsupported), bound(unsupportedMessage(r))
		} else if f.observing {
			p.State, p.Reason = operatorv1.PolicyObserved, securityv1.ReasonNodeObservesOnly
			p.Message = "the node has no usable LSM: rules are audited, nothing is denied"
		}
		out = append(out, p)
	}
	return out
}

// unsupportedReason tells single rules that are missing from whole sections that are, and those from rules that only do
// not hold for every operation.
func unsupportedReason(missing []compile.Unsupported) string {
	reason := securityv1.ReasonOperationsNotJudged
	for _, u := range missing {
		switch {
		case u.InPart():
		case u.Reason.OfSection():
			reason = securityv1.ReasonDomainUnsupported
		default:
			return securityv1.ReasonRuleUnsupported
		}
	}
	return reason
}

func unsupportedMessage(r compile.Result) string {
	var text strings.Builder
	inPart := len(slices.DeleteFunc(slices.Clone(r.Unsupported), func(u compile.Unsupported) bool { return !u.InPart() }))
	if inPart > 0 {
		fmt.Fprintf(&text, "%d rules in force, %d of them in part, %d not: ", r.InForce, inPart, len(r.Unsupported)-inPart)
	} else {
		fmt.Fprintf(&text, "%d rules in force, %d not: ", r.InForce, len(r.Unsupported))
	}
	for i, u := range r.Unsupported {
		if i > 0 {
			text.WriteString("; ")
		}
		fmt.Fprintf(&text, "%s %s (%s)", u.Rule, u.Reason, u.Message)
	}
	return text.String()
}

func runtimeReason(err error) string {
	if errors.Is(err, containers.ErrNotUnified) {
		return operatorv1.ReasonCgroupV1
	}
	var lost *containers.CgroupNotFoundError
	if errors.As(err, &lost) || errors.Is(err, containers.ErrNested) {
		return operatorv1.ReasonCgroupNotFound
	}
	return operatorv1.ReasonRuntimeUnknown
}
