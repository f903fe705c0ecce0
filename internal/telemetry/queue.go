// SPDX-License-Identifier: Apache-2.0

package telemetry

import (
	"bytes"
	"context"
	"io"
	"time"

	"github.com/kubearmor/kubearmor-operator/internal/telemetry/fanout"
	"github.com/kubearmor/kubearmor-operator/internal/telemetry/feeder"
)

// Queue stands between the reader of the kernel's events, which must never wait, and a writer of lines, which may.
type Queue struct{ alerts *fanout.Queue[*Alert] }

// drainTime bounds what is written at the end: the kubelet does not wait for a reader of the log that hangs.
const drainTime = 5 * time.Second

// NewQueue holds up to size denials, and as many other alerts.
func NewQueue(size int) *Queue { return &Queue{alerts: fanout.NewQueue[*Alert](size)} }

// Offer takes an alert, or counts it as dropped when the queue is full.
func (q *Queue) Offer(a *Alert) { q.alerts.Offer(a, IsDenial(a)) }

// Count of the alerts that were offered.
func (q *Queue) Count() fanout.Count { return q.alerts.Count() }

// Dropped counts the alerts that nobody got.
func (q *Queue) Dropped() uint64 { return q.Count().Dropped }

// Run writes the alerts to w, one JSON object a line, until ctx ends; then, for a short time, what is left in the queue.
// Nothing may be offered any more by then. What cannot be written is counted as dropped: a reader that went away is no
// reason to end an agent.
func (q *Queue) Run(ctx context.Context, w io.Writer) error {
	out := &output{w: w, alerts: q.alerts}
	for {
		a, found := q.alerts.Next(ctx)
		if !found {
			break
		}
		out.add(a)
	}
	for end := time.Now().Add(drainTime); time.Now().Before(end); {
		a, found := q.alerts.Try()
		if !found {
			break
		}
		out.add(a)
	}
	out.flush()
	q.alerts.Close()
	return nil
}

// output gathers lines and writes them in blocks.
type output struct {
	w      io.Writer
	alerts *fanout.Queue[*Alert]
	block  bytes.Buffer
	lines  int
}

// blockSize is what a flood of alerts is gathered to.
const blockSize = 64 << 10

// add writes once no further alert waits, so that a line is never late.
func (o *output) add(a *Alert) {
	before := o.block.Len()
	if err := feeder.WriteJSON(&o.block, a); err != nil {
		o.block.Truncate(before)
		o.alerts.Lost(1)
		return
	}
	o.block.WriteByte('\n')
	o.lines++
	if o.alerts.Len() > 0 && o.block.Len() < blockSize {
		return
	}
	o.flush()
}

func (o *output) flush() {
	if _, err := o.w.Write(o.block.Bytes()); err != nil {
		o.alerts.Lost(o.lines)
	} else {
		o.alerts.Delivered(o.lines)
	}
	o.block.Reset()
	o.lines = 0
}
