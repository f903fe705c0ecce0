// SPDX-License-Identifier: Apache-2.0

package model

import (
	"slices"

	"github.com/kubearmor/kubearmor-operator/internal/policy"
)

// rankOfCall compares a rule with a system call, its path if the rule has one, and the caller. A rule on a path without
// names means every call that is given that path. All of these rules audit; the rank only says which one is named.
func (w Workload) rankOfCall(r *policy.Rule, q question) (rank, bool) {
	onPath := r.Path != "" || r.Directory != ""
	if !slices.Contains(r.Syscalls, q.Syscall) && (len(r.Syscalls) > 0 || !onPath) {
		return rank{}, false
	}
	by, depth := w.callerOf(r, q.Source)
	switch {
	case r.Path != "":
		return rank{by + levelCallOnPath, depth}, w.isExactly(r.Path, q.path)
	case r.Directory != "":
		below := w.depthIn(r.Directory, r.Recursive, q.path)
		return rank{by + levelCallInDirectory, below}, below > 0
	default:
		return rank{by + levelCall, depth}, true
	}
}

// callerOf says how exactly a rule whose source matches names the executable, in levels, and how deep the directory is
// that it names. Of two rules for the same directory the plain one is more specific than the recursive one.
func (w Workload) callerOf(r *policy.Rule, source string) (level, int) {
	deepest := 0
	for i := range r.Sources {
		s := &r.Sources[i]
		if s.Path != "" && w.isExactly(s.Path, source) {
			return 2 * callLevels, 0
		}
		if s.Directory == "" {
			continue
		}
		if depth := 2 * w.depthIn(s.Directory, s.Recursive, source); depth > 0 && !s.Recursive {
			deepest = max(deepest, depth+1)
		} else {
			deepest = max(deepest, depth)
		}
	}
	if len(r.Sources) == 0 {
		return 0, 0
	}
	return callLevels, deepest
}
