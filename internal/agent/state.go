// SPDX-License-Identifier: Apache-2.0

package agent

import (
	"time"

	operatorv1 "github.com/kubearmor/kubearmor-operator/api/operator/v1"
	"github.com/kubearmor/kubearmor-operator/internal/enforcer"
	"github.com/kubearmor/kubearmor-operator/internal/policy/compile"
)

// state is what the stepping goroutine knows and the reporter tells.
type state struct {
	// open: the core is attached, with whatever generation. openError is why it is not.
	open      bool
	openError error
	// detached: the operator asked for it, and nothing is left on the node.
	detached bool
	// waiting is what the last step waited for, empty when it went through.
	waiting string
	// settled: this process has put policies in force. applyError is why the newest ones are not.
	settled    bool
	applyError error

	// results of the set in force; wanted are those of the set that was refused.
	results, wanted []compile.Result
	// short counts the workloads of the refused set that lack rules, by policy.
	short      map[compile.Ref]int
	generation uint64
	containers int
	stats      enforcer.Stats

	// Of the KubeArmorNode.
	observedGeneration int64
	verdict            *operatorv1.Verdict
	nodeID             string

	lastStep time.Time
}

func (s *state) observe(node *operatorv1.KubeArmorNode) {
	s.observedGeneration, s.verdict = node.Generation, node.Spec.Verdict
	for _, owner := range node.OwnerReferences {
		if owner.Kind == "Node" {
			s.nodeID = string(owner.UID)
		}
	}
}

// settle notes a set that is in force.
func (s *state) settle(out compile.Output, in inputs, generation uint64) {
	s.settled, s.applyError, s.waiting = true, nil, ""
	s.results, s.wanted, s.short, s.generation = out.Policies, nil, nil, generation
	s.containers = 0
	for _, c := range in.containers {
		if _, bound := out.Set.Bindings[c.Cgroup]; bound {
			s.containers++
		}
	}
}
