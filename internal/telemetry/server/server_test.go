// SPDX-License-Identifier: Apache-2.0

package server

import (
	"context"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-logr/logr/funcr"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
	reflectionv1 "google.golang.org/grpc/reflection/grpc_reflection_v1"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/kubearmor/kubearmor-operator/internal/telemetry"
	"github.com/kubearmor/kubearmor-operator/internal/telemetry/fanout"
	"github.com/kubearmor/kubearmor-operator/internal/telemetry/feeder"
)

// running is a server of a test.
type running struct {
	*Server
	t       *testing.T
	wire    wire
	address string
	stop    func()

	mu  sync.Mutex
	log strings.Builder
}

func start(t *testing.T, o Options, stages ...fanout.Stage) *running {
	t.Helper()
	r := &running{t: t, wire: newWire(t)}
	logger := funcr.New(func(_, args string) {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.log.WriteString(args + "\n")
	}, funcr.Options{})
	var err error
	r.Server, err = New(o, telemetry.Node{Cluster: "c", Name: "n1"}, func() []fanout.Stage { return stages }, logger)
	if err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r.address = listener.Addr().String()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- r.serve(ctx, listener) }()
	r.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("server: %v", err)
		}
	})
	t.Cleanup(r.stop)
	return r
}

func (r *running) logged() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.log.String()
}

func (r *running) dial(how credentials.TransportCredentials) *grpc.ClientConn {
	r.t.Helper()
	conn, err := grpc.NewClient(r.address, grpc.WithTransportCredentials(how))
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { _ = conn.Close() })
	return conn
}

// watch opens a stream as a client does that knows the contract alone. It returns once the server serves it.
func (r *running) watch(conn *grpc.ClientConn, method, filter string) (grpc.ClientStream, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	r.t.Cleanup(cancel)
	stream, err := conn.NewStream(ctx, &grpc.StreamDesc{ServerStreams: true}, "/feeder.LogService/"+method)
	if err != nil {
		return nil, err
	}
	request := r.wire.new("RequestMessage")
	request.Set(request.Descriptor().Fields().ByNumber(1), protoreflect.ValueOfString(filter))
	if err := stream.SendMsg(request); err != nil {
		return nil, err
	}
	if err := stream.CloseSend(); err != nil {
		return nil, err
	}
	if header, err := stream.Header(); err != nil || header == nil {
		return nil, stream.RecvMsg(r.wire.new("Message"))
	}
	return stream, nil
}

func (r *running) mustWatch(method, filter string) grpc.ClientStream {
	r.t.Helper()
	stream, err := r.watch(r.dial(insecure.NewCredentials()), method, filter)
	if err != nil {
		r.t.Fatal(err)
	}
	return stream
}

// next reads one message of that name.
func (r *running) next(stream grpc.ClientStream, name string) []string {
	r.t.Helper()
	m := r.wire.new(name)
	if err := stream.RecvMsg(m); err != nil {
		r.t.Fatal(err)
	}
	return texts(m, "")
}

// TestClientThatKnowsOnlyTheNumbers receives alerts, logs and messages whole.
func TestClientThatKnowsOnlyTheNumbers(t *testing.T) {
	r := start(t, Options{})
	alerts, logs := r.mustWatch("WatchAlerts", "all"), r.mustWatch("WatchLogs", "all")
	alert, log := &feeder.Alert{}, &feeder.Log{}
	fill(alert.ProtoReflect())
	fill(log.ProtoReflect())
	r.Alert(alert)
	r.Log(log)
	for name, tt := range map[string]struct {
		stream grpc.ClientStream
		sent   proto.Message
		fields int
	}{"Alert": {alerts, alert, 44}, "Log": {logs, log, 34}} {
		got := r.next(tt.stream, name)
		expected := r.wire.new(name)
		fill(expected.ProtoReflect())
		if diff := cmp.Diff(texts(expected.ProtoReflect(), ""), got); diff != "" {
			t.Errorf("%s by its numbers (-want +got):\n%s", name, diff)
		}
		if got := tt.sent.ProtoReflect().Descriptor().Fields().Len(); got != tt.fields {
			t.Errorf("%s has %d fields, the contract %d", name, got, tt.fields)
		}
	}
	nonce, reply := r.wire.new("NonceMessage"), r.wire.new("ReplyMessage")
	nonce.Set(nonce.Descriptor().Fields().ByNumber(1), protoreflect.ValueOfInt32(4711))
	if err := r.dial(insecure.NewCredentials()).Invoke(t.Context(), "/feeder.LogService/HealthCheck", nonce, reply); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"Retval = 4711"}, texts(reply, "")); diff != "" {
		t.Errorf("HealthCheck: %s", diff)
	}
}

