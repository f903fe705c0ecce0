// SPDX-License-Identifier: Apache-2.0

package agent

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	operatorv1 "github.com/kubearmor/kubearmor-operator/api/operator/v1"
	securityv1 "github.com/kubearmor/kubearmor-operator/api/security/v1"
	"github.com/kubearmor/kubearmor-operator/internal/agent/containers"
	"github.com/kubearmor/kubearmor-operator/internal/enforcer"
	"github.com/kubearmor/kubearmor-operator/internal/policy/compile"
	"github.com/kubearmor/kubearmor-operator/internal/root"
	"github.com/kubearmor/kubearmor-operator/internal/sensor"
	"github.com/kubearmor/kubearmor-operator/internal/telemetry/server"
)

// recordingEnforcer stands for the kernel, which cannot be asked to enforce here: it records what it is given.
type recordingEnforcer struct {
	mu       sync.Mutex
	opened   int
	sets     []compile.Set
	detached int
	openErr  error
	applyErr error
	// refusedPath is one that it takes no set with.
	refusedPath string
	// lateRead is how long the reader needs to end; it hands over an event that waits then.
	lateRead   time.Duration
	events     chan enforcer.Event
	generation uint64
}

func (r *recordingEnforcer) Apply(_ context.Context, set compile.Set) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.applyErr != nil {
		return r.applyErr
	}
	for _, p := range set.Profiles {
		for _, rule := range p.Rules {
			if rule.Path == r.refusedPath {
				return fmt.Errorf("apply: %w", &sensor.RuleError{Profile: p.ID, Rule: rule, Problem: "it is odd"})
			}
		}
	}
	r.sets, r.generation = append(r.sets, set), set.Generation
	return nil
}

func (r *recordingEnforcer) Run(ctx context.Context, handle func(enforcer.Event)) error {
	for {
		select {
		case <-ctx.Done():
			time.Sleep(r.lateRead)
			select {
			case e := <-r.events:
				handle(e)
			default:
			}
			return nil
		case e := <-r.events:
			handle(e)
		}
	}
}

func (r *recordingEnforcer) Stats() (enforcer.Stats, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return enforcer.Stats{Generation: r.generation}, nil
}

func (r *recordingEnforcer) Close() error { return nil }

func (r *recordingEnforcer) Detach() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.detached++
	r.sets, r.generation = nil, 0
	return nil
}

func (r *recordingEnforcer) set(change func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	change()
}

// last gives the set in force, and how many there were.
func (r *recordingEnforcer) last() (compile.Set, int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.sets) == 0 {
		return compile.Set{}, 0
	}
	return r.sets[len(r.sets)-1], len(r.sets)
}

// nodeContainers are what the test says that the node runs.
type nodeContainers struct {
	mu      sync.Mutex
	list    []containers.Container
	changed func()
}

func (n *nodeContainers) Run(ctx context.Context, changed func()) {
	n.mu.Lock()
	n.changed = changed
	n.mu.Unlock()
	changed()
	<-ctx.Done()
}

func (n *nodeContainers) Snapshot() ([]containers.Container, bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	return append([]containers.Container(nil), n.list...), true
}

func (n *nodeContainers) ByCgroup(id compile.CgroupID) (containers.Container, bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, c := range n.list {
		if c.Cgroup.ID == id {
			return c, true
		}
	}
	return containers.Container{}, false
}

func (n *nodeContainers) Host() (compile.Cgroup, []compile.Cgroup, error) {
	return compile.Cgroup{ID: 1, Path: "/"}, []compile.Cgroup{{ID: 2, Level: 1, Path: "/kubepods"}}, nil
}

func (n *nodeContainers) HostRoot() *root.Root { return nil }

func (n *nodeContainers) IsHost(id compile.CgroupID) bool { return id == 1 }

func (n *nodeContainers) Problem() error { return nil }

func (n *nodeContainers) start(c containers.Container) {
	n.mu.Lock()
	n.list = append(n.list, c)
	changed := n.changed
	n.mu.Unlock()
	if changed != nil {
		changed()
	}
}

// road leads to the API server, and can be closed: then it is as if the API server were dead.
type road struct {
	t        *testing.T
	to       string
	address  string
	mu       sync.Mutex
	listener net.Listener
	open     []net.Conn
}

