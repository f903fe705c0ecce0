// SPDX-License-Identifier: Apache-2.0

package node

import (
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1 "github.com/kubearmor/kubearmor-operator/api/operator/v1"
	"github.com/kubearmor/kubearmor-operator/controllers/config"
	"github.com/kubearmor/kubearmor-operator/internal/conditions"
	"github.com/kubearmor/kubearmor-operator/internal/render"
)

// annotationHarvested of a KubeArmorNode is the UID of the last probe Pod whose end was taken into the object: a Pod that
// is seen twice must not count twice.
const annotationHarvested = "operator.kubearmor.com/probe-pod"

// maxProbeMessage is the bound of ProbeState.Message.
const maxProbeMessage = 1024

const (
	firstRetry = 10 * time.Second
	lastRetry  = 10 * time.Minute
)

// detect brings spec.probe and spec.facts to the truth: it reads the probe Pod that is there, or starts one.
func (r *Reconciler) detect(ctx context.Context, s *scope) error {
	s.inputs = render.ProbeInputs(s.node.Status.NodeInfo, s.settings.Image)
	state := &s.kan.Spec.Probe
	if state.Inputs != s.inputs {
		*state = v1.ProbeState{Inputs: s.inputs, Reason: v1.ReasonProbePending}
	}
	switch {
	case state.Reason == v1.ReasonProbeSucceeded:
		return nil
	case s.probe == nil:
		return r.start(ctx, s)
	case isSpent(s):
		// Its deletion wakes this node again.
		return nil
	}
	r.harvest(s, outcomeOf(s.probe, s.now))
	return nil
}

// isSpent says whether the probe Pod has nothing more to tell about the present inputs.
func isSpent(s *scope) bool {
	return s.kan.Spec.Probe.Reason == v1.ReasonProbeSucceeded ||
		s.probe.DeletionTimestamp != nil ||
		s.probe.Annotations[render.AnnotationProbeInputs] != s.kan.Spec.Probe.Inputs ||
		s.kan.Annotations[annotationHarvested] == string(s.probe.UID)
}

// harvest takes what a probe Pod says into the object.
func (r *Reconciler) harvest(s *scope, o outcome) {
	state := &s.kan.Spec.Probe
	state.Reason, state.Message = o.reason, conditions.Clip(o.message, maxProbeMessage)
	if o.reason == v1.ReasonProbeRunning {
		if !config.IsReady(s.node) {
			state.Message = "the probe Pod is bound to the node, and the node is not Ready"
		}
		s.wakeIn(s.probe.CreationTimestamp.Add(render.ProbeDeadlineSeconds*time.Second + overtime + time.Second).Sub(s.now))
		return
	}
	metav1.SetMetaDataAnnotation(&s.kan.ObjectMeta, annotationHarvested, string(s.probe.UID))
	state.LastTime = &metav1.Time{Time: s.now.Truncate(time.Second)}
	if o.facts != nil && (!o.isFailure() || s.kan.Spec.Facts == nil) {
		s.kan.Spec.Facts = o.facts
		s.kan.Spec.Image = s.settings.Image
	}
	if o.isFailure() {
		state.Failures++
		s.wakeIn(retryAfter(state.Failures))
		return
	}
	state.Failures = 0
}

// start has the node probed now if it can be, and says what it waits for if not.
func (r *Reconciler) start(ctx context.Context, s *scope) error {
	state := &s.kan.Spec.Probe
	if !config.IsReady(s.node) {
		s.pending("the node is not Ready; it is probed once it is")
		return nil
	}
	if state.Failures > 0 && state.LastTime != nil {
		if due := state.LastTime.Add(retryAfter(state.Failures)); s.now.Before(due) {
			s.wakeIn(due.Sub(s.now))
			return nil
		}
	}
	free, release, err := r.takeSlot(ctx, s.name)
	defer release()
	if err != nil {
		return err
	}
	if !free {
		s.pending(fmt.Sprintf("waiting for one of the %d probes that may run at once", r.MaxProbes))
		s.wakeIn(slotRetry)
		return nil
	}
	pod := render.ProbePod(s.settings, s.node)
	if err := r.Client.Create(ctx, pod); err != nil && !apierrors.IsAlreadyExists(err) {
		s.refused(err)
		return nil
	}
	state.Reason, state.Message = v1.ReasonProbeRunning, "the probe Pod is on the node"
	return nil
}

// pending keeps the reason of a failure before: it says more than that a retry is due.
func (s *scope) pending(message string) {
	if state := &s.kan.Spec.Probe; state.Failures == 0 {
		state.Reason, state.Message = v1.ReasonProbePending, message
	}
}

// refused records that the API server took no probe Pod, for instance by a quota or an admission webhook.
func (s *scope) refused(err error) {
	state := &s.kan.Spec.Probe
	state.Reason = v1.ReasonProbeFailed
	state.Message = conditions.Clip("the API server refused the probe Pod: "+err.Error(), maxProbeMessage)
	state.Failures++
	state.LastTime = &metav1.Time{Time: s.now.Truncate(time.Second)}
	s.wakeIn(retryAfter(state.Failures))
}

// prune deletes a probe Pod that has nothing more to tell. It runs after the object is written, so that no facts are lost.
func (r *Reconciler) prune(ctx context.Context, s *scope) error {
	if s.probe == nil || s.managed && !isSpent(s) {
		return nil
	}
	return r.deleteProbe(ctx, s.probe)
}

// deleteProbe does not wait for a kubelet that may be gone: the Pod has nothing to finish.
func (r *Reconciler) deleteProbe(ctx context.Context, pod *corev1.Pod) error {
	err := r.Client.Delete(ctx, pod, client.GracePeriodSeconds(0), client.Preconditions{UID: &pod.UID})
	if client.IgnoreNotFound(err) != nil && !apierrors.IsConflict(err) {
		return fmt.Errorf("delete probe Pod %s: %w", pod.Name, err)
	}
	return nil
}

// retryAfter doubles with each failure in a row.
func retryAfter(failures int32) time.Duration {
	d := firstRetry
	for range failures - 1 {
		if d *= 2; d >= lastRetry {
			return lastRetry
		}
	}
	return d
}
