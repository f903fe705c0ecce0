// SPDX-License-Identifier: Apache-2.0

package controllers_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1 "github.com/kubearmor/kubearmor-operator/api/operator/v1"
	"github.com/kubearmor/kubearmor-operator/internal/conditions"
	"github.com/kubearmor/kubearmor-operator/internal/render"
)

func background() context.Context { return context.Background() }

// declare creates the KubeArmorConfig; at the end of the test the whole fleet must go.
func declare(t *testing.T, spec v1.KubeArmorConfigSpec) *v1.KubeArmorConfig {
	t.Helper()
	c := &v1.KubeArmorConfig{Spec: spec}
	c.Namespace, c.Name = namespace, "fleet"
	must(t, cluster.Create(t.Context(), c))
	t.Cleanup(func() {
		_ = cluster.Delete(background(), c)
		within(t, time.Minute, "the KubeArmorConfig goes", func() error { return isGone(background(), c.DeepCopy()) })
	})
	return c
}

// fleet waits until the KubeArmorConfig's status satisfies want.
func fleet(t *testing.T, c *v1.KubeArmorConfig, what string, want func(v1.KubeArmorConfigStatus) error) {
	t.Helper()
	eventually(t, "the KubeArmorConfig says "+what, func() error {
		if err := cluster.Get(t.Context(), client.ObjectKeyFromObject(c), c); err != nil {
			return err
		}
		return want(c.Status)
	})
}

// says is a condition with a status and a reason.
func says(list v1.KubeArmorConfigStatus, kind, status, reason string) error {
	got := conditions.Get(list.Conditions, kind)
	if string(got.Status) != status || got.Reason != reason {
		return fmt.Errorf("%s is %s %s (%s), want %s %s", kind, got.Status, got.Reason, got.Message, status, reason)
	}
	return nil
}

func TestNodeIsProbedLabelledAndGetsItsDaemonSet(t *testing.T) {
	c := declare(t, v1.KubeArmorConfigSpec{})
	k := join(t, "alpha")

	pod := k.probe(nil)
	if pod.Spec.NodeName != "alpha" || pod.Spec.AutomountServiceAccountToken == nil || *pod.Spec.AutomountServiceAccountToken {
		t.Errorf("the probe is on %q with a token: %v", pod.Spec.NodeName, pod.Spec.AutomountServiceAccountToken)
	}
	if !pod.Spec.Tolerations[0].ToleratesTaint(ctrl.Log, &corev1.Taint{Key: "any", Effect: corev1.TaintEffectNoExecute}, false) {
		t.Errorf("the probe does not tolerate every taint: %v", pod.Spec.Tolerations)
	}
	fleet(t, c, "that it is detecting", func(s v1.KubeArmorConfigStatus) error { return says(s, v1.ConfigReady, "False", v1.ReasonDetecting) })

	k.detects()
	ds := k.pooled()
	eventually(t, "the probe Pod is pruned", func() error { return isGone(t.Context(), pod.DeepCopy()) })
	kan := k.kan("has facts and verdict", func(kan *v1.KubeArmorNode) error { return nil })
	want := facts(k.boot)
	if diff := cmp.Diff(&want, kan.Spec.Facts); diff != "" {
		t.Errorf("facts: %s", diff)
	}
	if kan.Spec.Verdict.Enforcer != v1.EnforcerBPF || kan.OwnerReferences[0].Name != "alpha" {
		t.Errorf("verdict %v, owner %v", kan.Spec.Verdict, kan.OwnerReferences)
	}
	for key, value := range map[string]string{
		v1.LabelEnforcer: "bpf", v1.LabelRuntime: "containerd", v1.LabelSocket: "run_containerd_containerd.sock", v1.LabelBTF: "yes",
		v1.LabelSeccomp: "yes", v1.LabelAppArmorFS: "yes", v1.LabelSecurityFS: "yes", v1.LabelNRISocket: "",
	} {
		k.label(key, value)
	}
	if got := ds.Spec.Template.Spec.NodeSelector; got[v1.LabelPool] != kan.Spec.Pool || len(got) != 1 {
		t.Errorf("the DaemonSet selects %v", got)
	}
	if got := ds.Spec.Template.Spec.Containers[0].Image; got != builtInImage {
		t.Errorf("the agent's image is %s, want %s", got, builtInImage)
	}
	fleet(t, c, "that the agent does not report yet", func(s v1.KubeArmorConfigStatus) error {
		if len(s.FailingNodes) != 1 || s.FailingNodes[0].Reason != v1.ReasonAgentNotReporting {
			return fmt.Errorf("failing nodes: %v", s.FailingNodes)
		}
		return says(s, v1.ConfigReady, "False", v1.ReasonRolloutInProgress)
	})

	k.runsAgent(ds)
	k.agentReports()
	rolledOut(t, ds, 1)
	fleet(t, c, "that it is ready and enforces", func(s v1.KubeArmorConfigStatus) error {
		if diff := cmp.Diff(v1.NodeCounts{Total: 1, Detected: 1, Enforcing: 1}, s.Nodes); diff != "" {
			return fmt.Errorf("nodes: %s", diff)
		}
		if s.Phase != "Running" || len(s.Pools) != 1 || s.Pools[0].Enforcing != 1 || s.Pools[0].Ready != 1 {
			return fmt.Errorf("phase %s, pools %v", s.Phase, s.Pools)
		}
		if err := says(s, v1.ConfigEnforcing, "True", v1.ReasonAsExpected); err != nil {
			return err
		}
		return says(s, v1.ConfigReady, "True", v1.ReasonAsExpected)
	})
}

