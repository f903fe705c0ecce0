// SPDX-License-Identifier: Apache-2.0

package mtls

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
)

// Files are PEM files: whom one believes, and who one is. Without CA the system's authorities are believed; without Cert and
// Key one has no certificate.
type Files struct{ CA, Cert, Key string }

// Folder names the files of a folder as Kubernetes' TLS Secrets do.
func Folder(dir string) Files {
	return Files{
		CA: filepath.Join(dir, "ca.crt"), Cert: filepath.Join(dir, "tls.crt"), Key: filepath.Join(dir, "tls.key"),
	}
}

// Check reads the files once, so that what is wrong with them is told at the start.
func (f Files) Check() error {
	_, err := newIdentities(f).load()
	return err
}

// mostReads of the files until two in a row give the same.
const mostReads = 10

// texts of the files: CA, certificate, key; nil for one that is not named.
type texts [3][]byte

func (t texts) equal(o texts) bool {
	return slices.EqualFunc(t[:], o[:], bytes.Equal)
}

// stable gives the files as they were at one moment. A Secret's volume swaps them all at once by one symlink, which may
// happen between the reads of two files: only two rounds that agree were not torn. read is os.ReadFile.
func (f Files) stable(read func(string) ([]byte, error)) (texts, error) {
	last, problem := f.readAll(read)
	for range mostReads - 1 {
		again, err := f.readAll(read)
		if problem == nil && err == nil && again.equal(last) {
			return again, nil
		}
		if problem != nil && err != nil {
			return texts{}, err
		}
		last, problem = again, err
	}
	return texts{}, fmt.Errorf("the files beside %s change all the time: write them once, all together", f.Cert)
}

func (f Files) readAll(read func(string) ([]byte, error)) (texts, error) {
	var all texts
	for i, file := range []struct{ path, what string }{
		{f.CA, "the authority's certificate"}, {f.Cert, "the certificate"}, {f.Key, "the certificate's key"},
	} {
		if file.path == "" {
			continue
		}
		text, err := read(file.path)
		if err != nil {
			return texts{}, fmt.Errorf("read %s: %w", file.what, err)
		}
		all[i] = text
	}
	return all, nil
}

// identity is whom one believes (nil: the system's authorities), and who one is (empty: nobody).
type identity struct {
	authority    *x509.CertPool
	certificates []tls.Certificate
}

// parse makes an identity of the files' texts.
func (f Files) parse(t texts) (*identity, error) {
	who := &identity{}
	if f.CA != "" {
		who.authority = x509.NewCertPool()
		if !who.authority.AppendCertsFromPEM(t[0]) {
			return nil, fmt.Errorf("%s holds no certificate in PEM", f.CA)
		}
	}
	if (f.Cert == "") != (f.Key == "") {
		return nil, errors.New("a certificate and its key go together: one of them is not given")
	}
	if f.Cert != "" {
		pair, err := tls.X509KeyPair(t[1], t[2])
		if err != nil {
			return nil, fmt.Errorf("read the certificate %s with the key %s: %w", f.Cert, f.Key, err)
		}
		who.certificates = []tls.Certificate{pair}
	}
	return who, nil
}

// identities are what the files hold over time. They are read at every handshake, which comes seldom, so that certificates
// that are renewed, or that come late, need no restart and no watcher. Files that do not fit together, as between two of
// their writes, leave the last ones in use.
type identities struct {
	files    Files
	readFile func(string) ([]byte, error)

	mu      sync.Mutex
	read    texts
	current *identity
}

func newIdentities(f Files) *identities { return &identities{files: f, readFile: os.ReadFile} }

// load gives the newest identity that is whole. problem says why that is not what the files hold; without any identity it
// is why there is none.
func (i *identities) load() (current *identity, problem error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	read, err := i.files.stable(i.readFile)
	if err != nil {
		return i.current, err
	}
	if i.current != nil && read.equal(i.read) {
		return i.current, nil
	}
	fresh, err := i.files.parse(read)
	if err != nil {
		return i.current, err
	}
	i.read, i.current = read, fresh
	return fresh, nil
}
