// SPDX-License-Identifier: Apache-2.0

// Package fanout hands items to subscribers, each behind a bounded queue of its own: who does not read loses items of its
// own, with a count, and holds up nobody.
package fanout

import (
	"context"
	"sync"
)

// Queue stands between those that offer items, which must never wait, and one reader, which may. Urgent items have a
// place of their own and go first: a flood of others drops none of them.
type Queue[T any] struct {
	urgent, others chan T

	mu     sync.Mutex
	closed bool
	// count without Waiting, which is what is left.
	count Count
}

// NewQueue holds up to size urgent items, and as many others.
func NewQueue[T any](size int) *Queue[T] {
	return &Queue[T]{urgent: make(chan T, size), others: make(chan T, size)}
}

// Offer takes an item, or counts it as dropped when there is no place.
func (q *Queue[T]) Offer(item T, urgent bool) {
	place := q.others
	if urgent {
		place = q.urgent
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	q.count.Generated++
	if q.closed {
		q.count.Dropped++
		return
	}
	select {
	case place <- item:
	default:
		q.count.Dropped++
	}
}

// Next waits for an item, an urgent one if there is one. It says false once ctx has ended. What it gives is waiting until
// Delivered or Lost is called for it.
func (q *Queue[T]) Next(ctx context.Context) (item T, found bool) {
	if ctx.Err() != nil {
		return item, false
	}
	if item, found = q.Try(); found {
		return item, true
	}
	select {
	case <-ctx.Done():
		return item, false
	case item = <-q.urgent:
		return item, true
	case item = <-q.others:
		return item, true
	}
}

// Try gives an item if one waits.
func (q *Queue[T]) Try() (item T, found bool) {
	select {
	case item = <-q.urgent:
		return item, true
	default:
	}
	select {
	case item = <-q.others:
		return item, true
	default:
		return item, false
	}
}

// Len is how many items nobody has taken yet.
func (q *Queue[T]) Len() int { return len(q.urgent) + len(q.others) }

// Delivered confirms items that Next gave.
func (q *Queue[T]) Delivered(n int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.count.Delivered += uint64(n)
}

// Lost counts items that Next gave and that did not arrive.
func (q *Queue[T]) Lost(n int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.count.Dropped += uint64(n)
}

// Close drops what waits, and whatever is still offered. The reader has stopped by then.
func (q *Queue[T]) Close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = true
	for _, found := q.Try(); found; _, found = q.Try() {
		q.count.Dropped++
	}
}

// Count of everything that was offered.
func (q *Queue[T]) Count() Count {
	q.mu.Lock()
	defer q.mu.Unlock()
	c := q.count
	c.Waiting = c.Generated - c.Delivered - c.Dropped
	return c
}