// rolledOut plays the DaemonSet controller: it counts the Pods.
func rolledOut(t *testing.T, ds *appsv1.DaemonSet, pods int32) {
	t.Helper()
	eventually(t, "status of DaemonSet "+ds.Name, func() error {
		if err := cluster.Get(t.Context(), client.ObjectKeyFromObject(ds), ds); err != nil {
			return err
		}
		ds.Status.ObservedGeneration = ds.Generation
		ds.Status.DesiredNumberScheduled, ds.Status.CurrentNumberScheduled = pods, pods
		ds.Status.UpdatedNumberScheduled, ds.Status.NumberReady, ds.Status.NumberAvailable = pods, pods, pods
		return cluster.Status().Update(t.Context(), ds)
	})
}

func TestAnotherBootIsProbedAnew(t *testing.T) {
	declare(t, v1.KubeArmorConfigSpec{})
	k := join(t, "rebooting")
	first := k.probe(nil)
	k.detects()
	before := k.pooled()

	k.reboots()
	second := k.probe(first)
	kan := k.kan("keeps its pool while it is probed", func(kan *v1.KubeArmorNode) error {
		if kan.Spec.Probe.Reason != v1.ReasonProbeRunning {
			return fmt.Errorf("probe is %s", kan.Spec.Probe.Reason)
		}
		return nil
	})
	if render.DaemonSetName(kan.Spec.Pool) != before.Name {
		t.Errorf("pool is %q while the node is probed again", kan.Spec.Pool)
	}
	if got, want := second.Annotations[render.AnnotationProbeInputs], kan.Spec.Probe.Inputs; got != want {
		t.Errorf("the second probe is of %s, want %s", got, want)
	}
	// The other kernel lost its BPF LSM.
	k.detects(func(f *v1.NodeFacts) {
		f.LSMs = []string{"apparmor"}
		f.BPFLSM = v1.Fact{State: v1.FactNo, Reason: v1.ReasonLSMInactive, Cause: "bpf is not in /sys/kernel/security/lsm"}
	})
	k.kan("has another verdict", func(kan *v1.KubeArmorNode) error {
		if kan.Spec.Facts.BootID != k.boot || kan.Spec.Verdict.Enforcer != v1.EnforcerNone || kan.Spec.Verdict.Reason != v1.ReasonLSMInactive {
			return fmt.Errorf("boot %s, verdict %v", kan.Spec.Facts.BootID, kan.Spec.Verdict)
		}
		return nil
	})
	k.label(v1.LabelEnforcer, "none")
	eventually(t, "the emptied pool's DaemonSet is pruned", func() error { return isGone(t.Context(), before.DeepCopy()) })
}

