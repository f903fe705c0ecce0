// SPDX-License-Identifier: Apache-2.0

package product

import (
	"context"
	_ "embed"
	"fmt"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	operatorv1 "github.com/kubearmor/kubearmor-operator/api/operator/v1"
	securityv1 "github.com/kubearmor/kubearmor-operator/api/security/v1"
	"github.com/kubearmor/kubearmor-operator/test/testbed/images"
)

// The manifests that the demo and the end-to-end tests work with.
var (
	//go:embed manifests/config.yaml
	configManifest string
	//go:embed manifests/workload.yaml
	workloadManifest string
	//go:embed manifests/policy.yaml
	policyManifest string
)

// Names in the manifests.
const (
	ConfigName        = "fleet"
	WorkloadNamespace = "shop"
	WorkloadName      = "web"
	PolicyName        = "web-lockdown"
)

// Configure applies the KubeArmorConfig.
func (c *Cluster) Configure(ctx context.Context) error { return c.Apply(ctx, configManifest) }

// Protect applies a workload that runs on every node and a policy on it, and returns when each node has the policy in force or observed.
func (c *Cluster) Protect(ctx context.Context, limit time.Duration) error {
	if err := c.StartWorkload(ctx, limit); err != nil {
		return err
	}
	if err := c.Apply(ctx, policyManifest); err != nil {
		return err
	}
	var policy securityv1.KubeArmorPolicy
	if err := c.Client.Get(ctx, client.ObjectKey{Namespace: WorkloadNamespace, Name: PolicyName}, &policy); err != nil {
		return fmt.Errorf("read the policy back: %w", err)
	}
	return c.WaitPolicy(ctx, limit, WorkloadNamespace, PolicyName, policy.Generation)
}

// StartWorkload returns when the workload runs on every node.
func (c *Cluster) StartWorkload(ctx context.Context, limit time.Duration) error {
	if err := c.Apply(ctx, workloadManifest); err != nil {
		return err
	}
	_, err := c.Run(ctx, "-n", WorkloadNamespace, "rollout", "status", "daemonset/"+WorkloadName, "--timeout="+limit.String())
	return err
}

// WorkloadOn is the workload's Pod on a node.
func (c *Cluster) WorkloadOn(ctx context.Context, node string) (*corev1.Pod, error) {
	return c.PodOn(ctx, WorkloadNamespace, node, map[string]string{"app": WorkloadName})
}

// Operation is something that a process in the workload's Pod tries.
type Operation struct {
	// Kind is exec or read.
	Kind string
	// Attacked says that the policy forbids it.
	Attacked bool
	// Command as a shell in the Pod gets it.
	Command string
	// Path that it is about, and Sign: what its output holds when it went through.
	Path, Sign string
}

// Operations are one allowed and one attacked of each kind.
func Operations() []Operation {
	return []Operation{
		{Kind: "exec", Command: images.AllowedTool, Path: images.AllowedTool, Sign: "uid="},
		{Kind: "exec", Attacked: true, Command: images.BlockedTool + " --help", Path: images.BlockedTool, Sign: "Usage:"},
		{Kind: "read", Command: "cat " + images.PublicFile, Path: images.PublicFile, Sign: "welcome"},
		{Kind: "read", Attacked: true, Command: "cat " + images.SecretFile, Path: images.SecretFile, Sign: images.Secret},
	}
}

// Outcome of an operation on one node.
type Outcome struct {
	Operation
	Node   string
	Result Result
}

// Through says that the operation took place.
func (o Outcome) Through() bool { return strings.Contains(o.Result.Output, o.Sign) }

// Denied says that the kernel refused the operation, and not that something else went wrong.
func (o Outcome) Denied() bool {
	return !o.Through() && o.Result.Status != 0 && o.Refusal() != ""
}

// Refusal is the kernel's answer in words, or empty.
func (o Outcome) Refusal() string {
	for _, words := range []string{"Permission denied", "Operation not permitted"} {
		if strings.Contains(o.Result.Output, words) {
			return words
		}
	}
	return ""
}

// Perform does the operations in the workload's Pod on a node.
func (c *Cluster) Perform(ctx context.Context, node string, operations ...Operation) ([]Outcome, error) {
	pod, err := c.WorkloadOn(ctx, node)
	if err != nil {
		return nil, err
	}
	var outcomes []Outcome
	for _, operation := range operations {
		result, err := c.Try(ctx, "-n", pod.Namespace, "exec", pod.Name, "--", "sh", "-c", operation.Command)
		if err != nil {
			return nil, err
		}
		outcomes = append(outcomes, Outcome{Operation: operation, Node: node, Result: result})
	}
	return outcomes, nil
}

// Unprotect removes the KubeArmorConfig, if there is one, and waits until it is gone.
func (c *Cluster) Unprotect(ctx context.Context, limit time.Duration) error {
	config := &operatorv1.KubeArmorConfig{}
	config.Namespace, config.Name = Namespace, ConfigName
	if err := c.Client.Delete(ctx, config); client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("delete KubeArmorConfig: %w", err)
	}
	return Until(ctx, limit, func(ctx context.Context) (bool, string, error) {
		err := c.Client.Get(ctx, client.ObjectKeyFromObject(config), config)
		if client.IgnoreNotFound(err) != nil {
			return false, "", err
		}
		return err != nil, fmt.Sprintf("KubeArmorConfig is still there: phase %s: %s", config.Status.Phase, config.Status.Message), nil
	})
}
