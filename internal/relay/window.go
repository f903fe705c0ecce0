// SPDX-License-Identifier: Apache-2.0

package relay

import (
	"container/heap"
	"time"
)

// window puts the events of all agents in the order of their time. Each waits until what happened before it has had time to
// arrive, at most size from its arrival. An event that is later than that goes out at once, and so does the oldest one when
// the window is full: order is given up then, no event is.
type window struct {
	size time.Duration
	// limit in bytes of what waits.
	limit  int
	bytes  int
	seq    uint64
	events eventHeap
}

// add takes an event that says it happened at at. late says that it came after its turn.
func (w *window) add(at int64, data []byte, now time.Time) (late bool) {
	arrived := now.UnixNano()
	first := arrived - int64(w.size)
	late = at < first
	// A clock that is ahead holds nothing back, and one that is behind overtakes nobody.
	at = min(max(at, first), arrived)
	w.seq++
	heap.Push(&w.events, event{at: at, seq: w.seq, data: data})
	w.bytes += len(data)
	return late
}

// take gives the next event whose turn it is. early says that only the lack of room made it so.
func (w *window) take(now time.Time) (e event, early, found bool) {
	if len(w.events) == 0 {
		return event{}, false, false
	}
	due := w.events[0].at <= now.UnixNano()-int64(w.size)
	if !due && w.bytes <= w.limit {
		return event{}, false, false
	}
	return w.pop(), !due, true
}

func (w *window) pop() event {
	e := heap.Pop(&w.events).(event)
	w.bytes -= len(e.data)
	return e
}

// eventHeap has the oldest event first.
type eventHeap []event

func (h eventHeap) Len() int { return len(h) }
func (h eventHeap) Less(i, j int) bool {
	if h[i].at != h[j].at {
		return h[i].at < h[j].at
	}
	return h[i].seq < h[j].seq
}
func (h eventHeap) Swap(i, j int) { h[i], h[j] = h[j], h[i] }
func (h *eventHeap) Push(x any)   { *h = append(*h, x.(event)) }
func (h *eventHeap) Pop() any {
	old := *h
	last := old[len(old)-1]
	old[len(old)-1] = event{}
	*h = old[:len(old)-1]
	return last
}
