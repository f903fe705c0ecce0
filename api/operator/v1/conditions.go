// SPDX-License-Identifier: Apache-2.0

package v1

// Conditions of a KubeArmorConfig. All but FieldsIgnored and Conflict have positive polarity: True is good.
const (
	// ConfigReady summarises the others: True when nodes are detected and every pool's DaemonSet is rolled out.
	ConfigReady = "Ready"
	// ConfigNodesDetected is True when every Linux node has facts of its present boot, kernel, runtime and image.
	ConfigNodesDetected = "NodesDetected"
	// ConfigEnforcing is True when every Linux node enforces; False counts those that do not, and why.
	ConfigEnforcing = "Enforcing"
	// ConfigRolloutComplete is True when every pool's DaemonSet has its desired Pods updated and ready.
	ConfigRolloutComplete = "RolloutComplete"
	// ConfigRelayReady is True when every relay of the Deployment is of its present template and available. Ready does not
	// depend on it: protection needs no relay.
	ConfigRelayReady = "RelayReady"
	// ConfigCertificatesValid is True when agents, relay and clients have certificates of the operator's own authority. Ready
	// does not depend on it: protection needs no certificates.
	ConfigCertificatesValid = "CertificatesValid"
	// ConfigFieldsIgnored is True when the spec sets fields that have no effect yet; its message names them.
	ConfigFieldsIgnored = "FieldsIgnored"
	// ConfigConflict is True on every KubeArmorConfig but the oldest of the cluster: it is not acted upon.
	ConfigConflict = "Conflict"
)

// Reasons of KubeArmorConfig conditions.
const (
	// ReasonAsExpected: nothing to do.
	ReasonAsExpected = "AsExpected"
	// ReasonNoNodes: the cluster has no Linux node that may be managed; look at spec.globalNodeSelector.
	ReasonNoNodes = "NoNodes"
	// ReasonDetecting: probe Pods are pending or running; wait, and if it lasts, look at their Pods' events.
	ReasonDetecting = "Detecting"
	// ReasonDetectionFailed: at least one node could not be probed; its KubeArmorNode says why.
	ReasonDetectionFailed = "DetectionFailed"
	// ReasonRolloutInProgress: at least one DaemonSet is not yet at its desired state; wait, and if it lasts, look at status.pools.
	ReasonRolloutInProgress = "RolloutInProgress"
	// ReasonRelayNotReady: the relay's Deployment makes no progress; the message carries its words. Look at the Pods with the
	// label kubearmor-app=kubearmor-relay: their image (spec.kubearmorRelayImage), and whether a node has room for them.
	ReasonRelayNotReady = "RelayNotReady"
	// ReasonNodesNotEnforcing: at least one node does not enforce; failingNodes names the first of them.
	ReasonNodesNotEnforcing = "NodesNotEnforcing"
	// ReasonFieldsWithoutEffect: accepted for compatibility, no effect in this version; remove what the message names, or leave it.
	ReasonFieldsWithoutEffect = "FieldsWithoutEffect"
	// ReasonAllFieldsEffective: every field that is set has its effect.
	ReasonAllFieldsEffective = "AllFieldsEffective"
	// ReasonOlderConfigExists: another KubeArmorConfig is in force; delete one of the two.
	ReasonOlderConfigExists = "OlderConfigExists"
	// ReasonOnlyConfig: no other KubeArmorConfig is in force.
	ReasonOnlyConfig = "OnlyConfig"
	// ReasonUninstalling: the object is being deleted and the nodes are being cleaned; it goes when the last node is clean.
	ReasonUninstalling = "Uninstalling"
	// ReasonFieldInvalid: a field holds what cannot be used; the message names it. Everything else is in force.
	ReasonFieldInvalid = "FieldInvalid"
	// ReasonApplyFailed: the API server refused an owned object; the message carries its answer. Correct the field that it names, or the operator's role.
	ReasonApplyFailed = "ApplyFailed"
)

// Conditions of a KubeArmorNode. The agent of the node sets them; all have positive polarity. What the operator found
// out about the node is in spec.probe and spec.verdict.
const (
	// NodeReady: the agent runs on the node, has synced its policies and reports.
	NodeReady = "Ready"
	// NodeEnforcing: a denial would really happen on this node now.
	NodeEnforcing = "Enforcing"
	// NodePoliciesApplied: every policy that selects a Pod of this node is in force in full.
	NodePoliciesApplied = "PoliciesApplied"
)

