// SPDX-License-Identifier: Apache-2.0

package v1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// MaxFailingNodes bounds PolicyStatus.FailingNodes.
const MaxFailingNodes = 20

// PolicyStatus says what became of a policy. It is O(1) in the number of nodes; each node's own account is in its
// KubeArmorNode. No field is required, so that a status that an older version wrote never stands in the way of an update
// of the spec; the counts are written even when they are 0.
type PolicyStatus struct {
	// ObservedGeneration of the spec that this status is of.
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`
	// Conditions: Accepted, Enforced.
	// +listType=map
	// +listMapKey=type
	// +optional
	Conditions []metav1.Condition `json:"conditions,omitempty"`
	// Pods that the policy selects now; always 0 for a KubeArmorHostPolicy.
	// +optional
	Pods int32 `json:"pods"`
	// Nodes that must have the policy, counted by what became of it.
	// +optional
	Nodes PolicyNodes `json:"nodes"`
	// FailingNodes are the first 20, by name, on which the policy is not fully in force.
	// +kubebuilder:validation:MaxItems=20
	// +listType=map
	// +listMapKey=name
	// +optional
	FailingNodes []FailingNode `json:"failingNodes,omitempty"`
	// FailingNodesOmitted counts what the bound on failingNodes left out.
	// +optional
	FailingNodesOmitted int32 `json:"failingNodesOmitted,omitempty"`
}

// PolicyNodes counts nodes. What is neither enforced nor degraded has not reported this generation yet.
type PolicyNodes struct {
	// Desired: at least one selected Pod runs there, or the node itself is selected.
	// +optional
	Desired int32 `json:"desired"`
	// Enforced: every rule is in force.
	// +optional
	Enforced int32 `json:"enforced"`
	// Degraded: some or all rules are not in force, and the node says why.
	// +optional
	Degraded int32 `json:"degraded"`
	// Summary is "enforced/desired", for the column Nodes.
	// +kubebuilder:validation:MaxLength=32
	// +optional
	Summary string `json:"summary,omitempty"`
}

// FailingNode is a node on which the policy is not fully in force.
type FailingNode struct {
	// Name of the node.
	// +kubebuilder:validation:MaxLength=253
	Name string `json:"name"`
	// Reason is one of the typed reasons of this package or of the operator's.
	// +kubebuilder:validation:MaxLength=64
	Reason string `json:"reason"`
	// Message says what to do about it.
	// +kubebuilder:validation:MaxLength=512
	// +optional
	Message string `json:"message,omitempty"`
}
