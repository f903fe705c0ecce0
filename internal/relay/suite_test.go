// SPDX-License-Identifier: Apache-2.0

package relay_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"

	"github.com/kubearmor/kubearmor-operator/internal/relay"
	"github.com/kubearmor/kubearmor-operator/internal/relay/past"
	"github.com/kubearmor/kubearmor-operator/internal/relay/relaytest"
	"github.com/kubearmor/kubearmor-operator/internal/telemetry/feeder"
)

// running is a relay that serves.
type running struct {
	address, health, metrics string
	// stop ends it and gives what Run gave.
	stop func() error
}

func listen(t *testing.T) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func startRelay(t *testing.T, agents relay.Agents, change func(*relay.Options)) running {
	t.Helper()
	o := relay.Defaults()
	o.Agents, o.Cluster, o.Name, o.Version = agents, "test", "relay-0", "v1.2.3"
	o.ToAgents, o.ToClients = insecure.NewCredentials(), insecure.NewCredentials()
	o.Window = 100 * time.Millisecond
	o.Serve, o.Health, o.Metrics = listen(t), listen(t), listen(t)
	if change != nil {
		change(&o)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- relay.New(o).Run(ctx) }()
	stop := sync.OnceValue(func() error {
		cancel()
		return <-ended
	})
	t.Cleanup(func() {
		if err := stop(); err != nil {
			t.Errorf("the relay: %v", err)
		}
	})
	return running{o.Serve.Addr().String(), o.Health.Addr().String(), o.Metrics.Addr().String(), stop}
}

// simulate starts agents and gives them as the relay finds them.
func simulate(t *testing.T, n int, o relaytest.Options) ([]*relaytest.Agent, relay.Static) {
	t.Helper()
	var agents []*relaytest.Agent
	var found relay.Static
	if o.Credentials == nil {
		o.Credentials = insecure.NewCredentials()
	}
	for i := range n {
		o.Name = fmt.Sprintf("simulated-%04d", i)
		a, err := relaytest.Start(o)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(a.Stop)
		agents = append(agents, a)
		found = append(found, relay.Agent{ID: o.Name, Node: o.Name, Address: a.Address()})
	}
	return agents, found
}

func connect(t *testing.T, address string, c credentials.TransportCredentials) feeder.LogServiceClient {
	t.Helper()
	conn, err := grpc.NewClient("passthrough:///"+address, grpc.WithTransportCredentials(c))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return feeder.NewLogServiceClient(conn)
}

func plain(t *testing.T, address string) feeder.LogServiceClient {
	t.Helper()
	return connect(t, address, insecure.NewCredentials())
}

// eventually waits for what must come true.
func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		if is() {
			return
		}
	}
	t.Fatalf("not within 30 s: %s", what)
}

// watcher is a client that reads alerts to the end and keeps what it must not forget.
type watcher struct {
	mu       sync.Mutex
	last     map[string]uint64
	read     uint64
	problems []string
	newest   string
	disorder int
	// delivered and dropped are what the relay told at the end.
	delivered, dropped uint64
	err                error
	done               chan struct{}
}

// watch begins to read; slow is called before each read.
func watch(ctx context.Context, t *testing.T, client feeder.LogServiceClient, slow func()) *watcher {
	t.Helper()
	stream, err := client.WatchAlerts(ctx, &feeder.RequestMessage{Filter: "policy"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := stream.Header(); err != nil {
		t.Fatal(err)
	}
	w := &watcher{last: map[string]uint64{}, done: make(chan struct{})}
	go func() {
		defer close(w.done)
		for {
			if slow != nil {
				slow()
			}
			a, err := stream.Recv()
			if err != nil {
				w.err = err
				w.delivered, w.dropped, _ = past.Sums(stream.Trailer())
				return
			}
			w.take(a)
		}
	}()
	return w
}

func (w *watcher) take(a *feeder.Alert) {
	w.mu.Lock()
	defer w.mu.Unlock()
	n, err := strconv.ParseUint(a.GetEventData()["Number"], 10, 64)
	if err != nil || n <= w.last[a.GetHostName()] {
		w.problems = append(w.problems, fmt.Sprintf("%s: %d after %d", a.GetHostName(), n, w.last[a.GetHostName()]))
	}
	w.last[a.GetHostName()] = n
	w.read++
	if a.GetUpdatedTime() < w.newest {
		w.disorder++
	}
	w.newest = max(w.newest, a.GetUpdatedTime())
}

func (w *watcher) count() uint64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.read
}

// messages gathers the texts of a client's messages.
type messages struct {
	mu    sync.Mutex
	texts []string
}

func watchMessages(t *testing.T, client feeder.LogServiceClient) *messages {
	t.Helper()
	stream, err := client.WatchMessages(t.Context(), &feeder.RequestMessage{})
	if err != nil {
		t.Fatal(err)
	}
	m := &messages{}
	go func() {
		for {
			got, err := stream.Recv()
			if err != nil {
				return
			}
			m.mu.Lock()
			m.texts = append(m.texts, got.GetLevel()+" "+got.GetMessage())
			m.mu.Unlock()
		}
	}()
	return m
}

func (m *messages) all() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return append([]string{}, m.texts...)
}

func (m *messages) say(part string) func() bool {
	return func() bool {
		for _, text := range m.all() {
			if strings.Contains(text, part) {
				return true
			}
		}
		return false
	}
}

// metric reads one value.
func metric(t *testing.T, address, name string) float64 {
	t.Helper()
	answer, err := http.Get("http://" + address + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if value, found := strings.CutPrefix(strings.TrimSpace(line), name+" "); found {
			n, err := strconv.ParseFloat(value, 64)
			if err != nil {
				t.Fatal(err)
			}
			return n
		}
	}
	t.Fatalf("there is no metric %s in\n%s", name, text)
	return 0
}

func says(err error, part string) bool {
	return err != nil && !errors.Is(err, io.EOF) && strings.Contains(status.Convert(err).Message(), part)
}