func TestProbeThatFailsSaysWhyAndHoldsUpNobody(t *testing.T) {
	declare(t, v1.KubeArmorConfigSpec{})
	cases := []struct {
		node   string
		play   func(*kubelet, *corev1.Pod)
		reason string
		words  string
	}{
		{"cut", func(k *kubelet, p *corev1.Pod) { k.finishes(p, `{"schemaVersion":1,"bootID":"x`) }, v1.ReasonFactsUnreadable, "cut short"},
		{"foreign", func(k *kubelet, p *corev1.Pod) { k.finishes(p, "hello") }, v1.ReasonFactsUnreadable, "facts"},
		{"future", func(k *kubelet, p *corev1.Pod) { k.finishes(p, `{"schemaVersion":99}`) }, v1.ReasonFactsSchemaUnknown, "99"},
		{"nopull", func(k *kubelet, p *corev1.Pod) { k.waits(p, "ImagePullBackOff", "no such host") }, v1.ReasonImagePullFailed, "no such host"},
		{"crash", func(k *kubelet, p *corev1.Pod) { k.fails(p, "", 137) }, v1.ReasonProbeFailed, "137"},
		{"late", func(k *kubelet, p *corev1.Pod) { k.fails(p, "DeadlineExceeded", 0) }, v1.ReasonProbeTimeout, "did not end"},
	}
	for _, c := range cases {
		k := join(t, c.node)
		pod := k.probe(nil)
		c.play(k, pod)
		k.kan("says "+c.reason, func(kan *v1.KubeArmorNode) error {
			p := kan.Spec.Probe
			if p.Reason != c.reason || !strings.Contains(p.Message, c.words) || p.Failures != 1 || p.LastTime == nil {
				return fmt.Errorf("probe is %+v", p)
			}
			got := conditions.Get(kan.Status.Conditions, v1.NodeEnforcing)
			if got.Status != "False" || got.Reason != c.reason {
				return fmt.Errorf("Enforcing is %s %s", got.Status, got.Reason)
			}
			return nil
		})
		eventually(t, "the spent Pod is pruned", func() error { return isGone(t.Context(), pod.DeepCopy()) })
		if c.node != "cut" {
			// Nobody plays the kubelet of its next probe, which would hold one of the few slots.
			must(t, cluster.Delete(t.Context(), &corev1.Node{ObjectMeta: k.meta()}))
		}
	}
	good := join(t, "good")
	good.detects()
	good.pooled()
	cut := &kubelet{t: t, node: "cut", boot: "boot-1-cut"}
	within(t, 40*time.Second, "the first one is tried again", func() error {
		return cluster.Get(t.Context(), client.ObjectKey{Namespace: namespace, Name: render.ProbeName("cut")}, &corev1.Pod{})
	})
	cut.detects()
	cut.pooled()
}

func TestAtMostSoManyProbesAtOnce(t *testing.T) {
	declare(t, v1.KubeArmorConfigSpec{})
	var nodes []*kubelet
	for i := range maxProbes + 3 {
		nodes = append(nodes, join(t, fmt.Sprintf("many-%d", i)))
	}
	count := func() (int, error) {
		pods := &corev1.PodList{}
		err := cluster.List(t.Context(), pods, client.InNamespace(namespace), client.MatchingLabels{v1.LabelApp: v1.AppProbe})
		return len(pods.Items), err
	}
	eventually(t, "every slot is taken", func() error {
		n, err := count()
		if n < maxProbes {
			return errors.Join(err, fmt.Errorf("%d probes", n))
		}
		return err
	})
	throughout(t, 2*time.Second, "no more probes than slots", func() error {
		n, err := count()
		if n > maxProbes {
			return errors.Join(err, fmt.Errorf("%d probes", n))
		}
		return err
	})
	// Whoever has a slot ends; the others get theirs well before their own timers.
	for done := map[string]bool{}; len(done) < len(nodes); {
		within(t, 15*time.Second, "a probe of the nodes that are left", func() error {
			for _, k := range nodes {
				err := cluster.Get(t.Context(), client.ObjectKey{Namespace: namespace, Name: render.ProbeName(k.node)}, &corev1.Pod{})
				if err == nil && !done[k.node] {
					k.detects()
					done[k.node] = true
					return nil
				}
			}
			return fmt.Errorf("none; %d of %d are done", len(done), len(nodes))
		})
	}
}

func TestNodeThatIsNotReadyIsNotProbed(t *testing.T) {
	declare(t, v1.KubeArmorConfigSpec{})
	k := join(t, "down", func(n *corev1.Node) { n.Status.Conditions[0].Status = corev1.ConditionFalse })
	k.kan("says so", func(kan *v1.KubeArmorNode) error {
		if kan.Spec.Probe.Reason != v1.ReasonProbePending || !strings.Contains(kan.Spec.Probe.Message, "not Ready") {
			return fmt.Errorf("probe is %+v", kan.Spec.Probe)
		}
		return nil
	})
	k.isReady(corev1.ConditionTrue)
	k.detects()
	k.pooled()
}

