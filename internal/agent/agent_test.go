// SPDX-License-Identifier: Apache-2.0

package agent

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	operatorv1 "github.com/kubearmor/kubearmor-operator/api/operator/v1"
	securityv1 "github.com/kubearmor/kubearmor-operator/api/security/v1"
	"github.com/kubearmor/kubearmor-operator/internal/agent/containers"
	"github.com/kubearmor/kubearmor-operator/internal/enforcer"
	"github.com/kubearmor/kubearmor-operator/internal/policy/compile"
	"github.com/kubearmor/kubearmor-operator/internal/sensor"
	"github.com/kubearmor/kubearmor-operator/internal/telemetry"
)

const bpf, none = operatorv1.EnforcerBPF, operatorv1.EnforcerNone

var web = map[string]string{"app": "web"}

func TestPoliciesFollowTheCluster(t *testing.T) {
	n := newNode(t, bpf)
	n.pod("web-1", 11, web)
	n.pod("db-1", 12, map[string]string{"app": "db"})
	policy := n.policy("p", web, "/bin/sh")
	n.run(bpf)

	n.eventuallyBlocked(11, "/bin/sh")
	if set, _ := n.kernel.last(); len(set.Bindings) != 1 {
		t.Errorf("a container that no policy selects is bound: %v", set.Bindings)
	}
	policy.Spec.Process.MatchPaths = append(policy.Spec.Process.MatchPaths, securityv1.ProcessPath{Path: "/bin/ash"})
	if err := n.client.Update(context.Background(), policy); err != nil {
		t.Fatal(err)
	}
	n.eventuallyBlocked(11, "/bin/ash", "/bin/sh")
	n.pod("web-2", 13, web)
	n.eventuallyBlocked(13, "/bin/ash", "/bin/sh")
	if err := n.client.Delete(context.Background(), policy); err != nil {
		t.Fatal(err)
	}
	n.eventuallyBlocked(11)
	set, count := n.kernel.last()
	if set.Generation != uint64(count) {
		t.Errorf("generation %d after %d sets: each set must have the next one", set.Generation, count)
	}
}

func TestStatusTellsWhatIsInForce(t *testing.T) {
	n := newNode(t, bpf)
	n.pod("web-1", 11, web)
	n.policy("whole", web, "/bin/sh")
	part := &securityv1.KubeArmorPolicy{ObjectMeta: metav1.ObjectMeta{Namespace: n.name, Name: "part"}}
	part.Spec.File.MatchPaths = []securityv1.FilePath{{Path: "/etc/shadow"}, {Path: "/etc/../hosts"}}
	n.create(part)
	n.run(bpf)

	n.eventuallyReason(operatorv1.NodePoliciesApplied, "False PoliciesDegraded")
	n.eventuallyReason(operatorv1.NodeReady, "True AsExpected")
	n.eventuallyReason(operatorv1.NodeEnforcing, "True Enforcing")
	s := n.status()
	if s.Enforcer != bpf || s.AgentVersion != "v1" || s.BootID != "boot" || s.Containers != 1 || s.PolicyGeneration == 0 || s.Heartbeat == nil {
		t.Errorf("status = %+v", s)
	}
	states := map[string]string{}
	for _, p := range s.Policies {
		states[p.Name] = fmt.Sprintf("%s %s %d %s", p.State, p.Reason, p.Containers, p.Message)
	}
	if got := states["whole"]; !strings.HasPrefix(got, "Enforced  1") {
		t.Errorf("whole: %s", got)
	}
	if got := states["part"]; !strings.HasPrefix(got, "Degraded RuleUnsupported 1 1 rules in force, 1 not: spec.file.matchPaths[1] RuleInvalid") {
		t.Errorf("part: %s", got)
	}
}

