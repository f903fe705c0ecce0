// SPDX-License-Identifier: Apache-2.0

// Command operator gives every node of a cluster the agent made for it.
package main

import (
	"cmp"
	"context"
	"flag"
	"fmt"
	"net/http"
	"os"
	"time"

	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/healthz"
	"sigs.k8s.io/controller-runtime/pkg/log/zap"
	"sigs.k8s.io/controller-runtime/pkg/metrics/filters"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"github.com/kubearmor/kubearmor-operator/controllers"
	"github.com/kubearmor/kubearmor-operator/internal/certs"
	"github.com/kubearmor/kubearmor-operator/internal/render"
)

// version is set by the linker.
var version = "dev"

// Repositories of the images that a KubeArmorConfig need not name.
const (
	agentRepository = "docker.io/kubearmor/fleet-agent"
	relayRepository = "docker.io/kubearmor/fleet-relay"
)

type options struct {
	metricsAddress string
	healthAddress  string
	leaderElect    bool
	namespace      string
	maxProbes      int
	lives          certs.Lives
	log            zap.Options
}

func main() {
	o := parse()
	ctrl.SetLogger(zap.New(zap.UseFlagOptions(&o.log)))
	if err := run(ctrl.SetupSignalHandler(), o); err != nil {
		ctrl.Log.Error(err, "the operator ends", "version", version)
		os.Exit(1)
	}
}

func parse() options {
	o := options{}
	flag.StringVar(&o.metricsAddress, "metrics-bind-address", ":8443", "address of the metrics over HTTPS, for clients that the API server authorises; 0 turns them off")
	flag.StringVar(&o.healthAddress, "health-probe-bind-address", ":8081", "address of /healthz and /readyz")
	flag.BoolVar(&o.leaderElect, "leader-elect", false, "act only as the elected leader, so that several replicas may run")
	flag.StringVar(&o.namespace, "namespace", os.Getenv("POD_NAMESPACE"), "namespace of the operator and of everything namespaced that it owns (env POD_NAMESPACE)")
	flag.IntVar(&o.maxProbes, "max-probes", 10, "nodes that are probed at once")
	lives := certs.DefaultLives()
	flag.DurationVar(&o.lives.Leaf, "certificate-life", lives.Leaf, "life of the certificates of agents, relay and clients; they are renewed at two thirds of it")
	flag.DurationVar(&o.lives.Authority, "authority-life", lives.Authority, "life of the authority that signs them; at two thirds of it another one follows")
	o.log.BindFlags(flag.CommandLine)
	flag.Parse()
	return o
}

func (o options) validate() error {
	if o.namespace == "" {
		return fmt.Errorf("--namespace is empty: set it, or the environment variable POD_NAMESPACE, to the operator's namespace")
	}
	if o.maxProbes < 1 {
		return fmt.Errorf("--max-probes is %d: without a probe no node gets an agent; set it to 1 or more", o.maxProbes)
	}
	return o.lives.Validate()
}

func run(ctx context.Context, o options) error {
	if err := o.validate(); err != nil {
		return err
	}
	mgr, err := newManager(o)
	if err != nil {
		return fmt.Errorf("create the manager: %w", err)
	}
	if err := controllers.CheckAccess(ctx, mgr.GetAPIReader(), o.namespace); err != nil {
		return fmt.Errorf("check access: %w", err)
	}
	defaults := render.Defaults{Namespace: o.namespace, Image: agentImage(), RelayImage: relayImage()}
	if err := controllers.Setup(ctx, mgr, controllers.Options{Defaults: defaults, Lives: o.lives, MaxProbes: o.maxProbes}); err != nil {
		return err
	}
	if err := mgr.AddHealthzCheck("alive", healthz.Ping); err != nil {
		return err
	}
	if err := mgr.AddReadyzCheck("caches", cachesAreSynced(mgr.GetCache())); err != nil {
		return err
	}
	ctrl.Log.Info("the operator starts", "version", version, "namespace", o.namespace, "agentImage", defaults.Image, "relayImage", defaults.RelayImage)
	return mgr.Start(ctx)
}

func newManager(o options) (ctrl.Manager, error) {
	restConfig, err := ctrl.GetConfig()
	if err != nil {
		return nil, err
	}
	// The API server's own priority and fairness is the limit: an uninstall of thousands of nodes has a minute.
	restConfig.QPS = -1
	return ctrl.NewManager(restConfig, ctrl.Options{
		Scheme:                        controllers.Scheme(),
		Cache:                         controllers.CacheOptions(o.namespace),
		Client:                        controllers.ClientOptions(),
		HealthProbeBindAddress:        o.healthAddress,
		LeaderElection:                o.leaderElect,
		LeaderElectionID:              "kubearmor-operator",
		LeaderElectionNamespace:       o.namespace,
		LeaderElectionReleaseOnCancel: true,
		// A node or an API server that is slow for a while is no reason to stop; a leader that ends gives the lease back.
		LeaseDuration: new(40 * time.Second),
		RenewDeadline: new(30 * time.Second),
		RetryPeriod:   new(5 * time.Second),
		Metrics: metricsserver.Options{
			BindAddress:    o.metricsAddress,
			SecureServing:  true,
			FilterProvider: filters.WithAuthenticationAndAuthorization,
		},
	})
}

// agentImage where the KubeArmorConfig names none: the environment's, as OLM sets it, or the one of this version.
func agentImage() string {
	return cmp.Or(os.Getenv("RELATED_IMAGE_KUBEARMOR"), agentRepository+":"+version)
}

// relayImage likewise.
func relayImage() string {
	return cmp.Or(os.Getenv("RELATED_IMAGE_KUBEARMOR_RELAY_SERVER"), relayRepository+":"+version)
}

// cachesAreSynced is the operator's readiness, on a replica that is not the leader as well.
func cachesAreSynced(c cache.Cache) healthz.Checker {
	return func(req *http.Request) error {
		if !c.WaitForCacheSync(req.Context()) {
			return fmt.Errorf("the caches are not filled yet")
		}
		return nil
	}
}
