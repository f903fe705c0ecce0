// SPDX-License-Identifier: Apache-2.0

package controllers_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1 "github.com/kubearmor/kubearmor-operator/api/operator/v1"
	"github.com/kubearmor/kubearmor-operator/controllers"
)

// asAgent is a client with a real token of the agents' account; with a Pod it is bound to it, as a kubelet asks for.
func asAgent(t *testing.T, pod *corev1.Pod) client.Client {
	t.Helper()
	request := &authenticationv1.TokenRequest{}
	if pod != nil {
		request.Spec.BoundObjectRef = &authenticationv1.BoundObjectReference{APIVersion: "v1", Kind: "Pod", Name: pod.Name, UID: pod.UID}
	}
	account := &corev1.ServiceAccount{ObjectMeta: in(namespace, v1.AgentServiceAccount)}
	must(t, cluster.SubResource("token").Create(t.Context(), account, request))
	c := rest.AnonymousClientConfig(restConfig)
	c.BearerToken = request.Status.Token
	agent, err := client.New(c, client.Options{Scheme: controllers.Scheme()})
	must(t, err)
	return agent
}

func TestAgentMayWriteOnlyTheStatusOfItsOwnNode(t *testing.T) {
	declare(t, v1.KubeArmorConfigSpec{})
	own, other := join(t, "own"), join(t, "other")
	own.detects()
	other.detects()
	pod := own.runsAgent(own.pooled())
	other.pooled()
	agent, unbound := asAgent(t, pod), asAgent(t, nil)

	write := func(c client.Client, node string) error {
		kan := &v1.KubeArmorNode{}
		if err := c.Get(t.Context(), client.ObjectKey{Name: node}, kan); err != nil {
			return fmt.Errorf("read: %w", err)
		}
		base := kan.DeepCopy()
		kan.Status.Heartbeat = &metav1.Time{Time: time.Now()}
		kan.Status.AgentVersion = "test-" + time.Now().String()
		return c.Status().Patch(t.Context(), kan, client.MergeFrom(base))
	}
	// The policy is enforced some moments after it is stored.
	eventually(t, "an agent's write to another node is refused", func() error {
		err := write(agent, "other")
		if !apierrors.IsForbidden(err) {
			return fmt.Errorf("the answer is %w", err)
		}
		if want := `this token is of node "own"`; !strings.Contains(err.Error(), want) {
			return fmt.Errorf("the answer does not contain %q: %w", want, err)
		}
		return nil
	})
	must(t, write(agent, "own"))
	if err := write(unbound, "own"); !apierrors.IsForbidden(err) || !strings.Contains(err.Error(), "(none)") {
		t.Errorf("a token that names no node: the answer is %v", err)
	}
	kan := &v1.KubeArmorNode{}
	must(t, agent.Get(t.Context(), client.ObjectKey{Name: "own"}, kan))
	kan.Spec.Image = "evil:1"
	if err := agent.Update(t.Context(), kan); !apierrors.IsForbidden(err) {
		t.Errorf("a write to the spec: the answer is %v", err)
	}
	if err := agent.Delete(t.Context(), kan); !apierrors.IsForbidden(err) {
		t.Errorf("a deletion: the answer is %v", err)
	}
	// What the role allows: its policies, Pods and settings, and nothing like a Secret.
	must(t, agent.List(t.Context(), &corev1.PodList{}))
	must(t, agent.Get(t.Context(), client.ObjectKey{Namespace: namespace, Name: v1.ConfigMapName}, &corev1.ConfigMap{}))
	if err := agent.List(t.Context(), &corev1.SecretList{}); !apierrors.IsForbidden(err) {
		t.Errorf("a list of Secrets: the answer is %v", err)
	}
	if err := agent.Get(t.Context(), client.ObjectKey{Namespace: namespace, Name: "neighbour"}, &corev1.ConfigMap{}); !apierrors.IsForbidden(err) {
		t.Errorf("another ConfigMap: the answer is %v", err)
	}
}
