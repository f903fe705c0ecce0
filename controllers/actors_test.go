// SPDX-License-Identifier: Apache-2.0

package controllers_test

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/util/retry"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1 "github.com/kubearmor/kubearmor-operator/api/operator/v1"
	"github.com/kubearmor/kubearmor-operator/internal/render"
)

// facts that a probe of an amd64 node with BPF LSM writes.
func facts(bootID string) v1.NodeFacts {
	yes := v1.Fact{State: v1.FactYes}
	no := v1.Fact{State: v1.FactNo, Reason: v1.ReasonNotPresent}
	return v1.NodeFacts{
		SchemaVersion: v1.FactsSchemaVersion,
		BootID:        bootID,
		Kernel:        "6.12.0-amd64",
		Arch:          "amd64",
		Distribution:  v1.Distribution{ID: "debian", VersionID: "12", Name: "Debian GNU/Linux 12 (bookworm)"},
		LSMs:          []string{"landlock", "lockdown", "yama", "integrity", "apparmor", "bpf"},
		BTF:           yes, BPFLSM: yes, Observe: yes, AppArmor: yes, Seccomp: yes, BPFFS: yes, SecurityFS: yes, AppArmorFS: yes,
		SELinux:       v1.SELinuxFact{Fact: no, Mode: "disabled"},
		CgroupVersion: 2,
		Runtime:       v1.RuntimeFact{Fact: yes, Name: "containerd", Version: "1.7.0", Socket: "/run/containerd/containerd.sock"},
	}
}

// kubelet plays the one of a node: it registers the node and reports what became of Pods that are bound to it.
type kubelet struct {
	t    *testing.T
	node string
	boot string
}

// join registers a Ready Linux node, which leaves the cluster at the end of the test.
func join(t *testing.T, name string, change ...func(*corev1.Node)) *kubelet {
	t.Helper()
	k := &kubelet{t: t, node: name, boot: "boot-1-" + name}
	n := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{corev1.LabelOSStable: "linux"}}}
	n.Status.NodeInfo = corev1.NodeSystemInfo{
		BootID: k.boot, KernelVersion: "6.12.0-amd64", ContainerRuntimeVersion: "containerd://1.7.0",
		OperatingSystem: "linux", Architecture: "amd64", OSImage: "Debian GNU/Linux 12 (bookworm)",
	}
	n.Status.Conditions = []corev1.NodeCondition{{Type: corev1.NodeReady, Status: corev1.ConditionTrue, Reason: "KubeletReady"}}
	for _, c := range change {
		c(n)
	}
	status := n.Status
	must(t, cluster.Create(t.Context(), n))
	t.Cleanup(func() { _ = cluster.Delete(background(), n) })
	n.Status = status
	must(t, cluster.Status().Update(t.Context(), n))
	return k
}

func (k *kubelet) update(change func(*corev1.Node)) {
	k.t.Helper()
	must(k.t, retry.RetryOnConflict(retry.DefaultBackoff, func() error {
		n := &corev1.Node{}
		if err := cluster.Get(k.t.Context(), client.ObjectKey{Name: k.node}, n); err != nil {
			return err
		}
		change(n)
		return cluster.Status().Update(k.t.Context(), n)
	}))
}

// reboots the node.
func (k *kubelet) reboots() {
	k.t.Helper()
	k.boot = "boot-2-" + k.node
	k.update(func(n *corev1.Node) { n.Status.NodeInfo.BootID = k.boot })
}

func (k *kubelet) isReady(status corev1.ConditionStatus) {
	k.t.Helper()
	k.update(func(n *corev1.Node) { n.Status.Conditions[0].Status = status })
}

// probe waits for the node's probe Pod; but, if not nil, is the one before.
func (k *kubelet) probe(but *corev1.Pod) *corev1.Pod {
	k.t.Helper()
	pod := &corev1.Pod{}
	eventually(k.t, "a probe Pod on "+k.node, func() error {
		if err := cluster.Get(k.t.Context(), client.ObjectKey{Namespace: namespace, Name: render.ProbeName(k.node)}, pod); err != nil {
			return err
		}
		if but != nil && pod.UID == but.UID {
			return fmt.Errorf("it is the one before")
		}
		return nil
	})
	return pod
}

