// SPDX-License-Identifier: Apache-2.0

package runner

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	securityv1 "github.com/kubearmor/kubearmor-operator/api/security/v1"
	"github.com/kubearmor/kubearmor-operator/internal/enforcer"
	"github.com/kubearmor/kubearmor-operator/internal/policy/compile"
)

func objects(list ...runtime.Object) []runtime.Object { return list }

func rules(path string) securityv1.Rules {
	return securityv1.Rules{Process: securityv1.Process{MatchPaths: []securityv1.ProcessPath{{Path: securityv1.AbsolutePath(path)}}}}
}

// ofWeb selects containers of Pods labelled app=web in namespace shop.
func ofWeb(path string) *securityv1.KubeArmorPolicy {
	p := &securityv1.KubeArmorPolicy{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "web"}}
	p.Spec.Selector.MatchLabels = map[string]string{"app": "web"}
	p.Spec.Rules = rules(path)
	return p
}

func ofNamespaces(path string, names ...securityv1.Value) *securityv1.KubeArmorClusterPolicy {
	p := &securityv1.KubeArmorClusterPolicy{ObjectMeta: metav1.ObjectMeta{Name: "namespaces"}}
	p.Spec.Selector.MatchExpressions = []securityv1.ClusterExpression{{Key: securityv1.KeyNamespace, Operator: securityv1.OperatorIn, Values: names}}
	p.Spec.Rules = rules(path)
	return p
}

func ofLinux(path string) *securityv1.KubeArmorHostPolicy {
	p := &securityv1.KubeArmorHostPolicy{ObjectMeta: metav1.ObjectMeta{Name: "linux"}}
	p.Spec.NodeSelector.MatchLabels = map[string]string{"kubernetes.io/os": "linux"}
	p.Spec.Rules = rules(path)
	return p
}

// bound is what a set confines, as text: "/run: /a /b".
func bound(out compile.Output) []string {
	profiles := map[compile.ProfileID][]string{}
	for _, p := range out.Set.Profiles {
		for _, r := range p.Rules {
			profiles[p.ID] = append(profiles[p.ID], r.Path)
		}
	}
	var text []string
	for cgroup, id := range maps.All(out.Set.Bindings) {
		text = append(text, fmt.Sprintf("%s at level %d: %s", cgroup.Path, cgroup.Level, strings.Join(profiles[id], " ")))
	}
	slices.Sort(text)
	return text
}

func TestPlan(t *testing.T) {
	all := []runtime.Object{ofWeb("/a"), ofNamespaces("/b", "shop"), ofLinux("/c")}
	web := Subject{Namespace: "shop", Labels: map[string]string{"app": "web", "kubernetes.io/os": "linux"}}
	tests := map[string]struct {
		o     Options
		bound []string
		notes []string
		err   string
	}{
		"every policy holds unless the command is described": {
			o:     Options{Subject: Subject{Every: true}, Host: true, Policies: all},
			bound: []string{"/ at level 0: /c", "/own at level 1: /a /b"},
		},
		"a command that is described is selected as a container is": {
			o:     Options{Subject: web, Host: true, Policies: all},
			bound: []string{"/ at level 0: /c", "/own at level 1: /a /b"},
		},
		"a policy that does not select it is named": {
			o:     Options{Subject: Subject{Namespace: "shop"}, Policies: all[:2]},
			bound: []string{"/own at level 1: /b"},
			notes: []string{"karmor: warning: KubeArmorPolicy shop/web does not select the command and is not in force"},
		},
		"without any that does, nothing starts": {
			o:   Options{Subject: Subject{Namespace: "other"}, Policies: all[:2]},
			err: "no policy selects the command: see --namespace and --labels",
		},
		"a host policy needs --host": {
			o:   Options{Subject: Subject{Every: true}, Policies: all},
			err: "KubeArmorHostPolicy linux: a host policy holds for the whole machine: give --host to put it in force until the command ends",
		},
		"a host policy of other machines is not in force": {
			o:     Options{Subject: Subject{Namespace: "shop"}, Host: true, Policies: []runtime.Object{ofNamespaces("/b", "shop"), ofLinux("/c")}},
			bound: []string{"/own at level 1: /b"},
			notes: []string{"karmor: warning: KubeArmorHostPolicy linux does not select the command and is not in force"},
		},
		"a rule that is not in force is named": {
			o:     Options{Subject: Subject{Every: true}, Policies: []runtime.Object{ofWeb("/a"), ofNamespaces("/a/../b", "shop")}},
			bound: []string{"/own at level 1: /a"},
			notes: []string{`karmor: warning: KubeArmorClusterPolicy namespaces: spec.process.matchPaths[0] is not in force: RuleInvalid: ` +
				`path "/a/../b" has a ".." component, which the kernel never reports; write the path without it`},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			p, err := newPlan(tt.o, compile.Cgroup{ID: 77, Level: 1, Path: "/own"}, enforcer.Abilities())
			if got := fmt.Sprint(err); got != tt.err && (err != nil || tt.err != "") {
				t.Fatalf("error %q, want %q", got, tt.err)
			} else if err != nil {
				return
			}
			var notes bytes.Buffer
			p.warn(&notes)
			if diff := cmp.Diff(tt.bound, bound(p.compiled)); diff != "" {
				t.Errorf("bound (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(strings.Join(tt.notes, "\n"), strings.TrimSuffix(notes.String(), "\n")); diff != "" {
				t.Errorf("notes (-want +got):\n%s", diff)
			}
		})
	}
}

func TestWithoutBPFInTheKernelsListNothingStarts(t *testing.T) {
	if err := checkLSMs("lockdown,capability,bpf"); err != nil {
		t.Error(err)
	}
	const want = "BPF-LSM is not active: the kernel's list is lockdown,capability,apparmor; boot with lsm=lockdown,capability,apparmor,bpf"
	if err := checkLSMs("lockdown,capability,apparmor"); err == nil || err.Error() != want {
		t.Errorf("error %v, want %s", err, want)
	}
}

func TestARuleThatHoldsInPartIsNamed(t *testing.T) {
	abilities := enforcer.AbilitiesOf(enforcer.Stats{Missing: []string{"lsm/path_rename"}})
	p, err := newPlan(Options{Subject: Subject{Every: true}, Policies: []runtime.Object{ofWeb("/a")}}, compile.Cgroup{ID: 77, Level: 1, Path: "/own"}, abilities)
	if err != nil {
		t.Fatal(err)
	}
	var notes bytes.Buffer
	p.warn(&notes)
	want := "karmor: warning: KubeArmorPolicy shop/web: spec.process.matchPaths[0] is in force in part: OperationsNotJudged: " +
		"the rule is in force, but not for rename: this node's kernel has no hook for that\n"
	if diff := cmp.Diff(want, notes.String()); diff != "" {
		t.Errorf("notes (-want +got):\n%s", diff)
	}
}
