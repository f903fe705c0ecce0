// SPDX-License-Identifier: Apache-2.0

// Package e2e tests the product as it ships on a fleet of virtual machines: real control plane, kubelets, kernels, images.
package e2e

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/kubearmor/kubearmor-operator/test/testbed/fleet"
	"github.com/kubearmor/kubearmor-operator/test/testbed/node"
	"github.com/kubearmor/kubearmor-operator/test/testbed/product"
	"github.com/kubearmor/kubearmor-operator/test/testbed/progress"
)

// runningFleet names the kubeconfig of a fleet that `make demo KEEP=1` left up, to test on that one instead of a new one.
const runningFleet = "E2E_KUBECONFIG"

// fleetName of the fleet that the tests bring up; `make demo-down` knows it too.
const fleetName = "e2e"

// suite is the fleet that the subtests share, in their order.
type suite struct {
	*product.Cluster
	fleet *fleet.Fleet
	// before is what the cluster held when the operator was installed and no KubeArmorConfig existed.
	before map[string]bool
}

// TestFleet runs its subtests one after the other on one fleet: two amd64 nodes, of which one can enforce and one cannot.
func TestFleet(t *testing.T) {
	s := start(t)
	for _, part := range []struct {
		name string
		run  func(*testing.T, *suite)
	}{
		{"every node is detected and says the truth about itself", testDetection},
		{"attacks are denied where the node enforces and audited where it does not", testAttacks},
		{"karmor logs tells of denials and audits within a second, with who, what and why", testLogs},
		{"every policy of others is accepted", testCorpus},
		{"an owned DaemonSet that is edited or deleted is repaired", testRepair},
		{"a killed agent leaves no gap", testKill},
		{"taints and foreign labels change nothing, and our label comes back", testTaintAndLabel},
		{"a rebooted node is detected again and enforces again", testReboot},
		{"the KubeArmorNode of a removed node goes, and comes back with the node", testRemoveNode},
		{"deleting the KubeArmorConfig leaves nothing behind", testUninstall},
	} {
		begun := time.Now()
		ok := t.Run(part.name, func(t *testing.T) { part.run(t, s) })
		t.Logf("%-81s %6.1f s", part.name, time.Since(begun).Seconds())
		if !ok {
			// What comes after builds on this part: its failures would only hide the cause.
			t.FailNow()
		}
	}
}

// TestMain removes the fleet on Ctrl-C as well, which ends the process before any cleanup of a test.
func TestMain(m *testing.M) {
	interrupted := make(chan os.Signal, 1)
	signal.Notify(interrupted, os.Interrupt, syscall.SIGTERM)
	go func() {
		<-interrupted
		fmt.Fprintln(os.Stderr, "interrupted: removing the fleet")
		if err := removeFleet(); err != nil {
			fmt.Fprintln(os.Stderr, err)
		}
		os.Exit(130)
	}()
	os.Exit(m.Run())
}

func removeFleet() error {
	if os.Getenv(runningFleet) != "" {
		return nil
	}
	root, err := filepath.Abs("../..")
	if err != nil {
		return err
	}
	f, err := fleet.New(progress.New(os.Stderr), fleet.Options{Root: root, Name: fleetName})
	if err != nil {
		return err
	}
	return f.Down(context.Background())
}

func start(t *testing.T) *suite {
	if testing.Short() {
		t.Skip("-short: a fleet of virtual machines takes minutes")
	}
	if os.Geteuid() != 0 {
		t.Fatal("a fleet needs root for its network namespace and virtual machines; run as root, or with -short to leave it out")
	}
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	log := progress.New(os.Stderr)
	kubeconfig := os.Getenv(runningFleet)
	options := fleet.Options{Root: root, Name: fleetName, Version: cmp.Or(os.Getenv("VERSION"), "v0.1.0"), Nodes: fleet.Pair()}
	if kubeconfig != "" {
		options.Name, options.Nodes = runningNodes(kubeconfig)
	}
	f, err := fleet.New(log, options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { finish(t, f, kubeconfig != "") })
	if kubeconfig == "" {
		if err := f.Up(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	cluster, err := product.Connect(root, f.Kubectl(), cmp.Or(kubeconfig, f.Kubeconfig()))
	if err != nil {
		t.Fatal(err)
	}
	s := &suite{Cluster: cluster, fleet: f}
	s.install(t, log)
	return s
}

// runningNodes are the nodes of the fleet that a kubeconfig belongs to; its folder is the fleet's.
func runningNodes(kubeconfig string) (name string, nodes []node.Spec) {
	dir := filepath.Dir(kubeconfig)
	for _, spec := range fleet.Demo() {
		if _, err := os.Stat(filepath.Join(dir, "nodes", spec.Name)); err == nil {
			nodes = append(nodes, spec)
		}
	}
	return filepath.Base(dir), nodes
}

// install the operator, note what the cluster holds, then apply the KubeArmorConfig.
func (s *suite) install(t *testing.T, log *progress.Log) {
	t.Helper()
	ctx := t.Context()
	if err := log.Step("install the operator", func() error { return s.Install(ctx) }); err != nil {
		t.Fatal(err)
	}
	// A fleet that was left running has a KubeArmorConfig already.
	if err := s.Unprotect(ctx, 5*time.Minute); err != nil {
		t.Fatal(err)
	}
	s.before = s.footprint(t)
	if err := s.Configure(ctx); err != nil {
		t.Fatal(err)
	}
}

func finish(t *testing.T, f *fleet.Fleet, keep bool) {
	if t.Failed() {
		dir, err := f.CollectLogs()
		t.Logf("logs of control plane, nodes and Pods: %s (%v)", dir, err)
	}
	if keep {
		return
	}
	// The test's own context has ended by now.
	if err := f.Down(context.Background()); err != nil {
		t.Error(err)
	}
}

// node of the fleet that can enforce, or that cannot.
func (s *suite) node(t *testing.T, enforcing bool) *node.Node {
	t.Helper()
	for _, n := range s.fleet.Nodes {
		if n.BPFLSM() == enforcing && n.Arch == "amd64" {
			return n
		}
	}
	t.Fatalf("the fleet has no amd64 node with BPF LSM %v", enforcing)
	return nil
}

// on runs a command on a node itself.
func on(t *testing.T, n *node.Node, command string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	out, err := n.Run(ctx, command)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// within fails the test unless done says true in time.
func within(t *testing.T, limit time.Duration, what string, done func(context.Context) (bool, string, error)) {
	t.Helper()
	begun := time.Now()
	if err := product.Until(t.Context(), limit, done); err != nil {
		t.Fatalf("%s: %v", what, err)
	}
	t.Logf("%s: %.1f s", what, time.Since(begun).Seconds())
}
