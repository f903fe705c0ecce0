// SPDX-License-Identifier: Apache-2.0

package config_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/kubearmor/kubearmor-operator/config"
)

// TestWhatIsEmbeddedIsWhatIsInstalled: each object of the folders is there once, with what kustomize adds to it.
func TestWhatIsEmbeddedIsWhatIsInstalled(t *testing.T) {
	objects, err := config.Default()
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]bool{}
	for _, o := range objects {
		found[o.GetKind()+" "+o.GetName()] = true
		if o.GetKind() == "CustomResourceDefinition" && o.GetLabels()["app.kubernetes.io/part-of"] != "kubearmor" {
			t.Errorf("%s has not the label that kustomize adds", o.GetName())
		}
	}
	written := 0
	for _, folder := range []string{"namespace", "crd/bases", "rbac", "manager"} {
		files, err := filepath.Glob(filepath.Join(folder, "*.yaml"))
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			if filepath.Base(file) == "kustomization.yaml" {
				continue
			}
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			written += strings.Count("\n"+string(text), "\nkind: ")
		}
	}
	if len(found) != written || len(found) != len(objects) {
		t.Errorf("%d objects, %d of them different, of %d in the folders", len(objects), len(found), written)
	}
	if objects[0].GetKind() != "Namespace" {
		t.Errorf("the first is %s", objects[0].GetKind())
	}
	if sample, err := config.Sample(); err != nil || sample.GetKind() != "KubeArmorConfig" || sample.GetNamespace() != objects[0].GetName() {
		t.Errorf("the sample: %v, %v", sample, err)
	}
}
