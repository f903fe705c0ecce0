// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/testing/protocmp"

	"github.com/kubearmor/kubearmor-operator/internal/mtls"
	"github.com/kubearmor/kubearmor-operator/internal/mtls/mtlstest"
	"github.com/kubearmor/kubearmor-operator/internal/relay/past"
	"github.com/kubearmor/kubearmor-operator/internal/telemetry/feeder"
)

// fakeServer sends what it is told, on every stream: a relay, or with agent set an agent.
type fakeServer struct {
	feeder.UnimplementedLogServiceServer
	agent    bool
	alerts   []*feeder.Alert
	logs     []*feeder.Log
	messages []*feeder.Message
	// asked are the spans of the streams of alerts.
	asked chan past.Span
	// breaks is how the stream of alerts ends where it would go on.
	breaks error
}

func (f *fakeServer) WatchAlerts(_ *feeder.RequestMessage, to grpc.ServerStreamingServer[feeder.Alert]) error {
	if f.asked != nil {
		asked, err := past.Asked(to.Context())
		if err != nil {
			return err
		}
		f.asked <- asked
	}
	return sendAll(f, to, f.alerts, f.breaks)
}

func (f *fakeServer) WatchLogs(_ *feeder.RequestMessage, to grpc.ServerStreamingServer[feeder.Log]) error {
	return sendAll(f, to, f.logs, nil)
}

func (f *fakeServer) WatchMessages(_ *feeder.RequestMessage, to grpc.ServerStreamingServer[feeder.Message]) error {
	return sendAll(f, to, f.messages, nil)
}

func sendAll[T any](f *fakeServer, to grpc.ServerStreamingServer[T], all []*T, breaks error) error {
	asked, err := past.Asked(to.Context())
	if err != nil {
		return err
	}
	if !f.agent {
		if err := to.SendHeader(past.Header("v1")); err != nil {
			return err
		}
	}
	for _, one := range all {
		if err := to.Send(one); err != nil {
			return err
		}
	}
	if asked.Ends && !f.agent {
		return nil
	}
	if breaks != nil {
		return breaks
	}
	<-to.Context().Done()
	return to.Context().Err()
}

func (f *fakeServer) serve(t *testing.T, c credentials.TransportCredentials) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := grpc.NewServer(grpc.Creds(c))
	feeder.RegisterLogServiceServer(s, f)
	go func() { _ = s.Serve(listener) }()
	t.Cleanup(s.Stop)
	return listener.Addr().String()
}

// runLogs runs `logs` at a time and in a zone that do not change.
func runLogs(t *testing.T, ctx context.Context, args ...string) outcome {
	t.Helper()
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	var out, errs bytes.Buffer
	streams := Streams{In: strings.NewReader(""), Out: &out, Err: &errs}
	l := &logs{
		streams: streams, cluster: &clusterFlags{}, zone: time.UTC,
		now: func() time.Time { return time.Date(2026, 11, 23, 14, 3, 0, 0, time.UTC) },
	}
	cmd := l.command()
	cmd.SilenceErrors, cmd.SilenceUsage = true, true
	cmd.SetArgs(append([]string{}, args...))
	code := exitOf(cmd.ExecuteContext(ctx), streams)
	return outcome{code, out.String(), errs.String()}
}

func busyServer() *fakeServer {
	audit := shadowAlert()
	audit.UpdatedTime, audit.Action, audit.Result, audit.Severity = "2026-11-23T14:02:08.5Z", "Audit", "Passed", ""
	audit.Resource, audit.Message = "/usr/share/nginx/html/a/very/long/path/index.html", ""
	host := shadowAlert()
	host.UpdatedTime, host.NamespaceName, host.PodName, host.ContainerName, host.Labels = "2026-11-23T14:02:09Z", "", "", "", ""
	host.Operation, host.Resource, host.Action, host.PolicyName = "Capabilities", "net_raw\x1b[2J", "Audit (Block)", "a-policy-with-a-long-name"
	return &fakeServer{
		alerts: []*feeder.Alert{shadowAlert(), audit, host}, logs: []*feeder.Log{connectLog()}, messages: []*feeder.Message{lossMessage()},
	}
}

