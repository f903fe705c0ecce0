// SPDX-License-Identifier: Apache-2.0

// Package v1 holds what declares and reports the fleet: KubeArmorConfig, one per cluster,
// and KubeArmorNode, one per node.
//
// +kubebuilder:object:generate=true
// +groupName=operator.kubearmor.com
package v1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// GroupVersion of every kind in this package.
var GroupVersion = schema.GroupVersion{Group: "operator.kubearmor.com", Version: "v1"}

// AddToScheme registers the kinds of this package.
func AddToScheme(s *runtime.Scheme) error {
	s.AddKnownTypes(GroupVersion,
		&KubeArmorConfig{}, &KubeArmorConfigList{},
		&KubeArmorNode{}, &KubeArmorNodeList{},
	)
	metav1.AddToGroupVersion(s, GroupVersion)
	return nil
}
