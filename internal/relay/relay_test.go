// SPDX-License-Identifier: Apache-2.0

package relay_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"

	"github.com/kubearmor/kubearmor-operator/internal/mtls"
	"github.com/kubearmor/kubearmor-operator/internal/mtls/mtlstest"
	"github.com/kubearmor/kubearmor-operator/internal/relay"
	"github.com/kubearmor/kubearmor-operator/internal/relay/past"
	"github.com/kubearmor/kubearmor-operator/internal/relay/relaytest"
	"github.com/kubearmor/kubearmor-operator/internal/telemetry/feeder"
)

// TestTwoHundredAgentsAreOneStream: 200 simulated agents, a client that reads all, and one that hardly reads. The sums are
// exact, and nothing comes twice.
func TestTwoHundredAgentsAreOneStream(t *testing.T) {
	const agents, each = 200, 100
	begin := make(chan struct{})
	simulated, found := simulate(t, agents, relaytest.Options{Alerts: each, Logs: each, Rate: 25, Begin: begin})
	r := startRelay(t, found, func(o *relay.Options) { o.Events, o.Window = 11_000, time.Second })
	eventually(t, "all agents are connected", func() bool {
		return metric(t, r.metrics, `kubearmor_relay_agents{state="connected"}`) == agents
	})

	quick := watch(t.Context(), t, plain(t, r.address), nil)
	lazy := plain(t, r.address)
	told := watchMessages(t, lazy)
	idle := make(chan struct{})
	slow := watch(t.Context(), t, lazy, func() { <-idle })
	close(begin)
	eventually(t, "everything has arrived", func() bool {
		return metric(t, r.metrics, `kubearmor_relay_events_received_total{kind="alert"}`) == agents*each &&
			metric(t, r.metrics, `kubearmor_relay_events_offered_total{kind="alert"}`) == 2*agents*each
	})
	close(idle)
	eventually(t, "the slow client is told of its losses", told.say("alerts were dropped for this client"))
	eventually(t, "all that is held is read", func() bool {
		return metric(t, r.metrics, `kubearmor_relay_events_waiting{kind="alert"}`) == 0
	})
	late := metric(t, r.metrics, `kubearmor_relay_events_late_total{kind="alert"}`)
	dropped := metric(t, r.metrics, `kubearmor_relay_events_dropped_total{cause="slow_client",kind="alert"}`)
	if err := r.stop(); err != nil {
		t.Fatal(err)
	}
	<-quick.done
	<-slow.done

	for name, w := range map[string]*watcher{"quick": quick, "slow": slow} {
		if w.read+w.dropped != agents*each || w.read != w.delivered || len(w.problems) > 0 {
			t.Errorf("%s: read %d, delivered %d, dropped %d of %d; %v", name, w.read, w.delivered, w.dropped, agents*each, w.problems)
		}
		if !says(w.err, "the relay stops; connect again") {
			t.Errorf("%s: %v", name, w.err)
		}
	}
	// The quick one may lose some, too, where the machine is busy.
	if slow.dropped <= quick.dropped || float64(quick.dropped+slow.dropped) != dropped {
		t.Errorf("dropped: quick %d, slow %d, metric %v", quick.dropped, slow.dropped, dropped)
	}
	if !told.say(fmt.Sprintf("%d since it connected", slow.dropped))() {
		t.Errorf("the client was told %v, and lost %d", told.all(), slow.dropped)
	}
	if quick.disorder > int(late) {
		t.Errorf("%d events came after a later one, and %v were late", quick.disorder, late)
	}
	for _, a := range simulated {
		if a.Alerts.Load() != each || a.Logs.Load() != each || a.Streams.Load() != 3 {
			t.Errorf("%s sent %d alerts and %d logs on %d streams", a.Name(), a.Alerts.Load(), a.Logs.Load(), a.Streams.Load())
		}
	}
}

func TestMetricsAddUp(t *testing.T) {
	begin := make(chan struct{})
	_, found := simulate(t, 5, relaytest.Options{Alerts: 20, Logs: 30, Rate: 200, Begin: begin})
	r := startRelay(t, found, nil)
	eventually(t, "all agents are connected", func() bool {
		return metric(t, r.metrics, `kubearmor_relay_agents{state="connected"}`) == 5
	})
	client := plain(t, r.address)
	leaving, leave := context.WithCancel(t.Context())
	watch(t.Context(), t, client, nil)
	gone := watch(leaving, t, client, nil)
	if n := metric(t, r.metrics, `kubearmor_relay_streams{kind="alert"}`); n != 2 {
		t.Errorf("%v streams, want 2", n)
	}
	close(begin)
	eventually(t, "everything arrived", func() bool {
		return metric(t, r.metrics, `kubearmor_relay_events_delivered_total{kind="alert"}`) == 200 &&
			metric(t, r.metrics, `kubearmor_relay_events_unwatched_total{kind="log"}`) == 150
	})
	leave()
	<-gone.done
	eventually(t, "the stream is gone", func() bool { return metric(t, r.metrics, `kubearmor_relay_streams{kind="alert"}`) == 1 })
	for name, want := range map[string]float64{
		`kubearmor_relay_events_received_total{kind="alert"}`:                     100,
		`kubearmor_relay_events_received_total{kind="log"}`:                       150,
		`kubearmor_relay_events_offered_total{kind="alert"}`:                      200,
		`kubearmor_relay_events_dropped_total{cause="slow_client",kind="alert"}`:  0,
		`kubearmor_relay_events_dropped_total{cause="disconnected",kind="alert"}`: 0,
		`kubearmor_relay_events_waiting{kind="alert"}`:                            0,
		`kubearmor_relay_events_offered_total{kind="log"}`:                        0,
		`kubearmor_relay_clients`:                                                 1,
		`kubearmor_relay_agents{state="away"}`:                                    0,
		`kubearmor_relay_build_info{version="v1.2.3"}`:                            1,
	} {
		if got := metric(t, r.metrics, name); got != want {
			t.Errorf("%s = %v, want %v", name, got, want)
		}
	}
}

