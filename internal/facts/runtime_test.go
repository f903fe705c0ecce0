// SPDX-License-Identifier: Apache-2.0

package facts

import (
	"context"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	cri "k8s.io/cri-api/pkg/apis/runtime/v1"

	v1 "github.com/kubearmor/kubearmor-operator/api/operator/v1"
)

// runtimeServer speaks CRI as a runtime does that runs the given Pods.
type runtimeServer struct {
	cri.UnimplementedRuntimeServiceServer
	name           string
	pods           []string
	ignoresFilters bool
}

func (s *runtimeServer) Version(context.Context, *cri.VersionRequest) (*cri.VersionResponse, error) {
	return &cri.VersionResponse{RuntimeName: s.name, RuntimeVersion: "v1.2.3"}, nil
}

func (s *runtimeServer) ListPodSandbox(_ context.Context, r *cri.ListPodSandboxRequest) (*cri.ListPodSandboxResponse, error) {
	list := &cri.ListPodSandboxResponse{}
	for _, p := range s.pods {
		if s.ignoresFilters || r.GetFilter().GetLabelSelector()[labelPodUID] == p {
			list.Items = append(list.Items, &cri.PodSandbox{Id: "s", Labels: map[string]string{labelPodUID: p}})
		}
	}
	return list, nil
}

func listen(t *testing.T, run, socket string) net.Listener {
	t.Helper()
	file := filepath.Join(run, socket)
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		t.Fatal(err)
	}
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "unix", file)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return l
}

func serve(t *testing.T, run, socket string, s *runtimeServer) {
	t.Helper()
	l := listen(t, run, socket)
	server := grpc.NewServer()
	cri.RegisterRuntimeServiceServer(server, s)
	go func() { _ = server.Serve(l) }()
	t.Cleanup(server.Stop)
}

// runFolder is short: a socket's path has at most 108 bytes.
func runFolder(t *testing.T) string {
	dir, err := os.MkdirTemp("", "run")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

func TestRuntimeIsTheOneThatKnowsThePod(t *testing.T) {
	run := runFolder(t)
	serve(t, run, "containerd/containerd.sock", &runtimeServer{name: "containerd", pods: []string{"other"}, ignoresFilters: true})
	serve(t, run, "crio/crio.sock", &runtimeServer{name: "cri-o", pods: []string{"mine"}})
	listen(t, run, nriSocket)
	got := probeRuntime(t.Context(), Options{Roots: Roots{Run: run}, PodUID: "mine"})
	want := v1.RuntimeFact{Fact: yes(), Name: "cri-o", Version: "v1.2.3", Socket: "/run/crio/crio.sock", NRISocket: "/run/nri/nri.sock"}
	if got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func TestRuntimeOutsideOfAPodIsTheFirstThatAnswers(t *testing.T) {
	run := runFolder(t)
	serve(t, run, "k3s/containerd/containerd.sock", &runtimeServer{name: "containerd"})
	got := probeRuntime(t.Context(), Options{Roots: Roots{Run: run}})
	if got.State != v1.FactYes || got.Socket != "/run/k3s/containerd/containerd.sock" || !strings.Contains(got.Cause, "outside of a Pod") {
		t.Errorf("got %+v", got)
	}
}

func TestRuntimeThatNobodyProvesIsUnknown(t *testing.T) {
	run := runFolder(t)
	got := probeRuntime(t.Context(), Options{Roots: Roots{Run: run}})
	if got.State != v1.FactUnknown || got.Reason != v1.ReasonRuntimeUnknown || got.Cause != "no known CRI socket exists below /run" {
		t.Errorf("without a socket: %+v", got)
	}
	serve(t, run, "containerd/containerd.sock", &runtimeServer{name: "containerd", pods: []string{"other"}})
	if err := os.WriteFile(filepath.Join(run, "cri-dockerd.sock"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	got = probeRuntime(t.Context(), Options{Roots: Roots{Run: run}, PodUID: "mine"})
	for _, s := range []string{"/run/containerd/containerd.sock: answers, and does not know the probe's Pod mine", "/run/cri-dockerd.sock: not a socket"} {
		if got.State != v1.FactUnknown || !strings.Contains(got.Cause, s) {
			t.Errorf("%+v does not say %q", got, s)
		}
	}
}

func TestRuntimeThatAcceptsAndNeverAnswersDoesNotHoldTheProbe(t *testing.T) {
	run := runFolder(t)
	listen(t, run, "containerd/containerd.sock")
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	start := time.Now()
	got := probeRuntime(ctx, Options{Roots: Roots{Run: run}})
	if took := time.Since(start); took > 5*time.Second || got.State != v1.FactUnknown {
		t.Errorf("after %s: %+v", took, got)
	}
}
