// SPDX-License-Identifier: Apache-2.0

package containers

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	cri "k8s.io/cri-api/pkg/apis/runtime/v1"
)

// runtimeServer serves CRI on a real socket, for the containers that a test gives it.
type runtimeServer struct {
	cri.UnimplementedRuntimeServiceServer
	mu         sync.Mutex
	containers []*cri.Container
	down       bool
	// stuck is a container about which the runtime never answers.
	stuck string
}

func (s *runtimeServer) set(change func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change()
}

func (s *runtimeServer) ListContainers(context.Context, *cri.ListContainersRequest) (*cri.ListContainersResponse, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.down {
		return nil, status.Error(codes.Unavailable, "down")
	}
	return &cri.ListContainersResponse{Containers: s.containers}, nil
}

// ContainerStatus answers as containerd does: the OCI spec is JSON inside of the verbose info.
func (s *runtimeServer) ContainerStatus(ctx context.Context, r *cri.ContainerStatusRequest) (*cri.ContainerStatusResponse, error) {
	if r.ContainerId == s.stuck {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	info := fmt.Sprintf(`{"sandboxID":"s","pid":4711,"removing":false,"snapshotter":"overlayfs","runtimeType":"io.containerd.runc.v2",`+
		`"runtimeSpec":{"ociVersion":"1.0.2-dev","process":{"user":{"uid":0,"gid":0}},"linux":{"cgroupsPath":"/kubepods/pod1/%s"}}}`, r.ContainerId)
	named := &cri.ContainerStatus{Image: &cri.ImageSpec{Image: "app:1"}}
	return &cri.ContainerStatusResponse{Status: named, Info: map[string]string{"info": info}}, nil
}

func (s *runtimeServer) PodSandboxStatus(context.Context, *cri.PodSandboxStatusRequest) (*cri.PodSandboxStatusResponse, error) {
	return &cri.PodSandboxStatusResponse{Status: &cri.PodSandboxStatus{Labels: map[string]string{"app": "web"}}}, nil
}

func container(id, name string, state cri.ContainerState) *cri.Container {
	return &cri.Container{
		Id: id, PodSandboxId: "s", State: state, Image: &cri.ImageSpec{Image: "sha256:1"},
		Labels: map[string]string{
			labelContainerName: name, labelPodName: "web-1", labelPodNamespace: "shop", labelPodUID: "u",
		},
	}
}

// listen serves on a socket and gives its path.
func listen(t *testing.T, s *runtimeServer) string {
	socket := filepath.Join(t.TempDir(), "cri.sock")
	listener, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	server := grpc.NewServer()
	cri.RegisterRuntimeServiceServer(server, s)
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(server.Stop)
	return socket
}

func serveCRI(t *testing.T, s *runtimeServer) *CRI {
	client, err := DialCRI(listen(t, s))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	return client
}

func ids(t *Tracker) string {
	list, _ := t.Snapshot()
	var names []string
	for _, c := range list {
		names = append(names, c.Name)
	}
	return strings.Join(names, " ")
}

func TestTrackerFollowsTheRuntime(t *testing.T) {
	h := tree(t, "/kubepods/pod1/"+idA)
	s := &runtimeServer{containers: []*cri.Container{
		container(idA, "app", cri.ContainerState_CONTAINER_RUNNING),
		container(strings.Repeat("d", 64), "done", cri.ContainerState_CONTAINER_EXITED),
		{Id: strings.Repeat("e", 64), State: cri.ContainerState_CONTAINER_RUNNING},
	}}
	tracker := &Tracker{Runtime: serveCRI(t, s), Hierarchy: h, Log: logr.Discard()}
	if !tracker.sync(t.Context(), func() {}) || ids(tracker) != "app" {
		t.Fatalf("containers = %q, want app alone: one has ended, one is none of Kubernetes", ids(tracker))
	}
	app, found := tracker.ByCgroup(h.inode(t, "/kubepods/pod1/"+idA))
	if !found || app.Image != "app:1" || app.Labels["app"] != "web" || app.Pod != (PodRef{"shop", "web-1", "u"}) || app.Cgroup.Level != 3 {
		t.Errorf("container = %+v", app)
	}
	if tracker.sync(t.Context(), func() {}) {
		t.Error("a change without one")
	}
	s.set(func() { s.down = true })
	if tracker.sync(t.Context(), func() {}) || ids(tracker) != "app" || tracker.Problem() == nil {
		t.Errorf("without the runtime's answer the containers are %q and the problem %v", ids(tracker), tracker.Problem())
	}
	s.set(func() { s.down, s.containers = false, nil })
	if !tracker.sync(t.Context(), func() {}) || ids(tracker) != "" || tracker.Problem() != nil {
		t.Errorf("containers = %q, problem %v", ids(tracker), tracker.Problem())
	}
	if _, found := tracker.ByCgroup(app.Cgroup.ID); !found {
		t.Error("a container that has just ended cannot be looked up for its last events")
	}
	tracker.byCgroup[app.Cgroup.ID] = known{container: app, gone: time.Now().Add(-2 * remember)}
	tracker.sync(t.Context(), func() {})
	if _, found := tracker.ByCgroup(app.Cgroup.ID); found {
		t.Error("it is remembered for ever")
	}
}

func TestTrackerNamesAContainerWithoutItsCgroup(t *testing.T) {
	s := &runtimeServer{containers: []*cri.Container{container(idA, "app", cri.ContainerState_CONTAINER_RUNNING)}}
	tracker := &Tracker{Runtime: serveCRI(t, s), Hierarchy: tree(t), Log: logr.Discard()}
	tracker.sync(t.Context(), func() {})
	if tracker.Problem() != nil {
		t.Errorf("problem = %v at the first try: the runtime may tell a little early", tracker.Problem())
	}
	tracker.sync(t.Context(), func() {})
	var lost *CgroupNotFoundError
	if !errors.As(tracker.Problem(), &lost) || lost.Container != idA {
		t.Errorf("problem = %v", tracker.Problem())
	}
}

func TestRuntimeIsLookedForUntilItIsFound(t *testing.T) {
	s := &runtimeServer{containers: []*cri.Container{container(idA, "app", cri.ContainerState_CONTAINER_RUNNING)}}
	socket := listen(t, s)
	answer := errors.New("nobody answers")
	found := &Discovered{HostRoot: filepath.Dir(socket), Find: func(context.Context) (string, error) {
		return "/" + filepath.Base(socket), answer
	}}
	tracker := &Tracker{Runtime: found, Hierarchy: tree(t, "/kubepods/pod1/"+idA), Log: logr.Discard()}
	if tracker.sync(t.Context(), func() {}) || !errors.Is(tracker.Problem(), answer) {
		t.Errorf("problem = %v, want %v", tracker.Problem(), answer)
	}
	answer = nil
	if !tracker.sync(t.Context(), func() {}) || ids(tracker) != "app" || tracker.Problem() != nil {
		t.Errorf("containers = %q, problem %v", ids(tracker), tracker.Problem())
	}
}

// TestTrackerIsFast: a container is known long before the next time that the runtime would be asked anyway.
func TestTrackerIsFast(t *testing.T) {
	h := tree(t, "/kubepods/pod1")
	s := &runtimeServer{}
	tracker := &Tracker{Runtime: serveCRI(t, s), Hierarchy: h, Log: logr.Discard()}
	changed := make(chan struct{}, 10)
	go tracker.Run(t.Context(), func() { changed <- struct{}{} })
	<-changed
	time.Sleep(100 * time.Millisecond)
	s.set(func() { s.containers = []*cri.Container{container(idA, "app", cri.ContainerState_CONTAINER_CREATED)} })
	start := time.Now()
	if err := os.Mkdir(filepath.Join(h.top, "kubepods/pod1", idA), 0o755); err != nil {
		t.Fatal(err)
	}
	<-changed
	if took := time.Since(start); took > resync/2 {
		t.Errorf("it took %s", took)
	} else {
		t.Logf("known %s after its cgroup was made", took)
	}
	if ids(tracker) != "app" {
		t.Errorf("containers = %q", ids(tracker))
	}
}

func TestStuckCallDelaysNoOtherContainer(t *testing.T) {
	s := &runtimeServer{stuck: idA}
	tracker := &Tracker{Runtime: serveCRI(t, s), Hierarchy: tree(t, "/kubepods/pod1/"+idA, "/kubepods/pod1/"+idB), Log: logr.Discard()}
	tracker.sync(t.Context(), func() {})
	stuck, other := container(idA, "stuck", cri.ContainerState_CONTAINER_RUNNING), container(idB, "app", cri.ContainerState_CONTAINER_RUNNING)
	s.set(func() { s.containers = []*cri.Container{other, stuck} })
	start, known := time.Now(), time.Duration(0)
	tracker.sync(t.Context(), func() { known = time.Since(start) })
	if took := time.Since(start); known == 0 || known > patience/2 || took > 2*patience || ids(tracker) != "app" {
		t.Errorf("known after %s, all calls took %s, containers %q", known, took, ids(tracker))
	}
	tracker.sync(t.Context(), func() {})
	start = time.Now()
	tracker.sync(t.Context(), func() {})
	if took := time.Since(start); took > patience/2 || tracker.Problem() == nil {
		t.Errorf("asked again at once, which took %s; problem %v", took, tracker.Problem())
	}
}
