// SPDX-License-Identifier: Apache-2.0

package table

import (
	"strings"

	"github.com/kubearmor/kubearmor-operator/internal/policy"
	"github.com/kubearmor/kubearmor-operator/internal/policy/compile"
)

// DomainFlags tell the core what a profile has in one domain, so that it does not look for what is not there.
type DomainFlags uint8

// The flags of a domain.
const (
	// DomainRules: there is a rule, or a posture that denies or audits, or the domain is visible.
	DomainRules DomainFlags = 1 << 0
	// DomainBlocks, DomainAudits: there is a rule with that action.
	DomainBlocks DomainFlags = 1 << 1
	DomainAudits DomainFlags = 1 << 2
	// DomainExact and the next three: there are rules of that kind.
	DomainExact     DomainFlags = 1 << 3
	DomainExecName  DomainFlags = 1 << 4
	DomainDirectory DomainFlags = 1 << 5
	DomainPatterns  DomainFlags = 1 << 6
	// DomainSources: some rules are for one executable only.
	DomainSources DomainFlags = 1 << 7
)

// deepest is the last bit of Summary.Depths; it stands for all depths from there on.
const deepest = 63

// Summary is what a binding says of its profile.
type Summary struct {
	Profile compile.ProfileID
	// Domains and Postures by domain. A posture is none, Allow, Audit or Block. In the place of domain 0 is a bit for the
	// code of each preset.
	Domains  [policy.Domains]DomainFlags
	Postures [policy.Domains]compile.Action
	// Depths at which there are directories, of processes and of files: bit 0 for "/", bit 1 for "/etc/"; bit 63 stands
	// for 63 and deeper.
	Depths [2]uint64
	// Names are the numbers of labels that wildcards have: bit 1 for "*.example"; bit 63 for 63 and more.
	Names uint64
	// Calls are the system calls with rules, a bit for the last six bits of each code. CallDepths are those of the
	// directories of executables that such rules are for, as in Depths.
	Calls, CallDepths uint64
	// Automata of the patterns of processes and of files.
	Automata [2]Placed
}

func summarise(p compile.Profile) Summary {
	s := Summary{Profile: p.ID}
	for domain, posture := range p.Postures {
		s.Postures[domain] = posture
		if posture > compile.ActionAllow {
			s.Domains[domain] |= DomainRules
		}
	}
	for domain := range policy.Domain(policy.Domains) {
		if p.Visible.Has(domain) {
			s.Domains[domain] |= DomainRules
		}
	}
	for i := range p.Rules {
		s.add(&p.Rules[i])
	}
	return s
}

func (s *Summary) add(rule *compile.Rule) {
	if rule.Match == compile.MatchPreset {
		code, _ := presetCode(rule.Path)
		s.Domains[0] |= 1 << code
		return
	}
	flags := DomainRules
	switch rule.Action {
	case compile.ActionBlock:
		flags |= DomainBlocks
	case compile.ActionAudit:
		flags |= DomainAudits
	}
	switch rule.Match {
	case compile.MatchPath:
		flags |= DomainExact
	case compile.MatchExecName:
		flags |= DomainExecName
	case compile.MatchPattern:
		flags |= DomainPatterns
	case compile.MatchDirectory, compile.MatchRecursive:
		flags |= DomainDirectory
		s.Depths[rule.Domain-1] |= 1 << min(strings.Count(rule.Path, "/")-1, deepest)
	}
	if rule.Match == compile.MatchWildcard {
		s.Names |= 1 << min(strings.Count(rule.Path, "."), deepest)
	}
	if rule.Source != "" {
		flags |= DomainSources
	}
	if rule.Match == compile.MatchSyscall {
		s.addCall(rule)
	}
	s.Domains[rule.Domain] |= flags
}
