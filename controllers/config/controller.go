// SPDX-License-Identifier: Apache-2.0

// Package config acts on the one KubeArmorConfig in force: it applies what the fleet's pools need, prunes what they do not
// need any more, says in its status how the fleet is, and takes everything away in order when it is deleted.
package config

import (
	"context"
	"errors"
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/client-go/tools/events"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/kubearmor/kubearmor-operator/internal/apply"
	"github.com/kubearmor/kubearmor-operator/internal/certs"
	"github.com/kubearmor/kubearmor-operator/internal/render"
)

// Reconciler brings the fleet to what the KubeArmorConfig in force says.
type Reconciler struct {
	Client   client.Client
	Writer   *apply.Writer
	Recorder events.EventRecorder
	Defaults render.Defaults
	// Lives of the certificates that the operator makes.
	Lives certs.Lives
	// Now is the clock.
	Now func() time.Time

	metrics *metrics
	// certificates as of the last look at them. There is one worker.
	certificates look
}

// phase does one part of the work on a scope; it never writes the status.
type phase func(context.Context, *scope) error

// Reconcile runs the phases for one KubeArmorConfig, whose status is written at the end whatever they came to.
func (r *Reconciler) Reconcile(ctx context.Context, req reconcile.Request) (result ctrl.Result, err error) {
	s, err := r.gather(ctx, req.NamespacedName)
	if err != nil {
		return ctrl.Result{}, err
	}
	// Before anything that may end the run: gauges must not stay at what was once.
	r.metrics.observe(s.kans)
	if s.inForce == nil {
		return r.sweep(ctx, s)
	}
	if s.config == nil {
		return ctrl.Result{}, nil
	}
	defer func() {
		r.conclude(s, err)
		err = errors.Join(err, r.writeStatus(ctx, s))
		result = ctrl.Result{RequeueAfter: s.wake}
	}()
	for _, p := range r.phasesOf(s) {
		switch err := p(ctx, s); {
		case errors.Is(err, errWaiting):
			return ctrl.Result{}, nil
		case err != nil:
			return ctrl.Result{}, err
		}
	}
	return ctrl.Result{}, nil
}

func (r *Reconciler) phasesOf(s *scope) []phase {
	switch {
	case s.isConflict():
		return []phase{r.standAside}
	case s.config.DeletionTimestamp != nil:
		return []phase{r.clearNodes, r.clearPods, r.clearRest, r.letGo}
	default:
		return []phase{r.hold, r.certify, r.plan, r.deploy}
	}
}

// sweep removes what is left when no KubeArmorConfig exists at all, for instance because its finalizer was taken off by hand.
// The nodes go first, since their agents must be there to leave the kernel.
func (r *Reconciler) sweep(ctx context.Context, s *scope) (ctrl.Result, error) {
	if len(s.kans) > 0 {
		return ctrl.Result{RequeueAfter: clearRetry}, nil
	}
	_, err := r.removeAll(ctx)
	return ctrl.Result{}, err
}

// writeStatus patches the one status that this controller writes, when it changed and the object is still there.
func (r *Reconciler) writeStatus(ctx context.Context, s *scope) error {
	if s.gone || equality.Semantic.DeepEqual(s.before.Status, s.config.Status) {
		return nil
	}
	base := s.config.DeepCopy()
	base.Status = s.before.Status
	if err := r.Client.Status().Patch(ctx, s.config, client.MergeFrom(base)); client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("patch status of KubeArmorConfig %s: %w", client.ObjectKeyFromObject(s.config), err)
	}
	return nil
}