func newRoad(t *testing.T, to string) *road {
	r := &road{t: t, to: to, address: "127.0.0.1:0"}
	r.reopen()
	t.Cleanup(r.close)
	return r
}

func (r *road) reopen() {
	listener, err := net.Listen("tcp", r.address)
	if err != nil {
		r.t.Fatal(err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.listener, r.address = listener, listener.Addr().String()
	go func() {
		for {
			near, err := listener.Accept()
			if err != nil {
				return
			}
			far, err := net.Dial("tcp", r.to)
			if err != nil {
				_ = near.Close()
				continue
			}
			r.mu.Lock()
			r.open = append(r.open, near, far)
			r.mu.Unlock()
			go func() { _, _ = io.Copy(far, near); _ = far.Close() }()
			go func() { _, _ = io.Copy(near, far); _ = near.Close() }()
		}
	}()
}

func (r *road) close() {
	r.mu.Lock()
	defer r.mu.Unlock()
	_ = r.listener.Close()
	for _, c := range r.open {
		_ = c.Close()
	}
	r.open = nil
}

// node is one node of a test: its KubeArmorNode, a namespace, and the agent with what it stands on.
type node struct {
	t          *testing.T
	name       string
	client     client.Client
	road       *road
	config     *rest.Config
	kernel     *recordingEnforcer
	containers *nodeContainers
	alerts     *lines
	// unreachable is Pace.Unreachable.
	unreachable time.Duration
	// reportMost is Pace.ReportMost.
	reportMost time.Duration
	// health is the agent's HealthAddr, telemetry where it serves alerts.
	health, telemetry string
	stop              func()
}

type lines struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// newNode makes the objects that the operator would make, and no agent yet.
func newNode(t *testing.T, enforcer operatorv1.Enforcer) *node {
	t.Helper()
	n := bareNode(t)
	n.create(&operatorv1.KubeArmorNode{
		ObjectMeta: metav1.ObjectMeta{Name: n.name},
		Spec: operatorv1.KubeArmorNodeSpec{Verdict: &operatorv1.Verdict{
			Enforcer: enforcer, Reason: operatorv1.ReasonLSMInactive, Message: `"bpf" is not among the LSMs`,
		}},
	})
	return n
}

func bareNode(t *testing.T) *node {
	t.Helper()
	name := strings.ToLower(strings.NewReplacer("_", "-", "/", "-").Replace(t.Name()))
	name = name[max(0, len(name)-40):]
	name = strings.Trim(name, "-")
	n := &node{
		t: t, name: name, road: newRoad(t, strings.Trim(strings.TrimPrefix(apiServer.Host, "https:"), "/")),
		kernel:     &recordingEnforcer{events: make(chan enforcer.Event)},
		containers: &nodeContainers{}, alerts: &lines{}, unreachable: 300 * time.Millisecond, reportMost: 400 * time.Millisecond,
	}
	n.config = rest.CopyConfig(apiServer)
	n.config.Host = "https://" + n.road.address
	w, err := newWatches(Options{Node: name, Namespace: "kubearmor", Kubernetes: apiServer})
	if err != nil {
		t.Fatal(err)
	}
	if n.client, err = client.New(apiServer, client.Options{Scheme: w.scheme}); err != nil {
		t.Fatal(err)
	}
	n.create(&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}})
	return n
}

func (n *node) create(o client.Object) {
	n.t.Helper()
	if err := n.client.Create(context.Background(), o); err != nil {
		n.t.Fatal(err)
	}
	n.t.Cleanup(func() {
		_ = n.client.Delete(context.Background(), o, client.GracePeriodSeconds(0))
	})
}