// finishes the probe Pod with a termination message.
func (k *kubelet) finishes(pod *corev1.Pod, message string) {
	k.t.Helper()
	pod.Status.Phase = corev1.PodSucceeded
	pod.Status.ContainerStatuses = []corev1.ContainerStatus{{
		Name:  render.ProbeContainer,
		State: corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{Reason: "Completed", Message: message}},
	}}
	must(k.t, cluster.Status().Update(k.t.Context(), pod))
}

// detects runs a whole probe: waits for its Pod and lets it end with facts.
func (k *kubelet) detects(change ...func(*v1.NodeFacts)) {
	k.t.Helper()
	f := facts(k.boot)
	for _, c := range change {
		c(&f)
	}
	raw, err := json.Marshal(f)
	must(k.t, err)
	k.finishes(k.probe(nil), string(raw))
}

// waits leaves the probe's container waiting, as a kubelet does that cannot start it.
func (k *kubelet) waits(pod *corev1.Pod, reason, message string) {
	k.t.Helper()
	pod.Status.Phase = corev1.PodPending
	pod.Status.ContainerStatuses = []corev1.ContainerStatus{{
		Name:  render.ProbeContainer,
		State: corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: reason, Message: message}},
	}}
	must(k.t, cluster.Status().Update(k.t.Context(), pod))
}

// kan waits until the node's object satisfies want.
func (k *kubelet) kan(what string, want func(*v1.KubeArmorNode) error) *v1.KubeArmorNode {
	k.t.Helper()
	kan := &v1.KubeArmorNode{}
	eventually(k.t, "KubeArmorNode "+k.node+" "+what, func() error {
		if err := cluster.Get(k.t.Context(), client.ObjectKey{Name: k.node}, kan); err != nil {
			return err
		}
		return want(kan)
	})
	return kan
}

// pooled waits until the node has a pool, in its object and as its label, and returns the pool's DaemonSet.
func (k *kubelet) pooled() *appsv1.DaemonSet {
	k.t.Helper()
	kan := k.kan("has a pool", func(kan *v1.KubeArmorNode) error {
		if kan.Spec.Pool == "" || kan.Spec.Probe.Reason != v1.ReasonProbeSucceeded {
			return fmt.Errorf("pool %q, probe %s: %s", kan.Spec.Pool, kan.Spec.Probe.Reason, kan.Spec.Probe.Message)
		}
		return nil
	})
	k.label(v1.LabelPool, kan.Spec.Pool)
	ds := &appsv1.DaemonSet{}
	eventually(k.t, "the DaemonSet of pool "+kan.Spec.Pool, func() error {
		return cluster.Get(k.t.Context(), client.ObjectKey{Namespace: namespace, Name: render.DaemonSetName(kan.Spec.Pool)}, ds)
	})
	return ds
}

// label waits until the node has a label with a value; an empty value stands for no such label.
func (k *kubelet) label(key, want string) {
	k.t.Helper()
	eventually(k.t, "label "+key+" of node "+k.node, func() error {
		n := &corev1.Node{}
		if err := cluster.Get(k.t.Context(), client.ObjectKey{Name: k.node}, n); err != nil {
			return err
		}
		if got := n.Labels[key]; got != want {
			return fmt.Errorf("it is %q, want %q", got, want)
		}
		return nil
	})
}

// runsAgent plays the DaemonSet controller and the kubelet: a ready Pod of the DaemonSet is on the node.
func (k *kubelet) runsAgent(ds *appsv1.DaemonSet) *corev1.Pod {
	k.t.Helper()
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: ds.Name + "-" + k.node, Labels: ds.Spec.Template.Labels},
		Spec:       *ds.Spec.Template.Spec.DeepCopy(),
	}
	pod.Spec.NodeName = k.node
	must(k.t, cluster.Create(k.t.Context(), pod))
	k.t.Cleanup(func() { _ = cluster.Delete(background(), pod, client.GracePeriodSeconds(0)) })
	pod.Status.Phase = corev1.PodRunning
	pod.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue, LastTransitionTime: metav1.Now()}}
	must(k.t, cluster.Status().Update(k.t.Context(), pod))
	return pod
}

