// SPDX-License-Identifier: Apache-2.0

package document

import (
	"bytes"
	"testing"
)

// FuzzRead: no text makes the reader fail in another way than by a problem that has a line of the file.
func FuzzRead(f *testing.F) {
	for _, seed := range []string{
		head + "spec: {process: {matchPaths: [{path: /a}]}}\n---\n" + head,
		"a: &a [*a]\n", "kind: List\nitems: [{kind: KubeArmorPolicy}, 1, null]\n", "--- |\n x\n...\n%YAML 1.1\n---\n- a\n",
		"apiVersion: security.kubearmor.com/v1\nkind: KubeArmorHostPolicy\nmetadata: 5\nspec: []\n",
		"Version: security.kubearmor.com/v1\nkind: KubeArmorPolicy\nmetadata: {labels: {a: 1}}\nspec: {selector: {matchLabels: {a: null}}}\n",
		"{\"kind\": \"KubeArmorClusterPolicy\", \"apiVersion\": \"security.kubearmor.com/v1\", \"spec\": {\"file\": {\"matchPaths\": [null]}}}",
		head + "spec: {selector: {matchLabels: {kubearmor.io/container.name: \"[a\"}}}\n",
		"<<: {kind: KubeArmorPolicy}\napiVersion: security.kubearmor.com/v1\n",
	} {
		f.Add([]byte(seed))
	}
	r, err := NewReader()
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		last := bytes.Count(text, []byte("\n")) + 1
		for _, d := range r.Read("p.yaml", text) {
			for _, p := range append(d.Errors, d.Warnings...) {
				if p.Line < 1 || p.Line > last+1 || p.Message == "" {
					t.Errorf("%+v, and the file has %d lines", p, last)
				}
			}
			if d.Class == Policy && (d.Object == nil) != (len(d.Errors) > 0) {
				t.Errorf("a policy with %d errors and the object %v", len(d.Errors), d.Object)
			}
			if len(d.Errors) > 0 && d.Valid() {
				t.Error("valid with errors")
			}
		}
	})
}
