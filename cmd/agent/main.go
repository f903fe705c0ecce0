// SPDX-License-Identifier: Apache-2.0

// Command agent is what runs on every node: it looks at the node once (probe), or confines its workloads (run).
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/kubearmor/kubearmor-operator/internal/facts"
)

// version is set by the build.
var version = "v0.0.0-dev"

func main() {
	if code, is := facts.Child(os.Args); is {
		os.Exit(code)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := command().ExecuteContext(ctx)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "agent:", err)
		os.Exit(1)
	}
}

func command() *cobra.Command {
	root := &cobra.Command{
		Use: "agent", Short: "KubeArmor on one node",
		SilenceUsage: true, SilenceErrors: true,
	}
	root.AddCommand(runCommand(), probeCommand(), detachCommand(), versionCommand())
	return root
}

func versionCommand() *cobra.Command {
	return &cobra.Command{
		Use: "version", Short: "Print the version", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			_, err := fmt.Fprintln(cmd.OutOrStdout(), version)
			return err
		},
	}
}
