// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/kubearmor/kubearmor-operator/internal/policy"
	"github.com/kubearmor/kubearmor-operator/internal/policy/model"
	"github.com/kubearmor/kubearmor-operator/internal/policy/model/generate"
	"github.com/kubearmor/kubearmor-operator/test/diff/example"
	"github.com/kubearmor/kubearmor-operator/test/diffvm/wire"
)

// campaign is a number of operations under policy sets, each of a seed of its own.
type campaign struct {
	operations, each int
	seed             uint64
	machine          *machine
	begun, said      time.Time
	// preparing is the time until the policies were in force.
	preparing time.Duration

	// What came of them. skipped are operations that cannot be tried, by the reason.
	done, sets, denied, audited, killed, failed, dropped int
	skipped                                              map[string]int
	ways                                                 map[string]int
}

// mismatch is the first operation on which the kernel and the model do not agree, made small.
type mismatch struct {
	example.Example
	variant, problem, reasons string
	seed                      uint64
	operations                int
}

func (m *mismatch) Error() string {
	return fmt.Sprintf("MISMATCH: %s (%s)\n  %s\n  (%s)\n(again: SEED=%d N=%d)\n%s",
		m.Operation.Kind, m.variant, m.problem, m.reasons, m.seed, m.operations, m.Example)
}

// domains of the policies of one set. Capabilities are needed by operations of all domains, so they go alone.
func domains(random *rand.Rand) []policy.Domain {
	p, f, n, d := policy.DomainProcess, policy.DomainFile, policy.DomainNetwork, policy.DomainDNS
	themes := [][]policy.Domain{
		{p, f, f}, {p, f, f}, {p, f, f}, {f}, {p, p, f}, {n}, {policy.DomainCapabilities}, {d}, {p, f, n, d},
	}
	return themes[random.IntN(len(themes))]
}

func (c *campaign) run(ctx context.Context) error {
	c.skipped, c.ways = map[string]int{}, map[string]int{}
	for c.done < c.operations {
		if err := c.set(ctx, c.seed+uint64(c.sets), min(c.each, c.operations-c.done)); err != nil {
			return err
		}
		c.sets++
	}
	return nil
}

// set tries operations under the policy set of one seed.
func (c *campaign) set(ctx context.Context, seed uint64, operations int) (err error) {
	random := rand.New(rand.NewPCG(seed, 0xd1ff))
	g := generate.New(seed, generate.Options{Domains: domains(random), MostRules: 60})
	begun := time.Now()
	t, err := c.machine.begin(ctx, g.Workload())
	if err != nil {
		return fmt.Errorf("policy set of seed %d: %w", seed, err)
	}
	defer func() { err = errors.Join(err, t.end()) }()
	c.preparing += time.Since(begun)
	c.dropped += t.dropped
	before := c.done
	for tries := 0; c.done-before < operations && tries < 8*operations; tries++ {
		op := g.Operation(t.workload)
		a, variant, err := t.choose(random, g, op)
		if err != nil {
			c.skipped[err.Error()]++
			continue
		}
		o, err := t.try(a, false)
		var no impossible
		switch {
		case errors.As(err, &no):
			c.skipped["its files cannot be made"]++
			continue
		case err != nil:
			return fmt.Errorf("policy set of seed %d, operation %d, %s %q: %w", seed, c.done-before, variant, a.Args, err)
		case o.problem() != "":
			return c.smallest(ctx, t, mismatch{
				Example: example.Example{Workload: t.workload, Operation: a.op}, variant: variant,
				problem: o.problem(), reasons: fmt.Sprint(o.reasons), seed: seed, operations: c.done - before + 1,
			})
		}
		c.count(variant, o)
	}
	return nil
}

// choose a way to do the operation, and who does it.
func (t *trial) choose(random *rand.Rand, g *generate.Generator, op model.Operation) (attempt, string, error) {
	ways := variants(op)
	if len(ways) == 0 {
		return attempt{}, "", impossible("it is no operation of the kernel")
	}
	variant := ways[random.IntN(len(ways))]
	op.Source = t.sourceOf(op.Source)
	if variant == "script" {
		for range 4 {
			if other := g.Operation(t.workload); other.Kind == model.Exec {
				op.NewPath = other.Path
			}
		}
	}
	a, err := t.planner.plan(op, variant)
	return a, variant, err
}

func (c *campaign) count(variant string, o outcome) {
	c.done++
	c.ways[variant]++
	switch {
	case o.kernel == wire.Killed:
		c.killed++
	case o.kernel != o.natural:
		c.denied++
	case o.natural != 0:
		c.failed++
	}
	for _, r := range o.got {
		if r.action == policy.ActionAudit {
			c.audited++
			break
		}
	}
	if time.Since(c.said) > 10*time.Second {
		c.said = time.Now()
		fmt.Printf("diff-vm: %d of %d operations, %d policy sets, 0 mismatches, %s\n", c.done, c.operations, c.sets, time.Since(c.begun).Round(time.Second))
	}
}

// report says what was tried and what came of it.
func (c *campaign) report() {
	fmt.Printf("diff-vm: %d operations under %d policy sets: %d denied, %d killed, %d audited, %d failed anyway; %d rules left out that the core cannot hold\n",
		c.done, c.sets, c.denied, c.killed, c.audited, c.failed, c.dropped)
	m := c.machine
	fmt.Printf("diff-vm: %s for policy sets, %s for the start of %d workers, %s for all\n",
		c.preparing.Round(time.Second), m.starting.Round(time.Second), m.started, time.Since(c.begun).Round(time.Second))
	fmt.Printf("diff-vm: ways: %v\n", c.ways)
	fmt.Printf("diff-vm: not tried: %v\n", c.skipped)
}

// mostShrinking is how long a mismatch is made smaller.
const mostShrinking = 2 * time.Minute

// smallest makes the mismatch small. One that does not come again alone is given as it was found.
func (c *campaign) smallest(ctx context.Context, t *trial, m mismatch) error {
	if err := t.end(); err != nil {
		return errors.Join(&m, err)
	}
	if _, again := c.again(ctx, m); !again {
		m.problem += "\n  (not again when it is tried alone: this is the policy set and the operation as they were)"
		return &m
	}
	fmt.Println("diff-vm: a mismatch; making it small")
	end := time.Now().Add(mostShrinking)
	small := example.Shrink(m.Example, func(e example.Example) bool {
		if time.Now().After(end) {
			return false
		}
		next := m
		next.Example = e
		_, again := c.again(ctx, next)
		return again
	})
	m.Example = small
	if last, again := c.again(ctx, m); again {
		return &last
	}
	return &m
}

// again tries the mismatch from the beginning.
func (c *campaign) again(ctx context.Context, m mismatch) (mismatch, bool) {
	if m.Operation.Check() != nil {
		return m, false
	}
	t, err := c.machine.begin(ctx, m.Workload)
	if err != nil {
		return m, false
	}
	defer func() { _ = t.end() }()
	m.Operation.Source = t.sourceOf(m.Operation.Source)
	a, err := t.planner.plan(m.Operation, m.variant)
	if err != nil {
		return m, false
	}
	o, err := t.try(a, true)
	if err != nil || o.problem() == "" {
		return m, false
	}
	m.Workload, m.problem, m.reasons = t.workload, o.problem(), fmt.Sprint(o.reasons)
	return m, true
}
