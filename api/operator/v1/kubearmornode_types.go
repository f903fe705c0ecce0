// SPDX-License-Identifier: Apache-2.0

package v1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// FactsSchemaVersion is the version of NodeFacts that this build writes and reads.
const FactsSchemaVersion = 1

// MaxFactsBytes bounds the JSON of NodeFacts: a container's termination message holds no more.
const MaxFactsBytes = 4096

// FactState is three-valued: a fact that could not be established is Unknown, never No.
// +kubebuilder:validation:Enum=Yes;No;Unknown
type FactState string

// The values of FactState.
const (
	FactYes     FactState = "Yes"
	FactNo      FactState = "No"
	FactUnknown FactState = "Unknown"
)

// Fact is one thing about a node that was tried out.
type Fact struct {
	// State is Yes, No or Unknown.
	State FactState `json:"state"`
	// Reason is one of this package's typed reasons when state is not Yes.
	// +kubebuilder:validation:MaxLength=64
	// +optional
	Reason string `json:"reason,omitempty"`
	// Cause is what the kernel or the file said, for a person.
	// +kubebuilder:validation:MaxLength=512
	// +optional
	Cause string `json:"cause,omitempty"`
}

// NodeFacts is what `agent probe` found out on a node: its termination message, at most MaxFactsBytes of JSON.
type NodeFacts struct {
	// SchemaVersion is FactsSchemaVersion of the probe.
	SchemaVersion int32 `json:"schemaVersion"`
	// BootID of the kernel's present run, from /proc/sys/kernel/random/boot_id.
	// +kubebuilder:validation:MaxLength=64
	BootID string `json:"bootID"`
	// Kernel release as `uname -r` prints it.
	// +kubebuilder:validation:MaxLength=128
	Kernel string `json:"kernel"`
	// Arch in Go's names: amd64 or arm64.
	// +kubebuilder:validation:MaxLength=16
	Arch string `json:"arch"`
	// Distribution of the host, from its os-release.
	Distribution Distribution `json:"distribution"`
	// LSMs that are active, in the kernel's order.
	// +kubebuilder:validation:MaxItems=32
	// +optional
	// +listType=atomic
	LSMs []string `json:"lsms,omitempty"`
	// BTF: the kernel describes its own types at /sys/kernel/btf/vmlinux.
	BTF Fact `json:"btf"`
	// BPFLSM: the real core was loaded and attached, and the canary denial was seen.
	BPFLSM Fact `json:"bpfLSM"`
	// Observe: the events of canaries were seen: of the core that enforces, or, where that does not work, of the core in
	// observe mode (kprobes).
	Observe Fact `json:"observe"`
	// AppArmor: a canary profile was loaded and seen denying.
	AppArmor Fact `json:"appArmor"`
	// SELinux: enforcing. Mode is enforcing, permissive or disabled.
	SELinux SELinuxFact `json:"seLinux"`
	// Seccomp filters are available.
	Seccomp Fact `json:"seccomp"`
	// CgroupVersion is 2 for the unified hierarchy, 1 for anything else, 0 when unknown.
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=2
	CgroupVersion int32 `json:"cgroupVersion"`
	// BPFFS is mounted at /sys/fs/bpf.
	BPFFS Fact `json:"bpfFS"`
	// SecurityFS is mounted at /sys/kernel/security.
	SecurityFS Fact `json:"securityFS"`
	// AppArmorFS: /sys/kernel/security/apparmor exists.
	AppArmorFS Fact `json:"appArmorFS"`
	// Runtime that knows the probe's own container.
	Runtime RuntimeFact `json:"runtime"`
}

// Distribution names what the host runs.
type Distribution struct {
	// ID is os-release's ID, lower case: debian, ubuntu, bottlerocket, cos, ol, rhel.
	// +kubebuilder:validation:MaxLength=64
	// +optional
	ID string `json:"id,omitempty"`
	// VersionID is os-release's VERSION_ID.
	// +kubebuilder:validation:MaxLength=64
	// +optional
	VersionID string `json:"versionID,omitempty"`
	// Name is os-release's PRETTY_NAME.
	// +kubebuilder:validation:MaxLength=128
	// +optional
	Name string `json:"name,omitempty"`
}

// SELinuxFact says whether SELinux denies.
type SELinuxFact struct {
	Fact `json:",inline"`
	// Mode is enforcing, permissive or disabled.
	// +kubebuilder:validation:Enum=enforcing;permissive;disabled;""
	// +optional
	Mode string `json:"mode,omitempty"`
}

