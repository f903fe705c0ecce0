// SPDX-License-Identifier: Apache-2.0

package config

import (
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/utils/ptr"

	v1 "github.com/kubearmor/kubearmor-operator/api/operator/v1"
	"github.com/kubearmor/kubearmor-operator/internal/conditions"
)

// relayReady reads the status of the relay's Deployment.
func relayReady(d *appsv1.Deployment) conditions.Verdict {
	if d == nil {
		return conditions.False(v1.ReasonRolloutInProgress, "the relay's Deployment is not there yet")
	}
	st, want := d.Status, ptr.Deref(d.Spec.Replicas, 1)
	current := st.ObservedGeneration >= d.Generation
	if current && st.UpdatedReplicas == want && st.Replicas == want && st.AvailableReplicas == want {
		return conditions.True(v1.ReasonAsExpected, fmt.Sprintf("all %d relays are available", want))
	}
	counts := fmt.Sprintf("%d of %d relays are available", st.AvailableReplicas, want)
	for _, c := range st.Conditions {
		stuck := c.Type == appsv1.DeploymentProgressing && c.Status == corev1.ConditionFalse ||
			c.Type == appsv1.DeploymentReplicaFailure && c.Status == corev1.ConditionTrue
		if current && stuck {
			return conditions.False(v1.ReasonRelayNotReady, counts+"; "+c.Message+"; look at the Pods with "+v1.LabelApp+"="+v1.AppRelay)
		}
	}
	return conditions.False(v1.ReasonRolloutInProgress, counts)
}
