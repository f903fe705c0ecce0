// SPDX-License-Identifier: Apache-2.0

// Package conformance holds our kinds against a real API server: what it must accept, what it must refuse and with
// which words, and what it prints.
package conformance

import (
	"context"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	kruntime "k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"

	operatorv1 "github.com/kubearmor/kubearmor-operator/api/operator/v1"
	securityv1 "github.com/kubearmor/kubearmor-operator/api/security/v1"
)

const projectRoot = "../.."

// server is one running API server with our CRDs.
type server struct {
	config *rest.Config
	// Client sends with strict field validation, as kubectl does.
	client.Client
}

// TestConformance starts one API server for every check.
func TestConformance(t *testing.T) {
	srv := start(t)
	for _, c := range []struct {
		name  string
		check func(*testing.T, *server)
	}{
		{"every published policy is accepted", testCorpusAccepted},
		{"a KubeArmorConfig may set every field that clients know", testConfigAccepted},
		{"input that cannot be right is refused with the field and the remedy", testRefusals},
		{"what is unusual but right is accepted", testUnusual},
		{"a status of an older version is no hindrance", testOlderStatus},
		{"a policy may hold 10,000 rules", testCapacity},
		{"short names and columns answer the user's question", testColumns},
		{"the samples are accepted as they are written", testSamples},
	} {
		t.Run(c.name, func(t *testing.T) { c.check(t, srv) })
	}
}

func start(t *testing.T) *server {
	t.Helper()
	env := &envtest.Environment{
		BinaryAssetsDirectory: assets(t),
		CRDDirectoryPaths:     []string{filepath.Join(projectRoot, "config/crd/bases")},
		ErrorIfCRDPathMissing: true,
	}
	config, err := env.Start()
	if err != nil {
		t.Fatalf("start the API server and install the CRDs: %v", err)
	}
	t.Cleanup(func() {
		if err := env.Stop(); err != nil {
			t.Errorf("stop the API server: %v", err)
		}
	})
	c, err := client.New(config, client.Options{Scheme: scheme(t)})
	if err != nil {
		t.Fatalf("make a client: %v", err)
	}
	return &server{config: config, Client: client.WithFieldValidation(c, metav1.FieldValidationStrict)}
}

// assets is the folder of kube-apiserver and etcd.
func assets(t *testing.T) string {
	t.Helper()
	dir := os.Getenv("KUBEBUILDER_ASSETS")
	if dir == "" {
		dir = filepath.Join(projectRoot, ".cache/kube", runtime.GOARCH)
	}
	for _, name := range []string{"kube-apiserver", "etcd"} {
		if _, err := os.Stat(filepath.Join(dir, name)); err != nil {
			t.Fatalf("no %s to test with: %v; build it with `make kube-envtest`", name, err)
		}
	}
	return dir
}

func scheme(t *testing.T) *kruntime.Scheme {
	t.Helper()
	s := kruntime.NewScheme()
	for _, add := range []func(*kruntime.Scheme) error{corev1.AddToScheme, operatorv1.AddToScheme, securityv1.AddToScheme} {
		if err := add(s); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

// namespace makes sure that a namespace exists.
func (s *server) namespace(ctx context.Context, t *testing.T, name string) {
	t.Helper()
	err := s.Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}})
	if err != nil && !apierrors.IsAlreadyExists(err) {
		t.Fatalf("create namespace %s: %v", name, err)
	}
}
