// SPDX-License-Identifier: Apache-2.0

package controllers_test

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1 "github.com/kubearmor/kubearmor-operator/api/operator/v1"
	"github.com/kubearmor/kubearmor-operator/controllers"
)

// identity is what a Secret of ours holds.
func identity(t *testing.T, name string) (cert *x509.Certificate, believed *x509.CertPool, err error) {
	t.Helper()
	secret := &corev1.Secret{}
	if err := cluster.Get(t.Context(), client.ObjectKey{Namespace: namespace, Name: name}, secret); err != nil {
		return nil, nil, err
	}
	pair, err := tls.X509KeyPair(secret.Data["tls.crt"], secret.Data["tls.key"])
	if err != nil {
		return nil, nil, err
	}
	believed = x509.NewCertPool()
	believed.AppendCertsFromPEM(secret.Data["ca.crt"])
	return pair.Leaf, believed, nil
}

// trusts says why the holder of one Secret would refuse the other's certificate.
func trusts(t *testing.T, holder, shown, name string, usage x509.ExtKeyUsage) error {
	t.Helper()
	_, believed, err := identity(t, holder)
	cert, _, err2 := identity(t, shown)
	if err := errors.Join(err, err2); err != nil {
		return err
	}
	_, err = cert.Verify(x509.VerifyOptions{Roots: believed, DNSName: name, KeyUsages: []x509.ExtKeyUsage{usage}})
	return err
}

func allTrust(t *testing.T) error {
	t.Helper()
	return errors.Join(
		trusts(t, v1.SecretRelay, v1.SecretAgent, "kubearmor-agent", x509.ExtKeyUsageServerAuth),
		trusts(t, v1.SecretAgent, v1.SecretRelay, "", x509.ExtKeyUsageClientAuth),
		trusts(t, v1.SecretClient, v1.SecretRelay, "kubearmor.kubearmor.svc", x509.ExtKeyUsageServerAuth),
		trusts(t, v1.SecretRelay, v1.SecretClient, "", x509.ExtKeyUsageClientAuth),
	)
}

func TestCertificatesAreMadeKeptAndRepaired(t *testing.T) {
	c := declare(t, v1.KubeArmorConfigSpec{})
	eventually(t, "all trust all", func() error { return allTrust(t) })
	fleet(t, c, "that certificates are valid", func(s v1.KubeArmorConfigStatus) error {
		return says(s, v1.ConfigCertificatesValid, "True", v1.ReasonAsExpected)
	})
	authority := &corev1.Secret{}
	must(t, cluster.Get(t.Context(), client.ObjectKey{Namespace: namespace, Name: v1.SecretAuthority}, authority))
	key, _ := pem.Decode(authority.Data["tls.key"])
	for _, name := range []string{v1.SecretAgent, v1.SecretRelay, v1.SecretClient} {
		secret := &corev1.Secret{}
		must(t, cluster.Get(t.Context(), client.ObjectKey{Namespace: namespace, Name: name}, secret))
		for file, text := range secret.Data {
			if block, _ := pem.Decode(text); bytes.Equal(block.Bytes, key.Bytes) {
				t.Errorf("the authority's key is in %s of Secret %s", file, name)
			}
		}
	}
	if got := gauges(t, "kubearmor_operator_certificate_expiry_timestamp_seconds"); got != 4 {
		t.Errorf("the ends of %d certificates are measured, want 4", got)
	}

	relay, _, err := identity(t, v1.SecretRelay)
	must(t, err)
	agent, _, err := identity(t, v1.SecretAgent)
	must(t, err)
	edit(t, c, func(c *v1.KubeArmorConfig) {
		c.Spec.TLS = v1.TLSSpec{ExtraDNSNames: []string{"alerts.test"}, ExtraIPAddresses: []string{"999.1"}}
	})
	within(t, 10*time.Second, "the relay's certificate is for the name of the spec", func() error {
		return trusts(t, v1.SecretClient, v1.SecretRelay, "alerts.test", x509.ExtKeyUsageServerAuth)
	})
	fleet(t, c, "which address is none", func(s v1.KubeArmorConfigStatus) error {
		return says(s, v1.ConfigCertificatesValid, "False", v1.ReasonFieldInvalid)
	})
	unchanged, _, err := identity(t, v1.SecretAgent)
	must(t, err)
	if renewed, _, err := identity(t, v1.SecretRelay); err != nil || renewed.Equal(relay) || !unchanged.Equal(agent) {
		t.Errorf("the relay's certificate must be another one and the agents' the same: %v", err)
	}

	must(t, cluster.Delete(t.Context(), &corev1.Secret{ObjectMeta: in(namespace, v1.SecretClient)}))
	edit(t, &corev1.Secret{ObjectMeta: in(namespace, v1.SecretAgent)}, func(s *corev1.Secret) {
		s.Data["tls.crt"] = slices.Clone(authority.Data["tls.crt"])
		s.Data["more"] = []byte("of someone else")
	}, client.FieldOwner("kubectl-edit"))
	within(t, 45*time.Second, "what was done to the Secrets is repaired", func() error {
		s := &corev1.Secret{}
		if err := cluster.Get(t.Context(), client.ObjectKey{Namespace: namespace, Name: v1.SecretAgent}, s); err != nil || len(s.Data) != 3 {
			return fmt.Errorf("%d files, %w", len(s.Data), err)
		}
		return allTrust(t)
	})
}

func TestOperatorSeesNoSecretButItsOwn(t *testing.T) {
	foreign := &corev1.Secret{ObjectMeta: in(namespace, "foreign")}
	must(t, cluster.Create(t.Context(), foreign))
	t.Cleanup(func() { _ = cluster.Delete(background(), foreign) })
	config := rest.CopyConfig(restConfig)
	config.Impersonate = rest.ImpersonationConfig{UserName: "system:serviceaccount:" + namespace + ":kubearmor-operator"}
	operator, err := client.New(config, client.Options{Scheme: controllers.Scheme()})
	must(t, err)
	for what, err := range map[string]error{
		"get":    operator.Get(t.Context(), client.ObjectKeyFromObject(foreign), &corev1.Secret{}),
		"list":   operator.List(t.Context(), &corev1.SecretList{}, client.InNamespace(namespace)),
		"delete": operator.Delete(t.Context(), foreign.DeepCopy()),
	} {
		if !apierrors.IsForbidden(err) {
			t.Errorf("%s: %v, want that it is forbidden", what, err)
		}
	}
}
