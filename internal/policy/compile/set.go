// SPDX-License-Identifier: Apache-2.0

// Package compile turns the policies that select one node's workloads into the tables that an enforcer holds: profiles
// of rules, and the cgroups that they confine. It is pure; the same input gives the same set.
package compile

// Domain of operations. The values are shared with bpf/include/core.
type Domain uint8

// The domains of this version.
const (
	DomainProcess Domain = 1
	DomainFile    Domain = 2
)

// Action of a rule or verdict. The values are shared with bpf/include/core and grow with precedence:
// at equal specificity Block wins over Audit over Allow.
type Action uint8

// The actions.
const (
	ActionNone  Action = 0
	ActionAllow Action = 1
	ActionAudit Action = 2
	ActionBlock Action = 3
)

// Match says how a rule's path is compared with an operation's.
type Match uint8

// The matches of this version, most specific first. A recursive directory matches everything below it, at any depth;
// a plain one its direct entries only. Neither matches the directory itself.
const (
	MatchPath      Match = 1
	MatchDirectory Match = 2
	MatchRecursive Match = 3
)

// RuleID names one rule of one policy. It is derived from the policy's identity and the rule's content, so that an
// agent that restarted still knows the rule of an event that the kernel wrote before.
type RuleID uint64

// Rule is one line of a profile. Path is absolute; for a directory it ends in "/".
type Rule struct {
	ID     RuleID
	Domain Domain
	Match  Match
	Action Action
	Path   string
}

// ProfileID names a profile by its content.
type ProfileID uint64

// Profile is the union of the rules of every policy that selects a workload. Within a profile at most one rule has a
// given (domain, match, path): conflicts are decided here, not in the kernel.
type Profile struct {
	ID    ProfileID
	Rules []Rule
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
	// Bindings of cgroups to profiles; a workload without rules is not in it.
	Bindings map[Cgroup]ProfileID
}