func TestStatusIsNotWrittenWithoutAChange(t *testing.T) {
	n := newNode(t, bpf)
	n.run(bpf)
	n.eventuallyReason(operatorv1.NodeReady, "True AsExpected")
	version := func() string {
		object := &operatorv1.KubeArmorNode{}
		if err := n.client.Get(context.Background(), client.ObjectKey{Name: n.name}, object); err != nil {
			t.Fatal(err)
		}
		return object.ResourceVersion
	}
	time.Sleep(300 * time.Millisecond)
	before := version()
	for range 15 {
		n.containers.changed() // a step that finds nothing to do
		time.Sleep(100 * time.Millisecond)
	}
	if after := version(); after != before {
		t.Errorf("the object went from %s to %s with nothing to say", before, after)
	}
}

func TestStatusThatAnotherWroteIsPutRight(t *testing.T) {
	n := newNode(t, bpf)
	n.run(bpf)
	n.eventuallyReason(operatorv1.NodeReady, "True AsExpected")
	object := &operatorv1.KubeArmorNode{ObjectMeta: metav1.ObjectMeta{Name: n.name}}
	patch := `{"status":{"conditions":[{"type":"Ready","status":"False","reason":"AgentNotReporting","message":"m","lastTransitionTime":"2026-01-01T00:00:00Z"}]}}`
	if err := n.client.Status().Patch(context.Background(), object, client.RawPatch("application/merge-patch+json", []byte(patch))); err != nil {
		t.Fatal(err)
	}
	n.eventuallyReason(operatorv1.NodeReady, "True AsExpected")
	n.eventuallyReason(operatorv1.NodeEnforcing, "True Enforcing")
}

func TestDetachIsDoneReportedAndKept(t *testing.T) {
	n := newNode(t, bpf)
	n.pod("web-1", 11, web)
	n.policy("p", web, "/bin/sh")
	n.run(bpf)
	n.eventuallyBlocked(11, "/bin/sh")

	n.detach(true)
	n.eventuallyReason(operatorv1.NodeEnforcing, "False Detached")
	object := &operatorv1.KubeArmorNode{}
	if err := n.client.Get(context.Background(), client.ObjectKey{Name: n.name}, object); err != nil {
		t.Fatal(err)
	}
	if object.Status.ObservedGeneration != object.Generation || object.Status.Enforcer != "" {
		t.Errorf("status = %+v of generation %d", object.Status, object.Generation)
	}
	n.stop()
	n.run(bpf)
	n.pod("web-2", 12, web)
	time.Sleep(500 * time.Millisecond)
	if n.kernel.opened != 1 {
		t.Errorf("the core was loaded %d times: a restarted agent must see first that it is to be detached", n.kernel.opened)
	}
	n.detach(false)
	n.eventuallyBlocked(12, "/bin/sh")
	n.eventuallyReason(operatorv1.NodeEnforcing, "True Enforcing")
}

func (n *node) detach(wanted bool) {
	n.t.Helper()
	patch := fmt.Sprintf(`{"spec":{"detach":%v}}`, wanted)
	object := &operatorv1.KubeArmorNode{ObjectMeta: metav1.ObjectMeta{Name: n.name}}
	if err := n.client.Patch(context.Background(), object, client.RawPatch("application/merge-patch+json", []byte(patch))); err != nil {
		n.t.Fatal(err)
	}
}

func TestNothingIsLoadedOnANodeThatIsNotManaged(t *testing.T) {
	n := bareNode(t)
	n.run(bpf)
	time.Sleep(800 * time.Millisecond)
	if n.kernel.opened != 0 {
		t.Error("the core was loaded on a node that has no KubeArmorNode")
	}
}

