// SPDX-License-Identifier: Apache-2.0

// Package telemetry turns the kernel's verdicts into the alerts that clients of KubeArmor know, and writes them out.
package telemetry

// Alert is one match of a rule. Its field names are those of the wire format's messages (package feeder), in JSON.
type Alert struct {
	Timestamp         int64    `json:"Timestamp"`
	UpdatedTime       string   `json:"UpdatedTime"`
	ClusterName       string   `json:"ClusterName"`
	HostName          string   `json:"HostName"`
	NamespaceName     string   `json:"NamespaceName,omitempty"`
	PodName           string   `json:"PodName,omitempty"`
	ContainerID       string   `json:"ContainerID,omitempty"`
	ContainerName     string   `json:"ContainerName,omitempty"`
	HostPID           int32    `json:"HostPID"`
	PPID              int32    `json:"PPID"`
	PID               int32    `json:"PID"`
	UID               int32    `json:"UID"`
	PolicyName        string   `json:"PolicyName"`
	Severity          string   `json:"Severity,omitempty"`
	Tags              string   `json:"Tags,omitempty"`
	Message           string   `json:"Message,omitempty"`
	Type              string   `json:"Type"`
	Source            string   `json:"Source"`
	Operation         string   `json:"Operation"`
	Resource          string   `json:"Resource"`
	Data              string   `json:"Data"`
	Action            string   `json:"Action"`
	Result            string   `json:"Result"`
	ContainerImage    string   `json:"ContainerImage,omitempty"`
	ParentProcessName string   `json:"ParentProcessName,omitempty"`
	ProcessName       string   `json:"ProcessName,omitempty"`
	HostPPID          int32    `json:"HostPPID"`
	Enforcer          string   `json:"Enforcer"`
	Labels            string   `json:"Labels,omitempty"`
	ATags             []string `json:"ATags,omitempty"`
	Owner             *Owner   `json:"Owner,omitempty"`
	KubeArmorVersion  string   `json:"KubeArmorVersion,omitempty"`
	NodeID            string   `json:"NodeID,omitempty"`
	// EventData carries what the other fields have no place for: the rule's id and its place in the policy.
	EventData map[string]string `json:"EventData,omitempty"`
}

// Owner is the workload that a Pod belongs to.
type Owner struct {
	// Ref is the owner's kind.
	Ref       string `json:"Ref"`
	Name      string `json:"Name"`
	Namespace string `json:"Namespace"`
}

// Values of the fields, as clients know them.
const (
	typePolicy     = "MatchedPolicy"
	typeHostPolicy = "MatchedHostPolicy"

	operationProcess      = "Process"
	operationFile         = "File"
	operationNetwork      = "Network"
	operationCapabilities = "Capabilities"

	actionAudit      = "Audit"
	actionBlock      = "Block"
	actionAuditBlock = "Audit (Block)"

	resultPassed = "Passed"
	resultDenied = "Permission denied"
	// resultNotPermitted is what a task without the capability sees.
	resultNotPermitted = "Operation not permitted"

	enforcerLSM     = "BPFLSM"
	enforcerObserve = "eBPF Monitor"
	// enforcerPreset is followed by the preset's name.
	enforcerPreset = "PRESET-"

	// policyPosture stands in PolicyName where no rule of an allow-list named the operation.
	policyPosture = "DefaultPosture"
	// policyUnresolved stands in PolicyName where no rule decided, but the lack of a path.
	policyUnresolved = "UnresolvedPath"
	// policyUnknown stands in PolicyName where the rule's policy was changed or deleted before its event was read.
	policyUnknown = "Unknown"
)
