// SPDX-License-Identifier: Apache-2.0

package relay

import (
	"context"
	"fmt"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/reflection"
	"google.golang.org/grpc/status"

	"github.com/kubearmor/kubearmor-operator/internal/relay/past"
	"github.com/kubearmor/kubearmor-operator/internal/telemetry/feeder"
)

// Values of RequestMessage.Filter.
const (
	filterAll    = "all"
	filterPolicy = "policy"
	filterSystem = "system"
)

// service is what clients call. Its streams are typed by the wire format's description; what is sent on them are frames.
type service struct {
	feeder.UnimplementedLogServiceServer
	relay *Relay
}

// HealthCheck answers with the number that it was asked with.
func (s *service) HealthCheck(_ context.Context, n *feeder.NonceMessage) (*feeder.ReplyMessage, error) {
	return &feeder.ReplyMessage{Retval: n.GetNonce()}, nil
}

// WatchAlerts streams alerts.
func (s *service) WatchAlerts(q *feeder.RequestMessage, to grpc.ServerStreamingServer[feeder.Alert]) error {
	return s.relay.serve(kindAlert, q.GetFilter(), to)
}

// WatchLogs streams logs.
func (s *service) WatchLogs(q *feeder.RequestMessage, to grpc.ServerStreamingServer[feeder.Log]) error {
	return s.relay.serve(kindLog, q.GetFilter(), to)
}

// WatchMessages streams messages.
func (s *service) WatchMessages(q *feeder.RequestMessage, to grpc.ServerStreamingServer[feeder.Message]) error {
	return s.relay.serve(kindMessage, q.GetFilter(), to)
}

func (r *Relay) clientServer() *grpc.Server {
	server := grpc.NewServer(
		grpc.Creds(r.o.ToClients), grpc.ForceServerCodecV2(newCodec()),
		grpc.MaxRecvMsgSize(readBuffer),
		grpc.StaticStreamWindowSize(flowWindow), grpc.StaticConnWindowSize(flowWindow),
		grpc.KeepaliveParams(keepalive.ServerParameters{Time: pingAfter, Timeout: pingTimeout}),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: pingAfter / 3, PermitWithoutStream: true}),
	)
	feeder.RegisterLogServiceServer(server, &service{relay: r})
	grpc_health_v1.RegisterHealthServer(server, r.health)
	reflection.Register(server)
	return server
}

// wants says whether a filter lets a kind through: alerts are those of policies, logs those of the system.
func wants(k kind, filter string) (bool, error) {
	switch filter {
	case "", filterAll:
		return true, nil
	case filterPolicy:
		return k != kindLog, nil
	case filterSystem:
		return k != kindAlert, nil
	}
	return false, status.Errorf(codes.InvalidArgument, "filter %q is not one of %s, %s, %s", filter, filterAll, filterPolicy, filterSystem)
}

// serve sends events of a kind to one stream until it ends.
func (r *Relay) serve(k kind, filter string, to grpc.ServerStream) error {
	ctx := to.Context()
	wanted, err := wants(k, filter)
	if err != nil {
		return err
	}
	asked, err := past.Asked(ctx)
	if err != nil {
		return status.Error(codes.InvalidArgument, err.Error())
	}
	from, found := peer.FromContext(ctx)
	if !found {
		return status.Error(codes.Internal, "the stream has no peer")
	}
	session, err := r.sessions.enter(from.Addr.String())
	if err != nil {
		return err
	}
	defer r.sessions.leave(session)
	if err := to.SendHeader(past.Header(r.o.Version)); err != nil {
		return err
	}
	if !wanted {
		return r.wait(ctx, asked)
	}
	c := &client{relay: r, kind: k, session: session, to: to, follows: !asked.Ends, reader: r.lanes[k].open(asked)}
	return c.run(ctx)
}

// errStopping is what clients get when the relay ends: another one may take over.
func errStopping() error { return status.Error(codes.Unavailable, "the relay stops; connect again") }

// wait keeps a stream open on which nothing comes.
func (r *Relay) wait(ctx context.Context, asked past.Span) error {
	if asked.Ends {
		return nil
	}
	select {
	case <-ctx.Done():
		return status.FromContextError(ctx.Err()).Err()
	case <-r.stopping:
		return errStopping()
	}
}

// client is one stream to a client.
type client struct {
	relay   *Relay
	kind    kind
	session *session
	to      grpc.ServerStream
	follows bool
	reader  *reader
	// sent of the batch that is being sent, noted of the events that this stream was too slow for.
	sent  int
	noted uint64
	// told are the lost events of each kind that this client has been told of.
	told [kinds]uint64
}

// tellEvery bounds how often a client is told that it loses events.
const tellEvery = time.Second

func (c *client) run(ctx context.Context) error {
	defer func() {
		c.to.SetTrailer(past.Trailer(c.reader.close(c.sent)))
	}()
	var tick <-chan time.Time
	if c.kind == kindMessage {
		ticker := time.NewTicker(tellEvery)
		defer ticker.Stop()
		tick = ticker.C
		if err := c.note(c.relay.agents.summary()); err != nil {
			return err
		}
	}
	for {
		events, ended, err := c.reader.next(ctx, tick)
		c.sent = 0
		if err != nil {
			return status.FromContextError(err).Err()
		}
		if err := c.send(events); err != nil {
			return err
		}
		if ended && c.follows {
			return errStopping()
		}
		if ended {
			return nil
		}
	}
}

func (c *client) send(events []event) error {
	if lost := c.reader.lost(); lost > c.noted {
		c.session.lost[c.kind].Add(lost - c.noted)
		c.noted = lost
	}
	for _, e := range events {
		if err := c.to.SendMsg(&frame{data: e.data}); err != nil {
			return err
		}
		c.sent++
	}
	if c.kind != kindMessage {
		return nil
	}
	return c.tellLosses()
}

// tellLosses says on the stream of messages what the client lost on any of its streams.
func (c *client) tellLosses() error {
	for k := range kinds {
		total := c.session.lost[k].Load()
		if total == c.told[k] {
			continue
		}
		text := fmt.Sprintf("%d %s were dropped for this client, %d since it connected: it reads more slowly than they come", total-c.told[k], k.plural(), total)
		c.told[k] = total
		if err := c.note(levelWarning, text); err != nil {
			return err
		}
	}
	return nil
}

// note sends a message that is for this client alone.
func (c *client) note(level, text string) error {
	return c.to.SendMsg(c.relay.message(level, text, time.Now()))
}
