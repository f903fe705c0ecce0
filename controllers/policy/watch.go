// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"context"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/workqueue"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	opv1 "github.com/kubearmor/kubearmor-operator/api/operator/v1"
)

// settle is how long events about one policy are gathered: a rollout of a thousand Pods is a few writes of its status.
const settle = time.Second

type queue = workqueue.TypedRateLimitingInterface[reconcile.Request]

// SetupWithManager watches the policies of the kind and what their status depends on.
func (r *Reconciler) SetupWithManager(mgr ctrl.Manager) error {
	return ctrl.NewControllerManagedBy(mgr).
		Named(strings.ToLower(r.Kind.Name)).
		For(r.Kind.New(), builder.WithPredicates(predicate.GenerationChangedPredicate{})).
		Watches(&corev1.Pod{}, r.later(r.policiesOfPod), builder.WithPredicates(predicate.Funcs{UpdateFunc: podChanged})).
		Watches(&corev1.Node{}, r.later(r.policiesOfNode), builder.WithPredicates(predicate.LabelChangedPredicate{})).
		Watches(&opv1.KubeArmorNode{}, r.later(r.policiesOfReport), builder.WithPredicates(predicate.Funcs{UpdateFunc: reportChanged})).
		Watches(&opv1.KubeArmorConfig{}, r.later(r.every), builder.WithPredicates(predicate.Funcs{UpdateFunc: deletionStarted})).
		Complete(r)
}

// later delays what an event enqueues, so that many events are one run.
func (r *Reconciler) later(policiesOf func(context.Context, client.Object) []types.NamespacedName) handler.EventHandler {
	add := func(ctx context.Context, q queue, objects ...client.Object) {
		for _, o := range objects {
			for _, key := range policiesOf(ctx, o) {
				q.AddAfter(reconcile.Request{NamespacedName: key}, settle)
			}
		}
	}
	return handler.Funcs{
		CreateFunc: func(ctx context.Context, e event.CreateEvent, q queue) {
			// Every policy is looked at once the caches are filled. To ask each of them about each of a hundred thousand
			// Pods before that would take minutes.
			if !e.IsInInitialList {
				add(ctx, q, e.Object)
			}
		},
		UpdateFunc: func(ctx context.Context, e event.UpdateEvent, q queue) { add(ctx, q, e.ObjectOld, e.ObjectNew) },
		DeleteFunc: func(ctx context.Context, e event.DeleteEvent, q queue) { add(ctx, q, e.Object) },
	}
}

func (r *Reconciler) policiesOfPod(ctx context.Context, o client.Object) []types.NamespacedName {
	pod, ok := o.(*corev1.Pod)
	if !ok {
		return nil
	}
	var among []client.ListOption
	if r.Kind.Namespaced {
		among = append(among, client.InNamespace(pod.Namespace))
	}
	return r.which(ctx, func(s selects) bool { return s.pod(pod) }, among...)
}

func (r *Reconciler) policiesOfNode(ctx context.Context, o client.Object) []types.NamespacedName {
	return r.which(ctx, func(s selects) bool { return s.node(o.GetLabels()) })
}

func (r *Reconciler) every(ctx context.Context, _ client.Object) []types.NamespacedName {
	return r.which(ctx, func(selects) bool { return true })
}

// policiesOfReport are those that the node lists.
func (r *Reconciler) policiesOfReport(_ context.Context, o client.Object) []types.NamespacedName {
	kan, ok := o.(*opv1.KubeArmorNode)
	if !ok {
		return nil
	}
	var keys []types.NamespacedName
	for _, p := range kan.Status.Policies {
		if p.Kind == r.Kind.Name {
			keys = append(keys, types.NamespacedName{Namespace: p.Namespace, Name: p.Name})
		}
	}
	return keys
}

// which lists the policies of the kind whose selector satisfies want.
func (r *Reconciler) which(ctx context.Context, want func(selects) bool, among ...client.ListOption) []types.NamespacedName {
	list := r.Kind.NewList()
	if err := r.Client.List(ctx, list, append(among, client.UnsafeDisableDeepCopy)...); err != nil {
		ctrl.LoggerFrom(ctx).Error(err, "list policies", "kind", r.Kind.Name)
		return nil
	}
	var keys []types.NamespacedName
	_ = meta.EachListItem(list, func(o runtime.Object) error { // The function returns no error.
		if policy, ok := o.(client.Object); ok && want(selectsOf(policy)) {
			keys = append(keys, client.ObjectKeyFromObject(policy))
		}
		return nil
	})
	return keys
}

// podChanged leaves out what a selector does not look at.
func podChanged(e event.UpdateEvent) bool {
	was, okWas := e.ObjectOld.(*corev1.Pod)
	is, okIs := e.ObjectNew.(*corev1.Pod)
	return !okWas || !okIs || was.Spec.NodeName != is.Spec.NodeName || was.Status.Phase != is.Status.Phase ||
		!equality.Semantic.DeepEqual(was.Labels, is.Labels) ||
		was.Annotations[opv1.AnnotationPolicy] != is.Annotations[opv1.AnnotationPolicy]
}

// reportChanged leaves out heartbeats and counters.
func reportChanged(e event.UpdateEvent) bool {
	was, okWas := e.ObjectOld.(*opv1.KubeArmorNode)
	is, okIs := e.ObjectNew.(*opv1.KubeArmorNode)
	return !okWas || !okIs || !slices.Equal(was.Status.Policies, is.Status.Policies) ||
		!equality.Semantic.DeepEqual(was.Status.Conditions, is.Status.Conditions)
}

func deletionStarted(e event.UpdateEvent) bool {
	return (e.ObjectOld.GetDeletionTimestamp() == nil) != (e.ObjectNew.GetDeletionTimestamp() == nil)
}
