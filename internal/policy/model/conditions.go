// SPDX-License-Identifier: Apache-2.0

package model

import (
	"slices"
	"strings"

	"github.com/kubearmor/kubearmor-operator/internal/policy"
)

// conditions that an operation meets, but for the arguments, which each rule has its own of.
type conditions struct {
	// owner: the task owns the object, or nobody does yet.
	owner bool
	// read: the operation does not write.
	read bool
	// noTerminal: no terminal is attached.
	noTerminal bool
}

func (op Operation) conditions(nobodys bool, owner uint32) conditions {
	return conditions{
		owner:      nobodys || op.UID == owner,
		read:       op.Kind == Read || op.Kind == Exec,
		noTerminal: !op.Terminal,
	}
}

// outcome of one rule for an operation that it matches. They grow with precedence.
type outcome int

// The outcomes. Posture is that of an Allow rule whose conditions fail: it allows no more than a rule that is not there,
// but it is the most specific one, so that no other rule is looked at.
const (
	outcomePosture outcome = iota + 1
	outcomeAllow
	outcomeAudit
	outcomeBlock
)

// outcomeOf a rule: a Block or Audit rule spares what meets all of its conditions, an Allow rule allows only that.
func outcomeOf(action policy.Action, conditional, met bool) outcome {
	switch {
	case action == policy.ActionAllow && met:
		return outcomeAllow
	case action == policy.ActionAllow:
		return outcomePosture
	case conditional && met:
		return outcomeAllow
	case action == policy.ActionAudit:
		return outcomeAudit
	default:
		return outcomeBlock
	}
}

func isConditional(r *policy.Rule) bool {
	return r.OwnerOnly || r.ReadOnly || r.NoTerminal || len(r.AllowedArgs) > 0
}

// failing are the conditions of the rule that the operation does not meet, as words for a sentence: "denies writes".
func failing(r *policy.Rule, q question) []string {
	var words []string
	if r.OwnerOnly && !q.meets.owner {
		words = append(words, "users other than the file's owner (ownerOnly)")
	}
	if r.ReadOnly && !q.meets.read {
		words = append(words, "writes (readOnly)")
	}
	if r.NoTerminal && !q.meets.noTerminal {
		words = append(words, "processes with a terminal (pts: false)")
	}
	if len(r.AllowedArgs) > 0 && q.unknownArgs {
		words = append(words, "any arguments that it may get (allowedArgs)")
	} else if argument, found := forbidden(r, q); found {
		words = append(words, "the argument "+quote(argument)+" (allowedArgs)")
	}
	return words
}

// passing are all conditions of the rule, as words for a sentence: "allows reads".
func passing(r *policy.Rule) []string {
	var words []string
	if r.OwnerOnly {
		words = append(words, "the file's owner (ownerOnly)")
	}
	if r.ReadOnly {
		words = append(words, "reads (readOnly)")
	}
	if r.NoTerminal {
		words = append(words, "processes without a terminal (pts: false)")
	}
	if len(r.AllowedArgs) > 0 {
		words = append(words, "these arguments (allowedArgs)")
	}
	return words
}

// forbidden is the first argument that the rule does not list, if it lists any.
func forbidden(r *policy.Rule, q question) (string, bool) {
	if len(r.AllowedArgs) == 0 {
		return "", false
	}
	for _, argument := range q.Args {
		if !slices.Contains(r.AllowedArgs, argument) {
			return argument, true
		}
	}
	return "", false
}

func and(words []string) string { return strings.Join(words, " and ") }
