// SPDX-License-Identifier: Apache-2.0

// Package support decides, from the facts of a node alone, which enforcer the node is given and why not a better one.
package support

import (
	v1 "github.com/kubearmor/kubearmor-operator/api/operator/v1"
)

// maxMessage is the bound of Verdict.Message, in characters.
const maxMessage = 1024

// check looks at one requirement of BPF-LSM. An empty reason means that the requirement is met.
type check func(f v1.NodeFacts) (reason, message string)

// bpfChain is ordered from the root of a refusal to its leaf: a kernel without BTF also fails to load the core, and
// what the user can act on is the BTF. The last check holds the canary's own outcome, so a node passes the chain
// only when a denial was seen on it.
func bpfChain() []check {
	return []check{
		kernelIsRecent,
		kernelHasBTF,
		lsmIsActive,
		cgroupIsUnified,
		bpffsIsMounted,
		denialWasSeen,
	}
}

// Decide gives the verdict on a node. The first refusal of the chain names the reason.
func Decide(f v1.NodeFacts) v1.Verdict {
	for _, c := range bpfChain() {
		if reason, message := c(f); reason != "" {
			return v1.Verdict{
				Enforcer: v1.EnforcerNone,
				Reason:   reason,
				Message:  clip(message+alternatives(f), maxMessage),
			}
		}
	}
	return v1.Verdict{
		Enforcer: v1.EnforcerBPF,
		Reason:   v1.ReasonEnforcing,
		Message:  clip("BPF-LSM denied the canary operation"+runtimeNote(f), maxMessage),
	}
}
