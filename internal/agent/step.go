// SPDX-License-Identifier: Apache-2.0

package agent

import (
	"context"
	"errors"
	"runtime/debug"
	"time"

	operatorv1 "github.com/kubearmor/kubearmor-operator/api/operator/v1"
	"github.com/kubearmor/kubearmor-operator/internal/enforcer"
	"github.com/kubearmor/kubearmor-operator/internal/policy/compile"
)

// idle is how often a step is made without any change: it shows that the agent is alive, and repairs what went unseen.
const idle = 20 * time.Second

// errWaiting says that a step waits for something that will come by itself.
var errWaiting = errors.New("waiting")

// keepStepping makes a step after every change, and again, more and more slowly, after one that failed.
func (a *Agent) keepStepping(ctx context.Context) {
	defer a.release()
	wait := a.o.Pace.Retry
	for {
		next := idle
		switch err := a.step(ctx); {
		case errors.Is(err, errWaiting):
			next, wait = a.o.Pace.Retry, a.o.Pace.Retry
		case err != nil && ctx.Err() == nil:
			a.o.Log.Error(err, "step failed", "again", wait.String())
			next, wait = wait, min(2*wait, a.o.Pace.RetryMost)
		default:
			wait = a.o.Pace.Retry
		}
		a.update(func(s *state) { s.lastStep = time.Now() })
		a.tellHealth()
		poke(a.report)
		select {
		case <-ctx.Done():
			return
		case <-time.After(next):
		case <-a.changed:
			time.Sleep(a.o.Pace.Settle)
		}
	}
}

// step brings the node one step nearer to what its KubeArmorNode, its containers and the policies ask for.
func (a *Agent) step(ctx context.Context) error {
	node, known := a.watches.kubeArmorNode(ctx)
	switch {
	case known && node != nil && node.Spec.Detach:
		return a.detach(node.Generation)
	case known && node == nil && a.core == nil:
		// The operator makes the object before it sends an agent; without it, the node is being given up.
		a.update(func(s *state) { s.waiting = "the KubeArmorNode " + a.o.Node + " does not exist" })
		return errWaiting
	case !known && a.core == nil && (time.Since(a.started) < a.o.Pace.Unreachable || !a.o.Pinned()):
		// Whether the operator wants the node detached must be known before anything is loaded. What is pinned may be
		// adopted meanwhile; a node without pins may be one that was detached.
		a.update(func(s *state) { s.waiting = "waiting for the API server" })
		return errWaiting
	}
	a.update(func(s *state) {
		s.waiting = ""
		if node != nil {
			s.observe(node)
			s.detached = false
		}
	})
	if err := a.open(ctx); err != nil {
		return err
	}
	return a.apply(ctx)
}

func (a *Agent) open(ctx context.Context) error {
	if a.core != nil {
		return nil
	}
	core, err := a.o.Open(ctx)
	a.update(func(s *state) { s.openError, s.open = err, err == nil })
	if err != nil {
		return err
	}
	a.core, a.applied = core, nil
	debug.FreeOSMemory() // loading reads the kernel's whole BTF, several times what the agent needs afterwards
	stats, err := core.Stats()
	if err != nil {
		return err
	}
	a.compiler = compile.Compiler{Abilities: enforcer.AbilitiesOf(stats)}
	a.update(func(s *state) { s.stats, s.generation = stats, stats.Generation })
	a.o.Log.Info("core attached", "mode", stats.Mode, "programs", len(stats.Programs), "generation", stats.Generation)
	return nil
}

// startReading begins once the rules of the events are known: the kernel keeps the events until then.
func (a *Agent) startReading(ctx context.Context) {
	if a.reading != nil {
		return
	}
	ctx, a.reading = context.WithCancel(ctx)
	core := a.core
	a.read.Go(func() {
		for ctx.Err() == nil {
			if err := core.Run(ctx, a.handle); err != nil && ctx.Err() == nil {
				a.o.Log.Error(err, "events are not read; trying again")
				time.Sleep(a.o.Pace.Retry)
			}
		}
	})
}

func (a *Agent) stopReading() {
	if a.reading != nil {
		a.reading()
		a.read.Wait()
		a.reading = nil
	}
}

// detach takes the core off the node, and says so once nothing is left.
func (a *Agent) detach(generation int64) error {
	done := false
	a.update(func(s *state) { done = s.detached; s.observedGeneration = generation })
	if done {
		return nil
	}
	a.stopReading()
	remove := a.o.Detach
	if a.core != nil {
		remove = a.core.Detach
	}
	if err := remove(); err != nil {
		a.update(func(s *state) { s.openError = err })
		return err
	}
	a.core, a.applied = nil, nil
	a.update(func(s *state) { *s = state{detached: true, observedGeneration: generation} })
	a.o.Log.Info("detached: no program, link, map or pin is left on the node")
	return nil
}

// release ends this process's part; what is pinned goes on.
func (a *Agent) release() {
	a.stopReading()
	if a.core == nil {
		return
	}
	if err := a.core.Close(); err != nil {
		a.o.Log.Error(err, "close core")
	}
}

func (a *Agent) update(change func(*state)) {
	a.mu.Lock()
	defer a.mu.Unlock()
	change(&a.state)
}

func (a *Agent) snapshot() state {
	a.mu.RLock()
	defer a.mu.RUnlock()
	return a.state
}

// observing says whether this node's agent denies nothing.
func (a *Agent) observing() bool { return a.o.Enforcer != operatorv1.EnforcerBPF }

var _ Enforcer = (*enforcer.Core)(nil)
