// SPDX-License-Identifier: Apache-2.0

package compile

import (
	"fmt"
	"slices"

	securityv1 "github.com/kubearmor/kubearmor-operator/api/security/v1"
	"github.com/kubearmor/kubearmor-operator/internal/policy"
)

// The kinds of policies.
const (
	KindPolicy        = policy.KindPolicy
	KindClusterPolicy = policy.KindClusterPolicy
	KindHostPolicy    = policy.KindHostPolicy
)

// Policy is a policy object, parsed once and compiled for as many workloads as it selects.
type Policy struct {
	Ref
	Generation int64

	rules    []parsed
	sections []Unsupported
}

// FromPolicy parses a KubeArmorPolicy.
func FromPolicy(p *securityv1.KubeArmorPolicy) *Policy {
	out := &Policy{Ref: Ref{Kind: KindPolicy, Namespace: p.Namespace, Name: p.Name}, Generation: p.Generation}
	out.parse(p.Spec.Report, &p.Spec.Rules)
	out.presets(p.Spec.Presets)
	return out
}

// FromClusterPolicy parses a KubeArmorClusterPolicy.
func FromClusterPolicy(p *securityv1.KubeArmorClusterPolicy) *Policy {
	out := &Policy{Ref: Ref{Kind: KindClusterPolicy, Name: p.Name}, Generation: p.Generation}
	out.parse(p.Spec.Report, &p.Spec.Rules)
	out.presets(p.Spec.Presets)
	return out
}

// FromHostPolicy parses a KubeArmorHostPolicy.
func FromHostPolicy(p *securityv1.KubeArmorHostPolicy) *Policy {
	out := &Policy{Ref: Ref{Kind: KindHostPolicy, Name: p.Name}, Generation: p.Generation}
	out.parse(p.Spec.Report, &p.Spec.Rules)
	for i := range p.Spec.Device.MatchDevice {
		out.section(fmt.Sprintf("spec.device.matchDevice[%d]", i), ReasonDevice, "rules on devices are not enforced yet")
	}
	return out
}

// Unsupported lists the rules that no workload gets, whatever selects it.
func (p *Policy) Unsupported() []Unsupported {
	out := append([]Unsupported(nil), p.sections...)
	for i := range p.rules {
		if r := &p.rules[i]; r.unsupported != "" {
			out = append(out, Unsupported{Rule: r.at, Reason: r.unsupported, Message: r.why})
		}
	}
	return out
}

// Refused is p with none of its rules in force. They still count as exceptions from other policies' rules.
func (p *Policy) Refused(why string) *Policy {
	out := *p
	out.rules = slices.Clone(p.rules)
	for i := range out.rules {
		out.rules[i].refuse(ReasonRefused, why)
	}
	return &out
}

func (p *Policy) section(at string, reason Reason, why string) {
	p.sections = append(p.sections, Unsupported{Rule: at, Reason: reason, Message: why})
}

func (p *Policy) presets(presets []securityv1.Preset) {
	for i := range presets {
		p.section(fmt.Sprintf("spec.presets[%d]", i), ReasonPreset, "presets are not enforced yet")
	}
}

func (p *Policy) parse(spec securityv1.Report, rules *securityv1.Rules) {
	p.process(spec, &rules.Process)
	p.file(spec, &rules.File)
	for i := range rules.Network.MatchProtocols {
		p.section(fmt.Sprintf("spec.network.matchProtocols[%d]", i), ReasonNetwork, "rules on protocols are not enforced yet")
	}
	for i := range rules.Network.MatchDNSQueries {
		p.section(fmt.Sprintf("spec.network.matchDNSQueries[%d]", i), ReasonDNS, "rules on DNS names are not enforced yet")
	}
	for i := range rules.Capabilities.MatchCapabilities {
		p.section(fmt.Sprintf("spec.capabilities.matchCapabilities[%d]", i), ReasonCapabilities, "rules on capabilities are not enforced yet")
	}
	for i := range rules.Syscalls.MatchSyscalls {
		p.section(fmt.Sprintf("spec.syscalls.matchSyscalls[%d]", i), ReasonSyscalls, "rules on system calls are not observed yet")
	}
	for i := range rules.Syscalls.MatchPaths {
		p.section(fmt.Sprintf("spec.syscalls.matchPaths[%d]", i), ReasonSyscalls, "rules on system calls are not observed yet")
	}
	if rules.AppArmor != "" {
		p.section("spec.apparmor", ReasonAppArmor, "raw AppArmor rules hold on AppArmor nodes only")
	}
}

