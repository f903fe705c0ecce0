// SPDX-License-Identifier: Apache-2.0

package agent

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/testing/protocmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	operatorv1 "github.com/kubearmor/kubearmor-operator/api/operator/v1"
	"github.com/kubearmor/kubearmor-operator/internal/enforcer"
	"github.com/kubearmor/kubearmor-operator/internal/policy/compile"
	"github.com/kubearmor/kubearmor-operator/internal/telemetry"
	"github.com/kubearmor/kubearmor-operator/internal/telemetry/feeder"
	"github.com/kubearmor/kubearmor-operator/internal/telemetry/process"
)

// telling is an agent that handles events and nothing else.
func telling(t *testing.T, o Options) (*Agent, *lines) {
	t.Helper()
	out := &lines{}
	o.Kubernetes, o.Containers, o.Alerts, o.Node = apiServer, &nodeContainers{}, out, "n1"
	a, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	return a, out
}

func alertsIn(t *testing.T, a *Agent, out *lines) []*telemetry.Alert {
	t.Helper()
	stopped, stop := context.WithCancel(context.Background())
	stop()
	if err := a.alerts.Run(stopped, out); err != nil {
		t.Fatal(err)
	}
	var alerts []*telemetry.Alert
	for line := range strings.Lines(out.String()) {
		alert := &telemetry.Alert{}
		if err := json.Unmarshal([]byte(line), alert); err != nil {
			t.Fatal(err)
		}
		alerts = append(alerts, alert)
	}
	return alerts
}

