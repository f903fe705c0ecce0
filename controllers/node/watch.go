// SPDX-License-Identifier: Apache-2.0

package node

import (
	"context"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	crmetrics "sigs.k8s.io/controller-runtime/pkg/metrics"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	v1 "github.com/kubearmor/kubearmor-operator/api/operator/v1"
	"github.com/kubearmor/kubearmor-operator/controllers/config"
)

// workers reconcile this many nodes at once: enough for an uninstall of thousands of nodes within a minute.
const workers = 8

// SetupWithManager watches everything that a node's object depends on. The cache must have IndexPodNode.
func (r *Reconciler) SetupWithManager(mgr ctrl.Manager) error {
	r.metrics = newMetrics(crmetrics.Registry)
	return ctrl.NewControllerManagedBy(mgr).
		Named("node").
		For(&corev1.Node{}, builder.WithPredicates(predicate.Funcs{UpdateFunc: nodeChanged})).
		Watches(&v1.KubeArmorNode{}, handler.EnqueueRequestsFromMapFunc(sameName)).
		Watches(&corev1.Pod{}, handler.EnqueueRequestsFromMapFunc(r.nodesOfPod), builder.WithPredicates(predicate.NewPredicateFuncs(r.isOurs))).
		Watches(&v1.KubeArmorConfig{}, handler.EnqueueRequestsFromMapFunc(r.allNodes), builder.WithPredicates(configChanged())).
		WithOptions(controller.Options{MaxConcurrentReconciles: workers}).
		Complete(r)
}

// nodeChanged adds what only the life of one node's object depends on.
func nodeChanged(e event.UpdateEvent) bool {
	was, okWas := e.ObjectOld.(*corev1.Node)
	is, okIs := e.ObjectNew.(*corev1.Node)
	return !okWas || !okIs || config.NodeChanged(e) ||
		config.IsReady(was) != config.IsReady(is) ||
		was.UID != is.UID ||
		(was.DeletionTimestamp == nil) != (is.DeletionTimestamp == nil)
}

// configChanged leaves out status.
func configChanged() predicate.Predicate {
	return predicate.Or(predicate.GenerationChangedPredicate{}, predicate.Funcs{UpdateFunc: func(e event.UpdateEvent) bool {
		return (e.ObjectOld.GetDeletionTimestamp() == nil) != (e.ObjectNew.GetDeletionTimestamp() == nil)
	}})
}

func (r *Reconciler) isOurs(o client.Object) bool {
	app := o.GetLabels()[v1.LabelApp]
	return o.GetNamespace() == r.Defaults.Namespace && (app == v1.AppProbe || app == v1.AppAgent)
}

func sameName(_ context.Context, o client.Object) []reconcile.Request {
	return []reconcile.Request{{NamespacedName: types.NamespacedName{Name: o.GetName()}}}
}

func (r *Reconciler) allNodes(ctx context.Context, _ client.Object) []reconcile.Request {
	list := &corev1.NodeList{}
	if err := r.Client.List(ctx, list, client.UnsafeDisableDeepCopy); err != nil {
		ctrl.LoggerFrom(ctx).Error(err, "list nodes")
		return nil
	}
	requests := make([]reconcile.Request, 0, len(list.Items))
	for i := range list.Items {
		requests = append(requests, reconcile.Request{NamespacedName: types.NamespacedName{Name: list.Items[i].Name}})
	}
	return requests
}

// nodesOfPod is the Pod's node. Whatever happens to a probe may have freed its slot, so nodes that wait for one come along.
func (r *Reconciler) nodesOfPod(ctx context.Context, o client.Object) []reconcile.Request {
	pod, ok := o.(*corev1.Pod)
	if !ok {
		return nil
	}
	names := []string{pod.Spec.NodeName}
	if pod.Labels[v1.LabelApp] == v1.AppProbe {
		names = append(names, r.nextInLine(ctx)...)
	}
	var requests []reconcile.Request
	for _, name := range names {
		requests = append(requests, reconcile.Request{NamespacedName: types.NamespacedName{Name: name}})
	}
	return requests
}
