// SPDX-License-Identifier: Apache-2.0

package agent

import (
	"context"
	"fmt"
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	toolscache "k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	operatorv1 "github.com/kubearmor/kubearmor-operator/api/operator/v1"
	securityv1 "github.com/kubearmor/kubearmor-operator/api/security/v1"
)

// watches hold what the API server knows and the agent needs, and keep it while the API server is away.
type watches struct {
	node, namespace string
	scheme          *runtime.Scheme
	mapper          meta.RESTMapper
	cache           cache.Cache
	informers       []cache.Informer
}

// newWatches needs no API server: the kinds are mapped here and not by discovery.
func newWatches(o Options) (*watches, error) {
	w := &watches{node: o.Node, namespace: o.Namespace, scheme: runtime.NewScheme()}
	for _, add := range []func(*runtime.Scheme) error{corev1.AddToScheme, metav1.AddMetaToScheme, operatorv1.AddToScheme, securityv1.AddToScheme} {
		if err := add(w.scheme); err != nil {
			return nil, err
		}
	}
	w.mapper = newMapper()
	byName := func(name string) fields.Selector { return fields.OneTermEqualSelector("metadata.name", name) }
	var err error
	w.cache, err = cache.New(o.Kubernetes, cache.Options{
		Scheme: w.scheme, Mapper: w.mapper, DefaultTransform: strip,
		ByObject: map[client.Object]cache.ByObject{
			metadata("Pod"):             {Field: fields.OneTermEqualSelector("spec.nodeName", o.Node)},
			metadata("Node"):            {Field: byName(o.Node)},
			&operatorv1.KubeArmorNode{}: {Field: byName(o.Node)},
			&corev1.ConfigMap{}: {Namespaces: map[string]cache.Config{
				o.Namespace: {FieldSelector: byName(operatorv1.ConfigMapName)},
			}},
		},
	})
	return w, err
}

func newMapper() meta.RESTMapper {
	m := meta.NewDefaultRESTMapper(nil)
	for kind, scope := range map[string]meta.RESTScope{
		"Pod": meta.RESTScopeNamespace, "ConfigMap": meta.RESTScopeNamespace,
		"Node": meta.RESTScopeRoot, "Namespace": meta.RESTScopeRoot,
	} {
		m.Add(corev1.SchemeGroupVersion.WithKind(kind), scope)
	}
	m.Add(operatorv1.GroupVersion.WithKind("KubeArmorNode"), meta.RESTScopeRoot)
	plural := func(kind, plural, singular string, scope meta.RESTScope) {
		gv := securityv1.GroupVersion
		m.AddSpecific(gv.WithKind(kind), gv.WithResource(plural), gv.WithResource(singular), scope)
	}
	plural("KubeArmorPolicy", "kubearmorpolicies", "kubearmorpolicy", meta.RESTScopeNamespace)
	plural("KubeArmorClusterPolicy", "kubearmorclusterpolicies", "kubearmorclusterpolicy", meta.RESTScopeRoot)
	plural("KubeArmorHostPolicy", "kubearmorhostpolicies", "kubearmorhostpolicy", meta.RESTScopeRoot)
	return m
}

func metadata(kind string) *metav1.PartialObjectMetadata {
	m := &metav1.PartialObjectMetadata{}
	m.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind(kind))
	return m
}

func metadataList(kind string) *metav1.PartialObjectMetadataList {
	m := &metav1.PartialObjectMetadataList{}
	m.SetGroupVersionKind(schema.GroupVersionKind{Version: "v1", Kind: kind + "List"})
	return m
}

// strip drops what is of no use here and may be large.
func strip(object any) (any, error) {
	if o, is := object.(metav1.Object); is {
		o.SetManagedFields(nil)
		delete(o.GetAnnotations(), corev1.LastAppliedConfigAnnotation)
	}
	switch p := object.(type) {
	case *securityv1.KubeArmorPolicy:
		p.Status = securityv1.PolicyStatus{}
	case *securityv1.KubeArmorClusterPolicy:
		p.Status = securityv1.PolicyStatus{}
	case *securityv1.KubeArmorHostPolicy:
		p.Status = securityv1.PolicyStatus{}
	}
	return object, nil
}

// prepare sets up every watch. changed is called after every change that a policy may depend on, reported after the
// node's status was written, by whomever.
func (w *watches) prepare(ctx context.Context, changed, reported func()) error {
	for _, object := range []client.Object{
		&operatorv1.KubeArmorNode{}, metadata("Pod"), metadata("Node"), metadata("Namespace"), &corev1.ConfigMap{},
		&securityv1.KubeArmorPolicy{}, &securityv1.KubeArmorClusterPolicy{}, &securityv1.KubeArmorHostPolicy{},
	} {
		informer, err := w.cache.GetInformer(ctx, object, cache.BlockUntilSynced(false))
		if err != nil {
			return fmt.Errorf("watch %T: %w", object, err)
		}
		if _, err := informer.AddEventHandler(handler(changed, reported)); err != nil {
			return fmt.Errorf("watch %T: %w", object, err)
		}
		w.informers = append(w.informers, informer)
	}
	return nil
}

// synced says whether everything was read once. From then on it stays readable, API server or not.
func (w *watches) synced() bool {
	return !slices.ContainsFunc(w.informers, func(i cache.Informer) bool { return !i.HasSynced() })
}

func handler(changed, reported func()) toolscache.ResourceEventHandler {
	return toolscache.ResourceEventHandlerFuncs{
		AddFunc: func(any) { changed() },
		UpdateFunc: func(before, after any) {
			if matters(before, after) {
				changed()
			} else if _, own := after.(*operatorv1.KubeArmorNode); own {
				reported()
			}
		},
		DeleteFunc: func(any) { changed() },
	}
}

// matters leaves out the updates that no policy depends on: most are of the status of Pods, nodes and policies.
func matters(before, after any) bool {
	b, isObject := before.(metav1.Object)
	a, isObjectToo := after.(metav1.Object)
	if !isObject || !isObjectToo || a.GetUID() != b.GetUID() {
		return true
	}
	switch after.(type) {
	case *corev1.ConfigMap:
		return true
	case *metav1.PartialObjectMetadata:
		return !maps.Equal(a.GetLabels(), b.GetLabels()) || !maps.Equal(a.GetAnnotations(), b.GetAnnotations())
	default:
		return a.GetGeneration() != b.GetGeneration()
	}
}

// kubeArmorNode gives this node's object, nil when it does not exist, and whether that is known.
func (w *watches) kubeArmorNode(ctx context.Context) (*operatorv1.KubeArmorNode, bool) {
	if len(w.informers) == 0 || !w.informers[0].HasSynced() {
		return nil, false
	}
	node := &operatorv1.KubeArmorNode{}
	err := w.cache.Get(ctx, client.ObjectKey{Name: w.node}, node)
	switch {
	case apierrors.IsNotFound(err):
		return nil, true
	case err != nil:
		return nil, false
	default:
		return node, true
	}
}
