// SPDX-License-Identifier: Apache-2.0

package compile

import (
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/kubearmor/kubearmor-operator/internal/policy"
)

// chosen is a rule with the policy that it comes from and the action that it has for one workload.
type chosen struct {
	*parsed
	policy    *Policy
	effective Action
}

// profileOf is the union of the rules of a workload's policies, and what of them is not in force for it.
type profileOf struct {
	rules    []Rule
	infos    map[RuleID]RuleInfo
	withheld map[place]Unsupported
}

// place of a rule among all policies.
type place struct {
	policy Ref
	at     string
}

// slot is what two rules of equal specificity have in common.
type slot struct {
	domain Domain
	path   string
	match  Match
}

// build decides, for the selections of one workload, what the kernel holds. The order of selections does not matter.
func build(selections []Selection, filePosture Posture) profileOf {
	out := profileOf{infos: map[RuleID]RuleInfo{}, withheld: map[place]Unsupported{}}
	enforceable, exceptions := split(selections)
	slots := map[slot]chosen{}
	for _, c := range enforceable {
		if except, found := exceptedBy(c, exceptions); found {
			out.withheld[place{c.policy.Ref, c.at}] = Unsupported{Rule: c.at, Reason: ReasonException, Message: except}
			continue
		}
		if c.action == ActionAllow && filePosture != PostureAllow {
			out.withheld[place{c.policy.Ref, c.at}] = allowList(c)
		}
		key := slot{c.domain, c.scope.path, c.scope.match()}
		if held, taken := slots[key]; !taken || wins(c, held) {
			slots[key] = c
		}
	}
	prune(slots)
	for _, c := range slots {
		id := c.id(c.policy.Ref, c.effective)
		out.infos[id] = c.info(c.policy.Ref, c.effective)
		out.rules = append(out.rules, Rule{
			ID: id, Domain: c.domain, Match: c.scope.match(), Action: c.effective, Path: c.scope.path,
		})
	}
	slices.SortFunc(out.rules, compareRules)
	return out
}

// split tells the rules that the core can hold from those that it cannot and that would permit something.
func split(selections []Selection) (enforceable, exceptions []chosen) {
	for _, s := range selections {
		for i := range s.Policy.rules {
			c := chosen{parsed: &s.Policy.rules[i], policy: s.Policy}
			c.effective = c.action
			if s.AuditOnly && c.action == ActionBlock {
				c.effective = ActionAudit
			}
			switch {
			case c.unsupported == "":
				enforceable = append(enforceable, c)
			case c.scope.rank > 0 && (c.sparing || c.effective < ActionBlock):
				exceptions = append(exceptions, c)
			}
		}
	}
	return enforceable, exceptions
}

// exceptedBy says which rule that is not enforceable would permit something that c denies.
func exceptedBy(c chosen, exceptions []chosen) (string, bool) {
	if c.effective != ActionBlock {
		return "", false
	}
	var found []string
	for _, e := range exceptions {
		if e.domain == c.domain && e.scope.beats(c.scope) && e.scope.intersects(c.scope) {
			found = append(found, fmt.Sprintf("%s of %s", e.at, e.policy.Ref))
		}
	}
	if len(found) == 0 {
		return "", false
	}
	return fmt.Sprintf("%s permits part of what this rule denies and is not enforceable yet (%s)",
		slices.Min(found), "in force alone, this rule would deny too much"), true
}

func allowList(c chosen) Unsupported {
	return Unsupported{Rule: c.at, Reason: ReasonAllowList, Message: "an Allow rule denies what no rule names; " +
		"that is not enforced yet, so the rule only exempts from Block rules that are less specific"}
}

// wins says whether a takes the slot from b: Block over Audit over Allow, then the higher severity, then by name, so
// that the order of arrival never matters.
func wins(a, b chosen) bool {
	if c := cmp.Compare(a.effective, b.effective); c != 0 {
		return c > 0
	}
	if c := cmp.Compare(a.severity, b.severity); c != 0 {
		return c > 0
	}
	if c := compareRefs(a.policy.Ref, b.policy.Ref); c != 0 {
		return c < 0
	}
	return a.at < b.at
}

// prune takes out of slots what cannot decide anything: a plain directory rule under a stronger recursive one of the
// same directory (they are equally specific), and Allow rules of a domain in which nothing else is left.
func prune(slots map[slot]chosen) {
	judging := map[Domain]bool{}
	for key, c := range slots {
		if key.match == MatchDirectory {
			key.match = MatchRecursive
			if deeper, found := slots[key]; found && deeper.effective > c.effective {
				key.match = MatchDirectory
				delete(slots, key)
				continue
			}
		}
		if c.effective != ActionAllow {
			judging[key.domain] = true
		}
	}
	for key := range slots {
		if !judging[key.domain] {
			delete(slots, key)
		}
	}
}

func compareRules(a, b Rule) int {
	return cmp.Or(cmp.Compare(a.Domain, b.Domain), cmp.Compare(a.Path, b.Path), cmp.Compare(a.Match, b.Match))
}

func compareRefs(a, b Ref) int {
	return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Name, b.Name))
}

// profileID names sorted rules by their content.
func profileID(rules []Rule) ProfileID {
	h := sha256.New()
	var word [8]byte
	for _, r := range rules {
		binary.LittleEndian.PutUint64(word[:], uint64(r.ID))
		h.Write(word[:])
	}
	return ProfileID(binary.LittleEndian.Uint64(h.Sum(nil)) | 1)
}

// Posture is what an allow-list does with an operation that no rule names.
type Posture = policy.Posture

// The postures.
const (
	PostureAllow = policy.PostureAllow
	PostureAudit = policy.PostureAudit
	PostureBlock = policy.PostureBlock
)
