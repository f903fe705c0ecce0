// SPDX-License-Identifier: Apache-2.0

package server

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"sync"
	"time"
)

// handshakeTime bounds how long a client may take to say who it is; waitingClients how many may be at it.
const (
	handshakeTime  = 10 * time.Second
	waitingClients = 256
)

// acceptPause is how long no client is let in after one could not be.
const acceptPause = 100 * time.Millisecond

// firstOfTLS opens every TLS connection: the record type of a handshake (RFC 8446, 5.1). Clear text begins with the
// letter P of HTTP/2's preface.
const firstOfTLS = 22

// door sorts the clients of one address: those that may come in, and those that are told why not.
type door struct {
	// certificates to show, nil where nobody speaks TLS.
	certificates *folder
	// clearText lets in clients that speak none.
	clearText bool
	refused   func(client net.Addr, why error)

	in, out *hall
}

// refusal of clients that speak clear text where they must not.
var errClearText = errors.New("this server answers only over TLS: connect with a client certificate that its CA has signed, " +
	"or let it run with --telemetry-insecure for clients that know no TLS")

// keep sorts what comes to a listener, until it is closed.
func (d *door) keep(ctx context.Context, listener net.Listener) error {
	places := make(chan struct{}, waitingClients)
	for {
		c, err := listener.Accept()
		if errors.Is(err, net.ErrClosed) {
			return err
		}
		if err != nil {
			// No file descriptor is left, for instance: that passes.
			d.refused(listener.Addr(), err)
			time.Sleep(acceptPause)
			continue
		}
		select {
		case places <- struct{}{}:
		default:
			d.turnAway(c, errors.New("too many clients connect at once"))
			continue
		}
		go func() {
			defer func() { <-places }()
			d.admit(ctx, c)
		}()
	}
}

func (d *door) admit(ctx context.Context, c net.Conn) {
	if d.certificates == nil {
		d.in.enter(c)
		return
	}
	_ = c.SetDeadline(time.Now().Add(handshakeTime))
	var first [1]byte
	if _, err := c.Read(first[:]); err != nil {
		_ = c.Close()
		return
	}
	whole := &reread{Conn: c, first: first[:]}
	switch {
	case first[0] == firstOfTLS:
		d.greet(ctx, whole)
	case d.clearText:
		_ = c.SetDeadline(time.Time{})
		d.in.enter(whole)
	default:
		d.refuse(whole, errClearText)
	}
}

// greet shakes hands with a client that speaks TLS.
func (d *door) greet(ctx context.Context, c net.Conn) {
	us, problem := d.certificates.load()
	if us == nil {
		d.turnAway(c, problem)
		return
	}
	conn := tls.Server(c, us.config())
	if err := conn.HandshakeContext(ctx); err != nil {
		d.turnAway(c, err)
		return
	}
	if err := us.admits(conn.ConnectionState().PeerCertificates); err != nil {
		d.refuse(conn, err)
		return
	}
	_ = conn.SetDeadline(time.Time{})
	d.in.enter(conn)
}

// refuse lets a client be told why; the deadline of its connection stays.
func (d *door) refuse(c net.Conn, why error) {
	d.refused(c.RemoteAddr(), why)
	d.out.enter(refusedConn{c, why})
}

// turnAway closes the connection to a client that cannot be told anything.
func (d *door) turnAway(c net.Conn, why error) {
	d.refused(c.RemoteAddr(), why)
	_ = c.Close()
}

// reread gives its first bytes again.
type reread struct {
	net.Conn
	first []byte
}

func (r *reread) Read(to []byte) (int, error) {
	if len(r.first) > 0 {
		n := copy(to, r.first)
		r.first = r.first[n:]
		return n, nil
	}
	return r.Conn.Read(to)
}

// refusedConn carries the reason to where it is told: a gRPC server shows its handlers nothing of a connection but the
// address.
type refusedConn struct {
	net.Conn
	why error
}

type refusedAddr struct {
	net.Addr
	why error
}

func (c refusedConn) RemoteAddr() net.Addr { return refusedAddr{c.Conn.RemoteAddr(), c.why} }

// hall is a net.Listener of connections that came in by a door.
type hall struct {
	address net.Addr
	waiting chan net.Conn
	closed  chan struct{}
	once    sync.Once
}

func newHall(address net.Addr) *hall {
	return &hall{address: address, waiting: make(chan net.Conn), closed: make(chan struct{})}
}

func (h *hall) enter(c net.Conn) {
	select {
	case h.waiting <- c:
	case <-h.closed:
		_ = c.Close()
	}
}

// Accept is net.Listener's.
func (h *hall) Accept() (net.Conn, error) {
	select {
	case c := <-h.waiting:
		return c, nil
	case <-h.closed:
		return nil, net.ErrClosed
	}
}

// Close is net.Listener's.
func (h *hall) Close() error {
	h.once.Do(func() { close(h.closed) })
	return nil
}

// Addr is net.Listener's.
func (h *hall) Addr() net.Addr { return h.address }
