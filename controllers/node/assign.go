// SPDX-License-Identifier: Apache-2.0

package node

import (
	"context"
	"fmt"

	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1 "github.com/kubearmor/kubearmor-operator/api/operator/v1"
	"github.com/kubearmor/kubearmor-operator/internal/pool"
	"github.com/kubearmor/kubearmor-operator/internal/support"
)

// decide draws the verdict on every run: another version of the operator may judge the same facts better. A node whose
// newest probe failed keeps the verdict of the one before; its agent sees for itself and reports what holds.
func (r *Reconciler) decide(_ context.Context, s *scope) error {
	if facts := s.kan.Spec.Facts; facts != nil {
		s.kan.Spec.Verdict = ptr.To(support.Decide(*facts))
	}
	return nil
}

// assign puts the node into its pool.
func (r *Reconciler) assign(_ context.Context, s *scope) error {
	s.kan.Spec.Pool = ""
	if key, ok := pool.KeyOf(s.kan.Spec); ok {
		s.kan.Spec.Pool = key.Name()
	}
	s.kan.Spec.Detach = false
	delete(s.kan.Annotations, annotationDetachSince)
	return nil
}

// writeSpec creates or patches the object, when a phase changed it. The patch names the version that was read: a run on
// an old copy from the cache is refused and repeated, instead of undoing a newer one.
func (r *Reconciler) writeSpec(ctx context.Context, s *scope) error {
	if s.kan == nil {
		return nil
	}
	if s.before == nil {
		if err := r.Client.Create(ctx, s.kan); err != nil {
			return fmt.Errorf("create KubeArmorNode %s: %w", s.name, err)
		}
	} else {
		if equality.Semantic.DeepEqual(s.before.Spec, s.kan.Spec) && equality.Semantic.DeepEqual(s.before.ObjectMeta, s.kan.ObjectMeta) {
			return nil
		}
		patch := client.MergeFromWithOptions(s.before, client.MergeFromWithOptimisticLock{})
		if err := r.Client.Patch(ctx, s.kan, patch); err != nil {
			return fmt.Errorf("patch KubeArmorNode %s: %w", s.name, err)
		}
	}
	r.announce(s)
	s.before = s.kan.DeepCopy()
	return nil
}

// specOf is the spec of an object that may not exist yet.
func specOf(kan *v1.KubeArmorNode) v1.KubeArmorNodeSpec {
	if kan == nil {
		return v1.KubeArmorNodeSpec{}
	}
	return kan.Spec
}
