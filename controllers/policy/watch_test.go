// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"context"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	v1 "github.com/kubearmor/kubearmor-operator/api/security/v1"
)

// asked is a queue that only notes what is put into it.
type asked struct {
	queue
	keys []string
}

func (q *asked) AddAfter(r reconcile.Request, _ time.Duration) { q.keys = append(q.keys, r.String()) }

func TestPodsOfTheStartAskForNoPolicy(t *testing.T) {
	r := &Reconciler{}
	handler := r.later(func(context.Context, client.Object) []types.NamespacedName {
		return []types.NamespacedName{{Name: "p"}}
	})
	for name, tt := range map[string]struct {
		e    event.CreateEvent
		want []string
	}{
		"a Pod that was there before the operator": {event.CreateEvent{Object: &corev1.Pod{}, IsInInitialList: true}, nil},
		"a Pod that came after":                    {event.CreateEvent{Object: &corev1.Pod{}}, []string{"/p"}},
	} {
		t.Run(name, func(t *testing.T) {
			q := &asked{}
			handler.Create(t.Context(), tt.e, q)
			if diff := cmp.Diff(tt.want, q.keys); diff != "" {
				t.Errorf("policies that are looked at (-want +got):\n%s", diff)
			}
		})
	}
}

// shelf lists policies, and notes where it was asked to look.
type shelf struct {
	client.Client
	policies []v1.KubeArmorPolicy
	in       string
}

func (s *shelf) List(_ context.Context, list client.ObjectList, options ...client.ListOption) error {
	o := client.ListOptions{}
	o.ApplyOptions(options)
	s.in = o.Namespace
	if l, is := list.(*v1.KubeArmorPolicyList); is {
		l.Items = s.policies
	}
	return nil
}

func TestAPodAsksOnlyThePoliciesOfItsNamespace(t *testing.T) {
	pod := &corev1.Pod{}
	pod.Namespace, pod.Labels = "shop", map[string]string{"app": "web"}
	pod.Spec.Containers = []corev1.Container{{Name: "web"}}
	p := v1.KubeArmorPolicy{}
	p.Namespace, p.Name, p.Spec.Selector.MatchLabels = "shop", "p", pod.Labels
	for _, kind := range Kinds() {
		s := &shelf{policies: []v1.KubeArmorPolicy{p}}
		found := (&Reconciler{Client: s, Kind: kind}).policiesOfPod(t.Context(), pod)
		in, count := "", 0
		if kind.Namespaced {
			in, count = "shop", 1
		}
		if s.in != in || len(found) != count {
			t.Errorf("%s: looked in namespace %q, found %v", kind.Name, s.in, found)
		}
	}
}
