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

	v1 "github.com/kubearmor/kubearmor-operator/api/operator/v1"
	"github.com/kubearmor/kubearmor-operator/internal/apply"
	"github.com/kubearmor/kubearmor-operator/internal/conditions"
	"github.com/kubearmor/kubearmor-operator/internal/pool"
	"github.com/kubearmor/kubearmor-operator/internal/render"
)

// scope is everything that one run knows. gather sets the first part, the phase named the rest.
type scope struct {
	now time.Time
	// inForce is the KubeArmorConfig that counts, nil when there is none.
	inForce *v1.KubeArmorConfig
	// config is the one that this run is about, nil when it is gone; before is as it was read.
	config, before *v1.KubeArmorConfig
	settings       render.Settings
	// nodes that the selectors admit, and the object of every node.
	nodes []corev1.Node
	kans  map[string]*v1.KubeArmorNode
	// daemonSets of ours, by name.
	daemonSets map[string]*appsv1.DaemonSet
	// relay is nil when there is none.
	relay *appsv1.Deployment

	// certificates: whether they are what they shall be; set by certify.
	certificates conditions.Verdict
	// pools and children are set by plan.
	pools    []pool.Pool
	children []apply.Object
	// progress of the removal, for a person; set by the clear phases, empty when they are through.
	progress string
	// gone: the finalizer is off; set by letGo.
	gone bool
	// wake is when to look again, zero for never.
	wake time.Duration
}

// wakeBy asks for another run at a time, or earlier when another phase asked for that.
func (s *scope) wakeBy(at time.Time) {
	if d := max(at.Sub(s.now), time.Millisecond); s.wake == 0 || d < s.wake {
		s.wake = d
	}
}

func (s *scope) isConflict() bool {
	return s.config.UID != s.inForce.UID
}

func (r *Reconciler) gather(ctx context.Context, key client.ObjectKey) (*scope, error) {
	s := &scope{now: r.Now()}
	configs := &v1.KubeArmorConfigList{}
	if err := r.Client.List(ctx, configs); err != nil {
		return nil, fmt.Errorf("list KubeArmorConfigs: %w", err)
	}
	s.inForce = InForce(configs.Items)
	for i := range configs.Items {
		if c := &configs.Items[i]; client.ObjectKeyFromObject(c) == key {
			s.config, s.before = c, c.DeepCopy()
		}
	}
	if s.inForce != nil {
		s.settings = render.SettingsOf(s.inForce.Spec, r.Defaults)
	}
	if err := r.gatherNodes(ctx, s); err != nil {
		return nil, err
	}
	return s, errors.Join(r.gatherDaemonSets(ctx, s), r.gatherRelay(ctx, s))
}

func (r *Reconciler) gatherNodes(ctx context.Context, s *scope) error {
	nodes := &corev1.NodeList{}
	if err := r.Client.List(ctx, nodes, client.UnsafeDisableDeepCopy); err != nil {
		return fmt.Errorf("list nodes: %w", err)
	}
	for _, n := range nodes.Items {
		if s.settings.Admits(n.Labels) {
			s.nodes = append(s.nodes, n)
		}
	}
	kans := &v1.KubeArmorNodeList{}
	if err := r.Client.List(ctx, kans, client.UnsafeDisableDeepCopy); err != nil {
		return fmt.Errorf("list KubeArmorNodes: %w", err)
	}
	s.kans = make(map[string]*v1.KubeArmorNode, len(kans.Items))
	for i := range kans.Items {
		s.kans[kans.Items[i].Name] = &kans.Items[i]
	}
	return nil
}

func (r *Reconciler) gatherDaemonSets(ctx context.Context, s *scope) error {
	list := &appsv1.DaemonSetList{}
	err := r.Client.List(ctx, list, client.InNamespace(r.Defaults.Namespace), client.MatchingLabels{v1.LabelManagedBy: v1.ManagedBy})
	if err != nil {
		return fmt.Errorf("list DaemonSets: %w", err)
	}
	s.daemonSets = make(map[string]*appsv1.DaemonSet, len(list.Items))
	for i := range list.Items {
		s.daemonSets[list.Items[i].Name] = &list.Items[i]
	}
	return nil
}

func (r *Reconciler) gatherRelay(ctx context.Context, s *scope) error {
	relay := &appsv1.Deployment{}
	err := r.Client.Get(ctx, client.ObjectKey{Namespace: r.Defaults.Namespace, Name: v1.RelayServiceAccount}, relay)
	if client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("get Deployment %s: %w", v1.RelayServiceAccount, err)
	}
	if err == nil {
		s.relay = relay
	}
	return nil
}
