// SPDX-License-Identifier: Apache-2.0

package lint

import (
	"slices"
	"strings"

	"github.com/kubearmor/kubearmor-operator/internal/policy"
)

// Warning about a rule that is valid, and yet hardly what its author meant.
type Warning struct {
	// Rule is its place in the object.
	Rule string
	// Message says what is odd, and the remedy.
	Message string
}

// Warnings of one policy, by the place of the rule. Other policies that select the same workload are not known here.
func Warnings(p policy.Policy) []Warning {
	var all []Warning
	for _, problem := range p.Problems {
		all = append(all, Warning{problem.At, "means nothing: " + problem.Message})
	}
	all = append(all, undecided(p.Rules)...)
	all = append(all, forgotten(p)...)
	all = append(all, idlePresets(p.Rules)...)
	slices.SortStableFunc(all, func(a, b Warning) int { return compareAt(a.Rule, b.Rule) })
	return all
}

// compareAt orders matchPaths[2] before matchPaths[10].
func compareAt(a, b string) int {
	listA, indexA, _ := strings.Cut(a, "[")
	listB, indexB, _ := strings.Cut(b, "[")
	if listA != listB {
		return strings.Compare(listA, listB)
	}
	if len(indexA) != len(indexB) {
		return len(indexA) - len(indexB)
	}
	return strings.Compare(indexA, indexB)
}
