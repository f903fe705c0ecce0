// SPDX-License-Identifier: Apache-2.0

package v1

// Capability of the kernel, in lower case and without cap_: every one that <linux/capability.h> has.
// +kubebuilder:validation:MinLength=1
// +kubebuilder:validation:MaxLength=64
// +kubebuilder:validation:XValidation:rule="self in ['chown','dac_override','dac_read_search','fowner','fsetid','kill','setgid','setuid','setpcap','linux_immutable','net_bind_service','net_broadcast','net_admin','net_raw','ipc_lock','ipc_owner','sys_module','sys_rawio','sys_chroot','sys_ptrace','sys_pacct','sys_admin','sys_boot','sys_nice','sys_resource','sys_time','sys_tty_config','mknod','lease','audit_write','audit_control','setfcap','mac_override','mac_admin','syslog','wake_alarm','block_suspend','audit_read','perfmon','bpf','checkpoint_restore']",message="unknown capability; use a name of capabilities(7) in lower case and without CAP_, for instance net_raw or sys_admin"
type Capability string

// Capabilities holds the rules on capabilities.
type Capabilities struct {
	Report `json:",inline"`
	// MatchCapabilities by name.
	// +kubebuilder:validation:MaxItems=1024
	// +listType=atomic
	// +optional
	MatchCapabilities []MatchCapability `json:"matchCapabilities,omitempty"`
}

// MatchCapability matches the use of one capability.
type MatchCapability struct {
	Report `json:",inline"`
	// Capability in lower case, without cap_.
	Capability Capability `json:"capability"`
	// FromSource narrows the rule to uses by these executables.
	// +kubebuilder:validation:MaxItems=128
	// +listType=atomic
	// +optional
	FromSource []MatchSource `json:"fromSource,omitempty"`
}
