// SPDX-License-Identifier: Apache-2.0

// Package relay makes one stream of alerts, logs and messages out of those of all agents, for any number of clients.
//
// It keeps nothing but the newest events, in a ring for each kind, which all clients read at their own pace: a client that
// is too slow loses events, is told how many, and costs nobody else anything. The relay asks agents only for what comes, never
// for what was, and holds one connection to each: so nothing comes twice, neither after a connection broke nor where several
// relays run, since a client is connected to one of them and each reads all agents.
package relay

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/go-logr/logr"
	"golang.org/x/sync/errgroup"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/health"
	"google.golang.org/grpc/health/grpc_health_v1"

	"github.com/kubearmor/kubearmor-operator/internal/telemetry/feeder"
)

// Agent is one that can be connected to.
type Agent struct {
	// ID tells it from every other, also from the one that ran on the same node before.
	ID string
	// Node that it runs on.
	Node string
	// Address is host:port.
	Address string
}

// Agents knows which agents there are.
type Agents interface {
	// Watch calls changed with all agents, for the first time when it knows them, then whenever they changed, until ctx ends.
	Watch(ctx context.Context, changed func([]Agent)) error
}

// Static are agents that are known beforehand.
type Static []Agent

// Watch is Agents'.
func (s Static) Watch(ctx context.Context, changed func([]Agent)) error {
	changed(s)
	<-ctx.Done()
	return nil
}

// Options of a relay. All but Health and Metrics must be set; Defaults has what is seldom different.
type Options struct {
	Agents Agents
	// ToAgents and ToClients are how connections are secured.
	ToAgents, ToClients credentials.TransportCredentials
	// Refused gives how many connections ToClients has not let in; nil where it lets in all.
	Refused func() uint64
	// Cluster, Name and Version are what the relay says of itself.
	Cluster, Name, Version string
	// Window is how long an event may take to arrive and still be put into the order of time.
	Window time.Duration
	// WindowBytes bound what waits in a window, Bytes and Events what clients have not read yet; for alerts, and for logs as
	// well. Messages, which are few, have an eighth of them.
	WindowBytes, Bytes, Events int
	// Streams is how many streams clients may have open in all.
	Streams int
	// Serve is where clients connect to, Health where the kubelet asks without TLS, Metrics where Prometheus does.
	Serve, Health, Metrics net.Listener
	Log                    logr.Logger
}

// Defaults are good for thousands of agents: at most 119 MiB of events are held, and the process stays below 512 MiB.
func Defaults() Options {
	return Options{
		Window: 250 * time.Millisecond, WindowBytes: 8 << 20, Bytes: 48 << 20, Events: 1 << 17, Streams: 256, Log: logr.Discard(),
	}
}

// Relay of one cluster.
type Relay struct {
	o        Options
	lanes    [kinds]*lane
	agents   *fanIn
	sessions *sessions
	health   *health.Server
	// filled has a token when an event came into an empty window.
	filled chan struct{}
	// stopping is closed when the relay ends.
	stopping chan struct{}
}

// New makes a relay.
func New(o Options) *Relay {
	r := &Relay{o: o, sessions: newSessions(o.Streams), health: health.NewServer(), filled: make(chan struct{}, 1), stopping: make(chan struct{})}
	for k := range kinds {
		r.lanes[k] = newLane(k, o, r.filled)
	}
	r.agents = newFanIn(r)
	r.serving(grpc_health_v1.HealthCheckResponse_NOT_SERVING)
	return r
}

// serving sets the health that is told: a relay serves once it knows which agents there are, be it none.
func (r *Relay) serving(status grpc_health_v1.HealthCheckResponse_ServingStatus) {
	for _, service := range []string{"", feeder.LogService_ServiceDesc.ServiceName} {
		r.health.SetServingStatus(service, status)
	}
}

// Run relays until ctx ends, then lets clients read what is there for a short time.
func (r *Relay) Run(ctx context.Context) error {
	server, probes := r.clientServer(), grpc.NewServer()
	grpc_health_v1.RegisterHealthServer(probes, r.health)
	metrics := &http.Server{Handler: r.metricsHandler(), ReadHeaderTimeout: 5 * time.Second}

	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return r.watchAgents(ctx) })
	group.Go(func() error { return r.release(ctx) })
	group.Go(func() error { return server.Serve(r.o.Serve) })
	if r.o.Health != nil {
		group.Go(func() error { return probes.Serve(r.o.Health) })
	}
	if r.o.Metrics != nil {
		group.Go(func() error { return ignoreClosed(metrics.Serve(r.o.Metrics)) })
	}
	group.Go(func() error {
		<-ctx.Done()
		r.stop(server)
		probes.Stop()
		return metrics.Close()
	})
	return group.Wait()
}

func (r *Relay) watchAgents(ctx context.Context) error {
	err := r.o.Agents.Watch(ctx, func(agents []Agent) {
		r.agents.set(ctx, agents)
		r.serving(grpc_health_v1.HealthCheckResponse_SERVING)
	})
	if err != nil && ctx.Err() == nil {
		return fmt.Errorf("find agents: %w", err)
	}
	return nil
}

// release moves events out of the windows, some times within each window, so that order costs no more than the window. While
// nothing waits it sleeps.
func (r *Relay) release(ctx context.Context) error {
	step := max(r.o.Window/20, time.Millisecond)
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-r.filled:
		}
		for waits := true; waits; {
			select {
			case <-ctx.Done():
				return nil
			case now := <-time.After(step):
				waits = r.releaseDue(now)
			}
		}
	}
}

func (r *Relay) releaseDue(now time.Time) (waits bool) {
	for _, l := range r.lanes {
		waits = l.release(now) || waits
	}
	return waits
}

// stopTime bounds how long clients may read what was there at the end.
const stopTime = 3 * time.Second

// stop ends in the order of the stream: the agents, what is on its way, the clients.
func (r *Relay) stop(server *grpc.Server) {
	r.health.Shutdown()
	r.agents.stop()
	for _, l := range r.lanes {
		l.close()
	}
	close(r.stopping)
	impatient := time.AfterFunc(stopTime, server.Stop)
	defer impatient.Stop()
	server.GracefulStop()
}

func ignoreClosed(err error) error {
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}
