// SPDX-License-Identifier: Apache-2.0

package relay

// ring holds the newest events for all readers: each reads at its own pace from its own place. A reader that falls behind what
// the ring holds has lost what went out of it, which is the difference of two numbers; no other reader notices, and memory
// does not grow with readers.
type ring struct {
	// slots of the events; event n is in slot n modulo their number.
	slots []event
	// first is the number of the oldest event, next that of the event to come.
	first, next uint64
	bytes       int
	// limit in bytes of all events.
	limit int
}

func newRing(slots, limit int) ring { return ring{slots: make([]event, slots), limit: limit} }

func (r *ring) slot(n uint64) *event { return &r.slots[n%uint64(len(r.slots))] }

// put takes an event, and lets go of the oldest ones that it has no room for beside it.
func (r *ring) put(e event) {
	for r.first < r.next && (r.next-r.first == uint64(len(r.slots)) || r.bytes+len(e.data) > r.limit) {
		oldest := r.slot(r.first)
		r.bytes -= len(oldest.data)
		*oldest = event{}
		r.first++
	}
	*r.slot(r.next) = e
	r.bytes += len(e.data)
	r.next++
}

// read appends events from number from on to batch, until that is full or holds size bytes. lost are those before them that
// the ring does not hold any more.
func (r *ring) read(from uint64, batch []event, size int) (_ []event, lost uint64) {
	if from < r.first {
		lost, from = r.first-from, r.first
	}
	for bytes := 0; from < r.next && len(batch) < cap(batch) && bytes < size; from++ {
		e := *r.slot(from)
		batch = append(batch, e)
		bytes += len(e.data)
	}
	return batch, lost
}

// since gives the number of the first event held that happened at at or later.
func (r *ring) since(at int64) uint64 {
	for n := r.first; n < r.next; n++ {
		if r.slot(n).at >= at {
			return n
		}
	}
	return r.next
}
