// SPDX-License-Identifier: Apache-2.0

package config

import (
	"context"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	crmetrics "sigs.k8s.io/controller-runtime/pkg/metrics"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	v1 "github.com/kubearmor/kubearmor-operator/api/operator/v1"
	"github.com/kubearmor/kubearmor-operator/internal/render"
)

// SetupWithManager watches the KubeArmorConfigs, the nodes, their objects, and everything owned, so that drift is repaired at once.
func (r *Reconciler) SetupWithManager(mgr ctrl.Manager) error {
	r.metrics = newMetrics(crmetrics.Registry)
	all := handler.EnqueueRequestsFromMapFunc(r.allConfigs)
	b := ctrl.NewControllerManagedBy(mgr).
		Named("config").
		For(&v1.KubeArmorConfig{}).
		Watches(&v1.KubeArmorConfig{}, all, builder.WithPredicates(predicate.GenerationChangedPredicate{})).
		Watches(&corev1.Node{}, all, builder.WithPredicates(predicate.Funcs{UpdateFunc: NodeChanged})).
		Watches(&v1.KubeArmorNode{}, all, builder.WithPredicates(predicate.Funcs{UpdateFunc: kanChanged}))
	for _, kind := range render.OwnedKinds() {
		if o, ok := kind.(client.Object); ok {
			b = b.Watches(o, all, builder.WithPredicates(predicate.NewPredicateFuncs(isOwned)))
		}
	}
	return b.Complete(r)
}

// allConfigs is one request for each, and one for none: when the last KubeArmorConfig is gone, what is left is swept.
func (r *Reconciler) allConfigs(ctx context.Context, _ client.Object) []reconcile.Request {
	list := &v1.KubeArmorConfigList{}
	if err := r.Client.List(ctx, list); err != nil {
		ctrl.LoggerFrom(ctx).Error(err, "list KubeArmorConfigs")
		return nil
	}
	requests := []reconcile.Request{}
	for i := range list.Items {
		requests = append(requests, reconcile.Request{NamespacedName: client.ObjectKeyFromObject(&list.Items[i])})
	}
	if len(requests) == 0 {
		requests = append(requests, reconcile.Request{})
	}
	return requests
}

func isOwned(o client.Object) bool {
	return o.GetLabels()[v1.LabelManagedBy] == v1.ManagedBy
}

// NodeChanged is whether the node itself is another one, or its labels are; it leaves out the kubelet's heartbeats.
func NodeChanged(e event.UpdateEvent) bool {
	was, okWas := e.ObjectOld.(*corev1.Node)
	is, okIs := e.ObjectNew.(*corev1.Node)
	return !okWas || !okIs || !equality.Semantic.DeepEqual(was.Status.NodeInfo, is.Status.NodeInfo) || !equality.Semantic.DeepEqual(was.Labels, is.Labels)
}

// kanChanged leaves out the agent's heartbeats and counters: the fleet's status does not depend on them.
func kanChanged(e event.UpdateEvent) bool {
	was, okWas := e.ObjectOld.(*v1.KubeArmorNode)
	is, okIs := e.ObjectNew.(*v1.KubeArmorNode)
	return !okWas || !okIs || was.Generation != is.Generation || was.Status.Enforcer != is.Status.Enforcer ||
		!equality.Semantic.DeepEqual(was.Status.Conditions, is.Status.Conditions)
}
