// SPDX-License-Identifier: Apache-2.0

package apply

import (
	"encoding/json"
	"fmt"
	"reflect"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/apiutil"
)

// toUnstructured leaves out what only the API server sets.
func toUnstructured(scheme *runtime.Scheme, obj Object) (*unstructured.Unstructured, error) {
	gvk, err := apiutil.GVKForObject(obj, scheme)
	if err != nil {
		return nil, err
	}
	content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(obj)
	if err != nil {
		return nil, fmt.Errorf("convert %s: %w", gvk.Kind, err)
	}
	u := &unstructured.Unstructured{Object: content}
	u.SetGroupVersionKind(gvk)
	unstructured.RemoveNestedField(content, "status")
	if obj.GetResourceVersion() == "" {
		unstructured.RemoveNestedField(content, "metadata", "creationTimestamp")
	}
	return u, nil
}

// covers says whether live has every value that desired names. What desired leaves out, the API server may have filled in.
func covers(live, desired any) bool {
	switch want := desired.(type) {
	case map[string]any:
		have, ok := live.(map[string]any)
		if !ok {
			return len(want) == 0 && live == nil
		}
		for k, v := range want {
			if !covers(have[k], v) {
				return false
			}
		}
		return true
	case []any:
		have, ok := live.([]any)
		if !ok || len(have) != len(want) {
			return false
		}
		for i := range want {
			if !covers(have[i], want[i]) {
				return false
			}
		}
		return true
	default:
		return reflect.DeepEqual(live, desired)
	}
}

// hasForeignFields says whether someone else owns a field of the object that is neither metadata nor status.
func hasForeignFields(u *unstructured.Unstructured) bool {
	for _, e := range u.GetManagedFields() {
		if isForeign(e) {
			return true
		}
	}
	return false
}

func isForeign(e metav1.ManagedFieldsEntry) bool {
	if e.Manager == string(Owner) || e.Subresource != "" || e.FieldsV1 == nil {
		return false
	}
	var fields map[string]any
	if err := json.Unmarshal(e.FieldsV1.GetRawBytes(), &fields); err != nil {
		return true
	}
	for _, path := range tolerated() {
		remove(fields, path)
	}
	return len(fields) > 0
}

// tolerated are fields that others may own: labels and annotations, what a token controller adds to a ServiceAccount,
// and the mark by which `kubectl rollout restart` restarts agents.
func tolerated() [][]string {
	return [][]string{
		{"f:metadata"},
		{"f:secrets"},
		{"f:imagePullSecrets"},
		{"f:spec", "f:template", "f:metadata", "f:annotations", "f:kubectl.kubernetes.io/restartedAt"},
	}
}

// remove takes a path out of a tree of fields, and every branch that is empty then.
func remove(fields map[string]any, path []string) {
	child, ok := fields[path[0]].(map[string]any)
	if !ok {
		return
	}
	if len(path) > 1 {
		remove(child, path[1:])
		delete(child, ".")
		if len(child) > 0 {
			return
		}
	}
	delete(fields, path[0])
}

// ownedItems are those of a labelled list that our field owner has applied.
func ownedItems(list client.ObjectList) ([]client.Object, error) {
	var out []client.Object
	err := meta.EachListItem(list, func(o runtime.Object) error {
		obj, ok := o.(client.Object)
		if !ok {
			return fmt.Errorf("%T is not an object", o)
		}
		if isApplied(obj) {
			out = append(out, obj)
		}
		return nil
	})
	return out, err
}

func isApplied(obj client.Object) bool {
	for _, e := range obj.GetManagedFields() {
		if e.Manager == string(Owner) && e.Operation == metav1.ManagedFieldsOperationApply {
			return true
		}
	}
	return false
}

func describe(scheme *runtime.Scheme, obj Object) string {
	kind := "object"
	if gvk, err := apiutil.GVKForObject(obj, scheme); err == nil {
		kind = gvk.Kind
	}
	if obj.GetNamespace() == "" {
		return kind + " " + obj.GetName()
	}
	return kind + " " + obj.GetNamespace() + "/" + obj.GetName()
}
