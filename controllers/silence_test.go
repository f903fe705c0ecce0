// SPDX-License-Identifier: Apache-2.0

package controllers_test

import (
	"fmt"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	v1 "github.com/kubearmor/kubearmor-operator/api/operator/v1"
	"github.com/kubearmor/kubearmor-operator/internal/conditions"
)

func saysNode(kan *v1.KubeArmorNode, kind, status, reason string) error {
	got := conditions.Get(kan.Status.Conditions, kind)
	if string(got.Status) != status || got.Reason != reason {
		return fmt.Errorf("%s is %s %s (%s), want %s %s", kind, got.Status, got.Reason, got.Message, status, reason)
	}
	return nil
}

func TestSilentAgentIsNotBelievedAnyMore(t *testing.T) {
	c := declare(t, v1.KubeArmorConfigSpec{})
	cases := []struct {
		node, status string
		play         func(*kubelet, *corev1.Pod)
	}{
		{"unready", "Unknown", func(k *kubelet, _ *corev1.Pod) { k.heartbeatWas(2 * time.Minute); k.isReady(corev1.ConditionFalse) }},
		{"podless", "Unknown", func(k *kubelet, agent *corev1.Pod) { k.endsAgent(agent) }},
		{"stale", "Unknown", func(k *kubelet, _ *corev1.Pod) { k.heartbeatWas(4 * time.Minute) }},
		{"rebooted", "False", func(k *kubelet, agent *corev1.Pod) { k.reboots(); k.endsAgent(agent) }},
	}
	for _, x := range cases {
		k := join(t, "silent-"+x.node)
		k.detects()
		agent := k.runsAgent(k.pooled())
		k.agentReports()
		k.kan("enforces", func(kan *v1.KubeArmorNode) error { return saysNode(kan, v1.NodeEnforcing, "True", v1.ReasonEnforcing) })
		x.play(k, agent)
		k.kan("does not claim to enforce", func(kan *v1.KubeArmorNode) error {
			if err := saysNode(kan, v1.NodeReady, "False", v1.ReasonAgentNotReporting); err != nil {
				return err
			}
			return saysNode(kan, v1.NodeEnforcing, x.status, v1.ReasonAgentNotReporting)
		})
	}
	fleet(t, c, "which nodes are silent", func(s v1.KubeArmorConfigStatus) error {
		if s.Nodes.Enforcing != 0 || s.Nodes.Degraded != int32(len(cases)) || len(s.FailingNodes) != len(cases) {
			return fmt.Errorf("%+v, failing %v", s.Nodes, s.FailingNodes)
		}
		return nil
	})
}

func TestAgentThatReportsIsLeftToSpeakForItself(t *testing.T) {
	declare(t, v1.KubeArmorConfigSpec{})
	k := join(t, "speaking")
	k.detects()
	agent := k.runsAgent(k.pooled())
	// A restart of the container: unready for seconds, while the core enforces on.
	agent.Status.Conditions[0].Status = corev1.ConditionFalse
	agent.Status.Conditions[0].LastTransitionTime = metav1.Now()
	must(t, cluster.Status().Update(t.Context(), agent))
	k.agentReports(func(kan *v1.KubeArmorNode) { set(kan, v1.NodeEnforcing, "False", v1.ReasonCoreLoadFailed) })
	throughout(t, 2*time.Second, "the agent's word stands", func() error {
		return saysNode(k.kan("exists", func(*v1.KubeArmorNode) error { return nil }), v1.NodeEnforcing, "False", v1.ReasonCoreLoadFailed)
	})
}

func TestNobodyFightsOverTheStatusOfAnAgentThatLives(t *testing.T) {
	declare(t, v1.KubeArmorConfigSpec{})
	cases := []struct {
		node string
		skew time.Duration
		play func(*kubelet)
	}{
		{"kubelet-down", 0, func(k *kubelet) { k.isReady(corev1.ConditionUnknown) }},
		{"clock-behind", -10 * time.Minute, func(*kubelet) {}},
		{"clock-behind-down", -10 * time.Minute, func(k *kubelet) { k.isReady(corev1.ConditionFalse) }},
	}
	for _, x := range cases {
		k := join(t, x.node)
		k.detects()
		k.runsAgent(k.pooled())
		report := func() {
			k.agentReports(func(kan *v1.KubeArmorNode) { kan.Status.Heartbeat = &metav1.Time{Time: time.Now().Add(x.skew)} })
		}
		report()
		x.play(k)
		again := 0
		throughout(t, 3*time.Second, "the status is as the agent wrote it", func() error {
			kan := k.kan("exists", func(*v1.KubeArmorNode) error { return nil })
			if saysNode(kan, v1.NodeEnforcing, "True", v1.ReasonEnforcing) == nil {
				return nil
			}
			report()
			again++
			return nil
		})
		// The first report of all may cross the operator's word on the silence before it.
		if again > 1 {
			t.Errorf("%s: the agent had to repeat itself %d times", x.node, again)
		}
	}
}
