// SPDX-License-Identifier: Apache-2.0

package relay_test

import (
	"context"
	"strconv"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/kubearmor/kubearmor-operator/internal/mtls"
	"github.com/kubearmor/kubearmor-operator/internal/mtls/mtlstest"
	"github.com/kubearmor/kubearmor-operator/internal/relay"
	"github.com/kubearmor/kubearmor-operator/internal/telemetry"
	"github.com/kubearmor/kubearmor-operator/internal/telemetry/feeder"
	"github.com/kubearmor/kubearmor-operator/internal/telemetry/server"
)

// startAgent serves as an agent does, with its certificates in a folder.
func startAgent(t *testing.T, folder string) (agent *server.Server, address string) {
	t.Helper()
	free := listen(t)
	address = free.Addr().String()
	if err := free.Close(); err != nil {
		t.Fatal(err)
	}
	agent, err := server.New(server.Options{Address: address, TLSDir: folder}, telemetry.Node{Cluster: "test", Name: "worker-1"}, nil, logr.Discard())
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- agent.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Errorf("the agent: %v", err)
		}
	})
	return agent, address
}

// TestWithTheAgentsOwnServer: its alerts and messages come through, and a relay that it does not let in says why.
func TestWithTheAgentsOwnServer(t *testing.T) {
	ours, err := mtlstest.New("ours")
	if err != nil {
		t.Fatal(err)
	}
	theirs, err := mtlstest.New("theirs")
	if err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir()
	if _, err := ours.Issue(folder, "kubearmor-agent"); err != nil {
		t.Fatal(err)
	}
	good, err := ours.Issue(t.TempDir(), "kubearmor")
	if err != nil {
		t.Fatal(err)
	}
	bad, err := theirs.Issue(t.TempDir(), "kubearmor")
	if err != nil {
		t.Fatal(err)
	}
	agent, address := startAgent(t, folder)
	found := relay.Static{{ID: "a", Node: "worker-1", Address: address}}
	r := startRelay(t, found, func(o *relay.Options) { o.ToAgents = mtls.Client(good, "kubearmor-agent") })
	eventually(t, "the agent is connected", func() bool { return agent.Clients()["alerts"] == 1 })
	client := plain(t, r.address)
	told := watchMessages(t, client)
	w := watch(t.Context(), t, client, nil)
	const total = 1000
	for n := range total {
		now := time.Now()
		agent.Alert(&feeder.Alert{
			Timestamp: now.Unix(), UpdatedTime: telemetry.Time(now), HostName: "worker-1", PolicyName: "p",
			EventData: map[string]string{"Number": strconv.Itoa(n + 1)},
		})
	}
	eventually(t, "all alerts come", func() bool { return w.count() == total })
	w.mu.Lock()
	if len(w.problems) > 0 || w.disorder > 0 {
		t.Errorf("%v, %d out of order", w.problems, w.disorder)
	}
	w.mu.Unlock()
	eventually(t, "its messages come", told.say("stage=client_alerts "))

	for name, refused := range map[string]struct {
		change func(*relay.Options)
		says   string
	}{
		"a certificate of another authority": {
			func(o *relay.Options) {
				o.ToAgents = mtls.Client(mtls.Files{CA: good.CA, Cert: bad.Cert, Key: bad.Key}, "kubearmor-agent")
			},
			"worker-1 (this server refuses the client's certificate (CN=kubearmor)",
		},
		"no TLS": {func(o *relay.Options) { o.ToAgents = insecure.NewCredentials() }, "worker-1 (this server speaks TLS only"},
	} {
		other := startRelay(t, found, refused.change)
		news := watchMessages(t, plain(t, other.address))
		eventually(t, name, func() bool {
			told := watchMessages(t, plain(t, other.address))
			time.Sleep(50 * time.Millisecond)
			return told.say(refused.says)()
		})
		time.Sleep(time.Second)
		if news.say("broke")() || news.say("is back")() {
			t.Errorf("%s: an agent that never let the relay in is told to come and go: %v", name, news.all())
		}
	}
}
