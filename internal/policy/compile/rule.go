// SPDX-License-Identifier: Apache-2.0

package compile

import (
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"hash"
	"slices"

	"github.com/kubearmor/kubearmor-operator/internal/policy"
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
	// Preset that it is, or empty.
	Preset string
}

// firstRuleID and lastRuleID keep the ids at both ends for verdicts that no rule of a policy made.
const (
	firstRuleID = 1 << 16
	lastRuleID  = 1<<64 - 1<<16
)

// candidate is a rule with the policy that it comes from and the action that it has for one workload.
type candidate struct {
	*policy.Rule
	ref        Ref
	id         RuleID
	effective  Action
	conditions Conditions
	// arguments that are permitted, in order, each once.
	arguments []string
}

func newCandidate(r *policy.Rule, ref Ref, auditOnly bool) *candidate {
	c := &candidate{Rule: r, ref: ref, effective: r.Action, conditions: conditionsOf(r), arguments: ordered(r.AllowedArgs)}
	if auditOnly && c.effective == ActionBlock {
		c.effective = ActionAudit
	}
	c.id = c.identity()
	return c
}

// identity is derived from the policy's name and from what the rule does, never from its place or its texts: a policy
// that is edited keeps the ids of the rules that did not change.
func (c *candidate) identity() RuleID {
	h := sha256.New()
	write(h, c.ref.Kind, c.ref.Namespace, c.ref.Name, nameOf(c.Rule))
	h.Write([]byte{byte(c.Domain), byte(matchOf(c.Rule)), byte(c.Action), byte(c.effective), byte(c.conditions)})
	sources := make([]string, 0, len(c.Sources))
	for _, source := range c.Sources {
		sources = append(sources, sourceOf(source, source.Path+source.Directory))
	}
	write(h, ordered(sources)...)
	write(h, c.arguments...)
	return min(max(RuleID(binary.LittleEndian.Uint64(h.Sum(nil))), firstRuleID), lastRuleID)
}

// ordered texts, each once: nothing depends on how they were written down.
func ordered(texts []string) []string {
	return slices.Compact(slices.Sorted(slices.Values(texts)))
}

func (c *candidate) info() RuleInfo {
	return RuleInfo{
		Policy: c.ref, Severity: c.Severity, Tags: c.Tags, Message: c.Message,
		Action: c.Action, Effective: c.effective, Rule: c.At, Preset: c.Preset,
	}
}

// precedence is the order of equal outcomes: the higher severity, then by name, so that the order of arrival never
// matters. It is negative when a comes first.
func precedence(a, b *candidate) int {
	return cmp.Or(cmp.Compare(b.Severity, a.Severity), compareRefs(a.ref, b.ref), cmp.Compare(a.At, b.At))
}

func compareRefs(a, b Ref) int {
	return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Name, b.Name))
}

// identify names a profile by its content: its rules in their order, its postures, what is visible, and what its automata are made of.
func (b *built) identify() ProfileID {
	h := sha256.New()
	for i := range b.profile.Rules {
		r := &b.profile.Rules[i]
		var id [8]byte
		binary.LittleEndian.PutUint64(id[:], uint64(r.ID))
		h.Write(append(id[:], byte(r.Match)))
		write(h, r.Path, r.Source)
	}
	for domain := range Domain(policy.Domains) {
		h.Write([]byte{byte(b.profile.Postures[domain])})
	}
	h.Write([]byte{byte(b.profile.Visible)})
	for _, f := range b.fitted {
		write(h, f.key)
	}
	return ProfileID(binary.LittleEndian.Uint64(h.Sum(nil)) | 1)
}

// write puts texts into a hash, so that no two lists of texts write the same.
func write(h hash.Hash, texts ...string) {
	var length [8]byte
	binary.LittleEndian.PutUint64(length[:], uint64(len(texts)))
	h.Write(length[:])
	for _, s := range texts {
		binary.LittleEndian.PutUint64(length[:], uint64(len(s)))
		h.Write(length[:])
		h.Write([]byte(s))
	}
}
