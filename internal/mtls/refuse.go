// SPDX-License-Identifier: Apache-2.0

package mtls

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"strconv"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
	"google.golang.org/grpc/codes"
)

// farewell bounds how long a refused client may take to ask something, and to read why it is refused.
const farewell = 2 * time.Second

// Why a client is refused, and what to do; clients print it as one line.
var (
	errPlaintext     = errors.New("this server speaks TLS only: give the client a certificate, or start the server with --insecure (an agent: --telemetry-insecure)")
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

// refuse answers the client's first call with the reason, and says a proper goodbye with the same; a failed handshake would
// only close the connection. It gives the reason back.
func refuse(conn net.Conn, why error) error {
	_ = conn.SetDeadline(time.Now().Add(farewell))
	if err := answer(conn, why.Error()); err != nil {
		return errors.Join(why, err)
	}
	// To close a connection with bytes unread resets it, and the reason with it.
	_, _ = io.Copy(io.Discard, io.LimitReader(conn, 1<<16))
	return why
}

func answer(conn net.Conn, why string) error {
	framer := http2.NewFramer(conn, conn)
	framer.SetMaxReadFrameSize(1 << 14)
	if err := framer.WriteSettings(); err != nil {
		return err
	}
	call := firstCall(conn, framer)
	if call == 0 {
		// Nothing was asked in time: there is time left for the goodbye alone.
		if err := conn.SetDeadline(time.Now().Add(farewell)); err != nil {
			return err
		}
	} else if err := framer.WriteHeaders(http2.HeadersFrameParam{
		StreamID: call, BlockFragment: status(codes.Unauthenticated, why), EndHeaders: true, EndStream: true,
	}); err != nil {
		return err
	}
	return framer.WriteGoAway(1<<31-1, http2.ErrCodeInadequateSecurity, []byte(why))
}

// firstCall reads until a call comes and gives its stream, 0 when none comes in time.
func firstCall(conn net.Conn, framer *http2.Framer) uint32 {
	if _, err := io.ReadFull(conn, make([]byte, len(http2.ClientPreface))); err != nil {
		return 0
	}
	for {
		frame, err := framer.ReadFrame()
		if err != nil {
			return 0
		}
		if call, is := frame.(*http2.HeadersFrame); is {
			return call.StreamID
		}
	}
}

// status is an answer without a body, in gRPC's words.
func status(code codes.Code, message string) []byte {
	var block bytes.Buffer
	encoder := hpack.NewEncoder(&block)
	for _, f := range []hpack.HeaderField{
		{Name: ":status", Value: "200"},
		{Name: "content-type", Value: "application/grpc"},
		{Name: "grpc-status", Value: strconv.Itoa(int(code))},
		{Name: "grpc-message", Value: url.PathEscape(message)},
	} {
		_ = encoder.WriteField(f) // a bytes.Buffer takes everything
	}
	return block.Bytes()
}
