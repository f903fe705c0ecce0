// SPDX-License-Identifier: Apache-2.0

// Package product installs the operator in a cluster as a user would, and looks at what the product reports and does there.
package product

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/go-logr/logr"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	operatorv1 "github.com/kubearmor/kubearmor-operator/api/operator/v1"
	securityv1 "github.com/kubearmor/kubearmor-operator/api/security/v1"
)

// Namespace that config/default installs into.
const Namespace = "kubearmor"

// Cluster is a cluster as its administrator reaches it.
type Cluster struct {
	// Root of the project, Kubectl the program, Kubeconfig its file.
	Root, Kubectl, Kubeconfig string
	Client                    client.Client
}

// Connect reads the kubeconfig; nothing is asked of the cluster yet.
func Connect(root, kubectl, kubeconfig string) (*Cluster, error) {
	// The library warns with a stack trace when nobody says where its log goes; all that matters comes back as an error.
	log.SetLogger(logr.Discard())
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return nil, fmt.Errorf("read kubeconfig: %w", err)
	}
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{clientgoscheme.AddToScheme, operatorv1.AddToScheme, securityv1.AddToScheme} {
		if err := add(scheme); err != nil {
			return nil, err
		}
	}
	c, err := client.New(config, client.Options{Scheme: scheme})
	if err != nil {
		return nil, fmt.Errorf("connect to the cluster: %w", err)
	}
	return &Cluster{Root: root, Kubectl: kubectl, Kubeconfig: kubeconfig, Client: c}, nil
}

// Result of a kubectl command that ran, whatever its exit status.
type Result struct {
	Status int
	// Output is what it wrote to standard output and standard error.
	Output string
}

// Try runs kubectl. A status other than zero is a result; an error is that it could not be run.
func (c *Cluster) Try(ctx context.Context, args ...string) (Result, error) {
	return c.try(ctx, "", args)
}

func (c *Cluster) try(ctx context.Context, stdin string, args []string) (Result, error) {
	cmd := exec.CommandContext(ctx, c.Kubectl, append([]string{"--kubeconfig", c.Kubeconfig}, args...)...)
	cmd.Stdin = strings.NewReader(stdin)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	err := cmd.Run()
	result := Result{Status: cmd.ProcessState.ExitCode(), Output: strings.TrimSpace(out.String())}
	var exit *exec.ExitError
	if ctx.Err() != nil {
		return result, fmt.Errorf("kubectl %s: %w", strings.Join(args, " "), ctx.Err())
	}
	if err != nil && !errors.As(err, &exit) {
		return result, fmt.Errorf("kubectl %s: %w", strings.Join(args, " "), err)
	}
	return result, nil
}

// Run runs kubectl and takes a status other than zero for an error.
func (c *Cluster) Run(ctx context.Context, args ...string) (string, error) {
	return c.run(ctx, "", args)
}

func (c *Cluster) run(ctx context.Context, stdin string, args []string) (string, error) {
	result, err := c.try(ctx, stdin, args)
	if err != nil {
		return result.Output, err
	}
	if result.Status != 0 {
		return result.Output, fmt.Errorf("kubectl %s: exit status %d: %s", strings.Join(args, " "), result.Status, result.Output)
	}
	return result.Output, nil
}

// Apply applies a manifest.
func (c *Cluster) Apply(ctx context.Context, manifest string) error {
	_, err := c.run(ctx, manifest, []string{"apply", "--server-side", "-f", "-"})
	return err
}

// Install applies config/default and waits until the operator is available.
func (c *Cluster) Install(ctx context.Context) error {
	if _, err := c.Run(ctx, "apply", "--server-side", "-k", filepath.Join(c.Root, "config", "default")); err != nil {
		return fmt.Errorf("install: %w", err)
	}
	if _, err := c.Run(ctx, "wait", "--for=condition=Established", "--timeout=60s", "crd", "--all"); err != nil {
		return fmt.Errorf("install: %w", err)
	}
	if _, err := c.Run(ctx, "-n", Namespace, "rollout", "status", "deployment", "--timeout=180s"); err != nil {
		return fmt.Errorf("install: the operator does not become available: %w", err)
	}
	return nil
}

// Until calls done every half second until it says true. After the limit it fails with what done said last.
func Until(ctx context.Context, limit time.Duration, done func(context.Context) (bool, string, error)) error {
	whole := ctx
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	last := "never looked"
	for {
		ok, said, err := done(ctx)
		if err == nil && ok {
			return nil
		}
		// A look that the limit cut short says less than the one before it.
		if err != nil && ctx.Err() == nil {
			last = err.Error()
		} else if err == nil {
			last = said
		}
		select {
		case <-whole.Done():
			return fmt.Errorf("given up: %w: %s", whole.Err(), last)
		case <-ctx.Done():
			return fmt.Errorf("not within %s: %s", limit, last)
		case <-time.After(500 * time.Millisecond):
		}
	}
}