// RuntimeFact names the container runtime and its sockets, as host paths.
type RuntimeFact struct {
	Fact `json:",inline"`
	// Name as CRI's Version call gives it: containerd, cri-o.
	// +kubebuilder:validation:MaxLength=64
	// +optional
	Name string `json:"name,omitempty"`
	// Version as CRI's Version call gives it.
	// +kubebuilder:validation:MaxLength=64
	// +optional
	Version string `json:"version,omitempty"`
	// Socket of CRI, an absolute path on the host.
	// +kubebuilder:validation:MaxLength=256
	// +optional
	Socket string `json:"socket,omitempty"`
	// NRISocket, an absolute path on the host, empty when there is none.
	// +kubebuilder:validation:MaxLength=256
	// +optional
	NRISocket string `json:"nriSocket,omitempty"`
}

// Enforcer is the mechanism that a node is given.
// +kubebuilder:validation:Enum=bpf;apparmor;selinux;none
type Enforcer string

// The enforcers, by the values of the node label kubearmor.io/enforcer.
const (
	EnforcerBPF      Enforcer = "bpf"
	EnforcerAppArmor Enforcer = "apparmor"
	EnforcerSELinux  Enforcer = "selinux"
	// EnforcerNone: the core observes and audits; nothing is denied.
	EnforcerNone Enforcer = "none"
)

// KubeArmorNodeSpec is the operator's: what was found out about the node and what the node shall run.
type KubeArmorNodeSpec struct {
	// Probe is the state of the newest look at the node.
	// +optional
	Probe ProbeState `json:"probe,omitzero"`
	// Facts of the newest probe that succeeded.
	// +optional
	Facts *NodeFacts `json:"facts,omitempty"`
	// Verdict drawn from the facts.
	// +optional
	Verdict *Verdict `json:"verdict,omitempty"`
	// Pool that the node belongs to: the value of its label kubearmor.io/pool.
	// +kubebuilder:validation:MaxLength=63
	// +optional
	Pool string `json:"pool,omitempty"`
	// Image that the node's agent shall run.
	// +kubebuilder:validation:MaxLength=512
	// +optional
	Image string `json:"image,omitempty"`
	// Detach asks the agent to take every program, link, map and pin off the node and to report that it did.
	// +optional
	Detach bool `json:"detach,omitempty"`
}

// ProbeState says where the detection of a node stands.
type ProbeState struct {
	// Inputs is the hash of bootID, kernel, runtime version and agent image that the probe is of; another hash means a new probe.
	// +kubebuilder:validation:MaxLength=64
	// +optional
	Inputs string `json:"inputs,omitempty"`
	// Reason is ProbePending, ProbeRunning, ProbeSucceeded, or why it failed.
	// +kubebuilder:validation:MaxLength=64
	// +optional
	Reason string `json:"reason,omitempty"`
	// Message says what happened and what to do about it.
	// +kubebuilder:validation:MaxLength=1024
	// +optional
	Message string `json:"message,omitempty"`
	// Failures in a row with these inputs; the wait before the next try doubles with each.
	// +optional
	Failures int32 `json:"failures,omitempty"`
	// LastTime that a probe ended.
	// +optional
	LastTime *metav1.Time `json:"lastTime,omitempty"`
}

// Verdict is the enforcer that the facts allow, and why not a better one.
type Verdict struct {
	// Enforcer is bpf, apparmor, selinux or none.
	Enforcer Enforcer `json:"enforcer"`
	// Reason is Enforcing, or the first typed refusal.
	// +kubebuilder:validation:MaxLength=64
	Reason string `json:"reason"`
	// Message says what to do about it.
	// +kubebuilder:validation:MaxLength=1024
	// +optional
	Message string `json:"message,omitempty"`
}

