// SPDX-License-Identifier: Apache-2.0

package apply

import (
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func TestCovers(t *testing.T) {
	type m = map[string]any
	type l = []any
	cases := []struct {
		name          string
		live, desired any
		want          bool
	}{
		{"what the API server filled in does not matter", m{"a": "1", "default": "x"}, m{"a": "1"}, true},
		{"another value does", m{"a": "2"}, m{"a": "1"}, false},
		{"a missing value does", m{}, m{"a": "1"}, false},
		{"a longer list does", m{"a": l{"1", "2"}}, m{"a": l{"1"}}, false},
		{"a list in another order does", l{"2", "1"}, l{"1", "2"}, false},
		{"defaults inside of a list do not", l{m{"name": "c", "default": "x"}}, l{m{"name": "c"}}, true},
		{"an empty map that is missing does not", m{}, m{"emptyDir": m{}}, true},
		{"a map where a text was does", m{"a": "1"}, m{"a": m{"b": "1"}}, false},
		{"false is not missing", m{}, m{"a": false}, false},
	}
	for _, c := range cases {
		if got := covers(c.live, c.desired); got != c.want {
			t.Errorf("%s: got %v", c.name, got)
		}
	}
}

func TestForeignFields(t *testing.T) {
	entry := func(manager, subresource, fields string) metav1.ManagedFieldsEntry {
		return metav1.ManagedFieldsEntry{Manager: manager, Subresource: subresource, FieldsV1: metav1.NewFieldsV1(fields)}
	}
	const restart = `{"f:spec":{"f:template":{"f:metadata":{"f:annotations":{".":{},"f:kubectl.kubernetes.io/restartedAt":{}}}}}}`
	cases := []struct {
		name string
		give metav1.ManagedFieldsEntry
		want bool
	}{
		{"our own are not", entry(string(Owner), "", `{"f:spec":{"f:x":{}}}`), false},
		{"a status is not", entry("kube-controller-manager", "status", `{"f:status":{"f:x":{}}}`), false},
		{"labels and annotations are not", entry("kubectl", "", `{"f:metadata":{"f:labels":{"f:x":{}}}}`), false},
		{"the mark of a rollout restart is not", entry("kubectl-rollout", "", restart), false},
		{"what a token controller adds is not", entry("openshift", "", `{"f:secrets":{},"f:imagePullSecrets":{}}`), false},
		{"a field of the spec is", entry("kubectl-edit", "", `{"f:spec":{"f:template":{"f:spec":{"f:hostNetwork":{}}}}}`), true},
		{"another annotation of the Pods is", entry("kubectl-edit", "", `{"f:spec":{"f:template":{"f:metadata":{"f:annotations":{"f:x":{}}}}}}`), true},
		{"a key of a ConfigMap is", entry("kubectl-edit", "", `{"f:data":{"f:x":{}}}`), true},
		{"rules of a role are", entry("kubectl-edit", "", `{"f:rules":{}}`), true},
		{"what cannot be read is", entry("kubectl-edit", "", `{`), true},
	}
	for _, c := range cases {
		if got := isForeign(c.give); got != c.want {
			t.Errorf("%s: got %v", c.name, got)
		}
	}
}
