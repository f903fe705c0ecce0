// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/metadata"

	"github.com/kubearmor/kubearmor-operator/internal/relay/past"
	"github.com/kubearmor/kubearmor-operator/internal/telemetry/feeder"
)

// server is a relay or an agent that can be connected to.
type server struct {
	// name is what a person knows it by.
	name, address string
	credentials   credentials.TransportCredentials
	// close ends the way to it.
	close func()
}

// watch reads the streams of some servers and prints what is wanted of them.
type watch struct {
	alerts, logs, messages bool
	span                   past.Span
	limit                  int
	wanted                 func(record) bool
	printer                *recordPrinter
	out, notes             io.Writer
}

// waiting is how many records may wait for the printer; then the servers do, and count what they drop.
const waiting = 1024

// maxBlock is how much is gathered, in bytes, before it is written.
const maxBlock = 64 << 10

// onTheWay is how many bytes may be on their way here, so that a slow way through the API server is no narrow one.
const onTheWay = 1 << 20

// maxRecord is the longest message that is taken, as in the relay.
const maxRecord = 1 << 20

// errNothingHeld is of servers that know only what comes.
var errNothingHeld = errors.New("it holds no events of the past, as a relay does; add --follow for what comes")

func (w *watch) run(ctx context.Context, servers []server) error {
	ctx, cancel := context.WithCancel(ctx)
	records := make(chan record, waiting)
	failed := make(chan error, len(servers))
	var reading sync.WaitGroup
	for _, s := range servers {
		reading.Go(func() {
			defer s.close()
			if err := w.read(ctx, s, records); err != nil && ctx.Err() == nil {
				failed <- fmt.Errorf("%s: %w", s.name, err)
			}
		})
	}
	go func() {
		reading.Wait()
		close(records)
	}()
	enough, err := w.print(records)
	// Readers that wait for the printer must not, once it has ended.
	cancel()
	reading.Wait()
	close(failed)
	if err != nil || enough {
		return err
	}
	return w.sumUp(failed, len(servers))
}

// sumUp tells what failed; it is an error only where nothing else is left.
func (w *watch) sumUp(failed <-chan error, servers int) error {
	var last error
	count := 0
	for err := range failed {
		if count++; servers > 1 {
			_, _ = fmt.Fprintf(w.notes, "karmor: %v\n", err)
		}
		last = err
	}
	if count == servers && servers > 1 {
		return fmt.Errorf("none of %d agents could be read", servers)
	}
	if count == servers {
		return last
	}
	return nil
}

// print writes until there are no more records or enough of them. What waits is written in one piece.
func (w *watch) print(records <-chan record) (enough bool, err error) {
	var lines bytes.Buffer
	printed := 0
	for r := range records {
		if r.aside {
			w.tell(r)
		} else if err := w.printer.lines(&lines, r); err != nil {
			return false, err
		} else {
			printed++
		}
		enough = w.limit > 0 && printed == w.limit
		if len(records) > 0 && !enough && lines.Len() < maxBlock {
			continue
		}
		if _, err := lines.WriteTo(w.out); err != nil {
			return false, fmt.Errorf("write: %w", err)
		}
		if enough {
			return true, nil
		}
	}
	return false, nil
}

// tell says on the side what a person should know of a message.
func (w *watch) tell(r record) {
	if r.level == "WARN" {
		_, _ = fmt.Fprintf(w.notes, "karmor: %s: %s\n", printable(r.node), printable(r.text))
	}
}

// read takes all that is wanted from one server until its streams end.
func (w *watch) read(ctx context.Context, s server, to chan<- record) error {
	conn, err := grpc.NewClient("passthrough:///"+s.address, grpc.WithTransportCredentials(s.credentials),
		grpc.WithNoProxy(), grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(maxRecord)),
		grpc.WithInitialWindowSize(onTheWay), grpc.WithInitialConnWindowSize(onTheWay))
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	client := feeder.NewLogServiceClient(conn)
	streams, err := w.open(ctx, client)
	if err != nil {
		return explainStream(err)
	}
	ended := make(chan error, len(streams))
	for _, stream := range streams {
		go func() { ended <- w.pass(ctx, stream, to) }()
	}
	for range streams {
		if failed := <-ended; failed != nil && err == nil {
			err = explainStream(failed)
			cancel()
		}
	}
	return err
}

// stream of one kind of records.
type stream struct {
	header func() (metadata.MD, error)
	next   func() (record, error)
}

// open begins the streams that are wanted, and that of messages in any case: on it a relay tells what it drops.
func (w *watch) open(ctx context.Context, client feeder.LogServiceClient) ([]stream, error) {
	all := &feeder.RequestMessage{Filter: "all"}
	asked := past.Ask(ctx, w.span)
	var out []stream
	if w.alerts {
		s, err := client.WatchAlerts(asked, all)
		if err != nil {
			return nil, err
		}
		out = append(out, newStream(s, alertRecord, false))
	}
	if w.logs {
		s, err := client.WatchLogs(asked, all)
		if err != nil {
			return nil, err
		}
		out = append(out, newStream(s, logRecord, false))
	}
	if !w.messages {
		asked = past.Ask(ctx, past.Span{Ends: w.span.Ends})
	}
	s, err := client.WatchMessages(asked, all)
	if err != nil {
		return nil, err
	}
	return append(out, newStream(s, messageRecord, !w.messages)), nil
}

func newStream[T any](s grpc.ServerStreamingClient[T], read func(*T) record, aside bool) stream {
	return stream{header: s.Header, next: func() (record, error) {
		m, err := s.Recv()
		if err != nil {
			return record{}, err
		}
		r := read(m)
		r.aside = aside
		return r, nil
	}}
}

// answerTime is how long a server may take to say that it is a relay.
const answerTime = 5 * time.Second

// isRelay: a server that does not understand the question for what it holds would never end the stream.
func isRelay(s stream) error {
	answer := make(chan error, 1)
	go func() {
		header, err := s.header()
		// Without a header the stream has ended already; why, says what is read next.
		if err == nil && header != nil && !past.Understood(header) {
			err = errNothingHeld
		}
		answer <- err
	}()
	select {
	case err := <-answer:
		return err
	case <-time.After(answerTime):
		return errNothingHeld
	}
}

// pass hands on what is wanted until the stream ends.
func (w *watch) pass(ctx context.Context, s stream, to chan<- record) error {
	if w.span.Ends {
		if err := isRelay(s); err != nil {
			return err
		}
	}
	for {
		r, err := s.next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if !r.aside && !w.wanted(r) {
			continue
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case to <- r:
		}
	}
}
