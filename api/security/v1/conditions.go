// SPDX-License-Identifier: Apache-2.0

package v1

// Conditions of a policy, the same for every kind. Both have positive polarity: True is good.
const (
	// PolicyAccepted is True when the policy can be used; its message names rules that can never match. False means that no rule of it is used.
	PolicyAccepted = "Accepted"
	// PolicyEnforced is True when every rule is in force on every node that has a selected Pod, or that is selected itself.
	PolicyEnforced = "Enforced"
)

// Reasons of the condition Accepted.
const (
	// ReasonValid: the policy can be used; correct the rules that the message names, if it names any.
	ReasonValid = "Valid"
	// ReasonInvalid: a rule cannot be understood; the message names the field and the remedy. Correct the policy.
	ReasonInvalid = "Invalid"
)

// Reasons of the condition Enforced, and of single nodes in failingNodes.
const (
	// ReasonEnforcedEverywhere: every rule is in force on every node concerned.
	ReasonEnforcedEverywhere = "EnforcedEverywhere"
	// ReasonSelectsNothing: no Pod and no node matches the selector, so Enforced is Unknown; compare the selector with the labels.
	ReasonSelectsNothing = "SelectsNothing"
	// ReasonNotInstalled: no KubeArmorConfig is in force, or it is being deleted, so no node has any policy.
	ReasonNotInstalled = "NotInstalled"
	// ReasonNotAccepted: the policy is not valid, so no node has it; see the condition Accepted.
	ReasonNotAccepted = "NotAccepted"
	// ReasonWaitingForNodes: a node has not reported this generation of the policy yet; when it lasts, look at that node's KubeArmorNode.
	ReasonWaitingForNodes = "WaitingForNodes"
	// ReasonNotEnforcedOnNodes: at least one node does not have the policy in full; failingNodes names the first of them and why.
	ReasonNotEnforcedOnNodes = "NotEnforcedOnNodes"
	// ReasonNodeObservesOnly: the node has no usable LSM, so the rules are audited and nothing is denied; its KubeArmorNode says what is missing.
	ReasonNodeObservesOnly = "NodeObservesOnly"
	// ReasonDomainUnsupported: the node's enforcer does not know a section of the policy; its other rules are in force.
	ReasonDomainUnsupported = "DomainUnsupported"
	// ReasonRuleUnsupported: the node's enforcer cannot express a rule, which the message names; the other rules are in force.
	ReasonRuleUnsupported = "RuleUnsupported"
	// ReasonOperationsNotJudged: the rules are in force, and the node's kernel has no hook for some operations, which the message names:
	// they are not denied there. Run a newer kernel.
	ReasonOperationsNotJudged = "OperationsNotJudged"
	// ReasonTableFull: a kernel table of the node is full and the previous generation stays in force; shorten the policies that select Pods there.
	ReasonTableFull = "TableFull"
)
