// SPDX-License-Identifier: Apache-2.0

// Package cluster runs a Kubernetes control plane in a network namespace of its own.
package cluster

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// Cluster is a control plane: its folder, its network and what signs its certificates.
type Cluster struct {
	// Dir holds everything that the cluster writes.
	Dir string
	// Binaries is the folder of etcd, kube-apiserver and the others.
	Binaries string
	// Network that control plane and nodes share.
	Network *Network
	// Nodes that the network has room for, and Authority that signs their certificates; both are set by Start.
	Nodes     int
	Authority *Authority
}

// New describes the cluster of a fleet; nothing is started.
func New(dir, binaries, fleet string) *Cluster {
	return &Cluster{Dir: dir, Binaries: binaries, Network: newNetwork(fleet, dir)}
}

// AdminKubeconfig is the file that a person on the host points KUBECONFIG at.
func (c *Cluster) AdminKubeconfig() string { return filepath.Join(c.Dir, "kubeconfig") }

// LogDir holds a log file for each process.
func (c *Cluster) LogDir() string { return filepath.Join(c.Dir, "logs") }

func (c *Cluster) pki() string { return filepath.Join(c.Dir, "pki") }

// Start makes the network with room for so many nodes and starts the control plane in it. It returns once the API server is ready.
func (c *Cluster) Start(ctx context.Context, nodes int) error {
	for _, dir := range []string{c.pki(), c.LogDir()} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return err
		}
	}
	c.Nodes = nodes
	if err := c.Network.create(ctx, nodes); err != nil {
		return fmt.Errorf("make the fleet's network: %w", err)
	}
	if err := c.writeIdentities(); err != nil {
		return fmt.Errorf("make the control plane's certificates: %w", err)
	}
	for _, p := range c.processes() {
		if err := c.Spawn(p.name, filepath.Join(c.Binaries, p.name), p.args); err != nil {
			return err
		}
	}
	return c.waitReady(ctx)
}

// Spawn starts a program inside the network as a process that outlives this one; Stop ends it.
func (c *Cluster) Spawn(name, path string, args []string) error {
	file, err := os.OpenFile(filepath.Join(c.LogDir(), name+".log"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		return err
	}
	defer file.Close()
	cmd := c.Network.Command(context.Background(), path, args...)
	cmd.Stdout, cmd.Stderr = file, file
	cmd.Dir = c.Dir
	// A session of its own: Ctrl-C on the terminal must reach the command that cleans up, and it alone.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start %s: %w", name, err)
	}
	go func() { _ = cmd.Wait() }() // Reaps it, should it end while this process lives.
	return nil
}

// Stop ends every process of the cluster and removes its network and folder. What is not there is no error.
func (c *Cluster) Stop(ctx context.Context) error {
	var problems []error
	if c.Network.Exists() {
		problems = append(problems, c.kill(ctx), c.Network.remove(ctx))
	}
	if err := os.RemoveAll(c.Dir); err != nil && !errors.Is(err, fs.ErrNotExist) {
		problems = append(problems, err)
	}
	return errors.Join(problems...)
}

// kill ends all processes of the namespace and waits until they are gone. Nothing of them is kept, so none is asked politely.
func (c *Cluster) kill(ctx context.Context) error {
	deadline := time.Now().Add(20 * time.Second)
	for {
		pids, err := c.Network.processes(ctx)
		if err != nil || len(pids) == 0 {
			return err
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("processes %v of %s do not end", pids, c.Network.Namespace)
		}
		for _, pid := range pids {
			if err := syscall.Kill(pid, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
				return fmt.Errorf("end process %d: %w", pid, err)
			}
		}
		time.Sleep(100 * time.Millisecond)
	}
}
