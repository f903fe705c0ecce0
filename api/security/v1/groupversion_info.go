// SPDX-License-Identifier: Apache-2.0

// Package v1 holds the policies: KubeArmorPolicy for Pods of a namespace, KubeArmorClusterPolicy for Pods of the
// cluster, KubeArmorHostPolicy for nodes.
//
// +kubebuilder:object:generate=true
// +groupName=security.kubearmor.com
package v1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// GroupVersion of every kind in this package.
var GroupVersion = schema.GroupVersion{Group: "security.kubearmor.com", Version: "v1"}

// AddToScheme registers the kinds of this package.
func AddToScheme(s *runtime.Scheme) error {
	s.AddKnownTypes(GroupVersion,
		&KubeArmorPolicy{}, &KubeArmorPolicyList{},
		&KubeArmorHostPolicy{}, &KubeArmorHostPolicyList{},
		&KubeArmorClusterPolicy{}, &KubeArmorClusterPolicyList{},
	)
	metav1.AddToGroupVersion(s, GroupVersion)
	return nil
}
