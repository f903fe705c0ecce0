// SPDX-License-Identifier: Apache-2.0

package agent

import (
	"errors"
	"fmt"
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
		if held[compile.Ref{Kind: p.Kind, Namespace: p.Namespace, Name: p.Name}] != p.Generation {
			p.State, p.Reason, p.Message = operatorv1.PolicyRefused, enforcer.Reason(f.applyError), bound(f.applyError.Error())
		}
	}
	return out
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

// unsupportedReason tells whole sections that are missing from single rules that are.
func unsupportedReason(missing []compile.Unsupported) string {
	for _, u := range missing {
		switch u.Reason {
		case compile.ReasonNetwork, compile.ReasonDNS, compile.ReasonCapabilities, compile.ReasonSyscalls,
			compile.ReasonDevice, compile.ReasonPreset, compile.ReasonAppArmor:
		default:
			return securityv1.ReasonRuleUnsupported
		}
	}
	return securityv1.ReasonDomainUnsupported
}

func unsupportedMessage(r compile.Result) string {
	var text strings.Builder
	fmt.Fprintf(&text, "%d rules in force, %d not: ", r.InForce, len(r.Unsupported))
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
