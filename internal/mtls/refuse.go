// SPDX-License-Identifier: Apache-2.0

package mtls

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"golang.org/x/net/http2"
	"google.golang.org/grpc/credentials"
)

// farewell bounds how long a refused client may take to read why.
const farewell = time.Second

// Why a client is refused, and what to do; clients print it as one line.
var (
	errPlaintext     = errors.New("this server speaks TLS only: give the client a certificate, or start the server with --insecure")
	errNoCertificate = errors.New("this server lets in only clients with a certificate: give one that its authority signed for clients")
)

// peeked is a connection whose first bytes were looked at.
type peeked struct {
	net.Conn
	from *bufio.Reader
}

// Read is net.Conn's.
func (p *peeked) Read(b []byte) (int, error) { return p.from.Read(b) }

// peek looks at the first bytes of a connection: HTTP/2 without TLS begins with its preface.
func peek(raw net.Conn) (conn *peeked, plaintext bool, err error) {
	conn = &peeked{Conn: raw, from: bufio.NewReader(raw)}
	preface := []byte(http2.ClientPreface)[:3]
	first, err := conn.from.Peek(len(preface))
	if err != nil {
		return nil, false, fmt.Errorf("it said nothing: %w", err)
	}
	return conn, bytes.Equal(first, preface), nil
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

// refuse says a proper goodbye with the reason, where a failed handshake would only close the connection on the client. It
// gives the reason back.
func refuse(conn net.Conn, why error) error {
	_ = conn.SetDeadline(time.Now().Add(farewell))
	framer := http2.NewFramer(conn, nil)
	if err := errors.Join(framer.WriteSettings(),
		framer.WriteGoAway(1<<31-1, http2.ErrCodeInadequateSecurity, []byte(why.Error()))); err != nil {
		return errors.Join(why, err)
	}
	// To close a connection with bytes unread resets it, and the reason with it.
	_, _ = io.Copy(io.Discard, io.LimitReader(conn, 1<<16))
	return why
}

// explain says what a client's failed handshake means and what to do.
func (h *handshaker) explain(err error) error {
	var plain tls.RecordHeaderError
	var authority x509.UnknownAuthorityError
	var name x509.HostnameError
	var invalid x509.CertificateInvalidError
	believed := h.files.CA
	if believed == "" {
		believed = "the system's authorities"
	}
	switch {
	case errors.As(err, &plain):
		return errors.New("the server speaks no TLS; connect without it (--insecure), or turn TLS on at the server")
	case errors.As(err, &authority):
		return fmt.Errorf("the server's certificate is not signed by %s; give the authority that signed it (--tls-ca)", believed)
	case errors.As(err, &name):
		return fmt.Errorf("the server's certificate is for another name: %w; give the right name (--tls-server-name)", err)
	case errors.As(err, &invalid):
		return fmt.Errorf("the server's certificate is not valid: %w; renew it, or set this machine's clock", err)
	}
	return err
}
