// SPDX-License-Identifier: Apache-2.0

package sensor

import (
	"fmt"
	"slices"
	"strings"

	"github.com/kubearmor/kubearmor-operator/bpf/file"
	"github.com/kubearmor/kubearmor-operator/internal/policy/compile"
)

// What crosses to the kernel; the same in every object of the core.
type (
	ruleKey   = file.FileRuleKey
	ruleValue = file.FileRuleValue
	binding   = file.FileBinding
)

// enum rule_kind
const (
	ruleProfile   = 0
	ruleExact     = 1
	ruleDirectory = 2
)

// Limits of the tables, besides those in the map's own declarations.
const (
	maxBindings = 16384
	maxLevels   = len(binding{}.Levels)
	maxLevel    = 255
	maxPath     = 4096
	maxName     = 255
	deepest     = 63
)

// RuleError names a rule that can never match, or that the core does not know.
type RuleError struct {
	Profile compile.ProfileID
	Rule    compile.Rule
	Problem string
}

func (e *RuleError) Error() string {
	return fmt.Sprintf("rule %#x of profile %#x, path %q: %s", uint64(e.Rule.ID), uint64(e.Profile), e.Rule.Path, e.Problem)
}

// tables are a set as the kernel holds it.
type tables struct {
	profiles map[compile.ProfileID]map[ruleKey]ruleValue
	bindings map[compile.CgroupID]binding
}

func (t tables) ruleCount() int {
	n := 0
	for _, rules := range t.profiles {
		n += len(rules)
	}
	return n
}

// encode is pure: the same set and key give the same tables.
func encode(set compile.Set, key hashKey) (tables, error) {
	t := tables{
		profiles: make(map[compile.ProfileID]map[ruleKey]ruleValue, len(set.Profiles)),
		bindings: make(map[compile.CgroupID]binding, len(set.Bindings)),
	}
	summaries := make(map[compile.ProfileID]binding, len(set.Profiles))
	for _, profile := range set.Profiles {
		rules, summary, err := encodeProfile(profile, key)
		if err != nil {
			return tables{}, err
		}
		if _, ok := t.profiles[profile.ID]; ok {
			return tables{}, fmt.Errorf("profile %#x is in the set twice", uint64(profile.ID))
		}
		summary.Generation = set.Generation
		t.profiles[profile.ID], summaries[profile.ID] = rules, summary
	}
	if err := t.bind(set, summaries); err != nil {
		return tables{}, err
	}
	return t, nil
}

// bind adds the bindings and, as cgroup 0, their header.
func (t tables) bind(set compile.Set, summaries map[compile.ProfileID]binding) error {
	var levels []uint8
	for cgroup, profile := range set.Bindings {
		summary, ok := summaries[profile]
		switch {
		case !ok:
			return fmt.Errorf("cgroup %s is bound to profile %#x, which is not in the set", cgroup.Path, uint64(profile))
		case cgroup.ID == 0:
			return fmt.Errorf("cgroup %s has no id", cgroup.Path)
		case cgroup.Level < 0 || cgroup.Level > maxLevel:
			return fmt.Errorf("cgroup %s has level %d; the core knows 0 to %d", cgroup.Path, cgroup.Level, maxLevel)
		}
		t.bindings[cgroup.ID] = summary
		levels = append(levels, uint8(cgroup.Level))
	}
	return t.head(set.Generation, levels)
}

func (t tables) head(generation uint64, levels []uint8) error {
	if len(t.bindings) > maxBindings {
		return &TableFullError{Table: tableBindings, Need: len(t.bindings), Capacity: maxBindings}
	}
	header := binding{Generation: generation, Count: uint32(len(t.bindings))}
	slices.SortFunc(levels, func(a, b uint8) int { return int(b) - int(a) })
	levels = slices.Compact(levels)
	if len(levels) > maxLevels {
		return &TableFullError{Table: tableLevels, Need: len(levels), Capacity: maxLevels}
	}
	header.LevelCount = uint32(copy(header.Levels[:], levels))
	t.bindings[0] = header
	return nil
}

