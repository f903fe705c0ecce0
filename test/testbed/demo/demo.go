// SPDX-License-Identifier: Apache-2.0

// Package demo shows the product on a fleet of different nodes: an attack, what each kernel answered, and what each node says of itself.
package demo

import (
	"context"
	"fmt"
	"io"
	"time"

	operatorv1 "github.com/kubearmor/kubearmor-operator/api/operator/v1"
	"github.com/kubearmor/kubearmor-operator/test/testbed/fleet"
	"github.com/kubearmor/kubearmor-operator/test/testbed/node"
	"github.com/kubearmor/kubearmor-operator/test/testbed/product"
	"github.com/kubearmor/kubearmor-operator/test/testbed/progress"
)

// Limits of the steps, for a machine whose two cores emulate three others.
const (
	detectLimit  = 10 * time.Minute
	protectLimit = 5 * time.Minute
)

// Demo is one run.
type Demo struct {
	Fleet *fleet.Fleet
	Log   *progress.Log
	// Out receives the report.
	Out io.Writer
	// Keep leaves the fleet up.
	Keep bool
}

// Run brings the fleet up, shows everything and removes the fleet. It fails if anything was not as the product promises.
func (d Demo) Run(ctx context.Context) (err error) {
	defer func() { err = d.finish(ctx, err) }()
	if err := d.Fleet.Up(ctx); err != nil {
		return err
	}
	cluster, err := product.Connect(d.Fleet.Root, d.Fleet.Kubectl(), d.Fleet.Kubeconfig())
	if err != nil {
		return err
	}
	if err := d.install(ctx, cluster); err != nil {
		return err
	}
	found, err := d.attack(ctx, cluster)
	if err != nil {
		return err
	}
	return d.report(ctx, cluster, found)
}

func (d Demo) install(ctx context.Context, cluster *product.Cluster) error {
	if err := d.Log.Step("install the operator (kubectl apply -k config/default)", func() error { return cluster.Install(ctx) }); err != nil {
		return err
	}
	return d.Log.Step("KubeArmorConfig: detect every node and start its agent", func() error {
		if err := cluster.Configure(ctx); err != nil {
			return err
		}
		return cluster.WaitSettled(ctx, detectLimit, func(node, progress string) { d.Log.Printf("node %s: %s", node, progress) })
	})
}

// findings are what was seen: judge decides on them, the report prints them.
type findings struct {
	specs    []node.Spec
	nodes    map[string]operatorv1.KubeArmorNode
	outcomes []product.Outcome
	alerts   map[string][]product.Alert
}

func (d Demo) attack(ctx context.Context, cluster *product.Cluster) (findings, error) {
	found := findings{nodes: map[string]operatorv1.KubeArmorNode{}, alerts: map[string][]product.Alert{}}
	err := d.Log.Step("workload on every node, and a policy on it", func() error { return cluster.Protect(ctx, protectLimit) })
	if err != nil {
		return found, err
	}
	for _, n := range d.Fleet.Nodes {
		found.specs = append(found.specs, n.Spec)
		err := d.Log.Step("attack on "+n.Name, func() error {
			outcomes, err := cluster.Perform(ctx, n.Name, product.Operations()...)
			found.outcomes = append(found.outcomes, outcomes...)
			return err
		})
		if err != nil {
			return found, err
		}
	}
	return found, d.look(ctx, cluster, &found)
}

// look reads what the nodes say about themselves and about the attack. Alerts may take a moment to be written.
func (d Demo) look(ctx context.Context, cluster *product.Cluster, found *findings) error {
	for _, n := range d.Fleet.Nodes {
		err := product.Until(ctx, 30*time.Second, func(ctx context.Context) (bool, string, error) {
			alerts, err := cluster.Alerts(ctx, n.Name, product.WorkloadNamespace, product.PolicyName)
			found.alerts[n.Name] = alerts
			return len(missingAlerts(alerts)) == 0, fmt.Sprintf("no alert on %v", missingAlerts(alerts)), err
		})
		if err != nil {
			d.Log.Printf("alerts of %s: %v", n.Name, err)
		}
	}
	nodes, err := cluster.Nodes(ctx)
	for i := range nodes {
		found.nodes[nodes[i].Name] = nodes[i]
	}
	return err
}

// finish saves the logs of a run that failed, and removes the fleet unless it shall stay. Who interrupts a run wants no logs of it.
func (d Demo) finish(ctx context.Context, err error) error {
	if err != nil && ctx.Err() == nil {
		d.Log.Printf("failed: %v", err)
		if dir, saveErr := d.Fleet.CollectLogs(); saveErr == nil {
			d.Log.Printf("logs of control plane, nodes and Pods: %s", dir)
		}
	}
	if d.Keep {
		fmt.Fprintf(d.Out, "\nThe fleet stays up. Use it with:\nexport KUBECONFIG=%s\n%s get nodes\nRemove it with: make demo-down\n", d.Fleet.Kubeconfig(), d.Fleet.Kubectl())
		return err
	}
	limit, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
	defer cancel()
	downErr := d.Log.Step("remove the fleet", func() error { return d.Fleet.Down(limit) })
	if err == nil {
		err = downErr
	}
	return err
}
