// SPDX-License-Identifier: Apache-2.0

package compile

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kubearmor/kubearmor-operator/internal/policy"
)

// generator makes policies out of few names, so that conflicts are frequent.
type generator struct{ *rand.Rand }

func pick[T any](g generator, of ...T) T { return of[g.IntN(len(of))] }

func (g generator) sources() []policy.Source {
	return pick(g, nil, nil, nil, []policy.Source{{Path: "/s"}}, []policy.Source{{Path: "/bin/t"}}, []policy.Source{{Path: "/bin/t"}, {Path: "/s"}})
}

func (g generator) rule(i int) policy.Rule {
	r := policy.Rule{
		At: fmt.Sprintf("spec.rules[%d]", i), Domain: pick(g, DomainProcess, DomainFile, DomainFile, DomainNetwork, DomainCapabilities),
		Action: pick(g, ActionAllow, ActionAudit, ActionBlock), Severity: pick(g, 0, 0, 3, 9),
		OwnerOnly: g.IntN(4) == 0, ReadOnly: g.IntN(4) == 0, NoTerminal: g.IntN(6) == 0, Sources: g.sources(),
	}
	switch {
	case r.Domain == DomainNetwork:
		r.Protocol = pick(g, "tcp", "udp", "stream", "all")
	case r.Domain == DomainCapabilities:
		r.Capability = pick(g, "kill", "net_raw")
	case r.Domain == DomainProcess && g.IntN(5) == 0:
		r.ExecName = pick(g, "b", "c")
	case g.IntN(4) == 0:
		r.Pattern, r.Sources = pick(g, "/a/*", "/**", "**/c", "/a/*/c", "/bin/*"), nil
	case g.IntN(2) == 0:
		r.Directory, r.Recursive = pick(g, "/", "/a/", "/a/b/", "/bin/"), g.IntN(2) == 0
	default:
		r.Path = pick(g, "/a", "/a/b", "/a/b/c", "/bin/b", "/bin/x")
	}
	if r.Domain == DomainProcess && g.IntN(3) == 0 {
		r.AllowedArgs = pick(g, []string{"1"}, []string{"2"}, []string{"1", "2"}, []string{"2", "1", "2"}, []string{"3"})
	}
	return r
}

func (g generator) policy(i int) *policy.Policy {
	p := &policy.Policy{Ref: Ref{Kind: pick(g, policy.KindPolicy, policy.KindClusterPolicy), Name: fmt.Sprintf("p%d", i)}, Generation: 1}
	if p.Ref.Kind == policy.KindPolicy {
		p.Ref.Namespace = "n"
	}
	for range g.IntN(8) {
		p.Rules = append(p.Rules, g.rule(len(p.Rules)))
	}
	return p
}

func (g generator) workload(i int, policies []*policy.Policy) Workload {
	w := Workload{
		Cgroup: Cgroup{ID: CgroupID(i + 1)}, Exempt: g.IntN(4) == 0, AuditOnly: g.IntN(4) == 0,
		Postures: map[Domain]policy.Posture{}, Root: pick[Root](g, nil, links{"/bin/b": "/a/b", "/bin/": "/a/", "/bin/t": "/t", "/bin/x": "/a/busybox"}),
	}
	for _, d := range []Domain{DomainFile, DomainNetwork, DomainCapabilities} {
		w.Postures[d] = pick(g, "", policy.PostureAudit, policy.PostureBlock, policy.PostureAllow)
	}
	for _, p := range policies {
		if g.IntN(3) > 0 {
			w.Selections = append(w.Selections, Selection{Policy: p})
		}
	}
	return w
}

func (g generator) workloads() []Workload {
	policies := make([]*policy.Policy, 1+g.IntN(5))
	for i := range policies {
		policies[i] = g.policy(i)
	}
	workloads := make([]Workload, 1+g.IntN(4))
	for i := range workloads {
		workloads[i] = g.workload(i, policies)
	}
	return workloads
}

// operations are all that the generator's names can tell apart.
func operations() []operation {
	var all []operation
	args := [][]string{nil, {"1"}, {"2"}, {"1", "2"}, {"1", "4"}}
	for _, source := range []string{"/s", "/t", "/bin/t", "/other"} {
		for met := range Conditions(8) {
			for _, path := range []string{"/a", "/a/b", "/a/b/c", "/a/b/c/d", "/b", "/bin/b", "/bin/c", "/a/x", "/a/busybox", "/bin/x"} {
				all = append(all, operation{domain: DomainFile, path: path, source: source, met: met})
				for _, a := range args {
					all = append(all, operation{domain: DomainProcess, path: path, source: source, met: met, args: a})
				}
			}
			for _, words := range [][]string{{"tcp", "stream", "all"}, {"udp", "dgram", "all"}, {"stream", "all"}} {
				all = append(all, operation{domain: DomainNetwork, words: words, source: source, met: met})
			}
			for _, word := range []string{"kill", "net_raw", "chown"} {
				all = append(all, operation{domain: DomainCapabilities, words: []string{word}, source: source, met: met})
			}
		}
	}
	return all
}