func TestDeadAPIServerAtStartKeepsWhatIsPinned(t *testing.T) {
	n := newNode(t, bpf)
	n.pod("web-1", 11, web)
	n.policy("p", web, "/bin/sh")
	n.kernel.generation = 41
	n.road.close()
	n.run(bpf)
	eventually(t, "adopted", func() bool { n.kernel.mu.Lock(); defer n.kernel.mu.Unlock(); return n.kernel.opened == 1 }, func() any { return n.kernel.opened })
	time.Sleep(500 * time.Millisecond)
	if _, count := n.kernel.last(); count != 0 {
		t.Fatal("a set was put in force before the policies were known")
	}
	n.road.reopen()
	n.eventuallyBlocked(11, "/bin/sh")
	if n.kernel.sets[0].Generation != 42 || len(n.kernel.sets[0].Bindings) != 1 {
		t.Errorf("the first set is %+v, want the whole one, with the generation after the pinned one", n.kernel.sets[0])
	}
}

func TestDeadAPIServerAtStartLoadsNothingNew(t *testing.T) {
	n := newNode(t, bpf)
	n.detach(true)
	n.road.close()
	n.run(bpf)
	time.Sleep(time.Second)
	n.kernel.set(func() {
		if n.kernel.opened != 0 {
			t.Error("a core was loaded on a node that may have been detached")
		}
	})
	n.road.reopen()
	n.detach(false)
	n.eventuallyReason(operatorv1.NodeEnforcing, "True Enforcing")
}

func TestDeadAPIServerLaterKeepsTheSetAndContainersStillGetPolicies(t *testing.T) {
	n := newNode(t, bpf)
	first := n.pod("web-1", 11, web)
	policy := n.policy("p", web, "/bin/sh")
	n.run(bpf)
	n.eventuallyBlocked(11, "/bin/sh")
	_, before := n.kernel.last()

	n.road.close()
	if err := n.client.Delete(context.Background(), policy); err != nil {
		t.Fatal(err)
	}
	time.Sleep(500 * time.Millisecond)
	if _, after := n.kernel.last(); after != before {
		t.Fatal("the set changed while the API server was away")
	}
	restarted := first
	restarted.ID, restarted.Cgroup.ID = "id-restarted", 21
	n.containers.start(restarted)
	n.containers.start(containers.Container{
		ID: "id-new", Name: "app", Pod: containers.PodRef{Namespace: n.name, Name: "web-9", UID: "u"}, Labels: web,
		Cgroup: compile.Cgroup{ID: 22, Level: 3},
	})
	n.eventuallyBlocked(21, "/bin/sh")
	n.eventuallyBlocked(22, "/bin/sh")
	n.road.reopen()
	n.eventuallyBlocked(11)
}

func TestAuditedDisabledAndSystemPods(t *testing.T) {
	n := newNode(t, bpf)
	n.pod("web-1", 11, web)
	n.policy("p", web, "/bin/sh")
	n.run(bpf)
	n.eventuallyBlocked(11, "/bin/sh")
	annotate := func(value string) {
		patch := fmt.Sprintf(`{"metadata":{"annotations":{"kubearmor-policy":%q}}}`, value)
		pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: n.name, Name: "web-1"}}
		if err := n.client.Patch(context.Background(), pod, client.RawPatch("application/merge-patch+json", []byte(patch))); err != nil {
			t.Fatal(err)
		}
	}
	annotate("audited")
	eventually(t, "bound and nothing blocked", func() bool {
		set, _ := n.kernel.last()
		return len(set.Bindings) == 1 && len(n.blocked(11)) == 0
	}, func() any { return n.blocked(11) })
	annotate("disabled")
	eventually(t, "not bound", func() bool { set, _ := n.kernel.last(); return len(set.Bindings) == 0 }, func() any { return n.blocked(11) })
}

func TestCoreThatCannotBeLoadedIsReportedAndTriedAgain(t *testing.T) {
	n := newNode(t, bpf)
	n.kernel.openErr = &sensor.LoadError{Reason: sensor.ReasonVerifierRejected, Cause: "R1 is bad"}
	n.run(bpf)
	n.eventuallyReason(operatorv1.NodeEnforcing, "False VerifierRejected")
	n.eventuallyReason(operatorv1.NodeReady, "False VerifierRejected")
	n.kernel.set(func() { n.kernel.openErr = nil })
	n.eventuallyReason(operatorv1.NodeEnforcing, "True Enforcing")
}

