// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	operatorv1 "github.com/kubearmor/kubearmor-operator/api/operator/v1"
	"github.com/kubearmor/kubearmor-operator/test/testbed/product"
)

// repairLimit is what "within seconds" means when both cores emulate other machines.
const repairLimit = 20 * time.Second

func nodeKey(name string) client.ObjectKey { return client.ObjectKey{Name: name} }

// agentDaemonSet that serves a node.
func (s *suite) agentDaemonSet(t *testing.T, node string) *appsv1.DaemonSet {
	t.Helper()
	agent, err := s.AgentOn(t.Context(), node)
	if err != nil {
		t.Fatal(err)
	}
	var set appsv1.DaemonSet
	for _, owner := range agent.OwnerReferences {
		if owner.Kind == "DaemonSet" {
			if err := s.Client.Get(t.Context(), client.ObjectKey{Namespace: product.Namespace, Name: owner.Name}, &set); err != nil {
				t.Fatal(err)
			}
			return &set
		}
	}
	t.Fatalf("the agent %s belongs to no DaemonSet", agent.Name)
	return nil
}

func testRepair(t *testing.T, s *suite) {
	name := s.node(t, true).Name
	original := s.agentDaemonSet(t, name)

	edited := original.DeepCopy()
	edited.Spec.Template.Spec.Tolerations = nil
	edited.Spec.Template.Spec.Containers[0].Env = append(edited.Spec.Template.Spec.Containers[0].Env, corev1.EnvVar{Name: "INTRUDER", Value: "1"})
	delete(edited.Labels, operatorv1.LabelManagedBy)
	if err := s.Client.Update(t.Context(), edited); err != nil {
		t.Fatal(err)
	}
	s.sameAgain(t, "the edited DaemonSet is as it was", original)

	if err := s.Client.Delete(t.Context(), original.DeepCopy()); err != nil {
		t.Fatal(err)
	}
	s.sameAgain(t, "the deleted DaemonSet is back", original)
	if err := s.WaitSettled(t.Context(), 4*time.Minute, func(string, string) {}); err != nil {
		t.Fatal(err)
	}
	s.checkOperations(t, name, true)
}

// unusualRepair is how long a repair may take without the operator's own words on it in the test's log.
const unusualRepair = 5 * time.Second

// sameAgain waits until the DaemonSet is there with its original labels and spec.
func (s *suite) sameAgain(t *testing.T, what string, original *appsv1.DaemonSet) {
	t.Helper()
	defer func(begun time.Time) {
		if took := time.Since(begun); took > unusualRepair {
			t.Logf("the operator's log of these %.1f s:\n%s", took.Seconds(),
				s.kubectl(t, "-n", product.Namespace, "logs", "deployment/kubearmor-operator", fmt.Sprintf("--since=%ds", int(took.Seconds())+2)))
		}
	}(time.Now())
	within(t, repairLimit, what, func(ctx context.Context) (bool, string, error) {
		var now appsv1.DaemonSet
		if err := s.Client.Get(ctx, client.ObjectKeyFromObject(original), &now); err != nil {
			return false, "", err
		}
		diff := cmp.Diff(original.Spec, now.Spec) + cmp.Diff(original.Labels, now.Labels)
		return diff == "" && now.DeletionTimestamp == nil, fmt.Sprintf("it differs (-want +got):\n%s", diff), nil
	})
}
