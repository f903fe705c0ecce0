// SPDX-License-Identifier: Apache-2.0

package compile

import (
	"cmp"
	"slices"

	"github.com/kubearmor/kubearmor-operator/internal/policy"
)

// Selection is a policy that selects a workload.
type Selection struct {
	Policy *policy.Policy
	// Refused is why no rule of the policy is to be held: the enforcer took no set with it. Empty for all others.
	Refused string
}

// Root follows the symbolic links of a workload's own root.
type Root interface {
	// Resolve gives the path of the object behind a clean path, in the same form: with "/" at its end for a directory.
	// It is the path itself where no link is on the way, and where nothing is there. multiCall says that the object is
	// one program behind many names (busybox), of which path is another one.
	Resolve(path string) (object string, multiCall bool)
}

// Workload is one container, or the host, with the policies that select it.
type Workload struct {
	Cgroup     Cgroup
	Selections []Selection
	// AuditOnly: the workload is annotated as audited, so that Block means Audit, in rules and postures.
	AuditOnly bool
	// Postures of the allow-lists of files, network and capabilities; audit where there is none. Processes have that of
	// files, names that of the network.
	Postures map[Domain]policy.Posture
	// Root of the workload, as its processes see it; nil when it cannot be looked at, and then every path is taken as it
	// is written.
	Root Root
	// Visible are the domains whose operations are reported whatever rules there are.
	Visible Domains
	// Host is the node itself; it is no container.
	Host bool
	// Exempt binds the workload even without a rule, so that no rule of the host reaches it.
	Exempt bool
}

// State is what became of a policy.
type State string

// The states. They equal those of KubeArmorNode.status.policies.
const (
	StateEnforced State = "Enforced"
	StateDegraded State = "Degraded"
	StateRefused  State = "Refused"
)

// Result is what became of one policy that selects at least one workload.
type Result struct {
	Ref        Ref
	Generation int64
	State      State
	// Containers that it selects.
	Containers int
	// InForce counts its rules that hold on every workload that it selects.
	InForce int
	// Unsupported rules, by their place in the object.
	Unsupported []Unsupported
}

// Output of Compile.
type Output struct {
	// Set for the enforcer. Its Generation is the caller's to set.
	Set Set
	// Rules by id, for alerts.
	Rules map[RuleID]RuleInfo
	// Policies that select a workload, by kind, namespace and name.
	Policies []Result
}

// Compiler compiles for one enforcer. It remembers the profiles of the last call, so that a container that comes or goes
// costs no more than its own. The zero Compiler holds nothing; set Abilities.
type Compiler struct {
	// Abilities of the enforcer; never changed after the first call.
	Abilities Abilities

	built map[string]*group
	// fitted are the automata of all groups, by key.
	fitted map[string]*fitted
	// numbers of the selections of the last call; last is the highest that was ever given.
	numbers numbers
	last    uint64
}

// Compile turns workloads and the policies that select them into what an enforcer with these abilities holds.
func Compile(workloads []Workload, abilities Abilities) Output {
	c := Compiler{Abilities: abilities}
	return c.Compile(workloads)
}

// Compile turns workloads and the policies that select them into what the enforcer holds. The policies must not change
// between two calls: another generation of a policy is another Policy.
func (c *Compiler) Compile(workloads []Workload) Output {
	groups, membership := c.group(workloads)
	out := Output{Set: Set{Bindings: map[Cgroup]ProfileID{}}, Rules: map[RuleID]RuleInfo{}}
	profiles := map[ProfileID]Profile{}
	tally := tally{}
	for _, g := range groups {
		tally.add(g)
	}
	for i, w := range workloads {
		profile := membership[i].profile
		if len(profile.Rules) == 0 && profile.Visible == 0 && !w.Exempt {
			continue
		}
		out.Set.Bindings[w.Cgroup] = profile.ID
		if _, known := profiles[profile.ID]; known {
			continue
		}
		profiles[profile.ID] = profile
		for id, info := range membership[i].infos {
			out.Rules[id] = info
		}
	}
	for _, p := range profiles {
		out.Set.Profiles = append(out.Set.Profiles, p)
	}
	slices.SortFunc(out.Set.Profiles, func(a, b Profile) int { return cmp.Compare(a.ID, b.ID) })
	out.Policies = tally.results()
	return out
}
