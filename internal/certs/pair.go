// SPDX-License-Identifier: Apache-2.0

package certs

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"time"
)

const (
	pemCertificate = "CERTIFICATE"
	pemKey         = "PRIVATE KEY"
)

// pair is a certificate and its key.
type pair struct {
	cert            *x509.Certificate
	key             crypto.Signer
	certPEM, keyPEM []byte
}

// newAuthority signs itself.
func newAuthority(now time.Time, life time.Duration) (pair, error) {
	t := template("kubearmor-ca", now, life)
	t.IsCA, t.BasicConstraintsValid, t.MaxPathLenZero = true, true, true
	t.KeyUsage = x509.KeyUsageCertSign | x509.KeyUsageCRLSign
	return sign(t, nil)
}

// newLeaf ends no later than who signs it.
func newLeaf(id Identity, signer pair, now time.Time, life time.Duration) (pair, error) {
	t := template(id.CommonName, now, life)
	t.NotAfter = earlier(t.NotAfter, signer.cert.NotAfter)
	t.DNSNames, t.IPAddresses = id.DNSNames, id.IPs
	t.KeyUsage, t.ExtKeyUsage = x509.KeyUsageDigitalSignature, id.Usages
	return sign(t, &signer)
}

func template(name string, now time.Time, life time.Duration) *x509.Certificate {
	begin := now.Add(-backdate(life))
	return &x509.Certificate{Subject: pkix.Name{CommonName: name}, NotBefore: begin, NotAfter: begin.Add(life)}
}

// sign makes a key and its certificate; without a signer it signs itself. The serial number is random.
func sign(t *x509.Certificate, signer *pair) (pair, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return pair{}, fmt.Errorf("make a key: %w", err)
	}
	parent, by := t, crypto.Signer(key)
	if signer != nil {
		parent, by = signer.cert, signer.key
	}
	der, err := x509.CreateCertificate(rand.Reader, t, parent, key.Public(), by)
	if err != nil {
		return pair{}, fmt.Errorf("sign a certificate: %w", err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return pair{}, fmt.Errorf("write a key: %w", err)
	}
	return readPair(block(pemCertificate, der), block(pemKey, private))
}

func block(kind string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}

// readPairs reads as many certificates as keys, in the same order.
func readPairs(certs, keys []byte) ([]pair, error) {
	certBlocks, keyBlocks := blocks(certs), blocks(keys)
	switch {
	case len(certBlocks) == 0:
		return nil, errors.New(FileCert + " holds no certificate")
	case len(certBlocks) != len(keyBlocks):
		return nil, fmt.Errorf("%s holds %d certificates, %s %d keys", FileCert, len(certBlocks), FileKey, len(keyBlocks))
	}
	var out []pair
	for i := range certBlocks {
		p, err := readPair(certBlocks[i], keyBlocks[i])
		if err != nil {
			return nil, err
		}
		out = append(out, p)
	}
	return out, nil
}

func blocks(text []byte) [][]byte {
	var out [][]byte
	for {
		var b *pem.Block
		if b, text = pem.Decode(text); b == nil {
			return out
		}
		out = append(out, pem.EncodeToMemory(b))
	}
}

// readPair also checks that key and certificate belong together.
func readPair(certPEM, keyPEM []byte) (pair, error) {
	both, err := tls.X509KeyPair(certPEM, keyPEM)
	if err != nil {
		return pair{}, err
	}
	key, isKey := both.PrivateKey.(crypto.Signer)
	if !isKey {
		return pair{}, fmt.Errorf("a key of type %T cannot sign", both.PrivateKey)
	}
	return pair{cert: both.Leaf, key: key, certPEM: certPEM, keyPEM: keyPEM}, nil
}

func certsOf(pairs []pair) []byte {
	var out bytes.Buffer
	for _, p := range pairs {
		out.Write(p.certPEM)
	}
	return out.Bytes()
}

func keysOf(pairs []pair) []byte {
	var out bytes.Buffer
	for _, p := range pairs {
		out.Write(p.keyPEM)
	}
	return out.Bytes()
}
