// SPDX-License-Identifier: Apache-2.0

package compile

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	securityv1 "github.com/kubearmor/kubearmor-operator/api/security/v1"
)

// One byte more than the kernel takes, as a name and as a path.
var (
	longName = "/" + strings.Repeat("n", nameMax+1)
	longPath = strings.Repeat("/p", pathMax/2+1)
)

// generator makes policies out of few paths, so that conflicts are frequent.
type generator struct{ *rand.Rand }

func pick[T any](g generator, of ...T) T { return of[g.IntN(len(of))] }

func (g generator) report() securityv1.Report {
	return securityv1.Report{
		Action:   pick(g, "", securityv1.ActionAllow, securityv1.ActionAudit, securityv1.ActionBlock),
		Severity: pick[securityv1.Severity](g, 0, 0, 3, 9),
		Message:  pick(g, "", "a", "b"),
	}
}

func (g generator) sources() []securityv1.MatchSource {
	return pick(g, nil, nil, nil, []securityv1.MatchSource{{Path: "/bin/sh"}})
}

func (g generator) policy(i int) *Policy {
	p := &securityv1.KubeArmorPolicy{ObjectMeta: metav1.ObjectMeta{Namespace: "n", Name: fmt.Sprintf("p%d", i), Generation: int64(g.IntN(3))}}
	p.Spec.Report = g.report()
	p.Spec.File.Report, p.Spec.Process.Report = g.report(), g.report()
	for range g.IntN(6) {
		p.Spec.File.MatchPaths = append(p.Spec.File.MatchPaths, securityv1.FilePath{
			Report: g.report(), Path: pick[securityv1.AbsolutePath](g, "/a", "/a/b", "/a/b/c", "/a//b", "/a/../b", securityv1.AbsolutePath(longName), securityv1.AbsolutePath(longPath)),
			ReadOnly: g.IntN(5) == 0, OwnerOnly: g.IntN(5) == 0, FromSource: g.sources(),
		})
		p.Spec.File.MatchDirectories = append(p.Spec.File.MatchDirectories, securityv1.FileDirectory{
			Report: g.report(), Directory: pick[securityv1.AbsoluteDirectory](g, "/", "/a/", "/a/b/", "/d/", securityv1.AbsoluteDirectory("/a"+longName+"/")),
			Recursive: g.IntN(2) == 0, OwnerOnly: g.IntN(5) == 0, FromSource: g.sources(),
		})
		p.Spec.Process.MatchPaths = append(p.Spec.Process.MatchPaths, securityv1.ProcessPath{
			Report: g.report(), Path: pick[securityv1.AbsolutePath](g, "/a", "/a/b"),
		})
	}
	if g.IntN(6) == 0 {
		p.Spec.File.MatchPatterns = []securityv1.FilePattern{{Report: g.report(), Pattern: pick[securityv1.Glob](g, "/a/*", "/d/**", "**")}}
	}
	return FromPolicy(p)
}

// FuzzOrderDoesNotMatter compiles the same policies for the same workloads in two orders.
func FuzzOrderDoesNotMatter(f *testing.F) {
	for seed := range uint64(200) {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, seed uint64) {
		g := generator{rand.New(rand.NewPCG(seed, 1))}
		policies := make([]*Policy, 1+g.IntN(5))
		for i := range policies {
			policies[i] = g.policy(i)
		}
		workloads := make([]Workload, 1+g.IntN(4))
		for i := range workloads {
			workloads[i] = Workload{
				Cgroup: Cgroup{ID: CgroupID(i + 1)}, Exempt: g.IntN(4) == 0,
				FilePosture: pick(g, "", PostureAudit, PostureBlock, PostureAllow),
			}
			for _, p := range policies {
				if g.IntN(3) > 0 {
					workloads[i].Selections = append(workloads[i].Selections, Selection{Policy: p, AuditOnly: g.IntN(4) == 0})
				}
			}
		}
		want := Compile(workloads)
		for _, w := range workloads {
			g.Shuffle(len(w.Selections), func(i, j int) { w.Selections[i], w.Selections[j] = w.Selections[j], w.Selections[i] })
		}
		g.Shuffle(len(workloads), func(i, j int) { workloads[i], workloads[j] = workloads[j], workloads[i] })
		if diff := cmp.Diff(want, Compile(workloads)); diff != "" {
			t.Errorf("another order gave another result (-first +second):\n%s", diff)
		}
		wellFormed(t, want)
	})
}

// wellFormed checks what the kernel relies on: one rule a slot, known ids, bindings to profiles that exist.
func wellFormed(t *testing.T, out Output) {
	profiles := map[ProfileID]bool{}
	for _, p := range out.Set.Profiles {
		profiles[p.ID] = true
		seen := map[slot]bool{}
		for _, r := range p.Rules {
			key := slot{r.Domain, r.Path, r.Match}
			if seen[key] {
				t.Errorf("profile %d has two rules for %+v", p.ID, key)
			}
			seen[key] = true
			for name := range strings.SplitSeq(r.Path, "/") {
				if len(name) > nameMax || len(r.Path) > pathMax {
					t.Errorf("rule %d has the path %q, which the kernel does not know", r.ID, r.Path)
				}
			}
			if _, found := out.Rules[r.ID]; !found || r.ID < firstRuleID || r.ID > lastRuleID {
				t.Errorf("rule %d of profile %d is not in the table of rules", r.ID, p.ID)
			}
		}
	}
	for cgroup, id := range out.Set.Bindings {
		if !profiles[id] {
			t.Errorf("cgroup %d is bound to profile %d, which is not in the set", cgroup.ID, id)
		}
	}
}
