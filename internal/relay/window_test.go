// SPDX-License-Identifier: Apache-2.0

package relay

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/kubearmor/kubearmor-operator/internal/telemetry/feeder"
)

func TestWindowPutsIntoOrderWhatArrivesInTime(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	w := window{size: 100 * time.Millisecond, limit: 1 << 20}
	began := time.Unix(1700000000, 0)
	type arrival struct{ at, arrives time.Duration }
	var arrivals []arrival
	for i := range 2000 {
		at := time.Duration(i) * time.Millisecond
		arrivals = append(arrivals, arrival{at, at + time.Duration(random.IntN(100))*time.Millisecond})
	}
	slices.SortStableFunc(arrivals, func(a, b arrival) int { return int(a.arrives - b.arrives) })
	var got []int64
	drain := func(now time.Time) {
		for {
			e, early, found := w.take(now)
			if !found {
				return
			}
			if early {
				t.Fatal("early, with room")
			}
			got = append(got, e.at)
		}
	}
	for _, a := range arrivals {
		now := began.Add(a.arrives)
		if w.add(began.Add(a.at).UnixNano(), nil, now) {
			t.Fatalf("%v is late", a)
		}
		drain(now)
	}
	drain(began.Add(time.Hour))
	if len(got) != len(arrivals) || !slices.IsSorted(got) {
		t.Errorf("%d of %d events, sorted: %v", len(got), len(arrivals), slices.IsSorted(got))
	}
}

func TestWindowWithClocksThatAreWrong(t *testing.T) {
	now := time.Unix(1700000000, 0)
	w := window{size: time.Second, limit: 1 << 20}
	if late := w.add(now.Add(time.Hour).UnixNano(), []byte("ahead"), now); late {
		t.Error("a clock that is ahead is late")
	}
	if late := w.add(now.Add(-time.Hour).UnixNano(), []byte("behind"), now); !late {
		t.Error("a clock that is behind is not late")
	}
	if e, _, found := w.take(now); !found || string(e.data) != "behind" {
		t.Errorf("what is late goes at once; got %q", e.data)
	}
	if _, _, found := w.take(now.Add(time.Second - 1)); found {
		t.Error("the other one went before its window was over")
	}
	if e, _, found := w.take(now.Add(time.Second)); !found || string(e.data) != "ahead" {
		t.Errorf("the other one is held for longer than the window: %q", e.data)
	}
}

func TestWindowThatIsFullGivesUpOrderAndNoEvent(t *testing.T) {
	now := time.Unix(1700000000, 0)
	w := window{size: time.Hour, limit: 10}
	taken := 0
	for i := range 100 {
		w.add(now.UnixNano()-int64(i), []byte("four"), now)
		for {
			_, early, found := w.take(now)
			if !found {
				break
			}
			if taken++; !early {
				t.Error("nothing is due")
			}
		}
		if w.bytes > w.limit {
			t.Fatalf("%d bytes wait, the limit is %d", w.bytes, w.limit)
		}
	}
	if taken+len(w.events) != 100 {
		t.Errorf("%d went and %d wait, of 100", taken, len(w.events))
	}
}

func TestTimeOf(t *testing.T) {
	micros := time.Date(2026, 11, 23, 12, 0, 0, 123456000, time.UTC)
	encode := func(m proto.Message) []byte {
		data, err := proto.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		return data
	}
	for name, tt := range map[string]struct {
		data []byte
		want int64
	}{
		"microseconds":           {encode(&feeder.Alert{Timestamp: 5, UpdatedTime: "2026-11-23T12:00:00.123456Z", HostName: "n"}), micros.UnixNano()},
		"seconds":                {encode(&feeder.Log{Timestamp: 5, HostName: "n"}), 5e9},
		"a time that is no time": {encode(&feeder.Message{Timestamp: 5, UpdatedTime: "today"}), 5e9},
		"none":                   {encode(&feeder.Message{HostName: "n"}), 0},
		"what is no message":     {[]byte{0xff, 0xff, 0xff}, 0},
		"half a message":         {[]byte{0x08, 0x05, 0x12, 0x7f, 'x'}, 5e9},
		"nothing":                {nil, 0},
	} {
		t.Run(name, func(t *testing.T) {
			got, known := timeOf(tt.data)
			if got != tt.want || known != (tt.want != 0) {
				t.Errorf("got %d (%v), want %d", got, known, tt.want)
			}
		})
	}
}