func (p *Policy) process(spec securityv1.Report, s *securityv1.Process) {
	for i := range s.MatchPaths {
		m := &s.MatchPaths[i]
		r := newRule(DomainProcess, fmt.Sprintf("spec.process.matchPaths[%d]", i), m.Report, s.Report, spec)
		if m.ExecName != "" {
			r.execName(m.ExecName)
		} else {
			r.path(string(m.Path))
		}
		r.arguments(m.AllowedArgs)
		r.terminal(m.PTS)
		p.add(r, m.OwnerOnly, false, m.FromSource)
	}
	for i := range s.MatchDirectories {
		m := &s.MatchDirectories[i]
		r := newRule(DomainProcess, fmt.Sprintf("spec.process.matchDirectories[%d]", i), m.Report, s.Report, spec)
		r.directory(string(m.Directory), m.Recursive)
		r.terminal(m.PTS)
		p.add(r, m.OwnerOnly, false, m.FromSource)
	}
	for i := range s.MatchPatterns {
		m := &s.MatchPatterns[i]
		r := newRule(DomainProcess, fmt.Sprintf("spec.process.matchPatterns[%d]", i), m.Report, s.Report, spec)
		r.pattern(string(m.Pattern))
		p.add(r, m.OwnerOnly, false, nil)
	}
}

func (p *Policy) file(spec securityv1.Report, s *securityv1.File) {
	for i := range s.MatchPaths {
		m := &s.MatchPaths[i]
		r := newRule(DomainFile, fmt.Sprintf("spec.file.matchPaths[%d]", i), m.Report, s.Report, spec)
		r.path(string(m.Path))
		p.add(r, m.OwnerOnly, m.ReadOnly, m.FromSource)
	}
	for i := range s.MatchDirectories {
		m := &s.MatchDirectories[i]
		r := newRule(DomainFile, fmt.Sprintf("spec.file.matchDirectories[%d]", i), m.Report, s.Report, spec)
		r.directory(string(m.Directory), m.Recursive)
		p.add(r, m.OwnerOnly, m.ReadOnly, m.FromSource)
	}
	for i := range s.MatchPatterns {
		m := &s.MatchPatterns[i]
		r := newRule(DomainFile, fmt.Sprintf("spec.file.matchPatterns[%d]", i), m.Report, s.Report, spec)
		r.pattern(string(m.Pattern))
		p.add(r, m.OwnerOnly, m.ReadOnly, nil)
	}
}

// add applies the narrowings that every kind of rule may have.
func (p *Policy) add(r parsed, ownerOnly, readOnly bool, sources []securityv1.MatchSource) {
	if len(sources) > 0 {
		r.refuse(ReasonFromSource, "fromSource is not enforced yet; without it the rule would hold for every executable")
		if r.scope.directory() {
			r.scope.rank = rankDirectoryFromSource
		} else {
			r.scope.rank = rankPathFromSource
		}
	}
	if ownerOnly {
		r.sparing = true
		r.refuse(ReasonOwnerOnly, "ownerOnly is not enforced yet; without it the rule would hold for the owner too")
	}
	if readOnly {
		r.sparing = true
		r.refuse(ReasonReadOnly, "readOnly is not enforced yet; without it the rule would hold for reads too")
	}
	p.rules = append(p.rules, r)
}
