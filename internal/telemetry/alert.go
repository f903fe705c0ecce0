// SPDX-License-Identifier: Apache-2.0

// Package telemetry turns the kernel's verdicts into the alerts that clients of KubeArmor know, and writes them out.
package telemetry

import "github.com/kubearmor/kubearmor-operator/internal/telemetry/feeder"

// Alert is one match of a rule, as it goes over the wire and, in JSON, to standard output.
type Alert = feeder.Alert

// Log is one operation that nothing forbade, of a workload whose operations are visible.
type Log = feeder.Log

// Owner is the workload that a Pod belongs to.
type Owner = feeder.Podowner

// Values of the fields, as clients know them.
const (
	typePolicy     = "MatchedPolicy"
	typeHostPolicy = "MatchedHostPolicy"
	typeSystem     = "SystemEvent"
	typeLog        = "ContainerLog"
	typeHostLog    = "HostLog"

	operationProcess      = "Process"
	operationFile         = "File"
	operationNetwork      = "Network"
	operationCapabilities = "Capabilities"
	operationThreshold    = "AlertThreshold"
	operationSyscall      = "Syscall"

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

// IsDenial says whether an alert is about an operation that was refused: those go first everywhere.
func IsDenial(a *Alert) bool { return a.GetAction() == actionBlock }

// IsSystem says whether an alert is about the telemetry itself and not about a match.
func IsSystem(a *Alert) bool { return a.GetType() == typeSystem }