func TestFreeSlotWakesWhoWaitsForItWhoeverElseWaits(t *testing.T) {
	declare(t, v1.KubeArmorConfigSpec{})
	pending := func(k *kubelet, words string) {
		k.kan("waits", func(kan *v1.KubeArmorNode) error {
			if p := kan.Spec.Probe; p.Reason != v1.ReasonProbePending || !strings.Contains(p.Message, words) {
				return fmt.Errorf("probe is %+v", p)
			}
			return nil
		})
	}
	for i := range maxProbes {
		// These wait for their kubelets, not for a slot, and come first by name.
		pending(join(t, fmt.Sprintf("away-%d", i), func(n *corev1.Node) { n.Status.Conditions[0].Status = corev1.ConditionFalse }), "not Ready")
	}
	var first []*corev1.Pod
	for i := range maxProbes {
		first = append(first, join(t, fmt.Sprintf("first-%d", i)).probe(nil))
	}
	later := join(t, "later")
	pending(later, "waiting for one of the 3 probes")
	// A Pod that is deleted frees its slot as well as one that ends.
	must(t, cluster.Delete(t.Context(), &corev1.Node{ObjectMeta: (&kubelet{node: "first-0"}).meta()}))
	within(t, 10*time.Second, "the slot of a deleted probe is taken", func() error {
		return cluster.Get(t.Context(), client.ObjectKey{Namespace: namespace, Name: render.ProbeName(later.node)}, &corev1.Pod{})
	})
	last := join(t, "last")
	pending(last, "waiting for one of the 3 probes")
	(&kubelet{t: t, node: "first-1"}).fails(first[1], "", 137)
	within(t, 10*time.Second, "the slot of a probe that failed is taken", func() error {
		return cluster.Get(t.Context(), client.ObjectKey{Namespace: namespace, Name: render.ProbeName(last.node)}, &corev1.Pod{})
	})
}

func TestCanaryThatRanOutOfTimeIsTriedAgain(t *testing.T) {
	declare(t, v1.KubeArmorConfigSpec{})
	late := func(f *v1.NodeFacts) {
		f.BPFLSM = v1.Fact{State: v1.FactUnknown, Reason: v1.ReasonTimedOut, Cause: "no answer within 40s"}
	}
	k := join(t, "slow")
	first := k.probe(nil)
	k.detects(late)
	k.kan("is not trusted to enforce yet", func(kan *v1.KubeArmorNode) error {
		if kan.Spec.Probe.Reason != v1.ReasonProbeIncomplete || kan.Spec.Verdict == nil || kan.Spec.Verdict.Reason != v1.ReasonTimedOut {
			return fmt.Errorf("probe %+v, verdict %+v", kan.Spec.Probe, kan.Spec.Verdict)
		}
		return nil
	})
	k.probe(first)
	k.detects()
	verdict := func(kan *v1.KubeArmorNode) error {
		if kan.Spec.Verdict == nil || kan.Spec.Verdict.Enforcer != v1.EnforcerBPF {
			return fmt.Errorf("verdict %+v", kan.Spec.Verdict)
		}
		return nil
	}
	good := k.kan("enforces by the second probe", verdict)
	within(t, 30*time.Second, "the second probe Pod is pruned", func() error {
		return isGone(t.Context(), &corev1.Pod{ObjectMeta: in(namespace, render.ProbeName(k.node))})
	})

	// After a reboot the same stall must not take enforcement off a node that had it.
	k.reboots()
	k.detects(late)
	k.kan("keeps facts, verdict and pool of before", func(kan *v1.KubeArmorNode) error {
		if kan.Spec.Probe.Reason != v1.ReasonProbeIncomplete || kan.Spec.Facts.BootID != good.Spec.Facts.BootID || kan.Spec.Pool != good.Spec.Pool {
			return fmt.Errorf("probe %+v, boot %s, pool %s", kan.Spec.Probe, kan.Spec.Facts.BootID, kan.Spec.Pool)
		}
		return verdict(kan)
	})
}
