// SPDX-License-Identifier: Apache-2.0

// Command karmor shows what KubeArmor enforces, on a node and in a cluster.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"github.com/kubearmor/kubearmor-operator/internal/cli"
	"github.com/kubearmor/kubearmor-operator/internal/facts"
)

// version is set by the build.
var version = "v0.0.0-dev"

func main() {
	if code, is := facts.Child(os.Args); is {
		os.Exit(code)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := cli.Run(ctx, version, cli.Streams{In: os.Stdin, Out: os.Stdout, Err: os.Stderr}, os.Args[1:])
	stop()
	os.Exit(code)
}
