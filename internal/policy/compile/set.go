// SPDX-License-Identifier: Apache-2.0

// Package compile turns the policies that select one node's workloads into the tables that an enforcer holds: profiles
// of rules, and the cgroups that they confine. It is pure; the same input gives the same set.
package compile

import (
	"slices"

	"github.com/kubearmor/kubearmor-operator/internal/policy"
	"github.com/kubearmor/kubearmor-operator/internal/policy/automaton"
)

// What the kernel shares with the policies' own words.
type (
	Domain = policy.Domain
	Action = policy.Action
	Ref    = policy.Ref
)

// The domains that an enforcer may hold.
const (
	DomainProcess      = policy.DomainProcess
	DomainFile         = policy.DomainFile
	DomainNetwork      = policy.DomainNetwork
	DomainCapabilities = policy.DomainCapabilities
	DomainDNS          = policy.DomainDNS
	DomainSyscalls     = policy.DomainSyscalls
)

// The actions.
const (
	ActionNone  = policy.ActionNone
	ActionAllow = policy.ActionAllow
	ActionAudit = policy.ActionAudit
	ActionBlock = policy.ActionBlock
)

// Match says what a rule's Name is, and how it is compared with an operation's.
type Match uint8

// The matches. A recursive directory matches everything below it, at any depth; a plain one its direct entries only.
// Neither matches the directory itself. A wildcard matches every name below a domain, at any depth, and not the domain.
const (
	MatchPath       Match = 1
	MatchDirectory  Match = 2
	MatchRecursive  Match = 3
	MatchExecName   Match = 4
	MatchPattern    Match = 5
	MatchProtocol   Match = 6
	MatchCapability Match = 7
	MatchName       Match = 8
	MatchWildcard   Match = 9
	MatchSyscall    Match = 20
)

// Conditions of a rule, a bit each. The values are shared with bpf/include/core. An operation that meets all of them is
// spared by a Block or Audit rule; an Allow rule allows no other, and leaves those to the posture.
type Conditions uint8

// The conditions.
const (
	// ConditionOwner: the task's file-system user owns the file.
	ConditionOwner Conditions = 1 << 0
	// ConditionRead: the operation does not write.
	ConditionRead Conditions = 1 << 1
	// ConditionNoTerminal: no terminal is attached to the task's session.
	ConditionNoTerminal Conditions = 1 << 2
	// ConditionArguments: every argument of the executed program but the first is one of the rule's.
	ConditionArguments Conditions = 1 << 3
)

// RuleID names one rule of one policy. It is derived from the policy's identity and the rule's content, so that an
// agent that restarted still knows the rule of an event that the kernel wrote before.
type RuleID uint64

// Rule is one line of a profile.
type Rule struct {
	ID     RuleID
	Domain Domain
	Match  Match
	Action Action
	// Path is what Match compares: an absolute path, for a directory with "/" at its end; a base name; a glob; a
	// protocol ("tcp"); a capability ("net_raw"); a domain name in lower case ("example.com",
	// "*.example.com"); a system call ("ptrace").
	Path string
	// Source is the path of the executable that the rule is for; empty for all of them. That of a MatchSyscall may be a
	// directory: "/usr/bin/" for those in it, "/usr/bin/**" for those at any depth.
	Source     string
	Conditions Conditions
	// Arguments that ConditionArguments permits.
	Arguments []string
}

// Patterns are all globs of one domain of a profile as one automaton.
type Patterns struct {
	Automaton *automaton.Automaton
	// Outcomes by accept id less 1: indices into the profile's Rules, of the MatchPattern rules that match there.
	Outcomes [][]int
}

// MaxVariants is how many rules of one profile may compete for the same domain, match, path and source: those that
// differ in action, in conditions or in arguments. What never decides is no part of a profile.
const MaxVariants = 8

// ProfileID names a profile by its content.
type ProfileID uint64

// Profile is the union of the rules of every policy that selects a workload.
type Profile struct {
	ID    ProfileID
	Rules []Rule
	// Postures of the domains that are allow-lists: what an operation gets that no rule decides.
	Postures map[Domain]Action
	// Patterns of the domains that have any.
	Patterns map[Domain]Patterns
	// Visible are the domains whose operations are reported also where no rule audits or blocks them.
	Visible Domains
}

// Domains are a set of domains: a bit for each, 1 << DomainFile for files.
type Domains uint8

// Has says whether a domain is in the set.
func (d Domains) Has(domain Domain) bool { return d>>domain&1 != 0 }

// DomainsOf gives the domains of words such as "file", as policy.Domain has them. Words that are no domain's are left out.
func DomainsOf(words []string) Domains {
	var d Domains
	for domain := DomainProcess; domain <= DomainDNS; domain++ {
		if slices.Contains(words, domain.String()) {
			d |= 1 << domain
		}
	}
	return d
}

// CgroupID is the kernel's 64-bit id of a cgroup v2 directory: its inode number.
type CgroupID uint64

// Cgroup is one workload's root cgroup: it and every descendant of it are confined.
type Cgroup struct {
	ID CgroupID
	// Level below the hierarchy's root, which has level 0.
	Level int
	// Path in the hierarchy, for people.
	Path string
}

// Set is everything that an enforcer holds at one time. A generation of it is switched in one step.
type Set struct {
	Generation uint64
	Profiles   []Profile
	// Bindings of cgroups to profiles; a workload without rules and visibility is not in it.
	Bindings map[Cgroup]ProfileID
}
