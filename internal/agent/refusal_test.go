// SPDX-License-Identifier: Apache-2.0

package agent

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	operatorv1 "github.com/kubearmor/kubearmor-operator/api/operator/v1"
	securityv1 "github.com/kubearmor/kubearmor-operator/api/security/v1"
	"github.com/kubearmor/kubearmor-operator/internal/enforcer"
	"github.com/kubearmor/kubearmor-operator/internal/policy/compile"
	"github.com/kubearmor/kubearmor-operator/internal/sensor"
)

// policyStates are those of the node's status: "large Refused TableFull, small Enforced ".
func (n *node) policyStates() string {
	var got []string
	for _, p := range n.status().Policies {
		got = append(got, p.Name+" "+string(p.State)+" "+p.Reason)
	}
	return strings.Join(got, ", ")
}

func (n *node) eventuallyPolicies(want string) {
	n.t.Helper()
	eventually(n.t, want, func() bool { return n.policyStates() == want }, func() any { return n.policyStates() })
}

func TestPolicyThatTheCoreRefusesCostsNoOtherPolicy(t *testing.T) {
	n := newNode(t, bpf)
	n.pod("web-1", 11, web)
	n.kernel.refusedPath = "/odd"
	n.policy("good", web, "/bin/sh")
	odd := n.policy("odd", web, "/bin/ash", "/odd")
	n.run(bpf)
	n.eventuallyBlocked(11, "/bin/sh")
	n.eventuallyPolicies("good Enforced , odd Refused RuleUnsupported")
	n.eventuallyReason(operatorv1.NodePoliciesApplied, "False PoliciesDegraded")
	n.eventuallyReason(operatorv1.NodeReady, "True AsExpected")
	for _, p := range n.status().Policies {
		if p.Name == "odd" && !strings.Contains(p.Message, "spec.process.matchPaths[1], and with it the policy: it is odd") {
			t.Errorf("message = %s", p.Message)
		}
	}
	odd.Spec.Process.MatchPaths = []securityv1.ProcessPath{{Path: "/bin/ash"}}
	if err := n.client.Update(context.Background(), odd); err != nil {
		t.Fatal(err)
	}
	n.eventuallyBlocked(11, "/bin/ash", "/bin/sh")
	n.eventuallyPolicies("good Enforced , odd Enforced ")
}

// TestEventsAreReadWhileTheSetIsRefused: an agent that comes up on a full table adopts what is pinned, with its events.
func TestEventsAreReadWhileTheSetIsRefused(t *testing.T) {
	n := newNode(t, bpf)
	n.pod("web-1", 11, web)
	n.policy("p", web, "/bin/sh")
	n.kernel.generation, n.unreachable = 41, time.Minute
	n.kernel.applyErr = &sensor.TableFullError{Table: "rules", Need: 9, Capacity: 8}
	n.run(bpf)
	n.eventuallyReason(operatorv1.NodePoliciesApplied, "False TableFull")
	select {
	case n.kernel.events <- enforcer.Event{Operation: enforcer.OperationExec, Action: compile.ActionAudit, Rule: 4711 << 20, Cgroup: 11}:
	case <-time.After(5 * time.Second):
		t.Fatal("nobody reads the events of the core that is in force")
	}
	eventually(t, "an alert", func() bool { return strings.Contains(n.alerts.String(), "web-1") }, func() any { return n.alerts.String() })
}

func TestRulesAreForgottenOnlyAfterTheSwitch(t *testing.T) {
	old, next := compile.RuleID(1), compile.RuleID(2)
	set := func(id compile.RuleID) map[compile.RuleID]compile.RuleInfo {
		return map[compile.RuleID]compile.RuleInfo{id: {Rule: "r"}}
	}
	table, now := newRuleTable(), time.Now()
	table.add(set(old))
	table.retire(set(old), now)
	for range 3 { // refused, for longer than a retired rule is kept
		now = now.Add(retired)
		table.add(set(next))
	}
	if table.rules[old].until != (time.Time{}) || table.lookup(next) == nil {
		t.Fatalf("rules = %+v, want both: the old one is in force", table.rules)
	}
	table.retire(set(next), now)
	if table.lookup(old) == nil {
		t.Error("the last events of the old rule are still on their way")
	}
	table.retire(set(next), now.Add(2*retired))
	if table.lookup(old) != nil || table.lookup(next) == nil {
		t.Errorf("rules = %+v, want the new one alone", table.rules)
	}
}

