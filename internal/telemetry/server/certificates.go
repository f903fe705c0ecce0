// SPDX-License-Identifier: Apache-2.0

package server

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
)

// Files of a folder of certificates, named as in a Secret of type kubernetes.io/tls.
const (
	fileCertificate = "tls.crt"
	fileKey         = "tls.key"
	fileCA          = "ca.crt"
)

// folder of certificates. It is read at every handshake, which comes seldom, so that certificates that are renewed, or
// that come late, need no restart. Files that do not fit together, as between two of their writes, leave the last ones in
// use.
type folder struct {
	path string

	mu      sync.Mutex
	read    [3][]byte
	current *identity
}

// identity is what the server shows, and whom it lets in.
type identity struct {
	certificate tls.Certificate
	clients     *x509.CertPool
}

// load gives the newest identity that is whole. problem says why that is not what the files hold; without any identity it
// is why there is none.
func (f *folder) load() (current *identity, problem error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	var files [3][]byte
	for i, name := range []string{fileCertificate, fileKey, fileCA} {
		content, err := os.ReadFile(filepath.Join(f.path, name))
		if err != nil {
			return f.current, fmt.Errorf("read certificates: %w", err)
		}
		files[i] = content
	}
	same := func(i int) bool { return bytes.Equal(files[i], f.read[i]) }
	if f.current != nil && same(0) && same(1) && same(2) {
		return f.current, nil
	}
	fresh, err := parseIdentity(files[0], files[1], files[2])
	if err != nil {
		return f.current, fmt.Errorf("read certificates in %s: %w", f.path, err)
	}
	f.read, f.current = files, fresh
	return fresh, nil
}

func parseIdentity(certificate, key, ca []byte) (*identity, error) {
	pair, err := tls.X509KeyPair(certificate, key)
	if err != nil {
		return nil, fmt.Errorf("%s and %s: %w", fileCertificate, fileKey, err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(ca) {
		return nil, errors.New(fileCA + " holds no certificate")
	}
	return &identity{certificate: pair, clients: pool}, nil
}

// config asks the client for a certificate. Whether it is a good one is decided by admits, after the handshake: only then
// the refusal can be a sentence.
func (i *identity) config() *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS13, NextProtos: []string{"h2"},
		Certificates: []tls.Certificate{i.certificate}, ClientAuth: tls.RequestClientCert,
		// Every connection is judged by its own certificate.
		SessionTicketsDisabled: true,
	}
}

// admits says why a client is refused, nil when it is not. The handshake has shown that the certificate's key is its own.
func (i *identity) admits(shown []*x509.Certificate) error {
	if len(shown) == 0 {
		return errors.New("the client shows no certificate: connect with one that the CA of this server has signed for client authentication")
	}
	between := x509.NewCertPool()
	for _, c := range shown[1:] {
		between.AddCert(c)
	}
	_, err := shown[0].Verify(x509.VerifyOptions{
		Roots: i.clients, Intermediates: between, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	})
	if err != nil {
		return fmt.Errorf("the client's certificate (%s) is refused: %w: connect with one that the CA of this server has signed for client authentication",
			shown[0].Subject, err)
	}
	return nil
}
