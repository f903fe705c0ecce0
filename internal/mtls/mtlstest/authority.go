// SPDX-License-Identifier: Apache-2.0

// Package mtlstest is a certificate authority for tests and benchmarks.
package mtlstest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"

	"github.com/kubearmor/kubearmor-operator/internal/mtls"
)

// lifetime of the certificates, from an hour before they are made.
const lifetime = 24 * time.Hour

// Authority signs certificates.
type Authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	pem  []byte
}

// New makes an authority with this name.
func New(name string) (*Authority, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("make key: %w", err)
	}
	template := certificate(name, time.Now().Add(lifetime))
	template.IsCA, template.BasicConstraintsValid, template.KeyUsage = true, true, x509.KeyUsageCertSign
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return nil, fmt.Errorf("make authority: %w", err)
	}
	cert, err := x509.ParseCertificate(der)
	return &Authority{cert: cert, key: key, pem: block("CERTIFICATE", der)}, err
}

// Issue writes a certificate for a name and for 127.0.0.1, its key and the authority's certificate into dir, over what is
// there. The certificate is good for servers and for clients.
func (a *Authority) Issue(dir, name string) (mtls.Files, error) {
	return a.IssueFor(dir, name, time.Now().Add(lifetime), x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth)
}

// IssueFor is Issue with a time at which the certificate ends, and what it is good for.
func (a *Authority) IssueFor(dir, name string, end time.Time, usages ...x509.ExtKeyUsage) (mtls.Files, error) {
	files := mtls.Folder(dir)
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return files, fmt.Errorf("make key: %w", err)
	}
	template := certificate(name, end)
	template.DNSNames, template.IPAddresses = []string{name}, []net.IP{net.IPv4(127, 0, 0, 1)}
	template.ExtKeyUsage = usages
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, &key.PublicKey, a.key)
	if err != nil {
		return files, fmt.Errorf("sign certificate: %w", err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return files, fmt.Errorf("write key: %w", err)
	}
	for file, text := range map[string][]byte{
		files.CA: a.pem, files.Cert: block("CERTIFICATE", der), files.Key: block("PRIVATE KEY", private),
	} {
		if err := replace(file, text); err != nil {
			return files, err
		}
	}
	return files, nil
}

func certificate(name string, end time.Time) *x509.Certificate {
	return &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: end,
	}
}

func block(kind string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}

// replace puts a file in place in one step, as the kubelet does.
func replace(file string, text []byte) error {
	next := filepath.Join(filepath.Dir(file), "."+filepath.Base(file))
	if err := os.WriteFile(next, text, 0o600); err != nil {
		return err
	}
	return os.Rename(next, file)
}
