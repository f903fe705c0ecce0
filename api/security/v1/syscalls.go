// SPDX-License-Identifier: Apache-2.0

package v1

// SyscallName as in syscalls(2), for instance unlink.
// +kubebuilder:validation:MinLength=1
// +kubebuilder:validation:MaxLength=64
// +kubebuilder:validation:Pattern=`^[a-z_][a-z0-9_]*$`
type SyscallName string

// Syscalls holds the rules on system calls. They only audit: an action that is inherited from spec counts as Audit,
// one that is set here must be Audit.
// +kubebuilder:validation:XValidation:rule="!has(self.action) || self.action == 'Audit'",message="syscalls can only be audited; leave action out here or set it to Audit",fieldPath=".action"
type Syscalls struct {
	Report `json:",inline"`
	// MatchSyscalls by name.
	// +kubebuilder:validation:MaxItems=1024
	// +listType=atomic
	// +optional
	MatchSyscalls []MatchSyscall `json:"matchSyscalls,omitempty"`
	// MatchPaths by the path that the system call is given.
	// +kubebuilder:validation:MaxItems=1024
	// +listType=atomic
	// +optional
	MatchPaths []SyscallPath `json:"matchPaths,omitempty"`
}

// SyscallSource narrows a rule to an executable, or to the executables in a directory.
// +kubebuilder:validation:XValidation:rule="has(self.path) != has(self.dir)",message="set exactly one of path (an executable) and dir (a directory of executables)"
type SyscallSource struct {
	// Path of the executable.
	// +optional
	Path AbsolutePath `json:"path,omitempty"`
	// Directory that the executable is in.
	// +optional
	Directory AbsoluteDirectory `json:"dir,omitempty"`
	// Recursive: at any depth below dir.
	// +optional
	Recursive bool `json:"recursive,omitempty"`
}

// MatchSyscall matches system calls by name.
// +kubebuilder:validation:XValidation:rule="!has(self.action) || self.action == 'Audit'",message="syscalls can only be audited; leave action out here or set it to Audit",fieldPath=".action"
type MatchSyscall struct {
	Report `json:",inline"`
	// Syscalls by name.
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=512
	// +listType=atomic
	Syscalls []SyscallName `json:"syscall"`
	// FromSource narrows the rule to calls by these executables.
	// +kubebuilder:validation:MaxItems=128
	// +listType=atomic
	// +optional
	FromSource []SyscallSource `json:"fromSource,omitempty"`
}

// SyscallPath matches system calls by the path that they are given.
// +kubebuilder:validation:XValidation:rule="!has(self.action) || self.action == 'Audit'",message="syscalls can only be audited; leave action out here or set it to Audit",fieldPath=".action"
type SyscallPath struct {
	Report `json:",inline"`
	// Path that the call is given: a file, or a directory when it ends in "/" or recursive is set.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=4096
	// +kubebuilder:validation:XValidation:rule="self.startsWith('/')",message="a path must start with \"/\"; write it as the container sees it, for instance /etc/shadow"
	Path string `json:"path"`
	// Recursive: at any depth below path.
	// +optional
	Recursive bool `json:"recursive,omitempty"`
	// Syscalls by name; every one that takes a path when empty.
	// +kubebuilder:validation:MaxItems=512
	// +listType=atomic
	// +optional
	Syscalls []SyscallName `json:"syscall,omitempty"`
	// FromSource narrows the rule to calls by these executables.
	// +kubebuilder:validation:MaxItems=128
	// +listType=atomic
	// +optional
	FromSource []SyscallSource `json:"fromSource,omitempty"`
}
