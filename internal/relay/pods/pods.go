// SPDX-License-Identifier: Apache-2.0

// Package pods finds the agents of a cluster by their Pods.
package pods

import (
	"context"
	"fmt"
	"net"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/cache"

	operatorv1 "github.com/kubearmor/kubearmor-operator/api/operator/v1"
	"github.com/kubearmor/kubearmor-operator/internal/relay"
)

// settle is how long changes are gathered: a rollout changes many Pods.
const settle = 200 * time.Millisecond

// Finder of agents. It needs get, list and watch on the Pods of its namespace, and keeps what it knows while the API server
// is away.
type Finder struct {
	Config    *rest.Config
	Namespace string
	// Port that agents serve their streams on.
	Port string
}

// Watch is relay.Agents'.
func (f Finder) Watch(ctx context.Context, changed func([]relay.Agent)) error {
	client, err := f.client()
	if err != nil {
		return err
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	dirty := make(chan struct{}, 1)
	mark := func() {
		select {
		case dirty <- struct{}{}:
		default:
		}
	}
	store, controller := cache.NewInformerWithOptions(cache.InformerOptions{
		ListerWatcher: cache.NewFilteredListWatchFromClient(client, "pods", f.Namespace, func(o *metav1.ListOptions) {
			o.LabelSelector = operatorv1.LabelApp + "=" + operatorv1.AppAgent
		}),
		ObjectType: &corev1.Pod{},
		Transform:  strip,
		Handler: cache.ResourceEventHandlerFuncs{
			AddFunc: func(any) { mark() }, UpdateFunc: func(_, _ any) { mark() }, DeleteFunc: func(any) { mark() },
		},
	})
	go controller.RunWithContext(ctx)
	if !cache.WaitForCacheSync(ctx.Done(), controller.HasSynced) {
		return ctx.Err()
	}
	for {
		changed(f.agents(store.List()))
		select {
		case <-ctx.Done():
			return nil
		case <-dirty:
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(settle):
		}
	}
}

func (f Finder) client() (*rest.RESTClient, error) {
	scheme := runtime.NewScheme()
	if err := corev1.AddToScheme(scheme); err != nil {
		return nil, fmt.Errorf("register kinds: %w", err)
	}
	metav1.AddToGroupVersion(scheme, corev1.SchemeGroupVersion)
	config := rest.CopyConfig(f.Config)
	config.APIPath, config.GroupVersion = "/api", &corev1.SchemeGroupVersion
	config.NegotiatedSerializer = serializer.NewCodecFactory(scheme).WithoutConversion()
	return rest.RESTClientFor(config)
}

// strip keeps of a Pod what an agent is found by: thousands are held.
func strip(object any) (any, error) {
	pod, is := object.(*corev1.Pod)
	if !is {
		return object, nil
	}
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: pod.Namespace, Name: pod.Name, UID: pod.UID, ResourceVersion: pod.ResourceVersion},
		Spec:       corev1.PodSpec{NodeName: pod.Spec.NodeName},
		Status:     corev1.PodStatus{Phase: pod.Status.Phase, PodIP: pod.Status.PodIP},
	}, nil
}

// agents are the Pods that run. One that is not ready may have something to say all the same.
func (f Finder) agents(objects []any) []relay.Agent {
	var out []relay.Agent
	for _, object := range objects {
		pod, is := object.(*corev1.Pod)
		if !is || pod.Status.Phase != corev1.PodRunning || pod.Status.PodIP == "" {
			continue
		}
		out = append(out, relay.Agent{
			ID: string(pod.UID), Node: pod.Spec.NodeName, Address: net.JoinHostPort(pod.Status.PodIP, f.Port),
		})
	}
	return out
}
