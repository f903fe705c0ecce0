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
	switch {
	case r.Path != "":
		return rank{level: choose(r, levelCallOnPath, levelCallOnPathFromSource)}, w.isExactly(r.Path, q.path)
	case r.Directory != "":
		depth := w.depthIn(r.Directory, r.Recursive, q.path)
		return rank{choose(r, levelCallInDirectory, levelCallInDirectoryFromSource), depth}, depth > 0
	default:
		return rank{level: choose(r, levelCall, levelCallFromSource)}, true
	}
}
