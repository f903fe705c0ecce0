// SPDX-License-Identifier: Apache-2.0

package config

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1 "github.com/kubearmor/kubearmor-operator/api/operator/v1"
)

// InForce is the one KubeArmorConfig that is acted upon: the oldest, then the first by namespace and name. It stays in
// force while it is being deleted, so that two never act at once. It is nil when there is none.
func InForce(configs []v1.KubeArmorConfig) *v1.KubeArmorConfig {
	if len(configs) == 0 {
		return nil
	}
	oldest := slices.MinFunc(configs, func(a, b v1.KubeArmorConfig) int {
		return cmp.Or(
			a.CreationTimestamp.Compare(b.CreationTimestamp.Time),
			cmp.Compare(a.Namespace, b.Namespace),
			cmp.Compare(a.Name, b.Name),
		)
	})
	return &oldest
}

// FindInForce reads it.
func FindInForce(ctx context.Context, r client.Reader) (*v1.KubeArmorConfig, error) {
	list := &v1.KubeArmorConfigList{}
	if err := r.List(ctx, list); err != nil {
		return nil, fmt.Errorf("list KubeArmorConfigs: %w", err)
	}
	return InForce(list.Items), nil
}

// IsReady says whether the node's kubelet reports.
func IsReady(node *corev1.Node) bool {
	for _, c := range node.Status.Conditions {
		if c.Type == corev1.NodeReady {
			return c.Status == corev1.ConditionTrue
		}
	}
	return false
}

// IsLinux goes by what the kubelet reports, and by the label of a node whose kubelet has not reported yet.
func IsLinux(node *corev1.Node) bool {
	return cmp.Or(node.Status.NodeInfo.OperatingSystem, node.Labels[corev1.LabelOSStable]) == string(corev1.Linux)
}
