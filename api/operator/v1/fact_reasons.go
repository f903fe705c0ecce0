// SPDX-License-Identifier: Apache-2.0

package v1

// Reasons of a single Fact that is not Yes, beside those of a verdict.
const (
	// ReasonNotPresent: the file or mount that shows the fact is not on the node.
	ReasonNotPresent = "NotPresent"
	// ReasonUnreadable: the file is there and could not be read or understood.
	ReasonUnreadable = "Unreadable"
	// ReasonTimedOut: the fact was not established within its deadline.
	ReasonTimedOut = "TimedOut"
	// ReasonCanaryFailed: the canary itself could not run, so nothing was learned.
	ReasonCanaryFailed = "CanaryFailed"
	// ReasonProfileRefused: the kernel did not take the canary's AppArmor profile.
	ReasonProfileRefused = "ProfileRefused"
	// ReasonNotEnforcing: the security module is there and does not deny (SELinux permissive).
	ReasonNotEnforcing = "NotEnforcing"
)
