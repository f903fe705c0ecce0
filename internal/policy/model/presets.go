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
		return others && processOrThread(entry, "environ")
	case presetProtectProc:
		_, others := op.othersProc()
		return others || op.Kind == Ptrace
	case presetFilelessExec:
		return nameless && (op.Kind == Exec || op.Kind == MapExec)
	case presetAnonymousMapExec:
		_, entry, in := op.proc()
		return nameless && (op.Kind == Exec || op.Kind == MapExec) || op.Kind == MapExec && op.Path == "" ||
			in && op.Kind == Write && processOrThread(entry, "mem")
	case presetExec:
		return op.Kind == Exec && op.Entered
	default:
		return false
	}
}

// processOrThread says whether that entry of a process's directory in /proc is the named one, of the process or a thread.
func processOrThread(entry, name string) bool {
	return entry == name || strings.HasPrefix(entry, "task/") && strings.HasSuffix(entry, "/"+name)
}

// othersProc is what of another process's directory in /proc is opened; it is empty for the directory itself.
func (op Operation) othersProc() (entry string, others bool) {
	pid, entry, in := op.proc()
	return entry, in && pid != op.PID
}

// proc is what of which process's directory in /proc is opened.
func (op Operation) proc() (pid int, entry string, in bool) {
	if op.Kind != Read && op.Kind != Write || op.Unresolved || op.Object {
		return 0, "", false
	}
	rest, inProc := strings.CutPrefix(fold(op.Path), "/proc/")
	process, entry, _ := strings.Cut(rest, "/")
	pid, err := strconv.Atoi(process)
	return pid, entry, inProc && err == nil
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
