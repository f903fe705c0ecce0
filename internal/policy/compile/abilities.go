// SPDX-License-Identifier: Apache-2.0

package compile

import (
	"maps"
	"slices"
	"strings"

	"github.com/kubearmor/kubearmor-operator/internal/policy"
)

// Abilities are what an enforcer can hold. A rule that needs more is left out whole, and named with its reason.
type Abilities struct {
	// Matches that it knows, by domain; it holds no other domain.
	Matches map[Domain][]Match
	// NotJudged are operations on files that the kernel has no hook for, in the words of users, sorted.
	NotJudged []string
	// Conditions that it knows.
	Conditions Conditions
	// Sources: rules for single executables.
	Sources bool
	// Postures: allow-lists.
	Postures bool
	// Presets: the protections that come with the product.
	Presets bool
}

// Everything is what the core can hold.
func Everything() Abilities {
	paths := []Match{MatchPath, MatchDirectory, MatchRecursive, MatchPattern}
	return Abilities{
		Matches: map[Domain][]Match{
			DomainProcess:      append(slices.Clone(paths), MatchExecName),
			DomainFile:         paths,
			DomainNetwork:      {MatchProtocol},
			DomainCapabilities: {MatchCapability},
			DomainDNS:          {MatchName, MatchWildcard},
			DomainSyscalls:     {MatchSyscall},
		},
		Conditions: ConditionOwner | ConditionRead | ConditionNoTerminal | ConditionArguments,
		Sources:    true,
		Postures:   true,
		Presets:    true,
	}
}

// Without is the same without a domain.
func (a Abilities) Without(d Domain) Abilities {
	a.Matches = maps.Clone(a.Matches)
	delete(a.Matches, d)
	return a
}

// holds says why the enforcer cannot hold a rule, or nothing.
func (a Abilities) holds(r *policy.Rule) (Reason, string) {
	missing := conditionsOf(r) &^ a.Conditions
	known, held := a.Matches[r.Domain]
	switch {
	case r.Preset != "" && a.Presets:
	case r.Preset != "":
		return ReasonPreset, "presets are not enforced here: the kernel took no programs for them"
	case !held:
		return domainReason(r.Domain)
	case r.Domain == DomainSyscalls:
		return holdsCall(r)
	case !slices.Contains(known, matchOf(r)):
		return matchReason(matchOf(r))
	case len(r.Sources) > 0 && !a.Sources:
		return ReasonFromSource, "fromSource is not enforced yet; without it the rule would hold for every executable"
	case missing&ConditionArguments != 0:
		return ReasonArguments, "allowedArgs is not enforced yet; without it the rule would hold for every argument"
	case missing&ConditionNoTerminal != 0:
		return ReasonTerminal, "pts is not enforced yet; without it the rule would hold with and without a terminal"
	case missing&ConditionOwner != 0:
		return ReasonOwnerOnly, "ownerOnly is not enforced yet; without it the rule would hold for the owner too"
	case missing&ConditionRead != 0:
		return ReasonReadOnly, "readOnly is not enforced yet; without it the rule would hold for reads too"
	}
	return "", ""
}

func domainReason(d Domain) (Reason, string) {
	switch d {
	case DomainNetwork:
		return ReasonNetwork, "rules on protocols are not enforced yet"
	case DomainCapabilities:
		return ReasonCapabilities, "rules on capabilities are not enforced yet"
	case policy.DomainDNS:
		return ReasonDNS, "DNS queries are not looked into here: the kernel took no program for that at the root of its cgroup v2 hierarchy"
	case policy.DomainSyscalls:
		return ReasonSyscalls, "system calls are not seen here: the kernel took no program at their tracepoint"
	default:
		return ReasonDevice, "rules on devices are not enforced yet"
	}
}

func matchReason(m Match) (Reason, string) {
	if m == MatchExecName {
		return ReasonExecName, "execname is not enforced yet; name the executable by its whole path"
	}
	return ReasonPattern, "patterns are not enforced yet; name paths or directories"
}

// matchOf says what the rule's name is.
func matchOf(r *policy.Rule) Match {
	switch {
	case r.Preset != "":
		return MatchPreset
	case r.Path != "":
		return MatchPath
	case r.ExecName != "":
		return MatchExecName
	case r.Pattern != "":
		return MatchPattern
	case r.Directory != "" && r.Recursive:
		return MatchRecursive
	case r.Directory != "":
		return MatchDirectory
	case r.Protocol != "":
		return MatchProtocol
	case r.Capability != "":
		return MatchCapability
	case r.Domain == DomainSyscalls:
		return MatchSyscall
	case strings.HasPrefix(r.DNSName, "*."):
		return MatchWildcard
	case r.DNSName != "":
		return MatchName
	default:
		return 0
	}
}

// nameOf is what is compared with an operation's.
func nameOf(r *policy.Rule) string {
	return r.Path + r.ExecName + r.Pattern + r.Directory + r.Protocol + r.Capability + r.Preset + policy.DomainName(r.DNSName) +
		strings.Join(ordered(r.Syscalls), " ")
}

func conditionsOf(r *policy.Rule) Conditions {
	var c Conditions
	for _, one := range []struct {
		set bool
		bit Conditions
	}{
		{r.OwnerOnly, ConditionOwner},
		{r.ReadOnly, ConditionRead},
		{r.NoTerminal, ConditionNoTerminal},
		{len(r.AllowedArgs) > 0, ConditionArguments},
	} {
		if one.set {
			c |= one.bit
		}
	}
	return c
}
