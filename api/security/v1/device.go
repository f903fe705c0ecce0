// SPDX-License-Identifier: Apache-2.0

package v1

import "k8s.io/apimachinery/pkg/util/intstr"

// Device holds the rules on USB devices that are plugged into a node.
type Device struct {
	Report `json:",inline"`
	// MatchDevice by the device's descriptor.
	// +kubebuilder:validation:MaxItems=1024
	// +listType=atomic
	// +optional
	MatchDevice []MatchDevice `json:"matchDevice,omitempty"`
}

// MatchDevice matches USB devices by class.
type MatchDevice struct {
	Report `json:",inline"`
	// Class by the USB standard's name (for instance MASS-STORAGE) or number.
	Class intstr.IntOrString `json:"class"`
	// SubClass by number.
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=255
	// +optional
	SubClass *int32 `json:"subClass,omitempty"`
	// Protocol by number.
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=255
	// +optional
	Protocol *int32 `json:"protocol,omitempty"`
	// Level of the hub that the device is plugged into, counted from the root hub.
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=255
	// +optional
	Level *int32 `json:"level,omitempty"`
}
