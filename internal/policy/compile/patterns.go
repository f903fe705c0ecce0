// SPDX-License-Identifier: Apache-2.0

package compile

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/kubearmor/kubearmor-operator/internal/policy/automaton"
	"github.com/kubearmor/kubearmor-operator/internal/policy/glob"
)

// matches are all globs of one domain of a profile.
type matches struct {
	// automaton is nil when no glob is held.
	automaton *automaton.Automaton
	// chains of the rules that match together, by the automaton's sets. Globs have no order of specificity: all that
	// match compete.
	chains [][]entry
}

// globs are those of one domain, distinct, in the order in which they are given up last: those that block first.
type globs struct {
	ranking
	patterns []string
	// entries by glob: indices into the ranking, ascending.
	rules [][]int
}

func globsOf(entries []entry) globs {
	g := globs{ranking: rank(entries)}
	byPattern, strongest := map[string][]int{}, map[string]Action{}
	for i, e := range g.entries {
		byPattern[e.key.name] = append(byPattern[e.key.name], i)
		strongest[e.key.name] = max(strongest[e.key.name], e.effective)
	}
	g.patterns = slices.SortedFunc(maps.Keys(byPattern), func(a, b string) int {
		return cmp.Or(cmp.Compare(strongest[b], strongest[a]), cmp.Compare(a, b))
	})
	for _, pattern := range g.patterns {
		g.rules = append(g.rules, byPattern[pattern])
	}
	return g
}

// of gives the rules of a set of globs, ascending.
func (g globs) of(set []int) []int {
	var rules []int
	for _, i := range set {
		rules = append(rules, g.rules[i]...)
	}
	slices.Sort(rules)
	return rules
}

// decisive is the part of a set of globs of which any rule can decide. It is what keeps automata small: where a Block
// rule's glob matches, it does not matter which Allow rules' globs do.
func (g globs) decisive(set []int) []int {
	kept := map[int]bool{}
	for _, i := range g.reduce(g.of(set)) {
		kept[i] = true
	}
	return slices.DeleteFunc(slices.Clone(set), func(i int) bool {
		return !slices.ContainsFunc(g.rules[i], func(rule int) bool { return kept[rule] })
	})
}

// key is equal where the same globs stand for the same rules, in the same order.
func (g globs) key() string {
	var text strings.Builder
	for _, e := range g.entries {
		fmt.Fprintf(&text, "%d:%s%x", len(e.key.name), e.key.name, uint64(e.id))
	}
	return text.String()
}

// only some of the globs.
func (g globs) only(kept []int) globs {
	some := globs{ranking: g.ranking}
	for _, i := range kept {
		some.patterns, some.rules = append(some.patterns, g.patterns[i]), append(some.rules, g.rules[i])
	}
	return some
}

// fitted is the automaton of as many of some globs as it can hold. It takes up to seconds to make, and nothing to keep.
type fitted struct {
	key string
	// automaton is nil when it can hold none.
	automaton *automaton.Automaton
	// kept are the indices of those that it holds, in their order in the automaton's sets.
	kept []int
}

const (
	// patience is how often single globs are left out of an automaton that gets too large, before all are that follow
	// one.
	patience = 2
	// work that an automaton may take, in cells and looks: about a second.
	work = 1 << 24
	// states and cells that it may have: 10,000 globs like /opt/app-7/**/*.so. The core has room for 16 MiB of automata:
	// one domain of a workload gets half of it.
	states, cells = 3 << 15, 1 << 21
)

func fit(g globs) *fitted {
	f := &fitted{key: g.key(), kept: indices(0, len(g.patterns))}
	limits := automaton.Limits{Work: work, States: states}
	for attempt := 0; len(f.kept) > 0; {
		some := g.only(f.kept)
		parsed := make([]*glob.Glob, len(some.patterns))
		for i, pattern := range some.patterns {
			parsed[i], _ = glob.Parse(pattern) // It was parsed with its policy.
		}
		limits.Reduce = some.decisive
		a, err := automaton.Build(parsed, limits)
		var excess *automaton.TooComplexError
		if !errors.As(err, &excess) {
			if size := a.States() * (a.Columns + 1); size > cells {
				limits.States = a.States() * cells / size
				continue
			}
			f.automaton = a
			return f
		}
		if attempt++; attempt <= patience {
			f.kept = slices.Delete(f.kept, excess.Glob, excess.Glob+1)
		} else {
			// A quarter at least: where the work was too much, one glob less is hardly less work.
			f.kept = f.kept[:min(excess.Glob, len(f.kept)*3/4)]
		}
	}
	return f
}

// match compiles the globs of one domain.
func (b *builder) match(entries []entry) matches {
	g := globsOf(entries)
	f := b.known[g.key()]
	if f == nil {
		f = fit(g)
	}
	b.out.fitted = append(b.out.fitted, f)
	b.leaveOut(g, f.kept)
	m := matches{automaton: f.automaton}
	if f.automaton == nil {
		return m
	}
	g = g.only(f.kept)
	for _, set := range f.automaton.Sets {
		m.chains = append(m.chains, b.chain(g.ranking, g.of(set)))
	}
	return m
}

// leaveOut withholds the rules of all globs but those that are kept.
func (b *builder) leaveOut(g globs, kept []int) {
	for i, rules := range g.rules {
		// Both are ascending.
		if len(kept) > 0 && kept[0] == i {
			kept = kept[1:]
			continue
		}
		for _, rule := range rules {
			b.withhold(g.entries[rule].ref, g.entries[rule].At, ReasonPatternTooComplex, "the glob "+g.patterns[i]+
				" needs, together with the others of the workload, a larger automaton than the core holds: begin it with the folders that it means "+
				"and not with **, have no ? or [] behind a **, or name a directory with recursive: true")
		}
	}
}

// entries that decide in any chain, each once.
func (m matches) entries() []entry {
	var out []entry
	seen := map[slot]bool{}
	for _, chain := range m.chains {
		for _, e := range chain {
			if !seen[e.slot()] {
				seen[e.slot()] = true
				out = append(out, e)
			}
		}
	}
	return out
}

// patterns as the enforcer takes them; index says where in the profile an entry is.
func (m matches) patterns(index map[slot]int) Patterns {
	p := Patterns{Automaton: m.automaton}
	for _, chain := range m.chains {
		outcome := make([]int, 0, len(chain))
		for _, e := range chain {
			outcome = append(outcome, index[e.slot()])
		}
		p.Outcomes = append(p.Outcomes, outcome)
	}
	return p
}
