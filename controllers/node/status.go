// SPDX-License-Identifier: Apache-2.0

package node

import (
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1 "github.com/kubearmor/kubearmor-operator/api/operator/v1"
	"github.com/kubearmor/kubearmor-operator/controllers/config"
	"github.com/kubearmor/kubearmor-operator/internal/conditions"
)

const (
	// silentAfter is three heartbeats of an agent.
	silentAfter = 3 * time.Minute
	// unreachableAfter is one heartbeat and a half: on a node that is not Ready the agent lives on while only the kubelet
	// is down, and beats within it. One that does not was powered off or cut off.
	unreachableAfter = 90 * time.Second
	// unreadyAfter is how long an agent's container may be down while its heartbeat is fresh: a restart takes less.
	unreadyAfter = time.Minute
)

// silence is why nobody on the node speaks for it; its reason is empty while an agent does.
type silence struct {
	reason, message string
	// enforcing is what can be said of the node meanwhile: the core outlives its agent, but not a reboot.
	enforcing conditions.Verdict
}

// report speaks for a node whose agent is silent. The status of a KubeArmorNode is the agent's: this is the only exception,
// since an object that nobody writes any more would go on saying that the node enforces.
func (r *Reconciler) report(ctx context.Context, s *scope) error {
	quiet := s.silence()
	if quiet.reason == "" {
		bound := silentAfter
		if !config.IsReady(s.node) {
			bound = unreachableAfter
		}
		s.wakeIn(bound + time.Second - s.sinceHeartbeat())
		return nil
	}
	after := s.kan.DeepCopy()
	list, generation := &after.Status.Conditions, after.Generation
	conditions.Set(list, v1.NodeReady, generation, conditions.False(quiet.reason, quiet.message))
	conditions.Set(list, v1.NodeEnforcing, generation, quiet.enforcing)
	conditions.Set(list, v1.NodePoliciesApplied, generation, conditions.Unknown(quiet.reason, quiet.message))
	if equality.Semantic.DeepEqual(s.kan.Status, after.Status) {
		return nil
	}
	patch := client.MergeFromWithOptions(s.kan, client.MergeFromWithOptimisticLock{})
	if err := r.Client.Status().Patch(ctx, after, patch); err != nil {
		return fmt.Errorf("patch status of KubeArmorNode %s: %w", s.name, err)
	}
	return nil
}

// silence looks from the cause to its effects: a node without a pool has no agent, one that is down no Pod that runs.
func (s *scope) silence() silence {
	status, spec := s.kan.Status, s.kan.Spec
	if spec.Pool == "" && status.Heartbeat == nil {
		return silence{spec.Probe.Reason, spec.Probe.Message, conditions.False(spec.Probe.Reason, spec.Probe.Message)}
	}
	message := s.whySilent()
	if message == "" {
		return silence{}
	}
	enforcing := conditions.Unknown(v1.ReasonAgentNotReporting, message)
	switch {
	case status.Heartbeat == nil:
		enforcing = conditions.False(v1.ReasonAgentNotReporting, message)
	case status.BootID != "" && status.BootID != s.node.Status.NodeInfo.BootID:
		enforcing = conditions.False(v1.ReasonAgentNotReporting, "the node was rebooted, which ends enforcement; "+message)
	}
	return silence{v1.ReasonAgentNotReporting, message, enforcing}
}

// whySilent is empty while the agent reports.
func (s *scope) whySilent() string {
	ready, beat, age := config.IsReady(s.node), s.kan.Status.Heartbeat, s.sinceHeartbeat()
	switch {
	case !ready && (beat == nil || age > unreachableAfter):
		return "the node is not Ready"
	case s.agent == nil:
		return "no agent Pod is on the node; the DaemonSet's events say why"
	case beat == nil:
		return sentence("the agent has not reported yet", podTrouble(s.agent))
	case age > silentAfter:
		return sentence(fmt.Sprintf("the agent's last heartbeat is more than %s old", silentAfter), podTrouble(s.agent))
	case ready && podTrouble(s.agent) != "" && unreadyFor(s.agent, s.now) > unreadyAfter:
		// What a kubelet said that does not report any more is not news.
		return sentence("the agent does not run", podTrouble(s.agent))
	}
	return ""
}

// unreadyFor is zero for a Pod that is ready.
func unreadyFor(pod *corev1.Pod, now time.Time) time.Duration {
	for _, c := range pod.Status.Conditions {
		if c.Type == corev1.PodReady {
			if c.Status == corev1.ConditionTrue {
				return 0
			}
			return now.Sub(c.LastTransitionTime.Time)
		}
	}
	return now.Sub(pod.CreationTimestamp.Time)
}

// podTrouble is what the kubelet says about a container that does not run.
func podTrouble(pod *corev1.Pod) string {
	for _, c := range pod.Status.ContainerStatuses {
		if w := c.State.Waiting; w != nil {
			return sentence(w.Reason, w.Message)
		}
		if t := c.State.Terminated; t != nil {
			return sentence(fmt.Sprintf("exit code %d (%s)", t.ExitCode, t.Reason), t.Message)
		}
	}
	return pod.Status.Message
}
