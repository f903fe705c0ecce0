// SPDX-License-Identifier: Apache-2.0

package generate

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kubearmor/kubearmor-operator/internal/policy"
	"github.com/kubearmor/kubearmor-operator/internal/policy/glob"
	"github.com/kubearmor/kubearmor-operator/internal/policy/model"
	"github.com/kubearmor/kubearmor-operator/internal/policy/parse"
)

func everything() Options {
	return Options{Domains: []policy.Domain{
		policy.DomainProcess, policy.DomainFile, policy.DomainFile, policy.DomainNetwork, policy.DomainCapabilities, policy.DomainDNS,
	}}
}

func TestTheSameSeedGivesTheSameCases(t *testing.T) {
	a, b := New(7, everything()), New(7, everything())
	for range 20 {
		w, again := a.Workload(), b.Workload()
		if diff := cmp.Diff(w, again); diff != "" {
			t.Fatalf("workloads differ:\n%s", diff)
		}
		if diff := cmp.Diff(a.Operation(w), b.Operation(again)); diff != "" {
			t.Fatalf("operations differ:\n%s", diff)
		}
	}
}

// TestCases: whatever is generated is possible, and what may decide does so often enough to be compared.
func TestCases(t *testing.T) {
	g, seen, total := New(1, everything()), map[string]int{}, 0
	for range 1500 {
		w := g.Workload()
		for i := range w.Policies {
			for j := range w.Policies[i].Policy.Rules {
				possible(t, &w.Policies[i].Policy.Rules[j])
			}
		}
		for range 20 {
			op := g.Operation(w)
			if err := op.Check(); err != nil {
				t.Fatalf("%+v: %v", op, err)
			}
			v := w.Judge(op)
			total++
			seen[v.Action.String()]++
			seen["by "+decider(w, v)]++
			if strings.Contains(v.Reason, "spares") {
				seen["spared"]++
			}
			extremes(seen, op)
		}
	}
	t.Logf("%d cases: %v", total, seen)
	for what, least := range map[string]int{
		"Allow": 20, "Audit": 10, "Block": 20, "by DefaultPosture": 5, "by ": 5, "by dir": 3,
		"by path": 5, "by pattern": 3, "by path from": 2, "by dir from": 1,
	} {
		if seen[what]*100 < least*total {
			t.Errorf("%q came out %d times of %d, want at least %d %%", what, seen[what], total, least)
		}
	}
	for _, what := range []string{
		"by UnresolvedPath", "by execname", "by execname from", "by protocol", "by capability", "by name", "spared", "4,000 bytes", "128 components", "a name of 255 bytes",
	} {
		if seen[what] < total/1000 {
			t.Errorf("%q came out %d times of %d only", what, seen[what], total)
		}
	}
}

// decider is the kind of the rule that decided, or what stands for a policy.
func decider(w model.Workload, v model.Verdict) string {
	for i := range w.Policies {
		p := &w.Policies[i].Policy
		for j := range p.Rules {
			r := &p.Rules[j]
			if p.Ref != v.Ref || r.At != v.Rule {
				continue
			}
			from := ""
			if len(r.Sources) > 0 {
				from = " from"
			}
			for _, kind := range []struct{ what, value string }{
				{"path", r.Path},
				{"execname", r.ExecName},
				{"dir", r.Directory},
				{"pattern", r.Pattern},
				{"protocol", r.Protocol},
				{"capability", r.Capability},
				{"name", r.DNSName},
			} {
				if kind.value != "" {
					return kind.what + from
				}
			}
		}
	}
	return v.Policy
}

func extremes(seen map[string]int, op model.Operation) {
	if len(op.Path) >= 4000 {
		seen["4,000 bytes"]++
	}
	if strings.Count(op.Path, "/") >= 128 {
		seen["128 components"]++
	}
	for name := range strings.SplitSeq(op.Path, "/") {
		if len(name) == nameMax {
			seen["a name of 255 bytes"]++
			break
		}
	}
}

func possible(t *testing.T, r *policy.Rule) {
	t.Helper()
	var err error
	switch {
	case r.Path != "":
		_, err = parse.Path(r.Path)
	case r.Directory != "":
		_, err = parse.Directory(r.Directory)
	case r.Pattern != "":
		_, err = glob.Parse(r.Pattern)
	}
	for _, s := range r.Sources {
		if err == nil {
			_, err = parse.Path(s.Path)
		}
	}
	if err != nil {
		t.Fatalf("%+v: %v", r, err)
	}
}
