// SPDX-License-Identifier: Apache-2.0

package server

import (
	"context"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"

	"github.com/kubearmor/kubearmor-operator/internal/telemetry"
	"github.com/kubearmor/kubearmor-operator/internal/telemetry/fanout"
	"github.com/kubearmor/kubearmor-operator/internal/telemetry/feeder"
)

// Streams by name, in messages and metrics.
const (
	streamAlerts   = "alerts"
	streamLogs     = "logs"
	streamMessages = "messages"
)

// Filters of a request. An empty one is all.
const (
	filterAll    = "all"
	filterPolicy = "policy"
	filterSystem = "system"
)

func checkFilter(request *feeder.RequestMessage) error {
	switch f := request.GetFilter(); f {
	case "", filterAll, filterPolicy, filterSystem:
		return nil
	default:
		return status.Errorf(codes.InvalidArgument, "the filter %q is unknown: use all, policy or system", f)
	}
}

// HealthCheck sends the nonce back.
func (s *Server) HealthCheck(_ context.Context, nonce *feeder.NonceMessage) (*feeder.ReplyMessage, error) {
	return &feeder.ReplyMessage{Retval: nonce.GetNonce()}, nil
}

// WatchAlerts streams alerts: all of them for all and policy, those about the telemetry itself for system.
func (s *Server) WatchAlerts(request *feeder.RequestMessage, to grpc.ServerStreamingServer[feeder.Alert]) error {
	if err := checkFilter(request); err != nil {
		return err
	}
	wants := func(*feeder.Alert) bool { return true }
	if request.GetFilter() == filterSystem {
		wants = telemetry.IsSystem
	}
	return stream(s.ending, s.alerts, watch[feeder.Alert]{to: to, wants: wants})
}

// WatchLogs streams logs for all and system, nothing for policy.
func (s *Server) WatchLogs(request *feeder.RequestMessage, to grpc.ServerStreamingServer[feeder.Log]) error {
	if err := checkFilter(request); err != nil {
		return err
	}
	wants := request.GetFilter() != filterPolicy
	return stream(s.ending, s.logs, watch[feeder.Log]{to: to, wants: func(*feeder.Log) bool { return wants }})
}

// WatchMessages streams messages, the present account first.
func (s *Server) WatchMessages(request *feeder.RequestMessage, to grpc.ServerStreamingServer[feeder.Message]) error {
	if err := checkFilter(request); err != nil {
		return err
	}
	return stream(s.ending, s.messages, watch[feeder.Message]{
		to: to, wants: func(*feeder.Message) bool { return true }, first: s.account(time.Now()),
	})
}

// watch is one call of a client.
type watch[M any] struct {
	to    grpc.ServerStreamingServer[M]
	wants func(*M) bool
	// first is sent before all else, unless it is nil.
	first *M
}

// stream sends what the client wants, until it leaves or the server ends. What the client does not read in time is lost
// for it alone.
func stream[M any](ending <-chan struct{}, hub *fanout.Hub[*M], w watch[M]) error {
	subscriber, err := hub.Join(client(w.to.Context()), w.wants)
	if err != nil {
		return status.Errorf(codes.ResourceExhausted, "%v: end one of them, or connect to the relay", err)
	}
	defer hub.Leave(subscriber)
	// The client learns that it is being served before anything happens.
	if err := w.to.SendHeader(nil); err != nil {
		return err
	}
	if w.first != nil {
		if err := w.to.Send(w.first); err != nil {
			return err
		}
	}
	ctx, cancel := until(w.to.Context(), ending)
	defer cancel()
	for {
		item, found := subscriber.Next(ctx)
		if !found {
			item, found = subscriber.Try() // at the end, what is left
		}
		if !found {
			break
		}
		if err := w.to.Send(item); err != nil {
			subscriber.Lost(1)
			return err
		}
		subscriber.Delivered(1)
	}
	if err := w.to.Context().Err(); err != nil {
		return status.FromContextError(err).Err()
	}
	return status.Error(codes.Unavailable, "this server ends: connect again")
}

// until ends a context with a channel that is closed, too.
func until(ctx context.Context, ending <-chan struct{}) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(ctx)
	go func() {
		select {
		case <-ending:
		case <-ctx.Done():
		}
		cancel()
	}()
	return ctx, cancel
}

// client names who is asking.
func client(ctx context.Context) string {
	if p, found := peer.FromContext(ctx); found {
		return p.Addr.String()
	}
	return "unknown"
}
