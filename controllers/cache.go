// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	admissionv1 "k8s.io/api/admissionregistration/v1"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	opv1 "github.com/kubearmor/kubearmor-operator/api/operator/v1"
	secv1 "github.com/kubearmor/kubearmor-operator/api/security/v1"
	"github.com/kubearmor/kubearmor-operator/controllers/node"
)

// CacheOptions keep the operator's memory small in a large cluster: of what others own it holds only the fields that it
// looks at, of what it owns only its own.
func CacheOptions(namespace string) cache.Options {
	owned := labels.SelectorFromSet(labels.Set{opv1.LabelManagedBy: opv1.ManagedBy})
	here := cache.ByObject{Label: owned, Namespaces: map[string]cache.Config{namespace: {}}}
	everywhere := cache.ByObject{Label: owned}
	unmanaged := cache.ByObject{Transform: cache.TransformStripManagedFields()}
	return cache.Options{
		ByObject: map[client.Object]cache.ByObject{
			&corev1.Pod{}:  {Transform: stripPod(namespace)},
			&corev1.Node{}: {Transform: stripNode},

			&opv1.KubeArmorConfig{}:         unmanaged,
			&opv1.KubeArmorNode{}:           {Transform: node.KeepHeartbeatTime},
			&secv1.KubeArmorPolicy{}:        unmanaged,
			&secv1.KubeArmorClusterPolicy{}: unmanaged,
			&secv1.KubeArmorHostPolicy{}:    unmanaged,

			// Of these the managed fields are kept: they show who changed what.
			&appsv1.DaemonSet{}:                             here,
			&appsv1.Deployment{}:                            here,
			&policyv1.PodDisruptionBudget{}:                 here,
			&corev1.Service{}:                               here,
			&corev1.ConfigMap{}:                             here,
			&corev1.ServiceAccount{}:                        here,
			&rbacv1.Role{}:                                  here,
			&rbacv1.RoleBinding{}:                           here,
			&rbacv1.ClusterRole{}:                           everywhere,
			&rbacv1.ClusterRoleBinding{}:                    everywhere,
			&admissionv1.ValidatingAdmissionPolicy{}:        everywhere,
			&admissionv1.ValidatingAdmissionPolicyBinding{}: everywhere,
		},
	}
}

// ClientOptions read Secrets past the cache, which would have to list them: the operator may look only at its own, by name.
func ClientOptions() client.Options {
	return client.Options{Cache: &client.CacheOptions{DisableFor: []client.Object{&corev1.Secret{}}}}
}

// stripPod keeps of other namespaces' Pods what a policy's selector looks at, of our own everything.
func stripPod(namespace string) func(any) (any, error) {
	return func(o any) (any, error) {
		pod, ok := o.(*corev1.Pod)
		if !ok {
			return o, nil
		}
		pod.ManagedFields = nil
		if pod.Namespace == namespace {
			return pod, nil
		}
		small := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{
			Name: pod.Name, Namespace: pod.Namespace, UID: pod.UID, ResourceVersion: pod.ResourceVersion,
			Labels: pod.Labels, DeletionTimestamp: pod.DeletionTimestamp,
		}}
		if v, ok := pod.Annotations[opv1.AnnotationPolicy]; ok {
			small.Annotations = map[string]string{opv1.AnnotationPolicy: v}
		}
		small.Spec.NodeName = pod.Spec.NodeName
		small.Spec.InitContainers = namesOf(pod.Spec.InitContainers)
		small.Spec.Containers = namesOf(pod.Spec.Containers)
		small.Status.Phase = pod.Status.Phase
		return small, nil
	}
}

func namesOf(containers []corev1.Container) []corev1.Container {
	var out []corev1.Container
	for i := range containers {
		out = append(out, corev1.Container{Name: containers[i].Name})
	}
	return out
}

// stripNode leaves out the images that the kubelet lists, which are most of a node.
func stripNode(o any) (any, error) {
	node, ok := o.(*corev1.Node)
	if !ok {
		return o, nil
	}
	node.ManagedFields = nil
	node.Annotations = nil
	node.Spec = corev1.NodeSpec{}
	node.Status = corev1.NodeStatus{NodeInfo: node.Status.NodeInfo, Conditions: node.Status.Conditions}
	return node, nil
}
