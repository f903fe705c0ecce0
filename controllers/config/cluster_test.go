// SPDX-License-Identifier: Apache-2.0

package config

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	v1 "github.com/kubearmor/kubearmor-operator/api/operator/v1"
	"github.com/kubearmor/kubearmor-operator/internal/conditions"
	"github.com/kubearmor/kubearmor-operator/internal/pool"
	"github.com/kubearmor/kubearmor-operator/internal/render"
)

func TestOldestConfigIsInForce(t *testing.T) {
	at := func(seconds int, ns, name string) v1.KubeArmorConfig {
		c := v1.KubeArmorConfig{}
		c.Namespace, c.Name = ns, name
		c.CreationTimestamp = metav1.NewTime(time.Unix(int64(seconds), 0))
		return c
	}
	deleting := at(0, "a", "deleting")
	deleting.DeletionTimestamp = &metav1.Time{Time: time.Unix(9, 0)}
	cases := []struct {
		name string
		give []v1.KubeArmorConfig
		want string
	}{
		{"the only one", []v1.KubeArmorConfig{at(1, "a", "x")}, "x"},
		{"the oldest", []v1.KubeArmorConfig{at(2, "a", "a"), at(1, "z", "z")}, "z"},
		{"of one age the first by namespace", []v1.KubeArmorConfig{at(1, "b", "a"), at(1, "a", "z")}, "z"},
		{"then the first by name", []v1.KubeArmorConfig{at(1, "a", "y"), at(1, "a", "x")}, "x"},
		{"the oldest even while it is being deleted", []v1.KubeArmorConfig{at(1, "a", "x"), deleting}, "deleting"},
	}
	for _, c := range cases {
		if got := InForce(c.give); got.Name != c.want {
			t.Errorf("%s: got %s, want %s", c.name, got.Name, c.want)
		}
	}
	if got := InForce(nil); got != nil {
		t.Errorf("of none: got %v", got)
	}
}

// world of one pool: n Linux nodes, of which the first so many enforce.
func world(n, enforcing int) *scope {
	s := &scope{kans: map[string]*v1.KubeArmorNode{}, daemonSets: map[string]*appsv1.DaemonSet{}}
	s.settings.Image = "agent:1"
	var all []v1.KubeArmorNode
	for i := range n {
		node := corev1.Node{}
		node.Name = fmt.Sprintf("n%03d", i)
		node.Status.NodeInfo.OperatingSystem = "linux"
		s.nodes = append(s.nodes, node)
		kan := &v1.KubeArmorNode{}
		kan.Name = node.Name
		kan.Spec = v1.KubeArmorNodeSpec{
			Facts: &v1.NodeFacts{Arch: "amd64"}, Verdict: &v1.Verdict{Enforcer: v1.EnforcerBPF}, Image: "agent:1", Pool: "p",
			Probe: v1.ProbeState{Reason: v1.ReasonProbeSucceeded, Inputs: render.ProbeInputs(node.Status.NodeInfo, "agent:1")},
		}
		v := conditions.False(v1.ReasonObserveOnly, "observes")
		if i < enforcing {
			v = conditions.True(v1.ReasonEnforcing, "denies")
		}
		conditions.Set(&kan.Status.Conditions, v1.NodeEnforcing, 1, v)
		s.kans[kan.Name] = kan
		all = append(all, *kan)
	}
	s.pools = pool.Partition(all)
	for _, p := range s.pools {
		ds := &appsv1.DaemonSet{}
		pods := int32(len(p.Nodes))
		ds.Status = appsv1.DaemonSetStatus{DesiredNumberScheduled: pods, UpdatedNumberScheduled: pods, NumberReady: pods}
		s.daemonSets[render.DaemonSetName(p.Name())] = ds
	}
	return s
}

