// SPDX-License-Identifier: Apache-2.0

package render

import (
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	opv1 "github.com/kubearmor/kubearmor-operator/api/operator/v1"
	secv1 "github.com/kubearmor/kubearmor-operator/api/security/v1"
)

// agentName of the account, its roles and bindings.
const agentName = opv1.AgentServiceAccount

// AgentClusterRules are all that an agent may do in the whole cluster. The operator holds the same rules, since the API
// server lets nobody grant what they do not have. Of all writes only the node's own status is left, and which one is the
// node's own, AgentAdmission says.
func AgentClusterRules() []rbacv1.PolicyRule {
	read := []string{"get", "list", "watch"}
	return []rbacv1.PolicyRule{
		{APIGroups: []string{""}, Resources: []string{"namespaces", "nodes", "pods"}, Verbs: read},
		{APIGroups: []string{secv1.GroupVersion.Group}, Resources: []string{"kubearmorclusterpolicies", "kubearmorhostpolicies", "kubearmorpolicies"}, Verbs: read},
		{APIGroups: []string{opv1.GroupVersion.Group}, Resources: []string{"kubearmornodes"}, Verbs: read},
		{APIGroups: []string{opv1.GroupVersion.Group}, Resources: []string{"kubearmornodes/status"}, Verbs: []string{"patch"}},
	}
}

// AgentNamespaceRules are what an agent may do in the operator's namespace.
func AgentNamespaceRules() []rbacv1.PolicyRule {
	return []rbacv1.PolicyRule{
		{APIGroups: []string{""}, Resources: []string{"configmaps"}, ResourceNames: []string{opv1.ConfigMapName}, Verbs: []string{"get", "list", "watch"}},
	}
}

func agentAccess(s Settings) []Object {
	cluster := metav1.ObjectMeta{Name: agentName, Labels: ownedLabels(nil)}
	namespaced := metav1.ObjectMeta{Name: agentName, Namespace: s.Namespace, Labels: ownedLabels(nil)}
	subjects := []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Name: agentName, Namespace: s.Namespace}}
	return []Object{
		&corev1.ServiceAccount{
			TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "ServiceAccount"},
			ObjectMeta: namespaced,
		},
		&rbacv1.ClusterRole{
			TypeMeta:   metav1.TypeMeta{APIVersion: rbacv1.SchemeGroupVersion.String(), Kind: "ClusterRole"},
			ObjectMeta: cluster,
			Rules:      AgentClusterRules(),
		},
		&rbacv1.ClusterRoleBinding{
			TypeMeta:   metav1.TypeMeta{APIVersion: rbacv1.SchemeGroupVersion.String(), Kind: "ClusterRoleBinding"},
			ObjectMeta: cluster,
			Subjects:   subjects,
			RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: agentName},
		},
		&rbacv1.Role{
			TypeMeta:   metav1.TypeMeta{APIVersion: rbacv1.SchemeGroupVersion.String(), Kind: "Role"},
			ObjectMeta: namespaced,
			Rules:      AgentNamespaceRules(),
		},
		&rbacv1.RoleBinding{
			TypeMeta:   metav1.TypeMeta{APIVersion: rbacv1.SchemeGroupVersion.String(), Kind: "RoleBinding"},
			ObjectMeta: namespaced,
			Subjects:   subjects,
			RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: agentName},
		},
	}
}
