// SPDX-License-Identifier: Apache-2.0

// Package fleet brings up a whole cluster on one machine, control plane and VM nodes of different kinds, and removes it again.
package fleet

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"runtime"

	"github.com/kubearmor/kubearmor-operator/test/testbed/binaries"
	"github.com/kubearmor/kubearmor-operator/test/testbed/cache"
	"github.com/kubearmor/kubearmor-operator/test/testbed/cluster"
	"github.com/kubearmor/kubearmor-operator/test/testbed/node"
	"github.com/kubearmor/kubearmor-operator/test/testbed/progress"
)

// Options of a fleet.
type Options struct {
	// Root of the project.
	Root string
	// Name tells fleets on one machine apart: at most 12 lower-case letters and digits.
	Name string
	// Version of the product's images.
	Version string
	Nodes   []node.Spec
}

// Fleet is a cluster and its nodes.
type Fleet struct {
	Options
	Cluster *cluster.Cluster
	Nodes   []*node.Node

	store *cache.Cache
	log   *progress.Log
}

// New describes a fleet; nothing is started and nothing that runs is touched.
func New(log *progress.Log, options Options) (*Fleet, error) {
	if !regexp.MustCompile(`^[a-z0-9]{1,12}$`).MatchString(options.Name) {
		return nil, fmt.Errorf("fleet name %q: use 1 to 12 lower-case letters and digits", options.Name)
	}
	if os.Geteuid() != 0 {
		return nil, fmt.Errorf("a fleet needs root for its network namespace and virtual machines: run as root")
	}
	store, err := cache.Open(filepath.Join(options.Root, ".cache", "testbed"), log)
	if err != nil {
		return nil, err
	}
	f := &Fleet{Options: options, store: store, log: log}
	f.Cluster = cluster.New(filepath.Join(options.Root, ".cache", "fleet", options.Name), binaries.Dir(options.Root, runtime.GOARCH), options.Name)
	for _, spec := range options.Nodes {
		f.Nodes = append(f.Nodes, node.Open(f.Cluster, spec))
	}
	return f, nil
}

// Kubeconfig of the fleet's administrator, for use on the host.
func (f *Fleet) Kubeconfig() string { return f.Cluster.AdminKubeconfig() }

// Kubectl is the program that belongs to the fleet's version of Kubernetes.
func (f *Fleet) Kubectl() string { return filepath.Join(f.Cluster.Binaries, "kubectl") }

// Up removes what a killed run left, starts everything and returns when all nodes are Ready.
func (f *Fleet) Up(ctx context.Context) error {
	if err := f.Down(ctx); err != nil {
		return err
	}
	machines, err := f.prepare(ctx)
	if err != nil {
		return err
	}
	if err := f.log.Step("control plane", func() error { return f.Cluster.Start(ctx, len(f.Nodes)) }); err != nil {
		return err
	}
	for i, n := range f.Nodes {
		if err := n.Boot(ctx, f.store, f.Cluster, machines[i]); err != nil {
			return fmt.Errorf("boot node %s: %w", n.Name, err)
		}
		f.log.Printf("node %s: booting (%s, kernel %s, lsm=%s)", n.Name, n.Arch, machines[i].Payload.Kernel.Release, n.LSM)
	}
	return f.waitReady(ctx)
}

// Down ends every process of the fleet and removes its network and files. What is not there is no error.
func (f *Fleet) Down(ctx context.Context) error {
	if err := f.Cluster.Stop(ctx); err != nil {
		return fmt.Errorf("remove fleet %s: %w", f.Name, err)
	}
	return nil
}
