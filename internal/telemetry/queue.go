// SPDX-License-Identifier: Apache-2.0

package telemetry

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
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

// Run writes the alerts to w, one JSON object a line, until ctx ends; then what is left in the queue.
func (q *Queue) Run(ctx context.Context, w io.Writer) error {
	out := bufio.NewWriter(w)
	lines := json.NewEncoder(out)
	lines.SetEscapeHTML(false)
	for {
		select {
		case <-ctx.Done():
			return q.drain(lines, out)
		case a := <-q.alerts:
			if err := q.write(lines, out, a); err != nil {
				return err
			}
		}
	}
}

func (q *Queue) drain(lines *json.Encoder, out *bufio.Writer) error {
	for {
		select {
		case a := <-q.alerts:
			if err := q.write(lines, out, a); err != nil {
				return err
			}
		default:
			return nil
		}
	}
}

// write flushes only when no further alert waits: a line is never late, and a flood is written in blocks.
func (q *Queue) write(lines *json.Encoder, out *bufio.Writer, a Alert) error {
	if err := lines.Encode(a); err != nil {
		q.dropped.Add(1)
		return fmt.Errorf("write alert: %w", err)
	}
	if len(q.alerts) > 0 {
		return nil
	}
	if err := out.Flush(); err != nil {
		return fmt.Errorf("write alert: %w", err)
	}
	return nil
}
