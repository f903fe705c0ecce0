// SPDX-License-Identifier: Apache-2.0

// Package controllers_test runs the whole operator, with the rights that config/rbac gives it, on a real API server. There
// is no kubelet, no scheduler and no other controller: what they would do, actors_test.go does by name.
package controllers_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/util/retry"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
	"sigs.k8s.io/controller-runtime/pkg/log/zap"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"github.com/kubearmor/kubearmor-operator/controllers"
	"github.com/kubearmor/kubearmor-operator/internal/certs"
	"github.com/kubearmor/kubearmor-operator/internal/render"
)

const (
	namespace    = "kubearmor"
	builtInImage = "registry.test/agent:built-in"
	maxProbes    = 3
)

// The API server is shared by all tests of the package; each test leaves the cluster as it found it.
var (
	cluster    client.Client
	restConfig *rest.Config
)

func TestMain(m *testing.M) {
	os.Exit(run(m))
}

func run(m *testing.M) int {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	ctrl.SetLogger(zap.New(zap.WriteTo(logFile()), zap.UseDevMode(true)))
	assets := os.Getenv("KUBEBUILDER_ASSETS")
	if assets == "" {
		assets = filepath.Join("..", ".cache", "kube", runtime.GOARCH)
	}
	if _, err := os.Stat(filepath.Join(assets, "kube-apiserver")); err != nil {
		fmt.Fprintf(os.Stderr, "no API server to test on: %v\nbuild it with: make kube\n", err)
		return 1
	}
	env := &envtest.Environment{
		BinaryAssetsDirectory: assets,
		CRDDirectoryPaths:     []string{filepath.Join("..", "config", "crd", "bases")},
		ErrorIfCRDPathMissing: true,
	}
	var err error
	if restConfig, err = env.Start(); err != nil {
		fmt.Fprintf(os.Stderr, "start the API server of %s: %v\n", assets, err)
		return 1
	}
	defer func() {
		cancel()
		if err := env.Stop(); err != nil {
			fmt.Fprintf(os.Stderr, "stop the API server: %v\n", err)
		}
	}()
	if err := prepare(ctx); err != nil {
		fmt.Fprintf(os.Stderr, "prepare the cluster: %v\n", err)
		return 1
	}
	return m.Run()
}

// logFile keeps the operator's log apart from the tests' own words: TEST_LOG names the file.
func logFile() *os.File {
	if path := os.Getenv("TEST_LOG"); path != "" {
		if f, err := os.Create(path); err == nil {
			return f
		}
	}
	f, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	if err != nil {
		panic(err)
	}
	return f
}

// prepare installs the namespace and the roles, and starts the operator with them.
func prepare(ctx context.Context) error {
	restConfig.QPS = -1
	var err error
	if cluster, err = client.New(restConfig, client.Options{Scheme: controllers.Scheme()}); err != nil {
		return err
	}
	for _, folder := range []string{"namespace", "rbac"} {
		if err = install(ctx, filepath.Join("..", "config", folder)); err != nil {
			return err
		}
	}
	if err := countQuota(ctx); err != nil {
		return err
	}
	operator := rest.CopyConfig(restConfig)
	operator.Impersonate = rest.ImpersonationConfig{
		UserName: "system:serviceaccount:" + namespace + ":kubearmor-operator",
		Groups:   []string{"system:serviceaccounts", "system:serviceaccounts:" + namespace, "system:authenticated"},
	}
	mgr, err := ctrl.NewManager(operator, ctrl.Options{
		Scheme:  controllers.Scheme(),
		Cache:   controllers.CacheOptions(namespace),
		Client:  controllers.ClientOptions(),
		Metrics: metricsserver.Options{BindAddress: "0"},
	})
	if err != nil {
		return err
	}
	if err := controllers.CheckAccess(ctx, mgr.GetAPIReader(), namespace); err != nil {
		return err
	}
	defaults := render.Defaults{Namespace: namespace, Image: builtInImage, RelayImage: "registry.test/relay:built-in"}
	if err := controllers.Setup(ctx, mgr, controllers.Options{Defaults: defaults, Lives: certs.DefaultLives(), MaxProbes: maxProbes}); err != nil {
		return err
	}
	go func() {
		if err := mgr.Start(ctx); err != nil {
			panic(err)
		}
	}()
	return nil
}

// countQuota plays the controller of quotas: without its counts the API server admits no Pod that a quota covers.
func countQuota(ctx context.Context) error {
	list := &corev1.ResourceQuotaList{}
	if err := cluster.List(ctx, list, client.InNamespace(namespace)); err != nil {
		return err
	}
	for i := range list.Items {
		q := &list.Items[i]
		q.Status.Hard = q.Spec.Hard
		q.Status.Used = corev1.ResourceList{corev1.ResourcePods: resource.MustParse("0")}
		if err := cluster.Status().Update(ctx, q); err != nil {
			return err
		}
	}
	return nil
}

// install creates every object in the YAML files of a folder of config/.
func install(ctx context.Context, folder string) error {
	files, err := filepath.Glob(filepath.Join(folder, "*.yaml"))
	if err != nil {
		return err
	}
	for _, path := range files {
		if filepath.Base(path) == "kustomization.yaml" {
			continue
		}
		if err := installFile(ctx, path); err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
	}
	return nil
}

func installFile(ctx context.Context, path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	decoder := utilyaml.NewYAMLOrJSONDecoder(f, 4096)
	for {
		u := &unstructured.Unstructured{}
		if err := decoder.Decode(u); err != nil {
			if err.Error() == "EOF" {
				return nil
			}
			return err
		}
		if len(u.Object) == 0 {
			continue
		}
		if err := cluster.Create(ctx, u); err != nil {
			return err
		}
	}
}

// eventually repeats a look at the cluster until it finds nothing wrong; what it found last is the failure.
func eventually(t *testing.T, what string, look func() error) {
	t.Helper()
	within(t, 30*time.Second, what, look)
}

func within(t *testing.T, limit time.Duration, what string, look func() error) {
	t.Helper()
	deadline := time.Now().Add(limit)
	for {
		err := look()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s: not within %s: %v", what, limit, err)
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// throughout repeats a look for a while: it must find nothing wrong the whole time.
func throughout(t *testing.T, d time.Duration, what string, look func() error) {
	t.Helper()
	for deadline := time.Now().Add(d); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		if err := look(); err != nil {
			t.Fatalf("%s: %v", what, err)
		}
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// edit changes an object as a person does who starts over when someone else was faster.
func edit[T client.Object](t *testing.T, o T, change func(T), opts ...client.UpdateOption) {
	t.Helper()
	must(t, retry.RetryOnConflict(retry.DefaultBackoff, func() error {
		if err := cluster.Get(t.Context(), client.ObjectKeyFromObject(o), o); err != nil {
			return err
		}
		change(o)
		return cluster.Update(t.Context(), o, opts...)
	}))
}

func isGone(ctx context.Context, o client.Object) error {
	err := cluster.Get(ctx, client.ObjectKeyFromObject(o), o)
	if err == nil {
		return fmt.Errorf("%T %s is still there", o, o.GetName())
	}
	return client.IgnoreNotFound(err)
}

func podIn(ns, name string, podLabels map[string]string) *corev1.Pod {
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: name, Labels: podLabels},
		Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "main", Image: "registry.test/app:1"}}},
	}
}
