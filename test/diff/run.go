// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/kubearmor/kubearmor-operator/internal/policy"
	"github.com/kubearmor/kubearmor-operator/internal/policy/glob"
	"github.com/kubearmor/kubearmor-operator/internal/policy/model"
	"github.com/kubearmor/kubearmor-operator/internal/policy/model/generate"
	"github.com/kubearmor/kubearmor-operator/test/diff/example"
)

// perWorkload is how many operations are tried on one workload.
const perWorkload = 150

// campaign is a number of cases, judged by both sides.
type campaign struct {
	seed    uint64
	cases   int
	workers int
	// open makes the backend of one worker.
	open func() (backend, error)

	// done and dropped count cases, and rules that the core cannot hold. counts are the verdicts by action.
	done, dropped atomic.Int64
	counts        [4]atomic.Int64
}

// mismatch is the first example on which the sides do not agree, made small.
type mismatch struct {
	example.Example
	seed uint64
	// model and core are their verdicts; reason is the model's.
	model, core verdict
	reason      string
}

func (m *mismatch) Error() string {
	return fmt.Sprintf("the model says %s, the core says %s\n(%s; workload of seed %d)\n%s", m.model, m.core, m.reason, m.seed, m.Example)
}

// domains that the core holds, files, processes and names more often than the rest.
func domains() []policy.Domain {
	p, f := policy.DomainProcess, policy.DomainFile
	return []policy.Domain{p, p, f, f, f, policy.DomainNetwork, policy.DomainCapabilities, policy.DomainDNS, policy.DomainDNS}
}

// run gives the first mismatch or failure.
func (c *campaign) run() error {
	var next atomic.Int64
	workloads := int64((c.cases + perWorkload - 1) / perWorkload)
	failures := make(chan error, c.workers)
	var running sync.WaitGroup
	for range c.workers {
		running.Go(func() {
			b, err := c.open()
			for err == nil {
				i := next.Add(1)
				if i > workloads {
					return
				}
				left := c.cases - int(i-1)*perWorkload
				err = c.workload(b, c.seed+uint64(i)-1, min(left, perWorkload))
			}
			failures <- err
			next.Store(workloads)
		})
	}
	running.Wait()
	close(failures)
	return <-failures
}

// workload tries so many operations on the workload of one seed.
func (c *campaign) workload(b backend, seed uint64, operations int) error {
	g := generate.New(seed, generate.Options{Domains: domains()})
	s, dropped := compiled(g.Workload())
	c.dropped.Add(int64(dropped))
	if err := b.hold(s.profile); err != nil {
		return fmt.Errorf("workload of seed %d: %w", seed, err)
	}
	for range operations {
		op := g.Operation(s.workload)
		want := s.expected(op)
		got, err := s.got(b, op)
		if err != nil {
			return fmt.Errorf("workload of seed %d: %w", seed, err)
		}
		if got != want {
			return smallest(b, seed, example.Example{Workload: s.workload, Operation: op})
		}
		c.counts[want.action].Add(1)
		c.done.Add(1)
	}
	return nil
}

// smallest shrinks the example, and judges it a last time.
func smallest(b backend, seed uint64, e example.Example) error {
	e = example.Shrink(e, func(e example.Example) bool { _, found := differs(b, e); return found })
	m, found := differs(b, e.Placed())
	if !found {
		m, found = differs(b, e)
	}
	if !found {
		return fmt.Errorf("workload of seed %d: the sides disagreed once, and not again:\n%s", seed, e)
	}
	m.seed = seed
	return &m
}

// differs judges an example from the beginning. One that the core cannot hold whole, or be asked about, is none.
func differs(b backend, e example.Example) (mismatch, bool) {
	if !readable(e.Workload) || e.Operation.Check() != nil {
		return mismatch{}, false
	}
	s, dropped := compiled(e.Workload)
	if dropped > 0 || b.hold(s.profile) != nil {
		return mismatch{}, false
	}
	got, err := s.got(b, e.Operation)
	m := mismatch{Example: e, model: s.expected(e.Operation), core: got, reason: s.workload.Judge(e.Operation).Reason}
	return m, err == nil && m.model != m.core
}

// readable says whether every glob is one: nobody else gives others to the compiler.
func readable(w model.Workload) bool {
	for i := range w.Policies {
		for _, r := range w.Policies[i].Policy.Rules {
			if _, err := glob.Parse(r.Pattern); r.Pattern != "" && err != nil {
				return false
			}
		}
	}
	return true
}

// verdicts are the counts in words.
func (c *campaign) verdicts() string {
	return fmt.Sprintf("%d Allow, %d Audit, %d Block", c.counts[policy.ActionAllow].Load(), c.counts[policy.ActionAudit].Load(), c.counts[policy.ActionBlock].Load())
}
