// SPDX-License-Identifier: Apache-2.0

package fanout

import (
	"context"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

func everything(int) bool { return true }

// TestIdentityHoldsWhateverClientsDo: clients come, read slowly, fail and leave at random while items are published;
// nothing is missing from any count at any moment, and what was counted as delivered is what was read.
func TestIdentityHoldsWhateverClientsDo(t *testing.T) {
	hub := NewHub[int](100, 8)
	var read atomic.Uint64
	var clients sync.WaitGroup
	ctx, stop := context.WithCancel(t.Context())
	for id := range 20 {
		clients.Go(func() {
			random := rand.New(rand.NewPCG(1, uint64(id)))
			for ctx.Err() == nil {
				visit(ctx, t, hub, random, &read)
			}
		})
	}
	var watching sync.WaitGroup
	watching.Go(func() {
		for ctx.Err() == nil {
			for _, s := range hub.Subscribers() {
				// As many as have a place, and the one that is in the client's hands.
				if c := s.Count(); !c.Balanced() || c.Waiting > 2*8+1 {
					t.Errorf("a client's count: %s", c)
				}
			}
			if c := hub.Count(); !c.Balanced() {
				t.Errorf("the hub's count: %s", c)
			}
		}
	})
	enough := func() bool { c := hub.Count(); return c.Delivered > 1000 && c.Dropped > 1000 }
	for i, end := 0, time.Now().Add(10*time.Second); i < 20_000 || !enough() && time.Now().Before(end); i++ {
		hub.Publish(i, i%7 == 0)
	}
	stop()
	clients.Wait()
	watching.Wait()
	c := hub.Count()
	if c.Delivered <= 1000 || c.Dropped <= 1000 || c.Waiting != 0 || c.Delivered != read.Load() || c.Generated != c.Delivered+c.Dropped {
		t.Errorf("in the end %s, and %d were read", c, read.Load())
	}
}

// visit is one client: it reads some items, some of which fail to arrive, and leaves without reading the rest.
func visit(ctx context.Context, t *testing.T, hub *Hub[int], random *rand.Rand, read *atomic.Uint64) {
	s, err := hub.Join("client", everything)
	if err != nil {
		t.Error(err)
		return
	}
	defer hub.Leave(s)
	for range random.IntN(50) {
		if _, found := s.Next(ctx); !found {
			return
		}
		if random.IntN(10) == 0 {
			time.Sleep(time.Duration(random.IntN(300)) * time.Microsecond)
		}
		if random.IntN(20) == 0 {
			s.Lost(1)
			return
		}
		read.Add(1)
		s.Delivered(1)
	}
}

func TestOneWhoDoesNotReadLosesItsOwn(t *testing.T) {
	hub := NewHub[int](2, 10)
	slow, _ := hub.Join("slow", everything)
	quick, _ := hub.Join("quick", everything)
	for i := range 100 {
		hub.Publish(i, false)
		if item, found := quick.Try(); !found || item != i {
			t.Fatalf("the quick one got %d, want %d", item, i)
		}
		quick.Delivered(1)
	}
	if c := slow.Count(); c != (Count{Generated: 100, Dropped: 90, Waiting: 10}) {
		t.Errorf("slow: %s", c)
	}
	if c := quick.Count(); c != (Count{Generated: 100, Delivered: 100}) {
		t.Errorf("quick: %s", c)
	}
}

func TestFloodDropsNothingUrgent(t *testing.T) {
	q := NewQueue[int](3)
	for i := range 10 {
		q.Offer(i, false)
	}
	for i := range 3 {
		q.Offer(100+i, true)
	}
	var got []int
	for item, found := q.Try(); found; item, found = q.Try() {
		got = append(got, item)
	}
	if len(got) != 6 || got[0] != 100 || got[2] != 102 || got[3] != 0 {
		t.Errorf("read %v, want the urgent ones first and all of them", got)
	}
	if c := q.Count(); c.Dropped != 7 {
		t.Errorf("%s, want 7 dropped", c)
	}
}

func TestSubscribersAreBounded(t *testing.T) {
	hub := NewHub[int](1, 1)
	s, err := hub.Join("a", everything)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := hub.Join("b", everything); err == nil {
		t.Error("a second one was let in")
	}
	hub.Leave(s)
	hub.Leave(s)
	if _, err := hub.Join("b", everything); err != nil {
		t.Errorf("after the first one left: %v", err)
	}
}

func TestOnlyWhatIsWantedCounts(t *testing.T) {
	hub := NewHub[int](1, 10)
	s, _ := hub.Join("even", func(i int) bool { return i%2 == 0 })
	for i := range 10 {
		hub.Publish(i, false)
	}
	if c := s.Count(); c.Generated != 5 || s.Len() != 5 {
		t.Errorf("%s, want 5 that were wanted", c)
	}
}

func TestStagesInWords(t *testing.T) {
	got := Describe([]Stage{{"kernel", Count{Generated: 3, Delivered: 2, Dropped: 1}}, {"stdout", Count{}}})
	want := "stage=kernel generated=3 delivered=2 aggregated=0 throttled=0 dropped=1 waiting=0; " +
		"stage=stdout generated=0 delivered=0 aggregated=0 throttled=0 dropped=0 waiting=0"
	if got != want {
		t.Errorf("got %s", got)
	}
}
