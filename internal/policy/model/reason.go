// SPDX-License-Identifier: Apache-2.0

package model

import (
	"fmt"
	"strconv"

	"github.com/kubearmor/kubearmor-operator/internal/policy"
)

const audited = "which only audits because the workload is annotated kubearmor-policy: audited"

// reason says which rule decided, and what about the operation made its outcome.
func (c *claim) reason(q question) string {
	sentence := c.name() + " " + c.does(q)
	if c.audited && c.outcome > outcomeAllow {
		sentence += ", " + audited
	}
	return sentence
}

func (c *claim) does(q question) string {
	conditional := isConditional(c.rule)
	switch {
	case c.outcome == outcomeAllow && !conditional:
		return "allows it"
	case c.outcome == outcomeAllow && c.action == policy.ActionAllow:
		return "allows " + and(passing(c.rule))
	case c.outcome == outcomeAllow:
		return "spares " + and(passing(c.rule))
	case !conditional:
		return verb(c.rule.Action) + " it"
	default:
		return verb(c.rule.Action) + " " + and(failing(c.rule, q))
	}
}

// onlyAllows is why the posture decides, although an Allow rule matches.
func (c *claim) onlyAllows() string {
	return fmt.Sprintf("%s allows only %s, and %s is an allow-list", c.name(), and(passing(c.rule)), c.rule.Domain)
}

// name of the rule for people: "the exact path rule spec.file.matchPaths[0] of KubeArmorPolicy shop/x".
func (c *claim) name() string {
	return fmt.Sprintf("the %s rule %s of %s", describe(c.rule), c.rule.At, c.ref)
}

func describe(r *policy.Rule) string {
	what := whatOf(r)
	if len(r.Sources) > 0 {
		return what + " and source"
	}
	return what
}

func whatOf(r *policy.Rule) string {
	switch {
	case r.Preset != "":
		return "preset"
	case r.Domain == policy.DomainSyscalls:
		return "system call"
	case r.Path != "":
		return "exact path"
	case r.ExecName != "":
		return "execname"
	case r.Pattern != "":
		return "pattern"
	case r.Directory != "" && r.Recursive:
		return "recursive directory"
	case r.Directory != "":
		return "directory"
	case r.Protocol != "":
		return "protocol"
	case r.DNSName != "":
		return "domain name"
	default:
		return "capability"
	}
}

func verb(a policy.Action) string {
	switch a {
	case policy.ActionBlock:
		return "denies"
	case policy.ActionAudit:
		return "audits"
	default:
		return "allows"
	}
}

// quote bounds what a sentence repeats of an operation.
func quote(s string) string {
	const most = 80
	if len(s) > most {
		return strconv.Quote(s[:most]) + "…"
	}
	return strconv.Quote(s)
}
