// SPDX-License-Identifier: Apache-2.0

package v1

// File holds the rules on file access.
type File struct {
	Report `json:",inline"`
	// MatchPaths by whole path.
	// +kubebuilder:validation:MaxItems=16384
	// +listType=atomic
	// +optional
	MatchPaths []FilePath `json:"matchPaths,omitempty"`
	// MatchDirectories by the directory that the file is in.
	// +kubebuilder:validation:MaxItems=16384
	// +listType=atomic
	// +optional
	MatchDirectories []FileDirectory `json:"matchDirectories,omitempty"`
	// MatchPatterns by a glob.
	// +kubebuilder:validation:MaxItems=16384
	// +listType=atomic
	// +optional
	MatchPatterns []FilePattern `json:"matchPatterns,omitempty"`
}

// FilePath matches one file.
type FilePath struct {
	Report `json:",inline"`
	// Path of the file.
	Path AbsolutePath `json:"path"`
	// ReadOnly: with Block, reads pass and writes are denied; with Allow, only reads are allowed.
	// +optional
	ReadOnly bool `json:"readOnly,omitempty"`
	// OwnerOnly: the file's owner may, others may not.
	// +optional
	OwnerOnly bool `json:"ownerOnly,omitempty"`
	// FromSource narrows the rule to accesses by these executables.
	// +kubebuilder:validation:MaxItems=128
	// +listType=atomic
	// +optional
	FromSource []MatchSource `json:"fromSource,omitempty"`
}

// FileDirectory matches files in a directory.
type FileDirectory struct {
	Report `json:",inline"`
	// Directory that the file is in.
	Directory AbsoluteDirectory `json:"dir"`
	// Recursive: at any depth below it.
	// +optional
	Recursive bool `json:"recursive,omitempty"`
	// ReadOnly: with Block, reads pass and writes are denied; with Allow, only reads are allowed.
	// +optional
	ReadOnly bool `json:"readOnly,omitempty"`
	// OwnerOnly: the file's owner may, others may not.
	// +optional
	OwnerOnly bool `json:"ownerOnly,omitempty"`
	// FromSource narrows the rule to accesses by these executables.
	// +kubebuilder:validation:MaxItems=128
	// +listType=atomic
	// +optional
	FromSource []MatchSource `json:"fromSource,omitempty"`
}

// FilePattern matches files by a glob.
type FilePattern struct {
	Report `json:",inline"`
	// Pattern over the whole path of the file.
	Pattern Glob `json:"pattern"`
	// ReadOnly: with Block, reads pass and writes are denied; with Allow, only reads are allowed.
	// +optional
	ReadOnly bool `json:"readOnly,omitempty"`
	// OwnerOnly: the file's owner may, others may not.
	// +optional
	OwnerOnly bool `json:"ownerOnly,omitempty"`
}
