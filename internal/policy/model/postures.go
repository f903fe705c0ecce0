// SPDX-License-Identifier: Apache-2.0

package model

import (
	"fmt"

	"github.com/kubearmor/kubearmor-operator/internal/policy"
)

// isAllowList says whether a domain has an Allow rule, of whatever policy, source and conditions.
func (w Workload) isAllowList(d policy.Domain) bool {
	return w.strongestAction(d, policy.ActionAllow, policy.ActionAllow) != policy.ActionNone
}

// strongestAction that a rule of the domain has for this workload, among the actions from least to most.
func (w Workload) strongestAction(d policy.Domain, least, most policy.Action) policy.Action {
	strongest := policy.ActionNone
	w.eachRule(d, func(_ policy.Ref, _ *policy.Rule, action policy.Action) {
		if action >= least && action <= most {
			strongest = max(strongest, action)
		}
	})
	return strongest
}

// undecided: no rule matches. An allow-list has a posture for that; else the operation passes. What is no file (a pipe, a
// socket, memory) passes in the file domain, also in an allow-list: no policy could name it.
func (w Workload) undecided(q question) Verdict {
	if q.Object && q.domain == policy.DomainFile {
		return Verdict{Action: policy.ActionAllow, Reason: "it is on no file: a pipe, a socket or memory, which no policy can name"}
	}
	if w.isAllowList(q.domain) {
		return w.posture(q, fmt.Sprintf("no rule allows it, and %s is an allow-list", q.domain))
	}
	return Verdict{Action: policy.ActionAllow, Reason: "no rule matches it, and no Allow rule makes its domain an allow-list"}
}

// posture is the verdict on what the allow-list does not allow; because is why it does not.
func (w Workload) posture(q question, because string) Verdict {
	posture := w.postureOf(q.domain)
	v := Verdict{Action: actionOf(posture), Policy: DefaultPosture, Reason: fmt.Sprintf("%s with the posture %s", because, posture)}
	if v.Action == policy.ActionBlock && w.isAudited() {
		v.Action = policy.ActionAudit
		v.Reason += ", " + audited
	}
	return v
}

// postureOf a domain: processes share that of files, DNS that of the network. It is audit unless set.
func (w Workload) postureOf(d policy.Domain) policy.Posture {
	switch d {
	case policy.DomainProcess:
		d = policy.DomainFile
	case policy.DomainDNS:
		d = policy.DomainNetwork
	}
	if posture := w.Postures[d]; isPosture(posture) {
		return posture
	}
	return policy.PostureAudit
}

func isPosture(p policy.Posture) bool {
	return p == policy.PostureAllow || p == policy.PostureAudit || p == policy.PostureBlock
}

func actionOf(p policy.Posture) policy.Action {
	switch p {
	case policy.PostureBlock:
		return policy.ActionBlock
	case policy.PostureAllow:
		return policy.ActionAllow
	default:
		return policy.ActionAudit
	}
}

func (w Workload) isAudited() bool {
	for i := range w.Policies {
		if w.Policies[i].AuditOnly {
			return true
		}
	}
	return false
}

// unresolved is the verdict on an operation whose path the kernel cannot tell. It may be any path: where anything is
// blocked, it might be that, and an allow-list does not know it. The stronger of the two holds. It is always counted.
func (w Workload) unresolved(q question) Verdict {
	byRules := w.unresolvedByRules(q)
	if !w.isAllowList(q.domain) {
		return byRules
	}
	posture := w.posture(q, fmt.Sprintf("%s, and %s is an allow-list", pathless, q.domain))
	posture.Policy = UnresolvedPath
	return strongest([]Verdict{byRules, posture})
}

const pathless = "the kernel cannot tell its path"

// unresolvedByRules is the verdict where no posture has a say.
func (w Workload) unresolvedByRules(q question) Verdict {
	switch w.strongestAction(q.domain, policy.ActionAudit, policy.ActionBlock) {
	case policy.ActionBlock:
		return Verdict{Action: policy.ActionBlock, Policy: UnresolvedPath, Reason: pathless + ", and a rule of its domain blocks"}
	case policy.ActionAudit:
		return Verdict{Action: policy.ActionAudit, Policy: UnresolvedPath, Reason: pathless + ", and a rule of its domain audits"}
	default:
		return Verdict{Action: policy.ActionAllow, Reason: pathless + ", and no rule of its domain blocks or audits"}
	}
}
