// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"

	"github.com/go-logr/logr"
	"github.com/spf13/cobra"
	"k8s.io/client-go/rest"
	"k8s.io/klog/v2"
	"sigs.k8s.io/controller-runtime/pkg/log"

	operatorv1 "github.com/kubearmor/kubearmor-operator/api/operator/v1"
	"github.com/kubearmor/kubearmor-operator/internal/agent"
	"github.com/kubearmor/kubearmor-operator/internal/agent/containers"
	"github.com/kubearmor/kubearmor-operator/internal/enforcer"
	"github.com/kubearmor/kubearmor-operator/internal/enforcer/bpflsm"
	"github.com/kubearmor/kubearmor-operator/internal/enforcer/observe"
	"github.com/kubearmor/kubearmor-operator/internal/facts"
	"github.com/kubearmor/kubearmor-operator/internal/telemetry/process"
	"github.com/kubearmor/kubearmor-operator/internal/telemetry/server"
)

// settings of `agent run`.
type settings struct {
	enforcer, runtimeEndpoint, hostRoot string
	healthAddr, metricsAddr, cluster    string
	telemetry                           server.Options
	verbosity                           int8
}

// mostLooks at processes in a second: each takes some 10 microseconds of the reader of events.
const mostLooks = 2000

func runCommand() *cobra.Command {
	s := settings{hostRoot: hostRoot()}
	cmd := &cobra.Command{
		Use: "run", Short: "Confine the workloads of this node", Args: cobra.NoArgs,
		Long: "Follows the cluster's policies and this node's containers, and keeps the kernel's tables equal to what they ask for.\n" +
			"Alerts are written to standard output, one JSON object a line; the log goes to standard error.",
		RunE: func(cmd *cobra.Command, _ []string) error { return run(cmd.Context(), s) },
	}
	flags := cmd.Flags()
	flags.StringVar(&s.enforcer, "enforcer", "", "bpf: deny in the kernel's LSM hooks; none: report what would be denied, and take away at once an enforcing core that an earlier agent left pinned")
	flags.StringVar(&s.runtimeEndpoint, "runtime-endpoint", "", "the container runtime's CRI socket, an absolute path on the host; empty: the one that runs this Pod is looked for")
	flags.StringVar(&s.healthAddr, "health-addr", ":32766", "address of /healthz and /readyz, and of grpc.health.v1.Health")
	flags.StringVar(&s.telemetry.Address, "telemetry-addr", ":32767", "address of the gRPC service feeder.LogService; empty for none")
	flags.StringVar(&s.telemetry.TLSDir, "telemetry-tls-dir", "", "folder with tls.crt, tls.key and the ca.crt that signs clients; without it only the loopback address is served")
	flags.BoolVar(&s.telemetry.Insecure, "telemetry-insecure", false, "serve telemetry to whoever connects, also without TLS: for old clients")
	flags.StringVar(&s.metricsAddr, "metrics-addr", ":32768", "address of /metrics")
	flags.StringVar(&s.cluster, "cluster", "default", "the cluster's name in alerts")
	flags.Int8Var(&s.verbosity, "v", 0, "verbosity of the log")
	return cmd
}

// hostRoot is where the host's folders are mounted; "/" on the host itself.
func hostRoot() string {
	if root := os.Getenv("HOST_ROOT"); root != "" {
		return root
	}
	return "/"
}

func run(ctx context.Context, s settings) error {
	logger := newLogger(s.verbosity)
	options, err := s.options(logger)
	if err != nil {
		return err
	}
	a, err := agent.New(options)
	if err != nil {
		return err
	}
	logger.Info("agent starts", "version", version, "node", options.Node, "enforcer", s.enforcer)
	return a.Run(ctx)
}

