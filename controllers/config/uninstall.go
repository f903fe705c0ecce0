// SPDX-License-Identifier: Apache-2.0

package config

import (
	"context"
	"errors"
	"fmt"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"

	v1 "github.com/kubearmor/kubearmor-operator/api/operator/v1"
	"github.com/kubearmor/kubearmor-operator/internal/apply"
	"github.com/kubearmor/kubearmor-operator/internal/render"
)

const (
	// clearRetry is how often a phase of the removal looks again, beside the events that wake it.
	clearRetry = time.Second
	// podsBound is how long after the deletion Pods are waited for: a kubelet that hangs never ends its Pod.
	podsBound = 55 * time.Second
)

// errWaiting ends the phases of a run that is waiting: the scope's progress says for what.
var errWaiting = errors.New("waiting")

func (s *scope) waitFor(format string, args ...any) error {
	s.progress = fmt.Sprintf(format, args...)
	s.wake = clearRetry
	return errWaiting
}

// clearNodes waits until every node is let go: the node controller asks each agent to leave the kernel, takes the labels off,
// which ends the agent's Pod, and deletes the KubeArmorNode. Each of these waits is bounded there.
func (r *Reconciler) clearNodes(_ context.Context, s *scope) error {
	if left := len(s.kans); left > 0 {
		return s.waitFor("waiting for %d nodes to be left by their agents", left)
	}
	return nil
}

// clearPods deletes what makes Pods and waits until the last agent is gone, which still needs its account, and the last relay.
func (r *Reconciler) clearPods(ctx context.Context, s *scope) error {
	if _, err := r.Writer.Prune(ctx, []apply.Object{&appsv1.DaemonSet{}, &appsv1.Deployment{}}, nil); err != nil {
		return err
	}
	left := 0
	for _, app := range []string{v1.AppAgent, v1.AppRelay} {
		pods := &corev1.PodList{}
		if err := r.Client.List(ctx, pods, client.InNamespace(r.Defaults.Namespace), client.MatchingLabels{v1.LabelApp: app}); err != nil {
			return fmt.Errorf("list Pods of %s: %w", app, err)
		}
		for i := range pods.Items {
			if r.mayEnd(ctx, &pods.Items[i]) {
				left++
			}
		}
	}
	if left > 0 && s.now.Sub(s.config.DeletionTimestamp.Time) < podsBound {
		return s.waitFor("waiting for %d Pods of agents and relays to end", left)
	}
	return nil
}

// mayEnd says whether a Pod's kubelet is there to end it.
func (r *Reconciler) mayEnd(ctx context.Context, pod *corev1.Pod) bool {
	node := &corev1.Node{}
	if err := r.Client.Get(ctx, client.ObjectKey{Name: pod.Spec.NodeName}, node); err != nil {
		return client.IgnoreNotFound(err) != nil
	}
	return IsReady(node)
}

// clearRest deletes everything else that is ours.
func (r *Reconciler) clearRest(ctx context.Context, s *scope) error {
	asked, err := r.removeAll(ctx)
	if err != nil {
		return err
	}
	if asked > 0 {
		return s.waitFor("waiting for %d objects to go", asked)
	}
	return nil
}

// removeAll says how many objects of ours were still there.
func (r *Reconciler) removeAll(ctx context.Context) (int, error) {
	r.certificates = look{}
	listed, err := r.Writer.Prune(ctx, render.OwnedKinds(), nil)
	named, errNamed := r.Writer.PruneNamed(ctx, render.Secrets(r.Defaults.Namespace))
	return listed + named, errors.Join(err, errNamed)
}

// letGo takes the finalizer off: nothing of ours is left.
func (r *Reconciler) letGo(ctx context.Context, s *scope) error {
	base := s.config.DeepCopy()
	if !controllerutil.RemoveFinalizer(s.config, v1.FinalizerUninstall) {
		return nil
	}
	s.gone = true
	if err := r.patchFinalizer(ctx, s, base); client.IgnoreNotFound(err) != nil {
		return err
	}
	r.Recorder.Eventf(s.config, nil, corev1.EventTypeNormal, "Uninstalled", "Uninstall", "nothing of the fleet is left in the cluster")
	return nil
}
