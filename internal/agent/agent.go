// SPDX-License-Identifier: Apache-2.0

// Package agent is the process on every node: it follows the node's containers and the cluster's policies, keeps the
// enforcer's tables equal to what they ask for, writes alerts, and reports into its own KubeArmorNode.
package agent

import (
	"context"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-logr/logr"
	"golang.org/x/sync/errgroup"
	"google.golang.org/grpc/health"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	operatorv1 "github.com/kubearmor/kubearmor-operator/api/operator/v1"
	"github.com/kubearmor/kubearmor-operator/internal/agent/containers"
	"github.com/kubearmor/kubearmor-operator/internal/enforcer"
	"github.com/kubearmor/kubearmor-operator/internal/policy/compile"
	"github.com/kubearmor/kubearmor-operator/internal/root"
	"github.com/kubearmor/kubearmor-operator/internal/telemetry"
	"github.com/kubearmor/kubearmor-operator/internal/telemetry/process"
	"github.com/kubearmor/kubearmor-operator/internal/telemetry/server"
)

// Enforcer is what holds policies in force on a node.
type Enforcer interface {
	// Apply puts a set in force in one step; on error the previous one stays, whole.
	Apply(ctx context.Context, set compile.Set) error
	// Run reads events until ctx ends.
	Run(ctx context.Context, handle func(enforcer.Event)) error
	Stats() (enforcer.Stats, error)
	// Close leaves what is pinned in force.
	Close() error
	// Detach leaves nothing on the node.
	Detach() error
}

// Containers are those of the node.
type Containers interface {
	Run(ctx context.Context, changed func())
	// Snapshot says as well whether the runtime has answered at all.
	Snapshot() ([]containers.Container, bool)
	ByCgroup(id compile.CgroupID) (containers.Container, bool)
	// Host gives the cgroup of the node and those that hold all Pods.
	Host() (root compile.Cgroup, podTrees []compile.Cgroup, err error)
	// HostRoot is the node's own root directory.
	HostRoot() *root.Root
	// IsHost tells the cgroup of the node from others, at once: it is asked for every event of the host.
	IsHost(id compile.CgroupID) bool
	Problem() error
}

// Options of an agent. All but Cluster are needed.
type Options struct {
	// Node is the name of the agent's node, Namespace that of its Pod.
	Node, Namespace, Cluster string
	// Enforcer that the operator chose for the node.
	Enforcer        operatorv1.Enforcer
	Version, BootID string
	Kubernetes      *rest.Config
	Containers      Containers
	// Open loads the core or adopts the pinned one; Detach takes away what another agent left.
	Open   func(ctx context.Context) (Enforcer, error)
	Detach func() error
	// Pinned says whether there is a core that Open would adopt.
	Pinned func() bool
	// Alerts are written here, one JSON object a line.
	Alerts                  io.Writer
	HealthAddr, MetricsAddr string
	// Telemetry says where and to whom alerts are served.
	Telemetry server.Options
	// Look finds out about the process of an event; nil for not at all.
	Look func(pid uint32, at time.Time) (process.Found, error)
	Log  logr.Logger
	// Pace of the agent; DefaultPace unless a test is in a hurry.
	Pace Pace
}

// Pace is how long the agent waits for what.
type Pace struct {
	// Settle after a change, before policies are compiled: changes come in groups.
	Settle time.Duration
	// Unreachable is how long a starting agent waits for the API server before it adopts what is pinned.
	Unreachable time.Duration
	// Retry of a step that failed; it doubles up to RetryMost.
	Retry, RetryMost time.Duration
	// Report is the least time between two writes of the status, Heartbeat the most.
	Report, Heartbeat time.Duration
	// ReportMost is what the wait after a failed write doubles up to, from Report.
	ReportMost time.Duration
}

// DefaultPace for a real node.
func DefaultPace() Pace {
	return Pace{
		Settle: 20 * time.Millisecond, Unreachable: 10 * time.Second,
		Retry: time.Second, RetryMost: 30 * time.Second,
		Report: 2 * time.Second, Heartbeat: time.Minute, ReportMost: 2 * time.Minute,
	}
}

