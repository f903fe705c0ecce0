// SPDX-License-Identifier: Apache-2.0

package node

import (
	"fmt"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"

	v1 "github.com/kubearmor/kubearmor-operator/api/operator/v1"
	"github.com/kubearmor/kubearmor-operator/internal/render"
	"github.com/kubearmor/kubearmor-operator/internal/support"
)

// overtime is how long after its deadline a probe Pod that its kubelet did not end is given up.
const overtime = 30 * time.Second

// outcome of a probe Pod. Reason is ProbeRunning while it may still succeed, ProbeSucceeded with facts,
// ProbeIncomplete with facts that another probe may complete, or why it failed.
type outcome struct {
	reason  string
	message string
	facts   *v1.NodeFacts
}

func (o outcome) isFailure() bool {
	return o.reason != v1.ReasonProbeRunning && o.reason != v1.ReasonProbeSucceeded
}

// outcomeOf reads a probe Pod's status.
func outcomeOf(pod *corev1.Pod, now time.Time) outcome {
	status := containerStatus(pod)
	switch {
	case pod.Status.Phase == corev1.PodSucceeded:
		return harvested(status)
	case pod.Status.Phase == corev1.PodFailed:
		return failed(pod, status)
	case status != nil && status.State.Waiting != nil && isHopeless(status.State.Waiting.Reason):
		return waitingFor(pod, status.State.Waiting)
	case now.Sub(pod.CreationTimestamp.Time) > render.ProbeDeadlineSeconds*time.Second+overtime:
		return outcome{reason: v1.ReasonProbeTimeout, message: fmt.Sprintf(
			"the probe Pod did not end within %d s and its kubelet did not end it; is the kubelet alive?", render.ProbeDeadlineSeconds)}
	default:
		return outcome{reason: v1.ReasonProbeRunning, message: "the probe Pod is on the node"}
	}
}

func containerStatus(pod *corev1.Pod) *corev1.ContainerStatus {
	for i := range pod.Status.ContainerStatuses {
		if s := &pod.Status.ContainerStatuses[i]; s.Name == render.ProbeContainer {
			return s
		}
	}
	return nil
}

func harvested(status *corev1.ContainerStatus) outcome {
	message := ""
	if status != nil && status.State.Terminated != nil {
		message = status.State.Terminated.Message
	}
	facts, reason, err := support.DecodeFacts([]byte(message))
	if err != nil {
		return outcome{reason: reason, message: err.Error()}
	}
	if missing := overdue(facts); missing != "" {
		return outcome{reason: v1.ReasonProbeIncomplete, message: missing + "; the node is probed again", facts: facts}
	}
	return outcome{reason: v1.ReasonProbeSucceeded, message: "the facts are of this boot, kernel, runtime and image", facts: facts}
}

// overdue names a fact that the verdict or the agent needs and that the probe could not establish: another look may.
func overdue(f *v1.NodeFacts) string {
	switch {
	case f.Runtime.Reason == v1.ReasonTimedOut:
		return sentence("the container runtime did not answer in time", f.Runtime.Cause)
	case f.BPFLSM.State == v1.FactUnknown && f.BPFLSM.Reason != v1.ReasonPermissionDenied:
		// Only a definite No takes enforcement off a node: a full disk or a stall on the day of an upgrade must not.
		return sentence("the BPF-LSM canary could not be tried to its end", f.BPFLSM.Cause)
	}
	return ""
}

func failed(pod *corev1.Pod, status *corev1.ContainerStatus) outcome {
	if pod.Status.Reason == "DeadlineExceeded" {
		return outcome{reason: v1.ReasonProbeTimeout, message: fmt.Sprintf(
			"the probe Pod did not end within %d s, the pull of its image included", render.ProbeDeadlineSeconds)}
	}
	if status != nil && status.State.Terminated != nil {
		t := status.State.Terminated
		return outcome{reason: v1.ReasonProbeFailed, message: sentence(
			fmt.Sprintf("the probe ended with exit code %d (%s)", t.ExitCode, t.Reason), t.Message)}
	}
	return outcome{reason: v1.ReasonProbeFailed, message: sentence("the kubelet ended the probe Pod: "+pod.Status.Reason, pod.Status.Message)}
}

// isHopeless tells a container that waits for its turn from one that the kubelet failed to start.
func isHopeless(reason string) bool {
	return isPull(reason) || strings.HasPrefix(reason, "Create") || reason == "RunContainerError"
}

func isPull(reason string) bool {
	switch reason {
	case "ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull", "ImageInspectError", "RegistryUnavailable", "SignatureValidationFailed":
		return true
	}
	return false
}

func waitingFor(pod *corev1.Pod, w *corev1.ContainerStateWaiting) outcome {
	if isPull(w.Reason) {
		return outcome{reason: v1.ReasonImagePullFailed, message: sentence(
			fmt.Sprintf("%s of %s", w.Reason, pod.Spec.Containers[0].Image), w.Message)}
	}
	return outcome{reason: v1.ReasonProbeFailed, message: sentence("the kubelet could not start the probe: "+w.Reason, w.Message)}
}

func sentence(what, detail string) string {
	detail = strings.TrimSpace(detail)
	if detail == "" {
		return what
	}
	return what + ": " + detail
}
