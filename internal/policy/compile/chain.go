// SPDX-License-Identifier: Apache-2.0

package compile

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// slot tells the entries of one key apart.
type slot struct {
	key    key
	id     RuleID
	direct bool
}

func (e entry) slot() slot { return slot{e.key, e.id, e.direct} }

// compareEntries is the order of a chain: of the rules whose outcomes are equal, the first one decides.
func compareEntries(a, b entry) int {
	return cmp.Or(precedence(a.candidate, b.candidate), compareKeys(a.key, b.key))
}

// class of a rule; rules of one class have the same outcome for every operation.
func (e entry) class() string {
	class := fmt.Sprint(e.effective, e.conditions, e.direct)
	if len(e.arguments) > 0 {
		class += "\x00" + strings.Join(e.arguments, "\x00")
	}
	return class
}

// ranking is rules that compete, in the order of a chain.
type ranking struct {
	entries []entry
	class   []int
	// covers says of two classes whether the first covers the second: where its rule is the earlier one, and where not.
	earlier, later [][]bool
}

func rank(entries []entry) ranking {
	r := ranking{entries: slices.SortedFunc(slices.Values(entries), compareEntries)}
	classes := map[string]int{}
	var samples []entry
	for _, e := range r.entries {
		class := e.class()
		if _, known := classes[class]; !known {
			classes[class] = len(samples)
			samples = append(samples, e)
		}
		r.class = append(r.class, classes[class])
	}
	for _, a := range samples {
		var earlier, later []bool
		for _, b := range samples {
			earlier, later = append(earlier, covers(a, b, true)), append(later, covers(a, b, false))
		}
		r.earlier, r.later = append(r.earlier, earlier), append(r.later, later)
	}
	return r
}

// reduce drops, of some of the entries, those that can never decide among them. It takes and gives ascending indices.
func (r ranking) reduce(indices []int) []int {
	seen := make([]bool, len(r.earlier))
	distinct := make([]int, 0, min(len(indices), len(seen)))
	for _, i := range indices {
		if !seen[r.class[i]] {
			seen[r.class[i]] = true
			distinct = append(distinct, i)
		}
	}
	kept := make([]int, 0, len(distinct))
	for _, i := range distinct {
		if !slices.ContainsFunc(distinct, func(j int) bool { return r.covered(i, j) }) {
			kept = append(kept, i)
		}
	}
	return kept
}

// covered says whether entry i can be dropped for entry j.
func (r ranking) covered(i, j int) bool {
	if j < i {
		return r.earlier[r.class[j]][r.class[i]]
	}
	return j > i && r.later[r.class[j]][r.class[i]]
}

// maxClasses of one key are compared each with each.
const maxClasses = 64

// distinct is one entry of each class of one key, and of no more classes than can be compared.
func (b *builder) distinct(entries []entry) []entry {
	if len(entries) <= maxClasses {
		return entries
	}
	slices.SortFunc(entries, compareEntries)
	seen := map[string]bool{}
	var first []entry
	for _, e := range entries {
		if class := e.class(); !seen[class] {
			seen[class] = true
			first = append(first, e)
		}
	}
	if len(first) <= maxClasses {
		return first
	}
	slices.SortStableFunc(first, compareStrength)
	held := first[:maxClasses]
	for _, e := range first[maxClasses:] {
		if !slices.ContainsFunc(held, func(h entry) bool { return covers(h, e, compareEntries(h, e) < 0) }) {
			b.tooMany(e, len(first))
		}
	}
	return held
}

// compareStrength is the order in which rules are kept where not all can be: those that block, whatever the conditions,
// come first.
func compareStrength(a, b entry) int {
	return cmp.Or(cmp.Compare(b.effective, a.effective), cmp.Compare(min(a.conditions, 1), min(b.conditions, 1)))
}

func (b *builder) tooMany(e entry, competing int) {
	b.withhold(e.ref, e.At, ReasonTooManyVariants, fmt.Sprintf("%d rules with different conditions or arguments are for the same thing, "+
		"and %d can be held; those that block come first", competing, MaxVariants))
}

// chain is entries of a ranking, in order, without those that can never decide, and no more than the core holds.
func (b *builder) chain(r ranking, indices []int) []entry {
	reduced := r.reduce(indices)
	chain := make([]entry, 0, len(reduced))
	for _, i := range reduced {
		chain = append(chain, r.entries[i])
	}
	if len(chain) <= MaxVariants {
		return chain
	}
	strongest := slices.Clone(chain)
	slices.SortStableFunc(strongest, compareStrength)
	for _, e := range strongest[MaxVariants:] {
		b.tooMany(e, len(chain))
	}
	kept := strongest[:MaxVariants]
	slices.SortFunc(kept, compareEntries)
	return kept
}

func indices(from, to int) []int {
	out := make([]int, 0, to-from)
	for i := from; i < to; i++ {
		out = append(out, i)
	}
	return out
}

// outcome of a rule for an operation that it matches, in the order of precedence.
type outcome int

const (
	outcomePosture outcome = iota
	outcomeAllow
	outcomeAudit
	outcomeBlock
)

func (e entry) outcome(met bool) outcome {
	switch {
	case e.effective == ActionAllow && !met:
		return outcomePosture
	case e.effective == ActionAllow, e.conditions != 0 && met:
		return outcomeAllow
	case e.effective == ActionAudit:
		return outcomeAudit
	default:
		return outcomeBlock
	}
}

// covers says whether a decides wherever b would: whatever conditions an operation meets, the outcome of a is stronger
// than that of b, or as strong and first in the chain. Which of two rules lets an operation pass does not matter. No two
// rules that differ cover each other, and what covers is transitive, so that all that is covered may go at once.
func covers(a, b entry, first bool) bool {
	if a.direct && !b.direct {
		return false
	}
	for _, met := range situations(a, b) {
		forA, forB := a.outcome(met[0]), b.outcome(met[1])
		if forA < forB || forA == forB && forA > outcomeAllow && !first {
			return false
		}
	}
	return true
}

// situations are all that an operation can be, as seen by two rules: whether it meets the conditions of each.
func situations(a, b entry) [][2]bool {
	var all [][2]bool
	const shared = ConditionOwner | ConditionRead | ConditionNoTerminal
	for met := range shared + 1 {
		for _, arguments := range argumentSituations(a, b) {
			all = append(all, [2]bool{
				a.conditions&shared&^met == 0 && arguments[0], b.conditions&shared&^met == 0 && arguments[1],
			})
		}
	}
	return all
}

// argumentSituations: arguments that both permit (there may be none), that neither does, and, where one of the lists has
// something that the other has not, those that only one does.
func argumentSituations(a, b entry) [][2]bool {
	all := [][2]bool{{true, true}}
	limitsA, limitsB := a.conditions&ConditionArguments != 0, b.conditions&ConditionArguments != 0
	switch {
	case limitsA && limitsB:
		all = append(all, [2]bool{false, false})
		if !subset(a.arguments, b.arguments) {
			all = append(all, [2]bool{true, false})
		}
		if !subset(b.arguments, a.arguments) {
			all = append(all, [2]bool{false, true})
		}
	case limitsA:
		all = append(all, [2]bool{false, true})
	case limitsB:
		all = append(all, [2]bool{true, false})
	}
	return all
}

func subset(a, b []string) bool {
	for _, s := range a {
		if !slices.Contains(b, s) {
			return false
		}
	}
	return true
}
