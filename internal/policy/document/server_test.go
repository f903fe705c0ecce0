// SPDX-License-Identifier: Apache-2.0

package document

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"testing"

	"github.com/google/go-cmp/cmp"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	apiruntime "k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
)

// apiServer starts a real one with our kinds.
func apiServer(t *testing.T) client.Client {
	t.Helper()
	project := filepath.Join("..", "..", "..")
	assets := os.Getenv("KUBEBUILDER_ASSETS")
	if assets == "" {
		assets = filepath.Join(project, ".cache", "kube", runtime.GOARCH)
	}
	if _, err := os.Stat(filepath.Join(assets, "kube-apiserver")); err != nil {
		t.Fatalf("no API server to test on: %v; build it with: make kube-envtest", err)
	}
	env := &envtest.Environment{
		BinaryAssetsDirectory: assets,
		CRDDirectoryPaths:     []string{filepath.Join(project, "config", "crd", "bases")},
		ErrorIfCRDPathMissing: true,
	}
	config, err := env.Start()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := env.Stop(); err != nil {
			t.Error(err)
		}
	})
	c, err := client.New(config, client.Options{Scheme: apiruntime.NewScheme()})
	if err != nil {
		t.Fatal(err)
	}
	return client.WithFieldValidation(c, metav1.FieldValidationStrict)
}

// TestTheAPIServerSaysTheSame sends specs to a real API server and holds its answer against ours, field by field.
func TestTheAPIServerSaysTheSame(t *testing.T) {
	server, ours := apiServer(t), reader(t)
	for name, spec := range map[string]string{
		"nothing":                     `{}`,
		"rules of every section":      `{process: {matchPaths: [{path: /a, fromSource: [{path: /b}]}]}, file: {matchPatterns: [{pattern: "/a/[b-c]*"}]}, network: {matchProtocols: [{protocol: TCP}]}, capabilities: {matchCapabilities: [{capability: bpf}]}, syscalls: {matchSyscalls: [{syscall: [unlink]}]}, presets: [{name: exec}]}`,
		"a null list":                 `{process: {matchPaths: null}}`,
		"a null severity":             `{severity: null}`,
		"a severity that is too much": `{severity: 11, tags: [a]}`,
		"a severity with a point":     `{severity: 1.5}`,
		"a word for a number":         `{severity: high}`,
		"a number for a word":         `{message: 5}`,
		"an unknown action":           `{action: Deny}`,
		"unknown fields":              `{processes: {}, file: {matchPaths: [{path: /a, readonly: true}]}}`,
		"paths of every wrong sort":   `{process: {matchPaths: [{path: a}, {path: /a/}, {path: ""}, {execname: a/b}, {}, {path: /a, execname: a}]}}`,
		"directories":                 `{file: {matchDirectories: [{dir: /a}, {dir: a/}, {}]}}`,
		"globs":                       `{file: {matchPatterns: [{pattern: "/a["}, {pattern: "*.sh"}, {pattern: "/a/{b,c}"}, {pattern: "/a\\"}]}}`,
		"words":                       `{network: {matchProtocols: [{protocol: quic}], matchDNSQueries: [{domain: "https://a"}]}, capabilities: {matchCapabilities: [{capability: CAP_BPF}]}}`,
		"system calls":                `{syscalls: {matchSyscalls: [{syscall: [unlink], action: Block}, {syscall: []}, {syscall: [unlink], fromSource: [{path: /a, dir: /b/}]}]}}`,
		"the same preset twice":       `{presets: [{name: exec}, {name: exec}]}`,
		"an unknown preset":           `{presets: [{name: all}]}`,
		"expressions":                 `{selector: {matchExpressions: [{key: label, operator: In, values: [app]}]}}`,
		"an unknown operator":         `{selector: {matchExpressions: [{key: label, operator: Exists, values: [a=b]}]}}`,
	} {
		t.Run(name, func(t *testing.T) {
			text := "apiVersion: security.kubearmor.com/v1\nkind: KubeArmorPolicy\nmetadata: {name: p, namespace: default}\nspec: " + spec
			documents := ours.Read("p.yaml", []byte(text))
			got := map[string]bool{}
			for _, p := range documents[0].Errors {
				got[p.Field] = true
			}
			content, _, problems := parse("p.yaml", Split([]byte(text))[0])
			if len(problems) > 0 {
				t.Fatal(problems)
			}
			want, err := refused(server.Create(t.Context(), &unstructured.Unstructured{Object: content.(map[string]any)}, client.DryRunAll))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("fields (-server +ours):\n%s", diff)
			}
		})
	}
}

// refused reads the fields that a server's answer names.
func refused(err error) (map[string]bool, error) {
	fields := map[string]bool{}
	var status *apierrors.StatusError
	switch {
	case err == nil:
		return fields, nil
	case !errors.As(err, &status):
		return nil, fmt.Errorf("the server did not answer: %w", err)
	}
	for _, found := range regexp.MustCompile(`unknown field "([^"]+)"`).FindAllStringSubmatch(err.Error(), -1) {
		fields[found[1]] = true
	}
	if status.ErrStatus.Details != nil {
		for _, cause := range status.ErrStatus.Details.Causes {
			// Its remark that it did not ask the rules has no field.
			if cause.Field != "<nil>" && cause.Field != "" {
				fields[cause.Field] = true
			}
		}
	}
	if len(fields) == 0 {
		return nil, fmt.Errorf("the answer names no field: %w", err)
	}
	return fields, nil
}
