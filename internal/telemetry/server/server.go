// SPDX-License-Identifier: Apache-2.0

// Package server shows the telemetry of one process to those who may see it: the service feeder.LogService over mutual
// TLS, or on the loopback address alone.
package server

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-logr/logr"
	"golang.org/x/sync/errgroup"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/reflection"

	"github.com/kubearmor/kubearmor-operator/internal/mtls"
	"github.com/kubearmor/kubearmor-operator/internal/telemetry"
	"github.com/kubearmor/kubearmor-operator/internal/telemetry/fanout"
	"github.com/kubearmor/kubearmor-operator/internal/telemetry/feeder"
)

// Options of a server.
type Options struct {
	// Address to listen on, for instance ":32767"; empty for none.
	Address string
	// TLSDir holds tls.crt, tls.key and ca.crt. They may come later, and change.
	TLSDir string
	// Insecure answers clients without TLS as well.
	Insecure bool
}

// Server hands alerts, logs and messages to its clients.
type Server struct {
	feeder.UnimplementedLogServiceServer

	o Options
	// node that messages come from.
	node telemetry.Node
	log  logr.Logger
	// stages before the server's own, for the account in messages.
	stages func() []fanout.Stage

	alerts   *fanout.Hub[*feeder.Alert]
	logs     *fanout.Hub[*feeder.Log]
	messages *fanout.Hub[*feeder.Message]
	// health is served beside, for clients of the same port.
	health *health.Server
	// ending is closed when streams are to end.
	ending chan struct{}

	refused    atomic.Uint64
	mu         sync.Mutex
	refusalLog time.Time
}

// Bounds of what clients can cost.
const (
	// mostStreams of each kind, and how many items of either kind (denials, others) wait for each of them.
	mostStreams = 64
	waiting     = 4096
	// perConnection is how many calls one connection may have at once.
	perConnection = 16
	// endTime is how long clients may take to read what is left at the end.
	endTime = 5 * time.Second
	// connectTime is how long a connection may take until it can be used.
	connectTime = 10 * time.Second
)

// New prepares a server; stages gives the account of what comes before it, and may be nil. It refuses options that would
// show alerts to everybody without that being asked for.
func New(o Options, node telemetry.Node, stages func() []fanout.Stage, log logr.Logger) (*Server, error) {
	if stages == nil {
		stages = func() []fanout.Stage { return nil }
	}
	address, err := o.listenAddress()
	if err != nil {
		return nil, err
	}
	o.Address = address
	return &Server{
		o: o, node: node, log: log, stages: stages,
		alerts: fanout.NewHub[*feeder.Alert](mostStreams, waiting), logs: fanout.NewHub[*feeder.Log](mostStreams, waiting),
		messages: fanout.NewHub[*feeder.Message](mostStreams, waiting),
		health:   health.NewServer(), ending: make(chan struct{}),
	}, nil
}

// listenAddress is the loopback address alone where clients are not asked who they are.
func (o Options) listenAddress() (string, error) {
	if o.Address == "" || o.TLSDir != "" || o.Insecure {
		return o.Address, nil
	}
	host, port, err := net.SplitHostPort(o.Address)
	if err != nil {
		return "", fmt.Errorf("--telemetry-addr=%s: %w: give HOST:PORT or :PORT", o.Address, err)
	}
	ip := net.ParseIP(host)
	switch {
	case host == "":
		return net.JoinHostPort("127.0.0.1", port), nil
	case host == "localhost", ip != nil && ip.IsLoopback():
		return o.Address, nil
	default:
		return "", fmt.Errorf("--telemetry-addr=%s would show alerts to everybody: name the folder of certificates with --telemetry-tls-dir, "+
			"or say --telemetry-insecure", o.Address)
	}
}

// Alert hands an alert to every client that asked for its kind. It never waits.
func (s *Server) Alert(a *feeder.Alert) { s.alerts.Publish(a, telemetry.IsDenial(a)) }

// Log hands a log to every client that asked for it. It never waits.
func (s *Server) Log(l *feeder.Log) { s.logs.Publish(l, false) }

// WantsLogs says whether any client asked for logs: where none did, none need be made.
func (s *Server) WantsLogs() bool { return s.logs.Wanted(nil) }