func TestFullTableKeepsTheSetAndNamesThePolicy(t *testing.T) {
	n := newNode(t, bpf)
	n.pod("web-1", 11, web)
	n.policy("small", web, "/bin/sh")
	n.run(bpf)
	n.eventuallyBlocked(11, "/bin/sh")
	n.kernel.set(func() { n.kernel.applyErr = &sensor.TableFullError{Table: "rules", Need: 9, Capacity: 8} })
	n.policy("large", web, "/bin/ash")
	n.eventuallyReason(operatorv1.NodePoliciesApplied, "False TableFull")
	n.eventuallyReason(operatorv1.NodeEnforcing, "True Enforcing")
	if got := n.blocked(11); strings.Join(got, " ") != "/bin/sh" {
		t.Errorf("in force: %v", got)
	}
	var got []string
	for _, p := range n.status().Policies {
		got = append(got, p.Name+" "+string(p.State)+" "+p.Reason)
	}
	if strings.Join(got, ", ") != "large Refused TableFull, small Enforced " {
		t.Errorf("policies: %v", got)
	}
	n.kernel.set(func() { n.kernel.applyErr = nil })
	n.eventuallyBlocked(11, "/bin/ash", "/bin/sh")
	n.eventuallyReason(operatorv1.NodePoliciesApplied, "True AsExpected")
}

func TestObservingNodeSaysThatNothingIsDenied(t *testing.T) {
	n := newNode(t, none)
	n.pod("web-1", 11, web)
	n.policy("p", web, "/bin/sh")
	n.run(none)
	n.eventuallyReason(operatorv1.NodePoliciesApplied, "False ObserveOnly")
	n.eventuallyReason(operatorv1.NodeEnforcing, "False LSMInactive")
	n.eventuallyReason(operatorv1.NodeReady, "True AsExpected")
	s := n.status()
	if s.Enforcer != none || s.Policies[0].State != operatorv1.PolicyObserved {
		t.Errorf("status = %+v", s)
	}
}

func TestEventsBecomeAlertsOfTheirRule(t *testing.T) {
	n := newNode(t, bpf)
	n.pod("web-1", 11, web)
	n.policy("p", web, "/bin/sh")
	n.run(bpf)
	n.eventuallyBlocked(11, "/bin/sh")
	set, _ := n.kernel.last()
	send := func(rule compile.RuleID) {
		n.kernel.events <- enforcer.Event{
			Time: time.Unix(1700000000, 0), Domain: compile.DomainProcess, Operation: enforcer.OperationExec,
			Action: compile.ActionBlock, Denied: true, Rule: rule, Cgroup: 11,
			HostPID: 100, PID: 7, Source: "/bin/app", Resource: "/bin/sh",
		}
	}
	send(set.Profiles[0].Rules[0].ID)
	send(4711 << 20)
	eventually(t, "two alerts", func() bool { return strings.Count(n.alerts.String(), "\n") == 2 }, func() any { return n.alerts.String() })
	var known, unknown telemetry.Alert
	text := strings.Split(n.alerts.String(), "\n")
	for i, into := range []*telemetry.Alert{&known, &unknown} {
		if err := json.Unmarshal([]byte(text[i]), into); err != nil {
			t.Fatal(err)
		}
	}
	if known.PolicyName != "p" || known.Severity != "5" || known.PodName != "web-1" || known.NamespaceName != n.name ||
		known.ContainerName != "app" || known.Labels != "app=web" || known.Owner.Name != "web-1" || known.HostName != n.name {
		t.Errorf("alert = %s", text[0])
	}
	if unknown.PolicyName != "Unknown" || unknown.PodName != "web-1" {
		t.Errorf("alert of an unknown rule = %s", text[1])
	}
}
