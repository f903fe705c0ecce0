// SPDX-License-Identifier: Apache-2.0

package fleet

import (
	"fmt"
	"slices"
	"strings"

	"github.com/kubearmor/kubearmor-operator/test/testbed/node"
)

// What follows lsm= on the kernel's command line decides what a node can enforce.
const (
	lsmWithBPF    = "landlock,lockdown,yama,integrity,apparmor,bpf"
	lsmWithoutBPF = "landlock,lockdown,yama,integrity,apparmor"
)

// One processor for each machine: two real ones emulate them all, and an emulated amd64 kernel with two was seen to fail when BPF
// programs are attached and detached in a row.

// BPFNode and AuditNode are the amd64 nodes: one that can enforce by BPF LSM, and one that cannot.
func BPFNode(index int) node.Spec {
	return node.Spec{Name: "bpf-amd64", Index: index, Arch: "amd64", Kernel: "6.12", LSM: lsmWithBPF, CPUs: 1, MemoryMiB: 1536}
}

func AuditNode(index int) node.Spec {
	return node.Spec{Name: "audit-amd64", Index: index, Arch: "amd64", Kernel: "6.1", LSM: lsmWithoutBPF, CPUs: 1, MemoryMiB: 1536}
}

// BPFNodeARM64 can enforce by BPF LSM on another architecture.
func BPFNodeARM64(index int) node.Spec {
	return node.Spec{Name: "bpf-arm64", Index: index, Arch: "arm64", Kernel: "6.12", LSM: lsmWithBPF, CPUs: 1, MemoryMiB: 1536}
}

// Demo is the fleet of the demo: three kinds of node. The slowest to boot comes first.
func Demo() []node.Spec {
	return []node.Spec{BPFNodeARM64(1), BPFNode(2), AuditNode(3)}
}

// Pair is the smallest fleet with a node that enforces and one that does not.
func Pair() []node.Spec {
	return []node.Spec{BPFNode(1), AuditNode(2)}
}

// Named returns the nodes of the demo that have these names, in the demo's order; no name means all.
func Named(names ...string) ([]node.Spec, error) {
	var known []string
	var out []node.Spec
	for _, spec := range Demo() {
		known = append(known, spec.Name)
		if len(names) == 0 || slices.Contains(names, spec.Name) {
			spec.Index = len(out) + 1
			out = append(out, spec)
		}
	}
	for _, name := range names {
		if !slices.Contains(known, name) {
			return nil, fmt.Errorf("unknown node %q: use some of %s", name, strings.Join(known, ", "))
		}
	}
	return out, nil
}
