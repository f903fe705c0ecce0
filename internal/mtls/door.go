// SPDX-License-Identifier: Apache-2.0

package mtls

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
)

// Bounds of what clients cost that nobody knows yet.
const (
	// handshakeTime bounds how long a client may take to say who it is.
	handshakeTime = 10 * time.Second
	// mostUnknown clients may be at it, mostOfOne of them from one address: who says nothing takes no place of the others.
	mostUnknown = 256
	mostOfOne   = 32
)

// Door of a server: it lets in clients whose certificate the authority signed, and tells the others why not.
type Door struct {
	// Files may come late, and change; all three are needed.
	Files Files
	// ClearText lets in clients that speak no TLS as well.
	ClearText bool
	// Refused is told of every connection that was not let in; nil: nobody is.
	Refused func(client net.Addr, why error)
}

// Credentials are the door in gRPC's terms.
func (d Door) Credentials() credentials.TransportCredentials {
	if d.Refused == nil {
		d.Refused = func(net.Addr, error) {}
	}
	return &doorkeeper{Door: d, identities: newIdentities(d.Files), unknown: &crowd{from: map[string]int{}}}
}

// Server gives credentials of a server by a door that only clients with a certificate pass.
func Server(f Files) credentials.TransportCredentials { return Door{Files: f}.Credentials() }

// doorkeeper is the door with what it remembers.
type doorkeeper struct {
	neither
	Door
	identities *identities
	unknown    *crowd
}

// Clone is credentials.TransportCredentials'.
func (d *doorkeeper) Clone() credentials.TransportCredentials {
	clone := *d
	return &clone
}

// OverrideServerName is credentials.TransportCredentials'.
func (*doorkeeper) OverrideServerName(string) error { return errOtherSide }

// ServerHandshake is credentials.TransportCredentials'.
func (d *doorkeeper) ServerHandshake(raw net.Conn) (net.Conn, credentials.AuthInfo, error) {
	host := hostOf(raw.RemoteAddr())
	if err := d.unknown.enter(host); err != nil {
		d.Refused(raw.RemoteAddr(), err)
		return nil, nil, fmt.Errorf("client %s: %w", raw.RemoteAddr(), err)
	}
	defer d.unknown.leave(host)
	conn, info, why := d.judge(raw)
	if why == nil {
		return conn, info, nil
	}
	d.Refused(raw.RemoteAddr(), why)
	if conn != nil {
		why = errors.Join(refuse(conn, why), conn.Close())
	}
	return nil, nil, fmt.Errorf("client %s: %w", raw.RemoteAddr(), why)
}

// judge says why a client is not let in; conn is then the way to tell it, nil when there is none.
func (d *doorkeeper) judge(raw net.Conn) (conn net.Conn, info credentials.AuthInfo, why error) {
	// gRPC takes the deadline back once the connection is in use.
	if err := raw.SetDeadline(time.Now().Add(handshakeTime)); err != nil {
		return nil, nil, err
	}
	whole, plaintext, err := peek(raw)
	switch {
	case err != nil:
		return nil, nil, err
	case plaintext && d.ClearText:
		return insecure.NewCredentials().ServerHandshake(whole)
	case plaintext:
		return whole, nil, errPlaintext
	}
	us, problem := d.identities.load()
	if us == nil {
		return nil, nil, problem
	}
	if us.authority == nil || len(us.certificates) == 0 {
		return nil, nil, errors.New("a server needs an authority, a certificate and a key")
	}
	// Who the client is, is judged after the handshake: an alert within it is lost where the client still talks. Every
	// connection is judged by the certificate that it shows itself.
	conn, info, err = credentials.NewTLS(&tls.Config{
		MinVersion: tls.VersionTLS13, Certificates: us.certificates, ClientAuth: tls.RequestClientCert, SessionTicketsDisabled: true,
	}).ServerHandshake(whole)
	if err != nil {
		return nil, nil, err
	}
	return conn, info, admits(us.authority, info)
}

// admits says why a client is not let in. That the certificate is the client's own, the handshake has shown.
func admits(authority *x509.CertPool, info credentials.AuthInfo) error {
	secured, is := info.(credentials.TLSInfo)
	if !is || len(secured.State.PeerCertificates) == 0 {
		return errNoCertificate
	}
	shown := secured.State.PeerCertificates
	between := x509.NewCertPool()
	for _, c := range shown[1:] {
		between.AddCert(c)
	}
	_, err := shown[0].Verify(x509.VerifyOptions{
		Roots: authority, Intermediates: between, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	})
	if err != nil {
		return fmt.Errorf("this server refuses the client's certificate (%s): %w; give one that its authority signed for clients", shown[0].Subject, err)
	}
	return nil
}

// crowd counts the clients that nobody knows yet, by the address that they come from.
type crowd struct {
	mu   sync.Mutex
	all  int
	from map[string]int
}

func (c *crowd) enter(host string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.from[host] >= mostOfOne:
		return fmt.Errorf("%d connections from %s have not said yet who they are: no more of them until they do", mostOfOne, host)
	case c.all >= mostUnknown:
		return fmt.Errorf("%d connections have not said yet who they are: no more of them until they do", mostUnknown)
	}
	c.all++
	c.from[host]++
	return nil
}

func (c *crowd) leave(host string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.all--
	if c.from[host]--; c.from[host] == 0 {
		delete(c.from, host)
	}
}

// hostOf is an address without its port.
func hostOf(a net.Addr) string {
	host, _, err := net.SplitHostPort(a.String())
	if err != nil {
		return a.String()
	}
	return host
}
