// SPDX-License-Identifier: Apache-2.0

package relay

import (
	"context"
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/kubearmor/kubearmor-operator/internal/relay/past"
)

func testLane(events, bytes int) *lane {
	return newLane(kindAlert, Options{Window: time.Millisecond, WindowBytes: 1 << 20, Events: events, Bytes: bytes}, make(chan struct{}, 1))
}

func numbered(n uint64) []byte { return binary.BigEndian.AppendUint64(nil, n) }

// TestIdentityHoldsForEveryReader: readers of all speeds come, read and leave while events come; what each was offered is
// exactly what it got and lost, and it got nothing twice and nothing out of order.
func TestIdentityHoldsForEveryReader(t *testing.T) {
	l := testLane(500, 1<<20)
	const total = 50_000
	var readers sync.WaitGroup
	var mu sync.Mutex
	var delivered, dropped uint64
	for id := range 20 {
		readers.Go(func() {
			random := rand.New(rand.NewPCG(7, uint64(id)))
			for visits := 0; visits < 5; visits++ {
				got, sum, lost := visit(t, l, random)
				if got != sum {
					t.Errorf("reader %d got %d events, and %d were counted", id, got, sum)
				}
				mu.Lock()
				delivered, dropped = delivered+sum, dropped+lost
				mu.Unlock()
			}
		})
	}
	for n := range uint64(total) {
		now := time.Now()
		l.accept(numbered(n+1), now)
		if n%64 == 0 {
			l.release(now)
		}
	}
	l.close()
	readers.Wait()
	c, waiting, open, _ := l.snapshot()
	if c.received != total || waiting != 0 || open != 0 {
		t.Errorf("received %d, waiting %d, open %d", c.received, waiting, open)
	}
	if c.offered != c.delivered+c.slow+c.disconnected || c.delivered != delivered || c.slow+c.disconnected != dropped {
		t.Errorf("lane %+v, readers got %d and lost %d", c, delivered, dropped)
	}
	if c.slow == 0 || c.disconnected == 0 || c.delivered == 0 {
		t.Errorf("the test exercises nothing: %+v", c)
	}
}

// visit reads for a while; what it gives is what it read itself, and what the lane counted.
func visit(t *testing.T, l *lane, random *rand.Rand) (got, delivered, dropped uint64) {
	r := l.open(past.Span{})
	last, sent := uint64(0), 0
	defer func() { delivered, dropped = r.close(sent) }()
	for stop := 1 + random.IntN(2000); ; {
		events, ended, err := r.next(t.Context(), nil)
		sent = 0
		if err != nil || ended {
			return got, 0, 0
		}
		for _, e := range events {
			n := binary.BigEndian.Uint64(e.data)
			if n <= last {
				t.Errorf("%d came after %d", n, last)
			}
			last = n
			got++
			sent++
			if stop--; stop <= 0 {
				return got, 0, 0
			}
		}
		if random.IntN(4) == 0 {
			time.Sleep(time.Duration(random.IntN(2000)) * time.Microsecond)
		}
	}
}

func TestWhatOneDoesNotReadNobodyElseMisses(t *testing.T) {
	l := testLane(100, 1<<20)
	slow, quick := l.open(past.Span{}), l.open(past.Span{})
	for n := range 1000 {
		l.publish(event{data: numbered(uint64(n))})
		if events, _, err := quick.next(t.Context(), nil); err != nil || len(events) != 1 || binary.BigEndian.Uint64(events[0].data) != uint64(n) {
			t.Fatalf("the quick one got %v, %v", events, err)
		}
	}
	events, _, err := slow.next(t.Context(), nil)
	if err != nil || len(events) != 100 || slow.lost() != 900 || quick.lost() != 0 {
		t.Errorf("the slow one got %d events and lost %d, %v; the quick one lost %d", len(events), slow.lost(), err, quick.lost())
	}
}

func TestRingHoldsNoMoreThanItsBytes(t *testing.T) {
	r := newRing(1000, 100)
	for n := range 200 {
		r.put(event{at: int64(n), data: make([]byte, n%30)})
		if r.bytes > 100 {
			t.Fatalf("%d bytes", r.bytes)
		}
	}
	r.put(event{data: make([]byte, 500)})
	if r.first != r.next-1 {
		t.Errorf("one event that is larger than all room stands beside %d others", r.next-r.first-1)
	}
}

func TestReaderOfWhatIsThere(t *testing.T) {
	l := testLane(3, 1<<20)
	began := time.Unix(1700000000, 0)
	for n := range 5 {
		l.ring.put(event{at: began.Add(time.Duration(n) * time.Second).UnixNano(), data: numbered(uint64(n))})
	}
	for name, tt := range map[string]struct {
		span past.Span
		want []uint64
	}{
		"all of it":            {past.Span{Held: true, Ends: true}, []uint64{2, 3, 4}},
		"since a time":         {past.Span{Held: true, Since: began.Add(3500 * time.Millisecond), Ends: true}, []uint64{4}},
		"since after the last": {past.Span{Held: true, Since: began.Add(time.Hour), Ends: true}, nil},
		"nothing, and the end": {past.Span{Ends: true}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			r := l.open(tt.span)
			defer r.close(0)
			var got []uint64
			for {
				events, ended, err := r.next(t.Context(), nil)
				if err != nil {
					t.Fatal(err)
				}
				for _, e := range events {
					got = append(got, binary.BigEndian.Uint64(e.data))
				}
				if ended {
					break
				}
			}
			if len(got) != len(tt.want) || (len(got) > 0 && got[0] != tt.want[0]) {
				t.Errorf("got %v, want %v", got, tt.want)
			}
		})
	}
}

// TestReaderOfWhatWasThereLosesIt: what a reader that ends waits for goes out of the ring before it reads.
func TestReaderOfWhatWasThereLosesIt(t *testing.T) {
	l := testLane(3, 1<<20)
	put := func(n int) {
		for i := range n {
			l.ring.put(event{data: numbered(uint64(i))})
		}
	}
	put(3)
	r := l.open(past.Span{Held: true, Ends: true})
	put(10)
	events, ended, err := r.next(t.Context(), nil)
	if delivered, dropped := r.close(0); len(events) != 0 || !ended || err != nil || delivered != 0 || dropped != 3 {
		t.Errorf("%d events, ended %v, %v; delivered %d, dropped %d of 3", len(events), ended, err, delivered, dropped)
	}
}

func TestReaderEndsWithItsContext(t *testing.T) {
	l := testLane(3, 1<<20)
	r := l.open(past.Span{})
	defer r.close(0)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, _, err := r.next(ctx, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func TestALaneTellsOfTheFirstThatWaitsAndOfTheLast(t *testing.T) {
	filled := make(chan struct{}, 1)
	l := newLane(kindAlert, Options{Window: time.Second, WindowBytes: 1 << 20, Events: 8, Bytes: 1 << 20}, filled)
	start := time.Now()
	for n := range uint64(2) {
		l.accept(numbered(n), start)
		if got := len(filled); got != 1 {
			t.Fatalf("after %d events: %d tokens, want 1", n+1, got)
		}
	}
	<-filled
	l.accept(numbered(3), start)
	if len(filled) != 0 {
		t.Error("a token though others waited already")
	}
	if !l.release(start) {
		t.Error("released at once: it says that nothing waits")
	}
	if l.release(start.Add(2 * time.Second)) {
		t.Error("after the window: it says that something waits")
	}
	l.accept(numbered(4), start.Add(2*time.Second))
	if len(filled) != 1 {
		t.Error("no token for the first event of the next window")
	}
}
