// SPDX-License-Identifier: Apache-2.0

package lint

import (
	"os"
	"path/filepath"
	"testing"

	"k8s.io/apimachinery/pkg/runtime"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"

	securityv1 "github.com/kubearmor/kubearmor-operator/api/security/v1"
	"github.com/kubearmor/kubearmor-operator/internal/policy"
	"github.com/kubearmor/kubearmor-operator/internal/policy/compile"
	"github.com/kubearmor/kubearmor-operator/internal/policy/parse"
)

// corpus is the folder of policies that other people wrote.
func corpus(t *testing.T) string {
	dir := os.Getenv("CORPUS")
	if dir == "" {
		dir = filepath.Join("..", "..", "..", "..", "shared", "corpus")
	}
	if _, err := os.Stat(dir); err != nil {
		t.Skipf("no corpus of policies: set CORPUS to a folder of them: %v", err)
	}
	return dir
}

// TestPublishedPolicies reads every policy of the corpus: each is valid, and each of its rules is compiled or named.
func TestPublishedPolicies(t *testing.T) {
	found := 0
	err := filepath.WalkDir(corpus(t), func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() || filepath.Ext(path) != ".yaml" {
			return err
		}
		file, err := os.Open(path)
		if err != nil {
			return err
		}
		defer file.Close()
		decoder := utilyaml.NewYAMLOrJSONDecoder(file, 4096)
		for {
			var raw runtime.RawExtension
			if decoder.Decode(&raw) != nil {
				return nil
			}
			if p := readPolicy(t, path, raw.Raw); p != nil {
				found++
				everyRuleAccountedFor(t, path, p)
			}
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	if found < 100 {
		t.Errorf("only %d policies were read", found)
	}
}

func readPolicy(t *testing.T, path string, raw []byte) *policy.Policy {
	var kind struct {
		Kind string `json:"kind"`
	}
	decode(t, path, raw, &kind)
	switch kind.Kind {
	case policy.KindPolicy:
		p := &securityv1.KubeArmorPolicy{}
		decode(t, path, raw, p)
		valid(t, path, p)
		out := parse.KubeArmorPolicy(p)
		return &out
	case policy.KindClusterPolicy:
		p := &securityv1.KubeArmorClusterPolicy{}
		decode(t, path, raw, p)
		valid(t, path, p)
		out := parse.ClusterPolicy(p)
		return &out
	case policy.KindHostPolicy:
		p := &securityv1.KubeArmorHostPolicy{}
		decode(t, path, raw, p)
		valid(t, path, p)
		out := parse.HostPolicy(p)
		return &out
	}
	return nil
}

func decode(t *testing.T, path string, raw []byte, into any) {
	if err := utilyaml.Unmarshal(raw, into); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
}

func valid(t *testing.T, path string, object runtime.Object) {
	if err := Validate(object); err != nil {
		t.Errorf("%s: %v", path, err)
	}
}

func everyRuleAccountedFor(t *testing.T, path string, p *policy.Policy) {
	out := compile.Compile([]compile.Workload{{Selections: []compile.Selection{{Policy: p}}}}, compile.Everything())
	result := out.Policies[0]
	if result.InForce == 0 && len(result.Unsupported) == 0 {
		t.Errorf("%s: no rule is in force and none is named", path)
	}
	for _, u := range result.Unsupported {
		if u.Reason == compile.ReasonInvalid {
			t.Errorf("%s: %s: %s", path, u.Rule, u.Message)
		}
	}
}

func TestValidateNamesTheField(t *testing.T) {
	p := &securityv1.KubeArmorPolicy{}
	p.Spec.Selector.MatchLabels = map[string]string{"kubearmor.io/container.name": "[a"}
	if err := Validate(p); err == nil {
		t.Error("a list without its closing bracket is accepted")
	}
	if err := Validate(&securityv1.KubeArmorHostPolicy{}); err == nil {
		t.Error("a host policy without a selector is accepted")
	}
	if err := Validate(&securityv1.KubeArmorClusterPolicy{}); err != nil {
		t.Errorf("a cluster policy for every Pod is refused: %v", err)
	}
}
