// SPDX-License-Identifier: Apache-2.0

package v1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// KubeArmorClusterPolicySpec says which Pods of the cluster may do what.
type KubeArmorClusterPolicySpec struct {
	Report `json:",inline"`
	// Selector of Pods by namespace and label; every Pod of the cluster when empty.
	// +optional
	Selector ClusterSelector `json:"selector,omitzero"`
	Rules    `json:",inline"`
	// Presets: protections that come with the product.
	// +kubebuilder:validation:MaxItems=32
	// +listType=map
	// +listMapKey=name
	// +optional
	Presets []Preset `json:"presets,omitempty"`
}

// KubeArmorClusterPolicy confines Pods of many namespaces.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:scope=Cluster,shortName=csp,categories=kubearmor
// +kubebuilder:printcolumn:name="Accepted",type=string,JSONPath=`.status.conditions[?(@.type=="Accepted")].status`
// +kubebuilder:printcolumn:name="Enforced",type=string,JSONPath=`.status.conditions[?(@.type=="Enforced")].status`
// +kubebuilder:printcolumn:name="Nodes",type=string,JSONPath=`.status.nodes.summary`
// +kubebuilder:printcolumn:name="Action",type=string,JSONPath=`.spec.action`
// +kubebuilder:printcolumn:name="Pods",type=integer,priority=1,JSONPath=`.status.pods`
// +kubebuilder:printcolumn:name="Reason",type=string,priority=1,JSONPath=`.status.conditions[?(@.type=="Enforced")].reason`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
type KubeArmorClusterPolicy struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitzero"`

	// Spec is the user's.
	Spec KubeArmorClusterPolicySpec `json:"spec"`
	// Status is the operator's.
	// +optional
	Status PolicyStatus `json:"status,omitzero"`
}

// KubeArmorClusterPolicyList is a list of KubeArmorClusterPolicy.
//
// +kubebuilder:object:root=true
type KubeArmorClusterPolicyList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitzero"`
	Items           []KubeArmorClusterPolicy `json:"items"`
}
