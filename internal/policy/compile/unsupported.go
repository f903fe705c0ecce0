// SPDX-License-Identifier: Apache-2.0

package compile

import (
	"strconv"
	"strings"
)

// Reason why a rule is not in force on a node.
type Reason string

// The reasons. A rule with any of them is left out whole: a rule without its narrowing would mean something else.
const (
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
	// ReasonDNS: rules on names that are looked up.
	ReasonDNS Reason = "DNSUnsupported"
	// ReasonCapabilities: rules on capabilities.
	ReasonCapabilities Reason = "CapabilitiesUnsupported"
	// ReasonSyscalls: rules on system calls.
	ReasonSyscalls Reason = "SyscallsUnsupported"
	// ReasonDevice: rules on devices.
	ReasonDevice Reason = "DeviceUnsupported"
	// ReasonPreset: a preset.
	ReasonPreset Reason = "PresetUnsupported"
	// ReasonAppArmor: raw AppArmor rules, which only an AppArmor node has a use for.
	ReasonAppArmor Reason = "AppArmorUnsupported"
	// ReasonPathInvalid: the path can never be one that the kernel sees.
	ReasonPathInvalid Reason = "PathInvalid"
	// ReasonException: another rule that selects the same workload takes something out of this one, and that
	// other rule is not enforceable: in force alone, this rule would deny what the policies permit.
	ReasonException Reason = "ExceptionUnsupported"
	// ReasonRefused: the node's enforcer takes no set that this rule's policy is part of.
	ReasonRefused Reason = "RuleRefused"
)

// Unsupported is a rule that is not in force.
type Unsupported struct {
	// Rule is its place in the object: spec.file.matchPatterns[0].
	Rule   string
	Reason Reason
	// Message is a sentence for the policy's author.
	Message string
}

// Bounds of the kernel on paths: PATH_MAX without the closing zero byte, and NAME_MAX. No enforcer takes a rule beyond
// them, and one that refuses a rule refuses the whole set that it is in.
const (
	pathMax = 4095
	nameMax = 255
)

// cleanPath is path as the kernel writes it, or why there is no such path. Repeated slashes mean one, so they are
// folded; "." and ".." are refused, since what ".." means depends on symlinks that a policy does not see.
func cleanPath(path string) (string, string) {
	if !strings.HasPrefix(path, "/") {
		return "", `does not start with "/"; write it as the container sees it`
	}
	if strings.IndexByte(path, 0) >= 0 {
		return "", "contains a zero byte, which no path does"
	}
	var clean strings.Builder
	for part := range strings.SplitSeq(path, "/") {
		switch part {
		case "":
			continue
		case ".", "..":
			return "", `has a "` + part + `" component, which the kernel never reports; write the path without it`
		}
		if len(part) > nameMax {
			return "", "has a component of " + strconv.Itoa(len(part)) + " bytes, and the longest name of a file has 255"
		}
		clean.WriteByte('/')
		clean.WriteString(part)
	}
	if strings.HasSuffix(path, "/") {
		clean.WriteByte('/')
	}
	if clean.Len() > pathMax {
		return "", "is longer than 4095 bytes, the longest path of the kernel"
	}
	return clean.String(), ""
}