func TestFilters(t *testing.T) {
	r := start(t, Options{})
	for filter, want := range map[string]string{"": "MatchedPolicy", "all": "MatchedPolicy", "policy": "MatchedPolicy", "system": "SystemEvent"} {
		stream := r.mustWatch("WatchAlerts", filter)
		r.Alert(&feeder.Alert{Type: "MatchedPolicy"})
		r.Alert(&feeder.Alert{Type: "SystemEvent"})
		if got := r.next(stream, "Alert"); got[0] != "Type = "+want {
			t.Errorf("filter %q: %s, want %s", filter, got, want)
		}
	}
	for _, method := range []string{"WatchAlerts", "WatchLogs", "WatchMessages"} {
		_, err := r.watch(r.dial(insecure.NewCredentials()), method, "everything")
		if status.Convert(err).Message() != `the filter "everything" is unknown: use all, policy or system` {
			t.Errorf("%s: %v", method, err)
		}
	}
}

// TestClientThatDoesNotReadLosesItsOwn and is told how much; the other one gets all.
func TestClientThatDoesNotReadLosesItsOwn(t *testing.T) {
	r := start(t, Options{})
	slow, quick := r.mustWatch("WatchAlerts", "all"), r.mustWatch("WatchAlerts", "all")
	messages := r.mustWatch("WatchMessages", "all")
	const count = 4 * waiting
	large := strings.Repeat("x", 1024)
	took := time.Duration(0)
	for i := range count {
		before := time.Now()
		r.Alert(&feeder.Alert{HostPID: int32(i), Message: large})
		took = max(took, time.Since(before))
		if got := r.next(quick, "Alert"); len(got) == 0 {
			t.Fatal("nothing")
		}
	}
	if took > time.Second {
		t.Errorf("to publish an alert took %s", took)
	}
	text := ""
	for !strings.Contains(text, "reads too slowly") {
		text = strings.Join(r.next(messages, "Message"), "\n")
	}
	if !strings.Contains(text, "stream=alerts client=127.0.0.1:") || !strings.Contains(text, "Level = WARN") || strings.Contains(text, " dropped=0 ") {
		t.Errorf("message: %s", text)
	}
	read := make(chan uint64)
	go func() {
		n := uint64(0)
		for ; slow.RecvMsg(r.wire.new("Alert")) == nil; n++ {
		}
		read <- n
	}()
	r.stop()
	n, c := <-read, r.alerts.Count()
	if !c.Balanced() || c.Generated != 2*count || c.Waiting != 0 || c.Dropped < count/2 || c.Delivered != count+n {
		t.Errorf("%s; the slow one read %d", c, n)
	}
	if n < waiting {
		t.Errorf("the slow one read %d in the end, but %d waited for it", n, waiting)
	}
}

func TestMessagesTellTheAccount(t *testing.T) {
	r := start(t, Options{}, fanout.Stage{Name: "kernel", Count: fanout.Count{Generated: 9, Delivered: 7, Dropped: 2}})
	messages := r.mustWatch("WatchMessages", "")
	first := strings.Join(r.next(messages, "Message"), "\n")
	for _, want := range []string{"ClusterName = c", "HostName = n1", "Level = INFO", "Message = stage=kernel generated=9 delivered=7 aggregated=0 throttled=0 dropped=2 waiting=0; stage=client_alerts "} {
		if !strings.Contains(first, want) {
			t.Errorf("the first message lacks %q:\n%s", want, first)
		}
	}
}

