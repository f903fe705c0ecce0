// SPDX-License-Identifier: Apache-2.0

// Package controllers wires the operator's controllers: what they share, in one visible list.
package controllers

import (
	"context"
	"fmt"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	opv1 "github.com/kubearmor/kubearmor-operator/api/operator/v1"
	secv1 "github.com/kubearmor/kubearmor-operator/api/security/v1"
	"github.com/kubearmor/kubearmor-operator/controllers/config"
	"github.com/kubearmor/kubearmor-operator/controllers/node"
	"github.com/kubearmor/kubearmor-operator/controllers/policy"
	"github.com/kubearmor/kubearmor-operator/internal/apply"
	"github.com/kubearmor/kubearmor-operator/internal/certs"
	"github.com/kubearmor/kubearmor-operator/internal/render"
)

// Options of the operator.
type Options struct {
	Defaults render.Defaults
	// Lives of the certificates that the operator makes.
	Lives certs.Lives
	// MaxProbes at once in the whole cluster.
	MaxProbes int
}

// Scheme knows every kind that the operator reads or writes.
func Scheme() *runtime.Scheme {
	s := runtime.NewScheme()
	utilruntime.Must(clientgoscheme.AddToScheme(s))
	utilruntime.Must(opv1.AddToScheme(s))
	utilruntime.Must(secv1.AddToScheme(s))
	return s
}

// Setup adds every controller to the manager, whose cache must be that of CacheOptions and whose client that of ClientOptions.
func Setup(ctx context.Context, mgr ctrl.Manager, o Options) error {
	if err := mgr.GetFieldIndexer().IndexField(ctx, &corev1.Pod{}, node.IndexPodNode, nodeOfPod); err != nil {
		return fmt.Errorf("index Pods by node: %w", err)
	}
	writer := &apply.Writer{Client: mgr.GetClient(), Label: opv1.LabelManagedBy, Value: opv1.ManagedBy}
	recorder := mgr.GetEventRecorder("kubearmor-operator")
	configs := &config.Reconciler{
		Client: mgr.GetClient(), Writer: writer, Recorder: recorder, Defaults: o.Defaults, Lives: o.Lives, Now: time.Now,
	}
	if err := configs.SetupWithManager(mgr); err != nil {
		return fmt.Errorf("set up the controller of KubeArmorConfigs: %w", err)
	}
	nodes := &node.Reconciler{
		Client: mgr.GetClient(), Live: mgr.GetAPIReader(), Writer: writer, Recorder: recorder,
		Defaults: o.Defaults, MaxProbes: o.MaxProbes, Now: time.Now,
	}
	if err := nodes.SetupWithManager(mgr); err != nil {
		return fmt.Errorf("set up the controller of nodes: %w", err)
	}
	for _, kind := range policy.Kinds() {
		policies := &policy.Reconciler{Client: mgr.GetClient(), Kind: kind, Namespace: o.Defaults.Namespace}
		if err := policies.SetupWithManager(mgr); err != nil {
			return fmt.Errorf("set up the controller of %s: %w", kind.Name, err)
		}
	}
	return nil
}

func nodeOfPod(o client.Object) []string {
	if pod, ok := o.(*corev1.Pod); ok && pod.Spec.NodeName != "" {
		return []string{pod.Spec.NodeName}
	}
	return nil
}

// CheckAccess asks the API server for what the operator cannot work without, so that a missing CRD or role is an error at
// the start that names it, instead of a cache that never fills.
func CheckAccess(ctx context.Context, r client.Reader, namespace string) error {
	lists := []client.ObjectList{
		&opv1.KubeArmorConfigList{}, &opv1.KubeArmorNodeList{},
		&secv1.KubeArmorPolicyList{}, &secv1.KubeArmorClusterPolicyList{}, &secv1.KubeArmorHostPolicyList{},
	}
	for _, list := range lists {
		if err := r.List(ctx, list, client.Limit(1)); err != nil {
			return fmt.Errorf("list %T: %w; install the CRDs (kubectl apply -k config/crd) and the operator's role", list, err)
		}
	}
	err := r.List(ctx, &appsv1.DaemonSetList{}, client.InNamespace(namespace), client.Limit(1))
	if apierrors.IsForbidden(err) {
		return fmt.Errorf("list DaemonSets in namespace %s: %w; install the operator's role in that namespace", namespace, err)
	}
	return err
}
