// SPDX-License-Identifier: Apache-2.0

// Package cli is karmor: the commands that people type and the text that they read.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
)

// Exit codes of karmor.
const (
	// ExitOK: the question was answered, whatever the answer is.
	ExitOK = 0
	// ExitFailed: the question could not be answered, for instance because no cluster is reachable.
	ExitFailed = 1
	// ExitUsage: the command line was not understood.
	ExitUsage = 2
)

// Streams are where a command reads and writes.
type Streams struct {
	In       io.Reader
	Out, Err io.Writer
}

// usageError is a mistake on the command line.
type usageError struct{ err error }

func (e usageError) Error() string { return e.err.Error() }
func (e usageError) Unwrap() error { return e.err }

func usagef(format string, args ...any) error { return usageError{fmt.Errorf(format, args...)} }

// Run executes karmor with the arguments after its name and returns its exit code.
func Run(ctx context.Context, version string, streams Streams, args []string) int {
	root := newRoot(version, streams)
	// A nil slice would make cobra read os.Args.
	root.SetArgs(append([]string{}, args...))
	return exitOf(root.ExecuteContext(ctx), streams)
}

// exitOf says what went wrong, and gives the exit code for it.
func exitOf(err error, streams Streams) int {
	if err == nil {
		return ExitOK
	}
	if code, known := statusOf(err, streams); known {
		return code
	}
	_, _ = fmt.Fprintf(streams.Err, "karmor: %v\n", err)
	var usage usageError
	if errors.As(err, &usage) {
		_, _ = fmt.Fprintln(streams.Err, "Run 'karmor --help' for usage.")
		return ExitUsage
	}
	return ExitFailed
}

func newRoot(version string, streams Streams) *cobra.Command {
	cluster := &clusterFlags{}
	root := &cobra.Command{
		Use:   "karmor",
		Short: "See and check what KubeArmor enforces, on a node and in a cluster",
		Long: "karmor shows what KubeArmor enforces, on a node and in a cluster.\n\n" +
			"Exit codes: 0 the question was answered; 1 it could not be answered; 2 the command line was not understood.",
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          noArguments,
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.SetIn(streams.In)
	root.SetOut(streams.Out)
	root.SetErr(streams.Err)
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usageError{err} })
	root.PersistentFlags().StringVar(&cluster.kubeconfig, "kubeconfig", "", "file that says how to reach the cluster (default: $KUBECONFIG, then ~/.kube/config)")
	root.PersistentFlags().StringVar(&cluster.context, "context", "", "context of the kubeconfig to use")
	root.AddCommand(newProbe(streams, cluster), newLogs(streams, cluster), newPolicy(streams), newRun(version, streams),
		newInstall(streams, cluster), newUninstall(streams, cluster), newSysdump(version, streams, cluster), newVersion(version, streams))
	return root
}

func newVersion(version string, streams Streams) *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print karmor's version",
		Args:  noArguments,
		RunE: func(*cobra.Command, []string) error {
			_, err := fmt.Fprintln(streams.Out, version)
			return err
		},
	}
}

func noArguments(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	where := ""
	if _, command, found := strings.Cut(cmd.CommandPath(), " "); found {
		where = command + ": "
	}
	return usagef("%sunknown argument or command %q", where, args[0])
}