func TestAnAgentThatComesBackSaysNothingTwice(t *testing.T) {
	begin := make(chan struct{})
	close(begin)
	simulated, found := simulate(t, 2, relaytest.Options{Alerts: 1 << 30, Rate: 200, Begin: begin})
	r := startRelay(t, found, nil)
	client := plain(t, r.address)
	told := watchMessages(t, client)
	w := watch(t.Context(), t, client, nil)
	for range 3 {
		before := w.count()
		eventually(t, "events come", func() bool { return w.count() > before+50 })
		simulated[0].Stop()
		eventually(t, "its absence is told", told.say("the stream of agent simulated-0000 broke"))
		if err := simulated[0].Restart(); err != nil {
			t.Fatal(err)
		}
		eventually(t, "its return is told", told.say("agent simulated-0000 is back after"))
		told.mu.Lock()
		told.texts = nil
		told.mu.Unlock()
	}
	sent := simulated[0].Alerts.Load()
	eventually(t, "its events come again", func() bool {
		w.mu.Lock()
		defer w.mu.Unlock()
		return w.last["simulated-0000"] > sent
	})
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.problems) > 0 {
		t.Errorf("%v", w.problems)
	}
}

// changing are agents that come and go.
type changing chan []relay.Agent

func (c changing) Watch(ctx context.Context, changed func([]relay.Agent)) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case agents := <-c:
			changed(agents)
		}
	}
}

func TestAgentsComeAndGo(t *testing.T) {
	begin := make(chan struct{})
	close(begin)
	simulated, found := simulate(t, 2, relaytest.Options{Alerts: 1 << 30, Rate: 100, Begin: begin})
	agents := make(changing)
	r := startRelay(t, agents, nil)
	serving := func() grpc_health_v1.HealthCheckResponse_ServingStatus {
		conn, err := grpc.NewClient("passthrough:///"+r.health, grpc.WithTransportCredentials(insecure.NewCredentials()))
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		got, err := grpc_health_v1.NewHealthClient(conn).Check(t.Context(), &grpc_health_v1.HealthCheckRequest{Service: "feeder.LogService"})
		if err != nil {
			t.Fatal(err)
		}
		return got.GetStatus()
	}
	if got := serving(); got != grpc_health_v1.HealthCheckResponse_NOT_SERVING {
		t.Errorf("before agents are known it is %s", got)
	}
	agents <- nil
	eventually(t, "it serves without agents", func() bool { return serving() == grpc_health_v1.HealthCheckResponse_SERVING })
	client := plain(t, r.address)
	told := watchMessages(t, client)
	eventually(t, "the lack of agents is told", told.say("WARN this relay knows no agents: nothing comes until one runs; see: karmor probe"))
	w := watch(t.Context(), t, client, nil)
	agents <- found
	eventually(t, "both agents are heard", func() bool {
		w.mu.Lock()
		defer w.mu.Unlock()
		return len(w.last) == 2
	})
	agents <- found
	agents <- found[1:]
	eventually(t, "one is let go", func() bool { return metric(t, r.metrics, `kubearmor_relay_agents{state="connected"}`) == 1 })
	if n := simulated[1].Streams.Load(); n != 3 {
		t.Errorf("the agent that stayed got %d streams, want one of each kind", n)
	}
	again := watchMessages(t, plain(t, r.address))
	eventually(t, "the number of agents is told", again.say("INFO 1 of 1 agents are connected"))
}

func TestAnAgentThatIsNotThereIsNamed(t *testing.T) {
	closed := listen(t)
	address := closed.Addr().String()
	if err := closed.Close(); err != nil {
		t.Fatal(err)
	}
	_, found := simulate(t, 1, relaytest.Options{})
	found = append(found, relay.Agent{ID: "x", Node: "worker-9", Address: address})
	r := startRelay(t, found, nil)
	eventually(t, "one is away", func() bool { return metric(t, r.metrics, `kubearmor_relay_agents{state="connected"}`) == 1 })
	eventually(t, "the cause is known", func() bool {
		told := watchMessages(t, plain(t, r.address))
		time.Sleep(50 * time.Millisecond)
		texts := strings.Join(told.all(), "\n")
		return strings.Contains(texts, "WARN 1 of 2 agents are connected; missing: worker-9 (") && strings.Contains(texts, "connection refused")
	})
}

