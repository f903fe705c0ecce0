// SPDX-License-Identifier: Apache-2.0

package relay

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/status"
	"k8s.io/apimachinery/pkg/util/wait"

	"github.com/kubearmor/kubearmor-operator/internal/telemetry/feeder"
)

// steady is how long a connection must hold until the next failure is taken for the first one.
const steady = time.Minute

// pace of new tries: at most 30 s apart, and not all agents' at once.
func pace() wait.Backoff {
	return wait.Backoff{Duration: 500 * time.Millisecond, Factor: 1.6, Jitter: 0.3, Steps: 1 << 30, Cap: 30 * time.Second}
}

// link is the relay's one connection to an agent, made anew whenever it breaks.
type link struct {
	relay  *Relay
	agent  Agent
	cancel context.CancelFunc
	// done is closed when nothing comes from the agent any more.
	done chan struct{}

	mu sync.Mutex
	up bool
	// cause is why it is not up, away since when it is not.
	cause string
	away  time.Time
}

func startLink(ctx context.Context, r *Relay, a Agent) *link {
	ctx, cancel := context.WithCancel(ctx)
	l := &link{relay: r, agent: a, cancel: cancel, done: make(chan struct{}), cause: "not connected yet"}
	go l.run(ctx)
	return l
}

func (l *link) state() (up bool, cause string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.up, l.cause
}

func (l *link) run(ctx context.Context) {
	defer close(l.done)
	defer l.cancel()
	delay := pace()
	for {
		began := time.Now()
		err := l.watch(ctx)
		if ctx.Err() != nil {
			return
		}
		l.down(err)
		if time.Since(began) > steady {
			delay = pace()
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(delay.Step()):
		}
	}
}

// watch connects once and takes what comes until the connection breaks, or one of its streams.
func (l *link) watch(ctx context.Context) error {
	conn, err := grpc.NewClient("passthrough:///"+l.agent.Address, l.relay.dialOptions()...)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	client := feeder.NewLogServiceClient(conn)
	if err := greet(ctx, client); err != nil {
		return err
	}
	group, ctx := errgroup.WithContext(ctx)
	streams, err := open(ctx, client)
	if err != nil {
		return err
	}
	l.connected()
	for k, stream := range streams {
		group.Go(func() error { return pump(stream, l.relay.lanes[k]) })
	}
	if err := group.Wait(); err != nil {
		return err
	}
	return errors.New("it answers, but has no streams")
}

// greet finds out whether an agent answers, and lets the relay in.
func greet(ctx context.Context, client feeder.LogServiceClient) error {
	ctx, cancel := context.WithTimeout(ctx, connectTime)
	defer cancel()
	_, err := client.HealthCheck(ctx, &feeder.NonceMessage{Nonce: 1})
	return err
}

// open starts the streams of all kinds.
func open(ctx context.Context, client feeder.LogServiceClient) (streams [kinds]grpc.ClientStream, err error) {
	all := &feeder.RequestMessage{Filter: filterAll}
	if streams[kindAlert], err = client.WatchAlerts(ctx, all); err != nil {
		return streams, err
	}
	if streams[kindLog], err = client.WatchLogs(ctx, all); err != nil {
		return streams, err
	}
	streams[kindMessage], err = client.WatchMessages(ctx, all)
	return streams, err
}

// pump moves a stream's events into a lane. An agent that does not know this kind is none that failed.
func pump(from grpc.ClientStream, to *lane) error {
	for {
		var f frame
		switch err := from.RecvMsg(&f); {
		case status.Code(err) == codes.Unimplemented:
			return nil
		case errors.Is(err, io.EOF):
			return errors.New("the agent ended the stream")
		case err != nil:
			return err
		}
		to.accept(f.data, time.Now())
	}
}

// connected tells of an agent that is back. What it sent in between, nobody here knows: that is the agent's to count.
func (l *link) connected() {
	l.mu.Lock()
	away := l.away
	l.up, l.cause, l.away = true, "", time.Time{}
	l.mu.Unlock()
	l.relay.o.Log.Info("agent is connected", "node", l.agent.Node, "address", l.agent.Address)
	if !away.IsZero() {
		l.relay.say(levelInfo, fmt.Sprintf("agent %s is back after %s; its events of that time are not here",
			l.agent.Node, time.Since(away).Round(100*time.Millisecond)))
	}
}

// down tells once of an agent that went away.
func (l *link) down(err error) {
	cause := status.Convert(err).Message()
	l.mu.Lock()
	wasUp, news := l.up, l.cause != cause
	l.up, l.cause = false, cause
	if wasUp {
		l.away = time.Now()
	}
	l.mu.Unlock()
	if news {
		l.relay.o.Log.Info("agent is not connected", "node", l.agent.Node, "address", l.agent.Address, "cause", cause)
	}
	if wasUp {
		l.relay.say(levelWarning, fmt.Sprintf("the stream of agent %s broke: %s; its events are missing until it is back", l.agent.Node, cause))
	}
}

// Bounds of one connection to an agent. There may be thousands, and none of them ever waits for a client.
const (
	maxMessage  = 1 << 20
	flowWindow  = 64 << 10
	readBuffer  = 8 << 10
	writeBuffer = 1 << 10
	pingAfter   = 30 * time.Second
	pingTimeout = 10 * time.Second
	connectTime = 10 * time.Second
)

func (r *Relay) dialOptions() []grpc.DialOption {
	return []grpc.DialOption{
		grpc.WithTransportCredentials(r.o.ToAgents),
		grpc.WithUserAgent("kubearmor-relay/" + r.o.Version),
		grpc.WithDefaultCallOptions(grpc.ForceCodecV2(newCodec()), grpc.MaxCallRecvMsgSize(maxMessage)),
		grpc.WithNoProxy(), grpc.WithDisableServiceConfig(),
		grpc.WithStaticStreamWindowSize(flowWindow), grpc.WithStaticConnWindowSize(flowWindow),
		grpc.WithReadBufferSize(readBuffer), grpc.WithWriteBufferSize(writeBuffer),
		grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: pingAfter, Timeout: pingTimeout}),
		grpc.WithConnectParams(grpc.ConnectParams{Backoff: backoff.DefaultConfig, MinConnectTimeout: connectTime}),
	}
}
