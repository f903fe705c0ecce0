// SPDX-License-Identifier: Apache-2.0

package server

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/kubearmor/kubearmor-operator/internal/telemetry/feeder"
)

// authority signs certificates of a test.
type authority struct {
	t           *testing.T
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
	pem         []byte
}

func newAuthority(t *testing.T, name string) *authority {
	t.Helper()
	a := &authority{t: t}
	a.certificate = &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), KeyUsage: x509.KeyUsageCertSign,
	}
	a.key = a.newKey()
	der, err := x509.CreateCertificate(rand.Reader, a.certificate, a.certificate, &a.key.PublicKey, a.key)
	if err != nil {
		t.Fatal(err)
	}
	a.pem = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	return a
}

func (a *authority) newKey() *ecdsa.PrivateKey {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		a.t.Fatal(err)
	}
	return key
}

// sign gives a certificate and its key, in PEM, that ends after a while.
func (a *authority) sign(name string, usage x509.ExtKeyUsage, lasts time.Duration) (certificate, key []byte) {
	a.t.Helper()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name}, ExtKeyUsage: []x509.ExtKeyUsage{usage},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(lasts), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	own := a.newKey()
	der, err := x509.CreateCertificate(rand.Reader, template, a.certificate, &own.PublicKey, a.key)
	if err != nil {
		a.t.Fatal(err)
	}
	raw, err := x509.MarshalPKCS8PrivateKey(own)
	if err != nil {
		a.t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: raw})
}

// serverFiles writes what the operator mounts.
func (a *authority) serverFiles(folder string) {
	a.t.Helper()
	certificate, key := a.sign("server", x509.ExtKeyUsageServerAuth, time.Hour)
	for name, content := range map[string][]byte{fileCertificate: certificate, fileKey: key, fileCA: a.pem} {
		if err := os.WriteFile(filepath.Join(folder, name), content, 0o600); err != nil {
			a.t.Fatal(err)
		}
	}
}

// client trusts this authority and shows a certificate that signer made, or none.
func (a *authority) client(signer *authority, usage x509.ExtKeyUsage, lasts time.Duration) *tls.Config {
	a.t.Helper()
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(a.pem)
	config := &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS13}
	if signer != nil {
		pair, err := tls.X509KeyPair(signer.sign("client", usage, lasts))
		if err != nil {
			a.t.Fatal(err)
		}
		config.Certificates = []tls.Certificate{pair}
	}
	return config
}

// TestWhoGetsIn by mutual TLS, and what the others are told: each in a sentence that says what to do.
func TestWhoGetsIn(t *testing.T) {
	ca, stranger := newAuthority(t, "ca"), newAuthority(t, "stranger")
	folder := t.TempDir()
	ca.serverFiles(folder)
	const clientAuth = x509.ExtKeyUsageClientAuth
	for name, tt := range map[string]struct {
		insecure bool
		client   *tls.Config
		want     string
	}{
		"a client of the same CA":              {false, ca.client(ca, clientAuth, time.Hour), ""},
		"without a certificate":                {false, ca.client(nil, 0, 0), "the client shows no certificate: connect with one"},
		"of another CA":                        {false, ca.client(stranger, clientAuth, time.Hour), "the client's certificate (CN=client) is refused: x509: certificate signed by unknown authority"},
		"whose certificate has ended":          {false, ca.client(ca, clientAuth, -time.Minute), "the client's certificate (CN=client) is refused: x509: certificate has expired"},
		"with a server's certificate":          {false, ca.client(ca, x509.ExtKeyUsageServerAuth, time.Hour), "x509: certificate specifies an incompatible key usage"},
		"without TLS":                          {false, nil, "this server answers only over TLS: connect with a client certificate that its CA has signed, or let it run with --telemetry-insecure"},
		"without TLS, where that may be":       {true, nil, ""},
		"with TLS, where it need not be":       {true, ca.client(ca, clientAuth, time.Hour), ""},
		"of another CA, where TLS need not be": {true, ca.client(stranger, clientAuth, time.Hour), "is refused: x509: certificate signed by unknown authority"},
	} {
		t.Run(name, func(t *testing.T) {
			r := start(t, Options{TLSDir: folder, Insecure: tt.insecure})
			stream, err := r.watch(r.dial(tt.client), "WatchAlerts", "all")
			if tt.want == "" {
				if err != nil {
					t.Fatal(err)
				}
				r.Alert(&feeder.Alert{PolicyName: "p"})
				if got := r.next(stream, "Alert"); got[0] != "PolicyName = p" || r.Refused() != 0 {
					t.Errorf("got %s, %d refused", got, r.Refused())
				}
				return
			}
			said := status.Convert(err)
			if said.Code() != codes.Unauthenticated || !strings.Contains(said.Message(), tt.want) {
				t.Errorf("the client is told: %v", err)
			}
			if r.Refused() != 1 || !strings.Contains(r.logged(), tt.want) {
				t.Errorf("%d refused; log:\n%s", r.Refused(), r.logged())
			}
		})
	}
}

// TestCertificatesMayComeLateAndChange without a restart; those that do not fit together leave the last ones in use.
func TestCertificatesMayComeLateAndChange(t *testing.T) {
	old, folder := newAuthority(t, "old"), t.TempDir()
	r := start(t, Options{TLSDir: folder})
	connects := func(a *authority) error {
		_, err := r.watch(r.dial(a.client(a, x509.ExtKeyUsageClientAuth, time.Hour)), "WatchAlerts", "all")
		return err
	}
	if err := connects(old); err == nil || !strings.Contains(r.logged(), filepath.Join(folder, fileCertificate)+": no such file") {
		t.Errorf("without certificates: %v; log:\n%s", err, r.logged())
	}
	old.serverFiles(folder)
	if err := connects(old); err != nil {
		t.Errorf("after they came: %v", err)
	}
	_, key := old.sign("server", x509.ExtKeyUsageServerAuth, time.Hour)
	if err := os.WriteFile(filepath.Join(folder, fileKey), key, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := connects(old); err != nil {
		t.Errorf("with a key of another certificate: %v", err)
	}
	fresh := newAuthority(t, "new")
	fresh.serverFiles(folder)
	if err := connects(fresh); err != nil {
		t.Errorf("of the new CA: %v", err)
	}
	if err := connects(old); err == nil {
		t.Error("a client of the old CA still gets in")
	}
}
