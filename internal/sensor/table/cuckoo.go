// SPDX-License-Identifier: Apache-2.0

package table

import (
	"fmt"
	"math/rand/v2"
)

// maxKicks bounds how many entries one insertion moves. Below 92 % load it takes a few.
const maxKicks = 500

// leastBuckets are those of a load of 92 %, which is 26 B for an entry.
func leastBuckets(entries int) int { return bucketsFor(entries, 92) }

// mostBuckets are those of 40 %, which is 60 B for an entry; a small table may have a few more.
func mostBuckets(entries int) int {
	return max(bucketsFor(entries, 40), leastBuckets(entries)+2*BucketSlots)
}

func bucketsFor(entries, percent int) int {
	slots := percent * BucketSlots
	return max(1, (entries*100+slots-1)/slots)
}

// place finds buckets for sorted entries: at first as few as may be, and then more and more until all entries have room
// and no tag is ambiguous.
func place(entries []keyed) ([]Bucket, error) {
	for n := leastBuckets(len(entries)); n <= mostBuckets(len(entries)); n += 1 + n/32 {
		if slots, ok := newCuckoo(entries, n).fill(); ok {
			return encode(entries, slots, n), nil
		}
	}
	return nil, fmt.Errorf("lay out %d rules: too many of them share their buckets", len(entries))
}

// cuckoo is a table while it is filled. Each slot holds an index into entries, plus 1.
type cuckoo struct {
	entries []keyed
	n       int
	slots   []uint32
	random  *rand.PCG
}

func newCuckoo(entries []keyed, n int) *cuckoo {
	// The same numbers for every table: equal input is to give an equal table.
	return &cuckoo{entries: entries, n: n, slots: make([]uint32, n*BucketSlots), random: rand.NewPCG(1, uint64(n))}
}

func (c *cuckoo) fill() ([]uint32, bool) {
	for i := range c.entries {
		if !c.insert(uint32(i + 1)) {
			return nil, false
		}
	}
	for i := range c.entries {
		if c.ambiguous(i) {
			return nil, false
		}
	}
	return c.slots, true
}

// insert puts an entry into one of its buckets; when both are full it takes another's slot, and that one goes on.
func (c *cuckoo) insert(one uint32) bool {
	from := -1
	for range maxKicks {
		both := candidates(c.entries[one-1].sum, c.n)
		for _, bucket := range both {
			for slot := bucket * BucketSlots; slot < (bucket+1)*BucketSlots; slot++ {
				if c.slots[slot] == 0 {
					c.slots[slot] = one
					return true
				}
			}
		}
		random := c.random.Uint64()
		bucket := both[random>>8&1]
		// Not back to where it was just put out of.
		if bucket == from {
			bucket = both[0] + both[1] - from
		}
		slot := bucket*BucketSlots + int(random%BucketSlots)
		c.slots[slot], one, from = one, c.slots[slot], bucket
	}
	return false
}

// ambiguous says whether a lookup of an entry might find another one with the same tag.
func (c *cuckoo) ambiguous(i int) bool {
	tag := tagOf(c.entries[i].sum)
	for _, bucket := range candidates(c.entries[i].sum, c.n) {
		for _, other := range c.slots[bucket*BucketSlots : (bucket+1)*BucketSlots] {
			if other != 0 && other != uint32(i+1) && tagOf(c.entries[other-1].sum) == tag {
				return true
			}
		}
	}
	return false
}

func encode(entries []keyed, slots []uint32, n int) []Bucket {
	buckets := make([]Bucket, n)
	for slot, one := range slots {
		if one != 0 {
			e := &entries[one-1]
			buckets[slot/BucketSlots].put(slot%BucketSlots, tagOf(e.sum), e.Entry)
		}
	}
	return buckets
}
