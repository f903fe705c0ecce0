// SPDX-License-Identifier: Apache-2.0

package compile

import (
	"fmt"
	"strings"
	"testing"

	"github.com/kubearmor/kubearmor-operator/internal/policy"
)

// applications are globs as large policies have them: of many applications, each with its own folders.
func applications(n int) []string {
	globs := make([]string, n)
	for i := range globs {
		globs[i] = fmt.Sprintf([]string{"/opt/app-%d/**/*.so", "/usr/lib/x-%d/*.conf", "/home/*/dir-%d/**"}[i%3], i)
	}
	return globs
}

func patternPolicy(globs []string) *policy.Policy {
	p := &policy.Policy{Ref: Ref{Kind: policy.KindPolicy, Namespace: "n", Name: "globs"}}
	for i, glob := range globs {
		p.Rules = append(p.Rules, policy.Rule{
			At: fmt.Sprintf("spec.file.matchPatterns[%d]", i), Domain: DomainFile, Action: ActionBlock, Pattern: glob,
		})
	}
	return p
}

func TestTenThousandGlobsOfOnePolicyAreAllHeld(t *testing.T) {
	const count = 10_000
	out := Compile(on(patternPolicy(applications(count))), Everything())
	if got := out.Policies[0]; got.State != StateEnforced || got.InForce != count {
		t.Fatalf("%s, %d in force: %v", got.State, got.InForce, got.Unsupported[:min(3, len(got.Unsupported))])
	}
	profile := out.Set.Profiles[0]
	a := profile.Patterns[DomainFile].Automaton
	t.Logf("%d states of %d columns: %d KiB", a.States(), a.Columns, a.States()*(a.Columns+1)*4/1024)
	for path, want := range map[string]string{
		"/opt/app-0/lib/a.so": "/opt/app-0/**/*.so", "/opt/app-9999/a/b/c.so": "/opt/app-9999/**/*.so", "/usr/lib/x-5001/a.conf": "",
		"/usr/lib/x-5002/a.conf": "/usr/lib/x-5002/*.conf", "/home/me/dir-9998/a/b": "/home/*/dir-9998/**", "/home/me/you/dir-9998/a": "", "/opt/app-10000/a/b.so": "",
	} {
		got := ""
		if id := a.Run(path); id != 0 {
			got = profile.Rules[profile.Patterns[DomainFile].Outcomes[id-1][0]].Path
		}
		if got != want {
			t.Errorf("%s: %q decides, want %q", path, got, want)
		}
	}
}

// TestMoreGlobsThanAnAutomatonHoldsAreLeftOutAndNamed, and that does not take longer than to hold them.
func TestMoreGlobsThanAnAutomatonHoldsAreLeftOutAndNamed(t *testing.T) {
	const count = 15_000
	out := Compile(on(patternPolicy(applications(count))), Everything())
	got := out.Policies[0]
	if got.State != StateDegraded || got.InForce < count/4 || got.InForce+len(got.Unsupported) != count {
		t.Fatalf("%s: %d in force, %d not", got.State, got.InForce, len(got.Unsupported))
	}
	for _, u := range got.Unsupported {
		if u.Reason != ReasonPatternTooComplex || !strings.Contains(u.Message, "name a directory with recursive: true") {
			t.Fatalf("%+v", u)
		}
	}
}

// TestGlobsThatCanMatchAtOnceAreHeld as far as they stay apart: where one has matched for good, the others do not matter.
func TestGlobsThatCanMatchAtOnceAreHeld(t *testing.T) {
	for format, count := range map[string]int{"/**/dir-%d/**": 100, "/**/name-%d.*": 1000, "/**/*-%d/*.conf": 100, "/**/*%d*x": 100} {
		var globs []string
		for i := range count {
			globs = append(globs, fmt.Sprintf(format, i))
		}
		out := Compile(on(patternPolicy(globs)), Everything())
		a := out.Set.Profiles[0].Patterns[DomainFile].Automaton
		t.Logf("%s: %d states of %d columns", format, a.States(), a.Columns)
		if got := out.Policies[0]; got.InForce != count {
			t.Errorf("%s: %d of %d in force", format, got.InForce, count)
		}
	}
}

func BenchmarkGlobs(b *testing.B) {
	for _, n := range []int{10, 100, 1000, 10_000} {
		b.Run(fmt.Sprintf("%d globs", n), func(b *testing.B) {
			workloads := on(patternPolicy(applications(n)))
			for b.Loop() {
				if out := Compile(workloads, Everything()); out.Policies[0].InForce != n {
					b.Fatalf("%d in force", out.Policies[0].InForce)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*n), "ns/glob")
		})
	}
}
