// SPDX-License-Identifier: Apache-2.0

package table

import (
	"slices"
	"strings"

	"github.com/kubearmor/kubearmor-operator/internal/policy/compile"
)

// layout is one profile while its entries are made.
type layout struct {
	profile compile.Profile
	key     Key
	entries []keyed
	// classes of the executables that rules are for, from 1, in the order of their paths.
	classes map[string]uint32
	// folders are how many of the entries are of KindAncestor.
	folders int
}

// layOut makes the entries of a profile that was checked.
func layOut(p compile.Profile, key Key) (*layout, *Problem) {
	l := &layout{profile: p, key: key, entries: make([]keyed, 0, len(p.Rules))}
	l.addSources()
	if problem := l.addChains(); problem != nil {
		return nil, problem
	}
	l.addPatterns()
	l.addArguments()
	l.addAncestors()
	return l, nil
}

// add makes an entry about what h has read.
func (l *layout) add(h Hasher, s Selector, e Entry) {
	s.Profile = l.profile.ID
	l.entries = append(l.entries, keyed{h.Select(s), e})
}

func (l *layout) addSources() {
	var paths []string
	for _, rule := range l.profile.Rules {
		if rule.Source != "" && rule.Match != compile.MatchSyscall {
			paths = append(paths, rule.Source)
		}
	}
	slices.Sort(paths)
	l.classes = make(map[string]uint32)
	for i, path := range slices.Compact(paths) {
		l.classes[path] = uint32(i + 1)
		h := NewHasher(l.key)
		h.Path(path)
		l.add(h, Selector{Kind: KindSource}, Entry{Value: uint32(i + 1)})
	}
}

// subject is what rules compete for.
type subject struct {
	domain compile.Domain
	kind   Kind
	path   string
	source string
}

func subjectOf(rule *compile.Rule) subject {
	if rule.Match == compile.MatchSyscall {
		return callSubject(rule)
	}
	return subject{rule.Domain, kindOf(rule.Match), rule.Path, rule.Source}
}

func kindOf(m compile.Match) Kind {
	switch m {
	case compile.MatchPath:
		return KindExact
	case compile.MatchDirectory, compile.MatchRecursive:
		return KindDirectory
	case compile.MatchExecName:
		return KindExecName
	case compile.MatchPattern:
		return KindPattern
	case compile.MatchProtocol:
		return KindProtocol
	case compile.MatchCapability:
		return KindCapability
	case compile.MatchName:
		return KindName
	case compile.MatchWildcard:
		return KindWildcard
	case compile.MatchPreset:
		return KindPreset
	default:
		return 0
	}
}

// addChains adds everything but patterns: rules that compete are variants of one key, in the order of the profile.
func (l *layout) addChains() *Problem {
	rules := l.profile.Rules
	last := make(map[subject]chainEnd, len(rules))
	for i := range rules {
		if rules[i].Match == compile.MatchPattern || !possible(&rules[i]) {
			continue
		}
		s := subjectOf(&rules[i])
		variant := 0
		if end, ok := last[s]; ok {
			variant = end.variant + 1
			l.entries[end.entry].Flags |= FlagMore
		}
		if variant == compile.MaxVariants {
			return problem(&rules[i], "the profile has more than %d rules for the same domain, match, path and source", compile.MaxVariants)
		}
		last[s] = chainEnd{entry: len(l.entries), variant: variant}
		l.add(l.read(s), Selector{Domain: s.domain, Kind: s.kind, Variant: uint16(variant), Source: l.sourceOf(s)}, entryOf(&rules[i]))
	}
	return nil
}

// possible says whether this machine has what the rule names.
func possible(rule *compile.Rule) bool {
	if rule.Match != compile.MatchSyscall {
		return true
	}
	_, known := codeOf(rule.Path)
	return known
}

func (l *layout) sourceOf(s subject) uint32 {
	if s.domain == compile.DomainSyscalls && s.kind != KindSyscall {
		return callWord(s.source)
	}
	return l.classes[s.source]
}

// chainEnd is the last entry of a chain so far.
type chainEnd struct{ entry, variant int }

func (l *layout) read(s subject) Hasher {
	h := NewHasher(l.key)
	switch s.kind {
	case KindExecName:
		h.Bytes(s.path)
	case KindProtocol:
		code, _ := ProtocolCode(s.path)
		h.Word(uint64(code))
	case KindCapability:
		number, _ := CapabilityNumber(s.path)
		h.Word(uint64(number))
	case KindPreset:
		code, _ := presetCode(s.path)
		h.Word(uint64(code))
	case KindSyscall:
		code, _ := codeOf(s.path)
		h.Word(uint64(code))
	case KindName, KindWildcard:
		h.Name(strings.TrimPrefix(s.path, wildcard))
	default:
		h.Path(s.path)
	}
	return h
}

func entryOf(rule *compile.Rule) Entry {
	e := Entry{ID: rule.ID, Action: rule.Action, Conditions: rule.Conditions}
	_, directory, recursive := callSource(rule.Source)
	if rule.Match == compile.MatchDirectory || rule.Match == compile.MatchSyscall && directory && !recursive {
		e.Flags |= FlagDirect
	}
	return e
}

// addPatterns adds a chain for each accept id, of the rules whose globs match there.
func (l *layout) addPatterns() {
	for domain := compile.DomainProcess; domain <= compile.DomainFile; domain++ {
		for i, outcome := range l.profile.Patterns[domain].Outcomes {
			h := NewHasher(l.key)
			h.Word(uint64(i + 1))
			for variant, rule := range outcome {
				e := entryOf(&l.profile.Rules[rule])
				if variant < len(outcome)-1 {
					e.Flags |= FlagMore
				}
				l.add(h, Selector{Domain: domain, Kind: KindPattern, Variant: uint16(variant)}, e)
			}
		}
	}
}

// addArguments adds what rules permit. Rules of one id (of several sources, or of a link's two names) permit the same.
func (l *layout) addArguments() {
	type permitted struct {
		id       compile.RuleID
		argument string
	}
	seen := map[permitted]bool{}
	for _, rule := range l.profile.Rules {
		if rule.Conditions&compile.ConditionArguments == 0 {
			continue
		}
		for _, argument := range rule.Arguments {
			one := permitted{rule.ID, argument}
			if seen[one] {
				continue
			}
			seen[one] = true
			h := NewHasher(l.key)
			h.Bytes(argument)
			h.Word(uint64(rule.ID))
			l.add(h, Selector{Domain: compile.DomainProcess, Kind: KindArgument}, Entry{ID: rule.ID, Action: compile.ActionAllow})
		}
	}
}

// addAncestors adds every directory below which a Block rule names something: who renames it would take that away from
// under the rule.
func (l *layout) addAncestors() {
	seen := map[subject]bool{}
	for i := range l.profile.Rules {
		rule := &l.profile.Rules[i]
		if rule.Action != compile.ActionBlock || !named(rule.Match) {
			continue
		}
		for path := rule.Path; ; path = path[:len(path)-1] {
			path = path[:strings.LastIndexByte(path, '/')+1]
			s := subject{rule.Domain, KindAncestor, path, rule.Source}
			// Whoever added this one has added those above it.
			if path == "" || seen[s] {
				break
			}
			seen[s] = true
			l.add(l.read(s), Selector{Domain: s.domain, Kind: s.kind, Source: l.classes[s.source]}, Entry{ID: rule.ID, Action: rule.Action})
		}
	}
	l.folders = len(seen)
}

// named says whether the match names a path.
func named(m compile.Match) bool {
	return m == compile.MatchPath || m == compile.MatchDirectory || m == compile.MatchRecursive
}
