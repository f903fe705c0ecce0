// SPDX-License-Identifier: Apache-2.0

package node

import (
	"context"
	"fmt"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"

	v1 "github.com/kubearmor/kubearmor-operator/api/operator/v1"
	"github.com/kubearmor/kubearmor-operator/controllers/config"
	"github.com/kubearmor/kubearmor-operator/internal/conditions"
)

// annotationDetachSince of a KubeArmorNode is when its agent was asked to leave the kernel: the clock of detachBound.
const annotationDetachSince = "operator.kubearmor.com/detach-since"

const (
	// detachBound is how long an agent that reports may take to leave the kernel.
	detachBound = 30 * time.Second
	// leaveBound is how long its Pod may take to go after that.
	leaveBound = 20 * time.Second
	// leaveRetry is how often the Pod is looked for, beside the event of its deletion.
	leaveRetry = 2 * time.Second
)

// detach asks the agent of a node that is not managed any more to take the core off the kernel, and waits for it.
func (r *Reconciler) detach(_ context.Context, s *scope) error {
	if s.kan == nil {
		s.released = true
		return nil
	}
	if !s.kan.Spec.Detach {
		s.kan.Spec.Detach = true
		metav1.SetMetaDataAnnotation(&s.kan.ObjectMeta, annotationDetachSince, s.now.UTC().Format(time.RFC3339))
	}
	switch waited := s.now.Sub(detachSince(s.kan, s.now)); {
	case isDetached(s.before):
		s.released = true
	case s.silence().reason != "" && !s.mayAnswer():
		s.released, s.leftBehind = true, s.silence().message
	case waited >= detachBound:
		s.released, s.leftBehind = true, fmt.Sprintf("the agent reports, and did not detach within %s", detachBound)
	default:
		s.wakeIn(detachBound - waited)
	}
	return nil
}

// release lets the object go once no agent runs on the node.
func (r *Reconciler) release(ctx context.Context, s *scope) error {
	if !s.released || s.kan == nil {
		return nil
	}
	waited := s.now.Sub(detachSince(s.kan, s.now))
	// A kubelet that is down may come back to end the Pod as long as something on the node reports.
	if s.agent != nil && (config.IsReady(s.node) || s.silence().reason == "") && waited < detachBound+leaveBound {
		s.wakeIn(leaveRetry)
		return nil
	}
	if err := r.remove(ctx, s.kan); err != nil {
		return err
	}
	r.announceLeftBehind(s)
	return nil
}

// mayAnswer is for an object so new that a ready agent did not write into it yet.
func (s *scope) mayAnswer() bool {
	waited := s.now.Sub(detachSince(s.kan, s.now))
	return s.kan.Status.Heartbeat == nil && s.agent != nil && s.agent.DeletionTimestamp == nil &&
		config.IsReady(s.node) && unreadyFor(s.agent, s.now) == 0 && waited < detachBound
}

// remove takes the finalizer off and deletes the object, in either order of who asked first.
func (r *Reconciler) remove(ctx context.Context, kan *v1.KubeArmorNode) error {
	if err := r.takeFinalizer(ctx, kan); err != nil {
		return err
	}
	err := r.Client.Delete(ctx, kan, client.Preconditions{UID: &kan.UID})
	if client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("delete KubeArmorNode %s: %w", kan.Name, err)
	}
	return nil
}

func (r *Reconciler) takeFinalizer(ctx context.Context, kan *v1.KubeArmorNode) error {
	base := kan.DeepCopy()
	if !controllerutil.RemoveFinalizer(kan, v1.FinalizerDetach) {
		return nil
	}
	patch := client.MergeFromWithOptions(base, client.MergeFromWithOptimisticLock{})
	if err := r.Client.Patch(ctx, kan, patch); client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("patch finalizer of KubeArmorNode %s: %w", kan.Name, err)
	}
	return nil
}

// restore brings back the object of a managed node that was deleted by hand. It keeps its spec: without a pool the node would
// lose its label, and so the agent that is to leave the kernel some day. An object that another finalizer holds is waited for.
func (r *Reconciler) restore(ctx context.Context, s *scope) error {
	if err := r.takeFinalizer(ctx, s.kan); err != nil || len(s.kan.Finalizers) > 0 {
		return err
	}
	again := &v1.KubeArmorNode{Spec: *s.before.Spec.DeepCopy()}
	again.Name, again.Annotations = s.name, s.kan.Annotations
	own(again, s.node)
	if err := r.Client.Create(ctx, again); err != nil {
		return fmt.Errorf("restore KubeArmorNode %s: %w", s.name, err)
	}
	return nil
}

// isDetached says whether the agent reported that it left the kernel, in answer to the present spec.
func isDetached(kan *v1.KubeArmorNode) bool {
	return kan != nil && kan.Spec.Detach && kan.Status.ObservedGeneration >= kan.Generation &&
		conditions.Get(kan.Status.Conditions, v1.NodeEnforcing).Reason == v1.ReasonDetached
}

// detachSince is now when nothing was asked yet, or when the annotation was damaged by hand.
func detachSince(kan *v1.KubeArmorNode, now time.Time) time.Time {
	at, err := time.Parse(time.RFC3339, kan.Annotations[annotationDetachSince])
	if err != nil {
		return now
	}
	return at
}