func TestLogsAreMadeForThoseWhoAskForThem(t *testing.T) {
	r := start(t, Options{})
	r.mustWatch("WatchLogs", "policy")
	if r.WantsLogs() {
		t.Error("wanted by a client that asks for matches of policies")
	}
	r.mustWatch("WatchLogs", "all")
	if !r.WantsLogs() {
		t.Error("not wanted by a client of all")
	}
}

func TestStreamsAreBounded(t *testing.T) {
	r := start(t, Options{})
	for range mostStreams {
		r.mustWatch("WatchAlerts", "all")
	}
	_, err := r.watch(r.dial(insecure.NewCredentials()), "WatchAlerts", "all")
	if want := "64 clients are served already, and no more are: end one of them, or connect to the relay"; status.Convert(err).Message() != want {
		t.Errorf("one too many: %v", err)
	}
}

func TestHealthAndReflectionAreServedBeside(t *testing.T) {
	r := start(t, Options{})
	conn := r.dial(insecure.NewCredentials())
	for _, service := range []string{"", "feeder.LogService"} {
		answer, err := healthv1.NewHealthClient(conn).Check(t.Context(), &healthv1.HealthCheckRequest{Service: service})
		if err != nil || answer.Status != healthv1.HealthCheckResponse_SERVING {
			t.Errorf("health of %q: %v, %v", service, answer, err)
		}
	}
	stream, err := reflectionv1.NewServerReflectionClient(conn).ServerReflectionInfo(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	request := &reflectionv1.ServerReflectionRequest{MessageRequest: &reflectionv1.ServerReflectionRequest_ListServices{}}
	if err := stream.Send(request); err != nil {
		t.Fatal(err)
	}
	answer, err := stream.Recv()
	if err != nil || !strings.Contains(answer.String(), "feeder.LogService") {
		t.Errorf("reflection: %v, %v", answer, err)
	}
}

func TestStreamsEndWithTheServer(t *testing.T) {
	r := start(t, Options{})
	stream := r.mustWatch("WatchAlerts", "all")
	r.Alert(&feeder.Alert{PolicyName: "last"})
	r.stop()
	if got := r.next(stream, "Alert"); got[0] != "PolicyName = last" {
		t.Errorf("got %s", got)
	}
	if err := stream.RecvMsg(r.wire.new("Alert")); status.Convert(err).Message() != "this server ends: connect again" {
		t.Errorf("the end: %v", err)
	}
}

func TestWhoMayConnectIsDecidedBeforeListening(t *testing.T) {
	for name, tt := range map[string]struct {
		o    Options
		want string
	}{
		"nothing is said: the Pod's own network": {Options{Address: ":32767"}, "127.0.0.1:32767"},
		"an address of the loopback":             {Options{Address: "[::1]:1"}, "[::1]:1"},
		"certificates":                           {Options{Address: ":32767", TLSDir: "/tls"}, ":32767"},
		"insecure, as asked for":                 {Options{Address: ":32767", Insecure: true}, ":32767"},
		"everybody, by mistake": {Options{Address: "0.0.0.0:32767"}, "--telemetry-addr=0.0.0.0:32767 would show alerts to everybody: " +
			"name the folder of certificates with --telemetry-tls-dir, or say --telemetry-insecure"},
		"no address":       {Options{}, ""},
		"no port's number": {Options{Address: "32767"}, "--telemetry-addr=32767: address 32767: missing port in address: give HOST:PORT or :PORT"},
	} {
		t.Run(name, func(t *testing.T) {
			s, err := New(tt.o, telemetry.Node{}, nil, funcr.New(func(_, _ string) {}, funcr.Options{}))
			got := ""
			if err != nil {
				got = err.Error()
			} else {
				got = s.o.Address
			}
			if got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}