// endsAgent removes the agent's Pod, as the kubelet does at the end of its grace period.
func (k *kubelet) endsAgent(pod *corev1.Pod) {
	k.t.Helper()
	err := cluster.Delete(k.t.Context(), pod, client.GracePeriodSeconds(0))
	if !apierrors.IsNotFound(err) {
		must(k.t, err)
	}
}

// takesTheConfigAlong is the orderly end: the node's object holds a deleted KubeArmorConfig until its agent has left.
func (k *kubelet) takesTheConfigAlong(c *v1.KubeArmorConfig, agent *corev1.Pod) {
	k.t.Helper()
	throughout(k.t, 2*time.Second, "the object stays until the agent answers", func() error {
		return cluster.Get(k.t.Context(), client.ObjectKey{Name: k.node}, &v1.KubeArmorNode{})
	})
	k.agentReports(detached)
	k.label(v1.LabelPool, "")
	k.endsAgent(agent)
	eventually(k.t, "the KubeArmorConfig goes", func() error { return isGone(k.t.Context(), c.DeepCopy()) })
}

// agentReports plays the agent: it writes its status with a fresh heartbeat.
func (k *kubelet) agentReports(change ...func(*v1.KubeArmorNode)) {
	k.t.Helper()
	must(k.t, retry.RetryOnConflict(retry.DefaultBackoff, func() error {
		kan := &v1.KubeArmorNode{}
		if err := cluster.Get(k.t.Context(), client.ObjectKey{Name: k.node}, kan); err != nil {
			return err
		}
		kan.Status.ObservedGeneration = kan.Generation
		kan.Status.Enforcer = kan.Spec.Verdict.Enforcer
		kan.Status.BootID = k.boot
		kan.Status.Heartbeat = &metav1.Time{Time: time.Now()}
		set(kan, v1.NodeReady, metav1.ConditionTrue, v1.ReasonAsExpected)
		set(kan, v1.NodePoliciesApplied, metav1.ConditionTrue, v1.ReasonAsExpected)
		if kan.Spec.Verdict.Enforcer == v1.EnforcerNone {
			set(kan, v1.NodeEnforcing, metav1.ConditionFalse, v1.ReasonObserveOnly)
		} else {
			set(kan, v1.NodeEnforcing, metav1.ConditionTrue, v1.ReasonEnforcing)
		}
		for _, c := range change {
			c(kan)
		}
		return cluster.Status().Update(k.t.Context(), kan, client.FieldOwner("kubearmor-agent"))
	}))
}

// heartbeatWas makes the API server remember the agent's last report as that old. A change of these times alone is none to
// the API server, so a mark of another writer goes with it.
func (k *kubelet) heartbeatWas(age time.Duration) {
	k.t.Helper()
	edit(k.t, &v1.KubeArmorNode{ObjectMeta: k.meta()}, func(kan *v1.KubeArmorNode) {
		for i := range kan.ManagedFields {
			kan.ManagedFields[i].Time = &metav1.Time{Time: time.Now().Add(-age)}
		}
		kan.Annotations = map[string]string{"test/age": age.String()}
	}, client.FieldOwner("clock"))
}

func set(kan *v1.KubeArmorNode, kind string, status metav1.ConditionStatus, reason string) {
	meta.SetStatusCondition(&kan.Status.Conditions, metav1.Condition{
		Type: kind, Status: status, Reason: reason, ObservedGeneration: kan.Generation,
	})
}

// fails ends the probe Pod without success; with a reason the kubelet itself ended it.
func (k *kubelet) fails(pod *corev1.Pod, reason string, exitCode int32) {
	k.t.Helper()
	pod.Status.Phase, pod.Status.Reason = corev1.PodFailed, reason
	if exitCode != 0 {
		pod.Status.ContainerStatuses = []corev1.ContainerStatus{{
			Name:  render.ProbeContainer,
			State: corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{Reason: "OOMKilled", ExitCode: exitCode}},
		}}
	}
	must(k.t, cluster.Status().Update(k.t.Context(), pod))
}

func (k *kubelet) meta() metav1.ObjectMeta { return metav1.ObjectMeta{Name: k.node} }

func in(ns, name string) metav1.ObjectMeta { return metav1.ObjectMeta{Namespace: ns, Name: name} }
