// SPDX-License-Identifier: Apache-2.0

package telemetry

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"sync/atomic"
)

// Queue stands between the reader of the kernel's events, which must never wait, and a writer, which may.
type Queue struct {
	alerts  chan Alert
	dropped atomic.Uint64
}

// NewQueue holds up to size alerts.
func NewQueue(size int) *Queue { return &Queue{alerts: make(chan Alert, size)} }

// Offer takes an alert, or counts it as dropped when the queue is full.
func (q *Queue) Offer(a Alert) {
	select {
	case q.alerts <- a:
	default:
		q.dropped.Add(1)
	}
}

// Dropped counts the alerts that nobody got.
func (q *Queue) Dropped() uint64 { return q.dropped.Load() }

// Run writes the alerts to w, one JSON object a line, until ctx ends; then what is left in the queue. What cannot be
// written is counted as dropped: a reader that went away is no reason to end an agent.
func (q *Queue) Run(ctx context.Context, w io.Writer) error {
	out := &output{w: w, queue: q}
	for {
		select {
		case <-ctx.Done():
			for len(q.alerts) > 0 {
				out.add(<-q.alerts)
			}
			return nil
		case a := <-q.alerts:
			out.add(a)
		}
	}
}

// output gathers lines and writes them in blocks.
type output struct {
	w     io.Writer
	queue *Queue
	block bytes.Buffer
	lines uint64
}

// blockSize is what a flood of alerts is gathered to.
const blockSize = 64 << 10

// add writes once no further alert waits, so that a line is never late.
func (o *output) add(a Alert) {
	encoder := json.NewEncoder(&o.block)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(a); err != nil {
		o.queue.dropped.Add(1)
		return
	}
	o.lines++
	if len(o.queue.alerts) > 0 && o.block.Len() < blockSize {
		return
	}
	if _, err := o.w.Write(o.block.Bytes()); err != nil {
		o.queue.dropped.Add(o.lines)
	}
	o.block.Reset()
	o.lines = 0
}