// Agent is one running agent.
type Agent struct {
	o       Options
	watches *watches
	writer  client.Client
	metrics *metrics
	rules   *ruleTable
	started time.Time

	// Events become alerts; those that are not held back go to standard output and to the clients.
	throttle  *telemetry.Throttle
	alerts    *telemetry.Queue
	telemetry *server.Server
	// readEvents counts the events that were read from the kernel.
	readEvents atomic.Uint64
	// logs are those of them that no rule decided.
	logs atomic.Uint64
	// health is what clients of the health port are told by gRPC.
	health *health.Server

	// changed asks for a step, report for a look at the status.
	changed, report chan struct{}

	// Of the stepping goroutine alone.
	core     Enforcer
	reading  context.CancelFunc
	read     sync.WaitGroup
	plan     planner
	compiler compile.Compiler
	applied  *compile.Set

	mu    sync.RWMutex
	state state
}

// queued is how many alerts may wait for standard output.
const queued = 8192

// New prepares an agent; nothing is touched yet.
func New(o Options) (*Agent, error) {
	w, err := newWatches(o)
	if err != nil {
		return nil, fmt.Errorf("prepare watches: %w", err)
	}
	writer, err := client.New(o.Kubernetes, client.Options{Scheme: w.scheme, Mapper: w.mapper})
	if err != nil {
		return nil, fmt.Errorf("prepare client: %w", err)
	}
	a := &Agent{
		o: o, watches: w, writer: writer,
		throttle: telemetry.NewThrottle(), alerts: telemetry.NewQueue(queued), rules: newRuleTable(), health: health.NewServer(),
		changed: make(chan struct{}, 1), report: make(chan struct{}, 1),
		plan:     planner{system: o.Namespace, parsed: map[policyKey]*parsedPolicy{}},
		compiler: compile.Compiler{Abilities: enforcer.Abilities()},
	}
	node := telemetry.Node{Cluster: o.Cluster, Name: o.Node, Version: o.Version}
	if a.telemetry, err = server.New(o.Telemetry, node, a.stages, o.Log.WithName("telemetry")); err != nil {
		return nil, err
	}
	a.health.SetServingStatus("", healthv1.HealthCheckResponse_NOT_SERVING) // until a step has gone through
	a.metrics = newMetrics(a)
	a.metrics.registry.MustRegister(newTelemetryMetrics(a))
	return a, nil
}

// Run works until ctx ends. What is pinned stays in force after it.
func (a *Agent) Run(ctx context.Context) error {
	a.started = time.Now()
	if err := a.watches.prepare(ctx, func() { poke(a.changed) }, func() { poke(a.report) }); err != nil {
		return err
	}
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return a.watches.cache.Start(ctx) })
	group.Go(func() error { a.o.Containers.Run(ctx, func() { poke(a.changed) }); return nil })
	group.Go(func() error { return serve(ctx, a.o.HealthAddr, a.healthHandler()) })
	group.Go(func() error { return serve(ctx, a.o.MetricsAddr, a.metrics.handler()) })
	// Alerts are written and served until the reader of events, which stepping stops at its end, has stopped.
	alerting, stopAlerting := context.WithCancel(context.WithoutCancel(ctx))
	group.Go(func() error { return a.writeAlerts(alerting) })
	group.Go(func() error { return a.telemetry.Run(alerting) })
	group.Go(func() error { a.keepExpiring(ctx); return nil })
	group.Go(func() error { a.keepReporting(ctx); return nil })
	group.Go(func() error {
		defer stopAlerting()
		a.keepStepping(ctx)
		a.deliver(a.throttle.End(time.Now())...)
		return nil
	})
	return group.Wait()
}

func (a *Agent) writeAlerts(ctx context.Context) error {
	err := a.alerts.Run(ctx, a.o.Alerts)
	if lost := a.alerts.Dropped(); lost > 0 {
		a.o.Log.Info("alerts were lost: nobody read them in time", "alerts", lost)
	}
	return err
}

func poke(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
