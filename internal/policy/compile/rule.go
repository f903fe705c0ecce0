// SPDX-License-Identifier: Apache-2.0

package compile

import (
	"crypto/sha256"
	"encoding/binary"

	securityv1 "github.com/kubearmor/kubearmor-operator/api/security/v1"
)

// RuleInfo is what an alert says about the rule that matched. An event carries only the rule's id.
type RuleInfo struct {
	Policy   Ref
	Severity int
	Tags     []string
	Message  string
	// Action as the policy has it. Effective differs from it where the workload is audited: Block becomes Audit.
	Action, Effective Action
	// Rule is its place in the object: spec.process.matchPaths[3].
	Rule string
}

// parsed is one rule of a policy, with the cascade resolved. A rule that is not enforceable is parsed too: it may be
// an exception from one that is.
type parsed struct {
	at       string
	domain   Domain
	action   Action
	scope    scope
	severity int
	tags     []string
	message  string
	// sparing says that it spares some of the operations that it matches (the owner's, the reads, …).
	sparing bool
	// unsupported is empty for a rule that the core can hold.
	unsupported Reason
	why         string
}

func (p *parsed) refuse(reason Reason, why string) {
	if p.unsupported == "" {
		p.unsupported, p.why = reason, why
	}
}

// firstRuleID and lastRuleID keep the ids at both ends for verdicts that no rule of a policy made.
const (
	firstRuleID = 1 << 16
	lastRuleID  = 1<<64 - 1<<16
)

// id is derived from the policy's identity and from what the rule does, never from its place or its texts: a policy
// that is edited keeps the ids of the rules that did not change.
func (p *parsed) id(ref Ref, effective Action) RuleID {
	h := sha256.New()
	for _, s := range []string{ref.Kind, ref.Namespace, ref.Name, p.scope.path} {
		var length [8]byte
		binary.LittleEndian.PutUint64(length[:], uint64(len(s)))
		h.Write(length[:])
		h.Write([]byte(s))
	}
	h.Write([]byte{byte(p.domain), byte(p.scope.match()), byte(p.action), byte(effective)})
	id := RuleID(binary.LittleEndian.Uint64(h.Sum(nil)))
	return min(max(id, firstRuleID), lastRuleID)
}

func (p *parsed) info(ref Ref, effective Action) RuleInfo {
	return RuleInfo{
		Policy: ref, Severity: p.severity, Tags: p.tags, Message: p.message,
		Action: p.action, Effective: effective, Rule: p.at,
	}
}

// nearest resolves the cascade: the first of reports, from the rule outwards, that sets a field.
func nearest(reports ...securityv1.Report) (Action, int, []string, string) {
	action, severity, message := ActionNone, 0, ""
	var tags []string
	for _, r := range reports {
		if action == ActionNone {
			action = actionOf(r.Action)
		}
		if severity == 0 {
			severity = int(r.Severity)
		}
		if tags == nil && len(r.Tags) > 0 {
			tags = r.Tags
		}
		if message == "" {
			message = r.Message
		}
	}
	if action == ActionNone {
		action = ActionBlock
	}
	return action, severity, tags, message
}

func actionOf(a securityv1.Action) Action {
	switch a {
	case securityv1.ActionAllow:
		return ActionAllow
	case securityv1.ActionAudit:
		return ActionAudit
	case securityv1.ActionBlock:
		return ActionBlock
	default:
		return ActionNone
	}
}
