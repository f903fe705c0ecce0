// SPDX-License-Identifier: Apache-2.0

package enforcer

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	operatorv1 "github.com/kubearmor/kubearmor-operator/api/operator/v1"
	securityv1 "github.com/kubearmor/kubearmor-operator/api/security/v1"
	"github.com/kubearmor/kubearmor-operator/internal/policy/compile"
	"github.com/kubearmor/kubearmor-operator/internal/policy/parse"
)

// FuzzTheCoreTakesWhatIsCompiled holds both checks of a path together: what the compiler lets through, the core must
// take, since it refuses a set whole. A core that is not open checks a set before it says so.
func FuzzTheCoreTakesWhatIsCompiled(f *testing.F) {
	for _, path := range []string{
		"", "/", "//", "/a", "/a/", "a", "/a//b", "/a/./b", "/..", "/a\x00b", "/\xff", "/" + strings.Repeat("n", 255), "/" + strings.Repeat("n", 256),
		"/a/" + strings.Repeat("é", 128) + "/", strings.Repeat("/p", 2047), strings.Repeat("/p", 2048), strings.Repeat("/p", 2047) + "/",
		strings.Repeat("/p", 2048) + "/", strings.Repeat("/", 5000) + "a",
	} {
		f.Add(path)
	}
	f.Fuzz(func(t *testing.T, path string) {
		object := &securityv1.KubeArmorPolicy{ObjectMeta: metav1.ObjectMeta{Namespace: "n", Name: "p"}}
		object.Spec.Process.MatchPaths = []securityv1.ProcessPath{{Path: securityv1.AbsolutePath(path)}}
		object.Spec.File.MatchPaths = []securityv1.FilePath{{Path: securityv1.AbsolutePath(path)}}
		object.Spec.File.MatchDirectories = []securityv1.FileDirectory{
			{Directory: securityv1.AbsoluteDirectory(path)}, {Directory: securityv1.AbsoluteDirectory(path), Recursive: true},
		}
		policy := parse.KubeArmorPolicy(object)
		out := compile.Compile([]compile.Workload{{
			Cgroup: compile.Cgroup{ID: 7, Level: 3}, Selections: []compile.Selection{{Policy: &policy}},
		}}, Abilities())
		err := new(Core).Apply(t.Context(), out.Set)
		if _, problem, refused := RefusedRule(err); refused {
			t.Errorf("the core refuses what was compiled of %q: %s", path, problem)
		}
	})
}

func TestPinnedIsACoreThatWasAttached(t *testing.T) {
	o := Options{HostRoot: t.TempDir()}
	if Pinned(o) {
		t.Error("a node without any folder of ours")
	}
	for place, want := range map[string]bool{"maps/rules": false, "links/file_open": true} {
		file := filepath.Join(o.HostRoot, operatorv1.PinPath, "0123456789ab", place)
		if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if Pinned(o) != want {
			t.Errorf("with %s Pinned is not %v", place, want)
		}
		if err := os.Remove(file); err != nil {
			t.Fatal(err)
		}
	}
}

func TestRefusedRuleIsNamed(t *testing.T) {
	bad := compile.Rule{ID: 77, Domain: compile.DomainFile, Match: compile.MatchPath, Action: compile.ActionBlock, Path: "/a//b"}
	err := new(Core).Apply(t.Context(), compile.Set{Profiles: []compile.Profile{{ID: 1, Rules: []compile.Rule{bad}}}})
	if id, problem, refused := RefusedRule(err); !refused || id != 77 || problem == "" {
		t.Errorf("rule %d, problem %q of %v", id, problem, err)
	}
	if _, _, refused := RefusedRule(new(Core).Apply(t.Context(), compile.Set{})); refused {
		t.Error("a core that is closed is no rule's fault")
	}
}
