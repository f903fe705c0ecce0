// SPDX-License-Identifier: Apache-2.0

package v1

// Action on a match. The nearest one counts: rule, section, spec; where none is set, Block.
// +kubebuilder:validation:Enum=Allow;Audit;Block
type Action string

// The actions.
const (
	ActionAllow Action = "Allow"
	ActionAudit Action = "Audit"
	ActionBlock Action = "Block"
)

// Severity of an alert, 1 (lowest) to 10.
// +kubebuilder:validation:Minimum=1
// +kubebuilder:validation:Maximum=10
type Severity int32

// AbsolutePath of a file as seen in the container: starts with "/", does not end in "/", at most PATH_MAX bytes.
// +kubebuilder:validation:MinLength=2
// +kubebuilder:validation:MaxLength=4096
// +kubebuilder:validation:XValidation:rule="self.startsWith('/')",message="a path must start with \"/\"; write it as the container sees it, for instance /usr/bin/curl"
// +kubebuilder:validation:XValidation:rule="!self.endsWith('/')",message="a path must not end in \"/\"; use matchDirectories for a directory"
type AbsolutePath string

// AbsoluteDirectory as seen in the container: starts and ends with "/".
// +kubebuilder:validation:MinLength=1
// +kubebuilder:validation:MaxLength=4096
// +kubebuilder:validation:XValidation:rule="self.startsWith('/')",message="a directory must start with \"/\"; write it as the container sees it, for instance /etc/ssl/"
// +kubebuilder:validation:XValidation:rule="self.endsWith('/')",message="a directory must end in \"/\"; use matchPaths for a file"
type AbsoluteDirectory string

// Report is what a section and a rule may set beside what they match; the nearest one counts.
type Report struct {
	// +optional
	Severity Severity `json:"severity,omitempty"`
	// +kubebuilder:validation:MaxItems=64
	// +listType=atomic
	// +optional
	Tags []string `json:"tags,omitempty"`
	// +kubebuilder:validation:MaxLength=4096
	// +optional
	Message string `json:"message,omitempty"`
	// +optional
	Action Action `json:"action,omitempty"`
}

// MatchSource is the executable that a rule is narrowed to.
type MatchSource struct {
	Path AbsolutePath `json:"path"`
}

// Process holds the rules on execution.
type Process struct {
	Report `json:",inline"`
	// +listType=atomic
	// +optional
	MatchPaths []ProcessPath `json:"matchPaths,omitempty"`
	// +listType=atomic
	// +optional
	MatchDirectories []ProcessDirectory `json:"matchDirectories,omitempty"`
	// +listType=atomic
	// +optional
	MatchPatterns []ProcessPattern `json:"matchPatterns,omitempty"`
}

// ProcessPath matches one executable, by path or by base name.
// +kubebuilder:validation:XValidation:rule="has(self.path) != has(self.execname)",message="set exactly one of path and execname"
type ProcessPath struct {
	Report `json:",inline"`
	// +optional
	Path AbsolutePath `json:"path,omitempty"`
	// ExecName is a base name: it matches in any directory.
	// +kubebuilder:validation:MaxLength=255
	// +kubebuilder:validation:Pattern=`^[^/]+$`
	// +optional
	ExecName string `json:"execname,omitempty"`
	// AllowedArgs that the process may have; at most 20.
	// +kubebuilder:validation:MaxItems=20
	// +listType=atomic
	// +optional
	AllowedArgs []string `json:"allowedArgs,omitempty"`
	// +optional
	OwnerOnly bool `json:"ownerOnly,omitempty"`
	// PTS false denies when a terminal is attached.
	// +optional
	PTS *bool `json:"pts,omitempty"`
	// +kubebuilder:validation:MaxItems=256
	// +listType=atomic
	// +optional
	FromSource []MatchSource `json:"fromSource,omitempty"`
}

// ProcessDirectory matches executables under a directory.
type ProcessDirectory struct {
	Report    `json:",inline"`
	Directory AbsoluteDirectory `json:"dir"`
	// +optional
	Recursive bool `json:"recursive,omitempty"`
	// +optional
	OwnerOnly bool `json:"ownerOnly,omitempty"`
	// +optional
	PTS *bool `json:"pts,omitempty"`
	// +kubebuilder:validation:MaxItems=256
	// +listType=atomic
	// +optional
	FromSource []MatchSource `json:"fromSource,omitempty"`
}

// ProcessPattern matches executables by a glob.
type ProcessPattern struct {
	Report `json:",inline"`
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=4096
	Pattern string `json:"pattern"`
	// +optional
	OwnerOnly bool `json:"ownerOnly,omitempty"`
}

// File holds the rules on file access.
type File struct {
	Report `json:",inline"`
	// +listType=atomic
	// +optional
	MatchPaths []FilePath `json:"matchPaths,omitempty"`
	// +listType=atomic
	// +optional
	MatchDirectories []FileDirectory `json:"matchDirectories,omitempty"`
	// +listType=atomic
	// +optional
	MatchPatterns []FilePattern `json:"matchPatterns,omitempty"`
}

// FilePath matches one file.
type FilePath struct {
	Report `json:",inline"`
	Path   AbsolutePath `json:"path"`
	// ReadOnly: with Block, reads pass and writes are denied; with Allow, only reads are allowed.
	// +optional
	ReadOnly bool `json:"readOnly,omitempty"`
	// +optional
	OwnerOnly bool `json:"ownerOnly,omitempty"`
	// +kubebuilder:validation:MaxItems=256
	// +listType=atomic
	// +optional
	FromSource []MatchSource `json:"fromSource,omitempty"`
}

// FileDirectory matches files under a directory.
type FileDirectory struct {
	Report    `json:",inline"`
	Directory AbsoluteDirectory `json:"dir"`
	// +optional
	Recursive bool `json:"recursive,omitempty"`
	// +optional
	ReadOnly bool `json:"readOnly,omitempty"`
	// +optional
	OwnerOnly bool `json:"ownerOnly,omitempty"`
	// +kubebuilder:validation:MaxItems=256
	// +listType=atomic
	// +optional
	FromSource []MatchSource `json:"fromSource,omitempty"`
}

// FilePattern matches files by a glob.
type FilePattern struct {
	Report `json:",inline"`
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=4096
	Pattern string `json:"pattern"`
	// +optional
	ReadOnly bool `json:"readOnly,omitempty"`
	// +optional
	OwnerOnly bool `json:"ownerOnly,omitempty"`
}
