// SPDX-License-Identifier: Apache-2.0

package node

import (
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	v1 "github.com/kubearmor/kubearmor-operator/api/operator/v1"
)

// reporting is a node whose agent reported a minute ago.
func reporting() *scope {
	s := &scope{name: "n", now: noon(), node: &corev1.Node{}, agent: &corev1.Pod{}, kan: &v1.KubeArmorNode{}}
	s.node.Status.NodeInfo.BootID = "boot"
	s.node.Status.Conditions = []corev1.NodeCondition{{Type: corev1.NodeReady, Status: corev1.ConditionTrue}}
	s.agent.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue}}
	s.kan.Spec.Pool = "pool"
	s.kan.Status.BootID = "boot"
	s.kan.Status.Heartbeat = &metav1.Time{Time: noon().Add(-time.Minute)}
	return s
}

func (s *scope) agentIsDown(since time.Duration) {
	s.agent.Status.Conditions[0].Status = corev1.ConditionFalse
	s.agent.Status.Conditions[0].LastTransitionTime = metav1.NewTime(noon().Add(-since))
	s.agent.Status.ContainerStatuses = []corev1.ContainerStatus{{State: waiting("CrashLoopBackOff")}}
}

// heartbeatTaken is what the cache keeps of an object whose agent wrote its status so long ago by the API server's clock.
func (s *scope) heartbeatTaken(since time.Duration) {
	at := func(d time.Duration) *metav1.Time { return &metav1.Time{Time: noon().Add(-d)} }
	s.kan.ManagedFields = []metav1.ManagedFieldsEntry{
		{Manager: "operator", Time: at(0), FieldsV1: metav1.NewFieldsV1(`{"f:status":{"f:conditions":{}}}`)},
		{Manager: "former-agent", Time: at(time.Hour), FieldsV1: metav1.NewFieldsV1(`{"f:status":{"f:heartbeat":{}}}`)},
		{Manager: "agent", Time: at(since), FieldsV1: metav1.NewFieldsV1(`{"f:status":{"f:conditions":{},"f:heartbeat":{}}}`)},
	}
	_, _ = KeepHeartbeatTime(s.kan)
}

func TestSilence(t *testing.T) {
	cases := []struct {
		name      string
		change    func(*scope)
		reason    string
		enforcing metav1.ConditionStatus
		words     string
	}{
		{"an agent with a fresh heartbeat speaks for itself", func(*scope) {}, "", "", ""},
		{"also while its Pod is not ready", func(s *scope) { s.agentIsDown(time.Hour); s.agent.Status.ContainerStatuses = nil }, "", "", ""},
		{"also right after its container ended", func(s *scope) { s.agentIsDown(time.Second) }, "", "", ""},
		{"but not when its container is down for long", func(s *scope) { s.agentIsDown(2 * time.Minute) }, v1.ReasonAgentNotReporting, "Unknown", "CrashLoopBackOff"},
		{"a heartbeat of four minutes ago is too old", func(s *scope) {
			s.kan.Status.Heartbeat = &metav1.Time{Time: noon().Add(-4 * time.Minute)}
		}, v1.ReasonAgentNotReporting, "Unknown", "3m0s"},
		{"no heartbeat yet means that nothing is enforced", func(s *scope) { s.kan.Status.Heartbeat = nil }, v1.ReasonAgentNotReporting, "False", "not reported yet"},
		{"a heartbeat is newer than a node's condition", func(s *scope) { s.node.Status.Conditions = nil }, "", "", ""},
		{"a node that is not Ready and missed a heartbeat cannot be asked", func(s *scope) {
			s.node.Status.Conditions = nil
			s.kan.Status.Heartbeat = &metav1.Time{Time: noon().Add(-91 * time.Second)}
		}, v1.ReasonAgentNotReporting, "Unknown", "not Ready"},
		{"a node that is not Ready and never had one neither", func(s *scope) {
			s.node.Status.Conditions, s.kan.Status.Heartbeat = nil, nil
		}, v1.ReasonAgentNotReporting, "False", "not Ready"},
		{"what a kubelet said before it went down is no news", func(s *scope) {
			s.agentIsDown(2 * time.Minute)
			s.node.Status.Conditions = nil
		}, "", "", ""},
		{"a clock that is behind makes no heartbeat old", func(s *scope) {
			s.kan.Status.Heartbeat = &metav1.Time{Time: noon().Add(-time.Hour)}
			s.heartbeatTaken(time.Minute)
		}, "", "", ""},
		{"a clock that is ahead makes none young", func(s *scope) {
			s.kan.Status.Heartbeat = &metav1.Time{Time: noon().Add(time.Hour)}
			s.heartbeatTaken(4 * time.Minute)
		}, v1.ReasonAgentNotReporting, "Unknown", "3m0s"},
		{"a node without an agent's Pod cannot be asked", func(s *scope) { s.agent = nil }, v1.ReasonAgentNotReporting, "Unknown", "no agent Pod"},
		{"a reboot ends enforcement", func(s *scope) { s.agent, s.node.Status.NodeInfo.BootID = nil, "other" }, v1.ReasonAgentNotReporting, "False", "rebooted"},
		{"a node without a pool has the probe's reason", func(s *scope) {
			s.kan = &v1.KubeArmorNode{}
			s.kan.Spec.Probe = v1.ProbeState{Reason: v1.ReasonImagePullFailed, Message: "no such image"}
		}, v1.ReasonImagePullFailed, "False", "no such image"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			s := reporting()
			c.change(s)
			got := s.silence()
			if got.reason != c.reason || got.enforcing.Status != c.enforcing || !strings.Contains(got.enforcing.Message, c.words) {
				t.Errorf("got %+v", got)
			}
		})
	}
}

func TestDetachedIsBelievedOnlyOfThePresentSpec(t *testing.T) {
	kan := func(generation, observed int64, reason string) *v1.KubeArmorNode {
		k := &v1.KubeArmorNode{}
		k.Generation, k.Spec.Detach = generation, true
		k.Status.ObservedGeneration = observed
		k.Status.Conditions = []metav1.Condition{{Type: v1.NodeEnforcing, Status: metav1.ConditionFalse, Reason: reason}}
		return k
	}
	cases := []struct {
		name string
		kan  *v1.KubeArmorNode
		want bool
	}{
		{"no object is not detached", nil, false},
		{"an answer to this generation is", kan(2, 2, v1.ReasonDetached), true},
		{"an answer to the one before is not", kan(2, 1, v1.ReasonDetached), false},
		{"another reason is not", kan(2, 2, v1.ReasonObserveOnly), false},
	}
	for _, c := range cases {
		if got := isDetached(c.kan); got != c.want {
			t.Errorf("%s: got %v", c.name, got)
		}
	}
}
