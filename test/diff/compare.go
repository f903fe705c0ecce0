// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/kubearmor/kubearmor-operator/internal/policy"
	"github.com/kubearmor/kubearmor-operator/internal/policy/compile"
	"github.com/kubearmor/kubearmor-operator/internal/policy/model"
	"github.com/kubearmor/kubearmor-operator/internal/sensor/table"
	"github.com/kubearmor/kubearmor-operator/test/diff/example"
)

// backend answers questions as the core does.
type backend interface {
	// hold replaces what the backend compares with.
	hold(p compile.Profile) error
	ask(q question) (table.Answer, error)
}

// question is a hook's, or one about a name that is looked up.
type question struct {
	table.Question
	name string
}

// pure is the twin as a backend.
type pure struct{ twin }

func (p *pure) hold(profile compile.Profile) (err error) {
	p.twin, err = newTwin(profile)
	return err
}

func (p *pure) ask(q question) (table.Answer, error) { return p.judge(q), nil }

// verdict that both sides give. Which rule lets an operation pass does not matter, so an Allow has no rule.
type verdict struct {
	action policy.Action
	// by is the policy and the rule, or what stands for them.
	by string
}

func (v verdict) String() string { return v.action.String() + " by " + v.by }

// side is a workload, compiled.
type side struct {
	workload model.Workload
	output   compile.Output
	profile  compile.Profile
}

const cgroup = 1

// compiled compiles the workload without the rules that the core cannot hold; there are few, since a workload that is
// that large is rare. dropped counts them.
func compiled(w model.Workload) (s side, dropped int) {
	var seen compile.Root
	if w.Root != nil {
		seen = root{w.Root}
	}
	w, out, dropped := example.Compile(w, compile.Cgroup{ID: cgroup, Level: 1}, seen)
	s = side{workload: w, output: out}
	if profiles := s.output.Set.Profiles; len(profiles) > 0 {
		s.profile = profiles[0]
	}
	return s, dropped
}

// root is the model's as the compiler sees it: directories keep their slash, and programs of many names are told.
type root struct{ model.Resolver }

func (r root) Resolve(path string) (object string, multiCall bool) {
	plain, slash := strings.TrimSuffix(path, "/"), ""
	if plain != path {
		slash = "/"
	}
	if plain == "" {
		return path, false
	}
	object = r.Resolver.Resolve(plain)
	name := object[strings.LastIndexByte(object, '/')+1:]
	multiCall = slash == "" && slices.Contains([]string{"busybox", "toybox", "coreutils"}, name) && !strings.HasSuffix(plain, "/"+name)
	return strings.TrimSuffix(object, "/") + slash, multiCall
}

// expected is the model's verdict.
func (s side) expected(op model.Operation) verdict {
	v := s.workload.Judge(op)
	switch {
	case v.Action == policy.ActionAllow:
		return verdict{action: v.Action}
	case v.Rule != "":
		return verdict{v.Action, v.Ref.String() + " " + v.Rule}
	default:
		return verdict{v.Action, v.Policy}
	}
}

// got is the backend's, which holds the profile: the strongest answer to the operation's questions.
func (s side) got(b backend, op model.Operation) (verdict, error) {
	best := verdict{}
	for _, q := range questions(op, s.workload.Root) {
		a, err := b.ask(q)
		if err != nil {
			return verdict{}, err
		}
		if v := s.named(a); v.action > best.action {
			best = v
		}
	}
	return best, nil
}

func (s side) named(a table.Answer) verdict {
	switch {
	case a.Action <= compile.ActionAllow:
		return verdict{action: compile.ActionAllow}
	case a.Rule == table.RulePosture:
		return verdict{a.Action, model.DefaultPosture}
	case a.Rule == table.RuleUnresolved:
		return verdict{a.Action, model.UnresolvedPath}
	}
	info, known := s.output.Rules[a.Rule]
	if !known {
		return verdict{a.Action, fmt.Sprintf("unknown rule %#x", uint64(a.Rule))}
	}
	return verdict{a.Action, info.Policy.String() + " " + info.Rule}
}

// questions that the hooks ask for one operation.
func questions(op model.Operation, root model.Resolver) []question {
	op.Path, op.NewPath = example.Object(op.Kind, op.Path, root), example.Object(op.Kind, op.NewPath, root)
	q := question{name: op.Name, Question: table.Question{
		Domain: op.Kind.Domain(), Path: op.Path, Unresolved: op.Unresolved, Object: op.Object, Source: op.Source,
		Met: met(op, op.New || op.UID == op.Owner), Arguments: op.Args,
		Family: op.Family, Type: op.Type, Protocol: op.Protocol,
	}}
	q.Capability, _ = table.CapabilityNumber(op.Capability)
	if op.Kind != model.Rename && op.Kind != model.Link {
		return []question{q}
	}
	second := q
	second.Path, second.Met = op.NewPath, met(op, !op.Replaces || op.UID == op.NewOwner)
	return append(leaving(q, op.Directory), second)
}

// leaving are the questions about the old name of what gets another one.
func leaving(q question, directory bool) []question {
	execution := q
	execution.Domain, execution.UnknownArguments, execution.BlocksOnly = policy.DomainProcess, true, true
	if !directory {
		return []question{q, execution}
	}
	processes, files := execution, q
	files.BlocksOnly = true
	processes.Inside, files.Inside = true, true
	return []question{q, execution, processes, files}
}

func met(op model.Operation, owner bool) (c compile.Conditions) {
	if owner {
		c |= compile.ConditionOwner
	}
	if op.Kind == model.Read || op.Kind == model.Exec {
		c |= compile.ConditionRead
	}
	if !op.Terminal {
		c |= compile.ConditionNoTerminal
	}
	return c
}
