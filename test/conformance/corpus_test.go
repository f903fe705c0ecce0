// SPDX-License-Identifier: Apache-2.0

package conformance

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/controller-runtime/pkg/client"
	kjson "sigs.k8s.io/json"
	"sigs.k8s.io/yaml"

	securityv1 "github.com/kubearmor/kubearmor-operator/api/security/v1"
)

// document is one YAML document of a policy library.
type document struct {
	file string
	// object as written, with the apiVersion of its kind where the file forgot it.
	object *unstructured.Unstructured
	// bare: the file has no apiVersion, so that kubectl would not even send it.
	bare bool
}

// libraryKinds counts what a library holds.
type libraryKinds map[string]int

// policyKinds are the kinds of a library that we have. KubeArmorNetworkPolicy is not among them yet.
func policyKinds() map[string]func() client.Object {
	return map[string]func() client.Object{
		"KubeArmorPolicy":        func() client.Object { return &securityv1.KubeArmorPolicy{} },
		"KubeArmorHostPolicy":    func() client.Object { return &securityv1.KubeArmorHostPolicy{} },
		"KubeArmorClusterPolicy": func() client.Object { return &securityv1.KubeArmorClusterPolicy{} },
	}
}

func testCorpusAccepted(t *testing.T, srv *server) {
	kinds := policyKinds()
	accepted, skipped, bare := 0, libraryKinds{}, 0
	for _, doc := range corpus(t) {
		if kinds[doc.object.GetKind()] == nil {
			skipped[doc.object.GetKind()]++
			continue
		}
		if doc.bare {
			bare++
		}
		if ns := doc.object.GetNamespace(); ns != "" {
			srv.namespace(t.Context(), t, ns)
		} else if doc.object.GetKind() == "KubeArmorPolicy" {
			doc.object.SetNamespace("default")
		}
		err := srv.Apply(t.Context(), client.ApplyConfigurationFromUnstructured(doc.object),
			client.FieldOwner("conformance"), client.ForceOwnership)
		if err != nil {
			t.Errorf("%s: %v", doc.file, err)
			continue
		}
		accepted++
	}
	if accepted == 0 {
		t.Error("no document was accepted")
	}
	if diff := cmp.Diff([]string{}, foreign(skipped)); diff != "" {
		t.Errorf("kinds that this test does not know (-want +got):\n%s", diff)
	}
	t.Logf("accepted %d documents, %d of them without an apiVersion of their own; skipped by kind: %v", accepted, bare, skipped)
}

// foreign are the kinds that may not be skipped.
func foreign(skipped libraryKinds) []string {
	names := []string{}
	for kind := range skipped {
		if kind != "KubeArmorNetworkPolicy" {
			names = append(names, kind)
		}
	}
	return names
}

// TestCorpusRoundTrip needs no API server: what a client reads and writes back is what the user wrote.
func TestCorpusRoundTrip(t *testing.T) {
	kinds := policyKinds()
	for _, doc := range corpus(t) {
		create := kinds[doc.object.GetKind()]
		if create == nil {
			continue
		}
		raw, err := doc.object.MarshalJSON()
		if err != nil {
			t.Fatal(err)
		}
		got := roundTrip(t, doc.file, raw, create())
		if diff := cmp.Diff(meaningful(doc.object.Object), meaningful(got)); diff != "" {
			t.Errorf("%s: the Go type loses or changes (-written +read):\n%s", doc.file, diff)
		}
	}
}

func roundTrip(t *testing.T, file string, raw []byte, into client.Object) map[string]any {
	t.Helper()
	strict, err := kjson.UnmarshalStrict(raw, into)
	if err = errors.Join(append(strict, err)...); err != nil {
		t.Errorf("%s: %v", file, err)
		return nil
	}
	back, err := json.Marshal(into)
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]any{}
	if err := kjson.UnmarshalCaseSensitivePreserveInts(back, &got); err != nil {
		t.Fatal(err)
	}
	return got
}

// meaningful leaves out what means the same as its absence: false, and empty lists and objects. A false `pts` has a
// meaning of its own.
func meaningful(object map[string]any) map[string]any {
	out := map[string]any{}
	for key, value := range object {
		switch v := value.(type) {
		case bool:
			if v || key == "pts" {
				out[key] = v
			}
		case map[string]any:
			if m := meaningful(v); len(m) > 0 {
				out[key] = m
			}
		case []any:
			if len(v) > 0 {
				out[key] = meaningfulItems(v)
			}
		default:
			out[key] = v
		}
	}
	return out
}

func meaningfulItems(items []any) []any {
	out := make([]any, 0, len(items))
	for _, item := range items {
		if m, ok := item.(map[string]any); ok {
			item = meaningful(m)
		}
		out = append(out, item)
	}
	return out
}

// corpus reads the policies of others from $CORPUS, or from a folder beside the project.
func corpus(t *testing.T) []document {
	t.Helper()
	dir, set := os.LookupEnv("CORPUS")
	if !set {
		dir = filepath.Join(projectRoot, "../shared/corpus")
		if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
			t.Skipf("no policy library at %s; name one in CORPUS", dir)
		}
	}
	var docs []document
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || !strings.HasSuffix(path, ".yaml") {
			return err
		}
		name, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		raw, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		docs = append(docs, documents(t, name, raw)...)
		return nil
	})
	if err != nil {
		t.Fatalf("read the policy library: %v", err)
	}
	if len(docs) == 0 {
		t.Fatalf("no policy in %s; name a folder of YAML files in CORPUS", dir)
	}
	return docs
}

func documents(t *testing.T, file string, raw []byte) []document {
	t.Helper()
	var docs []document
	reader := utilyaml.NewYAMLReader(bufio.NewReader(bytes.NewReader(raw)))
	for {
		one, err := reader.Read()
		if errors.Is(err, io.EOF) {
			return docs
		}
		if err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		if content := fromYAML(t, file, one); len(content) > 0 {
			docs = append(docs, asDocument(file, content))
		}
	}
}

// fromYAML keeps whole numbers whole, as the server does.
func fromYAML(t *testing.T, file string, raw []byte) map[string]any {
	t.Helper()
	asJSON, err := yaml.YAMLToJSONStrict(raw)
	if err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	content := map[string]any{}
	if err := kjson.UnmarshalCaseSensitivePreserveInts(asJSON, &content); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	return content
}

// asDocument mends the one mistake that published policies make and no API server can see past: "Version" in the
// place of "apiVersion".
func asDocument(file string, content map[string]any) document {
	_, has := content["apiVersion"]
	if !has {
		content["apiVersion"] = content["Version"]
		delete(content, "Version")
	}
	return document{file: file, object: &unstructured.Unstructured{Object: content}, bare: !has}
}
