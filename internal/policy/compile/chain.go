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

// bounded is the chain of one key: in order, without the rules that can never decide, and with no more than the core
// holds.
func (b *builder) bounded(entries []entry) []entry {
	chain := reduce(entries)
	if len(chain) <= MaxVariants {
		return chain
	}
	strongest := slices.Clone(chain)
	slices.SortStableFunc(strongest, func(a, b entry) int { return cmp.Compare(b.effective, a.effective) })
	for _, e := range strongest[MaxVariants:] {
		b.withhold(e.ref, e.At, ReasonTooManyVariants, fmt.Sprintf("%d rules with different conditions or arguments are for the same thing, "+
			"and %d can be held; those that block come first", len(chain), MaxVariants))
	}
	kept := strongest[:MaxVariants]
	slices.SortFunc(kept, compareEntries)
	return kept
}

// reduce brings the entries of a key into order and drops those that can never decide.
func reduce(entries []entry) []entry {
	slices.SortFunc(entries, compareEntries)
	seen := map[string]bool{}
	var distinct []entry
	for _, e := range entries {
		same := fmt.Sprint(e.effective, e.conditions, e.direct, len(e.AllowedArgs), "\x00"+strings.Join(e.AllowedArgs, "\x00"))
		if !seen[same] {
			seen[same] = true
			distinct = append(distinct, e)
		}
	}
	var chain []entry
	for i, e := range distinct {
		covered := false
		for j, other := range distinct {
			if i != j && covers(other, e, j < i) {
				covered = true
				break
			}
		}
		if !covered {
			chain = append(chain, e)
		}
	}
	return chain
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
		if !subset(a.AllowedArgs, b.AllowedArgs) {
			all = append(all, [2]bool{true, false})
		}
		if !subset(b.AllowedArgs, a.AllowedArgs) {
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
