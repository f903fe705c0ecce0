// SPDX-License-Identifier: Apache-2.0

package lint

import (
	"fmt"
	"slices"

	"github.com/kubearmor/kubearmor-operator/internal/policy"
	"github.com/kubearmor/kubearmor-operator/internal/policy/compile"
)

// Backend is what enforces on a node.
type Backend string

// The backends.
const (
	BPF      Backend = "bpf"
	AppArmor Backend = "apparmor"
	SELinux  Backend = "selinux"
)

// Backends in the order of their reports.
func Backends() []Backend { return []Backend{BPF, AppArmor, SELinux} }

// Unsupported is a rule that a backend cannot express. On nodes with that backend it is left out, and they say so.
type Unsupported struct {
	Backend Backend
	Rule    string
	Reason  compile.Reason
	Message string
}

// ReasonHost: the backend confines programs, not a machine.
const ReasonHost compile.Reason = "HostUnsupported"

// unsupported collects what one backend cannot express of a policy.
type unsupported struct {
	backend Backend
	found   []Unsupported
}

func (u *unsupported) refuse(at string, reason compile.Reason, format string, args ...any) {
	u.found = append(u.found, Unsupported{u.backend, at, reason, fmt.Sprintf(format, args...)})
}

// Expressible says what the backends cannot express, by backend and then by the place of the rule. BPF's answer is the
// compiler's, for a core with these abilities; the others' are what their languages lack, whatever a generator may do.
func Expressible(p policy.Policy, core compile.Abilities) []Unsupported {
	all := inBPF(p, core)
	all = append(all, inAppArmor(p)...)
	return append(all, inSELinux(p)...)
}

// lacking are the properties of a rule that neither AppArmor nor SELinux has a word for.
func (u *unsupported) lacking(r *policy.Rule, product string) {
	if len(r.AllowedArgs) > 0 {
		u.refuse(r.At, compile.ReasonArguments, "%s does not see the arguments of a program", product)
	}
	if r.NoTerminal {
		u.refuse(r.At, compile.ReasonTerminal, "%s has no condition on the terminal of a process", product)
	}
	switch {
	case r.Preset != "":
		u.refuse(r.At, compile.ReasonPreset, "%s has no rule for the preset %s", product, r.Preset)
	case r.Domain == policy.DomainDNS:
		u.refuse(r.At, compile.ReasonDNS, "%s does not see the names that are looked up", product)
	case r.Domain == policy.DomainSyscalls:
		u.refuse(r.At, compile.ReasonSyscalls, "%s does not see system calls as such", product)
	case r.Domain == policy.DomainDevice:
		u.refuse(r.At, compile.ReasonDevice, "%s has no rule on USB devices by class", product)
	}
}

func (u *unsupported) sorted() []Unsupported {
	slices.SortStableFunc(u.found, func(a, b Unsupported) int { return compareAt(a.Rule, b.Rule) })
	return u.found
}
