// SPDX-License-Identifier: Apache-2.0

// Package policy holds the words that everything about policies shares: domains, actions, postures, and a rule as its
// author meant it, with the cascade resolved and nothing compiled.
package policy

import "fmt"

// Domain of operations. The values are shared with bpf/include/core.
type Domain uint8

// The domains. They are independent of each other.
const (
	DomainProcess      Domain = 1
	DomainFile         Domain = 2
	DomainNetwork      Domain = 3
	DomainCapabilities Domain = 4
	DomainDNS          Domain = 5
	DomainSyscalls     Domain = 6
	DomainDevice       Domain = 7
	// Domains is one more than the last domain.
	Domains = 8
)

func (d Domain) String() string {
	names := [Domains]string{"none", "process", "file", "network", "capabilities", "dns", "syscalls", "device"}
	if int(d) >= len(names) {
		return fmt.Sprintf("domain %d", uint8(d))
	}
	return names[d]
}

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

func (a Action) String() string {
	names := [...]string{"None", "Allow", "Audit", "Block"}
	if int(a) >= len(names) {
		return fmt.Sprintf("action %d", uint8(a))
	}
	return names[a]
}

// Posture is what an allow-list does with an operation that no rule names.
type Posture string

// The postures.
const (
	PostureAllow Posture = "allow"
	PostureAudit Posture = "audit"
	PostureBlock Posture = "block"
)

// The kinds of policies.
const (
	KindPolicy        = "KubeArmorPolicy"
	KindClusterPolicy = "KubeArmorClusterPolicy"
	KindHostPolicy    = "KubeArmorHostPolicy"
)

// Ref names a policy object.
type Ref struct {
	Kind, Namespace, Name string
}

func (r Ref) String() string {
	if r.Namespace == "" {
		return r.Kind + " " + r.Name
	}
	return fmt.Sprintf("%s %s/%s", r.Kind, r.Namespace, r.Name)
}

// Source narrows a rule to operations of one executable, or, for system calls only, of those in a directory.
type Source struct {
	Path      string
	Directory string
	Recursive bool
}

// Rule is one rule of a policy. Exactly one of Path, ExecName, Directory, Pattern, Protocol, DNSName, Capability,
// Syscalls (with or without Path or Directory) and Preset says what it matches.
type Rule struct {
	// At is its place in the object: spec.process.matchPaths[3].
	At     string
	Domain Domain

	// The cascade, resolved: rule, section, spec, else Block.
	Action   Action
	Severity int
	Tags     []string
	Message  string

	Path       string
	ExecName   string
	Directory  string
	Recursive  bool
	Pattern    string
	Protocol   string
	DNSName    string
	Capability string
	Syscalls   []string
	Preset     string

	// OwnerOnly, ReadOnly, AllowedArgs and NoTerminal (pts: false) are conditions: an operation that meets all of
	// them is spared by a Block or Audit rule, and only such an operation is allowed by an Allow rule.
	OwnerOnly   bool
	ReadOnly    bool
	NoTerminal  bool
	AllowedArgs []string

	// Sources: the rule is for operations of these executables only; of every one when there are none.
	Sources []Source
}

// Policy is a policy object as its author meant it.
type Policy struct {
	Ref        Ref
	Generation int64
	Rules      []Rule
	// AppArmor are raw AppArmor rules, for nodes whose enforcer that is.
	AppArmor string
	// Problems are the rules that can never match, or that no kernel understands; they are not among Rules.
	Problems []Problem
}

// Problem is a rule that means nothing.
type Problem struct {
	// At is the rule's place in the object.
	At string
	// Message says what is wrong, and the remedy.
	Message string
}
