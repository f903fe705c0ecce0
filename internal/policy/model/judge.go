// SPDX-License-Identifier: Apache-2.0

package model

import (
	"cmp"

	"github.com/kubearmor/kubearmor-operator/internal/policy"
)

// claim is a rule that matches the question.
type claim struct {
	rule *policy.Rule
	ref  policy.Ref
	// action of the rule for this workload: Block is Audit where the workload is audited.
	action policy.Action
	// audited: the action was Block.
	audited bool
	rank    rank
	outcome outcome
}

// answer is the verdict of one domain.
func (w Workload) answer(q question) Verdict {
	if q.Unresolved && (q.domain == policy.DomainProcess || q.domain == policy.DomainFile) {
		return w.unresolved(q)
	}
	best := w.decider(q)
	if best == nil {
		return w.undecided(q)
	}
	switch best.outcome {
	case outcomePosture:
		return w.posture(q, best.onlyAllows())
	case outcomeAllow:
		return best.verdict(policy.ActionAllow, q)
	default:
		return best.verdict(best.action, q)
	}
}

// decider is the claim that decides: of the highest rank, of the strongest outcome there, and where several are equal,
// of the highest severity, then by the names of policy and rule. It is nil when no rule matches. Only a raw socket may be
// of two words of one rank, icmp and raw: of equal outcomes, the one that names the protocol decides.
func (w Workload) decider(q question) *claim {
	var best *claim
	w.eachRule(q.domain, func(ref policy.Ref, r *policy.Rule, action policy.Action) {
		rank, matches := w.rankOf(r, q)
		if !matches {
			return
		}
		c := &claim{rule: r, ref: ref, action: action, audited: action != r.Action, rank: rank}
		c.outcome = outcomeOf(action, isConditional(r), len(failing(r, q)) == 0)
		if best == nil || precedence(c, best) > 0 {
			best = c
		}
	})
	return best
}

// precedence is positive when a decides and not b.
func precedence(a, b *claim) int {
	return cmp.Or(
		compareRanks(a.rank, b.rank),
		cmp.Compare(a.outcome, b.outcome),
		cmp.Compare(isRaw(b.rule), isRaw(a.rule)),
		cmp.Compare(a.rule.Severity, b.rule.Severity),
		cmp.Compare(b.ref.Kind, a.ref.Kind),
		cmp.Compare(b.ref.Namespace, a.ref.Namespace),
		cmp.Compare(b.ref.Name, a.ref.Name),
		cmp.Compare(b.rule.At, a.rule.At),
	)
}

// eachRule of a domain, with the action that it has for this workload.
func (w Workload) eachRule(d policy.Domain, visit func(policy.Ref, *policy.Rule, policy.Action)) {
	for i := range w.Policies {
		p := &w.Policies[i]
		for j := range p.Policy.Rules {
			r := &p.Policy.Rules[j]
			if r.Domain == d && r.Preset == "" {
				visit(p.Policy.Ref, r, effective(r, p.AuditOnly))
			}
		}
	}
}

// effective action of a rule: system calls are only ever audited, and an audited workload is not blocked.
func effective(r *policy.Rule, auditOnly bool) policy.Action {
	if r.Domain == policy.DomainSyscalls || auditOnly && r.Action == policy.ActionBlock {
		return policy.ActionAudit
	}
	return r.Action
}

func (c *claim) verdict(action policy.Action, q question) Verdict {
	return Verdict{
		Action: action, Policy: c.ref.String(), Ref: c.ref, Rule: c.rule.At, Reason: c.reason(q),
		Severity: c.rule.Severity, Tags: c.rule.Tags, Message: c.rule.Message,
	}
}
