// SPDX-License-Identifier: Apache-2.0

package fanout

import (
	"fmt"
	"strings"
)

// Count is what became of the items that came to one stage. None is lost without a number: Generated is the sum of all
// others, at any moment.
type Count struct {
	Generated uint64
	// Delivered to the next stage; Aggregated into another item; Throttled by a limit that was asked for; Dropped because
	// there was no place or nobody took it.
	Delivered, Aggregated, Throttled, Dropped uint64
	// Waiting for one of these.
	Waiting uint64
}

// Plus adds up stages that stand side by side.
func (c Count) Plus(o Count) Count {
	return Count{
		Generated: c.Generated + o.Generated, Delivered: c.Delivered + o.Delivered, Aggregated: c.Aggregated + o.Aggregated,
		Throttled: c.Throttled + o.Throttled, Dropped: c.Dropped + o.Dropped, Waiting: c.Waiting + o.Waiting,
	}
}

// Balanced says whether nothing is missing.
func (c Count) Balanced() bool {
	return c.Generated == c.Delivered+c.Aggregated+c.Throttled+c.Dropped+c.Waiting
}

// String gives all numbers as "generated=3 delivered=2 aggregated=0 throttled=0 dropped=1 waiting=0".
func (c Count) String() string {
	return fmt.Sprintf("generated=%d delivered=%d aggregated=%d throttled=%d dropped=%d waiting=%d",
		c.Generated, c.Delivered, c.Aggregated, c.Throttled, c.Dropped, c.Waiting)
}

// Stage is one place that items come through, by name.
type Stage struct {
	Name string
	Count
}

// Describe gives "stage=kernel generated=...", one stage after the other, separated by "; ".
func Describe(stages []Stage) string {
	texts := make([]string, len(stages))
	for i, s := range stages {
		texts[i] = "stage=" + s.Name + " " + s.String()
	}
	return strings.Join(texts, "; ")
}
