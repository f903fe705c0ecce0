// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strconv"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	v1 "github.com/kubearmor/kubearmor-operator/api/operator/v1"
)

// requestTimeout bounds every request, so that a dead cluster is told within seconds.
const requestTimeout = 15 * time.Second

// pageSize of lists: a fleet has thousands of nodes.
const pageSize = 500

// clusterFlags say which cluster is meant.
type clusterFlags struct{ kubeconfig, context string }

// errNoCluster: there is no kubeconfig at all.
var errNoCluster = errors.New("no cluster is configured; set KUBECONFIG or --kubeconfig")

// nodeLister lists the KubeArmorNodes of a cluster.
type nodeLister interface {
	ListNodes(ctx context.Context) (*v1.KubeArmorNodeList, error)
}

// cluster reads our kinds from an API server. It asks for no discovery: the kinds are known.
type cluster struct{ rest *rest.RESTClient }

// config says how to reach the cluster.
func (f *clusterFlags) config() (*rest.Config, error) {
	rules := clientcmd.NewDefaultClientConfigLoadingRules()
	rules.ExplicitPath = f.kubeconfig
	config, err := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(rules,
		&clientcmd.ConfigOverrides{CurrentContext: f.context}).ClientConfig()
	if clientcmd.IsEmptyConfig(err) {
		return nil, errNoCluster
	}
	if err != nil {
		return nil, fmt.Errorf("read kubeconfig: %w", err)
	}
	return config, nil
}

func (f *clusterFlags) connect() (nodeLister, error) {
	config, err := f.config()
	if errors.Is(err, errNoCluster) {
		return nil, fmt.Errorf("%w, or look at this machine alone with: karmor probe --local", err)
	}
	if err != nil {
		return nil, err
	}
	scheme := runtime.NewScheme()
	if err = v1.AddToScheme(scheme); err != nil {
		return nil, fmt.Errorf("register kinds: %w", err)
	}
	config.Timeout = requestTimeout
	config.APIPath = "/apis"
	config.GroupVersion = &v1.GroupVersion
	config.NegotiatedSerializer = serializer.NewCodecFactory(scheme).WithoutConversion()
	client, err := rest.RESTClientFor(config)
	if err != nil {
		return nil, fmt.Errorf("read kubeconfig: %w", err)
	}
	return &cluster{rest: client}, nil
}

// ListNodes reads every page.
func (c *cluster) ListNodes(ctx context.Context) (*v1.KubeArmorNodeList, error) {
	all := &v1.KubeArmorNodeList{}
	for next := ""; ; {
		page := &v1.KubeArmorNodeList{}
		err := c.rest.Get().Resource("kubearmornodes").
			Param("limit", strconv.Itoa(pageSize)).Param("continue", next).
			Do(ctx).Into(page)
		if err != nil {
			return nil, explain(err)
		}
		all.Items = append(all.Items, page.Items...)
		if next = page.Continue; next == "" {
			return all, nil
		}
	}
}

// explain says in one line what to do about a request that failed.
func explain(err error) error {
	switch {
	case apierrors.IsNotFound(err):
		return errors.New("this cluster has no KubeArmorNode objects: KubeArmor's operator is not installed there")
	case apierrors.IsForbidden(err), apierrors.IsUnauthorized(err):
		return fmt.Errorf("list KubeArmorNodes: %w; ask for get and list on kubearmornodes.operator.kubearmor.com", err)
	}
	return explainAway(fmt.Errorf("list KubeArmorNodes: %w", err))
}

// explainAway says what to do where the cluster itself is the matter.
func explainAway(err error) error {
	var unreachable *url.Error
	var network net.Error
	switch {
	case errors.As(err, &unreachable):
		return fmt.Errorf("the cluster cannot be reached: %w; check --kubeconfig and --context", unreachable)
	case errors.As(err, &network):
		return fmt.Errorf("the cluster does not answer: %w; check --kubeconfig and --context", err)
	}
	return err
}
