// SPDX-License-Identifier: Apache-2.0

package compile

import (
	"cmp"
	"slices"

	"github.com/kubearmor/kubearmor-operator/internal/policy/automaton"
)

// matches are all globs of one domain of a profile.
type matches struct {
	// automaton is nil when no glob is held.
	automaton *automaton.Automaton
	// chains of the rules that match together, by the automaton's sets. Globs have no order of specificity: all that
	// match compete.
	chains [][]entry
}

// match compiles the globs of one domain.
func (b *builder) match(entries []entry) matches {
	byGlob := map[string][]entry{}
	for _, e := range entries {
		byGlob[e.key.name] = append(byGlob[e.key.name], e)
	}
	a, held, left := fit(byGlob)
	for _, glob := range left {
		for _, e := range byGlob[glob] {
			b.withhold(e.ref, e.At, ReasonPatternTooComplex, "the glob needs, together with the others of the workload, a larger automaton "+
				"than the core holds; write it with fewer ** and alternatives, or name directories")
		}
	}
	m := matches{automaton: a}
	if a == nil {
		return m
	}
	for _, set := range a.Sets {
		var together []entry
		for _, i := range set {
			together = append(together, byGlob[held[i]]...)
		}
		m.chains = append(m.chains, b.bounded(once(together)))
	}
	return m
}

// once drops the second name of a rule where both of its names match.
func once(entries []entry) []entry {
	slices.SortFunc(entries, compareEntries)
	return slices.CompactFunc(entries, func(a, b entry) bool { return a.candidate == b.candidate })
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

// attempts bound how often fit builds an automaton.
const attempts = 64

// fit builds one automaton of all globs, or, where it gets too large, of as many as it can hold: those that block come
// first, then by name. held are the globs that it was built of, in the order of its sets; left are the others.
func fit(byGlob map[string][]entry) (a *automaton.Automaton, held, left []string) {
	globs := make([]string, 0, len(byGlob))
	for glob := range byGlob {
		globs = append(globs, glob)
	}
	slices.Sort(globs)
	if a, err := automatonOf(globs); err == nil {
		return a, globs, nil
	}
	slices.SortStableFunc(globs, func(a, b string) int { return cmp.Compare(strongest(byGlob[b]), strongest(byGlob[a])) })
	tries := 0
	var try func(chunk []string)
	try = func(chunk []string) {
		tries++
		wider := slices.Concat(held, chunk)
		slices.Sort(wider)
		if next, err := automatonOf(wider); err == nil {
			a, held = next, wider
			return
		}
		if half := len(chunk) / 2; half > 0 && tries < attempts {
			try(chunk[:half])
			try(chunk[half:])
			return
		}
		left = append(left, chunk...)
	}
	try(globs)
	return a, held, left
}

func strongest(entries []entry) Action {
	action := ActionNone
	for _, e := range entries {
		action = max(action, e.effective)
	}
	return action
}
