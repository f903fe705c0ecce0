// SPDX-License-Identifier: Apache-2.0

package model

import (
	"strings"

	"github.com/kubearmor/kubearmor-operator/internal/policy"
	"github.com/kubearmor/kubearmor-operator/internal/policy/glob"
)

// rankOfPath compares a rule of the process or file domain with a path. An object that has no path matches none.
func (w Workload) rankOfPath(r *policy.Rule, q question) (rank, bool) {
	switch {
	case q.Object:
		return rank{}, false
	case r.Path != "":
		return rank{level: choose(r, levelExact, levelExactFromSource)}, w.isExactly(r.Path, q.path)
	case r.ExecName != "":
		return rank{level: choose(r, levelExecName, levelExecNameFromSource)}, base(q.path) == r.ExecName
	case r.Pattern != "":
		return rank{level: levelPattern}, w.isLike(r.Pattern, q.path)
	case r.Directory != "":
		depth := w.depthIn(r.Directory, r.Recursive, q.path)
		return rank{choose(r, levelDirectory, levelDirectoryFromSource), depth}, depth > 0
	default:
		return rank{}, false
	}
}

// isExactly says whether path is the one of the policy, or the object behind it.
func (w Workload) isExactly(written, path string) bool {
	for _, name := range w.namesOfFile(written) {
		if name == path {
			return true
		}
	}
	return false
}

// depthIn is how deep the directory is that path is below, in bytes of its name: of two directories that a path is below,
// the deeper one has the longer name. It is 0 when path is not in the directory. A recursive directory has everything
// below it, at any depth; a plain one only its direct entries. No directory is below itself.
func (w Workload) depthIn(written string, recursive bool, path string) int {
	deepest := 0
	for _, directory := range w.namesOfDirectory(written) {
		rest, below := strings.CutPrefix(path, directory)
		if below && rest != "" && (recursive || !strings.Contains(rest, "/")) {
			deepest = max(deepest, len(directory))
		}
	}
	return deepest
}

// isLike says whether the glob matches the whole path. One that is no glob matches nothing.
func (w Workload) isLike(written, path string) bool {
	for _, pattern := range w.namesOfPattern(written) {
		g, err := glob.Parse(pattern)
		if err == nil && g.Match(path) {
			return true
		}
	}
	return false
}

// base is the last component of a path.
func base(path string) string { return path[strings.LastIndexByte(path, '/')+1:] }

// fold takes repeated slashes as one, as the kernel does.
func fold(path string) string {
	for strings.Contains(path, "//") {
		path = strings.ReplaceAll(path, "//", "/")
	}
	return path
}
