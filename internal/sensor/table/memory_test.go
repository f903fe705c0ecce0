// SPDX-License-Identifier: Apache-2.0

package table

import (
	"errors"
	"fmt"
	"testing"
	"unsafe"

	"github.com/kubearmor/kubearmor-operator/internal/policy"
	"github.com/kubearmor/kubearmor-operator/internal/policy/compile"
)

// What a policy and a rule may take in the kernel's tables, in bytes.
const (
	perPolicy = 4096
	perRule   = 64
	// A glob takes what its automaton has; one of a policy is in the policy's part.
	perGlob = 512
)

// shape makes the rule number i of n of a policy.
type shape func(policy, i, n int) policy.Rule

// tools of one folder.
func tools(p, i, _ int) policy.Rule {
	return policy.Rule{Domain: policy.DomainProcess, Path: fmt.Sprintf("/usr/bin/tool-%d-%d", p, i)}
}

// mixed rules, and one glob.
func mixed(p, i, n int) policy.Rule {
	switch {
	case i == n-1:
		return policy.Rule{Domain: policy.DomainFile, Pattern: fmt.Sprintf("/opt/app-%d/**/*.so", p)}
	case i%5 == 0:
		return policy.Rule{Domain: policy.DomainFile, Directory: fmt.Sprintf("/var/lib/app-%d/%d/", p, i), Recursive: true}
	case i%5 == 1:
		return policy.Rule{Domain: policy.DomainProcess, ExecName: fmt.Sprintf("tool-%d", i)}
	case i%5 == 2:
		return policy.Rule{Domain: policy.DomainFile, Path: fmt.Sprintf("/etc/app-%d/%d.conf", p, i), ReadOnly: true}
	case i%5 == 3:
		return policy.Rule{Domain: policy.DomainFile, Path: fmt.Sprintf("/etc/app-%d/%d.key", p, i), Sources: []policy.Source{{Path: "/usr/bin/app"}}}
	default:
		return tools(p, i, n)
	}
}

// apart has a folder for each file, deep below one that they share.
func apart(p, i, _ int) policy.Rule {
	return policy.Rule{Domain: policy.DomainFile, Path: fmt.Sprintf("/srv/data/of/%d/customer-%d/secret", p, i)}
}

// globs as published policies have them.
func someGlobs(p, i, n int) policy.Rule {
	globs := []string{"/etc/*hado?", "/home/*/secret_data*", "/home/*/.ssh/**", fmt.Sprintf("/var/log/app-%d/**/*.log", p)}
	if i < len(globs) {
		return policy.Rule{Domain: policy.DomainFile, Pattern: globs[i]}
	}
	return mixed(p, i, n+1)
}

// tablesOf lays out policies that block, each for a workload of its own.
func tablesOf(t testing.TB, policies, rules int, of shape) *Tables {
	t.Helper()
	var workloads []compile.Workload
	for p := range policies {
		made := &policy.Policy{Ref: policy.Ref{Kind: policy.KindPolicy, Namespace: "n", Name: fmt.Sprintf("p%d", p)}}
		for i := range rules {
			r := of(p, i, rules)
			r.At, r.Action = fmt.Sprintf("rule[%d]", i), policy.ActionBlock
			made.Rules = append(made.Rules, r)
		}
		workloads = append(workloads, compile.Workload{
			Cgroup: compile.Cgroup{ID: compile.CgroupID(p + 1), Level: 1}, Selections: []compile.Selection{{Policy: made}},
		})
	}
	out := compile.Compile(workloads, compile.Everything())
	for _, result := range out.Policies {
		if result.InForce != rules {
			t.Fatalf("%s: %d of %d rules are in force: %v", result.Ref, result.InForce, rules, result.Unsupported)
		}
	}
	b := NewBuilder(Key{1, 2})
	for _, profile := range out.Set.Profiles {
		if _, err := b.AddProfile(profile); err != nil {
			t.Fatal(err)
		}
	}
	return built(t, b)
}

func (t *Tables) bytes() int {
	return len(t.Buckets)*BucketSize + len(t.Pages)*int(unsafe.Sizeof(Page{}))
}

// TestPoliciesAndRulesTakeNoMoreThanTheirPart of the kernel's memory, beside what a node without policies takes.
func TestPoliciesAndRulesTakeNoMoreThanTheirPart(t *testing.T) {
	tests := map[string]struct {
		policies, rules int
		of              shape
		// globs of each policy besides one.
		globs int
	}{
		"one policy of one rule":                       {1, 1, tools, 0},
		"one policy of 10 rules with a glob":           {1, 10, mixed, 0},
		"one policy of 300 rules with a glob":          {1, 300, mixed, 0},
		"one policy of 10,000 rules":                   {1, 10_000, tools, 0},
		"one policy of 10,000 rules with a glob":       {1, 10_000, mixed, 0},
		"one policy of 10,000 files in 10,000 folders": {1, 10_000, apart, 0},
		"100 policies of 10 rules with a glob each":    {100, 10, mixed, 0},
		"100 policies of 10 rules with 4 globs each":   {100, 10, someGlobs, 3},
		"1,000 policies of 100 rules with a glob":      {1000, 100, mixed, 0},
		"1,000 policies of 100 files in 100 folders":   {1000, 100, apart, 0},
	}
	nothing := tablesOf(t, 0, 0, nil).bytes()
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			tables := tablesOf(t, test.policies, test.rules, test.of)
			got, most := tables.bytes()-nothing, test.policies*(perPolicy+test.rules*perRule+test.globs*perGlob)
			t.Logf("%d B of at most %d: %d entries, %d pages; %.1f B for a rule", got, most, tables.Entries, len(tables.Pages), float64(got)/float64(test.policies*test.rules))
			if got > most {
				t.Errorf("%d B, want at most %d", got, most)
			}
		})
	}
}

// TestRulesThatShareNoFolderFillTheTableSooner: each folder above takes an entry, and the error says so.
func TestRulesThatShareNoFolderFillTheTableSooner(t *testing.T) {
	b := NewBuilder(Key{1, 2})
	var profile compile.Profile
	const rules, folders = 40_000, 10
	for i := range rules {
		path := ""
		for d := range folders {
			path += fmt.Sprintf("/%d-%d", d, i)
		}
		profile.Rules = append(profile.Rules, rule(i+1, block, files, compile.MatchPath, path))
	}
	if _, err := b.AddProfile(profile); err != nil {
		t.Fatal(err)
	}
	_, err := b.Build()
	var full *FullError
	want := FullError{Table: "rules", Need: rules*folders + 1, Capacity: MaxEntries, Folders: rules*(folders-1) + 1}
	if !errors.As(err, &full) || *full != want {
		t.Errorf("got %+v, want %+v", err, want)
	}
}
