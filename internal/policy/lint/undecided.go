// SPDX-License-Identifier: Apache-2.0

package lint

import (
	"fmt"
	"slices"

	"github.com/kubearmor/kubearmor-operator/internal/policy"
	"github.com/kubearmor/kubearmor-operator/internal/policy/automaton"
	"github.com/kubearmor/kubearmor-operator/internal/policy/glob"
)

// undecided finds the rules that never decide: an equally specific one always wins (unreachable) or says the same
// (redundant), or everything that they match is matched more specifically (shadowed).
func undecided(rules []policy.Rule) []Warning {
	var found []Warning
	groups := map[what][]int{}
	for i := range rules {
		if key, concerned := whatOf(&rules[i]); concerned {
			groups[key] = append(groups[key], i)
		}
	}
	covered := coverage(rules)
	for i := range rules {
		key, concerned := whatOf(&rules[i])
		if !concerned {
			continue
		}
		message, beaten := beatenBy(rules, i, groups[key])
		if !beaten {
			message, beaten = beatenBy(rules, i, covered[i])
		}
		if beaten {
			found = append(found, Warning{rules[i].At, message + onlyAllow(rules, i)})
		}
	}
	return found
}

// onlyAllow says what a rule does that decides nothing, and yet is the only Allow rule of its domain.
func onlyAllow(rules []policy.Rule, i int) string {
	if rules[i].Action != policy.ActionAllow {
		return ""
	}
	for j := range rules {
		if j != i && rules[j].Domain == rules[i].Domain && rules[j].Action == policy.ActionAllow && rules[j].Preset == "" {
			return ""
		}
	}
	return fmt.Sprintf(", but mind that it alone makes %s an allow-list", rules[i].Domain)
}

// what a rule matches, without its sources.
type what struct {
	domain policy.Domain
	field  string
	value  string
}

// whatOf a rule that competes with others for verdicts.
func whatOf(r *policy.Rule) (what, bool) {
	if r.Preset != "" || r.Domain == policy.DomainSyscalls || r.Domain == policy.DomainDevice {
		return what{}, false
	}
	for _, one := range []what{
		{r.Domain, "path", r.Path},
		{r.Domain, "execname", r.ExecName},
		{r.Domain, "dir", r.Directory},
		{r.Domain, "pattern", r.Pattern},
		{r.Domain, "protocol", r.Protocol},
		{r.Domain, "domain", r.DNSName},
		{r.Domain, "capability", r.Capability},
	} {
		if one.value != "" {
			return one, true
		}
	}
	return what{}, false
}

// beatenBy says which of the others, if any, leaves nothing to rule i. The others match the same or more than it does; they
// are of another rank only where neither has sources.
func beatenBy(rules []policy.Rule, i int, others []int) (string, bool) {
	r := &rules[i]
	for _, j := range others {
		s := &rules[j]
		switch {
		case i == j:
		case rank(s) > rank(r):
			return fmt.Sprintf("is shadowed: %s matches all of it and is more specific; remove one of the two", s.At), true
		case !matchesAllOf(s, r) || isConditional(s) && !sameConditions(s, r):
		case s.Action > r.Action && !isConditional(s):
			return fmt.Sprintf("is unreachable: %s is as specific, and %s wins over %s; remove one of the two",
				s.At, s.Action, r.Action), true
		case s.Action == r.Action && (j < i || !matchesAllOf(r, s) || isConditional(r) && !isConditional(s)):
			return fmt.Sprintf("is redundant: %s says the same; remove one of the two", s.At), true
		}
	}
	return "", false
}

// rank of a rule without sources. The more specific one has the higher.
func rank(r *policy.Rule) int {
	switch {
	case r.Path != "":
		return 3
	case r.ExecName != "":
		return 2
	case r.Pattern != "":
		return 1
	default:
		return 0
	}
}

// matchesAllOf says whether s, of the same rank and on the same thing, matches every operation that r does.
func matchesAllOf(s, r *policy.Rule) bool {
	if rank(s) != rank(r) || s.Directory != "" && r.Recursive && !s.Recursive || (len(s.Sources) == 0) != (len(r.Sources) == 0) {
		return false
	}
	for _, source := range r.Sources {
		if !slices.Contains(s.Sources, source) {
			return false
		}
	}
	return true
}

func isConditional(r *policy.Rule) bool {
	return r.OwnerOnly || r.ReadOnly || r.NoTerminal || len(r.AllowedArgs) > 0
}

func sameConditions(a, b *policy.Rule) bool {
	return a.OwnerOnly == b.OwnerOnly && a.ReadOnly == b.ReadOnly && a.NoTerminal == b.NoTerminal &&
		slices.Equal(a.AllowedArgs, b.AllowedArgs)
}

// mostGlobs that are compared with each other: an automaton of more may grow too big for a check while typing.
const mostGlobs = 100

// coverage lists, for each rule of paths without sources that is a pattern or a directory, the patterns and names of the
// same domain that match everything that it does.
func coverage(rules []policy.Rule) map[int][]int {
	covered := map[int][]int{}
	for _, domain := range []policy.Domain{policy.DomainProcess, policy.DomainFile} {
		var globs []string
		var at []int
		patterns := 0
		for i := range rules {
			if g, is := globOf(&rules[i]); is && rules[i].Domain == domain && len(rules[i].Sources) == 0 {
				globs, at = append(globs, g), append(at, i)
				if rules[i].Pattern != "" {
					patterns++
				}
			}
		}
		if patterns > 0 && len(globs) <= mostGlobs {
			includes(globs, at, covered)
		}
	}
	for i, others := range covered {
		// Directories among themselves are compared by their names: the deeper one decides.
		covered[i] = slices.DeleteFunc(others, func(j int) bool { return rank(&rules[i]) == 0 && rank(&rules[j]) == 0 })
	}
	return covered
}

// includes adds to covered, for every glob, those that match whenever it does. It is left out where the automaton cannot
// be built.
func includes(globs []string, at []int, covered map[int][]int) {
	parsed := make([]*glob.Glob, 0, len(globs))
	for _, text := range globs {
		g, err := glob.Parse(text)
		if err != nil {
			return
		}
		parsed = append(parsed, g)
	}
	a, err := automaton.Build(parsed, automaton.Limits{Work: 1 << 22})
	if err != nil {
		return
	}
	always := map[int][]int{}
	for _, set := range a.Sets {
		for _, i := range set {
			if together, seen := always[i]; seen {
				always[i] = slices.DeleteFunc(together, func(j int) bool { return !slices.Contains(set, j) })
			} else {
				always[i] = slices.DeleteFunc(slices.Clone(set), func(j int) bool { return j == i })
			}
		}
	}
	for i, others := range always {
		for _, j := range others {
			covered[at[i]] = append(covered[at[i]], at[j])
		}
	}
}

// globOf a rule on paths: the glob that matches what it matches.
func globOf(r *policy.Rule) (string, bool) {
	switch {
	case r.Pattern != "":
		return r.Pattern, true
	case r.Path != "":
		return quoted(r.Path), true
	case r.ExecName != "":
		return "{/,/**/}" + quoted(r.ExecName), true
	case r.Directory != "" && r.Recursive:
		return quoted(r.Directory) + "**", true
	case r.Directory != "":
		return quoted(r.Directory) + "*", true
	default:
		return "", false
	}
}

// quoted is a glob that matches exactly these bytes.
func quoted(path string) string {
	var out []byte
	for i := range len(path) {
		if slices.Contains([]byte(`*?[]{},\^`), path[i]) {
			out = append(out, '\\')
		}
		out = append(out, path[i])
	}
	return string(out)
}
