// SPDX-License-Identifier: Apache-2.0

package pods_test

import (
	"cmp"
	"context"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"

	"github.com/kubearmor/kubearmor-operator/internal/relay"
	"github.com/kubearmor/kubearmor-operator/internal/relay/pods"
)

// apiServer starts a real one.
func apiServer(t *testing.T) *envtest.Environment {
	t.Helper()
	assets := os.Getenv("KUBEBUILDER_ASSETS")
	if assets == "" {
		assets = filepath.Join("..", "..", "..", ".cache", "kube", runtime.GOARCH)
	}
	if _, err := os.Stat(filepath.Join(assets, "kube-apiserver")); err != nil {
		t.Fatalf("no API server to test on: %v; build it with: make kube", err)
	}
	env := &envtest.Environment{BinaryAssetsDirectory: assets}
	if _, err := env.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := env.Stop(); err != nil {
			t.Error(err)
		}
	})
	return env
}

// world makes Pods as a cluster would have them.
type world struct {
	t *testing.T
	c client.Client
}

func (w world) pod(namespace, name, app string, phase corev1.PodPhase, ip string) *corev1.Pod {
	w.t.Helper()
	p := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name, Labels: map[string]string{"kubearmor-app": app}},
		Spec:       corev1.PodSpec{NodeName: "node-of-" + name, Containers: []corev1.Container{{Name: "c", Image: "i"}}},
	}
	if err := w.c.Create(w.t.Context(), p); err != nil {
		w.t.Fatal(err)
	}
	w.status(p, phase, ip)
	return p
}

func (w world) status(p *corev1.Pod, phase corev1.PodPhase, ip string) {
	w.t.Helper()
	p.Status.Phase = phase
	p.Status.PodIP, p.Status.PodIPs = ip, nil
	if ip != "" {
		p.Status.PodIPs = []corev1.PodIP{{IP: ip}}
	}
	if err := w.c.Status().Update(w.t.Context(), p); err != nil {
		w.t.Fatal(err)
	}
}

func TestAgentsAreFoundByTheirPods(t *testing.T) {
	env := apiServer(t)
	c, err := client.New(env.Config, client.Options{})
	if err != nil {
		t.Fatal(err)
	}
	w := world{t, c}
	if err := c.Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "kubearmor"}}); err != nil {
		t.Fatal(err)
	}
	seen := make(chan []relay.Agent, 100)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	ended := make(chan error, 1)
	finder := pods.Finder{Config: env.Config, Namespace: "kubearmor", Port: "32767"}
	go func() { ended <- finder.Watch(ctx, func(a []relay.Agent) { seen <- a }) }()
	expect := func(when string, want ...relay.Agent) {
		t.Helper()
		var got []relay.Agent
		for {
			select {
			case got = <-seen:
			case <-time.After(30 * time.Second):
				t.Fatalf("%s: (-want +got):\n%s", when, gocmp.Diff(want, got))
			}
			slices.SortFunc(got, func(a, b relay.Agent) int { return cmp.Compare(a.Node, b.Node) })
			if gocmp.Equal(want, got) {
				return
			}
		}
	}
	expect("before there is any")
	a := w.pod("kubearmor", "a", "kubearmor", corev1.PodRunning, "10.0.0.1")
	agentA := relay.Agent{ID: string(a.UID), Node: "node-of-a", Address: "10.0.0.1:32767"}
	expect("one runs", agentA)
	b := w.pod("kubearmor", "b", "kubearmor", corev1.PodPending, "")
	w.pod("kubearmor", "operator", "kubearmor-operator", corev1.PodRunning, "10.0.0.3")
	w.pod("default", "other", "kubearmor", corev1.PodRunning, "10.0.0.4")
	w.pod("kubearmor", "c", "kubearmor", corev1.PodPending, "")
	w.pod("kubearmor", "d", "kubearmor", corev1.PodSucceeded, "10.0.0.5")
	w.status(b, corev1.PodRunning, "fd00::2")
	agentB := relay.Agent{ID: string(b.UID), Node: "node-of-b", Address: "[fd00::2]:32767"}
	expect("another one runs, too", agentA, agentB)
	if err := c.Delete(t.Context(), a, client.GracePeriodSeconds(0)); err != nil {
		t.Fatal(err)
	}
	expect("one is gone", agentB)
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}
