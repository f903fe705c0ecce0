// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"encoding/json"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apiruntime "k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"

	v1 "github.com/kubearmor/kubearmor-operator/api/operator/v1"
	securityv1 "github.com/kubearmor/kubearmor-operator/api/security/v1"
	"github.com/kubearmor/kubearmor-operator/internal/support"
)

// apiServer starts a real one with our kinds.
func apiServer(t *testing.T) *envtest.Environment {
	t.Helper()
	return startAPIServer(t, filepath.Join("..", "..", "config", "crd", "bases"))
}

// apiServerWithout starts a real one that has nothing of ours.
func apiServerWithout(t *testing.T) *envtest.Environment {
	t.Helper()
	return startAPIServer(t)
}

func startAPIServer(t *testing.T, kinds ...string) *envtest.Environment {
	t.Helper()
	assets := os.Getenv("KUBEBUILDER_ASSETS")
	if assets == "" {
		assets = filepath.Join("..", "..", ".cache", "kube", runtime.GOARCH)
	}
	if _, err := os.Stat(filepath.Join(assets, "kube-apiserver")); err != nil {
		t.Fatalf("no API server to test on: %v; build it with: make kube", err)
	}
	env := &envtest.Environment{
		BinaryAssetsDirectory: assets,
		CRDDirectoryPaths:     kinds,
		ErrorIfCRDPathMissing: true,
	}
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

func TestProbeReadsARealCluster(t *testing.T) {
	env := apiServer(t)
	scheme := apiruntime.NewScheme()
	for _, add := range []func(*apiruntime.Scheme) error{v1.AddToScheme, securityv1.AddToScheme, corev1.AddToScheme} {
		if err := add(scheme); err != nil {
			t.Fatal(err)
		}
	}
	c, err := client.New(env.Config, client.Options{Scheme: scheme})
	if err != nil {
		t.Fatal(err)
	}
	admin := kubeconfigOf(t, env, "admin", "system:masters")
	if got := karmor(t, "probe", "--kubeconfig", admin); got.code != ExitOK || !strings.Contains(got.errors, "no node is managed yet") {
		t.Errorf("without nodes: %+v", got)
	}
	facts := attachRefused()
	verdict := support.Decide(facts)
	n := node("worker-b", func(n *v1.KubeArmorNode) {
		n.Spec.Facts, n.Spec.Verdict, n.Spec.Probe.Reason = &facts, &verdict, v1.ReasonProbeSucceeded
	})
	if err := c.Create(t.Context(), &n); err != nil {
		t.Fatal(err)
	}
	got := karmor(t, "probe", "--kubeconfig", admin, "-o", "json")
	var list v1.KubeArmorNodeList
	if err := json.Unmarshal([]byte(got.out), &list); err != nil {
		t.Fatalf("%v: %+v", err, got)
	}
	if len(list.Items) != 1 || list.Items[0].Name != "worker-b" || *list.Items[0].Spec.Verdict != verdict {
		t.Errorf("read %s", got.out)
	}
	web := pod("default", "web", "worker-b", map[string]string{"app": "web"})
	web.Spec.Containers[0].Image = "web"
	confining := &securityv1.KubeArmorPolicy{}
	confining.Namespace, confining.Name, confining.Spec.Action = "default", "no-shell", "Block"
	confining.Spec.Selector.MatchLabels = web.Labels
	confining.Spec.Process.MatchPaths = []securityv1.ProcessPath{{Path: "/bin/sh"}}
	for _, o := range []client.Object{&web, confining} {
		if err := c.Create(t.Context(), o); err != nil {
			t.Fatal(err)
		}
	}
	if got := karmor(t, "probe", "--kubeconfig", admin); got.code != ExitOK || !strings.Contains(got.out, "default    web  unknown   audit    no-shell") {
		t.Errorf("with a Pod: exit %d: %s\n%s", got.code, got.errors, got.out)
	}
	nobody := kubeconfigOf(t, env, "nobody", "nobodies")
	if got := karmor(t, "probe", "--kubeconfig", nobody); got.code != ExitFailed || !strings.Contains(got.errors, "get and list on kubearmornodes") {
		t.Errorf("without rights: %+v", got)
	}
}

func kubeconfigOf(t *testing.T, env *envtest.Environment, name, group string) string {
	t.Helper()
	user, err := env.AddUser(envtest.User{Name: name, Groups: []string{group}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	b, err := user.KubeConfig()
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(file, b, 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}
