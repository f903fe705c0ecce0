// SPDX-License-Identifier: Apache-2.0

package node

import (
	corev1 "k8s.io/api/core/v1"

	v1 "github.com/kubearmor/kubearmor-operator/api/operator/v1"
)

// announce tells of what changed between s.before and s.kan, once it is written.
func (r *Reconciler) announce(s *scope) {
	was, is := specOf(s.before), s.kan.Spec
	if is.Probe.Reason != was.Probe.Reason || is.Probe.Failures > was.Probe.Failures {
		r.announceProbe(s, is.Probe)
	}
	if is.Verdict != nil && (was.Verdict == nil || was.Verdict.Enforcer != is.Verdict.Enforcer || was.Verdict.Reason != is.Verdict.Reason) {
		r.Recorder.Eventf(s.kan, s.node, corev1.EventTypeNormal, "VerdictChanged", "Decide",
			"enforcer %s (%s): %s", is.Verdict.Enforcer, is.Verdict.Reason, is.Verdict.Message)
	}
	if is.Pool != was.Pool && is.Pool != "" {
		r.Recorder.Eventf(s.kan, s.node, corev1.EventTypeNormal, "PoolChanged", "Assign",
			"node %s is in pool %s with image %s", s.name, is.Pool, is.Image)
	}
	if is.Detach && !was.Detach {
		r.Recorder.Eventf(s.kan, s.node, corev1.EventTypeNormal, "Detaching", "Uninstall",
			"node %s is not managed any more; its agent is asked to leave the kernel", s.name)
	}
}

func (r *Reconciler) announceProbe(s *scope, probe v1.ProbeState) {
	switch {
	case probe.Failures > 0:
		r.metrics.probes.WithLabelValues(probe.Reason).Inc()
		r.Recorder.Eventf(s.kan, s.node, corev1.EventTypeWarning, probe.Reason, "Probe",
			"try %d on node %s: %s", probe.Failures, s.name, probe.Message)
	case probe.Reason == v1.ReasonProbeSucceeded:
		r.metrics.probes.WithLabelValues(probe.Reason).Inc()
	}
}

// announceLeftBehind goes to the Node: its KubeArmorNode is gone.
func (r *Reconciler) announceLeftBehind(s *scope) {
	if s.kan.Status.Heartbeat == nil || s.leftBehind == "" {
		return
	}
	r.Recorder.Eventf(s.node, nil, corev1.EventTypeWarning, "DetachUnconfirmed", "Uninstall",
		"node %s may still hold programs of the core under %s: %s. A reboot removes them", s.name, v1.PinPath, s.leftBehind)
}
