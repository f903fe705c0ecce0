// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"

	"github.com/spf13/cobra"

	operatorv1 "github.com/kubearmor/kubearmor-operator/api/operator/v1"
	"github.com/kubearmor/kubearmor-operator/internal/enforcer"
)

func detachCommand() *cobra.Command {
	return &cobra.Command{
		Use: "detach", Short: "Take every program, link, map and pin off this node", Args: cobra.NoArgs,
		Long: "For a person on a node that its operator has left behind. Nothing is enforced afterwards. A running agent of the\n" +
			"node attaches the core again when it restarts: delete the KubeArmorConfig first.",
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := enforcer.Detach(enforcer.Options{HostRoot: hostRoot()}); err != nil {
				return err
			}
			_, err := fmt.Fprintf(cmd.OutOrStdout(), "nothing of KubeArmor is left below %s\n", operatorv1.PinPath)
			return err
		},
	}
}
