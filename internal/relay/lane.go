// SPDX-License-Identifier: Apache-2.0

package relay

import (
	"math"
	"sync"
	"time"

	"github.com/kubearmor/kubearmor-operator/internal/relay/past"
)

// lane is the way of all events of one kind: from the agents through the window into the ring, and from there to readers.
type lane struct {
	kind   kind
	mu     sync.Mutex
	window window
	ring   ring
	// filled gets a token when an event comes into the empty window.
	filled chan<- struct{}
	// changed is closed, and replaced, when the ring got events.
	changed chan struct{}
	closed  bool
	readers map[*reader]struct{}
	counted counts
}

// counts of a lane. For readers that ended, offered is delivered and slow and disconnected together.
type counts struct {
	received, bytes uint64
	// own are events of the relay itself.
	own uint64
	// late came after their turn, early went before it for lack of room.
	late, early uint64
	// unwatched went into the ring when there was no reader.
	unwatched uint64
	// Of readers: what went into the ring while they read, what they got, and what they did not get, by cause.
	offered, delivered, slow, disconnected uint64
}

func newLane(k kind, o Options, filled chan<- struct{}) *lane {
	if k == kindMessage {
		o.WindowBytes, o.Events, o.Bytes = o.WindowBytes/8, max(o.Events/8, 1), o.Bytes/8
	}
	return &lane{
		kind: k, window: window{size: o.Window, limit: o.WindowBytes}, ring: newRing(o.Events, o.Bytes),
		filled: filled, changed: make(chan struct{}), readers: map[*reader]struct{}{},
	}
}

// accept takes an event of an agent.
func (l *lane) accept(data []byte, now time.Time) {
	at, known := timeOf(data)
	if !known {
		at = now.UnixNano()
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.counted.received++
	l.counted.bytes += uint64(len(data))
	l.put(at, data, now)
}

// say takes an event of the relay's own.
func (l *lane) say(data []byte, now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.counted.own++
	l.put(now.UnixNano(), data, now)
}

func (l *lane) put(at int64, data []byte, now time.Time) {
	if l.window.add(at, data, now) {
		l.counted.late++
	}
	if l.window.bytes > l.window.limit {
		l.move(now)
	}
	if len(l.window.events) == 1 {
		select {
		case l.filled <- struct{}{}:
		default:
		}
	}
}

// release moves the events whose turn it is into the ring, and says whether others wait for theirs.
func (l *lane) release(now time.Time) (waits bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.move(now)
	return len(l.window.events) > 0
}

func (l *lane) move(now time.Time) {
	moved := false
	for {
		e, early, found := l.window.take(now)
		if !found {
			break
		}
		if early {
			l.counted.early++
		}
		l.publish(e)
		moved = true
	}
	if moved {
		l.wake()
	}
}

func (l *lane) publish(e event) {
	if len(l.readers) == 0 {
		l.counted.unwatched++
	}
	l.ring.put(e)
}

func (l *lane) wake() {
	close(l.changed)
	l.changed = make(chan struct{})
}

// close moves all that waits into the ring and lets readers end when they have read it.
func (l *lane) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for len(l.window.events) > 0 {
		l.publish(l.window.pop())
	}
	l.closed = true
	l.wake()
}

// open gives a reader.
func (l *lane) open(s past.Span) *reader {
	l.mu.Lock()
	defer l.mu.Unlock()
	r := &reader{lane: l, start: l.ring.next, end: math.MaxUint64, batch: make([]event, 0, batchEvents)}
	if s.Held {
		r.start = l.ring.since(s.Since.UnixNano())
	}
	if s.Ends {
		r.end = l.ring.next
	}
	r.at = r.start
	l.readers[r] = struct{}{}
	return r
}

// snapshot gives the counts, with those of readers that are there, and the sum of what waits for them.
func (l *lane) snapshot() (c counts, waiting uint64, readers, held int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	c = l.counted
	for r := range l.readers {
		offered := r.offered()
		c.offered += offered
		c.delivered += r.delivered
		c.slow += r.slow
		waiting += offered - r.delivered - r.slow
	}
	return c, waiting, len(l.readers), l.ring.bytes + l.window.bytes
}
