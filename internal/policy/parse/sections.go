// SPDX-License-Identifier: Apache-2.0

package parse

import (
	"errors"
	"strings"

	securityv1 "github.com/kubearmor/kubearmor-operator/api/security/v1"
	"github.com/kubearmor/kubearmor-operator/internal/policy"
)

func (r *reader) process(s *securityv1.Process) {
	paths := section{policy.DomainProcess, "spec.process.matchPaths", s.Report}
	for i := range s.MatchPaths {
		m := &s.MatchPaths[i]
		d := r.draft(paths, i, m.Report)
		switch {
		case (m.Path == "") == (m.ExecName == ""):
			d.problems = append(d.problems, "sets not exactly one of path (the whole path) and execname (the base name, in any directory)")
		case m.ExecName != "":
			d.execName(m.ExecName)
		default:
			d.path(string(m.Path))
		}
		d.arguments(m.AllowedArgs)
		d.terminal(m.PTS)
		d.sources(m.FromSource)
		d.rule.OwnerOnly = m.OwnerOnly
		r.add(d)
	}
	directories := section{policy.DomainProcess, "spec.process.matchDirectories", s.Report}
	for i := range s.MatchDirectories {
		m := &s.MatchDirectories[i]
		d := r.draft(directories, i, m.Report)
		d.directory(string(m.Directory), m.Recursive)
		d.terminal(m.PTS)
		d.sources(m.FromSource)
		d.rule.OwnerOnly = m.OwnerOnly
		r.add(d)
	}
	patterns := section{policy.DomainProcess, "spec.process.matchPatterns", s.Report}
	for i := range s.MatchPatterns {
		m := &s.MatchPatterns[i]
		d := r.draft(patterns, i, m.Report)
		d.pattern(string(m.Pattern))
		d.rule.OwnerOnly = m.OwnerOnly
		r.add(d)
	}
}

func (r *reader) file(s *securityv1.File) {
	paths := section{policy.DomainFile, "spec.file.matchPaths", s.Report}
	for i := range s.MatchPaths {
		m := &s.MatchPaths[i]
		d := r.draft(paths, i, m.Report)
		d.path(string(m.Path))
		d.sources(m.FromSource)
		d.rule.OwnerOnly, d.rule.ReadOnly = m.OwnerOnly, m.ReadOnly
		r.add(d)
	}
	directories := section{policy.DomainFile, "spec.file.matchDirectories", s.Report}
	for i := range s.MatchDirectories {
		m := &s.MatchDirectories[i]
		d := r.draft(directories, i, m.Report)
		d.directory(string(m.Directory), m.Recursive)
		d.sources(m.FromSource)
		d.rule.OwnerOnly, d.rule.ReadOnly = m.OwnerOnly, m.ReadOnly
		r.add(d)
	}
	patterns := section{policy.DomainFile, "spec.file.matchPatterns", s.Report}
	for i := range s.MatchPatterns {
		m := &s.MatchPatterns[i]
		d := r.draft(patterns, i, m.Report)
		d.pattern(string(m.Pattern))
		d.rule.OwnerOnly, d.rule.ReadOnly = m.OwnerOnly, m.ReadOnly
		r.add(d)
	}
}

func (r *reader) network(s *securityv1.Network) {
	protocols := section{policy.DomainNetwork, "spec.network.matchProtocols", s.Report}
	for i := range s.MatchProtocols {
		m := &s.MatchProtocols[i]
		d := r.draft(protocols, i, m.Report)
		d.rule.Protocol = strings.ToLower(string(m.Protocol))
		d.refuse("protocol", string(m.Protocol), checkProtocol(d.rule.Protocol))
		d.terminal(m.PTS)
		d.sources(m.FromSource)
		r.add(d)
	}
	names := section{policy.DomainDNS, "spec.network.matchDNSQueries", s.Report}
	for i := range s.MatchDNSQueries {
		m := &s.MatchDNSQueries[i]
		d := r.draft(names, i, m.Report)
		var err error
		d.rule.DNSName, err = DNSName(m.Domain)
		d.refuse("domain", m.Domain, err)
		d.sources(m.FromSource)
		r.add(d)
	}
}

func (r *reader) capabilities(s *securityv1.Capabilities) {
	at := section{policy.DomainCapabilities, "spec.capabilities.matchCapabilities", s.Report}
	for i := range s.MatchCapabilities {
		m := &s.MatchCapabilities[i]
		d := r.draft(at, i, m.Report)
		d.rule.Capability = string(m.Capability)
		d.refuse("capability", d.rule.Capability, checkCapability(d.rule.Capability))
		d.sources(m.FromSource)
		r.add(d)
	}
}

func (r *reader) syscalls(s *securityv1.Syscalls) {
	calls := section{policy.DomainSyscalls, "spec.syscalls.matchSyscalls", s.Report}
	for i := range s.MatchSyscalls {
		m := &s.MatchSyscalls[i]
		d := r.draft(calls, i, m.Report)
		d.auditOnly(m.Action, s.Action)
		d.syscalls(m.Syscalls)
		if len(m.Syscalls) == 0 {
			d.problems = append(d.problems, "syscall names no system call")
		}
		d.syscallSources(m.FromSource)
		r.add(d)
	}
	paths := section{policy.DomainSyscalls, "spec.syscalls.matchPaths", s.Report}
	for i := range s.MatchPaths {
		m := &s.MatchPaths[i]
		d := r.draft(paths, i, m.Report)
		d.auditOnly(m.Action, s.Action)
		d.syscalls(m.Syscalls)
		switch {
		case strings.HasSuffix(m.Path, "/"):
			d.directory(m.Path, m.Recursive)
		case m.Recursive && m.Path != "":
			d.directory(m.Path+"/", true)
		default:
			d.path(m.Path)
		}
		d.syscallSources(m.FromSource)
		r.add(d)
	}
}

func (d *draft) syscalls(names []securityv1.SyscallName) {
	for _, name := range names {
		d.rule.Syscalls = append(d.rule.Syscalls, string(name))
	}
}

// auditOnly: what is inherited from spec counts as Audit; what a rule on system calls or its section sets must be Audit.
func (d *draft) auditOnly(set ...securityv1.Action) {
	d.rule.Action = policy.ActionAudit
	for _, action := range set {
		if action != "" && action != securityv1.ActionAudit {
			d.refuse("action", string(action), errors.New("is not possible; syscalls can only be audited"))
			return
		}
	}
}

// presets have no domain: what each of them watches is its own.
func (r *reader) presets(presets []securityv1.Preset) {
	at := section{at: "spec.presets"}
	for i := range presets {
		d := r.draft(at, i, securityv1.Report{Action: presets[i].Action})
		d.rule.Preset = string(presets[i].Name)
		d.refuse("name", d.rule.Preset, checkPreset(presets[i].Name))
		r.add(d)
	}
}

// devices have none of the fields that say what a rule matches: nothing but their being there is read yet.
func (r *reader) devices(s *securityv1.Device) {
	at := section{policy.DomainDevice, "spec.device.matchDevice", s.Report}
	for i := range s.MatchDevice {
		r.add(r.draft(at, i, s.MatchDevice[i].Report))
	}
}
