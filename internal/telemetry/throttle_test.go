// SPDX-License-Identifier: Apache-2.0

package telemetry

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/kubearmor/kubearmor-operator/internal/policy/compile"
	"github.com/kubearmor/kubearmor-operator/internal/telemetry/fanout"
)

func alertOf(policy string) *Alert {
	return &Alert{PolicyName: policy, Type: typePolicy, Operation: operationFile, Action: actionBlock, EventData: map[string]string{"Rule": "abc"}}
}

// TestThrottledAlertsAreNumbered: what passes, what is said when it begins, and what is said when it ends.
func TestThrottledAlertsAreNumbered(t *testing.T) {
	throttle, at := NewThrottle(), time.Unix(1700000000, 0)
	throttle.SetLimit(Limit{PerSecond: 2, Interval: 30 * time.Second})
	web, db := Source{Cgroup: 1, Rule: 7}, Source{Cgroup: 2, Rule: 7}
	var got []string
	note := func(alerts ...*Alert) {
		for _, a := range alerts {
			if a != nil {
				got = append(got, fmt.Sprintf("%s %s %s %s %d/%d %s", a.PolicyName, a.Type, a.Operation, a.Action, a.MaxAlertsPerSec, a.DroppingAlertsInterval, a.EventData["Throttled"]))
			}
		}
	}
	for i := range 10 {
		note(throttle.Pass(web, alertOf("web"), at.Add(time.Duration(i)*time.Millisecond)))
	}
	note(throttle.Pass(db, alertOf("db"), at))
	note(throttle.Expire(at.Add(29 * time.Second))...)
	note(throttle.Expire(at.Add(31 * time.Second))...)
	note(throttle.Pass(web, alertOf("web"), at.Add(32*time.Second)))
	want := []string{
		"web MatchedPolicy File Block 0/0 ", "web MatchedPolicy File Block 0/0 ", "web SystemEvent AlertThreshold Block 2/30 0",
		"db MatchedPolicy File Block 0/0 ", "web SystemEvent AlertThreshold Block 2/30 8", "web MatchedPolicy File Block 0/0 ",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if c := throttle.Count(); c != (fanout.Count{Generated: 14, Delivered: 6, Throttled: 8}) {
		t.Errorf("count: %s", c)
	}
}

func TestWithoutALimitEverythingPasses(t *testing.T) {
	throttle := NewThrottle()
	for range 100 {
		if throttle.Pass(Source{}, alertOf("p"), time.Unix(1, 0)) == nil {
			t.Fatal("an alert was held back")
		}
	}
	if c := throttle.Count(); c != (fanout.Count{Generated: 100, Delivered: 100}) {
		t.Errorf("count: %s", c)
	}
}

// TestThrottlesIdentity: at random rates, of random sources, with limits that change, nothing is missing; and the numbers
// that are told add up to what was held back.
func TestThrottlesIdentity(t *testing.T) {
	throttle, random, now := NewThrottle(), rand.New(rand.NewPCG(3, 4)), time.Unix(1700000000, 0)
	told, delivered := 0, uint64(0)
	read := func(alerts ...*Alert) {
		for _, a := range alerts {
			if a == nil {
				continue
			}
			delivered++
			n, _ := strconv.Atoi(a.EventData["Throttled"])
			told += n
		}
	}
	for i := range 50_000 {
		if i%1000 == 0 {
			throttle.SetLimit(Limit{PerSecond: random.IntN(5), Interval: time.Duration(random.IntN(4)) * time.Second})
		}
		now = now.Add(time.Duration(random.IntN(100)) * time.Millisecond)
		read(throttle.Pass(Source{Cgroup: compile.CgroupID(random.IntN(3)), Rule: compile.RuleID(random.IntN(3))}, alertOf("p"), now))
		if random.IntN(10) == 0 {
			read(throttle.Expire(now)...)
		}
		if c := throttle.Count(); !c.Balanced() {
			t.Fatalf("after %d alerts: %s", i, c)
		}
	}
	read(throttle.End(now)...)
	c := throttle.Count()
	if c.Waiting != 0 || c.Throttled == 0 || uint64(told) != c.Throttled || delivered != c.Delivered || !c.Balanced() {
		t.Errorf("told %d held back, delivered %d, counted %s", told, delivered, c)
	}
}