func TestWhatClientsAskWrongly(t *testing.T) {
	r := startRelay(t, relay.Static{}, func(o *relay.Options) { o.Streams = 2 })
	client := plain(t, r.address)
	if got, err := client.HealthCheck(t.Context(), &feeder.NonceMessage{Nonce: 42}); err != nil || got.GetRetval() != 42 {
		t.Errorf("health check: %v, %v", got, err)
	}
	ask := func(ctx context.Context, filter string) error {
		stream, err := client.WatchAlerts(ctx, &feeder.RequestMessage{Filter: filter})
		if err != nil {
			return err
		}
		_, err = stream.Recv()
		return err
	}
	if err := ask(t.Context(), "policies"); status.Code(err) != codes.InvalidArgument || !says(err, `filter "policies" is not one of all, policy, system`) {
		t.Errorf("a filter that is none: %v", err)
	}
	short, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	if err := ask(short, "system"); status.Code(err) != codes.DeadlineExceeded {
		t.Errorf("alerts of the system: %v", err)
	}
	for range 2 {
		watch(t.Context(), t, client, nil)
	}
	patient, giveUp := context.WithTimeout(t.Context(), 10*time.Second)
	defer giveUp()
	if err := ask(patient, ""); status.Code(err) != codes.ResourceExhausted || !says(err, "takes no more") {
		t.Errorf("one stream too many: %v", err)
	}
}

func TestEventsThatAreHeldAreReadAgain(t *testing.T) {
	begin := make(chan struct{})
	close(begin)
	_, found := simulate(t, 2, relaytest.Options{Alerts: 10, Rate: 200, Begin: begin})
	r := startRelay(t, found, nil)
	eventually(t, "events are held", func() bool {
		return metric(t, r.metrics, `kubearmor_relay_events_unwatched_total{kind="alert"}`) == 20
	})
	for range 2 {
		w := watch(past.Ask(t.Context(), past.Span{Held: true, Ends: true}), t, plain(t, r.address), nil)
		<-w.done
		if w.read != 20 || w.delivered != 20 || w.err.Error() != "EOF" {
			t.Errorf("read %d, delivered %d, %v", w.read, w.delivered, w.err)
		}
	}
}

// TestFieldsOfNewerAgentsSurvive: the relay does not know them, and a newer client does.
func TestFieldsOfNewerAgentsSurvive(t *testing.T) {
	newer := &newerAgent{}
	address := newer.serve(t)
	r := startRelay(t, relay.Static{{ID: "n", Node: "n", Address: address}}, nil)
	stream, err := plain(t, r.address).WatchAlerts(past.Ask(t.Context(), past.Span{Held: true}), &feeder.RequestMessage{})
	if err != nil {
		t.Fatal(err)
	}
	got, err := stream.Recv()
	if err != nil {
		t.Fatal(err)
	}
	if unknown := got.ProtoReflect().GetUnknown(); string(unknown) != string(newerField) {
		t.Errorf("unknown fields %x, want %x", unknown, newerField)
	}
}

func TestOverTLSOnBothSides(t *testing.T) {
	authority, err := mtlstest.New("ours")
	if err != nil {
		t.Fatal(err)
	}
	issue := func(a *mtlstest.Authority, name string) mtls.Files {
		files, err := a.Issue(t.TempDir(), name)
		if err != nil {
			t.Fatal(err)
		}
		return files
	}
	begin := make(chan struct{})
	close(begin)
	_, found := simulate(t, 1, relaytest.Options{Credentials: mtls.Server(issue(authority, "agent")), Alerts: 1 << 30, Rate: 100, Begin: begin})
	files := issue(authority, "relay")
	r := startRelay(t, found, func(o *relay.Options) { o.ToAgents, o.ToClients = mtls.Client(files, "agent"), mtls.Server(files) })
	w := watch(t.Context(), t, connect(t, r.address, mtls.Client(issue(authority, "client"), "relay")), nil)
	eventually(t, "events come", func() bool { return w.count() > 10 })

	_, err = plain(t, r.address).HealthCheck(t.Context(), &feeder.NonceMessage{})
	if !says(err, "this server speaks TLS only") {
		t.Errorf("a client without TLS: %v", err)
	}
	// A relay that expects another name, and one without a certificate that the agent believes.
	other := startRelay(t, found, func(o *relay.Options) { o.ToAgents = mtls.Client(files, "somebody") })
	eventually(t, "the wrong name is told", func() bool {
		told := watchMessages(t, plain(t, other.address))
		time.Sleep(50 * time.Millisecond)
		return told.say("the server's certificate is for another name")()
	})
}
