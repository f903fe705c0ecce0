// SPDX-License-Identifier: Apache-2.0

package compile

import "cmp"

// Reason why a rule is not in force on a node.
type Reason string

// Reasons why a single rule is not in force. The message of the policy in KubeArmorNode.status.policies names them beside the
// rule, which is left out whole: a rule without its narrowing would mean something else.
const (
	// ReasonInvalid: the rule can never match, or cannot be understood; the message names what to write instead.
	ReasonInvalid Reason = "RuleInvalid"
	// ReasonMultiCall: the path is a link to one program of many names (busybox), all of which the rule would hit; name that program to mean it.
	ReasonMultiCall Reason = "MultiCallBinary"
	// ReasonPatternTooComplex: the glob, with the others of the workload, needs too large an automaton; write fewer `**` into one glob, or a directory.
	ReasonPatternTooComplex Reason = "PatternTooComplex"
	// ReasonTooManyVariants: too many rules with different conditions or arguments are for the same thing; merge some of them.
	ReasonTooManyVariants Reason = "TooManyVariants"
	// ReasonDNS: the kernel took no program that looks into DNS queries; it needs CONFIG_CGROUP_BPF, and the agent CAP_NET_ADMIN.
	ReasonDNS Reason = "DNSUnsupported"
	// ReasonSyscalls: the kernel took no program at the tracepoint of system calls, so rules on them report nothing.
	ReasonSyscalls Reason = "SyscallsUnsupported"
	// ReasonSyscallPath: the rule names a path that a system call is given, which is not looked at; a rule on files with the
	// action Audit sees the path, whatever the call.
	ReasonSyscallPath Reason = "SyscallPathUnsupported"
	// ReasonSyscallUnknown: no machine has a system call of that name; correct it.
	ReasonSyscallUnknown Reason = "SyscallUnknown"
	// ReasonDevice: rules on devices are not enforced in this version.
	ReasonDevice Reason = "DeviceUnsupported"
	// ReasonPreset: the preset is not enforced on this node.
	ReasonPreset Reason = "PresetUnsupported"
	// ReasonAppArmor: raw AppArmor rules, which only an AppArmor node has a use for.
	ReasonAppArmor Reason = "AppArmorUnsupported"
	// ReasonRefused: the kernel's tables take no set that this rule's policy is part of; the message says why, and the policy is tried again once it changes.
	ReasonRefused Reason = "RuleRefused"

	// ReasonNotJudged: the rule is in force, but for operations that the kernel has no hook for.
	ReasonNotJudged Reason = "OperationsNotJudged"
	// ReasonException: another rule takes something out of this one, and the enforcer cannot express that.
	ReasonException Reason = "ExceptionUnsupported"

	// What an enforcer with fewer Abilities leaves out.

	// ReasonAllowList: an Allow rule makes its domain an allow-list, whose posture is not enforced.
	ReasonAllowList Reason = "AllowListUnsupported"
	// ReasonFromSource: the rule holds for some executables only.
	ReasonFromSource Reason = "FromSourceUnsupported"
	// ReasonOwnerOnly: the rule spares the file's owner.
	ReasonOwnerOnly Reason = "OwnerOnlyUnsupported"
	// ReasonReadOnly: the rule tells reads from writes.
	ReasonReadOnly Reason = "ReadOnlyUnsupported"
	// ReasonPattern: the rule is a glob.
	ReasonPattern Reason = "PatternUnsupported"
	// ReasonExecName: the rule names an executable without its directory.
	ReasonExecName Reason = "ExecNameUnsupported"
	// ReasonArguments: the rule looks at arguments.
	ReasonArguments Reason = "ArgumentsUnsupported"
	// ReasonTerminal: the rule looks at the terminal (pts).
	ReasonTerminal Reason = "TerminalUnsupported"
	// ReasonNetwork: rules on protocols.
	ReasonNetwork Reason = "NetworkUnsupported"
	// ReasonCapabilities: rules on capabilities.
	ReasonCapabilities Reason = "CapabilitiesUnsupported"
)

// OfSection says whether the reason is that a whole section of the policy is not held, and not a single rule.
func (r Reason) OfSection() bool {
	switch r {
	case ReasonNetwork, ReasonDNS, ReasonCapabilities, ReasonSyscalls, ReasonDevice, ReasonPreset, ReasonAppArmor:
		return true
	default:
		return false
	}
}

// Unsupported is a rule that is not in force, or not in full.
type Unsupported struct {
	// Rule is its place in the object: spec.file.matchPatterns[0].
	Rule   string
	Reason Reason
	// Message is a sentence for the policy's author.
	Message string
}

// InPart says that the rule is in force, but for what the message names.
func (u Unsupported) InPart() bool { return u.Reason == ReasonNotJudged }

func compareUnsupported(a, b Unsupported) int {
	return cmp.Or(cmp.Compare(a.Rule, b.Rule), cmp.Compare(a.Reason, b.Reason), cmp.Compare(a.Message, b.Message))
}