// TestThrottlingIsTheKubeArmorConfigs: from the ConfigMap that the operator renders to the alerts that are left, and
// every event is in the account.
func TestThrottlingIsTheKubeArmorConfigs(t *testing.T) {
	a, out := telling(t, Options{})
	a.throttle.SetLimit(limitOf(map[string]string{"alertThrottling": "true", "maxAlertPerSec": "3", "throttleSec": "7"}))
	for range 10 {
		a.handle(enforcer.Event{Time: time.Now(), Domain: compile.DomainFile, Operation: enforcer.OperationOpen, Action: compile.ActionAudit, Rule: 5, Cgroup: 1})
	}
	a.deliver(a.throttle.End(time.Now())...)
	var got []string
	for _, alert := range alertsIn(t, a, out) {
		got = append(got, strings.TrimSpace(fmt.Sprintf("%s %d/%d %s", alert.Operation, alert.MaxAlertsPerSec, alert.DroppingAlertsInterval, alert.EventData["Throttled"])))
	}
	want := []string{"File 0/0", "File 0/0", "File 0/0", "AlertThreshold 3/7 0", "AlertThreshold 3/7 7"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	account := "stage=kernel generated=10 delivered=10; stage=throttle generated=12 delivered=5 throttled=7; stage=stdout generated=5 delivered=5"
	if got := shortAccount(a); got != account {
		t.Errorf("account: %s, want %s", got, account)
	}
	if got := series(newTelemetryMetrics(a), "kubearmor_agent_telemetry_items_total"); !strings.Contains(strings.Join(got, "\n"), `{outcome="throttled",stage="throttle"} 7`) {
		t.Errorf("metrics:\n%s", strings.Join(got, "\n"))
	}
}

// shortAccount leaves out what is zero.
func shortAccount(a *Agent) string {
	var stages []string
	for _, s := range a.stages() {
		if s.Generated == 0 {
			continue
		}
		text := "stage=" + s.Name
		for _, word := range strings.Fields(s.String()) {
			if !strings.HasSuffix(word, "=0") {
				text += " " + word
			}
		}
		stages = append(stages, text)
	}
	return strings.Join(stages, "; ")
}

func TestLimitOfSettings(t *testing.T) {
	for name, tt := range map[string]struct {
		settings map[string]string
		want     telemetry.Limit
	}{
		"that are missing": {nil, telemetry.Limit{}},
		"that are off":     {map[string]string{"alertThrottling": "false", "maxAlertPerSec": "3"}, telemetry.Limit{}},
		"without numbers":  {map[string]string{"alertThrottling": "true"}, telemetry.Limit{PerSecond: 10, Interval: 30 * time.Second}},
		"with nonsense":    {map[string]string{"alertThrottling": "true", "maxAlertPerSec": "many", "throttleSec": "-1"}, telemetry.Limit{PerSecond: 10, Interval: 30 * time.Second}},
		"with numbers":     {map[string]string{"alertThrottling": "true", "maxAlertPerSec": "2", "throttleSec": "5"}, telemetry.Limit{PerSecond: 2, Interval: 5 * time.Second}},
	} {
		t.Run(name, func(t *testing.T) {
			if got := limitOf(tt.settings); got != tt.want {
				t.Errorf("limit = %+v, want %+v", got, tt.want)
			}
		})
	}
}

func TestAlertsTellOfTheProcessOrWhyNot(t *testing.T) {
	gone := errors.New("it is gone")
	a, out := telling(t, Options{Look: func(pid uint32, _ time.Time) (process.Found, error) {
		if pid == 7 {
			return process.Found{Cwd: "/srv", TTY: "pts3"}, nil
		}
		return process.Found{}, gone
	}})
	a.handle(enforcer.Event{Domain: compile.DomainFile, Operation: enforcer.OperationOpen, Action: compile.ActionAudit, HostPID: 7})
	a.handle(enforcer.Event{Domain: compile.DomainFile, Operation: enforcer.OperationOpen, Action: compile.ActionAudit, HostPID: 8})
	alerts := alertsIn(t, a, out)
	if alerts[0].Cwd != "/srv" || alerts[0].TTY != "pts3" || alerts[0].EventData["ProcessUnknown"] != "" {
		t.Errorf("a process that is there: %s", alerts[0])
	}
	if alerts[1].Cwd != "" || alerts[1].EventData["ProcessUnknown"] != gone.Error() {
		t.Errorf("one that is gone: %s", alerts[1])
	}
}

// TestAlertsAreServed to a client, in the same words as on standard output, up to the last one.
func TestAlertsAreServed(t *testing.T) {
	n := newNode(t, bpf)
	n.telemetry = freeAddress(t)
	n.run(bpf)
	n.eventuallyReason(operatorv1.NodeReady, "True AsExpected")
	conn, err := grpc.NewClient(n.telemetry, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	stream, err := feeder.NewLogServiceClient(conn).WatchAlerts(ctx, &feeder.RequestMessage{Filter: "policy"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := stream.Header(); err != nil {
		t.Fatal(err)
	}
	n.kernel.events <- enforcer.Event{Time: time.Now(), Domain: compile.DomainFile, Operation: enforcer.OperationOpen, Action: compile.ActionAudit, Rule: 5, Cgroup: 1, Resource: "/etc/shadow"}
	served, err := stream.Recv()
	if err != nil {
		t.Fatal(err)
	}
	n.stop()
	written := &telemetry.Alert{}
	if err := json.Unmarshal([]byte(n.alerts.String()), written); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(written, served, protocmp.Transform()); diff != "" || served.Resource != "/etc/shadow" {
		t.Errorf("(-written +served):\n%s", diff)
	}
	if _, err := stream.Recv(); status.Code(err) != codes.Unavailable {
		t.Errorf("the end of the stream: %v", err)
	}
}

// TestHealthByGRPCIsReadiness on the port where the kubelet asks by HTTP.
func TestHealthByGRPCIsReadiness(t *testing.T) {
	n := newNode(t, bpf)
	n.health = freeAddress(t)
	n.run(bpf)
	n.eventuallyReason("Ready", "True AsExpected")
	conn, err := grpc.NewClient(n.health, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	answer, err := healthv1.NewHealthClient(conn).Check(t.Context(), &healthv1.HealthCheckRequest{})
	if err != nil || answer.Status != healthv1.HealthCheckResponse_SERVING {
		t.Errorf("by gRPC: %v, %v", answer, err)
	}
	if got := get(t, "http://"+n.health+"/readyz"); got != "200 ok\n" {
		t.Errorf("by HTTP: %s", got)
	}
}

// freeAddress is one that nobody listens on.
func freeAddress(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = listener.Close() }()
	return listener.Addr().String()
}

// get gives the status and the body of an answer.
func get(t *testing.T, url string) string {
	t.Helper()
	answer, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = answer.Body.Close() }()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("%d %s", answer.StatusCode, body)
}

// TestThrottlingFollowsTheConfigMap that the operator renders of the KubeArmorConfig.
func TestThrottlingFollowsTheConfigMap(t *testing.T) {
	n := newNode(t, bpf)
	err := n.client.Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "kubearmor"}})
	if client.IgnoreAlreadyExists(err) != nil {
		t.Fatal(err)
	}
	n.create(&corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Namespace: "kubearmor", Name: operatorv1.ConfigMapName},
		Data:       map[string]string{"alertThrottling": "true", "maxAlertPerSec": "2", "throttleSec": "1"},
	})
	n.run(bpf)
	n.eventuallyReason(operatorv1.NodeReady, "True AsExpected")
	for range 5 {
		n.kernel.events <- enforcer.Event{Time: time.Now(), Domain: compile.DomainFile, Operation: enforcer.OperationOpen, Action: compile.ActionAudit, Rule: 5, Cgroup: 1}
	}
	eventually(t, "it is told how many were held back", func() bool { return strings.Contains(n.alerts.String(), `"Throttled":"3"`) },
		func() any { return n.alerts.String() })
}
