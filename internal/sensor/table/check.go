// SPDX-License-Identifier: Apache-2.0

package table

import (
	"fmt"
	"slices"
	"strings"

	"github.com/kubearmor/kubearmor-operator/internal/policy/automaton"
	"github.com/kubearmor/kubearmor-operator/internal/policy/compile"
)

// Limits of paths and of domain names, in bytes.
const (
	maxPath = 4096
	maxName = 255

	maxLabel      = 63
	maxDomainName = 255
)

func problem(rule *compile.Rule, format string, args ...any) *Problem {
	return &Problem{Rule: *rule, Text: fmt.Sprintf(format, args...)}
}

// checkProfile finds the first thing that can never match, or that the core does not know.
func checkProfile(p compile.Profile) *Problem {
	for i := range p.Rules {
		if text := check(&p.Rules[i]); text != "" {
			return problem(&p.Rules[i], "%s", text)
		}
		if _, ok := p.Patterns[p.Rules[i].Domain]; p.Rules[i].Match == compile.MatchPattern && !ok {
			return problem(&p.Rules[i], "the profile has no automaton for it")
		}
	}
	for domain, posture := range p.Postures {
		if domain == 0 || domain > compile.DomainDNS || posture < compile.ActionAllow || posture > compile.ActionBlock {
			return &Problem{Text: fmt.Sprintf("the core has no posture %s in domain %s", posture, domain)}
		}
	}
	for domain, patterns := range p.Patterns {
		if text := checkPatterns(p, domain, patterns); text != "" {
			return &Problem{Text: fmt.Sprintf("patterns of domain %s: %s", domain, text)}
		}
	}
	return nil
}

func check(rule *compile.Rule) string {
	switch {
	case rule.Action < compile.ActionAllow || rule.Action > compile.ActionBlock:
		return fmt.Sprintf("the core has no action %d", rule.Action)
	case rule.ID == RuleUnresolved || rule.ID == RulePosture:
		return "its id is a reserved one, of unresolved paths or of postures"
	case rule.Source != "" && rule.Match == compile.MatchPattern:
		return "patterns have no sources"
	case len(rule.Arguments) > 0 && rule.Conditions&compile.ConditionArguments == 0:
		return "it has arguments and no condition on them"
	case slices.ContainsFunc(rule.Arguments, func(a string) bool { return strings.Contains(a, "\x00") }):
		return "an argument has a zero byte"
	}
	if rule.Source != "" {
		if text := checkSource(rule); text != "" {
			return "its source: " + text
		}
	}
	switch rule.Domain {
	case 0:
		return checkPreset(rule)
	case compile.DomainProcess, compile.DomainFile:
		return checkObject(rule)
	case compile.DomainNetwork, compile.DomainCapabilities:
		return checkWord(rule)
	case compile.DomainDNS:
		return checkDomainName(rule)
	case compile.DomainSyscalls:
		return checkCall(rule)
	default:
		return fmt.Sprintf("the core has no domain %d", rule.Domain)
	}
}

// checkObject checks a rule of processes or files.
func checkObject(rule *compile.Rule) string {
	known := compile.ConditionOwner | compile.ConditionRead | compile.ConditionNoTerminal
	if rule.Domain == compile.DomainProcess {
		known |= compile.ConditionArguments
	}
	if text := checkConditions(rule, known); text != "" {
		return text
	}
	switch rule.Match {
	case compile.MatchPath:
		return checkPath(rule.Path, false)
	case compile.MatchDirectory, compile.MatchRecursive:
		return checkPath(rule.Path, true)
	case compile.MatchExecName:
		if rule.Domain == compile.DomainProcess {
			return checkName(rule.Path)
		}
	case compile.MatchPattern:
		return ""
	}
	return fmt.Sprintf("domain %s has no match %d", rule.Domain, rule.Match)
}

// checkWord checks a rule of the network or of capabilities.
func checkWord(rule *compile.Rule) string {
	known := compile.Conditions(0)
	if rule.Domain == compile.DomainNetwork {
		known = compile.ConditionNoTerminal
	}
	if text := checkConditions(rule, known); text != "" {
		return text
	}
	switch {
	case rule.Domain == compile.DomainNetwork && rule.Match == compile.MatchProtocol:
		if _, ok := ProtocolCode(rule.Path); !ok {
			return "the core has no such protocol"
		}
	case rule.Domain == compile.DomainCapabilities && rule.Match == compile.MatchCapability:
		if _, ok := CapabilityNumber(rule.Path); !ok {
			return "the core has no such capability"
		}
	default:
		return fmt.Sprintf("domain %s has no match %d", rule.Domain, rule.Match)
	}
	return ""
}