func TestStatusCounts(t *testing.T) {
	first := func(s *scope) *v1.KubeArmorNode { return s.kans["n000"] }
	cases := []struct {
		name   string
		give   *scope
		change func(*scope)
		counts v1.NodeCounts
		ready  string
		whole  string
	}{
		{"no nodes", world(0, 0), func(*scope) {}, v1.NodeCounts{}, v1.ReasonNoNodes, v1.ReasonNoNodes},
		{"all enforce", world(3, 3), func(*scope) {}, v1.NodeCounts{Total: 3, Detected: 3, Enforcing: 3}, v1.ReasonAsExpected, v1.ReasonAsExpected},
		{
			"some observe, which is no reason not to be ready", world(3, 2), func(*scope) {},
			v1.NodeCounts{Total: 3, Detected: 3, Enforcing: 2, Degraded: 1},
			v1.ReasonAsExpected, v1.ReasonNodesNotEnforcing,
		},
		{"a policy that is not whole degrades its node", world(2, 2), func(s *scope) {
			conditions.Set(&first(s).Status.Conditions, v1.NodePoliciesApplied, 1, conditions.False(v1.ReasonPoliciesDegraded, ""))
		}, v1.NodeCounts{Total: 2, Detected: 2, Enforcing: 2, Degraded: 1}, v1.ReasonAsExpected, v1.ReasonAsExpected},
		{
			"a Windows node is counted apart", world(2, 2), func(s *scope) { s.nodes[1].Status.NodeInfo.OperatingSystem = "windows" },
			v1.NodeCounts{Total: 2, Detected: 1, Enforcing: 1, Unsupported: 1},
			v1.ReasonAsExpected, v1.ReasonAsExpected,
		},
		{
			"facts of another boot do not count as detected", world(2, 2), func(s *scope) { first(s).Spec.Probe.Inputs = "old" },
			v1.NodeCounts{Total: 2, Detected: 1, Enforcing: 2},
			v1.ReasonDetecting, v1.ReasonAsExpected,
		},
		{"a probe that failed is said before one that runs", world(3, 3), func(s *scope) {
			first(s).Spec.Probe = v1.ProbeState{Reason: v1.ReasonImagePullFailed, Failures: 1}
			s.kans["n001"].Spec.Probe = v1.ProbeState{Reason: v1.ReasonProbeRunning}
		}, v1.NodeCounts{Total: 3, Detected: 1, Enforcing: 3}, v1.ReasonDetectionFailed, v1.ReasonAsExpected},
		{
			"a node that nobody looked at yet is detecting", world(2, 2), func(s *scope) { delete(s.kans, "n001"); s.pools[0].Nodes = s.pools[0].Nodes[:1] },
			v1.NodeCounts{Total: 2, Detected: 1, Enforcing: 1, Degraded: 1},
			v1.ReasonDetecting, v1.ReasonNodesNotEnforcing,
		},
		{"an agent that is not ready is a rollout in progress", world(2, 2), func(s *scope) {
			s.daemonSets[render.DaemonSetName(s.pools[0].Name())].Status.NumberReady = 1
		}, v1.NodeCounts{Total: 2, Detected: 2, Enforcing: 2}, v1.ReasonRolloutInProgress, v1.ReasonAsExpected},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			c.change(c.give)
			c.give.config = &v1.KubeArmorConfig{}
			c.give.concludeFleet(nil)
			st := c.give.config.Status
			if diff := cmp.Diff(c.counts, st.Nodes); diff != "" {
				t.Error(diff)
			}
			if got := conditions.Get(st.Conditions, v1.ConfigReady).Reason; got != c.ready {
				t.Errorf("Ready is %s, want %s", got, c.ready)
			}
			if got := conditions.Get(st.Conditions, v1.ConfigEnforcing).Reason; got != c.whole {
				t.Errorf("Enforcing is %s, want %s", got, c.whole)
			}
		})
	}
}

func TestStatusStaysSmall(t *testing.T) {
	s := world(5000, 10)
	s.config = &v1.KubeArmorConfig{}
	s.concludeFleet(nil)
	st := s.config.Status
	if len(st.FailingNodes) != maxFailingNodes || st.FailingNodes[0].Name != "n010" || len(st.Pools) != 1 {
		t.Errorf("%d failing nodes from %s, %d pools", len(st.FailingNodes), st.FailingNodes[0].Name, len(st.Pools))
	}
}

func TestApplyThatFailedIsAnError(t *testing.T) {
	s := world(1, 1)
	s.config = &v1.KubeArmorConfig{}
	s.concludeFleet(fmt.Errorf("apply DaemonSet x: quota"))
	if s.config.Status.Phase != phaseError || conditions.Get(s.config.Status.Conditions, v1.ConfigReady).Reason != v1.ReasonApplyFailed {
		t.Errorf("status is %+v", s.config.Status)
	}
}
