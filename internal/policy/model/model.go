// SPDX-License-Identifier: Apache-2.0

// Package model is the reference model of the policy language: what any set of policies means for any operation of any
// workload. It has no tables, no automata and no kernel; it looks at one rule after the other. The compiler, the core
// and every other backend are tested against it. Read it in this order:
//
//  1. Selection (select.go): which policies hold for a container or for the host, and with which postures.
//  2. Operations (operation.go): what is asked. Each question belongs to one domain; domains never mix.
//  3. Matching (paths.go, network.go, capabilities.go, dns.go, syscalls.go): every rule whose "what" and "source" match
//     the question competes, with a rank that says how exactly it names the operation (ranks.go). Symlinks of the
//     workload's own root are followed (aliases.go).
//  4. Judging (judge.go): the rules of the highest rank decide, and no other rule is looked at. Each of them has an
//     outcome, which its action and its conditions make (conditions.go), and the strongest outcome is the verdict:
//     Block over Audit over Allow over posture, whichever policy it comes from.
//  5. Postures (postures.go): one Allow rule makes a domain an allow-list. What no rule decides there gets the posture;
//     elsewhere it passes. The same file says what happens to a path that cannot be resolved.
//  6. Names (renames.go): what has a name that a Block rule blocks does not get another one.
//  7. Presets (presets.go) are judged beside the domains; the stronger verdict holds.
//
// Which operations are only logged is no verdict: visibility.go.
package model

import "github.com/kubearmor/kubearmor-operator/internal/policy"

// Workload is a container, or the host, with the policies that select it. Select makes one.
type Workload struct {
	// Policies in any order; the order never matters.
	Policies []Selected
	// Postures of DomainFile (processes too), DomainNetwork (DNS too) and DomainCapabilities; audit where there is none.
	Postures map[policy.Domain]policy.Posture
	// Root follows the symlinks of the workload's own root; without one, every path is taken as it is written.
	Root Resolver
}

// Selected is a policy that selects the workload.
type Selected struct {
	Policy policy.Policy
	// AuditOnly: the workload is annotated kubearmor-policy: audited, so Block means Audit, for rules and postures.
	AuditOnly bool
}

// Names that stand for a policy where no policy decided. Alerts carry them as PolicyName.
const (
	DefaultPosture = "DefaultPosture"
	UnresolvedPath = "UnresolvedPath"
)

// Verdict on an operation.
type Verdict struct {
	// Action is Allow, Audit or Block.
	Action policy.Action
	// Policy is its Ref as text, DefaultPosture, UnresolvedPath, or empty where nothing decided.
	Policy string
	// Ref of the policy and place of the rule that decided; zero where none did.
	Ref  policy.Ref
	Rule string
	// Reason is one sentence for people.
	Reason string

	// What an alert says besides.
	Severity int
	Tags     []string
	Message  string
}

// Judge says what happens to an operation of the workload.
func (w Workload) Judge(op Operation) Verdict {
	verdicts := make([]Verdict, 0, 3)
	for i, q := range op.questions(w.Root) {
		verdicts = append(verdicts, w.answer(q))
		if i == 0 {
			verdicts = append(verdicts, w.leaves(op)...)
		}
	}
	if v, concerned := w.presets(op); concerned {
		verdicts = append(verdicts, v)
	}
	return strongest(verdicts)
}

// strongest of the verdicts on one operation; the first one where several are equally strong.
func strongest(verdicts []Verdict) Verdict {
	best := verdicts[0]
	for _, v := range verdicts[1:] {
		if v.Action > best.Action {
			best = v
		}
	}
	return best
}