func encodeProfile(profile compile.Profile, key hashKey) (map[ruleKey]ruleValue, binding, error) {
	rules := make(map[ruleKey]ruleValue, len(profile.Rules)+1)
	summary := binding{Profile: uint64(profile.ID)}
	for _, rule := range profile.Rules {
		if problem := check(rule); problem != "" {
			return nil, binding{}, &RuleError{Profile: profile.ID, Rule: rule, Problem: problem}
		}
		k := ruleKey{Profile: uint64(profile.ID), Hash: hashPath(key, rule.Path), Domain: uint32(rule.Domain), Kind: ruleDirectory}
		if rule.Match == compile.MatchPath {
			k.Kind = ruleExact
		}
		value, problem := addRule(rules[k], rule)
		if problem != "" {
			return nil, binding{}, &RuleError{Profile: profile.ID, Rule: rule, Problem: problem}
		}
		rules[k] = value
		summarise(&summary, rule)
	}
	rules[profileKey(profile.ID)] = ruleValue{Id: uint64(len(rules))}
	return rules, summary, nil
}

// profileKey is the entry that marks a profile as whole.
func profileKey(id compile.ProfileID) ruleKey {
	return ruleKey{Profile: uint64(id), Kind: ruleProfile}
}

func addRule(value ruleValue, rule compile.Rule) (ruleValue, string) {
	id, action := &value.Id, &value.Action
	if rule.Match == compile.MatchDirectory {
		id, action = &value.DirectId, &value.DirectAction
	}
	if *action != 0 {
		return value, "the profile has another rule for the same domain, match and path"
	}
	*id, *action = uint64(rule.ID), uint32(rule.Action)
	return value, ""
}

// summarise adds what the kernel must know of a profile before it looks at a path: the flags of bindings.h, and depths.
func summarise(b *binding, rule compile.Rule) {
	b.Flags |= 1 << rule.Domain
	switch rule.Action {
	case compile.ActionBlock:
		b.Flags |= 1 << (8 + rule.Domain)
	case compile.ActionAudit:
		b.Flags |= 1 << (16 + rule.Domain)
	}
	if rule.Match == compile.MatchPath {
		b.Flags |= 1 << (24 + rule.Domain)
		return
	}
	b.Depths[rule.Domain-1] |= 1 << min(strings.Count(rule.Path, "/")-1, deepest)
}

// check says why a rule cannot be in a profile, or nothing.
func check(rule compile.Rule) string {
	switch {
	case rule.Domain != compile.DomainProcess && rule.Domain != compile.DomainFile:
		return fmt.Sprintf("the core has no domain %d", rule.Domain)
	case rule.Action < compile.ActionAllow || rule.Action > compile.ActionBlock:
		return fmt.Sprintf("the core has no action %d", rule.Action)
	case rule.Match < compile.MatchPath || rule.Match > compile.MatchRecursive:
		return fmt.Sprintf("the core has no match %d", rule.Match)
	case rule.ID == RuleUnresolved:
		return "its id is the reserved one of unresolved paths"
	case !strings.HasPrefix(rule.Path, "/"):
		return "it is not absolute"
	case len(rule.Path) > maxPath:
		return fmt.Sprintf("it is longer than %d bytes", maxPath)
	case rule.Match != compile.MatchPath && !strings.HasSuffix(rule.Path, "/"):
		return "a directory ends in a slash"
	case rule.Match == compile.MatchPath && strings.HasSuffix(rule.Path, "/") && rule.Path != "/":
		return "a path that is not a directory's ends without a slash"
	}
	return checkComponents(strings.TrimSuffix(rule.Path[1:], "/"))
}

func checkComponents(path string) string {
	if path == "" {
		return ""
	}
	for c := range strings.SplitSeq(path, "/") {
		switch {
		case c == "" || c == "." || c == "..":
			return fmt.Sprintf("no path of the kernel has a component %q", c)
		case len(c) > maxName:
			return fmt.Sprintf("a component is longer than %d bytes", maxName)
		case strings.Contains(c, "\x00"):
			return "a component has a zero byte"
		}
	}
	return ""
}
