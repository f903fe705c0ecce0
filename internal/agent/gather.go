// SPDX-License-Identifier: Apache-2.0

package agent

import (
	"context"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	operatorv1 "github.com/kubearmor/kubearmor-operator/api/operator/v1"
	securityv1 "github.com/kubearmor/kubearmor-operator/api/security/v1"
)

// gather reads the caches. missing says what is not known yet; then nothing may be concluded from the rest: a policy
// that was not read yet would look like one that was deleted.
func (a *Agent) gather(ctx context.Context) (in inputs, missing string) {
	if !a.watches.synced() {
		return in, "waiting for the API server: not all policies and Pods were read yet"
	}
	var answered bool
	if in.containers, answered = a.o.Containers.Snapshot(); !answered {
		return in, "waiting for the container runtime"
	}
	var err error
	if in.root, in.podTrees, err = a.o.Containers.Host(); err != nil {
		return in, err.Error()
	}
	if root := a.o.Containers.HostRoot(); root != nil {
		in.hostRoot = root
	}
	if err := a.watches.read(ctx, &in); err != nil {
		return in, err.Error()
	}
	return in, ""
}

func (w *watches) read(ctx context.Context, in *inputs) error {
	pods, namespaces, nodes := metadataList("Pod"), metadataList("Namespace"), metadataList("Node")
	policies, clusterPolicies, hostPolicies := &securityv1.KubeArmorPolicyList{}, &securityv1.KubeArmorClusterPolicyList{}, &securityv1.KubeArmorHostPolicyList{}
	for _, list := range []client.ObjectList{pods, namespaces, nodes, policies, clusterPolicies, hostPolicies} {
		if err := w.cache.List(ctx, list, client.UnsafeDisableDeepCopy); err != nil {
			return err
		}
	}
	in.policies, in.clusterPolicies, in.hostPolicies = policies.Items, clusterPolicies.Items, hostPolicies.Items
	in.pods = make(map[types.NamespacedName]*metav1.PartialObjectMetadata, len(pods.Items))
	for i := range pods.Items {
		p := &pods.Items[i]
		in.pods[types.NamespacedName{Namespace: p.Namespace, Name: p.Name}] = p
	}
	in.namespaces = make(map[string]*metav1.PartialObjectMetadata, len(namespaces.Items))
	for i := range namespaces.Items {
		in.namespaces[namespaces.Items[i].Name] = &namespaces.Items[i]
	}
	if len(nodes.Items) > 0 {
		in.node = &nodes.Items[0]
	}
	settings := &corev1.ConfigMap{}
	err := w.cache.Get(ctx, client.ObjectKey{Namespace: w.namespace, Name: operatorv1.ConfigMapName}, settings)
	in.settings = settings.Data
	return client.IgnoreNotFound(err)
}

// pod gives what the API server knows of a Pod of this node, nil when it does not.
func (w *watches) pod(ctx context.Context, namespace, name string) *metav1.PartialObjectMetadata {
	if !w.synced() {
		return nil
	}
	pod := metadata("Pod")
	if err := w.cache.Get(ctx, client.ObjectKey{Namespace: namespace, Name: name}, pod); err != nil {
		return nil
	}
	return pod
}

// withoutKubernetes leaves out the labels that the kubelet and the runtime add to a sandbox's.
func withoutKubernetes(labels map[string]string) map[string]string {
	out := make(map[string]string, len(labels))
	for key, value := range labels {
		if !slices.ContainsFunc([]string{"io.kubernetes.", "io.cri-containerd"}, func(p string) bool { return strings.HasPrefix(key, p) }) {
			out[key] = value
		}
	}
	return out
}