// Stages are the server's own: what became of each alert and log for each client that asked for it.
func (s *Server) Stages() []fanout.Stage {
	return []fanout.Stage{
		{Name: "client_alerts", Count: s.alerts.Count()},
		{Name: "client_logs", Count: s.logs.Count()},
		{Name: stageMessages, Count: s.messages.Count()},
	}
}

// stageMessages is the stage of messages themselves.
const stageMessages = "client_messages"

// Clients counts the streams of now by kind.
func (s *Server) Clients() map[string]int {
	return map[string]int{
		streamAlerts: len(s.alerts.Subscribers()), streamLogs: len(s.logs.Subscribers()), streamMessages: len(s.messages.Subscribers()),
	}
}

// Refused counts the connections that were not let in.
func (s *Server) Refused() uint64 { return s.refused.Load() }

// Run serves until ctx ends, then lets clients read what is left, for a short time.
func (s *Server) Run(ctx context.Context) error {
	if s.o.Address == "" {
		<-ctx.Done()
		return nil
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", s.o.Address)
	if err != nil {
		return fmt.Errorf("serve telemetry on %s: %w", s.o.Address, err)
	}
	return s.serve(ctx, listener)
}

func (s *Server) serve(ctx context.Context, listener net.Listener) error {
	s.announce(listener.Addr())
	service := s.service()
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return unlessStopped(service.Serve(listener)) })
	group.Go(func() error { s.keepTelling(ctx); return nil })
	group.Go(func() error {
		<-ctx.Done()
		s.end(service)
		return nil
	})
	return group.Wait()
}

func unlessStopped(err error) error {
	if errors.Is(err, grpc.ErrServerStopped) {
		return nil
	}
	return err
}

func (s *Server) service() *grpc.Server {
	service := grpc.NewServer(
		grpc.Creds(s.credentials()), grpc.ConnectionTimeout(connectTime),
		grpc.MaxConcurrentStreams(perConnection), grpc.MaxRecvMsgSize(64<<10),
		// A client that is gone without a word is found out, and what waits for it dropped.
		grpc.KeepaliveParams(keepalive.ServerParameters{Time: 30 * time.Second, Timeout: 10 * time.Second}),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: 5 * time.Second, PermitWithoutStream: true}),
	)
	feeder.RegisterLogServiceServer(service, s)
	s.health.SetServingStatus(feeder.LogService_ServiceDesc.ServiceName, healthv1.HealthCheckResponse_SERVING)
	healthv1.RegisterHealthServer(service, s.health)
	reflection.Register(service)
	return service
}

// credentials ask clients who they are where a folder of certificates is named.
func (s *Server) credentials() credentials.TransportCredentials {
	if s.o.TLSDir == "" {
		return insecure.NewCredentials()
	}
	return mtls.Door{Files: mtls.Folder(s.o.TLSDir), ClearText: s.o.Insecure, Refused: s.noteRefusal}.Credentials()
}

// end lets streams end by themselves, and ends those that do not.
func (s *Server) end(service *grpc.Server) {
	close(s.ending)
	s.health.Shutdown()
	late := time.AfterFunc(endTime, service.Stop)
	defer late.Stop()
	service.GracefulStop()
}

// announce says who can connect.
func (s *Server) announce(address net.Addr) {
	switch {
	case s.o.TLSDir != "":
		s.log.Info("telemetry is served over mutual TLS", "address", address.String(), "certificates", s.o.TLSDir, "clearText", s.o.Insecure)
		if err := mtls.Folder(s.o.TLSDir).Check(); err != nil {
			s.log.Error(err, "no client gets in until the certificates are there")
		}
	case s.o.Insecure:
		s.log.Info("telemetry is served without TLS to whoever connects: --telemetry-insecure", "address", address.String())
	default:
		s.log.Info("telemetry is served to this Pod's own network alone: neither --telemetry-tls-dir nor --telemetry-insecure is set",
			"address", address.String())
	}
}

// refusalPause is the least time between two lines of the log about clients that are refused.
const refusalPause = 10 * time.Second

func (s *Server) noteRefusal(client net.Addr, why error) {
	n := s.refused.Add(1)
	s.mu.Lock()
	defer s.mu.Unlock()
	if now := time.Now(); now.Sub(s.refusalLog) >= refusalPause {
		s.refusalLog = now
		s.log.Info("a client of the telemetry is refused", "client", client.String(), "why", why.Error(), "refused", n)
	}
}
