// SPDX-License-Identifier: Apache-2.0

// Package node keeps one KubeArmorNode for each Linux node: it has the node probed, draws the verdict, assigns the pool,
// labels the node, and takes all of that away again from a node that is not managed any more.
package node

import (
	"context"
	"errors"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/client-go/tools/events"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/kubearmor/kubearmor-operator/internal/apply"
	"github.com/kubearmor/kubearmor-operator/internal/render"
)

// Reconciler brings one node's object to the truth. Its key is the node's name.
type Reconciler struct {
	Client client.Client
	// Live reads past the cache.
	Live     client.Reader
	Writer   *apply.Writer
	Recorder events.EventRecorder
	Defaults render.Defaults
	// MaxProbes at once.
	MaxProbes int
	// Now is the clock.
	Now func() time.Time

	metrics *metrics
	slots   slots
}

// phase does one part of the work on a scope. It changes scope.kan and writes other objects; it never writes scope.kan.
type phase func(context.Context, *scope) error

// Reconcile runs the phases for one node. A phase's error does not keep what the others found out from being written.
func (r *Reconciler) Reconcile(ctx context.Context, req reconcile.Request) (ctrl.Result, error) {
	s, err := r.gather(ctx, req.Name)
	if err != nil {
		return ctrl.Result{}, err
	}
	if s.node == nil {
		return ctrl.Result{}, r.forget(ctx, s)
	}
	if s.managed && s.kan.DeletionTimestamp != nil {
		return ctrl.Result{}, client.IgnoreNotFound(r.restore(ctx, s))
	}
	phases := []phase{r.detect, r.decide, r.assign, r.writeSpec, r.prune, r.label, r.report}
	if !s.managed {
		phases = []phase{r.detach, r.writeSpec, r.prune, r.label, r.release}
	}
	for _, p := range phases {
		switch err := p(ctx, s); {
		case apierrors.IsConflict(err):
			// The agent wrote in between, as it may: this is no failure, only a reason to read again.
			return ctrl.Result{RequeueAfter: conflictRetry}, nil
		case err != nil:
			return ctrl.Result{}, client.IgnoreNotFound(err)
		}
	}
	return ctrl.Result{RequeueAfter: s.wake}, nil
}

// conflictRetry is longer than a cache usually lags behind the write that it has to show.
const conflictRetry = 200 * time.Millisecond

// forget removes what is left of a node that is gone. Garbage collection would take the KubeArmorNode as well, later.
func (r *Reconciler) forget(ctx context.Context, s *scope) error {
	var errs []error
	if s.probe != nil {
		errs = append(errs, r.deleteProbe(ctx, s.probe))
	}
	if s.kan != nil {
		errs = append(errs, r.remove(ctx, s.kan))
	}
	return errors.Join(errs...)
}
