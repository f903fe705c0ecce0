// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/yaml"

	securityv1 "github.com/kubearmor/kubearmor-operator/api/security/v1"
)

// corpusDir is where the policies of others are, unless CORPUS says otherwise.
const corpusDir = "../../../shared/corpus"

// testCorpus applies every policy, and waits until each has the condition Accepted.
func testCorpus(t *testing.T, s *suite) {
	dir := os.Getenv("CORPUS")
	if dir == "" {
		dir = corpusDir
		if _, err := os.Stat(dir); err != nil {
			t.Skipf("no policies of others: set CORPUS to their folder: %v", err)
		}
	}
	policies := readCorpus(t, dir)
	namespaces := map[string]bool{}
	var manifest strings.Builder
	for i, p := range policies {
		if p.GetKind() == "KubeArmorPolicy" {
			p.SetNamespace(cmp.Or(p.GetNamespace(), "default"))
			namespaces[p.GetNamespace()] = true
		}
		// Some files hold policies of the same name.
		p.SetName(fmt.Sprintf("%s-e2e%d", p.GetName(), i))
		encoded, err := p.MarshalJSON()
		if err != nil {
			t.Fatal(err)
		}
		manifest.WriteString("---\n" + string(encoded) + "\n")
	}
	for name := range namespaces {
		if err := s.Apply(t.Context(), "apiVersion: v1\nkind: Namespace\nmetadata: {name: "+name+"}\n"); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Apply(t.Context(), manifest.String()); err != nil {
		t.Fatal(err)
	}
	within(t, 2*time.Minute, fmt.Sprintf("%d policies are Accepted", len(policies)), func(ctx context.Context) (bool, string, error) {
		accepted, open, err := s.accepted(ctx, policies)
		return accepted == len(policies), fmt.Sprintf("%d of %d; not: %s", accepted, len(policies), strings.Join(open, ", ")), err
	})
	for _, p := range policies {
		if err := s.Client.Delete(t.Context(), p); err != nil {
			t.Error(err)
		}
	}
}

// accepted counts the policies whose status is of their generation and says so.
func (s *suite) accepted(ctx context.Context, policies []*unstructured.Unstructured) (int, []string, error) {
	count := 0
	var open []string
	for kind, list := range map[string]*unstructured.UnstructuredList{"KubeArmorPolicy": {}, "KubeArmorClusterPolicy": {}, "KubeArmorHostPolicy": {}} {
		list.SetAPIVersion(securityv1.GroupVersion.String())
		list.SetKind(kind + "List")
		if err := s.Client.List(ctx, list); err != nil {
			return 0, nil, err
		}
		for i := range list.Items {
			p := &list.Items[i]
			if !slices.ContainsFunc(policies, func(q *unstructured.Unstructured) bool {
				return q.GetName() == p.GetName() && q.GetNamespace() == p.GetNamespace() && q.GetKind() == p.GetKind()
			}) {
				continue
			}
			if isAccepted(p) {
				count++
				continue
			}
			open = append(open, kind+" "+p.GetName())
		}
	}
	return count, open, nil
}

func isAccepted(p *unstructured.Unstructured) bool {
	raw, _, err := unstructured.NestedSlice(p.Object, "status", "conditions")
	if err != nil {
		return false
	}
	var conditions []metav1.Condition
	for _, item := range raw {
		fields, ok := item.(map[string]any)
		if !ok {
			return false
		}
		kind, _, _ := unstructured.NestedString(fields, "type")
		status, _, _ := unstructured.NestedString(fields, "status")
		conditions = append(conditions, metav1.Condition{Type: kind, Status: metav1.ConditionStatus(status)})
	}
	observed, _, _ := unstructured.NestedInt64(p.Object, "status", "observedGeneration")
	return observed == p.GetGeneration() && meta.IsStatusConditionTrue(conditions, securityv1.PolicyAccepted)
}

// readCorpus reads every document of our policy kinds. KubeArmorNetworkPolicy is a kind of its own that comes later.
func readCorpus(t *testing.T, dir string) []*unstructured.Unstructured {
	t.Helper()
	var out []*unstructured.Unstructured
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || !slices.Contains([]string{".yaml", ".yml"}, filepath.Ext(path)) {
			return err
		}
		content, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		decoder := yaml.NewYAMLOrJSONDecoder(bytes.NewReader(content), 4096)
		for {
			p := &unstructured.Unstructured{}
			err := decoder.Decode(p)
			if errors.Is(err, io.EOF) {
				return nil
			}
			if err != nil {
				return fmt.Errorf("%s: %w", path, err)
			}
			if p.GroupVersionKind().Group == securityv1.GroupVersion.Group && p.GetKind() != "KubeArmorNetworkPolicy" {
				out = append(out, p)
			}
		}
	})
	if err != nil {
		t.Fatalf("read the corpus (set CORPUS to its folder): %v", err)
	}
	if len(out) == 0 {
		t.Fatalf("no policies in %s: set CORPUS to their folder", dir)
	}
	return out
}
