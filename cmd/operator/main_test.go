// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/go-logr/logr"
	authenticationv1 "k8s.io/api/authentication/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"

	v1 "github.com/kubearmor/kubearmor-operator/api/operator/v1"
	"github.com/kubearmor/kubearmor-operator/controllers"
	"github.com/kubearmor/kubearmor-operator/internal/certs"
	"github.com/kubearmor/kubearmor-operator/internal/conditions"
)

const namespace = "kubearmor"

// TestInstalledOperator installs config/default with kubectl, as a user does, and runs the operator with the account that
// this gives it.
func TestInstalledOperator(t *testing.T) {
	assets := assetsDirectory(t)
	env := &envtest.Environment{BinaryAssetsDirectory: assets}
	admin, err := env.Start()
	must(t, err)
	t.Cleanup(func() { _ = env.Stop() })
	cluster, err := client.New(admin, client.Options{Scheme: controllers.Scheme()})
	must(t, err)
	kubeconfig := filepath.Join(t.TempDir(), "admin")
	must(t, os.WriteFile(kubeconfig, env.KubeConfig, 0o600))
	apply(t, assets, kubeconfig, "-k", filepath.Join("..", "..", "config", "default"))
	apply(t, assets, kubeconfig, "-f", filepath.Join("..", "..", "config", "samples", "operator_v1_kubearmorconfig.yaml"))

	ctrl.SetLogger(logr.Discard())
	t.Setenv("KUBECONFIG", accountKubeconfig(t, cluster, admin, "kubearmor-operator"))
	o := options{
		metricsAddress: freeAddress(t), healthAddress: freeAddress(t),
		leaderElect: true, namespace: namespace, maxProbes: 1, lives: certs.DefaultLives(),
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- run(ctx, o) }()
	t.Cleanup(cancel)

	eventually(t, "it is ready", func() error { return answers("http://"+o.healthAddress+"/readyz", "", http.StatusOK) })
	eventually(t, "it leads", func() error {
		return cluster.Get(t.Context(), client.ObjectKey{Namespace: namespace, Name: "kubearmor-operator"}, &coordinationv1.Lease{})
	})
	eventually(t, "it acts on the sample", func() error {
		c := &v1.KubeArmorConfig{}
		if err := cluster.Get(t.Context(), client.ObjectKey{Namespace: namespace, Name: "default"}, c); err != nil {
			return err
		}
		if got := conditions.Get(c.Status.Conditions, v1.ConfigReady).Reason; got != v1.ReasonNoNodes {
			return fmt.Errorf("Ready has reason %q", got)
		}
		return nil
	})
	metricsAreGuarded(t, cluster, admin, "https://"+o.metricsAddress+"/metrics")

	cancel()
	select {
	case err := <-ended:
		must(t, err)
	case <-time.After(30 * time.Second):
		t.Error("it does not end")
	}
}

// metricsAreGuarded: only an account that is bound to the metrics reader's role sees them.
func metricsAreGuarded(t *testing.T, cluster client.Client, admin *rest.Config, url string) {
	t.Helper()
	must(t, cluster.Create(t.Context(), &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "scraper"}}))
	token := tokenOf(t, cluster, "scraper")
	must(t, answers(url, "", http.StatusUnauthorized))
	must(t, answers(url, token, http.StatusForbidden))
	must(t, cluster.Create(t.Context(), &rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: "scraper"},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "kubearmor-metrics-reader"},
		Subjects:   []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Namespace: namespace, Name: "scraper"}},
	}))
	eventually(t, "the metrics are readable once the role is bound", func() error { return answers(url, token, http.StatusOK) })
}

func TestOptionsThatCannotWorkAreRefused(t *testing.T) {
	cases := map[string]options{
		"--namespace is empty": {maxProbes: 1},
		"--max-probes is 0":    {namespace: "x"},
		"--certificate-life is 1m0s: ": {
			namespace: "x", maxProbes: 1, lives: certs.Lives{Authority: time.Hour, Leaf: time.Minute},
		},
		"--authority-life is 4m0s: set it to 15m0s": {
			namespace: "x", maxProbes: 1, lives: certs.Lives{Authority: 4 * time.Minute, Leaf: 3 * time.Minute},
		},
	}
	for want, o := range cases {
		if err := run(t.Context(), o); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v", want, err)
		}
	}
}

