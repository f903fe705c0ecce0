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
// +kubebuilder:validation:MinLength=1
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

// Glob over a whole path, in AppArmor's language: * is any bytes but /, ** any bytes, ? one byte but /, [a-c] and [^a]
// one byte of a set or not of it, {a,b} one of several, \ takes the next byte literally.
// The pattern refuses an open or empty set, an unbalanced brace (braces nest twice) and a lone backslash at the end.
// +kubebuilder:validation:MinLength=1
// +kubebuilder:validation:MaxLength=4096
// +kubebuilder:validation:Pattern=`^([^\[\]{}\\]|\\.|\[(\^[^\[\]]+|[^\[\]^][^\[\]]*)\]|\{([^\[\]{}\\]|\\.|\[(\^[^\[\]]+|[^\[\]^][^\[\]]*)\]|\{([^\[\]{}\\]|\\.|\[(\^[^\[\]]+|[^\[\]^][^\[\]]*)\])*\})*\})*$`
// +kubebuilder:validation:XValidation:rule="self.startsWith('/') || self.startsWith('**') || self.startsWith('{')",message="a pattern must start with \"/\", \"**\" or \"{\", because it is compared with whole absolute paths; for instance /etc/*.conf or **/id_rsa"
type Glob string

// Report is what spec, a section and a rule may set beside what they match; the nearest one counts.
type Report struct {
	// Severity of the alerts, 1 (lowest) to 10.
	// +optional
	Severity Severity `json:"severity,omitempty"`
	// Tags that the alerts carry.
	// +kubebuilder:validation:MaxItems=64
	// +listType=atomic
	// +optional
	Tags []string `json:"tags,omitempty"`
	// Message that the alerts carry.
	// +kubebuilder:validation:MaxLength=4096
	// +optional
	Message string `json:"message,omitempty"`
	// Action on a match: Allow, Audit or Block.
	// +optional
	Action Action `json:"action,omitempty"`
}

// MatchSource is the executable that a rule is narrowed to: the parent's of a process rule, the current one of others.
type MatchSource struct {
	// Path of the executable.
	Path AbsolutePath `json:"path"`
}

// Rules are the sections that every kind of policy has.
type Rules struct {
	// Process: what may be executed.
	// +optional
	Process Process `json:"process,omitzero"`
	// File: what may be opened, read and written.
	// +optional
	File File `json:"file,omitzero"`
	// Network: which protocols may be used and which names may be resolved.
	// +optional
	Network Network `json:"network,omitzero"`
	// Capabilities: which capabilities of the kernel may be used.
	// +optional
	Capabilities Capabilities `json:"capabilities,omitzero"`
	// Syscalls to be audited.
	// +optional
	Syscalls Syscalls `json:"syscalls,omitzero"`
	// AppArmor rules in AppArmor's own language. They hold on nodes whose enforcer is AppArmor, and only there.
	// +kubebuilder:validation:MaxLength=262144
	// +optional
	AppArmor string `json:"apparmor,omitempty"`
}
