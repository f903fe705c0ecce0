// SPDX-License-Identifier: Apache-2.0

package table

import (
	"fmt"
	"runtime"
	"strings"

	"github.com/kubearmor/kubearmor-operator/internal/policy/compile"
	"github.com/kubearmor/kubearmor-operator/internal/policy/syscalls"
)

// checkCall checks a rule on a system call.
func checkCall(rule *compile.Rule) string {
	switch {
	case rule.Match != compile.MatchSyscall:
		return fmt.Sprintf("domain %s has no match %d", rule.Domain, rule.Match)
	case rule.Action != compile.ActionAudit:
		return "system calls are only audited"
	case !syscalls.Known(rule.Path):
		return "no machine has such a system call"
	}
	return checkConditions(rule, 0)
}

// callSource is what a rule on a system call says of the executable: its path, or a directory, with its last slash, and
// whether that is meant at any depth.
func callSource(source string) (path string, directory, recursive bool) {
	if path, recursive = strings.CutSuffix(source, "**"); recursive {
		return path, true, true
	}
	return path, strings.HasSuffix(path, "/"), false
}

// checkSource checks the executable that a rule is for.
func checkSource(rule *compile.Rule) string {
	if rule.Domain != compile.DomainSyscalls {
		return checkPath(rule.Source, false)
	}
	path, directory, _ := callSource(rule.Source)
	return checkPath(path, directory)
}

// codeOf a system call; none where this machine has no such one.
func codeOf(name string) (code uint16, known bool) { return syscalls.Of(runtime.GOARCH).Code(name) }

// callSubject is what rules on system calls compete for: the call itself, or an executable or a directory of them, with the
// call in the place of the source.
func callSubject(rule *compile.Rule) subject {
	path, directory, _ := callSource(rule.Source)
	switch {
	case directory:
		return subject{rule.Domain, KindDirectory, path, rule.Path}
	case path != "":
		return subject{rule.Domain, KindExact, path, rule.Path}
	default:
		return subject{rule.Domain, KindSyscall, rule.Path, ""}
	}
}

// callWord is what stands for a call in the place of a class of source.
func callWord(name string) uint32 {
	code, _ := codeOf(name)
	return uint32(code) + 1
}

// addCall notes a rule in the summary.
func (s *Summary) addCall(rule *compile.Rule) {
	code, known := codeOf(rule.Path)
	if !known {
		return
	}
	s.Calls |= 1 << (code & 63)
	if path, directory, _ := callSource(rule.Source); directory {
		s.CallDepths |= 1 << min(strings.Count(path, "/")-1, deepest)
	}
}