func (s settings) options(logger logr.Logger) (agent.Options, error) {
	o := agent.Options{
		Node: os.Getenv("NODE_NAME"), Namespace: os.Getenv("POD_NAMESPACE"), Cluster: s.cluster,
		Enforcer: operatorv1.Enforcer(s.enforcer), Version: version,
		Alerts: os.Stdout, HealthAddr: s.healthAddr, MetricsAddr: s.metricsAddr, Telemetry: s.telemetry,
		Log: logger, Pace: agent.DefaultPace(),
	}
	if o.Node == "" || o.Namespace == "" {
		return o, errors.New("NODE_NAME and POD_NAMESPACE must be set in the environment: the operator's DaemonSet does it")
	}
	bootID, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return o, fmt.Errorf("read boot id: %w", err)
	}
	o.BootID = strings.TrimSpace(string(bootID))
	if o.Kubernetes, err = rest.InClusterConfig(); err != nil {
		return o, fmt.Errorf("read service account: %w", err)
	}
	o.Kubernetes.UserAgent = "kubearmor-agent/" + version
	core := enforcer.Options{HostRoot: s.hostRoot, Logger: logger.WithName("core")}
	o.Detach = func() error { return enforcer.Detach(core) }
	o.Pinned = func() bool { return o.Enforcer == operatorv1.EnforcerBPF && enforcer.Pinned(core) }
	o.Open, err = opener(o.Enforcer, core)
	// The agent runs in the node's pid namespace, so its own /proc is the node's.
	looker := &process.Looker{Proc: os.DirFS("/proc"), Booted: process.Booted, Most: mostLooks}
	o.Look = looker.Look
	o.Containers = s.containers(logger.WithName("containers"))
	return o, err
}

// opener is the visible list of enforcers.
func opener(name operatorv1.Enforcer, o enforcer.Options) (func(context.Context) (agent.Enforcer, error), error) {
	open := map[operatorv1.Enforcer]func(context.Context, enforcer.Options) (*enforcer.Core, error){
		operatorv1.EnforcerBPF:  bpflsm.Open,
		operatorv1.EnforcerNone: observe.Open,
	}[name]
	if open == nil {
		return nil, fmt.Errorf("--enforcer=%q is unknown: use bpf or none", name)
	}
	return func(ctx context.Context) (agent.Enforcer, error) {
		core, err := open(ctx, o)
		if err != nil {
			return nil, err
		}
		return core, nil
	}, nil
}

// containers of the node. Where they cannot be told apart, the agent runs all the same and says so.
func (s settings) containers(logger logr.Logger) agent.Containers {
	hierarchy, err := containers.OpenHierarchy(filepath.Join(s.hostRoot, "sys/fs/cgroup"))
	if err != nil {
		return containers.Unavailable{Err: err}
	}
	runtime, err := s.runtime()
	if err != nil {
		return containers.Unavailable{Err: err}
	}
	return &containers.Tracker{Runtime: runtime, Hierarchy: hierarchy, Log: logger}
}

// runtime is the one that the operator named, or the one that turns out to run this Pod.
func (s settings) runtime() (containers.Runtime, error) {
	if s.runtimeEndpoint != "" {
		return containers.DialCRI(filepath.Join(s.hostRoot, strings.TrimPrefix(s.runtimeEndpoint, "unix://")))
	}
	return &containers.Discovered{HostRoot: s.hostRoot, Find: func(ctx context.Context) (string, error) {
		found := facts.FindRuntime(ctx, facts.OptionsFromEnv(os.Getenv))
		if found.State != operatorv1.FactYes {
			return "", fmt.Errorf("no container runtime on this node knows the agent's Pod: %s", found.Cause)
		}
		return found.Socket, nil
	}}, nil
}

// newLogger writes to standard error: standard output is the alerts'.
func newLogger(verbosity int8) logr.Logger {
	handler := slog.NewJSONHandler(os.Stderr, &slog.HandlerOptions{Level: slog.Level(-verbosity)})
	logger := logr.FromSlogHandler(handler)
	log.SetLogger(logger)
	klog.SetLogger(logger)
	return logger
}
