// SPDX-License-Identifier: Apache-2.0

package model

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/kubearmor/kubearmor-operator/internal/policy"
)

// Who gives an object another name takes it away from under the rules that name it. Rename and Link are writes of the file
// domain, of the old path and of the new one; besides, on the old path,
//
//   - a rule of the process domain that blocks the execution of the object blocks the new name too. What its arguments
//     will be is not known, so allowedArgs spares nothing;
//   - a directory that anything is below which a Block rule names, by path or as a directory, keeps its name. Conditions
//     do not matter here, sources do. Patterns and execnames are not looked for: they name no place.
//
// No other rule of the process domain has a say, and no posture. The task's executable is the source in both.

// leaves gives these verdicts; there may be none.
func (w Workload) leaves(op Operation) []Verdict {
	if op.Kind != Rename && op.Kind != Link || op.Object {
		return nil
	}
	q := op.questions(w.Root)[0]
	var blocks []Verdict
	for _, v := range []Verdict{w.executionOf(q), w.inside(policy.DomainProcess, q), w.inside(policy.DomainFile, q)} {
		if v.Action == policy.ActionBlock {
			blocks = append(blocks, v)
		}
	}
	return blocks
}

// executionOf is the verdict of the process domain's rules on the object that gets another name.
func (w Workload) executionOf(q question) Verdict {
	q.domain, q.unknownArgs = policy.DomainProcess, true
	if q.Unresolved {
		return w.unresolvedByRules(q)
	}
	if best := w.decider(q); best != nil && best.outcome == outcomeBlock {
		return best.verdict(policy.ActionBlock, q)
	}
	return Verdict{}
}

// inside is the verdict on a directory below which a Block rule names something. Of several such rules, those for the
// task's executable come first, then exact paths, then the first name.
func (w Workload) inside(d policy.Domain, q question) Verdict {
	if !q.Directory {
		return Verdict{}
	}
	if q.Unresolved {
		q.domain = d
		return w.unresolvedByRules(q)
	}
	var first *claim
	var firstName string
	w.eachRule(d, func(ref policy.Ref, r *policy.Rule, action policy.Action) {
		name, found := w.nameBelow(r, strings.TrimSuffix(q.path, "/")+"/")
		if !found || action != policy.ActionBlock || !w.sourceMatches(r, q.Source) {
			return
		}
		c := &claim{rule: r, ref: ref, action: action, outcome: outcomeBlock}
		if first == nil || cmp.Or(
			cmp.Compare(min(len(r.Sources), 1), min(len(first.rule.Sources), 1)), cmp.Compare(len(first.rule.Directory), 0)-cmp.Compare(len(r.Directory), 0),
			cmp.Compare(firstName, name), precedence(c, first)) > 0 {
			first, firstName = c, name
		}
	})
	if first == nil {
		return Verdict{}
	}
	return Verdict{
		Action: policy.ActionBlock, Policy: first.ref.String(), Ref: first.ref, Rule: first.rule.At,
		Reason:   fmt.Sprintf("%s names something in this directory, and would lose it", first.name()),
		Severity: first.rule.Severity, Tags: first.rule.Tags, Message: first.rule.Message,
	}
}

// nameBelow is the first name that a rule has at or below a directory.
func (w Workload) nameBelow(r *policy.Rule, directory string) (name string, found bool) {
	var names []string
	switch {
	case r.Path != "":
		names = w.namesOfFile(r.Path)
	case r.Directory != "":
		names = w.namesOfDirectory(r.Directory)
	}
	for _, n := range names {
		if strings.HasPrefix(n, directory) && (!found || n < name) {
			name, found = n, true
		}
	}
	return name, found
}
