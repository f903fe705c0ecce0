// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"slices"
	"strconv"
	"strings"
	"time"
)

// recordFilter says which records are wanted. Each list is of values of which one must be had; an empty one asks nothing. A
// record that has no such field has no such value.
type recordFilter struct {
	nodes, namespaces, pods, containers []string
	// labels are all needed: "key=value", or "key".
	labels                        []string
	policies, operations, actions []string
	severity                      comparison
	// since drops what happened before, but where it is zero.
	since time.Time
}

func (f recordFilter) matches(r record) bool {
	for _, field := range []struct {
		wanted []string
		have   string
	}{
		{f.nodes, r.node},
		{f.namespaces, r.namespace},
		{f.pods, r.pod},
		{f.containers, r.container},
		{f.policies, r.policy},
		{f.operations, r.operation},
		{f.actions, r.action},
	} {
		if len(field.wanted) > 0 && !slices.Contains(field.wanted, field.have) {
			return false
		}
	}
	return hasLabels(f.labels, r.labels) && f.severity.holds(r.severity) && !r.at.Before(f.since)
}

// hasLabels looks for all of wanted in a list of key=value,….
func hasLabels(wanted []string, have string) bool {
	all := strings.Split(have, ",")
	for _, w := range wanted {
		found := slices.ContainsFunc(all, func(pair string) bool {
			key, _, _ := strings.Cut(pair, "=")
			return w == pair || w == key
		})
		if !found {
			return false
		}
	}
	return true
}

// comparison with a number; the zero comparison always holds.
type comparison struct {
	operator string
	number   int
}

// parseComparison reads "5", "=5", ">5", ">=5", "<5" or "<=5".
func parseComparison(text string) (comparison, bool) {
	text = strings.TrimSpace(text)
	digits := strings.TrimLeft(text, "<=>")
	c := comparison{operator: text[:len(text)-len(digits)]}
	var err error
	if c.number, err = strconv.Atoi(strings.TrimSpace(digits)); err != nil || c.number < 1 || c.number > 10 {
		return comparison{}, false
	}
	switch c.operator {
	case "", "==":
		c.operator = "="
	case "=", ">", ">=", "<", "<=":
	default:
		return comparison{}, false
	}
	return c, true
}

func (c comparison) holds(text string) bool {
	if c.operator == "" {
		return true
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		return false
	}
	switch c.operator {
	case ">":
		return n > c.number
	case ">=":
		return n >= c.number
	case "<":
		return n < c.number
	case "<=":
		return n <= c.number
	}
	return n == c.number
}
