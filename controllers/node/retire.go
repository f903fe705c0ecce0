// SPDX-License-Identifier: Apache-2.0

package node

import (
	"context"
	"fmt"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

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
	case s.silence().reason != "":
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
	err := r.Client.Delete(ctx, s.kan, client.Preconditions{UID: &s.kan.UID})
	if client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("delete KubeArmorNode %s: %w", s.name, err)
	}
	r.announceLeftBehind(s)
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