// wildcard is what the name of a MatchWildcard begins with.
const wildcard = "*."

// checkDomainName checks a rule of DNS: labels of 1 to 63 bytes, 255 with the length of each and that of the empty one.
func checkDomainName(rule *compile.Rule) string {
	if text := checkConditions(rule, 0); text != "" {
		return text
	}
	name, isWildcard := strings.CutPrefix(rule.Path, wildcard)
	switch {
	case rule.Match != compile.MatchName && rule.Match != compile.MatchWildcard:
		return fmt.Sprintf("domain %s has no match %d", rule.Domain, rule.Match)
	case isWildcard != (rule.Match == compile.MatchWildcard):
		return "a wildcard, and nothing else, begins with " + wildcard
	case len(name)+2 > maxDomainName:
		return fmt.Sprintf("it is longer than %d bytes", maxDomainName-2)
	case strings.ContainsFunc(name, func(c rune) bool { return 'A' <= c && c <= 'Z' }):
		return "it is not in lower case"
	}
	for label := range strings.SplitSeq(name, ".") {
		if label == "" || len(label) > maxLabel {
			return fmt.Sprintf("it has a label that is empty or longer than %d bytes", maxLabel)
		}
	}
	return ""
}

func checkConditions(rule *compile.Rule, known compile.Conditions) string {
	if unknown := rule.Conditions &^ known; unknown != 0 {
		return fmt.Sprintf("domain %s has no condition %#x", rule.Domain, uint8(unknown))
	}
	return ""
}

func checkPath(path string, directory bool) string {
	switch {
	case !strings.HasPrefix(path, "/"):
		return "it is not absolute"
	case len(path) > maxPath:
		return fmt.Sprintf("it is longer than %d bytes", maxPath)
	case directory && !strings.HasSuffix(path, "/"):
		return "a directory ends in a slash"
	case !directory && strings.HasSuffix(path, "/") && path != "/":
		return "a path that is not a directory's ends without a slash"
	case path == "/":
		return ""
	}
	for c := range strings.SplitSeq(strings.TrimSuffix(path[1:], "/"), "/") {
		if text := checkName(c); text != "" {
			return text
		}
	}
	return ""
}

func checkName(c string) string {
	switch {
	case c == "" || c == "." || c == ".." || strings.Contains(c, "/"):
		return fmt.Sprintf("no path of the kernel has a component %q", c)
	case len(c) > maxName:
		return fmt.Sprintf("a component is longer than %d bytes", maxName)
	case strings.Contains(c, "\x00"):
		return "a component has a zero byte"
	}
	return ""
}

func checkPatterns(p compile.Profile, domain compile.Domain, patterns compile.Patterns) string {
	if domain != compile.DomainProcess && domain != compile.DomainFile {
		return "only processes and files have patterns"
	}
	if text := checkAutomaton(patterns.Automaton); text != "" {
		return text
	}
	if len(patterns.Outcomes) != len(patterns.Automaton.Sets) {
		return fmt.Sprintf("%d outcomes for %d sets of the automaton", len(patterns.Outcomes), len(patterns.Automaton.Sets))
	}
	for i, outcome := range patterns.Outcomes {
		if len(outcome) == 0 || len(outcome) > compile.MaxVariants {
			return fmt.Sprintf("outcome %d has %d rules, and may have 1 to %d", i, len(outcome), compile.MaxVariants)
		}
		for _, index := range outcome {
			if index < 0 || index >= len(p.Rules) || p.Rules[index].Match != compile.MatchPattern || p.Rules[index].Domain != domain {
				return fmt.Sprintf("outcome %d has the index %d, which is no pattern's of this domain", i, index)
			}
		}
	}
	return ""
}

func checkAutomaton(a *automaton.Automaton) string {
	switch {
	case a == nil:
		return "there is no automaton"
	case a.Columns < 1 || a.Columns > 256 || len(a.Next) != len(a.Accept)*a.Columns || int(a.Start) >= len(a.Accept):
		return "the automaton's sizes do not fit together"
	}
	for _, class := range a.Classes {
		if int(class) >= a.Columns {
			return "a class of the automaton has no column"
		}
	}
	for _, next := range a.Next {
		if int(next) >= len(a.Accept) {
			return "the automaton leads to a state that it has not"
		}
	}
	for _, accept := range a.Accept {
		if int(accept) > len(a.Sets) {
			return "the automaton accepts a set that it has not"
		}
	}
	return ""
}
