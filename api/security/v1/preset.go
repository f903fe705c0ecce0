// SPDX-License-Identifier: Apache-2.0

package v1

// PresetName names a protection that comes with the product.
// +kubebuilder:validation:Enum=protectEnv;filelessExec;exec;protectProc;anonymousMapExec
type PresetName string

// The presets.
const (
	// PresetProtectEnv keeps /proc/PID/environ of other processes unread.
	PresetProtectEnv PresetName = "protectEnv"
	// PresetFilelessExec concerns executables that live in memory only.
	PresetFilelessExec PresetName = "filelessExec"
	// PresetExec concerns processes that were brought into the container from outside (kubectl exec).
	PresetExec PresetName = "exec"
	// PresetProtectProc keeps /proc/PID of other processes closed.
	PresetProtectProc PresetName = "protectProc"
	// PresetAnonymousMapExec concerns anonymous memory that is mapped executable.
	PresetAnonymousMapExec PresetName = "anonymousMapExec"
)

// Preset switches one protection on.
type Preset struct {
	// Name of the protection.
	Name PresetName `json:"name"`
	// Action on a match; spec's when empty.
	// +optional
	Action Action `json:"action,omitempty"`
}
