// SPDX-License-Identifier: Apache-2.0

package relay

import (
	"context"
	"time"
)

const (
	// batchEvents and batchBytes bound what a reader holds beside the ring.
	batchEvents = 128
	batchBytes  = 64 << 10
)

// reader is one client's place in the ring. One goroutine reads; the counts are under the lane's lock.
type reader struct {
	lane *lane
	// start and end are the numbers of the first event that is wanted and of the first that is not any more, at is that of the
	// first one of batch.
	start, end, at uint64
	batch          []event
	// delivered and slow are the events that were read and those that went out of the ring before.
	delivered, slow uint64
}

// offered is what went into the ring for this reader. It is what was delivered and lost, and what waits.
func (r *reader) offered() uint64 { return min(r.lane.ring.next, r.end) - r.start }

// next waits for events. There are none when tick comes first, and at the end. They are valid until the next call, at which
// they count as delivered.
func (r *reader) next(ctx context.Context, tick <-chan time.Time) (events []event, ended bool, err error) {
	for {
		var changed <-chan struct{}
		if events, changed, ended = r.read(); len(events) > 0 || ended {
			return events, ended, nil
		}
		select {
		case <-ctx.Done():
			return nil, false, ctx.Err()
		case <-tick:
			return nil, false, nil
		case <-changed:
		}
	}
}

func (r *reader) read() (events []event, changed <-chan struct{}, ended bool) {
	l := r.lane
	l.mu.Lock()
	defer l.mu.Unlock()
	r.delivered += uint64(len(r.batch))
	r.at += uint64(len(r.batch))
	var lost uint64
	r.batch, lost = l.ring.read(r.at, r.batch[:0], batchBytes)
	lost = min(lost, r.end-r.at)
	r.slow += lost
	r.at += lost
	r.batch = r.batch[:min(uint64(len(r.batch)), r.end-r.at)]
	return r.batch, l.changed, len(r.batch) == 0 && (l.closed || r.at == r.end)
}

// lost is how many events the reader was too slow for.
func (r *reader) lost() uint64 {
	r.lane.mu.Lock()
	defer r.lane.mu.Unlock()
	return r.slow
}

// close ends the reader. sent of the last batch were delivered; what else waited for it was not. It gives the sums.
func (r *reader) close(sent int) (delivered, dropped uint64) {
	l := r.lane
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.readers, r)
	delivered, offered := r.delivered+uint64(sent), r.offered()
	l.counted.offered += offered
	l.counted.delivered += delivered
	l.counted.slow += r.slow
	l.counted.disconnected += offered - delivered - r.slow
	return delivered, offered - delivered
}
