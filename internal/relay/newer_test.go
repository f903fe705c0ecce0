// SPDX-License-Identifier: Apache-2.0

package relay_test

import (
	"context"
	"testing"

	"google.golang.org/grpc"

	"github.com/kubearmor/kubearmor-operator/internal/telemetry/feeder"
)

// newerField is number 500, which no version of ours has: "later".
var newerField = []byte{0xa2, 0x1f, 0x05, 'l', 'a', 't', 'e', 'r'}

// newerAgent sends one alert with a field of its own.
type newerAgent struct {
	feeder.UnimplementedLogServiceServer
}

func (n *newerAgent) serve(t *testing.T) string {
	t.Helper()
	listener, server := listen(t), grpc.NewServer()
	feeder.RegisterLogServiceServer(server, n)
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(server.Stop)
	return listener.Addr().String()
}

// HealthCheck says yes.
func (n *newerAgent) HealthCheck(context.Context, *feeder.NonceMessage) (*feeder.ReplyMessage, error) {
	return &feeder.ReplyMessage{}, nil
}

// WatchAlerts sends the alert. The other kinds are not implemented, as by an older agent.
func (n *newerAgent) WatchAlerts(_ *feeder.RequestMessage, to grpc.ServerStreamingServer[feeder.Alert]) error {
	a := &feeder.Alert{HostName: "n"}
	a.ProtoReflect().SetUnknown(newerField)
	if err := to.Send(a); err != nil {
		return err
	}
	<-to.Context().Done()
	return nil
}