// KubeArmorNodeStatus is the agent's: what the node really runs. There is one exception: while no agent reports (the node
// is not Ready and its heartbeat older than 90 seconds, no agent's Pod runs, the heartbeat is older than three minutes, or the node has no pool), the operator sets
// the three conditions, so that none goes on claiming what nobody sees any more.
type KubeArmorNodeStatus struct {
	// Conditions: Ready, Enforcing, PoliciesApplied.
	// +listType=map
	// +listMapKey=type
	// +optional
	Conditions []metav1.Condition `json:"conditions,omitempty"`
	// ObservedGeneration of the spec that the agent acts upon.
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`
	// Enforcer that is active.
	// +optional
	Enforcer Enforcer `json:"enforcer,omitempty"`
	// AgentVersion is the agent's build.
	// +kubebuilder:validation:MaxLength=128
	// +optional
	AgentVersion string `json:"agentVersion,omitempty"`
	// BootID under which the agent runs.
	// +kubebuilder:validation:MaxLength=64
	// +optional
	BootID string `json:"bootID,omitempty"`
	// Programs of the core that are attached.
	// +kubebuilder:validation:MaxItems=128
	// +listType=atomic
	// +optional
	Programs []string `json:"programs,omitempty"`
	// PolicyGeneration in force in the kernel; it grows with every switch.
	// +optional
	PolicyGeneration int64 `json:"policyGeneration,omitempty"`
	// Containers whose cgroup is in the core's table.
	// +optional
	Containers int32 `json:"containers,omitempty"`
	// Policies that select at least one container of this node, by kind, namespace and name; at most 1,000 of them.
	// +kubebuilder:validation:MaxItems=1000
	// +listType=atomic
	// +optional
	Policies []NodePolicy `json:"policies,omitempty"`
	// PoliciesOmitted counts what the bound on policies left out.
	// +optional
	PoliciesOmitted int32 `json:"policiesOmitted,omitempty"`
	// Tables of the kernel and how full they are.
	// +kubebuilder:validation:MaxItems=32
	// +listType=map
	// +listMapKey=name
	// +optional
	Tables []TableFill `json:"tables,omitempty"`
	// EventsDropped since the core was loaded: events that no reader got.
	// +optional
	EventsDropped int64 `json:"eventsDropped,omitempty"`
	// Heartbeat of the agent, about once a minute.
	// +optional
	Heartbeat *metav1.Time `json:"heartbeat,omitempty"`
}

// PolicyState is what became of a policy on a node.
// +kubebuilder:validation:Enum=Enforced;Observed;Degraded;Refused
type PolicyState string

// The values of PolicyState.
const (
	// PolicyEnforced: every rule is in force.
	PolicyEnforced PolicyState = "Enforced"
	// PolicyObserved: every rule is watched, nothing is denied: the node has no usable LSM.
	PolicyObserved PolicyState = "Observed"
	// PolicyDegraded: some rules are in force; reason and message name the others.
	PolicyDegraded PolicyState = "Degraded"
	// PolicyRefused: no rule is in force.
	PolicyRefused PolicyState = "Refused"
)

// NodePolicy is one policy as a node has it.
type NodePolicy struct {
	// Kind is KubeArmorPolicy, KubeArmorHostPolicy or KubeArmorClusterPolicy.
	// +kubebuilder:validation:MaxLength=32
	Kind string `json:"kind"`
	// Namespace of a KubeArmorPolicy.
	// +kubebuilder:validation:MaxLength=63
	// +optional
	Namespace string `json:"namespace,omitempty"`
	// Name of the policy.
	// +kubebuilder:validation:MaxLength=253
	Name string `json:"name"`
	// Generation of the policy object that the node has.
	Generation int64 `json:"generation"`
	// State is what became of it.
	State PolicyState `json:"state"`
	// Containers of this node that it selects.
	// +optional
	Containers int32 `json:"containers,omitempty"`
	// Reason is a typed reason of the policy's package when state is not Enforced.
	// +kubebuilder:validation:MaxLength=64
	// +optional
	Reason string `json:"reason,omitempty"`
	// Message names the rules that are not in force.
	// +kubebuilder:validation:MaxLength=512
	// +optional
	Message string `json:"message,omitempty"`
}

// TableFill says how full a kernel table is.
type TableFill struct {
	// Name of the table.
	// +kubebuilder:validation:MaxLength=32
	Name string `json:"name"`
	// Entries in use.
	Entries int64 `json:"entries"`
	// Capacity in entries.
	Capacity int64 `json:"capacity"`
}

// KubeArmorNode says what one node can enforce and what it does enforce. It is named as the node and owned by it.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:scope=Cluster,shortName=kan,categories=kubearmor
// +kubebuilder:printcolumn:name="Enforcer",type=string,JSONPath=`.status.enforcer`
// +kubebuilder:printcolumn:name="Enforcing",type=string,JSONPath=`.status.conditions[?(@.type=="Enforcing")].status`
// +kubebuilder:printcolumn:name="Kernel",type=string,JSONPath=`.spec.facts.kernel`
// +kubebuilder:printcolumn:name="Arch",type=string,JSONPath=`.spec.facts.arch`
// +kubebuilder:printcolumn:name="Distro",type=string,JSONPath=`.spec.facts.distribution.name`
// +kubebuilder:printcolumn:name="Pool",type=string,JSONPath=`.spec.pool`
// +kubebuilder:printcolumn:name="Reason",type=string,JSONPath=`.status.conditions[?(@.type=="Enforcing")].reason`
// +kubebuilder:printcolumn:name="Probe",type=string,priority=1,JSONPath=`.spec.probe.reason`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
type KubeArmorNode struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitzero"`

	// Spec is the operator's.
	// +optional
	Spec KubeArmorNodeSpec `json:"spec,omitzero"`
	// Status is the agent's.
	// +optional
	Status KubeArmorNodeStatus `json:"status,omitzero"`
}

// KubeArmorNodeList is a list of KubeArmorNode.
//
// +kubebuilder:object:root=true
type KubeArmorNodeList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitzero"`
	Items           []KubeArmorNode `json:"items"`
}
