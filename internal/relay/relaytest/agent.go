// SPDX-License-Identifier: Apache-2.0

// Package relaytest simulates agents for tests and benchmarks of the relay: real servers with made-up events.
package relaytest

import (
	"context"
	"fmt"
	"net"
	"strconv"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/keepalive"

	"github.com/kubearmor/kubearmor-operator/internal/telemetry/feeder"
)

// Options of a simulated agent.
type Options struct {
	// Name of its node; by custom it begins with "simulated-".
	Name        string
	Credentials credentials.TransportCredentials
	// Address to serve on; empty: any port of 127.0.0.1.
	Address string
	// Alerts and Logs are how many of each are sent in all, Rate how many of each a second, to one client.
	Alerts, Logs uint64
	Rate         int
	// Begin is closed when they may be sent.
	Begin <-chan struct{}
}

// Agent that is simulated. It numbers its alerts and logs, each kind from 1 on, in EventData["Number"], and goes on with the
// next number when a client comes back. It is made for one client.
type Agent struct {
	feeder.UnimplementedLogServiceServer
	o        Options
	server   *grpc.Server
	listener net.Listener
	// Streams that were opened, Alerts and Logs that were sent.
	Streams, Alerts, Logs atomic.Uint64
}

// Start serves until Stop.
func Start(o Options) (*Agent, error) {
	if o.Address == "" {
		o.Address = "127.0.0.1:0"
	}
	a := &Agent{o: o}
	return a, a.serve(o.Address)
}

func (a *Agent) serve(address string) (err error) {
	if a.listener, err = (&net.ListenConfig{}).Listen(context.Background(), "tcp", address); err != nil {
		return fmt.Errorf("serve simulated agent: %w", err)
	}
	a.server = grpc.NewServer(grpc.Creds(a.o.Credentials), grpc.ReadBufferSize(4<<10), grpc.WriteBufferSize(4<<10),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: 10 * time.Second, PermitWithoutStream: true}))
	feeder.RegisterLogServiceServer(a.server, a)
	go func() { _ = a.server.Serve(a.listener) }()
	return nil
}

// Name of the agent's node.
func (a *Agent) Name() string { return a.o.Name }

// Address that it serves on.
func (a *Agent) Address() string { return a.listener.Addr().String() }

// Stop breaks all connections.
func (a *Agent) Stop() { a.server.Stop() }

// Restart serves on the same address again.
func (a *Agent) Restart() error { return a.serve(a.Address()) }

// HealthCheck answers with the number that it was asked with.
func (a *Agent) HealthCheck(_ context.Context, n *feeder.NonceMessage) (*feeder.ReplyMessage, error) {
	return &feeder.ReplyMessage{Retval: n.GetNonce()}, nil
}

// WatchAlerts sends alerts at the agent's rate.
func (a *Agent) WatchAlerts(_ *feeder.RequestMessage, to grpc.ServerStreamingServer[feeder.Alert]) error {
	return a.send(to.Context(), a.o.Alerts, &a.Alerts, func(n uint64, now time.Time) error { return to.Send(a.alert(n, now)) })
}

// WatchLogs sends logs at the agent's rate.
func (a *Agent) WatchLogs(_ *feeder.RequestMessage, to grpc.ServerStreamingServer[feeder.Log]) error {
	return a.send(to.Context(), a.o.Logs, &a.Logs, func(n uint64, now time.Time) error { return to.Send(a.log(n, now)) })
}

// WatchMessages sends nothing.
func (a *Agent) WatchMessages(_ *feeder.RequestMessage, to grpc.ServerStreamingServer[feeder.Message]) error {
	return a.send(to.Context(), 0, new(atomic.Uint64), nil)
}

func (a *Agent) send(ctx context.Context, total uint64, sent *atomic.Uint64, one func(n uint64, now time.Time) error) error {
	a.Streams.Add(1)
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-a.o.Begin:
	}
	ticker := time.NewTicker(time.Second / time.Duration(max(a.o.Rate, 1)))
	defer ticker.Stop()
	for {
		if sent.Load() >= total {
			<-ctx.Done()
			return ctx.Err()
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case now := <-ticker.C:
			n := sent.Add(1)
			if err := one(n, now); err != nil {
				return err
			}
		}
	}
}

// alert is about as large as a real one.
func (a *Agent) alert(n uint64, now time.Time) *feeder.Alert {
	return &feeder.Alert{
		Timestamp: now.Unix(), UpdatedTime: now.UTC().Format("2006-01-02T15:04:05.000000Z"),
		ClusterName: "simulated", HostName: a.o.Name, NamespaceName: "shop", PodName: "web-5d9c7b6f4-x2v8k", ContainerName: "app",
		ContainerID: "3f1c5c1f0a9e4d7b8c6a5e4d3c2b1a09f8e7d6c5b4a392817060504030201000", ContainerImage: "docker.io/library/web:1.2.3",
		HostPID: 31337, HostPPID: 31300, PID: 12, PPID: 1, UID: 1000,
		PolicyName: "block-shadow", Severity: "7", Tags: "MITRE,PCI", ATags: []string{"MITRE", "PCI"}, Message: "nobody reads the shadow file",
		Type: "MatchedPolicy", Source: "/usr/bin/cat", Operation: "File", Resource: "/etc/shadow", Data: "lsm=FILE_OPEN flags=O_RDONLY",
		Action: "Block", Result: "Permission denied", ParentProcessName: "/bin/sh", ProcessName: "/usr/bin/cat",
		Enforcer: "BPFLSM", Labels: "app=web,pod-template-hash=5d9c7b6f4",
		Owner:     &feeder.Podowner{Ref: "Deployment", Name: "web", Namespace: "shop"},
		EventData: map[string]string{"Number": strconv.FormatUint(n, 10)},
	}
}

func (a *Agent) log(n uint64, now time.Time) *feeder.Log {
	return &feeder.Log{
		Timestamp: now.Unix(), UpdatedTime: now.UTC().Format("2006-01-02T15:04:05.000000Z"),
		ClusterName: "simulated", HostName: a.o.Name, NamespaceName: "shop", PodName: "web-5d9c7b6f4-x2v8k", ContainerName: "app",
		HostPID: 31337, HostPPID: 31300, PID: 12, PPID: 1, Type: "ContainerLog", Source: "/usr/bin/curl", Operation: "Network",
		Resource: "10.0.0.7:5432", Data: "lsm=SOCKET_CONNECT", Result: "Passed", Labels: "app=web",
		EventData: map[string]string{"Number": strconv.FormatUint(n, 10)},
	}
}