func TestLogsForAPerson(t *testing.T) {
	address := busyServer().serve(t, insecure.NewCredentials())
	text := runLogs(t, t.Context(), "--address", address, "--insecure")
	if text.code != ExitOK {
		t.Fatalf("%+v", text)
	}
	golden(t, "logs.txt", text.out)
	golden(t, "logs-aside.txt", text.errors)
	// Streams of different kinds come in any order; one is enough to see its form.
	golden(t, "logs-logs.txt", runLogs(t, t.Context(), "--address", address, "--insecure", "--logs").out)
	golden(t, "logs-messages.txt", runLogs(t, t.Context(), "--address", address, "--insecure", "--messages").out)
	var tables strings.Builder
	for _, kind := range []string{"--alerts", "--logs", "--messages"} {
		tables.WriteString(runLogs(t, t.Context(), "--address", address, "--insecure", "-o", "table", kind).out)
	}
	golden(t, "logs-table.txt", tables.String())
	for line := range strings.Lines(tables.String()) {
		if n := utf8.RuneCountInString(strings.TrimSuffix(line, "\n")); n > screen {
			t.Errorf("%d columns: %s", n, line)
		}
	}
}

func TestLogsForAProgram(t *testing.T) {
	address := busyServer().serve(t, insecure.NewCredentials())
	got := runLogs(t, t.Context(), "--address", address, "--insecure", "-o", "json", "--limit", "1")
	golden(t, "logs.json", got.out)
	var alert feeder.Alert
	if err := json.Unmarshal([]byte(got.out), &alert); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(shadowAlert(), &alert, protocmp.Transform()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestLogsHelp(t *testing.T) {
	golden(t, "logs-help.txt", karmor(t, "logs", "--help").out)
}

func TestLogsAsksForWhatIsWanted(t *testing.T) {
	f := busyServer()
	f.asked = make(chan past.Span, 1)
	address := f.serve(t, insecure.NewCredentials())
	tenMinutes := time.Date(2026, 11, 23, 13, 53, 0, 0, time.UTC)
	for name, tt := range map[string]struct {
		args  string
		want  past.Span
		lines int
	}{
		"what is held":               {"", past.Span{Held: true, Since: time.Unix(0, 0), Ends: true}, 3},
		"what is held, since a time": {"--since 10m", past.Span{Held: true, Since: tenMinutes, Ends: true}, 3},
		"what comes":                 {"--follow --limit 3", past.Span{}, 3},
		"both":                       {"--follow --since 10m --limit 3", past.Span{Held: true, Since: tenMinutes}, 3},
		"the first two":              {"--limit 2", past.Span{Held: true, Since: time.Unix(0, 0), Ends: true}, 2},
		"only what a filter lets in": {"--severity >=7 --action block", past.Span{Held: true, Since: time.Unix(0, 0), Ends: true}, 1},
		"only what happened lately":  {"--since 51500ms", past.Span{Held: true, Since: tenMinutes.Add(10*time.Minute - 51500*time.Millisecond), Ends: true}, 2},
	} {
		t.Run(name, func(t *testing.T) {
			got := runLogs(t, t.Context(), append([]string{"--address", address, "--insecure"}, strings.Fields(tt.args)...)...)
			if lines := strings.Count(got.out, "\n"); got.code != ExitOK || lines != tt.lines {
				t.Errorf("%d lines, want %d: %+v", lines, tt.lines, got)
			}
			if asked := <-f.asked; !asked.Since.Equal(tt.want.Since) || asked.Held != tt.want.Held || asked.Ends != tt.want.Ends {
				t.Errorf("asked for %+v, want %+v", asked, tt.want)
			}
		})
	}
	broken := &fakeServer{breaks: status.Error(codes.Unavailable, "the relay stops; connect again")}
	address = broken.serve(t, insecure.NewCredentials())
	if got := runLogs(t, t.Context(), "--address", address, "--insecure", "--follow"); got.code != ExitFailed || !strings.HasSuffix(got.errors, address+": the relay stops; connect again\n") {
		t.Errorf("a stream that breaks: %+v", got)
	}
	broken = &fakeServer{alerts: busyServer().alerts, breaks: broken.breaks}
	address = broken.serve(t, insecure.NewCredentials())
	if got := runLogs(t, t.Context(), "--address", address, "--insecure", "--follow", "--limit", "3"); got.code != ExitOK {
		t.Errorf("a stream that breaks after enough lines: %+v", got)
	}
}

func TestLogsEndsQuietlyWhenItIsInterrupted(t *testing.T) {
	f := busyServer()
	f.asked = make(chan past.Span, 1)
	address := f.serve(t, insecure.NewCredentials())
	ctx, interrupt := context.WithCancel(t.Context())
	go func() {
		<-f.asked
		time.Sleep(50 * time.Millisecond)
		interrupt()
	}()
	if got := runLogs(t, ctx, "--address", address, "--insecure", "--follow"); got.code != ExitOK {
		t.Errorf("%+v", got)
	}
}

func TestLogsOfAnAgentThatHoldsNothing(t *testing.T) {
	f := busyServer()
	f.agent = true
	address := f.serve(t, insecure.NewCredentials())
	if got := runLogs(t, t.Context(), "--address", address, "--insecure"); got.code != ExitFailed || !strings.Contains(got.errors, "add --follow") {
		t.Errorf("%+v", got)
	}
	if got := runLogs(t, t.Context(), "--address", address, "--insecure", "--follow", "--limit", "3"); got.code != ExitOK || strings.Count(got.out, "\n") != 3 {
		t.Errorf("%+v", got)
	}
}

// oneLine checks that an error is one line, with what a person needs.
func oneLine(t *testing.T, got outcome, says string) {
	t.Helper()
	if got.code != ExitFailed || strings.Count(got.errors, "\n") != 1 || !strings.Contains(got.errors, says) {
		t.Errorf("exit %d, want one line that says %q:\n%s", got.code, says, got.errors)
	}
}

func TestLogsSaysWhyAServerIsNotReached(t *testing.T) {
	ours, err := mtlstest.New("ours")
	if err != nil {
		t.Fatal(err)
	}
	theirs, err := mtlstest.New("theirs")
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
	client, stranger := issue(ours, "client"), issue(theirs, "client")
	secure := busyServer().serve(t, mtls.Server(issue(ours, "kubearmor")))
	open := busyServer().serve(t, insecure.NewCredentials())
	web := httptest.NewServer(http.NotFoundHandler())
	defer web.Close()
	other, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := grpc.NewServer()
	go func() { _ = s.Serve(other) }()
	defer s.Stop()
	with := func(f mtls.Files) []string {
		return []string{"--tls-ca", f.CA, "--tls-cert", f.Cert, "--tls-key", f.Key}
	}
	for name, tt := range map[string]struct {
		address string
		args    []string
		says    string
	}{
		"TLS to a server without":      {open, with(client), "the server speaks no TLS"},
		"no TLS to a server with":      {secure, []string{"--insecure"}, "this server speaks TLS only: give the client a certificate"},
		"another authority":            {secure, with(stranger), "not signed by " + stranger.CA},
		"a certificate not believed":   {secure, []string{"--tls-ca", client.CA, "--tls-cert", stranger.Cert, "--tls-key", stranger.Key}, "this server refuses the client's certificate (CN=client)"},
		"another name":                 {secure, append(with(client), "--tls-server-name", "shop"), "give the right name (--tls-server-name)"},
		"a server that is something":   {other.Addr().String(), []string{"--insecure"}, "neither a relay nor an agent"},
		"a server that is no gRPC":     {strings.TrimPrefix(web.URL, "http://"), []string{"--insecure"}, "neither a relay nor an agent"},
		"nothing that listens":         {"127.0.0.1:1", []string{"--insecure"}, "check the address, and that a relay or an agent runs there"},
		"files that are not there":     {secure, []string{"--tls-ca", "/nowhere", "--tls-cert", "/nowhere", "--tls-key", "/nowhere"}, "check --tls-ca, --tls-cert and --tls-key"},
		"a name that does not resolve": {"no.such.host.invalid:32767", []string{"--insecure"}, "check the address"},
	} {
		t.Run(name, func(t *testing.T) {
			oneLine(t, runLogs(t, t.Context(), append([]string{"--address", tt.address}, tt.args...)...), tt.says)
		})
	}
	if got := runLogs(t, t.Context(), append([]string{"--address", secure, "--limit", "1"}, with(client)...)...); got.code != ExitOK || got.out == "" {
		t.Errorf("with the right files: %+v", got)
	}
}

func TestLogsMistakesAreTold(t *testing.T) {
	t.Setenv("KUBECONFIG", filepath.Join(t.TempDir(), "none"))
	t.Setenv("HOME", t.TempDir())
	for name, tt := range map[string]struct {
		args string
		code int
		says string
	}{
		"no certificates":         {"--address 127.0.0.1:1", ExitUsage, "give --tls-ca, --tls-cert and --tls-key, or --insecure"},
		"both":                    {"--insecure --tls-ca x", ExitUsage, "leave the --tls flags away, or --insecure"},
		"an unknown format":       {"--insecure -o yaml", ExitUsage, `--output "yaml" is not one of text, table, json`},
		"a severity that is none": {"--insecure --severity high", ExitUsage, `--severity "high" is no comparison`},
		"an unknown operation":    {"--insecure --operation open", ExitUsage, `--operation "open" is not one of Process, File`},
		"an unknown action":       {"--insecure --action deny", ExitUsage, `--action "deny" is not one of Allow, Audit, Block`},
		"a policy of logs":        {"--insecure --logs --policy p", ExitUsage, "are of alerts alone; add --alerts"},
		"a Pod of messages":       {"--insecure --messages --pod p", ExitUsage, "filter them by --node"},
		"a limit below nothing":   {"--insecure --limit -1", ExitUsage, "count from 0 up"},
		"an address without port": {"--insecure --address relay", ExitUsage, `--address "relay" is not host:port`},
		"a duration that is none": {"--insecure --since yesterday", ExitUsage, "invalid argument"},
		"an argument":             {"--insecure web-1", ExitUsage, `unknown argument or command "web-1"`},
		"no cluster, no address":  {"--insecure", ExitFailed, "or name a relay or an agent with --address"},
	} {
		t.Run(name, func(t *testing.T) {
			got := karmor(t, append([]string{"logs"}, strings.Fields(tt.args)...)...)
			if got.code != tt.code || !strings.Contains(got.errors, tt.says) {
				t.Errorf("exit %d, want %d; %q does not say %q", got.code, tt.code, got.errors, tt.says)
			}
		})
	}
}

// podServer is an API server that knows only Pods.
func podServer(t *testing.T, pods map[string]string) string {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		if r.URL.Path != "/api/v1/pods" {
			w.WriteHeader(http.StatusForbidden)
			_, _ = fmt.Fprint(w, `{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"Forbidden","code":403,"message":"not yours"}`)
			return
		}
		_, _ = fmt.Fprintf(w, `{"kind":"PodList","apiVersion":"v1","items":[%s]}`, pods[r.URL.Query().Get("labelSelector")])
	}))
	t.Cleanup(server.Close)
	return kubeconfigFor(t, server.URL)
}

