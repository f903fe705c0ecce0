// SPDX-License-Identifier: Apache-2.0

// Command testbed gives the project real kernels and real nodes on one machine.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	root := &cobra.Command{
		Use:           "testbed",
		Short:         "Real kernels and real nodes on one machine",
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	root.AddCommand(vmCommand(), kubeCommand(), upCommand(), downCommand(), demoCommand())
	os.Exit(status(root.ExecuteContext(ctx)))
}

// exitError ends the process with a status of its own.
type exitError struct {
	code int
	err  error
}

func (e *exitError) Error() string {
	if e.err == nil {
		return fmt.Sprintf("exit status %d", e.code)
	}
	return e.err.Error()
}

func (e *exitError) Unwrap() error { return e.err }

// status of the process. An exitError without a cause has nothing to say: a command's own status is no error of ours.
func status(err error) int {
	if err == nil {
		return 0
	}
	if errors.Is(err, context.Canceled) {
		fmt.Fprintln(os.Stderr, "testbed: interrupted")
		return 130
	}
	var exit *exitError
	if errors.As(err, &exit) {
		if exit.err != nil {
			fmt.Fprintln(os.Stderr, "testbed:", exit.err)
		}
		return exit.code
	}
	fmt.Fprintln(os.Stderr, "testbed:", err)
	return 1
}
