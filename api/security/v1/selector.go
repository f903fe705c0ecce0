// SPDX-License-Identifier: Apache-2.0

package v1

// Operator of a match expression.
// +kubebuilder:validation:Enum=In;NotIn
type Operator string

// The operators.
const (
	OperatorIn    Operator = "In"
	OperatorNotIn Operator = "NotIn"
)

// Keys of match expressions.
const (
	// KeyLabel compares with the Pod's labels; values are written key=value.
	KeyLabel = "label"
	// KeyNamespace compares with the Pod's namespace.
	KeyNamespace = "namespace"
)

// Value of a match expression.
// +kubebuilder:validation:MinLength=1
// +kubebuilder:validation:MaxLength=384
type Value string

// PodSelector selects Pods of the policy's namespace. What is set must hold together; an empty one selects every Pod.
type PodSelector struct {
	// MatchLabels that a Pod must have. The label kubearmor.io/container.name is not a Pod's: it narrows the policy to
	// containers, by a name or a list such as "[app,sidecar]".
	// +kubebuilder:validation:MaxProperties=64
	// +optional
	MatchLabels map[string]string `json:"matchLabels,omitempty"`
	// MatchExpressions that must all hold.
	// +kubebuilder:validation:MaxItems=64
	// +listType=atomic
	// +optional
	MatchExpressions []LabelExpression `json:"matchExpressions,omitempty"`
}

// LabelExpression compares a Pod's labels.
// +kubebuilder:validation:XValidation:rule="self.values.all(v, v.contains('='))",message="values of the key label are written key=value, for instance app=nginx",fieldPath=".values"
type LabelExpression struct {
	// Key is label.
	// +kubebuilder:validation:Enum=label
	Key string `json:"key"`
	// Operator is In or NotIn.
	Operator Operator `json:"operator"`
	// Values as key=value.
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=256
	// +listType=atomic
	Values []Value `json:"values"`
}

// ClusterSelector selects Pods of the cluster. All expressions must hold; an empty one selects every Pod.
type ClusterSelector struct {
	// MatchExpressions that must all hold.
	// +kubebuilder:validation:MaxItems=64
	// +listType=atomic
	// +optional
	MatchExpressions []ClusterExpression `json:"matchExpressions,omitempty"`
}

// ClusterExpression compares a Pod's namespace or labels.
// +kubebuilder:validation:XValidation:rule="self.key != 'label' || self.values.all(v, v.contains('='))",message="values of the key label are written key=value, for instance app=nginx",fieldPath=".values"
type ClusterExpression struct {
	// Key is namespace or label.
	// +kubebuilder:validation:Enum=namespace;label
	Key string `json:"key"`
	// Operator is In or NotIn.
	Operator Operator `json:"operator"`
	// Values: names of namespaces, or labels as key=value.
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=256
	// +listType=atomic
	Values []Value `json:"values"`
}

// NodeSelector selects nodes.
type NodeSelector struct {
	// MatchLabels that a node must have.
	// +kubebuilder:validation:MaxProperties=64
	// +kubebuilder:validation:XValidation:rule="self.size() > 0",message="matchLabels must name at least one label of the nodes, for instance kubernetes.io/os: linux for every node"
	MatchLabels map[string]string `json:"matchLabels"`
}
