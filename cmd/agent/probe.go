// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/kubearmor/kubearmor-operator/internal/facts"
)

func probeCommand() *cobra.Command {
	termination := ""
	cmd := &cobra.Command{
		Use: "probe", Short: "Find out, by trying, what this node can enforce", Args: cobra.NoArgs,
		Long: "Prints the node's facts as one line of JSON, and writes the same to the termination path, where the kubelet takes it from.\n" +
			"A fact that could not be established is Unknown with its cause; that is no failure of the probe.",
		RunE: func(cmd *cobra.Command, _ []string) error {
			found := facts.Probe(cmd.Context(), facts.OptionsFromEnv(os.Getenv))
			line, err := facts.Encode(found)
			if err != nil {
				return err
			}
			if _, err := fmt.Fprintf(cmd.OutOrStdout(), "%s\n", line); err != nil {
				return fmt.Errorf("print facts: %w", err)
			}
			if termination == "" {
				return nil
			}
			return facts.WriteTermination(termination, found)
		},
	}
	cmd.Flags().StringVar(&termination, "termination-path", "/dev/termination-log", "the file that the kubelet reads; empty for none")
	return cmd
}
