// SPDX-License-Identifier: Apache-2.0

package controllers_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"sigs.k8s.io/controller-runtime/pkg/client"
	crmetrics "sigs.k8s.io/controller-runtime/pkg/metrics"

	"github.com/kubearmor/kubearmor-operator/controllers"
)

// lacking is a cluster that does not know one kind.
type lacking struct {
	client.Reader
	kind string
}

func (l lacking) List(ctx context.Context, list client.ObjectList, opts ...client.ListOption) error {
	if strings.HasSuffix(fmt.Sprintf("%T", list), "."+l.kind+"List") {
		return errors.New("no matches for kind")
	}
	return l.Reader.List(ctx, list, opts...)
}

func TestStartNamesTheKindThatTheClusterLacks(t *testing.T) {
	kinds := []string{"KubeArmorConfig", "KubeArmorNode", "KubeArmorPolicy", "KubeArmorClusterPolicy", "KubeArmorHostPolicy"}
	for _, kind := range kinds {
		err := controllers.CheckAccess(t.Context(), lacking{cluster, kind}, namespace)
		if err == nil || !strings.Contains(err.Error(), kind+"List") || !strings.Contains(err.Error(), "config/crd") {
			t.Errorf("%s: %v", kind, err)
		}
	}
	must(t, controllers.CheckAccess(t.Context(), cluster, namespace))
}

// gauges is how many series a gauge of the operator has.
func gauges(t *testing.T, name string) int {
	t.Helper()
	families, err := crmetrics.Registry.Gather()
	must(t, err)
	for _, f := range families {
		if f.GetName() == name {
			return len(f.GetMetric())
		}
	}
	return 0
}
