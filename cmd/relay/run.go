// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"sync/atomic"
	"time"

	"github.com/go-logr/logr"
	"github.com/spf13/cobra"
	"google.golang.org/grpc/credentials/insecure"
	"k8s.io/client-go/rest"
	"k8s.io/klog/v2"

	"github.com/kubearmor/kubearmor-operator/internal/mtls"
	"github.com/kubearmor/kubearmor-operator/internal/relay"
	"github.com/kubearmor/kubearmor-operator/internal/relay/pods"
)

// settings of the relay.
type settings struct {
	address, healthAddr, metricsAddr string
	cluster, tlsDir, agentName       string
	agentPort                        string
	agents                           []string
	insecure, agentsInsecure         bool
	window                           time.Duration
	verbosity                        int8
}

func command() *cobra.Command {
	s := settings{}
	cmd := &cobra.Command{
		Use: "relay", Short: "One stream of alerts, logs and messages for the whole cluster", Args: cobra.NoArgs,
		Long: "Connects to every agent of the cluster and to every client, and passes on what agents say, in the order of its time.\n" +
			"Clients and agents prove who they are with certificates; the folder of --tls-dir is read for each connection, so that\n" +
			"renewed files need no restart.",
		SilenceUsage: true, SilenceErrors: true,
		RunE: func(cmd *cobra.Command, _ []string) error { return run(cmd.Context(), s) },
	}
	flags := cmd.Flags()
	flags.StringVar(&s.address, "listen", ":32767", "address that clients connect to")
	flags.StringVar(&s.healthAddr, "health-addr", ":32766", "address of gRPC's health service without TLS, for the kubelet; empty: none")
	flags.StringVar(&s.metricsAddr, "metrics-addr", ":32768", "address of /metrics; empty: none")
	flags.StringVar(&s.cluster, "cluster", "default", "the cluster's name in the relay's own messages")
	flags.StringVar(&s.tlsDir, "tls-dir", "/etc/kubearmor/tls", "folder with ca.crt, tls.crt and tls.key")
	flags.BoolVar(&s.insecure, "insecure", false, "let in clients without TLS as well, and so without proof of who they are")
	flags.BoolVar(&s.agentsInsecure, "agents-insecure", false, "connect to agents without TLS")
	flags.StringVar(&s.agentName, "agent-name", "kubearmor-agent", "name that agents' certificates are for")
	flags.StringVar(&s.agentPort, "agent-port", "32767", "port that agents serve on")
	flags.StringSliceVar(&s.agents, "agents", nil, "connect to these agents, NODE=HOST:PORT,…, and look for no Pods")
	flags.DurationVar(&s.window, "reorder-window", relay.Defaults().Window, "how long an event may take to arrive and still come in the order of time; every event is held that long")
	flags.Int8Var(&s.verbosity, "v", 0, "verbosity of the log")
	cmd.AddCommand(versionCommand())
	return cmd
}

func run(ctx context.Context, s settings) error {
	o, err := s.options(ctx)
	if err != nil {
		return err
	}
	o.Log.Info("the relay starts", "version", version, "listen", s.address, "insecure", s.insecure)
	return relay.New(o).Run(ctx)
}

func (s settings) options(ctx context.Context) (relay.Options, error) {
	o := relay.Defaults()
	o.Log = newLogger(s.verbosity)
	o.Cluster, o.Version, o.Window = s.cluster, version, s.window
	if o.Name = os.Getenv("POD_NAME"); o.Name == "" {
		o.Name, _ = os.Hostname()
	}
	if s.window <= 0 {
		return o, fmt.Errorf("--reorder-window is %s: it must be longer than nothing; 1ms is as good as none", s.window)
	}
	var err error
	if o.Agents, err = s.finder(); err != nil {
		return o, err
	}
	if err = s.secure(&o); err != nil {
		return o, err
	}
	for _, l := range []struct {
		to      *net.Listener
		address string
	}{{&o.Serve, s.address}, {&o.Health, s.healthAddr}, {&o.Metrics, s.metricsAddr}} {
		if l.address == "" {
			continue
		}
		if *l.to, err = (&net.ListenConfig{}).Listen(ctx, "tcp", l.address); err != nil {
			return o, fmt.Errorf("serve %s: %w", l.address, err)
		}
	}
	if o.Serve == nil {
		return o, errors.New("--listen is empty: name the address that clients connect to")
	}
	return o, nil
}

// secure says how connections of agents and clients are made.
func (s settings) secure(o *relay.Options) error {
	files := mtls.Folder(s.tlsDir)
	if err := files.Check(); err != nil && (!s.insecure || !s.agentsInsecure) {
		return fmt.Errorf("--tls-dir: %w; put the certificates there, or start with --insecure and --agents-insecure", err)
	}
	refused := &atomic.Uint64{}
	log := o.Log
	o.Refused = refused.Load
	o.ToClients = mtls.Door{Files: files, ClearText: s.insecure, Refused: func(client net.Addr, why error) {
		// Every scan of ports ends here: the count is for all to see, the reasons for who asks.
		n := refused.Add(1)
		log.V(1).Info("a client is refused", "client", client.String(), "why", why.Error(), "refused", n)
	}}.Credentials()
	o.ToAgents = mtls.Client(files, s.agentName)
	if s.agentsInsecure {
		o.ToAgents = insecure.NewCredentials()
	}
	return nil
}

// finder of agents: those that were named, or the Pods of the relay's own namespace.
func (s settings) finder() (relay.Agents, error) {
	if len(s.agents) > 0 {
		return named(s.agents)
	}
	namespace := os.Getenv("POD_NAMESPACE")
	if namespace == "" {
		return nil, errors.New("POD_NAMESPACE must be set in the environment, as the operator's Deployment does; outside Kubernetes name the agents with --agents")
	}
	config, err := rest.InClusterConfig()
	if err != nil {
		return nil, fmt.Errorf("read service account: %w; outside Kubernetes name the agents with --agents", err)
	}
	config.UserAgent = "kubearmor-relay/" + version
	return pods.Finder{Config: config, Namespace: namespace, Port: s.agentPort}, nil
}

func newLogger(verbosity int8) logr.Logger {
	logger := logr.FromSlogHandler(slog.NewJSONHandler(os.Stderr, &slog.HandlerOptions{Level: slog.Level(-verbosity)}))
	klog.SetLogger(logger)
	return logger
}
