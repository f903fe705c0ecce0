// SPDX-License-Identifier: Apache-2.0

package v1

// Process holds the rules on execution.
type Process struct {
	Report `json:",inline"`
	// MatchPaths by whole path or by base name.
	// +kubebuilder:validation:MaxItems=16384
	// +listType=atomic
	// +optional
	MatchPaths []ProcessPath `json:"matchPaths,omitempty"`
	// MatchDirectories by the directory that the executable is in.
	// +kubebuilder:validation:MaxItems=16384
	// +listType=atomic
	// +optional
	MatchDirectories []ProcessDirectory `json:"matchDirectories,omitempty"`
	// MatchPatterns by a glob.
	// +kubebuilder:validation:MaxItems=16384
	// +listType=atomic
	// +optional
	MatchPatterns []ProcessPattern `json:"matchPatterns,omitempty"`
}

// ProcessPath matches one executable, by path or by base name.
// +kubebuilder:validation:XValidation:rule="has(self.path) != has(self.execname)",message="set exactly one of path (the whole path) and execname (the base name, in any directory)"
type ProcessPath struct {
	Report `json:",inline"`
	// Path of the executable.
	// +optional
	Path AbsolutePath `json:"path,omitempty"`
	// ExecName is a base name: it matches in any directory.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=255
	// +kubebuilder:validation:XValidation:rule="!self.contains('/')",message="execname is a base name such as curl; use path for a whole path"
	// +optional
	ExecName string `json:"execname,omitempty"`
	// AllowedArgs that the process may have; at most 20.
	// +kubebuilder:validation:MaxItems=20
	// +listType=atomic
	// +optional
	AllowedArgs []string `json:"allowedArgs,omitempty"`
	// OwnerOnly: the file's owner may, others may not.
	// +optional
	OwnerOnly bool `json:"ownerOnly,omitempty"`
	// PTS false denies when a terminal is attached.
	// +optional
	PTS *bool `json:"pts,omitempty"`
	// FromSource narrows the rule to what these executables start.
	// +kubebuilder:validation:MaxItems=128
	// +listType=atomic
	// +optional
	FromSource []MatchSource `json:"fromSource,omitempty"`
}

// ProcessDirectory matches executables in a directory.
type ProcessDirectory struct {
	Report `json:",inline"`
	// Directory that the executable is in.
	Directory AbsoluteDirectory `json:"dir"`
	// Recursive: at any depth below it.
	// +optional
	Recursive bool `json:"recursive,omitempty"`
	// OwnerOnly: the file's owner may, others may not.
	// +optional
	OwnerOnly bool `json:"ownerOnly,omitempty"`
	// PTS false denies when a terminal is attached.
	// +optional
	PTS *bool `json:"pts,omitempty"`
	// FromSource narrows the rule to what these executables start.
	// +kubebuilder:validation:MaxItems=128
	// +listType=atomic
	// +optional
	FromSource []MatchSource `json:"fromSource,omitempty"`
}

// ProcessPattern matches executables by a glob.
type ProcessPattern struct {
	Report `json:",inline"`
	// Pattern over the whole path of the executable.
	Pattern Glob `json:"pattern"`
	// OwnerOnly: the file's owner may, others may not.
	// +optional
	OwnerOnly bool `json:"ownerOnly,omitempty"`
}
