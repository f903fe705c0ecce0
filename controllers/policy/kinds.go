// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"fmt"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1 "github.com/kubearmor/kubearmor-operator/api/security/v1"
	"github.com/kubearmor/kubearmor-operator/internal/policy"
	"github.com/kubearmor/kubearmor-operator/internal/policy/parse"
	"github.com/kubearmor/kubearmor-operator/internal/policy/selector"
)

// Kind of policy: what the three of them do not share.
type Kind struct {
	// Name as in KubeArmorNode.status.policies.
	Name string
	// Namespaced: a policy selects Pods of its own namespace only.
	Namespaced bool
	// New object and list.
	New     func() client.Object
	NewList func() client.ObjectList
}

// Kinds are all that this version knows.
func Kinds() []Kind {
	return []Kind{
		{"KubeArmorPolicy", true, func() client.Object { return &v1.KubeArmorPolicy{} }, func() client.ObjectList { return &v1.KubeArmorPolicyList{} }},
		{"KubeArmorClusterPolicy", false, func() client.Object { return &v1.KubeArmorClusterPolicy{} }, func() client.ObjectList { return &v1.KubeArmorClusterPolicyList{} }},
		{"KubeArmorHostPolicy", false, func() client.Object { return &v1.KubeArmorHostPolicy{} }, func() client.ObjectList { return &v1.KubeArmorHostPolicyList{} }},
	}
}

// statusOf is where the object has its status.
func statusOf(o client.Object) (*v1.PolicyStatus, error) {
	switch p := o.(type) {
	case *v1.KubeArmorPolicy:
		return &p.Status, nil
	case *v1.KubeArmorClusterPolicy:
		return &p.Status, nil
	case *v1.KubeArmorHostPolicy:
		return &p.Status, nil
	default:
		return nil, fmt.Errorf("%T is not a policy", o)
	}
}

// selects says what a policy selects; of a policy that cannot be read, nothing.
type selects struct {
	pods selector.Selector
	host *v1.KubeArmorHostPolicy
}

func selectsOf(o client.Object) selects {
	switch p := o.(type) {
	case *v1.KubeArmorPolicy:
		s, _ := selector.ForPolicy(p) // The zero Selector; the condition Accepted carries the error.
		return selects{pods: s}
	case *v1.KubeArmorClusterPolicy:
		s, _ := selector.ForClusterPolicy(p)
		return selects{pods: s}
	case *v1.KubeArmorHostPolicy:
		return selects{host: p}
	default:
		return selects{}
	}
}

// problemsOf are the rules of a policy that no schema refuses and that mean nothing all the same.
func problemsOf(o client.Object) []policy.Problem {
	switch p := o.(type) {
	case *v1.KubeArmorPolicy:
		return parse.KubeArmorPolicy(p).Problems
	case *v1.KubeArmorClusterPolicy:
		return parse.ClusterPolicy(p).Problems
	case *v1.KubeArmorHostPolicy:
		return parse.HostPolicy(p).Problems
	default:
		return nil
	}
}

func (s selects) node(labels map[string]string) bool {
	return s.host != nil && selector.SelectsNode(s.host, labels)
}

// pod says whether at least one container of the Pod is selected.
func (s selects) pod(p *corev1.Pod) bool {
	if s.host != nil || !s.pods.SelectsPod(viewOf(p)) {
		return false
	}
	for _, list := range [][]corev1.Container{p.Spec.InitContainers, p.Spec.Containers} {
		for i := range list {
			if s.pods.SelectsContainer(list[i].Name) {
				return true
			}
		}
	}
	return false
}

func viewOf(p *corev1.Pod) selector.Pod {
	return selector.Pod{Namespace: p.Namespace, Labels: p.Labels, Annotations: p.Annotations}
}
