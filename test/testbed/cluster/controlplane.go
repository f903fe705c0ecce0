// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
)

// readyLimit bounds the wait for the API server: 3 s on an idle machine, far more when both cores are busy.
const readyLimit = 3 * time.Minute

// process is one program of the control plane.
type process struct {
	name string
	args []string
}

// processes of the control plane, in the order in which they are started. Each waits for the one before it by itself.
func (c *Cluster) processes() []process {
	return []process{
		{"etcd", c.etcdArgs()},
		{"kube-apiserver", c.apiserverArgs()},
		{"kube-controller-manager", []string{
			"--kubeconfig=" + c.identity("controller-manager.kubeconfig"),
			"--service-account-private-key-file=" + c.identity("tokens.key"),
			"--root-ca-file=" + c.identity("ca.crt"),
			"--use-service-account-credentials=true",
			"--allocate-node-cidrs=false",
			"--leader-elect=false",
			"--bind-address=127.0.0.1",
		}},
		{"kube-scheduler", []string{
			"--kubeconfig=" + c.identity("scheduler.kubeconfig"),
			"--leader-elect=false",
			"--bind-address=127.0.0.1",
		}},
	}
}

func (c *Cluster) identity(file string) string { return filepath.Join(c.pki(), file) }

func (c *Cluster) etcdArgs() []string {
	return []string{
		"--data-dir=" + filepath.Join(c.Dir, "etcd"),
		"--listen-client-urls=http://127.0.0.1:2379",
		"--advertise-client-urls=http://127.0.0.1:2379",
		"--listen-peer-urls=http://127.0.0.1:2380",
		"--unsafe-no-fsync", // The data does not outlive the fleet.
		"--log-level=warn",
	}
}

func (c *Cluster) apiserverArgs() []string {
	return []string{
		"--etcd-servers=http://127.0.0.1:2379",
		"--secure-port=443",
		"--advertise-address=" + Gateway,
		"--service-cluster-ip-range=" + serviceRange,
		"--tls-cert-file=" + c.identity("apiserver.crt"),
		"--tls-private-key-file=" + c.identity("apiserver.key"),
		"--client-ca-file=" + c.identity("ca.crt"),
		"--service-account-issuer=https://kubernetes.default.svc",
		"--service-account-key-file=" + c.identity("tokens.crt"),
		"--service-account-signing-key-file=" + c.identity("tokens.key"),
		"--authorization-mode=Node,RBAC",
		"--enable-admission-plugins=NodeRestriction",
		"--allow-privileged=true",
		"--kubelet-certificate-authority=" + c.identity("ca.crt"),
		"--kubelet-client-certificate=" + c.identity("apiserver.crt"),
		"--kubelet-client-key=" + c.identity("apiserver.key"),
		"--kubelet-preferred-address-types=InternalIP",
	}
}

// writeIdentities makes the certificates, keys and kubeconfigs of the control plane and of the person who uses it.
func (c *Cluster) writeIdentities() error {
	authority, err := NewAuthority("kubearmor-testbed")
	if err != nil {
		return err
	}
	c.Authority = authority
	if err := os.WriteFile(c.identity("ca.crt"), authority.PEM(), 0o644); err != nil {
		return err
	}
	tokens, err := newTokenKey()
	if err != nil {
		return err
	}
	if err := tokens.write(c.pki(), "tokens"); err != nil {
		return err
	}
	// The API server shows the same certificate to its clients and, as their administrator, to the kubelets.
	server, err := authority.Issue(Subject{
		Name: "kube-apiserver", Group: "system:masters",
		IPs: []string{"127.0.0.1", Gateway, ServiceAddress, c.Network.Address},
		DNS: []string{"kubernetes", "kubernetes.default", "kubernetes.default.svc"},
	})
	if err != nil {
		return err
	}
	if err := server.write(c.pki(), "apiserver"); err != nil {
		return err
	}
	return c.writeKubeconfigs()
}

func (c *Cluster) writeKubeconfigs() error {
	inside, outside := "https://"+Gateway, "https://"+c.Network.Address
	for _, k := range []struct {
		file, server string
		subject      Subject
	}{
		{c.identity("controller-manager.kubeconfig"), inside, Subject{Name: "system:kube-controller-manager"}},
		{c.identity("scheduler.kubeconfig"), inside, Subject{Name: "system:kube-scheduler"}},
		{c.AdminKubeconfig(), outside, Subject{Name: "admin", Group: "system:masters"}},
	} {
		content, err := c.UserKubeconfig(k.server, k.subject)
		if err != nil {
			return err
		}
		if err := os.WriteFile(k.file, content, 0o600); err != nil {
			return err
		}
	}
	return nil
}

// UserKubeconfig issues a certificate for a user and returns the kubeconfig that carries it.
func (c *Cluster) UserKubeconfig(server string, subject Subject) ([]byte, error) {
	pair, err := c.Authority.Issue(subject)
	if err != nil {
		return nil, err
	}
	return Kubeconfig(server, c.Authority.PEM(), subject.Name, pair)
}

// RESTConfig of the administrator.
func (c *Cluster) RESTConfig() (*rest.Config, error) {
	return clientcmd.BuildConfigFromFlags("", c.AdminKubeconfig())
}

func (c *Cluster) waitReady(ctx context.Context) error {
	config, err := c.RESTConfig()
	if err != nil {
		return err
	}
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, readyLimit)
	defer cancel()
	for {
		body, err := client.Discovery().RESTClient().Get().AbsPath("/readyz").DoRaw(ctx)
		if err == nil && string(body) == "ok" {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("the API server is not ready: %w (its log: %s)", err, filepath.Join(c.LogDir(), "kube-apiserver.log"))
		case <-time.After(200 * time.Millisecond):
		}
	}
}
