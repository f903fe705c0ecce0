// SPDX-License-Identifier: Apache-2.0

package v1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// KubeArmorHostPolicySpec says what processes of a node itself may do; Pods are not concerned.
type KubeArmorHostPolicySpec struct {
	Report `json:",inline"`
	// NodeSelector of the nodes.
	NodeSelector NodeSelector `json:"nodeSelector"`
	Rules        `json:",inline"`
	// Device: which USB devices may be used.
	// +optional
	Device Device `json:"device,omitzero"`
}

// KubeArmorHostPolicy confines nodes.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:scope=Cluster,shortName=hsp,categories=kubearmor
// +kubebuilder:printcolumn:name="Accepted",type=string,JSONPath=`.status.conditions[?(@.type=="Accepted")].status`
// +kubebuilder:printcolumn:name="Enforced",type=string,JSONPath=`.status.conditions[?(@.type=="Enforced")].status`
// +kubebuilder:printcolumn:name="Nodes",type=string,JSONPath=`.status.nodes.summary`
// +kubebuilder:printcolumn:name="Action",type=string,JSONPath=`.spec.action`
// +kubebuilder:printcolumn:name="Reason",type=string,priority=1,JSONPath=`.status.conditions[?(@.type=="Enforced")].reason`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
type KubeArmorHostPolicy struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitzero"`

	// Spec is the user's.
	Spec KubeArmorHostPolicySpec `json:"spec"`
	// Status is the operator's.
	// +optional
	Status PolicyStatus `json:"status,omitzero"`
}

// KubeArmorHostPolicyList is a list of KubeArmorHostPolicy.
//
// +kubebuilder:object:root=true
type KubeArmorHostPolicyList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitzero"`
	Items           []KubeArmorHostPolicy `json:"items"`
}
