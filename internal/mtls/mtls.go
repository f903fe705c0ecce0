// SPDX-License-Identifier: Apache-2.0

// Package mtls makes gRPC credentials from certificate files. They are read at every handshake, so that a renewed
// certificate or authority is in use with the next connection, without a restart and without a watcher.
package mtls

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"

	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
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
	_, err := f.read()
	return err
}

// read gives a config that is made of the files as they are now.
func (f Files) read() (*tls.Config, error) {
	config := &tls.Config{MinVersion: tls.VersionTLS12}
	if f.CA != "" {
		text, err := os.ReadFile(f.CA)
		if err != nil {
			return nil, fmt.Errorf("read the authority's certificate: %w", err)
		}
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(text) {
			return nil, fmt.Errorf("%s holds no certificate in PEM", f.CA)
		}
	}
	if (f.Cert == "") != (f.Key == "") {
		return nil, errors.New("a certificate and its key go together: one of them is not given")
	}
	if f.Cert != "" {
		pair, err := tls.LoadX509KeyPair(f.Cert, f.Key)
		if err != nil {
			return nil, fmt.Errorf("read the certificate %s with the key %s: %w", f.Cert, f.Key, err)
		}
		config.Certificates = []tls.Certificate{pair}
	}
	return config, nil
}

// Client gives credentials of a client. name is what the server's certificate must be for; empty: the host that is dialled.
func Client(f Files, name string) credentials.TransportCredentials {
	return &handshaker{files: f, name: name}
}

// Server gives credentials of a server that lets in clients whose certificate the authority signed, and no others. A client
// that speaks no TLS is told so in its own language.
func Server(f Files) credentials.TransportCredentials { return &handshaker{files: f} }

// OpenServer gives credentials of a server that also lets in whoever speaks no TLS.
func OpenServer(f Files) credentials.TransportCredentials { return &handshaker{files: f, open: true} }

// handshaker makes fresh credentials for every handshake.
type handshaker struct {
	files Files
	name  string
	open  bool
}

// ClientHandshake is credentials.TransportCredentials'.
func (h *handshaker) ClientHandshake(ctx context.Context, authority string, raw net.Conn) (net.Conn, credentials.AuthInfo, error) {
	config, err := h.files.read()
	if err != nil {
		return nil, nil, err
	}
	conn, info, err := credentials.NewTLS(config).ClientHandshake(ctx, cmp.Or(h.name, authority), raw)
	if err != nil {
		return nil, nil, h.explain(err)
	}
	return conn, info, nil
}

// ServerHandshake is credentials.TransportCredentials'.
func (h *handshaker) ServerHandshake(raw net.Conn) (net.Conn, credentials.AuthInfo, error) {
	conn, info, err := h.admit(raw)
	if err != nil {
		return nil, nil, fmt.Errorf("client %s: %w", raw.RemoteAddr(), err)
	}
	return conn, info, nil
}

func (h *handshaker) admit(raw net.Conn) (net.Conn, credentials.AuthInfo, error) {
	conn, plaintext, err := peek(raw)
	switch {
	case err != nil:
		return nil, nil, err
	case plaintext && h.open:
		return insecure.NewCredentials().ServerHandshake(conn)
	case plaintext:
		return nil, nil, refuse(conn, errPlaintext)
	}
	config, err := h.files.read()
	if err != nil {
		return nil, nil, err
	}
	if config.RootCAs == nil || len(config.Certificates) == 0 {
		return nil, nil, errors.New("a server needs an authority, a certificate and a key")
	}
	// Who the client is, is judged after the handshake: an alert within it is lost where the client still talks. Every
	// connection is judged by the certificate that it shows itself.
	config.ClientAuth, config.SessionTicketsDisabled = tls.RequestClientCert, true
	secured, info, err := credentials.NewTLS(config).ServerHandshake(conn)
	if err != nil {
		return nil, nil, err
	}
	if err := admits(config.RootCAs, info); err != nil {
		return nil, nil, errors.Join(refuse(secured, err), secured.Close())
	}
	return secured, info, nil
}

// Info is credentials.TransportCredentials'.
func (h *handshaker) Info() credentials.ProtocolInfo {
	return credentials.ProtocolInfo{SecurityProtocol: "tls"}
}

// Clone is credentials.TransportCredentials'.
func (h *handshaker) Clone() credentials.TransportCredentials {
	clone := *h
	return &clone
}

// OverrideServerName is credentials.TransportCredentials'.
func (h *handshaker) OverrideServerName(name string) error {
	h.name = name
	return nil
}
