// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/kubearmor/kubearmor-operator/internal/cgroup"
	"github.com/kubearmor/kubearmor-operator/internal/policy/compile"
	"github.com/kubearmor/kubearmor-operator/internal/sensor"
)

// How long an event that must come may take, and how long none must come until there is none.
const (
	late  = 2 * time.Second
	quiet = 60 * time.Millisecond
)

// core is the product's, in force, with what it sends.
type core struct {
	*sensor.Core
	missing    []string
	generation uint64
	stop       context.CancelFunc
	ended      chan error

	mu     sync.Mutex
	events map[compile.CgroupID][]sensor.Event
	// came has a place for one: something came since it was looked at last.
	came chan struct{}
}

func openCore(ctx context.Context) (*core, error) {
	opened, err := sensor.Open(ctx, sensor.Options{Mode: sensor.ModeEnforce, Cgroups: cgroup.Top})
	if err != nil {
		return nil, err
	}
	stats, err := opened.Stats()
	if err != nil {
		return nil, errors.Join(err, opened.Close())
	}
	c := &core{
		Core: opened, missing: stats.Missing, ended: make(chan error, 1),
		events: map[compile.CgroupID][]sensor.Event{}, came: make(chan struct{}, 1),
	}
	reading, stop := context.WithCancel(ctx)
	c.stop = stop
	go func() { c.ended <- opened.Run(reading, c.handle) }()
	return c, nil
}

func (c *core) handle(e sensor.Event) {
	c.mu.Lock()
	c.events[e.Cgroup] = append(c.events[e.Cgroup], e)
	c.mu.Unlock()
	select {
	case c.came <- struct{}{}:
	default:
	}
}

// close says, too, whether anything could not be judged or reported.
func (c *core) close() error {
	stats, err := c.Stats()
	c.stop()
	err = errors.Join(err, <-c.ended, c.Close())
	for _, cause := range []string{"scratch_busy", "denial_ring_full", "audit_ring_full", "event_undecodable", "arguments_lost", "program_skipped"} {
		if n := stats.Drops[cause]; n > 0 {
			err = errors.Join(err, fmt.Errorf("the core counts %d of %s", n, cause))
		}
	}
	return err
}

// apply puts the next generation in force.
func (c *core) apply(ctx context.Context, set compile.Set) error {
	c.generation++
	set.Generation = c.generation
	return c.Apply(ctx, set)
}

// take gives the events of a cgroup since it was asked last, when so many have come or are late. With settle it also
// waits until no more come.
func (c *core) take(id compile.CgroupID, want int, settle bool) []sensor.Event {
	deadline := time.Now().Add(late)
	for {
		c.mu.Lock()
		count := len(c.events[id])
		c.mu.Unlock()
		wait := time.Until(deadline)
		if count >= want || wait <= 0 {
			if !settle {
				break
			}
			wait = quiet
		}
		if !c.wait(wait) && settle && count >= want {
			break
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	events := c.events[id]
	delete(c.events, id)
	return events
}

// wait for another event; false if there is none for so long.
func (c *core) wait(most time.Duration) bool {
	timer := time.NewTimer(most)
	defer timer.Stop()
	select {
	case <-c.came:
		return true
	case <-timer.C:
		return false
	}
}
