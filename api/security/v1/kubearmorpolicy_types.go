// SPDX-License-Identifier: Apache-2.0

package v1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// KubeArmorPolicySpec says which Pods of a namespace may do what.
type KubeArmorPolicySpec struct {
	Report `json:",inline"`
	// Selector of Pods; every Pod of the namespace when empty.
	// +optional
	Selector PodSelector `json:"selector,omitzero"`
	Rules    `json:",inline"`
	// Presets: protections that come with the product.
	// +kubebuilder:validation:MaxItems=32
	// +listType=map
	// +listMapKey=name
	// +optional
	Presets []Preset `json:"presets,omitempty"`
}

// KubeArmorPolicy confines Pods of its namespace.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:scope=Namespaced,shortName=ksp,categories=kubearmor
// +kubebuilder:printcolumn:name="Accepted",type=string,JSONPath=`.status.conditions[?(@.type=="Accepted")].status`
// +kubebuilder:printcolumn:name="Enforced",type=string,JSONPath=`.status.conditions[?(@.type=="Enforced")].status`
// +kubebuilder:printcolumn:name="Nodes",type=string,JSONPath=`.status.nodes.summary`
// +kubebuilder:printcolumn:name="Action",type=string,JSONPath=`.spec.action`
// +kubebuilder:printcolumn:name="Pods",type=integer,priority=1,JSONPath=`.status.pods`
// +kubebuilder:printcolumn:name="Reason",type=string,priority=1,JSONPath=`.status.conditions[?(@.type=="Enforced")].reason`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
type KubeArmorPolicy struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitzero"`

	// Spec is the user's.
	Spec KubeArmorPolicySpec `json:"spec"`
	// Status is the operator's.
	// +optional
	Status PolicyStatus `json:"status,omitzero"`
}

// KubeArmorPolicyList is a list of KubeArmorPolicy.
//
// +kubebuilder:object:root=true
type KubeArmorPolicyList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitzero"`
	Items           []KubeArmorPolicy `json:"items"`
}
