// SPDX-License-Identifier: Apache-2.0

// Package enforcer names what every enforcer of a node has in common; each of its folders is one.
package enforcer

import (
	"errors"
	"path/filepath"
	"slices"

	"github.com/go-logr/logr"

	operatorv1 "github.com/kubearmor/kubearmor-operator/api/operator/v1"
	"github.com/kubearmor/kubearmor-operator/internal/cgroup"
	"github.com/kubearmor/kubearmor-operator/internal/policy/compile"
	"github.com/kubearmor/kubearmor-operator/internal/sensor"
)

// What an enforcer reports.
type (
	// Event is one verdict of the kernel.
	Event = sensor.Event
	// Stats is the state of the kernel's side.
	Stats = sensor.Stats
	// Core is the kernel's side of an enforcer.
	Core = sensor.Core
)

// What events name.
const (
	OperationExec     = sensor.OperationExec
	OperationOpen     = sensor.OperationOpen
	OperationCreate   = sensor.OperationCreate
	OperationUnlink   = sensor.OperationUnlink
	OperationSetattr  = sensor.OperationSetattr
	OperationSocket   = sensor.OperationSocket
	OperationBind     = sensor.OperationBind
	OperationListen   = sensor.OperationListen
	OperationConnect  = sensor.OperationConnect
	OperationAccept   = sensor.OperationAccept
	OperationSendmsg  = sensor.OperationSendmsg
	OperationCapable  = sensor.OperationCapable
	OperationLookup   = sensor.OperationLookup
	OperationMmap     = sensor.OperationMmap
	OperationMprotect = sensor.OperationMprotect
	OperationPtrace   = sensor.OperationPtrace
	OperationSyscall  = sensor.OperationSyscall
	RuleUnresolved    = sensor.RuleUnresolved
	RulePosture       = sensor.RulePosture
)

// Abilities of the core: what the enforcers that share it can hold, also the one that only observes.
func Abilities() compile.Abilities { return compile.Everything() }

// AbilitiesOf a core that is attached: on some nodes it cannot look into DNS queries, or judge every operation on files.
func AbilitiesOf(s Stats) compile.Abilities {
	a := Abilities()
	if slices.Contains(s.Missing, sensor.HookLookup) {
		a = a.Without(compile.DomainDNS)
	}
	if slices.Contains(s.Missing, sensor.HookCall) {
		a = a.Without(compile.DomainSyscalls)
	}
	a.NotJudged, a.Presets = s.NotJudged(), s.Presets()
	return a
}

// Options of an enforcer.
type Options struct {
	// HostRoot is where the host's folders are mounted; "/" on the host itself.
	HostRoot string
	Logger   logr.Logger
}

// BPFFS is the host's bpffs as this process sees it: the parent of the pinned folder.
func (o Options) BPFFS() string { return filepath.Join(o.HostRoot, filepath.Dir(operatorv1.PinPath)) }

// Cgroups is the root of the host's cgroup v2 hierarchy as this process sees it.
func (o Options) Cgroups() string { return filepath.Join(o.HostRoot, cgroup.Top) }

// Detach takes everything of the product off the node, whoever put it there.
func Detach(o Options) error { return sensor.DetachAll(o.BPFFS()) }

// Pinned says whether an agent left an attached core on the node; links are pinned last (internal/sensor).
func Pinned(o Options) bool {
	links, _ := filepath.Glob(filepath.Join(o.HostRoot, operatorv1.PinPath, "*", "links", "*"))
	return len(links) > 0
}

// Lost counts the events that the kernel could not hand over or that could not be read, out of all that Stats counts:
// the others are operations that could not be judged by their path.
func Lost(s Stats) uint64 {
	return s.Drops["denial_ring_full"] + s.Drops["audit_ring_full"] + s.Drops["log_ring_full"] + s.Drops["event_undecodable"]
}

// Reason is the typed reason of an error of Open or Apply.
func Reason(err error) string {
	var full *sensor.TableFullError
	var load *sensor.LoadError
	switch {
	case errors.As(err, &full):
		return operatorv1.ReasonTableFull
	case errors.As(err, &load) && load.Reason != "":
		return load.Reason
	default:
		return operatorv1.ReasonCoreLoadFailed
	}
}

// RefusedRule gives the rule for which Apply refused a whole set, and the problem with it. That the compiler lets no such
// rule through is tested; were it otherwise, one policy must not keep all others out of force.
func RefusedRule(err error) (id compile.RuleID, problem string, refused bool) {
	var rule *sensor.RuleError
	if !errors.As(err, &rule) {
		return 0, "", false
	}
	return rule.Rule.ID, rule.Problem, true
}