// run starts an agent; it ends with the test, or with n.stop.
func (n *node) run(mode operatorv1.Enforcer) {
	n.t.Helper()
	a, err := New(Options{
		Node: n.name, Namespace: "kubearmor", Cluster: "test", Enforcer: mode, Version: "v1", BootID: "boot",
		Kubernetes: n.config, Containers: n.containers, Alerts: n.alerts, HealthAddr: n.health, Telemetry: server.Options{Address: n.telemetry}, Log: logr.Discard(),
		Open: func(context.Context) (Enforcer, error) {
			n.kernel.mu.Lock()
			defer n.kernel.mu.Unlock()
			if n.kernel.openErr != nil {
				return nil, n.kernel.openErr
			}
			n.kernel.opened++
			return n.kernel, nil
		},
		Detach: n.kernel.Detach,
		Pinned: func() bool { n.kernel.mu.Lock(); defer n.kernel.mu.Unlock(); return n.kernel.generation > 0 },
		Pace: Pace{
			Settle: 5 * time.Millisecond, Unreachable: n.unreachable, Retry: 50 * time.Millisecond,
			RetryMost: 200 * time.Millisecond, Report: 50 * time.Millisecond, Heartbeat: time.Minute, ReportMost: n.reportMost,
		},
	})
	if err != nil {
		n.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- a.Run(ctx) }()
	n.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil && !errors.Is(err, context.Canceled) {
			n.t.Errorf("agent: %v", err)
		}
	})
	n.t.Cleanup(n.stop)
}

// pod makes a Pod with one container "app", which runs in the cgroup of that id.
func (n *node) pod(name string, cgroup compile.CgroupID, labels map[string]string) containers.Container {
	n.t.Helper()
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: n.name, Name: name, Labels: labels},
		Spec:       corev1.PodSpec{NodeName: n.name, Containers: []corev1.Container{{Name: "app", Image: "app:1"}}},
	}
	n.create(pod)
	c := containers.Container{
		ID: "id-" + name, Name: "app", Image: "app:1", Running: true, Labels: labels,
		Pod:    containers.PodRef{Namespace: n.name, Name: name, UID: string(pod.UID)},
		Cgroup: compile.Cgroup{ID: cgroup, Level: 3, Path: "/kubepods/pod/" + name},
	}
	n.containers.start(c)
	return c
}

func (n *node) policy(name string, labels map[string]string, paths ...securityv1.AbsolutePath) *securityv1.KubeArmorPolicy {
	n.t.Helper()
	p := &securityv1.KubeArmorPolicy{ObjectMeta: metav1.ObjectMeta{Namespace: n.name, Name: name}}
	p.Spec.Selector.MatchLabels = labels
	p.Spec.Severity = 5
	for _, path := range paths {
		p.Spec.Process.MatchPaths = append(p.Spec.Process.MatchPaths, securityv1.ProcessPath{Path: path})
	}
	n.create(p)
	return p
}

// blocked lists the paths that the set in force blocks in a cgroup.
func (n *node) blocked(cgroup compile.CgroupID) []string {
	set, _ := n.kernel.last()
	for c, id := range set.Bindings {
		if c.ID != cgroup {
			continue
		}
		for _, p := range set.Profiles {
			var paths []string
			for _, r := range p.Rules {
				if r.Action == compile.ActionBlock {
					paths = append(paths, r.Path)
				}
			}
			if p.ID == id {
				return paths
			}
		}
	}
	return nil
}

func (n *node) status() operatorv1.KubeArmorNodeStatus {
	object := &operatorv1.KubeArmorNode{}
	if err := n.client.Get(context.Background(), client.ObjectKey{Name: n.name}, object); err != nil {
		n.t.Fatal(err)
	}
	return object.Status
}

// reason gives a condition as "False LSMInactive".
func (n *node) reason(kind string) string {
	for _, c := range n.status().Conditions {
		if c.Type == kind {
			return string(c.Status) + " " + c.Reason
		}
	}
	return "missing"
}

// eventually waits until what holds; else the test ends with what got shows.
func eventually(t *testing.T, what string, holds func() bool, got func() any) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if holds() {
			return
		}
	}
	t.Fatalf("never: %s; last seen: %v", what, got())
}

func (n *node) eventuallyBlocked(cgroup compile.CgroupID, want ...string) {
	n.t.Helper()
	eventually(n.t, "blocked "+strings.Join(want, " "), func() bool {
		got := n.blocked(cgroup)
		return strings.Join(got, " ") == strings.Join(want, " ")
	}, func() any { return n.blocked(cgroup) })
}

func (n *node) eventuallyReason(kind, want string) {
	n.t.Helper()
	eventually(n.t, kind+" is "+want, func() bool { return n.reason(kind) == want }, func() any { return n.status() })
}
