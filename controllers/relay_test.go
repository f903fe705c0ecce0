// SPDX-License-Identifier: Apache-2.0

package controllers_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1 "github.com/kubearmor/kubearmor-operator/api/operator/v1"
)

// relay waits for its Deployment.
func relay(t *testing.T) *appsv1.Deployment {
	t.Helper()
	d := &appsv1.Deployment{ObjectMeta: in(namespace, v1.RelayServiceAccount)}
	eventually(t, "the relay's Deployment", func() error { return cluster.Get(t.Context(), client.ObjectKeyFromObject(d), d) })
	return d
}

// deployed plays the Deployment controller.
func deployed(t *testing.T, available int32, more ...appsv1.DeploymentCondition) {
	t.Helper()
	eventually(t, "status of the relay's Deployment", func() error {
		d := relay(t)
		d.Status = appsv1.DeploymentStatus{
			ObservedGeneration: d.Generation, Replicas: 2, UpdatedReplicas: 2, ReadyReplicas: available, AvailableReplicas: available, Conditions: more,
		}
		return cluster.Status().Update(t.Context(), d)
	})
}

func TestRelayIsDeployedAndItsStateIsTold(t *testing.T) {
	c := declare(t, v1.KubeArmorConfigSpec{})
	d := relay(t)
	if got := d.Spec.Template.Spec.Containers[0].Image; got != "registry.test/relay:built-in" {
		t.Errorf("its image is %s", got)
	}
	fleet(t, c, "that it is not there yet", func(s v1.KubeArmorConfigStatus) error {
		return says(s, v1.ConfigRelayReady, "False", v1.ReasonRolloutInProgress)
	})
	deployed(t, 1, appsv1.DeploymentCondition{
		Type: appsv1.DeploymentProgressing, Status: corev1.ConditionFalse, Reason: "ProgressDeadlineExceeded", Message: "timed out progressing",
	})
	fleet(t, c, "that it is stuck", func(s v1.KubeArmorConfigStatus) error {
		return says(s, v1.ConfigRelayReady, "False", v1.ReasonRelayNotReady)
	})
	deployed(t, 2)
	fleet(t, c, "that it is ready", func(s v1.KubeArmorConfigStatus) error {
		return says(s, v1.ConfigRelayReady, "True", v1.ReasonAsExpected)
	})

	edit(t, c, func(c *v1.KubeArmorConfig) {
		c.Spec.KubeArmorRelayImage.Image = "registry.test/relay:mine"
		c.Spec.TLS.Enable = new(false)
	})
	eventually(t, "it is the one of the spec", func() error {
		container := relay(t).Spec.Template.Spec.Containers[0]
		if diff := cmp.Diff([]string{"--tls-dir=/etc/kubearmor/tls", "--insecure"}, container.Args); diff != "" || container.Image != "registry.test/relay:mine" {
			return fmt.Errorf("image %s, args %s", container.Image, diff)
		}
		return nil
	})
}

func TestDriftOfTheRelayIsRepaired(t *testing.T) {
	declare(t, v1.KubeArmorConfigSpec{})
	want := relay(t).Spec
	edit(t, relay(t), func(d *appsv1.Deployment) {
		d.Spec.Replicas = new(int32)
		d.Spec.Template.Spec.HostNetwork = true
	}, client.FieldOwner("kubectl-edit"))
	within(t, 5*time.Second, "the Deployment is as it was", func() error {
		if diff := cmp.Diff(want, relay(t).Spec); diff != "" {
			return errors.New(diff)
		}
		return nil
	})
	service := &corev1.Service{ObjectMeta: in(namespace, v1.RelayService)}
	must(t, cluster.Delete(t.Context(), service.DeepCopy()))
	within(t, 5*time.Second, "the Service is there again", func() error {
		return cluster.Get(t.Context(), client.ObjectKeyFromObject(service), service)
	})
	budget := &policyv1.PodDisruptionBudget{ObjectMeta: in(namespace, v1.RelayServiceAccount)}
	edit(t, budget, func(b *policyv1.PodDisruptionBudget) {
		b.Spec.Selector = &metav1.LabelSelector{MatchLabels: map[string]string{"other": "pods"}}
	}, client.FieldOwner("kubectl-edit"))
	within(t, 5*time.Second, "the budget is of the relays again", func() error {
		if err := cluster.Get(t.Context(), client.ObjectKeyFromObject(budget), budget); err != nil {
			return err
		}
		if diff := cmp.Diff(map[string]string{v1.LabelApp: v1.AppRelay}, budget.Spec.Selector.MatchLabels); diff != "" {
			return errors.New(diff)
		}
		return nil
	})
}

// The API server itself judges: it admits the relay's Pod to a namespace of the level "restricted", and says what its
// account may do.
func TestRelayIsRestrictedAndMayOnlyFindAgents(t *testing.T) {
	declare(t, v1.KubeArmorConfigSpec{})
	template := relay(t).Spec.Template
	strict := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "strict", Labels: map[string]string{"pod-security.kubernetes.io/enforce": "restricted"}}}
	must(t, cluster.Create(t.Context(), strict))
	t.Cleanup(func() { _ = cluster.Delete(background(), strict) })
	must(t, cluster.Create(t.Context(), &corev1.ServiceAccount{ObjectMeta: in("strict", v1.RelayServiceAccount)}))
	pod := &corev1.Pod{ObjectMeta: in("strict", "relay"), Spec: template.Spec}
	eventually(t, "the Pod is admitted", func() error { return client.IgnoreAlreadyExists(cluster.Create(t.Context(), pod.DeepCopy())) })
	must(t, cluster.Delete(t.Context(), pod, client.GracePeriodSeconds(0)))

	for _, q := range []struct {
		namespace, verb, resource string
		want                      bool
	}{
		{namespace, "list", "pods", true},
		{namespace, "watch", "pods", true},
		{namespace, "delete", "pods", false},
		{namespace, "get", "secrets", false},
		{namespace, "get", "configmaps", false},
		{"default", "list", "pods", false},
		{"", "list", "nodes", false},
	} {
		review := &authorizationv1.SubjectAccessReview{Spec: authorizationv1.SubjectAccessReviewSpec{
			User:               "system:serviceaccount:" + namespace + ":" + v1.RelayServiceAccount,
			ResourceAttributes: &authorizationv1.ResourceAttributes{Namespace: q.namespace, Verb: q.verb, Resource: q.resource},
		}}
		eventually(t, "the answer on "+q.verb+" "+q.resource, func() error {
			review := review.DeepCopy()
			if err := cluster.Create(t.Context(), review); err != nil {
				return err
			}
			if review.Status.Allowed != q.want {
				return fmt.Errorf("in %q: allowed is %v", q.namespace, review.Status.Allowed)
			}
			return nil
		})
	}
}
