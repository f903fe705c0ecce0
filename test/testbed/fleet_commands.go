// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/kubearmor/kubearmor-operator/test/testbed/binaries"
	"github.com/kubearmor/kubearmor-operator/test/testbed/demo"
	"github.com/kubearmor/kubearmor-operator/test/testbed/fleet"
	"github.com/kubearmor/kubearmor-operator/test/testbed/progress"
)

func kubeCommand() *cobra.Command {
	var only string
	command := &cobra.Command{
		Use:   "kube",
		Short: "Build the programs of a control plane and the kubelets",
		Args:  cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			root, err := os.Getwd()
			if err != nil {
				return err
			}
			return binaries.Build(command.Context(), progress.New(os.Stderr), root, binaries.Selection(only))
		},
	}
	command.Flags().StringVar(&only, "only", string(binaries.All), fmt.Sprintf("what is needed: %s, %s or %s", binaries.EnvTest, binaries.HostFleet, binaries.All))
	return command
}

// fleetFlags are what up, down and demo share.
type fleetFlags struct {
	name, version string
	nodes         []string
	keep          bool
}

func (f *fleetFlags) fleet() (*fleet.Fleet, *progress.Log, error) {
	root, err := os.Getwd()
	if err != nil {
		return nil, nil, err
	}
	nodes, err := fleet.Named(f.nodes...)
	if err != nil {
		return nil, nil, err
	}
	log := progress.New(os.Stderr)
	made, err := fleet.New(log, fleet.Options{Root: root, Name: f.name, Version: f.version, Nodes: nodes})
	return made, log, err
}

func (f *fleetFlags) command(use, short string, run func(*cobra.Command) error) *cobra.Command {
	command := &cobra.Command{Use: use, Short: short, Args: cobra.NoArgs, RunE: func(command *cobra.Command, _ []string) error { return run(command) }}
	command.Flags().StringVar(&f.name, "name", "demo", "name of the fleet")
	command.Flags().StringSliceVar(&f.nodes, "nodes", nil, "only these nodes, by name, such as bpf-amd64,audit-amd64; all when empty")
	return command
}

func upCommand() *cobra.Command {
	flags := &fleetFlags{}
	command := flags.command("up", "Bring up the fleet of the demo, without the product", func(command *cobra.Command) error {
		made, _, err := flags.fleet()
		if err != nil {
			return err
		}
		if err := made.Up(command.Context()); err != nil {
			return err
		}
		fmt.Printf("export KUBECONFIG=%s\n", made.Kubeconfig())
		return nil
	})
	command.Flags().StringVar(&flags.version, "version", "v0.1.0", "tag of the product's images")
	return command
}

func downCommand() *cobra.Command {
	flags := &fleetFlags{}
	return flags.command("down", "Remove a fleet: its processes, its network and its files", func(command *cobra.Command) error {
		made, _, err := flags.fleet()
		if err != nil {
			return err
		}
		return made.Down(command.Context())
	})
}

func demoCommand() *cobra.Command {
	flags := &fleetFlags{}
	command := flags.command("demo", "Show the product on a fleet of different nodes", func(command *cobra.Command) error {
		made, log, err := flags.fleet()
		if err != nil {
			return err
		}
		return demo.Demo{Fleet: made, Log: log, Out: os.Stdout, Keep: flags.keep}.Run(command.Context())
	})
	command.Flags().StringVar(&flags.version, "version", "v0.1.0", "tag of the product's images")
	command.Flags().BoolVar(&flags.keep, "keep", false, "leave the fleet up")
	return command
}
