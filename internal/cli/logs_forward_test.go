// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"google.golang.org/grpc/credentials/insecure"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/portforward"
	"k8s.io/streaming/pkg/httpstream"
	"k8s.io/streaming/pkg/httpstream/spdy"

	"github.com/kubearmor/kubearmor-operator/internal/mtls"
	"github.com/kubearmor/kubearmor-operator/internal/mtls/mtlstest"
)

// forwardingServer is an API server that lists Pods by their label and forwards ports of each to an address, as a kubelet
// behind it would. It counts the Pods that were forwarded to.
type forwardingServer struct {
	t    *testing.T
	pods map[string][]string
	to   string
	used chan string
	// secret with the clients' certificates; nil where there is none.
	secret *corev1.Secret
}

func (f *forwardingServer) kubeconfig() string {
	server := httptest.NewServer(f)
	f.t.Cleanup(server.CloseClientConnections)
	return kubeconfigFor(f.t, server.URL)
}

func (f *forwardingServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/api/v1/namespaces/kubearmor/secrets/kubearmor-client-certs" {
		f.answerSecret(w)
		return
	}
	pod, is := strings.CutPrefix(r.URL.Path, "/api/v1/namespaces/kubearmor/pods/")
	if !is {
		var items []string
		for _, name := range f.pods[r.URL.Query().Get("labelSelector")] {
			items = append(items, fmt.Sprintf(`{"metadata":{"namespace":"kubearmor","name":%q},"status":{"phase":"Running"}}`, name))
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = fmt.Fprintf(w, `{"kind":"PodList","apiVersion":"v1","items":[%s]}`, strings.Join(items, ","))
		return
	}
	if r.Method != http.MethodPost {
		// As an API server that knows no websockets here.
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	f.used <- strings.TrimSuffix(pod, "/portforward")
	f.forward(w, r)
}

func (f *forwardingServer) answerSecret(w http.ResponseWriter) {
	w.Header().Set("Content-Type", "application/json")
	if f.secret == nil {
		w.WriteHeader(http.StatusNotFound)
		_, _ = io.WriteString(w, `{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"NotFound","code":404,"message":"not found"}`)
		return
	}
	f.secret.TypeMeta = metav1.TypeMeta{APIVersion: "v1", Kind: "Secret"}
	_ = json.NewEncoder(w).Encode(f.secret)
}

func (f *forwardingServer) forward(w http.ResponseWriter, r *http.Request) {
	if _, err := httpstream.Handshake(r, w, []string{portforward.PortForwardProtocolV1Name}); err != nil {
		f.t.Error(err)
		return
	}
	conn := spdy.NewResponseUpgrader().UpgradeResponse(w, r, func(s httpstream.Stream, _ <-chan struct{}) error {
		if port := s.Headers().Get(corev1.PortHeader); port != "32767" {
			f.t.Errorf("port %s", port)
		}
		if s.Headers().Get(corev1.StreamType) == corev1.StreamTypeData {
			go f.pipe(s)
		}
		return nil
	})
	if conn == nil {
		f.t.Error("no upgrade")
		return
	}
	<-conn.CloseChan()
}

func (f *forwardingServer) pipe(s httpstream.Stream) {
	to, err := net.Dial("tcp", f.to)
	if err != nil {
		f.t.Error(err)
		return
	}
	go func() {
		_, _ = io.Copy(to, s)
		_ = to.Close()
	}()
	_, _ = io.Copy(s, to)
	_ = s.Close()
}

func TestLogsThroughTheAPIServer(t *testing.T) {
	relay, agent := busyServer().serve(t, insecure.NewCredentials()), busyServer()
	agent.agent = true
	for name, tt := range map[string]struct {
		to   string
		pods map[string][]string
		args string
		used string
	}{
		"one of two relays": {
			relay,
			map[string][]string{"kubearmor-app=kubearmor-relay": {"relay-b", "relay-a"}, "kubearmor-app=kubearmor": {"agent-1"}},
			"", "relay-a",
		},
		"all agents, where there is no relay": {
			agent.serve(t, insecure.NewCredentials()),
			map[string][]string{"kubearmor-app=kubearmor": {"agent-1", "agent-2"}},
			"--follow --limit 6", "agent-1 agent-2",
		},
	} {
		t.Run(name, func(t *testing.T) {
			f := &forwardingServer{t: t, pods: tt.pods, to: tt.to, used: make(chan string, 9)}
			got := karmor(t, append([]string{"logs", "--insecure", "--kubeconfig", f.kubeconfig()}, strings.Fields(tt.args)...)...)
			want := 3 * len(strings.Fields(tt.used))
			if got.code != ExitOK || strings.Count(got.out, "block-shadow")+strings.Count(got.out, "a-policy") != want {
				t.Errorf("%+v", got)
			}
			close(f.used)
			var used []string
			for pod := range f.used {
				used = append(used, pod)
			}
			if strings.Join(used, " ") != tt.used {
				t.Errorf("forwarded to %v, want %s", used, tt.used)
			}
		})
	}
}

// dataOf files, as a Secret has it.
func dataOf(t *testing.T, f mtls.Files) map[string][]byte {
	t.Helper()
	ca, err := os.ReadFile(f.CA)
	cert, certErr := os.ReadFile(f.Cert)
	key, keyErr := os.ReadFile(f.Key)
	if err := errors.Join(err, certErr, keyErr); err != nil {
		t.Fatal(err)
	}
	return map[string][]byte{"ca.crt": ca, "tls.crt": cert, "tls.key": key}
}

func TestLogsTakesTheClustersCertificates(t *testing.T) {
	authority, err := mtlstest.New("ours")
	if err != nil {
		t.Fatal(err)
	}
	relay, err := authority.Issue(t.TempDir(), "kubearmor")
	if err != nil {
		t.Fatal(err)
	}
	client, err := authority.Issue(t.TempDir(), "client")
	if err != nil {
		t.Fatal(err)
	}
	address := busyServer().serve(t, mtls.Server(relay))
	whole := dataOf(t, client)
	for name, tt := range map[string]struct {
		secret *corev1.Secret
		args   string
		code   int
		says   string
	}{
		"those of the Secret":             {&corev1.Secret{Data: whole}, "", ExitOK, ""},
		"no Secret":                       {nil, "", ExitFailed, "Secret kubearmor/kubearmor-client-certs is not there: the operator makes it"},
		"a Secret that lacks one":         {&corev1.Secret{Data: map[string][]byte{"ca.crt": whole["ca.crt"]}}, "", ExitFailed, "delete the Secret, and the operator makes it anew"},
		"no Secret, and files given":      {nil, "--tls-ca " + client.CA + " --tls-cert " + client.Cert + " --tls-key " + client.Key, ExitOK, ""},
		"a Secret, and part of the files": {&corev1.Secret{Data: whole}, "--tls-ca " + client.CA, ExitUsage, "give --tls-ca, --tls-cert and --tls-key"},
	} {
		t.Run(name, func(t *testing.T) {
			f := &forwardingServer{
				t: t, pods: map[string][]string{"kubearmor-app=kubearmor-relay": {"relay-a"}}, to: address, used: make(chan string, 9), secret: tt.secret,
			}
			got := karmor(t, append([]string{"logs", "--kubeconfig", f.kubeconfig()}, strings.Fields(tt.args)...)...)
			if got.code != tt.code || !strings.Contains(got.errors, tt.says) || (got.code == ExitOK) != strings.Contains(got.out, "block-shadow") {
				t.Errorf("%+v", got)
			}
		})
	}
}
