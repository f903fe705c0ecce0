// SPDX-License-Identifier: Apache-2.0

package example

import (
	"slices"
	"strings"
)

// shorterDomains leaves out a label of domain names everywhere, or gives it a shorter one everywhere.
func shorterDomains(e Example) []Example {
	var labels []string
	eachDomain(&e, func(name string) string {
		labels = append(labels, strings.Split(name, ".")...)
		return name
	})
	slices.Sort(labels)
	var out []Example
	for _, label := range slices.Compact(labels) {
		for _, shorter := range []string{"", "a", "b", label[:len(label)/2]} {
			if label == "*" || len(shorter) >= len(label) {
				continue
			}
			next, possible := e, true
			eachDomain(&next, func(name string) string {
				name = replaced(name, label, shorter)
				possible = possible && name != "" && name != "*" && name != "."
				return name
			})
			if possible {
				out = append(out, next)
			}
		}
	}
	return out
}

func replaced(name, label, by string) string {
	var kept []string
	for old := range strings.SplitSeq(name, ".") {
		switch {
		case old != label:
			kept = append(kept, old)
		case by != "":
			kept = append(kept, by)
		}
	}
	return strings.Join(kept, ".")
}

// eachDomain lets change every domain name of the example.
func eachDomain(e *Example, change func(string) string) {
	e.Workload = Clone(e.Workload)
	for i := range e.Workload.Policies {
		rules := e.Workload.Policies[i].Policy.Rules
		for j := range rules {
			if rules[j].DNSName != "" {
				rules[j].DNSName = change(rules[j].DNSName)
			}
		}
	}
	if e.Operation.Name != "" {
		e.Operation.Name = change(e.Operation.Name)
	}
}
