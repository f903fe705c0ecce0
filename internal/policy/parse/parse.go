// SPDX-License-Identifier: Apache-2.0

// Package parse turns a policy object of the API into the rules that its author meant: the cascade resolved, every path
// clean, and what can never match named with the reason. It is pure, and does not need the API server's validation to
// have been there before.
package parse

import (
	"fmt"
	"slices"
	"strings"

	securityv1 "github.com/kubearmor/kubearmor-operator/api/security/v1"
	"github.com/kubearmor/kubearmor-operator/internal/policy"
)

// KubeArmorPolicy reads a policy for Pods of its namespace.
func KubeArmorPolicy(p *securityv1.KubeArmorPolicy) policy.Policy {
	r := reader{spec: p.Spec.Report}
	r.out.Ref = policy.Ref{Kind: policy.KindPolicy, Namespace: p.Namespace, Name: p.Name}
	r.out.Generation = p.Generation
	r.rules(&p.Spec.Rules)
	r.presets(p.Spec.Presets)
	return r.out
}

// ClusterPolicy reads a policy for Pods of many namespaces.
func ClusterPolicy(p *securityv1.KubeArmorClusterPolicy) policy.Policy {
	r := reader{spec: p.Spec.Report}
	r.out.Ref = policy.Ref{Kind: policy.KindClusterPolicy, Name: p.Name}
	r.out.Generation = p.Generation
	r.rules(&p.Spec.Rules)
	r.presets(p.Spec.Presets)
	return r.out
}

// HostPolicy reads a policy for nodes.
func HostPolicy(p *securityv1.KubeArmorHostPolicy) policy.Policy {
	r := reader{spec: p.Spec.Report}
	r.out.Ref = policy.Ref{Kind: policy.KindHostPolicy, Name: p.Name}
	r.out.Generation = p.Generation
	r.rules(&p.Spec.Rules)
	r.devices(&p.Spec.Device)
	return r.out
}

// reader fills a policy from one object.
type reader struct {
	spec securityv1.Report
	out  policy.Policy
}

func (r *reader) rules(rules *securityv1.Rules) {
	r.out.Rules = slices.Grow(r.out.Rules, len(rules.File.MatchPaths)+len(rules.File.MatchDirectories)+len(rules.File.MatchPatterns)+
		len(rules.Process.MatchPaths)+len(rules.Process.MatchDirectories)+len(rules.Process.MatchPatterns))
	r.process(&rules.Process)
	r.file(&rules.File)
	r.network(&rules.Network)
	r.capabilities(&rules.Capabilities)
	r.syscalls(&rules.Syscalls)
	r.out.AppArmor = strings.TrimSpace(rules.AppArmor)
}

// section is where a list of rules is in the object, and what its rules inherit.
type section struct {
	domain policy.Domain
	at     string
	report securityv1.Report
}

// draft begins the rule at one index of a section's list.
func (r *reader) draft(s section, index int, own securityv1.Report) draft {
	d := draft{rule: policy.Rule{At: fmt.Sprintf("%s[%d]", s.at, index), Domain: s.domain}}
	d.cascade(own, s.report, r.spec)
	return d
}

// add keeps a rule, or what is wrong with it.
func (r *reader) add(d draft) {
	if len(d.problems) > 0 {
		r.out.Problems = append(r.out.Problems, policy.Problem{At: d.rule.At, Message: strings.Join(d.problems, "; ")})
		return
	}
	r.out.Rules = append(r.out.Rules, d.rule)
}
