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
	"github.com/kubearmor/kubearmor-operator/internal/policy"
	"github.com/kubearmor/kubearmor-operator/internal/policy/compile"
	"github.com/kubearmor/kubearmor-operator/internal/policy/parse"
	"github.com/kubearmor/kubearmor-operator/internal/sensor/table"
)

// FuzzTheCoreTakesWhatIsCompiled holds both checks together: what the compiler lets through, the core's tables must take,
// since the core refuses a set whole.
func FuzzTheCoreTakesWhatIsCompiled(f *testing.F) {
	for _, path := range []string{
		"", "/", "//", "/a", "/a/", "a", "/a//b", "/a/./b", "/..", "/a\x00b", "/\xff", "/" + strings.Repeat("n", 255), "/" + strings.Repeat("n", 256),
		"/a/" + strings.Repeat("é", 128) + "/", strings.Repeat("/p", 2047), strings.Repeat("/p", 2048), strings.Repeat("/p", 2047) + "/",
		strings.Repeat("/p", 2048) + "/", strings.Repeat("/", 5000) + "a", "/a*", "/{a,b}/[^c]?", "/[", "tcp", "kill", "sh", ".",
	} {
		f.Add(path)
	}
	f.Fuzz(func(t *testing.T, path string) {
		policy := everyUseOf(path)
		out := compile.Compile([]compile.Workload{{
			Cgroup: compile.Cgroup{ID: 7, Level: 3}, Selections: []compile.Selection{{Policy: &policy}},
		}}, compile.Everything())
		for _, profile := range out.Set.Profiles {
			if _, err := table.NewBuilder(table.Key{}).AddProfile(profile); err != nil {
				t.Errorf("the core refuses what was compiled of %q: %v", path, err)
			}
		}
	})
}

// everyUseOf a text that may be a path, as whatever a policy may name.
func everyUseOf(text string) policy.Policy {
	p := &securityv1.KubeArmorPolicy{ObjectMeta: metav1.ObjectMeta{Namespace: "n", Name: "p"}}
	path, directory, glob := securityv1.AbsolutePath(text), securityv1.AbsoluteDirectory(text), securityv1.Glob(text)
	source, no := []securityv1.MatchSource{{Path: path}}, false
	p.Spec.Process = securityv1.Process{
		MatchPaths: []securityv1.ProcessPath{
			{Path: path}, {ExecName: text}, {Path: "/x", AllowedArgs: []string{text}}, {Path: "/y", FromSource: source, OwnerOnly: true, PTS: &no},
		},
		MatchDirectories: []securityv1.ProcessDirectory{{Directory: directory, FromSource: source}},
		MatchPatterns:    []securityv1.ProcessPattern{{Pattern: glob, OwnerOnly: true}, {Pattern: "/**" + glob}},
	}
	p.Spec.File = securityv1.File{
		MatchPaths:       []securityv1.FilePath{{Path: path, Report: securityv1.Report{Action: securityv1.ActionAllow}, ReadOnly: true}},
		MatchDirectories: []securityv1.FileDirectory{{Directory: directory}, {Directory: directory, Recursive: true}},
		MatchPatterns:    []securityv1.FilePattern{{Pattern: glob, ReadOnly: true}},
	}
	p.Spec.Network.MatchProtocols = []securityv1.NetworkProtocol{{Protocol: securityv1.Protocol(text)}, {Protocol: "tcp", PTS: &no, FromSource: source}}
	p.Spec.Capabilities.MatchCapabilities = []securityv1.MatchCapability{{Capability: securityv1.Capability(text)}, {Capability: "kill", FromSource: source}}
	return parse.KubeArmorPolicy(p)
}

// TestTheCoreKnowsEveryWord of the language.
func TestTheCoreKnowsEveryWord(t *testing.T) {
	for _, word := range append(parse.Protocols(), parse.Capabilities()...) {
		p := everyUseOf(word)
		out := compile.Compile([]compile.Workload{{Selections: []compile.Selection{{Policy: &p}}}}, compile.Everything())
		found := false
		for _, r := range out.Set.Profiles[0].Rules {
			found = found || r.Path == word && r.Domain >= compile.DomainNetwork
		}
		if _, err := table.NewBuilder(table.Key{}).AddProfile(out.Set.Profiles[0]); err != nil || !found {
			t.Errorf("%s: rule %v, error %v", word, found, err)
		}
	}
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
