// SPDX-License-Identifier: Apache-2.0

package table

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kubearmor/kubearmor-operator/internal/policy/compile"
)

func TestABucketIsLaidOutAsInC(t *testing.T) {
	var b Bucket
	if len(b) != 96 {
		t.Errorf("a bucket has %d bytes", len(b))
	}
	b.put(1, 0x1112131415161718, Entry{ID: 0x2122232425262728, Action: 0x31, Conditions: 0x32, Flags: 0x33, Value: 0x41424344})
	want := "000000000000000000000000000000000000000000000000" +
		"1817161514131211" + "2827262524232221" + "31323300" + "44434241" +
		"000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000"
	if got := hex.EncodeToString(b[:]); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	tag, e := b.Slot(1)
	if diff := cmp.Diff(Entry{ID: 0x2122232425262728, Action: 0x31, Conditions: 0x32, Flags: 0x33, Value: 0x41424344}, e); diff != "" || tag != 0x1112131415161718 {
		t.Errorf("tag %#x (-put +got):\n%s", tag, diff)
	}
}

func TestAnEntryIsInOneOfTwoBuckets(t *testing.T) {
	for sum, want := range map[uint64][2]int{
		0:                   {0, 0},
		0xffffffffffffffff:  {9, 9},
		0x80000000_00000000: {0, 5},
		0x00000000_80000000: {5, 0},
		0x19999999_1999999a: {1, 0},
	} {
		if got := candidates(Sum{sum, 0}, 10); got != want {
			t.Errorf("%#x: buckets %v, want %v", sum, got, want)
		}
	}
	if tagOf(Sum{7, 0}) != 1 || tagOf(Sum{7, 8}) != 9 {
		t.Error("a tag may be 0")
	}
}

// randomEntries are sorted, as place wants them.
func randomEntries(n int, seed uint64) []keyed {
	r := rand.New(rand.NewPCG(seed, 1))
	entries := make([]keyed, n)
	for i := range entries {
		entries[i] = keyed{Sum{r.Uint64(), r.Uint64()}, Entry{ID: compile.RuleID(i + 1), Action: compile.ActionBlock}}
	}
	return entries
}

func builderOf(entries []keyed) *Builder {
	b := NewBuilder(Key{1, 2})
	b.entries = entries
	return b
}

func built(t testing.TB, b *Builder) *Tables {
	t.Helper()
	tables, err := b.Build()
	if err != nil {
		t.Fatal(err)
	}
	return tables
}

func TestEveryEntryIsFoundAndNothingElse(t *testing.T) {
	for _, n := range []int{0, 1, 2, 3, 4, 5, 8, 13, 63, 64, 1000, 20_000, MaxEntries} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			seeds := uint64(200)
			if n > 100 {
				seeds = 2
			}
			for seed := range seeds {
				entries := randomEntries(n, seed)
				tables := built(t, builderOf(entries))
				for _, e := range entries {
					if got, ok := tables.Lookup(e.sum); !ok || got != e.Entry {
						t.Fatalf("%x: got %+v, want %+v", e.sum, got, e.Entry)
					}
				}
				for _, e := range randomEntries(n+10, seed+1000) {
					if got, ok := tables.Lookup(e.sum); ok {
						t.Fatalf("%x is found: %+v", e.sum, got)
					}
				}
				if tables.Entries != n {
					t.Errorf("%d entries", tables.Entries)
				}
			}
		})
	}
}

func TestARuleTakesAtMost64BytesFrom64RulesOn(t *testing.T) {
	worst, small := 0.0, 0.0
	perEntry := func(n int, seed uint64) float64 {
		return float64(len(built(t, builderOf(randomEntries(n, seed))).Buckets)*BucketSize) / float64(n)
	}
	for n := 1; n < 64; n++ {
		small = max(small, perEntry(n, 1))
	}
	for _, n := range []int{64, 65, 67, 70, 80, 100, 128, 1000, 10_000} {
		for seed := range uint64(20_000 / n) {
			worst = max(worst, perEntry(n, seed))
		}
	}
	t.Logf("at most %.1f B for an entry; below 64 entries %.1f B", worst, small)
	if worst > 64 {
		t.Errorf("%.1f B for an entry", worst)
	}
	// What place may do at the most, whatever the hashes are.
	for n := 64; n <= MaxEntries; n++ {
		if least, most := leastBuckets(n), mostBuckets(n); most*BucketSize > 64*n || least*BucketSlots*92 < n*100 {
			t.Fatalf("%d entries: %d to %d buckets", n, least, most)
		}
	}
}

func TestEqualInputGivesEqualTables(t *testing.T) {
	entries := randomEntries(5000, 1)
	shuffled := slices.Clone(entries)
	rand.New(rand.NewPCG(5, 5)).Shuffle(len(shuffled), func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
	one, other := built(t, builderOf(entries)), built(t, builderOf(shuffled))
	if diff := cmp.Diff(one, other); diff != "" {
		t.Errorf("(-one +other):\n%s", diff)
	}
}

func TestTwoKeysWithOneTagAreTakenApart(t *testing.T) {
	// With two buckets these two would be in the same ones; with four and more they are not.
	entries := []keyed{{Sum{0x20000000_20000000, 6}, Entry{ID: 1}}, {Sum{0x60000000_60000000, 7}, Entry{ID: 2}}}
	if _, ok := newCuckoo(entries, 2).fill(); ok {
		t.Error("two buckets were taken")
	}
	tables := built(t, builderOf(entries))
	for _, e := range entries {
		if got, ok := tables.Lookup(e.sum); !ok || got != e.Entry {
			t.Errorf("%x: got %+v", e.sum, got)
		}
	}
}

func TestWhatCannotBeLaidOutIsAnError(t *testing.T) {
	var full *FullError
	if _, err := builderOf(randomEntries(MaxEntries+1, 1)).Build(); !errors.As(err, &full) || *full != (FullError{"rules", MaxEntries + 1, MaxEntries, 0}) {
		t.Errorf("too many entries: %v", err)
	}
	twice := randomEntries(10, 1)
	twice[3].sum = twice[7].sum
	if _, err := builderOf(twice).Build(); !errors.Is(err, errTwice) {
		t.Errorf("one key twice: %v", err)
	}
	crowd := randomEntries(9, 1)
	for i := range crowd {
		crowd[i].sum[0] = 7<<32 | 7
	}
	if _, err := builderOf(crowd).Build(); err == nil || errors.As(err, &full) {
		t.Errorf("nine entries in one bucket: %v", err)
	}
}

func TestTheBytesOfATableStayAsTheyAre(t *testing.T) {
	tables := built(t, builderOf(randomEntries(100, 7)))
	var all bytes.Buffer
	for _, b := range tables.Buckets {
		all.Write(b[:])
	}
	if all.Len() != len(tables.Buckets)*96 || len(tables.Buckets) != 28 {
		t.Errorf("%d bytes in %d buckets", all.Len(), len(tables.Buckets))
	}
}

func BenchmarkBuild(b *testing.B) {
	for _, n := range []int{1000, 10_000, 100_000, MaxEntries} {
		b.Run(fmt.Sprint(n, " entries"), func(b *testing.B) {
			entries := randomEntries(n, 1)
			var tables *Tables
			for b.Loop() {
				tables = built(b, builderOf(entries))
			}
			b.ReportMetric(float64(len(tables.Buckets)*BucketSize)/float64(n), "B/entry")
		})
	}
}