// FuzzProfilesMeanWhatThePoliciesSay judges every operation from the policies and from the profile that they became.
func FuzzProfilesMeanWhatThePoliciesSay(f *testing.F) {
	const seeds = 150
	for seed := range uint64(seeds) {
		f.Add(seed)
	}
	all := operations()
	f.Fuzz(func(t *testing.T, seed uint64) {
		workloads := generator{rand.New(rand.NewPCG(seed, 1))}.workloads()
		out := Compile(workloads, Everything())
		if slices.ContainsFunc(out.Policies, func(r Result) bool {
			return slices.ContainsFunc(r.Unsupported, func(u Unsupported) bool { return u.Reason != ReasonMultiCall })
		}) {
			if seed < seeds {
				t.Fatalf("a rule was left out, so this seed proves nothing: %+v", out.Policies)
			}
			t.Skip("a rule was left out: only a fuzzer's own seed may do that")
		}
		profiles := map[ProfileID]Profile{}
		for _, p := range out.Set.Profiles {
			profiles[p.ID] = p
		}
		for _, w := range workloads {
			twin := newTwin(profiles[out.Set.Bindings[w.Cgroup]], out.Rules)
			for _, op := range all {
				want, got := (naive{w}).judge(op), twin.judge(op)
				if want != got {
					t.Fatalf("%+v: the policies say %+v, the profile %+v: %v", op, want, got, lines(Output{Set: Set{Profiles: []Profile{twin.profile}}}))
				}
			}
		}
	})
}

// FuzzOrderDoesNotMatter compiles the same policies for the same workloads in two orders.
func FuzzOrderDoesNotMatter(f *testing.F) {
	for seed := range uint64(200) {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, seed uint64) {
		g := generator{rand.New(rand.NewPCG(seed, 2))}
		workloads := g.workloads()
		want := Compile(workloads, Everything())
		for _, w := range workloads {
			g.Shuffle(len(w.Selections), func(i, j int) { w.Selections[i], w.Selections[j] = w.Selections[j], w.Selections[i] })
			for _, s := range w.Selections {
				g.Shuffle(len(s.Policy.Rules), func(i, j int) { s.Policy.Rules[i], s.Policy.Rules[j] = s.Policy.Rules[j], s.Policy.Rules[i] })
			}
		}
		g.Shuffle(len(workloads), func(i, j int) { workloads[i], workloads[j] = workloads[j], workloads[i] })
		if diff := cmp.Diff(want, Compile(workloads, Everything())); diff != "" {
			t.Errorf("another order gave another result (-first +second):\n%s", diff)
		}
		wellFormed(t, want)
	})
}

// wellFormed checks what the kernel relies on: few rules a key, known ids, bindings to profiles that exist.
func wellFormed(t *testing.T, out Output) {
	profiles := map[ProfileID]bool{}
	for _, p := range out.Set.Profiles {
		profiles[p.ID] = true
		seen := map[key]int{}
		for _, r := range p.Rules {
			k := key{r.Domain, r.Match, r.Path, r.Source}
			if seen[k]++; seen[k] > MaxVariants {
				t.Errorf("profile %d has too many rules for %+v", p.ID, k)
			}
			if _, found := out.Rules[r.ID]; !found || r.ID < firstRuleID || r.ID > lastRuleID {
				t.Errorf("rule %d of profile %d is not in the table of rules", r.ID, p.ID)
			}
		}
		for domain, patterns := range p.Patterns {
			for _, outcome := range patterns.Outcomes {
				if len(outcome) == 0 || len(outcome) > MaxVariants {
					t.Errorf("profile %d has %d rules for a state of its globs", p.ID, len(outcome))
				}
				for _, i := range outcome {
					if r := p.Rules[i]; r.Match != MatchPattern || r.Domain != domain {
						t.Errorf("profile %d: a state of its globs of domain %s gives %s", p.ID, domain, line(r))
					}
				}
			}
		}
	}
	for cgroup, id := range out.Set.Bindings {
		if !profiles[id] {
			t.Errorf("cgroup %d is bound to profile %d, which is not in the set", cgroup.ID, id)
		}
	}
}