func TestLogsSaysWhyAClusterIsNotReached(t *testing.T) {
	gone := httptest.NewServer(http.NotFoundHandler())
	gone.Close()
	pod := func(name string) string {
		return fmt.Sprintf(`{"metadata":{"namespace":"kubearmor","name":%q},"status":{"phase":"Running"}}`, name)
	}
	many := strings.TrimSuffix(strings.Repeat(pod("agent")+",", maxAgents+1), ",")
	for name, tt := range map[string]struct {
		kubeconfig string
		args       []string
		says       string
	}{
		"a cluster that is away":        {kubeconfigFor(t, gone.URL), nil, "the cluster cannot be reached"},
		"a cluster without KubeArmor":   {podServer(t, nil), nil, "neither a relay nor an agent of KubeArmor runs in this cluster"},
		"Pods that may not be listed":   {podServer(t, nil), []string{"--kubearmor-namespace", "x"}, "ask for list on pods"},
		"too many agents, and no relay": {podServer(t, map[string]string{"kubearmor-app=kubearmor": many}), nil, "51 agents and no relay"},
		"a relay that is not reached":   {podServer(t, map[string]string{"kubearmor-app=kubearmor-relay": pod("relay-0")}), nil, "forward a port to Pod kubearmor/relay-0"},
	} {
		t.Run(name, func(t *testing.T) {
			oneLine(t, karmor(t, append([]string{"logs", "--insecure", "--kubeconfig", tt.kubeconfig}, tt.args...)...), tt.says)
		})
	}
}