// Reasons why a node is probed, not detected, or not enforcing. They appear in KubeArmorNode.spec.probe.reason,
// spec.verdict.reason, in KubeArmorNode conditions and in KubeArmorConfig.status.failingNodes.
const (
	// ReasonProbePending: no probe has run yet; only a few run at once, so wait.
	ReasonProbePending = "ProbePending"
	// ReasonProbeRunning: the probe Pod is on the node.
	ReasonProbeRunning = "ProbeRunning"
	// ReasonProbeSucceeded: the facts are of this boot, kernel, runtime and image.
	ReasonProbeSucceeded = "ProbeSucceeded"
	// ReasonProbeFailed: the probe Pod ended with an error; the message carries it. It is tried again, later each time.
	ReasonProbeFailed = "ProbeFailed"
	// ReasonProbeIncomplete: a fact that matters could not be established; the node is probed again, later each time.
	ReasonProbeIncomplete = "ProbeIncomplete"
	// ReasonProbeTimeout: the probe Pod did not end within its deadline; look at its events and at the node's health. It is tried again.
	ReasonProbeTimeout = "ProbeTimeout"
	// ReasonImagePullFailed: the node cannot pull the agent's image; correct spec.kubearmorImage or the pull secrets.
	ReasonImagePullFailed = "ImagePullFailed"
	// ReasonFactsUnreadable: the termination message is not the JSON of NodeFacts (cut, empty or foreign); check that spec.kubearmorImage is our agent.
	ReasonFactsUnreadable = "FactsUnreadable"
	// ReasonFactsSchemaUnknown: the probe speaks a schema version that this operator does not know; use one version of both.
	ReasonFactsSchemaUnknown = "FactsSchemaUnknown"

	// ReasonEnforcing: the kernel was seen denying.
	ReasonEnforcing = "Enforcing"
	// ReasonOperationsNotJudged: the kernel was seen denying, and has no hook for the operations that the message names: rules
	// do not hold for those (chown before 6.1, and every change of names without CONFIG_SECURITY_PATH). Run a newer kernel.
	ReasonOperationsNotJudged = "OperationsNotJudged"
	// ReasonKernelTooOld: the kernel predates BPF-LSM (5.7) or the hooks that the core needs (5.10); run a newer one.
	ReasonKernelTooOld = "KernelTooOld"
	// ReasonNoBTF: /sys/kernel/btf/vmlinux is missing, so CO-RE programs cannot be loaded; run a kernel built with CONFIG_DEBUG_INFO_BTF.
	ReasonNoBTF = "NoBTF"
	// ReasonLSMInactive: "bpf" is not among the kernel's active LSMs; boot with lsm=...,bpf.
	ReasonLSMInactive = "LSMInactive"
	// ReasonVerifierRejected: the kernel's verifier refused a program of the core; report the message and the kernel release, or run another kernel.
	ReasonVerifierRejected = "VerifierRejected"
	// ReasonAttachRefused: the programs load but the kernel refuses to attach them (for instance arm64 before 6.4); run a newer kernel.
	ReasonAttachRefused = "AttachRefused"
	// ReasonDenialNotSeen: the programs are attached, and the canary operation was not denied; report the kernel release, the node is not trusted to enforce.
	ReasonDenialNotSeen = "DenialNotSeen"
	// ReasonCgroupV1: the node has no cgroup v2 hierarchy, by which workloads are identified; boot with systemd.unified_cgroup_hierarchy=1.
	ReasonCgroupV1 = "CgroupV1"
	// ReasonNoBPFFS: no bpffs at /sys/fs/bpf, so programs and maps cannot outlive the agent; mount it: mount -t bpf bpf /sys/fs/bpf.
	ReasonNoBPFFS = "NoBPFFS"
	// ReasonRuntimeUnknown: no CRI socket on the node knows the probe's own container; check that the runtime's socket is below /run.
	ReasonRuntimeUnknown = "RuntimeUnknown"
	// ReasonPermissionDenied: the kernel refused the probe for want of privilege (lockdown, seccomp, capabilities); the message says which call.
	ReasonPermissionDenied = "PermissionDenied"

	// ReasonAgentNotReporting: the agent's heartbeat is older than the limit or there was none; look at the agent's Pod on that node.
	ReasonAgentNotReporting = "AgentNotReporting"
	// ReasonObserveOnly: the core runs in observe mode: operations are audited, nothing is denied; spec.verdict says what the node lacks.
	ReasonObserveOnly = "ObserveOnly"
	// ReasonDetached: the operator asked the agent to take the core off the node (uninstall).
	ReasonDetached = "Detached"
	// ReasonTableFull: a kernel table is full; the previous generation of policies stays in force. Shorten the policies that select Pods there.
	ReasonTableFull = "TableFull"
	// ReasonPoliciesDegraded: at least one policy has rules that are not in force; status.policies names them.
	ReasonPoliciesDegraded = "PoliciesDegraded"
	// ReasonSyncing: the agent runs and has not read all policies, Pods and containers yet; what was in force before stays.
	ReasonSyncing = "Syncing"
	// ReasonCgroupNotFound: a container runs in a cgroup that the agent cannot find, so no policy holds for it.
	ReasonCgroupNotFound = "CgroupNotFound"
	// ReasonCoreLoadFailed: the agent could not load or attach the core; the message carries the kernel's answer.
	ReasonCoreLoadFailed = "CoreLoadFailed"
)
