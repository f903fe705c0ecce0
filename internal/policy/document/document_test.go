// SPDX-License-Identifier: Apache-2.0

package document

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func reader(t *testing.T) *Reader {
	t.Helper()
	r, err := NewReader()
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// told are the problems as people read them.
func told(documents []Document) (errors, warnings []string) {
	for _, d := range documents {
		for _, p := range d.Errors {
			errors = append(errors, p.String())
		}
		for _, p := range d.Warnings {
			warnings = append(warnings, p.String())
		}
	}
	return errors, warnings
}

// malformed is a file and what must be said about it.
type malformed struct {
	text string
	want []string
}

const head = "apiVersion: security.kubearmor.com/v1\nkind: KubeArmorPolicy\nmetadata:\n  name: p\n"

func TestAProblemNamesFileLineFieldAndWhatWasExpected(t *testing.T) {
	for name, c := range map[string]malformed{
		"a path without a leading slash, in the second document": {
			head + "spec: {}\n---\n" + head + "spec:\n  process:\n    matchPaths:\n    - path: /bin/a\n    - severity: 2\n      path: bin/b\n",
			[]string{`p.yaml:16: spec.process.matchPaths[1].path: Invalid value: "bin/b": a path must start with "/"; write it as the container sees it, for instance /usr/bin/curl`},
		},
		"neither path nor execname": {
			head + "spec:\n  process:\n    matchPaths:\n    - ownerOnly: true\n",
			[]string{`p.yaml:8: spec.process.matchPaths[0]: Invalid value: set exactly one of path (the whole path) and execname (the base name, in any directory)`},
		},
		"globs that are none": {
			head + "spec:\n  file:\n    matchPatterns:\n    - pattern: /a/[b\n    - pattern: /a/{b\n    - pattern: \"*.sh\"\n",
			[]string{
				`p.yaml:8: spec.file.matchPatterns[0].pattern: Invalid value: "/a/[b": byte 3 of the pattern: `,
				`p.yaml:9: spec.file.matchPatterns[1].pattern: Invalid value: "/a/{b": byte 3 of the pattern: `,
				`p.yaml:10: spec.file.matchPatterns[2].pattern: Invalid value: "*.sh": a pattern must start with "/", "**" or "{"`,
			},
		},
		"an unknown action": {
			head + "spec:\n  file:\n    action: Deny\n",
			[]string{`p.yaml:7: spec.file.action: Unsupported value: "Deny": supported values: "Allow", "Audit", "Block"`},
		},
		"an unknown section": {
			head + "spec:\n  processes: {}\n",
			[]string{`p.yaml:6: spec.processes: unknown field; expected one of action, apparmor, capabilities, file, message, network, ` +
				`presets, process, selector, severity, syscalls, tags`},
		},
		"an unknown field of a rule": {
			head + "spec:\n  file:\n    matchPaths:\n    - path: /a\n      readonly: true\n",
			[]string{`p.yaml:9: spec.file.matchPaths[0].readonly: unknown field; expected one of action, fromSource, message, ` +
				`ownerOnly, path, readOnly, severity, tags`},
		},
		"an unknown field of the metadata": {
			"apiVersion: security.kubearmor.com/v1\nkind: KubeArmorPolicy\nmetadata:\n  name: p\n  nmespace: a\nspec: {}\n",
			[]string{"p.yaml:5: metadata.nmespace: unknown field"},
		},
		"a name that is none": {
			"apiVersion: security.kubearmor.com/v1\nkind: KubeArmorClusterPolicy\nmetadata:\n  name: Not_a_name\nspec: {}\n",
			[]string{`p.yaml:4: metadata.name: Invalid value: "Not_a_name": a lowercase RFC 1123 subdomain must consist`},
		},
		"no name": {
			"apiVersion: security.kubearmor.com/v1\nkind: KubeArmorClusterPolicy\nspec: {}\n",
			[]string{"p.yaml:1: metadata.name: Required value: name or generateName is required"},
		},
		"no spec": {head, []string{"p.yaml:1: spec: Required value"}},
		"a word where a list is expected": {
			head + "spec:\n  tags: web\n",
			[]string{`p.yaml:6: spec.tags: Invalid value: "string": spec.tags in body must be of type array: "string"`},
		},
		"a selector that cannot be read": {
			head + "spec:\n  selector:\n    matchLabels:\n      kubearmor.io/container.name: \"[a\"\n",
			[]string{`p.yaml:8: spec.selector.matchLabels[kubearmor.io/container.name]: "[a" has no closing bracket`},
		},
		"a host policy that selects no node": {
			"apiVersion: security.kubearmor.com/v1\nkind: KubeArmorHostPolicy\nmetadata: {name: p}\nspec: {}\n",
			[]string{"p.yaml:4: spec.nodeSelector: Required value"},
		},
		"no apiVersion": {
			"kind: KubeArmorPolicy\nmetadata: {name: p}\nspec: {}\n",
			[]string{"p.yaml:1: apiVersion: is missing; write apiVersion: security.kubearmor.com/v1"},
		},
		"another version": {
			"apiVersion: security.kubearmor.com/v2\nkind: KubeArmorPolicy\n",
			[]string{`p.yaml:1: apiVersion: "security.kubearmor.com/v2" has no kind KubeArmorPolicy; write apiVersion: security.kubearmor.com/v1`},
		},
		"an unknown kind of our group": {
			"\n\napiVersion: security.kubearmor.com/v1\nkind: KubeArmorPolice\n",
			[]string{`p.yaml:4: kind: "KubeArmorPolice" is no kind of security.kubearmor.com/v1; use one of KubeArmorPolicy, ` +
				`KubeArmorClusterPolicy, KubeArmorHostPolicy`},
		},
		"a key that is there twice": {
			head + "spec:\n  action: Block\n  action: Audit\n",
			[]string{`p.yaml:7: no valid YAML: key "action" already set in map`},
		},
		"text that is no YAML": {
			"# a comment\n---\nkind: [\n",
			[]string{"no valid YAML: "},
		},
		"an item of a list": {
			"apiVersion: v1\nkind: List\nitems:\n- apiVersion: security.kubearmor.com/v1\n  kind: KubeArmorPolicy\n  metadata: {name: p}\n" +
				"  spec:\n    severity: 11\n",
			[]string{"p.yaml:8: spec.severity: Invalid value: 11: spec.severity in body should be less than or equal to 10"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			got, _ := told(reader(t).Read("p.yaml", []byte(c.text)))
			if len(got) != len(c.want) {
				t.Fatalf("%d problems, want %d:\n%s", len(got), len(c.want), strings.Join(got, "\n"))
			}
			for i := range c.want {
				if !strings.Contains(got[i], c.want[i]) {
					t.Errorf("got  %s\nwant %s", got[i], c.want[i])
				}
			}
		})
	}
}

func TestDocumentsAreToldApart(t *testing.T) {
	type line struct {
		Line  int
		Class Class
		Kind  string
		Name  string
		Valid bool
	}
	text := "# policies\n--- # the first\n" + head + "  namespace: shop\nspec: {}\nstatus: {anything: 1}\n...\n\n---\n---\n" +
		"kind: Deployment\napiVersion: apps/v1\n---\n" +
		"kind: KubeArmorNetworkPolicy\nmetadata: {name: net}\n---\n[1, 2]\n--- {kind: KubeArmorClusterPolicy, apiVersion: security.kubearmor.com/v1, metadata: {name: c}, spec: {}}\n"
	var got []line
	for _, d := range reader(t).Read("p.yaml", []byte(text)) {
		got = append(got, line{d.Line, d.Class, d.Kind, d.Name, d.Valid()})
	}
	want := []line{
		{3, Policy, "KubeArmorPolicy", "p", true},
		{14, Foreign, "Deployment", "", false},
		{17, Unsupported, "KubeArmorNetworkPolicy", "net", true},
		{20, Foreign, "", "", false},
		{21, Policy, "KubeArmorClusterPolicy", "c", true},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("documents (-want +got):\n%s", diff)
	}
}

func TestVersionInThePlaceOfAPIVersionIsReadAndTold(t *testing.T) {
	documents := reader(t).Read("p.yaml", []byte("Version: security.kubearmor.com/v1\nkind: KubeArmorPolicy\nmetadata: {name: p}\nspec: {}\n"))
	errors, warnings := told(documents)
	want := []string{"p.yaml:1: Version: unknown field, read as apiVersion; kubectl refuses the document until it is written apiVersion"}
	if diff := cmp.Diff(want, warnings); diff != "" || len(errors) > 0 || documents[0].Object == nil {
		t.Errorf("errors %v; warnings (-want +got):\n%s", errors, diff)
	}
}

// TestPublishedPoliciesAreValid: what others wrote is taken.
func TestPublishedPoliciesAreValid(t *testing.T) {
	dir := os.Getenv("CORPUS")
	if dir == "" {
		dir = filepath.Join("..", "..", "..", "..", "shared", "corpus")
	}
	if _, err := os.Stat(dir); err != nil {
		t.Skipf("no corpus of policies: set CORPUS to a folder of them: %v", err)
	}
	r, read := reader(t), 0
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || filepath.Ext(path) != ".yaml" {
			return err
		}
		text, err := os.ReadFile(path)
		documents := r.Read(path, text)
		errors, _ := told(documents)
		for _, e := range errors {
			t.Error(e)
		}
		read += len(documents)
		return err
	})
	if err != nil || read < 100 {
		t.Errorf("only %d policies were read: %v", read, err)
	}
}
