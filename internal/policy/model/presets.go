// SPDX-License-Identifier: Apache-2.0

package model

import (
	"strconv"
	"strings"
)

// Names of the presets.
const (
	presetProtectEnv       = "protectEnv"
	presetProtectProc      = "protectProc"
	presetFilelessExec     = "filelessExec"
	presetAnonymousMapExec = "anonymousMapExec"
	presetExec             = "exec"
)

// presetMatches says what a preset protects from.
func presetMatches(name string, op Operation) bool {
	nameless := op.Object || op.Unlinked
	switch name {
	case presetProtectEnv:
		entry, others := op.othersProc()
		return others && (entry == "environ" || strings.HasPrefix(entry, "task/") && strings.HasSuffix(entry, "/environ"))
	case presetProtectProc:
		_, others := op.othersProc()
		return others || op.Kind == Ptrace
	case presetFilelessExec:
		return nameless && (op.Kind == Exec || op.Kind == MapExec)
	case presetAnonymousMapExec:
		return nameless && (op.Kind == Exec || op.Kind == MapExec) || op.Kind == MapExec && op.Path == ""
	case presetExec:
		return op.Kind == Exec && op.Entered
	default:
		return false
	}
}

// othersProc is what of another process's directory in /proc is opened; it is empty for the directory itself.
func (op Operation) othersProc() (entry string, others bool) {
	if op.Kind != Read && op.Kind != Write || op.Unresolved || op.Object {
		return "", false
	}
	rest, inProc := strings.CutPrefix(fold(op.Path), "/proc/")
	process, entry, _ := strings.Cut(rest, "/")
	pid, err := strconv.Atoi(process)
	return entry, inProc && err == nil && pid != op.PID
}

// presets gives the verdict of the presets that match: the strongest action, then as for rules. They are judged beside
// the domains. A preset whose action is Allow does nothing: it makes no allow-list, and takes nothing out of another one.
func (w Workload) presets(op Operation) (Verdict, bool) {
	var best *claim
	for i := range w.Policies {
		p := &w.Policies[i]
		for j := range p.Policy.Rules {
			r := &p.Policy.Rules[j]
			if r.Preset == "" || !presetMatches(r.Preset, op) {
				continue
			}
			action := effective(r, p.AuditOnly)
			c := &claim{rule: r, ref: p.Policy.Ref, action: action, audited: action != r.Action}
			c.outcome = outcomeOf(action, false, true)
			if best == nil || precedence(c, best) > 0 {
				best = c
			}
		}
	}
	if best == nil {
		return Verdict{}, false
	}
	return best.verdict(best.action, question{Operation: op}), true
}
