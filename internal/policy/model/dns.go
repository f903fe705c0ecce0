// SPDX-License-Identifier: Apache-2.0

package model

import (
	"strings"

	"github.com/kubearmor/kubearmor-operator/internal/policy"
)

// rankOfName compares names without their case and closing dot. "*.example.com" means every name below example.com, at
// any depth, and not example.com itself; the longer wildcard is the more specific one.
func rankOfName(r *policy.Rule, name string) (rank, bool) {
	rule, name := policy.DomainName(r.DNSName), policy.DomainName(name)
	suffix, isWildcard := strings.CutPrefix(rule, "*")
	if !isWildcard {
		return rank{level: choose(r, levelName, levelNameFromSource)}, rule == name
	}
	return rank{choose(r, levelWildcard, levelWildcardFromSource), len(suffix)}, strings.HasSuffix(name, suffix)
}
