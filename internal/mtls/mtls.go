// SPDX-License-Identifier: Apache-2.0

// Package mtls makes gRPC credentials from certificate files: of clients, and of servers that let in whom their authority
// signed and tell the others why not.
package mtls

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"path/filepath"

	"google.golang.org/grpc/credentials"
)

// Client gives credentials of a client. name is what the server's certificate must be for; empty: the host that is dialled.
func Client(f Files, name string) credentials.TransportCredentials {
	return &client{neither: neither{}, identities: newIdentities(f), name: name}
}

// ClientOf gives credentials of a client of a Secret's data, under the names that Folder has. from says which Secret.
func ClientOf(from string, data map[string][]byte, name string) (credentials.TransportCredentials, error) {
	held := newIdentities(Folder(from))
	held.readFile = func(path string) ([]byte, error) {
		text, is := data[filepath.Base(path)]
		if !is {
			return nil, fmt.Errorf("%s: %w", path, fs.ErrNotExist)
		}
		return text, nil
	}
	if _, err := held.load(); err != nil {
		return nil, err
	}
	return &client{neither: neither{}, identities: held, name: name}, nil
}

// client shows who it is to servers.
type client struct {
	neither
	*identities
	name string
}

// ClientHandshake is credentials.TransportCredentials'.
func (c *client) ClientHandshake(ctx context.Context, authority string, raw net.Conn) (net.Conn, credentials.AuthInfo, error) {
	who, problem := c.load()
	if who == nil {
		return nil, nil, problem
	}
	config := &tls.Config{MinVersion: tls.VersionTLS13, RootCAs: who.authority, Certificates: who.certificates}
	conn, info, err := credentials.NewTLS(config).ClientHandshake(ctx, cmp.Or(c.name, authority), raw)
	if err != nil {
		return nil, nil, c.explain(err)
	}
	return conn, info, nil
}

// Clone is credentials.TransportCredentials'.
func (c *client) Clone() credentials.TransportCredentials {
	clone := *c
	return &clone
}

// OverrideServerName is credentials.TransportCredentials'.
func (c *client) OverrideServerName(name string) error {
	c.name = name
	return nil
}

// explain says what a failed handshake means and what to do.
func (c *client) explain(err error) error {
	var plain tls.RecordHeaderError
	var authority x509.UnknownAuthorityError
	var name x509.HostnameError
	var invalid x509.CertificateInvalidError
	switch {
	case errors.As(err, &plain):
		return errors.New("the server speaks no TLS; connect without it (--insecure), or turn TLS on at the server")
	case errors.As(err, &authority):
		return fmt.Errorf("the server's certificate is not signed by %s; give the authority that signed it (--tls-ca)",
			cmp.Or(c.files.CA, "the system's authorities"))
	case errors.As(err, &name):
		return fmt.Errorf("the server's certificate is for another name: %w; give the right name (--tls-server-name)", err)
	case errors.As(err, &invalid):
		return fmt.Errorf("the server's certificate is not valid: %w; renew it, or set this machine's clock", err)
	}
	return err
}

// neither is what a client's and a server's credentials have in common: each refuses the other's part.
type neither struct{}

var errOtherSide = errors.New("these credentials are of the other side of a connection")

// ClientHandshake is credentials.TransportCredentials'.
func (neither) ClientHandshake(context.Context, string, net.Conn) (net.Conn, credentials.AuthInfo, error) {
	return nil, nil, errOtherSide
}

// ServerHandshake is credentials.TransportCredentials'.
func (neither) ServerHandshake(net.Conn) (net.Conn, credentials.AuthInfo, error) {
	return nil, nil, errOtherSide
}

// Info is credentials.TransportCredentials'.
func (neither) Info() credentials.ProtocolInfo {
	return credentials.ProtocolInfo{SecurityProtocol: "tls"}
}
