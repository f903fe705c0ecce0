// SPDX-License-Identifier: Apache-2.0

package telemetry

import (
	"fmt"
	"strconv"
	"sync"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/kubearmor/kubearmor-operator/internal/policy/compile"
	"github.com/kubearmor/kubearmor-operator/internal/telemetry/fanout"
)

// Limit is how many alerts of one rule in one workload may pass in a second, and for how long its further ones are held
// back once there were more. The zero Limit holds back none.
type Limit struct {
	PerSecond int
	Interval  time.Duration
}

// Source is what one limit is for: a rule in a workload.
type Source struct {
	Cgroup compile.CgroupID
	Rule   compile.RuleID
}

// Throttle holds back the alerts of a rule that matches too often, and says how many they were.
type Throttle struct {
	mu      sync.Mutex
	limit   Limit
	sources map[Source]*flow
	count   fanout.Count
}

// maxSources bounds memory. What comes from a source that has no place any more passes.
const maxSources = 1 << 16

// flow is what came from one source lately.
type flow struct {
	second time.Time
	passed int
	// until is when alerts pass again; zero while they do.
	until time.Time
	held  int
	// first is the alert that was one too many, limit the one that it was too many for.
	first *Alert
	limit Limit
}

// NewThrottle holds back nothing until it gets a limit.
func NewThrottle() *Throttle { return &Throttle{sources: map[Source]*flow{}} }

// SetLimit is for what comes from now on. What is held back already is so to its end.
func (t *Throttle) SetLimit(limit Limit) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.limit = limit
}

// Pass gives what is to be delivered: the alert; instead of the first one that is held back, an AlertThreshold; nothing
// instead of those that follow.
func (t *Throttle) Pass(from Source, a *Alert, now time.Time) *Alert {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.count.Generated++
	f := t.sources[from]
	if f != nil && !f.until.IsZero() {
		f.held++
		return nil
	}
	if t.limit.PerSecond <= 0 || t.limit.Interval <= 0 || f == nil && len(t.sources) >= maxSources {
		t.count.Delivered++
		return a
	}
	if f == nil {
		f = &flow{}
		t.sources[from] = f
	}
	if now.Sub(f.second).Abs() >= time.Second {
		f.second, f.passed = now, 0
	}
	if f.passed < t.limit.PerSecond {
		f.passed++
		t.count.Delivered++
		return a
	}
	f.until, f.held, f.first, f.limit = now.Add(t.limit.Interval), 1, a, t.limit
	return t.threshold(f, now, "0", fmt.Sprintf("More than %d alerts of this rule came from this workload within a second: further ones are held back for %s, and counted.",
		t.limit.PerSecond, t.limit.Interval))
}

// Expire gives, for each source whose interval has ended by now, an AlertThreshold that says how many alerts were held
// back, and lets the next ones pass. Idle sources are forgotten.
func (t *Throttle) Expire(now time.Time) []*Alert { return t.expire(now, now) }

// expire says now in the alerts about intervals that have ended by end.
func (t *Throttle) expire(now, end time.Time) []*Alert {
	t.mu.Lock()
	defer t.mu.Unlock()
	var ended []*Alert
	for from, f := range t.sources {
		switch {
		case f.until.IsZero() && end.Sub(f.second) >= time.Second:
			delete(t.sources, from)
		case !f.until.IsZero() && !end.Before(f.until):
			t.count.Throttled += uint64(f.held)
			ended = append(ended, t.threshold(f, now, strconv.Itoa(f.held),
				fmt.Sprintf("%d alerts of this rule from this workload were held back.", f.held)))
			delete(t.sources, from)
		}
	}
	return ended
}

// farAway is later than every interval ends.
const farAway = 1 << 40

// End is Expire for all that are held back, at the end of the process.
func (t *Throttle) End(now time.Time) []*Alert { return t.expire(now, time.Unix(farAway, 0)) }

// Count of the alerts that came, with the AlertThresholds that were added. What is held back waits until its interval
// has ended and its number was told.
func (t *Throttle) Count() fanout.Count {
	t.mu.Lock()
	defer t.mu.Unlock()
	c := t.count
	for _, f := range t.sources {
		if !f.until.IsZero() {
			c.Waiting += uint64(f.held)
		}
	}
	return c
}

// threshold is about the source of the alert that was one too many.
func (t *Throttle) threshold(f *flow, now time.Time, held, message string) *Alert {
	t.count.Generated++
	t.count.Delivered++
	a := proto.CloneOf(f.first)
	a.Timestamp, a.UpdatedTime = now.Unix(), Time(now)
	a.Type, a.Operation, a.Message = typeSystem, operationThreshold, message
	a.Data, a.Result = "", ""
	a.MaxAlertsPerSec, a.DroppingAlertsInterval = int32(f.limit.PerSecond), int32(f.limit.Interval/time.Second)
	a.EventData["Throttled"] = held
	return a
}
