// SPDX-License-Identifier: Apache-2.0

package compile

import (
	"slices"

	"github.com/kubearmor/kubearmor-operator/internal/policy"
	"github.com/kubearmor/kubearmor-operator/internal/policy/syscalls"
)

// holdsCall says why the enforcer cannot hold a rule on system calls, or nothing.
func holdsCall(r *policy.Rule) (Reason, string) {
	unknown := slices.IndexFunc(r.Syscalls, func(name string) bool { return !syscalls.Known(name) })
	switch {
	case r.Path != "" || r.Directory != "":
		return ReasonSyscallPath, "the paths that system calls are given are not looked at yet; a rule on files (matchPaths of file) with the action " +
			"Audit reports who uses a path, by whatever system call"
	case unknown >= 0:
		return ReasonSyscallUnknown, "no system call is named " + r.Syscalls[unknown] + " on any machine that is known here; see syscalls(2)"
	default:
		return "", ""
	}
}

// namesOf a rule: one, but for the list of a rule on system calls.
func (a aliases) namesOf(r *policy.Rule) (names []string, multiCall string) {
	if r.Domain == DomainSyscalls {
		return ordered(r.Syscalls), ""
	}
	return a.names(r)
}

// sourceOf is a source as rules of a profile have it, for a path or directory that it means.
func sourceOf(s policy.Source, path string) string {
	if s.Recursive {
		return path + "**"
	}
	return path
}
