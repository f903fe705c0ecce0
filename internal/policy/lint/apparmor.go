// SPDX-License-Identifier: Apache-2.0

package lint

import (
	"slices"
	"strings"

	"github.com/kubearmor/kubearmor-operator/internal/policy"
	"github.com/kubearmor/kubearmor-operator/internal/policy/compile"
	"github.com/kubearmor/kubearmor-operator/internal/policy/model"
)

// inAppArmor names what AppArmor's language lacks. Sources: apparmor.d(5) on qualifiers, file rules and network rules;
// security/apparmor/net.c, which compares family and type of a socket and not its protocol.
func inAppArmor(p policy.Policy) []Unsupported {
	u := &unsupported{backend: AppArmor}
	for i := range p.Rules {
		r := &p.Rules[i]
		u.lacking(r, "AppArmor")
		if p.Ref.Kind == policy.KindHostPolicy && len(r.Sources) == 0 && r.Domain != policy.DomainDevice {
			u.refuse(r.At, ReasonHost, "an AppArmor profile confines a program, not a machine; name programs in fromSource")
		}
		if r.OwnerOnly && r.Action != policy.ActionAllow {
			u.refuse(r.At, compile.ReasonOwnerOnly,
				"AppArmor's qualifier owner narrows a rule to the owner; no qualifier means everybody else")
		}
		if protocol := strings.ToLower(r.Protocol); slices.Contains([]string{"icmp", "icmpv6", "sctp", "dccp"}, protocol) {
			u.refuse(r.At, compile.ReasonNetwork,
				"AppArmor tells sockets apart by family and type, and %s shares both with other protocols", protocol)
		}
		if by, is := exceptionFrom(p, i); is {
			u.refuse(r.At, compile.ReasonException,
				"in AppArmor a deny rule wins over any allow rule, so this exception from %s would have no effect", by)
		}
	}
	return u.sorted()
}

// exceptionFrom says whether a rule takes something out of a less specific Block rule, and out of which. It tries one
// path that the rule matches.
func exceptionFrom(p policy.Policy, i int) (string, bool) {
	r := &p.Rules[i]
	op, found := sample(r)
	if !found || r.Action == policy.ActionBlock {
		return "", false
	}
	one := func(rules ...policy.Rule) model.Verdict {
		only := p
		only.Rules = rules
		return model.Workload{Policies: []model.Selected{{Policy: only}}}.Judge(op)
	}
	for j := range p.Rules {
		s := &p.Rules[j]
		if s.Domain != r.Domain || s.Action != policy.ActionBlock || !strings.HasPrefix(op.Path, s.Directory+s.Path) ||
			one(*s).Action != policy.ActionBlock {
			continue
		}
		if v := one(*s, *r); v.Rule == r.At && v.Action < policy.ActionBlock {
			return s.At, true
		}
	}
	return "", false
}

// sample is an operation that the rule matches and whose conditions it meets, for rules on paths but globs.
func sample(r *policy.Rule) (model.Operation, bool) {
	op := model.Operation{Kind: model.Write, Args: r.AllowedArgs}
	switch {
	case r.Domain == policy.DomainProcess:
		op.Kind = model.Exec
	case r.Domain != policy.DomainFile:
		return op, false
	case r.ReadOnly:
		op.Kind = model.Read
	}
	if len(r.Sources) > 0 {
		op.Source = r.Sources[0].Path
	}
	switch {
	case r.Path != "":
		op.Path = r.Path
	case r.Directory != "":
		op.Path = r.Directory + "x"
	case r.ExecName != "":
		op.Path = "/usr/bin/" + r.ExecName
	default:
		return op, false
	}
	return op, true
}
