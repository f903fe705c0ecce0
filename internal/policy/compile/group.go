// SPDX-License-Identifier: Apache-2.0

package compile

import (
	"encoding/binary"
	"slices"
	"strconv"

	"github.com/kubearmor/kubearmor-operator/internal/policy"
)

// group are workloads that get the same profile, so that a hundred replicas are compiled once: the same policies select
// them, with the same postures, and their roots resolve the policies' paths alike.
type group struct {
	selections []Selection
	built
	// containers of this call.
	containers int
}

// group sorts workloads into groups, and says for each workload which one it is in.
func (c *Compiler) group(workloads []Workload) (groups map[string]*group, of []*group) {
	groups, of = map[string]*group{}, make([]*group, len(workloads))
	numbers, paths := c.number(workloads), map[string][]string{}
	for i, w := range workloads {
		treated := numbers.treatment(w)
		if _, known := paths[treated]; !known && w.Root != nil {
			paths[treated] = pathsOf(w.Selections)
		}
		aliases := resolve(w.Root, paths[treated])
		key := treated + aliases.key()
		g := groups[key]
		if g == nil {
			g = c.built[key]
			if g == nil {
				g = &group{selections: w.Selections, built: c.build(w, aliases)}
				c.learn(g)
			}
			g.containers = 0
			groups[key] = g
		}
		if !w.Host {
			g.containers++
		}
		of[i] = g
	}
	c.built, c.fitted, c.numbers = groups, nil, numbers
	for _, g := range groups {
		c.learn(g)
	}
	return groups, of
}

// learn remembers the automata of a group, for others with the same globs.
func (c *Compiler) learn(g *group) {
	if c.fitted == nil {
		c.fitted = map[string]*fitted{}
	}
	for _, f := range g.fitted {
		c.fitted[f.key] = f
	}
}

// numbers stand for selections. Policies are told apart by where they are in memory, and not by name: one of the same
// name and generation may have been deleted and made anew.
type numbers map[Selection]uint64

// number gives every selection the number that it had before, or a new one.
func (c *Compiler) number(workloads []Workload) numbers {
	n := numbers{}
	for _, w := range workloads {
		for _, s := range w.Selections {
			if _, known := n[s]; known {
				continue
			}
			if _, known := c.numbers[s]; !known {
				c.last++
				n[s] = c.last
				continue
			}
			n[s] = c.numbers[s]
		}
	}
	return n
}

// treatment is equal for workloads that the same policies select, and that are treated alike.
func (n numbers) treatment(w Workload) string {
	selected := make([]uint64, 0, len(w.Selections))
	for _, s := range w.Selections {
		selected = append(selected, n[s])
	}
	slices.Sort(selected)
	key := make([]byte, 0, 8*len(selected)+2*policy.Domains+1)
	for _, number := range selected {
		key = binary.LittleEndian.AppendUint64(key, number)
	}
	for domain := range Domain(policy.Domains) {
		key = append(key, string(w.Postures[domain])+"\x00"...)
	}
	key = append(key, byte(w.Visible))
	return strconv.Itoa(len(selected)) + string(strconv.AppendBool(key, w.AuditOnly))
}

// tally collects, over all groups, what became of each policy.
type tally map[Ref]*tallied

type tallied struct {
	policy     *policy.Policy
	containers int
	withheld   map[Unsupported]bool
	left       map[string]bool
}

func (t tally) add(g *group) {
	for _, s := range g.selections {
		entry := t[s.Policy.Ref]
		if entry == nil {
			entry = &tallied{policy: s.Policy, withheld: map[Unsupported]bool{}, left: map[string]bool{}}
			t[s.Policy.Ref] = entry
		}
		entry.containers += g.containers
		for _, u := range g.withheld[s.Policy.Ref] {
			entry.withheld[u] = true
			entry.left[u.Rule] = entry.left[u.Rule] || !u.InPart()
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
	for u := range e.withheld {
		r.Unsupported = append(r.Unsupported, u)
	}
	slices.SortFunc(r.Unsupported, compareUnsupported)
	for i := range e.policy.Rules {
		if !e.left[e.policy.Rules[i].At] {
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
