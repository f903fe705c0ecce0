// SPDX-License-Identifier: Apache-2.0

// Package policy writes the status of policies: whether each was understood, and on how many of the nodes that run
// selected Pods it is in force. The nodes' own accounts are its only source.
package policy

import (
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	opv1 "github.com/kubearmor/kubearmor-operator/api/operator/v1"
	"github.com/kubearmor/kubearmor-operator/controllers/config"
	"github.com/kubearmor/kubearmor-operator/internal/policy/selector"
)

// recheck is how often a policy is looked at that is not in force everywhere: what it waits for need not be on the list
// of a node that could wake it.
const recheck = time.Minute

// Reconciler writes the status of the policies of one kind.
type Reconciler struct {
	Client    client.Client
	Kind      Kind
	Namespace string
}

// Reconcile computes one policy's status from the world and writes it, when it changed.
func (r *Reconciler) Reconcile(ctx context.Context, req reconcile.Request) (ctrl.Result, error) {
	policy := r.Kind.New()
	if err := r.Client.Get(ctx, req.NamespacedName, policy); err != nil {
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	w, err := r.gather(ctx, policy)
	if err != nil {
		return ctrl.Result{}, err
	}
	base, ok := policy.DeepCopyObject().(client.Object)
	if !ok {
		return ctrl.Result{}, fmt.Errorf("copy of %T is not an object", policy)
	}
	status, err := statusOf(policy)
	if err != nil {
		return ctrl.Result{}, err
	}
	before := status.DeepCopy()
	conclude(status, w)
	if !equality.Semantic.DeepEqual(before, status) {
		if err := r.Client.Status().Patch(ctx, policy, client.MergeFrom(base)); client.IgnoreNotFound(err) != nil {
			return ctrl.Result{}, fmt.Errorf("patch status of %s %s: %w", r.Kind.Name, req, err)
		}
	}
	if status.Nodes.Enforced < status.Nodes.Desired {
		return ctrl.Result{RequeueAfter: recheck}, nil
	}
	return ctrl.Result{}, nil
}

// world is everything that a policy's status depends on.
type world struct {
	policy client.Object
	// kind as in KubeArmorNode.status.policies.
	kind string
	// installed: a KubeArmorConfig is in force and not being deleted.
	installed bool
	// pods that are selected and tracked; untracked counts those that are selected and left alone.
	pods, untracked int
	// desired nodes must have the policy.
	desired map[string]bool
	// kans of the desired nodes; one that is missing is not managed or not looked at yet.
	kans map[string]*opv1.KubeArmorNode
}

func (r *Reconciler) gather(ctx context.Context, policy client.Object) (world, error) {
	w := world{policy: policy, kind: r.Kind.Name, desired: map[string]bool{}, kans: map[string]*opv1.KubeArmorNode{}}
	inForce, err := config.FindInForce(ctx, r.Client)
	if err != nil {
		return w, err
	}
	w.installed = inForce != nil && inForce.DeletionTimestamp == nil
	chosen := selectsOf(policy)
	if chosen.host != nil {
		err = r.gatherNodes(ctx, &w, chosen)
	} else {
		err = r.gatherPods(ctx, &w, chosen)
	}
	if err != nil {
		return w, err
	}
	for name := range w.desired {
		kan := &opv1.KubeArmorNode{}
		if err := r.Client.Get(ctx, client.ObjectKey{Name: name}, kan, client.UnsafeDisableDeepCopy); err == nil {
			w.kans[name] = kan
		} else if client.IgnoreNotFound(err) != nil {
			return w, fmt.Errorf("get KubeArmorNode %s: %w", name, err)
		}
	}
	return w, nil
}

func (r *Reconciler) gatherNodes(ctx context.Context, w *world, chosen selects) error {
	nodes := &corev1.NodeList{}
	if err := r.Client.List(ctx, nodes, client.UnsafeDisableDeepCopy); err != nil {
		return fmt.Errorf("list nodes: %w", err)
	}
	for i := range nodes.Items {
		if n := &nodes.Items[i]; config.IsLinux(n) && chosen.node(n.Labels) {
			w.desired[n.Name] = true
		}
	}
	return nil
}

// gatherPods leaves out Pods that ended, and counts apart those that are left alone, for instance in system namespaces.
func (r *Reconciler) gatherPods(ctx context.Context, w *world, chosen selects) error {
	pods := &corev1.PodList{}
	if err := r.Client.List(ctx, pods, client.InNamespace(w.policy.GetNamespace()), client.UnsafeDisableDeepCopy); err != nil {
		return fmt.Errorf("list Pods: %w", err)
	}
	system := selector.SystemNamespaces(r.Namespace)
	for i := range pods.Items {
		p := &pods.Items[i]
		if p.Status.Phase == corev1.PodSucceeded || p.Status.Phase == corev1.PodFailed || !chosen.pod(p) {
			continue
		}
		if selector.Treat(viewOf(p), system) == selector.Untracked {
			w.untracked++
			continue
		}
		w.pods++
		if p.Status.Phase == corev1.PodRunning {
			w.desired[p.Spec.NodeName] = true
		}
	}
	return nil
}
