// SPDX-License-Identifier: Apache-2.0

package config

import (
	"context"
	"fmt"

	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"

	v1 "github.com/kubearmor/kubearmor-operator/api/operator/v1"
	"github.com/kubearmor/kubearmor-operator/internal/pool"
	"github.com/kubearmor/kubearmor-operator/internal/render"
)

// hold puts the finalizer on before anything exists that it must take away: garbage collection cannot reach what a node's
// kernel holds, nor what is in another namespace than the KubeArmorConfig.
func (r *Reconciler) hold(ctx context.Context, s *scope) error {
	base := s.config.DeepCopy()
	if !controllerutil.AddFinalizer(s.config, v1.FinalizerUninstall) {
		return nil
	}
	return r.patchFinalizer(ctx, s, base)
}

func (r *Reconciler) patchFinalizer(ctx context.Context, s *scope, base *v1.KubeArmorConfig) error {
	status := s.config.Status
	patch := client.MergeFromWithOptions(base, client.MergeFromWithOptimisticLock{})
	if err := r.Client.Patch(ctx, s.config, patch); err != nil {
		return fmt.Errorf("patch finalizer of KubeArmorConfig %s: %w", client.ObjectKeyFromObject(s.config), err)
	}
	s.config.Status = status
	return nil
}

// plan is pure: nodes to pools to objects.
func (r *Reconciler) plan(_ context.Context, s *scope) error {
	var assigned []v1.KubeArmorNode
	for _, kan := range s.kans {
		assigned = append(assigned, *kan)
	}
	s.pools = pool.Partition(assigned)
	s.children = render.Children(s.settings, s.pools)
	return nil
}

// deploy applies what is desired and prunes the rest in the same run.
func (r *Reconciler) deploy(ctx context.Context, s *scope) error {
	if err := r.Writer.Apply(ctx, s.children); err != nil {
		return err
	}
	_, err := r.Writer.Prune(ctx, render.OwnedKinds(), s.children)
	return err
}

// standAside leaves everything to the KubeArmorConfig in force. One that was in force before must not stay for its finalizer.
func (r *Reconciler) standAside(ctx context.Context, s *scope) error {
	base := s.config.DeepCopy()
	if !controllerutil.RemoveFinalizer(s.config, v1.FinalizerUninstall) {
		return nil
	}
	s.gone = s.config.DeletionTimestamp != nil
	return r.patchFinalizer(ctx, s, base)
}
