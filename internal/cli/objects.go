// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"

	v1 "github.com/kubearmor/kubearmor-operator/api/operator/v1"
	securityv1 "github.com/kubearmor/kubearmor-operator/api/security/v1"
)

// defaultNamespace is where the product is installed unless somebody chose another one.
const defaultNamespace = "kubearmor"

// requestRate of requests a second: a fleet has thousands of Pods.
const requestRate = 50

// objects of a cluster, of any kind. It asks for no discovery: the kinds are known.
type objects struct{ dynamic.Interface }

// objects connects to the cluster.
func (f *clusterFlags) objects() (objects, *rest.Config, error) {
	config, err := f.config()
	if err != nil {
		return objects{}, nil, err
	}
	config.Timeout, config.QPS, config.Burst = requestTimeout, requestRate, 2*requestRate
	client, err := dynamic.NewForConfig(config)
	if err != nil {
		return objects{}, nil, fmt.Errorf("read kubeconfig: %w", err)
	}
	return objects{client}, config, nil
}

func coreKind(resource string) schema.GroupVersionResource {
	return schema.GroupVersionResource{Version: "v1", Resource: resource}
}

func operatorKind(resource string) schema.GroupVersionResource {
	return v1.GroupVersion.WithResource(resource)
}

func securityKind(resource string) schema.GroupVersionResource {
	return securityv1.GroupVersion.WithResource(resource)
}

// list reads every page of a kind; namespace empty: of the whole cluster. which narrows it by labels or fields.
func (o objects) list(ctx context.Context, kind schema.GroupVersionResource, namespace string, which metav1.ListOptions) ([]unstructured.Unstructured, error) {
	var all []unstructured.Unstructured
	for which.Limit = pageSize; ; {
		page, err := o.Resource(kind).Namespace(namespace).List(ctx, which)
		if err != nil {
			return nil, err
		}
		all = append(all, page.Items...)
		if which.Continue = page.GetContinue(); which.Continue == "" {
			return all, nil
		}
	}
}

// listAs is list in the kind's own type.
func listAs[T any](ctx context.Context, o objects, kind schema.GroupVersionResource) ([]T, error) {
	found, err := o.list(ctx, kind, "", metav1.ListOptions{})
	if err != nil {
		return nil, explainAway(fmt.Errorf("list %s: %w", kind.Resource, err))
	}
	all := make([]T, len(found))
	for i := range found {
		if err := runtime.DefaultUnstructuredConverter.FromUnstructured(found[i].Object, &all[i]); err != nil {
			return nil, fmt.Errorf("read %s %s: %w", kind.Resource, found[i].GetName(), err)
		}
	}
	return all, nil
}