func TestPodThatComesWhileTheTableIsFullIsNotCalledConfined(t *testing.T) {
	n := newNode(t, bpf)
	n.pod("web-1", 11, web)
	n.pod("db-1", 21, map[string]string{"app": "db"})
	n.policy("db", map[string]string{"app": "db"}, "/bin/ash")
	n.policy("web", web, "/bin/sh")
	n.run(bpf)
	n.eventuallyBlocked(11, "/bin/sh")
	n.eventuallyPolicies("db Enforced , web Enforced ")
	n.kernel.set(func() { n.kernel.applyErr = &sensor.TableFullError{Table: "bindings", Need: 9, Capacity: 8} })
	n.pod("web-2", 12, web)
	n.eventuallyPolicies("db Enforced , web Degraded TableFull")
	n.eventuallyReason(operatorv1.NodeEnforcing, "True Enforcing")
	if got := n.status().Policies[1]; got.Containers != 2 || !strings.HasPrefix(got.Message, "not as it should be on 1 of the workloads") {
		t.Errorf("policy = %+v", got)
	}
	n.kernel.set(func() { n.kernel.applyErr = nil })
	n.eventuallyBlocked(12, "/bin/sh")
	n.eventuallyPolicies("db Enforced , web Enforced ")
}

func TestFirstSetThatIsRefusedLeavesNothingInForce(t *testing.T) {
	n := newNode(t, bpf)
	n.kernel.applyErr = &sensor.TableFullError{Table: "rules", Need: 9, Capacity: 8}
	n.pod("web-1", 11, web)
	n.policy("web", web, "/bin/sh")
	n.run(bpf)
	n.eventuallyReason(operatorv1.NodeEnforcing, "False TableFull")
	n.eventuallyPolicies("web Refused TableFull")
}

func TestEventsThatAreReadAtTheEndAreWritten(t *testing.T) {
	n := newNode(t, bpf)
	n.kernel.events, n.kernel.lateRead = make(chan enforcer.Event, 1), 200*time.Millisecond
	n.pod("web-1", 11, web)
	n.policy("web", web, "/bin/sh")
	n.run(bpf)
	n.eventuallyBlocked(11, "/bin/sh")
	go func() {
		time.Sleep(100 * time.Millisecond)
		n.kernel.events <- enforcer.Event{Operation: enforcer.OperationExec, Action: compile.ActionBlock, Denied: true, Cgroup: 11}
	}()
	n.stop()
	if !strings.Contains(n.alerts.String(), "web-1") {
		t.Errorf("the last denial was not written: %q", n.alerts.String())
	}
}

func TestFailedWritesOfTheStatusBackOff(t *testing.T) {
	n := newNode(t, bpf)
	n.reportMost = time.Minute
	var mu sync.Mutex
	writes := 0
	n.config.Wrap(func(next http.RoundTripper) http.RoundTripper {
		return roundTripper(func(r *http.Request) (*http.Response, error) {
			if r.Method == http.MethodPatch {
				mu.Lock()
				defer mu.Unlock()
				writes++
				return nil, errors.New("the API server is overloaded")
			}
			return next.RoundTrip(r)
		})
	})
	n.run(bpf)
	count := func() int { mu.Lock(); defer mu.Unlock(); return writes }
	eventually(t, "a write", func() bool { return count() > 0 }, func() any { return count() })
	time.Sleep(2 * time.Second)
	// 50 ms doubled: 0, 50, 150, 350, 750, 1550 ms; at half of that, one more.
	if got := count(); got < 3 || got > 8 {
		t.Errorf("%d writes in two seconds", got)
	}
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }
