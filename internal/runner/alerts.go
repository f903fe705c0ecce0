// SPDX-License-Identifier: Apache-2.0

package runner

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync/atomic"
	"time"

	"github.com/kubearmor/kubearmor-operator/internal/cgroup"
	"github.com/kubearmor/kubearmor-operator/internal/enforcer"
	"github.com/kubearmor/kubearmor-operator/internal/telemetry"
)

const (
	// queued is how many alerts of either kind may wait for their writer.
	queued = 8192
	// quiet is how long no event may come until the last one is taken to have come, settled how long that may take.
	quiet, settled = 100 * time.Millisecond, 5 * time.Second
)

// alerts turns the kernel's events into alerts, as the agent does.
type alerts struct {
	o     Options
	plan  plan
	core  Core
	node  telemetry.Node
	queue *telemetry.Queue
	// last is when an event came, in nanoseconds since 1970.
	last atomic.Int64

	stopReading, stopWriting context.CancelFunc
	read, written            chan error
}

func startAlerts(o Options, plan plan, core Core) *alerts {
	hostname, _ := os.Hostname()
	a := &alerts{
		o: o, plan: plan, core: core, queue: telemetry.NewQueue(queued),
		node: telemetry.Node{Name: hostname, Version: o.Version},
		read: make(chan error, 1), written: make(chan error, 1),
	}
	var reading, writing context.Context
	reading, a.stopReading = context.WithCancel(context.Background())
	writing, a.stopWriting = context.WithCancel(context.Background())
	go func() { a.read <- core.Run(reading, a.handle) }()
	go func() { a.written <- o.Alerts(writing, a.queue) }()
	return a
}

// handle runs on the reader of the kernel's buffer and never waits.
func (a *alerts) handle(e enforcer.Event) {
	a.last.Store(time.Now().UnixNano())
	w := telemetry.Workload{Host: true}
	if e.Cgroup != cgroup.Root {
		w = telemetry.Workload{Namespace: a.o.Subject.Namespace, Container: a.o.Subject.Container, Labels: a.o.Subject.Labels}
	}
	alert := telemetry.New(a.node, e, w, nil)
	if rule, found := a.plan.compiled.Rules[e.Rule]; found {
		alert = telemetry.New(a.node, e, w, &rule)
	}
	a.queue.Offer(alert)
}

// stop waits until the last event has become an alert and was written. Nothing is in the cgroup any more by then.
func (a *alerts) stop() error {
	a.last.CompareAndSwap(0, time.Now().UnixNano())
	for end := time.Now().Add(settled); time.Now().Before(end); time.Sleep(quiet / 10) {
		if time.Since(time.Unix(0, a.last.Load())) > quiet {
			break
		}
	}
	a.stopReading()
	err := <-a.read
	a.stopWriting()
	return errors.Join(err, <-a.written, a.lost())
}

// lost says how many alerts are missing from what was written.
func (a *alerts) lost() error {
	stats, err := a.core.Stats()
	if err != nil {
		return err
	}
	if n := enforcer.Lost(stats) + a.queue.Dropped(); n > 0 {
		_, _ = fmt.Fprintf(a.o.Notes, "karmor: warning: %d alerts were lost: they came faster than they could be written\n", n)
	}
	return nil
}