func TestImagesThatNobodyNames(t *testing.T) {
	for variable, c := range map[string]struct {
		image func() string
		want  string
	}{
		"RELATED_IMAGE_KUBEARMOR":              {agentImage, "docker.io/kubearmor/fleet-agent:dev"},
		"RELATED_IMAGE_KUBEARMOR_RELAY_SERVER": {relayImage, "docker.io/kubearmor/fleet-relay:dev"},
	} {
		if got := c.image(); got != c.want {
			t.Errorf("got %s, want %s", got, c.want)
		}
		t.Setenv(variable, "registry.test/image@sha256:0")
		if got := c.image(); got != "registry.test/image@sha256:0" {
			t.Errorf("with %s: got %s", variable, got)
		}
	}
}

func assetsDirectory(t *testing.T) string {
	t.Helper()
	assets := os.Getenv("KUBEBUILDER_ASSETS")
	if assets == "" {
		assets = filepath.Join("..", "..", ".cache", "kube", runtime.GOARCH)
	}
	for _, name := range []string{"etcd", "kube-apiserver", "kubectl"} {
		if _, err := os.Stat(filepath.Join(assets, name)); err != nil {
			t.Fatalf("no API server to test on: %v; build it with: make kube", err)
		}
	}
	return assets
}

func apply(t *testing.T, assets, kubeconfig string, what ...string) {
	t.Helper()
	kubectl := filepath.Join(assets, "kubectl")
	eventually(t, "kubectl apply "+strings.Join(what, " "), func() error {
		cmd := exec.CommandContext(t.Context(), kubectl, append([]string{"--kubeconfig", kubeconfig, "apply", "--server-side"}, what...)...)
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("%w: %s", err, out)
		}
		return nil
	})
}

func tokenOf(t *testing.T, cluster client.Client, account string) string {
	t.Helper()
	request := &authenticationv1.TokenRequest{}
	sa := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: account}}
	must(t, cluster.SubResource("token").Create(t.Context(), sa, request))
	return request.Status.Token
}

// accountKubeconfig is a file with a real token of the account.
func accountKubeconfig(t *testing.T, cluster client.Client, admin *rest.Config, account string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), account)
	must(t, clientcmd.WriteToFile(clientcmdapi.Config{
		Clusters:       map[string]*clientcmdapi.Cluster{"c": {Server: admin.Host, CertificateAuthorityData: admin.CAData}},
		AuthInfos:      map[string]*clientcmdapi.AuthInfo{"u": {Token: tokenOf(t, cluster, account)}},
		Contexts:       map[string]*clientcmdapi.Context{"x": {Cluster: "c", AuthInfo: "u"}},
		CurrentContext: "x",
	}, path))
	return path
}

func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	defer l.Close()
	return l.Addr().String()
}

func answers(url, token string, want int) error {
	request, err := http.NewRequest(http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	if token != "" {
		request.Header.Set("Authorization", "Bearer "+token)
	}
	// The operator's certificate is its own; who asks is what is tested.
	c := &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}}
	response, err := c.Do(request)
	if err != nil {
		return err
	}
	body, err := io.ReadAll(response.Body)
	err = errors.Join(err, response.Body.Close())
	if err != nil {
		return err
	}
	if response.StatusCode != want {
		return fmt.Errorf("%s answers %d, want %d: %.200s", url, response.StatusCode, want, body)
	}
	if strings.HasSuffix(url, "/metrics") && want == http.StatusOK && !strings.Contains(string(body), "controller_runtime_reconcile_total") {
		return fmt.Errorf("%s has no metrics of the controllers", url)
	}
	return nil
}

func eventually(t *testing.T, what string, look func() error) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(100 * time.Millisecond) {
		err := look()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
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
