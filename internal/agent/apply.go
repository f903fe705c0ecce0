// SPDX-License-Identifier: Apache-2.0

package agent

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/kubearmor/kubearmor-operator/internal/enforcer"
	"github.com/kubearmor/kubearmor-operator/internal/policy/compile"
)

// apply compiles and switches. Until everything that counts is known, what is pinned stays in force as it is.
func (a *Agent) apply(ctx context.Context) error {
	in, missing := a.gather(ctx)
	if missing != "" {
		a.update(func(s *state) { s.waiting = missing })
		if time.Since(a.started) > a.o.Pace.Unreachable {
			a.startReading(ctx)
		}
		return errWaiting
	}
	a.throttle.SetLimit(limitOf(in.settings))
	for {
		err := a.applyInputs(ctx, in)
		if id, problem, refused := enforcer.RefusedRule(err); !refused || !a.refuse(id, problem) {
			return err
		}
	}
}

// refuse takes the policy of a rule out, so that the others can be put in force. It says false when that does not help.
func (a *Agent) refuse(id compile.RuleID, problem string) bool {
	rule := a.rules.lookup(id)
	if rule == nil {
		return false
	}
	why := "the enforcer refuses " + rule.Rule + ", and with it the policy: " + problem
	if !a.plan.refuse(rule.Policy, why) {
		return false
	}
	a.o.Log.Info("policy refused; the others are put in force without it", "policy", rule.Policy.String(), "rule", rule.Rule, "problem", problem)
	return true
}

func (a *Agent) applyInputs(ctx context.Context, in inputs) error {
	started := time.Now()
	out := a.compiler.Compile(a.plan.workloads(in))
	a.rules.add(out.Rules)
	// Also where the new set is refused: what is in force goes on, and so do its events.
	a.startReading(ctx)
	if a.applied != nil && sameSet(&out.Set, a.applied) {
		a.metrics.observeBindings(in.containers, time.Now())
		a.rules.retire(out.Rules, started)
		a.update(func(s *state) { s.settle(out, in, s.generation) })
		return a.refresh()
	}
	var current uint64
	a.update(func(s *state) { current = s.generation })
	out.Set.Generation = current + 1
	err := a.core.Apply(ctx, out.Set)
	a.metrics.observeApply(time.Since(started), err)
	if err != nil {
		short := shortfall(out, a.applied)
		a.update(func(s *state) { s.applyError, s.wanted, s.short = err, out.Policies, short })
		return err
	}
	a.applied = &out.Set
	a.rules.retire(out.Rules, started)
	a.metrics.observeBindings(in.containers, time.Now())
	a.update(func(s *state) { s.settle(out, in, out.Set.Generation) })
	a.o.Log.Info("policies in force", "generation", out.Set.Generation, "policies", len(out.Policies),
		"profiles", len(out.Set.Profiles), "workloads", len(out.Set.Bindings), "took", time.Since(started).String())
	return a.refresh()
}

// sameSet but for the generation. A profile's id is derived from all that it has.
func sameSet(a, b *compile.Set) bool {
	return maps.Equal(a.Bindings, b.Bindings) && slices.EqualFunc(a.Profiles, b.Profiles, func(a, b compile.Profile) bool { return a.ID == b.ID })
}

func (a *Agent) refresh() error {
	stats, err := a.core.Stats()
	if err != nil {
		return err
	}
	a.update(func(s *state) { s.stats = stats })
	return nil
}