func TestLogsAreColouredForATerminalAlone(t *testing.T) {
	for name, tt := range map[string]struct {
		format string
		record record
		begins string
	}{
		"a denial":           {formatText, alertRecord(shadowAlert()), red + "14:02:07"},
		"a denial's row":     {formatTable, alertRecord(shadowAlert()), "TIME "},
		"a log":              {formatText, logRecord(connectLog()), "14:02:08"},
		"a warning":          {formatText, messageRecord(lossMessage()), yellow + "14:02:09"},
		"what programs read": {formatJSON, alertRecord(shadowAlert()), `{"Timestamp"`},
	} {
		t.Run(name, func(t *testing.T) {
			var out bytes.Buffer
			p := &recordPrinter{format: tt.format, colour: true, zone: time.UTC}
			if err := p.lines(&out, tt.record); err != nil || !strings.HasPrefix(out.String(), tt.begins) {
				t.Errorf("%v: %q does not begin with %q", err, out.String(), tt.begins)
			}
			if coloured := strings.Contains(out.String(), red+"14:02:07"); tt.format == formatTable && !coloured {
				t.Errorf("%q", out.String())
			}
		})
	}
	if (&logs{streams: Streams{Out: &bytes.Buffer{}}}).colours() {
		t.Error("a buffer is taken for a terminal")
	}
}
