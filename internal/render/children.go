// SPDX-License-Identifier: Apache-2.0

package render

import (
	admissionv1 "k8s.io/api/admissionregistration/v1"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	v1 "github.com/kubearmor/kubearmor-operator/api/operator/v1"
	"github.com/kubearmor/kubearmor-operator/internal/pool"
)

// Children are all objects that shall exist for these settings and pools, in the order in which they are applied: what
// confines agents comes before agents.
func Children(s Settings, pools []pool.Pool) []Object {
	out := agentAdmission(s)
	out = append(out, agentAccess(s)...)
	out = append(out, configMap(s))
	out = append(out, relayObjects(s)...)
	for _, p := range pools {
		out = append(out, DaemonSet(s, p))
	}
	return out
}

// OwnedKinds is one empty object of each kind that Children may hold, in the order in which they are deleted.
func OwnedKinds() []Object {
	return []Object{
		&appsv1.DaemonSet{},
		&appsv1.Deployment{},
		&policyv1.PodDisruptionBudget{},
		&corev1.Service{},
		&rbacv1.ClusterRoleBinding{},
		&rbacv1.ClusterRole{},
		&rbacv1.RoleBinding{},
		&rbacv1.Role{},
		&corev1.ServiceAccount{},
		&corev1.ConfigMap{},
		&admissionv1.ValidatingAdmissionPolicyBinding{},
		&admissionv1.ValidatingAdmissionPolicy{},
	}
}

func configMap(s Settings) *corev1.ConfigMap {
	return &corev1.ConfigMap{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "ConfigMap"},
		ObjectMeta: metav1.ObjectMeta{Name: v1.ConfigMapName, Namespace: s.Namespace, Labels: ownedLabels(nil)},
		Data:       s.Data,
	}
}
