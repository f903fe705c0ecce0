// SPDX-License-Identifier: Apache-2.0

// Package apply is the one writer of owned objects: server-side apply under one field owner, repair of drift, and prune.
package apply

import (
	"context"
	"errors"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/apiutil"
)

// Object is what the API server holds.
type Object = interface {
	metav1.Object
	runtime.Object
}

// Owner is the field owner of everything that this package writes.
const Owner = client.FieldOwner("kubearmor-operator")

// Writer applies and prunes. Its client may read from a cache: an object that already is what it shall be costs no call.
type Writer struct {
	Client client.Client
	// Label and Value mark every owned object; prune looks at no other.
	Label, Value string
}

// Apply brings every object to what is desired. One that the API server refuses does not hold up the others; the error
// names each.
func (w *Writer) Apply(ctx context.Context, desired []Object) error {
	var errs []error
	for _, obj := range desired {
		if err := w.applyOne(ctx, obj); err != nil {
			errs = append(errs, fmt.Errorf("apply %s: %w", describe(w.Client.Scheme(), obj), err))
		}
	}
	return errors.Join(errs...)
}

func (w *Writer) applyOne(ctx context.Context, obj Object) error {
	desired, err := toUnstructured(w.Client.Scheme(), obj)
	if err != nil {
		return err
	}
	live, err := w.live(ctx, obj)
	if err != nil {
		return err
	}
	if live != nil && covers(live.Object, desired.Object) && !hasForeignFields(live) {
		return nil
	}
	applied := desired.DeepCopy()
	if err := w.Client.Apply(ctx, client.ApplyConfigurationFromUnstructured(applied), Owner, client.ForceOwnership); err != nil {
		return err
	}
	if !hasForeignFields(applied) {
		return nil
	}
	return w.replace(ctx, desired, applied)
}

// live is the object as the client sees it, nil when there is none.
func (w *Writer) live(ctx context.Context, obj Object) (*unstructured.Unstructured, error) {
	fresh, err := w.Client.Scheme().New(obj.GetObjectKind().GroupVersionKind())
	if err != nil {
		return nil, err
	}
	found, ok := fresh.(client.Object)
	if !ok {
		return nil, fmt.Errorf("%T is not an object", fresh)
	}
	if err := w.Client.Get(ctx, client.ObjectKeyFromObject(obj), found); err != nil {
		return nil, client.IgnoreNotFound(err)
	}
	return toUnstructured(w.Client.Scheme(), found)
}

// replace removes what others added beside our fields, which an apply leaves alone: an object with a second container or
// a foreign volume is not what was rendered. It keeps foreign metadata, and drops the foreign field owners with their
// fields. The caller has applied before, so the fields that are left are ours already.
func (w *Writer) replace(ctx context.Context, desired, applied *unstructured.Unstructured) error {
	next := desired.DeepCopy()
	next.SetResourceVersion(applied.GetResourceVersion())
	next.SetUID(applied.GetUID())
	next.SetFinalizers(applied.GetFinalizers())
	next.SetOwnerReferences(applied.GetOwnerReferences())
	next.SetLabels(applied.GetLabels())
	next.SetAnnotations(applied.GetAnnotations())
	var ours []metav1.ManagedFieldsEntry
	for _, e := range applied.GetManagedFields() {
		if !isForeign(e) {
			ours = append(ours, e)
		}
	}
	next.SetManagedFields(ours)
	return w.Client.Update(ctx, next, Owner)
}

// Prune deletes every owned object of these kinds that is not desired. It deletes only what carries our label and what
// our field owner has applied, and the very object that it looked at. It returns how many it asked to go.
func (w *Writer) Prune(ctx context.Context, kinds, desired []Object) (int, error) {
	keep := map[string]bool{}
	for _, obj := range desired {
		keep[describe(w.Client.Scheme(), obj)] = true
	}
	var errs []error
	pruned := 0
	for _, kind := range kinds {
		owned, err := w.owned(ctx, kind)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		for _, obj := range owned {
			if keep[describe(w.Client.Scheme(), obj)] || obj.GetDeletionTimestamp() != nil {
				continue
			}
			if err := w.delete(ctx, obj); err != nil {
				errs = append(errs, fmt.Errorf("prune %s: %w", describe(w.Client.Scheme(), obj), err))
				continue
			}
			pruned++
		}
	}
	return pruned, errors.Join(errs...)
}

// owned lists one kind.
func (w *Writer) owned(ctx context.Context, kind Object) ([]client.Object, error) {
	gvk, err := apiutil.GVKForObject(kind, w.Client.Scheme())
	if err != nil {
		return nil, err
	}
	gvk.Kind += "List"
	fresh, err := w.Client.Scheme().New(gvk)
	if err != nil {
		return nil, err
	}
	list, ok := fresh.(client.ObjectList)
	if !ok {
		return nil, fmt.Errorf("%T is not a list", fresh)
	}
	if err := w.Client.List(ctx, list, client.MatchingLabels{w.Label: w.Value}); err != nil {
		return nil, fmt.Errorf("list %s: %w", gvk.Kind, err)
	}
	return ownedItems(list)
}

// PruneNamed is Prune for objects of kinds that the operator may not list: it looks at these by name.
func (w *Writer) PruneNamed(ctx context.Context, objects []Object) (int, error) {
	var errs []error
	pruned := 0
	for _, obj := range objects {
		live, err := w.live(ctx, obj)
		if err == nil && live != nil && w.isOurs(live) {
			pruned++
			err = w.delete(ctx, live)
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("prune %s: %w", describe(w.Client.Scheme(), obj), err))
		}
	}
	return pruned, errors.Join(errs...)
}

// isOurs asks what the selector and the filter of Prune ask.
func (w *Writer) isOurs(obj client.Object) bool {
	return obj.GetLabels()[w.Label] == w.Value && isApplied(obj) && obj.GetDeletionTimestamp() == nil
}

func (w *Writer) delete(ctx context.Context, obj client.Object) error {
	uid := obj.GetUID()
	err := w.Client.Delete(ctx, obj,
		client.Preconditions{UID: &uid}, client.PropagationPolicy(metav1.DeletePropagationBackground))
	if apierrors.IsConflict(err) {
		return nil // Another object has the name by now; the next run looks at that one.
	}
	return client.IgnoreNotFound(err)
}
