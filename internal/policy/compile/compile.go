// SPDX-License-Identifier: Apache-2.0

package compile

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
)

// Selection is a policy that selects a workload.
type Selection struct {
	Policy *Policy
	// AuditOnly: the workload is annotated as audited, so that Block means Audit.
	AuditOnly bool
}

// Workload is one container, or the host, with the policies that select it.
type Workload struct {
	Cgroup     Cgroup
	Selections []Selection
	// FilePosture of the allow-lists of processes and files; audit when empty.
	FilePosture Posture
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

// Compile turns workloads and the policies that select them into what an enforcer holds.
func Compile(workloads []Workload) Output {
	out := Output{
		Set:   Set{Bindings: map[Cgroup]ProfileID{}},
		Rules: map[RuleID]RuleInfo{},
	}
	built := map[string]profileOf{}
	profiles := map[ProfileID]Profile{}
	tally := tally{}
	for _, w := range workloads {
		key := groupKey(w)
		profile, done := built[key]
		if !done {
			profile = build(w.Selections, w.FilePosture)
			built[key] = profile
		}
		tally.add(w, profile)
		if len(profile.rules) == 0 && !w.Exempt {
			continue
		}
		id := profileID(profile.rules)
		profiles[id] = Profile{ID: id, Rules: profile.rules}
		out.Set.Bindings[w.Cgroup] = id
		for ruleID, info := range profile.infos {
			out.Rules[ruleID] = info
		}
	}
	for _, p := range profiles {
		out.Set.Profiles = append(out.Set.Profiles, p)
	}
	slices.SortFunc(out.Set.Profiles, func(a, b Profile) int { return cmp.Compare(a.ID, b.ID) })
	out.Policies = tally.results()
	return out
}

// groupKey is equal for workloads that get the same profile, so that a hundred replicas are compiled once.
func groupKey(w Workload) string {
	parts := make([]string, 0, len(w.Selections)+1)
	for _, s := range w.Selections {
		r := s.Policy.Ref
		parts = append(parts, strings.Join([]string{
			r.Kind, r.Namespace, r.Name, strconv.FormatInt(s.Policy.Generation, 10), strconv.FormatBool(s.AuditOnly),
		}, "\x00"))
	}
	slices.Sort(parts)
	return strings.Join(append(parts, string(w.FilePosture)), "\x01")
}

// tally collects, over all workloads, what became of each policy.
type tally map[Ref]*tallied

type tallied struct {
	policy     *Policy
	containers int
	withheld   map[Unsupported]bool
	left       map[string]bool
}

func (t tally) add(w Workload, profile profileOf) {
	for _, s := range w.Selections {
		entry := t[s.Policy.Ref]
		if entry == nil {
			entry = &tallied{policy: s.Policy, withheld: map[Unsupported]bool{}, left: map[string]bool{}}
			t[s.Policy.Ref] = entry
		}
		if !w.Host {
			entry.containers++
		}
		for i := range s.Policy.rules {
			if u, found := profile.withheld[place{s.Policy.Ref, s.Policy.rules[i].at}]; found {
				entry.withheld[u] = true
				entry.left[u.Rule] = true
			}
		}
	}
}

func (t tally) results() []Result {
	results := make([]Result, 0, len(t))
	for ref, entry := range t {
		results = append(results, entry.result(ref))
	}
	slices.SortFunc(results, func(a, b Result) int { return compareRefs(a.Ref, b.Ref) })
	return results
}

func (e *tallied) result(ref Ref) Result {
	r := Result{Ref: ref, Generation: e.policy.Generation, Containers: e.containers}
	r.Unsupported = append(r.Unsupported, e.policy.Unsupported()...)
	for u := range e.withheld {
		r.Unsupported = append(r.Unsupported, u)
	}
	slices.SortFunc(r.Unsupported, func(a, b Unsupported) int {
		return cmp.Or(cmp.Compare(a.Rule, b.Rule), cmp.Compare(a.Reason, b.Reason), cmp.Compare(a.Message, b.Message))
	})
	for i := range e.policy.rules {
		if rule := &e.policy.rules[i]; rule.unsupported == "" && !e.left[rule.at] {
			r.InForce++
		}
	}
	switch {
	case len(r.Unsupported) == 0:
		r.State = StateEnforced
	case r.InForce > 0:
		r.State = StateDegraded
	default:
		r.State = StateRefused
	}
	return r
}
