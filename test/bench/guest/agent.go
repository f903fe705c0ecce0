// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"time"

	"github.com/go-logr/logr"
	"k8s.io/client-go/rest"

	operatorv1 "github.com/kubearmor/kubearmor-operator/api/operator/v1"
	"github.com/kubearmor/kubearmor-operator/internal/agent"
	"github.com/kubearmor/kubearmor-operator/internal/agent/containers"
	"github.com/kubearmor/kubearmor-operator/internal/cgroup"
	"github.com/kubearmor/kubearmor-operator/internal/sensor"
)

// settleTime is what an agent gets to come to rest after it reported that all is in force.
const settleTime = 5 * time.Second

// weighAgent runs the whole agent, against a cluster that serves it policies and Pods, and reads its memory from outside.
func weighAgent() (rss, peak uint64, err error) {
	cluster, err := startCluster(nodePolicies, nodeRulesEach)
	if err != nil {
		return 0, 0, fmt.Errorf("start cluster: %w", err)
	}
	var notes bytes.Buffer
	cmd := exec.Command("/proc/self/exe", "agent", cluster.address)
	cmd.Stderr = &notes
	if err := cmd.Start(); err != nil {
		return 0, 0, err
	}
	defer func() { err = errors.Join(err, cmd.Process.Kill(), ignoreKill(cmd.Wait())) }()
	select {
	case <-cluster.settled:
	case <-time.After(5 * time.Minute):
		return 0, 0, fmt.Errorf("the agent did not become ready:\n%s", notes.String())
	}
	time.Sleep(settleTime)
	text, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(cmd.Process.Pid), "status"))
	if err != nil {
		return 0, 0, err
	}
	status := fields(string(text))
	return status["VmRSS"] << 10, status["VmHWM"] << 10, nil
}

// ignoreKill is no error for a process that was killed.
func ignoreKill(err error) error {
	var exit *exec.ExitError
	if errors.As(err, &exit) && exit.ExitCode() == -1 {
		return nil
	}
	return err
}

// runAgent is the agent as cmd/agent has it, with a runtime of its own and nothing pinned.
func runAgent(address string) error {
	hierarchy, err := containers.OpenHierarchy(cgroup.Top)
	if err != nil {
		return err
	}
	log := logr.Discard()
	a, err := agent.New(agent.Options{
		Node: nodeName, Namespace: "kubearmor", Cluster: "bench", Enforcer: operatorv1.EnforcerBPF, Version: "bench", BootID: "bench",
		Kubernetes: &rest.Config{Host: address}, Alerts: io.Discard, Log: log, Pace: agent.DefaultPace(),
		Containers: &containers.Tracker{Runtime: nodeRuntime{}, Hierarchy: hierarchy, Log: log},
		Open: func(ctx context.Context) (agent.Enforcer, error) {
			return sensor.Open(ctx, sensor.Options{Mode: sensor.ModeEnforce})
		},
		Detach: func() error { return nil }, Pinned: func() bool { return false },
		HealthAddr: "127.0.0.1:0", MetricsAddr: "127.0.0.1:0",
	})
	if err != nil {
		return err
	}
	return a.Run(context.Background())
}

// nodeRuntime knows the containers of the cluster's Pods. Their cgroups exist.
type nodeRuntime struct{}

func (nodeRuntime) List(context.Context) ([]containers.Container, error) {
	var all []containers.Container
	for i := range nodePolicies {
		name := nodeContainer(i)
		all = append(all, containers.Container{
			ID: name, Sandbox: name, Name: "main", Image: "docker.io/library/bench:latest", Running: true,
			Pod: containers.PodRef{Namespace: "bench", Name: name, UID: name},
		})
	}
	return all, nil
}

func (nodeRuntime) Details(_ context.Context, id string) (containers.Details, error) {
	return containers.Details{CgroupsPath: "/bench/" + id[len("node-"):], Image: "docker.io/library/bench:latest"}, nil
}

func (nodeRuntime) Sandbox(_ context.Context, id string) (labels, annotations map[string]string, err error) {
	return map[string]string{"app": id}, nil, nil
}
