// SPDX-License-Identifier: Apache-2.0

package compile

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	securityv1 "github.com/kubearmor/kubearmor-operator/api/security/v1"
	"github.com/kubearmor/kubearmor-operator/internal/policy"
)

func TestGlobThatIsTooComplexIsLeftOut(t *testing.T) {
	wide := func(after string) securityv1.Glob { return securityv1.Glob("/**" + after + strings.Repeat("?", 20)) }
	patterns := []securityv1.FilePattern{{Pattern: wide("a")}, {Pattern: "/ok/*"}, {Pattern: "/bin/*"}}
	w := rooted(on(ksp("p", files(securityv1.Report{}, securityv1.File{MatchPatterns: patterns}))), links{"/bin/": "/usr/bin/"})
	out := Compile(w, Everything())
	want := []string{"file Block pattern /bin/*", "file Block pattern /ok/*", "file Block pattern /usr/bin/*"}
	if diff := cmp.Diff(want, lines(out)); diff != "" {
		t.Errorf("the other globs hold (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"spec.file.matchPatterns[0] PatternTooComplex"}, left(out)); diff != "" {
		t.Errorf("unsupported (-want +got):\n%s", diff)
	}
	patterns = nil
	for i := range patience + 2 {
		patterns = append(patterns, securityv1.FilePattern{Pattern: wide(string(rune('a' + i)))})
	}
	out = Compile(on(ksp("p", files(securityv1.Report{}, securityv1.File{MatchPatterns: patterns}))), Everything())
	if len(lines(out)) != 0 || len(left(out)) != len(patterns) || out.Policies[0].State != StateRefused {
		t.Errorf("rules %v, unsupported %v", lines(out), left(out))
	}
}

func TestOneWorkloadTakesNoMoreThanItsPartOfTheAutomata(t *testing.T) {
	wide := "/**a" + strings.Repeat("?", 7) // a hundred states behind each of the others
	patterns := []securityv1.FilePattern{{Pattern: securityv1.Glob(wide)}}
	for b := 128; b < 256; b++ {
		patterns = append(patterns, securityv1.FilePattern{Pattern: securityv1.Glob([]byte{'/', byte(b), '*'}), Report: action(securityv1.ActionAudit)})
	}
	out := Compile(on(ksp("p", files(securityv1.Report{}, securityv1.File{MatchPatterns: patterns}))), Everything())
	a := out.Set.Profiles[0].Patterns[DomainFile].Automaton
	if size := a.States() * (a.Columns + 1); size > cells || len(left(out)) == 0 || len(left(out)) == len(patterns) {
		t.Errorf("%d cells; left out: %v", size, left(out))
	}
}

func TestGlobBehindALinkThatGetsTooLongIsNone(t *testing.T) {
	long := "/l/" + strings.Repeat("n", 4000) + "*"
	spec := files(securityv1.Report{}, securityv1.File{MatchPatterns: []securityv1.FilePattern{{Pattern: securityv1.Glob(long)}, {Pattern: "/s/*"}}})
	out := Compile(rooted(on(ksp("p", spec)), links{"/l/": "/" + strings.Repeat("m", 100) + "/", "/s/": "/a[b]*/"}), Everything())
	if diff := cmp.Diff([]string{"file Block pattern /a\\[b\\]\\*/*", "file Block pattern " + long, "file Block pattern /s/*"}, lines(out)); diff != "" {
		t.Errorf("rules (-want +got):\n%s", diff)
	}
}

func TestGlobsAreCompiledOnceForAllWorkloads(t *testing.T) {
	var patterns []securityv1.FilePattern
	for _, p := range []securityv1.Glob{"/a/**", "/b/*"} {
		patterns = append(patterns, securityv1.FilePattern{Pattern: p})
	}
	p := ksp("p", files(securityv1.Report{}, securityv1.File{MatchPatterns: patterns, MatchPaths: []securityv1.FilePath{{Path: "/x", Report: action(securityv1.ActionAllow)}}}))
	workloads := append(on(p), on(p)...)
	workloads[1].Cgroup.ID, workloads[1].Postures = 8, map[Domain]policy.Posture{DomainFile: policy.PostureBlock}
	out := Compile(workloads, Everything())
	if len(out.Set.Profiles) != 2 || out.Set.Profiles[0].Patterns[DomainFile].Automaton != out.Set.Profiles[1].Patterns[DomainFile].Automaton {
		t.Error("two profiles with the same globs have an automaton each")
	}
}

func TestGlobsOfOnePlaceShareAState(t *testing.T) {
	var patterns []securityv1.FilePattern
	for _, p := range []securityv1.Glob{"/a/**", "/a/b*", "/a/*c", "/a/bc"} {
		patterns = append(patterns, securityv1.FilePattern{Pattern: p})
	}
	patterns[0].Severity = 2
	out := Compile(on(ksp("p", files(securityv1.Report{}, securityv1.File{MatchPatterns: patterns}))), Everything())
	if diff := cmp.Diff([]string{"file Block pattern /a/**"}, lines(out)); diff != "" {
		t.Errorf("rules that never decide are no part of a profile (-want +got):\n%s", diff)
	}
	if got := out.Policies[0]; got.State != StateEnforced || got.InForce != 4 {
		t.Errorf("result = %+v", got)
	}
}

func TestSeverityThatChangesWhichGlobDecidesMakesAnotherProfile(t *testing.T) {
	profile := func(severity securityv1.Severity) Profile {
		return Compile(on(ksp("p", files(securityv1.Report{}, securityv1.File{MatchPatterns: []securityv1.FilePattern{
			{Pattern: "/a/**", ReadOnly: true}, {Pattern: "/a/*", OwnerOnly: true, Report: securityv1.Report{Severity: severity}},
		}}))), Everything()).Set.Profiles[0]
	}
	first, second := profile(0), profile(5)
	if cmp.Diff(first.Rules, second.Rules) != "" || cmp.Equal(first.Patterns, second.Patterns) {
		t.Fatal("the test is about two profiles that differ in the order of the rules that match together, and in nothing else")
	}
	if first.ID == second.ID {
		t.Error("two profiles have the same id")
	}
}
