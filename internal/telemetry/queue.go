// SPDX-License-Identifier: Apache-2.0

package telemetry

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"sync/atomic"
	"time"
)

// Queue stands between the reader of the kernel's events, which must never wait, and a writer, which may. Denials have a
// place of their own and go first: a flood of audits drops none of them.
type Queue struct {
	denials, audits chan Alert
	dropped         atomic.Uint64
}

// drainTime bounds what is written at the end: the kubelet does not wait for a reader of the log that hangs.
const drainTime = 5 * time.Second

// NewQueue holds up to size denials, and as many other alerts.
func NewQueue(size int) *Queue {
	return &Queue{denials: make(chan Alert, size), audits: make(chan Alert, size)}
}

// Offer takes an alert, or counts it as dropped when the queue is full.
func (q *Queue) Offer(a Alert) {
	place := q.audits
	if a.Result == resultDenied {
		place = q.denials
	}
	select {
	case place <- a:
	default:
		q.dropped.Add(1)
	}
}

// Dropped counts the alerts that nobody got.
func (q *Queue) Dropped() uint64 { return q.dropped.Load() }

func (q *Queue) waiting() int { return len(q.denials) + len(q.audits) }

// Run writes the alerts to w, one JSON object a line, until ctx ends; then, for a short time, what is left in the queue.
// Nothing may be offered any more by then. What cannot be written is counted as dropped: a reader that went away is no
// reason to end an agent.
func (q *Queue) Run(ctx context.Context, w io.Writer) error {
	out := &output{w: w, queue: q}
	for {
		a, found := q.next(ctx)
		if !found {
			break
		}
		out.add(a)
	}
	for end := time.Now().Add(drainTime); q.waiting() > 0 && time.Now().Before(end); {
		a, _ := q.next(context.WithoutCancel(ctx))
		out.add(a)
	}
	q.dropped.Add(uint64(q.waiting()))
	out.flush()
	return nil
}

// next waits for an alert, and takes an audit only when no denial waits.
func (q *Queue) next(ctx context.Context) (Alert, bool) {
	if ctx.Err() != nil {
		return Alert{}, false
	}
	select {
	case a := <-q.denials:
		return a, true
	default:
	}
	select {
	case <-ctx.Done():
		return Alert{}, false
	case a := <-q.denials:
		return a, true
	case a := <-q.audits:
		return a, true
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
	if o.queue.waiting() > 0 && o.block.Len() < blockSize {
		return
	}
	o.flush()
}

func (o *output) flush() {
	if _, err := o.w.Write(o.block.Bytes()); err != nil {
		o.queue.dropped.Add(o.lines)
	}
	o.block.Reset()
	o.lines = 0
}
